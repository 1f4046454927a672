//! The protocol of [`Semaphore`](super::Semaphore).
//!
//! # The word
//!
//! ```text
//!  ┌──────────────────────────────────────────────┬────────┐
//!  │ permits available, signed                    │ QUEUED │
//!  └──────────────────────────────────────────────┴────────┘
//! ```
//!
//! | part | meaning | changed by |
//! |---|---|---|
//! | permits | free permits; negative: the debt that a shrinking `resize` left | `acquire` takes by CAS, `give_back` adds by one RMW, `grant_first` takes for the first waiter, and may add in the same RMW; `resize`, `forget_available` and `forgive`, under the list lock |
//! | `QUEUED` | the list is not empty | under the list lock only (I1) |
//!
//! How many there are in total, available and outstanding together, is what was `issued` (under the
//! list lock, where the `bound` is too) less what was `forgotten` (a word of its own, which only
//! grows: who forgets a permit takes no lock). Acquiring and returning change neither. The two may
//! wrap, their difference does not.
//!
//! A debt is paid by returns. Where those who could return have forgotten their permits instead, the
//! total is below zero: nobody is left to pay what is below, and the next `release` forgives it. Until
//! then nothing tells a debt from none.
//!
//! # Who is served
//!
//! First come, first served, from registration on. While `QUEUED` is set nobody acquires but by
//! [`RawSemaphore::grant_first`], which takes for the first waiter when the word has enough: never a
//! part. A granted node owns its permits; if its future is dropped, they are returned. A first
//! waiter that leaves lets `grant` look at the next one, which may need less.
//!
//! Whoever adds permits sees `QUEUED` in the RMW that adds them, or the waiter sees the permits in
//! the RMW that sets `QUEUED`: one word, so there is no third case (I4).
//!
//! # Orderings
//!
//! Returning is a Release RMW, taking an Acquire RMW: what was done before a permit was returned
//! is visible to whoever acquires it. A grant is both, for it may add in the same RMW what it takes;
//! it is done by the granting thread, and reaches the waiter through its node's state.

#![expect(unsafe_code, reason = "each wait uses one node with one queue")]

use crate::error::ReleaseError;
use crate::sys::atomic::{AtomicIsize, Ordering};
use crate::sys::{Spin, const_fn};
use crate::wait::{Finally, Locked, Node, Place, State, WaitQueue, WakeBatch, discard, wake};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

const QUEUED: isize = 1;
const PERMIT: isize = 2;

/// An eighth of the address space: sums of two fit the word beside its flag.
pub(super) const MAX_PERMITS: usize = isize::MAX as usize >> 2;

/// A value of the word.
#[derive(Clone, Copy)]
struct Word(isize);

impl Word {
    const fn permits(self) -> isize {
        self.0 >> 1
    }
    const fn is_queued(self) -> bool {
        self.0 & QUEUED != 0
    }
}

/// `n` permits as a difference of words. `n` is at most `MAX_PERMITS`, so nothing is cut off.
const fn delta(n: usize) -> isize {
    n as isize * PERMIT
}

/// What the list lock guards.
pub(super) struct Books {
    /// Permits, available (or owed), outstanding and forgotten together.
    issued: isize,
    bound: Option<usize>,
}

pub(super) struct Words {
    permits: AtomicIsize,
    /// Of those that were issued.
    forgotten: AtomicIsize,
}

pub(super) struct RawSemaphore {
    queue: WaitQueue<Words, Books, usize>,
}

type List<'a> = Locked<'a, Words, Books, usize>;

impl RawSemaphore {
    const_fn! {
        pub(super) const fn new(permits: usize, bound: Option<usize>) -> Self {
            assert!(permits <= MAX_PERMITS, "bifrons: more than Semaphore::MAX_PERMITS permits");
            let books = Books { issued: permits as isize, bound };
            let permits = AtomicIsize::new(delta(permits));
            let words = Words { permits, forgotten: AtomicIsize::new(0) };
            Self { queue: WaitQueue::new(words, books) }
        }
    }

    #[inline]
    fn permits(&self) -> &AtomicIsize {
        &self.queue.word.permits
    }

    #[inline]
    fn word(&self) -> Word {
        // Relaxed: a look; whatever is decided on it is decided again by an RMW.
        Word(self.permits().load(Ordering::Relaxed))
    }

    pub(super) fn available(&self) -> usize {
        usize::try_from(self.word().permits()).unwrap_or(0)
    }

    pub(super) fn waiting(&self) -> usize {
        self.queue.lock().len()
    }

    pub(super) fn bound(&self) -> Option<usize> {
        self.queue.lock().bound
    }

    #[inline]
    pub(super) fn try_acquire(&self, n: usize) -> bool {
        let mut word = self.word();
        // Nothing is always there, behind any queue and any debt.
        while n == 0 || (!word.is_queued() && word.permits() >= n as isize) {
            // Acquire: pairs with the Release in `give_back` and `grant_first`. Relaxed on failure:
            // nothing was taken.
            match self.permits().compare_exchange_weak(
                word.0,
                word.0 - delta(n),
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(seen) => word = Word(seen),
            }
        }
        false
    }

    /// [`try_acquire`](Self::try_acquire), for as long as `spin` says and nobody queues.
    pub(super) fn spin_acquire(&self, n: usize, mut spin: Spin<'_>) -> bool {
        while !self.word().is_queued() && spin.again() {
            if self.try_acquire(n) {
                return true;
            }
        }
        false
    }

    /// How a thread waits before it sleeps.
    pub(super) fn spin<'a>(&self, signals: &'a impl Fn() -> u64) -> Spin<'a> {
        // Relaxed: a hint.
        let forgotten = self.queue.word.forgotten.load(Ordering::Relaxed);
        Spin::for_permits(std::ptr::from_ref(self).addr(), forgotten as u64, signals)
    }

    /// Grows by one with each permit that is released, and shrinks with each that is held or taken out
    /// of circulation.
    pub(super) fn signals(&self) -> u64 {
        // Relaxed: a hint.
        let forgotten = self.queue.word.forgotten.load(Ordering::Relaxed);
        self.word().permits().wrapping_add(forgotten) as u64
    }

    /// Acquires, else queues `node`.
    ///
    /// # Safety
    ///
    /// `node` is only ever queued on this semaphore, and [`RawSemaphore::cancel`] is called
    /// before it is freed.
    #[inline]
    pub(super) unsafe fn poll(&self, node: Pin<&Node<usize>>, cx: &Context<'_>) -> Poll<()> {
        match node.state() {
            State::Idle if self.try_acquire(node.arg()) => return Poll::Ready(()),
            State::Granted => {
                node.reset();
                return Poll::Ready(());
            }
            _ => {}
        }
        // SAFETY: the caller's promise.
        unsafe { self.poll_slow(node, cx) }
    }

    /// # Safety
    ///
    /// As for [`RawSemaphore::poll`].
    unsafe fn poll_slow(&self, node: Pin<&Node<usize>>, cx: &Context<'_>) -> Poll<()> {
        let n = node.arg();
        loop {
            match node.state() {
                State::Idle | State::Notified => {
                    let waker = cx.waker().clone();
                    let mut list = self.queue.lock_for_insert();
                    if self.take_or_queue(&mut list, n) {
                        drop(list);
                        let taken = Finally::new(|| self.give_back(n));
                        discard(Some(waker));
                        taken.disarm();
                        return Poll::Ready(());
                    }
                    // SAFETY: in no list; the rest is the caller's promise.
                    unsafe { list.insert(node, Place::Back, waker, n) };
                    return Poll::Pending;
                }
                State::Queued => {
                    // Whoever has returned them may not have come to granting yet, and this may be
                    // the last poll before a deadline.
                    if self.word().permits() >= n as isize {
                        self.grant();
                        if node.state() != State::Queued {
                            continue;
                        }
                    }
                    // SAFETY: the caller's promise.
                    if unsafe { self.queue.refresh(node, cx) } {
                        return Poll::Pending;
                    }
                }
                State::Granted => {
                    node.reset();
                    return Poll::Ready(());
                }
            }
        }
    }

    /// Under the list lock: takes `n` permits, or sets `QUEUED`. The RMW is the proof that
    /// whoever adds permits later will see it (I4).
    fn take_or_queue(&self, list: &mut List<'_>, n: usize) -> bool {
        // Behind others there is nothing to announce: whoever adds permits sees `QUEUED` already.
        if !list.is_empty() {
            return false;
        }
        let mut word = self.word();
        loop {
            let free = word.permits() >= n as isize;
            let next = if free { word.0 - delta(n) } else { word.0 | QUEUED };
            // Acquire: as in `try_acquire`.
            match self.permits().compare_exchange_weak(
                word.0,
                next,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return free,
                Err(seen) => word = Word(seen),
            }
        }
    }

    /// Ends a wait that has not acquired; permits that it was granted go back.
    ///
    /// # Safety
    ///
    /// `node` is only ever queued on this semaphore.
    #[inline(never)]
    pub(super) unsafe fn cancel(&self, node: Pin<&Node<usize>>) {
        let mut next_fits = false;
        // SAFETY: the caller's promise.
        let (state, _stale) = unsafe {
            self.queue.withdraw(node, |list| {
                if list.is_empty() {
                    // Relaxed: the flag alone; the list lock orders those who change it.
                    self.permits().fetch_and(!QUEUED, Ordering::Relaxed);
                } else {
                    // It may have been the first, and the next one may need less.
                    next_fits = self.is_enough_for_first(list);
                }
            })
        };
        if state == State::Granted {
            self.give_back(node.arg());
        } else if next_fits {
            self.grant();
        }
    }

    /// Returns `n` acquired permits.
    #[inline]
    pub(super) fn give_back(&self, n: usize) {
        // Release: pairs with the Acquire in `try_acquire` and `grant_first`.
        let word = Word(self.permits().fetch_add(delta(n), Ordering::Release));
        if word.is_queued() {
            self.grant();
        }
    }

    /// Gives permits to waiters from the front, as long as they suffice for the first.
    #[cold]
    fn grant(&self) {
        self.serve(self.queue.lock(), 0);
    }

    /// Adds `n` permits, and [grants](Self::grant).
    #[inline]
    fn serve(&self, mut list: List<'_>, n: usize) {
        let Some(waker) = self.grant_first(&mut list, n) else { return };
        let more = self.is_enough_for_first(&mut list);
        drop(list);
        if more {
            self.grant_others(waker);
        } else {
            wake(Some(waker));
        }
    }

    /// Who is left to be woken after `first`, and whoever else has enough permits.
    #[cold]
    fn grant_others(&self, first: Waker) {
        let mut batch = WakeBatch::new();
        batch.push(first);
        self.queue.fill_batch(&mut batch, |list, batch| {
            while !batch.is_full() {
                let Some(waker) = self.grant_first(list, 0) else { return };
                batch.push(waker);
            }
        });
        batch.finish();
    }

    /// Under the list lock: adds `n` permits, and takes what the first waiter wants if that is there,
    /// in one RMW.
    #[inline]
    fn grant_first(&self, list: &mut List<'_>, n: usize) -> Option<Waker> {
        let first = list.front_arg();
        let clear = if list.len() == 1 { QUEUED } else { 0 };
        let mut word = self.word();
        loop {
            let more = word.0 + delta(n);
            let granted = first.filter(|&wanted| Word(more).permits() >= wanted as isize);
            let next = match granted {
                Some(wanted) => (more - delta(wanted)) & !clear,
                None if n == 0 => return None,
                None => more,
            };
            // Release: as in `give_back`. Acquire: pairs with it, on behalf of the waiter.
            match self.permits().compare_exchange_weak(
                word.0,
                next,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return granted.and_then(|_| list.pop(State::Granted)),
                Err(seen) => word = Word(seen),
            }
        }
    }

    /// Under the list lock: whether there are permits enough for the first waiter, if there is one.
    fn is_enough_for_first(&self, list: &mut List<'_>) -> bool {
        list.front_arg().is_some_and(|wanted| self.word().permits() >= wanted as isize)
    }

    pub(super) fn try_release(&self, n: usize) -> Result<(), ReleaseError> {
        let mut list = self.queue.lock();
        // Counted once: more may be forgotten at any time.
        let total = self.forgive(&mut list);
        let limit = list.bound.unwrap_or(MAX_PERMITS);
        if n > MAX_PERMITS || total + n as isize > limit as isize {
            return Err(ReleaseError);
        }
        list.issued = list.issued.wrapping_add(n as isize);
        self.serve(list, n);
        Ok(())
    }

    /// Under the list lock: a debt that nobody is left to pay is no more. Returns the total.
    fn forgive(&self, list: &mut List<'_>) -> isize {
        let total = self.total(list);
        if total >= 0 {
            return total;
        }
        // Relaxed: it only lowers the debt, nobody can acquire what this adds.
        self.permits().fetch_sub(total * PERMIT, Ordering::Relaxed);
        list.issued = list.issued.wrapping_sub(total);
        0
    }

    /// Available (or owed) and outstanding permits together.
    fn total(&self, list: &List<'_>) -> isize {
        // Relaxed: the count alone.
        list.issued.wrapping_sub(self.queue.word.forgotten.load(Ordering::Relaxed))
    }

    /// `n` outstanding permits will never come back.
    #[inline]
    pub(super) fn forget(&self, n: usize) {
        // Relaxed: the count alone.
        self.queue.word.forgotten.fetch_add(n as isize, Ordering::Relaxed);
    }

    /// Takes up to `n` available permits out of circulation.
    pub(super) fn forget_available(&self, n: usize) -> usize {
        loop {
            let mut list = self.queue.lock();
            match self.take_unwanted(&mut list, n) {
                Some(taken) => return taken,
                None => self.serve(list, 0),
            }
        }
    }

    /// Under the list lock: takes up to `n` permits out of circulation. `None`: there are enough for
    /// the first waiter. They are no longer available, though whoever has returned them may not have
    /// come to granting yet.
    fn take_unwanted(&self, list: &mut List<'_>, n: usize) -> Option<usize> {
        let mut word = self.word();
        loop {
            let available = usize::try_from(word.permits()).unwrap_or(0);
            if list.front_arg().is_some_and(|wanted| available >= wanted) {
                return None;
            }
            let taken = available.min(n);
            // Acquire: these permits are acquired, as in `try_acquire`.
            match self.permits().compare_exchange_weak(
                word.0,
                word.0 - delta(taken),
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    list.issued = list.issued.wrapping_sub(taken as isize);
                    return Some(taken);
                }
                Err(seen) => word = Word(seen),
            }
        }
    }

    pub(super) fn resize(&self, total: usize) {
        let mut list = self.queue.lock();
        let change = total as isize - self.total(&list);
        list.issued = list.issued.wrapping_add(change);
        if let Some(bound) = &mut list.bound {
            *bound = total;
        }
        // Release where it grows, as in `give_back`. Below zero it is a debt.
        let word = Word(self.permits().fetch_add(change * PERMIT, Ordering::Release));
        drop(list);
        if word.is_queued() {
            self.grant();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::RawSemaphore;

    #[test]
    fn permits_that_come_back_are_no_signals_and_others_are() {
        let semaphore = RawSemaphore::new(2, None);
        let before = semaphore.signals();
        for _ in 0..3 {
            assert!(semaphore.try_acquire(2));
            semaphore.give_back(2);
        }
        assert_eq!(semaphore.signals(), before);
        for n in 1..4 {
            semaphore.try_release(1).unwrap();
            assert!(semaphore.try_acquire(1));
            semaphore.forget(1);
            assert_eq!(semaphore.signals(), before + n);
        }
    }
}
