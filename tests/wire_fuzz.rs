//! Fuzzing of the framing, the handshake and the decoders: random bytes and mutated frames of every message at every
//! encoding never panic, never allocate out of proportion, and never wait for more than a frame may hold. In the suite a
//! few cases of each; `PROPTEST_CASES=n` (`make fuzz`) runs a campaign, each run with new seeds.

#![allow(clippy::unwrap_used, reason = "tests: a broken expectation must stop them")]

mod wire_parts;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ibkr_trader::sim::wire::codec::{Codec, peer};
use ibkr_trader::sim::wire::framing::{FrameReader, REQUEST_BYTES_MAX};
use ibkr_trader::sim::wire::handshake::{Hello, ServerVersion, VERSION_MAX, VERSION_MIN, negotiate, take_hello};
use proptest::prelude::*;
use wire_parts::{answers, order, parts, requests};

/// The system's allocator; what a thread asks for is summed for that thread.
struct Summing;

thread_local! {
    static ASKED_BYTES: Cell<u64> = const { Cell::new(0) };
}

fn sum(bytes: usize) {
    // A thread that is being torn down no longer counts.
    let _ = ASKED_BYTES.try_with(|n| n.set(n.get() + bytes as u64));
}

// SAFETY: every call goes to the system allocator unchanged; summing touches only a thread-local cell.
unsafe impl GlobalAlloc for Summing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        sum(layout.size());
        // SAFETY: the caller's contract is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract is passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        sum(new_size.saturating_sub(layout.size()));
        // SAFETY: the caller's contract is passed on.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}

#[global_allocator]
static GLOBAL: Summing = Summing;

/// Few cases, or as many as `PROPTEST_CASES` says.
fn config() -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(24),
    }
}

fn at(version: i32) -> ServerVersion {
    negotiate(&Hello { min: version, max: version }, VERSION_MAX).unwrap()
}

/// One of the encodings' borders, or any version.
fn version() -> impl Strategy<Value = i32> {
    prop_oneof![Just(157), Just(178), Just(200), Just(201), Just(212), Just(213), Just(226), VERSION_MIN..=VERSION_MAX]
}

/// A way to spoil bytes.
#[derive(Clone, Debug)]
enum Spoil {
    Put(prop::sample::Index, u8),
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    /// A part of it again.
    Repeat(prop::sample::Index, usize, usize),
    /// A number that overflows what it is read into.
    Number(prop::sample::Index, &'static str),
}

fn spoil() -> impl Strategy<Value = Spoil> {
    let index = any::<prop::sample::Index>;
    let numbers = prop::sample::select(vec![
        "\0-1\0",
        "\x002147483648\0",
        "\x009223372036854775808\0",
        "\x001.7976931348623157E308\0",
        "\0NaN\0",
        "\0Infinity\0",
        "\x00999999999\0",
        "\0\0\0\0",
    ]);
    prop_oneof![
        (index(), any::<u8>()).prop_map(|(i, b)| Spoil::Put(i, b)),
        (index(), 0..8_u8).prop_map(|(i, bit)| Spoil::Flip(i, 1 << bit)),
        index().prop_map(Spoil::Cut),
        (index(), prop::collection::vec(any::<u8>(), 1..12)).prop_map(|(i, b)| Spoil::Insert(i, b)),
        (index(), 1..12_usize).prop_map(|(i, n)| Spoil::Remove(i, n)),
        (index(), 1..40_usize, 1..20_usize).prop_map(|(i, n, times)| Spoil::Repeat(i, n, times)),
        (index(), numbers).prop_map(|(i, n)| Spoil::Number(i, n)),
    ]
}

fn spoiled(mut bytes: Vec<u8>, spoils: &[Spoil]) -> Vec<u8> {
    for s in spoils {
        if bytes.is_empty() {
            break;
        }
        let n = bytes.len();
        match s {
            Spoil::Put(i, b) => bytes[i.index(n)] = *b,
            Spoil::Flip(i, mask) => bytes[i.index(n)] ^= mask,
            Spoil::Cut(i) => bytes.truncate(i.index(n)),
            Spoil::Insert(i, more) => drop(bytes.splice(i.index(n)..i.index(n), more.iter().copied())),
            Spoil::Remove(i, k) => drop(bytes.drain(i.index(n)..(i.index(n) + k).min(n))),
            Spoil::Repeat(i, k, times) => {
                let part = bytes[i.index(n)..(i.index(n) + k).min(n)].repeat(*times);
                drop(bytes.splice(i.index(n)..i.index(n), part));
            }
            Spoil::Number(i, text) => drop(bytes.splice(i.index(n)..i.index(n), text.bytes())),
        }
    }
    bytes
}

/// What decoding `length` bytes may allocate: vectors and texts of what was read, and an error's words.
fn allowance(length: usize) -> u64 {
    8_192 + 256 * length as u64
}

/// Runs `decode`, and says so where it allocated out of proportion to `length`.
fn bounded(length: usize, decode: impl FnOnce()) -> Result<(), TestCaseError> {
    let before = ASKED_BYTES.with(Cell::get);
    decode();
    let asked = ASKED_BYTES.with(Cell::get) - before;
    prop_assert!(asked <= allowance(length), "{asked} bytes allocated for {length} bytes of input");
    Ok(())
}

/// A request's body at a version, or an answer's, from both sides.
fn read_both(version: i32, body: &[u8]) -> Result<(), TestCaseError> {
    let codec = Codec::new(at(version));
    bounded(body.len(), || drop(codec.decode_body(body)))?;
    bounded(body.len(), || drop(peer::decode_responses_at(at(version), body)))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn random_bodies(version in version(), body in prop::collection::vec(any::<u8>(), 0..600), id in 0..400_u32) {
        read_both(version, &body)?;
        // With a message id that is known, in each form that ids have.
        read_both(version, &[&id.to_be_bytes()[..], &body].concat())?;
        read_both(version, &[format!("{id}\0").as_bytes(), &body].concat())?;
    }

    #[test]
    fn random_fields(version in version(), id in 0..110_i32, fields in prop::collection::vec("[0-9]{0,12}|[ -~]{0,9}", 0..160)) {
        let text = fields.join("\0");
        read_both(version, format!("{id}\0{text}\0").as_bytes())?;
        read_both(version, &[&id.to_be_bytes()[..], text.as_bytes()].concat())?;
    }

    #[test]
    fn mutated_requests(
        p in parts(), order in order(), version in version(), spoils in prop::collection::vec(spoil(), 1..5),
    ) {
        for request in requests(p, order) {
            let mut frame = Vec::new();
            peer::encode_request_at(at(version), request, &mut frame).unwrap();
            // Within the frame, and the frame's head too.
            read_both(version, &spoiled(frame.split_off(4.min(frame.len())), &spoils))?;
        }
    }

    #[test]
    fn mutated_answers(p in parts(), version in version(), spoils in prop::collection::vec(spoil(), 1..5)) {
        let mut codec = Codec::new(at(version));
        for answer in answers(p) {
            let mut frame = Vec::new();
            codec.encode_response(answer, &mut frame).unwrap();
            // Some are held back at some versions, and come with the next.
            read_both(version, &spoiled(frame.split_off(4.min(frame.len())), &spoils))?;
        }
    }

    #[test]
    fn mutated_streams(
        p in parts(), order in order(), version in version(), spoils in prop::collection::vec(spoil(), 0..8),
        cuts in prop::collection::vec(1..700_usize, 1..30),
    ) {
        let mut bytes = Vec::new();
        for request in requests(p, order) {
            peer::encode_request_at(at(version), request, &mut bytes).unwrap();
        }
        let bytes = spoiled(bytes, &spoils);
        let (codec, mut reader) = (Codec::new(at(version)), FrameReader::default());
        let mut rest = &bytes[..];
        'stream: for cut in cuts.iter().cycle() {
            let (mut now, later) = rest.split_at((*cut).min(rest.len()));
            rest = later;
            if now.is_empty() {
                break;
            }
            while !now.is_empty() {
                reader.fill(&mut now).unwrap();
            }
            loop {
                match reader.next_body(REQUEST_BYTES_MAX) {
                    Ok(Some(body)) => drop(codec.decode_body(body)),
                    Ok(None) => break,
                    Err(_) => break 'stream,
                }
            }
            prop_assert!(reader.pending().len() < REQUEST_BYTES_MAX + 4);
        }
    }

    #[test]
    fn mutated_openings(spoils in prop::collection::vec(spoil(), 0..4), cut in 1..40_usize, options in "[ -~]{0,30}") {
        let text = format!("v100..226 {options}");
        let mut opening = b"API\0".to_vec();
        opening.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
        opening.extend(text.bytes());
        let opening = spoiled(opening, &spoils);
        let mut reader = FrameReader::default();
        for part in opening.chunks(cut) {
            reader.fill(&mut &part[..]).unwrap();
            match take_hello(&mut reader) {
                Ok(Some(hello)) => {
                    let _ = negotiate(&hello, VERSION_MAX);
                    break;
                }
                Ok(None) => {}
                Err(_) => break,
            }
        }
    }
}

/// Found by the campaign: seconds beyond the range of session time.
#[test]
fn a_time_beyond_all_times_is_read() {
    read_both(157, b"49\x001\x009223372036854775807\0").unwrap();
    // A bar of no day.
    read_both(157, b"17\x003\x001\0\0\x001\x0099999999\x001\x001\x001\x001\x001\x001\x001\0").unwrap();
    read_both(226, b"\0\0\0\xF9\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F").unwrap();
}

#[test]
fn what_is_allocated_is_seen() {
    let before = ASKED_BYTES.with(Cell::get);
    drop(vec![0_u8; 10_000]);
    assert!(ASKED_BYTES.with(Cell::get) - before >= 10_000);
    assert!(bounded(1, || drop(vec![0_u8; 10_000])).is_err());
}

#[test]
fn a_frame_of_the_longest_kind_is_read_within_bounds() {
    for version in [157, 200, 206, 226] {
        for byte in [0, b'1', 0x08, 0x0A, 0x12, 0xFF] {
            let body = [&b"\0\0\0\xCB"[..], &vec![byte; REQUEST_BYTES_MAX - 4]].concat();
            read_both(version, &body).unwrap();
            let body = [&b"3\0"[..], &vec![byte; REQUEST_BYTES_MAX - 2]].concat();
            read_both(version, &body).unwrap();
        }
    }
}
