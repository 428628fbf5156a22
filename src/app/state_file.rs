//! The file of the venue's state (`--state`): JSON lines, first the whole state, then each change as it happened, so that
//! what is written grows with what happens and not with the day. When the changes outgrow the state the file is written
//! anew by rename. A process killed at any point leaves whole lines and at most one torn one at the end, which had not
//! been told to any client and is left out. Nothing is synced to the disk: it is the process that may die, not the host.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::gateway::write_whole;
use crate::sim::venue::{StateChange, Venue, VenueState};

/// Bytes of changes below which the file is never written anew.
const CHANGES_BYTES_MIN: usize = 4 << 20;
/// Otherwise: when the changes are so many times as long as the state.
const CHANGES_PER_STATE: usize = 4;

/// Writes the state of one venue.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    /// The open file, once there is one of this process.
    log: Option<Log>,
}

#[derive(Debug)]
struct Log {
    file: File,
    /// Bytes of the whole state at its start, and of the changes since.
    state_bytes: usize,
    change_bytes: usize,
}

impl StateFile {
    /// A file to be written with the first change.
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf(), log: None }
    }

    /// The state that an earlier process left; `None` when there is no file yet.
    pub(super) fn read(path: &Path) -> Result<Option<VenueState>> {
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(path).with_context(|| format!("can't read the state {}", path.display()))?;
        let mut lines = text.split_inclusive('\n').enumerate();
        let (_, first) = lines.next().unwrap_or((0, ""));
        let mut state: VenueState = serde_json::from_str(first)
            .with_context(|| format!("{} holds no gateway state; give another --state FILE", path.display()))?;
        for (i, line) in lines {
            match serde_json::from_str::<StateChange>(line) {
                Ok(change) if line.ends_with('\n') => state.apply(change),
                _ if !line.ends_with('\n') => {
                    tracing::warn!("{}: the last change is torn; no client was told of it", path.display());
                }
                Ok(_) => {}
                Err(e) => bail!(
                    "{} is damaged in line {}: {e}; give another --state FILE, or cut it there to lose what came later",
                    path.display(),
                    i + 1
                ),
            }
        }
        Ok(Some(state))
    }

    /// Writes what changed, if anything did.
    pub(super) fn save(&mut self, venue: &mut Venue) -> Result<()> {
        let Some(change) = venue.change() else { return Ok(()) };
        let failed = || format!("can't write the state to {}", self.path.display());
        if let Some(log) = self.log.as_mut().filter(|l| l.has_room()) {
            let mut line = serde_json::to_vec(&change).with_context(failed)?;
            line.push(b'\n');
            log.change_bytes += line.len();
            return log.file.write_all(&line).with_context(failed);
        }
        let mut text = serde_json::to_string(&venue.state()).with_context(failed)?;
        text.push('\n');
        write_whole(&self.path, &text).with_context(failed)?;
        let file = OpenOptions::new().append(true).open(&self.path).with_context(failed)?;
        self.log = Some(Log { file, state_bytes: text.len(), change_bytes: 0 });
        Ok(())
    }
}

impl Log {
    const fn has_room(&self) -> bool {
        self.change_bytes < CHANGES_BYTES_MIN || self.change_bytes < CHANGES_PER_STATE * self.state_bytes
    }
}
