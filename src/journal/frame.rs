//! The frame around each record, little-endian:
//! `magic u32 | version u16 | type u16 | len u32 | seq u64 | epoch u64 | prev_crc u32 | crc32c u32 | payload`,
//! zero-padded to 8 bytes. `len` counts the payload alone; the checksum covers the header before it, and the
//! payload. `prev_crc` chains frames, which exposes lost and misdirected writes.

use thiserror::Error;

/// `IBTJ`.
pub const MAGIC: u32 = u32::from_le_bytes(*b"IBTJ");
/// Version of the frame and of all record layouts.
pub const VERSION: u16 = 1;
/// Bytes before the payload.
pub const HEADER_BYTES: usize = 36;
/// Longest payload.
pub const PAYLOAD_MAX: usize = 476;
/// Longest frame.
pub const FRAME_MAX: usize = 512;

const _: () = assert!(padded(HEADER_BYTES + PAYLOAD_MAX) == FRAME_MAX);

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Record type.
    pub kind: u16,
    /// Layout version.
    pub version: u16,
    /// Payload bytes.
    pub len: u32,
    /// Counts frames of the journal from 1.
    pub seq: u64,
    /// Process epoch that wrote it.
    pub epoch: u64,
    /// Checksum of the frame before.
    pub prev_crc: u32,
    /// Own checksum.
    pub crc: u32,
}

/// What stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// A whole frame.
    Frame {
        /// Its header.
        header: Header,
        /// Its payload.
        payload: &'a [u8],
        /// Bytes to the next frame.
        total: usize,
    },
    /// Nothing was written here (or nothing that begins with our magic and zero bytes follow).
    Blank,
    /// Something that is no frame.
    Invalid,
}

/// A frame that can't be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a record of {0} bytes exceeds the journal's limit")]
pub struct TooLong(pub usize);

/// `len` rounded up to 8 bytes.
pub const fn padded(len: usize) -> usize {
    len.div_ceil(8) * 8
}

/// Writes a frame into `out`; returns its length and checksum.
pub fn encode(
    out: &mut [u8; FRAME_MAX],
    kind: u16,
    seq: u64,
    epoch: u64,
    prev_crc: u32,
    payload: &[u8],
) -> Result<(usize, u32), TooLong> {
    let len = u32::try_from(payload.len()).map_err(|_| TooLong(payload.len()))?;
    if payload.len() > PAYLOAD_MAX {
        return Err(TooLong(payload.len()));
    }
    let total = padded(HEADER_BYTES + payload.len());
    out[..total].fill(0);
    out[0..4].copy_from_slice(&MAGIC.to_le_bytes());
    out[4..6].copy_from_slice(&VERSION.to_le_bytes());
    out[6..8].copy_from_slice(&kind.to_le_bytes());
    out[8..12].copy_from_slice(&len.to_le_bytes());
    out[12..20].copy_from_slice(&seq.to_le_bytes());
    out[20..28].copy_from_slice(&epoch.to_le_bytes());
    out[28..32].copy_from_slice(&prev_crc.to_le_bytes());
    out[HEADER_BYTES..HEADER_BYTES + payload.len()].copy_from_slice(payload);
    let crc = checksum(&out[..32], payload);
    out[32..36].copy_from_slice(&crc.to_le_bytes());
    Ok((total, crc))
}

fn checksum(head: &[u8], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(head), payload)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut a = [0; N];
    a.copy_from_slice(&bytes[at..at + N]);
    a
}

/// Reads what stands at the start of `bytes`.
pub fn decode(bytes: &[u8]) -> Decoded<'_> {
    if bytes.len() < HEADER_BYTES {
        return if bytes.iter().all(|b| *b == 0) { Decoded::Blank } else { Decoded::Invalid };
    }
    if bytes[..HEADER_BYTES].iter().all(|b| *b == 0) {
        return Decoded::Blank;
    }
    let header = Header {
        version: u16::from_le_bytes(array(bytes, 4)),
        kind: u16::from_le_bytes(array(bytes, 6)),
        len: u32::from_le_bytes(array(bytes, 8)),
        seq: u64::from_le_bytes(array(bytes, 12)),
        epoch: u64::from_le_bytes(array(bytes, 20)),
        prev_crc: u32::from_le_bytes(array(bytes, 28)),
        crc: u32::from_le_bytes(array(bytes, 32)),
    };
    let len = header.len as usize;
    let total = padded(HEADER_BYTES + len.min(PAYLOAD_MAX));
    if u32::from_le_bytes(array(bytes, 0)) != MAGIC || len > PAYLOAD_MAX || total > bytes.len() {
        return Decoded::Invalid;
    }
    let payload = &bytes[HEADER_BYTES..HEADER_BYTES + len];
    let clean_pad = bytes[HEADER_BYTES + len..total].iter().all(|b| *b == 0);
    if !clean_pad || checksum(&bytes[..32], payload) != header.crc {
        return Decoded::Invalid;
    }
    Decoded::Frame { header, payload, total }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_pinned() {
        let mut out = [0xff; FRAME_MAX];
        let (total, crc) = encode(&mut out, 3, 7, 2, 0xaabb_ccdd, &[1, 2, 3]).unwrap();
        assert_eq!(total, 40);
        assert_eq!(&out[..12], &[b'I', b'B', b'T', b'J', 1, 0, 3, 0, 3, 0, 0, 0]);
        assert_eq!(&out[12..32], &[7, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0xdd, 0xcc, 0xbb, 0xaa]);
        assert_eq!(&out[36..40], &[1, 2, 3, 0]);
        assert_eq!(crc, 0xca3c_5bae, "crc32c of the header before it and the payload: {crc:#x}");
        assert!(matches!(decode(&out[..40]), Decoded::Frame { total: 40, payload: [1, 2, 3], .. }));
    }

    #[test]
    fn every_single_bit_flip_is_noticed() {
        let mut out = [0; FRAME_MAX];
        let (total, _) = encode(&mut out, 1, 1, 1, 0, b"some payload").unwrap();
        for bit in 0..total * 8 {
            let mut bad = out;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&bad[..total]), Decoded::Invalid, "bit {bit}");
        }
    }

    #[test]
    fn blank_short_and_long_are_told_apart() {
        assert_eq!(decode(&[0; 64]), Decoded::Blank);
        assert_eq!(decode(&[0; 8]), Decoded::Blank);
        assert_eq!(decode(&[1; 8]), Decoded::Invalid);
        let mut out = [0; FRAME_MAX];
        assert!(encode(&mut out, 1, 1, 1, 0, &[0; PAYLOAD_MAX]).is_ok());
        assert_eq!(encode(&mut out, 1, 1, 1, 0, &[0; PAYLOAD_MAX + 1]), Err(TooLong(PAYLOAD_MAX + 1)));
    }
}
