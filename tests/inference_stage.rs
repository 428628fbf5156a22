//! The inference stage against the fixture zoo: scores by formula, refused rows, budgets, shapes.

mod inference_support;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use ibkr_trader::clock::{Clock, MILLISECOND, SessionTime, VirtualClock};
use ibkr_trader::domain::{Family, Horizon, SymbolId};
use ibkr_trader::inference::{DeadlineClock, InferenceStage, InferenceStats};
use ibkr_trader::message::Cycle;
use ibkr_trader::pipeline::{Outbox, Stage};
use inference_support::{Zoo, runtime};
use proptest::prelude::*;

const PREDICTION_COLUMNS: usize = Family::COUNT * Horizon::COUNT;

/// Advances by a fixed step at every reading.
#[derive(Clone, Default)]
struct Stepping {
    now_ns: Rc<Cell<u64>>,
    step_ns: u64,
    readings: Rc<RefCell<u32>>,
}

impl DeadlineClock for Stepping {
    fn mono_ns(&self) -> u64 {
        self.now_ns.set(self.now_ns.get() + self.step_ns);
        *self.readings.borrow_mut() += 1;
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
    assert_eq!(stage.column_sets(), 2);
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
fn a_late_pass_leaves_the_last_models_out_and_the_cycle_late() {
    let Some(runtime) = runtime() else { return };
    // Readings: start, before each of the two models, at the end. 60 ms a reading: the second model is late.
    let clock = Stepping { step_ns: 60 * MILLISECOND.unsigned_abs(), ..Stepping::default() };
    let mut stage = Zoo::copy().stage(&runtime, 4, clock.clone());
    let out = pass(&mut stage, cycle(&[[0.5, -1.0, 3.0, 0.1]]));
    assert!(!out.in_time);
    assert!(out.prediction(0, Family::Mlp, Horizon::M5).is_finite());
    assert!(out.prediction(0, Family::LightGbm, Horizon::M5).is_nan());
    let stats = stage.stats();
    assert_eq!((stats.late_cycles, stats.models_left_out), (1, 1));

    // 40 ms a reading: every model ran, and the pass ended at 120 ms: late all the same.
    let clock = Stepping { step_ns: 40 * MILLISECOND.unsigned_abs(), ..Stepping::default() };
    let mut stage = Zoo::copy().stage(&runtime, 4, clock);
    let out = pass(&mut stage, cycle(&[[0.5, -1.0, 3.0, 0.1]]));
    assert!(!out.in_time && out.prediction(0, Family::LightGbm, Horizon::M5).is_finite());
    assert_eq!((stage.stats().late_cycles, stage.stats().models_left_out), (1, 0));
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
    zoo.model(0)["golden"] = serde_json::json!({"x": [[1.0, 1.0, 1.0]], "y": [y]});
    let mut stage = zoo.stage(&runtime, 4, virtual_clock());
    let out = pass(&mut stage, cycle(&[[-0.5, 0.25, 0.0, 0.0]]));
    // Linear outputs there: -0.4, 0.05, 0.3, -0.9, 1.0; the two negative ones have no logarithm.
    assert!(out.prediction(0, Family::Mlp, Horizon::M5).is_nan());
    assert!(out.prediction(0, Family::Mlp, Horizon::M30).is_nan());
    assert!(out.prediction(0, Family::Mlp, Horizon::M60).is_finite());
    assert_eq!(stage.stats().scores_refused, 2);
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
