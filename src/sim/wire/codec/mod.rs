//! Frames ↔ the venue's vocabulary, by server version. [`Codec`] is the gateway's side; `peer` is the client's
//! side of the same messages, for tests and recorded conversations. One file a direction; `convert` holds the
//! parts that both share. Knows no socket and no venue.

mod convert;
pub mod peer;
mod requests;
mod responses;

use super::framing::{Frame, FrameError};
use super::handshake::ServerVersion;
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

/// How messages are written at a server version. Text (157–200) and the mixed range (201–212) are other arms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    /// 213–226.
    Protobuf,
}

/// The gateway's side of one connection's encoding.
#[derive(Debug)]
pub struct Codec {
    encoding: Encoding,
    /// Reused between messages: the decimal text of a size.
    scratch: String,
}

impl Codec {
    /// The encoding that `version` uses.
    pub fn new(_version: ServerVersion) -> Self {
        Self { encoding: Encoding::Protobuf, scratch: String::new() }
    }

    /// Reads a client's frame. A message id that is not served gives [`Request::Unserved`].
    pub fn decode_request(&self, frame: Frame<'_>) -> Result<Request, DecodeError> {
        match self.encoding {
            Encoding::Protobuf => requests::decode(frame),
        }
    }

    /// Appends the answer's frame to `out`; [`Response::Disconnect`] has none and appends nothing.
    pub fn encode_response(&mut self, response: Response, out: &mut Vec<u8>) -> Result<(), FrameError> {
        match self.encoding {
            Encoding::Protobuf => responses::encode(response, &mut self.scratch, out),
        }
    }
}
