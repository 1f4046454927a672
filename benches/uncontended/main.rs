//! What an operation costs that meets nobody: one thread, nothing ever waits.
//!
//! ```text
//! cargo bench --bench uncontended                  all rows
//! cargo bench --bench uncontended -- semaphore     rows whose name contains "semaphore"
//! ```
//!
//! The contenders of a row take turns, pass after pass, each turn measured by criterion. What an
//! operation returns goes through `black_box` and is dropped. A future is polled once, by hand: no
//! executor is measured. The tables come last.

#![allow(clippy::incompatible_msrv, reason = "a peer that is younger than our oldest compiler")]

#[cfg(not(loom))]
mod channels;
#[cfg(not(loom))]
#[path = "../harness/mod.rs"]
mod harness;
#[cfg(not(loom))]
mod micro;
#[cfg(not(loom))]
mod objects;

#[cfg(loom)]
fn main() {}

#[cfg(not(loom))]
fn main() {
    let mut bench = micro::Bench::new();
    objects::locks(&mut bench);
    objects::reentry(&mut bench);
    objects::semaphores(&mut bench);
    objects::events(&mut bench);
    objects::notifications(&mut bench);
    channels::queues(&mut bench);
    channels::batches(&mut bench);
    channels::pipes(&mut bench);
    bench.finish();
}
