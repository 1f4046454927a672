//! The waiting operations of the message ends, and their stream and sink.

use super::message::{Receiver, Sender};
use crate::error::{RecvError, SendError};
use crate::wait::finished;
use futures_core::stream::FusedStream;
use futures_core::{FusedFuture, Stream};
use futures_sink::Sink;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// The future of [`Sender::send_async`].
    #[must_use = "futures do nothing unless polled"]
    pub struct SendFuture<'a, T> {
        sender: &'a mut Sender<T>,
        // `None` after completion.
        message: Option<T>,
        // Free to keep a node of its own one day.
        #[pin]
        _pin: PhantomPinned,
    }

    impl<T> PinnedDrop for SendFuture<'_, T> {
        #[inline]
        fn drop(this: Pin<&mut Self>) {
            this.project().sender.half.settle_future();
        }
    }
}

impl<'a, T> SendFuture<'a, T> {
    #[inline]
    pub(super) fn new(sender: &'a mut Sender<T>, message: T) -> Self {
        Self { sender, message: Some(message), _pin: PhantomPinned }
    }

    /// Takes the message back and ends the wait; `None` after completion. The future must not be
    /// polled again.
    pub fn take(self: Pin<&mut Self>) -> Option<T> {
        let this = self.project();
        // Before the message is in hand: it may drop a waker that panics.
        this.sender.half.settle_future();
        this.message.take()
    }
}

impl<T> Future for SendFuture<'_, T> {
    type Output = Result<(), SendError<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.message.is_none() {
            finished("SendFuture");
        }
        let Poll::Ready(room) = this.sender.poll_room(cx) else {
            return this.sender.half.tie_to_future();
        };
        let Some(message) = this.message.take() else { finished("SendFuture") };
        Poll::Ready(match room {
            Ok(()) => this.sender.write(message),
            Err(_) => Err(SendError(message)),
        })
    }
}

impl<T> FusedFuture for SendFuture<'_, T> {
    fn is_terminated(&self) -> bool {
        self.message.is_none()
    }
}

impl<T> fmt::Debug for SendFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendFuture").field("sender", &self.sender).finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`Receiver::recv_async`].
    #[must_use = "futures do nothing unless polled"]
    pub struct RecvFuture<'a, T> {
        receiver: &'a mut Receiver<T>,
        done: bool,
        // Free to keep a node of its own one day.
        #[pin]
        _pin: PhantomPinned,
    }

    impl<T> PinnedDrop for RecvFuture<'_, T> {
        #[inline]
        fn drop(this: Pin<&mut Self>) {
            this.project().receiver.half.settle_future();
        }
    }
}

impl<'a, T> RecvFuture<'a, T> {
    #[inline]
    pub(super) fn new(receiver: &'a mut Receiver<T>) -> Self {
        Self { receiver, done: false, _pin: PhantomPinned }
    }
}

impl<T> Future for RecvFuture<'_, T> {
    type Output = Result<T, RecvError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if *this.done {
            finished("RecvFuture");
        }
        let Poll::Ready(result) = this.receiver.poll_recv(cx) else {
            return this.receiver.half.tie_to_future();
        };
        *this.done = true;
        Poll::Ready(result)
    }
}

impl<T> FusedFuture for RecvFuture<'_, T> {
    fn is_terminated(&self) -> bool {
        self.done
    }
}

impl<T> fmt::Debug for RecvFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvFuture").field("receiver", &self.receiver).finish_non_exhaustive()
    }
}

/// Ends when the pipe is closed and drained.
///
/// The wait is the receiver's: a `next` that is dropped leaves it registered; see the
/// [module](crate::pipe#waiting). No message is lost.
impl<T> Stream for Receiver<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let message = ready!(self.poll_recv(cx));
        self.half.is_terminated = message.is_err();
        Poll::Ready(message.ok())
    }
}

/// Terminated once it has ended.
impl<T> FusedStream for Receiver<T> {
    fn is_terminated(&self) -> bool {
        self.half.is_terminated
    }
}

/// Flushing is nothing; closing the sink closes the end.
///
/// A message that meets a receiver which has left after `poll_ready` is dropped in `start_send`:
/// [`SendError`] without it. `start_send` panics where there is no room, for want of a `poll_ready`
/// that said so. The wait of a `poll_ready` is the sender's; see the [module](crate::pipe#waiting).
impl<T> Sink<T> for Sender<T> {
    type Error = SendError<()>;

    fn poll_ready(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError<()>>> {
        Sender::poll_ready(&mut self, cx).map_err(|_| SendError(()))
    }

    fn start_send(mut self: Pin<&mut Self>, message: T) -> Result<(), SendError<()>> {
        self.write_polled(message).map_err(|_| SendError(()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SendError<()>>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Result<(), SendError<()>>> {
        self.close();
        Poll::Ready(Ok(()))
    }
}
