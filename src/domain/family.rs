//! The sixteen model families.

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
}
