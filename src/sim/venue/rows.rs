//! The account's figures as rows: what account updates and the summary tell, in the base currency, and by currency where
//! IB keeps a ledger.
//!
//! Recorded: keys, their alphabetical order, one row for `BASE` and one a currency for what the ledger holds, ExchangeRate
//! as units of the base currency. The account's cash is all in dollars (assumed: what came in another currency was
//! exchanged at the start), so the base currency's own ledger rows are 0.

use std::collections::BTreeSet;

use super::core::Core;
use crate::domain::Money;
use crate::domain::calendar::Date;

/// One account value: key, value, currency.
pub(super) type Row = (&'static str, String, String);

/// What the dollar is called.
const USD: &str = "USD";
/// What IB calls the sum over all currencies.
const BASE: &str = "BASE";

/// What the ledger tells by currency though there is none of it here.
const EMPTY_LEDGER: [&str; 14] = [
    "CorporateBondValue",
    "Cryptocurrency",
    "FundValue",
    "FutureOptionValue",
    "FuturesPNL",
    "FxCashBalance",
    "IssuerOptionValue",
    "MoneyMarketFundValue",
    "MutualFundValue",
    "NetDividend",
    "OptionMarketValue",
    "TBillValue",
    "TBondValue",
    "WarrantValue",
];
/// What the account tells in its base currency though there is none of it here.
const EMPTY: [&str; 11] = [
    "AccruedDividend",
    "Billable",
    "Guarantee",
    "IncentiveCoupons",
    "IndianStockHaircut",
    "NetLiquidationUncertainty",
    "PASharesValue",
    "PhysicalCertificateValue",
    "PostExpirationExcess",
    "PostExpirationMargin",
    "TotalDebitCardPendingCharges",
];

impl Core {
    /// An amount of dollars in the base currency.
    pub(super) fn in_base(&self, m: Money) -> Money {
        let base = &self.config.rules.base;
        if base.currency == USD { m } else { Money::from_f64(m.to_f64() * base.per_usd).unwrap_or(m) }
    }

    /// The rows that a summary of these tags has; `$LEDGER` names every key of the ledger, `$LEDGER:ALL` each currency's.
    pub(super) fn summary_values(&self, tags: &BTreeSet<String>) -> Vec<Row> {
        let ledger = |currency: &str| {
            tags.contains("$LEDGER") && currency == BASE
                || tags.contains("$LEDGER:ALL")
                || tags.contains(&format!("$LEDGER:{currency}"))
        };
        let keys = self.ledger();
        let mut rows = self.values();
        rows.retain(|(tag, _, currency)| {
            let own = tags.contains(*tag) && *currency != BASE;
            own || (keys.iter().any(|(key, _)| key == tag) && ledger(currency))
        });
        rows
    }

    /// What the ledger holds by currency: key, dollars.
    fn ledger(&self) -> [(&'static str, Money); 7] {
        let cash = self.account.cash;
        [
            ("AccruedCash", -self.borrow_due()),
            ("CashBalance", cash),
            ("NetLiquidationByCurrency", cash + self.stock_value()),
            ("RealizedPnL", self.account.realized()),
            ("StockMarketValue", self.stock_value()),
            ("TotalCashBalance", cash),
            ("UnrealizedPnL", self.unrealized()),
        ]
    }

    /// The account's values, alphabetical.
    pub(super) fn values(&self) -> Vec<Row> {
        let mut rows = self.ledger_rows();
        rows.extend(self.base_rows());
        rows.extend(self.plain_rows());
        // Within a key `BASE` comes first, then the currencies.
        rows.sort_by(|a, b| (a.0, a.2 != BASE, &a.2).cmp(&(b.0, b.2 != BASE, &b.2)));
        rows
    }

    fn ledger_rows(&self) -> Vec<Row> {
        let base = &self.config.rules.base;
        let foreign = base.currency != USD;
        let mut rows = Vec::new();
        for (key, dollars) in self.ledger() {
            rows.push((key, self.in_base(dollars).to_string(), BASE.to_owned()));
            rows.push((key, dollars.to_string(), USD.to_owned()));
            if foreign {
                rows.push((key, Money(0).to_string(), base.currency.clone()));
            }
        }
        let rate = if foreign { format!("{:.7}", base.per_usd) } else { "1.00".into() };
        let mut known = vec![(BASE.to_owned(), "1.00".to_owned()), (USD.to_owned(), rate)];
        if foreign {
            known.push((base.currency.clone(), "1.00".into()));
        }
        for (currency, rate) in known {
            rows.push(("Currency", currency.clone(), currency.clone()));
            rows.push(("RealCurrency", currency.clone(), currency.clone()));
            rows.push(("AccountOrGroup", self.config.account.clone(), currency.clone()));
            for key in EMPTY_LEDGER {
                rows.push((key, Money(0).to_string(), currency.clone()));
            }
            rows.push(("ExchangeRate", rate, currency));
        }
        rows
    }

    /// What the account tells as a whole, in the base currency.
    fn base_rows(&self) -> Vec<Row> {
        let m = self.margin(None);
        let available = m.equity - m.initial;
        let excess = m.equity - m.maintenance;
        let reg_t = Money(m.gross.0 / 2);
        let cash_only = self.config.rules.account == super::rules::AccountKind::Cash;
        let power = if cash_only { self.account.settled } else { Money(available.0.max(0).saturating_mul(4)) };
        let amounts = [
            ("AvailableFunds", available),
            ("BuyingPower", power),
            ("EquityWithLoanValue", m.equity),
            ("ExcessLiquidity", excess),
            ("FullAvailableFunds", available),
            ("FullExcessLiquidity", excess),
            ("FullInitMarginReq", m.initial),
            ("FullMaintMarginReq", m.maintenance),
            ("GrossPositionValue", m.gross),
            ("InitMarginReq", m.initial),
            // After the close Regulation T's half is asked for, and nothing less.
            ("LookAheadAvailableFunds", m.equity - m.initial.max(reg_t)),
            ("LookAheadExcessLiquidity", m.equity - m.maintenance),
            ("LookAheadInitMarginReq", m.initial.max(reg_t)),
            ("LookAheadMaintMarginReq", m.maintenance),
            ("MaintMarginReq", m.maintenance),
            ("NetLiquidation", m.equity),
            ("PreviousDayEquityWithLoanValue", self.account.start_cash),
            ("RegTEquity", m.equity),
            ("RegTMargin", reg_t),
            ("SMA", self.sma(m.equity, reg_t)),
            ("TotalCashValue", self.account.cash),
        ];
        let currency = &self.config.rules.base.currency;
        let amounts = amounts.into_iter().chain(EMPTY.iter().map(|key| (*key, Money(0))));
        amounts.map(|(key, m)| (key, self.in_base(m).to_string(), currency.clone())).collect()
    }

    /// The special memorandum account: the larger of equity less half of what is held, and of the day's start less half
    /// of what it cost.
    fn sma(&self, equity: Money, reg_t: Money) -> Money {
        let at_cost: i64 = self.account.positions.values().map(|p| p.basis.0.abs() / 2).sum();
        (equity - reg_t).max(Money(self.account.start_cash.0 - at_cost))
    }

    fn plain_rows(&self) -> Vec<Row> {
        let m = self.margin(None);
        let share = |part: Money| if m.equity.0 > 0 { part.to_f64() / m.equity.to_f64() } else { 0.0 };
        let plain = |key, value: String| (key, value, String::new());
        let date = Date::new_york(self.source.hours().open).0;
        let mut rows = vec![
            plain("AccountCode", self.config.account.clone()),
            plain("AccountReady", "true".into()),
            plain("AccountType", "INDIVIDUAL".into()),
            plain("Cushion", format!("{:.6}", share(m.equity - m.maintenance))),
            plain("DayTradesRemaining", self.day_trades_left().unwrap_or(-1).to_string()),
            plain("Leverage", format!("{:.2}", share(m.gross))),
            plain("NLVAndMarginInReview", "false".into()),
            plain("LookAheadNextChange", self.source.hours().close.secs().to_string()),
        ];
        rows.push(("SettledCashByDate", format!("{date}:{}", self.account.settled), USD.to_owned()));
        let base = &self.config.rules.base.currency;
        if base != USD {
            rows.push(("SettledCashByDate", format!("{date}:0"), base.clone()));
        }
        rows
    }

    pub(super) fn stock_value(&self) -> Money {
        self.account.positions.iter().map(|(s, p)| Money(p.qty * self.mark(*s).0)).sum()
    }

    pub(super) fn unrealized(&self) -> Money {
        self.account.positions.iter().map(|(s, p)| Money(p.qty * self.mark(*s).0) - p.basis).sum()
    }
}
