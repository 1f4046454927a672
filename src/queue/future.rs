//! The waiting operations of [`BoundedQueue`].

use super::ring::{Blocked, Place, Refusal};
use super::waiter::{Closed, Receivers, Senders, Waiter};
use super::{BoundedQueue, Slot};
use crate::error::{PopError, PushError};
use crate::wait::{Finally, finished};
use futures_core::FusedFuture;
use pin_project_lite::pin_project;
use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// How many items one poll of a [`PushManyFuture`] may move before it lets other tasks run.
const BUDGET: usize = 256;

pin_project! {
    /// The future of [`BoundedQueue::push_async`].
    #[must_use = "futures do nothing unless polled"]
    pub struct PushFuture<'a, T> {
        #[pin]
        waiter: Waiter<'a, T, Senders>,
        // `None` after completion.
        item: Option<T>,
    }
}

impl<'a, T> PushFuture<'a, T> {
    #[inline]
    pub(super) fn new(queue: &'a BoundedQueue<T>, item: T) -> Self {
        Self { waiter: Waiter::new(queue), item: Some(item) }
    }

    /// Takes the item back and ends the wait; `None` after completion. The future must not be
    /// polled again.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::FutureExt;
    ///
    /// let queue = bifrons::BoundedQueue::new(1);
    /// queue.push(1).unwrap();
    /// let mut push = std::pin::pin!(queue.push_async(2));
    /// assert!(push.as_mut().now_or_never().is_none());
    /// assert_eq!(push.as_mut().take(), Some(2));
    /// ```
    pub fn take(self: Pin<&mut Self>) -> Option<T> {
        let this = self.project();
        // Before the item is in hand: it may run a waker that panics.
        this.waiter.cancel();
        this.item.take()
    }
}

impl<T> Future for PushFuture<'_, T> {
    type Output = Result<(), PushError<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.item.is_none() {
            finished("PushFuture");
        }
        let item = this.item;
        let queue = this.waiter.queue();
        let mut fill = |place: Place<'_, T>| {
            let Some(item) = item.take() else { finished("PushFuture") };
            place.write(item)
        };
        // After the end of the wait: a waker that panics would leave a push that is over in the list.
        let wake = |wakes| {
            if wakes {
                queue.wake_one(Blocked::Receivers);
            }
        };
        let place = match queue.ring.claim_push_at_once() {
            None if this.waiter.may_meet() => this.waiter.spin_claim(),
            place => place,
        };
        if let Some(place) = place {
            let wakes = fill(place);
            let _wake = Finally::new(|| wake(wakes));
            this.waiter.end();
            return Poll::Ready(Ok(()));
        }
        let wakes = Cell::new(false);
        let _wake = Finally::new(|| wake(wakes.get()));
        let poll = this.waiter.poll_again(cx, |queue| {
            wakes.set(fill(queue.ring.claim_push()?));
            Ok(())
        });
        Poll::Ready(match ready!(poll) {
            Ok(()) => Ok(()),
            Err(Closed) => match item.take() {
                Some(item) => Err(PushError(item)),
                None => finished("PushFuture"),
            },
        })
    }
}

impl<T> FusedFuture for PushFuture<'_, T> {
    fn is_terminated(&self) -> bool {
        self.item.is_none()
    }
}

impl<T> fmt::Debug for PushFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushFuture").field("wait", &self.waiter.node).finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`BoundedQueue::reserve_async`].
    #[must_use = "futures do nothing unless polled"]
    pub struct ReserveFuture<'a, T> {
        #[pin]
        waiter: Waiter<'a, T, Senders>,
        done: bool,
    }
}

impl<'a, T> ReserveFuture<'a, T> {
    #[inline]
    pub(super) fn new(queue: &'a BoundedQueue<T>) -> Self {
        Self { waiter: Waiter::new(queue), done: false }
    }
}

impl<'a, T> Future for ReserveFuture<'a, T> {
    type Output = Result<Slot<'a, T>, PushError<()>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if *this.done {
            finished("ReserveFuture");
        }
        let slot = ready!(this.waiter.poll(cx, reserve));
        *this.done = true;
        Poll::Ready(slot.map_err(|Closed| PushError(())))
    }
}

/// One look for room.
pub(super) fn reserve<T>(queue: &BoundedQueue<T>) -> Result<Slot<'_, T>, Refusal> {
    queue.ring.reserve()?;
    Ok(Slot::new(queue))
}

impl<T> FusedFuture for ReserveFuture<'_, T> {
    fn is_terminated(&self) -> bool {
        self.done
    }
}

impl<T> fmt::Debug for ReserveFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReserveFuture").field("wait", &self.waiter.node).finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`BoundedQueue::pop_async`].
    #[must_use = "futures do nothing unless polled"]
    pub struct PopFuture<'a, T> {
        #[pin]
        waiter: Waiter<'a, T, Receivers>,
        done: bool,
    }
}

impl<'a, T> PopFuture<'a, T> {
    #[inline]
    pub(super) fn new(queue: &'a BoundedQueue<T>) -> Self {
        Self { waiter: Waiter::new(queue), done: false }
    }
}

impl<T> Future for PopFuture<'_, T> {
    type Output = Result<T, PopError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if *this.done {
            finished("PopFuture");
        }
        let item = ready!(this.waiter.poll_pop(cx));
        *this.done = true;
        Poll::Ready(item.map_err(|Closed| PopError))
    }
}

impl<T> FusedFuture for PopFuture<'_, T> {
    fn is_terminated(&self) -> bool {
        self.done
    }
}

impl<T> fmt::Debug for PopFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PopFuture").field("wait", &self.waiter.node).finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`BoundedQueue::pop_many_async`].
    #[must_use = "futures do nothing unless polled"]
    pub struct PopManyFuture<'a, T> {
        #[pin]
        waiter: Waiter<'a, T, Receivers>,
        items: &'a mut Vec<T>,
        max: usize,
        done: bool,
    }
}

impl<'a, T> PopManyFuture<'a, T> {
    pub(super) fn new(queue: &'a BoundedQueue<T>, items: &'a mut Vec<T>, max: usize) -> Self {
        Self { waiter: Waiter::new(queue), items, max, done: false }
    }
}

impl<T> Future for PopManyFuture<'_, T> {
    type Output = Result<usize, PopError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if *this.done {
            finished("PopManyFuture");
        }
        let (items, max) = (this.items, *this.max);
        let count = ready!(this.waiter.poll(cx, |queue| queue.pop_many_once(items, max)));
        *this.done = true;
        Poll::Ready(count.map_err(|Closed| PopError))
    }
}

impl<T> FusedFuture for PopManyFuture<'_, T> {
    fn is_terminated(&self) -> bool {
        self.done
    }
}

impl<T> fmt::Debug for PopManyFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PopManyFuture")
            .field("max", &self.max)
            .field("wait", &self.waiter.node)
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`BoundedQueue::push_many_async`].
    #[must_use = "futures do nothing unless polled"]
    pub struct PushManyFuture<'a, T, I> {
        #[pin]
        waiter: Waiter<'a, T, Senders>,
        items: I,
        pushed: usize,
        done: bool,
    }
}

impl<'a, T, I> PushManyFuture<'a, T, I> {
    pub(super) fn new(queue: &'a BoundedQueue<T>, items: I) -> Self {
        let waiter = Waiter::new(queue);
        Self { waiter, items, pushed: 0, done: false }
    }
}

impl<T, I: Iterator<Item = T>> Future for PushManyFuture<'_, T, I> {
    type Output = Result<usize, PushError<T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if *this.done {
            finished("PushManyFuture");
        }
        // Kept from item to item, while there is room.
        let mut slot = None;
        for _ in 0..BUDGET {
            let most_left = this.items.size_hint().1;
            if most_left == Some(0) {
                *this.done = true;
                this.waiter.cancel();
                return Poll::Ready(Ok(*this.pushed));
            }
            // Room first, so that there is no item in hand while it waits.
            let room = match slot.take() {
                Some(slot) => Ok(slot),
                None => ready!(this.waiter.as_mut().poll(cx, reserve)),
            };
            let pushed = match (this.items.next(), room) {
                (None, _) => {
                    *this.done = true;
                    return Poll::Ready(Ok(*this.pushed));
                }
                (Some(item), Ok(slot)) => {
                    // Before a receiver is woken, whose waker may panic.
                    let count = || *this.pushed = this.pushed.saturating_add(1);
                    slot.push_and_reserve(item, most_left != Some(1), count)
                }
                (Some(item), Err(Closed)) => Err(PushError(item)),
            };
            slot = match pushed {
                Ok(slot) => slot,
                Err(rejected) => {
                    *this.done = true;
                    return Poll::Ready(Err(rejected));
                }
            };
        }
        // Before the others run.
        drop(slot);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<T, I: Iterator<Item = T>> FusedFuture for PushManyFuture<'_, T, I> {
    fn is_terminated(&self) -> bool {
        self.done
    }
}

impl<T, I> fmt::Debug for PushManyFuture<'_, T, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushManyFuture")
            .field("pushed", &self.pushed)
            .field("wait", &self.waiter.node)
            .finish_non_exhaustive()
    }
}
