//! Batches: `push_many` and `pop_many`.

use crate::common::{Counter, LONG, eventually, poll_once};
use crate::{Counted, dropped};
use bifrons::{BoundedQueue, PopError, PopTimeoutError, PushError, TryPopError, block_on};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// The faces of `push_many`.
type PushMany =
    fn(&BoundedQueue<usize>, &mut dyn Iterator<Item = usize>) -> Result<usize, PushError<usize>>;
const PUSH_MANY: [PushMany; 2] =
    [|queue, items| queue.push_many(items), |queue, items| block_on(queue.push_many_async(items))];

/// The faces of `pop_many` that wait.
type PopMany = fn(&BoundedQueue<usize>, &mut Vec<usize>, usize) -> Result<usize, PopError>;
const POP_MANY: [PopMany; 3] = [
    |queue, items, max| queue.pop_many(items, max),
    |queue, items, max| match queue.pop_many_timeout(items, max, LONG) {
        Ok(count) => Ok(count),
        Err(PopTimeoutError::Closed) => Err(PopError),
        Err(PopTimeoutError::TimedOut) => panic!("pop_many timed out"),
    },
    |queue, items, max| block_on(queue.pop_many_async(items, max)),
];

#[test]
fn batches_keep_the_order() {
    for push_many in PUSH_MANY {
        for pop_many in POP_MANY {
            for capacity in [1, 2, 7, 64] {
                let queue = BoundedQueue::new(capacity);
                let mut items = vec![77];
                thread::scope(|scope| {
                    let pusher = scope.spawn(|| push_many(&queue, &mut (0..1_000)));
                    while items.len() < 1_001 {
                        let before = items.len();
                        let count = pop_many(&queue, &mut items, 5).unwrap();
                        assert!((1..=5).contains(&count));
                        assert_eq!(items.len(), before + count);
                    }
                    assert_eq!(pusher.join().unwrap(), Ok(1_000));
                });
                assert!(items.into_iter().eq(std::iter::once(77).chain(0..1_000)));
            }
        }
    }
}

#[test]
fn a_batch_into_an_open_queue_with_room_does_not_wait() {
    let queue = BoundedQueue::new(1_000);
    let counter = Counter::new();
    let mut push = Box::pin(queue.push_many_async(0..1_000));
    // It lets other tasks run now and then, but is ready to go on at once.
    let mut polls = 0;
    while counter.poll(push.as_mut()).is_pending() {
        polls += 1;
        assert_eq!(counter.wakes(), polls);
    }
    assert!(polls < 1_000);
    assert_eq!((queue.len(), queue.waiting()), (1_000, 0));
}

#[test]
fn close_gives_the_item_in_hand_back_and_leaves_the_rest_in_the_iterator() {
    for push_many in PUSH_MANY {
        for now in [false, true] {
            let queue = BoundedQueue::new(3);
            let mut items = 0..10;
            thread::scope(|scope| {
                let pusher = scope.spawn(|| push_many(&queue, &mut items));
                eventually("the push waits", || queue.waiting() == 1);
                let taken = if now {
                    queue.close_now().collect::<Vec<_>>()
                } else {
                    queue.close();
                    queue.try_iter().collect()
                };
                assert_eq!(taken, [0, 1, 2]);
                assert_eq!(pusher.join().unwrap(), Err(PushError(3)));
            });
            assert_eq!(items, 4..10);
        }
    }
}

/// Says nothing about its length.
struct Coy<I>(I);

impl<I: Iterator> Iterator for Coy<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.0.next()
    }
}

#[test]
fn an_iterator_at_its_end_needs_no_room_if_it_says_so() {
    for push_many in PUSH_MANY {
        let queue = BoundedQueue::new(2);
        assert_eq!(push_many(&queue, &mut (0..2)), Ok(2));
        assert_eq!(push_many(&queue, &mut (0..0)), Ok(0));
        queue.close();
        assert_eq!(push_many(&queue, &mut (0..0)), Ok(0));
        // What is found out late is no failure either.
        assert_eq!(push_many(&queue, &mut Coy(0..0)), Ok(0));
        assert_eq!(push_many(&queue, &mut Coy(0..2)), Err(PushError(0)));
    }
    let queue = BoundedQueue::new(1);
    queue.push(1).unwrap();
    let mut push = pin!(queue.push_many_async(Coy(0..0)));
    assert!(poll_once(push.as_mut()).is_pending());
    assert_eq!(queue.pop(), Ok(1));
    assert_eq!(poll_once(push.as_mut()), Poll::Ready(Ok(0)));
    assert!(!queue.is_full());
    assert_eq!(queue.waiting(), 0);
}

#[test]
fn a_cancelled_batch_has_no_item_in_hand() {
    let queue = BoundedQueue::new(2);
    let mut items = 0..10;
    {
        let mut push = pin!(queue.push_many_async(&mut items));
        assert!(poll_once(push.as_mut()).is_pending());
        assert_eq!(queue.pop(), Ok(0));
        assert!(poll_once(push.as_mut()).is_pending());
        assert_eq!(queue.pop(), Ok(1));
        assert!(format!("{push:?}").contains("pushed: 3"));
    }
    assert_eq!(items, 3..10);
    assert_eq!((queue.waiting(), queue.try_iter().collect::<Vec<_>>()), (0, vec![2]));
}

#[test]
fn a_cancelled_batch_passes_the_room_on_that_it_was_woken_for() {
    let queue = BoundedQueue::new(1);
    let mut batch = Box::pin(queue.push_many_async(0..10));
    assert!(poll_once(batch.as_mut()).is_pending());
    let counter = Counter::new();
    let mut push = pin!(queue.push_async(70));
    assert!(counter.poll(push.as_mut()).is_pending());
    assert_eq!(queue.pop(), Ok(0));
    assert_eq!(counter.wakes(), 0);
    drop(batch);
    assert_eq!(counter.wakes(), 1);
    assert!(counter.poll(push.as_mut()).is_ready());
}

#[test]
fn an_iterator_that_panics_leaves_no_slot_behind() {
    for push_many in PUSH_MANY {
        let queue = BoundedQueue::new(3);
        let mut items =
            (0..4).map(|number| if number == 1 { panic!("the iterator") } else { number });
        assert!(catch_unwind(AssertUnwindSafe(|| push_many(&queue, &mut items))).is_err());
        assert_eq!((queue.len(), queue.is_full(), queue.waiting()), (1, false, 0));
        queue.push(5).unwrap();
        queue.push(6).unwrap();
        assert_eq!(queue.try_iter().collect::<Vec<_>>(), [0, 5, 6]);
    }
}

#[test]
fn a_batch_holds_room_for_one_item_at_most_and_gives_it_back() {
    let queue = BoundedQueue::new(4);
    let room = || std::iter::from_fn(|| queue.try_reserve().ok()).collect::<Vec<_>>().len();
    let rooms = std::cell::RefCell::new(Vec::new());
    let items = Coy((0..3).inspect(|_| rooms.borrow_mut().push(room())));
    assert_eq!(block_on(queue.push_many_async(items)), Ok(3));
    // Beside the room for the item that is being made, and those that are in.
    assert_eq!(rooms.into_inner(), [3, 2, 1]);
    assert_eq!((queue.len(), room()), (3, 1));
}

#[test]
fn an_iterator_may_use_the_queue_that_it_feeds() {
    for (push_many, capacity) in [(PUSH_MANY[0], 1), (PUSH_MANY[0], 2), (PUSH_MANY[1], 2)] {
        let queue = BoundedQueue::new(capacity);
        // It takes what it gave the time before.
        let mut items = (0..100).inspect(|_| assert!(queue.try_pop().is_ok() || queue.is_empty()));
        assert_eq!(push_many(&queue, &mut items), Ok(100));
        assert_eq!(queue.try_iter().collect::<Vec<_>>(), [99]);
    }
    // From one queue to another, until the first is closed.
    let (from, to) = (BoundedQueue::new(4), BoundedQueue::new(5));
    from.push_many(0..4).unwrap();
    from.close();
    assert_eq!(to.push_many(from.iter()), Ok(4));
    assert!(to.try_iter().eq(0..4));
}

#[test]
fn an_iterator_that_waits_keeps_no_room_from_others() {
    let [idle, busy] = [0; 2].map(|_| BoundedQueue::<usize>::new(1));
    let to = BoundedQueue::new(1);
    thread::scope(|scope| {
        let forwards = [&idle, &busy].map(|from| scope.spawn(|| to.push_many(from.iter())));
        eventually("both wait for an item", || idle.waiting() + busy.waiting() == 2);
        for number in 0..10 {
            busy.push(number).unwrap();
            assert_eq!(to.pop(), Ok(number));
        }
        idle.close();
        busy.close();
        let counts = forwards.map(|forward| forward.join().unwrap());
        assert_eq!(counts, [Ok(0), Ok(10)]);
    });
}

#[test]
fn a_large_batch_comes_whole_over_the_end_of_a_lap() {
    let queue = BoundedQueue::new(100);
    let mut items = Vec::new();
    for round in 0..7 {
        queue.push_many(0..100).unwrap();
        assert_eq!(queue.try_pop_many(&mut items, 70), Ok(70));
        queue.push_many(100..160).unwrap();
        assert_eq!(queue.try_pop_many(&mut items, usize::MAX), Ok(90));
        assert!(items.drain(..).eq(0..160), "round {round}");
        // So that the next round begins elsewhere.
        queue.push_many(0..9).unwrap();
        assert_eq!(queue.try_iter().count(), 9);
    }
}

struct Panicking;

impl Wake for Panicking {
    fn wake(self: Arc<Self>) {
        std::panic::panic_any("woken");
    }
}

#[test]
fn a_waker_that_panics_takes_neither_items_nor_wake_ups_from_a_batch() {
    let queue = BoundedQueue::new(4);
    queue.push_many(0..4).unwrap();
    let mut panics = Box::pin(queue.push_async(4));
    let waker = Waker::from(Arc::new(Panicking));
    assert!(panics.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let counters = [(); 3].map(|()| Counter::new());
    let mut pushes: Vec<_> = (5..8).map(|number| Box::pin(queue.push_async(number))).collect();
    for (counter, push) in counters.iter().zip(&mut pushes) {
        assert!(counter.poll(push.as_mut()).is_pending());
    }
    let mut items = Vec::new();
    let popped = catch_unwind(AssertUnwindSafe(|| queue.pop_many(&mut items, 3)));
    assert!(popped.is_err());
    assert_eq!(items, [0, 1, 2]);
    assert_eq!(counters.map(|counter| counter.wakes()), [1, 1, 0]);
}

#[test]
fn a_batch_of_none_is_never_refused() {
    let queue = BoundedQueue::<usize>::new(1);
    for _ in 0..2 {
        let mut items = Vec::new();
        assert_eq!(queue.try_pop_many(&mut items, 0), Ok(0));
        assert_eq!(queue.pop_many_timeout(&mut items, 0, Duration::ZERO), Ok(0));
        for pop_many in POP_MANY {
            assert_eq!(pop_many(&queue, &mut items, 0), Ok(0));
        }
        assert_eq!(items.capacity(), 0);
        queue.close();
    }
}

#[test]
fn nothing_there_is_said_in_each_face() {
    let queue = BoundedQueue::<usize>::new(1);
    let mut items = Vec::new();
    assert_eq!(queue.try_pop_many(&mut items, 3), Err(TryPopError::Empty));
    for timeout in [Duration::ZERO, Duration::from_millis(5)] {
        let popped = queue.pop_many_timeout(&mut items, 3, timeout);
        assert_eq!(popped, Err(PopTimeoutError::TimedOut));
    }
    let popped = queue.pop_many_deadline(&mut items, 3, Instant::now());
    assert_eq!(popped, Err(PopTimeoutError::TimedOut));
    {
        let mut pop = pin!(queue.pop_many_async(&mut items, 3));
        assert!(poll_once(pop.as_mut()).is_pending());
    }
    assert_eq!((items.len(), queue.waiting()), (0, 0));
}

#[test]
fn a_batch_waits_for_one_and_takes_what_is_there() {
    for pop_many in POP_MANY {
        for max in [1, 2, usize::MAX] {
            let queue = BoundedQueue::new(3);
            thread::scope(|scope| {
                let popper = scope.spawn(|| {
                    let mut items = Vec::new();
                    pop_many(&queue, &mut items, max).map(|count| (count, items))
                });
                eventually("the pop waits", || queue.waiting() == 1);
                queue.push(8).unwrap();
                assert_eq!(popper.join().unwrap(), Ok((1, vec![8])));
            });
            queue.push_many(0..3).unwrap();
            let mut items = Vec::new();
            let expected = max.min(3);
            assert_eq!(pop_many(&queue, &mut items, max), Ok(expected));
            assert!(items.into_iter().eq(0..expected));
            // What is left is drained after a close, then there is no more.
            queue.close();
            let mut rest = Vec::new();
            assert_eq!(pop_many(&queue, &mut rest, 9).ok(), (expected < 3).then_some(3 - expected));
            assert!(rest.into_iter().eq(expected..3));
            assert_eq!(pop_many(&queue, &mut Vec::new(), 9), Err(PopError));
        }
    }
}

#[test]
fn one_sender_is_woken_for_each_item_taken() {
    let queue = BoundedQueue::new(4);
    queue.push_many(0..4).unwrap();
    let counters: Vec<_> = (0..6).map(|_| Counter::new()).collect();
    let mut pushes: Vec<_> = (4..10).map(|number| Box::pin(queue.push_async(number))).collect();
    for (counter, push) in counters.iter().zip(&mut pushes) {
        assert!(counter.poll(push.as_mut()).is_pending());
    }
    let wakes = || counters.iter().map(|counter| counter.wakes()).collect::<Vec<_>>();
    let mut items = Vec::new();
    assert_eq!(queue.try_pop_many(&mut items, 3), Ok(3));
    assert_eq!(wakes(), [1, 1, 1, 0, 0, 0]);
    assert_eq!(queue.try_pop_many(&mut items, 3), Ok(1));
    assert_eq!(wakes(), [1, 1, 1, 1, 0, 0]);
    for (number, push) in pushes.iter_mut().enumerate() {
        assert_eq!(counters[number].poll(push.as_mut()).is_ready(), number < 4);
    }
    assert_eq!(queue.pop_many(&mut items, 9), Ok(4));
    assert_eq!(items, [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(wakes(), [1; 6]);
}

#[test]
fn one_receiver_is_woken_for_each_item_pushed() {
    let queue = BoundedQueue::new(4);
    let counters: Vec<_> = (0..3).map(|_| Counter::new()).collect();
    let mut pops: Vec<_> = (0..3).map(|_| Box::pin(queue.pop_async())).collect();
    for (counter, pop) in counters.iter().zip(&mut pops) {
        assert!(counter.poll(pop.as_mut()).is_pending());
    }
    let wakes = || counters.iter().map(|counter| counter.wakes()).collect::<Vec<_>>();
    assert_eq!(queue.push_many(0..2), Ok(2));
    assert_eq!(wakes(), [1, 1, 0]);
    assert_eq!(queue.push_many(2..4), Ok(2));
    assert_eq!(wakes(), [1, 1, 1]);
    for (number, pop) in pops.iter_mut().enumerate() {
        assert_eq!(poll_once(pop.as_mut()), Poll::Ready(Ok(number)));
    }
}

#[test]
fn a_dropped_batch_pop_has_taken_none() {
    let drops = Arc::new(AtomicUsize::new(0));
    let queue = BoundedQueue::new(4);
    let counter = Counter::new();
    let mut items = Vec::new();
    {
        let mut pop = pin!(queue.pop_many_async(&mut items, 4));
        assert!(counter.poll(pop.as_mut()).is_pending());
        assert!(queue.push_many((0..3).map(|number| Counted::new(number, &drops))).is_ok());
        assert_eq!(counter.wakes(), 1);
    }
    assert_eq!((items.len(), queue.len(), dropped(&drops)), (0, 3, 0));
    assert_eq!(queue.pop_many(&mut items, 2), Ok(2));
    drop(items);
    assert_eq!((queue.len(), dropped(&drops)), (1, 2));
    drop(queue);
    assert_eq!(dropped(&drops), 3);
}
