//! Tests of the conflating table: order, timers, full sinks.

use ibapi::contracts::tick_types::TickType;
use ibapi::market_data::MarketDataType;
use ibapi::market_data::realtime::TickPrice;

use super::*;
use crate::clock::MILLISECOND;
use crate::domain::Price;

/// A sink with a bound, as a ring has.
struct Bounded {
    events: Vec<MarketEvent>,
    room: usize,
}

impl MarketSink for Bounded {
    fn push(&mut self, event: MarketEvent) -> bool {
        let fits = self.events.len() < self.room;
        if fits {
            self.events.push(event);
        }
        fits
    }
}

fn sink(room: usize) -> Bounded {
    Bounded { events: Vec::new(), room }
}

fn ms(t: i64) -> SessionTime {
    SessionTime(t * MILLISECOND)
}

fn bid(price: f64) -> TickTypes {
    TickTypes::Price(TickPrice { tick_type: TickType::Bid, price, ..TickPrice::default() })
}

/// One line per event: `250 timer`, `251 0 bid 10.00`, …
fn told(events: &[MarketEvent]) -> Vec<String> {
    events
        .iter()
        .map(|e| {
            let at = e.at().0 / MILLISECOND;
            match e {
                MarketEvent::Tick(t) => format!("{at} {} bid {}", t.symbol, t.bid),
                MarketEvent::Timer(_) => format!("{at} timer"),
                MarketEvent::Status(s) => format!("{at} {} {:?}", s.symbol, s.kind),
                MarketEvent::DataLink { up, .. } => format!("{at} link {up}"),
                MarketEvent::History(_) => format!("{at} bar"),
            }
        })
        .collect()
}

#[test]
fn a_timer_comes_after_everything_stamped_at_or_before_it() {
    let (mut c, mut out) = (Conflator::new(2, 100), sink(100));
    c.start_timers(ms(0));
    c.apply(SymbolId(0), ms(250), &bid(10.0));
    c.apply(SymbolId(1), ms(251), &bid(20.0));
    assert!(c.flush(ms(251), &mut out));
    assert!(c.flush(ms(500), &mut out));
    assert_eq!(told(&out.events), ["250 0 bid 10.00", "250 timer", "251 1 bid 20.00"], "500 may still get company");
    assert!(c.flush(ms(501), &mut out));
    assert_eq!(told(&out.events[3..]), ["500 timer"]);
}

#[test]
fn a_late_sweep_makes_up_for_missed_steps_within_a_bound() {
    let (mut c, mut out) = (Conflator::new(1, 100), sink(1_000));
    c.start_timers(ms(0));
    c.flush(ms(1_001), &mut out);
    assert_eq!(told(&out.events), ["250 timer", "500 timer", "750 timer", "1000 timer"]);
    out.events.clear();
    let late = SessionTime(ms(1_001).0 + 2 * CATCH_UP);
    c.flush(late, &mut out);
    assert_eq!(out.events.len(), 241);
    assert_eq!(c.counts().timers_skipped, 239);
    let steps: Vec<_> = out.events.windows(2).map(|w| w[1].at() - w[0].at()).collect();
    assert!(steps.iter().all(|s| *s == GRID));
}

#[test]
fn a_full_sink_keeps_the_latest_tick_of_each_symbol_and_loses_no_timer() {
    let (mut c, mut out) = (Conflator::new(2, 100), sink(0));
    c.start_timers(ms(0));
    for (t, symbol, price) in [(100, 0, 1.0), (110, 1, 2.0), (300, 0, 3.0), (320, 0, 4.0)] {
        c.apply(SymbolId(symbol), ms(t), &bid(price));
        assert!(!c.flush(ms(t), &mut out));
    }
    out.room = 2;
    assert!(!c.flush(ms(600), &mut out));
    out.room = 100;
    assert!(c.flush(ms(600), &mut out));
    assert_eq!(told(&out.events), ["110 1 bid 2.00", "250 timer", "320 0 bid 4.00", "500 timer"]);
    assert_eq!(c.counts().conflated, 2);
    assert_eq!(c.counts().full, 5);
}

#[test]
fn a_change_of_type_is_told_before_the_ticks_that_follow_it() {
    let (mut c, mut out) = (Conflator::new(1, 100), sink(0));
    c.apply(SymbolId(0), ms(1), &TickTypes::MarketDataType(MarketDataType::Delayed));
    c.apply(SymbolId(0), ms(2), &bid(1.0));
    c.apply(SymbolId(0), ms(3), &TickTypes::MarketDataType(MarketDataType::Frozen));
    c.apply(SymbolId(0), ms(4), &bid(2.0));
    out.room = 10;
    c.flush(ms(5), &mut out);
    assert_eq!(told(&out.events), ["1 0 MarketDataType(2)", "4 0 bid 2.00"]);
}

#[test]
fn kinds_of_status_do_not_displace_each_other() {
    let (mut c, mut out) = (Conflator::new(1, 100), sink(10));
    for kind in [
        StatusKind::Halted(0),
        StatusKind::Shortable(3.0),
        StatusKind::ShortableShares(9),
        StatusKind::MarketDataType(1),
        StatusKind::PriorClose(Price(5)),
        StatusKind::NoLine(101),
        StatusKind::Halted(2),
    ] {
        c.status(SymbolStatus { at: ms(1), symbol: SymbolId(0), kind });
    }
    c.status(SymbolStatus { at: ms(1), symbol: SymbolId(9), kind: StatusKind::Halted(0) });
    c.flush(ms(2), &mut out);
    assert_eq!(out.events.len(), 6);
    assert_eq!(told(&out.events)[0], "1 0 Halted(2)");
}

#[test]
fn a_lost_link_is_told_even_when_it_came_back_at_once() {
    let (mut c, mut out) = (Conflator::new(1, 100), sink(0));
    c.data_link(ms(1), false);
    c.data_link(ms(2), true);
    assert!(!c.flush(ms(2), &mut out));
    out.room = 10;
    assert!(c.flush(ms(3), &mut out));
    assert_eq!(told(&out.events), ["1 link false", "3 link true"]);
    c.data_link(ms(4), true);
    c.data_link(ms(5), false);
    c.flush(ms(6), &mut out);
    assert_eq!(told(&out.events)[2..], ["4 link false"], "when in doubt it is down");
}

#[test]
fn no_price_survives_a_new_connection() {
    let (mut c, mut out) = (Conflator::new(1, 100), sink(10));
    c.apply(SymbolId(0), ms(1), &bid(1.0));
    c.flush(ms(1), &mut out);
    c.forget_prices();
    c.apply(
        SymbolId(0),
        ms(2),
        &TickTypes::Price(TickPrice { tick_type: TickType::Ask, price: 3.0, ..TickPrice::default() }),
    );
    c.flush(ms(2), &mut out);
    assert!(matches!(out.events[1], MarketEvent::Tick(t) if !t.bid.is_some() && t.ask == Price(3_000_000)));
}
