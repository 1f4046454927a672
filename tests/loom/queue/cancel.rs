//! Waits that end early: dropped or timed out.

use super::*;

/// A woken pop future is dropped while another receiver sleeps: the item goes to the other. Killed:
/// a drop that does not pass the notification on.
#[test]
fn dropped_pop_meets_push() {
    for other_face in [Thread, Task] {
        explore_ring(&format!("queue: dropped pop meets push, for a {other_face:?}"), move || {
            let ledger = Ledger::default();
            let queue = ledger.queue(1, 0);
            let mut pop = Box::pin(queue.queue.pop_async());
            assert!(poll_once(pop.as_mut()).is_pending());
            let receiver = Arc::clone(&queue);
            let receiver = thread::spawn(move || other_face.pop(&receiver).unwrap().id);
            let sender = Arc::clone(&queue);
            let item = ledger.item(0);
            let sender = thread::spawn(move || assert!(sender.go().try_push(item).is_ok()));
            queue.go();
            drop(pop);
            let out = vec![receiver.join().unwrap()];
            sender.join().unwrap();
            ledger.settle(queue, out);
        });
    }
}

/// A woken push future is dropped while another sender sleeps: the room goes to the other, and the
/// item is dropped with the future. Killed: as for the pop.
#[test]
fn dropped_push_meets_pop() {
    explore_ring("queue: dropped push meets pop", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(1, 1);
        let mut push = Box::pin(queue.queue.push_async(ledger.item(1)));
        assert!(poll_once(push.as_mut()).is_pending());
        let sender = Arc::clone(&queue);
        let item = ledger.item(2);
        let sender = thread::spawn(move || assert!(sender.go().push(item).is_ok()));
        let receiver = Arc::clone(&queue);
        let receiver = thread::spawn(move || receiver.go().try_pop().ok().unwrap().id);
        queue.go();
        drop(push);
        sender.join().unwrap();
        let out = vec![receiver.join().unwrap(), 1];
        ledger.settle(queue, out);
    });
}

/// The future of a sender is taken apart instead of dropped. Killed: a `take` that does not pass
/// the notification on.
#[test]
fn taken_push_meets_pop() {
    explore_ring("queue: taken push meets pop", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(1, 1);
        let other = Arc::clone(&queue);
        let mut first = Box::pin(queue.queue.push_async(ledger.item(1)));
        assert!(poll_once(first.as_mut()).is_pending());
        let item = ledger.item(2);
        let sender = thread::spawn(move || assert!(other.go().push(item).is_ok()));
        let mut out = vec![queue.go().try_pop().ok().unwrap().id];
        // `first` has been woken, or the other sender has been faster.
        out.push(first.as_mut().take().unwrap().id);
        sender.join().unwrap();
        drop(first);
        ledger.settle(queue, out);
    });
}

/// A timed pop expires while the item comes: it has the item, or the queue has. Killed: a last poll
/// whose result is thrown away.
#[test]
fn timed_pop_meets_push() {
    explore_ring("queue: timed pop meets push", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(1, 0);
        let other = Arc::clone(&queue);
        let item = ledger.item(0);
        let thread = thread::spawn(move || assert!(other.go().try_push(item).is_ok()));
        let out = match queue.go().pop_timeout(LONG) {
            Ok(item) => vec![item.id],
            Err(PopTimeoutError::TimedOut) => vec![],
            Err(PopTimeoutError::Closed) => panic!("nobody closed"),
        };
        thread.join().unwrap();
        ledger.settle(queue, out);
    });
}

/// A timed pop expires when it has been woken, and another receiver is queued: it takes the item in
/// its last try, or that one is woken instead. Killed: a last try whose item is thrown away.
#[test]
fn timed_pop_beside_a_sleeper() {
    explore_ring("queue: timed pop beside a sleeper", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(1, 0);
        let other = Arc::clone(&queue);
        let timed = thread::spawn(move || other.go().pop_timeout(LONG).ok().map(|item| item.id));
        let mut sleeper = Box::pin(queue.go().pop_async());
        assert!(poll_once(sleeper.as_mut()).is_pending());
        assert!(queue.go().try_push(ledger.item(0)).is_ok());
        let out = Vec::from_iter(timed.join().unwrap());
        if out.is_empty() {
            assert_eq!(queue.queue.waiting(), 0, "the item is left to nobody");
        }
        drop(sleeper);
        ledger.settle(queue, out);
    });
}

/// A timed push expires while room is made: the item is in the queue, or comes back. Killed: a push
/// that is made when the time is up and reported as not.
#[test]
fn timed_push_meets_pop() {
    explore_ring("queue: timed push meets pop", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(1, 1);
        let other = Arc::clone(&queue);
        let thread = thread::spawn(move || other.go().try_pop().ok().unwrap().id);
        let mut out = match queue.go().push_timeout(ledger.item(1), LONG) {
            Ok(()) => vec![],
            Err(PushTimeoutError::TimedOut(item)) => vec![item.id],
            Err(PushTimeoutError::Closed(_)) => panic!("nobody closed"),
        };
        out.push(thread.join().unwrap());
        ledger.settle(queue, out);
    });
}
