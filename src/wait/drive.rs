//! The one driver: it gives every operation its blocking and its timed face.
//!
//! A thread is a task whose waker unparks it. `drive` polls, parks, polls again; when the deadline
//! passes it polls once more, so that a resource which is available beats a deadline that has
//! passed. It does not cancel: whoever called it drops the operation, or goes on with it.

use super::parker::Parker;
use crate::error::TimedOut;
use crate::sys::{Arc, Spin, deadline_after, is_past, is_past_at_last, thread_local, yield_now};
use std::cell::Cell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// What a thread keeps from one wait to the next.
struct Local {
    parker: Arc<Parker>,
    waker: Waker,
    /// Waits in progress: more than one when a `poll` inside `block_on` blocks in turn.
    depth: Cell<usize>,
}

impl Local {
    fn new() -> Self {
        let parker = Arc::new(Parker::new());
        Self { waker: Waker::from(Arc::clone(&parker)), parker, depth: Cell::new(0) }
    }

    fn run<F: Future>(
        &self,
        mut op: Pin<&mut F>,
        deadline: Option<Instant>,
        spin: Spin<'_>,
    ) -> Option<F::Output> {
        let mut nesting = Nesting::enter(self);
        let mut cx = Context::from_waker(&self.waker);
        let mut expired = false;
        let mut woke_itself = false;
        loop {
            match op.as_mut().poll(&mut cx) {
                Poll::Ready(output) => return Some(output),
                Poll::Pending if expired => return None,
                Poll::Pending => {}
            }
            // A future that wakes itself waits for another thread's next step: let it run.
            if self.parker.take_token() {
                nesting.took_token = true;
                expired = if woke_itself {
                    yield_now();
                    deadline.is_some_and(is_past_at_last)
                } else {
                    deadline.is_some_and(is_past)
                };
                woke_itself = true;
            } else {
                woke_itself = false;
                expired = !self.parker.park(deadline, spin);
                nesting.took_token |= !expired;
            }
        }
    }
}

/// Nested waits share the thread's token. What the inner one has taken may have been meant for the
/// outer one, so leaving it sets the token again: the outer one polls once too often, and does so
/// after each poll in which another wait has slept.
struct Nesting<'a> {
    local: &'a Local,
    took_token: bool,
}

impl<'a> Nesting<'a> {
    fn enter(local: &'a Local) -> Self {
        local.depth.set(local.depth.get() + 1);
        Self { local, took_token: false }
    }
}

impl Drop for Nesting<'_> {
    fn drop(&mut self) {
        let depth = self.local.depth.get() - 1;
        self.local.depth.set(depth);
        if depth > 0 && self.took_token {
            self.local.parker.unpark();
        }
    }
}

thread_local! {
    static LOCAL: Local = Local::new();
}

/// Runs `op` on this thread until it is ready (`Some`) or `deadline` has passed (`None`).
pub(crate) fn drive<F: Future>(op: Pin<&mut F>, deadline: Option<Instant>) -> Option<F::Output> {
    drive_by(op, deadline, Spin::new())
}

/// [`drive`] with another look than the usual one before the thread sleeps.
#[inline]
pub(crate) fn drive_by<F: Future>(
    mut op: Pin<&mut F>,
    deadline: Option<Instant>,
    spin: Spin<'_>,
) -> Option<F::Output> {
    LOCAL
        .try_with(|local| local.run(op.as_mut(), deadline, spin))
        // The thread is being torn down and its parker is gone: one for this wait alone.
        .unwrap_or_else(|_| Local::new().run(op, deadline, spin))
}

/// Runs a future to its end on this thread.
///
/// Any future will do, and any mix of them: with `futures::select!` a plain thread waits for
/// whichever of several locks, events and queues comes first. `select!` wants them pinned.
///
/// # Blocking
///
/// Parks this thread whenever the future is pending. It never panics because a runtime is
/// present, but a runtime's worker that it parks polls nothing else meanwhile. The parker is our
/// own: tokens of [`std::thread::park`] are neither consumed nor produced.
///
/// # Examples
///
/// ```
/// let event = bifrons::Event::new();
/// event.set();
/// let sum = bifrons::block_on(async {
///     event.wait_async().await;
///     1 + 2
/// });
/// assert_eq!(sum, 3);
/// ```
///
/// Whichever comes first; the other wait is withdrawn:
///
/// ```
/// use bifrons::{BoundedQueue, Event};
/// use std::pin::pin;
///
/// let (stop, jobs) = (Event::new(), BoundedQueue::new(1));
/// let next = || {
///     bifrons::block_on(async {
///         let (mut stopped, mut job) = (pin!(stop.wait_async()), pin!(jobs.pop_async()));
///         futures::select_biased! {
///             () = stopped => None,
///             job = job => job.ok(),
///         }
///     })
/// };
/// std::thread::scope(|threads| {
///     threads.spawn(|| jobs.push("a job"));
///     assert_eq!(next(), Some("a job"));
///     threads.spawn(|| stop.set());
///     assert_eq!(next(), None);
/// });
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    let Some(output) = drive(pin!(future), None) else {
        unreachable!("a wait without a deadline ends with the future");
    };
    output
}

/// [`block_on`] for at most `timeout`; then the future is dropped.
///
/// A timeout that the clock cannot represent waits for ever. A future that is ready beats a
/// timeout that has passed: it is polled at least once, and once more at the end.
///
/// # Blocking
///
/// Parks this thread while it waits.
///
/// # Errors
///
/// [`TimedOut`] if the future was still pending.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let event = bifrons::Event::new();
/// let waited = bifrons::block_on_timeout(event.wait_async(), Duration::from_millis(1));
/// assert!(waited.is_err());
/// ```
pub fn block_on_timeout<F: Future>(future: F, timeout: Duration) -> Result<F::Output, TimedOut> {
    block_until(future, deadline_after(timeout))
}

/// [`block_on`] until `deadline`; then the future is dropped. See [`block_on_timeout`].
///
/// # Blocking
///
/// Parks this thread while it waits.
///
/// # Errors
///
/// [`TimedOut`] if the future was still pending.
pub fn block_on_deadline<F: Future>(future: F, deadline: Instant) -> Result<F::Output, TimedOut> {
    block_until(future, Some(deadline))
}

fn block_until<F: Future>(future: F, deadline: Option<Instant>) -> Result<F::Output, TimedOut> {
    // In a statement of its own: if the future's drop panics, an output on its way out is forgotten,
    // and a variable is dropped.
    let output = drive(pin!(future), deadline);
    output.ok_or(TimedOut)
}
