//! The only book of positions and working orders. Executions are the truth of fills; statuses move orders, never
//! positions. Everything in doubt stays reserved at its worst case.

use super::executions::{ExecutionTable, Known, Seen};
use super::exposure::{Exposure, Freeze, LIVE_PER_SYMBOL_MAX, LiveOrders};
use super::external::{ExternalOrder, ExternalTable};
use super::position::{FILL_PRICE_MAX, FILL_QTY_MAX};
use super::{Effect, Order, OrderTable, Pending, Position, State, TableFull, Trigger, step};
use crate::clock::SessionTime;
use crate::domain::{Money, OrderId, PermId, Price, Qty, Side, SymbolId};
use crate::message::{CommissionFact, ExecutionFact, PositionState};
use crate::routing::facts::OrderChange;

/// Commissions that may arrive before their execution.
const ORPHAN_COMMISSIONS_MAX: usize = 64;

/// Sizes of the book's tables.
#[derive(Clone, Copy, Debug)]
pub struct BookLimits {
    /// Orders kept, tombstones included.
    pub order_slots: usize,
    /// Executions kept.
    pub execution_slots: usize,
    /// Foreign live orders kept.
    pub external_slots: usize,
}

/// What became of an execution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FillOutcome {
    /// Applied for the first time.
    Applied {
        /// The order's step, when the order is known.
        change: Option<OrderChange>,
        /// Whether it replaced a former version.
        correction: bool,
        /// Whether it is foreign.
        external: bool,
        /// Whether the table was full: a repeat could not be told any more.
        untracked: bool,
    },
    /// Seen before: nothing changed.
    Repeat,
    /// No symbol, or a price or quantity that can't be: not applied.
    Malformed,
}

#[derive(Debug)]
struct SymbolBook {
    position: Position,
    external: i64,
    unexplained: i64,
    freeze: Freeze,
    live: [OrderId; LIVE_PER_SYMBOL_MAX],
    live_len: usize,
    version: u64,
    changed_at: SessionTime,
}

impl SymbolBook {
    fn live(&self) -> &[OrderId] {
        &self.live[..self.live_len]
    }

    fn drop_live(&mut self, id: OrderId) {
        if let Some(i) = self.live().iter().position(|l| *l == id) {
            // Order of creation is kept: the same inputs give the same outputs.
            self.live.copy_within(i + 1..self.live_len, i);
            self.live_len -= 1;
        }
    }
}

/// The book.
#[derive(Debug)]
pub struct Book {
    symbols: Vec<SymbolBook>,
    orders: OrderTable,
    executions: ExecutionTable,
    externals: ExternalTable,
    orphans: Vec<CommissionFact>,
}

impl Book {
    /// An empty book over `symbols` symbols.
    pub fn new(symbols: usize, limits: BookLimits) -> Self {
        let empty = || SymbolBook {
            position: Position::default(),
            external: 0,
            unexplained: 0,
            freeze: Freeze::default(),
            live: [OrderId(0); LIVE_PER_SYMBOL_MAX],
            live_len: 0,
            version: 0,
            changed_at: SessionTime(0),
        };
        Self {
            symbols: (0..symbols).map(|_| empty()).collect(),
            orders: OrderTable::new(limits.order_slots),
            executions: ExecutionTable::new(limits.execution_slots),
            externals: ExternalTable::new(limits.external_slots),
            orphans: Vec::with_capacity(ORPHAN_COMMISSIONS_MAX),
        }
    }

    /// Symbols in the book.
    pub fn len(&self) -> usize {
        self.symbols.len()
    }

    /// Whether it covers no symbol.
    pub fn is_empty(&self) -> bool {
        self.symbols.is_empty()
    }

    /// Whether it covers `symbol`.
    pub fn covers(&self, symbol: SymbolId) -> bool {
        symbol.index() < self.symbols.len()
    }

    /// A symbol's position.
    pub fn position(&self, symbol: SymbolId) -> &Position {
        &self.symbols[symbol.index()].position
    }

    /// An order.
    pub fn order(&self, id: OrderId) -> Option<&Order> {
        self.orders.get(id)
    }

    /// To note what is no state: cancel counts, refusals, ids.
    pub fn order_mut(&mut self, id: OrderId) -> Option<&mut Order> {
        self.orders.get_mut(id)
    }

    /// Whether an order with this id would find a place in both tables.
    pub fn has_room(&self, symbol: SymbolId, id: OrderId) -> bool {
        self.orders.has_room(id) && self.symbols[symbol.index()].live_len < LIVE_PER_SYMBOL_MAX
    }

    /// Ids of a symbol's orders that are alive or owe fills, oldest first.
    pub fn live(&self, symbol: SymbolId) -> &[OrderId] {
        self.symbols[symbol.index()].live()
    }

    /// A copy of them, to walk while the book changes.
    pub fn live_copy(&self, symbol: SymbolId) -> LiveOrders {
        let s = &self.symbols[symbol.index()];
        LiveOrders::new(s.live, s.live_len)
    }

    /// All of them, by symbol.
    pub fn all_live(&self) -> impl Iterator<Item = &Order> {
        self.symbols.iter().flat_map(|s| s.live()).filter_map(|id| self.orders.get(*id))
    }

    /// The live order with the broker's id.
    pub fn by_perm(&self, perm_id: PermId) -> Option<OrderId> {
        if perm_id.0 == 0 {
            return None;
        }
        self.all_live().find(|o| o.perm_id == perm_id).map(|o| o.terms.order_id)
    }

    /// Executions applied, all versions counted once.
    pub fn executions(&self) -> &ExecutionTable {
        &self.executions
    }

    /// Foreign live orders.
    pub fn externals(&mut self) -> &mut ExternalTable {
        &mut self.externals
    }

    /// Keeps an order that was approved (state INTENT) or adopted.
    pub fn insert(&mut self, order: Order, now: SessionTime) -> Result<(), TableFull> {
        let symbol = order.terms.symbol;
        if !self.has_room(symbol, order.terms.order_id) {
            return Err(TableFull);
        }
        self.orders.insert(order)?;
        let s = &mut self.symbols[symbol.index()];
        s.live[s.live_len] = order.terms.order_id;
        s.live_len += 1;
        self.touch(symbol, now);
        Ok(())
    }

    /// Applies a trigger. `None` when the order is not in the book.
    pub fn apply(&mut self, id: OrderId, trigger: Trigger, now: SessionTime) -> Option<OrderChange> {
        let order = self.orders.get_mut(id)?;
        let from = order.state;
        let (mut to, effect) = step(from, trigger);
        if to == State::Acked && order.filled.0 > 0 {
            to = State::Partial;
        }
        match (from, trigger) {
            (_, Trigger::ModifyAck) => {
                if let Some(p) = order.pending.take() {
                    order.terms.qty = p.qty;
                    order.terms.kind = p.kind;
                }
            }
            (State::PendModify, Trigger::ModifyRefused | Trigger::Withdraw) => order.pending = None,
            _ => {}
        }
        order.state = to;
        if from != to {
            order.changed_at = now;
        }
        if from == State::Unknown && to != from && to.is_live() {
            // Found alive after doubt: whatever was asked before may never have arrived.
            order.cancels = 0;
            order.absent_rounds = 0;
            order.absent_weak_rounds = 0;
        }
        if !to.is_live() {
            order.pending = None;
        }
        let change = OrderChange {
            at: now,
            order_id: id,
            perm_id: order.perm_id,
            symbol: order.terms.symbol,
            from,
            to,
            trigger,
            effect,
        };
        self.settle(id);
        if from != to {
            self.touch(change.symbol, now);
        }
        Some(change)
    }

    /// Notes the new terms of a modify that was approved, and moves the order to PEND_MODIFY.
    pub fn ask_modify(&mut self, id: OrderId, pending: Pending, now: SessionTime) -> Option<OrderChange> {
        self.orders.get_mut(id)?.pending = Some(pending);
        self.apply(id, Trigger::AskModify, now)
    }

    /// What a terminal status claims as filled beyond the executions seen.
    pub fn owe(&mut self, id: OrderId, claimed: Qty, now: SessionTime) {
        let Some(order) = self.orders.get_mut(id) else { return };
        order.owed = Qty((claimed.0.clamp(0, order.terms.qty.0) - order.filled.0).max(0));
        let symbol = order.terms.symbol;
        self.settle(id);
        self.touch(symbol, now);
    }

    /// Gives up waiting for owed fills (the executions and positions snapshots proved that there are none).
    pub fn forgive(&mut self, id: OrderId, now: SessionTime) {
        self.owe(id, Qty::ZERO, now);
    }

    fn settle(&mut self, id: OrderId) {
        let Some(order) = self.orders.get(id) else { return };
        let keep = order.state.is_live() || order.owed.0 > 0;
        let s = &mut self.symbols[order.terms.symbol.index()];
        let listed = s.live().contains(&id);
        if !keep && listed {
            s.drop_live(id);
        } else if keep && !listed && s.live_len < LIVE_PER_SYMBOL_MAX {
            s.live[s.live_len] = id;
            s.live_len += 1;
        }
    }

    /// Applies a fill once. `own` = it belongs to an order of this client or carries our reference.
    pub fn on_execution(&mut self, e: &ExecutionFact, own: bool, now: SessionTime) -> FillOutcome {
        let Some(symbol) = e.symbol.filter(|s| self.covers(*s)) else { return FillOutcome::Malformed };
        if e.qty.0 <= 0 || e.qty.0 > FILL_QTY_MAX || !e.price.is_some() || e.price > FILL_PRICE_MAX {
            return FillOutcome::Malformed;
        }
        let mut seen = Seen {
            exec_id: e.exec_id,
            order_id: e.order_id,
            perm_id: e.perm_id,
            symbol,
            side: e.side,
            qty: e.qty,
            price: e.price,
            commission: None,
            external: !own,
        };
        let former = match self.executions.known(&seen) {
            Known::Repeat => return FillOutcome::Repeat,
            Known::New if self.executions.is_full() && !self.is_beyond(e, own) => return FillOutcome::Repeat,
            Known::New => None,
            Known::Corrects(former) => Some(former),
        };
        if let Some(f) = former {
            self.move_shares(symbol, f.side.opposite(), f.qty, f.price, f.external);
            if let Some(order) = self.orders.get_mut(f.order_id).filter(|_| !f.external) {
                order.filled = Qty((order.filled.0 - f.qty.0).max(0));
            }
        }
        self.move_shares(symbol, e.side, e.qty, e.price, !own);
        seen.commission = former.and_then(|f| f.commission);
        let kept = self.executions.keep(seen);
        let change = if own { self.fill_order(e, now) } else { None };
        self.touch(symbol, now);
        self.adopt_orphan(e);
        FillOutcome::Applied { change, correction: former.is_some(), external: !own, untracked: !kept }
    }

    /// Whether the broker's own count of the order's shares leaves room for this fill: all that tells a repeat once
    /// the table is full. In doubt it is none; the position's difference then shows.
    fn is_beyond(&self, e: &ExecutionFact, own: bool) -> bool {
        self.orders.get(e.order_id).is_some_and(|o| own && o.filled.0 + e.qty.0 <= e.cumulative.0)
    }

    fn move_shares(&mut self, symbol: SymbolId, side: Side, qty: Qty, price: Price, external: bool) {
        let s = &mut self.symbols[symbol.index()];
        if external {
            s.external += side.sign() * qty.0;
            s.freeze = s.freeze.with(Freeze::EXTERNAL);
        } else {
            s.position.apply(side, qty, price);
        }
    }

    fn fill_order(&mut self, e: &ExecutionFact, now: SessionTime) -> Option<OrderChange> {
        let order = self.orders.get_mut(e.order_id)?;
        order.filled += e.qty;
        order.owed = Qty((order.owed.0 - e.qty.0).max(0));
        if order.perm_id.0 == 0 {
            order.perm_id = e.perm_id;
        }
        order.seen = true;
        let total = order.pending.map_or(order.terms.qty.0, |p| p.qty.0.max(order.terms.qty.0));
        let trigger = if order.filled.0 >= total { Trigger::FullFill } else { Trigger::PartFill };
        self.apply(e.order_id, trigger, now)
    }

    /// Books a commission; returns whether it changed anything.
    pub fn on_commission(&mut self, c: &CommissionFact, now: SessionTime) -> bool {
        let Some(seen) = self.executions.by_id_mut(&c.exec_id) else {
            let known = self.orphans.iter().any(|o| o.exec_id == c.exec_id);
            if !known && self.orphans.len() < ORPHAN_COMMISSIONS_MAX {
                self.orphans.push(*c);
            }
            return false;
        };
        let before = seen.commission.unwrap_or_default();
        if seen.commission == Some(c.commission) {
            return false;
        }
        seen.commission = Some(c.commission);
        let (symbol, external) = (seen.symbol, seen.external);
        if !external {
            self.symbols[symbol.index()].position.commissions += c.commission - before;
            self.touch(symbol, now);
        }
        true
    }

    fn adopt_orphan(&mut self, e: &ExecutionFact) {
        if let Some(i) = self.orphans.iter().position(|o| o.exec_id == e.exec_id) {
            let c = self.orphans.swap_remove(i);
            self.on_commission(&c, self.symbols[e.symbol.unwrap_or_default().index()].changed_at);
        }
    }

    /// Executions whose commission has not come.
    pub fn commissions_pending(&self) -> usize {
        self.executions.iter().filter(|s| s.commission.is_none() && !s.external).count()
    }

    /// Takes or updates a foreign order; `false` = the table is full.
    pub fn put_external(&mut self, order: ExternalOrder, now: SessionTime) -> bool {
        self.freeze(order.symbol, Freeze::EXTERNAL, now);
        self.externals.put(order)
    }

    /// Shares of a symbol, worst case included.
    pub fn exposure(&self, symbol: SymbolId) -> Exposure {
        let s = &self.symbols[symbol.index()];
        let (buys, sells) = self.externals.open(symbol);
        let mut x = Exposure {
            filled: s.position.filled.0,
            external: s.external + s.unexplained,
            unknown_buy: buys,
            unknown_sell: sells,
            ..Exposure::default()
        };
        for order in s.live().iter().filter_map(|id| self.orders.get(*id)) {
            match order.terms.side {
                Side::Buy => {
                    x.working_buy += order.working().0;
                    x.unknown_buy += order.unknown().0;
                }
                Side::Sell => {
                    x.working_sell += order.working().0;
                    x.unknown_sell += order.unknown().0;
                }
            }
        }
        x
    }

    /// Whether nothing is held, working or in doubt in a symbol.
    pub fn is_idle(&self, symbol: SymbolId) -> bool {
        let s = &self.symbols[symbol.index()];
        s.position.filled.0 == 0
            && s.external + s.unexplained == 0
            && s.live_len == 0
            && self.externals.open(symbol) == (0, 0)
    }

    /// Freezes a symbol for `reason`.
    pub fn freeze(&mut self, symbol: SymbolId, reason: Freeze, now: SessionTime) {
        let s = &mut self.symbols[symbol.index()];
        if !s.freeze.has(reason) {
            s.freeze = s.freeze.with(reason);
            self.touch(symbol, now);
        }
    }

    /// Lifts one reason.
    pub fn thaw(&mut self, symbol: SymbolId, reason: Freeze, now: SessionTime) {
        let s = &mut self.symbols[symbol.index()];
        if s.freeze.has(reason) {
            s.freeze = s.freeze.without(reason);
            self.touch(symbol, now);
        }
    }

    /// Why a symbol is frozen, apart from orders in doubt.
    pub fn freeze_of(&self, symbol: SymbolId) -> Freeze {
        self.symbols[symbol.index()].freeze
    }

    /// Sets a position as a journal left it.
    pub fn load_position(&mut self, symbol: SymbolId, position: Position) {
        let s = &mut self.symbols[symbol.index()];
        s.position = position;
        // A change like any other: decision is told of it, or nobody would ever close it.
        s.version += 1;
    }

    /// Shares that own and foreign fills explain, signed.
    pub fn explained(&self, symbol: SymbolId) -> Qty {
        let s = &self.symbols[symbol.index()];
        s.position.filled + Qty(s.external)
    }

    /// Notes what the broker holds beyond what fills explain, signed: it counts as held by somebody else.
    pub fn set_unexplained(&mut self, symbol: SymbolId, shares: Qty, now: SessionTime) {
        let s = &mut self.symbols[symbol.index()];
        if s.unexplained != shares.0 {
            s.unexplained = shares.0;
            self.touch(symbol, now);
        }
    }

    /// Keeps an execution that a journal already counted, so that a repeat is recognised.
    pub fn load_execution(&mut self, seen: Seen) -> bool {
        self.executions.keep(seen)
    }

    fn touch(&mut self, symbol: SymbolId, now: SessionTime) {
        let s = &mut self.symbols[symbol.index()];
        s.version += 1;
        s.changed_at = now;
    }

    /// Version of a symbol's state; grows with each change.
    pub fn version(&self, symbol: SymbolId) -> u64 {
        self.symbols[symbol.index()].version
    }

    /// What decision is told of a symbol.
    pub fn state(&self, symbol: SymbolId) -> PositionState {
        let s = &self.symbols[symbol.index()];
        let x = self.exposure(symbol);
        PositionState {
            at: s.changed_at,
            version: s.version,
            filled: s.position.filled,
            working: Qty(x.working_buy - x.working_sell),
            unknown: Qty(x.unknown_buy - x.unknown_sell),
            average: s.position.average(),
            realized: s.position.realized,
            symbol,
            frozen: s.freeze.any() || x.in_doubt(),
        }
    }

    /// Commissions of all symbols.
    pub fn commissions(&self) -> Money {
        self.symbols.iter().map(|s| s.position.commissions).sum()
    }
}

/// Whether a step needs a person's eye.
pub const fn is_notable(effect: Effect) -> bool {
    matches!(effect, Effect::LateFill | Effect::Surface | Effect::Defect)
}
