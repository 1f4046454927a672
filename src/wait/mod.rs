//! Waiting: how an operation sleeps, is woken, and gives up.
//!
//! Every primitive waits in the same way. An operation is a future that tries, else queues a node
//! in the primitive's list; its `Drop` is the only cancellation; [`drive()`] turns it into the
//! blocking and the timed face, for a thread is a task whose waker unparks it. Timing out is
//! cancelling.
//!
//! ```text
//!   primitive:  word (atomics)          list lock ── guards ──► list, primitive's own state
//!                                                                 │
//!   futures, pinned:                    [Node] ⇄ [Node] ⇄ [Node] ◄┘   waker, arg, state
//! ```
//!
//! | file | has |
//! |---|---|
//! | [`list`] | the node and the list: all pointers of the crate |
//! | [`queue`] | list, list lock and word in one struct; registering, refreshing, withdrawing |
//! | [`batch`] | wakers on their way from the lock to the call |
//! | [`epoch`] | who came before a notification of many, and who later |
//! | [`parker`] | one thread's sleep |
//! | [`mod@drive`] | the driver |
//!
//! # States of a node
//!
//! ```text
//!              insert                       pop(Notified)
//!     Idle ──────────────► Queued ───────────────────────────► Notified
//!      ▲  ▲                 │   ╲                                │   │
//!      │  └─────────────────┘    ╲ pop(Granted)                  │   │ insert (front):
//!      │      withdraw            ▼                              │   └──► Queued again
//!      └───────────────────── Granted ◄── (used, or passed on) ──┘
//! ```
//!
//! | state | meaning | entered by | left by |
//! |---|---|---|---|
//! | `Idle` | in no list, owed nothing | the future | the future, queueing |
//! | `Queued` | linked; the waker is stored | the future, under the list lock | the notifier (`pop`) or the future (`withdraw`), under the list lock |
//! | `Notified` | try again; the notification is for one | the notifier | the future: it succeeds, queues again, or passes it on |
//! | `Granted` | what was waited for is yours | the notifier | the future: it returns it, or passes it on |
//!
//! What a notification is worth differs by primitive, on purpose: the lock and the queue notify
//! (wake, then compete), the semaphore and the event grant, the condition notifies for one and
//! grants for all. A node carries permission, never an item: nothing of the user's is in a future
//! that may die, but what it was given itself. (A thread that pushes or pops cannot die in its wait:
//! who wakes it may move the item, and grants; see `queue::blocking`.)
//!
//! # Invariants
//!
//! * **I1** Whatever in a primitive's word says "there are waiters" is changed under the list lock
//!   only, in the section that makes it so.
//! * **I2** A node is linked, and has a waker, exactly while it is `Queued`; links and waker are
//!   touched under the list lock only. The argument is written by the future alone, when it makes the
//!   node and when it queues it.
//! * **I3** Storing `Notified` or `Granted` (Release) is the notifier's last access to a node. The
//!   future may free it after an Acquire load that is not `Queued`.
//! * **I4** Every decision to sleep is a read-modify-write on the primitive's word, made under the
//!   list lock. Who changes the word later sees that there is a waiter; who changed it before is
//!   seen. There is no second word, hence no fence and no `SeqCst`. Who queues behind others leaves
//!   the read-modify-write out: the flag that it would set is there, and stays as long as the list
//!   lock is held (I1), so whoever changes the word wakes somebody, and each wake-up is followed by
//!   the next. (The queue has one event that another word tells, the return of a reservation; there
//!   both sides do an RMW on the same word. And an eviction moves two words; there the sleeper
//!   looks at them in the order that shows a move of both.)
//! * **I5** No user code runs under the list lock: not `clone`, `wake` or `drop` of a waker, no
//!   destructor, no closure. A waker is cloned before the lock and the state looked at again; a
//!   replaced one is dropped after it.
//! * **I6** A future that leaves with a notification or a grant that it has not used passes it on
//!   before its `Drop` returns.
//!
//! # Cancellation
//!
//! [`WaitQueue::withdraw`] decides under the list lock: a node that is still queued leaves and is
//! owed nothing; one that has been popped meanwhile says what it was given, and the primitive
//! passes that on. Both faces take this path, and a timeout takes it too. All of it is O(1): the
//! list is doubly linked, and no step looks at another waiter but the one that it wakes.
//!
//! A node that would be freed while it is linked aborts the process in [`Node`]'s `Drop`; no path
//! leads there. A future that is leaked while pinned keeps its memory, so the list stays valid.
//!
//! # Waking
//!
//! Wakers are collected under the list lock, in batches, and called after it, in order. Between two
//! batches others may queue, again or anew; where "all" means "all who are there now", nodes carry
//! an epoch and the loop stops at the first that is too young. A waker that panics stops none of
//! the others; the first panic goes on after the last one has been called, unless the thread
//! unwinds already, when it is swallowed.
//!
//! Dropping a waker is user code as well. A withdrawn one is handed back as a [`Stale`], to be dropped
//! when everything that is owed has been passed on; where something has been taken already, a
//! [`Finally`] gives it back if the drop panics.
//!
//! # Orderings
//!
//! The list lock orders everything under it. A node's state is Release on the notifier's side and
//! Acquire on the future's. Each word's orderings stand with its primitive. The parker's token
//! is swapped with Release and taken with Acquire, so that what happened before a wake-up is
//! visible after it, whatever woke.

mod batch;
mod drive;
mod epoch;
mod list;
mod parker;
mod queue;

pub(crate) use self::batch::{Finally, Stale, WakeBatch, discard, wake};
pub use self::drive::{block_on, block_on_deadline, block_on_timeout};
pub(crate) use self::drive::{drive, drive_by};
pub(crate) use self::epoch::{Epoch, Stamp};
pub(crate) use self::list::{Node, Place, State};
pub(crate) use self::queue::{Locked, WaitQueue};

/// The answer to a poll after completion.
#[cold]
#[track_caller]
pub(crate) fn finished(what: &str) -> ! {
    panic!("`{what}` polled after completion");
}
