//! Mutual exclusion that its owner may take again.
//!
//! # State
//!
//! A [`RawLock`], and beside it one word:
//!
//! ```text
//!   63                                16 15             0
//!  ┌────────────────────────────────────┬────────────────┐
//!  │ owner's id, 0: nobody              │ depth          │
//!  └────────────────────────────────────┴────────────────┘
//! ```
//!
//! | transition | by | how |
//! |---|---|---|
//! | 0 → (me, 1) | who has just taken the raw lock | store |
//! | (me, n) → (me, n + 1), n ≥ 1 | re-entry | thread face: load and store; owner face: CAS |
//! | (me, n + 1) → (me, n), n ≥ 1 | a guard's drop | the same |
//! | (me, 1) → 0 | the last guard's drop, which then releases the raw lock | the same |
//! | (me, n) → 0 → (me, m) | a blocking wait on a condition; n − m guards of the owner are [gone](owed) by then | CAS; store |
//!
//! A thread's guards never leave it and its id is nobody else's, so while the word says "me" only
//! this thread changes it: a plain load and store will do, and re-entry costs no read-modify-write.
//! It is looked at even so: a wait on a condition calls wakers once it has let go of the lock, and
//! they may drop another guard of the waiting thread.
//! An [`Owner`] may be in use on several threads at once, so there every change is a CAS, from a
//! value that says "me". Ids are never reused, so a CAS cannot mistake one hold for another.
//!
//! # Orderings
//!
//! Exclusion between owners is the raw lock's. On the owner face a thread may enter a hold that
//! another thread of the same owner has begun: the store of (me, 1) is a Release, re-entry an
//! Acquire. The last guard to go may be another thread's than the first: each drop is AcqRel, so
//! that the raw lock's Release publishes what all of them have done.
//!
//! # The gap
//!
//! Between taking the raw lock and storing (me, 1), and between storing 0 and releasing the raw lock,
//! the lock is held and the word does not say by whom. An owner that is in use on several threads
//! may not take that for another's hold: it would queue behind itself. It waits for the other
//! thread's next step, as the ring does.
//!
//! # Cancellation
//!
//! The wait is the raw lock's, so is its cancellation. A future that is ready has stored (me, 1) in
//! the same poll.

#![expect(unsafe_code, reason = "the guards, and each wait pairs its node with its own lock")]

mod guard;
mod lend;
mod owed;
mod owner;

pub(crate) use self::guard::Suspended;
pub use self::guard::{OwnerGuard, ReentrantLockGuard};
pub use self::owner::{Owner, OwnerScope};

use self::owner::thread_id;
use crate::error::TimedOut;
use crate::lock::RawLock;
use crate::sys::atomic::{AtomicU64, Ordering};
use crate::sys::{GapWait, Gate, SideTable, const_fn, deadline_after};
use crate::wait::{Node, State, finished};
use futures_core::FusedFuture;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

const DEPTH_BITS: u32 = 16;
const MAX_DEPTH: u64 = (1 << DEPTH_BITS) - 1;

/// A value of the word.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Hold(u64);

impl Hold {
    const NONE: Self = Self(0);

    const fn first(owner: u64) -> Self {
        Self((owner << DEPTH_BITS) | 1)
    }
    const fn owner(self) -> u64 {
        self.0 >> DEPTH_BITS
    }
    const fn depth(self) -> u64 {
        self.0 & MAX_DEPTH
    }
    /// One level deeper, for the same owner.
    #[track_caller]
    fn deeper(self) -> Self {
        assert!(self.depth() < MAX_DEPTH, "bifrons: a reentrant lock held {MAX_DEPTH} times");
        Self(self.0 + 1)
    }
    /// One level less.
    const fn shallower(self) -> Self {
        if self.depth() == 1 { Self::NONE } else { self.shallower_by(1) }
    }
    /// `levels` less, and still a hold.
    const fn shallower_by(self, levels: u64) -> Self {
        Self(self.0 - levels)
    }
}

/// Mutual exclusion that its owner may take again, without waiting for itself.
///
/// The owner is either a thread ([`lock`](ReentrantLock::lock)), or an explicit [`Owner`]
/// ([`lock_async`](ReentrantLock::lock_async), [`lock_as`](ReentrantLock::lock_as)): tasks have no
/// identity of their own that every executor knows. The thread face always means the thread, also
/// inside a polled scope of an owner. Different owners exclude each other, whatever their face.
///
/// As an owner may have several guards at a time, they give `&T` only: put a
/// [`Cell`](std::cell::Cell), a [`RefCell`](std::cell::RefCell) or an atomic inside. (A thread that has
/// several and waits on a [`Condition`](crate::Condition#reentrant-locks) wants the cell outermost.)
///
/// # Fairness
///
/// That of [`Lock`](crate::Lock#fairness). Whether a call is a re-entry is decided when it is made,
/// and again at each poll; a wait that is queued is not woken because its owner has meanwhile
/// locked on another thread.
///
/// # Memory effects
///
/// Everything done while holding the lock happens before everything done by the next owner.
///
/// # Panics
///
/// At a depth of 65 535 a further lock panics and changes nothing.
///
/// # Examples
///
/// ```
/// use bifrons::{Owner, ReentrantLock};
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// let lock = ReentrantLock::new(AtomicU32::new(0));
/// let outer = lock.lock();
/// let inner = lock.lock();
/// inner.fetch_add(1, Ordering::Relaxed);
/// assert_eq!(lock.depth(), 2);
/// drop((outer, inner));
///
/// let owner = Owner::new();
/// futures::executor::block_on(async {
///     let outer = lock.lock_async(&owner).await;
///     let inner = lock.lock_async(&owner).await;
///     assert_eq!(inner.load(Ordering::Relaxed), 1);
///     assert!(lock.try_lock().is_none(), "this thread is another owner");
/// #   drop(outer);
/// });
/// ```
pub struct ReentrantLock<T: ?Sized> {
    raw: RawLock,
    hold: AtomicU64,
    gate: Gate,
    owed: SideTable,
    data: T,
}

// SAFETY: the value moves with the lock.
unsafe impl<T: ?Sized + Send> Send for ReentrantLock<T> {}
// SAFETY: guards of the thread face stay on one thread, which alone gets `&T` while it holds: `T:
// Send` suffices. It may keep what it has borrowed, and let another thread have the lock, in a wait
// on a condition with one of several guards, which the others outlive: such a wait is refused if the
// value is not to be lent twice. The owner face, where several threads may have `&T` at a time, asks
// for `T: Sync`; that bound also keeps tasks, and with them wakers of the user's, from the queue of
// any other lock, so a thread that waits there runs nothing that uses what it has borrowed.
unsafe impl<T: ?Sized + Send> Sync for ReentrantLock<T> {}

impl<T> ReentrantLock<T> {
    const_fn! {
        /// A free lock around `value`.
        pub const fn new(value: T) -> Self {
            Self {
                raw: RawLock::new(),
                hold: AtomicU64::new(0),
                gate: Gate::new(),
                owed: SideTable::new(),
                data: value,
            }
        }
    }

    /// The value, without locking: nobody else can have the lock.
    pub fn into_inner(self) -> T {
        self.data
    }
}

impl<T: ?Sized> ReentrantLock<T> {
    fn hold(&self) -> Hold {
        // Relaxed: says "me" only if I wrote it, or another thread of my owner did, and then
        // re-entry is a CAS with its own ordering.
        Hold(self.hold.load(Ordering::Relaxed))
    }

    /// Re-entry of the thread face. No RMW: see the module's documentation.
    #[inline]
    fn reenter(&self, me: u64) -> bool {
        let hold = self.hold();
        if hold.owner() != me {
            return false;
        }
        self.hold.store(hold.deeper().0, Ordering::Relaxed);
        true
    }

    /// Re-entry of the owner face.
    fn reenter_shared(&self, me: u64) -> bool {
        let mut hold = self.hold();
        while hold.owner() == me {
            // Acquire: pairs with the Release in `begin`, by whichever thread.
            match self.hold.compare_exchange_weak(
                hold.0,
                hold.deeper().0,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(seen) => hold = Hold(seen),
            }
        }
        false
    }

    /// The raw lock has just been taken.
    #[inline]
    fn begin(&self, hold: Hold) {
        let _gap = self.gate.enter();
        // Release: pairs with the Acquire in `reenter_shared`.
        self.hold.store(hold.0, Ordering::Release);
    }

    /// The word says that nobody holds the lock: releases it. The end of the gap.
    #[inline]
    fn release(&self) {
        let _gap = self.gate.enter();
        self.raw.unlock();
    }

    /// Enters for an owner that other threads may use too: at once, or not at all. `Err` with what
    /// keeps it out: another owner, or (`true`) a thread in its gap, which may be of the same, or
    /// nobody any more.
    fn enter_shared(&self, me: u64) -> Result<(), bool> {
        if self.reenter_shared(me) {
            return Ok(());
        }
        if self.raw.try_lock() {
            self.begin(Hold::first(me));
            return Ok(());
        }
        let hold = self.hold();
        Err(hold.owner() == me || (hold == Hold::NONE && !self.raw.is_reserved_by_bar()))
    }

    /// [`enter_shared`](Self::enter_shared), waiting for threads to leave their gaps. `false`:
    /// another owner has the lock.
    fn try_enter_shared(&self, me: u64) -> bool {
        let mut gap = GapWait::new();
        loop {
            match self.enter_shared(me) {
                Ok(()) => return true,
                Err(true) => gap.pause(&self.gate),
                Err(false) => return false,
            }
        }
    }

    /// Locks on this thread if that is possible at once. Re-entry is, up to the greatest depth.
    ///
    /// # Panics
    ///
    /// As [`lock`](ReentrantLock::lock).
    #[inline]
    #[must_use = "the lock is released again at once"]
    pub fn try_lock(&self) -> Option<ReentrantLockGuard<'_, T>> {
        let me = thread_id();
        if self.reenter(me) {
            return Some(ReentrantLockGuard::new(self, me));
        }
        self.raw.try_lock().then(|| {
            self.begin(Hold::first(me));
            ReentrantLockGuard::new(self, me)
        })
    }

    /// Locks on this thread, waiting as long as it takes while another owner holds the lock.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits. In a task it waits for ever if the holder is an [`Owner`]
    /// whose task needs this very thread to go on.
    ///
    /// # Panics
    ///
    /// At a depth of 65 535; nothing has changed then.
    #[inline]
    pub fn lock(&self) -> ReentrantLockGuard<'_, T> {
        let me = thread_id();
        if !self.reenter(me) {
            self.raw.lock();
            self.begin(Hold::first(me));
        }
        ReentrantLockGuard::new(self, me)
    }

    /// [`lock`](ReentrantLock::lock) for at most `timeout`; zero only tries, and what the clock
    /// cannot represent waits for ever.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if the lock was not to be had in time.
    ///
    /// # Panics
    ///
    /// As [`lock`](ReentrantLock::lock).
    pub fn lock_timeout(&self, timeout: Duration) -> Result<ReentrantLockGuard<'_, T>, TimedOut> {
        self.lock_until(deadline_after(timeout))
    }

    /// [`lock`](ReentrantLock::lock) until `deadline`.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if the lock was not to be had in time.
    ///
    /// # Panics
    ///
    /// As [`lock`](ReentrantLock::lock).
    pub fn lock_deadline(&self, deadline: Instant) -> Result<ReentrantLockGuard<'_, T>, TimedOut> {
        self.lock_until(Some(deadline))
    }

    fn lock_until(&self, deadline: Option<Instant>) -> Result<ReentrantLockGuard<'_, T>, TimedOut> {
        let me = thread_id();
        if !self.reenter(me) {
            if !self.raw.lock_until(deadline) {
                return Err(TimedOut);
            }
            self.begin(Hold::first(me));
        }
        Ok(ReentrantLockGuard::new(self, me))
    }

    /// The value, without locking: nobody else can have the lock.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.data
    }

    /// How many guards the present owner has, whoever it is; 0 if nobody holds the lock: a
    /// snapshot.
    pub fn depth(&self) -> u32 {
        self.hold().depth() as u32
    }

    /// Whether somebody holds the lock: a snapshot.
    pub fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    /// Whether this thread holds the lock, by the thread face.
    pub fn is_owned_by_current_thread(&self) -> bool {
        self.hold().owner() == thread_id()
    }

    /// Whether `owner` holds the lock: a snapshot, if the owner is in use on other threads.
    pub fn is_owned_by(&self, owner: &Owner) -> bool {
        self.hold().owner() == owner.id()
    }

    /// How many threads and tasks are registered and not yet woken: a snapshot.
    pub fn waiting(&self) -> usize {
        self.raw.waiting()
    }
}

impl<T: ?Sized + Sync> ReentrantLock<T> {
    /// Locks for `owner` if that is possible at once. Re-entry is, up to the greatest depth.
    ///
    /// It waits for no event, but may spin while another thread is half-way through a lock or an
    /// unlock, which may be its own owner's.
    ///
    /// # Panics
    ///
    /// As [`lock`](ReentrantLock::lock).
    #[must_use = "the lock is released again at once"]
    pub fn try_lock_as(&self, owner: &Owner) -> Option<OwnerGuard<'_, T>> {
        let me = owner.id();
        self.try_enter_shared(me).then(|| OwnerGuard::new(self, me))
    }

    /// Blocking face of [`lock_async`](ReentrantLock::lock_async); same contract.
    ///
    /// Re-entry is decided when the wait begins, and at a deadline once more: a thread that waits
    /// already is not let in when another one enters for the same owner, but after it.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Panics
    ///
    /// As [`lock`](ReentrantLock::lock).
    pub fn lock_as(&self, owner: &Owner) -> OwnerGuard<'_, T> {
        let me = owner.id();
        if !self.try_enter_shared(me) {
            self.raw.lock();
            self.begin(Hold::first(me));
        }
        OwnerGuard::new(self, me)
    }

    /// [`lock_as`](ReentrantLock::lock_as) for at most `timeout`.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if the lock was not to be had in time.
    ///
    /// # Panics
    ///
    /// As [`lock`](ReentrantLock::lock).
    pub fn lock_as_timeout(
        &self,
        owner: &Owner,
        timeout: Duration,
    ) -> Result<OwnerGuard<'_, T>, TimedOut> {
        self.lock_as_until(owner, deadline_after(timeout))
    }

    /// [`lock_as`](ReentrantLock::lock_as) until `deadline`.
    ///
    /// # Blocking
    ///
    /// Parks this thread while it waits.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if the lock was not to be had in time.
    ///
    /// # Panics
    ///
    /// As [`lock`](ReentrantLock::lock).
    pub fn lock_as_deadline(
        &self,
        owner: &Owner,
        deadline: Instant,
    ) -> Result<OwnerGuard<'_, T>, TimedOut> {
        self.lock_as_until(owner, Some(deadline))
    }

    fn lock_as_until(
        &self,
        owner: &Owner,
        deadline: Option<Instant>,
    ) -> Result<OwnerGuard<'_, T>, TimedOut> {
        let me = owner.id();
        if !self.try_enter_shared(me) {
            if self.raw.lock_until(deadline) {
                self.begin(Hold::first(me));
            } else if !self.try_enter_shared(me) {
                return Err(TimedOut);
            }
        }
        Ok(OwnerGuard::new(self, me))
    }

    /// Locks for `owner`, waiting as a task of any executor while another owner holds the lock.
    ///
    /// Who passes the same owner shares its holds: the branches of one `join!` that use one owner
    /// do not exclude each other. Give each branch an owner of its own, such as a
    /// [`child`](Owner::child).
    ///
    /// # Cancel safety
    ///
    /// As for [`Lock::lock_async`](crate::Lock::lock_async).
    ///
    /// # Panics
    ///
    /// When polled, at a depth of 65 535; nothing has changed then.
    pub fn lock_async(&self, owner: &Owner) -> ReentrantLockFuture<'_, T> {
        ReentrantLockFuture::new(self, owner.id())
    }

    /// [`lock_async`](ReentrantLock::lock_async) for the owner whose [`scope`](Owner::scope) this
    /// is.
    ///
    /// # Cancel safety
    ///
    /// As for [`Lock::lock_async`](crate::Lock::lock_async).
    ///
    /// # Panics
    ///
    /// Outside a scope; and when polled, as [`lock_async`](ReentrantLock::lock_async).
    #[track_caller]
    pub fn lock_async_scoped(&self) -> ReentrantLockFuture<'_, T> {
        let Some(owner) = Owner::current() else {
            panic!(
                "bifrons: `lock_async_scoped` outside a scope: \
                 wrap the future in `owner.scope(..)`, or pass the owner to `lock_async`"
            );
        };
        self.lock_async(&owner)
    }
}

impl<T: Default> Default for ReentrantLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for ReentrantLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for ReentrantLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("ReentrantLock");
        let (depth, waiting) = (self.depth(), self.waiting());
        out.field("depth", &depth).field("waiting", &waiting);
        // One more hold, for the value; none is to be had at the greatest depth.
        let guard = if u64::from(depth) < MAX_DEPTH { self.try_lock() } else { None };
        match &guard {
            Some(guard) => out.field("data", &&**guard),
            None => out.field("data", &format_args!("<locked>")),
        };
        out.finish()
    }
}

pin_project! {
    /// The future of [`ReentrantLock::lock_async`] and [`ReentrantLock::lock_async_scoped`].
    #[must_use = "futures do nothing unless polled"]
    pub struct ReentrantLockFuture<'a, T: ?Sized> {
        // `None` after completion.
        lock: Option<&'a ReentrantLock<T>>,
        owner: u64,
        #[pin]
        node: Node,
    }

    impl<T: ?Sized> PinnedDrop for ReentrantLockFuture<'_, T> {
        #[inline]
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(lock) = this.lock.take() {
                // SAFETY: the node is only ever queued on this lock.
                unsafe { lock.raw.cancel(this.node.as_ref()) };
            }
        }
    }
}

impl<'a, T: ?Sized> ReentrantLockFuture<'a, T> {
    fn new(lock: &'a ReentrantLock<T>, owner: u64) -> Self {
        Self { lock: Some(lock), owner, node: Node::new(()) }
    }
}

impl<'a, T: ?Sized + Sync> Future for ReentrantLockFuture<'a, T> {
    type Output = OwnerGuard<'a, T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (Some(lock), me) = (*this.lock, *this.owner) else { finished("ReentrantLockFuture") };
        let mut gap = GapWait::new();
        let entered = loop {
            match lock.enter_shared(me) {
                Ok(()) => break true,
                Err(false) => break false,
                Err(true) if gap.pause_briefly(&lock.gate) => {}
                Err(true) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        };
        let guard = if entered {
            // Before the waker is dropped, which may panic.
            let guard = OwnerGuard::new(lock, me);
            // It may have been queued, or even woken, behind another owner.
            if this.node.state() != State::Idle {
                // SAFETY: the node is only ever queued on this lock.
                unsafe { lock.raw.leave_queue(this.node.as_ref()) };
            }
            guard
        } else {
            let own = || {
                lock.begin(Hold::first(me));
                OwnerGuard::new(lock, me)
            };
            // SAFETY: the node is only ever queued on this lock; `drop` cancels.
            ready!(unsafe { lock.raw.poll(this.node.as_ref(), false, cx, own) })
        };
        *this.lock = None;
        Poll::Ready(guard)
    }
}

impl<T: ?Sized + Sync> FusedFuture for ReentrantLockFuture<'_, T> {
    fn is_terminated(&self) -> bool {
        self.lock.is_none()
    }
}

impl<T: ?Sized> fmt::Debug for ReentrantLockFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReentrantLockFuture").field("wait", &self.node).finish_non_exhaustive()
    }
}
