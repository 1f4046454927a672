//! What is acquired from a [`Semaphore`].

use super::Semaphore;
use crate::sys::Arc;
use std::fmt;
use std::mem;

/// Permits acquired from a [`Semaphore`]; dropping it returns them.
#[must_use = "if unused the permits are returned at once"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    count: usize,
}

impl<'a> Permit<'a> {
    /// The caller has just acquired `count` permits.
    #[inline]
    pub(super) fn new(semaphore: &'a Semaphore, count: usize) -> Self {
        Self { semaphore, count }
    }

    /// How many permits this is.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Takes the permits out of circulation: they are never returned.
    pub fn forget(mut self) {
        self.semaphore.raw.forget(mem::take(&mut self.count));
    }

    /// Takes `n` of the permits into one of their own; `None`, and nothing has changed, if there
    /// are fewer.
    #[must_use = "if unused the permits are returned at once"]
    pub fn split(&mut self, n: usize) -> Option<Self> {
        self.count = self.count.checked_sub(n)?;
        Some(Self { semaphore: self.semaphore, count: n })
    }

    /// Adds the permits of `other`.
    ///
    /// # Panics
    ///
    /// If the other permit is of another semaphore; both are as they were then, and `other` is
    /// returned to its own.
    #[track_caller]
    pub fn merge(&mut self, mut other: Self) {
        assert!(
            std::ptr::eq(self.semaphore, other.semaphore),
            "bifrons: permits of two semaphores cannot be merged"
        );
        self.count += mem::take(&mut other.count);
    }

    /// Turns the borrowed permit into nothing; an owned one takes over the count.
    pub(super) fn forget_borrow(mut self) {
        self.count = 0;
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.count != 0 {
            self.semaphore.raw.give_back(self.count);
        }
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("count", &self.count).finish_non_exhaustive()
    }
}

/// Permits that keep their [`Semaphore`] alive; dropping it returns them.
#[must_use = "if unused the permits are returned at once"]
pub struct OwnedPermit {
    semaphore: Arc<Semaphore>,
    count: usize,
}

impl OwnedPermit {
    /// The caller has just acquired `count` permits.
    pub(super) fn new(semaphore: Arc<Semaphore>, count: usize) -> Self {
        Self { semaphore, count }
    }

    /// How many permits this is.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The semaphore that they are of.
    pub fn semaphore(&self) -> &Arc<Semaphore> {
        &self.semaphore
    }

    /// Takes the permits out of circulation: they are never returned.
    pub fn forget(mut self) {
        self.semaphore.raw.forget(mem::take(&mut self.count));
    }

    /// Takes `n` of the permits into one of their own; `None`, and nothing has changed, if there
    /// are fewer.
    #[must_use = "if unused the permits are returned at once"]
    pub fn split(&mut self, n: usize) -> Option<Self> {
        self.count = self.count.checked_sub(n)?;
        Some(Self { semaphore: Arc::clone(&self.semaphore), count: n })
    }

    /// Adds the permits of `other`.
    ///
    /// # Panics
    ///
    /// If the other permit is of another semaphore; both are as they were then, and `other` is
    /// returned to its own.
    #[track_caller]
    pub fn merge(&mut self, mut other: Self) {
        assert!(
            Arc::ptr_eq(&self.semaphore, &other.semaphore),
            "bifrons: permits of two semaphores cannot be merged"
        );
        self.count += mem::take(&mut other.count);
    }
}

impl Drop for OwnedPermit {
    fn drop(&mut self) {
        if self.count != 0 {
            self.semaphore.raw.give_back(self.count);
        }
    }
}

impl fmt::Debug for OwnedPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedPermit").field("count", &self.count).finish_non_exhaustive()
    }
}
