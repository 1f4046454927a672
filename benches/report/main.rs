//! Runs every bench and writes `benches/RESULTS.md` and the charts in `benches/charts`.
//!
//! ```text
//! cargo bench --bench report                       all of it
//! cargo bench --bench report -- --quick            fewer and shorter turns, in less than 2 minutes
//! cargo bench --bench report -- --again            writes anew what the last run measured
//! ```

#[cfg(not(loom))]
mod chart;
#[cfg(not(loom))]
mod figures;
#[cfg(not(loom))]
mod machine;
#[cfg(not(loom))]
mod table;
#[cfg(not(loom))]
mod target;

#[cfg(loom)]
fn main() {}

#[cfg(not(loom))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::{env, fs, path::Path};

    let asks = |flag| env::args().any(|argument| argument == flag);
    let benches = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut wrong = String::new();
    if !asks("--again") {
        wrong = figures::measure(&benches, directory, asks("--quick"))?;
    }
    let rows = figures::read(directory)?;
    let peers = figures::peers(&rows);

    let charts = benches.join("charts");
    fs::create_dir_all(&charts)?;
    chart::leads(&charts.join("leads.svg"), &rows)?;
    chart::peers(&charts.join("peers.svg"), &peers)?;
    chart::growth(&charts.join("growth.svg"), &rows)?;
    let run = fs::read_to_string(directory.join(figures::RUN))?;
    fs::write(benches.join("RESULTS.md"), table::results(&rows, &peers, &run)?)?;
    println!("benches/RESULTS.md and benches/charts are written");
    if wrong.is_empty() { Ok(()) } else { Err(wrong.into()) }
}
