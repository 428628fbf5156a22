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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;
    use crate::domain::Side;
    use crate::sim::api::{ConnId, Contract, Order, Request};
    use crate::sim::market::{self, MarketOptions};
    use crate::sim::venue::VenueConfig;

    fn venue() -> Venue {
        let options = MarketOptions { symbols: 2, ..MarketOptions::default() };
        Venue::new(VenueConfig::default(), market::open(None, &options).unwrap(), 1)
    }

    fn order(order_id: i32, limit_price: Option<f64>) -> Request {
        let contract = Contract { symbol: "MU".into(), sec_type: "STK".into(), ..Contract::default() };
        let order_type = if limit_price.is_some() { "LMT" } else { "MKT" };
        let order = Order {
            order_id,
            action: Some(Side::Buy),
            total_quantity: 10.0,
            order_type: order_type.into(),
            limit_price,
            tif: "DAY".into(),
            transmit: true,
            ..Order::default()
        };
        Request::PlaceOrder { contract, order }
    }

    fn value(state: &VenueState) -> serde_json::Value {
        serde_json::to_value(state).unwrap()
    }

    /// Plays orders, saving after each second; the states as they were saved and the file after each save.
    fn play(path: &Path, mut between: impl FnMut(&mut StateFile)) -> Vec<(serde_json::Value, Vec<u8>)> {
        let (mut venue, mut file, mut saved, mut out) = (venue(), StateFile::new(path), Vec::new(), Vec::new());
        venue.track_changes();
        let start = venue.state().now();
        venue.handle(start, ConnId(1), Request::StartApi { client_id: 1 }, &mut out);
        for i in 1..12 {
            let now = start + i64::from(i) * SECOND;
            venue.handle(now, ConnId(1), order(i, (i % 3 == 0).then_some(1.0)), &mut out);
            file.save(&mut venue).unwrap();
            saved.push((value(&venue.state()), std::fs::read(path).unwrap()));
            between(&mut file);
        }
        saved
    }

    #[test]
    fn a_file_cut_at_any_byte_holds_the_last_whole_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let saved = play(&path, |_| {});
        assert_eq!(value(&StateFile::read(&path).unwrap().unwrap()), saved.last().unwrap().0);
        for pair in saved.windows(2) {
            let ((before, short), (_, long)) = (&pair[0], &pair[1]);
            assert!(long.starts_with(short), "it only grows");
            for cut in [short.len(), short.len() + 1, (short.len() + long.len()) / 2, long.len() - 1] {
                std::fs::write(&path, &long[..cut]).unwrap();
                assert_eq!(value(&StateFile::read(&path).unwrap().unwrap()), *before, "cut at {cut}");
            }
        }
    }

    #[test]
    fn a_file_that_has_grown_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let full = |file: &mut StateFile| {
            if let Some(log) = &mut file.log {
                log.change_bytes = CHANGES_BYTES_MIN.max(CHANGES_PER_STATE * log.state_bytes);
            }
        };
        for (state, bytes) in play(&path, full) {
            assert_eq!(bytes.iter().filter(|b| **b == b'\n').count(), 1, "the state alone");
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(value(&StateFile::read(&path).unwrap().unwrap()), state);
        }
    }

    #[test]
    fn damage_inside_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let (_, bytes) = play(&path, |_| {}).pop().unwrap();
        let text =
            String::from_utf8(bytes).unwrap().replacen("\"now\"", "\"won\"", 3).replacen("\"won\"", "\"now\"", 2);
        std::fs::write(&path, text).unwrap();
        let error = StateFile::read(&path).unwrap_err().to_string();
        assert!(error.contains("damaged in line 3"), "{error}");
        std::fs::write(&path, "{}").unwrap();
        assert!(StateFile::read(&path).unwrap_err().to_string().contains("no gateway state"));
    }
}
