//! The text encoding: server versions 157–200, and the bodies that are still text at 201–212, where the message
//! id is binary and messages move to protobuf one group a version. A message is described once, as the order of
//! its fields at each version, for both directions: mistakes could cancel between the two sides of this project,
//! so independent clients are the proof (tests). The vocabulary's fields that a message has no place for at a
//! version are lost, as they are with a real gateway.
//!
//! Streams and look-ups have a file each for all of this. Elsewhere a new answer takes its id and its empty form in
//! `blank`, its topic in `describe` and its fields in the topic's file; a new request takes all of these in
//! `requests`; both take a version in the tables of this file.

mod account;
mod blank;
mod fields;
mod lookups;
mod market;
mod order_parts;
mod orders;
mod place_order;
mod requests;
mod streams;

use super::DecodeError;
use crate::sim::api::{HistoricalBar, Request, Response};
use crate::sim::wire::framing::{FrameError, append_body};
use crate::sim::wire::handshake::PROTOBUF_ONLY_FROM;
use crate::sim::wire::messages::{request_id, response_id};
use fields::{Fields, Reader, Writer};

/// From this version on the message id is binary.
pub(super) const BINARY_ID_FROM: i32 = 201;
/// From this version on the range of historical data is told by a message of its own.
const HISTORY_END_FROM: i32 = 196;

/// The version from which an answer is protobuf. Recorded: text and protobuf kinds at 207 and 208; the rest follows
/// the version from which clients send the matching request in protobuf [assumed].
fn response_protobuf_from(msg_id: i32) -> i32 {
    use response_id as id;
    match msg_id {
        id::EXECUTION_DETAILS | id::EXECUTION_DETAILS_END | id::COMMISSION_REPORT => 201,
        id::OPEN_ORDER | id::ORDER_STATUS | id::ERROR => 203,
        id::OPEN_ORDER_END | id::COMPLETED_ORDER | id::COMPLETED_ORDERS_END => 204,
        id::CONTRACT_DATA | id::CONTRACT_DATA_END => 205,
        id::TICK_PRICE
        | id::TICK_SIZE
        | id::TICK_GENERIC
        | id::TICK_STRING
        | id::TICK_REQ_PARAMS
        | id::TICK_SNAPSHOT_END
        | id::MARKET_DATA_TYPE
        | id::MARKET_DEPTH
        | id::MARKET_DEPTH_L2 => 206,
        id::HISTORICAL_DATA
        | id::HISTORICAL_DATA_END
        | id::HISTORICAL_DATA_UPDATE
        | id::HISTORICAL_SCHEDULE
        | id::HISTORICAL_TICKS
        | id::HISTORICAL_TICKS_BID_ASK
        | id::HISTORICAL_TICKS_LAST
        | id::TICK_BY_TICK
        | id::REAL_TIME_BAR
        | id::HEAD_TIMESTAMP
        | id::HISTOGRAM => 208,
        id::PNL | id::PNL_SINGLE => 210,
        id::MARKET_RULE
        | id::SYMBOL_SAMPLES
        | id::SMART_COMPONENTS
        | id::USER_INFO
        | id::FAMILY_CODES
        | id::SOFT_DOLLAR_TIERS => 212,
        id::NEXT_VALID_ID | id::CURRENT_TIME | id::CURRENT_TIME_IN_MILLIS | id::MARKET_DEPTH_EXCHANGES | id::CONFIG => {
            PROTOBUF_ONLY_FROM
        }
        // The account's.
        _ => 207,
    }
}

/// The version from which public clients send a request in protobuf.
fn request_protobuf_from(msg_id: i32) -> i32 {
    use request_id as id;
    match msg_id {
        id::EXECUTIONS => 201,
        id::PLACE_ORDER | id::CANCEL_ORDER | id::GLOBAL_CANCEL => 203,
        id::OPEN_ORDERS | id::ALL_OPEN_ORDERS | id::AUTO_OPEN_ORDERS | id::COMPLETED_ORDERS => 204,
        id::CONTRACT_DETAILS => 205,
        id::MARKET_DATA
        | id::CANCEL_MARKET_DATA
        | id::MARKET_DATA_TYPE
        | id::MARKET_DEPTH
        | id::CANCEL_MARKET_DEPTH => 206,
        id::ACCOUNT_UPDATES
        | id::MANAGED_ACCOUNTS
        | id::POSITIONS
        | id::CANCEL_POSITIONS
        | id::ACCOUNT_SUMMARY
        | id::CANCEL_ACCOUNT_SUMMARY
        | id::POSITIONS_MULTI
        | id::CANCEL_POSITIONS_MULTI
        | id::ACCOUNT_UPDATES_MULTI
        | id::CANCEL_ACCOUNT_UPDATES_MULTI => 207,
        id::HISTORICAL_DATA
        | id::CANCEL_HISTORICAL_DATA
        | id::REAL_TIME_BARS
        | id::CANCEL_REAL_TIME_BARS
        | id::HEAD_TIMESTAMP
        | id::CANCEL_HEAD_TIMESTAMP
        | id::HISTOGRAM
        | id::CANCEL_HISTOGRAM
        | id::HISTORICAL_TICKS
        | id::TICK_BY_TICK
        | id::CANCEL_TICK_BY_TICK => 208,
        id::PNL | id::CANCEL_PNL | id::PNL_SINGLE | id::CANCEL_PNL_SINGLE => 210,
        id::MARKET_RULE
        | id::MATCHING_SYMBOLS
        | id::SMART_COMPONENTS
        | id::USER_INFO
        | id::FAMILY_CODES
        | id::SOFT_DOLLAR_TIERS => 212,
        _ => PROTOBUF_ONLY_FROM,
    }
}

/// Whether an answer is protobuf at a version.
pub(super) fn is_protobuf_response(version: i32, response: &Response) -> bool {
    blank::id_of(response).is_some_and(|id| version >= response_protobuf_from(id))
}

/// Whether clients send a request in protobuf at a version.
pub(super) fn is_protobuf_request(version: i32, request: &Request) -> bool {
    requests::id_of(request).is_some_and(|id| version >= request_protobuf_from(id))
}

/// Reads a client's text body, the message id included.
pub(super) fn decode_request(version: i32, body: &[u8]) -> Result<Request, DecodeError> {
    requests::decode(Reader::open(version, body)?)
}

/// Reads a client's text body behind its binary message id.
pub(super) fn decode_request_fields(version: i32, id: i32, fields: &[u8]) -> Result<Request, DecodeError> {
    requests::decode(Reader::new(version, id, fields))
}

/// Appends a client's text frame; a request without message id appends nothing.
pub(super) fn encode_request(version: i32, mut request: Request, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let Some(id) = requests::id_of(&request) else { return Ok(()) };
    frame(version, id, out, |w| requests::describe(w, &mut request))
}

/// Historical data that waits for its range, which its message tells too below version 196. At most one waits: the
/// venue sends data and range in a row.
#[derive(Debug, Default)]
pub(super) struct Held(Option<(i32, Vec<HistoricalBar>, i32)>);

impl Held {
    /// Whether an answer waits.
    pub(super) fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Writes what waits, with its range if it is known.
    fn release(&mut self, version: i32, range: (String, String), out: &mut Vec<u8>) -> Result<(), FrameError> {
        let Some((mut req_id, mut bars, mut format_date)) = self.0.take() else { return Ok(()) };
        let (mut start, mut end) = range;
        frame(version, response_id::HISTORICAL_DATA, out, |w| {
            market::history_with_range(w, &mut req_id, (&mut start, &mut end), &mut bars, &mut format_date);
        })
    }
}

/// Appends an answer's text frame. Below version 196 historical data waits in `held` for its range.
pub(super) fn encode_response(
    version: i32,
    response: Response,
    held: &mut Held,
    out: &mut Vec<u8>,
) -> Result<(), FrameError> {
    let mut response = match response {
        Response::HistoricalData { req_id, bars, format_date } if version < HISTORY_END_FROM => {
            let result = held.release(version, (String::new(), String::new()), out);
            held.0 = Some((req_id, bars, format_date));
            return result;
        }
        Response::HistoricalDataEnd { req_id, start, end } if version < HISTORY_END_FROM => {
            // A range without its data has no message.
            let known = held.0.as_ref().is_some_and(|(waiting, ..)| *waiting == req_id);
            return if known { held.release(version, (start, end), out) } else { Ok(()) };
        }
        other => other,
    };
    let Some(id) = blank::id_of(&response) else { return Ok(()) };
    frame(version, id, out, |w| describe(w, &mut response))
}

/// Reads a gateway's text body, the message id included: one answer, or two where history tells its range.
pub(super) fn decode_responses(version: i32, body: &[u8]) -> Result<Vec<Response>, DecodeError> {
    answers(version, Reader::open(version, body)?)
}

/// Reads a gateway's text body behind its binary message id.
pub(super) fn decode_responses_fields(version: i32, id: i32, fields: &[u8]) -> Result<Vec<Response>, DecodeError> {
    answers(version, Reader::new(version, id, fields))
}

fn answers(version: i32, mut reader: Reader<'_>) -> Result<Vec<Response>, DecodeError> {
    let id = reader.id();
    let mut response = blank::blank(id).ok_or(DecodeError::Unmodelled { id })?;
    match &mut response {
        Response::HistoricalData { req_id, bars, format_date } if version < HISTORY_END_FROM => {
            let (mut start, mut end) = (String::new(), String::new());
            market::history_with_range(&mut reader, req_id, (&mut start, &mut end), bars, format_date);
            let range = Response::HistoricalDataEnd { req_id: *req_id, start, end };
            reader.finish(vec![response, range])
        }
        other => {
            describe(&mut reader, other);
            reader.finish(vec![response])
        }
    }
}

/// Hands an answer to its topic.
fn describe(f: &mut impl Fields, response: &mut Response) {
    use response_id as id;
    match response {
        Response::Stream(answer) => return streams::describe_response(f, answer),
        Response::Lookup(answer) => return lookups::describe_response(f, answer),
        _ => {}
    }
    match blank::id_of(response).unwrap_or_default() {
        id::MANAGED_ACCOUNTS | id::NEXT_VALID_ID | id::CURRENT_TIME | id::ERROR => market::session(f, response),
        id::TICK_PRICE
        | id::TICK_SIZE
        | id::TICK_GENERIC
        | id::TICK_STRING
        | id::TICK_REQ_PARAMS
        | id::TICK_SNAPSHOT_END
        | id::MARKET_DATA_TYPE => market::tick(f, response),
        id::CONTRACT_DATA | id::CONTRACT_DATA_END | id::MARKET_RULE | id::HISTORICAL_DATA | id::HISTORICAL_DATA_END => {
            market::reference(f, response)
        }
        id::ACCOUNT_VALUE | id::PORTFOLIO_VALUE | id::ACCOUNT_UPDATE_TIME | id::ACCOUNT_DOWNLOAD_END => {
            account::updates(f, response);
        }
        id::POSITION | id::POSITION_END | id::ACCOUNT_SUMMARY | id::ACCOUNT_SUMMARY_END | id::PNL | id::PNL_SINGLE => {
            account::account(f, response);
        }
        _ => orders::orders(f, response),
    }
}

/// Appends a frame whose body is the message id, as text or binary by the version, and text fields.
fn frame(version: i32, id: i32, out: &mut Vec<u8>, write: impl FnOnce(&mut Writer<'_>)) -> Result<(), FrameError> {
    append_body(out, |out| {
        let mut writer = Writer { version, out };
        if version < BINARY_ID_FROM {
            let mut id = id;
            writer.int(&mut id);
        } else {
            writer.out.extend_from_slice(&id.to_be_bytes());
        }
        write(&mut writer);
    })
}
