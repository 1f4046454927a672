//! One call that frees all who wait.
//!
//! ```text
//! cargo bench --bench broadcast
//! ```

#![allow(clippy::incompatible_msrv, reason = "a peer that is younger than our oldest compiler")]

#[cfg(not(loom))]
mod adapters;
#[cfg(not(loom))]
mod harness;

#[cfg(loom)]
fn main() {}

#[cfg(not(loom))]
fn main() {
    harness::run("broadcast", scenarios::rows());
}

#[cfg(not(loom))]
mod scenarios {
    use crate::adapters::{
        Gate, IntrusiveEvent, Listened, OurFlag, ParkingLotFlag, StdFlag, UsyncFlag, contenders,
    };
    use crate::harness::{Row, Unit, nanoseconds, runtime, threads};
    use std::future::Future;
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
    use std::sync::{Arc, Barrier, Mutex};
    use std::task::{Context, Waker};
    use std::time::{Duration, Instant};

    /// What futures wait for together.
    trait Crowd: Send + Sync + 'static {
        fn gather() -> Self;
        fn wait(&self) -> impl Future<Output: Send> + Send;
        fn free(&self);
        /// Makes the next ones wait.
        fn again(&mut self);
    }

    macro_rules! crowds {
        ($($crowd:ty: $gather:expr, |$this:ident| $wait:expr, $free:expr $(, $again:expr)?;)*) => {
            $(impl Crowd for $crowd {
                fn gather() -> Self {
                    $gather
                }

                fn wait(&self) -> impl Future<Output: Send> + Send {
                    let $this = self;
                    $wait
                }

                fn free(&self) {
                    let $this = self;
                    $free;
                }

                fn again(&mut self) {
                    $({
                        let $this = self;
                        $again;
                    })?
                }
            })*
        };
    }

    struct OfMea(mea::mutex::Mutex<()>, mea::condvar::Condvar);

    /// Waiters for the items of a channel, and the sender that all hang on.
    struct Senders<S, R>(Mutex<Option<S>>, R);

    impl<S, R> Senders<S, R> {
        fn of((sender, receiver): (S, R)) -> Self {
            Self(Mutex::new(Some(sender)), receiver)
        }

        fn leave(&self) {
            drop(self.0.lock().unwrap().take());
        }
    }

    type Array = crossfire::mpmc::Array<u64>;
    type OfCrossfire = Senders<crossfire::MAsyncTx<Array>, crossfire::MAsyncRx<Array>>;
    type OfFlume = Senders<flume::Sender<u64>, flume::Receiver<u64>>;

    crowds! {
        bifrons::Event: Self::new(), |event| event.wait_async(), event.set(), event.clear();
        futures_intrusive::sync::ManualResetEvent: Self::new(false), |event|
            event.wait(), event.set(), event.reset();
        event_listener::Event: Self::new(), |event|
            async move {
                event_listener::listener!(event => listener);
                listener.await
            },
            event.notify(usize::MAX);
        mea::latch::Latch: Self::new(1), |latch| latch.wait(), latch.count_down(), *latch = Self::gather();
        tokio::sync::Notify: Self::new(), |notify| notify.notified(), notify.notify_waiters();
        (bifrons::Lock<()>, bifrons::Condition): Self::default(), |pair|
            async move { drop(pair.1.wait_async(pair.0.lock_async().await).await) },
            pair.1.notify_all();
        OfMea: Self(mea::mutex::Mutex::new(()), mea::condvar::Condvar::new()), |pair|
            async move { drop(pair.1.wait(pair.0.lock().await).await) },
            pair.1.notify_all();
        bifrons::BoundedQueue<u64>: Self::new(1), |queue| queue.pop_async(), queue.close(), *queue = Self::gather();
        (kanal::AsyncSender<u64>, kanal::AsyncReceiver<u64>): kanal::bounded_async(1), |ends|
            ends.1.recv(), ends.0.close().unwrap(), *ends = Self::gather();
        (async_channel::Sender<u64>, async_channel::Receiver<u64>): async_channel::bounded(1), |ends|
            ends.1.recv(), ends.0.close(), *ends = Self::gather();
        OfFlume: Self::of(flume::bounded(1)), |senders|
            senders.1.recv_async(), senders.leave(), *senders = Self::gather();
        OfCrossfire: Self::of(crossfire::mpmc::bounded_async(1)), |senders|
            senders.1.recv(), senders.leave(), *senders = Self::gather();
    }

    /// Those who wait in a row of futures.
    const CROWD: usize = 10_000;

    pub(super) fn rows() -> Vec<Row> {
        vec![events(), conditions(), queues(), tasks(), threads_at_event(), threads_at_condition()]
    }

    fn events() -> Row {
        let row = Row::new("event, set on 10 000 futures, per waiter", Unit::Nanoseconds).note(
            "futures-intrusive and event-listener call the wakers under their lock, in the walk along \
             the list; one that looks at the event then deadlocks",
        );
        contenders!(row, |C, n| freeing_futures::<C>(n),
            bifrons::Event,
            "futures-intrusive": futures_intrusive::sync::ManualResetEvent,
            "event-listener": event_listener::Event,
            "mea Latch": mea::latch::Latch,
            "tokio Notify": tokio::sync::Notify,
        )
    }

    fn conditions() -> Row {
        let name = "condition, notify_all on 10 000 futures, per waiter";
        contenders!(Row::new(name, Unit::Nanoseconds), |C, n| freeing_futures::<C>(n),
            (bifrons::Lock<()>, bifrons::Condition),
            "mea": OfMea,
        )
    }

    fn queues() -> Row {
        let row = Row::new("queue, close on 10 000 futures, per waiter", Unit::Nanoseconds);
        contenders!(row, |C, n| freeing_futures::<C>(n),
            bifrons::BoundedQueue<u64>,
            "kanal": (kanal::AsyncSender<u64>, kanal::AsyncReceiver<u64>),
            "async-channel": (async_channel::Sender<u64>, async_channel::Receiver<u64>),
            "flume": OfFlume,
            "crossfire": OfCrossfire,
        )
    }

    /// Nanoseconds per waiter of the one call; that all are free after it is not timed.
    fn freeing_futures<C: Crowd>(n: u64) -> f64 {
        let rounds = n / CROWD as u64 + 1;
        let mut cx = Context::from_waker(Waker::noop());
        let mut spent = Duration::ZERO;
        let mut crowd = C::gather();
        for _ in 0..rounds {
            let mut waiters: Vec<_> = (0..CROWD).map(|_| Box::pin(crowd.wait())).collect();
            for waiter in &mut waiters {
                assert!(waiter.as_mut().poll(&mut cx).is_pending());
            }
            let start = Instant::now();
            crowd.free();
            spent += start.elapsed();
            for waiter in &mut waiters {
                assert!(waiter.as_mut().poll(&mut cx).is_ready());
            }
            drop(waiters);
            crowd.again();
        }
        nanoseconds(spent, rounds * CROWD as u64)
    }

    fn tasks() -> Row {
        let name = "event, set on 10 000 tasks of one thread until all ran, per waiter";
        contenders!(Row::new(name, Unit::Nanoseconds), |C, n| freeing_tasks::<C>(n),
            bifrons::Event,
            "futures-intrusive": futures_intrusive::sync::ManualResetEvent,
            "event-listener": event_listener::Event,
            "mea Latch": mea::latch::Latch,
            "tokio Notify": tokio::sync::Notify,
        )
    }

    fn freeing_tasks<C: Crowd>(n: u64) -> f64 {
        let (rounds, runtime) = (n / CROWD as u64 + 1, runtime(0));
        let mut spent = Duration::ZERO;
        for _ in 0..rounds {
            runtime.block_on(async {
                let (crowd, here) = (Arc::new(C::gather()), Arc::new(AtomicUsize::new(0)));
                let task = |_| {
                    let (crowd, here) = (Arc::clone(&crowd), Arc::clone(&here));
                    tokio::spawn(async move {
                        here.fetch_add(1, Ordering::Relaxed);
                        crowd.wait().await;
                    })
                };
                let tasks: Vec<_> = (0..CROWD).map(task).collect();
                while here.load(Ordering::Relaxed) < CROWD {
                    tokio::task::yield_now().await;
                }
                let start = Instant::now();
                crowd.free();
                for task in tasks {
                    task.await.expect("no task panics");
                }
                spent += start.elapsed();
            });
        }
        nanoseconds(spent, rounds * CROWD as u64)
    }

    fn threads_at_event() -> Row {
        let row = Row::new("event, set until 8 blocked threads ran", Unit::Microseconds);
        contenders!(row, |G, n| freeing_threads::<G>(8, n),
            bifrons::Event,
            "parking_lot mutex and condvar": ParkingLotFlag,
            "std mutex and condvar": StdFlag,
            "usync mutex and condvar": UsyncFlag,
            "event-listener and flag": Listened,
            "futures-intrusive (block_on)": IntrusiveEvent,
        )
    }

    fn threads_at_condition() -> Row {
        let row = Row::new("condition, notify_all until 8 blocked threads ran", Unit::Microseconds);
        contenders!(row, |G, n| freeing_threads::<G>(8, n),
            OurFlag,
            "parking_lot": ParkingLotFlag,
            "std": StdFlag,
            "usync": UsyncFlag,
        )
    }

    /// Microseconds from the call to the moment when the last thread is through.
    fn freeing_threads<G: Gate>(count: usize, rounds: u64) -> f64 {
        let (gate, barrier, base) = (G::default(), Barrier::new(count + 1), Instant::now());
        let (last, spent) = (AtomicU64::new(0), AtomicU64::new(0));
        let now = || base.elapsed().as_nanos() as u64;
        threads(count + 1, |index| {
            for _ in 0..rounds {
                if index < count {
                    gate.go_through();
                    last.fetch_max(now(), Ordering::Relaxed);
                    barrier.wait();
                } else {
                    // Long enough for the others to fall asleep.
                    std::thread::sleep(Duration::from_micros(300));
                    let start = now();
                    gate.open();
                    barrier.wait();
                    gate.shut();
                    spent.fetch_add(last.load(Ordering::Relaxed) - start, Ordering::Relaxed);
                }
                barrier.wait();
            }
        });
        spent.into_inner() as f64 / rounds as f64 / 1e3
    }
}
