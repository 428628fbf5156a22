//! The handshake, sans I/O: the client opens with `API\0` and a length-prefixed `v{min}..{max}` (connect
//! options may follow after a space); the gateway answers a length-prefixed `version\0time zone\0` without a
//! message id. Both sides then speak `min(client's max, ours)`. Source: recorded conversations (the answer) and
//! what public clients send (the opening).

use super::framing::{FrameError, FrameReader};
use crate::clock::SessionTime;
use crate::domain::calendar::new_york;

/// What every TWS client sends first.
pub const PREFIX: &[u8; 4] = b"API\0";
/// The longest version text, with connect options, in bytes.
pub const HELLO_BYTES_MAX: usize = 1_024;
/// The lowest server version served.
pub const VERSION_MIN: i32 = 157;
/// From this server version on every message is protobuf.
pub const PROTOBUF_ONLY_FROM: i32 = 213;
/// The highest server version served.
pub const VERSION_MAX: i32 = 226;

/// A negotiated server version, between [`VERSION_MIN`] and [`VERSION_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerVersion(i32);

impl ServerVersion {
    /// As the handshake says it.
    pub const fn get(self) -> i32 {
        self.0
    }
}

/// The versions that a client offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Its lowest.
    pub min: i32,
    /// Its highest.
    pub max: i32,
}

/// A client that is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Not the TWS protocol at all.
    #[error("the peer does not open with the TWS handshake (`API`, a zero byte, `v100..200`): is it a TWS API client?")]
    NotTws,
    /// The version text is broken.
    #[error("the version text {text:?} is not `v{{min}}..{{max}}`")]
    Version {
        /// As received, shortened.
        text: String,
    },
    /// The version text is too long.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The client is older than what is served.
    #[error(
        "the client speaks server versions up to {max}, this gateway serves {VERSION_MIN} to {ours}: use a newer \
         TWS API client"
    )]
    TooOld {
        /// The client's highest.
        max: i32,
        /// This gateway's highest.
        ours: i32,
    },
    /// The client is newer than what is served.
    #[error(
        "the client needs server version {min} at least, this gateway serves {VERSION_MIN} to {ours}: use an older client"
    )]
    TooNew {
        /// The client's lowest.
        min: i32,
        /// This gateway's highest.
        ours: i32,
    },
}

/// The client's opening, once it is complete; `None` = more must be read.
pub fn take_hello(reader: &mut FrameReader) -> Result<Option<Hello>, HandshakeError> {
    let pending = reader.pending();
    let seen = pending.len().min(PREFIX.len());
    if pending[..seen] != PREFIX[..seen] {
        return Err(HandshakeError::NotTws);
    }
    // The prefix stays until the text behind it is complete, so that the next call finds it again.
    let Some((length, rest)) = pending[seen..].split_first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    if length > HELLO_BYTES_MAX {
        return Err(FrameError::TooLong { length, limit: HELLO_BYTES_MAX }.into());
    }
    if rest.len() < length {
        return Ok(None);
    }
    let hello = parse_hello(&rest[..length])?;
    reader.take(PREFIX.len() + 4 + length);
    Ok(Some(hello))
}

/// Reads `v{min}..{max}` or `v{version}`, options ignored.
fn parse_hello(bytes: &[u8]) -> Result<Hello, HandshakeError> {
    let broken = || HandshakeError::Version { text: String::from_utf8_lossy(bytes).chars().take(40).collect() };
    let text = std::str::from_utf8(bytes).map_err(|_| broken())?;
    let versions = text.split([' ', '\0']).next().and_then(|v| v.strip_prefix('v')).ok_or_else(broken)?;
    let (min, max) = versions.split_once("..").unwrap_or((versions, versions));
    let min: i32 = min.parse().map_err(|_| broken())?;
    let max: i32 = max.parse().map_err(|_| broken())?;
    if min < 1 || max < min { Err(broken()) } else { Ok(Hello { min, max }) }
}

/// The version that both sides speak: `min(client's max, ours)`.
pub fn negotiate(hello: &Hello, ours: i32) -> Result<ServerVersion, HandshakeError> {
    let ours = ours.clamp(VERSION_MIN, VERSION_MAX);
    if hello.max < VERSION_MIN {
        return Err(HandshakeError::TooOld { max: hello.max, ours });
    }
    if hello.min > ours {
        return Err(HandshakeError::TooNew { min: hello.min, ours });
    }
    Ok(ServerVersion(hello.max.min(ours)))
}

/// The gateway's answer, with its length.
pub fn reply(version: ServerVersion, time: SessionTime) -> Vec<u8> {
    let text = format!("{}\0{}\0", version.get(), connection_time(time));
    let length = u32::try_from(text.len()).unwrap_or(0);
    let mut out = length.to_be_bytes().to_vec();
    out.extend_from_slice(text.as_bytes());
    out
}

/// `20260415 09:25:00 US/Eastern`.
fn connection_time(time: SessionTime) -> String {
    let c = new_york(time);
    format!("{:04}{:02}{:02} {:02}:{:02}:{:02} US/Eastern", c.year, c.month, c.day, c.hour, c.minute, c.second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::calendar::Date;
    use proptest::prelude::*;

    fn opening(text: &str) -> Vec<u8> {
        let mut out = PREFIX.to_vec();
        out.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
        out.extend(text.as_bytes());
        out
    }

    fn feed(bytes: &[u8]) -> Result<Option<Hello>, HandshakeError> {
        let mut reader = FrameReader::default();
        reader.fill(&mut &bytes[..]).unwrap();
        take_hello(&mut reader)
    }

    #[test]
    fn openings_of_public_clients() {
        for (text, min, max) in [
            ("v213..226", 213, 226),
            ("v100..226 +PACEAPI", 100, 226),
            ("v157..178", 157, 178),
            ("v214", 214, 214),
            ("v100..225 ", 100, 225),
        ] {
            assert_eq!(feed(&opening(text)), Ok(Some(Hello { min, max })), "{text}");
        }
    }

    #[test]
    fn an_opening_in_pieces_waits_and_leaves_what_follows() {
        let mut bytes = opening("v213..226");
        for cut in 0..bytes.len() {
            assert_eq!(feed(&bytes[..cut]), Ok(None), "cut at {cut}");
        }
        bytes.extend(b"rest");
        let mut reader = FrameReader::default();
        reader.fill(&mut &bytes[..]).unwrap();
        take_hello(&mut reader).unwrap();
        assert_eq!(reader.pending(), b"rest");
    }

    #[test]
    fn what_is_no_opening_is_refused() {
        assert_eq!(feed(b"GET / HTTP/1.1\r\n"), Err(HandshakeError::NotTws));
        assert_eq!(feed(b"AX"), Err(HandshakeError::NotTws));
        for text in ["", "v", "vx..y", "213..226", "v226..213", "v0..226", "v213..99999999999"] {
            assert!(matches!(feed(&opening(text)), Err(HandshakeError::Version { .. })), "{text}");
        }
        assert!(matches!(feed(b"API\0\0\xFF\0\0"), Err(HandshakeError::Frame(FrameError::TooLong { .. }))));
    }

    #[test]
    fn the_lower_maximum_is_spoken() {
        let with = |min, max, ours| negotiate(&Hello { min, max }, ours).map(ServerVersion::get);
        assert_eq!(with(213, 226, 226), Ok(226));
        assert_eq!(with(100, 300, 226), Ok(226));
        assert_eq!(with(100, 219, 226), Ok(219));
        assert_eq!(with(213, 226, 220), Ok(220));
        assert_eq!(with(157, 178, 226), Ok(178));
        assert_eq!(with(100, 225, 205), Ok(205));
        assert_eq!(with(213, 226, 200), Err(HandshakeError::TooNew { min: 213, ours: 200 }));
        assert_eq!(with(100, 156, 226), Err(HandshakeError::TooOld { max: 156, ours: 226 }));
        assert_eq!(with(230, 240, 226), Err(HandshakeError::TooNew { min: 230, ours: 226 }));
        let refusal = with(100, 156, 226).unwrap_err().to_string();
        assert!(refusal.contains("up to 156") && refusal.contains("newer TWS API client"), "{refusal}");
    }

    #[test]
    fn the_answer_is_text_without_message_id() {
        let version = negotiate(&Hello { min: 213, max: 226 }, 226).unwrap();
        let answer = reply(version, Date::of(2026, 4, 15).at(9, 25));
        assert_eq!(&answer[..4], &33_u32.to_be_bytes());
        assert_eq!(&answer[4..], b"226\x0020260415 09:25:00 US/Eastern\0");
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), prefixed in any::<bool>()) {
            let mut all = if prefixed { b"API\0\0\0\0\x09".to_vec() } else { Vec::new() };
            all.extend(bytes);
            if let Ok(Some(hello)) = feed(&all) {
                prop_assert!(hello.min >= 1 && hello.max >= hello.min);
            }
        }
    }
}
