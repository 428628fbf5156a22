//! Market depth: a ladder around the best bid and offer, and the row operations that keep a client's copy equal to it.
//!
//! **The ladder is synthetic** (assumed; the data holds the touch only): row k of a side lies k ticks behind the touch.
//! Row 0 shows the touch's size; behind it the size depends on symbol and price alone, so that a price level keeps its
//! size while the touch moves: `100 × (1 + hash mod 9 + 2k)` shares. The market maker or, in smart depth, the exchange
//! of a row depends on the price likewise.

use super::contracts::tick_at;
use crate::domain::{Price, SymbolId};
use crate::sim::api::DepthRow;
use crate::sim::market::Quote;
use crate::sim::market::rng::Draw;

/// Most rows of a subscription.
pub(super) const ROWS_MAX: usize = 20;
/// Names of rows with market makers.
const MAKERS: [&str; 4] = ["NSDQ", "ARCX", "BATS", "EDGX"];
/// Exchanges of smart depth.
const EXCHANGES: [&str; 4] = ["NASDAQ", "ARCA", "BATS", "IEX"];

const INSERT: i32 = 0;
const UPDATE: i32 = 1;
const DELETE: i32 = 2;

/// How a subscription names its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// Not at all.
    Plain,
    /// Market makers.
    Makers,
    /// Exchanges: smart depth.
    Smart,
}

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Level {
    price: Price,
    size: i64,
    name: &'static str,
}

/// One subscription's copy of the book: asks, then bids.
#[derive(Clone, Debug)]
pub(super) struct Depth {
    pub(super) naming: Naming,
    rows: usize,
    sent: [Vec<Level>; 2],
}

impl Depth {
    pub(super) fn new(naming: Naming, rows: i32) -> Self {
        let rows = usize::try_from(rows).unwrap_or(1).clamp(1, ROWS_MAX);
        Self { naming, rows, sent: [Vec::new(), Vec::new()] }
    }

    /// Forgets what was sent: the client was told to empty its copy.
    pub(super) fn reset(&mut self) {
        self.sent = [Vec::new(), Vec::new()];
    }

    /// The operations that bring the client's copy to `quote`.
    pub(super) fn follow(&mut self, symbol: SymbolId, quote: Quote) -> Vec<DepthRow> {
        let touches = [(quote.ask, quote.ask_size.0, 1), (quote.bid, quote.bid_size.0, -1)];
        let mut out = Vec::new();
        for (side, (price, size, away)) in touches.into_iter().enumerate() {
            let new = ladder(symbol, price, size, away, self.rows, self.naming);
            let ask = side == 0;
            let mut note = |position: usize, operation, level: Level| {
                out.push(DepthRow {
                    position: i32::try_from(position).unwrap_or(i32::MAX),
                    operation,
                    side: i32::from(!ask),
                    price: if operation == DELETE { 0.0 } else { level.price.to_f64() },
                    size: if operation == DELETE { 0.0 } else { level.size as f64 },
                    market_maker: level.name.into(),
                    smart: self.naming == Naming::Smart,
                });
            };
            merge(&mut self.sent[side], &new, ask, &mut note);
        }
        out
    }
}

fn ladder(symbol: SymbolId, touch: Price, size: i64, away: i64, rows: usize, naming: Naming) -> Vec<Level> {
    let mut list = Vec::with_capacity(rows);
    let mut price = touch;
    while list.len() < rows && price.is_some() && price.0 > 0 {
        let mut draw = Draw::keyed(0, "depth", u64::from(symbol.0), price.0.unsigned_abs());
        let behind = i64::try_from(1 + draw.below(9) + 2 * list.len() as u64).unwrap_or(1) * 100;
        let pick = usize::try_from(draw.below(4)).unwrap_or(0);
        let name = match naming {
            Naming::Plain => "",
            Naming::Makers => MAKERS[pick],
            Naming::Smart => EXCHANGES[pick],
        };
        list.push(Level { price, size: if list.is_empty() { size } else { behind }, name });
        price = Price(price.0 + away * tick_at(price).0);
    }
    list
}

/// Turns `sent` into `new`, telling each step. Both are sorted, best first.
fn merge(sent: &mut Vec<Level>, new: &[Level], ask: bool, note: &mut impl FnMut(usize, i32, Level)) {
    let better = |a: Price, b: Price| if ask { a < b } else { a > b };
    let mut at = 0;
    while at < new.len() {
        match sent.get(at).copied() {
            Some(old) if old == new[at] => at += 1,
            Some(old) if old.price == new[at].price => {
                sent[at] = new[at];
                note(at, UPDATE, new[at]);
                at += 1;
            }
            Some(old) if better(old.price, new[at].price) => {
                note(at, DELETE, sent.remove(at));
            }
            _ => {
                sent.insert(at, new[at]);
                note(at, INSERT, new[at]);
                at += 1;
            }
        }
    }
    while sent.len() > new.len() {
        if let Some(old) = sent.pop() {
            note(sent.len(), DELETE, old);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Qty;

    /// A client's book, kept by operations alone.
    fn apply(book: &mut [Vec<(f64, f64)>; 2], rows: &[DepthRow]) {
        for r in rows {
            let side = &mut book[usize::try_from(r.side).unwrap_or(0)];
            let at = usize::try_from(r.position).unwrap_or(0);
            match r.operation {
                INSERT => side.insert(at, (r.price, r.size)),
                UPDATE => side[at] = (r.price, r.size),
                _ => drop(side.remove(at)),
            }
        }
    }

    #[test]
    fn a_client_that_applies_the_operations_has_the_ladder() {
        let cent = |n: i64| Price(n * 10_000);
        let quote = |bid, bid_size, ask, ask_size| Quote {
            bid: cent(bid),
            bid_size: Qty(bid_size),
            ask: cent(ask),
            ask_size: Qty(ask_size),
        };
        let none = Quote { bid: Price::NONE, bid_size: Qty(0), ..quote(0, 0, 1_005, 100) };
        let path = [
            quote(1_000, 300, 1_001, 200),
            quote(1_000, 400, 1_001, 200),
            quote(1_002, 100, 1_004, 200),
            quote(990, 100, 991, 700),
            none,
            quote(1_000, 300, 1_001, 200),
        ];
        let (mut depth, mut book) = (Depth::new(Naming::Makers, 5), [Vec::new(), Vec::new()]);
        for q in path {
            apply(&mut book, &depth.follow(SymbolId(3), q));
            let fresh = |touch, size, away| {
                let levels = ladder(SymbolId(3), touch, size, away, 5, Naming::Makers);
                levels.iter().map(|l| (l.price.to_f64(), l.size as f64)).collect::<Vec<_>>()
            };
            assert_eq!(book, [fresh(q.ask, q.ask_size.0, 1), fresh(q.bid, q.bid_size.0, -1)], "{q:?}");
            assert_eq!(depth.follow(SymbolId(3), q), [], "nothing changed");
        }
        let (mut one, q) = (Depth::new(Naming::Plain, 5), quote(1_000, 300, 1_001, 200));
        one.follow(SymbolId(3), q);
        let ops: Vec<_> = one.follow(SymbolId(3), quote(1_000, 350, 1_001, 200)).iter().map(|r| r.operation).collect();
        assert_eq!(ops, [UPDATE], "a changed size is one operation");
    }
}
