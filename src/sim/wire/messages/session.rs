//! Session messages: start, ids, accounts, time, errors; and the many messages that hold a request id alone.

/// Field 1 alone: every cancel of a stream, and every end marker that names its request.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct OnlyReqId {
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct StartApi {
    #[prost(int32, optional, tag = "1")]
    pub client_id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub optional_capabilities: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ManagedAccounts {
    /// Comma-separated.
    #[prost(string, optional, tag = "1")]
    pub accounts: Option<String>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct NextValidId {
    #[prost(int32, optional, tag = "1")]
    pub order_id: Option<i32>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct CurrentTime {
    /// Seconds since 1970.
    #[prost(int64, optional, tag = "1")]
    pub time_s: Option<i64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ErrorMessage {
    #[prost(int32, optional, tag = "1")]
    pub id: Option<i32>,
    /// Milliseconds since 1970.
    #[prost(int64, optional, tag = "2")]
    pub time_ms: Option<i64>,
    #[prost(int32, optional, tag = "3")]
    pub code: Option<i32>,
    #[prost(string, optional, tag = "4")]
    pub message: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub advanced_order_reject_json: Option<String>,
}
