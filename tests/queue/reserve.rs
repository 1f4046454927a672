//! Room for an item, held: slots.

use crate::common::{Counter, Face, LONG, eventually, poll_once};
use bifrons::{BoundedQueue, PushError, PushTimeoutError, TryPushError, block_on};
use std::pin::pin;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn items_that_others_push_pass_a_slot() {
    for face in Face::ALL {
        let queue = BoundedQueue::new(3);
        for lap in 0..5 {
            let slot = face.reserve(&queue).unwrap();
            assert!(format!("{slot:?}").contains("Slot"));
            assert_eq!(queue.try_pop(), Err(bifrons::TryPopError::Empty));
            face.push(&queue, lap).unwrap();
            assert_eq!(queue.pop(), Ok(lap));
            face.push(&queue, lap + 1).unwrap();
            slot.push(lap + 2).unwrap();
            face.push(&queue, lap + 3).unwrap();
            assert_eq!(queue.try_iter().collect::<Vec<_>>(), [lap + 1, lap + 2, lap + 3]);
        }
    }
}

#[test]
fn slots_take_room_but_are_no_items() {
    for capacity in [1, 2, 3, 7] {
        let queue = BoundedQueue::new(capacity);
        let mut slots: Vec<_> = (0..capacity).map(|_| queue.try_reserve().unwrap()).collect();
        assert_eq!((queue.len(), queue.is_empty(), queue.is_full()), (0, true, true));
        assert_eq!(queue.try_push(7), Err(TryPushError::Full(7)));
        assert!(matches!(queue.try_reserve(), Err(TryPushError::Full(()))));
        for timeout in [Duration::ZERO, Duration::from_millis(5)] {
            assert!(matches!(queue.reserve_timeout(timeout), Err(PushTimeoutError::TimedOut(()))));
        }
        let now = Instant::now();
        assert!(matches!(queue.reserve_deadline(now), Err(PushTimeoutError::TimedOut(()))));
        {
            let mut reserve = pin!(queue.reserve_async());
            assert!(poll_once(reserve.as_mut()).is_pending());
            assert_eq!(queue.waiting(), 1);
        }
        assert_eq!(queue.waiting(), 0);
        drop(slots.pop());
        assert!(!queue.is_full());
        queue.try_push(8).unwrap();
        assert!(queue.is_full());
        for (number, slot) in slots.into_iter().enumerate() {
            slot.push(number).unwrap();
        }
        assert_eq!(queue.len(), capacity);
        assert_eq!(queue.pop(), Ok(8));
        assert!(queue.try_iter().eq(0..capacity - 1));
    }
}

#[test]
fn a_dropped_slot_frees_its_room_and_wakes_one() {
    for waiter in [Face::Blocking, Face::Timed, Face::Async] {
        let queue = BoundedQueue::new(2);
        let (first, second) = (queue.reserve().unwrap(), queue.reserve().unwrap());
        thread::scope(|scope| {
            let waits: Vec<_> = (0..2)
                .map(|number| {
                    let queue = &queue;
                    scope.spawn(move || match number {
                        0 => waiter.push(queue, 5).unwrap(),
                        _ => waiter.reserve(queue).unwrap().push(5).unwrap(),
                    })
                })
                .collect();
            eventually("both wait", || queue.waiting() == 2);
            drop(first);
            eventually("one has pushed", || queue.len() == 1);
            assert_eq!(queue.waiting(), 1);
            drop(second);
            for wait in waits {
                wait.join().unwrap();
            }
        });
        assert_eq!((queue.len(), queue.waiting()), (2, 0));
    }
}

#[test]
fn each_freed_room_wakes_exactly_one_task() {
    let queue = BoundedQueue::new(2);
    let mut slots = vec![queue.reserve().unwrap(), queue.reserve().unwrap()];
    let counters: Vec<_> = (0..3).map(|_| Counter::new()).collect();
    let mut waits: Vec<_> = (0..3).map(|_| Box::pin(queue.reserve_async())).collect();
    for (counter, wait) in counters.iter().zip(&mut waits) {
        assert!(counter.poll(wait.as_mut()).is_pending());
    }
    let wakes = || counters.iter().map(|counter| counter.wakes()).collect::<Vec<_>>();
    drop(slots.pop());
    assert_eq!(wakes(), [1, 0, 0]);
    // A slot that is used frees no room.
    slots.pop().unwrap().push(1).unwrap();
    assert_eq!(wakes(), [1, 0, 0]);
    assert_eq!(queue.pop(), Ok(1));
    assert_eq!(wakes(), [1, 1, 0]);
    // The first was woken and goes away: its room is for the third.
    drop(waits.remove(0));
    assert_eq!(wakes(), [1, 1, 1]);
    for wait in &mut waits {
        assert!(poll_once(wait.as_mut()).is_ready());
    }
}

#[test]
fn a_push_into_a_slot_wakes_one_receiver() {
    for face in Face::ALL {
        let queue = BoundedQueue::new(1);
        let slot = queue.reserve().unwrap();
        thread::scope(|scope| {
            let pop = scope.spawn(|| face.pop(&queue));
            eventually("the pop waits", || queue.waiting() == 1);
            slot.push(3).unwrap();
            assert_eq!(pop.join().unwrap(), Ok(3));
        });
    }
}

#[test]
fn a_blocked_reserve_goes_on_as_soon_as_there_is_room() {
    for face in Face::ALL {
        let queue = BoundedQueue::new(1);
        queue.push(1).unwrap();
        thread::scope(|scope| {
            let reserve = scope.spawn(|| face.reserve(&queue).unwrap().push(2));
            eventually("the reserve waits", || queue.waiting() == 1);
            assert_eq!(queue.pop(), Ok(1));
            reserve.join().unwrap().unwrap();
        });
        assert_eq!(queue.pop(), Ok(2));
    }
}

#[test]
fn a_slot_fails_only_after_close_and_gives_the_item_back() {
    for now in [false, true] {
        let queue = BoundedQueue::new(3);
        let [first, second] = [queue.reserve().unwrap(), queue.reserve().unwrap()];
        queue.push(1).unwrap();
        first.push(2).unwrap();
        if now {
            assert_eq!(queue.close_now().collect::<Vec<_>>(), [1, 2]);
        } else {
            queue.close();
        }
        assert_eq!(second.push(3), Err(PushError(3)));
        assert_eq!(queue.try_iter().count(), if now { 0 } else { 2 });
    }
    // A slot that outlives the close and is not used is no harm either.
    let queue = BoundedQueue::<u8>::new(1);
    let slot = queue.reserve().unwrap();
    queue.close();
    drop(slot);
    assert!(!queue.is_full());
}

#[test]
fn waiting_for_room_ends_with_close() {
    for face in Face::ALL {
        let queue = BoundedQueue::<u8>::new(1);
        let slot = queue.reserve().unwrap();
        thread::scope(|scope| {
            let reserve = scope.spawn(|| face.reserve(&queue).is_err());
            eventually("the reserve waits", || queue.waiting() == 1);
            queue.close();
            assert!(reserve.join().unwrap());
        });
        assert_eq!(slot.push(1), Err(PushError(1)));
        assert!(matches!(queue.reserve_timeout(LONG), Err(PushTimeoutError::Closed(()))));
        assert!(matches!(queue.try_reserve(), Err(TryPushError::Closed(()))));
    }
}

#[test]
fn a_slot_may_be_filled_by_another_thread() {
    let queue = BoundedQueue::new(1);
    thread::scope(|scope| {
        let slot = queue.reserve().unwrap();
        scope.spawn(move || slot.push("there").unwrap());
        assert_eq!(queue.pop(), Ok("there"));
    });
}

const LIMIT: usize = 65_535;

#[test]
fn with_65_535_slots_out_the_queue_counts_as_full() {
    let queue = BoundedQueue::new(70_000);
    let mut slots: Vec<_> = (0..LIMIT).map(|_| queue.try_reserve().unwrap()).collect();
    assert_eq!((queue.len(), queue.is_full()), (0, true));
    assert!(matches!(queue.try_reserve(), Err(TryPushError::Full(()))));
    assert_eq!(queue.try_push(1), Err(TryPushError::Full(1)));
    assert_eq!(queue.push_timeout(1, Duration::ZERO), Err(PushTimeoutError::TimedOut(1)));
    // One less, and all the room that is there can be used.
    drop(slots.pop());
    assert!(!queue.is_full());
    assert_eq!(block_on(queue.push_many_async(0..4_466)), Ok(4_466));
    assert!(queue.is_full());
    assert_eq!(queue.try_push(1), Err(TryPushError::Full(1)));
    for slot in slots {
        slot.push(0).unwrap();
    }
    assert_eq!(queue.len(), 70_000);
}

#[test]
fn leaving_the_limit_of_slots_releases_everyone_who_waits() {
    type Leave = fn(bifrons::Slot<'_, usize>);
    let ways: [Leave; 2] = [|slot| drop(slot), |slot| slot.push(9).unwrap()];
    for leave in ways {
        let queue = BoundedQueue::new(70_000);
        let mut slots: Vec<_> = (0..LIMIT).map(|_| queue.try_reserve().unwrap()).collect();
        thread::scope(|scope| {
            for face in Face::ALL {
                let queue = &queue;
                scope.spawn(move || face.push(queue, 1).unwrap());
                scope.spawn(move || face.push(queue, 1).unwrap());
            }
            eventually("all wait", || queue.waiting() == 6);
            leave(slots.pop().unwrap());
        });
        assert_eq!(queue.waiting(), 0);

        // Of those who want a slot, one gets it and the others wait on.
        slots.push(queue.try_reserve().unwrap());
        let counters: Vec<_> = (0..40).map(|_| Counter::new()).collect();
        let mut waits: Vec<_> = (0..40).map(|_| Box::pin(queue.reserve_async())).collect();
        for (counter, wait) in counters.iter().zip(&mut waits) {
            assert!(counter.poll(wait.as_mut()).is_pending());
        }
        for number in 0..2 {
            leave(slots.pop().unwrap());
            for (counter, wait) in counters.iter().zip(&mut waits).skip(number) {
                assert_eq!(counter.wakes(), number + 1);
                match counter.poll(wait.as_mut()) {
                    Poll::Ready(slot) => slots.push(slot.unwrap()),
                    Poll::Pending => {}
                }
            }
            assert_eq!((slots.len(), queue.waiting()), (LIMIT, 39 - number));
        }
    }
}

#[test]
fn a_waiter_at_the_limit_of_slots_may_leave() {
    let queue = BoundedQueue::new(70_000);
    let mut slots: Vec<_> = (0..LIMIT).map(|_| queue.try_reserve().unwrap()).collect();
    let (gone, stays) = (Counter::new(), Counter::new());
    let mut first = Box::pin(queue.push_async(1));
    let mut second = Box::pin(queue.push_async(2));
    assert!(gone.poll(first.as_mut()).is_pending());
    assert!(stays.poll(second.as_mut()).is_pending());
    drop(slots.pop());
    drop(first);
    assert_eq!(stays.poll(second.as_mut()), Poll::Ready(Ok(())));
    assert_eq!((queue.len(), queue.waiting()), (1, 0));
}
