//! Order records: identity, terms, progress. No matching, no messages.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::algos::Plan;
use crate::clock::SessionTime;
use crate::domain::{Money, Price, Side, SymbolId};
use crate::sim::api::Order;

/// Most orders at one time, the ended ones that are kept among them; beyond it new ones are refused with 201.
pub(super) const ORDERS_MAX: usize = 200_000;
/// Ended orders that are kept, the latest ones: for reqCompletedOrders, for modifications that come too late and for
/// fills after the end. An older one's id stays used.
pub(super) const ENDED_MAX: usize = 10_000;
/// Most executions of a day, all of which reqExecutions may ask for; beyond it new orders are refused with 201.
pub(super) const EXECUTIONS_MAX: usize = 200_000;
/// The first permanent id.
const FIRST_PERM_ID: i64 = 1_389_211_034;

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum Status {
    /// Sent with transmit = false: nobody is told of it.
    Untransmitted,
    /// On its way to the exchange.
    Sent,
    /// Held for the opening bell.
    PreSubmitted,
    /// Working.
    Submitted,
    /// All shares filled.
    Filled,
    /// Cancelled or expired.
    Cancelled,
    /// Refused.
    Inactive,
}

impl Status {
    /// IB's word.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Untransmitted | Self::Sent => "PendingSubmit",
            Self::PreSubmitted => "PreSubmitted",
            Self::Submitted => "Submitted",
            Self::Filled => "Filled",
            Self::Cancelled => "Cancelled",
            Self::Inactive => "Inactive",
        }
    }

    /// Whether nothing more can happen to it.
    pub(super) const fn is_final(self) -> bool {
        matches!(self, Self::Filled | Self::Cancelled | Self::Inactive)
    }

    /// Whether open-order queries list it.
    pub(super) const fn is_open(self) -> bool {
        matches!(self, Self::PreSubmitted | Self::Submitted)
    }
}

/// Time in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum Tif {
    Day,
    Gtc,
    Ioc,
    Fok,
    Gtd(SessionTime),
    /// The opening print or nothing.
    Opg,
    /// Like a day order, but kept as inactive at the day's end.
    Dtc,
}

/// How an order finds its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum Style {
    /// At its limit, or at the market.
    Plain,
    /// At the midpoint, no further than its limit.
    Mid,
    /// At its own side's touch, no further than its limit.
    Primary,
    /// The closing print or nothing.
    OnClose,
}

/// How a trailing stop follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum Trail {
    /// At this distance.
    By(Price),
    /// At this share of the price, in millionths.
    Share(i64),
}

/// What a stop turns into once a price is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Adjustment {
    /// The price that does it.
    pub(super) at: Price,
    /// Its new stop price.
    pub(super) stop: Price,
    /// Its limit, if it becomes a stop limit.
    pub(super) limit: Option<Price>,
    /// Its distance, if it becomes a trail.
    pub(super) trail: Option<Trail>,
}

/// Terms that a modification can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Terms {
    pub(super) qty: i64,
    /// `None` = market.
    pub(super) limit: Option<Price>,
    pub(super) tif: Tif,
    pub(super) style: Style,
    /// The price that sets it to work; `None` = no stop.
    pub(super) trigger: Option<Price>,
    /// The trigger is a better price than the market's (market or limit if touched), not a worse one.
    pub(super) if_touched: bool,
    pub(super) trail: Option<Trail>,
    /// How far the limit of a trail stands behind its stop.
    pub(super) limit_offset: Option<Price>,
    /// How far a relative order stands before its side's touch: dollars, or a share of the touch in millionths.
    pub(super) offset: Option<Trail>,
    /// What is left after the first fill rests at that fill's price.
    pub(super) to_limit: bool,
    pub(super) adjust: Option<Adjustment>,
    /// All its shares at once or none.
    pub(super) all_or_none: bool,
    /// Shares that it shows at a time; 0 = all.
    pub(super) display: i64,
    /// It may trade outside regular hours.
    pub(super) outside_rth: bool,
    /// Held until then.
    pub(super) not_before: Option<SessionTime>,
}

impl Terms {
    /// A plain market order for the day.
    pub(super) const fn market(qty: i64) -> Self {
        Self {
            qty,
            limit: None,
            tif: Tif::Day,
            style: Style::Plain,
            trigger: None,
            if_touched: false,
            trail: None,
            limit_offset: None,
            offset: None,
            to_limit: false,
            adjust: None,
            all_or_none: false,
            display: 0,
            outside_rth: false,
            not_before: None,
        }
    }

    /// Fewest shares that one match may have when `left` are to trade.
    pub(super) fn least(&self, left: i64) -> i64 {
        if self.all_or_none || self.tif == Tif::Fok { left } else { 1 }
    }
}

/// One order.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Record {
    pub(super) perm: i64,
    pub(super) client: i32,
    pub(super) order_id: i32,
    pub(super) symbol: SymbolId,
    pub(super) side: Side,
    pub(super) terms: Terms,
    /// As sent: what is echoed.
    pub(super) sent: Order,
    pub(super) status: Status,
    /// A cancel is on its way to the exchange.
    pub(super) cancelling: bool,
    pub(super) filled: i64,
    /// Σ price × shares.
    pub(super) value: Money,
    pub(super) last_price: Price,
    pub(super) fees: Money,
    /// When it ended, as text, and IB's word for how.
    pub(super) completed: Option<(String, String)>,
    /// No message about it may arrive before this.
    pub(super) report_floor: SessionTime,
    /// No instruction about it may reach the exchange before this.
    pub(super) inbound_floor: SessionTime,
    /// Warning 399 has told that it waits for the bell.
    pub(super) deferral_told: bool,
    /// Its cancel was asked before its acknowledgement was complete.
    pub(super) cancelled_early: bool,
    /// Reports under way.
    pub(super) undelivered: u32,
    /// The bracket parent's permanent id, 0 = none.
    pub(super) parent: i64,
    /// Most shares that a child may fill: what its parent has filled.
    pub(super) child_cap: i64,
    /// Shares of that cap which fills elsewhere in its OCA group have taken.
    pub(super) taken: i64,
    /// A stop's price was reached.
    pub(super) triggered: bool,
    /// Held for a locate: warning 404 told of it.
    pub(super) locating: bool,
    /// The system behind the gateway has echoed it; before that the gateway's own echo shows its defaults.
    #[serde(default)]
    pub(super) echoed: bool,
    /// Its conditions hold, or it waits for none.
    pub(super) conditions_met: bool,
    /// How it is worked in parts.
    pub(super) plan: Option<Plan>,
    /// Fees are counted by version: a modification starts a new one.
    pub(super) version: Version,
    /// The price at which the house caps its limit; none = it does not.
    pub(super) cap: Price,
    /// Refused at the gateway, though a cancel still finds it.
    pub(super) discarded: bool,
    /// When it came.
    pub(super) created: SessionTime,
}

/// What one version of an order has filled so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Version {
    pub(super) filled: i64,
    pub(super) value: Money,
    /// Shares of it that added liquidity.
    pub(super) added: i64,
    /// Fees of the versions before it.
    pub(super) fees_before: Money,
}

impl Record {
    /// An order of which nothing has happened yet.
    #[allow(clippy::too_many_arguments, reason = "what makes an order; a builder would only repeat the names")]
    pub(super) fn new(
        perm: i64,
        client: i32,
        symbol: SymbolId,
        side: Side,
        terms: Terms,
        mut sent: Order,
        status: Status,
        now: SessionTime,
    ) -> Self {
        if terms.tif == Tif::Gtc && sent.auto_cancel_date.is_empty() {
            sent.auto_cancel_date = super::text::gtc_end(now);
        }
        Self {
            perm,
            client,
            order_id: sent.order_id,
            symbol,
            side,
            terms,
            sent,
            status,
            cancelling: false,
            filled: 0,
            value: Money(0),
            last_price: Price::NONE,
            fees: Money(0),
            completed: None,
            report_floor: now,
            inbound_floor: now,
            deferral_told: false,
            cancelled_early: false,
            undelivered: 0,
            parent: 0,
            child_cap: i64::MAX,
            taken: 0,
            triggered: false,
            locating: false,
            echoed: false,
            conditions_met: true,
            plan: None,
            version: Version::default(),
            cap: Price::NONE,
            discarded: false,
            created: now,
        }
    }

    /// Shares that may trade now.
    pub(super) fn workable(&self) -> i64 {
        let planned = self.plan.as_ref().map_or(i64::MAX, |p| p.released.saturating_sub(self.filled));
        let family = self.child_cap.saturating_sub(self.filled).saturating_sub(self.taken);
        self.remaining().min(family).min(planned).max(0)
    }

    /// Whether it waits for its parent.
    pub(super) const fn waits_for_parent(&self) -> bool {
        self.child_cap == 0
    }

    /// Whether its stop price is still ahead.
    pub(super) const fn waits_for_trigger(&self) -> bool {
        self.terms.trigger.is_some() && !self.triggered
    }

    /// Whether something but the bell keeps it from the book.
    pub(super) fn is_held(&self, now: SessionTime) -> bool {
        self.waits_for_parent()
            || self.waits_for_trigger()
            || self.locating
            || !self.conditions_met
            || self.terms.style == Style::OnClose
            || self.terms.tif == Tif::Opg
            || self.terms.not_before.is_some_and(|t| t > now)
    }

    /// IB's word for what holds it, as recorded.
    pub(super) const fn why_held(&self) -> &'static str {
        if self.status.is_final() {
            return "";
        }
        match (self.locating, self.waits_for_parent(), self.waits_for_trigger()) {
            (true, ..) => "locate",
            (_, true, true) => "child,trigger",
            (_, true, false) => "child",
            (_, false, true) => "trigger",
            (_, false, false) => "",
        }
    }

    pub(super) fn remaining(&self) -> i64 {
        self.terms.qty - self.filled
    }

    pub(super) fn average_price(&self) -> f64 {
        if self.filled == 0 { 0.0 } else { self.value.to_f64() / self.filled as f64 }
    }
}

/// All orders of the session, by permanent id.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders {
    records: BTreeMap<i64, Record>,
    by_client: BTreeMap<(i32, i32), i64>,
    /// Highest order id each client has used.
    highest: BTreeMap<i32, i32>,
    /// Open and pending orders: what queries, margin and expiry walk.
    live: BTreeMap<i64, ()>,
    /// Ended orders in order of their ends.
    ended: VecDeque<i64>,
    /// No permanent id below it is given again.
    perm_floor: i64,
    /// What changed since it was last asked; `None` = nobody asks.
    changes: Option<Changes>,
}

/// What changed.
#[derive(Clone, Debug, Default)]
struct Changes {
    perms: BTreeSet<i64>,
    /// An order id was used or rolled back.
    ids: bool,
}

impl Orders {
    pub(super) fn get(&self, perm: i64) -> Option<&Record> {
        self.records.get(&perm)
    }

    pub(super) fn get_mut(&mut self, perm: i64) -> Option<&mut Record> {
        self.note(perm);
        self.records.get_mut(&perm)
    }

    pub(super) fn find(&self, client: i32, order_id: i32) -> Option<&Record> {
        self.by_client.get(&(client, order_id)).and_then(|p| self.records.get(p))
    }

    /// The next order id that `client` may use.
    pub(super) fn next_valid_id(&self, client: i32) -> i32 {
        self.highest.get(&client).map_or(1, |h| h.saturating_add(1))
    }

    /// Notes that `client` used `order_id`.
    pub(super) fn use_id(&mut self, client: i32, order_id: i32) {
        self.note_ids();
        let h = self.highest.entry(client).or_insert(order_id);
        *h = (*h).max(order_id);
    }

    /// A permanent id for the next record.
    pub(super) fn next_perm(&self) -> i64 {
        self.records.last_key_value().map_or(FIRST_PERM_ID, |(p, _)| p + 1).max(self.perm_floor)
    }

    /// Notes changes from now on.
    pub(super) fn track(&mut self) {
        self.changes = Some(Changes::default());
    }

    /// Orders changed since `track` or the last call; `None` = no order and no id.
    pub(super) fn take_changes(&mut self) -> Option<BTreeSet<i64>> {
        let changes = self.changes.as_mut().filter(|c| c.ids || !c.perms.is_empty())?;
        Some(std::mem::take(changes).perms)
    }

    fn note(&mut self, perm: i64) {
        if let Some(changes) = &mut self.changes {
            changes.perms.insert(perm);
        }
    }

    fn note_ids(&mut self) {
        if let Some(changes) = &mut self.changes {
            changes.ids = true;
        }
    }

    /// (client, highest order id it used).
    pub(super) fn highest(&self) -> Vec<(i32, i32)> {
        self.highest.iter().map(|(c, id)| (*c, *id)).collect()
    }

    /// Starts from the ids that an earlier process had used.
    pub(super) fn resume(&mut self, next_perm: i64, highest: &[(i32, i32)]) {
        self.perm_floor = next_perm;
        self.highest.extend(highest.iter().copied());
    }

    /// Makes every client's next order id smaller by so much, as a restarted gateway may: ids can come again.
    pub(super) fn roll_back(&mut self, by: i32) {
        self.note_ids();
        for h in self.highest.values_mut() {
            *h = (*h - by).max(0);
        }
    }

    /// Takes a finished order off the list of living ones; the one that ended longest ago is forgotten.
    pub(super) fn retire(&mut self, perm: i64) {
        if self.live.remove(&perm).is_none() {
            return;
        }
        self.ended.push_back(perm);
        if self.ended.len() <= ENDED_MAX {
            return;
        }
        if let Some(old) = self.ended.pop_front().and_then(|p| self.records.remove(&p)) {
            self.by_client.remove(&(old.client, old.order_id));
            self.perm_floor = self.perm_floor.max(old.perm + 1);
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.records.len() >= ORDERS_MAX
    }

    pub(super) fn insert(&mut self, record: Record) {
        // Manual orders have no id of their own.
        if record.order_id != 0 {
            self.by_client.insert((record.client, record.order_id), record.perm);
        }
        self.note(record.perm);
        self.live.insert(record.perm, ());
        self.records.insert(record.perm, record);
    }

    /// Gives an order that was entered by hand an id of its client's.
    pub(super) fn bind(&mut self, perm: i64, order_id: i32) {
        let Some(r) = self.records.get_mut(&perm) else { return };
        r.order_id = order_id;
        let client = r.client;
        self.by_client.insert((client, order_id), perm);
        self.use_id(client, order_id);
    }

    /// Ends an order.
    pub(super) fn finish(&mut self, perm: i64, status: Status, when: String, how: String) {
        self.note(perm);
        if let Some(r) = self.records.get_mut(&perm) {
            r.status = status;
            r.completed = Some((when, how));
        }
        self.retire(perm);
    }

    /// Orders that have not ended, oldest first.
    pub(super) fn live(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.live.keys().filter_map(|p| self.records.get(p))
    }

    /// All orders, oldest first.
    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.records.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(perm: i64, order_id: i32) -> Record {
        let terms = Terms::market(1);
        let sent = Order { order_id, ..Order::default() };
        Record::new(perm, 1, SymbolId(0), Side::Buy, terms, sent, Status::Submitted, SessionTime(0))
    }

    #[test]
    fn the_latest_ended_orders_are_kept_and_no_id_comes_again() {
        let mut orders = Orders::default();
        let count = ENDED_MAX + 3;
        let mut perms = Vec::new();
        for id in 1..=i32::try_from(count).unwrap_or(0) {
            let perm = orders.next_perm();
            orders.use_id(1, id);
            orders.insert(record(perm, id));
            perms.push(perm);
        }
        let next = orders.next_perm();
        // The first stays alive; the newest ends first and is the first to be forgotten.
        for perm in perms[1..].iter().rev() {
            orders.finish(*perm, Status::Cancelled, String::new(), String::new());
            orders.finish(*perm, Status::Cancelled, String::new(), String::new());
        }
        assert_eq!(orders.all().count(), ENDED_MAX + 1);
        assert!(orders.get(perms[0]).is_some() && orders.find(1, 1).is_some(), "a living order is never forgotten");
        assert!(orders.get(perms[count - 1]).is_none() && orders.find(1, 10_003).is_none());
        assert!(orders.find(1, 2).is_some(), "the one that ended last");
        assert_eq!(orders.next_perm(), next);
        assert_eq!(orders.next_valid_id(1), 10_004);
    }
}
