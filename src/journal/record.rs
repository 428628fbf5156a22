//! What the journal keeps: one struct per record type, with a stable number and a fixed layout (`codec.rs`). These
//! are the journal's own types: the messages between stages may change, what is on disk may not. A changed layout
//! takes a new number. Acknowledgements are `OrderState` records (to ACKED, with the broker's id).

use super::codec::{In, Out, Wire};
use crate::clock::SessionTime;
use crate::domain::calendar::Date;
use crate::domain::{
    ClientId, ConId, ConnEpoch, DecisionId, Money, OrderId, PermId, Price, ProcessEpoch, Qty, Side, SymbolId, Text,
};

macro_rules! records {
    ($($(#[$doc:meta])* $name:ident = $kind:literal { $($(#[$fdoc:meta])* $field:ident : $t:ty),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq)]
            pub struct $name {
                /// When it happened, session time.
                pub at: SessionTime,
                $($(#[$fdoc])* pub $field: $t,)*
            }

            impl From<$name> for Record {
                fn from(r: $name) -> Self {
                    Self::$name(r)
                }
            }
        )*

        /// Any record.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Record {
            $($(#[$doc])* $name($name),)*
        }

        impl Record {
            /// Its number.
            pub const fn kind(&self) -> u16 {
                match self { $(Self::$name(_) => $kind,)* }
            }

            /// Its name.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name),)* }
            }

            /// When it happened.
            pub const fn at(&self) -> SessionTime {
                match self { $(Self::$name(r) => r.at,)* }
            }

            /// Writes its layout; `None` when it does not fit.
            pub fn encode(&self, bytes: &mut [u8]) -> Option<usize> {
                let mut out = Out::new(bytes);
                match self {
                    $(Self::$name(r) => {
                        r.at.put(&mut out);
                        $(r.$field.put(&mut out);)*
                    })*
                }
                out.finish()
            }

            /// Reads a record of this number; `None` = unknown number, wrong length or meaningless bytes.
            pub fn decode(kind: u16, bytes: &[u8]) -> Option<Self> {
                let mut from = In::new(bytes);
                let record = match kind {
                    $($kind => Self::$name($name {
                        at: Wire::get(&mut from)?,
                        $($field: Wire::get(&mut from)?,)*
                    }),)*
                    _ => return None,
                };
                from.is_done().then_some(record)
            }
        }
    };
}

/// What a send was about.
pub mod what {
    /// A new order.
    pub const NEW: u8 = 0;
    /// New terms.
    pub const MODIFY: u8 = 1;
    /// A cancel.
    pub const CANCEL: u8 = 2;
}

/// Why something was withdrawn instead of sent.
pub mod why {
    /// The panic latch was set.
    pub const LATCH: u8 = 1;
    /// Another connection.
    pub const EPOCH: u8 = 2;
    /// Too old.
    pub const TTL: u8 = 3;
    /// The queue was full.
    pub const QUEUE: u8 = 4;
    /// The journal is poisoned.
    pub const POISONED: u8 = 5;
    /// Cancelled before it was sent.
    pub const CANCELLED: u8 = 6;
    /// The socket refused before anything was written.
    pub const REFUSED: u8 = 7;
    /// An order with a higher id was written first.
    pub const OVERTAKEN: u8 = 8;
    /// Their names, by number.
    pub const NAMES: [&str; 9] = [
        "",
        "panic latch",
        "another connection",
        "too old",
        "queue full",
        "journal poisoned",
        "cancelled before it was sent",
        "refused by the socket",
        "overtaken by a higher id",
    ];
}

records! {
    /// A process begins over this journal.
    SessionStart = 1 {
        /// Its epoch.
        process_epoch: ProcessEpoch,
        /// The trade client.
        client: ClientId,
        /// Trading day.
        date: Date,
        /// Profile of the settings.
        profile: Text<32>,
        /// The broker's account.
        account: Text<16>,
        /// Hash of the settings.
        config_hash: u64,
    }
    /// A symbol of the session: session indices mean nothing in another session.
    Symbol = 2 {
        /// Index in this session.
        symbol: SymbolId,
        /// The broker's contract.
        con_id: ConId,
        /// Ticker.
        ticker: Text<16>,
    }
    /// An order that may be sent.
    Intent = 3 {
        /// Its id.
        order_id: OrderId,
        /// Symbol.
        symbol: SymbolId,
        /// Side.
        side: Side,
        /// Shares.
        qty: Qty,
        /// Limit, zero = market.
        limit: Price,
        /// Time in force: 0 DAY, 1 GTD, 2 IOC, 3 GTC.
        tif: u8,
        /// Expiry of a GTD order.
        tif_until: SessionTime,
        /// Reference at the broker.
        order_ref: Text<38>,
        /// Number of the intent.
        intent: u64,
        /// The decision behind it.
        decision: DecisionId,
        /// Stamp of the market event behind it.
        cause_at: SessionTime,
        /// Not sent at or after this.
        ttl: SessionTime,
        /// The only connection.
        epoch: ConnEpoch,
        /// Mid when it was made.
        arrival: Price,
        /// Whether it can only reduce a position.
        reduces: bool,
    }
    /// New terms that may be sent.
    Modify = 4 {
        /// The order.
        order_id: OrderId,
        /// New total shares.
        qty: Qty,
        /// New limit.
        limit: Price,
        /// As in `Intent`.
        tif: u8,
        /// As in `Intent`.
        tif_until: SessionTime,
        /// The only connection.
        epoch: ConnEpoch,
        /// Whether it waited for the disk.
        raises: bool,
    }
    /// A cancel on its way.
    Cancel = 5 {
        /// The order.
        order_id: OrderId,
        /// The broker's id.
        perm_id: PermId,
        /// The only connection.
        epoch: ConnEpoch,
    }
    /// The socket write begins.
    SendBegin = 6 {
        /// The order.
        order_id: OrderId,
        /// See [`what`].
        what: u8,
        /// On which connection.
        epoch: ConnEpoch,
    }
    /// The socket write returned.
    Sent = 7 {
        /// The order.
        order_id: OrderId,
        /// See [`what`].
        what: u8,
        /// On which connection.
        epoch: ConnEpoch,
    }
    /// Nothing was written.
    Withdrawn = 8 {
        /// The order.
        order_id: OrderId,
        /// See [`what`].
        what: u8,
        /// See [`why`].
        why: u8,
    }
    /// An order moved.
    OrderState = 9 {
        /// The order.
        order_id: OrderId,
        /// The broker's id.
        perm_id: PermId,
        /// Symbol.
        symbol: SymbolId,
        /// `State` before.
        from: u8,
        /// `State` after.
        to: u8,
        /// `Trigger`.
        trigger: u8,
        /// `Effect`.
        effect: u8,
    }
    /// A fill was applied.
    Execution = 10 {
        /// Its id.
        exec_id: Text<46>,
        /// Its order.
        order_id: OrderId,
        /// Whose order.
        client: ClientId,
        /// The broker's id of the order.
        perm_id: PermId,
        /// Symbol.
        symbol: SymbolId,
        /// Side.
        side: Side,
        /// Shares.
        qty: Qty,
        /// Price.
        price: Price,
        /// The order's filled shares.
        cumulative: Qty,
        /// The broker's time.
        broker_time: Option<SessionTime>,
        /// Reference of the order.
        order_ref: Text<38>,
        /// Whether it replaces an earlier version.
        correction: bool,
        /// Whether it is foreign.
        external: bool,
        /// Own shares held afterwards.
        position: Qty,
        /// Mid when the child was made.
        arrival: Price,
    }
    /// A commission was booked.
    Commission = 11 {
        /// Its fill.
        exec_id: Text<46>,
        /// Commission and fees.
        commission: Money,
        /// Realised P&L, by the broker.
        realized: Option<Money>,
    }
    /// A position, for a reader: recovery counts executions.
    Position = 12 {
        /// Symbol.
        symbol: SymbolId,
        /// Shares held.
        filled: Qty,
        /// Their signed cost.
        basis: Money,
        /// Cash of the day's fills.
        cash_flow: Money,
        /// Realised P&L of the day.
        realized: Money,
        /// Commissions of the day.
        commissions: Money,
    }
    /// Account rows.
    Equity = 13 {
        /// NetLiquidation.
        net_liquidation: Money,
        /// TotalCashValue.
        cash: Option<Money>,
    }
    /// A target was taken.
    Target = 14 {
        /// The decision.
        decision: DecisionId,
        /// Symbol.
        symbol: SymbolId,
        /// Shares to hold.
        net: Qty,
        /// Mid at the decision.
        arrival: Price,
        /// Edge after cost, bps.
        net_edge_bps: f32,
        /// Minutes of the horizon, 0 = none.
        horizon_minutes: u8,
        /// 0 passive, 1 normal, 2 cross.
        urgency: u8,
        /// 0 enter, 1 exit, 2 flatten.
        cause: u8,
        /// Stamp of the market event behind it.
        cause_at: SessionTime,
    }
    /// The mode changed.
    Mode = 15 {
        /// 0 live, 1 degraded, 2 observe, 3 emergency.
        mode: u8,
    }
    /// Trading armed or disarmed, in effect.
    Armed = 16 {
        /// Whether new exposure is possible.
        armed: bool,
        /// 0 = no control said why; else the `DisarmReason` plus one.
        reason: u8,
    }
    /// A short-sale restriction triggered.
    Ssr = 17 {
        /// Symbol.
        symbol: SymbolId,
        /// Last day.
        until: Date,
    }
    /// A guard refused.
    Reject = 18 {
        /// Symbol.
        symbol: SymbolId,
        /// Side.
        side: Side,
        /// Shares.
        qty: Qty,
        /// Limit.
        limit: Price,
        /// The decision.
        decision: DecisionId,
        /// Number of the `Reject`.
        reason: u8,
    }
    /// Something for a person. Kinds: see `convert.rs`.
    Alert = 19 {
        /// Kind.
        alert: u8,
        /// Order id or symbol.
        subject: i64,
        /// First figure.
        first: i64,
        /// Second figure.
        second: i64,
    }
    /// The process ended in order.
    SessionEnd = 20 {
        /// Executions of the session.
        executions: u64,
        /// Cash of its fills.
        cash_flow: Money,
        /// Its commissions.
        commissions: Money,
    }
}
