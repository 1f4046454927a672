//! Lock, semaphore, event and condition, each around data that is not atomic.

use crate::common::{LONG, Random, eventually};
use crate::pool::{Crew, briefly, peek, short, yield_now};
use bifrons::{Condition, Event, Lock, LockGuard, Semaphore, block_on_timeout};
use std::cell::UnsafeCell;
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::thread;

/// Two numbers that are changed one after the other, so that an intruder sees them differ.
#[derive(Default)]
struct Twins(u64, u64);

impl Twins {
    fn add(&mut self, n: u64) {
        self.0 += n;
        self.1 += n;
        self.check();
    }

    fn check(&self) {
        assert_eq!(self.0, self.1, "somebody else was here");
    }
}

/// Data that the scenario protects by other means than the compiler's.
#[derive(Default)]
struct Plain(UnsafeCell<Twins>);

// SAFETY: whoever calls the methods has made sure that nobody writes meanwhile.
unsafe impl Sync for Plain {}

impl Plain {
    /// # Safety
    ///
    /// Nobody else has access.
    unsafe fn add(&self, n: u64) {
        // SAFETY: the caller's promise.
        unsafe { (*self.0.get()).add(n) };
    }

    /// # Safety
    ///
    /// Nobody writes.
    unsafe fn read(&self) -> u64 {
        // SAFETY: the caller's promise.
        let twins = unsafe { &*self.0.get() };
        twins.check();
        twins.0
    }
}

const STEPS: usize = 400;

fn add_by_thread(lock: &Arc<Lock<Twins>>, random: &mut Random) -> u64 {
    let n = 1 + random.below(3) as u64;
    let mut guard = match random.below(8) {
        0 => match lock.try_lock() {
            Some(guard) => guard,
            None => return 0,
        },
        1 => match lock.lock_timeout(short(random)) {
            Ok(guard) => guard,
            Err(_) => return 0,
        },
        2 => match block_on_timeout(lock.lock_async(), short(random)) {
            Ok(guard) => guard,
            Err(_) => return 0,
        },
        3 => match peek(random, pin!(lock.lock_async())) {
            Some(guard) => guard,
            None => return 0,
        },
        4 => {
            lock.lock_owned().add(n);
            return n;
        }
        5 => {
            LockGuard::map(lock.lock(), |twins| twins).add(n);
            return n;
        }
        _ => lock.lock(),
    };
    guard.add(n);
    if random.below(4) == 0 {
        LockGuard::unlock_fair(guard);
    }
    n
}

async fn add_by_task(lock: &Arc<Lock<Twins>>, random: &mut Random) -> u64 {
    let n = 1 + random.below(3) as u64;
    let guard = match random.below(3) {
        0 => briefly(random, lock.lock_async()).await,
        _ => Some(lock.lock_async().await),
    };
    let Some(mut guard) = guard else { return 0 };
    guard.add(n);
    match random.below(6) {
        0 => yield_now().await,
        1 => LockGuard::unlock_fair(guard),
        _ => {}
    }
    n
}

pub(crate) fn lock(seed: u64) -> u64 {
    let lock = Arc::new(Lock::new(Twins::default()));
    let sum = Arc::new(Lock::new(0));
    let mut crew = Crew::new();
    for number in 0..4 {
        let (lock, sum) = (Arc::clone(&lock), Arc::clone(&sum));
        let mut random = Random(seed << 8 | number);
        crew.thread(move || {
            let added: u64 = (0..STEPS).map(|_| add_by_thread(&lock, &mut random)).sum();
            *sum.lock() += added;
        });
    }
    for number in 4..20 {
        let (lock, sum) = (Arc::clone(&lock), Arc::clone(&sum));
        let mut random = Random(seed << 8 | number);
        let work = async move {
            let mut added = 0;
            for _ in 0..STEPS / 10 {
                added += add_by_task(&lock, &mut random).await;
            }
            *sum.lock_async().await += added;
        };
        if number == 4 { crew.block_on(work) } else { crew.task(work) }
    }
    crew.join();
    assert!(!lock.is_locked());
    assert_eq!(lock.waiting(), 0);
    let twins = lock.lock();
    twins.check();
    assert_eq!(twins.0, *sum.lock());
    (4 * STEPS + 16 * (STEPS / 10)) as u64
}

const PERMITS: usize = 3;

/// One permit reads, all of them write.
struct Library {
    semaphore: Arc<Semaphore>,
    book: Plain,
    written: Lock<u64>,
    /// The total changes; so nobody forgets permits and puts them back, which would exceed it.
    is_resized: bool,
}

impl Library {
    /// The caller holds `count` permits.
    fn visit(&self, count: usize) -> u64 {
        if count == PERMITS {
            // SAFETY: all permits there are, are held.
            unsafe { self.book.add(1) };
            1
        } else {
            // SAFETY: a permit is held, so nobody can hold all of them.
            unsafe { self.book.read() };
            0
        }
    }

    fn step_of_thread(&self, random: &mut Random) -> u64 {
        let count = [1, 1, 2, PERMITS][random.below(4)];
        let semaphore = &self.semaphore;
        let permit = match random.below(7) {
            0 => semaphore.try_acquire_many(count),
            1 => semaphore.acquire_many_timeout(count, short(random)).ok(),
            2 => block_on_timeout(semaphore.acquire_many_async(count), short(random)).ok(),
            3 => peek(random, pin!(semaphore.acquire_many_async(count))),
            4 => {
                let permit = semaphore.acquire_many_owned(count);
                return self.visit(permit.count());
            }
            _ => Some(semaphore.acquire_many(count)),
        };
        let Some(mut permit) = permit else { return 0 };
        let written = self.visit(count);
        match random.below(6) {
            // They return one after the other, together, or through `release`.
            0 => drop(permit.split(1)),
            1 => {
                if let Some(other) = permit.split(1) {
                    permit.merge(other);
                }
            }
            2 if !self.is_resized => {
                permit.forget();
                semaphore.release(count);
            }
            _ => {}
        }
        written
    }

    async fn step_of_task(&self, random: &mut Random) -> u64 {
        let count = [1, 1, 2, PERMITS][random.below(4)];
        let permit = match random.below(3) {
            0 => briefly(random, self.semaphore.acquire_many_async(count)).await,
            _ => Some(self.semaphore.acquire_many_async(count).await),
        };
        let Some(permit) = permit else { return 0 };
        let written = self.visit(count);
        if random.below(6) == 0 {
            yield_now().await;
            self.visit(1);
        }
        drop(permit);
        written
    }
}

pub(crate) fn semaphore(seed: u64) -> u64 {
    let library = Arc::new(Library {
        semaphore: Arc::new(Semaphore::bounded(PERMITS)),
        book: Plain::default(),
        written: Lock::new(0),
        is_resized: seed % 2 == 0,
    });
    let mut crew = Crew::new();
    for number in 0..4 {
        let library = Arc::clone(&library);
        let mut random = Random(seed << 8 | number);
        crew.thread(move || {
            let written: u64 = (0..STEPS).map(|_| library.step_of_thread(&mut random)).sum();
            *library.written.lock() += written;
        });
    }
    for number in 4..20 {
        let library = Arc::clone(&library);
        let mut random = Random(seed << 8 | number);
        crew.task(async move {
            for _ in 0..STEPS / 10 {
                let written = library.step_of_task(&mut random).await;
                *library.written.lock_async().await += written;
            }
        });
    }
    // Takes permits out of circulation and puts them back.
    let other = Arc::clone(&library);
    let mut random = Random(seed << 8 | 20);
    crew.thread(move || {
        for _ in 0..STEPS / 10 {
            if other.is_resized {
                other.semaphore.resize(random.below(PERMITS));
                thread::yield_now();
                other.semaphore.resize(PERMITS);
            } else {
                let forgotten = other.semaphore.forget_available(2);
                thread::yield_now();
                other.semaphore.release(forgotten);
            }
        }
    });
    crew.join();
    assert_eq!((library.semaphore.available(), library.semaphore.waiting()), (PERMITS, 0));
    assert!(library.semaphore.try_release(1).is_err(), "none were lost");
    // SAFETY: all threads have ended.
    assert_eq!(unsafe { library.book.read() }, *library.written.lock());
    (4 * STEPS + 16 * (STEPS / 10)) as u64
}

const RUNNERS: usize = 6;
const LAPS: usize = 100;

/// Whoever is told by its event has the baton, and tells the next.
pub(crate) fn relay(seed: u64) -> u64 {
    let baton = Arc::new(Plain::default());
    let events: Arc<Vec<Event>> = Arc::new((0..RUNNERS).map(|_| Event::new()).collect());
    let pass = |events: &[Event], baton: &Plain, number: usize| {
        events[number].clear();
        // SAFETY: the event was set for this runner alone, by the one that had the baton.
        unsafe { baton.add(1) };
        events[(number + 1) % RUNNERS].set();
    };
    let mut crew = Crew::new();
    for number in 0..RUNNERS {
        let (events, baton) = (Arc::clone(&events), Arc::clone(&baton));
        let mut random = Random(seed << 8 | number as u64);
        if number % 2 == 0 {
            crew.thread(move || {
                for _ in 0..LAPS {
                    let event = &events[number];
                    match random.below(4) {
                        0 => while event.wait_timeout(short(&mut random)).is_err() {},
                        1 => {
                            if peek(&mut random, pin!(event.wait_async())).is_none() {
                                event.wait();
                            }
                        }
                        _ => event.wait(),
                    }
                    pass(&events, &baton, number);
                }
            });
        } else {
            crew.task(async move {
                for _ in 0..LAPS {
                    let event = &events[number];
                    let early = briefly(&mut random, event.wait_async()).await;
                    if early.is_none() {
                        event.wait_async().await;
                    }
                    pass(&events, &baton, number);
                }
            });
        }
    }
    events[0].set();
    crew.join();
    // SAFETY: all threads have ended.
    assert_eq!(unsafe { baton.read() }, (RUNNERS * LAPS) as u64);
    assert!(events.iter().enumerate().all(|(number, event)| event.is_set() == (number == 0)));
    assert!(events.iter().all(|event| event.waiting() == 0));
    (RUNNERS * LAPS) as u64
}

const CROWD: usize = 45;
const NEWS: u64 = 20;

/// Each piece of news is written once and read by all: `set` and `clear` in one go free everyone.
pub(crate) fn broadcast(seed: u64) -> u64 {
    struct Square {
        news: Plain,
        // In turn, so that who is early for the next news does not meet the last.
        told: [Event; 2],
        ready: Semaphore,
    }
    impl Square {
        fn told(&self, number: u64) -> &Event {
            &self.told[number as usize % 2]
        }

        fn read(&self, number: u64) {
            // SAFETY: the writer waits until all are ready for the next.
            assert_eq!(unsafe { self.news.read() }, number);
        }
    }
    let square = Arc::new(Square {
        news: Plain::default(),
        told: [Event::new(), Event::new()],
        ready: Semaphore::new(0),
    });
    let mut crew = Crew::new();
    for reader in 0..CROWD as u64 {
        let square = Arc::clone(&square);
        let mut random = Random(seed << 8 | reader);
        if reader < 4 {
            crew.thread(move || {
                for number in 1..=NEWS {
                    let told = square.told(number);
                    if random.below(3) == 0 {
                        assert!(told.wait_timeout(short(&mut random)).is_err());
                    }
                    square.ready.release(1);
                    match random.below(2) {
                        0 => told.wait_timeout(LONG).unwrap(),
                        _ => told.wait(),
                    }
                    square.read(number);
                }
            });
        } else {
            crew.task(async move {
                for number in 1..=NEWS {
                    let told = square.told(number);
                    // Who comes and goes before changes nothing for the others.
                    if random.below(3) == 0 {
                        assert!(briefly(&mut random, told.wait_async()).await.is_none());
                    }
                    square.ready.release(1);
                    told.wait_async().await;
                    square.read(number);
                }
            });
        }
    }
    let writer = Arc::clone(&square);
    crew.thread(move || {
        for number in 1..=NEWS {
            let told = writer.told(number);
            writer.ready.acquire_many(CROWD).forget();
            eventually("everybody waits", || told.waiting() == CROWD);
            // SAFETY: everyone was ready, and reads only when told.
            unsafe { writer.news.add(1) };
            told.set();
            told.clear();
        }
    });
    crew.join();
    assert!(square.told.iter().all(|told| told.waiting() == 0 && !told.is_set()));
    CROWD as u64 * NEWS
}

/// A bounded buffer as the textbooks have it.
#[derive(Default)]
struct Buffer {
    store: Lock<Store>,
    not_full: Condition,
    not_empty: Condition,
}

#[derive(Default)]
struct Store {
    items: VecDeque<u64>,
    producers: usize,
    put: u64,
    taken: u64,
}

impl Store {
    fn is_full(&mut self) -> bool {
        self.items.len() == 2
    }

    fn is_empty(&mut self) -> bool {
        self.items.is_empty() && self.producers > 0
    }

    fn put(&mut self, item: u64) {
        assert!(self.items.len() < 2);
        self.items.push_back(item);
        self.put += item;
    }

    /// Whether there was an item.
    fn take(&mut self) -> bool {
        let item = self.items.pop_front();
        self.taken += item.unwrap_or(0);
        item.is_some()
    }
}

impl Buffer {
    /// Waits on `condition` while `predicate` holds; `None` if it gave up in between.
    fn enter(
        &self,
        condition: &Condition,
        predicate: fn(&mut Store) -> bool,
        random: &mut Random,
    ) -> Option<LockGuard<'_, Store>> {
        let mut guard = self.store.lock();
        match random.below(5) {
            0 => {
                let timeout = short(random);
                let (guard, let_go) = condition.wait_while_timeout(guard, predicate, timeout);
                let_go.then_some(guard)
            }
            1 => {
                if predicate(&mut guard) {
                    (guard, _) = condition.wait_timeout(guard, short(random));
                }
                (!predicate(&mut guard)).then_some(guard)
            }
            2 => {
                while predicate(&mut guard) {
                    guard = condition.wait(guard);
                }
                Some(guard)
            }
            3 => peek(random, pin!(condition.wait_while_async(guard, predicate))),
            _ => Some(condition.wait_while(guard, predicate)),
        }
    }

    async fn enter_async(
        &self,
        condition: &Condition,
        predicate: fn(&mut Store) -> bool,
        random: &mut Random,
    ) -> Option<LockGuard<'_, Store>> {
        let mut guard = self.store.lock_async().await;
        match random.below(3) {
            0 => briefly(random, condition.wait_while_async(guard, predicate)).await,
            1 => {
                while predicate(&mut guard) {
                    guard = condition.wait_async(guard).await;
                }
                Some(guard)
            }
            _ => Some(condition.wait_while_async(guard, predicate).await),
        }
    }

    fn put(&self, mut guard: LockGuard<'_, Store>, item: u64, random: &mut Random) {
        guard.put(item);
        // Both ways are allowed.
        if random.below(2) == 0 {
            drop(guard);
            self.not_empty.notify_one();
        } else {
            self.not_empty.notify(1);
        }
    }

    /// `false` at the end.
    fn take(&self, mut guard: LockGuard<'_, Store>) -> bool {
        let taken = guard.take();
        drop(guard);
        self.not_full.notify_one();
        taken
    }

    fn producer_ends(&self) {
        let mut guard = self.store.lock();
        guard.producers -= 1;
        if guard.producers == 0 {
            self.not_empty.notify_all();
        }
    }
}

pub(crate) fn condition(seed: u64) -> u64 {
    const THREADS: usize = 2;
    const TASKS: usize = 6;
    let buffer = Arc::new(Buffer::default());
    buffer.store.lock().producers = THREADS + TASKS;
    let mut crew = Crew::new();
    for number in 0..THREADS {
        let [producer, consumer] = [Arc::clone(&buffer), Arc::clone(&buffer)];
        let mut random = Random(seed << 8 | number as u64);
        crew.thread(move || {
            for item in 0..STEPS as u64 {
                let guard = loop {
                    let entered = producer.enter(&producer.not_full, Store::is_full, &mut random);
                    if let Some(guard) = entered {
                        break guard;
                    }
                };
                producer.put(guard, item, &mut random);
            }
            producer.producer_ends();
        });
        let mut random = Random(seed << 8 | 128 | number as u64);
        crew.thread(move || {
            loop {
                let entered = consumer.enter(&consumer.not_empty, Store::is_empty, &mut random);
                if entered.is_some_and(|guard| !consumer.take(guard)) {
                    break;
                }
            }
        });
    }
    for number in THREADS..THREADS + TASKS {
        let [producer, consumer] = [Arc::clone(&buffer), Arc::clone(&buffer)];
        let mut random = Random(seed << 8 | number as u64);
        crew.task(async move {
            for item in 0..STEPS as u64 / 10 {
                let guard = loop {
                    let entered =
                        producer.enter_async(&producer.not_full, Store::is_full, &mut random);
                    if let Some(guard) = entered.await {
                        break guard;
                    }
                };
                producer.put(guard, item, &mut random);
            }
            producer.producer_ends();
        });
        let mut random = Random(seed << 8 | 128 | number as u64);
        crew.task(async move {
            loop {
                let entered =
                    consumer.enter_async(&consumer.not_empty, Store::is_empty, &mut random);
                if entered.await.is_some_and(|guard| !consumer.take(guard)) {
                    break;
                }
            }
        });
    }
    crew.join();
    let store = buffer.store.lock();
    assert_eq!((store.items.len(), store.put), (0, store.taken));
    assert_eq!((buffer.not_full.waiting(), buffer.not_empty.waiting()), (0, 0));
    2 * (THREADS * STEPS + TASKS * (STEPS / 10)) as u64
}
