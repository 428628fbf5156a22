//! Connections, client ids and what each connection subscribed to.

use std::collections::{BTreeMap, BTreeSet};

use super::streams::Streams;
use crate::clock::SessionTime;
use crate::domain::SymbolId;
use crate::sim::api::ConnId;

/// Where the ticks of a market-data line come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Feed {
    Live(SymbolId),
    Delayed(SymbolId),
    /// A pair or an index.
    Quoted(usize),
}

/// One connection after startApi.
#[derive(Clone, Debug)]
pub(super) struct Conn {
    pub(super) client: i32,
    /// Market-data lines by request id.
    pub(super) lines: BTreeMap<i32, Feed>,
    /// As reqMarketDataType asked: 1 live, 2 frozen, 3 delayed, 4 delayed and frozen.
    pub(super) data_type: i32,
    /// Symbols of which it asked for real-time data in vain.
    pub(super) refused_live: BTreeSet<SymbolId>,
    pub(super) positions: bool,
    pub(super) account_updates: bool,
    /// Request id → tags.
    pub(super) summaries: BTreeMap<i32, BTreeSet<String>>,
    pub(super) positions_multi: BTreeSet<i32>,
    /// Request id → only the ledger.
    pub(super) updates_multi: BTreeMap<i32, bool>,
    pub(super) pnl: BTreeSet<i32>,
    pub(super) pnl_single: BTreeMap<i32, SymbolId>,
    /// Orders of other clients that it has been shown: it may cancel them.
    pub(super) shown: BTreeSet<i64>,
    pub(super) last_time_answer: Option<SessionTime>,
    /// The highest order id that it was told.
    pub(super) id_told: i32,
    /// Orders entered by hand are bound to it; only client 0's.
    pub(super) binds: bool,
}

impl Conn {
    fn new(client: i32) -> Self {
        Self {
            client,
            lines: BTreeMap::new(),
            data_type: 1,
            refused_live: BTreeSet::new(),
            positions: false,
            account_updates: false,
            summaries: BTreeMap::new(),
            positions_multi: BTreeSet::new(),
            updates_multi: BTreeMap::new(),
            pnl: BTreeSet::new(),
            pnl_single: BTreeMap::new(),
            shown: BTreeSet::new(),
            last_time_answer: None,
            id_told: 0,
            binds: false,
        }
    }
}

/// All connections.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    conns: BTreeMap<ConnId, Conn>,
    by_client: BTreeMap<i32, ConnId>,
    /// Who watches a feed: (connection, request id).
    watchers: BTreeMap<Feed, Vec<(ConnId, i32)>>,
    /// Lines that asked for RTVolume.
    rt_volume: BTreeSet<(ConnId, i32)>,
    /// Tick by tick, depth, bars.
    pub(super) streams: Streams,
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
        self.rt_volume.retain(|(c, _)| *c != conn);
        self.streams.end(|c, _, _| c == conn);
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

    pub(super) fn watch(&mut self, conn: ConnId, req_id: i32, feed: Feed, rt_volume: bool) {
        if let Some(c) = self.conns.get_mut(&conn) {
            c.lines.insert(req_id, feed);
            self.watchers.entry(feed).or_default().push((conn, req_id));
            if rt_volume {
                self.rt_volume.insert((conn, req_id));
            }
        }
    }

    /// Ends a market-data line; false when there is none of that id.
    pub(super) fn unwatch(&mut self, conn: ConnId, req_id: i32) -> bool {
        let Some(feed) = self.conns.get_mut(&conn).and_then(|c| c.lines.remove(&req_id)) else { return false };
        if let Some(list) = self.watchers.get_mut(&feed) {
            list.retain(|w| *w != (conn, req_id));
        }
        self.rt_volume.remove(&(conn, req_id));
        true
    }

    /// Ends every market-data line and stream.
    pub(super) fn drop_lines(&mut self) {
        self.watchers.clear();
        self.rt_volume.clear();
        self.streams.end(|_, _, _| true);
        for c in self.conns.values_mut() {
            c.lines.clear();
        }
    }

    /// Who watches a stock live.
    pub(super) fn watchers(&self, symbol: SymbolId) -> &[(ConnId, i32)] {
        self.watching(Feed::Live(symbol))
    }

    pub(super) fn watching(&self, feed: Feed) -> &[(ConnId, i32)] {
        self.watchers.get(&feed).map_or(&[], Vec::as_slice)
    }

    /// Whether a line asked for RTVolume.
    pub(super) fn wants_rt_volume(&self, conn: ConnId, req_id: i32) -> bool {
        !self.rt_volume.is_empty() && self.rt_volume.contains(&(conn, req_id))
    }
}
