//! Locks around a number.

use super::block_on;
use std::future::Future;
use std::ops::DerefMut;

pub(crate) trait BlockingLock: Default + Send + Sync + 'static {
    fn hold(&self) -> impl DerefMut<Target = u64>;
}

pub(crate) trait AsyncLock: Default + Send + Sync + 'static {
    fn hold_async(&self) -> impl Future<Output = impl DerefMut<Target = u64> + Send> + Send;
}

macro_rules! blocking {
    ($($lock:ty: |$this:ident| $hold:expr;)*) => {
        $(impl BlockingLock for $lock {
            fn hold(&self) -> impl DerefMut<Target = u64> {
                let $this = self;
                $hold
            }
        })*
    };
}

macro_rules! tasks {
    ($($lock:ty: |$this:ident| $hold:expr;)*) => {
        $(impl AsyncLock for $lock {
            fn hold_async(
                &self,
            ) -> impl Future<Output = impl DerefMut<Target = u64> + Send> + Send {
                let $this = self;
                $hold
            }
        })*
    };
}

/// futures-intrusive's, of the kind that does not hand over.
pub(crate) struct Intrusive(futures_intrusive::sync::Mutex<u64>);

impl Default for Intrusive {
    fn default() -> Self {
        Self(futures_intrusive::sync::Mutex::new(0, false))
    }
}

blocking! {
    bifrons::Lock<u64>: |lock| lock.lock();
    std::sync::Mutex<u64>: |lock| lock.lock().unwrap();
    parking_lot_latest::Mutex<u64>: |lock| lock.lock();
    usync::Mutex<u64>: |lock| lock.lock();
    saa::Mutex<u64>: |lock| lock.lock();
    async_lock::Mutex<u64>: |lock| lock.lock_blocking();
    tokio::sync::Mutex<u64>: |lock| lock.blocking_lock();
    mea::mutex::Mutex<u64>: |lock| block_on(lock.lock());
    Intrusive: |lock| block_on(lock.0.lock());
}

tasks! {
    bifrons::Lock<u64>: |lock| lock.lock_async();
    saa::Mutex<u64>: |lock| saa::lock_async(lock);
    async_lock::Mutex<u64>: |lock| lock.lock();
    tokio::sync::Mutex<u64>: |lock| lock.lock();
    mea::mutex::Mutex<u64>: |lock| lock.lock();
    Intrusive: |lock| lock.0.lock();
}
