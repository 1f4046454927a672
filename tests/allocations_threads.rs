//! What threads that have waited leave behind: nothing. One test: it counts for all threads.

#![cfg(not(loom))]

mod common;

use bifrons::{BoundedQueue, Event};
use common::{Face, eventually};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::thread;

/// Allocations that have not been freed, and their bytes.
static LIVE: AtomicIsize = AtomicIsize::new(0);
static BYTES: AtomicIsize = AtomicIsize::new(0);

struct Counting;

// SAFETY: everything is passed on to `System`; the counters are atomics. The other methods call these
// two.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(1, Ordering::Relaxed);
        BYTES.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Waits once more when its thread's thread-locals are destroyed.
struct WaitsAtExit(Cell<Option<Arc<Event>>>);

impl Drop for WaitsAtExit {
    fn drop(&mut self) {
        if let Some(event) = self.0.take() {
            event.wait();
        }
    }
}

thread_local!(static AT_EXIT: WaitsAtExit = const { WaitsAtExit(Cell::new(None)) });

/// A thread that blocks once, to be freed by this one; where `again`, once more while it is torn down.
fn live(face: Face, again: bool) {
    let (event, queue) = (Arc::new(Event::new()), Arc::new(BoundedQueue::new(1)));
    let (at_exit, items) = (Arc::clone(&event), Arc::clone(&queue));
    let thread = thread::spawn(move || {
        if again {
            AT_EXIT.with(|last| last.0.set(Some(at_exit)));
        }
        assert_eq!(face.pop(&items), Ok(1));
    });
    eventually("it waits", || queue.waiting() == 1);
    queue.push(1).unwrap();
    if again {
        eventually("it waits again", || event.waiting() == 1);
        event.set();
    }
    thread.join().unwrap();
}

#[test]
fn threads_that_have_waited_leave_nothing_behind() {
    const THREADS: usize = 1_000;
    let lives = |count| {
        for n in 0..count {
            live(Face::ALL[n % 3], n % 2 == 0);
        }
    };
    // What is made once.
    lives(6);
    let (live, bytes) = (LIVE.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
    lives(THREADS);
    let left = LIVE.load(Ordering::Relaxed) - live;
    let bytes = BYTES.load(Ordering::Relaxed) - bytes;
    println!("{THREADS} threads have left {left} allocations, {bytes} bytes");
    // The test runner has threads of its own.
    assert!(left < 10 && bytes < 10_000, "{left} allocations, {bytes} bytes");
}
