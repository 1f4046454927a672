//! The platform: everything below the primitives that threads are made of.
//!
//! This is the only module that names `std::sync`, `std::thread`, `core::cell::UnsafeCell`,
//! `parking_lot`, `crossbeam_utils::Backoff` or `loom`. Two backends export exactly the same
//! names; `cfg(loom)` alone chooses. No algorithm above this module has a second body for loom:
//! what must differ is a constant or a type here, and these are all of them:
//!
//! | name | in production | under loom | why |
//! |---|---|---|---|
//! | [`WAKE_BATCH`] | 32 wakers per lock section | 2 | so that a model reaches the second batch |
//! | [`SKIP_LIMIT`] | 31 suppressed wake-ups | 1 | so that a model reaches the forced one |
//! | [`Spin`] | pauses, then yields | exhausted at once | a spin adds states, never outcomes |
//! | [`Collision`] | pauses, more of them each time | none | likewise |
//! | [`Pace`] | pauses as they have paid, then yields | exhausted at once | as [`Spin`] |
//! | [`PollSpin`] | pauses in a `poll`, where they have paid | exhausted at once | as [`Spin`] |
//! | [`prefetch_to_write`], [`prefetch_to_read`] | a hint to the CPU | nothing | nothing is said by it |
//! | [`patience`] | 0.5 ms and more | a yield, once; none before a deadline | loom has no clock, and a thread that looks again and again would hide a lost wake-up |
//! | [`is_past`] | compares with the clock | `false` | expiry comes from `Condvar::wait_until` |
//! | [`is_past_at_last`] | compares with the clock | `true` | there is no `Condvar` where a future goes on waking itself |
//! | [`Condvar`]`::wait_until` | waits | reports expiry: the first two of a thread at once, others after a yield | "at any later moment" |
//! | [`Gate`] | nothing; a waiter backs off | a count of those who left a gap; a waiter sleeps until it moves | two spinners starve the third thread in loom's scheduler |
//! | `load` of some atomics | a load | the same, and before it a change of a shadow beside the word | loom forgets looks: see there |
//! | [`fresh`] | a load | a read-modify-write that changes nothing | loom may feed a stale value to a retry loop for ever |
//! | `const_thread_local!` | a constant, without destructor | loom's thread-local | loom has no constants |
//! | [`SideTable`] | one for the process | one in each object | likewise, and its statics end before its threads |
//! | [`abort`] | ends the process | nothing | what loom reports unwinds |
//! | [`TakesTurns`] | the cells of std | and loom's | a model keeps in a lock what loom watches |
//! | [`DataCell`] | a cell | a cell whose exclusive use loom checks | |
//!
//! Under loom every operation on a loom object runs inside `catch_unwind` while the thread is
//! already panicking: when loom reports a failure by a panic, guards and futures still run their
//! `Drop`, and a second panic there would abort the process and hide the report.

#[cfg(loom)]
mod loom;
#[cfg(not(loom))]
mod std;

#[cfg(loom)]
pub(crate) use self::loom::*;
#[cfg(not(loom))]
pub(crate) use self::std::*;

pub(crate) use ::std::sync::Arc;

use ::std::cell::{Cell, OnceCell, RefCell};

/// Whether this thread unwinds.
#[inline]
#[expect(clippy::disallowed_methods, reason = "the one place that names the platform")]
pub(crate) fn panicking() -> bool {
    ::std::thread::panicking()
}

/// Declares functions that are `const` in production. Nothing of loom can be made in a `const`.
macro_rules! const_fn {
    ($(#[$attr:meta])* $vis:vis const fn $($rest:tt)*) => {
        #[cfg(not(loom))]
        $(#[$attr])* $vis const fn $($rest)*
        #[cfg(loom)]
        $(#[$attr])* $vis fn $($rest)*
    };
}
pub(crate) use const_fn;

/// What of the platform is the same under every backend.
mod shared {
    use ::std::time::{Duration, Instant};

    /// The deadline that `timeout` sets. `None` waits for ever: so does what overflows the clock.
    pub(crate) fn deadline_after(timeout: Duration) -> Option<Instant> {
        Instant::now().checked_add(timeout)
    }
}
pub(crate) use shared::deadline_after;

/// Counts, by an object's address and something beside it.
pub(crate) type Rows = Vec<((usize, u64), u64)>;

/// An id that is never given out again, below 2^48, and never 0.
///
/// Not modelled: nothing is ordered by it, and a model's course does not depend on its value.
#[expect(clippy::disallowed_types, reason = "the one place that names the platform")]
pub(crate) fn next_id() -> u64 {
    use ::std::sync::atomic::{AtomicU64, Ordering};

    static NEXT: AtomicU64 = AtomicU64::new(1);
    // Relaxed: only the value matters.
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(id < 1 << 48, "bifrons: out of owner ids");
    id
}

/// Cells that know of their borrows themselves, so that two threads may have them borrowed if only one
/// of them runs. What they lend is lent to both.
pub(crate) trait TakesTurns {}

impl<T: ?Sized> TakesTurns for Cell<T> {}
impl<T: ?Sized + Sync> TakesTurns for RefCell<T> {}
impl<T: Sync> TakesTurns for OnceCell<T> {}
