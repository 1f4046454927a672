//! placeholder

mod batch;
mod drive;
mod list;
mod parker;
mod queue;

pub(crate) use self::batch::{WakeBatch, discard, wake};
pub(crate) use self::drive::drive;
pub use self::drive::{block_on, block_on_deadline, block_on_timeout};
pub(crate) use self::list::{Node, Place, State};
pub(crate) use self::queue::{Locked, WaitQueue};

/// The answer to a poll after completion.
#[cold]
#[track_caller]
pub(crate) fn finished(what: &str) -> ! {
    panic!("`{what}` polled after completion");
}
