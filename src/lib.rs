//! bifrons
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
