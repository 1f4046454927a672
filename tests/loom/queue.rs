//! Models of `BoundedQueue`.

mod cancel;
mod close;
mod force;
mod help;
mod many;
mod order;
mod slot;
mod wait;

use super::{explore_ring, poll_once};
use bifrons::{
    BoundedQueue, PopError, PopTimeoutError, PushError, PushTimeoutError, TryPopError,
    TryPushError, block_on,
};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

/// Any time: loom has no clock, and a timed wait may expire at every moment.
const LONG: Duration = Duration::from_secs(120);

type Queue = Arc<Shared>;

/// The queue of a model.
///
/// loom looks for the orders in which two steps on one object may happen, but remembers only the
/// last step on each: a thread that loads a word and then swaps it hides that another thread had
/// loaded it before, and the swap is never tried before that load. So every operation begins with
/// [`Shared::go`], a step on one counter: loom tries the operations in every order, and so their
/// steps. It is Relaxed, so it orders nothing.
struct Shared {
    queue: BoundedQueue<Item>,
    operations: AtomicUsize,
}

impl Shared {
    fn go(&self) -> &BoundedQueue<Item> {
        self.operations.fetch_add(1, Ordering::Relaxed);
        &self.queue
    }
}

/// How an end calls: a thread of ours, or a task of an executor that knows nothing of us and also
/// polls for no reason.
#[derive(Clone, Copy, Debug)]
enum Face {
    Thread,
    Task,
}
use Face::{Task, Thread};

impl Face {
    fn push(self, queue: &Queue, item: Item) -> Result<(), PushError<Item>> {
        match self {
            Thread => queue.go().push(item),
            Task => loom::future::block_on(queue.go().push_async(item)),
        }
    }

    fn pop(self, queue: &Queue) -> Result<Item, PopError> {
        match self {
            Thread => queue.go().pop(),
            Task => loom::future::block_on(queue.go().pop_async()),
        }
    }
}

/// The items of one execution, and how often each has gone. Not loom's: nobody synchronises by it.
#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<Vec<usize>>>);

/// An item that is counted when it goes.
struct Item {
    id: usize,
    ledger: Ledger,
}

impl Ledger {
    fn gone<R>(&self, f: impl FnOnce(&mut Vec<usize>) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Item `id`. Number them from 0, without holes.
    fn item(&self, id: usize) -> Item {
        self.gone(|gone| gone.resize(gone.len().max(id + 1), 0));
        Item { id, ledger: self.clone() }
    }

    /// A queue that holds the items `0..len`.
    fn queue(&self, capacity: usize, len: usize) -> Queue {
        let queue = BoundedQueue::new(capacity);
        for id in 0..len {
            assert!(queue.try_push(self.item(id)).is_ok());
        }
        Arc::new(Shared { queue, operations: AtomicUsize::new(0) })
    }

    /// Takes the rest out of the queue, then checks that each item came out once: `out` has some,
    /// the queue had the others.
    #[track_caller]
    fn settle(&self, queue: Queue, mut out: Vec<usize>) {
        while let Ok(item) = queue.queue.try_pop() {
            out.push(item.id);
        }
        assert_eq!(queue.queue.len(), 0);
        assert_eq!(queue.queue.waiting(), 0);
        drop(queue);
        out.sort_unstable();
        let gone = self.gone(|gone| gone.clone());
        assert_eq!(out, (0..gone.len()).collect::<Vec<_>>(), "each item comes out once");
        assert!(gone.iter().all(|&times| times == 1), "each item is dropped once: {gone:?}");
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.ledger.gone(|gone| gone[self.id] += 1);
    }
}
