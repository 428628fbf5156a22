//! `conform`: recorded conversations with real gateways are played against the simulated one, and every difference is
//! shown. A conversation brings its client's side; the world that it happened in (account, contracts, prices, hours) comes
//! from a fixture, derived from the conversation where no file gives it.

mod compare;
mod derive;
mod fields;
mod fixture;
mod interactions;
mod names;
mod play;
mod recording;
mod report;
mod rules;
mod stand;
mod streams;
mod transcript;
mod zones;

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;

pub use report::{Outcome, Report, Row};

/// `conform`.
#[derive(Clone, Debug, Args)]
pub struct ConformArgs {
    /// Recorded conversations: files (`*.txt`, `*.yaml`), or folders of them.
    #[arg(long, required = true, num_args = 1..)]
    pub conversations: Vec<PathBuf>,
    /// A folder of fixtures, `NAME.toml` for the conversation `NAME`; what they leave out is derived.
    #[arg(long)]
    pub fixtures: Option<PathBuf>,
    /// Where the report goes too (JSON).
    #[arg(long)]
    pub report: Option<PathBuf>,
    /// Shows every difference, not only the first of each conversation.
    #[arg(long)]
    pub all: bool,
}

/// Plays the conversations and prints how they went.
///
/// # Errors
/// A file can't be read, or a conversation differs in a way that is not listed.
pub fn run(args: &ConformArgs) -> anyhow::Result<()> {
    let report = conform(&args.conversations, args.fixtures.as_deref())?;
    print(&report.render(args.all));
    if let Some(path) = &args.report {
        let text = serde_json::to_string_pretty(&report).context("the report can't be written as JSON")?;
        std::fs::write(path, text).with_context(|| format!("can't write the report to {}", path.display()))?;
    }
    let differ = report.rows.iter().filter(|r| r.outcome == Outcome::Differs).count();
    ensure!(differ == 0, "{differ} conversations differ in ways that are not listed; --all shows every difference");
    Ok(())
}

#[allow(clippy::print_stdout, reason = "the report is this command's output")]
fn print(text: &str) {
    println!("{text}");
}

/// Plays every conversation of `paths` in its world.
///
/// # Errors
/// There is none, or one can't be read.
pub fn conform(paths: &[PathBuf], fixtures: Option<&Path>) -> anyhow::Result<Report> {
    if let Some(folder) = fixtures {
        ensure!(folder.is_dir(), "--fixtures {} is no folder", folder.display());
    }
    let mut rows = Vec::new();
    let mut coverage = report::Coverage::default();
    for path in files(paths)? {
        let recording = recording::Recording::read(&path)?;
        coverage.add(&recording);
        rows.push(conversation(&recording, fixtures).with_context(|| format!("playing {}", path.display()))?);
    }
    ensure!(!rows.is_empty(), "no recorded conversation there; give a folder that holds *.txt or *.yaml files");
    Ok(Report::new(rows, &coverage))
}

fn conversation(recording: &recording::Recording, fixtures: Option<&Path>) -> anyhow::Result<Row> {
    let fixture = fixture::Fixture::of(recording, fixtures)?;
    let guide = streams::Guide::of(recording);
    let played = play::play(recording, &fixture, &guide)?;
    let mut ids = compare::Ids::default();
    let (mut answers, mut differences) = (0, Vec::new());
    for leg in &played.legs {
        let (compared, found) = compare::compare(&guide, leg, recording.decoded, &mut ids);
        answers += compared;
        differences.extend(found);
    }
    Ok(report::row(recording, &fixture, answers, &differences, &played.unplayable))
}

/// The conversations' files, folders opened, in order.
fn files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut list = Vec::new();
    for path in paths {
        if !path.is_dir() {
            ensure!(path.exists(), "no recorded conversation at {}", path.display());
            list.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).with_context(|| format!("can't read {}", path.display()))?;
        let mut inside: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
        inside.retain(|p| p.extension().is_some_and(|e| e == "txt" || e == "yaml" || e == "yml"));
        inside.sort();
        list.extend(inside);
    }
    Ok(list)
}
