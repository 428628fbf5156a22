//! The server's sockets and threads: what breaks or stalls one client leaves the others alone, limits hold, and
//! nothing that was sent before an end is lost.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: a broken expectation must stop them")]

use ibkr_trader::clock::SessionTime;
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::sim::api::{ConnId, Door, Outgoing, Request, Response, WireFault};
use ibkr_trader::sim::wire::codec::peer;
use ibkr_trader::sim::wire::framing::{FrameError, FrameReader, RESPONSE_BYTES_MAX, split_id};
use ibkr_trader::sim::wire::handshake::{Hello, negotiate};
use ibkr_trader::sim::wire::{Server, ServerOptions, WireError};
use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(10);

fn session_start() -> SessionTime {
    Date::of(2026, 4, 15).at(9, 25)
}

fn bind(options: ServerOptions) -> Server {
    Server::bind("127.0.0.1:0", options).unwrap()
}

fn options() -> ServerOptions {
    ServerOptions::new(session_start)
}

/// A hand-made client.
struct Peer {
    socket: TcpStream,
    reader: FrameReader,
}

impl Peer {
    fn open(server: &Server) -> Self {
        let socket = TcpStream::connect(server.local_addr()).unwrap();
        socket.set_read_timeout(Some(WAIT)).unwrap();
        Self { socket, reader: FrameReader::default() }
    }

    /// Connected, handshake done.
    fn connect(server: &Server) -> Self {
        let mut peer = Self::open(server);
        peer.socket.write_all(b"API\0\0\0\0\x09v213..226").unwrap();
        assert_eq!(peer.body().unwrap(), b"226\x0020260415 09:25:00 US/Eastern\0");
        peer
    }

    /// Connected and known to the venue.
    fn start(server: &Server, client_id: i32) -> (Self, ConnId) {
        let mut peer = Self::connect(server);
        peer.ask(Request::StartApi { client_id });
        let (conn, request) = server.incoming().recv_timeout(WAIT).unwrap();
        assert_eq!(request, Request::StartApi { client_id });
        (peer, conn)
    }

    fn ask(&mut self, request: Request) {
        let mut out = Vec::new();
        peer::encode_request(request, &mut out).unwrap();
        self.socket.write_all(&out).unwrap();
    }

    /// The next body; `None` when the server has closed.
    fn body(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(body) = self.reader.next_body(RESPONSE_BYTES_MAX).unwrap() {
                return Some(body.to_vec());
            }
            match self.reader.fill(&mut self.socket) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(e) => panic!("the server neither sent nor closed: {e}"),
            }
        }
    }

    fn response(&mut self) -> Option<Response> {
        self.body().map(|body| peer::decode_response(split_id(&body).unwrap()).unwrap())
    }

    fn is_closed(&mut self) -> bool {
        self.body().is_none()
    }
}

fn time() -> Response {
    Response::CurrentTime { time: session_start() }
}

/// The bystander still gets its answers.
fn assert_alive(server: &mut Server, peer: &mut Peer, conn: ConnId) {
    peer.ask(Request::ReqCurrentTime);
    loop {
        let (from, request) = server.incoming().recv_timeout(WAIT).unwrap();
        if from == conn {
            assert_eq!(request, Request::ReqCurrentTime);
            break;
        }
        assert_eq!(request, Request::Disconnected, "only the others' end may come between");
    }
    server.send(Outgoing { conn, response: time() });
    server.flush();
    assert_eq!(peer.response(), Some(time()));
}

#[test]
fn garbage_ends_its_own_connection_only() {
    let mut server = bind(options());
    let (mut bystander, conn) = Peer::start(&server, 1);
    // Before the handshake.
    for opening in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"API\0\xFF\xFF\xFF\xFF", b"API\0\0\0\0\x05hello"] {
        let mut peer = Peer::open(&server);
        peer.socket.write_all(opening).unwrap();
        assert!(peer.is_closed(), "{opening:?}");
        assert_alive(&mut server, &mut bystander, conn);
    }
    // After it: a huge length, a frame without id, broken protobuf.
    for bytes in [&b"\x7F\xFF\xFF\xFFx"[..], b"\0\0\0\x02ab", b"\0\0\0\x06\0\0\0\xCB\xFF\xFF"] {
        let (mut peer, broken) = Peer::start(&server, 2);
        peer.socket.write_all(bytes).unwrap();
        assert!(peer.is_closed(), "{bytes:?}");
        assert_eq!(server.incoming().recv_timeout(WAIT).unwrap(), (broken, Request::Disconnected));
        assert_alive(&mut server, &mut bystander, conn);
    }
}

#[test]
fn a_frame_cut_by_the_end_is_no_request() {
    let server = bind(options());
    let (mut peer, conn) = Peer::start(&server, 1);
    peer.socket.write_all(b"\0\0\0\x08\0\0").unwrap();
    peer.socket.shutdown(Shutdown::Write).unwrap();
    assert_eq!(server.incoming().recv_timeout(WAIT).unwrap(), (conn, Request::Disconnected));
}

#[test]
fn too_old_and_too_new_clients_are_closed() {
    let server = bind(ServerOptions { max_version: 220, ..options() });
    for opening in [&b"API\0\0\0\0\x09v100..156"[..], b"API\0\0\0\0\x09v221..226"] {
        let mut peer = Peer::open(&server);
        peer.socket.write_all(opening).unwrap();
        assert!(peer.is_closed());
    }
    let mut peer = Peer::open(&server);
    peer.socket.write_all(b"API\0\0\0\0\x09v213..226").unwrap();
    assert!(peer.body().unwrap().starts_with(b"220\0"));
    assert!(server.incoming().is_empty());
}

#[test]
fn a_connection_over_the_limit_is_refused_until_one_ends() {
    let server = bind(ServerOptions { connections_max: 2, ..options() });
    let (first, conn) = Peer::start(&server, 1);
    let _second = Peer::start(&server, 2);
    assert!(Peer::open(&server).is_closed());
    drop(first);
    assert_eq!(server.incoming().recv_timeout(WAIT).unwrap(), (conn, Request::Disconnected));
    // The place is free once the connection's threads have ended, a moment later.
    let next = (0..1_000).find_map(|_| {
        let mut peer = Peer::open(&server);
        peer.socket.write_all(b"API\0\0\0\0\x09v213..226").ok()?;
        std::thread::park_timeout(Duration::from_millis(5));
        peer.body()
    });
    assert!(next.is_some());
}

#[test]
fn a_client_that_does_not_read_is_disconnected_and_others_live() {
    let mut server = bind(ServerOptions { outbox_bytes_max: 1 << 20, ..options() });
    let (mut bystander, conn) = Peer::start(&server, 1);
    let (_stuck, stuck) = Peer::start(&server, 2);
    let text = "x".repeat(10_000);
    // More than socket buffers and outbox take together.
    for _ in 0..10_000 {
        server.send(Outgoing { conn: stuck, response: Response::ManagedAccounts { accounts: text.clone() } });
        server.flush();
        if !server.incoming().is_empty() {
            break;
        }
    }
    assert_eq!(server.incoming().recv_timeout(WAIT).unwrap(), (stuck, Request::Disconnected));
    assert_alive(&mut server, &mut bystander, conn);
}

#[test]
fn what_was_sent_before_a_disconnect_arrives() {
    let mut server = bind(options());
    let (mut peer, conn) = Peer::start(&server, 1);
    let n = 20_000;
    for order_id in 0..n {
        server.send(Outgoing { conn, response: Response::NextValidId { order_id } });
    }
    server.send(Outgoing { conn, response: Response::Disconnect });
    server.send(Outgoing { conn, response: time() });
    // Unread requests of the client must not turn the end into a reset.
    peer.ask(Request::ReqCurrentTime);
    for order_id in 0..n {
        assert_eq!(peer.response(), Some(Response::NextValidId { order_id }));
    }
    assert_eq!(peer.response(), None);
    let last = server.incoming().iter().find(|(_, r)| *r != Request::ReqCurrentTime).unwrap();
    assert_eq!(last, (conn, Request::Disconnected));
}

#[test]
fn shutdown_sends_what_is_pending_and_frees_the_port() {
    let mut server = bind(options());
    let address = server.local_addr();
    let (mut peer, conn) = Peer::start(&server, 1);
    let mut silent = Peer::connect(&server);
    server.send(Outgoing { conn, response: time() });
    server.shutdown();
    assert_eq!(peer.response(), Some(time()));
    assert!(peer.is_closed() && silent.is_closed());
    drop(server);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn answers_to_connections_that_are_gone_are_dropped() {
    let mut server = bind(options());
    let (peer, conn) = Peer::start(&server, 1);
    drop(peer);
    assert_eq!(server.incoming().recv_timeout(WAIT).unwrap(), (conn, Request::Disconnected));
    server.send(Outgoing { conn, response: time() });
    server.send(Outgoing { conn: ConnId(999), response: time() });
    server.flush();
    let (mut next, conn) = Peer::start(&server, 1);
    assert_alive(&mut server, &mut next, conn);
}

#[test]
fn requests_of_a_client_keep_their_order() {
    let server = bind(options());
    let (mut peer, conn) = Peer::start(&server, 1);
    let mut bytes = Vec::new();
    for order_id in 0..10_000 {
        peer::encode_request(Request::CancelOrder { order_id }, &mut bytes).unwrap();
    }
    // In one write, cut anywhere by the kernel.
    peer.socket.write_all(&bytes).unwrap();
    for order_id in 0..10_000 {
        assert_eq!(server.incoming().recv_timeout(WAIT).unwrap(), (conn, Request::CancelOrder { order_id }));
    }
}

#[test]
fn a_busy_port_and_a_broken_address_are_one_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let Err(busy) = Server::bind(&address, options()) else { panic!("the port is taken") };
    assert!(matches!(busy, WireError::Busy { .. }));
    assert_eq!(
        busy.to_string(),
        format!(
            "cannot listen on {address}: the port is in use; stop the program that holds it, or listen on port 0 to get a free one"
        )
    );
    let Err(broken) = Server::bind("nonsense", options()) else { panic!("no address") };
    assert!(broken.to_string().contains("give HOST:PORT"), "{broken}");
}

#[test]
fn misdeeds_are_whole_frames_of_no_meaning_at_every_encoding_and_keep_their_place() {
    let mut server = bind(options());
    for max in [157, 178, 200, 201, 212, 213, 226] {
        let version = negotiate(&Hello { min: 157, max }, 226).unwrap();
        let mut peer = Peer::open(&server);
        peer.socket.write_all(format!("API\0\0\0\0\tv157..{max}").as_bytes()).unwrap();
        assert!(peer.body().unwrap().starts_with(max.to_string().as_bytes()));
        let mut start = Vec::new();
        peer::encode_request_at(version, Request::StartApi { client_id: 1 }, &mut start).unwrap();
        peer.socket.write_all(&start).unwrap();
        let (conn, _) = server.incoming().recv_timeout(WAIT).unwrap();
        for response in [
            Response::NextValidId { order_id: 7 },
            Response::Wire(WireFault::Malformed),
            Response::Wire(WireFault::Unknown),
            Response::Wire(WireFault::Slice { bytes: 1, pause_ms: 0 }),
            Response::NextValidId { order_id: 8 },
            Response::Wire(WireFault::Bytes(b"\0\0\0\x03abc".to_vec())),
            Response::Wire(WireFault::Oversized),
            Response::NextValidId { order_id: 9 },
        ] {
            server.send(Outgoing { conn, response });
        }
        server.flush();
        let mut read = || peer::decode_responses_at(version, &peer.body().unwrap());
        assert_eq!(read(), Ok(vec![Response::NextValidId { order_id: 7 }]), "{max}");
        assert!(read().is_err() && read().is_err(), "{max}: neither means anything");
        assert_eq!(read(), Ok(vec![Response::NextValidId { order_id: 8 }]), "{max}");
        assert_eq!(peer.body().unwrap(), b"abc");
        let too_long = loop {
            match peer.reader.next_body(RESPONSE_BYTES_MAX) {
                Err(e) => break e,
                Ok(None) => drop(peer.reader.fill(&mut peer.socket).unwrap()),
                Ok(Some(body)) => panic!("a frame of {} bytes", body.len()),
            }
        };
        assert_eq!(too_long, FrameError::TooLong { length: 0x7FFF_FFFF, limit: RESPONSE_BYTES_MAX }, "{max}");
        drop(peer);
        assert_eq!(server.incoming().recv_timeout(WAIT).unwrap(), (conn, Request::Disconnected));
    }
}

#[test]
fn a_hanging_connection_neither_reads_nor_writes_and_ends_with_the_server() {
    let mut server = bind(options());
    let (mut peer, conn) = Peer::start(&server, 1);
    let (mut bystander, other) = Peer::start(&server, 2);
    server.send(Outgoing { conn, response: time() });
    server.send(Outgoing { conn, response: Response::Wire(WireFault::Hang) });
    server.send(Outgoing { conn, response: Response::NextValidId { order_id: 1 } });
    server.flush();
    assert_eq!(peer.response(), Some(time()), "what was said before is said");
    assert_alive(&mut server, &mut bystander, other);
    // A read that was under way may still take one question; the next ones stay where they are.
    for _ in 0..3 {
        peer.ask(Request::ReqCurrentTime);
        std::thread::park_timeout(Duration::from_millis(300));
    }
    assert!(server.incoming().try_iter().count() <= 1);
    server.shutdown();
    assert!(peer.is_closed() && bystander.is_closed(), "nothing more was said");
}

#[test]
fn doors() {
    let mut server = bind(options());
    let door = |server: &mut Server, door| {
        server.send(Outgoing { conn: ConnId::SERVER, response: Response::Wire(WireFault::Door(door)) });
    };
    door(&mut server, Door::Closed);
    assert!(Peer::open(&server).is_closed());
    door(&mut server, Door::Garbage);
    let mut peer = Peer::open(&server);
    peer.socket.write_all(b"API\0\0\0\0\x09v213..226").unwrap();
    assert_eq!(peer.body().as_deref(), Some(&b"hello world!"[..]));
    assert!(peer.is_closed());
    door(&mut server, Door::Silent);
    let mut patient = Peer::open(&server);
    patient.socket.write_all(b"API\0\0\0\0\x09v213..226").unwrap();
    patient.socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!(patient.reader.fill(&mut patient.socket).is_err(), "no answer");
    door(&mut server, Door::Open);
    patient.socket.set_read_timeout(Some(WAIT)).unwrap();
    assert!(patient.body().unwrap().starts_with(b"226\0"), "late, but answered");
}
