//! One pass of the inference stage, gather and scatter included, by batch size.
//!
//! Run `cargo bench --bench inference`. With `IBKR_TRADER_ZOO=models` and the schema in its manifest it measures that
//! zoo instead of the fixtures.

use std::hint::black_box;
use std::path::PathBuf;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ibkr_trader::clock::{SessionTime, VirtualClock};
use ibkr_trader::inference::{InferenceConfig, InferenceStage, MANIFEST_FILE, Manifest, Registry, Runtime, SchemaRef};
use ibkr_trader::message::Cycle;
use ibkr_trader::pipeline::{Outbox, Stage};

fn zoo() -> PathBuf {
    std::env::var_os("IBKR_TRADER_ZOO")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models/good"), PathBuf::from)
}

/// The stage over the zoo, with its number of feature columns; `None` without ONNX Runtime or a zoo.
fn stage(max_rows: usize) -> Option<(InferenceStage<VirtualClock>, usize)> {
    let built = || -> Result<_, Box<dyn std::error::Error>> {
        let runtime = Runtime::load()?;
        let manifest: Manifest = serde_json::from_slice(&std::fs::read(zoo().join(MANIFEST_FILE))?)?;
        let schema = &manifest.feature_schema;
        let columns: Vec<&str> = schema.columns.iter().map(|c| c.name.as_str()).collect();
        let schema = SchemaRef { version: schema.version, hash: &schema.hash, columns: &columns };
        let registry = Registry::load(&zoo(), &schema, &runtime)?;
        let clock = VirtualClock::at(SessionTime(0));
        Ok((InferenceStage::new(registry, &runtime, InferenceConfig::new(max_rows), clock)?, columns.len()))
    };
    built().inspect_err(|e| eprintln!("skipped: {e}")).ok()
}

fn pass(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("inference_pass");
    for rows in [1_usize, 50, 200, 1_000] {
        let Some((mut stage, columns)) = stage(rows) else { return };
        let mut out = Outbox::with_capacity(1);
        let mut slot = Some(Box::new(Cycle::with_capacity(rows, columns)));
        if let Some(cycle) = slot.as_mut() {
            cycle.rows = rows;
            // Spread over the fixtures' ranges, without randomness.
            for (i, x) in cycle.features.iter_mut().enumerate() {
                *x = f32::from(u8::try_from(i * 37 % 200).unwrap_or(0)) / 100.0 - 1.0;
            }
        }
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_function(BenchmarkId::from_parameter(rows), |b| {
            b.iter(|| {
                if let Some(cycle) = slot.take() {
                    stage.on_event(SessionTime(0), black_box(cycle), &mut out);
                }
                slot = out.drain().next();
            });
        });
    }
    group.finish();
}

criterion_group!(benches, pass);
criterion_main!(benches);
