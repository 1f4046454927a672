//! Contenders that take turns, each measured by criterion.

use crate::harness::{self, Request, Row, Unit};
use criterion::{Bencher, BenchmarkId, Criterion};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// All rows, criterion, and what came out.
pub(super) struct Bench {
    request: Request,
    criterion: Criterion,
    passes: usize,
    measured: Vec<(Row, Vec<Vec<f64>>)>,
}

impl Bench {
    pub(super) fn new() -> Self {
        let request = Request::read();
        let milliseconds = if request.quick { 12 } else { 50 };
        let criterion = Criterion::default()
            .without_plots()
            .output_directory(&directory())
            .sample_size(10)
            .nresamples(1_000)
            .warm_up_time(Duration::from_millis(milliseconds / 4))
            .measurement_time(Duration::from_millis(milliseconds));
        let passes = if request.quick { 3 } else { 7 };
        Self { request, criterion, passes, measured: Vec::new() }
    }

    pub(super) fn run(&mut self, contest: Contest<'_>) {
        let Contest { row, items, mut steps } = contest;
        if !self.request.wants(&row) {
            return;
        }
        let title = row.title();
        let mut rounds = vec![Vec::new(); steps.len()];
        let mut group = self.criterion.benchmark_group(&title);
        let count = steps.len();
        for pass in 0..self.passes {
            // Who begins changes from pass to pass.
            for index in (0..count).map(|place| (place + pass) % count) {
                let (contender, step) = &mut steps[index];
                group.bench_function(BenchmarkId::new(*contender, pass), step);
                rounds[index].push(median(&title, contender, pass) / items);
            }
        }
        group.finish();
        self.measured.push((row, rounds));
    }

    /// Prints the tables.
    pub(super) fn finish(self) {
        let rows = self.measured.into_iter();
        let lines = rows.map(|(row, rounds)| harness::measured("uncontended", &row, rounds));
        self.request.save(&lines.collect::<String>());
    }
}

/// Where criterion keeps its figures: `target/criterion`.
fn directory() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("criterion")
}

/// What criterion has just found.
fn median(row: &str, contender: &str, pass: usize) -> f64 {
    let path = format!("{row}/{contender}/{pass}/new/estimates.json");
    let text = fs::read_to_string(directory().join(path)).expect("criterion saves its estimates");
    let estimates: Value = serde_json::from_str(&text).expect("criterion writes JSON");
    estimates["median"]["point_estimate"].as_f64().expect("criterion estimates the median")
}

type Step<'a> = Box<dyn FnMut(&mut Bencher<'_>) + 'a>;

/// A row, and each contender's form of its operation.
pub(super) struct Contest<'a> {
    row: Row,
    /// What a step moves.
    items: f64,
    steps: Vec<(&'static str, Step<'a>)>,
}

impl<'a> Contest<'a> {
    pub(super) fn new(name: &str) -> Self {
        Self { row: Row::new(name, Unit::Nanoseconds), items: 1.0, steps: Vec::new() }
    }

    /// A step moves so many items; the figures are per item.
    pub(super) fn per_item(mut self, items: usize) -> Self {
        self.items = items as f64;
        self
    }

    pub(super) fn ours<R>(self, step: impl FnMut() -> R + 'a) -> Self {
        self.contender("bifrons", |row| row.ours(unused), step)
    }

    pub(super) fn peer<R>(self, name: &'static str, step: impl FnMut() -> R + 'a) -> Self {
        self.contender(name, |row| row.peer(name, unused), step)
    }

    /// A contender that promises less than the row asks; say so in its name.
    pub(super) fn reference<R>(self, name: &'static str, step: impl FnMut() -> R + 'a) -> Self {
        self.contender(name, |row| row.reference(name, unused), step)
    }

    fn contender<R>(
        mut self,
        name: &'static str,
        enter: impl FnOnce(Row) -> Row,
        mut step: impl FnMut() -> R + 'a,
    ) -> Self {
        self.steps.push((name, Box::new(move |bencher| bencher.iter(&mut step))));
        Self { row: enter(self.row), ..self }
    }
}

/// The harness's own turns are not taken here.
fn unused(_: u64) -> f64 {
    f64::NAN
}

/// The output of a future that is ready at its first poll.
#[inline]
pub(super) fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nobody is met"),
    }
}
