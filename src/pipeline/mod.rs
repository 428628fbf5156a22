//! How stages run: the stage contract, rings, threads, waiting, pinning, and the one table of topology.

pub mod affinity;
pub mod group;
pub mod ring;
pub mod shell;
mod stage;
pub mod topology;
pub mod wait;
pub mod wiring;

pub use stage::{GRID, Outbox, Stage};
pub use topology::{GroupSpec, StageName, Topology};
pub use wait::Wait;
