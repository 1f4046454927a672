//! Models of `Event`.

use super::{Flag, Plain, explore, poll_once};
use bifrons::{Event, block_on};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use std::sync::Arc;
use std::time::Duration;

/// Under loom a timeout passes at any later moment.
const SOON: Duration = Duration::from_secs(1);

/// A thread and a task come to wait while the event is set.
///
/// Kills: a waiter that registers at a set flag, or is not announced; a `set` that does not see who
/// registered after its look; weaker orderings of `set` with and without waiters and of each look
/// at the flag.
#[test]
fn set_against_register() {
    explore("event: set against register", || {
        let shared = Arc::new((Event::new(), Plain::new()));
        let other = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            other.0.wait();
            assert_eq!(other.1.get(), 1);
        });
        let other = Arc::clone(&shared);
        let setter = thread::spawn(move || {
            other.1.set(1);
            other.0.set();
        });
        block_on(shared.0.wait_async());
        assert_eq!(shared.1.get(), 1);
        thread.join().unwrap();
        setter.join().unwrap();
        assert!(shared.0.is_set());
        assert_eq!(shared.0.waiting(), 0);
    });
}

/// A waiter is freed while it polls for no reason, by a `set` that is undone at once: only its own
/// state can tell it, and with it come the writes before the `set`.
///
/// Kills: a weaker ordering of the node's state; a freed waiter that looks at the flag again.
#[test]
fn set_and_clear_publish() {
    explore("event: set and clear publish", || {
        let shared = Arc::new((Event::new(), Plain::new()));
        let mut wait = Box::pin(shared.0.wait_async());
        assert!(poll_once(wait.as_mut()).is_pending());
        let other = Arc::clone(&shared);
        let setter = thread::spawn(move || {
            other.1.set(1);
            other.0.set();
            other.0.clear();
        });
        if poll_once(wait.as_mut()).is_pending() {
            block_on(wait.as_mut());
        }
        assert_eq!(shared.1.get(), 1);
        setter.join().unwrap();
        assert_eq!(shared.0.waiting(), 0);
    });
}

/// Three waiters, more than a batch, are freed by a `set` that is undone by another thread between
/// the batches.
///
/// Kills: a wake-up of one batch only; a freed waiter that looks at the flag again, or is still
/// counted.
#[test]
fn set_and_clear_free_everyone() {
    explore("event: set and clear free everyone", || {
        let event = Arc::new(Event::new());
        let mut waits = [0; 3].map(|_| Box::pin(event.wait_async()));
        for wait in &mut waits {
            assert!(poll_once(wait.as_mut()).is_pending());
        }
        let other = Arc::clone(&event);
        let setter = thread::spawn(move || other.set());
        let other = Arc::clone(&event);
        let clearer = thread::spawn(move || other.clear());
        for wait in waits.iter_mut().rev() {
            block_on(wait.as_mut());
        }
        setter.join().unwrap();
        clearer.join().unwrap();
        assert_eq!(event.waiting(), 0);
    });
}

/// Two waiters fill the first batch of a `set`, and a third one keeps the queue announced. Who
/// looked before the flag was there, and comes to wait between the batches, finds it.
///
/// Kills: a waiter that does not look at the flag behind others. Few executions: two threads, one
/// of which has two sections to run.
#[test]
fn newcomer_between_batches() {
    explore("event: newcomer between batches", || {
        let event = Arc::new(Event::new());
        let mut early = [0; 3].map(|_| Box::pin(event.wait_async()));
        for wait in &mut early {
            assert!(poll_once(wait.as_mut()).is_pending());
        }
        let other = Arc::clone(&event);
        let setter = thread::spawn(move || other.set());
        block_on(event.wait_async());
        setter.join().unwrap();
        assert_eq!(event.waiting(), 0);
    });
}

/// Two waiters fill the first batch of a `set`. Another thread sees the flag, clears it and waits:
/// the second batch must leave it alone, and the next `set` free it.
///
/// Kills: the epoch ignored; the flag set before the epoch; the queue flag taken back by a `set`
/// that leaves a late waiter.
#[test]
fn late_arrival_stays() {
    explore("event: late arrival stays", || {
        let event = Arc::new(Event::new());
        let mut early = [0; 2].map(|_| Box::pin(event.wait_async()));
        for wait in &mut early {
            assert!(poll_once(wait.as_mut()).is_pending());
        }
        let other = Arc::clone(&event);
        let setter = thread::spawn(move || other.set());
        let mut late = Box::pin(event.wait_async());
        // loom remembers one access per object: the look alone it would not move behind `set`.
        thread::yield_now();
        let came_late = event.is_set();
        if came_late {
            event.clear();
            assert!(poll_once(late.as_mut()).is_pending());
        }
        setter.join().unwrap();
        for wait in &mut early {
            assert!(poll_once(wait.as_mut()).is_ready());
        }
        assert_eq!(event.waiting(), usize::from(came_late));
        assert!(!came_late || poll_once(late.as_mut()).is_pending());
        event.set();
        assert_eq!(event.waiting(), 0);
    });
}

/// The same in the other face: a thread sees the flag before the one early waiter is out of the
/// list, clears it, and waits until it loses patience.
///
/// Kills: the flag set before the epoch. Few executions: two threads, one of which has a single
/// section to run.
#[test]
fn late_thread_stays() {
    explore("event: late thread stays", || {
        let event = Arc::new(Event::new());
        let mut early = Box::pin(event.wait_async());
        assert!(poll_once(early.as_mut()).is_pending());
        let other = Arc::clone(&event);
        let setter = thread::spawn(move || other.set());
        thread::yield_now();
        if event.is_set() {
            event.clear();
            assert!(event.wait_timeout(SOON).is_err());
        }
        setter.join().unwrap();
        assert!(poll_once(early.as_mut()).is_ready());
        assert_eq!(event.waiting(), 0);
    });
}

/// A worker clears the event, looks for work, and waits; a producer adds work and sets the event,
/// which is set already. Either the look finds the work or the wait ends.
///
/// Kills: `set` that does nothing on a set event; a weaker ordering of `clear`.
#[test]
fn set_on_a_set_event_publishes() {
    explore("event: set on a set event publishes", || {
        let shared = Arc::new((Event::new(), AtomicUsize::new(0)));
        shared.0.set();
        let other = Arc::clone(&shared);
        let producer = thread::spawn(move || {
            other.1.store(1, Ordering::Relaxed);
            other.0.set();
        });
        let (event, work) = &*shared;
        event.clear();
        if work.load(Ordering::Relaxed) == 0 {
            event.wait();
        }
        assert_eq!(work.load(Ordering::Relaxed), 1);
        producer.join().unwrap();
    });
}

/// The first waiter is dropped by its task while a `set` frees it; the thread behind is freed.
///
/// Kills: a withdrawal that trusts a look at the state before it has the list lock; the queue flag
/// taken back on cancel.
#[test]
fn cancel_against_set() {
    explore("event: cancel against set", || {
        let event = Arc::new(Event::new());
        let mut first = Box::pin(event.wait_async());
        assert!(poll_once(first.as_mut()).is_pending());
        let other = Arc::clone(&event);
        let second = thread::spawn(move || other.wait());
        let other = Arc::clone(&event);
        let setter = thread::spawn(move || other.set());
        drop(first);
        second.join().unwrap();
        setter.join().unwrap();
        assert_eq!(event.waiting(), 0);
    });
}

/// The second of three tasks' waiters is dropped while a `set` frees them.
///
/// Kills: a withdrawal that trusts a look at the state before it has the list lock; the queue flag
/// taken back on cancel. Few executions: of the two threads one has a single section to run.
#[test]
fn cancel_against_set_of_tasks() {
    explore("event: cancel against set of tasks", || {
        let event = Arc::new(Event::new());
        let flags = [0; 3].map(|_| Flag::new());
        let mut waits = [0; 3].map(|_| Some(Box::pin(event.wait_async())));
        for (flag, wait) in flags.iter().zip(&mut waits) {
            assert!(flag.poll(wait.as_mut().unwrap().as_mut()).is_pending());
        }
        let other = Arc::clone(&event);
        let setter = thread::spawn(move || other.set());
        waits[1] = None;
        setter.join().unwrap();
        assert!(flags[0].is_woken() && flags[2].is_woken());
        assert_eq!(event.waiting(), 0);
    });
}

/// A thread gives up while the event is set: the count is right afterwards, and the event works.
///
/// Kills: a waiter that has left and is still counted; a withdrawal that trusts a look at the state
/// before it has the list lock; the queue flag taken back by a waiter that leaves another one.
#[test]
fn timeout_against_set() {
    explore("event: timeout against set", || {
        let event = Arc::new(Event::new());
        let other = Arc::clone(&event);
        let timed = thread::spawn(move || other.wait_timeout(SOON).is_ok());
        let other = Arc::clone(&event);
        let task = thread::spawn(move || block_on(other.wait_async()));
        event.set();
        task.join().unwrap();
        timed.join().unwrap();
        assert_eq!(event.waiting(), 0);
        event.clear();
        assert!(!event.is_set());
    });
}

/// A task polls with another waker while the event is set and cleared.
///
/// Kills: the stale waker kept (kanal 0.1.1); a waker stored in a node that has left the list.
#[test]
fn waker_changed() {
    explore("event: waker changed", || {
        let event = Arc::new(Event::new());
        let mut wait = Box::pin(event.wait_async());
        assert!(poll_once(wait.as_mut()).is_pending());
        let other = Arc::clone(&event);
        let setter = thread::spawn(move || {
            other.set();
            other.clear();
        });
        loom::future::block_on(wait.as_mut());
        setter.join().unwrap();
    });
}
