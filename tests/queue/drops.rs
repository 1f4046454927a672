//! Items are dropped exactly once, outside every lock, and may do what they like meanwhile.

use crate::common::poll_once;
use crate::{Counted, dropped};
use bifrons::BoundedQueue;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

#[test]
fn a_queue_that_goes_away_drops_each_item_once() {
    for capacity in [1, 2, 3, 4, 5, 7] {
        for first in 0..2 * capacity {
            for filled in 0..=capacity {
                let drops = Arc::new(AtomicUsize::new(0));
                let queue = BoundedQueue::new(capacity);
                for number in 0..first {
                    assert!(queue.push(Counted::new(number, &drops)).is_ok());
                    drop(queue.pop());
                }
                for number in 0..filled {
                    assert!(queue.push(Counted::new(number, &drops)).is_ok());
                }
                if filled % 2 == 0 {
                    queue.close();
                }
                assert_eq!(dropped(&drops), first);
                drop(queue);
                assert_eq!(dropped(&drops), first + filled);
            }
        }
    }
}

/// Panics in its drop if it is the chosen one.
struct Bomb(Counted, usize);

impl Drop for Bomb {
    fn drop(&mut self) {
        assert_ne!(self.0.number, self.1, "the chosen one");
    }
}

#[test]
fn when_one_drop_panics_the_others_are_dropped_all_the_same() {
    for chosen in 0..5 {
        let drops = Arc::new(AtomicUsize::new(0));
        let fill = || {
            let queue = BoundedQueue::new(5);
            for number in 0..5 {
                assert!(queue.push(Bomb(Counted::new(number, &drops), chosen)).is_ok());
            }
            queue
        };
        let queue = fill();
        assert!(catch_unwind(AssertUnwindSafe(|| drop(queue))).is_err());
        assert_eq!(dropped(&drops), 5);
        // The same for a drain.
        let queue = fill();
        let drain = queue.close_now();
        assert!(catch_unwind(AssertUnwindSafe(|| drop(drain))).is_err());
        assert_eq!(dropped(&drops), 10);
        drop(queue);
        assert_eq!(dropped(&drops), 10);
    }
}

#[test]
fn the_queue_keeps_nothing_of_an_item_that_was_taken() {
    let drops = Arc::new(AtomicUsize::new(0));
    let queue = BoundedQueue::new(2);
    for number in 0..5 {
        assert!(queue.push(Counted::new(number, &drops)).is_ok());
        let item = queue.pop().unwrap();
        assert_eq!(dropped(&drops), number);
        drop(item);
        assert_eq!(dropped(&drops), number + 1);
    }
    assert_eq!(Arc::strong_count(&drops), 1);
}

#[test]
fn an_item_that_was_not_pushed_is_dropped_with_its_future_once() {
    let drops = Arc::new(AtomicUsize::new(0));
    let queue = BoundedQueue::new(1);
    // Never polled.
    drop(queue.push_async(Counted::new(0, &drops)));
    assert_eq!(dropped(&drops), 1);
    assert!(queue.push(Counted::new(1, &drops)).is_ok());
    {
        let mut push = pin!(queue.push_async(Counted::new(2, &drops)));
        assert!(poll_once(push.as_mut()).is_pending());
    }
    assert_eq!(dropped(&drops), 2);
    {
        let mut push = pin!(queue.push_async(Counted::new(3, &drops)));
        assert!(poll_once(push.as_mut()).is_pending());
        drop(queue.pop());
        assert!(poll_once(push.as_mut()).is_ready());
    }
    assert_eq!(dropped(&drops), 3);
    let evicted = queue.force_push(Counted::new(4, &drops)).unwrap().unwrap();
    assert_eq!((evicted.number, dropped(&drops)), (3, 3));
    drop(evicted);
    queue.close();
    let rejected = queue.push(Counted::new(5, &drops)).unwrap_err();
    assert_eq!((rejected.0.number, dropped(&drops)), (5, 4));
    drop((rejected, queue));
    assert_eq!(dropped(&drops), 6);
}

/// Pushes its successor into the queue when it is dropped.
struct Echo {
    number: usize,
    queue: Weak<BoundedQueue<Echo>>,
    rejected: Arc<AtomicUsize>,
}

impl Drop for Echo {
    fn drop(&mut self) {
        let Some(queue) = self.queue.upgrade() else { return };
        let successor = Self {
            number: self.number + 100,
            queue: Weak::clone(&self.queue),
            rejected: Arc::clone(&self.rejected),
        };
        drop((queue.len(), queue.waiting(), format!("{queue:?}")));
        if let Err(error) = queue.try_push(successor) {
            self.rejected.fetch_add(1, Ordering::SeqCst);
            // It would try again for ever.
            error.into_inner().queue = Weak::new();
        }
    }
}

fn echoes(capacity: usize) -> (Arc<BoundedQueue<Echo>>, impl Fn(usize) -> Echo, Arc<AtomicUsize>) {
    let queue = Arc::new(BoundedQueue::new(capacity));
    let rejected = Arc::new(AtomicUsize::new(0));
    let make = {
        let (queue, rejected) = (Arc::downgrade(&queue), Arc::clone(&rejected));
        move |number| Echo { number, queue: Weak::clone(&queue), rejected: Arc::clone(&rejected) }
    };
    (queue, make, rejected)
}

#[test]
fn an_item_may_push_into_the_queue_while_it_is_dropped() {
    let (queue, make, rejected) = echoes(3);
    for number in [1, 2] {
        assert!(queue.push(make(number)).is_ok());
    }
    let mut seen = Vec::new();
    for _ in 0..6 {
        let item = queue.try_pop().unwrap();
        seen.push(item.number);
        drop(item);
    }
    // The order is kept.
    assert_eq!(seen, [1, 2, 101, 102, 201, 202]);
    assert_eq!(rejected.load(Ordering::SeqCst), 0);
}

#[test]
fn an_evicted_item_may_push_while_it_is_dropped() {
    let (queue, make, rejected) = echoes(1);
    assert!(queue.push(make(1)).is_ok());
    drop(queue.force_push(make(2)));
    assert_eq!((queue.len(), rejected.load(Ordering::SeqCst)), (1, 1));
    let item = queue.pop().unwrap();
    assert_eq!(item.number, 2);
}

#[test]
fn a_cancelled_item_may_push_while_it_is_dropped() {
    let (queue, make, rejected) = echoes(1);
    assert!(queue.push(make(1)).is_ok());
    {
        let mut push = pin!(queue.push_async(make(2)));
        assert!(poll_once(push.as_mut()).is_pending());
        let mut item = queue.pop().unwrap();
        item.queue = Weak::new();
        // Woken, and cancelled: its item finds the room.
    }
    assert_eq!((queue.len(), rejected.load(Ordering::SeqCst)), (1, 0));
    assert_eq!(queue.pop().unwrap().number, 102);
}

#[test]
fn drained_items_may_push_while_they_are_dropped() {
    let (queue, make, rejected) = echoes(3);
    for number in 0..3 {
        assert!(queue.push(make(number)).is_ok());
    }
    drop(queue.close_now());
    assert_eq!((queue.len(), rejected.load(Ordering::SeqCst)), (0, 3));
}

#[test]
fn items_of_every_shape_travel() {
    let queue = BoundedQueue::new(3);
    for _ in 0..10 {
        queue.push_many([(), ()]).unwrap();
        assert_eq!(queue.try_iter().count(), 2);
    }
    let queue = BoundedQueue::new(3);
    for _ in 0..10 {
        queue.push([7_u64; 100]).unwrap();
        assert_eq!(queue.pop(), Ok([7; 100]));
    }
    #[repr(align(256))]
    #[derive(Debug, PartialEq)]
    struct Aligned(u8);
    let queue = BoundedQueue::new(3);
    for number in 0..10 {
        queue.push(Box::new(Aligned(number))).unwrap();
        assert_eq!(queue.pop(), Ok(Box::new(Aligned(number))));
    }
    let queue = BoundedQueue::new(3);
    queue.push_many((0..3).map(Aligned)).unwrap();
    assert!(queue.try_iter().eq((0..3).map(Aligned)));
    // Borrowed items: the queue need not be `'static`.
    let text = String::from("borrowed");
    let queue = BoundedQueue::new(1);
    queue.push(text.as_str()).unwrap();
    assert_eq!(queue.pop(), Ok("borrowed"));
}
