//! Room that is held.

use super::*;

/// A slot is filled while another sender pushes past it. Killed: a push that looks at the stamp of
/// the tail alone, and so takes the room that is promised.
#[test]
fn slot_meets_push() {
    for capacity in [1, 2] {
        explore_ring(&format!("queue: slot meets push at capacity {capacity}"), move || {
            let ledger = Ledger::default();
            let queue = ledger.queue(capacity, 0);
            let other = Arc::clone(&queue);
            let (mine, theirs) = (ledger.item(0), ledger.item(1));
            let thread = thread::spawn(move || {
                // The room of one may be taken.
                let slot = other.go().try_reserve().ok()?;
                assert!(other.go().len() < 2);
                assert!(slot.push(theirs).is_ok());
                Some(())
            });
            let pushed = queue.go().try_push(mine).is_ok();
            let filled = thread.join().unwrap().is_some();
            let len = queue.queue.len();
            assert_eq!(len, usize::from(pushed) + usize::from(filled));
            assert!(len == capacity);
            let mut out: Vec<_> =
                std::iter::from_fn(|| queue.queue.try_pop().ok()?.id.into()).collect();
            // What was refused was dropped.
            out.extend((!pushed).then_some(0));
            out.extend((!filled).then_some(1));
            ledger.settle(queue, out);
        });
    }
}

/// A slot is filled at a place that a pop has left and another push has looked at. Killed: claims
/// that are Relaxed, with a filled slot that does not look at the stamp of its place.
#[test]
fn slot_meets_push_and_pop() {
    explore_ring("queue: slot meets push and pop", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 1);
        let holder = Arc::clone(&queue);
        let sender = Arc::clone(&queue);
        let (first, second) = (ledger.item(1), ledger.item(2));
        let holder = thread::spawn(move || {
            let slot = holder.queue.try_reserve().ok()?;
            holder.go();
            assert!(slot.push(first).is_ok());
            Some(())
        });
        let sender = thread::spawn(move || sender.go().try_push(second).is_ok());
        let mut out = vec![queue.go().try_pop().ok().unwrap().id];
        out.extend(holder.join().unwrap().is_none().then_some(1));
        out.extend((!sender.join().unwrap()).then_some(2));
        ledger.settle(queue, out);
    });
}

/// A slot is dropped while a sender goes to sleep because of it. The drop lowers `tail` and reads
/// the flag in `head`; the sender sets the flag and reads `tail`: one of them sees the other.
/// Killed: a drop that does not look for senders, or by a plain load.
#[test]
fn dropped_slot_meets_sleeping_sender() {
    for face in [Thread, Task] {
        explore_ring(&format!("queue: dropped slot meets a sleeping {face:?}"), move || {
            let ledger = Ledger::default();
            let queue = ledger.queue(1, 0);
            let other = Arc::clone(&queue);
            let thread = thread::spawn(move || {
                let slot = other.queue.try_reserve();
                other.go();
                drop(slot);
            });
            assert!(face.push(&queue, ledger.item(0)).is_ok());
            thread.join().unwrap();
            ledger.settle(queue, vec![]);
        });
    }
}

/// A slot is dropped while somebody waits for a slot, not to push. Killed: as above.
#[test]
fn dropped_slot_meets_reserve() {
    explore_ring("queue: dropped slot meets reserve", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(1, 0);
        let other = Arc::clone(&queue);
        let threads = thread::spawn(move || drop(other.go().reserve().ok().unwrap()));
        drop(queue.go().reserve().ok().unwrap());
        threads.join().unwrap();
        ledger.settle(queue, vec![]);
    });
}

/// A slot is filled while a receiver goes to sleep. Killed: a filled slot that wakes nobody.
#[test]
fn slot_meets_sleeping_receiver() {
    explore_ring("queue: slot meets a sleeping receiver", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(1, 0);
        let other = Arc::clone(&queue);
        let item = ledger.item(0);
        let thread = thread::spawn(move || {
            let slot = other.go().try_reserve().ok().unwrap();
            other.go();
            assert!(slot.push(item).is_ok());
        });
        let out = vec![queue.go().pop().unwrap().id];
        thread.join().unwrap();
        ledger.settle(queue, out);
    });
}

/// A slot is filled while the queue is closed: the item comes out before `Closed`, or comes back,
/// and the room with it. Killed: a filled slot that ignores `CLOSED`.
#[test]
fn slot_meets_close() {
    explore_ring("queue: slot meets close", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(1, 0);
        let other = Arc::clone(&queue);
        let item = ledger.item(0);
        let thread = thread::spawn(move || {
            let Ok(slot) = other.go().try_reserve() else { return Some(item.id) };
            other.go();
            slot.push(item).err().map(|error| error.into_inner().id)
        });
        queue.go().close();
        let mut out: Vec<_> = queue.queue.pop().ok().map(|item| item.id).into_iter().collect();
        assert!(queue.go().pop().is_err());
        let back = thread.join().unwrap();
        assert_ne!(out.is_empty(), back.is_none());
        out.extend(back);
        assert!(!queue.queue.is_full(), "the room came back");
        ledger.settle(queue, out);
    });
}

/// A slot is filled while the rest is taken. Killed: as for `close`.
#[test]
fn slot_meets_close_now() {
    explore_ring("queue: slot meets close_now", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 1);
        let other = Arc::clone(&queue);
        let item = ledger.item(1);
        let thread = thread::spawn(move || {
            let Ok(slot) = other.go().try_reserve() else { return Some(item.id) };
            other.go();
            slot.push(item).err().map(|error| error.into_inner().id)
        });
        let mut out: Vec<_> = queue.go().close_now().map(|item| item.id).collect();
        out.extend(thread.join().unwrap());
        assert!(queue.queue.is_empty());
        ledger.settle(queue, out);
    });
}
