//! Market-data lines: subscriptions and the ticks that they draw.
//!
//! Recorded: the order of a line's first messages, 10167; documented: 101, 10089, 354, 321 on generic ticks that IB does
//! not know and on those of a snapshot, RTVolume (48). Generic ticks that this gateway has no data for are taken and draw
//! nothing. Assumed: the exchanges of a partial entitlement quote one tick worse on either side; RTVolume counts the day in hundreds, as tick 8 does; a regulatory snapshot is a snapshot.

use super::contracts::{Instrument, routed, tick_at};
use super::core::{Core, answer};
use super::entitlement::Entitlement;
use super::history::Refused;
use super::lookups::{CONSOLIDATED, UNCONSOLIDATED};
use super::reports::error;
use super::sessions::Feed;
use crate::clock::{MILLISECOND, SessionTime};
use crate::domain::{Price, Qty, SymbolId};
use crate::sim::api::{ConnId, Contract, Outgoing, Response};
use crate::sim::market::quoted::QUOTED;
use crate::sim::market::{Reference, SampledUpdate};

/// Tick types of real-time data.
pub(super) mod kind {
    pub(in crate::sim::venue) const BID_SIZE: i32 = 0;
    pub(in crate::sim::venue) const BID: i32 = 1;
    pub(in crate::sim::venue) const ASK: i32 = 2;
    pub(in crate::sim::venue) const ASK_SIZE: i32 = 3;
    pub(in crate::sim::venue) const LAST: i32 = 4;
    pub(in crate::sim::venue) const LAST_SIZE: i32 = 5;
    pub(in crate::sim::venue) const HIGH: i32 = 6;
    pub(in crate::sim::venue) const LOW: i32 = 7;
    pub(in crate::sim::venue) const VOLUME: i32 = 8;
    pub(in crate::sim::venue) const CLOSE: i32 = 9;
    pub(in crate::sim::venue) const OPEN: i32 = 14;
    pub(in crate::sim::venue) const LAST_TIMESTAMP: i32 = 45;
    pub(in crate::sim::venue) const RT_VOLUME: i32 = 48;

    /// The delayed counterpart of a tick type.
    pub(in crate::sim::venue) const fn delayed(kind: i32) -> i32 {
        match kind {
            BID => 66,
            ASK => 67,
            LAST => 68,
            BID_SIZE => 69,
            ASK_SIZE => 70,
            LAST_SIZE => 71,
            HIGH => 72,
            LOW => 73,
            VOLUME => 74,
            CLOSE => 75,
            OPEN => 76,
            LAST_TIMESTAMP => 88,
            other => other,
        }
    }
}

/// The generic tick that asks for shortability.
const SHORTABLE_GENERIC: &str = "236";
/// The generic tick that asks for RTVolume.
const RT_VOLUME_GENERIC: &str = "233";
/// Generic ticks that IB knows for stocks.
const GENERICS: [&str; 30] = [
    "100", "101", "104", "105", "106", "162", "165", "221", "225", "232", "233", "236", "256", "258", "292", "293",
    "294", "295", "318", "375", "411", "456", "460", "576", "577", "578", "586", "588", "595", "623",
];
/// The refusal of what needs a subscription.
const ADDITIONAL: &str = "Requested market data requires additional subscription for API. See link in 'Market Data \
                          Connections' dialog for more details.";
/// The refusal where not even delayed data is offered.
const NOT_SUBSCRIBED: &str = "Requested market data is not subscribed.Check API status by selecting the Account menu then \
                              under Management choose Market Data Subscription Manager and/or availability of delayed \
                              data.";

/// A request for market data without its connection.
pub(super) struct Watch<'a> {
    pub(super) req_id: i32,
    pub(super) contract: &'a Contract,
    pub(super) generics: &'a str,
    pub(super) snapshot: bool,
}

impl Core {
    /// reqMktData.
    pub(super) fn watch(&mut self, conn: ConnId, ask: &Watch<'_>, out: &mut Vec<Outgoing>) {
        match self.feed_of(conn, ask) {
            Ok((feed, note)) => self.open_line(conn, ask, feed, note, out),
            Err((code, text)) => {
                // Recorded: what is only offered late is described before it is refused.
                if let (10_089, Some(Instrument::Stock(symbol))) = (code, self.instrument(ask.contract)) {
                    answer(conn, self.line_parameters(ask.req_id, Feed::Delayed(symbol)), out);
                    if let Some(c) = self.sessions.get_mut(conn) {
                        c.refused_live.insert(symbol);
                    }
                }
                answer(conn, error(self.now, ask.req_id, code, text), out);
            }
        }
    }

    /// Where a request's ticks come from, and whether it must be told that they are delayed.
    fn feed_of(&self, conn: ConnId, ask: &Watch<'_>) -> Result<(Feed, bool), Refused> {
        let no_security = || (200, "No security definition has been found for the request".to_string());
        let instrument = self.instrument(ask.contract).ok_or_else(no_security)?;
        let session = self.sessions.get(conn);
        if session.is_some_and(|c| c.lines.contains_key(&ask.req_id)) {
            let text = "Error processing request.-'bS' : cause - Duplicate ticker ID for API socket connection.";
            return Err((322, text.into()));
        }
        check_generics(ask.generics, ask.snapshot)?;
        let wants_delayed = session.is_some_and(|c| c.data_type >= 3);
        let (feed, note) = match instrument {
            Instrument::Quoted(i) => (Feed::Quoted(i), false),
            Instrument::Stock(symbol) => match self.entitlement(symbol) {
                Entitlement::Live | Entitlement::Partial => (Feed::Live(symbol), false),
                Entitlement::Delayed if wants_delayed => (Feed::Delayed(symbol), true),
                Entitlement::Delayed => {
                    let r = self.reference(symbol);
                    let text =
                        format!("{ADDITIONAL}Delayed market data is available.{} {}/TOP/ALL", r.symbol, routed(r));
                    return Err((10_089, text));
                }
                Entitlement::None => return Err((354, NOT_SUBSCRIBED.into())),
            },
        };
        if !ask.snapshot && self.sessions.lines_in_use() >= self.config.lines_max {
            return Err((101, "Max number of tickers has been reached".into()));
        }
        Ok((feed, note))
    }

    fn open_line(&mut self, conn: ConnId, ask: &Watch<'_>, feed: Feed, note: bool, out: &mut Vec<Outgoing>) {
        let Watch { req_id, generics, snapshot, .. } = *ask;
        let delayed = matches!(feed, Feed::Delayed(_));
        let asked = self.sessions.get(conn).map_or(1, |c| c.data_type);
        // Frozen data is what stood at the close; in hours there is none.
        let frozen = self.now >= self.source.hours().close && (asked == 2 || asked == 4);
        let market_data_type = 1 + i32::from(frozen) + 2 * i32::from(delayed);
        // Recorded: who was refused real-time data of it is not told again that it is late.
        let told =
            matches!(feed, Feed::Delayed(s) if self.sessions.get(conn).is_some_and(|c| c.refused_live.contains(&s)));
        let mut opening = [self.line_parameters(req_id, feed), Response::MarketDataType { req_id, market_data_type }];
        if let (Feed::Delayed(symbol), true) = (feed, snapshot)
            && !self.shows_delayed(symbol)
        {
            // Recorded: a snapshot of nothing is described and ended, no more.
            let [parameters, _] = opening;
            answer(conn, parameters, out);
            return answer(conn, Response::TickSnapshotEnd { req_id }, out);
        }
        if told {
            opening.reverse();
        }
        for response in opening {
            answer(conn, response, out);
        }
        if note && !told {
            let text = "Requested market data is not subscribed. Displaying delayed market data.";
            answer(conn, error(self.now, req_id, 10_167, text), out);
        }
        let asks = |generic: &str| generics.split(',').any(|g| g.trim() == generic);
        match feed {
            Feed::Live(symbol) | Feed::Delayed(symbol) => {
                let reference = self.reference(symbol).clone();
                if asks(SHORTABLE_GENERIC) {
                    self.shortability(conn, req_id, symbol, out);
                    self.borrow_lines.push((conn, req_id));
                }
                if delayed {
                    self.delayed_snapshot(conn, req_id, &reference, out);
                } else {
                    self.snapshot(conn, req_id, &reference, out);
                }
            }
            Feed::Quoted(i) => self.quoted_snapshot(conn, req_id, i, out),
        }
        if snapshot {
            answer(conn, Response::TickSnapshotEnd { req_id }, out);
            return;
        }
        self.sessions.watch(conn, req_id, feed, asks(RT_VOLUME_GENERIC));
        self.start_quoted();
    }

    fn line_parameters(&self, req_id: i32, feed: Feed) -> Response {
        let (min_tick, map, snapshot_permissions) = match feed {
            Feed::Live(symbol) if self.entitlement(symbol) == Entitlement::Partial => {
                ("0.01".into(), UNCONSOLIDATED, 3)
            }
            Feed::Live(_) => ("0.01".into(), CONSOLIDATED, 3),
            // Recorded of delayed data.
            Feed::Delayed(_) => ("0.01".into(), CONSOLIDATED, 4),
            Feed::Quoted(i) => (QUOTED[i].tick.to_f64().to_string(), "", 0),
        };
        Response::TickReqParams { req_id, min_tick, bbo_exchange: map.into(), snapshot_permissions }
    }

    /// reqMarketDataType; a running line stays as it is (recorded).
    pub(super) fn market_data_type(&mut self, conn: ConnId, asked: i32, out: &mut Vec<Outgoing>) {
        if !(1..=4).contains(&asked) {
            let text = format!("Error validating request.-'bO' : cause - Invalid market data type {asked}");
            return answer(conn, error(self.now, -1, 321, text), out);
        }
        if let Some(c) = self.sessions.get_mut(conn) {
            c.data_type = asked;
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
        let mut ticks = ticks(&self.seen(&update));
        let day =
            [(kind::HIGH, m.day_high), (kind::LOW, m.day_low), (kind::CLOSE, r.prior_close), (kind::OPEN, m.day_open)];
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
        let mut list = ticks(&self.seen(update));
        if update.last.is_some() && day_moved {
            list.extend(new_high.then(|| Tick::price(kind::HIGH, high, None)));
            list.extend(new_low.then(|| Tick::price(kind::LOW, low, None)));
            list.extend((first && open.is_some()).then(|| Tick::price(kind::OPEN, open, None)));
        }
        for (conn, req_id) in watchers {
            out.extend(list.iter().map(|t| Outgoing { conn: *conn, response: t.response(*req_id) }));
            // Formatted only for those who ask: most lines do not.
            if self.sessions.wants_rt_volume(*conn, *req_id) {
                let tick = rt_volume(update, self.sampler.mean_price(update.symbol));
                out.extend(tick.map(|t| Outgoing { conn: *conn, response: t.response(*req_id) }));
            }
        }
    }

    /// An update as the account's exchanges show it: those of a partial entitlement quote a tick worse on either side.
    fn seen(&self, u: &SampledUpdate) -> SampledUpdate {
        if self.entitlement(u.symbol) != Entitlement::Partial {
            return *u;
        }
        let bid = u.bid.map(|p| if p.is_some() { Price(p.0 - tick_at(p).0) } else { p });
        let ask = u.ask.map(|p| if p.is_some() { Price(p.0 + tick_at(p).0) } else { p });
        SampledUpdate { bid, ask, ..*u }
    }

    /// Which symbol a contract id names.
    pub(super) fn symbol_of(&self, con_id: i32) -> Option<SymbolId> {
        self.references().iter().find(|r| r.con_id.0 == con_id).map(|r| r.id)
    }
}

/// One tick before it has a request id.
#[derive(Clone, Debug)]
pub(super) enum Tick {
    Price { kind: i32, price: f64, size: f64 },
    Size { kind: i32, size: f64 },
    Text { kind: i32, value: String },
}

impl Tick {
    /// A price tick; a missing price is IB's −1 (no quote on that side).
    pub(super) fn price(kind: i32, price: Price, size: Option<Qty>) -> Self {
        let dollars = if price.is_some() { price.to_f64() } else { -1.0 };
        Self::Price { kind, price: dollars, size: size.map_or(0.0, |q| q.0 as f64) }
    }

    /// The same of delayed data.
    pub(super) fn delayed(&self) -> Self {
        let mut tick = self.clone();
        match &mut tick {
            Self::Price { kind, .. } | Self::Size { kind, .. } | Self::Text { kind, .. } => {
                *kind = kind::delayed(*kind)
            }
        }
        tick
    }

    pub(super) fn response(&self, req_id: i32) -> Response {
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
pub(super) fn ticks(u: &SampledUpdate) -> Vec<Tick> {
    let mut list = Vec::with_capacity(6);
    let side = |list: &mut Vec<Tick>, price: Option<Price>, size: Option<Qty>, kinds: (i32, i32)| match (price, size) {
        (Some(p), s) => list.push(Tick::price(kinds.0, p, s)),
        (None, Some(s)) => list.push(Tick::Size { kind: kinds.1, size: s.0 as f64 }),
        (None, None) => {}
    };
    side(&mut list, u.bid, u.bid_size, (kind::BID, kind::BID_SIZE));
    side(&mut list, u.ask, u.ask_size, (kind::ASK, kind::ASK_SIZE));
    if let Some(last) = u.last {
        list.push(Tick::price(kind::LAST, last, u.last_size));
    }
    if let Some(t) = u.last_time {
        list.push(Tick::Text { kind: kind::LAST_TIMESTAMP, value: t.secs().to_string() });
    }
    if let Some(volume) = u.volume {
        list.push(Tick::Size { kind: kind::VOLUME, size: volume.0 as f64 / 100.0 });
    }
    list
}

/// The RTVolume text of an update with a print: price; shares; milliseconds; the day's volume; its mean price; whether
/// it was a single print.
fn rt_volume(u: &SampledUpdate, mean: Price) -> Option<Tick> {
    let (last, size, volume) = (u.last?, u.last_size?, u.volume?);
    let ms = u.last_time.unwrap_or(SessionTime(0)).0 / MILLISECOND;
    let (volume, mean, single) = (volume.0 as f64 / 100.0, mean.to_f64(), u.prints == 1);
    let value = format!("{:.2};{};{ms};{volume};{mean:.8};{single}", last.to_f64(), size.0);
    Some(Tick::Text { kind: kind::RT_VOLUME, value })
}

fn check_generics(generics: &str, snapshot: bool) -> Result<(), Refused> {
    let refused = |cause: String| Err((321, format!("Error validating request.-'cn' : cause - {cause}")));
    if generics.trim().is_empty() {
        return Ok(());
    }
    if snapshot {
        return refused("Snapshot market data subscription is not applicable to generic ticks".into());
    }
    // `mdoff` leaves out what is not asked for, and news carry their provider.
    let known = |g: &str| GENERICS.contains(&g) || g == "mdoff" || g.starts_with("292:");
    if generics.split(',').map(str::trim).all(|g| g.is_empty() || known(g)) {
        return Ok(());
    }
    refused(format!("Incorrect generic tick list of {generics}.  Legal ones for (STK) are: {}", GENERICS.join(",")))
}
