//! ibkr-trader: an intraday trading system for Interactive Brokers, and a simulated TWS gateway to prove it against.
//!
//! Read `ARCHITECTURE.md` first. The modules below stand in the order in which data flows.

// What everything stands on.
pub mod clock;
pub mod config;
pub mod domain;
pub mod message;
pub mod pipeline;

// The five stages, in data-flow order. None imports another.
pub mod decision;
pub mod features;
pub mod feed;
pub mod inference;
pub mod routing;

// What surrounds them.
pub mod broker;
pub mod journal;
pub mod telemetry;

// The simulated gateway: knows `clock` and `domain`, nothing else of the trader.
pub mod sim;

// The subcommands: the only place that knows everything.
pub mod app;
