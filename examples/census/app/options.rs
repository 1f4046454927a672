//! The command line.

use std::ffi::{OsStr, OsString};
use std::num::NonZero;
use std::path::PathBuf;
use std::str::FromStr;
use std::thread;
use std::time::Duration;

pub(crate) const HELP: &str = "\
Counts files, lines, bytes and words by extension.

Usage: census [OPTION]... [DIRECTORY]...

Without a DIRECTORY it counts the checkout of the crate that it belongs to.

  --words N          show the N most frequent words of each extension (5)
  --extensions N     show the N extensions with the most lines (20), 0 for all
  --limit-seconds N  stop after N seconds, and show what was counted until then
  --verify           count again sequentially, and compare exactly
  --bench            warm the cache, count three times each way, compare, show the best speeds
  --open-files N     read at most N files at a time (4 for each CPU)
  --queue N          let the walk be at most N paths ahead of the count (1024)
  --no-progress      show no progress bar
  --help             show this text

A line ends at a line feed; a last line without one counts. A word is a run of 1 to 40 ASCII
letters, digits and underscores that does not begin with a digit, whatever the other bytes are.

Exit code: 0; 1 if the counts differ or could not be compared; 2 for a wrong command line;
130 after Ctrl-C.
";

pub(crate) enum Request {
    Count(Options),
    Help,
}

pub(crate) struct Options {
    pub(crate) roots: Vec<PathBuf>,
    pub(crate) words: usize,
    pub(crate) extensions: usize,
    pub(crate) limit: Option<Duration>,
    pub(crate) verify: bool,
    pub(crate) bench: bool,
    pub(crate) bar: bool,
    pub(crate) open_files: usize,
    pub(crate) queue: usize,
}

pub(crate) fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Request, String> {
    let mut options = Options::default();
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--help" | "-h") => return Ok(Request::Help),
            Some("--") => options.roots.extend(arguments.by_ref().map(PathBuf::from)),
            Some(option) if option.starts_with('-') => options.set(option, &mut arguments)?,
            _ => options.roots.push(argument.into()),
        }
    }
    if options.roots.is_empty() {
        options.roots.push(env!("CARGO_MANIFEST_DIR").into());
    }
    Ok(Request::Count(options))
}

impl Options {
    /// Sets an option, whose value is behind a `=` or the next of the arguments.
    fn set(
        &mut self,
        option: &str,
        arguments: &mut impl Iterator<Item = OsString>,
    ) -> Result<(), String> {
        match option {
            "--verify" => self.verify = true,
            "--bench" => self.bench = true,
            "--no-progress" => self.bar = false,
            _ => {
                let (name, value) = match option.split_once('=') {
                    Some((name, value)) => (name, Some(value.into())),
                    None => (option, arguments.next()),
                };
                self.set_value(name, value)?;
            }
        }
        Ok(())
    }

    fn set_value(&mut self, name: &str, value: Option<OsString>) -> Result<(), String> {
        match name {
            "--words" => self.words = number(name, value)?,
            "--extensions" => self.extensions = number(name, value)?,
            "--limit-seconds" => self.limit = Some(seconds(name, value)?),
            "--open-files" => self.open_files = number::<NonZero<u16>>(name, value)?.get().into(),
            "--queue" => self.queue = number::<NonZero<u16>>(name, value)?.get().into(),
            _ => return Err(format!("{name}: no such option")),
        }
        Ok(())
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            roots: Vec::new(),
            words: 5,
            extensions: 20,
            limit: None,
            verify: false,
            bench: false,
            bar: true,
            open_files: 4 * processors(),
            queue: 1024,
        }
    }
}

/// How many threads can run at the same time.
pub(crate) fn processors() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

fn number<N: FromStr>(name: &str, value: Option<OsString>) -> Result<N, String> {
    let text = value.as_deref().and_then(OsStr::to_str);
    text.and_then(|text| text.parse().ok()).ok_or_else(|| format!("{name}: not a suitable number"))
}

fn seconds(name: &str, value: Option<OsString>) -> Result<Duration, String> {
    let seconds = number(name, value)?;
    Duration::try_from_secs_f64(seconds).map_err(|error| format!("{name}: {error}"))
}
