//! The loom models: every interleaving of two or three threads, up to a bound on preemptions.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --release --test loom
//! ```
//!
//! Each model names the interleaving that it is for, and the mutation that it kills; the mutations
//! are the patches of `tests/mutants`, and `tests/mutants/run` shows each kill.

#![cfg(loom)]

mod condition;
mod event;
mod lock;
mod looks;
mod pipe;
mod queue;
mod reentrant;
mod semaphore;
mod wait;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

/// Explores every execution of `model`, and prints how many there were.
#[track_caller]
fn explore(name: &str, model: impl Fn() + Sync + Send + 'static) {
    explore_within(1_000, name, model);
}

/// [`explore`] for models of the ring, whose operations take more steps.
#[track_caller]
fn explore_ring(name: &str, model: impl Fn() + Sync + Send + 'static) {
    explore_within(2_000, name, model);
}

fn explore_within(branches: usize, name: &str, model: impl Fn() + Sync + Send + 'static) {
    // Not loom's: it lives through all executions.
    static EXECUTIONS: AtomicUsize = AtomicUsize::new(0);
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());

    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    EXECUTIONS.store(0, Ordering::Relaxed);
    let mut builder = loom::model::Builder::new();
    builder.max_branches = branches;
    if builder.preemption_bound.is_none() {
        builder.preemption_bound = Some(3);
    }
    let start = std::time::Instant::now();
    builder.check(move || {
        EXECUTIONS.fetch_add(1, Ordering::Relaxed);
        model();
    });
    println!(
        "{name}: {} executions in {:.1} s",
        EXECUTIONS.load(Ordering::Relaxed),
        start.elapsed().as_secs_f64()
    );
}

/// Polls once, with a waker that does nothing.
fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A waker that remembers whether it was called. Not loom's: ask when the callers are joined.
#[derive(Default)]
struct Flag(std::sync::atomic::AtomicBool);

impl Flag {
    fn new() -> std::sync::Arc<Self> {
        std::sync::Arc::default()
    }

    fn is_woken(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Polls with this waker.
    fn poll<F: Future + ?Sized>(
        self: &std::sync::Arc<Self>,
        future: Pin<&mut F>,
    ) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(&Waker::from(std::sync::Arc::clone(self))))
    }
}

impl std::task::Wake for Flag {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A number without any synchronisation of its own: loom reports accesses that nothing orders.
struct Plain(loom::cell::Cell<usize>);

// SAFETY: `loom::cell::Cell` panics where two threads meet in it.
unsafe impl Sync for Plain {}
// SAFETY: a number.
unsafe impl Send for Plain {}

impl Plain {
    fn new() -> Self {
        Self(loom::cell::Cell::new(0))
    }

    fn get(&self) -> usize {
        self.0.get()
    }

    fn set(&self, value: usize) {
        self.0.set(value);
    }
}
