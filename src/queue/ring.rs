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

#![expect(unsafe_code, reason = "owns the slots")]

use crate::sys::atomic::{AtomicU64, Ordering};
use crate::sys::{Collision, GapWait, Gate, GatePass, UnsafeCell, fresh};
use crossbeam_utils::CachePadded;
use std::mem::MaybeUninit;

const WAIT: u64 = 1;
const CLOSED: u64 = 1 << 1;
const EVICTING: u64 = 1 << 2;
const RESERVED_ONE: u64 = 1 << 3;
const RESERVED: u64 = 0xffff << 3;
const POSITION_SHIFT: u32 = 19;

/// The most slots that can be out at a time. While they are, the ring counts as full.
pub(super) const MAX_RESERVED: u64 = RESERVED / RESERVED_ONE;

/// The most items that a ring can hold: positions need a lap's bits and some laps.
const MAX_CAPACITY: u64 = 1 << 40;

/// A value of an index word.
#[derive(Clone, Copy)]
struct Word(u64);

impl Word {
    const fn position(self) -> u64 {
        self.0 >> POSITION_SHIFT
    }
    const fn reserved(self) -> u64 {
        (self.0 & RESERVED) / RESERVED_ONE
    }
    const fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }
    const fn is_evicting(self) -> bool {
        self.0 & EVICTING != 0
    }
    const fn is_waited_on(self) -> bool {
        self.0 & WAIT != 0
    }
    /// Neither closed nor evicting, and nothing reserved: the next place is the room that counts.
    const fn is_plain(self) -> bool {
        self.0 & (CLOSED | EVICTING | RESERVED) == 0
    }
    const fn with_position(self, position: u64) -> Self {
        Self((self.0 & !(u64::MAX << POSITION_SHIFT)) | (position << POSITION_SHIFT))
    }
}

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

pub(super) struct Ring<T> {
    tail: CachePadded<AtomicU64>,
    head: CachePadded<AtomicU64>,
    slots: Box<[Slot<T>]>,
    one_lap: u64,
    gate: Gate,
}

// SAFETY: items are handed from thread to thread, never shared.
unsafe impl<T: Send> Send for Ring<T> {}
// SAFETY: a slot is accessed by the one thread that has claimed its position (see the stamps).
unsafe impl<T: Send> Sync for Ring<T> {}

/// A claimed position: room for one item, to be written without delay.
#[must_use]
pub(super) struct Place<'a, T> {
    slot: &'a Slot<T>,
    position: u64,
    /// Receivers were queued when it was claimed.
    wakes: bool,
    _pass: GatePass<'a>,
}

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

    /// What `word`, seen in `tail`, means for a push.
    fn room(&self, word: Word) -> Result<(), Refusal> {
        let needed = if word.is_plain() { word.position() } else { self.room_beyond(word)? };
        if self.stamp(needed) == needed { Ok(()) } else { Err(self.no_room(needed)) }
    }

    /// The position that has to be free where `word` is not plain.
    fn room_beyond(&self, word: Word) -> Result<u64, Refusal> {
        if word.is_closed() {
            return Err(Refusal::Closed);
        }
        if word.is_evicting() {
            return Err(Refusal::Busy);
        }
        if word.reserved() == MAX_RESERVED {
            return Err(Refusal::Blocked);
        }
        Ok(self.advance(word.position(), word.reserved()))
    }

    /// What it means that `needed` is not free.
    fn no_room(&self, needed: u64) -> Refusal {
        // Relaxed: compared with `needed`, nothing is read through it. It is no older than the claim
        // that made the word; if it is older than the newest, the ring was full between the two.
        let head = Word(self.head.load(Ordering::Relaxed));
        if self.next_lap(head.position()) == needed { Refusal::Blocked } else { Refusal::Busy }
    }

    /// Claims the tail place for one item, if one look and one try do it.
    #[inline]
    pub(super) fn claim_push_at_once(&self) -> Option<Place<'_, T>> {
        // Acquire: as in `claim_push`.
        let word = Word(self.tail.load(Ordering::Acquire));
        let slot = self.slot(word.position());
        if !word.is_plain() || slot.stamp() != word.position() {
            return None;
        }
        match self.claim_tail(word, self.step(word), slot) {
            Ok(place) => Some(place),
            Err(_) => {
                lost_once();
                None
            }
        }
    }

    /// Claims the tail place for one item.
    #[inline]
    pub(super) fn claim_push(&self) -> Result<Place<'_, T>, Refusal> {
        // Acquire: a closed ring shows what was done before it was closed.
        let mut word = Word(self.tail.load(Ordering::Acquire));
        let mut collision = Collision::new();
        loop {
            if let Err(refusal) = self.room(word) {
                match self.confirm(&self.tail, word, refusal) {
                    Ok(newer) => word = newer,
                    Err(refusal) => return Err(refusal),
                }
                continue;
            }
            match self.take_place(word, word.reserved(), 0) {
                Ok(place) => {
                    if word.reserved() != 0 {
                        self.wait_until_free(place.position);
                    }
                    return Ok(place);
                }
                Err(seen) => {
                    word = seen;
                    collision.back_off();
                }
            }
        }
    }

    /// A gap may be the look of a stale word: `Ok` with the newer one, to try again.
    fn confirm(&self, index: &AtomicU64, word: Word, refusal: Refusal) -> Result<Word, Refusal> {
        if refusal != Refusal::Busy {
            return Err(refusal);
        }
        let newer = Word(fresh(index));
        if newer.0 == word.0 { Err(refusal) } else { Ok(newer) }
    }

    /// Moves `tail` from `word` one position on, with these reservations and this flag.
    #[inline]
    fn take_place(&self, word: Word, reserved: u64, flag: u64) -> Result<Place<'_, T>, Word> {
        let next = self.step(Word((word.0 & !RESERVED) | (reserved * RESERVED_ONE) | flag));
        self.claim_tail(word, next, self.slot(word.position()))
    }

    /// Claims the tail place, which is `slot`, by moving `tail` from `word` to `next`.
    #[inline]
    fn claim_tail<'a>(
        &'a self,
        word: Word,
        next: Word,
        slot: &'a Slot<T>,
    ) -> Result<Place<'a, T>, Word> {
        let position = word.position();
        // AcqRel: whoever sees this claim sees those before it, on both words (see the orderings).
        // Acquire on failure: the same for the word that was seen.
        match self.tail.compare_exchange_weak(word.0, next.0, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                Ok(Place { slot, position, wakes: word.is_waited_on(), _pass: self.gate.enter() })
            }
            Err(seen) => Err(Word(seen)),
        }
    }

    /// Claims room for one item, at no position yet. It ends with `push_reserved` or
    /// `cancel_reserved`.
    pub(super) fn reserve(&self) -> Result<(), Refusal> {
        let mut word = Word(self.tail.load(Ordering::Acquire));
        loop {
            if let Err(refusal) = self.room(word) {
                match self.confirm(&self.tail, word, refusal) {
                    Ok(newer) => word = newer,
                    Err(refusal) => return Err(refusal),
                }
                continue;
            }
            // Orderings as in `claim_tail`.
            match self.tail.compare_exchange_weak(
                word.0,
                word.0 + RESERVED_ONE,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Ok(()),
                Err(seen) => word = Word(seen),
            }
        }
    }

    /// Turns a reservation into the tail place. `None`: closed, and the reservation stays. The flag
    /// tells that the ring counted as full because all reservations were out.
    pub(super) fn push_reserved(&self) -> Option<(Place<'_, T>, bool)> {
        let mut word = Word(self.tail.load(Ordering::Acquire));
        loop {
            if word.is_closed() {
                return None;
            }
            match self.take_place(word, word.reserved() - 1, 0) {
                Ok(place) => {
                    self.wait_until_free(place.position);
                    return Some((place, word.reserved() == MAX_RESERVED));
                }
                Err(seen) => word = seen,
            }
        }
    }

    /// Gives a reservation back. The flags tell that senders are queued, and that the ring counted
    /// as full because all reservations were out.
    pub(super) fn cancel_reserved(&self) -> (bool, bool) {
        // Relaxed: ordered by the next RMW.
        let word = Word(self.tail.fetch_sub(RESERVED_ONE, Ordering::Relaxed));
        (self.senders_wait(), word.reserved() == MAX_RESERVED)
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
        // Acquire: as in `pop`.
        let word = Word(self.head.load(Ordering::Acquire));
        let slot = self.slot(word.position());
        if slot.stamp() != word.position() + 1 {
            return None;
        }
        match self.claim_head(word, slot) {
            Ok(claimed) => Some(claimed),
            Err(_) => {
                lost_once();
                None
            }
        }
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
        match self.head.compare_exchange_weak(word.0, next.0, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                let _pass = self.gate.enter();
                // SAFETY: claimed by this CAS, and the stamp says that the item is there.
                Ok((unsafe { slot.take(freed) }, word.is_waited_on()))
            }
            Err(seen) => Err(Word(seen)),
        }
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

    /// Makes room for `item` at the cost of the oldest, which is returned. `Err`: closed.
    ///
    /// If all room is reserved there is nothing to evict, and the item itself is returned.
    pub(super) fn force_push(&self, item: T) -> Result<(Option<T>, bool), T> {
        let mut gap = GapWait::new();
        let mut word = Word(self.tail.load(Ordering::Acquire));
        loop {
            if word.is_closed() {
                return Err(item);
            }
            let reserved = word.reserved();
            let needed = self.advance(word.position(), reserved);
            let is_free = self.stamp(needed) == needed;
            if !is_free && reserved == self.slots.len() as u64 {
                return Ok((Some(item), false));
            }
            let head = Word(fresh(&self.head));
            let is_full = !is_free && self.next_lap(head.position()) == needed;
            if word.is_evicting() || !(is_free || is_full) {
                // A pop or another eviction is in its gap, or the word is stale.
                self.wait(&mut gap);
                word = Word(fresh(&self.tail));
                continue;
            }
            match self.take_place(word, reserved, if is_full { EVICTING } else { 0 }) {
                Ok(place) => {
                    let evicted = if is_full { self.evict(needed) } else { None };
                    self.wait_until_free(place.position);
                    return Ok((evicted, place.write(item)));
                }
                Err(seen) => word = seen,
            }
        }
    }

    /// Frees the slot of `needed` by taking its item of the lap before, unless a pop is faster.
    fn evict(&self, needed: u64) -> Option<T> {
        let mut gap = GapWait::new();
        let evicted = loop {
            let word = Word(fresh(&self.head));
            let position = word.position();
            if self.next_lap(position) != needed {
                break None;
            }
            let stamp = self.stamp(position);
            if stamp != position + 1 {
                if stamp != needed {
                    // The push of the oldest item is in its gap.
                    gap.pause(&self.gate);
                }
                continue;
            }
            if let Ok((evicted, _)) = self.claim_head(word, self.slot(position)) {
                break Some(evicted);
            }
        };
        // Release: who sees the flag gone sees the head that has moved.
        self.tail.fetch_and(!EVICTING, Ordering::Release);
        evicted
    }

    /// The slot of a claimed position may still be left by the pop of the lap before.
    fn wait_until_free(&self, position: u64) {
        let mut gap = GapWait::new();
        while self.stamp(position) != position {
            gap.pause(&self.gate);
        }
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

    /// Takes all items of a closed ring in one claim.
    pub(super) fn drain(&self) -> Vec<T> {
        debug_assert!(self.is_closed(), "the tail must stand still");
        let mut items = Vec::new();
        let tail = Word(fresh(&self.tail));
        let mut word = Word(fresh(&self.head));
        loop {
            // Before the claim: an allocation may fail.
            items.reserve(self.distance(word.position(), tail.position()));
            // AcqRel, Acquire: as in `claim_tail`.
            match self.head.compare_exchange(
                word.0,
                word.with_position(tail.position()).0,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => break,
                Err(seen) => word = Word(seen),
            }
        }
        let mut position = word.position();
        let mut gap = GapWait::new();
        while position != tail.position() {
            while self.stamp(position) != position + 1 {
                gap.pause(&self.gate);
            }
            let _pass = self.gate.enter();
            // SAFETY: claimed by the CAS above, and the stamp says that the item is there.
            items.push(unsafe { self.take(position) });
            position = self.advance(position, 1);
        }
        items
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

/// Somebody else has claimed the place.
#[cold]
fn lost_once() {
    Collision::new().back_off();
}

impl<T> Place<'_, T> {
    /// Puts the item in. The flag tells that a receiver is to be woken.
    #[inline]
    pub(super) fn write(self, item: T) -> bool {
        self.slot.item.with_mut(|cell| {
            // SAFETY: the position is claimed and its stamp says that the slot is free.
            unsafe { (*cell).write(item) };
        });
        // Release: pairs with the Acquire in `stamp`; publishes the item.
        self.slot.stamp.store(self.position + 1, Ordering::Release);
        self.wakes
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        // Every claim has been stamped: claims borrow the ring.
        let position = Word(fresh(&self.head)).position();
        let tail = Word(fresh(&self.tail)).position();
        Rest { ring: self, position, tail }.drop_items();
    }
}

/// The items between two positions. If the drop of one panics, the others are dropped all the same.
struct Rest<'a, T> {
    ring: &'a Ring<T>,
    position: u64,
    tail: u64,
}

impl<T> Rest<'_, T> {
    fn drop_items(&mut self) {
        while self.position != self.tail {
            let position = self.position;
            self.position = self.ring.advance(position, 1);
            if self.ring.stamp(position) == position + 1 {
                // SAFETY: the ring is being dropped, so the position is ours; it is passed by once,
                // and the stamp says that the item is there.
                drop(unsafe { self.ring.take(position) });
            }
        }
    }
}

impl<T> Drop for Rest<'_, T> {
    fn drop(&mut self) {
        self.drop_items();
    }
}
