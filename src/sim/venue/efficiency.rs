//! IB's order-efficiency ratio: (submits + revisions + cancels) / (executed orders + 1). Above 20 it is excessive
//! (documented by IB).

/// What counts towards the ratio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Efficiency {
    /// New orders, what-ifs left out.
    pub submits: u64,
    /// Modifications.
    pub revisions: u64,
    /// Requests to cancel.
    pub cancels: u64,
    /// Orders that filled at least one share.
    pub executed: u64,
}

impl Efficiency {
    /// The ratio.
    pub fn ratio(&self) -> f64 {
        (self.submits + self.revisions + self.cancels) as f64 / (self.executed + 1) as f64
    }
}
