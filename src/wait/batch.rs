//! Wakers collected under the list lock and called after it.

#![expect(unsafe_code, reason = "an array of which a part is filled")]

use crate::sys::{WAKE_BATCH, panicking};
use std::any::Any;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;

/// Wakers in the order in which they are to be called. Dropping it calls the rest.
pub(crate) struct WakeBatch {
    /// `called .. len` are there.
    wakers: [MaybeUninit<Waker>; WAKE_BATCH],
    called: usize,
    len: usize,
    /// The first panic of a waker; it goes on once everyone has been woken.
    panic: Option<Box<dyn Any + Send>>,
}

impl WakeBatch {
    pub(crate) const fn new() -> Self {
        let wakers = [const { MaybeUninit::uninit() }; WAKE_BATCH];
        Self { wakers, called: 0, len: 0, panic: None }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len == WAKE_BATCH
    }

    /// Takes from `next` as long as it gives something and there is room. Returns how many.
    #[inline]
    pub(super) fn fill(&mut self, mut next: impl FnMut() -> Option<Waker>) -> usize {
        let mut count = 0;
        for slot in &mut self.wakers[self.len..] {
            let Some(waker) = next() else { break };
            slot.write(waker);
            count += 1;
        }
        self.len += count;
        count
    }

    /// Adds one waker. There is room.
    pub(crate) fn push(&mut self, waker: Waker) {
        self.wakers[self.len].write(waker);
        self.len += 1;
    }

    pub(super) fn wake(&mut self) {
        while self.called < self.len {
            let calls = catch_unwind(AssertUnwindSafe(|| {
                for (index, slot) in self.wakers[..self.len].iter().enumerate().skip(self.called) {
                    self.called = index + 1;
                    // SAFETY: filled, and counted as called from now on.
                    unsafe { slot.assume_init_read() }.wake();
                }
            }));
            if let Err(payload) = calls {
                keep_first(&mut self.panic, payload);
            }
        }
        (self.called, self.len) = (0, 0);
    }

    /// Calls who is left. Lets the first panic of a waker go on, unless the thread is unwinding
    /// already.
    pub(crate) fn finish(&mut self) {
        if self.panic.is_none() && self.called + 1 == self.len {
            // SAFETY: filled, and not called yet.
            let last = unsafe { self.wakers[self.called].assume_init_read() };
            (self.called, self.len) = (0, 0);
            // Nobody is left behind if it panics.
            return wake(Some(last));
        }
        self.wake();
        if let Some(payload) = self.panic.take() {
            if panicking() {
                forget_payload(payload);
            } else {
                resume_unwind(payload);
            }
        }
    }
}

impl Drop for WakeBatch {
    fn drop(&mut self) {
        self.wake();
    }
}

/// Calls one waker. A panic goes on, unless the thread is unwinding already.
#[inline]
pub(crate) fn wake(waker: Option<Waker>) {
    guard(waker, Waker::wake);
}

/// Drops one waker, which is user code too. A panic goes on, unless the thread is unwinding
/// already.
#[inline]
pub(crate) fn discard(waker: Option<Waker>) {
    guard(waker, drop);
}

/// A waker that is to be [`discard`]ed, once everything that must not be skipped has been done.
#[must_use = "it is discarded at the end of the scope that it is bound in"]
pub(crate) struct Stale(pub(super) Option<Waker>);

impl Stale {
    #[inline]
    pub(crate) const fn new(waker: Option<Waker>) -> Self {
        Self(waker)
    }
}

impl Drop for Stale {
    #[inline]
    fn drop(&mut self) {
        discard(self.0.take());
    }
}

/// Does at the end of its scope what must not be skipped if user code in between panics.
pub(crate) struct Finally<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Finally<F> {
    pub(crate) fn new(f: F) -> Self {
        Self(Some(f))
    }

    /// It is not to be done after all.
    pub(crate) fn disarm(mut self) {
        self.0 = None;
    }
}

impl<F: FnOnce()> Drop for Finally<F> {
    fn drop(&mut self) {
        if let Some(f) = self.0.take() {
            f();
        }
    }
}

#[inline]
fn guard(waker: Option<Waker>, f: fn(Waker)) {
    let Some(waker) = waker else { return };
    if panicking() { guard_unwinding(waker, f) } else { f(waker) }
}

#[cold]
fn guard_unwinding(waker: Waker, f: fn(Waker)) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| f(waker))) {
        forget_payload(payload);
    }
}

fn keep_first(first: &mut Option<Box<dyn Any + Send>>, payload: Box<dyn Any + Send>) {
    if first.is_none() {
        *first = Some(payload);
    } else {
        forget_payload(payload);
    }
}

/// Swallows a panic's payload. Its own `Drop` may panic in turn, so it is not run.
fn forget_payload(payload: Box<dyn Any + Send>) {
    std::mem::forget(payload);
}
