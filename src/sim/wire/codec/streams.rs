//! Streams and history beyond bars in protobuf, the gateway's side: requests in, answers out.

use super::DecodeError;
use super::convert::{bar_date, decimal, flag, text};
use super::requests::{contract_from, only_id, read, req};
use super::responses::put;
use crate::sim::api::{
    BidAskTick, ByTick, DepthRow, HistoricalBar, LastTick, MidTick, Stream, StreamRequest, StreamResponse,
};
use crate::sim::wire::framing::FrameError;
use crate::sim::wire::messages::{market, request_id, response_id as id, stream};

/// The request of a message id of this topic; `None` = another topic's.
pub(super) fn decode(msg_id: i32, body: &[u8]) -> Result<Option<StreamRequest>, DecodeError> {
    use request_id as id;
    let stream = match msg_id {
        id::CANCEL_TICK_BY_TICK => Stream::TickByTick,
        id::CANCEL_MARKET_DEPTH => Stream::Depth,
        id::CANCEL_REAL_TIME_BARS => Stream::RealTimeBars,
        id::CANCEL_HISTORICAL_TICKS => Stream::HistoricalTicks,
        id::CANCEL_HEAD_TIMESTAMP => Stream::HeadTimestamp,
        id::CANCEL_HISTOGRAM => Stream::Histogram,
        _ => return wanted(msg_id, body),
    };
    Ok(Some(StreamRequest::Cancel { req_id: only_id(msg_id, body)?, stream }))
}

fn wanted(msg_id: i32, body: &[u8]) -> Result<Option<StreamRequest>, DecodeError> {
    use request_id as id;
    Ok(Some(match msg_id {
        id::TICK_BY_TICK => {
            let m: stream::TickByTickRequest = read(msg_id, body)?;
            StreamRequest::TickByTick {
                req_id: req(m.req_id),
                contract: contract_from(m.contract),
                kind: m.kind.unwrap_or_default(),
                number_of_ticks: m.number_of_ticks.unwrap_or_default(),
                ignore_size: m.ignore_size.unwrap_or_default(),
            }
        }
        id::MARKET_DEPTH => {
            let m: stream::MarketDepthRequest = read(msg_id, body)?;
            StreamRequest::Depth {
                req_id: req(m.req_id),
                contract: contract_from(m.contract),
                rows: m.rows.unwrap_or_default(),
                smart: m.smart.unwrap_or_default(),
            }
        }
        id::MARKET_DEPTH_EXCHANGES => StreamRequest::DepthExchanges,
        id::REAL_TIME_BARS => {
            let m: stream::RealTimeBarsRequest = read(msg_id, body)?;
            StreamRequest::RealTimeBars {
                req_id: req(m.req_id),
                contract: contract_from(m.contract),
                bar_size_s: m.bar_size_s.unwrap_or_default(),
                what_to_show: m.what_to_show.unwrap_or_default(),
                use_rth: m.use_rth.unwrap_or_default(),
            }
        }
        id::HISTORICAL_TICKS => {
            let m: stream::HistoricalTicksRequest = read(msg_id, body)?;
            StreamRequest::HistoricalTicks {
                req_id: req(m.req_id),
                contract: contract_from(m.contract),
                start: m.start.unwrap_or_default(),
                end: m.end.unwrap_or_default(),
                number_of_ticks: m.number_of_ticks.unwrap_or_default(),
                what_to_show: m.what_to_show.unwrap_or_default(),
                use_rth: m.use_rth.unwrap_or_default(),
                ignore_size: m.ignore_size.unwrap_or_default(),
            }
        }
        id::HEAD_TIMESTAMP => {
            let m: stream::HeadTimestampRequest = read(msg_id, body)?;
            StreamRequest::HeadTimestamp {
                req_id: req(m.req_id),
                contract: contract_from(m.contract),
                what_to_show: m.what_to_show.unwrap_or_default(),
                use_rth: m.use_rth.unwrap_or_default(),
                format_date: m.format_date.unwrap_or_default(),
            }
        }
        id::HISTOGRAM => {
            let m: stream::HistogramRequest = read(msg_id, body)?;
            StreamRequest::Histogram {
                req_id: req(m.req_id),
                contract: contract_from(m.contract),
                use_rth: m.use_rth.unwrap_or_default(),
                period: m.period.unwrap_or_default(),
            }
        }
        _ => return Ok(None),
    }))
}

/// Appends an answer's frame.
pub(super) fn encode(response: StreamResponse, out: &mut Vec<u8>) -> Result<(), FrameError> {
    match response {
        StreamResponse::TickByTick { req_id, tick } => put(out, id::TICK_BY_TICK, &by_tick(req_id, tick)),
        StreamResponse::Depth { req_id, row } => put(out, id::MARKET_DEPTH, &depth(req_id, row)),
        StreamResponse::DepthL2 { req_id, row } => put(out, id::MARKET_DEPTH_L2, &depth(req_id, row)),
        StreamResponse::DepthExchanges { exchanges } => {
            let describe = |e: crate::sim::api::DepthExchange| stream::DepthDescription {
                exchange: text(e.exchange),
                sec_type: text(e.sec_type),
                listing_exchange: text(e.listing_exchange),
                service: text(e.service),
                agg_group: Some(e.agg_group),
            };
            let descriptions = exchanges.into_iter().map(describe).collect();
            put(out, id::MARKET_DEPTH_EXCHANGES, &stream::MarketDepthExchanges { descriptions })
        }
        StreamResponse::RealTimeBar { req_id, bar } => put(out, id::REAL_TIME_BAR, &real_time_bar(req_id, &bar)),
        StreamResponse::HeadTimestamp { req_id, time } => {
            put(out, id::HEAD_TIMESTAMP, &stream::HeadTimestamp { req_id: Some(req_id), time: text(time) })
        }
        StreamResponse::Histogram { req_id, points } => {
            let point = |(price, size)| stream::HistogramPoint { price: Some(price), size: decimal(size) };
            let points = points.into_iter().map(point).collect();
            put(out, id::HISTOGRAM, &stream::Histogram { req_id: Some(req_id), points })
        }
        StreamResponse::Schedule { req_id, start, end, time_zone, sessions } => {
            let session = |s: crate::sim::api::TradingSession| stream::TradingSession {
                start: text(s.start),
                end: text(s.end),
                ref_date: text(s.ref_date),
            };
            let m = stream::Schedule {
                req_id: Some(req_id),
                start: text(start),
                end: text(end),
                time_zone: text(time_zone),
                sessions: sessions.into_iter().map(session).collect(),
            };
            put(out, id::HISTORICAL_SCHEDULE, &m)
        }
        StreamResponse::BarUpdate { req_id, bar, format_date } => {
            let bar = Some(history_bar(bar, format_date));
            put(out, id::HISTORICAL_DATA_UPDATE, &stream::BarUpdate { req_id: Some(req_id), bar })
        }
        ticks => historical_ticks(ticks, out),
    }
}

fn historical_ticks(response: StreamResponse, out: &mut Vec<u8>) -> Result<(), FrameError> {
    match response {
        StreamResponse::HistoricalTicks { req_id, ticks, done } => {
            let ticks = ticks.into_iter().map(mid).collect();
            let m = stream::HistoricalTicks { req_id: Some(req_id), ticks, done: Some(done) };
            put(out, id::HISTORICAL_TICKS, &m)
        }
        StreamResponse::HistoricalTicksBidAsk { req_id, ticks, done } => {
            let ticks = ticks.into_iter().map(bid_ask).collect();
            let m = stream::HistoricalTicksBidAsk { req_id: Some(req_id), ticks, done: Some(done) };
            put(out, id::HISTORICAL_TICKS_BID_ASK, &m)
        }
        StreamResponse::HistoricalTicksLast { req_id, ticks, done } => {
            let ticks = ticks.into_iter().map(last).collect();
            let m = stream::HistoricalTicksLast { req_id: Some(req_id), ticks, done: Some(done) };
            put(out, id::HISTORICAL_TICKS_LAST, &m)
        }
        _ => Ok(()),
    }
}

fn by_tick(req_id: i32, tick: ByTick) -> stream::TickByTickData {
    let m = stream::TickByTickData { req_id: Some(req_id), ..stream::TickByTickData::default() };
    match tick {
        ByTick::Last(t) => stream::TickByTickData { kind: Some(1), last: Some(last(t)), ..m },
        ByTick::AllLast(t) => stream::TickByTickData { kind: Some(2), last: Some(last(t)), ..m },
        ByTick::BidAsk(t) => stream::TickByTickData { kind: Some(3), bid_ask: Some(bid_ask(t)), ..m },
        ByTick::MidPoint(t) => stream::TickByTickData { kind: Some(4), mid_point: Some(mid(t)), ..m },
    }
}

fn mid(t: MidTick) -> stream::Tick {
    stream::Tick { time_s: Some(t.time.secs()), price: Some(t.price), size: decimal(t.size) }
}

fn bid_ask(t: BidAskTick) -> stream::TickBidAsk {
    stream::TickBidAsk {
        time_s: Some(t.time.secs()),
        attrib: Some(stream::AttribBidAsk { bid_past_low: flag(t.bid_past_low), ask_past_high: flag(t.ask_past_high) }),
        bid: Some(t.bid),
        ask: Some(t.ask),
        bid_size: decimal(t.bid_size),
        ask_size: decimal(t.ask_size),
    }
}

fn last(t: LastTick) -> stream::TickLast {
    stream::TickLast {
        time_s: Some(t.time.secs()),
        attrib: Some(stream::AttribLast { past_limit: flag(t.past_limit), unreported: flag(t.unreported) }),
        price: Some(t.price),
        size: decimal(t.size),
        exchange: text(t.exchange),
        conditions: text(t.conditions),
    }
}

fn depth(req_id: i32, r: DepthRow) -> stream::MarketDepth {
    let data = stream::DepthData {
        position: Some(r.position),
        operation: Some(r.operation),
        side: Some(r.side),
        price: Some(r.price),
        size: decimal(r.size),
        market_maker: text(r.market_maker),
        smart: flag(r.smart),
    };
    stream::MarketDepth { req_id: Some(req_id), data: Some(data) }
}

fn real_time_bar(req_id: i32, b: &HistoricalBar) -> stream::RealTimeBar {
    stream::RealTimeBar {
        req_id: Some(req_id),
        time_s: Some(b.time.secs()),
        open: Some(b.open),
        high: Some(b.high),
        low: Some(b.low),
        close: Some(b.close),
        volume: decimal(b.volume),
        wap: decimal(b.wap),
        count: Some(b.count),
    }
}

/// A bar of history.
pub(super) fn history_bar(b: HistoricalBar, format_date: i32) -> market::HistoricalDataBar {
    market::HistoricalDataBar {
        date: Some(bar_date(b.time, format_date)),
        open: Some(b.open),
        high: Some(b.high),
        low: Some(b.low),
        close: Some(b.close),
        volume: decimal(b.volume),
        wap: decimal(b.wap),
        count: Some(b.count),
    }
}
