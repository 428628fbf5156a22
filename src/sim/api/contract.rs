//! Contracts, as requests name them and answers describe them.

/// A contract, as requests name it and answers repeat it.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "TWS field names")]
pub struct Contract {
    pub con_id: i32,
    pub symbol: String,
    pub sec_type: String,
    pub exchange: String,
    pub primary_exchange: String,
    pub currency: String,
    pub local_symbol: String,
    pub trading_class: String,
}

/// A contract's details.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "TWS field names")]
pub struct ContractDetails {
    pub contract: Contract,
    pub market_name: String,
    pub min_tick: f64,
    pub order_types: String,
    /// Comma-separated, aligned with `market_rule_ids`.
    pub valid_exchanges: String,
    pub market_rule_ids: String,
    pub long_name: String,
    pub time_zone_id: String,
    pub trading_hours: String,
    pub liquid_hours: String,
    pub stock_type: String,
    pub min_size: f64,
    pub size_increment: f64,
    pub suggested_size_increment: f64,
    /// The smallest size of an algorithmic order; recorded of pairs. Protobuf only.
    pub min_algo_size: Option<f64>,
    pub industry: String,
    pub category: String,
    pub subcategory: String,
    /// Groups smart-routing exchanges.
    pub agg_group: i32,
}
