//! The progress of a count, which the tasks write and the thread of the bar waits for.

use super::tally::Sums;
use bifrons::{Condition, Lock};
use indicatif::{BinaryBytes, HumanCount, ProgressBar, ProgressStyle};

#[derive(Clone, Copy, Default)]
struct State {
    expected: u64,
    counted: Sums,
    finished: bool,
}

#[derive(Default)]
pub(crate) struct Progress {
    state: Lock<State>,
    advanced: Condition,
}

impl Progress {
    /// A task has counted some more.
    pub(crate) async fn advance(&self, sums: Sums) {
        self.state.lock_async().await.counted += sums;
        self.advanced.notify_one();
    }

    /// A thread has found more files.
    pub(crate) fn expect(&self, files: u64) {
        self.state.lock().expected = files;
    }

    pub(crate) fn finish(&self) {
        self.state.lock().finished = true;
        self.advanced.notify_one();
    }

    /// Updates the bar at each advance, until the end.
    pub(crate) fn show(&self, bar: &ProgressBar) {
        let mut shown = State::default();
        while !shown.finished {
            let unchanged = |now: &mut State| now.counted == shown.counted && !now.finished;
            let now = *self.advanced.wait_while(self.state.lock(), unchanged);
            let Sums { files, lines, bytes } = now.counted;
            bar.set_length(now.expected.max(files));
            bar.set_position(files);
            bar.set_message(format!("{} lines, {}", HumanCount(lines), BinaryBytes(bytes)));
            shown = now;
        }
        bar.finish_and_clear();
    }
}

/// A bar on the standard error, which stays hidden where that is not a terminal.
pub(crate) fn bar(visible: bool) -> ProgressBar {
    if !visible {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {human_pos}/{human_len} files, {msg}")
        .expect("the template is a constant");
    ProgressBar::new(0).with_style(style)
}
