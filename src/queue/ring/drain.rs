//! Taking what is left in a ring.

use super::Ring;
use super::word::Word;
use crate::sys::atomic::Ordering;
use crate::sys::{GapWait, fresh};

impl<T> Ring<T> {
    /// Takes all items of a closed ring in one claim.
    pub(crate) fn drain(&self) -> Vec<T> {
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
            if fresh(&self.ring.slot(position).stamp) == position + 1 {
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
