//! A pass of the inference stage allocates nothing on our side once the stage is built. (ONNX Runtime allocates
//! with C++'s allocator, which is not counted here: the one measured exception of the house rule.)

mod alloc_support;
mod inference_support;

use alloc_support::ALLOCATIONS;
use ibkr_trader::clock::{MINUTE, SessionTime, VirtualClock};
use ibkr_trader::domain::{Price, SymbolId};
use ibkr_trader::inference::{InferenceConfig, InferenceStage};
use ibkr_trader::message::Cycle;
use ibkr_trader::pipeline::{Outbox, Stage};
use inference_support::{Zoo, runtime};

#[test]
fn a_pass_allocates_nothing_after_construction() {
    let Some(runtime) = runtime() else { return };
    let config = InferenceConfig { learn: true, ..InferenceConfig::new(64) };
    let clock = VirtualClock::at(SessionTime(0));
    let mut stage = InferenceStage::new(Zoo::rich().load(&runtime).unwrap(), &runtime, config, clock).unwrap();
    let mut out = Outbox::with_capacity(1);
    let mut cycle = Box::new(Cycle::with_capacity(64, 4));
    cycle.features.fill(0.5);
    cycle.features[9] = f32::NAN;
    let before = ALLOCATIONS.get();
    assert!(before > 0, "the counter counts");
    for rows in [1, 5, 40, 64, 0, 64, 64, 64, 64, 64, 64, 64, 64] {
        cycle.rows = rows;
        // Symbols in order on some passes, so that outputs are kept, and new inputs on others.
        for (i, symbol) in cycle.symbols.iter_mut().enumerate() {
            *symbol = SymbolId(if rows == 40 { 0 } else { u16::try_from(i).unwrap() });
        }
        cycle.features[0] += 0.25;
        cycle.at = cycle.at + MINUTE;
        cycle.sigma_1m.fill(0.001);
        cycle.mid.fill(Price::from_f64(50.0 + f64::from(cycle.features[0])));
        stage.on_event(SessionTime(0), cycle, &mut out);
        cycle = out.drain().next().unwrap();
        assert!(cycle.in_time);
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert_eq!(stage.stats().cycles, 13);
    assert!(stage.engine().learned().is_some_and(|(_, updates)| updates > 0), "it learned on the way");
    assert!(stage.stats().rows_kept > 0 && stage.stats().rows_refused > 0);
}
