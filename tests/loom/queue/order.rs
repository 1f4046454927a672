//! Items pass from push to pop: whole, once, in order.

use super::*;

/// A sender and a receiver hand over two items.
fn handover(name: &str, capacity: usize, sender: Face, receiver: Face) {
    let name = format!("queue: {name}, {sender:?} to {receiver:?}");
    explore_ring(&name, move || {
        let ledger = Ledger::default();
        let queue = ledger.queue(capacity, 0);
        let other = Arc::clone(&queue);
        let items = [ledger.item(0), ledger.item(1)];
        let thread = thread::spawn(move || {
            for item in items {
                assert!(sender.push(&other, item).is_ok());
            }
        });
        let out: Vec<_> = (0..2).map(|_| receiver.pop(&queue).unwrap().id).collect();
        assert_eq!(out, [0, 1]);
        thread.join().unwrap();
        ledger.settle(queue, out);
    });
}

/// Both ends sleep in turn: the receiver on the empty queue, the sender on the full one; the second
/// push writes the very slot that the first pop has read. Killed: a stamp that is stored before the
/// item or without Release, a stamp that is read without Acquire, a slot that is freed before its
/// item is out.
#[test]
fn full_and_empty_at_capacity_1() {
    handover("full and empty at capacity 1", 1, Thread, Thread);
    handover("full and empty at capacity 1", 1, Thread, Task);
    handover("full and empty at capacity 1", 1, Task, Thread);
}

/// The second push goes on while the first item is still inside. Killed: as at capacity 1, and
/// positions that advance wrongly at the end of a lap.
#[test]
fn empty_at_capacity_2() {
    handover("empty at capacity 2", 2, Thread, Thread);
}

/// A full queue of two is emptied while two more come. Killed: as at capacity 1.
#[test]
fn full_at_capacity_2() {
    explore_ring("queue: full at capacity 2", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 2);
        let other = Arc::clone(&queue);
        let items = [ledger.item(2), ledger.item(3)];
        let thread = thread::spawn(move || {
            for item in items {
                assert!(other.go().push(item).is_ok());
            }
        });
        let mut out: Vec<_> = (0..2).map(|_| queue.go().pop().unwrap().id).collect();
        thread.join().unwrap();
        out.push(queue.go().try_pop().ok().unwrap().id);
        assert_eq!(out, [0, 1, 2]);
        ledger.settle(queue, out);
    });
}

/// A queue of two that never holds more than one item when this thread pushes never says `Full`,
/// though the other thread moves both ends. Killed: claims that are not Release, looked at without
/// Acquire.
#[test]
fn full_is_true() {
    explore_ring("queue: full is true", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 1);
        let other = Arc::clone(&queue);
        let (mine, theirs) = (ledger.item(1), ledger.item(2));
        let thread = thread::spawn(move || {
            let item = other.go().try_pop().ok().unwrap();
            assert!(other.go().try_push(theirs).is_ok());
            item.id
        });
        assert!(queue.go().try_push(mine).is_ok());
        let out = vec![thread.join().unwrap()];
        ledger.settle(queue, out);
    });
}

/// A queue that holds an item at every moment never says `Empty`, though the other thread moves
/// both ends. Killed: as in `full_is_true`.
#[test]
fn empty_is_true() {
    explore_ring("queue: empty is true", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 1);
        let other = Arc::clone(&queue);
        let item = ledger.item(1);
        let thread = thread::spawn(move || {
            assert!(other.go().try_push(item).is_ok());
            other.go().try_pop().ok().unwrap().id
        });
        let mine = queue.go().try_pop().ok().unwrap().id;
        let out = vec![mine, thread.join().unwrap()];
        ledger.settle(queue, out);
    });
}

/// Two senders and the room for one: one of them gets it. Few executions, for nobody sleeps. Killed:
/// a claim that does not look at the stamp.
#[test]
fn two_senders_one_room() {
    for capacity in [1, 2] {
        explore_ring(&format!("queue: two senders, one room of {capacity}"), move || {
            let ledger = Ledger::default();
            let queue = ledger.queue(capacity, capacity - 1);
            let other = Arc::clone(&queue);
            let items = [ledger.item(capacity - 1), ledger.item(capacity)];
            let [mine, theirs] = items;
            let thread = thread::spawn(move || other.go().try_push(theirs).is_ok());
            let pushed = queue.go().try_push(mine).is_ok();
            assert_ne!(pushed, thread.join().unwrap());
            assert_eq!(queue.queue.len(), capacity);
            // The item that was refused was dropped.
            ledger.settle(queue, vec![if pushed { capacity } else { capacity - 1 }]);
        });
    }
}

/// Two receivers sleep, two items come: each push wakes a receiver of its own, though the first is
/// woken and has not looked yet (async-std#452). Killed: a push that takes the flag back.
#[test]
fn two_receivers_two_items() {
    for face in [Thread, Task] {
        explore_ring(&format!("queue: two receivers, two items, {face:?}"), move || {
            let ledger = Ledger::default();
            let queue = ledger.queue(2, 0);
            let mut pop = Box::pin(queue.queue.pop_async());
            assert!(poll_once(pop.as_mut()).is_pending());
            let other = Arc::clone(&queue);
            let thread = thread::spawn(move || face.pop(&other).unwrap().id);
            for id in [0, 1] {
                assert!(queue.go().try_push(ledger.item(id)).is_ok());
            }
            let theirs = thread.join().unwrap();
            let Poll::Ready(Ok(mine)) = poll_once(pop.as_mut()) else {
                panic!("an item is left, and it was woken for it");
            };
            let out = vec![theirs, mine.id];
            drop((mine, pop));
            ledger.settle(queue, out);
        });
    }
}

/// Two senders sleep, two items are popped: each pop wakes a sender of its own. Killed: a pop that
/// takes the flag back.
#[test]
fn two_senders_two_rooms() {
    explore_ring("queue: two senders, two rooms", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 2);
        let mut push = Box::pin(queue.queue.push_async(ledger.item(2)));
        assert!(poll_once(push.as_mut()).is_pending());
        let other = Arc::clone(&queue);
        let item = ledger.item(3);
        let thread = thread::spawn(move || assert!(other.go().push(item).is_ok()));
        let out = [0, 1].map(|_| queue.go().try_pop().ok().unwrap().id);
        thread.join().unwrap();
        assert!(poll_once(push.as_mut()).is_ready());
        drop(push);
        ledger.settle(queue, out.to_vec());
    });
}

/// Whoever lets go of the queue last drops its item, and has met the pusher only in the `Arc`, which
/// loom does not see. Killed, by loom's search for leaks: a drop that believes a stale stamp. Few
/// executions: one push meets one drop.
#[test]
fn dropped_without_a_join() {
    explore_ring("queue: dropped without a join", || {
        let queue = Arc::new(BoundedQueue::new(1));
        let other = Arc::clone(&queue);
        thread::spawn(move || drop(other));
        assert!(queue.push(loom::sync::Arc::new(0)).is_ok());
    });
}
