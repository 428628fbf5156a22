//! The wire side of the simulated gateway: a TWS-protocol server on loopback. Turns sockets into
//! [`Request`](crate::sim::api::Request)s and [`Response`](crate::sim::api::Response)s into frames; owns
//! framing, handshake, encodings, threads and sockets. Holds no logic of the venue and shares no code with any
//! TWS client, so that mistakes cannot cancel.
//!
//! A byte's way in: `server` (socket, reader thread) → `framing` → `codec` → the venue's queue. A byte's way
//! out: `server::Server::send` → `codec` → the connection's writer thread. Server versions 157–200
//! are text, 213–226 protobuf, 201–212 a mix of both: [`codec::Codec`] has an arm for each.

pub mod codec;
pub mod framing;
pub mod handshake;
pub mod messages;
pub mod server;

pub use server::{Server, ServerOptions, WireError};
