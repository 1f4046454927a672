//! What single rows are to reach, whoever else is in them.

use crate::figures::Row;

/// So many times what it is at 1 000 waiters may a cost be at 100 000: the caches are left on the way.
const FLAT: f64 = 2.0;

pub(crate) struct Target {
    pub(crate) what: String,
    pub(crate) limit: f64,
    /// At best, and by the median.
    pub(crate) least: f64,
    pub(crate) median: f64,
}

impl Target {
    pub(crate) fn verdict(&self) -> &'static str {
        if self.median <= self.limit {
            "met"
        } else if self.least <= self.limit {
            "met at best"
        } else {
            "not met"
        }
    }
}

/// The targets whose rows have been measured.
pub(crate) fn targets(rows: &[Row]) -> Vec<Target> {
    let ours = |label: &str| {
        let row = rows.iter().find(|row| row.label() == label)?;
        row.contenders.iter().find(|who| who.standing == "ours")?.spread
    };
    let at_most = |label: &str, limit: f64| {
        let [least, median, _] = ours(label)?;
        let unit = &rows.iter().find(|row| row.label() == label)?.unit;
        Some(Target { what: format!("{label}, {unit}"), limit, least, median })
    };
    let flat = |deed: &str, what: &str| {
        let cost = |count: u32| ours(&format!("memory: {deed}, {what}, {count} waiters"));
        let ([least, median, _], [least_of_many, median_of_many, _]) =
            (cost(1_000)?, cost(100_000)?);
        Some(Target {
            what: format!("{deed}, {what}: 100 000 waiters to 1 000"),
            limit: FLAT,
            least: least_of_many / least,
            median: median_of_many / median,
        })
    };
    let objects = ["lock", "semaphore", "event", "queue"];
    let mut targets = vec![
        at_most("handoff: event, ping-pong of threads, two CPUs", 350.0),
        at_most("handoff: event, ping-pong of threads, one CPU", 4200.0),
        at_most("contended: lock, unfairness of 4 threads, two CPUs", 2.0),
        at_most("contended: lock, longest wait, 50 ns in, 100 ns out, 4 threads", 10_000.0),
        at_most("broadcast: event, set on 10 000 futures, per waiter", 1.5),
    ];
    for what in objects {
        targets.push(at_most(&format!("memory: cancel, {what}, 10000 waiters"), 12.0));
    }
    for deed in ["register", "serve"] {
        targets.extend(objects.map(|what| flat(deed, what)));
    }
    for what in objects {
        targets.push(at_most(&format!("memory: allocations per waiter, {what}"), 0.0));
    }
    targets.into_iter().flatten().collect()
}
