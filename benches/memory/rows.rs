//! The rows: deeds, objects and counts of waiters.

use crate::harness::{Row, Unit};
use crate::sizes::sizes;
use crate::waiters::{Deed, Task};
use std::cell::Cell;

/// Up to how many waiters a peer is asked that looks for the waiter in a list, or spins in `poll`.
const SLOW: usize = 1_000;

pub(super) fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    for deed in [Deed::Cancel, Deed::Register, Deed::Serve] {
        for kind in [lock, semaphore, event, queue] {
            rows.extend([1_000, 10_000, 100_000].map(|count| kind(Task { deed, count })));
        }
    }
    rows.extend(
        [lock, semaphore, event, queue]
            .map(|kind| kind(Task { deed: Deed::Allocate, count: 10_000 })),
    );
    rows.extend(sizes());
    rows
}

fn row(task: Task, what: &str) -> Row {
    let count = task.count;
    match task.deed {
        Deed::Cancel => Row::new(format!("cancel, {what}, {count} waiters"), Unit::Nanoseconds),
        Deed::Register => Row::new(format!("register, {what}, {count} waiters"), Unit::Nanoseconds),
        Deed::Serve => {
            let row = Row::new(format!("serve, {what}, {count} waiters"), Unit::Nanoseconds);
            match what {
                "event" => row.note(
                    "futures-intrusive and event-listener call the wakers under their lock, in the \
                     walk along the list; one that looks at the event then deadlocks",
                ),
                _ => row,
            }
        }
        Deed::Allocate => Row::new(format!("allocations per waiter, {what}"), Unit::Allocations),
    }
}

/// Whoever has waited takes the lock and releases it, which wakes the next.
fn lock(task: Task) -> Row {
    let row = row(task, "lock")
        .ours(move |n| {
            let lock = bifrons::Lock::new(());
            task.run(
                n,
                || lock.lock(),
                || lock.lock_async(),
                |held, waiters| {
                    drop(held);
                    waiters.each(|| {}, drop);
                },
            )
        })
        .peer("tokio", move |n| {
            let lock = tokio::sync::Mutex::new(());
            task.run(
                n,
                || lock.blocking_lock(),
                || lock.lock(),
                |held, waiters| {
                    drop(held);
                    waiters.each(|| {}, drop);
                },
            )
        })
        .peer("mea", move |n| {
            let lock = mea::mutex::Mutex::new(());
            task.run(
                n,
                || lock.try_lock(),
                || lock.lock(),
                |held, waiters| {
                    drop(held);
                    waiters.each(|| {}, drop);
                },
            )
        })
        .peer("async-lock", move |n| {
            let lock = async_lock::Mutex::new(());
            task.run(
                n,
                || lock.lock_blocking(),
                || lock.lock(),
                |held, waiters| {
                    drop(held);
                    waiters.each(|| {}, drop);
                },
            )
        })
        .peer("futures-intrusive", move |n| {
            let lock = futures_intrusive::sync::Mutex::new((), false);
            task.run(
                n,
                || lock.try_lock(),
                || lock.lock(),
                |held, waiters| {
                    drop(held);
                    waiters.each(|| {}, drop);
                },
            )
        });
    if task.count > SLOW {
        return row
            .left_out("saa", "looks along the list for a waiter, O(n), and spins in its poll");
    }
    row.peer("saa", move |n| {
        let lock = saa::Lock::new();
        task.run(
            n,
            || _ = lock.try_lock(),
            || lock.lock_async(),
            |(), waiters| {
                waiters.each(|| assert!(lock.release_lock()), |locked| assert!(locked));
            },
        )
    })
}

/// Permits are released one by one and not returned.
fn semaphore(task: Task) -> Row {
    let row = row(task, "semaphore")
        .ours(move |n| {
            let semaphore = bifrons::Semaphore::new(0);
            task.run(
                n,
                || {},
                || semaphore.acquire_async(),
                |(), waiters| {
                    waiters.each(|| semaphore.release(1), |permit| permit.forget());
                },
            )
        })
        .peer("tokio", move |n| {
            let semaphore = tokio::sync::Semaphore::new(0);
            task.run(
                n,
                || {},
                || semaphore.acquire(),
                |(), waiters| {
                    let give = || semaphore.add_permits(1);
                    waiters.each(give, |permit| permit.expect("never closed").forget());
                },
            )
        })
        .peer("mea", move |n| {
            let semaphore = mea::semaphore::Semaphore::new(0);
            task.run(
                n,
                || {},
                || semaphore.acquire(1),
                |(), waiters| {
                    waiters.each(|| semaphore.release(1), |permit| permit.forget());
                },
            )
        })
        .peer("async-lock", move |n| {
            let semaphore = async_lock::Semaphore::new(0);
            task.run(
                n,
                || {},
                || semaphore.acquire(),
                |(), waiters| {
                    waiters.each(|| semaphore.add_permits(1), |permit| permit.forget());
                },
            )
        })
        .peer("futures-intrusive", move |n| permits_of_intrusive(task, n, true))
        .reference("futures-intrusive (not FIFO)", move |n| permits_of_intrusive(task, n, false));
    if task.count > SLOW {
        return row
            .left_out("saa", "looks along the list for a waiter, O(n), and spins in its poll");
    }
    row.peer("saa", move |n| {
        let semaphore = saa::Semaphore::with_permits(0);
        task.run(
            n,
            || {},
            || semaphore.acquire_async(),
            |(), waiters| {
                waiters.each(|| assert!(semaphore.release()), drop);
            },
        )
    })
}

fn permits_of_intrusive(task: Task, n: u64, fair: bool) -> f64 {
    let semaphore = futures_intrusive::sync::Semaphore::new(fair, 0);
    task.run(
        n,
        || {},
        || semaphore.acquire(1),
        |(), waiters| {
            let take =
                |mut permit: futures_intrusive::sync::SemaphoreReleaser<'_>| _ = permit.disarm();
            waiters.each(|| semaphore.release(1), take);
        },
    )
}

/// Serving is waking all at once; nobody is polled again.
fn event(task: Task) -> Row {
    let row = row(task, "event")
        .ours(move |n| {
            let event = bifrons::Event::new();
            task.run(n, || event.clear(), || event.wait_async(), |(), _| event.set())
        })
        .peer("tokio", move |n| {
            let notify = tokio::sync::Notify::new();
            task.run(n, || {}, || notify.notified(), |(), _| notify.notify_waiters())
        })
        .peer("event-listener", move |n| {
            let event = event_listener::Event::<()>::new();
            task.run(
                n,
                || {},
                || async {
                    event_listener::listener!(event => listener);
                    listener.await
                },
                |(), _| _ = event.notify(usize::MAX),
            )
        })
        .peer("futures-intrusive", move |n| {
            let event = futures_intrusive::sync::ManualResetEvent::new(false);
            task.run(n, || event.reset(), || event.wait(), |(), _| event.set())
        });
    let latch = move |n| {
        // A latch opens once.
        let fresh = || Box::leak(Box::new(mea::latch::Latch::new(1)));
        let latch = Cell::new(&*fresh());
        task.run(n, || latch.set(fresh()), || latch.get().wait(), |(), _| latch.get().count_down())
    };
    let row = match task.deed {
        Deed::Register | Deed::Serve => row.peer("mea", latch),
        Deed::Cancel | Deed::Allocate => row.reference("mea (the waker stays)", latch),
    };
    if task.count > SLOW {
        return row
            .left_out("saa", "looks along the list for a waiter, O(n), and spins in its poll");
    }
    row.peer("saa", move |n| {
        let gate = saa::Gate::new();
        task.run(n, || {}, || gate.enter_async(), |(), _| _ = gate.permit())
    })
}

/// Receivers on an empty queue; an item is pushed for each.
fn queue(task: Task) -> Row {
    let row = row(task, "queue")
        .ours(move |n| {
            let queue = bifrons::BoundedQueue::<u32>::new(1);
            task.run(
                n,
                || {},
                || queue.pop_async(),
                |(), waiters| {
                    let give = || queue.try_push(0).expect("room");
                    waiters.each(give, |item| _ = item.expect("an item"));
                },
            )
        })
        .peer("async-channel", move |n| {
            let (sender, receiver) = async_channel::bounded::<u32>(1);
            task.run(
                n,
                || {},
                || receiver.recv(),
                |(), waiters| {
                    let give = || sender.try_send(0).expect("room");
                    waiters.each(give, |item| _ = item.expect("an item"));
                },
            )
        })
        .peer("crossfire", move |n| {
            let (sender, receiver) = crossfire::mpmc::bounded_async::<u32>(1);
            task.run(
                n,
                || {},
                || receiver.recv(),
                |(), waiters| {
                    let give = || sender.try_send(0).expect("room");
                    waiters.each(give, |item| _ = item.expect("an item"));
                },
            )
        })
        .peer("futures-intrusive", move |n| {
            let channel = futures_intrusive::channel::Channel::<u32, [u32; 1]>::new();
            task.run(
                n,
                || {},
                || channel.receive(),
                |(), waiters| {
                    let give = || channel.try_send(0).expect("room");
                    waiters.each(give, |item| _ = item.expect("an item"));
                },
            )
        });
    if task.deed == Deed::Cancel && task.count > 10 * SLOW {
        return row.left_out("kanal and flume", "look along the list for who cancels: O(n)");
    }
    row.reference("kanal (a cancel may lose an item)", move |n| {
        let (sender, receiver) = kanal::bounded_async::<u32>(1);
        task.run(
            n,
            || {},
            || receiver.recv(),
            |(), waiters| {
                let give = || assert!(sender.try_send(0).expect("open"));
                waiters.each(give, |item| _ = item.expect("an item"));
            },
        )
    })
    .peer("flume", move |n| {
        let (sender, receiver) = flume::bounded::<u32>(1);
        task.run(
            n,
            || {},
            || receiver.recv_async(),
            |(), waiters| {
                let give = || sender.try_send(0).expect("room");
                waiters.each(give, |item| _ = item.expect("an item"));
            },
        )
    })
}
