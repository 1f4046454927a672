//! What the compiler promises: `Send`, `Sync`, `Unpin`, fused futures, sizes, unsized values,
//! statics, and what must be used.
#![cfg(not(loom))]
#![deny(unfulfilled_lint_expectations)]

use bifrons::*;
use futures::future::FusedFuture;
use futures::stream::FusedStream;
use futures::{Sink, Stream};
use static_assertions::{
    assert_impl_all, assert_not_impl_any, assert_type_eq_all, const_assert_eq,
};
use std::cell::Cell;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::iter::FusedIterator;
use std::mem::size_of;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

// ---- `Send` and `Sync` by the value ------------------------------------------------------------

/// Values by what threads may do with them.
type SendAndSync = u8;
type OnlySend = Cell<u8>;
type OnlySync = MutexGuard<'static, u8>;
type Neither = *mut u8;

assert_impl_all!(SendAndSync: Send, Sync);
assert_impl_all!(OnlySend: Send);
assert_not_impl_any!(OnlySend: Sync);
assert_impl_all!(OnlySync: Sync);
assert_not_impl_any!(OnlySync: Send);
assert_not_impl_any!(Neither: Send, Sync);

/// Each generic type by its value.
mod of {
    pub(crate) type Lock<T> = bifrons::Lock<T>;
    pub(crate) type LockGuard<T> = bifrons::LockGuard<'static, T>;
    pub(crate) type MappedLockGuard<T> = bifrons::MappedLockGuard<'static, T>;
    pub(crate) type OwnedLockGuard<T> = bifrons::OwnedLockGuard<T>;
    pub(crate) type LockFuture<T> = bifrons::LockFuture<'static, T>;
    pub(crate) type OwnedLockFuture<T> = bifrons::OwnedLockFuture<T>;
    pub(crate) type Wait<T> = bifrons::ConditionFuture<'static, LockGuard<T>>;
    pub(crate) type OwnedWait<T> = bifrons::ConditionFuture<'static, OwnedLockGuard<T>>;
    pub(crate) type Predicate<T> = fn(&mut T) -> bool;
    pub(crate) type WaitWhile<T> =
        bifrons::ConditionWhileFuture<'static, LockGuard<T>, Predicate<T>>;
    pub(crate) type OwnedWaitWhile<T> =
        bifrons::ConditionWhileFuture<'static, OwnedLockGuard<T>, Predicate<T>>;
    pub(crate) type BoundedQueue<T> = bifrons::BoundedQueue<T>;
    pub(crate) type Slot<T> = bifrons::Slot<'static, T>;
    pub(crate) type PushFuture<T> = bifrons::PushFuture<'static, T>;
    pub(crate) type PopFuture<T> = bifrons::PopFuture<'static, T>;
    pub(crate) type ReserveFuture<T> = bifrons::ReserveFuture<'static, T>;
    pub(crate) type PopManyFuture<T> = bifrons::PopManyFuture<'static, T>;
    pub(crate) type PushManyFuture<T> =
        bifrons::PushManyFuture<'static, T, std::option::IntoIter<T>>;
    pub(crate) type PopStream<T> = bifrons::PopStream<'static, T>;
    pub(crate) type PushSink<T> = bifrons::PushSink<'static, T>;
    pub(crate) type Iter<T> = bifrons::Iter<'static, T>;
    pub(crate) type TryIter<T> = bifrons::TryIter<'static, T>;
    pub(crate) type Drain<T> = bifrons::Drain<T>;
    pub(crate) type PushError<T> = bifrons::PushError<T>;
    pub(crate) type TryPushError<T> = bifrons::TryPushError<T>;
    pub(crate) type PushTimeoutError<T> = bifrons::PushTimeoutError<T>;
}

macro_rules! is {
    ($type:ty, both) => {
        assert_impl_all!($type: Send, Sync);
    };
    ($type:ty, send) => {
        assert_impl_all!($type: Send);
        assert_not_impl_any!($type: Sync);
    };
    ($type:ty, sync) => {
        assert_impl_all!($type: Sync);
        assert_not_impl_any!($type: Send);
    };
    ($type:ty, none) => {
        assert_not_impl_any!($type: Send, Sync);
    };
}

macro_rules! by_value {
    ($($name:ident: $send_and_sync:ident $only_send:ident $only_sync:ident $neither:ident;)*) => {$(
        is!(of::$name<SendAndSync>, $send_and_sync);
        is!(of::$name<OnlySend>, $only_send);
        is!(of::$name<OnlySync>, $only_sync);
        is!(of::$name<Neither>, $neither);
    )*};
}

by_value! {
//  of a value that is: Send+Sync  Send  Sync  neither
    Lock:                    both  both  none  none;
    LockGuard:               both  send  sync  none;
    MappedLockGuard:         both  send  sync  none;
    // It lends an `Arc` of the lock, whose last clone drops the value.
    OwnedLockGuard:          both  send  none  none;
    LockFuture:              both  both  none  none;
    OwnedLockFuture:         both  both  none  none;
    Wait:                    both  send  none  none;
    OwnedWait:               both  send  none  none;
    WaitWhile:               both  send  none  none;
    OwnedWaitWhile:          both  send  none  none;
    BoundedQueue:            both  both  none  none;
    Slot:                    both  both  none  none;
    PopFuture:               both  both  none  none;
    ReserveFuture:           both  both  none  none;
    PopStream:               both  both  none  none;
    PushSink:                both  both  none  none;
    Iter:                    both  both  none  none;
    TryIter:                 both  both  none  none;
    // These have items, or lend them.
    PushFuture:              both  send  none  none;
    PushManyFuture:          both  send  none  none;
    PopManyFuture:           both  send  none  none;
    Drain:                   both  send  sync  none;
    PushError:               both  send  sync  none;
    TryPushError:            both  send  sync  none;
    PushTimeoutError:        both  send  sync  none;
}

// What holds no value of its own, or only moves them, is whole after any panic. The value of a `Lock`
// may be half changed; there is no poison to tell.
assert_impl_all!(Event: UnwindSafe, RefUnwindSafe);
assert_impl_all!(Semaphore: UnwindSafe, RefUnwindSafe);
assert_impl_all!(Condition: UnwindSafe, RefUnwindSafe);
assert_impl_all!(of::BoundedQueue<Cell<u8>>: UnwindSafe, RefUnwindSafe);
assert_impl_all!(EventFuture<'static>: UnwindSafe);
assert_impl_all!(AcquireFuture<'static>: UnwindSafe);
assert_impl_all!(of::PopFuture<u8>: UnwindSafe);
assert_impl_all!(of::Lock<u8>: UnwindSafe);
assert_not_impl_any!(of::Lock<u8>: RefUnwindSafe);

is!(Semaphore, both);
is!(Permit<'static>, both);
is!(OwnedPermit, both);
is!(AcquireFuture<'static>, both);
is!(OwnedAcquireFuture, both);
is!(Event, both);
is!(EventFuture<'static>, both);
is!(Condition, both);
is!(TimedOut, both);
is!(ReleaseError, both);
is!(PopError, both);
is!(TryPopError, both);
is!(PopTimeoutError, both);

// ---- Futures, streams, iterators ---------------------------------------------------------------

macro_rules! futures {
    ($($future:ty,)*) => {$(
        assert_impl_all!($future: FusedFuture, Debug);
        assert_not_impl_any!($future: Unpin, Clone);
    )*};
}

futures! {
    of::LockFuture<u8>,
    of::LockFuture<[u8]>,
    of::OwnedLockFuture<u8>,
    of::OwnedLockFuture<dyn Debug>,
    AcquireFuture<'static>,
    OwnedAcquireFuture,
    EventFuture<'static>,
    of::Wait<u8>,
    of::Wait<[u8]>,
    of::OwnedWait<u8>,
    of::WaitWhile<u8>,
    of::OwnedWaitWhile<u8>,
    of::PushFuture<Neither>,
    of::PopFuture<Neither>,
    of::ReserveFuture<Neither>,
    of::PopManyFuture<Neither>,
    of::PushManyFuture<Neither>,
}

assert_impl_all!(of::PopStream<u8>: Stream<Item = u8>, FusedStream, Debug);
assert_not_impl_any!(of::PopStream<u8>: Unpin, Clone);
assert_impl_all!(of::PushSink<u8>: Sink<u8, Error = PushError<()>>, Debug);
assert_not_impl_any!(of::PushSink<u8>: Unpin, Clone);
assert_impl_all!(of::Iter<u8>: FusedIterator, Iterator<Item = u8>, Debug, Unpin);
assert_impl_all!(of::TryIter<u8>: Iterator<Item = u8>, Debug, Unpin);
// It may find an item after it has found none.
assert_not_impl_any!(of::TryIter<u8>: FusedIterator);
assert_impl_all!(of::Drain<u8>: FusedIterator, ExactSizeIterator, DoubleEndedIterator, Debug);

// What is not polled can be moved.
assert_impl_all!(Lock<u8>: Unpin);
assert_impl_all!(of::LockGuard<u8>: Unpin);
assert_impl_all!(of::MappedLockGuard<u8>: Unpin);
assert_impl_all!(of::OwnedLockGuard<u8>: Unpin);
assert_impl_all!(Semaphore: Unpin);
assert_impl_all!(Permit<'static>: Unpin);
assert_impl_all!(OwnedPermit: Unpin);
assert_impl_all!(Event: Unpin);
assert_impl_all!(Condition: Unpin);
assert_impl_all!(BoundedQueue<u8>: Unpin);
assert_impl_all!(of::Slot<u8>: Unpin);

// A right is used once.
assert_not_impl_any!(of::LockGuard<u8>: Clone);
assert_not_impl_any!(of::OwnedLockGuard<u8>: Clone);
assert_not_impl_any!(Permit<'static>: Clone);
assert_not_impl_any!(OwnedPermit: Clone);
assert_not_impl_any!(of::Slot<u8>: Clone);

assert_impl_all!(Lock<u8>: Default, From<u8>, Debug);
assert_impl_all!(Lock<Neither>: Debug);
assert_impl_all!(Semaphore: Default, Debug);
assert_impl_all!(Event: Default, Debug);
assert_impl_all!(Condition: Default, Debug);
assert_impl_all!(BoundedQueue<OnlySync>: Debug);
assert_impl_all!(Permit<'static>: Debug);
assert_impl_all!(OwnedPermit: Debug);
assert_impl_all!(of::Slot<OnlySync>: Debug);
assert_impl_all!(of::LockGuard<u8>: Debug, Display);
assert_impl_all!(of::MappedLockGuard<u8>: Debug, Display);
assert_impl_all!(of::OwnedLockGuard<u8>: Debug, Display);
assert_impl_all!(of::LockGuard<u8>: ConditionGuard<View = u8>);
assert_impl_all!(of::OwnedLockGuard<[u8]>: ConditionGuard<View = [u8]>);
// What the part was chosen by may have changed after the wait.
assert_not_impl_any!(of::MappedLockGuard<u8>: ConditionGuard);

// ---- Errors ------------------------------------------------------------------------------------

/// Not `Debug`, nor anything else.
struct Plain;

macro_rules! errors {
    ($($error:ident)*) => {$(
        assert_impl_all!($error<Plain>: Error, Debug, Display);
        assert_impl_all!($error<u8>: Copy, Clone, Eq, PartialEq, Hash);
        assert_not_impl_any!($error<String>: Copy);
    )*};
}

errors!(PushError TryPushError PushTimeoutError);
assert_impl_all!(TimedOut: Error, Copy, Eq, Hash);
assert_impl_all!(ReleaseError: Error, Copy, Eq, Hash);
assert_impl_all!(PopError: Error, Copy, Eq, Hash);
assert_impl_all!(TryPopError: Error, Copy, Eq, Hash);
assert_impl_all!(PopTimeoutError: Error, Copy, Eq, Hash);
assert_impl_all!(TryPushError<u8>: From<PushError<u8>>);
assert_impl_all!(PushTimeoutError<u8>: From<PushError<u8>>);
assert_impl_all!(TryPopError: From<PopError>);
assert_impl_all!(PopTimeoutError: From<PopError>, From<TimedOut>);
assert_type_eq_all!(bifrons::error::TimedOut, TimedOut);

// ---- Sizes, on a machine of 64 bits ------------------------------------------------------------

const WORD: usize = 8;

/// A wait node is private; the smallest future is a node and a reference.
const NODE: usize = size_of::<EventFuture<'_>>() - WORD;

#[cfg(target_pointer_width = "64")]
mod sizes {
    use super::*;

    const_assert_eq!(NODE, 40);

    const_assert_eq!(size_of::<Lock<()>>(), 16);
    const_assert_eq!(size_of::<Lock<u64>>(), 24);
    const_assert_eq!(size_of::<of::LockGuard<u8>>(), WORD);
    const_assert_eq!(size_of::<Option<of::LockGuard<u8>>>(), WORD);
    const_assert_eq!(size_of::<of::MappedLockGuard<u8>>(), 2 * WORD);
    const_assert_eq!(size_of::<of::OwnedLockGuard<u8>>(), WORD);
    const_assert_eq!(size_of::<of::LockFuture<u8>>(), NODE + WORD);
    const_assert_eq!(size_of::<of::OwnedLockFuture<u8>>(), NODE + WORD);

    const_assert_eq!(size_of::<Permit<'_>>(), 2 * WORD);
    const_assert_eq!(size_of::<OwnedPermit>(), 2 * WORD);
    const_assert_eq!(size_of::<AcquireFuture<'_>>(), NODE + 2 * WORD);
    const_assert_eq!(size_of::<OwnedAcquireFuture>(), NODE + 2 * WORD);

    const_assert_eq!(size_of::<Event>(), 24);
    const_assert_eq!(size_of::<EventFuture<'_>>(), NODE + WORD);

    // A future that may be there needs no more room.
    const_assert_eq!(size_of::<Option<of::LockFuture<u8>>>(), NODE + WORD);
    const_assert_eq!(size_of::<Option<AcquireFuture<'_>>>(), NODE + 2 * WORD);
    const_assert_eq!(size_of::<Option<EventFuture<'_>>>(), NODE + WORD);

    const_assert_eq!(size_of::<Condition>(), 32);
    const_assert_eq!(size_of::<of::Wait<u8>>(), NODE + 5 * WORD);
    const_assert_eq!(size_of::<of::OwnedWait<u8>>(), NODE + 5 * WORD);
    const_assert_eq!(size_of::<of::WaitWhile<u8>>(), NODE + 8 * WORD);

    const_assert_eq!(size_of::<of::Slot<u8>>(), WORD);
    const_assert_eq!(size_of::<of::PopFuture<u64>>(), NODE + 2 * WORD);
    const_assert_eq!(size_of::<of::ReserveFuture<u64>>(), NODE + 2 * WORD);
    const_assert_eq!(size_of::<of::PopStream<u64>>(), NODE + 2 * WORD);
    const_assert_eq!(size_of::<of::PushSink<u64>>(), NODE + 2 * WORD);
    const_assert_eq!(size_of::<of::PopManyFuture<u64>>(), NODE + 4 * WORD);
    // And the item, in the room that its `Option` needs.
    const_assert_eq!(size_of::<of::PushFuture<u64>>(), NODE + WORD + size_of::<Option<u64>>());
}

// ---- Unsized values ----------------------------------------------------------------------------

trait Shape: Send {
    fn area(&self) -> u32;
    fn grow(&mut self);
}

struct Square(u32);

impl Shape for Square {
    fn area(&self) -> u32 {
        self.0 * self.0
    }
    fn grow(&mut self) {
        self.0 += 1;
    }
}

#[test]
fn a_lock_of_an_unsized_value_works_in_every_face() {
    let slice: Arc<Lock<[u8]>> = Arc::new(Lock::new([1, 2, 3]));
    slice.lock()[0] = 4;
    block_on(slice.lock_async())[1] = 5;
    slice.lock_owned()[2] = 6;
    let mut part = LockGuard::map(slice.lock(), |slice| &mut slice[1..]);
    part[0] += 1;
    drop(part);
    assert_eq!(*block_on(slice.lock_owned_async()), [4, 6, 6]);
    assert_eq!(format!("{slice:?}"), format!("{:?}", Lock::new([4, 6, 6])));

    let shape: Arc<Lock<dyn Shape>> = Arc::new(Lock::new(Square(2)));
    shape.lock().grow();
    let other = Arc::clone(&shape);
    assert_eq!(std::thread::spawn(move || other.lock_owned().area()).join().unwrap(), 9);
    let condition = Condition::new();
    let guard = condition.wait_while(shape.lock(), |shape| shape.area() == 0);
    assert_eq!(guard.area(), 9);
    drop(guard);
    let wait = condition.wait_while_async(shape.lock_owned(), |shape| shape.area() == 0);
    assert_eq!(block_on(wait).area(), 9);

    let boxed: Box<Lock<dyn Shape>> = Box::new(Lock::new(Square(3)));
    assert_eq!(boxed.lock().area(), 9);
    let borrowed: &Lock<dyn Shape> = &Lock::new(Square(4));
    assert_eq!(borrowed.lock().area(), 16);
}

#[test]
fn a_lock_that_lives_longer_serves_where_a_shorter_one_is_asked_for() {
    // Covariance: a lock of a longer life serves where a shorter one is asked for.
    fn same<'a>(lock: &'a Lock<()>, other: &'a Lock<()>) -> [LockGuard<'a, ()>; 2] {
        [lock.lock(), other.lock()]
    }
    static LONG: Lock<()> = Lock::new(());
    let short = Lock::new(());
    drop(same(&LONG, &short));
    assert!(LONG.try_lock().is_some());
}

// ---- Statics -----------------------------------------------------------------------------------

static LOCK: Lock<Vec<u8>> = Lock::new(Vec::new());
static SEMAPHORE: Semaphore = Semaphore::new(2);
static BOUNDED: Semaphore = Semaphore::bounded(Semaphore::MAX_PERMITS);
static EVENT: Event = Event::new();
static CONDITION: Condition = Condition::new();

#[test]
fn statics_need_no_initialisation() {
    let thread = std::thread::spawn(|| {
        drop(CONDITION.wait_while(LOCK.lock(), |list| list.is_empty()));
        EVENT.wait();
    });
    let task = async {
        let _permit = SEMAPHORE.acquire_many_async(2).await;
        LOCK.lock_async().await.push(1);
        CONDITION.notify_one();
        EVENT.set();
    };
    // `'static` futures and guards without an `Arc`.
    block_on(Box::pin(task) as std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'static>>);
    thread.join().unwrap();
    assert_eq!(SEMAPHORE.available(), 2);
    assert_eq!(BOUNDED.available(), Semaphore::MAX_PERMITS);
}

// ---- What must be used -------------------------------------------------------------------------

/// Each statement earns the warning that is expected of it, or this file does not compile.
#[expect(dead_code, reason = "it is compiled, not run")]
fn unused_results_earn_a_warning(
    lock: &Arc<Lock<u8>>,
    semaphore: &Arc<Semaphore>,
    event: &Event,
    condition: &Condition,
    queue: &BoundedQueue<u8>,
) {
    macro_rules! must_be_used {
        ($($operation:expr;)*) => {$(
            #[expect(unused_must_use, reason = "this is what is tested")]
            {
                $operation;
            }
        )*};
    }
    let (now, short) = (Instant::now(), Duration::ZERO);
    must_be_used! {
        lock.lock();
        lock.lock_owned();
        lock.lock_timeout(short);
        lock.lock_deadline(now);
        lock.lock_async();
        lock.lock_owned_async();
        LockGuard::map(lock.lock(), |value| value);
        LockGuard::filter_map(lock.lock(), |value| Some(value));
        semaphore.acquire();
        semaphore.acquire_owned();
        semaphore.acquire_timeout(short);
        semaphore.acquire_async();
        semaphore.acquire_owned_async();
        semaphore.acquire().split(1);
        semaphore.try_release(1);
        event.wait_timeout(short);
        event.wait_async();
        condition.wait(lock.lock());
        condition.wait_timeout(lock.lock(), short);
        condition.wait_deadline(lock.lock(), now);
        condition.wait_while(lock.lock(), |_| false);
        condition.wait_while_timeout(lock.lock(), |_| false, short);
        condition.wait_while_deadline(lock.lock(), |_| false, now);
        condition.wait_async(lock.lock());
        condition.wait_while_async(lock.lock(), |_| false);
        queue.push(1);
        queue.try_push(1);
        queue.force_push(1);
        queue.pop();
        queue.try_pop();
        queue.push_async(1);
        queue.pop_async();
        queue.reserve();
        queue.try_reserve();
        queue.reserve_async();
        queue.push_many([1]);
        queue.push_many_async([1]);
        queue.pop_many(&mut Vec::new(), 1);
        queue.pop_many_async(&mut Vec::new(), 1);
        queue.close_now();
        queue.iter();
        queue.try_iter();
        queue.stream();
        queue.sink();
        block_on_timeout(event.wait_async(), short);
        lock.try_lock();
        lock.try_lock_owned();
        semaphore.try_acquire();
        semaphore.try_acquire_owned();
    }
}
