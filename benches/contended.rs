//! Locks and semaphores that threads, or tasks, contend for.
//!
//! ```text
//! cargo bench --bench contended
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
    harness::run("contended", scenarios::rows());
}

#[cfg(not(loom))]
mod scenarios {
    use crate::adapters::{
        AsyncLock, AsyncSemaphore, BlockingLock, BlockingSemaphore, CondvarSemaphore,
        FairIntrusiveSemaphore, IntrusiveLock, IntrusiveSemaphore, contenders,
    };
    use crate::harness::{Placement, Row, Unit, mops, tasks, threads};
    use std::hint::black_box;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    /// A row of the locks that block.
    macro_rules! blocking_locks {
        ($row:expr, |$Lock:ident, $n:ident| $turn:expr) => {
            contenders!($row, |$Lock, $n| $turn,
                bifrons::Lock<u64>,
                "std": std::sync::Mutex<u64>,
                "parking_lot": parking_lot_latest::Mutex<u64>,
                "usync": usync::Mutex<u64>,
                "saa": saa::Mutex<u64>,
                "async-lock": async_lock::Mutex<u64>,
                "tokio": tokio::sync::Mutex<u64>,
            )
        };
    }

    /// A row of the locks that tasks wait for.
    macro_rules! async_locks {
        ($row:expr, |$Lock:ident, $n:ident| $turn:expr) => {
            contenders!($row, |$Lock, $n| $turn,
                bifrons::Lock<u64>,
                "futures-intrusive": IntrusiveLock,
                "tokio": tokio::sync::Mutex<u64>,
                "mea": mea::mutex::Mutex<u64>,
                "async-lock": async_lock::Mutex<u64>,
                "saa": saa::Mutex<u64>,
            )
        };
    }

    pub(super) fn rows() -> Vec<Row> {
        let mut rows: Vec<Row> = [2, 4, 8].into_iter().map(short_section).collect();
        rows.push(longer_section(8));
        rows.push(unfairness(4));
        rows.extend([("p99.9", 999), ("longest", 1000)].map(|(name, part)| waits(4, name, part)));
        rows.push(yield_inside("16 tasks on 2 workers", 2, 16));
        rows.push(yield_inside("1000 tasks on one", 0, 1000));
        rows.push(semaphore_of_threads());
        rows.push(semaphore_of_tasks());
        rows
    }

    /// One increment in the section, nothing outside.
    fn short_section(count: usize) -> Row {
        let row = Row::new(format!("lock, short section, {count} threads"), Unit::Mops).long();
        blocking_locks!(row, |L, n| increments::<L>(count, n))
    }

    fn increments<L: BlockingLock>(count: usize, n: u64) -> f64 {
        let lock = L::default();
        contend(count, n, || *black_box(&lock).hold() += 1)
    }

    /// Millions of steps a second that the threads make together.
    fn contend(count: usize, n: u64, step: impl Fn() + Sync) -> f64 {
        let each = n / count as u64 + 1;
        let taken = threads(count, |_| (0..each).for_each(|_| step()));
        mops(taken, each * count as u64)
    }

    fn longer_section(count: usize) -> Row {
        let row =
            Row::new(format!("lock, 50 ns in, 100 ns out, {count} threads"), Unit::Mops).long();
        blocking_locks!(row, |L, n| in_and_out::<L>(count, n))
    }

    /// About 50 ns of a calculation whose every step needs the one before.
    fn work(mut number: u64) -> u64 {
        for _ in 0..40 {
            number = number.wrapping_mul(6_364_136_223_846_793_005) ^ (number >> 31);
        }
        black_box(number)
    }

    fn in_and_out<L: BlockingLock>(count: usize, n: u64) -> f64 {
        let lock = L::default();
        contend(count, n, || step_in_and_out(&lock, || {}))
    }

    /// Returns what `acquired` does, first thing in the section.
    fn step_in_and_out<R>(lock: &impl BlockingLock, acquired: impl FnOnce() -> R) -> R {
        let mut value = black_box(lock).hold();
        let result = acquired();
        *value = work(*value);
        drop(value);
        work(work(black_box(1)));
        result
    }

    /// How often each thread had the lock in a fixed time, short section: most by least. Each CPU has as
    /// many threads: where the system puts three on one and leaves one alone, that one gets three
    /// times as much, whatever the lock does.
    fn unfairness(count: usize) -> Row {
        let row = Row::new(format!("lock, unfairness of {count} threads"), Unit::Unfairness)
            .on(Placement::TwoCpus)
            .outside("a target, at most 2; who hands over to each in turn has 1, and is slow");
        blocking_locks!(row, |L, n| most_by_least::<L>(count, n))
    }

    fn most_by_least<L: BlockingLock>(count: usize, n: u64) -> f64 {
        let lock = L::default();
        let shares: Vec<u64> = for_a_while(
            count,
            n,
            || 0,
            |held| {
                *black_box(&lock).hold() += 1;
                *held += 1;
            },
        );
        let most = *shares.iter().max().expect("there is a thread");
        let least = *shares.iter().min().expect("there is a thread");
        most as f64 / least.max(1) as f64
    }

    /// Every thread repeats the step for as many microseconds, at least 150 ms (dozens of slices of
    /// the scheduler), and returns its state.
    fn for_a_while<S: Send>(
        count: usize,
        microseconds: u64,
        state: impl Fn() -> S + Sync,
        step: impl Fn(&mut S) + Sync,
    ) -> Vec<S> {
        let stop = AtomicBool::new(false);
        let states = std::sync::Mutex::new(Vec::new());
        threads(count + 1, |index| {
            if index == count {
                std::thread::sleep(Duration::from_micros(microseconds.max(150_000)));
                stop.store(true, Ordering::Relaxed);
                return;
            }
            let mut state = state();
            while !stop.load(Ordering::Relaxed) {
                step(&mut state);
            }
            states.lock().unwrap().push(state);
        });
        states.into_inner().unwrap()
    }

    /// How long an acquisition takes: the longest of so many in a thousand, in a fixed time.
    fn waits(count: usize, name: &str, permille: usize) -> Row {
        let name = format!("lock, {name} wait, 50 ns in, 100 ns out, {count} threads");
        let row = Row::new(name, Unit::Microseconds).long().outside(
            "a bound, not a race: nobody waits longer than 10 ms, and p99.9 is reported; ours: a thread that has waited for 0.5 ms makes newcomers queue, one at \
             a time, and another one looks again after 1 ms, so that the longest wait stays below 10 ms; \
             parking_lot hands over every 0.5 ms or so, and its longest wait is shorter; usync has no \
             bound: p99.9 of it is short, the longest is not",
        );
        blocking_locks!(row, |L, n| longest_of::<L>(count, permille, n))
    }

    fn longest_of<L: BlockingLock>(count: usize, permille: usize, n: u64) -> f64 {
        let lock = L::default();
        let waits = for_a_while(
            count,
            n,
            // Written to once, so that no page is missing later.
            || {
                let mut waits = vec![Duration::MAX; 1 << 20];
                waits.clear();
                waits
            },
            |waits| {
                let start = Instant::now();
                waits.push(step_in_and_out(&lock, || start.elapsed()));
            },
        );
        let mut waits = waits.concat();
        waits.sort_unstable();
        waits[(waits.len() * permille / 1000).min(waits.len() - 1)].as_secs_f64() * 1e6
    }

    fn yield_inside(who: &str, workers: usize, count: usize) -> Row {
        let row = Row::new(format!("lock, async, yield inside, {who}"), Unit::Mops).long();
        async_locks!(row, |L, n| hold_and_yield::<L>(workers, count, n))
    }

    fn hold_and_yield<L: AsyncLock>(workers: usize, count: usize, n: u64) -> f64 {
        let (lock, each) = (Arc::new(L::default()), n / count as u64 + 1);
        let task = |_| {
            let lock = Arc::clone(&lock);
            async move {
                for _ in 0..each {
                    let mut value = lock.hold_async().await;
                    *value += 1;
                    tokio::task::yield_now().await;
                }
            }
        };
        mops(tasks(workers, (0..count).map(task)), each * count as u64)
    }

    /// 2 permits. Where newcomers pass those who wait, hardly anybody has to.
    fn semaphore_of_threads() -> Row {
        let row = Row::new("semaphore, 2 permits, 8 threads", Unit::Mops).long().outside(
            "a word of the contract: a semaphore of ours is first come, first served, so a permit that \
             somebody waits for costs a wake-up, 4 us on one CPU and 30 us across two, before it is of \
             use; whoever runs takes that of a mutex and condvar, at the cost of none",
        );
        contenders!(row, |S, n| permits::<S>(8, n),
            bifrons::Semaphore,
            "parking_lot mutex and condvar": CondvarSemaphore,
            "async-lock": async_lock::Semaphore,
            "saa": saa::Semaphore,
            "tokio (block_on)": tokio::sync::Semaphore,
            "mea (block_on)": mea::semaphore::Semaphore,
            "futures-intrusive (block_on)": FairIntrusiveSemaphore,
        )
        .reference("futures-intrusive (block_on, not FIFO)", |n| {
            permits::<IntrusiveSemaphore>(8, n)
        })
    }

    fn permits<S: BlockingSemaphore>(count: usize, n: u64) -> f64 {
        let semaphore = S::with(2);
        contend(count, n, || drop(black_box(&semaphore).acquire_one()))
    }

    fn semaphore_of_tasks() -> Row {
        let row =
            Row::new("semaphore, 2 permits, yield inside, 1000 tasks on 2 workers", Unit::Mops)
                .long();
        contenders!(row, |S, n| permits_of_tasks::<S>(2, 1000, n),
            bifrons::Semaphore,
            "futures-intrusive": FairIntrusiveSemaphore,
            "async-lock": async_lock::Semaphore,
            "tokio": tokio::sync::Semaphore,
            "mea": mea::semaphore::Semaphore,
            "saa": saa::Semaphore,
        )
        .reference("futures-intrusive (not FIFO)", |n| {
            permits_of_tasks::<IntrusiveSemaphore>(2, 1000, n)
        })
    }

    fn permits_of_tasks<S: AsyncSemaphore>(workers: usize, count: usize, n: u64) -> f64 {
        let (semaphore, each) = (Arc::new(S::with(2)), n / count as u64 + 1);
        let task = |_| {
            let semaphore = Arc::clone(&semaphore);
            async move {
                for _ in 0..each {
                    let permit = semaphore.acquire_one_async().await;
                    tokio::task::yield_now().await;
                    drop(permit);
                }
            }
        };
        mops(tasks(workers, (0..count).map(task)), each * count as u64)
    }
}
