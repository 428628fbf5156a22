//! Messages in one canonical form, whatever encoding they were recorded in: a message id and its fields by path. A path
//! is made of protobuf field numbers (`3.9`; in repeated parts `2[1].5`); texts and partial transcripts are brought to
//! the same paths. Knows the names of the fields that a report shows.

use std::collections::BTreeMap;

use crate::sim::api::Response;
use crate::sim::wire::codec::{Codec, peer};
use crate::sim::wire::framing::split_id;
use crate::sim::wire::handshake::{Hello, ServerVersion, VERSION_MAX, negotiate};
use crate::sim::wire::messages::PROTOBUF_OFFSET;

/// One field's value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Whole numbers and flags.
    Int(i64),
    /// Prices and amounts.
    Real(f64),
    /// Texts; quantities travel as decimal texts.
    Text(String),
}

impl Value {
    /// The number that it is or spells.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Int(i) => Some(*i as f64),
            Self::Real(f) => Some(*f),
            Self::Text(t) => t.trim().parse().ok(),
        }
    }

    /// As a report shows it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Int(i) => i.to_string(),
            Self::Real(f) => f.to_string(),
            Self::Text(t) if t.chars().count() > 160 => format!("\"{}…\"", t.chars().take(160).collect::<String>()),
            Self::Text(t) => format!("{t:?}"),
        }
    }
}

/// A gateway's message.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Message {
    /// Without the protobuf offset.
    pub(super) id: i32,
    /// By path.
    pub(super) fields: BTreeMap<String, Value>,
    /// Only some of its fields are known: a field that is not here may have been set.
    pub(super) partial: bool,
}

impl Message {
    /// The whole number at `path`.
    pub(super) fn int(&self, path: &str) -> Option<i64> {
        match self.fields.get(path)? {
            Value::Int(i) => Some(*i),
            _ => None,
        }
    }

    /// The text at `path`, empty where it is absent.
    pub(super) fn text(&self, path: &str) -> &str {
        match self.fields.get(path) {
            Some(Value::Text(t)) => t,
            _ => "",
        }
    }

    /// The number at `path`.
    pub(super) fn number(&self, path: &str) -> Option<f64> {
        self.fields.get(path)?.number()
    }
}

/// Fields that hold a message, by gateway message: the others are compared as they are.
const SUBMESSAGES: &[(i32, &[&str])] = &[
    (5, &["2", "3", "4", "3.105"]),
    (7, &["1"]),
    (10, &["2", "3", "3.33", "3.34"]),
    (11, &["2", "3"]),
    (17, &["2"]),
    (50, &["2"]),
    (61, &["2"]),
    (71, &["3"]),
    (80, &["1"]),
    (93, &["2"]),
    (96, &["2"]),
    (97, &["2"]),
    (98, &["2"]),
    (99, &["3", "4", "5"]),
    (101, &["1", "2", "3", "2.105"]),
    (106, &["5"]),
];

/// A whole frame's body as messages; `Err` says why it can't be read.
pub(super) fn read_frame(version: ServerVersion, body: &[u8]) -> Result<Vec<Message>, String> {
    if version.get() > 200 {
        let frame = split_id(body).map_err(|e| e.to_string())?;
        if frame.id > PROTOBUF_OFFSET {
            let id = frame.id - PROTOBUF_OFFSET;
            let fields = walk_all(id, frame.body).ok_or_else(|| format!("message {id} is no protobuf"))?;
            return Ok(vec![Message { id, fields, partial: false }]);
        }
    }
    match peer::decode_responses_at(version, body) {
        Ok(responses) => responses.into_iter().map(canonical).collect(),
        // A text message that the codec does not model is compared by its kind.
        Err(e) => match text_id(version, body) {
            Some(id) => Ok(vec![Message { id, fields: BTreeMap::new(), partial: true }]),
            None => Err(e.to_string()),
        },
    }
}

/// What the gateway says, as a client at `version` reads it.
pub(super) fn said(codec: &mut Codec, version: ServerVersion, response: Response) -> Result<Vec<Message>, String> {
    let mut out = Vec::new();
    codec.encode_response(response, &mut out).map_err(|e| e.to_string())?;
    let mut messages = Vec::new();
    let mut rest = &out[..];
    while let Some((head, tail)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*head) as usize;
        let (body, next) = tail.split_at_checked(length).ok_or("the codec wrote half a frame")?;
        messages.extend(read_frame(version, body)?);
        rest = next;
    }
    Ok(messages)
}

/// The protobuf form of an answer that was read from text.
fn canonical(response: Response) -> Result<Message, String> {
    let newest = negotiate(&Hello { min: VERSION_MAX, max: VERSION_MAX }, VERSION_MAX).map_err(|e| e.to_string())?;
    let mut messages = said(&mut Codec::new(newest), newest, response)?;
    messages.pop().ok_or_else(|| "an answer without a message".to_string())
}

fn text_id(version: ServerVersion, body: &[u8]) -> Option<i32> {
    if version.get() > 200 {
        return split_id(body).ok().map(|f| f.id);
    }
    let first = body.split(|b| *b == 0).next()?;
    std::str::from_utf8(first).ok()?.parse().ok()
}

fn walk_all(id: i32, body: &[u8]) -> Option<BTreeMap<String, Value>> {
    let submessages = SUBMESSAGES.iter().find(|(m, _)| *m == id).map_or(&[][..], |(_, paths)| paths);
    let mut fields = BTreeMap::new();
    walk(body, "", "", submessages, &mut fields)?;
    Some(fields)
}

fn walk(b: &[u8], prefix: &str, plain: &str, subs: &[&str], out: &mut BTreeMap<String, Value>) -> Option<()> {
    let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
    let mut rest = b;
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        let (field, wire_type) = (key >> 3, key & 7);
        let index = seen.entry(field).or_default();
        let suffix = if *index == 0 { String::new() } else { format!("[{index}]") };
        *index += 1;
        let name = format!("{plain}{field}");
        let path = format!("{prefix}{field}{suffix}");
        let value = match wire_type {
            // Negative numbers travel as their two's complement.
            0 => Value::Int(i64::from_ne_bytes(varint(&mut rest)?.to_ne_bytes())),
            1 => {
                let (bytes, tail) = rest.split_first_chunk::<8>()?;
                rest = tail;
                Value::Real(f64::from_le_bytes(*bytes))
            }
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                let (bytes, tail) = rest.split_at_checked(length)?;
                rest = tail;
                if subs.contains(&name.as_str()) {
                    walk(bytes, &format!("{path}."), &format!("{name}."), subs, out)?;
                    continue;
                }
                Value::Text(String::from_utf8_lossy(bytes).into_owned())
            }
            _ => return None,
        };
        out.insert(path, value);
    }
    Some(())
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7F) << shift;
        if *byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// A path without the indices of repeated parts.
pub(super) fn plain(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut inside = false;
    for c in path.chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            _ if !inside => out.push(c),
            _ => {}
        }
    }
    out
}
