//! `RESULTS.md`.

use crate::figures::{Contender, Peer, Row};
use crate::machine;
use crate::target::targets;
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
         | peer | rows | geometric mean of our lead | where it does best | |\n|---|--:|--:|---|--:|\n",
    );
    for Peer { name, rows, lead, least: (least, row) } in peers {
        writeln!(text, "| {name} | {rows} | {} | {row} | {} |", ratio(*lead), ratio(*least))?;
    }
    let mut ranked: Vec<(&Contender, f64, &Row)> = rows
        .iter()
        .filter(|row| row.is_speed())
        .filter_map(|row| row.best_peer().and_then(|peer| Some((peer, peer.lead?, row))))
        .collect();
    ranked.sort_by(|one, other| f64::total_cmp(&one.1, &other.1));
    let count = |limit: f64, floor: bool| {
        let below = ranked.iter().filter(|(_, lead, _)| *lead < limit);
        below.filter(|(.., row)| row.floor.is_some() == floor).count()
    };
    let (behind, far, floors) = (count(1.0, false), count(0.9, false), count(1.0, true));
    let all = ranked.len();
    writeln!(
        text,
        "\n### Under 1.0\n\n\
         Of {all} rows {behind}, {far} of them under 0.9, and {floors} with a floor. The best peer \
         of a row\nis the one that we lead least, by the median over the rounds; the best of each \
         round is whoever\nwas luckiest in it.\n"
    )?;
    text.push_str("| row | best peer | ratio | to the best of each round | floor |\n");
    text.push_str("|---|---|--:|--:|---|\n");
    for (peer, lead, row) in ranked.into_iter().take_while(|(_, lead, _)| *lead < 1.0) {
        let luckiest = row.lead.map_or(String::new(), ratio);
        let floor = row.floor.as_deref().unwrap_or_default();
        let (row, lead) = (row.label(), ratio(lead));
        writeln!(text, "| {row} | {} | {lead} | {luckiest} | {floor} |", peer.name)?;
    }
    Ok(())
}

fn aims(text: &mut String, rows: &[Row]) -> fmt::Result {
    text.push_str(
        "\n### Targets\n\n\
         Figures that single rows are to stay below, whoever else is in them.\n\n\
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
