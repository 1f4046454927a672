//! Closing, against everything.

use super::*;

/// A receiver goes to sleep while the queue is closed. Killed: a close that does not wake
/// receivers, a sleeper that does not look at `CLOSED`.
#[test]
fn close_meets_sleeping_receiver() {
    for face in [Thread, Task] {
        explore_ring(&format!("queue: close meets a {face:?} that sleeps on pop"), move || {
            let ledger = Ledger::default();
            let queue = ledger.queue(1, 0);
            let other = Arc::clone(&queue);
            let thread = thread::spawn(move || other.go().close());
            assert!(face.pop(&queue).is_err());
            thread.join().unwrap();
            ledger.settle(queue, vec![]);
        });
    }
}

/// A sender goes to sleep while the queue is closed: its item comes back. Killed: a close that does
/// not wake senders, a sleeper that does not look at `CLOSED`.
#[test]
fn close_meets_sleeping_sender() {
    for face in [Thread, Task] {
        explore_ring(&format!("queue: close meets a {face:?} that sleeps on push"), move || {
            let ledger = Ledger::default();
            let queue = ledger.queue(1, 1);
            let other = Arc::clone(&queue);
            let thread = thread::spawn(move || other.go().close());
            let back = face.push(&queue, ledger.item(1)).unwrap_err().into_inner().id;
            thread.join().unwrap();
            ledger.settle(queue, vec![back]);
        });
    }
}

/// Three queued receivers, more than one batch, and a late one: all end. Killed: a close that stops
/// after the first batch.
#[test]
fn close_wakes_everyone() {
    explore_ring("queue: close wakes everyone", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(1, 0);
        let mut pops = [0, 1, 2].map(|_| Box::pin(queue.queue.pop_async()));
        for pop in &mut pops[..2] {
            assert!(poll_once(pop.as_mut()).is_pending());
        }
        let other = Arc::clone(&queue);
        let thread = thread::spawn(move || other.go().close());
        queue.go();
        let [.., last] = &mut pops;
        assert!(block_on(last).is_err());
        thread.join().unwrap();
        assert_eq!(queue.queue.waiting(), 0);
        for pop in &mut pops[..2] {
            assert!(matches!(poll_once(pop.as_mut()), Poll::Ready(Err(PopError))));
        }
        drop(pops);
        ledger.settle(queue, vec![]);
    });
}

/// A push that succeeds while the queue is closed is popped; one that fails has its item back.
/// `Closed` is seen only after the last item. Killed: a claim that ignores `CLOSED`, a pop that
/// reports `Closed` while a push is in its gap.
#[test]
fn close_meets_push() {
    for face in [Thread, Task] {
        explore_ring(&format!("queue: close meets push of a {face:?}"), move || {
            let ledger = Ledger::default();
            let queue = ledger.queue(2, 1);
            let other = Arc::clone(&queue);
            let item = ledger.item(1);
            let thread = thread::spawn(move || match face.push(&other, item) {
                Ok(()) => None,
                Err(PushError(item)) => Some(item.id),
            });
            queue.go().close();
            let mut out: Vec<_> =
                std::iter::from_fn(|| queue.queue.pop().ok()?.id.into()).collect();
            let back = thread.join().unwrap();
            assert_eq!(out.len(), if back.is_some() { 1 } else { 2 });
            out.extend(back);
            ledger.settle(queue, out);
        });
    }
}

/// An item that was pushed before the close is popped before `Closed` is seen (flume#120). Killed: a
/// pop that looks at `CLOSED` before it looks for an item, or without Acquire.
#[test]
fn close_meets_pop() {
    for face in [Thread, Task] {
        explore_ring(&format!("queue: close meets pop of a {face:?}"), move || {
            let ledger = Ledger::default();
            let queue = ledger.queue(1, 0);
            let other = Arc::clone(&queue);
            let item = ledger.item(0);
            let thread = thread::spawn(move || {
                let queue = other.go();
                assert!(queue.try_push(item).is_ok());
                queue.close();
            });
            let out = vec![face.pop(&queue).unwrap().id];
            assert!(face.pop(&queue).is_err());
            thread.join().unwrap();
            ledger.settle(queue, out);
        });
    }
}

/// What was done before the close is seen by whoever fails because of it. Few executions, for each
/// thread takes a step or two on one word. Killed: a `tail` that is read without Acquire, by a push
/// or by a pop; a close that is Relaxed.
#[test]
fn closed_publishes() {
    for push in [true, false] {
        let name = if push { "push" } else { "pop" };
        explore_ring(&format!("queue: closed publishes, to a {name}"), move || {
            let ledger = Ledger::default();
            let queue = ledger.queue(1, 0);
            let other = Arc::clone(&queue);
            let done = Arc::new(AtomicUsize::new(0));
            let doing = Arc::clone(&done);
            let item = ledger.item(0);
            let thread = thread::spawn(move || {
                doing.store(1, Ordering::Relaxed);
                other.go().close();
            });
            let mut out = Vec::new();
            let closed = if push {
                match queue.go().try_push(item) {
                    Ok(()) => false,
                    Err(TryPushError::Closed(item)) => {
                        out.push(item.id);
                        true
                    }
                    Err(TryPushError::Full(_)) => panic!("there is room"),
                }
            } else {
                out.push(item.id);
                drop(item);
                matches!(queue.go().try_pop(), Err(TryPopError::Closed))
            };
            if closed {
                assert_eq!(done.load(Ordering::Relaxed), 1);
            }
            thread.join().unwrap();
            ledger.settle(queue, out);
        });
    }
}

/// An item is pushed while the rest is taken: it is in the rest, or it comes back. Killed: a drain
/// that does not wait for a push in its gap.
#[test]
fn close_now_meets_push() {
    explore_ring("queue: close_now meets push", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 1);
        let other = Arc::clone(&queue);
        let item = ledger.item(1);
        let thread = thread::spawn(move || match other.go().push(item) {
            Ok(()) => None,
            Err(PushError(item)) => Some(item.id),
        });
        let mut out: Vec<_> = queue.go().close_now().map(|item| item.id).collect();
        assert!(queue.go().try_pop().is_err());
        out.extend(thread.join().unwrap());
        ledger.settle(queue, out);
    });
}

/// Items are popped while the rest is taken: each item is here or there. Killed: a drain that moves
/// the head without looking.
#[test]
fn close_now_meets_pop() {
    explore_ring("queue: close_now meets pop", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 2);
        let other = Arc::clone(&queue);
        let thread = thread::spawn(move || {
            let mut out = Vec::new();
            while let Ok(item) = other.go().pop() {
                out.push(item.id);
            }
            out
        });
        let mut out: Vec<_> = queue.go().close_now().map(|item| item.id).collect();
        out.extend(thread.join().unwrap());
        ledger.settle(queue, out);
    });
}

/// A sender that sleeps on a full queue gets its item back; the rest goes to the one who closed.
/// Killed: a close that does not wake senders.
#[test]
fn close_now_meets_sleeping_sender() {
    explore_ring("queue: close_now meets a sleeping sender", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(1, 1);
        let other = Arc::clone(&queue);
        let thread = thread::spawn(move || {
            let mut out: Vec<_> = other.go().close_now().map(|item| item.id).collect();
            out.sort_unstable();
            out
        });
        let back = queue.go().push(ledger.item(1)).unwrap_err().into_inner().id;
        let mut out = thread.join().unwrap();
        assert_eq!(out, [0]);
        out.push(back);
        ledger.settle(queue, out);
    });
}
