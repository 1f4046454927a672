//! Sleeping beside the ring.
//!
//! Each side, senders and receivers, has a wait list; a `WAIT` flag in the index word of the
//! *other* side says that it is not empty (I1).
//!
//! # Who wakes whom
//!
//! One waiter for each item or room. A push that saw `WAIT` when it claimed its place notifies the
//! first receiver, a pop the first sender. Suppressing a second wake-up, as the lock does, would
//! leave an item to nobody (async-std#452). Invariant: *while receivers are queued, there are at
//! most as many items as notified receivers that have not finished*; a receiver finishes by taking
//! an item or by passing its notification on. Likewise senders and room.
//!
//! Hence who queues behind others announces nothing: `WAIT` is set, and stays as long as the list
//! lock is held, so each item that came after it was set has been notified for, or is about to be,
//! and each that came before was seen by the first sleeper, or it would not sleep. But it looks,
//! which costs no read-modify-write. For a woken waiter that queues again has the item for which it
//! was woken to itself; what woke it came before this section of the list lock, so it is seen. And
//! when the last reservation of [`MAX_RESERVED`](super::ring::MAX_RESERVED) comes back there may be
//! room for more than are queued; who queues while those are being woken sees it.
//!
//! A notified waiter that finds nothing, because a newcomer was faster, queues again at the front.
//! One that succeeds while it is still queued takes itself out first (crossfire#22). One that is
//! dropped while notified wakes the next.
//!
//! # Helping
//!
//! A thread that waits in a blocking push or pop leaves its operation to who would notify it: see
//! [`blocking`](super::blocking).
//!
//! # Meeting instead
//!
//! To sleep, be woken and be scheduled costs more than an item. Two tasks that run at the same time
//! need none of it, if each looks again for a moment before it sleeps: [`PollSpin`] tells when that
//! may be so. It is a longer first look, and no part of the protocol.
//!
//! [`PollSpin`]: crate::sys::PollSpin

#![expect(unsafe_code, reason = "each waiter uses one node with one list")]

use super::BoundedQueue;
use super::ring::{self, Blocked, Refusal};
use crate::sys::GapWait;
use crate::wait::{
    Finally, Locked, Node, Place, Stale, State, WaitQueue, WakeBatch, discard, wake,
};
use pin_project_lite::pin_project;
use std::marker::PhantomData;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

pub(super) type WaitList = WaitQueue<(), (), HasHandoff>;
type LockedList<'a> = Locked<'a, (), (), HasHandoff>;

/// Whether a node is that of a [`Helped`](super::blocking::Helped).
pub(super) type HasHandoff = bool;

/// So many waits may end in one wake-up. Who ends them has something else to do.
const MOST_HELPED: u32 = 16;

/// Where more wait, a wait is long, and [`PollSpin`](crate::sys::PollSpin) need not hear of it.
const FEW: usize = 4;

impl<T> BoundedQueue<T> {
    fn list(&self, side: Blocked) -> &WaitList {
        match side {
            Blocked::Senders => &self.senders,
            Blocked::Receivers => &self.receivers,
        }
    }

    /// Under the list lock, where nodes have left: the last one takes the flag along.
    fn note_departures(&self, side: Blocked, list: &mut LockedList<'_>) {
        if list.is_empty() {
            self.ring.retract(side);
        }
    }

    /// The same where they were notified.
    fn note_wake_ups(&self, side: Blocked, list: &mut LockedList<'_>) {
        self.note_departures(side, list);
        if list.len() < FEW {
            self.poll_spin.note_wake_up(side as usize);
        }
    }

    /// Notifies the first waiter, if there is one, or does for it what it waits for.
    #[cold]
    pub(super) fn wake_one(&self, side: Blocked) {
        let mut list = self.list(side).lock();
        if list.front_arg() == Some(true) {
            return wake(self.help(side, list));
        }
        let waker = list.pop(State::Notified);
        if waker.is_some() {
            self.note_wake_ups(side, &mut list);
        }
        drop(list);
        wake(waker);
    }

    /// Wakes a sender for each of `count` items, a [`WakeBatch`] at most, that were taken at once.
    pub(super) fn wake_senders(&self, count: usize) {
        let mut batch = WakeBatch::new();
        let mut left = count;
        while left > 0 {
            let mut list = self.senders.lock();
            if list.front_arg() != Some(true) {
                drop(list);
                self.wake_up_to(left, Blocked::Senders, &mut batch);
                break;
            }
            if let Some(waker) = self.help(Blocked::Senders, list) {
                batch.push(waker);
            }
            left -= 1;
        }
        batch.finish();
    }

    /// Does for the first waiter what it waits for, which may be what a waiter on the other side waits
    /// for, and so on; the last one may only be notified, and is left to the caller to wake. Apart from
    /// [`BoundedQueue::wake_one`], so that tasks do not pay for it.
    #[inline(never)]
    fn help<'a>(&'a self, mut side: Blocked, mut list: LockedList<'a>) -> Option<Waker> {
        for round in 0.. {
            let (node, has_handoff) = list.front()?;
            let wakes = if has_handoff && round < MOST_HELPED {
                // SAFETY: queued, with a handoff, and the list lock is held.
                unsafe { self.act_for(side, node) }
            } else {
                None
            };
            let state = if wakes.is_some() { State::Granted } else { State::Notified };
            let waker = list.pop(state);
            self.note_wake_ups(side, &mut list);
            drop(list);
            if wakes != Some(true) {
                return waker;
            }
            // A thread's, so it is our own, and does not panic.
            wake(waker);
            side = side.other();
            list = self.list(side).lock();
        }
        None
    }

    /// Notifies up to `count` of those who wait now, from the front.
    #[cold]
    pub(super) fn wake_up_to(&self, count: usize, side: Blocked, batch: &mut WakeBatch) {
        let mut left = None;
        self.list(side).fill_batch(batch, |list, batch| {
            let left = left.get_or_insert(count.min(list.len()));
            let woken = list.drain(State::Notified, batch, |_| {
                let wanted = *left > 0;
                *left -= usize::from(wanted);
                wanted
            });
            if woken > 0 {
                self.note_wake_ups(side, list);
            }
        });
    }

    /// Notifies everyone on both sides, once the ring is closed: nobody queues any more.
    pub(super) fn wake_everyone(&self) {
        let mut batch = WakeBatch::new();
        for side in [Blocked::Senders, Blocked::Receivers] {
            self.list(side).fill_batch(&mut batch, |list, batch| {
                if list.drain(State::Notified, batch, |_| true) > 0 {
                    self.note_departures(side, list);
                }
            });
        }
        batch.finish();
    }
}

/// The side that a [`Waiter`] is on.
pub(super) trait Side {
    const SIDE: Blocked;
}

pub(super) struct Senders;

impl Side for Senders {
    const SIDE: Blocked = Blocked::Senders;
}

pub(super) struct Receivers;

impl Side for Receivers {
    const SIDE: Blocked = Blocked::Receivers;
}

pin_project! {
    /// One wait of one operation.
    pub(super) struct Waiter<'a, T, S: Side> {
        queue: &'a BoundedQueue<T>,
        #[pin]
        pub(super) node: Node<HasHandoff>,
        side: PhantomData<S>,
    }

    impl<T, S: Side> PinnedDrop for Waiter<'_, T, S> {
        fn drop(this: Pin<&mut Self>) {
            this.cancel();
        }
    }
}

impl<T> Waiter<'_, T, Receivers> {
    /// Pops, else sleeps. `Err`: the queue is closed.
    #[inline]
    pub(super) fn poll_pop(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, Closed>> {
        let item = match self.as_mut().attempt(BoundedQueue::pop_at_once) {
            None if self.may_meet() => self.spin_pop(),
            item => item,
        };
        match item {
            Some(item) => {
                self.end();
                Poll::Ready(Ok(item))
            }
            None => self.poll_again(cx, BoundedQueue::pop_once),
        }
    }

    #[cold]
    fn spin_pop(&self) -> Option<T> {
        self.queue.poll_spin.run(|| self.queue.pop_at_once())
    }
}

impl<'a, T> Waiter<'a, T, Senders> {
    #[cold]
    pub(super) fn spin_claim(&self) -> Option<ring::Place<'a, T>> {
        let (queue, ring) = (self.queue, &self.queue.ring);
        // Beside slots, and on a closed ring, a look at once tells nothing.
        if ring.is_plain() { queue.poll_spin.run(|| ring.claim_push_at_once()) } else { None }
    }
}

impl<'a, T, S: Side> Waiter<'a, T, S> {
    #[inline]
    pub(super) fn new(queue: &'a BoundedQueue<T>) -> Self {
        Self { queue, node: Node::new(false), side: PhantomData }
    }

    /// The wait of a [`Helped`](super::blocking::Helped).
    ///
    /// # Safety
    ///
    /// It lies in one, and is polled by [`Waiter::poll_by`] alone, with a pointer to its node that
    /// reaches all of the `Helped`.
    pub(super) unsafe fn with_handoff(queue: &'a BoundedQueue<T>) -> Self {
        Self { queue, node: Node::new(true), side: PhantomData }
    }

    pub(super) fn queue(&self) -> &'a BoundedQueue<T> {
        self.queue
    }

    /// [`Waiter::poll`] after a first try at once has failed: most likely there is nothing.
    #[inline]
    pub(super) fn poll_again<R>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        attempt: impl FnMut(&'a BoundedQueue<T>) -> Result<R, Refusal>,
    ) -> Poll<Result<R, Closed>> {
        if self.is_blocked() && self.as_ref().sleep(cx) {
            return Poll::Pending;
        }
        self.poll(cx, attempt)
    }

    /// Whether the other side may be running, and this one is not queued.
    #[inline]
    pub(super) fn may_meet(&self) -> bool {
        self.queue.poll_spin.may_pay() && self.node.state() != State::Queued
    }

    /// Tries, else sleeps, or wants to be polled at once. `Err`: the queue is closed.
    #[inline(never)]
    pub(super) fn poll<R>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        attempt: impl FnMut(&'a BoundedQueue<T>) -> Result<R, Refusal>,
    ) -> Poll<Result<R, Closed>> {
        let node = NonNull::from(&self.node);
        // SAFETY: its own, and it has no handoff: see `with_handoff`.
        unsafe { self.poll_by(node, cx, attempt) }
    }

    /// [`Waiter::poll`], with the pointer to the node that the list is to have.
    ///
    /// # Safety
    ///
    /// It points to this node, and may be used as long as the waiter is there; and a waiter with a
    /// handoff is not queued.
    #[inline]
    pub(super) unsafe fn poll_by<R>(
        mut self: Pin<&mut Self>,
        node: NonNull<Node<HasHandoff>>,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut(&'a BoundedQueue<T>) -> Result<R, Refusal>,
    ) -> Poll<Result<R, Closed>> {
        let mut gap = GapWait::new();
        let result = loop {
            match self.as_mut().attempt(&mut attempt) {
                Ok(result) => break Ok(result),
                Err(Refusal::Closed) => break Err(Closed),
                Err(Refusal::Busy) => {
                    if !self.queue.ring.wait_briefly(&mut gap) {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
                Err(Refusal::Blocked) => {
                    // SAFETY: the caller's promise.
                    if unsafe { self.as_ref().sleep_by(node, cx) } {
                        return Poll::Pending;
                    }
                }
            }
        };
        self.end();
        Poll::Ready(result)
    }

    /// Tries. If that panics, for it wakes the other side, the wait is over: a node that stayed queued,
    /// of a future that is not polled again, would take the next wake-up with it.
    #[inline(always)]
    fn attempt<R>(self: Pin<&mut Self>, attempt: impl FnOnce(&'a BoundedQueue<T>) -> R) -> R {
        let queue = self.queue;
        let panicked = Finally::new(|| {
            self.cancel();
        });
        let result = attempt(queue);
        panicked.disarm();
        result
    }

    /// The wait has been worth it, or hopeless: a notification has served its purpose, and a node
    /// that is still queued leaves.
    #[inline]
    pub(super) fn end(self: Pin<&mut Self>) {
        match self.node.state() {
            State::Idle => {}
            State::Queued => self.as_ref().end_queued(),
            State::Notified | State::Granted => self.node.reset(),
        }
    }

    #[cold]
    fn end_queued(self: Pin<&Self>) {
        drop(self.leave());
    }

    /// Queues, or stays queued with `cx` to wake; `false`: look again.
    #[inline]
    fn sleep(self: Pin<&Self>, cx: &Context<'_>) -> bool {
        // SAFETY: its own, and it has no handoff: see `with_handoff`.
        unsafe { self.sleep_by(NonNull::from(&self.node), cx) }
    }

    /// [`Waiter::sleep`], with the pointer to the node that the list is to have.
    ///
    /// # Safety
    ///
    /// As for [`Waiter::poll_by`].
    #[inline(never)]
    unsafe fn sleep_by(
        self: Pin<&Self>,
        pointer: NonNull<Node<HasHandoff>>,
        cx: &Context<'_>,
    ) -> bool {
        let (queue, node) = (self.queue, self.project_ref().node);
        let place = match node.state() {
            State::Queued => return self.stay(cx),
            State::Idle => Place::Back,
            State::Notified | State::Granted => Place::Front,
        };
        let waker = cx.waker().clone();
        let mut list = queue.list(S::SIDE).lock_for_insert();
        // Behind others the flag is there, and stays.
        let is_first = list.is_empty();
        if is_first {
            queue.ring.announce(S::SIDE);
        }
        if list.len() < FEW {
            queue.poll_spin.note_sleep(S::SIDE as usize);
        }
        if queue.ring.is_blocked(S::SIDE) {
            // SAFETY: in no list, only ever queued on this one, and withdrawn by `drop`.
            unsafe { list.insert_by(pointer, place, waker, node.arg()) };
            return true;
        }
        if is_first {
            queue.ring.retract(S::SIDE);
        }
        drop(list);
        discard(Some(waker));
        false
    }

    /// Whether it may sleep: a guess.
    pub(super) fn is_blocked(&self) -> bool {
        self.queue.ring.is_blocked(S::SIDE)
    }

    /// Stays queued with `cx` to wake; `false`: it has been woken.
    pub(super) fn stay(self: Pin<&Self>, cx: &Context<'_>) -> bool {
        let (queue, node) = (self.queue, self.project_ref().node);
        // SAFETY: only ever queued on this list.
        unsafe { queue.list(S::SIDE).refresh(node, cx) }
    }

    /// Leaves the list, if it is still there; what it has been given stays with it.
    pub(super) fn step_out(self: Pin<&Self>) {
        let (queue, node) = (self.queue, self.project_ref().node);
        let unlinked = |list: &mut LockedList<'_>| queue.note_departures(S::SIDE, list);
        // SAFETY: only ever queued on this list.
        drop(unsafe { queue.list(S::SIDE).withdraw_queued(node, unlinked) });
    }

    #[inline(always)]
    fn leave(self: Pin<&Self>) -> (State, Stale) {
        let (queue, node) = (self.queue, self.project_ref().node);
        // SAFETY: only ever queued on this list.
        unsafe { queue.list(S::SIDE).withdraw(node, |list| queue.note_departures(S::SIDE, list)) }
    }

    /// Ends the wait; a notification goes to the next. `true`: who woke it has done what it waited
    /// for.
    #[inline]
    pub(super) fn cancel(self: Pin<&mut Self>) -> bool {
        self.node.state() != State::Idle && self.as_ref().cancel_begun()
    }

    #[cold]
    fn cancel_begun(self: Pin<&Self>) -> bool {
        let (state, _stale) = self.leave();
        if state == State::Notified {
            self.queue.wake_one(S::SIDE);
        }
        state == State::Granted
    }
}

/// The queue is closed.
pub(super) struct Closed;
