//! Counted permits for threads and tasks on one object.
//!
//! [`raw`] has the protocol, [`permit`] what is acquired, [`future`] the waiting operation.

mod future;
mod permit;
mod raw;

pub use self::future::{AcquireFuture, OwnedAcquireFuture};
pub use self::permit::{OwnedPermit, Permit};

use self::raw::RawSemaphore;
use crate::error::{ReleaseError, TimedOut};
use crate::sys::{Arc, const_fn, deadline_after, is_past};
use crate::wait::drive_by;
use std::fmt;
use std::pin::pin;
use std::time::{Duration, Instant};

/// A number of permits that threads and tasks acquire and return.
///
/// Threads acquire with [`acquire`](Semaphore::acquire), tasks with
/// [`acquire_async`](Semaphore::acquire_async), one permit or many at once; dropping the
/// [`Permit`] returns them.
///
/// # Fairness
///
/// First come, first served, from the moment a waiter is registered: a blocked thread when it has
/// stopped spinning, a future at its first poll. Nobody overtakes, not even
/// [`try_acquire`](Semaphore::try_acquire). So a large request holds up the smaller ones behind it
/// until it has been served (*head-of-line blocking*), and is never starved by them. Permits are
/// never granted in part.
///
/// A future owns its permits from the moment they are granted, before it is polled again; if it
/// is dropped, they go to the next.
///
/// # Memory effects
///
/// What happened before a permit was returned or released happens before the return of the
/// acquire that gets it.
///
/// # Examples
///
/// ```
/// use bifrons::Semaphore;
/// use std::sync::Arc;
///
/// let connections = Arc::new(Semaphore::new(2));
/// let held = connections.acquire_owned();
/// let other = Arc::clone(&connections);
/// let thread = std::thread::spawn(move || {
///     futures::executor::block_on(async { other.acquire_many_async(2).await.count() })
/// });
/// drop(held);
/// assert_eq!(thread.join().unwrap(), 2);
/// assert_eq!(connections.available(), 2);
/// ```
pub struct Semaphore {
    raw: RawSemaphore,
}

/// The one place that refuses what could never be granted, whatever `resize` does.
#[inline]
#[track_caller]
fn check_count(n: usize) {
    assert!(
        n <= Semaphore::MAX_PERMITS,
        "bifrons: acquire of {n} permits, more than Semaphore::MAX_PERMITS"
    );
}

impl Semaphore {
    /// The most permits that a semaphore can have.
    pub const MAX_PERMITS: usize = raw::MAX_PERMITS;

    const_fn! {
        /// A semaphore with `permits` available and no bound on [`release`](Semaphore::release).
        ///
        /// # Panics
        ///
        /// If `permits` exceeds [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
        pub const fn new(permits: usize) -> Self {
            Self { raw: RawSemaphore::new(permits, None) }
        }
    }

    const_fn! {
        /// A semaphore with `permits` available, and never more than that unless
        /// [`resize`](Semaphore::resize) says so.
        ///
        /// # Panics
        ///
        /// If `permits` exceeds [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
        pub const fn bounded(permits: usize) -> Self {
            Self { raw: RawSemaphore::new(permits, Some(permits)) }
        }
    }

    /// Acquires one permit if it is available and nobody queues.
    #[must_use = "if unused the permits are returned at once"]
    #[inline]
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        self.try_acquire_many(1)
    }

    /// Acquires one permit, waiting as long as it takes.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits: not for a thread that runs tasks.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = bifrons::Semaphore::new(1);
    /// let permit = semaphore.acquire();
    /// assert!(semaphore.try_acquire().is_none());
    /// drop(permit);
    /// assert!(semaphore.try_acquire().is_some());
    /// ```
    #[inline]
    pub fn acquire(&self) -> Permit<'_> {
        self.acquire_many(1)
    }

    /// [`acquire`](Semaphore::acquire) for at most `timeout`; zero only tries, and what the clock
    /// cannot represent waits for ever.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if no permit was granted in time.
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<Permit<'_>, TimedOut> {
        self.acquire_many_timeout(1, timeout)
    }

    /// [`acquire`](Semaphore::acquire) until `deadline`.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if no permit was granted in time.
    pub fn acquire_deadline(&self, deadline: Instant) -> Result<Permit<'_>, TimedOut> {
        self.acquire_many_deadline(1, deadline)
    }

    /// Acquires one permit, waiting as a task of any executor.
    ///
    /// # Cancel safety
    ///
    /// As for [`acquire_many_async`](Semaphore::acquire_many_async).
    ///
    /// # Examples
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// let semaphore = bifrons::Semaphore::new(3);
    /// let permit = semaphore.acquire_async().await;
    /// assert_eq!(semaphore.available(), 2);
    /// # drop(permit); });
    /// ```
    #[inline]
    pub fn acquire_async(&self) -> AcquireFuture<'_> {
        self.acquire_many_async(1)
    }

    /// Acquires `n` permits if they are available and nobody queues. No permits are always there.
    ///
    /// # Panics
    ///
    /// If `n` exceeds [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
    #[must_use = "if unused the permits are returned at once"]
    #[inline]
    pub fn try_acquire_many(&self, n: usize) -> Option<Permit<'_>> {
        check_count(n);
        self.raw.try_acquire(n).then(|| Permit::new(self, n))
    }

    /// Acquires `n` permits, all at once, waiting as long as it takes.
    ///
    /// More than there are waits until [`release`](Semaphore::release) or
    /// [`resize`](Semaphore::resize) has added enough.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits: not for a thread that runs tasks.
    ///
    /// # Panics
    ///
    /// If `n` exceeds [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
    #[inline]
    pub fn acquire_many(&self, n: usize) -> Permit<'_> {
        check_count(n);
        if self.raw.try_acquire(n) {
            return Permit::new(self, n);
        }
        let Some(permit) = self.wait(n, None) else { unreachable!("there is no deadline") };
        permit
    }

    /// [`acquire_many`](Semaphore::acquire_many) for at most `timeout`.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if the permits were not granted in time.
    ///
    /// # Panics
    ///
    /// If `n` exceeds [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
    pub fn acquire_many_timeout(
        &self,
        n: usize,
        timeout: Duration,
    ) -> Result<Permit<'_>, TimedOut> {
        self.acquire_many_until(n, deadline_after(timeout))
    }

    /// [`acquire_many`](Semaphore::acquire_many) until `deadline`.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if the permits were not granted in time.
    ///
    /// # Panics
    ///
    /// If `n` exceeds [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
    pub fn acquire_many_deadline(
        &self,
        n: usize,
        deadline: Instant,
    ) -> Result<Permit<'_>, TimedOut> {
        self.acquire_many_until(n, Some(deadline))
    }

    fn acquire_many_until(
        &self,
        n: usize,
        deadline: Option<Instant>,
    ) -> Result<Permit<'_>, TimedOut> {
        check_count(n);
        if self.raw.try_acquire(n) {
            return Ok(Permit::new(self, n));
        }
        if deadline.is_some_and(is_past) {
            return Err(TimedOut);
        }
        self.wait(n, deadline).ok_or(TimedOut)
    }

    #[cold]
    fn wait(&self, n: usize, deadline: Option<Instant>) -> Option<Permit<'_>> {
        let signals = || self.raw.signals();
        let spin = self.raw.spin(&signals).until(deadline);
        if self.raw.spin_acquire(n, spin) {
            return Some(Permit::new(self, n));
        }
        drive_by(pin!(self.acquire_many_async(n)), deadline, spin)
    }

    /// Acquires `n` permits, all at once, waiting as a task of any executor.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future withdraws the wait and loses the place in the queue; permits that it
    /// had been granted are returned, and whoever was held up behind it is let through.
    ///
    /// # Panics
    ///
    /// If `n` exceeds [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
    #[inline]
    pub fn acquire_many_async(&self, n: usize) -> AcquireFuture<'_> {
        check_count(n);
        AcquireFuture::new(self, n)
    }

    /// [`try_acquire`](Semaphore::try_acquire) for a permit that keeps the semaphore alive.
    #[must_use = "if unused the permits are returned at once"]
    pub fn try_acquire_owned(self: &Arc<Self>) -> Option<OwnedPermit> {
        self.try_acquire_many_owned(1)
    }

    /// [`acquire`](Semaphore::acquire) for a permit that keeps the semaphore alive.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    pub fn acquire_owned(self: &Arc<Self>) -> OwnedPermit {
        self.acquire_many_owned(1)
    }

    /// [`acquire_timeout`](Semaphore::acquire_timeout) for a permit that keeps the semaphore
    /// alive.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if no permit was granted in time.
    pub fn acquire_owned_timeout(
        self: &Arc<Self>,
        timeout: Duration,
    ) -> Result<OwnedPermit, TimedOut> {
        self.acquire_many_owned_timeout(1, timeout)
    }

    /// [`acquire_deadline`](Semaphore::acquire_deadline) for a permit that keeps the semaphore
    /// alive.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if no permit was granted in time.
    pub fn acquire_owned_deadline(
        self: &Arc<Self>,
        deadline: Instant,
    ) -> Result<OwnedPermit, TimedOut> {
        self.acquire_many_owned_deadline(1, deadline)
    }

    /// [`acquire_async`](Semaphore::acquire_async) for a permit that keeps the semaphore alive.
    ///
    /// # Cancel safety
    ///
    /// As for [`acquire_many_async`](Semaphore::acquire_many_async).
    #[inline]
    pub fn acquire_owned_async(self: &Arc<Self>) -> OwnedAcquireFuture {
        self.acquire_many_owned_async(1)
    }

    /// [`try_acquire_many`](Semaphore::try_acquire_many) for a permit that keeps the semaphore
    /// alive.
    ///
    /// # Panics
    ///
    /// If `n` exceeds [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
    #[must_use = "if unused the permits are returned at once"]
    pub fn try_acquire_many_owned(self: &Arc<Self>, n: usize) -> Option<OwnedPermit> {
        check_count(n);
        self.raw.try_acquire(n).then(|| OwnedPermit::new(Arc::clone(self), n))
    }

    /// [`acquire_many`](Semaphore::acquire_many) for a permit that keeps the semaphore alive.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Panics
    ///
    /// If `n` exceeds [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
    pub fn acquire_many_owned(self: &Arc<Self>, n: usize) -> OwnedPermit {
        self.acquire_many(n).forget_borrow();
        OwnedPermit::new(Arc::clone(self), n)
    }

    /// [`acquire_many_timeout`](Semaphore::acquire_many_timeout) for a permit that keeps the
    /// semaphore alive.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if the permits were not granted in time.
    ///
    /// # Panics
    ///
    /// If `n` exceeds [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
    pub fn acquire_many_owned_timeout(
        self: &Arc<Self>,
        n: usize,
        timeout: Duration,
    ) -> Result<OwnedPermit, TimedOut> {
        self.acquire_many_owned_until(n, deadline_after(timeout))
    }

    /// [`acquire_many_deadline`](Semaphore::acquire_many_deadline) for a permit that keeps the
    /// semaphore alive.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if the permits were not granted in time.
    ///
    /// # Panics
    ///
    /// If `n` exceeds [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
    pub fn acquire_many_owned_deadline(
        self: &Arc<Self>,
        n: usize,
        deadline: Instant,
    ) -> Result<OwnedPermit, TimedOut> {
        self.acquire_many_owned_until(n, Some(deadline))
    }

    fn acquire_many_owned_until(
        self: &Arc<Self>,
        n: usize,
        deadline: Option<Instant>,
    ) -> Result<OwnedPermit, TimedOut> {
        self.acquire_many_until(n, deadline)?.forget_borrow();
        Ok(OwnedPermit::new(Arc::clone(self), n))
    }

    /// [`acquire_many_async`](Semaphore::acquire_many_async) for a permit that keeps the
    /// semaphore alive.
    ///
    /// # Cancel safety
    ///
    /// As for [`acquire_many_async`](Semaphore::acquire_many_async).
    ///
    /// # Panics
    ///
    /// If `n` exceeds [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
    #[inline]
    pub fn acquire_many_owned_async(self: &Arc<Self>, n: usize) -> OwnedAcquireFuture {
        check_count(n);
        OwnedAcquireFuture::new(Arc::clone(self), n)
    }

    /// Adds `n` permits, whoever has acquired what.
    ///
    /// # Panics
    ///
    /// Where [`try_release`](Semaphore::try_release) returns an error; nothing has changed then.
    #[track_caller]
    pub fn release(&self, n: usize) {
        assert!(
            self.try_release(n).is_ok(),
            "bifrons: release of {n} permits exceeds the semaphore's bound or `MAX_PERMITS`"
        );
    }

    /// Adds `n` permits, whoever has acquired what, and wakes whom they serve.
    ///
    /// # Errors
    ///
    /// [`ReleaseError`], and nothing has changed, if the permits available (less a
    /// [debt](Semaphore::resize)) and outstanding and `n` would together exceed the bound of a
    /// [`bounded`](Semaphore::bounded) semaphore, or [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
    ///
    /// # Examples
    ///
    /// ```
    /// use bifrons::Semaphore;
    ///
    /// let semaphore = Semaphore::new(0);
    /// semaphore.try_release(2).unwrap();
    /// assert_eq!(semaphore.available(), 2);
    ///
    /// assert!(Semaphore::bounded(1).try_release(1).is_err());
    /// ```
    pub fn try_release(&self, n: usize) -> Result<(), ReleaseError> {
        self.raw.try_release(n)
    }

    /// Takes up to `n` available permits out of circulation, and returns how many.
    ///
    /// Those that suffice for the first waiter are its own.
    pub fn forget_available(&self, n: usize) -> usize {
        self.raw.forget_available(n)
    }

    /// Makes `total` the number of permits, available and outstanding together; on a
    /// [`bounded`](Semaphore::bounded) semaphore also the bound.
    ///
    /// Growing wakes whom the new permits serve. Shrinking below what is outstanding leaves a
    /// debt that later returns pay, before anything is available again; a debt that nobody is left
    /// to pay, as the outstanding permits were forgotten, is forgiven.
    ///
    /// # Panics
    ///
    /// If `total` exceeds [`MAX_PERMITS`](Semaphore::MAX_PERMITS); nothing has changed then.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = bifrons::Semaphore::new(3);
    /// let mut held = semaphore.acquire_many(3);
    /// semaphore.resize(1);
    /// drop(held.split(2)); // pays the debt
    /// assert_eq!(semaphore.available(), 0);
    /// drop(held);
    /// assert_eq!(semaphore.available(), 1);
    /// ```
    #[track_caller]
    pub fn resize(&self, total: usize) {
        assert!(
            total <= Self::MAX_PERMITS,
            "bifrons: resize to {total} permits, more than Semaphore::MAX_PERMITS"
        );
        self.raw.resize(total);
    }

    /// Permits that nobody has: a snapshot. Zero while there is a debt.
    pub fn available(&self) -> usize {
        self.raw.available()
    }

    /// How many threads and tasks are registered and not yet granted: a snapshot.
    pub fn waiting(&self) -> usize {
        self.raw.waiting()
    }
}

impl Default for Semaphore {
    /// One permit, no bound.
    fn default() -> Self {
        Self::new(1)
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Semaphore");
        out.field("available", &self.available());
        if let Some(bound) = self.raw.bound() {
            out.field("bound", &bound);
        }
        out.field("waiting", &self.waiting()).finish()
    }
}
