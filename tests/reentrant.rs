//! What `ReentrantLock`, its owners and their scopes promise, in each face.

#![cfg(not(loom))]

mod common;

use bifrons::{
    Condition, ConditionGuard, Event, Owner, OwnerGuard, ReentrantLock, ReentrantLockGuard,
    TimedOut, block_on, block_on_timeout,
};
use common::{Counter, LONG, Random, eventually, poll_once};
use futures::future::{FusedFuture, join};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt::Display;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

const MAX_DEPTH: usize = 65_535;

/// Each way to lock: the first four for this thread, the others for an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Lock,
    Try,
    Timeout,
    Deadline,
    LockAs,
    TryAs,
    TimeoutAs,
    DeadlineAs,
    Async,
    Scoped,
}

impl Way {
    const OF_THREAD: [Self; 4] = [Self::Lock, Self::Try, Self::Timeout, Self::Deadline];
    const OF_OWNER: [Self; 6] =
        [Self::LockAs, Self::TryAs, Self::TimeoutAs, Self::DeadlineAs, Self::Async, Self::Scoped];
    const FACES: [&'static [Self]; 2] = [&Self::OF_THREAD, &Self::OF_OWNER];

    fn all() -> impl Iterator<Item = Self> + Clone {
        Self::FACES.into_iter().flatten().copied()
    }

    /// Those that wait as long as it takes.
    fn waiting() -> impl Iterator<Item = Self> + Clone {
        Self::all().filter(|way| !matches!(way, Self::Try | Self::TryAs))
    }

    fn is_of_thread(self) -> bool {
        Self::OF_THREAD.contains(&self)
    }

    /// Locks, for this thread or for `owner`.
    fn enter<'a, T: Sync>(self, lock: &'a ReentrantLock<T>, owner: &Owner) -> Guard<'a, T> {
        let soon = Instant::now() + LONG;
        match self {
            Self::Lock => Guard::Thread(lock.lock()),
            Self::Try => Guard::Thread(lock.try_lock().unwrap()),
            Self::Timeout => Guard::Thread(lock.lock_timeout(LONG).unwrap()),
            Self::Deadline => Guard::Thread(lock.lock_deadline(soon).unwrap()),
            Self::LockAs => Guard::Owner(lock.lock_as(owner)),
            Self::TryAs => Guard::Owner(lock.try_lock_as(owner).unwrap()),
            Self::TimeoutAs => Guard::Owner(lock.lock_as_timeout(owner, LONG).unwrap()),
            Self::DeadlineAs => Guard::Owner(lock.lock_as_deadline(owner, soon).unwrap()),
            Self::Async => Guard::Owner(block_on(lock.lock_async(owner))),
            Self::Scoped => {
                Guard::Owner(block_on(owner.scope(async { lock.lock_async_scoped().await })))
            }
        }
    }

    fn is_owner<T>(self, lock: &ReentrantLock<T>, owner: &Owner) -> bool {
        if self.is_of_thread() {
            lock.is_owned_by_current_thread()
        } else {
            lock.is_owned_by(owner)
        }
    }
}

/// A hold of either face.
#[derive(Debug)]
enum Guard<'a, T> {
    Thread(ReentrantLockGuard<'a, T>),
    Owner(OwnerGuard<'a, T>),
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Thread(guard) => guard,
            Self::Owner(guard) => guard,
        }
    }
}

/// Whether nobody can lock at once: a new thread, a new owner in each way.
fn excludes_everyone<T: Send + Sync>(lock: &ReentrantLock<T>) -> bool {
    let owner = Owner::new();
    let past = Instant::now();
    let of_owner = lock.try_lock_as(&owner).is_none()
        && lock.lock_as_timeout(&owner, Duration::ZERO).is_err()
        && lock.lock_as_deadline(&owner, past).is_err()
        && poll_once(pin!(lock.lock_async(&owner))).is_pending()
        && poll_once(pin!(owner.scope(async { drop(lock.lock_async_scoped().await) })))
            .is_pending();
    let of_thread = || {
        lock.try_lock().is_none()
            && lock.lock_timeout(Duration::ZERO).is_err()
            && lock.lock_deadline(past).is_err()
            && !lock.is_owned_by_current_thread()
    };
    of_owner && thread::scope(|threads| threads.spawn(of_thread).join().unwrap())
}

/// Whether anybody could lock at once.
fn is_free<T: Send + Sync>(lock: &ReentrantLock<T>) -> bool {
    let state = (lock.depth(), lock.is_locked(), lock.waiting());
    state == (0, false, 0) && lock.try_lock_as(&Owner::new()).is_some()
}

/// What `f` panics with.
fn panic_of<R>(f: impl FnOnce() -> R) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else { panic!("it did not panic") };
    message(&*payload)
}

fn message(payload: &(dyn Any + Send)) -> String {
    match payload.downcast_ref::<&'static str>() {
        Some(message) => (*message).to_owned(),
        None => payload.downcast_ref::<String>().expect("a message").clone(),
    }
}

/// A waker that does what the test says, each time that it is called.
struct Hook<F>(F);

impl<F: Fn() + Send + Sync + 'static> Hook<F> {
    fn waker(f: F) -> Waker {
        Waker::from(Arc::new(Self(f)))
    }
}

impl<F: Fn() + Send + Sync> Wake for Hook<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

fn poll_with<F: Future + ?Sized>(waker: &Waker, future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

// ---- The object --------------------------------------------------------------------------------

/// Counts how often it is dropped.
struct CountDrop<'a>(&'a AtomicUsize);

impl Drop for CountDrop<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_lock_is_dropped_with_its_value_unused_or_with_forgotten_guards() {
    let drops = AtomicUsize::new(0);
    drop(ReentrantLock::new(CountDrop(&drops)));
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    for way in Way::all() {
        let before = drops.load(Ordering::SeqCst);
        let lock = ReentrantLock::new(CountDrop(&drops));
        let owner = Owner::new();
        std::mem::forget((way.enter(&lock, &owner), way.enter(&lock, &owner)));
        assert_eq!(lock.depth(), 2);
        drop(lock);
        assert_eq!(drops.load(Ordering::SeqCst), before + 1);
    }
}

#[test]
fn a_lock_is_made_of_a_value_and_gives_it_back() {
    static IN_A_STATIC: ReentrantLock<Cell<u32>> = ReentrantLock::new(Cell::new(1));
    let (outer, inner) = (IN_A_STATIC.lock(), IN_A_STATIC.lock());
    outer.set(inner.get() + 1);
    assert_eq!(inner.get(), 2);

    assert_eq!(ReentrantLock::<u32>::default().into_inner(), 0);
    let mut lock = ReentrantLock::from(3);
    *lock.get_mut() += 1;
    assert_eq!(lock.into_inner(), 4);
}

#[test]
fn the_value_may_be_unsized() {
    let owner = Owner::new();
    let slice: &ReentrantLock<[u8]> = &ReentrantLock::new([1, 2, 3]);
    assert_eq!(slice.lock()[0], 1);
    assert_eq!(block_on(slice.lock_async(&owner)).len(), 3);
    let shown: Arc<ReentrantLock<dyn Display + Send + Sync>> = Arc::new(ReentrantLock::new(7));
    assert_eq!(shown.lock().to_string(), "7");
    assert_eq!(shown.lock_as(&owner).to_string(), "7");
}

#[test]
fn debug_shows_depth_waiters_and_value() {
    let lock = ReentrantLock::new(5);
    assert_eq!(format!("{lock:?}"), "ReentrantLock { depth: 0, waiting: 0, data: 5 }");
    let thread = (lock.lock(), lock.lock());
    assert_eq!(format!("{lock:?}"), "ReentrantLock { depth: 2, waiting: 0, data: 5 }");
    assert_eq!(format!("{:?} {}", thread.0, thread.1), "5 5");
    drop(thread);

    let owner = Owner::new();
    let held = lock.lock_as(&owner);
    assert_eq!(format!("{held:?} {held}"), "5 5");
    let mut waiter = Box::pin(lock.lock_async(&owner.child()));
    assert!(poll_once(waiter.as_mut()).is_pending());
    assert_eq!(format!("{lock:?}"), "ReentrantLock { depth: 1, waiting: 1, data: <locked> }");
    assert!(format!("{waiter:?}").contains("Queued"), "{waiter:?}");
    assert!(format!("{owner:?} {:?}", owner.scope(async {})).contains("Owner("));
    drop((waiter, held));
    assert!(is_free(&lock));
}

#[test]
fn debug_works_at_the_greatest_depth() {
    let lock = ReentrantLock::new(5);
    let guards: Vec<_> = (0..MAX_DEPTH).map(|_| lock.lock()).collect();
    assert!(format!("{lock:?}").contains("depth: 65535"));
    drop(guards);
    assert!(is_free(&lock));
}

// ---- Holding -----------------------------------------------------------------------------------

#[test]
fn holds_nest_and_end_in_any_order() {
    let mut random = Random(1);
    let lock = ReentrantLock::new(0);
    for ways in Way::FACES {
        let owner = Owner::new();
        // Every way alone, and then all ways of one owner, one inside the other.
        let alone = ways.iter().map(|&way| vec![way; 4]);
        for ways in alone.chain([ways.to_vec()]) {
            for _ in 0..20 {
                let mut guards = Vec::new();
                for (n, way) in ways.iter().enumerate() {
                    guards.push(way.enter(&lock, &owner));
                    assert_eq!(lock.depth() as usize, n + 1);
                }
                random.shuffle(&mut guards);
                while let Some(guard) = guards.pop() {
                    assert!(excludes_everyone(&lock), "{ways:?} at {}", lock.depth());
                    drop(guard);
                    assert_eq!(lock.depth() as usize, guards.len());
                }
                assert!(is_free(&lock), "{ways:?}");
            }
        }
    }
}

#[test]
fn depth_counts_the_guards_of_whoever_holds() {
    for way in Way::all() {
        let (lock, owner) = (ReentrantLock::new(()), Owner::new());
        let depth = || {
            let elsewhere = thread::scope(|threads| threads.spawn(|| lock.depth()).join().unwrap());
            assert_eq!(elsewhere, lock.depth());
            elsewhere
        };
        assert_eq!(depth(), 0);
        let first = way.enter(&lock, &owner);
        assert_eq!(depth(), 1);
        let more = (way.enter(&lock, &owner), way.enter(&lock, &owner));
        assert_eq!(depth(), 3);
        drop(more.0);
        assert_eq!(depth(), 2);
        drop((more.1, first));
        assert_eq!(depth(), 0);
    }
}

#[test]
fn the_lock_is_owned_by_its_holder_at_any_depth_and_by_nobody_else() {
    for way in Way::all() {
        let (lock, owner) = (ReentrantLock::new(()), Owner::new());
        let clone = owner.clone();
        assert!(!way.is_owner(&lock, &owner));
        let mut guards = Vec::new();
        for _ in 0..3 {
            guards.push(way.enter(&lock, &owner));
            assert!(way.is_owner(&lock, &clone) && lock.is_locked());
            assert_eq!(lock.is_owned_by_current_thread(), way.is_of_thread());
            assert_eq!(lock.is_owned_by(&owner), !way.is_of_thread());
            assert!(!lock.is_owned_by(&owner.child()) && !lock.is_owned_by(&Owner::new()));
            thread::scope(|threads| {
                threads.spawn(|| assert!(!lock.is_owned_by_current_thread()));
            });
        }
        for guard in guards {
            assert!(way.is_owner(&lock, &owner));
            drop(guard);
        }
        assert!(!way.is_owner(&lock, &owner) && is_free(&lock));
    }
}

#[test]
fn a_hold_of_either_face_excludes_all_others_in_both() {
    for way in Way::all() {
        let (lock, owner) = (ReentrantLock::new(()), Owner::new());
        let outer = way.enter(&lock, &owner);
        assert!(excludes_everyone(&lock), "{way:?}");
        drop(way.enter(&lock, &owner));
        assert!(excludes_everyone(&lock), "{way:?}, after an inner hold");
        drop(outer);
        assert!(is_free(&lock));
    }
}

#[test]
fn a_thread_and_an_owner_on_it_are_two_owners() {
    let (lock, owner) = (ReentrantLock::new(()), Owner::new());
    let held = lock.lock();
    assert!(lock.try_lock_as(&owner).is_none());
    assert_eq!(lock.lock_as_timeout(&owner, Duration::ZERO).unwrap_err(), TimedOut);
    drop(held);
    let held = lock.lock_as(&owner);
    assert!(lock.try_lock().is_none());
    assert_eq!(lock.lock_timeout(Duration::ZERO).unwrap_err(), TimedOut);
    drop(held);
}

#[test]
fn five_waiters_stay_blocked_while_it_is_held_and_then_pass_in_turn() {
    for way in Way::all() {
        let (lock, owner) = (ReentrantLock::new(AtomicU32::new(0)), Owner::new());
        let inside = AtomicBool::new(false);
        let mut held = vec![way.enter(&lock, &owner), way.enter(&lock, &owner)];
        thread::scope(|threads| {
            for waiter in Way::waiting().cycle().skip(way as usize).take(5) {
                let (lock, inside) = (&lock, &inside);
                threads.spawn(move || {
                    let owner = Owner::new();
                    let outer = waiter.enter(lock, &owner);
                    assert!(!inside.swap(true, Ordering::Relaxed), "two inside");
                    let inner = waiter.enter(lock, &owner);
                    // No read-modify-write: lost unless they take turns.
                    inner.store(outer.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                    drop(outer);
                    assert!(inside.swap(false, Ordering::Relaxed));
                });
            }
            eventually("all wait", || lock.waiting() == 5);
            assert_eq!(held[0].load(Ordering::Relaxed), 0);
            held.pop();
            // An inner hold's end wakes nobody.
            assert_eq!((lock.waiting(), held[0].load(Ordering::Relaxed)), (5, 0));
            held.pop();
        });
        assert!(is_free(&lock));
        assert_eq!(lock.lock().load(Ordering::Relaxed), 5);
    }
}

#[test]
fn a_panic_ends_the_holds_that_it_unwinds() {
    for way in Way::all() {
        let (lock, owner) = (ReentrantLock::new(()), Owner::new());
        let outer = way.enter(&lock, &owner);
        let panicked = panic_of(|| {
            let _guards = [way.enter(&lock, &owner), way.enter(&lock, &owner)];
            panic!("at depth {}", lock.depth());
        });
        assert_eq!((panicked.as_str(), lock.depth()), ("at depth 3", 1));
        assert!(excludes_everyone(&lock));
        drop(outer);
        assert!(is_free(&lock), "{way:?}");
    }
}

#[test]
fn at_the_greatest_depth_one_more_panics_and_changes_nothing() {
    for way in Way::all() {
        let (lock, owner) = (ReentrantLock::new(()), Owner::new());
        let mut guards: Vec<_> = (0..MAX_DEPTH).map(|_| way.enter(&lock, &owner)).collect();
        assert_eq!(lock.depth() as usize, MAX_DEPTH);
        for &deeper in Way::FACES.into_iter().find(|ways| ways.contains(&way)).unwrap() {
            assert!(panic_of(|| deeper.enter(&lock, &owner)).contains("65535"), "{deeper:?}");
            assert_eq!((lock.depth() as usize, lock.waiting()), (MAX_DEPTH, 0));
            assert!(way.is_owner(&lock, &owner));
        }
        drop(guards.pop());
        drop(way.enter(&lock, &owner));
        assert!(excludes_everyone(&lock));
        drop(guards);
        assert!(is_free(&lock), "{way:?}");
    }
}

// ---- Time --------------------------------------------------------------------------------------

#[test]
fn a_timed_wait_on_a_held_lock_lasts_its_time_and_leaves_no_trace() {
    const TIME: Duration = Duration::from_millis(20);
    let (lock, owner) = (ReentrantLock::new(()), Owner::new());
    let held = (lock.lock_as(&owner), lock.lock_as(&owner));
    let waits: [&dyn Fn() -> bool; 4] = [
        &|| lock.lock_timeout(TIME).is_err(),
        &|| lock.lock_deadline(Instant::now() + TIME).is_err(),
        &|| lock.lock_as_timeout(&Owner::new(), TIME).is_err(),
        &|| lock.lock_as_deadline(&Owner::new(), Instant::now() + TIME).is_err(),
    ];
    for wait in waits {
        let start = Instant::now();
        assert!(wait());
        let elapsed = start.elapsed();
        assert!(elapsed >= TIME && elapsed < LONG, "{elapsed:?}");
        assert_eq!((lock.depth(), lock.waiting()), (2, 0));
    }
    drop(held);
    assert!(is_free(&lock));
}

#[test]
fn no_time_suffices_for_a_free_lock_and_for_re_entry() {
    let (lock, owner) = (ReentrantLock::new(()), Owner::new());
    let past = Instant::now();
    for _ in 0..2 {
        let outer = lock.lock_timeout(Duration::ZERO).unwrap();
        let inner = (lock.lock_timeout(Duration::ZERO).unwrap(), lock.lock_deadline(past).unwrap());
        assert_eq!(lock.depth(), 3);
        drop((outer, inner, lock.lock_deadline(past).unwrap()));
        assert!(is_free(&lock));
        let outer = lock.lock_as_timeout(&owner, Duration::ZERO).unwrap();
        let inner = lock.lock_as_deadline(&owner, past).unwrap();
        assert_eq!(lock.depth(), 2);
        drop((outer, inner, lock.lock_as_timeout(&owner, Duration::ZERO).unwrap()));
        drop(lock.lock_as_deadline(&owner, past).unwrap());
        assert!(is_free(&lock));
    }
}

#[test]
fn a_timeout_that_overflows_the_clock_waits_for_ever() {
    let (lock, owner) = (ReentrantLock::new(()), Owner::new());
    let held = lock.lock_as(&owner);
    thread::scope(|threads| {
        threads.spawn(|| drop(lock.lock_timeout(Duration::MAX).unwrap()));
        threads.spawn(|| drop(lock.lock_as_timeout(&Owner::new(), Duration::MAX).unwrap()));
        eventually("both wait", || lock.waiting() == 2);
        drop(lock.lock_as_timeout(&owner, Duration::MAX).unwrap());
        drop(held);
    });
    assert!(is_free(&lock));
}

// ---- Owners ------------------------------------------------------------------------------------

#[test]
fn clones_of_an_owner_are_the_same_and_all_others_differ() {
    let owner = Owner::new();
    let owners: HashSet<_> =
        [owner.clone(), owner.clone(), owner.child(), owner.child(), Owner::new()].into();
    assert_eq!(owners.len(), 4);
    assert!(owners.contains(&owner));
}

/// One owner on two threads, which go in and out, and out last, as it happens; against another
/// owner.
#[test]
fn one_owner_on_two_threads_shares_its_hold_and_excludes_others() {
    const ROUNDS: usize = 2_000;
    let (lock, owner) = (ReentrantLock::new(()), Owner::new());
    let (sharing, alone) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let start = Barrier::new(3);
    thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                start.wait();
                for round in 0..ROUNDS {
                    let outer = lock.lock_as(&owner);
                    sharing.fetch_add(1, Ordering::Relaxed);
                    let inner = block_on(lock.lock_async(&owner));
                    assert_eq!(alone.load(Ordering::Relaxed), 0, "both owners inside");
                    assert!((2..=4).contains(&lock.depth()));
                    sharing.fetch_sub(1, Ordering::Relaxed);
                    if round % 2 == 0 { drop((outer, inner)) } else { drop((inner, outer)) }
                }
            });
        }
        threads.spawn(|| {
            start.wait();
            for round in 0..ROUNDS {
                let other = Owner::new();
                let way = if round % 2 == 0 { Way::Lock } else { Way::LockAs };
                let _guard = way.enter(&lock, &other);
                alone.fetch_add(1, Ordering::Relaxed);
                assert_eq!(sharing.load(Ordering::Relaxed), 0, "both owners inside");
                assert_eq!(lock.depth(), 1);
                alone.fetch_sub(1, Ordering::Relaxed);
            }
        });
    });
    assert!(is_free(&lock));
}

#[test]
fn the_last_guard_to_go_unlocks_on_whichever_thread() {
    for first_goes_first in [true, false] {
        let (lock, owner) = (ReentrantLock::new(()), Owner::new());
        let waiter = Counter::new();
        let here = lock.lock_as(&owner);
        let mut next = Box::pin(lock.lock_async(&owner.child()));
        assert!(waiter.poll(next.as_mut()).is_pending());
        let (entered, wait) = mpsc::channel();
        let leave = Event::new();
        thread::scope(|threads| {
            let there = threads.spawn(|| {
                let there = lock.try_lock_as(&owner).expect("the same owner");
                entered.send(lock.depth()).unwrap();
                leave.wait();
                drop(there);
            });
            assert_eq!(wait.recv().unwrap(), 2);
            if first_goes_first {
                drop(here);
                assert_eq!((lock.depth(), waiter.wakes()), (1, 0));
                assert!(excludes_everyone(&lock));
                leave.set();
                there.join().unwrap();
            } else {
                leave.set();
                there.join().unwrap();
                assert_eq!((lock.depth(), waiter.wakes()), (1, 0));
                assert!(excludes_everyone(&lock));
                drop(here);
            }
        });
        assert_eq!((lock.depth(), waiter.wakes()), (0, 1));
        assert!(waiter.poll(next.as_mut()).is_ready());
    }
}

#[test]
fn a_guard_of_an_owner_may_be_dropped_on_another_thread() {
    let (lock, owner) = (ReentrantLock::new(()), Owner::new());
    for way in Way::OF_OWNER {
        let Guard::Owner(outer) = way.enter(&lock, &owner) else { unreachable!() };
        let Guard::Owner(inner) = way.enter(&lock, &owner) else { unreachable!() };
        thread::scope(|threads| threads.spawn(move || drop(outer)).join().unwrap());
        assert_eq!(lock.depth(), 1);
        assert!(excludes_everyone(&lock));
        thread::scope(|threads| {
            let waiter = threads.spawn(|| drop(lock.lock()));
            eventually("it waits", || lock.waiting() == 1);
            threads.spawn(move || drop(inner));
            waiter.join().unwrap();
        });
        assert!(is_free(&lock), "{way:?}");
    }
}

#[test]
fn what_a_dead_thread_holds_no_new_thread_owns() {
    let lock = ReentrantLock::new(Cell::new(0));
    thread::scope(|threads| {
        threads.spawn(|| std::mem::forget(lock.lock())).join().unwrap();
        // Whatever the platform uses again: stacks, thread-locals, ids of threads.
        for _ in 0..64 {
            let owns = || lock.is_owned_by_current_thread() || lock.try_lock().is_some();
            assert!(!threads.spawn(owns).join().unwrap());
        }
    });
    assert_eq!(lock.depth(), 1);
    assert!(lock.is_locked() && !lock.is_owned_by_current_thread());
}

/// The lock is used by a destructor of a thread-local, when others may be gone: the last one used for
/// the first time goes first. A thread that has waited since has no parker any more.
#[test]
fn a_dying_thread_may_lock() {
    static LOCK: ReentrantLock<AtomicU32> = ReentrantLock::new(AtomicU32::new(0));

    struct LocksInDrop;

    impl Drop for LocksInDrop {
        fn drop(&mut self) {
            let (outer, _inner) = (LOCK.lock(), LOCK.lock());
            assert!(LOCK.is_owned_by_current_thread() && Owner::current().is_none());
            outer.fetch_add(LOCK.depth(), Ordering::Relaxed);
        }
    }

    thread_local!(static AT_EXIT: LocksInDrop = const { LocksInDrop });

    fn wait() {
        assert!(block_on_timeout(Event::new().wait_async(), Duration::from_millis(1)).is_err());
    }

    let lives: [fn(); 3] = [
        || AT_EXIT.with(|_| ()),
        || {
            wait();
            AT_EXIT.with(|_| ());
        },
        || {
            AT_EXIT.with(|_| ());
            wait();
        },
    ];
    for (life, depths) in lives.into_iter().zip([2, 4, 6]) {
        let held = LOCK.lock();
        let dying = thread::spawn(life);
        eventually("it waits", || LOCK.waiting() == 1);
        drop(held);
        dying.join().unwrap();
        assert_eq!(LOCK.lock().load(Ordering::Relaxed), depths);
    }
}

// ---- Scopes ------------------------------------------------------------------------------------

/// A future that reports the current owner at its first poll, its second, and its drop.
struct Reports<'a> {
    seen: &'a RefCell<Vec<Option<Owner>>>,
    polled: bool,
}

impl<'a> Reports<'a> {
    fn to(seen: &'a RefCell<Vec<Option<Owner>>>) -> Self {
        Self { seen, polled: false }
    }
}

impl Future for Reports<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.seen.borrow_mut().push(Owner::current());
        if std::mem::replace(&mut self.polled, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Reports<'_> {
    fn drop(&mut self) {
        self.seen.borrow_mut().push(Owner::current());
    }
}

#[test]
fn an_owner_is_current_while_its_scope_is_polled_or_dropped_and_only_then() {
    let (owner, seen) = (Owner::new(), RefCell::new(Vec::new()));
    let current = Some(owner.clone());
    assert_eq!(Owner::current(), None);

    // Run to its end.
    let mut scope = Box::pin(owner.scope(Reports::to(&seen)));
    assert!(poll_once(scope.as_mut()).is_pending());
    assert_eq!(Owner::current(), None, "restored while it is pending");
    assert!(poll_once(scope.as_mut()).is_ready());
    assert_eq!(Owner::current(), None);
    drop(scope);
    assert_eq!(seen.take(), [current.clone(), current.clone(), current.clone()]);

    // Dropped while it waits, and before it was polled.
    let mut scope = Box::pin(owner.scope(Reports::to(&seen)));
    assert!(poll_once(scope.as_mut()).is_pending());
    drop(scope);
    drop(owner.scope(Reports::to(&seen)));
    assert_eq!(seen.take(), [current.clone(), current.clone(), current]);
    assert_eq!(Owner::current(), None);
}

#[test]
fn nested_scopes_stack() {
    let (outer, inner) = (Owner::new(), Owner::new());
    let current = || Owner::current().unwrap();
    block_on(outer.scope(async {
        assert_eq!(current(), outer);
        block_on(inner.scope(async { assert_eq!(current(), inner) }));
        let mut pending = Box::pin(inner.scope(async {
            assert_eq!(current(), inner);
            outer.scope(async { assert_eq!(current(), outer) }).await;
            assert_eq!(current(), inner);
            std::future::pending::<()>().await;
        }));
        assert!(poll_once(pending.as_mut()).is_pending());
        assert_eq!(current(), outer);
        drop(pending);
        assert_eq!(current(), outer);
        thread::scope(|threads| {
            threads.spawn(|| assert_eq!(Owner::current(), None, "another thread"));
        });
    }));
    assert_eq!(Owner::current(), None);
}

#[test]
fn a_panic_restores_the_previous_owner() {
    struct PanicsInDrop;

    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }

    let (outer, inner) = (Owner::new(), Owner::new());
    block_on(outer.scope(async {
        let poll = panic_of(|| block_on(inner.scope(async { panic!("in poll") })));
        assert_eq!((poll.as_str(), Owner::current()), ("in poll", Some(outer.clone())));
        let bomb = PanicsInDrop;
        let scope = inner.scope(async move {
            let _bomb = bomb;
            std::future::pending::<()>().await;
        });
        let dropped = panic_of(|| drop(scope));
        assert_eq!((dropped.as_str(), Owner::current()), ("in drop", Some(outer.clone())));
    }));
    assert_eq!(Owner::current(), None);
}

#[test]
fn a_dropped_scope_releases_what_it_held() {
    let (lock, owner) = (ReentrantLock::new(()), Owner::new());
    let mut scope = Box::pin(owner.scope(async {
        let _guards = (lock.lock_async_scoped().await, lock.lock_async_scoped().await);
        std::future::pending::<()>().await;
    }));
    assert!(poll_once(scope.as_mut()).is_pending());
    assert_eq!(lock.depth(), 2);
    assert!(lock.is_owned_by(&owner) && excludes_everyone(&lock));
    drop(scope);
    assert!(is_free(&lock));
}

#[test]
fn a_scope_that_has_ended_is_fused_and_not_polled_again() {
    let owner = Owner::new();
    let mut scope = Box::pin(owner.scope(std::future::ready(1)));
    assert!(poll_once(scope.as_mut()).is_ready());
    assert!(catch_unwind(AssertUnwindSafe(|| poll_once(scope.as_mut()))).is_err());
    assert_eq!(Owner::current(), None);

    let lock = ReentrantLock::new(());
    let mut scope = Box::pin(owner.scope(lock.lock_async(&owner)));
    assert!(!scope.is_terminated());
    assert!(poll_once(scope.as_mut()).is_ready());
    assert!(scope.is_terminated());
}

#[test]
fn outside_a_scope_the_scoped_form_says_what_to_do() {
    let lock = ReentrantLock::new(());
    let owner = Owner::new();
    block_on(owner.scope(async {}));
    let message = panic_of(|| drop(lock.lock_async_scoped()));
    for part in ["lock_async_scoped", "owner.scope(..)", "lock_async`"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(is_free(&lock));
}

#[test]
fn the_scoped_form_takes_the_owner_of_the_call() {
    let (lock, owner) = (ReentrantLock::new(()), Owner::new());
    let call = std::future::poll_fn(|_| Poll::Ready(lock.lock_async_scoped()));
    let future = block_on(owner.scope(call));
    let _held = block_on(Owner::new().scope(future));
    assert!(lock.is_owned_by(&owner));
}

#[test]
fn inside_a_scope_the_thread_face_means_the_thread() {
    let (lock, owner) = (ReentrantLock::new(()), Owner::new());
    let before = lock.lock();
    block_on(owner.scope(async {
        let inside = (lock.lock(), lock.try_lock().unwrap());
        assert!(lock.is_owned_by_current_thread() && !lock.is_owned_by(&owner));
        assert_eq!(lock.depth(), 3);
        assert!(poll_once(pin!(lock.lock_async_scoped())).is_pending());
        drop((before, inside));
        let _task = lock.lock_async_scoped().await;
        assert!(lock.is_owned_by(&owner) && !lock.is_owned_by_current_thread());
        assert!(lock.try_lock().is_none());
    }));
    assert!(is_free(&lock));
}

#[test]
fn branches_of_a_join_in_one_scope_share_the_hold() {
    let (lock, owner) = (ReentrantLock::new(()), Owner::new());
    let (depths, meet) = (RefCell::new(Vec::new()), Event::new());
    let branch = |last| {
        let (lock, depths, meet) = (&lock, &depths, &meet);
        async move {
            let _guard = lock.lock_async_scoped().await;
            depths.borrow_mut().push(lock.depth());
            if last { meet.set() } else { meet.wait_async().await }
        }
    };
    block_on(owner.scope(join(branch(false), branch(true))));
    assert_eq!(depths.take(), [1, 2], "the second enters while the first is inside");
    assert!(is_free(&lock));
}

#[test]
fn branches_of_a_join_in_child_owners_exclude_each_other() {
    let (lock, owner) = (ReentrantLock::new(()), Owner::new());
    let inside = Cell::new(0);
    let branch = |owner: Owner| {
        let (lock, inside) = (&lock, &inside);
        async move {
            let scope = owner.scope(async {
                for _ in 0..10 {
                    let _guards = (lock.lock_async_scoped().await, lock.lock_async_scoped().await);
                    assert_eq!((inside.replace(1), lock.depth()), (0, 2));
                    tokio::task::yield_now().await;
                    inside.set(0);
                }
            });
            scope.await;
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(owner.scope(join(branch(owner.child()), branch(owner.child()))));
    assert!(is_free(&lock));
}

#[test]
fn a_scope_takes_its_holds_from_thread_to_thread() {
    let lock = Arc::new(ReentrantLock::new(AtomicU32::new(0)));
    let (owner, other) = (Owner::new(), Arc::clone(&lock));
    let mut task: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(owner.scope(async move {
        let outer = other.lock_async_scoped().await;
        for depth in 2..12 {
            let mut yielded = false;
            std::future::poll_fn(|_| match std::mem::replace(&mut yielded, true) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            })
            .await;
            let inner = other.lock_async_scoped().await;
            assert_eq!(other.depth(), 2, "at poll {depth}");
            drop(inner);
            outer.fetch_add(1, Ordering::Relaxed);
        }
    }));
    for _ in 0..10 {
        task = thread::spawn(move || {
            assert!(poll_once(task.as_mut()).is_pending());
            assert_eq!(Owner::current(), None);
            task
        })
        .join()
        .unwrap();
        assert!(lock.is_owned_by(&owner) && excludes_everyone(&lock));
    }
    assert!(poll_once(task.as_mut()).is_ready());
    assert!(is_free(&lock));
    assert_eq!(lock.lock().load(Ordering::Relaxed), 10);
}

/// The one worker hands its tasks over to a new thread while the task blocks it.
#[test]
fn a_scoped_task_of_tokio_migrates_while_it_holds() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let lock = Arc::new(ReentrantLock::new(()));
    let (owner, shared) = (Owner::new(), Arc::clone(&lock));
    let (identity, same) = (owner.clone(), owner.clone());
    let task = async move {
        let _outer = shared.lock_async_scoped().await;
        let first = thread::current().id();
        tokio::task::block_in_place(|| {
            let (running, new_worker) = mpsc::channel();
            let lock = Arc::clone(&shared);
            tokio::spawn(async move {
                assert_eq!(Owner::current(), None, "another task");
                assert!(lock.try_lock().is_none());
                running.send(thread::current().id()).unwrap();
            });
            assert_ne!(new_worker.recv().unwrap(), first);
        });
        tokio::task::yield_now().await;
        assert_ne!(thread::current().id(), first, "it has migrated");
        assert_eq!(Owner::current(), Some(identity));
        let _inner = shared.lock_async_scoped().await;
        shared.depth()
    };
    let depth = runtime.block_on(async { tokio::spawn(owner.scope(task)).await.unwrap() });
    assert_eq!(depth, 2);
    assert!(!lock.is_owned_by(&same) && is_free(&lock));
}

/// Tasks with owners, on every worker of a runtime, and threads.
#[test]
fn tasks_of_a_runtime_and_threads_take_turns() {
    const ROUNDS: u32 = 200;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let lock = Arc::new(ReentrantLock::new(AtomicU32::new(0)));
    let count = |value: &AtomicU32| {
        value.store(value.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    };
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let lock = Arc::clone(&lock);
            runtime.spawn(Owner::new().scope(async move {
                for _ in 0..ROUNDS {
                    let outer = lock.lock_async_scoped().await;
                    tokio::task::yield_now().await;
                    let inner = lock.lock_async_scoped().await;
                    drop(outer);
                    count(&inner);
                }
            }))
        })
        .collect();
    thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                for _ in 0..ROUNDS {
                    let (outer, inner) = (lock.lock(), lock.lock());
                    drop(outer);
                    count(&inner);
                }
            });
        }
    });
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(lock.lock().load(Ordering::Relaxed), 6 * ROUNDS);
    assert!(is_free(&lock));
}

// ---- Cancellation ------------------------------------------------------------------------------

#[test]
fn an_unpolled_future_does_not_wait() {
    let (lock, owner) = (ReentrantLock::new(()), Owner::new());
    let unpolled = lock.lock_async(&owner);
    assert!(is_free(&lock));
    let held = lock.lock();
    assert_eq!(lock.waiting(), 0);
    drop(unpolled);
    drop(held);
    assert!(is_free(&lock));
}

#[test]
fn a_dropped_future_leaves_the_queue() {
    let lock = ReentrantLock::new(());
    let held = lock.lock();
    let owners = [Owner::new(), Owner::new(), Owner::new()];
    let wakers = [(); 3].map(|()| Counter::new());
    let mut waits = Vec::new();
    for (owner, waker) in owners.iter().zip(&wakers) {
        let mut wait = Box::pin(lock.lock_async(owner));
        assert!(waker.poll(wait.as_mut()).is_pending());
        waits.push(wait);
    }
    assert_eq!(lock.waiting(), 3);
    drop(waits.remove(1));
    drop(waits.remove(0));
    assert_eq!(lock.waiting(), 1);
    drop(held);
    assert_eq!(wakers.each_ref().map(|waker| waker.wakes()), [0, 0, 1]);
    assert!(wakers[2].poll(waits[0].as_mut()).is_ready());
}

#[test]
fn a_future_dropped_when_notified_passes_it_on() {
    for on_another_thread in [false, true] {
        let lock = ReentrantLock::new(());
        let (owner, waker) = (Owner::new(), Counter::new());
        let held = lock.lock();
        let mut first = Box::pin(lock.lock_async(&owner));
        let mut second = Box::pin(lock.lock_async(&owner.child()));
        assert!(poll_once(first.as_mut()).is_pending());
        assert!(waker.poll(second.as_mut()).is_pending());
        drop(held);
        assert_eq!(waker.wakes(), 0);
        if on_another_thread {
            thread::scope(|threads| threads.spawn(|| drop(first)).join().unwrap());
        } else {
            drop(first);
        }
        assert_eq!(waker.wakes(), 1);
        let Poll::Ready(guard) = waker.poll(second.as_mut()) else { panic!("it was woken") };
        assert!(!lock.is_owned_by(&owner));
        drop(guard);
        assert!(is_free(&lock));
    }
}

#[test]
fn a_future_dropped_on_another_thread_leaves_the_queue() {
    let (lock, owner) = (ReentrantLock::new(()), Owner::new());
    let held = lock.lock();
    let mut wait = Box::pin(lock.lock_async(&owner));
    assert!(poll_once(wait.as_mut()).is_pending());
    thread::scope(|threads| {
        threads.spawn(move || drop(wait));
    });
    assert_eq!((lock.waiting(), lock.depth()), (0, 1));
    drop(held);
    assert!(is_free(&lock));
}

#[test]
fn a_future_that_is_ready_is_spent() {
    let (lock, owner) = (ReentrantLock::new(()), Owner::new());
    let mut wait = Box::pin(lock.lock_async(&owner));
    assert!(!wait.is_terminated());
    let Poll::Ready(guard) = poll_once(wait.as_mut()) else { panic!("the lock is free") };
    assert!(wait.is_terminated());
    assert!(panic_of(|| drop(poll_once(wait.as_mut()))).contains("polled after completion"));
    assert_eq!(lock.depth(), 1);
    drop(wait);
    assert_eq!(lock.depth(), 1, "the hold is the guard's");
    drop(guard);
    assert!(is_free(&lock));
}

/// A future is queued, or woken, behind another owner; meanwhile its own owner locks elsewhere.
#[test]
fn a_future_whose_owner_has_locked_meanwhile_enters_and_leaves_the_queue() {
    for woken in [false, true] {
        let (lock, owner) = (ReentrantLock::new(()), Owner::new());
        let (waker, next_waker) = (Counter::new(), Counter::new());
        let held = lock.lock();
        let mut blocker = Box::pin(lock.lock_async(&owner.child()));
        if !woken {
            assert!(poll_once(blocker.as_mut()).is_pending());
        }
        let mut wait = Box::pin(lock.lock_async(&owner));
        let mut next = Box::pin(lock.lock_async(&owner.child()));
        assert!(waker.poll(wait.as_mut()).is_pending());
        assert!(next_waker.poll(next.as_mut()).is_pending());
        drop(held);
        assert_eq!(waker.wakes(), usize::from(woken));

        let outer = lock.lock_as(&owner);
        let Poll::Ready(inner) = waker.poll(wait.as_mut()) else { panic!("re-entry") };
        assert_eq!((lock.depth(), lock.waiting()), (2, 1));
        drop((outer, wait));
        assert_eq!((lock.depth(), next_waker.wakes()), (1, 0));
        drop((inner, blocker));
        assert_eq!(next_waker.wakes(), 1, "who waits behind it is not stranded");
        assert!(next_waker.poll(next.as_mut()).is_ready());
    }
}

#[test]
fn waiting_counts_both_faces_and_not_those_who_enter() {
    let (lock, owner) = (ReentrantLock::new(()), Owner::new());
    let held = lock.lock_as(&owner);
    thread::scope(|threads| {
        threads.spawn(|| drop(lock.lock()));
        threads.spawn(|| drop(lock.lock_as(&Owner::new())));
        threads.spawn(|| drop(block_on(lock.lock_async(&Owner::new()))));
        eventually("three wait", || lock.waiting() == 3);
        let mut task = Box::pin(lock.lock_async(&Owner::new()));
        assert!(poll_once(task.as_mut()).is_pending());
        drop((lock.lock_as(&owner), block_on(lock.lock_async(&owner))));
        assert_eq!(lock.waiting(), 4);
        drop((task, held));
    });
    assert!(is_free(&lock));
}

/// A waker whose clones panic when they are dropped.
struct PanicsWhenDropped {
    armed: AtomicBool,
}

impl Wake for PanicsWhenDropped {
    fn wake(self: Arc<Self>) {}
}

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        if self.armed.load(Ordering::SeqCst) {
            panic!("a waker's drop");
        }
    }
}

/// On the way in, by re-entry, the future drops the waker that it had in the queue.
#[test]
fn a_waker_that_panics_when_it_is_dropped_costs_no_hold() {
    let (lock, owner) = (ReentrantLock::new(()), Owner::new());
    let held = lock.lock();
    let mut first = Box::pin(lock.lock_async(&owner.child()));
    assert!(poll_once(first.as_mut()).is_pending());
    let mut wait = Box::pin(lock.lock_async(&owner));
    let waker = Waker::from(Arc::new(PanicsWhenDropped { armed: AtomicBool::new(true) }));
    assert!(poll_with(&waker, wait.as_mut()).is_pending());
    // The queue has the last clone.
    drop(waker);
    drop(held);
    let outer = lock.lock_as(&owner);
    assert_eq!(panic_of(|| drop(poll_once(wait.as_mut()))), "a waker's drop");
    assert_eq!((lock.depth(), lock.waiting()), (1, 0));
    let Poll::Ready(inner) = poll_once(wait.as_mut()) else { panic!("re-entry") };
    assert_eq!(lock.depth(), 2);
    drop((outer, inner, first));
    assert!(is_free(&lock));
}

// ---- Condition ---------------------------------------------------------------------------------

/// Each blocking wait of `Condition`.
#[derive(Clone, Copy, Debug)]
enum Form {
    Wait,
    Timeout,
    Deadline,
    While,
    WhileTimeout,
    WhileDeadline,
}

impl Form {
    const ALL: [Self; 6] = [
        Self::Wait,
        Self::Timeout,
        Self::Deadline,
        Self::While,
        Self::WhileTimeout,
        Self::WhileDeadline,
    ];

    /// Waits until the value is not 0, for at most `time`; the flag as the timed waits give it.
    fn wait<G>(self, condition: &Condition, guard: G, time: Duration) -> (G, bool)
    where
        G: ConditionGuard<View = G> + Deref<Target = AtomicU32>,
    {
        let deadline = Instant::now() + time;
        let is_zero = |guard: &mut G| guard.load(Ordering::Relaxed) == 0;
        match self {
            Self::Wait => (condition.wait(guard), true),
            Self::Timeout => condition.wait_timeout(guard, time),
            Self::Deadline => condition.wait_deadline(guard, deadline),
            Self::While => (condition.wait_while(guard, is_zero), true),
            Self::WhileTimeout => condition.wait_while_timeout(guard, is_zero, time),
            Self::WhileDeadline => condition.wait_while_deadline(guard, is_zero, deadline),
        }
    }

    fn wait_on<'a>(
        self,
        condition: &Condition,
        guard: Guard<'a, AtomicU32>,
        time: Duration,
    ) -> (Guard<'a, AtomicU32>, bool) {
        match guard {
            Guard::Thread(guard) => {
                let (guard, flag) = self.wait(condition, guard, time);
                (Guard::Thread(guard), flag)
            }
            Guard::Owner(guard) => {
                let (guard, flag) = self.wait(condition, guard, time);
                (Guard::Owner(guard), flag)
            }
        }
    }
}

#[test]
fn a_blocking_wait_releases_every_hold_and_restores_them() {
    for (way, wait) in [Way::Lock, Way::LockAs].into_iter().flat_map(|w| Form::ALL.map(|a| (w, a)))
    {
        for depth in [1, 2, 5] {
            let (lock, condition) = (ReentrantLock::new(AtomicU32::new(0)), Condition::new());
            let owner = Owner::new();
            thread::scope(|threads| {
                threads.spawn(|| {
                    eventually("it waits", || condition.waiting() == 1);
                    let guard = lock.lock();
                    assert_eq!(lock.depth(), 1, "{way:?} {wait:?}");
                    guard.store(1, Ordering::Relaxed);
                    condition.notify_one();
                });
                let outer: Vec<_> = (1..depth).map(|_| way.enter(&lock, &owner)).collect();
                let guard = way.enter(&lock, &owner);
                let (guard, notified) = wait.wait_on(&condition, guard, LONG);
                assert!(notified);
                assert_eq!(guard.load(Ordering::Relaxed), 1);
                assert_eq!(lock.depth(), depth, "{way:?} {wait:?}");
                assert!(way.is_owner(&lock, &owner) && excludes_everyone(&lock));
                drop(guard);
                assert_eq!(lock.depth(), depth - 1);
                drop(outer);
            });
            assert!(is_free(&lock));
        }
    }
}

#[test]
fn a_wait_that_times_out_restores_every_hold() {
    const TIME: Duration = Duration::from_millis(5);
    let timed = [Form::Timeout, Form::Deadline, Form::WhileTimeout, Form::WhileDeadline];
    for (way, wait) in [Way::Lock, Way::LockAs].into_iter().flat_map(|w| timed.map(|a| (w, a))) {
        for (depth, time) in [(1, TIME), (3, TIME), (3, Duration::ZERO)] {
            let (lock, condition) = (ReentrantLock::new(AtomicU32::new(0)), Condition::new());
            let owner = Owner::new();
            let outer: Vec<_> = (1..depth).map(|_| way.enter(&lock, &owner)).collect();
            let (guard, flag) = wait.wait_on(&condition, way.enter(&lock, &owner), time);
            assert!(!flag, "{way:?} {wait:?}");
            assert_eq!((lock.depth(), condition.waiting()), (depth, 0), "{way:?} {wait:?}");
            assert!(way.is_owner(&lock, &owner) && excludes_everyone(&lock));
            drop((outer, guard));
            assert!(is_free(&lock));
        }
    }
}

/// The wait times out, or is notified, while somebody else holds the lock: it takes it again before
/// it returns.
#[test]
fn a_wait_returns_with_its_holds_though_others_hold_in_between() {
    type Kept<'a> = std::sync::Mutex<Option<OwnerGuard<'a, AtomicU32>>>;
    for (time, notify) in [(Duration::from_millis(1), false), (LONG, true)] {
        let lock: &ReentrantLock<_> = Box::leak(Box::new(ReentrantLock::new(AtomicU32::new(0))));
        let kept: &Kept<'_> = Box::leak(Box::default());
        let (condition, owner) = (Condition::new(), Owner::new());
        let (locked, go) = (Event::new(), Event::new());
        let mut next = Box::pin(lock.lock_async(&owner));
        thread::scope(|threads| {
            let waiter = threads.spawn(|| {
                let (outer, inner) = (lock.lock(), lock.lock());
                locked.set();
                go.wait();
                let (inner, notified) = condition.wait_timeout(inner, time);
                assert_eq!((lock.depth(), notified), (2, notify));
                assert_eq!(inner.load(Ordering::Relaxed), 1);
                drop((outer, inner));
            });
            locked.wait();
            // Woken by the wait, before it sleeps.
            let other = owner.clone();
            let waker = Hook::waker(move || *kept.lock().unwrap() = Some(lock.lock_as(&other)));
            assert!(poll_with(&waker, next.as_mut()).is_pending());
            go.set();
            eventually("the other has the lock", || kept.lock().unwrap().is_some());
            drop(next);
            if notify {
                assert!(condition.notify_one());
            }
            eventually("it wants its holds back", || lock.waiting() == 1);
            let other = kept.lock().unwrap().take().unwrap();
            assert!(lock.is_owned_by(&owner) && lock.depth() == 1);
            other.store(1, Ordering::Relaxed);
            drop(other);
            waiter.join().unwrap();
        });
        assert!(is_free(lock));
    }
}

/// Who waits for the lock has a waker that panics: the wait on the condition, which releases the
/// lock, is what it hits.
#[test]
fn a_wait_that_unwinds_restores_the_holds_of_the_other_guards() {
    for (way, wait) in [Way::Lock, Way::LockAs].into_iter().flat_map(|w| Form::ALL.map(|a| (w, a)))
    {
        for depth in [1, 2, 4] {
            let (lock, condition) = (ReentrantLock::new(AtomicU32::new(0)), Condition::new());
            let owner = Owner::new();
            let outer: Vec<_> = (1..depth).map(|_| way.enter(&lock, &owner)).collect();
            let guard = way.enter(&lock, &owner);
            let mut next = Box::pin(lock.lock_async(&owner.child()));
            let bad = Hook::waker(|| panic!("a waker"));
            assert!(poll_with(&bad, next.as_mut()).is_pending());

            let panicked = panic_of(|| drop(wait.wait_on(&condition, guard, LONG)));
            assert_eq!(panicked, "a waker");
            assert_eq!((lock.depth(), condition.waiting()), (depth - 1, 0), "{way:?} {wait:?}");
            if depth > 1 {
                assert!(way.is_owner(&lock, &owner) && excludes_everyone(&lock));
                // And the condition is as good as new.
                let again = way.enter(&lock, &owner);
                let again = Form::Timeout.wait_on(&condition, again, Duration::ZERO).0;
                assert_eq!(lock.depth(), depth);
                drop((again, outer));
            }
            assert!(poll_once(next.as_mut()).is_ready(), "{way:?} {wait:?}");
            assert!(is_free(&lock));
        }
    }
}

#[test]
fn a_predicate_that_panics_ends_one_hold() {
    for way in [Way::Lock, Way::LockAs] {
        let (lock, condition) = (ReentrantLock::new(AtomicU32::new(0)), Condition::new());
        let owner = Owner::new();
        thread::scope(|threads| {
            threads.spawn(|| {
                eventually("it waits", || condition.waiting() == 1);
                lock.lock().store(1, Ordering::Relaxed);
                condition.notify_one();
            });
            let outer = way.enter(&lock, &owner);
            let mut calls = 0;
            let panicked = match way.enter(&lock, &owner) {
                Guard::Thread(guard) => panic_of(|| {
                    drop(condition.wait_while(guard, |guard| {
                        calls += 1;
                        assert_eq!(guard.load(Ordering::Relaxed), 0, "after a wait");
                        true
                    }));
                }),
                Guard::Owner(guard) => panic_of(|| {
                    drop(condition.wait_while(guard, |guard| {
                        calls += 1;
                        assert_eq!(guard.load(Ordering::Relaxed), 0, "after a wait");
                        true
                    }));
                }),
            };
            assert!(panicked.contains("after a wait") && calls == 2);
            assert_eq!(lock.depth(), 1);
            assert!(way.is_owner(&lock, &owner) && excludes_everyone(&lock));
            drop(outer);
        });
        assert!(is_free(&lock));
    }
}

#[test]
fn predicates_see_the_guard_and_through_it_the_value() {
    let (lock, condition, owner) =
        (ReentrantLock::new(Cell::new(3)), Condition::new(), Owner::new());
    let guard =
        condition.wait_while(lock.lock(), |guard: &mut ReentrantLockGuard<'_, Cell<i32>>| {
            guard.set(guard.get() - 1);
            guard.get() < 0
        });
    assert_eq!(guard.get(), 2);
    drop(guard);

    let lock = ReentrantLock::new(AtomicU32::new(3));
    let is_zero = |guard: &mut OwnerGuard<'_, AtomicU32>| guard.load(Ordering::Relaxed) == 0;
    drop(condition.wait_while(lock.lock_as(&owner), is_zero));
    drop(block_on(condition.wait_while_async(lock.lock_as(&owner), is_zero)));
    assert!(is_free(&lock));
}

#[test]
fn an_async_wait_releases_the_lock_and_takes_it_again_for_its_owner() {
    let (lock, condition) = (ReentrantLock::new(AtomicU32::new(0)), Condition::new());
    let (owner, waker) = (Owner::new(), Counter::new());
    let mut wait = Box::pin(condition.wait_async(lock.lock_as(&owner)));
    assert!(lock.is_owned_by(&owner), "not polled yet");
    assert!(waker.poll(wait.as_mut()).is_pending());
    assert_eq!((condition.waiting(), lock.depth()), (1, 0));
    assert!(is_free(&lock));
    assert!(condition.notify_one());
    assert_eq!(waker.wakes(), 1);

    // The lock is taken: it queues for it.
    let held = lock.lock();
    assert!(waker.poll(wait.as_mut()).is_pending());
    assert_eq!((condition.waiting(), lock.waiting()), (0, 1));
    drop(held);
    assert_eq!(waker.wakes(), 2);
    let Poll::Ready(guard) = waker.poll(wait.as_mut()) else { panic!("it was woken") };
    assert!(lock.is_owned_by(&owner) && lock.depth() == 1);
    drop(guard);
    assert!(is_free(&lock));

    // Its owner has the lock already: it enters.
    let mut wait = Box::pin(condition.wait_async(lock.lock_as(&owner)));
    assert!(poll_once(wait.as_mut()).is_pending());
    let held = lock.lock_as(&owner);
    assert_eq!(condition.notify_all(), 1);
    let Poll::Ready(guard) = poll_once(wait.as_mut()) else { panic!("re-entry") };
    assert_eq!(lock.depth(), 2);
    drop((held, guard));
    assert!(is_free(&lock));
}

#[test]
fn a_dropped_async_wait_holds_nothing_and_passes_on() {
    let (lock, condition) = (ReentrantLock::new(AtomicU32::new(0)), Condition::new());
    let (owner, waker) = (Owner::new(), Counter::new());
    // Unpolled it still has the guard.
    drop(condition.wait_async(lock.lock_as(&owner)));
    assert!(is_free(&lock));
    for locking in [false, true] {
        let mut first = Box::pin(condition.wait_async(lock.lock_as(&owner)));
        assert!(poll_once(first.as_mut()).is_pending());
        let mut second = Box::pin(condition.wait_async(lock.lock_as(&owner.child())));
        assert!(waker.poll(second.as_mut()).is_pending());
        let wakes = waker.wakes();
        assert!(condition.notify_one());
        if locking {
            let _held = lock.lock();
            assert!(poll_once(first.as_mut()).is_pending());
            assert_eq!(lock.waiting(), 1);
        }
        drop(first);
        assert_eq!((waker.wakes(), condition.waiting()), (wakes + 1, 0));
        assert!(waker.poll(second.as_mut()).is_ready());
        assert!(is_free(&lock));
    }
}

/// Asks every blocking wait in turn.
fn refusals<T>(lock: &ReentrantLock<T>, condition: &Condition) -> [String; 6] {
    let soon = || Instant::now() + LONG;
    [
        panic_of(|| drop(condition.wait(lock.lock()))),
        panic_of(|| drop(condition.wait_timeout(lock.lock(), LONG))),
        panic_of(|| drop(condition.wait_deadline(lock.lock(), soon()))),
        panic_of(|| drop(condition.wait_while(lock.lock(), |_| true))),
        panic_of(|| drop(condition.wait_while_timeout(lock.lock(), |_| true, LONG))),
        panic_of(|| drop(condition.wait_while_deadline(lock.lock(), |_| true, soon()))),
    ]
}

#[test]
fn a_thread_with_other_guards_does_not_lend_a_value_twice_that_is_not_sync() {
    // The borrows of a type like this may be accounted for in the thread.
    struct OfOneThread(#[expect(dead_code, reason = "for what it is not")] Cell<u32>);
    let (lock, condition) = (ReentrantLock::new(OfOneThread(Cell::new(0))), Condition::new());
    let outer = lock.lock();
    for refused in refusals(&lock, &condition) {
        assert!(refused.contains("the value is `Sync`"), "{refused}");
        assert_eq!((lock.depth(), condition.waiting()), (1, 0));
    }
    assert!(lock.is_owned_by_current_thread() && !condition.notify_one());
    // A guard that is forgotten may have been borrowed for ever.
    std::mem::forget(outer);
    assert!(panic_of(|| drop(condition.wait(lock.lock()))).contains("the value is `Sync`"));
    assert_eq!(lock.depth(), 1);

    let lock = ReentrantLock::new(OfOneThread(Cell::new(0)));
    thread::scope(|threads| {
        threads.spawn(|| {
            let (_guard, notified) = condition.wait_timeout(lock.lock(), LONG);
            assert!(notified, "with the only guard it may");
        });
        eventually("waiting", || condition.waiting() == 1);
        let _guard = lock.lock();
        assert!(condition.notify_one());
    });
}

#[test]
fn a_thread_with_other_guards_may_wait_with_a_cell() {
    let (flag, list) =
        (ReentrantLock::new(Cell::new(false)), ReentrantLock::new(RefCell::new(vec![])));
    let (flagged, listed) = (Condition::new(), Condition::new());
    thread::scope(|threads| {
        threads.spawn(|| {
            let outer = flag.lock();
            let inner = flagged.wait_while(flag.lock(), |flag| !flag.get());
            assert!(inner.get() && outer.get() && flag.depth() == 2);
        });
        threads.spawn(|| {
            let outer = list.lock();
            let inner = listed.wait_while(list.lock(), |list| list.borrow().is_empty());
            assert_eq!((inner.borrow().len(), outer.borrow()[0], list.depth()), (1, 7, 2));
        });
        eventually("both waiting", || flagged.waiting() + listed.waiting() == 2);
        flag.lock().set(true);
        list.lock().borrow_mut().push(7);
        assert!(flagged.notify_one() && listed.notify_one());
    });
}

#[test]
fn an_async_wait_of_an_owner_with_other_guards_is_refused() {
    let (lock, condition) = (ReentrantLock::new(AtomicU32::new(0)), Condition::new());
    let owner = Owner::new();
    let waker = Counter::new();
    let outer = lock.lock_as(&owner);
    let mut next = Box::pin(lock.lock_async(&owner.child()));
    assert!(waker.poll(next.as_mut()).is_pending());
    let is_zero = |guard: &mut OwnerGuard<'_, AtomicU32>| guard.load(Ordering::Relaxed) == 0;
    for depth in [2, 3] {
        let middle: Vec<_> = (2..depth).map(|_| lock.lock_as(&owner)).collect();
        let mut wait = Box::pin(condition.wait_async(lock.lock_as(&owner)));
        let refused = panic_of(|| drop(poll_once(wait.as_mut())));
        assert!(refused.contains("not its owner's only one"), "{refused}");
        drop(wait);
        let refused =
            panic_of(|| drop(block_on(condition.wait_while_async(lock.lock_as(&owner), is_zero))));
        assert!(refused.contains("not its owner's only one"), "{refused}");
        // The guards that were given are gone, the others are as they were; nobody came in.
        assert_eq!((lock.depth(), lock.waiting(), condition.waiting()), (depth - 1, 1, 0));
        assert!(lock.is_owned_by(&owner) && excludes_everyone(&lock));
        assert_eq!(waker.wakes(), 0);
        drop(middle);
    }
    drop(outer);
    assert!(waker.poll(next.as_mut()).is_ready());
    // A predicate that lets go at once has nothing to release.
    lock.lock().store(1, Ordering::Relaxed);
    let outer = lock.lock_as(&owner);
    drop(block_on(condition.wait_while_async(lock.lock_as(&owner), is_zero)));
    drop(outer);
    assert!(is_free(&lock));
}

/// The hold that the first wait has given up is not there to be given up again. The guard that the
/// refusal drops is restored by nobody.
#[test]
fn a_second_wait_of_one_owner_on_another_thread_is_refused() {
    let (lock, condition, owner) = (ReentrantLock::new(()), Condition::new(), Owner::new());
    let [first, second, third] = [(); 3].map(|()| lock.lock_as(&owner));
    thread::scope(|threads| {
        let waiter = threads.spawn(|| {
            let guard = condition.wait(first);
            assert_eq!(lock.depth(), 1);
            drop(guard);
        });
        eventually("it waits", || condition.waiting() == 1 && !lock.is_locked());
        let blocking = || drop(condition.wait(second));
        let task = || drop(block_on(condition.wait_async(third)));
        for refused in [panic_of(blocking), panic_of(task)] {
            assert!(refused.contains("not its owner's only one"), "{refused}");
        }
        assert_eq!(condition.waiting(), 1);
        assert!(is_free(&lock));
        assert!(condition.notify_one());
        waiter.join().unwrap();
    });
    assert!(is_free(&lock));
}

/// Two threads of an owner wait under two locks; others of its guards go meanwhile, and others' holds
/// and its own begin and end. Each lock counts its own.
#[test]
fn guards_that_go_during_a_wait_are_not_restored() {
    let (locks, owner) = ([0; 2].map(ReentrantLock::new), Owner::new());
    for gone in 0..=3 {
        let condition = [0; 2].map(|_| Condition::new());
        thread::scope(|threads| {
            let waiters = [0, 1].map(|i| {
                let (lock, condition, owner) = (&locks[i], &condition[i], &owner);
                let (first, others) = (lock.lock_as(owner), [(); 3].map(|()| lock.lock_as(owner)));
                let waiter = threads.spawn(move || condition.wait(first));
                eventually("it waits", || condition.waiting() == 1 && !lock.is_locked());
                (waiter, Vec::from(others))
            });
            drop(locks[0].lock());
            drop(locks[1].lock_as(&owner));
            let waiters = waiters.map(|(waiter, mut others)| {
                others.truncate(3 - gone);
                (waiter, others)
            });
            assert!(locks.iter().all(is_free), "{gone}");
            for (i, (waiter, others)) in waiters.into_iter().enumerate() {
                assert_eq!(condition[i].notify_all(), 1);
                let first = waiter.join().unwrap();
                assert_eq!(locks[i].depth(), 4 - gone as u32);
                assert!(locks[i].is_owned_by(&owner));
                drop((first, others));
            }
        });
        assert!(locks.iter().all(is_free), "{gone}");
    }
}

#[test]
fn two_locks_on_one_condition_end_one_hold_of_the_second() {
    for way in [Way::Lock, Way::LockAs] {
        let locks = [0, 0].map(|_| ReentrantLock::new(AtomicU32::new(0)));
        let (condition, owner) = (Condition::new(), Owner::new());
        let mut first = Box::pin(condition.wait_async(locks[0].lock_as(&owner)));
        assert!(poll_once(first.as_mut()).is_pending());
        let outer = way.enter(&locks[1], &owner);
        let inner = way.enter(&locks[1], &owner);
        let refused = panic_of(|| drop(Form::Wait.wait_on(&condition, inner, LONG)));
        assert!(refused.contains("two different locks"), "{refused}");
        assert_eq!((locks[1].depth(), condition.waiting()), (1, 1));
        assert!(way.is_owner(&locks[1], &owner) && excludes_everyone(&locks[1]));
        drop(outer);
        assert!(is_free(&locks[1]));
        assert!(condition.notify_one());
        assert!(poll_once(first.as_mut()).is_ready());
    }
}

/// A producer and consumers of all guards under one condition, each notified once per item.
#[test]
fn threads_and_owners_wait_on_one_condition() {
    const ITEMS: u32 = 300;
    let (lock, condition) = (ReentrantLock::new(AtomicU32::new(0)), Condition::new());
    let take = |stock: &AtomicU32| {
        stock.store(stock.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
    };
    thread::scope(|threads| {
        for way in [Way::Lock, Way::LockAs, Way::Async] {
            let (lock, condition) = (&lock, &condition);
            threads.spawn(move || {
                let owner = Owner::new();
                for _ in 0..ITEMS {
                    if way == Way::Async {
                        block_on(owner.scope(async {
                            let guard = lock.lock_async_scoped().await;
                            let empty = |guard: &mut OwnerGuard<'_, AtomicU32>| {
                                guard.load(Ordering::Relaxed) == 0
                            };
                            take(&*condition.wait_while_async(guard, empty).await);
                        }));
                    } else {
                        let outer = way.enter(lock, &owner);
                        let inner = way.enter(lock, &owner);
                        take(&Form::While.wait_on(condition, inner, LONG).0);
                        drop(outer);
                    }
                }
            });
        }
        for _ in 0..3 * ITEMS {
            let stock = lock.lock();
            stock.store(stock.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            condition.notify_one();
        }
    });
    assert_eq!(lock.lock().load(Ordering::Relaxed), 0);
    assert!(is_free(&lock));
}

/// A wait has released the lock, and one of those whom that woke drops, on the waiting thread,
/// another guard of the waiter, or waits with it: nobody else pays for that.
#[test]
fn a_guard_given_up_during_its_owners_wait_takes_nothing_from_the_next_holder() {
    type Kept = RefCell<Option<ReentrantLockGuard<'static, AtomicU32>>>;
    thread_local!(static KEPT: Kept = const { RefCell::new(None) });

    let give_up: [fn(ReentrantLockGuard<'static, AtomicU32>); 2] = [drop, |guard| {
        let refused = panic_of(|| drop(Condition::new().wait(guard)));
        assert!(refused.contains("not its owner's only one"), "{refused}");
    }];
    for give_up in give_up {
        let lock: &ReentrantLock<_> = Box::leak(Box::new(ReentrantLock::new(AtomicU32::new(0))));
        let condition: &Condition = Box::leak(Box::new(Condition::new()));
        let next = Owner::new();
        let mut wait = Box::pin(lock.lock_async(&next));
        let waker = Hook::waker(move || {
            let held = lock.lock_as(&next);
            KEPT.take().into_iter().for_each(give_up);
            assert!(lock.is_owned_by(&next) && lock.depth() == 1);
            assert!(excludes_everyone(lock));
            drop(held);
            assert!(is_free(lock));
            condition.notify_one();
        });
        let guard = lock.lock();
        KEPT.set(Some(lock.lock()));
        assert!(poll_with(&waker, wait.as_mut()).is_pending());
        let guard = condition.wait(guard);
        assert!(lock.is_owned_by_current_thread());
        assert_eq!(lock.depth(), 1);
        drop(guard);
        assert!(is_free(lock));
    }
}
