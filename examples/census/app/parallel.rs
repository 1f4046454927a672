//! The count by walking threads and counting tasks.

use super::options::processors;
use super::progress::{self, Progress};
use super::source::{PART, Source, Unreadable};
use super::tally::{FileCount, Sums, Tally};
use super::{Count, Job};
use bifrons::{BoundedQueue, Lock, Semaphore};
use futures::{future, select_biased};
use indicatif::ProgressBar;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::Instant;
use tokio::runtime::{Builder, Runtime};
use tokio::task::spawn_blocking;

const WALKERS: usize = 2;

/// How many paths a task takes at a time.
const BATCH: usize = 8;

/// How many words a tally may have before it goes into the total.
const FULL: usize = 1 << 16;

/// What threads and tasks share.
pub(crate) struct Shared {
    pub(crate) job: Arc<Job>,
    /// Directories that any walker may enter; a walker that finds no room enters itself.
    pub(crate) directories: BoundedQueue<PathBuf>,
    /// Directories in the queue or being walked: the last ends the walk.
    pub(crate) unfinished: Lock<usize>,
    pub(crate) paths: BoundedQueue<PathBuf>,
    open_files: Semaphore,
    /// The tallies that no task has in hand.
    tallies: Lock<Vec<Tally>>,
    pub(crate) total: Lock<Tally>,
    pub(crate) progress: Progress,
    bar: ProgressBar,
}

/// Counts.
pub(crate) fn count(job: &Arc<Job>) -> Count {
    let start = Instant::now();
    let shared = Arc::new(Shared::new(Arc::clone(job)));
    let runtime = runtime(shared.job.open_files).expect("the system gives threads");
    let tasks: Vec<_> =
        (0..shared.tasks()).map(|_| runtime.spawn(count_paths(Arc::clone(&shared)))).collect();
    let complete = thread::scope(|threads| {
        threads.spawn(|| shared.progress.show(&shared.bar));
        if !shared.bar.is_hidden() {
            threads.spawn(|| shared.survey());
        }
        let walkers: Vec<_> = (0..WALKERS).map(|_| threads.spawn(|| shared.walk())).collect();
        let walked: Vec<_> = walkers.into_iter().map(|walker| walker.join()).collect();
        shared.paths.close();
        let counted = runtime.block_on(future::join_all(tasks));
        shared.progress.finish();
        walked.into_iter().all(|walk| walk.expect("no walk panics").is_continue())
            & counted.into_iter().all(|task| task.expect("no task panics").is_continue())
    });
    let shared = Arc::into_inner(shared).expect("all threads and tasks have ended");
    let mut tally = shared.total.into_inner();
    shared.tallies.into_inner().into_iter().for_each(|gathered| tally.merge(gathered));
    Count { tally, elapsed: start.elapsed(), complete }
}

fn runtime(open_files: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(processors())
        .max_blocking_threads(open_files)
        .build()
}

/// One of the tasks: counts until there are no more paths, or until it has to stop.
async fn count_paths(shared: Arc<Shared>) -> ControlFlow<()> {
    let _leaving = Leaving(&shared.paths);
    shared.count_paths().await
}

impl Shared {
    fn new(job: Arc<Job>) -> Self {
        let roots = job.roots.iter().count();
        let directories = BoundedQueue::new(job.queue.max(roots));
        for root in job.roots.iter() {
            directories.try_push(root.clone()).expect("there is room for all roots");
        }
        Self {
            directories,
            unfinished: Lock::new(roots),
            paths: BoundedQueue::new(job.queue),
            open_files: Semaphore::new(job.open_files),
            tallies: Lock::default(),
            total: Lock::default(),
            progress: Progress::default(),
            bar: progress::bar(job.bar),
            job,
        }
    }

    /// Half of the tasks may read while the other half count.
    fn tasks(&self) -> usize {
        2 * self.job.open_files
    }

    async fn count_paths(&self) -> ControlFlow<()> {
        loop {
            let mut paths = Vec::with_capacity(BATCH);
            self.next(&mut paths).await?;
            if paths.is_empty() {
                return ControlFlow::Continue(());
            }
            while !paths.is_empty() {
                let permit = self.open_files.acquire_async().await;
                if self.job.stop.is_set() {
                    return ControlFlow::Break(());
                }
                let mut batch;
                (paths, batch) = on_blocking_thread(|| read(paths)).await;
                let large = match batch.open.take() {
                    Some(source) => self.count_large(source).await,
                    None => Tally::default(),
                };
                // All files are closed: others may be opened while these are counted.
                drop(permit);
                self.gather(&batch, large).await;
            }
        }
    }

    /// Takes some paths; none at the end of the walk.
    async fn next(&self, paths: &mut Vec<PathBuf>) -> ControlFlow<()> {
        let mut stop = pin!(self.job.stop.wait_async());
        let mut popped = pin!(self.paths.pop_many_async(paths, BATCH));
        select_biased! {
            () = stop => ControlFlow::Break(()),
            _ = popped => ControlFlow::Continue(()),
        }
    }

    /// Reads and counts a file of several parts; nothing of it if the count has to stop.
    async fn count_large(&self, mut source: Source) -> Tally {
        let mut tally = Tally::default();
        let mut file = FileCount::default();
        while !source.is_last() {
            if self.job.stop.is_set() {
                return Tally::default();
            }
            tally.part(&source, &mut file);
            source = match on_blocking_thread(|| source.next()).await {
                Ok(source) => source,
                Err(unreadable) => {
                    self.report(&unreadable);
                    return Tally { unreadable: 1, ..Tally::default() };
                }
            };
        }
        self.last_part(&source, file, &mut tally);
        tally
    }

    fn last_part(&self, source: &Source, file: FileCount, tally: &mut Tally) -> Sums {
        if self.job.stamped {
            tally.stamp(source);
        }
        tally.last_part(source, file)
    }

    /// Adds to one of the tallies that nobody has in hand.
    ///
    /// A task waits for nothing but locks while it has a tally in hand, so there are hardly more
    /// tallies than threads that run tasks.
    async fn gather(&self, batch: &Batch, large: Tally) {
        let mut tally = self.tallies.lock_async().await.pop().unwrap_or_default();
        let mut sums = large.sums();
        tally.merge(large);
        for source in &batch.closed {
            sums += self.last_part(source, FileCount::default(), &mut tally);
        }
        for unreadable in &batch.unreadable {
            self.report(unreadable);
            tally.unreadable += 1;
        }
        if tally.distinct() > FULL {
            self.total.lock_async().await.merge(tally);
        } else {
            self.tallies.lock_async().await.push(tally);
        }
        self.progress.advance(sums).await;
    }

    pub(crate) fn report(&self, unreadable: &Unreadable) {
        self.bar.suspend(|| eprintln!("{unreadable}"));
    }
}

/// What a blocking thread has read in one go.
#[derive(Default)]
struct Batch {
    closed: Vec<Source>,
    /// The last, of which there is more to read.
    open: Option<Source>,
    unreadable: Vec<Unreadable>,
}

/// Reads files, one after the other, until they fill a part or one is larger than that.
///
/// Returns the paths that are still to be read.
fn read(mut paths: Vec<PathBuf>) -> (Vec<PathBuf>, Batch) {
    let mut batch = Batch::default();
    let mut bytes = 0;
    while bytes < PART && batch.open.is_none() {
        match paths.pop().map(Source::open) {
            Some(Ok(source)) if source.is_last() => {
                bytes += source.part().len();
                batch.closed.push(source);
            }
            Some(Ok(source)) => batch.open = Some(source),
            Some(Err(unreadable)) => batch.unreadable.push(unreadable),
            None => break,
        }
    }
    (paths, batch)
}

async fn on_blocking_thread<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> T {
    spawn_blocking(read).await.expect("no read panics")
}

/// A task that leaves, also by a panic, leaves nobody waiting for room or for paths.
struct Leaving<'a>(&'a BoundedQueue<PathBuf>);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        drop(self.0.close_now());
    }
}
