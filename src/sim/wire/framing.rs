//! Frames: a 4-byte big-endian length, then that many bytes: at server versions ≥ 201 the first four are the
//! big-endian message id, below everything is text. Sans I/O but for [`FrameReader::fill`], which makes one read. Knows no
//! message. Source: recorded conversations with real gateways.

use std::io::{ErrorKind, Read};

/// The longest frame body that a client may send, in bytes. The longest known request is under 4 KiB; with the venue's
/// queue of requests it bounds what clients can make the gateway hold.
pub const REQUEST_BYTES_MAX: usize = 1 << 16;
/// The longest frame body that the gateway sends, in bytes: what public clients accept.
pub const RESPONSE_BYTES_MAX: usize = 0xFF_FFFF;
/// Bytes that one read asks for.
const READ_BYTES: usize = 16 * 1024;

/// A stream that cannot be cut into frames.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length says more than is allowed.
    #[error("a frame of {length} bytes is announced, at most {limit} are accepted: this is no TWS message stream")]
    TooLong {
        /// As announced.
        length: usize,
        /// What is accepted.
        limit: usize,
    },
    /// The body is shorter than a message id.
    #[error("a frame of {length} bytes holds no message id: this is no TWS message stream")]
    TooShort {
        /// As announced.
        length: usize,
    },
}

/// One frame of server version ≥ 201.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// As sent: protobuf bodies have 200 added.
    pub id: i32,
    /// What follows the id.
    pub body: &'a [u8],
}

/// Cuts a byte stream into frames; keeps what is incomplete.
#[derive(Debug, Default)]
pub struct FrameReader {
    buf: Vec<u8>,
    taken: usize,
}

impl FrameReader {
    /// Reads once; 0 means that the peer closed.
    pub fn fill(&mut self, source: &mut impl Read) -> std::io::Result<usize> {
        self.buf.drain(..self.taken);
        self.taken = 0;
        let old = self.buf.len();
        self.buf.resize(old + READ_BYTES, 0);
        let read = loop {
            match source.read(&mut self.buf[old..]) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buf.truncate(old + read.as_ref().map_or(0, |n| *n));
        read
    }

    /// Bytes received and not yet taken.
    pub fn pending(&self) -> &[u8] {
        &self.buf[self.taken..]
    }

    /// Drops the first `n` pending bytes (at most all).
    pub fn take(&mut self, n: usize) {
        self.taken = (self.taken + n).min(self.buf.len());
    }

    /// The next complete body without its length, at most `limit` bytes long; `None` = more must be read.
    pub fn next_body(&mut self, limit: usize) -> Result<Option<&[u8]>, FrameError> {
        let Some((head, rest)) = self.buf[self.taken..].split_first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_be_bytes(*head) as usize;
        if length > limit {
            return Err(FrameError::TooLong { length, limit });
        }
        if rest.len() < length {
            return Ok(None);
        }
        let start = self.taken + 4;
        self.taken = start + length;
        Ok(Some(&self.buf[start..start + length]))
    }

    /// The next complete request frame; `None` = more must be read.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        match self.next_body(REQUEST_BYTES_MAX)? {
            None => Ok(None),
            Some(body) => split_id(body).map(Some),
        }
    }
}

/// Splits a frame's body into message id and content.
pub fn split_id(body: &[u8]) -> Result<Frame<'_>, FrameError> {
    let Some((id, content)) = body.split_first_chunk::<4>() else {
        return Err(FrameError::TooShort { length: body.len() });
    };
    Ok(Frame { id: i32::from_be_bytes(*id), body: content })
}

/// Appends one frame to `out`: length and id, then what `write_body` appends. On error `out` is as before.
pub fn append_frame(out: &mut Vec<u8>, id: i32, write_body: impl FnOnce(&mut Vec<u8>)) -> Result<(), FrameError> {
    append_body(out, |out| {
        out.extend_from_slice(&id.to_be_bytes());
        write_body(out);
    })
}

/// Appends one frame to `out`: the length, then what `write_body` appends. On error `out` is as before.
pub fn append_body(out: &mut Vec<u8>, write_body: impl FnOnce(&mut Vec<u8>)) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write_body(out);
    let length = out.len() - start - 4;
    match u32::try_from(length) {
        Ok(n) if length <= RESPONSE_BYTES_MAX => {
            out[start..start + 4].copy_from_slice(&n.to_be_bytes());
            Ok(())
        }
        _ => {
            out.truncate(start);
            Err(FrameError::TooLong { length, limit: RESPONSE_BYTES_MAX })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(id: i32, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        append_frame(&mut out, id, |o| o.extend_from_slice(body)).unwrap();
        out
    }

    #[test]
    fn a_frame_arrives_in_any_slices() {
        let mut bytes = frame(203, b"abc");
        bytes.extend(frame(249, b""));
        for cut in 0..bytes.len() {
            let mut reader = FrameReader::default();
            let mut got = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                reader.fill(&mut &part[..]).unwrap();
                while let Some(f) = reader.next_frame().unwrap() {
                    got.push((f.id, f.body.to_vec()));
                }
            }
            assert_eq!(got, [(203, b"abc".to_vec()), (249, Vec::new())], "cut at {cut}");
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_it_is_buffered() {
        let mut reader = FrameReader::default();
        reader.fill(&mut &b"GET / HTTP/1.1\r\n"[..]).unwrap();
        let length = u32::from_be_bytes(*b"GET ") as usize;
        assert_eq!(reader.next_frame(), Err(FrameError::TooLong { length, limit: REQUEST_BYTES_MAX }));
    }

    #[test]
    fn a_body_without_message_id_is_refused() {
        for length in 0..4_u8 {
            let mut reader = FrameReader::default();
            reader.fill(&mut &[0, 0, 0, length, 9, 9, 9][..]).unwrap();
            assert_eq!(reader.next_frame(), Err(FrameError::TooShort { length: length.into() }));
        }
    }

    #[test]
    fn an_oversized_answer_leaves_the_buffer_as_it_was() {
        let mut out = frame(1, b"x");
        let before = out.clone();
        let result = append_frame(&mut out, 2, |o| o.resize(o.len() + RESPONSE_BYTES_MAX, 0));
        assert!(matches!(result, Err(FrameError::TooLong { .. })));
        assert_eq!(out, before);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..2_000), small in any::<bool>()) {
            let mut bytes = bytes;
            if small && bytes.len() > 2 {
                bytes[..2].fill(0);
            }
            let mut reader = FrameReader::default();
            let mut source = &bytes[..];
            while reader.fill(&mut source).unwrap() > 0 {
                while let Ok(Some(_)) = reader.next_frame() {}
            }
            prop_assert!(reader.pending().len() <= bytes.len());
        }
    }
}
