//! `models bench`: what a pass over the whole zoo costs on one pinned core, by rows and by family, our trees against
//! ONNX Runtime's, and how long loading takes. Prints a table and writes `zoo.json` and `zoo.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::Serialize;

use super::train_export::export_file;
use super::zoo::{Zoo, schema_ref};
use crate::clock::{SECOND, ScaledClock, SessionTime};
use crate::domain::SymbolId;
use crate::features::schema;
use crate::inference::{
    DeadlineClock, InferenceConfig, InferenceStage, Input, Registry, Runtime, TreeComparison, compare_trees,
};
use crate::message::Cycle;
use crate::pipeline::{Outbox, Stage, affinity};
use crate::telemetry::{FamilyLine, Host};

/// Passes before those that count.
const WARM_UP: usize = 20;

/// `models bench`.
#[derive(Clone, Debug, clap::Args)]
pub struct BenchArgs {
    /// The zoo's folder.
    #[arg(default_value = "models")]
    pub folder: PathBuf,
    /// Rows of a pass, comma-separated.
    #[arg(long, default_value = "50,200,1000", value_delimiter = ',')]
    pub rows: Vec<usize>,
    /// Passes of each.
    #[arg(long, default_value_t = 200)]
    pub passes: usize,
    /// A day of one-minute bars (`YYYY-MM-DD.csv.gz`) whose rows are taken; default: rows drawn from the ranges that
    /// the training saw.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Folder that the report is written to.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

/// The time that this thread had a core: what a pass costs on a core of its own, also where others share it.
#[derive(Clone, Copy, Debug)]
struct CpuClock;

impl DeadlineClock for CpuClock {
    fn mono_ns(&self) -> u64 {
        let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `ts` is a valid timespec that the call fills; the clock is one that Linux has.
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut ts) };
        u64::try_from(ts.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(ts.tv_nsec).unwrap_or(0)
    }
}

/// The report.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    zoo: String,
    runtime: String,
    host: Host,
    pinned_core: Option<usize>,
    rows_from: String,
    passes: usize,
    /// Scores per row (family × horizon) and chances per row (barriers).
    cells: [usize; 2],
    load_and_verify_ms: f64,
    by_rows: Vec<PassLine>,
    trees: Vec<TreeComparison>,
}

/// Passes of one size.
#[derive(Clone, Debug, Serialize)]
struct PassLine {
    rows: usize,
    warm_up_ms: f64,
    /// Least, median, 95th percentile, most; by the wall, and by the time that the thread had the core.
    wall_ms: [f64; 4],
    cpu_ms: [f64; 4],
    /// CPU time.
    families_us: BTreeMap<String, FamilyLine>,
}

/// Measures, prints, writes.
///
/// # Errors
/// The zoo or the data can't be read, a model is quarantined, or the report can't be written.
#[allow(clippy::print_stdout, reason = "the report is this command's output")]
pub fn run(args: &BenchArgs) -> Result<()> {
    let report = measure(args)?;
    println!("{}", report.markdown());
    if let Some(out) = &args.out {
        std::fs::create_dir_all(out).with_context(|| format!("making {}", out.display()))?;
        for (name, text) in [("zoo.json", serde_json::to_string_pretty(&report)?), ("zoo.md", report.markdown())] {
            let path = out.join(name);
            std::fs::write(&path, text + "\n").with_context(|| format!("writing {}", path.display()))?;
        }
    }
    Ok(())
}

/// Measures a zoo.
///
/// # Errors
/// As [`run`].
pub fn measure(args: &BenchArgs) -> Result<BenchReport> {
    ensure!(args.passes > 0 && args.rows.iter().all(|n| *n > 0), "--rows and --passes must be 1 or more");
    let clock = ScaledClock::real_time();
    let host = Host::detect();
    let pinned_core = affinity::cores().last().copied().filter(|core| affinity::pin(*core));
    let runtime = Runtime::load()?;
    let hash = schema::hash();
    let schema = schema_ref(&hash);
    let began_ns = clock.mono_ns();
    let registry = Registry::load(&args.folder, &schema, &runtime)?;
    let load_and_verify_ms = ms(clock.mono_ns() - began_ns);
    ensure!(registry.quarantined().is_empty(), "{}", registry.quarantined()[0]);
    let scores = registry.models().iter().map(|m| m.horizons().count()).sum();
    let chances = registry.models().iter().filter(|m| m.family.is_none()).map(|m| m.outputs.len()).sum();
    let rows = rows_of(args, &registry)?;
    let zoo = registry.zoo().to_owned();
    drop(registry);
    let (mut by_rows, mut trees) = (Vec::new(), Vec::new());
    for &n in &args.rows {
        let stage_began_ns = clock.mono_ns();
        let zoo = Zoo::load(&args.folder)?;
        // The budget is not what is measured: nobody is left out. Every row is computed: nothing is kept.
        let config = InferenceConfig { budget: 10 * SECOND, keep: false, ..InferenceConfig::new(n) };
        let stage = zoo.into_bench_stage(config, CpuClock)?;
        by_rows.push(passes(stage, &rows, n, args.passes, ms(clock.mono_ns() - stage_began_ns), &clock));
        let window: Vec<&[f32]> = (0..n).map(|i| rows[i % rows.len()].as_slice()).collect();
        trees.push(compare_trees(&args.folder, &schema, &runtime, &window, args.passes.min(100), &CpuClock)?);
    }
    let rows_from = args.data.as_ref().map_or("ranges of the training, seeded".into(), |d| file_name(d));
    let (passes, cells) = (args.passes, [scores, chances]);
    let runtime = format!("ONNX Runtime {}", runtime.version());
    Ok(BenchReport { zoo, runtime, host, pinned_core, rows_from, passes, cells, load_and_verify_ms, by_rows, trees })
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

/// Rows in which every column that a model reads is known.
fn rows_of(args: &BenchArgs, registry: &Registry) -> Result<Vec<Vec<f32>>> {
    let inputs = registry.models().iter().flat_map(|m| &m.inputs);
    let read: Vec<usize> = inputs.filter_map(|i| if let Input::Feature(c) = i { Some(*c) } else { None }).collect();
    let most = args.rows.iter().max().copied().unwrap_or(1);
    let Some(data) = &args.data else {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut uniform = || f32::from(u16::try_from(rng.next_u32() >> 16).unwrap_or(0)) / 32_768.0 - 1.0;
        let mut row = || {
            let mut row = vec![0.0; schema::COLUMNS];
            row.iter_mut().for_each(|x| *x = uniform());
            for range in registry.ranges() {
                row[range.column] = range.low + (uniform() + 1.0) / 2.0 * (range.high - range.low);
            }
            row
        };
        return Ok((0..4 * most).map(|_| row()).collect());
    };
    let rows = export_file(data)?.rows.into_iter().map(|r| r.columns);
    let rows: Vec<Vec<f32>> = rows.filter(|r| read.iter().all(|c| r[*c].is_finite())).collect();
    ensure!(rows.len() >= most, "{} has {} whole rows, {most} are needed", data.display(), rows.len());
    Ok(rows)
}

/// Passes over windows of the rows, one after the other.
fn passes(
    mut stage: InferenceStage<CpuClock>,
    rows: &[Vec<f32>],
    n: usize,
    count: usize,
    warm_up_ms: f64,
    clock: &ScaledClock,
) -> PassLine {
    let mut out = Outbox::with_capacity(1);
    let mut slot = Some(Box::new(Cycle::with_capacity(n, schema::COLUMNS)));
    let (mut took_ns, mut cpu_ns) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for pass in 0..WARM_UP + count {
        let Some(mut cycle) = slot.take() else { break };
        cycle.rows = n;
        for (i, cells) in cycle.features.chunks_exact_mut(schema::COLUMNS).enumerate() {
            cells.copy_from_slice(&rows[(pass * n + i) % rows.len()]);
            cycle.symbols[i] = SymbolId(u16::try_from(i).unwrap_or(u16::MAX));
        }
        let (from_ns, cpu_from_ns) = (clock.mono_ns(), CpuClock.mono_ns());
        stage.on_event(SessionTime(0), cycle, &mut out);
        if pass >= WARM_UP {
            cpu_ns.push(CpuClock.mono_ns().saturating_sub(cpu_from_ns));
            took_ns.push(clock.mono_ns() - from_ns);
        }
        slot = out.drain().next();
    }
    took_ns.sort_unstable();
    cpu_ns.sort_unstable();
    let at = |sorted: &[u64], share: usize| {
        ms(sorted.get((sorted.len() * share / 100).min(sorted.len() - 1)).copied().unwrap_or(0))
    };
    let families_us = stage.costs().iter().map(super::report::family_line).collect();
    PassLine {
        rows: n,
        warm_up_ms,
        wall_ms: [0, 50, 95, 100].map(|share| at(&took_ns, share)),
        cpu_ms: [0, 50, 95, 100].map(|share| at(&cpu_ns, share)),
        families_us,
    }
}

impl BenchReport {
    /// The report for the eye.
    pub fn markdown(&self) -> String {
        let mut t = String::new();
        let core = self.pinned_core.map_or("not pinned".into(), |c| format!("pinned to core {c}"));
        let _ = writeln!(t, "# Zoo {}\n", self.zoo);
        let _ = writeln!(
            t,
            "{} scores and {} chances a row; {}, {} cores, {core}; {}; rows from {}; {} passes of each size.\n\
             Loading and verifying all models: {:.0} ms.\n",
            self.cells[0],
            self.cells[1],
            self.host.cpu,
            self.host.cores,
            self.runtime,
            self.rows_from,
            self.passes,
            self.load_and_verify_ms
        );
        let head =
            "| rows | CPU ms: least | p50 | p95 | most | wall ms: least | p50 | p95 | most | load + warm-up ms |";
        let _ = writeln!(t, "{head}\n|{}", "---|".repeat(10));
        for l in &self.by_rows {
            let figures = l.cpu_ms.iter().chain(&l.wall_ms).map(|v| format!("{v:.2}")).collect::<Vec<_>>().join(" | ");
            let _ = writeln!(t, "| {} | {figures} | {:.0} |", l.rows, l.warm_up_ms);
        }
        let _ = writeln!(
            t,
            "\n| trees, rows | models | here, CPU ms | ONNX Runtime, CPU ms | ratio | bits that differ |\n|---|---|---|---|---|---|"
        );
        for c in &self.trees {
            let ratio = c.onnx_ns as f64 / c.ours_ns.max(1) as f64;
            let (ours, onnx) = (ms(c.ours_ns), ms(c.onnx_ns));
            let _ = writeln!(t, "| {} | {} | {ours:.3} | {onnx:.3} | {ratio:.2} | {} |", c.rows, c.models, c.different);
        }
        let heads: Vec<String> = self.by_rows.iter().map(|l| format!("{} rows p50 / p95, CPU µs", l.rows)).collect();
        let _ = writeln!(t, "\n| family | models | {} |\n|---|---|{}", heads.join(" | "), "---|".repeat(heads.len()));
        let Some(first) = self.by_rows.first() else { return t };
        for (family, line) in &first.families_us {
            let cost = |l: &PassLine| {
                l.families_us.get(family).map_or(String::new(), |f| format!("{:.0} / {:.0}", f.p50, f.p95))
            };
            let costs: Vec<String> = self.by_rows.iter().map(cost).collect();
            let _ = writeln!(t, "| {family} | {} | {} |", line.models, costs.join(" | "));
        }
        t
    }
}
