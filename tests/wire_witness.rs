//! Interactive Brokers' own Python client as a witness: it trades one share through the server with scripted
//! answers, and through the product's gateway process. The client is installed into a virtual environment under
//! the build folder; where it cannot be, the tests say that they skip.

#![allow(clippy::unwrap_used, reason = "tests: a broken expectation must stop them")]

mod witness_support;

use ibkr_trader::clock::SessionTime;
use ibkr_trader::domain::Side;
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::sim::api::{Contract, ContractDetails, Execution, Order, OrderState, Outgoing, Request, Response};
use ibkr_trader::sim::wire::{Server, ServerOptions};
use serde_json::Value;
use std::path::Path;
use std::process::Child;
use std::time::Duration;
use witness_support::{Gateway, OFFICIAL, lines_of, start_script};

const ACCOUNT: &str = "DU1234567";

fn witness(python: &Path, address: &str, timeout_s: u32) -> Child {
    start_script(python, "official.py", &[address, "AAPL", "--timeout", &timeout_s.to_string()])
}

/// The steps that the witness printed.
fn steps(witness: Child) -> Vec<Value> {
    let steps: Vec<Value> = lines_of(witness).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = steps.iter().map(|s| s["step"].as_str().unwrap()).collect();
    assert_eq!(names, ["connected", "contract", "quote", "fill", "fill", "done"]);
    steps
}

fn session_start() -> SessionTime {
    Date::of(2026, 4, 15).at(9, 30)
}

fn aapl() -> Contract {
    Contract {
        con_id: 265_598,
        symbol: "AAPL".to_owned(),
        sec_type: "STK".to_owned(),
        exchange: "SMART".to_owned(),
        primary_exchange: "NASDAQ".to_owned(),
        currency: "USD".to_owned(),
        local_symbol: "AAPL".to_owned(),
        trading_class: "NMS".to_owned(),
    }
}

/// Details as a real gateway gives them, shortened.
fn details() -> ContractDetails {
    ContractDetails {
        contract: aapl(),
        market_name: "NMS".to_owned(),
        min_tick: 0.01,
        order_types: "LMT,MKT".to_owned(),
        valid_exchanges: "SMART,NASDAQ".to_owned(),
        market_rule_ids: "26,26".to_owned(),
        long_name: "APPLE INC".to_owned(),
        time_zone_id: "US/Eastern".to_owned(),
        trading_hours: "20260415:0400-20260415:2000".to_owned(),
        liquid_hours: "20260415:0930-20260415:1600".to_owned(),
        stock_type: "COMMON".to_owned(),
        min_size: 0.0001,
        size_increment: 0.0001,
        suggested_size_increment: 100.0,
        agg_group: 1,
        ..ContractDetails::default()
    }
}

fn error(id: i32, code: i32, message: &str) -> Response {
    let advanced_order_reject_json = String::new();
    Response::Error { id, time: session_start(), code, message: message.to_owned(), advanced_order_reject_json }
}

/// Answers enough for one share in and out.
fn answers(request: Request) -> Vec<Response> {
    match request {
        Request::StartApi { .. } => vec![
            Response::ManagedAccounts { accounts: ACCOUNT.to_owned() },
            Response::NextValidId { order_id: 600 },
            error(-1, 2104, "Market data farm connection is OK:usfarm"),
        ],
        Request::ReqContractDetails { req_id, .. } => {
            vec![Response::ContractData { req_id, details: Box::new(details()) }, Response::ContractDataEnd { req_id }]
        }
        Request::ReqMktData { req_id, .. } => vec![
            Response::MarketDataType { req_id, market_data_type: 1 },
            Response::TickReqParams {
                req_id,
                min_tick: "0.01".to_owned(),
                bbo_exchange: "9c0001".to_owned(),
                snapshot_permissions: 3,
            },
            Response::TickPrice { req_id, tick_type: 1, price: 310.55, size: 200.0, attr_mask: 1 },
            Response::TickPrice { req_id, tick_type: 2, price: 310.57, size: 0.5, attr_mask: 1 },
        ],
        Request::PlaceOrder { order, .. } => fill(&order),
        _ => vec![],
    }
}

fn fill(order: &Order) -> Vec<Response> {
    let bought = order.action == Some(Side::Buy);
    let price = if bought { 310.57 } else { 310.55 };
    let id = order.order_id;
    let exec_id = format!("0000e0d5.{id}.01.01");
    let echo = |status: &str| Response::OpenOrder {
        contract: aapl(),
        order: Box::new(Order { client_id: 9, perm_id: 9_000_000_000 + i64::from(id), ..order.clone() }),
        state: Box::new(OrderState { status: status.to_owned(), ..OrderState::default() }),
    };
    let status = |status: &str, filled: f64| Response::OrderStatus {
        order_id: id,
        status: status.to_owned(),
        filled,
        remaining: 1.0 - filled,
        avg_fill_price: filled * price,
        perm_id: 9_000_000_000 + i64::from(id),
        parent_id: 0,
        last_fill_price: filled * price,
        client_id: 9,
        why_held: String::new(),
        mkt_cap_price: 0.0,
    };
    let execution = Execution {
        order_id: id,
        client_id: 9,
        exec_id: exec_id.clone(),
        time: "20260415 09:31:30 US/Eastern".to_owned(),
        account: ACCOUNT.to_owned(),
        exchange: "NASDAQ".to_owned(),
        side: if bought { "BOT" } else { "SLD" }.to_owned(),
        shares: 1.0,
        price,
        perm_id: 9_000_000_000 + i64::from(id),
        cum_qty: 1.0,
        avg_price: price,
        order_ref: order.order_ref.clone(),
        last_liquidity: 2,
    };
    vec![
        echo("Submitted"),
        status("Submitted", 0.0),
        Response::ExecutionDetails { req_id: -1, contract: aapl(), execution: Box::new(execution) },
        echo("Filled"),
        status("Filled", 1.0),
        Response::CommissionReport {
            exec_id,
            commission: 1.0,
            currency: "USD".to_owned(),
            realized_pnl: if bought { None } else { Some(-2.02) },
        },
    ]
}

#[test]
fn the_official_client_reads_scripted_answers() {
    let Some(python) = OFFICIAL.python() else { return };
    let mut server = Server::bind("127.0.0.1:0", ServerOptions::new(session_start)).unwrap();
    let child = witness(&python, &server.local_addr().to_string(), 30);
    loop {
        // The witness's own time-out ends it, and with it the connection.
        let (conn, request) = server.incoming().recv_timeout(Duration::from_secs(60)).unwrap();
        if request == Request::Disconnected {
            break;
        }
        for response in answers(request) {
            server.send(Outgoing { conn, response });
        }
        server.flush();
    }
    let steps = steps(child);
    assert_eq!(steps[0]["server_version"], 226);
    assert_eq!(steps[0]["accounts"][0], ACCOUNT);
    assert_eq!(steps[0]["next_id"], 600);
    let contract = serde_json::json!({
        "step": "contract", "symbol": "AAPL", "con_id": 265_598, "name": "APPLE INC", "min_tick": 0.01,
        "exchanges": "SMART,NASDAQ", "rules": "26,26", "hours": "20260415:0930-20260415:1600",
    });
    assert_eq!(steps[1], contract);
    let quote = serde_json::json!({"step": "quote", "bid": 310.55, "ask": 310.57, "bid_size": 200.0, "ask_size": 0.5});
    assert_eq!(steps[2], quote);
    // The client reads an absent realized profit as 0.
    for (step, id, side, price, realized) in
        [(&steps[3], 600, "BOT", 310.57, 0.0), (&steps[4], 601, "SLD", 310.55, -2.02)]
    {
        let fill = serde_json::json!({
            "step": "fill", "order_id": id, "order_type": "MKT", "side": side, "shares": 1.0, "price": price,
            "exec_id": format!("0000e0d5.{id}.01.01"), "time": "20260415 09:31:30 US/Eastern",
            "order_ref": format!("witness-{id}"), "filled": 1.0, "average": price, "commission": 1.0,
            "currency": "USD", "realized_pnl": realized,
        });
        assert_eq!(*step, fill);
    }
}

#[test]
fn the_official_client_trades_through_the_products_gateway() {
    let Some(python) = OFFICIAL.python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let audit = folder.path().join("audit.json");
    // The referee calls orders in the first minutes of the session a violation.
    let args = ["--speed", "1", "--start", "10:00", "--audit", audit.to_str().unwrap()];
    let gateway = Gateway::start(&args, folder.path());
    let steps = steps(witness(&python, &gateway.address, 60));
    let number = |step: &Value, name: &str| step[name].as_f64().unwrap();
    assert!(number(&steps[2], "ask") > number(&steps[2], "bid"), "{}", steps[2]);
    for (step, side) in [(&steps[3], "BOT"), (&steps[4], "SLD")] {
        assert_eq!((step["side"].as_str(), step["currency"].as_str()), (Some(side), Some("USD")), "{step}");
        assert!(number(step, "price") > 0.0 && number(step, "commission") > 0.0, "{step}");
        assert_eq!((number(step, "shares"), number(step, "filled")), (1.0, 1.0), "{step}");
    }
    // Only the closing leg realizes anything.
    assert!(number(&steps[3], "realized_pnl") == 0.0 && number(&steps[4], "realized_pnl") != 0.0, "{steps:?}");

    // An orderly end writes the audit.
    gateway.end();
    let audit: Value = serde_json::from_str(&std::fs::read_to_string(audit).unwrap()).unwrap();
    assert_eq!(audit["violations_total"], 0, "{:#}", audit["violations"]);
    assert_eq!((&audit["executions"], &audit["positions"]), (&2.into(), &serde_json::json!({})));
}
