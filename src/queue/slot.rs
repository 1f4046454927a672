//! Room for one item, held.

use super::BoundedQueue;
use super::ring::{Blocked, Left};
use crate::error::PushError;
use crate::wait::WakeBatch;
use std::fmt;
use std::mem;

/// Room for one item in a [`BoundedQueue`]; dropping it gives the room back.
///
/// It holds room, not a place in the order: items that others push meanwhile pass it.
#[must_use = "if unused the room is given back at once"]
pub struct Slot<'a, T> {
    queue: &'a BoundedQueue<T>,
}

impl<'a, T> Slot<'a, T> {
    /// The caller has just reserved.
    pub(super) fn new(queue: &'a BoundedQueue<T>) -> Self {
        Self { queue }
    }

    /// Pushes into the room, without waiting.
    ///
    /// # Errors
    ///
    /// [`PushError`] with the item if the queue has been closed.
    pub fn push(self, item: T) -> Result<(), PushError<T>> {
        self.push_and_reserve(item, false, || {}).map(|_none| ())
    }

    /// The same, holding room for one `more` item after it, if there is some; `pushed` is called once
    /// the item is in the queue.
    #[inline]
    pub(super) fn push_and_reserve(
        self,
        item: T,
        more: bool,
        pushed: impl FnOnce(),
    ) -> Result<Option<Self>, PushError<T>> {
        let queue = self.queue;
        let Some((place, left)) = queue.ring.push_reserved(more) else {
            // Before the item is on its way out: a sender's waker may panic.
            drop(self);
            return Err(PushError(item));
        };
        let slot = match left {
            Left::Renewed => Some(self),
            Left::Used | Left::UsedLast => {
                mem::forget(self);
                None
            }
        };
        let wakes = place.write(item);
        pushed();
        if left == Left::UsedLast {
            queue.wake_after_exhaustion(wakes);
        } else if wakes {
            queue.wake_one(Blocked::Receivers);
        }
        Ok(slot)
    }
}

impl<T> BoundedQueue<T> {
    /// Not all slots are out any more, so there may be room for more than one; and an item may have
    /// come for a receiver.
    #[cold]
    fn wake_after_exhaustion(&self, has_item: bool) {
        // One batch, so that a waker that panics keeps nobody else asleep.
        let mut batch = WakeBatch::new();
        if has_item {
            self.wake_up_to(1, Blocked::Receivers, &mut batch);
        }
        if self.ring.senders_wait() {
            self.wake_up_to(usize::MAX, Blocked::Senders, &mut batch);
        }
        batch.finish();
    }
}

impl<T> Drop for Slot<'_, T> {
    fn drop(&mut self) {
        let (senders_wait, was_exhausted) = self.queue.ring.cancel_reserved();
        if was_exhausted {
            self.queue.wake_after_exhaustion(false);
        } else if senders_wait {
            self.queue.wake_one(Blocked::Senders);
        }
    }
}

impl<T> fmt::Debug for Slot<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}
