//! Everything that one symbol's closed bars leave behind, updated in O(1) per bar. `columns` reads it; nothing else.

use super::change_point::{ChangePoint, RunTable};
use super::market::Market;
use super::path::{Path, RING};
use super::session::Place;
use super::volatility::{ALPHA_5, ALPHA_10, ALPHA_30, Curves, Ewma, Volatility};
use crate::message::Bar;

/// Wilder's smoothing of 14.
const ALPHA_RSI: f64 = 1.0 / 14.0;
/// A day whose first bar comes later than this minute began unseen: its columns stay unknown.
const FIRST_BAR_MAX: i64 = 5;
/// The last close stands for the session's close if it is at most this many minutes older.
const LAST_BAR_MAX: i64 = 15;
/// Share of a day that must have been seen before its volume can be extrapolated.
const DAY_SHARE_MIN: f64 = 0.02;

/// The session so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Day {
    /// Whether it was seen from its open.
    pub(super) complete: bool,
    pub(super) open: f64,
    pub(super) high: f64,
    pub(super) low: f64,
    pub(super) bars: u32,
    pub(super) sum_log_close: f64,
    /// Σ typical price × volume and Σ volume over bars of known volume.
    pub(super) turnover: f64,
    pub(super) volume: f64,
}

impl Day {
    fn begin(bar: &Bar, of_session: i64) -> Self {
        Self {
            complete: of_session <= FIRST_BAR_MAX,
            open: bar.open.to_f64(),
            high: bar.high.to_f64(),
            low: bar.low.to_f64(),
            bars: 0,
            sum_log_close: 0.0,
            turnover: 0.0,
            volume: 0.0,
        }
    }
}

/// After this many bars of unknown volume in a row the smoothed volumes are unknown too.
const UNKNOWN_VOLUMES_MAX: u32 = 3;

/// Volumes with the time of day taken out. Zero in a bar means unknown: a bar has at least one trade.
#[derive(Clone, Copy, Debug)]
pub(super) struct Volumes {
    /// Volume and share of a typical day seen so far; halved at each new session.
    seen: f64,
    seen_share: f64,
    /// ln of the last bar's volume over what was expected, NaN when unknown.
    pub(super) relative: f64,
    /// Bars since the last one of known volume.
    unknown_bars: u32,
    pub(super) fast: Ewma,
    pub(super) slow: Ewma,
    pub(super) signed: Ewma,
    pub(super) unsigned: Ewma,
}

impl Volumes {
    const fn new() -> Self {
        Self {
            seen: 0.0,
            seen_share: 0.0,
            relative: f64::NAN,
            unknown_bars: 0,
            fast: Ewma::new(ALPHA_5),
            slow: Ewma::new(ALPHA_30),
            signed: Ewma::new(ALPHA_10),
            unsigned: Ewma::new(ALPHA_10),
        }
    }

    /// Average daily volume, shares; NaN when unknown.
    pub(super) fn daily(&self) -> f64 {
        if self.seen_share < DAY_SHARE_MIN || self.seen <= 0.0 { f64::NAN } else { self.seen / self.seen_share }
    }

    /// Whether the smoothed volumes are recent enough to mean anything.
    pub(super) const fn recent(&self) -> bool {
        self.unknown_bars <= UNKNOWN_VOLUMES_MAX
    }

    fn push(&mut self, volume: f64, share: f64, step: f64) {
        let daily = self.daily();
        self.relative = f64::NAN;
        if volume <= 0.0 {
            self.unknown_bars = self.unknown_bars.saturating_add(1);
            return;
        }
        self.unknown_bars = 0;
        if !daily.is_nan() {
            self.relative = libm::log(volume / (daily * share));
        }
        self.seen += volume;
        self.seen_share += share;
        let rate = volume / share;
        self.fast.push(rate);
        self.slow.push(rate);
        let sign = f64::from(i8::from(step > 0.0) - i8::from(step < 0.0));
        self.signed.push(sign * rate);
        self.unsigned.push(rate);
    }
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(super) struct Rolling {
    pub(super) path: Path,
    pub(super) volatility: Volatility,
    pub(super) day: Day,
    pub(super) volumes: Volumes,
    pub(super) gains: Ewma,
    pub(super) losses: Ewma,
    pub(super) change: ChangePoint,
    /// Overnight log return into this session, NaN when the session before is unknown.
    pub(super) gap: f64,
    pub(super) last: Bar,
    /// Place of the last bar, `None` before the first.
    pub(super) place: Option<Place>,
}

impl Rolling {
    pub(super) fn new() -> Self {
        Self {
            path: Path::new(),
            volatility: Volatility::new(),
            day: Day::begin(&Bar::default(), i64::MAX),
            volumes: Volumes::new(),
            gains: Ewma::new(ALPHA_RSI),
            losses: Ewma::new(ALPHA_RSI),
            change: ChangePoint::new(),
            gap: f64::NAN,
            last: Bar::default(),
            place: None,
        }
    }

    /// Takes the bar at `place`. Returns the log move since the last bar (since its own open when it is a
    /// session's first) and the minutes that it spans; `None` when the bar is not newer than the last one and was
    /// ignored.
    pub(super) fn apply(&mut self, place: Place, bar: &Bar, curves: &Curves) -> Option<(f64, i64)> {
        let old = self.place;
        match old {
            Some(p) if place.minute <= p.minute => return None,
            Some(p) if place.session - p.session > 1 => self.reset(),
            _ => {}
        }
        let new_session = self.place.is_none_or(|p| p.session != place.session);
        let close = bar.close.to_f64();
        let (from, minutes) = match self.place {
            Some(p) if !new_session => (self.last.close.to_f64(), place.minute - p.minute),
            _ => (bar.open.to_f64(), 1),
        };
        let step = libm::log(close / from);
        if new_session {
            self.begin_session(place, bar);
        }
        let curve = curves.sigma(place.of_session, place.session_minutes);
        let log_range = libm::log(bar.high.to_f64() / bar.low.to_f64());
        let sigma = self.volatility.sigma(curve);
        self.volatility.push(step, minutes, curve, log_range);
        self.gains.push(step.max(0.0));
        self.losses.push((-step).max(0.0));
        let span = self.path.push(place.minute, step, sigma);
        self.update_day(bar);
        self.volumes.push(bar.volume as f64, curves.volume_share(place.of_session, place.session_minutes), step);
        self.last = *bar;
        self.place = Some(place);
        Some((step, span))
    }

    /// Brings the change-point posterior up to `place`, all of whose bars are in `market`. A live start later than a
    /// ring of minutes into the session sees only that much of it.
    pub(super) fn detect_change(&mut self, place: Place, market: &Market, table: &RunTable) {
        let path = &self.path;
        let span = (place.minute - place.of_session, place.minute, RING as i64 - 1);
        self.change.catch_up(table, place.session, span, |m| (path.ret(m) - market.mean_at(m)) / path.sigma(m));
    }

    /// Forgets everything: more than one session was missed.
    fn reset(&mut self) {
        *self = Self::new();
    }

    fn begin_session(&mut self, place: Place, bar: &Bar) {
        self.gap = match self.place {
            Some(p) if p.session_minutes - 1 - p.of_session <= LAST_BAR_MAX && place.of_session <= FIRST_BAR_MAX => {
                libm::log(bar.open.to_f64() / self.last.close.to_f64())
            }
            _ => f64::NAN,
        };
        self.volumes.seen *= 0.5;
        self.volumes.seen_share *= 0.5;
        self.day = Day::begin(bar, place.of_session);
    }

    fn update_day(&mut self, bar: &Bar) {
        let day = &mut self.day;
        let (high, low, close) = (bar.high.to_f64(), bar.low.to_f64(), bar.close.to_f64());
        day.high = day.high.max(high);
        day.low = day.low.min(low);
        day.bars += 1;
        day.sum_log_close += libm::log(close);
        let volume = bar.volume as f64;
        day.turnover += (high + low + close) / 3.0 * volume;
        day.volume += volume;
    }
}
