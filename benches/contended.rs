//! Locks and semaphores that threads, or tasks, contend for.
//!
//! ```text
//! cargo bench --bench contended
//! ```

#![allow(clippy::incompatible_msrv, reason = "a peer that is younger than our oldest compiler")]

#[cfg(not(loom))]
mod harness;

#[cfg(loom)]
fn main() {}

#[cfg(not(loom))]
fn main() {
    harness::run("contended", scenarios::rows());
}

#[cfg(not(loom))]
mod scenarios {
    use crate::harness::{Row, Unit, mops, threads};
    use std::hint::black_box;

    pub(super) fn rows() -> Vec<Row> {
        [2, 4, 8].into_iter().map(short_section).collect()
    }

    /// One increment in the section, nothing outside.
    fn short_section(count: usize) -> Row {
        Row::new(format!("lock, short section, {count} threads"), Unit::Mops)
            .ours(move |n| contend(count, n, &bifrons::Lock::new(0), |lock| *lock.lock() += 1))
            .peer("std", move |n| {
                contend(count, n, &std::sync::Mutex::new(0), |lock| *lock.lock().unwrap() += 1)
            })
            .peer("parking_lot", move |n| {
                contend(count, n, &parking_lot_latest::Mutex::new(0), |lock| *lock.lock() += 1)
            })
    }

    fn contend<L: Sync>(count: usize, n: u64, lock: &L, step: impl Fn(&L) + Sync) -> f64 {
        let each = n / count as u64 + 1;
        let taken = threads(count, |_| {
            for _ in 0..each {
                step(black_box(lock));
            }
        });
        mops(taken, each * count as u64)
    }
}
