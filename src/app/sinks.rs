//! Where the broker adapter puts its facts: the pipeline's rings, and for broker facts a view beside them that the
//! report compares with the journal.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::broker::port::{BrokerSink, MarketSink};
use crate::domain::{Money, Qty, SymbolId};
use crate::message::{BrokerEvent, MarketEvent, SnapshotKind};
use crate::pipeline::ring::{ConflatingTx, Tx};
use crate::routing::orders::split_exec_id;

/// The ring to feed.
pub struct FeedSink(pub ConflatingTx<MarketEvent>);

impl MarketSink for FeedSink {
    fn push(&mut self, event: MarketEvent) -> bool {
        self.0.push(event)
    }
}

/// What the broker itself said, kept apart from the trader's book: the other side of the reconciliation.
#[derive(Clone, Debug, Default)]
pub struct BrokerView {
    /// Executions by id: symbol, signed shares, signed cash.
    pub executions: BTreeMap<String, (Option<SymbolId>, Qty, Money)>,
    /// Commissions by execution id.
    pub commissions: BTreeMap<String, Money>,
    /// Positions of the last complete list.
    pub positions: BTreeMap<SymbolId, Qty>,
    /// Rows of other instruments in the last complete list.
    pub foreign_positions: usize,
    /// First and last cash figure.
    pub cash_first: Option<Money>,
    /// Last cash figure.
    pub cash_last: Option<Money>,
    /// First net liquidation figure.
    pub net_first: Option<Money>,
    /// Last net liquidation figure.
    pub net_last: Option<Money>,
    /// Lists that ended completely, by kind, since [`BrokerView::expect_fresh`].
    pub complete: Vec<SnapshotKind>,
    arriving: BTreeMap<SymbolId, Qty>,
    arriving_foreign: usize,
}

impl BrokerView {
    /// Forgets which lists came, and the executions of the live stream, which the journal was fed from: what the next
    /// lists say counts.
    pub fn expect_fresh(&mut self) {
        self.complete.clear();
        self.executions.clear();
    }

    /// Takes one fact in.
    pub fn see(&mut self, event: &BrokerEvent) {
        match event {
            BrokerEvent::Execution(x) => {
                let signed = Qty(x.side.sign() * x.qty.0);
                let cash = x.price.notional(-signed).unwrap_or_default();
                // A correction has the id of what it replaces, but for the digits after the last period.
                let (fill, version) = split_exec_id(x.exec_id.as_str());
                self.executions.retain(|id, _| {
                    let (other, older) = split_exec_id(id);
                    other != fill || older > version
                });
                if !self.executions.keys().any(|id| split_exec_id(id).0 == fill) {
                    self.executions.insert(x.exec_id.as_str().into(), (x.symbol, signed, cash));
                }
            }
            BrokerEvent::Commission(c) => {
                self.commissions.insert(c.exec_id.as_str().into(), c.commission);
            }
            BrokerEvent::Position(p) => match p.symbol {
                Some(symbol) if p.qty != Qty::ZERO => {
                    self.arriving.insert(symbol, p.qty);
                }
                Some(_) => {}
                None => self.arriving_foreign += 1,
            },
            BrokerEvent::Account { cash, net_liquidation, .. } => {
                self.cash_first = self.cash_first.or(*cash);
                self.cash_last = cash.or(self.cash_last);
                self.net_first = self.net_first.or(*net_liquidation);
                self.net_last = net_liquidation.or(self.net_last);
            }
            BrokerEvent::SnapshotEnd { kind, complete, .. } => {
                if *kind == SnapshotKind::Positions {
                    let rows = std::mem::take(&mut self.arriving);
                    let foreign = std::mem::take(&mut self.arriving_foreign);
                    if *complete {
                        (self.positions, self.foreign_positions) = (rows, foreign);
                    }
                }
                if *complete {
                    self.complete.push(*kind);
                }
            }
            _ => {}
        }
    }
}

/// The ring to routing, and the view.
pub struct RoutingSink {
    /// The ring.
    pub ring: Tx<BrokerEvent>,
    /// The view.
    pub view: Arc<Mutex<BrokerView>>,
}

impl BrokerSink for RoutingSink {
    fn push(&mut self, event: BrokerEvent) -> bool {
        if self.ring.push(event).is_err() {
            return false;
        }
        self.view.lock().see(&event);
        true
    }
}
