//! Futures that are dropped, forgotten, polled too often, or polled by another task.

use crate::common::{Counter, Face, Random, poll_once};
use crate::{Counted, count, drops, panic_of, read, recv, send, write};
use bifrons::pipe::{self, simplex};
use bifrons::{RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, block_on};
use futures::future::FusedFuture;
use futures::io::{AsyncRead, AsyncWrite};
use futures::{FutureExt, SinkExt, StreamExt};
use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn an_unpolled_future_has_done_nothing() {
    let drops = drops();
    let (mut sender, mut receiver) = simplex(1);
    drop(sender.send_async(Counted::new(&drops)));
    assert_eq!(count(&drops), 1, "the message goes with the future");
    drop(receiver.recv_async());
    assert_eq!(receiver.try_recv().err(), Some(TryRecvError::Empty));
    assert_eq!(sender.waiting(), 0);

    let (mut writer, mut reader) = pipe::bytes(4);
    drop(writer.write_async(b"abc"));
    drop(reader.read_async(&mut [0; 4]));
    assert!(!reader.has_data());
    assert_eq!(writer.waiting(), 0);
}

#[test]
fn dropping_a_wait_withdraws_it() {
    let drops = drops();
    let (mut sender, mut receiver) = simplex(1);
    let counter = Counter::new();
    assert!(counter.poll(pin!(receiver.recv_async())).is_pending());
    assert_eq!(sender.waiting(), 0);
    assert!(sender.try_send(Counted::new(&drops)).is_ok());
    assert!(counter.poll(pin!(sender.send_async(Counted::new(&drops)))).is_pending());
    assert_eq!((count(&drops), sender.waiting()), (1, 0));
    assert!(receiver.try_recv().is_ok());
    assert_eq!(receiver.try_recv().err(), Some(TryRecvError::Empty), "it has not sent");
    assert_eq!(counter.wakes(), 0, "nobody waits any more");
    assert_eq!(Arc::strong_count(&counter), 1, "no waker is kept");
}

#[test]
fn dropping_a_wait_that_was_woken_loses_nothing() {
    let (mut sender, mut receiver) = simplex(1);
    let counter = Counter::new();
    {
        let mut recv = pin!(receiver.recv_async());
        assert!(counter.poll(recv.as_mut()).is_pending());
        sender.try_send(1).unwrap();
        assert_eq!(counter.wakes(), 1);
    }
    {
        let mut send = pin!(sender.send_async(2));
        assert!(counter.poll(send.as_mut()).is_pending());
        assert_eq!(receiver.try_recv(), Ok(1));
        assert_eq!(counter.wakes(), 2);
    }
    sender.try_send(3).unwrap();
    assert_eq!(receiver.try_recv(), Ok(3), "the room is there, the message 2 went with its future");
    assert_eq!(Arc::strong_count(&counter), 1, "no waker is kept");
}

#[test]
fn a_dropped_read_or_write_has_moved_nothing() {
    let (mut writer, mut reader) = pipe::bytes(4);
    let counter = Counter::new();
    let mut bytes = [0; 4];
    {
        let mut read = pin!(reader.read_async(&mut bytes));
        assert!(counter.poll(read.as_mut()).is_pending());
        assert_eq!(writer.waiting(), 1);
        block_on(writer.write_async(b"abcd")).unwrap();
        assert_eq!(counter.wakes(), 1);
    }
    {
        let mut write = pin!(writer.write_async(b"efgh"));
        assert!(counter.poll(write.as_mut()).is_pending());
        assert_eq!(reader.waiting(), 1);
        assert_eq!(block_on(reader.read_async(&mut bytes)).unwrap(), 4);
        assert_eq!(counter.wakes(), 2);
    }
    assert_eq!(bytes, *b"abcd");
    assert!(!reader.has_data());
    assert_eq!((writer.waiting(), Arc::strong_count(&counter)), (0, 1));
}

#[test]
fn take_gives_the_message_back_at_every_point() {
    let (mut sender, mut receiver) = simplex(1);
    let mut unpolled = Box::pin(sender.send_async(1));
    assert_eq!(unpolled.as_mut().take(), Some(1));
    assert_eq!(unpolled.as_mut().take(), None);
    assert!(unpolled.is_terminated());
    drop(unpolled);

    sender.try_send(2).unwrap();
    let mut waiting = Box::pin(sender.send_async(3));
    let counter = Counter::new();
    assert!(counter.poll(waiting.as_mut()).is_pending());
    assert_eq!(receiver.waiting(), 1);
    assert_eq!(waiting.as_mut().take(), Some(3));
    assert_eq!(receiver.waiting(), 0, "the wait is over");
    assert!(panic_of(|| poll_once(waiting.as_mut())).contains("SendFuture"));
    drop(waiting);

    let mut woken = Box::pin(sender.send_async(4));
    assert!(counter.poll(woken.as_mut()).is_pending());
    assert_eq!(receiver.try_recv(), Ok(2));
    assert_eq!(counter.wakes(), 1);
    assert_eq!(woken.as_mut().take(), Some(4));
    drop(woken);

    let mut done = pin!(sender.send_async(5));
    assert!(poll_once(done.as_mut()).is_ready());
    assert_eq!(done.as_mut().take(), None);
    assert_eq!(receiver.try_recv(), Ok(5));
}

#[test]
fn a_future_that_is_done_says_so_and_panics_if_it_is_polled_again() {
    let (mut sender, mut receiver) = simplex(1);
    let mut send = pin!(sender.send_async(1));
    assert!(!send.is_terminated());
    assert_eq!(poll_once(send.as_mut()), Poll::Ready(Ok(())));
    assert!(send.is_terminated());
    assert!(panic_of(|| poll_once(send.as_mut())).contains("SendFuture"));
    let mut recv = pin!(receiver.recv_async());
    assert!(!recv.is_terminated());
    assert_eq!(poll_once(recv.as_mut()), Poll::Ready(Ok(1)));
    assert!(recv.is_terminated());
    assert!(panic_of(|| poll_once(recv.as_mut())).contains("RecvFuture"));

    let (mut writer, mut reader) = pipe::bytes(4);
    let mut write = pin!(writer.write_async(b"ab"));
    assert!(!write.is_terminated());
    assert!(poll_once(write.as_mut()).is_ready() && write.is_terminated());
    assert!(panic_of(|| poll_once(write.as_mut())).contains("WriteFuture"));
    let mut bytes = [0; 4];
    let mut read = pin!(reader.read_async(&mut bytes));
    assert!(!read.is_terminated());
    assert!(poll_once(read.as_mut()).is_ready() && read.is_terminated());
    assert!(panic_of(|| poll_once(read.as_mut())).contains("ReadFuture"));
}

/// kanal 0.1.1 keeps the old waker: a task that has moved sleeps for ever.
#[test]
fn the_last_waker_is_the_one_that_is_called() {
    fn check<F: Future>(waits: F, act: impl FnOnce()) {
        let mut waits = pin!(waits);
        let wakers = [Counter::new(), Counter::new(), Counter::new()];
        for counter in &wakers {
            assert!(counter.poll(waits.as_mut()).is_pending());
        }
        assert_eq!(
            [&wakers[0], &wakers[1]].map(Arc::strong_count),
            [1, 1],
            "replaced, and dropped"
        );
        act();
        assert_eq!(wakers.each_ref().map(|counter| counter.wakes()), [0, 0, 1]);
        assert_eq!(Arc::strong_count(&wakers[2]), 1);
        assert!(poll_once(waits).is_ready());
    }
    let (mut sender, mut receiver) = simplex(1);
    check(receiver.recv_async(), || sender.try_send(1).unwrap());
    sender.try_send(2).unwrap();
    check(sender.send_async(3), || assert_eq!(receiver.try_recv(), Ok(2)));

    let (mut writer, mut reader) = pipe::bytes(1);
    check(reader.read_async(&mut [0]), || assert_eq!(writer.write(b"a").unwrap(), 1));
    writer.write_all(b"b").unwrap();
    check(writer.write_async(b"c"), || reader.read_exact(&mut [0]).unwrap());
}

#[test]
fn polls_without_a_reason_change_nothing() {
    let (mut sender, mut receiver) = simplex(1);
    let counter = Counter::new();
    let waker = counter.waker();
    {
        let mut recv = pin!(receiver.recv_async());
        for _ in 0..1_000 {
            assert!(recv.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
            assert_eq!((sender.waiting(), Arc::strong_count(&counter)), (1, 3));
        }
        sender.try_send(1).unwrap();
        assert_eq!(counter.wakes(), 1);
        assert_eq!(poll_once(recv), Poll::Ready(Ok(1)));
    }
    drop(waker);
    assert_eq!(Arc::strong_count(&counter), 1);
}

/// Each operation but the last is forgotten. What it left is found by the next one, in every face,
/// whether the other end has called its waker meanwhile or not.
#[test]
fn a_forgotten_wait_does_no_harm() {
    for (face, woken) in Face::ALL.into_iter().flat_map(|face| [(face, false), (face, true)]) {
        let (mut sender, mut receiver) = simplex(1);
        for round in 0..5 {
            let counter = Counter::new();
            let mut wait = Box::pin(receiver.recv_async());
            assert!(counter.poll(wait.as_mut()).is_pending());
            std::mem::forget(wait);
            if woken {
                send(face, &mut sender, round).unwrap();
                assert_eq!(counter.wakes(), 1);
                assert_eq!(recv(face, &mut receiver), Ok(round));
            } else {
                assert!(poll_once(pin!(receiver.recv_async())).is_pending());
            }
            assert_eq!(Arc::strong_count(&counter), 1, "no waker is kept");
            assert_eq!(sender.waiting(), 0);

            let counter = Counter::new();
            send(face, &mut sender, round).unwrap();
            let mut wait = Box::pin(sender.send_async(round + 100));
            assert!(counter.poll(wait.as_mut()).is_pending());
            std::mem::forget(wait);
            assert_eq!(recv(face, &mut receiver), Ok(round));
            assert_eq!(counter.wakes(), 1);
            send(face, &mut sender, round + 1).unwrap();
            assert_eq!(recv(face, &mut receiver), Ok(round + 1), "the forgotten one was not sent");
        }
        let mut wait = Box::pin(receiver.recv_async());
        let counter = Counter::new();
        assert!(counter.poll(wait.as_mut()).is_pending());
        std::mem::forget(wait);
        drop(receiver);
        assert_eq!(Arc::strong_count(&counter), 1, "nor by an end that is gone");
        assert_eq!(send(face, &mut sender, 1), Err(SendError(1)));
    }
}

#[test]
fn a_poll_of_the_io_traits_keeps_its_waker_until_the_next_call_in_either_face() {
    for face in Face::ALL {
        let (mut writer, mut reader) = pipe::bytes(2);
        let (first, second) = (Counter::new(), Counter::new());
        let mut bytes = [0; 2];
        for counter in [&first, &second] {
            let waker = counter.waker();
            let mut cx = std::task::Context::from_waker(&waker);
            assert!(pin!(&mut reader).poll_read(&mut cx, &mut bytes).is_pending());
        }
        assert_eq!((writer.waiting(), Arc::strong_count(&first)), (1, 1), "replaced");
        let thread = thread::spawn(move || {
            let mut bytes = [0; 2];
            let count = read(face, &mut reader, &mut bytes).unwrap();
            assert_eq!(bytes[..count], b"ab"[..count]);
            reader
        });
        // It is the call in the other thread that waits, or will read at once.
        let mut bytes = &b"ab"[..];
        crate::common::eventually("the blocking call has replaced the waker", || {
            Arc::strong_count(&second) == 1
        });
        assert_eq!(second.wakes(), 0);
        while !bytes.is_empty() {
            let count = write(face, &mut writer, bytes).unwrap();
            bytes = &bytes[count..];
        }
        let reader = thread.join().unwrap();

        let counter = Counter::new();
        let waker = counter.waker();
        let mut cx = std::task::Context::from_waker(&waker);
        while let Poll::Ready(count) = pin!(&mut writer).poll_write(&mut cx, b"x") {
            assert_eq!(count.unwrap(), 1);
        }
        drop(reader);
        assert_eq!(counter.wakes(), 1);
    }
}

/// Polls an end with `counter`, by a method that has nothing to drop.
fn keeps_waiting<R>(counter: &Arc<Counter>, poll: impl FnOnce(&mut Context<'_>) -> Poll<R>) {
    assert!(poll(&mut Context::from_waker(&counter.waker())).is_pending());
}

#[test]
fn a_future_that_was_never_polled_leaves_the_wait_of_a_poll_alone() {
    let counter = Counter::new();
    let (mut sender, mut receiver) = simplex(1);
    keeps_waiting(&counter, |cx| receiver.poll_next_unpin(cx));
    drop(receiver.recv_async());
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    sender.try_send(1).unwrap();
    assert_eq!(counter.wakes(), 1);
    keeps_waiting(&counter, |cx| sender.poll_ready_unpin(cx));
    drop(sender.send_async(2));
    assert_eq!(pin!(sender.send_async(3)).as_mut().take(), Some(3));
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(counter.wakes(), 2);

    let (mut writer, mut reader) = pipe::bytes(1);
    keeps_waiting(&counter, |cx| Pin::new(&mut reader).poll_read(cx, &mut [0]));
    drop(reader.read_async(&mut [0]));
    writer.write_all(b"a").unwrap();
    assert_eq!(counter.wakes(), 3);
    keeps_waiting(&counter, |cx| Pin::new(&mut writer).poll_write(cx, b"b"));
    drop(writer.write_async(b"c"));
    reader.read_exact(&mut [0]).unwrap();
    assert_eq!(counter.wakes(), 4);

    // One that has waited itself ends the wait, which was its own by then.
    keeps_waiting(&counter, |cx| receiver.poll_next_unpin(cx));
    assert!(poll_once(pin!(receiver.recv_async())).is_pending());
    assert_eq!((sender.waiting(), Arc::strong_count(&counter)), (0, 1));
}

#[test]
fn a_timed_call_without_time_leaves_the_wait_of_a_poll_alone() {
    let counter = Counter::new();
    let (mut sender, mut receiver) = simplex(1);
    let past = Instant::now();
    keeps_waiting(&counter, |cx| receiver.poll_next_unpin(cx));
    assert_eq!(receiver.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::TimedOut));
    assert_eq!(receiver.recv_deadline(past), Err(RecvTimeoutError::TimedOut));
    assert!(!receiver.ready_timeout(Duration::ZERO));
    sender.try_send(1).unwrap();
    assert_eq!(counter.wakes(), 1);
    keeps_waiting(&counter, |cx| sender.poll_ready_unpin(cx));
    assert_eq!(sender.send_timeout(2, Duration::ZERO), Err(SendTimeoutError::TimedOut(2)));
    assert_eq!(sender.send_deadline(2, past), Err(SendTimeoutError::TimedOut(2)));
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(counter.wakes(), 2);

    let (mut writer, mut reader) = pipe::bytes(1);
    keeps_waiting(&counter, |cx| Pin::new(&mut reader).poll_read(cx, &mut [0]));
    let timed_out = |error: std::io::Error| error.kind() == ErrorKind::TimedOut;
    assert!(reader.read_timeout(&mut [0], Duration::ZERO).is_err_and(timed_out));
    assert!(!reader.ready_timeout(Duration::ZERO));
    writer.write_all(b"a").unwrap();
    assert_eq!(counter.wakes(), 3);
    keeps_waiting(&counter, |cx| Pin::new(&mut writer).poll_write(cx, b"b"));
    assert!(writer.write_timeout(b"c", Duration::ZERO).is_err_and(timed_out));
    reader.read_exact(&mut [0]).unwrap();
    assert_eq!(counter.wakes(), 4);
}

/// A task that gives up whenever the other branch of its `select!` is ready first.
#[test]
fn waits_that_lose_a_race_lose_no_message() {
    for seed in 0..4 {
        let (mut sender, mut receiver) = simplex(1 + seed as usize);
        let (mut ticks, mut ticker) = simplex(1);
        let ticking = thread::spawn(move || while ticks.send(()).is_ok() {});
        let sending = thread::spawn(move || {
            let mut random = Random(seed);
            for i in 0..2_000 {
                if random.below(2) == 0 {
                    sender.send(i).unwrap();
                    continue;
                }
                // Gives up once, or a few times, and takes the message back each time.
                let mut message = Some(i);
                while let Some(unsent) = message.take() {
                    let mut send = pin!(sender.send_async(unsent));
                    if poll_once(send.as_mut()).is_pending() {
                        message = send.as_mut().take();
                        thread::yield_now();
                    }
                }
            }
        });
        let received = block_on(async {
            let mut received = 0;
            loop {
                futures::select_biased! {
                    () = ticker.recv_async().map(|tick| tick.unwrap()) => {}
                    message = receiver.recv_async() => match message {
                        Ok(message) => {
                            assert_eq!(message, received);
                            received += 1;
                        }
                        Err(_) => return received,
                    },
                }
            }
        });
        assert_eq!(received, 2_000);
        drop(ticker);
        sending.join().unwrap();
        ticking.join().unwrap();
    }
}

#[test]
fn a_read_may_follow_a_write_that_was_given_up() {
    let (mut writer, mut reader) = pipe::bytes(3);
    assert_eq!(block_on(writer.write_async(b"abcd")).unwrap(), 3);
    assert!(poll_once(pin!(writer.write_async(b"d"))).is_pending());
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "abc");
}
