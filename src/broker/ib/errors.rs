//! The project's own table of TWS codes: code → class → reaction. Owns no state. Sources: IB's "message codes"
//! list and codes recorded on real gateways; where they disagree, the recordings hold. A code that isn't listed is
//! an unknown matter of whatever it is bound to, never a reason to end a stream or an order by itself.

/// What a code is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Nothing to do.
    Info,
    /// Something to count and show; ends nothing.
    Warning,
    /// The broker refused an order or a modification.
    OrderRefused,
    /// An order is cancelled.
    OrderCancelled,
    /// An answer about a cancel, never about the order's own end.
    CancelAnswer,
    /// The data of a farm.
    Farm,
    /// The gateway's link to IB, or ours to the gateway.
    Link,
    /// Message pacing.
    Pacing,
    /// One market data line.
    Line,
    /// One request other than an order.
    Request,
    /// The account.
    Account,
    /// Not in the table.
    Unlisted,
}

/// What the adapter does about a code. Codes bound to an order are always passed on to routing as well, which has
/// its own say over the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Nothing.
    None,
    /// Tell routing.
    Tell,
    /// The gateway lost IB: freeze new risk, keep processing fills, keep the socket.
    LinkLost,
    /// IB is back and data is gone: resubscribe every line, reconcile.
    ResubscribeAll,
    /// IB is back with data: reconcile anyway.
    Reconcile,
    /// The socket is of no use: take it down and connect anew.
    Reconnect,
    /// A farm is broken: quotes are suspect, the socket stays.
    DataSuspect,
    /// A farm is back: quotes count again only after fresh ticks.
    DataVerify,
    /// Another session took the data: observe only, and try the line again later.
    Competing,
    /// Tell the operator and stop increasing exposure.
    PageMargin,
    /// The symbol gets no line.
    NoLine,
    /// The line allowance is smaller than configured: use no more lines than now.
    ShrinkLines,
    /// Try the line again later.
    RetryLine,
    /// Too many messages: slow down.
    BackOff,
}

/// Class and reaction of a TWS code.
pub const fn of(code: i32) -> (Class, Reaction) {
    use Class as C;
    use Reaction as R;
    match code {
        // Our synthetic and ibapi's own negative codes, and notices without a code.
        i32::MIN..=0 => (C::Warning, R::None),
        100 => (C::Pacing, R::BackOff),
        101 => (C::Line, R::ShrinkLines),
        103 | 104 | 105 | 106 | 107 | 110 | 163 | 200 | 201 | 203 | 321 | 329 | 460 | 10_052 | 10_147 | 10_148
        | 10_255 | 10_256 => order_or_request(code),
        161 => (C::CancelAnswer, R::Tell),
        162 | 165 | 166 | 366 | 2_188 => (C::Request, R::None),
        202 => (C::OrderCancelled, R::Tell),
        300 | 310 | 316 | 317 | 354 | 420 | 10_089 | 10_090 | 10_091 | 10_092 | 10_168 | 10_186 => line(code),
        326 | 502 | 504 | 507 | 1_300 => (C::Link, R::Reconnect),
        // Warnings on orders: held for a locate, deferred to the open, TIF by preset, price capped, and the like.
        399 | 404 | 10_349 | 2_109 | 2_137 | 2_161 | 2_168 | 2_169 => (C::Warning, R::Tell),
        1_100 | 2_110 => (C::Link, R::LinkLost),
        1_101 => (C::Link, R::ResubscribeAll),
        1_102 => (C::Link, R::Reconcile),
        // Which farms count is a setting: ticks don't come from the farms of history and of contract data.
        2_103 | 2_105 | 2_157 => (C::Farm, R::DataSuspect),
        2_104 | 2_106 | 2_158 => (C::Farm, R::DataVerify),
        2_107 | 2_108 | 2_119 => (C::Farm, R::None),
        2_148 => (C::Account, R::PageMargin),
        2_100..=2_199 => (C::Warning, R::None),
        10_167 => (C::Warning, R::None),
        10_182 => (C::Line, R::RetryLine),
        10_197 => (C::Line, R::Competing),
        _ => (C::Unlisted, R::Tell),
    }
}

const fn order_or_request(code: i32) -> (Class, Reaction) {
    match code {
        10_147 | 10_148 => (Class::CancelAnswer, Reaction::Tell),
        _ => (Class::OrderRefused, Reaction::Tell),
    }
}

const fn line(code: i32) -> (Class, Reaction) {
    match code {
        // Partial entitlement (10090) and a depth reset (317) leave the stream as it is.
        317 | 10_090 => (Class::Warning, Reaction::None),
        300 | 310 | 316 => (Class::Request, Reaction::None),
        _ => (Class::Line, Reaction::NoLine),
    }
}

/// What happens to a market data line whose stream ended or was warned about with `code`.
pub const fn for_line(code: i32) -> Reaction {
    match of(code) {
        (Class::Line, reaction) => reaction,
        // No such contract: asking again can't help.
        (Class::OrderRefused, _) => Reaction::NoLine,
        // A pacing breach or an unlisted error ended the stream: try again later.
        (Class::Pacing | Class::Unlisted | Class::Request | Class::Link, _) => Reaction::RetryLine,
        (
            Class::Info | Class::Warning | Class::OrderCancelled | Class::CancelAnswer | Class::Farm | Class::Account,
            _,
        ) => Reaction::None,
    }
}

/// The farm that a farm notice names (`Market data farm connection is broken:usfarm`).
pub fn farm(message: &str) -> &str {
    message.rsplit_once(':').map_or("", |(_, name)| name.trim())
}

#[cfg(test)]
#[path = "errors_tests.rs"]
mod tests;
