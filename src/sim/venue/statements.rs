//! Positions, account rows, summary and P&L: snapshots on request, then updates at IB's cadence.
//!
//! Account and summary rows come on a position change and every three minutes of session time; P&L rows every second
//! while anyone listens.

use std::collections::BTreeSet;

use super::agenda::Task;
use super::contracts::contract;
use super::core::{Core, PNL_PERIOD, answer};
use super::reports::error;
use super::text;
use crate::clock::SessionTime;
use crate::domain::{Money, SymbolId};
use crate::sim::api::{ConnId, Outgoing, Request, Response};

impl Core {
    /// Requests about the account.
    pub(super) fn statement_request(&mut self, conn: ConnId, request: Request, out: &mut Vec<Outgoing>) {
        let Some(c) = self.sessions.get_mut(conn) else { return };
        match request {
            Request::ReqPositions => {
                c.positions = true;
                self.position_rows(conn, |_| true, out);
                answer(conn, Response::PositionEnd, out);
            }
            Request::CancelPositions => c.positions = false,
            Request::ReqAccountSummary { req_id, group: _, tags } => {
                let tags: BTreeSet<String> = tags.split(',').map(|t| t.trim().to_string()).collect();
                c.summaries.insert(req_id, tags.clone());
                self.summary_rows(conn, req_id, &tags, out);
                answer(conn, Response::AccountSummaryEnd { req_id }, out);
            }
            Request::CancelAccountSummary { req_id } => drop(c.summaries.remove(&req_id)),
            Request::ReqAccountUpdates { subscribe: true, account: _ } => {
                c.account_updates = true;
                self.account_rows(conn, out);
                let account = self.config.account.clone();
                answer(conn, Response::AccountDownloadEnd { account }, out);
            }
            Request::ReqAccountUpdates { subscribe: false, account: _ } => {
                c.account_updates = false;
                let text = "API client has been unsubscribed from account data.";
                answer(conn, error(self.now, -1, 2_100, text), out);
            }
            Request::ReqPnl { req_id, account: _ } => {
                c.pnl.insert(req_id);
                self.start_pnl();
                answer(conn, self.pnl(req_id), out);
            }
            Request::CancelPnl { req_id } => drop(c.pnl.remove(&req_id)),
            Request::ReqPnlSingle { req_id, account: _, con_id } => {
                let Some(symbol) = self.symbol_of(con_id) else {
                    let text = "No security definition has been found for the request";
                    return answer(conn, error(self.now, req_id, 200, text), out);
                };
                if let Some(c) = self.sessions.get_mut(conn) {
                    c.pnl_single.insert(req_id, symbol);
                }
                self.start_pnl();
                answer(conn, self.pnl_single(req_id, symbol), out);
            }
            Request::CancelPnlSingle { req_id } => drop(c.pnl_single.remove(&req_id)),
            _ => {}
        }
    }

    /// Rows about a position are due at `at`, right after the report of the fill that changed it; changes that come
    /// together are told together.
    pub(super) fn account_changed(&mut self, symbol: SymbolId, at: SessionTime) {
        self.changed.insert(symbol);
        self.agenda.add(at, Task::AccountChanged);
    }

    /// Sends changed positions, account values and summaries to whoever listens.
    pub(super) fn push_account(&mut self, out: &mut Vec<Outgoing>) {
        let changed = std::mem::take(&mut self.changed);
        for (conn, c) in self.sessions.iter() {
            if c.positions {
                self.position_rows(conn, |s| changed.contains(&s), out);
            }
            if c.account_updates {
                self.account_rows(conn, out);
            }
            for (req_id, tags) in &c.summaries {
                self.summary_rows(conn, *req_id, tags, out);
            }
            for req_id in &c.positions_multi {
                self.multi_positions(conn, *req_id, |s| changed.contains(&s), out);
            }
            for (req_id, ledger) in &c.updates_multi {
                self.multi_values(conn, *req_id, *ledger, out);
            }
        }
    }

    fn position_rows(&self, conn: ConnId, wanted: impl Fn(SymbolId) -> bool, out: &mut Vec<Outgoing>) {
        out.extend(self.positions(wanted).into_iter().map(|response| Outgoing { conn, response }));
    }

    /// A row for each position that `wanted` picks.
    pub(super) fn positions(&self, wanted: impl Fn(SymbolId) -> bool) -> Vec<Response> {
        let row = |(symbol, p): (&SymbolId, &super::account::Position)| {
            let reference = self.reference(*symbol);
            Response::Position {
                account: self.config.account.clone(),
                contract: contract(reference, &reference.primary_exchange),
                position: p.qty as f64,
                avg_cost: p.average_cost(),
            }
        };
        self.account.positions.iter().filter(|(s, _)| wanted(**s)).map(row).collect()
    }

    /// Every value, then portfolio rows, each followed by an update time.
    fn account_rows(&self, conn: ConnId, out: &mut Vec<Outgoing>) {
        let account = &self.config.account;
        for (key, value, currency) in self.values() {
            let row = Response::AccountValue { key: key.into(), value, currency, account: account.clone() };
            answer(conn, row, out);
        }
        for (symbol, p) in &self.account.positions {
            let reference = self.reference(*symbol);
            let mark = self.mark(*symbol);
            let value = Money(p.qty * mark.0);
            let row = Response::PortfolioValue {
                contract: contract(reference, &reference.primary_exchange),
                position: p.qty as f64,
                market_price: mark.to_f64(),
                market_value: value.to_f64(),
                average_cost: p.average_cost(),
                unrealized_pnl: (value - p.basis).to_f64(),
                realized_pnl: p.realized.to_f64(),
                account: account.clone(),
            };
            answer(conn, row, out);
            answer(conn, Response::AccountUpdateTime { time: text::clock_time(self.now) }, out);
        }
        // Recorded: once more behind the last row.
        answer(conn, Response::AccountUpdateTime { time: text::clock_time(self.now) }, out);
    }

    fn summary_rows(&self, conn: ConnId, req_id: i32, tags: &BTreeSet<String>, out: &mut Vec<Outgoing>) {
        let account = &self.config.account;
        // `values` is in alphabetical order, as recorded of the summary.
        for (tag, value, currency) in self.summary_values(tags) {
            let account = account.clone();
            answer(conn, Response::AccountSummary { req_id, account, tag: tag.into(), value, currency }, out);
        }
    }

    /// The account started flat, so the day's P&L is all of it.
    fn pnl(&self, req_id: i32) -> Response {
        let (unrealized, realized) = (self.in_base(self.unrealized()), self.in_base(self.account.realized()));
        Response::Pnl {
            req_id,
            daily: (unrealized + realized).to_f64(),
            unrealized: Some(unrealized.to_f64()),
            realized: Some(realized.to_f64()),
        }
    }

    /// Recorded: realized is absent here while there is none.
    fn pnl_single(&self, req_id: i32, symbol: SymbolId) -> Response {
        let p = self.account.position(symbol);
        let value = Money(p.qty * self.mark(symbol).0);
        let unrealized = value - p.basis;
        Response::PnlSingle {
            req_id,
            position: p.qty as f64,
            daily: (unrealized + p.realized).to_f64(),
            unrealized: Some(unrealized.to_f64()),
            realized: (p.realized != Money(0)).then(|| p.realized.to_f64()),
            value: value.to_f64(),
        }
    }

    fn start_pnl(&mut self) {
        if !self.pnl_beats {
            self.pnl_beats = true;
            self.agenda.add(self.now + PNL_PERIOD, Task::PnlBeat);
        }
    }

    pub(super) fn pnl_beat(&mut self, out: &mut Vec<Outgoing>) {
        let mut any = false;
        for (conn, c) in self.sessions.iter() {
            for req_id in &c.pnl {
                any = true;
                answer(conn, self.pnl(*req_id), out);
            }
            for (req_id, symbol) in &c.pnl_single {
                any = true;
                answer(conn, self.pnl_single(*req_id, *symbol), out);
            }
        }
        self.pnl_beats = any;
        if any {
            self.agenda.add(self.now + PNL_PERIOD, Task::PnlBeat);
        }
    }
}
