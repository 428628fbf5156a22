//! How stages run: the stage contract, rings, threads, waiting, pinning, and the one table of topology.

mod stage;

pub use stage::{GRID, Outbox, Stage};
