//! Each guard with an intent that it lets pass and one that it stops; vectors from the rules themselves.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod orders_support;

use ibkr_trader::clock::{MINUTE, SECOND, SessionTime};
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::domain::{
    ConnEpoch, DecisionId, Instrument, Money, OrderId, OrderKind, PermId, Price, Qty, Side, SymbolId, Tif,
};
use ibkr_trader::message::*;
use ibkr_trader::routing::guards::{Authority, CHAIN, ExposureClass, Facts, Guards, OnReduction};
use ibkr_trader::routing::orders::{Book, BookLimits, ExternalOrder, Freeze, Order, Position, Trigger};
use ibkr_trader::routing::{AccountView, Intent, Limits, MarketView, Mode, Reject};
use orders_support::{DAY, DOLLAR, instruments, usd};

const S: SymbolId = SymbolId(0);

struct Bench {
    book: Book,
    market: MarketView,
    account: AccountView,
    guards: Guards,
    authority: Authority,
    instruments: Vec<Instrument>,
    now: SessionTime,
    intent: Intent,
}

fn limits() -> Limits {
    Limits {
        max_order_shares: 500,
        max_order_notional_usd: 30_000,
        max_position_shares: 1_000,
        max_name_pct: 11,
        repeat_entries_max: 3,
        ..Limits::default()
    }
}

impl Bench {
    /// Everything allows a buy of 100 at 100.02.
    fn new() -> Self {
        Self::with(limits())
    }

    fn with(limits: Limits) -> Self {
        let now = DAY.at(10, 30);
        let instruments = instruments(2);
        let sizes = BookLimits { order_slots: 1_024, execution_slots: 1_024, external_slots: 4 };
        let mut b = Self {
            book: Book::new(2, sizes),
            market: MarketView::new(2),
            account: AccountView::default(),
            guards: Guards::new(limits, 2),
            authority: Authority {
                epoch: Some(ConnEpoch(1)),
                broker_reachable: true,
                armed: true,
                mode: Mode::Live,
                reconciled: true,
                account_ok: true,
                loss_latched: false,
                pnl_known: true,
                margin_warned: false,
            },
            instruments,
            now,
            intent: intent(Side::Buy, 100, 100.02, now),
        };
        b.market.restore_known_day(Some(Date(20260414)));
        assert!(b.market.roll(now));
        b.rows(1_000_000, 900_000, 2_000_000);
        for s in 0..2 {
            b.status(s, StatusKind::PriorClose(usd(100.0)));
            b.status(s, StatusKind::Shortable(3.0));
            b.status(s, StatusKind::ShortableShares(1_000));
            b.tick(s, 100.0, 100.04, 100.0);
        }
        b
    }

    fn rows(&mut self, equity: i64, excess: i64, power: i64) {
        let m = |d: i64| Some(Money(d * DOLLAR));
        self.account.on_rows(m(equity), m(excess), m(power), Money(0), self.now);
    }

    fn status(&mut self, symbol: u16, kind: StatusKind) {
        let s = SymbolStatus { at: self.now, symbol: SymbolId(symbol), kind };
        self.market.on_event(&MarketEvent::Status(s));
    }

    fn tick(&mut self, symbol: u16, bid: f64, ask: f64, last: f64) {
        self.tick_of(symbol, bid, ask, last, Quality::Fit);
    }

    fn tick_of(&mut self, symbol: u16, bid: f64, ask: f64, last: f64, quality: Quality) {
        let t = Tick {
            at: self.now,
            bid: usd(bid),
            ask: usd(ask),
            last: usd(last),
            symbol: SymbolId(symbol),
            quality,
            ..Tick::default()
        };
        self.market.on_event(&MarketEvent::Tick(t));
    }

    fn hold(&mut self, symbol: u16, shares: i64) {
        let mut p = Position::default();
        p.apply(Side::of(shares), Qty(shares.abs()), usd(100.0));
        self.book.load_position(SymbolId(symbol), p);
    }

    /// A live order in the book.
    fn working(&mut self, id: i32, side: Side, qty: i64, limit: f64) {
        let mut i = intent(side, qty, limit, self.now);
        i.terms.order_id = OrderId(id);
        self.book.insert(Order::approved(&i, false), self.now).unwrap();
        self.book.apply(OrderId(id), Trigger::Ack, self.now).unwrap();
    }

    fn check(&self) -> Result<ExposureClass, Reject> {
        let facts = Facts {
            book: &self.book,
            market: &self.market,
            account: &self.account,
            instrument: &self.instruments[0],
            authority: self.authority,
        };
        self.guards.check(self.intent, &facts, self.now).map(|a| a.class())
    }

    fn send(&mut self) -> Result<ExposureClass, Reject> {
        let facts = Facts {
            book: &self.book,
            market: &self.market,
            account: &self.account,
            instrument: &self.instruments[0],
            authority: self.authority,
        };
        let approved = self.guards.check(self.intent, &facts, self.now)?;
        self.guards.sent(&approved, self.now);
        Ok(approved.class())
    }
}

fn intent(side: Side, qty: i64, limit: f64, at: SessionTime) -> Intent {
    Intent {
        terms: OrderTerms {
            order_id: OrderId(900),
            symbol: S,
            side,
            qty: Qty(qty),
            kind: OrderKind::Limit(usd(limit)),
            tif: Tif::Gtd(at + MINUTE),
            order_ref: OrderRef::default(),
            arrival: usd(100.02),
        },
        modifies: false,
        seq: 1,
        decision: DecisionId(1),
        cause_at: at,
        at,
        ttl: at + 2 * SECOND,
        epoch: ConnEpoch(1),
    }
}

type Change = fn(&mut Bench);

#[test]
fn the_base_case_passes() {
    assert_eq!(Bench::new().check(), Ok(ExposureClass::Raises));
}

/// One change each turns the base case into a refusal with this reason.
#[test]
fn each_guard_stops_what_it_must() {
    let cases: &[(Reject, Change)] = &[
        (Reject::Link, |b| b.authority.epoch = None),
        (Reject::Link, |b| b.authority.epoch = Some(ConnEpoch(2))),
        (Reject::Account, |b| b.authority.account_ok = false),
        (Reject::Expired, |b| b.intent.ttl = b.now),
        (Reject::NotArmed, |b| b.authority.armed = false),
        (Reject::NotArmed, |b| b.authority.mode = Mode::Observe),
        (Reject::NotArmed, |b| b.authority.mode = Mode::Emergency),
        (Reject::NotArmed, |b| b.authority.broker_reachable = false),
        (Reject::NotReconciled, |b| b.authority.reconciled = false),
        (Reject::Frozen, |b| b.book.freeze(S, Freeze::EXTERNAL, b.now)),
        (Reject::Frozen, |b| {
            b.working(5, Side::Buy, 10, 99.0);
            b.book.apply(OrderId(5), Trigger::Doubt, b.now);
        }),
        (Reject::Frozen, |b| {
            let o = ExternalOrder { perm_id: PermId(7), symbol: S, side: Side::Buy, open: Qty(1) };
            b.book.put_external(o, b.now);
        }),
        (Reject::Size, |b| b.intent.terms.qty = Qty(0)),
        (Reject::Size, |b| b.intent.terms.qty = Qty(-1)),
        (Reject::Size, |b| b.intent.terms.qty = Qty(501)),
        (Reject::Size, |b| b.intent.terms.qty = Qty(i64::MAX)),
        (Reject::Price, |b| b.intent.terms.kind = OrderKind::Market),
        (Reject::Price, |b| b.intent.terms.kind = OrderKind::Limit(Price(0))),
        (Reject::Price, |b| b.intent.terms.kind = OrderKind::Limit(Price(-1))),
        (Reject::Notional, |b| b.intent.terms.qty = Qty(300)),
        (Reject::Position, |b| b.hold(0, 901)),
        (Reject::Position, |b| b.working(5, Side::Buy, 901, 99.0)),
        (Reject::Equity, |b| b.account = AccountView::default()),
        (Reject::Name, |b| b.rows(90_000, 90_000, 200_000)),
        (Reject::Gross, |b| b.hold(1, -4_950)),
        (Reject::Net, |b| b.hold(1, 2_450)),
        (Reject::Quote, |b| b.tick_of(0, 100.0, 100.04, 100.0, Quality::Unfit)),
        (Reject::Quote, |b| b.tick_of(0, 100.0, 100.04, 100.0, Quality::Unknown)),
        (Reject::Quote, |b| b.tick(0, 0.0, 100.04, 100.0)),
        (Reject::Quote, |b| b.tick(0, 100.04, 100.04, 100.0)),
        (Reject::Quote, |b| b.tick(0, 100.05, 100.04, 100.0)),
        (Reject::Quote, |b| b.status(0, StatusKind::MarketDataType(3))),
        (Reject::Quote, |b| b.status(0, StatusKind::NoLine(101))),
        (Reject::Quote, |b| {
            b.market.on_event(&MarketEvent::DataLink { at: b.now, up: false });
        }),
        (Reject::Quote, |b| {
            b.market.on_event(&MarketEvent::DataLink { at: b.now, up: false });
            b.market.on_event(&MarketEvent::DataLink { at: b.now, up: true });
        }),
        (Reject::QuoteAge, |b| {
            b.now = b.now + 31 * SECOND;
            b.intent.ttl = b.now + SECOND;
        }),
        (Reject::Spread, |b| b.tick(0, 100.0, 100.13, 100.0)),
        (Reject::CollarNbbo, |b| b.intent.terms.kind = OrderKind::Limit(usd(100.30))),
        (Reject::CollarNbbo, |b| b.intent.terms.kind = OrderKind::Limit(usd(94.0))),
        (Reject::CollarReference, |b| b.tick(0, 100.0, 100.04, 94.0)),
        (Reject::CollarReference, |b| {
            b.tick(0, 100.0, 100.04, 0.0);
            b.status(0, StatusKind::PriorClose(Price::NONE));
        }),
        (Reject::Tick, |b| b.intent.terms.kind = OrderKind::Limit(Price(100_021_000))),
        (Reject::Halted, |b| b.status(0, StatusKind::Halted(-1))),
        (Reject::Halted, |b| b.status(0, StatusKind::Halted(1))),
        (Reject::Halted, |b| b.status(0, StatusKind::Halted(2))),
        (Reject::ActiveOrders, |b| (1..=15).for_each(|id| b.working(id, Side::Buy, 1, 99.0))),
        (Reject::SelfTrade, |b| b.working(5, Side::Sell, 1, 100.02)),
        (Reject::Duplicate, |b| assert!(b.send().is_ok())),
        (Reject::Efficiency, |b| {
            for i in 0..40 {
                b.now = b.now + SECOND;
                b.intent = intent(Side::Buy, 100, 99.0 + f64::from(i) / 100.0, b.now);
                let _ = b.guards.check_cancel(b.intent, &b.authority, b.now).map(|a| b.guards.sent(&a, b.now));
            }
            b.tick(0, 100.0, 100.04, 100.0);
            b.intent.terms.kind = OrderKind::Limit(usd(100.02));
        }),
        (Reject::DailyLoss, |b| b.authority.loss_latched = true),
        (Reject::PnlUnknown, |b| b.authority.pnl_known = false),
        (Reject::MarginWarning, |b| b.authority.margin_warned = true),
        (Reject::MarginUnknown, |b| {
            b.now = b.now + 201 * SECOND;
            b.tick(0, 100.0, 100.04, 100.0);
            b.intent = intent(Side::Buy, 100, 100.02, b.now);
        }),
        (Reject::Margin, |b| b.rows(1_000_000, 5_000, 2_000_000)),
        (Reject::Margin, |b| b.rows(1_000_000, 150_000, 2_000_000)),
        (Reject::Margin, |b| b.rows(1_000_000, 900_000, 11_001)),
    ];
    for (i, (reason, change)) in cases.iter().enumerate() {
        let mut b = Bench::new();
        change(&mut b);
        assert_eq!(b.check(), Err(*reason), "case {i}");
    }
}

/// Just inside each limit passes.
#[test]
fn each_limit_itself_is_allowed() {
    let cases: &[Change] = &[
        |b| b.intent.terms.qty = Qty(299),
        |b| b.hold(0, 900),
        |b| b.working(5, Side::Buy, 900, 99.0),
        |b| b.hold(1, -4_890),
        |b| b.tick(0, 100.0, 100.12, 100.0),
        |b| b.intent.terms.kind = OrderKind::Limit(usd(100.29)),
        |b| b.status(0, StatusKind::Halted(0)),
        |b| (1..=14).for_each(|id| b.working(id, Side::Buy, 1, 99.0)),
        |b| b.working(5, Side::Sell, 1, 100.03),
        |b| b.rows(1_000_000, 160_000, 2_000_000),
        |b| {
            b.now = b.now + 30 * SECOND;
            b.intent.ttl = b.now + SECOND;
        },
        |b| {
            assert!(b.send().is_ok());
            b.now = b.now + SECOND;
            b.intent.ttl = b.now + SECOND;
        },
    ];
    for (i, change) in cases.iter().enumerate() {
        let mut b = Bench::new();
        change(&mut b);
        assert_eq!(b.check(), Ok(ExposureClass::Raises), "case {i}");
    }
}

#[test]
fn the_session_has_blackouts_half_days_and_an_end_of_the_table() {
    let at = |date: Date, h, m, s: i64| {
        let mut b = Bench::new();
        b.now = date.at(h, m) + s * SECOND;
        b.market = MarketView::new(2);
        b.market.roll(b.now);
        b.status(0, StatusKind::PriorClose(usd(100.0)));
        b.tick(0, 100.0, 100.04, 100.0);
        b.rows(1_000_000, 900_000, 2_000_000);
        b.intent = intent(Side::Buy, 100, 100.02, b.now);
        b.check()
    };
    let (yes, no) = (Ok(ExposureClass::Raises), Err(Reject::Session));
    assert_eq!((at(DAY, 9, 32, 59), at(DAY, 9, 33, 0)), (no, yes));
    assert_eq!((at(DAY, 15, 57, 59), at(DAY, 15, 58, 0)), (yes, no));
    let half = Date(20261127);
    assert_eq!((at(half, 12, 57, 59), at(half, 12, 58, 0)), (yes, no));
    assert_eq!(at(Date(20260403), 11, 0, 0), no, "Good Friday");
    assert_eq!(at(Date(20260418), 11, 0, 0), no, "Saturday");
    assert_eq!(at(Date(20280418), 11, 0, 0), no, "beyond the calendar");
}

#[test]
fn entries_are_throttled_per_symbol() {
    let mut b = Bench::new();
    for i in 0..3 {
        b.now = b.now + 2 * SECOND;
        b.intent = intent(Side::Buy, 100 + i, 100.02, b.now);
        assert_eq!(b.send(), Ok(ExposureClass::Raises));
    }
    b.now = b.now + 2 * SECOND;
    b.intent = intent(Side::Buy, 110, 100.02, b.now);
    assert_eq!(b.check(), Err(Reject::Repeated));
    b.guards.throttles_mut().rearm();
    assert_eq!(b.check(), Ok(ExposureClass::Raises));
}

#[test]
fn pacing_keeps_a_reserve_for_cancels_and_reductions() {
    let mut b = Bench::with(Limits { messages_per_s: 10, messages_reserve: 4, messages_per_100ms: 10, ..limits() });
    b.guards.throttles_mut().rearm();
    let mut sent = 0;
    for i in 0..10 {
        b.intent = intent(Side::Buy, 1, 99.0 + f64::from(i) / 100.0, b.now);
        b.guards.throttles_mut().rearm();
        sent += i32::from(b.send().is_ok());
    }
    b.guards.throttles_mut().rearm();
    b.intent = intent(Side::Buy, 2, 99.5, b.now);
    assert_eq!((sent, b.check()), (6, Err(Reject::Pacing)));
    b.hold(0, 10);
    b.intent = intent(Side::Sell, 1, 100.0, b.now);
    assert_eq!(b.send(), Ok(ExposureClass::Reduces));
    for _ in 0..3 {
        let a = b.guards.check_cancel(b.intent, &b.authority, b.now).unwrap();
        b.guards.sent(&a, b.now);
    }
    assert!(b.guards.check_cancel(b.intent, &b.authority, b.now).is_err(), "ten in this second");
}

/// What a reduction must survive: every fault at once that is no reason to stay in a position.
#[test]
fn a_reduction_always_has_a_way() {
    let mut b = Bench::new();
    b.hold(0, 400);
    b.authority.armed = false;
    b.authority.mode = Mode::Emergency;
    b.authority.reconciled = false;
    b.authority.loss_latched = true;
    b.authority.pnl_known = false;
    b.authority.margin_warned = true;
    b.authority.broker_reachable = false;
    b.account = AccountView::default();
    b.book.freeze(S, Freeze::UNEXPLAINED, b.now);
    b.tick_of(0, 0.0, 0.0, 99.0, Quality::Unfit);
    b.status(0, StatusKind::Halted(2));
    b.intent = intent(Side::Sell, 400, 98.5, b.now);
    assert_eq!(b.check(), Ok(ExposureClass::Reduces));
    b.intent = intent(Side::Sell, 401, 98.5, b.now);
    assert!(b.check().is_err(), "one share more is no reduction");
    b.working(5, Side::Sell, 100, 99.5);
    b.intent = intent(Side::Sell, 301, 98.5, b.now);
    assert!(b.check().is_err(), "working sells count");
    b.intent = intent(Side::Sell, 300, 98.5, b.now);
    assert_eq!(b.check(), Ok(ExposureClass::Reduces));
    b.book.apply(OrderId(5), Trigger::Doubt, b.now);
    assert_eq!(b.check(), Ok(ExposureClass::Reduces), "beside an order in doubt");
    b.intent = intent(Side::Sell, 300, 80.0, b.now);
    assert_eq!(b.check(), Err(Reject::CollarReference), "not at any price");
    b.now = DAY.at(9, 29);
    b.market.roll(b.now);
    b.intent = intent(Side::Sell, 300, 98.5, b.now);
    assert_eq!(b.check(), Err(Reject::Session), "resting overnight is no way out");
}

#[test]
fn shorts_need_shares_to_borrow_and_never_cross_zero() {
    let short = |change: Change| {
        let mut b = Bench::new();
        b.intent = intent(Side::Sell, 100, 100.02, b.now);
        change(&mut b);
        b.check()
    };
    assert_eq!(short(|_| ()), Ok(ExposureClass::Raises));
    assert_eq!(short(|b| b.hold(0, 60)), Err(Reject::CrossesZero));
    assert_eq!(short(|b| b.status(0, StatusKind::Shortable(2.5))), Err(Reject::Locate));
    assert_eq!(short(|b| b.status(0, StatusKind::Shortable(f32::NAN))), Err(Reject::Locate));
    assert_eq!(short(|b| b.status(0, StatusKind::ShortableShares(199))), Err(Reject::Locate));
    assert_eq!(short(|b| b.status(0, StatusKind::ShortableShares(200))), Ok(ExposureClass::Raises));
    assert_eq!(short(|b| b.hold(0, -450)), Err(Reject::Locate), "tick 89 counts the whole short");
    assert_eq!(short(|b| b.status(0, StatusKind::PriorClose(Price::NONE))), Err(Reject::SsrUnknown));
    let mut b = Bench::with(Limits { allow_shorts: false, ..limits() });
    b.intent = intent(Side::Sell, 100, 100.02, b.now);
    assert_eq!(b.check(), Err(Reject::Locate));
}

/// A market on a day of its own: returns whether shorts are restricted afterwards.
struct Ssr {
    market: MarketView,
}

impl Ssr {
    fn on(close: f64, day: Date) -> Self {
        let mut market = MarketView::new(1);
        market.restore_known_day(ibkr_trader::domain::calendar::previous_trading_day(day));
        market.roll(day.at(9, 31));
        let at = day.at(9, 31);
        market.on_event(&MarketEvent::Status(SymbolStatus { at, symbol: S, kind: StatusKind::PriorClose(usd(close)) }));
        Self { market }
    }

    fn trade(&mut self, micros: i64, at: SessionTime) -> Option<Date> {
        self.market.roll(at);
        let t = Tick { at, last: Price(micros), symbol: S, ..Tick::default() };
        self.market.on_event(&MarketEvent::Tick(t)).map(|(_, d)| d)
    }

    fn restricted(&mut self, day: Date) -> bool {
        self.market.roll(day.at(10, 0));
        self.market.get(S).ssr(day)
    }
}

#[test]
fn rule_201_triggers_by_integers_and_lasts_through_the_next_trading_day() {
    let triggers = |close, micros| Ssr::on(close, DAY).trade(micros, DAY.at(10, 0)).is_some();
    assert!(!triggers(100.0, 90_010_000));
    assert!(triggers(100.0, 90_000_000));
    assert!(triggers(7.77, 6_993_000), "binary floats would say no");
    assert!(!triggers(7.77, 6_993_001));
    assert!(triggers(12.345, 11_110_500));
    assert!(!triggers(12.345, 11_110_501));
    assert!(Ssr::on(100.0, DAY).trade(88_000_000, DAY.at(9, 0)).is_none(), "pre-market does not count");

    let friday = Date(20260417);
    let mut m = Ssr::on(100.0, friday);
    assert_eq!(m.trade(90_000_000, friday.at(11, 0)), Some(Date(20260420)));
    assert!(m.restricted(Date(20260420)), "through Monday");
    assert!(!m.restricted(Date(20260421)));

    let wednesday = Date(20261125);
    let mut m = Ssr::on(100.0, wednesday);
    assert_eq!(m.trade(90_000_000, wednesday.at(11, 0)), Some(Date(20261127)), "Thanksgiving is skipped");
    assert!(m.restricted(Date(20261127)));

    let mut m = Ssr::on(100.0, DAY);
    assert!(!m.restricted(DAY));
    let mut fresh = MarketView::new(1);
    fresh.roll(DAY.at(10, 0));
    assert!(fresh.get(S).ssr(DAY), "nobody watched yesterday: restricted");
}

#[test]
fn under_rule_201_a_short_must_be_above_the_best_bid() {
    let short_at = |limit| {
        let mut b = Bench::new();
        b.market.restore_ssr(S, Some(DAY));
        b.status(0, StatusKind::PriorClose(usd(10.0)));
        b.tick(0, 10.0, 10.01, 10.0);
        b.intent = intent(Side::Sell, 100, limit, b.now);
        b.check()
    };
    assert_eq!(short_at(10.00), Err(Reject::Ssr));
    assert_eq!(short_at(10.01), Ok(ExposureClass::Raises));
}

#[test]
fn degraded_halves_sizes() {
    let mut b = Bench::new();
    b.authority.mode = Mode::Degraded;
    b.intent.terms.qty = Qty(251);
    assert_eq!(b.check(), Err(Reject::Size));
    b.intent.terms.qty = Qty(100);
    assert_eq!(b.check(), Ok(ExposureClass::Raises));
}

#[test]
fn a_modify_counts_only_what_it_adds() {
    let mut b = Bench::new();
    b.working(900, Side::Buy, 100, 100.0);
    b.hold(0, 850);
    b.intent.modifies = true;
    b.intent.terms.qty = Qty(150);
    assert_eq!(b.check(), Ok(ExposureClass::Raises));
    b.intent.terms.qty = Qty(151);
    assert_eq!(b.check(), Err(Reject::Position));
}

/// The list that an operator may read: which guards a reduction skips, and why.
#[test]
fn every_skip_has_a_reason_and_names_are_unique() {
    let mut names: Vec<_> = CHAIN.iter().map(|g| g.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), CHAIN.len());
    let same: Vec<_> = CHAIN.iter().filter(|g| matches!(g.on_reduction, OnReduction::Same)).map(|g| g.name).collect();
    assert_eq!(same, ["link", "account", "ttl", "size", "price", "tick", "self trade", "short sale"]);
    for g in CHAIN {
        if let OnReduction::Skipped(why) = g.on_reduction {
            assert!(why.len() > 10, "{}", g.name);
        }
    }
}

#[test]
fn a_line_that_came_back_carries_entries_again() {
    let mut market = MarketView::new(1);
    let at = DAY.at(10, 0);
    market.roll(at);
    let mut fit_after = |kind| {
        market.on_event(&MarketEvent::Status(SymbolStatus { at, symbol: S, kind }));
        let (bid, ask, quality) = (usd(10.0), usd(10.01), Quality::Fit);
        market.on_event(&MarketEvent::Tick(Tick { at, bid, ask, symbol: S, quality, ..Tick::default() }));
        market.get(S).is_fit()
    };
    assert!(fit_after(StatusKind::MarketDataType(1)));
    assert!(!fit_after(StatusKind::NoLine(10_197)));
    assert!(fit_after(StatusKind::MarketDataType(1)), "the type is told at the start of each subscription");
}
