//! Who holds a [`ReentrantLock`](super::ReentrantLock).
//!
//! Owners and threads take their ids from one counter, so none is ever reused, not even after its
//! thread has died. The thread-locals are constants without destructors: they work while a thread
//! is torn down.

use crate::sys::{const_thread_local, next_id};
use pin_project_lite::pin_project;
use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

const_thread_local! {
    /// This thread as an owner; 0 until it is asked for.
    static THREAD: Cell<u64> = Cell::new(0);
    /// The owner whose scope is being polled here; 0 if there is none.
    static CURRENT: Cell<u64> = Cell::new(0);
}

/// The id of this thread as an owner.
#[inline]
pub(super) fn thread_id() -> u64 {
    match THREAD.with(Cell::get) {
        0 => new_thread_id(),
        known => known,
    }
}

#[cold]
fn new_thread_id() -> u64 {
    let id = next_id();
    THREAD.with(|known| known.set(id));
    id
}

/// An identity under which a [`ReentrantLock`](crate::ReentrantLock) can be held: a task's, or
/// whatever the program takes for one unit of work.
///
/// Clones are the same owner. Two owners made by [`new`](Owner::new) or [`child`](Owner::child) are
/// different, and exclude each other.
///
/// # Examples
///
/// ```
/// use bifrons::{Owner, ReentrantLock};
///
/// let lock = ReentrantLock::new(());
/// let owner = Owner::new();
/// futures::executor::block_on(owner.scope(async {
///     let _outer = lock.lock_async_scoped().await;
///     let _inner = lock.lock_async_scoped().await;
///     assert_eq!(lock.depth(), 2);
///     assert!(lock.try_lock_as(&owner.child()).is_none());
/// }));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Owner {
    id: u64,
}

impl Owner {
    /// An owner that is equal to no other.
    #[expect(clippy::new_without_default, reason = "a default should not differ from call to call")]
    pub fn new() -> Self {
        Self { id: next_id() }
    }

    /// An owner of its own for a part of this one's work, such as a branch of a `join!`: the two
    /// exclude each other. The same as [`new`](Owner::new), by a name that says why.
    #[must_use]
    pub fn child(&self) -> Self {
        Self::new()
    }

    /// The owner whose [`scope`](Owner::scope) is being polled on this thread, the innermost one.
    pub fn current() -> Option<Self> {
        match CURRENT.with(Cell::get) {
            0 => None,
            id => Some(Self { id }),
        }
    }

    /// Runs `future` with this as the [`current`](Owner::current) owner.
    ///
    /// It is current exactly while the future is polled, or dropped; scopes nest. The branches of a
    /// `join!` inside one scope share the owner, and so its locks: give each a scope of a
    /// [`child`](Owner::child).
    pub fn scope<F: Future>(&self, future: F) -> OwnerScope<F> {
        OwnerScope { owner: self.id, future: Some(future) }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Owner").field(&self.id).finish()
    }
}

/// Makes an owner current; the previous one is restored when this is dropped, also by a panic.
struct Entered {
    previous: u64,
}

impl Entered {
    fn new(owner: u64) -> Self {
        Self { previous: CURRENT.with(|current| current.replace(owner)) }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.with(|current| current.set(self.previous));
    }
}

pin_project! {
    /// The future of [`Owner::scope`].
    #[must_use = "futures do nothing unless polled"]
    pub struct OwnerScope<F> {
        owner: u64,
        // `None` only while it is dropped.
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for OwnerScope<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _entered = Entered::new(*this.owner);
            this.future.set(None);
        }
    }
}

impl<F: Future> Future for OwnerScope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = Entered::new(*this.owner);
        match this.future.as_pin_mut() {
            Some(future) => future.poll(cx),
            None => crate::wait::finished("OwnerScope"),
        }
    }
}

impl<F: futures_core::FusedFuture> futures_core::FusedFuture for OwnerScope<F> {
    fn is_terminated(&self) -> bool {
        self.future.as_ref().is_none_or(futures_core::FusedFuture::is_terminated)
    }
}

impl<F> fmt::Debug for OwnerScope<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnerScope").field("owner", &self.owner).finish_non_exhaustive()
    }
}
