//! A fixture derived from the conversation itself: the account from managedAccounts, contracts from the answers that name
//! them, prices from ticks, fills and portfolio rows, positions, farms, orders that stand from before, whether the account
//! may see real-time data, and the clock.

use std::collections::{BTreeMap, BTreeSet};

use super::fields::Message;
use super::fixture::{Fill, Fixture, Held, Traded};
use super::recording::{Recording, Step};
use crate::clock::{HOUR, MILLISECOND, SessionTime};
use crate::domain::Side;
use crate::domain::calendar::{Date, next_trading_day, regular_hours};
use crate::sim::api::{Contract, Order, Request, StreamRequest};

/// Errors that an account without real-time data draws.
const NOT_ENTITLED: &[i64] = &[354, 420, 10_089, 10_090, 10_092, 10_167, 2_188, 10_168, 10_186, 10_187, 10_189];
/// Connection states of IB's farms.
pub(super) const FARM_CODES: &[i64] = &[2_103, 2_104, 2_105, 2_106, 2_107, 2_108, 2_119, 2_157, 2_158];
/// Where a message tells of a contract: message, prefix.
const CONTRACTS: &[(i32, &str)] = &[(5, "2."), (7, "1."), (10, "2."), (11, "2."), (61, "2."), (71, "3."), (101, "1.")];
/// A rate of exchange where nothing tells one.
const RATE_UNKNOWN: f64 = 0.9;
/// A price where nothing tells one, USD.
const PRICE_UNKNOWN: f64 = 100.0;

/// What a conversation tells about the world that it happened in.
pub(super) fn derive(recording: &Recording) -> Fixture {
    let (contracts, foreign) = contracts(recording);
    let account = recording.answers().find(|m| m.id == 15).map(|m| m.text("1"));
    let account = account.and_then(|a| a.split(',').find(|a| !a.is_empty())).unwrap_or("DU9000001").to_string();
    let base_currency = base_currency(recording);
    let errors: BTreeSet<i64> = recording.answers().filter(|m| m.id == 4).filter_map(|m| m.int("3")).collect();
    Fixture {
        account,
        cash: 1_000_000.0,
        base_per_usd: base_per_usd(recording, &base_currency),
        base_currency,
        start: start(recording, &errors),
        entitled: !errors.iter().any(|e| NOT_ENTITLED.contains(e)) && !lacks_history(recording),
        client_ids: client_ids(recording),
        positions: positions(recording, &contracts),
        farms: farms(recording),
        executions_end_when_empty: !executions_without_end(recording),
        standing: standing(recording),
        fills: fills(recording),
        own_orders: own_orders(recording),
        beyond: beyond(recording, &foreign),
        unserved: recording.requests().any(|r| matches!(r, Request::Unserved { .. })),
        contracts,
        foreign,
    }
}

/// Error 162 for want of a subscription.
fn lacks_history(recording: &Recording) -> bool {
    let mut refused = recording.answers().filter(|m| m.id == 4 && m.int("3") == Some(162));
    refused.any(|m| m.text("4").contains("permission") || m.text("4").contains("subscription"))
}

fn executions_without_end(recording: &Recording) -> bool {
    let asked = recording.requests().any(|r| matches!(r, Request::ReqExecutions { .. }));
    asked && !recording.answers().any(|m| m.id == 55)
}

/// The currency of the account's rows and margins.
fn base_currency(recording: &Recording) -> String {
    let told = recording.answers().filter_map(|m| match m.id {
        63 => Some(m.text("5")),
        6 if m.text("1") == "NetLiquidation" => Some(m.text("3")),
        5 => Some(m.text("4.15")),
        _ => None,
    });
    let mut told = told.filter(|c| c.len() == 3 && *c != "BASE");
    told.next().unwrap_or("USD").to_string()
}

/// What a dollar costs in the account's currency, as its exchange-rate rows tell.
fn base_per_usd(recording: &Recording, base: &str) -> f64 {
    let rate = |m: &&Message| m.id == 6 && m.text("1") == "ExchangeRate" && m.text("3") == "USD";
    let told = recording.answers().find(rate).and_then(|m| m.number("2")).filter(|r| *r > 0.0);
    told.unwrap_or(if base == "USD" { 1.0 } else { RATE_UNKNOWN })
}

/// Farm notices of the first log-in.
fn farms(recording: &Recording) -> Vec<(i32, String)> {
    let before_asking = recording.steps.iter().take_while(|s| !matches!(s, Step::Client(_) | Step::Disconnect));
    let notices = before_asking.filter_map(|s| match s {
        Step::Server(m) if m.id == 4 => Some((m.int("3")?, m.text("4").to_string())),
        _ => None,
    });
    let farms = notices.filter(|(code, _)| FARM_CODES.contains(code));
    farms.filter_map(|(code, text)| Some((i32::try_from(code).ok()?, text))).collect()
}

/// When the gateway spoke, where a message tells.
pub(super) fn time_of(m: &Message) -> Option<SessionTime> {
    match m.id {
        4 => m.number("2").filter(|ms| *ms > 0.0).map(from_millis),
        49 => m.number("1").filter(|s| *s > 0.0).map(|s| from_millis(s * 1e3)),
        _ => None,
    }
}

#[allow(clippy::cast_possible_truncation, reason = "milliseconds since 1970 have 41 bits")]
fn from_millis(ms: f64) -> SessionTime {
    SessionTime(ms as i64 * MILLISECOND)
}

/// The conversation's start on a day that the calendar knows. A gateway's own time counts for more than the handshake's
/// zone, and what it says of the hours counts for more than both.
fn start(recording: &Recording, errors: &BTreeSet<i64>) -> SessionTime {
    let said = recording.answers().find_map(time_of);
    let shaken = recording.steps.iter().find_map(|s| match s {
        Step::Connect { time, .. } => *time,
        _ => None,
    });
    let usual = Date(20_260_825).at(10, 0);
    let start = said.or(shaken).unwrap_or(usual);
    let date = Date::new_york(start);
    let known = regular_hours(date).or_else(|| next_trading_day(date).and_then(regular_hours));
    let Some(hours) = known else { return usual };
    let in_hours = start >= hours.open && start < hours.close;
    let waits =
        recording.answers().any(|m| m.id == 4 && m.text("4").contains("will not be placed at the exchange until"));
    if in_hours && waits && errors.contains(&399) { hours.close + HOUR } else { start }
}

/// The client's id on each connection: from orders that it sent there, else from any, else the connection's before.
fn client_ids(recording: &Recording) -> Vec<i32> {
    let mut ids = Vec::new();
    let mut legs: Vec<Vec<&Step>> = Vec::new();
    for step in &recording.steps {
        match step {
            Step::Connect { .. } => legs.push(Vec::new()),
            step => legs.last_mut().into_iter().for_each(|l| l.push(step)),
        }
    }
    for leg in legs {
        let asked = leg.iter().find_map(|s| match s {
            Step::Client(r) => match **r {
                Request::StartApi { client_id } => Some(client_id),
                _ => None,
            },
            _ => None,
        });
        let statuses = leg.iter().rev().filter_map(|s| match s {
            Step::Server(m) if m.id == 3 => m.number("9"),
            Step::Server(m) if m.id == 5 => m.number("3.1"),
            _ => None,
        });
        let told = statuses.into_iter().next().map(whole).and_then(|id| i32::try_from(id).ok());
        ids.push(asked.or(told).or(ids.last().copied()).unwrap_or(1));
    }
    ids
}

#[allow(clippy::cast_possible_truncation, reason = "ids and share counts")]
fn whole(x: f64) -> i64 {
    x as i64
}

/// US stocks that the conversation speaks of, with a market; and the ids of other contracts.
fn contracts(recording: &Recording) -> (Vec<Traded>, BTreeSet<i64>) {
    let mut stocks: BTreeMap<String, Traded> = BTreeMap::new();
    let mut foreign = BTreeSet::new();
    for m in recording.answers() {
        let Some((_, prefix)) = CONTRACTS.iter().find(|(id, _)| *id == m.id) else { continue };
        let at = |field: &str| m.text(&format!("{prefix}{field}")).to_string();
        let con_id = m.number(&format!("{prefix}1")).map_or(0, whole);
        if !is_stock(&at("3"), &at("10")) {
            if !is_quoted(&at("3")) {
                foreign.insert(con_id);
            }
            continue;
        }
        note(&mut stocks, &at("2"), con_id, &at("9"), &at("12"));
    }
    let refused: BTreeSet<i64> =
        recording.answers().filter(|m| m.id == 4 && m.int("3") == Some(200)).filter_map(|m| m.int("1")).collect();
    for (id, c) in recording.requests().filter_map(about) {
        if is_foreign(c) {
            foreign.insert(i64::from(c.con_id));
        } else if is_quoted(&c.sec_type) {
            // The gateway has its own.
        } else if !refused.contains(&i64::from(id)) {
            note(&mut stocks, &c.symbol, i64::from(c.con_id), &c.primary_exchange, &c.trading_class);
        }
    }
    if stocks.is_empty() {
        note(&mut stocks, "AAPL", 265_598, "NASDAQ", "NMS");
    }
    let mut list: Vec<Traded> = stocks.into_values().collect();
    for (i, c) in (0..).zip(&mut list) {
        if c.con_id == 0 {
            c.con_id = 890_000_000 + i;
        }
        if c.primary_exchange.is_empty() {
            c.primary_exchange = "NASDAQ".into();
        }
        price(recording, c);
    }
    (list, foreign)
}

/// Streams about contracts that are no US stocks (P&L requests name a contract by its id), and of requests that are not
/// served.
fn beyond(recording: &Recording, foreign: &BTreeSet<i64>) -> BTreeSet<String> {
    let streams = recording.requests().filter_map(|r| match r {
        Request::PlaceOrder { contract, order } if is_foreign(contract) => Some(format!("order {}", order.order_id)),
        Request::ReqPnlSingle { req_id, con_id, .. } if foreign.contains(&i64::from(*con_id)) => {
            Some(format!("request {req_id}"))
        }
        Request::Unserved { req_id, .. } if *req_id >= 0 => Some(format!("request {req_id}")),
        r => about(r).and_then(|(id, c)| is_foreign(c).then(|| format!("request {id}"))),
    });
    streams.collect()
}

/// Neither a US stock nor of a kind that the gateway quotes.
fn is_foreign(c: &Contract) -> bool {
    !is_stock(&c.sec_type, &c.currency) && !is_quoted(&c.sec_type)
}

/// A stock that trades in dollars.
fn is_stock(sec_type: &str, currency: &str) -> bool {
    matches!(sec_type, "STK" | "") && matches!(currency, "USD" | "")
}

/// Pairs of currencies and indices: the gateway has some of its own.
fn is_quoted(sec_type: &str) -> bool {
    matches!(sec_type, "CASH" | "IND")
}

/// The request or order id and the contract that a request names.
fn about(r: &Request) -> Option<(i32, &Contract)> {
    match r {
        Request::PlaceOrder { contract, order } => Some((order.order_id, contract)),
        Request::ReqMktData { req_id, contract, .. }
        | Request::ReqHistoricalData { req_id, contract, .. }
        | Request::ReqContractDetails { req_id, contract }
        | Request::Stream(
            StreamRequest::TickByTick { req_id, contract, .. }
            | StreamRequest::Depth { req_id, contract, .. }
            | StreamRequest::RealTimeBars { req_id, contract, .. }
            | StreamRequest::HistoricalTicks { req_id, contract, .. }
            | StreamRequest::HeadTimestamp { req_id, contract, .. }
            | StreamRequest::Histogram { req_id, contract, .. },
        ) => Some((*req_id, contract)),
        _ => None,
    }
}

fn note(stocks: &mut BTreeMap<String, Traded>, symbol: &str, con_id: i64, primary: &str, class: &str) {
    if symbol.is_empty() {
        return;
    }
    let c = stocks.entry(symbol.into()).or_default();
    c.symbol = symbol.into();
    if c.con_id == 0 {
        c.con_id = i32::try_from(con_id).unwrap_or(0);
    }
    if !primary.is_empty() {
        c.primary_exchange = primary.into();
    } else if c.primary_exchange.is_empty() && !class.is_empty() {
        c.primary_exchange = if class == "NMS" { "NASDAQ".into() } else { "NYSE".into() };
    }
}

/// The market of a contract: from ticks of requests for it, else from fills, portfolio rows and bars, else between the
/// prices of orders that did not fill.
fn price(recording: &Recording, c: &mut Traded) {
    let of_it = |(_, asked): &(i32, &Contract)| asked.con_id == c.con_id || asked.symbol == c.symbol;
    let mine: BTreeSet<i64> =
        recording.requests().filter_map(about).filter(of_it).map(|(id, _)| i64::from(id)).collect();
    let tick = |types: &[i64]| {
        let of = |m: &&Message| m.id == 1 && m.int("1").is_some_and(|id| mine.contains(&id));
        let found = recording.answers().filter(of).find(|m| m.int("2").is_some_and(|t| types.contains(&t)));
        found.and_then(|m| m.number("3")).filter(|p| *p > 0.0)
    };
    let traded = recording.answers().find_map(|m| match m.id {
        11 if m.number("2.1").map(whole) == Some(i64::from(c.con_id)) => m.number("3.8"),
        11 if m.partial && m.text("2.2") == c.symbol => m.number("3.8"),
        7 if m.number("1.1").map(whole) == Some(i64::from(c.con_id)) => m.number("3"),
        17 if m.int("1").is_some_and(|id| mine.contains(&id)) => m.number("2.5"),
        _ => None,
    });
    let (bid, ask) = (tick(&[1, 66]), tick(&[2, 67]));
    let last = tick(&[4, 68]).or(traded).or(bid).or(ask).or(tick(&[9, 75])).unwrap_or_else(|| between(recording));
    c.bid = bid.unwrap_or(cents(ask.unwrap_or(last) - 0.01));
    c.ask = ask.unwrap_or(cents(c.bid + 0.02));
    c.close = tick(&[9, 75]).unwrap_or(last);
    // A snapshot without a tick: the gateway had nothing to show.
    let asked = recording.requests().any(|r| matches!(r, Request::ReqMktData { .. }));
    c.quoted = !asked || tick(&[1, 2, 4, 9, 66, 67, 68, 75]).is_some();
}

fn cents(x: f64) -> f64 {
    (x * 100.0).round() / 100.0
}

/// A price above every buy limit and sell stop, below every sell limit and buy stop, of orders that did not fill.
fn between(recording: &Recording) -> f64 {
    let filled: BTreeSet<i64> =
        recording.answers().filter(|m| m.id == 11).filter_map(|m| m.number("3.1").map(whole)).collect();
    let (mut low, mut high) = (0.0_f64, f64::INFINITY);
    for r in recording.requests() {
        let Request::PlaceOrder { order, .. } = r else { continue };
        if filled.contains(&i64::from(order.order_id)) {
            continue;
        }
        let buys = order.action == Some(Side::Buy);
        let limit = order.limit_price.filter(|p| *p > 0.0 && order.order_type == "LMT");
        let stop = order.aux_price.filter(|p| *p > 0.0 && order.order_type.starts_with("STP"));
        for (price, below) in limit.map(|p| (p, buys)).into_iter().chain(stop.map(|p| (p, !buys))) {
            if below {
                low = low.max(price);
            } else {
                high = high.min(price);
            }
        }
    }
    match (low > 0.0, high.is_finite()) {
        (true, true) if low < high => cents((low + high) / 2.0),
        (true, _) => cents(low * 1.5),
        (false, true) => cents(high / 1.5),
        (false, false) => PRICE_UNKNOWN,
    }
}

/// Positions at the start: what a row tells less what the conversation had bought until then.
fn positions(recording: &Recording, contracts: &[Traded]) -> Vec<Held> {
    let mut bought: BTreeMap<i64, i64> = BTreeMap::new();
    let mut held: BTreeMap<i64, (i64, f64)> = BTreeMap::new();
    for m in recording.answers() {
        let row = match m.id {
            11 if m.int("1").is_none_or(|id| id < 0) => {
                let sign = if m.text("3.6") == "SLD" { -1 } else { 1 };
                let con_id = m.number("2.1").map_or(0, whole);
                *bought.entry(con_id).or_default() += sign * m.number("3.7").map_or(0, whole);
                continue;
            }
            61 => ("2.1", "3", "4"),
            71 => ("3.1", "4", "5"),
            7 => ("1.1", "2", "5"),
            _ => continue,
        };
        let Some(con_id) = m.number(row.0).map(whole) else { continue };
        let shares = m.number(row.1).map_or(0, whole) - bought.get(&con_id).copied().unwrap_or(0);
        held.entry(con_id).or_insert((shares, m.number(row.2).unwrap_or(0.0)));
    }
    let mut single: BTreeMap<i64, i64> = BTreeMap::new();
    for r in recording.requests() {
        if let Request::ReqPnlSingle { req_id, con_id, .. } = r {
            single.insert(i64::from(*req_id), i64::from(*con_id));
        }
    }
    for m in recording.answers().filter(|m| m.id == 95) {
        let Some(con_id) = m.int("1").and_then(|id| single.get(&id)) else { continue };
        held.entry(*con_id).or_insert((m.number("2").map_or(0, whole), 0.0));
    }
    let named = contracts.iter().filter_map(|c| {
        let (shares, cost) = held.get(&i64::from(c.con_id)).filter(|(shares, _)| *shares != 0)?;
        let average_cost = if *cost > 0.0 { *cost } else { c.close };
        Some(Held { symbol: c.symbol.clone(), shares: *shares, average_cost })
    });
    named.collect()
}

/// Orders that the gateway tells of before the conversation sent one of that id.
fn standing(recording: &Recording) -> Vec<(i32, Contract, Order)> {
    let mut sent: BTreeSet<i32> = BTreeSet::new();
    let mut list: Vec<(i32, Contract, Order)> = Vec::new();
    for step in &recording.steps {
        match step {
            Step::Client(r) => {
                if let Request::PlaceOrder { order, .. } = &**r {
                    sent.insert(order.order_id);
                }
            }
            Step::Server(m) if m.id == 5 => {
                let (client, contract, order) = open_order(m);
                let known = list.iter().any(|(c, _, o)| *c == client && o.order_id == order.order_id);
                if !sent.contains(&order.order_id) && order.order_id > 0 && !known {
                    list.push((client, contract, order));
                }
            }
            _ => {}
        }
    }
    // Ids were used in their order.
    list.sort_by_key(|(client, _, order)| (*client, order.order_id));
    list
}

/// The order that an openOrder tells of.
fn open_order(m: &Message) -> (i32, Contract, Order) {
    let int = |path: &str| m.number(path).map(whole).and_then(|n| i32::try_from(n).ok()).unwrap_or(0);
    let set = |path: &str| m.number(path).filter(|p| *p != 0.0);
    let contract = Contract {
        con_id: int("2.1"),
        symbol: m.text("2.2").into(),
        sec_type: m.text("2.3").into(),
        exchange: m.text("2.8").into(),
        currency: m.text("2.10").into(),
        ..Contract::default()
    };
    let kind = m.text("3.8").to_string();
    let order = Order {
        order_id: int("1"),
        parent_id: int("3.4"),
        action: Some(if m.text("3.5") == "SELL" { Side::Sell } else { Side::Buy }),
        total_quantity: m.number("3.6").unwrap_or(1.0),
        limit_price: set("3.9"),
        aux_price: set("3.10"),
        trail_stop_price: set("3.23").filter(|_| kind.starts_with("TRAIL")),
        trailing_percent: set("3.22"),
        tif: m.text("3.11").into(),
        account: m.text("3.12").into(),
        order_ref: m.text("3.28").into(),
        oca_group: m.text("3.27").into(),
        oca_type: int("3.30"),
        outside_rth: int("3.19") != 0,
        order_type: kind,
        transmit: true,
        ..Order::default()
    };
    (int("3.1"), contract, order)
}

/// Orders that the conversation's client sent, and those that stand.
fn own_orders(recording: &Recording) -> BTreeSet<i64> {
    let sent = recording.requests().filter_map(|r| match r {
        Request::PlaceOrder { order, .. } => Some(i64::from(order.order_id)),
        _ => None,
    });
    sent.chain(recording.answers().filter(|m| m.id == 5).filter_map(|m| m.number("1").map(whole))).collect()
}

/// The fills of the conversation, in order.
fn fills(recording: &Recording) -> Vec<Fill> {
    let live = recording.answers().filter(|m| m.id == 11 && m.number("1").is_none_or(|id| id < 0.0));
    let fill = |m: &Message| Fill {
        order_id: m.number("3.1").map(whole).and_then(|n| i32::try_from(n).ok()).unwrap_or(0),
        con_id: m.number("2.1").map(whole).and_then(|n| i32::try_from(n).ok()).unwrap_or(0),
        buys: m.text("3.6") != "SLD",
        shares: m.number("3.7").map_or(0, whole),
        price: m.number("3.8").unwrap_or(0.0),
    };
    live.map(fill).collect()
}
