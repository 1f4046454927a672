//! The ends that carry bytes.

#![expect(unsafe_code, reason = "lends the bytes that are its own")]

use super::buffer::Bytes;
use super::chunk::{ReadChunk, WriteChunk};
use super::half::{Half, READER, Shared, WRITER};
use crate::sys::{Arc, deadline_after, is_past};
use crate::wait::{drive, finished};
use futures_core::FusedFuture;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::marker::PhantomPinned;
use std::mem;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// A pipe for bytes, one way, that holds up to `capacity` of them.
///
/// The memory is allocated here, once: as many bytes as the next power of two says, of which no more
/// than `capacity` are in use at a time.
///
/// # Panics
///
/// If `capacity` is 0, or beyond 2^40 (with pointers of 32 bits 2^30).
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
///
/// let (mut writer, mut reader) = bifrons::pipe::bytes(64);
/// let thread = std::thread::spawn(move || writer.write_all(b"to the end"));
/// let mut text = String::new();
/// reader.read_to_string(&mut text).unwrap();
/// assert_eq!(text, "to the end");
/// thread.join().unwrap().unwrap();
/// ```
#[track_caller]
pub fn bytes(capacity: usize) -> (Writer, Reader) {
    let shared = Arc::new(Shared::new(Bytes::new(capacity)));
    (Writer { half: Half::new(Arc::clone(&shared)) }, Reader { half: Half::new(shared) })
}

fn broken_pipe() -> io::Error {
    io::Error::new(ErrorKind::BrokenPipe, "the pipe is closed: nothing was written")
}

fn timed_out() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "timed out: the other end of the pipe did not move")
}

/// The end of a byte pipe that writes: [`std::io::Write`], `futures_io::AsyncWrite`.
///
/// Written bytes are visible to the reader at once, so flushing is nothing. Closing is the end of
/// the file for the reader.
pub struct Writer {
    pub(super) half: Half<Bytes, WRITER>,
}

impl Writer {
    /// How many bytes may be written now, as far as is known without a look: at least one, or
    /// `None`. An error if an end is closed.
    #[inline]
    fn known_room(&self) -> io::Result<Option<usize>> {
        let over = self.half.is_closed() || self.half.reader_is_gone();
        match self.free() {
            _ if over => Err(broken_pipe()),
            0 if self.half.peer_has_left() => Err(broken_pipe()),
            0 => Ok(None),
            free => Ok(Some(free)),
        }
    }

    /// How many bytes may be written now.
    fn room(&mut self) -> io::Result<Option<usize>> {
        if self.free() == 0 {
            self.half.refresh();
        }
        self.known_room()
    }

    /// As far as the reader's position is known.
    fn free(&self) -> usize {
        self.capacity() - self.half.in_flight() as usize
    }

    /// Copies what fits, if [`Writer::room`] said that something does. An error if the reader has
    /// left meanwhile.
    pub(super) fn copy_in(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.free() < bytes.len() {
            self.half.refresh();
        }
        let count = bytes.len().min(self.free());
        if count == 0 {
            return Ok(0);
        }
        // SAFETY: the reader has freed them, and only this end writes.
        let (front, rest) = unsafe { self.half.shared.buffer.free(self.half.position(), count) };
        let (first, second) = bytes[..count].split_at(front.len());
        front.copy_from_slice(first);
        rest.copy_from_slice(second);
        if self.half.publish(count as u64) { Ok(count) } else { Err(broken_pipe()) }
    }

    /// Waits for room: `false` if there is none by the deadline.
    pub(super) fn wait_until(&mut self, deadline: Option<Instant>) -> io::Result<bool> {
        if self.room()?.is_some()
            || self.half.spin(self.capacity(), deadline)
            || deadline.is_some_and(is_past)
        {
            return self.room().map(|room| room.is_some());
        }
        let result = drive(pin!(poll_fn(|cx| self.poll_room(cx))), deadline);
        self.half.settle();
        match result {
            Some(result) => result.map(|()| true),
            None => Ok(false),
        }
    }

    pub(super) fn poll_room(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.known_room() {
                Ok(None) if self.half.wait_or_sleep(self.capacity(), cx) => return Poll::Pending,
                Ok(None) => {}
                result => {
                    self.half.settle();
                    return Poll::Ready(result.map(|_| ()));
                }
            }
        }
    }

    pub(super) fn poll_copy_in(
        &mut self,
        cx: &Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_room_for(cx, bytes))?;
        Poll::Ready(self.copy_in(bytes))
    }

    /// No bytes need no room.
    fn poll_room_for(&mut self, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<()>> {
        if bytes.is_empty() { Poll::Ready(Ok(())) } else { self.poll_room(cx) }
    }

    /// Writes some of `bytes`, waiting for room for at most `timeout`.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TimedOut`], or [`ErrorKind::BrokenPipe`] if an end is closed; nothing was
    /// written then.
    pub fn write_timeout(&mut self, bytes: &[u8], timeout: Duration) -> io::Result<usize> {
        self.write_until(bytes, deadline_after(timeout))
    }

    /// Writes some of `bytes`, waiting for room until `deadline`. See
    /// [`write_timeout`](Writer::write_timeout).
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// As [`write_timeout`](Writer::write_timeout).
    pub fn write_deadline(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<usize> {
        self.write_until(bytes, Some(deadline))
    }

    pub(super) fn write_until(
        &mut self,
        bytes: &[u8],
        deadline: Option<Instant>,
    ) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        if self.wait_until(deadline)? { self.copy_in(bytes) } else { Err(timed_out()) }
    }

    /// Writes some of `bytes`, waiting for room as a task of any executor.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BrokenPipe`] if an end is closed.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has written nothing.
    pub fn write_async<'a>(&'a mut self, bytes: &'a [u8]) -> WriteFuture<'a> {
        WriteFuture { writer: self, bytes: Some(bytes), _pin: PhantomPinned }
    }

    /// Room for up to `max` bytes, to be filled in place; it may be empty. Never waits.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BrokenPipe`] if an end is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// let (mut writer, mut reader) = bifrons::pipe::bytes(8);
    /// let mut chunk = writer.write_chunk(3).unwrap();
    /// chunk.as_mut_slices().0.copy_from_slice(b"abc");
    /// chunk.commit(2);
    /// let chunk = reader.read_chunk(8);
    /// assert_eq!(chunk.as_slices().0, b"ab");
    /// chunk.commit(2);
    /// ```
    pub fn write_chunk(&mut self, max: usize) -> io::Result<WriteChunk<'_>> {
        if self.free() < max {
            self.half.refresh();
        }
        let len = self.room()?.unwrap_or(0).min(max);
        Ok(WriteChunk::new(self, len))
    }

    /// Closes this end: the reader drains what is left, then meets the end of the file.
    pub fn close(&mut self) {
        self.half.close();
    }

    /// Whether either end is closed: a snapshot.
    pub fn is_closed(&self) -> bool {
        self.half.is_over()
    }

    /// How many bytes the pipe can hold: the capacity it was made with.
    pub fn capacity(&self) -> usize {
        self.half.shared.buffer.capacity()
    }

    /// How many of the two ends are waiting: a snapshot.
    pub fn waiting(&self) -> usize {
        self.half.waiting()
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .field("waiting", &self.waiting())
            .finish()
    }
}

/// The end of a byte pipe that reads: [`std::io::Read`], [`std::io::BufRead`],
/// `futures_io::AsyncRead`, `futures_io::AsyncBufRead`.
pub struct Reader {
    pub(super) half: Half<Bytes, READER>,
}

impl Reader {
    /// How many bytes are known to be there.
    fn known(&self) -> usize {
        self.half.in_flight() as usize
    }

    /// How many bytes may be read now, as far as is known without a look: 0 at the end of the file,
    /// `None` if there are none yet.
    #[inline]
    fn known_filled(&self) -> Option<usize> {
        match self.known() {
            0 if self.half.peer_has_left() || self.half.is_closed() => Some(0),
            0 => None,
            count => Some(count),
        }
    }

    /// How many bytes may be read now.
    fn filled(&mut self) -> Option<usize> {
        if self.known() == 0 {
            self.half.refresh();
        }
        self.known_filled()
    }

    /// Copies what is there.
    pub(super) fn copy_out(&mut self, bytes: &mut [u8]) -> usize {
        if self.known() < bytes.len() {
            self.half.refresh();
        }
        let count = bytes.len().min(self.known());
        let (front, rest) = self.slices(count);
        bytes[..front.len()].copy_from_slice(front);
        bytes[front.len()..count].copy_from_slice(rest);
        self.advance(count);
        count
    }

    pub(super) fn slices(&self, count: usize) -> (&[u8], &[u8]) {
        // SAFETY: the writer has filled them, and they stay until this end moves on, which takes
        // it exclusively.
        unsafe { self.half.shared.buffer.filled(self.half.position(), count) }
    }

    /// The bytes that are there, as far as they lie in one piece.
    pub(super) fn first_piece(&self) -> &[u8] {
        self.slices(self.known()).0
    }

    /// Frees `count` bytes.
    pub(super) fn advance(&mut self, count: usize) {
        if count > 0 {
            self.half.publish(count as u64);
        }
    }

    pub(super) fn consume_checked(&mut self, count: usize) {
        assert!(count <= self.known(), "bifrons: more bytes consumed than there are");
        self.advance(count);
    }

    /// Waits for bytes or the end of the file: `false` if neither has come by the deadline.
    pub(super) fn wait_until(&mut self, deadline: Option<Instant>) -> bool {
        if self.filled().is_some() || self.half.spin(self.capacity(), deadline) {
            return true;
        }
        if deadline.is_some_and(is_past) {
            return self.has_data();
        }
        let ready = drive(pin!(poll_fn(|cx| self.poll_filled(cx))), deadline).is_some();
        self.half.settle();
        ready
    }

    pub(super) fn poll_filled(&mut self, cx: &Context<'_>) -> Poll<()> {
        loop {
            match self.known_filled() {
                None if self.half.wait_or_sleep(self.capacity(), cx) => return Poll::Pending,
                None => {}
                Some(_) => {
                    self.half.settle();
                    return Poll::Ready(());
                }
            }
        }
    }

    pub(super) fn poll_copy_out(&mut self, cx: &Context<'_>, bytes: &mut [u8]) -> Poll<usize> {
        ready!(self.poll_filled_for(cx, bytes));
        Poll::Ready(self.copy_out(bytes))
    }

    /// For no bytes there need be none.
    fn poll_filled_for(&mut self, cx: &Context<'_>, bytes: &[u8]) -> Poll<()> {
        if bytes.is_empty() { Poll::Ready(()) } else { self.poll_filled(cx) }
    }

    /// Reads some bytes, waiting for at most `timeout`; `Ok(0)` at the end of the file.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TimedOut`]; nothing was read then.
    pub fn read_timeout(&mut self, bytes: &mut [u8], timeout: Duration) -> io::Result<usize> {
        self.read_until_deadline(bytes, deadline_after(timeout))
    }

    /// Reads some bytes, waiting until `deadline`; `Ok(0)` at the end of the file.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// As [`read_timeout`](Reader::read_timeout).
    pub fn read_deadline(&mut self, bytes: &mut [u8], deadline: Instant) -> io::Result<usize> {
        self.read_until_deadline(bytes, Some(deadline))
    }

    pub(super) fn read_until_deadline(
        &mut self,
        bytes: &mut [u8],
        deadline: Option<Instant>,
    ) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        if self.wait_until(deadline) { Ok(self.copy_out(bytes)) } else { Err(timed_out()) }
    }

    /// Reads some bytes, waiting as a task of any executor; `Ok(0)` at the end of the file.
    ///
    /// # Errors
    ///
    /// None; the result is that of every read.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has read nothing.
    pub fn read_async<'a>(&'a mut self, bytes: &'a mut [u8]) -> ReadFuture<'a> {
        ReadFuture { reader: self, bytes: Some(bytes), _pin: PhantomPinned }
    }

    /// Up to `max` of the bytes that are there, to be looked at in place; it may be empty. Never
    /// waits.
    pub fn read_chunk(&mut self, max: usize) -> ReadChunk<'_> {
        if self.known() < max {
            self.half.refresh();
        }
        let len = self.known().min(max);
        ReadChunk::new(self, len)
    }

    /// Whether a read would return at once: there are bytes, or the end of the file.
    pub fn has_data(&mut self) -> bool {
        self.filled().is_some()
    }

    /// Waits for bytes or the end of the file, for at most `timeout`; `false` if neither has come.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    pub fn ready_timeout(&mut self, timeout: Duration) -> bool {
        self.wait_until(deadline_after(timeout))
    }

    /// Closes this end: the writer meets a broken pipe. What was written before can still be read.
    pub fn close(&mut self) {
        self.half.close();
    }

    /// Whether either end is closed: a snapshot. There may be bytes left.
    pub fn is_closed(&self) -> bool {
        self.half.is_over()
    }

    /// How many bytes the pipe can hold: the capacity it was made with.
    pub fn capacity(&self) -> usize {
        self.half.shared.buffer.capacity()
    }

    /// How many of the two ends are waiting: a snapshot.
    pub fn waiting(&self) -> usize {
        self.half.waiting()
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .field("waiting", &self.waiting())
            .finish()
    }
}

pin_project! {
    /// The future of [`Writer::write_async`].
    #[must_use = "futures do nothing unless polled"]
    pub struct WriteFuture<'a> {
        writer: &'a mut Writer,
        // `None` after completion.
        bytes: Option<&'a [u8]>,
        #[pin]
        _pin: PhantomPinned,
    }

    impl PinnedDrop for WriteFuture<'_> {
        fn drop(this: Pin<&mut Self>) {
            this.project().writer.half.settle_future();
        }
    }
}

impl Future for WriteFuture<'_> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(bytes) = *this.bytes else { finished("WriteFuture") };
        let Poll::Ready(room) = this.writer.poll_room_for(cx, bytes) else {
            return this.writer.half.tie_to_future();
        };
        // Over, also if the reader's waker panics: the bytes are in the pipe by then.
        *this.bytes = None;
        Poll::Ready(room.and_then(|()| this.writer.copy_in(bytes)))
    }
}

impl FusedFuture for WriteFuture<'_> {
    fn is_terminated(&self) -> bool {
        self.bytes.is_none()
    }
}

impl fmt::Debug for WriteFuture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteFuture").field("writer", &self.writer).finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`Reader::read_async`].
    #[must_use = "futures do nothing unless polled"]
    pub struct ReadFuture<'a> {
        reader: &'a mut Reader,
        // `None` after completion.
        bytes: Option<&'a mut [u8]>,
        #[pin]
        _pin: PhantomPinned,
    }

    impl PinnedDrop for ReadFuture<'_> {
        fn drop(this: Pin<&mut Self>) {
            this.project().reader.half.settle_future();
        }
    }
}

impl Future for ReadFuture<'_> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(bytes) = this.bytes.as_mut() else { finished("ReadFuture") };
        if this.reader.poll_filled_for(cx, bytes).is_pending() {
            return this.reader.half.tie_to_future();
        }
        // Over, also if the writer's waker panics: the bytes have left the pipe by then.
        let bytes = mem::take(bytes);
        *this.bytes = None;
        Poll::Ready(Ok(this.reader.copy_out(bytes)))
    }
}

impl FusedFuture for ReadFuture<'_> {
    fn is_terminated(&self) -> bool {
        self.bytes.is_none()
    }
}

impl fmt::Debug for ReadFuture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadFuture").field("reader", &self.reader).finish_non_exhaustive()
    }
}
