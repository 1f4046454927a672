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
//! threads, and all of them at once. Nothing is allocated per wait, but for a parker at each thread's
//! first one, and at each in a thread whose thread-locals are being destroyed.
//!
//! # Which type when
//!
//! | you want | take |
//! |---|---|
//! | one at a time to a value | [`Lock`] |
//! | the same, for code that calls itself while it holds the lock | [`ReentrantLock`] |
//! | at most *n* at a time; a budget that can be split, resized, taken in lots | [`Semaphore`] |
//! | everybody to wait until something has happened | [`Event`] |
//! | to wait until a value under a lock has changed | [`Condition`] |
//! | to pass items on, from many to many, with back-pressure | [`BoundedQueue`] |
//! | a connection between two: messages or bytes, one way or both | [`pipe`] |
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
//! Waits have no `try` form: an [`Event`] has [`is_set`](Event::is_set), and the timed waits of a
//! [`Condition`] return the guard and a flag: whether they were notified, or for a `wait_while` whether
//! the predicate let go.
//! [`push_many`](BoundedQueue::push_many) has only `x` and `x_async`, and
//! [`ready_timeout`](pipe::Receiver::ready_timeout) of a pipe is the only form of its kind. The
//! timed forms of a byte pipe return [`std::io::Error`]. Owned forms (`lock_owned`,
//! `acquire_many_owned_async`, …) take an `Arc` and return what borrows nothing. The blocking face
//! never panics because a runtime is present; but a thread that it parks polls no tasks meanwhile.
//!
//! # Spinning
//!
//! A thread that has to wait looks again for a few microseconds, and gives its CPU away a few times,
//! before it parks. Where others keep the CPU busy, giving it away costs a whole slice, about 1 ms; a
//! thread that waits for an [`Event`], a [`Condition`], a queue or a pipe soon learns that, and so does
//! one that waits for a [`Semaphore`] whose permits are [forgotten](Permit::forget) one after the other,
//! for they are signals. From then on it leaves that out, in most of its waits of any kind. By waits for
//! a [`Lock`], for permits that come back, or in a [`block_on`] it does not learn it, for there the
//! slice may go to whoever will unlock. A deadline that passes meanwhile is the end of it.
//!
//! A future that finds what it wants is ready at once, however often: there is no budget after which a
//! task gives way. A task that hardly ever waits should yield to its executor now and then.
//!
//! # Cancel safety
//!
//! What dropping a future keeps, loses and passes on. A timed face that runs out of time ends its
//! wait to the same effect; but a push or a pop that was done for the thread by then counts as in
//! time, and returns `Ok`. A future that has never been polled is not waiting. Each row is a module
//! of `tests/cancel.rs`, but for those of the reentrant lock (`tests/reentrant.rs`) and of the pipes
//! (`tests/pipe/cancel.rs`), which name their tests.
//!
//! | future | dropped while waiting | dropped when its turn has come | tests |
//! |---|---|---|---|
//! | [`Lock::lock_async`], [`lock_owned_async`](Lock::lock_owned_async) | loses its place | the next waiter is woken; handed over by [`unlock_fair`](LockGuard::unlock_fair): handed on | `lock`, `lock_owned`, `lock_handed_over` |
//! | [`Semaphore::acquire_async`], [`acquire_many_async`](Semaphore::acquire_many_async), owned | loses its place; who it held up is let through | its permits are returned | `acquire`, `acquire_owned` |
//! | [`Event::wait_async`] | nothing | nothing | `event` |
//! | [`Condition::wait_async`] | holds nothing: the guard was given up at the first poll | `notify_one`, `notify`: another waiter is notified, also if it was taking the lock again; `notify_all`: nothing | `condition`, `condition_owned` |
//! | [`Condition::wait_while_async`] | the same | the same | `condition_while`, `condition_while_owned` |
//! | [`BoundedQueue::push_async`] | has not pushed; the item is dropped, unless [`PushFuture::take`] takes it back | the room goes to the next | `push` |
//! | [`BoundedQueue::pop_async`] | has taken nothing | the item stays, the next is woken | `pop` |
//! | [`BoundedQueue::reserve_async`] | nothing | the room goes to the next | `reserve` |
//! | [`BoundedQueue::push_many_async`] | what was pushed stays pushed; no item is in hand | the room goes to the next | `push_many` |
//! | [`BoundedQueue::pop_many_async`] | has taken nothing | the items stay, the next is woken | `pop_many` |
//! | [`BoundedQueue::stream`] | has taken nothing | the item stays, the next is woken | `stream` |
//! | [`BoundedQueue::sink`] | room that was promised is given back | the room goes to the next | `sink` |
//! | [`ReentrantLock::lock_async`], [`lock_async_scoped`](ReentrantLock::lock_async_scoped) | loses its place | the next waiter is woken | `a_dropped_future_leaves_the_queue`, `a_future_dropped_when_notified_passes_it_on` |
//! | [`OwnerScope`] | the future inside is dropped with the owner current | the same | `a_dropped_scope_releases_what_it_held` |
//! | [`Sender::send_async`](pipe::Sender::send_async) | has not sent; the message is dropped, unless [`SendFuture::take`](pipe::SendFuture::take) takes it back | the same | `dropping_a_wait_withdraws_it`, `take_gives_the_message_back_at_every_point` |
//! | [`Receiver::recv_async`](pipe::Receiver::recv_async) | has taken nothing | the message stays | `dropping_a_wait_that_was_woken_loses_nothing` |
//! | [`Writer::write_async`](pipe::Writer::write_async), [`Reader::read_async`](pipe::Reader::read_async) | has moved nothing | has moved nothing | `a_dropped_read_or_write_has_moved_nothing` |
//!
//! # Loom
//!
//! All of this works inside your own `loom::model`, with no other switch than
//! `RUSTFLAGS="--cfg loom"`. Then `new` is not `const` and must be called inside the model, and a
//! timeout may expire at any moment; from a thread's third timed sleep on (a timed lock has two) it
//! yields first, so that loops of timed waits end. Outside a model the types do not work under that
//! cfg: a loud failure is better than a primitive that the checker cannot see. Set
//! `LOOM_MAX_PREEMPTIONS` to 3, or to 2 where there are three threads: without a bound, all but the
//! smallest models take very long.
//!
//! loom's own limits remain. Where a thread looks at a word before it changes it, loom may try one
//! outcome only of another thread's look beside that change, such as
//! [`try_pop`](BoundedQueue::try_pop), a pipe's `has_data` or [`ReentrantLock::depth`]: call
//! `loom::thread::yield_now()` before a look of which both outcomes matter. An [`Event`] and a
//! [`Semaphore`] do not need it, nor does a [`Lock`] but for [`is_locked`](Lock::is_locked). And of a
//! future that wakes itself it tries one outcome only: in [`block_on_timeout`] its third poll is the last
//! one.
//!
//! Share by `std::sync::Arc`: a `loom::sync::Arc` that is alive when loom reports a deadlock, also one
//! in a queue, aborts the process. Do not catch panics inside a model: what a thread lets go of while it
//! unwinds poisons what loom keeps of it. Make statics by `loom::lazy_static!`. Of several panics in a
//! row the first one is the report.
//!
//! # Panics
//!
//! One object has at most 2^24 − 1 registered waiters, a [`BoundedQueue`] as many on each side; one
//! more panics when it registers. Other panics stand with their types and methods.
//!
//! # Memory allocators
//!
//! A thread's first wait allocates its parker, and the list lock is parking_lot's, which may allocate
//! when a thread sleeps for the first time: do not use these types inside a global allocator.
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
pub mod pipe;
mod queue;
mod reentrant;
mod semaphore;
mod sys;
mod wait;

pub use condition::{
    AsyncConditionGuard, Condition, ConditionFuture, ConditionGuard, ConditionWhileFuture,
};
pub use error::{
    PopError, PopTimeoutError, PushError, PushTimeoutError, RecvError, RecvTimeoutError,
    ReleaseError, SendError, SendTimeoutError, TimedOut, TryPopError, TryPushError, TryRecvError,
    TrySendError,
};
pub use event::{Event, EventFuture};
pub use lock::{Lock, LockFuture, LockGuard, MappedLockGuard, OwnedLockFuture, OwnedLockGuard};
pub use queue::{
    BoundedQueue, Drain, Iter, PopFuture, PopManyFuture, PopStream, PushFuture, PushManyFuture,
    PushSink, ReserveFuture, Slot, TryIter,
};
pub use reentrant::{
    Owner, OwnerGuard, OwnerScope, ReentrantLock, ReentrantLockFuture, ReentrantLockGuard,
};
pub use semaphore::{AcquireFuture, OwnedAcquireFuture, OwnedPermit, Permit, Semaphore};
pub use wait::{block_on, block_on_deadline, block_on_timeout};

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
