//! Small adapters: what the contenders of a row have in common, so that all run the same loop.

#![allow(dead_code, unused_imports, reason = "each bench uses its share")]

mod baton;
mod gate;
mod lock;
mod semaphore;

pub(crate) use baton::{
    AsyncBaton, AsyncChannel, AsyncCrossfire, Baton, Crossbeam, Crossfire, Flume,
    Intrusive as IntrusiveEvent, Kanal, Listened, MeaFlag, MixedCrossfire, OurFlag, OurQueue,
    ParkingLotFlag, Permits, StdFlag, TokioChannel, TokioFlag, UsyncFlag,
};
pub(crate) use futures::executor::block_on;
pub(crate) use gate::Gate;
pub(crate) use lock::{AsyncLock, BlockingLock, Intrusive as IntrusiveLock};
pub(crate) use semaphore::{AsyncSemaphore, BlockingSemaphore, CondvarSemaphore};

pub(crate) type IntrusiveSemaphore = semaphore::Intrusive<false>;
pub(crate) type FairIntrusiveSemaphore = semaphore::Intrusive<true>;

/// A row in which every type named runs the same turn.
macro_rules! contenders {
    (
        $row:expr, |$Adapter:ident, $n:ident| $turn:expr,
        $ours:ty $(, $name:literal: $peer:ty)* $(,)?
    ) => {
        $row.ours(move |$n| {
            type $Adapter = $ours;
            $turn
        })
        $(.peer($name, move |$n| {
            type $Adapter = $peer;
            $turn
        }))*
    };
}
pub(crate) use contenders;
