//! The port to stable storage: numbered, preallocated, zero-filled segments. Its twins are `FileDisk` and the
//! simulated `SimDisk`.

use std::io;

/// Number of a segment; segments are written in rising order.
pub type SegmentId = u32;

/// The segment that a poisoned journal still writes reductions to; preallocated at the start.
pub const PANIC_SEGMENT: SegmentId = 0;

/// Where journal bytes live. Nothing is durable before `sync` returned.
pub trait Disk {
    /// Segments that exist, rising, without the panic segment.
    fn segments(&mut self) -> io::Result<Vec<SegmentId>>;
    /// Makes a zero-filled segment of `bytes` bytes that survives a power loss; an existing one is left as it is.
    fn create(&mut self, segment: SegmentId, bytes: u64) -> io::Result<()>;
    /// All bytes of a segment.
    fn read(&mut self, segment: SegmentId) -> io::Result<Vec<u8>>;
    /// Writes inside a segment.
    fn write_at(&mut self, segment: SegmentId, offset: u64, data: &[u8]) -> io::Result<()>;
    /// Makes everything written to a segment durable.
    fn sync(&mut self, segment: SegmentId) -> io::Result<()>;
}
