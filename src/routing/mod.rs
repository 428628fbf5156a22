//! Routing: the only book of positions and working orders. Takes targets, makes child intents, guards each one,
//! and hands commands that carry their approval to the journal thread. Pure: no clock, no ring, no file.
//!
//! Read `stage.rs` for the flow, `orders/lifecycle.rs` for what an order can be, `guards/chain.rs` for what can
//! stop one. Deliberately absent: sockets, retries of a send (a re-decision is a new intent), model outputs.

mod account;
mod broker_events;
pub mod config;
mod facts;
pub mod guards;
pub mod ids;
mod market_view;
pub mod orders;
mod reconciling;
mod recovered;
mod sending;
pub mod short_horizon_execution;
mod stage;
mod supervision;

pub use account::AccountView;
pub use config::{Config, ExecutionConfig, Limits, ReconcileConfig};
pub use facts::{
    Alert, Command, Control, DisarmReason, Fact, FillRecord, Intent, Mode, OrderChange, ReconcileQuery, RejectRecord,
    RoutingIn, RoutingOut,
};
pub use guards::{Approved, ExposureClass, Reject};
pub use market_view::{MarketView, SymbolMarket};
pub use recovered::{Recovered, RecoveredPosition, RecoveredSsr};
pub use stage::{Identity, RoutingStage};
