//! What a crash leaves: folds a journal into positions, orders without a proven end, latches and free ids. The fold
//! is a pure function of the records, so entering it again gives the same result. Every order that may be at the
//! broker comes out UNKNOWN: no marker of a send proves that nothing was sent.

use std::collections::BTreeMap;

use super::codec::terms;
use super::convert::ALERT_DAILY_LOSS;
use super::disk::Disk;
use super::frame::Header;
use super::reader::{JournalError, ScanEnd, scan};
use super::record::{self, Record, what};
use crate::clock::SessionTime;
use crate::domain::calendar::Date;
use crate::domain::{ConId, Instrument, Money, OrderId, PermId, ProcessEpoch, Qty, SymbolId, Tif};
use crate::message::OrderTerms;
use crate::routing::orders::{Order, Pending, Position, Seen, State, Trigger, split_exec_id};
use crate::routing::{Recovered, RecoveredPosition, RecoveredSsr};

/// Order ids passed over after a process that did not end in order: reductions are sent before their record is
/// durable, so a power loss can take the last ids from the journal. They are synced within a second and paced to 50
/// messages a second at most.
const LOST_IDS_MAX: i32 = 100;

/// What the past proves, and where to go on.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovery {
    /// For routing.
    pub recovered: Recovered,
    /// For the writer.
    pub end: ScanEnd,
    /// The epoch of the process that begins now.
    pub process_epoch: ProcessEpoch,
}

/// Reads the journal on `disk` for a session of `today` over `universe`. Changes nothing.
pub fn recover<D: Disk>(disk: &mut D, universe: &[Instrument], today: Date) -> Result<Recovery, JournalError> {
    let mut fold = Fold::default();
    let end = scan(disk, |header, record| fold.take(header, record))?;
    let process_epoch = ProcessEpoch(u32::try_from(end.epoch + 1).unwrap_or(u32::MAX));
    Ok(Recovery { recovered: fold.finish(universe, today), end, process_epoch })
}

/// One fill across its versions: its name, its order, its side.
type FillKey = (String, i64, bool);

#[derive(Debug)]
struct Fill {
    seen: Seen,
    con_id: ConId,
    date: Date,
}

#[derive(Debug)]
struct Tracked {
    order: Order,
    con_id: ConId,
}

#[derive(Debug, Default)]
struct Fold {
    symbols: BTreeMap<SymbolId, ConId>,
    tickers: BTreeMap<ConId, String>,
    positions: BTreeMap<ConId, Position>,
    orders: BTreeMap<OrderId, Tracked>,
    fills: BTreeMap<FillKey, Fill>,
    by_exec: BTreeMap<String, FillKey>,
    orphans: BTreeMap<String, Money>,
    ssr: BTreeMap<ConId, Date>,
    highest: OrderId,
    day: Date,
    loss_day: Option<Date>,
    baseline: Option<(Date, Money)>,
    ended_in_order: bool,
}

impl Fold {
    fn take(&mut self, _: &Header, record: &Record) {
        self.ended_in_order = matches!(record, Record::SessionEnd(_));
        match record {
            Record::SessionStart(r) => self.on_session(r),
            Record::Symbol(r) => {
                self.symbols.insert(r.symbol, r.con_id);
                self.tickers.insert(r.con_id, r.ticker.as_str().to_owned());
            }
            Record::Intent(r) => self.on_intent(r),
            Record::Modify(r) => self.with(r.order_id, |o| {
                o.pending = Some(Pending { qty: r.qty, kind: terms::kind(r.limit) });
                o.terms.tif = terms::tif_of(r.tif, r.tif_until).unwrap_or(o.terms.tif);
            }),
            Record::Sent(r) if r.what == what::NEW => self.with(r.order_id, |o| o.written = true),
            Record::Withdrawn(r) => self.on_withdrawn(r),
            Record::OrderState(r) => self.on_state(r),
            Record::Execution(r) => self.on_execution(r),
            Record::Commission(r) => self.on_commission(r.exec_id.as_str(), r.commission),
            Record::Ssr(r) => {
                if let Some(con_id) = self.symbols.get(&r.symbol) {
                    let until = self.ssr.entry(*con_id).or_default();
                    *until = (*until).max(r.until);
                }
            }
            Record::Equity(r) => {
                let day = Date::new_york(r.at);
                if self.baseline.is_none_or(|(d, _)| d != day) && r.net_liquidation.0 > 0 {
                    self.baseline = Some((day, r.net_liquidation));
                }
            }
            Record::Alert(r) if r.alert == ALERT_DAILY_LOSS => self.loss_day = Some(Date::new_york(r.at)),
            _ => {}
        }
    }

    fn with(&mut self, id: OrderId, change: impl FnOnce(&mut Order)) {
        if let Some(t) = self.orders.get_mut(&id) {
            change(&mut t.order);
        }
    }

    fn on_session(&mut self, r: &record::SessionStart) {
        self.symbols.clear();
        if r.date != self.day {
            // The money of a day is its own; what is held is carried.
            for p in self.positions.values_mut() {
                *p = Position { filled: p.filled, basis: p.basis, ..Position::default() };
            }
            self.positions.retain(|_, p| p.filled.0 != 0);
            // A broker shows executions of the present day only; the former day's are kept for late repeats.
            let former = self.day;
            self.fills.retain(|_, f| f.date >= former);
            self.by_exec.retain(|_, k| self.fills.contains_key(k));
            self.day = r.date;
        }
    }

    fn on_intent(&mut self, r: &record::Intent) {
        self.highest = self.highest.max(r.order_id);
        let Some(con_id) = self.symbols.get(&r.symbol).copied() else { return };
        let terms = OrderTerms {
            order_id: r.order_id,
            symbol: r.symbol,
            side: r.side,
            qty: r.qty,
            kind: terms::kind(r.limit),
            tif: terms::tif_of(r.tif, r.tif_until).unwrap_or(Tif::Day),
            order_ref: r.order_ref,
            arrival: r.arrival,
        };
        let mut order = Order::adopted(terms, PermId(0), r.epoch, r.at);
        order.state = State::Intent;
        order.written = false;
        order.seen = false;
        order.reduces = r.reduces;
        order.ttl = r.ttl;
        order.seq = r.intent;
        order.decision = r.decision;
        self.orders.insert(r.order_id, Tracked { order, con_id });
    }

    fn on_withdrawn(&mut self, r: &record::Withdrawn) {
        let what = r.what;
        self.with(r.order_id, |o| match what {
            what::NEW if !o.written => o.state = State::Withdrawn,
            what::MODIFY => o.pending = None,
            _ => {}
        });
    }

    fn on_state(&mut self, r: &record::OrderState) {
        self.highest = self.highest.max(r.order_id);
        let (Some(to), Some(trigger)) = (State::from_u8(r.to), Trigger::from_u8(r.trigger)) else { return };
        let (perm_id, at) = (r.perm_id, r.at);
        self.with(r.order_id, |o| {
            match trigger {
                Trigger::ModifyAck => {
                    if let Some(p) = o.pending.take() {
                        o.terms.qty = p.qty;
                        o.terms.kind = p.kind;
                    }
                }
                Trigger::ModifyRefused | Trigger::Withdraw => o.pending = None,
                _ => {}
            }
            o.state = to;
            o.changed_at = at;
            o.seen |= to.is_acknowledged();
            if perm_id.0 != 0 {
                o.perm_id = perm_id;
            }
        });
        if !to.is_live() {
            self.orders.remove(&r.order_id);
        }
    }

    fn on_execution(&mut self, r: &record::Execution) {
        let Some(con_id) = self.symbols.get(&r.symbol).copied() else { return };
        let order = if r.perm_id.0 != 0 { r.perm_id.0 } else { i64::from(r.order_id.0) };
        let (base, version) = split_exec_id(r.exec_id.as_str());
        let key = (base.to_owned(), order, r.side == crate::domain::Side::Sell);
        let former = self.fills.get(&key).map(|f| f.seen);
        if former.is_some_and(|f| split_exec_id(f.exec_id.as_str()).1 >= version) {
            return; // Replayed: applied once.
        }
        let exec = r.exec_id.as_str().to_owned();
        let commission = former.and_then(|f| f.commission).or_else(|| self.orphans.remove(&exec));
        if !r.external {
            let p = self.positions.entry(con_id).or_default();
            if let Some(f) = former {
                p.apply(f.side.opposite(), f.qty, f.price);
            }
            p.apply(r.side, r.qty, r.price);
            if former.is_none() {
                p.commissions += commission.unwrap_or_default();
            }
            let back = former.map_or(Qty::ZERO, |f| f.qty);
            self.with(r.order_id, |o| {
                o.filled = Qty((o.filled.0 - back.0 + r.qty.0).max(0));
                if o.perm_id.0 == 0 {
                    o.perm_id = r.perm_id;
                }
                o.seen = true;
            });
        }
        let seen = Seen {
            exec_id: r.exec_id,
            order_id: r.order_id,
            perm_id: r.perm_id,
            symbol: r.symbol,
            side: r.side,
            qty: r.qty,
            price: r.price,
            commission,
            external: r.external,
        };
        self.by_exec.insert(exec, key.clone());
        self.fills.insert(key, Fill { seen, con_id, date: Date::new_york(r.at) });
    }

    fn on_commission(&mut self, exec_id: &str, commission: Money) {
        let Some(fill) = self.by_exec.get(exec_id).and_then(|k| self.fills.get_mut(k)) else {
            self.orphans.insert(exec_id.to_owned(), commission);
            return;
        };
        let before = fill.seen.commission.replace(commission).unwrap_or_default();
        if !fill.seen.external {
            self.positions.entry(fill.con_id).or_default().commissions += commission - before;
        }
    }

    /// Moves everything to the session's own symbol indices.
    fn finish(mut self, universe: &[Instrument], today: Date) -> Recovered {
        let index: BTreeMap<ConId, SymbolId> = universe.iter().map(|i| (i.con_id, i.id)).collect();
        if today != self.day {
            let record = record::SessionStart {
                at: SessionTime(0),
                process_epoch: ProcessEpoch(0),
                client: Default::default(),
                date: today,
                profile: Default::default(),
                account: Default::default(),
                config_hash: 0,
            };
            let former = self.day;
            self.on_session(&record);
            self.day = former;
        }
        let lost = if self.ended_in_order || self.day == Date(0) { 0 } else { LOST_IDS_MAX };
        let mut out = Recovered {
            next_order_id: OrderId(self.highest.0.saturating_add(1 + lost)),
            loss_day: self.loss_day,
            baseline: self.baseline,
            known_day: (self.day != Date(0)).then_some(self.day),
            ..Recovered::default()
        };
        let mut unmapped = std::collections::BTreeSet::new();
        for (con_id, position) in &self.positions {
            match index.get(con_id) {
                Some(symbol) => out.positions.push(RecoveredPosition { symbol: *symbol, position: *position }),
                None if position.filled.0 != 0 => drop(unmapped.insert(*con_id)),
                None => {}
            }
        }
        for t in self.orders.into_values() {
            let mut order = t.order;
            if order.state == State::Withdrawn {
                continue;
            }
            let total = order.pending.map_or(order.terms.qty.0, |p| p.qty.0.max(order.terms.qty.0));
            if order.filled.0 >= total {
                continue;
            }
            order.state = State::Unknown;
            match index.get(&t.con_id) {
                Some(symbol) => {
                    order.terms.symbol = *symbol;
                    out.orders.push(order);
                }
                None => drop(unmapped.insert(t.con_id)),
            }
        }
        for f in self.fills.into_values() {
            if let Some(symbol) = index.get(&f.con_id) {
                out.executions.push(Seen { symbol: *symbol, ..f.seen });
            }
        }
        for (con_id, until) in &self.ssr {
            if let Some(symbol) = index.get(con_id).filter(|_| *until >= today) {
                out.ssr.push(RecoveredSsr { symbol: *symbol, until: *until });
            }
        }
        out.unmapped = unmapped.iter().map(|c| self.tickers.get(c).cloned().unwrap_or_default()).collect();
        out
    }
}
