//! The crate `ibapi` against the simulated gateway's server with scripted answers: what the wire encodes is what
//! that client reads, value for value, for every answer that it can read, and what it sends is what the wire
//! decodes. Over a real socket.

#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests: a broken expectation must stop them")]

use ibapi::accounts::types::{AccountGroup, AccountId, ContractId};
use ibapi::accounts::{AccountSummaryResult, AccountUpdate, PositionUpdate};
use ibapi::client::blocking::Client;
use ibapi::contracts::Contract as IbContract;
use ibapi::contracts::tick_types::TickType;
use ibapi::market_data::historical::{BarSize, BarTimestamp, ToDuration, WhatToShow};
use ibapi::market_data::realtime::TickTypes;
use ibapi::market_data::{MarketDataType, TradingHours};
use ibapi::orders::{Action, ExecutionFilter, Executions, Order as IbOrder, OrderStatusKind, OrderUpdate, Orders};
use ibapi::subscriptions::SubscriptionItem;
use ibkr_trader::clock::{MILLISECOND, SessionTime};
use ibkr_trader::domain::Side;
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::sim::api::{
    ConnId, Contract, ContractDetails, Execution, HistoricalBar, Order, OrderState, Outgoing, Request, Response,
};
use ibkr_trader::sim::wire::{Server, ServerOptions};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(10);
const ACCOUNT: &str = "DU1234567";

fn session_start() -> SessionTime {
    Date::of(2026, 4, 15).at(9, 25)
}

/// A server whose answers are a function of the request; it keeps all requests.
struct Scripted {
    address: String,
    seen: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Scripted {
    fn start(script: impl Fn(&Request) -> Vec<Response> + Send + 'static) -> Self {
        let mut server = Server::bind("127.0.0.1:0", ServerOptions::new(session_start)).unwrap();
        let address = server.local_addr().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (requests, end) = (Arc::clone(&seen), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Acquire) {
                let Ok((conn, request)) = server.incoming().recv_timeout(Duration::from_millis(5)) else { continue };
                for response in answers(&script, &request) {
                    server.send(Outgoing { conn, response });
                }
                server.flush();
                requests.lock().unwrap().push(request);
            }
            server.shutdown();
        });
        Self { address, seen, stop, thread: Some(thread) }
    }

    fn client(&self) -> Client {
        Client::builder()
            .address(self.address.clone())
            .client_id(7)
            .max_reconnect_attempts(0)
            .one_shot_timeout(WAIT)
            .connect()
            .unwrap()
    }

    /// The requests that have come, without startApi, once `enough` says so.
    fn requests(&self, enough: impl Fn(&[Request]) -> bool) -> Vec<Request> {
        for _ in 0..1_000 {
            let seen = self.seen.lock().unwrap().clone();
            if enough(&seen) {
                return seen;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        panic!("the awaited requests did not come: {:?}", self.seen.lock().unwrap());
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking());
    }
}

/// The bootstrap of a real gateway, then the script.
fn answers(script: &impl Fn(&Request) -> Vec<Response>, request: &Request) -> Vec<Response> {
    match request {
        Request::StartApi { .. } => {
            let mut all = vec![
                Response::ManagedAccounts { accounts: ACCOUNT.to_owned() },
                Response::NextValidId { order_id: 42 },
                notice(2104, "Market data farm connection is OK:usfarm"),
            ];
            all.extend(script(request));
            all
        }
        _ => script(request),
    }
}

fn notice(code: i32, message: &str) -> Response {
    error(-1, code, message)
}

fn error(id: i32, code: i32, message: &str) -> Response {
    let advanced_order_reject_json = String::new();
    Response::Error { id, time: session_start(), code, message: message.to_owned(), advanced_order_reject_json }
}

fn aapl() -> Contract {
    Contract {
        con_id: 265_598,
        symbol: "AAPL".to_owned(),
        sec_type: "STK".to_owned(),
        exchange: "SMART".to_owned(),
        primary_exchange: String::new(),
        currency: "USD".to_owned(),
        local_symbol: "AAPL".to_owned(),
        trading_class: "NMS".to_owned(),
    }
}

fn assert_aapl(c: &IbContract) {
    assert_eq!(c.contract_id, 265_598);
    assert_eq!(c.symbol.to_string(), "AAPL");
    assert_eq!(c.security_type.to_string(), "STK");
    assert_eq!(c.exchange.to_string(), "SMART");
    assert_eq!(c.currency.to_string(), "USD");
    assert_eq!(c.local_symbol, "AAPL");
    assert_eq!(c.trading_class, "NMS");
}

#[test]
fn a_client_connects_and_reads_accounts_ids_and_time() {
    let gateway = Scripted::start(|request| match request {
        Request::ReqCurrentTime => vec![Response::CurrentTime { time: session_start() }],
        Request::ReqIds => vec![Response::NextValidId { order_id: 77 }],
        Request::ReqManagedAccounts => vec![Response::ManagedAccounts { accounts: ACCOUNT.to_owned() }],
        _ => vec![],
    });
    let client = gateway.client();
    assert_eq!(client.server_version(), 226);
    assert_eq!(client.next_order_id(), 42);
    assert_eq!(client.handshake_managed_accounts(), [ACCOUNT]);
    assert_eq!(client.connection_time().unwrap().unix_timestamp(), session_start().secs());
    assert_eq!(client.server_time().unwrap().unix_timestamp(), session_start().secs());
    assert_eq!(client.next_valid_order_id().unwrap(), 77);
    assert_eq!(client.managed_accounts().unwrap(), [ACCOUNT]);
    assert_eq!(gateway.requests(|r| r.len() >= 4)[0], Request::StartApi { client_id: 7 });
}
