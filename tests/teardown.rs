//! Waits in the destructor of a thread-local, when the thread's own parker is gone.

#![cfg(not(loom))]

mod common;

use bifrons::pipe::{bytes, simplex};
use bifrons::{BoundedQueue, Condition, Event, Lock, Semaphore, block_on, block_on_timeout};
use common::{Face, eventually};
use std::cell::{Cell, RefCell};
use std::io::{Write, read_to_string};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// Runs when its thread's thread-locals are destroyed.
struct AtExit(Cell<Option<Box<dyn FnOnce()>>>);

impl Drop for AtExit {
    fn drop(&mut self) {
        if let Some(last) = self.0.take() {
            last();
        }
    }
}

thread_local!(static AT_EXIT: AtExit = const { AtExit(Cell::new(None)) });

/// A thread whose last act is `wait`. Thread-locals go in the order opposite to that of their first
/// use, and the parker's is used after ours: the wait finds it gone.
fn waits_at_the_end(
    name: &str,
    wait: impl FnOnce() + Send + 'static,
    waiting: impl Fn() -> bool,
    provide: impl FnOnce(),
) {
    let ended = Arc::new(AtomicU32::new(0));
    let end = Arc::clone(&ended);
    let dying = thread::spawn(move || {
        AT_EXIT.with(|at_exit| {
            at_exit.0.set(Some(Box::new(move || {
                wait();
                end.fetch_add(1, Ordering::SeqCst);
            })));
        });
        assert!(block_on_timeout(Event::new().wait_async(), Duration::from_millis(1)).is_err());
    });
    eventually(name, waiting);
    provide();
    dying.join().unwrap();
    assert_eq!(ended.load(Ordering::SeqCst), 1, "{name}");
}

#[test]
fn a_dying_thread_may_wait_for_everything() {
    for face in Face::ALL {
        let lock = Arc::new(Lock::new(0));
        let (other, held) = (Arc::clone(&lock), lock.lock());
        waits_at_the_end(
            "it waits for the lock",
            move || *face.lock(&other) += 1,
            || lock.waiting() == 1,
            || drop(held),
        );
        assert_eq!(*lock.lock(), 1);

        let semaphore = Arc::new(Semaphore::new(0));
        let other = Arc::clone(&semaphore);
        waits_at_the_end(
            "it waits for permits",
            move || face.acquire(&other, 2).forget(),
            || semaphore.waiting() == 1,
            || semaphore.release(2),
        );

        let event = Arc::new(Event::new());
        let other = Arc::clone(&event);
        waits_at_the_end(
            "it waits for the event",
            move || face.wait(&other),
            || event.waiting() == 1,
            || event.set(),
        );

        let shared = Arc::new((Lock::new(false), Condition::new()));
        let other = Arc::clone(&shared);
        waits_at_the_end(
            "it waits on the condition",
            move || drop(face.wait_while(&other.1, other.0.lock(), |done| !*done)),
            || shared.1.waiting() == 1,
            || {
                *shared.0.lock() = true;
                shared.1.notify_all();
            },
        );

        let queue = Arc::new(BoundedQueue::new(1));
        let other = Arc::clone(&queue);
        waits_at_the_end(
            "it waits for an item",
            move || assert_eq!(face.pop(&other), Ok(1)),
            || queue.waiting() == 1,
            || queue.push(1).unwrap(),
        );
        queue.push(2).unwrap();
        let other = Arc::clone(&queue);
        waits_at_the_end(
            "it waits for room",
            move || face.push(&other, 3).unwrap(),
            || queue.waiting() == 1,
            || assert_eq!(queue.pop(), Ok(2)),
        );
        assert_eq!(queue.pop(), Ok(3));
    }
}

#[test]
fn a_dying_thread_may_wait_for_a_pipe() {
    let (sender, mut receiver) = simplex(1);
    let sender = RefCell::new(sender);
    waits_at_the_end(
        "it waits for a message",
        move || {
            assert_eq!(receiver.recv(), Ok(1));
            assert_eq!(block_on(receiver.recv_async()), Ok(2));
        },
        || sender.borrow().waiting() == 1,
        || (1..=2).for_each(|message| sender.borrow_mut().send(message).unwrap()),
    );

    let (mut sender, receiver) = simplex(1);
    sender.send(1).unwrap();
    let receiver = RefCell::new(receiver);
    waits_at_the_end(
        "it waits for room in the pipe",
        move || sender.send(2).unwrap(),
        || receiver.borrow().waiting() == 1,
        || assert_eq!(receiver.borrow_mut().recv(), Ok(1)),
    );
    assert_eq!(receiver.borrow_mut().recv(), Ok(2));

    let (writer, mut reader) = bytes(1);
    let writer = RefCell::new(Some(writer));
    waits_at_the_end(
        "it waits for bytes",
        move || assert_eq!(read_to_string(&mut reader).unwrap(), "bytes"),
        || writer.borrow().as_ref().is_some_and(|writer| writer.waiting() == 1),
        || writer.take().unwrap().write_all(b"bytes").unwrap(),
    );
}
