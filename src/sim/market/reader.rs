//! Reads `.csv.gz` market data line by line and parses the small vocabulary of fields both file kinds share.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::MarketError;
use crate::clock::SessionTime;
use crate::domain::calendar::days_from_civil;
use crate::domain::price::MICROS;

/// Lines of a gzip text file.
pub(super) struct Lines {
    inner: BufReader<MultiGzDecoder<File>>,
    path: PathBuf,
    number: u64,
    text: String,
}

impl Lines {
    /// Opens `path` and checks that its first line is `header`.
    pub(super) fn open(path: &Path, header: &str) -> Result<Self, MarketError> {
        let file = File::open(path).map_err(|e| unreadable(path, &e))?;
        let inner = BufReader::with_capacity(1 << 16, MultiGzDecoder::new(file));
        let mut lines = Self { inner, path: path.to_path_buf(), number: 0, text: String::new() };
        match lines.next_line()? {
            Some(first) if first == header => Ok(lines),
            _ => Err(lines.malformed(&format!("the header is not `{header}`"))),
        }
    }

    /// The next line without its end; `None` at the end of the file.
    pub(super) fn next_line(&mut self) -> Result<Option<&str>, MarketError> {
        self.text.clear();
        let read = self.inner.read_line(&mut self.text).map_err(|e| unreadable(&self.path, &e))?;
        self.number += 1;
        Ok((read > 0).then(|| self.text.trim_end()))
    }

    /// An error about the line last read.
    pub(super) fn malformed(&self, why: &str) -> MarketError {
        MarketError::Malformed { path: self.path.display().to_string(), line: self.number, why: why.to_string() }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> MarketError {
    MarketError::Unreadable { path: path.display().to_string(), why: error.to_string() }
}

/// Decimal dollars as micro-dollars, exactly; digits beyond the sixth decimal are rounded half up.
pub(super) fn micros(text: &str) -> Option<i64> {
    let (whole, frac) = text.split_once('.').unwrap_or((text, ""));
    let negative = whole.starts_with('-');
    let units: i64 = whole.trim_start_matches('-').parse().ok()?;
    if !frac.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digit = |i: usize| frac.as_bytes().get(i).map_or(0, |b| i64::from(b - b'0'));
    let mut value = (0..6).fold(0, |v, i| v * 10 + digit(i));
    value += i64::from(digit(6) >= 5);
    let total = units.checked_mul(MICROS)?.checked_add(value)?;
    Some(if negative { -total } else { total })
}

/// Whole shares, `.0` allowed.
pub(super) fn shares(text: &str) -> Option<i64> {
    text.split_once('.').map_or(text, |(whole, _)| whole).parse().ok()
}

/// `2026-04-15T13:30:00Z` as session time.
pub(super) fn iso_utc(text: &str) -> Option<SessionTime> {
    let b = text.as_bytes();
    if b.len() != 20 || b[19] != b'Z' {
        return None;
    }
    let n = |a: usize, z: usize| text.get(a..z)?.parse::<i64>().ok();
    let (month, day) = (u32::try_from(n(5, 7)?).ok()?, u32::try_from(n(8, 10)?).ok()?);
    let days = days_from_civil(i32::try_from(n(0, 4)?).ok()?, month, day);
    Some(SessionTime::from_secs(days * 86_400 + n(11, 13)? * 3_600 + n(14, 16)? * 60 + n(17, 19)?))
}

/// Files `PREFIX_SYMBOL.csv.gz`, as (symbol, path), sorted by symbol.
pub(super) fn files_with_prefix(prefix: &Path) -> Vec<(String, PathBuf)> {
    let (Some(name), folder) = (prefix.file_name().and_then(|n| n.to_str()), prefix.parent()) else {
        return Vec::new();
    };
    let folder = folder.filter(|f| !f.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<_> = entries
        .flatten()
        .filter_map(|e| {
            let file = e.file_name().into_string().ok()?;
            let symbol = file.strip_prefix(name)?.strip_prefix('_')?.strip_suffix(".csv.gz")?;
            (!symbol.is_empty()).then(|| (symbol.to_string(), e.path()))
        })
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_parse_exactly() {
        assert_eq!(micros("258.095"), Some(258_095_000));
        assert_eq!(micros("2"), Some(2_000_000));
        assert_eq!(micros("0.12345678"), Some(123_457));
        assert_eq!(micros("nan"), None);
        assert_eq!(micros("1.2x"), None);
        assert_eq!(iso_utc("2026-04-15T13:30:00Z").map(|t| t.to_string()).as_deref(), Some("2026-04-15T13:30:00.000Z"));
        assert_eq!(iso_utc("2026-04-15 13:30:00"), None);
    }
}
