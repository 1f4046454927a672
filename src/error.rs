//! What a wait can end with, other than what it waited for.
//!
//! Where an item was rejected, the error carries it. All of them implement
//! [`std::error::Error`], also for items that are not `Debug`.

use std::error::Error;
use std::fmt;

/// The time ran out before what was waited for was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timed out: what was waited for did not come in time; try again or give up")
    }
}

impl Error for TimedOut {}

/// A bounded semaphore was given more permits than its bound allows. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReleaseError;

impl fmt::Display for ReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the release would exceed the semaphore's bound; nothing was released: \
             release only what was forgotten, or raise the bound with `resize`",
        )
    }
}

impl Error for ReleaseError {}

/// The queue is closed, and this is the item that was not pushed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PushError<T>(pub T);

/// Why an item was not pushed at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum TryPushError<T> {
    /// There is no room now.
    Full(T),
    /// The queue is closed for ever.
    Closed(T),
}

/// Why an item was not pushed in time.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum PushTimeoutError<T> {
    /// There was no room in time.
    TimedOut(T),
    /// The queue is closed for ever.
    Closed(T),
}

/// The queue is closed and drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PopError;

/// Why no item was popped at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TryPopError {
    /// There is no item now.
    Empty,
    /// The queue is closed and drained.
    Closed,
}

/// Why no item was popped in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PopTimeoutError {
    /// There was no item in time.
    TimedOut,
    /// The queue is closed and drained.
    Closed,
}

const PUSH_CLOSED: &str = "the queue is closed: the item was not pushed and is in the error";
const PUSH_FULL: &str = "the queue is full: the item was not pushed and is in the error; \
                         wait with `push`, or replace the oldest with `force_push`";
const PUSH_TIMED_OUT: &str =
    "timed out: the queue stayed full; the item was not pushed and is in the error";
const POP_CLOSED: &str = "the queue is closed and drained: no item will ever come";
const POP_EMPTY: &str = "the queue is empty: wait with `pop`, or try again later";
const POP_TIMED_OUT: &str = "timed out: the queue stayed empty; try again or give up";

impl<T> PushError<T> {
    /// The rejected item.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> TryPushError<T> {
    /// The rejected item.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(item) | Self::Closed(item) => item,
        }
    }

    /// Whether the queue was full, and may have room later.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    /// Whether the queue is closed for ever.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }
}

impl<T> PushTimeoutError<T> {
    /// The rejected item.
    pub fn into_inner(self) -> T {
        match self {
            Self::TimedOut(item) | Self::Closed(item) => item,
        }
    }

    /// Whether the time ran out.
    pub fn is_timed_out(&self) -> bool {
        matches!(self, Self::TimedOut(_))
    }

    /// Whether the queue is closed for ever.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }
}

impl TryPopError {
    /// Whether the queue was empty, and may have an item later.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Whether the queue is closed and drained.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
}

impl PopTimeoutError {
    /// Whether the time ran out.
    pub fn is_timed_out(&self) -> bool {
        matches!(self, Self::TimedOut)
    }

    /// Whether the queue is closed and drained.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
}

impl<T> fmt::Debug for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PushError(..)")
    }
}

impl<T> fmt::Display for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PUSH_CLOSED)
    }
}

impl<T> Error for PushError<T> {}

impl<T> fmt::Debug for TryPushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Closed(_) => "Closed(..)",
        })
    }
}

impl<T> fmt::Display for TryPushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => PUSH_FULL,
            Self::Closed(_) => PUSH_CLOSED,
        })
    }
}

impl<T> Error for TryPushError<T> {}

impl<T> fmt::Debug for PushTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut(_) => "TimedOut(..)",
            Self::Closed(_) => "Closed(..)",
        })
    }
}

impl<T> fmt::Display for PushTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut(_) => PUSH_TIMED_OUT,
            Self::Closed(_) => PUSH_CLOSED,
        })
    }
}

impl<T> Error for PushTimeoutError<T> {}

impl fmt::Display for PopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(POP_CLOSED)
    }
}

impl Error for PopError {}

impl fmt::Display for TryPopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => POP_EMPTY,
            Self::Closed => POP_CLOSED,
        })
    }
}

impl Error for TryPopError {}

impl fmt::Display for PopTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => POP_TIMED_OUT,
            Self::Closed => POP_CLOSED,
        })
    }
}

impl Error for PopTimeoutError {}

impl<T> From<PushError<T>> for TryPushError<T> {
    fn from(PushError(item): PushError<T>) -> Self {
        Self::Closed(item)
    }
}

impl<T> From<PushError<T>> for PushTimeoutError<T> {
    fn from(PushError(item): PushError<T>) -> Self {
        Self::Closed(item)
    }
}

impl From<PopError> for TryPopError {
    fn from(_: PopError) -> Self {
        Self::Closed
    }
}

impl From<PopError> for PopTimeoutError {
    fn from(_: PopError) -> Self {
        Self::Closed
    }
}

impl From<TimedOut> for PopTimeoutError {
    fn from(_: TimedOut) -> Self {
        Self::TimedOut
    }
}
