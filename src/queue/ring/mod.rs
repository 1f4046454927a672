//! The bounded buffer of [`BoundedQueue`](super::BoundedQueue). It never waits for an event.
//!
//! After Dmitry Vyukov's bounded MPMC queue, with the positions of crossbeam's array flavour, a
//! waiting flag in the index words, and room that can be reserved.
//!
//! # The words
//!
//! ```text
//!          63                       19 18           3        2          1       0
//!         ┌───────────────────────────┬──────────────┬──────────┬────────┬───────┐
//!   tail  │ position {lap, index}     │ reserved     │ EVICTING │ CLOSED │ WAIT  │
//!         ├───────────────────────────┼──────────────┼──────────┼────────┼───────┤
//!   head  │ position {lap, index}     │ 0            │ 0        │ 0      │ WAIT  │
//!         └───────────────────────────┴──────────────┴──────────┴────────┴───────┘
//! ```
//!
//! | part | meaning | changed by |
//! |---|---|---|
//! | tail position | where the next item goes | push, by CAS |
//! | reserved | slots that are out: room that is promised, at no position yet | `reserve` +1; `push_reserved`, `cancel_reserved` −1 |
//! | `EVICTING` | there is one claim too many, until the oldest item is gone | `force_push`, in its claim and when the item is gone |
//! | `CLOSED` | no item enters any more | `close`; never cleared |
//! | tail `WAIT` | receivers are queued | under the receivers' list lock |
//! | head position | where the next item is taken | pop, by CAS |
//! | head `WAIT` | senders are queued | under the senders' list lock |
//!
//! A push learns from the very CAS that claims its place whether receivers wait, and a pop whether
//! senders do: no fence, no second word. The index of a position is below the capacity, its lap a
//! multiple of `one_lap`, a power of two; so positions wrap where the word does.
//!
//! # The stamps
//!
//! | stamp of slot `i` | meaning |
//! |---|---|
//! | `p`, the position of index `i` in this lap | free, for the push that claims `p` |
//! | `p + 1` | holds the item of position `p` |
//!
//! A push writes the item and then the stamp `p + 1`; a pop takes the item and then writes the next
//! lap's `p`. Invariant: *the slots of positions `tail .. tail + reserved` are free or are being
//! freed by somebody who has claimed them*. So a push looks at the stamp of `tail + reserved`, not of
//! `tail`, before it claims `tail`; a reservation looks at the same one and leaves `tail` alone.
//! With nothing reserved that is the plain ring.
//!
//! # Batches
//!
//! A batch of pops claims a run of places by one CAS: as many as it has seen filled, one after the
//! other. They stay filled as long as the head does not move, and that it has not is what the CAS
//! says. A batch of pushes claims one by one, for the next item comes from the user's iterator, and
//! who makes it may wait for the one before; but where there is room beyond, the claim that ends a
//! reservation makes the next one.
//!
//! # Gaps
//!
//! Between a claim and its stamp the place is neither free nor full. Nobody may go to sleep on it
//! (the claimer has read the `WAIT` flag already), so who meets it gets [`Refusal::Busy`] and waits
//! for the other thread's next step with [`Ring::wait`], a poll with [`Ring::wait_briefly`]. One gap
//! is met with the place claimed already: beside a reservation the place at the tail may still be
//! left by a pop. Its claimer has to wait there, in a poll too; others wait for both.
//!
//! # Replacing the oldest
//!
//! `force_push` on a full ring claims the tail place first (a closed ring refuses there) and sets
//! `EVICTING` in the same CAS; then it takes the item at the head by CAS, unless a pop is faster, and
//! clears the flag. While it is set there is one claim too many, and nobody can tell full from
//! not: pushes, reservations and sleepers take it for a gap. A slot that is out may still be pushed
//! into, or given back: its room is its own.
//!
//! # Orderings
//!
//! Items travel through the stamps: Release after the write, Acquire before the read, both ways.
//! The claims carry no data, but who sees one must see those that came before it, on the other word
//! too: else a pop that reads a new head and an old tail finds a queue empty that never was. So
//! they are AcqRel, and the words are read with Acquire. (Release is what counts; a chain of
//! read-modify-writes keeps it.) That also covers `CLOSED`: whoever sees it has seen every position
//! that was claimed before it.

//!
//! # The files
//!
//! | file | has |
//! |---|---|
//! | this one | the ring, pops, and what sleepers ask |
//! | [`word`] | what the index words say |
//! | [`push`] | claims of the tail: pushes, reservations, evictions |
//! | [`drain`] | taking what is left |

#![expect(unsafe_code, reason = "owns the slots")]

mod drain;
mod push;
mod word;

use self::word::{CLOSED, POSITION_SHIFT, WAIT, Word};
use crate::sys::atomic::{AtomicU64, Ordering};
use crate::sys::{Collision, GapWait, Gate, UnsafeCell, fresh};
use crossbeam_utils::CachePadded;
use std::mem::MaybeUninit;
use std::panic::{RefUnwindSafe, UnwindSafe};

pub(super) use self::push::{Left, Place};
pub(super) use self::word::MAX_RESERVED;

/// The most items that a ring can hold: positions need a lap's bits and some laps.
const MAX_CAPACITY: u64 = 1 << 40;

struct Slot<T> {
    stamp: AtomicU64,
    item: UnsafeCell<MaybeUninit<T>>,
}

impl<T> Slot<T> {
    #[inline]
    fn stamp(&self) -> u64 {
        // Acquire: pairs with the Release in `write` and `take`: the item, or that it is gone.
        self.stamp.load(Ordering::Acquire)
    }

    /// Moves the item out and frees the slot for `next`, its position of the next lap.
    ///
    /// # Safety
    ///
    /// The caller has claimed the slot's position from `head`, and its stamp says that the item is
    /// there.
    #[inline]
    unsafe fn take(&self, next: u64) -> T {
        let item = self.item.with(|item| {
            // SAFETY: written by the push that set the stamp (`MaybeUninit<T>` lies as `T` does);
            // nobody else reads it, for the position is ours.
            unsafe { item.cast::<T>().read() }
        });
        // Release: pairs with the Acquire in `stamp`: the item is gone before it is overwritten.
        self.stamp.store(next, Ordering::Release);
        item
    }
}

/// Why there was nothing to claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Full for a push, empty for a pop.
    Blocked,
    Closed,
    /// Another thread is between its claim and its stamp.
    Busy,
}

/// What may sleep on the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blocked {
    Senders,
    Receivers,
}

impl Blocked {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Senders => Self::Receivers,
            Self::Receivers => Self::Senders,
        }
    }
}

pub(super) struct Ring<T> {
    tail: CachePadded<AtomicU64>,
    head: CachePadded<AtomicU64>,
    slots: Box<[Slot<T>]>,
    one_lap: u64,
    gate: Gate,
}

// No user code runs between a claim and its stamp.
impl<T> UnwindSafe for Ring<T> {}
impl<T> RefUnwindSafe for Ring<T> {}
// SAFETY: items are handed from thread to thread, never shared.
unsafe impl<T: Send> Send for Ring<T> {}
// SAFETY: a slot is accessed by the one thread that has claimed its position (see the stamps).
unsafe impl<T: Send> Sync for Ring<T> {}

impl<T> Ring<T> {
    pub(super) fn new(capacity: usize) -> Self {
        assert!(capacity > 0, "bifrons: a queue of capacity 0");
        assert!(capacity as u64 <= MAX_CAPACITY, "bifrons: a queue of more than 2^40 items");
        let slots = (0..capacity as u64)
            .map(|index| Slot {
                stamp: AtomicU64::new(index),
                item: UnsafeCell::new(MaybeUninit::uninit()),
            })
            .collect();
        Self {
            tail: CachePadded::new(AtomicU64::new(0)),
            head: CachePadded::new(AtomicU64::new(0)),
            slots,
            one_lap: (capacity as u64 + 1).next_power_of_two(),
            gate: Gate::new(),
        }
    }

    /// Grows with each item that is pushed or popped.
    pub(super) fn progress(&self) -> u64 {
        // Relaxed: a hint to who waits.
        let position = |word: &AtomicU64| Word(word.load(Ordering::Relaxed)).position();
        position(&self.tail).wrapping_add(position(&self.head))
    }

    pub(super) fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// The position that lies `steps` ≤ capacity behind `position`.
    fn advance(&self, position: u64, steps: u64) -> u64 {
        let index = position & (self.one_lap - 1);
        let capacity = self.slots.len() as u64;
        if index + steps < capacity {
            position + steps
        } else {
            Self::wrap(position - index + self.one_lap + (index + steps - capacity))
        }
    }

    /// `word`, one position on: what else is in it stays, for positions end where the word does.
    #[inline]
    fn step(&self, word: Word) -> Word {
        let index = word.position() & (self.one_lap - 1);
        let next = if index + 1 < self.slots.len() as u64 { 1 } else { self.one_lap - index };
        Word(word.0.wrapping_add(next << POSITION_SHIFT))
    }

    /// Positions end where the word does.
    const fn wrap(position: u64) -> u64 {
        position & (u64::MAX >> POSITION_SHIFT)
    }

    /// The same slot, one lap later.
    fn next_lap(&self, position: u64) -> u64 {
        Self::wrap(position + self.one_lap)
    }

    #[inline]
    fn slot(&self, position: u64) -> &Slot<T> {
        let index = (position & (self.one_lap - 1)) as usize;
        debug_assert!(index < self.slots.len());
        // SAFETY: a position's index is below the capacity: they begin at 0, and `step` and
        // `advance` go on with the next lap behind the last slot.
        unsafe { self.slots.get_unchecked(index) }
    }

    fn stamp(&self, position: u64) -> u64 {
        self.slot(position).stamp()
    }

    /// A gap may be the look of a stale word: `Ok` with the newer one, to try again.
    fn confirm(&self, index: &AtomicU64, word: Word, refusal: Refusal) -> Result<Word, Refusal> {
        if refusal != Refusal::Busy {
            return Err(refusal);
        }
        let newer = Word(fresh(index));
        if newer.0 == word.0 { Err(refusal) } else { Ok(newer) }
    }

    /// Whether senders are queued, after `tail` has been lowered.
    ///
    /// An RMW, AcqRel: of this and the RMW by which a sender sets the flag one comes first. If this
    /// one, it publishes the new `tail` to the sender, who looks at it again before it sleeps. If
    /// the sender's, this one reads the flag.
    pub(super) fn senders_wait(&self) -> bool {
        Word(self.head.fetch_or(0, Ordering::AcqRel)).is_waited_on()
    }

    /// Claims the oldest item, if one look and one try do it. The flag tells that senders are
    /// queued.
    #[inline]
    pub(super) fn pop_at_once(&self) -> Option<(T, bool)> {
        self.pop_once().map_err(Miss::back_off).ok()
    }

    /// The same, without staying away for a moment from a race that it has lost.
    #[inline]
    pub(super) fn pop_once(&self) -> Result<(T, bool), Miss> {
        // Acquire: as in `pop`.
        let word = Word(self.head.load(Ordering::Acquire));
        let slot = self.slot(word.position());
        if slot.stamp() != word.position() + 1 {
            return Err(Miss::Nothing);
        }
        self.claim_head(word, slot).map_err(|_| Miss::Lost)
    }

    /// Claims the oldest item. The flag tells that senders are queued.
    #[inline]
    pub(super) fn pop(&self) -> Result<(T, bool), Refusal> {
        // Acquire: pairs with the Release of the claim that is seen: `tail` is as new.
        let mut word = Word(self.head.load(Ordering::Acquire));
        let mut collision = Collision::new();
        loop {
            let slot = self.slot(word.position());
            if slot.stamp() == word.position() + 1 {
                match self.claim_head(word, slot) {
                    Ok(claimed) => return Ok(claimed),
                    Err(seen) => {
                        word = seen;
                        collision.back_off();
                    }
                }
                continue;
            }
            word = self.no_item(word)?;
        }
    }

    /// Claims the head's place, `slot`, whose stamp says that the item is there, and takes it. The
    /// flag tells that senders are queued.
    #[inline]
    fn claim_head(&self, word: Word, slot: &Slot<T>) -> Result<(T, bool), Word> {
        let (next, freed) = (self.step(word), self.next_lap(word.position()));
        // AcqRel, Acquire: as in `claim_tail`.
        match self.head.compare_exchange(word.0, next.0, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                let _pass = self.gate.enter();
                // SAFETY: claimed by this CAS, and the stamp says that the item is there.
                Ok((unsafe { slot.take(freed) }, word.is_waited_on()))
            }
            Err(seen) => Err(Word(seen)),
        }
    }

    /// Claims the oldest items in one step, as far as they are there and up to `max`, and appends them.
    /// The flag tells that senders are queued.
    pub(super) fn pop_run(&self, items: &mut Vec<T>, max: usize) -> Result<(usize, bool), Refusal> {
        // Acquire: as in `pop`.
        let mut word = Word(self.head.load(Ordering::Acquire));
        let mut collision = Collision::new();
        loop {
            let first = word.position();
            let count = self.run(first, max);
            if count == 0 {
                word = self.no_item(word)?;
                continue;
            }
            // Before the claim: an allocation may fail.
            items.reserve(count as usize);
            let next = word.with_position(self.advance(first, count));
            // AcqRel, Acquire: as in `claim_tail`.
            match self.head.compare_exchange(word.0, next.0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    let _pass = self.gate.enter();
                    items.extend(self.places(first, count).map(|(slot, position)| {
                        // SAFETY: claimed by this CAS, and the stamps say that the items are there.
                        unsafe { slot.take(self.next_lap(position)) }
                    }));
                    return Ok((count as usize, word.is_waited_on()));
                }
                Err(seen) => {
                    word = Word(seen);
                    collision.back_off();
                }
            }
        }
    }

    /// How many items are there from `first` on, without a gap, up to `max`.
    fn run(&self, first: u64, max: usize) -> u64 {
        let most = max.min(self.capacity()) as u64;
        let is_there = |(slot, position): &(&Slot<T>, u64)| slot.stamp() == position + 1;
        self.places(first, most).take_while(is_there).count() as u64
    }

    /// The slots of `count` positions from `first` on, a lap at most.
    fn places(&self, first: u64, count: u64) -> impl Iterator<Item = (&Slot<T>, u64)> {
        let index = first & (self.one_lap - 1);
        let (before, from) = self.slots.split_at(index as usize);
        let here = &from[..from.len().min(count as usize)];
        let next_lap = Self::wrap(first - index + self.one_lap);
        let beyond = &before[..count as usize - here.len()];
        here.iter().zip(first..).chain(beyond.iter().zip(next_lap..))
    }

    /// What it means that the head's place has no item: `Ok` with a newer word, to try again.
    fn no_item(&self, word: Word) -> Result<Word, Refusal> {
        // Acquire: a closed ring shows every item that was pushed before it was closed.
        let tail = Word(self.tail.load(Ordering::Acquire));
        let refusal = match (tail.position() == word.position(), tail.is_closed()) {
            (true, true) => Refusal::Closed,
            (true, false) => Refusal::Blocked,
            (false, _) => Refusal::Busy,
        };
        self.confirm(&self.head, word, refusal)
    }

    /// Moves the item of a claimed position out.
    ///
    /// # Safety
    ///
    /// The caller has claimed `position` from `head`, and its stamp says that the item is there.
    #[inline]
    unsafe fn take(&self, position: u64) -> T {
        // SAFETY: the caller's promise.
        unsafe { self.slot(position).take(self.next_lap(position)) }
    }

    /// Waits for somebody to leave a gap, as long as it takes.
    pub(super) fn wait(&self, gap: &mut GapWait) {
        gap.pause(&self.gate);
    }

    /// The same for a `poll`: `false` when it must return.
    pub(super) fn wait_briefly(&self, gap: &mut GapWait) -> bool {
        gap.pause_briefly(&self.gate)
    }

    /// Announces the first sleeper of a side, holding its list lock.
    ///
    /// The RMW is the proof (I4): what changes the word later sees the flag and wakes; what changed
    /// it before is seen in [`Ring::is_blocked`].
    pub(super) fn announce(&self, side: Blocked) {
        // AcqRel: what was done before the change that is overwritten is seen; for senders, pairs
        // with the RMW in `senders_wait`.
        self.flagged(side).fetch_or(WAIT, Ordering::AcqRel);
    }

    /// Whether one of this side may sleep: the proof with its `WAIT` set and its list lock held,
    /// and a guess without.
    #[inline]
    pub(super) fn is_blocked(&self, side: Blocked) -> bool {
        // Acquire, and `tail` first: `close` drains the list under the list lock that is held, so
        // its flag is seen. An eviction moves the head and wakes nobody, for it makes no room: an
        // old head and a new tail would look full. Who sees its flag gone sees the new head.
        let tail = Word(self.tail.load(Ordering::Acquire));
        let head = Word(self.head.load(Ordering::Acquire));
        if tail.is_closed() {
            return false;
        }
        match side {
            Blocked::Receivers => tail.position() == head.position(),
            Blocked::Senders => {
                let needed = self.advance(tail.position(), tail.reserved());
                !tail.is_evicting()
                    && (tail.reserved() == MAX_RESERVED || self.next_lap(head.position()) == needed)
            }
        }
    }

    /// Nobody of this side is queued any more; called holding its list lock.
    pub(super) fn retract(&self, side: Blocked) {
        // Relaxed: the flag alone; the list lock orders those who change it.
        self.flagged(side).fetch_and(!WAIT, Ordering::Relaxed);
    }

    /// The word whose `WAIT` says that this side is queued: the other side claims in it.
    fn flagged(&self, side: Blocked) -> &AtomicU64 {
        match side {
            Blocked::Receivers => &self.tail,
            Blocked::Senders => &self.head,
        }
    }

    /// Refuses every later push. `false` if that was so already.
    pub(super) fn close(&self) -> bool {
        // AcqRel: publishes what was done before the close to those who see it.
        !Word(self.tail.fetch_or(CLOSED, Ordering::AcqRel)).is_closed()
    }

    pub(super) fn is_closed(&self) -> bool {
        Word(self.tail.load(Ordering::Acquire)).is_closed()
    }

    /// How many positions lie between two, which are at most one claim over a lap apart.
    fn distance(&self, from: u64, to: u64) -> usize {
        let capacity = self.slots.len() as u64;
        let laps = Self::wrap(to.wrapping_sub(from)).wrapping_add(from & (self.one_lap - 1))
            / self.one_lap;
        let index = |position: u64| position & (self.one_lap - 1);
        (laps * capacity + index(to) - index(from)) as usize
    }

    /// Items in the ring, reservations, and whether it is closed: one snapshot.
    pub(super) fn snapshot(&self) -> (usize, usize, bool) {
        loop {
            let tail = Word(fresh(&self.tail));
            let head = Word(fresh(&self.head));
            if fresh(&self.tail) >> POSITION_SHIFT == tail.position() {
                let len = self.distance(head.position(), tail.position()).min(self.capacity());
                return (len, tail.reserved() as usize, tail.is_closed());
            }
        }
    }
}

/// Why one look and one try did not do it.
pub(super) enum Miss {
    Nothing,
    /// Somebody else has claimed the place.
    Lost,
}

impl Miss {
    #[inline]
    fn back_off(self) {
        if matches!(self, Self::Lost) {
            Collision::new().back_off();
        }
    }
}
