//! Blocking pushes and pops are done by who wakes them.

use crate::common::{LONG, eventually, poll_once};
use bifrons::{BoundedQueue, block_on};
use std::pin::pin;
use std::thread;

fn waits<T>(queue: &BoundedQueue<T>, count: usize) {
    eventually("the threads wait", || queue.waiting() == count);
}

#[test]
fn each_pop_pushes_for_a_thread_that_waits() {
    let queue = BoundedQueue::new(1);
    queue.push(0).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| queue.push(1).unwrap());
        waits(&queue, 1);
        scope.spawn(|| queue.push_timeout(2, LONG).unwrap());
        waits(&queue, 2);
        // Nobody has to run in between.
        for (number, left) in [(0, 1), (1, 0)] {
            assert_eq!(queue.try_pop(), Ok(number));
            assert_eq!((queue.len(), queue.waiting()), (1, left));
        }
        assert_eq!(queue.try_pop(), Ok(2));
        assert!(queue.is_empty());
    });
}

#[test]
fn each_push_pops_for_a_thread_that_waits() {
    let queue = BoundedQueue::new(1);
    thread::scope(|scope| {
        let first = scope.spawn(|| queue.pop().unwrap());
        waits(&queue, 1);
        let second = scope.spawn(|| queue.pop_timeout(LONG).unwrap());
        waits(&queue, 2);
        for (number, left) in [(1, 1), (2, 0)] {
            queue.try_push(number).unwrap();
            assert_eq!((queue.len(), queue.waiting()), (0, left));
        }
        assert_eq!((first.join().unwrap(), second.join().unwrap()), (1, 2));
    });
}

#[test]
fn pop_many_and_a_forced_push_serve_threads_that_wait() {
    let queue = BoundedQueue::new(2);
    queue.push_many([0, 1]).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| queue.push(2).unwrap());
        waits(&queue, 1);
        let mut items = Vec::new();
        assert_eq!(queue.try_pop_many(&mut items, 2), Ok(2));
        assert_eq!((items, queue.try_pop()), (vec![0, 1], Ok(2)));

        let receiver = scope.spawn(|| queue.pop().unwrap());
        waits(&queue, 1);
        assert_eq!(queue.force_push(3), Ok(None));
        assert!(queue.is_empty());
        assert_eq!(receiver.join().unwrap(), 3);
    });
}

#[test]
fn a_task_is_told_and_does_it_itself_and_a_thread_beside_a_slot_gets_in_too() {
    let queue = BoundedQueue::new(2);
    queue.push(0).unwrap();
    let slot = queue.reserve().unwrap();
    thread::scope(|scope| {
        let mut task = pin!(queue.push_async(1));
        assert!(poll_once(task.as_mut()).is_pending());
        assert_eq!(queue.try_pop(), Ok(0));
        assert!(queue.is_empty(), "the task has not been polled");
        assert!(poll_once(task.as_mut()).is_ready());

        let sender = scope.spawn(|| queue.push(2).unwrap());
        waits(&queue, 1);
        assert_eq!(queue.try_pop(), Ok(1));
        sender.join().unwrap();
        slot.push(3).unwrap();
        assert_eq!(queue.try_iter().collect::<Vec<_>>(), [2, 3]);
    });
}

#[test]
fn large_items_are_handed_over_whole() {
    let queue = BoundedQueue::new(1);
    let item = |number: u64| [number; 64].map(Box::new);
    queue.push(item(0)).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| queue.push(item(1)).unwrap());
        waits(&queue, 1);
        assert_eq!(queue.try_pop(), Ok(item(0)));
        assert_eq!(queue.try_pop(), Ok(item(1)));
        let receiver = scope.spawn(|| queue.pop().unwrap());
        waits(&queue, 1);
        queue.try_push(item(2)).unwrap();
        assert_eq!(receiver.join().unwrap(), item(2));
    });
}

/// More wait than one wake-up may serve: the rest is woken, and nobody is left.
#[test]
fn a_crowd_on_both_sides_is_served_by_one_wake_up() {
    const EACH: usize = 12;
    let queue = BoundedQueue::new(1);
    queue.push(usize::MAX).unwrap();
    thread::scope(|scope| {
        let mut task = Box::pin(queue.push_async(usize::MAX));
        assert!(poll_once(task.as_mut()).is_pending());
        for number in 0..EACH {
            let queue = &queue;
            scope.spawn(move || queue.push(number).unwrap());
        }
        waits(&queue, EACH + 1);
        assert_eq!(queue.try_pop(), Ok(usize::MAX));
        // The task has been told of the room, and keeps the others from it.
        let receivers: Vec<_> = (0..EACH).map(|_| scope.spawn(|| queue.pop().unwrap())).collect();
        waits(&queue, 2 * EACH);
        drop(task);
        let mut items: Vec<_> = receivers.into_iter().map(|it| it.join().unwrap()).collect();
        items.sort_unstable();
        assert_eq!(items, (0..EACH).collect::<Vec<_>>());
    });
}

/// The item is for a future that this very thread does not poll while it waits.
#[test]
fn a_thread_does_not_wait_behind_its_own_futures() {
    let queue = BoundedQueue::new(1);
    thread::scope(|scope| {
        let receiver = scope.spawn(|| {
            block_on(async {
                let mut first = pin!(queue.pop_async());
                assert!(futures::poll!(first.as_mut()).is_pending());
                queue.pop().unwrap()
            })
        });
        waits(&queue, 2);
        queue.try_push(1).unwrap();
        assert_eq!(receiver.join().unwrap(), 1);

        queue.push(2).unwrap();
        let sender = scope.spawn(|| {
            block_on(async {
                let mut first = pin!(queue.push_async(3));
                assert!(futures::poll!(first.as_mut()).is_pending());
                queue.push(4).unwrap();
            });
        });
        waits(&queue, 2);
        assert_eq!(queue.try_pop(), Ok(2));
        sender.join().unwrap();
        assert_eq!(queue.try_pop(), Ok(4));
    });
}
