//! Semaphores.

use super::block_on;
use std::future::Future;

pub(crate) trait BlockingSemaphore: Send + Sync + 'static {
    fn with(permits: usize) -> Self;
    /// A permit that its drop gives back.
    fn acquire_one(&self) -> impl Sized;
    /// A permit for good.
    fn take(&self);
    fn give(&self);
}

pub(crate) trait AsyncSemaphore: BlockingSemaphore {
    fn acquire_one_async(&self) -> impl Future<Output = impl Send> + Send;
    fn take_async(&self) -> impl Future<Output = ()> + Send;
}

pub(crate) struct SaaPermit<'a>(&'a saa::Semaphore);

impl Drop for SaaPermit<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

macro_rules! blocking {
    ($([$($generics:tt)*] $semaphore:ty: $new:expr, |$this:ident| $acquire:expr, $take:expr, $give:expr;)*) => {
        $(impl<$($generics)*> BlockingSemaphore for $semaphore {
            fn with(permits: usize) -> Self {
                $new(permits)
            }

            fn acquire_one(&self) -> impl Sized {
                let $this = self;
                $acquire
            }

            fn take(&self) {
                let $this = self;
                $take;
            }

            fn give(&self) {
                let $this = self;
                $give;
            }
        })*
    };
}

macro_rules! tasks {
    ($([$($generics:tt)*] $semaphore:ty: |$this:ident| $acquire:expr, $take:expr;)*) => {
        $(impl<$($generics)*> AsyncSemaphore for $semaphore {
            fn acquire_one_async(&self) -> impl Future<Output = impl Send> + Send {
                let $this = self;
                $acquire
            }

            async fn take_async(&self) {
                let $this = self;
                $take;
            }
        })*
    };
}

/// Not fair: a newcomer may pass one that was woken, which a semaphore of ours never allows.
pub(crate) struct CondvarSemaphore {
    available: parking_lot_latest::Mutex<usize>,
    condvar: parking_lot_latest::Condvar,
}

impl CondvarSemaphore {
    fn new(permits: usize) -> Self {
        Self { available: permits.into(), condvar: parking_lot_latest::Condvar::new() }
    }

    fn take(&self) {
        let mut available = self.available.lock();
        self.condvar.wait_while(&mut available, |available| *available == 0);
        *available -= 1;
    }

    fn give(&self) {
        *self.available.lock() += 1;
        self.condvar.notify_one();
    }
}

pub(crate) struct CondvarPermit<'a>(&'a CondvarSemaphore);

impl Drop for CondvarPermit<'_> {
    fn drop(&mut self) {
        self.0.give();
    }
}

/// futures-intrusive's: first come, first served, or not.
pub(crate) struct Intrusive<const FAIR: bool>(futures_intrusive::sync::Semaphore);

impl<const FAIR: bool> Intrusive<FAIR> {
    fn new(permits: usize) -> Self {
        Self(futures_intrusive::sync::Semaphore::new(FAIR, permits))
    }
}

blocking! {
    [] bifrons::Semaphore: Self::new, |semaphore|
        semaphore.acquire(), semaphore.acquire().forget(), semaphore.release(1);
    [] CondvarSemaphore: Self::new, |semaphore|
        { semaphore.take(); CondvarPermit(semaphore) }, semaphore.take(), semaphore.give();
    [] saa::Semaphore: Self::with_permits, |semaphore|
        { semaphore.acquire_sync(); SaaPermit(semaphore) },
        semaphore.acquire_sync(), semaphore.release();
    [] async_lock::Semaphore: Self::new, |semaphore|
        semaphore.acquire_blocking(), semaphore.acquire_blocking().forget(),
        semaphore.add_permits(1);
    [] tokio::sync::Semaphore: Self::new, |semaphore|
        block_on(semaphore.acquire()).unwrap(), block_on(semaphore.acquire()).unwrap().forget(),
        semaphore.add_permits(1);
    [] mea::semaphore::Semaphore: Self::new, |semaphore|
        block_on(semaphore.acquire(1)), block_on(semaphore.acquire_and_forget(1)),
        semaphore.release(1);
    [const FAIR: bool] Intrusive<FAIR>: Self::new, |semaphore|
        block_on(semaphore.0.acquire(1)), block_on(semaphore.0.acquire(1)).disarm(),
        semaphore.0.release(1);
}

tasks! {
    [] bifrons::Semaphore: |semaphore|
        semaphore.acquire_async(), semaphore.acquire_async().await.forget();
    [] saa::Semaphore: |semaphore|
        async move { semaphore.acquire_async().await; SaaPermit(semaphore) },
        semaphore.acquire_async().await;
    [] async_lock::Semaphore: |semaphore| semaphore.acquire(), semaphore.acquire().await.forget();
    [] tokio::sync::Semaphore: |semaphore|
        async move { semaphore.acquire().await.unwrap() },
        semaphore.acquire().await.unwrap().forget();
    [] mea::semaphore::Semaphore: |semaphore|
        semaphore.acquire(1), semaphore.acquire_and_forget(1).await;
    [const FAIR: bool] Intrusive<FAIR>: |semaphore| semaphore.0.acquire(1), semaphore.0.acquire(1).await.disarm();
}
