//! What the threads of a server share: the table of connections, and per connection the queue to its writer,
//! the count of bytes in it and the socket, which any thread may close.

use super::ServerOptions;
use crate::sim::api::{ConnId, Door, Request};
use crate::sim::wire::handshake::ServerVersion;
use crossbeam::channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, TrySendError, bounded};
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

/// Connections that have not said startApi yet. One more ends the oldest of them, so that those who never say it can't
/// keep others out.
const OPENING_MAX: usize = 16;
/// Chunks that wait for one writer, whatever their size. A client beyond it is disconnected.
const CHUNKS_MAX: usize = 65_536;
/// Used buffers that are kept for a connection.
const RECYCLED_MAX: usize = 16;
/// A used buffer larger than this is freed, in bytes.
const RECYCLED_BYTES_MAX: usize = 1 << 20;
/// How long the server's end waits for the last bytes to be written.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(2);
/// Step of waits that watch a flag.
const WAIT_STEP: Duration = Duration::from_millis(20);

const OPEN: u8 = 0;
/// What was sent before is written, then the connection ends; requests are no longer read.
const CLOSING: u8 = 1;
/// The writer has ended: the peer has been told that nothing more comes.
const WRITTEN: u8 = 2;
const CLOSED: u8 = 3;

/// What all threads of one server share.
pub(super) struct Shared {
    pub(super) options: ServerOptions,
    /// Connections at this time, those in the handshake included.
    pub(super) connections: AtomicUsize,
    links: Mutex<BTreeMap<ConnId, Arc<Link>>>,
    requests: Sender<(ConnId, Request)>,
    stopping: AtomicBool,
    /// Writers that have not ended.
    writers: AtomicUsize,
    /// Connections before startApi, oldest first.
    opening: Mutex<VecDeque<(ConnId, TcpStream)>>,
    /// How new connections fare: a scenario's doing.
    door: Mutex<Door>,
}

impl Shared {
    pub(super) fn new(options: ServerOptions, requests: Sender<(ConnId, Request)>) -> Self {
        Self {
            options,
            connections: AtomicUsize::new(0),
            links: Mutex::default(),
            requests,
            stopping: AtomicBool::new(false),
            writers: AtomicUsize::new(0),
            opening: Mutex::default(),
            door: Mutex::new(Door::Open),
        }
    }

    pub(super) fn door(&self) -> Door {
        *self.door.lock()
    }

    pub(super) fn set_door(&self, door: Door) {
        *self.door.lock() = door;
    }

    /// A connection begins to open.
    pub(super) fn opens(&self, conn: ConnId, socket: TcpStream) {
        self.opening.lock().push_back((conn, socket));
    }

    /// Makes room for one more connection where those that have not opened take it; false where there is no room.
    pub(super) fn make_room(&self) -> bool {
        let max = self.options.connections_max;
        let taken = self.connections.load(Ordering::Acquire);
        let mut opening = self.opening.lock();
        if taken < max && opening.len() < OPENING_MAX {
            return true;
        }
        // What was closed may take a moment to go.
        if taken >= max + OPENING_MAX {
            return false;
        }
        let Some((oldest, socket)) = opening.pop_front() else { return false };
        tracing::warn!(conn = oldest.0, "closed: others wait, and it does not say startApi");
        // An error means that the peer was faster.
        drop(socket.shutdown(Shutdown::Both));
        true
    }

    /// A connection has said startApi, or is gone.
    pub(super) fn opened(&self, conn: ConnId) {
        self.opening.lock().retain(|(c, _)| *c != conn);
    }

    pub(super) fn link(&self, conn: ConnId) -> Option<Arc<Link>> {
        self.links.lock().get(&conn).filter(|link| link.is_open()).cloned()
    }

    pub(super) fn add(&self, link: Arc<Link>) {
        self.links.lock().insert(link.id, link);
    }

    pub(super) fn remove(&self, conn: ConnId) {
        self.links.lock().remove(&conn);
    }

    /// Ends what a reader left behind that did not end as it should.
    pub(super) fn abandon(&self, conn: ConnId) {
        self.opened(conn);
        let link = self.links.lock().remove(&conn);
        if let Some(link) = link {
            link.kill();
            self.forward(conn, Request::Disconnected);
        }
    }

    /// Before a writer's thread starts.
    pub(super) fn writer_starts(&self) {
        self.writers.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn writer_ended(&self) {
        self.writers.fetch_sub(1, Ordering::AcqRel);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Hands a request to the venue, waiting while its queue is full; `false` = the server ends.
    pub(super) fn forward(&self, conn: ConnId, request: Request) -> bool {
        let mut item = (conn, request);
        while !self.is_stopping() {
            match self.requests.send_timeout(item, WAIT_STEP) {
                Ok(()) => return true,
                Err(SendTimeoutError::Timeout(back)) => item = back,
                Err(SendTimeoutError::Disconnected(_)) => return false,
            }
        }
        false
    }

    /// Ends every connection: writers get [`SHUTDOWN_WAIT`] for what is queued, then the sockets are closed.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        let links: Vec<Arc<Link>> = self.links.lock().values().cloned().collect();
        for link in &links {
            link.close_after_writes();
        }
        // Nothing is ever sent here: the channel only measures the time.
        let (_silent, tick) = bounded::<()>(0);
        let mut left = SHUTDOWN_WAIT.as_millis() / WAIT_STEP.as_millis();
        while left > 0 && self.writers.load(Ordering::Acquire) > 0 {
            if tick.recv_timeout(WAIT_STEP) == Err(RecvTimeoutError::Timeout) {
                left -= 1;
            }
        }
        for link in links {
            link.kill();
        }
    }
}

/// A piece of work for a writer.
pub(super) enum Chunk {
    /// Whole frames.
    Bytes(Vec<u8>),
    /// From here on at most so many bytes in one write (0 = as many as there are), and a pause after it.
    Slice(usize, Duration),
    /// From here on nothing is read or written.
    Hang,
    /// End the connection.
    Close,
}

/// One connection that has passed the handshake.
pub(super) struct Link {
    pub(super) id: ConnId,
    pub(super) version: ServerVersion,
    socket: TcpStream,
    chunks: Sender<Chunk>,
    recycled: Receiver<Vec<u8>>,
    queued_bytes: AtomicUsize,
    queued_bytes_max: usize,
    state: AtomicU8,
    /// Neither read nor written any more: a scenario's doing.
    hung: AtomicBool,
}

/// The writer's ends of a link's queues.
pub(super) struct WriterEnds {
    pub(super) chunks: Receiver<Chunk>,
    recycled: Sender<Vec<u8>>,
}

impl WriterEnds {
    /// Keeps a written buffer for reuse, or frees it.
    pub(super) fn recycle(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= RECYCLED_BYTES_MAX {
            buffer.clear();
            // A full queue frees it.
            drop(self.recycled.try_send(buffer));
        }
    }
}

impl Link {
    pub(super) fn new(
        id: ConnId,
        version: ServerVersion,
        socket: TcpStream,
        queued_bytes_max: usize,
    ) -> (Arc<Self>, WriterEnds) {
        let (chunks, chunks_out) = bounded(CHUNKS_MAX);
        let (recycled_in, recycled) = bounded(RECYCLED_MAX);
        let link = Self {
            id,
            version,
            socket,
            chunks,
            recycled,
            queued_bytes: AtomicUsize::new(0),
            queued_bytes_max,
            state: AtomicU8::new(OPEN),
            hung: AtomicBool::new(false),
        };
        (Arc::new(link), WriterEnds { chunks: chunks_out, recycled: recycled_in })
    }

    pub(super) fn is_open(&self) -> bool {
        self.state.load(Ordering::Acquire) == OPEN
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.load(Ordering::Acquire) == CLOSED
    }

    /// Queues a misdeed behind what was pushed before.
    pub(super) fn misbehave(&self, chunk: Chunk) {
        // A full queue means that the client has stopped reading: it is about to be disconnected.
        drop(self.chunks.try_send(chunk));
    }

    /// The connection hangs until it ends.
    pub(super) fn hang(&self) {
        self.hung.store(true, Ordering::Release);
        self.wait_while_hung();
    }

    /// Waits as long as the connection hangs and lives.
    pub(super) fn wait_while_hung(&self) {
        while self.hung.load(Ordering::Acquire) && self.is_open() {
            std::thread::park_timeout(WAIT_STEP);
        }
    }

    /// Nothing more can be written.
    pub(super) fn is_written(&self) -> bool {
        self.state.load(Ordering::Acquire) >= WRITTEN
    }

    /// The writer has written all and told the peer so.
    pub(super) fn writer_done(&self) {
        // Fails where the link was killed, which stays.
        let _ = self.state.compare_exchange(CLOSING, WRITTEN, Ordering::AcqRel, Ordering::Acquire);
    }

    /// An empty buffer, a used one if there is one.
    pub(super) fn recycled(&self) -> Vec<u8> {
        self.recycled.try_recv().unwrap_or_default()
    }

    /// Queues whole frames. A client with too much in the queue has stopped reading and is disconnected.
    pub(super) fn push(&self, bytes: Vec<u8>) {
        if !self.is_open() || self.hung.load(Ordering::Acquire) {
            return;
        }
        let length = bytes.len();
        let queued = self.queued_bytes.fetch_add(length, Ordering::AcqRel) + length;
        let full = queued > self.queued_bytes_max
            || matches!(self.chunks.try_send(Chunk::Bytes(bytes)), Err(TrySendError::Full(_)));
        if full {
            tracing::warn!(conn = self.id.0, queued, "disconnected: the client has stopped reading");
            self.kill();
        }
    }

    /// `length` bytes were written.
    pub(super) fn written(&self, length: usize) {
        self.queued_bytes.fetch_sub(length, Ordering::AcqRel);
    }

    /// Writes what is queued, then ends the connection.
    pub(super) fn close_after_writes(&self) {
        let closing = self.state.compare_exchange(OPEN, CLOSING, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if closing && self.chunks.try_send(Chunk::Close).is_err() {
            self.kill();
        }
    }

    /// Ends the connection now. Both threads notice: their socket calls fail, and a waiting writer is woken.
    pub(super) fn kill(&self) {
        self.state.store(CLOSED, Ordering::Release);
        // An error means that the peer was faster.
        drop(self.socket.shutdown(Shutdown::Both));
        // A full queue means that the writer is not waiting.
        drop(self.chunks.try_send(Chunk::Close));
    }
}
