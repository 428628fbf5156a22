//! Streams beyond sampled quotes and history beyond bars. Sizes travel as decimal strings, times of ticks in seconds.

use super::contract::Contract;
use super::market::HistoricalDataBar;

#[derive(Clone, PartialEq, prost::Message)]
pub struct TickByTickRequest {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub contract: Option<Contract>,
    #[prost(string, optional, tag = "3")]
    pub kind: Option<String>,
    #[prost(int32, optional, tag = "4")]
    pub number_of_ticks: Option<i32>,
    #[prost(bool, optional, tag = "5")]
    pub ignore_size: Option<bool>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct AttribLast {
    #[prost(bool, optional, tag = "1")]
    pub past_limit: Option<bool>,
    #[prost(bool, optional, tag = "2")]
    pub unreported: Option<bool>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct AttribBidAsk {
    #[prost(bool, optional, tag = "1")]
    pub bid_past_low: Option<bool>,
    #[prost(bool, optional, tag = "2")]
    pub ask_past_high: Option<bool>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Tick {
    #[prost(int64, optional, tag = "1")]
    pub time_s: Option<i64>,
    #[prost(double, optional, tag = "2")]
    pub price: Option<f64>,
    #[prost(string, optional, tag = "3")]
    pub size: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct TickBidAsk {
    #[prost(int64, optional, tag = "1")]
    pub time_s: Option<i64>,
    #[prost(message, optional, tag = "2")]
    pub attrib: Option<AttribBidAsk>,
    #[prost(double, optional, tag = "3")]
    pub bid: Option<f64>,
    #[prost(double, optional, tag = "4")]
    pub ask: Option<f64>,
    #[prost(string, optional, tag = "5")]
    pub bid_size: Option<String>,
    #[prost(string, optional, tag = "6")]
    pub ask_size: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct TickLast {
    #[prost(int64, optional, tag = "1")]
    pub time_s: Option<i64>,
    #[prost(message, optional, tag = "2")]
    pub attrib: Option<AttribLast>,
    #[prost(double, optional, tag = "3")]
    pub price: Option<f64>,
    #[prost(string, optional, tag = "4")]
    pub size: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub exchange: Option<String>,
    #[prost(string, optional, tag = "6")]
    pub conditions: Option<String>,
}

/// Kinds: 1 last, 2 all last, 3 bid and ask, 4 midpoint.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TickByTickData {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub kind: Option<i32>,
    #[prost(message, optional, tag = "3")]
    pub last: Option<TickLast>,
    #[prost(message, optional, tag = "4")]
    pub bid_ask: Option<TickBidAsk>,
    #[prost(message, optional, tag = "5")]
    pub mid_point: Option<Tick>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct HistoricalTicksRequest {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub contract: Option<Contract>,
    #[prost(string, optional, tag = "3")]
    pub start: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub end: Option<String>,
    #[prost(int32, optional, tag = "5")]
    pub number_of_ticks: Option<i32>,
    #[prost(string, optional, tag = "6")]
    pub what_to_show: Option<String>,
    #[prost(bool, optional, tag = "7")]
    pub use_rth: Option<bool>,
    #[prost(bool, optional, tag = "8")]
    pub ignore_size: Option<bool>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct HistoricalTicks {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    pub ticks: Vec<Tick>,
    #[prost(bool, optional, tag = "3")]
    pub done: Option<bool>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct HistoricalTicksBidAsk {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    pub ticks: Vec<TickBidAsk>,
    #[prost(bool, optional, tag = "3")]
    pub done: Option<bool>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct HistoricalTicksLast {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    pub ticks: Vec<TickLast>,
    #[prost(bool, optional, tag = "3")]
    pub done: Option<bool>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct MarketDepthRequest {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub contract: Option<Contract>,
    #[prost(int32, optional, tag = "3")]
    pub rows: Option<i32>,
    #[prost(bool, optional, tag = "4")]
    pub smart: Option<bool>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct DepthData {
    #[prost(int32, optional, tag = "1")]
    pub position: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub operation: Option<i32>,
    #[prost(int32, optional, tag = "3")]
    pub side: Option<i32>,
    #[prost(double, optional, tag = "4")]
    pub price: Option<f64>,
    #[prost(string, optional, tag = "5")]
    pub size: Option<String>,
    #[prost(string, optional, tag = "6")]
    pub market_maker: Option<String>,
    #[prost(bool, optional, tag = "7")]
    pub smart: Option<bool>,
}

/// Both kinds of depth: without and with market makers.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MarketDepth {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub data: Option<DepthData>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct DepthDescription {
    #[prost(string, optional, tag = "1")]
    pub exchange: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub sec_type: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub listing_exchange: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub service: Option<String>,
    #[prost(int32, optional, tag = "5")]
    pub agg_group: Option<i32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct MarketDepthExchanges {
    #[prost(message, repeated, tag = "1")]
    pub descriptions: Vec<DepthDescription>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct RealTimeBarsRequest {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub contract: Option<Contract>,
    #[prost(int32, optional, tag = "3")]
    pub bar_size_s: Option<i32>,
    #[prost(string, optional, tag = "4")]
    pub what_to_show: Option<String>,
    #[prost(bool, optional, tag = "5")]
    pub use_rth: Option<bool>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct RealTimeBar {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    #[prost(int64, optional, tag = "2")]
    pub time_s: Option<i64>,
    #[prost(double, optional, tag = "3")]
    pub open: Option<f64>,
    #[prost(double, optional, tag = "4")]
    pub high: Option<f64>,
    #[prost(double, optional, tag = "5")]
    pub low: Option<f64>,
    #[prost(double, optional, tag = "6")]
    pub close: Option<f64>,
    #[prost(string, optional, tag = "7")]
    pub volume: Option<String>,
    #[prost(string, optional, tag = "8")]
    pub wap: Option<String>,
    #[prost(int32, optional, tag = "9")]
    pub count: Option<i32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct HeadTimestampRequest {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub contract: Option<Contract>,
    #[prost(bool, optional, tag = "3")]
    pub use_rth: Option<bool>,
    #[prost(string, optional, tag = "4")]
    pub what_to_show: Option<String>,
    #[prost(int32, optional, tag = "5")]
    pub format_date: Option<i32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct HeadTimestamp {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub time: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct HistogramRequest {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub contract: Option<Contract>,
    #[prost(bool, optional, tag = "3")]
    pub use_rth: Option<bool>,
    #[prost(string, optional, tag = "4")]
    pub period: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct HistogramPoint {
    #[prost(double, optional, tag = "1")]
    pub price: Option<f64>,
    #[prost(string, optional, tag = "2")]
    pub size: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Histogram {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    #[prost(message, repeated, tag = "2")]
    pub points: Vec<HistogramPoint>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct TradingSession {
    #[prost(string, optional, tag = "1")]
    pub start: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub end: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub ref_date: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Schedule {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub start: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub end: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub time_zone: Option<String>,
    #[prost(message, repeated, tag = "5")]
    pub sessions: Vec<TradingSession>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct BarUpdate {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub bar: Option<HistoricalDataBar>,
}
