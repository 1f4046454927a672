//! The ends that carry messages.

#![expect(unsafe_code, reason = "moves messages in and out of the slots that are its own")]

use super::buffer::Slots;
use super::half::{Half, READER, Shared, WRITER};
use super::message_future::{RecvFuture, SendFuture};
use crate::error::{
    RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};
use crate::sys::{Arc, deadline_after, is_past};
use crate::wait::drive;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// A pipe for messages, one way, that holds up to `capacity` of them.
///
/// The memory is allocated here, once: for as many messages as the next power of two says, of which
/// no more than `capacity` are in use at a time.
///
/// # Panics
///
/// If `capacity` is 0, or beyond 2^40 (with pointers of 32 bits 2^30).
///
/// # Examples
///
/// ```
/// let (mut sender, mut receiver) = bifrons::pipe::simplex(1);
/// sender.send('a').unwrap();
/// assert!(sender.try_send('b').is_err(), "full");
/// drop(sender);
/// assert_eq!(receiver.recv(), Ok('a'));
/// assert!(receiver.recv().is_err(), "closed and drained");
/// ```
#[track_caller]
pub fn simplex<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared::new(Slots::new(capacity)));
    (Sender { half: Half::new(Arc::clone(&shared)) }, Receiver { half: Half::new(shared) })
}

/// Why a message cannot pass now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Blocked,
    Closed,
}

/// The end of a message pipe that sends.
pub struct Sender<T> {
    pub(super) half: Half<Slots<T>, WRITER>,
}

impl<T> Sender<T> {
    /// Whether a message may be written now, as far as is known without a look. That the receiver
    /// has left may show when it is published.
    #[inline]
    fn known_room(&self) -> Result<(), Refusal> {
        if self.half.knows_the_end() {
            return Err(Refusal::Closed);
        }
        if self.half.in_flight() < self.capacity() as u64 {
            return Ok(());
        }
        let over = self.half.peer_has_left() || self.half.reader_is_gone();
        Err(if over { Refusal::Closed } else { Refusal::Blocked })
    }

    /// Whether a message may be written now.
    #[inline]
    fn room(&mut self) -> Result<(), Refusal> {
        let known = self.known_room();
        if known != Err(Refusal::Blocked) {
            return known;
        }
        self.half.refresh();
        self.known_room()
    }

    /// Writes a message where [`Sender::room`] has found room. It comes back if the receiver has
    /// left meanwhile.
    #[inline(always)]
    pub(super) fn write(&mut self, message: T) -> Result<(), SendError<T>> {
        let position = self.half.position();
        let known = self.capacity() as u64 - self.half.in_flight();
        self.half.shared.buffer.prefetch_to_write(position, known);
        // SAFETY: `room` said so: the reader has freed this slot, and only this end writes.
        unsafe { self.half.shared.buffer.write(position, message) };
        if self.half.publish(1) { Ok(()) } else { Err(self.take_back(position)) }
    }

    #[cold]
    fn take_back(&self, position: u64) -> SendError<T> {
        // SAFETY: the reader left before this slot was published; nobody else reads it, and it is
        // this end's again.
        SendError(unsafe { self.half.shared.buffer.read(position) })
    }

    /// Sends if there is room at once.
    ///
    /// # Errors
    ///
    /// The message comes back: [`TrySendError::Full`] or [`TrySendError::Closed`].
    #[inline]
    pub fn try_send(&mut self, message: T) -> Result<(), TrySendError<T>> {
        match self.room() {
            Ok(()) => self.write(message).map_err(TrySendError::from),
            Err(Refusal::Blocked) => Err(TrySendError::Full(message)),
            Err(Refusal::Closed) => Err(TrySendError::Closed(message)),
        }
    }

    /// Sends, waiting for room as long as it takes.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits: not for a thread that runs tasks.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the message if either end is closed.
    #[inline]
    pub fn send(&mut self, message: T) -> Result<(), SendError<T>> {
        if self.room().is_ok() {
            return self.write(message);
        }
        match self.send_when_there_is_room(message, None) {
            Ok(()) => Ok(()),
            Err(SendTimeoutError::Closed(message)) => Err(SendError(message)),
            Err(SendTimeoutError::TimedOut(_)) => unreachable!("there is no deadline"),
        }
    }

    /// [`send`](Sender::send) for at most `timeout`; zero only tries, and what the clock cannot
    /// represent waits for ever.
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
        message: T,
        timeout: Duration,
    ) -> Result<(), SendTimeoutError<T>> {
        self.send_until(message, deadline_after(timeout))
    }

    /// [`send`](Sender::send) until `deadline`.
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
        message: T,
        deadline: Instant,
    ) -> Result<(), SendTimeoutError<T>> {
        self.send_until(message, Some(deadline))
    }

    #[inline]
    fn send_until(
        &mut self,
        message: T,
        deadline: Option<Instant>,
    ) -> Result<(), SendTimeoutError<T>> {
        if self.room().is_ok() {
            return self.write(message).map_err(SendTimeoutError::from);
        }
        self.send_when_there_is_room(message, deadline)
    }

    #[cold]
    fn send_when_there_is_room(
        &mut self,
        message: T,
        deadline: Option<Instant>,
    ) -> Result<(), SendTimeoutError<T>> {
        if self.known_room() != Err(Refusal::Blocked)
            || self.half.spin(self.capacity(), deadline)
            || deadline.is_some_and(is_past)
        {
            return self.try_send(message).map_err(|error| match error {
                TrySendError::Closed(message) => SendTimeoutError::Closed(message),
                TrySendError::Full(message) => SendTimeoutError::TimedOut(message),
            });
        }
        let mut send = pin!(self.send_async(message));
        match drive(send.as_mut(), deadline) {
            Some(result) => result.map_err(SendTimeoutError::from),
            None => match send.take() {
                Some(message) => Err(SendTimeoutError::TimedOut(message)),
                None => unreachable!("a pending send has its message"),
            },
        }
    }

    /// Sends, waiting for room as a task of any executor.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the message if either end is closed.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has not sent: the message is dropped with it, unless [`SendFuture::take`]
    /// takes it back first.
    #[inline]
    pub fn send_async(&mut self, message: T) -> SendFuture<'_, T> {
        SendFuture::new(self, message)
    }

    /// Waits for room, or for the end of the pipe.
    #[inline]
    pub(super) fn poll_room(&mut self, cx: &Context<'_>) -> Poll<Result<(), Refusal>> {
        loop {
            match self.known_room() {
                Err(Refusal::Blocked) if self.half.wait_or_sleep(self.capacity(), cx) => {
                    return Poll::Pending;
                }
                Err(Refusal::Blocked) => {}
                result => {
                    self.half.settle();
                    return Poll::Ready(result);
                }
            }
        }
    }

    /// [`Sender::poll_room`] for who has no message yet: it looks whether the receiver has left.
    pub(super) fn poll_ready(&mut self, cx: &Context<'_>) -> Poll<Result<(), Refusal>> {
        if self.half.reader_is_gone() {
            self.half.settle();
            return Poll::Ready(Err(Refusal::Closed));
        }
        self.poll_room(cx)
    }

    /// Writes a message for which `poll_ready` has found room.
    pub(super) fn write_polled(&mut self, message: T) -> Result<(), SendError<T>> {
        match self.room() {
            Ok(()) => self.write(message),
            Err(Refusal::Closed) => Err(SendError(message)),
            Err(Refusal::Blocked) => panic!("bifrons: a message without a `poll_ready` before it"),
        }
    }

    /// Closes this end: the receiver drains what is left, then meets the end.
    pub fn close(&mut self) {
        self.half.close();
    }

    /// Whether either end is closed: a snapshot.
    pub fn is_closed(&self) -> bool {
        self.half.is_over()
    }

    /// How many messages the pipe can hold: the capacity it was made with.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.half.shared.buffer.capacity()
    }

    /// How many of the two ends are waiting: a snapshot.
    pub fn waiting(&self) -> usize {
        self.half.waiting()
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .field("waiting", &self.waiting())
            .finish()
    }
}

/// The end of a message pipe that receives.
pub struct Receiver<T> {
    pub(super) half: Half<Slots<T>, READER>,
}

impl<T> Receiver<T> {
    /// Whether a message may be read now, as far as is known without a look.
    #[inline]
    fn known_filled(&self) -> Result<(), Refusal> {
        if self.half.in_flight() > 0 {
            return Ok(());
        }
        let over = self.half.peer_has_left() || self.half.is_closed();
        Err(if over { Refusal::Closed } else { Refusal::Blocked })
    }

    /// Whether a message may be read now.
    #[inline]
    fn filled(&mut self) -> Result<(), Refusal> {
        if self.half.in_flight() > 0 {
            return Ok(());
        }
        self.half.refresh();
        self.known_filled()
    }

    /// Reads a message that [`Receiver::filled`] has found.
    #[inline]
    fn read(&mut self) -> T {
        let position = self.half.position();
        self.half.shared.buffer.prefetch_to_read(position, self.half.in_flight());
        // SAFETY: `filled` said so: the writer has filled this slot, and it is read once, for the
        // position moves on.
        let message = unsafe { self.half.shared.buffer.read(position) };
        self.half.publish(1);
        message
    }

    /// Receives if there is a message at once.
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Empty`], or [`TryRecvError::Closed`] if no message will ever come.
    #[inline]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        match self.filled() {
            Ok(()) => Ok(self.read()),
            Err(Refusal::Blocked) => Err(TryRecvError::Empty),
            Err(Refusal::Closed) => Err(TryRecvError::Closed),
        }
    }

    /// Receives, waiting for a message as long as it takes.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits: not for a thread that runs tasks.
    ///
    /// # Errors
    ///
    /// [`RecvError`] if the pipe is closed and drained.
    #[inline]
    pub fn recv(&mut self) -> Result<T, RecvError> {
        if self.filled().is_ok() {
            return Ok(self.read());
        }
        match self.recv_when_filled(None) {
            Ok(message) => Ok(message),
            Err(RecvTimeoutError::Closed) => Err(RecvError),
            Err(RecvTimeoutError::TimedOut) => unreachable!("there is no deadline"),
        }
    }

    /// [`recv`](Receiver::recv) for at most `timeout`; zero only tries, and what the clock cannot
    /// represent waits for ever.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError::TimedOut`], or [`RecvTimeoutError::Closed`] if no message will ever
    /// come.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.recv_until(deadline_after(timeout))
    }

    /// [`recv`](Receiver::recv) until `deadline`.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError::TimedOut`], or [`RecvTimeoutError::Closed`] if no message will ever
    /// come.
    pub fn recv_deadline(&mut self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.recv_until(Some(deadline))
    }

    #[inline]
    fn recv_until(&mut self, deadline: Option<Instant>) -> Result<T, RecvTimeoutError> {
        if self.filled().is_ok() {
            return Ok(self.read());
        }
        self.recv_when_filled(deadline)
    }

    #[cold]
    fn recv_when_filled(&mut self, deadline: Option<Instant>) -> Result<T, RecvTimeoutError> {
        if self.known_filled() == Err(Refusal::Blocked) && !self.wait_until(deadline) {
            return Err(RecvTimeoutError::TimedOut);
        }
        self.try_recv().map_err(|error| match error {
            TryRecvError::Closed => RecvTimeoutError::Closed,
            TryRecvError::Empty => unreachable!("only this end takes messages"),
        })
    }

    /// Receives, waiting for a message as a task of any executor.
    ///
    /// # Errors
    ///
    /// [`RecvError`] if the pipe is closed and drained.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no message.
    #[inline]
    pub fn recv_async(&mut self) -> RecvFuture<'_, T> {
        RecvFuture::new(self)
    }

    /// Waits for a message, or for the end of the pipe.
    #[inline]
    pub(super) fn poll_recv(&mut self, cx: &Context<'_>) -> Poll<Result<T, RecvError>> {
        self.poll_filled(cx).map(|filled| match filled {
            Ok(()) => Ok(self.read()),
            Err(_) => Err(RecvError),
        })
    }

    #[inline]
    fn poll_filled(&mut self, cx: &Context<'_>) -> Poll<Result<(), Refusal>> {
        loop {
            match self.known_filled() {
                Err(Refusal::Blocked) if self.half.wait_or_sleep(self.capacity(), cx) => {
                    return Poll::Pending;
                }
                Err(Refusal::Blocked) => {}
                result => {
                    self.half.settle();
                    return Poll::Ready(result);
                }
            }
        }
    }

    /// The next message, left in the pipe; `None` if there is none now.
    pub fn peek(&mut self) -> Option<&T> {
        self.filled().ok()?;
        // SAFETY: `filled` said so; the message stays as long as this end is borrowed.
        Some(unsafe { self.half.shared.buffer.peek(self.half.position()) })
    }

    /// Whether [`try_recv`](Receiver::try_recv) would return something other than `Empty`: there is
    /// a message, or the end of the pipe.
    pub fn has_data(&mut self) -> bool {
        self.filled() != Err(Refusal::Blocked)
    }

    /// Waits for a message or the end of the pipe, which it leaves there, for at most `timeout`;
    /// `false` if neither has come.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits: not for a thread that runs tasks.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (sender, mut receiver) = bifrons::pipe::simplex::<u8>(1);
    /// assert!(!receiver.ready_timeout(Duration::from_millis(1)));
    /// drop(sender);
    /// assert!(receiver.ready_timeout(Duration::ZERO), "the end of the pipe");
    /// ```
    pub fn ready_timeout(&mut self, timeout: Duration) -> bool {
        self.ready_until(deadline_after(timeout))
    }

    fn ready_until(&mut self, deadline: Option<Instant>) -> bool {
        self.filled() != Err(Refusal::Blocked) || self.wait_until(deadline)
    }

    /// Whether the pipe is no longer blocked by the deadline.
    fn wait_until(&mut self, deadline: Option<Instant>) -> bool {
        if self.half.spin(self.capacity(), deadline) {
            return true;
        }
        if deadline.is_some_and(is_past) {
            return self.has_data();
        }
        let ready = drive(pin!(poll_fn(|cx| self.poll_filled(cx))), deadline).is_some();
        self.half.settle();
        ready
    }

    /// Closes this end: the sender gets its messages back from now on. What was sent before can
    /// still be received; nothing is lost in between.
    pub fn close(&mut self) {
        self.half.close();
    }

    /// Whether either end is closed: a snapshot. There may be messages left.
    pub fn is_closed(&self) -> bool {
        self.half.is_over()
    }

    /// How many messages the pipe can hold: the capacity it was made with.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.half.shared.buffer.capacity()
    }

    /// How many of the two ends are waiting: a snapshot.
    pub fn waiting(&self) -> usize {
        self.half.waiting()
    }
}

/// What nobody will receive is dropped with the receiver, and does not wait for the sender to go: it
/// may be what the sender waits for.
impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut rest = Rest(self);
        rest.0.half.close();
        rest.drop_messages();
    }
}

/// The messages left at a receiver's end. If the drop of one panics, or a waker does, the others are
/// dropped all the same.
struct Rest<'a, T>(&'a mut Receiver<T>);

impl<T> Rest<'_, T> {
    fn drop_messages(&mut self) {
        let most = self.0.capacity() as u64;
        // More than there can be are none: while loom reports a failure, words may read as 0.
        while (1..=most).contains(&self.0.half.in_flight()) {
            drop(self.0.read());
        }
    }
}

impl<T> Drop for Rest<'_, T> {
    fn drop(&mut self) {
        self.drop_messages();
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .field("waiting", &self.waiting())
            .finish()
    }
}
