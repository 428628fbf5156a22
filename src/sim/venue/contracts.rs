//! Which contracts this gateway knows, and how it writes them.

use super::core::Core;
use crate::domain::{Price, SymbolId};
use crate::sim::api::{Contract, ContractDetails};
use crate::sim::market::Reference;
use crate::sim::market::quoted::{Kind, QUOTED, Quoted};

/// Exchanges a US stock is routed to; the market rules stand in the same order.
const VALID_EXCHANGES: &str = "SMART,AMEX,NYSE,CBOE,PHLX,ISE,CHX,ARCA,NASDAQ,DRCTEDGE,BEX,BATS,EDGEA,BYX,IEX,EDGX,FOXRIVER,\
                               PEARL,NYSENAT,LTSE,MEMX,IBEOS,OVERNIGHT,TPLUS0,PSX";
/// Order types this gateway takes, in IB's spelling.
const ORDER_TYPES: &str = "ADJUST,ALGO,AON,COND,CONDORDER,DAY,FOK,GAT,GTC,GTD,ICE,IOC,LIT,LMT,LOC,MIDPX,MIT,MKT,MOC,MTL,\
                           NONALGO,OCA,OPG,PEGMID,REL,RELPCTOFS,RTH,SCALE,STP,STPLMT,SWEEP,TRAIL,TRAILLMT,WHATIF";
/// As recorded of EUR.USD.
const PAIR_ORDER_TYPES: &str = "ACTIVETIM,AD,ADJUST,ALERT,ALGO,ALLOC,AVGCOST,BASKET,BENCHPX,CASHQTY,COND,CONDORDER,DAY,DEACT,\
                                DEACTDIS,DEACTEOD,GAT,GTC,GTD,GTT,HID,IOC,LIT,LMT,MIT,MKT,NONALGO,OCA,REL,RELPCTOFS,\
                                SCALE,SCALERST,STP,STPLMT,TRAIL,TRAILLIT,TRAILLMT,TRAILMIT,WHATIF";
/// The market rule of currency pairs, as recorded of EUR.USD.
pub(super) const PAIR_RULE: i32 = 3_188;
/// (low edge, increment) of [`PAIR_RULE`] (assumed: the recorded minimum tick at every price).
pub(super) const PAIR_INCREMENTS: [(f64, f64); 1] = [(0.0, 0.000_05)];
/// The market rule of every US stock here.
pub(super) const MARKET_RULE: i32 = 26;
/// (low edge, increment) of [`MARKET_RULE`].
pub(super) const INCREMENTS: [(f64, f64); 2] = [(0.0, 0.0001), (1.0, 0.01)];

/// The increment at `price` under [`MARKET_RULE`].
pub(super) const fn tick_at(price: Price) -> Price {
    if price.0 >= 1_000_000 { Price(10_000) } else { Price(100) }
}

/// Trading class as recorded: Nasdaq's stocks share `NMS`, NYSE's have their own.
fn trading_class(r: &Reference) -> String {
    if r.primary_exchange == "NASDAQ" { "NMS".into() } else { r.symbol.clone() }
}

/// The reference that a request's contract names, by contract id, else by symbol.
pub(super) fn find<'a>(references: &'a [Reference], c: &Contract) -> Option<&'a Reference> {
    let stock = c.sec_type.is_empty() || c.sec_type == "STK";
    let dollars = c.currency.is_empty() || c.currency == "USD";
    if !stock || !dollars {
        return None;
    }
    if c.con_id != 0 {
        return references.iter().find(|r| r.con_id.0 == c.con_id);
    }
    let name = if c.symbol.is_empty() { &c.local_symbol } else { &c.symbol };
    references.iter().find(|r| r.symbol == *name)
}

/// What can be watched: a stock, or a pair or an index by its place in [`QUOTED`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Instrument {
    Stock(SymbolId),
    Quoted(usize),
}

impl Core {
    /// What a request's contract names. Pairs trade on IDEALPRO, indices at their publisher.
    pub(super) fn instrument(&self, c: &Contract) -> Option<Instrument> {
        if let Some(r) = find(self.references(), c) {
            return Some(Instrument::Stock(r.id));
        }
        let names = |q: &Quoted| {
            if c.con_id != 0 {
                return c.con_id == q.con_id;
            }
            let symbol = c.symbol == q.symbol && (c.currency == q.currency || c.currency.is_empty());
            c.sec_type == q.sec_type() && (symbol || (c.symbol.is_empty() && c.local_symbol == q.local_symbol))
        };
        let fits = |q: &Quoted| {
            (c.sec_type.is_empty() || c.sec_type == q.sec_type())
                && (c.exchange.is_empty() || c.exchange == q.exchange)
                && names(q)
        };
        QUOTED.iter().position(fits).map(Instrument::Quoted)
    }

    /// Whether an instrument's quotes come in real time.
    pub(super) fn is_real_time(&self, instrument: Instrument) -> bool {
        match instrument {
            Instrument::Stock(symbol) => self.entitlement(symbol).is_real_time(),
            Instrument::Quoted(_) => true,
        }
    }
}

/// The details of a pair (recorded, of EUR.USD) or an index (assumed).
pub(super) fn quoted_details(q: &Quoted, index_hours: &str, pair_hours: &str) -> ContractDetails {
    let pair = q.kind == Kind::Cash;
    let contract = Contract {
        con_id: q.con_id,
        symbol: q.symbol.into(),
        sec_type: q.sec_type().into(),
        exchange: q.exchange.into(),
        primary_exchange: String::new(),
        currency: q.currency.into(),
        local_symbol: q.local_symbol.into(),
        trading_class: q.local_symbol.into(),
    };
    let hours = if pair { pair_hours } else { index_hours };
    let size = if pair { 0.01 } else { 1.0 };
    ContractDetails {
        market_name: q.local_symbol.into(),
        contract,
        min_tick: q.tick.to_f64(),
        order_types: if pair { PAIR_ORDER_TYPES.into() } else { String::new() },
        valid_exchanges: q.exchange.into(),
        market_rule_ids: if pair { PAIR_RULE.to_string() } else { String::new() },
        long_name: q.long_name.into(),
        time_zone_id: "US/Eastern".into(),
        trading_hours: hours.into(),
        liquid_hours: hours.into(),
        min_size: size,
        size_increment: size,
        suggested_size_increment: size,
        min_algo_size: pair.then_some(0.0),
        agg_group: if pair { 4 } else { 1 },
        ..ContractDetails::default()
    }
}

/// The contract on `exchange`, as answers repeat it.
pub(super) fn contract(r: &Reference, exchange: &str) -> Contract {
    Contract {
        con_id: r.con_id.0,
        symbol: r.symbol.clone(),
        sec_type: "STK".into(),
        exchange: exchange.into(),
        primary_exchange: String::new(),
        currency: "USD".into(),
        local_symbol: r.symbol.clone(),
        trading_class: trading_class(r),
    }
}

/// `NASDAQ.NMS` or `NYSE`: where warning 399 says that an order goes.
pub(super) fn routed(r: &Reference) -> String {
    if r.primary_exchange == "NASDAQ" { "NASDAQ.NMS".into() } else { r.primary_exchange.clone() }
}

/// Contract details.
pub(super) fn details(r: &Reference, hours: &str) -> ContractDetails {
    let rules = vec![MARKET_RULE.to_string(); VALID_EXCHANGES.split(',').count()];
    let mut contract = contract(r, "SMART");
    contract.primary_exchange = r.primary_exchange.clone();
    ContractDetails {
        market_name: contract.trading_class.clone(),
        contract,
        min_tick: 0.01,
        order_types: ORDER_TYPES.into(),
        valid_exchanges: VALID_EXCHANGES.into(),
        market_rule_ids: rules.join(","),
        long_name: r.symbol.clone(),
        time_zone_id: "US/Eastern".into(),
        trading_hours: hours.into(),
        liquid_hours: hours.into(),
        stock_type: "COMMON".into(),
        min_size: 0.0001,
        size_increment: 0.0001,
        suggested_size_increment: 100.0,
        agg_group: 1,
        ..ContractDetails::default()
    }
}
