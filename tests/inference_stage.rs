//! The inference stage against the fixture zoo: scores by formula, refused rows, budgets, shapes.

mod inference_support;

use std::cell::Cell;
use std::rc::Rc;

use ibkr_trader::clock::{Clock, MILLISECOND, SessionTime, VirtualClock};
use ibkr_trader::domain::{Barrier, Family, Horizon, Price, SymbolId};
use ibkr_trader::inference::{DeadlineClock, Engine, InferenceConfig, InferenceStage, InferenceStats};
use ibkr_trader::message::{Aux, Cycle};
use ibkr_trader::pipeline::{Outbox, Stage};
use inference_support::{Zoo, runtime};
use proptest::prelude::*;

const PREDICTION_COLUMNS: usize = Family::COUNT * Horizon::COUNT;

/// Advances by a step at every reading.
#[derive(Clone, Default)]
struct Stepping {
    now_ns: Rc<Cell<u64>>,
    step_ns: Rc<Cell<u64>>,
}

impl Stepping {
    fn set_step_ms(&self, ms: i64) {
        self.step_ns.set((ms * MILLISECOND).unsigned_abs());
    }

    fn pass_s(&self, seconds: u64) {
        self.now_ns.set(self.now_ns.get() + seconds * 1_000_000_000);
    }
}

impl DeadlineClock for Stepping {
    fn mono_ns(&self) -> u64 {
        self.now_ns.set(self.now_ns.get() + self.step_ns.get());
        self.now_ns.get()
    }
}

#[allow(clippy::unwrap_used, reason = "test support: a failure here is a failed test")]
fn cycle(rows: &[[f32; 4]]) -> Box<Cycle> {
    let mut cycle = Box::new(Cycle::with_capacity(rows.len().max(1), 4));
    cycle.rows = rows.len();
    for (i, row) in rows.iter().enumerate() {
        cycle.symbols[i] = SymbolId(u16::try_from(i).unwrap());
        cycle.features[i * 4..i * 4 + 4].copy_from_slice(row);
    }
    cycle
}

#[allow(clippy::unwrap_used, reason = "test support: a failure here is a failed test")]
fn pass<C: DeadlineClock>(stage: &mut InferenceStage<C>, cycle: Box<Cycle>) -> Box<Cycle> {
    let mut out = Outbox::with_capacity(1);
    stage.on_event(SessionTime(0), cycle, &mut out);
    assert_eq!(out.lost(), 0);
    let cycle = out.drain().next();
    cycle.unwrap()
}

fn virtual_clock() -> VirtualClock {
    VirtualClock::at(SessionTime::from_secs(1_700_000_000))
}

/// The fixtures' formulas, see tests/fixtures/models/make.py.
fn linear(x: [f32; 4]) -> [f32; 5] {
    let w = [[0.5, -0.25, 0.125, 1.0, 0.0], [-1.0, 0.5, 0.25, 0.0, 2.0], [0.75, 0.0, -0.5, 0.25, -0.125_f32]];
    let b = [0.1, -0.2, 0.3, -0.4, 0.5_f32];
    std::array::from_fn(|h| x[0] * w[0][h] + x[1] * w[1][h] + x[2] * w[2][h] + b[h])
}

fn tree(x: [f32; 4]) -> f32 {
    let (vol, ret) = (x[2], x[0]);
    (if vol <= 1.0 { -0.5 } else { 0.25 })
        + (if ret <= 0.0 { 0.125 } else { 0.75 })
        + (if vol <= 2.0 { 0.0 } else { 1.0 })
}

fn assert_scores(cycle: &Cycle, row: usize, x: [f32; 4]) {
    for (horizon, expected) in Horizon::ALL.into_iter().zip(linear(x)) {
        let found = cycle.prediction(row, Family::Mlp, horizon);
        assert!((found - expected).abs() <= 1e-4 * (1.0 + expected.abs()), "row {row}: {found} against {expected}");
    }
    let found = cycle.prediction(row, Family::LightGbm, Horizon::M5);
    assert!((found - tree(x)).abs() <= 1e-6, "row {row}: {found} against {}", tree(x));
}

#[test]
fn scores_land_in_their_columns_and_nowhere_else() {
    let Some(runtime) = runtime() else { return };
    let mut stage = Zoo::copy().stage(&runtime, 10, virtual_clock());
    assert_eq!(stage.engine().column_sets(), 2);
    let rows = [[0.5, -1.0, 3.0, 0.1], [-0.5, 0.25, 1.5, f32::NAN]];
    let out = pass(&mut stage, cycle(&rows));
    assert!(out.in_time);
    for (i, &x) in rows.iter().enumerate() {
        assert_scores(&out, i, x);
    }
    let set = out.predictions.iter().filter(|p| p.is_finite()).count();
    assert_eq!(set, 2 * 6, "five heads of one family and one of another");
    // The unused quote feature was NaN in one row: no model asked for it.
    assert_eq!(stage.stats(), InferenceStats { cycles: 1, ..InferenceStats::default() });
}

#[test]
fn a_row_without_a_feature_is_refused_by_the_models_that_need_it_alone() {
    let Some(runtime) = runtime() else { return };
    let mut stage = Zoo::copy().stage(&runtime, 10, virtual_clock());
    let good = [0.5, -1.0, 3.0, 0.1];
    let rows = [good, [0.5, f32::NAN, 3.0, 0.1], [f32::INFINITY, -1.0, 3.0, 0.1], good];
    let out = pass(&mut stage, cycle(&rows));
    assert_scores(&out, 0, good);
    assert_scores(&out, 3, good);
    // Row 1 lacks ret_5, which the tree does not read; row 2 lacks ret_1, which both read.
    assert!(out.prediction(1, Family::Mlp, Horizon::M5).is_nan());
    assert!((out.prediction(1, Family::LightGbm, Horizon::M5) - tree(good)).abs() < 1e-6);
    assert!(out.predictions[2 * PREDICTION_COLUMNS..3 * PREDICTION_COLUMNS].iter().all(|p| p.is_nan()));
    assert_eq!(stage.stats().rows_refused, 3);
    assert!(out.in_time);
}

#[test]
fn a_row_that_the_prefilter_left_out_gets_nothing_and_is_not_counted_as_refused() {
    let Some(runtime) = runtime() else { return };
    let mut stage = Zoo::copy().stage(&runtime, 10, virtual_clock());
    let row = [0.5, -1.0, 3.0, 0.1];
    let mut c = cycle(&[row, [f32::NAN; 4], row]);
    (c.scored[0], c.scored[1]) = (false, false);
    let out = pass(&mut stage, c);
    assert_scores(&out, 2, row);
    assert!(out.predictions[..2 * PREDICTION_COLUMNS].iter().all(|p| p.is_nan()));
    assert_eq!(stage.stats().rows_refused, 0);
}

#[test]
fn no_rows_and_no_usable_rows_run_no_model() {
    let Some(runtime) = runtime() else { return };
    let mut stage = Zoo::copy().stage(&runtime, 4, virtual_clock());
    let out = pass(&mut stage, cycle(&[]));
    assert!(out.in_time && out.predictions.iter().all(|p| p.is_nan()));
    let out = pass(&mut stage, cycle(&[[f32::NAN; 4]; 3]));
    assert!(out.in_time && out.predictions.iter().all(|p| p.is_nan()));
    assert_eq!(stage.stats(), InferenceStats { cycles: 2, rows_refused: 6, ..InferenceStats::default() });
}

#[test]
fn a_late_pass_leaves_the_last_families_out_and_the_cycle_late() {
    let Some(runtime) = runtime() else { return };
    let clock = Stepping::default();
    let mut stage = Zoo::copy().stage(&runtime, 4, clock.clone());
    // Readings: start, after the rows are gathered, after each family. 60 ms a reading: the second family is late.
    clock.set_step_ms(60);
    let out = pass(&mut stage, cycle(&[[0.5, -1.0, 3.0, 0.1]]));
    assert!(!out.in_time);
    assert!(out.prediction(0, Family::Mlp, Horizon::M5).is_finite());
    assert!(out.prediction(0, Family::LightGbm, Horizon::M5).is_nan());
    let stats = stage.stats();
    assert_eq!((stats.late_cycles, stats.families_left_out, stats.models_left_out), (1, 1, 1));

    // 40 ms a reading: every family ran, and the pass ended at 120 ms: late all the same.
    let clock = Stepping::default();
    let mut stage = Zoo::copy().stage(&runtime, 4, clock.clone());
    clock.set_step_ms(40);
    let out = pass(&mut stage, cycle(&[[0.5, -1.0, 3.0, 0.1]]));
    assert!(!out.in_time && out.prediction(0, Family::LightGbm, Horizon::M5).is_finite());
    assert_eq!((stage.stats().late_cycles, stage.stats().models_left_out), (1, 0));
}

#[test]
fn a_family_that_would_be_late_is_left_out_and_the_cycle_is_in_time() {
    let Some(runtime) = runtime() else { return };
    let clock = Stepping::default();
    clock.set_step_ms(20);
    // At start each family is seen to take 20 ms.
    let mut stage = Zoo::copy().stage(&runtime, 4, clock.clone());
    assert!(pass(&mut stage, cycle(&[[0.5, -1.0, 3.0, 0.1]])).in_time);
    // 90 ms are gone before the second one.
    clock.set_step_ms(45);
    let out = pass(&mut stage, cycle(&[[0.25, -1.0, 3.0, 0.1]]));
    assert!(out.in_time && out.prediction(0, Family::Mlp, Horizon::M60).is_finite());
    assert!(out.prediction(0, Family::LightGbm, Horizon::M5).is_nan());
    assert_eq!((stage.stats().families_left_out, stage.stats().late_cycles), (1, 0));
    let costs = stage.costs();
    assert_eq!(costs.iter().map(|c| (c.family, c.passes)).collect::<Vec<_>>(), [("mlp", 2), ("light_gbm", 1)]);
}

#[test]
fn repeated_lateness_sheds_families_in_the_declared_order_down_to_the_quorum_and_quiet_takes_them_back() {
    let Some(runtime) = runtime() else { return };
    let clock = Stepping::default();
    let mut stage = Zoo::rich().stage(&runtime, 4, clock.clone());
    let health = stage.engine().health();
    let mut shed = Vec::new();
    for i in 0..12 {
        clock.set_step_ms(40);
        let row = [f32::from(u8::try_from(i).unwrap()) / 16.0, -1.0, 3.0, 0.1];
        assert!(!pass(&mut stage, cycle(&[row])).in_time);
        shed.push(health.shed().len());
    }
    assert_eq!(shed, [0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2], "mlp stays: the stacker and the quorum need it");
    assert_eq!(health.shed(), ["vae", "gan"]);
    clock.set_step_ms(0);
    let out = pass(&mut stage, cycle(&[[0.5, -1.0, 3.0, 0.1]]));
    assert!(out.in_time && out.prediction(0, Family::Gan, Horizon::M5).is_nan());
    assert!(out.aux(0, Aux::Anomaly).is_nan() && out.prediction(0, Family::Ensemble, Horizon::M5).is_finite());
    for expected in [vec!["gan"], vec![]] {
        clock.pass_s(601);
        pass(&mut stage, cycle(&[[0.5, -1.0, 3.0, 0.1]]));
        assert_eq!(health.shed(), expected);
    }
    let out = pass(&mut stage, cycle(&[[0.5, -1.0, 3.0, 0.1]]));
    assert!(out.prediction(0, Family::Gan, Horizon::M5).is_finite() && out.aux(0, Aux::Anomaly).is_finite());
    assert_eq!((stage.stats().families_shed, stage.stats().families_readmitted), (2, 2));
}

#[test]
fn a_virtual_clock_never_expires() {
    let Some(runtime) = runtime() else { return };
    let clock = virtual_clock();
    let mut stage = Zoo::copy().stage(&runtime, 4, clock.clone());
    for minute in 0..5 {
        clock.advance_to(Clock::now(&clock) + minute * 60_000 * MILLISECOND);
        assert!(pass(&mut stage, cycle(&[[0.5, -1.0, 3.0, 0.1]])).in_time);
    }
}

#[test]
fn a_cycle_of_another_shape_gets_no_prediction() {
    let Some(runtime) = runtime() else { return };
    let mut stage = Zoo::copy().stage(&runtime, 2, virtual_clock());
    let out = pass(&mut stage, cycle(&[[0.5, -1.0, 3.0, 0.1]; 3]));
    assert!(!out.in_time && out.predictions.iter().all(|p| p.is_nan()));
    let mut narrow = Box::new(Cycle::with_capacity(2, 3));
    narrow.rows = 2;
    narrow.features.fill(0.5);
    narrow.in_time = true;
    let out = pass(&mut stage, narrow);
    assert!(!out.in_time && out.predictions.iter().all(|p| p.is_nan()));
    assert_eq!(stage.stats().cycles_refused, 2);
}

#[test]
fn a_score_that_is_no_number_is_left_out() {
    let Some(runtime) = runtime() else { return };
    let mut zoo = Zoo::copy();
    zoo.swap_linear("log.onnx");
    // At (1, 1, 1) all five linear outputs are positive, so the golden vector is finite.
    let y = linear([1.0, 1.0, 1.0, 0.0]).map(|v| f64::from(v).ln());
    zoo.model(0)["golden"] = serde_json::json!({"x": vec![[1.0, 1.0, 1.0]; 8], "y": vec![y; 8]});
    let mut stage = zoo.stage(&runtime, 4, virtual_clock());
    let out = pass(&mut stage, cycle(&[[-0.5, 0.25, 0.0, 0.0]]));
    // Linear outputs there: -0.4, 0.05, 0.3, -0.9, 1.0; the two negative ones have no logarithm.
    assert!(out.prediction(0, Family::Mlp, Horizon::M5).is_nan());
    assert!(out.prediction(0, Family::Mlp, Horizon::M30).is_nan());
    assert!(out.prediction(0, Family::Mlp, Horizon::M60).is_finite());
    assert_eq!(stage.stats().scores_refused, 2);
    // Three times in a row is enough: the model is quarantined by name, and 5 minutes has one family of two left.
    let health = stage.engine().health();
    for i in 0..2 {
        assert!(health.quarantined().is_empty() && health.quorum_holds());
        let row = [-0.5 - f32::from(u8::try_from(i).unwrap()) / 8.0, 0.25, 0.0, 0.0];
        assert!(pass(&mut stage, cycle(&[row])).in_time);
    }
    assert_eq!((health.quarantined(), health.quorum_holds()), (vec!["linear"], false));
    let out = pass(&mut stage, cycle(&[[1.0, 1.0, 1.0, 0.0]]));
    assert!(out.prediction(0, Family::Mlp, Horizon::M60).is_nan(), "it stays out");
    assert!(out.prediction(0, Family::LightGbm, Horizon::M5).is_finite());
    assert_eq!(stage.stats().models_quarantined, 1);
}

#[test]
fn a_number_that_is_none_now_and_then_is_no_reason_for_quarantine() {
    let Some(runtime) = runtime() else { return };
    let mut zoo = Zoo::copy();
    zoo.swap_linear("log.onnx");
    let y = linear([1.0, 1.0, 1.0, 0.0]).map(|v| f64::from(v).ln());
    zoo.model(0)["golden"] = serde_json::json!({"x": vec![[1.0, 1.0, 1.0]; 8], "y": vec![y; 8]});
    let mut stage = zoo.stage(&runtime, 4, virtual_clock());
    for i in 0..10 {
        let bad = f32::from(u8::try_from(i).unwrap()) / 64.0;
        let row = if i % 3 == 2 { [1.0, 1.0, 1.0 + bad, 0.0] } else { [-0.5 - bad, 0.25, 0.0, 0.0] };
        pass(&mut stage, cycle(&[row]));
    }
    assert_eq!((stage.stats().models_quarantined, stage.stats().scores_refused > 0), (0, true));
}

#[test]
fn a_model_that_takes_longer_than_all_may_together_is_quarantined_at_start() {
    let Some(runtime) = runtime() else { return };
    let clock = Stepping::default();
    clock.set_step_ms(101);
    let stage = Zoo::copy().stage(&runtime, 1, clock);
    let health = stage.engine().health();
    let failed = health.failed_at_load();
    assert!(failed[0].contains("model linear") && failed[0].contains("101.0 ms"), "{failed:?}");
    assert!(!health.quorum_holds());
}

#[test]
fn what_models_say_beside_scores_and_scores_of_scores() {
    let Some(runtime) = runtime() else { return };
    let mut stage = Zoo::rich().stage(&runtime, 10, virtual_clock());
    let rows = [[0.5, -1.0, 3.0, 0.1], [f32::NAN, 1.0, 0.5, 0.1], [-0.25, 0.5, 0.75, f32::NAN]];
    let out = pass(&mut stage, cycle(&rows));
    for (i, x) in [(0, rows[0]), (2, rows[2])] {
        assert_scores(&out, i, x);
        // mean 0.25; std 0.5 for the first score of each model.
        let z = |score: f32| ((score - 0.25) / 0.5).clamp(-3.0, 3.0);
        let stacked = 0.5 * z(tree(x)) + 0.25 * z(linear(x)[0]) + x[2];
        let found = out.prediction(i, Family::Ensemble, Horizon::M5);
        assert!((found - stacked).abs() < 1e-4, "{found} against {stacked}");
        let anomaly = 0.5 * x[0] + x[1] + 0.75 * x[2] + 1.0;
        assert!((out.aux(i, Aux::Anomaly) - anomaly).abs() < 1e-4 && out.aux(i, Aux::Realism).is_finite());
        let (q10, q90) = (out.aux(i, Aux::Q10(Horizon::M5)), out.aux(i, Aux::Q90(Horizon::M5)));
        assert!(q10 < out.prediction(i, Family::QuantileLightGbm, Horizon::M5) && q90 > q10);
        let peak = 1.0 / (1.0 + (-(0.5 * x[0] + 0.25 * x[1] - 0.25 * x[2])).exp());
        assert!((out.aux(i, Aux::Chance(Barrier::WillPeak5m)) - peak).abs() < 1e-5);
        assert!(out.aux(i, Aux::LogScale(Horizon::M5)).is_nan(), "nobody gives it");
    }
    assert!(out.predictions[PREDICTION_COLUMNS..2 * PREDICTION_COLUMNS].iter().all(|p| p.is_nan()));
    assert!(out.aux[Aux::COUNT..2 * Aux::COUNT].iter().all(|p| p.is_nan()));
}

#[test]
fn the_online_learner_starts_as_its_file_and_goes_on_only_where_it_may() {
    let Some(runtime) = runtime() else { return };
    let stage = |learn| {
        let config = InferenceConfig { learn, ..InferenceConfig::new(4) };
        InferenceStage::new(Zoo::rich().load(&runtime).unwrap(), &runtime, config, virtual_clock()).unwrap()
    };
    let (mut learning, mut still) = (stage(true), stage(false));
    let score = |stage: &mut InferenceStage<VirtualClock>, minute: i64| {
        let wave = |k: i64| f32::from(i8::try_from((minute * 7 + k * 13) % 11).unwrap()) / 4.0 - 1.0;
        let mut c = cycle(&[[wave(1), wave(2), 1.0, 0.0], [wave(3), wave(4), 2.0, 0.0], [wave(5), wave(6), 0.5, 0.0]]);
        c.at = SessionTime::from_secs(1_700_000_040 + 60 * minute);
        for row in 0..3 {
            c.sigma_1m[row] = 0.001;
            c.mid[row] = Price::from_f64(50.0 + f64::from(wave(7 + i64::try_from(row).unwrap())));
        }
        pass(stage, c).prediction(1, Family::FtrlProximal, Horizon::M5)
    };
    let mut far = 0.0_f32;
    for minute in 0..30 {
        let (a, b) = (score(&mut learning, minute), score(&mut still, minute));
        if minute < 6 {
            assert!((a - b).abs() < 1e-6, "nothing has matured: {a} {b}");
        }
        far = far.max((a - b).abs());
    }
    assert!(far > 1e-4, "it learned: {far}");
    let (state, updates) = learning.engine().learned().unwrap();
    assert!(updates >= 3 * 20 && still.engine().learned().is_none());
    let mut resumed = stage(true);
    assert!(resumed.resume(state) && !stage(false).resume(state));
    assert_eq!(score(&mut resumed, 30).to_bits(), score(&mut learning, 30).to_bits());
}

#[test]
fn another_zoo_takes_over_between_two_cycles_and_none_is_lost() {
    let Some(runtime) = runtime() else { return };
    let mut stage = Zoo::copy().stage(&runtime, 4, virtual_clock());
    let mut port = stage.swap_port();
    let row = [0.5, -1.0, 3.0, 0.1];
    let before = pass(&mut stage, cycle(&[row]));
    assert!(before.recalibration.is_none() && before.prediction(0, Family::Gan, Horizon::M5).is_nan());
    let next = Zoo::rich().stage(&runtime, 4, virtual_clock());
    let expected = *next.engine().calibration();
    port.offer(Box::new(
        Engine::new(Zoo::rich().load(&runtime).unwrap(), &runtime, InferenceConfig::new(4), &virtual_clock()).unwrap(),
    ))
    .unwrap();
    let after = pass(&mut stage, cycle(&[row]));
    assert_eq!(after.recalibration, Some(expected));
    assert!(after.in_time && after.prediction(0, Family::Gan, Horizon::M5).is_finite());
    assert_scores(&after, 0, row);
    assert_eq!(port.take_retired().map(|e| e.zoo().to_owned()).as_deref(), Some("fixtures"));
    let third = pass(&mut stage, cycle(&[row]));
    assert!(third.recalibration.is_none(), "told once");
    assert_eq!((stage.stats().swaps, stage.stats().cycles, stage.engine().zoo()), (1, 3, "rich"));
}

#[test]
fn values_far_outside_the_training_range_are_counted() {
    let Some(runtime) = runtime() else { return };
    let mut stage = Zoo::copy().stage(&runtime, 4, virtual_clock());
    // ret_1 was in [-1, 1]: 1.19 is inside the margin of a tenth of the width, 1.21 is not.
    pass(&mut stage, cycle(&[[1.19, 0.0, 1.0, 0.0]]));
    assert_eq!(stage.stats().out_of_range, 0);
    pass(&mut stage, cycle(&[[1.21, 0.0, -9.0, 1e9], [0.0, 0.0, f32::NAN, 0.0]]));
    assert_eq!(stage.stats().out_of_range, 2);
}

#[test]
fn nothing_of_the_last_cycle_survives() {
    let Some(runtime) = runtime() else { return };
    let mut stage = Zoo::copy().stage(&runtime, 10, virtual_clock());
    let first = pass(&mut stage, cycle(&[[0.5, -1.0, 3.0, 0.1]; 9]));
    let mut again = first;
    again.rows = 2;
    again.features[..8].copy_from_slice(&[0.0, 0.5, 1.0, 0.0, f32::NAN, 0.5, 1.0, 0.0]);
    let out = pass(&mut stage, again);
    assert_scores(&out, 0, [0.0, 0.5, 1.0, 0.0]);
    assert!(out.predictions[PREDICTION_COLUMNS..].iter().all(|p| p.is_nan()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the rows and their gaps: each row's scores are its own formula's, to rounding, and missing
    /// exactly where a needed feature is.
    #[test]
    fn every_row_gets_its_own_scores(
        rows in prop::collection::vec(prop::array::uniform4(prop_oneof![9 => -4.0f32..4.0, 1 => Just(f32::NAN)]), 0..70)
    ) {
        if let Some(runtime) = runtime() {
            let mut stage = Zoo::copy().stage(&runtime, 70, virtual_clock());
            let out = pass(&mut stage, cycle(&rows));
            for (i, &x) in rows.iter().enumerate() {
                let linear_ok = x[..3].iter().all(|v| v.is_finite());
                let tree_ok = x[0].is_finite() && x[2].is_finite();
                prop_assert_eq!(out.prediction(i, Family::Mlp, Horizon::M15).is_finite(), linear_ok);
                prop_assert_eq!(out.prediction(i, Family::LightGbm, Horizon::M5).is_finite(), tree_ok);
                if linear_ok {
                    assert_scores(&out, i, x);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Rows whose inputs did not change are not computed again, and nobody can tell by the outputs.
    #[test]
    fn kept_outputs_are_those_of_a_fresh_pass(
        steps in prop::collection::vec(
            prop::collection::vec((0_usize..6, prop_oneof![9 => 0_u8..4, 1 => Just(9)]), 0..8), 2..8),
    ) {
        if let Some(runtime) = runtime() {
            let value = |v: u8| if v == 9 { f32::NAN } else { f32::from(v) / 2.0 };
            let stage = |keep| {
                let config = InferenceConfig { keep, ..InferenceConfig::new(6) };
                InferenceStage::new(Zoo::rich().load(&runtime).unwrap(), &runtime, config, virtual_clock()).unwrap()
            };
            let (mut keeping, mut fresh) = (stage(true), stage(false));
            let mut rows = [[0.5_f32, -1.0, 1.5, 0.0]; 6];
            for (step, changes) in steps.iter().enumerate() {
                for (i, (row, v)) in changes.iter().enumerate() {
                    rows[*row][i % 3] = value(*v);
                }
                // Every third cycle lacks a symbol.
                let present = if step % 3 == 2 { &rows[1..] } else { &rows[..] };
                let made = |first: u16| {
                    let mut c = cycle(present);
                    (0..c.rows).for_each(|r| c.symbols[r] = SymbolId(first + u16::try_from(r).unwrap()));
                    c
                };
                let first = u16::from(step % 3 == 2);
                let (kept, plain) = (pass(&mut keeping, made(first)), pass(&mut fresh, made(first)));
                let bits = |v: &[f32]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                prop_assert_eq!(bits(&kept.predictions), bits(&plain.predictions));
                prop_assert_eq!(bits(&kept.aux), bits(&plain.aux));
            }
            prop_assert_eq!(fresh.stats().rows_kept, 0);
            let quiet = pass(&mut keeping, cycle(&rows));
            let again = pass(&mut keeping, cycle(&rows));
            prop_assert_eq!(quiet.predictions.iter().filter(|p| p.is_finite()).count(),
                again.predictions.iter().filter(|p| p.is_finite()).count());
            let whole = rows.iter().filter(|r| r[..3].iter().all(|x| x.is_finite())).count() as u64;
            prop_assert!(keeping.stats().rows_kept >= whole);
        }
    }
}

#[test]
fn symbols_out_of_order_or_twice_are_computed_every_time() {
    let Some(runtime) = runtime() else { return };
    let mut stage = Zoo::rich().stage(&runtime, 4, virtual_clock());
    let rows = [[0.5, -1.0, 3.0, 0.1], [0.25, 0.5, 1.0, 0.1]];
    for symbols in [[1, 0], [1, 1], [0, 9]] {
        for _ in 0..2 {
            let mut c = cycle(&rows);
            (c.symbols[0], c.symbols[1]) = (SymbolId(symbols[0]), SymbolId(symbols[1]));
            let out = pass(&mut stage, c);
            assert_scores(&out, 0, rows[0]);
            assert_scores(&out, 1, rows[1]);
        }
    }
    assert_eq!(stage.stats().rows_kept, 0);
}
