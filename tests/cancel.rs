//! Cancellation: every future, dropped at every point; what it was given goes to the next.
#![cfg(not(loom))]

mod common;

use bifrons::*;
use common::{Counter, LONG, Random, eventually};
use futures::future::FusedFuture;
use futures::{Sink, Stream};
use std::collections::VecDeque;
use std::future::Future;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, Once};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::{Duration, Instant};

// ---- One operation of any type -----------------------------------------------------------------

/// A pending operation. Its output is checked and dropped as soon as it is there.
trait Operate: Send {
    fn step(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()>;
    fn is_over(&self) -> bool;
}

type Operation = Pin<Box<dyn Operate>>;

impl<F: FusedFuture<Output: Outcome> + Send> Operate for F {
    fn step(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.poll(cx).map(Outcome::check)
    }

    fn is_over(&self) -> bool {
        self.is_terminated()
    }
}

trait Outcome {
    fn check(self);
}

macro_rules! outcomes {
    ($($output:ty),*) => {$(
        impl Outcome for $output {
            fn check(self) {}
        }
    )*};
}

outcomes!((), Permit<'_>, OwnedPermit);

impl<T> Outcome for LockGuard<'_, T> {
    fn check(self) {}
}

impl<T> Outcome for OwnedLockGuard<T> {
    fn check(self) {}
}

impl<T, E: std::fmt::Debug> Outcome for Result<T, E> {
    fn check(self) {
        self.unwrap();
    }
}

fn step(operation: &mut Operation, waker: &Waker) -> Poll<()> {
    operation.as_mut().step(&mut Context::from_waker(waker))
}

/// Polls an operation that cannot be ready.
fn register(operation: &mut Operation, counter: &Arc<Counter>) {
    assert!(step(operation, &counter.waker()).is_pending());
}

// ---- The types, each in a state in which its operation waits -----------------------------------

trait World: Send + Sync + Sized + 'static {
    /// Whether its operation is a future: ready once.
    const IS_FUTURE: bool = true;

    /// In a state in which operations wait.
    fn new() -> Self;
    fn operation(&'static self) -> Operation;
    /// Gives what one operation waits for (at least). `false`: nobody can use any now.
    fn provide(&'static self) -> bool;
    fn waiting(&self) -> usize;
    /// The operation in its blocking face; whether it got what it waited for.
    fn timed(&'static self, timeout: Duration) -> bool;
    /// With nobody waiting any more: as much is left as was provided and not used.
    fn check(&'static self, provided: usize, used: usize);
}

fn world<W: World>() -> &'static W {
    Box::leak(Box::new(W::new()))
}

struct LockWorld {
    lock: Lock<u32>,
    held: Mutex<Option<LockGuard<'static, u32>>>,
    begin: Once,
}

impl LockWorld {
    /// Takes the lock once, before the first operation.
    fn begin(&'static self) -> &'static Lock<u32> {
        self.begin.call_once(|| *self.held.lock().unwrap() = Some(self.lock.lock()));
        &self.lock
    }
}

impl World for LockWorld {
    fn new() -> Self {
        Self { lock: Lock::new(0), held: Mutex::default(), begin: Once::new() }
    }
    fn operation(&'static self) -> Operation {
        Box::pin(self.begin().lock_async())
    }
    fn provide(&'static self) -> bool {
        self.held.lock().unwrap().take().is_some()
    }
    fn waiting(&self) -> usize {
        self.lock.waiting()
    }
    fn timed(&'static self, timeout: Duration) -> bool {
        self.begin().lock_timeout(timeout).is_ok()
    }
    fn check(&'static self, _: usize, _: usize) {
        assert!(self.lock.try_lock().is_some());
    }
}

struct OwnedLockWorld {
    lock: Arc<Lock<u32>>,
    held: Mutex<Option<OwnedLockGuard<u32>>>,
}

impl World for OwnedLockWorld {
    fn new() -> Self {
        let lock = Arc::new(Lock::new(0));
        Self { held: Mutex::new(Some(lock.lock_owned())), lock }
    }
    fn operation(&'static self) -> Operation {
        Box::pin(self.lock.lock_owned_async())
    }
    fn provide(&'static self) -> bool {
        self.held.lock().unwrap().take().is_some()
    }
    fn waiting(&self) -> usize {
        self.lock.waiting()
    }
    fn timed(&'static self, timeout: Duration) -> bool {
        self.lock.lock_owned_timeout(timeout).is_ok()
    }
    fn check(&'static self, _: usize, _: usize) {
        assert!(self.lock.try_lock().is_some());
        assert_eq!(Arc::strong_count(&self.lock), 1, "a future kept the lock alive");
    }
}

/// A lock that is handed over instead of released.
struct FairLockWorld(OwnedLockWorld);

impl World for FairLockWorld {
    fn new() -> Self {
        Self(OwnedLockWorld::new())
    }
    fn operation(&'static self) -> Operation {
        self.0.operation()
    }
    fn provide(&'static self) -> bool {
        let held = self.0.held.lock().unwrap().take();
        held.map(OwnedLockGuard::unlock_fair).is_some()
    }
    fn waiting(&self) -> usize {
        self.0.waiting()
    }
    fn timed(&'static self, timeout: Duration) -> bool {
        self.0.timed(timeout)
    }
    fn check(&'static self, provided: usize, used: usize) {
        self.0.check(provided, used);
    }
}

struct SemaphoreWorld(Arc<Semaphore>);

impl SemaphoreWorld {
    /// A permit that is acquired is also returned, so one is enough.
    fn provide(&self) -> bool {
        self.0.try_release(1).is_ok()
    }
}

impl World for SemaphoreWorld {
    fn new() -> Self {
        let semaphore = Arc::new(Semaphore::bounded(1));
        semaphore.forget_available(1);
        Self(semaphore)
    }
    fn operation(&'static self) -> Operation {
        Box::pin(self.0.acquire_async())
    }
    fn provide(&'static self) -> bool {
        self.provide()
    }
    fn waiting(&self) -> usize {
        self.0.waiting()
    }
    fn timed(&'static self, timeout: Duration) -> bool {
        self.0.acquire_timeout(timeout).is_ok()
    }
    fn check(&'static self, provided: usize, _: usize) {
        assert_eq!(self.0.available(), provided);
    }
}

struct OwnedSemaphoreWorld(SemaphoreWorld);

impl World for OwnedSemaphoreWorld {
    fn new() -> Self {
        Self(World::new())
    }
    fn operation(&'static self) -> Operation {
        Box::pin(self.0.0.acquire_many_owned_async(1))
    }
    fn provide(&'static self) -> bool {
        self.0.provide()
    }
    fn waiting(&self) -> usize {
        self.0.waiting()
    }
    fn timed(&'static self, timeout: Duration) -> bool {
        self.0.0.acquire_owned_timeout(timeout).is_ok()
    }
    fn check(&'static self, provided: usize, used: usize) {
        self.0.check(provided, used);
        assert_eq!(Arc::strong_count(&self.0.0), 1, "a future kept the semaphore alive");
    }
}

impl World for Event {
    fn new() -> Self {
        Self::new()
    }
    fn operation(&'static self) -> Operation {
        Box::pin(self.wait_async())
    }
    fn provide(&'static self) -> bool {
        let first = !self.is_set();
        self.set();
        first
    }
    fn waiting(&self) -> usize {
        Self::waiting(self)
    }
    fn timed(&'static self, timeout: Duration) -> bool {
        self.wait_timeout(timeout).is_ok()
    }
    fn check(&'static self, provided: usize, _: usize) {
        assert_eq!(self.is_set(), provided > 0);
    }
}

#[derive(Default)]
struct ConditionWorld {
    lock: Arc<Lock<usize>>,
    condition: Condition,
}

impl World for ConditionWorld {
    fn new() -> Self {
        Self::default()
    }
    fn operation(&'static self) -> Operation {
        Box::pin(self.condition.wait_async(self.lock.lock()))
    }
    fn provide(&'static self) -> bool {
        self.condition.notify_one()
    }
    fn waiting(&self) -> usize {
        self.condition.waiting() + self.lock.waiting()
    }
    fn timed(&'static self, timeout: Duration) -> bool {
        self.condition.wait_timeout(self.lock.lock(), timeout).1
    }
    fn check(&'static self, provided: usize, used: usize) {
        assert!(used <= provided);
        assert!(self.lock.try_lock().is_some());
    }
}

struct OwnedConditionWorld(ConditionWorld);

impl World for OwnedConditionWorld {
    fn new() -> Self {
        Self(World::new())
    }
    fn operation(&'static self) -> Operation {
        Box::pin(self.0.condition.wait_async(self.0.lock.lock_owned()))
    }
    fn provide(&'static self) -> bool {
        self.0.condition.notify_one()
    }
    fn waiting(&self) -> usize {
        self.0.waiting()
    }
    fn timed(&'static self, timeout: Duration) -> bool {
        self.0.condition.wait_timeout(self.0.lock.lock_owned(), timeout).1
    }
    fn check(&'static self, provided: usize, used: usize) {
        self.0.check(provided, used);
        assert_eq!(Arc::strong_count(&self.0.lock), 1, "a future kept the lock alive");
    }
}

/// Waits for a ticket and takes it: the predicate's own condition.
fn take_ticket(tickets: &mut usize) -> bool {
    match tickets.checked_sub(1) {
        Some(left) => *tickets = left,
        None => return true,
    }
    false
}

impl ConditionWorld {
    fn provide_ticket(&self) -> bool {
        *self.lock.lock() += 1;
        self.condition.notify_one();
        true
    }
    fn check_tickets(&self, provided: usize, used: usize) {
        assert_eq!(*self.lock.try_lock().unwrap(), provided - used);
    }
}

struct ConditionWhileWorld(ConditionWorld);

impl World for ConditionWhileWorld {
    fn new() -> Self {
        Self(World::new())
    }
    fn operation(&'static self) -> Operation {
        Box::pin(self.0.condition.wait_while_async(self.0.lock.lock(), take_ticket))
    }
    fn provide(&'static self) -> bool {
        self.0.provide_ticket()
    }
    fn waiting(&self) -> usize {
        self.0.waiting()
    }
    fn timed(&'static self, timeout: Duration) -> bool {
        self.0.condition.wait_while_timeout(self.0.lock.lock(), take_ticket, timeout).1
    }
    fn check(&'static self, provided: usize, used: usize) {
        self.0.check_tickets(provided, used);
    }
}

struct OwnedConditionWhileWorld(ConditionWorld);

impl World for OwnedConditionWhileWorld {
    fn new() -> Self {
        Self(World::new())
    }
    fn operation(&'static self) -> Operation {
        Box::pin(self.0.condition.wait_while_async(self.0.lock.lock_owned(), take_ticket))
    }
    fn provide(&'static self) -> bool {
        self.0.provide_ticket()
    }
    fn waiting(&self) -> usize {
        self.0.waiting()
    }
    fn timed(&'static self, timeout: Duration) -> bool {
        self.0.condition.wait_while_timeout(self.0.lock.lock_owned(), take_ticket, timeout).1
    }
    fn check(&'static self, provided: usize, used: usize) {
        self.0.check_tickets(provided, used);
        assert_eq!(Arc::strong_count(&self.0.lock), 1, "a future kept the lock alive");
    }
}

/// Counts items from their making to their drop.
#[derive(Default)]
struct Tally {
    made: AtomicUsize,
    dropped: AtomicUsize,
}

impl Tally {
    fn make(self: &Arc<Self>) -> Item {
        self.made.fetch_add(1, Ordering::SeqCst);
        Item(Arc::clone(self))
    }
    /// Items that are somewhere.
    fn alive(&self) -> usize {
        self.made.load(Ordering::SeqCst) - self.dropped.load(Ordering::SeqCst)
    }
}

struct Item(Arc<Tally>);

impl Drop for Item {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

const CAPACITY: usize = 8;

/// An empty queue, with receivers.
struct Receivers {
    queue: BoundedQueue<Item>,
    tally: Arc<Tally>,
    /// Items that were popped and kept.
    kept: AtomicUsize,
}

impl Receivers {
    fn provide(&self) -> bool {
        self.queue.try_push(self.tally.make()).is_ok()
    }
    fn check(&self, provided: usize, used: usize) {
        assert_eq!(self.queue.len(), provided - used, "an item was lost or duplicated");
        let kept = self.kept.load(Ordering::SeqCst);
        assert_eq!(self.tally.alive(), self.queue.len() + kept, "an item leaked or died");
    }
}

impl Default for Receivers {
    fn default() -> Self {
        Self {
            queue: BoundedQueue::new(CAPACITY),
            tally: Arc::default(),
            kept: AtomicUsize::default(),
        }
    }
}

struct PopWorld(Receivers);

impl World for PopWorld {
    fn new() -> Self {
        Self(Receivers::default())
    }
    fn operation(&'static self) -> Operation {
        Box::pin(self.0.queue.pop_async())
    }
    fn provide(&'static self) -> bool {
        self.0.provide()
    }
    fn waiting(&self) -> usize {
        self.0.queue.waiting()
    }
    fn timed(&'static self, timeout: Duration) -> bool {
        self.0.queue.pop_timeout(timeout).is_ok()
    }
    fn check(&'static self, provided: usize, used: usize) {
        self.0.check(provided, used);
    }
}

struct PopManyWorld(Receivers);

/// Counts what it has put into its vector, which lives as long as the world.
struct PopMany {
    future: Pin<Box<PopManyFuture<'static, Item>>>,
    kept: &'static AtomicUsize,
}

impl Operate for PopMany {
    fn step(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let count = ready!(self.future.as_mut().poll(cx)).unwrap();
        assert_eq!(count, 1);
        self.kept.fetch_add(count, Ordering::SeqCst);
        Poll::Ready(())
    }
    fn is_over(&self) -> bool {
        self.future.is_terminated()
    }
}

impl World for PopManyWorld {
    fn new() -> Self {
        Self(Receivers::default())
    }
    fn operation(&'static self) -> Operation {
        let items = Box::leak(Box::default());
        let future = Box::pin(self.0.queue.pop_many_async(items, 1));
        Box::pin(PopMany { future, kept: &self.0.kept })
    }
    fn provide(&'static self) -> bool {
        self.0.provide()
    }
    fn waiting(&self) -> usize {
        self.0.queue.waiting()
    }
    fn timed(&'static self, timeout: Duration) -> bool {
        self.0.queue.pop_many_timeout(&mut Vec::new(), 1, timeout).is_ok()
    }
    fn check(&'static self, provided: usize, used: usize) {
        self.0.check(provided, used);
    }
}

struct StreamWorld(Receivers);

struct Next(Pin<Box<PopStream<'static, Item>>>);

impl Operate for Next {
    fn step(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        assert!(ready!(self.0.as_mut().poll_next(cx)).is_some());
        Poll::Ready(())
    }
    fn is_over(&self) -> bool {
        false
    }
}

impl World for StreamWorld {
    const IS_FUTURE: bool = false;

    fn new() -> Self {
        Self(Receivers::default())
    }
    fn operation(&'static self) -> Operation {
        Box::pin(Next(Box::pin(self.0.queue.stream())))
    }
    fn provide(&'static self) -> bool {
        self.0.provide()
    }
    fn waiting(&self) -> usize {
        self.0.queue.waiting()
    }
    fn timed(&'static self, timeout: Duration) -> bool {
        block_on_timeout(futures::StreamExt::next(&mut pin!(self.0.queue.stream())), timeout)
            .is_ok()
    }
    fn check(&'static self, provided: usize, used: usize) {
        self.0.check(provided, used);
    }
}

/// A full queue, with senders.
struct Senders {
    queue: BoundedQueue<Item>,
    tally: Arc<Tally>,
}

impl Senders {
    fn provide(&self) -> bool {
        self.queue.try_pop().is_ok()
    }
    fn check(&self, provided: usize, used: usize) {
        assert_eq!(self.queue.len(), CAPACITY + used - provided, "an item was lost or duplicated");
        assert_eq!(self.tally.alive(), self.queue.len(), "an item leaked or died");
        // All room that is left can be used.
        let slots: Vec<_> = std::iter::from_fn(|| self.queue.try_reserve().ok()).collect();
        assert_eq!(slots.len() + self.queue.len(), CAPACITY, "room was lost");
    }
}

impl Default for Senders {
    fn default() -> Self {
        let tally = Arc::<Tally>::default();
        let queue = BoundedQueue::new(CAPACITY);
        assert_eq!(queue.push_many((0..CAPACITY).map(|_| tally.make())).unwrap(), CAPACITY);
        Self { queue, tally }
    }
}

struct PushWorld(Senders);

impl World for PushWorld {
    fn new() -> Self {
        Self(Senders::default())
    }
    fn operation(&'static self) -> Operation {
        Box::pin(self.0.queue.push_async(self.0.tally.make()))
    }
    fn provide(&'static self) -> bool {
        self.0.provide()
    }
    fn waiting(&self) -> usize {
        self.0.queue.waiting()
    }
    fn timed(&'static self, timeout: Duration) -> bool {
        self.0.queue.push_timeout(self.0.tally.make(), timeout).is_ok()
    }
    fn check(&'static self, provided: usize, used: usize) {
        self.0.check(provided, used);
    }
}

struct PushManyWorld(Senders);

/// One item, made when it is taken.
struct One(Range<usize>, Arc<Tally>);

impl Iterator for One {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        self.0.next().map(|_| self.1.make())
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl World for PushManyWorld {
    fn new() -> Self {
        Self(Senders::default())
    }
    fn operation(&'static self) -> Operation {
        Box::pin(self.0.queue.push_many_async(One(0..1, Arc::clone(&self.0.tally))))
    }
    fn provide(&'static self) -> bool {
        self.0.provide()
    }
    fn waiting(&self) -> usize {
        self.0.queue.waiting()
    }
    fn timed(&'static self, timeout: Duration) -> bool {
        let one = One(0..1, Arc::clone(&self.0.tally));
        block_on_timeout(self.0.queue.push_many_async(one), timeout).is_ok()
    }
    fn check(&'static self, provided: usize, used: usize) {
        self.0.check(provided, used);
    }
}

struct ReserveWorld(Senders);

/// Uses the room at once.
struct ReserveThenPush(Pin<Box<ReserveFuture<'static, Item>>>, Arc<Tally>);

impl Operate for ReserveThenPush {
    fn step(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let slot = ready!(self.0.as_mut().poll(cx)).unwrap();
        slot.push(self.1.make()).unwrap();
        Poll::Ready(())
    }
    fn is_over(&self) -> bool {
        self.0.is_terminated()
    }
}

impl World for ReserveWorld {
    fn new() -> Self {
        Self(Senders::default())
    }
    fn operation(&'static self) -> Operation {
        let reserve = Box::pin(self.0.queue.reserve_async());
        Box::pin(ReserveThenPush(reserve, Arc::clone(&self.0.tally)))
    }
    fn provide(&'static self) -> bool {
        self.0.provide()
    }
    fn waiting(&self) -> usize {
        self.0.queue.waiting()
    }
    fn timed(&'static self, timeout: Duration) -> bool {
        let slot = self.0.queue.reserve_timeout(timeout);
        slot.map(|slot| slot.push(self.0.tally.make()).unwrap()).is_ok()
    }
    fn check(&'static self, provided: usize, used: usize) {
        self.0.check(provided, used);
    }
}

struct SinkWorld(Senders);

struct Send1(Pin<Box<PushSink<'static, Item>>>, Arc<Tally>);

impl Operate for Send1 {
    fn step(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.0.as_mut().poll_ready(cx)).unwrap();
        let item = self.1.make();
        self.0.as_mut().start_send(item).unwrap();
        Poll::Ready(())
    }
    fn is_over(&self) -> bool {
        false
    }
}

impl World for SinkWorld {
    const IS_FUTURE: bool = false;

    fn new() -> Self {
        Self(Senders::default())
    }
    fn operation(&'static self) -> Operation {
        Box::pin(Send1(Box::pin(self.0.queue.sink()), Arc::clone(&self.0.tally)))
    }
    fn provide(&'static self) -> bool {
        self.0.provide()
    }
    fn waiting(&self) -> usize {
        self.0.queue.waiting()
    }
    fn timed(&'static self, timeout: Duration) -> bool {
        let mut sink = pin!(self.0.queue.sink());
        let ready = std::future::poll_fn(|cx| sink.as_mut().poll_ready(cx));
        let ready = block_on_timeout(ready, timeout).is_ok();
        if ready {
            sink.start_send(self.0.tally.make()).unwrap();
        }
        ready
    }
    fn check(&'static self, provided: usize, used: usize) {
        self.0.check(provided, used);
    }
}

// ---- What is true of every operation -----------------------------------------------------------

fn dropped_before_its_first_poll_it_was_never_there<W: World>() {
    let world = world::<W>();
    drop(world.operation());
    assert_eq!(world.waiting(), 0);
    let counter = Counter::new();
    let mut next = world.operation();
    register(&mut next, &counter);
    assert!(world.provide());
    assert_eq!(counter.wakes(), 1);
    assert!(step(&mut next, Waker::noop()).is_ready());
    drop(next);
    world.check(1, 1);
}

fn dropped_after_each_poll_it_leaves_nothing_behind<W: World>() {
    let world = world::<W>();
    for polls in 1..=5 {
        let (counter, other) = (Counter::new(), Counter::new());
        let mut operation = world.operation();
        for poll in 0..polls {
            register(&mut operation, if poll % 2 == 0 { &counter } else { &other });
            assert_eq!(world.waiting(), 1);
        }
        drop(operation);
        assert_eq!(world.waiting(), 0);
        // A waiter that is gone keeps no task alive (tokio#8095).
        assert_eq!((Arc::strong_count(&counter), Arc::strong_count(&other)), (1, 1));
        assert_eq!(counter.wakes() + other.wakes(), 0);
    }
    let counter = Counter::new();
    let mut last = world.operation();
    register(&mut last, &counter);
    assert!(world.provide());
    assert_eq!(counter.wakes(), 1);
    assert!(step(&mut last, Waker::noop()).is_ready());
    assert_eq!(Arc::strong_count(&counter), 1, "a finished operation keeps its waker");
    drop(last);
    world.check(1, 1);
}

fn dropped_when_its_turn_has_come_the_next_one_has_it<W: World>() {
    for victims in 1..=4 {
        let world = world::<W>();
        let counters: Vec<_> = (0..=victims).map(|_| Counter::new()).collect();
        let mut operations: VecDeque<_> = counters
            .iter()
            .map(|counter| {
                let mut operation = world.operation();
                register(&mut operation, counter);
                operation
            })
            .collect();
        assert!(world.provide());
        for counter in &counters[..victims] {
            assert_eq!(counter.wakes(), 1, "it did not come to the next one");
            drop(operations.pop_front());
        }
        assert_eq!(counters[victims].wakes(), 1);
        assert!(step(&mut operations[0], Waker::noop()).is_ready());
        operations.clear();
        assert_eq!(world.waiting(), 0);
        world.check(1, 1);
    }
}

fn dropped_by_another_thread_while_its_turn_comes<W: World>() {
    for _ in 0..100 {
        let world = world::<W>();
        let counter = Counter::new();
        let victim = world.operation_registered(&Counter::new());
        let mut next = world.operation_registered(&counter);
        let start = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                drop(victim);
            });
            start.wait();
            assert!(world.provide());
        });
        assert_eq!(counter.wakes(), 1, "the other one was cancelled, and nobody was woken");
        assert!(step(&mut next, Waker::noop()).is_ready());
        drop(next);
        assert_eq!(world.waiting(), 0);
        world.check(1, 1);
    }
}

trait Registered: World {
    fn operation_registered(&'static self, counter: &Arc<Counter>) -> Operation {
        let mut operation = self.operation();
        register(&mut operation, counter);
        operation
    }
}

impl<W: World> Registered for W {}

fn with_a_changed_waker_only_the_last_one_is_woken<W: World>() {
    let world = world::<W>();
    let counters: Vec<_> = (0..4).map(|_| Counter::new()).collect();
    let mut operation = world.operation();
    for (i, counter) in counters.iter().enumerate() {
        register(&mut operation, counter);
        for replaced in &counters[..i] {
            assert_eq!(Arc::strong_count(replaced), 1, "a replaced waker is kept");
        }
    }
    assert!(world.provide());
    let wakes: Vec<_> = counters.iter().map(|counter| counter.wakes()).collect();
    assert_eq!(wakes, [0, 0, 0, 1]);
    assert!(step(&mut operation, Waker::noop()).is_ready());
    drop(operation);
    world.check(1, 1);
}

fn polled_again_and_again_it_waits_once<W: World>() {
    let world = world::<W>();
    let counter = Counter::new();
    let mut operation = world.operation();
    for _ in 0..1_000 {
        register(&mut operation, &counter);
        assert_eq!(world.waiting(), 1);
        assert_eq!(Arc::strong_count(&counter), 2, "one clone of the waker is enough");
        assert_eq!(counter.wakes(), 0, "it woke itself");
    }
    assert!(world.provide());
    assert_eq!(counter.wakes(), 1);
    assert!(step(&mut operation, Waker::noop()).is_ready());
    assert_eq!(world.waiting(), 0);
    drop(operation);
    world.check(1, 1);
}

/// A waker that drops an operation.
struct Dropper(Mutex<Option<Operation>>);

impl Wake for Dropper {
    fn wake(self: Arc<Self>) {
        let operation = self.0.lock().unwrap().take();
        drop(operation);
    }
}

fn dropped_inside_its_own_wake_the_next_one_has_it<W: World>() {
    let world = world::<W>();
    let dropper = Arc::new(Dropper(Mutex::default()));
    let mut first = world.operation();
    assert!(step(&mut first, &Waker::from(Arc::clone(&dropper))).is_pending());
    *dropper.0.lock().unwrap() = Some(first);
    let counter = Counter::new();
    let mut next = world.operation_registered(&counter);
    assert!(world.provide());
    assert!(dropper.0.lock().unwrap().is_none());
    assert_eq!(counter.wakes(), 1);
    assert!(step(&mut next, Waker::noop()).is_ready());
    drop(next);
    assert_eq!(world.waiting(), 0);
    world.check(1, 1);
}

fn dropped_inside_the_wake_of_the_one_before_it<W: World>() {
    let world = world::<W>();
    let dropper = Arc::new(Dropper(Mutex::default()));
    let mut first = world.operation();
    assert!(step(&mut first, &Waker::from(Arc::clone(&dropper))).is_pending());
    *dropper.0.lock().unwrap() = Some(world.operation_registered(&Counter::new()));
    assert!(world.provide());
    assert!(dropper.0.lock().unwrap().is_none());
    assert!(step(&mut first, Waker::noop()).is_ready());
    drop(first);
    assert_eq!(world.waiting(), 0);
    world.check(1, 1);
}

fn polled_after_it_was_ready_it_panics<W: World>() {
    if !W::IS_FUTURE {
        return;
    }
    let world = world::<W>();
    let mut operation = world.operation();
    assert!(!operation.is_over());
    register(&mut operation, &Counter::new());
    assert!(!operation.is_over());
    assert!(world.provide());
    assert!(!operation.is_over());
    assert!(step(&mut operation, Waker::noop()).is_ready());
    assert!(operation.is_over());
    let panic = catch_unwind(AssertUnwindSafe(|| step(&mut operation, Waker::noop())));
    let message = panic.unwrap_err();
    let message = message.downcast_ref::<String>().unwrap();
    assert!(message.ends_with("Future` polled after completion"), "{message}");
    assert!(operation.is_over());
    drop(operation);
    world.check(1, 1);
}

fn not_provided_in_time_it_is_cancelled<W: World>() {
    let world = world::<W>();
    for timeout in [Duration::ZERO, Duration::from_nanos(1), Duration::from_millis(2)] {
        assert!(!world.timed(timeout));
        assert_eq!(world.waiting(), 0);
    }
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| world.timed(LONG));
        eventually("the thread waits", || world.waiting() == 1);
        assert!(world.provide());
        assert!(waiter.join().unwrap());
    });
    world.check(1, 1);
}

fn timing_out_while_its_turn_comes<W: World>(random: &mut Random) {
    for _ in 0..100 {
        let world = world::<W>();
        let counter = Counter::new();
        let timeout = Duration::from_micros(random.next() % 200);
        let yields = random.below(100);
        let (mut witness, used) = std::thread::scope(|scope| {
            let waiter = scope.spawn(move || world.timed(timeout));
            (0..yields).for_each(|_| std::thread::yield_now());
            let witness = world.operation_registered(&counter);
            assert!(world.provide());
            (witness, waiter.join().unwrap())
        });
        assert!(used || counter.wakes() == 1, "the thread gave up, and nobody else was woken");
        let ready = step(&mut witness, Waker::noop()).is_ready();
        assert!(used || ready, "what was provided is lost");
        drop(witness);
        assert_eq!(world.waiting(), 0);
        world.check(1, usize::from(used) + usize::from(ready));
    }
}

/// Whose turn has come.
type Turns = Arc<Mutex<VecDeque<usize>>>;

/// Puts its number into the list of those who were woken.
struct Turn(usize, Turns);

impl Wake for Turn {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().push_back(self.0);
    }
}

fn in_random_order_among_10_000_nothing_is_lost<W: World>(random: &mut Random) {
    const WAITERS: usize = 10_000;
    let world = world::<W>();
    let turns = Turns::default();
    let mut operations: Vec<_> = (0..WAITERS)
        .map(|number| {
            let mut operation = world.operation();
            let waker = Waker::from(Arc::new(Turn(number, Arc::clone(&turns))));
            assert!(step(&mut operation, &waker).is_pending());
            Some(operation)
        })
        .collect();
    assert_eq!(world.waiting(), WAITERS);

    // A third is cancelled while it waits.
    let mut order: Vec<_> = (0..WAITERS).collect();
    random.shuffle(&mut order);
    for (i, &number) in order[..WAITERS / 3].iter().enumerate() {
        operations[number] = None;
        assert_eq!(world.waiting(), WAITERS - 1 - i);
    }

    // Of the others, those whose turn comes are served or cancelled.
    let (mut provided, mut used, mut cancelled) = (0, 0, WAITERS / 3);
    while used + cancelled < WAITERS {
        let number = turns.lock().unwrap().pop_front();
        let Some(number) = number else {
            assert!(world.provide(), "stranded: nobody is woken");
            provided += 1;
            continue;
        };
        let operation = operations[number].as_mut().expect("a cancelled waiter was woken");
        if random.below(3) == 0 {
            cancelled += 1;
        } else {
            assert!(step(operation, Waker::noop()).is_ready());
            used += 1;
        }
        operations[number] = None;
    }
    assert!(cancelled > WAITERS / 2 && used > WAITERS / 3);
    assert_eq!(world.waiting(), 0);
    world.check(provided, used);
}

macro_rules! every_operation {
    ($($name:ident: $world:ty,)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn dropped_before_its_first_poll_it_was_never_there() {
                super::dropped_before_its_first_poll_it_was_never_there::<$world>();
            }

            #[test]
            fn dropped_after_each_poll_it_leaves_nothing_behind() {
                super::dropped_after_each_poll_it_leaves_nothing_behind::<$world>();
            }

            #[test]
            fn dropped_when_its_turn_has_come_the_next_one_has_it() {
                super::dropped_when_its_turn_has_come_the_next_one_has_it::<$world>();
            }

            #[test]
            fn dropped_by_another_thread_while_its_turn_comes() {
                super::dropped_by_another_thread_while_its_turn_comes::<$world>();
            }

            #[test]
            fn with_a_changed_waker_only_the_last_one_is_woken() {
                super::with_a_changed_waker_only_the_last_one_is_woken::<$world>();
            }

            #[test]
            fn polled_again_and_again_it_waits_once() {
                super::polled_again_and_again_it_waits_once::<$world>();
            }

            #[test]
            fn dropped_inside_its_own_wake_the_next_one_has_it() {
                super::dropped_inside_its_own_wake_the_next_one_has_it::<$world>();
            }

            #[test]
            fn dropped_inside_the_wake_of_the_one_before_it() {
                super::dropped_inside_the_wake_of_the_one_before_it::<$world>();
            }

            #[test]
            fn polled_after_it_was_ready_it_panics() {
                super::polled_after_it_was_ready_it_panics::<$world>();
            }

            #[test]
            fn not_provided_in_time_it_is_cancelled() {
                super::not_provided_in_time_it_is_cancelled::<$world>();
            }

            #[test]
            fn timing_out_while_its_turn_comes() {
                super::timing_out_while_its_turn_comes::<$world>(&mut Random(1));
            }

            #[test]
            fn in_random_order_among_10_000_nothing_is_lost() {
                for seed in 0..3 {
                    super::in_random_order_among_10_000_nothing_is_lost::<$world>(
                        &mut Random(seed),
                    );
                }
            }
        }
    )*};
}

every_operation! {
    lock: LockWorld,
    lock_owned: OwnedLockWorld,
    lock_handed_over: FairLockWorld,
    acquire: SemaphoreWorld,
    acquire_owned: OwnedSemaphoreWorld,
    event: Event,
    condition: ConditionWorld,
    condition_owned: OwnedConditionWorld,
    condition_while: ConditionWhileWorld,
    condition_while_owned: OwnedConditionWhileWorld,
    push: PushWorld,
    pop: PopWorld,
    reserve: ReserveWorld,
    pop_many: PopManyWorld,
    push_many: PushManyWorld,
    stream: StreamWorld,
    sink: SinkWorld,
}

// ---- What is true of some, named by its symptom ------------------------------------------------

/// A future that is never polled or dropped again.
fn forget<F: Future>(mut future: Pin<Box<F>>, counter: &Arc<Counter>) {
    assert!(counter.poll(future.as_mut()).is_pending());
    std::mem::forget(future);
}

#[test]
fn a_forgotten_lock_future_holds_up_the_others_for_32_unlocks_at_most() {
    let lock = Box::leak(Box::new(Lock::new(())));
    let (forgotten, counter) = (Counter::new(), Counter::new());
    let held = lock.lock();
    forget(Box::pin(lock.lock_async()), &forgotten);
    let mut next = Box::pin(lock.lock_async());
    assert!(counter.poll(next.as_mut()).is_pending());
    drop(held);
    assert_eq!((forgotten.wakes(), counter.wakes()), (1, 0));
    let mut unlocks = 0;
    while counter.wakes() == 0 {
        drop(lock.try_lock().expect("the lock is free"));
        unlocks += 1;
        assert!(unlocks <= 32, "the next waiter is stranded");
    }
    assert!(counter.poll(next.as_mut()).is_ready());
}

#[test]
fn a_forgotten_lock_future_does_not_stop_a_thread() {
    let lock = Box::leak(Box::new(Lock::new(())));
    let held = lock.lock();
    forget(Box::pin(lock.lock_async()), &Counter::new());
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| drop(lock.lock()));
        eventually("the thread waits", || lock.waiting() == 2);
        drop(held);
        thread.join().unwrap();
    });
    assert!(lock.try_lock().is_some());
}

#[test]
fn a_forgotten_acquire_keeps_its_own_permits_and_no_others() {
    let semaphore = Box::leak(Box::new(Semaphore::new(0)));
    forget(Box::pin(semaphore.acquire_many_async(2)), &Counter::new());
    let counter = Counter::new();
    let mut next = Box::pin(semaphore.acquire_async());
    assert!(counter.poll(next.as_mut()).is_pending());
    semaphore.release(3);
    assert!(counter.poll(next.as_mut()).is_ready());
    assert_eq!((semaphore.available(), semaphore.waiting()), (1, 0));
}

#[test]
fn a_forgotten_event_future_stops_nobody() {
    let event = Box::leak(Box::new(Event::new()));
    forget(Box::pin(event.wait_async()), &Counter::new());
    let counter = Counter::new();
    let mut next = Box::pin(event.wait_async());
    assert!(counter.poll(next.as_mut()).is_pending());
    event.set();
    assert_eq!(counter.wakes(), 1);
    assert!(counter.poll(next.as_mut()).is_ready());
}

#[test]
fn a_forgotten_condition_wait_uses_one_notification_and_no_lock() {
    let world = world::<ConditionWorld>();
    forget(Box::pin(world.condition.wait_async(world.lock.lock())), &Counter::new());
    let counter = Counter::new();
    let mut next = world.operation_registered(&counter);
    assert!(world.condition.notify_one());
    assert_eq!(counter.wakes(), 0);
    assert!(world.condition.notify_one());
    assert_eq!(counter.wakes(), 1);
    assert!(step(&mut next, Waker::noop()).is_ready());
    assert!(world.lock.try_lock().is_some());
}

/// async-channel#45: a sender that is alive and never polled stops the others.
#[test]
fn a_forgotten_push_or_pop_uses_one_wake_up_and_neither_room_nor_item() {
    let queue = Box::leak(Box::new(BoundedQueue::new(1)));
    let (forgotten, counter) = (Counter::new(), Counter::new());
    queue.push(0).unwrap();
    forget(Box::pin(queue.push_async(1)), &forgotten);
    let mut next = Box::pin(queue.push_async(2));
    assert!(counter.poll(next.as_mut()).is_pending());
    assert_eq!(queue.pop(), Ok(0));
    assert_eq!((forgotten.wakes(), counter.wakes()), (1, 0));
    queue.push(3).unwrap();
    assert_eq!(queue.pop(), Ok(3));
    assert_eq!(counter.wakes(), 1);
    assert_eq!(counter.poll(next.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(queue.pop(), Ok(2));

    let (forgotten, counter) = (Counter::new(), Counter::new());
    forget(Box::pin(queue.pop_async()), &forgotten);
    let mut next = Box::pin(queue.pop_async());
    assert!(counter.poll(next.as_mut()).is_pending());
    queue.push(4).unwrap();
    assert_eq!((forgotten.wakes(), counter.wakes()), (1, 0));
    assert_eq!(queue.pop(), Ok(4));
    queue.push(5).unwrap();
    assert_eq!(counter.wakes(), 1);
    assert_eq!(counter.poll(next.as_mut()), Poll::Ready(Ok(5)));
}

/// RFD 609, async-lock#91, tokio#6450, tokio#7892: tokio, saa, async-lock and mea hang here.
#[test]
fn of_two_waiters_of_one_task_the_one_that_is_polled_gets_the_lock() {
    let lock = Lock::new(());
    let task = Counter::new();
    let held = lock.lock();
    let mut unpolled = Box::pin(lock.lock_async());
    let mut polled = Box::pin(lock.lock_async());
    assert!(task.poll(unpolled.as_mut()).is_pending());
    assert!(task.poll(polled.as_mut()).is_pending());
    drop(held);
    assert_eq!(task.wakes(), 1);
    assert!(task.poll(polled.as_mut()).is_ready());
    // The first one is neither forgotten nor in the way.
    assert!(task.poll(unpolled.as_mut()).is_ready());
    assert!(!lock.is_locked());
    assert_eq!(lock.waiting(), 0);
}

#[test]
fn of_two_waiters_of_one_task_the_one_that_is_polled_is_woken_after_a_barger() {
    let lock = Lock::new(());
    let task = Counter::new();
    let held = lock.lock();
    let mut unpolled = Box::pin(lock.lock_async());
    let mut polled = Box::pin(lock.lock_async());
    assert!(task.poll(unpolled.as_mut()).is_pending());
    assert!(task.poll(polled.as_mut()).is_pending());
    drop(held);
    let barger = lock.try_lock().expect("it is free");
    assert_eq!(task.wakes(), 1);
    assert!(task.poll(polled.as_mut()).is_pending());
    drop(barger);
    assert_eq!(task.wakes(), 2, "the wake-up was used");
    assert!(task.poll(polled.as_mut()).is_ready());
}

#[test]
fn of_two_waiters_of_one_task_the_one_that_gets_the_lock_wakes_the_next_task() {
    let lock = Lock::new(());
    let (task, other) = (Counter::new(), Counter::new());
    let held = lock.lock();
    let mut unpolled = Box::pin(lock.lock_async());
    let mut polled = Box::pin(lock.lock_async());
    let mut behind = Box::pin(lock.lock_async());
    assert!(task.poll(unpolled.as_mut()).is_pending());
    assert!(task.poll(polled.as_mut()).is_pending());
    assert!(other.poll(behind.as_mut()).is_pending());
    drop(held);
    let Poll::Ready(guard) = task.poll(polled.as_mut()) else { panic!("it is free") };
    drop(guard);
    assert_eq!(other.wakes(), 1, "stranded behind a future that is not polled");
    assert!(other.poll(behind.as_mut()).is_ready());
}

#[test]
fn of_two_waiters_of_one_task_the_one_that_is_polled_gets_the_item() {
    let queue = BoundedQueue::new(1);
    let task = Counter::new();
    let mut unpolled = Box::pin(queue.pop_async());
    let mut polled = Box::pin(queue.pop_async());
    assert!(task.poll(unpolled.as_mut()).is_pending());
    assert!(task.poll(polled.as_mut()).is_pending());
    queue.push(1).unwrap();
    assert_eq!(task.poll(polled.as_mut()), Poll::Ready(Ok(1)));
    assert!(task.poll(unpolled.as_mut()).is_pending());
    queue.push(2).unwrap();
    assert_eq!(task.poll(unpolled.as_mut()), Poll::Ready(Ok(2)));
}

/// tokio#2340: a release has its waiters in a private list, and one of them is dropped.
#[test]
fn waiters_dropped_while_one_release_wakes_hundreds() {
    const WAITERS: usize = 100;
    let semaphore = Box::leak(Box::new(Semaphore::new(0)));
    let dropper = Arc::new(Dropper(Mutex::default()));
    let mut first = Box::pin(semaphore.acquire_async());
    let waker = Waker::from(Arc::clone(&dropper));
    assert!(first.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let counters: Vec<_> = (0..WAITERS).map(|_| Counter::new()).collect();
    let mut others: Vec<_> = counters
        .iter()
        .map(|counter| {
            let mut other = Box::pin(semaphore.acquire_async());
            assert!(counter.poll(other.as_mut()).is_pending());
            other
        })
        .collect();
    // The wake of the first drops one that is granted in the same batch, and one that is not yet.
    let (near, far) = (others.remove(3), others.remove(90));
    *dropper.0.lock().unwrap() = Some(Box::pin(Both(near, far)));
    semaphore.release(WAITERS + 1);
    assert!(dropper.0.lock().unwrap().is_none());
    assert_eq!(semaphore.waiting(), 0);
    assert_eq!(semaphore.available(), 2);
    let mut permits = vec![first];
    permits.extend(others);
    let permits: Vec<_> =
        permits.iter_mut().map(|acquire| common::poll_once(acquire.as_mut())).collect();
    assert!(permits.iter().all(Poll::is_ready));
    assert_eq!(semaphore.available(), 2);
    drop(permits);
    assert_eq!(semaphore.available(), WAITERS + 1);
}

/// Two futures, to be dropped together.
struct Both<A, B>(A, B);

impl<A: Send + Unpin, B: Send + Unpin> Operate for Both<A, B> {
    fn step(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        unreachable!("it is only dropped");
    }
    fn is_over(&self) -> bool {
        false
    }
}

/// saa 8c20937, mea#39: a cancelled request leaves its place, or a part of its permits, behind.
#[test]
fn a_cancelled_large_request_lets_the_small_ones_through() {
    let semaphore = Semaphore::new(2);
    let counters = [(); 3].map(|()| Counter::new());
    let mut large = Box::pin(semaphore.acquire_many_async(3));
    let mut small = [(); 2].map(|()| Box::pin(semaphore.acquire_async()));
    assert!(counters[0].poll(large.as_mut()).is_pending());
    for (small, counter) in small.iter_mut().zip(&counters[1..]) {
        assert!(counter.poll(small.as_mut()).is_pending());
    }
    assert!(semaphore.try_acquire().is_none(), "nobody overtakes");
    assert_eq!(semaphore.available(), 2, "no permit is set aside for a part of a request");
    drop(large);
    assert_eq!(counters.map(|counter| counter.wakes()), [0, 1, 1]);
    let permits = small.each_mut().map(|small| common::poll_once(small.as_mut()));
    assert!(permits.iter().all(Poll::is_ready));
    assert_eq!(semaphore.available(), 0);
    drop(permits);
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn a_timed_out_large_request_lets_the_small_ones_through() {
    let semaphore = Semaphore::new(1);
    std::thread::scope(|scope| {
        let large = scope.spawn(|| semaphore.acquire_many_timeout(2, Duration::from_millis(50)));
        eventually("the large one waits, or has given up", || {
            semaphore.waiting() == 1 || large.is_finished()
        });
        let small = scope.spawn(|| semaphore.acquire_timeout(LONG).is_ok());
        assert!(large.join().unwrap().is_err());
        assert!(small.join().unwrap());
    });
    assert_eq!(semaphore.available(), 1);
}

/// CPython: the first two of four cancelled, one release: the third gets it, the fourth does not.
#[test]
fn of_four_acquires_two_cancelled_the_third_is_next() {
    let semaphore = Semaphore::new(0);
    let counters: Vec<_> = (0..4).map(|_| Counter::new()).collect();
    let mut acquires: VecDeque<_> = (0..4).map(|_| Box::pin(semaphore.acquire_async())).collect();
    for (acquire, counter) in acquires.iter_mut().zip(&counters) {
        assert!(counter.poll(acquire.as_mut()).is_pending());
    }
    acquires.drain(..2);
    semaphore.release(1);
    assert_eq!(counters.iter().map(|counter| counter.wakes()).collect::<Vec<_>>(), [0, 0, 1, 0]);
    let Poll::Ready(permit) = counters[2].poll(acquires[0].as_mut()) else { panic!("granted") };
    assert!(counters[3].poll(acquires[1].as_mut()).is_pending());
    drop(permit);
    assert!(counters[3].poll(acquires[1].as_mut()).is_ready());
}

/// CPython: cancelled by the very task that has just released.
#[test]
fn a_waiter_cancelled_by_the_releaser_does_not_corrupt_the_semaphore() {
    let semaphore = Semaphore::new(1);
    let permit = semaphore.acquire();
    let mut waiter = Box::pin(semaphore.acquire_async());
    assert!(common::poll_once(waiter.as_mut()).is_pending());
    drop(permit);
    assert!(semaphore.try_acquire().is_none(), "it belongs to the waiter");
    drop(waiter);
    assert!(semaphore.acquire_timeout(Duration::ZERO).is_ok());
    assert_eq!((semaphore.available(), semaphore.waiting()), (1, 0));
}

/// saa 6036127, de14b6d: a release and a drop at the very same time.
#[test]
fn requests_dropped_exactly_when_they_are_granted_keep_the_permits() {
    const PERMITS: usize = 3;
    let semaphore = Semaphore::bounded(PERMITS);
    for round in 0..300 {
        let start = Barrier::new(3);
        let held = semaphore.acquire_many(PERMITS);
        let mut requests = [1, 3, 2].map(|n| Box::pin(semaphore.acquire_many_async(n)));
        for request in &mut requests {
            assert!(common::poll_once(request.as_mut()).is_pending());
        }
        let [mut one, three, two] = requests;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                drop(three);
            });
            scope.spawn(|| {
                start.wait();
                drop(common::poll_once(one.as_mut()));
                drop(one);
            });
            start.wait();
            drop(held);
            drop(two);
        });
        assert_eq!(semaphore.waiting(), 0);
        assert_eq!(semaphore.available(), PERMITS, "round {round}");
    }
}

/// parking_lot#129, 249cb2a: a timeout clears the mark of the waiters that remain.
#[test]
fn a_timed_out_lock_does_not_hide_the_waiters_behind_it() {
    let lock = Lock::new(());
    let held = lock.lock();
    let counter = Counter::new();
    let mut task = Box::pin(lock.lock_async());
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| lock.lock_timeout(Duration::from_millis(20)).is_err());
        eventually("the thread waits, or has given up", || {
            lock.waiting() == 1 || thread.is_finished()
        });
        assert!(counter.poll(task.as_mut()).is_pending());
        assert!(thread.join().unwrap());
    });
    assert_eq!(lock.waiting(), 1);
    drop(held);
    assert_eq!(counter.wakes(), 1);
    assert!(counter.poll(task.as_mut()).is_ready());
    // Nor does it leave newcomers barred.
    assert!(lock.try_lock().is_some());
}

/// parking_lot#29, a0d2de0: a fair unlock meets a timeout.
#[test]
fn a_fair_unlock_and_a_timeout_lose_no_lock() {
    let lock = Lock::new(0_u32);
    let mut random = Random(7);
    for _ in 0..200 {
        let timeout = Duration::from_micros(random.next() % 300);
        let held = lock.lock();
        std::thread::scope(|scope| {
            let threads = [(); 2].map(|()| {
                scope.spawn(|| lock.lock_timeout(timeout).map(LockGuard::unlock_fair).is_ok())
            });
            (0..random.below(50)).for_each(|_| std::thread::yield_now());
            LockGuard::unlock_fair(held);
            for thread in threads {
                thread.join().unwrap();
            }
        });
        assert_eq!(lock.waiting(), 0);
        assert!(lock.try_lock().is_some(), "the lock is held by nobody");
    }
}

/// CPython, Condition: cancel racing with a notification, before the waiter runs and while it
/// takes the lock again. tokio#3652, tokio#4618, mea#132.
#[test]
fn a_wait_cancelled_while_it_locks_again_passes_its_notification_on() {
    let world = world::<ConditionWorld>();
    let (cancelled, counter) = (Counter::new(), Counter::new());
    let mut first = world.operation_registered(&cancelled);
    let mut second = world.operation_registered(&counter);
    let held = world.lock.lock();
    assert!(world.condition.notify_one());
    assert_eq!(cancelled.wakes(), 1);
    // Notified, it queues for the lock.
    register(&mut first, &cancelled);
    assert_eq!((world.condition.waiting(), world.lock.waiting()), (1, 1));
    drop(first);
    assert_eq!((world.condition.waiting(), world.lock.waiting()), (0, 0));
    assert_eq!(counter.wakes(), 1, "the notification is lost");
    drop(held);
    assert!(step(&mut second, Waker::noop()).is_ready());
    assert!(world.lock.try_lock().is_some());
}

#[test]
fn a_wait_cancelled_with_the_lock_free_before_it_passes_both_on() {
    let world = world::<ConditionWorld>();
    let (cancelled, condition, lock) = (Counter::new(), Counter::new(), Counter::new());
    let mut first = world.operation_registered(&cancelled);
    let mut second = world.operation_registered(&condition);
    let held = world.lock.lock();
    assert!(world.condition.notify_one());
    register(&mut first, &cancelled);
    let mut third = Box::pin(world.lock.lock_async());
    assert!(lock.poll(third.as_mut()).is_pending());
    drop(held);
    assert_eq!(cancelled.wakes(), 2);
    drop(first);
    assert_eq!((condition.wakes(), lock.wakes()), (1, 1), "it kept one of the two");
    let guard = lock.poll(third.as_mut());
    assert!(guard.is_ready());
    register(&mut second, &condition);
    drop(guard);
    assert!(step(&mut second, Waker::noop()).is_ready());
}

/// mea#132: whom `notify_all` has told owes nothing to those who come later.
#[test]
fn a_victim_of_notify_all_passes_nothing_on() {
    for locks_again in [false, true] {
        let world = world::<ConditionWorld>();
        let (counter, late) = (Counter::new(), Counter::new());
        let mut first = world.operation_registered(&counter);
        assert_eq!(world.condition.notify_all(), 1);
        let mut later = world.operation_registered(&late);
        if locks_again {
            let held = world.lock.lock();
            register(&mut first, &counter);
            drop(first);
            drop(held);
        } else {
            drop(first);
        }
        assert_eq!((late.wakes(), world.condition.waiting()), (0, 1));
        assert!(world.condition.notify_one());
        assert!(step(&mut later, Waker::noop()).is_ready());
    }
}

/// tokio#4618: told by both, it passes on the one that was for it alone.
#[test]
fn notified_by_one_and_then_by_all_nobody_is_notified_twice() {
    let world = world::<ConditionWorld>();
    let (first, second) = (Counter::new(), Counter::new());
    let cancelled = world.operation_registered(&first);
    let mut other = world.operation_registered(&second);
    assert!(world.condition.notify_one());
    assert_eq!(world.condition.notify_all(), 1);
    drop(cancelled);
    assert_eq!((first.wakes(), second.wakes()), (1, 1));
    assert!(step(&mut other, Waker::noop()).is_ready());
    assert!(!world.condition.notify_one());
}

/// tokio#7996: an unpolled future is not waiting, and takes nothing from those who are.
#[test]
fn an_unpolled_future_takes_no_notification_and_no_set() {
    let (event, semaphore) = (Event::new(), Semaphore::new(0));
    let (unpolled, counter) = (event.wait_async(), Counter::new());
    event.set();
    event.clear();
    let mut unpolled = pin!(unpolled);
    assert!(counter.poll(unpolled.as_mut()).is_pending());

    let unpolled = semaphore.acquire_async();
    let mut polled = pin!(semaphore.acquire_async());
    assert!(counter.poll(polled.as_mut()).is_pending());
    semaphore.release(1);
    drop(unpolled);
    assert!(counter.poll(polled).is_ready());

    let (outer, inner) = (Arc::new(Lock::new(())), Arc::new(Lock::new(())));
    let condition = Condition::new();
    let unpolled = condition.wait_async(outer.lock_owned());
    assert!(outer.is_locked() && condition.waiting() == 0);
    assert!(!condition.notify_one());
    assert_eq!(condition.notify_all(), 0);
    // Not even tied to its lock.
    let mut other = Box::pin(condition.wait_async(inner.lock_owned()));
    assert!(counter.poll(other.as_mut()).is_pending());
    drop(other);
    let mut wait = Box::pin(unpolled);
    assert!(counter.poll(wait.as_mut()).is_pending());
    assert!(!outer.is_locked() && condition.waiting() == 1);
}

/// CPython, Queue: the first of two getters is cancelled, then one put.
#[test]
fn of_two_pops_the_first_cancelled_the_second_gets_the_item() {
    let queue = BoundedQueue::new(4);
    let (first, second) = (Counter::new(), Counter::new());
    let mut cancelled = Box::pin(queue.pop_async());
    let mut pop = Box::pin(queue.pop_async());
    assert!(first.poll(cancelled.as_mut()).is_pending());
    assert!(second.poll(pop.as_mut()).is_pending());
    drop(cancelled);
    queue.push(1).unwrap();
    assert_eq!((first.wakes(), second.wakes()), (0, 1));
    assert_eq!(second.poll(pop.as_mut()), Poll::Ready(Ok(1)));
}

/// CPython, Queue: a reader is woken by put 1, put 2 is queued, the reader is cancelled before it
/// runs: the next reader gets 1. async-std#452: the second of two wake-ups is not suppressed.
#[test]
fn a_pop_cancelled_after_its_item_came_leaves_it_in_its_place() {
    let queue = BoundedQueue::new(4);
    let [first, second, third] = [(); 3].map(|()| Counter::new());
    let mut cancelled = Box::pin(queue.pop_async());
    assert!(first.poll(cancelled.as_mut()).is_pending());
    queue.push(1).unwrap();
    queue.push(2).unwrap();
    assert_eq!(first.wakes(), 1);
    drop(cancelled);
    let mut next = Box::pin(queue.pop_async());
    assert_eq!(second.poll(next.as_mut()), Poll::Ready(Ok(1)));
    let mut next = Box::pin(queue.pop_async());
    assert_eq!(third.poll(next.as_mut()), Poll::Ready(Ok(2)));
    assert_eq!((queue.len(), queue.waiting()), (0, 0));
}

/// CPython, Queue: three readers, two puts, the first cancelled: the others get 1 and 2.
#[test]
fn of_three_pops_and_two_pushes_with_the_first_cancelled_the_others_get_both() {
    let queue = BoundedQueue::new(4);
    let counters = [(); 3].map(|()| Counter::new());
    let mut pops = [(); 3].map(|()| Box::pin(queue.pop_async()));
    for (pop, counter) in pops.iter_mut().zip(&counters) {
        assert!(counter.poll(pop.as_mut()).is_pending());
    }
    queue.push(1).unwrap();
    queue.push(2).unwrap();
    assert_eq!(counters.each_ref().map(|counter| counter.wakes()), [1, 1, 0]);
    let [cancelled, mut second, mut third] = pops;
    drop(cancelled);
    assert_eq!(counters[2].wakes(), 1, "an item, and nobody is woken for it");
    assert_eq!(counters[2].poll(third.as_mut()), Poll::Ready(Ok(1)));
    assert_eq!(counters[1].poll(second.as_mut()), Poll::Ready(Ok(2)));
}

/// CPython, Queue: a putter is woken by a get and cancelled: its item is not in the queue, a retry
/// puts it once.
#[test]
fn a_push_cancelled_after_its_room_came_has_not_pushed() {
    let tally = Arc::<Tally>::default();
    let queue = BoundedQueue::new(1);
    queue.push(tally.make()).unwrap();
    let counter = Counter::new();
    let mut push = Box::pin(queue.push_async(tally.make()));
    assert!(counter.poll(push.as_mut()).is_pending());
    drop(queue.pop());
    assert_eq!(counter.wakes(), 1);
    drop(push);
    assert_eq!((queue.len(), tally.alive()), (0, 0));
    queue.push(tally.make()).unwrap();
    drop(queue.pop());
    assert_eq!((queue.len(), tally.alive()), (0, 0));
}

/// CPython, Queue: of three putters at capacity one the last is cancelled.
#[test]
fn of_three_pushes_the_last_cancelled_the_others_arrive_in_order() {
    let queue = BoundedQueue::new(1);
    queue.push('a').unwrap();
    let counter = Counter::new();
    let mut b = Box::pin(queue.push_async('b'));
    let mut c = Box::pin(queue.push_async('c'));
    assert!(counter.poll(b.as_mut()).is_pending());
    assert!(counter.poll(c.as_mut()).is_pending());
    drop(c);
    assert_eq!(queue.pop(), Ok('a'));
    assert_eq!(counter.poll(b.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(queue.pop(), Ok('b'));
    assert_eq!((queue.len(), queue.waiting()), (0, 0));
}

/// crossfire#22: a waiter that succeeded by trying stays registered, and swallows the next wake-up.
#[test]
fn a_waiter_that_succeeds_unwoken_leaves_no_registration_behind() {
    let queue = BoundedQueue::new(2);
    let (first, second) = (Counter::new(), Counter::new());
    let mut lucky = Box::pin(queue.pop_async());
    let mut other = Box::pin(queue.pop_async());
    assert!(first.poll(lucky.as_mut()).is_pending());
    assert!(second.poll(other.as_mut()).is_pending());
    // The notification goes to the first; the second is polled, and succeeds while it is queued.
    queue.push(1).unwrap();
    assert_eq!(second.poll(other.as_mut()), Poll::Ready(Ok(1)));
    assert_eq!(queue.waiting(), 0);
    assert!(first.poll(lucky.as_mut()).is_pending());
    assert_eq!(queue.waiting(), 1);
    queue.push(2).unwrap();
    assert_eq!((first.wakes(), second.wakes()), (2, 0));
    assert_eq!(first.poll(lucky.as_mut()), Poll::Ready(Ok(2)));

    let lock = Lock::new(());
    let held = lock.lock();
    let (mut lucky, mut other) = (Box::pin(lock.lock_async()), Box::pin(lock.lock_async()));
    let (first, second) = (Counter::new(), Counter::new());
    assert!(first.poll(other.as_mut()).is_pending());
    assert!(second.poll(lucky.as_mut()).is_pending());
    drop(held);
    let guard = second.poll(lucky.as_mut());
    assert!(guard.is_ready());
    assert_eq!(lock.waiting(), 0);
    assert!(first.poll(other.as_mut()).is_pending());
    drop(guard);
    assert_eq!((first.wakes(), second.wakes()), (2, 0));
    assert!(first.poll(other.as_mut()).is_ready());
}

/// event-listener#138: the early way out of "nobody is waiting" sees a cancel half-way.
#[test]
fn after_everyone_was_cancelled_a_new_waiter_is_seen() {
    fn check<W: World>() {
        let world = world::<W>();
        for _ in 0..3 {
            let operations: Vec<_> =
                (0..3).map(|_| world.operation_registered(&Counter::new())).collect();
            drop(operations);
        }
        let counter = Counter::new();
        let mut last = world.operation_registered(&counter);
        assert!(world.provide());
        assert_eq!(counter.wakes(), 1);
        assert!(step(&mut last, Waker::noop()).is_ready());
    }
    check::<LockWorld>();
    check::<SemaphoreWorld>();
    check::<Event>();
    check::<ConditionWorld>();
    check::<PopWorld>();
    check::<PushWorld>();
}

#[test]
fn an_item_taken_back_from_its_push_ends_the_wait() {
    let tally = Arc::<Tally>::default();
    let queue = BoundedQueue::new(1);
    // Unpolled.
    let mut push = pin!(queue.push_async(tally.make()));
    assert!(push.as_mut().take().is_some());
    assert!(push.as_mut().take().is_none());
    assert!(push.is_terminated());

    queue.push(tally.make()).unwrap();
    let counters = [(); 3].map(|()| Counter::new());
    let mut pushes = [(); 3].map(|()| Box::pin(queue.push_async(tally.make())));
    for (push, counter) in pushes.iter_mut().zip(&counters) {
        assert!(counter.poll(push.as_mut()).is_pending());
    }
    // Waiting: it leaves at once, before it is dropped.
    let item = pushes[0].as_mut().take();
    assert_eq!((queue.waiting(), Arc::strong_count(&counters[0])), (2, 1));
    drop(item);
    // Its turn has come: the next one has it.
    drop(queue.pop());
    assert_eq!(counters.each_ref().map(|counter| counter.wakes()), [0, 1, 0]);
    let item = pushes[1].as_mut().take();
    assert!(item.is_some());
    assert_eq!(counters[2].wakes(), 1);
    assert!(matches!(counters[2].poll(pushes[2].as_mut()), Poll::Ready(Ok(()))));
    // After it was pushed there is nothing to take.
    assert!(pushes[2].as_mut().take().is_none());
    drop(item);
    drop(pushes);
    assert_eq!(tally.alive(), queue.len());
}

#[test]
fn a_push_whose_item_was_taken_must_not_be_polled() {
    let queue = BoundedQueue::new(1);
    let mut push = Box::pin(queue.push_async(1));
    assert_eq!(push.as_mut().take(), Some(1));
    let panic = catch_unwind(AssertUnwindSafe(|| common::poll_once(push.as_mut())));
    let message = panic.unwrap_err();
    assert_eq!(message.downcast_ref::<String>().unwrap(), "`PushFuture` polled after completion");
    assert!(queue.is_empty());
}

/// crossfire#72, kanal e248ad1: a batch that ends midway loses items, or drops them twice.
#[test]
fn a_push_many_cancelled_midway_has_pushed_what_it_took() {
    let tally = Arc::<Tally>::default();
    let queue = BoundedQueue::new(3);
    let mut items = One(0..10, Arc::clone(&tally));
    let mut push = Box::pin(queue.push_many_async(&mut items));
    assert!(common::poll_once(push.as_mut()).is_pending());
    drop(queue.pop());
    assert!(common::poll_once(push.as_mut()).is_pending());
    drop(push);
    assert_eq!(items.0.len(), 6, "an item was in hand while it waited");
    assert_eq!((queue.len(), queue.waiting(), tally.alive()), (3, 0, 3));
    drop(queue);
    assert_eq!(tally.alive(), 0);
}

#[test]
fn a_push_many_closed_midway_gives_the_item_in_hand_back() {
    let tally = Arc::<Tally>::default();
    let queue = BoundedQueue::new(3);
    let mut items = One(0..10, Arc::clone(&tally));
    let mut push = Box::pin(queue.push_many_async(&mut items));
    assert!(common::poll_once(push.as_mut()).is_pending());
    queue.close();
    let Poll::Ready(Err(PushError(item))) = common::poll_once(push.as_mut()) else {
        panic!("it is closed");
    };
    drop(push);
    assert_eq!((items.0.len(), tally.alive()), (6, 4));
    drop(item);
    drop(queue);
    assert_eq!(tally.alive(), 0);
}

#[test]
fn a_pop_many_cancelled_after_items_came_has_taken_none() {
    let queue = BoundedQueue::new(4);
    let mut items = Vec::new();
    let mut pop = Box::pin(queue.pop_many_async(&mut items, 3));
    assert!(common::poll_once(pop.as_mut()).is_pending());
    queue.push_many([1, 2]).unwrap();
    drop(pop);
    assert!(items.is_empty());
    assert_eq!(queue.len(), 2);
}

#[test]
fn a_sink_dropped_with_room_in_hand_gives_it_back() {
    let queue = BoundedQueue::new(1);
    let mut sink = Box::pin(queue.sink());
    assert!(sink.as_mut().poll_ready(&mut Context::from_waker(Waker::noop())).is_ready());
    let counter = Counter::new();
    let mut push = Box::pin(queue.push_async(1));
    assert!(counter.poll(push.as_mut()).is_pending());
    drop(sink);
    assert_eq!(counter.wakes(), 1);
    assert_eq!(counter.poll(push.as_mut()), Poll::Ready(Ok(())));
}

/// async-lock#41: a waiter that keeps being woken for nothing.
#[test]
fn a_woken_loser_keeps_its_place_in_front() {
    let queue = BoundedQueue::new(1);
    let (first, second) = (Counter::new(), Counter::new());
    let mut pop = Box::pin(queue.pop_async());
    let mut behind = Box::pin(queue.pop_async());
    assert!(first.poll(pop.as_mut()).is_pending());
    assert!(second.poll(behind.as_mut()).is_pending());
    for wakes in 1..=5 {
        queue.push(wakes).unwrap();
        assert_eq!(queue.pop(), Ok(wakes), "a newcomer may be faster");
        assert_eq!((first.wakes(), second.wakes()), (wakes, 0));
        assert!(first.poll(pop.as_mut()).is_pending());
        assert_eq!(queue.waiting(), 2);
    }
    drop(pop);
    queue.push(6).unwrap();
    assert_eq!(second.poll(behind.as_mut()), Poll::Ready(Ok(6)));
}

#[test]
fn a_notified_timed_wait_says_so() {
    let world = world::<ConditionWorld>();
    let mut random = Random(3);
    for _ in 0..300 {
        let timeout = Duration::from_micros(random.next() % 200);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(move || world.timed(timeout));
            let mut notified = false;
            while !notified && !waiter.is_finished() {
                notified = world.provide();
            }
            assert_eq!(waiter.join().unwrap(), notified);
        });
    }
}

#[test]
fn a_blocked_thread_is_cancelled_by_an_event() {
    let (queue, stop) = (BoundedQueue::<u8>::new(1), Event::new());
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            block_on(async {
                futures::select! {
                    item = pin!(queue.pop_async()) => item.ok(),
                    () = pin!(stop.wait_async()) => None,
                }
            })
        });
        eventually("the thread waits", || queue.waiting() == 1 && stop.waiting() == 1);
        stop.set();
        assert_eq!(thread.join().unwrap(), None);
    });
    assert_eq!((queue.waiting(), stop.waiting()), (0, 0));
    queue.push(1).unwrap();
    assert_eq!(queue.pop_deadline(Instant::now()), Ok(1));
}
