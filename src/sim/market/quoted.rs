//! Instruments that are quoted but not traded here: currency pairs and indices.
//!
//! **Model** (assumed): the price is a function of seed and time, `base × exp(scale × Σ aₖ nₖ(t / pₖ))`, where each nₖ is
//! linear between independent standard normals at whole numbers. Any instant can be asked in any order, so quotes and
//! history agree and nothing is stored. Amplitudes give a currency pair about half a percent a day; an index moves by
//! `scale` times as much. Not a martingale, and not meant for trading.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times are of this century, sizes and prices small by construction"
)]

use super::rng::Draw;
use super::{Bar, Quote};
use crate::clock::{HOUR, MINUTE, Nanos, SECOND, SessionTime};
use crate::domain::{Price, Qty};

/// (period, amplitude) of the model's terms.
const TERMS: [(Nanos, f64); 5] =
    [(2 * SECOND, 1e-5), (30 * SECOND, 4e-5), (10 * MINUTE, 3e-4), (3 * HOUR, 1e-3), (40 * HOUR, 4e-3)];
/// Looks at the level when a bar is made.
const LOOKS: i64 = 6;

/// What an instrument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A currency pair: bid and offer, no trades.
    Cash,
    /// An index: a level, no quote.
    Index,
}

/// One instrument. Contract ids are IB's, as publicly known.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "TWS field names")]
pub struct Quoted {
    pub kind: Kind,
    pub con_id: i32,
    /// Of a pair: the base currency.
    pub symbol: &'static str,
    pub local_symbol: &'static str,
    pub exchange: &'static str,
    pub currency: &'static str,
    pub long_name: &'static str,
    /// The price grid.
    pub tick: Price,
    base: f64,
    scale: f64,
}

/// All of them.
pub const QUOTED: [Quoted; 6] = [
    cash(12_087_792, ["EUR", "EUR.USD", "USD"], "European Monetary Union Euro", 50, 1.16),
    cash(12_087_797, ["GBP", "GBP.USD", "USD"], "British pound", 50, 1.34),
    cash(15_016_059, ["USD", "USD.JPY", "JPY"], "United States dollar", 5_000, 148.0),
    index(416_904, "SPX", "CBOE", "S&P 500 Stock Index", 6_450.0, 2.0),
    index(416_843, "NDX", "NASDAQ", "NASDAQ 100 Stock Index", 23_500.0, 2.5),
    index(13_455_763, "VIX", "CBOE", "CBOE Volatility Index", 16.0, 12.0),
];

const fn cash(con_id: i32, names: [&'static str; 3], long_name: &'static str, tick: i64, base: f64) -> Quoted {
    let [symbol, local_symbol, currency] = names;
    let (kind, exchange, tick, scale) = (Kind::Cash, "IDEALPRO", Price(tick), 1.0);
    Quoted { kind, con_id, symbol, local_symbol, exchange, currency, long_name, tick, base, scale }
}

const fn index(
    con_id: i32,
    symbol: &'static str,
    exchange: &'static str,
    long_name: &'static str,
    base: f64,
    scale: f64,
) -> Quoted {
    let (kind, currency, tick) = (Kind::Index, "USD", Price(10_000));
    Quoted { kind, con_id, symbol, local_symbol: symbol, exchange, currency, long_name, tick, base, scale }
}

impl Quoted {
    /// `CASH` or `IND`.
    pub const fn sec_type(&self) -> &'static str {
        match self.kind {
            Kind::Cash => "CASH",
            Kind::Index => "IND",
        }
    }

    /// The level at `t`, on the grid: an index's value, a pair's bid.
    pub fn level(&self, seed: u64, t: SessionTime) -> Price {
        let mut log = 0.0;
        for (k, (period, amplitude)) in TERMS.iter().enumerate() {
            let (whole, part) = (t.0.div_euclid(*period), t.0.rem_euclid(*period));
            let stream = (u64::from(self.con_id.unsigned_abs()) << 8) + k as u64;
            let normal = |at: i64| Draw::keyed(seed, "quoted", stream, at as u64).normal();
            let share = part as f64 / *period as f64;
            log += amplitude * (normal(whole) * (1.0 - share) + normal(whole + 1) * share);
        }
        Price::from_f64(self.base * libm::exp(self.scale * log)).floor_to(self.tick)
    }

    /// The quote at `t`, constant within a second; an index has none.
    pub fn quote(&self, seed: u64, t: SessionTime) -> Quote {
        if self.kind == Kind::Index {
            return Quote::default();
        }
        let t = t.floor_to(SECOND);
        let mut draw = Draw::keyed(seed, "quoted size", u64::from(self.con_id.unsigned_abs()), t.secs() as u64);
        let bid = self.level(seed, t);
        let mut size = || Qty(500_000 * (1 + draw.below(10) as i64));
        Quote { bid, bid_size: size(), ask: bid + self.tick, ask_size: size() }
    }

    /// The bar of levels of `length` from `start`, of the part before `until`, as seen at [`LOOKS`] instants.
    pub fn bar(&self, seed: u64, start: SessionTime, length: Nanos, until: SessionTime) -> Bar {
        let mut bar = Bar::of(start, self.level(seed, start), Qty(0));
        for k in 1..LOOKS {
            let t = start + k * (length / LOOKS);
            if t < until {
                bar.add(self.level(seed, t), Qty(0));
            }
        }
        bar
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_a_function_of_seed_and_time() {
        let t = SessionTime::from_secs(1_776_261_930);
        for q in QUOTED {
            let (a, b) = (q.level(1, t), q.level(2, t));
            assert_eq!(a, q.level(1, t));
            assert_ne!(a, b, "{}", q.local_symbol);
            let off = libm::fabs(a.to_f64() / q.base - 1.0);
            assert!(off < 0.05 * q.scale, "{} is {off} off its base", q.local_symbol);
            assert_eq!(a, a.floor_to(q.tick));
        }
    }

    #[test]
    fn pairs_have_two_sides_and_indices_none() {
        let t = SessionTime::from_secs(1_776_261_930);
        for q in QUOTED {
            let quote = q.quote(1, t);
            assert_eq!(quote.bid.is_some() && quote.ask == quote.bid + q.tick, q.kind == Kind::Cash);
            let bar = q.bar(1, t.floor_to(MINUTE), MINUTE, t);
            assert!(bar.low <= bar.open && bar.close <= bar.high && bar.start == t.floor_to(MINUTE));
        }
    }
}
