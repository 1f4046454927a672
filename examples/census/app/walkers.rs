//! The walking threads, which feed the tasks with paths.

use super::parallel::Shared;
use super::source::Unreadable;
use super::tally::Tally;
use super::walk::Visitor;
use bifrons::PushError;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// A directory that is being walked; when the last one is left, the walk is at its end.
struct Entered<'a>(&'a Shared);

impl Shared {
    /// One of the walkers: walks until there is no directory left.
    pub(crate) fn walk(&self) -> ControlFlow<()> {
        let mut walker = Walker { shared: self, tally: Tally::default() };
        let mut flow = ControlFlow::Continue(());
        while let Ok(directory) = self.directories.pop() {
            let _entered = Entered(self);
            flow = self.job.roots.walk(&directory, self.job.stop, &mut walker);
            if flow.is_break() {
                drop(self.directories.close_now());
            }
        }
        self.total.lock().merge(walker.tally);
        flow
    }

    /// Walks ahead without a look at the files, so that the bar has an end.
    pub(crate) fn survey(&self) {
        _ = self.job.roots.walk_all(self.job.stop, &mut Surveyor { shared: self, files: 0 });
    }
}

/// Feeds the tasks with paths.
struct Walker<'a> {
    shared: &'a Shared,
    tally: Tally,
}

impl Visitor for Walker<'_> {
    fn file(&mut self, path: PathBuf) -> ControlFlow<()> {
        if self.shared.job.left_out.contains(&path) {
            return ControlFlow::Continue(());
        }
        match self.shared.paths.push(path) {
            Ok(()) => ControlFlow::Continue(()),
            Err(PushError(_)) => ControlFlow::Break(()),
        }
    }

    /// Leaves the directory to any walker; where there is no room for it, to this one.
    fn directory(&mut self, path: PathBuf) -> Option<PathBuf> {
        *self.shared.unfinished.lock() += 1;
        let Err(rejected) = self.shared.directories.try_push(path) else { return None };
        *self.shared.unfinished.lock() -= 1;
        Some(rejected.into_inner())
    }

    fn unreadable(&mut self, unreadable: Unreadable) {
        self.tally.unreadable += 1;
        self.shared.report(&unreadable);
    }
}

/// Counts the files only.
struct Surveyor<'a> {
    shared: &'a Shared,
    files: u64,
}

impl Visitor for Surveyor<'_> {
    fn file(&mut self, _: PathBuf) -> ControlFlow<()> {
        self.files += 1;
        self.shared.progress.expect(self.files);
        ControlFlow::Continue(())
    }

    fn unreadable(&mut self, _: Unreadable) {}
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut unfinished = self.0.unfinished.lock();
        *unfinished -= 1;
        if *unfinished == 0 {
            self.0.directories.close();
        }
    }
}
