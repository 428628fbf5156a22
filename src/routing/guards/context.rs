//! What a guard may look at: the intent, the book, the market, the account, the time. Read-only.

use super::{ExposureClass, Throttles};
use crate::clock::SessionTime;
use crate::domain::{ConnEpoch, Instrument, Money, Price, Qty, Side};
use crate::routing::facts::{Intent, Mode};
use crate::routing::orders::{Book, Exposure, Order};
use crate::routing::{AccountView, Limits, MarketView, SymbolMarket};

/// The standing permissions, as routing knows them at this instant.
#[derive(Clone, Copy, Debug)]
pub struct Authority {
    /// The live, reconciled or reconciling connection; `None` = down.
    pub epoch: Option<ConnEpoch>,
    /// Whether the broker is reachable behind the gateway (no 1100).
    pub broker_reachable: bool,
    /// Whether trading was armed.
    pub armed: bool,
    /// The mode.
    pub mode: Mode,
    /// Whether the book is reconciled on this connection.
    pub reconciled: bool,
    /// Whether the broker's account is the configured one.
    pub account_ok: bool,
    /// Whether the day's loss limit is latched.
    pub loss_latched: bool,
    /// Whether the day's P&L is known (each held symbol has a mark).
    pub pnl_known: bool,
    /// Whether 2148 came and nobody re-armed since.
    pub margin_warned: bool,
}

/// Everything that the chain reads.
#[derive(Debug)]
pub struct Context<'a> {
    /// What is asked.
    pub intent: &'a Intent,
    /// The order that a modify changes.
    pub present: Option<&'a Order>,
    /// The book.
    pub book: &'a Book,
    /// The whole market.
    pub market: &'a MarketView,
    /// The intent's symbol.
    pub symbol: SymbolMarket,
    /// Its contract.
    pub instrument: &'a Instrument,
    /// The account.
    pub account: &'a AccountView,
    /// Standing permissions.
    pub authority: Authority,
    /// The limits.
    pub limits: &'a Limits,
    /// Histories of what was sent.
    pub throttles: &'a Throttles,
    /// The symbol's shares before the intent.
    pub exposure: Exposure,
    /// Session time.
    pub now: SessionTime,
}

impl Context<'_> {
    /// The intent's side.
    pub const fn side(&self) -> Side {
        self.intent.terms.side
    }

    /// The limit, `NONE` for a market order.
    pub fn limit(&self) -> Price {
        self.intent.terms.kind.limit().unwrap_or(Price::NONE)
    }

    /// Shares that the present order reserves already.
    pub fn reserved(&self) -> i64 {
        self.present.map_or(0, |o| o.open().0)
    }

    /// Shares that may fill after the intent: the new open quantity.
    pub fn open_after(&self) -> i64 {
        self.intent.terms.qty.0.saturating_sub(self.present.map_or(0, |o| o.filled.0))
    }

    /// The symbol's shares if the intent were sent. A modify reserves the worse of old and new terms.
    pub fn exposure_after(&self) -> Exposure {
        let extra = (self.open_after() - self.reserved()).max(0);
        let mut x = self.exposure;
        match self.side() {
            Side::Buy => x.working_buy = x.working_buy.saturating_add(extra),
            Side::Sell => x.working_sell = x.working_sell.saturating_add(extra),
        }
        x
    }

    /// The price that values the intent: the higher of limit and mark, so that a low limit hides nothing.
    pub fn value_price(&self) -> Price {
        self.limit().max(self.symbol.mark())
    }

    /// Dollars of `shares` at `value_price`; `None` without a price or on overflow.
    pub fn value(&self, shares: i64) -> Option<Money> {
        let price = self.value_price();
        if price.is_some() { price.notional(Qty(shares)) } else { None }
    }

    /// The smaller of equity and its cap.
    pub fn equity(&self) -> Option<Money> {
        self.account.net_liquidation().map(|m| m.min(crate::routing::config::usd(self.limits.equity_cap_usd)))
    }

    /// Half limits while degraded.
    pub fn scaled(&self, limit: i64) -> i64 {
        if self.authority.mode == Mode::Degraded { limit / 2 } else { limit }
    }

    /// Whether the intent can only shrink the position that is held: it is on the other side, and with every other
    /// open or doubtful order on its side it does not reach through zero. Computed here, never believed.
    pub fn classify(&self) -> ExposureClass {
        let held = self.exposure.filled.saturating_add(self.exposure.external);
        let against = held != 0 && Side::of(held) != self.side() && self.exposure.filled.signum() == held.signum();
        let others = self.exposure.open(self.side()) - self.reserved();
        let open = self.open_after().max(self.reserved());
        if against && others.saturating_add(open) <= held.abs() {
            ExposureClass::Reduces
        } else {
            ExposureClass::Raises
        }
    }
}
