//! A pool of worker threads behind a bounded queue, with a clean shutdown.
//!
//! Threads and tasks submit jobs; who submits faster than the workers work has to wait. A shutdown
//! lets the workers finish what was submitted; a job submitted later comes back.
//!
//! ```text
//! cargo run --example worker_pool
//! ```

use bifrons::{BoundedQueue, PushError};
use futures::executor::block_on;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

type Job = Box<dyn FnOnce() + Send>;

struct Pool {
    jobs: Arc<BoundedQueue<Job>>,
    workers: Vec<JoinHandle<()>>,
}

impl Pool {
    fn new(workers: usize, capacity: usize) -> Self {
        let jobs = Arc::new(BoundedQueue::<Job>::new(capacity));
        let worker = |jobs: Arc<BoundedQueue<Job>>| move || jobs.iter().for_each(|job| job());
        let workers = (0..workers).map(|_| thread::spawn(worker(Arc::clone(&jobs)))).collect();
        Self { jobs, workers }
    }

    fn submit(&self, job: Job) -> Result<(), PushError<Job>> {
        self.jobs.push(job)
    }

    async fn submit_async(&self, job: Job) -> Result<(), PushError<Job>> {
        self.jobs.push_async(job).await
    }

    /// Returns when the last job is done.
    fn shut_down(&mut self) {
        self.jobs.close();
        for worker in self.workers.drain(..) {
            worker.join().expect("no job panics");
        }
    }
}

fn main() {
    let sum = Arc::new(AtomicU64::new(0));
    let add = |number| -> Job {
        let sum = Arc::clone(&sum);
        Box::new(move || _ = sum.fetch_add(number, Ordering::Relaxed))
    };

    let mut pool = Pool::new(3, 8);
    thread::scope(|threads| {
        threads.spawn(|| {
            for number in 1..=500 {
                assert!(pool.submit(add(number)).is_ok());
            }
        });
        block_on(async {
            for number in 501..=1000 {
                assert!(pool.submit_async(add(number)).await.is_ok());
            }
        });
    });
    pool.shut_down();
    assert_eq!(sum.load(Ordering::Relaxed), 1000 * 1001 / 2, "each job was done once");

    let late = pool.submit(add(1_000_000)).expect_err("the pool is shut down");
    assert_eq!(sum.load(Ordering::Relaxed), 1000 * 1001 / 2, "the late job was not done");
    late.into_inner()();
    assert_eq!(sum.load(Ordering::Relaxed), 1000 * 1001 / 2 + 1_000_000, "but it came back");
    println!("1000 jobs done before the shutdown, 1 given back after it");
}
