//! Both ways: two pipes, crossed.

use super::bytes::{ReadFuture, Reader, WriteFuture, Writer, bytes};
use super::chunk::{ReadChunk, WriteChunk};
use super::message::{Receiver, Sender, simplex};
use super::message_future::{RecvFuture, SendFuture};
use crate::error::{
    RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};
use crate::wait::Finally;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

/// A pipe for messages, both ways: what one end sends, the other receives. Each direction holds up
/// to `capacity` messages, and has its own memory, as a [`simplex`] has.
///
/// # Panics
///
/// If `capacity` is 0, or beyond 2^40 (with pointers of 32 bits 2^30).
#[track_caller]
pub fn duplex<A, B>(capacity: usize) -> (Connection<A, B>, Connection<B, A>) {
    let (there, from_here) = simplex(capacity);
    let (back, from_there) = simplex(capacity);
    (
        Connection { sender: there, receiver: from_there },
        Connection { sender: back, receiver: from_here },
    )
}

/// One end of a [`duplex`] pipe: it sends `S` and receives `R`.
pub struct Connection<S, R> {
    sender: Sender<S>,
    receiver: Receiver<R>,
}

impl<S, R> Connection<S, R> {
    /// The two halves, to be used by two threads or tasks. Each closes its own direction.
    pub fn split(self) -> (Sender<S>, Receiver<R>) {
        (self.sender, self.receiver)
    }

    /// The two halves, borrowed.
    pub fn split_mut(&mut self) -> (&mut Sender<S>, &mut Receiver<R>) {
        (&mut self.sender, &mut self.receiver)
    }

    /// [`Sender::try_send`].
    ///
    /// # Errors
    ///
    /// The message comes back: [`TrySendError::Full`] or [`TrySendError::Closed`].
    pub fn try_send(&mut self, message: S) -> Result<(), TrySendError<S>> {
        self.sender.try_send(message)
    }

    /// [`Sender::send`].
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the message if either end is closed.
    pub fn send(&mut self, message: S) -> Result<(), SendError<S>> {
        self.sender.send(message)
    }

    /// [`Sender::send_timeout`].
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// The message comes back: [`SendTimeoutError::TimedOut`] or [`SendTimeoutError::Closed`].
    pub fn send_timeout(
        &mut self,
        message: S,
        timeout: Duration,
    ) -> Result<(), SendTimeoutError<S>> {
        self.sender.send_timeout(message, timeout)
    }

    /// [`Sender::send_deadline`].
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// The message comes back: [`SendTimeoutError::TimedOut`] or [`SendTimeoutError::Closed`].
    pub fn send_deadline(
        &mut self,
        message: S,
        deadline: Instant,
    ) -> Result<(), SendTimeoutError<S>> {
        self.sender.send_deadline(message, deadline)
    }

    /// [`Sender::send_async`].
    ///
    /// # Cancel safety
    ///
    /// As for [`Sender::send_async`].
    #[inline]
    pub fn send_async(&mut self, message: S) -> SendFuture<'_, S> {
        self.sender.send_async(message)
    }

    /// [`Receiver::try_recv`].
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Empty`], or [`TryRecvError::Closed`] if no message will ever come.
    pub fn try_recv(&mut self) -> Result<R, TryRecvError> {
        self.receiver.try_recv()
    }

    /// [`Receiver::recv`].
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`RecvError`] if the pipe is closed and drained.
    pub fn recv(&mut self) -> Result<R, RecvError> {
        self.receiver.recv()
    }

    /// [`Receiver::recv_timeout`].
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError::TimedOut`] or [`RecvTimeoutError::Closed`].
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<R, RecvTimeoutError> {
        self.receiver.recv_timeout(timeout)
    }

    /// [`Receiver::recv_deadline`].
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError::TimedOut`] or [`RecvTimeoutError::Closed`].
    pub fn recv_deadline(&mut self, deadline: Instant) -> Result<R, RecvTimeoutError> {
        self.receiver.recv_deadline(deadline)
    }

    /// [`Receiver::recv_async`].
    ///
    /// # Cancel safety
    ///
    /// As for [`Receiver::recv_async`].
    pub fn recv_async(&mut self) -> RecvFuture<'_, R> {
        self.receiver.recv_async()
    }

    /// [`Receiver::peek`].
    pub fn peek(&mut self) -> Option<&R> {
        self.receiver.peek()
    }

    /// [`Receiver::has_data`].
    pub fn has_data(&mut self) -> bool {
        self.receiver.has_data()
    }

    /// [`Receiver::ready_timeout`].
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    pub fn ready_timeout(&mut self, timeout: Duration) -> bool {
        self.receiver.ready_timeout(timeout)
    }

    /// Closes this end, in both directions. What was sent to it before can still be received.
    pub fn close(&mut self) {
        // Also if a waker panics.
        let _receiver = Finally::new(|| self.receiver.close());
        self.sender.close();
    }

    /// Whether a direction is closed, from either end: a snapshot.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed() || self.receiver.is_closed()
    }

    /// How many messages each direction can hold: the capacity it was made with.
    pub fn capacity(&self) -> usize {
        self.sender.capacity()
    }

    /// How many of the four halves are waiting: a snapshot.
    pub fn waiting(&self) -> usize {
        self.sender.waiting() + self.receiver.waiting()
    }
}

impl<S, R> fmt::Debug for Connection<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("sender", &self.sender)
            .field("receiver", &self.receiver)
            .finish()
    }
}

/// A pipe for bytes, both ways. Each direction holds up to `capacity` bytes, and has its own memory,
/// as that of [`bytes()`] has.
///
/// # Panics
///
/// If `capacity` is 0, or beyond 2^40 (with pointers of 32 bits 2^30).
#[track_caller]
pub fn duplex_bytes(capacity: usize) -> (ByteConnection, ByteConnection) {
    let (there, from_here) = bytes(capacity);
    let (back, from_there) = bytes(capacity);
    (
        ByteConnection { writer: there, reader: from_there },
        ByteConnection { writer: back, reader: from_here },
    )
}

/// One end of a [`duplex_bytes`] pipe.
pub struct ByteConnection {
    pub(super) writer: Writer,
    pub(super) reader: Reader,
}

impl ByteConnection {
    /// The two halves, to be used by two threads or tasks. Each closes its own direction.
    pub fn split(self) -> (Writer, Reader) {
        (self.writer, self.reader)
    }

    /// The two halves, borrowed.
    pub fn split_mut(&mut self) -> (&mut Writer, &mut Reader) {
        (&mut self.writer, &mut self.reader)
    }

    /// [`Reader::read_timeout`].
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::TimedOut`]; nothing was read then.
    pub fn read_timeout(&mut self, bytes: &mut [u8], timeout: Duration) -> io::Result<usize> {
        self.reader.read_timeout(bytes, timeout)
    }

    /// [`Reader::read_deadline`].
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::TimedOut`]; nothing was read then.
    pub fn read_deadline(&mut self, bytes: &mut [u8], deadline: Instant) -> io::Result<usize> {
        self.reader.read_deadline(bytes, deadline)
    }

    /// [`Reader::read_async`].
    ///
    /// # Cancel safety
    ///
    /// A dropped future has read nothing.
    pub fn read_async<'a>(&'a mut self, bytes: &'a mut [u8]) -> ReadFuture<'a> {
        self.reader.read_async(bytes)
    }

    /// [`Writer::write_timeout`].
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::TimedOut`] or [`io::ErrorKind::BrokenPipe`]; nothing was written then.
    pub fn write_timeout(&mut self, bytes: &[u8], timeout: Duration) -> io::Result<usize> {
        self.writer.write_timeout(bytes, timeout)
    }

    /// [`Writer::write_deadline`].
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::TimedOut`] or [`io::ErrorKind::BrokenPipe`]; nothing was written then.
    pub fn write_deadline(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<usize> {
        self.writer.write_deadline(bytes, deadline)
    }

    /// [`Writer::write_async`].
    ///
    /// # Cancel safety
    ///
    /// A dropped future has written nothing.
    pub fn write_async<'a>(&'a mut self, bytes: &'a [u8]) -> WriteFuture<'a> {
        self.writer.write_async(bytes)
    }

    /// [`Reader::has_data`].
    pub fn has_data(&mut self) -> bool {
        self.reader.has_data()
    }

    /// [`Reader::ready_timeout`].
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    pub fn ready_timeout(&mut self, timeout: Duration) -> bool {
        self.reader.ready_timeout(timeout)
    }

    /// [`Reader::read_chunk`].
    pub fn read_chunk(&mut self, max: usize) -> ReadChunk<'_> {
        self.reader.read_chunk(max)
    }

    /// [`Writer::write_chunk`].
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::BrokenPipe`] if an end is closed.
    pub fn write_chunk(&mut self, max: usize) -> io::Result<WriteChunk<'_>> {
        self.writer.write_chunk(max)
    }

    /// Closes this end, in both directions. What was written to it before can still be read.
    pub fn close(&mut self) {
        // Also if a waker panics.
        let _reader = Finally::new(|| self.reader.close());
        self.writer.close();
    }

    /// Whether a direction is closed, from either end: a snapshot.
    pub fn is_closed(&self) -> bool {
        self.writer.is_closed() || self.reader.is_closed()
    }

    /// How many bytes each direction can hold: the capacity it was made with.
    pub fn capacity(&self) -> usize {
        self.writer.capacity()
    }

    /// How many of the four halves are waiting: a snapshot.
    pub fn waiting(&self) -> usize {
        self.writer.waiting() + self.reader.waiting()
    }
}

impl fmt::Debug for ByteConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteConnection")
            .field("writer", &self.writer)
            .field("reader", &self.reader)
            .finish()
    }
}
