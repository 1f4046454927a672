//! The walk through the directories: what is entered, what is left out.

use super::source::Unreadable;
use bifrons::Event;
use std::collections::BTreeSet;
use std::fs::{self, DirEntry};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// How many directories one walk keeps open; further down it reads a directory to its end first.
const OPEN_DIRECTORIES: usize = 32;

/// The directories that the user named, each once.
pub(crate) struct Roots(BTreeSet<PathBuf>);

/// Whom the walk calls with what it finds.
pub(crate) trait Visitor {
    /// Takes a regular file, or ends the walk.
    fn file(&mut self, path: PathBuf) -> ControlFlow<()>;

    /// Returns the directory if this walk is to enter it.
    fn directory(&mut self, path: PathBuf) -> Option<PathBuf> {
        Some(path)
    }

    /// Takes what could not be looked into.
    fn unreadable(&mut self, unreadable: Unreadable);
}

enum Entry {
    File(PathBuf),
    Directory(PathBuf),
    Unreadable(Unreadable),
}

impl Roots {
    pub(crate) fn new(named: &[PathBuf]) -> Result<Self, String> {
        let root = |path: &PathBuf| match path.canonicalize() {
            Ok(root) if root.is_dir() => Ok(root),
            Ok(_) => Err(format!("{}: not a directory", path.display())),
            Err(error) => Err(format!("{}: {error}", path.display())),
        };
        named.iter().map(root).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.iter()
    }

    /// Walks through all roots, until `stop` is set or the visitor ends it.
    pub(crate) fn walk_all(&self, stop: &Event, visitor: &mut impl Visitor) -> ControlFlow<()> {
        self.iter().try_for_each(|root| self.walk(root, stop, visitor))
    }

    /// Walks through `directory`, until `stop` is set or the visitor ends it.
    pub(crate) fn walk(
        &self,
        directory: &Path,
        stop: &Event,
        visitor: &mut impl Visitor,
    ) -> ControlFlow<()> {
        self.descend(directory, 0, stop, visitor)
    }

    fn descend(
        &self,
        directory: &Path,
        depth: usize,
        stop: &Event,
        visitor: &mut impl Visitor,
    ) -> ControlFlow<()> {
        let mut later = Vec::new();
        for entry in self.list(directory) {
            if stop.is_set() {
                return ControlFlow::Break(());
            }
            match entry {
                Entry::File(path) => visitor.file(path)?,
                Entry::Unreadable(unreadable) => visitor.unreadable(unreadable),
                Entry::Directory(path) => match visitor.directory(path) {
                    Some(path) if depth < OPEN_DIRECTORIES => {
                        self.descend(&path, depth + 1, stop, visitor)?;
                    }
                    kept => later.extend(kept),
                },
            }
        }
        later.iter().try_for_each(|path| self.descend(path, depth + 1, stop, visitor))
    }

    fn list(&self, directory: &Path) -> impl Iterator<Item = Entry> {
        let (entries, error) = match fs::read_dir(directory) {
            Ok(entries) => (Some(entries), None),
            Err(error) => (None, Some(unreadable(directory, error))),
        };
        let entries = entries.into_iter().flatten();
        error.into_iter().chain(entries.filter_map(move |entry| self.classify(directory, entry)))
    }

    fn classify(&self, directory: &Path, entry: io::Result<DirEntry>) -> Option<Entry> {
        let entry = match entry {
            Ok(entry) if entry.file_name() == ".git" => return None,
            Ok(entry) => entry,
            Err(error) => return Some(unreadable(directory, error)),
        };
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_file() => Some(Entry::File(path)),
            Ok(kind) if kind.is_dir() && self.enters(&path) => Some(Entry::Directory(path)),
            Ok(_) => None,
            Err(error) => Some(unreadable(&path, error)),
        }
    }

    /// A root inside another root is walked once, as a root.
    fn enters(&self, directory: &Path) -> bool {
        !self.0.contains(directory) && fs::symlink_metadata(directory.join("CACHEDIR.TAG")).is_err()
    }
}

fn unreadable(path: &Path, error: io::Error) -> Entry {
    Entry::Unreadable(Unreadable { path: path.into(), error })
}
