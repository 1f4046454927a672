//! Threads in blocking pushes and pops, and who does their work.

use super::*;
use std::future::{Future, poll_fn};

/// A pop makes room beside a slot, where it does not push for the sender that sleeps: that one pushes
/// for itself. Killed: a sender that is told of a push which nobody made.
#[test]
fn sender_beside_a_slot_is_not_helped() {
    explore_ring("queue: a sender beside a slot is not helped", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 1);
        let other = Arc::clone(&queue);
        let slot = queue.queue.try_reserve().ok().unwrap();
        let item = ledger.item(1);
        let thread = thread::spawn(move || assert!(other.go().push(item).is_ok()));
        let mut out = vec![queue.go().try_pop().ok().unwrap().id];
        thread.join().unwrap();
        assert!(slot.push(ledger.item(2)).is_ok());
        out.push(queue.queue.try_pop().ok().unwrap().id);
        ledger.settle(queue, out);
    });
}

/// Two items are pushed while a receiver goes to sleep, and the second is there before the first: who
/// pushed the second has nothing to pop for the receiver. Killed: a receiver that is told of an item
/// which it has not got.
#[test]
fn receiver_of_an_item_in_its_gap_is_not_helped() {
    explore_ring("queue: a receiver of an item in its gap is not helped", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 0);
        let threads = [0, 1].map(|id| {
            let (other, item) = (Arc::clone(&queue), ledger.item(id));
            thread::spawn(move || assert!(other.go().try_push(item).is_ok()))
        });
        let out = vec![queue.go().pop().unwrap().id];
        for thread in threads {
            thread.join().unwrap();
        }
        ledger.settle(queue, out);
    });
}

/// A push helps a receiver, and so makes room; a sender that has gone to sleep meanwhile is told of it.
/// Killed: help that ends with the first one who was helped.
#[test]
fn helped_pop_makes_room() {
    explore_ring("queue: a helped pop makes room", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(1, 0);
        let (sleeper, other) = (Arc::clone(&queue), Arc::clone(&queue));
        let item = ledger.item(0);
        let sleeper = thread::spawn(move || sleeper.go().pop().unwrap().id);
        let other = thread::spawn(move || other.go().try_push(item).is_ok());
        let mut push = Box::pin(queue.go().push_async(ledger.item(1)));
        let pushed = poll_once(push.as_mut()).is_ready();
        let mut out = vec![sleeper.join().unwrap()];
        out.extend((!other.join().unwrap()).then_some(0));
        assert_eq!(queue.queue.waiting(), 0, "the room is left to nobody");
        assert!(pushed || poll_once(push.as_mut()).is_ready());
        drop(push);
        ledger.settle(queue, out);
    });
}

/// A pop helps a sender, and so brings an item; a receiver that has gone to sleep meanwhile is told of
/// it. Killed: as above.
#[test]
fn helped_push_brings_an_item() {
    explore_ring("queue: a helped push brings an item", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(1, 1);
        let (sleeper, other) = (Arc::clone(&queue), Arc::clone(&queue));
        let item = ledger.item(1);
        let sleeper = thread::spawn(move || assert!(sleeper.go().push(item).is_ok()));
        let other = thread::spawn(move || other.go().try_pop().ok().map(|item| item.id));
        let mut pop = Box::pin(queue.go().pop_async());
        let popped = poll_once(pop.as_mut());
        sleeper.join().unwrap();
        let mut out = Vec::from_iter(other.join().unwrap());
        assert_eq!(queue.queue.waiting(), 0, "the item is left to nobody");
        let popped = match popped {
            Poll::Pending => poll_once(pop.as_mut()),
            ready => ready,
        };
        let Poll::Ready(popped) = popped else { panic!("there are two items for two") };
        out.push(popped.unwrap().id);
        drop(pop);
        ledger.settle(queue, out);
    });
}

/// A pop helps a sender whose time is up: the item is in the queue once, or comes back. Killed: a
/// sender that tries for itself while it is queued, and one that believes its clock rather than its
/// node.
#[test]
fn timed_push_is_helped() {
    explore_ring("queue: a timed push is helped", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(1, 1);
        let other = Arc::clone(&queue);
        let item = ledger.item(1);
        let thread = thread::spawn(move || match other.go().push_timeout(item, LONG) {
            Ok(()) => None,
            Err(PushTimeoutError::TimedOut(item)) => Some(item.id),
            Err(PushTimeoutError::Closed(_)) => panic!("nobody closed"),
        });
        let mut out = vec![queue.go().try_pop().ok().unwrap().id];
        // What was pushed may be there already.
        out.extend(queue.go().try_pop().ok().map(|item| item.id));
        out.extend(thread.join().unwrap());
        ledger.settle(queue, out);
    });
}

/// The item comes for a future of the thread that waits behind it. Killed: a thread that stays in the
/// list whatever there is.
#[test]
fn receiver_behind_its_own_future() {
    explore_ring("queue: a receiver behind its own future", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(1, 0);
        let other = Arc::clone(&queue);
        let item = ledger.item(0);
        let thread = thread::spawn(move || assert!(other.go().try_push(item).is_ok()));
        let out = block_on(async {
            let mut first = Box::pin(queue.go().pop_async());
            let ready = poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx).is_ready())).await;
            if ready { vec![0] } else { vec![queue.go().pop().unwrap().id] }
        });
        thread.join().unwrap();
        ledger.settle(queue, out);
    });
}
