//! The backend of model checking: loom's objects behind the names of `std.rs`.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the one place that names the platform"
)]

use super::{Rows, panicking};
use ::loom::sync as loom_sync;
use std::cell;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

pub(crate) use ::loom::thread::yield_now;
pub(crate) use ::loom::thread_local;

macro_rules! const_thread_local {
    ($($(#[$attr:meta])* static $name:ident: $type:ty = $init:expr;)*) => {
        ::loom::thread_local! { $($(#[$attr])* static $name: $type = $init;)* }
    };
}
pub(crate) use const_thread_local;

/// Runs `op` on a loom object. While the thread unwinds from loom's own report, loom may refuse
/// every operation by another panic; `fallback` then stands in for the result, so that the
/// report survives and loops end.
fn checked<R>(op: impl FnOnce() -> R, fallback: impl FnOnce() -> R) -> R {
    if std::thread::panicking() {
        catch_unwind(AssertUnwindSafe(op)).unwrap_or_else(|_| fallback())
    } else {
        op()
    }
}

/// loom remembers one access of each object. Where a thread looks at a word and then changes it, its own
/// look hides that of another thread from the change, and loom does not try the change first. So where a
/// word answers a user's look it has a shadow, which every look changes: that is remembered. Not the words
/// of rings, pipes and reentrant locks, for their models would be many times as large.
pub(crate) mod atomic {
    use super::checked;
    pub(crate) use ::loom::sync::atomic::Ordering;

    #[derive(Debug)]
    struct Shadow(::loom::sync::atomic::AtomicU8);

    impl Shadow {
        #[track_caller]
        fn new() -> Self {
            Self(::loom::sync::atomic::AtomicU8::new(0))
        }

        #[track_caller]
        fn look(&self) {
            checked(|| self.0.fetch_or(0, Ordering::Relaxed), || 0);
        }
    }

    #[derive(Debug)]
    struct NoShadow;

    impl NoShadow {
        fn new() -> Self {
            Self
        }

        fn look(&self) {}
    }

    macro_rules! atomic {
        ($($name:ident: $loom:ident, $int:ty, $shadow:ident;)*) => {$(
            #[derive(Debug)]
            pub(crate) struct $name {
                word: ::loom::sync::atomic::$loom,
                shadow: $shadow,
            }

            #[allow(dead_code, reason = "one macro for every width; not each uses each operation")]
            impl $name {
                #[track_caller]
                pub(crate) fn new(value: $int) -> Self {
                    let word = ::loom::sync::atomic::$loom::new(value);
                    Self { word, shadow: $shadow::new() }
                }
                #[track_caller]
                pub(crate) fn load(&self, order: Ordering) -> $int {
                    self.shadow.look();
                    checked(|| self.word.load(order), || 0)
                }
                #[track_caller]
                pub(crate) fn store(&self, value: $int, order: Ordering) {
                    checked(|| self.word.store(value, order), || ());
                }
                #[track_caller]
                pub(crate) fn swap(&self, value: $int, order: Ordering) -> $int {
                    checked(|| self.word.swap(value, order), || 0)
                }
                #[track_caller]
                pub(crate) fn fetch_add(&self, value: $int, order: Ordering) -> $int {
                    checked(|| self.word.fetch_add(value, order), || 0)
                }
                #[track_caller]
                pub(crate) fn fetch_sub(&self, value: $int, order: Ordering) -> $int {
                    checked(|| self.word.fetch_sub(value, order), || 0)
                }
                #[track_caller]
                pub(crate) fn fetch_and(&self, value: $int, order: Ordering) -> $int {
                    checked(|| self.word.fetch_and(value, order), || 0)
                }
                #[track_caller]
                pub(crate) fn fetch_or(&self, value: $int, order: Ordering) -> $int {
                    checked(|| self.word.fetch_or(value, order), || 0)
                }
                #[track_caller]
                pub(crate) fn compare_exchange(
                    &self, old: $int, new: $int, ok: Ordering, no: Ordering,
                ) -> Result<$int, $int> {
                    checked(|| self.word.compare_exchange(old, new, ok, no), || Ok(old))
                }
                #[track_caller]
                pub(crate) fn compare_exchange_weak(
                    &self, old: $int, new: $int, ok: Ordering, no: Ordering,
                ) -> Result<$int, $int> {
                    checked(|| self.word.compare_exchange_weak(old, new, ok, no), || Ok(old))
                }
            }
        )*};
    }

    atomic! {
        AtomicU8: AtomicU8, u8, NoShadow;
        AtomicU32: AtomicU32, u32, NoShadow;
        AtomicFlags: AtomicU32, u32, Shadow;
        AtomicU64: AtomicU64, u64, NoShadow;
        AtomicIsize: AtomicIsize, isize, Shadow;
    }
}

pub(crate) const WAKE_BATCH: usize = 2;
pub(crate) const SKIP_LIMIT: u32 = 1;

/// Tells loom about accesses to a value that lies beside it.
struct Tracker(::loom::cell::UnsafeCell<()>);

/// One tracked access. It ends with [`Claim::end`], or with the claim.
pub(crate) struct Claim(Access);

enum Access {
    Shared(::loom::cell::ConstPtr<()>),
    Exclusive(::loom::cell::MutPtr<()>),
    /// Ended, or begun while loom refuses every operation: nothing to report.
    Untracked,
}

impl Tracker {
    #[track_caller]
    fn new() -> Self {
        Self(::loom::cell::UnsafeCell::new(()))
    }

    #[track_caller]
    fn shared(&self) -> Claim {
        Claim(checked(|| Access::Shared(self.0.get()), || Access::Untracked))
    }

    #[track_caller]
    fn exclusive(&self) -> Claim {
        Claim(checked(|| Access::Exclusive(self.0.get_mut()), || Access::Untracked))
    }
}

impl Claim {
    pub(crate) fn none() -> Self {
        Self(Access::Untracked)
    }

    pub(crate) fn end(&mut self) {
        match std::mem::replace(&mut self.0, Access::Untracked) {
            Access::Shared(access) => checked(|| drop(access), || ()),
            Access::Exclusive(access) => checked(|| drop(access), || ()),
            Access::Untracked => {}
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.end();
    }
}

pub(crate) struct UnsafeCell<T> {
    tracker: Tracker,
    value: cell::UnsafeCell<T>,
}

impl<T> UnsafeCell<T> {
    #[track_caller]
    pub(crate) fn new(value: T) -> Self {
        Self { tracker: Tracker::new(), value: cell::UnsafeCell::new(value) }
    }

    #[track_caller]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        let _access = self.tracker.shared();
        f(self.value.get())
    }

    #[track_caller]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        let _access = self.tracker.exclusive();
        f(self.value.get())
    }
}

pub(crate) struct DataCell<T: ?Sized> {
    tracker: Tracker,
    value: cell::UnsafeCell<T>,
}

impl<T> DataCell<T> {
    #[track_caller]
    pub(crate) fn new(value: T) -> Self {
        Self { tracker: Tracker::new(), value: cell::UnsafeCell::new(value) }
    }

    pub(crate) fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> DataCell<T> {
    pub(crate) fn get(&self) -> *mut T {
        self.value.get()
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    #[track_caller]
    pub(crate) fn claim(&self) -> Claim {
        self.tracker.exclusive()
    }
}

pub(crate) struct Mutex(loom_sync::Mutex<()>);

/// `None` while loom refuses every operation: see [`checked`].
pub(crate) struct MutexGuard<'a> {
    mutex: &'a Mutex,
    held: Option<loom_sync::MutexGuard<'a, ()>>,
}

impl Mutex {
    pub(crate) fn new() -> Self {
        Self(loom_sync::Mutex::new(()))
    }

    #[track_caller]
    pub(crate) fn lock(&self) -> MutexGuard<'_> {
        MutexGuard { mutex: self, held: checked(|| self.0.lock().ok(), || None) }
    }
}

impl Drop for MutexGuard<'_> {
    fn drop(&mut self) {
        let held = self.held.take();
        checked(|| drop(held), || ());
    }
}

pub(crate) struct Condvar {
    inner: loom_sync::Condvar,
    /// How many timed sleeps there were. Not loom's: it is one thread's.
    timed_sleeps: std::sync::atomic::AtomicU32,
}

impl Condvar {
    pub(crate) fn new() -> Self {
        // Before any deadline: no later look at the clock says the same.
        LazyLock::force(&PATIENCE);
        Self {
            inner: loom_sync::Condvar::new(),
            timed_sleeps: std::sync::atomic::AtomicU32::new(0),
        }
    }

    #[track_caller]
    pub(crate) fn wait<'a>(&self, mut guard: MutexGuard<'a>) -> MutexGuard<'a> {
        let held = guard.held.take();
        guard.held = checked(|| self.inner.wait(held?).ok(), || None);
        guard
    }

    /// loom has no clock: the deadline passes after any number of steps of the other threads. The first
    /// of a thread pass at once, or as late as a preemption makes it: who yields is not scheduled again
    /// before the others have come to their ends, and then a lock, say, is always free. The others
    /// pass after a yield, so that a loop of timed waits ends.
    pub(crate) fn wait_until<'a>(
        &self,
        guard: MutexGuard<'a>,
        deadline: Instant,
    ) -> (MutexGuard<'a>, bool) {
        let mutex = guard.mutex;
        drop(guard);
        if deadline == *PATIENCE || self.timed_sleeps.fetch_add(1, Relaxed) >= AT_ONCE {
            yield_now();
        }
        (mutex.lock(), true)
    }

    #[track_caller]
    pub(crate) fn notify_all(&self) {
        checked(|| self.inner.notify_all(), || ());
    }

    #[track_caller]
    pub(crate) fn notify_one(&self) {
        checked(|| self.inner.notify_one(), || ());
    }
}

/// Exhausted at once.
#[derive(Clone, Copy)]
pub(crate) struct Spin<'a>(PhantomData<&'a ()>);

impl<'a> Spin<'a> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }

    pub(crate) const fn for_signal() -> Self {
        Self(PhantomData)
    }

    pub(crate) const fn none() -> Self {
        Self(PhantomData)
    }

    pub(crate) const fn on_contended_word() -> Self {
        Self(PhantomData)
    }

    pub(crate) const fn coarse() -> Self {
        Self(PhantomData)
    }

    pub(crate) const fn before_help() -> Self {
        Self(PhantomData)
    }

    pub(crate) fn for_permits(
        _address: usize,
        _forgotten: u64,
        _signals: &'a impl Fn() -> u64,
    ) -> Self {
        Self(PhantomData)
    }

    pub(crate) fn beside(self, _progress: &'a impl Fn() -> u64) -> Self {
        self
    }

    pub(crate) fn until(self, _deadline: Option<Instant>) -> Self {
        self
    }

    pub(crate) fn again(&mut self) -> bool {
        false
    }
}

/// Who has lost a race looks again at once.
pub(crate) struct Collision;

impl Collision {
    pub(crate) const fn new() -> Self {
        Self
    }

    pub(crate) fn back_off(&mut self) {}
}

/// Exhausted at once.
#[derive(Clone, Copy)]
pub(crate) struct Pace;

impl Pace {
    pub(crate) const fn new() -> Self {
        Self
    }

    pub(crate) fn wait(
        &mut self,
        _capacity: u64,
        _deadline: Option<Instant>,
        _look: impl FnMut() -> u64,
    ) -> bool {
        false
    }

    pub(crate) fn wait_briefly(&mut self, _capacity: u64, mut look: impl FnMut() -> u64) -> bool {
        look() > 0
    }
}

/// Exhausted at once.
pub(crate) struct PollSpin;

impl PollSpin {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn note_wake_up(&self, _side: usize) {}

    pub(crate) fn note_sleep(&self, _side: usize) {}

    pub(crate) fn may_pay(&self) -> bool {
        false
    }

    pub(crate) fn run<R>(&self, _look: impl FnMut() -> Option<R>) -> Option<R> {
        None
    }
}

pub(crate) fn prefetch_to_write<T>(_place: *const T) {}

pub(crate) fn prefetch_to_read<T>(_place: *const T) {}

/// Each object has a table of its own: loom keeps no static until the last thread has ended.
pub(crate) struct SideTable {
    mutex: Mutex,
    rows: std::sync::Mutex<Rows>,
}

impl SideTable {
    pub(crate) fn new() -> Self {
        Self { mutex: Mutex::new(), rows: std::sync::Mutex::new(Rows::new()) }
    }

    #[track_caller]
    pub(crate) fn with<R>(&self, change: impl FnOnce(&mut Rows) -> R) -> R {
        let _held = self.mutex.lock();
        // In use only while loom refuses every operation: see `checked`.
        match self.rows.try_lock() {
            Ok(mut rows) => change(&mut rows),
            Err(_) => change(&mut Rows::new()),
        }
    }
}

/// The gaps between claiming a place in a ring and publishing it. Who waits for one is blocked until
/// somebody leaves a gap, whoever it is, and then looks again.
///
/// Nobody is kept out, and leaving is one read-modify-write that only those who wait acquire: a
/// happens-before edge exists in no execution but those that met a gap.
pub(crate) struct Gate {
    /// How many have left, times two; the lowest bit: somebody waits.
    left: atomic::AtomicU64,
    mutex: Mutex,
    condvar: Condvar,
}

const WAITED_FOR: u64 = 1;

pub(crate) struct GatePass<'a>(&'a Gate);

impl Gate {
    pub(crate) fn new() -> Self {
        Self { left: atomic::AtomicU64::new(0), mutex: Mutex::new(), condvar: Condvar::new() }
    }

    pub(crate) fn enter(&self) -> GatePass<'_> {
        GatePass(self)
    }
}

impl Drop for GatePass<'_> {
    fn drop(&mut self) {
        let Gate { left, mutex, condvar } = self.0;
        if left.fetch_add(2, atomic::Ordering::Release) & WAITED_FOR != 0 {
            let guard = mutex.lock();
            left.fetch_and(!WAITED_FOR, atomic::Ordering::Relaxed);
            drop(guard);
            condvar.notify_all();
        }
    }
}

/// How many had left when the waiter looked last.
pub(crate) struct GapWait(Option<u64>);

impl GapWait {
    pub(crate) fn new() -> Self {
        Self(None)
    }

    /// The first call of a wait returns at once: what happened before it counts.
    pub(crate) fn pause(&mut self, gate: &Gate) {
        let mut left = gate.left.fetch_or(0, atomic::Ordering::Acquire) & !WAITED_FOR;
        if self.0 == Some(left) {
            let mut guard = gate.mutex.lock();
            loop {
                left = gate.left.fetch_or(WAITED_FOR, atomic::Ordering::Acquire) & !WAITED_FOR;
                if self.0 != Some(left) || panicking() {
                    break;
                }
                guard = gate.condvar.wait(guard);
            }
        }
        self.0 = Some(left);
    }

    pub(crate) fn pause_briefly(&mut self, gate: &Gate) -> bool {
        self.pause(gate);
        true
    }
}

#[track_caller]
pub(crate) fn fresh(word: &atomic::AtomicU64) -> u64 {
    word.fetch_or(0, atomic::Ordering::Acquire)
}

/// The patience of one timed wait, and its deadline.
const AT_ONCE: u32 = 2;

/// What no user's deadline is: the end of the patience of a thread without one.
static PATIENCE: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Patience ends once, and then the deadline counts: without one, a lost wake-up is a deadlock.
pub(crate) fn patience(
    deadline: Option<Instant>,
    is_patient: bool,
    _waiting: impl FnOnce() -> usize,
) -> (Option<Instant>, bool) {
    match deadline {
        _ if !is_patient => (deadline, true),
        Some(_) => (Some(Instant::now()), false),
        None => (Some(*PATIENCE), false),
    }
}

pub(crate) fn is_past(_deadline: Instant) -> bool {
    false
}

pub(crate) fn is_past_at_last(_deadline: Instant) -> bool {
    true
}

/// What unwinds is a report of loom.
pub(crate) fn abort() {}

impl<T> super::TakesTurns for ::loom::cell::Cell<T> {}
