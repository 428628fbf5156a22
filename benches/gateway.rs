//! The gateway's figures. `compute`: quotes to one client on one core, venue and encoding, no socket. `loopback`: the same
//! through the server to a client that reads. `symbols`: a thousand symbols, sampled, to ten clients. `day`: a whole day
//! of a hundred symbols in lockstep with orders flowing, with the live bytes at each hour.
//!
//! `cargo bench --bench gateway` prints them; `cargo bench --bench gateway -- --report FILE` also writes them as JSON;
//! a name runs that part alone. On a machine that does other work wall time says little: rates of one thread are also
//! given by its CPU time, which is what it would take on a core of its own.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and stops at a surprise")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of a bench")]
#![allow(clippy::disallowed_methods, reason = "a bench measures wall time")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use ibkr_trader::clock::{HOUR, MINUTE, SECOND, SessionTime};
use ibkr_trader::domain::Side;
use ibkr_trader::sim::api::{ConnId, Contract, Order, Outgoing, Request, Response};
use ibkr_trader::sim::market::{self, MarketOptions, MarketSource};
use ibkr_trader::sim::venue::{Venue, VenueConfig};
use ibkr_trader::sim::wire::codec::Codec;
use ibkr_trader::sim::wire::handshake::{Hello, ServerVersion, VERSION_MAX, VERSION_MIN, negotiate};
use ibkr_trader::sim::wire::{Server, ServerOptions};
use serde_json::{Value, json};

/// Live bytes of the whole process.
struct Live;

static LIVE: AtomicI64 = AtomicI64::new(0);

// SAFETY: every call goes to the system allocator unchanged; counting touches only an atomic.
unsafe impl GlobalAlloc for Live {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's contract is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's contract is passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        LIVE.fetch_add(new_size as i64 - layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's contract is passed on.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}

#[global_allocator]
static GLOBAL: Live = Live;

/// A part's name and what measures it.
type Part = (&'static str, fn() -> Value);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let report = arguments.iter().position(|a| a == "--report").map(|i| arguments[i + 1].clone());
    let named = |name: &str| arguments.iter().any(|a| a == name);
    let parts: [Part; 4] = [("compute", compute), ("loopback", loopback), ("symbols", symbols), ("day", day)];
    let all = !parts.iter().any(|(name, _)| named(name));
    let mut figures = serde_json::Map::new();
    for (name, part) in parts.into_iter().filter(|(name, _)| all || named(name)) {
        let value = part();
        println!("{name}: {}", serde_json::to_string_pretty(&value).unwrap());
        figures.insert(name.into(), value);
    }
    if let Some(path) = report {
        std::fs::write(path, serde_json::to_string_pretty(&figures).unwrap() + "\n").unwrap();
    }
}

/// A source whose events were all made beforehand: what is measured is the gateway, not its synthetic market.
struct Played {
    inner: Box<dyn MarketSource>,
    events: std::vec::IntoIter<market::RawEvent>,
    next: Option<market::RawEvent>,
}

impl Played {
    /// The first `minutes` of the synthetic market of `symbols` symbols.
    fn of(symbols: usize, minutes: i64) -> Self {
        let options = MarketOptions { symbols, ..MarketOptions::default() };
        let mut inner = market::open(None, &options).unwrap();
        let until = inner.start() + minutes * MINUTE;
        let events: Vec<_> = std::iter::from_fn(|| inner.next_until(until)).collect();
        let mut events = events.into_iter();
        let next = events.next();
        Self { inner, events, next }
    }

    fn left(&self) -> usize {
        self.events.len() + usize::from(self.next.is_some())
    }
}

impl MarketSource for Played {
    fn references(&self) -> &[market::Reference] {
        self.inner.references()
    }
    fn hours(&self) -> ibkr_trader::domain::calendar::RegularHours {
        self.inner.hours()
    }
    fn start(&self) -> SessionTime {
        self.inner.start()
    }
    fn history(&self, symbol: ibkr_trader::domain::SymbolId) -> &[market::Bar] {
        self.inner.history(symbol)
    }
    fn next_time(&mut self) -> Option<SessionTime> {
        self.next.map(|e| e.time)
    }
    fn next_until(&mut self, t: SessionTime) -> Option<market::RawEvent> {
        let event = self.next.filter(|e| e.time <= t)?;
        self.next = self.events.next();
        Some(event)
    }
}

fn newest() -> ServerVersion {
    negotiate(&Hello { min: VERSION_MIN, max: VERSION_MAX }, VERSION_MAX).unwrap()
}

fn contract(symbol: &str) -> Contract {
    Contract { symbol: symbol.into(), sec_type: "STK".into(), currency: "USD".into(), ..Contract::default() }
}

fn tickers(source: &dyn MarketSource) -> Vec<String> {
    source.references().iter().map(|r| r.symbol.clone()).collect()
}

fn watch(venue: &mut Venue, now: SessionTime, conn: ConnId, req_id: i32, symbol: &str, out: &mut Vec<Outgoing>) {
    let request = Request::ReqMktData {
        req_id,
        contract: contract(symbol),
        generic_ticks: String::new(),
        snapshot: false,
        regulatory: false,
    };
    venue.handle(now, conn, request, out);
}

/// Ticks that say a price or a size of the quote or the last print.
fn is_quote(r: &Response) -> bool {
    matches!(r, Response::TickPrice { tick_type: 1 | 2 | 4, .. } | Response::TickSize { tick_type: 0 | 3, .. })
}

/// A hundred symbols without sampling, all watched by one client.
fn unsampled(minutes: i64) -> (Venue, SessionTime, usize, Vec<Outgoing>) {
    let source = Played::of(100, minutes);
    let (start, events, names) = (source.start(), source.left(), tickers(&source));
    let config = VenueConfig { sample_period: 0, messages_per_s_max: 1_000, ..VenueConfig::default() };
    let (mut venue, mut out) = (Venue::new(config, Box::new(source), 1), Vec::new());
    venue.handle(start, ConnId(1), Request::StartApi { client_id: 1 }, &mut out);
    for (i, symbol) in names.iter().enumerate() {
        watch(&mut venue, start, ConnId(1), i as i32 + 1, symbol, &mut out);
    }
    (venue, start, events, out)
}

fn compute() -> Value {
    const MINUTES: i64 = 20;
    let (mut venue, start, events, mut out) = unsampled(MINUTES);
    out.clear();
    let mut codec = Codec::new(newest());
    let (mut bytes, mut messages, mut quotes, mut frame) = (0_u64, 0_u64, 0_u64, Vec::with_capacity(1 << 20));
    let (began, cpu) = (Instant::now(), thread_cpu_s());
    for second in 1..=MINUTES * 60 {
        venue.advance(start + second * SECOND, &mut out);
        for o in out.drain(..) {
            messages += 1;
            quotes += u64::from(is_quote(&o.response));
            codec.encode_response(o.response, &mut frame).unwrap();
        }
        bytes += frame.len() as u64;
        frame.clear();
    }
    let (took, cpu) = (began.elapsed().as_secs_f64(), thread_cpu_s() - cpu);
    json!({
        "what": "100 symbols, sampling off, one client, server version 226: venue and encoding on one thread",
        "raw_events": events, "messages": messages, "quote_messages": quotes, "bytes": bytes,
        "wall_s": round(took), "cpu_s": round(cpu),
        "quote_messages_per_wall_s": (quotes as f64 / took) as u64,
        "quote_messages_per_cpu_s": (quotes as f64 / cpu) as u64,
    })
}

/// A client's socket after the handshake and startApi, in the protobuf encoding.
fn client(server: &Server) -> TcpStream {
    let mut socket = TcpStream::connect(server.local_addr()).unwrap();
    socket.set_nodelay(true).unwrap();
    let versions = format!("v213..{VERSION_MAX}");
    socket.write_all(b"API\0").unwrap();
    socket.write_all(&(versions.len() as u32).to_be_bytes()).unwrap();
    socket.write_all(versions.as_bytes()).unwrap();
    let mut length = [0; 4];
    socket.read_exact(&mut length).unwrap();
    let mut hello = vec![0; u32::from_be_bytes(length) as usize];
    socket.read_exact(&mut hello).unwrap();
    // startApi, message 71 + 200, client id 1.
    let start: [u8; 6] = [0, 0, 1, 15, 8, 1];
    socket.write_all(&(start.len() as u32).to_be_bytes()).unwrap();
    socket.write_all(&start).unwrap();
    socket
}

/// Reads frames until the connection ends; how many there were.
fn count_frames(mut socket: TcpStream) -> u64 {
    let (mut buffer, mut held, mut frames) = (vec![0; 1 << 20], 0, 0);
    loop {
        let read = socket.read(&mut buffer[held..]).unwrap_or(0);
        if read == 0 {
            return frames;
        }
        held += read;
        let mut at = 0;
        while held - at >= 4 {
            let length = u32::from_be_bytes(buffer[at..at + 4].try_into().unwrap()) as usize + 4;
            if held - at < length {
                break;
            }
            at += length;
            frames += 1;
        }
        buffer.copy_within(at..held, 0);
        held -= at;
    }
}

fn loopback() -> Value {
    const MINUTES: i64 = 20;
    let (mut venue, start, _, mut out) = unsampled(MINUTES);
    let options = ServerOptions { outbox_bytes_max: 256 << 20, ..ServerOptions::new(move || start) };
    let mut server = Server::bind("127.0.0.1:0", options).unwrap();
    let socket = client(&server);
    let (conn, first) = server.incoming().recv_timeout(Duration::from_secs(5)).unwrap();
    assert!(matches!(first, Request::StartApi { .. }), "{first:?}");
    let reader = std::thread::spawn(move || count_frames(socket));
    let (mut messages, mut quotes) = (0_u64, 0_u64);
    out.clear();
    let cpu = cpu_s();
    let began = Instant::now();
    for step in 1..=MINUTES * 600 {
        venue.advance(start + step * SECOND / 10, &mut out);
        for mut o in out.drain(..) {
            messages += 1;
            quotes += u64::from(is_quote(&o.response));
            o.conn = conn;
            server.send(o);
        }
        server.flush();
    }
    let sent = began.elapsed().as_secs_f64();
    server.shutdown();
    let read = reader.join().unwrap();
    let (took, used) = (began.elapsed().as_secs_f64(), cpu_s() - cpu);
    assert_eq!(read, messages, "every message arrived");
    json!({
        "what": "the same over loopback: server with its writer thread, and a client that reads and counts every frame",
        "messages": messages, "quote_messages": quotes, "frames_read": read, "wall_s_to_send": round(sent),
        "wall_s_to_read": round(took), "quote_messages_per_wall_s": (quotes as f64 / took) as u64,
        "cpu_s_of_all_threads": round(used),
        "quote_messages_per_cpu_s_of_all_threads": (quotes as f64 / used) as u64,
    })
}

fn symbols() -> Value {
    const SYMBOLS: usize = 1_000;
    const CLIENTS: u32 = 4;
    const SECONDS: i64 = 120;
    let options = MarketOptions { symbols: SYMBOLS, ..MarketOptions::default() };
    let cpu = thread_cpu_s();
    let source = market::open(None, &options).unwrap();
    let made = thread_cpu_s() - cpu;
    let (start, names) = (source.start(), tickers(&*source));
    let lines = SYMBOLS * CLIENTS as usize;
    let config = VenueConfig { lines_max: lines, messages_per_s_max: 2 * lines, ..VenueConfig::default() };
    let (mut venue, mut out) = (Venue::new(config, source, 1), Vec::new());
    let options = ServerOptions { outbox_bytes_max: 256 << 20, ..ServerOptions::new(move || start) };
    let mut server = Server::bind("127.0.0.1:0", options).unwrap();
    let mut readers = Vec::new();
    for client_id in 1..=CLIENTS {
        let socket = client(&server);
        let (conn, _) = server.incoming().recv_timeout(Duration::from_secs(5)).unwrap();
        readers.push(std::thread::spawn(move || count_frames(socket)));
        venue.handle(start, conn, Request::StartApi { client_id: client_id as i32 }, &mut out);
        for (i, symbol) in names.iter().enumerate() {
            watch(&mut venue, start, conn, i as i32 + 1, symbol, &mut out);
        }
    }
    let subscribed = out.iter().filter(|o| matches!(o.response, Response::TickReqParams { .. })).count();
    assert_eq!(subscribed, lines, "every line was granted");
    let (cpu, own, mut messages) = (cpu_s(), thread_cpu_s(), 0_u64);
    for step in 0..SECONDS * 50 {
        // A real gateway's loop wakes about every 20 ms.
        venue.advance(start + step * SECOND / 50, &mut out);
        messages += out.len() as u64;
        out.drain(..).for_each(|o| server.send(o));
        server.flush();
    }
    let own = thread_cpu_s() - own;
    server.shutdown();
    let read: u64 = readers.into_iter().map(|r| r.join().unwrap()).sum();
    assert_eq!(read, messages, "every message arrived");
    let used = cpu_s() - cpu;
    json!({
        "what": "1,000 synthetic symbols, 250 ms samples, the day's first 2 minutes, to 4 reading clients of 1,000 lines",
        "lines": lines, "session_seconds": SECONDS, "messages": messages,
        "messages_per_session_s": messages / SECONDS as u64, "start_cpu_s": round(made),
        "gateway_thread_percent_of_a_core_at_speed_1": round(100.0 * own / SECONDS as f64),
        "all_threads_and_clients_percent_of_a_core_at_speed_1": round(100.0 * used / SECONDS as f64),
    })
}

/// One order a second, three to a symbol: a market order to buy, one to sell, and a limit order far from the market that
/// is cancelled a minute later.
struct Flow {
    names: Vec<String>,
    next_id: i32,
    resting: std::collections::VecDeque<(SessionTime, i32)>,
}

impl Flow {
    fn step(&mut self, venue: &mut Venue, now: SessionTime, out: &mut Vec<Outgoing>) {
        let (id, n) = (self.next_id, self.next_id as usize);
        self.next_id += 1;
        let symbol = &self.names[(n / 3) % self.names.len()];
        let (rests, buys) = (n % 3 == 2, n % 3 == 0);
        let order = Order {
            order_id: id,
            action: Some(if buys { Side::Buy } else { Side::Sell }),
            total_quantity: 10.0,
            order_type: if rests { "LMT" } else { "MKT" }.into(),
            limit_price: rests.then_some(9_000.0),
            tif: "DAY".into(),
            order_ref: format!("flow-{id}"),
            transmit: true,
            ..Order::default()
        };
        if rests {
            self.resting.push_back((now + MINUTE, id));
        }
        venue.handle(now, ConnId(1), Request::PlaceOrder { contract: contract(symbol), order }, out);
        while self.resting.front().is_some_and(|(t, _)| *t <= now) {
            if let Some((_, order_id)) = self.resting.pop_front() {
                venue.handle(now, ConnId(1), Request::CancelOrder { order_id }, out);
            }
        }
    }
}

/// A day of `source` in lockstep, encoded for one client that watches everything; live bytes at each hour.
fn play_day(source: Box<dyn MarketSource>, orders: bool) -> Value {
    let (start, close, names) = (source.start(), source.hours().close, tickers(&*source));
    let (mut venue, mut out) = (Venue::new(VenueConfig::default(), source, 1), Vec::new());
    venue.handle(start, ConnId(1), Request::StartApi { client_id: 1 }, &mut out);
    let mut codec = Codec::new(newest());
    let (mut frame, mut messages, mut bytes) = (Vec::with_capacity(1 << 20), 0_u64, 0_u64);
    let mut flow = Flow { names: names.clone(), next_id: 3, resting: std::collections::VecDeque::new() };
    let (began, cpu) = (Instant::now(), thread_cpu_s());
    let (mut now, mut hours) = (start, Vec::new());
    while now < close {
        if now - start < 4 * SECOND {
            // Within the messages a second.
            let quarter = ((now - start) / SECOND) as usize * 25;
            for (i, symbol) in names.iter().enumerate().skip(quarter).take(25) {
                watch(&mut venue, now, ConnId(1), i as i32 + 1, symbol, &mut out);
            }
        } else if orders {
            flow.step(&mut venue, now, &mut out);
        }
        if (now - start) % (30 * MINUTE) == 0 {
            let executions = venue.audit().executions;
            hours.push(json!({
                "hour": (now - start) as f64 / HOUR as f64, "live_kib": LIVE.load(Ordering::Relaxed) / 1_024,
                "rss_kib": rss_kib(), "orders": flow.next_id - 3, "executions": executions,
            }));
        }
        now = now + SECOND;
        venue.advance(now, &mut out);
        messages += out.len() as u64;
        for o in out.drain(..) {
            codec.encode_response(o.response, &mut frame).unwrap();
        }
        bytes += frame.len() as u64;
        frame.clear();
    }
    let audit = venue.audit();
    json!({
        "wall_s": round(began.elapsed().as_secs_f64()), "cpu_s": round(thread_cpu_s() - cpu), "symbols": names.len(), "messages": messages, "bytes": bytes,
        "orders": flow.next_id - 3, "executions": audit.executions, "books_agree": audit.books_agree,
        "by_time": hours,
    })
}

fn day() -> Value {
    let synthetic = || market::open(None, &MarketOptions { symbols: 100, ..MarketOptions::default() }).unwrap();
    let mut parts = serde_json::Map::new();
    parts.insert("synthetic_quotes_only".into(), play_day(synthetic(), false));
    parts.insert("synthetic_with_orders".into(), play_day(synthetic(), true));
    let folder = std::env::var_os("IBKR_TRADER_DATA").map_or_else(|| "../shared/data".into(), std::path::PathBuf::from);
    let bars = folder.join("bars_1m_ustech/2026-04-15.csv.gz");
    if bars.is_file() {
        let options = MarketOptions { symbols: 100, ..MarketOptions::default() };
        parts.insert("real_bars_with_orders".into(), play_day(market::open(Some(&bars), &options).unwrap(), true));
    } else {
        println!("left out: {} is not there", bars.display());
    }
    Value::Object(parts)
}

/// Resident memory of this process.
fn rss_kib() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).and_then(|p| p.parse::<u64>().ok()).unwrap() * 4
}

/// CPU seconds of this thread so far.
fn thread_cpu_s() -> f64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: clock_gettime fills the timespec that it is given.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut t) }, 0);
    t.tv_sec as f64 + t.tv_nsec as f64 / 1e9
}

/// CPU seconds of this process so far.
fn cpu_s() -> f64 {
    // SAFETY: rusage is plain data, and getrusage fills it for this process.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_SELF, &mut usage), 0);
        usage
    };
    let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

fn round(seconds: f64) -> f64 {
    (seconds * 1_000.0).round() / 1_000.0
}
