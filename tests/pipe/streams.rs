//! The message ends as a stream and a sink.

use crate::common::{Counter, poll_once};
use crate::panic_of;
use bifrons::pipe::simplex;
use bifrons::{SendError, block_on};
use futures::sink::SinkExt;
use futures::stream::{self, FusedStream, StreamExt};
use futures::{Sink, Stream};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::thread;

#[test]
fn a_receiver_is_a_stream_that_ends_with_the_pipe() {
    let (mut sender, receiver) = simplex(2);
    let thread = thread::spawn(move || {
        for i in 0..100 {
            sender.send(i).unwrap();
        }
    });
    let squares: Vec<u32> = block_on(receiver.map(|i| i * i).collect());
    assert_eq!(squares, (0..100).map(|i| i * i).collect::<Vec<_>>());
    thread.join().unwrap();
}

#[test]
fn a_receiver_is_terminated_once_its_stream_has_said_so() {
    let (mut sender, mut receiver) = simplex(1);
    sender.try_send(1).unwrap();
    drop(sender);
    let received = block_on(async {
        let mut received = Vec::new();
        loop {
            // Skips what is terminated, and panics if that is everything.
            futures::select! {
                message = receiver.next() => match message {
                    Some(number) => received.push(number),
                    None => return received,
                },
            }
        }
    });
    assert_eq!(received, [1]);
    assert!(receiver.is_terminated());
}

#[test]
fn a_stream_is_forwarded_and_its_end_closes_the_pipe() {
    let (sender, mut receiver) = simplex(3);
    let thread = thread::spawn(move || {
        let mut received = Vec::new();
        while let Ok(message) = receiver.recv() {
            received.push(message);
        }
        received
    });
    block_on(stream::iter(0..50).map(Ok).forward(sender)).unwrap();
    assert_eq!(thread.join().unwrap(), (0..50).collect::<Vec<_>>());
}

#[test]
fn send_all_from_one_pipe_into_another() {
    let (mut first, relay_in) = simplex(1);
    let (mut relay_out, last) = simplex(1);
    let thread = thread::spawn(move || {
        for i in 0..50 {
            first.send(i).unwrap();
        }
    });
    let relay = async {
        relay_out.send_all(&mut relay_in.map(Ok)).await.unwrap();
        assert!(!relay_out.is_closed(), "send_all only flushes");
        SinkExt::<i32>::close(&mut relay_out).await.unwrap();
    };
    let ((), received) = block_on(async { futures::join!(relay, last.collect::<Vec<i32>>()) });
    assert_eq!(received, (0..50).collect::<Vec<_>>());
    thread.join().unwrap();
}

#[test]
fn a_sink_tells_that_the_receiver_has_gone() {
    let (mut sender, receiver) = simplex(1);
    block_on(async {
        sender.feed(1).await.unwrap();
        SinkExt::<i32>::flush(&mut sender).await.unwrap();
        drop(receiver);
        assert_eq!(SinkExt::send(&mut sender, 2).await, Err(SendError(())));
        SinkExt::<i32>::close(&mut sender).await.unwrap();
        assert_eq!(SinkExt::send(&mut sender, 3).await, Err(SendError(())));
    });
}

#[test]
fn a_sink_waits_for_room() {
    let (mut sender, mut receiver) = simplex(1);
    sender.try_send(1).unwrap();
    let counter = Counter::new();
    let waker = counter.waker();
    let mut cx = Context::from_waker(&waker);
    let mut sink = Pin::new(&mut sender);
    assert!(sink.as_mut().poll_ready(&mut cx).is_pending());
    assert_eq!(
        panic_of(|| sink.as_mut().start_send(2)),
        "bifrons: a message without a `poll_ready` before it"
    );
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(counter.wakes(), 1);
    assert_eq!(sink.as_mut().poll_ready(&mut cx), Poll::Ready(Ok(())));
    sink.as_mut().start_send(3).unwrap();
    assert_eq!(receiver.recv(), Ok(3));
}

#[test]
fn a_pending_stream_is_woken_by_the_end() {
    let (sender, mut receiver) = simplex::<u8>(1);
    let counter = Counter::new();
    let waker = counter.waker();
    let mut cx = Context::from_waker(&waker);
    let mut stream = Pin::new(&mut receiver);
    assert!(stream.as_mut().poll_next(&mut cx).is_pending());
    drop(sender);
    assert_eq!(counter.wakes(), 1);
    assert_eq!(stream.poll_next(&mut cx), Poll::Ready(None));
    assert_eq!(poll_once(pin!(receiver.next())), Poll::Ready(None), "again");
}

#[test]
fn an_end_that_is_closed_while_it_waits_waits_no_more() {
    let counter = Counter::new();
    let (mut sender, mut receiver) = simplex(1);
    sender.try_send(1).unwrap();
    let waker = counter.waker();
    let mut cx = Context::from_waker(&waker);
    assert!(Pin::new(&mut sender).poll_ready(&mut cx).is_pending());
    assert_eq!(receiver.waiting(), 1);
    sender.close();
    assert_eq!(receiver.waiting(), 0);
    assert_eq!(receiver.recv(), Ok(1));
    assert_eq!(counter.wakes(), 0);

    let (mut sender, mut receiver) = simplex::<i32>(1);
    assert!(Pin::new(&mut receiver).poll_next(&mut cx).is_pending());
    assert_eq!(sender.waiting(), 1);
    receiver.close();
    assert_eq!(sender.waiting(), 0);
    assert!(sender.try_send(1).is_err());
}
