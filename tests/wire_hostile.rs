//! Peers that mean no good, at the gateway process: garbage, half handshakes, a thousand connections, a client that does
//! not read, bytes that drip. It stays up, bounded in threads and memory, and a normal client trades on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests: a broken expectation must stop them; a process is waited for"
)]

mod raw_client;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use raw_client::*;

fn gateway() -> Gateway {
    Gateway::start(&["--symbols=5", "--start=10:30", "--speed=20"])
}

/// Buys and sees the fill.
fn trades(c: &mut Raw, order_id: i64) {
    c.place(order_id, &market("BUY", 10 + u32::try_from(order_id).unwrap()));
    c.wait_new("the fill", |f| (f.id == EXECUTION && f.part(3)?.int(1) == Some(order_id)).then_some(()));
}

/// A connection that says these bytes and no more.
fn says(g: &Gateway, bytes: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(&g.address).unwrap();
    let _ = socket.write_all(bytes);
    socket
}

const HELLO: &[u8] = b"API\0\0\0\0\x09v213..226";
/// startApi of client 77.
const START: &[u8] = b"\0\0\0\x06\0\0\x01\x0F\x08\x4D";

#[test]
fn what_breaks_the_protocol_ends_its_own_connection_alone() {
    let mut g = gateway();
    let mut c = Raw::log_in(&g.address, 1);
    let after = |bytes: &[u8]| [HELLO, START, bytes].concat();
    let noise: Vec<u8> = (0..20_000_u32).map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let bad = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"API\0\xFF\xFF\xFF\xFF".to_vec(),
        b"API\0\0\0\0\x09v999..111".to_vec(),
        noise.clone(),
        after(&noise),
        after(b"\x7F\xFF\xFF\xFF"),
        after(b"\0\x01\0\x01\0"),
        after(b"\0\0\0\x02ab"),
        // placeOrder that is no protobuf, and one whose quantity is no number.
        after(b"\0\0\0\x07\0\0\0\xCB\xFF\xFF\xFF"),
        after(b"\0\0\0\x0B\0\0\0\xCB\x1A\x05\x32\x03ten"),
    ];
    for (order_id, bytes) in (1..).zip(&bad) {
        let mut socket = says(&g, bytes);
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut rest = Vec::new();
        // The end, or a reset: never a time-out.
        let ended = socket.read_to_end(&mut rest);
        assert!(ended.as_ref().err().is_none_or(|e| e.kind() == std::io::ErrorKind::ConnectionReset), "{bytes:?}");
        trades(&mut c, order_id);
    }
    // Closed in mid-frame, or reset: no request, no harm.
    says(&g, &after(b"\0\0\0\x40\0\0")).shutdown(Shutdown::Write).unwrap();
    trades(&mut c, 50);
    assert!(g.is_running());
    g.end();
}

#[test]
fn a_thousand_connections_are_bounded_and_keep_nobody_out() {
    let mut g = gateway();
    let mut c = Raw::log_in(&g.address, 1);
    trades(&mut c, 1);
    let (threads, kib) = (g.status("Threads"), g.status("VmRSS"));
    let kinds: [&[u8]; 4] = [b"", b"API\0\0\0", HELLO, b"\xDE\xAD\xBE\xEF"];
    let crowd: Vec<_> = (0..1_000).map(|i| says(&g, kinds[i % 4])).collect();
    trades(&mut c, 2);
    let most = g.status("Threads");
    // 32 connections and 16 on their way out, two threads each.
    assert!(most <= threads + 96, "{threads} threads, then {most}");
    // Those who say nothing make room for one who does.
    let mut new = Raw::log_in_again(&g.address, 2);
    trades(&mut new, 1);
    drop(crowd);
    trades(&mut c, 3);
    let grown = g.status("VmRSS").saturating_sub(kib);
    assert!(grown < 128 * 1024, "{grown} KiB more");
    assert!(g.is_running());
    g.end();
}

#[test]
fn a_client_that_stops_reading_is_disconnected_alone() {
    let mut g = gateway();
    let mut c = Raw::log_in(&g.address, 1);
    let kib = g.status("VmRSS");
    let mut stuck = Raw::log_in(&g.address, 2);
    stuck.socket.set_write_timeout(Some(PATIENCE)).unwrap();
    // Contract details of AAPL: a kilobyte each, more than buffers and queue hold together.
    let ask = b"\0\0\0\x16\0\0\0\xD1\x08\x01\x12\x0E\x12\x04AAPL\x1A\x03STK\x42\x01X";
    let many = ask.repeat(1_000);
    let mut sent = 0;
    while sent < 200 && stuck.socket.write_all(&many).is_ok() {
        sent += 1;
        if sent % 20 == 0 {
            trades(&mut c, sent);
        }
    }
    assert!((20..200).contains(&sent), "disconnected after {sent} thousand questions, which buffers alone hold");
    trades(&mut c, 900);
    let grown = g.status("VmRSS").saturating_sub(kib);
    assert!(grown < 256 * 1024, "{grown} KiB more");
    assert!(g.is_running());
    g.end();
}

#[test]
fn bytes_that_drip_keep_nobody_out() {
    let mut g = gateway();
    let mut c = Raw::log_in(&g.address, 1);
    let mut drips: Vec<TcpStream> = (0..40).map(|_| says(&g, b"A")).collect();
    // Two that have logged in and drip their next frame.
    let mut within: Vec<_> = (0..2).map(|i| says(&g, &[HELLO, &START[..9], &[0x50 + i]].concat())).collect();
    for (round, byte) in (1..).zip(b"PI\0\0\0\0\x09v2") {
        for socket in drips.iter_mut().chain(&mut within) {
            // Whoever was closed to make room can't be written to.
            let _ = socket.write_all(&[*byte]);
        }
        std::thread::sleep(Duration::from_millis(30));
        trades(&mut c, round);
    }
    let mut new = Raw::log_in_again(&g.address, 3);
    trades(&mut new, 1);
    assert!(g.is_running());
    g.end();
}
