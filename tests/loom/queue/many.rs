//! Batches: several items in one claim, and room that is held from item to item.

use super::*;

/// Takes up to two items at once, if there are any.
fn try_two(queue: &BoundedQueue<Item>) -> Vec<usize> {
    let mut items = Vec::new();
    let _ = queue.try_pop_many(&mut items, 2);
    items.iter().map(|item| item.id).collect()
}

/// Two receivers meet at a full queue, one for both items and one for the first: each item goes to
/// one of them. Killed: a batch that moves the head without a look at what it was.
#[test]
fn pop_many_meets_pop() {
    explore_ring("queue: pop_many meets pop", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 2);
        let other = Arc::clone(&queue);
        let thread = thread::spawn(move || try_two(other.go()));
        let popped = queue.go().try_pop().ok().map(|item| item.id);
        let mut out = thread.join().unwrap();
        assert!(out.is_sorted() && popped.is_none_or(|id| id < 2));
        out.extend(popped);
        assert_eq!(out.len(), 2);
        ledger.settle(queue, out);
    });
}

/// An item is pushed behind the one that is taken. Killed: a batch that takes an item which is not
/// there yet. Few executions: one claim, and the three steps of one push.
#[test]
fn pop_many_meets_push() {
    explore_ring("queue: pop_many meets push", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 1);
        let other = Arc::clone(&queue);
        let item = ledger.item(1);
        let thread = thread::spawn(move || assert!(other.go().try_push(item).is_ok()));
        let out = try_two(queue.go());
        thread.join().unwrap();
        assert!(out.is_sorted() && out.first() == Some(&0));
        ledger.settle(queue, out);
    });
}

/// Items are pushed into the places that a batch has left. Killed: a batch that frees a place before
/// its item is out, or for another lap.
#[test]
fn pushes_follow_pop_many() {
    explore_ring("queue: pushes follow pop_many", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 2);
        let other = Arc::clone(&queue);
        let items = [ledger.item(2), ledger.item(3)];
        let thread = thread::spawn(move || {
            for item in items {
                assert!(other.go().push(item).is_ok());
            }
        });
        let mut out = try_two(queue.go());
        thread.join().unwrap();
        out.extend(try_two(&queue.queue));
        assert_eq!(out, [0, 1, 2, 3]);
        ledger.settle(queue, out);
    });
}

/// The oldest is replaced while both are taken at once: it is here or there. Killed: as where a
/// batch meets a pop.
#[test]
fn pop_many_meets_force_push() {
    explore_ring("queue: pop_many meets force_push", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 2);
        let other = Arc::clone(&queue);
        let thread = thread::spawn(move || try_two(other.go()));
        let evicted = queue.go().force_push(ledger.item(2)).ok().unwrap();
        let mut out = thread.join().unwrap();
        assert!(out.is_sorted());
        out.extend(evicted.map(|item| item.id));
        ledger.settle(queue, out);
    });
}

/// Two senders sleep on a full queue of two, and one call takes both items: one wake-up for each.
/// Killed: a batch that wakes once.
#[test]
fn pop_many_wakes_one_sender_per_item() {
    explore_ring("queue: pop_many meets two senders", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 2);
        let other = Arc::clone(&queue);
        let mut first = Box::pin(queue.queue.push_async(ledger.item(2)));
        assert!(poll_once(first.as_mut()).is_pending());
        let thread = thread::spawn(move || {
            let mut items = Vec::new();
            assert_eq!(other.go().pop_many(&mut items, 2), Ok(2));
            items.iter().map(|item| item.id).collect()
        });
        // `first` is not polled until this one has got room.
        assert!(queue.go().push(ledger.item(3)).is_ok());
        let out: Vec<_> = thread.join().unwrap();
        assert!(poll_once(first.as_mut()).is_ready());
        drop(first);
        ledger.settle(queue, out);
    });
}

/// A thread sleeps in front of a task, and one call makes room for both. Killed: a batch that wakes
/// nobody behind the one whom it has helped.
#[test]
fn pop_many_wakes_who_stands_behind_a_thread() {
    explore_ring("queue: pop_many meets a thread and a task", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 2);
        let other = Arc::clone(&queue);
        let (mine, theirs) = (ledger.item(2), ledger.item(3));
        let sleeper = thread::spawn(move || assert!(other.go().push(theirs).is_ok()));
        let mut push = Box::pin(queue.go().push_async(mine));
        assert!(poll_once(push.as_mut()).is_pending());
        let out = try_two(queue.go());
        assert_eq!(out, [0, 1]);
        sleeper.join().unwrap();
        assert_eq!(queue.queue.waiting(), 0, "there is room for both");
        assert!(poll_once(push.as_mut()).is_ready());
        drop(push);
        ledger.settle(queue, out);
    });
}

/// A batch is pushed through little room while it is popped as a batch. Killed: a batch that does
/// not wake the receiver for each item.
#[test]
fn push_many_meets_pop_many() {
    explore_ring("queue: push_many meets pop_many", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(1, 0);
        let other = Arc::clone(&queue);
        let items = [ledger.item(0), ledger.item(1)];
        let thread = thread::spawn(move || {
            assert!(matches!(block_on(other.go().push_many_async(items)), Ok(2)));
        });
        let mut items = Vec::new();
        while items.len() < 2 {
            assert!(queue.go().pop_many(&mut items, 2).is_ok());
        }
        thread.join().unwrap();
        let out: Vec<_> = items.iter().map(|item| item.id).collect();
        assert_eq!(out, [0, 1]);
        drop(items);
        ledger.settle(queue, out);
    });
}

/// A batch holds room for its next item when it pushes for a receiver that goes to sleep. Killed: a
/// batch that wakes nobody as long as it holds room.
#[test]
fn push_many_meets_sleeping_receiver() {
    explore_ring("queue: push_many meets a sleeping receiver", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 0);
        let other = Arc::clone(&queue);
        let mut mine = Some(ledger.item(0));
        let thread = thread::spawn(move || {
            let items = std::iter::from_fn(|| mine.take());
            assert!(matches!(block_on(other.go().push_many_async(items)), Ok(1)));
        });
        let out = vec![queue.go().pop().unwrap().id];
        thread.join().unwrap();
        ledger.settle(queue, out);
    });
}

/// A batch holds the room of its next item while somebody else pushes. Killed: a batch that holds
/// room which there is not, or gives back more than it holds.
#[test]
fn push_many_meets_push() {
    explore_ring("queue: push_many meets push", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 0);
        let other = Arc::clone(&queue);
        let mut items = vec![ledger.item(1), ledger.item(0)];
        let theirs = ledger.item(2);
        let thread = thread::spawn(move || {
            // Says nothing about its length, so it holds room to the end.
            let mut batch =
                Box::pin(other.go().push_many_async(std::iter::from_fn(|| items.pop())));
            let poll = poll_once(batch.as_mut());
            drop(batch);
            (poll.is_ready(), items.iter().map(|item| item.id).collect::<Vec<_>>())
        });
        let pushed = queue.go().try_push(theirs).is_ok();
        let (is_done, mut out) = thread.join().unwrap();
        // With no room left it does not find out that it is at its end.
        assert!(!is_done);
        assert_eq!(queue.queue.len() + out.len() + usize::from(!pushed), 3);
        assert!(queue.queue.try_reserve().is_ok() != queue.queue.is_full());
        out.extend((!pushed).then_some(2));
        ledger.settle(queue, out);
    });
}

/// The room that a batch holds beside its last item comes back while somebody sleeps for it. Killed:
/// a batch that keeps it.
#[test]
fn push_many_ends_beside_a_sleeping_sender() {
    explore_ring("queue: push_many ends beside a sleeping sender", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 0);
        let other = Arc::clone(&queue);
        let mut mine = Some(ledger.item(0));
        let theirs = ledger.item(1);
        let thread = thread::spawn(move || {
            let items = std::iter::from_fn(|| mine.take());
            assert!(matches!(block_on(other.go().push_many_async(items)), Ok(1)));
        });
        assert!(block_on(queue.go().push_async(theirs)).is_ok());
        // Only where there is room does it find out that it is at its end.
        let out = vec![queue.go().pop().unwrap().id];
        thread.join().unwrap();
        assert!(!queue.queue.is_full());
        ledger.settle(queue, out);
    });
}

/// The queue is closed while a batch holds room: what is not pushed is in the iterator or in hand,
/// and the room comes back. Killed: as for a slot.
#[test]
fn push_many_meets_close() {
    explore_ring("queue: push_many meets close", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 0);
        let other = Arc::clone(&queue);
        let mut items = vec![ledger.item(1), ledger.item(0)];
        let thread = thread::spawn(move || {
            let batch = other.go().push_many_async(std::iter::from_fn(|| items.pop()));
            let back = block_on(batch).err().map(|error| error.into_inner().id);
            let mut out: Vec<_> = back.into_iter().collect();
            out.extend(items.iter().map(|item| item.id));
            out
        });
        queue.go().close();
        let out = thread.join().unwrap();
        assert_eq!(queue.queue.len() + out.len(), 2);
        assert_eq!(queue.queue.is_full(), out.is_empty(), "the room came back");
        ledger.settle(queue, out);
    });
}
