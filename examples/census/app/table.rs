//! What the census prints.

use super::Count;
use super::options::Options;
use super::tally::{Kind, Sums, Tally, Words};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

const HEAD: [&str; 6] = ["extension", "files", "lines", "bytes", "words", "most frequent words"];

type Row = [String; HEAD.len()];

/// The table, in an order that depends on the figures alone.
pub(crate) fn render(tally: &Tally, options: &Options) -> String {
    let mut kinds: Vec<_> = tally.kinds.iter().collect();
    kinds.sort_by_key(|(extension, kind)| {
        (Reverse(kind.sums.lines), Reverse(kind.sums.bytes), *extension)
    });
    let shown = if options.extensions == 0 { usize::MAX } else { options.extensions };
    let (shown, others) = kinds.split_at(shown.min(kinds.len()));

    let mut rows = vec![HEAD.map(String::from)];
    for (extension, kind) in shown {
        rows.push(row(name(extension), &[kind], most_frequent(&kind.words, options.words)));
    }
    if !others.is_empty() {
        let name = format!("({} others)", others.len());
        let kinds: Vec<_> = others.iter().map(|(_, kind)| *kind).collect();
        rows.push(row(name, &kinds, String::new()));
    }
    let kinds: Vec<_> = tally.kinds.values().collect();
    rows.push(row("total".into(), &kinds, String::new()));

    let mut text = align(&rows);
    if tally.unreadable > 0 {
        text += &format!("{} not read\n", grouped(tally.unreadable));
    }
    text
}

/// What was counted, how long it took, and how fast that was.
pub(crate) fn speed(count: &Count) -> String {
    let Sums { files, lines, .. } = count.tally.sums();
    let seconds = count.elapsed.as_secs_f64();
    let speed = grouped((lines as f64 / seconds) as u64);
    let (files, lines) = (grouped(files), grouped(lines));
    format!("{files} files, {lines} lines in {seconds:.2} s: {speed} lines/s")
}

fn row(name: String, kinds: &[&Kind], most_frequent: String) -> Row {
    let mut sums = Sums::default();
    kinds.iter().for_each(|kind| sums += kind.sums);
    let words = kinds.iter().flat_map(|kind| kind.words.values()).sum();
    let [files, lines, bytes, words] = [sums.files, sums.lines, sums.bytes, words].map(grouped);
    [name, files, lines, bytes, words, most_frequent]
}

/// A name may hold anything; a terminal should not get it raw.
fn name(extension: &str) -> String {
    if extension.is_empty() { "(none)".into() } else { extension.escape_debug().to_string() }
}

/// The `number` most frequent words; among equals those that come first in the alphabet.
fn most_frequent(words: &Words, number: usize) -> String {
    let mut best = BinaryHeap::new();
    for (word, count) in words {
        best.push(Reverse((*count, Reverse(word))));
        if best.len() > number {
            best.pop();
        }
    }
    let best = best.into_sorted_vec();
    let texts = best.iter().map(|Reverse((count, Reverse(word)))| {
        format!("{} {}", String::from_utf8_lossy(word), grouped(*count))
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// The first and the last column to the left, the figures to the right.
fn align(rows: &[Row]) -> String {
    let last = HEAD.len() - 1;
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..last).filter_map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = format!("{:<width$}", row[0], width = widths[0]);
        for (cell, width) in row[1..last].iter().zip(&widths[1..]) {
            line += &format!("  {cell:>width$}");
        }
        line = format!("{line}  {}", row[last]);
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}
