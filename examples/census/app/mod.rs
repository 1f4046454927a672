//! What the census does, from the command line to the exit code.

mod options;
mod parallel;
mod progress;
mod sequential;
mod source;
mod table;
mod tally;
mod verify;
mod walk;
mod walkers;

use self::options::{Options, Request};
use self::tally::Tally;
use self::walk::Roots;
use bifrons::Event;
use std::collections::HashSet;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Set to end a count early: the tasks and threads finish what they have in hand.
static STOP: Event = Event::new();

/// Set when it was Ctrl-C or a request to terminate that ended it.
static INTERRUPTED: Event = Event::new();

const MISMATCH: u8 = 1;
const USAGE: u8 = 2;
const INTERRUPT: u8 = 130;

/// What is to be counted, and how.
struct Job {
    roots: Roots,
    /// Files that are not counted, because they change all the time.
    left_out: HashSet<PathBuf>,
    /// Whether to remember the size and the modification time of each file.
    stamped: bool,
    bar: bool,
    open_files: usize,
    queue: usize,
    stop: &'static Event,
}

/// What was counted.
struct Count {
    tally: Tally,
    elapsed: Duration,
    complete: bool,
}

pub(crate) fn main() -> ExitCode {
    let options = match options::parse(std::env::args_os().skip(1)) {
        Ok(Request::Count(options)) => options,
        Ok(Request::Help) => return print(options::HELP),
        Err(message) => return usage(&message),
    };
    let roots = match Roots::new(&options.roots) {
        Ok(roots) => roots,
        Err(message) => return usage(&message),
    };
    stop_when_asked(options.limit);
    run(&options, roots)
}

fn run(options: &Options, roots: Roots) -> ExitCode {
    let checked = options.verify || options.bench;
    let job = Arc::new(Job {
        roots,
        left_out: HashSet::new(),
        stamped: checked,
        bar: options.bar && !options.bench,
        open_files: options.open_files,
        queue: options.queue,
        stop: &STOP,
    });
    if checked {
        return verify::run(job, options);
    }
    let count = parallel::count(&job);
    let code = print(&table::render(&count.tally, options));
    eprintln!("{}", table::speed(&count));
    finish(count.complete, code)
}

/// Two ways to stop: Ctrl-C, and a time limit. A second Ctrl-C does not wait.
fn stop_when_asked(limit: Option<Duration>) {
    let handler = || {
        if INTERRUPTED.is_set() {
            std::process::exit(INTERRUPT.into());
        }
        INTERRUPTED.set();
        STOP.set();
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        eprintln!("census: Ctrl-C will not stop cleanly: {error}");
    }
    if let Some(limit) = limit {
        thread::spawn(move || {
            if STOP.wait_timeout(limit).is_err() {
                STOP.set();
            }
        });
    }
}

/// The exit code: `code`, unless somebody interrupted the count.
fn finish(complete: bool, code: ExitCode) -> ExitCode {
    if complete {
        return code;
    }
    let interrupted = INTERRUPTED.is_set();
    let cause = if interrupted { "interrupted" } else { "the time limit was reached" };
    eprintln!("{cause}: what was not counted until then is not in the figures");
    if interrupted { INTERRUPT.into() } else { code }
}

fn usage(message: &str) -> ExitCode {
    eprintln!("census: {message}\nTry --help.");
    USAGE.into()
}

/// Writes to the standard output; a reader that has left, as `head` does, is no error.
fn print(text: &str) -> ExitCode {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("census: cannot write: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
