//! What a session did, as one JSON document: `perf/latest/summary.json`. Its keys are an interface: other tools
//! read them. Amounts of money are dollars there, latencies µs, budgets ms. Layout for the eye is `table.rs`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::latency::{Hop, LatencyRecorder};
use crate::domain::{Money, Qty};

/// Budget of inference, p95, ms.
pub const INFERENCE_P95_BUDGET_MS: f64 = 100.0;
/// Budget from market event to decision, p99, ms.
pub const DECISION_P99_BUDGET_MS: f64 = 350.0;
/// Budget from an intent to the broker's first acknowledgement, p99, ms.
pub const ROUTING_P99_BUDGET_MS: f64 = 2_000.0;

/// Money that is written as dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dollars(pub Money);

impl Serialize for Dollars {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.to_f64())
    }
}

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let dollars = f64::deserialize(deserializer)?;
        Money::from_f64(dollars).map(Self).ok_or_else(|| serde::de::Error::custom("not an amount of money"))
    }
}

/// How often an opportunity to violate a rule arose, or how close it came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Exercised {
    /// So many times.
    Count(u64),
    /// A measured extreme, e.g. the smallest cushion.
    Value(f64),
    /// Words; [`Exercised::not`] for none.
    Text(String),
}

impl Exercised {
    const NOT: &'static str = "not exercised";

    /// Never: a zero next to it proves nothing.
    pub fn not() -> Self {
        Self::Text(Self::NOT.to_owned())
    }

    /// `n` times; 0 is "not exercised".
    pub fn count(n: u64) -> Self {
        if n == 0 { Self::not() } else { Self::Count(n) }
    }

    /// A measured extreme; absent or no number is "not exercised".
    pub fn value(value: Option<f64>) -> Self {
        value.filter(|v| v.is_finite()).map_or_else(Self::not, Self::Value)
    }
}

/// Rules broken, counted by the gateway's own audit of what it received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violations {
    /// Orders outside the referee's limits.
    pub guard: u64,
    /// Orders left working by a session that had ended.
    pub orphan_orders: u64,
    /// Orders or states beyond the account's margin.
    pub margin: u64,
    /// Short sales against rule 201 or without a locate.
    pub ssr: u64,
    /// Messages beyond the pacing limit.
    pub pacing: u64,
    /// Orders sent twice.
    pub duplicate_orders: u64,
}

impl Violations {
    /// Name and count of each.
    pub fn named(&self) -> [(&'static str, u64); 6] {
        [
            ("guard", self.guard),
            ("orphan_orders", self.orphan_orders),
            ("margin", self.margin),
            ("ssr", self.ssr),
            ("pacing", self.pacing),
            ("duplicate_orders", self.duplicate_orders),
        ]
    }

    /// All together.
    pub fn total(&self) -> u64 {
        self.named().iter().map(|(_, n)| n).sum()
    }
}

/// The same fact from both books.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair<T> {
    /// As the broker states it.
    pub broker: T,
    /// As the journal adds up to.
    pub journal: T,
}

/// One side's book at the end of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    /// Executions, each once.
    pub executions: u64,
    /// Positions that are not flat, by symbol.
    pub positions: BTreeMap<String, Qty>,
    /// Cash balance.
    pub cash: Money,
    /// Commissions paid.
    pub commissions: Money,
}

/// The broker's book against the journal's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciliation {
    /// Executions.
    pub executions: Pair<u64>,
    /// Positions that are not flat.
    pub positions: Pair<BTreeMap<String, Qty>>,
    /// Cash.
    pub cash: Pair<Dollars>,
    /// Commissions.
    pub commissions: Pair<Dollars>,
    /// How many facts differ; money that agrees to the cent does not.
    pub differences: u64,
    /// Each difference in words.
    pub details: Vec<String>,
}

impl Reconciliation {
    /// Compares two books. A symbol that one side does not list is flat there.
    pub fn compare(broker: Book, journal: Book) -> Self {
        let mut details = Vec::new();
        if broker.executions != journal.executions {
            details.push(format!("executions: broker {}, journal {}", broker.executions, journal.executions));
        }
        let symbols: std::collections::BTreeSet<&String> =
            broker.positions.keys().chain(journal.positions.keys()).collect();
        for symbol in symbols {
            let of = |book: &Book| book.positions.get(symbol).copied().unwrap_or_default();
            let (theirs, ours) = (of(&broker), of(&journal));
            if theirs != ours {
                details.push(format!("position of {symbol}: broker {theirs}, journal {ours}"));
            }
        }
        let money = [("cash", broker.cash, journal.cash), ("commissions", broker.commissions, journal.commissions)];
        for (name, theirs, ours) in money {
            if (theirs - ours).cents() != 0 {
                details.push(format!("{name}: broker {theirs}, journal {ours}"));
            }
        }
        let flat_left_out = |positions: BTreeMap<String, Qty>| -> BTreeMap<String, Qty> {
            positions.into_iter().filter(|(_, qty)| *qty != Qty::ZERO).collect()
        };
        Self {
            executions: Pair { broker: broker.executions, journal: journal.executions },
            positions: Pair { broker: flat_left_out(broker.positions), journal: flat_left_out(journal.positions) },
            cash: Pair { broker: Dollars(broker.cash), journal: Dollars(journal.cash) },
            commissions: Pair { broker: Dollars(broker.commissions), journal: Dollars(journal.commissions) },
            differences: details.len() as u64,
            details,
        }
    }
}

/// One hop's latencies, µs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencyLine {
    /// Values recorded.
    pub count: u64,
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
    /// Largest.
    pub max: f64,
}

/// What one family of models cost, per pass, µs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FamilyLine {
    /// Models of the family.
    pub models: u64,
    /// Passes that it took part in.
    pub passes: u64,
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
    /// Largest.
    pub max: f64,
}

/// The lines of every hop that recorded anything.
pub fn latency_lines(latency: &LatencyRecorder) -> BTreeMap<Hop, LatencyLine> {
    let line = |hop: Hop| {
        let us = |quantile| latency.quantile_ns(hop, quantile).map(|ns| ns as f64 / 1_000.0);
        Some(LatencyLine {
            count: latency.count(hop),
            p50: us(0.50)?,
            p95: us(0.95)?,
            p99: us(0.99)?,
            p999: us(0.999)?,
            max: latency.max_ns(hop)? as f64 / 1_000.0,
        })
    };
    Hop::ALL.into_iter().filter_map(|hop| Some((hop, line(hop)?))).collect()
}

/// The stated budgets against what was measured. `null` = nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Budgets {
    /// Inference per cycle, p95, ms; budget [`INFERENCE_P95_BUDGET_MS`].
    pub inference_p95_ms: Option<f64>,
    /// Market event to decision, p99, ms; budget [`DECISION_P99_BUDGET_MS`].
    pub decision_p99_ms: Option<f64>,
    /// Intent to the first acknowledgement, p99, ms; budget [`ROUTING_P99_BUDGET_MS`].
    pub routing_p99_ms: Option<f64>,
    /// How many of the three were missed.
    pub missed: u64,
}

impl Budgets {
    /// Judges the lines.
    pub fn judge(lines: &BTreeMap<Hop, LatencyLine>) -> Self {
        let ms = |hop: Hop, of: fn(&LatencyLine) -> f64| lines.get(&hop).map(|line| of(line) / 1_000.0);
        let mut budgets = Self {
            inference_p95_ms: ms(Hop::Inference, |l| l.p95),
            decision_p99_ms: ms(Hop::EventToDecision, |l| l.p99),
            routing_p99_ms: ms(Hop::OrderRouting, |l| l.p99),
            missed: 0,
        };
        budgets.missed = budgets.named().iter().filter(|b| b.is_missed()).count() as u64;
        budgets
    }

    /// Each budget with what was measured.
    pub fn named(&self) -> [Budget; 3] {
        let budget = |name, measured_ms, limit_ms| Budget { name, measured_ms, limit_ms };
        [
            budget("inference p95", self.inference_p95_ms, INFERENCE_P95_BUDGET_MS),
            budget("decision p99", self.decision_p99_ms, DECISION_P99_BUDGET_MS),
            budget("routing p99", self.routing_p99_ms, ROUTING_P99_BUDGET_MS),
        ]
    }
}

/// One budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Its name.
    pub name: &'static str,
    /// What was measured, ms; `None` = nothing.
    pub measured_ms: Option<f64>,
    /// What is allowed, ms: the measured value must be below.
    pub limit_ms: f64,
}

impl Budget {
    /// Measured, and not below the limit.
    pub fn is_missed(&self) -> bool {
        self.measured_ms.is_some_and(|ms| ms >= self.limit_ms)
    }
}

/// Where a session ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// The processor's model name.
    pub cpu: String,
    /// Cores that the process may use.
    pub cores: u64,
}

/// What a session did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Where the market came from.
    pub source: String,
    /// Symbols of the session.
    pub symbols: u64,
    /// Market facts taken.
    pub events: u64,
    /// Decisions, one per symbol and cycle.
    pub decisions: u64,
    /// Child intents made.
    pub intents: u64,
    /// Orders sent.
    pub orders: u64,
    /// Executions.
    pub fills: u64,
    /// Profit and loss after commissions, dollars.
    pub pnl: Dollars,
    /// By the gateway's audit; `null` = the gateway gave none.
    pub violations: Option<Violations>,
    /// The opportunities behind each violation.
    pub exercised: BTreeMap<String, Exercised>,
    /// Broker against journal; `null` = it was not reached.
    pub reconciliation: Option<Reconciliation>,
    /// Wall-time latencies per hop, µs.
    pub latency_us: BTreeMap<Hop, LatencyLine>,
    /// What each family of models cost per pass; empty = no pass.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub families_us: BTreeMap<String, FamilyLine>,
    /// The budgets.
    pub budgets: Budgets,
    /// The machine.
    pub host: Host,
    /// Session seconds per wall second: at another speed than 1 latencies are no claim.
    pub speed: f64,
    /// Name of the settings profile.
    pub profile: String,
    /// Gates that the profile loosens.
    pub loosened: Vec<String>,
    /// Sentences for the reader, e.g. that the P&L is no evidence.
    #[serde(default)]
    pub notes: Vec<String>,
}

impl Summary {
    /// Takes the latencies in and judges the budgets.
    pub fn set_latency(&mut self, latency: &LatencyRecorder) {
        self.latency_us = latency_lines(latency);
        self.budgets = Budgets::judge(&self.latency_us);
    }

    /// What is not as it must be, in words; empty = a clean session.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, count) in self.violations.iter().flat_map(Violations::named).filter(|(_, n)| *n > 0) {
            problems.push(format!("{count} {name} violations"));
        }
        match &self.reconciliation {
            None => problems.push("the books were not reconciled".to_owned()),
            Some(r) if r.differences > 0 => problems.push(format!("{} differences between the books", r.differences)),
            Some(_) => {}
        }
        for budget in self.budgets.named().iter().filter(|b| b.is_missed()) {
            problems.push(format!("the budget of {} was missed", budget.name));
        }
        problems
    }
}
