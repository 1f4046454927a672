//! Replacing the oldest, against everything.

use super::*;

/// Pushes in any case; the item that had to go, if any.
fn force(queue: &BoundedQueue<Item>, item: Item) -> Option<usize> {
    let Ok(evicted) = queue.force_push(item) else { panic!("nobody closed") };
    evicted.map(|item| item.id)
}

/// The oldest is popped while it is to be replaced: it is here or there. Killed: an eviction that
/// takes what a pop has claimed, or does not wait for the slot that the pop still reads.
#[test]
fn force_push_meets_pop() {
    for capacity in [1, 2] {
        explore_ring(&format!("queue: force_push meets pop at capacity {capacity}"), move || {
            let ledger = Ledger::default();
            let queue = ledger.queue(capacity, capacity);
            let other = Arc::clone(&queue);
            let thread = thread::spawn(move || other.go().pop().unwrap().id);
            let evicted = force(queue.go(), ledger.item(capacity));
            let popped = thread.join().unwrap();
            let mut out = vec![popped];
            out.extend(evicted);
            let len = queue.queue.len();
            assert_eq!(len, capacity + 1 - out.len());
            // The oldest goes first.
            if let Some(evicted) = evicted {
                assert!(evicted < 2 && popped < 2 && evicted != popped || capacity == 1);
            }
            ledger.settle(queue, out);
        });
    }
}

/// An item is pushed while the oldest is replaced. Killed: a replacement that leaves room to a push
/// that comes in between.
#[test]
fn force_push_meets_push() {
    for capacity in [1, 2] {
        explore_ring(&format!("queue: force_push meets push at capacity {capacity}"), move || {
            let ledger = Ledger::default();
            let queue = ledger.queue(capacity, capacity - 1);
            let other = Arc::clone(&queue);
            let (mine, theirs) = (ledger.item(capacity - 1), ledger.item(capacity));
            let thread = thread::spawn(move || other.go().try_push(theirs).is_ok());
            let mut out = Vec::from_iter(force(queue.go(), mine));
            let pushed = thread.join().unwrap();
            assert_eq!(queue.queue.len(), capacity);
            assert_eq!(out.is_empty(), !pushed);
            out.extend((!pushed).then_some(capacity));
            ledger.settle(queue, out);
        });
    }
}

/// A push finds the queue full while the oldest is replaced: `Full` and the item back, at every
/// moment. Killed: as above.
#[test]
fn force_push_meets_full() {
    for capacity in [1, 2] {
        explore_ring(&format!("queue: force_push meets full at capacity {capacity}"), move || {
            let ledger = Ledger::default();
            let queue = ledger.queue(capacity, capacity);
            let other = Arc::clone(&queue);
            let item = ledger.item(capacity);
            let thread = thread::spawn(move || {
                let Err(TryPushError::Full(item)) = other.go().try_push(item) else {
                    panic!("the queue was full throughout");
                };
                item.id
            });
            let mut out = Vec::from_iter(force(queue.go(), ledger.item(capacity + 1)));
            assert_eq!(out, [0]);
            out.push(thread.join().unwrap());
            ledger.settle(queue, out);
        });
    }
}

/// Two replace the oldest at the same time. Killed: an eviction of the wrong position.
#[test]
fn force_push_meets_force_push() {
    for capacity in [1, 2] {
        explore_ring(&format!("queue: two force_push at capacity {capacity}"), move || {
            let ledger = Ledger::default();
            let queue = ledger.queue(capacity, capacity);
            let other = Arc::clone(&queue);
            let (mine, theirs) = (ledger.item(capacity), ledger.item(capacity + 1));
            let thread = thread::spawn(move || force(other.go(), theirs).unwrap());
            let mut out = vec![force(queue.go(), mine).unwrap()];
            out.push(thread.join().unwrap());
            assert_eq!(queue.queue.len(), capacity);
            assert!(out.contains(&0));
            ledger.settle(queue, out);
        });
    }
}

/// The oldest is replaced while a slot is out, and filled. At capacity 1 there is nothing to evict:
/// the new item comes back. Killed: an eviction that does not count the reservation.
#[test]
fn force_push_meets_slot() {
    for capacity in [1, 2] {
        explore_ring(&format!("queue: force_push meets slot at capacity {capacity}"), move || {
            let ledger = Ledger::default();
            let queue = ledger.queue(capacity, capacity - 1);
            let other = Arc::clone(&queue);
            let (mine, theirs) = (ledger.item(capacity - 1), ledger.item(capacity));
            let thread = thread::spawn(move || {
                let slot = other.go().try_reserve().ok()?;
                other.go();
                assert!(slot.push(theirs).is_ok());
                Some(())
            });
            let mut out = Vec::from_iter(force(queue.go(), mine));
            let filled = thread.join().unwrap().is_some();
            assert_eq!(queue.queue.len(), capacity);
            out.extend((!filled).then_some(capacity));
            ledger.settle(queue, out);
        });
    }
}

/// The oldest is replaced while the queue is closed. Few executions, for a close is one step.
/// Killed: a replacement that ignores `CLOSED`, or evicts before it has a place.
#[test]
fn force_push_meets_close() {
    explore_ring("queue: force_push meets close", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(1, 1);
        let other = Arc::clone(&queue);
        let thread = thread::spawn(move || other.go().close());
        let (Ok(Some(back)) | Err(PushError(back))) = queue.go().force_push(ledger.item(1)) else {
            panic!("the queue was full");
        };
        let mut out = vec![back.id];
        drop(back);
        thread.join().unwrap();
        assert_eq!(queue.queue.len(), 1);
        let late = queue.go().force_push(ledger.item(2)).err().unwrap().into_inner().id;
        out.push(late);
        ledger.settle(queue, out);
    });
}

/// The oldest is replaced while the rest is taken: for a moment there is one item more than the
/// capacity. Killed: a drain that counts on the capacity.
#[test]
fn force_push_meets_close_now() {
    explore_ring("queue: force_push meets close_now", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(1, 1);
        let other = Arc::clone(&queue);
        let thread =
            thread::spawn(move || other.go().close_now().map(|item| item.id).collect::<Vec<_>>());
        let mut out = match queue.go().force_push(ledger.item(1)) {
            Ok(evicted) => Vec::from_iter(evicted.map(|item| item.id)),
            Err(PushError(item)) => vec![item.id],
        };
        out.extend(thread.join().unwrap());
        assert!(queue.queue.is_empty());
        ledger.settle(queue, out);
    });
}

/// Beside a slot, the oldest is popped before it is evicted, and a push takes the room: the
/// replacement has its own place and does not wait for that one. Killed: an eviction that waits for
/// a slot which others may fill.
#[test]
fn force_push_beside_a_slot_meets_pops_and_push() {
    explore_ring("queue: force_push beside a slot meets pops and push", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(3, 2);
        let slot = queue.queue.try_reserve().ok().unwrap();
        let other = Arc::clone(&queue);
        let (mine, theirs) = (ledger.item(2), ledger.item(3));
        let thread = thread::spawn(move || {
            let mut out = vec![other.go().try_pop().ok().unwrap().id];
            out.extend(other.queue.try_pop().ok().map(|item| item.id));
            let pushed = other.queue.try_push(theirs).is_ok();
            out.extend((!pushed).then_some(3));
            out
        });
        let mut out = Vec::from_iter(force(queue.go(), mine));
        out.extend(thread.join().unwrap());
        drop(slot);
        ledger.settle(queue, out);
    });
}

/// Beside a slot, a push writes to the place that the replacement was to free, while the pop that
/// has been faster still reads it. Killed: a push beside a slot that looks only at the stamp of the
/// room that it takes, not of the place where it writes.
#[test]
fn force_push_beside_a_slot_meets_pop() {
    explore_ring("queue: force_push beside a slot meets pop", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(3, 2);
        let slot = queue.queue.try_reserve().ok().unwrap();
        let other = Arc::clone(&queue);
        let thread = thread::spawn(move || other.go().try_pop().ok().unwrap().id);
        let mut out = Vec::from_iter(force(queue.go(), ledger.item(2)));
        out.push(queue.go().try_pop().ok().unwrap().id);
        assert!(queue.go().try_push(ledger.item(3)).is_ok());
        out.push(thread.join().unwrap());
        drop(slot);
        ledger.settle(queue, out);
    });
}

/// A receiver sleeps while an item is forced in. Killed: a replacement that wakes nobody.
#[test]
fn force_push_meets_sleeping_receiver() {
    explore_ring("queue: force_push meets a sleeping receiver", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(1, 0);
        let other = Arc::clone(&queue);
        let item = ledger.item(0);
        let thread = thread::spawn(move || assert_eq!(force(other.go(), item), None));
        let out = vec![queue.go().pop().unwrap().id];
        thread.join().unwrap();
        ledger.settle(queue, out);
    });
}

/// A sender sleeps on the full queue, the oldest is replaced, then one is popped: the sender gets
/// the room. Killed: a pop that wakes nobody.
#[test]
fn force_push_meets_sleeping_sender() {
    explore_ring("queue: force_push meets a sleeping sender", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(1, 1);
        let other = Arc::clone(&queue);
        let item = ledger.item(1);
        let thread = thread::spawn(move || {
            let queue = other.go();
            let evicted = force(queue, item);
            (evicted, queue.pop().unwrap().id)
        });
        assert!(queue.go().push(ledger.item(2)).is_ok());
        let (evicted, popped) = thread.join().unwrap();
        let mut out = vec![popped];
        out.extend(evicted);
        ledger.settle(queue, out);
    });
}

/// Two senders sleep on the full queue, the oldest is replaced, and two are popped: both senders are
/// told. Killed: an eviction that takes the `WAIT` flag back.
#[test]
fn force_push_meets_two_sleeping_senders() {
    explore_ring("queue: force_push meets two sleeping senders", || {
        let queue = Arc::new(BoundedQueue::new(2));
        queue.push_many([0, 1]).unwrap();
        let mut sends = [3, 4].map(|item| Box::pin(queue.push_async(item)));
        for send in &mut sends {
            assert!(poll_once(send.as_mut()).is_pending());
        }
        let other = Arc::clone(&queue);
        let forcing = thread::spawn(move || other.force_push(2).unwrap());
        for _ in 0..2 {
            queue.try_pop().unwrap();
        }
        forcing.join().unwrap();
        assert_eq!(queue.waiting(), 0, "two were popped, so both are told");
    });
}

/// A pop takes what is to be replaced, and the slot that was held takes the place that this frees,
/// before the replacement looks again. Killed: an eviction that waits for that place to be free,
/// though it is not its own.
#[test]
fn force_push_meets_pop_and_a_slot() {
    explore_ring("queue: force_push meets a pop and a slot", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 1);
        let slot = queue.queue.try_reserve().unwrap();
        let [first, second] = [Arc::clone(&queue), Arc::clone(&queue)];
        let item = ledger.item(1);
        let forcing = thread::spawn(move || force(first.go(), item));
        let popping = thread::spawn(move || second.go().try_pop().ok().map(|item| item.id));
        queue.go();
        assert!(slot.push(ledger.item(2)).is_ok());
        let mut out: Vec<_> = forcing.join().unwrap().into_iter().collect();
        out.extend(popping.join().unwrap());
        ledger.settle(queue, out);
    });
}

/// A slot is given back while a replacement has one claim too many: the sender that is woken for its
/// room finds it, for the queue is not full.
///
/// Killed: an eviction that does not tell the senders.
#[test]
fn force_push_meets_dropped_slot_and_sender() {
    explore_ring("queue: force_push meets a dropped slot and a sender", || {
        let queue = Arc::new(BoundedQueue::new(2));
        queue.try_push(0).unwrap();
        let slot = queue.try_reserve().unwrap();
        let [first, second] = [Arc::clone(&queue), Arc::clone(&queue)];
        let forcing = thread::spawn(move || usize::from(first.force_push(1).unwrap().is_some()));
        let sending = thread::spawn(move || block_on(second.push_async(2)).unwrap());
        drop(slot);
        let evicted = forcing.join().unwrap();
        // Of three items and two places: either one was evicted, or the sender waits for this pop.
        let popped = usize::from(evicted == 0 && queue.try_pop().is_ok());
        sending.join().unwrap();
        assert_eq!(evicted + popped + queue.try_iter().count(), 3);
    });
}

/// A slot is given back while a replacement has one claim too many, and a push comes for its room. If
/// the oldest had to go, that was before the slot was given back, and the queue is not full.
///
/// Killed: a queue that counts as full during a replacement.
#[test]
fn force_push_meets_dropped_slot_and_push() {
    explore_ring("queue: force_push meets a dropped slot and a push", || {
        let queue = Arc::new(BoundedQueue::new(2));
        queue.try_push(0).unwrap();
        let slot = queue.try_reserve().unwrap();
        let other = Arc::clone(&queue);
        let forcing = thread::spawn(move || other.force_push(1).unwrap().is_some());
        drop(slot);
        let pushed = queue.try_push(2).is_ok();
        let evicted = forcing.join().unwrap();
        assert!(pushed || !evicted, "there is room beside the new item");
    });
}
