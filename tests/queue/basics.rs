//! Push and pop: at once, blocked, timed, as a task; what the snapshots say.

use crate::common::{Counter, Face, eventually, poll_once};
use bifrons::{
    BoundedQueue, PopError, PopTimeoutError, PushTimeoutError, TryPopError, TryPushError, block_on,
};
use futures::future::FusedFuture;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

const BRIEFLY: Duration = Duration::from_millis(5);

#[test]
#[should_panic(expected = "capacity 0")]
fn a_capacity_of_zero_panics() {
    drop(BoundedQueue::<u8>::new(0));
}

#[test]
fn snapshots_are_right_when_empty_partly_filled_and_full() {
    for capacity in [1, 2, 3, 5, 64] {
        let queue = BoundedQueue::new(capacity);
        assert_eq!(queue.capacity(), capacity);
        for filled in 0..=capacity {
            assert_eq!(queue.len(), filled);
            assert_eq!(queue.is_empty(), filled == 0);
            assert_eq!(queue.is_full(), filled == capacity);
            assert_eq!(queue.try_push(filled).is_ok(), filled < capacity);
        }
        for left in (0..capacity).rev() {
            queue.try_pop().unwrap();
            assert_eq!(queue.len(), left);
            assert!(!queue.is_full());
        }
        assert!(queue.is_empty());
        assert!(!queue.is_closed());
        assert_eq!(queue.waiting(), 0);
    }
}

#[test]
fn debug_shows_the_state_and_the_waiters() {
    let queue = BoundedQueue::new(2);
    queue.push(1).unwrap();
    let slot = queue.reserve().unwrap();
    let mut push = pin!(queue.push_async(2));
    assert!(poll_once(push.as_mut()).is_pending());
    assert_eq!(
        format!("{queue:?}"),
        "BoundedQueue { len: 1, reserved: 1, capacity: 2, closed: false, waiting_senders: 1, \
         waiting_receivers: 0 }"
    );
    assert!(format!("{push:?}").contains("Queued"));
    drop(slot);
    queue.close();
    let text = format!("{queue:?}");
    assert!(text.contains("closed: true") && text.contains("waiting_senders: 0"), "{text}");

    // Also for items that are not `Debug` themselves.
    struct Mute;
    let queue = BoundedQueue::<Mute>::new(1);
    let mut pop = pin!(queue.pop_async());
    assert!(poll_once(pop.as_mut()).is_pending());
    let text = format!("{queue:?} {:?} {:?} {:?}", queue.iter(), queue.try_iter(), queue.stream());
    assert!(text.contains("waiting_receivers: 1"), "{text}");
    drop(format!("{:?} {:?}", queue.sink(), queue.try_reserve()));
}

#[test]
fn items_leave_in_the_order_in_which_they_entered() {
    for push in Face::ALL {
        for pop in Face::ALL {
            let queue = BoundedQueue::new(3);
            for _ in 0..4 {
                for item in [111, 333, 222] {
                    push.push(&queue, item).unwrap();
                }
                for item in [111, 333, 222] {
                    assert_eq!(pop.pop(&queue), Ok(item), "{push:?} {pop:?}");
                }
            }
        }
    }
}

#[test]
fn a_full_queue_refuses_and_gives_the_item_back() {
    for capacity in [1, 2, 7] {
        let queue = BoundedQueue::new(capacity);
        queue.push_many(0..capacity).unwrap();
        assert_eq!(queue.try_push(90), Err(TryPushError::Full(90)));
        for timeout in [Duration::ZERO, BRIEFLY] {
            assert_eq!(queue.push_timeout(91, timeout), Err(PushTimeoutError::TimedOut(91)));
        }
        for deadline in [Instant::now(), Instant::now() + BRIEFLY] {
            assert_eq!(queue.push_deadline(92, deadline), Err(PushTimeoutError::TimedOut(92)));
        }
        let mut push = pin!(queue.push_async(93));
        assert!(poll_once(push.as_mut()).is_pending());
        assert_eq!(push.as_mut().take(), Some(93));
        assert_eq!(push.as_mut().take(), None);
        assert!(push.is_terminated());
        assert_eq!((queue.len(), queue.waiting()), (capacity, 0));
        assert_eq!(queue.try_iter().collect::<Vec<_>>(), (0..capacity).collect::<Vec<_>>());
    }
}

#[test]
fn an_empty_queue_refuses() {
    let queue = BoundedQueue::<u8>::new(2);
    assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
    for timeout in [Duration::ZERO, BRIEFLY] {
        assert_eq!(queue.pop_timeout(timeout), Err(PopTimeoutError::TimedOut));
    }
    for deadline in [Instant::now(), Instant::now() + BRIEFLY] {
        assert_eq!(queue.pop_deadline(deadline), Err(PopTimeoutError::TimedOut));
    }
    {
        let mut pop = pin!(queue.pop_async());
        assert!(poll_once(pop.as_mut()).is_pending());
        assert_eq!(queue.waiting(), 1);
    }
    assert_eq!((queue.len(), queue.waiting()), (0, 0));
    queue.push(1).unwrap();
    assert_eq!(queue.pop(), Ok(1));
}

#[test]
fn a_timeout_waits_as_long_as_it_says() {
    let queue = BoundedQueue::new(1);
    let timeout = Duration::from_millis(40);
    let start = Instant::now();
    assert_eq!(queue.pop_timeout(timeout), Err(PopTimeoutError::TimedOut));
    assert!(start.elapsed() >= timeout);
    queue.push(1).unwrap();
    let start = Instant::now();
    assert_eq!(queue.push_timeout(2, timeout), Err(PushTimeoutError::TimedOut(2)));
    assert!(start.elapsed() >= timeout);
}

#[test]
fn what_is_there_beats_a_deadline_that_has_passed() {
    let queue = BoundedQueue::new(1);
    let past = Instant::now();
    queue.push_deadline(1, past).unwrap();
    assert_eq!(queue.pop_deadline(past), Ok(1));
    queue.push_timeout(2, Duration::ZERO).unwrap();
    assert_eq!(queue.pop_timeout(Duration::ZERO), Ok(2));
    drop(queue.reserve_deadline(past).unwrap());
    queue.reserve_timeout(Duration::ZERO).unwrap().push(3).unwrap();
    let mut items = Vec::new();
    assert_eq!(queue.pop_many_deadline(&mut items, 5, past), Ok(1));
    assert_eq!(items, [3]);
}

#[test]
fn a_timeout_that_overflows_the_clock_waits_for_ever() {
    let queue = BoundedQueue::new(1);
    queue.push_timeout(1, Duration::MAX).unwrap();
    thread::scope(|scope| {
        let push = scope.spawn(|| queue.push_timeout(2, Duration::MAX));
        eventually("the push waits", || queue.waiting() == 1);
        assert_eq!(queue.pop_timeout(Duration::MAX), Ok(1));
        push.join().unwrap().unwrap();
        assert_eq!(queue.pop(), Ok(2));
        let pop = scope.spawn(|| queue.pop_timeout(Duration::MAX));
        eventually("the pop waits", || queue.waiting() == 1);
        queue.push(3).unwrap();
        assert_eq!(pop.join().unwrap(), Ok(3));
    });
}

#[test]
fn a_blocked_push_goes_on_as_soon_as_there_is_room() {
    for push in Face::ALL {
        for pop in Face::ALL {
            let queue = BoundedQueue::new(2);
            // Twice on the same object.
            for _ in 0..2 {
                queue.push_many([1, 2]).unwrap();
                thread::scope(|scope| {
                    let pusher = scope.spawn(|| push.push(&queue, 3));
                    eventually("the push waits", || queue.waiting() == 1);
                    assert!(!pusher.is_finished());
                    assert_eq!(pop.pop(&queue), Ok(1));
                    pusher.join().unwrap().unwrap();
                });
                assert_eq!((queue.len(), queue.waiting()), (2, 0));
                assert_eq!(queue.try_iter().collect::<Vec<_>>(), [2, 3]);
            }
        }
    }
}

#[test]
fn a_blocked_pop_goes_on_as_soon_as_an_item_comes() {
    for push in Face::ALL {
        for pop in Face::ALL {
            let queue = BoundedQueue::new(2);
            for round in 0..2 {
                thread::scope(|scope| {
                    let popper = scope.spawn(|| pop.pop(&queue));
                    eventually("the pop waits", || queue.waiting() == 1);
                    assert!(!popper.is_finished());
                    push.push(&queue, round).unwrap();
                    assert_eq!(popper.join().unwrap(), Ok(round));
                });
                assert_eq!((queue.len(), queue.waiting()), (0, 0));
            }
        }
    }
}

#[test]
fn the_forms_that_do_not_wait_fill_to_the_brim_and_drain_to_the_bottom() {
    for capacity in [1, 2, 3, 4, 5, 7, 64, 1000] {
        let queue = BoundedQueue::new(capacity);
        for lap in 0..7 {
            let mut pushed = 0;
            while queue.try_push((lap, pushed)).is_ok() {
                pushed += 1;
            }
            assert_eq!(pushed, capacity);
            for number in 0..capacity {
                assert_eq!(queue.try_pop(), Ok((lap, number)));
            }
            assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
            // The next lap starts one slot further on.
            queue.try_push((0, 0)).unwrap();
            queue.try_pop().unwrap();
        }
    }
}

#[test]
fn order_holds_over_many_laps() {
    for capacity in [1, 2, 3, 5, 8] {
        let queue = BoundedQueue::new(capacity);
        let mut next = 0;
        for number in 0..50_000 {
            if queue.is_full() {
                assert_eq!(queue.try_pop(), Ok(next));
                next += 1;
            }
            queue.try_push(number).unwrap();
        }
        assert!(queue.try_iter().eq(next..50_000));
    }
}

#[test]
fn waiters_of_both_faces_and_both_sides_are_counted() {
    let queue = BoundedQueue::new(1);
    thread::scope(|scope| {
        let mut tasks = [Box::pin(queue.pop_async()), Box::pin(queue.pop_async())];
        for task in &mut tasks {
            assert!(poll_once(task.as_mut()).is_pending());
        }
        for face in Face::ALL {
            let queue = &queue;
            scope.spawn(move || face.pop(queue).unwrap());
        }
        eventually("five wait", || queue.waiting() == 5);
        drop(tasks);
        assert_eq!(queue.waiting(), 3);
        queue.push_many(0..3).unwrap();
    });
    queue.push(0).unwrap();
    thread::scope(|scope| {
        let mut task = Box::pin(queue.push_async(1));
        assert!(poll_once(task.as_mut()).is_pending());
        let blocked = scope.spawn(|| queue.push(2));
        eventually("two wait", || queue.waiting() == 2);
        drop(task);
        assert_eq!(queue.waiting(), 1);
        assert_eq!(queue.pop(), Ok(0));
        blocked.join().unwrap().unwrap();
    });
    assert_eq!((queue.waiting(), queue.pop()), (0, Ok(2)));
}

#[test]
fn a_future_that_was_never_polled_does_not_wait() {
    let queue = BoundedQueue::new(1);
    let pop = queue.pop_async();
    assert_eq!(queue.waiting(), 0);
    drop(pop);
    queue.push(1).unwrap();
    let push = queue.push_async(2);
    assert_eq!((queue.waiting(), queue.len()), (0, 1));
    drop(push);
    assert_eq!(queue.pop(), Ok(1));
    // It reads the queue as it is at its first poll.
    let pop = queue.pop_async();
    queue.push(3).unwrap();
    assert_eq!(block_on(pop), Ok(3));
}

#[test]
fn a_future_that_is_polled_after_its_end_panics_and_changes_nothing() {
    let queue = BoundedQueue::new(4);
    let counter = Counter::new();
    let mut push = pin!(queue.push_async(1));
    assert!(!push.is_terminated());
    assert_eq!(counter.poll(push.as_mut()), Poll::Ready(Ok(())));
    assert!(push.is_terminated());
    assert_eq!(push.as_mut().take(), None);
    assert!(catch_unwind(AssertUnwindSafe(|| counter.poll(push.as_mut()))).is_err());
    let mut pop = pin!(queue.pop_async());
    assert_eq!(counter.poll(pop.as_mut()), Poll::Ready(Ok(1)));
    assert!(pop.is_terminated());
    assert!(catch_unwind(AssertUnwindSafe(|| counter.poll(pop.as_mut()))).is_err());
    let mut reserve = pin!(queue.reserve_async());
    assert!(counter.poll(reserve.as_mut()).is_ready());
    assert!(reserve.is_terminated());
    assert!(catch_unwind(AssertUnwindSafe(|| counter.poll(reserve.as_mut()))).is_err());
    let mut items = Vec::new();
    {
        let mut many = pin!(queue.pop_many_async(&mut items, 0));
        assert_eq!(counter.poll(many.as_mut()), Poll::Ready(Ok(0)));
        assert!(many.is_terminated());
        assert!(catch_unwind(AssertUnwindSafe(|| counter.poll(many.as_mut()))).is_err());
    }
    let mut many = pin!(queue.push_many_async([]));
    assert_eq!(
        counter.poll(many.as_mut()),
        Poll::<Result<usize, bifrons::PushError<i32>>>::Ready(Ok(0))
    );
    assert!(many.is_terminated());
    assert!(catch_unwind(AssertUnwindSafe(|| counter.poll(many.as_mut()))).is_err());
    assert_eq!((queue.len(), queue.waiting()), (0, 0));
    assert_eq!(counter.wakes(), 0);
}

#[test]
fn errors_give_the_item_back_whatever_it_is() {
    // Neither `Debug` nor `Clone`.
    struct Item(u8);
    let queue = BoundedQueue::new(1);
    assert!(queue.push(Item(0)).is_ok());
    assert_eq!(queue.try_push(Item(1)).err().unwrap().into_inner().0, 1);
    assert_eq!(queue.push_timeout(Item(2), BRIEFLY).err().unwrap().into_inner().0, 2);
    queue.close();
    assert_eq!(queue.try_push(Item(3)).err().unwrap().into_inner().0, 3);
    assert_eq!(queue.push(Item(4)).err().unwrap().0.0, 4);
    assert_eq!(queue.push_timeout(Item(5), BRIEFLY).err().unwrap().into_inner().0, 5);
    assert_eq!(block_on(queue.push_async(Item(6))).err().unwrap().into_inner().0, 6);
    assert_eq!(queue.force_push(Item(7)).err().unwrap().into_inner().0, 7);
    assert_eq!(queue.push_many([Item(8)]).err().unwrap().into_inner().0, 8);
    assert_eq!(queue.pop().map(|item| item.0), Ok(0));
    assert_eq!(queue.pop().map(|item| item.0), Err(PopError));
}
