//! Connections, client ids and what each connection subscribed to.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::SessionTime;
use crate::domain::SymbolId;
use crate::sim::api::ConnId;

/// One market-data subscription.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) symbol: SymbolId,
}

/// One connection after startApi.
#[derive(Clone, Debug)]
pub(super) struct Conn {
    pub(super) client: i32,
    pub(super) lines: BTreeMap<i32, Line>,
    pub(super) positions: bool,
    pub(super) account_updates: bool,
    /// Request id → tags.
    pub(super) summaries: BTreeMap<i32, BTreeSet<String>>,
    pub(super) pnl: BTreeSet<i32>,
    pub(super) pnl_single: BTreeMap<i32, SymbolId>,
    /// Orders of other clients that it has been shown: it may cancel them.
    pub(super) shown: BTreeSet<i64>,
    pub(super) last_time_answer: Option<SessionTime>,
    /// Orders entered by hand are bound to it; only client 0's.
    pub(super) binds: bool,
}

impl Conn {
    fn new(client: i32) -> Self {
        Self {
            client,
            lines: BTreeMap::new(),
            positions: false,
            account_updates: false,
            summaries: BTreeMap::new(),
            pnl: BTreeSet::new(),
            pnl_single: BTreeMap::new(),
            shown: BTreeSet::new(),
            last_time_answer: None,
            binds: false,
        }
    }
}

/// All connections.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    conns: BTreeMap<ConnId, Conn>,
    by_client: BTreeMap<i32, ConnId>,
    /// Who watches a symbol: (connection, request id).
    watchers: BTreeMap<SymbolId, Vec<(ConnId, i32)>>,
}

impl Sessions {
    /// Starts a client on a connection; false when the client id is in use.
    pub(super) fn start(&mut self, conn: ConnId, client: i32) -> bool {
        if self.by_client.contains_key(&client) || self.conns.contains_key(&conn) {
            return false;
        }
        self.by_client.insert(client, conn);
        self.conns.insert(conn, Conn::new(client));
        true
    }

    /// Forgets a connection and its subscriptions.
    pub(super) fn end(&mut self, conn: ConnId) {
        let Some(gone) = self.conns.remove(&conn) else { return };
        self.by_client.remove(&gone.client);
        for list in self.watchers.values_mut() {
            list.retain(|(c, _)| *c != conn);
        }
    }

    pub(super) fn get(&self, conn: ConnId) -> Option<&Conn> {
        self.conns.get(&conn)
    }

    pub(super) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Conn> {
        self.conns.get_mut(&conn)
    }

    /// The connection on which `client` is now.
    pub(super) fn of_client(&self, client: i32) -> Option<ConnId> {
        self.by_client.get(&client).copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ConnId, &Conn)> {
        self.conns.iter().map(|(id, c)| (*id, c))
    }

    /// Clients connected now.
    pub(super) fn clients(&self) -> BTreeSet<i32> {
        self.by_client.keys().copied().collect()
    }

    /// Market-data lines in use, all connections together.
    pub(super) fn lines_in_use(&self) -> usize {
        self.conns.values().map(|c| c.lines.len()).sum()
    }

    pub(super) fn watch(&mut self, conn: ConnId, req_id: i32, symbol: SymbolId) {
        if let Some(c) = self.conns.get_mut(&conn) {
            c.lines.insert(req_id, Line { symbol });
            self.watchers.entry(symbol).or_default().push((conn, req_id));
        }
    }

    /// Ends a market-data line; false when there is none of that id.
    pub(super) fn unwatch(&mut self, conn: ConnId, req_id: i32) -> bool {
        let Some(line) = self.conns.get_mut(&conn).and_then(|c| c.lines.remove(&req_id)) else { return false };
        if let Some(list) = self.watchers.get_mut(&line.symbol) {
            list.retain(|w| *w != (conn, req_id));
        }
        true
    }

    /// Ends every market-data line.
    pub(super) fn drop_lines(&mut self) {
        self.watchers.clear();
        for c in self.conns.values_mut() {
            c.lines.clear();
        }
    }

    pub(super) fn watchers(&self, symbol: SymbolId) -> &[(ConnId, i32)] {
        self.watchers.get(&symbol).map_or(&[], Vec::as_slice)
    }
}
