//! One of each message with any contents, for the tests of the encodings.

use ibkr_trader::clock::SessionTime;
use ibkr_trader::domain::Side;
use ibkr_trader::sim::api::{
    BidAskTick, ByTick, Condition, Contract, ContractDetails, DepthExchange, DepthRow, Execution, ExecutionFilter,
    GatewayConfig, HistoricalBar, LastTick, LookupRequest, LookupResponse, MidTick, Order, OrderState, Request,
    Response, SmartComponent, Stream, StreamRequest, StreamResponse, SymbolMatch, Test, TradingSession,
};
use proptest::prelude::*;

pub(crate) fn text() -> impl Strategy<Value = String> {
    "[ -~]{0,20}|[äöé€\u{1F600}]{1,3}"
}

pub(crate) fn price() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), -1e9..1e9_f64, any::<f64>().prop_filter("finite", |x| x.is_finite() && *x < f64::MAX)]
}

prop_compose! {
    pub(crate) fn contract()(
        con_id in any::<i32>(), symbol in text(), sec_type in text(), exchange in text(), primary_exchange in text(),
        currency in text(), local_symbol in text(), trading_class in text(),
    ) -> Contract {
        Contract { con_id, symbol, sec_type, exchange, primary_exchange, currency, local_symbol, trading_class }
    }
}

prop_compose! {
    /// The fields of a plain order that a client can place.
    fn plain()(
        (order_id, parent_id, oca_type, trigger_method, display_size) in any::<(i32, i32, i32, i32, i32)>(),
        (outside_rth, transmit, what_if, all_or_none, use_price_mgmt_algo) in any::<(bool, bool, bool, bool, bool)>(),
        action in prop::option::of(prop_oneof![Just(Side::Buy), Just(Side::Sell)]),
        total_quantity in price(),
        prices in prop::array::uniform4(prop::option::of(price())),
        texts in prop::array::uniform7(text()),
    ) -> Order {
        let [limit_price, aux_price, trailing_percent, trail_stop_price] = prices;
        let [order_type, tif, good_till_date, account, order_ref, oca_group, good_after_time] = texts;
        Order {
            order_id, parent_id, action, total_quantity, order_type, limit_price, aux_price, tif, good_till_date,
            account, order_ref, oca_group, oca_type, outside_rth, transmit, what_if, trigger_method, all_or_none,
            display_size, good_after_time, trailing_percent, trail_stop_price, use_price_mgmt_algo,
            ..Order::default()
        }
    }
}

prop_compose! {
    fn condition()(kind in 0_usize..6, and in any::<bool>(), is_more in any::<bool>(), a in 0..i32::MAX, b in 0..i32::MAX,
        price in price(), s in text(), t in text(), u in text()) -> Condition {
        let test = match kind {
            0 => Test::Price { is_more, price, con_id: a, exchange: s, trigger_method: b },
            1 => Test::Time { is_more, time: s },
            2 => Test::Margin { is_more, percent: a },
            3 => Test::Execution { sec_type: s, exchange: t, symbol: u },
            4 => Test::Volume { is_more, volume: a, con_id: b, exchange: s },
            _ => Test::PercentChange { is_more, change_percent: price, con_id: a, exchange: s },
        };
        Condition { and, test }
    }
}

/// The texts of an order that few use, set to `t`.
fn rare_texts(t: &str, o: Order) -> Order {
    let t = || t.to_owned();
    Order {
        open_close: t(),
        fa_group: t(),
        fa_method: t(),
        fa_percentage: t(),
        model_code: t(),
        designated_location: t(),
        rule_80a: t(),
        settling_firm: t(),
        delta_neutral_order_type: t(),
        scale_table: t(),
        active_start_time: t(),
        active_stop_time: t(),
        hedge_type: t(),
        hedge_param: t(),
        clearing_account: t(),
        clearing_intent: t(),
        algo_strategy: t(),
        algo_id: t(),
        adjusted_order_type: t(),
        ext_operator: t(),
        soft_dollar_name: t(),
        soft_dollar_value: t(),
        soft_dollar_display_name: t(),
        advanced_error_override: t(),
        manual_order_time: t(),
        customer_account: t(),
        ..o
    }
}

/// Its flags, set to `b`.
fn rare_flags(b: bool, o: Order) -> Order {
    Order {
        block_order: b,
        sweep_to_fill: b,
        hidden: b,
        override_percentage_constraints: b,
        opt_out_smart_routing: b,
        not_held: b,
        solicited: b,
        randomize_size: b,
        randomize_price: b,
        is_oms_container: b,
        discretionary_up_to_limit_price: b,
        auto_cancel_parent: b,
        professional_customer: b,
        include_overnight: b,
        imbalance_only: b,
        post_only: b,
        allow_pre_open: b,
        ignore_open_auction: b,
        deactivate: b,
        ..o
    }
}

/// Its numbers.
fn rare_numbers(n: Option<i32>, x: Option<f64>, o: Order) -> Order {
    Order {
        min_qty: n,
        scale_init_level_size: n,
        scale_subs_level_size: n,
        duration: n,
        post_to_ats: n,
        min_trade_qty: n,
        min_compete_size: n,
        manual_order_indicator: n,
        exempt_code: n,
        percent_offset: x,
        volatility: x,
        trigger_price: x,
        adjusted_stop_price: x,
        adjusted_stop_limit_price: x,
        adjusted_trailing_amount: x,
        lmt_price_offset: x,
        cash_qty: x.filter(|c| *c != 0.0),
        compete_against_best_offset: x,
        mid_offset_at_whole: x,
        mid_offset_at_half: x,
        discretionary_amt: x.unwrap_or(0.0),
        ..o
    }
}

prop_compose! {
    /// What a client can place.
    pub(crate) fn order()(
        plain in plain(), t in "[a-z]{0,6}", flags in any::<bool>(), n in prop::option::of(0..i32::MAX),
        x in prop::option::of(price()), whole in 0..i32::MAX, conditions in prop::collection::vec(condition(), 0..3),
        scale in prop::option::of(0.01..9.0_f64),
    ) -> Order {
        let o = rare_numbers(n, x, rare_flags(flags, rare_texts(&t, plain)));
        let some = !conditions.is_empty();
        let by = |o: Order| match scale {
            None => o,
            Some(increment) => Order {
                scale_price_increment: Some(increment), scale_price_adjust_value: x, scale_price_adjust_interval: n,
                scale_profit_offset: x, scale_auto_reset: flags, scale_init_position: n, scale_init_fill_qty: n,
                scale_random_percent: flags, ..o
            },
        };
        let params = if t.is_empty() { vec![] } else { vec![("a".to_owned(), t.clone()), ("b".to_owned(), String::new())] };
        by(Order {
            origin: whole, short_sale_slot: whole, adjustable_trailing_unit: whole, algo_params: params,
            conditions_ignore_rth: some && flags, conditions_cancel_order: some, conditions, ..o
        })
    }
}

prop_compose! {
    /// What a gateway echoes: no transmit flag and no display size, and a price where the order has none.
    pub(crate) fn echo()(
        order in order(), (client_id, perm_id, parent_perm_id) in any::<(i32, i64, i64)>(),
        filled_quantity in price(), auto_cancel_date in text(), submitter in text(),
    ) -> Order {
        Order {
            client_id, perm_id, parent_perm_id, filled_quantity, auto_cancel_date, submitter,
            transmit: false,
            display_size: 0,
            limit_price: order.limit_price.or(Some(0.0)),
            aux_price: if order.trailing_percent.is_some() { order.aux_price } else { order.aux_price.or(Some(0.0)) },
            ..order
        }
    }
}

prop_compose! {
    pub(crate) fn state()(
        amounts in prop::array::uniform10(prop::option::of(price())), texts in prop::array::uniform6(text()),
    ) -> OrderState {
        let [init_margin_before, maint_margin_before, equity_with_loan_before, init_margin_change,
            maint_margin_change, equity_with_loan_change, init_margin_after, maint_margin_after,
            equity_with_loan_after, commission] = amounts;
        let [status, commission_currency, margin_currency, warning_text, completed_time, completed_status] = texts;
        OrderState {
            status, init_margin_before, maint_margin_before, equity_with_loan_before, init_margin_change,
            maint_margin_change, equity_with_loan_change, init_margin_after, maint_margin_after,
            equity_with_loan_after, commission, commission_currency, margin_currency, warning_text, completed_time,
            completed_status,
        }
    }
}

prop_compose! {
    pub(crate) fn details()(
        contract in contract(), texts in prop::array::uniform13(text()), sizes in prop::array::uniform4(price()),
        agg_group in any::<i32>(),
    ) -> ContractDetails {
        let [market_name, order_types, valid_exchanges, market_rule_ids, long_name, time_zone_id, trading_hours,
            liquid_hours, stock_type, industry, category, subcategory, _] = texts;
        let [min_tick, min_size, size_increment, suggested_size_increment] = sizes;
        ContractDetails {
            contract, market_name, min_tick, order_types, valid_exchanges, market_rule_ids, long_name, time_zone_id,
            trading_hours, liquid_hours, stock_type, min_size, size_increment, suggested_size_increment, industry,
            category, subcategory, agg_group,
            // Protobuf only, and of pairs: the recordings have it.
            min_algo_size: None,
        }
    }
}

prop_compose! {
    pub(crate) fn execution()(
        (order_id, client_id, perm_id, last_liquidity) in any::<(i32, i32, i64, i32)>(),
        texts in prop::array::uniform6(text()), numbers in prop::array::uniform4(price()),
    ) -> Execution {
        let [exec_id, time, account, exchange, side, order_ref] = texts;
        let [shares, price, cum_qty, avg_price] = numbers;
        Execution {
            order_id, client_id, exec_id, time, account, exchange, side, shares, price, perm_id, cum_qty, avg_price,
            order_ref, last_liquidity,
        }
    }
}

prop_compose! {
    /// Minute bars of 2026, none at midnight, which would be a day bar.
    pub(crate) fn bar()(minute in 600..1_200_i64, day in 0..360_i64, p in prop::array::uniform6(price()), count in any::<i32>())
        -> HistoricalBar {
        let [open, high, low, close, volume, wap] = p;
        let time = SessionTime::from_secs(1_767_225_600 + day * 86_400 + minute * 60);
        HistoricalBar { time, open, high, low, close, volume, wap, count }
    }
}

/// One of each answer, of the given parts.
pub(crate) fn answers(p: Parts) -> Vec<Response> {
    let (streams, lookups) = (stream_answers(&p), lookup_answers(&p));
    let more = streams.into_iter().map(Response::Stream).chain(lookups.into_iter().map(Response::Lookup));
    plain_answers(p).into_iter().chain(more).collect()
}

fn stream_answers(p: &Parts) -> Vec<StreamResponse> {
    let Parts { id, other, long, x, y, s, t, bars, .. } = p.clone();
    let (req_id, done, time) = (id, other > 0, SessionTime::from_secs(long.rem_euclid(1 << 33)));
    let last = LastTick {
        time,
        price: x,
        size: y,
        past_limit: id > 0,
        unreported: done,
        exchange: s.clone(),
        conditions: t.clone(),
    };
    let bid_ask =
        BidAskTick { time, bid: x, ask: y, bid_size: y, ask_size: x, bid_past_low: done, ask_past_high: id > 0 };
    let mid = MidTick { time, price: x, size: 0.0 };
    let row = DepthRow { position: id, operation: other, side: id, price: x, size: y, ..DepthRow::default() };
    let session = TradingSession { start: s.clone(), end: t.clone(), ref_date: s.clone() };
    let bar = bars[0].clone();
    vec![
        StreamResponse::TickByTick { req_id, tick: ByTick::Last(last.clone()) },
        StreamResponse::TickByTick { req_id, tick: ByTick::AllLast(last.clone()) },
        StreamResponse::TickByTick { req_id, tick: ByTick::BidAsk(bid_ask.clone()) },
        StreamResponse::TickByTick { req_id, tick: ByTick::MidPoint(mid.clone()) },
        StreamResponse::Depth { req_id, row: row.clone() },
        StreamResponse::DepthL2 { req_id, row: DepthRow { market_maker: s.clone(), smart: done, ..row } },
        StreamResponse::DepthExchanges {
            exchanges: vec![DepthExchange {
                exchange: s.clone(),
                sec_type: t.clone(),
                listing_exchange: t.clone(),
                service: s.clone(),
                agg_group: id,
            }],
        },
        StreamResponse::RealTimeBar { req_id, bar: bar.clone() },
        StreamResponse::HistoricalTicks { req_id, ticks: vec![mid.clone(), MidTick { size: y, ..mid }], done },
        StreamResponse::HistoricalTicksBidAsk { req_id, ticks: vec![bid_ask.clone(), bid_ask], done },
        StreamResponse::HistoricalTicksLast { req_id, ticks: vec![last.clone(), last], done },
        StreamResponse::HeadTimestamp { req_id, time: s.clone() },
        StreamResponse::Histogram { req_id, points: vec![(x, y), (y, x)] },
        StreamResponse::Schedule { req_id, start: s.clone(), end: t, time_zone: s, sessions: vec![session] },
        StreamResponse::BarUpdate { req_id, bar: bar.clone(), format_date: 1 },
        StreamResponse::BarUpdate { req_id, bar, format_date: 2 },
    ]
}

fn lookup_answers(p: &Parts) -> Vec<LookupResponse> {
    let Parts { id, other, long, x, y, s, t, contract, .. } = p.clone();
    let (req_id, flag) = (id, other > 0);
    let found = Contract {
        con_id: other,
        symbol: s.clone(),
        sec_type: t.clone(),
        primary_exchange: s.clone(),
        currency: t.clone(),
        ..Contract::default()
    };
    vec![
        LookupResponse::PositionMulti {
            req_id,
            account: s.clone(),
            model: t.clone(),
            contract,
            position: x,
            avg_cost: y,
        },
        LookupResponse::PositionMultiEnd { req_id },
        LookupResponse::AccountUpdateMulti {
            req_id,
            account: s.clone(),
            model: t.clone(),
            key: s.clone(),
            value: t.clone(),
            currency: s.clone(),
        },
        LookupResponse::AccountUpdateMultiEnd { req_id },
        LookupResponse::SymbolSamples {
            req_id,
            matches: vec![SymbolMatch { contract: found, derivatives: vec![s.clone(), t.clone()] }],
        },
        LookupResponse::SmartComponents {
            req_id,
            components: vec![SmartComponent { bit: other, exchange: s.clone(), letter: t.clone() }],
        },
        LookupResponse::CurrentTimeInMillis { time: SessionTime(long.rem_euclid(1 << 40) * 1_000_000) },
        LookupResponse::Config {
            req_id,
            config: GatewayConfig {
                auto_logoff_time: s.clone(),
                auto_logoff_period: t.clone(),
                auto_logoff_type: s.clone(),
                bypass_order_precautions: flag,
                bypass_price_based_volatility_warning: !flag,
                bypass_redirect_order_warning: flag,
                read_only_api: !flag,
                download_open_orders_on_connection: flag,
                socket_port: other,
                master_client_id: id,
                reject_messages_above_max_rate: flag,
                maintain_and_resubmit_orders_on_reconnect: !flag,
                allow_localhost_only: flag,
                seek_price_improvement: !flag,
                do_not_route_to_dark_pools: flag,
            },
        },
        LookupResponse::UserInfo { req_id, white_branding_id: s.clone() },
        LookupResponse::FamilyCodes { codes: vec![(s.clone(), t.clone())] },
        LookupResponse::SoftDollarTiers { req_id, tiers: vec![(s.clone(), t.clone(), s)] },
    ]
}

fn plain_answers(p: Parts) -> Vec<Response> {
    let Parts { id, other, long, x, y, opt, s, t, contract, order, state, details, execution, bars } = p;
    let req_id = id;
    let time = SessionTime(long.rem_euclid(1 << 40) * 1_000_000);
    let second = SessionTime::from_secs(time.secs());
    let account = || s.clone();
    vec![
        Response::ManagedAccounts { accounts: account() },
        Response::NextValidId { order_id: id },
        Response::CurrentTime { time: second },
        Response::Error { id, time, code: other, message: account(), advanced_order_reject_json: t.clone() },
        Response::ContractData { req_id, details: Box::new(details) },
        Response::ContractDataEnd { req_id },
        Response::MarketRule { market_rule_id: id, increments: vec![(x, y), (y, x)] },
        Response::MarketDataType { req_id, market_data_type: other },
        Response::TickReqParams { req_id, min_tick: account(), bbo_exchange: t.clone(), snapshot_permissions: other },
        Response::TickPrice { req_id, tick_type: other, price: x, size: y, attr_mask: id },
        Response::TickSize { req_id, tick_type: other, size: x },
        Response::TickGeneric { req_id, tick_type: other, value: x },
        Response::TickString { req_id, tick_type: other, value: account() },
        Response::TickSnapshotEnd { req_id },
        Response::HistoricalData { req_id, bars: bars.clone(), format_date: 1 },
        Response::HistoricalData { req_id, bars, format_date: 2 },
        Response::HistoricalDataEnd { req_id, start: account(), end: t.clone() },
        Response::OpenOrder {
            contract: contract.clone(),
            order: Box::new(order.clone()),
            state: Box::new(state.clone()),
        },
        Response::OpenOrderEnd,
        Response::CompletedOrder { contract: contract.clone(), order: Box::new(order), state: Box::new(state) },
        Response::CompletedOrdersEnd,
        Response::OrderStatus {
            order_id: id,
            status: account(),
            filled: x,
            remaining: y,
            avg_fill_price: y,
            perm_id: long,
            parent_id: other,
            last_fill_price: x,
            client_id: id,
            why_held: t.clone(),
            mkt_cap_price: y,
        },
        Response::ExecutionDetails { req_id, contract: contract.clone(), execution: Box::new(execution) },
        Response::ExecutionDetailsEnd { req_id },
        Response::CommissionReport { exec_id: account(), commission: x, currency: t.clone(), realized_pnl: opt },
        Response::Position { account: account(), contract: contract.clone(), position: x, avg_cost: y },
        Response::PositionEnd,
        Response::AccountSummary { req_id, account: account(), tag: t.clone(), value: account(), currency: t.clone() },
        Response::AccountSummaryEnd { req_id },
        Response::AccountValue { key: t.clone(), value: account(), currency: t.clone(), account: account() },
        Response::PortfolioValue {
            contract,
            position: x,
            market_price: y,
            market_value: x,
            average_cost: y,
            unrealized_pnl: x,
            realized_pnl: y,
            account: account(),
        },
        Response::AccountUpdateTime { time: t },
        Response::AccountDownloadEnd { account: account() },
        Response::Pnl { req_id, daily: x, unrealized: opt, realized: Some(y) },
        Response::PnlSingle { req_id, position: x, daily: y, unrealized: Some(x), realized: opt, value: y },
    ]
}

#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) id: i32,
    pub(crate) other: i32,
    pub(crate) long: i64,
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) opt: Option<f64>,
    pub(crate) s: String,
    pub(crate) t: String,
    pub(crate) contract: Contract,
    pub(crate) order: Order,
    pub(crate) state: OrderState,
    pub(crate) details: ContractDetails,
    pub(crate) execution: Execution,
    pub(crate) bars: Vec<HistoricalBar>,
}

prop_compose! {
    pub(crate) fn parts()(
        (id, other, long) in any::<(i32, i32, i64)>(), x in price(), y in price(), opt in prop::option::of(price()),
        s in text(), t in text(), contract in contract(), order in echo(), state in state(), details in details(),
        execution in execution(), bars in prop::collection::vec(bar(), 1..3),
    ) -> Parts {
        Parts { id, other, long, x, y, opt, s, t, contract, order, state, details, execution, bars }
    }
}

/// One of each request, of the given parts.
pub(crate) fn requests(p: Parts, order: Order) -> Vec<Request> {
    let more = stream_requests(&p).into_iter().map(Request::Stream);
    let more: Vec<_> = more.chain(lookup_requests(&p).into_iter().map(Request::Lookup)).collect();
    plain_requests(p, order).into_iter().chain(more).collect()
}

fn stream_requests(p: &Parts) -> Vec<StreamRequest> {
    let Parts { id: req_id, other, s, t, contract, .. } = p.clone();
    let (use_rth, ignore_size) = (other > 0, req_id > 0);
    let streams = [
        Stream::TickByTick,
        Stream::Depth,
        Stream::RealTimeBars,
        Stream::HistoricalTicks,
        Stream::HeadTimestamp,
        Stream::Histogram,
    ];
    let mut all = vec![
        StreamRequest::TickByTick {
            req_id,
            contract: contract.clone(),
            kind: s.clone(),
            number_of_ticks: other,
            ignore_size,
        },
        StreamRequest::Depth { req_id, contract: contract.clone(), rows: other, smart: use_rth },
        StreamRequest::DepthExchanges,
        StreamRequest::RealTimeBars {
            req_id,
            contract: contract.clone(),
            bar_size_s: other,
            what_to_show: t.clone(),
            use_rth,
        },
        StreamRequest::HistoricalTicks {
            req_id,
            contract: contract.clone(),
            start: s.clone(),
            end: t.clone(),
            number_of_ticks: other,
            what_to_show: s.clone(),
            use_rth,
            ignore_size,
        },
        StreamRequest::HeadTimestamp {
            req_id,
            contract: contract.clone(),
            what_to_show: t,
            use_rth,
            format_date: other,
        },
        StreamRequest::Histogram { req_id, contract, use_rth, period: s },
    ];
    all.extend(streams.map(|stream| StreamRequest::Cancel { req_id, stream }));
    all
}

fn lookup_requests(p: &Parts) -> Vec<LookupRequest> {
    let Parts { id: req_id, other, s, t, .. } = p.clone();
    let (account, model) = (s.clone(), t.clone());
    vec![
        LookupRequest::PositionsMulti { req_id, account: account.clone(), model: model.clone() },
        LookupRequest::CancelPositionsMulti { req_id },
        LookupRequest::AccountUpdatesMulti { req_id, account, model, ledger: other > 0 },
        LookupRequest::CancelAccountUpdatesMulti { req_id },
        LookupRequest::MatchingSymbols { req_id, pattern: s },
        LookupRequest::SmartComponents { req_id, bbo_exchange: t },
        LookupRequest::CurrentTimeInMillis,
        LookupRequest::Config { req_id },
        LookupRequest::UserInfo { req_id },
        LookupRequest::FamilyCodes,
        LookupRequest::SoftDollarTiers { req_id },
    ]
}

fn plain_requests(p: Parts, order: Order) -> Vec<Request> {
    let Parts { id: req_id, other, s, t, contract, .. } = p;
    let account = || s.clone();
    let filter = ExecutionFilter {
        client_id: other,
        account: account(),
        time: t.clone(),
        symbol: account(),
        sec_type: t.clone(),
        exchange: account(),
        side: t.clone(),
    };
    vec![
        Request::StartApi { client_id: other },
        Request::ReqIds,
        Request::ReqCurrentTime,
        Request::ReqManagedAccounts,
        Request::ReqContractDetails { req_id, contract: contract.clone() },
        Request::ReqMarketRule { market_rule_id: req_id },
        Request::ReqMarketDataType { market_data_type: other },
        Request::ReqMktData {
            req_id,
            contract: contract.clone(),
            generic_ticks: account(),
            snapshot: other > 0,
            regulatory: req_id > 0,
        },
        Request::CancelMktData { req_id },
        Request::ReqHistoricalData {
            req_id,
            contract: contract.clone(),
            end: account(),
            duration: t.clone(),
            bar_size: account(),
            what_to_show: t.clone(),
            use_rth: other > 0,
            format_date: other,
            keep_up_to_date: req_id > 0,
        },
        Request::CancelHistoricalData { req_id },
        Request::PlaceOrder { contract, order },
        Request::CancelOrder { order_id: req_id },
        Request::ReqGlobalCancel,
        Request::ReqOpenOrders,
        Request::ReqAllOpenOrders,
        Request::ReqAutoOpenOrders { bind: other > 0 },
        Request::ReqCompletedOrders { api_only: other > 0 },
        Request::ReqExecutions { req_id, filter },
        Request::ReqPositions,
        Request::CancelPositions,
        Request::ReqAccountSummary { req_id, group: account(), tags: t.clone() },
        Request::CancelAccountSummary { req_id },
        Request::ReqAccountUpdates { subscribe: other > 0, account: account() },
        Request::ReqPnl { req_id, account: account() },
        Request::CancelPnl { req_id },
        Request::ReqPnlSingle { req_id, account: account(), con_id: other },
        Request::CancelPnlSingle { req_id },
        Request::Unserved { msg_id: 86, req_id },
        Request::Unanswered { msg_id: 106 },
    ]
}
