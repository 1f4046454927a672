//! What `Semaphore` promises, in each face and with all faces on one semaphore.

#![cfg(not(loom))]

mod common;

use bifrons::{AcquireFuture, ReleaseError, Semaphore, block_on};
use common::{Counter, Face, LONG, Random, eventually, lasts, panics, poll_once};
use futures::future::{FusedFuture, join4};
use std::cell::RefCell;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

const MAX: usize = Semaphore::MAX_PERMITS;

/// Whether an acquire would wait.
fn is_exhausted(semaphore: &Semaphore) -> bool {
    semaphore.available() == 0 && semaphore.try_acquire().is_none()
}

/// Waiters with their counting wakers, each polled once.
fn queue_up<'a>(
    semaphore: &'a Semaphore,
    counts: &[usize],
) -> Vec<(Arc<Counter>, Pin<Box<AcquireFuture<'a>>>)> {
    let before = semaphore.waiting();
    let queue: Vec<_> = counts
        .iter()
        .map(|n| {
            let (counter, mut waiter) =
                (Counter::new(), Box::pin(semaphore.acquire_many_async(*n)));
            assert!(counter.poll(waiter.as_mut()).is_pending());
            (counter, waiter)
        })
        .collect();
    assert_eq!(semaphore.waiting(), before + counts.len());
    queue
}

fn wakes<F>(queue: &[(Arc<Counter>, F)]) -> Vec<usize> {
    queue.iter().map(|(counter, _)| counter.wakes()).collect()
}

#[test]
fn the_default_is_one_permit_and_the_second_waits_for_its_return() {
    for first in Face::ALL {
        for second in Face::ALL {
            let semaphore = Semaphore::default();
            let permit = first.acquire(&semaphore, 1);
            assert!(is_exhausted(&semaphore));
            thread::scope(|scope| {
                let waiter = scope.spawn(|| second.acquire(&semaphore, 1).count());
                eventually("it waits", || semaphore.waiting() == 1);
                drop(permit);
                assert_eq!(waiter.join().unwrap(), 1);
            });
            assert_eq!((semaphore.available(), semaphore.waiting()), (1, 0));
        }
    }
}

#[test]
fn within_the_count_nobody_waits() {
    let semaphore = Arc::new(Semaphore::new(6));
    let mut permits = Vec::new();
    let mut owned = Vec::new();
    for face in Face::ALL {
        permits.push(face.acquire(&semaphore, 1));
        owned.push(face.acquire_owned(&semaphore, 1));
    }
    assert!(is_exhausted(&semaphore));
    drop(permits);
    drop(owned);
    assert_eq!(semaphore.available(), 6);
}

#[test]
fn a_semaphore_may_be_dropped_while_permits_are_out() {
    for face in Face::ALL {
        let semaphore = Box::new(Semaphore::new(1));
        std::mem::forget(face.acquire(&semaphore, 1));
        assert!(is_exhausted(&semaphore));
        drop(semaphore);

        let semaphore = Arc::new(Semaphore::new(1));
        let permit = face.acquire_owned(&semaphore, 1);
        let watch = Arc::downgrade(&semaphore);
        drop(semaphore);
        assert_eq!(permit.semaphore().available(), 0);
        drop(permit);
        assert!(watch.upgrade().is_none());
    }
}

#[test]
fn each_release_lets_one_through() {
    ten_acquire_twice(|semaphore, n| (0..n).for_each(|_| semaphore.release(1)));
}

#[test]
fn a_release_of_n_lets_n_through() {
    ten_acquire_twice(|semaphore, n| semaphore.release(n));
}

fn ten_acquire_twice(release: impl Fn(&Semaphore, usize)) {
    for cast in Face::casts(10) {
        let semaphore = Semaphore::new(7);
        let (acquired, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let held = semaphore.acquire();
        thread::scope(|scope| {
            for face in cast {
                let (semaphore, acquired, finished) = (&semaphore, &acquired, &finished);
                scope.spawn(move || {
                    for _ in 0..2 {
                        face.acquire(semaphore, 1).forget();
                        acquired.fetch_add(1, Ordering::SeqCst);
                    }
                    finished.fetch_add(1, Ordering::SeqCst);
                });
            }
            let all_others_wait = |expected| {
                eventually("as many as there are permits, and the others wait", || {
                    acquired.load(Ordering::SeqCst) == expected
                        && semaphore.waiting() == 10 - finished.load(Ordering::SeqCst)
                });
                assert!(is_exhausted(&semaphore));
            };
            all_others_wait(6);
            release(&semaphore, 7);
            all_others_wait(13);
            release(&semaphore, 6);
            all_others_wait(19);
            release(&semaphore, 1);
        });
        assert_eq!(acquired.into_inner(), 20);
        assert!(is_exhausted(&semaphore));
        drop(held);
        assert_eq!(semaphore.available(), 1);
    }
}

#[test]
fn a_try_takes_what_is_there_and_no_more() {
    let semaphore = Arc::new(Semaphore::new(2));
    let first = semaphore.try_acquire().unwrap();
    let second = semaphore.try_acquire_owned().unwrap();
    assert!(semaphore.try_acquire().is_none());
    assert!(semaphore.try_acquire_owned().is_none());
    drop(first);
    assert!(semaphore.try_acquire_many(2).is_none());
    assert!(semaphore.try_acquire_many_owned(2).is_none());
    assert!(semaphore.try_acquire().is_some());
    drop(second);
    assert_eq!(semaphore.try_acquire_many(2).unwrap().count(), 2);
    assert_eq!(semaphore.try_acquire_many_owned(2).unwrap().count(), 2);
}

#[test]
fn contended_tries_succeed_as_often_as_there_are_permits() {
    let semaphore = Semaphore::new(4);
    let held = semaphore.acquire();
    let acquired = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                for _ in 0..2 {
                    if let Some(permit) = semaphore.try_acquire() {
                        permit.forget();
                        acquired.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    assert_eq!(acquired.into_inner(), 3);
    drop(held);
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn available_permits_are_had_at_once_whatever_the_deadline() {
    let semaphore = Arc::new(Semaphore::new(2));
    let now = Instant::now();
    for timeout in [Duration::ZERO, Duration::from_secs(5), LONG, Duration::MAX] {
        assert!(semaphore.acquire_timeout(timeout).is_ok());
        assert!(semaphore.acquire_many_timeout(2, timeout).is_ok());
        assert!(semaphore.acquire_owned_timeout(timeout).is_ok());
        assert!(semaphore.acquire_many_owned_timeout(2, timeout).is_ok());
    }
    for deadline in [now, now.checked_sub(Duration::from_secs(1)).unwrap_or(now), now + LONG] {
        assert!(semaphore.acquire_deadline(deadline).is_ok());
        assert!(semaphore.acquire_many_deadline(2, deadline).is_ok());
        assert!(semaphore.acquire_owned_deadline(deadline).is_ok());
        assert!(semaphore.acquire_many_owned_deadline(2, deadline).is_ok());
    }
    assert!(now.elapsed() < Duration::from_secs(5), "something waited");
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn a_timed_wait_lasts_and_leaves_the_semaphore_as_it_was() {
    const TIME: Duration = Duration::from_millis(20);
    let semaphore = Arc::new(Semaphore::new(2));
    let held = semaphore.acquire();
    let after = || Instant::now() + TIME;
    lasts(TIME, || assert!(semaphore.acquire_many_timeout(2, TIME).is_err()));
    lasts(TIME, || assert!(semaphore.acquire_many_deadline(2, after()).is_err()));
    lasts(TIME, || assert!(semaphore.acquire_many_owned_timeout(2, TIME).is_err()));
    lasts(TIME, || assert!(semaphore.acquire_many_owned_deadline(2, after()).is_err()));
    let all = semaphore.acquire();
    lasts(TIME, || assert!(semaphore.acquire_timeout(TIME).is_err()));
    lasts(TIME, || assert!(semaphore.acquire_deadline(after()).is_err()));
    lasts(TIME, || assert!(semaphore.acquire_owned_timeout(TIME).is_err()));
    lasts(TIME, || assert!(semaphore.acquire_owned_deadline(after()).is_err()));
    for timeout in [Duration::ZERO, Duration::from_nanos(1)] {
        assert!(semaphore.acquire_timeout(timeout).is_err());
        assert!(semaphore.acquire_deadline(Instant::now()).is_err());
    }
    assert_eq!((semaphore.available(), semaphore.waiting()), (0, 0));
    drop(all);
    assert!(semaphore.acquire_timeout(TIME).is_ok());
    drop(held);
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn a_timeout_beyond_the_clock_waits_for_ever() {
    let semaphore = Arc::new(Semaphore::new(0));
    thread::scope(|scope| {
        scope.spawn(|| semaphore.acquire_timeout(Duration::MAX).map(drop).unwrap());
        scope.spawn(|| semaphore.acquire_many_owned_timeout(2, Duration::MAX).map(drop).unwrap());
        eventually("both wait", || semaphore.waiting() == 2);
        semaphore.release(2);
    });
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn nested_scopes_return_their_permits_also_by_a_panic() {
    for face in Face::ALL {
        let semaphore = Arc::new(Semaphore::new(3));
        assert!(panics(|| {
            let _outer = face.acquire(&semaphore, 1);
            {
                let _inner = face.acquire_owned(&semaphore, 2);
                assert!(is_exhausted(&semaphore));
            }
            assert_eq!(semaphore.available(), 2);
            let _inner = face.acquire(&semaphore, 1);
            panic!("in a holder");
        }));
        assert_eq!(semaphore.available(), 3);
    }
}

#[test]
fn without_a_bound_a_release_adds_to_the_count() {
    for face in Face::ALL {
        let semaphore = Semaphore::new(1);
        semaphore.release(1);
        semaphore.try_release(1).unwrap();
        semaphore.release(0);
        assert_eq!(semaphore.available(), 3);
        drop((face.acquire(&semaphore, 1), face.acquire(&semaphore, 2)));
        assert_eq!(semaphore.available(), 3);
    }
}

#[test]
fn beyond_the_bound_a_release_is_an_error_that_changes_nothing() {
    for face in Face::ALL {
        let semaphore = Semaphore::bounded(3);
        let refused = || {
            let before = (semaphore.available(), semaphore.waiting());
            assert_eq!(semaphore.try_release(1), Err(ReleaseError));
            assert_eq!(semaphore.try_release(usize::MAX), Err(ReleaseError));
            assert!(panics(|| semaphore.release(1)));
            assert_eq!((semaphore.available(), semaphore.waiting()), before);
            semaphore.release(0);
        };
        refused();
        drop(face.acquire(&semaphore, 2));
        refused();
        let permit = face.acquire(&semaphore, 2);
        refused();
        // What is forgotten makes room for a release.
        permit.forget();
        assert_eq!(semaphore.try_release(3), Err(ReleaseError));
        semaphore.release(2);
        refused();
        assert_eq!(semaphore.forget_available(2), 2);
        assert_eq!(semaphore.try_release(3), Err(ReleaseError));
        semaphore.release(2);
        refused();
        assert_eq!(semaphore.available(), 3);
    }
}

#[test]
fn without_a_bound_the_limit_is_max_permits() {
    let semaphore = Semaphore::new(MAX);
    let held = semaphore.acquire_many(MAX);
    assert_eq!(semaphore.try_release(1), Err(ReleaseError));
    assert_eq!(semaphore.try_release(MAX), Err(ReleaseError));
    assert_eq!(semaphore.try_release(usize::MAX), Err(ReleaseError));
    assert!(panics(|| semaphore.release(1)));
    semaphore.resize(0);
    held.forget();
    semaphore.resize(MAX);
    assert_eq!(semaphore.available(), MAX);
    drop(semaphore.acquire_many(MAX));
    assert_eq!(semaphore.available(), MAX);
}

#[test]
fn more_than_max_permits_panics_everywhere_and_changes_nothing() {
    const TOO_MANY: [usize; 2] = [MAX + 1, usize::MAX];
    let semaphore = Arc::new(Semaphore::new(1));
    for n in TOO_MANY {
        assert!(panics(|| Semaphore::new(n)));
        assert!(panics(|| Semaphore::bounded(n)));
        assert!(panics(|| semaphore.resize(n)));
        assert!(panics(|| semaphore.try_acquire_many(n).is_some()));
        assert!(panics(|| semaphore.acquire_many(n).count()));
        assert!(panics(|| semaphore.acquire_many_timeout(n, Duration::ZERO).is_ok()));
        assert!(panics(|| semaphore.acquire_many_deadline(n, Instant::now()).is_ok()));
        assert!(panics(|| drop(semaphore.acquire_many_async(n))));
        assert!(panics(|| semaphore.try_acquire_many_owned(n).is_some()));
        assert!(panics(|| semaphore.acquire_many_owned(n).count()));
        assert!(panics(|| semaphore.acquire_many_owned_timeout(n, Duration::ZERO).is_ok()));
        assert!(panics(|| semaphore.acquire_many_owned_deadline(n, Instant::now()).is_ok()));
        assert!(panics(|| drop(semaphore.acquire_many_owned_async(n))));
    }
    assert_eq!((semaphore.available(), semaphore.waiting()), (1, 0));
    assert_eq!(Arc::strong_count(&semaphore), 1);
}

#[test]
fn debug_shows_count_bound_and_waiters() {
    static IN_A_STATIC: Semaphore = Semaphore::new(2);
    assert_eq!(format!("{IN_A_STATIC:?}"), "Semaphore { available: 2, waiting: 0 }");
    let semaphore = Semaphore::bounded(2);
    let permit = semaphore.acquire();
    assert!(format!("{permit:?}").contains("count: 1"), "{permit:?}");
    let queue = queue_up(&semaphore, &[2]);
    assert_eq!(format!("{semaphore:?}"), "Semaphore { available: 1, bound: 2, waiting: 1 }");
    assert!(format!("{:?}", queue[0].1).contains("count: 2"), "{:?}", queue[0].1);
}

#[test]
fn nobody_overtakes_who_is_registered() {
    let semaphore = Arc::new(Semaphore::new(2));
    let mut held = semaphore.acquire_many(2);
    let mut queue = queue_up(&semaphore, &[1, 1, 1]);
    drop(held.split(1));
    assert_eq!(wakes(&queue), [1, 0, 0]);
    drop(held);
    assert_eq!(wakes(&queue), [1, 1, 0]);
    // Both are granted before they run: nothing is left for newcomers.
    assert_eq!((semaphore.available(), semaphore.waiting()), (0, 1));
    assert!(is_exhausted(&semaphore));
    assert!(semaphore.try_acquire_owned().is_none());
    assert!(semaphore.acquire_timeout(Duration::ZERO).is_err());
    assert!(poll_once(queue[2].1.as_mut()).is_pending());
    let granted: Vec<_> =
        queue[..2].iter_mut().map(|(_, waiter)| poll_once(waiter.as_mut())).collect();
    assert!(granted.iter().all(Poll::is_ready));
    assert_eq!(semaphore.available(), 0);
    drop(granted);
    assert!(poll_once(queue[2].1.as_mut()).is_ready());
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn a_large_request_at_the_head_holds_up_small_ones_and_gets_no_part() {
    let semaphore = Semaphore::new(2);
    let mut queue = queue_up(&semaphore, &[3, 1, 1]);
    assert_eq!(semaphore.available(), 2);
    assert!(semaphore.try_acquire().is_none());
    assert!(semaphore.acquire_deadline(Instant::now()).is_err());
    assert_eq!(wakes(&queue), [0, 0, 0]);
    semaphore.release(1);
    assert_eq!((wakes(&queue), semaphore.available()), (vec![1, 0, 0], 0));
    semaphore.release(1);
    assert_eq!((wakes(&queue), semaphore.available()), (vec![1, 1, 0], 0));
    // The grant is returned whole by a future that does not want it, and goes on in order.
    drop(queue.remove(0));
    assert_eq!((wakes(&queue), semaphore.available()), (vec![1, 1], 2));
}

#[test]
fn a_head_that_goes_away_lets_the_next_through() {
    for face in Face::ALL {
        let semaphore = Semaphore::new(2);
        let mut queue = queue_up(&semaphore, &[3]);
        thread::scope(|scope| {
            let small = scope.spawn(|| drop(face.acquire(&semaphore, 2)));
            eventually("it waits behind", || semaphore.waiting() == 2);
            assert_eq!(semaphore.available(), 2);
            queue.clear();
            small.join().unwrap();
        });
        assert_eq!((semaphore.available(), semaphore.waiting()), (2, 0));
    }
}

#[test]
fn a_thread_at_the_head_that_times_out_lets_the_next_through() {
    for face in Face::ALL {
        let semaphore = Semaphore::new(1);
        thread::scope(|scope| {
            let large = scope
                .spawn(|| semaphore.acquire_many_timeout(2, Duration::from_millis(30)).is_ok());
            eventually("it waits", || semaphore.waiting() == 1 || large.is_finished());
            drop(face.acquire(&semaphore, 1));
            assert!(!large.join().unwrap());
        });
        assert_eq!((semaphore.available(), semaphore.waiting()), (1, 0));
    }
}

#[test]
fn a_cancelled_acquire_leaves_no_waiter() {
    let semaphore = Arc::new(Semaphore::new(0));
    drop(queue_up(&semaphore, &[1, 2]));
    let mut owned = Box::pin(semaphore.acquire_owned_async());
    assert_eq!(semaphore.waiting(), 0, "unpolled, it does not wait");
    assert!(poll_once(owned.as_mut()).is_pending());
    assert_eq!(semaphore.waiting(), 1);
    drop(owned);
    drop(semaphore.acquire_async());
    assert_eq!(semaphore.waiting(), 0);
    assert_eq!(Arc::strong_count(&semaphore), 1);
    semaphore.release(2);
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn the_first_two_of_four_cancelled_the_third_is_served() {
    let semaphore = Semaphore::new(0);
    let mut queue = queue_up(&semaphore, &[1; 4]);
    queue.drain(..2);
    semaphore.release(1);
    assert_eq!(wakes(&queue), [1, 0]);
    let permit = poll_once(queue[0].1.as_mut());
    assert!(permit.is_ready());
    assert!(poll_once(queue[1].1.as_mut()).is_pending());
    assert!(is_exhausted(&semaphore));
}

#[test]
fn a_granted_acquire_that_is_cancelled_serves_the_next() {
    let semaphore = Semaphore::new(0);
    let mut queue = queue_up(&semaphore, &[1; 2]);
    semaphore.release(1);
    assert_eq!(wakes(&queue), [1, 0]);
    drop(queue.remove(0));
    assert_eq!(wakes(&queue), [1]);
    let permit = poll_once(queue[0].1.as_mut());
    assert!(permit.is_ready());
    assert!(is_exhausted(&semaphore));
    drop(permit);
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn the_releaser_cancels_whom_it_has_just_served() {
    for face in Face::ALL {
        let semaphore = Semaphore::new(1);
        let permit = face.acquire(&semaphore, 1);
        let queue = queue_up(&semaphore, &[1]);
        drop(permit);
        assert_eq!(semaphore.available(), 0);
        drop(queue);
        assert!(semaphore.acquire_timeout(LONG).is_ok());
        assert_eq!((semaphore.available(), semaphore.waiting()), (1, 0));
    }
}

#[test]
fn looping_tasks_take_turns() {
    let (semaphore, order) = (Semaphore::new(0), RefCell::new(Vec::new()));
    let looper = async |name| {
        for _ in 0..3 {
            let _permit = semaphore.acquire_async().await;
            order.borrow_mut().push(name);
        }
    };
    let release = async { semaphore.release(1) };
    block_on(join4(looper(1), looper(2), looper(3), release));
    assert_eq!(order.into_inner(), [1, 2, 3, 1, 2, 3, 1, 2, 3]);
}

#[test]
fn a_releaser_that_acquires_again_goes_to_the_back() {
    let semaphore = Semaphore::new(1);
    let permit = semaphore.acquire();
    let mut queue = queue_up(&semaphore, &[1; 3]);
    drop(permit);
    queue.extend(queue_up(&semaphore, &[1]));
    for i in 0..4 {
        let served: Vec<_> = wakes(&queue);
        assert_eq!(served.iter().sum::<usize>(), i + 1);
        assert!(served[..=i].iter().all(|wakes| *wakes == 1));
        assert!(poll_once(queue[i].1.as_mut()).is_ready(), "and returned");
    }
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn three_releases_before_anyone_runs_serve_three_in_order() {
    let semaphore = Semaphore::new(0);
    let mut queue = queue_up(&semaphore, &[1; 4]);
    for expected in [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0]] {
        semaphore.release(1);
        assert_eq!(wakes(&queue), expected);
        assert!(is_exhausted(&semaphore));
    }
    let permits: Vec<_> = queue.iter_mut().map(|(_, waiter)| poll_once(waiter.as_mut())).collect();
    assert_eq!(permits.iter().filter(|permit| permit.is_ready()).count(), 3);
    assert!(permits[3].is_pending());
}

#[test]
fn all_faces_are_served_in_the_order_in_which_they_came() {
    for cast in Face::casts(6) {
        let (semaphore, order) = (Semaphore::new(0), Mutex::new(Vec::new()));
        let cancelled = queue_up(&semaphore, &[1]);
        thread::scope(|scope| {
            for (name, face) in cast.into_iter().enumerate() {
                let (semaphore, order) = (&semaphore, &order);
                scope.spawn(move || {
                    let permit = face.acquire(semaphore, 1);
                    order.lock().unwrap().push(name);
                    permit.forget();
                });
                eventually("it waits", || semaphore.waiting() == name + 2);
            }
            drop(cancelled);
            for served in 1..=6 {
                semaphore.release(1);
                eventually("one is served", || order.lock().unwrap().len() == served);
            }
        });
        assert_eq!(order.into_inner().unwrap(), [0, 1, 2, 3, 4, 5]);
        assert!(is_exhausted(&semaphore));
    }
}

#[test]
fn no_permits_are_granted_behind_any_queue_and_any_debt() {
    let semaphore = Arc::new(Semaphore::new(1));
    let held = semaphore.acquire();
    semaphore.resize(0);
    let queue = queue_up(&semaphore, &[1]);
    for face in Face::ALL {
        assert_eq!(face.acquire(&semaphore, 0).count(), 0);
        assert_eq!(face.acquire_owned(&semaphore, 0).count(), 0);
    }
    assert_eq!(semaphore.try_acquire_many(0).unwrap().count(), 0);
    assert_eq!(semaphore.try_acquire_many_owned(0).unwrap().count(), 0);
    assert!(semaphore.acquire_many_timeout(0, Duration::ZERO).is_ok());
    semaphore.try_acquire_many(0).unwrap().forget();
    semaphore.release(0);
    assert_eq!((wakes(&queue), semaphore.waiting()), (vec![0], 1));
    drop(held);
    assert_eq!(wakes(&queue), [0]);
    semaphore.resize(1);
    assert_eq!(wakes(&queue), [1]);
}

#[test]
fn more_than_the_bound_waits_for_a_resize() {
    for face in Face::ALL {
        let semaphore = Semaphore::bounded(2);
        assert!(semaphore.try_acquire_many(3).is_none());
        assert!(semaphore.acquire_many_timeout(3, Duration::ZERO).is_err());
        thread::scope(|scope| {
            let waiter = scope.spawn(|| face.acquire(&semaphore, 3).count());
            eventually("it waits", || semaphore.waiting() == 1);
            assert_eq!(semaphore.try_release(1), Err(ReleaseError));
            semaphore.resize(3);
            assert_eq!(waiter.join().unwrap(), 3);
        });
        assert_eq!(semaphore.available(), 3);
        assert_eq!(format!("{semaphore:?}"), "Semaphore { available: 3, bound: 3, waiting: 0 }");
    }
}

#[test]
fn growing_serves_as_many_as_fit() {
    for grow in [Semaphore::release as fn(&Semaphore, usize), Semaphore::resize] {
        let semaphore = Semaphore::new(0);
        let queue = queue_up(&semaphore, &[1, 2, 1]);
        grow(&semaphore, 3);
        assert_eq!((wakes(&queue), semaphore.available()), (vec![1, 1, 0], 0));
        assert_eq!(semaphore.waiting(), 1);
    }
}

#[test]
fn shrinking_takes_what_is_available() {
    let semaphore = Semaphore::bounded(5);
    let held = semaphore.acquire_many(2);
    semaphore.resize(3);
    assert_eq!(semaphore.available(), 1);
    assert_eq!(semaphore.try_release(1), Err(ReleaseError));
    drop(held);
    assert_eq!(semaphore.available(), 3);
    semaphore.resize(3);
    assert_eq!(semaphore.available(), 3);
}

#[test]
fn shrinking_below_what_is_out_leaves_a_debt_that_returns_pay() {
    for face in Face::ALL {
        let semaphore = Semaphore::bounded(4);
        let mut held = face.acquire(&semaphore, 4);
        semaphore.resize(1);
        assert!(is_exhausted(&semaphore));
        assert_eq!(semaphore.try_release(1), Err(ReleaseError));
        let mut queue = queue_up(&semaphore, &[1]);
        for _ in 0..3 {
            drop(held.split(1));
            assert_eq!((wakes(&queue), semaphore.available()), (vec![0], 0));
        }
        drop(held);
        assert_eq!(wakes(&queue), [1]);
        assert!(poll_once(queue[0].1.as_mut()).is_ready());
        assert_eq!(semaphore.available(), 1);
    }
}

#[test]
fn a_debt_is_paid_by_releases_and_forgiven_by_resizes_and_with_those_who_would_pay() {
    let semaphore = Semaphore::new(3);
    let held = semaphore.acquire_many(3);
    semaphore.resize(1);
    semaphore.release(1);
    assert_eq!(semaphore.available(), 0);
    semaphore.release(1);
    assert_eq!(semaphore.available(), 0);
    semaphore.release(1);
    assert_eq!(semaphore.available(), 1);
    // 3 are out and 1 is available: 4 in all.
    semaphore.resize(0);
    assert_eq!(semaphore.available(), 0);
    semaphore.resize(4);
    assert_eq!(semaphore.available(), 1);
    semaphore.resize(1);
    held.forget();
    // Nothing is out and nothing available: nobody is left to pay the debt of 2.
    assert_eq!(semaphore.available(), 0);
    semaphore.release(1);
    assert_eq!(semaphore.available(), 1);
    semaphore.resize(2);
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn the_bound_counts_what_is_there_after_a_debt_was_forgotten() {
    let semaphore = Semaphore::bounded(3);
    let held = semaphore.acquire_many(3);
    semaphore.resize(1);
    held.forget();
    assert_eq!(semaphore.try_release(2), Err(ReleaseError));
    assert_eq!(semaphore.try_release(1), Ok(()));
    assert_eq!(semaphore.available(), 1);
}

/// However many permits have come and gone.
#[test]
fn what_was_released_and_forgotten_adds_up_for_ever() {
    let (semaphore, max) = (Semaphore::bounded(Semaphore::MAX_PERMITS), Semaphore::MAX_PERMITS);
    semaphore.forget_available(max);
    for _ in 0..20 {
        semaphore.release(max);
        assert_eq!(semaphore.try_release(1), Err(ReleaseError));
        semaphore.acquire_many(max).forget();
        assert_eq!(semaphore.available(), 0);
        semaphore.resize(2);
        assert_eq!(semaphore.forget_available(2), 2);
        semaphore.resize(max);
        assert_eq!(semaphore.forget_available(max), max);
    }
}

#[test]
fn forget_available_takes_up_to_n() {
    let semaphore = Semaphore::new(5);
    let held = semaphore.acquire_many(2);
    assert_eq!(semaphore.forget_available(0), 0);
    assert_eq!(semaphore.forget_available(1), 1);
    assert_eq!(semaphore.forget_available(usize::MAX), 2);
    assert_eq!(semaphore.forget_available(1), 0);
    semaphore.resize(1);
    assert_eq!(semaphore.forget_available(1), 0, "there is a debt");
    drop(held);
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn forgotten_permits_never_come_back() {
    for face in Face::ALL {
        let semaphore = Arc::new(Semaphore::new(3));
        face.acquire(&semaphore, 1).forget();
        face.acquire_owned(&semaphore, 1).forget();
        assert_eq!(semaphore.available(), 1);
        assert_eq!(Arc::strong_count(&semaphore), 1);
        semaphore.resize(3);
        assert_eq!(semaphore.available(), 3);
    }
}

#[test]
fn permits_split_and_merge() {
    let semaphore = Arc::new(Semaphore::new(5));
    let mut all = semaphore.acquire_many(5);
    assert!(all.split(6).is_none());
    let none = all.split(0).unwrap();
    let mut part = all.split(2).unwrap();
    assert_eq!((all.count(), none.count(), part.count()), (3, 0, 2));
    drop(all);
    assert_eq!(semaphore.available(), 3);
    part.merge(semaphore.acquire());
    part.merge(none);
    assert_eq!((part.count(), semaphore.available()), (3, 2));
    drop(part);
    assert_eq!(semaphore.available(), 5);

    let mut all = semaphore.acquire_many_owned(5);
    assert!(all.split(6).is_none());
    let mut part = all.split(2).unwrap();
    assert_eq!((all.count(), part.count()), (3, 2));
    drop(all);
    part.merge(semaphore.acquire_owned());
    assert_eq!((part.count(), semaphore.available()), (3, 2));
    let everything = part.split(3).unwrap();
    drop(part);
    assert_eq!(semaphore.available(), 2);
    drop(everything);
    assert_eq!((semaphore.available(), Arc::strong_count(&semaphore)), (5, 1));
}

#[test]
fn permits_of_two_semaphores_do_not_merge() {
    let (here, there) = (Arc::new(Semaphore::new(2)), Arc::new(Semaphore::new(2)));
    let mut permit = here.acquire();
    assert!(panics(|| permit.merge(there.acquire())));
    assert_eq!((permit.count(), here.available(), there.available()), (1, 1, 2));
    drop(permit);
    let mut permit = here.acquire_owned();
    assert!(panics(|| permit.merge(there.acquire_owned())));
    assert_eq!((permit.count(), here.available(), there.available()), (1, 1, 2));
    drop(permit);
    assert_eq!(here.available(), 2);
}

#[test]
fn a_finished_future_says_so_and_panics_when_polled() {
    let semaphore = Arc::new(Semaphore::new(1));
    let mut borrowed = pin!(semaphore.acquire_async());
    assert!(!borrowed.is_terminated());
    assert!(poll_once(borrowed.as_mut()).is_ready());
    assert!(borrowed.is_terminated());
    assert!(panics(|| poll_once(borrowed.as_mut())));
    let mut owned = pin!(semaphore.acquire_owned_async());
    assert!(!owned.is_terminated());
    assert!(poll_once(owned.as_mut()).is_ready());
    assert!(owned.is_terminated());
    assert!(panics(|| poll_once(owned.as_mut())));
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn the_last_waker_is_the_one_that_is_woken() {
    let semaphore = Semaphore::new(0);
    let (old, new) = (Counter::new(), Counter::new());
    let mut waiter = pin!(semaphore.acquire_async());
    assert!(old.poll(waiter.as_mut()).is_pending());
    assert!(new.poll(waiter.as_mut()).is_pending());
    assert_eq!(Arc::strong_count(&old), 1, "a waker that is not needed is let go");
    semaphore.release(1);
    assert_eq!((old.wakes(), new.wakes()), (0, 1));
    assert!(new.poll(waiter).is_ready());
    assert_eq!(Arc::strong_count(&new), 1);
}

#[test]
fn all_faces_together_neither_lose_nor_invent_permits() {
    const PERMITS: usize = 5;
    let (semaphore, out) = (Arc::new(Semaphore::bounded(PERMITS)), AtomicUsize::new(0));
    thread::scope(|scope| {
        for (seed, face) in Face::ALL.into_iter().cycle().take(6).enumerate() {
            let (semaphore, out) = (&semaphore, &out);
            scope.spawn(move || {
                let mut random = Random(seed as u64);
                for _ in 0..1_000 {
                    let n = random.below(PERMITS + 1);
                    let timeout = Duration::from_micros(random.next() % 50);
                    let permit = match random.below(4) {
                        0 => semaphore.acquire_many_owned_timeout(n, timeout).ok(),
                        1 => semaphore.try_acquire_many_owned(n),
                        _ => Some(face.acquire_owned(semaphore, n)),
                    };
                    if let Some(permit) = permit {
                        let before = out.fetch_add(n, Ordering::SeqCst);
                        assert!(before + n <= PERMITS);
                        assert!(semaphore.try_release(1).is_err());
                        out.fetch_sub(n, Ordering::SeqCst);
                        drop(permit);
                    }
                }
            });
        }
    });
    assert_eq!((semaphore.available(), semaphore.waiting()), (PERMITS, 0));
}
