//! A connection's writer thread: takes chunks, joins what has queued up, writes.

use super::link::{Chunk, Link, Shared, WriterEnds};
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Bytes that one write joins at most; a chunk that is longer goes alone.
const JOIN_BYTES_MAX: usize = 256 * 1024;

pub(super) fn spawn(
    socket: TcpStream,
    ends: WriterEnds,
    link: Arc<Link>,
    shared: Arc<Shared>,
) -> io::Result<JoinHandle<()>> {
    shared.writer_starts();
    let mine = Arc::clone(&shared);
    let started = thread::Builder::new().name(format!("gw-write-{}", link.id.0)).spawn(move || {
        match run(socket, &ends, &link) {
            Ok(()) => link.writer_done(),
            Err(e) => {
                if !link.is_closed() {
                    tracing::warn!(conn = link.id.0, "disconnected: the client could not be written to: {e}");
                }
                link.kill();
            }
        }
        mine.writer_ended();
    });
    if started.is_err() {
        shared.writer_ended();
    }
    started
}

/// How bytes are written: a scenario may ask for slices, 0 = as many bytes as there are, with a pause after each.
#[derive(Clone, Copy, Default)]
struct Pace {
    bytes: usize,
    pause: Duration,
}

impl Pace {
    fn write(self, socket: &mut TcpStream, bytes: &[u8], link: &Link) -> io::Result<()> {
        if self.bytes == 0 && self.pause.is_zero() {
            return socket.write_all(bytes);
        }
        for slice in bytes.chunks(if self.bytes == 0 { bytes.len() } else { self.bytes }) {
            if link.is_closed() {
                return Ok(());
            }
            socket.write_all(slice)?;
            if !self.pause.is_zero() {
                thread::park_timeout(self.pause);
            }
        }
        Ok(())
    }
}

fn run(mut socket: TcpStream, ends: &WriterEnds, link: &Link) -> io::Result<()> {
    let mut pace = Pace::default();
    let mut next = None;
    loop {
        // The link owns the sending side, so that this ends only by `Close`.
        let chunk = next.take().or_else(|| ends.chunks.recv().ok());
        let mut bytes = match chunk {
            Some(Chunk::Bytes(bytes)) => bytes,
            Some(Chunk::Slice(bytes, pause)) => {
                pace = Pace { bytes, pause };
                continue;
            }
            Some(Chunk::Hang) => {
                // What was queued behind it is never said.
                link.hang();
                break;
            }
            Some(Chunk::Close) | None => break,
        };
        while bytes.len() < JOIN_BYTES_MAX {
            match ends.chunks.try_recv() {
                Ok(Chunk::Bytes(more)) => {
                    bytes.extend_from_slice(&more);
                    ends.recycle(more);
                }
                Ok(other) => {
                    next = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        pace.write(&mut socket, &bytes, link)?;
        link.written(bytes.len());
        ends.recycle(bytes);
    }
    // The peer reads to the end; the reader thread drains what it still sends.
    socket.shutdown(Shutdown::Write)
}
