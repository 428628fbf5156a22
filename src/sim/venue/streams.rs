//! Streams of raw events: tick by tick and market depth here, five-second bars and bars kept up to date in `five_seconds`.
//! Lines of these are few.
//!
//! Recorded: 10189 for `Last` and 10089 for the other kinds of tick-by-tick data without entitlement, 10092 for depth. Documented: 10190, 309 at three subscriptions, 317. Assumed: tick-by-tick lines are 5 % of
//! the market-data lines, at least three; prints off the tick grid (average-price and midpoint prints) are in `AllLast`
//! only; prints carry the listing exchange; cancelling what
//! is not there draws 300, of depth 310.

use std::collections::BTreeMap;

use super::contracts::{Instrument, tick_at};
use super::core::{Core, answer};
use super::depth::{Depth, Naming};
use super::entitlement::Entitlement;
use super::five_seconds::Bars;
use super::history::{Ask, Show};
use super::reports::error;
use super::tape::mid;
use crate::clock::{SECOND, SessionTime};
use crate::domain::{Price, Qty, SymbolId};
use crate::sim::api::{
    BidAskTick, ByTick, ConnId, Contract, DepthExchange, HistoricalBar, LastTick, MidTick, Outgoing, Response, Stream,
    StreamRequest, StreamResponse,
};
use crate::sim::market::{Quote, RawBody};

/// Depth subscriptions, all clients together.
const DEPTH_MAX: usize = 3;
/// What no network without entitlement gives.
pub(super) const NO_SUBSCRIPTION: &str = "Requested market data requires additional subscription for API. See link in 'Market Data \
                               Connections' dialog for more details.";

/// A kind of tick-by-tick data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ticks {
    Last,
    AllLast,
    BidAsk,
    MidPoint,
}

/// What a subscription streams.
#[derive(Clone, Debug)]
pub(super) enum What {
    ByTick {
        ticks: Ticks,
        ignore_size: bool,
        last: Quote,
    },
    Depth(Depth),
    Bars(Bars),
    /// A history request that is kept up to date, the bar that was last told, and when the request is answered.
    UpToDate {
        ask: Ask,
        sent: HistoricalBar,
        ready: SessionTime,
    },
}

/// One subscription.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) instrument: Instrument,
    pub(super) what: What,
}

/// All subscriptions, by connection and request id.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams {
    all: BTreeMap<(ConnId, i32), Subscription>,
    by_instrument: BTreeMap<Instrument, Vec<(ConnId, i32)>>,
}

impl Streams {
    pub(super) fn add(&mut self, conn: ConnId, req_id: i32, instrument: Instrument, what: What) {
        self.all.insert((conn, req_id), Subscription { instrument, what });
        self.by_instrument.entry(instrument).or_default().push((conn, req_id));
    }

    /// Ends those that `gone` picks; whether there was one.
    pub(super) fn end(&mut self, gone: impl Fn(ConnId, i32, &What) -> bool) -> bool {
        let before = self.all.len();
        self.all.retain(|(conn, req_id), s| !gone(*conn, *req_id, &s.what));
        let all = &self.all;
        self.by_instrument.retain(|_, keys| {
            keys.retain(|k| all.contains_key(k));
            !keys.is_empty()
        });
        self.all.len() < before
    }

    pub(super) fn contains(&self, conn: ConnId, req_id: i32) -> bool {
        self.all.contains_key(&(conn, req_id))
    }

    pub(super) fn count(&self, which: impl Fn(&What) -> bool) -> usize {
        self.all.values().filter(|s| which(&s.what)).count()
    }

    /// Instruments that someone streams.
    pub(super) fn instruments(&self) -> impl Iterator<Item = Instrument> {
        self.by_instrument.keys().copied()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (ConnId, i32, &mut Subscription)> {
        self.all.iter_mut().map(|((conn, req_id), s)| (*conn, *req_id, s))
    }

    /// A raw event of an instrument goes to whoever streams it.
    pub(super) fn event(
        &mut self,
        instrument: Instrument,
        time: SessionTime,
        body: &RawBody,
        exchange: &str,
        out: &mut Vec<Outgoing>,
    ) {
        if self.by_instrument.is_empty() {
            return;
        }
        let Some(keys) = self.by_instrument.get(&instrument) else { return };
        for (conn, req_id) in keys {
            let Some(s) = self.all.get_mut(&(*conn, *req_id)) else { continue };
            let mut send = |r| answer(*conn, Response::Stream(r), out);
            match (&mut s.what, instrument) {
                (What::ByTick { ticks, ignore_size, last }, _) => {
                    if let Some(tick) = by_tick(*ticks, *ignore_size, last, time, body, exchange) {
                        send(StreamResponse::TickByTick { req_id: *req_id, tick });
                    }
                }
                (What::Depth(depth), Instrument::Stock(symbol)) => {
                    if let RawBody::Quote(q) = body {
                        tell_depth(depth, *req_id, symbol, *q, &mut send);
                    }
                }
                (What::Bars(bars), _) => {
                    bars.roll(*req_id, time, &mut send);
                    bars.take(body);
                }
                _ => {}
            }
        }
    }
}

fn tell_depth(depth: &mut Depth, req_id: i32, symbol: SymbolId, q: Quote, send: &mut impl FnMut(StreamResponse)) {
    let plain = depth.naming == Naming::Plain;
    for row in depth.follow(symbol, q) {
        send(if plain { StreamResponse::Depth { req_id, row } } else { StreamResponse::DepthL2 { req_id, row } });
    }
}

/// The tick that an event is to a subscription, if any.
fn by_tick(
    ticks: Ticks,
    ignore_size: bool,
    last: &mut Quote,
    time: SessionTime,
    body: &RawBody,
    exchange: &str,
) -> Option<ByTick> {
    match (ticks, body) {
        (Ticks::Last | Ticks::AllLast, RawBody::Trade { price, size }) if size.0 > 0 => {
            let tick = last_tick(time, *price, *size, exchange);
            let on_grid = *price == price.floor_to(tick_at(*price));
            match ticks {
                Ticks::Last if on_grid => Some(ByTick::Last(tick)),
                Ticks::AllLast => Some(ByTick::AllLast(tick)),
                _ => None,
            }
        }
        (Ticks::BidAsk, RawBody::Quote(q)) => {
            let old = std::mem::replace(last, *q);
            let same = if ignore_size { (old.bid, old.ask) == (q.bid, q.ask) } else { old == *q };
            (!same).then(|| ByTick::BidAsk(bid_ask_tick(time, *q)))
        }
        (Ticks::MidPoint, RawBody::Quote(q)) => {
            let old = mid(std::mem::replace(last, *q));
            mid(*q).filter(|m| Some(*m) != old).map(|m| ByTick::MidPoint(mid_tick(time, m)))
        }
        _ => None,
    }
}

pub(super) fn last_tick(time: SessionTime, price: Price, size: Qty, exchange: &str) -> LastTick {
    LastTick {
        time: time.floor_to(SECOND),
        price: price.to_f64(),
        size: size.0 as f64,
        exchange: exchange.into(),
        ..LastTick::default()
    }
}

pub(super) fn bid_ask_tick(time: SessionTime, q: Quote) -> BidAskTick {
    let side = |p: Price, s: Qty| if p.is_some() { (p.to_f64(), s.0 as f64) } else { (0.0, 0.0) };
    let ((bid, bid_size), (ask, ask_size)) = (side(q.bid, q.bid_size), side(q.ask, q.ask_size));
    BidAskTick { time: time.floor_to(SECOND), bid, ask, bid_size, ask_size, ..BidAskTick::default() }
}

pub(super) fn mid_tick(time: SessionTime, price: Price) -> MidTick {
    MidTick { time: time.floor_to(SECOND), price: price.to_f64(), size: 0.0 }
}

impl Core {
    pub(super) fn stream_request(&mut self, conn: ConnId, request: StreamRequest, out: &mut Vec<Outgoing>) {
        let refused = match request {
            StreamRequest::TickByTick { req_id, contract, kind, number_of_ticks, ignore_size } => {
                let ask = (kind.as_str(), number_of_ticks, ignore_size);
                self.tick_by_tick(conn, req_id, &contract, ask, out).map_err(|e| (req_id, e))
            }
            StreamRequest::Depth { req_id, contract, rows, smart } => {
                self.market_depth(conn, req_id, &contract, (rows, smart), out).map_err(|e| (req_id, e))
            }
            StreamRequest::DepthExchanges => {
                let exchanges = depth_exchanges();
                answer(conn, Response::Stream(StreamResponse::DepthExchanges { exchanges }), out);
                Ok(())
            }
            StreamRequest::RealTimeBars { req_id, contract, bar_size_s: _, what_to_show, use_rth } => {
                self.real_time_bars(conn, req_id, &contract, (&what_to_show, use_rth)).map_err(|e| (req_id, e))
            }
            StreamRequest::Cancel { req_id, stream } => {
                self.cancel_stream(conn, req_id, stream, out);
                Ok(())
            }
            past => {
                self.past_request(conn, past);
                Ok(())
            }
        };
        if let Err((req_id, (code, text))) = refused {
            answer(conn, error(self.now, req_id, code, text), out);
        }
    }

    /// What a stream's contract is, and whether its network is live.
    pub(super) fn streamed(
        &self,
        conn: ConnId,
        req_id: i32,
        contract: &Contract,
    ) -> Result<(Instrument, bool), (i32, String)> {
        let no_security = || (200, "No security definition has been found for the request".to_string());
        let instrument = self.instrument(contract).ok_or_else(no_security)?;
        if self.sessions.streams.contains(conn, req_id) {
            return Err((
                322,
                "Error processing request.-'bS' : cause - Duplicate ticker ID for API socket connection.".into(),
            ));
        }
        let live = match instrument {
            Instrument::Stock(symbol) => self.entitlement(symbol) == Entitlement::Live,
            Instrument::Quoted(_) => true,
        };
        Ok((instrument, live))
    }

    fn tick_by_tick(
        &mut self,
        conn: ConnId,
        req_id: i32,
        contract: &Contract,
        (kind, number, ignore_size): (&str, i32, bool),
        out: &mut Vec<Outgoing>,
    ) -> Result<(), (i32, String)> {
        let (instrument, live) = self.streamed(conn, req_id, contract)?;
        let ticks = match kind {
            "Last" => Ticks::Last,
            "AllLast" => Ticks::AllLast,
            "BidAsk" => Ticks::BidAsk,
            "MidPoint" => Ticks::MidPoint,
            _ => {
                return Err((
                    321,
                    format!("Error validating request.-'cc' : cause - Invalid tick-by-tick type {kind}"),
                ));
            }
        };
        if !live && ticks == Ticks::Last {
            let place = self.permission_name(instrument);
            let text = format!(
                "Failed to request tick-by-tick data.No market data permissions for {place}. {NO_SUBSCRIPTION}"
            );
            return Err((10_189, text));
        }
        if !live {
            return Err((10_089, NO_SUBSCRIPTION.into()));
        }
        let most = (self.config.lines_max / 20).max(3);
        if self.sessions.streams.count(|w| matches!(w, What::ByTick { .. })) >= most {
            return Err((10_190, "Max number of tick-by-tick requests has been reached".into()));
        }
        if number > 0 {
            let kind = match ticks {
                Ticks::Last | Ticks::AllLast => Show::Trades,
                Ticks::BidAsk => Show::BidAsk,
                Ticks::MidPoint => Show::Mid,
            };
            let past = self.past_ticks(req_id, instrument, kind, (None, Some(self.now)), number, ignore_size);
            answer(conn, Response::Stream(past), out);
        }
        let last = match instrument {
            Instrument::Stock(symbol) => self.markets[symbol.index()].book.quote(),
            Instrument::Quoted(_) => Quote::default(),
        };
        // The standing quote is the first tick of a stream of quotes.
        let first = by_tick(ticks, false, &mut Quote::default(), self.now, &RawBody::Quote(last), "");
        if let Some(tick) = first.filter(|_| last != Quote::default()) {
            answer(conn, Response::Stream(StreamResponse::TickByTick { req_id, tick }), out);
        }
        self.sessions.streams.add(conn, req_id, instrument, What::ByTick { ticks, ignore_size, last });
        self.start_quoted();
        Ok(())
    }

    fn market_depth(
        &mut self,
        conn: ConnId,
        req_id: i32,
        contract: &Contract,
        (rows, smart): (i32, bool),
        out: &mut Vec<Outgoing>,
    ) -> Result<(), (i32, String)> {
        let (instrument, live) = self.streamed(conn, req_id, contract)?;
        let naming = match contract.exchange.as_str() {
            "SMART" | "" if smart => Some(Naming::Smart),
            "NASDAQ" | "ISLAND" if !smart => Some(Naming::Makers),
            "NYSE" | "ARCA" | "BATS" | "IEX" if !smart => Some(Naming::Plain),
            _ => None,
        };
        let (Instrument::Stock(symbol), true, Some(naming)) = (instrument, live, naming) else {
            let text = "Deep market data is not supported for this combination of security type/exchange";
            return Err((10_092, text.into()));
        };
        if self.sessions.streams.count(|w| matches!(w, What::Depth(_))) >= DEPTH_MAX {
            return Err((309, format!("Max number ({DEPTH_MAX}) of market depth requests has been reached")));
        }
        let mut depth = Depth::new(naming, rows);
        let quote = self.markets[symbol.index()].book.quote();
        tell_depth(&mut depth, req_id, symbol, quote, &mut |r| answer(conn, Response::Stream(r), out));
        self.sessions.streams.add(conn, req_id, instrument, What::Depth(depth));
        Ok(())
    }

    fn cancel_stream(&mut self, conn: ConnId, req_id: i32, stream: Stream, out: &mut Vec<Outgoing>) {
        let is = |w: &What| match stream {
            Stream::TickByTick => matches!(w, What::ByTick { .. }),
            Stream::Depth => matches!(w, What::Depth(_)),
            Stream::RealTimeBars => matches!(w, What::Bars(_)),
            // Answered whole: there is nothing left to cancel.
            Stream::HistoricalTicks | Stream::HeadTimestamp | Stream::Histogram => false,
        };
        let ended = self.sessions.streams.end(|c, id, what| c == conn && id == req_id && is(what));
        let (code, text) = match stream {
            Stream::Depth => (310, format!("Can't find the subscribed market depth with tickerId:{req_id}")),
            Stream::TickByTick | Stream::RealTimeBars => (300, format!("Can't find EId with tickerId:{req_id}")),
            _ => return,
        };
        if !ended {
            answer(conn, error(self.now, req_id, code, text), out);
        }
    }

    /// `ISLAND STK`: what a refusal says is not permitted.
    pub(super) fn permission_name(&self, instrument: Instrument) -> String {
        match instrument {
            Instrument::Stock(symbol) => {
                let listed = self.reference(symbol).primary_exchange.as_str();
                format!("{} STK", if listed == "NASDAQ" { "ISLAND" } else { listed })
            }
            Instrument::Quoted(_) => String::new(),
        }
    }

    /// After a halt the book starts anew.
    pub(super) fn reset_depth(&mut self, symbol: SymbolId, out: &mut Vec<Outgoing>) {
        let quote = self.markets[symbol.index()].book.quote();
        let now = self.now;
        for (conn, req_id, s) in self.sessions.streams.iter_mut() {
            let What::Depth(depth) = &mut s.what else { continue };
            if s.instrument != Instrument::Stock(symbol) {
                continue;
            }
            let text =
                "Market depth data has been RESET. Please empty deep book contents before applying any new entries.";
            answer(conn, error(now, req_id, 317, text), out);
            depth.reset();
            tell_depth(depth, req_id, symbol, quote, &mut |r| answer(conn, Response::Stream(r), out));
        }
    }
}

/// Exchanges with depth of US stocks, as this gateway offers it.
fn depth_exchanges() -> Vec<DepthExchange> {
    let one = |(exchange, service): (&str, &str)| DepthExchange {
        exchange: exchange.into(),
        sec_type: "STK".into(),
        listing_exchange: String::new(),
        service: service.into(),
        agg_group: i32::MAX,
    };
    [("NASDAQ", "Deep2"), ("ISLAND", "Deep2"), ("NYSE", "Deep"), ("ARCA", "Deep"), ("BATS", "Deep"), ("IEX", "Deep")]
        .map(one)
        .to_vec()
}
