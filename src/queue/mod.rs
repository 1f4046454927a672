//! Bounded queue: many producers, many consumers, threads and tasks.
//!
//! [`ring`] holds the items and never waits; [`waiter`] puts operations to sleep beside it, one
//! wait list for each side; [`future`], [`slot`] and [`stream`] are the operations. The faces here
//! and in [`batch`] are one driver over them, but for the [`blocking`] push and pop, which may be
//! done by who wakes them.

mod batch;
mod blocking;
mod future;
mod ring;
mod slot;
mod stream;
mod waiter;

pub use self::future::{PopFuture, PopManyFuture, PushFuture, PushManyFuture, ReserveFuture};
pub use self::slot::Slot;
pub use self::stream::{Drain, Iter, PopStream, PushSink, TryIter};

use self::ring::{Blocked, Place, Refusal, Ring};
use self::waiter::WaitList;
use crate::error::{
    PopError, PopTimeoutError, PushError, PushTimeoutError, TryPopError, TryPushError,
};
use crate::sys::{GapWait, PollSpin, deadline_after, is_past};
use std::fmt;
use std::pin::pin;
use std::time::{Duration, Instant};

/// A first-in, first-out queue of at most `capacity` items, for threads and tasks on either end.
///
/// Threads use [`push`](BoundedQueue::push) and [`pop`](BoundedQueue::pop), tasks
/// [`push_async`](BoundedQueue::push_async) and [`pop_async`](BoundedQueue::pop_async). Share it
/// by reference or in an `Arc`; every end may do everything.
///
/// # Closing
///
/// After [`close`](BoundedQueue::close) pushes fail and give the item back; pops drain what is
/// left, then fail. [`close_now`](BoundedQueue::close_now) takes what is left.
///
/// # Cancel safety
///
/// No item is lost or duplicated by a cancel, a timeout or a close. An item stays in the queue
/// until a pop takes it; a future takes it in the poll that returns it. A cancelled push has not
/// pushed, and its item is dropped with the future, unless [`PushFuture::take`] takes it back.
/// [`reserve`](BoundedQueue::reserve) waits for room without an item.
///
/// An operation may wake a waiter. If its waker panics, the panic comes out of the call when the
/// operation is done: an item to be pushed is in the queue, or, if it was rejected, dropped with the
/// panic; so is what was taken out, but for [`pop_many`](BoundedQueue::pop_many), which leaves it in
/// the vector.
///
/// # Reserving
///
/// A [`Slot`] holds room, not a place in the order. At most 65 535 can be out at a time; while they
/// are, the queue counts as full for all but [`force_push`](BoundedQueue::force_push).
///
/// # Fairness
///
/// Items leave in the order in which they entered. Waiters are woken in the order in which they
/// came, one for each item or room, but newcomers may be faster; who then finds nothing waits in front
/// again, of several such the one that looked last. A thread in a blocking push or pop may find done
/// what it waits for: who makes room pushes its item, who pushes an item pops one for it. One that is
/// unparked by something else, tries, and finds nothing, waits at the end again.
///
/// A future that has been woken, is kept, but is never polled again and never dropped, keeps its
/// wake-up from the waiters behind it, until the next item or room wakes one; if everybody waits by
/// then, on either side, until it is polled or dropped.
///
/// # Spinning
///
/// A thread looks again for a few microseconds, and gives its CPU away a few times, before it parks. A
/// poll looks once; but where waiters were lately woken from other threads, a poll of a push, a pop or
/// a stream looks up to 16 times, with a pause of the CPU before each, and up to 64 times while that
/// pays. A run of polls in vain ends it; and where the tasks of a thread go on meeting the other side,
/// every 8192nd wait looks once again.
///
/// # Memory effects
///
/// What happened before a push happens before the return of the pop that gets its item; what
/// happened before [`close`](BoundedQueue::close) before the return of whatever fails because of
/// it.
///
/// # Examples
///
/// A thread produces, a task consumes:
///
/// ```
/// use bifrons::BoundedQueue;
/// use std::sync::Arc;
///
/// let queue = Arc::new(BoundedQueue::new(2));
/// let other = Arc::clone(&queue);
/// let producer = std::thread::spawn(move || {
///     for number in 1..=4 {
///         other.push(number).unwrap();
///     }
///     other.close();
/// });
/// let sum = futures::executor::block_on(async {
///     let mut sum = 0;
///     while let Ok(number) = queue.pop_async().await {
///         sum += number;
///     }
///     sum
/// });
/// assert_eq!(sum, 10);
/// producer.join().unwrap();
/// ```
pub struct BoundedQueue<T> {
    ring: Ring<T>,
    senders: WaitList,
    receivers: WaitList,
    poll_spin: PollSpin,
}

impl<T> BoundedQueue<T> {
    /// An empty queue that holds up to `capacity` items. The memory is allocated here, once.
    ///
    /// # Panics
    ///
    /// If `capacity` is 0, or beyond 2^40.
    #[track_caller]
    pub fn new(capacity: usize) -> Self {
        Self {
            ring: Ring::new(capacity),
            senders: WaitList::new((), ()),
            receivers: WaitList::new((), ()),
            poll_spin: PollSpin::new(),
        }
    }

    /// Pushes if there is room at once.
    ///
    /// It waits for no event, but may spin while another thread is half-way through a pop, so that
    /// `Full` is true.
    ///
    /// # Errors
    ///
    /// The item comes back: [`TryPushError::Full`] or [`TryPushError::Closed`].
    ///
    /// # Examples
    ///
    /// ```
    /// use bifrons::{BoundedQueue, TryPushError};
    ///
    /// let queue = BoundedQueue::new(1);
    /// queue.try_push('a').unwrap();
    /// assert_eq!(queue.try_push('b'), Err(TryPushError::Full('b')));
    /// ```
    #[inline]
    pub fn try_push(&self, item: T) -> Result<(), TryPushError<T>> {
        match self.ring.claim_push_at_once() {
            Some(place) => {
                self.fill(place, item);
                Ok(())
            }
            None => self.try_push_again(item),
        }
    }

    #[inline(never)]
    fn try_push_again(&self, item: T) -> Result<(), TryPushError<T>> {
        let mut gap = GapWait::new();
        loop {
            match self.ring.claim_push() {
                Ok(place) => {
                    self.fill(place, item);
                    return Ok(());
                }
                Err(Refusal::Blocked) => return Err(TryPushError::Full(item)),
                Err(Refusal::Closed) => return Err(TryPushError::Closed(item)),
                Err(Refusal::Busy) => self.ring.wait(&mut gap),
            }
        }
    }

    /// Puts an item in its place; a receiver is woken for it.
    #[inline]
    fn fill(&self, place: Place<'_, T>, item: T) {
        if place.write(item) {
            self.wake_one(Blocked::Receivers);
        }
    }

    /// Pushes, waiting for room as long as it takes.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits: not for a thread that runs tasks.
    ///
    /// # Errors
    ///
    /// [`PushError`] with the item if the queue is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = bifrons::BoundedQueue::new(1);
    /// queue.push(1).unwrap();
    /// queue.close();
    /// assert_eq!(queue.push(2).unwrap_err().into_inner(), 2);
    /// assert_eq!(queue.pop(), Ok(1));
    /// assert!(queue.pop().is_err());
    /// ```
    #[inline]
    pub fn push(&self, item: T) -> Result<(), PushError<T>> {
        match self.ring.claim_push_at_once() {
            Some(place) => {
                self.fill(place, item);
                Ok(())
            }
            None => self.push_again(item),
        }
    }

    #[inline(never)]
    fn push_again(&self, item: T) -> Result<(), PushError<T>> {
        match self.push_until(item, None) {
            Ok(()) => Ok(()),
            Err(PushTimeoutError::Closed(item)) => Err(PushError(item)),
            Err(PushTimeoutError::TimedOut(_)) => unreachable!("there is no deadline"),
        }
    }

    /// [`push`](BoundedQueue::push) for at most `timeout`; zero only tries, and what the clock
    /// cannot represent waits for ever.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// The item comes back: [`PushTimeoutError::TimedOut`] or [`PushTimeoutError::Closed`].
    pub fn push_timeout(&self, item: T, timeout: Duration) -> Result<(), PushTimeoutError<T>> {
        self.push_until(item, deadline_after(timeout))
    }

    /// [`push`](BoundedQueue::push) until `deadline`.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// The item comes back: [`PushTimeoutError::TimedOut`] or [`PushTimeoutError::Closed`].
    pub fn push_deadline(&self, item: T, deadline: Instant) -> Result<(), PushTimeoutError<T>> {
        self.push_until(item, Some(deadline))
    }

    /// Pushes, waiting for room as a task of any executor.
    ///
    /// # Errors
    ///
    /// [`PushError`] with the item if the queue is closed.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has not pushed: the item is dropped with it, unless
    /// [`PushFuture::take`] takes it back first. Room that it was woken for goes to the next.
    pub fn push_async(&self, item: T) -> PushFuture<'_, T> {
        PushFuture::new(self, item)
    }

    /// Pops if there is an item at once.
    ///
    /// It waits for no event, but may spin while another thread is half-way through a push, so
    /// that `Empty` is true.
    ///
    /// # Errors
    ///
    /// [`TryPopError::Empty`], or [`TryPopError::Closed`] if no item will ever come.
    #[inline]
    pub fn try_pop(&self) -> Result<T, TryPopError> {
        match self.pop_at_once() {
            Some(item) => Ok(item),
            None => self.try_pop_again(),
        }
    }

    #[inline(never)]
    fn try_pop_again(&self) -> Result<T, TryPopError> {
        let mut gap = GapWait::new();
        loop {
            match self.pop_once() {
                Ok(item) => return Ok(item),
                Err(Refusal::Blocked) => return Err(TryPopError::Empty),
                Err(Refusal::Closed) => return Err(TryPopError::Closed),
                Err(Refusal::Busy) => self.ring.wait(&mut gap),
            }
        }
    }

    /// Pops, waiting for an item as long as it takes.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits: not for a thread that runs tasks.
    ///
    /// # Errors
    ///
    /// [`PopError`] if the queue is closed and drained.
    #[inline]
    pub fn pop(&self) -> Result<T, PopError> {
        match self.pop_at_once() {
            Some(item) => Ok(item),
            None => self.pop_again(),
        }
    }

    #[inline(never)]
    fn pop_again(&self) -> Result<T, PopError> {
        match self.pop_until(None) {
            Ok(item) => Ok(item),
            Err(PopTimeoutError::Closed) => Err(PopError),
            Err(PopTimeoutError::TimedOut) => unreachable!("there is no deadline"),
        }
    }

    /// [`pop`](BoundedQueue::pop) for at most `timeout`; zero only tries, and what the clock
    /// cannot represent waits for ever.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`PopTimeoutError::TimedOut`], or [`PopTimeoutError::Closed`] if no item will ever come.
    pub fn pop_timeout(&self, timeout: Duration) -> Result<T, PopTimeoutError> {
        self.pop_until(deadline_after(timeout))
    }

    /// [`pop`](BoundedQueue::pop) until `deadline`.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`PopTimeoutError::TimedOut`], or [`PopTimeoutError::Closed`] if no item will ever come.
    pub fn pop_deadline(&self, deadline: Instant) -> Result<T, PopTimeoutError> {
        self.pop_until(Some(deadline))
    }

    /// Pops, waiting for an item as a task of any executor.
    ///
    /// # Errors
    ///
    /// [`PopError`] if the queue is closed and drained.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no item: it stays in the queue until a pop returns it, and an item
    /// that it was woken for goes to the next.
    pub fn pop_async(&self) -> PopFuture<'_, T> {
        PopFuture::new(self)
    }

    /// One look for an item and one try to take it; a sender is woken for the room.
    #[inline]
    fn pop_at_once(&self) -> Option<T> {
        let (item, senders_wait) = self.ring.pop_at_once()?;
        if senders_wait {
            self.wake_one(Blocked::Senders);
        }
        Some(item)
    }

    /// [`BoundedQueue::pop_at_once`] that says why there is nothing.
    #[inline]
    fn pop_once(&self) -> Result<T, Refusal> {
        let (item, senders_wait) = self.ring.pop()?;
        if senders_wait {
            self.wake_one(Blocked::Senders);
        }
        Ok(item)
    }

    /// Pushes in any case: a full queue loses its oldest item, which is returned.
    ///
    /// Where all room is reserved there is nothing to evict, and the new item is returned. It waits
    /// for no event, but may spin while another thread is half-way through a push or a pop.
    ///
    /// # Errors
    ///
    /// [`PushError`] with the item if the queue is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// let latest = bifrons::BoundedQueue::new(1);
    /// assert_eq!(latest.force_push(1), Ok(None));
    /// assert_eq!(latest.force_push(2), Ok(Some(1)));
    /// assert_eq!(latest.pop(), Ok(2));
    /// ```
    pub fn force_push(&self, item: T) -> Result<Option<T>, PushError<T>> {
        let (evicted, receivers_wait) = self.ring.force_push(item).map_err(PushError)?;
        if receivers_wait {
            self.wake_one(Blocked::Receivers);
        }
        Ok(evicted)
    }

    /// Reserves room for one item if there is room at once.
    ///
    /// It waits for no event, but may spin while another thread is half-way through a pop, so that
    /// `Full` is true.
    ///
    /// # Errors
    ///
    /// [`TryPushError::Full`] or [`TryPushError::Closed`].
    pub fn try_reserve(&self) -> Result<Slot<'_, T>, TryPushError<()>> {
        let mut gap = GapWait::new();
        loop {
            match self.ring.reserve() {
                Ok(()) => return Ok(Slot::new(self)),
                Err(Refusal::Blocked) => return Err(TryPushError::Full(())),
                Err(Refusal::Closed) => return Err(TryPushError::Closed(())),
                Err(Refusal::Busy) => self.ring.wait(&mut gap),
            }
        }
    }

    /// Reserves room for one item, waiting as long as it takes.
    ///
    /// A [`Slot`] holds room, not a place in the order.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits: not for a thread that runs tasks.
    ///
    /// # Errors
    ///
    /// [`PushError`] if the queue is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = bifrons::BoundedQueue::new(2);
    /// let slot = queue.reserve().unwrap();
    /// queue.push("passes the slot").unwrap();
    /// assert!(queue.try_push("no room").is_err());
    /// slot.push("last").unwrap();
    /// assert_eq!(queue.try_iter().collect::<Vec<_>>(), ["passes the slot", "last"]);
    /// ```
    pub fn reserve(&self) -> Result<Slot<'_, T>, PushError<()>> {
        match self.reserve_until(None) {
            Ok(slot) => Ok(slot),
            Err(PushTimeoutError::Closed(())) => Err(PushError(())),
            Err(PushTimeoutError::TimedOut(())) => unreachable!("there is no deadline"),
        }
    }

    /// [`reserve`](BoundedQueue::reserve) for at most `timeout`.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`PushTimeoutError::TimedOut`] or [`PushTimeoutError::Closed`].
    pub fn reserve_timeout(&self, timeout: Duration) -> Result<Slot<'_, T>, PushTimeoutError<()>> {
        self.reserve_until(deadline_after(timeout))
    }

    /// [`reserve`](BoundedQueue::reserve) until `deadline`.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`PushTimeoutError::TimedOut`] or [`PushTimeoutError::Closed`].
    pub fn reserve_deadline(&self, deadline: Instant) -> Result<Slot<'_, T>, PushTimeoutError<()>> {
        self.reserve_until(Some(deadline))
    }

    fn reserve_until(
        &self,
        deadline: Option<Instant>,
    ) -> Result<Slot<'_, T>, PushTimeoutError<()>> {
        match self.try_reserve() {
            Err(TryPushError::Full(())) if !deadline.is_some_and(is_past) => {}
            result => return result.map_err(TryPushError::at_deadline),
        }
        let result = self.drive(pin!(self.reserve_async()), deadline);
        match result {
            Some(result) => result.map_err(PushTimeoutError::from),
            None => self.try_reserve().map_err(TryPushError::at_deadline),
        }
    }

    /// Reserves room for one item, waiting as a task of any executor.
    ///
    /// # Errors
    ///
    /// [`PushError`] if the queue is closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future withdraws the wait; room that it was woken for goes to the next.
    pub fn reserve_async(&self) -> ReserveFuture<'_, T> {
        ReserveFuture::new(self)
    }

    /// Closes the queue: pushes fail from now on, pops drain what is left. Wakes everyone.
    ///
    /// Closing again changes nothing.
    pub fn close(&self) {
        self.ring.close();
        self.wake_everyone();
    }

    /// Closes the queue and takes what is left in it.
    ///
    /// What the iterator has not yielded when it is dropped is dropped with it.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = bifrons::BoundedQueue::new(2);
    /// queue.push_many([1, 2]).unwrap();
    /// assert_eq!(queue.close_now().collect::<Vec<_>>(), [1, 2]);
    /// assert!(queue.pop().is_err());
    /// ```
    pub fn close_now(&self) -> Drain<T> {
        self.ring.close();
        let items = Drain::new(self.ring.drain());
        self.wake_everyone();
        items
    }

    /// Whether the queue is closed. It never opens again.
    pub fn is_closed(&self) -> bool {
        self.ring.is_closed()
    }

    /// An iterator that waits for items and ends when the queue is closed and drained.
    ///
    /// # Blocking
    ///
    /// `next` parks this thread while it waits.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter::new(self)
    }

    /// An iterator over the items that are there.
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter::new(self)
    }

    /// A stream of items that ends when the queue is closed and drained.
    ///
    /// # Cancel safety
    ///
    /// Dropping the stream, or a `next` of it, loses no item. The wait is the stream's: it lasts until
    /// the stream is polled to an item or dropped, also if a `next` was dropped. So a stream that is
    /// kept and not polled keeps the wake-up that it may get from the waiters behind it.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::StreamExt;
    ///
    /// let queue = bifrons::BoundedQueue::new(2);
    /// queue.push_many([1, 2]).unwrap();
    /// queue.close();
    /// let items: Vec<_> = futures::executor::block_on(queue.stream().collect());
    /// assert_eq!(items, [1, 2]);
    /// ```
    pub fn stream(&self) -> PopStream<'_, T> {
        PopStream::new(self)
    }

    /// A sink that pushes. Flushing it is nothing; closing it gives back what `poll_ready` has
    /// reserved; the queue stays open, for others may still push.
    ///
    /// # Cancel safety
    ///
    /// `poll_ready` reserves room, and closing or dropping the sink gives it back. An item that was
    /// accepted is in the queue; one that meets a close in `start_send` is dropped. As of a
    /// [`stream`](BoundedQueue::stream), the wait is the sink's.
    pub fn sink(&self) -> PushSink<'_, T> {
        PushSink::new(self)
    }

    /// How many items the queue can hold.
    pub fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    /// How many items are in the queue: a snapshot.
    pub fn len(&self) -> usize {
        self.ring.snapshot().0
    }

    /// Whether a pop would find nothing: a snapshot.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a push would find no room, reserved room counted: a snapshot.
    pub fn is_full(&self) -> bool {
        let (len, reserved, _) = self.ring.snapshot();
        len + reserved >= self.capacity() || reserved as u64 == ring::MAX_RESERVED
    }

    /// How many threads and tasks are registered, on either side, and not yet woken: a snapshot.
    pub fn waiting(&self) -> usize {
        let senders = self.senders.lock().len();
        senders + self.receivers.lock().len()
    }
}

impl<'a, T> IntoIterator for &'a BoundedQueue<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> fmt::Debug for BoundedQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (len, reserved, closed) = self.ring.snapshot();
        // Before anything is written: the writer is the caller's code, and may use the queue.
        let senders = self.senders.lock().len();
        let receivers = self.receivers.lock().len();
        f.debug_struct("BoundedQueue")
            .field("len", &len)
            .field("reserved", &reserved)
            .field("capacity", &self.capacity())
            .field("closed", &closed)
            .field("waiting_senders", &senders)
            .field("waiting_receivers", &receivers)
            .finish()
    }
}
