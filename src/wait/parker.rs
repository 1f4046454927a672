//! One thread's sleep. Not `std::thread::park`: the user's own park tokens survive our waits.
//!
//! | token | meaning | set by | cleared by |
//! |---|---|---|---|
//! | `EMPTY` | nothing has happened | the parked thread | [`Parker::unpark`] |
//! | `PARKED` | the thread sleeps, or is about to | the thread, under `mutex` | [`Parker::unpark`], or the thread at expiry |
//! | `NOTIFIED` | wake up, or do not go to sleep | [`Parker::unpark`] | the thread |
//!
//! Every change is a read-modify-write on the one token, so no wake-up falls between the look and
//! the sleep, and a `park` that returns `true` has read from the last `unpark` (and through the
//! chain of swaps from all before it).

use crate::sys::atomic::{AtomicU32, Ordering};
use crate::sys::{Arc, Condvar, Mutex, Spin, const_fn, is_past};
use std::task::Wake;
use std::time::Instant;

const EMPTY: u32 = 0;
const PARKED: u32 = 1;
const NOTIFIED: u32 = 2;

pub(crate) struct Parker {
    token: AtomicU32,
    mutex: Mutex,
    condvar: Condvar,
}

impl Parker {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self { token: AtomicU32::new(EMPTY), mutex: Mutex::new(), condvar: Condvar::new() }
        }
    }

    /// Sleeps until somebody calls [`Parker::unpark`], or has called it since the last return.
    /// `false`: the deadline has passed. Only the thread that owns the parker calls this.
    ///
    /// For as long as `spin` says it looks first.
    pub(crate) fn park(&self, deadline: Option<Instant>, spin: Spin<'_>) -> bool {
        if deadline.is_some_and(is_past) {
            return false;
        }
        let mut spin = spin.until(deadline);
        while spin.again() {
            if self.take_token() {
                return true;
            }
        }
        let mut guard = self.mutex.lock();
        // Relaxed: success publishes nothing, for the mutex carries what the waker needs; failure
        // means NOTIFIED, which `take_token` reads again with Acquire.
        let parked =
            self.token.compare_exchange(EMPTY, PARKED, Ordering::Relaxed, Ordering::Relaxed);
        if parked.is_err() {
            return self.take_token();
        }
        loop {
            let expired;
            (guard, expired) = match deadline {
                Some(deadline) => self.condvar.wait_until(guard, deadline),
                None => (self.condvar.wait(guard), false),
            };
            if self.take_token() {
                return true;
            }
            // Acquire: a token that arrived in between is taken, with what it publishes.
            if expired {
                return self.token.swap(EMPTY, Ordering::Acquire) == NOTIFIED;
            }
        }
    }

    /// Ends the present [`Parker::park`], or the next one.
    pub(crate) fn unpark(&self) {
        // Release: pairs with the Acquire in `take_token`; what the waker did before is visible to
        // the thread that wakes up.
        if self.token.swap(NOTIFIED, Ordering::Release) == PARKED {
            // The sleeper holds the mutex from setting PARKED until it waits: taking it once makes
            // sure that the notification finds it waiting.
            drop(self.mutex.lock());
            self.condvar.notify_one();
        }
    }

    /// Whether somebody has called [`Parker::unpark`] since the last return.
    pub(crate) fn take_token(&self) -> bool {
        // Relaxed: a look that decides nothing; the exchange reads the token again.
        self.token.load(Ordering::Relaxed) == NOTIFIED
            // Acquire: pairs with the Release in `unpark`. Only the owner takes a token, so
            // the exchange cannot fail; it is one so that it reads from the last `unpark`.
            && self
                .token
                .compare_exchange(NOTIFIED, EMPTY, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.unpark();
    }
}
