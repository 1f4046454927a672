//! What was measured.

use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use std::{env, fs};

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
    let mut wrong = String::new();
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
        println!("{name}: {:.0} s", start.elapsed().as_secs_f64());
    }
    Ok(wrong)
}

pub(crate) struct Row {
    pub(crate) bench: &'static str,
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) rounds: u64,
    pub(crate) floor: Option<String>,
    /// Who does not take part, and why.
    pub(crate) left_out: Vec<String>,
    /// Over the best peer of each round.
    pub(crate) lead: Option<f64>,
    pub(crate) contenders: Vec<Contender>,
}

pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) standing: String,
    /// Low, median, high; nothing if it hangs or fails.
    pub(crate) spread: Option<[f64; 3]>,
    /// A figure a round, or nothing.
    pub(crate) figures: Vec<Option<f64>>,
    /// Which of its turns hang, or how it fails.
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
            floor: row["floor"].as_str().map(str::to_owned),
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
    /// The crate, without what is said of its part and use.
    pub(crate) fn project(&self) -> &str {
        self.name.split_once([' ', ':']).map_or(&self.name, |(project, _)| project)
    }
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
    /// The geometric mean of our lead over it.
    pub(crate) lead: f64,
    /// Where it does best.
    pub(crate) least: (f64, String),
}

/// The peers, the hardest to lead first. Rows that meet a floor do not count.
pub(crate) fn peers(rows: &[Row]) -> Vec<Peer> {
    let mut leads: BTreeMap<&str, Vec<(f64, &Row)>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.is_speed() && row.floor.is_none()) {
        for peer in row.peers() {
            if let Some(lead) = peer.lead {
                leads.entry(peer.project()).or_default().push((lead, row));
            }
        }
    }
    let peer = |(name, leads): (&str, Vec<(f64, &Row)>)| {
        let logarithms: f64 = leads.iter().map(|(lead, _)| lead.ln()).sum();
        let least = leads.iter().min_by(|one, other| f64::total_cmp(&one.0, &other.0));
        let (lead, row) = least.expect("a peer has a row");
        Peer {
            name: name.to_owned(),
            rows: leads.len(),
            lead: (logarithms / leads.len() as f64).exp(),
            least: (*lead, row.label()),
        }
    };
    let mut peers: Vec<Peer> = leads.into_iter().map(peer).collect();
    peers.sort_by(|one, other| f64::total_cmp(&one.lead, &other.lead));
    peers
}
