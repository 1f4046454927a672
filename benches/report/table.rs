//! `RESULTS.md`.

use crate::chart::LEFT_OUT;
use crate::figures::{Contender, Peer, Row};
use crate::machine;
use crate::target::targets;
use std::fmt::{self, Write};

pub(crate) fn results(rows: &[Row], peers: &[Peer]) -> Result<String, fmt::Error> {
    let mut text = String::from(
        "# Results\n\n\
         Written by `cargo bench --bench report`. A ratio above 1 means that bifrons is ahead.\n\
         The contenders take turns, and who begins changes from round to round; a ratio is the median\n\
         over the rounds of the ratio in the same round, and the spread is from the least to the\n\
         greatest figure. The last ratio of a table is to the best peer of each round. A contender in\n\
         italics is shown, but no rival: it promises less than the row asks.\n\n\
         A turn that takes longer than five seconds hangs; after the second one its contender is asked\n\
         no more in that row. Who has a figure in more than half of the rounds counts by these, and the\n\
         turns that hang are named beside; else it hangs. Who panics or crashes fails.\n\n\
         Where a row does not ask for fairness each peer comes in its fastest flavour. A semaphore is\n\
         first come, first served, where the peer has one that is. \"(block_on)\" says that threads drive\n\
         futures.\n\n\
         ## The machine\n\n",
    );
    text += &machine::describe();
    let rounds = || rows.iter().filter(|row| row.is_speed()).map(|row| row.rounds);
    let (least, most) = (rounds().min().unwrap_or_default(), rounds().max().unwrap_or_default());
    writeln!(text, "- {least} to {most} rounds a row")?;
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
        "| peer | rows | geometric mean of our lead | where it does best | |\n|---|--:|--:|---|--:|\n",
    );
    for Peer { name, rows, lead, least: (least, row) } in peers {
        writeln!(text, "| {name} | {rows} | {} | {row} | {} |", ratio(*lead), ratio(*least))?;
    }
    let mut ranked: Vec<Rank<'_>> =
        rows.iter().filter(|row| row.is_speed()).filter_map(Rank::of).collect();
    ranked.sort_by(|one, other| f64::total_cmp(&one.least(), &other.least()));
    let count = |limit: f64, floor: bool| {
        let below = ranked.iter().filter(|rank| rank.least() < limit);
        below.filter(|rank| rank.row.floor.is_some() == floor).count()
    };
    let (behind, far, floors) = (count(1.0, false), count(0.9, false), count(1.0, true));
    let all = ranked.len();
    writeln!(
        text,
        "\n### Under 1.0\n\n\
         Of {all} rows {behind}, {far} of them under 0.9, and {floors} with a floor: by the ratio to \
         the best peer\nof each round, whoever that is, or to the one peer that we lead least by the \
         median over the rounds.\n"
    )?;
    text.push_str("| row | to the best of each round | to one peer | which | floor |\n");
    text.push_str("|---|--:|--:|---|---|\n");
    for Rank { row, peer, of_rounds, of_peer } in
        ranked.into_iter().take_while(|rank| rank.least() < 1.0)
    {
        let (of_rounds, of_peer) = (ratio(of_rounds), ratio(of_peer));
        let floor = row.floor.as_deref().unwrap_or_default();
        let (row, peer) = (row.label(), &peer.name);
        writeln!(text, "| {row} | {of_rounds} | {of_peer} | {peer} | {floor} |")?;
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
         is that of the memory, and stands apart.\n\n\
         | what | target | median | least | |\n|---|--:|--:|--:|---|\n",
    );
    for target in targets(rows) {
        let (limit, median, least) = (target.limit, figure(target.median), figure(target.least));
        writeln!(
            text,
            "| {} | {limit} | {median} | {least} | {} |",
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
    if let Some(floor) = &row.floor {
        writeln!(text, "\nFloor: {floor}.")?;
    }
    Ok(())
}

/// Three digits, or as many as come before the point.
fn figure(value: f64) -> String {
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
