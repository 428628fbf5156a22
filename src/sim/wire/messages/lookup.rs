//! Look-ups of symbols, exchanges and settings; the account's rows by account and model.

use super::contract::Contract;

/// Positions by account and model, and account updates, which alone have the last field.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RowsRequest {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub account: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub model: Option<String>,
    #[prost(bool, optional, tag = "4")]
    pub ledger: Option<bool>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct PositionMulti {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub account: Option<String>,
    #[prost(message, optional, tag = "3")]
    pub contract: Option<Contract>,
    #[prost(string, optional, tag = "4")]
    pub position: Option<String>,
    #[prost(double, optional, tag = "5")]
    pub avg_cost: Option<f64>,
    #[prost(string, optional, tag = "6")]
    pub model: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct AccountUpdateMulti {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub account: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub model: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub key: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub value: Option<String>,
    #[prost(string, optional, tag = "6")]
    pub currency: Option<String>,
}

/// A request id and a text: symbol search (pattern), smart components (exchange map), user (branding).
#[derive(Clone, PartialEq, prost::Message)]
pub struct IdAndText {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub text: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct SymbolMatch {
    #[prost(message, optional, tag = "1")]
    pub contract: Option<Contract>,
    #[prost(string, repeated, tag = "2")]
    pub derivatives: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct SymbolSamples {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    pub matches: Vec<SymbolMatch>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct SmartComponent {
    #[prost(int32, optional, tag = "1")]
    pub bit: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub exchange: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub letter: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct SmartComponents {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    pub components: Vec<SmartComponent>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct CurrentTimeInMillis {
    #[prost(int64, optional, tag = "1")]
    pub time_ms: Option<i64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct FamilyCode {
    #[prost(string, optional, tag = "1")]
    pub account: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub code: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct FamilyCodes {
    #[prost(message, repeated, tag = "1")]
    pub codes: Vec<FamilyCode>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct SoftDollarTier {
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub value: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub display_name: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct SoftDollarTiers {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    pub tiers: Vec<SoftDollarTier>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct LockAndExit {
    #[prost(string, optional, tag = "1")]
    pub auto_logoff_time: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub auto_logoff_period: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub auto_logoff_type: Option<String>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct ApiPrecautions {
    #[prost(bool, optional, tag = "1")]
    pub bypass_order_precautions: Option<bool>,
    #[prost(bool, optional, tag = "7")]
    pub bypass_price_based_volatility_warning: Option<bool>,
    #[prost(bool, optional, tag = "8")]
    pub bypass_redirect_order_warning: Option<bool>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct ApiSettings {
    #[prost(bool, optional, tag = "1")]
    pub read_only_api: Option<bool>,
    #[prost(bool, optional, tag = "3")]
    pub download_open_orders_on_connection: Option<bool>,
    #[prost(int32, optional, tag = "8")]
    pub socket_port: Option<i32>,
    #[prost(int32, optional, tag = "18")]
    pub master_client_id: Option<i32>,
    #[prost(bool, optional, tag = "26")]
    pub reject_messages_above_max_rate: Option<bool>,
    #[prost(bool, optional, tag = "31")]
    pub maintain_and_resubmit_orders_on_reconnect: Option<bool>,
    #[prost(bool, optional, tag = "35")]
    pub allow_localhost_only: Option<bool>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ApiConfig {
    #[prost(message, optional, tag = "1")]
    pub precautions: Option<ApiPrecautions>,
    #[prost(message, optional, tag = "2")]
    pub settings: Option<ApiSettings>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct SmartRouting {
    #[prost(bool, optional, tag = "1")]
    pub seek_price_improvement: Option<bool>,
    #[prost(bool, optional, tag = "3")]
    pub do_not_route_to_dark_pools: Option<bool>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct OrdersConfig {
    #[prost(message, optional, tag = "1")]
    pub smart_routing: Option<SmartRouting>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ConfigResponse {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub lock_and_exit: Option<LockAndExit>,
    #[prost(message, optional, tag = "4")]
    pub api: Option<ApiConfig>,
    #[prost(message, optional, tag = "5")]
    pub orders: Option<OrdersConfig>,
}
