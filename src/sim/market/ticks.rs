//! Real ticks, streamed: one file per symbol, merged by time. Nothing is invented: quotes and prints pass as recorded,
//! crossed quotes included.
//!
//! **History** is one-minute bars of prints: the previous trading day's regular session, then the same day from 04:00
//! New York to the window. The previous day comes from its own tick files in the same folder, else from the file of
//! bars with quotes ([`BARS_WITH_QUOTES`]) in the folder above, if that has it; prior close and average volume are
//! that day's, unknown without it. Shortable shares are an assumption: a tenth of that day's volume, else 1,000,000.
//! Where fewer symbols are asked than there are files, the largest files count as the most liquid.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::{Path, PathBuf};

use super::reader::{Lines, files_with_prefix, iso_utc, micros, shares};
use super::recording::SymbolNote;
use super::universe::{con_id, primary_exchange};
use super::{Bar, MarketError, MarketOptions, MarketSource, Quote, RawBody, RawEvent, Reference};
use crate::clock::{MINUTE, SessionTime};
use crate::domain::calendar::{Date, RegularHours, previous_trading_day, regular_hours};
use crate::domain::{ConId, Price, Qty, SymbolId};

/// First line of a tick file.
pub const HEADER: &str = "ts_ns,symbol,kind,bid,bid_size,ask,ask_size,last,last_size,exch,cond";
/// Name of the file of bars with quotes.
pub const BARS_WITH_QUOTES: &str = "bars_1m_quotes_lean.csv.gz";
/// Its first line.
const BARS_WITH_QUOTES_HEADER: &str = "ts,symbol,open,high,low,close,volume,bid_open,bid_high,bid_low,bid_close,bid_size,\
                                       ask_open,ask_high,ask_low,ask_close,ask_size";
/// Shortable shares where no volume is known.
const SHORTABLE_DEFAULT: i64 = 1_000_000;

/// The market of one day's tick files.
pub struct TickMarket {
    hours: RegularHours,
    start: SessionTime,
    references: Vec<Reference>,
    history: Vec<Vec<Bar>>,
    streams: Vec<Stream>,
    heads: BinaryHeap<Reverse<(SessionTime, SymbolId)>>,
    failure: Option<MarketError>,
}

impl TickMarket {
    /// The files `PREFIX_SYMBOL.csv.gz`; the date is that of their first tick.
    ///
    /// # Errors
    /// A file can't be read up to the start, or the day has no session.
    pub fn open(prefix: &Path, options: &MarketOptions) -> Result<Self, MarketError> {
        let mut market: Option<Self> = None;
        for (symbol, path) in most_liquid(files_with_prefix(prefix), options.symbols) {
            let mut stream = Stream { lines: Lines::open(&path, HEADER)?, id: SymbolId(0), head: None, behind: None };
            stream.advance()?;
            let Some(first) = stream.head else { continue };
            let market = match &mut market {
                Some(m) => m,
                none => {
                    let (hours, start) = options.window(Date::new_york(first.time))?;
                    none.insert(Self::empty(hours, start))
                }
            };
            market.add(stream, &symbol, &path)?;
        }
        market.ok_or_else(|| MarketError::NotFound(prefix.display().to_string()))
    }

    /// Takes what a recording says of a symbol for what a broker knows of it.
    pub(super) fn know(&mut self, note: &SymbolNote) {
        let Some(r) = self.references.iter_mut().find(|r| r.symbol == note.symbol) else { return };
        r.con_id = ConId(note.con_id);
        r.primary_exchange.clone_from(&note.primary_exchange);
        r.prior_close = note.prior_close.map_or(r.prior_close, Price::from_f64);
        if let Some(shares) = note.shortable_shares.and_then(|s| i64::try_from(s).ok()) {
            r.shortable = Qty(shares);
        }
    }

    fn empty(hours: RegularHours, start: SessionTime) -> Self {
        let (references, history, streams) = (Vec::new(), Vec::new(), Vec::new());
        Self { hours, start, references, history, streams, heads: BinaryHeap::new(), failure: None }
    }

    /// Runs a stream up to the window, keeping bars and the last quote of what passed.
    fn add(&mut self, mut stream: Stream, symbol: &str, path: &Path) -> Result<(), MarketError> {
        let id = SymbolId(u16::try_from(self.references.len()).unwrap_or(u16::MAX));
        stream.id = id;
        let mut bars: Vec<Bar> = Vec::new();
        let mut standing = None;
        while let Some(event) = stream.head.filter(|e| e.time < self.start) {
            match event.body {
                RawBody::Quote(_) => standing = Some(event.body),
                RawBody::Trade { price, size } => fold(&mut bars, event.time, price, size),
            }
            stream.advance()?;
        }
        if let Some(body) = standing {
            stream.behind = stream.head.replace(RawEvent { time: self.start, symbol: id, body });
        }
        if let Some(head) = &mut stream.head {
            head.symbol = id;
            self.heads.push(Reverse((head.time, id)));
        }
        let mut history = previous_day(path, symbol, self.hours)?;
        let prior_close = history.last().map_or(Price::NONE, |b| b.close);
        let adv = Qty(history.iter().map(|b| b.volume.0).sum());
        self.references.push(Reference {
            id,
            symbol: symbol.to_string(),
            con_id: con_id(symbol),
            primary_exchange: primary_exchange(symbol).to_string(),
            prior_close,
            adv,
            shortable: Qty(if adv.0 > 0 { adv.0 / 10 } else { SHORTABLE_DEFAULT }),
        });
        // Only complete minutes are history; the window's first minute is still open.
        history.extend(bars.into_iter().filter(|b| b.start + MINUTE <= self.start));
        self.history.push(history);
        self.streams.push(stream);
        Ok(())
    }
}

impl MarketSource for TickMarket {
    fn references(&self) -> &[Reference] {
        &self.references
    }

    fn hours(&self) -> RegularHours {
        self.hours
    }

    fn start(&self) -> SessionTime {
        self.start
    }

    fn history(&self, symbol: SymbolId) -> &[Bar] {
        self.history.get(symbol.index()).map_or(&[], Vec::as_slice)
    }

    fn failure(&self) -> Option<&MarketError> {
        self.failure.as_ref()
    }

    fn next_time(&mut self) -> Option<SessionTime> {
        self.heads.peek().map(|Reverse((t, _))| *t)
    }

    fn next_until(&mut self, t: SessionTime) -> Option<RawEvent> {
        let &Reverse((time, id)) = self.heads.peek()?;
        if time > t {
            return None;
        }
        self.heads.pop();
        let stream = &mut self.streams[id.index()];
        let event = stream.head;
        if let Err(e) = stream.advance() {
            self.failure = Some(e);
        }
        if let Some(next) = &mut stream.head {
            // A file out of order would stop the merge: time never runs backwards here.
            next.time = next.time.max(time);
            self.heads.push(Reverse((next.time, id)));
        }
        event
    }
}

/// One symbol's file, with the event that it gives next and the one read ahead behind it.
struct Stream {
    lines: Lines,
    id: SymbolId,
    head: Option<RawEvent>,
    behind: Option<RawEvent>,
}

impl Stream {
    /// Moves to the next event; on an error the stream ends.
    fn advance(&mut self) -> Result<(), MarketError> {
        self.head = self.behind.take();
        if self.head.is_some() {
            return Ok(());
        }
        let Some(line) = self.lines.next_line()? else { return Ok(()) };
        let event = parse(line, self.id);
        self.head =
            Some(event.ok_or_else(|| self.lines.malformed("it is not a quote or a trade of the header's form"))?);
        Ok(())
    }
}

fn parse(line: &str, symbol: SymbolId) -> Option<RawEvent> {
    let mut f = line.split(',');
    let time = SessionTime(f.next()?.parse().ok()?);
    let kind = f.nth(1)?;
    let price = |f: &mut std::str::Split<'_, char>| -> Option<Price> {
        let text = f.next()?;
        if text.is_empty() { Some(Price::NONE) } else { micros(text).map(Price) }
    };
    let size = |f: &mut std::str::Split<'_, char>| -> Option<Qty> {
        let text = f.next()?;
        if text.is_empty() { Some(Qty::ZERO) } else { shares(text).map(Qty) }
    };
    let (bid, bid_size, ask, ask_size) = (price(&mut f)?, size(&mut f)?, price(&mut f)?, size(&mut f)?);
    let body = match kind {
        "quote" => RawBody::Quote(Quote { bid, bid_size, ask, ask_size }),
        "trade" => RawBody::Trade { price: price(&mut f).filter(|p| p.is_some())?, size: size(&mut f)? },
        _ => return None,
    };
    Some(RawEvent { time, symbol, body })
}

/// Adds a print to one-minute bars.
fn fold(bars: &mut Vec<Bar>, time: SessionTime, price: Price, size: Qty) {
    let minute = time.floor_to(MINUTE);
    match bars.last_mut() {
        Some(b) if b.start == minute => b.add(price, size),
        _ => bars.push(Bar::of(minute, price, size)),
    }
}

/// Regular bars of the previous trading day, oldest first; empty where no file has them.
fn previous_day(path: &Path, symbol: &str, today: RegularHours) -> Result<Vec<Bar>, MarketError> {
    let day = previous_trading_day(Date::new_york(today.open));
    let Some((day, hours)) = day.and_then(|d| Some((d, regular_hours(d)?))) else { return Ok(Vec::new()) };
    let file = path.with_file_name(format!("{}_{symbol}.csv.gz", day.0));
    if file.is_file() {
        return bars_of_ticks(&file, hours);
    }
    let beside = path.parent().and_then(Path::parent).map(|folder| folder.join(BARS_WITH_QUOTES));
    match beside.filter(|f| f.is_file()) {
        Some(file) => bars_with_quotes(&file, symbol, hours),
        None => Ok(Vec::new()),
    }
}

/// A tick file's prints in `hours` as bars.
///
/// # Errors
/// The file can't be read.
pub fn bars_of_ticks(file: &Path, hours: RegularHours) -> Result<Vec<Bar>, MarketError> {
    let mut stream = Stream { lines: Lines::open(file, HEADER)?, id: SymbolId(0), head: None, behind: None };
    let mut bars = Vec::new();
    stream.advance()?;
    while let Some(event) = stream.head.filter(|e| e.time < hours.close) {
        if let RawBody::Trade { price, size } = event.body
            && event.time >= hours.open
        {
            fold(&mut bars, event.time, price, size);
        }
        stream.advance()?;
    }
    Ok(bars)
}

/// One symbol's traded minutes in `hours` from a file of bars with quotes.
///
/// # Errors
/// The file can't be read.
pub fn bars_with_quotes(file: &Path, symbol: &str, hours: RegularHours) -> Result<Vec<Bar>, MarketError> {
    let mut lines = Lines::open(file, BARS_WITH_QUOTES_HEADER)?;
    let mut bars = Vec::new();
    while let Some(line) = lines.next_line()? {
        let mut f = line.split(',');
        let (Some(start), Some(name)) = (f.next().and_then(iso_utc), f.next()) else {
            return Err(lines.malformed("it does not start with `ts,symbol`"));
        };
        if name != symbol || start < hours.open || start >= hours.close {
            continue;
        }
        let mut price = || f.next().and_then(micros).filter(|m| *m > 0).map(Price);
        let prices = (price(), price(), price(), price());
        let volume = f.next().and_then(shares).map(Qty);
        // A minute without a trade has quotes only.
        if let ((Some(open), Some(high), Some(low), Some(close)), Some(volume)) = (prices, volume) {
            bars.push(Bar { start, open, high, low, close, volume });
        }
    }
    Ok(bars)
}

/// The `limit` largest files (0 = all), then by symbol.
fn most_liquid(mut files: Vec<(String, PathBuf)>, limit: usize) -> Vec<(String, PathBuf)> {
    if limit > 0 && limit < files.len() {
        let bytes = |p: &Path| std::fs::metadata(p).map_or(0, |m| m.len());
        files.sort_by_key(|(symbol, path)| (Reverse(bytes(path)), symbol.clone()));
        files.truncate(limit);
    }
    files
}
