//! What depends on who a client is: client 0 may bind orders that were entered by hand, the master client hears of all.
//!
//! Documented by IB: an order entered by hand has order id 0 until client 0 binds it, by reqOpenOrders those that exist, by
//! reqAutoOpenOrders those to come; from then on it has an id of client 0's and can be modified and cancelled by it. The
//! master client id, a setting of the gateway, gets the order states and executions of every client. Assumed: a bound id
//! is client 0's next one (a gateway can be set to count down from −1 instead), and errors go to the owner alone.

use super::core::Core;
use crate::sim::api::{ConnId, Outgoing, Response};

impl Core {
    /// reqAutoOpenOrders: orders entered by hand from now on are bound; only for client 0.
    pub(super) fn auto_bind(&mut self, conn: ConnId, bind: bool) {
        if let Some(c) = self.sessions.get_mut(conn).filter(|c| c.client == 0) {
            c.binds = bind;
        }
    }

    /// Whether a client that binds orders is connected.
    pub(super) fn binds_orders(&self) -> bool {
        let conn = self.sessions.of_client(0).and_then(|conn| self.sessions.get(conn));
        conn.is_some_and(|c| c.binds)
    }

    /// Gives every living order that was entered by hand an id of client 0's.
    pub(super) fn bind_orders(&mut self) {
        let unbound: Vec<i64> =
            self.orders.live().filter(|r| r.client == 0 && r.order_id == 0).map(|r| r.perm).collect();
        for perm in unbound {
            let id = self.orders.next_valid_id(0);
            self.orders.bind(perm, id);
        }
    }

    /// The master client hears of an order that is not its own.
    pub(super) fn tell_master(&mut self, perm: i64, owner: i32, messages: &[Response], out: &mut Vec<Outgoing>) {
        let Some(master) = self.config.master_client.filter(|m| *m != owner) else { return };
        let Some(conn) = self.sessions.of_client(master) else { return };
        let news = |r: &&Response| !matches!(r, Response::Error { .. });
        out.extend(messages.iter().filter(news).map(|r| Outgoing { conn, response: r.clone() }));
        if let Some(c) = self.sessions.get_mut(conn) {
            c.shown.insert(perm);
        }
    }
}
