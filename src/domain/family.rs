//! The sixteen model families, and the four events that barrier models give chances of.

/// A model family. The order is fixed: it is the column order of predictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are the documentation")]
pub enum Family {
    LightGbm,
    XgBoost,
    Mlp,
    TabCnn,
    TabLstm,
    TabTransformer,
    RewardBased,
    QuantileLightGbm,
    NgBoost,
    GmmRegime,
    ChangePoint,
    FtrlProximal,
    Vae,
    Gan,
    Ensemble,
    MetaLearning,
}

impl Family {
    /// How many there are.
    pub const COUNT: usize = 16;
    /// All, in column order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::LightGbm,
        Self::XgBoost,
        Self::Mlp,
        Self::TabCnn,
        Self::TabLstm,
        Self::TabTransformer,
        Self::RewardBased,
        Self::QuantileLightGbm,
        Self::NgBoost,
        Self::GmmRegime,
        Self::ChangePoint,
        Self::FtrlProximal,
        Self::Vae,
        Self::Gan,
        Self::Ensemble,
        Self::MetaLearning,
    ];

    /// Position in [`Family::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its name in manifests and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LightGbm => "light_gbm",
            Self::XgBoost => "xg_boost",
            Self::Mlp => "mlp",
            Self::TabCnn => "tab_cnn",
            Self::TabLstm => "tab_lstm",
            Self::TabTransformer => "tab_transformer",
            Self::RewardBased => "reward_based",
            Self::QuantileLightGbm => "quantile_light_gbm",
            Self::NgBoost => "ng_boost",
            Self::GmmRegime => "gmm_regime",
            Self::ChangePoint => "change_point",
            Self::FtrlProximal => "ftrl_proximal",
            Self::Vae => "vae",
            Self::Gan => "gan",
            Self::Ensemble => "ensemble",
            Self::MetaLearning => "meta_learning",
        }
    }

    /// The family of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.name() == name)
    }
}

/// An event of the next five minutes, by the triple barrier method (López de Prado 2018, ch. 3): which of two barriers,
/// in units of σ√5, the price touches first. The `Y` events have the two widths exchanged. A time-out is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Barrier {
    /// The lower barrier (1.0) before the upper (1.5).
    WillPeak5m,
    /// The upper barrier (1.0) before the lower (1.5).
    WillValley5m,
    /// The lower barrier (1.5) before the upper (1.0).
    YWillPeak5m,
    /// The upper barrier (1.5) before the lower (1.0).
    YWillValley5m,
}

impl Barrier {
    /// How many there are.
    pub const COUNT: usize = 4;
    /// All, in column order.
    pub const ALL: [Self; Self::COUNT] = [Self::WillPeak5m, Self::WillValley5m, Self::YWillPeak5m, Self::YWillValley5m];

    /// Its name in manifests and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WillPeak5m => "will_peak_5m",
            Self::WillValley5m => "will_valley_5m",
            Self::YWillPeak5m => "y_will_peak_5m",
            Self::YWillValley5m => "y_will_valley_5m",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_serde_reads() {
        for family in Family::ALL {
            assert_eq!(serde_json::to_value(family).unwrap(), family.name());
            assert_eq!(Family::from_name(family.name()), Some(family));
        }
    }
}
