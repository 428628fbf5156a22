//! What can be borrowed to sell short, and what borrowing costs.
//!
//! **The file** is IBKR's short-stock file, as it is published: `#BOF|date|time`, a header, then
//! `SYM|CUR|NAME|CON|ISIN|REBATERATE|FEERATE|AVAILABLE|` with `>10000000` for "more than ten million" and rates in
//! percent a year, `#EOF|rows`. Plain or gzip.
//!
//! **The pool** goes down by what the account is short and comes back as it covers. Documented: tick 46 above 2.5 means at
//! least 1,000 shares, above 1.5 that they must be located; tick 89 = shares; 404 holds an order while they are located.
//! Assumed: an order beyond a pool that has shares left is held, one against an empty pool is refused (201); a held one is
//! looked at once a minute.
//!
//! **The fee** of a day (documented by IB): the settlement price times 102 %, rounded up to the dollar, times the shares,
//! times the rate, over 360 days; charged on what is short over a night.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use super::agenda::Task;
use super::core::{Core, answer};
use super::orders::Status;
use super::reports::error;
use super::sessions::Feed;
use crate::clock::MINUTE;
use crate::domain::price::MICROS;
use crate::domain::{Money, Price, SymbolId};
use crate::sim::api::{ConnId, Outgoing, Response};

/// What `>10000000` counts as.
const PLENTY: i64 = 10_000_000;
/// Rate where no file tells one, percent a year: what easy names cost in the published file.
const USUAL_FEE_PERCENT: f64 = 0.25;
/// Most bytes of a file: the published one has 1.3 million.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Tick types.
const SHORTABLE: i32 = 46;
const SHORTABLE_SHARES: i32 = 89;

/// One name's line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Borrow {
    /// Shares that can be borrowed.
    pub available: i64,
    /// Percent a year.
    pub fee_percent: f64,
    /// Percent a year, paid on the proceeds; below 0 = it is charged.
    pub rebate_percent: f64,
}

/// A short-stock file, by symbol.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShortStock(BTreeMap<String, Borrow>);

/// Why a short-stock file is unusable.
#[derive(Debug, thiserror::Error)]
#[error("{path} is no short-stock file ({why}); give IBKR's file, such as usa.txt or usa.txt.gz")]
pub struct ShortStockError {
    path: String,
    why: String,
}

impl ShortStock {
    /// Reads a file.
    ///
    /// # Errors
    /// It can't be read, or a line is not as published.
    pub fn read(path: &Path) -> Result<Self, ShortStockError> {
        let fail = |why: String| ShortStockError { path: path.display().to_string(), why };
        let file = std::fs::File::open(path).map_err(|e| fail(e.to_string()))?;
        let mut text = String::new();
        let gzip = path.extension().is_some_and(|e| e == "gz");
        let read = if gzip {
            flate2::read::MultiGzDecoder::new(file).take(FILE_BYTES_MAX).read_to_string(&mut text)
        } else {
            file.take(FILE_BYTES_MAX).read_to_string(&mut text)
        };
        read.map_err(|e| fail(e.to_string()))?;
        Self::parse(&text).map_err(fail)
    }

    /// Reads a file's text: US names only.
    ///
    /// # Errors
    /// What is wrong, with the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut names = BTreeMap::new();
        let mut complete = false;
        for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.is_empty()) {
            if let Some(comment) = line.strip_prefix('#') {
                complete |= comment.starts_with("EOF");
                continue;
            }
            let broken = |what: &str| format!("line {}: {what}", i + 1);
            let fields: Vec<&str> = line.split('|').collect();
            let [symbol, currency, _, _, _, rebate, fee, available, ..] = fields[..] else {
                return Err(broken("it has fewer than eight fields"));
            };
            if currency != "USD" {
                continue;
            }
            // A name without a rate says `NA`.
            let rate =
                |text: &str| if text == "NA" { Some(0.0) } else { text.parse::<f64>().ok().filter(|r| r.is_finite()) };
            let shares = if let Some(more) = available.strip_prefix('>') { more } else { available };
            let parsed = shares.parse::<i64>().ok().filter(|n| *n >= 0);
            let available = parsed.ok_or_else(|| broken("its last field is no number of shares"))?.min(PLENTY);
            let rebate_percent = rate(rebate).ok_or_else(|| broken("its rebate is no rate"))?;
            let fee_percent = rate(fee).ok_or_else(|| broken("its fee is no rate"))?;
            names.insert(symbol.to_owned(), Borrow { available, fee_percent, rebate_percent });
        }
        if names.is_empty() || !complete {
            return Err("it holds no name in USD or does not end with #EOF".into());
        }
        Ok(Self(names))
    }

    /// A name's line.
    pub fn get(&self, symbol: &str) -> Option<Borrow> {
        self.0.get(symbol).copied()
    }

    /// How many names it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A day's fee for so many shares short.
pub(super) fn daily_fee(settlement: Price, shares: i64, fee_percent: f64) -> Money {
    let with_margin = i128::from(settlement.0) * 102 / 100;
    let micros = i128::from(MICROS);
    let rounded_up = (with_margin + micros - 1) / micros;
    let collateral = rounded_up as f64 * shares as f64;
    Money::from_f64(collateral * fee_percent / 100.0 / 360.0).unwrap_or(Money(0))
}

impl Core {
    /// What can be borrowed of a symbol and for how much, before what the account is short.
    pub(super) fn borrow_of(&self, symbol: SymbolId) -> Borrow {
        let r = self.reference(symbol);
        match &self.config.rules.short_stock {
            // A name that the file lacks can't be borrowed.
            Some(file) => file.get(&r.symbol).unwrap_or(Borrow { available: 0, fee_percent: 0.0, rebate_percent: 0.0 }),
            None => Borrow { available: r.shortable.0, fee_percent: USUAL_FEE_PERCENT, rebate_percent: 0.0 },
        }
    }

    /// Shares that can still be borrowed.
    pub(super) fn shortable_left(&self, symbol: SymbolId) -> i64 {
        let short = (-self.account.position(symbol).qty).max(0);
        (self.borrow_of(symbol).available - short).max(0)
    }

    /// Ticks 46 and 89 to one line.
    pub(super) fn shortability(&self, conn: ConnId, req_id: i32, symbol: SymbolId, out: &mut Vec<Outgoing>) {
        let left = self.shortable_left(symbol);
        let value = match left {
            1_000.. => 3.0,
            1.. => 2.0,
            _ => 1.0,
        };
        answer(conn, Response::TickGeneric { req_id, tick_type: SHORTABLE, value }, out);
        answer(conn, Response::TickSize { req_id, tick_type: SHORTABLE_SHARES, size: left as f64 }, out);
    }

    /// Tells the lines that asked for it what can be borrowed of a symbol now.
    pub(super) fn tell_shortability(&mut self, symbol: SymbolId, out: &mut Vec<Outgoing>) {
        let sessions = &self.sessions;
        self.borrow_lines.retain(|(conn, req_id)| sessions.get(*conn).is_some_and(|c| c.lines.contains_key(req_id)));
        for (conn, req_id) in self.borrow_lines.clone() {
            let line = self.sessions.get(conn).and_then(|c| c.lines.get(&req_id));
            if matches!(line, Some(Feed::Live(s) | Feed::Delayed(s)) if *s == symbol) {
                self.shortability(conn, req_id, symbol, out);
            }
        }
    }

    /// Holds an order while its shares are located (404), and looks for them once a minute unless a scenario holds it.
    pub(super) fn hold_for_locate(&mut self, perm: i64, by_scenario: bool) {
        let Some(r) = self.orders.get_mut(perm) else { return };
        (r.locating, r.deferral_told, r.status) = (true, true, Status::PreSubmitted);
        let (client, order_id) = (r.client, r.order_id);
        self.report_pair(perm, "PreSubmitted");
        let text = "Order held while securities are located.";
        let notice = error(self.now, order_id, 404, text);
        self.report(perm, client, vec![notice]);
        if !by_scenario {
            self.agenda.add(self.now + MINUTE, Task::Locate { perm });
        }
    }

    /// Looks whether a held order's shares can be borrowed by now.
    pub(super) fn locate(&mut self, perm: i64) {
        let Some(r) = self.orders.get(perm).filter(|r| r.locating && !r.status.is_final()) else { return };
        if self.short_after(r) > self.borrow_of(r.symbol).available {
            return self.agenda.add(self.now + MINUTE, Task::Locate { perm });
        }
        self.located(perm);
    }

    /// What a night costs at the current prices for all that is short: accrued, charged when the next day begins.
    pub(super) fn borrow_due(&self) -> Money {
        let shorts = self.account.positions.iter().filter(|(_, p)| p.qty < 0);
        shorts.map(|(s, p)| daily_fee(self.mark(*s), -p.qty, self.borrow_of(*s).fee_percent)).sum()
    }

    /// Takes what the shorts held over `nights` cost from cash.
    pub(super) fn charge_borrow(&mut self, nights: i64) {
        let total = Money(self.borrow_due().0 * nights);
        self.account.cash -= total;
        self.account.borrow_fees += total;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_costs_what_ib_documents() {
        assert_eq!(daily_fee(Price(12_340_000), 1_000, 25.0).cents(), 903);
        assert_eq!(daily_fee(Price(12_340_000), 0, 25.0), Money(0));
    }

    #[test]
    fn lines_are_read_and_broken_ones_named() {
        let file = "#BOF|2022.08.06|22:30:03\n#SYM|CUR|NAME|CON|ISIN|REBATERATE|FEERATE|AVAILABLE|\n\
                    AAPL|USD|APPLE INC|265598|X|2.0700|0.2500|>10000000|\nRY|CAD|ROYAL BANK|1|X|1|1|5|\n#EOF|2\n";
        let stock = ShortStock::parse(file).unwrap();
        let apple = Borrow { available: PLENTY, fee_percent: 0.25, rebate_percent: 2.07 };
        assert_eq!((stock.get("AAPL"), stock.get("RY"), stock.len()), (Some(apple), None, 1));
        for (broken, why) in [("A|USD|x\n#EOF|1", "line 1"), ("A|USD|x|1|X|1|1|many|\n#EOF|1", "shares"), ("", "#EOF")]
        {
            assert!(ShortStock::parse(broken).unwrap_err().contains(why), "{broken}");
        }
    }
}
