//! The list of waiters, the lock that guards it, and beside them the word that its owner decides
//! on: one struct, so that the compiler packs a whole `Lock` into 16 bytes.

#![expect(unsafe_code, reason = "pairs a node with the one list that it stands in")]

use super::batch::{Stale, WakeBatch, discard};
use super::list::{List, Node, Place, State};
use crate::sys::{Mutex, MutexGuard, UnsafeCell, const_fn};
use std::ops::{Deref, DerefMut};
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

/// How many nodes the list has. It fills the gap beside the list lock.
#[derive(Clone, Copy)]
struct Len([u8; 3]);

impl Len {
    const MAX: usize = (1 << 24) - 1;

    #[inline]
    const fn get(self) -> usize {
        let [low, middle, high] = self.0;
        u32::from_le_bytes([low, middle, high, 0]) as usize
    }

    /// `len` is at most [`Len::MAX`].
    #[inline]
    const fn of(len: usize) -> Self {
        let [low, middle, high, _] = (len as u32).to_le_bytes();
        Self([low, middle, high])
    }
}

// SAFETY: nodes are `Send` (their wakers are), and none of them points back at the queue.
unsafe impl<W: Send, S: Send, A: Send> Send for WaitQueue<W, S, A> {}
// SAFETY: `list` and `state` are only touched by whoever holds `mutex`, through `Locked`.
unsafe impl<W: Sync, S: Send, A: Send> Sync for WaitQueue<W, S, A> {}

impl<W, S, A: Copy> WaitQueue<W, S, A> {
    const_fn! {
        pub(crate) const fn new(word: W, state: S) -> Self {
            Self {
                word,
                mutex: Mutex::new(),
                len: UnsafeCell::new(Len::of(0)),
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
        if list.len() == Len::MAX {
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
        let mut state = node.state();
        if state == State::Queued {
            let mut list = self.lock();
            state = node.state();
            if state == State::Queued {
                // SAFETY: queued, and by the caller's promise here.
                let waker = unsafe { list.unlink(node) };
                unlinked(&mut list);
                drop(list);
                return (State::Queued, Stale(Some(waker)));
            }
        }
        node.reset();
        (state, Stale(None))
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
        self.queue.len.with(|len| {
            // SAFETY: the list lock is held, and `self` is borrowed.
            unsafe { *len }.get()
        })
    }

    #[inline]
    fn set_len(&mut self, value: usize) {
        self.queue.len.with_mut(|len| {
            // SAFETY: the list lock is held, and `self` is borrowed exclusively.
            unsafe { *len = Len::of(value) }
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
        self.set_len(self.len() - count);
        count
    }

    pub(crate) fn front_arg(&mut self) -> Option<A> {
        self.list(|list| list.front_arg())
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
        debug_assert_ne!(node.state(), State::Queued, "a node stands in one list, once");
        // SAFETY: the lock is held; pinned and withdrawn in time by the caller's promise.
        self.list(|list| unsafe { list.insert(pointer(node), place, waker, arg) });
        self.set_len(self.len() + 1);
    }

    /// Takes the first waiter out, in `state`.
    pub(crate) fn pop(&mut self, state: State) -> Option<Waker> {
        let waker = self.list(|list| list.pop(state));
        self.set_len(self.len() - usize::from(waker.is_some()));
        waker
    }

    /// # Safety
    ///
    /// `node` is queued here.
    unsafe fn unlink(&mut self, node: Pin<&Node<A>>) -> Waker {
        self.set_len(self.len() - 1);
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
