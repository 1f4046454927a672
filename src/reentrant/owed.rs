//! Guards that are dropped while the hold of their owner is given up.
//!
//! A blocking wait on a condition gives up all that its owner holds, and restores it when it returns.
//! A guard of that owner which another of its threads drops in between, or a waker that the wait
//! calls, finds no hold to leave. Its drop is written down here, and the next restoration on that lock
//! for that owner is so much shallower.
//!
//! # Invariant
//!
//! For each lock and owner: depth of the hold, if it is the owner's, + depths given up − drops owed =
//! guards that are alive, those of the waiting calls included. So a drop is owed only while somebody
//! has given up more than its own guard, and when the last of these restores, all of it is settled.
//! The guards of an owner are not told apart: of two waits, the first to return settles.
//!
//! A restoration of more than one guard holds the table from its look until the lock's word says
//! "me", and a drop holds it from its last look at the word until it is written down: neither misses
//! the other. Changes of the word without the table (locking anew, leaving that) move guards and depth
//! alike.
//!
//! A lock pays no byte for the table ([`crate::sys::SideTable`]): it is asked for by nested waits and
//! by the drops described.

use crate::sys::Rows;

/// Which lock, and which owner.
pub(super) type Key = (usize, u64);

/// One more drop.
pub(super) fn add(rows: &mut Rows, key: Key) {
    match rows.iter_mut().find(|row| row.0 == key) {
        Some((_, drops)) => *drops += 1,
        None => rows.push((key, 1)),
    }
}

/// At most `most` drops, which are owed no more.
pub(super) fn settle(rows: &mut Rows, key: Key, most: u64) -> u64 {
    let Some(at) = rows.iter().position(|row| row.0 == key) else { return 0 };
    let drops = &mut rows[at].1;
    let settled = most.min(*drops);
    *drops -= settled;
    if *drops == 0 {
        rows.swap_remove(at);
    }
    settled
}

#[cfg(test)]
mod tests {
    use super::{add, settle};

    #[test]
    fn each_lock_and_owner_has_a_row_until_it_is_settled() {
        let (mut rows, ours, others) = (Vec::new(), (8, 1), [(8, 2), (16, 1)]);
        for key in [ours, others[0], ours, others[1], ours] {
            add(&mut rows, key);
        }
        assert_eq!(rows, [(ours, 3), (others[0], 1), (others[1], 1)]);
        assert_eq!([0, 2].map(|most| settle(&mut rows, ours, most)), [0, 2]);
        assert_eq!(rows[0], (ours, 1));
        assert_eq!([2, 2].map(|most| settle(&mut rows, ours, most)), [1, 0]);
        assert_eq!(others.map(|key| settle(&mut rows, key, u64::MAX)), [1, 1]);
        assert!(rows.is_empty());
    }
}
