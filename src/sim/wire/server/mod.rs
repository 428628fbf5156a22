//! The TWS server's sockets and threads: one accept thread, and a reader and a writer thread a connection.
//! Requests of all clients arrive in one queue; answers are encoded by the caller of [`Server::send`] into the
//! connection's pending bytes, and handed to its writer at [`Server::flush`] or when a chunk is full. A broken
//! or stuck client loses its own connection and no other. Holds no logic of the venue.

mod accept;
mod link;
mod reader;
mod writer;

use super::codec::Codec;
use super::handshake::VERSION_MAX;
use crate::clock::SessionTime;
use crate::sim::api::{ConnId, Outgoing, Request, Response, WireFault};
use crossbeam::channel::{Receiver, bounded};
use link::{Chunk, Link, Shared};
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Connections at one time, those in the handshake included. One more is closed at once.
pub const CONNECTIONS_MAX: usize = 32;
/// Requests that wait for the venue. When full, readers wait, and clients with them.
pub const INCOMING_MAX: usize = 4_096;
/// Bytes that wait for one client's socket. A client beyond it has stopped reading and is disconnected.
pub const OUTBOX_BYTES_MAX: usize = 16 << 20;
/// Pending bytes of one client at which they are handed to its writer without waiting for a flush.
const CHUNK_BYTES: usize = 32 * 1024;

/// A server that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Another program has the port.
    #[error(
        "cannot listen on {addr}: the port is in use; stop the program that holds it, or listen on port 0 to get a free one"
    )]
    Busy {
        /// As asked.
        addr: String,
    },
    /// The address is unusable.
    #[error("cannot listen on {addr}: {source}; give HOST:PORT of this machine, such as 127.0.0.1:4002")]
    Bind {
        /// As asked.
        addr: String,
        /// What the system says.
        source: io::Error,
    },
    /// No thread could be started.
    #[error("cannot start the accept thread: {0}")]
    Thread(io::Error),
}

/// What a server may do.
#[derive(Clone)]
pub struct ServerOptions {
    /// The highest server version that is offered (157–226); lower ones simulate older gateways.
    pub max_version: i32,
    /// The time that the handshake tells.
    pub clock: Arc<dyn Fn() -> SessionTime + Send + Sync>,
    /// See [`CONNECTIONS_MAX`].
    pub connections_max: usize,
    /// See [`OUTBOX_BYTES_MAX`].
    pub outbox_bytes_max: usize,
}

impl ServerOptions {
    /// All limits at their defaults; `clock` gives the time that the handshake tells.
    pub fn new(clock: impl Fn() -> SessionTime + Send + Sync + 'static) -> Self {
        Self {
            max_version: VERSION_MAX,
            clock: Arc::new(clock),
            connections_max: CONNECTIONS_MAX,
            outbox_bytes_max: OUTBOX_BYTES_MAX,
        }
    }
}

/// A listening TWS server.
pub struct Server {
    local_addr: SocketAddr,
    incoming: Receiver<(ConnId, Request)>,
    shared: Arc<Shared>,
    outboxes: BTreeMap<ConnId, Outbox>,
    acceptor: Option<JoinHandle<()>>,
}

/// One connection as the sending side sees it.
struct Outbox {
    link: Arc<Link>,
    codec: Codec,
    pending: Vec<u8>,
}

impl Server {
    /// Listens on `addr` (`HOST:PORT`; port 0 takes a free one) and accepts clients from then on.
    pub fn bind(addr: &str, options: ServerOptions) -> Result<Self, WireError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => WireError::Busy { addr: addr.to_owned() },
            _ => WireError::Bind { addr: addr.to_owned(), source },
        };
        let listener = TcpListener::bind(addr).map_err(failed)?;
        let local_addr = listener.local_addr().map_err(failed)?;
        let (requests, incoming) = bounded(INCOMING_MAX);
        let shared = Arc::new(Shared::new(options, requests));
        let acceptor = accept::spawn(listener, Arc::clone(&shared)).map_err(WireError::Thread)?;
        Ok(Self { local_addr, incoming, shared, outboxes: BTreeMap::new(), acceptor: Some(acceptor) })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Requests of all clients, each client's in its order. A client is first seen by its first request
    /// (startApi, if it behaves), last by [`Request::Disconnected`], which comes once if any request came.
    pub fn incoming(&self) -> &Receiver<(ConnId, Request)> {
        &self.incoming
    }

    /// Queues an answer; what is sent to a connection that is gone is dropped. [`Response::Disconnect`] closes
    /// the connection after all that was sent before. Nothing is sure to be on its way before
    /// [`flush`](Self::flush).
    pub fn send(&mut self, outgoing: Outgoing) {
        let Outgoing { conn, response } = outgoing;
        if let Response::Wire(fault) = response {
            return self.misbehave(conn, fault);
        }
        let Some(outbox) = self.outbox(conn) else { return };
        if response == Response::Disconnect {
            outbox.hand_over();
            outbox.link.close_after_writes();
            self.outboxes.remove(&conn);
            return;
        }
        let before = outbox.pending.len();
        match outbox.codec.encode_response(response, &mut outbox.pending) {
            Ok(()) if outbox.pending.len() > before || outbox.codec.is_waiting() => {}
            Ok(()) => tracing::error!(conn = conn.0, "an answer was left out: it has no encoding"),
            Err(e) => tracing::error!(conn = conn.0, "an answer was left out: {e}"),
        }
        if outbox.pending.len() >= CHUNK_BYTES {
            outbox.hand_over();
        }
    }

    /// Does what a scenario asks of a connection's bytes, or of the door.
    fn misbehave(&mut self, conn: ConnId, fault: WireFault) {
        if let WireFault::Door(door) = fault {
            return self.shared.set_door(door);
        }
        let Some(outbox) = self.outbox(conn) else { return };
        match fault {
            WireFault::Bytes(bytes) => outbox.pending.extend_from_slice(&bytes),
            WireFault::Malformed => outbox.codec.append_malformed(&mut outbox.pending),
            WireFault::Unknown => outbox.codec.append_unknown(&mut outbox.pending),
            // A hundred bytes are announced and eight come.
            WireFault::Truncated => outbox.pending.extend_from_slice(b"\0\0\0\x64\0\0\0\xD1\x08\x01\x08\x01"),
            WireFault::Oversized => outbox.pending.extend_from_slice(b"\x7F\xFF\xFF\xFF\0\0\0\xD1"),
            // What was said before is said as before.
            WireFault::Slice { bytes, pause_ms } => {
                outbox.hand_over();
                outbox.link.misbehave(Chunk::Slice(bytes, Duration::from_millis(pause_ms)));
            }
            WireFault::Hang => {
                outbox.hand_over();
                outbox.link.misbehave(Chunk::Hang);
            }
            WireFault::Door(_) => {}
        }
    }

    /// Hands all pending answers to the writers. Never waits.
    pub fn flush(&mut self) {
        for outbox in self.outboxes.values_mut() {
            outbox.hand_over();
        }
        self.outboxes.retain(|_, outbox| outbox.link.is_open());
    }

    /// Sends what is pending, closes all connections and ends all threads. A client that does not read holds it
    /// up for two seconds at most. Also done on drop.
    pub fn shutdown(&mut self) {
        let Some(acceptor) = self.acceptor.take() else { return };
        self.flush();
        self.outboxes.clear();
        self.shared.stop();
        // Wakes the accept thread, which waits for a connection.
        let mut wake = self.local_addr;
        if wake.ip().is_unspecified() {
            wake.set_ip(match wake {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        drop(TcpStream::connect(wake));
        if acceptor.join().is_err() {
            tracing::error!("the gateway's accept thread had panicked");
        }
    }

    fn outbox(&mut self, conn: ConnId) -> Option<&mut Outbox> {
        use std::collections::btree_map::Entry;
        match self.outboxes.entry(conn) {
            Entry::Occupied(entry) => Some(entry.into_mut()),
            Entry::Vacant(entry) => {
                let link = self.shared.link(conn)?;
                let codec = Codec::new(link.version);
                Some(entry.insert(Outbox { link, codec, pending: Vec::new() }))
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl Outbox {
    /// Gives the pending bytes to the writer and takes an empty buffer, a used one if there is one.
    fn hand_over(&mut self) {
        if !self.pending.is_empty() {
            let empty = self.link.recycled();
            self.link.push(std::mem::replace(&mut self.pending, empty));
        }
    }
}
