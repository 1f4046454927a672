//! Random sequences of operations against a model of a few lines.

use crate::common::{Counter, Random, poll_once};
use bifrons::{
    BoundedQueue, PopError, PopFuture, PopTimeoutError, PushError, PushFuture, PushTimeoutError,
    Slot, TryPopError, TryPushError,
};
use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

const CAPACITIES: [usize; 8] = [1, 2, 3, 4, 5, 7, 64, 1000];

/// The queue beside what it should be.
struct Pair<'a> {
    queue: &'a BoundedQueue<u64>,
    items: VecDeque<u64>,
    slots: Vec<Slot<'a, u64>>,
    closed: bool,
    next: u64,
}

impl<'a> Pair<'a> {
    fn new(queue: &'a BoundedQueue<u64>) -> Self {
        Self { queue, items: VecDeque::new(), slots: Vec::new(), closed: false, next: 0 }
    }

    fn room(&self) -> usize {
        self.queue.capacity() - self.items.len() - self.slots.len()
    }

    fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn push(&mut self, way: usize) {
        let item = self.fresh();
        let rejected = match way {
            0 => match self.queue.try_push(item) {
                Ok(()) => None,
                Err(TryPushError::Full(item)) => Some((false, item)),
                Err(TryPushError::Closed(item)) => Some((true, item)),
            },
            1 => match self.queue.push_timeout(item, Duration::ZERO) {
                Ok(()) => None,
                Err(PushTimeoutError::TimedOut(item)) => Some((false, item)),
                Err(PushTimeoutError::Closed(item)) => Some((true, item)),
            },
            _ => {
                let mut push = pin!(self.queue.push_async(item));
                match poll_once(push.as_mut()) {
                    Poll::Ready(Ok(())) => None,
                    Poll::Ready(Err(PushError(item))) => Some((true, item)),
                    Poll::Pending => Some((false, push.take().unwrap())),
                }
            }
        };
        if self.closed {
            assert_eq!(rejected, Some((true, item)));
        } else if self.room() == 0 {
            assert_eq!(rejected, Some((false, item)));
        } else {
            assert_eq!(rejected, None);
            self.items.push_back(item);
        }
    }

    fn pop(&mut self, way: usize) {
        let popped = match way {
            0 => self.queue.try_pop().map_err(|error| error == TryPopError::Closed),
            1 => self
                .queue
                .pop_timeout(Duration::ZERO)
                .map_err(|error| error == PopTimeoutError::Closed),
            _ => match poll_once(pin!(self.queue.pop_async())) {
                Poll::Ready(popped) => popped.map_err(|PopError| true),
                Poll::Pending => Err(false),
            },
        };
        assert_eq!(popped, self.items.pop_front().ok_or(self.closed));
    }

    fn reserve(&mut self, way: usize) {
        let reserved = match way {
            0 => self.queue.try_reserve().map_err(|error| error.is_closed()),
            1 => self.queue.reserve_timeout(Duration::ZERO).map_err(|error| error.is_closed()),
            _ => match poll_once(pin!(self.queue.reserve_async())) {
                Poll::Ready(reserved) => reserved.map_err(|PushError(())| true),
                Poll::Pending => Err(false),
            },
        };
        match reserved {
            Ok(slot) => {
                assert!(!self.closed && self.room() > 0);
                self.slots.push(slot);
            }
            Err(closed) => {
                assert_eq!(closed, self.closed);
                assert!(closed || self.room() == 0);
            }
        }
    }

    fn use_slot(&mut self, random: &mut Random, push: bool) {
        if self.slots.is_empty() {
            return;
        }
        let slot = self.slots.swap_remove(random.below(self.slots.len()));
        if !push {
            drop(slot);
            return;
        }
        let item = self.fresh();
        if self.closed {
            assert_eq!(slot.push(item), Err(PushError(item)));
        } else {
            assert_eq!(slot.push(item), Ok(()));
            self.items.push_back(item);
        }
    }

    fn force_push(&mut self) {
        let item = self.fresh();
        let pushed = self.queue.force_push(item);
        if self.closed {
            assert_eq!(pushed, Err(PushError(item)));
        } else if self.slots.len() == self.queue.capacity() {
            assert_eq!(pushed, Ok(Some(item)));
        } else {
            let oldest = if self.room() == 0 { self.items.pop_front() } else { None };
            assert_eq!(pushed, Ok(oldest));
            self.items.push_back(item);
        }
    }

    fn push_many(&mut self, count: usize) {
        let count = if self.closed { count } else { count.min(self.room()) };
        let start = self.next + 1;
        self.next += count as u64;
        let pushed = self.queue.push_many(start..start + count as u64);
        if self.closed && count > 0 {
            assert_eq!(pushed, Err(PushError(start)));
        } else {
            assert_eq!(pushed, Ok(count));
            self.items.extend(start..start + count as u64);
        }
    }

    fn pop_many(&mut self, max: usize) {
        let mut popped = vec![0];
        let result = self.queue.try_pop_many(&mut popped, max);
        let count = max.min(self.items.len());
        let empty = if self.closed { TryPopError::Closed } else { TryPopError::Empty };
        assert_eq!(result, if count == 0 && max > 0 { Err(empty) } else { Ok(count) });
        assert!(popped.into_iter().skip(1).eq(self.items.drain(..count)));
    }

    fn check(&self) {
        assert_eq!(self.queue.len(), self.items.len());
        assert_eq!(self.queue.is_empty(), self.items.is_empty());
        assert_eq!(self.queue.is_full(), self.room() == 0);
        assert_eq!(self.queue.is_closed(), self.closed);
        assert_eq!(self.queue.waiting(), 0);
    }

    fn step(&mut self, random: &mut Random, filling: bool) {
        let way = random.below(3);
        match (random.below(16), filling) {
            (0..=2, _) => self.push(way),
            (3..=5, _) => self.pop(way),
            (6, _) => self.reserve(way),
            (7, _) => self.use_slot(random, true),
            (8, _) => self.use_slot(random, false),
            (9..=10, _) => self.force_push(),
            (11, _) => self.push_many(random.below(self.queue.capacity() + 2)),
            (12, _) => self.pop_many(random.below(self.queue.capacity() + 2)),
            (_, true) => self.push(way),
            (_, false) => self.pop(way),
        }
        self.check();
    }
}

#[test]
fn single_threaded_it_is_a_deque_with_a_bound() {
    for capacity in CAPACITIES {
        for seed in 0..4 {
            let mut random = Random(seed ^ (capacity as u64) << 32);
            let queue = BoundedQueue::new(capacity);
            let mut pair = Pair::new(&queue);
            for _ in 0..10_000 / (capacity + 4) + 40 {
                // It tends to full and to empty in turn.
                let filling = random.below(2) == 0;
                for _ in 0..capacity + 4 {
                    pair.step(&mut random, filling);
                }
            }
            pair.closed = true;
            if seed % 2 == 0 {
                queue.close();
            } else {
                let left: Vec<_> = queue.close_now().collect();
                assert!(left.into_iter().eq(pair.items.drain(..)));
            }
            for _ in 0..3 * capacity + 100 {
                pair.step(&mut random, false);
            }
        }
    }
}

/// A waiting operation and how often it was woken.
struct Wait<F> {
    future: Pin<Box<F>>,
    counter: Arc<Counter>,
    /// Wakes seen at the last poll.
    seen: usize,
}

impl<F: Future> Wait<F> {
    fn new(future: F) -> Self {
        Self { future: Box::pin(future), counter: Counter::new(), seen: 0 }
    }

    fn poll(&mut self) -> Poll<F::Output> {
        self.seen = self.counter.wakes();
        self.counter.poll(self.future.as_mut())
    }

    fn is_woken(&self) -> bool {
        self.counter.wakes() > self.seen
    }
}

fn woken<F: Future>(waits: &[Wait<F>]) -> usize {
    waits.iter().filter(|wait| wait.is_woken()).count()
}

/// Tasks that wait, are woken, polled out of turn and cancelled in random order.
struct Crowd<'a> {
    pair: Pair<'a>,
    pushes: Vec<Wait<PushFuture<'a, u64>>>,
    pops: Vec<Wait<PopFuture<'a, u64>>>,
    /// What the pushes hold, oldest number first.
    held: Vec<u64>,
}

impl Crowd<'_> {
    fn poll_push(&mut self, index: usize) {
        let polled = self.pushes[index].poll();
        if self.pair.room() == 0 {
            assert!(polled.is_pending());
            return;
        }
        // Woken or not: there is room.
        assert_eq!(polled, Poll::Ready(Ok(())));
        self.pushes.remove(index);
        self.pair.items.push_back(self.held.remove(index));
    }

    fn poll_pop(&mut self, index: usize) {
        let polled = self.pops[index].poll();
        match self.pair.items.pop_front() {
            None => assert!(polled.is_pending()),
            Some(item) => {
                assert_eq!(polled, Poll::Ready(Ok(item)));
                self.pops.remove(index);
            }
        }
    }

    fn cancel_push(&mut self, index: usize) {
        let mut wait = self.pushes.remove(index);
        assert_eq!(wait.future.as_mut().take(), Some(self.held.remove(index)));
    }

    fn step(&mut self, random: &mut Random) {
        let queue = self.pair.queue;
        match random.below(14) {
            0..=1 if self.pushes.len() < 6 => {
                let item = self.pair.fresh();
                self.pushes.push(Wait::new(queue.push_async(item)));
                self.held.push(item);
                self.poll_push(self.pushes.len() - 1);
            }
            2..=3 if self.pops.len() < 6 => {
                self.pops.push(Wait::new(queue.pop_async()));
                self.poll_pop(self.pops.len() - 1);
            }
            4 if !self.pushes.is_empty() => self.cancel_push(random.below(self.pushes.len())),
            5 if !self.pops.is_empty() => {
                drop(self.pops.swap_remove(random.below(self.pops.len())));
            }
            6..=7 if !self.pushes.is_empty() => self.poll_push(random.below(self.pushes.len())),
            8..=9 if !self.pops.is_empty() => self.poll_pop(random.below(self.pops.len())),
            10 => self.pair.push(0),
            11 => self.pair.pop(0),
            12 => match random.below(4) {
                0 => self.pair.force_push(),
                1 => self.pair.push_many(random.below(queue.capacity() + 1)),
                2 => self.pair.pop_many(random.below(queue.capacity() + 1)),
                _ => self.pair.reserve(0),
            },
            13 => self.pair.use_slot(random, random.0 % 2 == 0),
            _ => {}
        }
    }

    /// Nobody sleeps on what he waits for.
    fn check(&self) {
        let (pushes, pops) = (woken(&self.pushes), woken(&self.pops));
        let room = self.pair.room();
        assert!(pushes >= room.min(self.pushes.len()), "{} woken, room {room}", pushes);
        let items = self.pair.items.len();
        assert!(pops >= items.min(self.pops.len()), "{} woken, {items} items", pops);
        assert_eq!(self.pair.queue.waiting(), self.pushes.len() + self.pops.len() - pushes - pops);
        assert_eq!(self.pair.queue.len(), items);
    }
}

#[test]
fn whatever_the_tasks_do_somebody_is_awake_for_each_item_and_each_room() {
    for capacity in [1, 2, 3, 4, 5, 7] {
        for seed in 0..6 {
            let mut random = Random(seed ^ 0x5eed << 32 ^ capacity as u64);
            let queue = BoundedQueue::new(capacity);
            let mut crowd = Crowd {
                pair: Pair::new(&queue),
                pushes: Vec::new(),
                pops: Vec::new(),
                held: Vec::new(),
            };
            for _ in 0..5_000 {
                crowd.step(&mut random);
                crowd.check();
            }
            queue.close();
            for mut wait in crowd.pushes.drain(..) {
                assert!(wait.is_woken());
                assert_eq!(wait.poll(), Poll::Ready(Err(PushError(crowd.held.remove(0)))));
            }
            for mut wait in crowd.pops.drain(..) {
                assert!(wait.is_woken());
                let left = crowd.pair.items.pop_front().ok_or(PopError);
                assert_eq!(wait.poll(), Poll::Ready(left));
            }
            assert!(queue.try_iter().eq(crowd.pair.items.drain(..)));
        }
    }
}
