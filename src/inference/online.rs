//! The one model that goes on learning: FTRL-Proximal (McMahan et al. 2013, "Ad click prediction: a view from the
//! trenches", algorithm 1, per coordinate) on squared loss, from where the training stopped. What it learns from are
//! realised residual returns: entry at the mid one minute after the forecast's bar closed, exit a horizon later, less
//! the universe's mean, in units of σ√h, cut as in training.
//!
//! Pure and deterministic; nothing is allocated after it is made. Rows are learned in the order of their symbols.

use serde::{Deserialize, Serialize};

use super::manifest::{Input, Output};
use crate::clock::MINUTE;
use crate::domain::Horizon;
use crate::message::Cycle;

/// Minutes remembered: the longest horizon, the delay of the entry, rounded up to a power of two.
const RING: i64 = 64;
/// The same, as a length.
const RING_LEN: usize = 64;
/// Targets are cut to ± this, as in training.
const TARGET_CLIP: f64 = 3.0;
/// Fewer names than this make no universe.
const NAMES_MIN: u32 = 3;

/// Where learning stands, as `models/manifest.json` and checkpoints write it. F inputs and the constant 1, H scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FtrlState {
    kind: String,
    alpha: f64,
    beta: f64,
    l1: f64,
    l2: f64,
    /// Location and scale of the inputs, `[F]`.
    mean: Vec<f64>,
    std: Vec<f64>,
    /// Per score: the dual weights and the sums of squared gradients, `[H][F + 1]`.
    z: Vec<Vec<f64>>,
    n: Vec<Vec<f64>>,
}

impl FtrlState {
    /// Checks that it fits a model's ends and is made of numbers.
    pub(super) fn check(&self, inputs: &[Input], outputs: &[Output]) -> Result<(), String> {
        if self.kind != "ftrl_proximal" {
            return Err(format!("its state is of kind {:?}, known is ftrl_proximal", self.kind));
        }
        if inputs.iter().any(|i| matches!(i, Input::Score(..))) || outputs.iter().any(|o| matches!(o, Output::Aux(_))) {
            return Err("a model with a state reads features and gives scores only".into());
        }
        let tables = || self.z.iter().chain(&self.n);
        let shaped = self.mean.len() == inputs.len()
            && self.std.len() == inputs.len()
            && self.z.len() == outputs.len()
            && self.n.len() == outputs.len()
            && tables().all(|row| row.len() == inputs.len() + 1);
        if !shaped {
            return Err("its state is of another shape than its inputs and columns".into());
        }
        let finite = tables().flatten().chain(&self.mean).chain(&self.std).all(|v| v.is_finite());
        let positive = self.alpha > 0.0 && self.beta >= 0.0 && self.l1 >= 0.0 && self.l2 >= 0.0;
        if !(finite && positive && self.std.iter().all(|s| *s > 0.0) && self.n.iter().flatten().all(|n| *n >= 0.0)) {
            return Err("its state holds a number that can't be".into());
        }
        Ok(())
    }
}

/// What one minute showed, by symbol.
#[derive(Clone, Debug)]
struct Shown {
    /// The boundary at which the minute closed, in minutes since the epoch.
    boundary: i64,
    /// Inputs, row-major; NaN = not all known.
    x: Vec<f32>,
    sigma: Vec<f32>,
    /// NaN = no fit quote.
    mid: Vec<f64>,
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(super) struct Learner {
    state: FtrlState,
    columns: Vec<usize>,
    horizons: Vec<Horizon>,
    /// Weights that follow from the state, `[H][F + 1]`.
    weights: Vec<Vec<f64>>,
    ring: Vec<Shown>,
    /// One row, standardised, the constant last.
    row: Vec<f64>,
    updates: u64,
}

impl Learner {
    /// A learner for up to `symbols` symbols; the state was checked against the ends.
    pub(super) fn new(state: FtrlState, inputs: &[Input], outputs: &[Output], symbols: usize) -> Self {
        let columns = inputs.iter().filter_map(|i| if let Input::Feature(c) = i { Some(*c) } else { None });
        let horizons = outputs.iter().filter_map(|o| if let Output::Score(h) = o { Some(*h) } else { None });
        let width = inputs.len();
        let shown = Shown {
            boundary: i64::MIN,
            x: vec![f32::NAN; symbols * width],
            sigma: vec![f32::NAN; symbols],
            mid: vec![f64::NAN; symbols],
        };
        let mut made = Self {
            columns: columns.collect(),
            horizons: horizons.collect(),
            weights: state.z.clone(),
            ring: vec![shown; RING_LEN],
            row: vec![1.0; width + 1],
            state,
            updates: 0,
        };
        for head in 0..made.weights.len() {
            (0..=width).for_each(|i| made.set_weight(head, i));
        }
        made
    }

    /// Where it stands, to be continued.
    pub(super) const fn state(&self) -> &FtrlState {
        &self.state
    }

    /// Rows learned from, all horizons together.
    pub(super) const fn updates(&self) -> u64 {
        self.updates
    }

    /// Goes on from a checkpoint of the same model; `false` = it is of another shape or scale and was not taken.
    pub(super) fn resume(&mut self, state: &FtrlState, inputs: &[Input], outputs: &[Output]) -> bool {
        let own = &self.state;
        let same = (&own.mean, &own.std) == (&state.mean, &state.std)
            && [own.alpha, own.beta, own.l1, own.l2].map(f64::to_bits)
                == [state.alpha, state.beta, state.l1, state.l2].map(f64::to_bits);
        if !same || state.check(inputs, outputs).is_err() {
            return false;
        }
        self.state = state.clone();
        for head in 0..self.weights.len() {
            (0..self.row.len()).for_each(|i| self.set_weight(head, i));
        }
        true
    }

    /// Scores one row of raw inputs.
    #[allow(clippy::cast_possible_truncation, reason = "scores are f32 by definition")]
    pub(super) fn score(&mut self, x: &[f32], out: &mut [f32]) {
        self.standardise(x);
        for (score, weights) in out.iter_mut().zip(&self.weights) {
            *score = dot(weights, &self.row) as f32;
        }
    }

    /// Remembers a cycle and learns from what has matured with it.
    pub(super) fn observe(&mut self, cycle: &Cycle) {
        let boundary = cycle.at.0.div_euclid(MINUTE);
        self.remember(cycle, boundary);
        for head in 0..self.horizons.len() {
            self.mature(head, boundary);
        }
    }

    fn remember(&mut self, cycle: &Cycle, boundary: i64) {
        let width = self.columns.len();
        let shown = &mut self.ring[place(boundary)];
        shown.boundary = boundary;
        shown.x.fill(f32::NAN);
        shown.sigma.fill(f32::NAN);
        shown.mid.fill(f64::NAN);
        for row in 0..cycle.rows {
            let symbol = cycle.symbols[row].index();
            let (Some(x), features) = (shown.x.get_mut(symbol * width..(symbol + 1) * width), cycle.feature_row(row))
            else {
                continue;
            };
            if cycle.mid[row].is_some() {
                shown.mid[symbol] = cycle.mid[row].to_f64();
            }
            if self.columns.iter().all(|c| features[*c].is_finite()) {
                shown.sigma[symbol] = cycle.sigma_1m[row];
                x.iter_mut().zip(&self.columns).for_each(|(cell, c)| *cell = features[*c]);
            }
        }
    }

    /// Learns from the forecasts whose horizon ended at `boundary`: made a minute before their entry.
    fn mature(&mut self, head: usize, boundary: i64) {
        let minutes = self.horizons[head].minutes();
        let (entry, made) = (place(boundary - minutes), place(boundary - minutes - 1));
        let exit = place(boundary);
        if self.ring[entry].boundary != boundary - minutes || self.ring[made].boundary != boundary - minutes - 1 {
            return;
        }
        let symbols = self.ring[exit].mid.len();
        let earned = |ring: &[Shown], s: usize| libm::log(ring[exit].mid[s] / ring[entry].mid[s]);
        let (mut sum, mut names) = (0.0, 0_u32);
        for r in (0..symbols).map(|s| earned(&self.ring, s)).filter(|r| r.is_finite()) {
            sum += r;
            names += 1;
        }
        if names < NAMES_MIN {
            return;
        }
        let mean = sum / f64::from(names);
        let root = libm::sqrt(minutes as f64);
        for symbol in 0..symbols {
            let unit = f64::from(self.ring[made].sigma[symbol]) * root;
            let target = (earned(&self.ring, symbol) - mean) / unit;
            if target.is_finite() && unit > 0.0 {
                self.learn(head, made, symbol, target.clamp(-TARGET_CLIP, TARGET_CLIP));
            }
        }
    }

    fn learn(&mut self, head: usize, made: usize, symbol: usize, target: f64) {
        let width = self.columns.len();
        for (i, x) in self.ring[made].x[symbol * width..(symbol + 1) * width].iter().enumerate() {
            self.row[i] = (f64::from(*x) - self.state.mean[i]) / self.state.std[i];
        }
        let error = dot(&self.weights[head], &self.row) - target;
        for i in 0..=width {
            let gradient = error * self.row[i];
            let (n, w) = (self.state.n[head][i], self.weights[head][i]);
            let squares = n + gradient * gradient;
            self.state.z[head][i] += gradient - (libm::sqrt(squares) - libm::sqrt(n)) / self.state.alpha * w;
            self.state.n[head][i] = squares;
            self.set_weight(head, i);
        }
        self.updates += 1;
    }

    fn standardise(&mut self, x: &[f32]) {
        for (i, x) in x.iter().enumerate() {
            self.row[i] = (f64::from(*x) - self.state.mean[i]) / self.state.std[i];
        }
    }

    fn set_weight(&mut self, head: usize, i: usize) {
        let FtrlState { alpha, beta, l1, l2, z, n, .. } = &self.state;
        let z = z[head][i];
        let shrunk = z - z.clamp(-l1, *l1);
        self.weights[head][i] = -shrunk / ((beta + libm::sqrt(n[head][i])) / alpha + l2);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A boundary's place in the ring.
fn place(boundary: i64) -> usize {
    usize::try_from(boundary.rem_euclid(RING)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SessionTime;
    use crate::domain::{Price, SymbolId};

    const SYMBOLS: usize = 4;
    const ENDS: ([Input; 2], [Output; 2]) =
        ([Input::Feature(0), Input::Feature(2)], [Output::Score(Horizon::M5), Output::Score(Horizon::M60)]);

    fn state() -> FtrlState {
        FtrlState {
            kind: "ftrl_proximal".into(),
            alpha: 0.05,
            beta: 1.0,
            l1: 0.5,
            l2: 1.0,
            mean: vec![0.1, -0.2],
            std: vec![1.0, 2.0],
            z: vec![vec![1.0, -2.0, 0.1], vec![0.0; 3]],
            n: vec![vec![1.0; 3]; 2],
        }
    }

    fn learner() -> Learner {
        Learner::new(state(), &ENDS.0, &ENDS.1, SYMBOLS)
    }

    /// Made-up numbers of a symbol at a minute.
    fn wave(minute: i64, symbol: usize, k: i64) -> f64 {
        libm::sin((minute * (k + 3)) as f64 * 0.7 + symbol as f64 * 1.9 + k as f64)
    }

    fn mid(minute: i64, symbol: usize) -> Price {
        // Symbol 3 has no quote every seventh minute.
        if symbol == 3 && minute % 7 == 0 { Price::NONE } else { Price::from_f64(50.0 + wave(minute, symbol, 5)) }
    }

    fn cycle(minute: i64) -> Cycle {
        let mut c = Cycle::with_capacity(SYMBOLS, 3);
        c.at = SessionTime(minute * MINUTE + 500);
        c.rows = SYMBOLS;
        for s in 0..SYMBOLS {
            c.symbols[s] = SymbolId(u16::try_from(s).unwrap());
            for k in 0..3 {
                c.features[s * 3 + k] = feature(minute, s, k);
            }
            c.sigma_1m[s] = 0.01;
            c.mid[s] = mid(minute, s);
        }
        c
    }

    #[allow(clippy::cast_possible_truncation, reason = "a made-up feature")]
    fn feature(minute: i64, symbol: usize, k: usize) -> f32 {
        // Column 2 of symbol 1 is unknown every fifth minute.
        if (k, symbol, minute % 5) == (2, 1, 0) {
            f32::NAN
        } else {
            wave(minute, symbol, i64::try_from(k).unwrap()) as f32
        }
    }

    /// The same learning, written down plainly from all minutes at once, for one head.
    fn plain(head: usize, minutes: i64, last: i64, skipped: i64) -> (Vec<f64>, Vec<f64>) {
        let s0 = state();
        let (mut z, mut n) = (s0.z[head].clone(), s0.n[head].clone());
        for exit in 0..=last {
            let (entry, made) = (exit - minutes, exit - minutes - 1);
            if made < 0 || [exit, entry, made].contains(&skipped) {
                continue;
            }
            let returns: Vec<Option<f64>> = (0..SYMBOLS)
                .map(|s| {
                    let (a, b) = (mid(entry, s), mid(exit, s));
                    (a.is_some() && b.is_some()).then(|| libm::log(b.to_f64() / a.to_f64()))
                })
                .collect();
            let known: Vec<f64> = returns.iter().flatten().copied().collect();
            let mean = known.iter().sum::<f64>() / known.len() as f64;
            for (s, r) in returns.iter().enumerate() {
                let (a, b) = (feature(made, s, 0), feature(made, s, 2));
                let (Some(r), true) = (r, a.is_finite() && b.is_finite()) else { continue };
                let x = [(f64::from(a) - 0.1) / 1.0, (f64::from(b) + 0.2) / 2.0, 1.0];
                let y = ((r - mean) / (f64::from(0.01_f32) * (minutes as f64).sqrt())).clamp(-3.0, 3.0);
                let weight = |i: usize| {
                    let over: f64 = z[i] - f64::clamp(z[i], -0.5, 0.5);
                    -over / ((1.0 + f64::sqrt(n[i])) / 0.05 + 1.0)
                };
                let w = [weight(0), weight(1), weight(2)];
                let error = w[0] * x[0] + w[1] * x[1] + w[2] * x[2] - y;
                for i in 0..3 {
                    let g = error * x[i];
                    let squares = n[i] + g * g;
                    z[i] += g - (squares.sqrt() - n[i].sqrt()) / 0.05 * w[i];
                    n[i] = squares;
                }
            }
        }
        (z, n)
    }

    #[test]
    fn it_learns_what_a_plain_recomputation_learns_and_nothing_across_a_hole() {
        let mut learner = learner();
        for minute in (0..=150).filter(|m| *m != 90) {
            learner.observe(&cycle(minute));
        }
        for (head, minutes) in [(0, 5), (1, 60)] {
            let (z, n) = plain(head, minutes, 150, 90);
            for i in 0..3 {
                let (found_z, found_n) = (learner.state().z[head][i], learner.state().n[head][i]);
                assert!(
                    (found_z - z[i]).abs() < 1e-9 && (found_n - n[i]).abs() < 1e-9,
                    "{head} {i}: {found_z} {}",
                    z[i]
                );
            }
        }
        assert!(learner.updates() > 500);
    }

    #[test]
    fn a_checkpoint_goes_on_where_it_stopped_and_another_models_is_refused() {
        let mut whole = learner();
        (0..200).for_each(|m| whole.observe(&cycle(m)));
        let text = serde_json::to_string(whole.state()).unwrap();
        let mut resumed = learner();
        assert!(resumed.resume(&serde_json::from_str(&text).unwrap(), &ENDS.0, &ENDS.1));
        let (mut a, mut b) = ([0.0; 2], [0.0; 2]);
        whole.score(&[0.3, -0.4], &mut a);
        resumed.score(&[0.3, -0.4], &mut b);
        assert_eq!(a.map(f32::to_bits), b.map(f32::to_bits));
        let other = FtrlState { mean: vec![0.0, 0.0], ..state() };
        assert!(!resumed.resume(&other, &ENDS.0, &ENDS.1));
    }

    #[test]
    fn a_state_that_lies_is_told() {
        let told = |s: FtrlState| s.check(&ENDS.0, &ENDS.1).unwrap_err();
        assert_eq!(state().check(&ENDS.0, &ENDS.1), Ok(()));
        assert!(told(FtrlState { kind: "adam".into(), ..state() }).contains("adam"));
        assert!(told(FtrlState { mean: vec![0.0], ..state() }).contains("another shape"));
        assert!(told(FtrlState { n: vec![vec![-1.0; 3]; 2], ..state() }).contains("can't be"));
        assert!(told(FtrlState { std: vec![0.0, 1.0], ..state() }).contains("can't be"));
        assert!(told(FtrlState { alpha: f64::NAN, ..state() }).contains("can't be"));
    }
}
