//! The client's side of the protobuf encoding: [`Request`](crate::sim::api::Request) → frames and frames →
//! [`Response`](crate::sim::api::Response), for tests and for reading recorded conversations. The server never
//! calls it. Writes what a public client was recorded writing, empty sub-messages included.

mod requests;
mod responses;

pub use requests::encode_request;
pub use responses::decode_response;
