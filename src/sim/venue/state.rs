//! What outlives the process: orders, positions, cash, ids, executions, as one value, and what changed of it since it was
//! last asked for, so that it can be kept in a file that grows by each change. The file itself is the gateway's affair
//! (`app/state_file.rs`).
//!
//! **The same day**: orders live on as they stood at the last write; what was on its way to the exchange arrives at the
//! restart, reports on their way to a client are lost (its questions bring them back), orders never transmitted are gone.
//! Time that passed while the process was down is then played: fills, stops and good-till-date ends happen as they
//! would have. **A later day**: cash, positions and ids carry over; GTC and GTD orders live on, others have ended;
//! executions and completed orders start anew; restricted names carry over from the previous trading day.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Venue;
use super::account::Position;
use super::agenda::Task;
use super::core::Core;
use super::efficiency::Efficiency;
use super::orders::{Record, Status, Tif};
use super::reports::Fill;
use super::{VenueConfig, text};
use crate::clock::{MINUTE, SessionTime};
use crate::domain::calendar::{Date, next_trading_day};
use crate::domain::{Money, SymbolId};
use crate::sim::market::{MarketSource, Reference};

/// The layout of [`VenueState`]; another one is refused.
const LAYOUT: u32 = 2;

/// Trading days in which day trades count.
const DAY_TRADE_DAYS: usize = 5;

/// Nights from one day to a later one, weekends included.
fn days_between(from: Date, to: Date) -> i64 {
    ((to.at(12, 0) - from.at(12, 0)) + 2 * (60 * MINUTE)) / (24 * (60 * MINUTE))
}

/// The venue's state at one instant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VenueState {
    layout: u32,
    account: String,
    /// The session's New York date.
    date: Date,
    start_cash: Money,
    small: Small,
    positions: Vec<(String, Position)>,
    orders: Vec<(String, Record)>,
    fills: Vec<(String, Fill)>,
}

/// What of a state is told whole with every change.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Small {
    now: SessionTime,
    cash: Money,
    commissions: Money,
    settled: Money,
    borrow_fees: Money,
    /// (date, day trades), this day last.
    day_trades: Vec<(u32, i64)>,
    opened_today: Vec<(String, i64)>,
    efficiency: Efficiency,
    /// (client id, highest order id it used).
    highest: Vec<(i32, i32)>,
    next_perm: i64,
    executions_ever: usize,
    /// Names whose short-sale restriction was triggered this day.
    restricted: Vec<String>,
}

/// What changed of a [`VenueState`]: everything small, and of the rest what is new.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StateChange {
    small: Small,
    positions: Vec<(String, Position)>,
    orders: Vec<(String, Record)>,
    /// The place of the first of `fills`: a correction may have changed the last one that was told.
    fills_from: usize,
    fills: Vec<(String, Fill)>,
}

/// What of the state was told already.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    positions: BTreeMap<SymbolId, Position>,
    fills: usize,
}

/// Why a state can't be resumed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Written by another layout.
    #[error("the state has layout {0}, this gateway reads layout {LAYOUT}; start with a new state file")]
    Layout(u32),
    /// Another account's.
    #[error("the state is of account {0}; start the gateway with --account {0} or a new state file")]
    Account(String),
    /// Written in a session after this one.
    #[error("the state is of {} and the session of {}; choose a later session or a new state file", .0.0, .1.0)]
    Later(Date, Date),
    /// A symbol with a position or an order is not in the universe.
    #[error("the state holds {0}, which this session's market does not have; give the same data, or more symbols")]
    Symbol(String),
}

impl VenueState {
    /// The session time of the last write.
    pub fn now(&self) -> SessionTime {
        self.small.now
    }

    /// The session's New York date.
    pub fn date(&self) -> Date {
        self.date
    }

    /// Takes in what changed since.
    pub fn apply(&mut self, change: StateChange) {
        self.small = change.small;
        for (name, position) in change.positions {
            match self.positions.iter_mut().find(|(n, _)| *n == name) {
                Some((_, p)) => *p = position,
                None => self.positions.push((name, position)),
            }
        }
        for (name, record) in change.orders {
            // By permanent id, as the venue holds them.
            match self.orders.binary_search_by_key(&record.perm, |(_, r)| r.perm) {
                Ok(i) => self.orders[i] = (name, record),
                Err(i) => self.orders.insert(i, (name, record)),
            }
        }
        self.fills.truncate(change.fills_from);
        self.fills.extend(change.fills);
    }
}

impl Venue {
    /// The state now.
    pub fn state(&self) -> VenueState {
        self.core.state()
    }

    /// From now on changes are kept for [`Venue::change`].
    pub fn track_changes(&mut self) {
        self.core.orders.track();
        self.told = Told { positions: self.core.account.positions.clone(), fills: self.core.fills.len() };
    }

    /// What changed since [`Venue::track_changes`] or the last call; `None` = nothing.
    pub fn change(&mut self) -> Option<StateChange> {
        let orders = self.core.orders.take_changes()?;
        Some(self.core.change(orders, &mut self.told))
    }

    /// A venue that goes on from `state`.
    ///
    /// # Errors
    /// The state is another account's, of a later day, or names symbols that the source does not have.
    pub fn resume(
        mut config: VenueConfig,
        source: Box<dyn MarketSource>,
        seed: u64,
        state: VenueState,
    ) -> Result<Self, StateError> {
        let date = Date::new_york(source.hours().open);
        if state.layout != LAYOUT {
            return Err(StateError::Layout(state.layout));
        }
        if state.account != config.account {
            return Err(StateError::Account(state.account));
        }
        if state.date > date {
            return Err(StateError::Later(state.date, date));
        }
        if next_trading_day(state.date) == Some(date) {
            config.restricted.extend(state.small.restricted.iter().cloned());
        }
        let mut venue = Self::new(config, source, seed);
        // What the market did before the last write was lived through already.
        let mut nobody = Vec::new();
        venue.core.advance(state.small.now, &mut nobody);
        venue.core.load(state, date)?;
        let (cash, commissions, positions) = crate::sim::referee::MarketFacts::booked(&venue.core);
        venue.referee.resume(cash, commissions, positions);
        for fill in &venue.core.fills {
            venue.referee.resume_execution(&fill.execution);
        }
        for r in venue.core.orders.live() {
            let symbol = &venue.core.reference(r.symbol).symbol;
            venue.referee.resume_order(r.client, r.perm, symbol, &r.sent, r.filled);
        }
        Ok(venue)
    }
}

impl Core {
    fn name(&self, symbol: SymbolId) -> String {
        self.reference(symbol).symbol.clone()
    }

    fn state(&self) -> VenueState {
        VenueState {
            layout: LAYOUT,
            account: self.config.account.clone(),
            date: Date::new_york(self.source.hours().open),
            start_cash: self.account.start_cash,
            small: self.small(),
            positions: self.account.positions.iter().map(|(s, p)| (self.name(*s), *p)).collect(),
            orders: self.orders.all().map(|r| (self.name(r.symbol), r.clone())).collect(),
            fills: self.fills.iter().map(|f| (self.name(f.symbol), f.clone())).collect(),
        }
    }

    fn small(&self) -> Small {
        Small {
            now: self.now,
            cash: self.account.cash,
            commissions: self.account.commissions,
            settled: self.account.settled,
            borrow_fees: self.account.borrow_fees,
            day_trades: self.account.day_trades.clone(),
            opened_today: self.account.opened_today.iter().map(|(s, n)| (self.name(*s), *n)).collect(),
            efficiency: self.efficiency,
            highest: self.orders.highest(),
            next_perm: self.orders.next_perm(),
            executions_ever: self.executions_ever,
            restricted: self.restricted_today().collect(),
        }
    }

    fn change(&self, orders: BTreeSet<i64>, told: &mut Told) -> StateChange {
        let moved = |(s, p): &(&SymbolId, &Position)| told.positions.get(s) != Some(p);
        let positions = self.account.positions.iter().filter(moved).map(|(s, p)| (self.name(*s), *p)).collect();
        let fills_from = told.fills.saturating_sub(1).min(self.fills.len());
        let fills = self.fills[fills_from..].iter().map(|f| (self.name(f.symbol), f.clone())).collect();
        told.positions.clone_from(&self.account.positions);
        told.fills = self.fills.len();
        StateChange {
            small: self.small(),
            positions,
            orders: orders
                .into_iter()
                .filter_map(|p| self.orders.get(p))
                .map(|r| (self.name(r.symbol), r.clone()))
                .collect(),
            fills_from,
            fills,
        }
    }

    /// Names whose short-sale restriction was triggered this day.
    fn restricted_today(&self) -> impl Iterator<Item = String> + '_ {
        let new = |r: &&Reference| self.is_restricted(r.id) && !self.carried.contains(&r.id);
        self.references().iter().filter(new).map(|r| r.symbol.clone())
    }

    fn load(&mut self, state: VenueState, date: Date) -> Result<(), StateError> {
        let same_day = state.date == date;
        let references = self.source.references();
        let find = |name: &str| {
            let found = references.iter().find(|r| r.symbol == name);
            found.map(|r| r.id).ok_or_else(|| StateError::Symbol(name.into()))
        };
        for (name, mut p) in state.positions {
            if p.qty == 0 && find(&name).is_err() {
                continue;
            }
            if !same_day {
                p.realized = Money(0);
            }
            self.account.positions.insert(find(&name)?, p);
        }
        let mut orders = Vec::new();
        for (name, mut r) in state.orders {
            if !same_day && (r.status.is_final() || !matches!(r.terms.tif, Tif::Gtc | Tif::Gtd(_))) {
                continue;
            }
            r.symbol = find(&name)?;
            orders.push(r);
        }
        for (name, mut f) in state.fills {
            if same_day {
                f.symbol = find(&name)?;
                self.fills.push(f);
            }
        }
        let opened = state
            .small
            .opened_today
            .iter()
            .map(|(name, n)| Ok((find(name)?, *n)))
            .collect::<Result<_, StateError>>()?;
        (self.account.cash, self.account.commissions) = (state.small.cash, state.small.commissions);
        self.account.start_cash = if same_day { state.start_cash } else { state.small.cash };
        self.account.settled = if same_day { state.small.settled } else { state.small.cash };
        self.account.borrow_fees = state.small.borrow_fees;
        self.account.opened_today = if same_day { opened } else { BTreeMap::new() };
        self.efficiency = if same_day { state.small.efficiency } else { Efficiency::default() };
        self.carry_day_trades(state.small.day_trades, date);
        if !same_day {
            self.charge_borrow(days_between(state.date, date));
            self.account.start_cash = self.account.cash;
            self.account.settled = self.account.cash;
        }
        self.executions_ever = state.small.executions_ever;
        self.orders.resume(state.small.next_perm, &state.small.highest);
        for r in orders {
            self.resume_order(r);
        }
        Ok(())
    }

    /// Day trades of the last five trading days go on counting.
    fn carry_day_trades(&mut self, mut counted: Vec<(u32, i64)>, date: Date) {
        if counted.last().is_none_or(|(d, _)| *d != date.0) {
            counted.push((date.0, 0));
        }
        let surplus = counted.len().saturating_sub(DAY_TRADE_DAYS);
        counted.drain(..surplus);
        self.account.day_trades = counted;
    }

    /// Puts an order back where it stood.
    fn resume_order(&mut self, mut r: Record) {
        let (perm, symbol, status, client) = (r.perm, r.symbol, r.status, r.client);
        (r.undelivered, r.report_floor, r.inbound_floor) = (0, self.now, self.now);
        let (cancelling, tif, locating) = (r.cancelling, r.terms.tif, r.locating);
        self.orders.insert(r);
        match status {
            s if s.is_final() => return self.orders.retire(perm),
            Status::Untransmitted => {
                let when = text::eastern(self.now);
                return self.orders.finish(perm, Status::Cancelled, when, "Cancelled by System:\n".into());
            }
            Status::Sent => self.agenda.add(self.now, Task::Arrive { perm }),
            Status::Submitted if !self.is_halted(symbol) => {
                self.rest(perm);
            }
            _ => {}
        }
        if status != Status::Sent {
            self.watch_order(perm);
            self.watch_conditions(perm);
            if status == Status::Submitted && self.orders.get(perm).is_some_and(|r| r.plan.is_some()) {
                self.agenda.add(self.now, Task::Slice { perm });
            }
            if let Tif::Gtd(until) = tif {
                self.agenda.add(until, Task::Expire { perm });
            }
        }
        if locating {
            self.agenda.add(self.now + MINUTE, Task::Locate { perm });
        } else if status == Status::PreSubmitted {
            self.try_release(perm);
        }
        if cancelling {
            self.agenda.add(self.now, Task::Cancel { perm, by: client });
        }
    }
}
