//! Appends frames: into memory, then to the page cache, then to the disk. It never retries a failed sync.

use super::disk::{Disk, PANIC_SEGMENT, SegmentId};
use super::frame::{self, FRAME_MAX};
use super::reader::{JournalError, PREFIX_BYTES, ScanEnd};
use super::record::Record;

/// Frames buffered before they are written out on their own.
const BUFFER_FRAMES: usize = 128;
/// Bytes kept for reductions of a poisoned journal.
pub(super) const PANIC_BYTES: u64 = 256 * 1024;

/// The writing end of a journal.
#[derive(Debug)]
pub struct Writer<D> {
    disk: D,
    segment: SegmentId,
    segment_bytes: usize,
    /// Where the next byte goes on disk.
    offset: usize,
    /// Frames not written out yet.
    buffer: Vec<u8>,
    seq: u64,
    prev_crc: u32,
    epoch: u64,
    durable_seq: u64,
    spare: bool,
    poisoned: bool,
    panic_offset: u64,
}

impl<D: Disk> Writer<D> {
    /// Goes on at `end`, wiping what a torn batch left behind it. All space that a session's start and a flatten
    /// need exists before this returns.
    pub fn open(mut disk: D, end: ScanEnd, epoch: u64, segment_bytes: usize) -> Result<Self, JournalError> {
        disk.create(PANIC_SEGMENT, PANIC_BYTES)?;
        let segment = end.segment.max(1);
        disk.create(segment, segment_bytes as u64)?;
        if end.torn {
            wipe(&mut disk, segment, end.offset)?;
        }
        let length = disk.read(segment)?.len();
        let mut writer = Self {
            disk,
            segment,
            segment_bytes: length.max(FRAME_MAX),
            offset: end.offset,
            buffer: Vec::with_capacity(BUFFER_FRAMES * FRAME_MAX),
            seq: end.seq,
            prev_crc: end.crc,
            epoch,
            durable_seq: end.seq,
            spare: false,
            poisoned: false,
            panic_offset: 0,
        };
        writer.disk.sync(segment)?;
        writer.maintain()?;
        Ok(writer)
    }

    /// Number of the last frame appended.
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// Number of the last frame that a power loss can't take.
    pub const fn durable_seq(&self) -> u64 {
        self.durable_seq
    }

    /// Whether a disk error ended it.
    pub const fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// The epoch that it writes.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The disk, to read.
    pub fn disk_mut(&mut self) -> &mut D {
        &mut self.disk
    }

    fn frame(&self, record: &Record) -> Result<([u8; FRAME_MAX], usize, u32), JournalError> {
        let mut payload = [0; frame::PAYLOAD_MAX];
        payload[..PREFIX_BYTES].copy_from_slice(&self.durable_seq.to_le_bytes());
        let len = record.encode(&mut payload[PREFIX_BYTES..]).ok_or(frame::TooLong(frame::PAYLOAD_MAX))?;
        let mut out = [0; FRAME_MAX];
        let payload = &payload[..PREFIX_BYTES + len];
        let (total, crc) = frame::encode(&mut out, record.kind(), self.seq + 1, self.epoch, self.prev_crc, payload)?;
        Ok((out, total, crc))
    }

    /// Appends a record to memory. Any error poisons.
    pub fn append(&mut self, record: &Record) -> Result<u64, JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        let (bytes, total, crc) = self.frame(record)?;
        if self.offset + self.buffer.len() + total > self.segment_bytes {
            self.next_segment()?;
        }
        if self.buffer.len() + total > self.buffer.capacity() {
            self.write_out()?;
        }
        self.buffer.extend_from_slice(&bytes[..total]);
        self.seq += 1;
        self.prev_crc = crc;
        Ok(self.seq)
    }

    /// Hands everything to the page cache: it survives this process, not the power.
    pub fn write_out(&mut self) -> Result<(), JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        if self.buffer.is_empty() {
            return Ok(());
        }
        let result = self.disk.write_at(self.segment, self.offset as u64, &self.buffer);
        self.or_poison(result)?;
        self.offset += self.buffer.len();
        self.buffer.clear();
        Ok(())
    }

    /// Makes everything appended durable.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        self.write_out()?;
        if self.durable_seq == self.seq {
            return Ok(());
        }
        let result = self.disk.sync(self.segment);
        self.or_poison(result)?;
        self.durable_seq = self.seq;
        Ok(())
    }

    /// A disk that failed once is not asked again: after a failed fsync the kernel may have dropped the pages.
    fn or_poison(&mut self, result: std::io::Result<()>) -> Result<(), JournalError> {
        if result.is_err() {
            self.poisoned = true;
        }
        result.map_err(JournalError::from)
    }

    fn next_segment(&mut self) -> Result<(), JournalError> {
        // The old segment must be durable first: one sync of the new one would not cover it.
        self.sync()?;
        let next = self.segment + 1;
        if !self.spare {
            let result = self.disk.create(next, self.segment_bytes as u64);
            self.or_poison(result)?;
        }
        self.segment = next;
        self.offset = 0;
        self.spare = false;
        Ok(())
    }

    /// Makes the next segment ahead of time. Failing is an error only once the present one is full.
    pub fn maintain(&mut self) -> Result<(), JournalError> {
        if self.spare || self.poisoned || self.offset * 2 < self.segment_bytes {
            return Ok(());
        }
        self.disk.create(self.segment + 1, self.segment_bytes as u64)?;
        self.spare = true;
        Ok(())
    }

    /// Keeps a record in the panic segment, as well as the disk still can; for reductions of a poisoned journal.
    pub fn append_panic(&mut self, record: &Record) {
        let Ok((bytes, total, crc)) = self.frame(record) else { return };
        if self.panic_offset + total as u64 > PANIC_BYTES {
            return;
        }
        // An error changes nothing: a reduction is sent with or without its record.
        let _ = self.disk.write_at(PANIC_SEGMENT, self.panic_offset, &bytes[..total]);
        self.panic_offset += total as u64;
        self.seq += 1;
        self.prev_crc = crc;
    }
}

/// Zeros everything from `offset` of a segment and all of the later ones.
fn wipe<D: Disk>(disk: &mut D, segment: SegmentId, offset: usize) -> Result<(), JournalError> {
    for s in disk.segments()?.into_iter().filter(|s| *s >= segment).rev() {
        let from = if s == segment { offset } else { 0 };
        let length = disk.read(s)?.len();
        // From the back: a crash in the middle leaves a shorter torn tail, never a gap before valid frames.
        let zeros = vec![0; length.saturating_sub(from)];
        disk.write_at(s, from as u64, &zeros)?;
        disk.sync(s)?;
    }
    Ok(())
}
