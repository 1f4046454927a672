//! Threads that start together, tasks, and how long they take.

use super::place::pin;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

/// From when to when something ran.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    start: Instant,
    end: Instant,
}

impl Span {
    pub(crate) fn of<T>(work: impl FnOnce() -> T) -> (Self, T) {
        let start = Instant::now();
        let output = work();
        (Self { start, end: Instant::now() }, output)
    }

    pub(crate) async fn of_task<F: Future>(work: F) -> (Self, F::Output) {
        let start = Instant::now();
        let output = work.await;
        (Self { start, end: Instant::now() }, output)
    }

    /// From the first start to the last end.
    pub(crate) fn total(spans: impl IntoIterator<Item = Self>) -> Duration {
        let hull = |one: Self, other: Self| Self {
            start: one.start.min(other.start),
            end: one.end.max(other.end),
        };
        let all = spans.into_iter().reduce(hull).expect("there is a party");
        all.end - all.start
    }
}

/// Runs `work` for each of the parties on a thread of its own. They start together, once all are
/// where they belong, and `beside` then runs on this thread.
pub(crate) fn threads_beside<P: Send, T: Send, R>(
    parties: Vec<P>,
    work: impl Fn(P) -> T + Sync,
    beside: impl FnOnce() -> R,
) -> (Vec<(Span, T)>, R) {
    let barrier = Barrier::new(parties.len() + 1);
    let run = |index, party| {
        pin(index);
        barrier.wait();
        Span::of(|| work(party))
    };
    std::thread::scope(|scope| {
        let run = &run;
        let spawn = |(index, party)| scope.spawn(move || run(index, party));
        let threads: Vec<_> = parties.into_iter().enumerate().map(spawn).collect();
        barrier.wait();
        let beside = beside();
        let join = threads.into_iter().map(|thread| thread.join().expect("no thread panics"));
        (join.collect(), beside)
    })
}

/// Runs `work` for each of the parties on threads that start together; how long that takes, and
/// what comes out.
pub(crate) fn threads_of<P: Send, T: Send>(
    parties: Vec<P>,
    work: impl Fn(P) -> T + Sync,
) -> (Duration, Vec<T>) {
    let (done, ()) = threads_beside(parties, work, || {});
    let (spans, outputs): (Vec<_>, Vec<_>) = done.into_iter().unzip();
    (Span::total(spans), outputs)
}

/// Runs `work(index)` on `count` threads that start together; from the first start to the last end.
pub(crate) fn threads(count: usize, work: impl Fn(usize) + Sync) -> Duration {
    threads_of((0..count).collect(), work).0
}

/// Runs the futures as tasks of a runtime of so many workers; from the first spawn to the last end.
pub(crate) fn tasks<F>(workers: usize, futures: impl IntoIterator<Item = F>) -> Duration
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = runtime(workers);
    let futures: Vec<F> = futures.into_iter().collect();
    runtime.block_on(async {
        let start = Instant::now();
        let tasks: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
        for task in tasks {
            task.await.expect("no task panics");
        }
        start.elapsed()
    })
}

/// A tokio runtime: of so many workers, which are where they belong, or with 0 of this thread alone.
pub(crate) fn runtime(workers: usize) -> tokio::runtime::Runtime {
    if workers == 0 {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        return builder.build().expect("a runtime can be built");
    }
    let (next, here) = (AtomicUsize::new(0), Arc::new(Barrier::new(workers + 1)));
    let all_here = Arc::clone(&here);
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(workers).on_thread_start(move || {
        let index = next.fetch_add(1, Ordering::Relaxed);
        pin(index);
        if index < workers {
            here.wait();
        }
    });
    let runtime = builder.build().expect("a runtime can be built");
    all_here.wait();
    runtime
}

pub(crate) fn nanoseconds(taken: Duration, operations: u64) -> f64 {
    taken.as_nanos() as f64 / operations as f64
}

pub(crate) fn mops(taken: Duration, operations: u64) -> f64 {
    operations as f64 / taken.as_secs_f64() / 1e6
}
