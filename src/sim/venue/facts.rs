//! What the referee may ask of the venue: facts of the market and the books, never what a client's code thinks.

use std::collections::{BTreeMap, BTreeSet};

use super::contracts;
use super::core::Core;
use crate::clock::SECOND;
use crate::domain::{Money, Price, Qty};
use crate::sim::api::Contract;
use crate::sim::referee::{Facts, MarketFacts};

impl MarketFacts for Core {
    fn facts(&self, contract: &Contract) -> Option<Facts> {
        let r = contracts::find(self.references(), contract)?;
        let m = &self.markets[r.id.index()];
        let q = m.book.quote();
        // A client acts on what it was sent up to two seconds ago; the lowest of those bids is the fair test.
        let since = self.now - 2 * SECOND;
        let recent = m.bids.iter().rev().take_while(|(t, _)| *t >= since);
        let standing = m.bids.iter().rev().find(|(t, _)| *t < since);
        let lowest_bid = recent.chain(standing).map(|(_, b)| *b).chain([q.bid]).min().unwrap_or(q.bid);
        Some(Facts {
            symbol: r.symbol.clone(),
            reference_price: self.mark(r.id),
            lowest_bid,
            prior_close: r.prior_close,
            lowest_print: m.day_low,
            shortable: Qty(self.borrow_of(r.id).available),
            restricted_yesterday: self.carried.contains(&r.id),
        })
    }

    fn mark(&self, symbol: &str) -> Price {
        let found = self.references().iter().find(|r| r.symbol == symbol);
        found.map_or(Price::NONE, |r| Core::mark(self, r.id))
    }

    fn clients_connected(&self) -> BTreeSet<i32> {
        self.sessions.clients()
    }

    fn booked(&self) -> (Money, Money, BTreeMap<String, i64>) {
        let held = self.account.positions.iter().filter(|(_, p)| p.qty != 0);
        let positions = held.map(|(s, p)| (self.reference(*s).symbol.clone(), p.qty)).collect();
        (self.account.cash, self.account.commissions, positions)
    }

    fn order_efficiency(&self) -> f64 {
        self.efficiency.ratio()
    }
}
