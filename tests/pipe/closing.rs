//! Leaving: at every point, from either side, in every face. Each message is dropped once.

use crate::common::{Counter, Face, eventually, poll_once};
use crate::{Counted, count, drops, panic_of, recv, send};
use bifrons::pipe::{self, simplex};
use bifrons::{RecvError, SendError, TryRecvError, TrySendError};
use std::pin::pin;
use std::thread;

/// How an end leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Leave {
    Close,
    Drop,
}

use Leave::{Close, Drop};

#[test]
fn the_receiver_drains_what_was_sent_and_then_meets_the_end() {
    for (face, leave) in Face::ALL.into_iter().flat_map(|face| [(face, Close), (face, Drop)]) {
        for capacity in 1..=5 {
            for sent in 0..=capacity {
                let (mut sender, mut receiver) = simplex(capacity);
                // A lap behind, so that the messages lie across the end of the storage.
                for _ in 0..3 {
                    sender.try_send(99).unwrap();
                    receiver.try_recv().unwrap();
                }
                for i in 0..sent {
                    sender.try_send(i).unwrap();
                }
                let kept = match leave {
                    Close => {
                        sender.close();
                        sender.close();
                        assert_eq!(sender.try_send(7), Err(TrySendError::Closed(7)));
                        assert_eq!(send(face, &mut sender, 8), Err(SendError(8)));
                        Some(sender)
                    }
                    Drop => {
                        drop(sender);
                        None
                    }
                };
                assert!(receiver.is_closed());
                for i in 0..sent {
                    assert_eq!(recv(face, &mut receiver), Ok(i));
                }
                for _ in 0..2 {
                    assert_eq!(recv(face, &mut receiver), Err(RecvError));
                    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
                }
                drop(kept);
            }
        }
    }
}

#[test]
fn the_sender_gets_its_message_back_and_the_others_are_dropped() {
    for (face, leave) in Face::ALL.into_iter().flat_map(|face| [(face, Close), (face, Drop)]) {
        for capacity in 1..=5 {
            for (sent, received) in (0..=capacity).flat_map(|s| (0..=s).map(move |r| (s, r))) {
                let drops = drops();
                let (mut sender, mut receiver) = simplex(capacity);
                for _ in 0..sent {
                    assert!(sender.try_send(Counted::new(&drops)).is_ok());
                }
                for _ in 0..received {
                    assert!(receiver.try_recv().is_ok());
                }
                let kept = match leave {
                    Close => {
                        receiver.close();
                        receiver.close();
                        assert_eq!(count(&drops), received);
                        Some(receiver)
                    }
                    Drop => {
                        drop(receiver);
                        assert_eq!(count(&drops), sent, "nobody will receive them");
                        None
                    }
                };
                assert!(sender.is_closed());
                let back = send(face, &mut sender, Counted::new(&drops)).err();
                assert!(back.is_some());
                assert_eq!(count(&drops), if leave == Drop { sent } else { received });
                drop(back);
                assert!(
                    sender.try_send(Counted::new(&drops)).is_err_and(|error| error.is_closed())
                );
                if let Some(mut receiver) = kept {
                    for _ in received..sent {
                        assert!(recv(face, &mut receiver).is_ok(), "what was sent before");
                    }
                    assert_eq!(recv(face, &mut receiver).err(), Some(RecvError));
                }
                drop(sender);
                assert_eq!(count(&drops), sent + 2);
            }
        }
    }
}

#[test]
fn a_sleeping_receiver_is_told() {
    for (face, leave) in Face::ALL.into_iter().flat_map(|face| [(face, Close), (face, Drop)]) {
        let (mut sender, mut receiver) = simplex::<u8>(1);
        let thread = thread::spawn(move || recv(face, &mut receiver));
        eventually("the receiver waits", || sender.waiting() == 1);
        match leave {
            Close => sender.close(),
            Drop => drop(sender),
        }
        assert_eq!(thread.join().unwrap(), Err(RecvError));
    }
}

#[test]
fn a_sleeping_sender_is_told() {
    for (face, leave) in Face::ALL.into_iter().flat_map(|face| [(face, Close), (face, Drop)]) {
        let (mut sender, mut receiver) = simplex(1);
        sender.try_send(1).unwrap();
        let thread = thread::spawn(move || send(face, &mut sender, 2));
        eventually("the sender waits", || receiver.waiting() == 1);
        match leave {
            Close => receiver.close(),
            Drop => drop(receiver),
        }
        assert_eq!(thread.join().unwrap(), Err(SendError(2)));
    }
}

#[test]
fn an_end_that_has_left_may_be_asked_again() {
    let (mut sender, mut receiver) = simplex(2);
    sender.try_send(1).unwrap();
    receiver.close();
    assert!(receiver.is_closed() && receiver.has_data());
    assert_eq!(receiver.peek(), Some(&1));
    assert_eq!(receiver.recv(), Ok(1));
    assert!(receiver.has_data(), "the end");
    assert_eq!(receiver.peek(), None);
    assert_eq!(receiver.recv(), Err(RecvError));
    assert_eq!(sender.try_send(2), Err(TrySendError::Closed(2)));
    sender.close();
    assert_eq!(receiver.recv(), Err(RecvError));
}

/// The sender waits for the reply to a message that nobody will receive.
#[test]
fn a_reply_that_will_never_come_is_known_when_the_receiver_goes() {
    let (mut requests, server) = simplex(1);
    let (reply, mut replies) = simplex::<u8>(1);
    requests.try_send(reply).unwrap();
    let thread = thread::spawn(move || {
        let reply = replies.recv();
        drop(requests);
        reply
    });
    drop(server);
    assert_eq!(thread.join().unwrap(), Err(RecvError));
}

#[test]
fn a_message_whose_drop_panics_is_dropped_once_and_so_are_the_others() {
    let drops = drops();
    let (mut sender, receiver) = simplex(4);
    for message in [
        Counted::new(&drops),
        Counted::panicking(&drops),
        Counted::new(&drops),
        Counted::new(&drops),
    ] {
        assert!(sender.try_send(message).is_ok());
    }
    assert_eq!(panic_of(|| drop(receiver)), "a message's drop panics");
    assert_eq!(count(&drops), 4);
    assert!(sender.try_send(Counted::new(&drops)).is_err_and(|error| error.is_closed()));
    drop(sender);
    assert_eq!(count(&drops), 5);
}

#[test]
fn a_message_in_a_pending_send_is_dropped_with_it_and_not_before() {
    for panics in [false, true] {
        let drops = drops();
        let (mut sender, receiver) = simplex(1);
        assert!(sender.try_send(Counted::new(&drops)).is_ok());
        let message = if panics { Counted::panicking(&drops) } else { Counted::new(&drops) };
        let mut send = Box::pin(sender.send_async(message));
        assert!(poll_once(send.as_mut()).is_pending());
        drop(receiver);
        assert_eq!(count(&drops), 1, "the one in the pipe");
        if panics {
            panic_of(|| drop(send));
        } else {
            drop(send);
        }
        assert_eq!(count(&drops), 2);
        assert_eq!(sender.waiting(), 0);
        drop(sender);
        assert_eq!(count(&drops), 2);
    }
}

/// A message's drop may use the pipe's other direction, or the sender's end of this one.
#[test]
fn a_message_may_call_back_while_it_is_dropped() {
    struct Calls(pipe::Sender<u8>);
    impl std::ops::Drop for Calls {
        fn drop(&mut self) {
            self.0.try_send(1).unwrap();
        }
    }
    let (back, mut calls) = simplex(1);
    let (mut sender, receiver) = simplex(1);
    assert!(sender.try_send(Calls(back)).is_ok());
    drop(receiver);
    assert_eq!(calls.recv(), Ok(1));
    assert_eq!(calls.recv(), Err(RecvError));
}

#[test]
fn leaving_wakes_the_other_end_once() {
    let (mut sender, mut receiver) = simplex::<u8>(1);
    let counter = Counter::new();
    let mut recv = pin!(receiver.recv_async());
    assert!(counter.poll(recv.as_mut()).is_pending());
    sender.close();
    sender.close();
    drop(sender);
    assert_eq!(counter.wakes(), 1);
    assert_eq!(poll_once(recv), std::task::Poll::Ready(Err(RecvError)));
}
