//! The list of waiters, the lock that guards it, and beside them the word that its owner decides
//! on: one struct, so that the compiler packs a whole `Lock` into 16 bytes.

#![expect(unsafe_code, reason = "pairs a node with the one list that it stands in")]

use super::batch::{Stale, WakeBatch, discard};
use super::list::{List, Node, Place, State};
use crate::sys::{Mutex, MutexGuard, UnsafeCell, const_fn};
use std::ops::{Deref, DerefMut};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Waker};

/// `W` is for everyone (atomics), `S` for whoever holds the list lock.
pub(crate) struct WaitQueue<W, S = (), A = ()> {
    /// What the primitive decides on.
    pub(crate) word: W,
    mutex: Mutex,
    len: UnsafeCell<Len>,
    list: UnsafeCell<List<A>>,
    state: UnsafeCell<S>,
}

/// How many nodes the list has. It fills the gap beside the list lock; most changes are one of two
/// bytes.
#[derive(Clone, Copy)]
struct Len {
    high: u8,
    low: [u8; 2],
}

impl Len {
    const MAX: usize = (1 << 24) - 1;

    const fn zero() -> Self {
        Self { high: 0, low: [0; 2] }
    }

    #[inline]
    const fn get(self) -> usize {
        (self.high as usize) << 16 | self.low() as usize
    }

    #[inline]
    const fn low(self) -> u16 {
        u16::from_ne_bytes(self.low)
    }

    #[inline]
    const fn is_most(self) -> bool {
        self.low() == u16::MAX && self.high == u8::MAX
    }

    /// It is not the most.
    #[inline]
    const fn increase(&mut self) {
        let (low, carry) = self.low().overflowing_add(1);
        self.low = low.to_ne_bytes();
        if carry {
            self.high += 1;
        }
    }

    /// It is not less than `by`, which is a batch at most.
    #[inline]
    const fn decrease(&mut self, by: usize) {
        let (low, borrow) = self.low().overflowing_sub(by as u16);
        self.low = low.to_ne_bytes();
        if borrow {
            self.high -= 1;
        }
    }
}

// SAFETY: nodes are `Send` (their wakers are), and none of them points back at the queue.
unsafe impl<W: Send, S: Send, A: Send> Send for WaitQueue<W, S, A> {}
// SAFETY: `list` and `state` are only touched by whoever holds `mutex`, through `Locked`.
unsafe impl<W: Sync, S: Send, A: Send> Sync for WaitQueue<W, S, A> {}

// No user code runs while the list is being changed.
impl<W, S, A> UnwindSafe for WaitQueue<W, S, A> {}
impl<W, S, A> RefUnwindSafe for WaitQueue<W, S, A> {}

impl<W, S, A: Copy> WaitQueue<W, S, A> {
    const_fn! {
        pub(crate) const fn new(word: W, state: S) -> Self {
            Self {
                word,
                mutex: Mutex::new(),
                len: UnsafeCell::new(Len::zero()),
                list: UnsafeCell::new(List::new()),
                state: UnsafeCell::new(state),
            }
        }
    }

    /// Takes the list lock. No user code may run until the result is dropped (I5).
    #[inline]
    pub(crate) fn lock(&self) -> Locked<'_, W, S, A> {
        Locked { queue: self, _held: self.mutex.lock() }
    }

    /// Takes the list lock to queue a node.
    ///
    /// # Panics
    ///
    /// If there are too many.
    #[inline]
    #[track_caller]
    pub(crate) fn lock_for_insert(&self) -> Locked<'_, W, S, A> {
        let list = self.lock();
        if list.look_at_len(Len::is_most) {
            // Panic hooks are user code.
            drop(list);
            panic!("bifrons: more than {} waiters on one object", Len::MAX);
        }
        list
    }

    /// Makes `cx` the one to wake, while `node` is queued. `false`: the node has left the list.
    ///
    /// # Safety
    ///
    /// `node` was never queued elsewhere than here, and its future calls.
    pub(crate) unsafe fn refresh(&self, node: Pin<&Node<A>>, cx: &Context<'_>) -> bool {
        let mut fresh = None;
        loop {
            let mut list = self.lock();
            if node.state() != State::Queued {
                drop(list);
                discard(fresh);
                return false;
            }
            // SAFETY: queued, and by the caller's promise here.
            let stale = unsafe {
                list.waker(node, |slot| {
                    if slot.will_wake(cx.waker()) {
                        return Some(None);
                    }
                    fresh.take().map(|fresh| Some(std::mem::replace(slot, fresh)))
                })
            };
            drop(list);
            match stale {
                Some(stale) => {
                    discard(stale);
                    discard(fresh);
                    return true;
                }
                // Cloning is user code: outside the lock, then look again.
                None => fresh = Some(cx.waker().clone()),
            }
        }
    }

    /// Takes `node` out if it is still queued, and tells in which state it was found.
    ///
    /// `unlinked` runs under the list lock right after the node has left, and not otherwise. The
    /// caller drops the node's waker when it has passed on what it owes: that is user code, and
    /// may panic.
    ///
    /// # Safety
    ///
    /// `node` was never queued elsewhere than here, and its future calls.
    #[inline(always)]
    pub(crate) unsafe fn withdraw(
        &self,
        node: Pin<&Node<A>>,
        unlinked: impl FnOnce(&mut Locked<'_, W, S, A>),
    ) -> (State, Stale) {
        // SAFETY: the caller's promise.
        if let Some(stale) = unsafe { self.withdraw_queued(node, unlinked) } {
            return (State::Queued, stale);
        }
        let state = node.state();
        node.reset();
        (state, Stale(None))
    }

    /// [`WaitQueue::withdraw`] of a node that is still queued; `None`: what it was given is left to it.
    ///
    /// # Safety
    ///
    /// As for [`WaitQueue::withdraw`].
    #[inline(always)]
    pub(crate) unsafe fn withdraw_queued(
        &self,
        node: Pin<&Node<A>>,
        unlinked: impl FnOnce(&mut Locked<'_, W, S, A>),
    ) -> Option<Stale> {
        if node.state() != State::Queued {
            return None;
        }
        let mut list = self.lock();
        if node.state() != State::Queued {
            return None;
        }
        // SAFETY: queued, and by the caller's promise here.
        let waker = unsafe { list.unlink(node) };
        unlinked(&mut list);
        drop(list);
        Some(Stale(Some(waker)))
    }

    /// Wakes whom `section` drains: wakers are collected under the list lock in batches and called
    /// after it, and a full batch is followed by another one. A waker that panics stops none of
    /// the others; the first panic goes on when all have been called.
    pub(crate) fn wake_all(&self, section: impl FnMut(&mut Locked<'_, W, S, A>, &mut WakeBatch)) {
        let mut batch = WakeBatch::new();
        self.fill_batch(&mut batch, section);
        batch.finish();
    }

    /// [`WaitQueue::wake_all`], leaving the last batch, and the panic, to the caller's
    /// [`WakeBatch::finish`].
    pub(crate) fn fill_batch(
        &self,
        batch: &mut WakeBatch,
        mut section: impl FnMut(&mut Locked<'_, W, S, A>, &mut WakeBatch),
    ) {
        loop {
            let mut list = self.lock();
            section(&mut list, batch);
            drop(list);
            if !batch.is_full() {
                return;
            }
            batch.wake();
        }
    }
}

/// The list lock, held.
pub(crate) struct Locked<'a, W, S, A = ()> {
    queue: &'a WaitQueue<W, S, A>,
    _held: MutexGuard<'a>,
}

impl<'a, W, S, A: Copy> Locked<'a, W, S, A> {
    fn list<R>(&mut self, f: impl FnOnce(&mut List<A>) -> R) -> R {
        self.queue.list.with_mut(|list| {
            // SAFETY: the list lock is held, and `self` is borrowed exclusively.
            f(unsafe { &mut *list })
        })
    }

    pub(crate) fn word(&self) -> &'a W {
        &self.queue.word
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.look_at_len(Len::get)
    }

    #[inline]
    fn look_at_len<R>(&self, f: impl FnOnce(Len) -> R) -> R {
        self.queue.len.with(|len| {
            // SAFETY: the list lock is held, and `self` is borrowed.
            f(unsafe { *len })
        })
    }

    #[inline]
    fn change_len(&mut self, change: impl FnOnce(&mut Len)) {
        self.queue.len.with_mut(|len| {
            // SAFETY: the list lock is held, and `self` is borrowed exclusively.
            change(unsafe { &mut *len });
        });
    }

    #[inline]
    pub(crate) fn is_empty(&mut self) -> bool {
        self.list(|list| list.is_empty())
    }

    /// Takes waiters out from the front, in `state`, as long as `batch` has room and `wanted` says so
    /// of their arguments. Returns how many.
    pub(crate) fn drain(
        &mut self,
        state: State,
        batch: &mut WakeBatch,
        wanted: impl FnMut(A) -> bool,
    ) -> usize {
        let count = self.list(|list| list.drain(state, batch, wanted));
        self.change_len(|len| len.decrease(count));
        count
    }

    pub(crate) fn front_arg(&mut self) -> Option<A> {
        self.front().map(|(_, arg)| arg)
    }

    /// Queues `node`. The lock was taken by [`WaitQueue::lock_for_insert`].
    ///
    /// # Safety
    ///
    /// `node` is in no list, stands in no other queue's list until it has left this one, and its
    /// future calls, whose `Drop` withdraws it.
    pub(crate) unsafe fn insert(
        &mut self,
        node: Pin<&Node<A>>,
        place: Place,
        waker: Waker,
        arg: A,
    ) {
        // SAFETY: the caller's promise.
        unsafe { self.insert_by(pointer(node), place, waker, arg) };
    }

    /// [`Locked::insert`] by a pointer that may reach beyond the node: [`Locked::front`] gives it back.
    ///
    /// # Safety
    ///
    /// As for [`Locked::insert`]; the node is pinned.
    pub(crate) unsafe fn insert_by(
        &mut self,
        node: NonNull<Node<A>>,
        place: Place,
        waker: Waker,
        arg: A,
    ) {
        // SAFETY: the lock is held; pinned and withdrawn in time by the caller's promise.
        self.list(|list| unsafe { list.insert(node, place, waker, arg) });
        self.change_len(Len::increase);
    }

    /// The first node, and its argument.
    #[inline]
    pub(crate) fn front(&mut self) -> Option<(NonNull<Node<A>>, A)> {
        self.list(|list| list.front())
    }

    /// Takes the first waiter out, in `state`.
    pub(crate) fn pop(&mut self, state: State) -> Option<Waker> {
        let waker = self.list(|list| list.pop(state));
        if waker.is_some() {
            self.change_len(|len| len.decrease(1));
        }
        waker
    }

    /// # Safety
    ///
    /// `node` is queued here.
    unsafe fn unlink(&mut self, node: Pin<&Node<A>>) -> Waker {
        self.change_len(|len| len.decrease(1));
        // SAFETY: the lock is held; the rest is the caller's promise.
        self.list(|list| unsafe { list.unlink(pointer(node), State::Idle) })
    }

    /// # Safety
    ///
    /// `node` is queued here.
    unsafe fn waker<R>(&mut self, node: Pin<&Node<A>>, f: impl FnOnce(&mut Waker) -> R) -> R {
        // SAFETY: the lock is held; the rest is the caller's promise.
        self.list(|list| unsafe { list.waker(pointer(node), f) })
    }
}

impl<W, S, A> Deref for Locked<'_, W, S, A> {
    type Target = S;

    fn deref(&self) -> &S {
        self.queue.state.with(|state| {
            // SAFETY: the list lock is held, and `self` is borrowed as long as the result.
            unsafe { &*state }
        })
    }
}

impl<W, S, A> DerefMut for Locked<'_, W, S, A> {
    fn deref_mut(&mut self) -> &mut S {
        self.queue.state.with_mut(|state| {
            // SAFETY: the list lock is held, and `self` is borrowed exclusively as long as the
            // result.
            unsafe { &mut *state }
        })
    }
}

fn pointer<A>(node: Pin<&Node<A>>) -> NonNull<Node<A>> {
    NonNull::from(node.get_ref())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Len;

    #[test]
    fn a_count_carries_and_borrows() {
        let mut len = Len::zero();
        for count in 1..=70_000 {
            len.increase();
            assert_eq!(len.get(), count);
        }
        for count in (0..70_000 / 32).rev() {
            len.decrease(if len.get() % 32 == 0 { 32 } else { len.get() % 32 });
            assert_eq!(len.get(), 32 * (count + 1));
        }
        len.decrease(32);
        assert_eq!(len.get(), 0);
    }

    #[test]
    fn a_count_is_full_at_its_maximum() {
        let mut len = Len { high: u8::MAX, low: (u16::MAX - 1).to_ne_bytes() };
        assert!(!len.is_most());
        len.increase();
        assert!(len.is_most() && len.get() == Len::MAX);
    }
}
