//! What was measured for a row, and what is said of it.

use super::turn::{self, Ending};
use super::{Contender, Effort, Row, Standing, Unit};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Who hung so often is asked no more in this row.
const MOST_HANGS: usize = 2;

/// All turns of one contender.
#[derive(Clone, Default)]
struct Record {
    /// A figure a round, or nothing.
    rounds: Vec<Option<f64>>,
    hangs: usize,
    failure: Option<String>,
}

impl Record {
    fn is_out(&self) -> bool {
        self.failure.is_some() || self.hangs == MOST_HANGS
    }

    fn add(&mut self, ending: Option<Ending>) {
        let mut figure = None;
        match ending {
            Some(Ending::Figure(it)) => figure = Some(it),
            Some(Ending::Hang) => self.hangs += 1,
            Some(Ending::Failure(why)) => self.failure = Some(why),
            None => {}
        }
        self.rounds.push(figure);
    }

    /// Its figures, if it counts: it never failed, and has a figure in more than half of the rounds.
    fn figures(&self) -> Option<Vec<f64>> {
        let figures: Vec<f64> = self.rounds.iter().copied().flatten().collect();
        let counts = self.failure.is_none() && figures.len() * 2 > self.rounds.len();
        counts.then_some(figures)
    }

    /// What is to be said beside the figures, or instead of them.
    fn remark(&self) -> String {
        let turns = self.hangs + self.rounds.iter().flatten().count();
        match (&self.failure, self.figures(), self.hangs) {
            (Some(why), ..) => format!("fails: {why}"),
            (None, None, _) => format!("given up in {} of {turns} turns", self.hangs),
            (None, Some(_), 0) => String::new(),
            (None, Some(_), hangs) => format!("{hangs} of {turns} turns given up"),
        }
    }
}

pub(super) struct Figures<'a> {
    row: &'a Row,
    records: Vec<Record>,
}

impl<'a> Figures<'a> {
    /// Who begins changes from round to round.
    pub(super) fn measure(row: &'a Row, index: usize, effort: Effort) -> Self {
        let count = row.contenders.len();
        let mut records = vec![Record::default(); count];
        let exact = matches!(row.unit, Unit::Bytes | Unit::Allocations);
        let length = if row.long { effort.long_turn } else { effort.turn };
        for round in 0..if exact { 1 } else { effort.rounds } {
            for contender in (0..count).map(|place| (place + round) % count) {
                let record = &mut records[contender];
                let asked = !record.is_out();
                record.add(asked.then(|| turn::take(index, contender, length)));
            }
        }
        Self { row, records }
    }

    /// For each contender a figure a round, measured elsewhere.
    pub(super) fn of(row: &'a Row, figures: Vec<Vec<f64>>) -> Self {
        let record = |figures: Vec<f64>| Record {
            rounds: figures.into_iter().map(Some).collect(),
            ..Record::default()
        };
        Self { row, records: figures.into_iter().map(record).collect() }
    }

    /// How ours hangs or fails.
    pub(super) fn wrong(&self) -> Option<String> {
        let ours = self.of_standing(Standing::Ours).next()?;
        let remark = ours.remark();
        (!remark.is_empty()).then_some(remark)
    }

    fn of_standing(&self, standing: Standing) -> impl Iterator<Item = &Record> {
        let contenders = self.row.contenders.iter().zip(&self.records);
        contenders.filter(move |(who, _)| who.standing == standing).map(|(_, record)| record)
    }

    /// Ours, round by round, if we count.
    fn ours(&self) -> Option<&[Option<f64>]> {
        let ours = self.of_standing(Standing::Ours).next()?;
        ours.figures().map(|_| &ours.rounds[..])
    }

    /// The median over the rounds of our lead over the best peer of the round.
    fn lead(&self) -> Option<f64> {
        let peers = self.of_standing(Standing::Peer).filter(|peer| peer.figures().is_some());
        let peers: Vec<&Record> = peers.collect();
        let lead = |(round, &ours): (usize, &Option<f64>)| {
            let theirs = peers.iter().filter_map(|peer| peer.rounds[round]);
            let leads = theirs.filter_map(|theirs| Some(self.row.unit.lead(ours?, theirs)));
            leads.min_by(f64::total_cmp)
        };
        median_ratio(self.ours()?.iter().enumerate().filter_map(lead))
    }

    /// The median over the rounds of our lead over one contender, if it counts.
    fn lead_over(&self, record: &Record) -> Option<f64> {
        record.figures()?;
        let lead = |(ours, theirs): (&Option<f64>, &Option<f64>)| {
            Some(self.row.unit.lead((*ours)?, (*theirs)?))
        };
        median_ratio(self.ours()?.iter().zip(&record.rounds).filter_map(lead))
    }

    pub(super) fn describe(&self) -> String {
        let mut text = format!("{}, {}\n", self.row.title(), self.row.unit.name());
        for (who, record) in self.row.contenders.iter().zip(&self.records) {
            let mut line = String::new();
            if let Some([low, middle, high]) = record.figures().and_then(|it| spread(&it)) {
                let lead = match self.lead_over(record) {
                    Some(lead) if who.standing != Standing::Ours => format!("x{lead:.2}"),
                    _ => String::new(),
                };
                line = format!("{middle:>12.3}  ({low:.3} .. {high:.3})  {lead}  ");
            }
            line += &record.remark();
            writeln!(text, "  {:<34}{}", who.name, line.trim_end()).expect("a string takes all");
        }
        if let Some(lead) = self.lead() {
            writeln!(text, "  {:<34}{:>12}  x{lead:.2}", "best peer of each round", "")
                .expect("a string takes all");
        }
        for left_out in &self.row.left_out {
            writeln!(text, "  left out: {left_out}").expect("a string takes all");
        }
        text
    }

    pub(super) fn json(&self, bench: &str) -> Value {
        let contenders = self.row.contenders.iter().zip(&self.records);
        let contenders = contenders.map(|(who, record)| self.contender_json(who, record));
        json!({
            "rounds": self.records.iter().map(|record| record.rounds.len()).max(),
            "bench": bench, "row": self.row.title(), "unit": self.row.unit.name(),
            "outside": self.row.outside, "note": self.row.note, "left_out": self.row.left_out,
            "lead": self.lead(),
            "contenders": contenders.collect::<Vec<_>>(),
        })
    }

    fn contender_json(&self, who: &Contender, record: &Record) -> Value {
        let standing = match who.standing {
            Standing::Ours => "ours",
            Standing::Peer => "peer",
            Standing::Reference => "reference",
        };
        let spread = record.figures().and_then(|figures| spread(&figures));
        let [low, middle, high] = spread.unwrap_or([f64::NAN; 3]);
        json!({
            "name": who.name, "standing": standing, "remark": record.remark(),
            "low": low, "median": middle, "high": high, "lead": self.lead_over(record),
            "figures": record.rounds,
        })
    }
}

/// Low, median, high.
fn spread(figures: &[f64]) -> Option<[f64; 3]> {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    Some([*figures.first()?, median(&figures)?, *figures.last()?])
}

/// The one in the middle, or half-way between the two.
pub(crate) fn median(figures: &[f64]) -> Option<f64> {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    let (low, high) =
        (*figures.get(figures.len().checked_sub(1)? / 2)?, figures[figures.len() / 2]);
    Some((low + high) / 2.0)
}

/// The same of ratios, which multiply.
fn median_ratio(ratios: impl Iterator<Item = f64>) -> Option<f64> {
    let logarithms: Vec<f64> = ratios.map(f64::ln).collect();
    median(&logarithms).map(f64::exp)
}
