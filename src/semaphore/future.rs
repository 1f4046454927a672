//! The waiting operation of [`Semaphore`].

#![expect(unsafe_code, reason = "each future pairs its node with its own semaphore")]

use super::{OwnedPermit, Permit, Semaphore};
use crate::sys::Arc;
use crate::wait::{Node, finished};
use futures_core::FusedFuture;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// The future of [`Semaphore::acquire_async`] and [`Semaphore::acquire_many_async`].
    #[must_use = "futures do nothing unless polled"]
    pub struct AcquireFuture<'a> {
        // `None` after completion.
        semaphore: Option<&'a Semaphore>,
        count: usize,
        #[pin]
        node: Node,
    }

    impl PinnedDrop for AcquireFuture<'_> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(semaphore) = this.semaphore.take() {
                // SAFETY: the node is only ever queued on this semaphore.
                unsafe { semaphore.raw.cancel(this.node.as_ref(), *this.count) };
            }
        }
    }
}

impl<'a> AcquireFuture<'a> {
    #[inline]
    pub(super) fn new(semaphore: &'a Semaphore, count: usize) -> Self {
        Self { semaphore: Some(semaphore), count, node: Node::new() }
    }
}

impl<'a> Future for AcquireFuture<'a> {
    type Output = Permit<'a>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(semaphore) = *this.semaphore else { finished("AcquireFuture") };
        // SAFETY: the node is only ever queued on this semaphore; `drop` cancels.
        ready!(unsafe { semaphore.raw.poll(this.node.as_ref(), *this.count, cx) });
        *this.semaphore = None;
        Poll::Ready(Permit::new(semaphore, *this.count))
    }
}

impl FusedFuture for AcquireFuture<'_> {
    fn is_terminated(&self) -> bool {
        self.semaphore.is_none()
    }
}

impl fmt::Debug for AcquireFuture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcquireFuture")
            .field("count", &self.count)
            .field("wait", &self.node)
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`Semaphore::acquire_owned_async`] and
    /// [`Semaphore::acquire_many_owned_async`].
    #[must_use = "futures do nothing unless polled"]
    pub struct OwnedAcquireFuture {
        // `None` after completion.
        semaphore: Option<Arc<Semaphore>>,
        count: usize,
        #[pin]
        node: Node,
    }

    impl PinnedDrop for OwnedAcquireFuture {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(semaphore) = this.semaphore.take() {
                // SAFETY: the node is only ever queued on this semaphore.
                unsafe { semaphore.raw.cancel(this.node.as_ref(), *this.count) };
            }
        }
    }
}

impl OwnedAcquireFuture {
    #[inline]
    pub(super) fn new(semaphore: Arc<Semaphore>, count: usize) -> Self {
        Self { semaphore: Some(semaphore), count, node: Node::new() }
    }
}

impl Future for OwnedAcquireFuture {
    type Output = OwnedPermit;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(semaphore) = this.semaphore.as_ref() else { finished("OwnedAcquireFuture") };
        // SAFETY: the node is only ever queued on this semaphore; `drop` cancels.
        ready!(unsafe { semaphore.raw.poll(this.node.as_ref(), *this.count, cx) });
        let Some(semaphore) = this.semaphore.take() else { finished("OwnedAcquireFuture") };
        Poll::Ready(OwnedPermit::new(semaphore, *this.count))
    }
}

impl FusedFuture for OwnedAcquireFuture {
    fn is_terminated(&self) -> bool {
        self.semaphore.is_none()
    }
}

impl fmt::Debug for OwnedAcquireFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedAcquireFuture")
            .field("count", &self.count)
            .field("wait", &self.node)
            .finish_non_exhaustive()
    }
}
