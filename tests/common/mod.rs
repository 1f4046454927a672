//! What the tests share: one behaviour, run by each face.

#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

use bifrons::{
    AsyncConditionGuard, BoundedQueue, Condition, Event, Lock, LockGuard, OwnedLockGuard,
    OwnedPermit, Permit, PopError, PopTimeoutError, PushError, PushTimeoutError, Semaphore, Slot,
    block_on,
};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// Longer than any test takes: a wait that ends by it has failed.
pub const LONG: Duration = Duration::from_secs(120);

/// How an operation is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    Blocking,
    Timed,
    Async,
}

impl Face {
    pub const ALL: [Self; 3] = [Self::Blocking, Self::Timed, Self::Async];

    pub fn lock<T>(self, lock: &Lock<T>) -> LockGuard<'_, T> {
        match self {
            Self::Blocking => lock.lock(),
            Self::Timed => lock.lock_timeout(LONG).unwrap(),
            Self::Async => block_on(lock.lock_async()),
        }
    }

    pub fn acquire(self, semaphore: &Semaphore, n: usize) -> Permit<'_> {
        match self {
            Self::Blocking => semaphore.acquire_many(n),
            Self::Timed => semaphore.acquire_many_timeout(n, LONG).unwrap(),
            Self::Async => block_on(semaphore.acquire_many_async(n)),
        }
    }

    pub fn wait(self, event: &Event) {
        match self {
            Self::Blocking => event.wait(),
            Self::Timed => event.wait_timeout(LONG).unwrap(),
            Self::Async => block_on(event.wait_async()),
        }
    }

    pub fn push<T>(self, queue: &BoundedQueue<T>, item: T) -> Result<(), PushError<T>> {
        match self {
            Self::Blocking => queue.push(item),
            Self::Timed => queue.push_timeout(item, LONG).map_err(|error| match error {
                PushTimeoutError::Closed(item) => PushError(item),
                PushTimeoutError::TimedOut(_) => panic!("push timed out"),
            }),
            Self::Async => block_on(queue.push_async(item)),
        }
    }

    pub fn pop<T>(self, queue: &BoundedQueue<T>) -> Result<T, PopError> {
        match self {
            Self::Blocking => queue.pop(),
            Self::Timed => queue.pop_timeout(LONG).map_err(|error| match error {
                PopTimeoutError::Closed => PopError,
                PopTimeoutError::TimedOut => panic!("pop timed out"),
            }),
            Self::Async => block_on(queue.pop_async()),
        }
    }

    pub fn reserve<T>(self, queue: &BoundedQueue<T>) -> Result<Slot<'_, T>, PushError<()>> {
        match self {
            Self::Blocking => queue.reserve(),
            Self::Timed => queue.reserve_timeout(LONG).map_err(|error| match error {
                PushTimeoutError::Closed(()) => PushError(()),
                PushTimeoutError::TimedOut(()) => panic!("reserve timed out"),
            }),
            Self::Async => block_on(queue.reserve_async()),
        }
    }
}

impl Face {
    /// The faces of `n` waiters: one face for all, for each face, and then all faces mixed.
    pub fn casts(n: usize) -> Vec<Vec<Self>> {
        let mixed = Self::ALL.into_iter().cycle().take(n).collect();
        Self::ALL.into_iter().map(|face| vec![face; n]).chain([mixed]).collect()
    }

    pub fn lock_owned<T>(self, lock: &Arc<Lock<T>>) -> OwnedLockGuard<T> {
        match self {
            Self::Blocking => lock.lock_owned(),
            Self::Timed => lock.lock_owned_timeout(LONG).unwrap(),
            Self::Async => block_on(lock.lock_owned_async()),
        }
    }

    pub fn acquire_owned(self, semaphore: &Arc<Semaphore>, n: usize) -> OwnedPermit {
        match self {
            Self::Blocking => semaphore.acquire_many_owned(n),
            Self::Timed => semaphore.acquire_many_owned_timeout(n, LONG).unwrap(),
            Self::Async => block_on(semaphore.acquire_many_owned_async(n)),
        }
    }

    pub fn notified<G: AsyncConditionGuard>(self, condition: &Condition, guard: G) -> G {
        match self {
            Self::Blocking => condition.wait(guard),
            Self::Timed => {
                let (guard, notified) = condition.wait_timeout(guard, LONG);
                assert!(notified, "wait timed out");
                guard
            }
            Self::Async => block_on(condition.wait_async(guard)),
        }
    }

    pub fn wait_while<G: AsyncConditionGuard>(
        self,
        condition: &Condition,
        guard: G,
        predicate: impl FnMut(&mut G::View) -> bool,
    ) -> G {
        match self {
            Self::Blocking => condition.wait_while(guard, predicate),
            Self::Timed => {
                let (guard, let_go) = condition.wait_while_timeout(guard, predicate, LONG);
                assert!(let_go, "wait timed out");
                guard
            }
            Self::Async => block_on(condition.wait_while_async(guard, predicate)),
        }
    }
}

/// Whether `f` panics.
pub fn panics<R>(f: impl FnOnce() -> R) -> bool {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_err()
}

/// Lets `time` pass, where time itself is what the test is about.
pub fn let_pass(time: Duration) {
    assert!(Event::new().wait_timeout(time).is_err());
}

/// A wait of `time` that nobody ends: it must last that long, and end.
pub fn lasts<R>(time: Duration, wait: impl FnOnce() -> R) -> R {
    let start = Instant::now();
    let result = wait();
    let elapsed = start.elapsed();
    assert!(elapsed >= time, "{time:?} were over after {elapsed:?}");
    assert!(elapsed < LONG, "{time:?} took {elapsed:?}");
    result
}

/// Runs until `condition` holds, which some other thread is about to make true.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LONG, "never came true: {what}");
        std::thread::yield_now();
    }
}

/// A waker that counts.
#[derive(Default)]
pub struct Counter {
    wakes: AtomicUsize,
}

impl Counter {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    pub fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    pub fn wakes(&self) -> usize {
        self.wakes.load(Ordering::SeqCst)
    }

    /// Polls with this waker.
    pub fn poll<F: Future + ?Sized>(self: &Arc<Self>, future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(&self.waker()))
    }
}

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
    }
}

/// Polls once, with a waker that does nothing.
pub fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A small generator of random numbers (splitmix64): seeded, so that a failure can be repeated.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}
