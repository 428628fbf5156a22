//! The referee: audits what clients send, independently of trader and venue.
//!
//! Sees every request with its time and every answer that went out; keeps its own book of orders, positions and cash
//! from those alone; reads its limits from its own file. It changes nothing and refuses nothing: it counts. Market
//! facts (reference price, published bids, prior close, borrow) come through [`MarketFacts`]. May not import the trader.
//!
//! **Violations** by kind: `pacing` (more than the permitted messages in a second), `duplicate_orders`, `after_panic`
//! (exposure raised while the panic file lies), `ssr` (a short in a restricted name at or below every bid of the last two
//! seconds), `borrow` (a short beyond what can be borrowed), `margin` (initial margin over equity, or a 201 for it),
//! `session` (exposure raised outside the permitted hours), `off_tick` (a price off the grid), `active_orders` (too many
//! working on a side), `limits` (size, notional, position, gross), `malformed` (contract, side, quantity, account, time in
//! force), `orphan_orders` (working at the end while their client is gone).

mod audit;
mod ledger;
mod limits;
mod rules;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::clock::{SECOND, SessionTime};
use crate::domain::calendar::RegularHours;
use crate::domain::{Money, Price, Qty};
use crate::sim::api::{ConnId, Contract, Outgoing, Request, Response};

pub use audit::{Audit, Exercised, ORDER_REQUESTS_KEPT, OpenOrderLine, OrderRequestLine, Violation};
pub use limits::{Limits, LimitsError};

use ledger::Ledger;

/// Most violations kept per kind; further ones are only counted.
const KEPT_PER_KIND: usize = 200;

/// What the market says about a contract at the moment of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Ticker.
    pub symbol: String,
    /// Last print, else mid, else prior close.
    pub reference_price: Price,
    /// The lowest bid that a client can have seen as current in the last two seconds.
    pub lowest_bid: Price,
    /// The previous regular close; none = unknown.
    pub prior_close: Price,
    /// The lowest regular-hours print of the day; none = not yet.
    pub lowest_print: Price,
    /// Shares that can be borrowed.
    pub shortable: Qty,
    /// The short-sale restriction was triggered on the previous trading day and holds today.
    pub restricted_yesterday: bool,
}

/// Where the referee asks about the market and, at the end, about the venue's books.
pub trait MarketFacts {
    /// Facts about a contract; `None` when the market does not know it.
    fn facts(&self, contract: &Contract) -> Option<Facts>;
    /// The price at which a symbol is valued.
    fn mark(&self, symbol: &str) -> Price;
    /// Client ids connected now.
    fn clients_connected(&self) -> BTreeSet<i32>;
    /// The venue's own cash, commissions and positions, to compare with the referee's.
    fn booked(&self) -> (Money, Money, BTreeMap<String, i64>);
    /// IB's order-efficiency ratio: (submits + revisions + cancels) / (executed orders + 1); above 20 is excessive.
    fn order_efficiency(&self) -> f64;
}

/// The referee of one session.
#[derive(Debug)]
pub struct Referee {
    limits: Limits,
    hours: RegularHours,
    account: String,
    ledger: Ledger,
    clients: BTreeMap<ConnId, i32>,
    received: BTreeMap<&'static str, u64>,
    order_requests: Vec<OrderRequestLine>,
    order_requests_not_listed: u64,
    violations: BTreeMap<&'static str, Vec<Violation>>,
    uncounted: BTreeMap<&'static str, u64>,
    exercised: Exercised,
    messages: VecDeque<SessionTime>,
    in_breach: bool,
    /// Recent orders for the duplicate rule, oldest first.
    recent: VecDeque<rules::Recent>,
    /// orderRef → (client, order id) that used it first.
    refs: BTreeMap<String, (i32, i32)>,
    /// Since when the panic file lies.
    panic_since: Option<SessionTime>,
}

impl Referee {
    /// A referee of a session in `hours` on `account`, which starts with `cash`.
    pub fn new(limits: Limits, hours: RegularHours, account: String, cash: Money) -> Self {
        Self {
            limits,
            hours,
            account,
            ledger: Ledger::new(cash),
            clients: BTreeMap::new(),
            received: BTreeMap::new(),
            order_requests: Vec::new(),
            order_requests_not_listed: 0,
            violations: audit::KINDS.into_iter().map(|k| (k, Vec::new())).collect(),
            uncounted: BTreeMap::new(),
            exercised: Exercised::default(),
            messages: VecDeque::new(),
            in_breach: false,
            recent: VecDeque::new(),
            refs: BTreeMap::new(),
            panic_since: None,
        }
    }

    /// Starts from the books that an earlier process left.
    pub fn resume(&mut self, cash: Money, commissions: Money, positions: BTreeMap<String, i64>) {
        self.ledger.resume(cash, commissions, positions);
    }

    /// The panic file named in the limits lies, or is gone, as seen at `now`.
    pub fn panic(&mut self, now: SessionTime, lies: bool) {
        match (lies, self.panic_since) {
            (true, None) => {
                self.panic_since = Some(now);
                self.exercised.panics += 1;
            }
            (false, _) => self.panic_since = None,
            (true, Some(_)) => {}
        }
    }

    /// Where the panic file is to be looked for; `None` = nowhere.
    pub fn panic_file(&self) -> Option<&std::path::Path> {
        Some(self.limits.panic_file.as_path()).filter(|p| !p.as_os_str().is_empty())
    }

    /// Holds these positions from now on: a split, of which no execution tells.
    pub fn split(&mut self, positions: BTreeMap<String, i64>) {
        self.ledger.positions = positions;
    }

    /// Knows an execution that the resumed books hold already.
    pub fn resume_execution(&mut self, execution: &crate::sim::api::Execution) {
        self.ledger.resume_execution(execution);
    }

    /// Knows an order that an earlier process left working.
    pub fn resume_order(
        &mut self,
        client: i32,
        perm_id: i64,
        symbol: &str,
        order: &crate::sim::api::Order,
        filled: i64,
    ) {
        rules::resume_order(&mut self.ledger, client, perm_id, symbol, order, filled);
    }

    /// Sees a request as it arrives.
    pub fn request(&mut self, now: SessionTime, conn: ConnId, request: &Request, market: &dyn MarketFacts) {
        *self.received.entry(audit::name_of(request)).or_default() += 1;
        match request {
            Request::StartApi { client_id } => {
                self.clients.insert(conn, *client_id);
                return;
            }
            Request::Disconnected => {
                self.clients.remove(&conn);
                return;
            }
            _ => {}
        }
        let Some(client) = self.clients.get(&conn).copied() else { return };
        self.pace(now, client);
        if let Some(line) = OrderRequestLine::of(now, client, request) {
            if self.order_requests.len() < ORDER_REQUESTS_KEPT {
                self.order_requests.push(line);
            } else {
                self.order_requests_not_listed += 1;
            }
        }
        match request {
            Request::PlaceOrder { contract, order } => self.judge(now, client, contract, order, market),
            Request::CancelOrder { order_id } => self.ledger.cancel_asked(client, *order_id),
            _ => {}
        }
    }

    /// Sees an answer as it leaves.
    pub fn response(&mut self, out: &Outgoing) {
        let client = self.clients.get(&out.conn).copied();
        self.note(client, &out.response);
    }

    /// Sees a report whose client was gone.
    pub fn unheard(&mut self, response: &Response) {
        self.note(None, response);
    }

    fn note(&mut self, client: Option<i32>, response: &Response) {
        match response {
            Response::ExecutionDetails { contract, execution, .. } => {
                self.ledger.execution(&contract.symbol, execution)
            }
            Response::CommissionReport { exec_id, commission, .. } => self.ledger.commission(exec_id, *commission),
            Response::OrderStatus { order_id, status, client_id, perm_id, .. } => {
                self.ledger.status(*client_id, *order_id, *perm_id, status);
            }
            Response::Error { id, code, message, time, .. } if *id > 0 => {
                if let Some(client) = client {
                    self.ledger.error(client, *id, *code);
                    if *code == 201 && message.contains("MARGIN") {
                        self.violation("margin", *time, client, *id, "refused_for_margin", message.clone());
                    }
                }
            }
            _ => {}
        }
    }

    /// Counts messages in the sliding second; one violation a breach.
    fn pace(&mut self, now: SessionTime, client: i32) {
        while self.messages.front().is_some_and(|t| now - *t >= SECOND) {
            self.messages.pop_front();
        }
        self.messages.push_back(now);
        let count = self.messages.len();
        self.exercised.peak_messages_per_s = self.exercised.peak_messages_per_s.max(count as u64);
        let max = self.limits.max_messages_per_s;
        if count <= max {
            self.in_breach = false;
        } else if !self.in_breach {
            self.in_breach = true;
            let detail = format!("{count} messages in one second, {max} permitted");
            self.violation("pacing", now, client, 0, "messages_per_second", detail);
        }
        if count > max * 100 {
            self.messages.pop_front();
        }
    }

    fn violation(
        &mut self,
        kind: &'static str,
        time: SessionTime,
        client: i32,
        order_id: i32,
        rule: &'static str,
        detail: String,
    ) {
        let list = self.violations.entry(kind).or_default();
        if list.len() < KEPT_PER_KIND {
            list.push(Violation { time: time.to_string(), client, order_id, rule, detail });
        } else {
            *self.uncounted.entry(kind).or_default() += 1;
        }
    }
}
