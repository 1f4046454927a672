//! Going to sleep beside the ring, and being woken.

use super::*;

/// A receiver goes to sleep while the item comes. Killed: an announcement that is not looked at
/// again, a push that does not read the flag, a flag that is taken back while others are queued.
#[test]
fn sleeping_receiver_meets_push() {
    for (sender, receiver) in [(Thread, Thread), (Thread, Task), (Task, Task)] {
        explore_ring(&format!("queue: {receiver:?} sleeps, {sender:?} pushes"), move || {
            let ledger = Ledger::default();
            let queue = ledger.queue(1, 0);
            let other = Arc::clone(&queue);
            let item = ledger.item(0);
            let thread = thread::spawn(move || assert!(sender.push(&other, item).is_ok()));
            let out = vec![receiver.pop(&queue).unwrap().id];
            thread.join().unwrap();
            ledger.settle(queue, out);
        });
    }
}

/// A sender goes to sleep while room is made. Killed: as for the receiver.
#[test]
fn sleeping_sender_meets_pop() {
    for (sender, receiver) in [(Thread, Thread), (Task, Thread), (Task, Task)] {
        explore_ring(&format!("queue: {sender:?} sleeps, {receiver:?} pops"), move || {
            let ledger = Ledger::default();
            let queue = ledger.queue(1, 1);
            let other = Arc::clone(&queue);
            let item = ledger.item(1);
            let thread = thread::spawn(move || receiver.pop(&other).unwrap().id);
            assert!(sender.push(&queue, item).is_ok());
            let out = vec![thread.join().unwrap()];
            ledger.settle(queue, out);
        });
    }
}

/// A pop future is polled again with another waker while the push wakes it. Killed: a second poll
/// that keeps the first waker.
#[test]
fn changed_waker_meets_push() {
    explore_ring("queue: changed waker meets push", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(1, 0);
        let other = Arc::clone(&queue);
        let item = ledger.item(0);
        let thread = thread::spawn(move || assert!(other.go().push(item).is_ok()));
        let mut pop = Box::pin(queue.go().pop_async());
        let out = match poll_once(pop.as_mut()) {
            Poll::Ready(item) => item,
            Poll::Pending => block_on(pop.as_mut()),
        };
        drop(pop);
        let out = vec![out.unwrap().id];
        thread.join().unwrap();
        ledger.settle(queue, out);
    });
}

/// The same for a push future. Killed: as for the pop.
#[test]
fn changed_waker_meets_pop() {
    explore_ring("queue: changed waker meets pop", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(1, 1);
        let other = Arc::clone(&queue);
        let thread = thread::spawn(move || other.go().pop().unwrap().id);
        let mut push = Box::pin(queue.go().push_async(ledger.item(1)));
        let result = match poll_once(push.as_mut()) {
            Poll::Ready(result) => result,
            Poll::Pending => block_on(push.as_mut()),
        };
        drop(push);
        assert!(result.is_ok());
        let out = vec![thread.join().unwrap()];
        ledger.settle(queue, out);
    });
}

/// A queued receiver is polled for another reason and gets the item for which the one before it was
/// woken; the next item must wake the next sleeper, not the one that is done (crossfire#22).
/// Killed: a node that is not withdrawn on success.
#[test]
fn receiver_that_succeeds_while_queued() {
    explore_ring("queue: a queued receiver succeeds", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 0);
        let mut pops = [0, 1].map(|_| Box::pin(queue.queue.pop_async()));
        for pop in &mut pops {
            assert!(poll_once(pop.as_mut()).is_pending());
        }
        assert!(queue.queue.try_push(ledger.item(0)).is_ok());
        let other = Arc::clone(&queue);
        let item = ledger.item(1);
        let thread = thread::spawn(move || assert!(other.go().try_push(item).is_ok()));
        queue.go();
        let Poll::Ready(Ok(first)) = poll_once(pops[1].as_mut()) else {
            panic!("there was an item");
        };
        let out = vec![first.id, queue.go().pop().unwrap().id];
        thread.join().unwrap();
        drop((first, pops));
        ledger.settle(queue, out);
    });
}

/// A queued sender is polled for another reason and gets the room for which the one before it was
/// woken; the next room must wake the next sleeper. Killed: as for the receiver.
#[test]
fn sender_that_succeeds_while_queued() {
    explore_ring("queue: a queued sender succeeds", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 2);
        let mut pushes = [2, 3].map(|id| Box::pin(queue.queue.push_async(ledger.item(id))));
        for push in &mut pushes {
            assert!(poll_once(push.as_mut()).is_pending());
        }
        let mut out = vec![queue.queue.try_pop().ok().unwrap().id];
        let other = Arc::clone(&queue);
        let thread = thread::spawn(move || other.go().try_pop().ok().unwrap().id);
        queue.go();
        assert!(matches!(poll_once(pushes[1].as_mut()), Poll::Ready(Ok(()))));
        assert!(queue.go().push(ledger.item(4)).is_ok());
        out.push(thread.join().unwrap());
        // The first one's item is dropped with it.
        drop(pushes);
        out.push(2);
        ledger.settle(queue, out);
    });
}

/// A receiver that is about to sleep finds an item, while another sleeps: the flag of that one
/// stays. Killed: whoever may not sleep takes the flag back.
#[test]
fn late_receiver_beside_a_sleeper() {
    explore_ring("queue: a late receiver beside a sleeper", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 0);
        let mut pops = [0, 1].map(|_| Box::pin(queue.queue.pop_async()));
        for pop in &mut pops {
            assert!(poll_once(pop.as_mut()).is_pending());
        }
        let other = Arc::clone(&queue);
        let thread =
            thread::spawn(move || match poll_once(Box::pin(other.go().pop_async()).as_mut()) {
                Poll::Ready(item) => Some(item.unwrap().id),
                Poll::Pending => None,
            });
        for id in [0, 1] {
            assert!(queue.go().try_push(ledger.item(id)).is_ok());
        }
        let out = Vec::from_iter(thread.join().unwrap());
        assert_eq!(queue.queue.waiting(), 0, "each push woke one of the two");
        drop(pops);
        ledger.settle(queue, out);
    });
}

/// A receiver finds nothing, and is woken before it has queued again, behind another: it has to look
/// once more, for nobody else was woken for that item. Killed: a waiter behind others that does not
/// look.
#[test]
fn woken_receiver_beside_a_sleeper() {
    explore_ring("queue: a woken receiver beside a sleeper", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(2, 0);
        let mut pops = [0, 1].map(|_| Box::pin(queue.queue.pop_async()));
        for pop in &mut pops {
            assert!(poll_once(pop.as_mut()).is_pending());
        }
        let other = Arc::clone(&queue);
        let item = ledger.item(0);
        let thread = thread::spawn(move || assert!(other.go().try_push(item).is_ok()));
        queue.go();
        let out = match poll_once(pops[0].as_mut()) {
            Poll::Ready(item) => vec![item.unwrap().id],
            Poll::Pending => vec![],
        };
        thread.join().unwrap();
        assert!(queue.queue.waiting() < 2, "one has the item, or has been woken for it");
        drop(pops);
        ledger.settle(queue, out);
    });
}

/// The same for a sender and room. Killed: as for the receiver.
#[test]
fn woken_sender_beside_a_sleeper() {
    explore_ring("queue: a woken sender beside a sleeper", || {
        let ledger = Ledger::default();
        let queue = ledger.queue(1, 1);
        let mut pushes = [1, 2].map(|id| Box::pin(queue.queue.push_async(ledger.item(id))));
        for push in &mut pushes {
            assert!(poll_once(push.as_mut()).is_pending());
        }
        let other = Arc::clone(&queue);
        let thread = thread::spawn(move || other.go().try_pop().ok().unwrap().id);
        queue.go();
        let pushed = poll_once(pushes[0].as_mut()).is_ready();
        let mut out = vec![thread.join().unwrap()];
        assert!(queue.queue.waiting() < 2, "one has the room, or has been woken for it");
        // What was not pushed is dropped with its future.
        out.extend((!pushed).then_some(1));
        out.push(2);
        drop(pushes);
        ledger.settle(queue, out);
    });
}

/// A newcomer takes the item for which a receiver was woken: it queues again, and the next item wakes
/// it; a thread may be helped instead. Killed: a loser that is not queued again, a flag that stays away
/// when it is.
#[test]
fn woken_receiver_finds_nothing() {
    for face in [Thread, Task] {
        explore_ring(&format!("queue: a woken {face:?} finds nothing"), move || {
            let ledger = Ledger::default();
            let queue = ledger.queue(1, 0);
            let other = Arc::clone(&queue);
            let items = [ledger.item(0), ledger.item(1)];
            let thread = thread::spawn(move || {
                let [first, second] = items;
                let queue = other.go();
                assert!(queue.try_push(first).is_ok());
                match queue.try_pop() {
                    Ok(item) => {
                        assert!(queue.try_push(second).is_ok());
                        item.id
                    }
                    Err(_) => second.id,
                }
            });
            let mut out = vec![face.pop(&queue).unwrap().id];
            out.push(thread.join().unwrap());
            ledger.settle(queue, out);
        });
    }
}
