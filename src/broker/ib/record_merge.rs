//! Ticks of a market data line, put together again into rows of a recording: whole quotes and prints. Pure: time comes
//! in, no socket, no file.
//!
//! A gateway sends one sample as several messages. A row is therefore not written at its first message but once the
//! line has been silent for one sweep, stamped with the first message's time. A print waits for its day volume, which
//! comes last; its size is the step of the day's volume since the print before, so that volumes add up whatever the
//! sampling left out. What a new line tells first is a snapshot: its last price is no print and its volume only the
//! base of the next step.

use ibapi::contracts::tick_types::TickType;
use ibapi::market_data::realtime::TickTypes;

use super::translate::{Quotes, Touch};
use crate::clock::{MILLISECOND, Nanos, SessionTime};
use crate::domain::{Price, Qty, SymbolId};
use crate::message::StatusKind;

/// Longest that a print waits for its volume, and a row for silence, session time: less than half a sampling period.
const HOLD_MAX: Nanos = 100 * MILLISECOND;

/// Best bid and offer with displayed shares; a side without a price is [`Price::NONE`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub struct Top {
    pub bid: Price,
    pub bid_size: Qty,
    pub ask: Price,
    pub ask_size: Qty,
}

/// A row of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    Quote(Top),
    Trade { price: Price, size: Qty },
}

/// What has been told of one symbol and not yet been written.
#[derive(Clone, Copy, Debug, Default)]
struct Pending {
    /// First message since the last row.
    since: Option<SessionTime>,
    traded: bool,
    volume_told: bool,
    /// Something came in this sweep.
    stirred: bool,
    /// The day's volume that rows account for; `None` = no volume was told on this line yet.
    booked: Option<u64>,
    written: Top,
    /// Price of the last print that was told, written or not.
    last: Price,
}

/// The rows of a universe in the making.
#[derive(Debug)]
pub(super) struct Merge {
    quotes: Quotes,
    pending: Vec<Pending>,
    symbols: u16,
    unit: u32,
}

impl Merge {
    /// `volume_unit` = shares in one unit of day volume.
    pub(super) fn new(symbols: u16, unit: u32) -> Self {
        let pending = vec![Pending::default(); usize::from(symbols)];
        Self { quotes: Quotes::new(usize::from(symbols), unit), pending, symbols, unit }
    }

    /// Takes in a value; gives what it says besides quotes and prints.
    pub(super) fn apply(&mut self, symbol: SymbolId, at: SessionTime, value: &TickTypes) -> Option<StatusKind> {
        let touch = self.quotes.apply(symbol, at, value);
        let p = self.pending.get_mut(symbol.index())?;
        let (quoted, fact) = match touch {
            Touch::Nothing => (false, None),
            Touch::Quote => (true, None),
            Touch::Status(kind) => (false, Some(kind)),
            Touch::StatusAndQuote(kind) => (true, Some(kind)),
        };
        if quoted {
            p.since.get_or_insert(at);
            p.stirred = true;
            match kind_of(value) {
                Some(TickType::Last | TickType::DelayedLast | TickType::LastSize | TickType::DelayedLastSize) => {
                    p.traded = true;
                }
                Some(TickType::Volume | TickType::DelayedVolume) => p.volume_told = true,
                _ => {}
            }
        }
        fact
    }

    /// At the end of a sweep: gives the rows of every symbol whose line is silent, or that waited long enough.
    pub(super) fn sweep(&mut self, now: SessionTime, row: &mut impl FnMut(SymbolId, SessionTime, Row)) {
        for i in 0..self.symbols {
            let symbol = SymbolId(i);
            let p = &mut self.pending[symbol.index()];
            let stirred = std::mem::take(&mut p.stirred);
            let Some(since) = p.since else { continue };
            let waits = stirred || (p.traded && !p.volume_told);
            if waits && now - since < HOLD_MAX {
                continue;
            }
            self.write(symbol, since, row);
        }
    }

    /// Gives every row that is waiting.
    pub(super) fn finish(&mut self, row: &mut impl FnMut(SymbolId, SessionTime, Row)) {
        for i in 0..self.symbols {
            if let Some(since) = self.pending[usize::from(i)].since {
                self.write(SymbolId(i), since, row);
            }
        }
    }

    /// The data is gone: what waits is given, then every quote becomes empty, and no volume is known.
    pub(super) fn gap(&mut self, at: SessionTime, row: &mut impl FnMut(SymbolId, SessionTime, Row)) {
        self.finish(row);
        for i in 0..self.symbols {
            let p = &mut self.pending[usize::from(i)];
            if p.written != Top::default() {
                row(SymbolId(i), at, Row::Quote(Top::default()));
            }
            *p = Pending::default();
        }
        self.quotes = Quotes::new(usize::from(self.symbols), self.unit);
    }

    fn write(&mut self, symbol: SymbolId, at: SessionTime, row: &mut impl FnMut(SymbolId, SessionTime, Row)) {
        let p = &mut self.pending[symbol.index()];
        let Some(tick) = self.quotes.tick(symbol) else { return };
        let qty = |size: u32| Qty(i64::from(size));
        let top = Top { bid: tick.bid, bid_size: qty(tick.bid_size), ask: tick.ask, ask_size: qty(tick.ask_size) };
        if top != p.written {
            p.written = top;
            row(symbol, at, Row::Quote(top));
        }
        let volume = p.booked.map(|booked| tick.day_volume.saturating_sub(booked));
        // A step of the volume is a print even where neither its price nor its size is news; a last price that is told
        // again without one was part of the snapshot.
        let printed = volume.is_some_and(|step| step > 0 || (p.traded && tick.last != p.last));
        if printed && tick.last.is_some() {
            let size = Qty(i64::try_from(volume.unwrap_or(0)).unwrap_or(0));
            row(symbol, at, Row::Trade { price: tick.last, size });
        }
        if p.volume_told {
            p.booked = Some(tick.day_volume);
        }
        *p = Pending { booked: p.booked, written: p.written, last: tick.last, ..Pending::default() };
    }
}

/// The tick type of a value that has one.
fn kind_of(value: &TickTypes) -> Option<TickType> {
    match value {
        TickTypes::Price(t) => Some(t.tick_type),
        TickTypes::PriceSize(t) => Some(t.price_tick_type),
        TickTypes::Size(t) => Some(t.tick_type),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ibapi::market_data::realtime::{TickPriceSize, TickSize};

    use super::*;

    const S: SymbolId = SymbolId(0);

    fn both(price: TickType, p: f64, size: TickType, s: f64) -> TickTypes {
        TickTypes::PriceSize(TickPriceSize {
            price_tick_type: price,
            price: p,
            size_tick_type: size,
            size: s,
            ..TickPriceSize::default()
        })
    }
    fn bid(p: f64, s: f64) -> TickTypes {
        both(TickType::Bid, p, TickType::BidSize, s)
    }
    fn ask(p: f64, s: f64) -> TickTypes {
        both(TickType::Ask, p, TickType::AskSize, s)
    }
    fn last(p: f64, s: f64) -> TickTypes {
        both(TickType::Last, p, TickType::LastSize, s)
    }
    fn volume(hundreds: f64) -> TickTypes {
        TickTypes::Size(TickSize { tick_type: TickType::Volume, size: hundreds })
    }
    fn top(bid: i64, bid_size: i64, ask: i64, ask_size: i64) -> Row {
        let cents = |c: i64| Price(c * 10_000);
        Row::Quote(Top { bid: cents(bid), bid_size: Qty(bid_size), ask: cents(ask), ask_size: Qty(ask_size) })
    }
    fn trade(cents: i64, size: i64) -> Row {
        Row::Trade { price: Price(cents * 10_000), size: Qty(size) }
    }

    /// Rows that a script of sweeps gives, with their times in ms; each sweep is a time and what came in it.
    fn rows(script: &[(i64, &[TickTypes])]) -> Vec<(i64, Row)> {
        let (mut merge, mut rows) = (Merge::new(1, 100), Vec::new());
        for (ms, values) in script {
            let at = SessionTime(ms * MILLISECOND);
            for value in *values {
                let _ = merge.apply(S, at, value);
            }
            merge.sweep(at, &mut |_, t, row| rows.push((t.0 / MILLISECOND, row)));
        }
        merge.finish(&mut |_, t, row| rows.push((t.0 / MILLISECOND, row)));
        rows
    }

    #[test]
    fn a_sample_in_pieces_is_one_row_and_a_snapshot_holds_no_print() {
        let got = rows(&[
            (0, &[bid(10.0, 300.0)]),
            (1, &[ask(10.01, 200.0), last(10.0, 50.0), volume(1_000.0)]),
            (2, &[]),
            (250, &[bid(10.0, 300.0), last(10.01, 7.0)]),
            (251, &[volume(1_000.25)]),
            (252, &[]),
            // Told again, as after a snapshot that was ahead of the samples.
            (500, &[last(10.01, 7.0), volume(1_000.25)]),
            (501, &[]),
        ]);
        assert_eq!(got, [(0, top(1000, 300, 1001, 200)), (250, trade(1001, 25))]);
    }

    #[test]
    fn a_volume_step_alone_is_a_print_and_a_late_volume_is_not_lost() {
        let got = rows(&[
            (0, &[last(10.0, 50.0), volume(5.0)]),
            (1, &[]),
            (250, &[volume(6.0)]),
            (251, &[]),
            // The volume never comes in time: the price is told, its shares go to the next print.
            (500, &[last(10.02, 9.0)]),
            (700, &[]),
            (750, &[last(10.03, 9.0), volume(6.5)]),
            (751, &[]),
        ]);
        assert_eq!(got, [(250, trade(1000, 100)), (500, trade(1002, 0)), (750, trade(1003, 50))]);
    }

    #[test]
    fn a_line_that_is_never_silent_is_written_all_the_same() {
        let steps: Vec<[TickTypes; 1]> = (0..130_i32).map(|i| [bid(10.0 + f64::from(i) / 100.0, 100.0)]).collect();
        let script: Vec<(i64, &[TickTypes])> = steps.iter().enumerate().map(|(i, s)| (i as i64, &s[..])).collect();
        let got: Vec<i64> = rows(&script).iter().map(|(t, _)| *t).collect();
        assert_eq!(got, [0, 101]);
    }

    #[test]
    fn a_gap_empties_the_quote_and_forgets_the_volume() {
        let (mut merge, mut rows) = (Merge::new(2, 100), Vec::new());
        for v in [bid(10.0, 300.0), last(10.0, 1.0), volume(7.0)] {
            merge.apply(S, SessionTime(1), &v);
        }
        merge.gap(SessionTime(5), &mut |s, t, row| rows.push((s, t.0, row)));
        assert_eq!(rows, [(S, 1, top(1000, 300, 0, 0)), (S, 5, Row::Quote(Top::default()))]);
        rows.clear();
        for v in [bid(10.0, 300.0), last(11.0, 1.0), volume(9.0)] {
            merge.apply(S, SessionTime(9), &v);
        }
        merge.finish(&mut |s, t, row| rows.push((s, t.0, row)));
        assert_eq!(rows, [(S, 9, top(1000, 300, 0, 0))], "what traded in the gap is not known");
    }
}
