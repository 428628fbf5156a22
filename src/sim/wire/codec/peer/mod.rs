//! The client's side of the encodings: [`Request`](crate::sim::api::Request) → frames and frames →
//! [`Response`](crate::sim::api::Response), for tests and for reading recorded conversations. The server never
//! calls it. Writes what a public client was recorded writing, empty sub-messages included.

mod lookups;
mod requests;
mod responses;
mod streams;

use super::text;
use super::{DecodeError, Encoding};
use crate::sim::api::{Request, Response};
use crate::sim::wire::framing::{FrameError, split_id};
use crate::sim::wire::handshake::ServerVersion;
use crate::sim::wire::messages::PROTOBUF_OFFSET;

pub use requests::encode_request;
pub use responses::decode_response;
pub(super) use streams::cancel_id;

/// Appends the frame of `request` as a client writes it at `version`.
pub fn encode_request_at(version: ServerVersion, request: Request, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let is_protobuf = match Encoding::of(version.get()) {
        Encoding::Protobuf => true,
        Encoding::Mixed => text::is_protobuf_request(version.get(), &request),
        Encoding::Text => false,
    };
    if is_protobuf { encode_request(request, out) } else { text::encode_request(version.get(), request, out) }
}

/// Reads a gateway's frame, given without its length, at `version`: one answer, or two where historical data tells
/// its range.
pub fn decode_responses_at(version: ServerVersion, body: &[u8]) -> Result<Vec<Response>, DecodeError> {
    if Encoding::of(version.get()) == Encoding::Text {
        return text::decode_responses(version.get(), body);
    }
    let frame = split_id(body)?;
    if frame.id > PROTOBUF_OFFSET {
        return decode_response(frame).map(|response| vec![response]);
    }
    text::decode_responses_fields(version.get(), frame.id, frame.body)
}
