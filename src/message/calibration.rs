//! What decision must know of a zoo: how to standardise each score, and what a standardised score was worth. Plain
//! data: it is copied, and travels with the first cycle of a zoo that was swapped in.

use crate::domain::{Family, Horizon};

/// See the module's documentation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// Mean and standard deviation of each family's score per horizon, `None` = the zoo has no such model.
    pub scales: [[Option<ScoreScale>; Horizon::COUNT]; Family::COUNT],
    /// Expected return in σ√h per unit of the combined score; 0 = worth nothing.
    pub slope: [f32; Horizon::COUNT],
}

/// Location and scale of a model's raw score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreScale {
    /// Mean on the training days.
    pub mean: f32,
    /// Standard deviation on the training days, > 0.
    pub std: f32,
}
