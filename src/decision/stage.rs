//! The stage: a batch of predictions in, targets out. What is held and until when is remembered per symbol; what
//! is really filled comes from routing.

use super::config::{Calibration, Config, Window};
use super::cost::{self, Plan};
use super::horizon_arbiter::{self, Choice, Edge};
use super::{sizing, zoo_balancer};
use crate::clock::{MINUTE, Nanos, SECOND, SessionTime};
use crate::domain::{DecisionId, Price, Qty, SymbolId};
use crate::message::{Cause, Cycle, PositionState, Target, Urgency};
use crate::pipeline::{Outbox, Stage};

/// An entry that neither filled nor works after this long is forgotten.
const ENTRY_PATIENCE: Nanos = 2 * MINUTE;
/// Flatten targets are repeated this often until routing reports flat.
const FLATTEN_EVERY: Nanos = 5 * SECOND;

/// Inputs of decision.
#[derive(Debug)]
pub enum DecisionIn {
    /// A batch with predictions.
    Cycle(Box<Cycle>),
    /// What routing knows of a symbol.
    Position(PositionState),
    /// The session grid.
    Timer(SessionTime),
}

/// Outputs of decision.
#[derive(Debug)]
pub enum DecisionOut {
    /// A target for routing.
    Target(Target),
    /// The slot, back to features.
    Recycle(Box<Cycle>),
}

/// What decision counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Cycles decided on.
    pub cycles: u64,
    /// Cycles dropped because inference was late.
    pub late_cycles: u64,
    /// Rows with at least one forecast.
    pub forecast_rows: u64,
    /// Rows whose best horizon cleared every gate.
    pub candidates: u64,
    /// Targets set.
    pub targets: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Holding {
    wanted: Qty,
    entered_at: SessionTime,
    until: SessionTime,
    free_from: SessionTime,
    notional_usd: f64,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    row: usize,
    choice: Choice,
    qty: Qty,
}

/// The decision stage.
#[derive(Debug)]
pub struct DecisionStage {
    config: Config,
    zoo: Calibration,
    window: Window,
    holdings: Vec<Holding>,
    positions: Vec<PositionState>,
    candidates: Vec<Candidate>,
    next_id: u64,
    flattened_at: SessionTime,
    counters: Counters,
}

impl DecisionStage {
    /// A stage for `symbols` symbols.
    pub fn new(config: Config, zoo: Calibration, window: Window, symbols: usize) -> Self {
        Self {
            config,
            zoo,
            window,
            holdings: vec![Holding::default(); symbols],
            positions: (0..symbols)
                .map(|i| PositionState { symbol: SymbolId(u16::try_from(i).unwrap_or(u16::MAX)), ..Default::default() })
                .collect(),
            candidates: Vec::with_capacity(symbols),
            next_id: 1,
            flattened_at: SessionTime(i64::MIN / 2),
            counters: Counters::default(),
        }
    }

    /// What it counted.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    fn on_cycle(&mut self, cycle: &Cycle, out: &mut Outbox<DecisionOut>) {
        if !cycle.in_time {
            self.counters.late_cycles += 1;
            return;
        }
        self.counters.cycles += 1;
        self.candidates.clear();
        for row in 0..cycle.rows {
            self.look_at(cycle, row, out);
        }
        if cycle.at < self.window.entries_from || cycle.at >= self.window.flat_from {
            return;
        }
        self.candidates.sort_unstable_by(|a, b| b.choice.quality.total_cmp(&a.choice.quality).then(a.row.cmp(&b.row)));
        self.enter_best(cycle, out);
    }

    /// Says with the slot, on its way back to features, which symbols must be scored in the next cycle.
    fn mark_held(&self, cycle: &mut Cycle) {
        for (held, (holding, p)) in cycle.held.iter_mut().zip(self.holdings.iter().zip(&self.positions)) {
            let busy = p.filled != Qty::ZERO || p.working != Qty::ZERO || p.unknown != Qty::ZERO;
            *held = busy || holding.wanted != Qty::ZERO;
        }
    }

    /// Ends what is due and collects a candidate.
    fn look_at(&mut self, cycle: &Cycle, row: usize, out: &mut Outbox<DecisionOut>) {
        let symbol = cycle.symbols[row];
        let Some(holding) = self.holdings.get(symbol.index()).copied() else { return };
        let position = self.positions[symbol.index()];
        let choice = self.best(cycle, row);
        let idle = position.filled == Qty::ZERO && position.working == Qty::ZERO && position.unknown == Qty::ZERO;
        if holding.wanted != Qty::ZERO {
            if idle && cycle.at - holding.entered_at > ENTRY_PATIENCE {
                self.release(symbol, cycle.at);
            } else if cycle.at >= holding.until {
                self.end_or_extend(cycle, row, choice, out);
            }
        } else if idle && !position.frozen && cycle.at >= holding.free_from {
            self.consider(row, choice);
        } else if !idle && position.filled != Qty::ZERO && cycle.at < self.window.flat_from {
            // Held without being wanted: an exit that has not finished, or a position found at the start.
            self.set_target(cycle.at, cycle.cause, symbol, Qty::ZERO, cycle.mid[row], None, Cause::Exit, out);
        }
    }

    /// The best horizon of a row, after cost. Cost is subtracted here and nowhere else.
    fn best(&mut self, cycle: &Cycle, row: usize) -> Option<(Choice, Qty)> {
        let forecasts = zoo_balancer::forecasts(cycle, row, &self.zoo, &self.config);
        if forecasts.iter().all(Option::is_none) || !cycle.mid[row].is_some() {
            return None;
        }
        self.counters.forecast_rows += 1;
        let mid = cycle.mid[row].to_f64();
        let adv = cycle.adv[row] as f64;
        let qty = sizing::shares(mid, adv, self.gross_room_usd(), &self.config);
        let half_spread_bps = f64::from(cycle.half_spread_bps[row]);
        let plan = Plan { shares: qty.0 as f64, mid, half_spread_bps, sigma_1m: f64::from(cycle.sigma_1m[row]), adv };
        let cost_bps = cost::round_trip_bps(&plan, &self.config.cost);
        if !cost_bps.is_finite() {
            return None;
        }
        let charged_bps = if self.config.cost_gate { cost_bps } else { 0.0 };
        let reserve_bps = f64::from(self.config.reserve_spread_fraction) * 2.0 * half_spread_bps;
        let edges = forecasts.map(|f| {
            f.map(|forecast| Edge { forecast, net_bps: cost::net_edge_bps(f64::from(forecast.alpha_bps), charged_bps) })
        });
        let minutes_left = (self.window.flat_from - cycle.at) / MINUTE;
        let choice = horizon_arbiter::choose(&edges, minutes_left, f64::from(self.config.adjacent_weight))?;
        (libm::fabs(choice.net_bps) >= reserve_bps).then_some((choice, qty))
    }

    fn consider(&mut self, row: usize, choice: Option<(Choice, Qty)>) {
        let Some((choice, qty)) = choice else { return };
        let short = choice.net_bps < 0.0;
        if qty == Qty::ZERO || (short && !self.config.allow_short) {
            return;
        }
        self.counters.candidates += 1;
        let qty = if short { -qty } else { qty };
        self.candidates.push(Candidate { row, choice, qty });
    }

    /// The horizon of a holding is over: the same side still has an edge → keep it; else → exit.
    fn end_or_extend(
        &mut self,
        cycle: &Cycle,
        row: usize,
        choice: Option<(Choice, Qty)>,
        out: &mut Outbox<DecisionOut>,
    ) {
        let symbol = cycle.symbols[row];
        let holding = &mut self.holdings[symbol.index()];
        if let Some((choice, _)) = choice
            && (choice.net_bps > 0.0) == (holding.wanted.0 > 0)
        {
            holding.until = cycle.at + choice.horizon.nanos();
            return;
        }
        self.release(symbol, cycle.at);
        self.set_target(cycle.at, cycle.cause, symbol, Qty::ZERO, cycle.mid[row], None, Cause::Exit, out);
    }

    fn enter_best(&mut self, cycle: &Cycle, out: &mut Outbox<DecisionOut>) {
        let held = self.holdings.iter().filter(|h| h.wanted != Qty::ZERO).count();
        let room = self.config.names_max.saturating_sub(held).min(self.config.entries_per_cycle_max);
        for i in 0..self.candidates.len().min(room) {
            let Candidate { row, choice, qty } = self.candidates[i];
            let notional_usd = cycle.mid[row].to_f64() * qty.0.abs() as f64;
            if notional_usd > self.gross_room_usd() {
                continue;
            }
            let symbol = cycle.symbols[row];
            self.holdings[symbol.index()] = Holding {
                wanted: qty,
                entered_at: cycle.at,
                until: cycle.at + choice.horizon.nanos(),
                free_from: SessionTime(0),
                notional_usd,
            };
            self.set_target(cycle.at, cycle.cause, symbol, qty, cycle.mid[row], Some(choice), Cause::Enter, out);
        }
    }

    fn gross_room_usd(&self) -> f64 {
        let used: f64 = self.holdings.iter().filter(|h| h.wanted != Qty::ZERO).map(|h| h.notional_usd).sum();
        (self.config.gross_notional_usd_max - used).max(0.0)
    }

    fn release(&mut self, symbol: SymbolId, at: SessionTime) {
        self.holdings[symbol.index()] =
            Holding { free_from: at + self.config.cooldown_s * SECOND, ..Holding::default() };
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one target, each once")]
    fn set_target(
        &mut self,
        at: SessionTime,
        cause_at: SessionTime,
        symbol: SymbolId,
        net: Qty,
        arrival: Price,
        choice: Option<Choice>,
        cause: Cause,
        out: &mut Outbox<DecisionOut>,
    ) {
        let decision = DecisionId(self.next_id);
        self.next_id += 1;
        self.counters.targets += 1;
        out.push(DecisionOut::Target(Target {
            decision,
            at,
            cause_at,
            net,
            arrival,
            net_edge_bps: choice.map_or(0.0, |c| narrow(c.net_bps)),
            symbol,
            horizon: choice.map(|c| c.horizon),
            urgency: if cause == Cause::Flatten { Urgency::Cross } else { Urgency::Normal },
            cause,
        }));
    }

    /// From the flat time on every symbol that is held or worked gets a target of zero, repeated until it is so.
    fn on_timer(&mut self, at: SessionTime, out: &mut Outbox<DecisionOut>) {
        if at < self.window.flat_from || at - self.flattened_at < FLATTEN_EVERY {
            return;
        }
        self.flattened_at = at;
        for i in 0..self.positions.len() {
            let p = self.positions[i];
            let busy = p.filled != Qty::ZERO || p.working != Qty::ZERO || p.unknown != Qty::ZERO;
            if busy || self.holdings[i].wanted != Qty::ZERO {
                self.holdings[i] = Holding::default();
                self.set_target(at, at, p.symbol, Qty::ZERO, Price::NONE, None, Cause::Flatten, out);
            }
        }
    }
}

impl Stage for DecisionStage {
    type In = DecisionIn;
    type Out = DecisionOut;

    fn on_event(&mut self, _now: SessionTime, input: DecisionIn, out: &mut Outbox<DecisionOut>) {
        match input {
            DecisionIn::Cycle(mut cycle) => {
                // Another zoo took over: its scores are read with its own scales, late cycle or not.
                if let Some(calibration) = cycle.recalibration {
                    self.zoo = calibration;
                }
                self.on_cycle(&cycle, out);
                self.mark_held(&mut cycle);
                out.push(DecisionOut::Recycle(cycle));
            }
            DecisionIn::Position(state) => {
                if let Some(known) = self.positions.get_mut(state.symbol.index())
                    && state.version >= known.version
                {
                    *known = state;
                }
            }
            DecisionIn::Timer(at) => self.on_timer(at, out),
        }
    }
}

/// A bps figure for a fact: f32 carries 7 digits, bps need 3.
#[allow(clippy::cast_possible_truncation, reason = "bps are reported, never summed")]
fn narrow(bps: f64) -> f32 {
    bps as f32
}

#[cfg(test)]
#[path = "stage_tests.rs"]
mod tests;
