//! Tests of the feed stage: each fault, jumps that hold, links and silences.

use super::*;
use crate::clock::SECOND;
use crate::domain::SymbolId;
use crate::message::StatusKind;

const START: SessionTime = SessionTime(1_776_260_000_000_000_000);

struct Rig {
    stage: FeedStage,
    out: Outbox<MarketEvent>,
}

impl Rig {
    fn cold() -> Self {
        Self { stage: FeedStage::new(Config::default(), 2), out: Outbox::with_capacity(FeedStage::OUTPUTS_MAX) }
    }

    fn live() -> Self {
        let mut rig = Self::cold();
        rig.send(MarketEvent::DataLink { at: START, up: true });
        for symbol in 0..2 {
            rig.status(START, symbol, StatusKind::MarketDataType(1));
        }
        rig
    }

    fn send(&mut self, event: MarketEvent) -> Vec<MarketEvent> {
        self.stage.on_event(event.at(), event, &mut self.out);
        assert_eq!(self.out.lost(), 0);
        self.out.drain().collect()
    }

    fn status(&mut self, at: SessionTime, symbol: u16, kind: StatusKind) -> Vec<MarketEvent> {
        self.send(MarketEvent::Status(SymbolStatus { at, symbol: SymbolId(symbol), kind }))
    }

    /// The tick as it went on.
    fn tick(&mut self, tick: Tick) -> Tick {
        match self.send(MarketEvent::Tick(tick)).last() {
            Some(MarketEvent::Tick(t)) => *t,
            other => panic!("no tick went on: {other:?}"),
        }
    }
}

fn good(after_ms: i64) -> Tick {
    Tick {
        at: START + after_ms * MILLISECOND,
        bid: Price(100_000_000),
        ask: Price(100_020_000),
        last: Price(100_010_000),
        day_volume: 500,
        bid_size: 300,
        ask_size: 200,
        last_size: 100,
        ..Tick::default()
    }
}

#[test]
fn nothing_is_fit_before_link_and_market_data_type_are_known() {
    let mut rig = Rig::cold();
    assert_eq!(rig.tick(good(0)).quality, Quality::Unfit);
    assert_eq!(rig.stage.fault_count(Fault::LinkDown), 1);
    rig.send(MarketEvent::DataLink { at: START, up: true });
    assert_eq!(rig.tick(good(1)).quality, Quality::Unfit);
    assert_eq!(rig.tick(good(1)).last, Price::NONE, "a last of unknown type may be delayed");
    rig.status(START, 0, StatusKind::MarketDataType(1));
    let tick = rig.tick(good(2));
    assert_eq!((tick.quality, tick.last), (Quality::Fit, Price(100_010_000)));
}

#[test]
fn each_broken_quote_goes_on_as_unfit_and_is_counted() {
    let broken = [
        (Tick { bid: Price(-1), ..good(1) }, Fault::NonPositive),
        (Tick { bid: Price::NONE, ..good(1) }, Fault::OneSided),
        (Tick { ask_size: 0, ..good(1) }, Fault::OneSided),
        (Tick { bid: Price(100_030_000), ..good(1) }, Fault::Crossed),
        (Tick { bid: Price(100_020_000), ..good(1) }, Fault::Locked),
        (Tick { ask: Price(104_000_000), ..good(1) }, Fault::Wide),
        (Tick { bid: Price(110_000_000), ask: Price(110_020_000), ..good(1) }, Fault::Jump),
    ];
    for (tick, fault) in broken {
        let mut rig = Rig::live();
        rig.tick(good(0));
        assert_eq!(rig.tick(tick).quality, Quality::Unfit, "{fault:?}");
        assert_eq!(rig.stage.fault_count(fault), 1, "{fault:?}");
        assert_eq!(rig.tick(good(2)).quality, Quality::Fit, "the next good quote is fit again after {fault:?}");
    }
}

#[test]
fn a_jump_is_believed_once_it_has_held() {
    let mut rig = Rig::live();
    rig.tick(good(0));
    let moved = |ms| Tick { bid: Price(120_000_000), ask: Price(120_020_000), last: Price(120_000_000), ..good(ms) };
    assert_eq!(rig.tick(moved(100)).quality, Quality::Unfit);
    let early = rig.tick(moved(2_000));
    assert_eq!((early.quality, early.last), (Quality::Unfit, Price::NONE));
    let held = rig.tick(moved(2_100));
    assert_eq!((held.quality, held.last), (Quality::Fit, Price(120_000_000)));
}

#[test]
fn a_status_that_lowers_trust_is_followed_by_the_quote_as_unfit() {
    for kind in [StatusKind::NoLine(354), StatusKind::MarketDataType(3), StatusKind::Halted(1), StatusKind::Halted(-1)]
    {
        let mut rig = Rig::live();
        rig.tick(good(0));
        let out = rig.status(START + SECOND, 0, kind);
        assert!(matches!(out[..], [MarketEvent::Status(_), MarketEvent::Tick(Tick { quality: Quality::Unfit, .. })]));
        assert_eq!(rig.tick(good(2_000)).quality, Quality::Unfit, "{kind:?}");
    }
}

#[test]
fn a_quiet_quote_is_fit_while_the_feed_lives_and_unfit_beyond_the_age_limit() {
    let mut rig = Rig::live();
    rig.tick(good(0));
    for s in 1..=900 {
        let other = Tick { symbol: SymbolId(1), ..good(s * 1_000) };
        rig.tick(other);
        let out = rig.send(MarketEvent::Timer(START + s * SECOND));
        assert_eq!(out, [MarketEvent::Timer(START + s * SECOND)], "second {s}");
    }
    rig.tick(Tick { symbol: SymbolId(1), ..good(901_000) });
    let out = rig.send(MarketEvent::Timer(START + 901 * SECOND));
    assert!(matches!(out[0], MarketEvent::Tick(Tick { symbol: SymbolId(0), quality: Quality::Unfit, .. })));
    assert_eq!(rig.stage.fault_count(Fault::Old), 1);
}

#[test]
fn a_silent_feed_is_a_link_down_until_the_next_tick() {
    let mut rig = Rig::live();
    rig.tick(good(0));
    let late = START + 61 * SECOND;
    let out = rig.send(MarketEvent::Timer(late));
    assert_eq!(out, [MarketEvent::DataLink { at: late, up: false }, MarketEvent::Timer(late)]);
    assert_eq!(rig.send(MarketEvent::Timer(late + SECOND)).len(), 1, "said once");
    let out = rig.send(MarketEvent::Tick(good(63_000)));
    assert!(matches!(
        out[..],
        [MarketEvent::DataLink { up: true, .. }, MarketEvent::Tick(Tick { quality: Quality::Fit, .. })]
    ));
    assert_eq!(rig.stage.silences(), 1);
}

#[test]
fn after_an_outage_only_a_fresh_tick_is_fit() {
    let mut rig = Rig::live();
    rig.tick(good(0));
    rig.send(MarketEvent::DataLink { at: START + SECOND, up: false });
    assert_eq!(rig.tick(good(1_500)).quality, Quality::Unfit);
    rig.send(MarketEvent::DataLink { at: START + 2 * SECOND, up: true });
    // The level may have moved while nobody looked.
    let moved = Tick { bid: Price(120_000_000), ask: Price(120_020_000), ..good(2_500) };
    assert_eq!(rig.tick(moved).quality, Quality::Fit);
}

#[test]
fn settings_out_of_range_name_the_fix() {
    let broken = Config { spread_max_bps: 0, ..Config::default() };
    assert_eq!(
        broken.validate(),
        Err("feed.spread_max_bps = 0 is out of range; set it between 1 and 10000".to_string())
    );
    assert_eq!(Config::default().validate(), Ok(()));
    assert!(toml::from_str::<Config>("spread_max = 3").is_err(), "unknown keys are refused");
}
