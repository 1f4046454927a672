//! Futures that wait, and what is done to them.

use crate::counting::allocations;
use crate::harness::median;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// Futures side by side that stay where they are.
pub(super) struct Waiters<F>(Vec<Option<F>>);

impl<F: Future> Waiters<F> {
    fn new(count: usize) -> Self {
        Self((0..count).map(|_| None).collect())
    }

    fn slot(&mut self, index: usize) -> Pin<&mut Option<F>> {
        let slot = &mut self.0[index];
        // SAFETY: the vector is private to this type, which neither grows it nor moves anything
        // out of it; a future is dropped where it is, by `Pin::set` or with the vector.
        unsafe { Pin::new_unchecked(slot) }
    }

    fn fill(&mut self, future: impl Fn() -> F) {
        for index in 0..self.0.len() {
            self.slot(index).set(Some(future()));
        }
    }

    fn register(&mut self) {
        for index in 0..self.0.len() {
            assert!(self.poll(index).is_pending());
        }
    }

    fn cancel(&mut self, order: &[usize]) {
        for &index in order {
            self.slot(index).set(None);
        }
    }

    fn poll(&mut self, index: usize) -> Poll<F::Output> {
        let future = self.slot(index).as_pin_mut().expect("filled");
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    /// In the order of registration: `give` something to the first waiter, who `take`s it.
    pub(super) fn each(&mut self, give: impl Fn(), take: impl Fn(F::Output)) {
        for index in 0..self.0.len() {
            give();
            match self.poll(index) {
                Poll::Ready(output) => take(output),
                Poll::Pending => panic!("the waiter at {index} was given nothing"),
            }
        }
    }
}

/// What is done to the waiters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// The first poll of each.
    Register,
    /// Each is dropped, in random order.
    Cancel,
    /// Each gets what it waits for.
    Serve,
    /// Each is registered and cancelled; what counts is how often that allocates.
    Allocate,
}

/// What is done, and to how many.
#[derive(Clone, Copy)]
pub(super) struct Task {
    pub(super) deed: Deed,
    pub(super) count: usize,
}

impl Task {
    /// Nanoseconds, or allocations, per waiter: the median of about `n / 64` repetitions.
    ///
    /// `hold` sees to it that whoever asks must wait; `serve` takes what it returned and gives
    /// every waiter what it waits for.
    pub(super) fn run<H, F: Future>(
        self,
        n: u64,
        hold: impl Fn() -> H,
        future: impl Fn() -> F,
        serve: impl Fn(H, &mut Waiters<F>),
    ) -> f64 {
        let mut order: Vec<usize> = (0..self.count).collect();
        shuffle(&mut order);
        let mut waiters = Waiters::new(self.count);
        let mut repetition = || {
            let held = hold();
            waiters.fill(&future);
            let allocated = allocations();
            let registered = timed(|| waiters.register());
            let finished = timed(|| match self.deed {
                Deed::Register | Deed::Serve => serve(held, &mut waiters),
                Deed::Cancel | Deed::Allocate => waiters.cancel(&order),
            });
            match self.deed {
                Deed::Register => registered,
                Deed::Cancel | Deed::Serve => finished,
                Deed::Allocate => (allocations() - allocated) as f64,
            }
        };
        let figures: Vec<f64> = (0..n.div_ceil(64)).map(|_| repetition()).collect();
        median(&figures).expect("there is a repetition") / self.count as f64
    }
}

/// How many nanoseconds `work` takes.
fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos() as f64
}

fn shuffle(items: &mut [usize]) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for i in (1..items.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        items.swap(i, (state >> 33) as usize % (i + 1));
    }
}
