//! Market-data lines: subscriptions and the ticks that they draw.

use super::contracts::find;
use super::core::{Core, answer};
use super::reports::error;
use crate::domain::{Price, Qty, SymbolId};
use crate::sim::api::{ConnId, Contract, Outgoing, Response};
use crate::sim::market::{Reference, SampledUpdate};

/// Tick types of real-time data.
mod tick {
    pub(super) const BID_SIZE: i32 = 0;
    pub(super) const BID: i32 = 1;
    pub(super) const ASK: i32 = 2;
    pub(super) const ASK_SIZE: i32 = 3;
    pub(super) const LAST: i32 = 4;
    pub(super) const HIGH: i32 = 6;
    pub(super) const LOW: i32 = 7;
    pub(super) const VOLUME: i32 = 8;
    pub(super) const CLOSE: i32 = 9;
    pub(super) const OPEN: i32 = 14;
    pub(super) const LAST_TIMESTAMP: i32 = 45;
}

/// The generic tick that asks for shortability.
const SHORTABLE_GENERIC: &str = "236";
/// The map of exchanges that tickReqParams names, as recorded.
const BBO_EXCHANGE: &str = "9c0001";

impl Core {
    /// reqMktData. Everything is entitled, so the data is real-time whatever type was asked for.
    pub(super) fn watch(
        &mut self,
        conn: ConnId,
        req_id: i32,
        contract: &Contract,
        generics: &str,
        snapshot: bool,
        out: &mut Vec<Outgoing>,
    ) {
        let Some(reference) = find(self.references(), contract).cloned() else {
            let text = "No security definition has been found for the request";
            return answer(conn, error(self.now, req_id, 200, text), out);
        };
        if self.sessions.get(conn).is_some_and(|c| c.lines.contains_key(&req_id)) {
            let text = "Error processing request.-'bS' : cause - Duplicate ticker ID for API socket connection.";
            return answer(conn, error(self.now, req_id, 322, text), out);
        }
        if !snapshot && self.sessions.lines_in_use() >= self.config.lines_max {
            return answer(conn, error(self.now, req_id, 101, "Max number of tickers has been reached"), out);
        }
        let params = Response::TickReqParams {
            req_id,
            min_tick: "0.01".into(),
            bbo_exchange: BBO_EXCHANGE.into(),
            snapshot_permissions: 3,
        };
        answer(conn, params, out);
        answer(conn, Response::MarketDataType { req_id, market_data_type: 1 }, out);
        if generics.split(',').any(|g| g.trim() == SHORTABLE_GENERIC) {
            self.shortability(conn, req_id, reference.id, out);
            self.borrow_lines.push((conn, req_id));
        }
        self.snapshot(conn, req_id, &reference, out);
        if snapshot {
            answer(conn, Response::TickSnapshotEnd { req_id }, out);
        } else {
            self.sessions.watch(conn, req_id, reference.id);
        }
    }

    pub(super) fn unwatch(&mut self, conn: ConnId, req_id: i32, out: &mut Vec<Outgoing>) {
        if !self.sessions.unwatch(conn, req_id) {
            let text = format!("Can't find EId with tickerId:{req_id}");
            answer(conn, error(self.now, req_id, 300, text), out);
        }
    }

    /// All that is known of a symbol, in the order recorded.
    fn snapshot(&mut self, conn: ConnId, req_id: i32, r: &Reference, out: &mut Vec<Outgoing>) {
        let update = self.sampler.snapshot(r.id, self.now);
        let m = &self.markets[r.id.index()];
        let mut ticks = ticks(&update);
        let day =
            [(tick::HIGH, m.day_high), (tick::LOW, m.day_low), (tick::CLOSE, r.prior_close), (tick::OPEN, m.day_open)];
        ticks.extend(day.into_iter().filter(|(_, p)| p.is_some()).map(|(kind, p)| Tick::price(kind, p, None)));
        for t in ticks {
            answer(conn, t.response(req_id), out);
        }
    }

    /// Sends an update to whoever watches the symbol.
    pub(super) fn publish(&mut self, update: &SampledUpdate, out: &mut Vec<Outgoing>) {
        let m = &mut self.markets[update.symbol.index()];
        let day_moved = (m.day_high, m.day_low) != (m.sent_high, m.sent_low);
        let (high, low) = (m.day_high, m.day_low);
        let (new_high, new_low) = (high != m.sent_high, low != m.sent_low);
        let first = !m.sent_high.is_some();
        (m.sent_high, m.sent_low) = (high, low);
        let open = m.day_open;
        let watchers = self.sessions.watchers(update.symbol);
        if watchers.is_empty() {
            return;
        }
        let mut list = ticks(update);
        if update.last.is_some() && day_moved {
            list.extend(new_high.then(|| Tick::price(tick::HIGH, high, None)));
            list.extend(new_low.then(|| Tick::price(tick::LOW, low, None)));
            list.extend((first && open.is_some()).then(|| Tick::price(tick::OPEN, open, None)));
        }
        for (conn, req_id) in watchers {
            out.extend(list.iter().map(|t| Outgoing { conn: *conn, response: t.response(*req_id) }));
        }
    }

    /// Which symbol a contract id names.
    pub(super) fn symbol_of(&self, con_id: i32) -> Option<SymbolId> {
        self.references().iter().find(|r| r.con_id.0 == con_id).map(|r| r.id)
    }
}

/// One tick before it has a request id.
#[derive(Clone, Debug)]
enum Tick {
    Price { kind: i32, price: f64, size: f64 },
    Size { kind: i32, size: f64 },
    Text { kind: i32, value: String },
}

impl Tick {
    /// A price tick; a missing price is IB's −1 (no quote on that side).
    fn price(kind: i32, price: Price, size: Option<Qty>) -> Self {
        let dollars = if price.is_some() { price.to_f64() } else { -1.0 };
        Self::Price { kind, price: dollars, size: size.map_or(0.0, |q| q.0 as f64) }
    }

    fn response(&self, req_id: i32) -> Response {
        match self {
            Self::Price { kind, price, size } => {
                Response::TickPrice { req_id, tick_type: *kind, price: *price, size: *size, attr_mask: 0 }
            }
            Self::Size { kind, size } => Response::TickSize { req_id, tick_type: *kind, size: *size },
            Self::Text { kind, value } => Response::TickString { req_id, tick_type: *kind, value: value.clone() },
        }
    }
}

/// The ticks of an update: a changed price carries its size, a changed size alone goes alone.
fn ticks(u: &SampledUpdate) -> Vec<Tick> {
    let mut list = Vec::with_capacity(6);
    let side = |list: &mut Vec<Tick>, price: Option<Price>, size: Option<Qty>, kinds: (i32, i32)| match (price, size) {
        (Some(p), s) => list.push(Tick::price(kinds.0, p, s)),
        (None, Some(s)) => list.push(Tick::Size { kind: kinds.1, size: s.0 as f64 }),
        (None, None) => {}
    };
    side(&mut list, u.bid, u.bid_size, (tick::BID, tick::BID_SIZE));
    side(&mut list, u.ask, u.ask_size, (tick::ASK, tick::ASK_SIZE));
    if let Some(last) = u.last {
        list.push(Tick::price(tick::LAST, last, u.last_size));
    }
    if let Some(t) = u.last_time {
        list.push(Tick::Text { kind: tick::LAST_TIMESTAMP, value: t.secs().to_string() });
    }
    if let Some(volume) = u.volume {
        list.push(Tick::Size { kind: tick::VOLUME, size: volume.0 as f64 / 100.0 });
    }
    list
}
