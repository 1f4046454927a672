//! Condition variable: wait, under a lock, until somebody says that something has changed.
//!
//! # State
//!
//! | part | meaning | changed by |
//! |---|---|---|
//! | word | whether the list has nodes | under the list lock only (I1) |
//! | `lock` | the address of the one lock that waiters have let go of | the first waiter, under the list lock; means nothing while the list is empty |
//! | `epoch` | counts notifications, so that one of many batches stops at late arrivals | `notify`, under the list lock |
//!
//! # A wait
//!
//! ```text
//!            register, then unlock             notify_one          lock again
//!   guard ─────────────────────────► Queued ──────────────► Notified ────────► guard
//!                                      │ ╲                     │
//!                              dropped │  ╲ notify_all         │ dropped, also while locking:
//!                                      ▼   ▼                   ▼ the next waiter is notified
//!                                    gone   Granted ──► lock   gone
//! ```
//!
//! Two operations follow each other: [`wait::Notification`], then the lock's own. The node is in
//! the list *before* the lock is released, so that no notification falls in between (asyncband#70,
//! #73). A notification of `notify_one` that a waiter has not used is passed on when it leaves,
//! also while it takes the lock again and when its predicate panics ([`wait::Baton`]). One of
//! `notify_all` is not: everybody has been told.
//!
//! # The early way out
//!
//! `notify` looks at the word first and takes no lock if nobody waits. That is sound for a
//! notifier that changed what it notifies about under the lock: a waiter that looked before the
//! change has registered before it released the lock, so the lock's Release and Acquire order its
//! registration before the look. A notifier that changes nothing under the lock has no order
//! relative to a waiter that could be lost.
//!
//! For a waiter that passes a notification on, the order comes from the list lock: whoever could
//! have been notified in its stead was registered when it was.
//!
//! # Timeout against notification
//!
//! Decided under the list lock: a node that is still queued has timed out; one that has left the
//! list was notified, and the wait says so.

mod guard;
mod wait;

pub use self::guard::{AsyncConditionGuard, ConditionGuard};
pub use self::wait::{ConditionFuture, ConditionWhileFuture};

use self::guard::sealed::{Relock, Token};
use self::wait::{Baton, Notification};
use crate::sys::atomic::{AtomicU32, Ordering};
use crate::sys::{Spin, const_fn, deadline_after, is_past};
use crate::wait::{Epoch, Locked, Stamp, State, WaitQueue, drive_by, finished, wake};
use std::fmt;
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

/// A place where threads and tasks wait, under a lock, for a notification.
///
/// A wait takes the guard, releases the lock, sleeps until it is notified, takes the lock again and
/// returns the guard. Threads wait with [`wait`](Condition::wait), tasks with
/// [`wait_async`](Condition::wait_async), on one condition and under one [`Lock`](crate::Lock).
///
/// Change what waiters look at *under the lock*, then notify, before or after the unlock. Use the
/// `wait_while` forms: between the notification and the lock somebody else may have changed it
/// back.
///
/// # Cancel safety
///
/// An async wait that is dropped holds nothing: its guard was given up when it was first polled. A
/// notification of [`notify_one`](Condition::notify_one) or [`notify`](Condition::notify) that it has
/// received goes to another waiter, also if it was already taking the lock again. The victims of
/// [`notify_all`](Condition::notify_all) pass nothing on.
///
/// # Memory effects
///
/// What happened before a notification happens before the return of the wait that it ends. A
/// notification that finds nobody orders nothing; the lock does.
///
/// # Panics
///
/// Waiting under two different locks on one condition at the same time panics; the condition is
/// as it was, and the lock of the guard is released. So does an async wait with a guard of a
/// [`ReentrantLock`](crate::ReentrantLock) whose owner has others: a cancelled wait would leave
/// them without the lock. So does any wait with a guard of a thread that has others, if the value is
/// neither [`Sync`] nor a cell of std ([below](Condition#reentrant-locks)), or with a guard whose hold
/// another wait of its owner has given up, unless the owner has locked anew. Of a nested hold only that
/// of the guard ends.
///
/// A waker that panics when it is woken does so out of the call that wakes it, when everyone has been
/// woken who was to be.
///
/// # Reentrant locks
///
/// The blocking waits release a [`ReentrantLock`](crate::ReentrantLock) whatever its depth, and
/// restore the depth before they return, also by a timeout or a panic. A blocking wait takes the lock
/// itself again, so it also waits for another thread of its own owner that holds it meanwhile.
///
/// What a thread has borrowed by its other guards it keeps during such a wait, while other threads
/// have the lock, and the value. So there the value has to be [`Sync`], or a [`Cell`](std::cell::Cell),
/// or a [`RefCell`](std::cell::RefCell) (whose borrows last, too) or a
/// [`OnceCell`](std::cell::OnceCell) of what is `Sync`. A thread's only guard may wait whatever the value
/// is.
///
/// If as many wait for the lock as an object can have waiters, a wait that has a depth to restore aborts
/// the process: it cannot return without.
///
/// Other guards of the same [`Owner`](crate::Owner), on other threads, hold nothing during such a wait.
/// One that is dropped by then is not restored. But the guards of an owner are not told apart: if one of
/// its threads has locked anew, or waits in the same way, the drop may count there, and end that hold
/// early. So drop them before or after the wait, or let the threads be owners of their own.
///
/// # Examples
///
/// ```
/// use bifrons::{Condition, Lock};
/// use std::sync::Arc;
///
/// let shared = Arc::new((Lock::new(0), Condition::new()));
/// let other = Arc::clone(&shared);
/// let thread = std::thread::spawn(move || {
///     let (stock, changed) = &*other;
///     *changed.wait_while(stock.lock(), |stock| *stock < 2)
/// });
/// futures::executor::block_on(async {
///     let (stock, changed) = &*shared;
///     for _ in 0..2 {
///         *stock.lock_async().await += 1;
///         changed.notify_one();
///     }
/// });
/// assert_eq!(thread.join().unwrap(), 2);
/// ```
pub struct Condition {
    queue: WaitQueue<AtomicU32, Tie, Stamp>,
}

/// A value of the word; the other one is 0.
const QUEUED: u32 = 1;

/// What the list lock guards.
struct Tie {
    lock: usize,
    epoch: Epoch,
}

impl Condition {
    const_fn! {
        /// A condition that nobody waits on.
        pub const fn new() -> Self {
            Self { queue: WaitQueue::new(AtomicU32::new(0), Tie { lock: 0, epoch: Epoch::new() }) }
        }
    }

    /// Releases the lock, waits for a notification, and takes the lock again.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits: not for a thread that runs tasks.
    ///
    /// # Panics
    ///
    /// If others wait under another lock; see the [type](Condition#panics).
    #[must_use = "the lock is released if the guard is dropped"]
    pub fn wait<G: ConditionGuard>(&self, guard: G) -> G {
        self.wait_until(guard, None).0
    }

    /// [`wait`](Condition::wait) for at most `timeout`, and for the lock after that. The flag tells
    /// whether it was notified.
    ///
    /// A timeout that the clock cannot represent waits for ever.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Panics
    ///
    /// If others wait under another lock; see the [type](Condition#panics).
    ///
    /// # Examples
    ///
    /// ```
    /// use bifrons::{Condition, Lock};
    /// use std::time::Duration;
    ///
    /// let (lock, condition) = (Lock::new(()), Condition::new());
    /// let (guard, notified) = condition.wait_timeout(lock.lock(), Duration::from_millis(1));
    /// assert!(!notified);
    /// # drop(guard);
    /// ```
    #[must_use = "the lock is released if the guard is dropped"]
    pub fn wait_timeout<G: ConditionGuard>(&self, guard: G, timeout: Duration) -> (G, bool) {
        self.wait_until(guard, deadline_after(timeout))
    }

    /// [`wait`](Condition::wait) until `deadline` at the latest, and for the lock after that. The
    /// flag tells whether it was notified.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Panics
    ///
    /// If others wait under another lock; see the [type](Condition#panics).
    #[must_use = "the lock is released if the guard is dropped"]
    pub fn wait_deadline<G: ConditionGuard>(&self, guard: G, deadline: Instant) -> (G, bool) {
        self.wait_until(guard, Some(deadline))
    }

    fn wait_until<G: ConditionGuard>(&self, guard: G, deadline: Option<Instant>) -> (G, bool) {
        let (guard, baton) = self.wait_for_notification(guard, deadline);
        let notified = baton.is_some();
        Baton::spend_if_any(baton);
        (guard, notified)
    }

    /// `None` instead of a baton: the deadline has passed.
    fn wait_for_notification<G: ConditionGuard>(
        &self,
        guard: G,
        deadline: Option<Instant>,
    ) -> (G, Option<Baton<'_>>) {
        let mut notification = pin!(Notification::new(self, guard, false));
        let mut wait = BlockingWait(notification.as_mut());
        let baton = match drive_by(wait.0.as_mut(), deadline, Spin::for_signal()) {
            Some(baton) => Some(baton),
            None => wait.0.as_mut().settle(),
        };
        let Some(lock) = wait.0.as_mut().take_lock() else { finished("Condition::wait") };
        (lock.relock(Token(())), baton)
    }

    /// Waits as long as `predicate` holds, looking again after each notification.
    ///
    /// Returns at once, without releasing the lock, if it does not hold.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits: not for a thread that runs tasks.
    ///
    /// # Panics
    ///
    /// If others wait under another lock; see the [type](Condition#panics). If `predicate` panics
    /// the guard is dropped, and a notification that was not for [all](Condition::notify_all) goes to
    /// another waiter.
    #[must_use = "the lock is released if the guard is dropped"]
    pub fn wait_while<G: ConditionGuard>(
        &self,
        guard: G,
        predicate: impl FnMut(&mut G::View) -> bool,
    ) -> G {
        self.wait_while_until(guard, predicate, None).0
    }

    /// [`wait_while`](Condition::wait_while) for at most `timeout` in all, and for the lock after
    /// that. The flag tells whether the predicate let go.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Panics
    ///
    /// As [`wait_while`](Condition::wait_while).
    #[must_use = "the lock is released if the guard is dropped"]
    pub fn wait_while_timeout<G: ConditionGuard>(
        &self,
        guard: G,
        predicate: impl FnMut(&mut G::View) -> bool,
        timeout: Duration,
    ) -> (G, bool) {
        self.wait_while_until(guard, predicate, deadline_after(timeout))
    }

    /// [`wait_while`](Condition::wait_while) until `deadline` at the latest, and for the lock after
    /// that. The flag tells whether the predicate let go.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Panics
    ///
    /// As [`wait_while`](Condition::wait_while).
    #[must_use = "the lock is released if the guard is dropped"]
    pub fn wait_while_deadline<G: ConditionGuard>(
        &self,
        guard: G,
        predicate: impl FnMut(&mut G::View) -> bool,
        deadline: Instant,
    ) -> (G, bool) {
        self.wait_while_until(guard, predicate, Some(deadline))
    }

    fn wait_while_until<G: ConditionGuard>(
        &self,
        mut guard: G,
        mut predicate: impl FnMut(&mut G::View) -> bool,
        deadline: Option<Instant>,
    ) -> (G, bool) {
        // If the predicate panics, or the time is over, the notification that led to it is passed on
        // by its drop.
        let mut baton = Some(Baton::none());
        let mut may_wait = true;
        let lets_go = loop {
            if !predicate(guard.view(Token(()))) {
                Baton::spend_if_any(baton);
                break true;
            }
            match baton {
                Some(baton) if may_wait => baton.spend(),
                baton => {
                    drop(baton);
                    break false;
                }
            }
            (guard, baton) = self.wait_for_notification(guard, deadline);
            // Notifications that keep coming make it no longer.
            may_wait = !deadline.is_some_and(is_past);
        };
        // Like the baton before the guard is on its way out, where it would be forgotten: both run user
        // code, and a panic there has to release the lock.
        drop(predicate);
        (guard, lets_go)
    }

    /// [`wait`](Condition::wait) as a task of any executor.
    ///
    /// Until it is polled, the future keeps the guard: the lock is held.
    ///
    /// # Cancel safety
    ///
    /// A dropped wait holds nothing, and passes on a notification that it has received; see the
    /// [type](Condition#cancel-safety).
    ///
    /// # Panics
    ///
    /// When polled, if others wait under another lock; see the [type](Condition#panics).
    ///
    /// # Examples
    ///
    /// ```
    /// use bifrons::{Condition, Lock};
    ///
    /// let (lock, condition) = (Lock::new(0), Condition::new());
    /// futures::executor::block_on(futures::future::join(
    ///     async {
    ///         let guard = condition.wait_async(lock.lock_async().await).await;
    ///         assert_eq!(*guard, 1);
    ///     },
    ///     async {
    ///         *lock.lock_async().await += 1;
    ///         condition.notify_one();
    ///     },
    /// ));
    /// ```
    pub fn wait_async<G: AsyncConditionGuard>(&self, guard: G) -> ConditionFuture<'_, G> {
        ConditionFuture::new(self, guard)
    }

    /// [`wait_while`](Condition::wait_while) as a task of any executor.
    ///
    /// # Cancel safety
    ///
    /// As for [`wait_async`](Condition::wait_async).
    ///
    /// # Panics
    ///
    /// When polled, as [`wait_while`](Condition::wait_while).
    pub fn wait_while_async<G, F>(&self, guard: G, predicate: F) -> ConditionWhileFuture<'_, G, F>
    where
        G: AsyncConditionGuard,
        F: FnMut(&mut G::View) -> bool,
    {
        ConditionWhileFuture::new(self, guard, predicate)
    }

    /// Wakes one waiter; `false` if there was none.
    ///
    /// # Fairness
    ///
    /// The one that has waited longest. It competes for the lock like everybody else.
    #[inline]
    pub fn notify_one(&self) -> bool {
        self.may_have_waiters() && self.notify_first()
    }

    #[cold]
    fn notify_first(&self) -> bool {
        let mut list = self.queue.lock();
        let waker = list.pop(State::Notified);
        Self::note_departures(&mut list);
        drop(list);
        let notified = waker.is_some();
        wake(waker);
        notified
    }

    /// Wakes up to `n` waiters, in the order in which they came, and returns how many.
    #[inline]
    pub fn notify(&self, n: usize) -> usize {
        if n > 0 && self.may_have_waiters() { self.notify_up_to(n, State::Notified) } else { 0 }
    }

    /// Wakes everyone who waits, and returns how many. Who comes later is not woken.
    #[inline]
    pub fn notify_all(&self) -> usize {
        if self.may_have_waiters() { self.notify_up_to(usize::MAX, State::Granted) } else { 0 }
    }

    #[inline]
    fn may_have_waiters(&self) -> bool {
        // Relaxed: see "The early way out" in the module's documentation.
        self.queue.word.load(Ordering::Relaxed) == QUEUED
    }

    /// Under the list lock: waiters have left.
    fn note_departures(list: &mut Locked<'_, AtomicU32, Tie, Stamp>) {
        if list.is_empty() {
            // Relaxed: a notifier that this concerns has held the list lock.
            list.word().store(0, Ordering::Relaxed);
        }
    }

    #[cold]
    fn notify_up_to(&self, n: usize, state: State) -> usize {
        let (mut began, mut notified) = (None, 0);
        self.queue.wake_all(|list, batch| {
            let began = *began.get_or_insert_with(|| list.epoch.advance());
            let now = list.epoch;
            list.drain(state, batch, |since| {
                let wanted = notified < n && now.has_met(since, began);
                notified += usize::from(wanted);
                wanted
            });
            Self::note_departures(list);
        });
        notified
    }

    /// How many threads and tasks are registered and not yet notified: a snapshot. Those who take
    /// the lock again are not counted.
    pub fn waiting(&self) -> usize {
        self.queue.lock().len()
    }
}

/// A blocking wait that has let go of its lock. If it unwinds (a waker that the unlock called has
/// panicked), other guards of a reentrant owner must find the lock held as they left it.
struct BlockingWait<'n, 'a, G: ConditionGuard>(Pin<&'n mut Notification<'a, G>>);

impl<G: ConditionGuard> Drop for BlockingWait<'_, '_, G> {
    fn drop(&mut self) {
        if let Some(lock) = self.0.as_mut().take_lock() {
            if lock.is_nested() {
                drop(lock.relock(Token(())));
            }
        }
    }
}

impl Default for Condition {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition").field("waiting", &self.waiting()).finish()
    }
}
