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

/// A semaphore was given more permits than its bound allows, or more than
/// [`MAX_PERMITS`](crate::Semaphore::MAX_PERMITS). Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReleaseError;

impl fmt::Display for ReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the release would exceed the semaphore's bound or the greatest number of permits; \
             nothing was released: release only what was forgotten, or raise the bound with `resize`",
        )
    }
}

impl Error for ReleaseError {}

/// The three errors of a rejected item, and the three of an item that did not come.
macro_rules! errors {
    (
        $thing:literal, $item:literal, $did:literal;
        $into:ident, $try_into:ident, $into_timeout:ident;
        $from:ident, $try_from:ident, $from_timeout:ident;
        closed: $into_closed:expr, full: $into_full:expr, timed out: $into_timed_out:expr;
        closed: $from_closed:expr, empty: $from_empty:expr, timed out: $from_timed_out:expr;
    ) => {
        #[doc = concat!("The ", $thing, " is closed, and this is the ", $item, " that was not ", $did, ".")]
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $into<T>(pub T);

        #[doc = concat!("Why the ", $item, " was not ", $did, " at once.")]
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $try_into<T> {
            /// There is no room now.
            Full(T),
            #[doc = concat!("The ", $thing, " is closed for ever.")]
            Closed(T),
        }

        #[doc = concat!("Why the ", $item, " was not ", $did, " in time.")]
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $into_timeout<T> {
            /// There was no room in time.
            TimedOut(T),
            #[doc = concat!("The ", $thing, " is closed for ever.")]
            Closed(T),
        }

        #[doc = concat!("The ", $thing, " is closed and drained.")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $from;

        #[doc = concat!("Why there was no ", $item, " at once.")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $try_from {
            #[doc = concat!("There is no ", $item, " now.")]
            Empty,
            #[doc = concat!("The ", $thing, " is closed and drained.")]
            Closed,
        }

        #[doc = concat!("Why there was no ", $item, " in time.")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $from_timeout {
            #[doc = concat!("There was no ", $item, " in time.")]
            TimedOut,
            #[doc = concat!("The ", $thing, " is closed and drained.")]
            Closed,
        }

        impl<T> $into<T> {
            #[doc = concat!("The rejected ", $item, ".")]
            pub fn into_inner(self) -> T {
                self.0
            }
        }

        impl<T> $try_into<T> {
            #[doc = concat!("The rejected ", $item, ".")]
            pub fn into_inner(self) -> T {
                match self {
                    Self::Full(item) | Self::Closed(item) => item,
                }
            }

            /// Whether there was no room, and may be later.
            pub fn is_full(&self) -> bool {
                matches!(self, Self::Full(_))
            }

            #[doc = concat!("Whether the ", $thing, " is closed for ever.")]
            pub fn is_closed(&self) -> bool {
                matches!(self, Self::Closed(_))
            }
        }

        impl<T> $into_timeout<T> {
            #[doc = concat!("The rejected ", $item, ".")]
            pub fn into_inner(self) -> T {
                match self {
                    Self::TimedOut(item) | Self::Closed(item) => item,
                }
            }

            /// Whether the time ran out.
            pub fn is_timed_out(&self) -> bool {
                matches!(self, Self::TimedOut(_))
            }

            #[doc = concat!("Whether the ", $thing, " is closed for ever.")]
            pub fn is_closed(&self) -> bool {
                matches!(self, Self::Closed(_))
            }
        }

        impl $try_from {
            #[doc = concat!("Whether there was no ", $item, ", and may be later.")]
            pub fn is_empty(&self) -> bool {
                matches!(self, Self::Empty)
            }

            #[doc = concat!("Whether the ", $thing, " is closed and drained.")]
            pub fn is_closed(&self) -> bool {
                matches!(self, Self::Closed)
            }
        }

        impl $from_timeout {
            /// Whether the time ran out.
            pub fn is_timed_out(&self) -> bool {
                matches!(self, Self::TimedOut)
            }

            #[doc = concat!("Whether the ", $thing, " is closed and drained.")]
            pub fn is_closed(&self) -> bool {
                matches!(self, Self::Closed)
            }
        }

        impl<T> fmt::Debug for $into<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($into), "(..)"))
            }
        }

        impl<T> fmt::Debug for $try_into<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    Self::Full(_) => "Full(..)",
                    Self::Closed(_) => "Closed(..)",
                })
            }
        }

        impl<T> fmt::Debug for $into_timeout<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    Self::TimedOut(_) => "TimedOut(..)",
                    Self::Closed(_) => "Closed(..)",
                })
            }
        }

        impl<T> fmt::Display for $into<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($into_closed)
            }
        }

        impl<T> fmt::Display for $try_into<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    Self::Full(_) => $into_full,
                    Self::Closed(_) => $into_closed,
                })
            }
        }

        impl<T> fmt::Display for $into_timeout<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    Self::TimedOut(_) => $into_timed_out,
                    Self::Closed(_) => $into_closed,
                })
            }
        }

        impl fmt::Display for $from {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($from_closed)
            }
        }

        impl fmt::Display for $try_from {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    Self::Empty => $from_empty,
                    Self::Closed => $from_closed,
                })
            }
        }

        impl fmt::Display for $from_timeout {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    Self::TimedOut => $from_timed_out,
                    Self::Closed => $from_closed,
                })
            }
        }

        impl<T> Error for $into<T> {}
        impl<T> Error for $try_into<T> {}
        impl<T> Error for $into_timeout<T> {}
        impl Error for $from {}
        impl Error for $try_from {}
        impl Error for $from_timeout {}

        impl<T> From<$into<T>> for $try_into<T> {
            fn from($into(item): $into<T>) -> Self {
                Self::Closed(item)
            }
        }

        impl<T> From<$into<T>> for $into_timeout<T> {
            fn from($into(item): $into<T>) -> Self {
                Self::Closed(item)
            }
        }

        impl From<$from> for $try_from {
            fn from(_: $from) -> Self {
                Self::Closed
            }
        }

        impl From<$from> for $from_timeout {
            fn from(_: $from) -> Self {
                Self::Closed
            }
        }

        impl From<TimedOut> for $from_timeout {
            fn from(_: TimedOut) -> Self {
                Self::TimedOut
            }
        }
    };
}

errors! {
    "queue", "item", "pushed";
    PushError, TryPushError, PushTimeoutError;
    PopError, TryPopError, PopTimeoutError;
    closed: "the queue is closed: it takes no item any more",
    full: "the queue is full: wait for room, or replace the oldest item with `force_push`",
    timed out: "timed out: the queue stayed full; try again or give up";
    closed: "the queue is closed and drained: no item will ever come",
    empty: "the queue is empty: wait with `pop`, or try again later",
    timed out: "timed out: the queue stayed empty; try again or give up";
}

errors! {
    "pipe", "message", "sent";
    SendError, TrySendError, SendTimeoutError;
    RecvError, TryRecvError, RecvTimeoutError;
    closed: "the pipe is closed: it takes no message any more",
    full: "the pipe is full: wait with `send`, or try again later",
    timed out: "timed out: the pipe stayed full; try again or give up";
    closed: "the pipe is closed and drained: no message will ever come",
    empty: "the pipe is empty: wait with `recv`, or try again later",
    timed out: "timed out: the pipe stayed empty; try again or give up";
}
