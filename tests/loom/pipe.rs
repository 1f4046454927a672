//! Models of the pipes: what can go wrong between two ends, in the four pairs of faces where they
//! differ.

use super::{explore, poll_once};
use bifrons::pipe::{self, Receiver, Sender};
use bifrons::{RecvError, RecvTimeoutError, SendError, SendTimeoutError, block_on};
use loom::thread;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// Who calls: a thread that blocks, or a task.
#[derive(Clone, Copy, Debug)]
enum Face {
    Thread,
    Task,
}

use Face::{Task, Thread};

impl Face {
    fn send<T>(self, sender: &mut Sender<T>, message: T) -> Result<(), SendError<T>> {
        match self {
            Thread => sender.send(message),
            Task => block_on(sender.send_async(message)),
        }
    }

    fn recv<T>(self, receiver: &mut Receiver<T>) -> Result<T, RecvError> {
        match self {
            Thread => receiver.recv(),
            Task => block_on(receiver.recv_async()),
        }
    }
}

/// Runs a model in each pair of faces: the sender's, the receiver's.
#[track_caller]
fn explore_pairs(name: &str, model: fn(Face, Face)) {
    for (sends, receives) in [(Thread, Thread), (Thread, Task), (Task, Thread), (Task, Task)] {
        explore(&format!("{name}, {sends:?} to {receives:?}"), move || model(sends, receives));
    }
}

fn send_all(face: Face, capacity: usize, count: u32) -> (thread::JoinHandle<()>, Receiver<u32>) {
    let (mut sender, receiver) = pipe::simplex(capacity);
    let thread = thread::spawn(move || {
        for i in 0..count {
            face.send(&mut sender, i).unwrap();
        }
    });
    (thread, receiver)
}

/// One place: each end waits for the other's last step. Without the re-look after the registration, or with a publish
/// that overwrites `WAIT`, one sleeps for ever.
#[test]
fn send_and_recv_at_capacity_1() {
    explore_pairs("pipe: send and recv at 1", |sends, receives| {
        let (thread, mut receiver) = send_all(sends, 1, 2);
        for i in 0..2 {
            assert_eq!(receives.recv(&mut receiver), Ok(i));
        }
        assert_eq!(receives.recv(&mut receiver), Err(RecvError));
        thread.join().unwrap();
    });
}

/// Two places: the ends touch different slots at once, and wrap around. Kills each ordering of
/// publish and look that is too weak: loom sees a slot that is written while it is read.
#[test]
fn send_and_recv_at_capacity_2() {
    explore_pairs("pipe: send and recv at 2", |sends, receives| {
        let (thread, mut receiver) = send_all(sends, 2, 3);
        for i in 0..3 {
            assert_eq!(receives.recv(&mut receiver), Ok(i));
        }
        thread.join().unwrap();
    });
}

/// A wait that is polled again though nobody woke it: the other end may have consumed its
/// registration and still be taking the waker, so the next registration goes to the other cell. The
/// one after that goes to the first again, and must see that take to be over. With one cell to a
/// side, a turn that is not flipped, or a take-back that sees too little, loom reports two
/// accesses at once, or a wake-up goes to an empty cell.
#[test]
fn a_registration_while_the_last_waker_is_being_taken() {
    explore("pipe: registrations of the receiver", || {
        let (thread, mut receiver) = send_all(Thread, 2, 2);
        for i in 0..2 {
            assert_eq!(poll_twice_then_block(receiver.recv_async()), Ok(i));
        }
        thread.join().unwrap();
    });
    explore("pipe: registrations of the sender", || {
        let (mut sender, mut receiver) = pipe::simplex(1);
        sender.try_send(0).unwrap();
        let thread = thread::spawn(move || {
            for i in 0..2 {
                assert_eq!(receiver.recv(), Ok(i));
            }
            receiver
        });
        for i in 1..3 {
            poll_twice_then_block(sender.send_async(i)).unwrap();
        }
        drop(thread.join().unwrap());
    });
}

fn poll_twice_then_block<F: Future>(wait: F) -> F::Output {
    let mut wait = pin!(wait);
    for _ in 0..2 {
        if let Poll::Ready(output) = poll_once(wait.as_mut()) {
            return output;
        }
    }
    block_on(wait)
}

/// The receiver waits; the sender closes, with and without a last message.
#[test]
fn close_against_recv() {
    explore_pairs("pipe: close against recv", |_, receives| {
        let (mut sender, mut receiver) = pipe::simplex::<u32>(1);
        let thread = thread::spawn(move || sender.close());
        assert_eq!(receives.recv(&mut receiver), Err(RecvError));
        thread.join().unwrap();
    });
    explore_pairs("pipe: send and close against recv", |sends, receives| {
        let (mut sender, mut receiver) = pipe::simplex(1);
        let thread = thread::spawn(move || {
            sends.send(&mut sender, 7).unwrap();
            sender.close();
        });
        assert_eq!(receives.recv(&mut receiver), Ok(7), "what was sent before the end");
        assert_eq!(receives.recv(&mut receiver), Err(RecvError));
        thread.join().unwrap();
    });
}

/// The sender waits in a full pipe; the receiver closes. The message comes back, and the one
/// before can still be received.
#[test]
fn close_against_send() {
    explore_pairs("pipe: close against send", |sends, receives| {
        let (mut sender, mut receiver) = pipe::simplex(1);
        sender.try_send(1).unwrap();
        let thread = thread::spawn(move || {
            receiver.close();
            assert_eq!(receives.recv(&mut receiver), Ok(1));
            assert_eq!(receives.recv(&mut receiver), Err(RecvError));
        });
        assert_eq!(sends.send(&mut sender, 2), Err(SendError(2)));
        assert!(sender.is_closed(), "whoever was told so finds it so");
        thread.join().unwrap();
    });
}

/// The sender of a full pipe asks whether it is closed while the receiver closes, and then tries:
/// what it was told holds. Killed: a send that learns of the end later than `is_closed`. Few
/// executions: two steps meet three.
#[test]
fn close_against_a_sender_that_asks() {
    explore("pipe: close against a sender that asks", || {
        let (mut sender, mut receiver) = pipe::simplex(1);
        sender.try_send(1).unwrap();
        let thread = thread::spawn(move || {
            receiver.close();
            receiver.try_recv()
        });
        let told = sender.is_closed();
        let refused = sender.try_send(2).is_err_and(|error| error.is_closed());
        assert!(refused || !told);
        assert_eq!(thread.join().unwrap(), Ok(1));
    });
}

/// A send that has looked before the receiver closes and publishes after it: either the message is
/// there before the end, or the sender has it. Not in between, and nothing after the end.
#[test]
fn close_against_a_send_that_has_room() {
    explore_pairs("pipe: close against a send that has room", |sends, receives| {
        let (mut sender, mut receiver) = pipe::simplex(2);
        let thread = thread::spawn(move || {
            let sent = sends.send(&mut sender, 1);
            if sent.is_err() {
                assert!(sender.is_closed(), "whoever was told so finds it so");
                assert_eq!(sends.send(&mut sender, 2), Err(SendError(2)), "told for ever");
            }
            sent.is_ok()
        });
        receiver.close();
        let received = receives.recv(&mut receiver).is_ok();
        let sent = thread.join().unwrap();
        assert_eq!(sent, received);
        assert_eq!(receives.recv(&mut receiver), Err(RecvError));
    });
}

/// The same for bytes: what was written is there to be read.
#[test]
fn close_against_a_write_that_has_room() {
    use std::io::{Read, Write};
    explore("pipe: close against a write that has room", || {
        let (mut writer, mut reader) = pipe::bytes(4);
        let thread = thread::spawn(move || {
            let first = writer.write(&[1, 2]).unwrap_or(0);
            first + writer.write(&[3]).unwrap_or(0)
        });
        reader.close();
        let mut bytes = [0; 8];
        let mut read = 0;
        loop {
            match reader.read(&mut bytes[read..]).unwrap() {
                0 => break,
                count => read += count,
            }
        }
        assert_eq!(thread.join().unwrap(), read);
        assert_eq!(bytes[..read], [1, 2, 3][..read]);
    });
}

/// A waker that counts, where loom does not see it.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A poll that says `Pending` against a publish: the waker is called, once. That of a poll that
/// says `Ready` is dropped.
#[test]
fn register_against_publish() {
    explore("pipe: register against publish", || {
        let (mut sender, mut receiver) = pipe::simplex(1);
        let thread = thread::spawn(move || {
            sender.try_send(1).unwrap();
            sender
        });
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let polled = {
            let mut recv = pin!(receiver.recv_async());
            let polled = recv.as_mut().poll(&mut Context::from_waker(&waker));
            if polled.is_pending() {
                // Kept until the sender is done: nothing takes the registration back.
                drop(thread.join().unwrap());
                assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
                assert_eq!(poll_once(recv), Poll::Ready(Ok(1)));
                drop(waker);
                assert_eq!(Arc::strong_count(&wakes), 1, "no waker is kept");
                return;
            }
            polled
        };
        assert_eq!(polled, Poll::Ready(Ok(1)));
        drop(thread.join().unwrap());
        drop(waker);
        assert_eq!(Arc::strong_count(&wakes), 1, "no waker is kept");
    });
}

/// Registrations that are given up, one after the other, while the sender consumes some of them:
/// the next ones find their cell, and the last wait is woken.
#[test]
fn cancel_against_wake() {
    explore("pipe: cancel of recv against wake", || {
        let (thread, mut receiver) = send_all(Thread, 2, 2);
        let mut received = 0;
        for _ in 0..2 {
            if let Poll::Ready(message) = poll_once(pin!(receiver.recv_async())) {
                assert_eq!(message, Ok(received));
                received += 1;
            }
        }
        while received < 2 {
            assert_eq!(receiver.recv(), Ok(received));
            received += 1;
        }
        thread.join().unwrap();
    });
    explore("pipe: cancel of recv against one wake", || {
        let (mut sender, mut receiver) = pipe::simplex(1);
        let thread = thread::spawn(move || {
            sender.try_send(1).unwrap();
            sender
        });
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let polled = pin!(receiver.recv_async()).poll(&mut Context::from_waker(&waker));
        let sender = thread.join().unwrap();
        drop(waker);
        assert_eq!(Arc::strong_count(&wakes), 1, "no waker is kept, by either end");
        assert_eq!(sender.waiting(), 0);
        assert_eq!(receiver.try_recv().is_ok(), polled.is_pending(), "nothing is lost");
    });
    explore("pipe: cancel of send against wake", || {
        let (mut sender, mut receiver) = pipe::simplex(1);
        sender.try_send(0).unwrap();
        let thread = thread::spawn(move || {
            assert_eq!(receiver.recv(), Ok(0));
            assert_eq!(receiver.recv(), Ok(1));
            receiver
        });
        let mut sent = false;
        for _ in 0..2 {
            if !sent {
                sent = poll_once(pin!(sender.send_async(1))).is_ready();
            }
        }
        if !sent {
            sender.send(1).unwrap();
        }
        sender.send(2).unwrap();
        drop(thread.join().unwrap());
    });
}

/// A wait that was forgotten, not dropped, leaves its registration behind. The next wait finds it,
/// consumed or not.
#[test]
fn a_forgotten_wait_against_wake() {
    explore("pipe: forgotten wait against wake", || {
        let (thread, mut receiver) = send_all(Thread, 2, 2);
        let mut received = 0;
        for _ in 0..2 {
            let mut recv = Box::pin(receiver.recv_async());
            if let Poll::Ready(message) = poll_once(recv.as_mut()) {
                assert_eq!(message, Ok(received));
                received += 1;
            }
            std::mem::forget(recv);
        }
        while received < 2 {
            assert_eq!(receiver.recv(), Ok(received));
            received += 1;
        }
        thread.join().unwrap();
    });
}

/// A timeout against a message, and against room: it is received or still there, sent or back.
#[test]
fn a_timeout_against_the_peer() {
    const SOON: Duration = Duration::from_secs(1);
    explore("pipe: timeout of recv against send", || {
        let (thread, mut receiver) = send_all(Thread, 1, 1);
        match receiver.recv_timeout(SOON) {
            Err(RecvTimeoutError::TimedOut) => assert_eq!(receiver.recv(), Ok(0)),
            received => assert_eq!(received, Ok(0)),
        }
        thread.join().unwrap();
    });
    explore("pipe: timeout of send against recv", || {
        let (mut sender, mut receiver) = pipe::simplex(1);
        sender.try_send(0).unwrap();
        let thread = thread::spawn(move || {
            assert_eq!(receiver.recv(), Ok(0));
            assert_eq!(receiver.recv(), Ok(1));
        });
        if let Err(error) = sender.send_timeout(1, SOON) {
            match error {
                SendTimeoutError::TimedOut(message) => sender.send(message).unwrap(),
                SendTimeoutError::Closed(_) => unreachable!(),
            }
        }
        thread.join().unwrap();
    });
}

/// An end is dropped while the other sleeps, or is about to.
#[test]
fn drop_against_a_sleeper() {
    explore_pairs("pipe: drop of the sender against recv", |_, receives| {
        let (sender, mut receiver) = pipe::simplex::<u32>(1);
        let thread = thread::spawn(move || drop(sender));
        assert_eq!(receives.recv(&mut receiver), Err(RecvError));
        thread.join().unwrap();
    });
    explore_pairs("pipe: drop of the receiver against send", |sends, _| {
        let (mut sender, receiver) = pipe::simplex(1);
        sender.try_send(1).unwrap();
        let thread = thread::spawn(move || drop(receiver));
        assert_eq!(sends.send(&mut sender, 2), Err(SendError(2)));
        thread.join().unwrap();
    });
}

/// Both ends are dropped at once, and the receiver against a send: each message is dropped once,
/// and as soon as the receiver and the sender's call are over.
#[test]
fn every_message_is_dropped_once() {
    struct Message(Arc<AtomicUsize>);
    impl Drop for Message {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    explore("pipe: drop of the receiver against two sends", || {
        let drops = Arc::new(AtomicUsize::new(0));
        let (mut sender, mut receiver) = pipe::simplex(2);
        let here = Arc::clone(&drops);
        let thread = thread::spawn(move || {
            for _ in 0..2 {
                drop(sender.send(Message(Arc::clone(&here))));
            }
            sender
        });
        drop(poll_once(pin!(receiver.recv_async())));
        drop(receiver);
        let sender = thread.join().unwrap();
        assert_eq!(drops.load(Ordering::SeqCst), 2);
        drop(sender);
        assert_eq!(drops.load(Ordering::SeqCst), 2);
    });
    explore("pipe: both ends dropped at once", || {
        let drops = Arc::new(AtomicUsize::new(0));
        let (mut sender, receiver) = pipe::simplex(2);
        let here = Arc::clone(&drops);
        let thread = thread::spawn(move || drop(sender.send(Message(here))));
        drop(receiver);
        thread.join().unwrap();
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    });
}

/// The peer looks at a message in place while the sender goes on.
#[test]
fn peek_against_send() {
    explore("pipe: peek against send", || {
        let (thread, mut receiver) = send_all(Thread, 2, 2);
        for i in 0..2 {
            if let Some(&message) = receiver.peek() {
                assert_eq!(message, i);
            }
            assert_eq!(receiver.recv(), Ok(i));
        }
        thread.join().unwrap();
    });
}

/// Both ends of a duplex pipe send, then receive.
#[test]
fn duplex() {
    explore("pipe: duplex", || {
        let (mut left, mut right) = pipe::duplex::<u32, u32>(1);
        let thread = thread::spawn(move || {
            right.send(1).unwrap();
            right.recv().unwrap()
        });
        block_on(async {
            left.send_async(2).await.unwrap();
            assert_eq!(left.recv_async().await, Ok(1));
        });
        assert_eq!(thread.join().unwrap(), 2);
    });
}
