//! The checkpoint of what the online learner learned: one file in the session's folder, keyed by zoo and account. A
//! simulated market teaches nothing: there learning is off, and its folder is another one.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::inference::FtrlState;

/// Name of the file.
const FILE: &str = "learned.json";

/// What a checkpoint belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnedKey {
    /// SHA-256 of the zoo's manifest.
    pub zoo: String,
    /// The account.
    pub account: String,
}

#[derive(Serialize, Deserialize)]
struct Checkpoint {
    key: LearnedKey,
    /// Rows learned from in the session that wrote it.
    updates: u64,
    state: FtrlState,
}

fn path_in(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// What an earlier session of the same zoo and account learned. `None` = nothing, or another's, which is not taken.
///
/// # Errors
/// The file is there and can't be read.
pub fn load(folder: &Path, key: &LearnedKey) -> Result<Option<FtrlState>> {
    let path = path_in(folder);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let found: Checkpoint = serde_json::from_slice(&bytes)
        .with_context(|| format!("{} is no checkpoint; remove it to learn afresh", path.display()))?;
    Ok((found.key == *key).then_some(found.state))
}

/// Writes a checkpoint, beside its place and then over the old one.
///
/// # Errors
/// The file can't be written.
pub fn save(folder: &Path, key: LearnedKey, state: &FtrlState, updates: u64) -> Result<()> {
    let path = path_in(folder);
    let new = path.with_extension("new");
    let text = serde_json::to_vec(&Checkpoint { key, updates, state: state.clone() })?;
    std::fs::write(&new, text)
        .and_then(|()| std::fs::rename(&new, &path))
        .with_context(|| format!("writing {}", path.display()))
}
