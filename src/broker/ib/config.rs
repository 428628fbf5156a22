//! Settings of the gateway adapter, and their checks. Owns no default that trades: the account has none.

use std::time::Duration;

use serde::Deserialize;

use super::connect::BrokerError;

/// Largest sensible value of a setting that counts seconds.
const MAX_SECONDS: u64 = 3_600;
/// IB's hard limit of messages per second for all clients of a gateway.
const IB_MESSAGES_PER_S: u32 = 50;

/// `[broker]`: how to reach the gateway and how gently to treat it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Host of TWS or IB Gateway.
    pub host: String,
    /// Its API port: IB Gateway 4001 live / 4002 paper, TWS 7496 live / 7497 paper.
    pub port: u16,
    /// Client id of the trading connection, fixed for the deployment's life.
    pub client_id: i32,
    /// Client id of the worker connection.
    pub worker_client_id: i32,
    /// The one account that is traded; named on every order.
    pub account: String,
    /// Whether the account is real money. Must agree with the account's own prefix.
    pub live: bool,
    /// How long the first connection is tried, wall seconds.
    pub connect_wait_s: u64,
    /// Pause of the ingest thread after a sweep that found nothing, wall microseconds.
    pub sweep_idle_us: u64,
    /// Market data lines to use (IB's default allowance is 100).
    pub line_budget: usize,
    /// Messages per second of session time, all clients together.
    pub messages_per_s: u32,
    /// Of these, how many may go at once.
    pub message_burst: u32,
    /// One-minute bars per symbol handed to the features before the first tick.
    pub history_bars: usize,
    /// Trading days of history asked for, the current one included.
    pub history_days: i32,
    /// Historical requests open at once (IB allows 50).
    pub history_parallel: usize,
    /// Longest wait for one answer of the worker, wall seconds.
    pub query_timeout_s: u64,
    /// Longest wait for a what-if, wall milliseconds.
    pub what_if_timeout_ms: u64,
    /// Server-time heartbeat period, wall seconds, ≥ 5 (faster ones are not answered).
    pub heartbeat_s: u64,
    /// Longest write to the socket before the connection is taken down, wall milliseconds.
    pub write_limit_ms: u64,
    /// The account's base currency; money in any other is treated as unknown.
    pub base_currency: String,
    /// Prefixes of the farms whose loss makes quotes suspect (history and contract farms feed no ticks).
    pub data_farms: Vec<String>,
    /// Shares in one unit of day volume (ticks 8 and 74).
    pub volume_unit_shares: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 4002,
            client_id: 10,
            worker_client_id: 11,
            account: String::new(),
            live: false,
            connect_wait_s: 10,
            sweep_idle_us: 75,
            line_budget: 90,
            messages_per_s: 40,
            message_burst: 8,
            history_bars: 130,
            history_days: 2,
            history_parallel: 6,
            query_timeout_s: 10,
            what_if_timeout_ms: 5_000,
            heartbeat_s: 5,
            write_limit_ms: 2_000,
            base_currency: "USD".into(),
            data_farms: vec!["usfarm".into()],
            volume_unit_shares: 100,
        }
    }
}

/// Whether IB's own prefix marks an account as paper (`DU`, `DF`, `DI`).
pub fn is_paper_account(account: &str) -> bool {
    account.starts_with('D')
}

impl Config {
    /// Checks every setting.
    ///
    /// # Errors
    /// The first wrong setting, with its fix.
    pub fn validate(&self) -> Result<(), BrokerError> {
        let wrong = |key: &'static str, why: String| Err(BrokerError::Config { key, why });
        if self.account.is_empty() {
            return wrong("account", "is empty; set it to the account id to trade, e.g. \"DU1234567\"".into());
        }
        if self.live == is_paper_account(&self.account) {
            return Err(BrokerError::AccountKind { account: self.account.clone(), live: self.live });
        }
        if self.client_id == self.worker_client_id || self.client_id < 1 || self.worker_client_id < 1 {
            return wrong("client_id", "and worker_client_id must be two different numbers ≥ 1".into());
        }
        if self.messages_per_s > IB_MESSAGES_PER_S || self.message_burst == 0 {
            return wrong("messages_per_s", format!("must be ≤ {IB_MESSAGES_PER_S} (IB's limit), message_burst ≥ 1"));
        }
        if self.messages_per_s < self.message_burst + 4 {
            return wrong("message_burst", "must leave at least 4 of messages_per_s for a steady rate".into());
        }
        if !(5..=MAX_SECONDS).contains(&self.heartbeat_s) {
            return wrong("heartbeat_s", "must be 5 or more: the gateway leaves faster ones unanswered".into());
        }
        if !(1..=50).contains(&self.history_parallel) || !(1..=30).contains(&self.history_days) {
            return wrong("history_parallel", "must be 1–50 (IB's limit) and history_days 1–30".into());
        }
        let waits = [self.connect_wait_s, self.query_timeout_s, self.what_if_timeout_ms / 1_000];
        if self.query_timeout_s == 0 || self.what_if_timeout_ms == 0 || waits.iter().any(|w| *w > MAX_SECONDS) {
            return wrong("query_timeout_s", format!("and the other waits must be above 0 and ≤ {MAX_SECONDS} s"));
        }
        if self.line_budget == 0 || self.volume_unit_shares == 0 || self.write_limit_ms == 0 {
            return wrong("line_budget", ", volume_unit_shares and write_limit_ms must be above 0".into());
        }
        Ok(())
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Longest wait for one answer of the worker.
    pub fn query_timeout(&self) -> Duration {
        Duration::from_secs(self.query_timeout_s)
    }

    /// Longest wait for a what-if.
    pub fn what_if_timeout(&self) -> Duration {
        Duration::from_millis(self.what_if_timeout_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paper() -> Config {
        Config { account: "DU1234567".into(), ..Config::default() }
    }

    fn complaint(c: &Config) -> String {
        c.validate().map_or_else(|e| e.to_string(), |()| String::new())
    }

    #[test]
    fn a_paper_account_in_live_mode_or_the_reverse_is_refused() {
        assert_eq!(complaint(&paper()), "");
        assert_eq!(complaint(&Config { account: "U7654321".into(), live: true, ..paper() }), "");
        let mixed = complaint(&Config { live: true, ..paper() });
        assert!(mixed.contains("DU1234567") && mixed.contains("paper"), "{mixed}");
        let real = complaint(&Config { account: "U7654321".into(), ..paper() });
        assert!(real.contains("U7654321") && real.contains("live = true"), "{real}");
    }

    #[test]
    fn each_wrong_setting_is_named() {
        let cases = [
            (Config::default(), "account"),
            (Config { worker_client_id: 10, ..paper() }, "client_id"),
            (Config { messages_per_s: 51, ..paper() }, "messages_per_s"),
            (Config { message_burst: 38, ..paper() }, "message_burst"),
            (Config { heartbeat_s: 4, ..paper() }, "heartbeat_s"),
            (Config { history_parallel: 51, ..paper() }, "history_parallel"),
            (Config { query_timeout_s: 0, ..paper() }, "query_timeout_s"),
            (Config { line_budget: 0, ..paper() }, "line_budget"),
        ];
        for (config, key) in cases {
            assert!(complaint(&config).contains(key), "{key}: {}", complaint(&config));
        }
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<Config>("acount = \"DU1\"").is_err());
        assert_eq!(toml::from_str::<Config>("account = \"DU1\"").map(|c| c.port), Ok(4002));
    }
}
