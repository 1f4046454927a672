//! One end's part in one direction of a pipe: its index, and its sleep.
//!
//! # The words
//!
//! Each direction has two index words, one for each side, on cache lines of their own:
//!
//! ```text
//!   63                                         3      2        1      0
//!  ┌───────────────────────────────────────────┬──────┬────────┬──────┐
//!  │ position: items written, or items read    │ GONE │ CLOSED │ WAIT │
//!  └───────────────────────────────────────────┴──────┴────────┴──────┘
//! ```
//!
//! | part | meaning | set by | cleared by |
//! |---|---|---|---|
//! | position, `CLOSED` | how far this side is; it has left | this side alone | – |
//! | `GONE` | the reader has left, told in the word that the writer has at hand | the reader, by `fetch_or` | the writer's next swap, which remembers it and moves back |
//! | `WAIT` | the *other* side sleeps until this word moves | the other side, by `fetch_or` | this side, by the swap that publishes; or the other side, taking it back |
//!
//! A publish is one swap: it moves the position, clears `WAIT`, and tells whether to wake. A sleeper
//! sets `WAIT` by an RMW on the same word and looks at what it returns: if the word has moved, it
//! does not sleep. One word, one order, no fence.
//!
//! # Leaving
//!
//! A reader that leaves sets `GONE` in the writer's word, where it stands among the publishes: what
//! was published before it can still be read, and the reader looks no further; a publish that finds
//! it has come too late, and takes back what it published. So nothing is between: a message is
//! there to be received, or it is back with its sender. Who leaves takes its own registration back
//! first.
//!
//! # The waker cells
//!
//! `WAIT` clear after a registration means that the peer *is taking* the waker, now or soon: its
//! swap comes before its take. A second registration must not write the same cell. So each
//! side has two, and both sides count registrations that were consumed, modulo 2:
//!
//! | private bit | says | flipped |
//! |---|---|---|
//! | `my_turn` | the cell that my next registration writes | when I find that the peer has consumed one: `WAIT` was clear when I took it back |
//! | `peer_turn` | the cell that the peer's registration is in | after each take |
//!
//! A peer takes before it publishes again, so at most one take is outstanding: when a registration in
//! cell 1 has been consumed, the take from cell 0 is over. Loom reports concurrent writes if there
//! is one cell only.
//!
//! # Cancellation
//!
//! [`Half::settle`] takes the registration back: if `WAIT` is still set, the waker is dropped; if
//! not, the peer wakes it for nothing. There is one waiter to a side and nothing to pass on. An
//! operation that was forgotten is settled by the next one, or by the end's drop.
//!
//! A future that is dropped ends its own wait, and no other: what `poll_*` left behind, which has
//! nothing to drop, outlives a future that was never polled. Every `Pending` comes from a registration
//! that has just been made, so the future that returns it marks that as its own
//! ([`Half::tie_to_future`]); and while it lives it borrows the end, so nobody else makes another.
//!
//! # Orderings
//!
//! A publish is a Release: items, or free room, come before the position. The look at the peer's
//! word is an Acquire. The cells are guarded by `WAIT`: written before the `fetch_or` (Release),
//! taken after the swap (Acquire) that found it.

#![expect(unsafe_code, reason = "owns the waker cells")]

use crate::sys::atomic::{AtomicU64, Ordering};
use crate::sys::{Arc, Pace, UnsafeCell, is_past};
use crate::wait::{Stale, discard, wake};
use crossbeam_utils::CachePadded;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

const WAIT: u64 = 1;
const CLOSED: u64 = 2;
const GONE: u64 = 4;
const FLAGS: u64 = WAIT | CLOSED | GONE;
const POSITION_SHIFT: u32 = 3;

/// The side that writes, as an index.
pub(super) const WRITER: usize = 0;
/// The side that reads.
pub(super) const READER: usize = 1;

/// A value of an index word.
#[derive(Clone, Copy)]
struct Word(u64);

impl Word {
    const fn at(position: u64) -> Self {
        Self(position << POSITION_SHIFT)
    }
    const fn position(self) -> u64 {
        self.0 >> POSITION_SHIFT
    }
    /// Positions end, and start again, where the word does.
    const fn moved(self, count: u64) -> Self {
        Self(self.0.wrapping_add(count << POSITION_SHIFT))
    }
    /// How far it is from `other`.
    const fn since(self, other: Self) -> u64 {
        (self.0 & !FLAGS).wrapping_sub(other.0 & !FLAGS) >> POSITION_SHIFT
    }
    const fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }
    const fn is_waited_on(self) -> bool {
        self.0 & WAIT != 0
    }
    const fn is_gone(self) -> bool {
        self.0 & GONE != 0
    }
    /// Whether a sleeper may sleep on: what its side says is the same.
    const fn says_as(self, other: Self) -> bool {
        (self.0 ^ other.0) & !(WAIT | GONE) == 0
    }
}

struct Side {
    index: AtomicU64,
    /// Where this side registers.
    cells: [UnsafeCell<Option<Waker>>; 2],
}

/// What both ends of one direction share.
pub(super) struct Shared<B> {
    sides: [CachePadded<Side>; 2],
    pub(super) buffer: B,
}

// SAFETY: the waker cells are handed back and forth by `WAIT` (see the module's documentation), and
// wakers are `Send`; the buffer speaks for itself.
unsafe impl<B: Sync> Sync for Shared<B> {}
// SAFETY: nothing here is tied to a thread.
unsafe impl<B: Send> Send for Shared<B> {}
// User code never meets a message half moved.
impl<B> UnwindSafe for Shared<B> {}
impl<B> RefUnwindSafe for Shared<B> {}

impl<B> Shared<B> {
    pub(super) fn new(buffer: B) -> Self {
        let side = || {
            CachePadded::new(Side {
                index: AtomicU64::new(0),
                cells: [UnsafeCell::new(None), UnsafeCell::new(None)],
            })
        };
        Self { sides: [side(), side()], buffer }
    }

    fn waiting(&self) -> usize {
        // Relaxed: a snapshot.
        let waits = |side: &Side| Word(side.index.load(Ordering::Relaxed)).is_waited_on();
        self.sides.iter().filter(|side| waits(side)).count()
    }
}

/// One side of one direction, used by one thread or task at a time.
pub(super) struct Half<B, const SIDE: usize> {
    pub(super) shared: Arc<Shared<B>>,
    /// What this side says in its word.
    word: Word,
    /// A swap has found, and cleared, `GONE`.
    gone: bool,
    /// What the peer's word said when it was last looked at.
    peer: Word,
    my_turn: usize,
    peer_turn: usize,
    registration: Registration,
    /// Whether its stream has told of the end.
    pub(super) is_terminated: bool,
    pace: Pace,
}

/// What of this side may be out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Registration {
    None,
    /// Until this side waits again.
    Kept,
    /// Until the future is dropped, or the same.
    OfFuture,
}

impl<B, const SIDE: usize> Half<B, SIDE> {
    const PEER: usize = 1 - SIDE;

    pub(super) fn new(shared: Arc<Shared<B>>) -> Self {
        Self {
            shared,
            word: Word::at(0),
            gone: false,
            peer: Word::at(0),
            my_turn: 0,
            peer_turn: 0,
            registration: Registration::None,
            is_terminated: false,
            pace: Pace::new(),
        }
    }

    #[inline]
    fn mine(&self) -> &AtomicU64 {
        &self.shared.sides[SIDE].index
    }

    #[inline]
    fn theirs(&self) -> &AtomicU64 {
        &self.shared.sides[Self::PEER].index
    }

    #[inline]
    pub(super) fn position(&self) -> u64 {
        self.word.position()
    }

    /// How many items are in flight, as far as the peer's position is known.
    #[inline]
    pub(super) fn in_flight(&self) -> u64 {
        if SIDE == WRITER { self.word.since(self.peer) } else { self.peer.since(self.word) }
    }

    /// Looks at the peer's word again.
    #[inline]
    pub(super) fn refresh(&mut self) {
        // A reader that has left looked for the last time in `close`.
        if SIDE == READER && self.is_closed() {
            return;
        }
        // Acquire: pairs with the Release in `swap`.
        self.peer = Word(self.theirs().load(Ordering::Acquire));
    }

    /// Whether the peer had left when its word was last looked at.
    #[inline]
    pub(super) fn peer_has_left(&self) -> bool {
        self.peer.is_closed()
    }

    /// Waits a little for the peer, as a thread may. `true`: it has moved, or left.
    pub(super) fn spin(&mut self, capacity: usize, deadline: Option<Instant>) -> bool {
        if deadline.is_some_and(is_past) {
            return false;
        }
        let mut pace = self.pace;
        let moved = pace.wait(capacity as u64, deadline, || self.look(capacity));
        self.pace = pace;
        moved
    }

    /// Looks at the peer's word, for a little while as a `poll` may, and sleeps if that has nothing
    /// new. `false`: it has, or has moved since.
    #[cold]
    pub(super) fn wait_or_sleep(&mut self, capacity: usize, cx: &Context<'_>) -> bool {
        let moved = if self.registration != Registration::None {
            self.look(capacity) > 0
        } else {
            let mut pace = self.pace;
            let moved = pace.wait_briefly(capacity as u64, || self.look(capacity));
            self.pace = pace;
            moved
        };
        !moved && self.sleep(cx)
    }

    /// How many items may pass, as the peer's word has it now; its leaving counts as one.
    fn look(&mut self, capacity: usize) -> u64 {
        self.refresh();
        let count = match SIDE {
            WRITER => capacity as u64 - self.in_flight(),
            _ => self.in_flight(),
        };
        if self.peer_has_left() { count.max(1) } else { count }
    }

    /// Whether the reader has left: a look at the writer's own word, which it has at hand.
    #[inline]
    pub(super) fn reader_is_gone(&self) -> bool {
        // Acquire: pairs with the Release in `close`.
        self.gone || Word(self.mine().load(Ordering::Acquire)).is_gone()
    }

    /// Whether this side has left, or a publish of it has met the reader's leaving.
    #[inline]
    pub(super) fn knows_the_end(&self) -> bool {
        self.is_closed() || self.gone
    }

    /// Whether this side has left.
    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.word.is_closed()
    }

    /// Whether either side has left: a snapshot.
    pub(super) fn is_over(&self) -> bool {
        // Acquire: who is told so may look at what the peer did before.
        self.is_closed()
            || (SIDE == WRITER && self.reader_is_gone())
            || Word(self.theirs().load(Ordering::Acquire)).is_closed()
    }

    pub(super) fn waiting(&self) -> usize {
        self.shared.waiting()
    }

    /// Moves this side on by `count`, and wakes the peer if it sleeps. `false`: the reader had left
    /// before, and this side has not moved.
    #[inline]
    pub(super) fn publish(&mut self, count: u64) -> bool {
        let start = self.word;
        self.word = start.moved(count);
        let before = self.swap();
        if before.is_gone() {
            self.move_back(start);
            return false;
        }
        if before.is_waited_on() {
            self.wake_peer();
        }
        true
    }

    /// The reader does not look beyond where this side stood when it left.
    #[cold]
    fn move_back(&mut self, start: Word) {
        self.gone = true;
        self.word = start;
        self.swap();
    }

    /// Leaves, and wakes the peer if it sleeps.
    pub(super) fn close(&mut self) {
        if self.is_closed() {
            return;
        }
        let _stale = Stale::new(self.take_back());
        if SIDE == READER {
            // Release: pairs with the Acquire in `reader_is_gone` and `swap`. Acquire: pairs with
            // the Release in `swap`; what was published before can still be read.
            self.peer = Word(self.theirs().fetch_or(GONE, Ordering::AcqRel));
        }
        self.word = Word(self.word.0 | CLOSED);
        let before = self.swap();
        self.gone |= before.is_gone();
        if before.is_waited_on() {
            self.wake_peer();
        }
    }

    #[inline]
    fn swap(&self) -> Word {
        // Release: pairs with the Acquire in `refresh`; publishes the items or the room. Acquire:
        // pairs with the Release in `sleep`; the waker is in its cell.
        Word(self.mine().swap(self.word.0, Ordering::AcqRel))
    }

    #[cold]
    fn wake_peer(&mut self) {
        let waker = self.shared.sides[Self::PEER].cells[self.peer_turn].with_mut(|cell| {
            // SAFETY: our swap has cleared `WAIT`, so this registration is ours to take, once; the
            // peer writes the other cell until it has seen us publish again.
            unsafe { (*cell).take() }
        });
        self.peer_turn ^= 1;
        wake(waker);
    }

    /// Sleeps until the peer's word moves on from what it was when this side last looked.
    /// `false`: it has already; look again.
    fn sleep(&mut self, cx: &Context<'_>) -> bool {
        // A re-poll, or an operation that was given up: its cell is ours again, or spent.
        let kept = self.take_back();
        let waker = match kept {
            Some(waker) if waker.will_wake(cx.waker()) => waker,
            stale => {
                discard(stale);
                cx.waker().clone()
            }
        };
        self.cell(|cell| *cell = Some(waker));
        // Release: pairs with the Acquire in `swap`; the waker is in its cell. Acquire: if
        // the word has moved, what it publishes is about to be used.
        let word = Word(self.theirs().fetch_or(WAIT, Ordering::AcqRel));
        self.registration = Registration::Kept;
        if word.says_as(self.peer) {
            return true;
        }
        self.settle();
        self.peer = word;
        false
    }

    /// Ends a registration, if there is one.
    #[inline]
    pub(super) fn settle(&mut self) {
        if self.registration != Registration::None {
            self.withdraw();
        }
    }

    /// The registration is that of a future, which is pending.
    pub(super) fn tie_to_future<R>(&mut self) -> Poll<R> {
        self.registration = Registration::OfFuture;
        Poll::Pending
    }

    /// Ends the registration of a future, if there is one.
    #[inline]
    pub(super) fn settle_future(&mut self) {
        if self.registration == Registration::OfFuture {
            self.withdraw();
        }
    }

    #[cold]
    fn withdraw(&mut self) {
        let waker = self.take_back();
        discard(waker);
    }

    fn take_back(&mut self) -> Option<Waker> {
        if self.registration == Registration::None {
            return None;
        }
        self.registration = Registration::None;
        // AcqRel: if the peer has consumed the registration, its earlier takes are over; if not,
        // the cell is ours.
        let word = Word(self.theirs().fetch_and(!WAIT, Ordering::AcqRel));
        if word.is_waited_on() {
            self.cell(Option::take)
        } else {
            self.my_turn ^= 1;
            None
        }
    }

    /// The cell of the next registration.
    fn cell<R>(&mut self, f: impl FnOnce(&mut Option<Waker>) -> R) -> R {
        self.shared.sides[SIDE].cells[self.my_turn].with_mut(|cell| {
            // SAFETY: no registration of ours is out, and the take of the last one that the peer
            // consumed was from the other cell.
            f(unsafe { &mut *cell })
        })
    }
}

impl<B, const SIDE: usize> Drop for Half<B, SIDE> {
    fn drop(&mut self) {
        // In this order: a waker whose drop panics must not keep the peer asleep.
        self.close();
        self.settle();
    }
}

#[cfg(all(test, not(loom)))]
impl<B, const SIDE: usize> Half<B, SIDE> {
    /// As if `position` items had passed.
    pub(super) fn start_at(&mut self, position: u64) {
        self.word = Word::at(position);
        self.peer = self.word;
        self.mine().store(self.word.0, Ordering::Relaxed);
    }
}
