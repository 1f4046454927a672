//! Where it was measured, and with what.

use crate::figures::Row;
use std::collections::BTreeSet;
use std::process::Command;
use std::{env, fs, thread};

/// From so many on there are curves to be drawn.
const MANY_CPUS: usize = 16;

/// The day, and what was measured.
pub(crate) fn version() -> String {
    let day = said_by("date", &["-u", "+%F"]).unwrap_or_else(|| "an unknown day".into());
    let commit = said_by("git", &["rev-parse", "--short", "HEAD"]);
    let changes = said_by("git", &["status", "--porcelain", "--untracked-files=no"]);
    let changed = if changes.is_none_or(|list| list.is_empty()) { "" } else { " and changes" };
    format!("{day}, at {}{changed}", commit.unwrap_or_else(|| "an unknown commit".into()))
}

/// Lines of a Markdown list.
pub(crate) fn describe() -> String {
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let curves =
        if cpus < MANY_CPUS { "; too few for curves over more threads and tasks" } else { "" };
    let compiler = env::var("RUSTC").unwrap_or("rustc".into());
    format!(
        "- {cpus} CPUs: {}{curves}\n\
         - {}\n- {}\n- bifrons with {}\n",
        cpu().unwrap_or_else(|| env::consts::ARCH.into()),
        said_by("uname", &["-srm"]).unwrap_or_else(|| env::consts::OS.into()),
        said_by(&compiler, &["--version"]).unwrap_or_else(|| "an unknown compiler".into()),
        parking_lot().unwrap_or_else(|| "an unknown parking_lot".into()),
    )
}

/// The one that the library itself uses; that of the benches may be another.
fn parking_lot() -> Option<String> {
    let cargo = env::var("CARGO").unwrap_or("cargo".into());
    let tree = said_by(&cargo, &["tree", "--locked", "-e=normal", "--depth=1", "--prefix=none"])?;
    let line = tree.lines().find(|line| line.starts_with("parking_lot v"))?;
    Some(line.replacen(" v", " ", 1))
}

/// In bytes.
pub(crate) fn second_level_cache() -> Option<u64> {
    let size = cache_of_first_cpu(2, "size")?;
    Some(size.strip_suffix('K')?.parse::<u64>().ok()? << 10)
}

fn cache_of_first_cpu(index: usize, what: &str) -> Option<String> {
    let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{what}");
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

/// As Linux says it, with the caches.
fn cpu() -> Option<String> {
    let information = fs::read_to_string("/proc/cpuinfo").ok()?;
    let model = information.lines().find(|line| line.starts_with("model name"))?;
    let model = model.split_once(':')?.1.trim();
    let cache = |index: usize| {
        let read = |what| cache_of_first_cpu(index, what);
        Some(format!("L{} {}", read("level")?, read("size")?))
    };
    let caches: Vec<String> = [0, 2, 3].into_iter().filter_map(cache).collect();
    Some(if caches.is_empty() { model.into() } else { format!("{model}, {}", caches.join(", ")) })
}

fn said_by(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// The peers with their versions, as they are locked.
pub(crate) fn versions(rows: &[Row]) -> String {
    let lock = include_str!("../../Cargo.lock");
    let locked: Vec<(&str, &str)> = lock
        .split("[[package]]")
        .filter_map(|package| {
            let value = |key| {
                let mut lines = package.lines();
                lines.find_map(|line| line.strip_prefix(key)?.strip_suffix('"'))
            };
            Some((value("name = \"")?, value("version = \"")?))
        })
        .collect();
    let contenders = rows.iter().flat_map(|row| &row.contenders);
    let rivals = contenders.filter(|who| who.standing != "ours");
    let names: BTreeSet<&str> = rivals.map(|who| who.project()).collect();
    // Of two versions the newer, which comes last, is the peer.
    let version = |name| Some(locked.iter().rev().find(|(locked, _)| *locked == name)?.1);
    let list = names.into_iter().filter_map(|name| Some(format!("{name} {}", version(name)?)));
    list.collect::<Vec<_>>().join(", ")
}
