//! A summary for the eye: aligned plain text, no colour, at most 100 columns unless a name is longer.

use std::fmt::Write as _;

use super::summary::{Dollars, Exercised, Pair, Reconciliation, Summary, Violations};

/// Width of the first column.
const NAME: usize = 22;
/// Most held positions listed; the JSON has all.
const MAX_HELD: usize = 20;

impl Summary {
    /// The report that ends a session. Every line ends with a newline.
    pub fn table(&self) -> String {
        let mut text = String::new();
        self.header(&mut text);
        self.result(&mut text);
        self.violations_table(&mut text);
        match &self.reconciliation {
            Some(reconciliation) => reconcile(&mut text, reconciliation),
            None => text.push_str("\nReconciliation          not reached\n"),
        }
        self.latencies(&mut text);
        self.budgets_table(&mut text);
        let problems = self.problems();
        let verdict = if problems.is_empty() { "clean".to_owned() } else { problems.join("; ") };
        line(&mut text, format_args!("\nVerdict: {verdict}"));
        text
    }

    fn header(&self, text: &mut String) {
        line(
            text,
            format_args!(
                "Session on {}: {} symbols, profile {}, speed {}x, {} ({} cores)",
                self.source, self.symbols, self.profile, self.speed, self.host.cpu, self.host.cores
            ),
        );
        if !self.loosened.is_empty() {
            line(text, format_args!("Gates loosened by this profile: {}", self.loosened.join(", ")));
        }
        for note in &self.notes {
            line(text, format_args!("Note: {note}"));
        }
    }

    fn result(&self, text: &mut String) {
        line(text, format_args!("\nResult"));
        let counts = [
            ("events", self.events),
            ("decisions", self.decisions),
            ("intents", self.intents),
            ("orders", self.orders),
            ("fills", self.fills),
        ];
        for (name, count) in counts {
            line(text, format_args!("  {name:<NAME$}{:>14}", grouped(&count.to_string())));
        }
        line(text, format_args!("  {:<NAME$}{:>14}", "P&L, USD", dollars(self.pnl)));
    }

    fn violations_table(&self, text: &mut String) {
        let Some(violations) = &self.violations else {
            line(text, format_args!("\nViolations              not audited by this gateway"));
            return;
        };
        line(text, format_args!("\nViolations, by the gateway's own audit"));
        for (name, count) in Violations::named(violations) {
            line(text, format_args!("  {name:<NAME$}{count:>14}"));
        }
        if self.exercised.is_empty() {
            return;
        }
        let width = self.exercised.keys().map(String::len).max().unwrap_or(0).max(NAME);
        line(text, format_args!("\nWhat stood behind them"));
        for (name, exercised) in &self.exercised {
            let value = match exercised {
                Exercised::Count(n) => grouped(&n.to_string()),
                Exercised::Value(v) => grouped(&format!("{v:.2}")),
                Exercised::Text(words) => words.clone(),
            };
            line(text, format_args!("  {name:<width$}{value:>14}"));
        }
    }

    fn latencies(&self, text: &mut String) {
        if self.latency_us.is_empty() {
            return;
        }
        let label = if (self.speed - 1.0).abs() < f64::EPSILON {
            "Latency, µs".to_owned()
        } else {
            format!("Latency, µs (at {}x)", self.speed)
        };
        line(
            text,
            format_args!(
                "\n{label:<24}{:>11}{:>12}{:>12}{:>12}{:>12}{:>12}",
                "count", "p50", "p95", "p99", "p99.9", "max"
            ),
        );
        for (hop, l) in &self.latency_us {
            let _ = write!(text, "  {:<NAME$}{:>11}", hop.name(), grouped(&l.count.to_string()));
            for us in [l.p50, l.p95, l.p99, l.p999, l.max] {
                let _ = write!(text, "{:>12}", grouped(&format!("{us:.2}")));
            }
            text.push('\n');
        }
    }

    fn budgets_table(&self, text: &mut String) {
        line(text, format_args!("\n{:<24}{:>14}{:>14}", "Budgets, ms", "measured", "allowed"));
        for budget in self.budgets.named() {
            let (measured, verdict) = match budget.measured_ms {
                None => ("-".to_owned(), "not exercised"),
                Some(ms) => (grouped(&format!("{ms:.3}")), if budget.is_missed() { "MISSED" } else { "OK" }),
            };
            let allowed = grouped(&format!("{:.0}", budget.limit_ms));
            line(text, format_args!("  {:<NAME$}{measured:>14}{allowed:>14}  {verdict}", budget.name));
        }
    }
}

fn reconcile(text: &mut String, r: &Reconciliation) {
    line(text, format_args!("\n{:<24}{:>18}{:>18}", "Reconciliation", "broker", "journal"));
    let mut row = |name: &str, broker: String, journal: String| {
        line(text, format_args!("  {name:<NAME$}{broker:>18}{journal:>18}"));
    };
    row("executions", r.executions.broker.to_string(), r.executions.journal.to_string());
    row("open positions", r.positions.broker.len().to_string(), r.positions.journal.len().to_string());
    let money = |pair: &Pair<Dollars>| (dollars(pair.broker), dollars(pair.journal));
    for (name, (broker, journal)) in [("cash, USD", money(&r.cash)), ("commissions, USD", money(&r.commissions))] {
        row(name, broker, journal);
    }
    line(text, format_args!("  {:<NAME$}{:>18}", "differences", r.differences));
    for detail in &r.details {
        line(text, format_args!("    {detail}"));
    }
    if !r.positions.broker.is_empty() {
        let held = r.positions.broker.iter().take(MAX_HELD).map(|(symbol, qty)| format!("{symbol} {qty}"));
        let more = r.positions.broker.len().saturating_sub(MAX_HELD);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        line(text, format_args!("  held: {}{rest}", held.collect::<Vec<_>>().join(", ")));
    }
}

/// Writing to a string can't fail.
fn line(text: &mut String, args: std::fmt::Arguments<'_>) {
    let _ = writeln!(text, "{args}");
}

fn dollars(amount: Dollars) -> String {
    grouped(&amount.0.to_string())
}

/// Puts commas between the thousands of a decimal number.
fn grouped(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |d| ("-", d));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
    let mut text = String::with_capacity(number.len() + number.len() / 3);
    text.push_str(sign);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if let Some(fraction) = fraction {
        text.push('.');
        text.push_str(fraction);
    }
    text
}
