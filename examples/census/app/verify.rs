//! The count, checked by a sequential recount, and the speeds of both.

use super::options::Options;
use super::source::Source;
use super::tally::key;
use super::{Count, Job, MISMATCH, finish, parallel, print, sequential, table};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How often `--bench` counts each way.
const BENCH_ROUNDS: usize = 3;

/// How often the counts are repeated because files changed.
const REPETITIONS: usize = 5;

/// A file may be this much younger than it says.
const COARSEST_CLOCK: Duration = Duration::from_secs(2);

/// A count and its recount.
struct Pair {
    parallel: Count,
    sequential: Count,
    /// What the recount found new or changed.
    changed: Vec<PathBuf>,
    /// How many files it did not find again, or could not read.
    gone: usize,
    /// What the count should have found: it is older than the count.
    missed: Vec<PathBuf>,
}

/// Counts, recounts, compares and prints.
pub(crate) fn run(mut job: Arc<Job>, options: &Options) -> ExitCode {
    let rounds = if options.bench { BENCH_ROUNDS } else { 1 };
    if options.bench {
        eprintln!("reading all files once, so that no count waits for the disk");
        parallel::count(&job);
    }
    let mut best = [Duration::MAX; 2];
    let mut compared = 0;
    for _ in 0..rounds + REPETITIONS {
        let mut pair = Pair::count(&job);
        if !(pair.parallel.complete && pair.sequential.complete) {
            print(&table::render(&pair.parallel.tally, options));
            eprintln!("not verified: the counts did not come to their end");
            return finish(false, MISMATCH.into());
        }
        if pair.report_missed() {
            return MISMATCH.into();
        }
        if !pair.changed.is_empty() || pair.gone > 0 {
            pair.report_changes();
            let job = Arc::get_mut(&mut job).expect("no count is running");
            job.left_out.extend(pair.changed);
            continue;
        }
        if pair.report_differences() {
            return MISMATCH.into();
        }
        compared += 1;
        best[0] = best[0].min(pair.parallel.elapsed);
        best[1] = best[1].min(pair.sequential.elapsed);
        if compared == rounds {
            [pair.parallel.elapsed, pair.sequential.elapsed] = best;
            return conclude(&pair, &job, options);
        }
    }
    eprintln!("not verified: the files change too often");
    MISMATCH.into()
}

fn conclude(pair: &Pair, job: &Job, options: &Options) -> ExitCode {
    let mut text = table::render(&pair.parallel.tally, options);
    text += "verified: the sequential count has the same figures\n";
    if !job.left_out.is_empty() {
        text += &format!("left out because they changed: {} files\n", job.left_out.len());
    }
    if options.bench {
        let ratio = pair.sequential.elapsed.as_secs_f64() / pair.parallel.elapsed.as_secs_f64();
        text += &format!("parallel:   {}\n", table::speed(&pair.parallel));
        text += &format!("sequential: {}\n", table::speed(&pair.sequential));
        text +=
            &format!("the parallel count is {ratio:.2} times as fast, best of {BENCH_ROUNDS}\n");
    } else {
        eprintln!("{}", table::speed(&pair.parallel));
    }
    print(&text)
}

impl Pair {
    fn count(job: &Arc<Job>) -> Self {
        let began = SystemTime::now() - COARSEST_CLOCK;
        let parallel = parallel::count(job);
        let before = &parallel.tally.stamps;
        let (mut changed, mut missed) = (Vec::new(), Vec::new());
        let mut found = 0;
        let sequential = sequential::count(job, &mut |source: &Source| {
            let stamp = before.get(&key(&source.path));
            found += usize::from(stamp.is_some());
            match (stamp, source.stamp()) {
                (Some(Some(before)), Some(now)) if *before == now => {}
                (None, Some(now)) if now.is_before(began) => missed.push(source.path.clone()),
                _ => changed.push(source.path.clone()),
            }
        });
        let gone = before.len() - found;
        Self { parallel, sequential, changed, gone, missed }
    }

    fn report_changes(&self) {
        for path in &self.changed {
            eprintln!("changed between the counts, not compared: {path:?}");
        }
        if self.gone > 0 {
            eprintln!("gone between the counts: {} files", self.gone);
        }
        eprintln!("counting again");
    }

    /// Whether there are any.
    fn report_missed(&self) -> bool {
        for path in &self.missed {
            eprintln!("MISMATCH: not counted in parallel: {path:?}");
        }
        !self.missed.is_empty()
    }

    /// Whether there are any.
    fn report_differences(&self) -> bool {
        let (parallel, sequential) = (&self.parallel.tally, &self.sequential.tally);
        let extensions: BTreeSet<_> =
            parallel.kinds.keys().chain(sequential.kinds.keys()).cloned().collect();
        let mut differs = parallel.unreadable != sequential.unreadable;
        if differs {
            let (parallel, sequential) = (parallel.unreadable, sequential.unreadable);
            eprintln!("MISMATCH: not read: {parallel} in parallel, {sequential} sequentially");
        }
        for extension in extensions {
            let [parallel, sequential] =
                [parallel, sequential].map(|tally| tally.kinds.get(&extension));
            if parallel != sequential {
                differs = true;
                eprintln!("MISMATCH: extension {extension:?}:");
                eprintln!("  in parallel:  {parallel:?}");
                eprintln!("  sequentially: {sequential:?}");
            }
        }
        differs
    }
}
