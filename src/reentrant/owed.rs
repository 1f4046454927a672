//! Guards that are dropped while the hold of their owner is given up.
//!
//! A blocking wait on a condition gives up all that its owner holds, and restores it when it returns.
//! A guard that another thread of the owner drops in between, or a waker that the wait calls, finds
//! no hold to leave. Its drop is written down here, and the next restoration on that lock for that
//! owner is so much shallower.
//!
//! # Invariant
//!
//! For each lock and owner: depth of the hold, if it is the owner's, + depths given up − drops owed =
//! guards that are alive, those of the waiting calls included. So a drop is owed only while somebody
//! has given up more than its own guard, and when the last of these restores, all of it is settled.
//!
//! A restoration of more than one guard holds the table from its look until the lock's word says
//! "me", and a drop holds it from its last look at the word until it is written down: neither misses
//! the other. Changes of the word without the table (locking anew, leaving that) move guards and depth
//! alike.
//!
//! The table is one for all locks: it is asked for by nested waits and by the drops described, and a
//! lock pays no byte for it.

use crate::lock::{Lock, LockGuard};
use crate::sys::global;

/// Drops owed to one lock by one owner.
struct Entry {
    lock: usize,
    owner: u64,
    drops: u64,
}

global! {
    static OWED: Lock<Vec<Entry>> = Lock::new(Vec::new());
}

/// The table, locked.
pub(super) struct Owed(LockGuard<'static, Vec<Entry>>);

impl Owed {
    #[cold]
    pub(super) fn lock() -> Self {
        Self(OWED.lock())
    }

    fn position(&self, lock: usize, owner: u64) -> Option<usize> {
        self.0.iter().position(|entry| (entry.lock, entry.owner) == (lock, owner))
    }

    /// One more drop.
    #[cold]
    pub(super) fn add(mut self, lock: usize, owner: u64) {
        match self.position(lock, owner) {
            Some(at) => self.0[at].drops += 1,
            None => self.0.push(Entry { lock, owner, drops: 1 }),
        }
    }

    /// At most `most` drops, which are owed no more.
    pub(super) fn settle(&mut self, lock: usize, owner: u64, most: u64) -> u64 {
        let Some(at) = self.position(lock, owner) else { return 0 };
        let settled = most.min(self.0[at].drops);
        self.0[at].drops -= settled;
        if self.0[at].drops == 0 {
            self.0.swap_remove(at);
        }
        settled
    }
}
