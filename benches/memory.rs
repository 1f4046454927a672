//! Memory and its cost: sizes, allocations, and the cost of one waiter among many.
//!
//! ```text
//! cargo bench --bench memory
//! cargo bench --bench memory -- "cancel, lock"
//! ```
//!
//! The waiting futures of every contender lie side by side in one vector and are polled, and dropped,
//! in place, with a waker that does nothing. What is measured is the list and the future's own work;
//! a few bytes more or less per future show as well, once the vector outgrows a cache.

#[cfg(not(loom))]
mod harness;

#[cfg(loom)]
fn main() {}

#[cfg(not(loom))]
fn main() {
    harness::run("memory", rows::all());
}

#[cfg(not(loom))]
mod counting {
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::cell::Cell;

    struct Counting;

    thread_local! {
        static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    }

    // SAFETY: everything is passed on to `System`; the counter is a constant thread-local without a
    // destructor, so counting never allocates. The other methods call these two.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            ALLOCATIONS.set(ALLOCATIONS.get() + 1);
            // SAFETY: the caller's promise.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            // SAFETY: the caller's promise.
            unsafe { System.dealloc(block, layout) }
        }
    }

    #[global_allocator]
    static ALLOCATOR: Counting = Counting;

    /// How often this thread has allocated.
    pub(super) fn allocations() -> usize {
        ALLOCATIONS.get()
    }
}

#[cfg(not(loom))]
mod waiters {
    use crate::counting::allocations;
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
            let mut figures: Vec<f64> = (0..n.div_ceil(64)).map(|_| repetition()).collect();
            figures.sort_by(f64::total_cmp);
            figures[figures.len() / 2] / self.count as f64
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
}

#[cfg(not(loom))]
mod rows {
    use crate::harness::{Row, Unit};
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
            Deed::Register => {
                Row::new(format!("register, {what}, {count} waiters"), Unit::Nanoseconds)
            }
            Deed::Serve => {
                let row = Row::new(format!("serve, {what}, {count} waiters"), Unit::Nanoseconds);
                match what {
                    "event" => row.floor(
                        "futures-intrusive calls the wakers under its lock, in the walk along the \
                         list; one that looks at the event then deadlocks",
                    ),
                    _ => row,
                }
            }
            Deed::Allocate => {
                Row::new(format!("allocations per waiter, {what}"), Unit::Allocations)
            }
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
            return row;
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
            .peer("futures-intrusive", move |n| {
                let semaphore = futures_intrusive::sync::Semaphore::new(true, 0);
                task.run(
                    n,
                    || {},
                    || semaphore.acquire(1),
                    |(), waiters| {
                        let take = |mut permit: futures_intrusive::sync::SemaphoreReleaser<'_>| {
                            permit.disarm();
                        };
                        waiters.each(|| semaphore.release(1), take);
                    },
                )
            });
        if task.count > SLOW {
            return row;
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
                    || async { event.listen().await },
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
            task.run(
                n,
                || latch.set(fresh()),
                || latch.get().wait(),
                |(), _| latch.get().count_down(),
            )
        };
        let row = match task.deed {
            Deed::Register | Deed::Serve => row.peer("mea", latch),
            Deed::Cancel | Deed::Allocate => row.reference("mea (the waker stays)", latch),
        };
        if task.count > SLOW {
            return row;
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
            return row;
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

    /// Of an object, and of a future of it.
    fn sizes() -> Vec<Row> {
        fn bytes<T>(_: impl FnOnce() -> T) -> f64 {
            size_of::<T>() as f64
        }
        /// The size of a `future` of `object`.
        fn future<T: 'static, F>(object: T, future: impl FnOnce(&'static T) -> F) -> f64 {
            let object = Box::leak(Box::new(object));
            let future = future(object);
            size_of_val(&future) as f64
        }
        let size = |what: &str| {
            Row::new(format!("bytes, {what}"), Unit::Bytes).floor("a size, not a speed")
        };
        vec![
            size("lock")
                .ours(|_| bytes(|| bifrons::Lock::new(())))
                .peer("std", |_| bytes(|| std::sync::Mutex::new(())))
                .peer("parking_lot", |_| bytes(|| parking_lot_latest::Mutex::new(())))
                .peer("usync", |_| bytes(|| usync::Mutex::new(())))
                .peer("saa", |_| bytes(saa::Lock::new))
                .peer("async-lock", |_| bytes(|| async_lock::Mutex::new(())))
                .peer("tokio", |_| bytes(|| tokio::sync::Mutex::new(())))
                .peer("mea", |_| bytes(|| mea::mutex::Mutex::new(())))
                .peer("futures-intrusive", |_| {
                    bytes(|| futures_intrusive::sync::Mutex::new((), false))
                }),
            size("future of lock")
                .ours(|_| future(bifrons::Lock::new(()), |lock| lock.lock_async()))
                .peer("saa", |_| future(saa::Lock::new(), |lock| lock.lock_async()))
                .peer("async-lock", |_| future(async_lock::Mutex::new(()), |lock| lock.lock()))
                .peer("tokio", |_| future(tokio::sync::Mutex::new(()), |lock| lock.lock()))
                .peer("mea", |_| future(mea::mutex::Mutex::new(()), |lock| lock.lock()))
                .peer("futures-intrusive", |_| {
                    future(futures_intrusive::sync::Mutex::new((), false), |lock| lock.lock())
                }),
            size("reentrant lock")
                .ours(|_| bytes(|| bifrons::ReentrantLock::new(())))
                .peer("parking_lot", |_| bytes(|| parking_lot_latest::ReentrantMutex::new(())))
                .peer("usync", |_| bytes(|| usync::ReentrantMutex::new(()))),
            size("semaphore")
                .ours(|_| bytes(|| bifrons::Semaphore::new(0)))
                .peer("saa", |_| bytes(saa::Semaphore::new))
                .peer("async-lock", |_| bytes(|| async_lock::Semaphore::new(0)))
                .peer("tokio", |_| bytes(|| tokio::sync::Semaphore::new(0)))
                .peer("mea", |_| bytes(|| mea::semaphore::Semaphore::new(0)))
                .peer("futures-intrusive", |_| {
                    bytes(|| futures_intrusive::sync::Semaphore::new(true, 0))
                }),
            size("future of semaphore")
                .ours(|_| future(bifrons::Semaphore::new(0), |all| all.acquire_async()))
                .peer("saa", |_| future(saa::Semaphore::new(), |all| all.acquire_async()))
                .peer("async-lock", |_| future(async_lock::Semaphore::new(0), |all| all.acquire()))
                .peer("tokio", |_| future(tokio::sync::Semaphore::new(0), |all| all.acquire()))
                .peer("mea", |_| future(mea::semaphore::Semaphore::new(0), |all| all.acquire(1)))
                .peer("futures-intrusive", |_| {
                    future(futures_intrusive::sync::Semaphore::new(true, 0), |all| all.acquire(1))
                }),
            size("event")
                .ours(|_| bytes(bifrons::Event::new))
                .peer("saa", |_| bytes(saa::Gate::new))
                .peer("event-listener", |_| bytes(event_listener::Event::<()>::new))
                .peer("tokio", |_| bytes(tokio::sync::Notify::new))
                .peer("mea", |_| bytes(|| mea::latch::Latch::new(1)))
                .peer("futures-intrusive", |_| {
                    bytes(|| futures_intrusive::sync::ManualResetEvent::new(false))
                }),
            size("future of event")
                .ours(|_| future(bifrons::Event::new(), |event| event.wait_async()))
                .peer("saa", |_| future(saa::Gate::new(), |gate| gate.enter_async()))
                .peer("tokio", |_| future(tokio::sync::Notify::new(), |all| all.notified()))
                .peer("mea", |_| future(mea::latch::Latch::new(1), |latch| latch.wait()))
                .peer("futures-intrusive", |_| {
                    future(futures_intrusive::sync::ManualResetEvent::new(false), |all| all.wait())
                }),
            size("future of a pop")
                .ours(|_| future(bifrons::BoundedQueue::<u32>::new(1), |all| all.pop_async()))
                .peer("async-channel", |_| {
                    future(async_channel::bounded::<u32>(1), |(_, all)| all.recv())
                })
                .peer("crossfire", |_| {
                    future(crossfire::mpmc::bounded_async::<u32>(1), |(_, all)| all.recv())
                })
                .peer("kanal", |_| future(kanal::bounded_async::<u32>(1), |(_, all)| all.recv()))
                .peer("flume", |_| future(flume::bounded::<u32>(1), |(_, all)| all.recv_async()))
                .peer("tokio", |_| {
                    let (_sender, mut receiver) = tokio::sync::mpsc::channel::<u32>(1);
                    size_of_val(&receiver.recv()) as f64
                }),
        ]
    }
}
