//! Orders and positions: the lifecycle of one order, the book of all of them, and the reconciler that turns
//! doubt into proof.

mod book;
mod codes;
mod executions;
mod exposure;
mod external;
pub mod lifecycle;
mod order;
mod order_reconciler;
mod position;
mod table;

pub use book::{Book, BookLimits, FillOutcome, is_notable};
pub use codes::{CodeClass, classify};
pub use executions::{ExecutionTable, Seen, split_exec_id};
pub use exposure::{Exposure, Freeze, LiveOrders};
pub use external::{ExternalOrder, ExternalTable};
pub use lifecycle::{Effect, State, Trigger, mermaid, step};
pub use order::{Order, Pending};
pub use order_reconciler::{OrderReconciler, Proof, ROUND, ReconcileStep};
pub use position::Position;
pub use table::{OrderTable, TableFull};
