//! Tasks that come, go and are woken in every order.

use crate::common::{Counter, Face, poll_once};
use bifrons::{BoundedQueue, PopError, PushError, TryPopError, block_on, block_on_timeout};
use futures::future::join;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

#[test]
fn the_third_push_into_room_for_two_waits_for_a_pop() {
    let queue = BoundedQueue::new(2);
    for number in 1..=2 {
        assert_eq!(poll_once(pin!(queue.push_async(number))), Poll::Ready(Ok(())));
    }
    let counter = Counter::new();
    let mut third = pin!(queue.push_async(3));
    assert!(counter.poll(third.as_mut()).is_pending());
    assert_eq!(poll_once(pin!(queue.pop_async())), Poll::Ready(Ok(1)));
    assert_eq!(counter.wakes(), 1);
    assert_eq!(counter.poll(third.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(queue.try_iter().collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn a_producer_and_a_consumer_of_one_thread_do_not_stall() {
    for capacity in [1, 2] {
        let queue = BoundedQueue::new(capacity);
        let ((), items) = block_on(join(
            async {
                for number in 0..5 {
                    queue.push_async(number).await.unwrap();
                }
                queue.close();
            },
            async {
                let mut items = Vec::new();
                while let Ok(item) = queue.pop_async().await {
                    items.push(item);
                }
                items
            },
        ));
        assert_eq!(items, [0, 1, 2, 3, 4]);
    }
}

#[test]
fn waiting_pushes_go_in_the_order_in_which_they_came() {
    let queue = BoundedQueue::new(1);
    queue.push('x').unwrap();
    let mut pushes: Vec<_> = "abc".chars().map(|item| Box::pin(queue.push_async(item))).collect();
    for push in &mut pushes {
        assert!(poll_once(push.as_mut()).is_pending());
    }
    for (expected, push) in "xab".chars().zip(&mut pushes) {
        assert_eq!(queue.pop(), Ok(expected));
        assert_eq!(poll_once(push.as_mut()), Poll::Ready(Ok(())));
    }
    assert_eq!(queue.pop(), Ok('c'));
}

#[test]
fn waiting_pops_are_served_in_the_order_in_which_they_came() {
    let queue = BoundedQueue::new(4);
    let counters: Vec<_> = (0..4).map(|_| Counter::new()).collect();
    let mut pops: Vec<_> = (0..4).map(|_| Box::pin(queue.pop_async())).collect();
    for (counter, pop) in counters.iter().zip(&mut pops) {
        assert!(counter.poll(pop.as_mut()).is_pending());
    }
    for (number, (counter, pop)) in counters.iter().zip(&mut pops).enumerate() {
        assert_eq!(counter.wakes(), 0);
        queue.push(number).unwrap();
        assert_eq!(counter.wakes(), 1);
        assert_eq!(counter.poll(pop.as_mut()), Poll::Ready(Ok(number)));
    }
}

#[test]
fn when_the_first_of_two_pops_is_cancelled_the_second_gets_the_item() {
    let queue = BoundedQueue::new(1);
    let mut first = Box::pin(queue.pop_async());
    let counter = Counter::new();
    let mut second = pin!(queue.pop_async());
    assert!(poll_once(first.as_mut()).is_pending());
    assert!(counter.poll(second.as_mut()).is_pending());
    drop(first);
    queue.push(1).unwrap();
    assert_eq!(counter.wakes(), 1);
    assert_eq!(counter.poll(second.as_mut()), Poll::Ready(Ok(1)));
}

#[test]
fn a_woken_pop_that_is_cancelled_before_it_runs_loses_nothing() {
    let queue = BoundedQueue::new(2);
    let mut first = Box::pin(queue.pop_async());
    assert!(poll_once(first.as_mut()).is_pending());
    queue.push(1).unwrap();
    queue.push(2).unwrap();
    drop(first);
    assert_eq!(queue.pop(), Ok(1));
    assert_eq!(queue.pop(), Ok(2));
}

#[test]
fn of_three_pops_and_two_items_a_cancelled_one_leaves_both_to_the_others() {
    for cancelled in 0..3 {
        let queue = BoundedQueue::new(2);
        let counters: Vec<_> = (0..3).map(|_| Counter::new()).collect();
        let mut pops: Vec<_> = (0..3).map(|_| Box::pin(queue.pop_async())).collect();
        for (counter, pop) in counters.iter().zip(&mut pops) {
            assert!(counter.poll(pop.as_mut()).is_pending());
        }
        queue.push_many([1, 2]).unwrap();
        drop(pops.remove(cancelled));
        let mut items = Vec::new();
        for (number, pop) in (0..3).filter(|&number| number != cancelled).zip(&mut pops) {
            assert_eq!(counters[number].wakes(), 1);
            items.extend(match counters[number].poll(pop.as_mut()) {
                Poll::Ready(item) => item,
                Poll::Pending => panic!("woken for an item that is not there"),
            });
        }
        assert_eq!(items, [1, 2]);
        assert_eq!((queue.waiting(), queue.len()), (0, 0));
    }
}

#[test]
fn a_woken_push_that_is_cancelled_has_not_pushed() {
    let queue = BoundedQueue::new(1);
    queue.push(1).unwrap();
    let mut push = Box::pin(queue.push_async(2));
    assert!(poll_once(push.as_mut()).is_pending());
    assert_eq!(queue.pop(), Ok(1));
    drop(push);
    assert!(queue.is_empty());
    block_on(queue.push_async(2)).unwrap();
    assert_eq!((queue.pop(), queue.len()), (Ok(2), 0));
}

#[test]
fn a_woken_push_that_gives_its_item_back_passes_the_room_on() {
    let queue = BoundedQueue::new(1);
    queue.push(1).unwrap();
    let counter = Counter::new();
    let (mut first, mut second) = (pin!(queue.push_async(2)), pin!(queue.push_async(3)));
    assert!(poll_once(first.as_mut()).is_pending());
    assert!(counter.poll(second.as_mut()).is_pending());
    assert_eq!(queue.pop(), Ok(1));
    assert_eq!(counter.wakes(), 0);
    assert_eq!(first.as_mut().take(), Some(2));
    assert_eq!(counter.wakes(), 1);
    assert_eq!(counter.poll(second.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(queue.pop(), Ok(3));
}

#[test]
fn of_three_pushes_the_last_is_cancelled_and_the_others_arrive() {
    let queue = BoundedQueue::new(1);
    let [mut first, mut second, mut third] =
        ['a', 'b', 'c'].map(|item| Box::pin(queue.push_async(item)));
    assert!(poll_once(first.as_mut()).is_ready());
    assert!(poll_once(second.as_mut()).is_pending());
    assert!(poll_once(third.as_mut()).is_pending());
    drop(third);
    assert_eq!(queue.waiting(), 1);
    assert_eq!(queue.pop(), Ok('a'));
    assert_eq!(poll_once(second.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(queue.pop(), Ok('b'));
    assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
}

#[test]
fn one_pop_that_drains_everything_wakes_every_push_that_fits() {
    let queue = BoundedQueue::new(2);
    let counters: Vec<_> = (0..4).map(|_| Counter::new()).collect();
    let mut pushes: Vec<_> = (0..4).map(|number| Box::pin(queue.push_async(number))).collect();
    queue.push_many([8, 9]).unwrap();
    for (counter, push) in counters.iter().zip(&mut pushes) {
        assert!(counter.poll(push.as_mut()).is_pending());
    }
    let mut items = Vec::new();
    for woken in [2, 4] {
        items.extend(queue.try_iter());
        assert_eq!(counters.iter().map(|counter| counter.wakes()).sum::<usize>(), woken);
        for push in &mut pushes[woken - 2..woken] {
            assert!(poll_once(push.as_mut()).is_ready());
        }
    }
    items.extend(queue.try_iter());
    assert_eq!(items, [8, 9, 0, 1, 2, 3]);
}

#[test]
fn a_woken_waiter_that_finds_nothing_keeps_its_place_in_front() {
    let queue = BoundedQueue::new(1);
    let (first_counter, second_counter) = (Counter::new(), Counter::new());
    let (mut first, mut second) = (pin!(queue.pop_async()), pin!(queue.pop_async()));
    assert!(first_counter.poll(first.as_mut()).is_pending());
    assert!(second_counter.poll(second.as_mut()).is_pending());
    for round in 1..=3 {
        queue.push(round).unwrap();
        assert_eq!(queue.try_pop(), Ok(round), "a newcomer was faster");
        assert_eq!((first_counter.wakes(), second_counter.wakes()), (round, 0));
        assert!(first_counter.poll(first.as_mut()).is_pending());
    }
    queue.push(9).unwrap();
    assert_eq!(first_counter.poll(first.as_mut()), Poll::Ready(Ok(9)));

    let (first_counter, second_counter) = (Counter::new(), Counter::new());
    queue.push(0).unwrap();
    let (mut first, mut other) = (pin!(queue.push_async(70)), pin!(queue.push_async(80)));
    assert!(first_counter.poll(first.as_mut()).is_pending());
    assert!(second_counter.poll(other.as_mut()).is_pending());
    for round in 1..=3 {
        assert_eq!(queue.pop(), Ok(round - 1));
        queue.try_push(round).unwrap();
        assert_eq!((first_counter.wakes(), second_counter.wakes()), (round, 0));
        assert!(first_counter.poll(first.as_mut()).is_pending());
    }
    assert_eq!(queue.pop(), Ok(3));
    assert_eq!(first_counter.poll(first.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(queue.pop(), Ok(70));
}

#[test]
fn a_task_that_finds_its_item_without_having_been_woken_swallows_no_wake_up() {
    let queue = BoundedQueue::new(2);
    let (first_counter, second_counter) = (Counter::new(), Counter::new());
    let (mut first, mut second) = (pin!(queue.pop_async()), pin!(queue.pop_async()));
    assert!(first_counter.poll(first.as_mut()).is_pending());
    assert!(second_counter.poll(second.as_mut()).is_pending());
    // The second is polled out of turn, while the first has been woken.
    queue.push(1).unwrap();
    assert_eq!(second_counter.poll(second.as_mut()), Poll::Ready(Ok(1)));
    assert!(first_counter.poll(first.as_mut()).is_pending());
    assert_eq!(queue.waiting(), 1);
    queue.push(2).unwrap();
    assert_eq!(first_counter.wakes(), 2);
    assert_eq!(first_counter.poll(first.as_mut()), Poll::Ready(Ok(2)));
}

#[test]
fn the_latest_waker_is_the_one_that_is_called() {
    let queue = BoundedQueue::new(1);
    let (old, new) = (Counter::new(), Counter::new());
    let mut pop = pin!(queue.pop_async());
    assert!(old.poll(pop.as_mut()).is_pending());
    assert!(new.poll(pop.as_mut()).is_pending());
    assert_eq!(Arc::strong_count(&old), 1);
    queue.push(1).unwrap();
    assert_eq!((old.wakes(), new.wakes()), (0, 1));
    assert_eq!(Arc::strong_count(&new), 1);
}

#[test]
fn who_gave_up_is_no_longer_a_waiter() {
    let queue = BoundedQueue::new(1);
    let timeout = Duration::from_millis(5);
    assert!(queue.pop_timeout(timeout).is_err());
    assert!(block_on_timeout(queue.pop_async(), timeout).is_err());
    assert_eq!(queue.waiting(), 0);
    queue.push(1).unwrap();
    assert!(queue.push_timeout(2, timeout).is_err());
    assert!(block_on_timeout(queue.push_async(3), timeout).is_err());
    assert!(queue.reserve_timeout(timeout).is_err());
    assert!(block_on_timeout(queue.reserve_async(), timeout).is_err());
    assert!(block_on_timeout(queue.push_many_async([4]), timeout).is_err());
    assert_eq!((queue.waiting(), queue.len(), queue.pop()), (0, 1, Ok(1)));
}

#[test]
fn a_thread_and_a_task_feed_each_other() {
    for face in Face::ALL {
        for capacity in [1, 3] {
            let (requests, replies) = (BoundedQueue::new(capacity), BoundedQueue::new(capacity));
            thread::scope(|scope| {
                scope.spawn(|| {
                    block_on(async {
                        while let Ok(number) = requests.pop_async().await {
                            replies.push_async(number + 1).await.unwrap();
                        }
                    })
                });
                for number in 0..500 {
                    face.push(&requests, number).unwrap();
                    assert_eq!(face.pop(&replies), Ok(number + 1));
                }
                requests.close();
            });
        }
    }
}

/// A producer and a consumer, each a task of `spawn`'s executor, and a thread that does both.
fn exchange(run: impl FnOnce(Arc<BoundedQueue<usize>>, Arc<BoundedQueue<usize>>) -> usize) {
    let (there, back) = (Arc::new(BoundedQueue::new(2)), Arc::new(BoundedQueue::new(1)));
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let mut sum = 0;
            for number in there.iter() {
                sum += number;
                back.push(number).unwrap();
            }
            back.close();
            sum
        });
        assert_eq!(run(Arc::clone(&there), Arc::clone(&back)), 499_500);
        assert_eq!(thread.join().unwrap(), 499_500);
    });
}

async fn produce(queue: Arc<BoundedQueue<usize>>) {
    for number in 0..1_000 {
        queue.push_async(number).await.unwrap();
    }
    queue.close();
}

async fn consume(queue: Arc<BoundedQueue<usize>>) -> usize {
    let mut sum = 0;
    while let Ok(number) = queue.pop_async().await {
        sum += number;
    }
    assert_eq!(queue.push_async(1).await, Err(PushError(1)));
    assert_eq!(queue.pop_async().await, Err(PopError));
    sum
}

#[test]
fn tokio_with_many_threads() {
    exchange(|there, back| {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        runtime.block_on(async {
            let producer = tokio::spawn(produce(there));
            let sum = tokio::spawn(consume(back)).await.unwrap();
            producer.await.unwrap();
            sum
        })
    });
}

#[test]
fn tokio_on_the_current_thread() {
    exchange(|there, back| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let producer = tokio::spawn(produce(there));
            let sum = tokio::spawn(consume(back)).await.unwrap();
            producer.await.unwrap();
            sum
        })
    });
}

#[test]
fn smol_with_two_tasks() {
    exchange(|there, back| {
        smol::block_on(async {
            let producer = smol::spawn(produce(there));
            let sum = smol::spawn(consume(back)).await;
            producer.await;
            sum
        })
    });
}

#[test]
fn the_executor_of_futures() {
    exchange(|there, back| {
        futures::executor::block_on(async { join(produce(there), consume(back)).await.1 })
    });
}
