//! A TWS client written by hand, bytes and all, that shares nothing with the gateway's encodings; and the gateway as a
//! process. Server version 226: a frame is length, id + 200, protobuf.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "shared by test programs that each use a part; a process is waited for"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for something that must come.
pub const PATIENCE: Duration = Duration::from_secs(20);
pub const ACCOUNT: &str = "DU9000001";

// Requests, without the offset.
pub const MARKET_DATA: u32 = 1;
pub const PLACE_ORDER: u32 = 3;
pub const CANCEL_ORDER: u32 = 4;
pub const OPEN_ORDERS: u32 = 5;
pub const EXECUTIONS: u32 = 7;
pub const IDS: u32 = 8;
pub const AUTO_OPEN_ORDERS: u32 = 15;
pub const ALL_OPEN_ORDERS: u32 = 16;
pub const CURRENT_TIME: u32 = 49;
pub const POSITIONS: u32 = 61;
pub const START_API: u32 = 71;
// Answers.
pub const TICK_PRICE: u32 = 1;
pub const ORDER_STATUS: u32 = 3;
pub const ERROR: u32 = 4;
pub const OPEN_ORDER: u32 = 5;
pub const NEXT_VALID_ID: u32 = 9;
pub const EXECUTION: u32 = 11;
pub const MANAGED_ACCOUNTS: u32 = 15;
pub const TIME: u32 = 49;
pub const OPEN_ORDER_END: u32 = 53;
pub const EXECUTIONS_END: u32 = 55;
pub const POSITION: u32 = 61;
pub const POSITION_END: u32 = 62;

/// The gateway as a process, killed with its test.
pub struct Gateway {
    child: Child,
    pub address: String,
}

impl Gateway {
    pub fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ibkr-trader"))
            .args(["gateway", "--listen", "127.0.0.1:0", "--account", ACCOUNT])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").expect("it says where it listens").to_string();
        Self { child, address }
    }

    /// With a shipped scenario, five symbols, `speed` session seconds a second, in mid-morning.
    pub fn with_scenario(name: &str, speed: &str) -> Self {
        let file = scenario(name);
        Self::start(&["--symbols=5", "--start=10:30", "--speed", speed, "--scenario", file.to_str().unwrap()])
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// A number of its `/proc/…/status`, such as `Threads` or `VmRSS` (KiB).
    pub fn status(&self, key: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(':')).unwrap().to_string();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Ends it by SIGTERM, as a person would.
    pub fn end(mut self) {
        // SAFETY: kill with a child's own pid and a valid signal touches no memory.
        let rc = unsafe { libc::kill(self.child.id().try_into().unwrap(), libc::SIGTERM) };
        assert_eq!(rc, 0);
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A shipped scenario's file.
pub fn scenario(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("faults").join(format!("{name}.toml"))
}

/// What a client reads next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    Frame(Frame),
    /// A length that no frame has.
    BadLength(u32),
    Closed,
    /// Closed within a frame.
    Cut,
    /// Nothing for the time that was given.
    Silence,
}

/// One frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Without the offset.
    pub id: u32,
    pub body: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Int(u64),
    Double(f64),
    Bytes(Vec<u8>),
}

impl Frame {
    /// Its fields; `None` where it is no protobuf.
    pub fn fields(&self) -> Option<Vec<(u64, Value)>> {
        fields(&self.body)
    }

    pub fn int(&self, field: u64) -> Option<i64> {
        self.fields()?.into_iter().find_map(|(f, v)| match v {
            Value::Int(n) if f == field => Some(n as i64),
            _ => None,
        })
    }

    pub fn text(&self, field: u64) -> Option<String> {
        self.fields()?.into_iter().find_map(|(f, v)| match v {
            Value::Bytes(b) if f == field => String::from_utf8(b).ok(),
            _ => None,
        })
    }

    /// An embedded message as a frame of its own.
    pub fn part(&self, field: u64) -> Option<Self> {
        self.fields()?.into_iter().find_map(|(f, v)| match v {
            Value::Bytes(body) if f == field => Some(Self { id: self.id, body }),
            _ => None,
        })
    }

    /// An error's code.
    pub fn code(&self) -> Option<i64> {
        (self.id == ERROR).then(|| self.int(3)).flatten()
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut n = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        n |= u64::from(first & 0x7F) << shift;
        if first & 0x80 == 0 {
            return Some(n);
        }
    }
    None
}

fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, Value)>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let value = match key & 7 {
            0 => Value::Int(varint(&mut bytes)?),
            1 => {
                let (head, rest) = bytes.split_first_chunk::<8>()?;
                bytes = rest;
                Value::Double(f64::from_le_bytes(*head))
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (head, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                Value::Bytes(head.to_vec())
            }
            _ => return None,
        };
        found.push((key >> 3, value));
    }
    Some(found)
}

/// A protobuf body under construction.
#[derive(Clone, Debug, Default)]
pub struct Body(pub Vec<u8>);

impl Body {
    fn varint(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push((n & 0x7F) as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
    }

    pub fn int(mut self, field: u64, n: i64) -> Self {
        self.varint(field << 3);
        self.varint(n as u64);
        self
    }

    pub fn double(mut self, field: u64, x: f64) -> Self {
        self.varint(field << 3 | 1);
        self.0.extend(x.to_le_bytes());
        self
    }

    pub fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    pub fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }
}

/// An order in AAPL.
#[derive(Clone, Debug)]
pub struct Ticket {
    pub side: &'static str,
    pub qty: u32,
    /// `None` = market.
    pub limit: Option<f64>,
    pub order_ref: &'static str,
}

pub const fn buy(qty: u32, limit: f64) -> Ticket {
    Ticket { side: "BUY", qty, limit: Some(limit), order_ref: "" }
}

pub const fn market(side: &'static str, qty: u32) -> Ticket {
    Ticket { side, qty, limit: None, order_ref: "" }
}

fn aapl() -> Body {
    Body::default().text(2, "AAPL").text(3, "STK").text(8, "SMART").text(10, "USD")
}

pub struct Raw {
    pub socket: TcpStream,
    buffer: Vec<u8>,
    /// Every frame so far.
    pub seen: Vec<Frame>,
}

impl Raw {
    /// Connected, nothing said.
    pub fn open(address: &str) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_nodelay(true).unwrap();
        Self { socket, buffer: Vec::new(), seen: Vec::new() }
    }

    /// Connected; what answers the handshake, `None` where nothing does for so long, or the gateway closes.
    pub fn greet(address: &str, wait: Duration) -> (Self, Option<Vec<u8>>) {
        let mut raw = Self::open(address);
        // A door that closes at once may be faster.
        let _ = raw.socket.write_all(b"API\0\0\0\0\x09v213..226");
        let answer = raw.body(wait);
        (raw, answer.ok())
    }

    /// Connected and greeted by a gateway.
    pub fn connect(address: &str) -> Self {
        let (raw, answer) = Self::greet(address, PATIENCE);
        assert!(answer.expect("an answer to the handshake").starts_with(b"226\0"));
        raw
    }

    /// Logged in.
    pub fn log_in(address: &str, client: i64) -> Self {
        let mut raw = Self::connect(address);
        raw.start(client);
        raw.wait("the next id", |f| (f.id == NEXT_VALID_ID).then_some(()));
        raw
    }

    /// Logs in as soon as the gateway lets it.
    pub fn log_in_again(address: &str, client: i64) -> Self {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let Ok(socket) = TcpStream::connect(address) else {
                std::thread::sleep(Duration::from_millis(20));
                continue;
            };
            let mut raw = Self { socket, buffer: Vec::new(), seen: Vec::new() };
            let _ = raw.socket.write_all(b"API\0\0\0\0\x09v213..226");
            if raw.body(Duration::from_millis(500)).is_ok_and(|a| a.starts_with(b"226\0")) {
                raw.start(client);
                let limit = Instant::now() + Duration::from_millis(500);
                while Instant::now() < limit {
                    match raw.next(Duration::from_millis(100)) {
                        Next::Frame(f) if f.id == NEXT_VALID_ID => return raw,
                        Next::Frame(_) | Next::Silence => {}
                        _ => break,
                    }
                }
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("client {client} never got in again");
    }

    pub fn start(&mut self, client: i64) {
        self.send(START_API, Body::default().int(1, client));
    }

    pub fn send(&mut self, id: u32, body: Body) {
        let mut bytes = (4 + body.0.len() as u32).to_be_bytes().to_vec();
        bytes.extend((id + 200).to_be_bytes());
        bytes.extend(body.0);
        // A connection that just ended is found by reading.
        let _ = self.socket.write_all(&bytes);
    }

    pub fn place(&mut self, order_id: i64, t: &Ticket) {
        let kind = if t.limit.is_some() { "LMT" } else { "MKT" };
        let mut order = Body::default().int(2, order_id).text(5, t.side).text(6, &t.qty.to_string()).text(8, kind);
        if let Some(limit) = t.limit {
            order = order.double(9, limit);
        }
        order = order.text(11, "DAY").text(12, ACCOUNT);
        if !t.order_ref.is_empty() {
            order = order.text(28, t.order_ref);
        }
        // transmit.
        let order = order.int(66, 1);
        self.send(PLACE_ORDER, Body::default().int(1, order_id).bytes(2, &aapl().0).bytes(3, &order.0));
    }

    pub fn cancel(&mut self, order_id: i64) {
        self.send(CANCEL_ORDER, Body::default().int(1, order_id).bytes(2, &[]));
    }

    pub fn watch_aapl(&mut self, req_id: i64) {
        self.send(MARKET_DATA, Body::default().int(1, req_id).bytes(2, &aapl().0));
    }

    /// The next body without its length.
    fn body(&mut self, wait: Duration) -> Result<Vec<u8>, Next> {
        let limit = Instant::now() + wait;
        loop {
            if let Some((head, rest)) = self.buffer.split_first_chunk::<4>() {
                let length = u32::from_be_bytes(*head);
                if length > 0xFF_FFFF {
                    return Err(Next::BadLength(length));
                }
                if rest.len() >= length as usize {
                    let body = rest[..length as usize].to_vec();
                    self.buffer.drain(..4 + length as usize);
                    return Ok(body);
                }
            }
            let left = limit.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Next::Silence);
            }
            self.socket.set_read_timeout(Some(left)).unwrap();
            let mut bytes = [0; 4_096];
            match self.socket.read(&mut bytes) {
                Ok(0) => return Err(if self.buffer.is_empty() { Next::Closed } else { Next::Cut }),
                Ok(n) => self.buffer.extend_from_slice(&bytes[..n]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => return Err(Next::Closed),
            }
        }
    }

    pub fn next(&mut self, wait: Duration) -> Next {
        let body = match self.body(wait) {
            Ok(body) => body,
            Err(end) => return end,
        };
        let Some((id, content)) = body.split_first_chunk::<4>() else { return Next::BadLength(body.len() as u32) };
        let id = u32::from_be_bytes(*id);
        let frame = Frame { id: id.wrapping_sub(200), body: content.to_vec() };
        self.seen.push(frame.clone());
        Next::Frame(frame)
    }

    /// Waits for the first frame that `pick` wants, those read before included.
    pub fn wait<R>(&mut self, what: &str, pick: impl Fn(&Frame) -> Option<R>) -> R {
        if let Some(found) = self.seen.iter().find_map(&pick) {
            return found;
        }
        self.wait_new(what, pick)
    }

    /// Waits for a frame that has not been read yet.
    pub fn wait_new<R>(&mut self, what: &str, pick: impl Fn(&Frame) -> Option<R>) -> R {
        let limit = Instant::now() + PATIENCE;
        while Instant::now() < limit {
            match self.next(PATIENCE) {
                Next::Frame(frame) => {
                    if let Some(found) = pick(&frame) {
                        return found;
                    }
                }
                end => panic!("{what} never came, but {end:?}"),
            }
        }
        panic!("{what} never came among {} frames", self.seen.len());
    }

    pub fn wait_code(&mut self, code: i64) {
        self.wait(&format!("error {code}"), |f| (f.code() == Some(code)).then_some(()));
    }

    /// Reads on until something other than a frame; silence is a quarter of a second of nothing.
    pub fn until_no_frame(&mut self) -> Next {
        let limit = Instant::now() + PATIENCE;
        while Instant::now() < limit {
            match self.next(Duration::from_millis(250)) {
                Next::Frame(_) => {}
                end => return end,
            }
        }
        panic!("frames never stopped coming");
    }

    /// Reads on until the connection ends.
    pub fn until_closed(&mut self) {
        let limit = Instant::now() + PATIENCE;
        while Instant::now() < limit {
            match self.next(Duration::from_millis(250)) {
                Next::Frame(_) | Next::Silence => {}
                Next::Closed => return,
                other => panic!("{other:?} instead of the end"),
            }
        }
        panic!("the connection never ended");
    }

    /// Asks something that has an end; the frames of kind `row` that came before it.
    pub fn list(&mut self, request: u32, row: u32, end: u32) -> Vec<Frame> {
        let from = self.seen.len();
        let body = if request == EXECUTIONS { Body::default().int(1, 900).bytes(2, &[]) } else { Body::default() };
        self.send(request, body);
        self.wait_new("the end of a list", |f| (f.id == end).then_some(()));
        self.seen[from..].iter().filter(|f| f.id == row).cloned().collect()
    }

    /// Executions as (order id, shares).
    pub fn executions(&mut self) -> Vec<(i64, String)> {
        let rows = self.list(EXECUTIONS, EXECUTION, EXECUTIONS_END);
        rows.iter().filter_map(|f| f.part(3)).map(|e| (e.int(1).unwrap_or(0), e.text(7).unwrap_or_default())).collect()
    }

    /// All open orders as (order id, quantity).
    pub fn open_orders(&mut self) -> Vec<(i64, String)> {
        let rows = self.list(ALL_OPEN_ORDERS, OPEN_ORDER, OPEN_ORDER_END);
        // An order may be told more than once, by the list and by what happens meanwhile: its last word counts.
        let quantity = |f: &Frame| f.part(3).and_then(|o| o.text(6)).unwrap_or_default();
        let orders: BTreeMap<i64, String> = rows.iter().map(|f| (f.int(1).unwrap_or(0), quantity(f))).collect();
        orders.into_iter().collect()
    }
}
