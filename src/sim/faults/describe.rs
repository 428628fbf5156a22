//! What kind a request or an answer is, and the texts by which a fault may choose among its kind.

use super::When;
use crate::sim::api::{ConnId, Contract, Outgoing, Request, Response};
use crate::sim::market::Reference;

/// What struck: the connection and the order, if any.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Origin {
    pub(super) conn: Option<ConnId>,
    /// The order's or the request's id.
    pub(super) id: i32,
    pub(super) perm: i64,
}

/// A message as faults see it.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) kinds: Vec<When>,
    /// What `only` may name.
    pub(super) texts: Vec<String>,
    pub(super) origin: Origin,
}

/// The symbols that the venue knows: contracts may be named by their number alone.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(Vec<(i32, String, String)>);

impl Names {
    pub(super) fn of(references: &[Reference]) -> Self {
        Self(references.iter().map(|r| (r.con_id.0, r.symbol.clone(), r.primary_exchange.clone())).collect())
    }

    /// A contract's symbol and primary exchange.
    pub(super) fn texts(&self, c: &Contract) -> Vec<String> {
        let found = self.0.iter().find(|(id, symbol, _)| *id == c.con_id || (c.con_id == 0 && *symbol == c.symbol));
        match found {
            Some((_, symbol, exchange)) => vec![symbol.clone(), exchange.clone()],
            None => vec![c.symbol.clone()],
        }
    }
}

/// A request; `is_new` says whether an order of its id was not placed before.
pub(super) fn request(conn: ConnId, request: &Request, is_new: bool, names: &Names) -> Seen {
    let mut texts = Vec::new();
    let (kind, id) = match request {
        Request::StartApi { .. } => (Some(When::Start), 0),
        Request::PlaceOrder { contract, order } => {
            texts = names.texts(contract);
            texts.extend(order.action.map(|side| side.as_str().to_string()));
            texts.push(order.order_type.clone());
            let kind = match (order.what_if, is_new) {
                (true, _) => When::WhatIf,
                (false, true) => When::Order,
                (false, false) => When::Modify,
            };
            (Some(kind), order.order_id)
        }
        Request::CancelOrder { order_id } => (Some(When::Cancel), *order_id),
        Request::ReqOpenOrders | Request::ReqAllOpenOrders => (Some(When::OpenOrders), 0),
        Request::ReqCompletedOrders { .. } => (Some(When::CompletedOrders), 0),
        Request::ReqExecutions { req_id, .. } => (Some(When::Executions), *req_id),
        Request::ReqPositions => (Some(When::Positions), 0),
        Request::ReqMktData { req_id, contract, .. } => {
            texts = names.texts(contract);
            (Some(When::MarketData), *req_id)
        }
        Request::ReqContractDetails { req_id, contract } => {
            texts = names.texts(contract);
            (Some(When::ContractDetails), *req_id)
        }
        Request::ReqHistoricalData { req_id, contract, .. } => {
            texts = names.texts(contract);
            (Some(When::History), *req_id)
        }
        Request::ReqCurrentTime => (Some(When::CurrentTime), 0),
        Request::ReqAccountUpdates { .. } => (Some(When::Account), 0),
        Request::ReqAccountSummary { req_id, .. } => (Some(When::Account), *req_id),
        Request::ReqIds => (Some(When::Ids), 0),
        _ => (None, 0),
    };
    // The first word of a connection is no message of a client yet.
    let message = (kind != Some(When::Start)).then_some(When::Message);
    Seen { kinds: kind.into_iter().chain(message).collect(), texts, origin: Origin { conn: Some(conn), id, perm: 0 } }
}

/// An answer; `line` is the contract's texts of the market-data line that it belongs to.
pub(super) fn answer(o: &Outgoing, line: &[String]) -> Seen {
    let mut origin = Origin { conn: Some(o.conn), ..Origin::default() };
    let (kind, texts) = match &o.response {
        Response::Disconnect | Response::Wire(_) => return Seen { origin, ..Seen::default() },
        Response::ExecutionDetails { req_id, contract, execution } => {
            (origin.id, origin.perm) = (execution.order_id, execution.perm_id);
            let kind = if *req_id == -1 { When::Fill } else { When::Execution };
            (Some(kind), vec![execution.side.clone(), contract.symbol.clone()])
        }
        Response::CommissionReport { .. } => (Some(When::Commission), Vec::new()),
        Response::OrderStatus { status, order_id, perm_id, .. } => {
            (origin.id, origin.perm) = (*order_id, *perm_id);
            (Some(When::Status), vec![status.clone()])
        }
        Response::OpenOrder { order, .. } if order.what_if => (Some(When::WhatIfAnswer), Vec::new()),
        Response::OpenOrder { contract, order, state } => {
            (origin.id, origin.perm) = (order.order_id, order.perm_id);
            (Some(When::OpenOrder), vec![state.status.clone(), contract.symbol.clone()])
        }
        Response::Position { contract, .. } | Response::PortfolioValue { contract, .. } => {
            (Some(When::AccountRow), vec![contract.symbol.clone()])
        }
        Response::AccountValue { key: name, .. } | Response::AccountSummary { tag: name, .. } => {
            (Some(When::AccountRow), vec![name.clone()])
        }
        Response::Pnl { .. } | Response::PnlSingle { .. } => (Some(When::Pnl), Vec::new()),
        Response::CurrentTime { .. } => (Some(When::Clock), Vec::new()),
        Response::NextValidId { .. } => (Some(When::NextId), Vec::new()),
        Response::ContractData { details, .. } => (Some(When::Contract), vec![details.contract.symbol.clone()]),
        Response::HistoricalData { .. } => (Some(When::Bars), Vec::new()),
        Response::Error { code, .. } => (Some(When::Error), vec![code.to_string()]),
        other => match (list_ended(other), tick_of(other)) {
            (Some(list), _) => (Some(When::ListEnd), vec![list.to_string()]),
            (None, Some((_, kind))) => {
                let texts = line.iter().cloned().chain([kind]).collect();
                (Some(When::Tick), texts)
            }
            (None, None) => (None, Vec::new()),
        },
    };
    Seen { kinds: kind.into_iter().chain([When::Answer]).collect(), texts, origin }
}

/// The list that an answer ends.
const fn list_ended(r: &Response) -> Option<&'static str> {
    Some(match r {
        Response::OpenOrderEnd => "open_orders",
        Response::CompletedOrdersEnd => "completed_orders",
        Response::ExecutionDetailsEnd { .. } => "executions",
        Response::PositionEnd => "positions",
        Response::AccountSummaryEnd { .. } | Response::AccountDownloadEnd { .. } => "account",
        Response::HistoricalDataEnd { .. } => "history",
        Response::ContractDataEnd { .. } => "contract",
        _ => return None,
    })
}

/// A tick's request id and the text of its type; the parameters of a line count as one.
pub(super) fn tick_of(r: &Response) -> Option<(i32, String)> {
    match r {
        Response::TickPrice { req_id, tick_type, .. }
        | Response::TickSize { req_id, tick_type, .. }
        | Response::TickGeneric { req_id, tick_type, .. }
        | Response::TickString { req_id, tick_type, .. } => Some((*req_id, tick_type.to_string())),
        Response::TickReqParams { req_id, .. } => Some((*req_id, "parameters".to_string())),
        _ => None,
    }
}
