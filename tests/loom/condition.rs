//! Models of `Condition`.

use super::{Flag, explore, poll_once};
use bifrons::{Condition, Lock, block_on};
use loom::thread;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// Under loom a timeout passes at any later moment.
const SOON: Duration = Duration::from_secs(1);

type Shared = Arc<(Lock<usize>, Condition)>;

fn shared() -> Shared {
    Arc::new((Lock::new(0), Condition::new()))
}

/// A thread looks, and waits; another changes what it looked at, and notifies after the unlock.
///
/// Kills: a wait that releases the lock before it registers; a waiter that is not announced; one
/// that was notified and is still counted.
#[test]
fn notify_against_register() {
    explore("condition: notify against register", || {
        let shared = shared();
        let other = Arc::clone(&shared);
        let notifier = thread::spawn(move || {
            *other.0.lock() = 1;
            other.1.notify_one();
        });
        assert_eq!(*shared.1.wait_while(shared.0.lock(), |ready| *ready == 0), 1);
        notifier.join().unwrap();
        assert_eq!(shared.1.waiting(), 0);
    });
}

/// The same with a task that waits and one that notifies under the lock.
///
/// Kills: a wait that releases the lock before it registers; a waiter that is not announced; one
/// that was notified and is still counted.
#[test]
fn notify_against_register_of_tasks() {
    explore("condition: notify against register of tasks", || {
        let shared = shared();
        let other = Arc::clone(&shared);
        let notifier = thread::spawn(move || {
            loom::future::block_on(async move {
                let mut guard = other.0.lock_async().await;
                *guard = 1;
                other.1.notify_all();
            });
        });
        let value = block_on(async {
            let guard = shared.0.lock_async().await;
            *shared.1.wait_while_async(guard, |ready| *ready == 0).await
        });
        assert_eq!(value, 1);
        notifier.join().unwrap();
        assert_eq!(shared.1.waiting(), 0);
    });
}

/// A thread and a task wait for one item each; one waiter is notified per item.
///
/// Kills: a notification that takes two waiters out and wakes one; the queue flag taken back by a
/// notification that leaves another waiter.
#[test]
fn one_notification_per_item() {
    explore("condition: one notification per item", || {
        let shared = shared();
        let mut task = Box::pin(shared.1.wait_while_async(shared.0.lock(), |items| *items == 0));
        assert!(poll_once(task.as_mut()).is_pending());
        let other = Arc::clone(&shared);
        let consumer = thread::spawn(move || {
            *other.1.wait_while(other.0.lock(), |items| *items == 0) -= 1;
        });
        for _ in 0..2 {
            *shared.0.lock() += 1;
            shared.1.notify_one();
        }
        *block_on(task.as_mut()) -= 1;
        consumer.join().unwrap();
        assert_eq!(*shared.0.lock(), 0);
        assert_eq!(shared.1.waiting(), 0);
    });
}

/// One waiter is notified while its task drops it; the thread behind gets the notification.
///
/// Kills: no baton on cancel; the queue flag taken back on cancel.
#[test]
fn cancel_passes_on() {
    explore("condition: cancel passes on", || {
        let shared = shared();
        let mut first = Box::pin(shared.1.wait_async(shared.0.lock()));
        assert!(poll_once(first.as_mut()).is_pending());
        let other = Arc::clone(&shared);
        let second = thread::spawn(move || {
            drop(other.1.wait_while(other.0.lock(), |ready| *ready == 0));
        });
        let other = Arc::clone(&shared);
        let notifier = thread::spawn(move || {
            *other.0.lock() = 1;
            other.1.notify_one();
        });
        drop(first);
        second.join().unwrap();
        notifier.join().unwrap();
        assert_eq!(shared.1.waiting(), 0);
    });
}

/// The same within one task. Few executions: of the two threads one has a single section to run.
///
/// Kills: no baton on cancel; the queue flag taken back on cancel or by the notification.
#[test]
fn cancel_passes_on_within_a_task() {
    explore("condition: cancel passes on within a task", || {
        let shared = shared();
        let mut first = Box::pin(shared.1.wait_async(shared.0.lock()));
        let flag = Flag::new();
        assert!(poll_once(first.as_mut()).is_pending());
        let mut second = Box::pin(shared.1.wait_async(shared.0.lock()));
        assert!(flag.poll(second.as_mut()).is_pending());
        let other = Arc::clone(&shared);
        let notifier = thread::spawn(move || assert!(other.1.notify_one()));
        drop(first);
        notifier.join().unwrap();
        assert!(flag.is_woken());
        assert!(poll_once(second.as_mut()).is_ready());
    });
}

/// A notified task finds the lock taken, queues for it, and is dropped there: both the
/// notification and the lock's wake-up go to others.
///
/// Kills: a notification that is used up on the way to the lock (mea#70); no baton on the cancel of
/// a lock.
#[test]
fn cancel_while_locking_passes_on() {
    explore("condition: cancel while locking passes on", || {
        let shared = shared();
        let mut first = Box::pin(shared.1.wait_async(shared.0.lock()));
        assert!(poll_once(first.as_mut()).is_pending());
        let other = Arc::clone(&shared);
        let second = thread::spawn(move || {
            drop(other.1.wait_while(other.0.lock(), |ready| *ready == 0));
        });
        let other = Arc::clone(&shared);
        let notifier = thread::spawn(move || {
            let mut guard = other.0.lock();
            *guard = 1;
            other.1.notify_one();
            drop(guard);
        });
        thread::yield_now();
        // Ready: the notification is used. Then it is ours to tell the next.
        if let Poll::Ready(guard) = poll_once(first.as_mut()) {
            drop(guard);
            shared.1.notify_one();
        }
        drop(first);
        second.join().unwrap();
        notifier.join().unwrap();
        assert_eq!((shared.0.waiting(), shared.1.waiting()), (0, 0));
    });
}

/// The victim of a `notify_all` is dropped, by a task that has just begun to wait again: nothing is
/// passed on to the newcomer.
///
/// Kills: a victim of `notify_all` that passes on.
#[test]
fn victim_of_notify_all_passes_nothing_on() {
    explore("condition: victim of notify_all passes nothing on", || {
        let shared = shared();
        let mut first = Box::pin(shared.1.wait_async(shared.0.lock()));
        assert!(poll_once(first.as_mut()).is_pending());
        let other = Arc::clone(&shared);
        let notifier = thread::spawn(move || other.1.notify_all());
        let mut late = Box::pin(shared.1.wait_async(shared.0.lock()));
        assert!(poll_once(late.as_mut()).is_pending());
        // One waiter, and not the first: it was notified before the late one came.
        let came_late = shared.1.waiting() == 1;
        drop(first);
        let notified = notifier.join().unwrap();
        if came_late && notified == 1 {
            assert_eq!(shared.1.waiting(), 1);
            assert!(poll_once(late.as_mut()).is_pending());
        }
    });
}

/// Two waiters fill the first batch of a `notify_all`. The thread that sees them gone, and then
/// waits itself, is not notified by the second batch, but by the next notification.
///
/// Kills: the epoch ignored; the queue flag taken back by a notification that leaves a late waiter.
/// Few executions: two threads, one of which has two sections to run.
#[test]
fn late_arrival_stays() {
    explore("condition: late arrival stays", || {
        let shared = shared();
        let mut early = [0; 2].map(|_| {
            let mut wait = Box::pin(shared.1.wait_async(shared.0.lock()));
            assert!(poll_once(wait.as_mut()).is_pending());
            wait
        });
        let other = Arc::clone(&shared);
        let notifier = thread::spawn(move || other.1.notify_all());
        let mut late = Box::pin(shared.1.wait_async(shared.0.lock()));
        // loom remembers one access per object: the look alone it would not move behind the first
        // batch.
        thread::yield_now();
        let came_late = shared.1.waiting() == 0;
        assert!(poll_once(late.as_mut()).is_pending());
        let notified = notifier.join().unwrap();
        if came_late {
            assert_eq!(notified, 2);
            assert!(poll_once(late.as_mut()).is_pending());
            assert_eq!(shared.1.notify_all(), 1);
        }
        for wait in &mut early {
            assert!(poll_once(wait.as_mut()).is_ready());
        }
    });
}

/// The same with a `notify(3)` of two waiters.
///
/// Kills: the epoch ignored; the queue flag taken back by a notification that leaves a late waiter.
/// Few executions: two threads, one of which has two sections to run.
#[test]
fn late_arrival_stays_with_notify() {
    explore("condition: late arrival stays with notify", || {
        let shared = shared();
        let mut early = [0; 2].map(|_| {
            let mut wait = Box::pin(shared.1.wait_async(shared.0.lock()));
            assert!(poll_once(wait.as_mut()).is_pending());
            wait
        });
        let other = Arc::clone(&shared);
        let notifier = thread::spawn(move || other.1.notify(3));
        let mut late = Box::pin(shared.1.wait_async(shared.0.lock()));
        thread::yield_now();
        let came_late = shared.1.waiting() == 0;
        assert!(poll_once(late.as_mut()).is_pending());
        let notified = notifier.join().unwrap();
        if came_late {
            assert_eq!(notified, 2);
            assert_eq!(shared.1.notify(3), 1);
        }
        for wait in &mut early {
            assert!(poll_once(wait.as_mut()).is_ready());
        }
    });
}

/// `notify_all` frees a task that waits, and a thread that waits or is on its way.
///
/// Kills: a wake-up of the first only.
#[test]
fn notify_all_frees_everyone() {
    explore("condition: notify_all frees everyone", || {
        let shared = shared();
        let mut task = Box::pin(shared.1.wait_while_async(shared.0.lock(), |ready| *ready == 0));
        assert!(poll_once(task.as_mut()).is_pending());
        let other = Arc::clone(&shared);
        let waiter = thread::spawn(move || {
            drop(other.1.wait_while(other.0.lock(), |ready| *ready == 0));
        });
        *shared.0.lock() = 1;
        shared.1.notify_all();
        drop(block_on(task.as_mut()));
        waiter.join().unwrap();
        assert_eq!((shared.0.waiting(), shared.1.waiting()), (0, 0));
    });
}

/// A timed wait meets a notification: what the waiter reports is what the notifier was told.
///
/// Kills: a notification that is lost at the deadline; a timed out waiter that stays in the list's
/// count.
#[test]
fn timeout_against_notify() {
    explore("condition: timeout against notify", || {
        let shared = shared();
        let guard = shared.0.lock();
        let other = Arc::clone(&shared);
        let notifier = thread::spawn(move || {
            drop(other.0.lock());
            other.1.notify_one()
        });
        let (guard, notified) = shared.1.wait_timeout(guard, SOON);
        drop(guard);
        assert_eq!(notifier.join().unwrap(), notified);
        assert_eq!((shared.0.waiting(), shared.1.waiting()), (0, 0));
    });
}

/// A timed wait of a thread and a task meet one notification: exactly one of the two has it.
///
/// Kills: a notification that is lost at the deadline.
#[test]
fn timeout_beside_a_task() {
    explore("condition: timeout beside a task", || {
        let shared = shared();
        let guard = shared.0.lock();
        let other = Arc::clone(&shared);
        let task = thread::spawn(move || {
            // Registered behind the timed waiter, or when that one is gone.
            let flag = Flag::new();
            let mut wait = Box::pin(other.1.wait_async(other.0.lock()));
            assert!(flag.poll(wait.as_mut()).is_pending());
            let notified = other.1.notify_one();
            assert!(notified);
            let woken = flag.is_woken();
            // Not to be passed on: it is counted.
            if woken {
                drop(block_on(wait.as_mut()));
            }
            woken
        });
        let (guard, notified) = shared.1.wait_timeout(guard, SOON);
        drop(guard);
        assert_ne!(task.join().unwrap(), notified);
        assert_eq!((shared.0.waiting(), shared.1.waiting()), (0, 0));
    });
}

/// A task that waits polls with another waker while it is notified.
///
/// Kills: the stale waker kept (kanal 0.1.1); a waker stored in a node that has left the list.
#[test]
fn waker_changed() {
    explore("condition: waker changed", || {
        let shared = shared();
        let mut wait = Box::pin(shared.1.wait_async(shared.0.lock()));
        assert!(poll_once(wait.as_mut()).is_pending());
        let other = Arc::clone(&shared);
        let notifier = thread::spawn(move || {
            *other.0.lock() = 1;
            assert!(other.1.notify_one());
        });
        assert_eq!(*block_on(wait.as_mut()), 1);
        notifier.join().unwrap();
    });
}
