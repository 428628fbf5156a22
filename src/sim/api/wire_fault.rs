//! What a fault scenario makes of a connection's bytes. The venue never says it; the wire's server carries it out.

/// A misdeed of one connection's byte stream, from its place among the answers on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireFault {
    /// These bytes, in no frame.
    Bytes(Vec<u8>),
    /// A whole frame of a known message whose content breaks the encoding.
    Malformed,
    /// A whole frame of a message id that no client knows.
    Unknown,
    /// The head of a frame and a part of its body; the rest never comes.
    Truncated,
    /// The head of a frame that is longer than any client accepts.
    Oversized,
    /// From now on at most `bytes` in one write (0 = as many as there are), `pause_ms` of wall time after each.
    Slice {
        /// Bytes in one write.
        bytes: usize,
        /// Wall milliseconds.
        pause_ms: u64,
    },
    /// Nothing is read or written any more; the connection stays.
    Hang,
    /// How new connections fare; sent to [`ConnId::SERVER`](super::ConnId::SERVER).
    Door(Door),
}

/// How the server receives new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// As ever.
    Open,
    /// They are closed at once.
    Closed,
    /// Their opening is not answered as long as this lasts.
    Silent,
    /// Their opening is answered with what is no version.
    Garbage,
}
