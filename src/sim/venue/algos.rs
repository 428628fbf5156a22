//! Orders that are worked in parts: IB's algos and scales. What is released of such an order works like any other.
//!
//! Documented: names and parameters of the strategies; errors 439 (no such strategy), 441 (a value), 442 (a strategy that
//! stocks here do not offer), 443 (a parameter). Assumed, and simple on purpose: a release every five seconds. `Twap`
//! releases evenly, `Vwap` along a fixed U-shaped day, `ArrivalPx` early ones larger by its risk aversion, `PctVol` a
//! share of what traded since it started; `Adaptive` starts at the midpoint and slides to the opposite touch, in 5, 15 or
//! 60 seconds by its priority. A scale works one part after the other, each an increment further away.

#![allow(clippy::cast_possible_truncation, reason = "shares of an order below a billion")]

use super::agenda::Task;
use super::contracts::tick_at;
use super::core::Core;
use super::orders::{Record, Status};
use super::terms::Refusal;
use super::text;
use crate::clock::{Nanos, SECOND, SessionTime};
use crate::domain::calendar::{Date, RegularHours};
use crate::domain::{Price, Side};
use crate::sim::api::Order;
use crate::sim::market::Quote;

/// Time between two releases.
const PERIOD: Nanos = 5 * SECOND;
/// Time between two steps of a slide.
const STEP: Nanos = SECOND;
/// IB's strategies that this venue does not work.
const NOT_OFFERED: [&str; 9] =
    ["AD", "BalanceImpactRisk", "ClosePx", "DarkIce", "MinImpact", "PctVolPx", "PctVolSz", "PctVolTm", "Inline"];
/// Volume by half hour of the day, relative (as of the synthetic market).
const DAY_SHAPE: [f64; 13] = [2.15, 1.11, 0.87, 0.9, 0.81, 0.66, 0.82, 0.56, 0.56, 0.69, 0.68, 0.86, 2.34];

/// How much is released when.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) enum Pace {
    /// All of it at once.
    Whole,
    Even,
    /// Along the day's usual volume.
    DayShape,
    /// Early ones larger: the exponent.
    Early(f64),
    /// This share of the volume traded since the start.
    OfVolume(f64),
    /// Parts of a scale: the later ones' size.
    Parts(i64),
}

/// Where the released part stands.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) enum At {
    /// At its limit, or at the market.
    Limit,
    Mid,
    /// At its own side's touch: it takes nothing.
    Own,
    Last,
    /// From the midpoint to the opposite touch in so many seconds.
    Slide(i64),
    /// This far behind the limit, part by part.
    Level(Price),
}

/// How an order is worked in parts.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Plan {
    pub(super) pace: Pace,
    pub(super) at: At,
    /// Shares released so far.
    pub(super) released: i64,
    pub(super) start: SessionTime,
    pub(super) end: SessionTime,
    /// What is left at the end is released, else cancelled.
    past_end: bool,
    /// Most of the volume that it may be.
    volume_share_max: Option<f64>,
    /// The symbol's volume when it started; below 0 = it has not.
    volume_before: i64,
    /// Parts of a scale that came before.
    parts: i64,
}

/// The parameters of one strategy, taken one by one; what is left is unknown.
struct Params<'a> {
    left: Vec<&'a (String, String)>,
    now: SessionTime,
}

impl<'a> Params<'a> {
    fn take(&mut self, name: &str) -> Option<&'a str> {
        let at = self.left.iter().position(|(tag, _)| tag == name)?;
        Some(self.left.remove(at).1.as_str()).filter(|v| !v.is_empty())
    }

    fn bad(name: &str, value: &str) -> Refusal {
        (441, format!("Algo attributes validation failed:{name}={value}"))
    }

    fn flag(&mut self, name: &str) -> Result<bool, Refusal> {
        match self.take(name) {
            None | Some("0" | "false") => Ok(false),
            Some("1" | "true") => Ok(true),
            Some(other) => Err(Self::bad(name, other)),
        }
    }

    /// A share of the volume, 0.01 to 0.5.
    fn share(&mut self, name: &str) -> Result<Option<f64>, Refusal> {
        let Some(text) = self.take(name) else { return Ok(None) };
        let share = text.parse::<f64>().ok().filter(|x| (0.01..=0.5).contains(x));
        share.map(Some).ok_or_else(|| Self::bad(name, text))
    }

    /// An instant, with or without its date.
    fn time(&mut self, name: &str) -> Result<Option<SessionTime>, Refusal> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let dated = || text::parse(&format!("{} {value}", Date::new_york(self.now).0));
        text::parse(value).or_else(dated).map(Some).ok_or_else(|| Self::bad(name, value))
    }
}

/// How `order` is to be worked in parts, `None` if it is not; or why it can't be.
pub(super) fn plan(order: &Order, now: SessionTime, hours: RegularHours) -> Result<Option<Plan>, Refusal> {
    let blank = Plan {
        pace: Pace::Whole,
        at: At::Limit,
        released: 0,
        start: now,
        end: hours.close,
        past_end: false,
        volume_share_max: None,
        volume_before: -1,
        parts: 0,
    };
    if let (Some(increment), Some(first)) = (order.scale_price_increment, order.scale_init_level_size) {
        let next = i64::from(order.scale_subs_level_size.unwrap_or(first));
        let at = At::Level(Price::from_f64(increment));
        return Ok(Some(Plan { pace: Pace::Parts(next), at, released: i64::from(first), ..blank }));
    }
    if order.algo_strategy.is_empty() {
        let stray = order.algo_params.first();
        return stray.map_or(Ok(None), |(tag, _)| Err(unknown_attribute(tag)));
    }
    let mut params = Params { left: order.algo_params.iter().collect(), now };
    let plan = strategy(order, &mut params, blank)?;
    if let Some((tag, _)) = params.left.first() {
        return Err(unknown_attribute(tag));
    }
    if !matches!(order.order_type.as_str(), "MKT" | "LMT") || !matches!(order.tif.as_str(), "DAY" | "GTC" | "GTD") {
        return Err(not_allowed());
    }
    if plan.end <= plan.start.max(now) {
        return Err((441, "Algo attributes validation failed:endTime is not after startTime".into()));
    }
    Ok(Some(plan))
}

fn unknown_attribute(tag: &str) -> Refusal {
    (443, format!("Order processing failed. Unknown algo attribute:{tag}"))
}

fn not_allowed() -> Refusal {
    (442, "Specified algorithm is not allowed for this order.".into())
}

fn strategy(order: &Order, p: &mut Params<'_>, blank: Plan) -> Result<Plan, Refusal> {
    let mut plan = blank;
    match order.algo_strategy.as_str() {
        "Adaptive" => {
            let seconds = match p.take("adaptivePriority") {
                Some("Urgent") => 5,
                Some("Normal") => 15,
                Some("Patient") => 60,
                other => return Err(Params::bad("adaptivePriority", other.unwrap_or_default())),
            };
            (plan.at, plan.past_end) = (At::Slide(seconds), true);
            return Ok(plan);
        }
        "Twap" => {
            plan.pace = Pace::Even;
            plan.at = match p.take("strategyType") {
                None | Some("Marketable") => At::Limit,
                Some("Matching Midpoint" | "Midpoint") => At::Mid,
                Some("Matching Same Side" | "Same Side") => At::Own,
                Some("Matching Last" | "Last") => At::Last,
                Some(other) => return Err(Params::bad("strategyType", other)),
            };
            p.flag("catchUp")?;
        }
        "Vwap" => {
            (plan.pace, plan.volume_share_max) = (Pace::DayShape, p.share("maxPctVol")?);
            p.flag("speedUp")?;
        }
        "ArrivalPx" => {
            plan.volume_share_max = p.share("maxPctVol")?;
            plan.pace = Pace::Early(match p.take("riskAversion") {
                Some("Get Done") => 6.0,
                Some("Aggressive") => 3.0,
                None | Some("Neutral") => 1.5,
                Some("Passive") => 0.5,
                Some(other) => return Err(Params::bad("riskAversion", other)),
            });
            plan.past_end = p.flag("forceCompletion")?;
        }
        "PctVol" => {
            let share = p.share("pctVol")?.ok_or_else(|| Params::bad("pctVol", ""))?;
            plan.pace = Pace::OfVolume(share);
        }
        name if NOT_OFFERED.contains(&name) => return Err(not_allowed()),
        _ => return Err((439, "Order processing failed. Algorithm definition not found.".into())),
    }
    if p.flag("noTakeLiq")? {
        plan.at = At::Own;
    }
    plan.start = p.time("startTime")?.unwrap_or(plan.start);
    plan.end = p.time("endTime")?.unwrap_or(plan.end);
    plan.past_end |= p.flag("allowPastEndTime")?;
    Ok(plan)
}

impl Plan {
    /// Shares of `qty` that are to be released by `now`, when so many traded since the start.
    fn target(&self, qty: i64, now: SessionTime, traded: i64, hours: RegularHours) -> i64 {
        let x = ((now - self.start) as f64 / (self.end - self.start).max(1) as f64).clamp(0.0, 1.0);
        let share = match self.pace {
            Pace::Whole => 1.0,
            Pace::Parts(_) => return self.released,
            Pace::Even => x,
            Pace::Early(k) => (1.0 - libm::exp(-k * x)) / (1.0 - libm::exp(-k)),
            Pace::DayShape => {
                let at = |t| day_share(t, hours);
                let whole = at(self.end) - at(self.start);
                if whole > 0.0 { ((at(now) - at(self.start)) / whole).clamp(0.0, 1.0) } else { x }
            }
            Pace::OfVolume(share) => share * traded as f64 / qty as f64,
        };
        let target = (share.clamp(0.0, 1.0) * qty as f64).floor() as i64;
        let most = self.volume_share_max.map_or(i64::MAX, |m| (m * traded as f64).floor() as i64);
        target.min(most).max(self.released).min(qty)
    }

    /// The price at which the released part stands; `limit` = the order's own.
    pub(super) fn price(
        &self,
        side: Side,
        limit: Option<Price>,
        q: Quote,
        last: Price,
        now: SessionTime,
    ) -> Option<Price> {
        let sign = side.sign();
        let (own, opposite) = if side == Side::Buy { (q.bid, q.ask) } else { (q.ask, q.bid) };
        let two_sided = own.is_some() && opposite.is_some();
        let want = match self.at {
            At::Limit => return limit,
            At::Level(step) => return limit.map(|l| Price((l.0 - sign * self.parts * step.0).max(1))),
            At::Last if last.is_some() => last,
            // Without a quote it stands where nothing meets it.
            _ if !two_sided => return Some(if side == Side::Buy { Price(1) } else { Price(i64::MAX / 4) }),
            At::Own => own,
            At::Last | At::Mid => on_side(side, Price((q.bid.0 + q.ask.0) / 2)),
            At::Slide(seconds) => {
                let mid = (q.bid.0 + q.ask.0) / 2;
                let elapsed = ((now - self.start) / SECOND).clamp(0, seconds);
                if elapsed == seconds {
                    opposite
                } else {
                    on_side(side, Price(mid + (opposite.0 - mid) * elapsed / seconds))
                }
            }
        };
        Some(limit.map_or(want, |l| if side == Side::Buy { want.min(l) } else { want.max(l) }))
    }
}

/// A price rounded to the grid, away from the market.
fn on_side(side: Side, price: Price) -> Price {
    let tick = tick_at(price).0;
    let down = price.0.div_euclid(tick) * tick;
    Price(if side == Side::Buy || down == price.0 { down } else { down + tick })
}

/// The share of the day's usual volume traded by `t`.
fn day_share(t: SessionTime, hours: RegularHours) -> f64 {
    let x = ((t - hours.open) as f64 / (hours.close - hours.open) as f64).clamp(0.0, 1.0) * DAY_SHAPE.len() as f64;
    let whole: f64 = DAY_SHAPE.iter().sum();
    let parts = DAY_SHAPE.iter().enumerate();
    parts.map(|(i, w)| w * (x - i as f64).clamp(0.0, 1.0)).sum::<f64>() / whole
}

impl Core {
    /// An order that is worked in parts starts to work.
    pub(super) fn start_plan(&mut self, perm: i64) {
        let now = self.now;
        let Some(r) = self.orders.get_mut(perm) else { return };
        let symbol = r.symbol;
        let volume = self.markets[symbol.index()].volume;
        let Some(plan) = r.plan.as_mut().filter(|p| p.volume_before < 0) else { return };
        plan.volume_before = volume;
        plan.start = plan.start.max(now);
        let at = plan.start;
        self.agenda.add(at, Task::Slice { perm });
    }

    /// Releases what is due of an order that is worked in parts, and moves it to where it should stand.
    pub(super) fn slice(&mut self, perm: i64) {
        let (now, hours) = (self.now, self.source.hours());
        let Some(r) = self.orders.get_mut(perm).filter(|r| r.status == Status::Submitted && !r.cancelling) else {
            return;
        };
        let (symbol, qty) = (r.symbol, r.terms.qty);
        let volume = self.markets[symbol.index()].volume;
        let Some(plan) = r.plan.as_mut() else { return };
        let over = now >= plan.end && plan.pace != Pace::Whole;
        plan.released = if over && plan.past_end {
            qty
        } else {
            plan.target(qty, now, (volume - plan.volume_before).max(0), hours)
        };
        if over && !plan.past_end {
            self.markets[symbol.index()].book.remove(perm);
            return self.cancelled(perm, None, "Cancelled by System:\n");
        }
        let period = if matches!(plan.at, At::Slide(_)) { STEP } else { PERIOD };
        let again = !over && !matches!(plan.pace, Pace::Parts(_));
        self.rework(perm);
        if again {
            self.agenda.add(now + period, Task::Slice { perm });
        }
    }

    /// Takes an order out of the book and works it anew.
    pub(super) fn rework(&mut self, perm: i64) {
        let Some(r) = self.orders.get(perm) else { return };
        let symbol = r.symbol;
        self.markets[symbol.index()].book.remove(perm);
        self.work(perm);
    }

    /// The next part of a scale, once the one before has filled.
    pub(super) fn next_part(&mut self, perm: i64) {
        let Some(r) = self.orders.get_mut(perm).filter(|r| r.status == Status::Submitted) else { return };
        let (filled, qty) = (r.filled, r.terms.qty);
        let Some(plan) = r.plan.as_mut() else { return };
        let Pace::Parts(next) = plan.pace else { return };
        if filled < plan.released || plan.released >= qty {
            return;
        }
        plan.released = (plan.released + next).min(qty);
        plan.parts += 1;
        self.rework(perm);
    }
}

impl Record {
    /// Whether a modification asks for another strategy than it has.
    pub(super) fn changes_plan(&self, order: &Order) -> bool {
        order.algo_strategy != self.sent.algo_strategy || order.algo_params != self.sent.algo_params
    }

    /// Whether a modification asks for another scale than it has.
    pub(super) fn changes_scale(&self, order: &Order) -> bool {
        let scale = |o: &Order| (o.scale_price_increment, o.scale_init_level_size, o.scale_subs_level_size);
        scale(order) != scale(&self.sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::calendar::regular_hours;

    #[test]
    fn releases_grow_from_nothing_to_all() {
        let hours = regular_hours(Date(20_260_825)).unwrap();
        let order = |name: &str| Order {
            algo_strategy: name.into(),
            order_type: "LMT".into(),
            tif: "DAY".into(),
            ..Order::default()
        };
        for name in ["Twap", "Vwap", "ArrivalPx"] {
            let plan = plan(&order(name), hours.open, hours).unwrap().unwrap();
            let at = |share: i64| plan.target(1_000, hours.open + (hours.close - hours.open) / 100 * share, 0, hours);
            assert_eq!(at(0), 0, "{name}");
            assert_eq!(plan.target(1_000, hours.close, 0, hours), 1_000, "{name}");
            let middle = at(50);
            assert!((400..=700).contains(&middle), "{name}: {middle}");
            assert!(at(10) < at(20) && at(20) < at(90), "{name}");
        }
    }
}
