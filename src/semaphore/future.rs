//! The waiting operation of [`Semaphore`].

#![expect(unsafe_code, reason = "each future pairs its node with its own semaphore")]

use super::{OwnedPermit, Permit, Semaphore};
use crate::sys::Arc;
use crate::wait::{Node, finished};
use futures_core::FusedFuture;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// The future of [`Semaphore::acquire_async`] and [`Semaphore::acquire_many_async`].
    #[must_use = "futures do nothing unless polled"]
    pub struct AcquireFuture<'a> {
        #[pin]
        wait: Wait<&'a Semaphore>,
    }
}

pin_project! {
    /// The future of [`Semaphore::acquire_owned_async`] and
    /// [`Semaphore::acquire_many_owned_async`].
    #[must_use = "futures do nothing unless polled"]
    pub struct OwnedAcquireFuture {
        #[pin]
        wait: Wait<Arc<Semaphore>>,
    }
}

pin_project! {
    /// Generic for the two, and so that its code is made where it is used: a wait that is over at
    /// once costs no call.
    struct Wait<S: Deref<Target = Semaphore>> {
        // `None` after completion.
        semaphore: Option<S>,
        // How many permits.
        #[pin]
        node: Node<usize>,
    }

    impl<S: Deref<Target = Semaphore>> PinnedDrop for Wait<S> {
        #[inline]
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(semaphore) = this.semaphore.take() {
                // SAFETY: the node is only ever queued on this semaphore.
                unsafe { semaphore.raw.cancel(this.node.as_ref()) };
            }
        }
    }
}

impl<S: Deref<Target = Semaphore>> Wait<S> {
    #[inline]
    fn new(semaphore: S, count: usize) -> Self {
        Self { semaphore: Some(semaphore), node: Node::new(count) }
    }

    /// Whose permits it has acquired, and how many.
    #[inline]
    fn poll(self: Pin<&mut Self>, what: &str, cx: &Context<'_>) -> Poll<(S, usize)> {
        let this = self.project();
        let Some(semaphore) = this.semaphore.as_deref() else { finished(what) };
        // SAFETY: the node is only ever queued on this semaphore; `drop` cancels.
        ready!(unsafe { semaphore.raw.poll(this.node.as_ref(), cx) });
        let Some(semaphore) = this.semaphore.take() else { finished(what) };
        Poll::Ready((semaphore, this.node.arg()))
    }

    fn describe(&self, what: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(what)
            .field("count", &self.node.arg())
            .field("wait", &self.node)
            .finish_non_exhaustive()
    }
}

impl<'a> AcquireFuture<'a> {
    #[inline]
    pub(super) fn new(semaphore: &'a Semaphore, count: usize) -> Self {
        Self { wait: Wait::new(semaphore, count) }
    }
}

impl<'a> Future for AcquireFuture<'a> {
    type Output = Permit<'a>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (semaphore, count) = ready!(self.project().wait.poll("AcquireFuture", cx));
        Poll::Ready(Permit::new(semaphore, count))
    }
}

impl FusedFuture for AcquireFuture<'_> {
    fn is_terminated(&self) -> bool {
        self.wait.semaphore.is_none()
    }
}

impl fmt::Debug for AcquireFuture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.wait.describe("AcquireFuture", f)
    }
}

impl OwnedAcquireFuture {
    #[inline]
    pub(super) fn new(semaphore: Arc<Semaphore>, count: usize) -> Self {
        Self { wait: Wait::new(semaphore, count) }
    }
}

impl Future for OwnedAcquireFuture {
    type Output = OwnedPermit;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (semaphore, count) = ready!(self.project().wait.poll("OwnedAcquireFuture", cx));
        Poll::Ready(OwnedPermit::new(semaphore, count))
    }
}

impl FusedFuture for OwnedAcquireFuture {
    fn is_terminated(&self) -> bool {
        self.wait.semaphore.is_none()
    }
}

impl fmt::Debug for OwnedAcquireFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.wait.describe("OwnedAcquireFuture", f)
    }
}
