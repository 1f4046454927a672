//! Where threads run, and how many CPUs the peers find.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// Where the threads of a turn run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placement {
    /// Where the system puts them.
    Free,
    /// All on the first CPU that we may use.
    OneCpu,
    /// In turn on the first and the second CPU that we may use.
    TwoCpus,
    /// As [`OneCpu`](Self::OneCpu), and beside them runs a thread that never waits.
    BusyCpu,
}

impl Placement {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::OneCpu => "one CPU",
            Self::TwoCpus => "two CPUs",
            Self::BusyCpu => "one busy CPU",
        }
    }

    /// The CPUs that it needs.
    const fn cpus(self) -> usize {
        match self {
            Self::Free => 0,
            Self::OneCpu | Self::BusyCpu => 1,
            Self::TwoCpus => 2,
        }
    }

    /// Whether threads can be put there, on this machine and by this process.
    pub(super) fn is_possible(self) -> bool {
        system::allowed().len() >= self.cpus()
    }
}

/// The placement of this process's row.
static PLACEMENT: AtomicU8 = AtomicU8::new(Placement::Free as u8);

/// Confines this process to the CPUs of its row, has the peers count them, and pins this thread.
///
/// In that order: a peer that counts when it first waits would find one CPU, for that thread is
/// pinned, and would never spin. In a row on one CPU one is the truth.
pub(super) fn place(placement: Placement) {
    PLACEMENT.store(placement as u8, Ordering::Relaxed);
    if placement != Placement::Free {
        system::confine(&system::allowed()[..placement.cpus()]);
    }
    count_cpus();
    pin(0);
    if placement == Placement::BusyCpu {
        // It ends with the process.
        std::thread::spawn(|| {
            loop {
                std::hint::spin_loop();
            }
        });
    }
}

/// Puts this thread where the row wants its `index`th one.
pub(crate) fn pin(index: usize) {
    const ONE: u8 = Placement::OneCpu as u8;
    const BUSY: u8 = Placement::BusyCpu as u8;
    const TWO: u8 = Placement::TwoCpus as u8;
    match PLACEMENT.load(Ordering::Relaxed) {
        ONE | BUSY => system::confine(&system::allowed()[..1]),
        TWO => system::confine(&system::allowed()[index % 2..][..1]),
        _ => {}
    }
}

/// A step of the wait of a peer that cannot wait. On one CPU the other end needs this one.
pub(crate) fn spin() {
    if PLACEMENT.load(Ordering::Relaxed) == Placement::OneCpu as u8 {
        std::thread::yield_now();
    } else {
        std::hint::spin_loop();
    }
}

/// Every peer that adapts to the number of CPUs reads it here, once and for all.
fn count_cpus() {
    crossfire::detect_backoff_cfg();

    // kanal counts when a timed wait finds nothing.
    let (_sender, receiver) = kanal::bounded::<()>(1);
    assert!(receiver.recv_timeout(Duration::from_micros(1)).is_err(), "nothing is sent");

    // usync counts when a thread waits. The mutex is ours until we do.
    let (notified, condvar) = (usync::Mutex::new(false), usync::Condvar::new());
    std::thread::scope(|scope| {
        let mut guard = notified.lock();
        scope.spawn(|| {
            *notified.lock() = true;
            condvar.notify_one();
        });
        while !*guard {
            condvar.wait(&mut guard);
        }
    });
}

#[cfg(target_os = "linux")]
mod system {
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;
    use std::sync::OnceLock;

    /// The CPUs that this process could use when it first asked.
    pub(super) fn allowed() -> &'static [usize] {
        static ALLOWED: OnceLock<Vec<usize>> = OnceLock::new();
        ALLOWED.get_or_init(|| {
            let Ok(set) = sched_getaffinity(Pid::from_raw(0)) else { return Vec::new() };
            (0..CpuSet::count()).filter(|&cpu| set.is_set(cpu) == Ok(true)).collect()
        })
    }

    /// This thread, and those it starts, run nowhere else.
    pub(super) fn confine(cpus: &[usize]) {
        let mut set = CpuSet::new();
        for &cpu in cpus {
            set.set(cpu).expect("it was in a set before");
        }
        sched_setaffinity(Pid::from_raw(0), &set).expect("it was allowed before");
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    /// Threads cannot be put anywhere.
    pub(super) fn allowed() -> &'static [usize] {
        &[]
    }

    pub(super) fn confine(_cpus: &[usize]) {}
}
