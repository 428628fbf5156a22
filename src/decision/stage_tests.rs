use super::super::config::{CostConfig, ScoreScale};
use super::*;
use crate::domain::{Family, Horizon};

const OPEN: SessionTime = SessionTime::from_secs(1_776_259_800);

fn config() -> Config {
    Config {
        families_min: 1,
        score_clip: 3.0,
        cost_gate: true,
        slope_floor: 0.0,
        reserve_spread_fraction: 0.5,
        adjacent_weight: 0.3,
        names_max: 2,
        entries_per_cycle_max: 2,
        name_notional_usd_max: 10_000.0,
        name_shares_max: 1_000,
        name_notional_usd_min: 1_000.0,
        gross_notional_usd_max: 100_000.0,
        adv_minute_fraction_max: 0.08,
        allow_short: true,
        cooldown_s: 60,
        cost: CostConfig {
            commission_per_share_usd: 0.005,
            commission_min_usd: 1.0,
            spread_paid_fraction: 1.0,
            execution_s: 30.0,
            shares_outstanding_over_adv: 200.0,
        },
    }
}

fn stage(config: Config, slope: f32) -> DecisionStage {
    let mut scales = [[None; Horizon::COUNT]; Family::COUNT];
    scales[Family::Mlp.index()] = [Some(ScoreScale { mean: 0.0, std: 1.0 }); Horizon::COUNT];
    let zoo = Calibration { scales, slope: [slope; Horizon::COUNT] };
    let window = Window { entries_from: OPEN, flat_from: OPEN + 30 * MINUTE };
    DecisionStage::new(config, zoo, window, 4)
}

fn cycle(minute: i64, scores: &[f32]) -> Box<Cycle> {
    let mut c = Box::new(Cycle::with_capacity(4, 1));
    c.at = OPEN + minute * MINUTE;
    c.cause = c.at;
    c.rows = scores.len();
    c.in_time = true;
    for (row, score) in scores.iter().enumerate() {
        c.symbols[row] = SymbolId(u16::try_from(row).unwrap());
        c.sigma_1m[row] = 10e-4;
        c.mid[row] = Price::from_f64(100.0);
        c.half_spread_bps[row] = 1.0;
        c.adv[row] = 10_000_000;
        c.set_prediction(row, Family::Mlp, Horizon::M5, *score);
    }
    c
}

fn run(stage: &mut DecisionStage, input: DecisionIn) -> Vec<Target> {
    let mut out = Outbox::with_capacity(16);
    stage.on_event(OPEN, input, &mut out);
    assert_eq!(out.lost(), 0);
    out.drain()
        .filter_map(|o| match o {
            DecisionOut::Target(t) => Some(t),
            DecisionOut::Recycle(_) => None,
        })
        .collect()
}

fn filled(symbol: u16, qty: i64, version: u64) -> DecisionIn {
    DecisionIn::Position(PositionState { symbol: SymbolId(symbol), filled: Qty(qty), version, ..Default::default() })
}

#[test]
fn the_strongest_names_that_clear_their_cost_are_entered_on_their_side() {
    let mut s = stage(config(), 0.5);
    let targets = run(&mut s, DecisionIn::Cycle(cycle(1, &[0.1, 2.5, -3.0, 2.0])));
    let got: Vec<_> = targets.iter().map(|t| (t.symbol.0, t.net.0, t.cause)).collect();
    assert_eq!(got, vec![(2, -100, Cause::Enter), (1, 100, Cause::Enter)]);
    assert!(targets[0].net_edge_bps < 0.0 && targets[0].horizon == Some(Horizon::M5));
}

#[test]
fn without_an_edge_after_cost_nothing_is_traded_and_the_plumbing_floor_says_so() {
    assert!(run(&mut stage(config(), 0.01), DecisionIn::Cycle(cycle(1, &[3.0; 4]))).is_empty());
    let plumbing = Config { cost_gate: false, slope_floor: 0.5, ..config() };
    assert_eq!(plumbing.loosened().len(), 2);
    assert_eq!(run(&mut stage(plumbing, 0.0), DecisionIn::Cycle(cycle(1, &[3.0; 4]))).len(), 2);
    assert!(config().loosened().is_empty());
}

#[test]
fn unknown_sigma_quote_volume_or_score_denies_and_a_late_cycle_is_dropped() {
    let denied = |edit: fn(&mut Cycle)| {
        let mut c = cycle(1, &[3.0]);
        edit(&mut c);
        run(&mut stage(config(), 0.5), DecisionIn::Cycle(c)).is_empty()
    };
    assert!(denied(|c| c.sigma_1m[0] = f32::NAN));
    assert!(denied(|c| c.mid[0] = Price::NONE));
    assert!(denied(|c| c.half_spread_bps[0] = f32::NAN));
    assert!(denied(|c| c.adv[0] = 0));
    assert!(denied(|c| c.set_prediction(0, Family::Mlp, Horizon::M5, f32::NAN)));
    assert!(denied(|c| c.in_time = false));
    assert!(!denied(|_| ()));
}

#[test]
fn a_holding_ends_with_its_horizon_unless_its_side_still_has_an_edge() {
    let mut s = stage(config(), 0.5);
    assert_eq!(run(&mut s, DecisionIn::Cycle(cycle(1, &[3.0]))).len(), 1);
    run(&mut s, filled(0, 100, 1));
    assert!(run(&mut s, DecisionIn::Cycle(cycle(3, &[-3.0]))).is_empty(), "held to its horizon");
    assert!(run(&mut s, DecisionIn::Cycle(cycle(6, &[3.0]))).is_empty(), "extended");
    let exit = run(&mut s, DecisionIn::Cycle(cycle(11, &[-3.0])));
    assert_eq!((exit[0].net, exit[0].cause), (Qty::ZERO, Cause::Exit));
    run(&mut s, filled(0, 0, 2));
    assert!(run(&mut s, DecisionIn::Cycle(cycle(11, &[-3.0]))).is_empty(), "cooldown");
    assert_eq!(run(&mut s, DecisionIn::Cycle(cycle(13, &[-3.0])))[0].net, Qty(-100));
}

#[test]
fn from_the_flat_time_on_everything_held_is_flattened_until_it_is_flat() {
    let mut s = stage(config(), 0.5);
    run(&mut s, filled(3, -40, 1));
    let flat = OPEN + 30 * MINUTE;
    assert!(run(&mut s, DecisionIn::Timer(flat - 1)).is_empty());
    let t = run(&mut s, DecisionIn::Timer(flat));
    assert_eq!((t.len(), t[0].symbol, t[0].net, t[0].urgency), (1, SymbolId(3), Qty::ZERO, Urgency::Cross));
    assert!(run(&mut s, DecisionIn::Timer(flat + SECOND)).is_empty());
    assert_eq!(run(&mut s, DecisionIn::Timer(flat + 5 * SECOND)).len(), 1);
    run(&mut s, filled(3, 0, 2));
    assert!(run(&mut s, DecisionIn::Timer(flat + 10 * SECOND)).is_empty());
    assert!(run(&mut s, DecisionIn::Cycle(cycle(31, &[3.0]))).is_empty(), "no entry after the flat time");
}

#[test]
fn another_zoos_scores_are_read_with_its_own_calibration_from_the_first_cycle_on() {
    let mut s = stage(config(), 0.5);
    let mut scales = [[None; Horizon::COUNT]; Family::COUNT];
    scales[Family::Mlp.index()] = [Some(ScoreScale { mean: 2.5, std: 1.0 }); Horizon::COUNT];
    let mut late = cycle(1, &[2.5]);
    late.in_time = false;
    late.recalibration = Some(Calibration { scales, slope: [0.5; Horizon::COUNT] });
    assert!(run(&mut s, DecisionIn::Cycle(late)).is_empty());
    assert!(run(&mut s, DecisionIn::Cycle(cycle(2, &[2.5]))).is_empty(), "its mean is no signal");
    assert_eq!(run(&mut s, DecisionIn::Cycle(cycle(3, &[0.0])))[0].net.0.signum(), -1);
}

#[test]
fn the_slot_goes_back_with_what_is_wanted_or_held() {
    let mut s = stage(config(), 0.5);
    let mut out = Outbox::with_capacity(16);
    s.on_event(OPEN, filled(3, 10, 1), &mut out);
    s.on_event(OPEN, DecisionIn::Cycle(cycle(1, &[0.1, 2.5, 0.0])), &mut out);
    let held: Vec<_> = out
        .drain()
        .filter_map(|o| match o {
            DecisionOut::Recycle(c) => Some(c.held),
            DecisionOut::Target(_) => None,
        })
        .collect();
    assert_eq!(held, [[false, true, false, true]]);
}
