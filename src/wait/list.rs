//! The waiters of one primitive: a circular, doubly linked list through nodes that live in the
//! pinned futures themselves. Nothing is allocated; push, pop and unlink touch at most three
//! nodes.
//!
//! ```text
//!   head ──► A ⇄ B ⇄ C          the tail is head.prev; an empty list is a null head
//!            ▲_______│
//! ```
//!
//! Links and waker of a node are guarded by the list lock of the queue that it stands in. Its state
//! may be read without it, and tells the waiter that it has left the list; its argument does not
//! change while it stands there.
//! References to a whole node are never formed here but for the shared one of its own future;
//! neighbours are reached through raw pointers.

#![expect(unsafe_code, reason = "owns the only pointer-chasing of the crate")]

use super::batch::WakeBatch;
use crate::sys::UnsafeCell;
use crate::sys::atomic::{AtomicU8, Ordering};
use std::marker::PhantomPinned;
use std::mem::MaybeUninit;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr::NonNull;
use std::task::Waker;

/// Where a waiter stands. See the table in [`crate::wait`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum State {
    /// In no list, owed nothing.
    Idle = 0,
    /// In the list.
    Queued = 1,
    /// Taken out to try again; a waiter that leaves without having done so passes this on.
    Notified = 2,
    /// Taken out with what it waited for.
    Granted = 3,
}

/// One wait: what a future keeps in the list. `A` is the primitive's own: how many permits, or which
/// epoch; up to four bytes find room beside the state.
pub(crate) struct Node<A = ()> {
    /// Filled while the node is queued: a wait that is over at once costs nothing.
    body: UnsafeCell<MaybeUninit<Body<A>>>,
    /// Set by the future, before the node is queued.
    arg: UnsafeCell<A>,
    state: AtomicU8,
    /// In the room that is left: an `Option` of a future is no larger than the future.
    _spare: Spare,
    _pin: PhantomPinned,
}

struct Body<A> {
    prev: *const Node<A>,
    next: *const Node<A>,
    waker: Waker,
}

/// A byte with one value, and 255 that it never has.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Spare {
    Byte = 0,
}

// SAFETY: the raw links and the waker are only touched under the list lock (I2), or by the one
// future that owns the node while it is in no list; `Waker` itself is `Send + Sync`.
unsafe impl<A: Send> Send for Node<A> {}
// SAFETY: as above; a shared `Node` offers `state`, an atomic, and `arg`, which does not change while
// anybody else can ask for it.
unsafe impl<A: Send> Sync for Node<A> {}
// No user code runs while a node is being changed.
impl<A> UnwindSafe for Node<A> {}
impl<A> RefUnwindSafe for Node<A> {}

impl<A> Node<A> {
    #[inline]
    pub(crate) fn new(arg: A) -> Self {
        Self {
            body: UnsafeCell::new(MaybeUninit::uninit()),
            arg: UnsafeCell::new(arg),
            state: AtomicU8::new(State::Idle as u8),
            _spare: Spare::Byte,
            _pin: PhantomPinned,
        }
    }

    /// What it waits for; its future asks.
    #[inline]
    pub(crate) fn arg(&self) -> A
    where
        A: Copy,
    {
        // SAFETY: alive, and only `List::insert` writes it, whose caller keeps the future from reading.
        unsafe { arg(self) }
    }

    /// Acquire: pairs with the Release in [`set_state`] by which the notifier let go of the
    /// node, and makes what the notifier did before visible.
    #[inline]
    pub(crate) fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            0 => State::Idle,
            1 => State::Queued,
            2 => State::Notified,
            _ => State::Granted,
        }
    }

    /// Forgets a notification or a grant that has been used. The node must be in no list.
    #[inline]
    pub(crate) fn reset(&self) {
        debug_assert_ne!(self.state(), State::Queued);
        // Relaxed: only the node's own future looks at a node that is in no list.
        self.state.store(State::Idle as u8, Ordering::Relaxed);
    }
}

impl<A> Drop for Node<A> {
    #[inline]
    fn drop(&mut self) {
        // A queued node that goes away would leave a dangling pointer in the list. Each
        // operation cancels in its own `Drop`, so this cannot happen; if it did, going on would
        // be undefined behaviour.
        if self.state() == State::Queued {
            std::process::abort();
        }
    }
}

impl<A> std::fmt::Debug for Node<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Node").field(&self.state()).finish()
    }
}

/// Where a node enters the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Back,
    Front,
}

pub(crate) struct List<A> {
    head: *const Node<A>,
}

impl<A: Copy> List<A> {
    pub(super) const fn new() -> Self {
        Self { head: std::ptr::null() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.head.is_null()
    }

    /// Links `node` in and marks it queued.
    ///
    /// # Safety
    ///
    /// The list lock is held; `node` is pinned, in no list, leaves this one before it is freed, and
    /// its future, which alone may ask for its argument, does not do so now.
    #[inline]
    pub(super) unsafe fn insert(
        &mut self,
        node: NonNull<Node<A>>,
        place: Place,
        waker: Waker,
        arg: A,
    ) {
        let node: *const Node<A> = node.as_ptr();
        // SAFETY: the caller's node is alive.
        debug_assert_ne!(unsafe { &*node }.state(), State::Queued, "it stands in one list, once");
        let (mut prev, mut next) = (node, node);
        if self.head.is_null() {
            self.head = node;
        } else {
            // Back and front are the same place of the circle; only the head tells them apart.
            next = self.head;
            // SAFETY: the head is linked, so it is alive (I2).
            prev = unsafe { body(next, |b| std::mem::replace(&mut b.prev, node)) };
            // SAFETY: the neighbour of a linked node is linked.
            unsafe { body(prev, |b| b.next = node) };
            if place == Place::Front {
                self.head = node;
            }
        }
        // SAFETY: the caller's node is alive.
        unsafe { &(*node).body }.with_mut(|body| {
            // SAFETY: nobody else touches a node that is being linked.
            unsafe { (*body).write(Body { prev, next, waker }) };
        });
        // SAFETY: as above.
        unsafe { &(*node).arg }.with_mut(|cell| {
            // SAFETY: as above.
            unsafe { *cell = arg };
        });
        // SAFETY: as above. Relaxed would do: everybody else looks under the list lock.
        unsafe { set_state(node, State::Queued) };
    }

    /// The first node, and its argument.
    pub(super) fn front(&self) -> Option<(NonNull<Node<A>>, A)> {
        let node = NonNull::new(self.head.cast_mut())?;
        // SAFETY: the head is linked, so it is alive.
        Some((node, unsafe { arg(self.head) }))
    }

    /// Takes the first node out and leaves it in `state`; this is the last access to it.
    #[inline]
    pub(super) fn pop(&mut self, state: State) -> Option<Waker> {
        let node = NonNull::new(self.head.cast_mut())?;
        // SAFETY: the head is linked in this list.
        Some(unsafe { self.unlink(node, state) })
    }

    /// Takes nodes out from the front and leaves them in `state`, as long as `batch` has room for
    /// their wakers and `wanted` says so of their arguments. Returns how many.
    pub(super) fn drain(
        &mut self,
        state: State,
        batch: &mut WakeBatch,
        mut wanted: impl FnMut(A) -> bool,
    ) -> usize {
        if self.head.is_null() {
            return 0;
        }
        // SAFETY: the head is linked, so it is alive.
        let last = unsafe { body(self.head, |b| b.prev) };
        let mut head = self.head;
        let count = batch.fill(|| {
            let node = head;
            // The last one has no next.
            if node.is_null() {
                return None;
            }
            // SAFETY: linked, and not let go of yet.
            if !wanted(unsafe { arg(node) }) {
                return None;
            }
            // SAFETY: as above, and it leaves.
            let Body { next, waker, .. } = unsafe { empty(node) };
            // SAFETY: as above; the future may free the node from here on (I3).
            unsafe { set_state(node, state) };
            head = if node == last { std::ptr::null() } else { next };
            Some(waker)
        });
        if head != self.head && !head.is_null() {
            // SAFETY: not everybody has left, so the last one is linked.
            unsafe { body(last, |b| b.next = head) };
            // SAFETY: as above, the new head.
            unsafe { body(head, |b| b.prev = last) };
        }
        self.head = head;
        count
    }

    /// Takes `node` out, leaves it in `state`, and returns its waker, to be dropped or woken
    /// outside the list lock.
    ///
    /// # Safety
    ///
    /// The list lock is held and `node` is linked in this list.
    #[inline]
    pub(super) unsafe fn unlink(&mut self, node: NonNull<Node<A>>, state: State) -> Waker {
        let node: *const Node<A> = node.as_ptr();
        // SAFETY: a linked node is alive, and this one leaves.
        let Body { prev, next, waker } = unsafe { empty(node) };
        if next == node {
            self.head = std::ptr::null();
        } else {
            // SAFETY: the neighbours of a linked node are linked.
            unsafe { body(prev, |b| b.next = next) };
            // SAFETY: as above.
            unsafe { body(next, |b| b.prev = prev) };
            if self.head == node {
                self.head = next;
            }
        }
        // SAFETY: as above; the future may free the node from here on (I3).
        unsafe { set_state(node, state) };
        waker
    }

    /// The slot of a queued node's waker.
    ///
    /// # Safety
    ///
    /// The list lock is held and `node` is linked in this list.
    pub(super) unsafe fn waker<R>(
        &mut self,
        node: NonNull<Node<A>>,
        f: impl FnOnce(&mut Waker) -> R,
    ) -> R {
        // SAFETY: a linked node is alive.
        unsafe { body(node.as_ptr(), |b| f(&mut b.waker)) }
    }
}

/// Access to links and waker, which the list lock guards.
///
/// # Safety
///
/// `node` is alive and linked, or just being linked, and the list lock is held.
unsafe fn body<A, R>(node: *const Node<A>, f: impl FnOnce(&mut Body<A>) -> R) -> R {
    // SAFETY: alive by the caller's promise; only this field is borrowed, and it is a cell.
    let cell = unsafe { &(*node).body };
    cell.with_mut(|body| {
        // SAFETY: a node that is linked has been filled; the caller excludes every other access, and
        // `f` cannot reach the node again.
        f(unsafe { &mut *body.cast::<Body<A>>() })
    })
}

/// Takes links and waker out.
///
/// # Safety
///
/// `node` is alive and linked, and leaves the list; the list lock is held.
#[inline]
unsafe fn empty<A>(node: *const Node<A>) -> Body<A> {
    // SAFETY: as in `body`.
    let cell = unsafe { &(*node).body };
    cell.with_mut(|body| {
        // SAFETY: a node that is linked has been filled; nobody reads what is left.
        unsafe { body.cast::<Body<A>>().read() }
    })
}

/// What the node waits for.
///
/// # Safety
///
/// `node` is alive, and nobody queues it now.
#[inline]
unsafe fn arg<A: Copy>(node: *const Node<A>) -> A {
    // SAFETY: as in `body`.
    let cell = unsafe { &(*node).arg };
    cell.with(|arg| {
        // SAFETY: written when the node was made and when it was queued, and not now.
        unsafe { *arg }
    })
}

/// Release: what is not `Queued` hands the node back to its future, which may free it at once (I3).
/// No reference to more than the state is alive then.
///
/// # Safety
///
/// `node` is alive, and the list lock is held.
#[inline]
unsafe fn set_state<A>(node: *const Node<A>, state: State) {
    // SAFETY: alive by the caller's promise.
    let cell = unsafe { &(*node).state };
    cell.store(state as u8, Ordering::Release);
}
