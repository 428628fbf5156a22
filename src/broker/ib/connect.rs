//! Opening a connection, and why it can't be opened or used: one sentence with its fix.

use std::sync::Arc;

use ibapi::client::blocking::{Client, NoticeStream, Subscription};
use ibapi::orders::OrderUpdate;
use ibapi::{Error, StartupMessage};
use parking_lot::Mutex;

use super::config::Config;
use super::shared::Live;
use super::translate::{self, Directory};
use crate::domain::{ConnEpoch, OrderId};
use crate::message::BrokerEvent;

/// Most unasked order frames of a handshake that are kept; beyond, the snapshots tell.
const MAX_STARTUP: usize = 4_096;
/// ibapi's own limit on one-shot answers of the order connection (the heartbeat's), wall time.
const HEARTBEAT_ANSWER: std::time::Duration = std::time::Duration::from_secs(4);

/// First server version whose messages are all protobuf; ibapi speaks nothing older.
pub const MIN_SERVER_VERSION: i32 = 213;

/// Why the adapter can't start or go on.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// A wrong setting.
    #[error("[broker] {key} {why}")]
    Config {
        /// The key.
        key: &'static str,
        /// What is wrong and what to do.
        why: String,
    },
    /// Paper account in live mode, or the reverse.
    #[error(
        "account {account} is a {} account but [broker] live = {live}; set live = {} only if you mean it, or correct account",
        if *.live { "paper" } else { "live (real money)" }, !.live
    )]
    AccountKind {
        /// The account.
        account: String,
        /// The setting.
        live: bool,
    },
    /// Nobody listens.
    #[error(
        "nothing answers at {address}: start TWS or IB Gateway, enable \"ActiveX and Socket Clients\" in its API settings, \
         and check host and port (IB Gateway 4001 live, 4002 paper; TWS 7496 live, 7497 paper): {source}"
    )]
    Refused {
        /// `host:port`.
        address: String,
        /// The system's word.
        source: std::io::Error,
    },
    /// The gateway hung up during the handshake.
    #[error(
        "the gateway at {address} accepted the connection and closed it: add this host to its trusted IPs and confirm \
         the login window ({why})"
    )]
    Rejected {
        /// `host:port`.
        address: String,
        /// ibapi's word.
        why: String,
    },
    /// The gateway is too old.
    #[error(
        "the gateway at {address} speaks server version {version}, {MIN_SERVER_VERSION} or later is needed: update TWS / \
         IB Gateway (10.43, server version 219, is new enough)"
    )]
    TooOld {
        /// `host:port`.
        address: String,
        /// What it speaks.
        version: i32,
    },
    /// Another program holds the client id.
    #[error(
        "client id {client_id} is in use at {address}: another program (or a run that just ended) holds it; stop it, wait \
         a minute, or set {key} to a free id that no other program uses"
    )]
    ClientIdInUse {
        /// `host:port`.
        address: String,
        /// The id.
        client_id: i32,
        /// The setting that chose it.
        key: &'static str,
    },
    /// The configured account is not managed by this login.
    #[error("the gateway's login manages {managed}, not {account}: set [broker] account to one of them")]
    WrongAccount {
        /// The setting.
        account: String,
        /// What the login manages.
        managed: String,
    },
    /// A symbol could not be qualified.
    #[error("{symbol} could not be qualified as a US stock ({why}); correct or remove it from the universe")]
    Qualify {
        /// The ticker.
        symbol: String,
        /// What happened.
        why: String,
    },
    /// The universe can't be traded as given.
    #[error("universe: {0}")]
    Universe(String),
    /// The clock that this session needs is not there.
    #[error("session clock: {0}")]
    Clock(String),
    /// A thread could not be started.
    #[error("thread {name} could not be started: {source}")]
    Thread {
        /// Its name.
        name: &'static str,
        /// The system's word.
        source: std::io::Error,
    },
    /// Anything else that the client reports.
    #[error("the gateway at {address}: {why}")]
    Other {
        /// `host:port`.
        address: String,
        /// ibapi's word.
        why: String,
    },
}

/// Which connection an error is about.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// `host:port`.
    pub address: &'a str,
    /// The client id.
    pub client_id: i32,
    /// The setting that chose it.
    pub key: &'static str,
}

impl BrokerError {
    /// Translates ibapi's error of a connection attempt.
    pub fn of(error: Error, who: Who<'_>) -> Self {
        let address = who.address.to_string();
        match error {
            Error::Io(source) => Self::Refused { address, source },
            Error::ConnectionRejected(why) => Self::Rejected { address, why },
            Error::ServerVersion(_, version, _) => Self::TooOld { address, version },
            Error::ClientIdInUse { .. } => Self::ClientIdInUse { address, client_id: who.client_id, key: who.key },
            other => Self::Other { address, why: other.to_string() },
        }
    }

    /// Whether trying again later may help without anybody changing a setting.
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Rejected { .. } | Self::ClientIdInUse { .. } | Self::Other { .. })
    }
}

/// A fresh order connection, before it goes live.
pub(super) struct Opened {
    pub live: Arc<Live>,
    pub next_order_id: OrderId,
    pub updates: Subscription<OrderUpdate>,
    pub notices: NoticeStream,
    startup: Arc<Mutex<Vec<StartupMessage>>>,
}

/// Opens the order connection. Its update stream exists before anything else is asked.
///
/// # Errors
/// See [`BrokerError`].
pub(super) fn open_orders(config: &Config, epoch: ConnEpoch) -> Result<Opened, BrokerError> {
    let address = config.address();
    let who = Who { address: &address, client_id: config.client_id, key: "[broker] client_id" };
    let startup = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&startup);
    let (client, notices) = Client::builder()
        .address(address.as_str())
        .client_id(config.client_id)
        .tcp_no_delay(true)
        .max_reconnect_attempts(0)
        .one_shot_timeout(HEARTBEAT_ANSWER)
        .startup_callback(move |message| {
            let mut kept = kept.lock();
            if kept.len() < MAX_STARTUP {
                kept.push(message);
            }
        })
        .connect_with_notice_stream()
        .map_err(|e| BrokerError::of(e, who))?;
    let updates = client.order_update_stream().map_err(|e| BrokerError::of(e, who))?;
    let next_order_id = OrderId(client.next_order_id());
    Ok(Opened { live: Arc::new(Live { epoch, client }), next_order_id, updates, notices, startup })
}

/// Opens the worker's connection.
///
/// # Errors
/// See [`BrokerError`].
pub(super) fn open_worker(config: &Config) -> Result<Client, BrokerError> {
    let address = config.address();
    Client::builder()
        .address(address.as_str())
        .client_id(config.worker_client_id)
        .tcp_no_delay(true)
        .max_reconnect_attempts(0)
        .one_shot_timeout(config.query_timeout())
        .connect()
        .map_err(|e| {
            BrokerError::of(
                e,
                Who { address: &address, client_id: config.worker_client_id, key: "[broker] worker_client_id" },
            )
        })
}

/// Whether the login manages the configured account.
///
/// # Errors
/// It does not: the accounts that it manages.
pub(super) fn check_account(client: &Client, account: &str) -> Result<(), BrokerError> {
    let managed = client.handshake_managed_accounts();
    if managed.iter().any(|a| a == account) {
        return Ok(());
    }
    let managed = if managed.is_empty() { "no account".into() } else { managed.join(", ") };
    Err(BrokerError::WrongAccount { account: account.into(), managed })
}

impl Opened {
    /// The orders that the gateway told unasked during the handshake.
    pub(super) fn startup_events(&self, directory: &Directory) -> Vec<BrokerEvent> {
        let messages = std::mem::take(&mut *self.startup.lock());
        let translated = messages.iter().filter_map(|message| match message {
            StartupMessage::OpenOrder(o) => Some(BrokerEvent::OpenOrder(translate::open_order(o, directory))),
            StartupMessage::OrderStatus(s) => Some(BrokerEvent::Status(translate::order_status(s))),
            StartupMessage::Execution(e) => translate::execution(e, directory).map(BrokerEvent::Execution),
            StartupMessage::CommissionReport(c) => translate::commission(c).map(BrokerEvent::Commission),
            _ => None,
        });
        translated.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: Who<'_> = Who { address: "127.0.0.1:4002", client_id: 10, key: "[broker] client_id" };

    #[test]
    fn each_error_is_one_sentence_with_its_fix() {
        let io = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection refused");
        for (error, words, passes) in [
            (Error::Io(io), ["127.0.0.1:4002", "4001 live, 4002 paper", "7496 live, 7497 paper"], true),
            (Error::ConnectionRejected("eof".into()), ["127.0.0.1:4002", "trusted IPs", "eof"], true),
            (Error::ServerVersion(213, 187, String::new()), ["187", "213", "update"], false),
            (Error::ClientIdInUse { client_id: 10 }, ["client id 10", "in use", "[broker] client_id"], true),
            (Error::Simple("odd".into()), ["127.0.0.1:4002", "odd", ""], true),
        ] {
            let told = BrokerError::of(error, WHO);
            let text = told.to_string();
            assert!(words.iter().all(|w| text.contains(w)), "{text}");
            assert!(!text.contains('\n'), "{text}");
            assert_eq!(told.may_pass(), passes, "{text}");
        }
        let account = BrokerError::WrongAccount { account: "DU9".into(), managed: "DU1, DU2".into() };
        assert_eq!(
            account.to_string(),
            "the gateway's login manages DU1, DU2, not DU9: set [broker] account to one of them"
        );
        assert!(!account.may_pass());
    }
}
