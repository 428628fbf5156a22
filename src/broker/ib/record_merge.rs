//! Ticks of a market data line, put together again into rows of a recording: whole quotes and prints. Pure: time comes
//! in, no socket, no file.
//!
//! A gateway sends one sample as several messages, in the recorded order bid, offer, last, volume. A row is therefore
//! not written at its first message but once a message shows that the next sample has begun (one that came already, or
//! whose turn is over) or none of this one can still be on its way, stamped with the first message's time. A busy host
//! may be handed a sample in pieces: silence alone ends none. The size of a print is the step of the day's volume since
//! the print before, so that volumes add up whatever the sampling left out. What a new line tells first is a snapshot:
//! its last price is no print and its volume only the base of the next step.

use ibapi::contracts::tick_types::TickType;
use ibapi::market_data::realtime::TickTypes;

use super::translate::{Quotes, Touch};
use crate::clock::{MILLISECOND, Nanos, SessionTime};
use crate::domain::{Price, Qty, SymbolId};
use crate::message::StatusKind;

/// How long after its first message a sample may still be on its way, session time: less than half a sampling period.
const HOLD_MAX: Nanos = 100 * MILLISECOND;

/// Places of a sample's last price and day volume; bid and offer come before them.
const LAST: u8 = 4;
const VOLUME: u8 = 6;

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
    /// Which fields of the sample have come: a bit a field, in a sample's order.
    seen: u16,
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

    /// Takes in a value; gives what it says besides quotes and prints. Rows of a sample that it ends go to `row`.
    pub(super) fn apply(
        &mut self,
        symbol: SymbolId,
        at: SessionTime,
        value: &TickTypes,
        row: &mut impl FnMut(SymbolId, SessionTime, Row),
    ) -> Option<StatusKind> {
        let field = field_of(value);
        let p = self.pending.get(symbol.index())?;
        if let (Some(since), Some(field)) = (p.since, field)
            && p.is_over_for(field)
        {
            self.write(symbol, since, row);
        }
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
            p.seen |= field.map_or(0, |f| 1 << f);
        }
        fact
    }

    /// At the end of a sweep: gives the rows of every symbol whose sample is whole by now.
    pub(super) fn sweep(&mut self, now: SessionTime, row: &mut impl FnMut(SymbolId, SessionTime, Row)) {
        for i in 0..self.symbols {
            let symbol = SymbolId(i);
            if let Some(since) = self.pending[symbol.index()].since.filter(|since| now - *since >= HOLD_MAX) {
                self.write(symbol, since, row);
            }
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
        let printed = volume.is_some_and(|step| step > 0 || (p.traded() && tick.last != p.last));
        if printed && tick.last.is_some() {
            let size = Qty(i64::try_from(volume.unwrap_or(0)).unwrap_or(0));
            row(symbol, at, Row::Trade { price: tick.last, size });
        }
        if p.has(VOLUME) {
            p.booked = Some(tick.day_volume);
        }
        *p = Pending { booked: p.booked, written: p.written, last: tick.last, ..Pending::default() };
    }
}

impl Pending {
    const fn has(&self, field: u8) -> bool {
        self.seen >> field & 1 == 1
    }

    const fn traded(&self) -> bool {
        self.has(LAST) || self.has(LAST + 1)
    }

    /// Whether `field` belongs to the next sample: it has come already, or a later one has. A price and its size, which
    /// may come in either order, have one turn.
    const fn is_over_for(&self, field: u8) -> bool {
        self.has(field) || self.seen >> (field / 2 * 2 + 2) != 0
    }
}

/// The place of a value in a sample: prices at even places, their sizes at the odd ones after them.
fn field_of(value: &TickTypes) -> Option<u8> {
    let kind = match value {
        TickTypes::Price(t) => t.tick_type,
        TickTypes::PriceSize(t) => t.price_tick_type,
        TickTypes::Size(t) => t.tick_type,
        _ => return None,
    };
    match kind {
        TickType::Bid | TickType::DelayedBid => Some(0),
        TickType::BidSize | TickType::DelayedBidSize => Some(1),
        TickType::Ask | TickType::DelayedAsk => Some(2),
        TickType::AskSize | TickType::DelayedAskSize => Some(3),
        TickType::Last | TickType::DelayedLast => Some(LAST),
        TickType::LastSize | TickType::DelayedLastSize => Some(LAST + 1),
        TickType::Volume | TickType::DelayedVolume => Some(VOLUME),
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
                let _ = merge.apply(S, at, value, &mut |_, t, row| rows.push((t.0 / MILLISECOND, row)));
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
    fn samples_that_come_in_one_burst_are_told_apart() {
        let got = rows(&[
            (0, &[last(10.0, 1.0), volume(5.0)]),
            (1, &[]),
            (
                250,
                &[
                    ask(10.01, 100.0),
                    last(10.01, 7.0),
                    volume(5.07),
                    bid(10.0, 100.0),
                    bid(10.0, 200.0),
                    last(10.0, 3.0),
                    volume(5.1),
                ],
            ),
        ]);
        let quotes = [top(0, 0, 1001, 100), top(1000, 100, 1001, 100), top(1000, 200, 1001, 100)];
        let rows = [quotes[0], trade(1001, 7), quotes[1], quotes[2], trade(1000, 3)];
        assert_eq!(got, rows.map(|row| (250, row)));
    }

    #[test]
    fn a_print_without_volume_does_not_wait_for_ever() {
        let got = rows(&[
            (0, &[last(10.0, 1.0), volume(5.0)]),
            (1, &[]),
            (300, &[last(10.5, 1.0)]),
            (399, &[]),
            (401, &[]),
            (402, &[bid(10.0, 100.0)]),
        ]);
        assert_eq!(got, [(300, trade(1050, 0)), (402, top(1000, 100, 0, 0))]);
    }

    #[test]
    fn a_gap_empties_the_quote_and_forgets_the_volume() {
        let (mut merge, mut rows) = (Merge::new(2, 100), Vec::new());
        for v in [bid(10.0, 300.0), last(10.0, 1.0), volume(7.0)] {
            merge.apply(S, SessionTime(1), &v, &mut |s, t, row| rows.push((s, t.0, row)));
        }
        merge.gap(SessionTime(5), &mut |s, t, row| rows.push((s, t.0, row)));
        assert_eq!(rows, [(S, 1, top(1000, 300, 0, 0)), (S, 5, Row::Quote(Top::default()))]);
        rows.clear();
        for v in [bid(10.0, 300.0), last(11.0, 1.0), volume(9.0)] {
            merge.apply(S, SessionTime(9), &v, &mut |s, t, row| rows.push((s, t.0, row)));
        }
        merge.finish(&mut |s, t, row| rows.push((s, t.0, row)));
        assert_eq!(rows, [(S, 9, top(1000, 300, 0, 0))], "what traded in the gap is not known");
    }
}
