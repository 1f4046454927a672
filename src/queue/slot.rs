//! Room for one item, held.

use super::BoundedQueue;
use super::ring::Blocked;
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
        let queue = self.queue;
        let Some((place, was_exhausted)) = queue.ring.push_reserved() else {
            return Err(PushError(item));
        };
        // The reservation is used.
        mem::forget(self);
        // One batch, so that a waker that panics keeps nobody else asleep.
        let mut batch = WakeBatch::new();
        if place.write(item) {
            queue.wake_up_to(1, Blocked::Receivers, &mut batch);
        }
        if was_exhausted && queue.ring.senders_wait() {
            queue.wake_up_to(usize::MAX, Blocked::Senders, &mut batch);
        }
        batch.finish();
        Ok(())
    }
}

impl<T> Drop for Slot<'_, T> {
    fn drop(&mut self) {
        let (senders_wait, was_exhausted) = self.queue.ring.cancel_reserved();
        if senders_wait {
            let mut batch = WakeBatch::new();
            // Room for one; but who was refused because all slots were out may have more.
            let count = if was_exhausted { usize::MAX } else { 1 };
            self.queue.wake_up_to(count, Blocked::Senders, &mut batch);
            batch.finish();
        }
    }
}

impl<T> fmt::Debug for Slot<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}
