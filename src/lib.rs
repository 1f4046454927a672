//! Concurrency primitives with two faces: every type has a *blocking* face for threads and an
//! *async* face for tasks of any executor, on one object. A thread and a task contend for one
//! lock, wait for one event, pass items through one queue.
//!
//! ```
//! use bifrons::Lock;
//! use std::sync::Arc;
//!
//! let hits = Arc::new(Lock::new(0));
//! let other = Arc::clone(&hits);
//! let thread = std::thread::spawn(move || *other.lock() += 1);
//! futures::executor::block_on(async { *hits.lock_async().await += 1 });
//! thread.join().unwrap();
//! assert_eq!(*hits.lock(), 2);
//! ```
//!
//! No runtime is in the dependency tree, and none is needed: tokio, smol, `futures::executor`, plain
//! threads, and all of them at once. Nothing is allocated per wait.
//!
//! # Which type when
//!
//! | you want | take |
//! |---|---|
//! | one at a time to a value | [`Lock`] |
//! | at most *n* at a time; a budget that can be split, resized, taken in lots | [`Semaphore`] |
//! | everybody to wait until something has happened | [`Event`] |
//! | to wait until a value under a lock has changed | [`Condition`] |
//! | to pass items on, with back-pressure | [`BoundedQueue`] |
//! | a thread to wait for any of these, or for several | [`block_on`] with `select!` |
//!
//! # Faces
//!
//! One rule for every waiting operation `x`:
//!
//! | form | returns | meaning |
//! |---|---|---|
//! | `try_x(..)` | `Option`, or a `Try…Error` | never waits for an event |
//! | `x(..)` | the result | blocks this thread |
//! | `x_timeout(.., Duration)` | [`TimedOut`], or a `…TimeoutError` | an overflowing duration waits for ever; zero tries |
//! | `x_deadline(.., Instant)` | the same | what is available beats a deadline that has passed |
//! | `x_async(..)` | a named future | lazy; dropping it withdraws the wait and passes on what it was given; polling it after completion panics |
//!
//! Owned forms (`lock_owned`, `acquire_many_owned_async`, …) take an `Arc` and return what borrows
//! nothing. The blocking face never panics because a runtime is present; but a thread that it parks
//! polls no tasks meanwhile.
//!
//! # Cancel safety
//!
//! What dropping a future keeps, loses and passes on. Timing out is the same thing: the timed
//! faces drop the same futures. The last column names the test in `tests/cancel.rs`.
//!
//! | future | dropped while waiting | dropped when woken | test |
//! |---|---|---|---|
//! | [`Lock::lock_async`] | loses its place | the next waiter is woken | CANCEL_LOCK |
//!
//! # Loom
//!
//! All of this works inside your own `loom::model`, with no other switch than
//! `RUSTFLAGS="--cfg loom"`. Then `new` is not `const` and must be called inside the model, and a
//! timeout expires at any moment after a yield. Outside a model the types do not work under that
//! cfg: a loud failure is better than a primitive that the checker cannot see.
//!
//! # Memory allocators
//!
//! The list lock is parking_lot's, which allocates when a thread parks for the first time: do not
//! use these types inside a global allocator.
//!
//! # Features
//!
//! There are none to choose.

#![deny(missing_docs, unsafe_code)]
#![deny(clippy::disallowed_methods)]
#![cfg_attr(loom, deny(clippy::disallowed_types))]

mod condition;
pub mod error;
mod event;
mod lock;
mod queue;
mod semaphore;
mod sys;
mod wait;

pub use condition::{Condition, ConditionFuture, ConditionGuard, ConditionWhileFuture};
pub use error::{
    PopError, PopTimeoutError, PushError, PushTimeoutError, ReleaseError, TimedOut, TryPopError,
    TryPushError,
};
pub use event::{Event, EventFuture};
pub use lock::{Lock, LockFuture, LockGuard, MappedLockGuard, OwnedLockFuture, OwnedLockGuard};
pub use queue::{
    BoundedQueue, Drain, Iter, PopFuture, PopManyFuture, PopStream, PushFuture, PushManyFuture,
    PushSink, ReserveFuture, Slot, TryIter,
};
pub use semaphore::{AcquireFuture, OwnedAcquireFuture, OwnedPermit, Permit, Semaphore};
pub use wait::{block_on, block_on_deadline, block_on_timeout};
