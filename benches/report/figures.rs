//! What was measured.

use crate::machine;
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use std::{env, fs};

/// The file that says how and when it was measured.
pub(crate) const RUN: &str = "run.txt";

/// In the order of the report.
const BENCHES: [&str; 8] =
    ["uncontended", "contended", "mixed", "handoff", "broadcast", "queue", "pipe", "memory"];

/// Runs those of the benches that are there; each saves its rows in `directory`. What went wrong with
/// our own rows, bench by bench.
pub(crate) fn measure(
    benches: &Path,
    directory: &Path,
    quick: bool,
) -> Result<String, Box<dyn Error>> {
    let (mut wrong, mut total) = (String::new(), 0);
    for name in BENCHES {
        let file = directory.join(name).with_extension("jsonl");
        if file.exists() {
            fs::remove_file(&file)?;
        }
        let file_or_folder = [benches.join(name).with_extension("rs"), benches.join(name)];
        if !file_or_folder.iter().any(|path| path.exists()) {
            continue;
        }
        let cargo = env::var_os("CARGO").unwrap_or("cargo".into());
        let mut command = Command::new(cargo);
        command.args(["bench", "--bench", name, "--", "--save"]).arg(&file);
        if quick {
            command.arg("--quick");
        }
        let start = Instant::now();
        let output = command.output()?;
        if !output.status.success() {
            let said = format!("{name}: {}", String::from_utf8_lossy(&output.stderr));
            if !file.exists() {
                return Err(said.into());
            }
            wrong += &said;
        }
        let seconds = start.elapsed().as_secs();
        println!("{name}: {seconds} s");
        total += seconds;
    }
    let effort = if quick { "a quick run" } else { "a full run" };
    fs::write(directory.join(RUN), format!("{effort}, {total} s, {}", machine::version()))?;
    Ok(wrong)
}

pub(crate) struct Row {
    pub(crate) bench: &'static str,
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) rounds: u64,
    /// Why the means leave it out.
    pub(crate) outside: Option<String>,
    pub(crate) note: Option<String>,
    /// Who does not take part, and why.
    pub(crate) left_out: Vec<String>,
    /// Over the best peer of each round.
    pub(crate) lead: Option<f64>,
    pub(crate) contenders: Vec<Contender>,
}

pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) standing: String,
    /// Low, median, high; nothing if it does not count.
    pub(crate) spread: Option<[f64; 3]>,
    /// A figure a round, or nothing.
    pub(crate) figures: Vec<Option<f64>>,
    /// Which of its turns were given up, or how it fails.
    pub(crate) remark: String,
    /// Ours over this one.
    pub(crate) lead: Option<f64>,
}

impl Row {
    fn parse(bench: &'static str, row: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let contenders = list(&row["contenders"]).into_iter().map(|who| {
            let figure = |key: &str| who[key].as_f64();
            Contender {
                name: text(&who["name"]),
                standing: text(&who["standing"]),
                spread: figure("median")
                    .and_then(|median| Some([figure("low")?, median, figure("high")?])),
                figures: list(&who["figures"]).iter().map(Value::as_f64).collect(),
                remark: text(&who["remark"]).replace('|', "\\|"),
                lead: figure("lead").filter(|_| who["standing"] != "ours"),
            }
        });
        Self {
            bench,
            name: text(&row["row"]),
            unit: text(&row["unit"]),
            rounds: row["rounds"].as_u64().unwrap_or_default(),
            outside: row["outside"].as_str().map(str::to_owned),
            note: row["note"].as_str().map(str::to_owned),
            left_out: list(&row["left_out"]).iter().map(text).collect(),
            lead: row["lead"].as_f64(),
            contenders: contenders.collect(),
        }
    }

    /// The name, with the bench's where it does not begin with it.
    pub(crate) fn label(&self) -> String {
        if self.name.starts_with(self.bench) {
            return self.name.clone();
        }
        format!("{}: {}", self.bench, self.name)
    }

    /// Whether it says how fast something is.
    pub(crate) fn is_speed(&self) -> bool {
        self.unit != "bytes" && self.unit != "allocations"
    }

    /// Whether more is better.
    pub(crate) fn is_rate(&self) -> bool {
        self.unit.ends_with("/s")
    }

    pub(crate) fn ours(&self) -> Option<&Contender> {
        self.contenders.iter().find(|who| who.standing == "ours")
    }

    pub(crate) fn peers(&self) -> impl Iterator<Item = &Contender> {
        self.contenders.iter().filter(|who| who.standing == "peer")
    }

    /// The peer that we lead least.
    pub(crate) fn best_peer(&self) -> Option<&Contender> {
        let ranked = self.peers().filter(|peer| peer.lead.is_some());
        ranked.min_by(|one, other| f64::total_cmp(&one.lead.unwrap(), &other.lead.unwrap()))
    }
}

impl Contender {
    /// Whether threads drive its futures, as it has no face of its own that blocks.
    pub(crate) fn is_driven(&self) -> bool {
        self.name.contains("(block_on")
    }

    /// The crate, without what is said of its part and use.
    pub(crate) fn project(&self) -> &str {
        self.name.split_once([' ', ':']).map_or(&self.name, |(project, _)| project)
    }
}

/// Ours over one contender in one row.
struct Lead<'a> {
    lead: f64,
    row: &'a Row,
    peer: &'a Contender,
}

fn geometric_mean(leads: &[f64]) -> f64 {
    (leads.iter().map(|lead| lead.ln()).sum::<f64>() / leads.len() as f64).exp()
}

/// The rows of the last run.
pub(crate) fn read(directory: &Path) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut rows = Vec::new();
    for name in BENCHES {
        let file = directory.join(name).with_extension("jsonl");
        if file.exists() {
            for line in fs::read_to_string(file)?.lines() {
                rows.push(Row::parse(name, &serde_json::from_str(line)?));
            }
        }
    }
    Ok(rows)
}

/// All we know of one peer.
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) rows: usize,
    /// Our lead over it: the geometric mean, and the median.
    pub(crate) lead: f64,
    pub(crate) median: f64,
    /// How many rows are of a face that it has itself, and the geometric mean of these.
    pub(crate) own: (usize, f64),
    /// Where it does best.
    pub(crate) least: (f64, String),
}

/// The peers, the hardest to lead first, without the rows outside the means.
pub(crate) fn peers(rows: &[Row]) -> Vec<Peer> {
    let mut leads: BTreeMap<&str, Vec<Lead<'_>>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.is_speed() && row.outside.is_none()) {
        for peer in row.peers() {
            if let Some(lead) = peer.lead {
                leads.entry(peer.project()).or_default().push(Lead { lead, row, peer });
            }
        }
    }
    let peer = |(name, mut leads): (&str, Vec<Lead<'_>>)| {
        leads.sort_by(|one, other| f64::total_cmp(&one.lead, &other.lead));
        let all: Vec<f64> = leads.iter().map(|it| it.lead).collect();
        let own = leads.iter().filter(|it| !it.peer.is_driven()).map(|it| it.lead);
        let own: Vec<f64> = own.collect();
        Peer {
            name: name.to_owned(),
            rows: all.len(),
            lead: geometric_mean(&all),
            median: geometric_mean(&[all[(all.len() - 1) / 2], all[all.len() / 2]]),
            own: (own.len(), geometric_mean(&own)),
            least: (all[0], leads[0].row.label()),
        }
    };
    let mut peers: Vec<Peer> = leads.into_iter().map(peer).collect();
    peers.sort_by(|one, other| f64::total_cmp(&one.lead, &other.lead));
    peers
}
