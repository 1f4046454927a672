//! Many threads, many tasks.

use crate::common::{Face, Random};
use bifrons::{BoundedQueue, TryPopError, TryPushError, block_on};
use futures::future::join_all;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

#[test]
fn one_producer_and_one_consumer_keep_the_order() {
    for push in Face::ALL {
        for pop in Face::ALL {
            for capacity in [1, 2, 3, 64] {
                let queue = BoundedQueue::new(capacity);
                thread::scope(|scope| {
                    scope.spawn(|| {
                        for number in 0..300 {
                            push.push(&queue, number).unwrap();
                        }
                        queue.close();
                    });
                    for number in 0..300 {
                        assert_eq!(pop.pop(&queue), Ok(number));
                    }
                    assert!(pop.pop(&queue).is_err());
                });
            }
        }
    }
}

/// How the fifty consumers take: blocked, by polling, with tiny timeouts, as tasks.
type Take = fn(&BoundedQueue<usize>) -> Option<usize>;
const TAKE: [Take; 4] = [
    |queue| queue.pop().ok(),
    |queue| loop {
        match queue.try_pop() {
            Ok(item) => return Some(item),
            Err(TryPopError::Closed) => return None,
            Err(TryPopError::Empty) => thread::yield_now(),
        }
    },
    |queue| loop {
        match queue.pop_timeout(Duration::from_micros(10)) {
            Ok(item) => return Some(item),
            Err(error) if error.is_closed() => return None,
            Err(_) => {}
        }
    },
    |queue| block_on(queue.pop_async()).ok(),
];

#[test]
fn fifty_producers_and_fifty_consumers_deliver_each_of_10_000_items_once() {
    const EACH: usize = 200;
    for (way, take) in TAKE.into_iter().enumerate() {
        let queue = BoundedQueue::new(7);
        let seen: Vec<_> = (0..50 * EACH).map(|_| AtomicUsize::new(0)).collect();
        thread::scope(|scope| {
            for _ in 0..50 {
                let (queue, seen) = (&queue, &seen);
                scope.spawn(move || {
                    // Items of one producer come in its order.
                    let mut newest = [None; 50];
                    while let Some(item) = take(queue) {
                        seen[item].fetch_add(1, Ordering::SeqCst);
                        assert!(newest[item / EACH] < Some(item));
                        newest[item / EACH] = Some(item);
                    }
                });
            }
            let producers: Vec<_> = (0..50)
                .map(|producer| {
                    let queue = &queue;
                    scope.spawn(move || {
                        for item in producer * EACH..(producer + 1) * EACH {
                            Face::ALL[(item + way) % 3].push(queue, item).unwrap();
                        }
                    })
                })
                .collect();
            for producer in producers {
                producer.join().unwrap();
            }
            queue.close();
        });
        assert!(seen.iter().all(|count| count.load(Ordering::SeqCst) == 1));
        assert_eq!((queue.len(), queue.waiting()), (0, 0));
    }
}

/// Items and slots that are surely in, less those that may be out already.
#[derive(Default)]
struct Ledger {
    entered: AtomicUsize,
    may_have_left: AtomicUsize,
}

impl Ledger {
    fn enter(&self, capacity: usize) {
        let entered = self.entered.fetch_add(1, Ordering::SeqCst) + 1;
        let left = self.may_have_left.load(Ordering::SeqCst);
        assert!(entered <= left + capacity, "{entered} in, {left} out, capacity {capacity}");
    }

    fn leave(&self) {
        self.may_have_left.fetch_add(1, Ordering::SeqCst);
    }

    fn stay(&self) {
        self.may_have_left.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn items_and_slots_together_never_exceed_the_capacity() {
    for capacity in [1, 2, 3] {
        let (queue, ledger) = (BoundedQueue::new(capacity), Ledger::default());
        thread::scope(|scope| {
            let producers: Vec<_> = (0..3_u64)
                .map(|seed| {
                    let (queue, ledger) = (&queue, &ledger);
                    scope.spawn(move || {
                        let mut random = Random(seed);
                        for number in 0..5_000 {
                            let item = 3 * number + seed as usize;
                            match random.below(4) {
                                0 => {
                                    let slot = Face::ALL[number % 3].reserve(queue).unwrap();
                                    ledger.enter(capacity);
                                    if random.below(2) == 0 {
                                        ledger.leave();
                                        drop(slot);
                                    } else {
                                        slot.push(item).unwrap();
                                    }
                                }
                                1 => match queue.try_push(item) {
                                    Ok(()) => ledger.enter(capacity),
                                    Err(TryPushError::Full(_)) => thread::yield_now(),
                                    Err(TryPushError::Closed(_)) => panic!("nobody closes"),
                                },
                                2 => {
                                    ledger.leave();
                                    match queue.force_push(item) {
                                        Ok(Some(evicted)) if evicted != item => {}
                                        // Nothing was evicted.
                                        Ok(back) => {
                                            ledger.stay();
                                            if back.is_some() {
                                                continue;
                                            }
                                        }
                                        Err(_) => panic!("nobody closes"),
                                    }
                                    ledger.enter(capacity);
                                }
                                _ => {
                                    Face::ALL[number % 3].push(queue, item).unwrap();
                                    ledger.enter(capacity);
                                }
                            }
                            assert!(queue.len() <= capacity);
                        }
                    })
                })
                .collect();
            for face in [Face::Blocking, Face::Async] {
                let (queue, ledger) = (&queue, &ledger);
                scope.spawn(move || {
                    loop {
                        ledger.leave();
                        if face.pop(queue).is_err() {
                            break;
                        }
                        assert!(queue.len() <= capacity);
                    }
                });
            }
            for producer in producers {
                producer.join().unwrap();
            }
            queue.close();
        });
    }
}

#[test]
fn threads_and_tasks_share_the_work_of_both_ends() {
    for capacity in [1, 2, 64] {
        let queue = BoundedQueue::new(capacity);
        let (pushed, popped) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for face in Face::ALL {
                let (queue, popped) = (&queue, &popped);
                scope.spawn(move || {
                    while let Ok(item) = face.pop(queue) {
                        popped.fetch_add(item, Ordering::SeqCst);
                    }
                });
            }
            scope.spawn(|| {
                block_on(join_all((0..50).map(|_| async {
                    while let Ok(item) = queue.pop_async().await {
                        popped.fetch_add(item, Ordering::SeqCst);
                    }
                })))
            });
            let producers: Vec<_> = Face::ALL
                .into_iter()
                .map(|face| {
                    let (queue, pushed) = (&queue, &pushed);
                    scope.spawn(move || {
                        for item in 0..2_000 {
                            face.push(queue, item).unwrap();
                            pushed.fetch_add(item, Ordering::SeqCst);
                        }
                    })
                })
                .collect();
            block_on(join_all((0..50).map(|_| async {
                for item in 0..100 {
                    queue.push_async(item).await.unwrap();
                    pushed.fetch_add(item, Ordering::SeqCst);
                }
            })));
            for producer in producers {
                producer.join().unwrap();
            }
            queue.close();
        });
        assert_eq!(pushed.into_inner(), popped.into_inner());
    }
}
