//! Streams and history beyond bars in protobuf, the client's side: requests out, answers in.

use super::responses::{bar_from, only_id_or};
use crate::clock::SessionTime;
use crate::sim::api::{
    BidAskTick, ByTick, DepthExchange, DepthRow, HistoricalBar, LastTick, MidTick, Stream, StreamRequest,
    StreamResponse, TradingSession,
};
use crate::sim::wire::codec::DecodeError;
use crate::sim::wire::codec::convert::{client_contract, flag, nonzero, number, text};
use crate::sim::wire::codec::requests::read;
use crate::sim::wire::codec::responses::{put, put_empty, put_id};
use crate::sim::wire::framing::FrameError;
use crate::sim::wire::messages::{request_id, response_id as id, stream};

/// Appends the frame of `request`.
pub(super) fn encode(request: StreamRequest, out: &mut Vec<u8>) -> Result<(), FrameError> {
    use request_id as id;
    match request {
        StreamRequest::TickByTick { req_id, contract, kind, number_of_ticks, ignore_size } => {
            let m = stream::TickByTickRequest {
                req_id: Some(req_id),
                contract: client_contract(contract),
                kind: text(kind),
                number_of_ticks: nonzero(number_of_ticks),
                ignore_size: flag(ignore_size),
            };
            put(out, id::TICK_BY_TICK, &m)
        }
        StreamRequest::Depth { req_id, contract, rows, smart } => {
            let m = stream::MarketDepthRequest {
                req_id: Some(req_id),
                contract: client_contract(contract),
                rows: Some(rows),
                smart: flag(smart),
            };
            put(out, id::MARKET_DEPTH, &m)
        }
        StreamRequest::DepthExchanges => put_empty(out, id::MARKET_DEPTH_EXCHANGES),
        StreamRequest::RealTimeBars { req_id, contract, bar_size_s, what_to_show, use_rth } => {
            let m = stream::RealTimeBarsRequest {
                req_id: Some(req_id),
                contract: client_contract(contract),
                bar_size_s: Some(bar_size_s),
                what_to_show: text(what_to_show),
                use_rth: flag(use_rth),
            };
            put(out, id::REAL_TIME_BARS, &m)
        }
        StreamRequest::Cancel { req_id, stream } => put_id(out, cancel_id(stream), req_id),
        past => history(past, out),
    }
}

fn history(request: StreamRequest, out: &mut Vec<u8>) -> Result<(), FrameError> {
    use request_id as id;
    match request {
        StreamRequest::HistoricalTicks {
            req_id,
            contract,
            start,
            end,
            number_of_ticks,
            what_to_show,
            use_rth,
            ignore_size,
        } => {
            let m = stream::HistoricalTicksRequest {
                req_id: Some(req_id),
                contract: client_contract(contract),
                start: text(start),
                end: text(end),
                number_of_ticks: Some(number_of_ticks),
                what_to_show: text(what_to_show),
                use_rth: flag(use_rth),
                ignore_size: flag(ignore_size),
            };
            put(out, id::HISTORICAL_TICKS, &m)
        }
        StreamRequest::HeadTimestamp { req_id, contract, what_to_show, use_rth, format_date } => {
            let m = stream::HeadTimestampRequest {
                req_id: Some(req_id),
                contract: client_contract(contract),
                use_rth: flag(use_rth),
                what_to_show: text(what_to_show),
                format_date: Some(format_date),
            };
            put(out, id::HEAD_TIMESTAMP, &m)
        }
        StreamRequest::Histogram { req_id, contract, use_rth, period } => {
            let m = stream::HistogramRequest {
                req_id: Some(req_id),
                contract: client_contract(contract),
                use_rth: flag(use_rth),
                period: text(period),
            };
            put(out, id::HISTOGRAM, &m)
        }
        _ => Ok(()),
    }
}

/// The message that cancels a stream.
pub(in crate::sim::wire::codec) const fn cancel_id(stream: Stream) -> i32 {
    match stream {
        Stream::TickByTick => request_id::CANCEL_TICK_BY_TICK,
        Stream::Depth => request_id::CANCEL_MARKET_DEPTH,
        Stream::RealTimeBars => request_id::CANCEL_REAL_TIME_BARS,
        Stream::HistoricalTicks => request_id::CANCEL_HISTORICAL_TICKS,
        Stream::HeadTimestamp => request_id::CANCEL_HEAD_TIMESTAMP,
        Stream::Histogram => request_id::CANCEL_HISTOGRAM,
    }
}

/// The answer of a message id of this topic; `None` = another topic's.
pub(super) fn decode(msg_id: i32, b: &[u8]) -> Result<Option<StreamResponse>, DecodeError> {
    Ok(Some(match msg_id {
        id::TICK_BY_TICK => by_tick(msg_id, b)?,
        id::MARKET_DEPTH | id::MARKET_DEPTH_L2 => depth(msg_id, b)?,
        id::MARKET_DEPTH_EXCHANGES => {
            let m: stream::MarketDepthExchanges = read(msg_id, b)?;
            let exchange = |d: stream::DepthDescription| DepthExchange {
                exchange: d.exchange.unwrap_or_default(),
                sec_type: d.sec_type.unwrap_or_default(),
                listing_exchange: d.listing_exchange.unwrap_or_default(),
                service: d.service.unwrap_or_default(),
                agg_group: d.agg_group.unwrap_or_default(),
            };
            StreamResponse::DepthExchanges { exchanges: m.descriptions.into_iter().map(exchange).collect() }
        }
        id::REAL_TIME_BAR => {
            let m: stream::RealTimeBar = read(msg_id, b)?;
            let bar = HistoricalBar {
                time: seconds(m.time_s),
                open: m.open.unwrap_or_default(),
                high: m.high.unwrap_or_default(),
                low: m.low.unwrap_or_default(),
                close: m.close.unwrap_or_default(),
                volume: number(msg_id, m.volume.as_deref())?,
                wap: number(msg_id, m.wap.as_deref())?,
                count: m.count.unwrap_or_default(),
            };
            StreamResponse::RealTimeBar { req_id: only_id_or(m.req_id), bar }
        }
        id::HISTORICAL_TICKS | id::HISTORICAL_TICKS_BID_ASK | id::HISTORICAL_TICKS_LAST => historical_ticks(msg_id, b)?,
        _ => return past(msg_id, b),
    }))
}

fn past(msg_id: i32, b: &[u8]) -> Result<Option<StreamResponse>, DecodeError> {
    Ok(Some(match msg_id {
        id::HEAD_TIMESTAMP => {
            let m: stream::HeadTimestamp = read(msg_id, b)?;
            StreamResponse::HeadTimestamp { req_id: only_id_or(m.req_id), time: m.time.unwrap_or_default() }
        }
        id::HISTOGRAM => {
            let m: stream::Histogram = read(msg_id, b)?;
            let point =
                |p: &stream::HistogramPoint| Ok((p.price.unwrap_or_default(), number(msg_id, p.size.as_deref())?));
            let points: Result<_, DecodeError> = m.points.iter().map(point).collect();
            StreamResponse::Histogram { req_id: only_id_or(m.req_id), points: points? }
        }
        id::HISTORICAL_SCHEDULE => {
            let m: stream::Schedule = read(msg_id, b)?;
            let session = |s: stream::TradingSession| TradingSession {
                start: s.start.unwrap_or_default(),
                end: s.end.unwrap_or_default(),
                ref_date: s.ref_date.unwrap_or_default(),
            };
            StreamResponse::Schedule {
                req_id: only_id_or(m.req_id),
                start: m.start.unwrap_or_default(),
                end: m.end.unwrap_or_default(),
                time_zone: m.time_zone.unwrap_or_default(),
                sessions: m.sessions.into_iter().map(session).collect(),
            }
        }
        id::HISTORICAL_DATA_UPDATE => {
            let m: stream::BarUpdate = read(msg_id, b)?;
            let bar = m.bar.unwrap_or_default();
            let is_text = bar.date.as_deref().is_some_and(|d| d.contains(' '));
            StreamResponse::BarUpdate {
                req_id: only_id_or(m.req_id),
                bar: bar_from(msg_id, &bar)?,
                format_date: if is_text { 1 } else { 2 },
            }
        }
        _ => return Ok(None),
    }))
}

fn by_tick(msg_id: i32, b: &[u8]) -> Result<StreamResponse, DecodeError> {
    let m: stream::TickByTickData = read(msg_id, b)?;
    let tick = match m.kind {
        Some(1) => ByTick::Last(last(msg_id, m.last.unwrap_or_default())?),
        Some(2) => ByTick::AllLast(last(msg_id, m.last.unwrap_or_default())?),
        Some(3) => ByTick::BidAsk(bid_ask(msg_id, &m.bid_ask.unwrap_or_default())?),
        _ => ByTick::MidPoint(mid(msg_id, &m.mid_point.unwrap_or_default())?),
    };
    Ok(StreamResponse::TickByTick { req_id: only_id_or(m.req_id), tick })
}

fn historical_ticks(msg_id: i32, b: &[u8]) -> Result<StreamResponse, DecodeError> {
    Ok(match msg_id {
        id::HISTORICAL_TICKS => {
            let m: stream::HistoricalTicks = read(msg_id, b)?;
            let ticks: Result<_, _> = m.ticks.iter().map(|t| mid(msg_id, t)).collect();
            let done = m.done.unwrap_or_default();
            StreamResponse::HistoricalTicks { req_id: only_id_or(m.req_id), ticks: ticks?, done }
        }
        id::HISTORICAL_TICKS_BID_ASK => {
            let m: stream::HistoricalTicksBidAsk = read(msg_id, b)?;
            let ticks: Result<_, _> = m.ticks.iter().map(|t| bid_ask(msg_id, t)).collect();
            let done = m.done.unwrap_or_default();
            StreamResponse::HistoricalTicksBidAsk { req_id: only_id_or(m.req_id), ticks: ticks?, done }
        }
        _ => {
            let m: stream::HistoricalTicksLast = read(msg_id, b)?;
            let ticks: Result<_, _> = m.ticks.into_iter().map(|t| last(msg_id, t)).collect();
            let done = m.done.unwrap_or_default();
            StreamResponse::HistoricalTicksLast { req_id: only_id_or(m.req_id), ticks: ticks?, done }
        }
    })
}

fn seconds(s: Option<i64>) -> SessionTime {
    SessionTime::from_secs(s.unwrap_or_default())
}

fn mid(id: i32, t: &stream::Tick) -> Result<MidTick, DecodeError> {
    let size = number(id, t.size.as_deref())?;
    Ok(MidTick { time: seconds(t.time_s), price: t.price.unwrap_or_default(), size })
}

fn bid_ask(id: i32, t: &stream::TickBidAsk) -> Result<BidAskTick, DecodeError> {
    let attrib = t.attrib.unwrap_or_default();
    Ok(BidAskTick {
        time: seconds(t.time_s),
        bid: t.bid.unwrap_or_default(),
        ask: t.ask.unwrap_or_default(),
        bid_size: number(id, t.bid_size.as_deref())?,
        ask_size: number(id, t.ask_size.as_deref())?,
        bid_past_low: attrib.bid_past_low.unwrap_or_default(),
        ask_past_high: attrib.ask_past_high.unwrap_or_default(),
    })
}

fn last(id: i32, t: stream::TickLast) -> Result<LastTick, DecodeError> {
    let attrib = t.attrib.unwrap_or_default();
    Ok(LastTick {
        time: seconds(t.time_s),
        price: t.price.unwrap_or_default(),
        size: number(id, t.size.as_deref())?,
        past_limit: attrib.past_limit.unwrap_or_default(),
        unreported: attrib.unreported.unwrap_or_default(),
        exchange: t.exchange.unwrap_or_default(),
        conditions: t.conditions.unwrap_or_default(),
    })
}

fn depth(msg_id: i32, b: &[u8]) -> Result<StreamResponse, DecodeError> {
    let m: stream::MarketDepth = read(msg_id, b)?;
    let d = m.data.unwrap_or_default();
    let row = DepthRow {
        position: d.position.unwrap_or_default(),
        operation: d.operation.unwrap_or_default(),
        side: d.side.unwrap_or_default(),
        price: d.price.unwrap_or_default(),
        size: number(msg_id, d.size.as_deref())?,
        market_maker: d.market_maker.unwrap_or_default(),
        smart: d.smart.unwrap_or_default(),
    };
    let req_id = only_id_or(m.req_id);
    Ok(if msg_id == id::MARKET_DEPTH {
        StreamResponse::Depth { req_id, row }
    } else {
        StreamResponse::DepthL2 { req_id, row }
    })
}
