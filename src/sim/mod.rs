//! The simulated gateway: a stateful TWS-protocol server around a pure venue core. Imports nothing of the
//! trader but `clock` and `domain`; could leave as a crate of its own any day.

pub mod api;
pub mod faults;
pub mod market;
pub mod referee;
pub mod venue;
pub mod wire;
