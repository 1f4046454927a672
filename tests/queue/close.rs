//! Both ways to close, against everything that may be under way.

use crate::common::{Counter, Face, LONG, eventually, poll_once};
use crate::{Counted, dropped};
use bifrons::{
    BoundedQueue, PopError, PopTimeoutError, PushError, PushTimeoutError, TryPopError,
    TryPushError, block_on,
};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

/// How a queue is closed; the second way drops what is left.
const WAYS: [fn(&BoundedQueue<usize>); 2] =
    [|queue| queue.close(), |queue| drop(queue.close_now())];

fn every_push_fails(queue: &BoundedQueue<usize>) {
    assert_eq!(queue.try_push(1), Err(TryPushError::Closed(1)));
    for face in Face::ALL {
        assert_eq!(face.push(queue, 2), Err(PushError(2)));
        assert!(face.reserve(queue).is_err());
    }
    for timeout in [Duration::ZERO, LONG, Duration::MAX] {
        assert_eq!(queue.push_timeout(3, timeout), Err(PushTimeoutError::Closed(3)));
    }
    assert_eq!(queue.push_deadline(4, Instant::now()), Err(PushTimeoutError::Closed(4)));
    assert!(matches!(queue.try_reserve(), Err(TryPushError::Closed(()))));
    assert_eq!(queue.force_push(5), Err(PushError(5)));
    assert_eq!(queue.push_many([6, 7]), Err(PushError(6)));
    assert_eq!(block_on(queue.push_many_async([8])), Err(PushError(8)));
}

fn every_pop_fails(queue: &BoundedQueue<usize>) {
    assert_eq!(queue.try_pop(), Err(TryPopError::Closed));
    for face in Face::ALL {
        assert_eq!(face.pop(queue), Err(PopError));
    }
    for timeout in [Duration::ZERO, LONG, Duration::MAX] {
        assert_eq!(queue.pop_timeout(timeout), Err(PopTimeoutError::Closed));
    }
    assert_eq!(queue.pop_deadline(Instant::now()), Err(PopTimeoutError::Closed));
    let mut items = Vec::new();
    assert_eq!(queue.try_pop_many(&mut items, 1), Err(TryPopError::Closed));
    assert_eq!(queue.pop_many(&mut items, 1), Err(PopError));
    assert_eq!(queue.pop_many_timeout(&mut items, 1, LONG), Err(PopTimeoutError::Closed));
    assert_eq!(block_on(queue.pop_many_async(&mut items, 1)), Err(PopError));
    assert!(items.is_empty());
    assert_eq!(queue.iter().next(), None);
    assert_eq!(queue.try_iter().next(), None);
    assert_eq!((queue.len(), queue.is_empty(), queue.is_closed()), (0, true, true));
}

#[test]
fn a_closed_and_empty_queue_refuses_everything() {
    for close in WAYS {
        let queue = BoundedQueue::new(2);
        close(&queue);
        every_push_fails(&queue);
        every_pop_fails(&queue);
    }
}

#[test]
fn after_close_what_is_left_can_be_taken_and_nothing_more() {
    for face in Face::ALL {
        let queue = BoundedQueue::new(3);
        queue.push_many([10, 20, 30]).unwrap();
        queue.close();
        every_push_fails(&queue);
        assert_eq!((queue.len(), queue.is_full()), (3, true));
        for item in [10, 20, 30] {
            assert_eq!(face.pop(&queue), Ok(item));
            every_push_fails(&queue);
        }
        every_pop_fails(&queue);
    }
}

#[test]
fn close_now_takes_what_is_left_in_order() {
    let queue = BoundedQueue::new(3);
    // The ring's end lies between the items.
    queue.push_many([0, 0]).unwrap();
    assert_eq!(queue.try_iter().count(), 2);
    queue.push_many([10, 20, 30]).unwrap();
    let mut items = queue.close_now();
    every_push_fails(&queue);
    every_pop_fails(&queue);
    assert_eq!(items.len(), 3);
    assert!(format!("{items:?}").contains("len: 3"));
    assert_eq!((items.next(), items.next_back(), items.next()), (Some(10), Some(30), Some(20)));
    assert_eq!((items.next(), items.len()), (None, 0));
}

#[test]
fn what_a_drain_has_not_yielded_is_dropped_with_it_exactly_once() {
    for yielded in 0..=3 {
        let drops = Arc::new(AtomicUsize::new(0));
        let queue = BoundedQueue::new(4);
        assert!(queue.push_many((0..3).map(|n| Counted::new(n, &drops))).is_ok());
        let mut items = queue.close_now();
        for _ in 0..yielded {
            drop(items.next().unwrap());
        }
        assert_eq!(dropped(&drops), yielded);
        drop(items);
        assert_eq!(dropped(&drops), 3);
        drop(queue);
        assert_eq!(dropped(&drops), 3);
    }
}

#[test]
fn closing_again_changes_nothing() {
    let queue = BoundedQueue::new(2);
    queue.push(1).unwrap();
    for _ in 0..3 {
        queue.close();
        assert_eq!((queue.is_closed(), queue.len()), (true, 1));
    }
    assert_eq!(queue.close_now().collect::<Vec<_>>(), [1]);
    queue.close();
    assert_eq!(queue.close_now().count(), 0);
    every_push_fails(&queue);
    every_pop_fails(&queue);
}

#[test]
fn blocked_pushes_get_their_items_back() {
    for close in WAYS {
        let queue = BoundedQueue::new(1);
        queue.push(9).unwrap();
        let returned = AtomicUsize::new(0);
        thread::scope(|scope| {
            for number in 0..6 {
                let (queue, returned) = (&queue, &returned);
                scope.spawn(move || {
                    let PushError(item) =
                        Face::ALL[number % 3].push(queue, 1 << number).unwrap_err();
                    returned.fetch_add(item, Ordering::SeqCst);
                });
            }
            let waits: [fn(&BoundedQueue<usize>) -> bool; 2] = [
                |queue| queue.reserve().is_err(),
                |queue| queue.push_many([64]) == Err(PushError(64)),
            ];
            for wait in waits {
                let queue = &queue;
                scope.spawn(move || assert!(wait(queue)));
            }
            eventually("all wait", || queue.waiting() == 8);
            close(&queue);
        });
        assert_eq!(returned.into_inner(), 0b11_1111);
        assert_eq!(queue.waiting(), 0);
    }
}

#[test]
fn blocked_pops_learn_that_nothing_will_come() {
    for close in WAYS {
        let queue = BoundedQueue::new(1);
        thread::scope(|scope| {
            for number in 0..6 {
                let queue = &queue;
                scope.spawn(move || assert_eq!(Face::ALL[number % 3].pop(queue), Err(PopError)));
            }
            scope.spawn(|| assert_eq!(queue.iter().next(), None));
            scope.spawn(|| assert_eq!(queue.pop_many(&mut Vec::new(), 2), Err(PopError)));
            eventually("all wait", || queue.waiting() == 8);
            close(&queue);
        });
        assert_eq!(queue.waiting(), 0);
    }
}

#[test]
fn of_three_pops_two_find_an_item_and_the_third_learns_of_the_close() {
    for face in Face::ALL {
        let queue = BoundedQueue::new(2);
        let popped = thread::scope(|scope| {
            let pops: Vec<_> = (0..3).map(|_| scope.spawn(|| face.pop(&queue))).collect();
            eventually("all wait", || queue.waiting() == 3);
            queue.push_many([1, 2]).unwrap();
            queue.close();
            let mut popped: Vec<_> = pops.into_iter().map(|pop| pop.join().unwrap().ok()).collect();
            popped.sort();
            popped
        });
        assert_eq!(popped, [None, Some(1), Some(2)]);
    }
}

#[test]
fn close_wakes_every_task_once() {
    for close in WAYS {
        let queue = BoundedQueue::new(1);
        let counters: Vec<_> = (0..100).map(|_| Counter::new()).collect();
        let mut pops: Vec<_> = counters.iter().map(|_| Box::pin(queue.pop_async())).collect();
        for (counter, pop) in counters.iter().zip(&mut pops) {
            assert!(counter.poll(pop.as_mut()).is_pending());
        }
        close(&queue);
        for (counter, pop) in counters.iter().zip(&mut pops) {
            assert_eq!(counter.wakes(), 1);
            assert_eq!(counter.poll(pop.as_mut()), Poll::Ready(Err(PopError)));
        }
    }
}

#[test]
fn a_pending_push_fails_while_the_item_that_was_pushed_survives() {
    let queue = BoundedQueue::new(1);
    let mut pushed = pin!(queue.push_async(1));
    assert_eq!(poll_once(pushed.as_mut()), Poll::Ready(Ok(())));
    let counter = Counter::new();
    let mut pending = pin!(queue.push_async(2));
    assert!(counter.poll(pending.as_mut()).is_pending());
    queue.close();
    assert_eq!(counter.wakes(), 1);
    // Room does not help it any more.
    assert_eq!(queue.pop(), Ok(1));
    assert_eq!(counter.poll(pending.as_mut()), Poll::Ready(Err(PushError(2))));
    assert_eq!(queue.pop(), Err(PopError));
}

#[test]
fn a_push_that_was_woken_for_room_fails_if_the_queue_closes_before_it_runs() {
    let queue = BoundedQueue::new(1);
    queue.push(1).unwrap();
    let counter = Counter::new();
    let mut push = pin!(queue.push_async(2));
    assert!(counter.poll(push.as_mut()).is_pending());
    assert_eq!(queue.pop(), Ok(1));
    assert_eq!(counter.wakes(), 1);
    queue.close();
    assert_eq!(counter.poll(push.as_mut()), Poll::Ready(Err(PushError(2))));
    every_pop_fails(&queue);
}

#[test]
fn a_pop_that_was_woken_for_an_item_still_gets_it_after_the_close() {
    let queue = BoundedQueue::new(1);
    let counter = Counter::new();
    let mut pop = pin!(queue.pop_async());
    assert!(counter.poll(pop.as_mut()).is_pending());
    queue.push(1).unwrap();
    queue.close();
    assert_eq!(counter.poll(pop.as_mut()), Poll::Ready(Ok(1)));

    let queue = BoundedQueue::new(1);
    let mut pop = pin!(queue.pop_async());
    assert!(counter.poll(pop.as_mut()).is_pending());
    queue.push(1).unwrap();
    assert_eq!(queue.close_now().collect::<Vec<_>>(), [1]);
    assert_eq!(counter.poll(pop.as_mut()), Poll::Ready(Err(PopError)));
}

/// Four writers that never stop by themselves, six readers, a close after 32 000 items.
#[test]
fn a_close_in_the_middle_of_traffic_ends_all_threads_and_loses_nothing() {
    const ITEMS: usize = 32_000;
    for now in [false, true] {
        let queue = BoundedQueue::new(5);
        let drops = Arc::new(AtomicUsize::new(0));
        let (pushed, rejected) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (popped, drained) = thread::scope(|scope| {
            for number in 0..4 {
                let (queue, drops, pushed, rejected) = (&queue, &drops, &pushed, &rejected);
                scope.spawn(move || {
                    for item in 0.. {
                        match Face::ALL[(item + number) % 3].push(queue, Counted::new(item, drops))
                        {
                            Ok(()) => pushed.fetch_add(1, Ordering::SeqCst),
                            Err(PushError(back)) => {
                                assert_eq!(back.number, item);
                                rejected.fetch_add(1, Ordering::SeqCst);
                                break;
                            }
                        };
                    }
                });
            }
            let readers: Vec<_> = (0..6)
                .map(|number| {
                    let queue = &queue;
                    scope.spawn(move || {
                        let mut popped = 0;
                        while Face::ALL[(popped + number) % 3].pop(queue).is_ok() {
                            popped += 1;
                        }
                        assert_eq!(queue.try_pop().unwrap_err(), TryPopError::Closed);
                        popped
                    })
                })
                .collect();
            eventually("many are through", || pushed.load(Ordering::SeqCst) > ITEMS);
            let drained = if now {
                let drained = queue.close_now().count();
                assert_eq!(queue.len(), 0);
                drained
            } else {
                queue.close();
                0
            };
            (readers.into_iter().map(|reader| reader.join().unwrap()).sum::<usize>(), drained)
        });
        assert_eq!(popped + drained, pushed.into_inner());
        assert_eq!(rejected.into_inner(), 4);
        assert_eq!((queue.len(), queue.waiting()), (0, 0));
        assert_eq!(dropped(&drops), popped + drained + 4);
    }
}
