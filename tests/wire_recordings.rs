//! Conversations recorded with real gateways, decoded and encoded again: each protobuf field of each recorded
//! frame must come back, but for the fields listed here as not modelled. Client frames are read by the
//! gateway's side and written by the client's, server frames the other way round. The recordings are not part of
//! the project: without them the test says so and passes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests: a broken expectation must stop them"
)]

use base64::Engine as _;
use ibkr_trader::sim::api::Request;
use ibkr_trader::sim::wire::codec::{Codec, DecodeError, peer};
use ibkr_trader::sim::wire::framing::{Frame, FrameReader, split_id};
use ibkr_trader::sim::wire::handshake::{Hello, negotiate};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// `client` or `server`, and the message id.
type Kind = (&'static str, i32);

/// Fields that hold a message, by the message that holds them: the others are compared as bytes.
const SUBMESSAGES: &[(Kind, &[&str])] = &[
    (("client", 1), &["2"]),
    (("client", 3), &["2", "3", "3.105", "4"]),
    (("client", 4), &["2"]),
    (("client", 7), &["2"]),
    (("client", 9), &["2"]),
    (("client", 20), &["2"]),
    (("client", 58), &["1"]),
    (("server", 5), &["2", "3", "4"]),
    (("server", 7), &["1"]),
    (("server", 10), &["2", "3"]),
    (("server", 11), &["2", "3"]),
    (("server", 17), &["2"]),
    (("server", 61), &["2"]),
    (("server", 71), &["3"]),
    (("server", 93), &["2"]),
    (("server", 101), &["1", "2", "3"]),
];

/// Recorded fields that the simulated gateway does not carry: combo legs and their routing. Each must occur in the
/// recordings.
const NOT_MODELLED: &[(Kind, &[&str])] = &[(("server", 101), &["1.19", "1.20", "2.64"])];

fn recordings() -> Option<Vec<PathBuf>> {
    let data = std::env::var_os("IBKR_TRADER_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    // Transcripts hold decoded fields; a frame among them counts like any other.
    let mut files = Vec::new();
    for folder in ["ref/gateway_captures", "ref/gateway_transcripts"] {
        files.extend(std::fs::read_dir(data.join(folder)).ok()?.flatten().map(|e| e.path()));
    }
    files.retain(|f| f.extension().is_some_and(|e| e == "txt"));
    files.sort();
    Some(files)
}

/// One recorded frame without its length, and the server version of its conversation.
struct Recorded {
    file: String,
    version: i32,
    side: &'static str,
    body: Vec<u8>,
}

fn frames(files: &[PathBuf]) -> Vec<Recorded> {
    let mut out = Vec::new();
    for file in files {
        let mut version = 0;
        for line in std::fs::read_to_string(file).unwrap().lines() {
            if let Some(json) = line.strip_prefix("handshake ") {
                let value: serde_json::Value = serde_json::from_str(json).unwrap();
                version = i32::try_from(value["server_version"].as_i64().unwrap()).unwrap();
            }
            let Some(rest) = line.strip_prefix("raw ") else { continue };
            let (side, text) = rest.split_once(' ').unwrap();
            let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim()).unwrap();
            let mut reader = FrameReader::default();
            reader.fill(&mut &bytes[..]).unwrap();
            let body = reader.next_body(1 << 24).unwrap().expect("a whole frame").to_vec();
            assert!(reader.pending().is_empty(), "one frame a line");
            let side = if side == "client" { "client" } else { "server" };
            let file = file.file_name().unwrap().to_string_lossy().into_owned();
            out.push(Recorded { file, version, side, body });
        }
    }
    out
}

fn varint(b: &[u8], i: &mut usize) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = b[*i];
        *i += 1;
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return value;
        }
    }
    panic!("a varint is at most ten bytes long")
}

/// All fields of a protobuf message as path → values in order; a path is `3.9`, of repeated messages `2[1].5`.
fn fields(kind: Kind, b: &[u8]) -> BTreeMap<String, Vec<String>> {
    let submessages = SUBMESSAGES.iter().find(|(k, _)| *k == kind).map_or(&[][..], |(_, paths)| paths);
    let mut out = BTreeMap::new();
    walk(b, "", "", submessages, &mut out);
    out
}

fn walk(b: &[u8], prefix: &str, plain: &str, submessages: &[&str], out: &mut BTreeMap<String, Vec<String>>) {
    let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
    let mut i = 0;
    while i < b.len() {
        let key = varint(b, &mut i);
        let (field, wire_type) = (key >> 3, key & 7);
        let index = seen.entry(field).or_default();
        let suffix = if *index == 0 { String::new() } else { format!("[{index}]") };
        *index += 1;
        let name = format!("{plain}{field}");
        let path = format!("{prefix}{field}{suffix}");
        let value = match wire_type {
            0 => format!("varint {}", varint(b, &mut i)),
            1 => {
                i += 8;
                format!("fixed64 {}", f64::from_le_bytes(b[i - 8..i].try_into().unwrap()))
            }
            2 => {
                let length = usize::try_from(varint(b, &mut i)).unwrap();
                i += length;
                let bytes = &b[i - length..i];
                if submessages.contains(&name.as_str()) {
                    walk(bytes, &format!("{path}."), &format!("{name}."), submessages, out);
                    "message".to_owned()
                } else {
                    format!("bytes {:?}", String::from_utf8_lossy(bytes))
                }
            }
            other => panic!("wire type {other} at {path}"),
        };
        out.entry(path).or_default().push(value);
    }
}

/// The frame decoded by one side and written by the other, as the body without length.
fn again(side: &str, frame: Frame<'_>) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::new();
    let mut codec = Codec::new(negotiate(&Hello { min: 213, max: 226 }, 225).unwrap());
    if side == "client" {
        peer::encode_request(codec.decode_request(frame)?, &mut out).unwrap();
    } else {
        codec.encode_response(peer::decode_response(frame)?, &mut out).unwrap();
    }
    Ok(out.split_off(4))
}

#[test]
fn every_recorded_frame_comes_back() {
    let Some(files) = recordings() else {
        println!("skipped: no recorded conversations at ../shared/data/ref/gateway_captures");
        return;
    };
    let all = frames(&files);
    let mut compared = 0;
    let mut text = 0;
    let mut lost: BTreeMap<(Kind, String), usize> = BTreeMap::new();
    let mut kinds = BTreeSet::new();
    for recorded in &all {
        // Below 201 frames have no binary message id; 201–212 are protobuf in part.
        let frame = split_id(&recorded.body).unwrap();
        if recorded.version < 201 || frame.id <= 200 {
            assert!(recorded.version < 213, "{}: text at version {}", recorded.file, recorded.version);
            text_again(recorded);
            text += 1;
            continue;
        }
        let kind = (recorded.side, frame.id - 200);
        let body = again(recorded.side, frame).unwrap_or_else(|e| panic!("{}: {e}", recorded.file));
        let ours = split_id(&body).unwrap();
        assert_eq!(ours.id, frame.id, "{}", recorded.file);
        compare(&recorded.file, kind, &fields(kind, frame.body), &fields(kind, ours.body), &mut lost);
        kinds.insert(kind);
        compared += 1;
    }
    for (kind, paths) in NOT_MODELLED {
        for path in *paths {
            assert!(lost.contains_key(&(*kind, (*path).to_owned())), "{kind:?} {path} is listed and never recorded");
        }
    }
    let fields_lost: usize = lost.values().sum();
    println!(
        "{compared} recorded frames of {} kinds came back, {fields_lost} values of {} fields are not modelled; {text} text \
         frames of versions below 213 came back byte for byte",
        kinds.len(),
        lost.len(),
    );
    assert!(compared > 1_000, "only {compared} of {} frames were compared", all.len());
}

/// Text comes back byte for byte.
fn text_again(recorded: &Recorded) {
    let version = negotiate(&Hello { min: recorded.version, max: recorded.version }, 226).unwrap();
    let mut out = Vec::new();
    if recorded.side == "client" {
        let request = Codec::new(version).decode_body(&recorded.body).unwrap();
        assert!(!matches!(request, Request::Unserved { .. }), "{}: {request:?}", recorded.file);
        peer::encode_request_at(version, request, &mut out).unwrap();
    } else {
        for response in peer::decode_responses_at(version, &recorded.body).unwrap() {
            Codec::new(version).encode_response(response, &mut out).unwrap();
        }
    }
    assert_eq!(&out[4..], recorded.body, "{} at {}", recorded.file, recorded.version);
}

fn compare(
    file: &str,
    kind: Kind,
    recorded: &BTreeMap<String, Vec<String>>,
    ours: &BTreeMap<String, Vec<String>>,
    lost: &mut BTreeMap<(Kind, String), usize>,
) {
    let not_modelled = NOT_MODELLED.iter().find(|(k, _)| *k == kind).map_or(&[][..], |(_, paths)| paths);
    let paths: BTreeSet<&String> = recorded.keys().chain(ours.keys()).collect();
    for path in paths {
        if recorded.get(path) == ours.get(path) {
            continue;
        }
        let plain = path.split('[').next().unwrap();
        if not_modelled.contains(&plain) {
            *lost.entry((kind, plain.to_owned())).or_default() += 1;
            continue;
        }
        panic!("{file}: {kind:?} field {path}: recorded {:?}, ours {:?}", recorded.get(path), ours.get(path));
    }
}
