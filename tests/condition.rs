//! What `Condition` promises, in each face and with all faces on one condition.

#![cfg(not(loom))]

mod common;

use bifrons::{
    Condition, ConditionFuture, Lock, LockGuard, OwnedLockGuard, block_on, block_on_timeout,
};
use common::{Counter, Face, Random, eventually, lasts, let_pass, panics, poll_once};
use futures::future::{FusedFuture, join_all};
use std::cell::RefCell;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// More than two batches of wake-ups.
const MANY: usize = 100;

type Wait<'a, T> = Pin<Box<ConditionFuture<'a, LockGuard<'a, T>>>>;
type Waiter<'a, T> = (Arc<Counter>, Wait<'a, T>);

/// Waiters with their counting wakers, each polled once.
fn register<'a, T>(condition: &'a Condition, lock: &'a Lock<T>, n: usize) -> Vec<Waiter<'a, T>> {
    let before = condition.waiting();
    let waiters: Vec<_> = (0..n)
        .map(|_| {
            let mut waiter = Box::pin(condition.wait_async(lock.lock()));
            let counter = Counter::new();
            assert!(counter.poll(waiter.as_mut()).is_pending());
            (counter, waiter)
        })
        .collect();
    assert_eq!(condition.waiting(), before + n);
    waiters
}

fn wakes<T>(waiters: &[Waiter<'_, T>]) -> Vec<usize> {
    waiters.iter().map(|(counter, _)| counter.wakes()).collect()
}

fn is_free<T>(lock: &Lock<T>) -> bool {
    lock.waiting() == 0 && lock.try_lock().is_some()
}

#[test]
fn a_condition_shares_the_lock_that_it_is_given() {
    static IN_A_STATIC: Condition = Condition::new();
    assert_eq!(IN_A_STATIC.waiting(), 0);
    for face in Face::ALL {
        let (lock, condition) = (Lock::new(0), Condition::default());
        let guard = lock.lock();
        let guard = face.wait_while(&condition, guard, |_| false);
        assert!(lock.try_lock().is_none(), "whoever is inside has the lock");
        drop(guard);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut guard = face.notified(&condition, face.lock(&lock));
                assert!(std::ptr::eq(LockGuard::lock(&guard), &raw const lock));
                assert!(lock.try_lock().is_none());
                *guard += 1;
            });
            eventually("it waits", || condition.waiting() == 1);
            eventually("a waiter holds nothing", || {
                lock.try_lock().map(|mut guard| *guard += 1).is_some()
            });
            assert!(condition.notify_one());
        });
        assert!(is_free(&lock));
        assert_eq!(lock.into_inner(), 2);
    }
}

#[test]
fn owned_guards_wait_in_each_face_beside_borrowed_ones() {
    for face in Face::ALL {
        let (lock, condition) = (Arc::new(Lock::new(false)), Condition::new());
        thread::scope(|scope| {
            scope.spawn(|| {
                let guard = face.notified(&condition, face.lock_owned(&lock));
                assert!(Arc::ptr_eq(OwnedLockGuard::lock(&guard), &lock));
            });
            scope.spawn(|| drop(face.wait_while(&condition, face.lock_owned(&lock), |go| !*go)));
            scope.spawn(|| drop(face.wait_while(&condition, face.lock(&lock), |go| !*go)));
            eventually("all wait", || condition.waiting() == 3);
            *lock.lock() = true;
            assert_eq!(condition.notify_all(), 3);
        });
        assert!(is_free(&lock));
        assert_eq!(Arc::strong_count(&lock), 1);
    }
}

#[test]
fn debug_shows_the_waiters() {
    let (lock, condition) = (Lock::new(()), Condition::new());
    let mut waiters = register(&condition, &lock, 1);
    assert_eq!(format!("{condition:?}"), "Condition { waiting: 1 }");
    let mut waiting_while = Box::pin(condition.wait_while_async(lock.lock(), |()| true));
    assert!(poll_once(waiting_while.as_mut()).is_pending());
    assert!(format!("{waiting_while:?}").contains("waiting"), "{waiting_while:?}");
    drop(waiting_while);
    let (_, waiter) = &mut waiters[0];
    assert!(format!("{waiter:?}").contains("waiting"), "{waiter:?}");
    let guard = lock.lock();
    condition.notify_one();
    assert!(poll_once(waiter.as_mut()).is_pending());
    assert!(format!("{waiter:?}").contains("locking"), "{waiter:?}");
    drop(guard);
    assert!(poll_once(waiter.as_mut()).is_ready());
    assert!(format!("{waiter:?}").contains("done"), "{waiter:?}");
    assert_eq!(format!("{condition:?}"), "Condition { waiting: 0 }");
}

#[test]
fn notify_wakes_as_many_as_it_says_and_they_return_after_the_notifier_has_released() {
    for cast in Face::casts(5) {
        let (lock, condition) = (Lock::new(0), Condition::new());
        for _round in 0..2 {
            thread::scope(|scope| {
                for face in cast.iter().copied() {
                    let (lock, condition) = (&lock, &condition);
                    scope.spawn(move || {
                        for _ in 0..2 {
                            *face.notified(condition, face.lock(lock)) += 1;
                        }
                    });
                }
                eventually("all five wait", || condition.waiting() == 5);
                let guard = lock.lock();
                assert_eq!(condition.notify(3), 3);
                eventually("three wait for the lock", || lock.waiting() == 3);
                assert_eq!((condition.waiting(), *guard), (2, 0));
                drop(guard);
                eventually("the three wait again", || condition.waiting() == 5);
                assert_eq!(*lock.lock(), 3);
                let guard = lock.lock();
                assert_eq!(condition.notify(5), 5);
                drop(guard);
                eventually("two wait again", || condition.waiting() == 2 && *lock.lock() == 8);
                assert_eq!(condition.notify_all(), 2);
            });
            assert_eq!((condition.waiting(), std::mem::take(&mut *lock.lock())), (0, 10));
        }
    }
}

#[test]
fn each_notify_returns_how_many_it_woke() {
    let (lock, condition) = (Lock::new(()), Condition::new());
    assert!(!condition.notify_one());
    assert_eq!((condition.notify(3), condition.notify_all()), (0, 0));
    let waiters = register(&condition, &lock, 7);
    assert_eq!(condition.notify(0), 0);
    assert!(condition.notify_one());
    assert_eq!(wakes(&waiters), [1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(condition.notify(2), 2);
    assert_eq!(wakes(&waiters), [1, 1, 1, 0, 0, 0, 0]);
    assert_eq!(condition.waiting(), 4);
    assert_eq!(condition.notify(usize::MAX), 4);
    assert_eq!(wakes(&waiters), [1; 7]);
    assert_eq!((condition.waiting(), condition.notify_all()), (0, 0));
    assert!(!condition.notify_one());
}

#[test]
fn all_faces_are_notified_in_the_order_in_which_they_came() {
    for cast in Face::casts(6) {
        let (lock, condition, order) = (Lock::new(()), Condition::new(), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for (name, face) in cast.into_iter().enumerate() {
                let (lock, condition, order) = (&lock, &condition, &order);
                scope.spawn(move || {
                    let _guard = face.notified(condition, face.lock(lock));
                    order.lock().unwrap().push(name);
                });
                eventually("it waits", || condition.waiting() == name + 1);
            }
            for notified in 1..=6 {
                assert!(condition.notify_one());
                eventually("one returns", || order.lock().unwrap().len() == notified);
            }
        });
        assert_eq!(order.into_inner().unwrap(), [0, 1, 2, 3, 4, 5]);
    }
}

#[test]
fn notify_all_wakes_more_than_one_batch_once_each() {
    let (lock, condition) = (Lock::new(()), Condition::new());
    let mut waiters = register(&condition, &lock, MANY);
    assert_eq!(condition.notify(MANY - 1), MANY - 1);
    assert_eq!(condition.notify_all(), 1);
    assert_eq!(wakes(&waiters), [1; MANY]);
    for (_, waiter) in waiters.iter_mut().rev() {
        assert!(poll_once(waiter.as_mut()).is_ready());
    }
    assert!(is_free(&lock));
}

/// A waker that begins a new wait.
struct WaitAgain {
    waiter: Mutex<Option<Wait<'static, ()>>>,
    wakes: AtomicUsize,
}

static AGAIN: (Lock<()>, Condition) = (Lock::new(()), Condition::new());

impl WaitAgain {
    fn wait(self: &Arc<Self>) {
        let mut waiter = Box::pin(AGAIN.1.wait_async(AGAIN.0.try_lock().unwrap()));
        let waker = Waker::from(Arc::clone(self));
        assert!(waiter.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        *self.waiter.lock().unwrap() = Some(waiter);
    }
}

impl Wake for WaitAgain {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        // What it has waited for it takes as used: a dropped victim of `notify` would pass it on.
        let mut done = self.waiter.lock().unwrap().take().unwrap();
        assert!(poll_once(done.as_mut()).is_ready());
        self.wait();
    }
}

#[test]
fn whoever_waits_again_while_others_are_being_woken_is_not_woken_twice() {
    let waiters: Vec<_> = (0..MANY)
        .map(|_| Arc::new(WaitAgain { waiter: Mutex::new(None), wakes: AtomicUsize::new(0) }))
        .collect();
    waiters.iter().for_each(WaitAgain::wait);
    for round in 1..=4 {
        let notified =
            if round % 2 == 0 { AGAIN.1.notify(usize::MAX) } else { AGAIN.1.notify_all() };
        assert_eq!(notified, MANY);
        assert!(waiters.iter().all(|waiter| waiter.wakes.load(Ordering::SeqCst) == round));
        assert_eq!(AGAIN.1.waiting(), MANY);
    }
    for waiter in waiters {
        drop(waiter.waiter.lock().unwrap().take());
    }
    assert_eq!(AGAIN.1.waiting(), 0);
}

#[test]
fn without_a_notification_a_timed_wait_lasts_and_returns_the_lock() {
    const TIME: Duration = Duration::from_millis(30);
    let (lock, condition) = (Arc::new(Lock::new(0)), Condition::new());
    thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                let start = Instant::now();
                let (mut guard, notified) = condition.wait_timeout(lock.lock(), TIME);
                assert!(!notified && start.elapsed() >= TIME);
                assert!(lock.try_lock().is_none());
                *guard += 1;
            });
        }
    });
    assert_eq!(*lock.lock(), 5);
    let (guard, notified) =
        lasts(TIME, || condition.wait_deadline(lock.lock_owned(), Instant::now() + TIME));
    assert!(!notified && lock.is_locked());
    let (guard, let_go) = lasts(TIME, || condition.wait_while_timeout(guard, |_| true, TIME));
    assert!(!let_go && lock.is_locked());
    let (guard, let_go) =
        lasts(TIME, || condition.wait_while_deadline(guard, |_| true, Instant::now() + TIME));
    assert!(!let_go && lock.is_locked());
    drop(guard);
    assert!(is_free(&lock));
    assert_eq!(condition.waiting(), 0);
}

#[test]
fn a_wait_without_time_lets_go_of_the_lock_and_returns() {
    let (lock, condition) = (Lock::new(()), Condition::new());
    let past = Instant::now();
    let guard = lock.lock();
    let (guard, notified) = condition.wait_timeout(guard, Duration::ZERO);
    assert!(!notified);
    let (guard, notified) = condition.wait_deadline(guard, past);
    assert!(!notified);
    let (guard, let_go) = condition.wait_while_timeout(guard, |()| true, Duration::ZERO);
    assert!(!let_go);
    let (guard, let_go) = condition.wait_while_deadline(guard, |()| true, past);
    assert!(!let_go);
    // What holds already beats a deadline that has passed.
    let (guard, let_go) = condition.wait_while_timeout(guard, |()| false, Duration::ZERO);
    assert!(let_go);
    let (guard, let_go) = condition.wait_while_deadline(guard, |()| false, past);
    assert!(let_go && lock.is_locked());
    drop(guard);
    assert!(is_free(&lock));
    assert_eq!(condition.waiting(), 0);
}

#[test]
fn a_timeout_beyond_the_clock_waits_for_ever() {
    let (lock, condition) = (Lock::new(false), Condition::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            let (guard, notified) = condition.wait_timeout(lock.lock(), Duration::MAX);
            assert!(notified && *guard);
        });
        scope.spawn(|| {
            let (guard, let_go) =
                condition.wait_while_timeout(lock.lock(), |go| !*go, Duration::MAX);
            assert!(let_go && *guard);
        });
        eventually("both wait", || condition.waiting() == 2);
        *lock.lock() = true;
        assert_eq!(condition.notify_all(), 2);
    });
}

#[test]
fn a_notification_while_the_lock_is_held_past_the_deadline_is_reported() {
    const TIME: Duration = Duration::from_millis(50);
    let (lock, condition) = (Lock::new(()), Condition::new());
    thread::scope(|scope| {
        let waiter = scope.spawn(|| condition.wait_timeout(lock.lock(), TIME).1);
        eventually("it waits", || condition.waiting() == 1 || waiter.is_finished());
        let guard = lock.lock();
        let notified = condition.notify_one();
        let_pass(2 * TIME);
        drop(guard);
        assert_eq!(waiter.join().unwrap(), notified);
    });
}

#[test]
fn every_notification_that_was_delivered_was_received() {
    let (lock, condition) = (Lock::new(()), Condition::new());
    let (received, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for seed in 0..4 {
            let (lock, condition, received, finished) = (&lock, &condition, &received, &finished);
            scope.spawn(move || {
                let mut random = Random(seed);
                for _ in 0..500 {
                    let timeout = Duration::from_micros(random.next() % 100);
                    let (_guard, notified) = condition.wait_timeout(lock.lock(), timeout);
                    received.fetch_add(usize::from(notified), Ordering::SeqCst);
                }
                finished.fetch_add(1, Ordering::SeqCst);
            });
        }
        let mut delivered = 0;
        while finished.load(Ordering::SeqCst) < 4 {
            delivered += usize::from(condition.notify_one()) + condition.notify(2);
            thread::yield_now();
        }
        assert_eq!(received.load(Ordering::SeqCst), delivered);
    });
    assert_eq!(condition.waiting(), 0);
}

#[test]
fn wait_while_returns_when_its_predicate_lets_go_and_not_before() {
    for face in Face::ALL {
        let (lock, condition) = (Lock::new(0), Condition::new());
        let looks = AtomicUsize::new(0);
        thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                let guard = face.wait_while(&condition, face.lock(&lock), |value| {
                    looks.fetch_add(1, Ordering::SeqCst);
                    *value < 4
                });
                *guard
            });
            for look in 1..=4 {
                eventually("it waits", || condition.waiting() == 1);
                assert_eq!(looks.load(Ordering::SeqCst), look);
                *lock.lock() += 1;
                assert!(condition.notify_one());
            }
            assert_eq!(waiter.join().unwrap(), 4);
        });
        assert_eq!(looks.into_inner(), 5);
    }
}

#[test]
fn wait_while_has_one_timeout_and_not_one_per_notification() {
    const TIME: Duration = Duration::from_millis(30);
    let (lock, condition, over) = (Lock::new(()), Condition::new(), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut looks_late = 0;
            let deadline = Instant::now() + TIME;
            let predicate = |(): &mut ()| {
                looks_late += usize::from(Instant::now() > deadline);
                true
            };
            let wait = || condition.wait_while_deadline(lock.lock(), predicate, deadline).1;
            assert!(!wait() && Instant::now() >= deadline);
            // One after a wait that was over just in time, and one after the last.
            assert!(looks_late <= 2, "{looks_late} looks after the deadline");
            over.store(true, Ordering::SeqCst);
        });
        // Never a pause of that length between two notifications.
        eventually("the waiter gives up", || {
            condition.notify_one();
            over.load(Ordering::SeqCst)
        });
    });
}

#[test]
fn wait_while_releases_the_lock_if_the_drop_of_its_predicate_panics() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::panic_any("dropped");
        }
    }
    let (lock, condition) = (Lock::new(()), Condition::new());
    for lets_go in [true, false] {
        let bomb = Bomb;
        let predicate = move |(): &mut ()| {
            let _held = &bomb;
            !lets_go
        };
        assert!(panics(|| condition.wait_while_timeout(lock.lock(), predicate, Duration::ZERO)));
        assert!(is_free(&lock));
    }
    for waits in [true, false] {
        let bomb = Bomb;
        let mut lets_go = !waits;
        let predicate = move |(): &mut ()| {
            let _held = &bomb;
            !std::mem::replace(&mut lets_go, true)
        };
        let task = async {
            let guard = condition.wait_while_async(lock.lock_async().await, predicate).await;
            unreachable!("{guard:?}");
        };
        let mut task = Box::pin(task);
        if waits {
            assert!(poll_once(task.as_mut()).is_pending());
            assert!(condition.notify_one());
        }
        assert!(panics(|| poll_once(task.as_mut())));
        assert!(is_free(&lock));
    }
}

struct Panicking;

impl Wake for Panicking {
    fn wake(self: Arc<Self>) {
        std::panic::panic_any("woken");
    }
}

/// A notification that comes too late is passed on to a task whose waker panics.
#[test]
fn wait_while_releases_the_lock_if_what_it_passes_on_panics() {
    let waker = Waker::from(Arc::new(Panicking));
    let was_in_time = |time| {
        let (lock, condition) = (Lock::new(()), Condition::new());
        let deadline = Instant::now() + time;
        thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                panics(|| condition.wait_while_deadline(lock.lock(), |()| true, deadline))
            });
            eventually("it waits, or is over", || condition.waiting() == 1 || waiter.is_finished());
            let mut next = pin!(condition.wait_async(lock.lock()));
            assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            let guard = lock.lock();
            // The waiter, if it is still there.
            let was_in_time = !panics(|| condition.notify_one());
            eventually("the deadline passes", || Instant::now() > deadline);
            drop(guard);
            let panicked = waiter.join().unwrap();
            assert!(lock.try_lock().is_some());
            assert!(panicked || !was_in_time);
            was_in_time
        })
    };
    assert!([20, 200, 2_000, 20_000].into_iter().any(|ms| was_in_time(Duration::from_millis(ms))));
}

#[test]
fn wait_while_looks_once_more_when_its_time_is_over() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    let (guard, let_go) = condition.wait_while_timeout(
        lock.lock(),
        |looks| {
            *looks += 1;
            *looks < 2
        },
        Duration::from_millis(1),
    );
    assert!(let_go);
    assert_eq!(*guard, 2);
}

#[test]
fn wait_while_keeps_the_lock_if_there_is_nothing_to_wait_for() {
    for face in Face::ALL {
        let (lock, condition) = (Lock::new(1), Condition::new());
        let guard = face.lock(&lock);
        let mut newcomer = pin!(lock.lock_async());
        assert!(poll_once(newcomer.as_mut()).is_pending());
        let guard = face.wait_while(&condition, guard, |value| {
            *value += 1;
            false
        });
        assert_eq!(lock.waiting(), 1, "the newcomer has not been woken");
        drop(guard);
        let Poll::Ready(guard) = poll_once(newcomer) else { panic!("it is free") };
        assert_eq!(*guard, 2);
    }
}

#[test]
fn waiters_resume_one_at_a_time_each_with_the_lock() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    let mut waiters = register(&condition, &lock, 3);
    let guard = lock.try_lock().expect("it is free while all wait");
    assert_eq!(condition.notify_all(), 3);
    for (_, waiter) in &mut waiters {
        assert!(poll_once(waiter.as_mut()).is_pending(), "the notifier has the lock");
    }
    assert_eq!((condition.waiting(), lock.waiting()), (0, 3));
    drop(guard);
    for resumed in 0..3 {
        let Poll::Ready(mut guard) = poll_once(waiters[0].1.as_mut()) else {
            panic!("the lock is free")
        };
        assert_eq!(*guard, resumed);
        *guard += 1;
        for (_, waiter) in &mut waiters[1..] {
            assert!(poll_once(waiter.as_mut()).is_pending());
        }
        drop(guard);
        drop(waiters.remove(0));
    }
    assert!(is_free(&lock));
}

#[test]
fn a_wait_that_was_not_notified_stays_pending_however_often_it_is_polled() {
    let (lock, condition) = (Lock::new(()), Condition::new());
    let mut waiters = register(&condition, &lock, 2);
    for _ in 0..10 {
        for (counter, waiter) in &mut waiters {
            assert!(counter.poll(waiter.as_mut()).is_pending());
        }
    }
    assert_eq!((condition.waiting(), wakes(&waiters)), (2, vec![0, 0]));
    assert!(condition.notify_one());
    assert!(poll_once(waiters[1].1.as_mut()).is_pending());
    assert!(poll_once(waiters[0].1.as_mut()).is_ready());
}

#[test]
fn an_unpolled_wait_keeps_the_lock_and_a_polled_one_holds_nothing() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    let mut wait = Box::pin(condition.wait_async(lock.lock()));
    let wait_while = |guard| Box::pin(condition.wait_while_async(guard, |_| true));
    assert!(lock.is_locked());
    assert!(!condition.notify_one(), "unpolled, it does not wait");
    assert!(poll_once(wait.as_mut()).is_pending());
    assert_eq!((lock.is_locked(), condition.waiting()), (false, 1));
    let mut waiting = wait_while(lock.lock());
    assert!(lock.is_locked());
    assert!(poll_once(waiting.as_mut()).is_pending());
    assert_eq!((lock.is_locked(), condition.waiting()), (false, 2));
    drop((wait, waiting));
    assert!(is_free(&lock));
    assert_eq!(condition.waiting(), 0);

    drop(condition.wait_async(lock.lock()));
    assert!(is_free(&lock));
    drop(wait_while(lock.lock()));
    assert!(is_free(&lock));
}

#[test]
fn a_task_that_gives_up_holds_nothing_and_a_thread_has_the_lock_again() {
    const TIME: Duration = Duration::from_millis(5);
    let (lock, condition) = (Lock::new(()), Condition::new());
    assert!(block_on_timeout(condition.wait_async(lock.lock()), TIME).is_err());
    assert!(is_free(&lock));
    {
        let (_guard, notified) = condition.wait_timeout(lock.lock(), TIME);
        assert!(!notified && lock.is_locked());
    }
    assert!(is_free(&lock));
    assert_eq!(condition.waiting(), 0);
}

#[test]
fn a_notified_wait_that_is_dropped_notifies_another() {
    let (lock, condition) = (Lock::new(()), Condition::new());
    let mut waiters = register(&condition, &lock, 3);
    assert!(condition.notify_one());
    drop(waiters.remove(0));
    assert_eq!(wakes(&waiters), [1, 0]);
    // The same with a notification that has been passed on before, and of `notify`.
    drop(waiters.remove(0));
    assert_eq!(wakes(&waiters), [1]);
    waiters.extend(register(&condition, &lock, 2));
    assert_eq!(condition.notify(1), 1);
    drop(waiters.remove(1));
    assert_eq!(wakes(&waiters), [1, 1]);
    for (_, waiter) in &mut waiters {
        assert!(poll_once(waiter.as_mut()).is_ready());
    }
    assert_eq!(condition.waiting(), 0);
}

#[test]
fn a_wait_dropped_while_it_takes_the_lock_again_notifies_another() {
    let (lock, condition) = (Lock::new(()), Condition::new());
    let mut waiters = register(&condition, &lock, 2);
    let guard = lock.lock();
    assert!(condition.notify_one());
    let (counter, waiter) = &mut waiters[0];
    assert!(counter.poll(waiter.as_mut()).is_pending());
    assert_eq!((lock.waiting(), condition.waiting()), (1, 1));
    drop(waiters.remove(0));
    assert_eq!((lock.waiting(), condition.waiting()), (0, 0));
    assert_eq!(wakes(&waiters), [1]);
    drop(guard);
    assert!(poll_once(waiters[0].1.as_mut()).is_ready());
}

#[test]
fn a_wait_dropped_with_the_lock_woken_for_it_passes_on_both() {
    let (lock, condition) = (Lock::new(()), Condition::new());
    let mut waiters = register(&condition, &lock, 2);
    let guard = lock.lock();
    assert!(condition.notify_one());
    let (counter, waiter) = &mut waiters[0];
    assert!(counter.poll(waiter.as_mut()).is_pending());
    let behind = Counter::new();
    let mut locker = pin!(lock.lock_async());
    assert!(behind.poll(locker.as_mut()).is_pending());
    drop(guard);
    assert_eq!((waiters[0].0.wakes(), behind.wakes()), (2, 0));
    drop(waiters.remove(0));
    assert_eq!((wakes(&waiters), behind.wakes()), (vec![1], 1));
    let Poll::Ready(guard) = behind.poll(locker) else { panic!("it is free") };
    drop(guard);
    assert!(poll_once(waiters[0].1.as_mut()).is_ready());
}

#[test]
fn victims_of_notify_all_pass_nothing_on() {
    let (lock, condition) = (Lock::new(()), Condition::new());
    let mut victims = register(&condition, &lock, 3);
    assert_eq!(condition.notify_all(), 3);
    let late = register(&condition, &lock, 1);
    drop(victims.pop());
    let guard = lock.lock();
    assert!(poll_once(victims[1].1.as_mut()).is_pending());
    drop(victims);
    drop(guard);
    assert_eq!((wakes(&late), condition.waiting()), (vec![0], 1));
    assert!(is_free(&lock));
}

#[test]
fn a_dropped_notification_reaches_a_waiter_of_each_face() {
    for face in Face::ALL {
        let (lock, condition) = (Lock::new(()), Condition::new());
        let mut first = register(&condition, &lock, 1);
        thread::scope(|scope| {
            scope.spawn(|| drop(face.notified(&condition, face.lock(&lock))));
            eventually("it waits behind", || condition.waiting() == 2);
            assert!(condition.notify_one());
            first.clear();
        });
        assert_eq!(condition.waiting(), 0);
    }
}

#[test]
fn a_second_lock_panics_and_leaves_everything_as_it_was() {
    for face in Face::ALL {
        let (lock, condition) = (Arc::new(Lock::new(0)), Condition::new());
        let other = Arc::new(Lock::new(0));
        let mut waiters = register(&condition, &lock, 1);
        assert!(panics(|| drop(face.notified(&condition, other.lock()))));
        assert!(panics(|| drop(face.notified(&condition, other.lock_owned()))));
        assert!(panics(|| drop(face.wait_while(&condition, other.lock(), |_| true))));
        assert!(panics(|| drop(condition.wait_timeout(other.lock(), Duration::ZERO))));
        assert!(is_free(&other), "the guard is gone");
        assert_eq!(Arc::strong_count(&other), 1);
        // What does not wait is not misuse.
        drop(face.wait_while(&condition, other.lock(), |_| false));
        assert_eq!((condition.waiting(), wakes(&waiters)), (1, vec![0]));
        // The first lock is still the one, under both kinds of guards.
        let mut owned = Box::pin(condition.wait_async(lock.lock_owned()));
        assert!(poll_once(owned.as_mut()).is_pending());
        assert_eq!(condition.notify_all(), 2);
        assert!(poll_once(waiters[0].1.as_mut()).is_ready());
        assert!(poll_once(owned.as_mut()).is_ready());
        // Nobody waits any more: another lock may be used.
        thread::scope(|scope| {
            scope.spawn(|| drop(face.notified(&condition, other.lock())));
            eventually("it waits", || condition.waiting() == 1);
            assert!(panics(|| drop(face.notified(&condition, lock.lock()))));
            assert!(condition.notify_one());
        });
        assert!(is_free(&lock) && is_free(&other));
    }
}

#[test]
fn a_panicking_predicate_releases_the_lock_and_takes_no_notification() {
    for face in Face::ALL {
        let (lock, condition) = (Lock::new(()), Condition::new());
        let waiters = register(&condition, &lock, 1);
        assert!(panics(|| {
            drop(face.wait_while(&condition, face.lock(&lock), |()| panic!("at first sight")));
        }));
        assert!(is_free(&lock));
        assert_eq!((condition.waiting(), wakes(&waiters)), (1, vec![0]));
    }
}

#[test]
fn a_panicking_predicate_passes_its_notification_on_and_releases_the_lock() {
    for face in Face::ALL {
        let (lock, condition) = (Lock::new(0), Condition::new());
        let mut waiters = Vec::new();
        thread::scope(|scope| {
            let wait = || {
                let predicate = |looks: &mut i32| {
                    *looks += 1;
                    assert!(*looks < 2, "at second sight");
                    true
                };
                panics(|| drop(face.wait_while(&condition, face.lock(&lock), predicate)))
            };
            let panicking = scope.spawn(wait);
            eventually("it waits", || condition.waiting() == 1);
            waiters = register(&condition, &lock, 1);
            assert!(condition.notify_one());
            assert!(panicking.join().unwrap());
        });
        assert!(is_free(&lock));
        assert_eq!((condition.waiting(), wakes(&waiters)), (0, vec![1]));
        assert!(poll_once(waiters[0].1.as_mut()).is_ready());
    }
}

#[test]
fn a_finished_future_says_so_and_panics_when_polled() {
    let (lock, condition) = (Lock::new(()), Condition::new());
    let mut wait = pin!(condition.wait_async(lock.lock()));
    assert!(!wait.is_terminated());
    assert!(poll_once(wait.as_mut()).is_pending());
    condition.notify_one();
    assert!(!wait.is_terminated());
    assert!(poll_once(wait.as_mut()).is_ready());
    assert!(wait.is_terminated());
    assert!(panics(|| poll_once(wait.as_mut())));

    let mut wait_while = pin!(condition.wait_while_async(lock.lock(), |()| false));
    assert!(!wait_while.is_terminated());
    assert!(poll_once(wait_while.as_mut()).is_ready());
    assert!(wait_while.is_terminated());
    assert!(panics(|| poll_once(wait_while.as_mut())));
    assert!(is_free(&lock));
}

#[test]
fn the_last_waker_is_the_one_that_is_woken_in_both_halves_of_the_wait() {
    let (lock, condition) = (Lock::new(()), Condition::new());
    let counters: Vec<_> = (0..4).map(|_| Counter::new()).collect();
    let mut wait = pin!(condition.wait_async(lock.lock()));
    assert!(counters[0].poll(wait.as_mut()).is_pending());
    assert!(counters[1].poll(wait.as_mut()).is_pending());
    let guard = lock.lock();
    assert!(condition.notify_one());
    assert!(counters[2].poll(wait.as_mut()).is_pending());
    assert!(counters[3].poll(wait.as_mut()).is_pending());
    drop(guard);
    let wakes: Vec<_> = counters.iter().map(|counter| counter.wakes()).collect();
    assert_eq!(wakes, [0, 1, 0, 1]);
    assert!(poll_once(wait).is_ready());
    assert!(counters.iter().all(|counter| Arc::strong_count(counter) == 1));
}

#[test]
fn tasks_of_one_executor_hand_a_turn_around() {
    let (turn, changed, order) = (Lock::new(0), Condition::new(), RefCell::new(Vec::new()));
    let player = async |name: usize| {
        for _ in 0..3 {
            let guard = turn.lock_async().await;
            let mut turn = changed.wait_while_async(guard, |turn| *turn != name).await;
            order.borrow_mut().push(name);
            *turn = (*turn + 1) % 4;
            changed.notify_all();
        }
    };
    block_on(join_all((0..4).map(player)));
    assert_eq!(order.into_inner(), [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
}

#[test]
fn all_faces_hand_a_turn_around() {
    const ROUNDS: usize = 100;
    for cast in Face::casts(6) {
        let (turn, changed) = (Arc::new(Lock::new(0)), Condition::new());
        thread::scope(|scope| {
            for (name, face) in cast.into_iter().enumerate() {
                let (turn, changed) = (&turn, &changed);
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        let mine = round * 6 + name;
                        if round % 2 == 0 {
                            let guard = face.lock(turn);
                            *face.wait_while(changed, guard, |turn| *turn != mine) += 1;
                        } else {
                            let guard = face.lock_owned(turn);
                            *face.wait_while(changed, guard, |turn| *turn != mine) += 1;
                        }
                        changed.notify_all();
                    }
                });
            }
        });
        assert_eq!(*turn.lock(), 6 * ROUNDS);
        assert_eq!(changed.waiting(), 0);
    }
}

#[test]
fn one_notification_per_item_is_enough_for_all_faces() {
    const ITEMS: usize = 3_000;
    let (stock, changed, taken) = (Lock::new(0), Condition::new(), AtomicUsize::new(0));
    thread::scope(|scope| {
        for face in Face::ALL.into_iter().cycle().take(6) {
            let (stock, changed, taken) = (&stock, &changed, &taken);
            scope.spawn(move || {
                for _ in 0..ITEMS / 6 {
                    *face.wait_while(changed, face.lock(stock), |stock| *stock == 0) -= 1;
                    taken.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for _ in 0..ITEMS {
            *stock.lock() += 1;
            changed.notify_one();
        }
    });
    assert_eq!((taken.into_inner(), *stock.lock(), changed.waiting()), (ITEMS, 0, 0));
}
