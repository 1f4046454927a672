//! What the benches share: contenders that take turns, and what is said of them.
//!
//! A bench is a list of [`Row`]s. The contenders of a row run the identical loop, in turn, round
//! after round (A B C A B C …). Every turn is a process of its own, so that none inherits another's
//! heap, threads or CPUs, and one that hangs is killed, named and left out.
//!
//! Printed are each contender's median and spread, and the median over the rounds of our ratio to it
//! in the same round; above 1: we are ahead. The last line has the ratio to the best peer of each
//! round.
//!
//! ```text
//! cargo bench --bench queue                        all rows
//! cargo bench --bench queue -- 4x4                 rows whose name contains "4x4"
//! cargo bench --bench queue -- --quick             fewer and shorter turns
//! cargo bench --bench queue -- --save FILE         the figures, a JSON object a line
//! ```

#![allow(dead_code, reason = "each bench uses its share")]

use serde_json::{Value, json};
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::future::Future;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What a turn returns, and which way is better.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Nanoseconds,
    Microseconds,
    /// Millions of operations a second.
    Mops,
    /// Megabytes a second.
    Megabytes,
    /// Largest share by smallest share.
    Unfairness,
    Bytes,
    Allocations,
}

impl Unit {
    const fn name(self) -> &'static str {
        match self {
            Self::Nanoseconds => "ns",
            Self::Microseconds => "us",
            Self::Mops => "Mops/s",
            Self::Megabytes => "MB/s",
            Self::Unfairness => "max/min",
            Self::Bytes => "bytes",
            Self::Allocations => "allocations",
        }
    }

    /// How many times better `ours` is than `theirs`.
    fn lead(self, ours: f64, theirs: f64) -> f64 {
        match self {
            Self::Mops | Self::Megabytes => ours / theirs,
            _ if ours == theirs => 1.0,
            _ => theirs / ours,
        }
    }
}

/// Where the threads of a turn run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placement {
    /// Where the system puts them.
    Free,
    /// All on the first CPU.
    OneCpu,
    /// In turn on the first and the second CPU.
    TwoCpus,
}

impl Placement {
    const fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::OneCpu => "one CPU",
            Self::TwoCpus => "two CPUs",
        }
    }
}

/// How a contender counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Ours,
    Peer,
    /// Shown, but no rival: it promises less.
    Reference,
}

/// Runs about as many operations as it is told and returns a figure in the row's unit.
type Turn = Box<dyn Fn(u64) -> f64>;

struct Contender {
    name: &'static str,
    standing: Standing,
    turn: Turn,
}

pub(crate) struct Row {
    name: String,
    unit: Unit,
    placement: Placement,
    floor: Option<&'static str>,
    long: bool,
    contenders: Vec<Contender>,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>, unit: Unit) -> Self {
        let (placement, floor, long) = (Placement::Free, None, false);
        Self { name: name.into(), unit, placement, floor, long, contenders: Vec::new() }
    }

    pub(crate) fn on(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    /// Takes long turns: who runs where at the start of a turn decides too much of a short one.
    pub(crate) fn long(mut self) -> Self {
        self.long = true;
        self
    }

    /// Why nobody who keeps the contract can be faster; leaves the row out of the means.
    pub(crate) fn floor(mut self, why: &'static str) -> Self {
        self.floor = Some(why);
        self
    }

    pub(crate) fn ours(self, turn: impl Fn(u64) -> f64 + 'static) -> Self {
        self.contender("bifrons", Standing::Ours, turn)
    }

    pub(crate) fn peer(self, name: &'static str, turn: impl Fn(u64) -> f64 + 'static) -> Self {
        self.contender(name, Standing::Peer, turn)
    }

    /// A contender that promises less than the row asks; say so in its name.
    pub(crate) fn reference(self, name: &'static str, turn: impl Fn(u64) -> f64 + 'static) -> Self {
        self.contender(name, Standing::Reference, turn)
    }

    fn contender(
        mut self,
        name: &'static str,
        standing: Standing,
        turn: impl Fn(u64) -> f64 + 'static,
    ) -> Self {
        self.contenders.push(Contender { name, standing, turn: Box::new(turn) });
        self
    }

    pub(crate) fn title(&self) -> String {
        match self.placement {
            Placement::Free => self.name.clone(),
            pinned => format!("{}, {}", self.name, pinned.name()),
        }
    }
}

/// How much is measured.
#[derive(Clone, Copy)]
struct Effort {
    rounds: usize,
    turn: Duration,
    long_turn: Duration,
}

const FULL: Effort =
    Effort { rounds: 7, turn: Duration::from_millis(25), long_turn: Duration::from_millis(200) };
const QUICK: Effort =
    Effort { rounds: 3, turn: Duration::from_millis(12), long_turn: Duration::from_millis(12) };

/// What takes no time at this count takes none: a size.
const LONGEST: u64 = 1 << 32;

/// After that a turn counts as hung.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the command line asks for.
pub(crate) struct Request {
    pub(crate) quick: bool,
    filter: Option<String>,
    save: Option<String>,
}

impl Request {
    pub(crate) fn read() -> Self {
        let mut request = Self { quick: false, filter: None, save: None };
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => request.quick = true,
                "--save" => request.save = arguments.next(),
                flag if flag.starts_with('-') => {}
                _ => request.filter = Some(argument),
            }
        }
        request
    }

    pub(crate) fn wants(&self, row: &Row) -> bool {
        self.filter.as_ref().is_none_or(|filter| row.title().contains(filter.as_str()))
    }

    /// Saves the rows, where that is asked for.
    pub(crate) fn save(&self, lines: &str) {
        if let Some(path) = &self.save {
            fs::write(path, lines).expect("the figures can be written");
        }
    }
}

/// The `main` of a bench.
pub(crate) fn run(bench: &str, rows: Vec<Row>) {
    let mut arguments = env::args().skip(1);
    if arguments.next().as_deref() == Some("--turn") {
        return take_turn(&rows, arguments);
    }
    let request = Request::read();
    let effort = if request.quick { QUICK } else { FULL };
    let mut lines = String::new();
    for (index, row) in rows.iter().enumerate() {
        if request.wants(row) {
            let figures = Figures::measure(row, index, effort);
            print!("{}", figures.describe());
            writeln!(lines, "{}", figures.json(bench)).expect("a string takes all");
        }
    }
    request.save(&lines);
}

/// Prints a row that was measured elsewhere, for each contender a figure a round; what to save of it.
pub(crate) fn measured(bench: &str, row: &Row, rounds: Vec<Vec<f64>>) -> String {
    let figures = Figures { row, rounds: rounds.into_iter().map(Some).collect() };
    print!("{}", figures.describe());
    format!("{}\n", figures.json(bench))
}

/// The child's part: `--turn ROW CONTENDER MILLISECONDS`.
fn take_turn(rows: &[Row], mut arguments: impl Iterator<Item = String>) {
    let mut number =
        || -> usize { arguments.next().and_then(|text| text.parse().ok()).expect("a number") };
    let row = &rows[number()];
    let turn = &row.contenders[number()].turn;
    let length = Duration::from_millis(number() as u64);
    PLACEMENT.store(row.placement as u8, Ordering::Relaxed);
    pin(0);
    let mut count = 64;
    loop {
        let start = Instant::now();
        turn(count);
        let taken = start.elapsed();
        if taken * 8 >= length || count > LONGEST {
            let scale = length.as_secs_f64() / taken.as_secs_f64();
            count = ((count as f64 * scale) as u64).max(1);
            break;
        }
        count *= 2;
    }
    println!("{}", turn(count));
}

/// One turn in a process of its own; `None` if it hangs or fails.
fn child(row: usize, contender: usize, length: Duration) -> Option<f64> {
    let program = env::current_exe().expect("this program has a path");
    let numbers = [row, contender, length.as_millis() as usize].map(|number| number.to_string());
    let mut child = Command::new(program)
        .arg("--turn")
        .args(numbers)
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program runs again");
    let start = Instant::now();
    while child.try_wait().expect("a child can be waited for").is_none() {
        if start.elapsed() > PATIENCE {
            child.kill().expect("a child can be killed");
            child.wait().expect("a child can be waited for");
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut text = String::new();
    child.stdout.take()?.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// What was measured for a row: for each contender a figure a round, or nothing if it hung.
struct Figures<'a> {
    row: &'a Row,
    rounds: Vec<Option<Vec<f64>>>,
}

impl<'a> Figures<'a> {
    fn measure(row: &'a Row, index: usize, effort: Effort) -> Self {
        let mut rounds = vec![Some(Vec::new()); row.contenders.len()];
        let exact = matches!(row.unit, Unit::Bytes | Unit::Allocations);
        let length = if row.long { effort.long_turn } else { effort.turn };
        for _ in 0..if exact { 1 } else { effort.rounds } {
            for (contender, figures) in rounds.iter_mut().enumerate() {
                if let Some(list) = figures {
                    match child(index, contender, length) {
                        Some(figure) => list.push(figure),
                        None => *figures = None,
                    }
                }
            }
        }
        Self { row, rounds }
    }

    fn of(&self, standing: Standing) -> impl Iterator<Item = &Vec<f64>> {
        let contenders = self.row.contenders.iter().zip(&self.rounds);
        contenders
            .filter(move |(who, _)| who.standing == standing)
            .filter_map(|(_, list)| list.as_ref())
    }

    /// The median over the rounds of our lead over the best peer of the round.
    fn lead(&self) -> Option<f64> {
        let ours = self.of(Standing::Ours).next()?;
        let leads = ours.iter().enumerate().map(|(round, &ours)| {
            let leads = self.of(Standing::Peer).map(|list| self.row.unit.lead(ours, list[round]));
            leads.fold(f64::INFINITY, f64::min)
        });
        let lead = median(leads.collect());
        lead.is_finite().then_some(lead)
    }

    /// The median over the rounds of our lead over one contender.
    fn lead_over(&self, list: &[f64]) -> Option<f64> {
        let ours = self.of(Standing::Ours).next()?;
        let leads = ours.iter().zip(list).map(|(&ours, &theirs)| self.row.unit.lead(ours, theirs));
        Some(median(leads.collect()))
    }

    fn describe(&self) -> String {
        let mut text = format!("{}, {}\n", self.row.title(), self.row.unit.name());
        for (who, list) in self.row.contenders.iter().zip(&self.rounds) {
            let line = match list {
                None => "hangs; killed and left out".to_owned(),
                Some(list) => {
                    let [low, middle, high] = spread(list);
                    let lead = match who.standing {
                        Standing::Ours => String::new(),
                        _ => format!("x{:.2}", self.lead_over(list).unwrap_or(f64::NAN)),
                    };
                    format!("{middle:>12.3}  ({low:.3} .. {high:.3})  {lead}")
                }
            };
            writeln!(text, "  {:<34}{line}", who.name).expect("a string takes all");
        }
        if let Some(lead) = self.lead() {
            writeln!(text, "  {:<34}{:>12}  x{lead:.2}", "best peer of each round", "")
                .expect("a string takes all");
        }
        text
    }

    fn json(&self, bench: &str) -> Value {
        let contenders = self.row.contenders.iter().zip(&self.rounds).map(|(who, list)| {
            let standing = match who.standing {
                Standing::Ours => "ours",
                Standing::Peer => "peer",
                Standing::Reference => "reference",
            };
            let [low, middle, high] = list.as_ref().map_or([f64::NAN; 3], |list| spread(list));
            let lead = list.as_ref().and_then(|list| self.lead_over(list));
            json!({
                "name": who.name, "standing": standing, "hung": list.is_none(),
                "low": low, "median": middle, "high": high, "lead": lead,
            })
        });
        let rounds = self.rounds.iter().flatten().map(Vec::len).max();
        json!({
            "rounds": rounds, "bench": bench, "row": self.row.title(), "unit": self.row.unit.name(),
            "floor": self.row.floor, "lead": self.lead(),
            "contenders": contenders.collect::<Vec<_>>(),
        })
    }
}

fn spread(list: &[f64]) -> [f64; 3] {
    let mut sorted = list.to_vec();
    sorted.sort_by(f64::total_cmp);
    [sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1]]
}

fn median(list: Vec<f64>) -> f64 {
    spread(&list)[1]
}

/// The placement of this process's row.
static PLACEMENT: AtomicU8 = AtomicU8::new(Placement::Free as u8);

/// Puts this thread where the row wants its `index`th one.
pub(crate) fn pin(index: usize) {
    const ONE: u8 = Placement::OneCpu as u8;
    const TWO: u8 = Placement::TwoCpus as u8;
    match PLACEMENT.load(Ordering::Relaxed) {
        ONE => pin_to(0),
        TWO => pin_to(index % 2),
        _ => {}
    }
}

#[cfg(target_os = "linux")]
fn pin_to(cpu: usize) {
    use nix::sched::{CpuSet, sched_setaffinity};
    use nix::unistd::Pid;

    let mut set = CpuSet::new();
    set.set(cpu).expect("a small number");
    sched_setaffinity(Pid::from_raw(0), &set).expect("this machine has the CPU");
}

#[cfg(not(target_os = "linux"))]
fn pin_to(_cpu: usize) {}

/// Runs `work(index)` on `count` threads that start together; from the first start to the last end.
pub(crate) fn threads(count: usize, work: impl Fn(usize) + Sync) -> Duration {
    let barrier = Barrier::new(count);
    let run = |index| {
        pin(index);
        barrier.wait();
        let start = Instant::now();
        work(index);
        (start, Instant::now())
    };
    let spans: Vec<_> = std::thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = (0..count).map(|index| scope.spawn(move || run(index))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    });
    let start = spans.iter().map(|span| span.0).min().expect("there is a thread");
    let end = spans.iter().map(|span| span.1).max().expect("there is a thread");
    end - start
}

/// Runs the futures as tasks of a runtime of so many workers; from the first spawn to the last end.
pub(crate) fn tasks<F>(workers: usize, futures: impl IntoIterator<Item = F>) -> Duration
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = runtime(workers);
    let futures: Vec<F> = futures.into_iter().collect();
    runtime.block_on(async {
        let start = Instant::now();
        let tasks: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
        for task in tasks {
            task.await.expect("no task panics");
        }
        start.elapsed()
    })
}

/// A tokio runtime: of so many workers, or with 0 of this thread alone.
pub(crate) fn runtime(workers: usize) -> tokio::runtime::Runtime {
    let mut builder = match workers {
        0 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    if workers > 0 {
        builder.worker_threads(workers);
        let next = AtomicUsize::new(0);
        builder.on_thread_start(move || pin(next.fetch_add(1, Ordering::Relaxed)));
    }
    builder.build().expect("a runtime can be built")
}

pub(crate) fn nanoseconds(taken: Duration, operations: u64) -> f64 {
    taken.as_nanos() as f64 / operations as f64
}

pub(crate) fn mops(taken: Duration, operations: u64) -> f64 {
    operations as f64 / taken.as_secs_f64() / 1e6
}
