//! One symbol's matching against the replayed market. Pure: no ids but permanent ones, no accounts, no messages.
//!
//! **Model** (assumed, and leaning against the trader):
//! * A marketable order takes the displayed size at the touch and no more; what it took is gone until that side of
//!   the quote changes. The rest of a limit rests, the rest of a market order waits for the next quote.
//! * A resting limit stands behind the displayed size at its price. It fills when a print goes through it, when prints
//!   at its price have used up what stood before it, or when the opposite quote comes to it. Cancels ahead of it are
//!   seen only when the displayed size falls below its place.
//! * A resting order fills at its own price, a marketable one at the quote. Orders of the client never move the market
//!   and never meet each other.
//! * An all-or-none order fills whole or not at all, and holds no place. An iceberg stands with what it shows: once that
//!   is gone the next part goes behind what the touch shows then.
//! * Outside the price bands nothing trades: an order through a band stands at the band.

use crate::domain::{Price, Side};
use crate::sim::market::Quote;

/// A fill found by the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) perm: i64,
    pub(super) price: Price,
    pub(super) qty: i64,
    /// Whether the order added liquidity.
    pub(super) maker: bool,
}

/// An order in the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resting {
    pub(super) perm: i64,
    pub(super) side: Side,
    /// `None` = market.
    pub(super) limit: Option<Price>,
    pub(super) remaining: i64,
    /// All of it at once or nothing.
    all_or_none: bool,
    /// Shares shown at a time; 0 = all.
    display: i64,
    /// What is left of the part shown.
    shown: i64,
    /// Shares that stand before it at its price; `None` until its price has been the touch.
    queue: Option<i64>,
    /// Whether it has stood away from the opposite quote.
    passive: bool,
}

/// An order as it comes to the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) perm: i64,
    pub(super) side: Side,
    /// `None` = market.
    pub(super) limit: Option<Price>,
    pub(super) remaining: i64,
    /// All of it at once or nothing.
    pub(super) all_or_none: bool,
    /// Shares shown at a time; 0 = all.
    pub(super) display: i64,
}

/// The book of one symbol.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    quote: Quote,
    /// Lower and upper price band; none = no bands.
    bands: (Price, Price),
    left_bid: i64,
    left_ask: i64,
    /// Best first within each side, then by arrival.
    resting: Vec<Resting>,
}

impl Book {
    pub(super) fn quote(&self) -> Quote {
        self.quote
    }

    /// Sets the price bands.
    pub(super) fn set_bands(&mut self, lower: Price, upper: Price) {
        self.bands = (lower, upper);
    }

    /// The price bands; none before they are set.
    pub(super) fn bands(&self) -> (Price, Price) {
        self.bands
    }

    /// Whether an order of `side` may trade at `price` under the bands.
    fn in_bands(&self, side: Side, price: Price) -> bool {
        let (lower, upper) = self.bands;
        !upper.is_some() || if side == Side::Buy { price <= upper } else { price >= lower }
    }

    /// Takes what the touch shows: (price, shares), if `limit` allows and at least `least` shares are left there.
    pub(super) fn take(&mut self, side: Side, limit: Option<Price>, qty: i64, least: i64) -> Option<(Price, i64)> {
        let touch = self.opposite(side).0;
        let banned = !self.in_bands(side, touch);
        let (price, left) = self.opposite(side);
        if banned || !price.is_some() || !reaches(side, limit, price) || *left < least.max(1) || qty <= 0 {
            return None;
        }
        let got = qty.min(*left);
        *left -= got;
        Some((price, got))
    }

    /// Puts an order (back) into the book, behind what is there.
    pub(super) fn rest(&mut self, entry: Entry) {
        let Entry { perm, side, limit, remaining, all_or_none, display } = entry;
        let (ask, _) = self.opposite(side);
        let passive = limit.is_some() && !(ask.is_some() && reaches(side, limit, ask));
        let (touch, size) = self.own_touch(side);
        let queue = limit.and_then(|l| {
            if l == touch {
                Some(size)
            } else if better(side, l, touch) {
                Some(0)
            } else {
                None
            }
        });
        let shown = if display > 0 { display.min(remaining) } else { remaining };
        let order = Resting { perm, side, limit, remaining, all_or_none, display, shown, queue, passive };
        let at = self.resting.partition_point(|r| rank(r) <= rank(&order));
        self.resting.insert(at, order);
    }

    /// Takes an order out; its remaining shares if it was there.
    pub(super) fn remove(&mut self, perm: i64) -> Option<Resting> {
        let at = self.resting.iter().position(|r| r.perm == perm)?;
        Some(self.resting.remove(at))
    }

    /// Puts an order that was just removed back as it was.
    pub(super) fn put_back(&mut self, order: Resting) {
        let at = self.resting.partition_point(|r| rank(r) <= rank(&order));
        self.resting.insert(at, order);
    }

    /// Fewer shares for an order, keeping its place.
    pub(super) fn shrink(&mut self, perm: i64, remaining: i64) {
        if let Some(r) = self.resting.iter_mut().find(|r| r.perm == perm) {
            r.remaining = remaining;
            r.shown = r.shown.min(remaining);
        }
    }

    /// A new quote that matches nothing: trading is halted.
    pub(super) fn set_quote(&mut self, quote: Quote) {
        if (quote.bid, quote.bid_size) != (self.quote.bid, self.quote.bid_size) {
            self.left_bid = quote.bid_size.0;
        }
        if (quote.ask, quote.ask_size) != (self.quote.ask, self.quote.ask_size) {
            self.left_ask = quote.ask_size.0;
        }
        self.quote = quote;
    }

    /// A new quote; matches it causes go to `out`.
    pub(super) fn on_quote(&mut self, quote: Quote, out: &mut Vec<Match>) {
        self.set_quote(quote);
        if self.resting.is_empty() {
            return;
        }
        for i in 0..self.resting.len() {
            let r = self.resting[i];
            let touch = self.opposite(r.side).0;
            let banned = !self.in_bands(r.side, touch);
            let price = r.limit.filter(|_| r.passive).map(|l| self.banded(r.side, l));
            let (opposite, left) = self.opposite(r.side);
            let meets = opposite.is_some() && reaches(r.side, r.limit, opposite) && !banned;
            if meets && *left >= least(&r) {
                let qty = r.remaining.min(*left);
                *left -= qty;
                out.push(Match { perm: r.perm, price: price.unwrap_or(opposite), qty, maker: r.passive });
                self.resting[i].take(qty);
            } else if !meets {
                self.resting[i].passive = r.limit.is_some();
                self.requeue(i);
            }
        }
        self.resting.retain(|r| r.remaining > 0);
    }

    /// A print; matches it causes go to `out`.
    pub(super) fn on_trade(&mut self, price: Price, size: i64, out: &mut Vec<Match>) {
        if self.resting.is_empty() || size <= 0 {
            return;
        }
        let (mut buys, mut sells) = (size, size);
        for i in 0..self.resting.len() {
            let touch = self.own_touch(self.resting[i].side).1;
            let Some(limit) = self.resting[i].limit.filter(|_| self.resting[i].passive) else { continue };
            let limit = self.banded(self.resting[i].side, limit);
            let r = &mut self.resting[i];
            let pool = if r.side == Side::Buy { &mut buys } else { &mut sells };
            if r.all_or_none && *pool < r.remaining {
                continue;
            }
            if limit == price && !r.all_or_none {
                // Where its price never was the touch, what stands before it is unknown: only a print through it fills.
                let Some(queue) = &mut r.queue else { continue };
                let used = (*queue).min(*pool);
                *queue -= used;
                *pool -= used;
            } else if !better(r.side, limit, price) {
                continue;
            }
            let qty = r.shown.min(*pool);
            if qty > 0 {
                *pool -= qty;
                r.take(qty);
                if r.display > 0 && r.shown == r.display.min(r.remaining) {
                    // The next part goes behind what is there.
                    r.queue = Some(touch);
                }
                out.push(Match { perm: r.perm, price: limit, qty, maker: true });
            }
        }
        self.resting.retain(|r| r.remaining > 0);
    }

    /// A limit no further than the bands let it stand.
    fn banded(&self, side: Side, limit: Price) -> Price {
        let (lower, upper) = self.bands;
        match side {
            _ if !upper.is_some() => limit,
            Side::Buy => limit.min(upper),
            Side::Sell => limit.max(lower),
        }
    }

    /// The opposite touch and what is left of it.
    fn opposite(&mut self, side: Side) -> (Price, &mut i64) {
        match side {
            Side::Buy => (self.quote.ask, &mut self.left_ask),
            Side::Sell => (self.quote.bid, &mut self.left_bid),
        }
    }

    /// The touch on the order's own side and its displayed size.
    fn own_touch(&self, side: Side) -> (Price, i64) {
        match side {
            Side::Buy => (self.quote.bid, self.quote.bid_size.0),
            Side::Sell => (self.quote.ask, self.quote.ask_size.0),
        }
    }

    /// Moves an order's place by what the quote shows.
    fn requeue(&mut self, i: usize) {
        let r = self.resting[i];
        let (touch, size) = self.own_touch(r.side);
        let Some(limit) = r.limit else { return };
        if limit == touch {
            self.resting[i].queue = Some(r.queue.map_or(size, |q| q.min(size)));
        } else if better(r.side, limit, touch) {
            self.resting[i].queue = Some(0);
        }
    }
}

impl Resting {
    /// Takes shares off it; an iceberg whose part is gone shows the next.
    fn take(&mut self, qty: i64) {
        self.remaining -= qty;
        self.shown -= qty;
        if self.shown <= 0 {
            self.shown = if self.display > 0 { self.display.min(self.remaining) } else { self.remaining };
        }
    }
}

/// Fewest shares that may trade of it.
fn least(r: &Resting) -> i64 {
    if r.all_or_none { r.remaining } else { 1 }
}

/// Whether an order limited to `limit` may trade at `price`.
fn reaches(side: Side, limit: Option<Price>, price: Price) -> bool {
    limit.is_none_or(|l| match side {
        Side::Buy => l >= price,
        Side::Sell => l <= price,
    })
}

/// Whether `a` is strictly more aggressive than `b` on `side`; no price at all is worst.
fn better(side: Side, a: Price, b: Price) -> bool {
    !b.is_some()
        || match side {
            Side::Buy => a > b,
            Side::Sell => a < b,
        }
}

/// Order of service: market orders, then by price, then by arrival (the insertion keeps it).
fn rank(r: &Resting) -> (bool, i64) {
    let key = r.limit.map_or(i64::MIN, |l| -r.side.sign() * l.0);
    (r.side == Side::Sell, key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Qty;

    const CENT: i64 = 10_000;

    fn quote(bid: i64, bid_size: i64, ask: i64, ask_size: i64) -> Quote {
        Quote { bid: Price(bid * CENT), bid_size: Qty(bid_size), ask: Price(ask * CENT), ask_size: Qty(ask_size) }
    }

    fn entry(perm: i64, side: Side, limit: Option<Price>, remaining: i64) -> Entry {
        Entry { perm, side, limit, remaining, all_or_none: false, display: 0 }
    }

    fn book(q: Quote) -> Book {
        let mut b = Book::default();
        b.on_quote(q, &mut Vec::new());
        b
    }

    #[test]
    fn a_taker_gets_the_displayed_size_once() {
        let mut b = book(quote(1000, 300, 1001, 200));
        let at = |p: i64| Some(Price(p * CENT));
        assert_eq!(b.take(Side::Buy, at(1000), 50, 1), None, "not marketable");
        assert_eq!(b.take(Side::Buy, at(1002), 150, 1), Some((Price(1001 * CENT), 150)));
        assert_eq!(b.take(Side::Buy, None, 150, 1), Some((Price(1001 * CENT), 50)));
        assert_eq!(b.take(Side::Buy, None, 100, 1), None, "used up");
        b.on_quote(quote(999, 300, 1001, 200), &mut Vec::new());
        assert_eq!(b.take(Side::Buy, None, 100, 1), None, "the other side moving shows nothing new");
        b.on_quote(quote(999, 300, 1001, 100), &mut Vec::new());
        assert_eq!(b.take(Side::Buy, None, 500, 1), Some((Price(1001 * CENT), 100)));
    }

    #[test]
    fn a_resting_order_waits_for_its_queue() {
        let mut b = book(quote(1000, 300, 1001, 200));
        b.rest(entry(1, Side::Buy, Some(Price(1000 * CENT)), 100));
        let mut out = Vec::new();
        b.on_trade(Price(1000 * CENT), 250, &mut out);
        b.on_trade(Price(1001 * CENT), 250, &mut out);
        assert_eq!(out, [], "250 of the 300 before it are gone");
        b.on_trade(Price(1000 * CENT), 80, &mut out);
        let fill = |qty| Match { perm: 1, price: Price(1000 * CENT), qty, maker: true };
        assert_eq!(out, [fill(30)]);
        b.on_trade(Price(999 * CENT), 500, &mut out);
        assert_eq!(out[1..], [fill(70)], "a print through it fills at its own price");
        assert_eq!(b.remove(1), None, "filled orders leave the book");
    }

    #[test]
    fn a_price_that_never_was_the_touch_fills_only_through_it() {
        let mut b = book(quote(1000, 300, 1001, 200));
        b.rest(entry(1, Side::Sell, Some(Price(1005 * CENT)), 100));
        let mut out = Vec::new();
        b.on_trade(Price(1005 * CENT), 900, &mut out);
        assert_eq!(out, []);
        b.on_trade(Price(1006 * CENT), 40, &mut out);
        assert_eq!(out, [Match { perm: 1, price: Price(1005 * CENT), qty: 40, maker: true }]);
    }

    #[test]
    fn the_opposite_quote_coming_to_it_fills_a_resting_order_at_its_price() {
        let mut b = book(quote(1000, 300, 1002, 200));
        b.rest(entry(1, Side::Buy, Some(Price(1001 * CENT)), 500));
        let mut out = Vec::new();
        b.on_quote(quote(998, 100, 999, 120), &mut out);
        assert_eq!(out, [Match { perm: 1, price: Price(1001 * CENT), qty: 120, maker: true }]);
    }

    #[test]
    fn a_market_remainder_takes_the_next_quote() {
        let mut b = book(quote(1000, 300, 1001, 200));
        assert_eq!(b.take(Side::Sell, None, 400, 1), Some((Price(1000 * CENT), 300)));
        b.rest(entry(7, Side::Sell, None, 100));
        let mut out = Vec::new();
        b.on_trade(Price(1000 * CENT), 900, &mut out);
        assert_eq!(out, [], "prints do not serve it");
        b.on_quote(quote(999, 60, 1001, 200), &mut out);
        b.on_quote(quote(998, 60, 1001, 200), &mut out);
        let fill = |p: i64, qty| Match { perm: 7, price: Price(p * CENT), qty, maker: false };
        assert_eq!(out, [fill(999, 60), fill(998, 40)]);
    }

    #[test]
    fn better_price_is_served_first_then_earlier_arrival() {
        let mut b = book(quote(1000, 100, 1010, 100));
        b.rest(entry(1, Side::Buy, Some(Price(1001 * CENT)), 50));
        b.rest(entry(2, Side::Buy, Some(Price(1002 * CENT)), 50));
        b.rest(entry(3, Side::Buy, Some(Price(1002 * CENT)), 50));
        let mut out = Vec::new();
        b.on_trade(Price(1000 * CENT), 120, &mut out);
        assert_eq!(out.iter().map(|m| (m.perm, m.qty)).collect::<Vec<_>>(), [(2, 50), (3, 50), (1, 20)]);
    }

    #[test]
    fn an_all_or_none_order_waits_for_all_of_its_shares() {
        let mut b = book(quote(1000, 300, 1002, 200));
        assert_eq!(b.take(Side::Buy, None, 300, 300), None, "200 are not 300");
        b.rest(Entry { all_or_none: true, ..entry(1, Side::Buy, Some(Price(1001 * CENT)), 300) });
        let mut out = Vec::new();
        b.on_trade(Price(1000 * CENT), 299, &mut out);
        b.on_quote(quote(999, 100, 1001, 299), &mut out);
        assert_eq!(out, []);
        b.on_quote(quote(999, 100, 1001, 300), &mut out);
        assert_eq!(out, [Match { perm: 1, price: Price(1001 * CENT), qty: 300, maker: true }]);
    }

    #[test]
    fn an_iceberg_shows_a_part_and_the_next_goes_behind() {
        let mut b = book(quote(1000, 300, 1001, 200));
        b.rest(Entry { display: 100, ..entry(1, Side::Buy, Some(Price(1000 * CENT)), 250) });
        let mut out = Vec::new();
        b.on_trade(Price(1000 * CENT), 500, &mut out);
        assert_eq!(out.iter().map(|m| m.qty).collect::<Vec<_>>(), [100], "300 before it, then what it shows");
        b.on_trade(Price(1000 * CENT), 300, &mut out);
        assert_eq!(out.len(), 1, "behind the 300 that the touch shows");
        b.on_trade(Price(1000 * CENT), 100, &mut out);
        assert_eq!(out.iter().map(|m| m.qty).collect::<Vec<_>>(), [100, 100]);
    }

    #[test]
    fn nothing_trades_outside_the_bands() {
        let mut b = book(quote(1000, 300, 1060, 200));
        b.set_bands(Price(950 * CENT), Price(1050 * CENT));
        assert_eq!(b.take(Side::Buy, None, 100, 1), None);
        b.rest(entry(1, Side::Buy, Some(Price(1070 * CENT)), 100));
        let mut out = Vec::new();
        b.on_trade(Price(1060 * CENT), 500, &mut out);
        assert_eq!(out, [], "a print above the band is none of its own");
        b.on_quote(quote(1000, 300, 1049, 200), &mut out);
        assert_eq!(out.iter().map(|m| (m.qty, m.price <= Price(1050 * CENT))).collect::<Vec<_>>(), [(100, true)]);
    }

    proptest::proptest! {
        /// Of one quote no more than it shows is ever filled, of one print no more than its size on each side.
        #[test]
        fn fills_never_exceed_what_was_shown(
            orders in proptest::collection::vec((proptest::bool::ANY, -6_i64..6, 1_i64..400, 0_i64..60, proptest::bool::ANY), 1..12),
            events in proptest::collection::vec((proptest::bool::ANY, -5_i64..5, 1_i64..300), 1..60),
        ) {
            let mut b = book(quote(1000, 300, 1001, 200));
            for (i, (buy, off, qty, display, all)) in (1_i64..).zip(orders) {
                let side = if buy { Side::Buy } else { Side::Sell };
                let e = entry(i, side, Some(Price((1000 + off) * CENT)), qty);
                b.rest(Entry { display: if all { 0 } else { display.min(qty) }, all_or_none: all, ..e });
            }
            for (is_quote, off, size) in events {
                let mut out = Vec::new();
                if is_quote {
                    b.on_quote(quote(1000 + off, size, 1001 + off, size), &mut out);
                } else {
                    b.on_trade(Price((1000 + off) * CENT), size, &mut out);
                }
                let filled: i64 = out.iter().map(|m| m.qty).sum();
                proptest::prop_assert!(filled <= 2 * size, "{filled} of {size} on each side");
                proptest::prop_assert!(out.iter().all(|m| m.qty > 0));
            }
        }
    }
}
