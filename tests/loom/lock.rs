//! Models of `Lock`. Its data is watched by loom: two holders at once, or an unordered access, fail.

use super::{Flag, explore, poll_once};
use bifrons::{Lock, LockGuard, OwnedLockGuard, block_on};
use loom::thread;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// Under loom a timeout passes at any later moment.
const SOON: Duration = Duration::from_secs(1);

/// A blocked thread looks again by itself when it loses its patience, and so hides that it was not
/// woken; a task does not.
fn add_as_task(lock: &Lock<i32>) {
    *block_on(lock.lock_async()) += 1;
}

/// A thread and a task take turns.
///
/// Kills: a waiter that is not announced, newcomer or not; a waiter that queues at a lock that has
/// become free between the look and the queue; weaker orderings of taking the lock and of letting
/// go.
#[test]
fn exclusion() {
    explore("lock: exclusion", || {
        let lock = Arc::new(Lock::new(0));
        let other = Arc::clone(&lock);
        let thread = thread::spawn(move || *other.lock() += 1);
        block_on(async { *lock.lock_async().await += 1 });
        thread.join().unwrap();
        assert_eq!(*lock.lock(), 2);
    });
}

/// Three tasks take turns, so that a waiter meets another waiter and the way through the list.
///
/// Kills: weaker ordering of the contended unlock; the queue flag taken back by a wake-up that
/// leaves another waiter; an announcement that is left to the next owner and kept, or taken back when
/// that has let go; a waiter that was woken and is still counted; an unlock that does not look again
/// where the waiter on its way lost and queued.
#[test]
fn exclusion_of_three() {
    explore("lock: exclusion of three", || {
        let lock = Arc::new(Lock::new(0));
        let threads = [0; 2].map(|_| {
            let lock = Arc::clone(&lock);
            thread::spawn(move || add_as_task(&lock))
        });
        add_as_task(&lock);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(*lock.lock(), 3);
        assert_eq!(lock.waiting(), 0);
    });
}

/// Two tasks of two executors take turns; one executor is loom's, which also polls for no reason.
///
/// Kills: a waiter that is not announced, newcomer or not.
#[test]
fn exclusion_of_tasks() {
    explore("lock: exclusion of tasks", || {
        let lock = Arc::new(Lock::new(0));
        let other = Arc::clone(&lock);
        let thread = thread::spawn(move || {
            loom::future::block_on(async move { *other.lock_async().await += 1 });
        });
        block_on(async { *lock.lock_async().await += 1 });
        thread.join().unwrap();
        assert_eq!(*lock.lock(), 2);
        assert_eq!(lock.waiting(), 0);
    });
}

/// A notified waiter finds the lock taken again by who has just released it, and queues again;
/// the second release wakes it once more.
///
/// Kills: `WOKEN` kept while queueing again: the second release trusts in somebody on his way.
#[test]
fn loser_is_woken_again() {
    explore("lock: loser is woken again", || {
        let lock = Arc::new(Lock::new(0));
        let guard = lock.lock();
        let other = Arc::clone(&lock);
        let thread = thread::spawn(move || add_as_task(&other));
        drop(guard);
        *lock.lock() += 1;
        thread.join().unwrap();
        assert_eq!(*lock.lock(), 2);
    });
}

/// The same before another waiter, which has announced the queue: the loser still has to clear
/// `WOKEN`.
///
/// Kills: a loser that queues before others without an RMW.
#[test]
fn loser_before_others_is_woken_again() {
    explore("lock: loser before others is woken again", || {
        let lock = Arc::new(Lock::new(0));
        let guard = lock.lock();
        let mut first = Box::pin(lock.lock_owned_async());
        let mut behind = Box::pin(lock.lock_async());
        assert!(poll_once(first.as_mut()).is_pending());
        assert!(poll_once(behind.as_mut()).is_pending());
        let thread = thread::spawn(move || *block_on(first) += 1);
        drop(guard);
        // It does not queue: it would stand behind a waiter that nobody polls.
        let got = lock.try_lock().map(|mut guard| *guard += 1).is_some();
        thread.join().unwrap();
        drop(behind);
        assert_eq!(*lock.try_lock().unwrap(), 1 + i32::from(got));
    });
}

/// The only waiter leaves between the RMW of an unlock, which announces its wake-up, and the look for
/// it; the next waiter must be woken.
///
/// Kills: an announcement that is kept though nobody is left.
#[test]
fn announced_to_nobody() {
    explore("lock: announced to nobody", || {
        let lock = Arc::new(Lock::new(0));
        let guard = lock.lock();
        let mut wait = Box::pin(lock.lock_owned_async());
        assert!(poll_once(wait.as_mut()).is_pending());
        let other = Arc::clone(&lock);
        let thread = thread::spawn(move || {
            drop(wait);
            add_as_task(&other);
        });
        drop(guard);
        *lock.lock() += 1;
        thread.join().unwrap();
        assert_eq!(*lock.lock(), 2);
    });
}

/// The first waiter is notified by one thread while its task drops it; the thread behind it must
/// be woken in its stead.
///
/// Kills: no baton on cancel; `WOKEN` kept on cancel, or set after the notification, when its
/// waiter has cleared it; the queue flag taken back on cancel.
#[test]
fn cancel_passes_on() {
    explore("lock: cancel passes on", || {
        let lock = Arc::new(Lock::new(0));
        let guard = lock.lock_owned();
        let mut first = Box::pin(lock.lock_async());
        assert!(poll_once(first.as_mut()).is_pending());
        let other = Arc::clone(&lock);
        let second = thread::spawn(move || *other.lock() += 1);
        let holder = thread::spawn(move || drop(guard));
        drop(first);
        second.join().unwrap();
        holder.join().unwrap();
        assert_eq!(lock.waiting(), 0);
        assert_eq!(*lock.try_lock().unwrap(), 1);
    });
}

/// The same among tasks: the dropped one and the one behind it belong to one task, which drops the
/// first while the holder lets go, and then waits with the second.
///
/// Kills: no baton on cancel; the queue flag taken back on cancel. Few executions: of the two
/// threads one has a single section to run.
#[test]
fn cancel_passes_on_within_a_task() {
    explore("lock: cancel passes on within a task", || {
        let lock = Arc::new(Lock::new(0));
        let guard = lock.lock_owned();
        let mut first = Box::pin(lock.lock_async());
        let mut second = Box::pin(lock.lock_async());
        assert!(poll_once(first.as_mut()).is_pending());
        let woken = Flag::new();
        assert!(woken.poll(second.as_mut()).is_pending());
        let holder = thread::spawn(move || drop(guard));
        drop(first);
        holder.join().unwrap();
        assert!(woken.is_woken());
        assert!(poll_once(second.as_mut()).is_ready());
    });
}

/// A lock that is handed to the first waiter while its task drops it goes on to the thread behind.
///
/// Kills: a reserved lock that is kept by a future that is gone.
#[test]
fn reserved_and_dropped() {
    explore("lock: reserved and dropped", || {
        let lock = Arc::new(Lock::new(0));
        let guard = lock.lock_owned();
        let mut first = Box::pin(lock.lock_async());
        assert!(poll_once(first.as_mut()).is_pending());
        let other = Arc::clone(&lock);
        let second = thread::spawn(move || *other.lock() += 1);
        let holder = thread::spawn(move || OwnedLockGuard::unlock_fair(guard));
        drop(first);
        second.join().unwrap();
        holder.join().unwrap();
        assert_eq!(*lock.try_lock().unwrap(), 1);
    });
}

/// A lock that is handed over while the waiter polls for no reason: the waiter owns it from the
/// moment that it sees so, whether or not it was woken.
///
/// Kills: a weaker ordering of the node's state, by which alone the lock travels here; a
/// reservation that lets go of the lock, and so admits the thread.
#[test]
fn handed_over_to_a_poll() {
    explore("lock: handed over to a poll", || {
        let lock = Arc::new(Lock::new(0));
        let mut guard = lock.lock_owned();
        let mut wait = Box::pin(lock.lock_async());
        assert!(poll_once(wait.as_mut()).is_pending());
        let holder = thread::spawn(move || {
            *guard += 1;
            OwnedLockGuard::unlock_fair(guard);
        });
        let other = Arc::clone(&lock);
        let newcomer = thread::spawn(move || {
            if let Some(mut guard) = other.try_lock() {
                *guard += 1;
            }
        });
        let mut early = false;
        if let std::task::Poll::Ready(mut guard) = poll_once(wait.as_mut()) {
            *guard += 1;
            early = true;
        }
        holder.join().unwrap();
        newcomer.join().unwrap();
        if !early {
            assert!(poll_once(wait.as_mut()).is_ready());
        }
    });
}

/// Two waiters of one task; the lock is released to the first, and the task polls the second only.
///
/// Kills: a queued waiter that does not try when polled (tokio#6450, async-lock#91).
#[test]
fn second_of_one_task_is_polled() {
    explore("lock: second of one task is polled", || {
        let lock = Arc::new(Lock::new(0));
        let guard = lock.lock_owned();
        let mut first = Box::pin(lock.lock_async());
        let mut second = Box::pin(lock.lock_async());
        let holder = thread::spawn(move || drop(guard));
        let mut begun = false;
        let _guard = block_on(std::future::poll_fn(|cx| {
            if !begun {
                begun = true;
                if let std::task::Poll::Ready(guard) = first.as_mut().poll(cx) {
                    return std::task::Poll::Ready(guard);
                }
            }
            second.as_mut().poll(cx)
        }));
        holder.join().unwrap();
    });
}

/// Two waiters of one task; the lock is released to the first and barged into, and the task polls the
/// second only, which finds it taken: the barger's unlock must wake it.
///
/// Kills: a queued waiter that trusts in one on its way which its own task does not poll.
#[test]
fn second_of_one_task_is_polled_beside_a_barger() {
    explore("lock: second of one task is polled beside a barger", || {
        let lock = Arc::new(Lock::new(0));
        let mut held = Some(lock.lock_owned());
        let mut first = Box::pin(lock.lock_async());
        let mut second = Box::pin(lock.lock_async());
        let mut thread = None;
        let _guard = block_on(std::future::poll_fn(|cx| {
            if let Some(guard) = held.take() {
                assert!(first.as_mut().poll(cx).is_pending());
                assert!(second.as_mut().poll(cx).is_pending());
                let other = Arc::clone(&lock);
                thread = Some(thread::spawn(move || {
                    drop(guard);
                    // It does not queue: it would stand behind a waiter that nobody polls.
                    drop(other.try_lock());
                }));
                return std::task::Poll::Pending;
            }
            second.as_mut().poll(cx)
        }));
        thread.unwrap().join().unwrap();
    });
}

/// A waiter is notified while a poll for no reason takes the lock: it is here already, and a thread
/// behind it must not wait for it once more.
///
/// Kills: `WOKEN` kept by a waiter that was notified while it took the lock.
#[test]
fn taken_while_notified() {
    explore("lock: taken while notified", || {
        let lock = Arc::new(Lock::new(0));
        let guard = lock.lock_owned();
        let mut first = Box::pin(lock.lock_async());
        assert!(poll_once(first.as_mut()).is_pending());
        let other = Arc::clone(&lock);
        let second = thread::spawn(move || add_as_task(&other));
        let holder = thread::spawn(move || drop(guard));
        *block_on(first.as_mut()) += 1;
        second.join().unwrap();
        holder.join().unwrap();
        assert_eq!(*lock.lock(), 2);
    });
}

/// The waiter in front is notified, kept, and never polled: after `SKIP_LIMIT` unlocks that leave
/// the wake-up to it, one more waiter is woken.
///
/// Kills: unlocks that skip for ever; unlocks that skip and do not count.
#[test]
fn passes_a_waiter_that_is_not_polled() {
    explore("lock: passes a waiter that is not polled", || {
        let lock = Arc::new(Lock::new(0));
        let guard = lock.lock_owned();
        let mut kept = Box::pin(lock.lock_async());
        let mut wait = Box::pin(lock.lock_async());
        assert!(poll_once(kept.as_mut()).is_pending());
        assert!(poll_once(wait.as_mut()).is_pending());
        let other = Arc::clone(&lock);
        let thread = thread::spawn(move || {
            drop(guard); // notifies `kept`
            *other.lock() += 1; // leaves it to `kept`
            *other.lock() += 1; // wakes `wait`
        });
        *block_on(wait.as_mut()) += 1;
        // From here on nobody need lock again, and the thread may stand behind `kept`.
        drop(kept);
        thread.join().unwrap();
        assert_eq!(*lock.lock(), 3);
    });
}

/// A task polls with another waker while the lock is released: the new one is woken, or the poll
/// has the lock.
///
/// Kills: the stale waker kept (kanal 0.1.1); a waker stored in a node that has left the list.
#[test]
fn waker_changed() {
    explore("lock: waker changed", || {
        let lock = Arc::new(Lock::new(0));
        let guard = lock.lock_owned();
        let mut wait = Box::pin(lock.lock_async());
        assert!(poll_once(wait.as_mut()).is_pending());
        let holder = thread::spawn(move || drop(guard));
        *block_on(wait.as_mut()) += 1;
        holder.join().unwrap();
    });
}

/// The same with a hand-over, which a poll that merely tries would not find.
///
/// Kills: the stale waker kept; a waker stored in a node that has left the list.
#[test]
fn waker_changed_while_handed_over() {
    explore("lock: waker changed while handed over", || {
        let lock = Arc::new(Lock::new(0));
        let guard = lock.lock_owned();
        let mut wait = Box::pin(lock.lock_async());
        assert!(poll_once(wait.as_mut()).is_pending());
        let holder = thread::spawn(move || OwnedLockGuard::unlock_fair(guard));
        *loom::future::block_on(wait.as_mut()) += 1;
        holder.join().unwrap();
    });
}

/// A thread gives up while the lock is released to it; the task behind it is served.
///
/// Kills: a waiter that has left and is still counted; the queue flag taken back by a waiter that
/// leaves another one.
#[test]
fn timeout_against_release() {
    explore("lock: timeout against release", || {
        let lock = Arc::new(Lock::new(0));
        let guard = lock.lock();
        let other = Arc::clone(&lock);
        let timed = thread::spawn(move || match other.lock_timeout(SOON) {
            Ok(mut guard) => {
                *guard += 1;
                1
            }
            Err(_) => {
                // Nobody else but the task.
                assert!(other.waiting() <= 1);
                0
            }
        });
        let mut task = pin!(lock.lock_async());
        assert!(poll_once(task.as_mut()).is_pending());
        drop(guard);
        *block_on(task) += 1;
        let got = timed.join().unwrap();
        assert_eq!(lock.waiting(), 0);
        assert_eq!(*lock.try_lock().unwrap(), 1 + got);
    });
}

/// A thread gives up while the lock is handed to it.
///
/// Kills: a reserved lock that is kept by a wait that is gone.
#[test]
fn timeout_against_hand_over() {
    explore("lock: timeout against hand-over", || {
        let lock = Arc::new(Lock::new(0));
        let guard = lock.lock();
        let other = Arc::clone(&lock);
        let timed =
            thread::spawn(move || other.lock_timeout(SOON).map(|mut guard| *guard += 1).is_ok());
        LockGuard::unlock_fair(guard);
        *lock.lock() += 1;
        let got = timed.join().unwrap();
        assert_eq!(*lock.try_lock().unwrap(), 1 + i32::from(got));
    });
}

/// An impatient thread bars newcomers, who queue at a lock that may be free, and then it gets the
/// lock or gives up: the newcomer is served, and the next finds no bar.
///
/// Kills: `BARRED` kept.
#[test]
fn bar_is_lifted() {
    explore("lock: bar is lifted", || {
        let lock = Arc::new(Lock::new(0));
        let guard = lock.lock();
        let other = Arc::clone(&lock);
        let impatient = thread::spawn(move || drop(other.lock_timeout(SOON)));
        let other = Arc::clone(&lock);
        // In the async face, which has no patience to lose: fewer states.
        let newcomer = thread::spawn(move || *block_on(other.lock_async()) += 1);
        drop(guard);
        newcomer.join().unwrap();
        impatient.join().unwrap();
        assert_eq!(*lock.try_lock().expect("neither held nor barred"), 1);
    });
}

/// A thread bars between the look and the RMW of an unlock, behind a future that was woken and is
/// not polled: the unlock has to wake the thread, though somebody is on the way.
///
/// Kills: an unlock that looks for the bar before its RMW only.
#[test]
fn barred_lock_does_not_stall() {
    explore("lock: barred lock does not stall", || {
        let lock = Arc::new(Lock::new(0));
        let guard = lock.try_lock().unwrap();
        let mut woken = pin!(lock.lock_async());
        assert!(poll_once(woken.as_mut()).is_pending());
        drop(guard);
        let guard = lock.try_lock().unwrap();
        let other = Arc::clone(&lock);
        let impatient = thread::spawn(move || *other.lock() += 1);
        drop(guard);
        impatient.join().unwrap();
        assert_eq!(*lock.try_lock().expect("neither held nor barred"), 1);
    });
}

/// An impatient thread has barred newcomers and gives up; before it lifts the bar the lock is
/// released, with nobody in the list, and a task comes, who queues at the free lock.
///
/// Kills: the bar lifted without waking who queued because of it; `BARRED` kept.
#[test]
fn lifted_bar_wakes_the_newcomer() {
    explore("lock: lifted bar wakes the newcomer", || {
        let lock = Arc::new(Lock::new(0));
        let guard = lock.lock();
        let other = Arc::clone(&lock);
        let impatient = thread::spawn(move || drop(other.lock_timeout(SOON)));
        drop(guard);
        *block_on(lock.lock_async()) += 1;
        impatient.join().unwrap();
        assert_eq!(*lock.try_lock().expect("neither held nor barred"), 1);
    });
}
