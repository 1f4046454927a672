//! Pushing in any case: `force_push`.

use crate::common::{Counter, Face, eventually, poll_once};
use crate::{Counted, dropped};
use bifrons::{BoundedQueue, PushError, TryPopError};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread;

#[test]
fn a_full_queue_loses_its_oldest() {
    for capacity in [1, 2, 3, 4, 5, 7, 64] {
        let queue = BoundedQueue::new(capacity);
        for number in 0..10 * capacity {
            let evicted = number.checked_sub(capacity);
            assert_eq!(queue.force_push(number), Ok(evicted), "capacity {capacity}");
            assert_eq!(queue.len(), capacity.min(number + 1));
        }
        assert!(queue.try_iter().eq(9 * capacity..10 * capacity));
    }
}

#[test]
fn with_room_it_is_a_plain_push() {
    let queue = BoundedQueue::new(2);
    assert_eq!(queue.force_push(1), Ok(None));
    queue.push(2).unwrap();
    assert_eq!(queue.pop(), Ok(1));
    assert_eq!(queue.force_push(3), Ok(None));
    assert_eq!(queue.try_iter().collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn a_closed_queue_gives_the_item_back_and_loses_nothing() {
    let queue = BoundedQueue::new(1);
    queue.push(1).unwrap();
    queue.close();
    assert_eq!(queue.force_push(2), Err(PushError(2)));
    assert_eq!(queue.pop(), Ok(1));
    assert_eq!(queue.force_push(3), Err(PushError(3)));
}

#[test]
fn slots_that_are_out_keep_their_room() {
    for capacity in [2, 3, 5] {
        for reserved in 1..capacity {
            let queue = BoundedQueue::new(capacity);
            let slots: Vec<_> = (0..reserved).map(|_| queue.reserve().unwrap()).collect();
            let room = capacity - reserved;
            for number in 0..3 * capacity {
                assert_eq!(queue.force_push(number), Ok(number.checked_sub(room)));
                assert_eq!(queue.len(), room.min(number + 1));
            }
            for slot in slots {
                slot.push(0).unwrap();
            }
            assert_eq!(queue.len(), capacity);
            assert!(queue.try_iter().take(room).eq(3 * capacity - room..3 * capacity));
        }
    }
}

#[test]
fn when_all_room_is_reserved_the_new_item_comes_back() {
    for capacity in [1, 2, 7] {
        let queue = BoundedQueue::new(capacity);
        let mut slots: Vec<_> = (0..capacity).map(|_| queue.reserve().unwrap()).collect();
        assert_eq!(queue.force_push(5), Ok(Some(5)));
        assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
        drop(slots.pop());
        assert_eq!(queue.force_push(6), Ok(None));
        assert_eq!(queue.force_push(7), Ok(Some(6)));
        for slot in slots {
            slot.push(8).unwrap();
        }
        assert_eq!((queue.len(), queue.pop()), (capacity, Ok(7)));
        queue.close();
    }
    let queue = BoundedQueue::new(1);
    let slot = queue.reserve().unwrap();
    queue.close();
    assert_eq!(queue.force_push(5), Err(PushError(5)));
    drop(slot);
}

#[test]
fn it_wakes_a_receiver_and_no_sender() {
    for face in Face::ALL {
        let queue = BoundedQueue::new(1);
        thread::scope(|scope| {
            let pop = scope.spawn(|| face.pop(&queue));
            eventually("the pop waits", || queue.waiting() == 1);
            assert_eq!(queue.force_push(1), Ok(None));
            assert_eq!(pop.join().unwrap(), Ok(1));
        });
    }
    let queue = BoundedQueue::new(1);
    queue.push(1).unwrap();
    let counter = Counter::new();
    let mut push = pin!(queue.push_async(2));
    assert!(counter.poll(push.as_mut()).is_pending());
    assert_eq!(queue.force_push(3), Ok(Some(1)));
    assert_eq!((counter.wakes(), queue.waiting()), (0, 1));
    assert_eq!(queue.pop(), Ok(3));
    assert_eq!(counter.wakes(), 1);
    assert_eq!(counter.poll(push.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(queue.pop(), Ok(2));
}

#[test]
fn a_receiver_whose_item_was_evicted_gets_the_new_one() {
    let queue = BoundedQueue::new(1);
    let mut pop = pin!(queue.pop_async());
    assert!(poll_once(pop.as_mut()).is_pending());
    queue.push(1).unwrap();
    assert_eq!(queue.force_push(2), Ok(Some(1)));
    assert_eq!(poll_once(pop.as_mut()), Poll::Ready(Ok(2)));
}

#[test]
fn the_limit_of_slots_does_not_stop_it() {
    let queue = BoundedQueue::new(70_000);
    let slots: Vec<_> = (0..65_535).map(|_| queue.try_reserve().unwrap()).collect();
    let room = 70_000 - slots.len();
    for number in 0..2 * room {
        assert_eq!(queue.force_push(number), Ok(number.checked_sub(room)));
    }
    drop(slots);
    assert!(queue.try_iter().eq(room..2 * room));
}

/// Each item is popped, evicted or left, once; and none overtakes another of its producer.
#[test]
fn nothing_is_lost_doubled_or_stuck_while_others_pop_and_reserve() {
    const EACH: usize = 1_500;
    const PRODUCERS: usize = 4;
    for capacity in [1, 2, 3] {
        let queue = BoundedQueue::new(capacity);
        let drops = Arc::new(AtomicUsize::new(0));
        let seen: Vec<AtomicUsize> = (0..EACH * PRODUCERS).map(|_| AtomicUsize::new(0)).collect();
        let take = |item: &Counted| assert_eq!(seen[item.number].fetch_add(1, Ordering::SeqCst), 0);
        thread::scope(|scope| {
            let producers: Vec<_> = (0..PRODUCERS)
                .map(|producer| {
                    let (queue, drops, take) = (&queue, &drops, &take);
                    scope.spawn(move || {
                        for number in 0..EACH {
                            let item = Counted::new(producer * EACH + number, drops);
                            if producer == 0 {
                                // Fills its room behind a place that a `force_push` has claimed.
                                let slot = queue.reserve().expect("nobody closes");
                                slot.push(item).expect("nobody closes");
                                continue;
                            }
                            match queue.force_push(item) {
                                Ok(evicted) => drop(evicted.inspect(take)),
                                Err(_) => panic!("nobody closes"),
                            }
                        }
                    })
                })
                .collect();
            for _ in 0..2 {
                let (queue, take) = (&queue, &take);
                scope.spawn(move || {
                    let mut newest = [None; PRODUCERS];
                    for item in queue.iter() {
                        take(&item);
                        let producer = item.number / EACH;
                        assert!(newest[producer] < Some(item.number));
                        newest[producer] = Some(item.number);
                    }
                });
            }
            scope.spawn(|| {
                while let Ok(slot) = queue.reserve() {
                    drop(slot);
                }
            });
            for producer in producers {
                producer.join().unwrap();
            }
            queue.close();
        });
        assert!(seen.iter().all(|count| count.load(Ordering::SeqCst) == 1));
        assert_eq!(dropped(&drops), EACH * PRODUCERS);
    }
}
