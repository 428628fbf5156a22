//! The broker: what the trader may ask of one (`port`) and the adapter to Interactive Brokers (`ib`), the only
//! place that imports `ibapi`. Holds no stage and no decision: it translates, paces, stamps and reconnects.

pub mod ib;
pub mod port;
