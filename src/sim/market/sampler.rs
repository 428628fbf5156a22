//! IB's market-data sampling. Per symbol, on a grid of 250 ms of session time whose phase is seeded, it compares the
//! market with what was last sent and gives only the difference. Source: IB's own statement that stock market data
//! is a snapshot aggregated over 250 ms; the recorded streams agree.
//!
//! **Message.** A [`SampledUpdate`] is stamped with its sampling instant and holds, for one symbol, only the fields
//! that changed since the last one. A changed bid or ask price always brings its size; a size alone may come alone.
//! After at least one print since the last sample, `last`, `last_size`, `volume` and `last_time` all come, even if
//! their values repeat: a volume step or a last without one is how an observer knows that it traded. `volume` is
//! cumulative for the day, in shares. A raw event at exactly a sampling instant is part of that sample.
//!
//! **Off.** A sampler of period 0 samples at every instant that has an event: nothing is lost, only what happens at the
//! very same instant is one message.
//!
//! Work is proportional to events: a symbol without events since its last sample costs nothing.

#![allow(clippy::cast_possible_wrap, reason = "phases are below the period, a few hundred milliseconds")]

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::rng::Draw;
use super::{Quote, RawBody, RawEvent};
use crate::clock::{MILLISECOND, Nanos, SessionTime};
use crate::domain::{Price, Qty, SymbolId};

/// Session time between samples of one symbol.
pub const SAMPLE_PERIOD: Nanos = 250 * MILLISECOND;

/// What changed for one symbol, protocol-neutral.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampledUpdate {
    /// The sampling instant.
    pub time: SessionTime,
    /// Which symbol, in the source's numbering.
    pub symbol: SymbolId,
    /// Best bid; `Some(Price::NONE)` when the side emptied.
    pub bid: Option<Price>,
    /// Displayed shares at the bid.
    pub bid_size: Option<Qty>,
    /// Best offer; `Some(Price::NONE)` when the side emptied.
    pub ask: Option<Price>,
    /// Displayed shares at the offer.
    pub ask_size: Option<Qty>,
    /// Price of the last print.
    pub last: Option<Price>,
    /// Shares of the last print.
    pub last_size: Option<Qty>,
    /// Cumulative shares of the day.
    pub volume: Option<Qty>,
    /// When the last print happened.
    pub last_time: Option<SessionTime>,
    /// Prints since the last sample.
    pub prints: u32,
}

impl SampledUpdate {
    /// Whether nothing changed.
    pub const fn is_empty(&self) -> bool {
        self.bid.is_none()
            && self.bid_size.is_none()
            && self.ask.is_none()
            && self.ask_size.is_none()
            && self.last.is_none()
    }
}

/// One symbol's market now and as last sent.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    phase: Nanos,
    scheduled: bool,
    prints: u32,
    quote: Quote,
    sent: Quote,
    last: Price,
    last_size: Qty,
    last_time: SessionTime,
    volume: Qty,
    /// Price times shares of the day's prints, micro-dollars.
    value: i128,
}

/// The sampler of a whole universe.
#[derive(Clone, Debug)]
pub struct Sampler {
    period: Nanos,
    symbols: Vec<State>,
    due: BinaryHeap<Reverse<(SessionTime, SymbolId)>>,
}

impl Sampler {
    /// A sampler of `symbols` symbols whose grid phases are drawn from `seed`.
    pub fn new(symbols: usize, seed: u64) -> Self {
        Self::with_period(symbols, seed, SAMPLE_PERIOD)
    }

    /// As [`Sampler::new`], sampling every `period`; 0 = at every event.
    pub fn with_period(symbols: usize, seed: u64, period: Nanos) -> Self {
        let phase = |i: usize| Draw::keyed(seed, "sampler phase", i as u64, 0).below(period.unsigned_abs()) as Nanos;
        let symbols = (0..symbols).map(|i| State { phase: phase(i), ..State::default() }).collect();
        Self { period, symbols, due: BinaryHeap::new() }
    }

    /// Starts the day of `symbol` with what traded before the window: last price, shares, and price times shares.
    pub fn seed_day(&mut self, symbol: SymbolId, last: Price, volume: Qty, value: i128) {
        if let Some(s) = self.symbols.get_mut(symbol.index()) {
            (s.last, s.volume, s.value) = (last, volume, value);
        }
    }

    /// Takes in a raw event; events come in time order. Symbols beyond the universe are ignored.
    pub fn push(&mut self, raw: &RawEvent) {
        let Some(s) = self.symbols.get_mut(raw.symbol.index()) else { return };
        match raw.body {
            RawBody::Quote(q) => s.quote = q,
            RawBody::Trade { price, size } => {
                s.last = price;
                s.last_size = size;
                s.last_time = raw.time;
                s.volume += size;
                s.value += i128::from(price.0) * i128::from(size.0);
                s.prints += 1;
            }
        }
        if !s.scheduled {
            s.scheduled = true;
            let grid = if self.period <= 0 {
                raw.time
            } else {
                (raw.time - s.phase - 1 + self.period).floor_to(self.period) + s.phase
            };
            self.due.push(Reverse((grid, raw.symbol)));
        }
    }

    /// When the next sample is due; raw events up to and including that instant belong to it.
    pub fn next_due(&self) -> Option<SessionTime> {
        self.due.peek().map(|Reverse((t, _))| *t)
    }

    /// The next update due at or before `now`. Samples that show no change are skipped.
    pub fn due(&mut self, now: SessionTime) -> Option<SampledUpdate> {
        while let Some(&Reverse((time, symbol))) = self.due.peek() {
            if time > now {
                return None;
            }
            self.due.pop();
            let s = &mut self.symbols[symbol.index()];
            s.scheduled = false;
            let update = s.difference(time, symbol);
            s.sent = s.quote;
            s.prints = 0;
            if !update.is_empty() {
                return Some(update);
            }
        }
        None
    }

    /// All that was last sent for `symbol`, as a new subscriber gets it.
    pub fn snapshot(&self, symbol: SymbolId, now: SessionTime) -> SampledUpdate {
        let Some(s) = self.symbols.get(symbol.index()) else {
            return SampledUpdate { time: now, symbol, ..SampledUpdate::default() };
        };
        let quote = |price: Price, size: Qty| (price.is_some().then_some(price), price.is_some().then_some(size));
        let (bid, bid_size) = quote(s.sent.bid, s.sent.bid_size);
        let (ask, ask_size) = quote(s.sent.ask, s.sent.ask_size);
        let traded = s.last.is_some();
        SampledUpdate {
            time: now,
            symbol,
            bid,
            bid_size,
            ask,
            ask_size,
            last: traded.then_some(s.last),
            last_size: traded.then_some(s.last_size),
            volume: traded.then_some(s.volume),
            last_time: (s.last_time.0 > 0).then_some(s.last_time),
            prints: 0,
        }
    }

    /// The day's mean price by shares; [`Price::NONE`] before the first print.
    pub fn mean_price(&self, symbol: SymbolId) -> Price {
        let found = self.symbols.get(symbol.index()).filter(|s| s.volume.0 > 0);
        found.map_or(Price::NONE, |s| i64::try_from(s.value / i128::from(s.volume.0)).map_or(Price::NONE, Price))
    }

    /// Shares traded so far today.
    pub fn volume(&self, symbol: SymbolId) -> Qty {
        self.symbols.get(symbol.index()).map_or(Qty::ZERO, |s| s.volume)
    }
}

impl State {
    /// What changed since the last sample.
    fn difference(&self, time: SessionTime, symbol: SymbolId) -> SampledUpdate {
        let (now, sent) = (&self.quote, &self.sent);
        let traded = self.prints > 0;
        let bid = (now.bid != sent.bid).then_some(now.bid);
        let ask = (now.ask != sent.ask).then_some(now.ask);
        SampledUpdate {
            time,
            symbol,
            bid,
            bid_size: (bid.is_some() || now.bid_size != sent.bid_size).then_some(now.bid_size),
            ask,
            ask_size: (ask.is_some() || now.ask_size != sent.ask_size).then_some(now.ask_size),
            last: traded.then_some(self.last),
            last_size: traded.then_some(self.last_size),
            volume: traded.then_some(self.volume),
            last_time: traded.then_some(self.last_time),
            prints: self.prints,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote(ms: i64, bid: i64) -> RawEvent {
        let q = Quote { bid: Price(bid), bid_size: Qty(100), ask: Price(bid + 10_000), ask_size: Qty(200) };
        RawEvent { time: SessionTime(ms * MILLISECOND), symbol: SymbolId(0), body: RawBody::Quote(q) }
    }

    fn trade(ms: i64, price: i64, size: i64) -> RawEvent {
        let body = RawBody::Trade { price: Price(price), size: Qty(size) };
        RawEvent { time: SessionTime(ms * MILLISECOND), symbol: SymbolId(0), body }
    }

    #[test]
    fn moves_between_samples_are_lost_and_volume_adds_up() {
        let mut s = Sampler::new(1, 7);
        for e in [quote(1, 1_000_000), quote(2, 2_000_000), trade(3, 2_000_000, 10), trade(4, 2_010_000, 5)] {
            s.push(&e);
        }
        let far = SessionTime(2_000 * MILLISECOND);
        let u = s.due(far).expect("one sample");
        assert_eq!(
            (u.bid, u.last, u.last_size, u.volume),
            (Some(Price(2_000_000)), Some(Price(2_010_000)), Some(Qty(5)), Some(Qty(15)))
        );
        assert_eq!(s.due(far), None, "no event, no sample");
        s.push(&trade(900, 2_010_000, 1));
        let u = s.due(far).expect("a print at the same price still shows");
        assert_eq!((u.last, u.volume, u.bid), (Some(Price(2_010_000)), Some(Qty(16)), None));
        s.push(&quote(1_500, 2_000_000));
        assert_eq!(s.due(far), None, "an unchanged quote is not sent again");
    }

    #[test]
    fn without_a_period_every_event_is_a_sample() {
        let mut s = Sampler::with_period(1, 7, 0);
        let mut seen = Vec::new();
        for e in [quote(1, 1_000_000), quote(2, 2_000_000), trade(3, 2_000_000, 10), trade(4, 2_010_000, 5)] {
            s.push(&e);
            seen.push(s.due(e.time).map(|u| (u.time, u.bid, u.last, u.prints)));
        }
        let at = |ms: i64| SessionTime(ms * MILLISECOND);
        let bid = |ms, p| Some((at(ms), Some(Price(p)), None, 0));
        let last = |ms, p| Some((at(ms), None, Some(Price(p)), 1));
        assert_eq!(seen, [bid(1, 1_000_000), bid(2, 2_000_000), last(3, 2_000_000), last(4, 2_010_000)]);
        assert_eq!(s.mean_price(SymbolId(0)), Price((2_000_000 * 10 + 2_010_000 * 5) / 15));
    }

    #[test]
    fn samples_fall_on_the_symbols_grid_at_or_after_the_event() {
        let mut s = Sampler::new(1, 7);
        s.push(&quote(1, 1_000_000));
        let first = s.next_due().expect("scheduled");
        assert!(first.0 >= MILLISECOND && first.0 <= MILLISECOND + SAMPLE_PERIOD);
        let _ = s.due(first);
        let mut on_grid = quote(0, 3_000_000);
        on_grid.time = first + SAMPLE_PERIOD;
        s.push(&on_grid);
        assert_eq!(s.next_due(), Some(first + SAMPLE_PERIOD), "an event on the grid belongs to that sample");
    }
}
