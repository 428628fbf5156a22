//! One row of bar columns from one symbol's state and the universe's view. Pure; a bounded number of operations
//! per row (windows of at most 60 minutes are walked at the bar's close, never per tick).

#![allow(clippy::cast_possible_truncation, reason = "columns are f32 by definition and cut to ±CLIP before")]

use super::market::{LOOKBACKS, MarketView};
use super::rolling::Rolling;
use super::schema::{BAR_COLUMNS, COLUMNS, at};
use super::session::Place;
use super::volatility::ALPHA_5;
use crate::message::Cycle;

/// Columns are cut here: a model never sees an outlier that it can't have been trained on.
pub(super) const CLIP: f64 = 10.0;
/// Look-backs of the own returns, minutes.
const RETURNS: [i64; 8] = [1, 2, 3, 5, 10, 15, 30, 60];

/// `x` cut to ±CLIP as a column; NaN stays NaN.
pub(super) fn cut(x: f64) -> f32 {
    x.clamp(-CLIP, CLIP) as f32
}

/// Fills the bar columns of `row` for the minute at `place`; all NaN if the symbol has no bar there. `sigma` is
/// the symbol's σ of the next minute. Cross-section columns (ranks, relative σ) are filled by the stage.
pub(super) fn fill(row: &mut [f32], state: &Rolling, market: &MarketView, place: Place, sigma: f64) {
    row[..BAR_COLUMNS].fill(f32::NAN);
    if state.place != Some(place) {
        return;
    }
    let minute = place.minute;
    for (i, k) in RETURNS.into_iter().enumerate() {
        row[at::RET + i] = cut(state.path.move_over(minute, k) / (sigma * libm::sqrt(k as f64)));
    }
    for (i, l) in [0, 1, 3, 5].into_iter().enumerate() {
        let k = LOOKBACKS[l] as f64;
        row[at::MARKET_RET + i] = cut(market.ret[l] / (market.sigma * libm::sqrt(k)));
    }
    for (i, k) in LOOKBACKS.into_iter().enumerate() {
        let residual = state.path.move_over(minute, k) - market.ret[i];
        row[at::RESIDUAL_RET + i] = cut(residual / (sigma * libm::sqrt(k as f64)));
    }
    row[at::VOL_RATIO] = cut(state.volatility.ratio());
    row[at::PARKINSON_RATIO] = cut(state.volatility.parkinson_ratio());
    row[at::MARKET_VOL_RATIO] = cut(market.vol_ratio);
    row[at::DISPERSION] = cut(libm::log((market.dispersion / sigma).max(1e-3)));
    if market.dispersion.is_nan() {
        row[at::DISPERSION] = f32::NAN;
    }
    row[at::BREADTH] = cut(market.breadth);
    shape(row, state, minute);
    position(row, state, minute);
    day(row, state, sigma);
    volume(row, state);
    let t = place.of_session as f64 / 390.0;
    row[at::TIME] = libm::sin(core::f64::consts::TAU * t) as f32;
    row[at::TIME + 1] = libm::cos(core::f64::consts::TAU * t) as f32;
    row[at::TIME + 2] = t as f32;
    let (run_length, change_prob) = state.change.read();
    row[at::RUN_LENGTH] = cut(run_length);
    row[at::CHANGE_PROB] = cut(change_prob);
}

/// Third moment, lag-1 autocorrelation and efficiency over 30 minutes.
fn shape(row: &mut [f32], state: &Rolling, minute: i64) {
    let (mut squares, mut cubes, mut travel, mut products) = (0.0, 0.0, 0.0, 0.0);
    let (mut known, mut pairs, mut legs, mut later) = (0_u32, 0_u32, 0, f64::NAN);
    for i in 0..30 {
        let r = state.path.ret(minute - i);
        if !r.is_nan() {
            squares += r * r;
            cubes += r * r * r;
            known += 1;
            if !later.is_nan() {
                products += r * later;
                pairs += 1;
            }
        }
        later = r;
        let leg = (state.path.at(minute - i) - state.path.at(minute - i - 1)).abs();
        if !leg.is_nan() {
            travel += leg;
            legs += 1;
        }
    }
    if known >= 20 {
        let n = f64::from(known);
        row[at::SKEW] = cut(ratio(cubes / n, libm::pow(squares / n, 1.5)));
    }
    if legs == 30 {
        row[at::EFFICIENCY] = cut(ratio(state.path.move_over(minute, 30).abs(), travel));
    }
    if known >= 20 && pairs >= 15 {
        row[at::AUTOCORRELATION] = cut(ratio(products / f64::from(pairs), squares / f64::from(known)));
    }
}

/// Where the last close stands in its bar, in the last 20 and in the last 60 closes, and RSI.
fn position(row: &mut [f32], state: &Rolling, minute: i64) {
    let (close, high, low) = (state.last.close.to_f64(), state.last.high.to_f64(), state.last.low.to_f64());
    row[at::BAR_POSITION] = cut(within(close, low, high));
    let now = state.path.at(minute);
    let (mut low, mut high, mut known) = (now, now, 0);
    let (mut sum, mut squares, mut n) = (0.0, 0.0, 0_u32);
    for i in 0..60 {
        let p = state.path.at(minute - i);
        if p.is_nan() {
            continue;
        }
        low = low.min(p);
        high = high.max(p);
        known += 1;
        if i < 20 {
            sum += p - now;
            squares += (p - now) * (p - now);
            n += 1;
        }
    }
    if known >= 45 {
        row[at::RANGE_POSITION_60] = cut(within(now, low, high));
    }
    if n >= 15 {
        let mean = sum / f64::from(n);
        let std = libm::sqrt((squares / f64::from(n) - mean * mean).max(0.0));
        row[at::BOLLINGER_Z] = cut(ratio(-mean, std));
    }
    let (gains, losses) = (state.gains.get(14), state.losses.get(14));
    row[at::RSI] = cut(within(0.0, -gains, losses));
}

/// Columns of the session so far; unknown when its open was not seen.
fn day(row: &mut [f32], state: &Rolling, sigma: f64) {
    let d = &state.day;
    if d.complete {
        let close = state.last.close.to_f64();
        let scale = sigma * libm::sqrt(f64::from(d.bars.max(1)));
        row[at::DAY_POSITION] = cut(within(close, d.low, d.high));
        row[at::DAY_RET] = cut(libm::log(close / d.open) / scale);
        row[at::TWAP_DEVIATION] = cut((libm::log(close) - d.sum_log_close / f64::from(d.bars.max(1))) / scale);
        if d.volume > 0.0 && state.volumes.recent() {
            row[at::VWAP_DEVIATION] = cut(libm::log(close / (d.turnover / d.volume)) / scale);
        }
    }
    row[at::GAP] = cut(state.gap / (sigma * libm::sqrt(390.0)));
}

/// Volume columns.
fn volume(row: &mut [f32], state: &Rolling) {
    let v = &state.volumes;
    if !v.recent() {
        return;
    }
    row[at::VOLUME_RELATIVE] = cut(v.relative);
    let (fast, slow) = (v.fast.get(10), v.slow.get(10));
    row[at::VOLUME_RATIO] = if fast.is_nan() { f32::NAN } else { cut(libm::log(fast / slow)) };
    let (signed, unsigned) = (v.signed.get(10), v.unsigned.get(10));
    row[at::SIGNED_VOLUME] = cut(signed / unsigned);
}

/// `a / b`, 0 where both vanish (a flat stretch has no shape).
fn ratio(a: f64, b: f64) -> f64 {
    if b.abs() < 1e-18 { if a.is_nan() { a } else { 0.0 } } else { a / b }
}

/// Position of `x` in `low..high`, −½ … ½; the middle of an empty range.
fn within(x: f64, low: f64, high: f64) -> f64 {
    if low.is_nan() || high.is_nan() {
        f64::NAN
    } else if high - low <= 0.0 {
        0.0
    } else {
        (x - low) / (high - low) - 0.5
    }
}

/// Weight of a new minute in the five-minute order flow.
pub(super) const OFI_ALPHA: f64 = ALPHA_5;

/// As a cycle's `f32`.
pub(super) fn narrow(x: f64) -> f32 {
    x as f32
}

/// As whole shares, 0 = unknown.
pub(super) fn shares(x: f64) -> u64 {
    #[allow(clippy::cast_sign_loss, reason = "NaN and negative numbers become 0, which means unknown")]
    {
        x as u64
    }
}

/// ln of each row's σ over the cycle's mean σ, for rows that have a bar.
pub(super) fn relative_sigma(cycle: &mut Cycle) {
    let rows = cycle.rows;
    let sum: f64 = cycle.sigma_1m[..rows].iter().map(|s| f64::from(*s)).sum();
    let mean = sum / rows.max(1) as f64;
    for row in 0..rows {
        let known = !cycle.features[row * COLUMNS + at::TIME].is_nan();
        let value = if known { cut(libm::log(f64::from(cycle.sigma_1m[row]) / mean)) } else { f32::NAN };
        cycle.features[row * COLUMNS + at::RELATIVE_SIGMA] = value;
    }
}
