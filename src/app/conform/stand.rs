//! The venue that a conversation is played against, built from its fixture, and the market that the player moves.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::Context;

use super::fixture::{Fixture, Traded};
use crate::clock::{MINUTE, SessionTime};
use crate::domain::calendar::{Date, RegularHours, next_trading_day, previous_trading_day, regular_hours};
use crate::domain::{ConId, Money, Price, Qty, SymbolId};
use crate::sim::market::{Bar, MarketSource, Quote, RawBody, RawEvent, Reference};
use crate::sim::venue::{Base, Delays, Entitlements, Holding, Rules, Venue, VenueConfig};

/// Trading days of one-minute bars before the conversation.
const HISTORY_DAYS: usize = 3;
/// Shares that can be borrowed where nothing tells.
const SHORTABLE: i64 = 5_000_000;
/// Shares shown on each side of a quote.
const DISPLAYED: i64 = 1_000;

/// The market: what the player sends, in its order.
struct Script {
    references: Vec<Reference>,
    hours: RegularHours,
    start: SessionTime,
    history: Vec<Vec<Bar>>,
    inbox: Receiver<RawEvent>,
    waiting: VecDeque<RawEvent>,
}

impl Script {
    fn fetch(&mut self) {
        self.waiting.extend(self.inbox.try_iter());
    }
}

impl MarketSource for Script {
    fn references(&self) -> &[Reference] {
        &self.references
    }
    fn hours(&self) -> RegularHours {
        self.hours
    }
    fn start(&self) -> SessionTime {
        self.start
    }
    fn history(&self, symbol: SymbolId) -> &[Bar] {
        self.history.get(symbol.index()).map_or(&[], Vec::as_slice)
    }
    fn next_time(&mut self) -> Option<SessionTime> {
        self.fetch();
        self.waiting.front().map(|e| e.time)
    }
    fn next_until(&mut self, t: SessionTime) -> Option<RawEvent> {
        self.fetch();
        if self.waiting.front()?.time <= t { self.waiting.pop_front() } else { None }
    }
}

/// A market that the player moves.
#[derive(Debug)]
pub(super) struct Market {
    outbox: Sender<RawEvent>,
    /// Contract ids in the order of symbols.
    con_ids: Vec<i32>,
}

impl Market {
    /// Sets the quote of a contract.
    pub(super) fn quote(&self, time: SessionTime, con_id: i32, bid: f64, ask: f64, shares: i64) {
        let quote = Quote {
            bid: Price::from_f64(bid),
            bid_size: Qty(shares),
            ask: Price::from_f64(ask),
            ask_size: Qty(shares),
        };
        self.send(time, con_id, RawBody::Quote(quote));
    }

    /// A print.
    pub(super) fn trade(&self, time: SessionTime, con_id: i32, price: f64) {
        self.send(time, con_id, RawBody::Trade { price: Price::from_f64(price), size: Qty(1) });
    }

    fn send(&self, time: SessionTime, con_id: i32, body: RawBody) {
        let Some(index) = self.con_ids.iter().position(|c| *c == con_id) else { return };
        let Ok(index) = u16::try_from(index) else { return };
        let _ = self.outbox.send(RawEvent { time, symbol: SymbolId(index), body });
    }
}

/// The regular hours of the day that an instant belongs to, or of the next trading day.
fn hours_at(t: SessionTime) -> Option<RegularHours> {
    let date = Date::new_york(t);
    regular_hours(date).or_else(|| next_trading_day(date).and_then(regular_hours))
}

/// Builds the venue, which begins at `opens`, before the conversation.
///
/// # Errors
/// The fixture's start is on no day of the calendar.
pub(super) fn venue(fixture: &Fixture, opens: SessionTime) -> anyhow::Result<(Venue, Market)> {
    let hours = hours_at(fixture.start).context("the conversation's day is not in the calendar (2025-2027)")?;
    let references: Vec<Reference> = (0..)
        .zip(&fixture.contracts)
        .map(|(i, c)| Reference {
            id: SymbolId(i),
            symbol: c.symbol.clone(),
            con_id: ConId(c.con_id),
            primary_exchange: c.primary_exchange.clone(),
            prior_close: Price::from_f64(c.close),
            adv: Qty(10_000_000),
            shortable: Qty(c.shortable.unwrap_or(SHORTABLE)),
        })
        .collect();
    let past = |c: &Traded| if c.quoted { bars(Price::from_f64(c.bid), opens, hours) } else { Vec::new() };
    let history = fixture.contracts.iter().map(past).collect();
    let (outbox, inbox) = channel();
    let market = Market { outbox, con_ids: fixture.contracts.iter().map(|c| c.con_id).collect() };
    let source = Script { references, hours, start: opens, history, inbox, waiting: VecDeque::new() };
    let config = VenueConfig {
        account: fixture.account.clone(),
        cash: Money::from_f64(fixture.cash).context("the fixture's cash is no amount")?,
        // Usual delays without the rare long one: a conversation's order is what counts.
        delays: Delays { tail_one_in: 0, ..Delays::default() },
        rules: Rules {
            base: Base { currency: fixture.base_currency.clone(), per_usd: fixture.base_per_usd },
            ..Rules::default()
        },
        entitlements: entitlements(fixture.entitled)?,
        executions_end_when_empty: fixture.executions_end_when_empty,
        farms: fixture.farms.clone(),
        holdings: fixture
            .positions
            .iter()
            .map(|p| Holding {
                symbol: p.symbol.clone(),
                shares: p.shares,
                average_cost: Money::from_f64(p.average_cost).unwrap_or(Money(0)),
            })
            .collect(),
        ..VenueConfig::default()
    };
    let venue = Venue::new(config, Box::new(source), 1);
    for c in fixture.contracts.iter().filter(|c| c.quoted) {
        market.quote(opens, c.con_id, c.bid, c.ask, DISPLAYED);
    }
    Ok((venue, market))
}

/// Everything in real time, or everything late.
fn entitlements(entitled: bool) -> anyhow::Result<Entitlements> {
    let mut e = Entitlements::default();
    for network in if entitled { &[][..] } else { &["A=delayed", "B=delayed", "C=delayed"] } {
        e.set(network).map_err(anyhow::Error::msg)?;
    }
    Ok(e)
}

/// One-minute bars of regular hours at one price: some trading days, and the day so far.
fn bars(price: Price, until: SessionTime, today: RegularHours) -> Vec<Bar> {
    let mut days = vec![today];
    let mut date = Date::new_york(today.open);
    while days.len() <= HISTORY_DAYS {
        let Some(previous) = previous_trading_day(date) else { break };
        date = previous;
        days.extend(regular_hours(previous));
    }
    let mut list = Vec::new();
    for day in days.iter().rev() {
        let mut t = day.open;
        while t < day.close && t + MINUTE <= until {
            list.push(Bar::of(t, price, Qty(1_000)));
            t = t + MINUTE;
        }
    }
    list
}
