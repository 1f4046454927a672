//! `RESULTS.md`.

use crate::figures::{Peer, Row};
use crate::machine;
use std::fmt::{self, Write};

pub(crate) fn results(rows: &[Row], peers: &[Peer]) -> Result<String, fmt::Error> {
    let mut text = String::from(
        "# Results\n\n\
         Written by `cargo bench --bench report`. A ratio above 1 means that bifrons is ahead.\n\
         The contenders take turns; a ratio is the median over the rounds of the ratio in the same\n\
         round, and the spread is from the least to the greatest figure. The last ratio of a table is\n\
         to the best peer of each round. A contender in italics is shown, but no rival: it promises\n\
         less than the row asks.\n\n\
         ## The machine\n\n",
    );
    text += &machine::describe();
    let rounds = || rows.iter().filter(|row| row.is_speed()).map(|row| row.rounds);
    let (least, most) = (rounds().min().unwrap_or_default(), rounds().max().unwrap_or_default());
    writeln!(text, "- {least} to {most} rounds a row")?;
    writeln!(text, "\nPeers: {}; std is the compiler's.\n", machine::versions(rows))?;
    summary(&mut text, rows, peers)?;
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
         | peer | rows | geometric mean of our lead | where it does best | |\n|---|--:|--:|---|--:|\n",
    );
    for Peer { name, rows, lead, least: (least, row) } in peers {
        writeln!(text, "| {name} | {rows} | {} | {row} | {} |", ratio(*lead), ratio(*least))?;
    }
    let mut behind: Vec<(f64, &Row)> = rows
        .iter()
        .filter(|row| row.is_speed())
        .filter_map(|row| Some((row.lead.filter(|&lead| lead < 1.0)?, row)))
        .collect();
    behind.sort_by(|one, other| f64::total_cmp(&one.0, &other.0));
    let speed = rows.iter().filter(|row| row.is_speed() && row.lead.is_some()).count();
    writeln!(text, "\n### Under 1.0: {} of {speed} rows\n", behind.len())?;
    text.push_str("| row | best peer | ratio | floor |\n|---|---|--:|---|\n");
    for (lead, row) in behind {
        let peer = row.best_peer().map_or("", |peer| &peer.name);
        let floor = row.floor.as_deref().unwrap_or_default();
        writeln!(text, "| {} | {peer} | {} | {floor} |", row.label(), ratio(lead))?;
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
        let (middle, span) = match who.spread {
            None => ("hangs".into(), String::new()),
            Some([low, middle, high]) if low == high => (figure(middle), String::new()),
            Some([low, middle, high]) => {
                (figure(middle), format!("{} .. {}", figure(low), figure(high)))
            }
        };
        let lead = who.lead.map(ratio).unwrap_or_default();
        writeln!(text, "| {name} | {middle} | {span} | {lead} |")?;
    }
    if let Some(lead) = row.lead {
        writeln!(text, "| best peer of each round | | | {} |", ratio(lead))?;
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
