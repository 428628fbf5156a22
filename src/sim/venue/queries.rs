//! Log-in and the questions about orders: open, completed, executed.

use super::contracts::{INCREMENTS, Instrument, MARKET_RULE, PAIR_INCREMENTS, PAIR_RULE, details, quoted_details};
use super::core::{Core, answer};
use super::reports::{completed, error, pair};
use crate::clock::{SECOND, SessionTime};
use crate::domain::calendar::{Date, new_york};
use crate::sim::api::{ConnId, Contract, ExecutionFilter, Outgoing, Response};
use crate::sim::market::quoted::QUOTED;

/// The farm notices of a log-in.
pub(super) const FARMS: [(i32, &str); 3] = [
    (2_104, "Market data farm connection is OK:usfarm"),
    (2_106, "HMDS data farm connection is OK:ushmds"),
    (2_158, "Sec-def data farm connection is OK:secdefnj"),
];

impl Core {
    /// startApi. Recorded: working orders of the client id come first, then account, next id, farms.
    pub(super) fn start(&mut self, conn: ConnId, client: i32, out: &mut Vec<Outgoing>) {
        if !self.sessions.start(conn, client) {
            let text = "Unable to connect as the client id is already in use. Retry with a unique client id.";
            answer(conn, error(self.now, -1, 326, text), out);
            return answer(conn, Response::Disconnect, out);
        }
        let account = &self.config.account;
        let mut any = false;
        for r in self.orders.live().filter(|r| r.client == client && r.status.is_open()) {
            any = true;
            for response in pair(r, self.reference(r.symbol), account, r.status.word()) {
                answer(conn, response, out);
            }
        }
        if any {
            answer(conn, Response::OpenOrderEnd, out);
        }
        answer(conn, Response::ManagedAccounts { accounts: account.clone() }, out);
        self.ids(conn, out);
        for (code, text) in &self.config.farms {
            answer(conn, error(self.now, -1, *code, text.clone()), out);
        }
    }

    /// The next valid id. Recorded: one that was told counts as used, the next question gets the next.
    pub(super) fn ids(&mut self, conn: ConnId, out: &mut Vec<Outgoing>) {
        let Some(c) = self.sessions.get_mut(conn) else { return };
        let order_id = self.orders.next_valid_id(c.client).max(c.id_told.saturating_add(1));
        c.id_told = order_id;
        answer(conn, Response::NextValidId { order_id }, out);
    }

    /// Recorded: a repetition within about 4 s is silently not answered.
    pub(super) fn current_time(&mut self, conn: ConnId, out: &mut Vec<Outgoing>) {
        let now = self.now;
        let Some(c) = self.sessions.get_mut(conn) else { return };
        if c.last_time_answer.is_some_and(|t| now - t < 4 * SECOND) {
            return;
        }
        c.last_time_answer = Some(now);
        answer(conn, Response::CurrentTime { time: now }, out);
    }

    pub(super) fn contract_details(&mut self, conn: ConnId, req_id: i32, c: &Contract, out: &mut Vec<Outgoing>) {
        let Some(instrument) = self.instrument(c) else {
            let text = "No security definition has been found for the request";
            return answer(conn, error(self.now, req_id, 200, text), out);
        };
        let hours = self.source.hours();
        let day = |t| {
            let c = new_york(t);
            format!("{:04}{:02}{:02}:{:02}{:02}", c.year, c.month, c.day, c.hour, c.minute)
        };
        let regular = format!("{}-{}", day(hours.open), day(hours.close));
        let details = match instrument {
            Instrument::Stock(symbol) => details(self.reference(symbol), &regular),
            Instrument::Quoted(i) => {
                let pairs = pair_hours(Date::new_york(hours.open), day);
                quoted_details(&QUOTED[i], &regular, &pairs)
            }
        };
        answer(conn, Response::ContractData { req_id, details: Box::new(details) }, out);
        answer(conn, Response::ContractDataEnd { req_id }, out);
    }

    pub(super) fn market_rule(&self, conn: ConnId, market_rule_id: i32, out: &mut Vec<Outgoing>) {
        let increments = match market_rule_id {
            MARKET_RULE => INCREMENTS.to_vec(),
            PAIR_RULE => PAIR_INCREMENTS.to_vec(),
            _ => Vec::new(),
        };
        if increments.is_empty() {
            let text = format!("Error validating request.-'bZ' : cause - Invalid market rule id {market_rule_id}");
            answer(conn, error(self.now, -1, 321, text), out);
        } else {
            answer(conn, Response::MarketRule { market_rule_id, increments }, out);
        }
    }

    /// Open orders of this client, or of all; those of others may from now on be cancelled by it.
    pub(super) fn open_orders(&mut self, conn: ConnId, all: bool, out: &mut Vec<Outgoing>) {
        let Some(client) = self.sessions.get(conn).map(|c| c.client) else { return };
        let mut foreign = Vec::new();
        for r in self.orders.live().filter(|r| r.status.is_open() && (all || r.client == client)) {
            let word = if r.cancelling { "PendingCancel" } else { r.status.word() };
            for response in pair(r, self.reference(r.symbol), &self.config.account, word) {
                answer(conn, response, out);
            }
            if r.client != client {
                foreign.push(r.perm);
            }
        }
        answer(conn, Response::OpenOrderEnd, out);
        if let Some(c) = self.sessions.get_mut(conn) {
            c.shown.extend(foreign);
        }
    }

    /// Only client 0 may bind manual orders; there are none here.
    pub(super) fn auto_open_orders(&self, conn: ConnId, bind: bool, out: &mut Vec<Outgoing>) {
        let master = self.sessions.get(conn).is_some_and(|c| c.client == 0);
        if bind && !master {
            let text = "Error validating request.-'bG' : cause - Only client 0 may bind orders";
            answer(conn, error(self.now, -1, 321, text), out);
        }
    }

    /// Finished orders of every client, never a working one, newest first.
    pub(super) fn completed_orders(&self, conn: ConnId, out: &mut Vec<Outgoing>) {
        for r in self.orders.all().rev().filter(|r| r.status.is_final()) {
            answer(conn, completed(r, self.reference(r.symbol), &self.config.account), out);
        }
        answer(conn, Response::CompletedOrdersEnd, out);
    }

    /// Fills that pass the filter, each with its commission.
    pub(super) fn executions(&self, conn: ConnId, req_id: i32, filter: &ExecutionFilter, out: &mut Vec<Outgoing>) {
        let mut none = true;
        for fill in &self.fills {
            let reference = self.reference(fill.symbol);
            if fill.matches(filter, &reference.symbol) {
                none = false;
                answer(conn, fill.details(req_id, reference), out);
                answer(conn, fill.commission(), out);
            }
        }
        if !none || self.config.executions_end_when_empty {
            answer(conn, Response::ExecutionDetailsEnd { req_id }, out);
        }
    }

    /// Cancels whatever lives, of every client; with nothing to cancel there is no answer.
    pub(super) fn global_cancel(&mut self) {
        let live: Vec<_> = self.orders.live().map(|r| (r.perm, r.client)).collect();
        for (perm, client) in live {
            self.start_cancel(perm, client);
        }
    }
}

/// Five sessions of currency pairs from `today` on, each from 17:15 of the evening before to 17:00 (recorded), none of
/// which ends at a weekend.
fn pair_hours(today: Date, told: impl Fn(SessionTime) -> String) -> String {
    // Day 0 was a Thursday.
    let is_weekday = |d: &Date| !matches!((d.days() + 4).rem_euclid(7), 0 | 6);
    let days = std::iter::successors(Some(today), |d| Some(d.next())).filter(is_weekday).take(5);
    let sessions: Vec<String> =
        days.map(|d| format!("{}-{}", told(d.previous().at(17, 15)), told(d.at(17, 0)))).collect();
    sessions.join(";")
}
