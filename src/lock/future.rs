//! The waiting operation of [`Lock`].

#![expect(unsafe_code, reason = "each future pairs its node with its own lock")]

use super::{Lock, LockGuard, OwnedLockGuard};
use crate::sys::Arc;
use crate::wait::{Node, finished};
use futures_core::FusedFuture;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// The future of [`Lock::lock_async`].
    #[must_use = "futures do nothing unless polled"]
    pub struct LockFuture<'a, T: ?Sized> {
        // `None` after completion.
        lock: Option<&'a Lock<T>>,
        #[pin]
        node: Node,
    }

    impl<T: ?Sized> PinnedDrop for LockFuture<'_, T> {
        #[inline]
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(lock) = this.lock.take() {
                // SAFETY: the node is only ever queued on this lock.
                unsafe { lock.raw.cancel(this.node.as_ref()) };
            }
        }
    }
}

impl<'a, T: ?Sized> LockFuture<'a, T> {
    #[inline]
    pub(super) fn new(lock: &'a Lock<T>) -> Self {
        Self { lock: Some(lock), node: Node::new(()) }
    }
}

impl<'a, T: ?Sized> Future for LockFuture<'a, T> {
    type Output = LockGuard<'a, T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(lock) = *this.lock else { finished("LockFuture") };
        // SAFETY: the node is only ever queued on this lock; `drop` cancels.
        ready!(unsafe { lock.raw.poll_take(this.node.as_ref(), cx) }).keep();
        *this.lock = None;
        Poll::Ready(LockGuard::new(lock))
    }
}

impl<T: ?Sized> FusedFuture for LockFuture<'_, T> {
    fn is_terminated(&self) -> bool {
        self.lock.is_none()
    }
}

impl<T: ?Sized> fmt::Debug for LockFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockFuture").field("wait", &self.node).finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`Lock::lock_owned_async`].
    #[must_use = "futures do nothing unless polled"]
    pub struct OwnedLockFuture<T: ?Sized> {
        // `None` after completion.
        lock: Option<Arc<Lock<T>>>,
        #[pin]
        node: Node,
    }

    impl<T: ?Sized> PinnedDrop for OwnedLockFuture<T> {
        #[inline]
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(lock) = this.lock.take() {
                // SAFETY: the node is only ever queued on this lock.
                unsafe { lock.raw.cancel(this.node.as_ref()) };
            }
        }
    }
}

impl<T: ?Sized> OwnedLockFuture<T> {
    #[inline]
    pub(super) fn new(lock: Arc<Lock<T>>) -> Self {
        Self { lock: Some(lock), node: Node::new(()) }
    }
}

impl<T: ?Sized> Future for OwnedLockFuture<T> {
    type Output = OwnedLockGuard<T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(lock) = this.lock.as_ref() else { finished("OwnedLockFuture") };
        // SAFETY: the node is only ever queued on this lock; `drop` cancels.
        ready!(unsafe { lock.raw.poll_take(this.node.as_ref(), cx) }).keep();
        let Some(lock) = this.lock.take() else { finished("OwnedLockFuture") };
        Poll::Ready(OwnedLockGuard::new(lock))
    }
}

impl<T: ?Sized> FusedFuture for OwnedLockFuture<T> {
    fn is_terminated(&self) -> bool {
        self.lock.is_none()
    }
}

impl<T: ?Sized> fmt::Debug for OwnedLockFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedLockFuture").field("wait", &self.node).finish_non_exhaustive()
    }
}
