//! The queue, with every operation at once. Each item has one fate.

use crate::common::Random;
use crate::pool::{Crew, briefly, peek, short};
use bifrons::{BoundedQueue, Lock, PushError, TryPopError, block_on, block_on_timeout};
use futures::future::select;
use futures::sink::SinkExt;
use futures::stream::StreamExt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// What became of all items, however they went.
#[derive(Default)]
struct Ledger {
    created: AtomicU64,
    dropped: AtomicU64,
    /// From now on items are dropped with their queue.
    is_late: AtomicBool,
    late: Lock<Sum>,
}

struct Item {
    key: u64,
    /// Written by the producer, read by the consumer: the queue orders that.
    text: Box<u64>,
    ledger: Arc<Ledger>,
}

impl Drop for Item {
    fn drop(&mut self) {
        self.ledger.dropped.fetch_add(1, Ordering::Relaxed);
        if self.ledger.is_late.load(Ordering::Relaxed) {
            self.ledger.late.lock().add(self.key);
        }
    }
}

/// A set of items: how many, and which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    count: u64,
    hash: u64,
}

impl Sum {
    fn add(&mut self, key: u64) {
        self.count += 1;
        self.hash = self.hash.wrapping_add(Random(key).next());
    }

    fn join(&mut self, other: Self) {
        self.count += other.count;
        self.hash = self.hash.wrapping_add(other.hash);
    }
}

#[derive(Default)]
struct Tally {
    pushed: Sum,
    popped: Sum,
    evicted: Sum,
    drained: Sum,
}

impl Tally {
    fn join(&mut self, other: &Self) {
        self.pushed.join(other.pushed);
        self.popped.join(other.popped);
        self.evicted.join(other.evicted);
        self.drained.join(other.drained);
    }
}

/// How a round ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The last producer closes when all are done.
    Last,
    /// A producer closes in the middle.
    Close,
    /// A producer takes what is left in the middle.
    CloseNow,
    /// The consumers leave, the last one closes, and items stay behind.
    Leave,
}

struct Hall {
    queue: BoundedQueue<Item>,
    ledger: Arc<Ledger>,
    tally: Lock<Tally>,
    end: End,
    producers: AtomicUsize,
    consumers: AtomicUsize,
}

/// The queue is closed.
struct Closed;

impl<T> From<PushError<T>> for Closed {
    fn from(_: PushError<T>) -> Self {
        Self
    }
}

struct Producer {
    hall: Arc<Hall>,
    random: Random,
    number: u64,
    made: u64,
    tally: Tally,
}

impl Producer {
    fn make(&mut self) -> Item {
        self.made += 1;
        let key = self.number << 32 | self.made;
        self.hall.ledger.created.fetch_add(1, Ordering::Relaxed);
        Item { key, text: Box::new(!key), ledger: Arc::clone(&self.hall.ledger) }
    }

    /// Whether the item of `key` is in; what `back` finds in the error is that item.
    fn pushed<E>(&mut self, key: u64, result: Result<(), E>, back: fn(E) -> Option<Item>) -> bool {
        match result {
            Ok(()) => {
                self.tally.pushed.add(key);
                true
            }
            Err(error) => {
                if let Some(item) = back(error) {
                    assert_eq!(item.key, key, "another item came back");
                }
                false
            }
        }
    }

    fn force_push(&mut self, queue: &BoundedQueue<Item>) -> Result<(), Closed> {
        let item = self.make();
        let key = item.key;
        match queue.force_push(item)? {
            Some(back) if back.key == key => {}
            evicted => {
                self.tally.pushed.add(key);
                if let Some(item) = evicted {
                    self.tally.evicted.add(item.key);
                }
            }
        }
        Ok(())
    }

    fn use_slots(&mut self, slots: Vec<bifrons::Slot<'_, Item>>) -> Result<(), Closed> {
        for slot in slots {
            if self.random.below(3) == 0 {
                continue;
            }
            let item = self.make();
            let key = item.key;
            if !self.pushed(key, slot.push(item), |PushError(item)| Some(item)) {
                return Err(Closed);
            }
        }
        Ok(())
    }

    /// All that were made since `first` are in, but for one that came back.
    fn pushed_since(&mut self, first: u64, back: Option<&Item>) {
        for made in first..=self.made {
            let key = self.number << 32 | made;
            if back.is_none_or(|item| item.key != key) {
                self.tally.pushed.add(key);
            }
        }
    }

    fn step(&mut self) -> Result<(), Closed> {
        let hall = Arc::clone(&self.hall);
        let queue = &hall.queue;
        let first = self.made + 1;
        match self.random.below(12) {
            0 => {
                let item = self.make();
                let (key, result) = (item.key, queue.try_push(item));
                let closed = result.as_ref().is_err_and(|error| error.is_closed());
                self.pushed(key, result, |error| Some(error.into_inner()));
                if closed { Err(Closed) } else { Ok(()) }
            }
            1 => {
                let item = self.make();
                let (key, result) = (item.key, queue.push_timeout(item, short(&mut self.random)));
                let closed = result.as_ref().is_err_and(|error| error.is_closed());
                self.pushed(key, result, |error| Some(error.into_inner()));
                if closed { Err(Closed) } else { Ok(()) }
            }
            2 => {
                let item = self.make();
                let key = item.key;
                match block_on_timeout(queue.push_async(item), short(&mut self.random)) {
                    Ok(result) => {
                        result?;
                        self.tally.pushed.add(key);
                        Ok(())
                    }
                    // Dropped with the future.
                    Err(_) => Ok(()),
                }
            }
            3 => {
                let item = self.make();
                let key = item.key;
                let mut push = pin!(queue.push_async(item));
                match peek(&mut self.random, push.as_mut()) {
                    Some(result) => {
                        result?;
                        self.tally.pushed.add(key);
                    }
                    None => assert_eq!(push.take().map(|item| item.key), Some(key)),
                }
                Ok(())
            }
            4 => {
                let slot = match self.random.below(3) {
                    0 => queue.reserve()?,
                    1 => block_on(queue.reserve_async())?,
                    _ => match queue.reserve_timeout(short(&mut self.random)) {
                        Ok(slot) => slot,
                        Err(error) if error.is_closed() => return Err(Closed),
                        Err(_) => return Ok(()),
                    },
                };
                self.use_slots(vec![slot])
            }
            5 => {
                let slots = (0..3).map_while(|_| queue.try_reserve().ok()).collect();
                self.use_slots(slots)
            }
            6 => self.force_push(queue),
            7 => {
                let count = self.random.below(5);
                let result = queue.push_many((0..count).map(|_| self.make()));
                assert_eq!(result.as_ref().unwrap_or(&count), &count);
                self.pushed_since(first, result.as_ref().err().map(|PushError(item)| item));
                result.map(drop).map_err(Closed::from)
            }
            8 => {
                let count = self.random.below(5) as u64;
                let timeout = short(&mut self.random);
                // An iterator that does not tell its length.
                let mut items =
                    std::iter::from_fn(|| (self.made < first + count).then(|| self.make()));
                match block_on_timeout(queue.push_many_async(&mut items), timeout) {
                    Ok(Ok(_)) | Err(_) => {
                        // Given up: what was made is in.
                        self.pushed_since(first, None);
                        Ok(())
                    }
                    Ok(Err(PushError(item))) => {
                        self.pushed_since(first, Some(&item));
                        Err(Closed)
                    }
                }
            }
            9 => {
                let item = self.make();
                let key = item.key;
                block_on(pin!(queue.sink()).send(item))?;
                self.tally.pushed.add(key);
                Ok(())
            }
            _ => {
                let item = self.make();
                let (key, result) = (item.key, queue.push(item));
                if self.pushed(key, result, |PushError(item)| Some(item)) {
                    Ok(())
                } else {
                    Err(Closed)
                }
            }
        }
    }

    async fn step_async(&mut self) -> Result<(), Closed> {
        let hall = Arc::clone(&self.hall);
        let queue = &hall.queue;
        let first = self.made + 1;
        match self.random.below(7) {
            0 => {
                let item = self.make();
                let key = item.key;
                if let Some(result) = briefly(&mut self.random, queue.push_async(item)).await {
                    result?;
                    self.tally.pushed.add(key);
                }
                Ok(())
            }
            1 => {
                let slot = match briefly(&mut self.random, queue.reserve_async()).await {
                    Some(slot) => slot?,
                    None => return Ok(()),
                };
                self.use_slots(vec![slot])
            }
            2 => self.force_push(queue),
            3 => {
                let count = self.random.below(5);
                let result = queue.push_many_async((0..count).map(|_| self.make())).await;
                self.pushed_since(first, result.as_ref().err().map(|PushError(item)| item));
                result.map(drop).map_err(Closed::from)
            }
            4 => {
                let mut random = Random(self.random.next());
                let count = random.below(5) as u64;
                let mut items =
                    std::iter::from_fn(|| (self.made < first + count).then(|| self.make()));
                match briefly(&mut random, queue.push_many_async(&mut items)).await {
                    None | Some(Ok(_)) => {
                        self.pushed_since(first, None);
                        Ok(())
                    }
                    Some(Err(PushError(item))) => {
                        self.pushed_since(first, Some(&item));
                        Err(Closed)
                    }
                }
            }
            _ => {
                let item = self.make();
                let key = item.key;
                queue.push_async(item).await?;
                self.tally.pushed.add(key);
                Ok(())
            }
        }
    }

    /// Closes the queue, if it is this producer's part; the last of all does so in any case.
    fn close(&mut self, is_halfway: bool) {
        let hall = Arc::clone(&self.hall);
        if !is_halfway {
            if hall.producers.fetch_sub(1, Ordering::AcqRel) == 1 {
                hall.queue.close();
            }
        } else if self.number == 0 && hall.end == End::Close {
            hall.queue.close();
        } else if self.number == 0 && hall.end == End::CloseNow {
            for item in hall.queue.close_now() {
                item.check();
                self.tally.drained.add(item.key);
            }
        }
    }

    fn finish(&mut self) {
        self.close(false);
        self.hall.tally.lock().join(&self.tally);
    }

    fn run(mut self, steps: usize) {
        for step in 0..steps {
            if step == steps / 2 {
                self.close(true);
            }
            if self.step().is_err() {
                break;
            }
        }
        self.finish();
    }

    async fn run_async(mut self, steps: usize) {
        for _ in 0..steps {
            if self.step_async().await.is_err() {
                break;
            }
        }
        self.finish();
    }
}

impl Item {
    fn check(&self) {
        assert_eq!(*self.text, !self.key, "the item is not what was pushed");
    }
}

struct Consumer {
    hall: Arc<Hall>,
    random: Random,
    tally: Tally,
    /// The newest item of each producer.
    newest: [u64; PRODUCERS],
    /// How many it takes before it leaves.
    appetite: u64,
}

impl Consumer {
    fn take(&mut self, item: &Item) {
        item.check();
        let newest = &mut self.newest[(item.key >> 32) as usize];
        assert!(*newest < item.key, "overtaken by an item of the same producer");
        *newest = item.key;
        self.tally.popped.add(item.key);
    }

    fn take_all(&mut self, items: Vec<Item>) {
        for item in items {
            self.take(&item);
        }
    }

    fn step(&mut self) -> Result<(), Closed> {
        let hall = Arc::clone(&self.hall);
        let queue = &hall.queue;
        let mut items = Vec::new();
        let max = 1 + self.random.below(4);
        match self.random.below(12) {
            0 => match queue.try_pop() {
                Ok(item) => self.take(&item),
                Err(TryPopError::Closed) => return Err(Closed),
                Err(TryPopError::Empty) => {}
            },
            1 => match queue.pop_timeout(short(&mut self.random)) {
                Ok(item) => self.take(&item),
                Err(error) if error.is_closed() => return Err(Closed),
                Err(_) => {}
            },
            2 => {
                let popped = block_on_timeout(queue.pop_async(), short(&mut self.random));
                if let Ok(item) = popped {
                    self.take(&item.map_err(|_| Closed)?);
                }
            }
            3 => {
                if let Some(item) = peek(&mut self.random, pin!(queue.pop_async())) {
                    self.take(&item.map_err(|_| Closed)?);
                }
            }
            4 => {
                let count = queue.pop_many(&mut items, max).map_err(|_| Closed)?;
                assert_eq!(count, items.len());
            }
            5 => match queue.pop_many_timeout(&mut items, max, short(&mut self.random)) {
                Ok(count) => assert_eq!(count, items.len()),
                Err(error) if error.is_closed() => return Err(Closed),
                Err(_) => {}
            },
            6 => {
                let timeout = short(&mut self.random);
                match block_on_timeout(queue.pop_many_async(&mut items, max), timeout) {
                    Ok(count) => drop(count.map_err(|_| Closed)?),
                    Err(_) => assert!(items.is_empty()),
                }
            }
            7 => {
                // Two waits of one thread; the one that is late is dropped, perhaps woken.
                let (first, second) = (pin!(queue.pop_async()), pin!(queue.pop_async()));
                let item = block_on(select(first, second)).factor_first().0;
                self.take(&item.map_err(|_| Closed)?);
            }
            8 => items.extend(queue.try_iter().take(max)),
            9 => {
                let mut stream = pin!(queue.stream());
                match block_on_timeout(stream.next(), short(&mut self.random)) {
                    Ok(Some(item)) => self.take(&item),
                    Ok(None) => return Err(Closed),
                    Err(_) => {}
                }
            }
            _ => self.take(&queue.pop().map_err(|_| Closed)?),
        }
        self.take_all(items);
        Ok(())
    }

    async fn step_async(&mut self) -> Result<(), Closed> {
        let hall = Arc::clone(&self.hall);
        let queue = &hall.queue;
        match self.random.below(6) {
            0 => {
                if let Some(item) = briefly(&mut self.random, queue.pop_async()).await {
                    self.take(&item.map_err(|_| Closed)?);
                }
            }
            1 => {
                let (mut items, max) = (Vec::new(), 1 + self.random.below(4));
                let pop = queue.pop_many_async(&mut items, max);
                if let Some(count) = briefly(&mut self.random, pop).await {
                    count.map_err(|_| Closed)?;
                }
                self.take_all(items);
            }
            2 => {
                let (first, second) = (pin!(queue.pop_async()), pin!(queue.pop_async()));
                let item = select(first, second).await.factor_first().0;
                self.take(&item.map_err(|_| Closed)?);
            }
            3 => match pin!(queue.stream()).next().await {
                Some(item) => self.take(&item),
                None => return Err(Closed),
            },
            _ => self.take(&queue.pop_async().await.map_err(|_| Closed)?),
        }
        Ok(())
    }

    fn has_had_enough(&self) -> bool {
        self.tally.popped.count >= self.appetite
    }

    fn finish(&mut self) {
        let hall = &self.hall;
        if hall.end == End::Leave {
            if hall.consumers.fetch_sub(1, Ordering::AcqRel) == 1 {
                hall.queue.close();
            }
        } else {
            // Closed means for ever.
            assert!(matches!(hall.queue.try_pop(), Err(TryPopError::Closed)));
        }
        hall.tally.lock().join(&self.tally);
    }

    fn run(mut self) {
        while !self.has_had_enough() && self.step().is_ok() {}
        self.finish();
    }

    async fn run_async(mut self) {
        while !self.has_had_enough() && self.step_async().await.is_ok() {}
        self.finish();
    }
}

const THREADS: usize = 3;
const TASKS: usize = 5;
const PRODUCERS: usize = THREADS + TASKS;
const THREAD_STEPS: usize = 200;
const TASK_STEPS: usize = 60;

pub(crate) fn round(capacity: usize, seed: u64) -> u64 {
    let end = [End::Last, End::Close, End::CloseNow, End::Leave][seed as usize % 4];
    let hall = Arc::new(Hall {
        queue: BoundedQueue::new(capacity),
        ledger: Arc::default(),
        tally: Lock::default(),
        end,
        producers: AtomicUsize::new(PRODUCERS),
        consumers: AtomicUsize::new(PRODUCERS),
    });
    let mut crew = Crew::new();
    for number in 0..PRODUCERS {
        let random =
            |kind: u64| Random((seed << 16 | (capacity as u64) << 8 | number as u64) * 2 + kind);
        let producer = Producer {
            hall: Arc::clone(&hall),
            random: random(0),
            number: number as u64,
            made: 0,
            tally: Tally::default(),
        };
        let consumer = Consumer {
            hall: Arc::clone(&hall),
            random: random(1),
            tally: Tally::default(),
            newest: [0; PRODUCERS],
            appetite: if end == End::Leave { 50 } else { u64::MAX },
        };
        if number < THREADS {
            crew.thread(move || producer.run(THREAD_STEPS));
            crew.thread(move || consumer.run());
        } else {
            crew.task(producer.run_async(TASK_STEPS));
            crew.task(consumer.run_async());
        }
    }
    crew.join();

    let Hall { queue, ledger, tally, .. } = match Arc::into_inner(hall) {
        Some(hall) => hall,
        None => unreachable!("all threads have ended"),
    };
    let Tally { pushed, popped, evicted, drained } = tally.into_inner();
    let left = queue.len() as u64;
    assert_eq!(queue.waiting(), 0);
    assert!(!queue.is_full() || left == capacity as u64, "no slot stays behind");
    ledger.is_late.store(true, Ordering::Relaxed);
    drop(queue);
    let late = *ledger.late.lock();
    assert_eq!(late.count, left);
    let mut gone = late;
    for sum in [popped, evicted, drained] {
        gone.join(sum);
    }
    assert_eq!(
        gone, pushed,
        "popped {popped:?}, evicted {evicted:?}, drained {drained:?}, left {late:?}"
    );
    let created = ledger.created.load(Ordering::Relaxed);
    assert_eq!(ledger.dropped.load(Ordering::Relaxed), created);
    created + gone.count
}
