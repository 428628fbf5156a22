//! The chain: every guard, in order, with what a reduction does about it and why. One table, read top to bottom.

use super::{
    Approved, Authority, Context, ExposureClass, RateLimiter, Reject, Throttles, exposure_guards, margin_gate,
    market_guards, pre_trade_guards as pre, short_sale_guard,
};
use crate::clock::SessionTime;
use crate::domain::Instrument;
use crate::routing::config::secs;
use crate::routing::facts::Intent;
use crate::routing::orders::Book;
use crate::routing::{AccountView, Limits, MarketView};

type Check = fn(&Context<'_>) -> Result<(), Reject>;

/// What a guard does about an order that can only reduce a position.
#[derive(Clone, Copy, Debug)]
pub enum OnReduction {
    /// The same check.
    Same,
    /// Another check in its place.
    Instead(Check),
    /// None, for this reason.
    Skipped(&'static str),
}

/// One guard.
#[derive(Clone, Copy, Debug)]
pub struct Guard {
    /// Its name.
    pub name: &'static str,
    /// The check for anything that may raise exposure.
    pub check: Check,
    /// What it does about reductions.
    pub on_reduction: OnReduction,
}

const fn guard(name: &'static str, check: Check, on_reduction: OnReduction) -> Guard {
    Guard { name, check, on_reduction }
}

use OnReduction::{Instead, Same, Skipped};

/// All guards, in order; the first that objects names the reason. Pacing comes last, in [`Guards::check`].
pub const CHAIN: &[Guard] = &[
    guard("link", pre::link, Same),
    guard("account", pre::account, Same),
    guard("ttl", pre::alive, Same),
    guard("armed", pre::armed, Skipped("observing and disarmed still close what is held")),
    guard("reconciled", pre::reconciled, Skipped("the worst case already counts what is in doubt")),
    guard("frozen", pre::not_frozen, Skipped("a reduction fits beside every order in doubt, or it is none")),
    guard("session", pre::session, Instead(pre::session_to_reduce)),
    guard("size", pre::size, Same),
    guard("price", pre::price, Same),
    guard("notional", pre::notional, Skipped("shares are capped; a price jump must not trap a position")),
    guard("position", exposure_guards::position, Skipped("it lowers the position")),
    guard("name", exposure_guards::name, Skipped("it lowers the position")),
    guard("gross", exposure_guards::gross, Skipped("it lowers the position")),
    guard("net", exposure_guards::net, Skipped("one leg out may unbalance the rest for a moment")),
    guard("quote", market_guards::quote, Skipped("a position must be closable on bad data")),
    guard("quote age", market_guards::quote_age, Skipped("a position must be closable on old data")),
    guard("spread", market_guards::spread, Skipped("a wide market is no reason to stay in it")),
    guard("collar nbbo", market_guards::collar_nbbo, Skipped("the wide collar below stands in for it")),
    guard("collar reference", market_guards::collar_reference, Instead(market_guards::collar_to_reduce)),
    guard("tick", pre::min_tick, Same),
    guard("halted", market_guards::halted, Skipped("it rests at the broker until trading resumes")),
    guard("active orders", pre::active_orders, Skipped("IB's own limit leaves five places above ours")),
    guard("self trade", pre::self_trade, Same),
    guard("duplicate", pre::duplicate, Skipped("the book bounds it: no reduction beyond the position")),
    guard("repeated", pre::repeated, Skipped("it counts entries")),
    guard("efficiency", pre::efficiency, Skipped("a ratio is no reason to keep a position")),
    guard("daily loss", exposure_guards::daily_loss, Skipped("losing positions must close")),
    guard("short sale", short_sale_guard::short_sale, Same),
    guard("margin", margin_gate::margin, Skipped("it frees margin")),
];

/// The chain with its histories.
#[derive(Debug)]
pub struct Guards {
    limits: Limits,
    rate: RateLimiter,
    throttles: Throttles,
}

/// What a check reads besides the guards' own histories.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The book.
    pub book: &'a Book,
    /// The market.
    pub market: &'a MarketView,
    /// The account.
    pub account: &'a AccountView,
    /// The contract of the intent's symbol.
    pub instrument: &'a Instrument,
    /// Standing permissions.
    pub authority: Authority,
}

impl Guards {
    /// The chain over `symbols` symbols.
    pub fn new(limits: Limits, symbols: usize) -> Self {
        let rate = RateLimiter::new(limits.messages_per_s, limits.messages_per_100ms, limits.messages_reserve);
        let throttles = Throttles::new(symbols, limits.repeat_entries_max, secs(limits.repeat_window_s));
        Self { limits, rate, throttles }
    }

    /// Judges one intent. Changes nothing: what was approved is noted by [`Guards::sent`].
    pub fn check(&self, intent: Intent, facts: &Facts<'_>, now: SessionTime) -> Result<Approved, Reject> {
        let symbol = intent.terms.symbol;
        if !facts.book.covers(symbol) {
            return Err(Reject::Frozen);
        }
        let present = if intent.modifies { facts.book.order(intent.terms.order_id) } else { None };
        let context = Context {
            intent: &intent,
            present,
            book: facts.book,
            market: facts.market,
            symbol: facts.market.get(symbol),
            instrument: facts.instrument,
            account: facts.account,
            authority: facts.authority,
            limits: &self.limits,
            throttles: &self.throttles,
            exposure: facts.book.exposure(symbol),
            now,
        };
        let class = context.classify();
        for g in CHAIN {
            match (class, g.on_reduction) {
                (ExposureClass::Reduces, Skipped(_)) => {}
                (ExposureClass::Reduces, Instead(check)) => check(&context)?,
                _ => (g.check)(&context)?,
            }
        }
        if !self.rate.allows(now, class == ExposureClass::Reduces) {
            return Err(Reject::Pacing);
        }
        Ok(Approved::new(intent, class))
    }

    /// A cancel needs the connection and a place in the message budget, nothing else.
    pub fn check_cancel(&self, intent: Intent, authority: &Authority, now: SessionTime) -> Result<Approved, Reject> {
        if authority.epoch != Some(intent.epoch) {
            return Err(Reject::Link);
        }
        if !self.rate.allows(now, true) {
            return Err(Reject::Pacing);
        }
        Ok(Approved::new(intent, ExposureClass::Cancels))
    }

    /// Notes what goes out.
    pub fn sent(&mut self, approved: &Approved, now: SessionTime) {
        self.rate.record(now);
        self.throttles.efficiency.messages += 1;
        let intent = approved.intent();
        if approved.class() != ExposureClass::Cancels && !intent.modifies {
            let t = &intent.terms;
            let limit = t.kind.limit().unwrap_or_default();
            self.throttles.on_order((t.symbol, t.side, t.qty, limit), approved.raises_exposure(), now);
        }
    }

    /// An order had its first fill.
    pub fn executed(&mut self) {
        self.throttles.efficiency.executed += 1;
    }

    /// The histories, to latch and re-arm.
    pub fn throttles_mut(&mut self) -> &mut Throttles {
        &mut self.throttles
    }

    /// The limits.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }
}
