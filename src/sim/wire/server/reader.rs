//! A connection's reader thread: the handshake, then frames to requests to the venue's queue, until the peer
//! closes, breaks the protocol or is cut off. It also starts the writer and waits for it.

use super::link::{Link, Shared};
use super::writer;
use crate::sim::api::{ConnId, Door, Request};
use crate::sim::wire::codec::{Codec, DecodeError};
use crate::sim::wire::framing::{FrameError, FrameReader, REQUEST_BYTES_MAX};
use crate::sim::wire::handshake::{HandshakeError, ServerVersion, negotiate, reply, take_hello};
use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// How often a silent connection looks whether it is to end.
const READ_STEP: Duration = Duration::from_millis(250);
/// Reads, timed out or not, in which a client must say its version, and then startApi: ten seconds each at most.
const HANDSHAKE_READS_MAX: usize = 40;
/// Reads that a closing connection still drains, so that the peer sees the end of what was sent, not a reset.
const DRAIN_READS_MAX: usize = 256;
/// How long a write may wait for a client that does not read.
const WRITE_WAIT: Duration = Duration::from_secs(30);

/// Why a connection ends from this side.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    #[error("refused: {0}")]
    Handshake(#[from] HandshakeError),
    #[error("the client closed or fell silent before its opening was complete")]
    NoHandshake,
    #[error("cut off: {0}")]
    Frame(#[from] FrameError),
    #[error("cut off: {0}")]
    Message(#[from] DecodeError),
}

/// Serves one connection to its end.
pub(super) fn run(conn: ConnId, mut socket: TcpStream, shared: &Arc<Shared>) {
    let mut frames = FrameReader::default();
    match open(conn, &mut socket, &mut frames, shared) {
        Ok((link, writer)) => {
            let mut announced = false;
            if let Err(e) = forward(&mut socket, &mut frames, &link, shared, &mut announced) {
                tracing::warn!(conn = conn.0, "{e}");
            }
            link.kill();
            shared.remove(conn);
            if announced {
                shared.forward(conn, Request::Disconnected);
            }
            if writer.join().is_err() {
                tracing::error!(conn = conn.0, "the connection's writer thread had panicked");
            }
        }
        Err(Ended::NoHandshake) => tracing::debug!(conn = conn.0, "{}", Ended::NoHandshake),
        Err(e) => tracing::warn!(conn = conn.0, "{e}"),
    }
    shared.opened(conn);
}

/// The handshake; then the connection is in the table and its writer runs.
fn open(
    conn: ConnId,
    socket: &mut TcpStream,
    frames: &mut FrameReader,
    shared: &Arc<Shared>,
) -> Result<(Arc<Link>, std::thread::JoinHandle<()>), Ended> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(READ_STEP))?;
    socket.set_write_timeout(Some(WRITE_WAIT))?;
    let version = shake_hands(socket, frames, shared)?;
    let (link, ends) = Link::new(conn, version, socket.try_clone()?, shared.options.outbox_bytes_max);
    let writer = writer::spawn(socket.try_clone()?, ends, Arc::clone(&link), Arc::clone(shared))?;
    shared.add(Arc::clone(&link));
    if shared.is_stopping() {
        // The server's end may have looked through the table just before.
        link.kill();
    }
    Ok((link, writer))
}

fn shake_hands(socket: &mut TcpStream, frames: &mut FrameReader, shared: &Shared) -> Result<ServerVersion, Ended> {
    let mut hello = None;
    for _ in 0..HANDSHAKE_READS_MAX {
        match frames.fill(socket) {
            Ok(0) => break,
            Err(e) if is_timeout(&e) && !shared.is_stopping() => {}
            Err(e) => return Err(e.into()),
            Ok(_) => hello = take_hello(frames)?,
        }
        if hello.is_some() {
            break;
        }
    }
    let hello = hello.ok_or(Ended::NoHandshake)?;
    let version = negotiate(&hello, shared.options.max_version)?;
    wait_at_door(socket, shared)?;
    socket.write_all(&reply(version, (shared.options.clock)()))?;
    Ok(version)
}

/// A scenario may have the opening answered late, never, or with what is no version.
fn wait_at_door(socket: &mut TcpStream, shared: &Shared) -> Result<(), Ended> {
    for _ in 0..HANDSHAKE_READS_MAX {
        match shared.door() {
            Door::Open | Door::Closed => return Ok(()),
            Door::Silent if shared.is_stopping() => break,
            Door::Silent => std::thread::park_timeout(READ_STEP),
            Door::Garbage => {
                socket.write_all(b"\0\0\0\x0chello world!")?;
                break;
            }
        }
    }
    Err(Ended::NoHandshake)
}

/// Frames to the venue until the peer closes or the connection is to end.
fn forward(
    socket: &mut TcpStream,
    frames: &mut FrameReader,
    link: &Link,
    shared: &Shared,
    announced: &mut bool,
) -> Result<(), Ended> {
    let codec = Codec::new(link.version);
    let (mut drained, mut opening_reads) = (0, Some(0));
    while drained < DRAIN_READS_MAX {
        while let Some(body) = frames.next_body(REQUEST_BYTES_MAX)? {
            let request = codec.decode_body(body)?;
            if !link.is_open() {
                continue;
            }
            *announced = true;
            if matches!(request, Request::StartApi { .. }) {
                opening_reads = None;
                shared.opened(link.id);
            }
            if !shared.forward(link.id, request) {
                return Ok(());
            }
        }
        link.wait_while_hung();
        if let Some(reads) = &mut opening_reads {
            *reads += 1;
            if *reads > HANDSHAKE_READS_MAX {
                return Err(Ended::NoHandshake);
            }
        }
        match frames.fill(socket) {
            Ok(0) => return Ok(()),
            Ok(_) => drained += usize::from(!link.is_open()),
            Err(e) if is_timeout(&e) && !link.is_written() => {}
            // The other side of `kill`, the end of a drained connection, or a peer that reset a closing one.
            Err(_) if !link.is_open() => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

fn is_timeout(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
