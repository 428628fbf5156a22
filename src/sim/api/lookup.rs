//! Look-ups of symbols, exchanges and settings, and the account's rows by account and model.

use super::contract::Contract;
use crate::clock::SessionTime;

/// What a client looks up.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "TWS message names and fields")]
pub enum LookupRequest {
    PositionsMulti {
        req_id: i32,
        account: String,
        model: String,
    },
    CancelPositionsMulti {
        req_id: i32,
    },
    AccountUpdatesMulti {
        req_id: i32,
        account: String,
        model: String,
        /// Only values by currency and the net liquidation.
        ledger: bool,
    },
    CancelAccountUpdatesMulti {
        req_id: i32,
    },
    MatchingSymbols {
        req_id: i32,
        pattern: String,
    },
    SmartComponents {
        req_id: i32,
        /// As tickReqParams named it.
        bbo_exchange: String,
    },
    CurrentTimeInMillis,
    /// Protobuf only.
    Config {
        req_id: i32,
    },
    UserInfo {
        req_id: i32,
    },
    FamilyCodes,
    SoftDollarTiers {
        req_id: i32,
    },
}

/// What the gateway answers to [`LookupRequest`].
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "TWS message names and fields")]
pub enum LookupResponse {
    PositionMulti {
        req_id: i32,
        account: String,
        model: String,
        contract: Contract,
        position: f64,
        avg_cost: f64,
    },
    PositionMultiEnd {
        req_id: i32,
    },
    AccountUpdateMulti {
        req_id: i32,
        account: String,
        model: String,
        key: String,
        value: String,
        currency: String,
    },
    AccountUpdateMultiEnd {
        req_id: i32,
    },
    SymbolSamples {
        req_id: i32,
        matches: Vec<SymbolMatch>,
    },
    SmartComponents {
        req_id: i32,
        components: Vec<SmartComponent>,
    },
    /// In milliseconds.
    CurrentTimeInMillis {
        time: SessionTime,
    },
    /// Protobuf only.
    Config {
        req_id: i32,
        config: GatewayConfig,
    },
    UserInfo {
        req_id: i32,
        white_branding_id: String,
    },
    /// Pairs of (account, family code).
    FamilyCodes {
        codes: Vec<(String, String)>,
    },
    /// Triples of (name, value, shown name).
    SoftDollarTiers {
        req_id: i32,
        tiers: Vec<(String, String, String)>,
    },
}

/// A contract that matches a pattern: its id, symbol, kind, listing exchange and currency, nothing else.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SymbolMatch {
    /// What is found.
    pub contract: Contract,
    /// Kinds of derivatives on it: `OPT`, …
    pub derivatives: Vec<String>,
}

/// One exchange of a map that a quote's exchange letters refer to.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "TWS field names")]
pub struct SmartComponent {
    pub bit: i32,
    pub exchange: String,
    pub letter: String,
}

/// The settings of a gateway that matter to a trader.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "TWS field names")]
pub struct GatewayConfig {
    pub auto_logoff_time: String,
    pub auto_logoff_period: String,
    pub auto_logoff_type: String,
    pub bypass_order_precautions: bool,
    pub bypass_price_based_volatility_warning: bool,
    pub bypass_redirect_order_warning: bool,
    pub read_only_api: bool,
    pub download_open_orders_on_connection: bool,
    pub socket_port: i32,
    pub master_client_id: i32,
    pub reject_messages_above_max_rate: bool,
    pub maintain_and_resubmit_orders_on_reconnect: bool,
    pub allow_localhost_only: bool,
    pub seek_price_improvement: bool,
    pub do_not_route_to_dark_pools: bool,
}
