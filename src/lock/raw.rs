//! The protocol of [`Lock`](super::Lock), without the data: 16 bytes.
//!
//! # The word
//!
//! ```text
//!   9       4    3        2       1       0
//!  ┌─────────┬────────┬────────┬───────┬────────┐
//!  │ skipped │ QUEUED │ BARRED │ WOKEN │ LOCKED │
//!  └─────────┴────────┴────────┴───────┴────────┘
//! ```
//!
//! | bits | meaning | set by | cleared by |
//! |---|---|---|---|
//! | `LOCKED` | somebody owns the lock, or it is reserved for a granted waiter | who takes it, by CAS | `unlock`, by the RMW that lets go |
//! | `WOKEN` | a notified waiter is on its way, or about to be | `wake_next`, holding the list lock; `unlock`, in the RMW that lets go, before it looks for one | that waiter when it takes the lock, queues again or goes away; a queued one that is polled; `confirm`, holding the list lock, if there is none to wake |
//! | `BARRED` | newcomers queue: a blocked thread lost its patience | that thread | that thread, when it has the lock or goes away |
//! | `QUEUED` | the list is not empty | under the list lock only (I1) | under the list lock only |
//! | skipped | unlocks in a row that left the wake-up to the waiter on its way, or to the next owner | `unlock`, in the RMW that lets go; `confirm`, holding the list lock | `wake_next`; the waiter when it arrives; `confirm` of the last waiter; who takes a lock that has no waiters |
//!
//! # Who wakes whom
//!
//! The lock barges: `unlock` lets go first and then wakes the first waiter, which competes. As a
//! rule one notified waiter is on its way at a time (the designated waker): it either takes the
//! lock, and then its own `unlock` wakes the next; or it finds the lock taken, and queues again at
//! the front in the same RMW that clears `WOKEN`, so that the owner's `unlock` sees it; or it is
//! dropped, and passes the wake-up on. Hence the invariant: *a free lock with waiters has `WOKEN`
//! set and a waiter on its way, or an `unlock` or a drop on its way to wake one, or is barred by a
//! thread that looks again*.
//!
//! An `unlock` that sees waiters, and none on its way, sets `WOKEN` as it lets go: one RMW less. Until
//! it has taken the first one out nobody else wakes; so if it finds nobody left to be woken, or no
//! need to because the lock is taken, it takes `WOKEN` back, and the latter while the lock is taken:
//! that owner's `unlock` sees it.
//!
//! The waiter on its way may be a future that nobody polls. So every [`SKIP_LIMIT`] + 1
//! unlocks one more waiter is woken, and every poll tries the word first, notified or not; one that
//! is still queued clears `WOKEN`, whether it takes the lock or finds it taken. So of two waiters of
//! one task that are queued it does not matter which one is polled (tokio#6450, async-lock#91). One
//! that queues while another one of its task is on its way leaves `WOKEN` alone: if that one is kept
//! and not polled, the new one waits for the unlock after the next [`SKIP_LIMIT`]. To clear it would
//! cost a wake-up per newcomer wherever tasks contend.
//!
//! # Patience
//!
//! A blocked thread that has waited for [`patience`] sets `BARRED`. From then on newcomers queue, no
//! unlock skips, and each wakes the front: first come, first served, until that thread had its
//! turn or went away. The front may be a future that nobody polls, and then the lock is free while
//! newcomers queue; so the thread that bars looks every now and then, and may take a free lock from
//! wherever it stands. One thread bars at a time; another impatient one looks again later, and the
//! later the more there are: who waits behind many for long shall not keep the CPU busy.
//!
//! # Handing over
//!
//! Only [`RawLock::unlock_fair`] gives the lock to a waiter: `LOCKED` stays, the node is
//! `Granted`. A granted waiter that is dropped hands over in the same way.
//!
//! # Orderings
//!
//! Taking the lock is an Acquire RMW, letting go a Release RMW, on the same word; RMWs in between
//! continue the release sequence. A handed over lock travels through the node's state, Release to
//! Acquire. All decisions to sleep are RMWs on this word under the list lock, or looks at it
//! behind others (I4).

#![expect(unsafe_code, reason = "each wait uses one node with one queue")]

use crate::sys::atomic::{AtomicU32, Ordering};
use crate::sys::{SKIP_LIMIT, Spin, const_fn, is_past, patience};
use crate::wait::{Finally, Locked, Node, Place, State, WaitQueue, discard, drive_by, wake};
use pin_project_lite::pin_project;
use std::mem;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

const LOCKED: u32 = 1;
const WOKEN: u32 = 1 << 1;
const BARRED: u32 = 1 << 2;
const QUEUED: u32 = 1 << 3;
const SKIPPED_ONE: u32 = 1 << 4;
const SKIPPED: u32 = 0b11_1111 << 4;

/// A value of the word.
#[derive(Clone, Copy)]
struct Word(u32);

impl Word {
    const fn is_locked(self) -> bool {
        self.0 & LOCKED != 0
    }
    const fn is_woken(self) -> bool {
        self.0 & WOKEN != 0
    }
    const fn is_barred(self) -> bool {
        self.0 & BARRED != 0
    }
    const fn skipped(self) -> u32 {
        (self.0 & SKIPPED) / SKIPPED_ONE
    }
    const fn is_queued(self) -> bool {
        self.0 & QUEUED != 0
    }
}

/// How a waiter comes to the word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comer {
    /// For the first time, or while still queued: barred newcomers wait.
    New,
    /// While still queued, having barred the others.
    Barring,
    /// Notified: it may pass the bar, and it clears `WOKEN`.
    Notified,
}

impl Comer {
    const fn may_take(self, word: Word) -> bool {
        !word.is_locked() && (!word.is_barred() || !matches!(self, Self::New))
    }
    /// The bits that its arrival clears.
    const fn clears(self) -> u32 {
        match self {
            Self::New | Self::Barring => 0,
            Self::Notified => WOKEN | SKIPPED,
        }
    }
}

/// Lets go if it is dropped: for the owner who is not a guard yet.
pub(super) struct Taken<'a>(&'a RawLock);

impl Taken<'_> {
    /// The owner is a guard.
    #[inline]
    pub(super) fn keep(self) {
        mem::forget(self);
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.unlock();
    }
}

pub(crate) struct RawLock {
    queue: WaitQueue<AtomicU32>,
}

type List<'a> = Locked<'a, AtomicU32, ()>;

impl RawLock {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self { queue: WaitQueue::new(AtomicU32::new(0), ()) }
        }
    }

    #[inline]
    fn word(&self) -> Word {
        // Relaxed: a look; whatever is decided on it is decided again by an RMW.
        Word(self.queue.word.load(Ordering::Relaxed))
    }

    pub(crate) fn is_locked(&self) -> bool {
        self.word().is_locked()
    }

    /// Free, but newcomers have to queue.
    pub(crate) fn is_reserved_by_bar(&self) -> bool {
        let word = self.word();
        !word.is_locked() && word.is_barred()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.queue.lock().len()
    }

    #[inline]
    pub(crate) fn try_lock(&self) -> bool {
        self.try_take_idle() || self.try_take(Comer::New)
    }

    /// Takes the lock if it is free and nobody is about.
    #[inline]
    fn try_take_idle(&self) -> bool {
        // Acquire: pairs with the Release in `unlock`; makes the guarded data visible. Relaxed on
        // failure: nothing was taken.
        self.queue.word.compare_exchange(0, LOCKED, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Takes the lock if it is free for this comer.
    #[inline]
    fn try_take(&self, comer: Comer) -> bool {
        let mut word = self.word();
        while comer.may_take(word) {
            // What was skipped for a waiter that has gone would keep `try_take_idle` from its try.
            let old = if word.0 & (WOKEN | QUEUED) == 0 { SKIPPED } else { 0 };
            // Orderings as in `try_take_idle`.
            match self.queue.word.compare_exchange_weak(
                word.0,
                (word.0 | LOCKED) & !(comer.clears() | old),
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(seen) => word = Word(seen),
            }
        }
        false
    }

    /// Lets go. The caller owns the lock.
    #[inline]
    pub(crate) fn unlock(&self) {
        // No look first: it would wait for the RMW before it, and fetch the line from those who spin,
        // and then this would once more.
        // Release: pairs with the Acquire in `try_take`; publishes the guarded data. Relaxed on
        // failure: nothing was let go.
        let idle =
            self.queue.word.compare_exchange(LOCKED, 0, Ordering::Release, Ordering::Relaxed);
        if let Err(seen) = idle {
            self.unlock_contended(Word(seen));
        }
    }

    #[cold]
    fn unlock_contended(&self, word: Word) {
        if !word.is_queued() {
            // Release: as in `unlock`.
            let word = Word(self.queue.word.fetch_sub(LOCKED, Ordering::Release));
            return self.wake_after(word, false);
        }
        if !word.is_woken() && !word.is_barred() && self.unlock_announcing(word) {
            return self.wake_announced();
        }
        let exhausted = word.is_woken() && word.skipped() >= SKIP_LIMIT;
        let skip = word.is_woken() && !word.is_barred() && !exhausted;
        // One RMW lets go and counts. Besides the owner only `confirm` counts, up to the limit, so the
        // field does not overflow.
        let minus = if skip { LOCKED.wrapping_sub(SKIPPED_ONE) } else { LOCKED };
        // Release: as in `unlock`.
        let word = Word(self.queue.word.fetch_sub(minus, Ordering::Release));
        self.wake_after(word, exhausted);
    }

    /// Lets go, and announces a wake-up. `false`: the word is not what it was.
    fn unlock_announcing(&self, word: Word) -> bool {
        let next = (word.0 | WOKEN) & !LOCKED;
        // Release: as in `unlock`. Relaxed on failure: nothing was let go.
        let done =
            self.queue.word.compare_exchange(word.0, next, Ordering::Release, Ordering::Relaxed);
        done.is_ok()
    }

    /// Wakes the first waiter, as announced, unless that is needless.
    fn wake_announced(&self) {
        let mut list = self.queue.lock();
        let waker = if self.confirm(&list) { list.pop(State::Notified) } else { None };
        drop(list);
        wake(waker);
    }

    /// Under the list lock: whether the announced wake-up is to come. If not it is taken back: there
    /// are no waiters, or the next owner will wake, unless that has gone on for long.
    fn confirm(&self, list: &List<'_>) -> bool {
        let len = list.len();
        let mut word = self.word();
        loop {
            let left_to_owner = word.is_locked() && word.skipped() < SKIP_LIMIT;
            let next = match len {
                0 => word.0 & !(WOKEN | SKIPPED),
                _ if left_to_owner => (word.0 & !WOKEN) + SKIPPED_ONE,
                1 => word.0 & !(QUEUED | SKIPPED),
                _ => return true,
            };
            // Relaxed: as in `note_wake_up`.
            match self.queue.word.compare_exchange_weak(
                word.0,
                next,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return len > 0 && !left_to_owner,
                Err(seen) => word = Word(seen),
            }
        }
    }

    /// Wakes whom an unlock that found `word` has to wake.
    #[cold]
    fn wake_after(&self, word: Word, exhausted: bool) {
        // Not from the look before: the bar may have been set in between, and then nobody else
        // wakes the thread that has set it.
        let force = exhausted || word.is_barred();
        if word.is_queued() && (force || !word.is_woken()) {
            self.wake_next(force);
        }
    }

    /// Wakes the first waiter, unless the next owner will or somebody is on the way already;
    /// `force` wakes it all the same.
    #[cold]
    fn wake_next(&self, force: bool) {
        let mut list = self.queue.lock();
        let word = self.word();
        let waker = if list.is_empty() || (!force && (word.is_locked() || word.is_woken())) {
            None
        } else {
            self.note_wake_up(list.len() == 1);
            list.pop(State::Notified)
        };
        drop(list);
        wake(waker);
    }

    /// Under the list lock: the first waiter is about to be notified. Not later: it may clear
    /// `WOKEN` as soon as it knows.
    fn note_wake_up(&self, is_last: bool) {
        let clear = if is_last { SKIPPED | QUEUED } else { SKIPPED };
        let mut word = self.word();
        // Relaxed: the list lock orders those who queue; the bits are read by RMWs.
        while let Err(seen) = self.queue.word.compare_exchange_weak(
            word.0,
            (word.0 | WOKEN) & !clear,
            Ordering::Relaxed,
            Ordering::Relaxed,
        ) {
            word = Word(seen);
        }
    }

    /// Under the list lock: a waiter has left.
    #[inline]
    fn note_departure(list: &mut List<'_>) {
        if list.is_empty() {
            // Relaxed: the list lock orders those who queue.
            list.word().fetch_and(!QUEUED, Ordering::Relaxed);
        }
    }

    /// Lets go in favour of the first registered waiter, which then owns the lock.
    pub(crate) fn unlock_fair(&self) {
        let mut list = self.queue.lock();
        if list.is_empty() {
            drop(list);
            return self.unlock();
        }
        // Release, in the node's state: publishes the guarded data to the new owner.
        let waker = list.pop(State::Granted);
        Self::note_departure(&mut list);
        drop(list);
        wake(waker);
    }

    /// Tries for the lock, else queues `node`. A `barring` waiter has barred newcomers. `own` makes the
    /// guard, before a waker is dropped that is not needed any more: that is user code.
    ///
    /// # Safety
    ///
    /// `node` is only ever queued on this lock, and [`RawLock::cancel`] is called before it is
    /// freed.
    #[inline]
    pub(crate) unsafe fn poll<G>(
        &self,
        node: Pin<&Node>,
        barring: bool,
        cx: &Context<'_>,
        own: impl FnOnce() -> G,
    ) -> Poll<G> {
        if node.state() == State::Idle && self.try_take_idle() {
            return Poll::Ready(own());
        }
        // SAFETY: the caller's promise.
        unsafe { self.poll_slow(node, barring, cx, own) }
    }

    /// For a future that makes its guard at the end.
    ///
    /// # Safety
    ///
    /// As for [`RawLock::poll`].
    #[inline]
    pub(super) unsafe fn poll_take(&self, node: Pin<&Node>, cx: &Context<'_>) -> Poll<Taken<'_>> {
        // SAFETY: the caller's promise.
        unsafe { self.poll(node, false, cx, || Taken(self)) }
    }

    /// # Safety
    ///
    /// As for [`RawLock::poll`].
    unsafe fn poll_slow<G>(
        &self,
        node: Pin<&Node>,
        barring: bool,
        cx: &Context<'_>,
        own: impl FnOnce() -> G,
    ) -> Poll<G> {
        loop {
            let comer = match node.state() {
                State::Idle => Comer::New,
                State::Queued => {
                    let comer = if barring { Comer::Barring } else { Comer::New };
                    if self.try_take(comer) {
                        let guard = own();
                        // SAFETY: the caller's promise.
                        unsafe { self.leave_queue(node) };
                        return Poll::Ready(guard);
                    }
                    if self.discount(comer) {
                        continue;
                    }
                    // SAFETY: the caller's promise.
                    if unsafe { self.queue.refresh(node, cx) } {
                        return Poll::Pending;
                    }
                    continue;
                }
                State::Notified => Comer::Notified,
                State::Granted => {
                    node.reset();
                    return Poll::Ready(own());
                }
            };
            if self.try_take(comer) {
                node.reset();
                return Poll::Ready(own());
            }
            let waker = cx.waker().clone();
            // SAFETY: the caller's promise; neither idle nor notified is queued.
            return unsafe { self.enqueue(node, comer, waker, own) };
        }
    }

    /// A queued waiter is polled and cannot take the lock. Its wake-up may have been that of another
    /// waiter of the same task, so from now on that one is not on its way any more: the owner's
    /// `unlock` wakes the first. Whether there is none, and the lock can be taken.
    fn discount(&self, comer: Comer) -> bool {
        // Relaxed: as in `pass_on`.
        self.word().is_woken()
            && comer.may_take(Word(self.queue.word.fetch_and(!WOKEN, Ordering::Relaxed)))
    }

    /// Decides under the list lock between taking the lock and sleeping for it.
    ///
    /// # Safety
    ///
    /// As for [`RawLock::poll`]; `node` is in no list.
    unsafe fn enqueue<G>(
        &self,
        node: Pin<&Node>,
        comer: Comer,
        waker: Waker,
        own: impl FnOnce() -> G,
    ) -> Poll<G> {
        let mut list = self.queue.lock_for_insert();
        let mut word = self.word();
        let free = loop {
            let free = comer.may_take(word);
            // Behind others a newcomer has nothing to announce: as long as there are waiters,
            // somebody wakes the first.
            if !free && word.is_queued() && comer.clears() == 0 {
                break false;
            }
            let next = if free { word.0 | LOCKED } else { word.0 | QUEUED };
            // Acquire: as in `try_take_idle`. The RMW is the proof that the owner, whose `unlock`
            // changes this word later, will see the waiter (I4).
            match self.queue.word.compare_exchange_weak(
                word.0,
                next & !comer.clears(),
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => break free,
                Err(seen) => word = Word(seen),
            }
        };
        if free {
            drop(list);
            node.reset();
            let guard = own();
            discard(Some(waker));
            return Poll::Ready(guard);
        }
        // Who was notified and lost goes back to the front.
        let place = if comer == Comer::Notified { Place::Front } else { Place::Back };
        // SAFETY: in no list, and the caller's promise.
        unsafe { list.insert(node, place, waker, ()) };
        Poll::Pending
    }

    /// The caller has entered the lock, and has waited for it at `node`: queued, or woken and here by
    /// another way. Whoever else is on its way may belong to its own task, which does not poll it; so
    /// the next `unlock` wakes the first, in any case.
    ///
    /// # Safety
    ///
    /// `node` is only ever queued on this lock.
    pub(crate) unsafe fn leave_queue(&self, node: Pin<&Node>) {
        debug_assert_ne!(node.state(), State::Granted, "a reserved lock has no other owner");
        // SAFETY: the caller's promise.
        let _stale = unsafe { self.queue.withdraw(node, Self::note_departure) };
        if self.word().is_woken() {
            self.pass_on();
        }
    }

    /// Nobody is relied on to be on its way: the next `unlock` wakes the first waiter. If the lock is
    /// free, also because another thread of a reentrant owner has ended its hold, this does.
    fn pass_on(&self) {
        // Relaxed: if the lock is taken, its owner's `unlock` reads this later in the order of the
        // word.
        let word = Word(self.queue.word.fetch_and(!WOKEN, Ordering::Relaxed));
        if !word.is_locked() && word.is_queued() {
            self.wake_next(false);
        }
    }

    /// Ends a wait that has not taken the lock; what the waiter was given goes to the next.
    ///
    /// # Safety
    ///
    /// `node` is only ever queued on this lock.
    #[inline(never)]
    pub(crate) unsafe fn cancel(&self, node: Pin<&Node>) {
        // SAFETY: the caller's promise.
        let (state, _stale) = unsafe { self.queue.withdraw(node, Self::note_departure) };
        match state {
            State::Idle | State::Queued => {}
            State::Notified => self.pass_on(),
            State::Granted => self.unlock_fair(),
        }
    }

    /// The blocking face.
    #[inline]
    pub(crate) fn lock(&self) {
        if !self.try_take_idle() {
            let locked = self.lock_until(None);
            debug_assert!(locked, "there is no deadline");
        }
    }

    /// The blocking and the timed face: `false` if the deadline passed first.
    #[cold]
    pub(crate) fn lock_until(&self, deadline: Option<Instant>) -> bool {
        let mut spin = Spin::on_contended_word();
        loop {
            // It looks before it tries: a failed RMW would take the word from its owner's cache.
            if self.try_take(Comer::New) {
                return true;
            }
            if deadline.is_some_and(is_past) {
                return false;
            }
            if self.word().is_queued() || !spin.again() {
                break;
            }
        }
        let mut wait = pin!(ThreadWait { lock: self, node: Node::new(()), barring: false });
        let mut is_patient = true;
        loop {
            // Who bars is the one that looks often.
            let crowd = || if wait.barring { 0 } else { self.waiting() };
            let (limit, is_deadline) = patience(deadline, is_patient, crowd);
            // Who has waited for long sleeps at once.
            let spin = if is_patient { Spin::new() } else { Spin::none() };
            if drive_by(wait.as_mut(), limit, spin).is_some() {
                return true;
            }
            if is_deadline {
                return false;
            }
            wait.as_mut().bar();
            is_patient = false;
        }
    }
}

pin_project! {
    /// A blocked thread's wait: it may lose its patience.
    struct ThreadWait<'a> {
        lock: &'a RawLock,
        #[pin]
        node: Node,
        barring: bool,
    }

    impl PinnedDrop for ThreadWait<'_> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            let lock: &RawLock = this.lock;
            // After the cancel, also if a waker that it calls panics.
            let _unbar = this.barring.then(|| Finally::new(|| lock.unbar()));
            // SAFETY: the node is only ever queued on this lock.
            unsafe { lock.cancel(this.node.as_ref()) };
        }
    }
}

impl ThreadWait<'_> {
    /// Makes newcomers queue, if nobody does so yet.
    fn bar(self: Pin<&mut Self>) {
        let this = self.project();
        let mut word = this.lock.word();
        while !*this.barring && !word.is_barred() {
            // Relaxed: the bit publishes nothing. The RMW is the proof that the `unlock` of an owner
            // finds it in its own RMW, and wakes; a free lock is taken by the poll that follows, or
            // by somebody who becomes such an owner.
            match this.lock.queue.word.compare_exchange_weak(
                word.0,
                word.0 | BARRED,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => *this.barring = true,
                Err(seen) => word = Word(seen),
            }
        }
    }
}

impl Future for ThreadWait<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        // SAFETY: the node is only ever queued on this lock, and `Drop` cancels.
        unsafe { this.lock.poll(this.node.as_ref(), *this.barring, cx, || ()) }
    }
}

impl RawLock {
    /// The impatient thread has the lock, or has given up.
    fn unbar(&self) {
        // Relaxed: newcomers decide by an RMW on the same word.
        let word = Word(self.queue.word.fetch_and(!BARRED, Ordering::Relaxed));
        if !word.is_locked() && word.is_queued() {
            // They queued at a free lock because of us, perhaps behind a future that nobody polls.
            self.wake_next(true);
        }
    }
}
