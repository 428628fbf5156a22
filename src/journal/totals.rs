//! What a session's records add up to, to compare with the broker to the cent: executions by id, positions, cash,
//! commissions. Corrections replace what they correct; foreign fills are listed and not summed.

use std::collections::{BTreeMap, BTreeSet};

use super::disk::Disk;
use super::reader::{JournalError, scan};
use super::record::Record;
use crate::domain::{Money, OrderId, PermId, Price, Qty, Side};
use crate::routing::orders::split_exec_id;

/// One execution, its last version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionTotal {
    /// Ticker.
    pub ticker: String,
    /// Order id of its client.
    pub order_id: OrderId,
    /// The broker's id of the order.
    pub perm_id: PermId,
    /// Side.
    pub side: Side,
    /// Shares.
    pub qty: Qty,
    /// Price.
    pub price: Price,
    /// Commission, once told.
    pub commission: Option<Money>,
    /// Whether it is foreign.
    pub external: bool,
}

/// The sums.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// By execution id.
    pub executions: BTreeMap<String, ExecutionTotal>,
    /// Ids of executions that other epochs recorded: the broker's list of the day names them as well.
    pub of_other_epochs: BTreeSet<String>,
    /// Signed shares by ticker that the session's own fills moved.
    pub moved: BTreeMap<String, Qty>,
    /// Signed shares by ticker after the whole journal.
    pub positions: BTreeMap<String, Qty>,
    /// Cash of own fills: sells minus buys, before commissions.
    pub cash_flow: Money,
    /// Commissions of own fills.
    pub commissions: Money,
    /// Own fills without a commission.
    pub commissions_missing: usize,
    /// Orders written to the socket.
    pub orders_sent: u64,
    /// Intents recorded.
    pub intents: u64,
    /// Intents withdrawn.
    pub withdrawn: u64,
    /// Cancels recorded.
    pub cancels: u64,
    /// Modifies recorded.
    pub modifies: u64,
    /// Refusals by the guards.
    pub rejects: u64,
}

/// Adds up the records of one process epoch, or of all (`None`). Positions always count the whole journal.
pub fn totals<D: Disk>(disk: &mut D, epoch: Option<u64>) -> Result<Totals, JournalError> {
    let mut all = BTreeMap::<String, ExecutionTotal>::new();
    let mut versions = BTreeMap::<(String, PermId, bool), String>::new();
    let mut tickers = BTreeMap::new();
    let mut t = Totals::default();
    scan(disk, |header, record| {
        let ours = epoch.is_none_or(|e| e == header.epoch);
        let count = u64::from(ours);
        match record {
            Record::SessionStart(_) => tickers.clear(),
            Record::Symbol(r) => drop(tickers.insert(r.symbol, r.ticker.as_str().to_owned())),
            Record::Intent(_) => t.intents += count,
            Record::Withdrawn(r) if r.what == super::record::what::NEW => t.withdrawn += count,
            Record::Sent(r) if r.what == super::record::what::NEW => t.orders_sent += count,
            Record::Cancel(_) => t.cancels += count,
            Record::Modify(_) => t.modifies += count,
            Record::Reject(_) => t.rejects += count,
            Record::Execution(r) => {
                let id = r.exec_id.as_str().to_owned();
                let line = ExecutionTotal {
                    ticker: tickers.get(&r.symbol).cloned().unwrap_or_default(),
                    order_id: r.order_id,
                    perm_id: r.perm_id,
                    side: r.side,
                    qty: r.qty,
                    price: r.price,
                    commission: t.executions.get(&id).and_then(|e| e.commission),
                    external: r.external,
                };
                let key = (split_exec_id(&id).0.to_owned(), r.perm_id, r.side == Side::Sell);
                if r.correction
                    && let Some(old) = versions.get(&key)
                {
                    all.remove(old);
                    t.executions.remove(old);
                }
                versions.insert(key, id.clone());
                all.insert(id.clone(), line.clone());
                if ours {
                    t.executions.insert(id, line);
                } else {
                    t.of_other_epochs.insert(id);
                }
            }
            Record::Commission(r) => {
                if let Some(e) = t.executions.get_mut(r.exec_id.as_str()) {
                    e.commission = Some(r.commission);
                }
            }
            _ => {}
        }
    })?;
    sum(&mut t, &all);
    Ok(t)
}

fn sum(t: &mut Totals, all: &BTreeMap<String, ExecutionTotal>) {
    for e in all.values().filter(|e| !e.external) {
        *t.positions.entry(e.ticker.clone()).or_default() += Qty(e.side.sign() * e.qty.0);
    }
    for e in t.executions.values().filter(|e| !e.external) {
        let signed = Qty(e.side.sign() * e.qty.0);
        *t.moved.entry(e.ticker.clone()).or_default() += signed;
        t.cash_flow -= e.price.notional(signed).unwrap_or_default();
        t.commissions += e.commission.unwrap_or_default();
        t.commissions_missing += usize::from(e.commission.is_none());
    }
}
