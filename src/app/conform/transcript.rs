//! Transcripts' decoded messages: JSON objects with the names of fields. A client's are written as protobuf and read by
//! the codec, as if the client spoke the newest version; the gateway's become messages of which some fields are known.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::fields::{Message, Value};
use super::names;
use crate::sim::api::Request;
use crate::sim::wire::codec::Codec;
use crate::sim::wire::framing::Frame;
use crate::sim::wire::handshake::{Hello, VERSION_MAX, negotiate};
use crate::sim::wire::messages::PROTOBUF_OFFSET;

/// The first request id given to a name such as `$req1`.
const FIRST_REQUEST_ID: i64 = 9_001;

/// Values that a transcript binds to names at first use.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<String, i64>);

impl Names {
    /// The number that `$name` stands for.
    fn number(&mut self, name: &str) -> i64 {
        let next = FIRST_REQUEST_ID + i64::try_from(self.0.len()).unwrap_or(0);
        *self.0.entry(name.into()).or_insert(next)
    }
}

/// How a request's field travels.
#[derive(Clone, Copy)]
enum Kind {
    Int,
    Real,
    Text,
}
use Kind::{Int, Real, Text};

/// Key, field numbers from the outside in, how it travels.
type Field = (&'static str, &'static [u32], Kind);

/// Name, message id, fields of its own, and whether a contract stands in field 2.
type Form = (&'static str, i32, &'static [Field], bool);

const ONLY_ID: &[Field] = &[("req_id", &[1], Int)];
const ACCOUNT: &[Field] = &[("req_id", &[1], Int), ("account", &[2], Text), ("model_code", &[3], Text)];

/// The requests that transcripts name.
const FORMS: &[Form] = &[
    ("start_api", 71, &[("client_id", &[1], Int)], false),
    ("req_ids", 8, &[("num_ids", &[1], Int)], false),
    ("req_current_time", 49, &[], false),
    ("req_current_time_in_millis", 105, &[], false),
    ("req_managed_accounts", 17, &[], false),
    ("req_contract_details", 9, ONLY_ID, true),
    ("req_market_rule", 91, &[("market_rule_id", &[1], Int)], false),
    ("req_market_data_type", 59, &[("market_data_type", &[1], Int), ("data_type", &[1], Int)], false),
    (
        "req_mkt_data",
        1,
        &[
            ("req_id", &[1], Int),
            ("generic_ticks", &[3], Text),
            ("generic_tick_list", &[3], Text),
            ("snapshot", &[4], Int),
            ("regulatory_snapshot", &[5], Int),
        ],
        true,
    ),
    ("cancel_mkt_data", 2, ONLY_ID, false),
    (
        "req_historical_bars",
        20,
        &[
            ("req_id", &[1], Int),
            ("end_time", &[3], Text),
            ("bar_size", &[4], Text),
            ("duration", &[5], Text),
            ("use_rth", &[6], Int),
            ("what_to_show", &[7], Text),
            ("format_date", &[8], Int),
            ("keep_up_to_date", &[9], Int),
        ],
        true,
    ),
    ("cancel_historical_data", 25, ONLY_ID, false),
    (
        "req_tick_by_tick",
        97,
        &[("req_id", &[1], Int), ("tick_type", &[3], Text), ("number_of_ticks", &[4], Int), ("ignore_size", &[5], Int)],
        true,
    ),
    ("cancel_tick_by_tick", 98, ONLY_ID, false),
    ("cancel_order", 4, &[("order_id", &[1], Int)], false),
    ("global_cancel", 58, &[], false),
    ("req_global_cancel", 58, &[], false),
    ("req_all_open_orders", 16, &[], false),
    ("req_auto_open_orders", 15, &[("auto_bind", &[1], Int)], false),
    ("req_completed_orders", 99, &[("api_only", &[1], Int)], false),
    (
        "req_executions",
        7,
        &[
            ("req_id", &[1], Int),
            ("client_id", &[2, 1], Int),
            ("account", &[2, 2], Text),
            ("time", &[2, 3], Text),
            ("symbol", &[2, 4], Text),
            ("sec_type", &[2, 5], Text),
            ("exchange", &[2, 6], Text),
            ("side", &[2, 7], Text),
        ],
        false,
    ),
    ("req_positions", 61, &[], false),
    ("cancel_positions", 64, &[], false),
    ("req_positions_multi", 74, ACCOUNT, false),
    ("cancel_positions_multi", 75, ONLY_ID, false),
    (
        "req_account_summary",
        62,
        &[("req_id", &[1], Int), ("account", &[2], Text), ("group", &[2], Text), ("tags", &[3], Text)],
        false,
    ),
    ("cancel_account_summary", 63, ONLY_ID, false),
    ("req_account_updates", 6, &[("subscribe", &[1], Int), ("account", &[2], Text)], false),
    ("req_account_updates_multi", 76, ACCOUNT, false),
    ("cancel_account_updates_multi", 77, ONLY_ID, false),
    ("req_pnl", 92, ACCOUNT, false),
    ("cancel_pnl", 93, ONLY_ID, false),
    (
        "req_pnl_single",
        94,
        &[("req_id", &[1], Int), ("account", &[2], Text), ("model_code", &[3], Text), ("con_id", &[4], Int)],
        false,
    ),
    ("cancel_pnl_single", 95, ONLY_ID, false),
    ("place_order", 3, PLACE_ORDER, true),
    ("req_market_depth", 10, &[("req_id", &[1], Int), ("num_rows", &[3], Int), ("is_smart_depth", &[4], Int)], true),
    ("cancel_market_depth", 11, ONLY_ID, false),
    ("req_market_depth_exchanges", 82, &[], false),
    (
        "req_real_time_bars",
        50,
        &[("req_id", &[1], Int), ("bar_size", &[3], Int), ("what_to_show", &[4], Text), ("use_rth", &[5], Int)],
        true,
    ),
    ("cancel_real_time_bars", 51, ONLY_ID, false),
    ("req_matching_symbols", 81, &[("req_id", &[1], Int), ("pattern", &[2], Text)], false),
    ("req_smart_components", 83, &[("req_id", &[1], Int), ("bbo_exchange", &[2], Text)], false),
    ("req_family_codes", 80, &[], false),
    ("req_soft_dollar_tiers", 79, ONLY_ID, false),
    ("req_user_info", 104, ONLY_ID, false),
    ("req_news_providers", 85, &[], false),
    ("req_news_article", 84, ONLY_ID, false),
    ("req_historical_news", 86, ONLY_ID, false),
    ("req_scanner_parameters", 24, &[], false),
    ("req_scanner_subscription", 22, ONLY_ID, false),
    ("cancel_scanner_subscription", 23, ONLY_ID, false),
    ("req_fundamental_data", 52, ONLY_ID, false),
    ("req_sec_def_opt_params", 78, ONLY_ID, false),
];

/// placeOrder: the order stands in field 3.
const PLACE_ORDER: &[Field] = &[
    ("order_id", &[1], Int),
    ("parent_id", &[3, 4], Int),
    ("action", &[3, 5], Text),
    ("total_quantity", &[3, 6], Text),
    ("display_size", &[3, 7], Int),
    ("order_type", &[3, 8], Text),
    ("lmt_price", &[3, 9], Real),
    ("aux_price", &[3, 10], Real),
    ("tif", &[3, 11], Text),
    ("account", &[3, 12], Text),
    ("all_or_none", &[3, 16], Int),
    ("outside_rth", &[3, 19], Int),
    ("trailing_percent", &[3, 22], Real),
    ("trail_stop_price", &[3, 23], Real),
    ("good_after_time", &[3, 25], Text),
    ("good_till_date", &[3, 26], Text),
    ("oca_group", &[3, 27], Text),
    ("order_ref", &[3, 28], Text),
    ("oca_type", &[3, 30], Int),
    ("trigger_method", &[3, 31], Int),
    ("what_if", &[3, 65], Int),
    ("transmit", &[3, 66], Int),
];

/// The contract's fields, below field 2.
const CONTRACT: &[Field] = &[
    ("con_id", &[2, 1], Int),
    ("symbol", &[2, 2], Text),
    ("sec_type", &[2, 3], Text),
    ("exchange", &[2, 8], Text),
    ("primary_exchange", &[2, 9], Text),
    ("currency", &[2, 10], Text),
    ("local_symbol", &[2, 11], Text),
    ("trading_class", &[2, 12], Text),
];

/// The request that a transcript calls `name`; `Err` says why it can't be played.
pub(super) fn request(name: &str, json: &Json, names: &mut Names) -> Result<Request, String> {
    let name = match (name, json["scope"].as_str()) {
        ("req_open_orders", Some("all")) => "req_all_open_orders",
        ("req_open_orders", Some("auto")) => "req_auto_open_orders",
        ("req_open_orders", _) => return decode(5, Vec::new()),
        ("req_market_data" | "subscribe_quotes", _) => "req_mkt_data",
        ("cancel_market_data", _) => "cancel_mkt_data",
        ("req_historical_data", _) => "req_historical_bars",
        (name, _) => name,
    };
    let form = FORMS.iter().find(|f| f.0 == name).ok_or_else(|| format!("the request {name} is not known here"))?;
    let (_, id, own, has_contract) = form;
    let mut fields: Vec<(&[u32], Value)> = Vec::new();
    for (key, path, kind) in *own {
        if let Some(value) = value(&json[*key], *kind, names) {
            fields.push((path, value));
        }
    }
    if *has_contract {
        for (key, path, kind) in CONTRACT {
            if let Some(value) = value(&json["contract"][*key], *kind, names) {
                fields.push((path, value));
            }
        }
    }
    // What a client always says and a transcript leaves out.
    let silent = |key: &str| json[key].is_null();
    if *id == 3 && silent("transmit") {
        fields.push((&[3, 66], Value::Int(1)));
    }
    if *id == 20 && silent("format_date") {
        fields.push((&[8], Value::Int(1)));
    }
    decode(*id, fields)
}

fn decode(id: i32, mut fields: Vec<(&[u32], Value)>) -> Result<Request, String> {
    fields.sort_by_key(|(path, _)| *path);
    let newest = negotiate(&Hello { min: VERSION_MAX, max: VERSION_MAX }, VERSION_MAX).map_err(|e| e.to_string())?;
    let mut body = Vec::new();
    write(&fields, 0, &mut body);
    let frame = Frame { id: id + PROTOBUF_OFFSET, body: &body };
    Codec::new(newest).decode_request(frame).map_err(|e| e.to_string())
}

/// Writes fields, sorted by path, as protobuf.
fn write(fields: &[(&[u32], Value)], depth: usize, out: &mut Vec<u8>) {
    let mut rest = fields;
    while let Some((path, value)) = rest.first() {
        let number = path[depth];
        let same = rest.iter().take_while(|(p, _)| p[depth] == number).count();
        if path.len() > depth + 1 {
            let mut inner = Vec::new();
            write(&rest[..same], depth + 1, &mut inner);
            write_bytes(number, &inner, out);
        } else {
            match value {
                Value::Int(i) => {
                    varint(u64::from(number) << 3, out);
                    varint(u64::from_ne_bytes(i.to_ne_bytes()), out);
                }
                Value::Real(f) => {
                    varint(u64::from(number) << 3 | 1, out);
                    out.extend(f.to_le_bytes());
                }
                Value::Text(t) => write_bytes(number, t.as_bytes(), out),
            }
        }
        rest = &rest[same..];
    }
}

fn write_bytes(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    varint(u64::from(number) << 3 | 2, out);
    varint(bytes.len() as u64, out);
    out.extend(bytes);
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// A JSON value as a field; `None` where there is none. Unbound texts (`$end`) count as empty.
fn value(json: &Json, kind: Kind, names: &mut Names) -> Option<Value> {
    let text = match json {
        Json::Null => return None,
        Json::Bool(b) => u8::from(*b).to_string(),
        Json::Number(n) => n.to_string(),
        Json::String(s) => s.clone(),
        Json::Array(list) => list.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(","),
        Json::Object(_) => return None,
    };
    Some(match kind {
        Int if text.starts_with('$') => Value::Int(names.number(&text)),
        Int => Value::Int(text.parse().ok()?),
        Real => Value::Real(text.parse().ok()?),
        Text if text.is_empty() || text.starts_with('$') => return None,
        Text => Value::Text(text),
    })
}

/// Keys of a transcript that its author's library made up, not the gateway: (message, key).
const DERIVED: &[(i32, &str)] = &[(5, "filled"), (5, "remaining"), (101, "remaining"), (101, "filled")];

/// The gateway's messages behind one line: a message that the transcript calls by a name that is not known has a negative
/// id and no field.
pub(super) fn messages(name: &str, json: &Json, names: &mut Names) -> Vec<Message> {
    let Some(id) = names::message_id(name) else {
        return vec![Message { id: -1, fields: BTreeMap::from([(name.into(), Value::Int(1))]), partial: true }];
    };
    let mut fields = BTreeMap::new();
    flatten(id, "", json, names, &mut fields);
    vec![Message { id, fields, partial: true }]
}

fn flatten(id: i32, prefix: &str, json: &Json, names: &mut Names, out: &mut BTreeMap<String, Value>) {
    let Some(object) = json.as_object() else { return };
    for (key, inner) in object {
        let key = format!("{prefix}{key}");
        if inner.is_object() {
            flatten(id, &format!("{key}."), inner, names, out);
            continue;
        }
        if DERIVED.contains(&(id, key.as_str())) {
            continue;
        }
        let Some(path) = names::path(id, &key) else { continue };
        let value = match inner {
            Json::String(s) if s.starts_with('$') => Value::Int(names.number(s)),
            // A transcript writes what is absent as an empty text.
            Json::String(s) if s.is_empty() => continue,
            // The largest number means that there is none.
            Json::String(s) if s.parse().is_ok_and(|x: f64| x > 1e300) => continue,
            Json::String(s) => Value::Text(s.clone()),
            Json::Number(n) => n.as_i64().map_or_else(|| Value::Real(n.as_f64().unwrap_or(0.0)), Value::Int),
            Json::Bool(b) => Value::Int(i64::from(*b)),
            Json::Array(list) => Value::Text(list.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(",")),
            _ => continue,
        };
        out.insert(path, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_by_name() {
        let mut names = Names::default();
        let json = serde_json::json!({"order_id": "7", "contract": {"con_id": "265598", "symbol": "AAPL"},
            "action": "BUY", "total_quantity": "5", "order_type": "LMT", "lmt_price": "10.5", "tif": "DAY"});
        let Ok(Request::PlaceOrder { contract, order }) = request("place_order", &json, &mut names) else {
            unreachable!("it is an order")
        };
        assert_eq!((contract.con_id, contract.symbol.as_str()), (265_598, "AAPL"));
        assert_eq!((order.order_id, order.limit_price, order.transmit), (7, Some(10.5), true));
        let json = serde_json::json!({"req_id": "$a", "account": "All", "tags": ["X", "Y"]});
        let summary = Request::ReqAccountSummary { req_id: 9_001, group: "All".into(), tags: "X,Y".into() };
        assert_eq!(request("req_account_summary", &json, &mut names), Ok(summary));
        let end = messages("account_summary_end", &serde_json::json!({"req_id": "$a"}), &mut names);
        assert_eq!(end[0].int("1"), Some(9_001), "a name stands for one number");
        assert!(request("req_horoscope", &json, &mut names).is_err());
    }
}
