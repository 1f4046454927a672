//! Items through a bounded queue, between threads, tasks, and both.
//!
//! ```text
//! cargo bench --bench queue
//! ```

#[cfg(not(loom))]
mod channels;
#[cfg(not(loom))]
mod harness;

#[cfg(loom)]
fn main() {}

#[cfg(not(loom))]
fn main() {
    harness::run("queue", scenarios::rows());
}

#[cfg(not(loom))]
mod scenarios {
    use crate::channels::{Ends, tasks, tasks_to_threads, threads, threads_to_tasks};
    use crate::harness::{Placement, Row, Unit};
    use bifrons::BoundedQueue;
    use crossfire::{mpmc, mpsc, spsc};
    use std::sync::Arc;

    const CAPACITIES: [usize; 3] = [1, 64, 1024];

    /// So many senders, so many receivers.
    type Shape = (usize, usize);

    const SHAPES: [Shape; 4] = [(1, 1), (4, 1), (1, 4), (4, 4)];

    pub(super) fn rows() -> Vec<Row> {
        let mut rows = Vec::new();
        for capacity in CAPACITIES {
            rows.extend(SHAPES.map(|shape| {
                let row = blocking(shape, capacity);
                if capacity == 1 { row.long() } else { row }
            }));
        }
        rows.extend(CAPACITIES.map(|capacity| blocking((1, 1), capacity).on(Placement::TwoCpus)));
        rows.extend([1, 64].map(|capacity| blocking((1, 1), capacity).on(Placement::OneCpu)));
        for capacity in CAPACITIES {
            rows.extend(SHAPES.map(|shape| asynchronous(2, shape, capacity)));
            rows.push(asynchronous(0, (1, 1), capacity));
        }
        for capacity in [64, 1024] {
            rows.extend([
                from_threads((4, 4), capacity).long(),
                from_tasks((4, 4), capacity).long(),
            ]);
        }
        rows
    }

    fn ours(capacity: usize) -> (Arc<BoundedQueue<u64>>, Arc<BoundedQueue<u64>>) {
        let queue = Arc::new(BoundedQueue::new(capacity));
        (queue.clone(), queue)
    }

    fn row(what: &str, (senders, receivers): Shape, capacity: usize) -> Row {
        Row::new(format!("queue, {what} {senders}x{receivers}, capacity {capacity}"), Unit::Mops)
    }

    fn blocking(shape: Shape, capacity: usize) -> Row {
        let row = row("threads", shape, capacity)
            .ours(move |n| threads(n, Ends::many(shape, ours(capacity))))
            .peer("kanal", move |n| threads(n, Ends::many(shape, kanal::bounded(capacity))))
            .peer("crossbeam-channel", move |n| {
                threads(n, Ends::many(shape, crossbeam_channel::bounded(capacity)))
            })
            .peer("crossfire", move |n| {
                threads(n, Ends::many(shape, mpmc::bounded_blocking(capacity)))
            })
            .peer("flume", move |n| threads(n, Ends::many(shape, flume::bounded(capacity))))
            .peer("async-channel", move |n| {
                threads(n, Ends::many(shape, async_channel::bounded(capacity)))
            });
        let row = match shape {
            (senders, 1) => row.peer("std sync_channel", move |n| {
                threads(n, Ends::many_senders(senders, std::sync::mpsc::sync_channel(capacity)))
            }),
            _ => row.left_out("std sync_channel", "one receiver only"),
        };
        match shape {
            (1, 1) => row.peer("crossfire spsc", move |n| {
                threads(n, Ends::single(spsc::bounded_blocking(capacity)))
            }),
            (senders, 1) => row.peer("crossfire mpsc", move |n| {
                threads(n, Ends::many_senders(senders, mpsc::bounded_blocking(capacity)))
            }),
            _ => row,
        }
    }

    /// On `workers` of tokio, or with 0 on its runtime of one thread.
    fn asynchronous(workers: usize, shape: Shape, capacity: usize) -> Row {
        let what = if workers == 0 { "tasks of one thread" } else { "tasks of two workers" };
        let kanal = move |n| tasks(workers, n, Ends::many(shape, kanal::bounded_async(capacity)));
        let row = row(what, shape, capacity)
            .ours(move |n| tasks(workers, n, Ends::many(shape, ours(capacity))));
        let row = match capacity {
            1 => row.reference("kanal (loses items on cancel)", kanal),
            _ => row.peer("kanal", kanal),
        };
        let row = row
            .peer("crossfire", move |n| {
                tasks(workers, n, Ends::many(shape, mpmc::bounded_async(capacity)))
            })
            .peer("flume", move |n| tasks(workers, n, Ends::many(shape, flume::bounded(capacity))))
            .peer("async-channel", move |n| {
                tasks(workers, n, Ends::many(shape, async_channel::bounded(capacity)))
            });
        let row = match shape {
            (senders, 1) => row.peer("tokio mpsc", move |n| {
                let ends = tokio::sync::mpsc::channel(capacity);
                tasks(workers, n, Ends::many_senders(senders, ends))
            }),
            _ => row.left_out("tokio mpsc", "one receiver only"),
        };
        match shape {
            (1, 1) => row.peer("crossfire spsc", move |n| {
                tasks(workers, n, Ends::single(spsc::bounded_async(capacity)))
            }),
            (senders, 1) => row.peer("crossfire mpsc", move |n| {
                tasks(workers, n, Ends::many_senders(senders, mpsc::bounded_async(capacity)))
            }),
            _ => row,
        }
    }

    fn from_threads(shape: Shape, capacity: usize) -> Row {
        row("threads to tasks", shape, capacity)
            .ours(move |n| threads_to_tasks(n, Ends::many(shape, ours(capacity))))
            .peer("kanal", move |n| {
                let (sender, receiver) = kanal::bounded(capacity);
                threads_to_tasks(n, Ends::many(shape, (sender, receiver.to_async())))
            })
            .peer("crossfire", move |n| {
                threads_to_tasks(n, Ends::many(shape, mpmc::bounded_blocking_async(capacity)))
            })
            .peer("flume", move |n| {
                threads_to_tasks(n, Ends::many(shape, flume::bounded(capacity)))
            })
            .peer("async-channel", move |n| {
                threads_to_tasks(n, Ends::many(shape, async_channel::bounded(capacity)))
            })
    }

    fn from_tasks(shape: Shape, capacity: usize) -> Row {
        row("tasks to threads", shape, capacity)
            .ours(move |n| tasks_to_threads(n, Ends::many(shape, ours(capacity))))
            .peer("kanal", move |n| {
                let (sender, receiver) = kanal::bounded(capacity);
                tasks_to_threads(n, Ends::many(shape, (sender.to_async(), receiver)))
            })
            .peer("crossfire", move |n| {
                tasks_to_threads(n, Ends::many(shape, mpmc::bounded_async_blocking(capacity)))
            })
            .peer("flume", move |n| {
                tasks_to_threads(n, Ends::many(shape, flume::bounded(capacity)))
            })
            .peer("async-channel", move |n| {
                tasks_to_threads(n, Ends::many(shape, async_channel::bounded(capacity)))
            })
    }
}
