//! Models of `ReentrantLock`. What is kept under the lock has no synchronisation of its own: loom
//! watches the cells of the thread face, and an unordered look at the numbers of the owner face
//! may find an old one.

use super::{Flag, explore, poll_once};
use bifrons::{Condition, Event, Owner, ReentrantLock, block_on};
use loom::cell::Cell;
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::thread;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::Poll;
use std::time::Duration;

/// Under loom a timeout passes at any later moment.
const SOON: Duration = Duration::from_secs(1);

/// One more, without a read-modify-write: lost unless the lock orders it.
fn count(number: &AtomicUsize) {
    number.store(number.load(Relaxed) + 1, Relaxed);
}

/// A thread enters again while another contends.
///
/// Kills: re-entry that forgets to count; a drop that unlocks at any depth.
#[test]
fn re_entry_against_a_contender() {
    explore("reentrant: re-entry against a contender", || {
        let lock = Arc::new(ReentrantLock::new(Cell::new(0)));
        let other = Arc::clone(&lock);
        let contender = thread::spawn(move || {
            let outer = other.lock();
            let inner = other.lock();
            outer.set(inner.get() + 1);
            assert_eq!(other.depth(), 2);
        });
        let outer = lock.lock();
        let inner = lock.try_lock().unwrap();
        inner.set(outer.get() + 1);
        drop(inner);
        assert_eq!(lock.depth(), 1);
        outer.set(outer.get() + 1);
        drop(outer);
        contender.join().unwrap();
        assert_eq!((lock.depth(), lock.waiting(), lock.lock().get()), (0, 0, 3));
    });
}

/// A thread waits, or just comes, when the last of two guards goes.
///
/// Kills: a drop that never unlocks; an owner that is erased after the release, and with it the
/// next one.
#[test]
fn last_release_against_a_thread() {
    explore("reentrant: last release against a thread", || {
        let lock = Arc::new(ReentrantLock::new(Cell::new(0)));
        let guards = (lock.lock(), lock.lock());
        let other = Arc::clone(&lock);
        let waiter = thread::spawn(move || {
            let outer = other.lock();
            outer.set(outer.get() + 1);
            assert!(other.is_owned_by_current_thread());
            drop(other.lock());
        });
        guards.0.set(guards.1.get() + 1);
        drop(guards);
        waiter.join().unwrap();
        assert_eq!((lock.depth(), lock.waiting()), (0, 0));
        assert_eq!(lock.try_lock().unwrap().get(), 2);
    });
}

/// The same with a scoped task that waits for an owner.
///
/// Kills: as before.
#[test]
fn last_release_against_a_task() {
    explore("reentrant: last release against a task", || {
        let lock = Arc::new(ReentrantLock::new(AtomicUsize::new(0)));
        let holder = Owner::new();
        let guards = (lock.lock_as(&holder), lock.lock_as(&holder));
        let other = Arc::clone(&lock);
        let waiter = thread::spawn(move || {
            let owner = Owner::new();
            block_on(owner.scope(async {
                let outer = other.lock_async_scoped().await;
                count(&outer);
                assert!(other.is_owned_by(&owner));
                drop(other.lock_async_scoped().await);
            }));
        });
        count(&guards.0);
        drop(guards);
        waiter.join().unwrap();
        assert_eq!((lock.depth(), lock.waiting()), (0, 0));
        assert_eq!(lock.try_lock().unwrap().load(Relaxed), 2);
    });
}

/// A task that holds the lock for `owner` until it is dropped.
fn holder<T: Send + Sync + 'static>(lock: &Arc<ReentrantLock<T>>, owner: &Owner) -> Task {
    let (lock, owner) = (Arc::clone(lock), owner.clone());
    let mut task: Task = Box::pin(async move {
        let _guard = lock.lock_async(&owner).await;
        std::future::pending::<()>().await;
    });
    assert!(poll_once(task.as_mut()).is_pending());
    task
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A future is dropped while the holder lets go in favour of it; the thread behind it gets the
/// lock.
///
/// Kills: a dropped future that keeps the notification.
#[test]
fn cancel_during_acquisition() {
    explore("reentrant: cancel during acquisition", || {
        let lock = Arc::new(ReentrantLock::new(AtomicUsize::new(0)));
        let (holder, owner) = (holder(&lock, &Owner::new()), Owner::new());
        let mut wait = Box::pin(lock.lock_async(&owner));
        assert!(poll_once(wait.as_mut()).is_pending());
        let other = Arc::clone(&lock);
        let behind = thread::spawn(move || count(&other.lock()));
        let release = thread::spawn(move || drop(holder));
        drop(wait);
        behind.join().unwrap();
        release.join().unwrap();
        assert_eq!((lock.depth(), lock.waiting()), (0, 0));
        assert_eq!(lock.try_lock().unwrap().load(Relaxed), 1);
    });
}

/// The same for a timed wait of a thread, which either has the lock at the end or has left.
#[test]
fn timeout_during_acquisition() {
    explore("reentrant: timeout during acquisition", || {
        let lock = Arc::new(ReentrantLock::new(Cell::new(0)));
        let guards = (lock.lock(), lock.lock());
        let other = Arc::clone(&lock);
        let timed = thread::spawn(move || match other.lock_timeout(SOON) {
            Ok(outer) => {
                let inner = other.lock_timeout(SOON).unwrap();
                inner.set(outer.get() + 1);
                assert_eq!(other.depth(), 2);
                1
            }
            Err(_) => 0,
        });
        guards.1.set(guards.0.get() + 1);
        drop(guards);
        let taken = timed.join().unwrap();
        assert_eq!((lock.depth(), lock.waiting()), (0, 0));
        assert_eq!(lock.try_lock().unwrap().get(), 1 + taken);
    });
}

/// A future is queued, or woken; then its owner locks elsewhere, and the future enters beside it.
/// The task behind it must not be forgotten (a thread looks again by itself).
///
/// Kills: a future that enters and keeps its notification.
#[test]
fn queued_future_enters() {
    explore("reentrant: queued future enters", || {
        let lock = Arc::new(ReentrantLock::new(AtomicUsize::new(0)));
        let (holder, owner) = (holder(&lock, &Owner::new()), Owner::new());
        let mut wait = Box::pin(lock.lock_async(&owner));
        assert!(poll_once(wait.as_mut()).is_pending());
        let other = Arc::clone(&lock);
        let behind = thread::spawn(move || {
            count(&block_on(other.lock_async(&Owner::new())));
        });
        let release = thread::spawn(move || drop(holder));
        if let Some(outer) = lock.try_lock_as(&owner) {
            let Poll::Ready(inner) = poll_once(wait.as_mut()) else { panic!("re-entry") };
            assert_eq!(lock.depth(), 2);
            drop((outer, inner));
        }
        drop(wait);
        behind.join().unwrap();
        release.join().unwrap();
        assert_eq!((lock.depth(), lock.waiting()), (0, 0));
        assert_eq!(lock.try_lock().unwrap().load(Relaxed), 1);
    });
}

/// One owner on two threads, and another owner. Whoever enters sees what those did who have left,
/// on whichever thread.
///
/// The flags are std's: they tell what has happened, and order nothing that loom sees.
///
/// Kills: each weaker ordering of an owner's hold; re-entry and drop by load and store.
#[test]
fn one_owner_on_two_threads() {
    #[derive(Default)]
    struct Numbers([AtomicUsize; 3]);

    explore("reentrant: one owner on two threads", || {
        let lock = Arc::new(ReentrantLock::new(Numbers::default()));
        let (owner, done) = (Owner::new(), Arc::new([const { AtomicBool::new(false) }; 3]));
        let alone = Arc::new(AtomicBool::new(false));
        let sharers = [0, 1].map(|me| {
            let (lock, owner) = (Arc::clone(&lock), owner.clone());
            let (done, alone) = (Arc::clone(&done), Arc::clone(&alone));
            thread::spawn(move || {
                let Some(guard) = lock.try_lock_as(&owner) else { return };
                assert!(!alone.load(SeqCst), "beside another owner");
                let other_left = done[2].load(SeqCst);
                assert!(!other_left || guard.0[2].load(Relaxed) == 1, "the other's number");
                count(&guard.0[me]);
                done[me].store(true, SeqCst);
                drop(guard);
            })
        });
        let guard = lock.lock();
        alone.store(true, SeqCst);
        for who in 0..2 {
            let left = done[who].load(SeqCst);
            assert!(!left || guard.0[who].load(Relaxed) == 1, "a sharer's number");
        }
        count(&guard.0[2]);
        done[2].store(true, SeqCst);
        alone.store(false, SeqCst);
        drop(guard);
        for sharer in sharers {
            sharer.join().unwrap();
        }
        assert_eq!((lock.depth(), lock.waiting(), lock.is_locked()), (0, 0, false));
    });
}

/// A thread waits at depth 2; the notifier locks, so both holds are given up, and back afterwards.
///
/// Kills: one hold restored instead of two; an owner written before the lock is taken again.
#[test]
fn blocking_wait_at_depth_2() {
    explore("reentrant: blocking wait at depth 2", || {
        let lock = Arc::new(ReentrantLock::new(Cell::new(0)));
        let condition = Arc::new(Condition::new());
        let (outer, inner) = (lock.lock(), lock.lock());
        let notifier = thread::spawn({
            let (lock, condition) = (Arc::clone(&lock), Arc::clone(&condition));
            move || {
                let guard = lock.lock();
                guard.set(guard.get() + 1);
                condition.notify_one();
                assert!(lock.is_owned_by_current_thread());
                assert_eq!(lock.depth(), 1);
            }
        });
        let inner = condition.wait_while(inner, |guard| guard.get() == 0);
        assert_eq!((lock.depth(), outer.get()), (2, 1));
        drop(outer);
        assert_eq!(lock.depth(), 1);
        assert!(lock.is_owned_by_current_thread());
        drop(inner);
        notifier.join().unwrap();
        assert_eq!((lock.depth(), lock.waiting(), lock.is_locked()), (0, 0, false));
    });
}

/// An owner's wait at depth 2 times out, or is notified, while another owner has the lock.
///
/// Kills: one hold restored instead of two; an owner written before the lock is taken again.
#[test]
fn timed_wait_at_depth_2() {
    explore("reentrant: timed wait at depth 2", || {
        let lock = Arc::new(ReentrantLock::new(AtomicUsize::new(0)));
        let condition = Arc::new(Condition::new());
        let owner = Owner::new();
        let (outer, inner) = (lock.lock_as(&owner), lock.lock_as(&owner));
        let notifier = thread::spawn({
            let (lock, condition) = (Arc::clone(&lock), Arc::clone(&condition));
            move || {
                let other = Owner::new();
                let guard = lock.lock_as(&other);
                count(&guard);
                let notified = condition.notify_one();
                assert!(lock.is_owned_by(&other));
                notified
            }
        });
        let (inner, was_notified) = condition.wait_timeout(inner, SOON);
        assert_eq!(lock.depth(), 2);
        assert!(lock.is_owned_by(&owner));
        count(&inner);
        drop((outer, inner));
        assert_eq!(notifier.join().unwrap(), was_notified);
        assert_eq!((lock.depth(), lock.waiting(), condition.waiting()), (0, 0, 0));
        assert_eq!(lock.try_lock().unwrap().load(Relaxed), 2);
    });
}

/// One of an owner's threads waits, and another drops a guard: before the wait, during it, or while
/// the hold is restored, which then counts the guard or not. Nobody holds anything in the end.
///
/// Kills: a restoration that counts the guard that is gone, or lets go of the table too early; a drop
/// that is written down without another look.
#[test]
fn guard_dropped_during_a_wait() {
    explore("reentrant: guard dropped during a wait", || {
        let lock = Arc::new(ReentrantLock::new(()));
        let (owner, condition) = (Owner::new(), Condition::new());
        let (first, second) = (lock.lock_as(&owner), holder(&lock, &owner));
        let dropper = thread::spawn(move || drop(second));
        let (first, notified) = condition.wait_timeout(first, SOON);
        assert!(!notified && lock.is_owned_by(&owner));
        drop(first);
        dropper.join().unwrap();
        assert_eq!((lock.depth(), lock.is_locked()), (0, false));
    });
}

/// Two threads of the only owner: one tries while the other is between the raw lock and the word, on
/// the way in or out. It is never refused, for there is nobody else.
///
/// Kills: a gap that is taken for another owner's hold.
#[test]
fn only_owner_is_never_refused() {
    explore("reentrant: only owner is never refused", || {
        let lock = Arc::new(ReentrantLock::new(()));
        let owner = Owner::new();
        let (other, same) = (Arc::clone(&lock), owner.clone());
        let thread = thread::spawn(move || drop(other.lock_as(&same)));
        assert!(lock.try_lock_as(&owner).is_some());
        thread.join().unwrap();
        assert!(!lock.is_locked());
    });
}

/// A woken future enters a hold of its owner, which guards that another thread drops end before the
/// future has left the queue: nobody's unlock wakes the stranger behind it but its own leaving.
///
/// Kills: who leaves the queue with a wake-up and has no lock.
#[test]
fn hold_that_ends_before_the_queue_is_left() {
    explore("reentrant: hold that ends before the queue is left", || {
        let (lock, condition) = (Arc::new(ReentrantLock::new(())), Arc::new(Condition::new()));
        let [owner, stranger] = [Owner::new(), Owner::new()];
        let given_up = [holder(&lock, &owner), holder(&lock, &owner)];
        let (other, same, changed) = (Arc::clone(&lock), owner.clone(), Arc::clone(&condition));
        let waiter = thread::spawn(move || drop(changed.wait(other.lock_as(&same))));
        let guard = lock.lock();
        let mut woken = Box::pin(lock.lock_async(&owner));
        assert!(poll_once(woken.as_mut()).is_pending());
        let (flag, mut behind) = (Flag::new(), Box::pin(lock.lock_async(&stranger)));
        assert!(flag.poll(behind.as_mut()).is_pending());
        drop(guard);
        let barged = lock.try_lock_as(&owner);
        assert!(barged.is_some());
        let dropper = thread::spawn(move || drop(given_up));
        let entered = poll_once(woken.as_mut());
        dropper.join().unwrap();
        drop((entered, barged, woken));
        assert!(lock.is_locked() || flag.is_woken());
        assert!(condition.notify_one());
        waiter.join().unwrap();
        assert!(poll_once(behind.as_mut()).is_ready());
    });
}

/// The only owner locks on two threads, one blocking, one as a task, and the first to be in waits for
/// the other: neither queues behind its own owner.
///
/// Kills: a gap that is taken for another owner's hold.
#[test]
fn only_owner_meets_itself() {
    explore("reentrant: only owner meets itself", || {
        let lock = Arc::new(ReentrantLock::new(()));
        let owner = Owner::new();
        let met = Arc::new(Event::new());
        let (other, same, meet) = (Arc::clone(&lock), owner.clone(), Arc::clone(&met));
        let thread = thread::spawn(move || {
            let guard = other.lock_as(&same);
            block_on(meet.wait_async());
            drop(guard);
        });
        let guard = block_on(lock.lock_async(&owner));
        met.set();
        thread.join().unwrap();
        drop(guard);
        assert!(!lock.is_locked());
    });
}

/// Nobody notifies: loom reports that, and what unwinds then, guards of both faces and a wait that
/// restores its depth, neither aborts nor hides it. One execution, for there is one thread.
#[test]
#[should_panic(expected = "deadlock")]
fn deadlock_is_reported() {
    explore("reentrant: deadlock is reported", || {
        let (locks, owner) = ([0; 2].map(ReentrantLock::new), Owner::new());
        let _thread = (locks[0].lock(), locks[0].lock());
        let (_outer, inner) = (locks[1].lock_as(&owner), locks[1].lock_as(&owner));
        drop(Condition::new().wait(inner));
    });
}
