//! The waiting operations of [`Condition`].

#![expect(unsafe_code, reason = "each wait uses one node with one condition")]

use super::guard::sealed::{Guard, Relock, RelockAsync, Token};
use super::guard::{AsyncConditionGuard, ConditionGuard};
use super::{Condition, QUEUED};
use crate::sys::atomic::Ordering;
use crate::wait::{Node, Place, Stale, Stamp, State, finished};
use futures_core::FusedFuture;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

type LockOf<G> = <G as Guard>::Lock;
type RelockOf<G> = <LockOf<G> as RelockAsync>::Future;

/// A notification that has been received and not yet used. Dropping it passes it on.
pub(super) struct Baton<'a>(Option<&'a Condition>);

impl Baton<'_> {
    /// Nothing to pass on.
    pub(super) fn none() -> Self {
        Self(None)
    }

    pub(super) fn spend(mut self) {
        self.0 = None;
    }

    pub(super) fn spend_if_any(baton: Option<Self>) {
        if let Some(baton) = baton {
            baton.spend();
        }
    }
}

impl Drop for Baton<'_> {
    fn drop(&mut self) {
        if let Some(condition) = self.0.take() {
            condition.notify_one();
        }
    }
}

pin_project! {
    /// The first half of a wait: lets go of the lock, ends with the notification.
    pub(super) struct Notification<'a, G: ConditionGuard> {
        condition: &'a Condition,
        // Until the first poll.
        guard: Option<G>,
        // From then on.
        lock: Option<LockOf<G>>,
        // The async face: the guard must be its owner's only one.
        outermost: bool,
        #[pin]
        node: Node<Stamp>,
    }

    impl<G: ConditionGuard> PinnedDrop for Notification<'_, G> {
        fn drop(this: Pin<&mut Self>) {
            drop(this.settle());
        }
    }
}

#[cold]
fn refuse<G: ConditionGuard>(guard: G) -> ! {
    drop(guard);
    panic!(
        "bifrons: a wait on a condition with a guard that is not its owner's only one (a thread may, if \
         the value is `Sync` or a cell of std), or whose owner waits already"
    );
}

impl<'a, G: ConditionGuard> Notification<'a, G> {
    pub(super) fn new(condition: &'a Condition, guard: G, outermost: bool) -> Self {
        Self { condition, guard: Some(guard), lock: None, outermost, node: Node::new(0) }
    }

    /// Registers, then lets go of the lock.
    fn start(mut self: Pin<&mut Self>, waker: Waker) {
        let this = self.as_mut().project();
        let Some(guard) = this.guard.take() else { finished("ConditionFuture") };
        let node = this.node.as_ref();
        if guard.is_refused(*this.outermost) {
            let _stale = Stale::new(Some(waker));
            refuse(guard);
        }
        // SAFETY: in no list, and queued nowhere else; `drop` withdraws it.
        unsafe { this.condition.register(node, waker, guard.address()) };
        let lock = if *this.outermost {
            guard.suspend_outermost(Token(()))
        } else {
            guard.suspend(Token(()))
        };
        match lock {
            // Kept before the unlock, which may run wakers that panic.
            Ok(lock) => this.lock.insert(lock).unlock(Token(())),
            // Another thread of the owner was faster.
            Err(guard) => {
                drop(self.settle());
                refuse(guard);
            }
        }
    }

    /// Ends the wait as it stands; `None` if there was no notification.
    pub(super) fn settle(self: Pin<&mut Self>) -> Option<Baton<'a>> {
        let this = self.project();
        // SAFETY: the node is only ever queued on this condition.
        let (state, _stale) = unsafe {
            this.condition.queue.withdraw(this.node.as_ref(), Condition::note_departures)
        };
        Self::baton(this.condition, state)
    }

    fn baton(condition: &'a Condition, state: State) -> Option<Baton<'a>> {
        match state {
            State::Idle | State::Queued => None,
            State::Notified => Some(Baton(Some(condition))),
            State::Granted => Some(Baton::none()),
        }
    }

    /// The guard was refused.
    fn is_refused(&self) -> bool {
        self.guard.is_none() && self.lock.is_none()
    }

    /// The lock that was let go of.
    pub(super) fn take_lock(self: Pin<&mut Self>) -> Option<LockOf<G>> {
        self.project().lock.take()
    }
}

impl<'a, G: ConditionGuard> Future for Notification<'a, G> {
    type Output = Baton<'a>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.guard.is_some() {
            let waker = cx.waker().clone();
            self.start(waker);
            return Poll::Pending;
        }
        let this = self.project();
        let node = this.node.as_ref();
        loop {
            match node.state() {
                State::Idle => finished("ConditionFuture"),
                State::Queued => {
                    // SAFETY: only ever queued on this condition.
                    if unsafe { this.condition.queue.refresh(node, cx) } {
                        return Poll::Pending;
                    }
                }
                state => {
                    node.reset();
                    let Some(baton) = Self::baton(this.condition, state) else { continue };
                    return Poll::Ready(baton);
                }
            }
        }
    }
}

impl Condition {
    /// Queues a waiter that is about to release the lock at `address`.
    ///
    /// # Safety
    ///
    /// `node` is in no list, only ever queued here, and withdrawn before it is freed.
    unsafe fn register(&self, node: Pin<&Node<Stamp>>, waker: Waker, address: usize) {
        let mut list = self.queue.lock_for_insert();
        if list.is_empty() {
            list.lock = address;
            // Relaxed: the user's lock publishes it to notifiers.
            list.word().store(QUEUED, Ordering::Relaxed);
        } else if list.lock != address {
            drop(list);
            let _stale = Stale::new(Some(waker));
            panic!("bifrons: one condition, waited on under two different locks at the same time");
        }
        let now = list.epoch.stamp();
        // SAFETY: the caller's promise.
        unsafe { list.insert(node, Place::Back, waker, now) };
    }
}

pin_project! {
    /// A whole wait, without the last word on its notification.
    #[project = PhaseProjection]
    enum Phase<'a, G: AsyncConditionGuard> {
        Waiting {
            #[pin]
            notification: Notification<'a, G>,
        },
        // In this order: what is dropped while it locks leaves the lock's queue, then notifies.
        Locking {
            #[pin]
            relock: RelockOf<G>,
            baton: Option<Baton<'a>>,
        },
        Done,
    }
}

impl<'a, G: AsyncConditionGuard> Phase<'a, G> {
    fn new(condition: &'a Condition, guard: G) -> Self {
        Self::Waiting { notification: Notification::new(condition, guard, true) }
    }

    fn is_over(&self) -> bool {
        match self {
            Self::Waiting { notification } => notification.is_refused(),
            Self::Locking { .. } => false,
            Self::Done => true,
        }
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<(G, Baton<'a>)> {
        loop {
            match self.as_mut().project() {
                PhaseProjection::Waiting { mut notification } => {
                    let baton = ready!(notification.as_mut().poll(cx));
                    let Some(lock) = notification.take_lock() else { finished("ConditionFuture") };
                    self.set(Self::Locking {
                        relock: lock.relock_async(Token(())),
                        baton: Some(baton),
                    });
                }
                PhaseProjection::Locking { relock, baton } => {
                    let guard = ready!(relock.poll(cx));
                    let Some(baton) = baton.take() else { finished("ConditionFuture") };
                    self.set(Self::Done);
                    return Poll::Ready((guard, baton));
                }
                PhaseProjection::Done => finished("ConditionFuture"),
            }
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Locking { .. } => "locking",
            Self::Done => "done",
        }
    }
}

pin_project! {
    /// The future of [`Condition::wait_async`].
    #[must_use = "futures do nothing unless polled, and the lock stays held"]
    pub struct ConditionFuture<'a, G: AsyncConditionGuard> {
        #[pin]
        phase: Phase<'a, G>,
    }
}

impl<'a, G: AsyncConditionGuard> ConditionFuture<'a, G> {
    pub(super) fn new(condition: &'a Condition, guard: G) -> Self {
        Self { phase: Phase::new(condition, guard) }
    }
}

impl<G: AsyncConditionGuard> Future for ConditionFuture<'_, G> {
    type Output = G;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<G> {
        let (guard, baton) = ready!(self.project().phase.poll(cx));
        baton.spend();
        Poll::Ready(guard)
    }
}

impl<G: AsyncConditionGuard> FusedFuture for ConditionFuture<'_, G> {
    fn is_terminated(&self) -> bool {
        self.phase.is_over()
    }
}

impl<G: AsyncConditionGuard> fmt::Debug for ConditionFuture<'_, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConditionFuture").field("phase", &self.phase.name()).finish()
    }
}

pin_project! {
    /// The future of [`Condition::wait_while_async`].
    #[must_use = "futures do nothing unless polled, and the lock stays held"]
    pub struct ConditionWhileFuture<'a, G: AsyncConditionGuard, F> {
        condition: &'a Condition,
        // `None` after completion.
        predicate: Option<F>,
        // Until the first poll.
        first: Option<G>,
        #[pin]
        phase: Phase<'a, G>,
    }
}

impl<'a, G: AsyncConditionGuard, F> ConditionWhileFuture<'a, G, F> {
    pub(super) fn new(condition: &'a Condition, guard: G, predicate: F) -> Self {
        Self { condition, predicate: Some(predicate), first: Some(guard), phase: Phase::Done }
    }
}

impl<G: AsyncConditionGuard, F: FnMut(&mut G::View) -> bool> Future
    for ConditionWhileFuture<'_, G, F>
{
    type Output = G;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<G> {
        let mut this = self.project();
        loop {
            // If the predicate panics, the drop of these passes the notification on.
            let (mut guard, baton) = match this.first.take() {
                Some(guard) => (guard, Baton::none()),
                None => ready!(this.phase.as_mut().poll(cx)),
            };
            let Some(predicate) = this.predicate else { finished("ConditionFuture") };
            let wait_on = predicate(guard.view(Token(())));
            baton.spend();
            if !wait_on {
                // Before the guard is on its way out, where it would be forgotten if this panics.
                *this.predicate = None;
                return Poll::Ready(guard);
            }
            this.phase.set(Phase::new(this.condition, guard));
        }
    }
}

impl<G: AsyncConditionGuard, F: FnMut(&mut G::View) -> bool> FusedFuture
    for ConditionWhileFuture<'_, G, F>
{
    fn is_terminated(&self) -> bool {
        self.first.is_none() && self.phase.is_over()
    }
}

impl<G: AsyncConditionGuard, F> fmt::Debug for ConditionWhileFuture<'_, G, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConditionWhileFuture")
            .field("phase", &self.phase.name())
            .finish_non_exhaustive()
    }
}
