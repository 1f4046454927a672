//! A manager that lends a few connections to many threads and tasks.
//!
//! A permit of the semaphore stands for a free connection, and who has to wait is served in order.
//! A lease that is dropped gives back first the connection, then the permit.
//!
//! ```text
//! cargo run --example resource_manager
//! ```

use bifrons::{Lock, Permit, Semaphore};
use futures::executor::block_on;
use futures::join;
use std::mem::take;
use std::thread;

const CONNECTIONS: usize = 2;

#[derive(Default)]
struct Connection {
    requests: u32,
}

struct Manager {
    free: Lock<Vec<Connection>>,
    permits: Semaphore,
}

struct Lease<'a> {
    connection: Connection,
    manager: &'a Manager,
    _permit: Permit<'a>,
}

impl Manager {
    fn lend(&self) -> Lease<'_> {
        self.lease(self.permits.acquire())
    }

    async fn lend_async(&self) -> Lease<'_> {
        self.lease(self.permits.acquire_async().await)
    }

    fn lease<'a>(&'a self, permit: Permit<'a>) -> Lease<'a> {
        let connection = self.free.lock().pop().expect("a permit stands for a free connection");
        Lease { connection, manager: self, _permit: permit }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.manager.free.lock().push(take(&mut self.connection));
    }
}

fn main() {
    let free = Lock::new((0..CONNECTIONS).map(|_| Connection::default()).collect());
    let manager = Manager { free, permits: Semaphore::new(CONNECTIONS) };

    let mut leases: Vec<_> = (0..CONNECTIONS).map(|_| manager.lend()).collect();
    assert!(manager.permits.try_acquire().is_none(), "all are lent");
    leases.clear();

    let thread = || (0..1000).for_each(|_| manager.lend().connection.requests += 1);
    let task = async || {
        for _ in 0..1000 {
            manager.lend_async().await.connection.requests += 1;
        }
    };
    thread::scope(|threads| {
        threads.spawn(thread);
        threads.spawn(thread);
        block_on(async { join!(task(), task()) });
    });

    let requests: Vec<u32> = manager.free.lock().iter().map(|free| free.requests).collect();
    assert_eq!(requests.len(), CONNECTIONS, "all are back");
    assert_eq!(requests.iter().sum::<u32>(), 4000, "no request is lost");
    println!("requests of 2 threads and 2 tasks, by connection: {requests:?}");
}
