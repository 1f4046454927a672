//! One turn of a contender, in a process of its own.

use std::env;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A turn that takes longer is given up; a quick one sooner.
const PATIENCE: Duration = Duration::from_secs(5);
const TIMES_ITS_LENGTH: u32 = 200;

/// How a turn ended.
pub(super) enum Ending {
    Figure(f64),
    /// It took too long, and was killed.
    Hang,
    /// It panicked, crashed or said nothing; why.
    Failure(String),
}

/// Has this program take a turn: `--turn ROW CONTENDER MILLISECONDS`.
pub(super) fn take(row: usize, contender: usize, length: Duration) -> Ending {
    let program = env::current_exe().expect("this program has a path");
    let numbers = [row, contender, length.as_millis() as usize].map(|number| number.to_string());
    let mut child = Command::new(program)
        .arg("--turn")
        .args(numbers)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this program runs again");
    let in_time = ends_in_time(&mut child, PATIENCE.min(length * TIMES_ITS_LENGTH));
    if !in_time {
        child.kill().expect("a child can be killed");
    }
    let output = child.wait_with_output().expect("a child can be waited for");
    match (panic(&output), in_time) {
        (Some(message), _) => Ending::Failure(message),
        (None, false) => Ending::Hang,
        (None, true) => match String::from_utf8_lossy(&output.stdout).trim().parse() {
            Ok(figure) if output.status.success() => Ending::Figure(figure),
            _ => Ending::Failure(output.status.to_string()),
        },
    }
}

fn ends_in_time(child: &mut Child, patience: Duration) -> bool {
    let start = Instant::now();
    while child.try_wait().expect("a child can be waited for").is_none() {
        if start.elapsed() > patience {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

/// What the first thread said that panicked; the others may wait for it, and so hang.
fn panic(output: &Output) -> Option<String> {
    let text = String::from_utf8_lossy(&output.stderr);
    let mut lines = text.lines().skip_while(|line| !line.contains("panicked at"));
    let place = lines.next()?;
    Some(lines.next().unwrap_or(place).to_owned())
}
