//! Streams, history beyond bars, look-ups, delayed data, pairs and indices, asked of the venue itself.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::float_cmp,
    reason = "tests: a broken expectation must stop them"
)]

mod venue_bench;

use std::path::PathBuf;

use base64::Engine as _;
use ibkr_trader::clock::{MILLISECOND, SECOND, SessionTime};
use ibkr_trader::domain::Side;
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::sim::api::{
    ByTick, Contract, LookupRequest, LookupResponse, Outgoing, Request, Response, Stream, StreamRequest, StreamResponse,
};
use ibkr_trader::sim::faults::Scenario;
use ibkr_trader::sim::venue::{Delays, VenueConfig};
use ibkr_trader::sim::wire::codec::peer;
use ibkr_trader::sim::wire::framing::split_id;
use venue_bench::{AAPL, ACCOUNT, Bench, contract, limit, market};

const NONE: [i32; 0] = [];

fn start() -> SessionTime {
    Date(20_260_825).at(10, 0)
}

fn with(adjust: impl FnOnce(&mut VenueConfig)) -> Bench {
    let mut b = Bench::with(start(), |c| {
        c.delays = Delays::NONE;
        adjust(c);
    });
    b.log_in(1);
    b
}

fn entitled(what: &str) -> Bench {
    with(|c| c.entitlements.set(what).unwrap())
}

/// Asks as client 1.
trait Asking {
    /// What is answered at once, and nothing that came before.
    fn told(&mut self, request: Request) -> Vec<Response>;
}

impl Asking for Bench {
    fn told(&mut self, request: Request) -> Vec<Response> {
        self.out.clear();
        self.ask(1, request);
        responses(self)
    }
}

fn responses(b: &mut Bench) -> Vec<Response> {
    b.out.drain(..).map(|o: Outgoing| o.response).collect()
}

fn streamed(b: &mut Bench) -> Vec<StreamResponse> {
    let only = |r| if let Response::Stream(s) = r { Some(s) } else { None };
    responses(b).into_iter().filter_map(only).collect()
}

/// (id, code, text) of the errors.
fn errors(all: &[Response]) -> Vec<(i32, i32, String)> {
    let only = |r: &Response| match r {
        Response::Error { id, code, message, .. } => Some((*id, *code, message.clone())),
        _ => None,
    };
    all.iter().filter_map(only).collect()
}

fn codes(all: &[Response]) -> Vec<i32> {
    errors(all).into_iter().map(|(_, code, _)| code).collect()
}

fn by_tick(req_id: i32, kind: &str, number_of_ticks: i32, ignore_size: bool) -> Request {
    let contract = contract(AAPL);
    Request::Stream(StreamRequest::TickByTick { req_id, contract, kind: kind.into(), number_of_ticks, ignore_size })
}

fn cancel(req_id: i32, stream: Stream) -> Request {
    Request::Stream(StreamRequest::Cancel { req_id, stream })
}

fn quotes(req_id: i32, contract: Contract, generics: &str, snapshot: bool) -> Request {
    Request::ReqMktData { req_id, contract, generic_ticks: generics.into(), snapshot, regulatory: false }
}

fn history(req_id: i32, contract: Contract, duration: &str, bar_size: &str, what: &str) -> Request {
    Request::ReqHistoricalData {
        req_id,
        contract,
        end: String::new(),
        duration: duration.into(),
        bar_size: bar_size.into(),
        what_to_show: what.into(),
        use_rth: true,
        format_date: 2,
        keep_up_to_date: false,
    }
}

fn pair() -> Contract {
    Contract {
        symbol: "EUR".into(),
        sec_type: "CASH".into(),
        exchange: "IDEALPRO".into(),
        currency: "USD".into(),
        ..Contract::default()
    }
}

fn index() -> Contract {
    Contract {
        symbol: "SPX".into(),
        sec_type: "IND".into(),
        exchange: "CBOE".into(),
        currency: "USD".into(),
        ..Contract::default()
    }
}

#[test]
fn tick_by_tick_tells_every_event_and_nothing_else() {
    // Kind, sizes ignored; events told: a print on the grid, one off it, a quote, the same with another size, one
    // that moves only the offer.
    let cases = [
        ("Last", false, vec!["last 309.16 50"]),
        ("AllLast", false, vec!["all 309.16 50", "all 309.155 70"]),
        (
            "BidAsk",
            false,
            vec![
                "quote 309.15 309.16 300 200",
                "quote 309.14 309.16 100 200",
                "quote 309.14 309.16 400 200",
                "quote 309.14 309.17 400 200",
            ],
        ),
        (
            "BidAsk",
            true,
            vec!["quote 309.15 309.16 300 200", "quote 309.14 309.16 100 200", "quote 309.14 309.17 400 200"],
        ),
        ("MidPoint", false, vec!["mid 309.155", "mid 309.15", "mid 309.155"]),
    ];
    for (kind, ignore_size, expected) in cases {
        let mut b = with(|_| {});
        b.ask(1, by_tick(5, kind, 0, ignore_size));
        b.trade(0, 309.16, 50);
        b.trade(0, 309.155, 70);
        b.trade(0, 309.16, 0);
        b.quote(0, 309.14, 100, 309.16, 200);
        b.quote(0, 309.14, 400, 309.16, 200);
        b.quote(0, 309.14, 400, 309.17, 200);
        b.trade(1, 20.0, 10);
        let word = |r: &StreamResponse| match r {
            StreamResponse::TickByTick { req_id: 5, tick } => match tick {
                ByTick::Last(t) => format!("last {} {}", t.price, t.size),
                ByTick::AllLast(t) => format!("all {} {}", t.price, t.size),
                ByTick::BidAsk(t) => format!("quote {} {} {} {}", t.bid, t.ask, t.bid_size, t.ask_size),
                ByTick::MidPoint(t) => format!("mid {}", t.price),
            },
            other => panic!("{other:?}"),
        };
        let told: Vec<String> = streamed(&mut b).iter().map(word).collect();
        assert_eq!(told, expected, "{kind} {ignore_size}");
        assert_eq!(b.told(cancel(5, Stream::TickByTick)), []);
        b.trade(0, 309.16, 50);
        assert_eq!(streamed(&mut b), []);
        assert_eq!(codes(&b.told(cancel(5, Stream::TickByTick))), [300], "it is gone");
    }
}

#[test]
fn tick_by_tick_lines_are_few_and_past_ticks_come_first() {
    let mut b = with(|c| c.lines_max = 80);
    b.trade(0, 309.16, 50);
    b.run(1_500);
    b.trade(0, 309.15, 60);
    let told = b.told(by_tick(1, "Last", 1, false));
    let [Response::Stream(StreamResponse::HistoricalTicksLast { req_id: 1, ticks, done: true })] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(ticks.iter().map(|t| t.size).collect::<Vec<_>>(), [60.0]);
    assert_eq!(codes(&b.told(by_tick(1, "Last", 0, false))), [322], "the id is in use");
    for id in 2..=4 {
        assert_eq!(codes(&b.told(by_tick(id, "Last", 0, false))), NONE, "four of eighty lines");
    }
    let refused = errors(&b.told(by_tick(5, "Last", 0, false)));
    assert_eq!(refused, [(5, 10_190, "Max number of tick-by-tick requests has been reached".to_owned())]);
    assert_eq!(codes(&b.told(by_tick(6, "Trades", 0, false))), [321]);
    let mut few = with(|c| c.lines_max = 10);
    let refused: Vec<_> = (1..=4).map(|id| codes(&few.told(by_tick(id, "MidPoint", 0, false)))).collect();
    assert_eq!(refused, [vec![], vec![], vec![], vec![10_190]], "three at least");
}

/// The recorded refusals of an account without subscriptions.
#[test]
fn without_entitlement_streams_are_refused_as_recorded() {
    let mut b = entitled("C=delayed");
    let text = "Requested market data requires additional subscription for API. See link in 'Market Data Connections' \
                dialog for more details.";
    let last = format!("Failed to request tick-by-tick data.No market data permissions for ISLAND STK. {text}");
    for (req_id, kind, code, text) in [
        (1, "Last", 10_189, last.as_str()),
        (2, "AllLast", 10_089, text),
        (4, "BidAsk", 10_089, text),
        (5, "MidPoint", 10_089, text),
    ] {
        assert_eq!(errors(&b.told(by_tick(req_id, kind, 0, false))), [(req_id, code, text.to_owned())]);
    }
    let depth = Request::Stream(StreamRequest::Depth { req_id: 6, contract: contract(AAPL), rows: 5, smart: true });
    assert_eq!(codes(&b.told(depth)), [10_092]);
    assert_eq!(codes(&b.told(five_seconds(7, "TRADES"))), [420]);
    assert_eq!(codes(&b.told(history(8, contract(AAPL), "1 D", "1 min", "TRADES"))), [2_188], "recorded: nothing else");
}

fn depth(req_id: i32, exchange: &str, smart: bool) -> Request {
    let contract = Contract { exchange: exchange.into(), ..contract(AAPL) };
    Request::Stream(StreamRequest::Depth { req_id, contract, rows: 3, smart })
}

/// Applies operations to a client's copy of the book: asks, bids.
fn follow(book: &mut [Vec<(f64, f64)>; 2], all: &[StreamResponse]) {
    for r in all {
        let (StreamResponse::Depth { row, .. } | StreamResponse::DepthL2 { row, .. }) = r else { continue };
        let side = &mut book[usize::try_from(row.side).unwrap()];
        let at = usize::try_from(row.position).unwrap();
        match row.operation {
            0 => side.insert(at, (row.price, row.size)),
            1 => side[at] = (row.price, row.size),
            _ => drop(side.remove(at)),
        }
    }
}

#[test]
fn depth_follows_the_touch() {
    for (exchange, smart, makers) in [("SMART", true, true), ("ISLAND", false, true), ("ARCA", false, false)] {
        let mut b = with(|_| {});
        b.ask(1, depth(9, exchange, smart));
        let first = streamed(&mut b);
        let level_two = first.iter().all(
            |r| matches!(r, StreamResponse::DepthL2 { row, .. } if row.smart == smart && !row.market_maker.is_empty()),
        );
        let level_one =
            first.iter().all(|r| matches!(r, StreamResponse::Depth { row, .. } if row.market_maker.is_empty()));
        assert_eq!((level_two, level_one), (makers, !makers), "{exchange}: {first:?}");
        let mut copy = [Vec::new(), Vec::new()];
        follow(&mut copy, &first);
        let prices = |side: &[(f64, f64)]| side.iter().map(|l| l.0).collect::<Vec<_>>();
        assert_eq!(prices(&copy[0]), [309.16, 309.17, 309.18]);
        assert_eq!(prices(&copy[1]), [309.15, 309.14, 309.13]);
        assert_eq!((copy[0][0].1, copy[1][0].1), (200.0, 300.0), "the touch shows what the market shows");
        let before = copy[1].clone();
        b.quote(0, 309.14, 700, 309.16, 200);
        follow(&mut copy, &streamed(&mut b));
        assert_eq!(prices(&copy[1]), [309.14, 309.13, 309.12]);
        assert_eq!(copy[1][0].1, 700.0);
        b.quote(0, 309.15, 300, 309.16, 200);
        follow(&mut copy, &streamed(&mut b));
        assert_eq!(copy[1], before, "a level keeps its size");
        assert_eq!(b.told(cancel(9, Stream::Depth)), []);
        assert_eq!(codes(&b.told(cancel(9, Stream::Depth))), [310]);
    }
}

#[test]
fn depth_has_three_places_and_is_reset_after_a_halt() {
    let halt = concat!(env!("CARGO_MANIFEST_DIR"), "/faults/halt.toml");
    let mut b = with(|c| c.scenarios.push(Scenario::read(halt.as_ref()).unwrap()));
    assert_eq!(codes(&b.told(depth(1, "SMART", false))), [10_092], "not smart");
    for id in 1..=3 {
        assert_eq!(codes(&b.told(depth(id, "SMART", true))), NONE);
    }
    let refused = errors(&b.told(depth(4, "SMART", true)));
    assert_eq!(refused, [(4, 309, "Max number (3) of market depth requests has been reached".to_owned())]);
    let exchanges = b.told(Request::Stream(StreamRequest::DepthExchanges));
    let [Response::Stream(StreamResponse::DepthExchanges { exchanges })] = &exchanges[..] else {
        panic!("{exchanges:?}")
    };
    assert!(exchanges.iter().any(|e| e.exchange == "ISLAND" && e.sec_type == "STK"));
    // The scenario halts from the ninth second on, for thirty.
    let mut copy = [vec![(1.0, 1.0)], vec![(2.0, 2.0)]];
    b.seconds(38);
    assert_eq!(codes(&responses(&mut b)), NONE);
    b.seconds(2);
    let told = responses(&mut b);
    assert_eq!(codes(&told), [317; 3]);
    let first = |r: &Response| matches!(r, Response::Stream(StreamResponse::DepthL2 { req_id: 1, .. }));
    copy.iter_mut().for_each(Vec::clear);
    let rows: Vec<_> = told.into_iter().filter(first).collect();
    let rows: Vec<_> =
        rows.into_iter().filter_map(|r| if let Response::Stream(s) = r { Some(s) } else { None }).collect();
    follow(&mut copy, &rows);
    assert_eq!((copy[0].len(), copy[0][0]), (3, (309.16, 200.0)), "the book from its beginning");
}

fn five_seconds(req_id: i32, what_to_show: &str) -> Request {
    let (what_to_show, bar_size_s, use_rth) = (what_to_show.into(), 5, true);
    Request::Stream(StreamRequest::RealTimeBars { req_id, contract: contract(AAPL), bar_size_s, what_to_show, use_rth })
}

#[test]
fn five_second_bars_come_on_the_grid() {
    let mut b = with(|_| {});
    b.trade(0, 309.10, 10);
    b.run(2_000);
    for (id, what) in [(1, "TRADES"), (2, "BID"), (3, "MIDPOINT")] {
        b.ask(1, five_seconds(id, what));
    }
    assert_eq!(codes(&b.told(five_seconds(4, "VOLUME"))), [321]);
    // To the grid: the first bar is not whole.
    b.run(3_000);
    assert_eq!(streamed(&mut b), []);
    b.run(1_000);
    b.trade(0, 309.20, 30);
    b.trade(0, 309.12, 10);
    b.quote(0, 309.11, 100, 309.15, 100);
    b.run(4_000);
    b.trade(0, 309.99, 99);
    let bars = streamed(&mut b);
    let bar = |id: i32| {
        let mut found = bars.iter().filter_map(|r| match r {
            StreamResponse::RealTimeBar { req_id, bar } if *req_id == id => Some(bar),
            _ => None,
        });
        let one = found.next().unwrap().clone();
        assert!(found.next().is_none(), "one bar each");
        one
    };
    let at = start() + 5 * SECOND;
    let t = bar(1);
    assert_eq!((t.time, t.open, t.high, t.low, t.close), (at, 309.20, 309.20, 309.12, 309.12));
    assert_eq!((t.volume, t.count, t.wap), (40.0, 2, (309.20 * 30.0 + 309.12 * 10.0) / 40.0));
    let bid = bar(2);
    assert_eq!((bid.open, bid.high, bid.low, bid.close, bid.volume), (309.15, 309.15, 309.11, 309.11, -1.0));
    let mid = bar(3);
    assert_eq!((mid.open, mid.low, mid.close), (309.155, 309.13, 309.13));
    b.run(10_000);
    let quiet: Vec<_> = streamed(&mut b);
    assert_eq!(quiet.len(), 6, "bars come without events too: {quiet:?}");
    b.ask(1, cancel(1, Stream::RealTimeBars));
    b.run(5_000);
    assert_eq!(streamed(&mut b).len(), 2);
    let many: Vec<i32> = (10..75)
        .filter_map(|id| {
            b.seconds(1);
            codes(&b.told(five_seconds(id, "TRADES"))).first().copied()
        })
        .collect();
    assert_eq!(many, [420; 8], "sixty in ten minutes, three and the refused kind before them");
    b.seconds(6 * 3_600);
    let last = streamed(&mut b).into_iter().rev().find_map(|r| match r {
        StreamResponse::RealTimeBar { bar, .. } => Some(bar.time),
        _ => None,
    });
    assert_eq!(last, Some(Date(20_260_825).at(16, 0) - 5 * SECOND), "regular hours end them");
}

#[test]
fn historical_ticks_are_what_was_seen() {
    let mut b = with(|_| {});
    for (ms, price, size) in [(100, 309.16, 10), (800, 309.15, 20), (500, 309.16, 30), (900, 309.17, 40)] {
        b.run(ms);
        b.trade(0, price, size);
    }
    b.quote(0, 309.14, 100, 309.16, 200);
    b.quote(0, 309.14, 150, 309.16, 200);
    let ask = |req_id, start: &str, end: &str, number, what: &str, ignore_size| {
        Request::Stream(StreamRequest::HistoricalTicks {
            req_id,
            contract: contract(AAPL),
            start: start.into(),
            end: end.into(),
            number_of_ticks: number,
            what_to_show: what.into(),
            use_rth: true,
            ignore_size,
        })
    };
    let sizes = |all: Vec<Response>| match &all[..] {
        [Response::Stream(StreamResponse::HistoricalTicksLast { ticks, done: true, .. })] => {
            ticks.iter().map(|t| t.size).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    // Prints at 0.1, 0.9, 1.4 and 2.3 s after ten.
    assert_eq!(sizes(b.told(ask(1, "20260825 10:00:00 US/Eastern", "", 1, "TRADES", false))), [10.0, 20.0]);
    assert_eq!(sizes(b.told(ask(2, "", "20260825 10:00:02 US/Eastern", 1, "TRADES", false))), [30.0]);
    b.seconds(3);
    let bid_ask = b.told(ask(3, "", "20260825 10:01:00 US/Eastern", 1, "BID_ASK", true));
    let [Response::Stream(StreamResponse::HistoricalTicksBidAsk { ticks, .. })] = &bid_ask[..] else {
        panic!("{bid_ask:?}")
    };
    assert_eq!(ticks.iter().map(|t| (t.bid, t.bid_size)).collect::<Vec<_>>(), [(309.14, 100.0)], "one change of price");
    let mids = b.told(ask(4, "20260825 09:59:00 US/Eastern", "", 100, "MIDPOINT", false));
    let [Response::Stream(StreamResponse::HistoricalTicks { ticks, .. })] = &mids[..] else { panic!("{mids:?}") };
    assert_eq!(ticks.iter().map(|t| t.price).collect::<Vec<_>>(), [309.155, 309.15]);
    for (id, start, end, number, what) in [
        (5, "", "", 1, "TRADES"),
        (6, "20260825-14:00:00", "20260825-15:00:00", 1, "TRADES"),
        (7, "", "20260825-15:00:00", 0, "TRADES"),
        (8, "", "soon", 1, "TRADES"),
        (9, "", "20260825-15:00:00", 1, "VOLUME"),
    ] {
        b.seconds(3);
        assert_eq!(codes(&b.told(ask(id, start, end, number, what, false))), [321], "{id}");
    }
}

#[test]
fn head_time_stamp_histogram_and_day_bars() {
    let mut b = with(|_| {});
    b.trade(0, 309.16, 100);
    let head = |req_id, format_date| {
        let (contract, what_to_show) = (contract(AAPL), "TRADES".into());
        Request::Stream(StreamRequest::HeadTimestamp { req_id, contract, what_to_show, use_rth: true, format_date })
    };
    let first = start() - 30 * 60 * SECOND;
    let time = |all: Vec<Response>| match &all[..] {
        [Response::Stream(StreamResponse::HeadTimestamp { time, .. })] => time.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(time(b.told(head(1, 2))), first.secs().to_string());
    b.seconds(16);
    assert_eq!(time(b.told(head(2, 1))), "20260825-13:30:00");
    let histogram =
        StreamRequest::Histogram { req_id: 3, contract: contract(AAPL), use_rth: true, period: "1 day".into() };
    let told = b.told(Request::Stream(histogram));
    let [Response::Stream(StreamResponse::Histogram { points, .. })] = &told[..] else { panic!("{told:?}") };
    assert_eq!(*points, [(309.0, 30_000.0), (309.16, 100.0)]);
    let told = b.told(history(4, contract(AAPL), "1 D", "1 day", "TRADES"));
    let [Response::HistoricalData { bars, .. }, Response::HistoricalDataEnd { .. }] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((bars.len(), bars[0].time, bars[0].volume), (1, Date(20_260_825).at(0, 0), 30_100.0));
    let told = b.told(history(5, contract(AAPL), "1 D", "1 hour", "TRADES"));
    let Response::HistoricalData { bars, .. } = &told[0] else { panic!("{told:?}") };
    assert_eq!(bars[0].time, Date(20_260_825).at(9, 30), "recorded: the day's first hour begins with the bell");
    b.seconds(3);
    let told = b.told(history(6, contract(AAPL), "60 S", "5 secs", "TRADES"));
    let Response::HistoricalData { bars, .. } = &told[0] else { panic!("{told:?}") };
    assert_eq!((bars.len(), bars[0].time, bars[0].close), (1, start(), 309.16));
}

/// A recorded file of the reference data, or a line that says that it is not there.
fn recording(name: &str) -> Option<String> {
    let data = std::env::var_os("IBKR_TRADER_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let text = std::fs::read_to_string(data.join("ref").join(name)).ok();
    if text.is_none() {
        println!("skipped: ref/{name} is not there");
    }
    text
}

/// The recorded details of EUR.USD, field by field.
#[test]
fn the_recorded_pair_comes_back() {
    let Some(text) = recording("gateway_captures/contract_details_eurusd_cash.txt") else { return };
    let frames = text.lines().filter_map(|l| l.strip_prefix("raw server "));
    let bodies = frames.map(|l| base64::engine::general_purpose::STANDARD.decode(l.trim()).unwrap());
    let answers = bodies.map(|b| peer::decode_response(split_id(&b[4..]).unwrap()).unwrap());
    let recorded = answers.into_iter().find(|r| matches!(r, Response::ContractData { .. })).unwrap();
    let mut b = Bench::with(Date(20_260_824).at(10, 0), |c| c.delays = Delays::NONE);
    b.log_in(1);
    assert_eq!(b.told(Request::ReqContractDetails { req_id: 1, contract: pair() })[0], recorded);
}

/// The recorded schedule: 21 sessions, asked on a Saturday.
#[test]
fn the_recorded_schedule_comes_back() {
    let Some(text) = recording("gateway_transcripts/historical_schedule_aapl.txt") else { return };
    let line = text.lines().find_map(|l| l.strip_prefix("server historical_schedule ")).unwrap();
    let recorded: serde_json::Value = serde_json::from_str(line).unwrap();
    let mut b = Bench::with(Date(20_260_413).at(10, 0), |c| c.delays = Delays::NONE);
    b.log_in(1);
    let Request::ReqHistoricalData { req_id, contract, duration, bar_size, what_to_show, use_rth, format_date, .. } =
        history(1, contract(AAPL), "1 M", "1 day", "SCHEDULE")
    else {
        panic!()
    };
    let (end, keep_up_to_date) = ("20260411 12:00:00 US/Eastern".into(), false);
    let told = b.told(Request::ReqHistoricalData {
        req_id,
        contract,
        end,
        duration,
        bar_size,
        what_to_show,
        use_rth,
        format_date,
        keep_up_to_date,
    });
    let [Response::Stream(StreamResponse::Schedule { start, end, time_zone, sessions, .. })] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(
        (start.as_str(), end.as_str(), time_zone.as_str()),
        (
            recorded["start_date_time"].as_str().unwrap(),
            recorded["end_date_time"].as_str().unwrap(),
            recorded["time_zone"].as_str().unwrap()
        )
    );
    let ours: Vec<_> = sessions.iter().map(|s| [s.start.as_str(), s.end.as_str(), s.ref_date.as_str()]).collect();
    let field = |v: &serde_json::Value, name: &str| v[name].as_str().unwrap().to_owned();
    let theirs = recorded["sessions"].as_array().unwrap().iter();
    let theirs: Vec<_> =
        theirs.map(|s| [field(s, "start_date_time"), field(s, "end_date_time"), field(s, "ref_date")]).collect();
    assert_eq!(ours, theirs.iter().map(|s| [s[0].as_str(), s[1].as_str(), s[2].as_str()]).collect::<Vec<_>>());
}

#[test]
fn bars_are_kept_up_to_date() {
    let mut b = with(|_| {});
    b.trade(0, 309.10, 10);
    b.run(1_000);
    let Request::ReqHistoricalData { req_id, contract, duration, bar_size, what_to_show, use_rth, format_date, .. } =
        history(1, contract(AAPL), "1 D", "1 min", "TRADES")
    else {
        panic!()
    };
    let ask = |end: &str| Request::ReqHistoricalData {
        req_id,
        contract: contract.clone(),
        end: end.into(),
        duration: duration.clone(),
        bar_size: bar_size.clone(),
        what_to_show: what_to_show.clone(),
        use_rth,
        format_date,
        keep_up_to_date: true,
    };
    assert_eq!(codes(&b.told(ask("20260825-15:00:00"))), [321], "an end leaves nothing to keep up");
    let told = b.told(ask(""));
    assert!(matches!(told[..], [Response::HistoricalData { .. }, Response::HistoricalDataEnd { .. }]), "{told:?}");
    b.run(5_000);
    assert_eq!(streamed(&mut b), [], "nothing changed");
    b.run(1_000);
    b.trade(0, 309.30, 20);
    b.run(54_000);
    b.trade(0, 309.05, 30);
    b.run(5_000);
    let told = streamed(&mut b);
    let seen = |r: &StreamResponse| match r {
        StreamResponse::BarUpdate { req_id: 1, bar, format_date: 2 } => {
            (bar.time - start(), bar.high, bar.close, bar.volume)
        }
        other => panic!("{other:?}"),
    };
    let minute = 60 * SECOND;
    assert_eq!(told.iter().map(seen).collect::<Vec<_>>(), [(0, 309.30, 309.30, 30.0), (minute, 309.05, 309.05, 30.0)]);
    b.ask(1, Request::CancelHistoricalData { req_id: 1 });
    b.trade(0, 309.05, 30);
    b.run(10_000);
    assert_eq!(streamed(&mut b), []);
}

#[test]
fn history_is_paced() {
    // Each is answered after two minutes, so that fifty stay open.
    let way = 60 * SECOND;
    let mut b = with(|c| c.delays = Delays { min: way, max: way, ..Delays::NONE });
    b.trade(0, 309.16, 10);
    for i in 0..52 {
        b.seconds(1);
        b.ask(1, history(i, contract(AAPL), &format!("{} S", 600 + i), "1 min", "TRADES"));
    }
    b.seconds(200);
    assert_eq!(codes(&responses(&mut b)), [322, 322]);
    // Bars of 30 s and less: sixty in ten minutes.
    let mut b = with(|_| {});
    b.trade(0, 309.16, 10);
    let mut refused = Vec::new();
    for i in 0..62 {
        b.seconds(1);
        b.trade(0, 309.16, 10);
        refused.extend(codes(&b.told(history(i, contract(AAPL), &format!("{} S", 60 + i), "5 secs", "TRADES"))));
    }
    assert_eq!(refused, [162, 162]);
    b.seconds(600);
    b.trade(0, 309.16, 10);
    b.run(1);
    assert_eq!(codes(&b.told(history(99, contract(AAPL), "60 S", "5 secs", "TRADES"))), NONE);
}

fn kinds(all: &[Response]) -> Vec<i32> {
    let kind = |r: &Response| match r {
        Response::TickPrice { tick_type, .. }
        | Response::TickSize { tick_type, .. }
        | Response::TickGeneric { tick_type, .. }
        | Response::TickString { tick_type, .. } => Some(*tick_type),
        _ => None,
    };
    all.iter().filter_map(kind).collect()
}

/// As recorded: type 3, the notice, the day's ticks, the last print, the quote; here 15 minutes late.
#[test]
fn delayed_data_is_what_was_published_a_quarter_of_an_hour_ago() {
    let mut b = entitled("C=delayed");
    b.trade(0, 309.16, 100);
    let refused = errors(&b.told(quotes(1, contract(AAPL), "", false)));
    assert_eq!(refused[0].1, 10_089, "{refused:?}");
    assert!(refused[0].2.ends_with("Delayed market data is available.AAPL NASDAQ.NMS/TOP/ALL"), "{refused:?}");
    assert_eq!(b.told(Request::ReqMarketDataType { market_data_type: 3 }), []);
    assert_eq!(codes(&b.told(Request::ReqMarketDataType { market_data_type: 5 })), [321]);
    let told = b.told(quotes(1, contract(AAPL), "233,236", false));
    // Recorded: who was refused before is told the type first, and not again that it is late.
    assert_eq!(told[0], Response::MarketDataType { req_id: 1, market_data_type: 3 });
    assert!(matches!(told[1], Response::TickReqParams { snapshot_permissions: 4, .. }), "{told:?}");
    assert!(codes(&told).is_empty(), "{told:?}");
    let mut fresh = entitled("C=delayed");
    assert_eq!(fresh.told(Request::ReqMarketDataType { market_data_type: 3 }), []);
    let first = fresh.told(quotes(1, contract(AAPL), "", false));
    assert!(matches!(first[0], Response::TickReqParams { snapshot_permissions: 4, .. }), "{first:?}");
    assert_eq!(first[1], Response::MarketDataType { req_id: 1, market_data_type: 3 });
    assert_eq!(codes(&first), [10_167]);
    // The minutes of the morning until a quarter to ten.
    assert_eq!(kinds(&told), [46, 89, 72, 73, 74, 75, 76, 68, 88]);
    b.out.clear();
    b.seconds(14 * 60 + 59);
    let minutes = kinds(&responses(&mut b));
    assert!(minutes.iter().all(|k| [68, 88, 74].contains(k)) && minutes.len() == 14 * 3, "{minutes:?}");
    b.seconds(2);
    let now = kinds(&responses(&mut b));
    assert!(now.contains(&66) && now.contains(&67) && now.contains(&68) && !now.contains(&1), "{now:?}");
    let told = b.told(quotes(2, contract(AAPL), "", true));
    assert_eq!(kinds(&told), [72, 73, 74, 75, 76, 68, 88, 66, 67], "the order recorded");
    assert_eq!(told.last(), Some(&Response::TickSnapshotEnd { req_id: 2 }));
    // The account's other networks stay live, and live data is given to who asks for delayed data.
    let mut b = entitled("A=none");
    assert_eq!(b.told(Request::ReqMarketDataType { market_data_type: 3 }), []);
    let told = b.told(quotes(1, contract(AAPL), "", true));
    assert_eq!(told[1], Response::MarketDataType { req_id: 1, market_data_type: 1 });
    assert_eq!(codes(&entitled("C=none").told(quotes(1, contract(AAPL), "", false))), [354]);
}

#[test]
fn frozen_data_is_told_after_the_close() {
    let mut b = with(|_| {});
    b.ask(1, Request::ReqMarketDataType { market_data_type: 2 });
    let kind = |told: Vec<Response>| match told[1] {
        Response::MarketDataType { market_data_type, .. } => market_data_type,
        ref other => panic!("{other:?}"),
    };
    assert_eq!(kind(b.told(quotes(1, contract(AAPL), "", true))), 1);
    b.seconds(6 * 3_600);
    assert_eq!(kind(b.told(quotes(2, contract(AAPL), "", true))), 2);
    b.ask(1, Request::ReqMarketDataType { market_data_type: 1 });
    assert_eq!(kind(b.told(quotes(3, contract(AAPL), "", true))), 1);
}

#[test]
fn generic_ticks_are_known_or_refused() {
    let mut b = with(|_| {});
    let told = b.told(quotes(1, contract(AAPL), "100,165,233,236", false));
    assert_eq!(codes(&told), NONE, "what there is no data for is taken and draws nothing");
    assert_eq!(kinds(&told)[..2], [46, 89]);
    b.trade(0, 309.16, 100);
    b.run(250);
    let told = responses(&mut b);
    let volume = told.iter().find_map(|r| match r {
        Response::TickString { tick_type: 48, value, .. } => Some(value.clone()),
        _ => None,
    });
    let ms = start().0 / MILLISECOND;
    // 30,000 shares at 309 before the window.
    let micros = (309_000_000_i64 * 30_000 + 309_160_000 * 100) / 30_100;
    let mean = format!("{}.{:06}00", micros / 1_000_000, micros % 1_000_000);
    assert_eq!(volume, Some(format!("309.16;100;{ms};301;{mean};true")));
    let refused = errors(&b.told(quotes(2, contract(AAPL), "233,999", false)));
    assert_eq!(refused[0].1, 321);
    assert!(refused[0].2.contains("Incorrect generic tick list of 233,999"), "{refused:?}");
    let refused = errors(&b.told(quotes(3, contract(AAPL), "233", true)));
    assert!(refused[0].2.ends_with("Snapshot market data subscription is not applicable to generic ticks"));
    // A line that was given up may be asked again.
    assert_eq!(b.told(Request::CancelMktData { req_id: 1 }), []);
    b.trade(0, 309.17, 100);
    b.run(250);
    assert_eq!(kinds(&responses(&mut b)), Vec::<i32>::new());
    assert_eq!(codes(&b.told(quotes(1, contract(AAPL), "", false))), NONE);
}

#[test]
fn without_sampling_every_event_is_sent() {
    for (sampling, lasts) in [(250 * MILLISECOND, 1), (0, 5)] {
        let mut b = with(|c| c.sample_period = sampling);
        b.ask(1, quotes(1, contract(AAPL), "", false));
        b.out.clear();
        for _ in 0..5 {
            b.run(10);
            b.trade(0, 309.16, 100);
        }
        b.run(250);
        let told = kinds(&responses(&mut b));
        assert_eq!(told.iter().filter(|k| **k == 4).count(), lasts, "{told:?}");
    }
}

#[test]
fn rows_by_account_follow_positions() {
    let mut b = with(|_| {});
    let positions = |req_id, account: &str, model: &str| {
        let (account, model) = (account.into(), model.into());
        Request::Lookup(LookupRequest::PositionsMulti { req_id, account, model })
    };
    assert_eq!(b.told(positions(1, ACCOUNT, "")), [Response::Lookup(LookupResponse::PositionMultiEnd { req_id: 1 })]);
    assert_eq!(codes(&b.told(positions(2, "U1", ""))), [321]);
    assert_eq!(codes(&b.told(positions(2, ACCOUNT, "growth"))), [321], "there are no models");
    let updates = |req_id, ledger| {
        let (account, model) = (String::new(), String::new());
        Request::Lookup(LookupRequest::AccountUpdatesMulti { req_id, account, model, ledger })
    };
    let all = b.told(updates(3, false));
    let ledger = b.told(updates(4, true));
    assert!(ledger.len() < all.len() && ledger.len() > 5, "{} of {}", ledger.len(), all.len());
    assert_eq!(all.last(), Some(&Response::Lookup(LookupResponse::AccountUpdateMultiEnd { req_id: 3 })));
    let net = |r: &Response| matches!(r, Response::Lookup(LookupResponse::AccountUpdateMulti { key, account, .. }) if key == "NetLiquidation" && account == ACCOUNT);
    assert!(all.iter().any(net) && ledger.iter().any(net));
    b.out.clear();
    b.place(1, market(Side::Buy, 100));
    let told = responses(&mut b);
    let held = told.iter().any(|r| matches!(r, Response::Lookup(LookupResponse::PositionMulti { req_id: 1, position, .. }) if *position == 100.0));
    assert!(held && told.iter().any(net), "a fill changes both: {told:?}");
    for request in [
        LookupRequest::CancelPositionsMulti { req_id: 1 },
        LookupRequest::CancelAccountUpdatesMulti { req_id: 3 },
        LookupRequest::CancelAccountUpdatesMulti { req_id: 4 },
    ] {
        assert_eq!(b.told(Request::Lookup(request)), []);
    }
    b.place(1, market(Side::Sell, 100));
    assert!(!responses(&mut b).iter().any(|r| matches!(r, Response::Lookup(_))));
}

#[test]
fn look_ups_answer() {
    let mut b = with(|_| {});
    let mut found = |pattern: &str| {
        let pattern = pattern.into();
        let told = b.told(Request::Lookup(LookupRequest::MatchingSymbols { req_id: 1, pattern }));
        let [Response::Lookup(LookupResponse::SymbolSamples { matches, .. })] = &told[..] else { panic!("{told:?}") };
        matches.iter().map(|m| format!("{} {}", m.contract.symbol, m.contract.sec_type)).collect::<Vec<_>>()
    };
    assert_eq!(found("aap"), ["AAPL STK"]);
    assert_eq!(found("eur"), ["EUR CASH"]);
    assert_eq!(found(""), Vec::<String>::new());
    let Response::TickReqParams { bbo_exchange, .. } = &b.told(quotes(1, contract(AAPL), "", true))[0] else {
        panic!()
    };
    let components = |b: &mut Bench, map: &str| {
        let bbo_exchange = map.into();
        let told = b.told(Request::Lookup(LookupRequest::SmartComponents { req_id: 2, bbo_exchange }));
        match &told[..] {
            [Response::Lookup(LookupResponse::SmartComponents { components, .. })] => {
                components.iter().map(|c| c.exchange.clone()).collect::<Vec<_>>()
            }
            other => vec![format!("{:?}", codes(other))],
        }
    };
    let all = components(&mut b, bbo_exchange);
    assert!(["NASDAQ", "NYSE", "ARCA"].iter().all(|e| all.iter().any(|c| c == e)), "{all:?}");
    assert_eq!(components(&mut b, "zz"), ["[321]"]);
    let mut partial = entitled("C=partial");
    let Response::TickReqParams { bbo_exchange, .. } = &partial.told(quotes(1, contract(AAPL), "", true))[0] else {
        panic!()
    };
    let best = |b: &mut Bench, id| {
        let told = b.told(quotes(id, contract(AAPL), "", true));
        let price = |kind: i32| {
            told.iter().find_map(|r| match r {
                Response::TickPrice { tick_type, price, .. } if *tick_type == kind => Some(*price),
                _ => None,
            })
        };
        (price(1), price(2))
    };
    b.run(250);
    partial.run(250);
    assert_eq!(best(&mut b, 8), (Some(309.15), Some(309.16)));
    assert_eq!(best(&mut partial, 8), (Some(309.14), Some(309.17)), "a tick worse than the best");
    let free = components(&mut partial, bbo_exchange);
    assert!(!free.is_empty() && !free.iter().any(|e| e == "NASDAQ"), "not consolidated: {free:?}");

    b.run(7);
    let told = b.told(Request::Lookup(LookupRequest::CurrentTimeInMillis));
    assert_eq!(told, [Response::Lookup(LookupResponse::CurrentTimeInMillis { time: start() + 257 * MILLISECOND })]);
    for request in [
        LookupRequest::Config { req_id: 3 },
        LookupRequest::UserInfo { req_id: 3 },
        LookupRequest::FamilyCodes,
        LookupRequest::SoftDollarTiers { req_id: 3 },
    ] {
        let told = b.told(Request::Lookup(request));
        assert!(matches!(told[..], [Response::Lookup(_)]), "{told:?}");
    }
}

#[test]
fn pairs_and_indices_are_quoted_and_not_traded() {
    let mut b = with(|_| {});
    let told = b.told(Request::ReqContractDetails { req_id: 1, contract: pair() });
    let Response::ContractData { details, .. } = &told[0] else { panic!("{told:?}") };
    assert_eq!((details.contract.con_id, details.min_tick, details.agg_group), (12_087_792, 0.000_05, 4));
    assert_eq!((details.contract.local_symbol.as_str(), details.market_rule_ids.as_str()), ("EUR.USD", "3188"));
    let told = b.told(Request::ReqMarketRule { market_rule_id: 3_188 });
    assert_eq!(told, [Response::MarketRule { market_rule_id: 3_188, increments: vec![(0.0, 0.000_05)] }]);
    let told = b.told(quotes(1, pair(), "", false));
    assert_eq!(kinds(&told), [1, 2, 9]);
    let told = b.told(quotes(2, index(), "", false));
    assert_eq!(kinds(&told), [4, 9]);
    b.out.clear();
    b.seconds(30);
    let seen = kinds(&responses(&mut b));
    assert!(seen.contains(&4) && (seen.contains(&0) || seen.contains(&1)), "they move: {seen:?}");
    b.ask(1, Request::CancelMktData { req_id: 1 });
    b.ask(1, Request::CancelMktData { req_id: 2 });
    b.seconds(2);
    b.out.clear();
    b.seconds(10);
    assert_eq!(responses(&mut b), []);

    let told = b.told(history(3, pair(), "1 D", "1 hour", "MIDPOINT"));
    let Response::HistoricalData { bars, .. } = &told[0] else { panic!("{told:?}") };
    assert_eq!((bars.len(), bars[0].volume), (25, -1.0));
    assert!(bars.iter().all(|b| b.low <= b.open && b.close <= b.high && b.close > 1.0 && b.close < 1.4));
    assert_eq!(codes(&b.told(history(4, pair(), "1 D", "1 hour", "TRADES"))), [162]);
    let told = b.told(history(5, index(), "1 D", "5 mins", "TRADES"));
    assert!(matches!(told[0], Response::HistoricalData { .. }), "{told:?}");

    let order = limit(Side::Buy, 100, 1.1);
    for (id, contract) in [(900, pair()), (901, index())] {
        let order = ibkr_trader::sim::api::Order { order_id: id, ..order.clone() };
        assert_eq!(codes(&b.told(Request::PlaceOrder { contract, order })), [200]);
    }
    // The same seed gives the same levels.
    let mut again = with(|_| {});
    let first = with(|_| {}).told(quotes(1, pair(), "", true));
    assert_eq!(again.told(quotes(1, pair(), "", true)), first);
}

#[test]
fn a_pair_streams_tick_by_tick() {
    let mut b = with(|_| {});
    let kind = "BidAsk".into();
    let contract = pair();
    b.ask(
        1,
        Request::Stream(StreamRequest::TickByTick {
            req_id: 1,
            contract,
            kind,
            number_of_ticks: 0,
            ignore_size: false,
        }),
    );
    b.seconds(20);
    let told = streamed(&mut b);
    let sane = |r: &StreamResponse| matches!(r, StreamResponse::TickByTick { tick: ByTick::BidAsk(t), .. } if t.ask > t.bid && t.bid > 1.0);
    assert!(told.len() >= 15 && told.iter().all(sane), "{told:?}");
}

#[test]
fn streams_end_with_their_connection() {
    let mut b = with(|_| {});
    b.ask(1, by_tick(1, "Last", 0, false));
    b.ask(1, five_seconds(2, "TRADES"));
    b.ask(1, Request::Disconnected);
    b.out.clear();
    b.trade(0, 309.16, 100);
    b.seconds(10);
    assert_eq!(responses(&mut b), []);
}
