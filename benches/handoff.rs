//! Round trips of two parties, of which one always waits for the other.
//!
//! ```text
//! cargo bench --bench handoff
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
    harness::run("handoff", scenarios::rows());
}

#[cfg(not(loom))]
mod scenarios {
    use crate::adapters::{
        AsyncBaton, AsyncChannel, AsyncCrossfire, Baton, CondvarSemaphore, Crossbeam, Crossfire,
        FairIntrusiveSemaphore, Flume, IntrusiveEvent, IntrusiveSemaphore, Kanal, Listened,
        MeaFlag, OurFlag, OurQueue, ParkingLotFlag, Permits, StdFlag, TokioFlag, UsyncFlag,
        contenders,
    };
    use crate::harness::{Placement, Row, Unit, nanoseconds, spin, tasks, threads};
    use futures::future::Either;
    use std::future::Future;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;
    use std::{fs, thread};

    /// What one of two parties holds.
    trait End: Send + Sized + 'static {
        fn pair() -> (Self, Self);
        fn pass(&mut self);
        fn wait(&mut self);
    }

    trait AsyncEnd: Send + Sized + 'static {
        fn pair() -> (Self, Self);
        fn pass(&mut self) -> impl Future<Output = ()> + Send;
        fn wait(&mut self) -> impl Future<Output = ()> + Send;
    }

    /// One baton there, one back.
    struct Batons<B> {
        outgoing: Arc<B>,
        incoming: Arc<B>,
    }

    impl<B: Default> Batons<B> {
        fn pair() -> (Self, Self) {
            let [there, back] = [(); 2].map(|()| Arc::new(B::default()));
            let other = Self { outgoing: Arc::clone(&back), incoming: Arc::clone(&there) };
            (Self { outgoing: there, incoming: back }, other)
        }
    }

    impl<B: Baton> End for Batons<B> {
        fn pair() -> (Self, Self) {
            Self::pair()
        }

        fn pass(&mut self) {
            self.outgoing.pass();
        }

        fn wait(&mut self) {
            self.incoming.wait();
        }
    }

    impl<B: AsyncBaton> AsyncEnd for Batons<B> {
        fn pair() -> (Self, Self) {
            Self::pair()
        }

        fn pass(&mut self) -> impl Future<Output = ()> + Send {
            self.outgoing.pass_async()
        }

        fn wait(&mut self) -> impl Future<Output = ()> + Send {
            self.incoming.wait_async()
        }
    }

    /// Room for so many messages each way; no more than one is ever there.
    const ROOM: usize = 64;

    /// The sender of one channel and the receiver of another, for so many messages.
    struct Link<S, R, const CAPACITY: usize = ROOM> {
        sender: S,
        receiver: R,
    }

    fn crossed<S, R, const CAPACITY: usize>(
        channel: impl Fn(usize) -> (S, R),
    ) -> (Link<S, R, CAPACITY>, Link<S, R, CAPACITY>) {
        let ((there, from_there), (back, from_back)) = (channel(CAPACITY), channel(CAPACITY));
        (Link { sender: there, receiver: from_back }, Link { sender: back, receiver: from_there })
    }

    macro_rules! ends {
        ($($end:ty: $pair:expr, |$this:ident| $pass:expr, $wait:expr;)*) => {
            $(impl End for $end {
                fn pair() -> (Self, Self) {
                    $pair
                }

                fn pass(&mut self) {
                    let $this = self;
                    $pass;
                }

                fn wait(&mut self) {
                    let $this = self;
                    $wait;
                }
            })*
        };
    }

    macro_rules! async_ends {
        ($([$($generics:tt)*] $end:ty: $pair:expr, |$this:ident| $pass:expr, $wait:expr;)*) => {
            $(impl<$($generics)*> AsyncEnd for $end {
                fn pair() -> (Self, Self) {
                    $pair
                }

                async fn pass(&mut self) {
                    let $this = self;
                    $pass;
                }

                async fn wait(&mut self) {
                    let $this = self;
                    $wait;
                }
            })*
        };
    }

    type Ours = bifrons::pipe::Connection<u64, u64>;
    type OfKanal = Link<kanal::Sender<u64>, kanal::Receiver<u64>>;
    type OfCrossbeam = Link<crossbeam_channel::Sender<u64>, crossbeam_channel::Receiver<u64>>;
    type OfFlume = Link<flume::Sender<u64>, flume::Receiver<u64>>;
    type OfTokio<const CAPACITY: usize = ROOM> =
        Link<tokio::sync::mpsc::Sender<u64>, tokio::sync::mpsc::Receiver<u64>, CAPACITY>;
    type OfStd = Link<std::sync::mpsc::SyncSender<u64>, std::sync::mpsc::Receiver<u64>>;
    type OfRtrb = Link<rtrb::Producer<u64>, rtrb::Consumer<u64>>;
    type Array = crossfire::spsc::Array<u64>;
    type OfCrossfire = Link<crossfire::Tx<Array>, crossfire::Rx<Array>>;
    type OfAsyncCrossfire = Link<crossfire::AsyncTx<Array>, crossfire::AsyncRx<Array>>;

    ends! {
        Ours: bifrons::pipe::duplex(ROOM), |end| end.send(1).unwrap(), end.recv().unwrap();
        OfKanal: crossed(kanal::bounded), |link|
            link.sender.send(1).unwrap(), link.receiver.recv().unwrap();
        OfCrossbeam: crossed(crossbeam_channel::bounded), |link|
            link.sender.send(1).unwrap(), link.receiver.recv().unwrap();
        OfFlume: crossed(flume::bounded), |link|
            link.sender.send(1).unwrap(), link.receiver.recv().unwrap();
        OfTokio: crossed(tokio::sync::mpsc::channel), |link|
            link.sender.blocking_send(1).unwrap(), link.receiver.blocking_recv().unwrap();
        OfStd: crossed(std::sync::mpsc::sync_channel), |link|
            link.sender.send(1).unwrap(), link.receiver.recv().unwrap();
        OfCrossfire: crossed(crossfire::spsc::bounded_blocking), |link|
            link.sender.send(1).unwrap(), link.receiver.recv().unwrap();
        OfRtrb: crossed(rtrb::RingBuffer::new), |link|
            link.sender.push(1).unwrap(),
            while link.receiver.pop().is_err() {
                spin();
            };
    }

    async_ends! {
        [] Ours: bifrons::pipe::duplex(ROOM), |end|
            end.send_async(1).await.unwrap(), end.recv_async().await.unwrap();
        [] OfKanal: crossed(kanal::bounded), |link|
            link.sender.as_async().send(1).await.unwrap(),
            link.receiver.as_async().recv().await.unwrap();
        [] OfFlume: crossed(flume::bounded), |link|
            link.sender.send_async(1).await.unwrap(), link.receiver.recv_async().await.unwrap();
        [const CAPACITY: usize] OfTokio<CAPACITY>: crossed(tokio::sync::mpsc::channel), |link|
            link.sender.send(1).await.unwrap(), link.receiver.recv().await.unwrap();
        [] OfAsyncCrossfire: crossed(crossfire::spsc::bounded_async), |link|
            link.sender.send(1).await.unwrap(), link.receiver.recv().await.unwrap();
    }

    /// Nanoseconds per round trip of two threads.
    fn of_threads<E: End>(n: u64) -> f64 {
        let (first, second) = E::pair();
        let ends = [first, second].map(|end| Mutex::new(Some(end)));
        let taken = threads(2, |index| {
            let mut end = ends[index].lock().unwrap().take().expect("each thread takes its own");
            if index == 0 {
                end.pass();
            }
            for _ in 1..n {
                end.wait();
                end.pass();
            }
            end.wait();
            if index == 1 {
                end.pass();
            }
        });
        nanoseconds(taken, n)
    }

    /// Nanoseconds per round trip of two tasks.
    fn of_tasks<E: AsyncEnd>(workers: usize, n: u64) -> f64 {
        let (mut first, mut second) = E::pair();
        let there = async move {
            for _ in 0..n {
                first.pass().await;
                first.wait().await;
            }
        };
        let back = async move {
            for _ in 0..n {
                second.wait().await;
                second.pass().await;
            }
        };
        nanoseconds(tasks(workers, [Either::Left(there), Either::Right(back)]), n)
    }

    const ONE_AND_TWO: [Placement; 2] = [Placement::OneCpu, Placement::TwoCpus];

    /// Runtimes of one thread, and of two workers on a CPU each.
    const CURRENT_AND_TWO: [(&str, usize, Placement); 2] =
        [("one thread", 0, Placement::Free), ("2 workers", 2, Placement::TwoCpus)];

    fn round_trips(what: &str, who: &str) -> Row {
        Row::new(format!("{what}, ping-pong of {who}"), Unit::Nanoseconds)
    }

    pub(super) fn rows() -> Vec<Row> {
        let mut rows = Vec::new();
        for threads in [events, conditions, semaphores, queues, pipes] {
            rows.extend(ONE_AND_TWO.map(threads));
        }
        for threads in [events, conditions, semaphores, queues, pipes] {
            rows.push(threads(Placement::BusyCpu));
        }
        rows.extend(cfg!(target_os = "linux").then(cpu_of_waits));
        for tasks in [events_async, conditions_async, semaphores_async, queues_async, pipes_async] {
            rows.extend(CURRENT_AND_TWO.map(|(runtime, workers, placement)| {
                tasks(&format!("tasks on {runtime}"), workers).on(placement)
            }));
        }
        rows
    }

    fn events(placement: Placement) -> Row {
        let row = round_trips("event", "threads").on(placement);
        contenders!(row, |B, n| of_threads::<Batons<B>>(n),
            bifrons::Event,
            "parking_lot mutex and condvar": ParkingLotFlag,
            "std mutex and condvar": StdFlag,
            "usync mutex and condvar": UsyncFlag,
            "tokio Notify (block_on)": tokio::sync::Notify,
            "event-listener and flag": Listened,
            "futures-intrusive (block_on)": IntrusiveEvent,
        )
    }

    /// What a thread uses of the CPU while it waits.
    fn cpu_of_waits() -> Row {
        let row = Row::new("event, CPU time of a wait of 10 ms", Unit::Microseconds)
            .outside("a bound, not a race: ours spins for a few, and yields a few times");
        contenders!(row, |B, _n| cpu_of_a_wait::<B>(),
            bifrons::Event,
            "parking_lot mutex and condvar": ParkingLotFlag,
            "std mutex and condvar": StdFlag,
            "usync mutex and condvar": UsyncFlag,
            "event-listener and flag": Listened,
        )
    }

    fn cpu_of_a_wait<B: Baton>() -> f64 {
        const WAITS: u32 = 8;
        let baton = Arc::new(B::default());
        let other = Arc::clone(&baton);
        let waiter = thread::spawn(move || {
            let before = cpu_time();
            (0..WAITS).for_each(|_| other.wait());
            cpu_time() - before
        });
        for _ in 0..WAITS {
            thread::sleep(Duration::from_millis(10));
            baton.pass();
        }
        let used = waiter.join().expect("the thread waits and ends");
        used / f64::from(WAITS)
    }

    /// Of this thread, in microseconds, as Linux counts it.
    fn cpu_time() -> f64 {
        let counts = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux counts");
        let nanoseconds = counts.split(' ').next().and_then(|count| count.parse().ok());
        nanoseconds.map_or(f64::NAN, |count: f64| count / 1000.0)
    }

    fn conditions(placement: Placement) -> Row {
        let row = round_trips("condition", "threads").on(placement);
        contenders!(row, |B, n| of_threads::<Batons<B>>(n),
            OurFlag,
            "parking_lot": ParkingLotFlag,
            "std": StdFlag,
            "usync": UsyncFlag,
        )
    }

    fn semaphores(placement: Placement) -> Row {
        let row = round_trips("semaphore", "threads").on(placement);
        contenders!(row, |S, n| of_threads::<Batons<Permits<S>>>(n),
            bifrons::Semaphore,
            "parking_lot mutex and condvar": CondvarSemaphore,
            "saa": saa::Semaphore,
            "async-lock": async_lock::Semaphore,
            "tokio (block_on)": tokio::sync::Semaphore,
            "mea (block_on)": mea::semaphore::Semaphore,
            "futures-intrusive (block_on)": FairIntrusiveSemaphore,
        )
        .reference(
            "futures-intrusive (block_on, not FIFO)",
            of_threads::<Batons<Permits<IntrusiveSemaphore>>>,
        )
    }

    fn queues(placement: Placement) -> Row {
        let row = round_trips("queue, capacity 1", "threads").on(placement);
        contenders!(row, |B, n| of_threads::<Batons<B>>(n),
            OurQueue,
            "crossbeam-channel": Crossbeam,
            "kanal": Kanal,
            "flume": Flume,
            "crossfire": Crossfire,
            "async-channel": AsyncChannel,
        )
    }

    fn pipes(placement: Placement) -> Row {
        let row = round_trips("pipe, duplex", "threads").on(placement);
        contenders!(row, |E, n| of_threads::<E>(n),
            Ours,
            "crossbeam-channel": OfCrossbeam,
            "kanal": OfKanal,
            "crossfire": OfCrossfire,
            "flume": OfFlume,
            "tokio": OfTokio,
            "std": OfStd,
        )
        .reference("rtrb (spins)", of_threads::<OfRtrb>)
    }

    fn events_async(who: &str, workers: usize) -> Row {
        contenders!(round_trips("event", who), |B, n| of_tasks::<Batons<B>>(workers, n),
            bifrons::Event,
            "futures-intrusive": IntrusiveEvent,
            "tokio Notify": tokio::sync::Notify,
            "event-listener and flag": Listened,
        )
    }

    fn conditions_async(who: &str, workers: usize) -> Row {
        contenders!(round_trips("condition", who), |B, n| of_tasks::<Batons<B>>(workers, n),
            OurFlag,
            "tokio Mutex and Notify": TokioFlag,
            "mea": MeaFlag,
        )
    }

    fn semaphores_async(who: &str, workers: usize) -> Row {
        contenders!(round_trips("semaphore", who), |S, n| of_tasks::<Batons<Permits<S>>>(workers, n),
            bifrons::Semaphore,
            "futures-intrusive": FairIntrusiveSemaphore,
            "tokio": tokio::sync::Semaphore,
            "mea": mea::semaphore::Semaphore,
            "async-lock": async_lock::Semaphore,
            "saa": saa::Semaphore,
        )
        .reference("futures-intrusive (not FIFO)", move |n| {
            of_tasks::<Batons<Permits<IntrusiveSemaphore>>>(workers, n)
        })
    }

    /// kanal hands an item into the future that waits, and a cancel loses it.
    fn queues_async(who: &str, workers: usize) -> Row {
        let row = round_trips("queue, capacity 1", who);
        contenders!(row, |B, n| of_tasks::<Batons<B>>(workers, n),
            OurQueue,
            "flume": Flume,
            "crossfire": AsyncCrossfire,
            "async-channel": AsyncChannel,
        )
        .peer("tokio mpsc", move |n| of_tasks::<OfTokio<1>>(workers, n))
        .reference("kanal (a cancel loses items)", move |n| of_tasks::<Batons<Kanal>>(workers, n))
    }

    fn pipes_async(who: &str, workers: usize) -> Row {
        contenders!(round_trips("pipe, duplex", who), |E, n| of_tasks::<E>(workers, n),
            Ours,
            "kanal": OfKanal,
            "tokio": OfTokio,
            "flume": OfFlume,
            "crossfire": OfAsyncCrossfire,
        )
        .note("kanal hands the message into the future that waits, and a cancel drops it")
    }
}
