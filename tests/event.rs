//! What `Event` promises, in each face and with all faces on one event.

#![cfg(not(loom))]

mod common;

use bifrons::{Event, EventFuture, block_on};
use common::{Counter, Face, LONG, eventually, lasts, panics, poll_once};
use futures::future::FusedFuture;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// More than two batches of wake-ups.
const MANY: usize = 100;

type Waiter<'a> = (Arc<Counter>, Pin<Box<EventFuture<'a>>>);

/// Waiters with their counting wakers, each polled once.
fn register(event: &Event, n: usize) -> Vec<Waiter<'_>> {
    let before = event.waiting();
    let waiters: Vec<_> = (0..n)
        .map(|_| {
            let (counter, mut waiter) = (Counter::new(), Box::pin(event.wait_async()));
            assert!(counter.poll(waiter.as_mut()).is_pending());
            (counter, waiter)
        })
        .collect();
    assert_eq!(event.waiting(), before + n);
    waiters
}

fn all_woken(waiters: &[Waiter<'_>], times: usize) -> bool {
    waiters.iter().all(|(counter, _)| counter.wakes() == times)
}

fn all_ready(waiters: &mut [Waiter<'_>]) -> bool {
    waiters.iter_mut().all(|(counter, waiter)| counter.poll(waiter.as_mut()).is_ready())
}

fn none_ready(waiters: &mut [Waiter<'_>]) -> bool {
    waiters.iter_mut().all(|(counter, waiter)| counter.poll(waiter.as_mut()).is_pending())
}

#[test]
fn an_event_starts_clear_and_follows_set_and_clear() {
    static IN_A_STATIC: Event = Event::new();
    assert!(!IN_A_STATIC.is_set());
    let event = Event::default();
    for _ in 0..2 {
        for _ in 0..2 {
            event.clear();
            assert!(!event.is_set());
        }
        for _ in 0..2 {
            event.set();
            assert!(event.is_set());
        }
    }
}

#[test]
fn debug_shows_the_flag_and_the_waiters() {
    let event = Event::new();
    let waiters = register(&event, 2);
    assert_eq!(format!("{event:?}"), "Event { set: false, waiting: 2 }");
    assert!(format!("{:?}", waiters[0].1).contains("Queued"));
    event.set();
    assert_eq!(format!("{event:?}"), "Event { set: true, waiting: 0 }");
}

#[test]
fn five_waiters_all_wake_on_one_set_again_and_again() {
    for cast in Face::casts(5) {
        let (event, freed) = (Event::new(), AtomicUsize::new(0));
        for _round in 0..3 {
            thread::scope(|scope| {
                for face in cast.iter().copied() {
                    let (event, freed) = (&event, &freed);
                    scope.spawn(move || {
                        face.wait(event);
                        freed.fetch_add(1, Ordering::SeqCst);
                        // It is still set: nobody waits twice.
                        face.wait(event);
                    });
                }
                eventually("all five wait", || event.waiting() == 5);
                assert_eq!(freed.load(Ordering::SeqCst), 0);
                event.set();
            });
            assert_eq!((freed.swap(0, Ordering::SeqCst), event.waiting()), (5, 0));
            event.clear();
        }
    }
}

#[test]
fn a_clear_right_behind_the_set_frees_nobody_less() {
    for cast in Face::casts(5) {
        let event = Event::new();
        for _round in 0..20 {
            thread::scope(|scope| {
                for face in cast.iter().copied() {
                    let event = &event;
                    scope.spawn(move || face.wait(event));
                }
                eventually("all five wait", || event.waiting() == 5);
                event.set();
                event.clear();
            });
            assert!(!event.is_set());
            assert_eq!(event.waiting(), 0);
        }
    }
}

#[test]
fn a_set_frees_more_than_one_batch_and_nobody_who_came_after_the_clear() {
    let event = Event::new();
    let mut early = register(&event, MANY);
    let mut unpolled = Box::pin(event.wait_async());
    event.set();
    event.clear();
    assert_eq!(event.waiting(), 0);
    let mut late = register(&event, MANY);
    assert!(poll_once(unpolled.as_mut()).is_pending(), "unpolled, it was not waiting");
    assert!(all_woken(&early, 1) && all_woken(&late, 0));
    assert!(all_ready(&mut early) && none_ready(&mut late));
    event.set();
    assert!(all_woken(&late, 1) && all_ready(&mut late));
    assert!(poll_once(unpolled.as_mut()).is_ready());
    assert!(all_woken(&early, 1));
}

/// A waker that clears the event, and begins a new wait on it.
struct WaitAgain {
    event: &'static Event,
    waiter: Mutex<Option<Pin<Box<EventFuture<'static>>>>>,
    wakes: AtomicUsize,
}

impl Wake for WaitAgain {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        self.event.clear();
        let mut waiter = Box::pin(self.event.wait_async());
        let waker = Waker::from(Arc::clone(&self));
        assert!(waiter.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(self.waiter.lock().unwrap().replace(waiter));
    }
}

#[test]
fn whoever_waits_again_while_others_are_being_woken_waits_for_the_next_set() {
    static EVENT: Event = Event::new();
    let waiters: Vec<_> = (0..MANY)
        .map(|_| {
            Arc::new(WaitAgain {
                event: &EVENT,
                waiter: Mutex::new(None),
                wakes: AtomicUsize::new(0),
            })
        })
        .collect();
    for waiter in &waiters {
        let mut future = Box::pin(EVENT.wait_async());
        let waker = Waker::from(Arc::clone(waiter));
        assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        *waiter.waiter.lock().unwrap() = Some(future);
    }
    for round in 1..=3 {
        EVENT.set();
        assert!(!EVENT.is_set(), "the wakers have cleared it");
        assert!(waiters.iter().all(|waiter| waiter.wakes.load(Ordering::SeqCst) == round));
        assert_eq!(EVENT.waiting(), MANY);
    }
    for waiter in waiters {
        drop(waiter.waiter.lock().unwrap().take());
    }
    assert_eq!(EVENT.waiting(), 0);
}

#[test]
fn a_set_event_lets_everyone_pass_at_once_whatever_the_deadline() {
    let event = Event::new();
    event.set();
    let now = Instant::now();
    for _ in 0..2 {
        for timeout in [Duration::ZERO, Duration::from_secs(5), LONG, Duration::MAX] {
            assert!(event.wait_timeout(timeout).is_ok());
        }
        for deadline in [now, now.checked_sub(Duration::from_secs(1)).unwrap_or(now), now + LONG] {
            assert!(event.wait_deadline(deadline).is_ok());
        }
        event.wait();
        let mut task = pin!(event.wait_async());
        assert!(poll_once(task.as_mut()).is_ready());
    }
    assert!(now.elapsed() < Duration::from_secs(5), "something waited");
}

#[test]
fn a_timed_wait_lasts_and_leaves_no_waiter() {
    const TIME: Duration = Duration::from_millis(30);
    let event = Event::new();
    assert!(event.wait_timeout(Duration::ZERO).is_err());
    assert!(event.wait_deadline(Instant::now()).is_err());
    thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| lasts(TIME, || assert!(event.wait_timeout(TIME).is_err())));
        }
    });
    lasts(TIME, || assert!(event.wait_deadline(Instant::now() + TIME).is_err()));
    assert_eq!(event.waiting(), 0);
    event.set();
    assert!(event.wait_timeout(Duration::ZERO).is_ok());
}

#[test]
fn a_timeout_beyond_the_clock_waits_for_ever() {
    let event = Event::new();
    thread::scope(|scope| {
        scope.spawn(|| event.wait_timeout(Duration::MAX).unwrap());
        eventually("it waits", || event.waiting() == 1);
        event.set();
    });
}

#[test]
fn those_who_queued_and_those_who_come_later_all_pass() {
    let event = Event::new();
    let order = Mutex::new(Vec::new());
    let wait = async |name| {
        event.wait_async().await;
        order.lock().unwrap().push(name);
    };
    let (mut first, mut second) = (Box::pin(wait(1)), Box::pin(wait(2)));
    assert!(poll_once(first.as_mut()).is_pending());
    assert!(poll_once(second.as_mut()).is_pending());
    event.set();
    // It comes last, and need not wait until the others have run.
    block_on(wait(3));
    block_on(first);
    block_on(second);
    assert_eq!(*order.lock().unwrap(), [3, 1, 2]);
}

#[test]
fn a_cancelled_wait_leaves_no_waiter() {
    let event = Event::new();
    drop(event.wait_async());
    let mut waiters = register(&event, 3);
    drop(waiters.remove(1));
    assert_eq!(event.waiting(), 2);
    event.set();
    assert!(all_woken(&waiters, 1) && all_ready(&mut waiters));
    assert_eq!(event.waiting(), 0);
}

#[test]
fn freed_waiters_that_go_away_owe_nothing() {
    let event = Event::new();
    let waiters = register(&event, 3);
    event.set();
    event.clear();
    let mut late = register(&event, 3);
    drop(waiters);
    assert!(all_woken(&late, 0) && none_ready(&mut late));
    drop(late);
    assert_eq!(event.waiting(), 0);
}

#[test]
fn set_clear_set_set_frees_one_waiter_once() {
    for face in Face::ALL {
        let (event, freed) = (Event::new(), AtomicUsize::new(0));
        thread::scope(|scope| {
            scope.spawn(|| {
                face.wait(&event);
                freed.fetch_add(1, Ordering::SeqCst);
            });
            eventually("it waits", || event.waiting() == 1);
            event.set();
            event.clear();
            event.set();
            event.set();
        });
        assert_eq!((freed.into_inner(), event.waiting()), (1, 0));
    }
    let event = Event::new();
    let waiters = register(&event, 1);
    for _ in 0..2 {
        event.set();
        event.clear();
        event.set();
    }
    assert!(all_woken(&waiters, 1));
}

#[test]
fn a_waiter_that_finds_the_flag_set_leaves_the_queue() {
    // The last in the queue is polled while the first batch is being woken.
    struct PollLast(Mutex<Option<Pin<Box<EventFuture<'static>>>>>, AtomicUsize);
    impl Wake for PollLast {
        fn wake(self: Arc<Self>) {
            if let Some(mut other) = self.0.lock().unwrap().take() {
                assert!(poll_once(other.as_mut()).is_ready());
                self.1.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
    static EVENT: Event = Event::new();
    let last = Arc::new(PollLast(Mutex::new(None), AtomicUsize::new(0)));
    let mut first = Box::pin(EVENT.wait_async());
    let waker = Waker::from(Arc::clone(&last));
    assert!(first.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let mut between = register(&EVENT, MANY);
    *last.0.lock().unwrap() = between.pop().map(|(_, waiter)| waiter);
    EVENT.set();
    assert_eq!(last.1.load(Ordering::SeqCst), 1);
    assert!(all_woken(&between, 1) && all_ready(&mut between));
    assert_eq!(EVENT.waiting(), 0);
    assert!(poll_once(first.as_mut()).is_ready());
}

#[test]
fn a_finished_future_says_so_and_panics_when_polled() {
    let event = Event::new();
    let mut waiter = pin!(event.wait_async());
    assert!(!waiter.is_terminated());
    event.set();
    assert!(poll_once(waiter.as_mut()).is_ready());
    assert!(waiter.is_terminated());
    assert!(panics(|| poll_once(waiter.as_mut())));
}

#[test]
fn the_last_waker_is_the_one_that_is_woken() {
    let event = Event::new();
    let (old, new) = (Counter::new(), Counter::new());
    let mut waiter = pin!(event.wait_async());
    assert!(old.poll(waiter.as_mut()).is_pending());
    assert!(new.poll(waiter.as_mut()).is_pending());
    assert_eq!(Arc::strong_count(&old), 1, "a waker that is not needed is let go");
    event.set();
    assert_eq!((old.wakes(), new.wakes()), (0, 1));
    assert!(new.poll(waiter).is_ready());
    assert_eq!(Arc::strong_count(&new), 1);
}

#[test]
fn threads_and_tasks_signal_each_other_without_a_pause() {
    const ROUNDS: usize = 500;
    for asker in Face::ALL {
        for answerer in Face::ALL {
            let (question, answer) = (Event::new(), Event::new());
            thread::scope(|scope| {
                scope.spawn(|| {
                    for _ in 0..ROUNDS {
                        question.set();
                        asker.wait(&answer);
                        answer.clear();
                    }
                });
                scope.spawn(|| {
                    for _ in 0..ROUNDS {
                        answerer.wait(&question);
                        question.clear();
                        answer.set();
                    }
                });
            });
            assert!(!question.is_set() && !answer.is_set());
        }
    }
}
