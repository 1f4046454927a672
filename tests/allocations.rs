//! No wait allocates, on either face, after a thread's first. One test: it counts by thread.
#![cfg(not(loom))]

mod common;

use bifrons::*;
use common::{Face, LONG, eventually, poll_once};
use futures::{SinkExt, StreamExt};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn note() {
    ALLOCATIONS.with(|count| count.set(count.get() + 1));
}

// SAFETY: everything is passed on to `System`; the counter is a constant thread-local without a
// destructor, so counting never allocates.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often this thread allocates in `f`.
fn allocations(f: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    f();
    ALLOCATIONS.get() - before
}

/// Runs `f` again and again on this thread.
fn repeated(report: &mut Report, name: &str, times: usize, mut f: impl FnMut()) {
    f();
    let count = allocations(|| (0..times).for_each(|_| f()));
    report.add(name, times, count);
}

/// A wait on another thread: `block`, then the wait begins, then `provide`. The allocations of
/// both threads count, but for the first round.
fn contended(
    report: &mut Report,
    name: &str,
    mut block: impl FnMut(),
    wait: impl Fn() + Sync,
    waiting: impl Fn() -> bool,
    mut provide: impl FnMut(),
) {
    const ROUNDS: usize = 50;
    let (begun, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut total = 0;
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let mut total = 0;
            for round in 1..=ROUNDS + 1 {
                eventually("the round begins", || begun.load(Ordering::SeqCst) == round);
                let count = allocations(&wait);
                total += if round == 1 { 0 } else { count };
                ended.store(round, Ordering::SeqCst);
            }
            total
        });
        for round in 1..=ROUNDS + 1 {
            let mut count = allocations(&mut block);
            begun.store(round, Ordering::SeqCst);
            eventually("the thread waits", &waiting);
            count += allocations(&mut provide);
            eventually("the round ends", || ended.load(Ordering::SeqCst) == round);
            total += if round == 1 { 0 } else { count };
        }
        total += waiter.join().unwrap();
    });
    report.add(name, ROUNDS, total);
}

#[derive(Default)]
struct Report {
    waits: usize,
    failures: usize,
}

impl Report {
    fn add(&mut self, name: &str, waits: usize, allocations: usize) {
        println!("{name:<40} {waits:>6} waits {allocations:>3} allocations");
        self.waits += waits;
        self.failures += usize::from(allocations > 0);
    }
}

#[test]
fn no_wait_allocates() {
    let mut report = Report::default();
    // This thread's first wait.
    assert!(Event::new().wait_timeout(Duration::from_millis(1)).is_err());
    uncontended(&mut report);
    for face in Face::ALL {
        contended_by_type(&mut report, face);
    }
    owned_and_batched(&mut report);
    nested(&mut report);
    timed_out(&mut report);
    cancelled(&mut report);
    woken_together(&mut report);
    println!("{} waits in all", report.waits);
    assert_eq!(report.failures, 0, "some waits allocate");
}

fn uncontended(report: &mut Report) {
    let lock = Arc::new(Lock::new(0));
    let semaphore = Arc::new(Semaphore::new(2));
    let event = Event::new();
    event.set();
    let queue = BoundedQueue::new(2);
    let condition = Condition::new();
    for face in Face::ALL {
        repeated(report, &format!("uncontended lock, {face:?}"), 1_000, || drop(face.lock(&lock)));
        repeated(report, &format!("uncontended acquire, {face:?}"), 1_000, || {
            drop(face.acquire(&semaphore, 2));
        });
        repeated(report, &format!("wait on a set event, {face:?}"), 1_000, || face.wait(&event));
        repeated(report, &format!("uncontended push and pop, {face:?}"), 1_000, || {
            face.push(&queue, 1).unwrap();
            face.reserve(&queue).unwrap().push(2).unwrap();
            assert_eq!(face.pop(&queue), Ok(1));
            assert_eq!(face.pop(&queue), Ok(2));
        });
    }
    repeated(report, "uncontended owned guards and permits", 1_000, || {
        drop(lock.lock_owned());
        drop(block_on(lock.lock_owned_async()));
        let mut permits = semaphore.acquire_many_owned(2);
        drop(permits.split(1));
        drop(block_on(semaphore.acquire_owned_async()));
    });
    repeated(report, "wait_while whose predicate lets go", 1_000, || {
        drop(condition.wait_while(lock.lock(), |_| false));
        drop(block_on(condition.wait_while_async(lock.lock(), |_| false)));
    });
}

fn contended_by_type(report: &mut Report, face: Face) {
    let name = |what: &str| format!("contended {what}, {face:?}");

    let lock = Lock::new(0);
    let held = RefCell::new(None);
    contended(
        report,
        &name("lock"),
        || drop(held.replace(Some(lock.lock()))),
        || drop(face.lock(&lock)),
        || lock.waiting() == 1,
        || drop(held.take()),
    );
    contended(
        report,
        &name("lock, handed over"),
        || drop(held.replace(Some(lock.lock()))),
        || drop(face.lock(&lock)),
        || lock.waiting() == 1,
        || LockGuard::unlock_fair(held.take().unwrap()),
    );

    let semaphore = Semaphore::new(0);
    contended(
        report,
        &name("acquire"),
        || {},
        || face.acquire(&semaphore, 3).forget(),
        || semaphore.waiting() == 1,
        || semaphore.release(3),
    );

    let event = Event::new();
    contended(
        report,
        &name("event"),
        || event.clear(),
        || face.wait(&event),
        || event.waiting() == 1,
        || event.set(),
    );

    let condition = Condition::new();
    contended(
        report,
        &name("condition"),
        || {},
        || match face {
            Face::Blocking => drop(condition.wait(lock.lock())),
            Face::Timed => drop(condition.wait_timeout(lock.lock(), LONG)),
            Face::Async => drop(block_on(condition.wait_async(lock.lock()))),
        },
        || condition.waiting() == 1,
        || assert!(condition.notify_one()),
    );
    let waiting = |value: &mut i32| *value == 0;
    contended(
        report,
        &name("condition, while"),
        || *lock.lock() = 0,
        || match face {
            Face::Blocking => drop(condition.wait_while(lock.lock(), waiting)),
            Face::Timed => drop(condition.wait_while_timeout(lock.lock(), waiting, LONG)),
            Face::Async => drop(block_on(condition.wait_while_async(lock.lock(), waiting))),
        },
        || condition.waiting() == 1,
        || {
            assert_eq!(condition.notify_all(), 1);
            eventually("it waits again", || condition.waiting() == 1);
            *lock.lock() = 1;
            assert_eq!(condition.notify_all(), 1);
        },
    );

    let queue = BoundedQueue::new(1);
    contended(
        report,
        &name("pop"),
        || {},
        || assert_eq!(face.pop(&queue), Ok(1)),
        || queue.waiting() == 1,
        || queue.push(1).unwrap(),
    );
    queue.push(1).unwrap();
    contended(
        report,
        &name("push"),
        || {},
        || face.push(&queue, 1).unwrap(),
        || queue.waiting() == 1,
        || assert_eq!(queue.pop(), Ok(1)),
    );
    contended(
        report,
        &name("reserve"),
        || {},
        || face.reserve(&queue).unwrap().push(1).unwrap(),
        || queue.waiting() == 1,
        || assert_eq!(queue.pop(), Ok(1)),
    );
}

fn owned_and_batched(report: &mut Report) {
    let lock = Arc::new(Lock::new(0));
    let held = RefCell::new(None);
    contended(
        report,
        "contended lock, owned",
        || drop(held.replace(Some(lock.lock_owned()))),
        || drop(block_on(lock.lock_owned_async())),
        || lock.waiting() == 1,
        || drop(held.take()),
    );
    let semaphore = Arc::new(Semaphore::new(0));
    contended(
        report,
        "contended acquire, owned",
        || {},
        || block_on(semaphore.acquire_many_owned_async(2)).forget(),
        || semaphore.waiting() == 1,
        || semaphore.resize(2),
    );
    semaphore.resize(0);
    let condition = Condition::new();
    contended(
        report,
        "contended condition, owned",
        || {},
        || drop(block_on(condition.wait_async(lock.lock_owned()))),
        || condition.waiting() == 1,
        || assert!(condition.notify_one()),
    );

    let queue = BoundedQueue::new(4);
    let items = Mutex::new(Vec::with_capacity(4));
    let pop_many = || {
        let mut items = items.lock().unwrap();
        items.clear();
        while items.len() < 3 {
            queue.pop_many(&mut items, 4).unwrap();
        }
    };
    let push_many = || assert_eq!(queue.push_many(1..=3), Ok(3));
    contended(report, "contended pop_many", || {}, pop_many, || queue.waiting() == 1, push_many);
    queue.push_many([0; 4]).unwrap();
    let pop_three = || assert_eq!(queue.try_iter().take(3).count(), 3);
    contended(report, "contended push_many", || {}, push_many, || queue.waiting() == 1, pop_three);
    queue.try_iter().for_each(drop);
    contended(
        report,
        "contended stream",
        || {},
        || assert_eq!(block_on(pin!(queue.stream()).next()), Some(1)),
        || queue.waiting() == 1,
        || queue.push(1).unwrap(),
    );
    queue.push_many([1; 4]).unwrap();
    contended(
        report,
        "contended sink",
        || {},
        || block_on(pin!(queue.sink()).send(1)).unwrap(),
        || queue.waiting() == 1,
        || assert_eq!(queue.pop(), Ok(1)),
    );
}

fn nested(report: &mut Report) {
    let (outer, inner, lock) = (Event::new(), Event::new(), Lock::new(0));
    let held = RefCell::new(None);
    contended(
        report,
        "a blocking wait inside block_on",
        || {
            outer.clear();
            inner.clear();
            drop(held.replace(Some(lock.lock())));
        },
        || {
            block_on(async {
                inner.wait();
                block_on(async {
                    drop(lock.lock());
                    drop(lock.lock_async().await);
                });
                outer.wait_async().await;
            });
        },
        || inner.waiting() == 1,
        || {
            inner.set();
            eventually("it waits for the lock", || lock.waiting() == 1);
            drop(held.take());
            eventually("it waits for the outer event", || outer.waiting() == 1);
            outer.set();
        },
    );
}

fn timed_out(report: &mut Report) {
    const TIMES: usize = 30;
    let timeout = Duration::from_micros(200);
    let lock = Arc::new(Lock::new(0));
    let held = lock.lock();
    repeated(report, "timed-out lock", TIMES, || assert!(lock.lock_timeout(timeout).is_err()));
    repeated(report, "timed-out lock, impatient", 5, || {
        assert!(lock.lock_timeout(Duration::from_millis(3)).is_err());
    });
    repeated(report, "timed-out lock, owned", TIMES, || {
        assert!(lock.lock_owned_deadline(Instant::now() + timeout).is_err());
    });
    drop(held);
    let semaphore = Semaphore::new(1);
    repeated(report, "timed-out acquire", TIMES, || {
        assert!(semaphore.acquire_many_timeout(2, timeout).is_err());
    });
    let event = Event::new();
    repeated(report, "timed-out event", TIMES, || assert!(event.wait_timeout(timeout).is_err()));
    repeated(report, "timed-out block_on", TIMES, || {
        assert!(block_on_timeout(event.wait_async(), timeout).is_err());
    });
    let condition = Condition::new();
    repeated(report, "timed-out condition", TIMES, || {
        assert!(!condition.wait_timeout(lock.lock(), timeout).1);
        assert!(!condition.wait_while_timeout(lock.lock(), |_| true, timeout).1);
    });
    let queue = BoundedQueue::new(1);
    let mut items = Vec::with_capacity(1);
    repeated(report, "timed-out pop", TIMES, || {
        assert!(queue.pop_timeout(timeout).is_err());
        assert!(queue.pop_many_timeout(&mut items, 1, timeout).is_err());
    });
    queue.push(1).unwrap();
    repeated(report, "timed-out push", TIMES, || {
        assert!(queue.push_timeout(2, timeout).is_err());
        assert!(queue.reserve_timeout(timeout).is_err());
    });
}

/// Polls a future and drops it: while it waits, and when its turn has come.
macro_rules! cancel {
    ($future:expr, $provide:expr) => {{
        {
            let mut waiting = pin!($future);
            assert!(poll_once(waiting.as_mut()).is_pending());
            assert!(poll_once(waiting.as_mut()).is_pending());
        }
        {
            let mut first = pin!($future);
            assert!(poll_once(first.as_mut()).is_pending());
            let mut second = pin!($future);
            assert!(poll_once(second.as_mut()).is_pending());
            $provide;
        }
    }};
}

fn cancelled(report: &mut Report) {
    let lock = Lock::new(0);
    repeated(report, "cancelled lock", 1_000, || {
        let held = lock.lock();
        cancel!(lock.lock_async(), drop(held));
    });
    repeated(report, "cancelled lock, handed over", 1_000, || {
        let held = lock.lock();
        cancel!(lock.lock_async(), LockGuard::unlock_fair(held));
    });
    let semaphore = Semaphore::new(0);
    repeated(report, "cancelled acquire", 1_000, || {
        cancel!(semaphore.acquire_many_async(2), semaphore.release(2));
        assert_eq!(semaphore.forget_available(2), 2);
    });
    let event = Event::new();
    repeated(report, "cancelled event", 1_000, || {
        cancel!(event.wait_async(), event.set());
        event.clear();
    });
    let condition = Condition::new();
    repeated(report, "cancelled condition", 1_000, || {
        cancel!(condition.wait_async(lock.lock()), assert!(condition.notify_one()));
        cancel!(
            condition.wait_while_async(lock.lock(), |_| true),
            assert_eq!(condition.notify_all(), 2)
        );
    });
    let queue = BoundedQueue::new(1);
    repeated(report, "cancelled pop", 1_000, || {
        cancel!(queue.pop_async(), queue.push(1).unwrap());
        assert_eq!(queue.pop(), Ok(1));
    });
    repeated(report, "cancelled push and reserve", 1_000, || {
        queue.push(1).unwrap();
        cancel!(queue.push_async(2), assert_eq!(queue.pop(), Ok(1)));
        queue.push(1).unwrap();
        cancel!(queue.reserve_async(), assert_eq!(queue.pop(), Ok(1)));
        queue.push(1).unwrap();
        cancel!(queue.push_many_async(2..3), assert_eq!(queue.pop(), Ok(1)));
    });
}

/// More waiters than a batch of wakers holds.
fn woken_together(report: &mut Report) {
    const WAITERS: usize = 100;
    let (event, semaphore) = (Event::new(), Semaphore::new(0));
    let (lock, condition) = (Lock::new(0), Condition::new());
    // Boxed once, and set again for each wait.
    let mut events: Vec<_> = (0..WAITERS).map(|_| Box::pin(event.wait_async())).collect();
    let mut acquires: Vec<_> = (0..WAITERS).map(|_| Box::pin(semaphore.acquire_async())).collect();
    repeated(report, "two hundred woken together", 10, || {
        for (wait, acquire) in events.iter_mut().zip(&mut acquires) {
            wait.as_mut().set(event.wait_async());
            assert!(poll_once(wait.as_mut()).is_pending());
            acquire.as_mut().set(semaphore.acquire_async());
            assert!(poll_once(acquire.as_mut()).is_pending());
        }
        event.set();
        event.clear();
        semaphore.release(WAITERS);
        assert_eq!(event.waiting() + semaphore.waiting(), 0);
        assert!(events.iter_mut().all(|wait| poll_once(wait.as_mut()).is_ready()));
        for acquire in &mut acquires {
            match poll_once(acquire.as_mut()) {
                Poll::Ready(permit) => permit.forget(),
                Poll::Pending => panic!("it was granted"),
            }
        }
    });
    repeated(report, "two notified together", 100, || {
        cancel!(condition.wait_async(lock.lock()), assert_eq!(condition.notify(5), 2));
    });
}
