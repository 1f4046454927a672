//! The holds of a [`ReentrantLock`].

#![expect(unsafe_code, reason = "a guard is the right to the value behind it")]

use super::lend::may_be_lent_twice;
use super::owed::{self, Key};
use super::{Hold, ReentrantLock, ReentrantLockFuture};
use crate::sys::abort;
use crate::sys::atomic::Ordering;
use crate::wait::Finally;
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::ops::Deref;

/// One hold of a [`ReentrantLock`] by this thread, until it is dropped.
#[must_use = "if unused the lock is released at once"]
pub struct ReentrantLockGuard<'a, T: ?Sized> {
    lock: &'a ReentrantLock<T>,
    owner: u64,
    /// The hold is this thread's: not `Send`. Shared, it is a `&T`: `Sync` iff `T: Sync`.
    _thread: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives out `&T` and nothing of the hold.
unsafe impl<T: ?Sized + Sync> Sync for ReentrantLockGuard<'_, T> {}

impl<'a, T: ?Sized> ReentrantLockGuard<'a, T> {
    /// The caller has just locked on this thread, whose id is `owner`.
    #[inline]
    pub(super) fn new(lock: &'a ReentrantLock<T>, owner: u64) -> Self {
        Self { lock, owner, _thread: PhantomData }
    }

    /// What this thread holds. `None`: nothing, as it waits on a condition, and this runs in a
    /// waker that the wait has called.
    #[inline]
    fn held(&self) -> Option<Hold> {
        let hold = self.lock.hold();
        (hold.owner() == self.owner).then_some(hold)
    }

    /// Whether there is a hold to give up, and the other guards of this thread may keep what they have
    /// lent while somebody else has the lock.
    pub(crate) fn may_be_suspended(&self) -> bool {
        self.held().is_some_and(|hold| hold.depth() == 1 || may_be_lent_twice::<T>())
    }

    /// Gives up all guards of this thread, for [`Suspended::relock_for_thread`]; the raw lock is
    /// still held. `Err`: an outer wait of this thread has done so, or it [may not
    /// be](Self::may_be_suspended).
    pub(crate) fn suspend(self) -> Result<Suspended<'a, T>, Self> {
        let (lock, Some(hold)) = (self.lock, self.held()) else { return Err(self) };
        if !self.may_be_suspended() {
            return Err(self);
        }
        mem::forget(self);
        // Relaxed: the raw lock publishes.
        lock.hold.store(Hold::NONE.0, Ordering::Relaxed);
        Ok(Suspended { lock, hold })
    }

    pub(crate) fn address(&self) -> usize {
        address_of(self.lock)
    }
}

fn address_of<T: ?Sized>(lock: &ReentrantLock<T>) -> usize {
    std::ptr::from_ref(lock).addr()
}

fn key<T: ?Sized>(lock: &ReentrantLock<T>, owner: u64) -> Key {
    (address_of(lock), owner)
}

/// A hold that has been given up for a while, with its depth.
pub(crate) struct Suspended<'a, T: ?Sized> {
    lock: &'a ReentrantLock<T>,
    hold: Hold,
}

impl<T: ?Sized> fmt::Debug for Suspended<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suspended").field("depth", &self.hold.depth()).finish_non_exhaustive()
    }
}

impl<'a, T: ?Sized> Suspended<'a, T> {
    pub(crate) fn unlock(&self) {
        self.lock.release();
    }

    /// Other guards of the owner believe that the lock is held.
    pub(crate) fn is_nested(&self) -> bool {
        self.hold.depth() > 1
    }

    /// Takes the lock again, as deep as there are guards of the owner left.
    fn relock(&self) {
        if !self.is_nested() {
            self.lock.raw.lock();
            return self.lock.begin(self.hold);
        }
        // It panics if too many wait, and then the other guards would never have the lock again, which
        // lend what it guards.
        let lost = Finally::new(abort);
        self.lock.raw.lock();
        lost.disarm();
        let (key, others) = (key(self.lock, self.hold.owner()), self.hold.depth() - 1);
        self.lock.owed.with(|rows| {
            let gone = owed::settle(rows, key, others);
            self.lock.begin(self.hold.shallower_by(gone));
        });
    }

    pub(crate) fn relock_for_thread(self) -> ReentrantLockGuard<'a, T> {
        self.relock();
        ReentrantLockGuard::new(self.lock, self.hold.owner())
    }

    pub(crate) fn relock_for_owner(self) -> OwnerGuard<'a, T> {
        self.relock();
        OwnerGuard::new(self.lock, self.hold.owner())
    }

    /// Only an outermost hold is given up asynchronously, so there is no depth to restore.
    pub(crate) fn relock_async(self) -> ReentrantLockFuture<'a, T> {
        ReentrantLockFuture::new(self.lock, self.hold.owner())
    }
}

impl<T: ?Sized> Deref for ReentrantLockGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.lock.data
    }
}

impl<T: ?Sized> Drop for ReentrantLockGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let Some(hold) = self.held().map(Hold::shallower) else {
            return self.lock.owed.with(|rows| owed::add(rows, key(self.lock, self.owner)));
        };
        // Relaxed: only this thread changes the word while it holds the lock; the raw lock
        // publishes.
        self.lock.hold.store(hold.0, Ordering::Relaxed);
        if hold == Hold::NONE {
            self.lock.release();
        }
    }
}

/// One hold of a [`ReentrantLock`] by an [`Owner`](crate::Owner), until it is dropped, on whichever
/// thread.
#[must_use = "if unused the lock is released at once"]
pub struct OwnerGuard<'a, T: ?Sized> {
    lock: &'a ReentrantLock<T>,
    owner: u64,
    /// Several threads may have `&T` at a time: `Send` and `Sync` iff `T: Send + Sync`.
    _shared: PhantomData<&'a T>,
}

impl<'a, T: ?Sized> OwnerGuard<'a, T> {
    /// The caller has just locked for `owner`.
    pub(super) fn new(lock: &'a ReentrantLock<T>, owner: u64) -> Self {
        Self { lock, owner, _shared: PhantomData }
    }

    /// How deep the owner holds the lock, unless another of its threads changes that. `None`: not at
    /// all, as another of its threads waits on a condition.
    pub(crate) fn depth(&self) -> Option<u64> {
        let hold = self.lock.hold();
        (hold.owner() == self.owner).then(|| hold.depth())
    }

    pub(crate) fn address(&self) -> usize {
        address_of(self.lock)
    }

    /// Replaces what the owner holds by what `change` makes of it, and returns what it held.
    /// `None`: the owner holds nothing, as another of its threads waits on a condition.
    fn change(&self, change: impl Fn(Hold) -> Option<Hold>) -> Option<Hold> {
        let mut hold = self.lock.hold();
        while hold.owner() == self.owner {
            // Release: pairs with the Acquire of the thread that lets go last, here too; what was
            // done under this guard is published by the raw lock's Release after that.
            match self.lock.hold.compare_exchange_weak(
                hold.0,
                change(hold)?.0,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(hold),
                Err(seen) => hold = Hold(seen),
            }
        }
        None
    }

    /// Gives up all guards of the owner, for [`Suspended::relock_for_owner`]; the raw lock is
    /// still held. `Err`: another thread of the owner has done so.
    pub(crate) fn suspend(self) -> Result<Suspended<'a, T>, Self> {
        match self.change(|_| Some(Hold::NONE)) {
            Some(hold) => Ok(self.into_suspended(hold)),
            None => Err(self),
        }
    }

    /// [`OwnerGuard::suspend`] if this is the owner's only guard, else `Err`.
    pub(crate) fn suspend_outermost(self) -> Result<Suspended<'a, T>, Self> {
        match self.change(|hold| (hold.depth() == 1).then_some(Hold::NONE)) {
            Some(hold) => Ok(self.into_suspended(hold)),
            None => Err(self),
        }
    }

    fn into_suspended(self, hold: Hold) -> Suspended<'a, T> {
        let lock = self.lock;
        mem::forget(self);
        Suspended { lock, hold }
    }
}

impl<T: ?Sized> Deref for OwnerGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.lock.data
    }
}

impl<T: ?Sized> Drop for OwnerGuard<'_, T> {
    fn drop(&mut self) {
        let leave = || self.change(|hold| Some(hold.shallower()));
        let held = leave().or_else(|| {
            self.lock.owed.with(|rows| {
                let held = leave();
                if held.is_none() {
                    owed::add(rows, key(self.lock, self.owner));
                }
                held
            })
        });
        if held.is_some_and(|held| held.depth() == 1) {
            self.lock.release();
        }
    }
}

macro_rules! show_the_value {
    ($($guard:ident),*) => {$(
        impl<T: ?Sized + fmt::Debug> fmt::Debug for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<T: ?Sized + fmt::Display> fmt::Display for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }
    )*};
}

show_the_value!(ReentrantLockGuard, OwnerGuard);
