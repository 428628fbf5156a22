//! The vocabulary of the market: fixed-point price, quantity, money, ids, instruments, calendar, horizons and
//! families. Pure values, no I/O. `sim/` and the trader share nothing else but `clock/`.

pub mod calendar;
pub mod family;
pub mod horizon;
pub mod ids;
pub mod instrument;
pub mod order;
pub mod price;
pub mod text;

pub use family::{Barrier, Family};
pub use horizon::Horizon;
pub use ids::{ClientId, ConId, ConnEpoch, DecisionId, OrderId, PermId, ProcessEpoch, SymbolId};
pub use instrument::{Instrument, TickRule};
pub use order::{OrderKind, Side, Tif};
pub use price::{Money, Price, Qty};
pub use text::Text;
