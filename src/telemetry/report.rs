//! The folder `perf/latest/`: `summary.json`, one percentile file per hop, a page with the curves. The folder is
//! written beside its place and moved there by rename, so that a reader finds the old report or the new one whole.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::latency::{Hop, LatencyRecorder};
use super::page;
use super::summary::{Host, Summary};

/// Name of the summary in a report's folder.
pub const SUMMARY_FILE: &str = "summary.json";
/// Name of the page with the percentile curves.
pub const PAGE_FILE: &str = "latency.html";

/// Why a report could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file or folder.
    #[error("report {path}: {source}; check that the folder is writable and has space")]
    Write {
        /// Which.
        path: String,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// No report.
    #[error("no report in {path} ({source}): run `ibkr-trader demo`, or name the folder of a report")]
    Missing {
        /// The folder.
        path: String,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// The summary is none.
    #[error("{path} is not a summary of this version ({why}): run the session again")]
    Malformed {
        /// Which file.
        path: String,
        /// What is wrong.
        why: String,
    },
}

/// Writes a report's folder; one that is there is replaced.
///
/// # Errors
/// A file or folder can't be written. An old report then is still there.
pub fn write_report(dir: &Path, summary: &Summary, latency: &LatencyRecorder) -> Result<(), ReportError> {
    let (new, old) = (sibling(dir, "new"), sibling(dir, "old"));
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |source| ReportError::Write { path, source }
    };
    for leftover in [&new, &old] {
        if leftover.exists() {
            fs::remove_dir_all(leftover).map_err(failed(leftover))?;
        }
    }
    fs::create_dir_all(&new).map_err(failed(&new))?;
    let text = serde_json::to_string_pretty(summary).map_err(|e| failed(dir)(std::io::Error::other(e)))?;
    let mut files = vec![(SUMMARY_FILE.to_owned(), text + "\n"), (PAGE_FILE.to_owned(), page::html(summary, latency))];
    files.extend(
        Hop::ALL
            .into_iter()
            .filter(|&hop| latency.count(hop) > 0)
            .map(|hop| (format!("{}.hgrm", hop.name()), latency.hgrm(hop))),
    );
    for (name, contents) in files {
        let path = new.join(name);
        let write = |file: fs::File| {
            let mut file = file;
            file.write_all(contents.as_bytes()).and_then(|()| file.sync_all())
        };
        fs::File::create(&path).and_then(write).map_err(failed(&path))?;
    }
    let replaces = dir.exists();
    if replaces {
        fs::rename(dir, &old).map_err(failed(dir))?;
    }
    if let Err(source) = fs::rename(&new, dir) {
        if replaces {
            // Put the old report back; the error to report is the first one.
            let _ = fs::rename(&old, dir);
        }
        return Err(failed(dir)(source));
    }
    if replaces {
        fs::remove_dir_all(&old).map_err(failed(&old))?;
    }
    Ok(())
}

fn sibling(dir: &Path, suffix: &str) -> PathBuf {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    dir.with_file_name(format!(".{name}.{suffix}"))
}

/// Reads a report's summary.
///
/// # Errors
/// There is none, or it is not one.
pub fn read_summary(dir: &Path) -> Result<Summary, ReportError> {
    let path = dir.join(SUMMARY_FILE);
    let text =
        fs::read_to_string(&path).map_err(|source| ReportError::Missing { path: dir.display().to_string(), source })?;
    serde_json::from_str(&text)
        .map_err(|e| ReportError::Malformed { path: path.display().to_string(), why: e.to_string() })
}

/// A saved report as `ibkr-trader perf` prints it.
///
/// # Errors
/// As [`read_summary`].
pub fn render(dir: &Path) -> Result<String, ReportError> {
    read_summary(dir).map(|summary| summary.table())
}

impl Host {
    /// This machine; "unknown" where it does not say.
    pub fn detect() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find_map(|l| l.strip_prefix("model name")?.split_once(':'));
        Self {
            cpu: model.map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned()),
            cores: std::thread::available_parallelism().map_or(0, |n| n.get() as u64),
        }
    }
}
