//! The bounded queue: each behaviour once, run by every face.

#![cfg(not(loom))]

#[path = "../common/mod.rs"]
mod common;

mod basics;
mod close;
mod drops;
mod force;
mod help;
mod many;
mod model;
mod reserve;
mod stream;
mod tasks;
mod threads;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A number that counts its drop.
#[derive(Debug)]
struct Counted {
    number: usize,
    drops: Arc<AtomicUsize>,
}

impl Counted {
    fn new(number: usize, drops: &Arc<AtomicUsize>) -> Self {
        Self { number, drops: Arc::clone(drops) }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::SeqCst);
    }
}

fn dropped(drops: &Arc<AtomicUsize>) -> usize {
    drops.load(Ordering::SeqCst)
}
