//! Manual-reset event: a flag that threads and tasks wait for.
//!
//! # The word
//!
//! ```text
//!   1        0
//!  ┌────────┬─────┐
//!  │ QUEUED │ SET │
//!  └────────┴─────┘
//! ```
//!
//! | part | meaning | changed by |
//! |---|---|---|
//! | `SET` | the flag | `set` and `clear`, by RMW; while there are waiters `set` holds the list lock |
//! | `QUEUED` | the list is not empty | under the list lock only (I1) |
//!
//! The first waiter registers by an RMW that fails if `SET` is there; `set` by an RMW that sees
//! whether there are waiters: one word, so nobody sleeps beside a set flag (I4). Behind the first
//! one a look suffices: while `QUEUED` is set, only the holder of the list lock sets the flag.
//!
//! # Set, then clear
//!
//! Who was waiting at `set` is freed by its node's state, never by looking at the flag again, so a
//! `clear` right behind frees nobody less. Whoever came after the `clear` is not freed: each node
//! carries the epoch at which it was queued, `set` begins a new one, and takes nodes of older ones
//! from the front. Flag and epoch change in one section of the list lock; otherwise a thread that
//! has seen the flag could clear it, wait, and be freed by the `set` that it has seen.
//!
//! # Cancellation
//!
//! A freed waiter owes nothing: there is nothing to pass on.

#![expect(unsafe_code, reason = "each wait uses one node with one queue")]

use crate::error::TimedOut;
use crate::sys::atomic::{AtomicFlags, Ordering};
use crate::sys::{Spin, const_fn, deadline_after, is_past};
use crate::wait::{
    Epoch, Locked, Node, Place, Stamp, State, WaitQueue, discard, drive_by, finished,
};
use futures_core::FusedFuture;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

const SET: u32 = 1;
const QUEUED: u32 = 2;

/// A value of the word.
#[derive(Clone, Copy)]
struct Word(u32);

impl Word {
    const fn is_set(self) -> bool {
        self.0 & SET != 0
    }
    const fn is_queued(self) -> bool {
        self.0 & QUEUED != 0
    }
}

/// A flag that threads and tasks wait for until it is set. It stays set until it is cleared.
///
/// Threads wait with [`wait`](Event::wait), tasks with [`wait_async`](Event::wait_async). `set()`
/// frees everyone who was waiting, also if a `clear()` follows at once, and nobody who came after
/// that `clear()`. A future is waiting from its first poll on, not before; a thread in
/// [`wait`](Event::wait) from the moment it is registered, which without a timeout is after a short
/// spin. Who pulses, `set(); clear();`, should look at [`waiting`](Event::waiting) first: a thread
/// that still spins may miss it.
///
/// # Memory effects
///
/// What happened before a `set`, also one on an event that is set already, happens before the
/// return of every wait and every [`is_set`](Event::is_set) that observes it.
///
/// # Examples
///
/// ```
/// use bifrons::Event;
/// use std::sync::Arc;
///
/// let ready = Arc::new(Event::new());
/// let other = Arc::clone(&ready);
/// let thread = std::thread::spawn(move || other.wait());
/// ready.set();
/// futures::executor::block_on(ready.wait_async());
/// thread.join().unwrap();
/// ```
pub struct Event {
    /// Under the list lock: the epoch.
    queue: WaitQueue<AtomicFlags, Epoch, Stamp>,
}

impl Event {
    const_fn! {
        /// An event that is clear.
        pub const fn new() -> Self {
            Self { queue: WaitQueue::new(AtomicFlags::new(0), Epoch::new()) }
        }
    }

    #[inline]
    fn word(&self, order: Ordering) -> Word {
        Word(self.queue.word.load(order))
    }

    /// Sets the flag, and frees everyone who waits.
    #[inline]
    pub fn set(&self) {
        let mut word = self.word(Ordering::Relaxed);
        while !word.is_queued() {
            // Release, also where the flag is set already: pairs with the Acquire of whoever sees
            // it. Relaxed on failure: nothing was set.
            match self.queue.word.compare_exchange_weak(
                word.0,
                word.0 | SET,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(seen) => word = Word(seen),
            }
        }
        self.set_and_wake();
    }

    #[cold]
    fn set_and_wake(&self) {
        let mut began = None;
        self.queue.wake_all(|list, batch| {
            let began = *began.get_or_insert_with(|| {
                // Release: as in `set`.
                self.queue.word.fetch_or(SET, Ordering::Release);
                list.advance()
            });
            // The waiters are released by their nodes' states.
            let now = **list;
            list.drain(State::Granted, batch, |since| now.has_met(since, began));
            Self::note_departures(list);
        });
    }

    /// Clears the flag.
    #[inline]
    pub fn clear(&self) {
        // Acquire: whoever clears sees what the `set` that it undoes has published, so that it may
        // look for more work before it waits again.
        self.queue.word.fetch_and(!SET, Ordering::Acquire);
    }

    /// Whether the flag is set.
    #[inline]
    pub fn is_set(&self) -> bool {
        // Acquire: pairs with the Release in `set`.
        self.word(Ordering::Acquire).is_set()
    }

    /// Waits until the flag is set. Once the wait is registered, a flag that is set and cleared again
    /// ends it, too; see the [type](Event).
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits: not for a thread that runs tasks.
    #[inline]
    pub fn wait(&self) {
        if self.is_set() {
            return;
        }
        self.wait_slow();
    }

    #[cold]
    fn wait_slow(&self) {
        let mut spin = Spin::for_signal();
        while spin.again() {
            if self.is_set() {
                return;
            }
        }
        let waited = self.drive(None);
        debug_assert!(waited.is_some(), "there is no deadline");
    }

    /// [`wait`](Event::wait) for at most `timeout`; zero only looks, and what the clock cannot
    /// represent waits for ever.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if the flag was not set in time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let event = bifrons::Event::new();
    /// assert!(event.wait_timeout(Duration::from_millis(1)).is_err());
    /// event.set();
    /// assert!(event.wait_timeout(Duration::ZERO).is_ok());
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> Result<(), TimedOut> {
        self.wait_until(deadline_after(timeout))
    }

    /// [`wait`](Event::wait) until `deadline`.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if the flag was not set in time.
    pub fn wait_deadline(&self, deadline: Instant) -> Result<(), TimedOut> {
        self.wait_until(Some(deadline))
    }

    fn wait_until(&self, deadline: Option<Instant>) -> Result<(), TimedOut> {
        if self.is_set() {
            return Ok(());
        }
        if deadline.is_some_and(is_past) {
            return Err(TimedOut);
        }
        self.drive(deadline).ok_or(TimedOut)
    }

    fn drive(&self, deadline: Option<Instant>) -> Option<()> {
        drive_by(pin!(self.wait_async()), deadline, Spin::for_signal())
    }

    /// Waits as a task of any executor, from the first poll on.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future withdraws the wait; nothing is lost.
    #[inline]
    pub fn wait_async(&self) -> EventFuture<'_> {
        EventFuture { wait: Wait { event: Some(self), node: Node::new(0) } }
    }

    /// How many threads and tasks are registered and not yet freed: a snapshot.
    pub fn waiting(&self) -> usize {
        self.queue.lock().len()
    }

    /// # Safety
    ///
    /// `node` is only ever queued on this event, and [`Event::cancel`] is called before it is
    /// freed.
    #[inline]
    unsafe fn poll(&self, node: Pin<&Node<Stamp>>, cx: &Context<'_>) -> Poll<()> {
        match node.state() {
            State::Idle if self.is_set() => return Poll::Ready(()),
            State::Granted => {
                node.reset();
                return Poll::Ready(());
            }
            _ => {}
        }
        // SAFETY: the caller's promise.
        unsafe { self.poll_slow(node, cx) }
    }

    /// # Safety
    ///
    /// As for [`Event::poll`].
    unsafe fn poll_slow(&self, node: Pin<&Node<Stamp>>, cx: &Context<'_>) -> Poll<()> {
        loop {
            match node.state() {
                State::Granted => {
                    node.reset();
                    return Poll::Ready(());
                }
                State::Queued => {
                    if self.is_set() {
                        // SAFETY: the caller's promise.
                        unsafe { self.cancel(node) };
                        return Poll::Ready(());
                    }
                    // SAFETY: the caller's promise.
                    if unsafe { self.queue.refresh(node, cx) } {
                        return Poll::Pending;
                    }
                }
                State::Idle | State::Notified => {
                    let waker = cx.waker().clone();
                    let mut list = self.queue.lock_for_insert();
                    if !self.register() {
                        drop(list);
                        discard(Some(waker));
                        return Poll::Ready(());
                    }
                    let now = list.stamp();
                    // SAFETY: in no list; the rest is the caller's promise.
                    unsafe { list.insert(node, Place::Back, waker, now) };
                    return Poll::Pending;
                }
            }
        }
    }

    /// Under the list lock: announces a waiter, unless the flag is set. The RMW is the proof that
    /// a later `set` will see it (I4).
    fn register(&self) -> bool {
        let mut word = self.word(Ordering::Acquire);
        while !word.is_set() {
            if word.is_queued() {
                return true;
            }
            // Acquire on failure: the flag may be what was seen; it pairs with the Release in
            // `set`. Relaxed on success: nothing but the announcement.
            match self.queue.word.compare_exchange_weak(
                word.0,
                word.0 | QUEUED,
                Ordering::Relaxed,
                Ordering::Acquire,
            ) {
                Ok(_) => return true,
                Err(seen) => word = Word(seen),
            }
        }
        false
    }

    /// # Safety
    ///
    /// `node` is only ever queued on this event.
    #[inline(never)]
    unsafe fn cancel(&self, node: Pin<&Node<Stamp>>) {
        // SAFETY: the caller's promise.
        let (_, _stale) = unsafe { self.queue.withdraw(node, Self::note_departures) };
    }

    /// Under the list lock: waiters have left.
    #[inline]
    fn note_departures(list: &mut Locked<'_, AtomicFlags, Epoch, Stamp>) {
        if list.is_empty() {
            // Relaxed: the list lock orders those who queue.
            list.word().fetch_and(!QUEUED, Ordering::Relaxed);
        }
    }
}

impl Default for Event {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("set", &self.is_set())
            .field("waiting", &self.waiting())
            .finish()
    }
}

pin_project! {
    /// The future of [`Event::wait_async`].
    #[must_use = "futures do nothing unless polled"]
    pub struct EventFuture<'a> {
        #[pin]
        wait: Wait<&'a Event>,
    }
}

pin_project! {
    /// Generic, so that its code is made where it is used, and a wait that is over at once costs no
    /// call.
    struct Wait<E: Deref<Target = Event>> {
        // `None` after completion.
        event: Option<E>,
        #[pin]
        node: Node<Stamp>,
    }

    impl<E: Deref<Target = Event>> PinnedDrop for Wait<E> {
        #[inline]
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(event) = this.event.take() {
                // SAFETY: the node is only ever queued on this event.
                unsafe { event.cancel(this.node.as_ref()) };
            }
        }
    }
}

impl<E: Deref<Target = Event>> Future for Wait<E> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let Some(event) = this.event.as_deref() else { finished("EventFuture") };
        // SAFETY: the node is only ever queued on this event; `drop` cancels.
        let poll = unsafe { event.poll(this.node.as_ref(), cx) };
        if poll.is_ready() {
            *this.event = None;
        }
        poll
    }
}

impl Future for EventFuture<'_> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().wait.poll(cx)
    }
}

impl FusedFuture for EventFuture<'_> {
    fn is_terminated(&self) -> bool {
        self.wait.event.is_none()
    }
}

impl fmt::Debug for EventFuture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventFuture").field("wait", &self.wait.node).finish_non_exhaustive()
    }
}
