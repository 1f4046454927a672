//! Hostile callers: whatever a waker, a `Drop` or a closure does, the object stays usable.
#![cfg(not(loom))]

mod common;

use bifrons::*;
use common::{Counter, LONG, Random, eventually, poll_once};
use futures::future::FusedFuture;
use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak, mpsc};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use std::time::{Duration, Instant};

// ---- Tools -------------------------------------------------------------------------------------

/// Runs `body` on a thread of its own, so that a deadlock fails instead of hanging.
fn within_time(body: impl FnOnce() + Send + 'static) {
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || done.send(catch_unwind(AssertUnwindSafe(body))));
    match result.recv_timeout(LONG) {
        Ok(Ok(())) => {}
        Ok(Err(payload)) => resume_unwind(payload),
        Err(_) => panic!("deadlock"),
    }
}

/// What `f` panics with, which is a `&str`.
fn panics<R>(f: impl FnOnce() -> R) -> &'static str {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("it did not panic"),
        Err(payload) => *payload.downcast::<&'static str>().expect("another panic"),
    }
}

type Hook = Box<dyn Fn() + Send + Sync>;

/// A waker of which each function is the test's own.
#[derive(Default)]
struct Hooks {
    clone: Option<Hook>,
    wake: Option<Hook>,
    drop: Option<Hook>,
    clones: AtomicUsize,
    wakes: AtomicUsize,
    drops: AtomicUsize,
}

impl Hooks {
    fn on_clone(f: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { clone: Some(Box::new(f)), ..Self::default() })
    }

    fn on_wake(f: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { wake: Some(Box::new(f)), ..Self::default() })
    }

    fn on_drop(f: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { drop: Some(Box::new(f)), ..Self::default() })
    }

    fn everywhere(f: impl Fn() + Send + Sync + Clone + 'static) -> Arc<Self> {
        Arc::new(Self {
            clone: Some(Box::new(f.clone())),
            wake: Some(Box::new(f.clone())),
            drop: Some(Box::new(f)),
            ..Self::default()
        })
    }

    fn wakes(&self) -> usize {
        self.wakes.load(Ordering::SeqCst)
    }

    /// Polls with a waker whose clones, and only they, run the hook of `drop`.
    fn poll<F: Future + ?Sized>(self: &Arc<Self>, future: Pin<&mut F>) -> Poll<F::Output> {
        let data = Arc::as_ptr(self).cast();
        // SAFETY: the table keeps the contract of `RawWaker`: the data is an `Arc<Hooks>`, which
        // outlives this waker; this waker is not dropped, so it needs no count of its own.
        let waker =
            std::mem::ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(data, &TABLE)) });
        future.poll(&mut Context::from_waker(&waker))
    }
}

static TABLE: RawWakerVTable =
    RawWakerVTable::new(clone_hook, wake_hook, wake_by_ref_hook, drop_hook);

fn run(hook: &Option<Hook>, count: &AtomicUsize) {
    count.fetch_add(1, Ordering::SeqCst);
    if let Some(hook) = hook {
        hook();
    }
}

/// The hooks behind a waker's data.
///
/// # Safety
///
/// `data` comes from an `Arc<Hooks>` that is alive.
unsafe fn hooks<'a>(data: *const ()) -> &'a Hooks {
    // SAFETY: the caller's promise.
    unsafe { &*data.cast::<Hooks>() }
}

unsafe fn clone_hook(data: *const ()) -> RawWaker {
    // SAFETY: the waker that is being cloned is alive.
    let hooks = unsafe { hooks(data) };
    run(&hooks.clone, &hooks.clones);
    // SAFETY: as above; the clone gets a count of its own.
    unsafe { Arc::increment_strong_count(data.cast::<Hooks>()) };
    RawWaker::new(data, &TABLE)
}

unsafe fn wake_hook(data: *const ()) {
    // SAFETY: the count of the waker that is being used up.
    let hooks = unsafe { Arc::from_raw(data.cast::<Hooks>()) };
    run(&hooks.wake, &hooks.wakes);
}

unsafe fn wake_by_ref_hook(data: *const ()) {
    // SAFETY: the waker is alive.
    let hooks = unsafe { hooks(data) };
    run(&hooks.wake, &hooks.wakes);
}

unsafe fn drop_hook(data: *const ()) {
    // SAFETY: the count of the waker that is being dropped.
    let hooks = unsafe { Arc::from_raw(data.cast::<Hooks>()) };
    run(&hooks.drop, &hooks.drops);
}

fn boom() {
    std::panic::panic_any("boom");
}

/// Unwinds through `body`'s captured values, and swallows the panic.
fn unwinding<T>(value: T) -> &'static str {
    panics(move || {
        let _value = value;
        std::panic::panic_any("first");
    })
}

// ---- The objects -------------------------------------------------------------------------------

type Operation = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A future whose output is dropped at once. Not an `async` block: that is over when a poll panics.
struct Quiet<F>(Pin<Box<F>>);

impl<F: Future> Future for Quiet<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx).map(drop)
    }
}

fn quiet<F: Future + Send + 'static>(future: F) -> Operation {
    Box::pin(Quiet(Box::pin(future)))
}

trait Object: Send + Sync + Sized + 'static {
    fn new() -> Self;
    /// Makes operations wait.
    fn block(&'static self);
    fn operation(&'static self) -> Operation;
    /// Gives what one operation waits for.
    fn provide(&'static self);
    fn waiting(&self) -> usize;
    /// Undoes `block`, with nobody waiting.
    fn unblock(&'static self) {
        self.provide();
    }
    /// Calls everything that does not wait and changes nothing in the end.
    fn touch(&'static self);

    /// It works as it should.
    fn check(&'static self) {
        self.block();
        assert_eq!(self.waiting(), 0);
        let counter = Counter::new();
        let mut operation = self.operation();
        assert!(counter.poll(operation.as_mut()).is_pending());
        assert_eq!((self.waiting(), counter.wakes()), (1, 0));
        self.provide();
        assert_eq!((self.waiting(), counter.wakes()), (0, 1));
        assert!(counter.poll(operation.as_mut()).is_ready());
    }

    fn pending(&'static self, hooks: &Arc<Hooks>) -> Operation {
        let mut operation = self.operation();
        assert!(hooks.poll(operation.as_mut()).is_pending());
        operation
    }
}

fn blocked<O: Object>() -> &'static O {
    let object: &'static O = Box::leak(Box::new(O::new()));
    object.block();
    object
}

/// Polls once, and drops.
fn try_out<F: Future>(future: F) {
    drop(poll_once(pin!(future)));
}

#[derive(Default)]
struct TheLock {
    lock: Lock<u32>,
    held: Mutex<Option<LockGuard<'static, u32>>>,
}

impl Object for TheLock {
    fn new() -> Self {
        Self::default()
    }
    fn block(&'static self) {
        *self.held.lock().unwrap() = Some(self.lock.try_lock().expect("the lock is free"));
    }
    fn operation(&'static self) -> Operation {
        quiet(self.lock.lock_async())
    }
    fn provide(&'static self) {
        let held = self.held.lock().unwrap().take();
        drop(held);
    }
    fn waiting(&self) -> usize {
        self.lock.waiting()
    }
    fn touch(&'static self) {
        let _ = (self.lock.is_locked(), self.lock.waiting(), format!("{:?}", self.lock));
        drop(self.lock.try_lock());
        drop(self.lock.lock_timeout(Duration::ZERO));
        try_out(self.lock.lock_async());
    }
}

#[derive(Debug)]
struct TheSemaphore(Semaphore);

impl Object for TheSemaphore {
    fn new() -> Self {
        Self(Semaphore::bounded(1))
    }
    fn block(&'static self) {
        assert_eq!(self.0.forget_available(1), 1);
    }
    fn operation(&'static self) -> Operation {
        quiet(self.0.acquire_async())
    }
    fn provide(&'static self) {
        self.0.release(1);
    }
    fn waiting(&self) -> usize {
        self.0.waiting()
    }
    fn touch(&'static self) {
        let _ = (self.0.available(), self.0.waiting(), format!("{self:?}"));
        drop(self.0.try_acquire());
        drop(self.0.acquire_timeout(Duration::ZERO));
        self.0.release(0);
        assert_eq!(self.0.forget_available(0), 0);
        assert!(self.0.try_release(5).is_err());
        try_out(self.0.acquire_async());
    }
}

impl Object for Event {
    fn new() -> Self {
        Self::new()
    }
    fn block(&'static self) {
        self.clear();
    }
    fn operation(&'static self) -> Operation {
        quiet(self.wait_async())
    }
    fn provide(&'static self) {
        self.set();
    }
    fn waiting(&self) -> usize {
        Self::waiting(self)
    }
    fn touch(&'static self) {
        let _ = (Self::waiting(self), format!("{self:?}"));
        if self.is_set() {
            self.set();
        } else {
            self.clear();
        }
        let _ = self.wait_timeout(Duration::ZERO);
        try_out(self.wait_async());
    }
}

#[derive(Default, Debug)]
struct TheCondition {
    lock: Lock<u32>,
    condition: Condition,
}

impl Object for TheCondition {
    fn new() -> Self {
        Self::default()
    }
    fn block(&'static self) {
        assert!(!self.lock.is_locked());
    }
    fn operation(&'static self) -> Operation {
        quiet(self.condition.wait_async(self.lock.try_lock().expect("the lock is free")))
    }
    fn provide(&'static self) {
        assert!(self.condition.notify_one());
    }
    fn unblock(&'static self) {}
    fn waiting(&self) -> usize {
        self.condition.waiting() + self.lock.waiting()
    }
    fn touch(&'static self) {
        let _ = (self.waiting(), format!("{self:?}"));
        assert_eq!(self.condition.notify(0), 0);
        if let Some(guard) = self.lock.try_lock() {
            try_out(self.condition.wait_async(guard));
        }
        try_out(self.lock.lock_async());
    }
}

#[derive(Debug)]
struct ThePop(BoundedQueue<u32>);

/// All of a queue's operations that do not wait; what comes out goes in again.
fn touch_queue(queue: &BoundedQueue<u32>) {
    let _ = (queue.len(), queue.is_full(), queue.waiting(), format!("{queue:?}"));
    drop(queue.try_reserve());
    if let Ok(item) = queue.try_pop() {
        let _ = queue.try_push(item);
    }
    let _ = queue.try_pop_many(&mut Vec::new(), 0);
    if queue.is_full() {
        try_out(queue.push_async(7));
        try_out(queue.reserve_async());
        let _ = queue.push_timeout(7, Duration::ZERO);
    }
    if queue.is_empty() {
        try_out(queue.pop_async());
        let _ = queue.pop_timeout(Duration::ZERO);
    }
}

impl Object for ThePop {
    fn new() -> Self {
        Self(BoundedQueue::new(1))
    }
    fn block(&'static self) {
        let _ = self.0.try_pop();
    }
    fn operation(&'static self) -> Operation {
        quiet(self.0.pop_async())
    }
    fn provide(&'static self) {
        self.0.try_push(1).unwrap();
    }
    fn waiting(&self) -> usize {
        self.0.waiting()
    }
    fn touch(&'static self) {
        touch_queue(&self.0);
    }
}

#[derive(Debug)]
struct ThePush(BoundedQueue<u32>);

impl Object for ThePush {
    fn new() -> Self {
        Self(BoundedQueue::new(1))
    }
    fn block(&'static self) {
        let _ = self.0.try_push(1);
    }
    fn operation(&'static self) -> Operation {
        quiet(self.0.push_async(2))
    }
    fn provide(&'static self) {
        self.0.try_pop().unwrap();
    }
    fn waiting(&self) -> usize {
        self.0.waiting()
    }
    fn touch(&'static self) {
        touch_queue(&self.0);
    }
}

#[derive(Debug)]
struct TheReserve(BoundedQueue<u32>);

impl Object for TheReserve {
    fn new() -> Self {
        Self(BoundedQueue::new(1))
    }
    fn block(&'static self) {
        let _ = self.0.try_push(1);
    }
    fn operation(&'static self) -> Operation {
        quiet(self.0.reserve_async())
    }
    fn provide(&'static self) {
        self.0.try_pop().unwrap();
    }
    fn waiting(&self) -> usize {
        self.0.waiting()
    }
    fn touch(&'static self) {
        touch_queue(&self.0);
    }
}

// ---- Wakers, on every object -------------------------------------------------------------------

fn a_waker_that_calls_back_from_clone_wake_and_drop<O: Object>() {
    within_time(|| {
        let object = blocked::<O>();
        let hooks = [(); 3].map(|()| Hooks::everywhere(move || object.touch()));
        let mut first = object.pending(&hooks[0]);
        let mut second = object.pending(&hooks[1]);
        let cancelled = object.pending(&hooks[2]);
        // Changes of wakers: a clone and a drop each.
        for hooks in &hooks {
            assert!(hooks.poll(first.as_mut()).is_pending());
            assert!(hooks.poll(first.as_mut()).is_pending());
        }
        drop(cancelled);
        object.provide();
        assert!(hooks[2].wakes() >= 1);
        // Notified, it may leave without having used it.
        drop(first);
        assert!(hooks[1].wakes() >= 1);
        assert!(hooks[1].poll(second.as_mut()).is_ready());
        drop(second);
        for hooks in hooks {
            let (clones, drops) = (&hooks.clones, &hooks.drops);
            let (clones, drops) = (clones.load(Ordering::SeqCst), drops.load(Ordering::SeqCst));
            assert!(clones > 0 && clones == drops + hooks.wakes(), "a waker leaked or died twice");
            assert_eq!(Arc::strong_count(&hooks), 1);
        }
        object.check();
    });
}

fn a_waker_whose_clone_panics<O: Object>() {
    let object = blocked::<O>();
    let bad = Hooks::on_clone(boom);
    // At the first poll: nothing is registered.
    let mut operation = object.operation();
    assert_eq!(panics(|| bad.poll(operation.as_mut())), "boom");
    assert_eq!(object.waiting(), 0);
    drop(operation);
    // Later: the waker before it stays.
    let good = Arc::<Hooks>::default();
    let mut operation = object.pending(&good);
    assert_eq!(panics(|| bad.poll(operation.as_mut())), "boom");
    assert_eq!(object.waiting(), 1);
    object.provide();
    assert_eq!(good.wakes(), 1);
    assert!(bad.poll(operation.as_mut()).is_ready(), "a poll that is ready clones nothing");
    drop(operation);
    object.check();
}

fn a_waker_that_panics_has_been_woken<O: Object>() {
    let object = blocked::<O>();
    let bad = Hooks::on_wake(boom);
    let mut operation = object.pending(&bad);
    assert_eq!(panics(|| object.provide()), "boom");
    assert_eq!((object.waiting(), bad.wakes()), (0, 1));
    assert!(poll_once(operation.as_mut()).is_ready());
    drop(operation);
    object.check();
    // When it is the one that a cancelled waiter passes it on to.
    object.block();
    let first = object.pending(&Arc::default());
    let mut next = object.pending(&bad);
    let all_at_once = catch_unwind(AssertUnwindSafe(|| object.provide())).is_err();
    let passed_on = catch_unwind(AssertUnwindSafe(|| drop(first))).is_err();
    assert_eq!(bad.wakes(), 2);
    assert!(all_at_once != passed_on, "the panic comes out once");
    assert!(poll_once(next.as_mut()).is_ready());
    drop(next);
    object.check();
}

fn a_waker_whose_drop_panics<O: Object>() {
    // Replaced: the new one is in its place.
    let object = blocked::<O>();
    let bad = Hooks::on_drop(boom);
    let counter = Counter::new();
    let mut operation = object.pending(&bad);
    assert_eq!(panics(|| counter.poll(operation.as_mut())), "boom");
    assert_eq!(object.waiting(), 1);
    object.provide();
    assert_eq!(counter.wakes(), 1);
    assert!(counter.poll(operation.as_mut()).is_ready());
    drop(operation);
    object.check();

    // Cancelled.
    object.block();
    let operation = object.pending(&bad);
    assert_eq!(panics(|| drop(operation)), "boom");
    assert_eq!(object.waiting(), 0);
    object.unblock();
    object.check();

    // Not needed after all, for what it is to wait for comes while it is cloned.
    object.block();
    let late = Arc::new(Hooks {
        clone: Some(Box::new(move || object.unblock())),
        drop: Some(Box::new(boom)),
        ..Hooks::default()
    });
    let mut operation = object.operation();
    let outcome = catch_unwind(AssertUnwindSafe(|| late.poll(operation.as_mut())));
    let settled = catch_unwind(AssertUnwindSafe(|| drop(operation)));
    assert!(outcome.is_err() || settled.is_err(), "its drop has not run");
    assert_eq!(object.waiting(), 0);
    object.check();
}

fn nothing_aborts_while_a_thread_unwinds<O: Object>() {
    let object = blocked::<O>();
    // A waiting future with a waker that panics when it is dropped.
    let bad = Hooks::on_drop(boom);
    assert_eq!(unwinding(object.pending(&bad)), "first");
    assert_eq!(bad.drops.load(Ordering::SeqCst), 1);
    assert_eq!(object.waiting(), 0);
    // A notified one, whose successor panics when it is woken.
    let bad = Hooks::on_wake(boom);
    let counter = Counter::new();
    let mut notified = object.operation();
    assert!(counter.poll(notified.as_mut()).is_pending());
    let mut next = object.pending(&bad);
    // Somebody gives what they wait for, in a `Drop`.
    struct Provide<O: Object>(&'static O);
    impl<O: Object> Drop for Provide<O> {
        fn drop(&mut self) {
            self.0.provide();
        }
    }
    assert_eq!(unwinding(Provide(object)), "first");
    assert_eq!(counter.wakes(), 1);
    assert_eq!(unwinding(notified), "first");
    assert_eq!(bad.wakes(), 1);
    assert!(poll_once(next.as_mut()).is_ready());
    drop(next);
    object.check();
}

macro_rules! every_object {
    ($($name:ident: $object:ty,)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn a_waker_that_calls_back_from_clone_wake_and_drop() {
                super::a_waker_that_calls_back_from_clone_wake_and_drop::<$object>();
            }

            #[test]
            fn a_waker_whose_clone_panics() {
                super::a_waker_whose_clone_panics::<$object>();
            }

            #[test]
            fn a_waker_that_panics_has_been_woken() {
                super::a_waker_that_panics_has_been_woken::<$object>();
            }

            #[test]
            fn a_waker_whose_drop_panics() {
                super::a_waker_whose_drop_panics::<$object>();
            }

            #[test]
            fn nothing_aborts_while_a_thread_unwinds() {
                super::nothing_aborts_while_a_thread_unwinds::<$object>();
            }
        }
    )*};
}

every_object! {
    lock: TheLock,
    semaphore: TheSemaphore,
    event: Event,
    condition: TheCondition,
    pop: ThePop,
    push: ThePush,
    reserve: TheReserve,
}

// ---- Wakers, where the objects differ ----------------------------------------------------------

/// Hundred waiters, several batches; every seventh waker panics.
fn a_panic_in_the_middle_of_a_batch<F: Future>(
    operation: impl Fn() -> F,
    provide: impl FnOnce(),
    waiting: impl Fn() -> usize,
) {
    const WAITERS: usize = 100;
    let hooks: Vec<_> = (0..WAITERS)
        .map(|i| match i % 7 {
            3 => Hooks::on_wake(move || std::panic::panic_any(i)),
            _ => Arc::default(),
        })
        .collect();
    let mut operations: Vec<_> = hooks
        .iter()
        .map(|hooks| {
            let mut operation = Box::pin(operation());
            assert!(hooks.poll(operation.as_mut()).is_pending());
            operation
        })
        .collect();
    let payload = catch_unwind(AssertUnwindSafe(provide)).unwrap_err();
    assert_eq!(*payload.downcast::<usize>().unwrap(), 3, "the first panic comes out");
    assert!(hooks.iter().all(|hooks| hooks.wakes() == 1), "somebody was not woken");
    assert_eq!(waiting(), 0);
    for operation in &mut operations {
        assert!(poll_once(operation.as_mut()).is_ready());
    }
    assert!(hooks.iter().all(|hooks| Arc::strong_count(hooks) == 1));
}

/// tokio#3689: the rest of a batch is dropped unwoken.
#[test]
fn a_panicking_waker_among_a_hundred_stops_none_of_the_others() {
    let event = Event::new();
    a_panic_in_the_middle_of_a_batch(|| event.wait_async(), || event.set(), || event.waiting());

    let semaphore = Semaphore::new(0);
    let acquire = || semaphore.acquire_async();
    a_panic_in_the_middle_of_a_batch(acquire, || semaphore.release(100), || semaphore.waiting());
    semaphore.resize(0);
    a_panic_in_the_middle_of_a_batch(acquire, || semaphore.resize(100), || semaphore.waiting());
    let held = semaphore.acquire_many(100);
    a_panic_in_the_middle_of_a_batch(acquire, || drop(held), || semaphore.waiting());
    assert_eq!(semaphore.available(), 100);

    let (lock, condition) = (Lock::new(()), Condition::new());
    let wait = || condition.wait_async(lock.lock());
    let notify = || assert_eq!(condition.notify_all(), 100);
    a_panic_in_the_middle_of_a_batch(wait, notify, || condition.waiting());
    let notify = || assert_eq!(condition.notify(200), 100);
    a_panic_in_the_middle_of_a_batch(wait, notify, || condition.waiting());
    assert!(lock.try_lock().is_some());

    let queue = BoundedQueue::<u8>::new(1);
    a_panic_in_the_middle_of_a_batch(|| queue.pop_async(), || queue.close(), || queue.waiting());
    let queue = BoundedQueue::<u8>::new(1);
    let close = || drop(queue.close_now());
    a_panic_in_the_middle_of_a_batch(|| queue.pop_async(), close, || queue.waiting());
    let queue = BoundedQueue::<u8>::new(1);
    queue.push(1).unwrap();
    a_panic_in_the_middle_of_a_batch(|| queue.push_async(2), || queue.close(), || queue.waiting());
    assert_eq!(queue.pop(), Ok(1));
}

#[test]
fn many_panicking_wakers_while_the_thread_unwinds_abort_nothing() {
    struct Set<'a>(&'a Event);
    impl Drop for Set<'_> {
        fn drop(&mut self) {
            self.0.set();
        }
    }
    let event = Event::new();
    let bad = Hooks::on_wake(boom);
    let mut waits: Vec<_> = (0..100).map(|_| Box::pin(event.wait_async())).collect();
    for wait in &mut waits {
        assert!(bad.poll(wait.as_mut()).is_pending());
    }
    assert_eq!(unwinding(Set(&event)), "first");
    assert_eq!(bad.wakes(), 100);

    // Guards, permits, slots: what wakes in its `Drop`.
    let (lock, semaphore, queue) = (Lock::new(()), Semaphore::new(1), BoundedQueue::<u8>::new(1));
    let held = (lock.lock(), semaphore.acquire(), queue.reserve().unwrap());
    let mut waits = (
        Box::pin(lock.lock_async()),
        Box::pin(semaphore.acquire_async()),
        Box::pin(queue.push_async(1)),
    );
    assert!(bad.poll(waits.0.as_mut()).is_pending());
    assert!(bad.poll(waits.1.as_mut()).is_pending());
    assert!(bad.poll(waits.2.as_mut()).is_pending());
    assert_eq!(unwinding(held), "first");
    assert_eq!(bad.wakes(), 103);
    assert!(poll_once(waits.0.as_mut()).is_ready());
    assert!(poll_once(waits.1.as_mut()).is_ready());
    assert!(poll_once(waits.2.as_mut()).is_ready());
}

#[test]
fn a_lock_taken_while_queued_is_not_lost_to_a_panicking_waker_drop() {
    let lock = Lock::new(());
    let bad = Hooks::on_drop(boom);
    let held = lock.lock();
    let mut first = Box::pin(lock.lock_async());
    let mut second = Box::pin(lock.lock_async());
    assert!(poll_once(first.as_mut()).is_pending());
    assert!(bad.poll(second.as_mut()).is_pending());
    drop(held);
    // The second one takes the lock, leaves the queue, and drops its waker.
    assert_eq!(panics(|| poll_once(second.as_mut())), "boom");
    assert!(!lock.is_locked(), "nobody has the lock, and it is locked");
    assert!(poll_once(first.as_mut()).is_ready());
    assert!(poll_once(second.as_mut()).is_ready());
}

#[test]
fn a_lock_freed_while_the_waker_is_cloned_is_not_lost_to_its_panicking_drop() {
    let lock: &'static Lock<()> = Box::leak(Box::default());
    let held = Mutex::new(Some(lock.lock()));
    let bad = Arc::new(Hooks {
        clone: Some(Box::new(move || drop(held.lock().unwrap().take()))),
        drop: Some(Box::new(boom)),
        ..Hooks::default()
    });
    let mut future = Box::pin(lock.lock_async());
    assert_eq!(panics(|| bad.poll(future.as_mut())), "boom");
    assert!(!lock.is_locked(), "nobody has the lock, and it is locked");
    assert!(poll_once(future.as_mut()).is_ready());
}

#[test]
fn a_reentrant_lock_freed_while_the_waker_is_cloned_has_its_owner_before_its_drop() {
    let lock: &'static ReentrantLock<()> = Box::leak(Box::default());
    let held = Mutex::new(Some(lock.lock_as(&Owner::new())));
    let bad = Arc::new(Hooks {
        clone: Some(Box::new(move || drop(held.lock().unwrap().take()))),
        drop: Some(Box::new(|| assert!(lock.try_lock_as(&Owner::new()).is_none()))),
        ..Hooks::default()
    });
    let mut future = Box::pin(lock.lock_async(&Owner::new()));
    assert!(bad.poll(future.as_mut()).is_ready());
}

#[test]
fn permits_freed_while_the_waker_is_cloned_are_not_lost_to_its_panicking_drop() {
    let semaphore: &'static Semaphore = Box::leak(Box::new(Semaphore::new(0)));
    let bad = Arc::new(Hooks {
        clone: Some(Box::new(|| semaphore.release(2))),
        drop: Some(Box::new(boom)),
        ..Hooks::default()
    });
    let mut acquire = Box::pin(semaphore.acquire_many_async(2));
    assert_eq!(panics(|| bad.poll(acquire.as_mut())), "boom");
    assert_eq!(semaphore.available(), 2, "permits are lost");
    assert!(poll_once(acquire.as_mut()).is_ready());
}

#[test]
fn a_large_request_whose_waker_panics_when_dropped_lets_the_small_ones_through() {
    let semaphore = Semaphore::new(1);
    let bad = Hooks::on_drop(boom);
    let counter = Counter::new();
    let mut large = Box::pin(semaphore.acquire_many_async(2));
    let mut small = Box::pin(semaphore.acquire_async());
    assert!(bad.poll(large.as_mut()).is_pending());
    assert!(counter.poll(small.as_mut()).is_pending());
    assert_eq!(panics(|| drop(large)), "boom");
    assert_eq!(counter.wakes(), 1, "the small one is stranded");
    assert!(counter.poll(small.as_mut()).is_ready());
    assert_eq!(semaphore.available(), 1);
}

/// What a panic takes with it is dropped once; the queue goes on.
#[test]
fn a_push_or_pop_whose_peer_panics_when_woken_leaves_the_queue_whole() {
    let queue = BoundedQueue::new(1);
    let bad = Hooks::on_wake(boom);
    let mut pop = Box::pin(queue.pop_async());
    assert!(bad.poll(pop.as_mut()).is_pending());
    assert_eq!(panics(|| queue.push(1)), "boom");
    assert_eq!(poll_once(pop.as_mut()), Poll::Ready(Ok(1)), "it was pushed before the panic");

    queue.push(2).unwrap();
    let mut push = Box::pin(queue.push_async(3));
    assert!(bad.poll(push.as_mut()).is_pending());
    assert_eq!(panics(|| queue.pop()), "boom");
    assert_eq!(poll_once(push.as_mut()), Poll::Ready(Ok(())));
    let mut push = Box::pin(queue.push_async(4));
    assert!(bad.poll(push.as_mut()).is_pending());
    let mut items = Vec::new();
    assert_eq!(panics(|| queue.pop_many(&mut items, 5)), "boom");
    assert_eq!(poll_once(push.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(queue.pop(), Ok(4));

    // In an async pop, its own future stays usable.
    let mut pop = Box::pin(queue.pop_async());
    queue.push(5).unwrap();
    let mut push = Box::pin(queue.push_async(6));
    assert!(bad.poll(push.as_mut()).is_pending());
    assert_eq!(panics(|| poll_once(pop.as_mut())), "boom");
    drop(pop);
    assert_eq!(poll_once(push.as_mut()), Poll::Ready(Ok(())));
    assert_eq!((queue.pop(), queue.waiting()), (Ok(6), 0));
}

#[test]
fn a_push_that_is_over_waits_no_more_though_its_receiver_panicked_when_woken() {
    let queue = BoundedQueue::new(1);
    queue.push(0).unwrap();
    let [mut first, mut second, mut third] = [1, 2, 3].map(|item| Box::pin(queue.push_async(item)));
    let last = Counter::new();
    assert!(poll_once(first.as_mut()).is_pending());
    assert!(poll_once(second.as_mut()).is_pending());
    assert!(last.poll(third.as_mut()).is_pending());
    assert_eq!(queue.try_pop(), Ok(0), "the room is for the first");
    let bad = Hooks::on_wake(boom);
    let mut pop = Box::pin(queue.pop_async());
    assert!(bad.poll(pop.as_mut()).is_pending());
    assert_eq!(panics(|| poll_once(second.as_mut())), "boom");
    assert!(second.is_terminated());
    assert_eq!(queue.waiting(), 1, "the third");
    assert!(poll_once(first.as_mut()).is_pending());
    assert_eq!(queue.try_pop(), Ok(2));
    assert_eq!(poll_once(first.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(queue.try_pop(), Ok(1));
    assert_eq!(last.wakes(), 1, "it is the only one left");
}

#[test]
fn a_pop_whose_sender_panics_when_woken_waits_no_more() {
    // One of the two in the middle takes the item that the first was woken for.
    for many in [false, true] {
        let queue = BoundedQueue::new(1);
        let mut items = Vec::new();
        let mut first = Box::pin(queue.pop_async());
        let mut second = Box::pin(queue.pop_async());
        let mut batch = Box::pin(queue.pop_many_async(&mut items, 1));
        let mut third = Box::pin(queue.pop_async());
        let last = Counter::new();
        assert!(poll_once(first.as_mut()).is_pending());
        assert!(poll_once(second.as_mut()).is_pending());
        assert!(poll_once(batch.as_mut()).is_pending());
        assert!(last.poll(third.as_mut()).is_pending());
        queue.push(1).unwrap();
        let bad = Hooks::on_wake(boom);
        let mut push = Box::pin(queue.push_async(2));
        assert!(bad.poll(push.as_mut()).is_pending());
        let panicked = if many {
            panics(|| poll_once(batch.as_mut()))
        } else {
            panics(|| poll_once(second.as_mut()))
        };
        assert_eq!((panicked, queue.waiting()), ("boom", 2));
        assert!(poll_once(first.as_mut()).is_pending());
        assert_eq!(poll_once(push.as_mut()), Poll::Ready(Ok(())));
        assert_eq!(last.wakes(), 0, "the item is for the first");
        assert_eq!(poll_once(first.as_mut()), Poll::Ready(Ok(2)));
    }
}

#[test]
fn push_many_counts_an_item_whose_receiver_panicked_when_woken() {
    let queue = BoundedQueue::new(4);
    let bad = Hooks::on_wake(boom);
    let mut pop = Box::pin(queue.pop_async());
    assert!(bad.poll(pop.as_mut()).is_pending());
    let mut push = Box::pin(queue.push_many_async(1..4));
    assert_eq!(panics(|| poll_once(push.as_mut())), "boom");
    assert_eq!(poll_once(push.as_mut()), Poll::Ready(Ok(3)));
    assert_eq!(poll_once(pop.as_mut()), Poll::Ready(Ok(1)));
    assert_eq!(queue.try_iter().collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn a_write_that_is_over_is_terminated_though_its_reader_panicked_when_woken() {
    let (mut writer, mut reader) = pipe::bytes(4);
    let (bad, mut buffer) = (Hooks::on_wake(boom), [0; 4]);
    let mut read = Box::pin(reader.read_async(&mut buffer));
    assert!(bad.poll(read.as_mut()).is_pending());
    let mut write = Box::pin(writer.write_async(b"ab"));
    assert_eq!(panics(|| poll_once(write.as_mut())), "boom");
    assert!(write.is_terminated());
    assert!(matches!(poll_once(read.as_mut()), Poll::Ready(Ok(2))));
}

#[test]
fn a_read_that_is_over_is_terminated_though_its_writer_panicked_when_woken() {
    let (mut writer, mut reader) = pipe::bytes(2);
    let (bad, mut buffer) = (Hooks::on_wake(boom), [0; 1]);
    writer.write_timeout(b"ab", LONG).unwrap();
    let mut write = Box::pin(writer.write_async(b"cd"));
    assert!(bad.poll(write.as_mut()).is_pending());
    let mut read = Box::pin(reader.read_async(&mut buffer));
    assert_eq!(panics(|| poll_once(read.as_mut())), "boom");
    assert!(read.is_terminated());
    drop(read);
    assert_eq!(buffer, *b"a", "what was read is not overwritten");
    assert!(matches!(poll_once(write.as_mut()), Poll::Ready(Ok(1))));
    drop(write);
    let mut rest = [0; 3];
    assert_eq!((reader.read_timeout(&mut rest, LONG).unwrap(), rest), (2, *b"bc\0"));
}

#[test]
fn a_write_or_read_whose_own_waker_panics_when_cloned_goes_on() {
    let (mut writer, mut reader) = pipe::bytes(2);
    let (bad, mut buffer) = (Hooks::on_clone(boom), [0; 2]);
    let mut read = Box::pin(reader.read_async(&mut buffer));
    assert_eq!(panics(|| bad.poll(read.as_mut())), "boom");
    assert!(!read.is_terminated());
    writer.write_timeout(b"ab", LONG).unwrap();
    assert!(matches!(poll_once(read.as_mut()), Poll::Ready(Ok(2))));
    drop(read);
    writer.write_timeout(b"cd", LONG).unwrap();
    let mut write = Box::pin(writer.write_async(b"ef"));
    assert_eq!(panics(|| bad.poll(write.as_mut())), "boom");
    assert!(!write.is_terminated());
    assert_eq!(reader.read_timeout(&mut buffer, LONG).unwrap(), 2);
    assert!(matches!(poll_once(write.as_mut()), Poll::Ready(Ok(2))));
}

#[test]
fn a_condition_wait_whose_unlock_panics_is_registered_and_has_unlocked() {
    let (lock, condition) = (Lock::new(()), Condition::new());
    let bad = Hooks::on_wake(boom);
    let guard = lock.lock();
    let mut contender = Box::pin(lock.lock_async());
    assert!(bad.poll(contender.as_mut()).is_pending());
    let mut wait = Box::pin(condition.wait_async(guard));
    let counter = Counter::new();
    assert_eq!(panics(|| counter.poll(wait.as_mut())), "boom");
    assert_eq!((condition.waiting(), lock.is_locked()), (1, false));
    assert!(condition.notify_one());
    assert_eq!(counter.wakes(), 1);
    assert!(counter.poll(wait.as_mut()).is_ready());
    assert!(poll_once(contender.as_mut()).is_ready());

    // The blocking face withdraws, for its wait is over.
    let guard = lock.lock();
    let mut contender = Box::pin(lock.lock_async());
    assert!(bad.poll(contender.as_mut()).is_pending());
    assert_eq!(panics(|| condition.wait(guard)), "boom");
    assert_eq!((condition.waiting(), lock.is_locked()), (0, false));
}

#[test]
fn a_wait_that_panics_while_it_locks_again_passes_its_notification_on() {
    let (lock, condition) = (Lock::new(()), Condition::new());
    let (bad, counter) = (Hooks::on_clone(boom), Counter::new());
    let mut first = Box::pin(condition.wait_async(lock.lock()));
    assert!(poll_once(first.as_mut()).is_pending());
    let mut second = Box::pin(condition.wait_async(lock.lock()));
    assert!(counter.poll(second.as_mut()).is_pending());
    let held = lock.lock();
    assert!(condition.notify_one());
    // Notified, it must queue for the lock, and cannot.
    assert_eq!(panics(|| bad.poll(first.as_mut())), "boom");
    assert_eq!(lock.waiting(), 0);
    drop(first);
    assert_eq!(counter.wakes(), 1);
    drop(held);
    assert!(counter.poll(second.as_mut()).is_ready());
}

#[test]
fn a_woken_loser_whose_clone_panics_passes_the_lock_on() {
    let lock = Lock::new(());
    let (bad, counter) = (Hooks::on_clone(boom), Counter::new());
    let held = lock.lock();
    let mut loser = Box::pin(lock.lock_async());
    let mut next = Box::pin(lock.lock_async());
    assert!(poll_once(loser.as_mut()).is_pending());
    assert!(counter.poll(next.as_mut()).is_pending());
    drop(held);
    let newcomer = lock.try_lock().expect("the lock barges");
    assert_eq!(panics(|| bad.poll(loser.as_mut())), "boom");
    drop(newcomer);
    drop(loser);
    assert_eq!(counter.wakes(), 1, "the wake-up is lost");
    assert!(counter.poll(next.as_mut()).is_ready());
}

/// tokio#5458: 40 waiters, each waits again inside its wake.
#[test]
fn who_waits_again_inside_a_wake_is_not_woken_twice() {
    within_time(|| {
        static EVENT: Event = Event::new();
        static LOCK: Lock<()> = Lock::new(());
        static CONDITION: Condition = Condition::new();
        let again = Arc::new(Mutex::new(Vec::new()));
        let late = Counter::new();
        let (list, counter) = (Arc::clone(&again), Arc::clone(&late));
        let hooks = Hooks::on_wake(move || {
            EVENT.clear();
            let mut wait = quiet(EVENT.wait_async());
            assert!(counter.poll(wait.as_mut()).is_pending());
            list.lock().unwrap().push(wait);
        });
        let mut waits: Vec<_> = (0..40).map(|_| Box::pin(EVENT.wait_async())).collect();
        for wait in &mut waits {
            assert!(hooks.poll(wait.as_mut()).is_pending());
        }
        EVENT.set();
        assert_eq!((hooks.wakes(), late.wakes(), EVENT.waiting()), (40, 0, 40));
        assert!(!EVENT.is_set());
        assert!(waits.iter_mut().all(|wait| poll_once(wait.as_mut()).is_ready()));
        again.lock().unwrap().clear();

        let (list, counter) = (Arc::clone(&again), Arc::clone(&late));
        let hooks = Hooks::on_wake(move || {
            let mut wait = quiet(CONDITION.wait_async(LOCK.lock()));
            assert!(counter.poll(wait.as_mut()).is_pending());
            list.lock().unwrap().push(wait);
        });
        for notify in [|| CONDITION.notify_all(), || CONDITION.notify(1_000)] {
            let mut waits = Vec::new();
            for _ in 0..40 {
                let mut wait = Box::pin(CONDITION.wait_async(LOCK.lock()));
                assert!(hooks.poll(wait.as_mut()).is_pending());
                waits.push(wait);
            }
            assert_eq!(notify(), 40);
            assert_eq!((late.wakes(), CONDITION.waiting()), (0, 40));
            assert!(waits.iter_mut().all(|wait| poll_once(wait.as_mut()).is_ready()));
            again.lock().unwrap().clear();
        }
    });
}

/// tokio#8021: closing while anything else happens.
#[test]
fn a_queue_closed_from_inside_a_wake_stays_closed() {
    within_time(|| {
        let queue: &'static BoundedQueue<u32> = Box::leak(Box::new(BoundedQueue::new(1)));
        let closer = Hooks::on_wake(|| queue.close());
        let mut first = Box::pin(queue.pop_async());
        assert!(closer.poll(first.as_mut()).is_pending());
        let counter = Counter::new();
        let mut second = Box::pin(queue.pop_async());
        assert!(counter.poll(second.as_mut()).is_pending());
        queue.push(1).unwrap();
        assert_eq!(counter.wakes(), 1);
        assert_eq!(queue.push(2), Err(PushError(2)));
        assert_eq!(poll_once(second.as_mut()), Poll::Ready(Ok(1)));
        assert_eq!(poll_once(first.as_mut()), Poll::Ready(Err(PopError)));
        assert!(queue.is_closed() && queue.waiting() == 0);
    });
}

// ---- Items and values whose `Drop` calls back --------------------------------------------------

/// An item that calls its queue when it is dropped.
struct Caller(Weak<BoundedQueue<Caller>>, Arc<AtomicUsize>);

impl Drop for Caller {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::SeqCst);
        let Some(queue) = self.0.upgrade() else { return };
        let _ = (queue.len(), queue.waiting(), queue.is_full(), format!("{queue:?}"));
        if let Ok(slot) = queue.try_reserve() {
            drop(slot);
        }
        try_out(queue.reserve_async());
        // A pop inside a drop: that item calls back in turn.
        drop(queue.try_pop());
    }
}

/// kanal a3810ba: an item's drop calls back during close or drain.
#[test]
fn an_item_that_calls_its_queue_when_dropped() {
    within_time(|| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let queue = Arc::new(BoundedQueue::new(2));
        let item = || Caller(Arc::downgrade(&queue), Arc::clone(&dropped));
        let fill = || {
            while !queue.is_full() {
                assert!(queue.try_push(item()).is_ok());
            }
        };
        let count = || dropped.swap(0, Ordering::SeqCst);

        fill();
        count();
        drop(queue.pop());
        assert_eq!(count(), 2);
        fill();
        count();
        drop(queue.force_push(item()).unwrap());
        assert_eq!(count(), 3);
        fill();
        count();
        let mut push = Box::pin(queue.push_async(item()));
        assert!(poll_once(push.as_mut()).is_pending());
        drop(push);
        assert_eq!(count(), 3);
        fill();
        count();
        drop(queue.push_timeout(item(), Duration::ZERO));
        assert_eq!(count(), 3);
        fill();
        count();
        drop(queue.close_now());
        assert_eq!(count(), 2);
        drop(queue.push(item()));
        assert_eq!(count(), 1);

        // Dropped with the queue: it is gone already.
        let queue = Arc::new(BoundedQueue::new(2));
        let _ = queue.push(Caller(Arc::downgrade(&queue), Arc::clone(&dropped)));
        drop(queue);
        assert_eq!(count(), 1);
    });
}

struct Bomb(Arc<AtomicUsize>, bool);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        if self.1 {
            boom();
        }
    }
}

#[test]
fn an_item_whose_drop_panics_stops_none_of_the_others() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let bombs = || (0..5).map(|i| Bomb(Arc::clone(&dropped), i == 1));
    let queue = BoundedQueue::new(5);
    assert_eq!(queue.push_many(bombs()).unwrap(), 5);
    assert_eq!(panics(|| drop(queue)), "boom");
    assert_eq!(dropped.swap(0, Ordering::SeqCst), 5);

    let queue = BoundedQueue::new(5);
    assert_eq!(queue.push_many(bombs()).unwrap(), 5);
    assert_eq!(panics(|| drop(queue.close_now())), "boom");
    assert_eq!(dropped.swap(0, Ordering::SeqCst), 5);
    assert!(queue.is_closed() && queue.is_empty());

    let queue = BoundedQueue::new(1);
    queue.push(Bomb(Arc::clone(&dropped), false)).unwrap();
    let counter = Counter::new();
    let mut first = Box::pin(queue.push_async(Bomb(Arc::clone(&dropped), true)));
    let mut second = Box::pin(queue.push_async(Bomb(Arc::clone(&dropped), false)));
    assert!(poll_once(first.as_mut()).is_pending());
    assert!(counter.poll(second.as_mut()).is_pending());
    drop(queue.pop());
    assert_eq!(panics(|| drop(first)), "boom");
    assert_eq!(counter.wakes(), 1);
    assert!(matches!(counter.poll(second.as_mut()), Poll::Ready(Ok(()))));
}

#[test]
fn a_value_that_calls_its_lock_when_dropped() {
    struct Value(&'static OnceLock<Lock<Option<Value>>>, Arc<AtomicUsize>);
    impl Drop for Value {
        fn drop(&mut self) {
            self.1.fetch_add(1, Ordering::SeqCst);
            let lock = self.0.get().unwrap();
            assert!(lock.is_locked());
            assert!(lock.try_lock().is_none());
            assert!(lock.lock_timeout(Duration::ZERO).is_err());
            try_out(lock.lock_async());
        }
    }
    within_time(|| {
        static LOCK: OnceLock<Lock<Option<Value>>> = OnceLock::new();
        let dropped = Arc::new(AtomicUsize::new(0));
        let lock = LOCK.get_or_init(Lock::default);
        *lock.lock() = Some(Value(&LOCK, Arc::clone(&dropped)));
        // Replaced under the guard, its drop finds the lock taken.
        *lock.lock() = None;
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
        assert!(lock.try_lock().is_some());
        assert_eq!(lock.waiting(), 0);
    });
}

// ---- Panicking closures ------------------------------------------------------------------------

#[test]
fn a_predicate_that_panics_releases_the_lock_and_passes_its_notification_on() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    let counter = Counter::new();
    // At once.
    assert_eq!(panics(|| condition.wait_while(lock.lock(), |_| std::panic::panic_any("no"))), "no");
    let wait = condition.wait_while_async(lock.lock(), |_| std::panic::panic_any("no"));
    let mut wait = Box::pin(wait);
    assert_eq!(panics(|| poll_once(wait.as_mut())), "no");
    assert!(lock.try_lock().is_some());
    drop(wait);
    // After a notification.
    let panicking = |value: &mut i32| *value == 0 || std::panic::panic_any("no");
    let mut first = Box::pin(condition.wait_while_async(lock.lock(), panicking));
    assert!(poll_once(first.as_mut()).is_pending());
    let mut second = Box::pin(condition.wait_async(lock.lock()));
    assert!(counter.poll(second.as_mut()).is_pending());
    *lock.lock() = 1;
    assert!(condition.notify_one());
    assert_eq!(panics(|| poll_once(first.as_mut())), "no");
    assert_eq!(counter.wakes(), 1);
    assert!(counter.poll(second.as_mut()).is_ready());
    drop(first);
    // The same on a thread.
    *lock.lock() = 0;
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| panics(|| condition.wait_while(lock.lock(), panicking)));
        eventually("the thread waits", || condition.waiting() == 1);
        let mut second = Box::pin(condition.wait_async(lock.lock()));
        assert!(counter.poll(second.as_mut()).is_pending());
        *lock.lock() = 1;
        assert!(condition.notify_one());
        assert_eq!(thread.join().unwrap(), "no");
        assert_eq!(counter.wakes(), 2);
        assert!(counter.poll(second.as_mut()).is_ready());
    });
    assert!(lock.try_lock().is_some());
    assert_eq!(condition.waiting(), 0);
}

#[test]
fn a_closure_of_a_guard_that_panics_releases_the_lock() {
    let lock = Lock::new((1, 2));
    fn no<A, B>(_: A) -> B {
        std::panic::panic_any("no")
    }
    assert_eq!(panics(|| LockGuard::map(lock.lock(), |pair| no::<_, &mut i32>(pair))), "no");
    let filtered = || LockGuard::filter_map(lock.lock(), |pair| no::<_, Option<&mut i32>>(pair));
    assert_eq!(panics(|| filtered().is_ok()), "no");
    let mapped = LockGuard::map(lock.lock(), |pair| &mut pair.0);
    assert_eq!(panics(|| MappedLockGuard::map(mapped, |part| no::<_, &mut i32>(part))), "no");
    assert!(lock.try_lock().is_some());
    // A holder that panics: no poison.
    assert_eq!(unwinding(lock.lock()), "first");
    assert!(lock.try_lock().is_some());
}

#[test]
fn an_iterator_that_panics_gives_its_room_back() {
    struct Bad(u32, bool);
    impl Iterator for Bad {
        type Item = u32;

        fn next(&mut self) -> Option<u32> {
            self.0 += 1;
            if self.0 == 3 { std::panic::panic_any("no") } else { Some(self.0) }
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            if self.1 && self.0 == 2 { std::panic::panic_any("no") } else { (0, None) }
        }
    }
    for hint in [false, true] {
        let queue = BoundedQueue::new(4);
        assert_eq!(panics(|| queue.push_many(Bad(0, hint))), "no");
        assert_eq!(queue.len(), 2);
        let slots: Vec<_> = std::iter::from_fn(|| queue.try_reserve().ok()).collect();
        assert_eq!(slots.len(), 2, "room is lost");
        drop(slots);

        // The same after a wait, with a sender behind.
        let queue = BoundedQueue::new(2);
        let mut push = Box::pin(queue.push_many_async(Bad(0, hint)));
        if hint {
            assert_eq!(panics(|| poll_once(push.as_mut())), "no");
        } else {
            assert!(poll_once(push.as_mut()).is_pending());
        }
        let counter = Counter::new();
        let mut behind = Box::pin(queue.push_async(9));
        assert!(counter.poll(behind.as_mut()).is_pending());
        assert_eq!(queue.pop(), Ok(1));
        assert_eq!(panics(|| poll_once(push.as_mut())), "no");
        drop(push);
        assert_eq!(counter.wakes(), 1);
        assert_eq!(counter.poll(behind.as_mut()), Poll::Ready(Ok(())));
        assert_eq!((queue.pop(), queue.pop(), queue.waiting()), (Ok(2), Ok(9), 0));
    }
}

#[test]
fn a_future_that_panics_inside_block_on_leaves_the_thread_able_to_wait() {
    let event = Event::new();
    assert_eq!(panics(|| block_on(async { std::panic::panic_any("no") })), "no");
    let nested = || block_on(async { block_on(async { std::panic::panic_any("no") }) });
    assert_eq!(panics(nested), "no");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            eventually("it waits", || event.waiting() == 1);
            event.set();
        });
        event.wait();
    });
}

#[test]
fn a_poll_that_blocks_without_sleeping_does_not_keep_the_outer_wait_awake() {
    let event = Event::new();
    let mut wait = Box::pin(event.wait_async());
    let mut polls = 0;
    let outer = std::future::poll_fn(|cx| {
        polls += 1;
        block_on(std::future::ready(()));
        wait.as_mut().poll(cx)
    });
    assert_eq!(bifrons::block_on_timeout(outer, Duration::from_millis(5)), Err(TimedOut));
    assert_eq!(polls, 2, "at first, and at the end");
}

// ---- Extreme times -----------------------------------------------------------------------------

/// Each timed operation, as a closure of its time: whether it got what it waited for.
type Timed<'a, D> = Vec<(&'static str, Box<dyn Fn(D) -> bool + Sync + 'a>)>;

struct Everything {
    lock: Arc<Lock<u32>>,
    semaphore: Arc<Semaphore>,
    event: Event,
    condition: Condition,
    empty: BoundedQueue<u32>,
    full: BoundedQueue<u32>,
}

impl Everything {
    fn new() -> Self {
        let this = Self {
            lock: Arc::default(),
            semaphore: Arc::new(Semaphore::new(1)),
            event: Event::new(),
            condition: Condition::new(),
            empty: BoundedQueue::new(1),
            full: BoundedQueue::new(1),
        };
        this.full.push(0).unwrap();
        this
    }

    fn timeouts(&self) -> Timed<'_, Duration> {
        vec![
            ("lock", Box::new(|d| self.lock.lock_timeout(d).is_ok())),
            ("lock_owned", Box::new(|d| self.lock.lock_owned_timeout(d).is_ok())),
            ("acquire", Box::new(|d| self.semaphore.acquire_timeout(d).is_ok())),
            ("acquire_many", Box::new(|d| self.semaphore.acquire_many_timeout(1, d).is_ok())),
            ("acquire_owned", Box::new(|d| self.semaphore.acquire_owned_timeout(d).is_ok())),
            (
                "acquire_many_owned",
                Box::new(|d| self.semaphore.acquire_many_owned_timeout(1, d).is_ok()),
            ),
            ("event", Box::new(|d| self.event.wait_timeout(d).is_ok())),
            ("pop", Box::new(|d| self.empty.pop_timeout(d).is_ok())),
            ("pop_many", Box::new(|d| self.empty.pop_many_timeout(&mut Vec::new(), 1, d).is_ok())),
            ("push", Box::new(|d| self.full.push_timeout(1, d).is_ok())),
            (
                "reserve",
                Box::new(|d| {
                    self.full.reserve_timeout(d).map(|slot| slot.push(1).unwrap()).is_ok()
                }),
            ),
            ("block_on", Box::new(|d| block_on_timeout(self.event.wait_async(), d).is_ok())),
        ]
    }

    fn deadlines(&self) -> Timed<'_, Instant> {
        vec![
            ("lock", Box::new(|d| self.lock.lock_deadline(d).is_ok())),
            ("lock_owned", Box::new(|d| self.lock.lock_owned_deadline(d).is_ok())),
            ("acquire", Box::new(|d| self.semaphore.acquire_deadline(d).is_ok())),
            ("acquire_many", Box::new(|d| self.semaphore.acquire_many_deadline(1, d).is_ok())),
            ("acquire_owned", Box::new(|d| self.semaphore.acquire_owned_deadline(d).is_ok())),
            (
                "acquire_many_owned",
                Box::new(|d| self.semaphore.acquire_many_owned_deadline(1, d).is_ok()),
            ),
            ("event", Box::new(|d| self.event.wait_deadline(d).is_ok())),
            ("pop", Box::new(|d| self.empty.pop_deadline(d).is_ok())),
            ("pop_many", Box::new(|d| self.empty.pop_many_deadline(&mut Vec::new(), 1, d).is_ok())),
            ("push", Box::new(|d| self.full.push_deadline(1, d).is_ok())),
            (
                "reserve",
                Box::new(|d| {
                    self.full.reserve_deadline(d).map(|slot| slot.push(1).unwrap()).is_ok()
                }),
            ),
            ("block_on", Box::new(|d| block_on_deadline(self.event.wait_async(), d).is_ok())),
        ]
    }

    /// With everything available.
    fn give(&self) {
        self.event.set();
        let _ = self.empty.try_push(1);
        let _ = self.full.try_pop();
    }

    fn waiting(&self) -> usize {
        self.lock.waiting()
            + self.semaphore.waiting()
            + self.event.waiting()
            + self.condition.waiting()
            + self.empty.waiting()
            + self.full.waiting()
    }
}

/// kanal 68bb153, flume#167: a huge timeout panics or does not wait, a past deadline wins.
#[test]
fn with_no_time_at_all_what_is_available_is_got_and_nothing_else() {
    let past = Instant::now();
    eventually("time passes", || Instant::now() > past);
    let all = Everything::new();
    let held = (all.lock.lock(), all.semaphore.acquire());
    for (name, timed) in all.timeouts() {
        assert!(!timed(Duration::ZERO), "{name}");
    }
    for (name, timed) in all.deadlines() {
        assert!(!timed(past), "{name}");
        assert!(!timed(Instant::now()), "{name}");
    }
    drop(held);
    assert_eq!(all.waiting(), 0);
    for (name, timed) in all.timeouts() {
        all.give();
        assert!(timed(Duration::ZERO), "{name}");
    }
    for (name, timed) in all.deadlines() {
        all.give();
        assert!(timed(past), "{name}");
    }
}

#[test]
fn the_longest_time_waits_for_ever_and_does_not_panic() {
    for huge in
        [Duration::MAX, Duration::MAX - Duration::from_nanos(1), Duration::from_secs(u64::MAX / 2)]
    {
        let all = Everything::new();
        for (name, timed) in all.timeouts() {
            all.give();
            assert!(timed(huge), "{name}");
        }
    }
    let all = Everything::new();
    for (name, timed) in all.timeouts() {
        all.event.clear();
        let _ = (all.empty.try_pop(), all.full.try_push(0));
        let held = (all.lock.lock(), all.semaphore.acquire());
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| timed(Duration::MAX));
            eventually("the thread waits", || all.waiting() == 1);
            drop(held);
            all.give();
            assert!(thread.join().unwrap(), "{name}");
        });
    }
}

#[test]
fn a_condition_with_no_time_or_all_of_it() {
    let all = Everything::new();
    let past = Instant::now();
    let (condition, lock) = (&all.condition, &all.lock);
    let (guard, notified) = condition.wait_timeout(lock.lock(), Duration::ZERO);
    assert!(!notified);
    let (guard, notified) = condition.wait_deadline(guard, past);
    assert!(!notified);
    let (guard, let_go) = condition.wait_while_timeout(guard, |_| true, Duration::ZERO);
    assert!(!let_go);
    let (guard, let_go) = condition.wait_while_deadline(guard, |_| true, past);
    assert!(!let_go);
    let (guard, let_go) = condition.wait_while_timeout(guard, |_| false, Duration::ZERO);
    assert!(let_go);
    let (guard, let_go) = condition.wait_while_deadline(guard, |_| false, past);
    assert!(let_go);
    let (guard, let_go) = condition.wait_while_timeout(guard, |_| false, Duration::MAX);
    assert!(let_go);
    drop(guard);
    std::thread::scope(|scope| {
        let wait = scope.spawn(|| condition.wait_timeout(lock.lock(), Duration::MAX).1);
        eventually("the thread waits", || condition.waiting() == 1);
        assert!(condition.notify_one());
        assert!(wait.join().unwrap());
        let waiting = |value: &mut u32| *value == 0;
        let wait = scope
            .spawn(move || condition.wait_while_timeout(lock.lock(), waiting, Duration::MAX).1);
        eventually("the thread waits", || condition.waiting() == 1);
        assert!(condition.notify_one(), "for nothing");
        eventually("the thread waits again", || condition.waiting() == 1);
        *lock.lock() = 1;
        assert!(condition.notify_one());
        assert!(wait.join().unwrap());
    });
    assert_eq!(all.waiting(), 0);
}

// ---- Narrow places -----------------------------------------------------------------------------

#[test]
fn everybody_at_once_through_a_queue_of_one() {
    const EACH: usize = 2_000;
    let queue = BoundedQueue::new(1);
    let sum = AtomicUsize::new(0);
    let add = |n: usize| {
        sum.fetch_add(n, Ordering::SeqCst);
    };
    let queue = &queue;
    std::thread::scope(|scope| {
        let producers = [
            scope.spawn(|| (1..=EACH).for_each(|i| queue.push(i).unwrap())),
            scope.spawn(|| (1..=EACH).for_each(|i| block_on(queue.push_async(i)).unwrap())),
            scope.spawn(|| {
                (1..=EACH).for_each(|i| queue.reserve().unwrap().push(i).unwrap());
            }),
            scope.spawn(|| assert_eq!(queue.push_many(1..=EACH), Ok(EACH))),
            scope.spawn(|| {
                for i in 1..=EACH {
                    let mut item = i;
                    while let Err(error) = queue.push_timeout(item, Duration::from_micros(50)) {
                        item = error.into_inner();
                    }
                }
            }),
        ];
        scope.spawn(|| queue.iter().for_each(add));
        scope.spawn(|| {
            block_on(async {
                while let Ok(i) = queue.pop_async().await {
                    add(i);
                }
            });
        });
        scope.spawn(|| {
            loop {
                match queue.pop_timeout(Duration::from_micros(50)) {
                    Ok(i) => add(i),
                    Err(PopTimeoutError::TimedOut) => {}
                    Err(PopTimeoutError::Closed) => break,
                }
            }
        });
        scope.spawn(|| {
            let mut items = Vec::new();
            while queue.pop_many(&mut items, 3).is_ok() {}
            add(items.iter().sum());
        });
        for producer in producers {
            producer.join().unwrap();
        }
        queue.close();
    });
    assert_eq!(sum.load(Ordering::SeqCst), 5 * EACH * (EACH + 1) / 2);
    assert_eq!((queue.len(), queue.waiting()), (0, 0));
}

#[test]
fn a_semaphore_resized_below_what_is_out_pays_its_debt_first() {
    for semaphore in [Semaphore::new(5), Semaphore::bounded(5)] {
        let counter = Counter::new();
        let mut held = semaphore.acquire_many(5);
        let mut waiter = Box::pin(semaphore.acquire_async());
        assert!(counter.poll(waiter.as_mut()).is_pending());
        semaphore.resize(2);
        assert_eq!(semaphore.available(), 0);
        drop(held.split(3));
        assert_eq!((semaphore.available(), counter.wakes()), (0, 0), "the debt is not paid");
        assert!(semaphore.acquire_timeout(Duration::ZERO).is_err());
        assert!(semaphore.try_acquire_many(0).is_some(), "nothing is always there");
        drop(held.split(1));
        assert_eq!(counter.wakes(), 1);
        let permit = counter.poll(waiter.as_mut());
        assert!(permit.is_ready());
        drop((permit, held));
        assert_eq!(semaphore.available(), 2);
        // To nothing and back, with somebody waiting.
        semaphore.resize(0);
        let mut waiter = Box::pin(semaphore.acquire_many_async(4));
        assert!(counter.poll(waiter.as_mut()).is_pending());
        semaphore.resize(3);
        assert!(counter.poll(waiter.as_mut()).is_pending());
        semaphore.resize(4);
        assert!(counter.poll(waiter.as_mut()).is_ready());
        assert_eq!((semaphore.available(), semaphore.waiting()), (4, 0));
    }
}

#[test]
fn a_semaphore_resized_while_it_is_used_ends_with_its_total() {
    let semaphore = Semaphore::new(3);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let (semaphore, done) = (&semaphore, &done);
            scope.spawn(move || {
                let mut random = Random(seed);
                while !done.load(Ordering::SeqCst) {
                    let n = random.below(3);
                    match random.below(3) {
                        0 => drop(semaphore.try_acquire_many(n)),
                        1 => drop(semaphore.acquire_many_timeout(n, Duration::from_micros(20))),
                        _ => drop(block_on_timeout(
                            semaphore.acquire_many_async(n),
                            Duration::from_micros(20),
                        )),
                    }
                }
            });
        }
        let mut random = Random(9);
        (0..2_000).for_each(|_| semaphore.resize(random.below(6)));
        semaphore.resize(4);
        done.store(true, Ordering::SeqCst);
    });
    assert_eq!((semaphore.available(), semaphore.waiting()), (4, 0));
}

/// An item that is counted while it lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(alive))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn closed_while_every_operation_is_going_on_a_queue_loses_nothing() {
    for seed in 0..40 {
        let alive = Arc::new(AtomicUsize::new(0));
        let queue = BoundedQueue::new(1 + seed % 3);
        let (pushed, popped) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let drained = Cell::new(0);
        std::thread::scope(|scope| {
            let (queue, pushed, popped, alive) = (&queue, &pushed, &popped, &alive);
            let push = |times: usize| {
                pushed.fetch_add(times, Ordering::SeqCst);
            };
            let pop = |times: usize| {
                popped.fetch_add(times, Ordering::SeqCst);
            };
            scope.spawn(move || {
                while queue.push(Counted::new(alive)).is_ok() {
                    push(1);
                }
            });
            scope.spawn(move || {
                block_on(async {
                    while let Ok(slot) = queue.reserve_async().await {
                        if slot.push(Counted::new(alive)).is_ok() {
                            push(1);
                        }
                    }
                });
            });
            scope.spawn(move || {
                while let Ok(evicted) = queue.force_push(Counted::new(alive)) {
                    push(1);
                    pop(usize::from(evicted.is_some()));
                    if seed % 2 == 0 {
                        std::thread::yield_now();
                    }
                }
            });
            scope.spawn(move || {
                let mut taken = 0;
                let items = std::iter::repeat_with(|| {
                    taken += 1;
                    Counted::new(alive)
                });
                assert!(queue.push_many(items).is_err());
                push(taken - 1);
            });
            scope.spawn(move || queue.iter().for_each(|_| pop(1)));
            scope.spawn(move || {
                let mut items = Vec::new();
                while let Ok(count) = block_on(queue.pop_many_async(&mut items, 2)) {
                    pop(count);
                }
            });
            eventually("some have passed", || popped.load(Ordering::SeqCst) > 20 + seed);
            if seed % 2 == 0 {
                queue.close();
            } else {
                drained.set(queue.close_now().count());
            }
        });
        let popped = popped.load(Ordering::SeqCst) + drained.get();
        assert_eq!(popped, pushed.load(Ordering::SeqCst), "seed {seed}");
        assert_eq!((queue.len(), queue.waiting()), (0, 0));
        assert_eq!(alive.load(Ordering::SeqCst), 0, "an item leaked or died twice");
    }
}

/// A writer that uses the queue whose state is being written.
struct Nosy<'a>(&'a BoundedQueue<String>);

impl std::fmt::Write for Nosy<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let _ = self.0.try_push(text.to_owned());
        let _ = self.0.waiting();
        Ok(())
    }
}

#[test]
fn debug_of_a_queue_holds_no_lock_while_it_writes() {
    within_time(|| {
        let queue = BoundedQueue::new(1);
        let hooks = Hooks::on_wake(|| {});
        let mut pop = pin!(queue.pop_async());
        assert!(hooks.poll(pop.as_mut()).is_pending());
        std::fmt::Write::write_fmt(&mut Nosy(&queue), format_args!("{queue:?}")).unwrap();
        assert_eq!(hooks.wakes(), 1);
        assert!(hooks.poll(pop).is_ready());
    });
}

#[test]
fn an_item_survives_the_panic_of_another_sender_s_waker() {
    within_time(|| {
        let queue = BoundedQueue::new(1);
        queue.push(0).unwrap();
        let (hooks, bomb) = (Hooks::on_wake(|| {}), Hooks::on_wake(boom));
        let mut first = Box::pin(queue.push_async(1));
        let mut second = Box::pin(queue.push_async(2));
        assert!(hooks.poll(first.as_mut()).is_pending());
        assert!(bomb.poll(second.as_mut()).is_pending());
        queue.pop().unwrap();
        // The first was woken; who takes its item back wakes the second instead.
        assert_eq!(panics(|| first.as_mut().take()), "boom");
        assert_eq!(first.as_mut().take(), Some(1));
        assert!(hooks.poll(second.as_mut()).is_ready());
        assert_eq!(queue.pop(), Ok(2));
    });
}

#[test]
fn the_output_of_a_future_survives_a_drop_that_panics() {
    /// Ready at once with a guard.
    struct Bomb<'a>(&'a Lock<()>);
    impl<'a> Future for Bomb<'a> {
        type Output = LockGuard<'a, ()>;
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
            Poll::Ready(self.0.lock())
        }
    }
    impl Drop for Bomb<'_> {
        fn drop(&mut self) {
            boom();
        }
    }
    within_time(|| {
        let lock = Lock::new(());
        assert_eq!(panics(|| block_on(Bomb(&lock))), "boom");
        assert!(!lock.is_locked());
        assert_eq!(panics(|| block_on_timeout(Bomb(&lock), LONG)), "boom");
        assert!(!lock.is_locked());
        assert_eq!(panics(|| block_on_deadline(Bomb(&lock), Instant::now())), "boom");
        assert!(!lock.is_locked());
    });
}

#[test]
fn a_wait_that_is_refused_survives_a_waker_whose_drop_panics() {
    within_time(|| {
        let condition = Condition::new();
        let bomb = Hooks::on_drop(boom);
        let (lock, other) = (Lock::new(0), Lock::new(0));
        let mut first = pin!(condition.wait_async(lock.lock()));
        assert!(poll_once(first.as_mut()).is_pending());
        let mut second = Box::pin(condition.wait_async(other.lock()));
        assert!(panics(|| bomb.poll(second.as_mut())).contains("two different locks"));
        assert!(second.is_terminated() && !first.is_terminated());
        assert!(other.try_lock().is_some());

        let (lock, owner) = (ReentrantLock::new(0), Owner::new());
        let outer = lock.lock_as(&owner);
        let alone = Condition::new();
        let mut nested = Box::pin(alone.wait_async(lock.lock_as(&owner)));
        assert!(panics(|| bomb.poll(nested.as_mut())).contains("not its owner's only one"));
        assert!(nested.is_terminated());
        assert_eq!(lock.depth(), 1);
        drop(outer);
        assert_eq!(bomb.drops.load(Ordering::SeqCst), 2);
    });
}
