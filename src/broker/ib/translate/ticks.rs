//! Ticks: ibapi's market data values, merged per symbol into the top of book that the trader sees, and bars of
//! history. Tick numbers: IB's "tick types" list. Prices of −1 and 0 mean "none"; day volume comes in lots of
//! `volume_unit` shares (hundreds, recorded), sizes in shares.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sizes are checked finite, non-negative and below their type's range first"
)]

use ibapi::contracts::tick_types::TickType;
use ibapi::market_data::historical::{self, BarTimestamp};
use ibapi::market_data::realtime::TickTypes;

use crate::clock::{Nanos, SECOND, SessionTime};
use crate::domain::{Price, SymbolId};
use crate::message::{Bar, StatusKind, Tick};

/// What a tick changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Touch {
    /// The symbol's quote.
    Quote,
    /// A fact about the symbol that is no quote.
    Status(StatusKind),
    /// The quote, and a fact that must be told first.
    StatusAndQuote(StatusKind),
    /// Nothing that the trader reads.
    Nothing,
}

/// IB's number of a live stream.
const REAL_TIME: u8 = 1;
/// IB's number of a delayed stream.
const DELAYED: u8 = 3;

/// The merged top of book of every symbol.
#[derive(Debug)]
pub struct Quotes {
    ticks: Vec<Tick>,
    /// Data type of each symbol's stream, 1 until told otherwise.
    kinds: Vec<u8>,
    volume_unit: u32,
}

impl Quotes {
    /// Empty books of `symbols` symbols; `volume_unit` = shares in one unit of day volume.
    pub fn new(symbols: usize, volume_unit: u32) -> Self {
        let mut quotes = Self { ticks: vec![Tick::default(); symbols], kinds: vec![REAL_TIME; symbols], volume_unit };
        quotes.clear_all();
        quotes
    }

    /// Forgets everything: after a reconnect no old price may pass for a new one.
    pub fn clear_all(&mut self) {
        for i in 0..self.ticks.len() {
            self.clear(i);
            self.kinds[i] = REAL_TIME;
        }
    }

    fn clear(&mut self, i: usize) {
        let symbol = SymbolId(u16::try_from(i).unwrap_or(u16::MAX));
        self.ticks[i] = Tick { symbol, ..Tick::default() };
    }

    /// The merged book of a symbol.
    pub fn tick(&self, symbol: SymbolId) -> Option<&Tick> {
        self.ticks.get(symbol.index())
    }

    /// Merges one value, stamped `at`.
    pub fn apply(&mut self, symbol: SymbolId, at: SessionTime, value: &TickTypes) -> Touch {
        if symbol.index() >= self.ticks.len() {
            return Touch::Nothing;
        }
        match value {
            TickTypes::Price(t) => self.price(symbol, at, t.tick_type, t.price),
            TickTypes::PriceSize(t) => {
                let touch = self.price(symbol, at, t.price_tick_type, t.price);
                first_of(touch, self.size(symbol, at, t.size_tick_type, t.size))
            }
            TickTypes::Size(t) => self.size(symbol, at, t.tick_type, t.size),
            TickTypes::Generic(t) => generic(t.tick_type, t.value),
            TickTypes::MarketDataType(kind) => self.kind(symbol, *kind as i32),
            TickTypes::String(_)
            | TickTypes::OptionComputation(_)
            | TickTypes::SnapshotEnd
            | TickTypes::RequestParameters(_) => Touch::Nothing,
        }
    }

    fn price(&mut self, symbol: SymbolId, at: SessionTime, kind: TickType, value: f64) -> Touch {
        let price = Price::from_f64(value);
        let told = self.delayed(symbol, kind);
        let tick = &mut self.ticks[symbol.index()];
        match kind {
            TickType::Bid | TickType::DelayedBid => {
                tick.bid = price;
                if !price.is_some() {
                    tick.bid_size = 0;
                }
            }
            TickType::Ask | TickType::DelayedAsk => {
                tick.ask = price;
                if !price.is_some() {
                    tick.ask_size = 0;
                }
            }
            TickType::Last | TickType::DelayedLast if price.is_some() => tick.last = price,
            TickType::Close | TickType::DelayedClose if price.is_some() => {
                return Touch::Status(StatusKind::PriorClose(price));
            }
            _ => return Touch::Nothing,
        }
        tick.at = at;
        told.map_or(Touch::Quote, Touch::StatusAndQuote)
    }

    fn size(&mut self, symbol: SymbolId, at: SessionTime, kind: TickType, value: f64) -> Touch {
        let told = self.delayed(symbol, kind);
        let unit = f64::from(self.volume_unit);
        let tick = &mut self.ticks[symbol.index()];
        let count = if value.is_finite() && value > 0.0 { value } else { 0.0 };
        let size = if count < f64::from(u32::MAX) { count as u32 } else { 0 };
        match kind {
            TickType::BidSize | TickType::DelayedBidSize => tick.bid_size = size,
            TickType::AskSize | TickType::DelayedAskSize => tick.ask_size = size,
            TickType::LastSize | TickType::DelayedLastSize => tick.last_size = size,
            TickType::Volume | TickType::DelayedVolume if count * unit < 1e15 => {
                tick.day_volume = libm::round(count * unit) as u64;
            }
            TickType::ShortableShares if count < 1e15 => {
                return Touch::Status(StatusKind::ShortableShares(count as u64));
            }
            _ => return Touch::Nothing,
        }
        tick.at = at;
        told.map_or(Touch::Quote, Touch::StatusAndQuote)
    }

    /// A delayed tick proves a delayed stream, whether or not the gateway said so.
    fn delayed(&mut self, symbol: SymbolId, kind: TickType) -> Option<StatusKind> {
        let delayed = matches!(
            kind,
            TickType::DelayedBid
                | TickType::DelayedAsk
                | TickType::DelayedLast
                | TickType::DelayedBidSize
                | TickType::DelayedAskSize
                | TickType::DelayedLastSize
                | TickType::DelayedVolume
        );
        (delayed && self.kinds[symbol.index()] < DELAYED).then(|| {
            self.kinds[symbol.index()] = DELAYED;
            StatusKind::MarketDataType(DELAYED)
        })
    }

    /// The stream's type; a change of type empties the book, so that no delayed price outlives its label.
    fn kind(&mut self, symbol: SymbolId, kind: i32) -> Touch {
        let kind = u8::try_from(kind).unwrap_or(0);
        if self.kinds[symbol.index()] != kind {
            self.clear(symbol.index());
            self.kinds[symbol.index()] = kind;
        }
        Touch::Status(StatusKind::MarketDataType(kind))
    }
}

fn generic(kind: TickType, value: f64) -> Touch {
    match kind {
        TickType::Halted | TickType::DelayedHalted => {
            let known = [-1.0, 0.0, 1.0, 2.0].iter().any(|k| (k - value).abs() < 1e-9);
            Touch::Status(StatusKind::Halted(if known { value as i8 } else { -1 }))
        }
        TickType::Shortable => Touch::Status(StatusKind::Shortable(if value.is_finite() { value as f32 } else { 0.0 })),
        _ => Touch::Nothing,
    }
}

/// One touch for a price and its size.
fn first_of(price: Touch, size: Touch) -> Touch {
    if price == Touch::Nothing { size } else { price }
}

/// A bar of history; `None` for daily stamps and for bars without a believable price or volume.
pub fn bar(symbol: SymbolId, b: &historical::Bar) -> Option<Bar> {
    let BarTimestamp::DateTime(start) = b.date else { return None };
    let nanos: Nanos = start.unix_timestamp().checked_mul(SECOND)?;
    let [open, high, low, close] = [b.open, b.high, b.low, b.close].map(Price::from_f64);
    let ordered = low.is_some() && low <= open.min(close) && high >= open.max(close);
    let volume = (b.volume.is_finite() && (0.0..1e15).contains(&b.volume)).then(|| libm::round(b.volume) as u64)?;
    ordered.then_some(Bar { start: SessionTime(nanos), open, high, low, close, volume, symbol })
}

#[cfg(test)]
mod tests {
    use ibapi::market_data::MarketDataType;
    use ibapi::market_data::realtime::{TickGeneric, TickPrice, TickPriceSize, TickSize, TickString};

    use super::*;

    const S: SymbolId = SymbolId(1);
    const AT: SessionTime = SessionTime(7);

    fn price(tick_type: TickType, price: f64) -> TickTypes {
        TickTypes::Price(TickPrice { tick_type, price, ..TickPrice::default() })
    }
    fn size(tick_type: TickType, size: f64) -> TickTypes {
        TickTypes::Size(TickSize { tick_type, size })
    }
    fn with_size(price_tick_type: TickType, price: f64, size_tick_type: TickType, size: f64) -> TickTypes {
        TickTypes::PriceSize(TickPriceSize { price_tick_type, price, size_tick_type, size, ..TickPriceSize::default() })
    }
    fn flag(tick_type: TickType, value: f64) -> TickTypes {
        TickTypes::Generic(TickGeneric { tick_type, value })
    }

    #[test]
    fn partial_updates_merge_into_one_book() {
        let mut q = Quotes::new(2, 100);
        for t in [
            with_size(TickType::Bid, 309.15, TickType::BidSize, 300.0),
            price(TickType::Ask, 309.17),
            size(TickType::AskSize, 200.0),
            with_size(TickType::Last, 309.16, TickType::LastSize, 25.0),
            size(TickType::Volume, 12_345.5),
        ] {
            assert_eq!(q.apply(S, AT, &t), Touch::Quote, "{t:?}");
        }
        let expected = Tick {
            at: AT,
            bid: Price(309_150_000),
            ask: Price(309_170_000),
            last: Price(309_160_000),
            day_volume: 1_234_550,
            bid_size: 300,
            ask_size: 200,
            last_size: 25,
            symbol: S,
            ..Tick::default()
        };
        assert_eq!(q.tick(S), Some(&expected));
        assert_eq!(q.tick(SymbolId(0)).map(|t| t.bid), Some(Price::NONE));
    }

    #[test]
    fn no_price_is_none_and_takes_its_size_along() {
        for none in [-1.0, 0.0, f64::NAN, f64::MAX, f64::INFINITY] {
            let mut q = Quotes::new(2, 100);
            q.apply(S, AT, &with_size(TickType::Bid, 10.0, TickType::BidSize, 5.0));
            assert_eq!(q.apply(S, AT, &price(TickType::Bid, none)), Touch::Quote);
            assert_eq!(q.tick(S).map(|t| (t.bid, t.bid_size)), Some((Price::NONE, 0)), "{none}");
            q.apply(S, AT, &price(TickType::Last, 10.0));
            assert_eq!(q.apply(S, AT, &price(TickType::Last, none)), Touch::Nothing, "a last price never goes away");
            assert_eq!(q.tick(S).map(|t| t.last), Some(Price(10_000_000)));
        }
    }

    #[test]
    fn sentinel_sizes_are_no_size() {
        let mut q = Quotes::new(2, 100);
        for bad in [f64::NAN, -5.0, f64::MAX, f64::INFINITY] {
            q.apply(S, AT, &size(TickType::BidSize, bad));
            assert_eq!(q.tick(S).map(|t| t.bid_size), Some(0), "{bad}");
        }
        q.apply(S, AT, &size(TickType::Volume, 10.0));
        assert_eq!(q.apply(S, AT, &size(TickType::Volume, f64::MAX)), Touch::Nothing);
        assert_eq!(q.tick(S).map(|t| t.day_volume), Some(1_000), "a sentinel doesn't erase the volume");
    }

    #[test]
    fn facts_that_are_no_quote() {
        let mut q = Quotes::new(2, 100);
        let facts = [
            (flag(TickType::Halted, 2.0), StatusKind::Halted(2)),
            (flag(TickType::Halted, 7.0), StatusKind::Halted(-1)),
            (flag(TickType::Halted, f64::NAN), StatusKind::Halted(-1)),
            (flag(TickType::Shortable, 3.0), StatusKind::Shortable(3.0)),
            (flag(TickType::Shortable, f64::NAN), StatusKind::Shortable(0.0)),
            (size(TickType::ShortableShares, 5_000.0), StatusKind::ShortableShares(5_000)),
            (price(TickType::Close, 308.2), StatusKind::PriorClose(Price(308_200_000))),
            (TickTypes::MarketDataType(MarketDataType::Frozen), StatusKind::MarketDataType(2)),
            (TickTypes::MarketDataType(MarketDataType::Unknown), StatusKind::MarketDataType(0)),
        ];
        for (value, fact) in facts {
            assert_eq!(q.apply(S, AT, &value), Touch::Status(fact), "{value:?}");
        }
        for value in [price(TickType::High, 1.0), price(TickType::Close, -1.0), flag(TickType::TradeCount, 1.0)] {
            assert_eq!(q.apply(S, AT, &value), Touch::Nothing, "{value:?}");
        }
        assert_eq!(q.apply(S, AT, &TickTypes::String(TickString::default())), Touch::Nothing);
        assert_eq!(q.apply(SymbolId(2), AT, &price(TickType::Bid, 1.0)), Touch::Nothing, "beyond the universe");
    }

    #[test]
    fn a_delayed_tick_convicts_its_stream_and_a_new_type_empties_the_book() {
        let mut q = Quotes::new(2, 100);
        let delayed = price(TickType::DelayedBid, 10.0);
        assert_eq!(q.apply(S, AT, &delayed), Touch::StatusAndQuote(StatusKind::MarketDataType(3)));
        assert_eq!(q.apply(S, AT, &delayed), Touch::Quote, "told once");
        q.apply(S, AT, &TickTypes::MarketDataType(MarketDataType::Realtime));
        assert_eq!(q.tick(S).map(|t| t.bid), Some(Price::NONE));
    }

    #[test]
    fn bars_without_sense_are_left_out() {
        let good = historical::Bar {
            date: BarTimestamp::DateTime(time::OffsetDateTime::from_unix_timestamp(1_776_000_000).unwrap()),
            open: 10.0,
            high: 10.5,
            low: 9.5,
            close: 10.25,
            volume: 1_200.0,
            wap: 10.1,
            count: 3,
        };
        let b = bar(S, &good).unwrap();
        assert_eq!((b.start, b.volume, b.close), (SessionTime::from_secs(1_776_000_000), 1_200, Price(10_250_000)));
        let daily = BarTimestamp::Date(time::Date::from_ordinal_date(2026, 1).unwrap());
        for bad in [
            historical::Bar { low: 10.1, ..good },
            historical::Bar { high: 10.1, ..good },
            historical::Bar { open: -1.0, ..good },
            historical::Bar { close: f64::NAN, ..good },
            historical::Bar { volume: f64::NAN, ..good },
            historical::Bar { date: daily, ..good },
        ] {
            assert_eq!(bar(S, &bad), None, "{bad:?}");
        }
    }
}
