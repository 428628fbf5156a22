//! Decision → routing: targets; routing → decision: position state. A target is absolute, so a stale book can't
//! double an order; only conflated state flows backward.

use crate::clock::SessionTime;
use crate::domain::{DecisionId, Horizon, Money, Price, Qty, SymbolId};

/// How eagerly routing works a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Rest at the touch's near side.
    Passive,
    /// Staged: near touch, then steps toward the far side.
    Normal,
    /// Marketable limit at once (exits at the end of the window).
    Cross,
}

/// Why a target was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A new or changed forecast position.
    Enter,
    /// The horizon of the position ended, or its edge is gone.
    Exit,
    /// The session's flat buffer began: everything goes.
    Flatten,
}

/// The position that decision wants in one symbol.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// The decision that wants it.
    pub decision: DecisionId,
    /// When it was decided.
    pub at: SessionTime,
    /// Stamp of the market event that caused it.
    pub cause_at: SessionTime,
    /// Signed shares to hold.
    pub net: Qty,
    /// Mid at the decision: arrival price of the implementation shortfall.
    pub arrival: Price,
    /// Expected return net of cost, bps, signed.
    pub net_edge_bps: f32,
    /// The symbol.
    pub symbol: SymbolId,
    /// The winning horizon; `None` for exits and flattening.
    pub horizon: Option<Horizon>,
    /// How eagerly.
    pub urgency: Urgency,
    /// Why.
    pub cause: Cause,
}

/// What routing knows of one symbol, conflated by symbol; `version` only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PositionState {
    /// When it changed.
    pub at: SessionTime,
    /// Grows with each change of this symbol.
    pub version: u64,
    /// Signed shares held.
    pub filled: Qty,
    /// Signed shares of working orders (open quantity).
    pub working: Qty,
    /// Signed worst case of orders in doubt.
    pub unknown: Qty,
    /// Average price of what is held.
    pub average: Price,
    /// Realised P&L of the session in this symbol, before commissions.
    pub realized: Money,
    /// The symbol.
    pub symbol: SymbolId,
    /// No new exposure here until reconciled.
    pub frozen: bool,
}
