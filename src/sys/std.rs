//! The backend of production: std's atomics, parking_lot's mutex and condition variable.

#![expect(clippy::disallowed_methods, reason = "the one place that names the platform")]
#![cfg_attr(
    all(target_arch = "x86_64", not(miri)),
    expect(unsafe_code, reason = "hints to the cache")
)]

use super::Rows;
use std::cell;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

mod spin;

pub(crate) use self::spin::{Collision, Pace, PollSpin, Spin};
pub(crate) use std::thread_local;

/// Thread-locals that are constants: no destructor, so they work while a thread is torn down. That
/// holds on targets with native thread-locals; elsewhere std frees the value at some point of the
/// teardown, and an access that comes later panics.
macro_rules! const_thread_local {
    ($($(#[$attr:meta])* static $name:ident: $type:ty = $init:expr;)*) => {
        std::thread_local! { $($(#[$attr])* static $name: $type = const { $init };)* }
    };
}
pub(crate) use const_thread_local;

pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{AtomicIsize, AtomicU8, AtomicU32, AtomicU64, Ordering};

    /// Flags that answer a user's look.
    pub(crate) type AtomicFlags = AtomicU32;
}

/// Wakers collected in one section of the list lock.
pub(crate) const WAKE_BATCH: usize = 32;

/// Unlocks in a row that may leave a wake-up to a waiter that is already on its way.
pub(crate) const SKIP_LIMIT: u32 = 31;

/// How long a blocked thread waits before it makes newcomers queue.
const PATIENCE: Duration = Duration::from_micros(500);

/// How often it looks from then on: whether nobody else does so any more, or whether the lock is free.
const IMPATIENCE: Duration = Duration::from_millis(1);

/// How many may look as often as that. In a greater crowd each takes its time.
const CROWD: usize = 8;

/// How many times [`IMPATIENCE`] is the most.
const MOST_CROWDS: usize = 10;

/// Steps that a `poll` may wait in [`GapWait::pause_briefly`] before it must return.
const GATE_STEPS: u32 = 6;

/// A cell whose accesses are closures, so that a model checker can see them.
pub(crate) struct UnsafeCell<T>(cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(cell::UnsafeCell::new(value))
    }

    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    #[inline]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// The cell of a user's value; a [`Claim`] marks the span of an exclusive use.
pub(crate) struct DataCell<T: ?Sized>(cell::UnsafeCell<T>);

/// An exclusive use of a [`DataCell`], ended by [`Claim::end`].
pub(crate) struct Claim;

impl<T> DataCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(cell::UnsafeCell::new(value))
    }

    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

impl<T: ?Sized> DataCell<T> {
    #[inline]
    pub(crate) fn get(&self) -> *mut T {
        self.0.get()
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }

    #[inline]
    pub(crate) fn claim(&self) -> Claim {
        Claim
    }
}

impl Claim {
    #[inline]
    pub(crate) fn none() -> Self {
        Self
    }

    #[inline]
    pub(crate) fn end(&mut self) {}
}

/// A mutex that guards nothing by itself: one byte, no poison, parks when its holder is preempted.
///
/// It wraps parking_lot's so that features which other crates switch on there (`send_guard`,
/// `deadlock_detection`) never reach our auto traits.
pub(crate) struct Mutex(parking_lot::Mutex<()>);

pub(crate) struct MutexGuard<'a>(parking_lot::MutexGuard<'a, ()>);

impl Mutex {
    pub(crate) const fn new() -> Self {
        Self(parking_lot::Mutex::new(()))
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_> {
        MutexGuard(self.0.lock())
    }
}

pub(crate) struct Condvar(parking_lot::Condvar);

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self(parking_lot::Condvar::new())
    }

    pub(crate) fn wait<'a>(&self, mut guard: MutexGuard<'a>) -> MutexGuard<'a> {
        self.0.wait(&mut guard.0);
        guard
    }

    /// The flag tells that the deadline has passed.
    pub(crate) fn wait_until<'a>(
        &self,
        mut guard: MutexGuard<'a>,
        deadline: Instant,
    ) -> (MutexGuard<'a>, bool) {
        let expired = self.0.wait_until(&mut guard.0, deadline).timed_out();
        (guard, expired)
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }
}

pub(crate) fn yield_now() {
    std::thread::yield_now();
}

/// Says that the line of `place` is about to be written.
#[inline]
pub(crate) fn prefetch_to_write<T>(place: *const T) {
    // The line comes while the CPU goes on. The wait for it is otherwise part of the next
    // read-modify-write, which lets no store pass.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a hint, for any address; it does not fault.
    unsafe {
        std::arch::asm!(
            "prefetchw [{}]", in(reg) place, options(nostack, preserves_flags, readonly)
        );
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = place;
}

/// Says that the line of `place` is about to be read.
#[inline]
pub(crate) fn prefetch_to_read<T>(place: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a hint, for any address; it does not fault.
    unsafe {
        std::arch::asm!(
            "prefetcht0 [{}]", in(reg) place, options(nostack, preserves_flags, readonly)
        );
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = place;
}

/// The gap between claiming a place in a ring and publishing it.
pub(crate) struct Gate;

pub(crate) struct GatePass<'a>(PhantomData<&'a Gate>);

impl Drop for GatePass<'_> {
    /// Nothing: who waits backs off and looks again.
    #[inline]
    fn drop(&mut self) {}
}

impl Gate {
    pub(crate) const fn new() -> Self {
        Self
    }

    #[inline]
    pub(crate) fn enter(&self) -> GatePass<'_> {
        GatePass(PhantomData)
    }
}

/// What hardly ever any object has to keep: one table for the process, so that none pays a byte.
pub(crate) struct SideTable;

static ROWS: parking_lot::Mutex<Rows> = parking_lot::Mutex::new(Vec::new());

impl SideTable {
    pub(crate) const fn new() -> Self {
        Self
    }

    /// Nobody else has the rows meanwhile.
    #[cold]
    pub(crate) fn with<R>(&self, change: impl FnOnce(&mut Rows) -> R) -> R {
        change(&mut ROWS.lock())
    }
}

/// One wait for other threads to leave their gap.
pub(crate) struct GapWait {
    backoff: crossbeam_utils::Backoff,
    steps: u32,
}

impl GapWait {
    #[inline]
    pub(crate) fn new() -> Self {
        Self { backoff: crossbeam_utils::Backoff::new(), steps: 0 }
    }

    /// Lets whoever is in the gap go on. Waits as long as it takes, a step at a time.
    pub(crate) fn pause(&mut self, _gate: &Gate) {
        self.backoff.snooze();
    }

    /// The same for a `poll`, which must not wait long: `false` when it has to return.
    pub(crate) fn pause_briefly(&mut self, _gate: &Gate) -> bool {
        self.backoff.spin();
        self.steps += 1;
        self.steps < GATE_STEPS
    }
}

/// An Acquire load that a retry loop may build on.
#[inline]
pub(crate) fn fresh(word: &atomic::AtomicU64) -> u64 {
    word.load(atomic::Ordering::Acquire)
}

/// Until when a blocked thread waits before it looks, for the first time while it is patient (and how
/// many others wait does not matter yet); and whether that is its deadline.
pub(crate) fn patience(
    deadline: Option<Instant>,
    is_patient: bool,
    waiting: impl FnOnce() -> usize,
) -> (Option<Instant>, bool) {
    let wait = if is_patient {
        PATIENCE
    } else {
        IMPATIENCE * (waiting() / CROWD).clamp(1, MOST_CROWDS) as u32
    };
    let limit = Instant::now() + wait;
    match deadline {
        Some(deadline) if deadline <= limit => (Some(deadline), true),
        _ => (Some(limit), false),
    }
}

pub(crate) fn is_past(deadline: Instant) -> bool {
    Instant::now() >= deadline
}

/// The same for a thread that never sleeps.
pub(crate) fn is_past_at_last(deadline: Instant) -> bool {
    is_past(deadline)
}

/// What must not go on does not.
pub(crate) fn abort() {
    std::process::abort();
}

#[cfg(test)]
mod tests {
    use super::{IMPATIENCE, PATIENCE, patience};
    use std::time::{Duration, Instant};

    #[test]
    fn a_crowd_looks_no_more_often_than_a_few() {
        let cases = [(0, 1), (1, 1), (15, 1), (16, 2), (79, 9), (801, 10), (usize::MAX, 10)];
        for (waiting, times) in cases {
            let before = Instant::now();
            let (limit, is_deadline) = patience(None, false, || waiting);
            let wait = IMPATIENCE * times;
            assert!(!is_deadline, "{waiting}");
            assert!(limit.unwrap() - wait >= before, "{waiting}");
            assert!(limit.unwrap() - wait <= Instant::now(), "{waiting}");
        }
        let before = Instant::now();
        let limit = patience(None, true, || unreachable!("not yet")).0.unwrap();
        assert!(limit - PATIENCE >= before && limit - PATIENCE <= Instant::now());
    }

    #[test]
    fn patience_ends_at_the_deadline() {
        let now = Instant::now();
        assert_eq!(patience(Some(now), true, || 0), (Some(now), true));
        assert_eq!(patience(Some(now), false, || 0), (Some(now), true));
        let late = now + Duration::from_secs(3_600);
        assert!(patience(Some(late), true, || 0).0.is_some_and(|limit| limit < late));
        assert!(!patience(Some(late), false, || 0).1);
    }
}
