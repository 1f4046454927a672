//! What an operation costs that meets nobody: one thread, nothing ever waits.
//!
//! ```text
//! cargo bench --bench uncontended                  all rows
//! cargo bench --bench uncontended -- semaphore     rows whose name contains "semaphore"
//! ```
//!
//! The contenders of a row take turns, pass after pass, each turn measured by criterion. What an
//! operation returns goes through `black_box` and is dropped. A future is polled once, by hand: no
//! executor is measured. The tables come last.

#![allow(clippy::incompatible_msrv, reason = "a peer that is younger than our oldest compiler")]

#[cfg(not(loom))]
mod harness;

#[cfg(loom)]
fn main() {}

#[cfg(not(loom))]
fn main() {
    let mut bench = micro::Bench::new();
    rows::locks(&mut bench);
    rows::reentry(&mut bench);
    rows::semaphores(&mut bench);
    rows::events(&mut bench);
    rows::notifications(&mut bench);
    rows::queues(&mut bench);
    rows::pipes(&mut bench);
    bench.finish();
}

#[cfg(not(loom))]
mod micro {
    use crate::harness::{self, Request, Row, Unit};
    use criterion::{Bencher, BenchmarkId, Criterion};
    use serde_json::Value;
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    /// All rows, criterion, and what came out.
    pub(super) struct Bench {
        request: Request,
        criterion: Criterion,
        passes: usize,
        measured: Vec<(Row, Vec<Vec<f64>>)>,
    }

    impl Bench {
        pub(super) fn new() -> Self {
            let request = Request::read();
            let milliseconds = if request.quick { 12 } else { 50 };
            let criterion = Criterion::default()
                .without_plots()
                .output_directory(&directory())
                .sample_size(10)
                .nresamples(1_000)
                .warm_up_time(Duration::from_millis(milliseconds / 4))
                .measurement_time(Duration::from_millis(milliseconds));
            let passes = if request.quick { 3 } else { 7 };
            Self { request, criterion, passes, measured: Vec::new() }
        }

        pub(super) fn run(&mut self, contest: Contest<'_>) {
            let Contest { row, mut steps } = contest;
            if !self.request.wants(&row) {
                return;
            }
            let title = row.title();
            let mut rounds = vec![Vec::new(); steps.len()];
            let mut group = self.criterion.benchmark_group(&title);
            for pass in 1..=self.passes {
                for (figures, (contender, step)) in rounds.iter_mut().zip(&mut steps) {
                    group.bench_function(BenchmarkId::new(*contender, pass), step);
                    figures.push(median(&title, contender, pass));
                }
            }
            group.finish();
            self.measured.push((row, rounds));
        }

        /// Prints the tables.
        pub(super) fn finish(self) {
            let rows = self.measured.into_iter();
            let lines = rows.map(|(row, rounds)| harness::measured("uncontended", &row, rounds));
            self.request.save(&lines.collect::<String>());
        }
    }

    /// Where criterion keeps its figures: `target/criterion`.
    fn directory() -> PathBuf {
        Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("criterion")
    }

    /// What criterion has just found.
    fn median(row: &str, contender: &str, pass: usize) -> f64 {
        let path = format!("{row}/{contender}/{pass}/new/estimates.json");
        let text =
            fs::read_to_string(directory().join(path)).expect("criterion saves its estimates");
        let estimates: Value = serde_json::from_str(&text).expect("criterion writes JSON");
        estimates["median"]["point_estimate"].as_f64().expect("criterion estimates the median")
    }

    type Step<'a> = Box<dyn FnMut(&mut Bencher<'_>) + 'a>;

    /// A row, and each contender's form of its operation.
    pub(super) struct Contest<'a> {
        row: Row,
        steps: Vec<(&'static str, Step<'a>)>,
    }

    impl<'a> Contest<'a> {
        pub(super) fn new(name: &str) -> Self {
            Self { row: Row::new(name, Unit::Nanoseconds), steps: Vec::new() }
        }

        pub(super) fn ours<R>(self, step: impl FnMut() -> R + 'a) -> Self {
            self.contender("bifrons", |row| row.ours(unused), step)
        }

        pub(super) fn peer<R>(self, name: &'static str, step: impl FnMut() -> R + 'a) -> Self {
            self.contender(name, |row| row.peer(name, unused), step)
        }

        /// A contender that promises less than the row asks; say so in its name.
        pub(super) fn reference<R>(self, name: &'static str, step: impl FnMut() -> R + 'a) -> Self {
            self.contender(name, |row| row.reference(name, unused), step)
        }

        fn contender<R>(
            mut self,
            name: &'static str,
            enter: impl FnOnce(Row) -> Row,
            mut step: impl FnMut() -> R + 'a,
        ) -> Self {
            self.steps.push((name, Box::new(move |bencher| bencher.iter(&mut step))));
            Self { row: enter(self.row), steps: self.steps }
        }
    }

    /// The harness's own turns are not taken here.
    fn unused(_: u64) -> f64 {
        f64::NAN
    }
}

#[cfg(not(loom))]
mod rows {
    use crate::micro::{Bench, Contest};
    use std::cell::Cell;
    use std::hint::black_box;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    /// The output of a future that is ready at its first poll.
    #[inline]
    fn now<F: Future>(future: F) -> F::Output {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => output,
            Poll::Pending => unreachable!("nobody is met"),
        }
    }

    /// What saa leaves to its user.
    struct Held<'a>(&'a saa::Lock);

    impl Drop for Held<'_> {
        fn drop(&mut self) {
            self.0.release_lock();
        }
    }

    struct Taken<'a>(&'a saa::Semaphore);

    impl Drop for Taken<'_> {
        fn drop(&mut self) {
            self.0.release();
        }
    }

    pub(super) fn locks(bench: &mut Bench) {
        let ours = &bifrons::Lock::new(0_u64);
        let usync = &usync::Mutex::new(0_u64);
        let std = &std::sync::Mutex::new(0_u64);
        let saa = &saa::Lock::new();
        let parking_lot = &parking_lot_latest::Mutex::new(0_u64);
        let async_lock = &async_lock::Mutex::new(0_u64);
        let tokio = &tokio::sync::Mutex::new(0_u64);
        let mea = &mea::mutex::Mutex::new(0_u64);
        let intrusive = &futures_intrusive::sync::Mutex::new(0_u64, false);
        bench.run(
            Contest::new("lock, blocking")
                .ours(|| black_box(ours).lock())
                .peer("usync", || black_box(usync).lock())
                .peer("std", || black_box(std).lock())
                .peer("saa", || {
                    black_box(saa).lock_sync();
                    Held(saa)
                })
                .peer("parking_lot", || black_box(parking_lot).lock())
                .peer("async-lock", || black_box(async_lock).lock_blocking())
                .peer("tokio", || black_box(tokio).blocking_lock()),
        );
        bench.run(
            Contest::new("lock, try")
                .ours(|| black_box(ours).try_lock())
                .peer("usync", || black_box(usync).try_lock())
                .peer("std", || black_box(std).try_lock())
                .peer("saa", || black_box(saa).try_lock().map(|()| Held(saa)))
                .peer("parking_lot", || black_box(parking_lot).try_lock())
                .peer("async-lock", || black_box(async_lock).try_lock())
                .peer("tokio", || black_box(tokio).try_lock())
                .peer("mea", || black_box(mea).try_lock())
                .peer("futures-intrusive", || black_box(intrusive).try_lock()),
        );
        bench.run(
            Contest::new("lock, async")
                .ours(|| now(black_box(ours).lock_async()))
                .peer("saa", || {
                    now(black_box(saa).lock_async());
                    Held(saa)
                })
                .peer("futures-intrusive", || now(black_box(intrusive).lock()))
                .peer("async-lock", || now(black_box(async_lock).lock()))
                .peer("tokio", || now(black_box(tokio).lock()))
                .peer("mea", || now(black_box(mea).lock())),
        );
    }

    fn three<G>(lock: impl Fn() -> G) -> (G, G, G) {
        (lock(), lock(), lock())
    }

    pub(super) fn reentry(bench: &mut Bench) {
        let ours = &bifrons::ReentrantLock::new(Cell::new(0_u64));
        let usync = &usync::ReentrantMutex::new(Cell::new(0_u64));
        let parking_lot = &parking_lot_latest::ReentrantMutex::new(Cell::new(0_u64));
        bench.run(
            Contest::new("reentrant lock, depth 1")
                .ours(|| black_box(ours).lock())
                .peer("usync", || black_box(usync).lock())
                .peer("parking_lot", || black_box(parking_lot).lock()),
        );
        bench.run(
            Contest::new("reentrant lock, depth 3, all three locks")
                .ours(|| three(|| black_box(ours).lock()))
                .peer("usync", || three(|| black_box(usync).lock()))
                .peer("parking_lot", || three(|| black_box(parking_lot).lock())),
        );
    }

    /// A semaphore as it is made of a mutex and a condition variable.
    struct Counter {
        permits: parking_lot_latest::Mutex<usize>,
        released: parking_lot_latest::Condvar,
    }

    impl Counter {
        fn acquire(&self) -> Counted<'_> {
            let mut permits = self.permits.lock();
            while *permits == 0 {
                self.released.wait(&mut permits);
            }
            *permits -= 1;
            Counted(self)
        }
    }

    struct Counted<'a>(&'a Counter);

    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            *self.0.permits.lock() += 1;
            self.0.released.notify_one();
        }
    }

    pub(super) fn semaphores(bench: &mut Bench) {
        let ours = &bifrons::Semaphore::new(2);
        let saa = &saa::Semaphore::with_permits(2);
        let async_lock = &async_lock::Semaphore::new(2);
        let tokio = &tokio::sync::Semaphore::new(2);
        let mea = &mea::semaphore::Semaphore::new(2);
        let intrusive = &futures_intrusive::sync::Semaphore::new(true, 2);
        let counter = &Counter {
            permits: parking_lot_latest::Mutex::new(2),
            released: parking_lot_latest::Condvar::new(),
        };
        bench.run(
            Contest::new("semaphore, blocking")
                .ours(|| black_box(ours).acquire())
                .peer("saa", || {
                    black_box(saa).acquire_sync();
                    Taken(saa)
                })
                .peer("async-lock", || black_box(async_lock).acquire_blocking())
                .peer("tokio (block_on)", || {
                    futures::executor::block_on(black_box(tokio).acquire())
                })
                .peer("parking_lot (mutex + condvar)", || black_box(counter).acquire()),
        );
        bench.run(
            Contest::new("semaphore, try")
                .ours(|| black_box(ours).try_acquire())
                .peer("saa", || black_box(saa).try_acquire().then(|| Taken(saa)))
                .peer("async-lock", || black_box(async_lock).try_acquire())
                .peer("tokio", || black_box(tokio).try_acquire())
                .peer("mea", || black_box(mea).try_acquire(1))
                .peer("futures-intrusive", || black_box(intrusive).try_acquire(1)),
        );
        bench.run(
            Contest::new("semaphore, async")
                .ours(|| now(black_box(ours).acquire_async()))
                .peer("saa", || {
                    now(black_box(saa).acquire_async());
                    Taken(saa)
                })
                .peer("async-lock", || now(black_box(async_lock).acquire()))
                .peer("tokio", || now(black_box(tokio).acquire()))
                .peer("mea", || now(black_box(mea).acquire(1)))
                .peer("futures-intrusive", || now(black_box(intrusive).acquire(1))),
        );
    }

    /// An event as it is made of a mutex and a condition variable.
    struct Flag {
        set: parking_lot_latest::Mutex<bool>,
        changed: parking_lot_latest::Condvar,
    }

    impl Flag {
        fn set(&self) {
            *self.set.lock() = true;
            self.changed.notify_all();
        }

        fn wait(&self) {
            let mut set = self.set.lock();
            while !*set {
                self.changed.wait(&mut set);
            }
        }
    }

    pub(super) fn events(bench: &mut Bench) {
        let ours = &bifrons::Event::new();
        let intrusive = &futures_intrusive::sync::ManualResetEvent::new(false);
        let flag = &Flag {
            set: parking_lot_latest::Mutex::new(false),
            changed: parking_lot_latest::Condvar::new(),
        };
        let gate = &saa::Gate::new();
        let latch = &mea::latch::Latch::new(1);
        bench.run(
            Contest::new("event, set and clear")
                .ours(|| {
                    black_box(ours).set();
                    black_box(ours).clear();
                })
                .peer("futures-intrusive", || {
                    black_box(intrusive).set();
                    black_box(intrusive).reset();
                })
                .peer("parking_lot (mutex + condvar)", || {
                    black_box(flag).set();
                    *black_box(flag).set.lock() = false;
                })
                .peer("saa", || (black_box(gate).open(), black_box(gate).reset())),
        );
        ours.set();
        intrusive.set();
        flag.set();
        gate.open();
        latch.count_down();
        bench.run(
            Contest::new("event, set when it is set")
                .ours(|| black_box(ours).set())
                .peer("futures-intrusive", || black_box(intrusive).set())
                .peer("parking_lot (mutex + condvar)", || black_box(flag).set()),
        );
        bench.run(
            Contest::new("event, is_set")
                .ours(|| black_box(ours).is_set())
                .peer("futures-intrusive", || black_box(intrusive).is_set())
                .peer("parking_lot (mutex + condvar)", || *black_box(flag).set.lock())
                .peer("mea", || black_box(latch).try_wait()),
        );
        bench.run(
            Contest::new("event, wait when it is set, blocking")
                .ours(|| black_box(ours).wait())
                .peer("parking_lot (mutex + condvar)", || black_box(flag).wait())
                .peer("saa", || black_box(gate).enter_sync()),
        );
        bench.run(
            Contest::new("event, wait when it is set, async")
                .ours(|| now(black_box(ours).wait_async()))
                .peer("futures-intrusive", || now(black_box(intrusive).wait()))
                .peer("saa", || now(black_box(gate).enter_async()))
                .peer("mea", || now(black_box(latch).wait())),
        );
    }

    pub(super) fn notifications(bench: &mut Bench) {
        let ours = &bifrons::Condition::new();
        let parking_lot = &parking_lot_latest::Condvar::new();
        let usync = &usync::Condvar::new();
        let std = &std::sync::Condvar::new();
        let tokio = &tokio::sync::Notify::new();
        let mea = &mea::condvar::Condvar::new();
        let listeners = &event_listener::Event::<()>::new();
        bench.run(
            Contest::new("condition, notify nobody")
                .ours(|| black_box(ours).notify_one())
                .peer("parking_lot", || black_box(parking_lot).notify_one())
                .peer("usync", || black_box(usync).notify_one())
                .peer("std", || black_box(std).notify_one())
                .peer("tokio", || black_box(tokio).notify_one())
                .peer("mea", || black_box(mea).notify_one())
                .peer("event-listener", || black_box(listeners).notify(1)),
        );
        bench.run(
            Contest::new("condition, notify all of nobody")
                .ours(|| black_box(ours).notify_all())
                .peer("parking_lot", || black_box(parking_lot).notify_all())
                .peer("usync", || black_box(usync).notify_all())
                .peer("std", || black_box(std).notify_all())
                .peer("tokio", || black_box(tokio).notify_waiters())
                .peer("mea", || black_box(mea).notify_all())
                .peer("event-listener", || black_box(listeners).notify(usize::MAX)),
        );
    }

    const CAPACITY: usize = 64;

    pub(super) fn queues(bench: &mut Bench) {
        let ours = &bifrons::BoundedQueue::new(CAPACITY);
        let array = &crossbeam_queue::ArrayQueue::new(CAPACITY);
        let crossbeam = &crossbeam_channel::bounded(CAPACITY);
        let kanal = &kanal::bounded(CAPACITY);
        let kanal_async = &kanal::bounded_async(CAPACITY);
        let crossfire = &crossfire::mpmc::bounded_blocking(CAPACITY);
        let crossfire_async = &crossfire::mpmc::bounded_async(CAPACITY);
        let flume = &flume::bounded(CAPACITY);
        let async_channel = &async_channel::bounded(CAPACITY);
        let std = &std::sync::mpsc::sync_channel(CAPACITY);
        let (sender, mut receiver) = tokio::sync::mpsc::channel(CAPACITY);
        bench.run(
            Contest::new("queue, try_push and try_pop")
                .ours(|| {
                    black_box(ours).try_push(black_box(1_u64)).unwrap();
                    black_box(ours).try_pop().unwrap()
                })
                .peer("crossbeam-queue", || {
                    black_box(array).push(black_box(1_u64)).unwrap();
                    black_box(array).pop().unwrap()
                })
                .peer("kanal", || {
                    assert!(black_box(&kanal.0).try_send(black_box(1_u64)).unwrap());
                    black_box(&kanal.1).try_recv().unwrap().unwrap()
                })
                .peer("crossfire", || {
                    black_box(&crossfire.0).try_send(black_box(1_u64)).unwrap();
                    black_box(&crossfire.1).try_recv().unwrap()
                })
                .peer("flume", || {
                    black_box(&flume.0).try_send(black_box(1_u64)).unwrap();
                    black_box(&flume.1).try_recv().unwrap()
                })
                .peer("crossbeam-channel", || {
                    black_box(&crossbeam.0).try_send(black_box(1_u64)).unwrap();
                    black_box(&crossbeam.1).try_recv().unwrap()
                })
                .peer("async-channel", || {
                    black_box(&async_channel.0).try_send(black_box(1_u64)).unwrap();
                    black_box(&async_channel.1).try_recv().unwrap()
                })
                .peer("std", || {
                    black_box(&std.0).try_send(black_box(1_u64)).unwrap();
                    black_box(&std.1).try_recv().unwrap()
                })
                .peer("tokio", || {
                    black_box(&sender).try_send(black_box(1_u64)).unwrap();
                    black_box(&mut receiver).try_recv().unwrap()
                }),
        );
        bench.run(
            Contest::new("queue, push and pop, blocking")
                .ours(|| {
                    black_box(ours).push(black_box(1_u64)).unwrap();
                    black_box(ours).pop().unwrap()
                })
                .peer("kanal", || {
                    black_box(&kanal.0).send(black_box(1_u64)).unwrap();
                    black_box(&kanal.1).recv().unwrap()
                })
                .peer("crossfire", || {
                    black_box(&crossfire.0).send(black_box(1_u64)).unwrap();
                    black_box(&crossfire.1).recv().unwrap()
                })
                .peer("flume", || {
                    black_box(&flume.0).send(black_box(1_u64)).unwrap();
                    black_box(&flume.1).recv().unwrap()
                })
                .peer("crossbeam-channel", || {
                    black_box(&crossbeam.0).send(black_box(1_u64)).unwrap();
                    black_box(&crossbeam.1).recv().unwrap()
                })
                .peer("async-channel", || {
                    black_box(&async_channel.0).send_blocking(black_box(1_u64)).unwrap();
                    black_box(&async_channel.1).recv_blocking().unwrap()
                })
                .peer("std", || {
                    black_box(&std.0).send(black_box(1_u64)).unwrap();
                    black_box(&std.1).recv().unwrap()
                }),
        );
        let (sender, mut receiver) = tokio::sync::mpsc::channel(CAPACITY);
        bench.run(
            Contest::new("queue, push and pop, async")
                .ours(|| {
                    now(black_box(ours).push_async(black_box(1_u64))).unwrap();
                    now(black_box(ours).pop_async()).unwrap()
                })
                .peer("kanal", || {
                    now(black_box(&kanal_async.0).send(black_box(1_u64))).unwrap();
                    now(black_box(&kanal_async.1).recv()).unwrap()
                })
                .peer("crossfire", || {
                    now(black_box(&crossfire_async.0).send(black_box(1_u64))).unwrap();
                    now(black_box(&crossfire_async.1).recv()).unwrap()
                })
                .peer("flume", || {
                    now(black_box(&flume.0).send_async(black_box(1_u64))).unwrap();
                    now(black_box(&flume.1).recv_async()).unwrap()
                })
                .peer("async-channel", || {
                    now(black_box(&async_channel.0).send(black_box(1_u64))).unwrap();
                    now(black_box(&async_channel.1).recv()).unwrap()
                })
                .peer("tokio", || {
                    now(black_box(&sender).send(black_box(1_u64))).unwrap();
                    now(black_box(&mut receiver).recv()).unwrap()
                }),
        );
    }

    pub(super) fn pipes(bench: &mut Bench) {
        let mut ours = bifrons::pipe::simplex(CAPACITY);
        let mut rtrb = rtrb::RingBuffer::new(CAPACITY);
        let kanal = &kanal::bounded(CAPACITY);
        let crossbeam = &crossbeam_channel::bounded(CAPACITY);
        let crossfire = &crossfire::spsc::bounded_blocking(CAPACITY);
        let std = &std::sync::mpsc::sync_channel(CAPACITY);
        bench.run(
            Contest::new("pipe, try_send and try_recv")
                .ours(|| {
                    black_box(&mut ours.0).try_send(black_box(1_u64)).unwrap();
                    black_box(&mut ours.1).try_recv().unwrap()
                })
                .reference("rtrb (never waits)", || {
                    black_box(&mut rtrb.0).push(black_box(1_u64)).unwrap();
                    black_box(&mut rtrb.1).pop().unwrap()
                })
                .peer("kanal", || {
                    assert!(black_box(&kanal.0).try_send(black_box(1_u64)).unwrap());
                    black_box(&kanal.1).try_recv().unwrap().unwrap()
                })
                .peer("crossfire", || {
                    black_box(&crossfire.0).try_send(black_box(1_u64)).unwrap();
                    black_box(&crossfire.1).try_recv().unwrap()
                })
                .peer("crossbeam-channel", || {
                    black_box(&crossbeam.0).try_send(black_box(1_u64)).unwrap();
                    black_box(&crossbeam.1).try_recv().unwrap()
                })
                .peer("std", || {
                    black_box(&std.0).try_send(black_box(1_u64)).unwrap();
                    black_box(&std.1).try_recv().unwrap()
                }),
        );
    }
}
