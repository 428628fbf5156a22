//! The codec both ways: each answer and each request survives encoding and decoding, whatever its values, and
//! garbage never panics.

#![allow(clippy::unwrap_used, reason = "tests: a broken expectation must stop them")]

mod wire_parts;

use ibkr_trader::sim::api::{Contract, Order, Request, Response};
use ibkr_trader::sim::wire::codec::{Codec, DecodeError, peer};
use ibkr_trader::sim::wire::framing::{Frame, FrameReader, split_id};
use ibkr_trader::sim::wire::handshake::{Hello, negotiate};
use proptest::prelude::*;
use std::collections::BTreeSet;
use wire_parts::{answers, order, parts, requests};

fn codec() -> Codec {
    Codec::new(negotiate(&Hello { min: 213, max: 226 }, 226).unwrap())
}

fn respond(response: Response) -> Response {
    let mut out = Vec::new();
    codec().encode_response(response, &mut out).unwrap();
    peer::decode_response(split_id(&out[4..]).unwrap()).unwrap()
}

fn request(request: Request) -> Request {
    let mut out = Vec::new();
    peer::encode_request(request, &mut out).unwrap();
    codec().decode_request(split_id(&out[4..]).unwrap()).unwrap()
}

fn names<T: std::fmt::Debug>(all: &[T]) -> BTreeSet<String> {
    let name = |v: &T| format!("{v:?}").split([' ', '{']).next().unwrap().to_owned();
    all.iter().map(name).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_answer_survives(p in parts()) {
        let all = answers(p);
        // All variants but `Disconnect`, which has no frame.
        prop_assert_eq!(names(&all).len(), 34 + 12 + 11);
        for response in all {
            prop_assert_eq!(respond(response.clone()), response);
        }
    }

    #[test]
    fn every_request_survives(p in parts(), order in order()) {
        let all = requests(p, order);
        // All variants but `Disconnected`, which has no frame.
        prop_assert_eq!(names(&all).len(), 30 + 8 + 11);
        for r in all {
            prop_assert_eq!(request(r.clone()), r);
        }
    }

    #[test]
    fn garbage_never_panics(id in 0..400_i32, body in prop::collection::vec(any::<u8>(), 0..200)) {
        let frame = Frame { id, body: &body };
        let _ = codec().decode_request(frame);
        let _ = peer::decode_response(frame);
    }

    #[test]
    fn a_changed_byte_never_panics(p in parts(), order in order(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for r in requests(p, order) {
            let mut out = Vec::new();
            peer::encode_request(r, &mut out).unwrap();
            let at = at.index(out.len());
            out[at] = byte;
            let mut reader = FrameReader::default();
            reader.fill(&mut &out[..]).unwrap();
            if let Ok(Some(frame)) = reader.next_frame() {
                let _ = codec().decode_request(frame);
            }
        }
    }
}

#[test]
fn disconnect_has_no_frame() {
    let mut out = Vec::new();
    codec().encode_response(Response::Disconnect, &mut out).unwrap();
    assert!(out.is_empty());
}

#[test]
fn unset_and_infinite_prices_are_absent() {
    let order = |limit_price, aux_price| Order { limit_price, aux_price, ..Order::default() };
    for unset in [f64::MAX, f64::INFINITY, f64::NAN] {
        let sent = Request::PlaceOrder { contract: Contract::default(), order: order(Some(unset), Some(0.0)) };
        let read = Request::PlaceOrder { contract: Contract::default(), order: order(None, Some(0.0)) };
        assert_eq!(request(sent), read);
    }
}

#[test]
fn a_quantity_that_is_no_number_is_refused() {
    // placeOrder with order field 6 (total quantity) = "ten".
    let body = [0x1A, 5, 0x32, 3, b't', b'e', b'n'];
    let refused = codec().decode_request(Frame { id: 203, body: &body });
    assert_eq!(refused, Err(DecodeError::Decimal { id: 3, text: "ten".to_owned() }));
}

#[test]
fn sizes_are_plain_decimals() {
    let size_of = |size| {
        let mut out = Vec::new();
        let tick = Response::TickSize { req_id: 1, tick_type: 8, size };
        codec().encode_response(tick, &mut out).unwrap();
        // Length, id, fields 1 and 2, then key and length of field 3.
        String::from_utf8(out[14..].to_vec()).unwrap()
    };
    assert_eq!(size_of(812_865.0), "812865");
    assert_eq!(size_of(0.0001), "0.0001");
    assert_eq!(size_of(1e15), "1000000000000000");
    assert_eq!(size_of(-0.0), "0");
}

#[test]
fn a_text_frame_is_not_served() {
    let read = codec().decode_request(Frame { id: 52, body: b"2\09\0" }).unwrap();
    assert_eq!(read, Request::Unserved { msg_id: 52, req_id: -1 });
}
