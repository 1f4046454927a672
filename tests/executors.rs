//! One object, shared by plain threads and by tasks of several executors at once.

#![cfg(not(loom))]

mod common;

use bifrons::{
    BoundedQueue, Condition, Event, Lock, Semaphore, TimedOut, block_on, block_on_deadline,
    block_on_timeout,
};
use common::{Counter, Face, LONG, eventually, poll_once};
use futures::task::LocalSpawnExt;
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// What runs tasks, or is a thread by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host {
    TokioThreads,
    TokioCurrent,
    Smol,
    Futures,
    Threads,
}

const HOSTS: [Host; 5] =
    [Host::TokioThreads, Host::TokioCurrent, Host::Smol, Host::Futures, Host::Threads];

/// Tasks or threads of each host.
const EACH: usize = 3;

/// All of them.
const CROWD: usize = HOSTS.len() * EACH;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Host {
    /// Runs these tasks to their end, side by side.
    fn run(self, tasks: Vec<Task>) {
        match self {
            Self::TokioThreads => tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .build()
                .unwrap()
                .block_on(Self::spawn_on_tokio(tasks)),
            Self::TokioCurrent => tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap()
                .block_on(Self::spawn_on_tokio(tasks)),
            Self::Smol => {
                let executor = smol::Executor::new();
                let handles: Vec<_> = tasks.into_iter().map(|task| executor.spawn(task)).collect();
                smol::block_on(executor.run(async {
                    for handle in handles {
                        handle.await;
                    }
                }));
            }
            Self::Futures => {
                let mut pool = futures::executor::LocalPool::new();
                let spawner = pool.spawner();
                tasks.into_iter().for_each(|task| spawner.spawn_local(task).unwrap());
                pool.run();
            }
            Self::Threads => thread::scope(|scope| {
                for task in tasks {
                    scope.spawn(|| block_on(task));
                }
            }),
        }
    }

    async fn spawn_on_tokio(tasks: Vec<Task>) {
        let handles: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
        for handle in handles {
            handle.await.unwrap();
        }
    }
}

/// Runs `EACH` tasks on each executor and as many plain threads, all at once. Tasks use the async
/// face; threads the blocking and the timed one. Each has a number below `CROWD`.
fn crowd<T: Send + Sync + 'static, F: Future<Output = ()> + Send + 'static>(
    shared: &Arc<T>,
    task: impl Fn(usize, Arc<T>) -> F + Sync,
    thread: impl Fn(usize, Face, &T) + Sync,
    meanwhile: impl FnOnce(&T),
) {
    thread::scope(|scope| {
        for (host, first) in HOSTS.into_iter().zip((0..).step_by(EACH)) {
            for name in first..first + EACH {
                if host == Host::Threads {
                    let (thread, face) = (&thread, [Face::Blocking, Face::Timed][name % 2]);
                    scope.spawn(move || thread(name, face, shared));
                }
            }
            if host != Host::Threads {
                let task = &task;
                scope.spawn(move || {
                    let tasks = (first..first + EACH)
                        .map(|name| Box::pin(task(name, Arc::clone(shared))) as Task);
                    host.run(tasks.collect());
                });
            }
        }
        meanwhile(shared);
    });
}

/// Lets other tasks run, on any executor.
async fn pause() {
    let mut paused = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn one_lock_for_everybody() {
    const ROUNDS: usize = 200;
    let lock = Arc::new(Lock::new(0));
    crowd(
        &lock,
        |_, lock| async move {
            for round in 0..ROUNDS {
                let mut guard = lock.lock_async().await;
                let before = *guard;
                // The guard goes with the task from thread to thread.
                if round % 4 == 0 {
                    pause().await;
                }
                *guard = before + 1;
            }
        },
        |_, face, lock| {
            for _ in 0..ROUNDS {
                *face.lock(lock) += 1;
            }
        },
        |_| {},
    );
    assert_eq!((*lock.lock(), lock.waiting()), (CROWD * ROUNDS, 0));
}

#[test]
fn one_semaphore_for_everybody() {
    const ROUNDS: usize = 100;
    const PERMITS: usize = 4;
    struct Shared(Arc<Semaphore>, AtomicUsize);
    impl Shared {
        fn enter(&self, n: usize) {
            assert!(self.1.fetch_add(n, Ordering::SeqCst) + n <= PERMITS);
        }
        fn leave(&self, n: usize) {
            self.1.fetch_sub(n, Ordering::SeqCst);
        }
    }
    let shared = Arc::new(Shared(Arc::new(Semaphore::bounded(PERMITS)), AtomicUsize::new(0)));
    crowd(
        &shared,
        |name, shared| async move {
            for round in 0..ROUNDS {
                let n = 1 + (name + round) % PERMITS;
                let _permit = shared.0.acquire_many_owned_async(n).await;
                shared.enter(n);
                if round % 4 == 0 {
                    pause().await;
                }
                shared.leave(n);
            }
        },
        |name, face, shared| {
            for round in 0..ROUNDS {
                let n = 1 + (name + round) % PERMITS;
                let _permit = face.acquire(&shared.0, n);
                shared.enter(n);
                shared.leave(n);
            }
        },
        |_| {},
    );
    assert_eq!((shared.0.available(), shared.0.waiting()), (PERMITS, 0));
}

#[test]
fn one_event_frees_everybody() {
    #[derive(Default)]
    struct Shared {
        rounds: [Event; 3],
        freed: AtomicUsize,
    }
    let shared = Arc::new(Shared::default());
    crowd(
        &shared,
        |_, shared| async move {
            for event in &shared.rounds {
                event.wait_async().await;
                shared.freed.fetch_add(1, Ordering::SeqCst);
            }
        },
        |_, face, shared| {
            for event in &shared.rounds {
                face.wait(event);
                shared.freed.fetch_add(1, Ordering::SeqCst);
            }
        },
        |shared| {
            for (round, event) in shared.rounds.iter().enumerate() {
                eventually("everybody waits", || event.waiting() == CROWD);
                assert_eq!(shared.freed.load(Ordering::SeqCst), round * CROWD);
                event.set();
                event.clear();
            }
        },
    );
    assert_eq!(shared.freed.load(Ordering::SeqCst), 3 * CROWD);
}

#[test]
fn one_condition_hands_a_turn_around_everybody() {
    const ROUNDS: usize = 10;
    let shared = Arc::new((Lock::new(0), Condition::new()));
    crowd(
        &shared,
        |name, shared| async move {
            let (turn, changed) = &*shared;
            for round in 0..ROUNDS {
                let guard = turn.lock_async().await;
                let mine = |turn: &mut usize| *turn != round * CROWD + name;
                *changed.wait_while_async(guard, mine).await += 1;
                changed.notify_all();
            }
        },
        |name, face, (turn, changed)| {
            for round in 0..ROUNDS {
                let mine = |turn: &mut usize| *turn != round * CROWD + name;
                *face.wait_while(changed, face.lock(turn), mine) += 1;
                changed.notify_all();
            }
        },
        |_| {},
    );
    assert_eq!((*shared.0.lock(), shared.1.waiting()), (CROWD * ROUNDS, 0));
}

#[test]
fn one_condition_loses_no_notification_between_hosts() {
    const ITEMS: usize = 100;
    let shared = Arc::new((Lock::new(0), Condition::new()));
    crowd(
        &shared,
        |_, shared| async move {
            let (stock, changed) = &*shared;
            for _ in 0..ITEMS {
                let guard = stock.lock_async().await;
                *changed.wait_while_async(guard, |stock| *stock == 0).await -= 1;
            }
        },
        |_, face, (stock, changed)| {
            for _ in 0..ITEMS {
                *face.wait_while(changed, face.lock(stock), |stock| *stock == 0) -= 1;
            }
        },
        |(stock, changed)| {
            for _ in 0..ITEMS * CROWD {
                *stock.lock() += 1;
                changed.notify_one();
            }
        },
    );
    assert_eq!((*shared.0.lock(), shared.1.waiting()), (0, 0));
}

#[test]
fn one_queue_delivers_each_item_once_to_everybody() {
    const ITEMS: usize = 200;
    struct Shared {
        queue: BoundedQueue<usize>,
        producing: AtomicUsize,
        seen: Vec<AtomicUsize>,
    }
    impl Shared {
        /// The last producer closes.
        fn done(&self) {
            if self.producing.fetch_sub(1, Ordering::SeqCst) == 1 {
                self.queue.close();
            }
        }
        fn see(&self, item: usize) {
            self.seen[item].fetch_add(1, Ordering::SeqCst);
        }
    }
    // Of the three on each host one produces or two do, so both sides are everywhere.
    let produces = |name: usize| name % 2 == 0;
    let producers = (0..CROWD).filter(|name| produces(*name)).count();
    for capacity in [1, 4] {
        let shared = Arc::new(Shared {
            queue: BoundedQueue::new(capacity),
            producing: AtomicUsize::new(producers),
            seen: (0..CROWD * ITEMS).map(|_| AtomicUsize::new(0)).collect(),
        });
        crowd(
            &shared,
            |name, shared| async move {
                if produces(name) {
                    for item in 0..ITEMS {
                        shared.queue.push_async(name * ITEMS + item).await.unwrap();
                    }
                    shared.done();
                } else {
                    while let Ok(item) = shared.queue.pop_async().await {
                        shared.see(item);
                    }
                }
            },
            |name, face, shared| {
                if produces(name) {
                    for item in 0..ITEMS {
                        face.push(&shared.queue, name * ITEMS + item).unwrap();
                    }
                    shared.done();
                } else {
                    while let Ok(item) = face.pop(&shared.queue) {
                        shared.see(item);
                    }
                }
            },
            |_| {},
        );
        for (item, seen) in shared.seen.iter().enumerate() {
            let expected = usize::from(produces(item / ITEMS));
            assert_eq!(seen.load(Ordering::SeqCst), expected, "item {item}");
        }
        assert_eq!((shared.queue.len(), shared.queue.waiting()), (0, 0));
    }
}

#[test]
fn the_blocking_face_works_inside_every_executor() {
    for host in HOSTS {
        let event = Arc::new(Event::new());
        let (lock, queue) = (Arc::new(Lock::new(0)), Arc::new(BoundedQueue::new(1)));
        let guard = lock.lock_owned();
        thread::scope(|scope| {
            let task = {
                let (event, lock, queue) = (event.clone(), lock.clone(), queue.clone());
                async move {
                    event.wait();
                    *lock.lock() += 1;
                    assert!(event.wait_timeout(LONG).is_ok());
                    assert_eq!(queue.pop(), Ok(1));
                    block_on(async { *lock.lock_async().await += 1 });
                }
            };
            scope.spawn(move || host.run(vec![Box::pin(task)]));
            eventually("it waits for the event", || event.waiting() == 1);
            event.set();
            eventually("it waits for the lock", || lock.waiting() == 1);
            drop(guard);
            eventually("it waits for an item", || queue.waiting() == 1);
            queue.push(1).unwrap();
        });
        assert_eq!(*lock.lock(), 2);
    }
}

#[test]
fn drivers_nest_in_one_another() {
    let event = Event::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            futures::executor::block_on(async {
                block_on(async {
                    smol::block_on(async {
                        block_on(async {
                            let never = Event::new();
                            let short = Duration::from_millis(1);
                            assert!(block_on_timeout(never.wait_async(), short).is_err());
                            event.wait();
                        });
                        event.wait_async().await;
                    });
                    event.wait_async().await;
                });
                event.wait_async().await;
            });
        });
        eventually("the innermost waits", || event.waiting() == 1);
        event.set();
    });
}

#[test]
fn a_wake_up_of_the_outer_driver_is_not_lost_in_the_inner_one() {
    let (sender, receiver) = std::sync::mpsc::channel::<Waker>();
    let helper = thread::spawn(move || receiver.recv().unwrap().wake());
    let mut outer_polls = 0;
    let outer = poll_fn(|cx| {
        outer_polls += 1;
        if outer_polls > 1 {
            return Poll::Ready(());
        }
        // The one wake-up is meant for the outer future, and ends the inner wait.
        let mut inner_polls = 0;
        block_on(poll_fn(|_| {
            inner_polls += 1;
            if inner_polls > 1 {
                return Poll::Ready(());
            }
            sender.send(cx.waker().clone()).unwrap();
            Poll::Pending
        }));
        Poll::Pending
    });
    let start = Instant::now();
    block_on_timeout(outer, LONG).unwrap();
    assert!(start.elapsed() < LONG, "the wake-up was lost");
    helper.join().unwrap();
}

#[test]
fn a_driver_with_a_deadline_polls_at_once_and_once_more_at_the_end() {
    const TIME: Duration = Duration::from_millis(5);
    let past = Instant::now();
    for timeout in [Duration::ZERO, TIME, Duration::MAX] {
        assert_eq!(block_on_timeout(async { 1 }, timeout), Ok(1));
    }
    assert_eq!(block_on_deadline(async { 1 }, past), Ok(1));
    assert_eq!(block_on_timeout(pending::<()>(), Duration::ZERO), Err(TimedOut));
    assert_eq!(block_on_timeout(pending::<()>(), TIME), Err(TimedOut));
    assert_eq!(block_on_deadline(pending::<()>(), past), Err(TimedOut));

    // Nobody wakes it, so it is polled twice.
    let ready_at_second_sight = || {
        let mut polls = 0;
        poll_fn(move |_| {
            polls += 1;
            if polls == 2 { Poll::Ready(polls) } else { Poll::Pending }
        })
    };
    assert_eq!(block_on_timeout(ready_at_second_sight(), Duration::ZERO), Ok(2));
    assert_eq!(block_on_timeout(ready_at_second_sight(), TIME), Ok(2));
    assert_eq!(block_on_deadline(ready_at_second_sight(), past), Ok(2));
    assert_eq!(block_on_deadline(ready_at_second_sight(), Instant::now() + TIME), Ok(2));
}

#[test]
fn a_token_of_the_users_own_park_survives_our_waits() {
    fn parks_at_once() {
        let start = Instant::now();
        thread::park_timeout(LONG);
        assert!(start.elapsed() < LONG, "the token is gone");
    }
    let event = Event::new();
    let (lock, queue) = (Lock::new(()), BoundedQueue::new(1));
    let semaphore = Semaphore::new(0);
    thread::scope(|scope| {
        let guard = lock.lock();
        let waiter = scope.spawn(|| {
            thread::current().unpark();
            event.wait();
            drop(lock.lock());
            semaphore.acquire().forget();
            assert_eq!(queue.pop(), Ok(1));
            assert!(Event::new().wait_timeout(Duration::from_millis(1)).is_err());
            parks_at_once();
            // And one that arrives during a wait, which it does not end.
            event.wait();
            parks_at_once();
        });
        eventually("it waits for the event", || event.waiting() == 1);
        event.set();
        event.clear();
        eventually("it waits for the lock", || lock.waiting() == 1);
        drop(guard);
        eventually("it waits for a permit", || semaphore.waiting() == 1);
        semaphore.release(1);
        eventually("it waits for an item", || queue.waiting() == 1);
        queue.push(1).unwrap();
        eventually("it waits for the event again", || event.waiting() == 1);
        waiter.thread().unpark();
        assert_eq!(event.waiting(), 1);
        event.set();
    });
}

#[test]
fn of_two_waiters_of_one_task_the_second_is_polled() {
    // The first is woken, but its task only polls the second: a `select!` that has moved on.
    let lock = Lock::new(());
    let task = Counter::new();
    let guard = lock.lock();
    let mut first = Box::pin(lock.lock_async());
    let mut second = Box::pin(lock.lock_async());
    assert!(task.poll(first.as_mut()).is_pending());
    assert!(task.poll(second.as_mut()).is_pending());
    drop(guard);
    assert_eq!(task.wakes(), 1);
    let Poll::Ready(guard) = task.poll(second.as_mut()) else { panic!("the lock is free") };
    drop(guard);
    // The first is still on its way and may come at any time, or never.
    assert!(lock.try_lock().is_some());
    assert!(task.poll(first.as_mut()).is_ready());
    assert_eq!(lock.waiting(), 0);
}

#[test]
fn of_two_waiters_of_one_task_the_second_is_polled_on_every_executor() {
    for host in HOSTS {
        let (lock, done) = (Arc::new(Lock::new(())), Arc::new(AtomicBool::new(false)));
        thread::scope(|scope| {
            let guard = lock.lock();
            let (shared, finished) = (Arc::clone(&lock), Arc::clone(&done));
            scope.spawn(move || {
                host.run(vec![Box::pin(async move {
                    let mut first = pin!(shared.lock_async());
                    assert!(futures::poll!(first.as_mut()).is_pending());
                    drop(shared.lock_async().await);
                    drop(first.await);
                    finished.store(true, Ordering::SeqCst);
                })]);
            });
            eventually("both wait", || lock.waiting() == 2);
            drop(guard);
        });
        assert!(done.load(Ordering::SeqCst));
        assert_eq!(lock.waiting(), 0);
    }
}

#[test]
fn a_plain_thread_waits_for_whichever_comes_first() {
    let (stop, go, queue) = (Event::new(), Event::new(), BoundedQueue::new(1));
    let semaphore = Semaphore::new(0);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let mut seen = Vec::new();
            block_on(async {
                loop {
                    futures::select_biased! {
                        () = stop.wait_async() => break,
                        () = go.wait_async() => {
                            go.clear();
                            seen.push("go");
                        }
                        item = queue.pop_async() => seen.push(item.unwrap()),
                        permit = semaphore.acquire_async() => {
                            permit.forget();
                            seen.push("permit");
                        }
                    }
                }
            });
            seen
        });
        let all_wait = || {
            eventually("it waits for all four", || {
                stop.waiting() == 1
                    && go.waiting() == 1
                    && queue.waiting() == 1
                    && semaphore.waiting() == 1
            });
        };
        all_wait();
        queue.push("item").unwrap();
        eventually("it takes the item", || queue.is_empty());
        all_wait();
        go.set();
        eventually("it goes", || !go.is_set());
        all_wait();
        semaphore.release(1);
        all_wait();
        stop.set();
        assert_eq!(waiter.join().unwrap(), ["item", "go", "permit"]);
    });
    assert_eq!(go.waiting() + queue.waiting() + semaphore.waiting(), 0);
}

#[test]
fn a_timeout_of_the_runtime_withdraws_the_wait() {
    const TIME: Duration = Duration::from_millis(5);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (lock, event, queue) = (Lock::new(()), Event::new(), BoundedQueue::<()>::new(1));
    let (semaphore, condition) = (Semaphore::new(0), Condition::new());
    runtime.block_on(async {
        let guard = lock.lock();
        assert!(tokio::time::timeout(TIME, lock.lock_async()).await.is_err());
        assert!(tokio::time::timeout(TIME, event.wait_async()).await.is_err());
        assert!(tokio::time::timeout(TIME, semaphore.acquire_async()).await.is_err());
        assert!(tokio::time::timeout(TIME, queue.pop_async()).await.is_err());
        assert!(tokio::time::timeout(TIME, condition.wait_async(guard)).await.is_err());
    });
    assert_eq!(lock.waiting() + event.waiting() + semaphore.waiting(), 0);
    assert_eq!(queue.waiting() + condition.waiting(), 0);
    assert!(lock.try_lock().is_some());
}

#[test]
fn a_wait_moves_from_one_executor_to_another() {
    let event = Arc::new(Event::new());
    let waiting = Arc::clone(&event);
    let mut wait: Task = Box::pin(async move { waiting.wait_async().await });
    for host in HOSTS {
        // Each polls it once, under its own waker, and gives it back.
        let (sender, receiver) = std::sync::mpsc::channel();
        host.run(vec![Box::pin(async move {
            assert!(futures::poll!(wait.as_mut()).is_pending());
            sender.send(wait).unwrap();
        })]);
        wait = receiver.recv().unwrap();
        assert_eq!(event.waiting(), 1);
    }
    event.set();
    assert!(poll_once(wait.as_mut()).is_ready());
}
