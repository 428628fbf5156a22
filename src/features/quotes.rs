//! Quote columns of one symbol from sampled quotes: O(1) per quote, frozen at each minute's boundary.
//! Order-flow imbalance: Cont, Kukanov, Stoikov, "The price impact of order book events" (2014), eq. 3, all four
//! terms; from *sampled* quotes it misses what happened in between, hence its name in the schema.

#![allow(clippy::cast_possible_truncation, reason = "columns are f32 by definition")]

use super::columns::{OFI_ALPHA, cut};
use super::schema::{BAR_COLUMNS, COLUMNS};
use crate::domain::Price;
use crate::message::{Quality, Tick};

/// What a cycle reads of the quotes at a boundary.
#[derive(Clone, Copy, Debug)]
pub(super) struct Snapshot {
    /// The minute that had just ended.
    minute: i64,
    mid: Price,
    half_spread_bps: f32,
    columns: [f32; COLUMNS - BAR_COLUMNS],
}

const UNKNOWN: Snapshot = Snapshot {
    minute: i64::MIN,
    mid: Price::NONE,
    half_spread_bps: f32::NAN,
    columns: [f32::NAN; COLUMNS - BAR_COLUMNS],
};

/// The last fit quote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Quote {
    bid: Price,
    ask: Price,
    bid_size: i64,
    ask_size: i64,
}

/// See the module's documentation.
#[derive(Clone, Copy, Debug)]
pub(super) struct QuoteState {
    fit: bool,
    quote: Quote,
    last: Price,
    /// The minute under way.
    minute: i64,
    flow: i64,
    depth: i64,
    updates: u32,
    flow_5m: f64,
    snapshot: Snapshot,
}

impl QuoteState {
    pub(super) const fn new() -> Self {
        Self {
            fit: false,
            quote: Quote { bid: Price::NONE, ask: Price::NONE, bid_size: 0, ask_size: 0 },
            last: Price::NONE,
            minute: i64::MIN,
            flow: 0,
            depth: 0,
            updates: 0,
            flow_5m: 0.0,
            snapshot: UNKNOWN,
        }
    }

    /// Takes a tick of `minute`.
    pub(super) fn on_tick(&mut self, tick: &Tick, minute: i64) {
        self.roll_to(minute);
        if tick.last.is_some() {
            self.last = tick.last;
        }
        if tick.quality != Quality::Fit {
            self.fit = false;
            return;
        }
        let next = Quote {
            bid: tick.bid,
            ask: tick.ask,
            bid_size: i64::from(tick.bid_size),
            ask_size: i64::from(tick.ask_size),
        };
        if self.fit && next != self.quote {
            self.flow += order_flow(&self.quote, &next);
            self.depth += next.bid_size + next.ask_size;
            self.updates += 1;
        }
        self.fit = true;
        self.quote = next;
    }

    /// No quote is fit until its next tick.
    pub(super) fn doubt(&mut self) {
        self.fit = false;
    }

    /// Freezes the minutes before `minute`.
    pub(super) fn roll_to(&mut self, minute: i64) {
        if minute <= self.minute {
            return;
        }
        let skipped = self.minute != i64::MIN && minute - self.minute > 1;
        self.freeze(self.minute);
        if skipped {
            self.freeze(minute - 1);
        }
        self.minute = minute;
    }

    fn freeze(&mut self, minute: i64) {
        let flow = if self.updates == 0 {
            0.0
        } else {
            // Over the mean depth of one side and √updates: about unit variance for flow without direction.
            let depth = self.depth as f64 / (2.0 * f64::from(self.updates));
            if depth > 0.0 { self.flow as f64 / (depth * libm::sqrt(f64::from(self.updates))) } else { 0.0 }
        };
        self.flow_5m += (flow - self.flow_5m) * OFI_ALPHA;
        self.snapshot = if self.fit { self.columns(minute, flow) } else { Snapshot { minute, ..UNKNOWN } };
        self.flow = 0;
        self.depth = 0;
        self.updates = 0;
    }

    fn columns(&self, minute: i64, flow: f64) -> Snapshot {
        let q = &self.quote;
        let (bid, ask) = (q.bid.to_f64(), q.ask.to_f64());
        let mid = (bid + ask) / 2.0;
        let half = (ask - bid) / 2.0;
        let sizes = (q.bid_size + q.ask_size) as f64;
        let imbalance = (q.bid_size - q.ask_size) as f64 / sizes;
        let spread_bps = (ask - bid) / mid * 1e4;
        let last = if self.last.is_some() { (self.last.to_f64() - mid) / half } else { f64::NAN };
        Snapshot {
            minute,
            mid: Price(q.bid.0 + (q.ask.0 - q.bid.0) / 2),
            half_spread_bps: (spread_bps / 2.0) as f32,
            columns: [
                spread_bps.min(1e4) as f32,
                cut(imbalance),
                // Microprice (bid × ask size + ask × bid size) / sizes lies imbalance × half spread off the mid.
                cut(imbalance * half / mid * 1e4),
                cut(flow),
                cut(self.flow_5m),
                cut(libm::log(1.0 + f64::from(self.updates))),
                cut(last),
            ],
        }
    }

    /// Writes the quote columns of `minute`; returns mid and half spread if the quote was fit at the boundary
    /// and still is.
    pub(super) fn read(&self, minute: i64, columns: &mut [f32]) -> (Price, f32) {
        let s = if self.snapshot.minute == minute { &self.snapshot } else { &UNKNOWN };
        columns.copy_from_slice(&s.columns);
        if self.fit { (s.mid, s.half_spread_bps) } else { (Price::NONE, f32::NAN) }
    }
}

/// Shares of net buying pressure between two quotes.
fn order_flow(old: &Quote, new: &Quote) -> i64 {
    let mut flow = 0;
    if new.bid >= old.bid {
        flow += new.bid_size;
    }
    if new.bid <= old.bid {
        flow -= old.bid_size;
    }
    if new.ask <= old.ask {
        flow -= new.ask_size;
    }
    if new.ask >= old.ask {
        flow += old.ask_size;
    }
    flow
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote(bid: i64, ask: i64, bid_size: i64, ask_size: i64) -> Quote {
        Quote { bid: Price(bid), ask: Price(ask), bid_size, ask_size }
    }

    #[test]
    fn all_four_terms_of_the_order_flow() {
        let old = quote(100, 102, 30, 50);
        assert_eq!(order_flow(&old, &quote(100, 102, 40, 50)), 10, "bid grows");
        assert_eq!(order_flow(&old, &quote(100, 102, 30, 45)), 5, "ask shrinks");
        assert_eq!(order_flow(&old, &quote(101, 102, 20, 50)), 20, "bid steps up");
        assert_eq!(order_flow(&old, &quote(99, 102, 20, 50)), -30, "bid steps down");
        assert_eq!(order_flow(&old, &quote(100, 103, 30, 60)), 50, "ask steps up");
        assert_eq!(order_flow(&old, &quote(100, 101, 30, 60)), -60, "ask steps down");
    }

    #[test]
    fn the_boundary_freezes_the_quote_and_later_quotes_of_the_next_minute_do_not_show() {
        let tick = |bid, ask| Tick {
            bid: Price(bid),
            ask: Price(ask),
            last: Price(bid),
            bid_size: 100,
            ask_size: 100,
            quality: Quality::Fit,
            ..Tick::default()
        };
        let mut q = QuoteState::new();
        q.on_tick(&tick(100_000_000, 100_020_000), 7);
        q.on_tick(&tick(200_000_000, 200_020_000), 8);
        let mut columns = [0.0; COLUMNS - BAR_COLUMNS];
        assert_eq!(q.read(7, &mut columns).0, Price(100_010_000));
        assert!((columns[0] - 1.9998).abs() < 1e-3);
        q.doubt();
        assert_eq!(q.read(7, &mut columns).0, Price::NONE, "an unfit quote raises no exposure");
        q.roll_to(11);
        q.read(10, &mut columns);
        assert!(columns[0].is_nan());
    }
}
