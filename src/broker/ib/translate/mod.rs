//! The pure translation between ibapi's value types and the trader's facts and terms. Owns no socket, no thread
//! and no clock, so that simulations run it too. Doubt stays doubt: an unknown word is `Unknown`, a sentinel or
//! NaN is "none", and a fill is never dropped over a field that we can't read.

mod account;
mod orders;
mod ticks;
mod time;

pub use account::{AccountFigures, position};
pub use orders::{
    commission, completed_order, error, execution, named_state, open_order, order_status, order_update, status_word,
    to_contract, to_order, what_if,
};
pub use ticks::{Quotes, Touch, bar};
pub use time::{broker_time, gtd_time};

use crate::domain::{ConId, Instrument, Qty, SymbolId};

/// Who we are and what we trade: all that translation must know. Built once a session.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// Instruments, at the index of their [`SymbolId`].
    pub instruments: Vec<Instrument>,
    /// The account that every order names.
    pub account: String,
    by_con_id: Vec<(ConId, SymbolId)>,
}

impl Directory {
    /// A directory of qualified instruments, in the order of their ids.
    pub fn new(instruments: Vec<Instrument>, account: &str) -> Self {
        let mut by_con_id: Vec<_> = instruments.iter().map(|i| (i.con_id, i.id)).collect();
        by_con_id.sort_unstable();
        Self { instruments, account: account.to_string(), by_con_id }
    }

    /// The symbol of a contract id; `None` = not in our universe.
    pub fn symbol(&self, con_id: i32) -> Option<SymbolId> {
        let i = self.by_con_id.binary_search_by_key(&ConId(con_id), |(c, _)| *c).ok()?;
        Some(self.by_con_id[i].1)
    }

    /// The instrument of a symbol.
    pub fn instrument(&self, symbol: SymbolId) -> Option<&Instrument> {
        self.instruments.get(symbol.index())
    }
}

/// Largest number of shares that is believed; beyond lie sentinels.
const MAX_SHARES: f64 = 1e12;

/// Whole shares, fractions rounded away from zero (a worst case of exposure); `None` for NaN and sentinels.
pub(super) fn shares(x: f64) -> Option<Qty> {
    #[allow(clippy::cast_possible_truncation, reason = "bounded by MAX_SHARES above")]
    let whole = |x: f64| Qty(if x < 0.0 { libm::floor(x) } else { libm::ceil(x) } as i64);
    (x.is_finite() && x.abs() < MAX_SHARES).then(|| whole(x))
}
