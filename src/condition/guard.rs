//! Which guards a [`Condition`](super::Condition) takes, and how it lets go of the lock and takes
//! it again.

use crate::lock::{Lock, LockFuture, LockGuard, OwnedLockFuture, OwnedLockGuard};
use crate::reentrant::{OwnerGuard, ReentrantLockFuture, ReentrantLockGuard, Suspended};
use crate::sys::Arc;
use sealed::{Relock, RelockAsync, Token};

/// A guard that can be given to a [`Condition`](crate::Condition): [`LockGuard`],
/// [`OwnedLockGuard`], [`ReentrantLockGuard`] and [`OwnerGuard`]. Sealed.
pub trait ConditionGuard: sealed::Guard {
    /// What a predicate of `wait_while` sees: the value, or for the guards of a reentrant lock the
    /// guard itself, which gives no more than a shared reference.
    type View: ?Sized;

    #[doc(hidden)]
    fn view(&mut self, _: Token) -> &mut Self::View;
}

/// A [`ConditionGuard`] whose lock a task can take again: all but [`ReentrantLockGuard`], whose
/// owner is a thread. Sealed.
pub trait AsyncConditionGuard: ConditionGuard<Lock: RelockAsync<Guard = Self>> {}

impl<G: ConditionGuard<Lock: RelockAsync<Guard = Self>>> AsyncConditionGuard for G {}

pub(super) mod sealed {
    /// Keeps users from calling the methods that ask for it. A bound on the traits brings those into
    /// scope, though the traits have no public names, and who unlocks twice makes two owners:
    ///
    /// ```compile_fail,E0061
    /// use bifrons::{AsyncConditionGuard, ConditionGuard};
    ///
    /// fn unlock<L, G: AsyncConditionGuard + ConditionGuard<Lock = L>>(guard: G) {
    ///     guard.suspend().unwrap_or_else(|_| panic!()).unlock();
    /// }
    /// ```
    #[derive(Debug)]
    pub struct Token(pub(in crate::condition) ());

    pub trait Guard: Sized {
        /// The lock that the guard has let go of.
        type Lock: Relock<Guard = Self>;

        /// Tells one lock from another.
        fn address(&self) -> usize;

        /// Gives up the guard, and with it all others of a reentrant owner. The lock itself is
        /// held until [`Relock::unlock`]. `Err`: another wait of the owner has done so, or the value
        /// must not be lent to another owner as long as this one has other guards.
        fn suspend(self, _: Token) -> Result<Self::Lock, Self>;

        /// Whether a wait is to be refused, as far as a look tells. One of the async face is also if
        /// the owner has other guards, which a cancelled wait would leave without the lock.
        fn is_refused(&self, _is_async: bool) -> bool {
            false
        }

        /// The same as `suspend` for the async face: `Err` also if it is not the outermost.
        fn suspend_outermost(self, token: Token) -> Result<Self::Lock, Self> {
            self.suspend(token)
        }
    }

    pub trait Relock {
        type Guard;

        fn unlock(&self, _: Token);

        /// Other guards of the owner believe that the lock is held.
        fn is_nested(&self) -> bool {
            false
        }

        fn relock(self, _: Token) -> Self::Guard;
    }

    #[diagnostic::on_unimplemented(
        message = "a task cannot wait on a condition with this guard",
        note = "a `ReentrantLockGuard` is owned by its thread; a guard of `lock_async` or `lock_as` has \
                an `Owner`"
    )]
    pub trait RelockAsync: Relock {
        type Future: Future<Output = Self::Guard>;

        fn relock_async(self, _: Token) -> Self::Future;
    }
}

impl<T: ?Sized> ConditionGuard for LockGuard<'_, T> {
    type View = T;

    fn view(&mut self, _: Token) -> &mut T {
        self
    }
}

impl<'a, T: ?Sized> sealed::Guard for LockGuard<'a, T> {
    type Lock = &'a Lock<T>;

    fn address(&self) -> usize {
        self.address()
    }

    fn suspend(self, _: Token) -> Result<&'a Lock<T>, Self> {
        Ok(self.suspend())
    }
}

impl<'a, T: ?Sized> Relock for &'a Lock<T> {
    type Guard = LockGuard<'a, T>;

    fn unlock(&self, _: Token) {
        self.unlock_suspended();
    }

    fn relock(self, _: Token) -> LockGuard<'a, T> {
        self.lock()
    }
}

impl<'a, T: ?Sized> RelockAsync for &'a Lock<T> {
    type Future = LockFuture<'a, T>;

    fn relock_async(self, _: Token) -> LockFuture<'a, T> {
        self.lock_async()
    }
}

impl<T: ?Sized> ConditionGuard for OwnedLockGuard<T> {
    type View = T;

    fn view(&mut self, _: Token) -> &mut T {
        self
    }
}

impl<T: ?Sized> sealed::Guard for OwnedLockGuard<T> {
    type Lock = Arc<Lock<T>>;

    fn address(&self) -> usize {
        self.address()
    }

    fn suspend(self, _: Token) -> Result<Arc<Lock<T>>, Self> {
        Ok(self.suspend())
    }
}

impl<T: ?Sized> Relock for Arc<Lock<T>> {
    type Guard = OwnedLockGuard<T>;

    fn unlock(&self, _: Token) {
        self.unlock_suspended();
    }

    fn relock(self, _: Token) -> OwnedLockGuard<T> {
        self.lock_owned()
    }
}

impl<T: ?Sized> RelockAsync for Arc<Lock<T>> {
    type Future = OwnedLockFuture<T>;

    fn relock_async(self, _: Token) -> OwnedLockFuture<T> {
        self.lock_owned_async()
    }
}

impl<T: ?Sized> ConditionGuard for ReentrantLockGuard<'_, T> {
    type View = Self;

    fn view(&mut self, _: Token) -> &mut Self {
        self
    }
}

impl<'a, T: ?Sized> sealed::Guard for ReentrantLockGuard<'a, T> {
    type Lock = OfThread<'a, T>;

    fn address(&self) -> usize {
        self.address()
    }

    fn is_refused(&self, _is_async: bool) -> bool {
        !self.may_be_suspended()
    }

    fn suspend(self, _: Token) -> Result<OfThread<'a, T>, Self> {
        self.suspend().map(OfThread)
    }
}

/// A hold that a thread has given up.
#[derive(Debug)]
pub struct OfThread<'a, T: ?Sized>(Suspended<'a, T>);

impl<'a, T: ?Sized> Relock for OfThread<'a, T> {
    type Guard = ReentrantLockGuard<'a, T>;

    fn unlock(&self, _: Token) {
        self.0.unlock();
    }

    fn is_nested(&self) -> bool {
        self.0.is_nested()
    }

    fn relock(self, _: Token) -> ReentrantLockGuard<'a, T> {
        self.0.relock_for_thread()
    }
}

impl<T: ?Sized + Sync> ConditionGuard for OwnerGuard<'_, T> {
    type View = Self;

    fn view(&mut self, _: Token) -> &mut Self {
        self
    }
}

impl<'a, T: ?Sized + Sync> sealed::Guard for OwnerGuard<'a, T> {
    type Lock = OfOwner<'a, T>;

    fn address(&self) -> usize {
        self.address()
    }

    fn suspend(self, _: Token) -> Result<OfOwner<'a, T>, Self> {
        self.suspend().map(OfOwner)
    }

    fn is_refused(&self, is_async: bool) -> bool {
        self.depth().is_none_or(|depth| is_async && depth > 1)
    }

    fn suspend_outermost(self, _: Token) -> Result<OfOwner<'a, T>, Self> {
        self.suspend_outermost().map(OfOwner)
    }
}

/// A hold that an owner has given up.
#[derive(Debug)]
pub struct OfOwner<'a, T: ?Sized>(Suspended<'a, T>);

impl<'a, T: ?Sized + Sync> Relock for OfOwner<'a, T> {
    type Guard = OwnerGuard<'a, T>;

    fn unlock(&self, _: Token) {
        self.0.unlock();
    }

    fn is_nested(&self) -> bool {
        self.0.is_nested()
    }

    fn relock(self, _: Token) -> OwnerGuard<'a, T> {
        self.0.relock_for_owner()
    }
}

impl<'a, T: ?Sized + Sync> RelockAsync for OfOwner<'a, T> {
    type Future = ReentrantLockFuture<'a, T>;

    fn relock_async(self, _: Token) -> ReentrantLockFuture<'a, T> {
        self.0.relock_async()
    }
}
