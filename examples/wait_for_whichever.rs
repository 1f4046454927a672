//! A plain thread waits for whichever comes first: one of two events, or an item of a queue.
//!
//! Every async operation can be waited for by a thread, with `bifrons::block_on`; so `select!` from
//! `futures` does the rest, and no runtime is needed. What was not chosen is withdrawn and loses
//! nothing: the item stays in the queue.
//!
//! ```text
//! cargo run --example wait_for_whichever
//! ```

use bifrons::{BoundedQueue, Event, block_on};
use futures::select_biased;
use std::pin::pin;
use std::thread;

#[derive(Debug, PartialEq)]
enum News {
    Stop,
    Reload,
    Job(u32),
}

struct Inbox {
    stop: Event,
    reload: Event,
    jobs: BoundedQueue<u32>,
}

impl Inbox {
    /// Blocks until there is something; if there are several things, the first of the list.
    fn wait(&self) -> News {
        block_on(async {
            let mut stop = pin!(self.stop.wait_async());
            let mut reload = pin!(self.reload.wait_async());
            let mut job = pin!(self.jobs.pop_async());
            select_biased! {
                () = stop => News::Stop,
                () = reload => {
                    self.reload.clear();
                    News::Reload
                }
                job = job => News::Job(job.expect("nobody closes the queue")),
            }
        })
    }
}

fn main() {
    let inbox = Inbox { stop: Event::new(), reload: Event::new(), jobs: BoundedQueue::new(8) };

    // The thread waits for all three; each sender serves it in another way.
    thread::scope(|threads| {
        threads.spawn(|| inbox.jobs.push(1));
        assert_eq!(inbox.wait(), News::Job(1));
        threads.spawn(|| inbox.reload.set());
        assert_eq!(inbox.wait(), News::Reload);
        threads.spawn(|| futures::executor::block_on(inbox.jobs.push_async(2)));
        assert_eq!(inbox.wait(), News::Job(2));
        threads.spawn(|| inbox.stop.set());
        assert_eq!(inbox.wait(), News::Stop);
    });

    // Two at the same time: the event comes first, and the item is not lost.
    inbox.jobs.push(3).expect("nobody closes the queue");
    assert_eq!(inbox.wait(), News::Stop);
    inbox.stop.clear();
    assert_eq!(inbox.wait(), News::Job(3));
    assert_eq!((inbox.stop.waiting(), inbox.reload.waiting(), inbox.jobs.waiting()), (0, 0, 0));
    println!("a job, a reload, a job, a stop; then a stop before a job, and the job after it");
}
