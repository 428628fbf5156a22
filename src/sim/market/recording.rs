//! A recording: a folder with one tick file a symbol, `YYYYMMDD_SYMBOL.csv.gz`, and `session.json`. Owns the layout: what
//! `ibkr-trader record` writes and the tick market plays.
//!
//! Tick files grow by whole gzip members, so that a recorder killed at any moment leaves a readable file. A gap in the
//! data is an empty quote (no price on either side) at its start, the first quote after it at its end, and an entry in
//! `session.json`.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use super::ticks::{HEADER, TickMarket};
use super::{MarketError, MarketOptions, Quote};
use crate::clock::SessionTime;
use crate::domain::calendar::{Date, new_york, regular_hours};
use crate::domain::{Price, Qty};

/// Name of the file that describes a recording.
pub const SESSION_FILE: &str = "session.json";
/// The layout of [`Session`]; another one is refused.
pub const LAYOUT: u32 = 1;
/// Bytes of rows of one symbol that wait for the file.
const BUFFER_BYTES: usize = 32 * 1024;

/// What a recording holds. Times are nanoseconds since 1970 UTC, prices dollars.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// [`LAYOUT`].
    pub layout: u32,
    /// New York date of the start, `yyyymmdd`: the first part of the tick files' names.
    pub date: Date,
    /// The gateway that was listened to.
    pub source: String,
    /// `sampled` (250 ms) or `tick_by_tick`.
    pub kind: String,
    /// When recording began.
    pub from: SessionTime,
    /// The last write.
    pub to: SessionTime,
    /// Ended in order: every row that was heard is in the files.
    pub complete: bool,
    /// The symbols.
    pub symbols: Vec<SymbolNote>,
    /// When there was no data.
    pub gaps: Vec<Gap>,
}

/// What is known of a symbol.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SymbolNote {
    /// Ticker.
    pub symbol: String,
    /// IB's contract id.
    pub con_id: i32,
    /// Listing exchange.
    pub primary_exchange: String,
    /// Price increments: (from this price, step), lowest first.
    pub min_ticks: Vec<(f64, f64)>,
    /// Official close of the day before, if it was told.
    pub prior_close: Option<f64>,
    /// Shares that can be borrowed, if it was told.
    pub shortable_shares: Option<u64>,
    /// `real-time`, `frozen`, `delayed`, `delayed-frozen`; `unknown` until told.
    pub data_type: String,
    /// Why it has no data.
    pub refused: Option<String>,
    /// Rows of quotes.
    pub quotes: u64,
    /// Rows of trades.
    pub trades: u64,
}

/// A time without data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// When the data ended.
    pub from: SessionTime,
    /// When it was back; `None` = not before the end.
    pub to: Option<SessionTime>,
    /// Why, in the gateway's words or the recorder's.
    pub why: String,
}

impl Session {
    /// Reads the description in `folder`.
    ///
    /// # Errors
    /// It can't be read, is no such description, or has another layout.
    pub fn read(folder: &Path) -> Result<Self, MarketError> {
        let path = folder.join(SESSION_FILE);
        let broken = |why: String| MarketError::Recording { path: path.display().to_string(), why };
        let text = std::fs::read_to_string(&path).map_err(|e| broken(e.to_string()))?;
        let session: Self = serde_json::from_str(&text).map_err(|e| broken(e.to_string()))?;
        if session.layout != LAYOUT {
            return Err(broken(format!("its layout is {}, this program reads {LAYOUT}", session.layout)));
        }
        Ok(session)
    }

    /// Writes the description into `folder` by rename: a reader sees the old one or the new one.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let temp = folder.join("session.tmp");
        std::fs::write(&temp, serde_json::to_vec_pretty(self)?)?;
        std::fs::rename(&temp, folder.join(SESSION_FILE))
    }
}

/// Opens the recording in `folder`. Without a start of its own the window begins with the recording (in regular hours).
pub(super) fn open(folder: &Path, options: &MarketOptions) -> Result<TickMarket, MarketError> {
    let session = Session::read(folder)?;
    let mut options = options.clone();
    if let (None, Some(hours)) = (options.start, regular_hours(session.date)) {
        let from = new_york(session.from.max(hours.open));
        options.start = Some((from.hour, from.minute));
    }
    let mut market = TickMarket::open(&folder.join(session.date.0.to_string()), &options)?;
    for note in &session.symbols {
        market.know(note);
    }
    Ok(market)
}

/// Appends rows to one symbol's tick file.
#[derive(Debug)]
pub struct TickFile {
    path: PathBuf,
    symbol: String,
    rows: String,
}

impl TickFile {
    /// The file of `symbol` in the recording of `date` in `folder`; it is made with its first row.
    pub fn new(folder: &Path, date: Date, symbol: &str) -> Self {
        let path = folder.join(format!("{}_{symbol}.csv.gz", date.0));
        Self { path, symbol: symbol.into(), rows: String::with_capacity(BUFFER_BYTES + 256) }
    }

    /// Adds a quote; a side without a price is left empty.
    ///
    /// # Errors
    /// The buffer was full and the file can't be written.
    pub fn quote(&mut self, at: SessionTime, q: &Quote) -> io::Result<()> {
        let side = |price: Price, size: Qty| {
            if price.is_some() { format!("{price},{}", size.0) } else { ",".to_string() }
        };
        let (bid, ask) = (side(q.bid, q.bid_size), side(q.ask, q.ask_size));
        // Writing to a String cannot fail.
        let _ = writeln!(self.rows, "{},{},quote,{bid},{ask},,,,", at.0, self.symbol);
        self.flush_if(BUFFER_BYTES)
    }

    /// Adds a print.
    ///
    /// # Errors
    /// The buffer was full and the file can't be written.
    pub fn trade(&mut self, at: SessionTime, price: Price, size: Qty, exchange: &str, cond: &str) -> io::Result<()> {
        let (exchange, cond) = (exchange.replace([',', '\n'], " "), cond.replace([',', '\n'], " "));
        let _ = writeln!(self.rows, "{},{},trade,,,,,{price},{},{exchange},{cond}", at.0, self.symbol, size.0);
        self.flush_if(BUFFER_BYTES)
    }

    /// Appends what waits as one gzip member.
    ///
    /// # Errors
    /// The file can't be written; the rows are kept.
    pub fn flush(&mut self) -> io::Result<()> {
        self.flush_if(1)
    }

    fn flush_if(&mut self, bytes_min: usize) -> io::Result<()> {
        if self.rows.len() < bytes_min {
            return Ok(());
        }
        let new = !self.path.exists();
        let mut member = GzEncoder::new(Vec::with_capacity(self.rows.len() / 4), Compression::default());
        if new {
            writeln!(member, "{HEADER}")?;
        }
        member.write_all(self.rows.as_bytes())?;
        let member = member.finish()?;
        let mut file: File = OpenOptions::new().create(true).append(true).open(&self.path)?;
        file.write_all(&member)?;
        self.rows.clear();
        Ok(())
    }
}
