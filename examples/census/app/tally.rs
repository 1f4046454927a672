//! The figures, and how they come from bytes.

use super::source::{Source, Stamp};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem;
use std::ops::AddAssign;
use std::path::Path;

/// A longer run of letters and digits is data, not a word.
const LONGEST_WORD: usize = 40;

/// All figures.
#[derive(Default)]
pub(crate) struct Tally {
    /// By extension.
    pub(crate) kinds: BTreeMap<String, Kind>,
    pub(crate) unreadable: u64,
    /// By the hash of the path; `None` for a file that changed while it was read.
    pub(crate) stamps: HashMap<u64, Option<Stamp>>,
}

/// The figures of one extension.
#[derive(Default, PartialEq)]
pub(crate) struct Kind {
    pub(crate) sums: Sums,
    pub(crate) words: Words,
}

/// What adds up, of one file or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sums {
    pub(crate) files: u64,
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
}

/// How often each word came.
pub(crate) type Words = HashMap<Box<[u8]>, u64>;

/// The count of one file, part by part.
#[derive(Default)]
pub(crate) struct FileCount {
    sums: Sums,
    last: Option<u8>,
    /// The run at the end of the last part, cut after one byte too many.
    run: Vec<u8>,
}

impl Tally {
    /// Counts a part of a file that is not the last.
    pub(crate) fn part(&mut self, source: &Source, file: &mut FileCount) {
        file.part(source.part(), &mut self.kind(&source.path).words);
    }

    /// Counts the last part, and with it the file.
    pub(crate) fn last_part(&mut self, source: &Source, mut file: FileCount) -> Sums {
        let kind = self.kind(&source.path);
        file.part(source.part(), &mut kind.words);
        let sums = file.finish(&mut kind.words);
        kind.sums += sums;
        sums
    }

    fn kind(&mut self, path: &Path) -> &mut Kind {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        if !self.kinds.contains_key(&*extension) {
            self.kinds.insert(extension.clone().into_owned(), Kind::default());
        }
        self.kinds.get_mut(&*extension).expect("it was there or was inserted")
    }

    /// Remembers the size and the modification time of a file.
    pub(crate) fn stamp(&mut self, source: &Source) {
        self.stamps.insert(key(&source.path), source.stamp());
    }

    /// All that adds up.
    pub(crate) fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        self.kinds.values().for_each(|kind| sums += kind.sums);
        sums
    }

    /// How many words there are, each extension for itself.
    pub(crate) fn distinct(&self) -> usize {
        self.kinds.values().map(|kind| kind.words.len()).sum()
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (extension, kind) in other.kinds {
            self.kinds.entry(extension).or_default().merge(kind);
        }
        self.unreadable += other.unreadable;
        self.stamps.extend(other.stamps);
    }
}

impl Kind {
    fn merge(&mut self, other: Self) {
        self.sums += other.sums;
        let mut fewer = other.words;
        if fewer.len() > self.words.len() {
            mem::swap(&mut fewer, &mut self.words);
        }
        for (word, count) in fewer {
            *self.words.entry(word).or_default() += count;
        }
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: u64 = self.words.values().sum();
        write!(f, "{:?}, {words} words, {} of them distinct", self.sums, self.words.len())
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.files += other.files;
        self.lines += other.lines;
        self.bytes += other.bytes;
    }
}

impl FileCount {
    fn part(&mut self, part: &[u8], words: &mut Words) {
        self.sums.bytes += part.len() as u64;
        self.sums.lines += part.iter().filter(|&&byte| byte == b'\n').count() as u64;
        self.last = part.last().copied().or(self.last);
        let mut runs = part.split(|&byte| !(byte.is_ascii_alphanumeric() || byte == b'_'));
        self.extend(runs.next().unwrap_or_default());
        if let Some(last) = runs.next_back() {
            self.end_run(words);
            runs.for_each(|run| add_word(run, words));
            self.extend(last);
        }
    }

    fn finish(&mut self, words: &mut Words) -> Sums {
        self.end_run(words);
        let unended = self.last.is_some_and(|byte| byte != b'\n');
        Sums { files: 1, lines: self.sums.lines + u64::from(unended), ..self.sums }
    }

    fn extend(&mut self, run: &[u8]) {
        let room = LONGEST_WORD + 1 - self.run.len();
        self.run.extend_from_slice(&run[..run.len().min(room)]);
    }

    fn end_run(&mut self, words: &mut Words) {
        add_word(&self.run, words);
        self.run.clear();
    }
}

fn add_word(run: &[u8], words: &mut Words) {
    let Some(first) = run.first() else { return };
    if first.is_ascii_digit() || run.len() > LONGEST_WORD {
        return;
    }
    match words.get_mut(run) {
        Some(count) => *count += 1,
        None => _ = words.insert(run.into(), 1),
    }
}

/// Stands for a path where keeping the path would take too much memory.
pub(crate) fn key(path: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}
