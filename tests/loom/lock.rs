//! Models of `Lock`.

use super::explore;
use bifrons::{Lock, block_on};
use loom::thread;
use std::sync::Arc;

/// Two threads and a task take turns.
#[test]
fn exclusion() {
    explore("lock: exclusion", || {
        let lock = Arc::new(Lock::new(0));
        let other = Arc::clone(&lock);
        let thread = thread::spawn(move || *other.lock() += 1);
        block_on(async { *lock.lock_async().await += 1 });
        thread.join().unwrap();
        assert_eq!(*lock.lock(), 2);
    });
}
