//! Limit up–limit down and the market-wide circuit breakers.
//!
//! **Bands** (the national market system plan, as amended to 2020): in regular hours, reference ± a share of it. The
//! reference is the opening print, then the mean of the prints of the last five minutes, replaced when it is 1 % or more
//! away and the former has stood for 30 s. The share goes by the prior close: above $3.00 5 % (tier 1) or 10 % (tier 2);
//! $0.75 to $3.00 20 %; below the lesser of $0.15 and 75 %. It is doubled in the last 25 minutes for tier 1, and for tier 2
//! up to $3.00 (the doubling of the first 15 minutes ended with Amendment 18). Bands are whole cents.
//! **Limit state**: the bid stands at the upper band or the offer at the lower one. After 15 s of it trading pauses for five
//! minutes (tick 49 = 2). Nothing trades outside the bands: an order through a band works at the band.
//! **Reopening**: the first print after the pause serves what waits and reaches it, up to its size, and is the next
//! reference; without a print trading resumes five minutes later (assumed: in the replayed market nobody paused).
//! **Breakers** (NYSE Rule 7.12): the index 7 % or 13 % below its prior close before 15:25 halts everything for 15
//! minutes, once each; 20 % for the rest of the day. The index is a symbol or the mean of the universe (assumed).

use std::collections::VecDeque;

use super::agenda::Task;
use super::book::Match;
use super::core::Core;
use super::orders::Status;
use super::rules::BreakerIndex;
use crate::clock::{MINUTE, Nanos, SECOND, SessionTime};
use crate::domain::{Price, Side, SymbolId};
use crate::sim::api::Outgoing;
use crate::sim::market::{RawBody, RawEvent};

/// The share of the last 25 minutes.
const LATE: Nanos = 25 * MINUTE;
/// How long a reference stands at least, and the grain of its mean.
const GRAIN: Nanos = 30 * SECOND;
/// Grains of the mean: five minutes.
const GRAINS: usize = 10;
/// How long a limit state lasts before trading pauses.
const LIMIT_STATE: Nanos = 15 * SECOND;
/// How long a pause lasts, and how long a reopening waits for its print.
const PAUSE: Nanos = 5 * MINUTE;
/// How long the first two breakers halt everything.
const BREAKER_HALT: Nanos = 15 * MINUTE;
/// The first two breakers do nothing so shortly before the close.
const BREAKER_LATE: Nanos = 35 * MINUTE;
/// Time between looks at the index.
pub(super) const BREAKER_PERIOD: Nanos = SECOND;
/// Falls of the index, percent.
const BREAKERS: [f64; 3] = [7.0, 13.0, 20.0];

/// One symbol's bands.
#[derive(Clone, Debug, Default)]
pub(super) struct Bands {
    reference: Price,
    /// (sum of prices, prints) by grain, oldest first.
    grains: VecDeque<(i64, i64)>,
    grain_end: SessionTime,
    limit_since: Option<SessionTime>,
    /// Since when the pause is over and the reopening print awaited.
    pub(super) reopening: Option<SessionTime>,
}

impl Bands {
    /// Takes note of the time and, if there is one, of a print; the reference follows.
    fn note(&mut self, now: SessionTime, print: Option<Price>) {
        if !self.reference.is_some() {
            let Some(price) = print else { return };
            self.reference = price;
            self.grain_end = now + GRAIN;
            self.grains.push_back((0, 0));
        }
        while now >= self.grain_end {
            self.grain_end = self.grain_end + GRAIN;
            let (sum, n) = self.grains.iter().fold((0, 0), |(s, k), (sum, n)| (s + sum, k + n));
            if n > 0 {
                let mean = Price(sum / n);
                if (mean.0 - self.reference.0).abs() * 100 >= self.reference.0 {
                    self.reference = mean;
                }
            }
            if self.grains.len() == GRAINS {
                self.grains.pop_front();
            }
            self.grains.push_back((0, 0));
        }
        if let (Some(price), Some((sum, n))) = (print, self.grains.back_mut()) {
            *sum += price.0;
            *n += 1;
        }
    }

    /// Starts anew from a reopening print.
    fn restart(&mut self, price: Price, now: SessionTime) {
        *self = Self::default();
        self.note(now, Some(price));
    }
}

/// The bands around `reference`: (lower, upper).
pub(super) fn around(reference: Price, prior_close: Price, tier_2: bool, late: bool) -> (Price, Price) {
    let close = if prior_close.is_some() { prior_close } else { reference };
    let cheap = close.0 <= 3_000_000;
    let thousandths = if close.0 < 750_000 {
        750
    } else if cheap {
        200
    } else if tier_2 {
        100
    } else {
        50
    };
    let mut width = reference.0 * thousandths / 1_000;
    if close.0 < 750_000 {
        width = width.min(150_000);
    }
    if late && (!tier_2 || cheap) {
        width *= 2;
    }
    let cents = |micros: i64| Price((micros + 5_000).div_euclid(10_000) * 10_000);
    (Price(cents(reference.0 - width).0.max(0)), cents(reference.0 + width))
}

impl Core {
    fn in_regular_hours(&self) -> bool {
        let hours = self.source.hours();
        self.now >= hours.open && self.now < hours.close
    }

    /// Moves a symbol's bands by an event, before it is matched.
    pub(super) fn bands_before(&mut self, event: &RawEvent) {
        if !self.config.rules.bands {
            return;
        }
        if !self.in_regular_hours() {
            // Bands are for regular hours.
            return self.markets[event.symbol.index()].book.set_bands(Price::NONE, Price::NONE);
        }
        let late = self.now >= self.source.hours().close - LATE;
        let r = self.reference(event.symbol);
        let (close, tier_2) = (r.prior_close, self.config.rules.tier_2.contains(&r.symbol));
        let market = &mut self.markets[event.symbol.index()];
        let print = match event.body {
            RawBody::Trade { price, .. } if market.halted == 0 => Some(price),
            _ => None,
        };
        market.bands.note(event.time, print);
        if market.bands.reference.is_some() {
            let (lower, upper) = around(market.bands.reference, close, tier_2, late);
            market.book.set_bands(lower, upper);
        }
    }

    /// Sees whether an event begins or ends a limit state, or reopens trading.
    pub(super) fn bands_after(&mut self, event: &RawEvent) {
        if !self.config.rules.bands {
            return;
        }
        let market = &mut self.markets[event.symbol.index()];
        if let (true, RawBody::Trade { price, size }) = (market.bands.reopening.is_some(), event.body) {
            return self.reopening_print(event.symbol, price, size.0);
        }
        let (lower, upper) = market.book.bands();
        let (q, halted) = (market.book.quote(), market.halted != 0);
        let limit = upper.is_some() && (q.bid >= upper || (q.ask.is_some() && q.ask <= lower));
        if halted || !limit || !self.in_regular_hours() {
            self.markets[event.symbol.index()].bands.limit_since = None;
            return;
        }
        let market = &mut self.markets[event.symbol.index()];
        if market.bands.limit_since.is_none() {
            market.bands.limit_since = Some(self.now);
            let since = self.now;
            self.agenda.add(since + LIMIT_STATE, Task::LimitState { symbol: event.symbol, since });
        }
    }

    /// A limit state has lasted long enough: trading pauses, unless it ended in between.
    pub(super) fn pause(&mut self, symbol: SymbolId, since: SessionTime, out: &mut Vec<Outgoing>) {
        let market = &mut self.markets[symbol.index()];
        if market.bands.limit_since != Some(since) || market.halted != 0 {
            return;
        }
        market.bands.limit_since = None;
        self.halt(symbol, 2, out);
        self.agenda.add(self.now + PAUSE, Task::Reopen { symbol });
    }

    /// The pause is over: the next print reopens, or time does.
    pub(super) fn reopen(&mut self, symbol: SymbolId) {
        if self.markets[symbol.index()].halted != 2 {
            return;
        }
        let since = self.now;
        self.markets[symbol.index()].bands.reopening = Some(since);
        self.agenda.add(since + PAUSE, Task::ReopenAnyway { symbol, since });
    }

    /// No print came: trading resumes without, unless it did in between.
    pub(super) fn reopen_anyway(&mut self, symbol: SymbolId, since: SessionTime, out: &mut Vec<Outgoing>) {
        if self.markets[symbol.index()].bands.reopening == Some(since) {
            self.halt(symbol, 0, out);
        }
    }

    /// Serves what waits for the reopening, best price first, and lets trading go on.
    fn reopening_print(&mut self, symbol: SymbolId, price: Price, size: i64) {
        let now = self.now;
        self.markets[symbol.index()].bands.restart(price, now);
        for side in [Side::Buy, Side::Sell] {
            let mut left = size;
            let waits = self.orders.live().filter(|r| {
                let reaches = r.terms.limit.is_none_or(|l| if side == Side::Buy { l >= price } else { l <= price });
                r.symbol == symbol && r.side == side && r.status == Status::Submitted && !r.cancelling && reaches
            });
            let mut waiting: Vec<(i64, i64)> =
                waits.map(|r| (r.terms.limit.map_or(i64::MIN, |l| -side.sign() * l.0), r.perm)).collect();
            waiting.sort_unstable();
            for (_, perm) in waiting {
                let Some(r) = self.orders.get(perm) else { continue };
                let qty = r.workable().min(left);
                if qty < r.terms.least(r.workable()) || qty <= 0 {
                    continue;
                }
                left -= qty;
                self.markets[symbol.index()].book.remove(perm);
                self.filled(&Match { perm, price, qty, maker: false });
            }
        }
        self.agenda.add(now, Task::Halt { symbol, kind: 0 });
    }

    /// Looks at the index that the breakers go by.
    pub(super) fn look_at_index(&mut self, out: &mut Vec<Outgoing>) {
        let Some(index) = &self.config.rules.breakers else { return };
        self.agenda.add(self.now + BREAKER_PERIOD, Task::Breakers);
        if !self.in_regular_hours() {
            return;
        }
        let falls = self.references().iter().filter(|r| match index {
            BreakerIndex::Universe => true,
            BreakerIndex::Symbol(s) => r.symbol == *s,
        });
        let (sum, n) = falls.fold((0.0, 0.0), |(sum, n), r| {
            let (mark, close) = (self.mark(r.id), r.prior_close);
            if mark.is_some() && close.is_some() {
                (sum + 1.0 - mark.to_f64() / close.to_f64(), n + 1.0)
            } else {
                (sum, n)
            }
        });
        let fall = if n > 0.0 { sum / n * 100.0 } else { 0.0 };
        // What 7 % is in binary is a little above 7 %.
        let level = BREAKERS.iter().filter(|b| fall >= **b - 1e-9).count();
        if level <= self.breaker_level {
            return;
        }
        self.breaker_level = level;
        let day_over = level == BREAKERS.len();
        if !day_over && self.now >= self.source.hours().close - BREAKER_LATE {
            return;
        }
        let symbols: Vec<SymbolId> = self.references().iter().map(|r| r.id).collect();
        for symbol in symbols {
            self.halt(symbol, 1, out);
            if !day_over {
                self.agenda.add(self.now + BREAKER_HALT, Task::Halt { symbol, kind: 0 });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_by_price_tier_and_time() {
        let p = |dollars: f64| Price::from_f64(dollars);
        // (reference and close, tier 2, late, lower, upper); bands are rounded to whole cents.
        let table = [
            (100.0, false, false, 95.0, 105.0),
            (100.0, false, true, 90.0, 110.0),
            (100.0, true, false, 90.0, 110.0),
            (100.0, true, true, 90.0, 110.0),
            (2.0, true, false, 1.60, 2.40),
            (2.0, true, true, 1.20, 2.80),
            (0.5, true, false, 0.35, 0.65),
            (3.0, false, false, 2.40, 3.60),
            (3.01, false, false, 2.86, 3.16),
        ];
        for (reference, tier_2, late, lower, upper) in table {
            assert_eq!(around(p(reference), p(reference), tier_2, late), (p(lower), p(upper)), "{reference} {late}");
        }
    }

    #[test]
    fn the_reference_follows_the_mean_of_five_minutes_by_whole_percents() {
        let mut b = Bands::default();
        let at = |s: i64| SessionTime(s * SECOND);
        b.note(at(0), Some(Price(100_000_000)));
        b.note(at(10), Some(Price(100_500_000)));
        b.note(at(31), None);
        assert_eq!(b.reference, Price(100_000_000), "a mean within 1 % changes nothing");
        for s in 32..60 {
            b.note(at(s), Some(Price(104_000_000)));
        }
        assert_eq!(b.reference, Price(100_000_000), "nothing changes within 30 s");
        b.note(at(61), None);
        assert!(b.reference > Price(103_000_000), "{:?}", b.reference);
        b.note(at(700), None);
        assert!(b.grains.len() <= GRAINS);
    }
}
