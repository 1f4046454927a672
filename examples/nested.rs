//! A tree of folders whose methods all lock, also where they call themselves.
//!
//! A `ReentrantLock` lets its owner in again, so no method needs a twin for callers that have the
//! lock already. Threads own it as threads, tasks pass an `Owner` down. Whoever counts finds each
//! folder's total right: nobody is halfway through a change.
//!
//! ```text
//! cargo run --example nested
//! ```

use bifrons::{Owner, ReentrantLock, block_on};
use futures::future::{BoxFuture, FutureExt, join_all};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;

const FOLDERS: usize = 40;
const LEVELS: u32 = 4;
const FILES: usize = 200;

#[derive(Default)]
struct Folder {
    files: AtomicU32,
    total: AtomicU32,
}

/// Folder `n` is in folder `(n - 1) / 3`.
struct Tree(ReentrantLock<[Folder; FOLDERS]>);

impl Tree {
    /// One file more here, where the call is the outermost, and in all that this is in.
    fn add(&self, at: usize) {
        let folders = self.0.lock();
        folders[at].files.fetch_add(u32::from(self.0.depth() == 1), Relaxed);
        folders[at].total.fetch_add(1, Relaxed);
        if at > 0 {
            self.add((at - 1) / 3);
        }
    }

    /// The same by a task.
    fn add_as<'a>(&'a self, owner: &'a Owner, at: usize) -> BoxFuture<'a, ()> {
        async move {
            let folders = self.0.lock_async(owner).await;
            folders[at].files.fetch_add(u32::from(self.0.depth() == 1), Relaxed);
            folders[at].total.fetch_add(1, Relaxed);
            if at > 0 {
                self.add_as(owner, (at - 1) / 3).await;
            }
        }
        .boxed()
    }

    /// How many files there are from here on, counted anew, and how deep the holds went.
    fn count(&self, at: usize) -> (u32, u32) {
        let folders = self.0.lock();
        let inside = (3 * at + 1..=3 * at + 3).filter(|&folder| folder < FOLDERS);
        let (counts, depths): (Vec<_>, Vec<_>) = inside.map(|folder| self.count(folder)).unzip();
        let files = folders[at].files.load(Relaxed) + counts.iter().sum::<u32>();
        assert_eq!(files, folders[at].total.load(Relaxed), "somebody is halfway");
        (files, depths.into_iter().max().unwrap_or(self.0.depth()))
    }
}

fn main() {
    let tree = Tree(ReentrantLock::new(std::array::from_fn(|_| Folder::default())));
    let task = async |start: usize| {
        let owner = Owner::new();
        for file in 0..FILES {
            tree.add_as(&owner, (start + 7 * file) % FOLDERS).await;
        }
    };
    thread::scope(|threads| {
        threads.spawn(|| (0..FILES).for_each(|file| tree.add(file % FOLDERS)));
        threads.spawn(|| (0..FILES).for_each(|_| assert_eq!(tree.count(0).1, LEVELS)));
        block_on(join_all([task(0), task(1)]));
    });
    assert_eq!(tree.count(0), (3 * FILES as u32, LEVELS));
    println!("{} files in {FOLDERS} folders on {LEVELS} levels", tree.count(0).0);
}
