//! Busy waits, and what they learn from each other.

use super::{const_thread_local, yield_now};
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

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
    /// Whether it ends at once where it leaves the pauses out.
    only_with_pauses: bool,
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
    static MEETINGS: Cell<u32> = Cell::new(0);
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
            only_with_pauses: false,
        }
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
        FULL_CREDIT, LONGEST_POLL_SPIN, MOST_MEETINGS, POLL_RESTRAINT, POLL_SPIN, PollSpin,
    };
    use std::thread;

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
