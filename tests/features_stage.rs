//! The features stage at its limits: slots run out, history comes in excess, sessions are missed, settings are off.

use ibkr_trader::clock::{MILLISECOND, MINUTE, SessionTime};
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::domain::{Price, SymbolId};
use ibkr_trader::features::{Config, FeaturesIn, FeaturesStage, PrefilterConfig, schema};
use ibkr_trader::message::{Bar, Cycle, MarketEvent, Tick};
use ibkr_trader::pipeline::{Outbox, Stage};

const SYMBOLS: u16 = 3;

fn bar(symbol: u16, start: SessionTime) -> Bar {
    let wave = (start.0 / MINUTE * (7 + i64::from(symbol)) + i64::from(symbol) * 13) % 23 * 10_000;
    let price = 100_000_000 + wave;
    Bar {
        start,
        open: Price(price),
        high: Price(price + 40_000),
        low: Price(price - 20_000),
        close: Price(price + 10_000),
        volume: 1_000 + start.0.unsigned_abs() / 60_000_000_000 % 700,
        symbol: SymbolId(symbol),
    }
}

/// Bars of `minutes` from an instant, for all symbols.
fn bars(from: SessionTime, minutes: i64) -> impl Iterator<Item = Bar> {
    (0..minutes).flat_map(move |m| (0..SYMBOLS).map(move |s| bar(s, from + m * MINUTE)))
}

fn outbox() -> Outbox<Box<Cycle>> {
    Outbox::with_capacity(FeaturesStage::OUTPUTS_MAX)
}

fn stage() -> FeaturesStage {
    FeaturesStage::new(&Config::default(), usize::from(SYMBOLS))
}

/// The columns of the cycle of the minute that starts at `start`.
fn columns(stage: &mut FeaturesStage, start: SessionTime) -> Vec<u32> {
    let mut out = outbox();
    stage.emit(start + MINUTE, start, &mut out);
    let cycle = out.drain().next().expect("a cycle");
    (0..cycle.rows).flat_map(|r| cycle.feature_row(r).iter().map(|x| x.to_bits()).collect::<Vec<_>>()).collect()
}

#[test]
fn without_a_free_slot_the_cycle_is_dropped_and_counted() {
    let mut stage = stage();
    let open = Date(20260415).at(9, 30);
    bars(open, 40).for_each(|b| stage.apply_bar(&b));
    let (mut out, mut held) = (outbox(), Vec::new());
    for minute in 0..6 {
        let start = open + (34 + minute) * MINUTE;
        stage.emit(start + MINUTE, start, &mut out);
        held.extend(out.drain());
    }
    assert_eq!(held.len(), Config::default().cycle_slots as usize);
    assert_eq!(stage.counters().dropped_cycles, 2);
    let slot = held.pop().expect("a slot");
    stage.on_event(open, FeaturesIn::Recycle(slot), &mut out);
    stage.emit(open + 41 * MINUTE, open + 39 * MINUTE, &mut out);
    assert_eq!(out.drain().count(), 1, "a slot that came back is used again");
}

#[test]
fn however_much_history_the_broker_sends_the_state_starts_the_same() {
    let (yesterday, today) = (Date(20260414), Date(20260415));
    let now = today.at(10, 15);
    let mut exact = stage();
    bars(yesterday.at(14, 0), 120).chain(bars(today.at(9, 30), 45)).for_each(|b| exact.warm_up(now, &b));
    let mut excess = stage();
    let all = bars(Date(20260413).at(9, 30), 390)
        .chain(bars(yesterday.at(8, 0), 480))
        .chain(bars(today.at(9, 30), 46))
        .chain(bars(today.at(9, 30), 46));
    all.for_each(|b| excess.on_event(now, FeaturesIn::Market(MarketEvent::History(b)), &mut outbox()));
    assert_eq!(columns(&mut exact, today.at(10, 14)), columns(&mut excess, today.at(10, 14)));
    assert!(excess.counters().ignored_history > 0);
}

#[test]
fn a_missed_session_leaves_nothing_to_look_back_to() {
    let mut stage = stage();
    bars(Date(20260410).at(14, 0), 120).for_each(|b| stage.apply_bar(&b));
    bars(Date(20260414).at(9, 30), 25).for_each(|b| stage.apply_bar(&b));
    let row = columns(&mut stage, Date(20260414).at(9, 54));
    let column = |name: &str| f32::from_bits(row[schema::index_of(name).expect("a column")]);
    assert!(column("ret_30").is_nan() && column("gap").is_nan(), "the Friday is two sessions back");
    assert!(column("ret_15").is_finite() && column("day_ret").is_finite());
}

#[test]
fn late_ticks_and_strange_symbols_are_counted() {
    let mut stage = stage();
    let open = Date(20260415).at(9, 30);
    let mut out = outbox();
    let tick = |at, symbol| {
        let tick = Tick { at, symbol: SymbolId(symbol), last: Price(1_000_000), day_volume: 1, ..Tick::default() };
        FeaturesIn::Market(MarketEvent::Tick(tick))
    };
    stage.on_event(open, FeaturesIn::Market(MarketEvent::Timer(open)), &mut out);
    let closed = open + MINUTE + 500 * MILLISECOND;
    stage.on_event(closed, FeaturesIn::Market(MarketEvent::Timer(closed)), &mut out);
    stage.on_event(closed, tick(open + 59_000 * MILLISECOND, 0), &mut out);
    stage.on_event(closed, tick(closed, 99), &mut out);
    assert_eq!((stage.counters().late_ticks, stage.counters().unknown_symbols), (1, 1));
}

#[test]
fn symbols_are_scored_that_decision_holds_and_before_it_says_so_all() {
    let config =
        Config { prefilter: PrefilterConfig { best_names: 1, edge_min_bps: 2, sample_names: 0 }, ..Config::default() };
    let mut stage = FeaturesStage::new(&config, usize::from(SYMBOLS));
    let open = Date(20260415).at(9, 30);
    bars(open, 40).for_each(|b| stage.apply_bar(&b));
    let mut out = outbox();
    let mut scored = |stage: &mut FeaturesStage, held: Option<[bool; 3]>| {
        stage.emit(open + 40 * MINUTE, open + 39 * MINUTE, &mut out);
        let mut cycle = out.drain().next().expect("a cycle");
        let scored = cycle.scored[..cycle.rows].to_vec();
        cycle.held.copy_from_slice(&held.unwrap_or([true; 3]));
        stage.on_event(open, FeaturesIn::Recycle(cycle), &mut outbox());
        scored
    };
    // No quote is known, so nobody can pay: only what is held is scored.
    assert_eq!(scored(&mut stage, Some([false, true, false])), [true, true, true]);
    assert_eq!(scored(&mut stage, Some([false; 3])), [false, true, false]);
    assert_eq!(scored(&mut stage, None), [false; 3]);
    assert_eq!(stage.counters().prefiltered_rows, 5);
}

#[test]
fn settings_out_of_range_name_the_fix() {
    let off_grid = Config { grace_ms: 300, ..Config::default() };
    assert_eq!(
        off_grid.validate(),
        Err("features.grace_ms = 300 is not usable; set a multiple of 250 between 250 and 30000".to_string())
    );
    let slots = Config { cycle_slots: 5, ..Config::default() };
    assert_eq!(
        slots.validate(),
        Err("features.cycle_slots = 5 is out of range; set it between 1 and 4".to_string()),
        "a fifth would fill the ring to inference, and that halts"
    );
    assert_eq!(Config::default().validate(), Ok(()));
}
