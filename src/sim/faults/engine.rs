//! The engine: decides which faults strike and carries out those that concern messages.

#![allow(clippy::cast_possible_truncation, reason = "session seconds of a scenario are below a million")]

use std::collections::{BTreeMap, BTreeSet};

use super::rewrite::{self, delay_type, end_of, margins, price, tick_of};
use super::{Action, Command, Fault, Scenario, When};
use crate::clock::{MILLISECOND, SECOND, SessionTime};
use crate::sim::api::{ConnId, Outgoing, Request, Response};
use crate::sim::market::rng::Draw;

/// Messages held back at most (an outage, a half-open socket, late ones); beyond it the oldest are lost.
const HELD_MAX: usize = 100_000;

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Inbound {
    /// The venue takes it.
    Pass,
    /// The venue never sees it; this is the answer, if any.
    Instead(Vec<Response>),
}

/// A fault and how often it matched.
#[derive(Clone, Debug)]
struct Armed {
    fault: Fault,
    seen: u64,
}

/// Something that happens later.
#[derive(Clone, Debug)]
enum Later {
    Send(Outgoing),
    Act(Action, Origin),
    OutageEnds { then: i32 },
    HaltEnds { symbol: String },
}

/// What struck: the connection and the order, if any.
#[derive(Clone, Copy, Debug, Default)]
struct Origin {
    conn: Option<ConnId>,
    order_id: i32,
    perm: i64,
}

/// The faults in force.
#[derive(Debug)]
pub struct Faults {
    start: SessionTime,
    armed: Vec<Armed>,
    draw: Draw,
    later: BTreeMap<(SessionTime, u64), Later>,
    added: u64,
    conns: BTreeSet<ConnId>,
    /// Market-data lines and the last ask sent on each.
    lines: BTreeMap<(ConnId, i32), f64>,
    /// Orders seen, to tell a modification from a new one.
    orders: BTreeSet<(ConnId, i32)>,
    dark: Option<SessionTime>,
    held: Vec<Outgoing>,
    half_open_until: SessionTime,
    stale_until: SessionTime,
    delayed_until: SessionTime,
    commands: Vec<Command>,
    struck: u64,
}

impl Faults {
    /// The faults of these scenarios in a session that starts at `start`.
    pub fn new(scenarios: &[Scenario], start: SessionTime, seed: u64) -> Self {
        let mut faults = Self {
            start,
            armed: Vec::new(),
            draw: Draw::keyed(seed, "faults", 0, 0),
            later: BTreeMap::new(),
            added: 0,
            conns: BTreeSet::new(),
            lines: BTreeMap::new(),
            orders: BTreeSet::new(),
            dark: None,
            held: Vec::new(),
            half_open_until: SessionTime(0),
            stale_until: SessionTime(0),
            delayed_until: SessionTime(0),
            commands: Vec::new(),
            struck: 0,
        };
        for fault in scenarios.iter().flat_map(|s| &s.fault) {
            if fault.when == When::Time {
                let at = start + (fault.at_s * SECOND as f64) as i64 + fault.after_ms * MILLISECOND;
                faults.schedule(at, Later::Act(fault.action.clone(), Origin::default()));
            } else {
                faults.armed.push(Armed { fault: fault.clone(), seen: 0 });
            }
        }
        faults
    }

    /// Whether nothing can ever go wrong.
    pub fn is_idle(&self) -> bool {
        self.armed.is_empty() && self.added == 0
    }

    /// How many faults have struck.
    pub fn struck(&self) -> u64 {
        self.struck
    }

    /// When the engine next acts of its own accord.
    pub fn next_due(&self) -> Option<SessionTime> {
        self.later.first_key_value().map(|((t, _), _)| *t)
    }

    /// What the venue is to do now.
    pub fn take_commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.commands)
    }

    fn schedule(&mut self, at: SessionTime, what: Later) {
        self.added += 1;
        self.later.insert((at, self.added), what);
        while self.later.len() > HELD_MAX {
            self.later.pop_first();
        }
    }

    /// Does what is due by `now`.
    pub fn run_due(&mut self, now: SessionTime, out: &mut Vec<Outgoing>) {
        while let Some(entry) = self.later.first_entry().filter(|e| e.key().0 <= now) {
            match entry.remove() {
                Later::Send(o) => self.pass(now, o, out),
                Later::Act(action, origin) => {
                    self.struck += 1;
                    self.act(now, &action, origin, out);
                }
                Later::OutageEnds { then } => self.outage_ends(now, then, out),
                Later::HaltEnds { symbol } => self.commands.push(Command::Halt { symbol, kind: 0 }),
            }
        }
    }

    /// Which armed faults strike at something of these kinds; `texts` is what `only` may name.
    fn strikes(&mut self, now: SessionTime, kinds: &[When], texts: &[&str]) -> Vec<Fault> {
        let mut struck = Vec::new();
        for armed in &mut self.armed {
            let f = &armed.fault;
            let named = f.only.is_empty() || texts.contains(&f.only.as_str());
            let early = now - self.start < (f.at_s * SECOND as f64) as i64;
            if !kinds.contains(&f.when) || !named || early {
                continue;
            }
            armed.seen += 1;
            let due = armed.seen >= f.nth && (f.times == 0 || armed.seen < f.nth + f.times);
            if due && (f.chance >= 1.0 || self.draw.chance(f.chance)) {
                struck.push(f.clone());
            }
        }
        self.struck += struck.len() as u64;
        struck
    }

    /// A request on its way in. Commands may have to be carried out before it reaches the venue.
    pub fn inbound(&mut self, now: SessionTime, conn: ConnId, request: &Request, out: &mut Vec<Outgoing>) -> Inbound {
        match request {
            Request::StartApi { .. } => drop(self.conns.insert(conn)),
            Request::Disconnected => {
                self.conns.remove(&conn);
                self.lines.retain(|(c, _), _| *c != conn);
                return Inbound::Pass;
            }
            Request::ReqMktData { req_id, snapshot: false, .. } => drop(self.lines.insert((conn, *req_id), 0.0)),
            Request::CancelMktData { req_id } => drop(self.lines.remove(&(conn, *req_id))),
            _ => {}
        }
        let (kinds, order_id) = self.kinds_of(conn, request);
        let mut texts: Vec<&str> = Vec::new();
        if let Request::PlaceOrder { contract, order } = request {
            texts.push(&contract.symbol);
            texts.extend(order.action.map(crate::domain::Side::as_str));
            texts.push(&order.order_type);
        }
        let origin = Origin { conn: Some(conn), order_id, perm: 0 };
        let mut verdict = Inbound::Pass;
        for fault in self.strikes(now, &kinds, &texts) {
            match &fault.action {
                Action::Ignore => verdict = Inbound::Instead(Vec::new()),
                Action::Refuse { code, text } => {
                    let id = if order_id == 0 { -1 } else { order_id };
                    let mut answers = vec![error(now, id, *code, text)];
                    answers.extend((*code == 326).then_some(Response::Disconnect));
                    verdict = Inbound::Instead(answers);
                }
                Action::EmptyList => verdict = Inbound::Instead(end_of(request).into_iter().collect()),
                action => {
                    let at = now + fault.after_ms * MILLISECOND;
                    if at > now {
                        self.schedule(at, Later::Act(action.clone(), origin));
                    } else {
                        self.act(now, action, origin, out);
                    }
                }
            }
        }
        let dark = self.dark.is_some() || now < self.half_open_until;
        if dark && verdict == Inbound::Pass && !matches!(request, Request::StartApi { .. }) {
            return Inbound::Instead(Vec::new());
        }
        verdict
    }

    fn kinds_of(&mut self, conn: ConnId, request: &Request) -> (Vec<When>, i32) {
        let (kind, id) = match request {
            Request::StartApi { .. } => return (vec![When::Start], 0),
            Request::PlaceOrder { order, .. } if order.what_if => (Some(When::WhatIf), order.order_id),
            Request::PlaceOrder { order, .. } => {
                let new = self.orders.insert((conn, order.order_id));
                (Some(if new { When::Order } else { When::Modify }), order.order_id)
            }
            Request::CancelOrder { order_id } => (Some(When::Cancel), *order_id),
            Request::ReqOpenOrders | Request::ReqAllOpenOrders => (Some(When::OpenOrders), 0),
            Request::ReqCompletedOrders { .. } => (Some(When::CompletedOrders), 0),
            Request::ReqExecutions { req_id, .. } => (Some(When::Executions), *req_id),
            Request::ReqPositions => (Some(When::Positions), 0),
            Request::ReqMktData { req_id, .. } => (Some(When::MarketData), *req_id),
            _ => (None, 0),
        };
        (kind.into_iter().chain([When::Message]).collect(), id)
    }

    /// An answer on its way out.
    pub fn outbound(&mut self, now: SessionTime, mut o: Outgoing, out: &mut Vec<Outgoing>) {
        let (kind, text, origin) = describe(&o);
        let Some(kind) = kind else { return self.pass(now, o, out) };
        let (mut copies, mut delay, mut dropped) = (1, 0, false);
        for fault in self.strikes(now, &[kind], &[&text]) {
            match &fault.action {
                Action::Drop => dropped = true,
                Action::Duplicate { copies: more } => copies += more,
                Action::Delay { ms } => delay = ms * MILLISECOND,
                Action::Price { value } => price(&mut o.response, value),
                Action::CrossBy { usd } => self.cross(&mut o, *usd),
                Action::Word { text } => rewrite::word(&mut o.response, text),
                Action::Account { code } => rewrite::account(&mut o.response, code),
                Action::ClockStep { by_s } => rewrite::clock(&mut o.response, *by_s),
                Action::Sentinels => margins(&mut o.response, Some(f64::MAX)),
                Action::EmptyFields => margins(&mut o.response, None),
                // After the message that struck.
                action => self.schedule(now + fault.after_ms * MILLISECOND, Later::Act(action.clone(), origin)),
            }
        }
        if dropped {
            return;
        }
        for _ in 0..copies {
            if delay > 0 {
                self.schedule(now + delay, Later::Send(o.clone()));
            } else {
                self.pass(now, o.clone(), out);
            }
        }
    }

    /// Bids at or above the last ask that the line was sent.
    fn cross(&self, o: &mut Outgoing, usd: f64) {
        if let Response::TickPrice { req_id, tick_type: 1, price, .. } = &mut o.response
            && let Some(ask) = self.lines.get(&(o.conn, *req_id)).filter(|a| **a > 0.0)
        {
            *price = ((ask + usd) * 100.0).round() / 100.0;
        }
    }

    /// The last station: outages, half-open sockets, stale and delayed ticks.
    fn pass(&mut self, now: SessionTime, mut o: Outgoing, out: &mut Vec<Outgoing>) {
        let tick = tick_of(&o.response);
        if let Response::TickPrice { req_id, tick_type: 2, price, .. } = o.response
            && let Some(ask) = self.lines.get_mut(&(o.conn, req_id))
        {
            *ask = price;
        }
        let half_open = now < self.half_open_until;
        if (half_open && o.response != Response::Disconnect) || (tick.is_some() && now < self.stale_until) {
            return;
        }
        if o.response == Response::Disconnect {
            self.conns.remove(&o.conn);
            self.lines.retain(|(c, _), _| *c != o.conn);
            return out.push(o);
        }
        if self.dark.is_some() {
            if tick.is_none() && self.held.len() < HELD_MAX {
                self.held.push(o);
            }
            return;
        }
        if now < self.delayed_until {
            delay_type(&mut o.response);
        }
        out.push(o);
    }

    fn notice(&self, now: SessionTime, code: i32, text: &str, out: &mut Vec<Outgoing>) {
        out.extend(self.conns.iter().map(|conn| Outgoing { conn: *conn, response: error(now, -1, code, text) }));
    }

    fn outage_ends(&mut self, now: SessionTime, then: i32, out: &mut Vec<Outgoing>) {
        self.dark = None;
        let held = std::mem::take(&mut self.held);
        if then == 1_101 {
            self.lines.clear();
            self.commands.push(Command::DropLines);
            let text = "Connectivity between IBKR and Trader Workstation has been restored - data lost.";
            return self.notice(now, 1_101, text, out);
        }
        let text = "Connectivity between IBKR and Trader Workstation has been restored - data maintained.";
        self.notice(now, 1_102, text, out);
        out.extend(held);
    }

    fn act(&mut self, now: SessionTime, action: &Action, origin: Origin, out: &mut Vec<Outgoing>) {
        let until = |s: &f64| now + (*s * SECOND as f64) as i64;
        match action {
            Action::Notice { code, text, lines: false } => self.notice(now, *code, text, out),
            Action::Notice { code, text, lines: true } => {
                let lines = self.lines.keys();
                out.extend(lines.map(|(conn, id)| Outgoing { conn: *conn, response: error(now, *id, *code, text) }));
            }
            Action::Warn { code, text } => {
                if let Some(conn) = origin.conn {
                    self.pass(now, Outgoing { conn, response: error(now, origin.order_id, *code, text) }, out);
                }
            }
            Action::Outage { for_s, then, told } => {
                if *told {
                    let text = "Connectivity between IBKR and Trader Workstation has been lost.";
                    self.notice(now, 1_100, text, out);
                }
                self.dark = Some(until(for_s));
                self.schedule(until(for_s), Later::OutageEnds { then: *then });
            }
            Action::StaleTicks { for_s } => self.stale_until = until(for_s),
            Action::DelayedTicks { for_s } => {
                self.delayed_until = until(for_s);
                for (conn, req_id) in self.lines.keys() {
                    let response = Response::MarketDataType { req_id: *req_id, market_data_type: 3 };
                    out.push(Outgoing { conn: *conn, response });
                }
            }
            Action::HalfOpen { for_s } => self.half_open_until = until(for_s),
            Action::Disconnect { all: false } => {
                self.commands.extend(origin.conn.map(|conn| Command::Disconnect { conn }));
            }
            Action::Disconnect { all: true } => self.disconnect_all(),
            Action::Restart { ids_back } => {
                self.disconnect_all();
                self.commands.push(Command::RollBackIds { by: *ids_back });
            }
            Action::Halt { symbol, kind, for_s } => {
                self.commands.push(Command::Halt { symbol: symbol.clone(), kind: *kind });
                self.schedule(until(for_s), Later::HaltEnds { symbol: symbol.clone() });
            }
            other => self.commands.extend(command(other, origin)),
        }
    }

    fn disconnect_all(&mut self) {
        self.commands.extend(self.conns.iter().map(|conn| Command::Disconnect { conn: *conn }));
    }
}

/// The command that an action is, if it is one.
fn command(action: &Action, origin: Origin) -> Option<Command> {
    Some(match action {
        Action::Lines { max } => Command::Lines { max: *max },
        Action::ByHand { symbol, side, qty } => Command::ByHand { symbol: symbol.clone(), side: *side, qty: *qty },
        Action::ExternalClose { symbol } => Command::ExternalClose { symbol: symbol.clone() },
        Action::Correct { by_usd } => Command::Correct { by_usd: *by_usd },
        Action::LateFill { qty } => Command::LateFill { perm: origin.perm, qty: *qty },
        Action::RollBackIds { by } => Command::RollBackIds { by: *by },
        Action::Reject { reason } => {
            Command::Reject { client_order: origin.order_id, conn: origin.conn?, reason: reason.clone() }
        }
        Action::Locate { ms } => Command::Locate { client_order: origin.order_id, conn: origin.conn?, ms: *ms },
        _ => return None,
    })
}

/// What kind of answer it is, the text that `only` may name, and what it is about.
fn describe(o: &Outgoing) -> (Option<When>, String, Origin) {
    let mut origin = Origin { conn: Some(o.conn), ..Origin::default() };
    let (kind, text) = match &o.response {
        Response::ExecutionDetails { req_id: -1, execution, .. } => {
            (origin.order_id, origin.perm) = (execution.order_id, execution.perm_id);
            (When::Fill, execution.side.clone())
        }
        Response::CommissionReport { .. } => (When::Commission, String::new()),
        Response::OrderStatus { status, order_id, perm_id, .. } => {
            (origin.order_id, origin.perm) = (*order_id, *perm_id);
            (When::Status, status.clone())
        }
        Response::OpenOrder { order, .. } if order.what_if => (When::WhatIfAnswer, String::new()),
        Response::OpenOrder { order, state, .. } => {
            (origin.order_id, origin.perm) = (order.order_id, order.perm_id);
            (When::OpenOrder, state.status.clone())
        }
        Response::Position { .. }
        | Response::AccountValue { .. }
        | Response::PortfolioValue { .. }
        | Response::AccountSummary { .. } => (When::AccountRow, String::new()),
        Response::CurrentTime { .. } => (When::Clock, String::new()),
        Response::Error { code, .. } => (When::Error, code.to_string()),
        other => match tick_of(other) {
            Some((_, kind)) => (When::Tick, kind.to_string()),
            None => return (None, String::new(), origin),
        },
    };
    (Some(kind), text, origin)
}

fn error(now: SessionTime, id: i32, code: i32, text: &str) -> Response {
    Response::Error { id, time: now, code, message: text.into(), advanced_order_reject_json: String::new() }
}
