//! The encodings by server version, 157–226: each answer and each request survives at every version, but for the
//! fields that its message has no place for; recorded text comes back byte for byte; garbage never panics. That the
//! order of the fields is what other clients expect, `wire_witness_text` shows.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests: a broken expectation must stop them"
)]

mod wire_parts;

use ibkr_trader::clock::SessionTime;
use ibkr_trader::sim::api::{
    Contract, ContractDetails, LookupRequest, LookupResponse, Order, OrderState, Request, Response, Stream,
    StreamRequest,
};
use ibkr_trader::sim::wire::codec::{Codec, DecodeError, peer};
use ibkr_trader::sim::wire::handshake::{Hello, ServerVersion, VERSION_MAX, VERSION_MIN, negotiate};
use proptest::prelude::*;
use std::path::PathBuf;
use wire_parts::{answers, order, parts, requests};

fn at(version: i32) -> ServerVersion {
    negotiate(&Hello { min: version, max: version }, VERSION_MAX).unwrap()
}

fn encode(version: i32, response: Response) -> Vec<u8> {
    let mut out = Vec::new();
    Codec::new(at(version)).encode_response(response, &mut out).unwrap();
    out
}

fn is_protobuf(version: i32, frame: &[u8]) -> bool {
    version >= 201 && i32::from_be_bytes(frame[4..8].try_into().unwrap()) > 200
}

fn since<T: Default>(from: i32, version: i32, value: T) -> T {
    if version >= from { value } else { T::default() }
}

/// An order without the fields that no answer has in text.
fn told(version: i32, o: Order) -> Order {
    Order {
        scale_table: String::new(),
        active_start_time: String::new(),
        active_stop_time: String::new(),
        override_percentage_constraints: false,
        algo_id: String::new(),
        advanced_error_override: String::new(),
        manual_order_time: String::new(),
        post_only: false,
        allow_pre_open: false,
        ignore_open_auction: false,
        deactivate: false,
        min_trade_qty: since(170, version, o.min_trade_qty),
        min_compete_size: since(170, version, o.min_compete_size),
        compete_against_best_offset: since(170, version, o.compete_against_best_offset),
        mid_offset_at_whole: since(170, version, o.mid_offset_at_whole),
        mid_offset_at_half: since(170, version, o.mid_offset_at_half),
        customer_account: since(183, version, o.customer_account),
        professional_customer: since(184, version, o.professional_customer),
        submitter: since(198, version, o.submitter),
        ..o
    }
}

/// What openOrder tells of an order in text.
fn echoed(version: i32, o: Order) -> Order {
    let o = told(version, o);
    Order {
        duration: since(158, version, o.duration),
        post_to_ats: since(160, version, o.post_to_ats),
        auto_cancel_parent: since(162, version, o.auto_cancel_parent),
        include_overnight: since(189, version, o.include_overnight),
        ext_operator: since(193, version, o.ext_operator),
        manual_order_indicator: since(193, version, o.manual_order_indicator),
        imbalance_only: since(199, version, o.imbalance_only),
        ..o
    }
}

/// What completedOrder tells of an order in text.
fn finished(version: i32, o: Order) -> Order {
    Order {
        block_order: false,
        opt_out_smart_routing: false,
        adjusted_order_type: String::new(),
        trigger_price: None,
        adjusted_stop_price: None,
        adjusted_stop_limit_price: None,
        adjusted_trailing_amount: None,
        adjustable_trailing_unit: 0,
        soft_dollar_name: String::new(),
        soft_dollar_value: String::new(),
        soft_dollar_display_name: String::new(),
        discretionary_up_to_limit_price: false,
        duration: None,
        post_to_ats: None,
        include_overnight: false,
        ext_operator: String::new(),
        manual_order_indicator: None,
        ..told(version, o)
    }
}

/// What placeOrder keeps of a request in text.
fn placed(version: i32, request: Request) -> Request {
    let Request::PlaceOrder { contract, order: o } = request else { return request };
    let order = Order {
        soft_dollar_display_name: String::new(),
        post_only: false,
        allow_pre_open: false,
        ignore_open_auction: false,
        deactivate: false,
        min_trade_qty: None,
        min_compete_size: None,
        compete_against_best_offset: None,
        mid_offset_at_whole: None,
        mid_offset_at_half: None,
        duration: since(158, version, o.duration),
        post_to_ats: since(160, version, o.post_to_ats),
        auto_cancel_parent: since(162, version, o.auto_cancel_parent),
        advanced_error_override: since(166, version, o.advanced_error_override),
        manual_order_time: since(169, version, o.manual_order_time),
        customer_account: since(183, version, o.customer_account),
        professional_customer: since(184, version, o.professional_customer),
        include_overnight: since(189, version, o.include_overnight),
        manual_order_indicator: since(192, version, o.manual_order_indicator),
        imbalance_only: since(199, version, o.imbalance_only),
        ..o
    };
    Request::PlaceOrder { contract, order }
}

/// What a text message keeps of an answer.
fn kept(version: i32, response: Response) -> Response {
    let placeless = |c: Contract| Contract { primary_exchange: String::new(), ..c };
    match response {
        Response::Error { id, time, code, message, advanced_order_reject_json } => Response::Error {
            id,
            time: if version >= 194 { time } else { SessionTime::default() },
            code,
            message,
            advanced_order_reject_json: if version >= 166 { advanced_order_reject_json } else { String::new() },
        },
        Response::ContractData { req_id, details: d } => {
            let details = match version {
                164.. => *d,
                163 => ContractDetails { size_increment: 0.0, suggested_size_increment: 0.0, ..*d },
                _ => ContractDetails { min_size: 0.0, size_increment: 0.0, suggested_size_increment: 0.0, ..*d },
            };
            Response::ContractData { req_id, details: Box::new(details) }
        }
        Response::OpenOrder { contract, order: o, state: s } => {
            let order = Order {
                filled_quantity: 0.0,
                auto_cancel_date: String::new(),
                parent_perm_id: 0,
                ..echoed(version, *o)
            };
            let state = OrderState {
                margin_currency: if version >= 195 { s.margin_currency.clone() } else { String::new() },
                completed_time: String::new(),
                completed_status: String::new(),
                ..*s
            };
            Response::OpenOrder { contract: placeless(contract), order: Box::new(order), state: Box::new(state) }
        }
        Response::CompletedOrder { contract, order: o, state: s } => {
            let order = Order {
                order_id: 0,
                client_id: 0,
                parent_id: 0,
                what_if: false,
                use_price_mgmt_algo: false,
                ..finished(version, *o)
            };
            let state = OrderState {
                status: s.status,
                completed_time: s.completed_time,
                completed_status: s.completed_status,
                ..OrderState::default()
            };
            Response::CompletedOrder { contract: placeless(contract), order: Box::new(order), state: Box::new(state) }
        }
        Response::ExecutionDetails { req_id, contract, execution } => {
            Response::ExecutionDetails { req_id, contract: placeless(contract), execution }
        }
        Response::Position { account, contract, position, avg_cost } => {
            Response::Position { account, contract: placeless(contract), position, avg_cost }
        }
        Response::PortfolioValue {
            contract,
            position,
            market_price,
            market_value,
            average_cost,
            unrealized_pnl,
            realized_pnl,
            account,
        } => Response::PortfolioValue {
            contract: Contract { exchange: String::new(), ..contract },
            position,
            market_price,
            market_value,
            average_cost,
            unrealized_pnl,
            realized_pnl,
            account,
        },
        Response::Lookup(LookupResponse::PositionMulti { req_id, account, model, contract, position, avg_cost }) => {
            let contract = placeless(contract);
            let row = LookupResponse::PositionMulti { req_id, account, model, contract, position, avg_cost };
            Response::Lookup(row)
        }
        other => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn every_answer_survives_at_every_version(p in parts()) {
        for version in VERSION_MIN..=VERSION_MAX {
            for response in answers(p.clone()) {
                let ranged = matches!(response, Response::HistoricalData { .. } | Response::HistoricalDataEnd { .. });
                let settings = matches!(response, Response::Lookup(LookupResponse::Config { .. }));
                if (version < 196 && ranged) || (version < 213 && settings) {
                    continue;
                }
                let frame = encode(version, response.clone());
                let expected = if is_protobuf(version, &frame) { response } else { kept(version, response) };
                prop_assert_eq!(peer::decode_responses_at(at(version), &frame[4..]).unwrap(), [expected], "{}", version);
            }
        }
    }

    #[test]
    fn history_below_196_tells_bars_and_range_in_one_message(p in parts(), version in VERSION_MIN..196) {
        let data = |req_id, format_date| Response::HistoricalData { req_id, bars: p.bars.clone(), format_date };
        let range = |req_id| Response::HistoricalDataEnd { req_id, start: p.s.clone(), end: p.t.clone() };
        let mut codec = Codec::new(at(version));
        let mut out = Vec::new();
        codec.encode_response(data(5, 1), &mut out).unwrap();
        prop_assert!(out.is_empty() && codec.is_waiting());
        codec.encode_response(range(5), &mut out).unwrap();
        prop_assert!(!codec.is_waiting());
        prop_assert_eq!(peer::decode_responses_at(at(version), &out[4..]).unwrap(), [data(5, 1), range(5)]);
        // Bars whose range never came go out before the next ones, without it.
        out.clear();
        codec.encode_response(data(6, 2), &mut out).unwrap();
        codec.encode_response(data(7, 2), &mut out).unwrap();
        let unknown = Response::HistoricalDataEnd { req_id: 6, start: String::new(), end: String::new() };
        prop_assert_eq!(peer::decode_responses_at(at(version), &out[4..]).unwrap(), [data(6, 2), unknown]);
    }

    #[test]
    fn every_request_survives_at_every_version(p in parts(), order in order()) {
        for version in VERSION_MIN..=VERSION_MAX {
            for request in requests(p.clone(), order.clone()) {
                // The settings have no text form.
                if version < 213 && matches!(request, Request::Lookup(LookupRequest::Config { .. })) {
                    continue;
                }
                let mut frame = Vec::new();
                peer::encode_request_at(at(version), request.clone(), &mut frame).unwrap();
                let expected = if is_protobuf(version, &frame) { request } else { placed(version, request) };
                prop_assert_eq!(Codec::new(at(version)).decode_body(&frame[4..]).unwrap(), expected, "{}", version);
            }
        }
    }

    #[test]
    fn garbage_never_panics(
        version in VERSION_MIN..=VERSION_MAX, id in 0..120_i32, body in prop::collection::vec(any::<u8>(), 0..300),
        digits in "[0-9\\x00.a]{0,200}",
    ) {
        for tail in [&body[..], digits.as_bytes()] {
            let text = [format!("{id}\0").as_bytes(), tail].concat();
            let binary = [&id.to_be_bytes()[..], tail].concat();
            for body in [tail, &text[..], &binary[..]] {
                let _ = Codec::new(at(version)).decode_body(body);
                let _ = peer::decode_responses_at(at(version), body);
            }
        }
    }

    #[test]
    fn a_cut_message_is_refused_or_read_without_panic(
        p in parts(), order in order(), version in VERSION_MIN..201, cut in any::<prop::sample::Index>(),
    ) {
        for request in requests(p, order) {
            let mut frame = Vec::new();
            peer::encode_request_at(at(version), request, &mut frame).unwrap();
            let _ = Codec::new(at(version)).decode_body(&frame[4..4 + cut.index(frame.len() - 4)]);
        }
    }
}

/// Clients modify orders by sending back what openOrder told them.
#[test]
fn an_echo_can_be_sent_back() {
    let named = |kind: &str, clearing: &str| Order {
        order_id: 7,
        adjusted_order_type: kind.to_owned(),
        delta_neutral_order_type: kind.to_owned(),
        clearing_intent: clearing.to_owned(),
        ..Order::default()
    };
    for version in [157, 178, 200, 202, 203, 226] {
        let request = Request::PlaceOrder { contract: Contract::default(), order: named("None", "IB") };
        let mut frame = Vec::new();
        peer::encode_request_at(at(version), request, &mut frame).unwrap();
        let plain = Request::PlaceOrder { contract: Contract::default(), order: named("", "") };
        assert_eq!(Codec::new(at(version)).decode_body(&frame[4..]), Ok(plain), "{version}");
    }
}

#[test]
fn encodings_by_version() {
    let id = |version: i32, response: Response| {
        let frame = encode(version, response);
        if version < 201 {
            let end = frame[4..].iter().position(|b| *b == 0).unwrap();
            return std::str::from_utf8(&frame[4..4 + end]).unwrap().parse().unwrap();
        }
        i32::from_be_bytes(frame[4..8].try_into().unwrap())
    };
    let accounts = || Response::ManagedAccounts { accounts: "DU1".to_owned() };
    // 207 and 208 as recorded: accounts and errors in protobuf, the next order id in text.
    assert_eq!([178, 200, 201, 206, 207, 208, 213].map(|v| id(v, accounts())), [15, 15, 15, 15, 215, 215, 215]);
    let next = || Response::NextValidId { order_id: 1 };
    assert_eq!([200, 207, 208, 212, 213].map(|v| id(v, next())), [9, 9, 9, 9, 209]);
    let bars = || Response::HistoricalData { req_id: 1, bars: vec![], format_date: 1 };
    assert_eq!([200, 207, 208].map(|v| id(v, bars())), [17, 17, 217]);
}

#[test]
fn a_message_that_ends_early_says_which_field_is_missing() {
    let codec = Codec::new(at(178));
    assert_eq!(codec.decode_body(b"94\x005\0DU1\0\0"), Err(DecodeError::Missing { id: 94, field: 4 }));
    let e = codec.decode_body(b"2\x002\0five\0").unwrap_err();
    assert_eq!(e.to_string(), "message 2: \"five\" is no decimal number");
    assert!(codec.decode_body(b"").is_err() && codec.decode_body(b"\x00\x00\x00\xCB").is_err());
}

#[test]
fn requests_that_are_not_served_keep_their_id() {
    let codec = Codec::new(at(178));
    let unserved = |msg_id, req_id| Ok(Request::Unserved { msg_id, req_id });
    // Fundamentals tell their request id behind the version, news articles first, news providers have none.
    assert_eq!(codec.decode_body(b"52\x002\x0077\x00265598\0"), unserved(52, 77));
    assert_eq!(codec.decode_body(b"84\x0077\0BZ\0"), unserved(84, 77));
    assert_eq!(codec.decode_body(b"85\0"), unserved(85, -1));
    assert_eq!(codec.decode_body(b"500\x0077\0"), unserved(500, -1));
    assert_eq!(codec.decode_body(b"14\x001\x002\0"), Ok(Request::Unanswered { msg_id: 14 }));
    // The settings came with version 219.
    assert_eq!(codec.decode_body(b"108\x0077\0"), unserved(108, -1));
    let cancel = |req_id, stream| Ok(Request::Stream(StreamRequest::Cancel { req_id, stream }));
    assert_eq!(codec.decode_body(b"98\x0077\0"), cancel(77, Stream::TickByTick));
    assert_eq!(codec.decode_body(b"11\x001\x0077\x001\0"), cancel(77, Stream::Depth));
}

/// Every `raw` text of a recording that public clients ship: requests read and written again, answers likewise.
#[test]
fn recorded_text_comes_back() {
    let data = std::env::var_os("IBKR_TRADER_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let Ok(text) = std::fs::read_to_string(data.join("ref/ibkr_tws_interactions_sv173.yaml")) else {
        println!("skipped: ref/ibkr_tws_interactions_sv173.yaml is not there");
        return;
    };
    let mut counts = (0, 0);
    for line in text.lines() {
        let is_request = line.starts_with("    raw: ");
        let Some((_, quoted)) = line.split_once("raw: \"") else { continue };
        // `\0` stands for the zero byte, whatever digit follows.
        let body = quoted.trim_end_matches('"').replace("\\0", "\0");
        // A future's expiry and multiplier have no place in the vocabulary.
        if body.contains("\0FUT\0") {
            continue;
        }
        let mut frame = Vec::new();
        if is_request {
            let request = Codec::new(at(173)).decode_body(body.as_bytes()).unwrap();
            peer::encode_request_at(at(173), request, &mut frame).unwrap();
            counts.0 += 1;
        } else {
            let mut all = peer::decode_responses_at(at(173), body.as_bytes()).unwrap();
            frame = encode(173, all.remove(0));
            counts.1 += 1;
        }
        let ours = String::from_utf8(frame[4..].to_vec()).unwrap();
        // Amounts are compared as numbers: 23172.60 comes back as it is only where it is a text.
        assert_eq!(ours, body);
    }
    println!("{} recorded requests and {} answers came back byte for byte", counts.0, counts.1);
    assert!(counts.0 >= 4 && counts.1 >= 6, "{counts:?}");
}
