//! Items one after the other: iterators for threads, a stream and a sink for tasks.

use super::future::reserve;
use super::waiter::{Closed, Receivers, Senders, Waiter};
use super::{BoundedQueue, Slot};
use crate::error::PushError;
use futures_core::{FusedStream, Stream};
use futures_sink::Sink;
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec;

/// The iterator of [`BoundedQueue::iter`].
#[must_use = "iterators do nothing unless consumed"]
pub struct Iter<'a, T> {
    queue: &'a BoundedQueue<T>,
}

impl<'a, T> Iter<'a, T> {
    pub(super) fn new(queue: &'a BoundedQueue<T>) -> Self {
        Self { queue }
    }
}

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.queue.pop().ok()
    }
}

// A closed and drained queue stays so.
impl<T> std::iter::FusedIterator for Iter<'_, T> {}

impl<T> fmt::Debug for Iter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Iter").field(self.queue).finish()
    }
}

/// The iterator of [`BoundedQueue::try_iter`].
#[must_use = "iterators do nothing unless consumed"]
pub struct TryIter<'a, T> {
    queue: &'a BoundedQueue<T>,
}

impl<'a, T> TryIter<'a, T> {
    pub(super) fn new(queue: &'a BoundedQueue<T>) -> Self {
        Self { queue }
    }
}

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.queue.try_pop().ok()
    }
}

impl<T> fmt::Debug for TryIter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TryIter").field(self.queue).finish()
    }
}

/// What [`BoundedQueue::close_now`] took. It is dropped with this, unless it has been yielded.
#[must_use = "if unused the items are dropped at once"]
pub struct Drain<T> {
    items: vec::IntoIter<T>,
}

impl<T> Drain<T> {
    pub(super) fn new(items: Vec<T>) -> Self {
        Self { items: items.into_iter() }
    }
}

impl<T> Iterator for Drain<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.items.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

impl<T> DoubleEndedIterator for Drain<T> {
    fn next_back(&mut self) -> Option<T> {
        self.items.next_back()
    }
}

impl<T> ExactSizeIterator for Drain<T> {}
impl<T> std::iter::FusedIterator for Drain<T> {}

impl<T> fmt::Debug for Drain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain").field("len", &self.items.len()).finish()
    }
}

pin_project! {
    /// The stream of [`BoundedQueue::stream`].
    #[must_use = "streams do nothing unless polled"]
    pub struct PopStream<'a, T> {
        #[pin]
        waiter: Waiter<'a, T, Receivers>,
        done: bool,
    }
}

impl<'a, T> PopStream<'a, T> {
    pub(super) fn new(queue: &'a BoundedQueue<T>) -> Self {
        Self { waiter: Waiter::new(queue), done: false }
    }
}

impl<T> Stream for PopStream<'_, T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.project();
        if *this.done {
            return Poll::Ready(None);
        }
        let item = ready!(this.waiter.poll_pop(cx));
        *this.done = item.is_err();
        Poll::Ready(item.ok())
    }
}

impl<T> FusedStream for PopStream<'_, T> {
    fn is_terminated(&self) -> bool {
        self.done
    }
}

impl<T> fmt::Debug for PopStream<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PopStream").field("wait", &self.waiter.node).finish_non_exhaustive()
    }
}

pin_project! {
    /// The sink of [`BoundedQueue::sink`].
    #[must_use = "sinks do nothing unless polled"]
    pub struct PushSink<'a, T> {
        #[pin]
        waiter: Waiter<'a, T, Senders>,
        // Room for the item that `poll_ready` has promised to take.
        slot: Option<Slot<'a, T>>,
    }
}

impl<'a, T> PushSink<'a, T> {
    pub(super) fn new(queue: &'a BoundedQueue<T>) -> Self {
        Self { waiter: Waiter::new(queue), slot: None }
    }
}

impl<T> Sink<T> for PushSink<'_, T> {
    type Error = PushError<()>;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), PushError<()>>> {
        let this = self.project();
        if this.waiter.queue().is_closed() {
            *this.slot = None;
            this.waiter.cancel();
            return Poll::Ready(Err(PushError(())));
        }
        if this.slot.is_none() {
            match ready!(this.waiter.poll(cx, reserve)) {
                Ok(slot) => *this.slot = Some(slot),
                Err(Closed) => return Poll::Ready(Err(PushError(()))),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, item: T) -> Result<(), PushError<()>> {
        let this = self.project();
        let Some(slot) = this.slot.take() else {
            panic!("bifrons: `start_send` without a `poll_ready` that said so");
        };
        slot.push(item).map_err(|_| PushError(()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), PushError<()>>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), PushError<()>>> {
        let this = self.project();
        *this.slot = None;
        this.waiter.cancel();
        Poll::Ready(Ok(()))
    }
}

impl<T> fmt::Debug for PushSink<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushSink").field("wait", &self.waiter.node).finish_non_exhaustive()
    }
}
