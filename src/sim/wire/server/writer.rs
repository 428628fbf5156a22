//! A connection's writer thread: takes chunks, joins what has queued up, writes.

use super::link::{Chunk, Link, Shared, WriterEnds};
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

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

/// Writes it all, in the slices that a scenario may have asked for.
fn write(socket: &mut TcpStream, bytes: &[u8], link: &Link) -> io::Result<()> {
    let (length, pause) = link.slices();
    if length == 0 && pause.is_zero() {
        return socket.write_all(bytes);
    }
    for slice in bytes.chunks(if length == 0 { bytes.len() } else { length }) {
        if link.is_closed() {
            return Ok(());
        }
        socket.write_all(slice)?;
        if !pause.is_zero() {
            thread::park_timeout(pause);
        }
    }
    Ok(())
}

fn run(mut socket: TcpStream, ends: &WriterEnds, link: &Link) -> io::Result<()> {
    let mut close = false;
    while !close {
        // The link owns the sending side, so that this ends only by `Close`.
        let Ok(Chunk::Bytes(mut bytes)) = ends.chunks.recv() else { break };
        while bytes.len() < JOIN_BYTES_MAX {
            match ends.chunks.try_recv() {
                Ok(Chunk::Bytes(more)) => {
                    bytes.extend_from_slice(&more);
                    ends.recycle(more);
                }
                Ok(Chunk::Close) => {
                    close = true;
                    break;
                }
                Err(_) => break,
            }
        }
        link.wait_while_hung();
        write(&mut socket, &bytes, link)?;
        link.written(bytes.len());
        ends.recycle(bytes);
    }
    // The peer reads to the end; the reader thread drains what it still sends.
    socket.shutdown(Shutdown::Write)
}
