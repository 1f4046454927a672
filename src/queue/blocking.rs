//! Blocking pushes and pops, and how they are helped.
//!
//! A thread that waits has laid its operation aside, and nobody can cancel it half-way, as a future is
//! cancelled by its drop. So who would notify it does the operation for it: a pop that makes room
//! moves the item of the first sender into the ring, a push moves an item from the ring to the first
//! receiver. Neither side has to wait until the other one has been scheduled: a queue of one item
//! passes an item for each waiting thread, not one for each switch of threads.
//!
//! # Whose the item is
//!
//! It lies in a [`Handoff`] beside the node, which tells who may touch it:
//!
//! | node | handoff of a push | handoff of a pop | touched by |
//! |---|---|---|---|
//! | `Idle`, `Notified` | the item | empty | the thread |
//! | `Queued` | the item | empty | whoever holds the list lock, right before it wakes the thread |
//! | `Granted` | empty: it is in the ring | the item | the thread, which then forgets the grant |
//!
//! So the thread tries nothing while it is queued. When it is polled then and there is something to try
//! for, or its deadline has come, it leaves the list, and so learns whether it was helped: then the
//! operation is done, and came in time. One that leaves so before anybody woke it, and then finds
//! nothing, queues again at the end.
//!
//! # What stays as it was
//!
//! Help is the thread's own operation, made by another one: it claims its position in the ring like
//! everybody else's, so items keep their order, and it owes the other side a wake-up like everybody
//! else's; that may be help in turn, a bounded number of times. It is one look and one try: where
//! that fails, because a newcomer was faster, a slot is out or a place is in its gap, the thread is
//! notified and tries for itself. A task is never helped: it may be dropped, and has then neither
//! pushed nor popped.
//!
//! Go's channels and kanal hand items to and from blocked parties too, but past the buffer.

#![expect(unsafe_code, reason = "reaches the handoff of a waiter that is queued")]

use super::BoundedQueue;
use super::ring::{Blocked, Refusal};
use super::waiter::{Closed, HasHandoff, Receivers, Senders, Side, Waiter};
use crate::error::{PopTimeoutError, PushTimeoutError, TryPopError, TryPushError};
use crate::sys::{Spin, UnsafeCell, is_past};
use crate::wait::{Node, State, drive_by};
use pin_project_lite::pin_project;
use std::future::poll_fn;
use std::marker::PhantomPinned;
use std::mem::offset_of;
use std::pin::{Pin, pin};
use std::ptr::NonNull;
use std::task::{Context, Poll};
use std::time::Instant;

/// From this capacity on, waiting for a run of items pays.
const WIDE: usize = 16;

/// The item of a blocking push or pop, where who wakes it can reach it.
pub(super) struct Handoff<T> {
    item: UnsafeCell<Option<T>>,
    /// Like a node it is reached from elsewhere while its future is borrowed exclusively.
    _pin: PhantomPinned,
}

impl<T> Handoff<T> {
    /// # Safety
    ///
    /// The caller is who may touch it, by the module's table, which says that it has the item.
    unsafe fn take(&self) -> T {
        let item = self.item.with_mut(|item| {
            // SAFETY: nobody else touches it, by the caller's promise.
            unsafe { (*item).take() }
        });
        let Some(item) = item else { unreachable!("the item of a wait is taken once") };
        item
    }

    /// # Safety
    ///
    /// The caller is who may touch it, by the module's table.
    unsafe fn put(&self, item: T) {
        self.item.with_mut(|place| {
            // SAFETY: nobody else touches it, by the caller's promise.
            unsafe { *place = Some(item) };
        });
    }
}

pin_project! {
    /// A wait that who wakes it may do the work of.
    pub(super) struct Helped<'a, T, S: Side> {
        // First: it leaves the list before its handoff goes.
        #[pin]
        waiter: Waiter<'a, T, S>,
        #[pin]
        handoff: Handoff<T>,
    }
}

impl<'a, T, S: Side> Helped<'a, T, S> {
    fn new(queue: &'a BoundedQueue<T>, item: Option<T>) -> Self {
        // SAFETY: it lies in this, and only `poll` polls it, with a pointer for the whole.
        let waiter = unsafe { Waiter::with_handoff(queue) };
        Self { waiter, handoff: Handoff { item: UnsafeCell::new(item), _pin: PhantomPinned } }
    }

    /// [`Waiter::poll`], with `granted` for what has come of an `attempt` by who woke it. While it
    /// is queued it makes none: the handoff is not its own.
    fn poll<R>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut(&'a BoundedQueue<T>, &Handoff<T>) -> Result<R, Refusal>,
        granted: impl FnOnce(&Handoff<T>) -> R,
    ) -> Poll<Result<R, Closed>> {
        // It may be used for all of `self`, for who helps.
        let node = NonNull::from(&*self).cast::<u8>();
        // SAFETY: in bounds.
        let node = unsafe { node.add(offset_of!(Self, waiter.node)).cast() };
        let this = self.project();
        if this.waiter.node.state() == State::Queued && this.waiter.as_ref().stay(cx) {
            if this.waiter.is_blocked() {
                return Poll::Pending;
            }
            // Time for a try, out of the list: it may be that of a future for which this very thread
            // was woken, and which it does not poll while it waits here.
            this.waiter.as_ref().step_out();
        }
        if this.waiter.node.state() == State::Granted {
            this.waiter.node.reset();
            return Poll::Ready(Ok(granted(&this.handoff)));
        }
        // SAFETY: it points to the waiter's node, which is pinned with all of `self`, and is not
        // queued.
        unsafe { this.waiter.poll_by(node, cx, |queue| attempt(queue, &this.handoff)) }
    }

    /// The handoff of a waiter.
    ///
    /// # Safety
    ///
    /// The node is that of a `Helped` of this type, is queued, and stays so while the result is used.
    unsafe fn handoff_of<'b>(node: NonNull<Node<HasHandoff>>) -> &'b Handoff<T> {
        // SAFETY: the pointer was made in `poll`, for the whole.
        let helped = unsafe { node.byte_sub(offset_of!(Self, waiter.node)).cast::<Self>() };
        // SAFETY: it is there as long as its waiter is queued.
        unsafe { &(*helped.as_ptr()).handoff }
    }
}

impl<T> BoundedQueue<T> {
    /// Pushes or pops for a waiter, if one look and one try do it. The flag tells that the other side
    /// is to be woken.
    ///
    /// # Safety
    ///
    /// The node is that of a [`Helped`] which is queued on `side`, whose list lock is held.
    pub(super) unsafe fn act_for(
        &self,
        side: Blocked,
        node: NonNull<Node<HasHandoff>>,
    ) -> Option<bool> {
        match side {
            Blocked::Senders => {
                // SAFETY: the caller's promise; on this side are pushes.
                let handoff = unsafe { Helped::<T, Senders>::handoff_of(node) };
                // SAFETY: queued, and the list lock is held. Before the claim: others wait for what
                // lies between that and the write.
                let item = unsafe { handoff.take() };
                match self.ring.claim_push_once() {
                    Ok(place) => Some(place.write(item)),
                    Err(_) => {
                        // SAFETY: as above.
                        unsafe { handoff.put(item) };
                        None
                    }
                }
            }
            Blocked::Receivers => {
                // SAFETY: the caller's promise; on this side are pops.
                let handoff = unsafe { Helped::<T, Receivers>::handoff_of(node) };
                let (item, senders_wait) = self.ring.pop_once().ok()?;
                // SAFETY: queued, and the list lock is held.
                unsafe { handoff.put(item) };
                Some(senders_wait)
            }
        }
    }

    pub(super) fn push_until(
        &self,
        item: T,
        deadline: Option<Instant>,
    ) -> Result<(), PushTimeoutError<T>> {
        let mut item = item;
        let progress = || self.ring.progress();
        let mut spin = self.spin(Spin::before_help()).beside(&progress).until(deadline);
        let hopeless = deadline.is_some_and(is_past);
        loop {
            match self.try_push_again(item) {
                Err(TryPushError::Full(full)) if !hopeless => item = full,
                result => return result.map_err(TryPushError::at_deadline),
            }
            if !spin.again() {
                break;
            }
        }
        // SAFETY: called while the wait is not queued, and once, unless it has been granted.
        let take = |handoff: &Handoff<T>| unsafe { handoff.take() };
        let mut wait = pin!(Helped::<T, Senders>::new(self, Some(item)));
        let push = pin!(poll_fn(|cx| {
            let attempt = |queue: &Self, handoff: &_| {
                queue.fill(queue.ring.claim_push()?, take(handoff));
                Ok(())
            };
            wait.as_mut().poll(cx, attempt, |_| ())
        }));
        let result = self.drive(push, deadline);
        let wait = wait.project();
        match result {
            Some(Ok(())) => Ok(()),
            Some(Err(Closed)) => Err(PushTimeoutError::Closed(take(&wait.handoff))),
            None if wait.waiter.cancel() => Ok(()),
            None => self.try_push_again(take(&wait.handoff)).map_err(TryPushError::at_deadline),
        }
    }

    pub(super) fn pop_until(&self, deadline: Option<Instant>) -> Result<T, PopTimeoutError> {
        let spin = Spin::before_help();
        if let Some(result) = self.spin_pop(spin, deadline, || self.try_pop_again()) {
            return result;
        }
        // SAFETY: called once the wait has been granted.
        let take = |handoff: &Handoff<T>| unsafe { handoff.take() };
        let mut wait = pin!(Helped::<T, Receivers>::new(self, None));
        let pop = pin!(poll_fn(|cx| wait.as_mut().poll(cx, |queue, _| queue.pop_once(), take)));
        let result = self.drive(pop, deadline);
        let wait = wait.project();
        match result {
            Some(result) => result.map_err(|Closed| PopTimeoutError::Closed),
            None if wait.waiter.cancel() => Ok(take(&wait.handoff)),
            None => self.try_pop_again().map_err(TryPopError::at_deadline),
        }
    }

    /// Who looks again at once follows the other side item by item, from cache to cache; who stays
    /// away for a moment finds a run of items or of room, if the queue is wide enough for one.
    fn spin<'a>(&self, narrow: Spin<'a>) -> Spin<'a> {
        if self.ring.capacity() >= WIDE { Spin::coarse() } else { narrow }
    }

    /// [`drive_by`] with a spin that sees what goes on in the ring.
    pub(super) fn drive<F: Future>(
        &self,
        op: Pin<&mut F>,
        deadline: Option<Instant>,
    ) -> Option<F::Output> {
        drive_by(op, deadline, Spin::new().beside(&|| self.ring.progress()))
    }

    /// Repeats `attempt` while it finds the queue empty and spinning may pay; `None`: still empty.
    pub(super) fn spin_pop<R>(
        &self,
        narrow: Spin<'_>,
        deadline: Option<Instant>,
        mut attempt: impl FnMut() -> Result<R, TryPopError>,
    ) -> Option<Result<R, PopTimeoutError>> {
        let progress = || self.ring.progress();
        let mut spin = self.spin(narrow).beside(&progress).until(deadline);
        let hopeless = deadline.is_some_and(is_past);
        loop {
            match attempt() {
                Ok(result) => return Some(Ok(result)),
                Err(TryPopError::Empty) if !hopeless => {
                    if !spin.again() {
                        return None;
                    }
                }
                Err(error) => return Some(Err(error.at_deadline())),
            }
        }
    }
}

// The last poll of a timed wait may meet another thread between its claim and its stamp, with an
// item or room that came in time right behind it. A try waits for that thread: it follows the poll.

impl<T> TryPushError<T> {
    /// What it means for a push that has no time left.
    pub(super) fn at_deadline(self) -> PushTimeoutError<T> {
        match self {
            Self::Full(item) => PushTimeoutError::TimedOut(item),
            Self::Closed(item) => PushTimeoutError::Closed(item),
        }
    }
}

impl TryPopError {
    /// What it means for a pop that has no time left.
    pub(super) fn at_deadline(self) -> PopTimeoutError {
        match self {
            Self::Empty => PopTimeoutError::TimedOut,
            Self::Closed => PopTimeoutError::Closed,
        }
    }
}
