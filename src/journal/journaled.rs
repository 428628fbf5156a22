//! The journal's token: a command that is in the journal, and durable if it may raise exposure. The sender takes
//! nothing else, and nothing outside `journal` can make one.
//!
//! ```compile_fail
//! use ibkr_trader::journal::Journaled;
//! use ibkr_trader::routing::Command;
//! fn forge(command: Command) -> Journaled {
//!     Journaled { command, seq: 1 } // private fields: E0451
//! }
//! ```
//!
//! ```compile_fail
//! use ibkr_trader::journal::{Journaled, OrderWriter};
//! use ibkr_trader::routing::Approved;
//! fn skip_the_journal<W: OrderWriter>(writer: &mut W, order: &Approved) {
//!     let _ = writer.submit(order); // wants a Journaled: E0308
//! }
//! ```

use crate::domain::{OrderId, PermId};
use crate::message::OrderTerms;
use crate::routing::{Command, Intent};

/// A command that may be sent.
#[derive(Debug)]
pub struct Journaled {
    command: Command,
    seq: u64,
}

impl Journaled {
    pub(super) const fn new(command: Command, seq: u64) -> Self {
        Self { command, seq }
    }

    /// The command.
    pub const fn command(&self) -> &Command {
        &self.command
    }

    /// The intent behind it.
    pub const fn intent(&self) -> &Intent {
        self.command.approved().intent()
    }

    /// The terms to send.
    pub const fn terms(&self) -> &OrderTerms {
        &self.intent().terms
    }

    /// The order.
    pub const fn order_id(&self) -> OrderId {
        self.terms().order_id
    }

    /// The broker's id, for a cancel; 0 = not told.
    pub const fn perm_id(&self) -> PermId {
        match &self.command {
            Command::Cancel { perm_id, .. } => *perm_id,
            Command::New(_) | Command::Modify(_) | Command::Reduce(_) => PermId(0),
        }
    }

    /// Number of its frame.
    pub const fn seq(&self) -> u64 {
        self.seq
    }
}

/// What the journal thread hands to the sender thread.
#[derive(Debug)]
pub enum Release {
    /// Send it.
    Send(Journaled),
    /// The broker answered for this order: it is unacknowledged no more.
    Settled(OrderId),
}
