//! What `Lock` promises, in each face and with all faces on one lock.

#![cfg(not(loom))]

mod common;

use bifrons::{Lock, LockGuard, MappedLockGuard, OwnedLockGuard, block_on};
use common::{Counter, Face, LONG, eventually, lasts, let_pass, panics, poll_once};
use futures::future::FusedFuture;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

/// Counts how often it is dropped.
struct CountDrop<'a>(&'a AtomicUsize);

impl Drop for CountDrop<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn is_free<T>(lock: &Lock<T>) -> bool {
    !lock.is_locked() && lock.waiting() == 0 && lock.try_lock().is_some()
}

#[test]
fn an_unused_lock_is_dropped_with_its_value() {
    let drops = AtomicUsize::new(0);
    drop(Lock::new(CountDrop(&drops)));
    assert_eq!(drops.load(Ordering::SeqCst), 1);
}

#[test]
fn a_lock_whose_guard_was_forgotten_is_dropped_with_its_value() {
    let drops = AtomicUsize::new(0);
    let lock = Lock::new(CountDrop(&drops));
    std::mem::forget(lock.lock());
    assert!(lock.is_locked());
    drop(lock);
    assert_eq!(drops.load(Ordering::SeqCst), 1);
}

#[test]
fn an_owned_guard_outlives_every_other_handle() {
    for face in Face::ALL {
        let drops = AtomicUsize::new(0);
        let lock = Arc::new(Lock::new(CountDrop(&drops)));
        let guard = face.lock_owned(&lock);
        assert!(Arc::ptr_eq(OwnedLockGuard::lock(&guard), &lock));
        drop(lock);
        assert_eq!(drops.load(Ordering::SeqCst), 0);
        drop(guard);
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn debug_shows_value_holder_and_waiters() {
    let lock = Lock::new(5);
    assert_eq!(format!("{lock:?}"), "Lock { locked: false, data: 5, waiting: 0 }");
    let guard = lock.lock();
    let mut waiter = Box::pin(lock.lock_async());
    assert!(poll_once(waiter.as_mut()).is_pending());
    assert_eq!(format!("{lock:?}"), "Lock { locked: true, data: <locked>, waiting: 1 }");
    assert!(format!("{waiter:?}").contains("Queued"), "{waiter:?}");
    assert_eq!(format!("{guard:?} {guard}"), "5 5");
    drop((waiter, guard));
    assert_eq!(format!("{lock:?}"), "Lock { locked: false, data: 5, waiting: 0 }");
    let mapped = LockGuard::map(lock.lock(), |value| value);
    assert_eq!(format!("{mapped:?} {mapped}"), "5 5");
    let owned = Arc::new(Lock::new(6)).lock_owned();
    assert_eq!(format!("{owned:?} {owned}"), "6 6");
}

#[test]
fn a_lock_is_made_of_a_value_and_gives_it_back() {
    static IN_A_STATIC: Lock<u32> = Lock::new(1);
    *IN_A_STATIC.lock() += 1;
    assert_eq!(*IN_A_STATIC.lock(), 2);

    assert_eq!(Lock::<u32>::default().into_inner(), 0);
    let mut lock = Lock::from(3);
    *lock.get_mut() += 1;
    assert_eq!(lock.into_inner(), 4);
}

#[test]
fn the_value_may_be_unsized() {
    let slice: &Lock<[u8]> = &Lock::new([1, 2, 3]);
    slice.lock()[0] = 4;
    assert_eq!(block_on(slice.lock_async()).len(), 3);
    let shown: Arc<Lock<dyn std::fmt::Display + Send>> = Arc::new(Lock::new(7));
    assert_eq!(shown.lock().to_string(), "7");
    assert_eq!(shown.lock_owned().to_string(), "7");
    assert_eq!(block_on(shown.lock_owned_async()).to_string(), "7");
}

#[test]
fn each_face_takes_and_releases_a_free_lock() {
    let lock = Arc::new(Lock::new(0));
    for face in Face::ALL {
        let mut guard = face.lock(&lock);
        assert!(lock.is_locked());
        assert!(std::ptr::eq(LockGuard::lock(&guard), &raw const *lock));
        *guard += 1;
        drop(guard);
        assert!(is_free(&lock));
        let mut guard = face.lock_owned(&lock);
        assert!(lock.is_locked());
        *guard += 1;
        drop(guard);
        assert!(is_free(&lock));
    }
    *lock.lock_deadline(Instant::now() + LONG).unwrap() += 1;
    *lock.lock_owned_deadline(Instant::now() + LONG).unwrap() += 1;
    *lock.try_lock_owned().unwrap() += 1;
    assert_eq!(*lock.try_lock().unwrap(), 9);
}

#[test]
fn a_held_lock_refuses_a_try_from_anywhere_without_waiting() {
    let lock = Arc::new(Lock::new(()));
    for face in Face::ALL {
        let guard = face.lock(&lock);
        let refuses = || {
            lock.try_lock().is_none()
                && lock.try_lock_owned().is_none()
                && lock.lock_timeout(Duration::ZERO).is_err()
                && lock.lock_owned_timeout(Duration::ZERO).is_err()
                && lock.lock_deadline(Instant::now()).is_err()
                && lock.lock_owned_deadline(Instant::now()).is_err()
        };
        assert!(refuses());
        assert!(block_on(async { refuses() }));
        thread::scope(|scope| assert!(scope.spawn(refuses).join().unwrap()));
        assert_eq!(lock.waiting(), 0);
        drop(guard);
        assert!(is_free(&lock));
    }
}

#[test]
fn five_waiters_stay_out_while_it_is_held_and_then_pass_in_turn() {
    for cast in Face::casts(5) {
        for holder in Face::ALL {
            let (lock, inside) = (Lock::new(0), AtomicBool::new(false));
            thread::scope(|scope| {
                let guard = holder.lock(&lock);
                for face in cast.iter().copied() {
                    let (lock, inside) = (&lock, &inside);
                    scope.spawn(move || {
                        let mut guard = face.lock(lock);
                        assert!(!inside.swap(true, Ordering::SeqCst));
                        *guard += 1;
                        thread::yield_now();
                        assert!(inside.swap(false, Ordering::SeqCst));
                    });
                }
                eventually("all five wait", || lock.waiting() == 5);
                assert_eq!(*guard, 0);
                assert!(lock.try_lock().is_none());
                drop(guard);
            });
            assert!(is_free(&lock));
            assert_eq!(lock.into_inner(), 5);
        }
    }
}

#[test]
fn all_faces_on_one_lock_lose_no_update() {
    const ROUNDS: usize = 2_000;
    let lock = Arc::new(Lock::new(0));
    thread::scope(|scope| {
        for face in Face::ALL {
            let lock = &lock;
            scope.spawn(move || (0..ROUNDS).for_each(|_| *face.lock(lock) += 1));
            scope.spawn(move || (0..ROUNDS).for_each(|_| *face.lock_owned(lock) += 1));
        }
    });
    assert!(is_free(&lock));
    assert_eq!(*lock.lock(), 6 * ROUNDS);
}

#[test]
fn a_panicking_holder_releases_and_poisons_nothing() {
    let lock = Arc::new(Lock::new(0));
    for face in Face::ALL {
        for waiter in Face::ALL {
            thread::scope(|scope| {
                let guard = face.lock(&lock);
                let waiting = scope.spawn(|| *waiter.lock(&lock) += 1);
                eventually("it waits", || lock.waiting() == 1);
                assert!(panics(move || {
                    let _guard = guard;
                    panic!("in a holder");
                }));
                waiting.join().unwrap();
            });
        }
        assert!(panics(|| {
            let _guard = face.lock_owned(&lock);
            panic!("in a holder");
        }));
        assert!(panics(|| {
            let _guard = LockGuard::map(face.lock(&lock), |value| value);
            panic!("in a holder");
        }));
        assert!(panics(|| LockGuard::map(face.lock(&lock), |_| -> &mut u8 { panic!("in map") })));
        assert!(panics(|| {
            let mapped = LockGuard::map(face.lock(&lock), |value| value);
            MappedLockGuard::filter_map(mapped, |_| -> Option<&mut u8> { panic!("in filter_map") })
        }));
        assert!(is_free(&lock));
    }
    assert_eq!(*lock.lock(), 9);
}

#[test]
fn a_free_lock_is_had_at_once_whatever_the_deadline() {
    let lock = Arc::new(Lock::new(()));
    let now = Instant::now();
    for timeout in [Duration::ZERO, Duration::from_secs(5), LONG, Duration::MAX] {
        assert!(lock.lock_timeout(timeout).is_ok());
        assert!(lock.lock_owned_timeout(timeout).is_ok());
    }
    for deadline in [now, now.checked_sub(Duration::from_secs(1)).unwrap_or(now), now + LONG] {
        assert!(lock.lock_deadline(deadline).is_ok());
        assert!(lock.lock_owned_deadline(deadline).is_ok());
    }
    assert!(now.elapsed() < Duration::from_secs(5), "something waited");
}

#[test]
fn a_timed_wait_lasts_and_leaves_the_lock_as_it_was() {
    const TIME: Duration = Duration::from_millis(30);
    let lock = Arc::new(Lock::new(()));
    for holder in Face::ALL {
        let guard = holder.lock(&lock);
        lasts(TIME, || assert!(lock.lock_timeout(TIME).is_err()));
        lasts(TIME, || assert!(lock.lock_deadline(Instant::now() + TIME).is_err()));
        lasts(TIME, || assert!(lock.lock_owned_timeout(TIME).is_err()));
        lasts(TIME, || assert!(lock.lock_owned_deadline(Instant::now() + TIME).is_err()));
        assert_eq!(lock.waiting(), 0);
        assert!(lock.is_locked());
        drop(guard);
        assert!(is_free(&lock));
        drop(holder.lock(&lock));
    }
}

#[test]
fn one_that_gives_up_stops_nobody_behind_it() {
    for face in Face::ALL {
        let lock = Lock::new(());
        let guard = lock.lock();
        thread::scope(|scope| {
            let impatient = scope.spawn(|| lock.lock_timeout(Duration::from_millis(20)).is_err());
            eventually("it waits", || lock.waiting() == 1 || impatient.is_finished());
            let behind = scope.spawn(|| drop(face.lock(&lock)));
            assert!(impatient.join().unwrap());
            eventually("one is left", || lock.waiting() == 1);
            drop(guard);
            behind.join().unwrap();
        });
        assert!(is_free(&lock));
    }
}

#[test]
fn a_timeout_beyond_the_clock_waits_for_ever() {
    let lock = Arc::new(Lock::new(()));
    let guard = lock.lock();
    thread::scope(|scope| {
        scope.spawn(|| lock.lock_timeout(Duration::MAX).map(drop).unwrap());
        scope.spawn(|| lock.lock_owned_timeout(Duration::MAX).map(drop).unwrap());
        eventually("both wait", || lock.waiting() == 2);
        drop(guard);
    });
    assert!(is_free(&lock));
}

#[test]
fn the_same_thread_locking_twice_waits_until_another_releases() {
    for face in Face::ALL {
        let lock = Arc::new(Lock::new(()));
        let guard = face.lock_owned(&lock);
        let other = Arc::clone(&lock);
        let releaser = thread::spawn(move || {
            eventually("it waits for itself", || other.waiting() == 1);
            drop(guard);
        });
        drop(face.lock(&lock));
        releaser.join().unwrap();
    }
}

#[test]
fn a_guard_may_be_dropped_by_another_thread() {
    let lock = Lock::new(0);
    for face in Face::ALL {
        let mut guard = face.lock(&lock);
        let mapped = thread::scope(|scope| {
            scope
                .spawn(move || {
                    *guard += 1;
                    LockGuard::map(guard, |value| value)
                })
                .join()
                .unwrap()
        });
        assert!(lock.is_locked());
        thread::scope(|scope| drop(scope.spawn(move || drop(mapped))));
        assert!(is_free(&lock));
    }
    assert_eq!(lock.into_inner(), 3);
}

#[test]
fn a_mapped_guard_holds_the_lock_until_it_is_dropped() {
    let lock = Lock::new((1, [2, 3]));
    let counter = Counter::new();
    let mut waiter = pin!(lock.lock_async());
    let array = LockGuard::map(lock.lock(), |pair| &mut pair.1);
    assert!(counter.poll(waiter.as_mut()).is_pending());
    let slice = MappedLockGuard::map(array, |array| &mut array[..]);
    let mut last = MappedLockGuard::filter_map(slice, |slice| slice.last_mut()).unwrap();
    *last = 4;
    assert!(lock.try_lock().is_none());
    assert_eq!(counter.wakes(), 0);
    drop(last);
    assert_eq!(counter.wakes(), 1);
    let Poll::Ready(guard) = counter.poll(waiter.as_mut()) else { panic!("it is free") };
    assert_eq!(*guard, (1, [2, 4]));
}

#[test]
fn a_filter_that_finds_nothing_gives_the_guard_back() {
    let lock = Lock::new((1, vec![0_u8; 0]));
    let whole = LockGuard::filter_map(lock.lock(), |pair| pair.1.first_mut());
    let Err(mut whole) = whole else { panic!("there is no first") };
    whole.0 = 2;
    let Ok(part) = LockGuard::filter_map(whole, |pair| Some(&mut pair.1)) else {
        panic!("there is a vector")
    };
    let Err(mut part) = MappedLockGuard::filter_map(part, |part| part.first_mut()) else {
        panic!("there is no first")
    };
    part.push(3);
    assert!(lock.is_locked());
    drop(part);
    assert!(is_free(&lock));
    assert_eq!(*lock.lock(), (2, vec![3]));
}

#[test]
fn a_future_waits_from_its_first_poll_until_it_is_dropped() {
    let lock = Arc::new(Lock::new(()));
    let guard = lock.lock();
    let mut borrowed = Box::pin(lock.lock_async());
    let mut owned = Box::pin(lock.lock_owned_async());
    assert_eq!(lock.waiting(), 0);
    for _ in 0..3 {
        assert!(poll_once(borrowed.as_mut()).is_pending());
        assert!(poll_once(owned.as_mut()).is_pending());
        assert_eq!(lock.waiting(), 2);
    }
    drop(borrowed);
    assert_eq!(lock.waiting(), 1);
    drop(owned);
    assert_eq!(lock.waiting(), 0);
    drop(lock.lock_async());
    drop(guard);
    assert!(is_free(&lock));
}

#[test]
fn a_finished_future_says_so_and_panics_when_polled() {
    let lock = Arc::new(Lock::new(()));
    let mut borrowed = pin!(lock.lock_async());
    assert!(!borrowed.is_terminated());
    assert!(poll_once(borrowed.as_mut()).is_ready());
    assert!(borrowed.is_terminated());
    assert!(panics(|| poll_once(borrowed.as_mut())));
    let mut owned = pin!(lock.lock_owned_async());
    assert!(!owned.is_terminated());
    assert!(poll_once(owned.as_mut()).is_ready());
    assert!(owned.is_terminated());
    assert!(panics(|| poll_once(owned.as_mut())));
    assert!(is_free(&lock));
}

#[test]
fn a_woken_waiter_that_goes_away_passes_the_wake_up_on() {
    let lock = Lock::new(());
    let (first, second) = (Counter::new(), Counter::new());
    let guard = lock.lock();
    let mut leaver = Box::pin(lock.lock_async());
    let mut stayer = pin!(lock.lock_async());
    assert!(first.poll(leaver.as_mut()).is_pending());
    assert!(second.poll(stayer.as_mut()).is_pending());
    drop(guard);
    assert_eq!((first.wakes(), second.wakes(), lock.waiting()), (1, 0, 1));
    drop(leaver);
    assert_eq!((first.wakes(), second.wakes(), lock.waiting()), (1, 1, 0));
    assert!(second.poll(stayer).is_ready());
    assert!(is_free(&lock));
}

#[test]
fn a_newcomer_may_overtake_and_the_loser_keeps_its_place() {
    let lock = Lock::new(());
    let (first, second) = (Counter::new(), Counter::new());
    let mut guard = lock.lock();
    let mut head = pin!(lock.lock_async());
    let mut tail = pin!(lock.lock_async());
    assert!(first.poll(head.as_mut()).is_pending());
    assert!(second.poll(tail.as_mut()).is_pending());
    for round in 1..=100 {
        drop(guard);
        assert_eq!((first.wakes(), second.wakes()), (round, 0));
        guard = lock.try_lock().expect("it is free until the woken waiter comes");
        assert!(first.poll(head.as_mut()).is_pending());
        assert_eq!(lock.waiting(), 2);
    }
    drop(guard);
    let Poll::Ready(guard) = first.poll(head.as_mut()) else { panic!("it is free") };
    drop(guard);
    assert_eq!(second.wakes(), 1);
    assert!(second.poll(tail).is_ready());
}

#[test]
fn one_more_task_is_woken_every_32_unlocks() {
    let lock = Lock::new(());
    let counters: Vec<_> = (0..4).map(|_| Counter::new()).collect();
    let mut waiters: Vec<_> = (0..4).map(|_| Box::pin(lock.lock_async())).collect();
    let guard = lock.lock();
    for (counter, waiter) in counters.iter().zip(&mut waiters) {
        assert!(counter.poll(waiter.as_mut()).is_pending());
    }
    let wakes = || counters.iter().map(|counter| counter.wakes()).collect::<Vec<_>>();
    drop(guard);
    assert_eq!(wakes(), [1, 0, 0, 0]);
    // The woken ones are on their way, and nobody polls them.
    for expected in [[1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]] {
        let before = wakes();
        for _ in 1..32 {
            drop(lock.try_lock().unwrap());
            assert_eq!(wakes(), before, "one wake-up on its way is enough");
        }
        drop(lock.try_lock().unwrap());
        assert_eq!(wakes(), expected);
    }
    // Whoever is polled gets it, in any order.
    for waiter in waiters.iter_mut().rev() {
        assert!(poll_once(waiter.as_mut()).is_ready());
    }
    assert!(is_free(&lock));
}

/// Runs rounds, each longer than the one before, while `blocked` says that the thread still waits.
fn longer_and_longer(mut blocked: impl FnMut(Duration) -> bool) {
    let mut hold = Duration::from_millis(1);
    while blocked(hold) {
        hold *= 2;
        assert!(hold < LONG, "the thread's turn never came");
    }
}

#[test]
fn a_thread_passed_over_for_too_long_makes_newcomers_queue() {
    for round in 0..8 {
        let (lock, had_its_turn) = (Lock::new(()), AtomicBool::new(false));
        let counter = Counter::new();
        let mut first = pin!(lock.lock_async());
        thread::scope(|scope| {
            let mut guard = Some(lock.lock());
            assert!(counter.poll(first.as_mut()).is_pending());
            let face = [Face::Blocking, Face::Timed][round % 2];
            let (lock, had_its_turn) = (&lock, &had_its_turn);
            scope.spawn(move || {
                let _guard = face.lock(lock);
                had_its_turn.store(true, Ordering::SeqCst);
            });
            eventually("it waits behind the task", || lock.waiting() == 2);
            longer_and_longer(|hold| {
                let_pass(hold);
                let before = counter.wakes();
                drop(guard.take());
                // An unlock wakes the first: the task, or the thread once it has lost patience.
                let barred = counter.wakes() == before;
                guard = lock.try_lock();
                if guard.is_none() || had_its_turn.load(Ordering::SeqCst) {
                    return false;
                }
                assert!(!barred, "a newcomer has passed the thread over once more");
                assert!(counter.poll(first.as_mut()).is_pending());
                true
            });
        });
        assert!(had_its_turn.into_inner());
        assert!(poll_once(first).is_ready(), "the bar is gone with the thread");
        assert!(is_free(&lock));
    }
}

#[test]
fn impatient_threads_do_not_starve_a_task() {
    let (lock, stop, sections) = (Lock::new(()), AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let _guard = lock.lock();
                    let_pass(Duration::from_millis(2));
                    sections.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        eventually("the threads queue", || lock.waiting() == 3);
        let counter = Counter::new();
        let mut task = pin!(lock.lock_async());
        assert!(counter.poll(task.as_mut()).is_pending());
        let before = sections.load(Ordering::SeqCst);
        eventually("the task is woken", || counter.wakes() > 0);
        let passed_by = sections.load(Ordering::SeqCst) - before;
        stop.store(true, Ordering::SeqCst);
        assert!(passed_by < 200, "woken only after {passed_by} sections");
    });
    assert!(is_free(&lock));
}

#[test]
fn a_fair_unlock_reserves_the_lock_for_the_first_waiter() {
    let lock = Arc::new(Lock::new(0));
    let (first, second) = (Counter::new(), Counter::new());
    let mut head = Box::pin(lock.lock_async());
    let mut tail = Box::pin(lock.lock_owned_async());
    let guard = lock.lock();
    assert!(first.poll(head.as_mut()).is_pending());
    assert!(second.poll(tail.as_mut()).is_pending());
    LockGuard::unlock_fair(guard);
    assert_eq!((first.wakes(), second.wakes(), lock.waiting()), (1, 0, 1));
    assert!(lock.is_locked() && lock.try_lock().is_none(), "kept unpolled, it holds the lock");
    assert!(second.poll(tail.as_mut()).is_pending());
    let Poll::Ready(guard) = first.poll(head.as_mut()) else { panic!("it is its own") };
    LockGuard::unlock_fair(guard);
    assert_eq!(second.wakes(), 1);
    let Poll::Ready(guard) = second.poll(tail.as_mut()) else { panic!("it is its own") };
    OwnedLockGuard::unlock_fair(guard);
    assert!(is_free(&lock), "nobody waits: a plain unlock");
}

#[test]
fn a_reserved_lock_that_is_declined_goes_to_the_next() {
    let lock = Lock::new(());
    let counters: Vec<_> = (0..3).map(|_| Counter::new()).collect();
    let mut waiters: Vec<_> = (0..3).map(|_| Box::pin(lock.lock_async())).collect();
    let guard = lock.lock();
    for (counter, waiter) in counters.iter().zip(&mut waiters) {
        assert!(counter.poll(waiter.as_mut()).is_pending());
    }
    LockGuard::unlock_fair(guard);
    for counter in &counters {
        assert_eq!(counter.wakes(), 1);
        assert!(lock.try_lock().is_none());
        drop(waiters.remove(0));
    }
    assert!(is_free(&lock));
}

#[test]
fn a_fair_unlock_passes_by_whoever_was_woken_already() {
    let lock = Lock::new(());
    let (first, second) = (Counter::new(), Counter::new());
    let mut woken = pin!(lock.lock_async());
    let mut registered = pin!(lock.lock_async());
    let guard = lock.lock();
    assert!(first.poll(woken.as_mut()).is_pending());
    assert!(second.poll(registered.as_mut()).is_pending());
    drop(guard);
    LockGuard::unlock_fair(lock.try_lock().unwrap());
    assert_eq!((first.wakes(), second.wakes()), (1, 1));
    assert!(first.poll(woken.as_mut()).is_pending());
    let Poll::Ready(guard) = second.poll(registered) else { panic!("it is its own") };
    drop(guard);
    assert_eq!(first.wakes(), 2);
    assert!(first.poll(woken).is_ready());
}

#[test]
fn a_fair_unlock_serves_each_face() {
    let lock = Arc::new(Lock::new(0));
    for face in Face::ALL {
        let waits = || *face.lock(&lock) += 1;
        thread::scope(|scope| {
            let guard = lock.lock();
            scope.spawn(waits);
            eventually("it waits", || lock.waiting() == 1);
            LockGuard::unlock_fair(guard);
        });
        thread::scope(|scope| {
            let guard = lock.lock_owned();
            scope.spawn(waits);
            eventually("it waits", || lock.waiting() == 1);
            OwnedLockGuard::unlock_fair(guard);
        });
    }
    assert!(is_free(&lock));
    assert_eq!(*lock.lock(), 6);
}

#[test]
fn the_last_waker_is_the_one_that_is_woken() {
    let lock = Lock::new(());
    let (old, new) = (Counter::new(), Counter::new());
    let guard = lock.lock();
    let mut waiter: Pin<Box<_>> = Box::pin(lock.lock_async());
    assert!(old.poll(waiter.as_mut()).is_pending());
    assert!(new.poll(waiter.as_mut()).is_pending());
    assert_eq!(Arc::strong_count(&old), 1, "a waker that is not needed is let go");
    drop(guard);
    assert_eq!((old.wakes(), new.wakes()), (0, 1));
    assert!(new.poll(waiter.as_mut()).is_ready());
    assert_eq!(Arc::strong_count(&new), 1);
}
