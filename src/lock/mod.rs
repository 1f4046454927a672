//! Mutual exclusion for threads and tasks on one object.
//!
//! [`raw`] has the protocol, [`guard`] what it protects, [`future`] the waiting operation. The
//! faces here are one driver over that operation.

mod future;
mod guard;
mod raw;

pub(crate) use self::raw::RawLock;

pub use self::future::{LockFuture, OwnedLockFuture};
pub use self::guard::{LockGuard, MappedLockGuard, OwnedLockGuard};

use crate::error::TimedOut;
use crate::sys::{Arc, DataCell, const_fn, deadline_after};
use std::fmt;
use std::time::{Duration, Instant};

/// Mutual exclusion: one thread or one task at a time has the value.
///
/// Threads lock with [`lock`](Lock::lock), tasks with [`lock_async`](Lock::lock_async); they
/// contend for the same lock. A panic in a holder releases the lock; there is no poisoning.
///
/// # Fairness
///
/// The lock *barges*: it is released first, then the longest waiter is woken and competes with
/// whoever comes by. Barging has a bound. A blocked thread that has waited for 0.5 ms makes
/// newcomers queue until it had its turn (one thread does so at a time; another one looks again
/// after 1 ms, when the first has had its turn; with more than 15 waiters up to 10 ms). While they
/// queue a lock may be free, and refused, for up to 1 ms. The first waiter, if it is a task, is woken
/// every 32 unlocks or so at the latest, and returns to the front when it loses.
/// [`LockGuard::unlock_fair`] hands the lock to the first waiter.
///
/// Not promised: first come, first served. And a future that has been woken, is kept, but never
/// polled again and never dropped, delays those who queue behind it for up to 32 unlocks; if
/// nobody ever locks again, the tasks among them wait (a thread takes a free lock after 0.5 ms).
///
/// # Memory effects
///
/// Everything done while holding the lock happens before everything done by the next holder.
///
/// # Examples
///
/// A thread and a task share one lock:
///
/// ```
/// use bifrons::Lock;
///
/// static HITS: Lock<u32> = Lock::new(0);
///
/// let thread = std::thread::spawn(|| *HITS.lock() += 1);
/// futures::executor::block_on(async { *HITS.lock_async().await += 1 });
/// thread.join().unwrap();
/// assert_eq!(*HITS.lock(), 2);
/// ```
pub struct Lock<T: ?Sized> {
    raw: RawLock,
    data: DataCell<T>,
}

impl<T> Lock<T> {
    const_fn! {
        /// A free lock around `value`.
        ///
        /// Under `cfg(loom)` this is not `const` and must be called inside `loom::model`.
        pub const fn new(value: T) -> Self {
            Self { raw: RawLock::new(), data: DataCell::new(value) }
        }
    }

    /// The value, without locking: nobody else can have the lock.
    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

impl<T: ?Sized> Lock<T> {
    /// Locks if that is possible at once.
    ///
    /// `None` if the lock is held, or if a thread that has waited for too long is to have it next.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = bifrons::Lock::new(1);
    /// let guard = lock.try_lock().unwrap();
    /// assert!(lock.try_lock().is_none());
    /// drop(guard);
    /// assert!(lock.try_lock().is_some());
    /// ```
    #[must_use = "if unused the lock is released at once"]
    #[inline]
    pub fn try_lock(&self) -> Option<LockGuard<'_, T>> {
        self.raw.try_lock().then(|| LockGuard::new(self))
    }

    /// Locks, waiting as long as it takes.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits: not for a thread that runs tasks, unless the sections
    /// under the lock are short and hold no guard across an `await`.
    ///
    /// A thread that locks again while it holds the guard waits for ever.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = bifrons::Lock::new(1);
    /// *lock.lock() += 1;
    /// assert_eq!(lock.into_inner(), 2);
    /// ```
    #[inline]
    pub fn lock(&self) -> LockGuard<'_, T> {
        self.raw.lock();
        LockGuard::new(self)
    }

    /// Blocking face of [`lock_async`](Lock::lock_async) for at most `timeout`.
    ///
    /// A timeout that the clock cannot represent waits for ever; zero only tries. A lock that is
    /// free beats a timeout that has passed, unless a thread that has waited for too long is to have
    /// it next.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if the lock was not to be had in time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let lock = bifrons::Lock::new(());
    /// let guard = lock.lock_timeout(Duration::ZERO).unwrap();
    /// assert!(lock.lock_timeout(Duration::from_millis(1)).is_err());
    /// drop(guard);
    /// ```
    pub fn lock_timeout(&self, timeout: Duration) -> Result<LockGuard<'_, T>, TimedOut> {
        self.lock_until(deadline_after(timeout))
    }

    /// Blocking face of [`lock_async`](Lock::lock_async) until `deadline`.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if the lock was not to be had in time.
    pub fn lock_deadline(&self, deadline: Instant) -> Result<LockGuard<'_, T>, TimedOut> {
        self.lock_until(Some(deadline))
    }

    fn lock_until(&self, deadline: Option<Instant>) -> Result<LockGuard<'_, T>, TimedOut> {
        if self.raw.lock_until(deadline) { Ok(LockGuard::new(self)) } else { Err(TimedOut) }
    }

    /// Locks, waiting as a task of any executor.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future withdraws the wait and loses the place in the queue. If it had been
    /// woken, the next waiter is woken in its stead; if the lock had been handed to it by
    /// [`LockGuard::unlock_fair`], it is handed on.
    ///
    /// # Fairness
    ///
    /// See the [type](Lock#fairness). Each poll tries the lock first, woken or not.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// let lock = bifrons::Lock::new(String::new());
    /// lock.lock_async().await.push('x');
    /// assert_eq!(*lock.lock_async().await, "x");
    /// # });
    /// ```
    #[inline]
    pub fn lock_async(&self) -> LockFuture<'_, T> {
        LockFuture::new(self)
    }

    /// [`try_lock`](Lock::try_lock) for a guard that keeps the lock alive.
    #[must_use = "if unused the lock is released at once"]
    pub fn try_lock_owned(self: &Arc<Self>) -> Option<OwnedLockGuard<T>> {
        self.raw.try_lock().then(|| OwnedLockGuard::new(Arc::clone(self)))
    }

    /// [`lock`](Lock::lock) for a guard that keeps the lock alive.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(bifrons::Lock::new(1));
    /// let guard = lock.lock_owned();
    /// std::thread::spawn(move || assert_eq!(*guard, 1)).join().unwrap();
    /// assert!(!lock.is_locked());
    /// ```
    pub fn lock_owned(self: &Arc<Self>) -> OwnedLockGuard<T> {
        self.raw.lock();
        OwnedLockGuard::new(Arc::clone(self))
    }

    /// [`lock_timeout`](Lock::lock_timeout) for a guard that keeps the lock alive.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if the lock was not to be had in time.
    pub fn lock_owned_timeout(
        self: &Arc<Self>,
        timeout: Duration,
    ) -> Result<OwnedLockGuard<T>, TimedOut> {
        self.lock_owned_until(deadline_after(timeout))
    }

    /// [`lock_deadline`](Lock::lock_deadline) for a guard that keeps the lock alive.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if the lock was not to be had in time.
    pub fn lock_owned_deadline(
        self: &Arc<Self>,
        deadline: Instant,
    ) -> Result<OwnedLockGuard<T>, TimedOut> {
        self.lock_owned_until(Some(deadline))
    }

    fn lock_owned_until(
        self: &Arc<Self>,
        deadline: Option<Instant>,
    ) -> Result<OwnedLockGuard<T>, TimedOut> {
        if self.raw.lock_until(deadline) {
            Ok(OwnedLockGuard::new(Arc::clone(self)))
        } else {
            Err(TimedOut)
        }
    }

    /// [`lock_async`](Lock::lock_async) for a guard that keeps the lock alive.
    ///
    /// # Cancel safety
    ///
    /// As for [`lock_async`](Lock::lock_async).
    #[inline]
    pub fn lock_owned_async(self: &Arc<Self>) -> OwnedLockFuture<T> {
        OwnedLockFuture::new(Arc::clone(self))
    }

    /// The value, without locking: nobody else can have the lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }

    /// Whether somebody has the lock: a snapshot.
    pub fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    /// How many threads and tasks are registered and not yet woken: a snapshot.
    pub fn waiting(&self) -> usize {
        self.raw.waiting()
    }
}

impl<T: Default> Default for Lock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Lock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Lock");
        let waiting = self.waiting();
        match self.try_lock() {
            Some(guard) => out.field("locked", &false).field("data", &&*guard),
            None => out.field("locked", &self.is_locked()).field("data", &format_args!("<locked>")),
        };
        out.field("waiting", &waiting).finish()
    }
}
