//! What the journal says of one trading day, over every process that wrote it: the side of the reconciliation that
//! stands against the broker's lists, which are of the day too. A restart must not make the morning's fills differ.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::calendar::Date;
use crate::domain::{Money, Qty};
use crate::journal::{Disk, ExecutionTotal, JournalError, Record, scan, totals};

/// A day's sums.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayBook {
    /// Executions of the day by id, each in its last version.
    pub executions: BTreeMap<String, ExecutionTotal>,
    /// How many of them an earlier process of the day recorded.
    pub earlier: usize,
    /// Signed shares by ticker after the whole journal.
    pub positions: BTreeMap<String, Qty>,
    /// Cash of the day's own fills: sells minus buys, before commissions.
    pub cash_flow: Money,
    /// Commissions of the day's own fills.
    pub commissions: Money,
    /// The day's first cash figure before its first own fill.
    pub cash_before: Option<Money>,
}

/// Adds up `date` in the journal on `disk`; `epoch` is the process that asks.
///
/// # Errors
/// The journal can't be read.
pub fn day_book<D: Disk>(disk: &mut D, date: Date, epoch: u64) -> Result<DayBook, JournalError> {
    let mut book = DayBook::default();
    let (mut today, mut earlier, mut traded) = (BTreeSet::new(), BTreeSet::new(), false);
    scan(disk, |header, record| match record {
        Record::Execution(r) if Date::new_york(r.at) == date => {
            let id = r.exec_id.as_str().to_owned();
            if header.epoch < epoch {
                earlier.insert(id.clone());
            }
            today.insert(id);
            traded |= !r.external;
        }
        Record::Equity(r) if !traded && Date::new_york(r.at) == date => book.cash_before = book.cash_before.or(r.cash),
        _ => {}
    })?;
    let all = totals(disk, None)?;
    book.positions = all.positions;
    book.executions = all.executions.into_iter().filter(|(id, _)| today.contains(id)).collect();
    book.earlier = book.executions.keys().filter(|id| earlier.contains(*id)).count();
    for e in book.executions.values().filter(|e| !e.external) {
        book.cash_flow -= e.price.notional(Qty(e.side.sign() * e.qty.0)).unwrap_or_default();
        book.commissions += e.commission.unwrap_or_default();
    }
    Ok(book)
}
