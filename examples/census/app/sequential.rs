//! The same count in one thread, without any of the crate's queues and locks.

use super::source::{Source, Unreadable};
use super::tally::{FileCount, Tally};
use super::walk::Visitor;
use super::{Count, Job};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

struct Counter<'a> {
    job: &'a Job,
    tally: Tally,
    watch: &'a mut dyn FnMut(&Source),
}

/// Counts; `watch` sees each file that was read.
pub(crate) fn count(job: &Job, watch: &mut dyn FnMut(&Source)) -> Count {
    let start = Instant::now();
    let mut counter = Counter { job, tally: Tally::default(), watch };
    let complete = job.roots.walk_all(job.stop, &mut counter).is_continue();
    Count { tally: counter.tally, elapsed: start.elapsed(), complete }
}

impl Visitor for Counter<'_> {
    fn file(&mut self, path: PathBuf) -> ControlFlow<()> {
        if self.job.left_out.contains(&path) {
            return ControlFlow::Continue(());
        }
        self.count_file(path).unwrap_or_else(|unreadable| {
            self.unreadable(unreadable);
            ControlFlow::Continue(())
        })
    }

    fn unreadable(&mut self, unreadable: Unreadable) {
        self.tally.unreadable += 1;
        eprintln!("{unreadable}");
    }
}

impl Counter<'_> {
    /// Counts a file, or nothing of it if the count has to stop.
    fn count_file(&mut self, path: PathBuf) -> Result<ControlFlow<()>, Unreadable> {
        let mut source = Source::open(path)?;
        let mut file = FileCount::default();
        let mut apart = Tally::default();
        let tally = if source.is_last() { &mut self.tally } else { &mut apart };
        while !source.is_last() {
            if self.job.stop.is_set() {
                return Ok(ControlFlow::Break(()));
            }
            tally.part(&source, &mut file);
            source = source.next()?;
        }
        tally.last_part(&source, file);
        self.tally.merge(apart);
        (self.watch)(&source);
        Ok(ControlFlow::Continue(()))
    }
}
