//! The guards' token. It carries exactly the intent that was checked; nothing outside `routing::guards` can make,
//! copy or change one.
//!
//! ```compile_fail
//! use ibkr_trader::routing::{Approved, ExposureClass, Intent};
//! fn forge(intent: Intent) -> Approved {
//!     Approved { intent, class: ExposureClass::Raises } // private fields: E0451
//! }
//! ```
//!
//! ```compile_fail
//! use ibkr_trader::routing::Approved;
//! fn send_twice(a: &Approved) -> Approved {
//!     a.clone() // no Clone: E0308
//! }
//! ```

use crate::routing::facts::Intent;

/// What the guards found the intent to do to the worst case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExposureClass {
    /// It may raise exposure.
    Raises,
    /// It can only reduce a position that is held.
    Reduces,
    /// It is a cancel.
    Cancels,
}

/// An intent that passed every guard that applies to it.
#[derive(Debug)]
pub struct Approved {
    intent: Intent,
    class: ExposureClass,
}

impl Approved {
    pub(super) const fn new(intent: Intent, class: ExposureClass) -> Self {
        Self { intent, class }
    }

    /// What was approved.
    pub const fn intent(&self) -> &Intent {
        &self.intent
    }

    /// What it does to exposure.
    pub const fn class(&self) -> ExposureClass {
        self.class
    }

    /// Whether it may raise exposure.
    pub const fn raises_exposure(&self) -> bool {
        matches!(self.class, ExposureClass::Raises)
    }
}
