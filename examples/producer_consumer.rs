//! A thread produces, a task consumes; and back: the task produces, a thread consumes.
//!
//! Each of the two queues has a blocking end and an async end. A slow end holds up the other: it is
//! never further ahead than there is room. Closing a queue ends its consumer once it has taken
//! all that is left.
//!
//! ```text
//! cargo run --example producer_consumer
//! ```

use bifrons::BoundedQueue;
use futures::executor::block_on;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

const NUMBERS: u64 = 10_000;
const CAPACITY: u64 = 4;

fn main() {
    let numbers = BoundedQueue::new(CAPACITY as usize);
    let squares = BoundedQueue::new(CAPACITY as usize);
    let squared = AtomicU64::new(0);

    let received: Vec<u64> = thread::scope(|threads| {
        threads.spawn(|| {
            for number in 0..NUMBERS {
                numbers.push(number).expect("only this thread closes the queue");
                // One number more is out of the queue and not counted yet.
                assert!(number < squared.load(Ordering::Acquire) + CAPACITY + 1);
            }
            numbers.close();
        });

        let consumer = threads.spawn(|| squares.iter().collect());

        block_on(async {
            while let Ok(number) = numbers.pop_async().await {
                squares.push_async(number * number).await.expect("only this task closes the queue");
                squared.fetch_add(1, Ordering::Release);
            }
            squares.close();
        });

        consumer.join().expect("the consumer does not panic")
    });

    let expected: Vec<u64> = (0..NUMBERS).map(|number| number * number).collect();
    assert_eq!(received, expected, "everything, in order, once");
    println!("{} numbers went from a thread to a task and back as squares", received.len());
}
