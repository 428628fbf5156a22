//! The facts and commands that travel between stages and threads. Facts are fixed-size and `Copy`; a cycle
//! (the batch) moves by `Box`; commands move by value and live with their tokens in `routing` and `journal`.

pub mod broker;
mod calibration;
pub mod cycle;
pub mod market;
pub mod order;
pub mod target;

pub use broker::{
    BrokerEvent, BrokerStatus, CommissionFact, ErrorFact, ExecId, ExecutionFact, LinkState, OpenOrderFact, OrderRef,
    PositionFact, SnapshotKind, StatusFact, WhatIfFact, WhyHeld,
};
pub use calibration::{Calibration, ScoreScale};
pub use cycle::{Aux, Cycle, CyclePool, Prediction};
pub use market::{Bar, MarketEvent, Quality, StatusKind, SymbolStatus, Tick};
pub use order::OrderTerms;
pub use target::{Cause, PositionState, Target, Urgency};
