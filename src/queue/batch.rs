//! Many items in one call.

use super::ring::Refusal;
use super::{BoundedQueue, PopManyFuture, PushManyFuture};
use crate::error::{PopError, PopTimeoutError, PushError, TryPopError};
use crate::sys::{GapWait, Spin, WAKE_BATCH, deadline_after};
use std::pin::pin;
use std::time::{Duration, Instant};

impl<T> BoundedQueue<T> {
    /// Pushes items one after the other, each before it takes the next from the iterator, and waits
    /// for room where there is none. Returns how many.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits: not for a thread that runs tasks.
    ///
    /// # Errors
    ///
    /// [`PushError`] with the item in hand if the queue is closed; the rest stays in the iterator,
    /// so pass `&mut iter` to keep it.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = bifrons::BoundedQueue::new(3);
    /// assert_eq!(queue.push_many(1..=3), Ok(3));
    /// let mut items = Vec::new();
    /// assert_eq!(queue.pop_many(&mut items, 2), Ok(2));
    /// assert_eq!(items, [1, 2]);
    /// ```
    pub fn push_many<I>(&self, items: I) -> Result<usize, PushError<T>>
    where
        I: IntoIterator<Item = T>,
    {
        // A thread cannot be cancelled, so it may wait with an item in hand.
        let mut count: usize = 0;
        for item in items {
            self.push(item)?;
            count = count.saturating_add(1);
        }
        Ok(count)
    }

    /// [`push_many`](BoundedQueue::push_many) as a task of any executor, waiting for room before it
    /// takes an item from the iterator.
    ///
    /// So an iterator whose `size_hint` does not say that it is at its end is only found to be when
    /// there is room. While it has an item made, it holds the room for it, as [`reserve`] does.
    ///
    /// [`reserve`]: BoundedQueue::reserve
    ///
    /// # Errors
    ///
    /// As [`push_many`](BoundedQueue::push_many).
    ///
    /// # Cancel safety
    ///
    /// What was pushed stays pushed; the future has no item in hand while it waits, so the rest is
    /// in the iterator: pass `&mut iter` to keep it.
    pub fn push_many_async<I>(&self, items: I) -> PushManyFuture<'_, T, I::IntoIter>
    where
        I: IntoIterator<Item = T>,
    {
        PushManyFuture::new(self, items.into_iter())
    }

    /// Pops what is there, up to `max` items, to the end of `items`.
    ///
    /// # Errors
    ///
    /// [`TryPopError::Empty`] or [`TryPopError::Closed`] if there is not one; never if `max` is 0.
    pub fn try_pop_many(&self, items: &mut Vec<T>, max: usize) -> Result<usize, TryPopError> {
        let mut gap = GapWait::new();
        loop {
            match self.pop_many_once(items, max) {
                Ok(count) => return Ok(count),
                Err(Refusal::Blocked) => return Err(TryPopError::Empty),
                Err(Refusal::Closed) => return Err(TryPopError::Closed),
                Err(Refusal::Busy) => self.ring.wait(&mut gap),
            }
        }
    }

    /// Waits for one item, then pops what is there, up to `max` items, to the end of `items`.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits: not for a thread that runs tasks.
    ///
    /// # Errors
    ///
    /// [`PopError`] if the queue is closed and drained; never if `max` is 0.
    pub fn pop_many(&self, items: &mut Vec<T>, max: usize) -> Result<usize, PopError> {
        match self.pop_many_until(items, max, None) {
            Ok(count) => Ok(count),
            Err(PopTimeoutError::Closed) => Err(PopError),
            Err(PopTimeoutError::TimedOut) => unreachable!("there is no deadline"),
        }
    }

    /// [`pop_many`](BoundedQueue::pop_many), waiting for at most `timeout`.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`PopTimeoutError::TimedOut`] or [`PopTimeoutError::Closed`]; never if `max` is 0.
    pub fn pop_many_timeout(
        &self,
        items: &mut Vec<T>,
        max: usize,
        timeout: Duration,
    ) -> Result<usize, PopTimeoutError> {
        self.pop_many_until(items, max, deadline_after(timeout))
    }

    /// [`pop_many`](BoundedQueue::pop_many), waiting until `deadline` at the latest.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`PopTimeoutError::TimedOut`] or [`PopTimeoutError::Closed`]; never if `max` is 0.
    pub fn pop_many_deadline(
        &self,
        items: &mut Vec<T>,
        max: usize,
        deadline: Instant,
    ) -> Result<usize, PopTimeoutError> {
        self.pop_many_until(items, max, Some(deadline))
    }

    fn pop_many_until(
        &self,
        items: &mut Vec<T>,
        max: usize,
        deadline: Option<Instant>,
    ) -> Result<usize, PopTimeoutError> {
        if let Some(result) = self.spin_pop(Spin::new(), deadline, || self.try_pop_many(items, max))
        {
            return result;
        }
        let result = self.drive(pin!(self.pop_many_async(items, max)), deadline);
        match result {
            Some(result) => result.map_err(PopTimeoutError::from),
            None => self.try_pop_many(items, max).map_err(TryPopError::at_deadline),
        }
    }

    /// [`pop_many`](BoundedQueue::pop_many) as a task of any executor.
    ///
    /// # Errors
    ///
    /// As [`pop_many`](BoundedQueue::pop_many).
    ///
    /// # Cancel safety
    ///
    /// Items are taken in the poll that returns them: a dropped future has taken none.
    pub fn pop_many_async<'a>(&'a self, items: &'a mut Vec<T>, max: usize) -> PopManyFuture<'a, T> {
        PopManyFuture::new(self, items, max)
    }

    /// One look for up to `max` items, and no more than there can be at a time: senders may keep up.
    /// The vector grows before an item is taken, and has it before a sender is woken: neither a
    /// failing allocation nor a waker that panics loses one.
    pub(super) fn pop_many_once(&self, items: &mut Vec<T>, max: usize) -> Result<usize, Refusal> {
        let max = max.min(self.capacity());
        let mut count = 0;
        while count < max {
            let most = WAKE_BATCH.min(max - count);
            let taken = match self.ring.pop_run(items, most) {
                Ok((taken, senders_wait)) => {
                    if senders_wait {
                        self.wake_senders(taken);
                    }
                    taken
                }
                Err(refusal) if count == 0 => return Err(refusal),
                Err(_) => break,
            };
            count += taken;
            if taken < most {
                break;
            }
        }
        Ok(count)
    }
}
