//! Iterators, the stream and the sink.

use crate::common::{Counter, eventually, poll_once};
use crate::{Counted, dropped};
use bifrons::{BoundedQueue, PushError, block_on};
use futures::sink::{Sink, SinkExt};
use futures::stream::{FusedStream, StreamExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, Waker};
use std::thread;

#[test]
fn iter_waits_for_items_and_ends_with_the_queue() {
    let queue = BoundedQueue::new(2);
    thread::scope(|scope| {
        let reader = scope.spawn(|| queue.iter().collect::<Vec<_>>());
        queue.push_many(0..100).unwrap();
        eventually("the reader waits for more", || queue.waiting() == 1);
        queue.push(100).unwrap();
        queue.close();
        assert!(reader.join().unwrap().into_iter().eq(0..=100));
    });
    let mut iter = queue.iter();
    assert_eq!((iter.next(), iter.next()), (None, None));
}

#[test]
fn try_iter_takes_what_is_there() {
    let queue = BoundedQueue::new(3);
    assert_eq!(queue.try_iter().next(), None);
    queue.push_many([1, 2, 3]).unwrap();
    let mut iter = queue.try_iter();
    assert_eq!(iter.next(), Some(1));
    queue.push(4).unwrap();
    assert_eq!(iter.by_ref().collect::<Vec<_>>(), [2, 3, 4]);
    // Empty is not the end.
    queue.push(5).unwrap();
    assert_eq!(iter.next(), Some(5));
    queue.push(6).unwrap();
    queue.close();
    assert_eq!(queue.try_iter().collect::<Vec<_>>(), [6]);
}

#[test]
fn a_stream_ends_with_the_queue() {
    let queue = BoundedQueue::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            queue.push_many(0..100).unwrap();
            queue.close();
        });
        let mut stream = pin!(queue.stream());
        for number in 0..100 {
            assert!(!stream.is_terminated());
            assert_eq!(block_on(stream.next()), Some(number));
        }
        assert_eq!(block_on(stream.next()), None);
        assert!(stream.is_terminated());
        assert_eq!(block_on(stream.next()), None);
    });
}

#[test]
fn a_dropped_stream_loses_nothing() {
    let queue = BoundedQueue::new(2);
    let counter = Counter::new();
    let mut next = pin!(queue.pop_async());
    {
        let mut stream = pin!(queue.stream());
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(stream.as_mut().poll_next_unpin(&mut cx).is_pending());
        assert!(counter.poll(next.as_mut()).is_pending());
        queue.push(1).unwrap();
        assert_eq!(counter.wakes(), 0);
    }
    // The item that woke the stream goes to the next.
    assert_eq!(counter.wakes(), 1);
    assert_eq!(counter.poll(next.as_mut()), Poll::Ready(Ok(1)));
    assert_eq!(queue.waiting(), 0);
}

#[test]
fn two_streams_share_the_items() {
    let queue = BoundedQueue::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            queue.push_many(0..1_000).unwrap();
            queue.close();
        });
        let both = futures::stream::select(Box::pin(queue.stream()), Box::pin(queue.stream()));
        let mut items: Vec<i32> = block_on(both.collect());
        items.sort_unstable();
        assert!(items.into_iter().eq(0..1_000));
    });
}

#[test]
fn a_stream_is_one_of_several_in_select() {
    let (numbers, stop) = (BoundedQueue::new(2), BoundedQueue::<()>::new(1));
    let sum = thread::scope(|scope| {
        scope.spawn(|| {
            numbers.push_many(1..=10).unwrap();
            numbers.close();
            stop.push(()).unwrap();
        });
        block_on(async {
            let (mut stream, mut stopped) = (pin!(numbers.stream()), pin!(stop.pop_async()));
            let (mut sum, mut was_stopped) = (0, false);
            loop {
                futures::select! {
                    number = stream.select_next_some() => sum += number,
                    result = stopped => was_stopped = result.is_ok(),
                    complete => break,
                }
            }
            assert!(was_stopped);
            sum
        })
    });
    assert_eq!(sum, 55);
}

#[test]
fn forward_moves_everything_from_one_queue_to_the_next_and_leaves_it_open() {
    for capacity in [1, 2, 64] {
        let (from, to) = (BoundedQueue::new(3), BoundedQueue::new(capacity));
        let items = thread::scope(|scope| {
            scope.spawn(|| {
                from.push_many(0..500).unwrap();
                from.close();
            });
            scope.spawn(|| {
                block_on(from.stream().map(Ok).forward(to.sink())).unwrap();
                assert!(!to.is_closed());
                // Others may still push.
                to.push(500).unwrap();
                to.close();
            });
            to.iter().collect::<Vec<_>>()
        });
        assert!(items.into_iter().eq(0..=500));
    }
}

#[test]
fn a_sink_sends_all_flushes_and_closes_without_closing_the_queue() {
    let queue = BoundedQueue::new(4);
    block_on(async {
        let mut sink = pin!(queue.sink());
        sink.send(1).await.unwrap();
        sink.feed(2).await.unwrap();
        assert_eq!(queue.len(), 2);
        let mut rest = futures::stream::iter([Ok(3), Ok(4)]);
        sink.send_all(&mut rest).await.unwrap();
        sink.flush().await.unwrap();
        sink.close().await.unwrap();
    });
    assert!(!queue.is_closed());
    assert_eq!(queue.try_iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
}

fn ready(sink: Pin<&mut impl Sink<u8, Error = PushError<()>>>) -> Poll<Result<(), PushError<()>>> {
    sink.poll_ready(&mut Context::from_waker(std::task::Waker::noop()))
}

#[test]
fn a_ready_sink_holds_one_slot_however_often_it_is_asked() {
    let queue = BoundedQueue::new(2);
    {
        let mut sink = pin!(queue.sink());
        for _ in 0..3 {
            assert_eq!(ready(sink.as_mut()), Poll::Ready(Ok(())));
        }
        queue.try_push(1).unwrap();
        assert!(queue.is_full());
        sink.as_mut().start_send(2).unwrap();
        assert_eq!(ready(sink.as_mut()), Poll::Pending);
        assert_eq!(queue.waiting(), 1);
        assert_eq!(queue.pop(), Ok(1));
        assert_eq!(ready(sink.as_mut()), Poll::Ready(Ok(())));
        assert!(queue.is_full());
    }
    // Dropped with the room that it held.
    assert!(!queue.is_full());
    assert_eq!(queue.waiting(), 0);
}

#[test]
fn a_sink_that_was_not_asked_takes_nothing() {
    let queue = BoundedQueue::new(1);
    let mut sink = pin!(queue.sink());
    let sent = catch_unwind(AssertUnwindSafe(|| sink.as_mut().start_send(1)));
    assert!(sent.is_err());
    assert_eq!(ready(sink.as_mut()), Poll::Ready(Ok(())));
    sink.as_mut().start_send(2).unwrap();
    assert_eq!(queue.pop(), Ok(2));
}

#[test]
fn a_sink_fails_once_the_queue_is_closed() {
    let queue = BoundedQueue::new(1);
    let mut promised = Box::pin(queue.sink());
    assert_eq!(ready(promised.as_mut()), Poll::Ready(Ok(())));
    let counter = Counter::new();
    let mut waiting = Box::pin(queue.sink());
    let waker = counter.waker();
    let mut cx = Context::from_waker(&waker);
    assert!(waiting.as_mut().poll_ready(&mut cx).is_pending());
    queue.close();
    assert_eq!(counter.wakes(), 1);
    assert_eq!(waiting.as_mut().poll_ready(&mut cx), Poll::Ready(Err(PushError(()))));
    // Also where room had been promised.
    assert_eq!(promised.as_mut().start_send(1), Err(PushError(())));
    assert_eq!(ready(promised.as_mut()), Poll::Ready(Err(PushError(()))));
    block_on(promised.close()).unwrap();
    assert_eq!(queue.len(), 0);
}

#[test]
fn items_on_their_way_through_streams_and_sinks_are_dropped_exactly_once() {
    let drops = Arc::new(AtomicUsize::new(0));
    let (from, to) = (BoundedQueue::new(4), BoundedQueue::new(2));
    assert!(from.push_many((0..4).map(|number| Counted::new(number, &drops))).is_ok());
    {
        let mut forward = pin!(from.stream().map(Ok).forward(to.sink()));
        assert!(poll_once(forward.as_mut()).is_pending());
        // Two are there; `forward` has one in hand, which is dropped with it.
        assert_eq!((to.len(), from.len(), dropped(&drops)), (2, 1, 0));
    }
    assert_eq!((to.len(), from.len(), dropped(&drops)), (2, 1, 1));
    assert!(!from.is_full());
    drop((from, to));
    assert_eq!(dropped(&drops), 4);
}

#[test]
fn a_closed_sink_keeps_no_room() {
    let queue = BoundedQueue::new(1);
    let mut sink = pin!(queue.sink());
    let mut cx = Context::from_waker(Waker::noop());
    // A buffering combinator asks for room before it closes, whether it has an item or not.
    assert_eq!(sink.as_mut().poll_ready(&mut cx), Poll::Ready(Ok(())));
    assert!(queue.is_full());
    assert_eq!(sink.as_mut().poll_close(&mut cx), Poll::Ready(Ok(())));
    assert!(!queue.is_full());
    assert!(!queue.is_closed());
    // Nor a place among those who wait.
    queue.push(1).unwrap();
    assert_eq!(sink.as_mut().poll_ready(&mut cx), Poll::Pending);
    assert_eq!(queue.waiting(), 1);
    assert_eq!(sink.as_mut().poll_close(&mut cx), Poll::Ready(Ok(())));
    assert_eq!(queue.waiting(), 0);
    // It can go on: the queue has not been closed.
    queue.pop().unwrap();
    block_on(sink.send(2)).unwrap();
    assert_eq!(queue.pop(), Ok(2));
}
