//! The simulated market: where raw quotes and trades come from, and how IB's feed thins them.
//!
//! Owns the sources ([`synthetic`], [`bars`], [`ticks`]), the [`sampler`] and their composition [`feed`], and what is
//! quoted beside stocks ([`quoted`]). May not
//! touch the venue, the wire or anything of the trader but `clock` and `domain`. Every source gives the same events
//! for the same file, start and seed, whatever the order in which it is asked.
//!
//! **A source** yields [`RawEvent`]s in time order (ties: lower symbol first), one at a time, up to an instant that
//! the caller names, and holds at most one minute of them in memory. It also gives what a broker knows before the
//! window: [`Reference`] data per symbol and one-minute [`Bar`]s.
//!
//! **Sampling** follows IB: per symbol about every 250 ms of session time only what changed since last sent; moves
//! in between are lost; last price, last size and cumulative volume only after a trade.

pub mod bars;
pub mod feed;
mod minutes;
pub mod quoted;
mod reader;
pub mod rng;
pub mod sampler;
pub mod synthetic;
pub mod ticks;
mod universe;

use std::path::Path;

use crate::clock::SessionTime;
use crate::domain::calendar::{Date, RegularHours};
use crate::domain::{ConId, Price, Qty, SymbolId};

pub use feed::SampledFeed;
pub use sampler::{SampledUpdate, Sampler};

/// A quote: best bid and offer with displayed sizes in shares. A side without a price is [`Price::NONE`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub struct Quote {
    pub bid: Price,
    pub bid_size: Qty,
    pub ask: Price,
    pub ask_size: Qty,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawBody {
    /// The best bid and offer are now these.
    Quote(Quote),
    /// A print. Size 0 occurs only where a bar moved without volume; it fills nobody.
    Trade {
        /// Price of the print; may lie off the tick grid (midpoint and average-price prints do).
        price: Price,
        /// Shares.
        size: Qty,
    },
}

/// One raw market event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub struct RawEvent {
    pub time: SessionTime,
    pub symbol: SymbolId,
    pub body: RawBody,
}

/// A one-minute bar of trades. Volume in shares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub struct Bar {
    pub start: SessionTime,
    pub open: Price,
    pub high: Price,
    pub low: Price,
    pub close: Price,
    pub volume: Qty,
}

impl Bar {
    /// A bar of one print.
    pub const fn of(start: SessionTime, price: Price, size: Qty) -> Self {
        Self { start, open: price, high: price, low: price, close: price, volume: size }
    }

    /// The mean of high, low and close, which stands for the price of the bar's shares.
    pub const fn typical(&self) -> Price {
        Price((self.high.0 + self.low.0 + self.close.0) / 3)
    }

    /// Takes in one more print.
    pub fn add(&mut self, price: Price, size: Qty) {
        self.high = self.high.max(price);
        self.low = self.low.min(price);
        self.close = price;
        self.volume += size;
    }
}

/// What a broker knows of a symbol before the window starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Dense index in this source.
    pub id: SymbolId,
    /// Ticker.
    pub symbol: String,
    /// IB's contract id where known, else a made-up one from 800,000,000 upwards.
    pub con_id: ConId,
    /// Listing exchange.
    pub primary_exchange: String,
    /// Close of the previous regular session; [`Price::NONE`] where the data does not tell.
    pub prior_close: Price,
    /// Average daily volume in shares; 0 where the data does not tell.
    pub adv: Qty,
    /// Shares that can be borrowed at the start.
    pub shortable: Qty,
}

/// Raw events in time order, pulled by session time.
pub trait MarketSource: Send {
    /// The universe, by [`SymbolId`].
    fn references(&self) -> &[Reference];
    /// Regular hours of the day that is played.
    fn hours(&self) -> RegularHours;
    /// Where the window starts; no event is earlier.
    fn start(&self) -> SessionTime;
    /// Complete one-minute bars before the window, oldest first.
    fn history(&self, symbol: SymbolId) -> &[Bar];
    /// When the next event happens; `None` at the end of the data.
    fn next_time(&mut self) -> Option<SessionTime>;
    /// The next event at or before `t`, if any.
    fn next_until(&mut self, t: SessionTime) -> Option<RawEvent>;
    /// What broke the source after it was opened, if anything did; the market plays on without that symbol.
    fn failure(&self) -> Option<&MarketError> {
        None
    }
}

impl MarketSource for Box<dyn MarketSource> {
    fn references(&self) -> &[Reference] {
        (**self).references()
    }
    fn hours(&self) -> RegularHours {
        (**self).hours()
    }
    fn start(&self) -> SessionTime {
        (**self).start()
    }
    fn history(&self, symbol: SymbolId) -> &[Bar] {
        (**self).history(symbol)
    }
    fn next_time(&mut self) -> Option<SessionTime> {
        (**self).next_time()
    }
    fn next_until(&mut self, t: SessionTime) -> Option<RawEvent> {
        (**self).next_until(t)
    }
    fn failure(&self) -> Option<&MarketError> {
        (**self).failure()
    }
}

/// Why a market source could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum MarketError {
    /// The path is neither a bar file nor a prefix of tick files.
    #[error(
        "no market data at {0}: give a file of one-minute bars (*.csv.gz with ts,symbol,open,high,low,close,volume) \
         or a prefix of tick files (PREFIX_SYMBOL.csv.gz)"
    )]
    NotFound(String),
    /// A file could not be read.
    #[error("market data {path} can't be read ({why}); check that it is a complete gzip file of CSV text")]
    Unreadable {
        /// Which file.
        path: String,
        /// What went wrong.
        why: String,
    },
    /// A line is not what its header says.
    #[error("market data {path}, line {line}: {why}; fix or remove the line")]
    Malformed {
        /// Which file.
        path: String,
        /// Line number from 1.
        line: u64,
        /// What is wrong.
        why: String,
    },
    /// The day has no regular session.
    #[error("{0} is no trading day of the calendar (2013, 2025-2027); choose a weekday that is no NYSE holiday")]
    NoSession(u32),
    /// The start lies outside regular hours.
    #[error("the start {start} is outside regular hours ({open} to {close}); give a New York time between them")]
    BadStart {
        /// Asked start.
        start: SessionTime,
        /// The opening bell.
        open: SessionTime,
        /// The closing bell.
        close: SessionTime,
    },
}

/// What to play.
#[derive(Clone, Debug, PartialEq)]
pub struct MarketOptions {
    /// Date of the synthetic market; data files bring their own.
    pub date: Date,
    /// New York hour and minute at which the window starts; `None` = the opening bell.
    pub start: Option<(u32, u32)>,
    /// At most this many symbols, most liquid first; 0 = all.
    pub symbols: usize,
    /// Seed of everything that is drawn.
    pub seed: u64,
}

impl Default for MarketOptions {
    fn default() -> Self {
        Self { date: Date(20_260_415), start: None, symbols: 0, seed: 1 }
    }
}

impl MarketOptions {
    /// Regular hours of `date` and the start of the window in them.
    pub(crate) fn window(&self, date: Date) -> Result<(RegularHours, SessionTime), MarketError> {
        let hours = crate::domain::calendar::regular_hours(date).ok_or(MarketError::NoSession(date.0))?;
        let start = self.start.map_or(hours.open, |(h, m)| date.at(h, m));
        if start < hours.open || start >= hours.close {
            return Err(MarketError::BadStart { start, open: hours.open, close: hours.close });
        }
        Ok((hours, start))
    }
}

/// Opens a source by what `data` is: nothing = the synthetic market, a file = bars, a prefix = ticks.
///
/// # Errors
/// Nothing readable is there, or the day or the start is outside the calendar.
pub fn open(data: Option<&Path>, options: &MarketOptions) -> Result<Box<dyn MarketSource>, MarketError> {
    let Some(path) = data else { return Ok(Box::new(synthetic::SyntheticMarket::new(options)?)) };
    if path.is_file() {
        return Ok(Box::new(bars::BarMarket::open(path, options)?));
    }
    if !reader::files_with_prefix(path).is_empty() {
        return Ok(Box::new(ticks::TickMarket::open(path, options)?));
    }
    Err(MarketError::NotFound(path.display().to_string()))
}
