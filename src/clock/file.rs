//! The clock file: how a gateway and a trader, two processes, share one scaled clock.
//! The gateway writes it once, by rename, at the first startApi; the trader takes it by flag.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::SessionTime;
use super::scaled::monotonic_ns;

/// Contents of the clock file (JSON).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockFile {
    /// Session time at the anchor, nanoseconds UTC.
    pub session_start: SessionTime,
    /// CLOCK_MONOTONIC at the anchor, nanoseconds.
    pub anchor_mono_ns: u64,
    /// Session seconds per wall second, > 0.
    pub speed: f64,
}

/// Why a clock file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ClockFileError {
    /// The file could not be read or written.
    #[error("clock file {path}: {source}")]
    Io {
        /// Which file.
        path: String,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("clock file {path} is not a clock file ({why}); delete it and restart the gateway")]
    Malformed {
        /// Which file.
        path: String,
        /// What is wrong.
        why: String,
    },
}

impl ClockFile {
    /// A clock that starts at `session_start` this instant.
    pub fn starting_now(session_start: SessionTime, speed: f64) -> Self {
        Self { session_start, anchor_mono_ns: monotonic_ns(), speed }
    }

    /// Reads and checks a clock file.
    ///
    /// # Errors
    /// The file is absent, unreadable, not a clock file, or its speed is not a positive number.
    pub fn read(path: &Path) -> Result<Self, ClockFileError> {
        let name = || path.display().to_string();
        let text = fs::read_to_string(path).map_err(|source| ClockFileError::Io { path: name(), source })?;
        let file: Self =
            serde_json::from_str(&text).map_err(|e| ClockFileError::Malformed { path: name(), why: e.to_string() })?;
        if !(file.speed.is_finite() && file.speed > 0.0) {
            return Err(ClockFileError::Malformed { path: name(), why: "speed is not a positive number".into() });
        }
        Ok(file)
    }

    /// Writes the file by rename, so that a reader sees all of it or none.
    ///
    /// # Errors
    /// The folder can't be written.
    pub fn write(&self, path: &Path) -> Result<(), ClockFileError> {
        let fail = |source| ClockFileError::Io { path: path.display().to_string(), source };
        let temp = path.with_extension("tmp");
        let text = serde_json::to_string(self).map_err(|e| fail(std::io::Error::other(e)))?;
        let mut f = fs::File::create(&temp).map_err(fail)?;
        f.write_all(text.as_bytes()).and_then(|()| f.sync_all()).map_err(fail)?;
        fs::rename(&temp, path).map_err(fail)
    }
}
