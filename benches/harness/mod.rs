//! What the benches share: contenders that take turns, and what is said of them.
//!
//! A bench is a list of [`Row`]s. The contenders of a row run the identical loop, in turn, round
//! after round (A B C B C A …). Every turn is a process of its own, so that none inherits another's
//! heap, threads or CPUs.
//!
//! Printed are each contender's median and spread, and the median over the rounds of our ratio to it
//! in the same round; above 1: we are ahead. The last line has the ratio to the best peer of each
//! round.
//!
//! A turn that takes longer than five seconds is given up: its contender hangs, or is dozens of times
//! slower than it was when the turn was measured out. After the second one it is asked no more in
//! that row. Who has a figure in more than half of the rounds counts by these, and how many of its
//! turns were given up is said beside; else it does not count. A turn that panics or crashes is a
//! failure: it is named, and its contender does not count. If one of ours is given up, or fails, the
//! bench itself fails.
//!
//! Each peer comes in the flavour that is fastest for the row, where it has several: a lock that
//! barges rather than one that hands over. A semaphore of ours is first come, first served, so of
//! semaphores the fair flavour is the peer, and the other one is shown as a reference; one that comes
//! in one flavour only is a peer, whatever that is.
//!
//! "(block_on)" in a name says that threads drive its futures, for it has no face that blocks.
//! Rows of threads on one CPU or on two are measured on Linux only.
//!
//! ```text
//! cargo bench --bench queue                        all rows
//! cargo bench --bench queue -- 4x4                 rows whose name contains "4x4"
//! cargo bench --bench queue -- --quick             fewer and shorter turns
//! cargo bench --bench queue -- --save FILE         the figures, a JSON object a line
//! ```

#![allow(dead_code, unused_imports, reason = "each bench uses its share")]

mod figures;
mod place;
mod start;
mod turn;

pub(crate) use figures::median;
pub(crate) use place::{Placement, pin, spin};
pub(crate) use start::{
    Span, mops, nanoseconds, runtime, tasks, threads, threads_beside, threads_of,
};

use figures::Figures;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::process;
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
    outside: Option<&'static str>,
    note: Option<&'static str>,
    long: bool,
    left_out: Vec<String>,
    contenders: Vec<Contender>,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>, unit: Unit) -> Self {
        Self {
            name: name.into(),
            unit,
            placement: Placement::Free,
            outside: None,
            note: None,
            long: false,
            left_out: Vec::new(),
            contenders: Vec::new(),
        }
    }

    /// On two CPUs the turns are long.
    pub(crate) fn on(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self.long |= matches!(placement, Placement::TwoCpus | Placement::BusyCpu);
        self
    }

    /// Takes long turns: whether the parties fall into step at first decides too much of a short one.
    pub(crate) fn long(mut self) -> Self {
        self.long = true;
        self
    }

    /// Why the row is left out of the means: nobody who keeps the contract can be faster, or it has a
    /// target of its own.
    pub(crate) fn outside(mut self, why: &'static str) -> Self {
        self.outside = Some(why);
        self
    }

    /// What is to be said of a row that counts.
    pub(crate) fn note(mut self, what: &'static str) -> Self {
        self.note = Some(what);
        self
    }

    /// Who does not take part, and why.
    pub(crate) fn left_out(mut self, who: &str, why: &str) -> Self {
        self.left_out.push(format!("{who} ({why})"));
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
    Effort { rounds: 7, turn: Duration::from_millis(25), long_turn: Duration::from_millis(150) };
const QUICK: Effort =
    Effort { rounds: 2, turn: Duration::from_millis(12), long_turn: Duration::from_millis(12) };

/// What takes no time at this count takes none: a size.
const LONGEST: u64 = 1 << 32;

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
    let (mut lines, mut wrong) = (String::new(), Vec::new());
    for (index, row) in rows.iter().enumerate() {
        if !request.wants(row) {
            continue;
        }
        if !row.placement.is_possible() {
            println!("{}: threads cannot be put there", row.title());
            continue;
        }
        let figures = Figures::measure(row, index, effort);
        print!("{}", figures.describe());
        writeln!(lines, "{}", figures.json(bench)).expect("a string takes all");
        wrong.extend(figures.wrong().map(|what| format!("{}: bifrons: {what}", row.title())));
    }
    request.save(&lines);
    if !wrong.is_empty() {
        eprintln!("{}", wrong.join("\n"));
        process::exit(1);
    }
}

/// Prints a row that was measured elsewhere, for each contender a figure a round; what to save of it.
pub(crate) fn measured(bench: &str, row: &Row, rounds: Vec<Vec<f64>>) -> String {
    let figures = Figures::of(row, rounds);
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
    place::place(row.placement);
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
