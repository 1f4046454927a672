//! What one party passes and the other waits for: an event, a condition, a permit, an item.

use super::block_on;
use super::semaphore::{AsyncSemaphore, BlockingSemaphore};
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering};

/// Passed, it stays until it was waited for.
pub(crate) trait Baton: Default + Send + Sync + 'static {
    fn pass(&self);
    fn wait(&self);
}

pub(crate) trait AsyncBaton: Default + Send + Sync + 'static {
    fn pass_async(&self) -> impl Future<Output = ()> + Send;
    fn wait_async(&self) -> impl Future<Output = ()> + Send;
}

macro_rules! blocking {
    ($([$($generics:tt)*] $baton:ty: |$this:ident| $pass:expr, $wait:expr;)*) => {
        $(impl<$($generics)*> Baton for $baton {
            fn pass(&self) {
                let $this = self;
                $pass;
            }

            fn wait(&self) {
                let $this = self;
                $wait;
            }
        })*
    };
}

macro_rules! tasks {
    ($([$($generics:tt)*] $baton:ty: |$this:ident| $pass:expr, $wait:expr;)*) => {
        $(impl<$($generics)*> AsyncBaton for $baton {
            async fn pass_async(&self) {
                let $this = self;
                $pass;
            }

            async fn wait_async(&self) {
                let $this = self;
                $wait;
            }
        })*
    };
}

/// A flag in a mutex, and a condition variable or the like.
#[derive(Default)]
pub(crate) struct Flag<M, C> {
    pub(super) raised: M,
    pub(super) changed: C,
}

pub(crate) type OurFlag = Flag<bifrons::Lock<bool>, bifrons::Condition>;
pub(crate) type StdFlag = Flag<std::sync::Mutex<bool>, std::sync::Condvar>;
pub(crate) type ParkingLotFlag = Flag<parking_lot_latest::Mutex<bool>, parking_lot_latest::Condvar>;
pub(crate) type UsyncFlag = Flag<usync::Mutex<bool>, usync::Condvar>;
pub(crate) type MeaFlag = Flag<mea::mutex::Mutex<bool>, CondvarOfMea>;
pub(crate) type TokioFlag = Flag<tokio::sync::Mutex<bool>, tokio::sync::Notify>;

/// It has no `Default`.
pub(crate) struct CondvarOfMea(mea::condvar::Condvar);

impl Default for CondvarOfMea {
    fn default() -> Self {
        Self(mea::condvar::Condvar::new())
    }
}

/// A flag beside event-listener's event.
#[derive(Default)]
pub(crate) struct Listened {
    pub(super) raised: AtomicBool,
    pub(super) event: event_listener::Event,
}

impl Listened {
    fn pass(&self) {
        self.raised.store(true, Ordering::Release);
        self.event.notify(1);
    }

    fn lower(&self) -> bool {
        self.raised.swap(false, Ordering::Acquire)
    }
}

/// futures-intrusive's event.
pub(crate) struct Intrusive(pub(super) futures_intrusive::sync::ManualResetEvent);

impl Default for Intrusive {
    fn default() -> Self {
        Self(futures_intrusive::sync::ManualResetEvent::new(false))
    }
}

/// A semaphore without a permit.
pub(crate) struct Permits<S>(S);

impl<S: BlockingSemaphore> Default for Permits<S> {
    fn default() -> Self {
        Self(S::with(0))
    }
}

/// The two ends of a channel for one item.
pub(crate) struct Channel<S, R> {
    sender: S,
    receiver: R,
}

/// A queue for one item.
pub(crate) struct OurQueue(bifrons::BoundedQueue<u64>);

impl Default for OurQueue {
    fn default() -> Self {
        Self(bifrons::BoundedQueue::new(1))
    }
}

pub(crate) type Crossbeam =
    Channel<crossbeam_channel::Sender<u64>, crossbeam_channel::Receiver<u64>>;
pub(crate) type Kanal = Channel<kanal::Sender<u64>, kanal::Receiver<u64>>;
pub(crate) type Flume = Channel<flume::Sender<u64>, flume::Receiver<u64>>;
pub(crate) type AsyncChannel = Channel<async_channel::Sender<u64>, async_channel::Receiver<u64>>;
type CrossfireArray = crossfire::mpmc::Array<u64>;
pub(crate) type Crossfire = Channel<crossfire::MTx<CrossfireArray>, crossfire::MRx<CrossfireArray>>;
pub(crate) type AsyncCrossfire =
    Channel<crossfire::MAsyncTx<CrossfireArray>, crossfire::MAsyncRx<CrossfireArray>>;

/// From a thread to a task, and from a task to a thread: in crossfire these are different types.
#[derive(Default)]
pub(crate) struct MixedCrossfire {
    to_task: ToTask,
    to_thread: ToThread,
}

type ToTask = Channel<crossfire::MTx<CrossfireArray>, crossfire::MAsyncRx<CrossfireArray>>;
type ToThread = Channel<crossfire::MAsyncTx<CrossfireArray>, crossfire::MRx<CrossfireArray>>;

/// Its receiver wants to be borrowed mutably; the lock around it is always free.
pub(crate) type TokioChannel = Channel<
    tokio::sync::mpsc::Sender<u64>,
    parking_lot_latest::Mutex<tokio::sync::mpsc::Receiver<u64>>,
>;

macro_rules! channels {
    ($($channel:ty: $new:expr;)*) => {
        $(impl Default for $channel {
            fn default() -> Self {
                let (sender, receiver) = $new;
                Self { sender, receiver }
            }
        })*
    };
}

channels! {
    Crossbeam: crossbeam_channel::bounded(1);
    Kanal: kanal::bounded(1);
    Flume: flume::bounded(1);
    AsyncChannel: async_channel::bounded(1);
    Crossfire: crossfire::mpmc::bounded_blocking(1);
    AsyncCrossfire: crossfire::mpmc::bounded_async(1);
    ToTask: crossfire::mpmc::bounded_blocking_async(1);
    ToThread: crossfire::mpmc::bounded_async_blocking(1);
    TokioChannel: {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        (sender, receiver.into())
    };
}

blocking! {
    [] bifrons::Event: |event| event.set(), { event.wait(); event.clear() };
    [] OurFlag: |flag|
        { *flag.raised.lock() = true; flag.changed.notify_one() },
        *flag.changed.wait_while(flag.raised.lock(), |raised| !*raised) = false;
    [] StdFlag: |flag|
        { *flag.raised.lock().unwrap() = true; flag.changed.notify_one() },
        {
            let raised = flag.raised.lock().unwrap();
            *flag.changed.wait_while(raised, |raised| !*raised).unwrap() = false
        };
    [] ParkingLotFlag: |flag|
        { *flag.raised.lock() = true; flag.changed.notify_one() },
        {
            let mut raised = flag.raised.lock();
            flag.changed.wait_while(&mut raised, |raised| !*raised);
            *raised = false
        };
    [] UsyncFlag: |flag|
        { *flag.raised.lock() = true; flag.changed.notify_one() },
        {
            let mut raised = flag.raised.lock();
            while !*raised {
                flag.changed.wait(&mut raised);
            }
            *raised = false
        };
    [] tokio::sync::Notify: |notify| notify.notify_one(), block_on(notify.notified());
    [] Listened: |listened| listened.pass(), {
        use event_listener::Listener;
        while !listened.lower() {
            event_listener::listener!(listened.event => listener);
            if listened.lower() {
                return;
            }
            listener.wait();
        }
    };
    [] Intrusive: |event| event.0.set(), { block_on(event.0.wait()); event.0.reset() };
    [S: BlockingSemaphore] Permits<S>: |permits| permits.0.give(), permits.0.take();
    [] OurQueue: |queue| queue.0.push(1).unwrap(), queue.0.pop().unwrap();
    [] Crossbeam: |it| it.sender.send(1).unwrap(), it.receiver.recv().unwrap();
    [] Kanal: |it| it.sender.send(1).unwrap(), it.receiver.recv().unwrap();
    [] Flume: |it| it.sender.send(1).unwrap(), it.receiver.recv().unwrap();
    [] AsyncChannel: |it|
        it.sender.send_blocking(1).unwrap(), it.receiver.recv_blocking().unwrap();
    [] Crossfire: |it| it.sender.send(1).unwrap(), it.receiver.recv().unwrap();
    [] MixedCrossfire: |it| it.to_task.sender.send(1).unwrap(), it.to_thread.receiver.recv().unwrap();
    [] TokioChannel: |it|
        it.sender.blocking_send(1).unwrap(), it.receiver.lock().blocking_recv().unwrap();
}

tasks! {
    [] bifrons::Event: |event| event.set(), { event.wait_async().await; event.clear() };
    [] OurFlag: |flag|
        { *flag.raised.lock_async().await = true; flag.changed.notify_one() },
        {
            let raised = flag.raised.lock_async().await;
            *flag.changed.wait_while_async(raised, |raised| !*raised).await = false
        };
    [] MeaFlag: |flag|
        { *flag.raised.lock().await = true; flag.changed.0.notify_one() },
        {
            let raised = flag.raised.lock().await;
            *flag.changed.0.wait_while(raised, |raised| !*raised).await = false
        };
    [] TokioFlag: |flag|
        { *flag.raised.lock().await = true; flag.changed.notify_one() },
        loop {
            let mut raised = flag.raised.lock().await;
            if *raised {
                *raised = false;
                return;
            }
            drop(raised);
            flag.changed.notified().await;
        };
    [] tokio::sync::Notify: |notify| notify.notify_one(), notify.notified().await;
    [] Listened: |listened| listened.pass(), {
        while !listened.lower() {
            event_listener::listener!(listened.event => listener);
            if listened.lower() {
                return;
            }
            listener.await;
        }
    };
    [] Intrusive: |event| event.0.set(), { event.0.wait().await; event.0.reset() };
    [S: AsyncSemaphore] Permits<S>: |permits| permits.0.give(), permits.0.take_async().await;
    [] OurQueue: |queue| queue.0.push_async(1).await.unwrap(), queue.0.pop_async().await.unwrap();
    [] Kanal: |it|
        it.sender.as_async().send(1).await.unwrap(),
        it.receiver.as_async().recv().await.unwrap();
    [] Flume: |it|
        it.sender.send_async(1).await.unwrap(), it.receiver.recv_async().await.unwrap();
    [] AsyncChannel: |it| it.sender.send(1).await.unwrap(), it.receiver.recv().await.unwrap();
    [] AsyncCrossfire: |it| it.sender.send(1).await.unwrap(), it.receiver.recv().await.unwrap();
    [] MixedCrossfire: |it|
        it.to_thread.sender.send(1).await.unwrap(), it.to_task.receiver.recv().await.unwrap();
    [] TokioChannel: |it|
        it.sender.send(1).await.unwrap(),
        poll_fn(|cx| it.receiver.lock().poll_recv(cx)).await.unwrap();
}
