//! Busy waits, and what they learn from each other.

use super::{const_thread_local, is_past, yield_now};
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Doubling rounds of pauses (1 + 2 + 4 + …) before the first yield of a [`Spin`]: two CPUs meet in
/// them.
const PAUSE_ROUNDS: u32 = 4;

/// The same for a signal. It outlasts a yield of the other side: two that had to yield once would else
/// meet in their yields for ever.
const SIGNAL_PAUSE_ROUNDS: u32 = 5;

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

/// What a yield may cost, in nanoseconds. If it is `n` times that, `n`² spins do without, and no more
/// than so many. A wait has up to two.
const FAIR_YIELD: u32 = 16_000;
const MOST_WITHOUT: u16 = 1023;

/// What the others may take for each step that they do, in nanoseconds: half a wake-up.
const STEP: u32 = 1_000;

/// One that takes longer counts as this.
const LONGEST_YIELD: Duration = Duration::from_millis(10);

/// As long as they are short, one of so many and one more is timed.
const UNTIMED: u8 = 3;

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

/// Looks of a [`PollSpin`], a pause before each: where the last one paid, and elsewhere.
const LONGEST_POLL_SPIN: u32 = 64;
const POLL_SPIN: u32 = 16;

/// The most credit of a [`PollSpin`], what a wait adds whose pauses paid, and how many waits go
/// without when it is used up.
const FULL_CREDIT: i32 = 128;
const POLL_GAIN: i32 = 16;
const POLL_RESTRAINT: i32 = 1600;

/// So many waits in a row on one thread may end by a [`PollSpin`]. Then one goes without, and
/// sleeps: whatever else runs on that thread has its turn.
const MOST_MEETINGS: u32 = 8192;

/// A bounded busy wait: doubling pauses, then yields and pauses in turn, then no more.
///
/// Where the pauses bring nothing and the first yields do, whom the thread waits for needs its CPU;
/// then it leaves the pauses out for a while. Where yields take long it leaves out those.
#[derive(Clone, Copy)]
pub(crate) struct Spin<'a> {
    /// Early pauses to come, and how long the next one is.
    pauses: u32,
    length: u32,
    late_pause: u32,
    late_rounds: u32,
    /// Whether there is something to learn from it: asked at the first step, and then for its course.
    learns: bool,
    begun: bool,
    /// Whether it ends at once where it leaves the pauses out.
    only_with_pauses: bool,
    /// Counts what others do meanwhile: see [`Yields`].
    progress: Option<&'a dyn Fn() -> u64>,
    deadline: Option<Instant>,
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
    static YIELDS: Cell<Yields> = Cell::new(Yields::new());
    /// Of which semaphore, and how many.
    static LAST_FORGOTTEN: Cell<(usize, u64)> = Cell::new((0, 0));
    static MEETINGS: Cell<u32> = Cell::new(0);
}

impl<'a> Spin<'a> {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self {
            pauses: PAUSE_ROUNDS,
            length: 1,
            late_pause: LATE_PAUSE,
            late_rounds: 0,
            learns: true,
            begun: false,
            only_with_pauses: false,
            progress: None,
            deadline: None,
        }
    }

    /// For one event, which another thread brings about in a moment or does not.
    #[inline]
    pub(crate) const fn for_signal() -> Self {
        Self { pauses: SIGNAL_PAUSE_ROUNDS, progress: Some(&|| 0), ..Self::new() }
    }

    /// For permits. Those that come back are turns, in which the others may have the CPU. Those that are
    /// `forgotten` are signals, as long as that count goes on changing from one wait of the thread to the
    /// next, both at the same semaphore, which the `address` tells.
    #[inline]
    pub(crate) fn for_permits(
        address: usize,
        forgotten: u64,
        signals: &'a impl Fn() -> u64,
    ) -> Self {
        let last = LAST_FORGOTTEN.replace((address, forgotten));
        if last.0 != address || last.1 == forgotten {
            return Self::new();
        }
        Self::for_signal().beside(signals)
    }

    /// The same, with a count of what others do meanwhile.
    #[inline]
    pub(crate) fn beside(self, progress: &'a impl Fn() -> u64) -> Self {
        Self { progress: Some(progress), ..self }
    }

    /// Ends with the first yield that has taken the thread past the deadline.
    #[inline]
    pub(crate) const fn until(self, deadline: Option<Instant>) -> Self {
        Self { deadline, ..self }
    }

    /// None at all.
    #[inline]
    pub(crate) const fn none() -> Self {
        Self { pauses: 0, late_rounds: LATE_ROUNDS, learns: false, ..Self::new() }
    }

    /// On a word that its owner keeps changing.
    #[inline]
    pub(crate) const fn on_contended_word() -> Self {
        Self { pauses: CONTENDED_PAUSE_ROUNDS, late_pause: 0, learns: false, ..Self::new() }
    }

    /// Before a wait in which whom the thread waits for does its work: where it needs this CPU for
    /// that, the sooner the better.
    #[inline]
    pub(crate) const fn before_help() -> Self {
        Self { only_with_pauses: true, ..Self::new() }
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
            0 if !Yields::may_pay() => {
                self.late_rounds = LATE_ROUNDS;
                self.note(Course::Ended);
                return false;
            }
            late if late % 2 == 0 => {
                self.note(Course::Yielded);
                if !Yields::try_one(self.progress) || self.deadline.is_some_and(is_past) {
                    // One look more.
                    self.late_rounds = LATE_ROUNDS;
                    return true;
                }
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
            if self.only_with_pauses {
                self.late_rounds = LATE_ROUNDS;
            }
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
/// tells which. Where pauses bring nothing, the other end waits for this CPU, and gets it, unless
/// [`Yields`] have turned out to go to others.
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
    /// once the wait should become a sleep, or a yield has taken the thread past the deadline.
    pub(crate) fn wait(
        &mut self,
        capacity: u64,
        deadline: Option<Instant>,
        mut look: impl FnMut() -> u64,
    ) -> bool {
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
        let mut rounds = if Yields::may_pay() { YIELD_ROUNDS } else { 0 };
        while rounds > 0 {
            let goes_on = Yields::try_one(Some(&|| 0)) && !deadline.is_some_and(is_past);
            rounds = if goes_on { rounds - 1 } else { 0 };
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

/// A bounded busy wait inside `poll`, of an object whose two sides wait for each other.
///
/// Two tasks that run at the same time on two threads meet within it, and no wake-up is needed; on
/// one thread they never do. So nobody pauses until a waiter sleeps on another thread than the one
/// that woke the last of its side: whoever it waits for may be running there. From then on each wait
/// pauses a little, and longer where the last one paid; where a run of them brings nothing, many waits
/// go without.
///
/// | credit | each wait |
/// |---|---|
/// | 0 | does not pause, and changes nothing, until [`PollSpin::note_sleep`] has found the above |
/// | above 0 | pauses: in vain it costs 1, else it adds some |
/// | below 0, for the pauses were in vain | does not pause, and adds 1 |
///
/// Both sides share the credit, for they meet best if both pause. All is changed by loads and
/// stores: what a race loses is a guess.
pub(crate) struct PollSpin {
    credit: AtomicI32,
    /// The thread that woke a waiter of each side last; 0: none has.
    wakers: [AtomicUsize; 2],
}

impl PollSpin {
    pub(crate) const fn new() -> Self {
        Self { credit: AtomicI32::new(0), wakers: [AtomicUsize::new(0), AtomicUsize::new(0)] }
    }

    /// This thread wakes a waiter of `side`.
    #[cold]
    pub(crate) fn note_wake_up(&self, side: usize) {
        self.wakers[side].store(this_thread(), Ordering::Relaxed);
    }

    /// A waiter of `side` sleeps, after it has run on this thread.
    #[cold]
    pub(crate) fn note_sleep(&self, side: usize) {
        let waker = self.wakers[side].load(Ordering::Relaxed);
        if waker != 0 && waker != this_thread() && self.credit.load(Ordering::Relaxed) == 0 {
            self.credit.store(FULL_CREDIT - 1, Ordering::Relaxed);
        }
    }

    /// Whether a waiter should [`run`](PollSpin::run) this before it sleeps.
    #[inline]
    pub(crate) fn may_pay(&self) -> bool {
        self.credit.load(Ordering::Relaxed) != 0
    }

    /// Repeats `look`, with pauses; `None`: the waiter should sleep.
    pub(crate) fn run<R>(&self, mut look: impl FnMut() -> Option<R>) -> Option<R> {
        let credit = self.credit.load(Ordering::Relaxed);
        let looks = match credit {
            FULL_CREDIT => LONGEST_POLL_SPIN,
            1.. => POLL_SPIN,
            _ => 0,
        };
        let meetings = MEETINGS.get();
        if meetings == MOST_MEETINGS {
            MEETINGS.set(0);
            return None;
        }
        for _ in 0..looks {
            pause(1);
            if let found @ Some(_) = look() {
                MEETINGS.set(meetings + 1);
                if credit != FULL_CREDIT {
                    self.credit.store(FULL_CREDIT.min(credit + POLL_GAIN), Ordering::Relaxed);
                }
                return found;
            }
        }
        MEETINGS.set(0);
        let left = match credit {
            2.. => credit - 1,
            1 => -POLL_RESTRAINT,
            _ => (credit + 1).min(0),
        };
        self.credit.store(left, Ordering::Relaxed);
        None
    }
}

/// An address of this thread's: no other that runs has it.
fn this_thread() -> usize {
    LAST_SPIN.with(|own| ptr::from_ref(own).addr())
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

/// What this thread has learnt of yields.
///
/// Where the CPU is wanted only by those who meet here, a yield is the cheapest way to let them go on.
/// Beside a thread that does not wait it gives away a whole slice, while a sleeper has the CPU back as
/// soon as it is woken. So the longer yields take, the more waits do without. But that thread may be one
/// of those who do what is waited for, and lots of it: then all is well. So what they have done meanwhile
/// counts; of a wait where nobody can tell nothing is learnt; and where two threads wait for each other
/// it was a stranger.
#[derive(Clone, Copy)]
struct Yields {
    /// Spins to come that do without.
    left: u16,
    /// Yields to come that are not timed.
    untimed: u8,
    /// What one costs: a mean, in nanoseconds, in which the last one counts an eighth, or a quarter
    /// where it was shorter: what has become cheap is soon found out.
    mean: u32,
}

impl Yields {
    const fn new() -> Self {
        Self { left: 0, untimed: 0, mean: 0 }
    }

    /// Whether a wait should yield at all.
    fn may_pay() -> bool {
        let own = YIELDS.get();
        let left = own.left.saturating_sub(1);
        YIELDS.set(Self { left, ..own });
        own.left == 0
    }

    /// Yields, and learns from it, unless there is no `progress` to be seen. `false`: not once more in
    /// this wait.
    fn try_one(progress: Option<&dyn Fn() -> u64>) -> bool {
        let own = YIELDS.get();
        let Some(progress) = progress.filter(|_| own.untimed == 0) else {
            YIELDS.set(Self { untimed: own.untimed.saturating_sub(1), ..own });
            yield_now();
            return true;
        };
        let (before, begin) = (progress(), Instant::now());
        yield_now();
        let took = begin.elapsed();
        // What counts up may also be taken back.
        let steps = (progress().wrapping_sub(before) as i64).max(0);
        let own = own.learn(took, steps as u64);
        YIELDS.set(own);
        own.left == 0
    }

    /// One took so long, and others did so many steps.
    fn learn(self, took: Duration, steps: u64) -> Self {
        let took = took.min(LONGEST_YIELD).as_nanos() as u32;
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        let cost = took.saturating_sub(steps.saturating_mul(STEP));
        let mean = match cost.checked_sub(self.mean) {
            Some(more) => self.mean + more / 8,
            None => self.mean - (self.mean - cost) / 4,
        };
        let times = mean / FAIR_YIELD;
        let left = u16::try_from(times * times).map_or(MOST_WITHOUT, |left| left.min(MOST_WITHOUT));
        Self { left, untimed: if left == 0 { UNTIMED } else { 0 }, mean }
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

#[cfg(test)]
mod tests {
    use super::{
        FULL_CREDIT, LAST_FORGOTTEN, LONGEST_POLL_SPIN, MOST_MEETINGS, MOST_WITHOUT,
        POLL_RESTRAINT, POLL_SPIN, Pace, PollSpin, Spin, UNTIMED, YIELD_ROUNDS, YIELDS, Yields,
    };
    use std::thread;
    use std::time::{Duration, Instant};

    #[test]
    fn long_yields_become_rare_and_short_ones_come_back() {
        let slice = Duration::from_micros(1_500);
        let mut yields = Yields::new().learn(Duration::from_micros(2), 0);
        assert_eq!((yields.left, yields.untimed), (0, UNTIMED));
        yields = yields.learn(slice, 0);
        assert!(yields.left > 0 && yields.untimed == 0, "once is enough");
        for _ in 0..100 {
            let next = yields.learn(slice, 0);
            assert!(next.left >= yields.left);
            yields = next;
        }
        assert_eq!(yields.left, MOST_WITHOUT);
        for _ in 0..50 {
            yields = yields.learn(Duration::from_micros(2), 0);
        }
        assert_eq!(yields.left, 0);
        for _ in 0..100 {
            yields = yields.learn(Duration::MAX, 0);
        }
        assert_eq!(yields.left, MOST_WITHOUT);
    }

    #[test]
    fn a_long_yield_in_which_much_was_done_is_none() {
        let (slice, much) = (Duration::from_micros(1_500), [1_500, 1 << 40, u64::MAX]);
        for steps in much {
            assert_eq!(Yields::new().learn(slice, steps).left, 0, "{steps}");
        }
        assert!(Yields::new().learn(slice, 100).left > 0);
    }

    #[test]
    fn a_spin_leaves_out_the_yields_as_often_as_was_learnt() {
        let looks = |mut spin: Spin<'_>| (0..).take_while(|_| spin.again()).count();
        let all = looks(Spin::on_contended_word());
        for spin in [Spin::on_contended_word(), Spin::for_signal(), Spin::coarse()] {
            YIELDS.set(Yields { left: 2, untimed: u8::MAX, mean: 0 });
            let counts = [0; 4].map(|_| looks(spin));
            let pauses = spin.pauses as usize;
            assert!(counts[0] <= pauses && counts[1] <= pauses, "no more: {counts:?}");
            assert!(counts[2] >= 12 && counts[3] >= 12, "all again: {counts:?}");
        }
        YIELDS.set(Yields { left: 1, untimed: 0, mean: 0 });
        assert!(looks(Spin::on_contended_word()) < all);
        assert_eq!(looks(Spin::on_contended_word()), all);
        assert_eq!(looks(Spin::none()), 0);
    }

    #[test]
    fn past_its_deadline_a_wait_yields_once() {
        // None is timed, so that none is found to be long.
        YIELDS.set(Yields { left: 0, untimed: u8::MAX, mean: 0 });
        let past = Some(Instant::now());
        for spin in [Spin::on_contended_word(), Spin::for_signal(), Spin::coarse(), Spin::new()] {
            let mut spin = spin.until(past);
            let most = spin.pauses as usize + 1;
            let count = (0..).take_while(|_| spin.again()).count();
            assert!(count <= most, "{count}");
        }
        let looks = |deadline| {
            let mut count = 0;
            let found = Pace::new().wait(64, deadline, || {
                count += 1;
                0
            });
            assert!(!found);
            count
        };
        assert_eq!(looks(past) + YIELD_ROUNDS - 1, looks(None));
    }

    #[test]
    fn permits_are_signals_as_long_as_they_are_forgotten() {
        let signals = || 0;
        let learns = |at, forgotten| Spin::for_permits(at, forgotten, &signals).progress.is_some();
        LAST_FORGOTTEN.set((0, 0));
        assert_eq!(
            [0, 3, 3, 4, 5, 5].map(|forgotten| learns(1, forgotten)),
            [false, true, false, true, true, false]
        );
        // Each has lost some, and neither goes on.
        let in_turn = [(1, 5), (2, 6), (1, 5), (2, 6)];
        assert_eq!(in_turn.map(|(at, forgotten)| learns(at, forgotten)), [false; 4]);
    }

    /// How often a wait looks that finds nothing, or finds something at once.
    fn looks(spin: &PollSpin, finds: bool) -> u32 {
        let mut count = 0;
        if spin.may_pay() {
            spin.run(|| {
                count += 1;
                finds.then_some(())
            });
        }
        count
    }

    fn wake_from_elsewhere(spin: &PollSpin, side: usize) {
        thread::scope(|scope| scope.spawn(|| spin.note_wake_up(side)).join().unwrap());
        spin.note_sleep(side);
    }

    #[test]
    fn nobody_pauses_until_one_was_woken_from_elsewhere() {
        let spin = PollSpin::new();
        for side in [0, 1] {
            spin.note_sleep(side);
            spin.note_wake_up(side);
            spin.note_sleep(side);
        }
        assert_eq!(looks(&spin, true), 0);
        wake_from_elsewhere(&spin, 1);
        assert_eq!(looks(&spin, true), 1);
    }

    #[test]
    fn pauses_that_pay_are_longer_and_those_in_vain_end() {
        let spin = PollSpin::new();
        for _ in 0..2 {
            wake_from_elsewhere(&spin, 0);
            assert_eq!(looks(&spin, false), POLL_SPIN);
            assert_eq!(looks(&spin, true), 1);
            assert_eq!(looks(&spin, false), LONGEST_POLL_SPIN);
            for _ in 1..FULL_CREDIT {
                assert_eq!(looks(&spin, false), POLL_SPIN);
            }
            spin.note_sleep(0);
            for _ in 0..=POLL_RESTRAINT {
                assert_eq!(looks(&spin, true), 0);
            }
        }
    }

    #[test]
    fn a_thread_that_meets_all_the_time_sleeps_now_and_then() {
        let spin = PollSpin::new();
        wake_from_elsewhere(&spin, 0);
        assert_eq!(looks(&spin, false), POLL_SPIN);
        for _ in 0..2 {
            for _ in 0..MOST_MEETINGS {
                assert_eq!(looks(&spin, true), 1);
            }
            assert_eq!(looks(&spin, true), 0);
        }
    }
}
