//! The routing stage: takes events in order, keeps the book, plans children, asks the guards, emits commands and
//! facts. Each concern is an `impl` block in a file of its own; this one holds the state and the dispatch.

use super::account::AccountView;
use super::config::Config;
use super::facts::{Alert, Control, DisarmReason, Fact, Mode, RoutingIn, RoutingOut};
use super::guards::{Authority, Guards};
use super::ids::Ids;
use super::market_view::MarketView;
use super::orders::{Book, BookLimits, Freeze, OrderReconciler};
use super::recovered::Recovered;
use super::short_horizon_execution::Work;
use crate::clock::SessionTime;
use crate::domain::calendar::Date;
use crate::domain::{ClientId, ConnEpoch, Instrument, ProcessEpoch, SymbolId};
use crate::message::{MarketEvent, Target};
use crate::pipeline::{Outbox, Stage};

/// Who this process is at the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// This run over the journal.
    pub process_epoch: ProcessEpoch,
    /// The trade client's id.
    pub client: ClientId,
    /// Whether the broker's account was proven to be the configured one.
    pub account_verified: bool,
}

/// Outputs that one symbol can cause by one input: position, command, order facts, a reject, alerts.
const OUTPUTS_PER_SYMBOL: usize = 12;
/// Outputs that are about no symbol.
const OUTPUTS_BESIDES: usize = 64;

/// The stage.
#[derive(Debug)]
pub struct RoutingStage {
    pub(super) config: Config,
    pub(super) identity: Identity,
    pub(super) instruments: Vec<Instrument>,
    pub(super) book: Book,
    pub(super) market: MarketView,
    pub(super) account: AccountView,
    pub(super) guards: Guards,
    pub(super) ids: Ids,
    pub(super) reconciler: OrderReconciler,
    pub(super) work: Vec<Work>,
    pub(super) epoch: Option<ConnEpoch>,
    pub(super) broker_reachable: bool,
    pub(super) armed: bool,
    pub(super) disarmed_by: Option<DisarmReason>,
    pub(super) mode: Mode,
    asked_mode: Mode,
    quorum_holds: bool,
    pub(super) reconciled: bool,
    pub(super) unexplained: bool,
    pub(super) loss_latched: bool,
    pub(super) pnl_known: bool,
    pub(super) margin_warned: bool,
    pub(super) cancel_all: bool,
    pub(super) unmapped: bool,
    loss_day: Option<Date>,
    baseline: Option<(Date, crate::domain::Money)>,
    reported: Vec<u64>,
    reported_armed: bool,
}

impl RoutingStage {
    /// A stage over `instruments`, which stand at the index of their id, in the state that a journal proves.
    pub fn new(
        config: Config,
        instruments: Vec<Instrument>,
        identity: Identity,
        recovered: &Recovered,
    ) -> Result<Self, String> {
        config.validate()?;
        if let Some((i, bad)) = instruments.iter().enumerate().find(|(i, s)| s.id.index() != *i) {
            return Err(format!("instrument {} has id {} but stands at place {i}", bad.symbol, bad.id));
        }
        if let Some(bad) = instruments.iter().find(|s| s.tick_rules.is_empty()) {
            return Err(format!("instrument {} has no price increments: ask its market rule", bad.symbol));
        }
        let n = instruments.len();
        let book_limits = BookLimits {
            order_slots: config.order_slots,
            execution_slots: config.execution_slots,
            external_slots: config.external_slots,
        };
        let mut stage = Self {
            identity,
            book: Book::new(n, book_limits),
            market: MarketView::new(n),
            account: AccountView::default(),
            guards: Guards::new(config.limits.clone(), n),
            ids: Ids::new(&config.deployment, identity.process_epoch, recovered.next_order_id),
            reconciler: OrderReconciler::new(config.reconcile.clone(), n),
            work: vec![Work::default(); n],
            epoch: None,
            broker_reachable: true,
            armed: false,
            disarmed_by: None,
            mode: Mode::Live,
            asked_mode: Mode::Live,
            quorum_holds: true,
            reconciled: false,
            unexplained: false,
            loss_latched: false,
            pnl_known: true,
            margin_warned: false,
            cancel_all: false,
            unmapped: !recovered.unmapped.is_empty(),
            loss_day: recovered.loss_day,
            baseline: recovered.baseline,
            reported: vec![0; n],
            reported_armed: false,
            config,
            instruments,
        };
        stage.restore(recovered)?;
        Ok(stage)
    }

    fn restore(&mut self, recovered: &Recovered) -> Result<(), String> {
        let outside = |id: SymbolId| format!("the journal names symbol {id}, which the universe lacks");
        for p in &recovered.positions {
            if !self.book.covers(p.symbol) {
                return Err(outside(p.symbol));
            }
            self.book.load_position(p.symbol, p.position);
            // Until the broker showed it, it may be gone: nothing closes it before.
            self.book.set_unexplained(p.symbol, -p.position.filled, SessionTime(0));
        }
        for o in &recovered.orders {
            if !self.book.covers(o.terms.symbol) {
                return Err(outside(o.terms.symbol));
            }
            self.book.insert(*o, o.changed_at).map_err(|e| e.to_string())?;
        }
        for seen in &recovered.executions {
            if !self.book.load_execution(*seen) {
                return Err("the journal holds more executions than routing.execution_slots: raise it".into());
            }
        }
        for s in &recovered.ssr {
            self.market.restore_ssr(s.symbol, Some(s.until));
        }
        self.market.restore_known_day(recovered.known_day);
        Ok(())
    }

    /// Room that its outbox needs: what one input may cause.
    pub fn outbox_capacity(&self) -> usize {
        self.instruments.len() * OUTPUTS_PER_SYMBOL + OUTPUTS_BESIDES
    }

    /// The book, to read.
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// The market as routing sees it.
    pub const fn market(&self) -> &MarketView {
        &self.market
    }

    /// Whether new exposure is possible at all.
    pub fn is_armed(&self) -> bool {
        let positions_ok = !self.unexplained || self.config.limits.arm_with_unexplained_positions;
        self.armed
            && self.reconciled
            && self.identity.account_verified
            && positions_ok
            && !self.unmapped
            && !self.loss_latched
            && matches!(self.mode, Mode::Live | Mode::Degraded)
    }

    /// Whether the book was reconciled on the present connection.
    pub const fn is_reconciled(&self) -> bool {
        self.reconciled
    }

    /// The standing permissions for the guards.
    pub(super) fn authority(&self) -> Authority {
        Authority {
            epoch: self.epoch,
            broker_reachable: self.broker_reachable,
            armed: self.is_armed() || (self.armed && self.loss_latched),
            mode: self.mode,
            reconciled: self.reconciled,
            account_ok: self.identity.account_verified,
            loss_latched: self.loss_latched,
            pnl_known: self.pnl_known,
            margin_warned: self.margin_warned,
        }
    }

    pub(super) fn alert(&self, now: SessionTime, alert: Alert, out: &mut Outbox<RoutingOut>) {
        out.push(RoutingOut::Fact(Fact::Alert { at: now, alert }));
    }

    fn on_market(&mut self, now: SessionTime, event: &MarketEvent, out: &mut Outbox<RoutingOut>) {
        if self.market.roll(now) {
            self.on_new_day(self.market.today());
        }
        if let Some((symbol, until)) = self.market.on_event(event) {
            out.push(RoutingOut::Fact(Fact::SsrLatched { at: now, symbol, until }));
        }
        if matches!(event, MarketEvent::Timer(_)) {
            self.on_timer(now, out);
            self.report(now, out);
        }
    }

    /// A day began: its loss latch and baseline are its own.
    fn on_new_day(&mut self, today: Date) {
        self.loss_latched = self.loss_day == Some(today);
        self.account.set_baseline(self.baseline.filter(|(d, _)| *d == today).map(|(_, m)| m));
    }

    pub(super) fn latch_loss(&mut self) {
        self.loss_latched = true;
        self.loss_day = Some(self.market.today());
    }

    fn on_target(&mut self, now: SessionTime, target: Target, out: &mut Outbox<RoutingOut>) {
        if self.cancel_all || !self.book.covers(target.symbol) {
            return;
        }
        let filled = self.book.exposure(target.symbol).filled;
        let wanted = crate::domain::Side::of(target.net.0.saturating_sub(filled));
        // A child on the way to the new target keeps its window; any other is cancelled and the window begins anew.
        let keeps_window = self.child(target.symbol).is_some_and(|o| o.terms.side == wanted);
        let work = &mut self.work[target.symbol.index()];
        if work.target.is_some_and(|t| t.at > target.at) {
            return;
        }
        let before = work.target.map(|t| t.net);
        if !keeps_window {
            *work = Work::default();
        }
        work.target = Some(target);
        work.refused = None;
        if before != Some(target.net) {
            out.push(RoutingOut::Fact(Fact::Target(target)));
        }
        self.advance(target.symbol, now, out);
    }

    fn on_control(&mut self, now: SessionTime, control: Control, out: &mut Outbox<RoutingOut>) {
        match control {
            Control::Arm => {
                self.armed = true;
                self.disarmed_by = None;
                self.margin_warned = false;
                self.cancel_all = false;
                self.guards.throttles_mut().rearm();
            }
            Control::Disarm { reason } => self.disarm(reason),
            Control::Mode(mode) => {
                self.asked_mode = mode;
                self.set_mode(now, out);
            }
            Control::Quorum { holds } => {
                self.quorum_holds = holds;
                self.set_mode(now, out);
            }
            Control::CancelAll => {
                self.cancel_all = true;
                self.work.fill(Work::default());
                for i in 0..self.instruments.len() {
                    self.advance(self.instruments[i].id, now, out);
                }
            }
        }
    }

    /// The mode is the tightest that any cause asks for: it loosens only when the cause that tightened it is gone.
    fn set_mode(&mut self, now: SessionTime, out: &mut Outbox<RoutingOut>) {
        let least = if self.quorum_holds { Mode::Live } else { Mode::Observe };
        let mode = self.asked_mode.max(least);
        if mode != self.mode {
            self.mode = mode;
            out.push(RoutingOut::Fact(Fact::Mode { at: now, mode }));
        }
    }

    pub(super) fn disarm(&mut self, reason: DisarmReason) {
        self.armed = false;
        self.disarmed_by = Some(reason);
    }

    /// Tells what changed: positions to decision, arming to the audit.
    fn report(&mut self, now: SessionTime, out: &mut Outbox<RoutingOut>) {
        for i in 0..self.instruments.len() {
            let symbol = self.instruments[i].id;
            let version = self.book.version(symbol);
            if version != self.reported[i] {
                self.reported[i] = version;
                out.push(RoutingOut::Position(self.book.state(symbol)));
            }
        }
        let armed = self.is_armed();
        if armed != self.reported_armed {
            self.reported_armed = armed;
            out.push(RoutingOut::Fact(Fact::Armed { at: now, armed, reason: self.disarmed_by }));
        }
    }

    /// Freezes a symbol.
    pub(super) fn freeze(&mut self, symbol: SymbolId, reason: Freeze, now: SessionTime) {
        self.book.freeze(symbol, reason, now);
    }
}

impl Stage for RoutingStage {
    type In = RoutingIn;
    type Out = RoutingOut;

    fn on_event(&mut self, now: SessionTime, input: RoutingIn, out: &mut Outbox<RoutingOut>) {
        match input {
            RoutingIn::Market(event) => return self.on_market(now, &event, out),
            RoutingIn::Target(target) => self.on_target(now, target, out),
            RoutingIn::Broker(event) => self.on_broker(now, &event, out),
            RoutingIn::Control(control) => self.on_control(now, control, out),
        }
        self.report(now, out);
    }
}
