//! Threads and tasks together at one object.
//!
//! ```text
//! cargo bench --bench mixed
//! ```

#![allow(clippy::incompatible_msrv, reason = "a peer that is younger than our oldest compiler")]

#[cfg(not(loom))]
mod adapters;
#[cfg(not(loom))]
mod harness;

#[cfg(loom)]
fn main() {}

#[cfg(not(loom))]
fn main() {
    harness::run("mixed", scenarios::rows());
}

#[cfg(not(loom))]
mod scenarios {
    use crate::adapters::{
        AsyncBaton, AsyncChannel, AsyncLock, AsyncSemaphore, Baton, BlockingLock,
        FairIntrusiveSemaphore, Flume, IntrusiveEvent, IntrusiveLock, IntrusiveSemaphore, Kanal,
        Listened, MixedCrossfire, OurQueue, Permits, TokioChannel, contenders,
    };
    use crate::harness::{Placement, Row, Unit, mops, nanoseconds, pin, runtime};
    use std::future::Future;
    use std::hint::black_box;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    pub(super) fn rows() -> Vec<Row> {
        let mut rows = vec![locks(), semaphores()];
        for row in [events, permits, queues] {
            rows.extend([Placement::OneCpu, Placement::TwoCpus].map(row));
        }
        rows
    }

    const UNFAIR: &str = "futures-intrusive (block_on, not FIFO)";

    /// So many threads, and as many tasks on as many workers.
    const SIDE: usize = 2;

    /// Runs both sides from one moment on; from the first start to the last end.
    fn sides<F>(side: usize, blocking: impl Fn() + Sync, task: impl Fn() -> F) -> Duration
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (here, runtime) = (Arc::new(AtomicUsize::new(0)), runtime(side));
        let all_here = move |here: &AtomicUsize| here.load(Ordering::Relaxed) == 2 * side;
        let spawn = |_| {
            let (here, task) = (Arc::clone(&here), task());
            runtime.spawn(async move {
                here.fetch_add(1, Ordering::Relaxed);
                while !all_here(&here) {
                    tokio::task::yield_now().await;
                }
                let start = Instant::now();
                task.await;
                (start, Instant::now())
            })
        };
        let run = |index| {
            pin(index);
            here.fetch_add(1, Ordering::Relaxed);
            while !all_here(&here) {
                std::thread::yield_now();
            }
            let start = Instant::now();
            blocking();
            (start, Instant::now())
        };
        let tasks: Vec<_> = (0..side).map(spawn).collect();
        let mut spans: Vec<_> = std::thread::scope(|scope| {
            let run = &run;
            // The first worker is on the first CPU: a lone thread goes to the second.
            let threads: Vec<_> = (1..=side).map(|index| scope.spawn(move || run(index))).collect();
            threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
        });
        for task in tasks {
            spans.push(runtime.block_on(task).expect("no task panics"));
        }
        let start = spans.iter().map(|span| span.0).min().expect("there is a party");
        let end = spans.iter().map(|span| span.1).max().expect("there is a party");
        end - start
    }

    fn locks() -> Row {
        let row = Row::new("lock, short section, 2 threads and 2 tasks", Unit::Mops).long();
        contenders!(row, |L, n| increments::<L>(n),
            bifrons::Lock<u64>,
            "saa": saa::Mutex<u64>,
            "async-lock": async_lock::Mutex<u64>,
            "mea (block_on)": mea::mutex::Mutex<u64>,
            "tokio": tokio::sync::Mutex<u64>,
            "futures-intrusive (block_on)": IntrusiveLock,
        )
    }

    fn increments<L: BlockingLock + AsyncLock>(n: u64) -> f64 {
        let (lock, each) = (Arc::new(L::default()), n / (2 * SIDE) as u64 + 1);
        let blocking = || (0..each).for_each(|_| *black_box(&*lock).hold() += 1);
        let task = || {
            let lock = Arc::clone(&lock);
            async move {
                for _ in 0..each {
                    *black_box(&*lock).hold_async().await += 1;
                }
            }
        };
        mops(sides(SIDE, blocking, task), each * 2 * SIDE as u64)
    }

    fn semaphores() -> Row {
        let row = Row::new("semaphore, 2 permits, 2 threads and 2 tasks", Unit::Mops).long();
        contenders!(row, |S, n| acquisitions::<S>(n),
            bifrons::Semaphore,
            "saa": saa::Semaphore,
            "async-lock": async_lock::Semaphore,
            "mea (block_on)": mea::semaphore::Semaphore,
            "tokio (block_on)": tokio::sync::Semaphore,
            "futures-intrusive (block_on)": FairIntrusiveSemaphore,
        )
        .reference(UNFAIR, acquisitions::<IntrusiveSemaphore>)
    }

    fn acquisitions<S: AsyncSemaphore>(n: u64) -> f64 {
        let (semaphore, each) = (Arc::new(S::with(2)), n / (2 * SIDE) as u64 + 1);
        let blocking = || (0..each).for_each(|_| drop(black_box(&*semaphore).acquire_one()));
        let task = || {
            let semaphore = Arc::clone(&semaphore);
            async move {
                for _ in 0..each {
                    drop(black_box(&*semaphore).acquire_one_async().await);
                }
            }
        };
        mops(sides(SIDE, blocking, task), each * 2 * SIDE as u64)
    }

    /// Nanoseconds per round trip: thread to task to thread.
    fn round_trips<B: Baton + AsyncBaton>(n: u64) -> f64 {
        let [there, back] = [(); 2].map(|()| Arc::new(B::default()));
        let blocking = || {
            for _ in 0..n {
                there.pass();
                back.wait();
            }
        };
        let task = || {
            let (there, back) = (Arc::clone(&there), Arc::clone(&back));
            async move {
                for _ in 0..n {
                    there.wait_async().await;
                    back.pass_async().await;
                }
            }
        };
        nanoseconds(sides(1, blocking, task), n)
    }

    fn ping_pong(what: &str, placement: Placement) -> Row {
        let name = format!("{what}, ping-pong of a thread and a task");
        Row::new(name, Unit::Nanoseconds).on(placement)
    }

    fn events(placement: Placement) -> Row {
        contenders!(ping_pong("event", placement), |B, n| round_trips::<B>(n),
            bifrons::Event,
            "tokio Notify (block_on)": tokio::sync::Notify,
            "event-listener and flag": Listened,
            "futures-intrusive (block_on)": IntrusiveEvent,
        )
    }

    fn permits(placement: Placement) -> Row {
        let mut row = ping_pong("semaphore", placement);
        if placement == Placement::TwoCpus {
            row = row.note(
                "saa spins for up to 32 us in a poll, and whatever else the thread has to run waits; \
                 a poll of ours looks once",
            );
        }
        contenders!(row, |S, n| round_trips::<Permits<S>>(n),
            bifrons::Semaphore,
            "saa": saa::Semaphore,
            "async-lock": async_lock::Semaphore,
            "mea (block_on)": mea::semaphore::Semaphore,
            "tokio (block_on)": tokio::sync::Semaphore,
            "futures-intrusive (block_on)": FairIntrusiveSemaphore,
        )
        .reference(UNFAIR, round_trips::<Permits<IntrusiveSemaphore>>)
    }

    /// kanal hands an item into the future that waits, and a cancel loses it.
    fn queues(placement: Placement) -> Row {
        contenders!(ping_pong("queue, capacity 1", placement), |B, n| round_trips::<B>(n),
            OurQueue,
            "flume": Flume,
            "crossfire": MixedCrossfire,
            "async-channel": AsyncChannel,
            "tokio mpsc": TokioChannel,
        )
        .reference("kanal (a cancel loses items)", round_trips::<Kanal>)
    }
}
