//! The ends of every channel under one pair of names, and the loops that move items through them.

#![allow(dead_code, reason = "each bench uses its share")]

use crate::harness::{Span, mops, runtime, spin, threads_beside, threads_of};
use bifrons::{BoundedQueue, pipe};
use crossfire::{mpmc, mpsc, spsc};
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::mpsc as tokio_mpsc;
use tokio::task::JoinHandle;

pub(crate) trait Put: Send + 'static {
    fn put(&mut self, item: u64);
}

pub(crate) trait Take: Send + 'static {
    fn take(&mut self) -> u64;
}

pub(crate) trait PutAsync: Send + 'static {
    fn put_async(&mut self, item: u64) -> impl Future<Output = ()> + Send;
}

pub(crate) trait TakeAsync: Send + 'static {
    fn take_async(&mut self) -> impl Future<Output = u64> + Send;
}

macro_rules! blocking {
    ($($put:ident: $sender:ty, $take:ident: $receiver:ty;)*) => {$(
        impl Put for $sender {
            fn put(&mut self, item: u64) {
                self.$put(item).expect("the channel is open");
            }
        }

        impl Take for $receiver {
            fn take(&mut self) -> u64 {
                self.$take().expect("the channel is open")
            }
        }
    )*};
}

blocking! {
    push: Arc<BoundedQueue<u64>>, pop: Arc<BoundedQueue<u64>>;
    send: pipe::Sender<u64>, recv: pipe::Receiver<u64>;
    send_blocking: async_channel::Sender<u64>, recv_blocking: async_channel::Receiver<u64>;
    send: crossbeam_channel::Sender<u64>, recv: crossbeam_channel::Receiver<u64>;
    send: crossfire::MTx<mpmc::Array<u64>>, recv: crossfire::MRx<mpmc::Array<u64>>;
    send: crossfire::MTx<mpsc::Array<u64>>, recv: crossfire::Rx<mpsc::Array<u64>>;
    send: crossfire::Tx<spsc::Array<u64>>, recv: crossfire::Rx<spsc::Array<u64>>;
    send: flume::Sender<u64>, recv: flume::Receiver<u64>;
    send: kanal::Sender<u64>, recv: kanal::Receiver<u64>;
    send: std_mpsc::SyncSender<u64>, recv: std_mpsc::Receiver<u64>;
}

macro_rules! tasks {
    ($($put:ident: $sender:ty, $take:ident: $receiver:ty;)*) => {$(
        impl PutAsync for $sender {
            async fn put_async(&mut self, item: u64) {
                self.$put(item).await.expect("the channel is open");
            }
        }

        impl TakeAsync for $receiver {
            async fn take_async(&mut self) -> u64 {
                self.$take().await.expect("the channel is open")
            }
        }
    )*};
}

tasks! {
    push_async: Arc<BoundedQueue<u64>>, pop_async: Arc<BoundedQueue<u64>>;
    send_async: pipe::Sender<u64>, recv_async: pipe::Receiver<u64>;
    send: async_channel::Sender<u64>, recv: async_channel::Receiver<u64>;
    send: crossfire::MAsyncTx<mpmc::Array<u64>>, recv: crossfire::MAsyncRx<mpmc::Array<u64>>;
    send: crossfire::MAsyncTx<mpsc::Array<u64>>, recv: crossfire::AsyncRx<mpsc::Array<u64>>;
    send: crossfire::AsyncTx<spsc::Array<u64>>, recv: crossfire::AsyncRx<spsc::Array<u64>>;
    send_async: flume::Sender<u64>, recv_async: flume::Receiver<u64>;
    send: kanal::AsyncSender<u64>, recv: kanal::AsyncReceiver<u64>;
    send: tokio_mpsc::Sender<u64>, recv: tokio_mpsc::Receiver<u64>;
}

/// It cannot wait, so it spins.
impl Put for rtrb::Producer<u64> {
    fn put(&mut self, item: u64) {
        while self.push(item).is_err() {
            spin();
        }
    }
}

impl Take for rtrb::Consumer<u64> {
    fn take(&mut self) -> u64 {
        loop {
            match self.pop() {
                Ok(item) => return item,
                Err(_) => spin(),
            }
        }
    }
}

/// So many senders and receivers of one channel.
pub(crate) struct Ends<S, R> {
    pub(crate) senders: Vec<S>,
    pub(crate) receivers: Vec<R>,
}

impl<S, R> Ends<S, R> {
    pub(crate) fn single((sender, receiver): (S, R)) -> Self {
        Self { senders: vec![sender], receivers: vec![receiver] }
    }

    pub(crate) fn many((senders, receivers): (usize, usize), (sender, receiver): (S, R)) -> Self
    where
        S: Clone,
        R: Clone,
    {
        Self { senders: vec![sender; senders], receivers: vec![receiver; receivers] }
    }

    pub(crate) fn many_senders(count: usize, (sender, receiver): (S, R)) -> Self
    where
        S: Clone,
    {
        Self { senders: vec![sender; count], receivers: vec![receiver] }
    }

    /// For each sender and for each receiver, so that all of about `n` items arrive. Nothing is closed:
    /// an end that has moved its share leaves while others may still wait.
    fn shares(&self, n: u64) -> Shares {
        let (senders, receivers) = (self.senders.len() as u64, self.receivers.len() as u64);
        let rounds = n / (senders * receivers) + 1;
        Shares { senders, sends: rounds * receivers, receives: rounds * senders }
    }
}

#[derive(Clone, Copy)]
struct Shares {
    senders: u64,
    sends: u64,
    receives: u64,
}

impl Shares {
    /// The rate, if the sum says that everything arrived.
    fn rate(self, taken: Duration, sums: &[u64]) -> f64 {
        let sent = self.senders * (self.sends * (self.sends - 1) / 2);
        assert_eq!(sums.iter().sum::<u64>(), sent, "the sum of the items");
        mops(taken, self.senders * self.sends)
    }
}

fn put_all(mut sender: impl Put, count: u64) {
    for item in 0..count {
        sender.put(item);
    }
}

fn take_all(mut receiver: impl Take, count: u64) -> u64 {
    (0..count).map(|_| receiver.take()).sum()
}

async fn put_all_async(mut sender: impl PutAsync, count: u64) {
    for item in 0..count {
        sender.put_async(item).await;
    }
}

async fn take_all_async(mut receiver: impl TakeAsync, count: u64) -> u64 {
    let mut sum = 0;
    for _ in 0..count {
        sum += receiver.take_async().await;
    }
    sum
}

type Tasks<T> = Vec<JoinHandle<(Span, T)>>;

fn on_tasks<E, F>(runtime: &Runtime, ends: Vec<E>, work: impl Fn(E) -> F) -> Tasks<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    ends.into_iter().map(|end| runtime.spawn(Span::of_task(work(end)))).collect()
}

fn join<T>(runtime: &Runtime, tasks: Tasks<T>) -> (Vec<Span>, Vec<T>) {
    let join = |task: JoinHandle<(Span, T)>| runtime.block_on(task).expect("the task ends well");
    tasks.into_iter().map(join).unzip()
}

/// One end of a channel.
enum End<S, R> {
    Sender(S),
    Receiver(R),
}

pub(crate) fn threads<S: Put, R: Take>(n: u64, ends: Ends<S, R>) -> f64 {
    let shares = ends.shares(n);
    let senders = ends.senders.into_iter().map(End::Sender);
    let all = senders.chain(ends.receivers.into_iter().map(End::Receiver)).collect();
    let (taken, sums) = threads_of(all, |end| match end {
        End::Sender(sender) => {
            put_all(sender, shares.sends);
            0
        }
        End::Receiver(receiver) => take_all(receiver, shares.receives),
    });
    shares.rate(taken, &sums)
}

pub(crate) fn tasks<S: PutAsync, R: TakeAsync>(workers: usize, n: u64, ends: Ends<S, R>) -> f64 {
    let shares = ends.shares(n);
    let runtime = runtime(workers);
    let senders = on_tasks(&runtime, ends.senders, |end| put_all_async(end, shares.sends));
    let receivers = on_tasks(&runtime, ends.receivers, |end| take_all_async(end, shares.receives));
    let ((sending, _), (receiving, sums)) = (join(&runtime, senders), join(&runtime, receivers));
    shares.rate(Span::total(sending.into_iter().chain(receiving)), &sums)
}

pub(crate) fn threads_to_tasks<S: Put, R: TakeAsync>(n: u64, ends: Ends<S, R>) -> f64 {
    let shares = ends.shares(n);
    let runtime = runtime(2);
    let (senders, receivers) = threads_beside(
        ends.senders,
        |end| put_all(end, shares.sends),
        || on_tasks(&runtime, ends.receivers, |end| take_all_async(end, shares.receives)),
    );
    let sending = senders.into_iter().map(|(span, ())| span);
    let (receiving, sums) = join(&runtime, receivers);
    shares.rate(Span::total(sending.chain(receiving)), &sums)
}

pub(crate) fn tasks_to_threads<S: PutAsync, R: Take>(n: u64, ends: Ends<S, R>) -> f64 {
    let shares = ends.shares(n);
    let runtime = runtime(2);
    let (receivers, senders) = threads_beside(
        ends.receivers,
        |end| take_all(end, shares.receives),
        || on_tasks(&runtime, ends.senders, |end| put_all_async(end, shares.sends)),
    );
    let (receiving, sums): (Vec<_>, Vec<_>) = receivers.into_iter().unzip();
    let (sending, _) = join(&runtime, senders);
    shares.rate(Span::total(sending.into_iter().chain(receiving)), &sums)
}
