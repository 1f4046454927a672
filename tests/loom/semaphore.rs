//! Models of `Semaphore`. Every model ends by counting the permits.

use super::{Flag, Plain, explore, poll_once};
use bifrons::{Semaphore, block_on};
use loom::thread;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// Under loom a timeout passes at any later moment.
const SOON: Duration = Duration::from_secs(1);

/// One permit among two threads and a task: what one did with it, the next one sees.
///
/// Kills: weaker orderings of acquiring, queueing and returning; a waiter that queues at
/// permits that came between the look and the queue.
#[test]
fn exclusion() {
    explore("semaphore: exclusion", || {
        let shared = Arc::new((Semaphore::new(1), Plain::new()));
        let add = |(semaphore, data): &(Semaphore, Plain)| {
            let permit = semaphore.acquire();
            data.set(data.get() + 1);
            drop(permit);
        };
        let threads = [0; 2].map(|_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || add(&shared))
        });
        block_on(async {
            let permit = shared.0.acquire_async().await;
            shared.1.set(shared.1.get() + 1);
            drop(permit);
        });
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(shared.1.get(), 3);
        assert_eq!((shared.0.available(), shared.0.waiting()), (1, 0));
    });
}

/// A permit is granted while the waiter polls for no reason: from the moment that it sees the
/// grant it sees what was done with the permit.
///
/// Kills: a weaker ordering of the node's state; a weaker ordering of the grant.
#[test]
fn grant_publishes() {
    explore("semaphore: grant publishes", || {
        let shared = Arc::new((Arc::new(Semaphore::new(1)), Plain::new()));
        let permit = shared.0.acquire_owned();
        let mut wait = Box::pin(shared.0.acquire_async());
        assert!(poll_once(wait.as_mut()).is_pending());
        let other = Arc::clone(&shared);
        let holder = thread::spawn(move || {
            other.1.set(1);
            drop(permit);
        });
        let helper = {
            // Its permit is none of ours: it may be the one that grants.
            let other = Arc::clone(&shared);
            thread::spawn(move || other.0.resize(1))
        };
        match poll_once(wait.as_mut()) {
            Poll::Ready(_permit) => assert_eq!(shared.1.get(), 1),
            Poll::Pending => {
                let _permit = block_on(wait.as_mut());
                assert_eq!(shared.1.get(), 1);
            }
        }
        drop(wait);
        holder.join().unwrap();
        helper.join().unwrap();
        assert_eq!(shared.0.available(), 1);
    });
}

/// A permit is granted to the first waiter while its task drops it; the thread behind gets it.
///
/// Kills: a granted permit that is not returned.
#[test]
fn cancel_returns() {
    explore("semaphore: cancel returns", || {
        let semaphore = Arc::new(Semaphore::new(1));
        let permit = semaphore.acquire_owned();
        let mut first = Box::pin(semaphore.acquire_async());
        assert!(poll_once(first.as_mut()).is_pending());
        let other = Arc::clone(&semaphore);
        let second = thread::spawn(move || drop(other.acquire()));
        let holder = thread::spawn(move || drop(permit));
        drop(first);
        second.join().unwrap();
        holder.join().unwrap();
        assert_eq!((semaphore.available(), semaphore.waiting()), (1, 0));
    });
}

/// The same within one task. Few executions: of the two threads one has two sections to run.
///
/// Kills: a granted permit that is not returned.
#[test]
fn cancel_returns_within_a_task() {
    explore("semaphore: cancel returns within a task", || {
        let semaphore = Arc::new(Semaphore::new(1));
        let permit = semaphore.acquire_owned();
        let mut first = Box::pin(semaphore.acquire_async());
        let mut second = Box::pin(semaphore.acquire_async());
        assert!(poll_once(first.as_mut()).is_pending());
        let woken = Flag::new();
        assert!(woken.poll(second.as_mut()).is_pending());
        let holder = thread::spawn(move || drop(permit));
        drop(first);
        holder.join().unwrap();
        assert!(woken.is_woken());
        assert!(poll_once(second.as_mut()).is_ready());
    });
}

/// Between the return of a permit and its grant to the first waiter it can be seen to be there;
/// no newcomer takes it.
///
/// Kills: `try_acquire` that ignores the queue.
#[test]
fn nobody_overtakes() {
    explore("semaphore: nobody overtakes", || {
        let semaphore = Arc::new(Semaphore::new(1));
        let permit = semaphore.acquire_owned();
        let mut first = Box::pin(semaphore.acquire_async());
        assert!(poll_once(first.as_mut()).is_pending());
        let giver = thread::spawn(move || drop(permit));
        let other = Arc::clone(&semaphore);
        let newcomer = thread::spawn(move || other.try_acquire().is_some());
        assert!(!newcomer.join().unwrap());
        giver.join().unwrap();
        let Poll::Ready(permit) = poll_once(first.as_mut()) else { panic!("not granted") };
        permit.forget();
        assert_eq!(semaphore.available(), 0);
    });
}

/// A newcomer that has looked at a free semaphore registers while another one queues and a permit
/// comes: who registered first is served first.
///
/// Kills: a newcomer that takes under the list lock without looking at the list; a list that is
/// served from its end. Few executions: one return meets one registration.
#[test]
fn served_in_order() {
    explore("semaphore: served in order", || {
        let semaphore = Arc::new(Semaphore::new(1));
        let permit = semaphore.acquire_owned();
        let mut first = Box::pin(semaphore.acquire_async());
        assert!(poll_once(first.as_mut()).is_pending());
        let giver = thread::spawn(move || drop(permit));
        let mut second = Box::pin(semaphore.acquire_async());
        assert!(poll_once(second.as_mut()).is_pending());
        giver.join().unwrap();
        assert!(poll_once(second.as_mut()).is_pending());
        assert!(poll_once(first.as_mut()).is_ready());
    });
}

/// A permit has been returned, and who did so has not come to granting it: the poll of the first waiter,
/// which may be the last before a deadline, acquires it.
///
/// Kills: a queued waiter that leaves granting to others.
#[test]
fn returned_permit_is_acquired_by_a_poll() {
    explore("semaphore: returned permit is acquired by a poll", || {
        let semaphore = Arc::new(Semaphore::new(1));
        let held = semaphore.try_acquire_owned().unwrap();
        let mut wait = Box::pin(semaphore.acquire_async());
        assert!(poll_once(wait.as_mut()).is_pending());
        let thread = thread::spawn(move || drop(held));
        for _ in 0..2 {
            if semaphore.available() == 1 {
                assert!(poll_once(wait.as_mut()).is_ready(), "it is there");
                break;
            }
            thread::yield_now();
        }
        thread.join().unwrap();
        drop(wait);
        assert_eq!(semaphore.available(), 1);
    });
}

/// One release serves a thread and a task that are both waiting, or on their way; afterwards nobody
/// queues.
///
/// Kills: a grant that stops after the first, or that keeps the queue flag for those whom it has
/// served.
#[test]
fn one_release_serves_two() {
    explore("semaphore: one release serves two", || {
        let semaphore = Arc::new(Semaphore::new(0));
        let other = Arc::clone(&semaphore);
        let waiter = thread::spawn(move || other.acquire().forget());
        let other = Arc::clone(&semaphore);
        let giver = thread::spawn(move || other.release(2));
        block_on(semaphore.acquire_async()).forget();
        waiter.join().unwrap();
        giver.join().unwrap();
        semaphore.release(1);
        assert!(semaphore.try_acquire().is_some());
        assert_eq!((semaphore.available(), semaphore.waiting()), (1, 0));
    });
}

/// A release and the return of a permit serve a task and a thread that wait: the return finds the
/// queue flag that the release has left.
///
/// Kills: a queue flag that is cleared with a waiter left.
#[test]
fn release_and_return_serve_two() {
    explore("semaphore: release and return serve two", || {
        let semaphore = Arc::new(Semaphore::new(1));
        let permit = semaphore.acquire_owned();
        let mut task = Box::pin(semaphore.acquire_async());
        assert!(poll_once(task.as_mut()).is_pending());
        let other = Arc::clone(&semaphore);
        let waiter = thread::spawn(move || other.acquire().forget());
        let giver = thread::spawn(move || drop(permit));
        semaphore.release(1);
        block_on(task.as_mut()).forget();
        waiter.join().unwrap();
        giver.join().unwrap();
        assert_eq!((semaphore.available(), semaphore.waiting()), (0, 0));
    });
}

/// The first waiter wants more than there is, and leaves: the one behind, who needs less, is let
/// through, also while it is just registering.
///
/// Kills: a cancel that does not look at the next; a queue flag kept over an empty list; a waiter
/// that has left and is still counted.
#[test]
fn cancelled_head_lets_through() {
    explore("semaphore: cancelled head lets through", || {
        let semaphore = Arc::new(Semaphore::new(1));
        let mut head = Box::pin(semaphore.acquire_many_async(2));
        assert!(poll_once(head.as_mut()).is_pending());
        let other = Arc::clone(&semaphore);
        let small = thread::spawn(move || drop(other.acquire()));
        let other = Arc::clone(&semaphore);
        let task = thread::spawn(move || drop(block_on(other.acquire_async())));
        drop(head);
        small.join().unwrap();
        task.join().unwrap();
        assert!(semaphore.try_acquire().is_some());
        assert_eq!((semaphore.available(), semaphore.waiting()), (1, 0));
    });
}

/// The first waiter leaves while a permit comes that would have served it; the one behind takes
/// its part, and the rest stays.
///
/// Kills: a granted permit that is not returned.
#[test]
fn head_cancelled_against_release() {
    explore("semaphore: head cancelled against release", || {
        let semaphore = Arc::new(Semaphore::new(1));
        let mut head = Box::pin(semaphore.acquire_many_async(2));
        let mut small = Box::pin(semaphore.acquire_async());
        assert!(poll_once(head.as_mut()).is_pending());
        assert!(poll_once(small.as_mut()).is_pending());
        let other = Arc::clone(&semaphore);
        let giver = thread::spawn(move || other.release(1));
        drop(head);
        block_on(small.as_mut()).forget();
        drop(small);
        giver.join().unwrap();
        assert_eq!((semaphore.available(), semaphore.waiting()), (1, 0));
    });
}

/// A thread gives up while a permit is granted to it; the permit is there afterwards.
///
/// Kills: a granted permit that is not returned.
#[test]
fn timeout_against_grant() {
    explore("semaphore: timeout against grant", || {
        let semaphore = Arc::new(Semaphore::new(1));
        let permit = semaphore.acquire_owned();
        let other = Arc::clone(&semaphore);
        let timed = thread::spawn(move || drop(other.acquire_timeout(SOON)));
        let other = Arc::clone(&semaphore);
        let task = thread::spawn(move || drop(block_on(other.acquire_async())));
        drop(permit);
        task.join().unwrap();
        timed.join().unwrap();
        assert_eq!((semaphore.available(), semaphore.waiting()), (1, 0));
    });
}

/// A task polls with another waker while a permit is granted to it.
///
/// Kills: the stale waker kept (kanal 0.1.1); a waker stored in a node that has left the list.
#[test]
fn waker_changed() {
    explore("semaphore: waker changed", || {
        let semaphore = Arc::new(Semaphore::new(0));
        let mut wait = Box::pin(semaphore.acquire_async());
        assert!(poll_once(wait.as_mut()).is_pending());
        let other = Arc::clone(&semaphore);
        let giver = thread::spawn(move || other.release(1));
        block_on(wait.as_mut()).forget();
        giver.join().unwrap();
        assert_eq!(semaphore.available(), 0);
    });
}

/// A shrinking resize meets two returns: what is out pays the debt, in every order.
///
/// Kills: shrinking by no more than what is available.
#[test]
fn debt_against_return() {
    explore("semaphore: debt against return", || {
        let semaphore = Arc::new(Semaphore::new(2));
        let mut permit = semaphore.acquire_many_owned(2);
        let half = permit.split(1).unwrap();
        let holder = thread::spawn(move || drop(permit));
        let other = Arc::clone(&semaphore);
        let resizer = thread::spawn(move || other.resize(1));
        drop(half);
        holder.join().unwrap();
        resizer.join().unwrap();
        assert_eq!(semaphore.available(), 1);
    });
}

/// Two resizes at once, while a permit is out: the permits are what the later one said.
///
/// Kills: a total that is not kept.
#[test]
fn resize_against_resize() {
    explore("semaphore: resize against resize", || {
        let semaphore = Arc::new(Semaphore::bounded(1));
        let permit = semaphore.acquire_owned();
        let holder = thread::spawn(move || drop(permit));
        let other = Arc::clone(&semaphore);
        let shrink = thread::spawn(move || other.resize(0));
        semaphore.resize(2);
        shrink.join().unwrap();
        holder.join().unwrap();
        // The bound tells which came last.
        assert!(semaphore.try_release(1).is_err());
        let total = semaphore.available();
        assert!(total == 0 || total == 2, "{total}");
        semaphore.resize(1);
        assert_eq!(semaphore.available(), 1);
    });
}

/// A growing resize meets a waiter that is registering.
///
/// Kills: growing without waking.
#[test]
fn resize_serves() {
    explore("semaphore: resize serves", || {
        let semaphore = Arc::new(Semaphore::bounded(0));
        let other = Arc::clone(&semaphore);
        let waiter = thread::spawn(move || drop(other.acquire_many(2)));
        semaphore.resize(1);
        semaphore.resize(2);
        waiter.join().unwrap();
        assert_eq!((semaphore.available(), semaphore.waiting()), (2, 0));
    });
}

/// Permits are taken out of circulation while somebody acquires one of them.
///
/// Kills: taking out what was seen rather than what is there.
#[test]
fn forget_against_acquire() {
    explore("semaphore: forget against acquire", || {
        let semaphore = Arc::new(Semaphore::new(2));
        let other = Arc::clone(&semaphore);
        let taker = thread::spawn(move || match other.try_acquire() {
            Some(permit) => {
                permit.forget();
                1
            }
            None => 0,
        });
        let other = Arc::clone(&semaphore);
        let passer_by = thread::spawn(move || drop(other.acquire_timeout(SOON)));
        let forgotten = semaphore.forget_available(2);
        let taken = taker.join().unwrap();
        passer_by.join().unwrap();
        let left = semaphore.available();
        assert_eq!(forgotten + taken + left, 2);
        assert_eq!(semaphore.forget_available(2), left);
        semaphore.release(1);
        assert_eq!(semaphore.available(), 1);
    });
}

/// Permits are taken out of circulation between the return of one and its grant: it is the first
/// waiter's by then.
///
/// Kills: taking out what is there, whoever waits for it. Few executions: one RMW and one section of
/// the list lock meet another.
#[test]
fn forget_against_return() {
    explore("semaphore: forget against return", || {
        let semaphore = Arc::new(Semaphore::new(1));
        let permit = semaphore.acquire_owned();
        let mut waiter = Box::pin(semaphore.acquire_async());
        assert!(poll_once(waiter.as_mut()).is_pending());
        let giver = thread::spawn(move || drop(permit));
        assert_eq!(semaphore.forget_available(1), 0);
        giver.join().unwrap();
        assert!(poll_once(waiter.as_mut()).is_ready());
    });
}

/// A shrinking resize meets permits that are being forgotten: what is forgotten has not been
/// written off as well.
///
/// Kills: permits that are taken out of circulation and still counted.
#[test]
fn resize_against_forget() {
    // Fewer than 50 executions: both decide in one section of the list lock.
    explore("semaphore: resize against forget", || {
        let semaphore = Arc::new(Semaphore::new(1));
        let other = Arc::clone(&semaphore);
        let thread = thread::spawn(move || other.resize(0));
        semaphore.forget_available(1);
        thread.join().unwrap();
        semaphore.release(1);
        assert_eq!(semaphore.available(), 1);
    });
}

/// Permits that are owed are forgotten while others are released: so many do not fit the bound,
/// whichever comes first.
///
/// Kills: a debt that outlives the permits; a total that is looked at twice. Few executions: one RMW
/// meets one section of the list lock.
#[test]
fn debt_forgotten_against_release() {
    explore("semaphore: debt forgotten against release", || {
        let semaphore = Arc::new(Semaphore::bounded(3));
        let permits = semaphore.acquire_many_owned(3);
        semaphore.resize(1);
        let other = Arc::clone(&semaphore);
        let giver = thread::spawn(move || other.try_release(3).is_err());
        permits.forget();
        assert!(giver.join().unwrap());
        semaphore.release(1);
        assert_eq!(semaphore.available(), 1);
    });
}

/// The last permit that is out is forgotten while a resize makes it a debt: nobody is left to pay,
/// and the next release is available.
///
/// Kills: a debt that outlives the permits. Few executions: one RMW meets one section of the list
/// lock.
#[test]
fn permit_forgotten_against_shrink() {
    explore("semaphore: permit forgotten against shrink", || {
        let semaphore = Arc::new(Semaphore::new(1));
        let permit = semaphore.acquire_owned();
        let other = Arc::clone(&semaphore);
        let shrinker = thread::spawn(move || other.resize(0));
        permit.forget();
        shrinker.join().unwrap();
        assert_eq!(semaphore.available(), 0);
        semaphore.release(1);
        assert_eq!(semaphore.available(), 1);
    });
}
