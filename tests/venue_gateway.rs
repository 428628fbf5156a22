//! The gateway as a process: it says where it listens, serves the client crate that the trader uses, shares its clock by
//! file, and leaves an audit when it is told to end.

#![allow(clippy::unwrap_used, reason = "tests: a broken expectation must stop them")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ibapi::client::blocking::Client;
use ibapi::contracts::Contract;
use ibapi::contracts::tick_types::TickType;
use ibapi::market_data::realtime::TickTypes;
use ibapi::orders::{Action, OrderUpdate, order_builder};
use ibapi::subscriptions::SubscriptionItem;
use ibkr_trader::clock::ClockFile;

const WAIT: Duration = Duration::from_secs(20);

struct Gateway {
    child: Child,
    address: String,
}

impl Gateway {
    fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ibkr-trader"))
            .args(["gateway", "--listen", "127.0.0.1:0"])
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on ").unwrap().trim().to_string();
        Self { child, address }
    }

    fn end(mut self) {
        // SAFETY: kill with a child's own pid and a valid signal touches no memory.
        let rc = unsafe { libc::kill(self.child.id().try_into().unwrap(), libc::SIGTERM) };
        assert_eq!(rc, 0);
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_client_trades_and_the_audit_tells() {
    let folder = tempfile::tempdir().unwrap();
    let (audit, clock) = (folder.path().join("audit.json"), folder.path().join("clock.json"));
    let gateway = Gateway::start(&[
        "--symbols=3",
        "--speed=20",
        "--start=10:00",
        "--audit",
        audit.to_str().unwrap(),
        "--clock-file",
        clock.to_str().unwrap(),
    ]);
    assert!(!clock.exists(), "the session has not started");
    let client = Client::builder()
        .address(gateway.address.clone())
        .client_id(5)
        .max_reconnect_attempts(0)
        .one_shot_timeout(WAIT)
        .connect()
        .unwrap();
    let file = ClockFile::read(&clock).unwrap();
    assert_eq!(
        (file.speed.to_string().as_str(), file.session_start.to_string().as_str()),
        ("20", "2026-04-15T14:00:00.000Z")
    );
    let contract = Contract::stock("AAPL").build();
    let ticks = client.market_data(&contract).generic_ticks(&["236"]).subscribe().unwrap();
    let (mut bid, mut shortable) = (0.0, false);
    while bid <= 0.0 || !shortable {
        match ticks.next_timeout(WAIT).unwrap().unwrap() {
            SubscriptionItem::Data(TickTypes::PriceSize(t)) if t.price_tick_type == TickType::Bid => bid = t.price,
            SubscriptionItem::Data(TickTypes::Generic(_)) => shortable = true,
            _ => {}
        }
    }
    let updates = client.order_update_stream().unwrap();
    let id = client.next_order_id();
    let mut order = order_builder::market_order(Action::Buy, 10.0);
    order.tif = ibapi::orders::TimeInForce::Day;
    client.submit_order(id, &contract, &order).unwrap();
    let (mut filled, mut fees) = (0.0, 0);
    while filled < 10.0 || fees == 0 {
        match updates.next_timeout(WAIT).unwrap().unwrap() {
            SubscriptionItem::Data(OrderUpdate::ExecutionData(e)) => filled += e.execution.shares,
            SubscriptionItem::Data(OrderUpdate::CommissionReport(_)) => fees += 1,
            _ => {}
        }
    }
    drop((updates, ticks, client));
    gateway.end();
    let report: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&audit).unwrap()).unwrap();
    assert_eq!(report["positions"]["AAPL"], 10);
    assert_eq!(report["violations_total"], 0, "{report:#}");
    assert_eq!((&report["books_agree"], &report["received"]["place_order"]), (&true.into(), &1.into()));
}

#[test]
fn a_killed_gateway_goes_on_where_it_stood_and_a_scenario_strikes() {
    let folder = tempfile::tempdir().unwrap();
    let (state, clock) = (folder.path().join("state.json"), folder.path().join("clock.json"));
    let scenario = folder.path().join("scenario.toml");
    let text = "incident = \"a test\"\ntag = \"venue\"\n[[fault]]\nwhen = \"order\"\nnth = 2\n\
                do = { act = \"refuse\", code = 110, text = \"no\" }\n";
    std::fs::write(&scenario, text).unwrap();
    let args = [
        "--symbols=3",
        "--speed=20",
        "--start=10:00",
        "--state",
        state.to_str().unwrap(),
        "--clock-file",
        clock.to_str().unwrap(),
        "--scenario",
        scenario.to_str().unwrap(),
    ];
    let connect = |g: &Gateway| {
        let client = Client::builder().address(g.address.clone()).client_id(5);
        client.max_reconnect_attempts(0).one_shot_timeout(WAIT).connect().unwrap()
    };
    let gateway = Gateway::start(&args);
    let client = connect(&gateway);
    let contract = Contract::stock("AAPL").build();
    let updates = client.order_update_stream().unwrap();
    let mut order = order_builder::limit_order(Action::Buy, 10.0, 1.0);
    order.tif = ibapi::orders::TimeInForce::GoodTillCanceled;
    let id = client.next_order_id();
    client.submit_order(id, &contract, &order).unwrap();
    loop {
        if let SubscriptionItem::Data(OrderUpdate::OrderStatus(s)) = updates.next_timeout(WAIT).unwrap().unwrap()
            && format!("{:?}", s.status).contains("Submitted")
        {
            break;
        }
    }
    client.submit_order(id + 1, &contract, &order).unwrap();
    let refused = |item| match item {
        SubscriptionItem::Notice(n) => format!("{n:?}").contains("110"),
        SubscriptionItem::Data(_) => false,
    };
    while !updates.next_timeout(WAIT).is_some_and(|u| u.map_or_else(|e| e.to_string().contains("110"), &refused)) {}
    drop((updates, client));
    // Killed, not ended: only what was written at once is left.
    drop(gateway);
    let gateway = Gateway::start(&args);
    let client = connect(&gateway);
    let open = client.all_open_orders().unwrap().collect_to_end_within(WAIT).unwrap();
    let ids: Vec<i32> = open
        .iter()
        .filter_map(|o| match o {
            ibapi::orders::Orders::OrderData(d) => Some(d.order_id),
            ibapi::orders::Orders::OrderStatus(_) => None,
        })
        .collect();
    assert_eq!(ids, [id]);
    assert!(client.next_order_id() > id, "ids are not given again");
    drop(client);
    gateway.end();
}

/// A gateway at 20 session seconds a wall second with a shipped scenario.
fn with_scenario(name: &str) -> Gateway {
    let file = format!("{}/faults/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    Gateway::start(&["--symbols=3", "--speed=20", "--start=10:00", "--scenario", &file])
}

fn try_connect(g: &Gateway, wait: Duration) -> Result<Client, ibapi::Error> {
    let client = Client::builder().address(g.address.clone()).client_id(5);
    client.max_reconnect_attempts(0).one_shot_timeout(wait).connect()
}

/// Asks until the client no longer gets an answer.
#[allow(clippy::disallowed_methods, reason = "a process is waited for")]
fn lost(client: &Client) -> bool {
    for _ in 0..200 {
        if client.managed_accounts().is_err() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

#[test]
fn a_restart_ends_the_connection_and_lets_the_client_come_back() {
    let gateway = with_scenario("restart-mid-session");
    let client = try_connect(&gateway, WAIT).unwrap();
    assert!(lost(&client));
    drop(client);
    assert!(!try_connect(&gateway, WAIT).unwrap().managed_accounts().unwrap().is_empty());
    gateway.end();
}

#[test]
fn a_half_open_socket_takes_questions_and_gives_no_answer() {
    let gateway = with_scenario("half-open-socket");
    let client = try_connect(&gateway, Duration::from_secs(2)).unwrap();
    assert!(lost(&client));
    gateway.end();
}

#[test]
fn a_client_id_in_use_is_refused_once() {
    let gateway = with_scenario("326-client-id-in-use");
    assert!(try_connect(&gateway, Duration::from_secs(3)).is_err());
    assert!(try_connect(&gateway, WAIT).is_ok(), "the next try gets in");
    gateway.end();
}

#[test]
fn bad_arguments_get_one_sentence() {
    let fails = |args: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_ibkr-trader")).arg("gateway").args(args).output().unwrap();
        assert!(!out.status.success());
        String::from_utf8(out.stderr).unwrap()
    };
    assert!(fails(&["--speed=0"]).contains("--speed 0 must be above 0"));
    assert!(fails(&["--data=/nowhere"]).contains("no market data at /nowhere"));
    assert!(fails(&["--date=2026-12-25"]).contains("no trading day"));
    assert!(fails(&["--start=04:00"]).contains("outside regular hours"));
    assert!(fails(&["--start=tea"]).contains("HH:MM"));
    assert!(fails(&["--referee=/nowhere.toml"]).contains("/nowhere.toml"));
    assert!(fails(&["--scenario=/nowhere.toml"]).contains("/nowhere.toml"));
    assert!(fails(&["--state=/dev/null"]).contains("no gateway state"));
}
