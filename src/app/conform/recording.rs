//! Recorded conversations, read from their files. A line is one event: `handshake {…}` (the negotiated version and when),
//! `raw client|server BASE64` (one whole frame), `client NAME {…}` and `server NAME {…}` (decoded fields, not all of them),
//! `sleep 100ms`, `disconnect`; `#` starts a comment. A `.yaml` file lists interactions of one connection (`interactions`).

use std::path::Path;

use anyhow::{Context, bail};
use base64::Engine as _;
use serde_json::Value as Json;

use super::fields::{Message, read_frame};
use super::{interactions, transcript, zones};
use crate::clock::{MILLISECOND, Nanos, SECOND, SessionTime};
use crate::sim::api::Request;
use crate::sim::wire::codec::Codec;
use crate::sim::wire::handshake::{Hello, ServerVersion, VERSION_MAX, negotiate};

/// What happened, in order.
#[derive(Debug)]
pub(super) enum Step {
    /// A connection is made, with the negotiated version.
    Connect { version: ServerVersion, time: Option<SessionTime> },
    /// The client asks.
    Client(Box<Request>),
    /// The client sends what can't be played; why.
    Unplayable(String),
    /// The gateway answers.
    Server(Message),
    /// Time passes.
    Sleep(Nanos),
    /// The connection ends.
    Disconnect,
}

/// One recorded conversation.
#[derive(Debug)]
pub(super) struct Recording {
    /// The file's name without its ending.
    pub(super) name: String,
    pub(super) steps: Vec<Step>,
    /// Client messages are decoded fields: what a transcript leaves out is not known.
    pub(super) decoded: bool,
}

impl Recording {
    /// Reads a file.
    ///
    /// # Errors
    /// The file can't be read, or a line is no event; the line is named.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
        let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let yaml = path.extension().is_some_and(|e| e == "yaml" || e == "yml");
        let read = if yaml { interactions::parse(&text) } else { parse(&text) };
        let (steps, decoded) = read.with_context(|| format!("{} is no recorded conversation", path.display()))?;
        Ok(Self { name, steps, decoded })
    }

    /// The gateway's messages.
    pub(super) fn answers(&self) -> impl Iterator<Item = &Message> {
        self.steps.iter().filter_map(|s| match s {
            Step::Server(m) => Some(m),
            _ => None,
        })
    }

    /// What the client asks.
    pub(super) fn requests(&self) -> impl Iterator<Item = &Request> {
        self.steps.iter().filter_map(|s| match s {
            Step::Client(r) => Some(&**r),
            _ => None,
        })
    }
}

/// The version that a conversation negotiated.
pub(super) fn version(number: i64) -> anyhow::Result<ServerVersion> {
    let number = i32::try_from(number).context("a server version is a small number")?;
    let version = negotiate(&Hello { min: number, max: number }, VERSION_MAX);
    version.with_context(|| format!("server version {number} is not served here"))
}

fn parse(text: &str) -> anyhow::Result<(Vec<Step>, bool)> {
    let mut steps = Vec::new();
    let mut at: Option<ServerVersion> = None;
    let mut names = transcript::Names::default();
    let mut decoded = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let place = || format!("line {}", number + 1);
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "handshake" => {
                let json: Json = serde_json::from_str(rest).with_context(place)?;
                let negotiated = version(json["server_version"].as_i64().unwrap_or(0)).with_context(place)?;
                at = Some(negotiated);
                let time = json["connection_time"].as_str().and_then(zones::parse);
                steps.push(Step::Connect { version: negotiated, time });
            }
            "raw" => {
                let version = at.context("a frame before any handshake").with_context(place)?;
                let (side, frame) = rest.split_once(' ').context("no side").with_context(place)?;
                steps.extend(raw(version, side, frame).with_context(place)?);
            }
            "client" | "server" => {
                let (name, json) = rest.split_once(' ').unwrap_or((rest, "{}"));
                let json: Json = serde_json::from_str(json).with_context(place)?;
                if word == "client" {
                    decoded = true;
                    steps.push(match transcript::request(name, &json, &mut names) {
                        Ok(request) => Step::Client(Box::new(request)),
                        Err(why) => Step::Unplayable(why),
                    });
                } else {
                    steps.extend(transcript::messages(name, &json, &mut names).into_iter().map(Step::Server));
                }
            }
            "sleep" => steps.push(Step::Sleep(duration(rest).with_context(place)?)),
            "disconnect" => steps.push(Step::Disconnect),
            other => bail!("{}: `{other}` is no event of a recorded conversation", place()),
        }
    }
    if at.is_none() {
        bail!("it holds no handshake");
    }
    Ok((steps, decoded))
}

fn raw(version: ServerVersion, side: &str, frame: &str) -> anyhow::Result<Vec<Step>> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(frame.trim()).context("the frame is no base64")?;
    let Some((head, body)) = bytes.split_first_chunk::<4>() else { bail!("the frame is too short") };
    if u32::from_be_bytes(*head) as usize != body.len() {
        bail!("the frame's length is not what it says");
    }
    frame_steps(version, side, body)
}

/// A frame's body, as one side sent it.
pub(super) fn frame_steps(version: ServerVersion, side: &str, body: &[u8]) -> anyhow::Result<Vec<Step>> {
    Ok(match side {
        "client" => vec![match Codec::new(version).decode_body(body) {
            Ok(request) => Step::Client(Box::new(request)),
            Err(why) => Step::Unplayable(why.to_string()),
        }],
        "server" => {
            let messages = read_frame(version, body).map_err(anyhow::Error::msg)?;
            messages.into_iter().map(Step::Server).collect()
        }
        other => bail!("`{other}` is neither client nor server"),
    })
}

/// `100ms`, `1s`, `1.5s`, `2m`.
fn duration(text: &str) -> anyhow::Result<Nanos> {
    let text = text.trim();
    let (number, unit) = match text.strip_suffix("ms") {
        Some(n) => (n, MILLISECOND),
        None => match (text.strip_suffix('s'), text.strip_suffix('m')) {
            (Some(n), _) => (n, SECOND),
            (_, Some(n)) => (n, 60 * SECOND),
            _ => (text, MILLISECOND),
        },
    };
    let number: f64 = number.parse().ok().filter(|n| (0.0..1e6).contains(n)).context("no length of time")?;
    #[allow(clippy::cast_possible_truncation, reason = "below a million minutes")]
    let ns = (number * unit as f64) as Nanos;
    Ok(ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_units() {
        let ns = |t| duration(t).ok();
        assert_eq!(ns("100ms"), Some(100 * MILLISECOND));
        assert_eq!(ns("1.5s"), Some(1_500 * MILLISECOND));
        assert_eq!(ns("2m"), Some(120 * SECOND));
        assert_eq!(ns("soon"), None);
    }

    #[test]
    fn a_broken_file_names_its_line() {
        let said = |t: &str| format!("{:#}", parse(t).expect_err("broken"));
        assert!(said("handshake {\"server_version\":225}\nraw server AAAA").contains("line 2"));
        assert!(said("hello").contains("line 1"));
        assert!(said("# nothing").contains("no handshake"));
        assert!(said("handshake {\"server_version\":99}").contains("99 is not served"));
    }
}
