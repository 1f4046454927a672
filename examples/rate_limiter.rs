//! A rate limiter: a bucket of tokens that is filled at a steady rate.
//!
//! A call takes a token for good: it acquires a permit and forgets it. A thread adds a token each
//! period, until an event stops it; the bound of the semaphore keeps the bucket from overflowing.
//! Threads and tasks are limited together.
//!
//! ```text
//! cargo run --example rate_limiter
//! ```

use bifrons::{Event, Semaphore};
use futures::executor::block_on;
use std::thread;
use std::time::{Duration, Instant};

const BURST: u32 = 3;
const PERIOD: Duration = Duration::from_millis(10);

struct RateLimiter {
    tokens: Semaphore,
    stop: Event,
}

impl RateLimiter {
    fn new(burst: u32) -> Self {
        Self { tokens: Semaphore::bounded(burst as usize), stop: Event::new() }
    }

    fn admit(&self) {
        self.tokens.acquire().forget();
    }

    async fn admit_async(&self) {
        self.tokens.acquire_async().await.forget();
    }

    /// Adds a token each `period`, until the limiter is stopped.
    fn refill(&self, period: Duration) {
        while self.stop.wait_timeout(period).is_err() {
            // An error says that the bucket is full: the token is dropped.
            _ = self.tokens.try_release(1);
        }
    }
}

fn main() {
    let limiter = RateLimiter::new(BURST);
    let calls = 5;
    let start = Instant::now();

    thread::scope(|threads| {
        threads.spawn(|| limiter.refill(PERIOD));
        let caller = threads.spawn(|| (0..calls).for_each(|_| limiter.admit()));
        block_on(async {
            for _ in 0..calls {
                limiter.admit_async().await;
            }
        });
        caller.join().expect("the caller does not panic");
        limiter.stop.set();
    });

    let elapsed = start.elapsed();
    let refilled = 2 * calls - BURST;
    assert!(elapsed >= refilled * PERIOD, "{refilled} tokens came in {elapsed:?} only");
    assert!(limiter.tokens.available() <= BURST as usize);
    println!("{} calls in {elapsed:?}: {BURST} at once, then one each {PERIOD:?}", 2 * calls);
}
