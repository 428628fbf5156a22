//! The TWS messages as protobuf structs, written by hand, one file a topic. Field numbers and which fields a
//! gateway sends come from recorded conversations with real gateways (server version 225, and history at 208)
//! and, for what was not recorded, from the field numbers that public TWS clients use. Every field is optional:
//! absent stays absent. Fields that the simulated gateway neither reads nor sends are left out; protobuf skips
//! them. May not touch: the venue's vocabulary (`codec` translates).

#![allow(missing_docs, reason = "TWS field names, one struct a message")]

pub mod account;
pub mod contract;
pub mod lookup;
pub mod market;
pub mod order;
pub mod session;
pub mod stream;

/// A frame whose message id is above this holds a protobuf body and the id is the sum.
pub const PROTOBUF_OFFSET: i32 = 200;

/// Message ids, client → gateway.
pub mod request_id {
    pub const MARKET_DATA: i32 = 1;
    pub const CANCEL_MARKET_DATA: i32 = 2;
    pub const PLACE_ORDER: i32 = 3;
    pub const CANCEL_ORDER: i32 = 4;
    pub const OPEN_ORDERS: i32 = 5;
    pub const ACCOUNT_UPDATES: i32 = 6;
    pub const EXECUTIONS: i32 = 7;
    pub const IDS: i32 = 8;
    pub const CONTRACT_DETAILS: i32 = 9;
    pub const MARKET_DEPTH: i32 = 10;
    pub const CANCEL_MARKET_DEPTH: i32 = 11;
    pub const NEWS_BULLETINS: i32 = 12;
    pub const CANCEL_NEWS_BULLETINS: i32 = 13;
    pub const SERVER_LOG_LEVEL: i32 = 14;
    pub const AUTO_OPEN_ORDERS: i32 = 15;
    pub const ALL_OPEN_ORDERS: i32 = 16;
    pub const MANAGED_ACCOUNTS: i32 = 17;
    pub const FA: i32 = 18;
    pub const HISTORICAL_DATA: i32 = 20;
    pub const SCANNER_PARAMETERS: i32 = 24;
    pub const CANCEL_HISTORICAL_DATA: i32 = 25;
    pub const CURRENT_TIME: i32 = 49;
    pub const REAL_TIME_BARS: i32 = 50;
    pub const CANCEL_REAL_TIME_BARS: i32 = 51;
    pub const GLOBAL_CANCEL: i32 = 58;
    pub const MARKET_DATA_TYPE: i32 = 59;
    pub const POSITIONS: i32 = 61;
    pub const ACCOUNT_SUMMARY: i32 = 62;
    pub const CANCEL_ACCOUNT_SUMMARY: i32 = 63;
    pub const CANCEL_POSITIONS: i32 = 64;
    pub const START_API: i32 = 71;
    pub const POSITIONS_MULTI: i32 = 74;
    pub const CANCEL_POSITIONS_MULTI: i32 = 75;
    pub const ACCOUNT_UPDATES_MULTI: i32 = 76;
    pub const CANCEL_ACCOUNT_UPDATES_MULTI: i32 = 77;
    pub const SOFT_DOLLAR_TIERS: i32 = 79;
    pub const FAMILY_CODES: i32 = 80;
    pub const MATCHING_SYMBOLS: i32 = 81;
    pub const MARKET_DEPTH_EXCHANGES: i32 = 82;
    pub const SMART_COMPONENTS: i32 = 83;
    pub const NEWS_PROVIDERS: i32 = 85;
    pub const HEAD_TIMESTAMP: i32 = 87;
    pub const HISTOGRAM: i32 = 88;
    pub const CANCEL_HISTOGRAM: i32 = 89;
    pub const CANCEL_HEAD_TIMESTAMP: i32 = 90;
    pub const MARKET_RULE: i32 = 91;
    pub const PNL: i32 = 92;
    pub const CANCEL_PNL: i32 = 93;
    pub const PNL_SINGLE: i32 = 94;
    pub const CANCEL_PNL_SINGLE: i32 = 95;
    pub const HISTORICAL_TICKS: i32 = 96;
    pub const TICK_BY_TICK: i32 = 97;
    pub const CANCEL_TICK_BY_TICK: i32 = 98;
    pub const COMPLETED_ORDERS: i32 = 99;
    pub const USER_INFO: i32 = 104;
    pub const CURRENT_TIME_IN_MILLIS: i32 = 105;
    pub const CANCEL_HISTORICAL_TICKS: i32 = 107;
    pub const CONFIG: i32 = 108;

    /// Requests that a gateway takes without a word [assumed]: news bulletins while there are none, the log
    /// level, and cancels (in the order of the list) of bulletins, scanner, fundamentals, option calculations,
    /// calendar data and contract data: none of these is ever running.
    pub const UNANSWERED: &[i32] =
        &[NEWS_BULLETINS, SERVER_LOG_LEVEL, CANCEL_NEWS_BULLETINS, 23, 53, 56, 57, 101, 103, 106];

    /// Requests that carry no request id in field 1 (it is absent or means something else).
    pub const WITHOUT_REQ_ID: &[i32] = &[FA, SCANNER_PARAMETERS, NEWS_PROVIDERS];
}

/// Message ids, gateway → client.
pub mod response_id {
    pub const TICK_PRICE: i32 = 1;
    pub const TICK_SIZE: i32 = 2;
    pub const ORDER_STATUS: i32 = 3;
    pub const ERROR: i32 = 4;
    pub const OPEN_ORDER: i32 = 5;
    pub const ACCOUNT_VALUE: i32 = 6;
    pub const PORTFOLIO_VALUE: i32 = 7;
    pub const ACCOUNT_UPDATE_TIME: i32 = 8;
    pub const NEXT_VALID_ID: i32 = 9;
    pub const CONTRACT_DATA: i32 = 10;
    pub const EXECUTION_DETAILS: i32 = 11;
    pub const MARKET_DEPTH: i32 = 12;
    pub const MARKET_DEPTH_L2: i32 = 13;
    pub const MANAGED_ACCOUNTS: i32 = 15;
    pub const HISTORICAL_DATA: i32 = 17;
    pub const TICK_GENERIC: i32 = 45;
    pub const TICK_STRING: i32 = 46;
    pub const CURRENT_TIME: i32 = 49;
    pub const REAL_TIME_BAR: i32 = 50;
    pub const CONTRACT_DATA_END: i32 = 52;
    pub const OPEN_ORDER_END: i32 = 53;
    pub const ACCOUNT_DOWNLOAD_END: i32 = 54;
    pub const EXECUTION_DETAILS_END: i32 = 55;
    pub const TICK_SNAPSHOT_END: i32 = 57;
    pub const MARKET_DATA_TYPE: i32 = 58;
    pub const COMMISSION_REPORT: i32 = 59;
    pub const POSITION: i32 = 61;
    pub const POSITION_END: i32 = 62;
    pub const ACCOUNT_SUMMARY: i32 = 63;
    pub const ACCOUNT_SUMMARY_END: i32 = 64;
    pub const POSITION_MULTI: i32 = 71;
    pub const POSITION_MULTI_END: i32 = 72;
    pub const ACCOUNT_UPDATE_MULTI: i32 = 73;
    pub const ACCOUNT_UPDATE_MULTI_END: i32 = 74;
    pub const SOFT_DOLLAR_TIERS: i32 = 77;
    pub const FAMILY_CODES: i32 = 78;
    pub const SYMBOL_SAMPLES: i32 = 79;
    pub const MARKET_DEPTH_EXCHANGES: i32 = 80;
    pub const TICK_REQ_PARAMS: i32 = 81;
    pub const SMART_COMPONENTS: i32 = 82;
    pub const HEAD_TIMESTAMP: i32 = 88;
    pub const HISTOGRAM: i32 = 89;
    pub const HISTORICAL_DATA_UPDATE: i32 = 90;
    pub const MARKET_RULE: i32 = 93;
    pub const PNL: i32 = 94;
    pub const PNL_SINGLE: i32 = 95;
    pub const HISTORICAL_TICKS: i32 = 96;
    pub const HISTORICAL_TICKS_BID_ASK: i32 = 97;
    pub const HISTORICAL_TICKS_LAST: i32 = 98;
    pub const TICK_BY_TICK: i32 = 99;
    pub const COMPLETED_ORDER: i32 = 101;
    pub const COMPLETED_ORDERS_END: i32 = 102;
    pub const HISTORICAL_SCHEDULE: i32 = 106;
    pub const USER_INFO: i32 = 107;
    pub const HISTORICAL_DATA_END: i32 = 108;
    pub const CURRENT_TIME_IN_MILLIS: i32 = 109;
    pub const CONFIG: i32 = 110;
}
