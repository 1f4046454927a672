//! What a model of a user sees: a look beside a change has two outcomes, whichever thread begins.
//!
//! Kill: loads without a shadow (see `sys::loom::atomic`). Few executions: one look meets one change.

use super::{Flag, explore};
use bifrons::{BoundedQueue, Event, ReentrantLock, Semaphore, pipe};
use loom::thread;
use std::io::Write;
use std::sync::Arc;
use std::task::Wake;

/// `look` tells whether it comes after `change`.
#[track_caller]
fn both<L: Send + 'static, C: Send + 'static>(
    name: &str,
    new: fn() -> (L, C),
    look: fn(&mut L) -> bool,
    change: fn(&mut C),
) {
    for looks_first in [true, false] {
        // Not loom's: what was seen in any execution.
        let (before, after) = (Flag::new(), Flag::new());
        let seen = [Arc::clone(&before), Arc::clone(&after)];
        explore(&format!("looks: {name}"), move || {
            // Kept to the end: a drop may be a change.
            let (mut looker, mut changer) = new();
            let changed = if looks_first {
                let thread = thread::spawn(move || {
                    change(&mut changer);
                    changer
                });
                let changed = look(&mut looker);
                drop(thread.join().unwrap());
                changed
            } else {
                let thread = thread::spawn(move || (look(&mut looker), looker));
                change(&mut changer);
                thread.join().unwrap().0
            };
            seen[usize::from(changed)].wake_by_ref();
        });
        assert!(before.is_woken() && after.is_woken(), "{name}, look begun first: {looks_first}");
    }
}

fn shared<T>(object: T) -> (Arc<T>, Arc<T>) {
    let object = Arc::new(object);
    (Arc::clone(&object), object)
}

fn queue(len: u8) -> (Arc<BoundedQueue<u8>>, Arc<BoundedQueue<u8>>) {
    let queue = BoundedQueue::new(1);
    for item in 0..len {
        queue.try_push(item).unwrap();
    }
    shared(queue)
}

#[test]
fn event() {
    both("is_set", || shared(Event::new()), |event| event.is_set(), |event| event.set());
}

#[test]
fn semaphore() {
    both(
        "available",
        || shared(Semaphore::new(1)),
        |s| s.available() == 0,
        |s| s.acquire().forget(),
    );
    both(
        "try_acquire",
        || shared(Semaphore::new(0)),
        |s| s.try_acquire().is_some(),
        |s| s.release(1),
    );
}

/// A yield before it makes up for the shadow that a word has not. No mutant: nothing of ours is in it.
#[test]
fn after_a_yield() {
    both(
        "try_pop after a yield",
        || queue(0),
        |q| {
            thread::yield_now();
            q.try_pop().is_ok()
        },
        |q| q.push(1).unwrap(),
    );
    both(
        "try_push after a yield",
        || queue(1),
        |q| {
            thread::yield_now();
            q.try_push(1).is_ok()
        },
        |q| assert!(q.pop().is_ok()),
    );
    both(
        "depth after a yield",
        || shared(ReentrantLock::new(())),
        |lock| {
            thread::yield_now();
            lock.depth() == 1
        },
        |lock| std::mem::forget(lock.lock()),
    );
    both(
        "has_data after a yield",
        || {
            let (writer, reader) = pipe::bytes(2);
            (reader, writer)
        },
        |reader| {
            thread::yield_now();
            reader.has_data()
        },
        |writer| assert_eq!(writer.write(b"a").unwrap(), 1),
    );
}
