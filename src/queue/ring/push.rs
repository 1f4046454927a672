//! Claims of the tail.

use super::word::{EVICTING, MAX_RESERVED, RESERVED, RESERVED_ONE, Word};
use super::{Miss, Refusal, Ring, Slot};
use crate::sys::atomic::Ordering;
use crate::sys::{Collision, GapWait, GatePass, fresh};

/// A claimed position: room for one item, to be written without delay.
#[must_use]
pub(crate) struct Place<'a, T> {
    slot: &'a Slot<T>,
    position: u64,
    /// Receivers were queued when it was claimed.
    wakes: bool,
    _pass: GatePass<'a>,
}

/// What became of a reservation that was pushed into.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// There is another one.
    Renewed,
    Used,
    /// The ring counted as full because all reservations were out.
    UsedLast,
}

impl<T> Ring<T> {
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

    /// Whether the ring is open, with no slot out and no eviction under way.
    pub(crate) fn is_plain(&self) -> bool {
        // Relaxed: a guess.
        Word(self.tail.load(Ordering::Relaxed)).is_plain()
    }

    /// Claims the tail place for one item, if one look and one try do it.
    #[inline]
    pub(crate) fn claim_push_at_once(&self) -> Option<Place<'_, T>> {
        self.claim_push_once().map_err(Miss::back_off).ok()
    }

    /// The same, without staying away for a moment from a race that it has lost.
    #[inline]
    pub(crate) fn claim_push_once(&self) -> Result<Place<'_, T>, Miss> {
        // Acquire: as in `claim_push`.
        let word = Word(self.tail.load(Ordering::Acquire));
        let slot = self.slot(word.position());
        if !word.is_plain() || slot.stamp() != word.position() {
            return Err(Miss::Nothing);
        }
        self.claim_tail(word, self.step(word), slot).map_err(|_| Miss::Lost)
    }

    /// Claims the tail place for one item.
    #[inline]
    pub(crate) fn claim_push(&self) -> Result<Place<'_, T>, Refusal> {
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
        match self.tail.compare_exchange(word.0, next.0, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                Ok(Place { slot, position, wakes: word.is_waited_on(), _pass: self.gate.enter() })
            }
            Err(seen) => Err(Word(seen)),
        }
    }

    /// Claims room for one item, at no position yet. It ends with `push_reserved` or
    /// `cancel_reserved`.
    pub(crate) fn reserve(&self) -> Result<(), Refusal> {
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

    /// Turns a reservation into the tail place. `None`: closed, and the reservation stays. One `more`
    /// is made in the same claim, if there is room beyond all of them.
    #[inline]
    pub(crate) fn push_reserved(&self, more: bool) -> Option<(Place<'_, T>, Left)> {
        let mut word = Word(self.tail.load(Ordering::Acquire));
        loop {
            if word.is_closed() {
                return None;
            }
            let renews = more && self.room(word).is_ok();
            match self.take_place(word, word.reserved() - u64::from(!renews), 0) {
                Ok(place) => {
                    self.wait_until_free(place.position);
                    let left = match renews {
                        true => Left::Renewed,
                        false if word.reserved() == MAX_RESERVED => Left::UsedLast,
                        false => Left::Used,
                    };
                    return Some((place, left));
                }
                Err(seen) => word = seen,
            }
        }
    }

    /// Gives a reservation back. The flags tell that senders are queued, and that the ring counted
    /// as full because all reservations were out.
    pub(crate) fn cancel_reserved(&self) -> (bool, bool) {
        // Relaxed: ordered by the next RMW.
        let word = Word(self.tail.fetch_sub(RESERVED_ONE, Ordering::Relaxed));
        (self.senders_wait(), word.reserved() == MAX_RESERVED)
    }

    /// Makes room for `item` at the cost of the oldest, which is returned. `Err`: closed.
    ///
    /// If all room is reserved there is nothing to evict, and the item itself is returned.
    pub(crate) fn force_push(&self, item: T) -> Result<(Option<T>, bool), T> {
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
}

impl<T> Place<'_, T> {
    /// Puts the item in. The flag tells that a receiver is to be woken.
    #[inline]
    pub(crate) fn write(self, item: T) -> bool {
        self.slot.item.with_mut(|cell| {
            // SAFETY: the position is claimed and its stamp says that the slot is free.
            unsafe { (*cell).write(item) };
        });
        // Release: pairs with the Acquire in `stamp`; publishes the item.
        self.slot.stamp.store(self.position + 1, Ordering::Release);
        self.wakes
    }
}
