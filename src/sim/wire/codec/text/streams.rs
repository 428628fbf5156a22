//! Streams and history beyond bars in text: message ids, empty forms and the order of the fields, both directions.
//! Source: the fields that public clients write and read at each version.

use super::fields::Fields;
use super::market::grow;
use super::requests::contract;
use crate::sim::api::{
    BidAskTick, ByTick, Contract, DepthExchange, DepthRow, HistoricalBar, LastTick, MidTick, Stream, StreamRequest,
    StreamResponse, TradingSession,
};
use crate::sim::wire::codec::peer::cancel_id;
use crate::sim::wire::messages::{request_id, response_id as id};

/// What can be cancelled.
const STREAMS: [Stream; 6] = [
    Stream::TickByTick,
    Stream::Depth,
    Stream::RealTimeBars,
    Stream::HistoricalTicks,
    Stream::HeadTimestamp,
    Stream::Histogram,
];

/// The message id of a request.
pub(super) const fn request_id_of(request: &StreamRequest) -> i32 {
    match request {
        StreamRequest::TickByTick { .. } => request_id::TICK_BY_TICK,
        StreamRequest::Depth { .. } => request_id::MARKET_DEPTH,
        StreamRequest::DepthExchanges => request_id::MARKET_DEPTH_EXCHANGES,
        StreamRequest::RealTimeBars { .. } => request_id::REAL_TIME_BARS,
        StreamRequest::HistoricalTicks { .. } => request_id::HISTORICAL_TICKS,
        StreamRequest::HeadTimestamp { .. } => request_id::HEAD_TIMESTAMP,
        StreamRequest::Histogram { .. } => request_id::HISTOGRAM,
        StreamRequest::Cancel { stream, .. } => cancel_id(*stream),
    }
}

/// The request of a message id, to be filled.
pub(super) fn blank_request(msg_id: i32) -> Option<StreamRequest> {
    let (req_id, contract, what_to_show) = (0, Contract::default(), String::new());
    let (use_rth, ignore_size, number_of_ticks) = (false, false, 0);
    Some(match msg_id {
        request_id::TICK_BY_TICK => {
            StreamRequest::TickByTick { req_id, contract, kind: what_to_show, number_of_ticks, ignore_size }
        }
        request_id::MARKET_DEPTH => StreamRequest::Depth { req_id, contract, rows: 0, smart: false },
        request_id::MARKET_DEPTH_EXCHANGES => StreamRequest::DepthExchanges,
        request_id::REAL_TIME_BARS => {
            StreamRequest::RealTimeBars { req_id, contract, bar_size_s: 0, what_to_show, use_rth }
        }
        request_id::HISTORICAL_TICKS => StreamRequest::HistoricalTicks {
            req_id,
            contract,
            start: String::new(),
            end: String::new(),
            number_of_ticks,
            what_to_show,
            use_rth,
            ignore_size,
        },
        request_id::HEAD_TIMESTAMP => {
            StreamRequest::HeadTimestamp { req_id, contract, what_to_show, use_rth, format_date: 0 }
        }
        request_id::HISTOGRAM => StreamRequest::Histogram { req_id, contract, use_rth, period: what_to_show },
        _ => {
            let stream = STREAMS.into_iter().find(|s| cancel_id(*s) == msg_id)?;
            StreamRequest::Cancel { req_id, stream }
        }
    })
}

/// Fields of a request behind the message id.
pub(super) fn describe_request(f: &mut impl Fields, request: &mut StreamRequest) {
    match request {
        StreamRequest::TickByTick { req_id, contract: c, kind, number_of_ticks, ignore_size } => {
            f.int(req_id);
            contract(f, c);
            f.text(kind);
            f.int(number_of_ticks);
            f.flag(ignore_size);
        }
        StreamRequest::Depth { req_id, contract: c, rows, smart } => {
            f.constant("5");
            f.int(req_id);
            contract(f, c);
            f.int(rows);
            f.flag(smart);
            // Options.
            f.constant("");
        }
        StreamRequest::DepthExchanges => {}
        StreamRequest::RealTimeBars { req_id, contract: c, bar_size_s, what_to_show, use_rth } => {
            f.constant("3");
            f.int(req_id);
            contract(f, c);
            f.int(bar_size_s);
            f.text(what_to_show);
            f.flag(use_rth);
            // Options.
            f.constant("");
        }
        StreamRequest::Cancel { req_id, stream } => {
            if matches!(stream, Stream::Depth | Stream::RealTimeBars) {
                f.constant("1");
            }
            f.int(req_id);
            if *stream == Stream::Depth {
                // Whether it was smart depth.
                f.constant("0");
            }
        }
        past => history_request(f, past),
    }
}

fn history_request(f: &mut impl Fields, request: &mut StreamRequest) {
    // Behind the contract: expired ones too.
    match request {
        StreamRequest::HistoricalTicks {
            req_id,
            contract: c,
            start,
            end,
            number_of_ticks,
            what_to_show,
            use_rth,
            ignore_size,
        } => {
            f.int(req_id);
            contract(f, c);
            f.constant("0");
            f.text(start);
            f.text(end);
            f.int(number_of_ticks);
            f.text(what_to_show);
            f.flag(use_rth);
            f.flag(ignore_size);
            // Options.
            f.constant("");
        }
        StreamRequest::HeadTimestamp { req_id, contract: c, what_to_show, use_rth, format_date } => {
            f.int(req_id);
            contract(f, c);
            f.constant("0");
            f.flag(use_rth);
            f.text(what_to_show);
            f.int(format_date);
        }
        StreamRequest::Histogram { req_id, contract: c, use_rth, period } => {
            f.int(req_id);
            contract(f, c);
            f.constant("0");
            f.flag(use_rth);
            f.text(period);
        }
        _ => {}
    }
}

/// The message id of an answer.
pub(super) const fn response_id_of(response: &StreamResponse) -> i32 {
    match response {
        StreamResponse::TickByTick { .. } => id::TICK_BY_TICK,
        StreamResponse::Depth { .. } => id::MARKET_DEPTH,
        StreamResponse::DepthL2 { .. } => id::MARKET_DEPTH_L2,
        StreamResponse::DepthExchanges { .. } => id::MARKET_DEPTH_EXCHANGES,
        StreamResponse::RealTimeBar { .. } => id::REAL_TIME_BAR,
        StreamResponse::HistoricalTicks { .. } => id::HISTORICAL_TICKS,
        StreamResponse::HistoricalTicksBidAsk { .. } => id::HISTORICAL_TICKS_BID_ASK,
        StreamResponse::HistoricalTicksLast { .. } => id::HISTORICAL_TICKS_LAST,
        StreamResponse::HeadTimestamp { .. } => id::HEAD_TIMESTAMP,
        StreamResponse::Histogram { .. } => id::HISTOGRAM,
        StreamResponse::Schedule { .. } => id::HISTORICAL_SCHEDULE,
        StreamResponse::BarUpdate { .. } => id::HISTORICAL_DATA_UPDATE,
    }
}

/// The answer of a message id, empty.
pub(super) fn blank_response(msg_id: i32) -> Option<StreamResponse> {
    let (req_id, done, text) = (0, false, String::new);
    Some(match msg_id {
        id::TICK_BY_TICK => StreamResponse::TickByTick { req_id, tick: ByTick::MidPoint(MidTick::default()) },
        id::MARKET_DEPTH => StreamResponse::Depth { req_id, row: DepthRow::default() },
        id::MARKET_DEPTH_L2 => StreamResponse::DepthL2 { req_id, row: DepthRow::default() },
        id::MARKET_DEPTH_EXCHANGES => StreamResponse::DepthExchanges { exchanges: Vec::new() },
        id::REAL_TIME_BAR => StreamResponse::RealTimeBar { req_id, bar: HistoricalBar::default() },
        id::HISTORICAL_TICKS => StreamResponse::HistoricalTicks { req_id, ticks: Vec::new(), done },
        id::HISTORICAL_TICKS_BID_ASK => StreamResponse::HistoricalTicksBidAsk { req_id, ticks: Vec::new(), done },
        id::HISTORICAL_TICKS_LAST => StreamResponse::HistoricalTicksLast { req_id, ticks: Vec::new(), done },
        id::HEAD_TIMESTAMP => StreamResponse::HeadTimestamp { req_id, time: text() },
        id::HISTOGRAM => StreamResponse::Histogram { req_id, points: Vec::new() },
        id::HISTORICAL_SCHEDULE => {
            StreamResponse::Schedule { req_id, start: text(), end: text(), time_zone: text(), sessions: Vec::new() }
        }
        // Dates are epoch seconds unless one shows otherwise.
        id::HISTORICAL_DATA_UPDATE => {
            StreamResponse::BarUpdate { req_id, bar: HistoricalBar::default(), format_date: 2 }
        }
        _ => return None,
    })
}

/// Fields of an answer behind the message id.
pub(super) fn describe_response(f: &mut impl Fields, response: &mut StreamResponse) {
    match response {
        StreamResponse::TickByTick { req_id, tick } => {
            f.int(req_id);
            by_tick(f, tick);
        }
        StreamResponse::Depth { req_id, row } => depth(f, req_id, row, false),
        StreamResponse::DepthL2 { req_id, row } => depth(f, req_id, row, true),
        StreamResponse::DepthExchanges { exchanges } => {
            let n = f.count(exchanges.len());
            grow(f, exchanges, n);
            for DepthExchange { exchange, sec_type, listing_exchange, service, agg_group } in exchanges {
                f.text(exchange);
                f.text(sec_type);
                f.text(listing_exchange);
                f.text(service);
                f.int(agg_group);
            }
        }
        StreamResponse::RealTimeBar { req_id, bar } => {
            f.constant("3");
            f.int(req_id);
            f.seconds(&mut bar.time);
            f.number(&mut bar.open);
            f.number(&mut bar.high);
            f.number(&mut bar.low);
            f.number(&mut bar.close);
            f.number(&mut bar.volume);
            f.number(&mut bar.wap);
            f.int(&mut bar.count);
        }
        past => history_response(f, past),
    }
}

fn history_response(f: &mut impl Fields, response: &mut StreamResponse) {
    match response {
        StreamResponse::HistoricalTicks { req_id, ticks, done } => ticked(f, req_id, ticks, done, |f, t| {
            f.seconds(&mut t.time);
            f.constant("0");
            f.number(&mut t.price);
            f.number(&mut t.size);
        }),
        StreamResponse::HistoricalTicksBidAsk { req_id, ticks, done } => ticked(f, req_id, ticks, done, |f, t| {
            f.seconds(&mut t.time);
            // The other way round than tick by tick.
            mask(f, &mut t.ask_past_high, &mut t.bid_past_low);
            quote(f, t);
        }),
        StreamResponse::HistoricalTicksLast { req_id, ticks, done } => ticked(f, req_id, ticks, done, |f, t| {
            f.seconds(&mut t.time);
            mask(f, &mut t.past_limit, &mut t.unreported);
            f.number(&mut t.price);
            f.number(&mut t.size);
            f.text(&mut t.exchange);
            f.text(&mut t.conditions);
        }),
        StreamResponse::HeadTimestamp { req_id, time } => {
            f.int(req_id);
            f.text(time);
        }
        StreamResponse::Histogram { req_id, points } => {
            f.int(req_id);
            let n = f.count(points.len());
            grow(f, points, n);
            for (price, size) in points {
                f.number(price);
                f.number(size);
            }
        }
        StreamResponse::Schedule { req_id, start, end, time_zone, sessions } => {
            f.int(req_id);
            f.text(start);
            f.text(end);
            f.text(time_zone);
            let n = f.count(sessions.len());
            grow(f, sessions, n);
            for TradingSession { start, end, ref_date } in sessions {
                f.text(start);
                f.text(end);
                f.text(ref_date);
            }
        }
        StreamResponse::BarUpdate { req_id, bar, format_date } => {
            f.int(req_id);
            f.int(&mut bar.count);
            f.bar_start(&mut bar.time, format_date);
            f.number(&mut bar.open);
            f.number(&mut bar.close);
            f.number(&mut bar.high);
            f.number(&mut bar.low);
            f.number(&mut bar.wap);
            f.number(&mut bar.volume);
        }
        _ => {}
    }
}

/// Past ticks: request id, count, the ticks, whether it is all.
fn ticked<F: Fields, T: Default + Clone>(
    f: &mut F,
    req_id: &mut i32,
    ticks: &mut Vec<T>,
    done: &mut bool,
    one: impl Fn(&mut F, &mut T),
) {
    f.int(req_id);
    let n = f.count(ticks.len());
    grow(f, ticks, n);
    for t in ticks {
        one(f, t);
    }
    f.flag(done);
}

fn by_tick(f: &mut impl Fields, tick: &mut ByTick) {
    let mut kind = match tick {
        ByTick::Last(_) => 1,
        ByTick::AllLast(_) => 2,
        ByTick::BidAsk(_) => 3,
        ByTick::MidPoint(_) => 4,
    };
    f.int(&mut kind);
    if f.reads() {
        *tick = match kind {
            1 => ByTick::Last(LastTick::default()),
            2 => ByTick::AllLast(LastTick::default()),
            3 => ByTick::BidAsk(BidAskTick::default()),
            _ => ByTick::MidPoint(MidTick::default()),
        };
    }
    match tick {
        ByTick::Last(t) | ByTick::AllLast(t) => {
            f.seconds(&mut t.time);
            f.number(&mut t.price);
            f.number(&mut t.size);
            mask(f, &mut t.past_limit, &mut t.unreported);
            f.text(&mut t.exchange);
            f.text(&mut t.conditions);
        }
        ByTick::BidAsk(t) => {
            f.seconds(&mut t.time);
            quote(f, t);
            mask(f, &mut t.bid_past_low, &mut t.ask_past_high);
        }
        ByTick::MidPoint(t) => {
            f.seconds(&mut t.time);
            f.number(&mut t.price);
        }
    }
}

fn quote(f: &mut impl Fields, t: &mut BidAskTick) {
    f.number(&mut t.bid);
    f.number(&mut t.ask);
    f.number(&mut t.bid_size);
    f.number(&mut t.ask_size);
}

/// Two flags as the lowest bits of one integer.
fn mask(f: &mut impl Fields, low: &mut bool, high: &mut bool) {
    let mut bits = i32::from(*low) + 2 * i32::from(*high);
    f.int(&mut bits);
    (*low, *high) = (bits & 1 != 0, bits & 2 != 0);
}

fn depth(f: &mut impl Fields, req_id: &mut i32, row: &mut DepthRow, level_two: bool) {
    f.constant("1");
    f.int(req_id);
    f.int(&mut row.position);
    if level_two {
        f.text(&mut row.market_maker);
    }
    f.int(&mut row.operation);
    f.int(&mut row.side);
    f.number(&mut row.price);
    f.number(&mut row.size);
    if level_two {
        f.flag(&mut row.smart);
    }
}
