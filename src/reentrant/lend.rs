//! Which values two threads may have borrowed at the same time, if only one of them runs.
//!
//! A thread with several guards that waits on a condition with one of them lets another thread have
//! the lock, and keeps what it has borrowed by its other guards. That is more than `Send` allows: a
//! value may change threads *while nothing borrows it*, and there are types that build on that, such
//! as a cell whose borrows are accounted for in a thread-local. It is less than `Sync` asks for, as the
//! first thread does nothing meanwhile. So the value is `Sync`, or one of the cells of std, which keep
//! what they know of borrows inside.
//!
//! A bound cannot say that: the guard is one of several at run time only, and alone it may wait
//! whatever the value is. So this is looked at when such a wait begins.

use crate::sys::TakesTurns;
use std::iter::FusedIterator;
use std::marker::PhantomData;

/// An iterator that ends once and goes on. [`Iterator::fuse`] stops that, unless the iterator says that
/// it is fused: then it is a no-op. So a function that knows nothing of `K` learns whether it has an
/// impl. Should the standard library ever fuse what is fused, the answer is no. What it does not learn is
/// for which lifetimes: a type that an `unsafe impl` of its own makes `Sync` for `'static` only is
/// taken for `Sync`.
struct Ends<K> {
    before: bool,
    kind: PhantomData<K>,
}

impl<K> Ends<K> {
    fn says_that_it_is_fused() -> bool {
        let mut fused = Self { before: false, kind: PhantomData }.fuse();
        fused.next();
        fused.next().is_some()
    }
}

impl<K> Iterator for Ends<K> {
    type Item = ();

    fn next(&mut self) -> Option<()> {
        std::mem::replace(&mut self.before, true).then_some(())
    }
}

struct Shared<T: ?Sized>(PhantomData<T>);
struct InTurns<T: ?Sized>(PhantomData<T>);

impl<T: ?Sized + Sync> FusedIterator for Ends<Shared<T>> {}
impl<T: ?Sized + TakesTurns> FusedIterator for Ends<InTurns<T>> {}

/// Whether a `T` may be lent to a second thread, while one that waits has borrowed it.
pub(super) fn may_be_lent_twice<T: ?Sized>() -> bool {
    Ends::<Shared<T>>::says_that_it_is_fused() || Ends::<InTurns<T>>::says_that_it_is_fused()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::may_be_lent_twice;
    use std::cell::{Cell, OnceCell, RefCell};
    use std::fmt::Display;
    use std::sync::mpsc::Receiver;

    #[test]
    fn what_is_sync_and_the_cells_of_std_may_be_lent_twice() {
        assert!(may_be_lent_twice::<()>());
        assert!(may_be_lent_twice::<str>());
        assert!(may_be_lent_twice::<&mut Vec<u32>>());
        assert!(may_be_lent_twice::<dyn Display + Send + Sync>());
        assert!(may_be_lent_twice::<Cell<u32>>());
        assert!(may_be_lent_twice::<Cell<[u32]>>());
        assert!(may_be_lent_twice::<RefCell<Vec<u32>>>());
        assert!(may_be_lent_twice::<RefCell<dyn Display + Send + Sync>>());
        assert!(may_be_lent_twice::<OnceCell<u32>>());
    }

    #[test]
    fn what_else_is_not_sync_may_not() {
        assert!(!may_be_lent_twice::<Receiver<u32>>());
        assert!(!may_be_lent_twice::<dyn Display + Send>());
        assert!(!may_be_lent_twice::<RefCell<Receiver<u32>>>());
        assert!(!may_be_lent_twice::<OnceCell<Cell<u32>>>());
        assert!(!may_be_lent_twice::<(Cell<u32>, Cell<u32>)>());
    }
}
