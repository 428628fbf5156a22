//! Delayed data: what was published 15 minutes ago, for networks that the account has no real-time data of.
//!
//! Recorded: the notice 10167, tick types 66–76 and 88, their order in a snapshot. Assumed: before the session has lasted
//! as long as the delay, last prices come from the minutes of history and there is no quote.

use std::collections::VecDeque;

use super::core::{Core, answer};
use super::data::{Tick, kind, ticks};
use super::entitlement::Entitlement;
use super::sessions::Feed;
use crate::clock::{MINUTE, Nanos, SessionTime};
use crate::domain::{Price, Qty, SymbolId};
use crate::sim::api::{ConnId, Outgoing};
use crate::sim::market::{MarketSource, Reference, SampledUpdate};

/// How late it is.
const LATE: Nanos = 15 * MINUTE;

/// Updates on their way, and what each symbol shows now.
#[derive(Debug, Default)]
pub(super) struct Delay {
    waiting: VecDeque<SampledUpdate>,
    shown: Vec<Shown>,
}

/// One symbol as delayed data shows it.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    all: SampledUpdate,
    open: Price,
    high: Price,
    low: Price,
}

impl Shown {
    fn take(&mut self, u: &SampledUpdate) {
        let all = &mut self.all;
        all.bid = u.bid.or(all.bid);
        all.bid_size = u.bid_size.or(all.bid_size);
        all.ask = u.ask.or(all.ask);
        all.ask_size = u.ask_size.or(all.ask_size);
        all.last = u.last.or(all.last);
        all.last_size = u.last_size.or(all.last_size);
        all.volume = u.volume.or(all.volume);
        all.last_time = u.last_time.or(all.last_time);
        if let Some(last) = u.last {
            if !self.open.is_some() {
                (self.open, self.high, self.low) = (last, last, last);
            }
            self.high = self.high.max(last);
            self.low = self.low.min(last);
        }
    }
}

impl Delay {
    /// The delayed market at the start: today's minutes before the window are on their way.
    pub(super) fn new(source: &dyn MarketSource, delayed: impl Fn(&Reference) -> bool) -> Self {
        let mut waiting = Vec::new();
        for r in source.references().iter().filter(|r| delayed(r)) {
            let mut volume = Qty::ZERO;
            for bar in source.history(r.id).iter().filter(|b| b.start >= source.hours().open) {
                volume += bar.volume;
                let time = bar.start + MINUTE;
                let (last, last_size) = (Some(bar.close), Some(Qty(100)));
                let (volume, last_time) = (Some(volume), Some(time));
                let symbol = r.id;
                waiting.push(SampledUpdate {
                    time,
                    symbol,
                    last,
                    last_size,
                    volume,
                    last_time,
                    ..SampledUpdate::default()
                });
            }
        }
        waiting.sort_by_key(|u| (u.time, u.symbol));
        let shown = vec![Shown::default(); source.references().len()];
        Self { waiting: waiting.into(), shown }
    }

    pub(super) fn push(&mut self, update: SampledUpdate) {
        self.waiting.push_back(update);
    }

    /// When the next update becomes visible.
    pub(super) fn next_due(&self) -> Option<SessionTime> {
        self.waiting.front().map(|u| u.time + LATE)
    }
}

impl Core {
    /// What a listing network's data comes as.
    pub(super) fn entitlement(&self, symbol: SymbolId) -> Entitlement {
        self.config.entitlements.of(&self.reference(symbol).primary_exchange)
    }

    /// Shows the next update that has waited long enough.
    pub(super) fn show_delayed(&mut self, out: &mut Vec<Outgoing>) {
        let Some(update) = self.delay.waiting.pop_front() else { return };
        let Some(shown) = self.delay.shown.get_mut(update.symbol.index()) else { return };
        let before = (shown.high, shown.low);
        shown.take(&update);
        let watchers = self.sessions.watching(Feed::Delayed(update.symbol));
        if watchers.is_empty() {
            return;
        }
        let mut list = ticks(&update);
        list.extend((shown.high != before.0).then(|| Tick::price(kind::HIGH, shown.high, None)));
        list.extend((shown.low != before.1).then(|| Tick::price(kind::LOW, shown.low, None)));
        for (conn, req_id) in watchers {
            out.extend(list.iter().map(|t| Outgoing { conn: *conn, response: t.delayed().response(*req_id) }));
        }
    }

    /// Whether delayed data shows a quote or a print of a symbol yet.
    pub(super) fn shows_delayed(&self, symbol: SymbolId) -> bool {
        let shown = self.delay.shown.get(symbol.index());
        shown.is_some_and(|s| s.all.last.is_some() || s.all.bid.is_some() || s.all.ask.is_some())
    }

    /// All that delayed data shows of a symbol: the day's prices first, then the last print, then the quote.
    pub(super) fn delayed_snapshot(&self, conn: ConnId, req_id: i32, r: &Reference, out: &mut Vec<Outgoing>) {
        let Some(shown) = self.delay.shown.get(r.id.index()) else { return };
        let u = shown.all;
        let day =
            [(kind::HIGH, shown.high), (kind::LOW, shown.low), (kind::CLOSE, r.prior_close), (kind::OPEN, shown.open)];
        let mut list: Vec<Tick> =
            day.into_iter().filter(|(_, p)| p.is_some()).map(|(k, p)| Tick::price(k, p, None)).collect();
        // The volume stands behind high and low.
        let volume = SampledUpdate { volume: u.volume, ..SampledUpdate::default() };
        list.splice(list.len().min(2)..list.len().min(2), ticks(&volume));
        let print =
            SampledUpdate { last: u.last, last_size: u.last_size, last_time: u.last_time, ..SampledUpdate::default() };
        let quote = SampledUpdate {
            bid: u.bid,
            bid_size: u.bid_size,
            ask: u.ask,
            ask_size: u.ask_size,
            ..SampledUpdate::default()
        };
        list.extend(ticks(&print).into_iter().chain(ticks(&quote)));
        for t in list {
            answer(conn, t.delayed().response(req_id), out);
        }
    }
}
