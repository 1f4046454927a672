//! One counter that threads and tasks increment.
//!
//! Threads lock with `lock`, tasks with `lock_async`. It is the same `Lock`, so no increment is
//! lost, whoever meets whom.
//!
//! ```text
//! cargo run --example shared_counter
//! ```

use bifrons::Lock;
use futures::executor::block_on;
use futures::future::join_all;
use std::thread;

const THREADS: u64 = 4;
const TASKS: u64 = 4;
const INCREMENTS: u64 = 10_000;

#[derive(Default)]
struct Counter {
    by_threads: u64,
    by_tasks: u64,
    total: u64,
}

fn main() {
    let counter = Lock::new(Counter::default());

    let thread = || {
        for _ in 0..INCREMENTS {
            let mut counter = counter.lock();
            counter.by_threads += 1;
            counter.total += 1;
        }
    };
    let task = || async {
        for _ in 0..INCREMENTS {
            let mut counter = counter.lock_async().await;
            counter.by_tasks += 1;
            counter.total += 1;
        }
    };

    thread::scope(|threads| {
        for _ in 0..THREADS {
            threads.spawn(thread);
        }
        block_on(join_all((0..TASKS).map(|_| task())));
    });

    let counter = counter.into_inner();
    assert_eq!(counter.by_threads, THREADS * INCREMENTS);
    assert_eq!(counter.by_tasks, TASKS * INCREMENTS);
    assert_eq!(counter.total, counter.by_threads + counter.by_tasks);
    println!(
        "{} by {THREADS} threads, {} by {TASKS} tasks: {} in all",
        counter.by_threads, counter.by_tasks, counter.total
    );
}
