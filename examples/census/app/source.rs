//! A file that is read in parts, so that no file is too large.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::SystemTime;

/// The most that is read at a time.
pub(crate) const PART: usize = 256 * 1024;

/// By this a file is taken to be unchanged.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
}

/// A file or directory that could not be read, and why.
pub(crate) struct Unreadable {
    pub(crate) path: PathBuf,
    pub(crate) error: io::Error,
}

/// An open file and its present part.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    /// `None` when the present part is the last.
    file: Option<File>,
    part: Vec<u8>,
    /// Taken before the first part was read; `None` if it was another after the last.
    stamp: Option<Stamp>,
}

impl Source {
    /// Opens the file and reads the first part.
    pub(crate) fn open(path: PathBuf) -> Result<Self, Unreadable> {
        let open = || {
            let file = File::open(&path)?;
            let stamp = Stamp::new(&file.metadata()?);
            Ok((file, stamp))
        };
        match open() {
            Ok((file, stamp)) => {
                let (file, stamp, part) = (Some(file), Some(stamp), Vec::new());
                Self { path, file, part, stamp }.next()
            }
            Err(error) => Err(Unreadable { path, error }),
        }
    }

    /// Reads the next part; closes the file behind the last.
    pub(crate) fn next(mut self) -> Result<Self, Unreadable> {
        match self.fill() {
            Ok(()) => Ok(self),
            Err(error) => Err(Unreadable { path: self.path, error }),
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.part.clear();
        let Some(file) = &mut self.file else { return Ok(()) };
        let length = self.stamp.map_or(PART as u64, |stamp| stamp.length.min(PART as u64));
        self.part.reserve_exact(length as usize + 1);
        let read = file.take(PART as u64).read_to_end(&mut self.part)?;
        if read < PART {
            let stamp = Stamp::new(&file.metadata()?);
            self.stamp = self.stamp.filter(|before| *before == stamp);
            self.file = None;
        }
        Ok(())
    }

    pub(crate) fn part(&self) -> &[u8] {
        &self.part
    }

    /// Whether the present part is the last, and the file closed.
    pub(crate) fn is_last(&self) -> bool {
        self.file.is_none()
    }

    /// The stamp of the file, unless the file changed while it was read.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        self.stamp
    }
}

impl Stamp {
    fn new(metadata: &Metadata) -> Self {
        Self { length: metadata.len(), modified: metadata.modified().ok() }
    }

    /// Whether the file was last modified before `time`.
    pub(crate) fn is_before(&self, time: SystemTime) -> bool {
        self.modified.is_some_and(|modified| modified < time)
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read {:?}: {}", self.path, self.error)
    }
}
