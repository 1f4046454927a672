//! Memory and its cost: sizes, allocations, and the cost of one waiter among many.
//!
//! ```text
//! cargo bench --bench memory
//! cargo bench --bench memory -- "cancel, lock"
//! ```
//!
//! The waiting futures of every contender lie side by side in one vector and are polled, and dropped,
//! in place, with a waker that does nothing. What is measured is the list and the future's own work;
//! a few bytes more or less per future show as well, once the vector outgrows a cache.

#[cfg(not(loom))]
mod counting;
#[cfg(not(loom))]
#[path = "../harness/mod.rs"]
mod harness;
#[cfg(not(loom))]
mod rows;
#[cfg(not(loom))]
mod sizes;
#[cfg(not(loom))]
mod waiters;

#[cfg(loom)]
fn main() {}

#[cfg(not(loom))]
fn main() {
    harness::run("memory", rows::all());
}
