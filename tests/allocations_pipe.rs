//! A pipe allocates when it is made, and never again: neither to pass, nor to wait.

#![cfg(not(loom))]

use bifrons::block_on;
use bifrons::pipe::{bytes, simplex};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::pin::pin;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// Counts what each thread allocates: the test runner's own threads do so too.
struct Counting;

fn count() {
    // A thread that is being torn down may have lost its counter.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: the system's allocator, and a counter that allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// How often `f` allocates, in this thread.
fn allocations(f: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    f();
    ALLOCATIONS.get() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(Box::new(1))), 1);
}

#[test]
fn passing_and_giving_up_allocate_nothing() {
    let (mut sender, mut receiver) = simplex(3);
    let (mut writer, mut reader) = bytes(100);
    let mut cx = Context::from_waker(Waker::noop());
    // A thread's first wait may make its parker. (None of these sleeps: it would be the first.)
    assert!(receiver.recv_timeout(Duration::ZERO).is_err());
    assert_eq!(
        allocations(|| {
            for i in 0..100 {
                assert!(pin!(receiver.recv_async()).poll(&mut cx).is_pending());
                assert!(receiver.recv_timeout(Duration::ZERO).is_err());
                while sender.try_send(i).is_ok() {}
                assert!(pin!(sender.send_async(i)).poll(&mut cx).is_pending());
                assert!(sender.send_timeout(i, Duration::ZERO).is_err());
                while receiver.try_recv().is_ok() {}
                writer.write_all(&[7; 99]).unwrap();
                writer.write_chunk(1).unwrap().commit(1);
                reader.read_exact(&mut [0; 99]).unwrap();
                reader.read_chunk(1).commit(1);
            }
        }),
        0
    );
    assert_eq!(allocations(|| drop((sender, receiver, writer, reader))), 0);
}

/// A thread's first wait may make its parker, and its first sleep is the first that parking_lot hears
/// of it: that makes at most two passes in which a thread allocates. Were it once for a wait, it
/// would be every pass.
#[test]
fn waiting_allocates_nothing_after_a_threads_first_sleep() {
    const PASSES: usize = 6;
    const ROUNDS: usize = 1_000;
    let (mut there, mut from_here) = simplex(1);
    let (mut back, mut from_there) = simplex(1);
    let (mut writer, mut reader) = bytes(1);
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let pass = || {
                for i in 0..ROUNDS {
                    assert_eq!(from_here.recv(), Ok(i));
                    block_on(back.send_async(i)).unwrap();
                    writer.write_all(&[1, 2, 3]).unwrap();
                }
            };
            passes_that_allocate(PASSES, pass)
        });
        let pass = || {
            for i in 0..ROUNDS {
                block_on(there.send_async(i)).unwrap();
                assert_eq!(from_there.recv(), Ok(i));
                let mut out = [0; 3];
                reader.read_exact(&mut out).unwrap();
                assert_eq!(out, [1, 2, 3]);
            }
        };
        let here = passes_that_allocate(PASSES, pass);
        let there = thread.join().unwrap();
        assert!(here <= 2 && there <= 2, "{here} and {there} of {PASSES} passes allocate");
    });
}

fn passes_that_allocate(passes: usize, mut pass: impl FnMut()) -> usize {
    (0..passes).filter(|_| allocations(&mut pass) > 0).count()
}
