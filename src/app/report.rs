//! Puts a session's ends together: the trader's counters and histograms, the journal's totals, what the broker said,
//! and the referee's audit, into the one summary.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::day_book::DayBook;
use super::session::SessionEnd;
use super::sinks::BrokerView;
use crate::config::Settings;
use crate::domain::{Instrument, Money, Qty, SymbolId};
use crate::inference::FamilyCost;
use crate::telemetry::{
    Book, Counter, Counters, Dollars, Exercised, FamilyLine, Host, LatencyRecorder, Reconciliation, Summary,
    Violations, write_report,
};

/// Writes and prints the report of a session.
///
/// # Errors
/// The report can't be written, or the session was not clean: each reason, in words.
#[allow(clippy::print_stdout, reason = "the report is the command's output")]
pub fn conclude(settings: &Settings, source: String, end: SessionEnd, audit: Option<&Value>) -> Result<()> {
    let ending = Ending {
        settings,
        source,
        speed: end.speed,
        instruments: &end.instruments,
        counters: &end.counters,
        decisions: end.decisions,
        latency: &end.latency,
        view: &end.view,
        book: end.book.as_ref(),
        audit,
        notes: end.notes,
    };
    let mut summary = ending.summary();
    summary.families_us = end.families.iter().map(family_line).collect();
    let perf = Path::new(&settings.session.perf_folder);
    write_report(perf, &summary, &end.latency)?;
    println!("{}", summary.table());
    println!("written to {}/", perf.display());
    let problems: Vec<String> = end.failure.into_iter().chain(summary.problems()).collect();
    ensure!(problems.is_empty(), "the session was not clean: {}", problems.join("; "));
    Ok(())
}

/// One family's cost for the report.
pub(super) fn family_line(cost: &FamilyCost) -> (String, FamilyLine) {
    let us = |ns: u64| ns as f64 / 1e3;
    let (p50, p95, max) = (us(cost.p50_ns), us(cost.p95_ns), us(cost.max_ns));
    (cost.family.to_owned(), FamilyLine { models: cost.models as u64, passes: cost.passes, p50, p95, max })
}

/// What a session leaves behind.
pub struct Ending<'a> {
    /// Its settings.
    pub settings: &'a Settings,
    /// Where the market came from.
    pub source: String,
    /// Session seconds per wall second.
    pub speed: f64,
    /// The universe.
    pub instruments: &'a [Instrument],
    /// The counters.
    pub counters: &'a Counters,
    /// Decisions: rows with a forecast, in all cycles.
    pub decisions: u64,
    /// All histograms, merged.
    pub latency: &'a LatencyRecorder,
    /// What the broker said.
    pub view: &'a BrokerView,
    /// What the journal says of the day.
    pub book: Option<&'a DayBook>,
    /// The referee's audit, of a simulated gateway.
    pub audit: Option<&'a Value>,
    /// Sentences for the reader.
    pub notes: Vec<String>,
}

impl Ending<'_> {
    /// The summary.
    pub fn summary(self) -> Summary {
        let loosened = self.settings.decision.loosened();
        let mut notes = self.notes.clone();
        if !loosened.is_empty() {
            notes.push("P&L is no evidence: this profile loosens the gates named above (plumbing only)".into());
        }
        if let Some(why) = self.audit.is_none().then_some("violations are counted by a simulated gateway only") {
            notes.push(why.into());
        }
        if let Some(earlier) = self.book.map(|b| b.earlier).filter(|n| *n > 0) {
            notes.push(format!("the books are the day's: {earlier} executions are of earlier runs"));
        }
        let rejects = self.counters.rejects().into_iter().filter(|(_, n)| *n > 0);
        let rejects: Vec<_> = rejects.map(|(name, n)| format!("{name} {n}")).collect();
        if !rejects.is_empty() {
            notes.push(format!("guards refused: {}", rejects.join(", ")));
        }
        if self.view.net_first.is_none() || self.view.net_last.is_none() {
            notes.push("P&L is unknown: the broker never told a net liquidation value (0.00 stands for it)".into());
        }
        let mut summary = Summary {
            source: self.source.clone(),
            symbols: self.instruments.len() as u64,
            events: self.counters.get(Counter::Events),
            decisions: self.decisions,
            intents: self.counters.get(Counter::Intents),
            orders: self.counters.get(Counter::Orders),
            fills: self.counters.get(Counter::Fills),
            pnl: Dollars(self.pnl()),
            violations: self.audit.map(violations),
            exercised: self.audit.map(exercised).unwrap_or_default(),
            reconciliation: self.reconciliation(),
            host: Host::detect(),
            speed: self.speed,
            profile: self.settings.session.profile.clone(),
            loosened,
            notes,
            ..Summary::default()
        };
        summary.set_latency(self.latency);
        summary
    }

    /// By the broker's own figures: the change of net liquidation.
    fn pnl(&self) -> Money {
        match (self.view.net_first, self.view.net_last) {
            (Some(first), Some(last)) => last - first,
            _ => Money(0),
        }
    }

    /// `None` when a list was not read to its end: a time-out is not an empty list.
    fn reconciliation(&self) -> Option<Reconciliation> {
        let (book, last) = (self.book?, self.view.cash_last?);
        // A restart sees its own first figure after the day's first fills.
        let first = book.cash_before.or(self.view.cash_first)?;
        // A gateway with no execution to report can leave that list's end out: nothing traded is then no doubt.
        let nothing_traded = self.view.is_whole_without_trades() && book.executions.is_empty();
        if !self.view.is_whole() && !nothing_traded {
            return None;
        }
        let broker = Book {
            executions: self.view.executions.len() as u64,
            positions: self.named(self.view.positions.iter().map(|(s, q)| (*s, *q))),
            cash: last,
            commissions: self.view.commissions.values().copied().sum(),
        };
        let journal = Book {
            executions: book.executions.len() as u64,
            positions: book.positions.clone().into_iter().filter(|(_, q)| *q != Qty::ZERO).collect(),
            cash: first + book.cash_flow - book.commissions,
            commissions: book.commissions,
        };
        let mut compared = Reconciliation::compare(broker, journal);
        for id in self.view.executions.keys().filter(|id| !book.executions.contains_key(*id)) {
            compared.details.push(format!("execution {id}: at the broker, not in the journal"));
            compared.differences += 1;
        }
        for id in book.executions.keys().filter(|id| !self.view.executions.contains_key(*id)) {
            compared.details.push(format!("execution {id}: in the journal, not in the broker's list"));
            compared.differences += 1;
        }
        Some(compared)
    }

    fn named(&self, positions: impl Iterator<Item = (SymbolId, Qty)>) -> BTreeMap<String, Qty> {
        positions
            .filter(|(_, qty)| *qty != Qty::ZERO)
            .map(|(id, qty)| {
                (self.instruments.get(id.index()).map_or_else(|| id.to_string(), |i| i.symbol.clone()), qty)
            })
            .collect()
    }
}

fn violations(audit: &Value) -> Violations {
    let count = |kinds: &[&str]| kinds.iter().map(|kind| count_of(audit, kind)).sum();
    Violations {
        guard: count(&["limits", "malformed", "session", "off_tick", "active_orders", "after_panic"]),
        orphan_orders: count(&["orphan_orders"]),
        margin: count(&["margin"]),
        ssr: count(&["ssr", "borrow"]),
        pacing: count(&["pacing"]),
        duplicate_orders: count(&["duplicate_orders"]),
    }
}

fn count_of(audit: &Value, kind: &str) -> u64 {
    let listed = audit["violations"][kind].as_array().map_or(0, Vec::len) as u64;
    listed + audit["violations_not_listed"][kind].as_u64().unwrap_or(0)
}

/// The opportunities behind each violation, by the violation's name and the audit's own words.
fn exercised(audit: &Value) -> BTreeMap<String, Exercised> {
    let found = &audit["exercised"];
    let count = |key: &str| Exercised::count(found[key].as_u64().unwrap_or(0));
    [
        ("guard: orders checked", count("orders_checked")),
        ("orphan_orders: most active orders on a side", count("most_active_orders_per_side")),
        ("margin: smallest cushion, share of equity", Exercised::value(found["smallest_margin_cushion"].as_f64())),
        ("ssr: shorts checked", count("shorts_checked")),
        ("ssr: shorts in restricted names", count("shorts_in_restricted_names")),
        ("pacing: peak messages in any second", count("peak_messages_per_s")),
        ("duplicate_orders: order references checked", count("order_refs_checked")),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_string(), value))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layers;
    use crate::domain::{OrderId, PermId, Price, Side};
    use crate::journal::ExecutionTotal;
    use crate::message::{BrokerEvent, CommissionFact, ExecId, ExecutionFact};

    fn fill(id: &str) -> [BrokerEvent; 2] {
        let exec_id = ExecId::new(id).unwrap();
        let execution = ExecutionFact {
            exec_id,
            order_id: OrderId(1),
            client: Default::default(),
            perm_id: PermId(1),
            symbol: Some(SymbolId(0)),
            side: Side::Buy,
            qty: Qty(1),
            price: Price(10_000_000),
            cumulative: Qty(1),
            broker_time: None,
            order_ref: Default::default(),
        };
        let commission = CommissionFact { exec_id, commission: Money(1_000_000), realized: None };
        [BrokerEvent::Execution(execution), BrokerEvent::Commission(commission)]
    }

    fn recorded(id: &str) -> (String, ExecutionTotal) {
        let line = ExecutionTotal {
            ticker: "A".into(),
            order_id: OrderId(1),
            perm_id: PermId(1),
            side: Side::Buy,
            qty: Qty(1),
            price: Price(10_000_000),
            commission: Some(Money(1_000_000)),
            external: false,
        };
        (id.into(), line)
    }

    /// The differences after `live` came on the stream and `listed` in the last list; the day's journal has "a" of a
    /// former process and "b".
    fn differences(live: &[&str], listed: &[&str]) -> Vec<String> {
        let settings =
            crate::config::Settings::from_table(Layers::base("config/default.toml".as_ref()).unwrap().finish());
        let (settings, counters) = (settings.unwrap(), Counters::new(&["none"]));
        let mut view = BrokerView::default();
        let account = |dollars: i64| BrokerEvent::Account {
            net_liquidation: Some(Money(0)),
            cash: Some(Money(dollars * 1_000_000)),
            excess_liquidity: None,
            buying_power: None,
        };
        view.see(&account(100));
        live.iter().flat_map(|id| fill(id)).for_each(|e| view.see(&e));
        view.expect_fresh();
        listed.iter().flat_map(|id| fill(id)).for_each(|e| view.see(&e));
        view.see(&account(89));
        view.complete = super::super::sinks::FINAL_LISTS.to_vec();
        let book = DayBook {
            executions: [recorded("a"), recorded("b")].into(),
            earlier: 1,
            cash_flow: Money(-20_000_000),
            commissions: Money(2_000_000),
            cash_before: Some(Money(111_000_000)),
            ..DayBook::default()
        };
        let ending = Ending {
            settings: &settings,
            source: String::new(),
            speed: 1.0,
            instruments: &[],
            counters: &counters,
            decisions: 0,
            latency: &LatencyRecorder::new().unwrap(),
            view: &view,
            book: Some(&book),
            audit: None,
            notes: Vec::new(),
        };
        ending.reconciliation().unwrap().details
    }

    #[test]
    fn a_correction_replaces_what_it_corrects_in_whatever_order_they_come() {
        for order in [["x.1.01", "x.1.02"], ["x.1.02", "x.1.01"]] {
            let mut view = BrokerView::default();
            order.iter().flat_map(|id| fill(id)).for_each(|e| view.see(&e));
            assert_eq!(view.executions.keys().collect::<Vec<_>>(), ["x.1.02"]);
        }
    }

    #[test]
    fn a_former_processs_fills_are_no_difference() {
        assert_eq!(differences(&["a", "b"], &["a", "b"]), [] as [String; 0]);
    }

    #[test]
    fn a_fill_that_the_brokers_list_lacks_is_a_difference_though_the_stream_told_it() {
        let details = differences(&["a", "b"], &["a"]);
        assert!(details.iter().any(|d| d == "execution b: in the journal, not in the broker's list"), "{details:?}");
        let details = differences(&["b"], &["b", "c"]);
        assert!(details.iter().any(|d| d == "execution c: at the broker, not in the journal"), "{details:?}");
    }
}
