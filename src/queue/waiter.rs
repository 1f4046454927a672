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
//! A notified waiter that finds nothing, because a newcomer was faster, queues again at the front.
//! One that succeeds while it is still queued takes itself out first (crossfire#22). One that is
//! dropped while notified wakes the next.

#![expect(unsafe_code, reason = "each waiter uses one node with one list")]

use super::BoundedQueue;
use super::ring::{Blocked, Refusal};
use crate::sys::GapWait;
use crate::wait::{Locked, Node, Place, Stale, State, WaitQueue, WakeBatch, discard, wake};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Under the list lock: how many nodes there are.
pub(super) type WaitList = WaitQueue<(), usize>;

impl<T> BoundedQueue<T> {
    fn list(&self, side: Blocked) -> &WaitList {
        match side {
            Blocked::Senders => &self.senders,
            Blocked::Receivers => &self.receivers,
        }
    }

    /// Under the list lock: so many nodes have left.
    fn note_departures(&self, side: Blocked, list: &mut Locked<'_, (), usize>, count: usize) {
        **list -= count;
        if count > 0 && **list == 0 {
            self.ring.retract(side);
        }
    }

    /// Notifies the first waiter, if there is one.
    #[cold]
    pub(super) fn wake_one(&self, side: Blocked) {
        let mut list = self.list(side).lock();
        let waker = list.pop(State::Notified);
        self.note_departures(side, &mut list, usize::from(waker.is_some()));
        drop(list);
        wake(waker);
    }

    /// Notifies up to `count` of those who wait now, from the front.
    #[cold]
    pub(super) fn wake_up_to(&self, count: usize, side: Blocked, batch: &mut WakeBatch) {
        let mut left = None;
        self.list(side).fill_batch(batch, |list, batch| {
            let left = left.get_or_insert(count.min(**list));
            let woken = list.drain(State::Notified, batch, |_| {
                let wanted = *left > 0;
                *left -= usize::from(wanted);
                wanted
            });
            self.note_departures(side, list, woken);
        });
    }

    /// Notifies everyone on both sides, once the ring is closed: nobody queues any more.
    pub(super) fn wake_everyone(&self) {
        let mut batch = WakeBatch::new();
        for side in [Blocked::Senders, Blocked::Receivers] {
            self.list(side).fill_batch(&mut batch, |list, batch| {
                let woken = list.drain(State::Notified, batch, |_| true);
                self.note_departures(side, list, woken);
            });
        }
        batch.finish();
    }
}

pin_project! {
    /// One wait of one operation.
    pub(super) struct Waiter<'a, T> {
        queue: &'a BoundedQueue<T>,
        side: Blocked,
        #[pin]
        node: Node,
    }

    impl<T> PinnedDrop for Waiter<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            this.cancel();
        }
    }
}

impl<'a, T> Waiter<'a, T> {
    #[inline]
    pub(super) fn new(queue: &'a BoundedQueue<T>, side: Blocked) -> Self {
        Self { queue, side, node: Node::new() }
    }

    pub(super) fn queue(&self) -> &'a BoundedQueue<T> {
        self.queue
    }

    pub(super) fn node(&self) -> &Node {
        &self.node
    }

    /// Tries, else sleeps. `Err`: the queue is closed.
    #[inline]
    pub(super) fn poll<R>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut(&'a BoundedQueue<T>) -> Result<R, Refusal>,
    ) -> Poll<Result<R, Closed>> {
        let result = match attempt(self.queue) {
            Ok(result) => Ok(result),
            Err(Refusal::Closed) => Err(Closed),
            Err(refusal) => match self.as_ref().wait(cx, &mut attempt, refusal) {
                Poll::Ready(result) => result,
                Poll::Pending => return Poll::Pending,
            },
        };
        if self.node.state() != State::Idle {
            // A notification has served its purpose; a node that is still queued leaves.
            drop(self.as_ref().leave());
        }
        Poll::Ready(result)
    }

    /// There was nothing at the first look. `Pending`: it sleeps, or wants to be polled at once.
    #[inline(never)]
    fn wait<R>(
        self: Pin<&Self>,
        cx: &mut Context<'_>,
        attempt: &mut impl FnMut(&'a BoundedQueue<T>) -> Result<R, Refusal>,
        mut refusal: Refusal,
    ) -> Poll<Result<R, Closed>> {
        let mut gap = GapWait::new();
        loop {
            match refusal {
                Refusal::Closed => return Poll::Ready(Err(Closed)),
                Refusal::Busy => {
                    if !self.queue.ring.wait_briefly(&mut gap) {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
                Refusal::Blocked => {
                    if self.sleep(cx) {
                        return Poll::Pending;
                    }
                }
            }
            match attempt(self.queue) {
                Ok(result) => return Poll::Ready(Ok(result)),
                Err(again) => refusal = again,
            }
        }
    }

    /// Queues, or stays queued with `cx` to wake; `false`: look again.
    fn sleep(self: Pin<&Self>, cx: &Context<'_>) -> bool {
        let (queue, side, node) = (self.queue, self.side, self.project_ref().node);
        let place = match node.state() {
            // SAFETY: only ever queued on this list.
            State::Queued => return unsafe { queue.list(side).refresh(node, cx) },
            State::Idle => Place::Back,
            State::Notified | State::Granted => Place::Front,
        };
        let waker = cx.waker().clone();
        let mut list = queue.list(side).lock_for_insert();
        if queue.ring.announce(side) {
            *list += 1;
            // SAFETY: in no list, only ever queued on this one, and withdrawn by `drop`.
            unsafe { list.insert(node, place, waker, 0) };
            return true;
        }
        if *list == 0 {
            queue.ring.retract(side);
        }
        drop(list);
        discard(Some(waker));
        false
    }

    #[cold]
    fn leave(self: Pin<&Self>) -> (State, Stale) {
        let (queue, side, node) = (self.queue, self.side, self.project_ref().node);
        // SAFETY: only ever queued on this list.
        unsafe { queue.list(side).withdraw(node, |list| queue.note_departures(side, list, 1)) }
    }

    /// Ends the wait; a notification goes to the next.
    #[inline]
    pub(super) fn cancel(self: Pin<&mut Self>) {
        if self.node.state() != State::Idle {
            self.as_ref().cancel_begun();
        }
    }

    #[cold]
    fn cancel_begun(self: Pin<&Self>) {
        let (state, _stale) = self.leave();
        if state == State::Notified {
            self.queue.wake_one(self.side);
        }
    }
}

/// The queue is closed.
pub(super) struct Closed;
