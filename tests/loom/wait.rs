//! Models of the core: the parker and `drive`, under futures that are nothing but a waker.

use super::{Flag, Plain, explore};
use bifrons::{Event, block_on, block_on_timeout};
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

/// Under loom a timeout passes at any later moment.
const SOON: Duration = Duration::from_secs(1);

/// A waker is called between the poll that left it and the park.
///
/// Kills: a park that overwrites the token; an unpark that does not wait for the sleeper to sleep;
/// weaker orderings of setting and of taking the token, the only thing that orders the data.
/// Few executions: one wake-up meets one park, and nothing else.
#[test]
fn wake_between_poll_and_park() {
    explore("wait: wake between poll and park", || {
        let data = Arc::new(Plain::new());
        let mut thread = None;
        block_on(poll_fn(|cx| {
            if thread.is_some() {
                return Poll::Ready(());
            }
            let (waker, data) = (cx.waker().clone(), Arc::clone(&data));
            thread = Some(thread::spawn(move || {
                data.set(1);
                waker.wake();
            }));
            Poll::Pending
        }));
        assert_eq!(data.get(), 1);
        thread.unwrap().join().unwrap();
    });
}

/// Two wakers are called at once; the sleeper, who wakes once, sees what both did before.
///
/// Kills: an unpark that does nothing where the token is there already (rust#53366).
#[test]
fn each_wake_counts() {
    explore("wait: each wake counts", || {
        let done = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let mut threads = Vec::new();
        block_on(poll_fn(|cx| {
            if threads.is_empty() {
                for i in 0..2 {
                    let (waker, done) = (cx.waker().clone(), Arc::clone(&done));
                    threads.push(thread::spawn(move || {
                        // Relaxed: the wake-up is to publish it.
                        done[i].store(1, Ordering::Relaxed);
                        waker.wake();
                    }));
                }
            }
            if done.iter().all(|done| done.load(Ordering::Relaxed) == 1) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// A poll inside `block_on` blocks in turn, and meanwhile the outer future is woken: both share the
/// thread's token.
///
/// Kills: a nested wait that leaves without setting the token again.
#[test]
fn nested_wait_keeps_the_outer_wake_up() {
    explore("wait: nested wait keeps the outer wake-up", || {
        let events = Arc::new([Event::new(), Event::new()]);
        let other = Arc::clone(&events);
        let setter = thread::spawn(move || {
            other[0].set();
            other[1].set();
        });
        let mut outer = Box::pin(events[0].wait_async());
        let mut nested = false;
        block_on(poll_fn(|cx| {
            let poll = outer.as_mut().poll(cx);
            if poll.is_pending() && !nested {
                nested = true;
                events[1].wait();
            }
            poll
        }));
        setter.join().unwrap();
    });
}

/// The nested wait times out instead.
///
/// Kills: a nested wait that leaves without setting the token again.
#[test]
fn nested_timeout_keeps_the_outer_wake_up() {
    explore("wait: nested timeout keeps the outer wake-up", || {
        let events = Arc::new([Event::new(), Event::new()]);
        let other = Arc::clone(&events);
        let setter = thread::spawn(move || other[0].set());
        let mut outer = Box::pin(events[0].wait_async());
        let mut nested = false;
        block_on(poll_fn(|cx| {
            let poll = outer.as_mut().poll(cx);
            if poll.is_pending() && !nested {
                nested = true;
                assert!(events[1].wait_timeout(SOON).is_err());
            }
            poll
        }));
        setter.join().unwrap();
    });
}

/// A wake-up comes at the deadline; the next wait on the same thread starts from a clean token, and
/// sleeps.
///
/// Kills: a token that still says parked after the deadline.
#[test]
fn timed_park() {
    explore("wait: timed park", || {
        let event = Arc::new(Event::new());
        let after = Arc::new(Event::new());
        let others = (Arc::clone(&event), Arc::clone(&after));
        let setter = thread::spawn(move || {
            others.0.set();
            others.1.set();
        });
        let _ = event.wait_timeout(SOON);
        after.wait();
        setter.join().unwrap();
        assert_eq!((event.waiting(), after.waiting()), (0, 0));
    });
}

/// At the deadline the future is polled once more: what is there beats a deadline that has passed.
///
/// Kills: no poll at the deadline. Few executions: one wake-up meets one park.
#[test]
fn last_poll_at_the_deadline() {
    explore("wait: last poll at the deadline", || {
        let slot = Arc::new(Mutex::new((false, None::<Waker>)));
        let other = Arc::clone(&slot);
        let setter = thread::spawn(move || {
            let mut slot = other.lock().unwrap();
            slot.0 = true;
            let waker = slot.1.take();
            drop(slot);
            if let Some(waker) = waker {
                waker.wake();
            }
        });
        let mut polls = 0;
        let result = block_on_timeout(
            poll_fn(|cx| {
                polls += 1;
                let mut slot = slot.lock().unwrap();
                if slot.0 {
                    return Poll::Ready(());
                }
                slot.1 = Some(cx.waker().clone());
                Poll::Pending
            }),
            SOON,
        );
        assert!(result.is_ok() || polls > 1);
        setter.join().unwrap();
    });
}

/// A future wakes itself until another thread is done, or its time is up: either may come first.
///
/// Kills: a deadline that is not asked for where the thread never sleeps. Few executions: one store
/// meets one loop.
#[test]
fn deadline_of_a_future_that_wakes_itself() {
    // Not loom's: how often each came first, in all executions.
    let (done, expired) = (Flag::new(), Flag::new());
    let (set_done, set_expired) = (Arc::clone(&done), Arc::clone(&expired));
    explore("wait: deadline of a future that wakes itself", move || {
        let flag = Arc::new(AtomicUsize::new(0));
        let other = Arc::clone(&flag);
        let setter = thread::spawn(move || other.store(1, Ordering::Release));
        let mut polls = 0;
        let result = block_on_timeout(
            poll_fn(|cx| {
                polls += 1;
                assert!(polls < 5, "its time is up");
                // A read-modify-write: loom may feed a stale value to a loop of loads for ever.
                if flag.fetch_or(0, Ordering::Acquire) == 1 {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            }),
            SOON,
        );
        if result.is_ok() { &set_done } else { &set_expired }.wake_by_ref();
        setter.join().unwrap();
    });
    assert!(done.is_woken() && expired.is_woken());
}
