//! Tasks that move between threads, on an executor made of the crate's own parts; and what the
//! scenarios share.

use crate::common::{Random, poll_once};
use bifrons::{BoundedQueue, Lock, block_on};
use futures::future::{Either, select};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The threads and tasks of one round.
pub(crate) struct Crew {
    threads: Vec<Box<dyn FnOnce() + Send>>,
    tasks: Vec<Work>,
}

/// Where the threads of a round meet before they end.
///
/// A thread's parker is freed with the thread. Other threads have given up their shares in it by
/// decrementing the count of its `Arc`, which orders the decrement before the free by a fence in
/// std. ThreadSanitizer knows no fences and would report each such free; so this adds an order that
/// it sees. The waiting is std's, and invisible to it.
struct Exit {
    barrier: Barrier,
    visible: AtomicUsize,
}

impl Exit {
    fn meet(&self) {
        self.visible.fetch_add(1, Ordering::AcqRel);
        self.barrier.wait();
        self.visible.fetch_add(1, Ordering::AcqRel);
    }
}

struct Task {
    /// `None` once it is finished.
    work: Lock<Option<Work>>,
    /// It stands in `ready`.
    is_ready: AtomicBool,
    pool: Arc<Pool>,
}

struct Pool {
    ready: BoundedQueue<Arc<Task>>,
    unfinished: AtomicUsize,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_ready.swap(true, Ordering::AcqRel) {
            // Each task stands there at most once, so there is room; closed means that all are done.
            let pushed = self.pool.ready.try_push(Arc::clone(self));
            assert!(pushed.is_ok() || self.pool.ready.is_closed());
        }
    }
}

impl Pool {
    fn work(&self) {
        while let Ok(task) = self.ready.pop() {
            task.is_ready.swap(false, Ordering::AcqRel);
            let waker = Waker::from(Arc::clone(&task));
            let mut slot = task.work.lock();
            let Some(work) = &mut *slot else { continue };
            if work.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                *slot = None;
                if self.unfinished.fetch_sub(1, Ordering::AcqRel) == 1 {
                    self.ready.close();
                }
            }
        }
    }
}

impl Crew {
    pub(crate) fn new() -> Self {
        Self { threads: Vec::new(), tasks: Vec::new() }
    }

    pub(crate) fn thread(&mut self, work: impl FnOnce() + Send + 'static) {
        self.threads.push(Box::new(work));
    }

    /// A thread that runs one future.
    pub(crate) fn block_on(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.thread(move || block_on(work));
    }

    /// A task of the pool.
    pub(crate) fn task(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push(Box::pin(work));
    }

    /// Starts the threads, two of them for the tasks, and waits until everyone is done.
    pub(crate) fn join(mut self) {
        let pool = Arc::new(Pool {
            ready: BoundedQueue::new(self.tasks.len().max(1)),
            unfinished: AtomicUsize::new(self.tasks.len()),
        });
        // They are kept until all threads have ended, so that nobody else frees them.
        let tasks: Vec<_> = self
            .tasks
            .drain(..)
            .map(|work| {
                let (work, pool) = (Lock::new(Some(work)), Arc::clone(&pool));
                Arc::new(Task { work, is_ready: AtomicBool::new(false), pool })
            })
            .collect();
        if tasks.is_empty() {
            pool.ready.close();
        }
        for task in &tasks {
            task.wake_by_ref();
        }
        for _ in 0..2 {
            let pool = Arc::clone(&pool);
            self.thread(move || pool.work());
        }
        let exit = Arc::new(Exit {
            barrier: Barrier::new(self.threads.len()),
            visible: AtomicUsize::new(0),
        });
        let threads: Vec<_> = self
            .threads
            .into_iter()
            .map(|work| {
                let exit = Arc::clone(&exit);
                thread::spawn(move || {
                    work();
                    exit.meet();
                })
            })
            .collect();
        for thread in threads {
            assert!(thread.join().is_ok(), "a panic ends the process before this");
        }
    }
}

/// Lets other tasks run.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Drops `operation` if it is not ready after some polls of this task.
pub(crate) async fn briefly<F: Future>(random: &mut Random, operation: F) -> Option<F::Output> {
    let polls = random.below(4);
    let end = pin!(async {
        for _ in 0..polls {
            yield_now().await;
        }
    });
    match select(pin!(operation), end).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}

/// The same for a thread, with a waker that wakes nobody.
pub(crate) fn peek<F: Future>(random: &mut Random, operation: Pin<&mut F>) -> Option<F::Output> {
    let mut operation = operation;
    for _ in 0..=random.below(3) {
        if let Poll::Ready(output) = poll_once(operation.as_mut()) {
            return Some(output);
        }
        thread::yield_now();
    }
    None
}

/// From none to 50 µs.
pub(crate) fn short(random: &mut Random) -> Duration {
    Duration::from_micros(random.below(51) as u64)
}
