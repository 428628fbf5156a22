//! What passes between the wire and the venue: TWS requests and answers without their encoding. The wire
//! (`sim/wire`) turns frames into [`Request`] and [`Response`] into frames; the venue (`sim/venue`) is pure and
//! knows no socket. Field names follow TWS; absent means the peer left the field unset.

mod condition;
mod contract;
mod lookup;
mod market;
mod order;
mod request;
mod response;
mod stream;

pub use condition::{Condition, Test};
pub use contract::{Contract, ContractDetails};
pub use lookup::{GatewayConfig, LookupRequest, LookupResponse, SmartComponent, SymbolMatch};
pub use market::HistoricalBar;
pub use order::{Execution, ExecutionFilter, Order, OrderState};
pub use request::Request;
pub use response::Response;
pub use stream::{
    BidAskTick, ByTick, DepthExchange, DepthRow, LastTick, MidTick, Stream, StreamRequest, StreamResponse,
    TradingSession,
};

/// One accepted TCP connection, numbered from 1 and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// One answer and the connection that gets it.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "self-evident")]
pub struct Outgoing {
    pub conn: ConnId,
    pub response: Response,
}
