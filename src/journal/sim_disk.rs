//! A disk in memory for tests and lockstep: it loses any subset of unsynced sectors at a power loss, tears writes,
//! flips bits, fails syncs and runs out of space, all on command and by seed.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use super::disk::{Disk, PANIC_SEGMENT, SegmentId};

/// What is written whole or not at all.
const SECTOR_BYTES: usize = 512;

/// What a crash does to bytes that were not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The process died: the page cache, and so every write, survives.
    Process,
    /// The power failed: no unsynced byte survives.
    All,
    /// The power failed: each unsynced sector survives or not, by this seed.
    Sectors(u64),
    /// The power failed in the middle: unsynced bytes up to this many survive, in the order of writing.
    Prefix(usize),
}

#[derive(Debug, Default)]
struct Inner {
    durable: BTreeMap<SegmentId, Vec<u8>>,
    cached: BTreeMap<SegmentId, Vec<u8>>,
    /// Unsynced writes in order: segment, offset, length.
    pending: Vec<(SegmentId, usize, usize)>,
    syncs: u64,
    fail_sync: bool,
    fail_write: bool,
    no_space: bool,
}

/// The disk. Clones share it: a test keeps one while the journal owns another.
#[derive(Clone, Debug, Default)]
pub struct SimDisk(Arc<Mutex<Inner>>);

/// A small deterministic bit source (splitmix64).
fn mix(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Successful syncs so far.
    pub fn syncs(&self) -> u64 {
        self.0.lock().syncs
    }

    /// Whether every byte written so far would survive a power loss.
    pub fn is_clean(&self) -> bool {
        self.0.lock().pending.is_empty()
    }

    /// All further syncs fail.
    pub fn fail_syncs(&self) {
        self.0.lock().fail_sync = true;
    }

    /// All further writes fail, outside the panic segment.
    pub fn fail_writes(&self) {
        self.0.lock().fail_write = true;
    }

    /// No further segment finds space.
    pub fn fill_up(&self) {
        self.0.lock().no_space = true;
    }

    /// Flips one bit of a segment, where it rests.
    pub fn flip_bit(&self, segment: SegmentId, byte: usize, bit: u8) {
        let mut inner = self.0.lock();
        let Inner { durable, cached, .. } = &mut *inner;
        for image in [durable, cached] {
            if let Some(b) = image.get_mut(&segment).and_then(|s| s.get_mut(byte)) {
                *b ^= 1 << (bit % 8);
            }
        }
    }

    /// Overwrites bytes of a segment, where they rest.
    pub fn overwrite(&self, segment: SegmentId, offset: usize, data: &[u8]) {
        let mut inner = self.0.lock();
        let Inner { durable, cached, .. } = &mut *inner;
        for image in [durable, cached] {
            if let Some(place) = image.get_mut(&segment).and_then(|s| s.get_mut(offset..offset + data.len())) {
                place.copy_from_slice(data);
            }
        }
    }

    /// A segment's bytes as a process would read them.
    pub fn image(&self, segment: SegmentId) -> Vec<u8> {
        self.0.lock().cached.get(&segment).cloned().unwrap_or_default()
    }

    /// An independent copy of the disk as a crash at this instant would leave it.
    pub fn after(&self, loss: Loss) -> Self {
        let inner = self.0.lock();
        let copy = Self(Arc::new(Mutex::new(Inner {
            durable: inner.durable.clone(),
            cached: inner.cached.clone(),
            pending: inner.pending.clone(),
            ..Inner::default()
        })));
        copy.crash(loss);
        copy
    }

    /// The machine stops; what was not synced is lost as `loss` says. Failures set before end with it.
    pub fn crash(&self, loss: Loss) {
        let mut inner = self.0.lock();
        let pending = std::mem::take(&mut inner.pending);
        let mut survives: Box<dyn FnMut(usize) -> bool> = match loss {
            Loss::Process => Box::new(|_| true),
            Loss::All => Box::new(|_| false),
            Loss::Sectors(mut seed) => Box::new(move |_| mix(&mut seed) & 1 == 1),
            Loss::Prefix(mut left) => Box::new(move |len| {
                let whole = left >= len;
                left = left.saturating_sub(len);
                whole
            }),
        };
        let step = if matches!(loss, Loss::Prefix(_)) { 1 } else { SECTOR_BYTES };
        let Inner { durable, cached, .. } = &mut *inner;
        for (segment, offset, len) in pending {
            let (Some(to), Some(from)) = (durable.get_mut(&segment), cached.get(&segment)) else { continue };
            let mut at = offset;
            while at < offset + len {
                let end = ((at / step + 1) * step).min(offset + len);
                if survives(end - at) {
                    to[at..end].copy_from_slice(&from[at..end]);
                }
                at = end;
            }
        }
        *cached = durable.clone();
        inner.fail_sync = false;
        inner.fail_write = false;
        inner.no_space = false;
    }
}

fn missing() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "no such segment")
}

impl Disk for SimDisk {
    fn segments(&mut self) -> io::Result<Vec<SegmentId>> {
        Ok(self.0.lock().cached.keys().copied().filter(|s| *s != PANIC_SEGMENT).collect())
    }

    fn create(&mut self, segment: SegmentId, bytes: u64) -> io::Result<()> {
        let mut inner = self.0.lock();
        if inner.cached.contains_key(&segment) {
            return Ok(());
        }
        if inner.no_space {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "no space left"));
        }
        let zeros = vec![0; usize::try_from(bytes).unwrap_or(0)];
        inner.durable.insert(segment, zeros.clone());
        inner.cached.insert(segment, zeros);
        Ok(())
    }

    fn read(&mut self, segment: SegmentId) -> io::Result<Vec<u8>> {
        self.0.lock().cached.get(&segment).cloned().ok_or_else(missing)
    }

    fn write_at(&mut self, segment: SegmentId, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut inner = self.0.lock();
        if inner.fail_write && segment != PANIC_SEGMENT {
            return Err(io::Error::other("simulated write error"));
        }
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = inner.cached.get_mut(&segment).ok_or_else(missing)?;
        let place = bytes.get_mut(at..at.saturating_add(data.len()));
        place.ok_or_else(|| io::Error::other("write beyond the segment"))?.copy_from_slice(data);
        inner.pending.push((segment, at, data.len()));
        Ok(())
    }

    fn sync(&mut self, segment: SegmentId) -> io::Result<()> {
        let mut inner = self.0.lock();
        if inner.fail_sync {
            return Err(io::Error::other("simulated sync error"));
        }
        let (done, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut inner.pending).into_iter().partition(|(s, ..)| *s == segment);
        inner.pending = rest;
        let Inner { durable, cached, syncs, .. } = &mut *inner;
        for (s, at, len) in done {
            if let (Some(to), Some(from)) = (durable.get_mut(&s), cached.get(&s)) {
                to[at..at + len].copy_from_slice(&from[at..at + len]);
            }
        }
        *syncs += 1;
        Ok(())
    }
}
