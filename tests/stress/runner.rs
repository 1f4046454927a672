//! Plays the scenarios, and watches over them.

use crate::{primitives, queue};
use std::env;
use std::panic;
use std::process;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A scenario: plays one round and tells how many operations it made.
type Scenario = fn(seed: u64) -> u64;

const SCENARIOS: &[(&str, Scenario)] = &[
    ("lock: a counter", primitives::lock),
    ("semaphore: readers and writers", primitives::semaphore),
    ("event: a relay", primitives::relay),
    ("event: broadcasts", primitives::broadcast),
    ("condition: producers and consumers", primitives::condition),
    ("queue: capacity 1", |seed| queue::round(1, seed)),
    ("queue: capacity 2", |seed| queue::round(2, seed)),
    ("queue: capacity 3", |seed| queue::round(3, seed)),
    ("queue: capacity 64", |seed| queue::round(64, seed)),
];

/// How long a round may take before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(120);

/// The scenario being played, the seed of its round, and how many rounds have been played.
static SCENARIO: AtomicUsize = AtomicUsize::new(0);
static SEED: AtomicU64 = AtomicU64::new(0);
static ROUNDS: AtomicU64 = AtomicU64::new(0);

fn number(name: &str, default: u64) -> u64 {
    match env::var(name) {
        Ok(text) => match text.parse() {
            Ok(number) => number,
            Err(_) => panic!("{name} is no number: {text}"),
        },
        Err(_) => default,
    }
}

/// Ends the process: after a failure the other threads of the round may wait for ever.
fn fail(why: &str) -> ! {
    let scenario = SCENARIO.load(Ordering::SeqCst);
    let seed = SEED.load(Ordering::SeqCst);
    println!("{} ... FAILED: {why} (seed {seed})", SCENARIOS[scenario].0);
    println!("\nstress: {scenario} passed, 1 failed");
    process::exit(1);
}

fn watch() {
    let (mut rounds, mut since) = (0, Instant::now());
    loop {
        thread::sleep(Duration::from_secs(1));
        let now = ROUNDS.load(Ordering::SeqCst);
        if now != rounds {
            (rounds, since) = (now, Instant::now());
        } else if since.elapsed() > PATIENCE {
            let scenario = SCENARIOS[SCENARIO.load(Ordering::SeqCst)].0;
            eprintln!("{scenario}: hung for {PATIENCE:?}, seed {}", SEED.load(Ordering::SeqCst));
            process::abort();
        }
    }
}

pub(crate) fn main() {
    let arguments: Vec<_> = env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_chosen =
        |name: &str| arguments.is_empty() || arguments.iter().any(|word| name.contains(word));
    let share = Duration::from_secs(number("BIFRONS_STRESS_SECONDS", 5)) / SCENARIOS.len() as u32;
    let first_seed = number("BIFRONS_STRESS_SEED", 1);

    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        report(info);
        fail("a panic");
    }));
    thread::spawn(watch);

    let mut passed = 0;
    for (index, (name, round)) in SCENARIOS.iter().enumerate() {
        if !is_chosen(name) {
            continue;
        }
        SCENARIO.store(index, Ordering::SeqCst);
        let (start, mut rounds, mut operations) = (Instant::now(), 0, 0);
        while rounds == 0 || start.elapsed() < share {
            let seed = first_seed.wrapping_add(rounds);
            SEED.store(seed, Ordering::SeqCst);
            operations += round(seed);
            rounds += 1;
            ROUNDS.fetch_add(1, Ordering::SeqCst);
        }
        passed += 1;
        let took = start.elapsed().as_secs_f32();
        println!("{name} ... ok: {rounds} rounds, {operations} operations in {took:.1} s");
    }
    println!("\nstress: {passed} passed, 0 failed");
}
