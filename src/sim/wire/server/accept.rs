//! The accept thread: numbers connections, refuses those over the limit, starts a reader for each and waits for
//! all of them at the end.

use super::link::Shared;
use super::reader;
use crate::sim::api::{ConnId, Door};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Pause after a failed accept (no file handle left, for one).
const RETRY_WAIT: Duration = Duration::from_millis(50);

pub(super) fn spawn(listener: TcpListener, shared: Arc<Shared>) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("gw-accept".to_owned()).spawn(move || run(&listener, &shared))
}

fn run(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut next_conn = 1;
    let mut readers: Vec<JoinHandle<()>> = Vec::new();
    while !shared.is_stopping() {
        match listener.accept() {
            Ok(_) if shared.is_stopping() => break,
            Ok((socket, peer)) => {
                if shared.door() == Door::Closed {
                    continue;
                }
                readers.retain(|reader| !reader.is_finished());
                let conn = ConnId(next_conn);
                next_conn += 1;
                if !shared.make_room() {
                    tracing::warn!(%peer, limit = shared.options.connections_max, "refused: too many connections");
                    continue;
                }
                match start_reader(conn, socket, shared) {
                    Ok(reader) => readers.push(reader),
                    Err(e) => tracing::error!(%peer, "refused: no thread for the connection: {e}"),
                }
            }
            Err(e) => {
                tracing::warn!("a connection could not be accepted: {e}");
                thread::park_timeout(RETRY_WAIT);
            }
        }
    }
    for reader in readers {
        if reader.join().is_err() {
            tracing::error!("a connection's reader thread had panicked");
        }
    }
}

fn start_reader(conn: ConnId, socket: TcpStream, shared: &Arc<Shared>) -> io::Result<JoinHandle<()>> {
    shared.opens(conn, socket.try_clone()?);
    shared.connections.fetch_add(1, Ordering::AcqRel);
    let mine = Arc::clone(shared);
    let started = thread::Builder::new().name(format!("gw-read-{}", conn.0)).spawn(move || {
        // A defect of a decoder costs its own client and no other.
        let served = panic::catch_unwind(AssertUnwindSafe(|| reader::run(conn, socket, &mine)));
        if served.is_err() {
            tracing::error!(conn = conn.0, "disconnected: the connection's reader thread had panicked");
            mine.abandon(conn);
        }
        mine.connections.fetch_sub(1, Ordering::AcqRel);
    });
    if started.is_err() {
        shared.opened(conn);
        shared.connections.fetch_sub(1, Ordering::AcqRel);
    }
    started
}
