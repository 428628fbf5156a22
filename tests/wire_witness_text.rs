//! Public TWS clients as witnesses of the text encoding: their encoders' frames are read and their decoders read
//! ours, at every server version that each speaks; both trade through the product's gateway process. The
//! clients are installed into a virtual environment under the build folder; where they cannot be, the tests say
//! that they skip.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests: a broken expectation must stop them"
)]

mod witness_support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ibkr_trader::domain::Side;
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::sim::api::{
    BidAskTick, ByTick, Condition, Contract, ContractDetails, DepthExchange, DepthRow, Execution, ExecutionFilter,
    HistoricalBar, LastTick, LookupRequest, LookupResponse, MidTick, Order, OrderState, Request, Response,
    SmartComponent, Stream, StreamRequest, StreamResponse, SymbolMatch, Test, TradingSession,
};
use ibkr_trader::sim::wire::codec::Codec;
use ibkr_trader::sim::wire::handshake::{Hello, ServerVersion, VERSION_MAX, negotiate};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use witness_support::{Gateway, PUBLIC, script};

fn at(version: i64) -> ServerVersion {
    let version = i32::try_from(version).unwrap();
    negotiate(&Hello { min: version, max: version }, VERSION_MAX).unwrap()
}

fn aapl() -> Contract {
    Contract {
        con_id: 265_598,
        symbol: "AAPL".to_owned(),
        sec_type: "STK".to_owned(),
        exchange: "SMART".to_owned(),
        primary_exchange: "NASDAQ".to_owned(),
        currency: "USD".to_owned(),
        local_symbol: "AAPLx".to_owned(),
        trading_class: "NMS".to_owned(),
    }
}

/// An order in which every field of the vocabulary that a client can set is set.
fn order() -> Order {
    Order {
        order_id: 42,
        parent_id: 41,
        action: Some(Side::Sell),
        total_quantity: 12.0,
        order_type: "STP LMT".to_owned(),
        limit_price: Some(101.25),
        aux_price: Some(100.5),
        tif: "GTD".to_owned(),
        good_till_date: "20260415-14:05:30".to_owned(),
        good_after_time: "20260415-13:05:30".to_owned(),
        account: "DU1".to_owned(),
        order_ref: "ref".to_owned(),
        oca_group: "group".to_owned(),
        oca_type: 1,
        outside_rth: true,
        transmit: true,
        what_if: true,
        trigger_method: 2,
        all_or_none: true,
        display_size: 3,
        trailing_percent: Some(1.5),
        trail_stop_price: Some(99.75),
        use_price_mgmt_algo: true,
        open_close: "O".to_owned(),
        ..Order::default()
    }
}

/// An order in which everything that few orders have is set as well.
fn rare(version: i64) -> Order {
    let text = |s: &str| s.to_owned();
    let since = |from: i64, n: i32| (version >= from).then_some(n);
    let later = |from: i64, s: &str| if version >= from { s.to_owned() } else { String::new() };
    let flags = Order {
        block_order: true,
        sweep_to_fill: true,
        hidden: true,
        override_percentage_constraints: true,
        scale_auto_reset: true,
        scale_random_percent: true,
        opt_out_smart_routing: true,
        not_held: true,
        solicited: true,
        randomize_size: true,
        randomize_price: true,
        conditions_ignore_rth: true,
        conditions_cancel_order: true,
        is_oms_container: true,
        discretionary_up_to_limit_price: true,
        auto_cancel_parent: version >= 162,
        ..order()
    };
    let numbers = Order {
        discretionary_amt: 0.25,
        short_sale_slot: 2,
        exempt_code: Some(3),
        origin: 1,
        min_qty: Some(4),
        percent_offset: Some(0.03),
        scale_init_level_size: Some(5),
        scale_subs_level_size: Some(6),
        scale_price_increment: Some(0.05),
        scale_price_adjust_value: Some(0.06),
        scale_price_adjust_interval: Some(60),
        scale_profit_offset: Some(0.07),
        scale_init_position: Some(8),
        scale_init_fill_qty: Some(9),
        trigger_price: Some(98.5),
        adjusted_stop_price: Some(97.5),
        adjusted_stop_limit_price: Some(97.25),
        adjusted_trailing_amount: Some(1.25),
        adjustable_trailing_unit: 100,
        lmt_price_offset: Some(0.5),
        cash_qty: Some(1_000.0),
        duration: since(158, 30),
        post_to_ats: since(160, 2),
        ..flags
    };
    Order {
        fa_group: text("g"),
        fa_method: text("m"),
        fa_percentage: text("7"),
        model_code: text("mc"),
        designated_location: text("loc"),
        rule_80a: text("A"),
        settling_firm: text("sf"),
        scale_table: text("st"),
        active_start_time: text("10:00:00"),
        active_stop_time: text("11:00:00"),
        hedge_type: text("D"),
        hedge_param: text("hp"),
        clearing_account: text("ca"),
        clearing_intent: text("Away"),
        algo_strategy: text("Twap"),
        algo_params: vec![(text("catchUp"), String::new()), (text("strategyType"), text("Marketable"))],
        algo_id: text("id"),
        adjusted_order_type: text("STP"),
        ext_operator: text("op"),
        soft_dollar_name: text("tn"),
        soft_dollar_value: text("tv"),
        advanced_error_override: later(166, "8229"),
        manual_order_time: later(169, "20260415-14:00:00"),
        conditions: conditions(),
        ..numbers
    }
}

/// The parameters of an algo by name: protobuf's map has no order.
fn sorted(mut request: Request) -> Request {
    if let Request::PlaceOrder { order, .. } = &mut request {
        order.algo_params.sort();
    }
    request
}

/// One condition of each kind.
fn conditions() -> Vec<Condition> {
    let exchange = || "SMART".to_owned();
    let tests = [
        (true, Test::Price { is_more: true, price: 101.5, con_id: 265_598, exchange: exchange(), trigger_method: 2 }),
        (false, Test::Time { is_more: false, time: "20260415-15:00:00".to_owned() }),
        (true, Test::Margin { is_more: true, percent: 30 }),
        (false, Test::Execution { sec_type: "STK".to_owned(), exchange: exchange(), symbol: "AAPL".to_owned() }),
        (true, Test::Volume { is_more: true, volume: 5_000, con_id: 265_598, exchange: exchange() }),
        (true, Test::PercentChange { is_more: false, change_percent: -2.5, con_id: 265_598, exchange: exchange() }),
    ];
    tests.into_iter().map(|(and, test)| Condition { and, test }).collect()
}

/// What the clients' calls in the script mean.
fn expected_requests() -> BTreeMap<&'static str, Request> {
    let (req_id, contract, account) = (5, aapl(), "DU1".to_owned());
    let filter = ExecutionFilter {
        client_id: 7,
        account: "DU1".to_owned(),
        time: "20260415-09:30:00".to_owned(),
        symbol: "AAPL".to_owned(),
        sec_type: "STK".to_owned(),
        exchange: "NYSE".to_owned(),
        side: "BUY".to_owned(),
    };
    BTreeMap::from([
        ("place", Request::PlaceOrder { contract: contract.clone(), order: order() }),
        ("cancel", Request::CancelOrder { order_id: 42 }),
        ("details", Request::ReqContractDetails { req_id, contract: contract.clone() }),
        (
            "quotes",
            Request::ReqMktData {
                req_id,
                contract: contract.clone(),
                generic_ticks: "236,233".to_owned(),
                snapshot: true,
                regulatory: false,
            },
        ),
        (
            "history",
            Request::ReqHistoricalData {
                req_id,
                contract,
                end: "20260415 16:00:00 US/Eastern".to_owned(),
                duration: "1 D".to_owned(),
                bar_size: "1 min".to_owned(),
                what_to_show: "TRADES".to_owned(),
                use_rth: true,
                format_date: 2,
                keep_up_to_date: false,
            },
        ),
        ("executions", Request::ReqExecutions { req_id, filter }),
        (
            "summary",
            Request::ReqAccountSummary {
                req_id,
                group: "All".to_owned(),
                tags: "NetLiquidation,BuyingPower".to_owned(),
            },
        ),
        ("updates", Request::ReqAccountUpdates { subscribe: true, account: account.clone() }),
        ("pnl", Request::ReqPnl { req_id, account: account.clone() }),
        ("pnl_single", Request::ReqPnlSingle { req_id, account, con_id: 265_598 }),
        ("completed", Request::ReqCompletedOrders { api_only: true }),
        ("auto", Request::ReqAutoOpenOrders { bind: true }),
        ("rule", Request::ReqMarketRule { market_rule_id: 26 }),
        ("type", Request::ReqMarketDataType { market_data_type: 3 }),
        ("positions", Request::ReqPositions),
        ("global", Request::ReqGlobalCancel),
        ("start", Request::StartApi { client_id: 9 }),
    ])
}

fn expected_streams() -> Vec<(&'static str, Request)> {
    let (req_id, contract) = (5, aapl());
    let text = str::to_owned;
    let streams = [
        ("depth", StreamRequest::Depth { req_id, contract: contract.clone(), rows: 5, smart: false }),
        ("depth_exchanges", StreamRequest::DepthExchanges),
        (
            "ticks",
            StreamRequest::TickByTick {
                req_id,
                contract: contract.clone(),
                kind: text("BidAsk"),
                number_of_ticks: 10,
                ignore_size: true,
            },
        ),
        (
            "bars",
            StreamRequest::RealTimeBars {
                req_id,
                contract: contract.clone(),
                bar_size_s: 5,
                what_to_show: text("TRADES"),
                use_rth: true,
            },
        ),
        (
            "past_ticks",
            StreamRequest::HistoricalTicks {
                req_id,
                contract: contract.clone(),
                start: text("20260415 09:30:00 US/Eastern"),
                end: String::new(),
                number_of_ticks: 100,
                what_to_show: text("BID_ASK"),
                use_rth: true,
                ignore_size: true,
            },
        ),
        (
            "head",
            StreamRequest::HeadTimestamp {
                req_id,
                contract: contract.clone(),
                what_to_show: text("TRADES"),
                use_rth: true,
                format_date: 2,
            },
        ),
        ("histogram", StreamRequest::Histogram { req_id, contract, use_rth: true, period: text("3 days") }),
        ("cancel_ticks", StreamRequest::Cancel { req_id, stream: Stream::TickByTick }),
        ("cancel_depth", StreamRequest::Cancel { req_id, stream: Stream::Depth }),
        ("cancel_bars", StreamRequest::Cancel { req_id, stream: Stream::RealTimeBars }),
        ("cancel_head", StreamRequest::Cancel { req_id, stream: Stream::HeadTimestamp }),
        ("cancel_histogram", StreamRequest::Cancel { req_id, stream: Stream::Histogram }),
    ];
    let (account, model) = (text("DU1"), text("model"));
    let lookups = [
        ("positions_multi", LookupRequest::PositionsMulti { req_id, account: account.clone(), model: model.clone() }),
        ("updates_multi", LookupRequest::AccountUpdatesMulti { req_id, account, model, ledger: true }),
        ("symbols", LookupRequest::MatchingSymbols { req_id, pattern: text("AAP") }),
        ("components", LookupRequest::SmartComponents { req_id, bbo_exchange: text("9c0001") }),
        ("families", LookupRequest::FamilyCodes),
        ("tiers", LookupRequest::SoftDollarTiers { req_id }),
        ("cancel_positions_multi", LookupRequest::CancelPositionsMulti { req_id }),
        ("cancel_updates_multi", LookupRequest::CancelAccountUpdatesMulti { req_id }),
    ];
    let streams = streams.into_iter().map(|(name, r)| (name, Request::Stream(r)));
    streams.chain(lookups.into_iter().map(|(name, r)| (name, Request::Lookup(r)))).collect()
}

#[test]
fn public_clients_requests_are_read_at_every_version() {
    let Some(python) = PUBLIC.python() else { return };
    let mut expected = expected_requests();
    expected.extend(expected_streams());
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for line in script(&python, "text_codec.py", &["write"], String::new()) {
        let line: Value = serde_json::from_str(&line).unwrap();
        let version = line["version"].as_i64().unwrap();
        let body = STANDARD.decode(line["frame"].as_str().unwrap()).unwrap();
        let name = line["name"].as_str().unwrap();
        let read = Codec::new(at(version)).decode_body(&body);
        let of_version = Request::PlaceOrder { contract: aapl(), order: rare(version) };
        let meant = if name == "rare" { &of_version } else { &expected[name] };
        assert_eq!(read.map(sorted), Ok(meant.clone()), "{line}");
        *counts.entry(line["client"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    println!("requests read: {counts:?}");
    assert_eq!(counts["nautilus"], (expected.len() + 1) * 69);
    assert_eq!(counts["ib_async"], (expected.len() + 1) * 22);
}

/// Answers with distinct values in all fields, and what a client must read from them: its attributes by lower-case
/// class and name, or an argument's position; a client's name before a colon where the two differ.
fn answers(version: i64) -> Vec<(Response, Value)> {
    let mut all = vec![open_order(version), completed_order(version), executed(version), details(version)];
    all.push(rare_open_order(version));
    all.extend(account_answers());
    all.extend(small_answers(version));
    all.extend(stream_answers());
    all.extend(past_answers());
    all.extend(lookup_answers());
    all
}

fn state() -> OrderState {
    OrderState {
        status: "PreSubmitted".to_owned(),
        init_margin_before: Some(1.5),
        maint_margin_before: Some(2.5),
        equity_with_loan_before: Some(3.5),
        init_margin_change: Some(4.5),
        maint_margin_change: Some(5.5),
        equity_with_loan_change: Some(6.5),
        init_margin_after: Some(7.5),
        maint_margin_after: Some(8.5),
        equity_with_loan_after: Some(9.5),
        commission: Some(1.02),
        commission_currency: "USD".to_owned(),
        margin_currency: "EUR".to_owned(),
        warning_text: "mind".to_owned(),
        completed_time: "20260415 10:05:30 US/Eastern".to_owned(),
        completed_status: "Filled Size: 12".to_owned(),
    }
}

fn echo() -> Order {
    Order {
        client_id: 7,
        perm_id: 2_000_000_001,
        filled_quantity: 12.0,
        parent_perm_id: 2_000_000_000,
        auto_cancel_date: "20260715".to_owned(),
        submitter: "someone".to_owned(),
        ..order()
    }
}

/// What openOrder and completedOrder have in common.
fn order_values(version: i64) -> Value {
    let mut values = json!({
        "contract.conId": 265_598, "contract.symbol": "AAPL", "contract.secType": "STK", "contract.exchange": "SMART",
        "contract.currency": "USD", "contract.localSymbol": "AAPLx", "contract.tradingClass": "NMS",
        "order.action": "SELL", "order.totalQuantity": 12, "order.orderType": "STP LMT", "order.lmtPrice": 101.25,
        "order.auxPrice": 100.5, "order.tif": "GTD", "order.ocaGroup": "group", "order.account": "DU1",
        "order.orderRef": "ref", "order.permId": 2_000_000_001, "order.outsideRth": true,
        "order.goodAfterTime": "20260415-13:05:30", "order.goodTillDate": "20260415-14:05:30",
        "order.displaySize": 3, "order.allOrNone": true, "order.ocaType": 1, "order.triggerMethod": 2,
        "order.deltaNeutralOrderType": "None", "order.trailStopPrice": 99.75, "order.trailingPercent": 1.5,
        "order.clearingIntent": "IB", "orderstate.status": "PreSubmitted",
    });
    if version >= 198 {
        values["order.submitter"] = "someone".into();
    }
    values
}

fn open_order(version: i64) -> (Response, Value) {
    let mut values = order_values(version);
    let more = json!({
        "order.orderId": 42, "order.clientId": 7, "order.parentId": 41, "order.whatIf": true,
        "order.usePriceMgmtAlgo": true, "order.dontUseAutoPriceForHedge": true, "order.adjustedOrderType": "None",
        "orderstate.initMarginBefore": 1.5, "orderstate.maintMarginBefore": 2.5,
        "orderstate.equityWithLoanBefore": 3.5, "orderstate.initMarginChange": 4.5,
        "orderstate.maintMarginChange": 5.5, "orderstate.equityWithLoanChange": 6.5,
        "orderstate.initMarginAfter": 7.5, "orderstate.maintMarginAfter": 8.5, "orderstate.equityWithLoanAfter": 9.5,
        "nautilus:orderstate.commissionAndFees": 1.02, "nautilus:orderstate.commissionAndFeesCurrency": "USD",
        "ib_async:orderstate.commission": 1.02, "ib_async:orderstate.commissionCurrency": "USD",
        "orderstate.warningText": "mind",
    });
    values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    if version >= 195 {
        values["orderstate.marginCurrency"] = "EUR".into();
    }
    (Response::OpenOrder { contract: aapl(), order: Box::new(echo()), state: Box::new(state()) }, values)
}

/// What few orders have, as openOrder tells it.
fn rare_open_order(version: i64) -> (Response, Value) {
    let mut values = json!({
        "order.openClose": "O", "order.origin": 1, "order.blockOrder": true, "order.sweepToFill": true,
        "order.hidden": true, "order.discretionaryAmt": 0.25, "order.faGroup": "g", "order.faMethod": "m",
        "order.faPercentage": "7", "order.modelCode": "mc", "order.shortSaleSlot": 2,
        "order.designatedLocation": "loc", "order.exemptCode": 3, "order.rule80A": "A", "order.settlingFirm": "sf",
        "order.minQty": 4, "order.percentOffset": 0.03, "order.scaleInitLevelSize": 5, "order.scaleSubsLevelSize": 6,
        "order.scalePriceIncrement": 0.05, "order.scalePriceAdjustValue": 0.06,
        "order.scalePriceAdjustInterval": 60, "order.scaleProfitOffset": 0.07, "order.scaleAutoReset": true,
    });
    let more = json!({
        "order.scaleInitPosition": 8, "order.scaleInitFillQty": 9, "order.scaleRandomPercent": true,
        "order.hedgeType": "D", "order.hedgeParam": "hp", "order.optOutSmartRouting": true,
        "order.clearingAccount": "ca", "order.clearingIntent": "Away", "order.notHeld": true,
        "order.algoStrategy": "Twap", "order.solicited": true, "order.randomizeSize": true,
        "order.randomizePrice": true, "order.conditionsIgnoreRth": true, "order.conditionsCancelOrder": true,
        "order.adjustedOrderType": "STP", "order.triggerPrice": 98.5, "order.adjustedStopPrice": 97.5,
        "order.adjustedStopLimitPrice": 97.25, "order.adjustedTrailingAmount": 1.25,
        "order.adjustableTrailingUnit": 100, "order.lmtPriceOffset": 0.5, "order.cashQty": 1_000,
        "order.isOmsContainer": true, "order.discretionaryUpToLimitPrice": true,
    });
    values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    // ib_async has no duration at 158.
    let client = if version == 158 { "nautilus:" } else { "" };
    for (since, name, value) in [(158, "duration", 30), (160, "postToAts", 2), (162, "autoCancelParent", 1)] {
        if version >= since {
            values[format!("{client}order.{name}")] = value.into();
        }
    }
    (Response::OpenOrder { contract: aapl(), order: Box::new(rare(version)), state: Box::new(state()) }, values)
}

fn completed_order(version: i64) -> (Response, Value) {
    let mut values = order_values(version);
    let more = json!({
        "order.autoCancelDate": "20260715", "order.filledQuantity": 12, "order.parentPermId": 2_000_000_000,
        "order.shareholder": "Not an insider or substantial shareholder",
        "orderstate.completedTime": "20260415 10:05:30 US/Eastern", "orderstate.completedStatus": "Filled Size: 12",
    });
    values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    (Response::CompletedOrder { contract: aapl(), order: Box::new(echo()), state: Box::new(state()) }, values)
}

fn executed(_version: i64) -> (Response, Value) {
    let execution = Execution {
        order_id: 42,
        client_id: 7,
        exec_id: "0000e0d5.42.01.01".to_owned(),
        time: "20260415 10:05:30 US/Eastern".to_owned(),
        account: "DU1".to_owned(),
        exchange: "ARCA".to_owned(),
        side: "SLD".to_owned(),
        shares: 5.0,
        price: 101.5,
        perm_id: 2_000_000_001,
        cum_qty: 6.0,
        avg_price: 101.25,
        order_ref: "ref".to_owned(),
        last_liquidity: 2,
    };
    let values = json!({
        "0": -1, "contract.conId": 265_598, "contract.tradingClass": "NMS", "execution.orderId": 42,
        "execution.clientId": 7, "execution.execId": "0000e0d5.42.01.01", "execution.acctNumber": "DU1",
        "execution.exchange": "ARCA", "execution.side": "SLD", "execution.shares": 5, "execution.price": 101.5,
        "execution.permId": 2_000_000_001, "execution.cumQty": 6, "execution.avgPrice": 101.25,
        "execution.orderRef": "ref", "execution.lastLiquidity": 2,
    });
    let execution = Box::new(execution);
    (Response::ExecutionDetails { req_id: -1, contract: aapl(), execution }, values)
}

fn details(version: i64) -> (Response, Value) {
    let details = ContractDetails {
        contract: aapl(),
        market_name: "NMSm".to_owned(),
        min_tick: 0.01,
        order_types: "LMT,MKT".to_owned(),
        valid_exchanges: "SMART,NASDAQ".to_owned(),
        market_rule_ids: "26,27".to_owned(),
        long_name: "SOCIÉTÉ INC".to_owned(),
        time_zone_id: "US/Eastern".to_owned(),
        trading_hours: "20260415:0400-20260415:2000".to_owned(),
        liquid_hours: "20260415:0930-20260415:1600".to_owned(),
        stock_type: "COMMON".to_owned(),
        min_size: 0.0001,
        size_increment: 0.0002,
        suggested_size_increment: 100.0,
        industry: "Technology".to_owned(),
        category: "Computers".to_owned(),
        subcategory: "Makers".to_owned(),
        agg_group: 3,
        min_algo_size: None,
    };
    let mut values = json!({
        "contract.conId": 265_598, "contract.symbol": "AAPL", "contract.secType": "STK", "contract.exchange": "SMART",
        "contract.primaryExchange": "NASDAQ", "contract.currency": "USD", "contract.localSymbol": "AAPLx",
        "contract.tradingClass": "NMS", "contractdetails.marketName": "NMSm", "contractdetails.minTick": 0.01,
        "contractdetails.orderTypes": "LMT,MKT", "contractdetails.validExchanges": "SMART,NASDAQ",
        "contractdetails.priceMagnifier": 1, "contractdetails.longName": "SOCIÉTÉ INC",
        "contractdetails.industry": "Technology", "contractdetails.category": "Computers",
        "contractdetails.subcategory": "Makers", "contractdetails.timeZoneId": "US/Eastern",
        "contractdetails.tradingHours": "20260415:0400-20260415:2000",
        "contractdetails.liquidHours": "20260415:0930-20260415:1600", "contractdetails.aggGroup": 3,
        "contractdetails.marketRuleIds": "26,27", "contractdetails.stockType": "COMMON", "0": 5,
    });
    if version >= 164 {
        values["contractdetails.minSize"] = 0.0001.into();
        values["contractdetails.sizeIncrement"] = 0.0002.into();
        values["contractdetails.suggestedSizeIncrement"] = 100.into();
    }
    (Response::ContractData { req_id: 5, details: Box::new(details) }, values)
}

fn account_answers() -> Vec<(Response, Value)> {
    let (account, contract) = ("DU1".to_owned(), aapl());
    vec![
        (
            Response::Position { account: account.clone(), contract: contract.clone(), position: -3.0, avg_cost: 1.5 },
            json!({"0": "DU1", "contract.exchange": "SMART", "contract.tradingClass": "NMS", "2": -3, "3": 1.5}),
        ),
        (
            Response::PortfolioValue {
                contract,
                position: -3.0,
                market_price: 1.5,
                market_value: -4.5,
                average_cost: 2.5,
                unrealized_pnl: 3.0,
                realized_pnl: 0.5,
                account,
            },
            json!({
                "contract.primaryExchange": "NASDAQ", "contract.tradingClass": "NMS", "1": -3, "2": 1.5, "3": -4.5,
                "4": 2.5, "5": 3, "6": 0.5, "7": "DU1",
            }),
        ),
        (
            Response::Pnl { req_id: 5, daily: 1.5, unrealized: Some(2.5), realized: None },
            json!({"0": 5, "1": 1.5, "2": 2.5, "3": f64::MAX}),
        ),
        (
            Response::PnlSingle {
                req_id: 5,
                position: 3.0,
                daily: 1.5,
                unrealized: Some(2.5),
                realized: Some(3.5),
                value: 4.5,
            },
            json!({"0": 5, "1": 3, "2": 1.5, "3": 2.5, "4": 3.5, "5": 4.5}),
        ),
    ]
}

fn small_answers(version: i64) -> Vec<(Response, Value)> {
    let time = Date::of(2026, 4, 15).at(9, 30);
    let mut error = json!({"0": 42, "nautilus:2": 202, "ib_async:1": 202, "nautilus:3": "Order Canceled - reason:"});
    if version >= 166 {
        error["nautilus:4"] = "{}".into();
        error["ib_async:3"] = "{}".into();
    }
    if version >= 194 {
        error["nautilus:1"] = (time.secs() * 1_000).into();
    }
    let status = Response::OrderStatus {
        order_id: 42,
        status: "Submitted".to_owned(),
        filled: 5.0,
        remaining: 7.0,
        avg_fill_price: 101.5,
        perm_id: 2_000_000_001,
        parent_id: 41,
        last_fill_price: 101.25,
        client_id: 7,
        why_held: "locate".to_owned(),
        mkt_cap_price: 99.5,
    };
    let commission = Response::CommissionReport {
        exec_id: "0000e0d5.42.01.01".to_owned(),
        commission: 1.02,
        currency: "USD".to_owned(),
        realized_pnl: Some(-0.5),
    };
    vec![
        (
            Response::Error {
                id: 42,
                time,
                code: 202,
                message: "Order Canceled - reason:".to_owned(),
                advanced_order_reject_json: "{}".to_owned(),
            },
            error,
        ),
        (
            status,
            json!({
                "0": 42, "1": "Submitted", "2": 5, "3": 7, "4": 101.5, "5": 2_000_000_001, "6": 41, "7": 101.25, "8": 7,
                "9": "locate", "10": 99.5,
            }),
        ),
        (
            commission,
            json!({
                "nautilus:commissionandfeesreport.commissionAndFees": 1.02,
                "nautilus:commissionandfeesreport.realizedPNL": -0.5, "ib_async:commissionreport.commission": 1.02,
                "ib_async:commissionreport.realizedPNL": -0.5, "ib_async:commissionreport.currency": "USD",
            }),
        ),
        (
            Response::TickPrice { req_id: 5, tick_type: 1, price: 101.25, size: 300.0, attr_mask: 1 },
            json!({"0": 5, "nautilus:1": 1, "ib_async:1": 1, "2": 101.25, "ib_async:3": 300}),
        ),
        (Response::MarketRule { market_rule_id: 26, increments: vec![(0.0, 0.0001), (1.0, 0.01)] }, json!({"0": 26})),
    ]
}

fn stream_answers() -> Vec<(Response, Value)> {
    let (req_id, time) = (5, Date::of(2026, 4, 15).at(9, 31));
    let seconds = time.secs();
    let last = LastTick {
        time,
        price: 1.5,
        size: 200.0,
        past_limit: true,
        exchange: "ARCA".to_owned(),
        conditions: "I".to_owned(),
        ..LastTick::default()
    };
    let quote = BidAskTick {
        time,
        bid: 1.5,
        ask: 1.75,
        bid_size: 3.0,
        ask_size: 4.0,
        bid_past_low: true,
        ..BidAskTick::default()
    };
    let row = DepthRow { position: 2, operation: 1, side: 1, price: 1.5, size: 300.0, ..DepthRow::default() };
    let named = DepthRow { market_maker: "ARCA".to_owned(), smart: true, ..row.clone() };
    let bar = HistoricalBar { time, open: 1.5, high: 2.5, low: 0.5, close: 2.0, volume: 30.0, wap: 1.75, count: 9 };
    let exchange = DepthExchange {
        exchange: "ISLAND".to_owned(),
        sec_type: "STK".to_owned(),
        listing_exchange: "NASDAQ".to_owned(),
        service: "Deep2".to_owned(),
        agg_group: 7,
    };
    let streams = [
        (
            StreamResponse::TickByTick { req_id, tick: ByTick::AllLast(last) },
            json!({
                "0": 5, "1": 2, "nautilus:2": seconds, "3": 1.5, "4": 200, "tickattriblast.pastLimit": true,
                "tickattriblast.unreported": false, "6": "ARCA", "7": "I",
            }),
        ),
        (
            StreamResponse::TickByTick { req_id, tick: ByTick::BidAsk(quote) },
            json!({
                "0": 5, "nautilus:1": seconds, "2": 1.5, "3": 1.75, "4": 3, "5": 4, "tickattribbidask.bidPastLow": true,
                "tickattribbidask.askPastHigh": false,
            }),
        ),
        (
            StreamResponse::TickByTick { req_id, tick: ByTick::MidPoint(MidTick { time, price: 1.5, size: 0.0 }) },
            json!({"0": 5, "nautilus:1": seconds, "2": 1.5}),
        ),
        (StreamResponse::Depth { req_id, row }, json!({"0": 5, "1": 2, "2": 1, "3": 1, "4": 1.5, "5": 300})),
        (
            StreamResponse::DepthL2 { req_id, row: named },
            json!({"0": 5, "1": 2, "2": "ARCA", "3": 1, "4": 1, "5": 1.5, "6": 300, "7": true}),
        ),
        (
            StreamResponse::DepthExchanges { exchanges: vec![exchange] },
            json!({
                "depthmktdatadescription.exchange": "ISLAND", "depthmktdatadescription.secType": "STK",
                "depthmktdatadescription.listingExch": "NASDAQ", "depthmktdatadescription.serviceDataType": "Deep2",
                "depthmktdatadescription.aggGroup": 7,
            }),
        ),
        (
            StreamResponse::RealTimeBar { req_id, bar },
            json!({
                "0": 5, "nautilus:1": seconds, "ib_async:1": seconds, "2": 1.5, "3": 2.5, "4": 0.5, "5": 2, "6": 30,
                "7": 1.75, "8": 9,
            }),
        ),
    ];
    streams.into_iter().map(|(r, values)| (Response::Stream(r), values)).collect()
}

fn past_answers() -> Vec<(Response, Value)> {
    let (req_id, done, time) = (5, true, Date::of(2026, 4, 15).at(9, 31));
    let last = LastTick {
        time,
        price: 1.5,
        size: 200.0,
        unreported: true,
        exchange: "ARCA".to_owned(),
        conditions: "I".to_owned(),
        ..LastTick::default()
    };
    let quote = BidAskTick {
        time,
        bid: 1.5,
        ask: 1.75,
        bid_size: 3.0,
        ask_size: 4.0,
        bid_past_low: true,
        ..BidAskTick::default()
    };
    let bar = HistoricalBar { time, open: 1.5, high: 2.5, low: 0.5, close: 2.0, volume: 30.0, wap: 1.75, count: 9 };
    let session = TradingSession { start: "from".to_owned(), end: "to".to_owned(), ref_date: "20260415".to_owned() };
    let past = [
        (
            StreamResponse::HistoricalTicks { req_id, ticks: vec![MidTick { time, price: 1.5, size: 2.0 }], done },
            json!({"0": 5, "historicaltick.price": 1.5, "historicaltick.size": 2, "2": true}),
        ),
        (
            StreamResponse::HistoricalTicksBidAsk { req_id, ticks: vec![quote], done },
            json!({
                "0": 5, "historicaltickbidask.priceBid": 1.5, "historicaltickbidask.priceAsk": 1.75,
                "historicaltickbidask.sizeBid": 3, "historicaltickbidask.sizeAsk": 4, "2": true,
            }),
        ),
        (
            StreamResponse::HistoricalTicksLast { req_id, ticks: vec![last], done },
            json!({
                "0": 5, "historicalticklast.price": 1.5, "historicalticklast.size": 200,
                "historicalticklast.exchange": "ARCA", "historicalticklast.specialConditions": "I", "2": true,
            }),
        ),
        (StreamResponse::HeadTimestamp { req_id, time: "1776173400".to_owned() }, json!({"0": 5, "1": "1776173400"})),
        (
            StreamResponse::Histogram { req_id, points: vec![(1.5, 200.0)] },
            json!({
                "0": 5, "histogramdata.price": 1.5, "nautilus:histogramdata.size": 200,
                "ib_async:histogramdata.count": 200,
            }),
        ),
        (
            StreamResponse::Schedule {
                req_id,
                start: "from".to_owned(),
                end: "to".to_owned(),
                time_zone: "US/Eastern".to_owned(),
                sessions: vec![session],
            },
            json!({
                "0": 5, "1": "from", "2": "to", "3": "US/Eastern", "historicalsession.startDateTime": "from",
                "historicalsession.endDateTime": "to", "historicalsession.refDate": "20260415",
            }),
        ),
        (
            StreamResponse::BarUpdate { req_id, bar, format_date: 1 },
            json!({
                "0": 5, "bardata.date": "20260415 09:31:00 US/Eastern", "bardata.open": 1.5, "bardata.high": 2.5,
                "bardata.low": 0.5, "bardata.close": 2, "bardata.volume": 30, "bardata.barCount": 9,
                "nautilus:bardata.wap": 1.75, "ib_async:bardata.average": 1.75,
            }),
        ),
    ];
    past.into_iter().map(|(r, values)| (Response::Stream(r), values)).collect()
}

fn lookup_answers() -> Vec<(Response, Value)> {
    let (req_id, text) = (5, str::to_owned);
    let (account, model) = (text("DU1"), text("growth"));
    let component = SmartComponent { bit: 3, exchange: text("ARCA"), letter: text("P") };
    let lookups = [
        (
            LookupResponse::PositionMulti {
                req_id,
                account: account.clone(),
                model: model.clone(),
                contract: aapl(),
                position: -3.0,
                avg_cost: 1.5,
            },
            json!({"0": 5, "1": "DU1", "2": "growth", "contract.tradingClass": "NMS", "4": -3, "5": 1.5}),
        ),
        (LookupResponse::PositionMultiEnd { req_id }, json!({"0": 5})),
        (
            LookupResponse::AccountUpdateMulti {
                req_id,
                account,
                model,
                key: text("Cash"),
                value: text("1.50"),
                currency: text("USD"),
            },
            json!({"0": 5, "1": "DU1", "2": "growth", "3": "Cash", "4": "1.50", "5": "USD"}),
        ),
        (LookupResponse::AccountUpdateMultiEnd { req_id }, json!({"0": 5})),
        (
            LookupResponse::SymbolSamples {
                req_id,
                matches: vec![SymbolMatch { contract: aapl(), derivatives: vec![text("OPT"), text("CFD")] }],
            },
            json!({
                "0": 5, "contract.conId": 265_598, "contract.symbol": "AAPL", "contract.secType": "STK",
                "contract.primaryExchange": "NASDAQ", "contract.currency": "USD",
            }),
        ),
        (
            LookupResponse::SmartComponents { req_id, components: vec![component] },
            json!({
                "0": 5, "smartcomponent.bitNumber": 3, "smartcomponent.exchange": "ARCA",
                "smartcomponent.exchangeLetter": "P",
            }),
        ),
        (
            LookupResponse::FamilyCodes { codes: vec![(text("DU1"), text("F1"))] },
            json!({"familycode.accountID": "DU1", "familycode.familyCodeStr": "F1"}),
        ),
        (
            LookupResponse::SoftDollarTiers { req_id, tiers: vec![(text("a"), text("b"), text("c"))] },
            json!({
                "0": 5, "softdollartier.name": "a", "softdollartier.val": "b", "softdollartier.displayName": "c",
            }),
        ),
        (LookupResponse::UserInfo { req_id, white_branding_id: text("us") }, json!({"0": 5, "1": "us"})),
    ];
    lookups.into_iter().map(|(r, values)| (Response::Lookup(r), values)).collect()
}

fn history(version: i64) -> Vec<u8> {
    let bar = HistoricalBar {
        time: Date::of(2026, 4, 15).at(9, 31),
        open: 1.5,
        high: 2.5,
        low: 0.5,
        close: 2.0,
        volume: 1_200.0,
        wap: 1.75,
        count: 9,
    };
    let mut codec = Codec::new(at(version));
    let mut frame = Vec::new();
    codec.encode_response(Response::HistoricalData { req_id: 5, bars: vec![bar], format_date: 1 }, &mut frame).unwrap();
    if version < 196 {
        let range = Response::HistoricalDataEnd { req_id: 5, start: "from".to_owned(), end: "to".to_owned() };
        codec.encode_response(range, &mut frame).unwrap();
    }
    frame
}

#[test]
fn public_clients_read_the_answers_at_every_version() {
    let Some(python) = PUBLIC.python() else { return };
    let mut input = String::new();
    let mut messages = 0;
    let mut add = |version: i64, frame: &[u8], expect: &Value| {
        // Length, then the message id, as text below 201.
        let (id, fields) = if version > 200 {
            (i32::from_be_bytes(frame[4..8].try_into().unwrap()), &frame[8..])
        } else {
            let end = 4 + frame[4..].iter().position(|b| *b == 0).unwrap();
            (std::str::from_utf8(&frame[4..end]).unwrap().parse().unwrap(), &frame[end + 1..])
        };
        if id > 200 {
            return;
        }
        let line = json!({"version": version, "id": id, "fields": STANDARD.encode(fields), "expect": expect});
        writeln!(input, "{line}").unwrap();
        messages += if version <= 178 { 2 } else { 1 };
    };
    for version in 157..=212 {
        for (response, expect) in answers(version) {
            let mut frame = Vec::new();
            Codec::new(at(version)).encode_response(response, &mut frame).unwrap();
            add(version, &frame, &expect);
        }
        let bar = json!({
            "0": 5, "bardata.date": "20260415 09:31:00 US/Eastern", "bardata.open": 1.5, "bardata.high": 2.5,
            "bardata.low": 0.5, "bardata.close": 2, "bardata.volume": 1_200, "bardata.barCount": 9,
            "nautilus:bardata.wap": 1.75, "ib_async:bardata.average": 1.75,
        });
        add(version, &history(version), &bar);
    }
    let lines = script(&python, "text_codec.py", &["read"], input);
    let (count, differences) = lines.split_last().unwrap();
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    println!("answers read: {messages}");
    assert!(messages > (answers(200).len() + 1) * 66, "{messages}");
    assert_eq!(serde_json::from_str::<Value>(count).unwrap()["messages"], messages);
}

#[test]
fn a_client_of_all_versions_trades_at_each_kind_of_version() {
    let Some(python) = PUBLIC.python() else { return };
    let folder = tempfile::tempdir().unwrap();
    // First and last of each encoding, and where large messages change.
    for version in ["157", "164", "177", "196", "200", "201", "203", "207", "212", "213"] {
        let gateway = Gateway::start(&["--speed", "5", "--max-version", version], folder.path());
        let lines = script(&python, "official.py", &[&gateway.address, "AAPL", "--timeout", "60"], String::new());
        drop(gateway);
        let steps: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(steps[0]["server_version"].to_string(), version);
        assert_eq!(steps.last().unwrap()["step"], "done", "{version}");
        let fills: Vec<&Value> = steps.iter().filter(|s| s["step"] == "fill").collect();
        let sides: Vec<&str> = fills.iter().map(|f| f["side"].as_str().unwrap()).collect();
        assert_eq!(sides, ["BOT", "SLD"], "{version}");
        assert!(fills.iter().all(|f| f["commission"].as_f64().unwrap() > 0.0 && f["filled"] == 1.0), "{fills:?}");
    }
}

#[test]
fn ib_async_trades_through_the_products_gateway() {
    let Some(python) = PUBLIC.python() else { return };
    let folder = tempfile::tempdir().unwrap();
    // The first and the last version that it speaks.
    for version in [157, 178] {
        let gateway = Gateway::start(&["--speed", "5", "--max-version", &version.to_string()], folder.path());
        let lines = script(&python, "text.py", &[&gateway.address, "AAPL"], String::new());
        drop(gateway);
        check_ib_async(version, &lines);
    }
}

fn check_ib_async(version: i32, lines: &[String]) {
    let steps: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = steps.iter().map(|s| s["step"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "connected",
            "contract",
            "quote",
            "history",
            "fill",
            "position",
            "limit",
            "stop",
            "bracket",
            "what_if",
            "fill",
            "executions",
            "completed",
            "summary",
            "pnl",
            "streams",
            "past",
            "done"
        ]
    );
    let number = |i: usize, name: &str| steps[i][name].as_f64().unwrap();
    assert_eq!((&steps[0]["version"], &steps[0]["accounts"][0]), (&json!(version), &json!("DU9000001")));
    assert_eq!(steps[0]["late"], json!([]), "nothing that it asks at connect stays unanswered");
    assert_eq!((&steps[1]["con_id"], &steps[1]["primary"]), (&json!(265_598), &json!("NASDAQ")));
    assert!(number(2, "ask") > number(2, "bid") && number(2, "bid_size") > 0.0, "{}", steps[2]);
    assert!(number(3, "bars") >= 1.0 && number(3, "close") > 0.0, "{}", steps[3]);
    for (i, side, order_ref) in [(4, "BOT", "text-1"), (10, "SLD", "text-3")] {
        assert_eq!((&steps[i]["status"], &steps[i]["side"]), (&json!("Filled"), &json!(side)));
        assert_eq!((&steps[i]["ref"], &steps[i]["currency"]), (&json!(order_ref), &json!("USD")));
        assert!(number(i, "price") > 0.0 && number(i, "commission") > 0.0, "{}", steps[i]);
    }
    assert!(number(4, "realized") == 0.0 && number(10, "realized") != 0.0, "only the closing leg realizes");
    assert_eq!(steps[5]["position"], json!(1.0));
    // The modified price is what is working.
    let moved = number(6, "asked") - 0.01 - steps[6]["open"][0].as_f64().unwrap();
    assert!(moved.abs() < 1e-6, "{}", steps[6]);
    assert_eq!((&steps[7]["held"], &steps[7]["stop"]), (&json!("trigger"), &steps[7]["asked"]));
    assert_eq!(steps[8]["held"], json!(["", "child", "child,trigger"]));
    assert!(number(9, "commission") > 0.0, "{}", steps[9]);
    assert_eq!(steps[11]["refs"], json!(["text-1", "text-3"]));
    let order = |order_ref: &str, status: &str| json!([order_ref, status]);
    // The stop and the bracket have no reference.
    let mut completed = vec![order("", "Cancelled"); 4];
    completed.extend([order("text-1", "Filled"), order("text-2", "Cancelled"), order("text-3", "Filled")]);
    assert_eq!(steps[12]["orders"], json!(completed));
    assert_eq!(steps[15]["rows"], json!([5, 5]), "{}", steps[15]);
    assert!((number(15, "bid") - number(2, "bid")).abs() < 0.1 * number(2, "bid"), "{}", steps[15]);
    assert!(number(15, "close") > 0.0 && number(16, "ticks") >= 10.0, "{}", steps[16]);
    assert_eq!((number(16, "sessions"), &steps[16]["found"]), (3.0, &json!(["AAPL"])));
    assert!((number(13, "net") - 1_000_000.0).abs() < 10.0, "{}", steps[13]);
    assert!((number(14, "realized") - number(10, "realized")).abs() < 1e-6, "{}", steps[14]);
}
