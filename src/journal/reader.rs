//! Reads a journal from its first frame to its end, and tells a torn tail from corruption.
//!
//! Each payload begins with the number of the newest frame that was durable when it was written (`durable_seq`).
//! Frames are written in order and the next batch begins only after the former was synced. So a bad place followed
//! by valid frames is a torn tail only if all of those say that the bad place was not durable yet: a power loss kept
//! later sectors of one unsynced batch and lost earlier ones. Any other bad place followed by a valid frame is
//! corruption of something that was durable.

use thiserror::Error;

use super::disk::{Disk, SegmentId};
use super::frame::{self, Decoded, Header};
use super::record::Record;

/// Bytes of `durable_seq` before each record.
pub(super) const PREFIX_BYTES: usize = 8;

/// Where and why a journal can't be believed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "the journal is damaged in segment {segment} at byte {offset}: {why}; trading is refused until a person has \
     compared it with the broker's record and moved the folder away"
)]
pub struct Corruption {
    /// Segment.
    pub segment: SegmentId,
    /// Byte in it.
    pub offset: usize,
    /// What is wrong.
    pub why: &'static str,
}

/// What can go wrong with a journal.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The disk failed.
    #[error("the journal's disk failed: {0}; check the volume and its free space")]
    Disk(#[from] std::io::Error),
    /// The bytes are wrong.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// A record is too long: a defect.
    #[error(transparent)]
    TooLong(#[from] frame::TooLong),
    /// No further frame may be written.
    #[error("the journal is poisoned by an earlier disk error: no new exposure; restart after checking the disk")]
    Poisoned,
}

/// Where the journal ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanEnd {
    /// The last segment, 0 = there is none.
    pub segment: SegmentId,
    /// The first free byte in it.
    pub offset: usize,
    /// Number of the last frame.
    pub seq: u64,
    /// Its checksum.
    pub crc: u32,
    /// The newest epoch.
    pub epoch: u64,
    /// Whether bytes after the end must be wiped.
    pub torn: bool,
}

/// Hands every record to `take`, in order, and returns the end. Changes nothing on disk.
pub fn scan<D: Disk>(disk: &mut D, mut take: impl FnMut(&Header, &Record)) -> Result<ScanEnd, JournalError> {
    let mut end = ScanEnd::default();
    let segments = disk.segments()?;
    let mut blank_seen = false;
    for (i, segment) in segments.iter().copied().enumerate() {
        if i > 0 && segment != segments[i - 1] + 1 {
            return Err(Corruption { segment, offset: 0, why: "the segment before it is missing" }.into());
        }
        let bytes = disk.read(segment)?;
        if blank_seen {
            // A spare: it may hold nothing but what a torn batch left behind.
            end.torn |= tail_is_torn(&bytes, 0, segment, end.seq)?;
            continue;
        }
        let stop = scan_segment(&bytes, segment, &mut end, &mut take)?;
        end.segment = segment;
        end.offset = stop;
        // A full segment ends without room for another frame, or with a frame that only the next one could hold.
        let rest = &bytes[stop..];
        if rest.iter().any(|b| *b != 0) {
            end.torn |= tail_is_torn(&bytes, stop, segment, end.seq)?;
            blank_seen = true;
        } else {
            let next_begins = match segments.get(i + 1) {
                Some(next) => matches!(frame::decode(&disk.read(*next)?), Decoded::Frame { .. }),
                None => false,
            };
            blank_seen = !next_begins;
        }
    }
    Ok(end)
}

/// Reads frames until something else stands there; returns where.
fn scan_segment(
    bytes: &[u8],
    segment: SegmentId,
    end: &mut ScanEnd,
    take: &mut impl FnMut(&Header, &Record),
) -> Result<usize, Corruption> {
    let mut at = 0;
    while let Decoded::Frame { header, payload, total } = frame::decode(&bytes[at..]) {
        let corrupt = |why| Corruption { segment, offset: at, why };
        if header.seq != end.seq + 1 {
            // The frames between were lost: torn if this one was of the same unsynced batch.
            return if durable_seq(payload) <= end.seq { Ok(at) } else { Err(corrupt("a gap in the sequence")) };
        }
        if header.prev_crc != end.crc {
            return Err(corrupt("the chain of checksums is broken"));
        }
        if header.epoch < end.epoch {
            return Err(corrupt("a frame of an older epoch follows a newer one"));
        }
        if header.version != frame::VERSION {
            return Err(corrupt("written by another version of the program"));
        }
        let record = payload.get(PREFIX_BYTES..).and_then(|body| Record::decode(header.kind, body));
        let Some(record) = record else { return Err(corrupt("a record that this version can't read")) };
        take(&header, &record);
        end.seq = header.seq;
        end.crc = header.crc;
        end.epoch = header.epoch;
        at += total;
    }
    Ok(at)
}

fn durable_seq(payload: &[u8]) -> u64 {
    payload.first_chunk::<PREFIX_BYTES>().map_or(u64::MAX, |b| u64::from_le_bytes(*b))
}

/// Whether the bytes from `from` hold anything; corruption if a valid frame in them proves that frame
/// `last_seq + 1` had been durable.
fn tail_is_torn(bytes: &[u8], from: usize, segment: SegmentId, last_seq: u64) -> Result<bool, Corruption> {
    let mut dirty = false;
    let mut at = from;
    while at < bytes.len() {
        let here = &bytes[at..];
        dirty |= here.iter().take(8).any(|b| *b != 0);
        if here.starts_with(&frame::MAGIC.to_le_bytes())
            && let Decoded::Frame { payload, .. } = frame::decode(here)
            && durable_seq(payload) > last_seq
        {
            let why = "a bad frame is followed by valid ones that prove it had been durable";
            return Err(Corruption { segment, offset: from, why });
        }
        at += 8;
    }
    Ok(dirty)
}
