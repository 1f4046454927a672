//! The backend of production: std's atomics, parking_lot's mutex and condition variable.

#![expect(clippy::disallowed_methods, reason = "the one place that names the platform")]
#![cfg_attr(
    all(target_arch = "x86_64", not(miri)),
    expect(unsafe_code, reason = "hints to the cache")
)]

use std::cell::{self, Cell};
use std::marker::PhantomData;
use std::time::{Duration, Instant};

pub(crate) use std::thread_local;

/// Thread-locals that are constants: no destructor, so they work while a thread is torn down.
macro_rules! const_thread_local {
    ($($(#[$attr:meta])* static $name:ident: $type:ty = $init:expr;)*) => {
        std::thread_local! { $($(#[$attr])* static $name: $type = const { $init };)* }
    };
}
pub(crate) use const_thread_local;

pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{AtomicIsize, AtomicU8, AtomicU32, AtomicU64, Ordering};
}

/// Wakers collected in one section of the list lock.
pub(crate) const WAKE_BATCH: usize = 32;

/// Unlocks in a row that may leave a wake-up to a waiter that is already on its way.
pub(crate) const SKIP_LIMIT: u32 = 31;

/// How long a blocked thread is passed over before it makes newcomers queue.
const PATIENCE: Duration = Duration::from_micros(500);

/// How often it looks from then on: whether nobody else does so any more, or whether the lock is free.
const IMPATIENCE: Duration = Duration::from_millis(1);

/// Doubling rounds of pauses (1 + 2 + 4 + …) before the first yield of a [`Spin`]: two CPUs meet in
/// them.
const PAUSE_ROUNDS: u32 = 4;

/// The same on a word that its owner keeps changing, where a look takes the line from its cache.
const CONTENDED_PAUSE_ROUNDS: u32 = 2;

/// The one early pause of a coarse [`Spin`].
const COARSE_PAUSE: u32 = 32;

/// Rounds of a [`Spin`] after that: yields, for whom this thread waits for may need its CPU, and
/// pauses in turn.
const LATE_ROUNDS: u32 = 12;

/// The length of those pauses.
const LATE_PAUSE: u32 = 16;

/// Yields of a [`Pace`] after its pauses.
const YIELD_ROUNDS: u32 = 7;

/// Who has lost a race backs off by 2^4 pauses at first, and by 2^6 at most.
const COLLISION_ROUND: u32 = 4;
const MAX_COLLISION_ROUND: u32 = 6;

/// The most pauses before a [`Pace`] looks for the first time.
const LONGEST_PAUSE: u32 = 48;

/// So many pauses without success, and the other end needs this CPU.
const PAUSES: u32 = 32;

/// The most pauses in a `poll`.
const POLL_PAUSES: u32 = 16;

/// The most waits in a row without pauses, because those brought nothing: of an end of a ring, which
/// meets one other end only, and of a thread.
const LONGEST_RESTRAINT: u8 = 63;
const LONGEST_THREAD_RESTRAINT: u8 = 7;

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

/// A bounded busy wait: doubling pauses, then yields and pauses in turn, then no more.
///
/// Where the pauses bring nothing and the first yields do, whom the thread waits for needs its CPU;
/// then it leaves the pauses out for a while.
pub(crate) struct Spin {
    /// Early pauses to come, and how long the next one is.
    pauses: u32,
    length: u32,
    late_pause: u32,
    late_rounds: u32,
    /// Whether there is something to learn from it: asked at the first step, and then for its course.
    learns: bool,
    begun: bool,
}

/// How far a thread's last [`Spin`] came that paused.
#[derive(Clone, Copy)]
enum Course {
    Paused,
    Yielded,
    /// To its end: it was a long wait, of which nothing is to be learnt.
    Ended,
}

const_thread_local! {
    static LAST_SPIN: Cell<(Restraint, Course)> = Cell::new((Restraint::new(), Course::Ended));
}

impl Spin {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self {
            pauses: PAUSE_ROUNDS,
            length: 1,
            late_pause: LATE_PAUSE,
            late_rounds: 0,
            learns: true,
            begun: false,
        }
    }

    /// On a word that its owner keeps changing.
    #[inline]
    pub(crate) const fn on_contended_word() -> Self {
        Self { pauses: CONTENDED_PAUSE_ROUNDS, late_pause: 0, learns: false, ..Self::new() }
    }

    /// For what comes in numbers: who looks less often finds more.
    #[inline]
    pub(crate) const fn coarse() -> Self {
        Self { pauses: 1, length: COARSE_PAUSE, ..Self::new() }
    }

    /// Waits a little; `false` once the wait should become a sleep.
    pub(crate) fn again(&mut self) -> bool {
        if self.learns && !self.begun {
            self.begin();
        }
        if self.pauses > 0 {
            pause(self.length);
            self.pauses -= 1;
            self.length *= 2;
            return true;
        }
        match self.late_rounds {
            LATE_ROUNDS.. => {
                self.note(Course::Ended);
                return false;
            }
            late if late % 2 == 0 => {
                self.note(Course::Yielded);
                yield_now();
            }
            _ => pause(self.late_pause),
        }
        self.late_rounds += 1;
        true
    }

    /// Whether to pause at all, after what the last pauses have brought.
    fn begin(&mut self) {
        self.begun = true;
        let (mut restraint, course) = LAST_SPIN.get();
        match course {
            Course::Paused => restraint.learn(true, LONGEST_THREAD_RESTRAINT),
            Course::Yielded => restraint.learn(false, LONGEST_THREAD_RESTRAINT),
            Course::Ended => {}
        }
        self.learns = !restraint.holds();
        if self.learns {
            LAST_SPIN.set((restraint, Course::Paused));
        } else {
            self.pauses = 0;
            LAST_SPIN.set((restraint, Course::Ended));
        }
    }

    fn note(&self, course: Course) {
        if self.learns {
            LAST_SPIN.set((LAST_SPIN.get().0, course));
        }
    }
}

/// Lost races for a word. Who has lost one stays away for a moment: the winner makes a run of claims
/// while the word is in its cache.
pub(crate) struct Collision(u32);

impl Collision {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self(COLLISION_ROUND)
    }

    #[cold]
    pub(crate) fn back_off(&mut self) {
        pause(1 << self.0);
        self.0 = MAX_COLLISION_ROUND.min(self.0 + 1);
    }
}

/// How one end of a ring waits for the other before it sleeps.
///
/// A look takes the line of the other's index away from it. It had better come late when the other
/// is about to do much, and early when it is about to do one thing; what the last look has found
/// tells which. Where pauses bring nothing, the other end waits for this CPU, and gets it.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// Pauses before the first look.
    pauses: u8,
    /// The last look of a poll has found much: there may be more already.
    plenty: bool,
    /// Whether a thread pauses, or yields at once.
    thread: Restraint,
    /// Whether a poll pauses.
    poll: Restraint,
}

impl Pace {
    pub(crate) const fn new() -> Self {
        let (thread, poll) = (Restraint::new(), Restraint::new());
        Self { pauses: 1, plenty: true, thread, poll }
    }

    /// Waits a little for a ring of `capacity`; `look` tells how much there is to do now. `false`
    /// once the wait should become a sleep.
    pub(crate) fn wait(&mut self, capacity: u64, mut look: impl FnMut() -> u64) -> bool {
        if !self.thread.holds() {
            let most = longest(capacity, LONGEST_PAUSE);
            let first = most.min(u32::from(self.pauses));
            let (mut next, mut spent) = (first, 0);
            while spent < PAUSES {
                pause(next);
                spent += next;
                next *= 2;
                let found = look();
                if found > 0 {
                    let better = if found > 1 { first * 2 } else { first / 2 };
                    self.pauses = better.clamp(1, most) as u8;
                    self.thread.learn(true, LONGEST_RESTRAINT);
                    return true;
                }
            }
            self.thread.learn(false, LONGEST_RESTRAINT);
        }
        for _ in 0..YIELD_ROUNDS {
            yield_now();
            if look() > 0 {
                return true;
            }
        }
        false
    }

    /// The same for a `poll`, which must not wait long, and looks at least once.
    pub(crate) fn wait_briefly(&mut self, capacity: u64, mut look: impl FnMut() -> u64) -> bool {
        let holds = self.poll.holds();
        if (self.plenty || holds) && self.finds(look(), capacity) {
            return true;
        }
        if holds {
            return false;
        }
        pause(longest(capacity, POLL_PAUSES));
        let found = self.finds(look(), capacity);
        self.poll.learn(found, LONGEST_RESTRAINT);
        found
    }

    /// Whether a look has found anything.
    fn finds(&mut self, count: u64, capacity: u64) -> bool {
        self.plenty = count >= capacity / 8;
        count > 0
    }
}

/// Pauses that brought nothing twice in a row are left out for a while, and for longer if it happens
/// again.
#[derive(Clone, Copy)]
struct Restraint {
    left: u8,
    next: u8,
}

impl Restraint {
    const fn new() -> Self {
        Self { left: 0, next: 0 }
    }

    fn holds(&mut self) -> bool {
        let holds = self.left > 0;
        self.left -= u8::from(holds);
        holds
    }

    fn learn(&mut self, paid: bool, longest: u8) {
        (self.left, self.next) =
            if paid { (0, 0) } else { (self.next, (2 * self.next + 1).min(longest)) };
    }
}

/// A part of a ring is worth waiting for.
fn longest(capacity: u64, most: u32) -> u32 {
    (capacity / 8).clamp(1, u64::from(most)) as u32
}

fn pause(count: u32) {
    for _ in 0..count {
        std::hint::spin_loop();
    }
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

/// Until when a blocked thread waits before it looks, for the first time while it is patient; and
/// whether that is its deadline.
pub(crate) fn patience(deadline: Option<Instant>, is_patient: bool) -> (Option<Instant>, bool) {
    let limit = Instant::now() + if is_patient { PATIENCE } else { IMPATIENCE };
    match deadline {
        Some(deadline) if deadline <= limit => (Some(deadline), true),
        _ => (Some(limit), false),
    }
}

pub(crate) fn is_past(deadline: Instant) -> bool {
    Instant::now() >= deadline
}
