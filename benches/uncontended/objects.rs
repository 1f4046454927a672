//! Locks, semaphores, events and conditions.

use crate::micro::{Bench, Contest, now};
use std::cell::Cell;
use std::hint::black_box;

/// What saa leaves to its user.
struct Held<'a>(&'a saa::Lock);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.release_lock();
    }
}

struct Taken<'a>(&'a saa::Semaphore);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

pub(super) fn locks(bench: &mut Bench) {
    let ours = &bifrons::Lock::new(0_u64);
    let usync = &usync::Mutex::new(0_u64);
    let std = &std::sync::Mutex::new(0_u64);
    let saa = &saa::Lock::new();
    let parking_lot = &parking_lot_latest::Mutex::new(0_u64);
    let async_lock = &async_lock::Mutex::new(0_u64);
    let tokio = &tokio::sync::Mutex::new(0_u64);
    let mea = &mea::mutex::Mutex::new(0_u64);
    let intrusive = &futures_intrusive::sync::Mutex::new(0_u64, false);
    bench.run(
        Contest::new("lock, blocking")
            .ours(|| black_box(ours).lock())
            .peer("usync", || black_box(usync).lock())
            .peer("std", || black_box(std).lock())
            .peer("saa", || {
                black_box(saa).lock_sync();
                Held(saa)
            })
            .peer("parking_lot", || black_box(parking_lot).lock())
            .peer("async-lock", || black_box(async_lock).lock_blocking())
            .peer("tokio", || black_box(tokio).blocking_lock()),
    );
    bench.run(
        Contest::new("lock, try")
            .ours(|| black_box(ours).try_lock())
            .peer("usync", || black_box(usync).try_lock())
            .peer("std", || black_box(std).try_lock())
            .peer("saa", || black_box(saa).try_lock().map(|()| Held(saa)))
            .peer("parking_lot", || black_box(parking_lot).try_lock())
            .peer("async-lock", || black_box(async_lock).try_lock())
            .peer("tokio", || black_box(tokio).try_lock())
            .peer("mea", || black_box(mea).try_lock())
            .peer("futures-intrusive", || black_box(intrusive).try_lock()),
    );
    bench.run(
        Contest::new("lock, async")
            .ours(|| now(black_box(ours).lock_async()))
            .peer("saa", || {
                now(black_box(saa).lock_async());
                Held(saa)
            })
            .peer("futures-intrusive", || now(black_box(intrusive).lock()))
            .peer("async-lock", || now(black_box(async_lock).lock()))
            .peer("tokio", || now(black_box(tokio).lock()))
            .peer("mea", || now(black_box(mea).lock())),
    );
}

fn three<G>(lock: impl Fn() -> G) -> (G, G, G) {
    (lock(), lock(), lock())
}

pub(super) fn reentry(bench: &mut Bench) {
    let ours = &bifrons::ReentrantLock::new(Cell::new(0_u64));
    let usync = &usync::ReentrantMutex::new(Cell::new(0_u64));
    let parking_lot = &parking_lot_latest::ReentrantMutex::new(Cell::new(0_u64));
    bench.run(
        Contest::new("reentrant lock, depth 1")
            .ours(|| black_box(ours).lock())
            .peer("usync", || black_box(usync).lock())
            .peer("parking_lot", || black_box(parking_lot).lock()),
    );
    bench.run(
        Contest::new("reentrant lock, depth 3, all three locks")
            .ours(|| three(|| black_box(ours).lock()))
            .peer("usync", || three(|| black_box(usync).lock()))
            .peer("parking_lot", || three(|| black_box(parking_lot).lock())),
    );
}

/// A semaphore as it is made of a mutex and a condition variable.
struct Counter {
    permits: parking_lot_latest::Mutex<usize>,
    released: parking_lot_latest::Condvar,
}

impl Counter {
    fn acquire(&self) -> Counted<'_> {
        let mut permits = self.permits.lock();
        while *permits == 0 {
            self.released.wait(&mut permits);
        }
        *permits -= 1;
        Counted(self)
    }
}

struct Counted<'a>(&'a Counter);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        *self.0.permits.lock() += 1;
        self.0.released.notify_one();
    }
}

pub(super) fn semaphores(bench: &mut Bench) {
    let ours = &bifrons::Semaphore::new(2);
    let saa = &saa::Semaphore::with_permits(2);
    let async_lock = &async_lock::Semaphore::new(2);
    let tokio = &tokio::sync::Semaphore::new(2);
    let mea = &mea::semaphore::Semaphore::new(2);
    let intrusive = &futures_intrusive::sync::Semaphore::new(true, 2);
    let unfair = &futures_intrusive::sync::Semaphore::new(false, 2);
    let counter = &Counter {
        permits: parking_lot_latest::Mutex::new(2),
        released: parking_lot_latest::Condvar::new(),
    };
    bench.run(
        Contest::new("semaphore, blocking")
            .ours(|| black_box(ours).acquire())
            .peer("saa", || {
                black_box(saa).acquire_sync();
                Taken(saa)
            })
            .peer("async-lock", || black_box(async_lock).acquire_blocking())
            .peer("tokio (block_on)", || futures::executor::block_on(black_box(tokio).acquire()))
            .peer("parking_lot (mutex + condvar)", || black_box(counter).acquire()),
    );
    bench.run(
        Contest::new("semaphore, try")
            .ours(|| black_box(ours).try_acquire())
            .peer("saa", || black_box(saa).try_acquire().then(|| Taken(saa)))
            .peer("async-lock", || black_box(async_lock).try_acquire())
            .peer("tokio", || black_box(tokio).try_acquire())
            .peer("mea", || black_box(mea).try_acquire(1))
            .peer("futures-intrusive", || black_box(intrusive).try_acquire(1))
            .reference("futures-intrusive (not FIFO)", || black_box(unfair).try_acquire(1)),
    );
    bench.run(
        Contest::new("semaphore, async")
            .ours(|| now(black_box(ours).acquire_async()))
            .peer("saa", || {
                now(black_box(saa).acquire_async());
                Taken(saa)
            })
            .peer("async-lock", || now(black_box(async_lock).acquire()))
            .peer("tokio", || now(black_box(tokio).acquire()))
            .peer("mea", || now(black_box(mea).acquire(1)))
            .peer("futures-intrusive", || now(black_box(intrusive).acquire(1)))
            .reference("futures-intrusive (not FIFO)", || now(black_box(unfair).acquire(1))),
    );
}

/// An event as it is made of a mutex and a condition variable.
struct Flag {
    set: parking_lot_latest::Mutex<bool>,
    changed: parking_lot_latest::Condvar,
}

impl Flag {
    fn set(&self) {
        *self.set.lock() = true;
        self.changed.notify_all();
    }

    fn wait(&self) {
        let mut set = self.set.lock();
        while !*set {
            self.changed.wait(&mut set);
        }
    }
}

pub(super) fn events(bench: &mut Bench) {
    let ours = &bifrons::Event::new();
    let intrusive = &futures_intrusive::sync::ManualResetEvent::new(false);
    let flag = &Flag {
        set: parking_lot_latest::Mutex::new(false),
        changed: parking_lot_latest::Condvar::new(),
    };
    let gate = &saa::Gate::new();
    let latch = &mea::latch::Latch::new(1);
    bench.run(
        Contest::new("event, set and clear")
            .ours(|| {
                black_box(ours).set();
                black_box(ours).clear();
            })
            .peer("futures-intrusive", || {
                black_box(intrusive).set();
                black_box(intrusive).reset();
            })
            .peer("parking_lot (mutex + condvar)", || {
                black_box(flag).set();
                *black_box(flag).set.lock() = false;
            })
            .peer("saa", || (black_box(gate).open(), black_box(gate).reset())),
    );
    ours.set();
    intrusive.set();
    flag.set();
    gate.open();
    latch.count_down();
    bench.run(
        Contest::new("event, set when it is set")
            .ours(|| black_box(ours).set())
            .peer("futures-intrusive", || black_box(intrusive).set())
            .peer("parking_lot (mutex + condvar)", || black_box(flag).set()),
    );
    bench.run(
        Contest::new("event, is_set")
            .ours(|| black_box(ours).is_set())
            .peer("futures-intrusive", || black_box(intrusive).is_set())
            .peer("parking_lot (mutex + condvar)", || *black_box(flag).set.lock())
            .peer("mea", || black_box(latch).try_wait()),
    );
    bench.run(
        Contest::new("event, wait when it is set, blocking")
            .ours(|| black_box(ours).wait())
            .peer("parking_lot (mutex + condvar)", || black_box(flag).wait())
            .peer("saa", || black_box(gate).enter_sync()),
    );
    bench.run(
        Contest::new("event, wait when it is set, async")
            .ours(|| now(black_box(ours).wait_async()))
            .peer("futures-intrusive", || now(black_box(intrusive).wait()))
            .peer("saa", || now(black_box(gate).enter_async()))
            .peer("mea", || now(black_box(latch).wait())),
    );
}

pub(super) fn notifications(bench: &mut Bench) {
    let ours = &bifrons::Condition::new();
    let parking_lot = &parking_lot_latest::Condvar::new();
    let usync = &usync::Condvar::new();
    let std = &std::sync::Condvar::new();
    let tokio = &tokio::sync::Notify::new();
    let mea = &mea::condvar::Condvar::new();
    let listeners = &event_listener::Event::<()>::new();
    bench.run(
        Contest::new("condition, notify nobody")
            .ours(|| black_box(ours).notify_one())
            .peer("parking_lot", || black_box(parking_lot).notify_one())
            .peer("usync", || black_box(usync).notify_one())
            .peer("std", || black_box(std).notify_one())
            .peer("tokio", || black_box(tokio).notify_one())
            .peer("mea", || black_box(mea).notify_one())
            .peer("event-listener", || black_box(listeners).notify(1)),
    );
    bench.run(
        Contest::new("condition, notify all of nobody")
            .ours(|| black_box(ours).notify_all())
            .peer("parking_lot", || black_box(parking_lot).notify_all())
            .peer("usync", || black_box(usync).notify_all())
            .peer("std", || black_box(std).notify_all())
            .peer("tokio", || black_box(tokio).notify_waiters())
            .peer("mea", || black_box(mea).notify_all())
            .peer("event-listener", || black_box(listeners).notify(usize::MAX)),
    );
}
