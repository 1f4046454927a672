//! What single rows are to reach, whoever else is in them.

use crate::figures::{Contender, Row};
use crate::machine::second_level_cache;
use crate::table::figure;

/// So many times what it is at 1 000 waiters may a cost be at 100 000: the caches are left on the way.
const FLAT: f64 = 2.0;

/// Nanoseconds of a round trip: near those who spin, and near those who park.
const TWO_CPUS: f64 = 350.0;
const ONE_CPU: f64 = 4200.0;

/// Nanoseconds of a cancel.
const CANCEL: f64 = 12.0;

/// So many times what rtrb needs, which cannot wait.
const NEVER_WAITING: f64 = 2.0;

const OBJECTS: [&str; 4] = ["lock", "semaphore", "event", "queue"];

pub(crate) struct Target {
    pub(crate) what: String,
    pub(crate) limit: f64,
    /// At best, by the median, and at worst.
    pub(crate) least: f64,
    median: f64,
    most: f64,
    /// A bound holds in every turn, other limits by the median.
    is_bound: bool,
    /// Why the limit is not for this figure.
    apart: Option<String>,
}

impl Target {
    /// Of a figure, or a ratio, for each round.
    fn of(what: String, limit: f64, mut rounds: Vec<f64>) -> Option<Self> {
        rounds.sort_by(f64::total_cmp);
        let (least, most) = (*rounds.first()?, *rounds.last()?);
        let median = (rounds[(rounds.len() - 1) / 2] + rounds[rounds.len() / 2]) / 2.0;
        Some(Self { what, limit, least, median, most, is_bound: false, apart: None })
    }

    /// What is held against the limit.
    pub(crate) fn judged(&self) -> String {
        if self.is_bound {
            format!("at most {}", figure(self.most))
        } else {
            format!("median {}", figure(self.median))
        }
    }

    pub(crate) fn verdict(&self) -> String {
        let judged = if self.is_bound { self.most } else { self.median };
        let verdict = if judged <= self.limit { "met" } else { "not met" };
        self.apart.clone().unwrap_or(verdict.into())
    }
}

/// The targets whose rows have been measured.
pub(crate) fn targets(rows: &[Row]) -> Vec<Target> {
    let rows = Rows(rows);
    let mut targets = rows.ping_pong();
    targets.extend(rows.beside_rtrb());
    targets.extend([
        rows.at_most("contended: lock, unfairness of 4 threads, two CPUs", 2.0),
        rows.at_most("contended: lock, longest wait, 50 ns in, 100 ns out, 4 threads", 10_000.0)
            .map(|target| Target { is_bound: true, ..target }),
        rows.at_most("broadcast: event, set on 10 000 futures, per waiter", 1.5),
    ]);
    for what in OBJECTS {
        targets.extend([1_000, 10_000, 100_000].map(|count| {
            let label = format!("memory: cancel, {what}, {count} waiters");
            rows.apart(rows.at_most(&label, CANCEL), what, count)
        }));
    }
    for deed in ["register", "cancel", "serve"] {
        targets.extend(OBJECTS.map(|what| rows.apart(rows.flat(deed, what), what, 100_000)));
    }
    for what in OBJECTS {
        targets.push(rows.at_most(&format!("memory: allocations per waiter, {what}"), 0.0));
    }
    targets.into_iter().flatten().collect()
}

struct Rows<'a>(&'a [Row]);

impl<'a> Rows<'a> {
    fn find(&self, label: &str) -> Option<&'a Row> {
        self.0.iter().find(|row| row.label() == label)
    }

    fn at_most(&self, label: &str, limit: f64) -> Option<Target> {
        let row = self.find(label)?;
        let figures = row.ours()?.figures.iter().copied().flatten().collect();
        Target::of(format!("{label}, {}", row.unit), limit, figures)
    }

    /// Of every type: two threads that wait for each other, in both regimes.
    fn ping_pong(&self) -> Vec<Option<Target>> {
        let target = |row: &Row| {
            let (_, place) = row.name.split_once("ping-pong of threads, ")?;
            let most = match place {
                "one CPU" => ONE_CPU,
                "two CPUs" => TWO_CPUS,
                _ => return None,
            };
            self.at_most(&row.label(), most)
        };
        self.0.iter().map(target).collect()
    }

    /// Every row that rtrb is in.
    fn beside_rtrb(&self) -> Vec<Option<Target>> {
        let target = |row: &Row| {
            let rtrb = row.contenders.iter().find(|who| who.project() == "rtrb")?;
            let mut ratios = ratios(row.ours()?, rtrb);
            if row.is_rate() {
                ratios.iter_mut().for_each(|ratio| *ratio = ratio.recip());
            }
            Target::of(format!("{}: so many times rtrb", row.label()), NEVER_WAITING, ratios)
        };
        self.0.iter().map(target).collect()
    }

    fn flat(&self, deed: &str, what: &str) -> Option<Target> {
        let cost = |count: u32| self.find(&format!("memory: {deed}, {what}, {count} waiters"));
        let (few, many) = (cost(1_000)?.ours()?, cost(100_000)?.ours()?);
        let what = format!("memory: {deed}, {what}: 100 000 waiters to 1 000");
        Target::of(what, FLAT, ratios(many, few))
    }

    /// Beside the limit if the nodes of so many waiters outgrow the caches.
    fn apart(&self, target: Option<Target>, what: &str, count: u64) -> Option<Target> {
        let future = if what == "queue" { "a pop" } else { what };
        let node = self.find(&format!("memory: bytes, future of {future}"));
        let node = node.and_then(|row| row.ours()?.spread).map_or(0.0, |[_, size, _]| size);
        let nodes = node as u64 * count;
        let apart = second_level_cache().filter(|cache| nodes > 10 * cache).map(|cache| {
            format!("apart: nodes of {} KiB, a cache of {} KiB", nodes >> 10, cache >> 10)
        });
        Some(Target { apart, ..target? })
    }
}

/// Round by round.
fn ratios(one: &Contender, other: &Contender) -> Vec<f64> {
    let rounds = one.figures.iter().zip(&other.figures);
    rounds.filter_map(|(one, other)| Some((*one)? / (*other)?)).collect()
}
