//! Many threads and many tasks on one object; everything is accounted for at the end.
//!
//! ```text
//! cargo test --release --test stress                     # short
//! BIFRONS_STRESS_SECONDS=600 BIFRONS_STRESS_SEED=7 cargo test --release --test stress -- queue
//! RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer" \
//!     cargo +nightly test --target x86_64-unknown-linux-gnu --test stress
//! ```
//!
//! A scenario plays rounds until its share of the time is over, each on new objects and with the
//! next seed. Names on the command line choose scenarios.
//!
//! ThreadSanitizer sees the crate and its dependencies, but not the precompiled std. So the
//! scenarios keep data that is not atomic under the protection of the primitive in question, and
//! hand over everything else through our own objects or by joining threads.

#[cfg(not(loom))]
#[path = "../common/mod.rs"]
mod common;
#[cfg(not(loom))]
mod pool;
#[cfg(not(loom))]
mod primitives;
#[cfg(not(loom))]
mod queue;
#[cfg(not(loom))]
mod runner;

fn main() {
    #[cfg(not(loom))]
    runner::main();
}
