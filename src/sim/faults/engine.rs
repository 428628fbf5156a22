//! The engine: decides which faults strike and carries out those that concern messages.

#![allow(clippy::cast_possible_truncation, reason = "session seconds of a scenario are below a million")]

use std::collections::{BTreeMap, BTreeSet};

use super::describe::{self, Names, Origin, Seen, tick_of};
use super::rewrite::{self, delay_type, end_of, margins};
use super::{Action, Command, Fault, Scenario, When, unset};
use crate::clock::{MILLISECOND, SECOND, SessionTime};
use crate::sim::api::{ConnId, Outgoing, Request, Response};
use crate::sim::market::Reference;
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
pub(super) enum Later {
    Send(Outgoing),
    Act(Action, Origin),
    OutageEnds { then: i32 },
    HaltEnds { symbol: String },
    DoorOpens,
}

/// A market-data line.
#[derive(Clone, Debug)]
struct Line {
    /// The last ask sent on it, USD.
    ask: f64,
    /// Its contract's symbol and primary exchange.
    texts: Vec<String>,
}

/// The faults in force.
#[derive(Debug)]
pub struct Faults {
    start: SessionTime,
    armed: Vec<Armed>,
    names: Names,
    pub(super) draw: Draw,
    later: BTreeMap<(SessionTime, u64), Later>,
    added: u64,
    pub(super) conns: BTreeSet<ConnId>,
    lines: BTreeMap<(ConnId, i32), Line>,
    /// Orders seen, to tell a modification from a new one.
    orders: BTreeSet<(ConnId, i32)>,
    /// Orders whose limit was capped: the limit as asked, and the cap.
    caps: BTreeMap<(ConnId, i32), (f64, f64)>,
    pub(super) dark: Option<SessionTime>,
    held: Vec<Outgoing>,
    pub(super) half_open_until: SessionTime,
    pub(super) stale_until: SessionTime,
    pub(super) delayed_until: SessionTime,
    pub(super) commands: Vec<Command>,
    struck: u64,
}

impl Faults {
    /// The faults of these scenarios in a session that starts at `start` in the market of `references`.
    pub fn new(scenarios: &[Scenario], references: &[Reference], start: SessionTime, seed: u64) -> Self {
        let mut faults = Self {
            start,
            armed: Vec::new(),
            names: Names::of(references),
            draw: Draw::keyed(seed, "faults", 0, 0),
            later: BTreeMap::new(),
            added: 0,
            conns: BTreeSet::new(),
            lines: BTreeMap::new(),
            orders: BTreeSet::new(),
            caps: BTreeMap::new(),
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
                if fault.chance >= 1.0 || faults.draw.chance(fault.chance) {
                    faults.schedule(at, Later::Act(fault.action.clone(), Origin::default()));
                }
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

    pub(super) fn schedule(&mut self, at: SessionTime, what: Later) {
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
                Later::DoorOpens => super::act::door(crate::sim::api::Door::Open, out),
            }
        }
    }

    /// Which armed faults strike at something of these kinds.
    fn strikes(&mut self, now: SessionTime, seen: &Seen) -> Vec<Fault> {
        let mut struck = Vec::new();
        let at = |s: f64| (s * SECOND as f64) as i64;
        let since = now - self.start;
        for armed in &mut self.armed {
            let f = &armed.fault;
            let named = f.only.is_empty() || seen.texts.contains(&f.only);
            let in_force = since >= at(f.at_s) && (f.until_s == 0.0 || since < at(f.until_s));
            if !seen.kinds.contains(&f.when) || !named || !in_force {
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

    /// Does an action at once or later.
    fn act_after(&mut self, now: SessionTime, fault: &Fault, origin: Origin, out: &mut Vec<Outgoing>) {
        if fault.after_ms > 0 {
            self.schedule(now + fault.after_ms * MILLISECOND, Later::Act(fault.action.clone(), origin));
        } else {
            self.act(now, &fault.action, origin, out);
        }
    }

    /// A request on its way in, which may be changed. Commands may have to be carried out before it reaches the venue.
    pub fn inbound(
        &mut self,
        now: SessionTime,
        conn: ConnId,
        request: &mut Request,
        out: &mut Vec<Outgoing>,
    ) -> Inbound {
        if self.is_idle() {
            return Inbound::Pass;
        }
        let is_new = match &*request {
            Request::StartApi { .. } => self.conns.insert(conn),
            Request::Disconnected => {
                self.forget(conn);
                return Inbound::Pass;
            }
            Request::ReqMktData { req_id, contract, snapshot: false, .. } => {
                let line = Line { ask: 0.0, texts: self.names.texts(contract) };
                self.lines.insert((conn, *req_id), line).is_none()
            }
            Request::CancelMktData { req_id } => self.lines.remove(&(conn, *req_id)).is_none(),
            Request::PlaceOrder { order, .. } if !order.what_if => {
                self.caps.remove(&(conn, order.order_id));
                self.orders.insert((conn, order.order_id))
            }
            _ => false,
        };
        let seen = describe::request(conn, request, is_new, &self.names);
        let id = seen.origin.id;
        let mut verdict = Inbound::Pass;
        for fault in self.strikes(now, &seen) {
            match &fault.action {
                Action::Ignore => verdict = Inbound::Instead(Vec::new()),
                Action::Refuse { code, text } => {
                    let mut answers = vec![error(now, if id == 0 { -1 } else { id }, *code, text)];
                    answers.extend((*code == 326).then_some(Response::Disconnect));
                    verdict = Inbound::Instead(answers);
                }
                Action::EmptyList => verdict = Inbound::Instead(end_of(request).into_iter().collect()),
                Action::Cap { by } => self.cap(now, conn, request, *by, out),
                _ => self.act_after(now, &fault, seen.origin, out),
            }
        }
        let dark = self.dark.is_some() || now < self.half_open_until;
        if dark && verdict == Inbound::Pass && !matches!(request, Request::StartApi { .. }) {
            return Inbound::Instead(Vec::new());
        }
        verdict
    }

    fn forget(&mut self, conn: ConnId) {
        self.conns.remove(&conn);
        self.lines.retain(|(c, _), _| *c != conn);
        self.caps.retain(|(c, _), _| *c != conn);
    }

    /// Lowers a buy's limit, raises a sell's.
    fn cap(&mut self, now: SessionTime, conn: ConnId, request: &mut Request, by: f64, out: &mut Vec<Outgoing>) {
        let Request::PlaceOrder { order, .. } = request else { return };
        let (Some(side), Some(asked)) = (order.action, order.limit_price) else { return };
        let cap = (asked * (1.0 - side.sign() as f64 * by) * 100.0).round() / 100.0;
        order.limit_price = Some(cap);
        self.caps.insert((conn, order.order_id), (asked, cap));
        let text = format!(
            "Order Message:\nWarning: In accordance with our regulatory obligations as a broker, we will initially cap \
             the price of your limit order to {cap:.2} or a more aggressive price still within your specified limit price."
        );
        let response = error(now, order.order_id, 2_161, &text);
        self.pass(now, Outgoing { conn, response }, out);
    }

    /// An answer on its way out.
    pub fn outbound(&mut self, now: SessionTime, mut o: Outgoing, out: &mut Vec<Outgoing>) {
        self.show_cap(&mut o);
        let line = tick_of(&o.response).and_then(|(req_id, _)| self.lines.get(&(o.conn, req_id)));
        let seen = describe::answer(&o, line.map_or(&[], |l| &l.texts));
        let (mut copies, mut delay, mut dropped) = (1, 0, false);
        for fault in self.strikes(now, &seen) {
            match &fault.action {
                Action::Drop => dropped = true,
                Action::Duplicate { copies: more } => copies += more,
                Action::Delay { ms } => delay = ms * MILLISECOND,
                Action::EmptyFirst => {
                    let mut first = o.clone();
                    margins(&mut first.response, None);
                    self.pass(now, first, out);
                }
                action if self.rewritten(now, &mut o, action) => {}
                // After the message that struck.
                action => {
                    let at = now + fault.after_ms * MILLISECOND;
                    self.schedule(at, Later::Act(action.clone(), seen.origin));
                }
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

    /// Changes an answer, where the action is a change; false where it is something else.
    fn rewritten(&self, now: SessionTime, o: &mut Outgoing, action: &Action) -> bool {
        let r = &mut o.response;
        match action {
            Action::Price { value } => rewrite::price(r, value),
            Action::TickType { to } => rewrite::tick_type(r, *to),
            Action::CrossBy { usd } => self.cross(o, *usd),
            Action::OneExchange { code, usd } => rewrite::one_exchange(r, code, *usd),
            Action::Word { text } => rewrite::word(r, text),
            Action::Account { code } => rewrite::account(r, code),
            Action::ClockStep { by_s } => rewrite::clock(r, *by_s),
            Action::UtcTime => rewrite::utc_time(r, now),
            Action::Sentinels => unset::sentinels(r),
            Action::EmptyFields => unset::empty(r),
            Action::Warning { text } => rewrite::warning(r, text),
            _ => return false,
        }
        true
    }

    /// Bids at or above the last ask that the line was sent.
    fn cross(&self, o: &mut Outgoing, usd: f64) {
        if let Response::TickPrice { req_id, tick_type: 1, price, .. } = &mut o.response
            && let Some(line) = self.lines.get(&(o.conn, *req_id)).filter(|l| l.ask > 0.0)
        {
            *price = ((line.ask + usd) * 100.0).round() / 100.0;
        }
    }

    /// What a capped order's reports say: the limit as asked, and the cap.
    fn show_cap(&self, o: &mut Outgoing) {
        match &mut o.response {
            Response::OrderStatus { order_id, mkt_cap_price, .. } => {
                if let Some((_, cap)) = self.caps.get(&(o.conn, *order_id)) {
                    *mkt_cap_price = *cap;
                }
            }
            Response::OpenOrder { order, .. } => {
                if let Some((asked, _)) = self.caps.get(&(o.conn, order.order_id)) {
                    order.limit_price = Some(*asked);
                }
            }
            _ => {}
        }
    }

    /// The last station: outages, half-open sockets, stale and delayed ticks.
    pub(super) fn pass(&mut self, now: SessionTime, mut o: Outgoing, out: &mut Vec<Outgoing>) {
        let tick = tick_of(&o.response);
        if let Response::TickPrice { req_id, tick_type: 2, price, .. } = o.response
            && let Some(line) = self.lines.get_mut(&(o.conn, req_id))
        {
            line.ask = price;
        }
        let half_open = now < self.half_open_until;
        if (half_open && o.response != Response::Disconnect) || (tick.is_some() && now < self.stale_until) {
            return;
        }
        if o.response == Response::Disconnect {
            self.forget(o.conn);
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

    /// The market-data lines: connection and request id.
    pub(super) fn lines(&self) -> impl Iterator<Item = (ConnId, i32)> {
        self.lines.keys().copied()
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
}

pub(super) fn error(now: SessionTime, id: i32, code: i32, text: &str) -> Response {
    Response::Error { id, time: now, code, message: text.into(), advanced_order_reject_json: String::new() }
}
