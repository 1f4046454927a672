//! Cost growth: registering, cancelling and waking one waiter, among 1 000 and among 100 000.
//!
//! ```text
//! cargo bench --bench growth
//! ```
//!
//! Prints nanoseconds per waiter, the median of the rounds and their spread. The same operations in
//! the same order at each size; what remains of a difference is the memory (a waiting future is one
//! cache line or two, and 100 000 of them outgrow the second-level cache).

#[cfg(loom)]
fn main() {}

#[cfg(not(loom))]
fn main() {
    println!("{:<28}{:>10}{:>22}{:>22}", "ns per waiter", "waiters", "median", "spread");
    for size in [1_000, 10_000, 100_000] {
        growth::lock(size);
        growth::semaphore(size);
        growth::event(size);
        growth::queue(size);
    }
}

#[cfg(not(loom))]
mod growth {
    use bifrons::{BoundedQueue, Event, Lock, LockFuture, Semaphore};
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Waker};
    use std::time::{Duration, Instant};

    const ROUNDS: usize = 15;

    type Waiters<F> = [Pin<Box<F>>];

    /// One object's waiters: all registered, then half cancelled in random order, the rest served.
    fn measure<F: Future>(
        name: &str,
        size: usize,
        future: impl Fn() -> F,
        ready: impl Fn(),
        serve: impl Fn(&mut Waiters<F>),
    ) {
        let mut order: Vec<usize> = (0..size).collect();
        shuffle(&mut order);
        let mut figures = [const { Vec::new() }; 3];
        // The boxes stay where they are from round to round: no allocation is measured.
        let mut futures: Vec<Pin<Box<F>>> = (0..size).map(|_| Box::pin(future())).collect();
        let mut cx = Context::from_waker(Waker::noop());
        // Small sizes repeat, so that each figure is of about the same number of operations.
        let repeats = 100_000 / size;
        for _ in 0..ROUNDS {
            let mut spent = [Duration::ZERO; 3];
            for _ in 0..repeats {
                for slot in &mut futures {
                    slot.set(future());
                }
                ready();
                spent[0] += timed(|| {
                    for slot in &mut futures {
                        assert!(slot.as_mut().poll(&mut cx).is_pending());
                    }
                });
                let (cancelled, _) = order.split_at(size / 2);
                spent[1] += timed(|| {
                    for &index in cancelled {
                        futures[index].set(future());
                    }
                });
                spent[2] += timed(|| serve(&mut futures));
            }
            let counts = [size, size / 2, size - size / 2];
            for ((figure, spent), count) in figures.iter_mut().zip(spent).zip(counts) {
                figure.push(spent.as_nanos() as f64 / (count * repeats) as f64);
            }
        }
        for (what, figure) in ["register", "cancel", "serve"].iter().zip(&mut figures) {
            figure.sort_by(f64::total_cmp);
            let spread = format!("{:.1} .. {:.1}", figure[0], figure[ROUNDS - 1]);
            println!(
                "{:<28}{size:>10}{:>22.1}{spread:>22}",
                format!("{name}: {what}"),
                figure[ROUNDS / 2]
            );
        }
    }

    fn timed(f: impl FnOnce()) -> Duration {
        let start = Instant::now();
        f();
        start.elapsed()
    }

    fn shuffle(items: &mut [usize]) {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for i in (1..items.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            items.swap(i, (state >> 33) as usize % (i + 1));
        }
    }

    /// Each woken waiter takes the lock and wakes the next by releasing it; the cancelled ones lock
    /// anew in between.
    pub(super) fn lock(size: usize) {
        let lock = Lock::new(());
        let held = std::cell::Cell::new(None);
        let serve = |waiters: &mut Waiters<LockFuture<'_, ()>>| {
            drop(held.take());
            let mut cx = Context::from_waker(Waker::noop());
            for waiter in waiters {
                assert!(waiter.as_mut().poll(&mut cx).is_ready());
            }
        };
        measure("Lock", size, || lock.lock_async(), || held.set(Some(lock.lock())), serve);
    }

    pub(super) fn semaphore(size: usize) {
        let semaphore = Semaphore::new(0);
        let ready = || assert!(semaphore.forget_available(usize::MAX) <= size);
        measure(
            "Semaphore",
            size,
            || semaphore.acquire_async(),
            ready,
            |_| {
                semaphore.release(size);
            },
        );
    }

    pub(super) fn event(size: usize) {
        let event = Event::new();
        measure("Event", size, || event.wait_async(), || event.clear(), |_| event.set());
    }

    /// One push wakes one receiver; the item is taken back by hand.
    pub(super) fn queue(size: usize) {
        let queue = BoundedQueue::<u8>::new(1);
        measure(
            "BoundedQueue",
            size,
            || queue.pop_async(),
            || {},
            |_| {
                for _ in 0..size - size / 2 {
                    queue.push(0).unwrap();
                    queue.pop().unwrap();
                }
            },
        );
    }
}
