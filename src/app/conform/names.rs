//! The names of messages and fields: what a report shows, and the keys that transcripts of decoded fields use.

/// Field names and their paths.
type Names = &'static [(&'static str, &'static str)];

/// Message name by id, as transcripts spell it.
const MESSAGES: &[(i32, &str)] = &[
    (1, "tick_price"),
    (2, "tick_size"),
    (3, "order_status"),
    (4, "api_error"),
    (5, "open_order"),
    (6, "account_value"),
    (7, "portfolio_value"),
    (8, "account_update_time"),
    (9, "next_valid_id"),
    (10, "contract_details"),
    (11, "execution_detail"),
    (12, "market_depth"),
    (13, "market_depth_l2"),
    (15, "managed_accounts"),
    (17, "historical_data"),
    (45, "tick_generic"),
    (46, "tick_string"),
    (49, "current_time"),
    (50, "real_time_bar"),
    (52, "contract_details_end"),
    (53, "open_order_end"),
    (54, "account_download_end"),
    (55, "executions_end"),
    (57, "tick_snapshot_end"),
    (58, "market_data_type"),
    (59, "commission_report"),
    (61, "position"),
    (62, "position_end"),
    (63, "account_summary"),
    (64, "account_summary_end"),
    (71, "position_multi"),
    (72, "position_multi_end"),
    (73, "account_update_multi"),
    (74, "account_update_multi_end"),
    (77, "soft_dollar_tiers"),
    (78, "family_codes"),
    (79, "symbol_samples"),
    (80, "market_depth_exchanges"),
    (81, "tick_req_params"),
    (82, "smart_components"),
    (88, "head_timestamp"),
    (89, "histogram_data"),
    (90, "historical_data_update"),
    (93, "market_rule"),
    (94, "pnl"),
    (95, "pnl_single"),
    (96, "historical_ticks"),
    (97, "historical_ticks_bid_ask"),
    (98, "historical_ticks_last"),
    (99, "tick_by_tick"),
    (101, "completed_order"),
    (102, "completed_order_end"),
    (106, "historical_schedule"),
    (107, "user_info"),
    (108, "historical_bars_end"),
    (109, "current_time_in_millis"),
];

/// Other spellings of transcripts.
const ALIASES: &[(&str, i32)] = &[
    ("error", 4),
    ("execution_details", 11),
    ("execution_details_end", 55),
    ("execution_detail_end", 55),
    ("commission_and_fees_report", 59),
    ("contract_data", 10),
    ("contract_data_end", 52),
    ("completed_orders_end", 102),
    ("open_orders_end", 53),
    ("positions_end", 62),
    ("historical_bars", 17),
    ("historical_bar", 17),
    ("historical_data_end", 108),
    ("update_account_value", 6),
    ("update_portfolio", 7),
    ("portfolio", 7),
    ("update_account_time", 8),
    ("account_download_end", 54),
    ("pn_l", 94),
    ("pn_l_single", 95),
];

/// The contract's fields, below the message's own prefix.
const CONTRACT: Names = &[
    ("con_id", "1"),
    ("symbol", "2"),
    ("sec_type", "3"),
    ("expiry", "4"),
    ("strike", "5"),
    ("right", "6"),
    ("multiplier", "7"),
    ("exchange", "8"),
    ("primary_exchange", "9"),
    ("currency", "10"),
    ("local_symbol", "11"),
    ("trading_class", "12"),
];

/// Where a message holds its contract.
const CONTRACTS: &[(i32, &str)] = &[(5, "2."), (7, "1."), (10, "2."), (11, "2."), (61, "2."), (71, "3."), (101, "1.")];

/// Order fields, below the prefix of the order.
const ORDER: Names = &[
    ("client_id", "1"),
    ("order_id", "2"),
    ("perm_id", "3"),
    ("parent_id", "4"),
    ("action", "5"),
    ("quantity", "6"),
    ("display_size", "7"),
    ("order_type", "8"),
    ("lmt_price", "9"),
    ("aux_price", "10"),
    ("tif", "11"),
    ("account", "12"),
    ("clearing_intent", "15"),
    ("all_or_none", "16"),
    ("hidden", "18"),
    ("outside_rth", "19"),
    ("min_qty", "21"),
    ("trailing_percent", "22"),
    ("trail_stop_price", "23"),
    ("discretionary_amt", "24"),
    ("good_after_time", "25"),
    ("good_till_date", "26"),
    ("oca_group", "27"),
    ("order_ref", "28"),
    ("oca_type", "30"),
    ("trigger_method", "31"),
    ("algo_strategy", "61"),
    ("algo_params", "62"),
    ("algo_id", "63"),
    ("what_if", "65"),
    ("transmit", "66"),
    ("not_held", "68"),
    ("origin", "69"),
    ("conditions", "89"),
    ("adjusted_order_type", "93"),
    ("lmt_price_offset", "95"),
    ("dont_use_auto_price_for_hedge", "111"),
    ("cash_qty", "102"),
    ("auto_cancel_date", "114"),
    ("filled", "115"),
    ("shareholder", "118"),
    ("parent_perm_id", "121"),
    ("use_price_mgmt_algo", "122"),
    ("submitter", "137"),
];

/// Order-state fields, below the prefix of the state.
const STATE: Names = &[
    ("status", "1"),
    ("init_margin_before", "2"),
    ("maint_margin_before", "3"),
    ("equity_with_loan_before", "4"),
    ("init_margin_change", "5"),
    ("maint_margin_change", "6"),
    ("equity_with_loan_change", "7"),
    ("init_margin_after", "8"),
    ("maint_margin_after", "9"),
    ("equity_with_loan_after", "10"),
    ("commission", "11"),
    ("min_commission", "12"),
    ("max_commission", "13"),
    ("commission_currency", "14"),
    ("margin_currency", "15"),
    ("warning_text", "28"),
    ("completed_time", "29"),
    ("completed_status", "30"),
];

/// Fields of the messages themselves.
const FIELDS: &[(i32, Names)] = &[
    (1, &[("req_id", "1"), ("tick_type", "2"), ("field", "2"), ("price", "3"), ("size", "4"), ("attr_mask", "5")]),
    (2, &[("req_id", "1"), ("tick_type", "2"), ("field", "2"), ("size", "3")]),
    (
        3,
        &[
            ("order_id", "1"),
            ("status", "2"),
            ("filled", "3"),
            ("remaining", "4"),
            ("avg_fill_price", "5"),
            ("perm_id", "6"),
            ("parent_id", "7"),
            ("last_fill_price", "8"),
            ("client_id", "9"),
            ("why_held", "10"),
            ("mkt_cap_price", "11"),
        ],
    ),
    (
        4,
        &[
            ("req_id", "1"),
            ("error_time_ms", "2"),
            ("code", "3"),
            ("message", "4"),
            ("advanced_order_reject_json", "5"),
        ],
    ),
    (5, &[("order_id", "1")]),
    (6, &[("key", "1"), ("value", "2"), ("currency", "3"), ("account", "4")]),
    (
        7,
        &[
            ("position", "2"),
            ("market_price", "3"),
            ("market_value", "4"),
            ("avg_cost", "5"),
            ("average_cost", "5"),
            ("unrealized_pnl", "6"),
            ("realized_pnl", "7"),
            ("account", "8"),
        ],
    ),
    (8, &[("time", "1"), ("timestamp", "1")]),
    (9, &[("order_id", "1")]),
    (
        10,
        &[
            ("req_id", "1"),
            ("market_name", "3.1"),
            ("min_tick", "3.2"),
            ("order_types", "3.3"),
            ("valid_exchanges", "3.4"),
            ("price_magnifier", "3.5"),
            ("long_name", "3.7"),
            ("industry", "3.9"),
            ("category", "3.10"),
            ("subcategory", "3.11"),
            ("time_zone_id", "3.12"),
            ("trading_hours", "3.13"),
            ("liquid_hours", "3.14"),
            ("agg_group", "3.18"),
            ("market_rule_ids", "3.21"),
            ("stock_type", "3.23"),
            ("min_size", "3.24"),
            ("size_increment", "3.25"),
            ("suggested_size_increment", "3.26"),
            ("min_algo_size", "3.62"),
        ],
    ),
    (
        11,
        &[
            ("req_id", "1"),
            ("order_id", "3.1"),
            ("exec_id", "3.2"),
            ("time", "3.3"),
            ("account", "3.4"),
            ("exchange", "3.5"),
            ("side", "3.6"),
            ("shares", "3.7"),
            ("price", "3.8"),
            ("perm_id", "3.9"),
            ("client_id", "3.10"),
            ("symbol", "2.2"),
            ("cum_qty", "3.12"),
            ("avg_price", "3.13"),
            ("order_ref", "3.14"),
            ("last_liquidity", "3.18"),
        ],
    ),
    (15, &[("accounts", "1")]),
    (
        17,
        &[
            ("req_id", "1"),
            ("time", "2.1"),
            ("open", "2.2"),
            ("high", "2.3"),
            ("low", "2.4"),
            ("close", "2.5"),
            ("volume", "2.6"),
            ("wap", "2.7"),
            ("count", "2.8"),
        ],
    ),
    (45, &[("req_id", "1"), ("tick_type", "2"), ("field", "2"), ("value", "3")]),
    (46, &[("req_id", "1"), ("tick_type", "2"), ("field", "2"), ("value", "3")]),
    (49, &[("time", "1")]),
    (52, &[("req_id", "1")]),
    (54, &[("account", "1")]),
    (55, &[("req_id", "1")]),
    (57, &[("req_id", "1")]),
    (58, &[("req_id", "1"), ("market_data_type", "2"), ("data_type", "2")]),
    (59, &[("exec_id", "1"), ("commission", "2"), ("currency", "3"), ("realized_pnl", "4")]),
    (61, &[("account", "1"), ("position", "3"), ("avg_cost", "4")]),
    (63, &[("req_id", "1"), ("account", "2"), ("tag", "3"), ("value", "4"), ("currency", "5")]),
    (64, &[("req_id", "1")]),
    (71, &[("req_id", "1"), ("account", "2"), ("position", "4"), ("avg_cost", "5"), ("model_code", "6")]),
    (72, &[("req_id", "1")]),
    (81, &[("req_id", "1"), ("min_tick", "2"), ("bbo_exchange", "3"), ("snapshot_permissions", "4")]),
    (93, &[("market_rule_id", "1")]),
    (94, &[("req_id", "1"), ("daily_pnl", "2"), ("unrealized_pnl", "3"), ("realized_pnl", "4")]),
    (
        95,
        &[
            ("req_id", "1"),
            ("position", "2"),
            ("daily_pnl", "3"),
            ("unrealized_pnl", "4"),
            ("realized_pnl", "5"),
            ("value", "6"),
        ],
    ),
    (106, &[("req_id", "1"), ("start_date_time", "2"), ("end_date_time", "3"), ("time_zone", "4")]),
    (108, &[("req_id", "1"), ("start", "2"), ("end", "3")]),
];

/// Where orders and their states lie.
const PARTS: &[(i32, &str, Names)] = &[(5, "3.", ORDER), (5, "4.", STATE), (101, "2.", ORDER), (101, "3.", STATE)];

/// A message's name.
pub(super) fn message(id: i32) -> String {
    MESSAGES.iter().find(|(m, _)| *m == id).map_or_else(|| format!("message {id}"), |(_, name)| (*name).into())
}

/// Whether the gateway has such a message.
pub(super) fn is_known(id: i32) -> bool {
    MESSAGES.iter().any(|(m, _)| *m == id)
}

/// The message that a transcript calls `name`.
pub(super) fn message_id(name: &str) -> Option<i32> {
    let known = MESSAGES.iter().find(|(_, n)| *n == name).map(|(id, _)| *id);
    known.or_else(|| ALIASES.iter().find(|(n, _)| *n == name).map(|(_, id)| *id))
}

/// The path that a transcript's key has in message `id`; keys of the contract are dotted.
pub(super) fn path(id: i32, key: &str) -> Option<String> {
    let find = |list: &[(&str, &str)], key: &str| list.iter().find(|(n, _)| *n == key).map(|(_, p)| (*p).to_string());
    if let Some(inner) = key.strip_prefix("contract.") {
        let (_, prefix) = CONTRACTS.iter().find(|(m, _)| *m == id)?;
        return find(CONTRACT, inner).map(|p| format!("{prefix}{p}"));
    }
    let own = FIELDS.iter().find(|(m, _)| *m == id).and_then(|(_, list)| find(list, key));
    own.or_else(|| {
        let parts = PARTS.iter().filter(|(m, _, _)| *m == id);
        parts.filter_map(|(_, prefix, list)| find(list, key).map(|p| format!("{prefix}{p}"))).next()
    })
}

/// The name of a field of message `id`, or its number.
pub(super) fn field(id: i32, plain: &str) -> String {
    let find = |list: &[(&str, &str)], path: &str| list.iter().find(|(_, p)| *p == path).map(|(n, _)| (*n).to_string());
    let own = FIELDS.iter().find(|(m, _)| *m == id).and_then(|(_, list)| find(list, plain));
    let contract = || {
        let (_, prefix) = CONTRACTS.iter().find(|(m, _)| *m == id)?;
        find(CONTRACT, plain.strip_prefix(prefix)?).map(|n| format!("contract.{n}"))
    };
    let part = || {
        let parts = PARTS.iter().filter(|(m, _, _)| *m == id);
        parts.filter_map(|(_, prefix, list)| find(list, plain.strip_prefix(prefix)?)).next()
    };
    own.or_else(contract).or_else(part).unwrap_or_else(|| format!("field {plain}"))
}
