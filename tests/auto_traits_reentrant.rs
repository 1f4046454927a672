//! Which types of the reentrant lock are `Send`, `Sync` and `Unpin`, which borrow nothing, and how
//! big they are.

#![cfg(not(loom))]

use bifrons::{
    Condition, ConditionFuture, Owner, OwnerGuard, OwnerScope, ReentrantLock, ReentrantLockFuture,
    ReentrantLockGuard,
};
use static_assertions::{assert_impl_all, assert_not_impl_any, const_assert_eq};
use std::cell::Cell;
use std::fmt::{Debug, Display};
use std::future::Ready;
use std::hash::Hash;
use std::marker::PhantomPinned;
use std::rc::Rc;
use std::sync::MutexGuard;

/// `Send`, not `Sync`.
type OnlySend = Cell<u32>;
/// `Sync`, not `Send`.
type OnlySync = MutexGuard<'static, u32>;
type Neither = Rc<u32>;
type Both = u32;

// The lock moves with its value; shared, it moves the value from thread to thread.
assert_impl_all!(ReentrantLock<Both>: Send, Sync, Debug, Default, From<u32>);
assert_impl_all!(ReentrantLock<OnlySend>: Send, Sync);
assert_not_impl_any!(ReentrantLock<OnlySync>: Send, Sync);
assert_not_impl_any!(ReentrantLock<Neither>: Send, Sync);
assert_impl_all!(ReentrantLock<[u32]>: Send, Sync, Unpin);
assert_impl_all!(ReentrantLock<dyn Display + Send>: Send, Sync);
assert_impl_all!(ReentrantLock<Both>: Unpin);
assert_not_impl_any!(ReentrantLock<PhantomPinned>: Unpin);

// The guard of a thread stays on it; a reference to it is a reference to the value.
assert_impl_all!(ReentrantLockGuard<'static, Both>: Sync, Unpin, Debug, Display);
assert_impl_all!(ReentrantLockGuard<'static, OnlySync>: Sync);
assert_not_impl_any!(ReentrantLockGuard<'static, Both>: Send, Clone);
assert_not_impl_any!(ReentrantLockGuard<'static, OnlySend>: Send, Sync);
assert_not_impl_any!(ReentrantLockGuard<'static, OnlySync>: Send);
assert_not_impl_any!(ReentrantLockGuard<'static, Neither>: Send, Sync);
assert_impl_all!(ReentrantLockGuard<'static, dyn Display + Sync>: Sync);
assert_not_impl_any!(ReentrantLockGuard<'static, dyn Display + Send>: Send, Sync);

// Several threads may have guards of one owner.
assert_impl_all!(OwnerGuard<'static, Both>: Send, Sync, Unpin, Debug, Display);
assert_not_impl_any!(OwnerGuard<'static, OnlySend>: Send, Sync);
assert_not_impl_any!(OwnerGuard<'static, OnlySync>: Send, Sync);
assert_not_impl_any!(OwnerGuard<'static, Neither>: Send, Sync);
assert_not_impl_any!(OwnerGuard<'static, Both>: Clone);
assert_impl_all!(OwnerGuard<'static, dyn Display + Send + Sync>: Send, Sync);

assert_impl_all!(Owner: Send, Sync, Unpin, Clone, Eq, Hash, Debug);
assert_not_impl_any!(Owner: Copy, Default);

// The future of a task that may migrate.
assert_impl_all!(ReentrantLockFuture<'static, Both>: Future<Output = OwnerGuard<'static, Both>>);
assert_impl_all!(ReentrantLockFuture<'static, Both>: Send, Sync, futures::future::FusedFuture);
assert_not_impl_any!(ReentrantLockFuture<'static, Both>: Unpin);
assert_not_impl_any!(ReentrantLockFuture<'static, OnlySend>: Future);
assert_not_impl_any!(ReentrantLockFuture<'static, OnlySync>: Send, Sync);
assert_not_impl_any!(ReentrantLockFuture<'static, Neither>: Send, Sync, Future);

// A scope is what its future is.
assert_impl_all!(OwnerScope<Ready<Both>>: Send, Sync, Unpin, Debug, Future<Output = Both>);
assert_not_impl_any!(OwnerScope<Ready<Neither>>: Send, Sync);
assert_not_impl_any!(OwnerScope<ReentrantLockFuture<'static, Both>>: Unpin);
assert_impl_all!(OwnerScope<ReentrantLockFuture<'static, Both>>: futures::future::FusedFuture);

// The wait of an owner on a condition. That of a thread has no async face.
assert_impl_all!(ConditionFuture<'static, OwnerGuard<'static, Both>>: Send, Sync);
assert_not_impl_any!(ConditionFuture<'static, OwnerGuard<'static, Both>>: Unpin);
assert_impl_all!(OwnerGuard<'static, Both>: bifrons::AsyncConditionGuard);
assert_impl_all!(ReentrantLockGuard<'static, OnlySend>: bifrons::ConditionGuard);
assert_not_impl_any!(ReentrantLockGuard<'static, Both>: bifrons::AsyncConditionGuard);

const WORD: usize = size_of::<usize>();

const_assert_eq!(size_of::<ReentrantLock<()>>(), 16 + WORD);
const_assert_eq!(size_of::<ReentrantLock<u64>>(), 24 + WORD);
const_assert_eq!(size_of::<ReentrantLockGuard<'static, u32>>(), 8 + WORD);
const_assert_eq!(size_of::<OwnerGuard<'static, u32>>(), 8 + WORD);
const_assert_eq!(size_of::<Owner>(), 8);
#[cfg(target_pointer_width = "64")]
const_assert_eq!(size_of::<ReentrantLockFuture<'static, u32>>(), 56);

#[test]
fn a_scope_borrows_nothing_if_its_future_does_not() {
    fn is_static<T: Send + 'static>(_: &T) {}

    let scope = Owner::new().scope(async { Owner::current().is_some() });
    is_static(&scope);
    assert!(bifrons::block_on(scope));
    assert_eq!(size_of_val(&Owner::new().scope(std::future::ready(1_u64))), 24);
}

#[test]
fn a_task_may_hold_and_wait_on_any_runtime() {
    static LOCK: ReentrantLock<u32> = ReentrantLock::new(1);
    static CHANGED: Condition = Condition::new();

    fn is_spawnable<F: Future + Send + 'static>(future: F) -> F {
        future
    }

    let owner = Owner::new();
    let value = bifrons::block_on(is_spawnable(async move {
        let guard = LOCK.lock_async(&owner).await;
        let guard = CHANGED.wait_while_async(guard, |guard| **guard == 0).await;
        drop(LOCK.lock_async(&owner).await);
        *guard
    }));
    assert_eq!(value, 1);
}
