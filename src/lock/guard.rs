//! What the protocol protects: the guards, and the only accesses to the value.

#![expect(unsafe_code, reason = "a guard is the right to the value behind it")]

use super::{Lock, RawLock};
use crate::sys::{Arc, Claim};
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};

// SAFETY: the protocol of `RawLock` lets one holder at a time to the value; a holder may move it
// out or drop it on its thread, hence `T: Send`.
unsafe impl<T: ?Sized + Send> Send for Lock<T> {}
// SAFETY: as above; a shared lock gives out the value to one holder at a time.
unsafe impl<T: ?Sized + Send> Sync for Lock<T> {}

impl<T: ?Sized> Lock<T> {
    /// The guard was given up by `suspend`.
    pub(crate) fn unlock_suspended(&self) {
        self.raw.unlock();
    }
}

/// The right to the value of a [`Lock`], until it is dropped.
#[must_use = "if unused the lock is released at once"]
pub struct LockGuard<'a, T: ?Sized> {
    claim: Claim,
    lock: &'a Lock<T>,
    _exclusive: PhantomData<&'a mut T>,
}

// SAFETY: the lock is not tied to a thread, and the guard is as good as a `&mut T`.
unsafe impl<T: ?Sized + Send> Send for LockGuard<'_, T> {}
// SAFETY: a shared guard gives out `&T`, and `&Lock<T>` only while it is held.
unsafe impl<T: ?Sized + Sync> Sync for LockGuard<'_, T> {}

impl<'a, T: ?Sized> LockGuard<'a, T> {
    /// The caller has just taken the lock.
    #[inline]
    pub(super) fn new(lock: &'a Lock<T>) -> Self {
        Self { claim: lock.data.claim(), lock, _exclusive: PhantomData }
    }

    /// Narrows the guard to a part of the value.
    ///
    /// An associated function, so that it does not hide a method of the value.
    ///
    /// # Examples
    ///
    /// ```
    /// use bifrons::{Lock, LockGuard};
    ///
    /// let lock = Lock::new((1, 2));
    /// let mut second = LockGuard::map(lock.lock(), |pair| &mut pair.1);
    /// *second += 1;
    /// drop(second);
    /// assert_eq!(*lock.lock(), (1, 3));
    /// ```
    pub fn map<U: ?Sized>(
        mut guard: Self,
        f: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedLockGuard<'a, U> {
        let value: *mut U = f(&mut guard);
        guard.into_mapped(value)
    }

    /// Narrows the guard to a part of the value, if it is there.
    ///
    /// # Errors
    ///
    /// The guard itself, if `f` returned `None`.
    pub fn filter_map<U: ?Sized>(
        mut guard: Self,
        f: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedLockGuard<'a, U>, Self> {
        match f(&mut guard).map(|part| -> *mut U { part }) {
            Some(value) => Ok(guard.into_mapped(value)),
            None => Err(guard),
        }
    }

    fn into_mapped<U: ?Sized>(self, value: *mut U) -> MappedLockGuard<'a, U> {
        let mut this = ManuallyDrop::new(self);
        MappedLockGuard {
            claim: std::mem::replace(&mut this.claim, Claim::none()),
            raw: &this.lock.raw,
            value,
            _exclusive: PhantomData,
        }
    }

    /// Releases in favour of the first waiter, which owns the lock from this moment on; releases
    /// as usual if nobody waits.
    ///
    /// A waiter that has been woken but has not come yet is on its way and not considered. A
    /// future that is given the lock and dropped hands it on; one that is kept and never polled
    /// keeps it.
    ///
    /// # Examples
    ///
    /// ```
    /// use bifrons::{Lock, LockGuard};
    /// use futures::FutureExt;
    ///
    /// let lock = Lock::new(0);
    /// let guard = lock.lock();
    /// let mut next = std::pin::pin!(lock.lock_async());
    /// assert!(next.as_mut().now_or_never().is_none());
    /// LockGuard::unlock_fair(guard);
    /// assert!(lock.try_lock().is_none(), "it belongs to the waiter already");
    /// assert!(next.now_or_never().is_some());
    /// ```
    pub fn unlock_fair(guard: Self) {
        guard.suspend().raw.unlock_fair();
    }

    /// The lock that this guard holds.
    pub fn lock(guard: &Self) -> &Lock<T> {
        guard.lock
    }

    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref(self.lock).addr()
    }

    /// Gives up the guard; the lock is still held, until [`Lock::unlock_suspended`].
    pub(crate) fn suspend(self) -> &'a Lock<T> {
        let mut this = ManuallyDrop::new(self);
        this.claim.end();
        this.lock
    }
}

impl<T: ?Sized> Deref for LockGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard owns the lock, and lends as long as it is borrowed.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T: ?Sized> DerefMut for LockGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard owns the lock, and is borrowed exclusively.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T: ?Sized> Drop for LockGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.claim.end();
        self.lock.raw.unlock();
    }
}

/// The right to a part of a [`Lock`]'s value, made by [`LockGuard::map`].
///
/// It cannot be given to a [`Condition`](crate::Condition): what the part was chosen by may have
/// changed after the wait.
#[must_use = "if unused the lock is released at once"]
pub struct MappedLockGuard<'a, T: ?Sized> {
    claim: Claim,
    raw: &'a RawLock,
    value: *mut T,
    _exclusive: PhantomData<&'a mut T>,
}

// SAFETY: as for `LockGuard`; of the whole value this guard reaches only the part.
unsafe impl<T: ?Sized + Send> Send for MappedLockGuard<'_, T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Sync> Sync for MappedLockGuard<'_, T> {}

impl<'a, T: ?Sized> MappedLockGuard<'a, T> {
    /// Narrows the guard further. See [`LockGuard::map`].
    pub fn map<U: ?Sized>(
        mut guard: Self,
        f: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedLockGuard<'a, U> {
        let value: *mut U = f(&mut guard);
        guard.into_mapped(value)
    }

    /// Narrows the guard further, if the part is there. See [`LockGuard::filter_map`].
    ///
    /// # Errors
    ///
    /// The guard itself, if `f` returned `None`.
    pub fn filter_map<U: ?Sized>(
        mut guard: Self,
        f: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedLockGuard<'a, U>, Self> {
        match f(&mut guard).map(|part| -> *mut U { part }) {
            Some(value) => Ok(guard.into_mapped(value)),
            None => Err(guard),
        }
    }

    fn into_mapped<U: ?Sized>(self, value: *mut U) -> MappedLockGuard<'a, U> {
        let mut this = ManuallyDrop::new(self);
        MappedLockGuard {
            claim: std::mem::replace(&mut this.claim, Claim::none()),
            raw: this.raw,
            value,
            _exclusive: PhantomData,
        }
    }
}

impl<T: ?Sized> Deref for MappedLockGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: derived from the value of a lock that this guard owns.
        unsafe { &*self.value }
    }
}

impl<T: ?Sized> DerefMut for MappedLockGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and borrowed exclusively.
        unsafe { &mut *self.value }
    }
}

impl<T: ?Sized> Drop for MappedLockGuard<'_, T> {
    fn drop(&mut self) {
        self.claim.end();
        self.raw.unlock();
    }
}

/// A guard that keeps its [`Lock`] alive: `'static` if the value is.
#[must_use = "if unused the lock is released at once"]
pub struct OwnedLockGuard<T: ?Sized> {
    claim: Claim,
    lock: ManuallyDrop<Arc<Lock<T>>>,
    _exclusive: PhantomData<*mut T>,
}

// SAFETY: as for `LockGuard`; the last `Arc` may drop the value on this thread, hence `T: Send`.
unsafe impl<T: ?Sized + Send> Send for OwnedLockGuard<T> {}
// SAFETY: a shared guard gives out `&T` and, through `OwnedLockGuard::lock`, a clone of the `Arc`
// that outlives it, which is as good as sending `T`.
unsafe impl<T: ?Sized + Send + Sync> Sync for OwnedLockGuard<T> {}

impl<T: ?Sized> OwnedLockGuard<T> {
    /// The caller has just taken the lock.
    pub(super) fn new(lock: Arc<Lock<T>>) -> Self {
        Self { claim: lock.data.claim(), lock: ManuallyDrop::new(lock), _exclusive: PhantomData }
    }

    /// Releases in favour of the first waiter. See [`LockGuard::unlock_fair`].
    pub fn unlock_fair(guard: Self) {
        guard.suspend().raw.unlock_fair();
    }

    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref::<Lock<T>>(&self.lock).addr()
    }

    /// Gives up the guard; the lock is still held, until [`Lock::unlock_suspended`].
    pub(crate) fn suspend(self) -> Arc<Lock<T>> {
        let mut this = ManuallyDrop::new(self);
        this.claim.end();
        // SAFETY: `this` is not used again, so the `Arc` is taken once.
        unsafe { ManuallyDrop::take(&mut this.lock) }
    }

    /// The lock that this guard holds.
    pub fn lock(guard: &Self) -> &Arc<Lock<T>> {
        &guard.lock
    }
}

impl<T: ?Sized> Deref for OwnedLockGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard owns the lock, and lends as long as it is borrowed.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T: ?Sized> DerefMut for OwnedLockGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard owns the lock, and is borrowed exclusively.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T: ?Sized> Drop for OwnedLockGuard<T> {
    fn drop(&mut self) {
        self.claim.end();
        // SAFETY: taken once: `self` is gone after this, and `unlock_fair` does not come by.
        let lock = unsafe { ManuallyDrop::take(&mut self.lock) };
        lock.raw.unlock();
    }
}

macro_rules! show_the_value {
    ($($guard:ty),*) => {$(
        impl<T: ?Sized + fmt::Debug> fmt::Debug for $guard {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<T: ?Sized + fmt::Display> fmt::Display for $guard {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }
    )*};
}

show_the_value!(LockGuard<'_, T>, MappedLockGuard<'_, T>, OwnedLockGuard<T>);
