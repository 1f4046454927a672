//! Which guards a [`Condition`](super::Condition) takes, and how it lets go of the lock and takes
//! it again.

use crate::lock::{Lock, LockFuture, LockGuard, OwnedLockFuture, OwnedLockGuard};
use crate::sys::Arc;

/// A guard that can be given to a [`Condition`](crate::Condition): [`LockGuard`] and
/// [`OwnedLockGuard`]. Sealed.
pub trait ConditionGuard: sealed::Guard {
    /// What a predicate of `wait_while` sees.
    type View: ?Sized;

    #[doc(hidden)]
    fn view(&mut self, _: sealed::Token) -> &mut Self::View;
}

pub(super) mod sealed {
    /// Keeps users from calling the hidden methods.
    #[derive(Debug)]
    pub struct Token(pub(in crate::condition) ());

    pub trait Guard: Sized {
        /// The lock behind the guard, able to be locked again in the same face.
        type Lock: Relock<Guard = Self>;

        fn lock(&self) -> Self::Lock;

        /// Tells one lock from another.
        fn address(&self) -> usize;
    }

    pub trait Relock {
        type Guard;
        type Future: Future<Output = Self::Guard>;

        fn relock(self) -> Self::Guard;
        fn relock_async(self) -> Self::Future;
    }
}

fn address_of<T: ?Sized>(lock: &Lock<T>) -> usize {
    std::ptr::from_ref(lock).addr()
}

impl<T: ?Sized> ConditionGuard for LockGuard<'_, T> {
    type View = T;

    fn view(&mut self, _: sealed::Token) -> &mut T {
        self
    }
}

impl<'a, T: ?Sized> sealed::Guard for LockGuard<'a, T> {
    type Lock = &'a Lock<T>;

    fn lock(&self) -> &'a Lock<T> {
        self.borrowed()
    }

    fn address(&self) -> usize {
        address_of(self.borrowed())
    }
}

impl<'a, T: ?Sized> sealed::Relock for &'a Lock<T> {
    type Guard = LockGuard<'a, T>;
    type Future = LockFuture<'a, T>;

    fn relock(self) -> LockGuard<'a, T> {
        self.lock()
    }

    fn relock_async(self) -> LockFuture<'a, T> {
        self.lock_async()
    }
}

impl<T: ?Sized> ConditionGuard for OwnedLockGuard<T> {
    type View = T;

    fn view(&mut self, _: sealed::Token) -> &mut T {
        self
    }
}

impl<T: ?Sized> sealed::Guard for OwnedLockGuard<T> {
    type Lock = Arc<Lock<T>>;

    fn lock(&self) -> Arc<Lock<T>> {
        Arc::clone(OwnedLockGuard::lock(self))
    }

    fn address(&self) -> usize {
        address_of(OwnedLockGuard::lock(self))
    }
}

impl<T: ?Sized> sealed::Relock for Arc<Lock<T>> {
    type Guard = OwnedLockGuard<T>;
    type Future = OwnedLockFuture<T>;

    fn relock(self) -> OwnedLockGuard<T> {
        self.lock_owned()
    }

    fn relock_async(self) -> OwnedLockFuture<T> {
        self.lock_owned_async()
    }
}
