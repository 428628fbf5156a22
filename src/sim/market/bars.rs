//! Real one-minute bars, turned back into a stream that a sampling observer folds into the very same bars.
//!
//! **Inside a minute** (all of it invented; a whole bar is one input dated at its open): prints run open → high and
//! low, in seeded order → close, with a few more between them, at least 250 ms apart and at least 3 s before the
//! minute's end. Two prints can so never share a 250 ms sample, whatever its phase, and an observer of last price and
//! cumulative volume rebuilds open, high, low, close and volume exactly. A minute without a bar has no print and no
//! new quote. Volume is spread over the prints by seed; a bar with less volume than prints gives some prints size 0,
//! and a bar of volume 0 (which vendors have) gives them all size 0: last price moves, volume does not.
//!
//! A quote or print inside a minute therefore knows that minute's close: only execution may use it, nothing that
//! predicts.
//!
//! **Quotes** are an assumption: spread = max(1 tick, 2.5 bp × clamp((1 bn USD / day's dollar volume)^¼, 0.5, 4)),
//! doubled for one print in eight; 2.5 bp is the pooled median of real quotes of 2013–2015 away from the one-cent
//! floor. The print lies at the bid or the offer by seed. Displayed sizes are seeded multiples of 100 shares.
//!
//! **History**: bars of the previous trading day's file in the same folder, where there is one, and of the day's
//! minutes before the window. Liquidity (which symbols, how wide the spread) is measured on the previous day where
//! its file exists, so that nothing in the stream before an instant depends on bars after it.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "share counts, tick counts and indices of a day's bars are far inside the types"
)]

use std::collections::BTreeMap;
use std::path::Path;

use super::minutes::MinuteQueue;
use super::reader::{Lines, iso_utc, micros, shares};
use super::rng::Draw;
use super::universe::{con_id, primary_exchange};
use super::{Bar, MarketError, MarketOptions, MarketSource, Quote, RawBody, RawEvent, Reference};
use crate::clock::{MILLISECOND, MINUTE, Nanos, SECOND, SessionTime};
use crate::domain::calendar::{Date, RegularHours, previous_trading_day};
use crate::domain::{Price, Qty, SymbolId};

/// First line of a bar file.
pub const HEADER: &str = "ts,symbol,open,high,low,close,volume";
/// Least distance of two prints: the sampling period.
const SPACING: Nanos = super::sampler::SAMPLE_PERIOD;
/// Prints stay this far from the minute's end.
const TAIL: Nanos = 3 * SECOND;
/// Most prints of a minute.
const PRINTS_MAX: i64 = 40;
/// Pooled spread away from the one-cent floor, and its clamps by liquidity.
const SPREAD_BPS: f64 = 2.5;

/// Bars by symbol, in time order.
type Bars = BTreeMap<String, Vec<Bar>>;

/// The market of one bar file.
#[derive(Debug)]
pub struct BarMarket {
    hours: RegularHours,
    start: SessionTime,
    references: Vec<Reference>,
    history: Vec<Vec<Bar>>,
    maker: Maker,
    queue: MinuteQueue,
}

/// What turns bars into events.
#[derive(Debug)]
struct Maker {
    seed: u64,
    /// Bars of the window per symbol, by minute.
    bars: Vec<BTreeMap<SessionTime, Bar>>,
    spread_bps: Vec<f64>,
    /// The price to quote before a symbol's first print.
    opening: Vec<Price>,
    quoted: Vec<bool>,
}

impl BarMarket {
    /// The day in `path`; see [`MarketOptions`] for start, symbols and seed (the date is the file's).
    ///
    /// # Errors
    /// The file or the previous day's can't be read, or its day has no session.
    pub fn open(path: &Path, options: &MarketOptions) -> Result<Self, MarketError> {
        let today = read_bars(path)?;
        let first = today.values().filter_map(|bars| bars.first()).map(|b| b.start).min();
        let first = first.ok_or_else(|| MarketError::NotFound(format!("{} (it holds no bar)", path.display())))?;
        let (hours, start) = options.window(Date::new_york(first))?;
        let start_minute = start.floor_to(MINUTE);
        let yesterday = previous_day(path, Date::new_york(first))?;
        let symbols = most_liquid(&today, &yesterday, options.symbols);
        let mut market = Self {
            hours,
            start,
            references: Vec::new(),
            history: Vec::new(),
            maker: Maker {
                seed: options.seed,
                bars: Vec::new(),
                spread_bps: Vec::new(),
                opening: Vec::new(),
                quoted: vec![false; symbols.len()],
            },
            queue: MinuteQueue::new(start_minute, hours.close),
        };
        for (i, symbol) in symbols.iter().enumerate() {
            let before = yesterday.get(symbol).map_or(&[][..], Vec::as_slice);
            let day = today.get(symbol).map_or(&[][..], Vec::as_slice);
            market.add(SymbolId(i as u16), symbol, before, day, start_minute);
        }
        Ok(market)
    }

    fn add(&mut self, id: SymbolId, symbol: &str, before: &[Bar], day: &[Bar], start: SessionTime) {
        let prior_close = before.last().map_or(Price::NONE, |b| b.close);
        let adv: i64 = if before.is_empty() { day } else { before }.iter().map(|b| b.volume.0).sum();
        let price = day.first().or(before.last()).map_or(1.0, |b| b.open.to_f64());
        let liquidity = libm::pow(1e9 / (adv as f64 * price).max(1.0), 0.25).clamp(0.5, 4.0);
        let split = day.partition_point(|b| b.start < start);
        self.history.push(before.iter().chain(&day[..split]).copied().collect());
        self.references.push(Reference {
            id,
            symbol: symbol.to_string(),
            con_id: con_id(symbol),
            primary_exchange: primary_exchange(symbol).to_string(),
            prior_close,
            adv: Qty(adv),
            shortable: Qty(adv / 10),
        });
        let known = if split > 0 { Some(day[split - 1].close) } else { prior_close.is_some().then_some(prior_close) };
        self.maker.opening.push(known.unwrap_or(Price::NONE));
        self.maker.spread_bps.push(SPREAD_BPS * liquidity);
        self.maker.bars.push(day[split..].iter().map(|b| (b.start, *b)).collect());
    }
}

impl MarketSource for BarMarket {
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

    fn next_time(&mut self) -> Option<SessionTime> {
        let maker = &mut self.maker;
        self.queue.peek(|minute, out| maker.minute(minute, out)).map(|e| e.time.max(self.start))
    }

    fn next_until(&mut self, t: SessionTime) -> Option<RawEvent> {
        let maker = &mut self.maker;
        let mut event = self.queue.peek(|minute, out| maker.minute(minute, out))?;
        event.time = event.time.max(self.start);
        (event.time <= t).then(|| {
            self.queue.pop();
            event
        })
    }
}

impl Maker {
    /// All symbols' events of one minute.
    fn minute(&mut self, minute: SessionTime, out: &mut Vec<RawEvent>) {
        for i in 0..self.bars.len() {
            let bar = self.bars[i].get(&minute).copied();
            let id = SymbolId(i as u16);
            let mut draw = Draw::keyed(self.seed, "bar", u64::from(id.0), minute.secs() as u64);
            if !self.quoted[i] {
                let price = bar.map_or(self.opening[i], |b| b.open);
                if price.is_some() {
                    self.quoted[i] = true;
                    let quote = self.quote(i, price, &mut draw);
                    out.push(RawEvent { time: minute + MILLISECOND, symbol: id, body: RawBody::Quote(quote) });
                }
            }
            if let Some(bar) = bar {
                self.expand(id, &bar, &mut draw, out);
            }
        }
    }

    /// A bar's prints, each preceded by the quote that it hits.
    fn expand(&self, id: SymbolId, bar: &Bar, draw: &mut Draw, out: &mut Vec<RawEvent>) {
        let prices = path(bar, draw);
        let sizes = split_volume(bar.volume.0, prices.len(), draw);
        let times = print_times(prices.len(), draw);
        for ((price, size), offset) in prices.into_iter().zip(sizes).zip(times) {
            let time = bar.start + offset;
            let lead = 1 + draw.below((SPACING / 2) as u64) as i64;
            let quote = self.quote(id.index(), price, draw);
            out.push(RawEvent { time: time - lead, symbol: id, body: RawBody::Quote(quote) });
            out.push(RawEvent { time, symbol: id, body: RawBody::Trade { price, size: Qty(size) } });
        }
    }

    /// A quote that a print at `price` can have hit.
    fn quote(&self, symbol: usize, price: Price, draw: &mut Draw) -> Quote {
        let tick = if price.0 >= 1_000_000 { Price(10_000) } else { Price(100) };
        let target = price.to_f64() * self.spread_bps[symbol] * 1e-4 / tick.to_f64();
        let ticks = draw.round(target).max(1) * if draw.chance(0.125) { 2 } else { 1 };
        let spread = Price(ticks * tick.0);
        let (bid, ask) = if draw.chance(0.5) {
            let ask = price.ceil_to(tick);
            (ask - spread, ask)
        } else {
            let bid = price.floor_to(tick);
            (bid, bid + spread)
        };
        let bid = bid.max(tick);
        let mean = (2.0 * 100.0 / price.to_f64()).max(1.0);
        let mut size = || Qty(((mean * draw.exponential()) as i64 + 1) * 100);
        Quote { bid, bid_size: size(), ask: ask.max(bid + tick), ask_size: size() }
    }
}

/// Prints' prices: open, the extremes in seeded order, close, and points between.
fn path(bar: &Bar, draw: &mut Draw) -> Vec<Price> {
    let (first, second) = if draw.chance(0.5) { (bar.high, bar.low) } else { (bar.low, bar.high) };
    let mut corners = vec![bar.open, first, second, bar.close];
    corners.dedup();
    let wanted = (bar.volume.0 / 2_000).clamp(0, PRINTS_MAX - 4) as u64;
    let between = if corners.len() > 1 { (wanted as usize).div_ceil(corners.len() - 1) } else { 0 };
    let mut prices = vec![corners[0]];
    for pair in corners.windows(2) {
        let mut legs: Vec<i64> =
            (0..between).map(|_| draw.below((pair[1].0 - pair[0].0).unsigned_abs()) as i64).collect();
        legs.sort_unstable();
        let up = pair[1] > pair[0];
        // On the cent where that stays inside the leg, so that no print leaves the bar's range.
        let place = |d: i64| Price(if up { pair[0].0 + d } else { pair[0].0 - d });
        let inside = |p: Price| p >= pair[0].min(pair[1]) && p <= pair[0].max(pair[1]);
        prices.extend(legs.into_iter().map(place).map(|p| p.floor_to(Price(10_000))).filter(|p| inside(*p)));
        prices.push(pair[1]);
    }
    prices
}

/// Splits `volume` shares over `prints` prints by seeded weights; the sum is exact.
fn split_volume(volume: i64, prints: usize, draw: &mut Draw) -> Vec<i64> {
    let weights: Vec<f64> = (0..prints).map(|_| 0.1 + draw.exponential()).collect();
    let total: f64 = weights.iter().sum();
    let mut sizes: Vec<i64> = weights.iter().map(|w| (volume as f64 * w / total) as i64).collect();
    let rest = volume - sizes.iter().sum::<i64>();
    if let Some(last) = sizes.last_mut() {
        *last += rest;
    }
    sizes
}

/// Offsets of the prints from the minute's start: sorted, `SPACING` apart, inside (`SPACING`, minute − `TAIL`).
fn print_times(prints: usize, draw: &mut Draw) -> Vec<Nanos> {
    let slack = (MINUTE - TAIL - SPACING - prints as i64 * SPACING).max(0) as u64;
    let mut jitter: Vec<i64> = (0..prints).map(|_| draw.below(slack) as i64).collect();
    jitter.sort_unstable();
    jitter.into_iter().enumerate().map(|(i, j)| SPACING + i as i64 * SPACING + j).collect()
}

/// All bars of a file, by symbol, in time order.
fn read_bars(path: &Path) -> Result<Bars, MarketError> {
    let mut lines = Lines::open(path, HEADER)?;
    let mut bars = Bars::new();
    while let Some(line) = lines.next_line()? {
        let parsed = parse_bar(line);
        let Some((symbol, bar)) = parsed else {
            return Err(lines.malformed("it is not `ts,symbol,open,high,low,close,volume` with prices above 0"));
        };
        match bars.get_mut(&symbol) {
            Some(list) => list.push(bar),
            None => drop(bars.insert(symbol, vec![bar])),
        }
    }
    for list in bars.values_mut() {
        list.sort_by_key(|b| b.start);
        list.dedup_by_key(|b| b.start);
    }
    Ok(bars)
}

fn parse_bar(line: &str) -> Option<(String, Bar)> {
    let mut fields = line.split(',');
    let start = iso_utc(fields.next()?)?;
    let symbol = fields.next()?.to_string();
    let mut price = || fields.next().and_then(micros).filter(|m| *m > 0).map(Price);
    let (open, high, low, close) = (price()?, price()?, price()?, price()?);
    let volume = Qty(fields.next().and_then(shares).filter(|v| *v >= 0)?);
    let whole = low <= open && low <= close && high >= open && high >= close;
    (whole && fields.next().is_none()).then_some((symbol, Bar { start, open, high, low, close, volume }))
}

/// Bars of the previous trading day, from the file named by it in the same folder; empty without such a file.
fn previous_day(path: &Path, day: Date) -> Result<Bars, MarketError> {
    let Some(before) = previous_trading_day(day) else { return Ok(Bars::new()) };
    let (y, m, d) = before.parts();
    let file = path.with_file_name(format!("{y:04}-{m:02}-{d:02}.csv.gz"));
    if file.is_file() { read_bars(&file) } else { Ok(Bars::new()) }
}

/// The `limit` symbols of `today` (0 = all) with the largest dollar volume, largest first, ties by name. It is the
/// previous day's volume, which a trader could know; only without such a file the day's own.
fn most_liquid(today: &Bars, yesterday: &Bars, limit: usize) -> Vec<String> {
    let known = if yesterday.is_empty() { today } else { yesterday };
    let dollars = |s: &String| -> i128 {
        known.get(s).map_or(0, |l| l.iter().map(|b| i128::from(b.close.0) * i128::from(b.volume.0)).sum())
    };
    let mut ranked: Vec<_> = today.keys().map(|s| (std::cmp::Reverse(dollars(s)), s.clone())).collect();
    ranked.sort();
    let keep = if limit == 0 { ranked.len() } else { limit };
    ranked.into_iter().take(keep.min(usize::from(u16::MAX))).map(|(_, s)| s).collect()
}
