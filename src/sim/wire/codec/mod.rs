//! Frames ↔ the venue's vocabulary, by server version. [`Codec`] is the gateway's side; `peer` is the client's
//! side of the same messages, for tests and recorded conversations. One file a direction, streams and look-ups apart;
//! `convert` and `order` hold the parts that both share. Knows no socket and no venue.

mod convert;
mod lookups;
mod order;
pub mod peer;
mod requests;
mod responses;
mod streams;
mod text;

use super::framing::{Frame, FrameError, split_id};
use super::handshake::{PROTOBUF_ONLY_FROM, ServerVersion};
use super::messages::PROTOBUF_OFFSET;
use crate::sim::api::{Request, Response};

/// A frame whose content is no TWS message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The protobuf body is broken.
    #[error("message {id}: the body is no protobuf message of this kind ({reason})")]
    Protobuf {
        /// Message id without the protobuf offset.
        id: i32,
        /// What the protobuf reader says.
        reason: String,
    },
    /// The body holds no message id.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A text message is too short.
    #[error("message {id}: it ends before its field {field}, which this server version requires")]
    Missing {
        /// Message id.
        id: i32,
        /// Which field, from 1, the message id not counted.
        field: usize,
    },
    /// A decimal text is no number.
    #[error("message {id}: {text:?} is no decimal number")]
    Decimal {
        /// Message id without the protobuf offset.
        id: i32,
        /// As received, shortened.
        text: String,
    },
    /// A time text has an unknown form.
    #[error("message {id}: {text:?} is no time in a known form")]
    Time {
        /// Message id without the protobuf offset.
        id: i32,
        /// As received, shortened.
        text: String,
    },
    /// An answer whose message id is not modelled.
    #[error("message {id} is not modelled")]
    Unmodelled {
        /// Message id without the protobuf offset.
        id: i32,
    },
}

/// How messages are written at a server version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    /// 157–200: everything is text, the message id included.
    Text,
    /// 201–212: binary message ids, bodies text or protobuf by message and version.
    Mixed,
    /// 213–226.
    Protobuf,
}

impl Encoding {
    const fn of(version: i32) -> Self {
        if version >= PROTOBUF_ONLY_FROM {
            Self::Protobuf
        } else if version >= text::BINARY_ID_FROM {
            Self::Mixed
        } else {
            Self::Text
        }
    }
}

/// The gateway's side of one connection's encoding.
#[derive(Debug)]
pub struct Codec {
    encoding: Encoding,
    version: i32,
    /// Reused between messages: the decimal text of a size.
    scratch: String,
    held: text::Held,
}

impl Codec {
    /// The encoding that `version` uses.
    pub fn new(version: ServerVersion) -> Self {
        let version = version.get();
        Self { encoding: Encoding::of(version), version, scratch: String::new(), held: text::Held::default() }
    }

    /// Reads a client's frame, given without its length. A message id that is not served gives
    /// [`Request::Unserved`].
    pub fn decode_body(&self, body: &[u8]) -> Result<Request, DecodeError> {
        match self.encoding {
            Encoding::Text => text::decode_request(self.version, body),
            Encoding::Mixed | Encoding::Protobuf => self.decode_request(split_id(body)?),
        }
    }

    /// As [`decode_body`](Self::decode_body), of a frame whose message id is binary.
    pub fn decode_request(&self, frame: Frame<'_>) -> Result<Request, DecodeError> {
        match self.encoding {
            Encoding::Protobuf => requests::decode(frame),
            Encoding::Mixed if frame.id > PROTOBUF_OFFSET => requests::decode(frame),
            Encoding::Mixed | Encoding::Text => text::decode_request_fields(self.version, frame.id, frame.body),
        }
    }

    /// Appends the answer's frame to `out`; [`Response::Disconnect`] has none and appends nothing. Historical data
    /// waits for its range where one message tells both (versions below 196).
    pub fn encode_response(&mut self, response: Response, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let is_protobuf = match self.encoding {
            Encoding::Protobuf => true,
            Encoding::Mixed => text::is_protobuf_response(self.version, &response),
            Encoding::Text => false,
        };
        if is_protobuf {
            responses::encode(response, &mut self.scratch, out)
        } else {
            text::encode_response(self.version, response, &mut self.held, out)
        }
    }

    /// Whether an answer that was given waits for another one.
    pub fn is_waiting(&self) -> bool {
        self.held.is_some()
    }
}
