//! Money: base currency, margin and cash accounts, day trades, fee plans, precautions, caps, counts.

#![allow(clippy::unwrap_used, reason = "tests: a broken expectation must stop them")]

mod venue_bench;

use ibkr_trader::clock::MILLISECOND;
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::domain::{Money, Side};
use ibkr_trader::sim::api::{Order, Request, Response};
use ibkr_trader::sim::venue::{AccountKind, Base, Delays, FeePlan, Rules};
use std::collections::BTreeMap;
use venue_bench::{AAPL, Bench, limit, market};

fn bench(cash: i64, rules: impl FnOnce(&mut Rules)) -> Bench {
    let mut b = Bench::with(Date(20_260_825).at(10, 0), |c| {
        (c.delays, c.cash) = (Delays::NONE, Money(cash * 1_000_000));
        rules(&mut c.rules);
    });
    b.log_in(1);
    b
}

/// Account rows by (key, currency).
fn rows(b: &mut Bench) -> BTreeMap<(String, String), String> {
    b.out.clear();
    b.ask(1, Request::ReqAccountUpdates { subscribe: true, account: String::new() });
    let row = |r: Response| match r {
        Response::AccountValue { key, value, currency, .. } => Some(((key, currency), value)),
        _ => None,
    };
    b.out.drain(..).filter_map(|o| row(o.response)).collect()
}

fn euro(r: &mut Rules) {
    r.base = Base { currency: "EUR".into(), per_usd: 0.8 };
}

#[test]
fn the_account_reports_in_its_base_currency_and_the_contract_in_its_own() {
    let mut b = bench(100_000, euro);
    b.place(1, market(Side::Buy, 10));
    let fee = b.out.iter().find_map(|o| match &o.response {
        Response::CommissionReport { commission, currency, .. } => Some((*commission, currency.clone())),
        _ => None,
    });
    assert_eq!(fee, Some((1.00003, "USD".into())));
    b.trade(0, 310.0, 100);
    let all = rows(&mut b);
    let of = |key: &str, currency: &str| all.get(&(key.to_string(), currency.to_string())).cloned();
    let net = 100_000.0 - 10.0 * 309.16 - 1.00003 + 3_100.0;
    assert_eq!(of("NetLiquidation", "EUR"), Some(format!("{:.2}", net * 0.8)));
    assert_eq!(of("NetLiquidation", "USD"), None);
    assert_eq!(of("ExchangeRate", "USD"), Some("0.8000000".into()));
    assert_eq!(of("ExchangeRate", "EUR"), Some("1.00".into()));
    assert_eq!(of("ExchangeRate", "BASE"), Some("1.00".into()));
    assert_eq!(of("StockMarketValue", "USD"), Some("3100.00".into()));
    assert_eq!(of("StockMarketValue", "BASE"), Some("2480.00".into()));
    assert_eq!(of("StockMarketValue", "EUR"), Some("0.00".into()));
    assert_eq!(of("Currency", "BASE"), Some("BASE".into()));
    let pnl = |b: &mut Bench, request| {
        b.out.clear();
        b.ask(1, request);
        b.out.drain(..).find_map(|o| match o.response {
            Response::Pnl { unrealized, .. } | Response::PnlSingle { unrealized, .. } => unrealized,
            _ => None,
        })
    };
    let gain = 3_100.0 - 3_091.6 - 1.00003;
    let whole = pnl(&mut b, Request::ReqPnl { req_id: 1, account: String::new() }).unwrap();
    let single = pnl(&mut b, Request::ReqPnlSingle { req_id: 2, account: String::new(), con_id: AAPL }).unwrap();
    assert!((whole - gain * 0.8).abs() < 1e-6 && (single - gain).abs() < 1e-6, "{whole} {single}");
}

#[test]
fn a_what_if_tells_margin_in_base_and_commission_in_dollars() {
    let mut b = bench(100_000, euro);
    b.trade(0, 310.0, 100);
    b.out.clear();
    b.place(1, Order { what_if: true, ..market(Side::Buy, 100) });
    let state = b.out.iter().find_map(|o| match &o.response {
        Response::OpenOrder { state, .. } => Some(state.clone()),
        _ => None,
    });
    let state = state.unwrap();
    assert_eq!((state.margin_currency.as_str(), state.commission_currency.as_str()), ("EUR", "USD"));
    assert_eq!(state.init_margin_change, Some(100.0 * 310.0 / 2.0 * 0.8));
    assert_eq!(state.maint_margin_change, Some(100.0 * 310.0 / 4.0 * 0.8));
    assert_eq!(state.commission, Some(1.0003));
}

#[test]
fn a_summary_tells_the_ledger_when_it_is_asked_for() {
    let mut b = bench(100_000, euro);
    let mut ask = |tags: &str| {
        b.out.clear();
        b.ask(1, Request::ReqAccountSummary { req_id: 1, group: "All".into(), tags: tags.into() });
        let row = |r: Response| match r {
            Response::AccountSummary { tag, currency, .. } => Some(format!("{tag} {currency}")),
            _ => None,
        };
        b.out.drain(..).filter_map(|o| row(o.response)).collect::<Vec<_>>()
    };
    assert_eq!(ask("NetLiquidation,BuyingPower"), ["BuyingPower EUR", "NetLiquidation EUR"]);
    let ledger = ask("$LEDGER:USD");
    assert!(
        ledger.contains(&"CashBalance USD".to_string()) && ledger.iter().all(|r| r.ends_with(" USD")),
        "{ledger:?}"
    );
    assert!(ask("$LEDGER").iter().all(|r| r.ends_with(" BASE")));
}

#[test]
fn a_short_asks_for_more_to_hold_than_a_long() {
    let mut b = bench(1_000_000, |_| {});
    b.trade(0, 310.0, 100);
    let change = |b: &mut Bench, side| {
        b.out.clear();
        b.place(1, Order { what_if: true, ..market(side, 100) });
        b.out.iter().find_map(|o| match &o.response {
            Response::OpenOrder { state, .. } => state.maint_margin_change,
            _ => None,
        })
    };
    assert_eq!(change(&mut b, Side::Buy), Some(7_750.0));
    assert_eq!(change(&mut b, Side::Sell), Some(9_300.0));
}

#[test]
fn a_cash_account_buys_from_settled_cash_and_sells_what_it_holds() {
    let mut b = bench(10_000, |r| r.account = AccountKind::Cash);
    b.place(1, limit(Side::Buy, 33, 309.16));
    assert!(b.words().contains(&"error 1 201".to_string()), "33 cost more than 10,000");
    b.place(1, limit(Side::Buy, 30, 309.16));
    b.place(1, market(Side::Sell, 30));
    b.words();
    b.place(1, limit(Side::Buy, 10, 309.16));
    assert!(b.words().contains(&"error 4 201".to_string()), "the sale has not settled");
    b.place(1, market(Side::Sell, 1));
    assert!(b.words().contains(&"error 5 201".to_string()), "no short sales");
    let mut next = Bench::resumed(Date(20_260_826).at(9, 30), b.venue.state());
    next.log_in(1);
    assert!(rows(&mut next)[&("SettledCashByDate".to_string(), "USD".to_string())].starts_with("20260826:99"));
}

#[test]
fn the_fourth_day_trade_below_25_000_is_not_opened() {
    let mut b = bench(20_000, |r| r.day_trade_rule = true);
    let left = |b: &mut Bench| rows(b)[&("DayTradesRemaining".to_string(), String::new())].clone();
    assert_eq!(left(&mut b), "3");
    for round in 1..=3 {
        b.quote(0, 309.15, 300, 309.16, 200 + round);
        b.place(1, market(Side::Buy, 1));
        b.place(1, market(Side::Sell, 1));
    }
    assert_eq!(left(&mut b), "0");
    b.place(1, market(Side::Buy, 1));
    assert!(b.words().iter().any(|w| w.ends_with(" 201")));
    let mut rich = bench(30_000, |r| r.day_trade_rule = true);
    assert_eq!(left(&mut rich), "-1", "from 25,000 on they are not counted");
}

#[test]
fn a_modification_after_a_part_fill_pays_the_minimum_again() {
    let commissions = |b: &Bench| -> Vec<f64> {
        let all = b.out.iter().filter_map(|o| match &o.response {
            Response::CommissionReport { commission, .. } => Some(*commission),
            _ => None,
        });
        all.collect()
    };
    let mut b = bench(1_000_000, |_| {});
    b.place(1, limit(Side::Buy, 100, 309.1));
    b.trade(0, 309.09, 40);
    assert_eq!(commissions(&b), [1.00012]);
    b.trade(0, 309.09, 10);
    assert_eq!(commissions(&b), [1.00012, 0.00003], "of one version the minimum counts once");
    b.place(1, Order { order_id: 1, ..limit(Side::Buy, 100, 309.16) });
    assert_eq!(commissions(&b), [1.00012, 0.00003, 1.00015], "the new version pays it again");
    assert!(b.venue.audit().books_agree);
}

#[test]
fn the_tiered_plan_pays_makers_a_rebate() {
    let fee = |maker: bool| {
        let mut b = bench(1_000_000, |r| r.fees = FeePlan::Tiered);
        b.quote(0, 309.15, 300, 309.16, 1_000);
        b.place(1, limit(Side::Buy, 1_000, if maker { 309.1 } else { 309.16 }));
        b.trade(0, 309.0, 5_000);
        b.out.iter().find_map(|o| match &o.response {
            Response::CommissionReport { commission, .. } => Some(*commission),
            _ => None,
        })
    };
    let (taken, made) = (fee(false).unwrap(), fee(true).unwrap());
    assert!((taken - made - 5.0).abs() < 1e-9, "0.0030 to take, 0.0020 for adding: {taken} {made}");
}

#[test]
fn precautions_refuse_and_caps_change() {
    let mut b = bench(1_000_000, |r| {
        (r.precautions.percent, r.precautions.size) = (Some(3.0), Some(500));
        r.precautions.value = Some(Money(100_000_000_000));
        r.price_cap_percent = Some(1.0);
    });
    b.trade(0, 309.15, 1);
    b.words();
    for (code, order) in [
        (163, limit(Side::Buy, 1, 320.0)),
        (163, limit(Side::Sell, 1, 290.0)),
        (383, limit(Side::Buy, 501, 100.0)),
        (382, limit(Side::Buy, 400, 300.0)),
    ] {
        let id = b.place(1, order);
        assert_eq!(b.words(), [format!("error {id} {code}")]);
    }
    b.place(1, Order { override_percentage_constraints: true, ..limit(Side::Buy, 300, 320.0) });
    let caps: Vec<f64> = b
        .out
        .iter()
        .filter_map(|o| match &o.response {
            Response::OrderStatus { mkt_cap_price, .. } => Some(*mkt_cap_price),
            _ => None,
        })
        .collect();
    let words = b.words();
    assert!(words.contains(&"error 5 2161".to_string()), "{words:?}");
    assert!(caps.iter().all(|c| (c - 312.25).abs() < 1e-9), "1 % above 309.16: {caps:?}");
    b.quote(0, 309.15, 300, 313.0, 500);
    assert!(!b.words().iter().any(|w| w.starts_with("exec")), "beyond the cap it does not fill");
}

#[test]
fn a_contract_has_room_for_so_many_working_orders_a_side() {
    let mut b = bench(1_000_000, |r| r.active_orders_max = 15);
    for _ in 0..15 {
        b.place(1, limit(Side::Buy, 1, 300.0));
    }
    assert!(!b.words().iter().any(|w| w.starts_with("error")));
    b.place(1, limit(Side::Buy, 1, 300.0));
    assert!(b.words().contains(&"error 16 201".to_string()));
    b.place(1, limit(Side::Sell, 1, 320.0));
    assert!(!b.words().iter().any(|w| w.starts_with("error")), "the other side has its own room");
}

#[test]
fn order_efficiency_counts_messages_per_executed_order() {
    let mut b = bench(1_000_000, |_| {});
    b.place(1, limit(Side::Buy, 10, 300.0));
    b.place(1, Order { order_id: 1, ..limit(Side::Buy, 10, 301.0) });
    b.ask(1, Request::CancelOrder { order_id: 1 });
    b.place(1, market(Side::Buy, 10));
    b.place(1, Order { what_if: true, ..market(Side::Buy, 10) });
    let e = b.venue.efficiency();
    assert_eq!((e.submits, e.revisions, e.cancels, e.executed), (2, 1, 1, 1));
    assert!((e.ratio() - 2.0).abs() < 1e-12);
}

#[test]
fn cancels_and_fills_take_as_many_times_as_long_as_the_profile_says() {
    let mut b = Bench::with(Date(20_260_825).at(10, 0), |c| {
        let way = 100 * MILLISECOND;
        c.delays = Delays { min: way, max: way, cancel: 3.0, fill: 5.0, ..Delays::NONE };
    });
    b.log_in(1);
    let after = |b: &mut Bench, wanted: &str| {
        (0..100).find(|_| {
            b.run(10);
            b.words().iter().any(|w| w.starts_with(wanted))
        })
    };
    b.place(1, limit(Side::Buy, 10, 300.0));
    assert_eq!(after(&mut b, "open 1 Submitted"), Some(19), "100 ms each way");
    b.ask(1, Request::CancelOrder { order_id: 1 });
    assert_eq!(after(&mut b, "status 1 Cancelled"), Some(39), "300 ms there, 100 ms back");
    b.place(1, market(Side::Buy, 10));
    assert_eq!(after(&mut b, "exec"), Some(59), "100 ms there, 500 ms back");
}

#[test]
fn slippage_is_drawn_and_never_beyond_the_limit() {
    let mut prices = Vec::new();
    for seed in 0..20 {
        let mut b = Bench::seeded(Date(20_260_825).at(10, 0), seed, |c| {
            (c.delays, c.rules.slippage_ticks_max) = (Delays::NONE, 3);
        });
        b.log_in(1);
        b.place(1, limit(Side::Buy, 10, 309.18));
        prices.extend(b.out.iter().filter_map(|o| match &o.response {
            Response::ExecutionDetails { execution, .. } => Some(execution.price),
            _ => None,
        }));
    }
    assert_eq!(prices.len(), 20);
    assert!(prices.iter().all(|p| (309.16..=309.18).contains(p)), "{prices:?}");
    assert!(prices.iter().any(|p| *p > 309.165), "some are worse than the quote");
}
