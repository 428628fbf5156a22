//! The journal: a write-ahead log of everything that decides about money, and the only way from an approved
//! command to the sender. Read `frame.rs` for the bytes, `machine.rs` for "durable before sent", `recover.rs` for
//! what a crash leaves. It may not touch sockets or clocks; disk I/O goes through the [`Disk`] port.
//!
//! Deliberately absent for now: snapshots and dropping of old segments (a start reads the whole journal).

mod codec;
mod convert;
mod disk;
mod dump;
mod file_disk;
pub mod frame;
mod journaled;
mod machine;
mod pump;
mod reader;
pub mod record;
mod recover;
mod sender;
mod sim_disk;
mod totals;
mod writer;

pub use disk::{Disk, PANIC_SEGMENT, SegmentId};
pub use dump::render;
pub use file_disk::FileDisk;
pub use journaled::{Journaled, Release};
pub use machine::{JournalConfig, JournalMachine, SessionInfo, position_record};
pub use pump::pump;
pub use reader::{Corruption, JournalError, ScanEnd, scan};
pub use record::Record;
pub use recover::{Recovery, recover};
pub use sender::{OrderWriter, SendGate, SenderConfig, SenderMachine, WriteError};
pub use sim_disk::{Loss, SimDisk};
pub use totals::{ExecutionTotal, Totals, totals};
pub use writer::Writer;
