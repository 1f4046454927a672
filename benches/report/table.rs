//! `RESULTS.md`.

use crate::chart::LEFT_OUT;
use crate::figures::{Contender, Peer, Row};
use crate::machine;
use crate::target::targets;
use std::fmt::{self, Write};

/// Times the median.
const FAR: f64 = 10.0;

pub(crate) fn results(rows: &[Row], peers: &[Peer], run: &str) -> Result<String, fmt::Error> {
    let mut text = String::from(
        "# Results\n\n\
         Written by `cargo bench --bench report`. A ratio above 1 means that bifrons is ahead.\n\
         The contenders take turns, and who begins changes from round to round; a ratio is the median\n\
         over the rounds of the ratio in the same round, and the spread is from the least to the\n\
         greatest figure. The last ratio of a table is to the best peer of each round. A contender in\n\
         italics is shown, but no rival: it promises less than the row asks.\n\n\
         A turn that takes longer than five seconds is given up: its contender hangs, or is dozens of\n\
         times slower than when the turn was measured out. After the second one it is asked no more in\n\
         that row. Who has a figure in more than half of the rounds counts by these, and the turns\n\
         given up are named beside; else it does not count. Who panics or crashes fails.\n\n\
         Where a row does not ask for fairness each peer comes in its fastest flavour. A semaphore is\n\
         first come, first served, where the peer has one that is. \"(block_on)\" says that threads drive\n\
         futures. tokio's own types give way to other tasks every 128 operations or so; nobody else's do.\n\n\
         ## The machine\n\n",
    );
    text += &machine::describe();
    let rounds = || rows.iter().filter(|row| row.is_speed()).map(|row| row.rounds);
    let (least, most) = (rounds().min().unwrap_or_default(), rounds().max().unwrap_or_default());
    writeln!(text, "- {run}; {least} to {most} rounds a row")?;
    writeln!(text, "\nPeers: {}; std is the compiler's.\n", machine::versions(rows))?;
    summary(&mut text, rows, peers)?;
    aims(&mut text, rows)?;
    let mut bench = "";
    for row in rows {
        if row.bench != bench {
            bench = row.bench;
            writeln!(text, "\n## {bench}")?;
        }
        table(&mut text, row)?;
    }
    Ok(text)
}

fn summary(text: &mut String, rows: &[Row], peers: &[Peer]) -> fmt::Result {
    text.push_str(
        "## In short\n\n![Our lead over each peer](charts/peers.svg)\n\n\
         ![Our lead over the best peer of each row](charts/leads.svg)\n\n\
         ![The cost of a waiter among many](charts/growth.svg)\n\n\
",
    );
    writeln!(text, "The means are {LEFT_OUT}.\n")?;
    text.push_str(
        "| peer | rows | geometric mean of our lead | median | rows of its own face | geometric mean \
         of these | where it does best | |\n|---|--:|--:|--:|--:|--:|---|--:|\n",
    );
    for Peer { name, rows, lead, median, own: (own, own_lead), least: (least, row) } in peers {
        let [lead, median, least] = [*lead, *median, *least].map(ratio);
        let own_lead = if *own == 0 { String::new() } else { ratio(*own_lead) };
        writeln!(
            text,
            "| {name} | {rows} | {lead} | {median} | {own} | {own_lead} | {row} | {least} |"
        )?;
    }
    text.push_str("\n\"(block_on)\" is no face of its own.\n");
    let mut ranked: Vec<Rank<'_>> =
        rows.iter().filter(|row| row.is_speed()).filter_map(Rank::of).collect();
    ranked.sort_by(|one, other| f64::total_cmp(&one.least(), &other.least()));
    let count = |limit: f64, outside: bool| {
        let below = ranked.iter().filter(|rank| rank.least() < limit);
        below.filter(|rank| rank.row.outside.is_some() == outside).count()
    };
    let (behind, far, outside) = (count(1.0, false), count(0.9, false), count(1.0, true));
    let all = ranked.len();
    writeln!(
        text,
        "\n### Under 1.0\n\n\
         Of {all} rows {behind}, {far} of them under 0.9, and {outside} outside the means: by the \
         ratio to the best\npeer of each round, whoever that is, or to the one peer that we lead least \
         by the median over the rounds.\n"
    )?;
    text.push_str("| row | to the best of each round | to one peer | which | |\n");
    text.push_str("|---|--:|--:|---|---|\n");
    for Rank { row, peer, of_rounds, of_peer } in
        ranked.into_iter().take_while(|rank| rank.least() < 1.0)
    {
        let (of_rounds, of_peer) = (ratio(of_rounds), ratio(of_peer));
        let remark = match (&row.outside, &row.note) {
            (Some(why), _) => format!("outside the means: {why}"),
            (None, Some(note)) => note.clone(),
            (None, None) => String::new(),
        };
        let (row, peer) = (row.label(), &peer.name);
        writeln!(text, "| {row} | {of_rounds} | {of_peer} | {peer} | {remark} |")?;
    }
    uneven(text, rows)
}

/// Turns that are far from the median of their row, which hides them.
fn uneven(text: &mut String, rows: &[Row]) -> fmt::Result {
    let far = |who: &Contender, row: &Row| {
        let [low, middle, high] = who.spread?;
        let (worst, times) =
            if row.is_rate() { (low, middle / low) } else { (high, high / middle) };
        (times > FAR).then(|| (worst, middle))
    };
    let speeds = || rows.iter().filter(|row| row.is_speed());
    let peers = speeds().flat_map(|row| row.peers().filter_map(move |who| far(who, row))).count();
    writeln!(
        text,
        "\n### Turns far from the median\n\n\
         Rows in which a turn of ours was more than {FAR} times worse than our median; of the peers' \
         {peers} were.\n"
    )?;
    text.push_str("| row | median | worst |\n|---|--:|--:|\n");
    for row in speeds() {
        if let Some((worst, middle)) = row.ours().and_then(|ours| far(ours, row)) {
            let (middle, worst) = (figure(middle), figure(worst));
            writeln!(text, "| {}, {} | {middle} | {worst} |", row.label(), row.unit)?;
        }
    }
    Ok(())
}

/// A row beside its best peer.
struct Rank<'a> {
    row: &'a Row,
    /// Whom we lead least by the median.
    peer: &'a Contender,
    /// Our lead over the best peer of each round, and over that one.
    of_rounds: f64,
    of_peer: f64,
}

impl<'a> Rank<'a> {
    fn of(row: &'a Row) -> Option<Self> {
        let peer = row.best_peer()?;
        Some(Self { row, peer, of_rounds: row.lead?, of_peer: peer.lead? })
    }

    fn least(&self) -> f64 {
        self.of_rounds.min(self.of_peer)
    }
}

fn aims(text: &mut String, rows: &[Row]) -> fmt::Result {
    text.push_str(
        "\n### Targets\n\n\
         Figures that single rows are to stay below, whoever else is in them. A ratio of two rows is that\n\
         of the same round. Where the nodes take more than ten times the second-level cache, the figure\n\
         is that of the memory, and stands apart. That a cost may double from 1 000 waiters to 100 000\n\
         is our reading of flat.\n\n\
         | what | target | | least | |\n|---|--:|--:|--:|---|\n",
    );
    for target in targets(rows) {
        let (limit, judged, least) = (target.limit, target.judged(), figure(target.least));
        writeln!(
            text,
            "| {} | {limit} | {judged} | {least} | {} |",
            target.what,
            target.verdict()
        )?;
    }
    Ok(())
}

fn table(text: &mut String, row: &Row) -> fmt::Result {
    writeln!(text, "\n| {}, {} | median | spread | ratio |", row.name, row.unit)?;
    text.push_str("|---|--:|--:|--:|\n");
    for who in &row.contenders {
        let name = match who.standing.as_str() {
            "ours" => format!("**{}**", who.name),
            "reference" => format!("*{}*", who.name),
            _ => who.name.clone(),
        };
        let (middle, mut span) = match who.spread {
            None => (who.remark.clone(), String::new()),
            Some([low, middle, high]) if low == high => (figure(middle), String::new()),
            Some([low, middle, high]) => {
                (figure(middle), format!("{} .. {}", figure(low), figure(high)))
            }
        };
        if who.spread.is_some() && !who.remark.is_empty() {
            write!(span, "; {}", who.remark)?;
        }
        let lead = who.lead.map(ratio).unwrap_or_default();
        writeln!(text, "| {name} | {middle} | {span} | {lead} |")?;
    }
    if let Some(lead) = row.lead {
        writeln!(text, "| best peer of each round | | | {} |", ratio(lead))?;
    }
    if !row.left_out.is_empty() {
        writeln!(text, "\nLeft out: {}.", row.left_out.join("; "))?;
    }
    if let Some(why) = &row.outside {
        writeln!(text, "\nOutside the means: {why}.")?;
    }
    if let Some(note) = &row.note {
        writeln!(text, "\nNote: {note}.")?;
    }
    Ok(())
}

/// Three digits, or as many as come before the point.
pub(crate) fn figure(value: f64) -> String {
    let digits = match value {
        0.0 => 0,
        _ => (2 - value.abs().log10().floor() as i32).clamp(0, 3) as usize,
    };
    format!("{value:.digits$}")
}

pub(crate) fn ratio(value: f64) -> String {
    let digits = if value < 10.0 { 2 } else { 0 };
    format!("{value:.digits$}")
}
