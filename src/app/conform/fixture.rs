//! What a conversation needs of the world: the account, its positions, the contracts with their prices, the clock, what
//! the account may see. A file (`NAME.toml`) names some of it; what it leaves out is derived from the conversation.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context;

use super::derive;
use super::recording::Recording;
use super::zones;
use crate::clock::SessionTime;
use crate::sim::api::{Contract, Order};

/// A fixture file: every key may be left out.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FixtureFile {
    /// The account's code.
    pub(super) account: Option<String>,
    /// Cash at the start, in the base currency.
    pub(super) cash: Option<f64>,
    /// The account's currency, such as `EUR`.
    pub(super) base_currency: Option<String>,
    /// Units of it that a dollar costs.
    pub(super) base_per_usd: Option<f64>,
    /// When the conversation starts, with its zone: `20260824 22:51:45 CET`.
    pub(super) start: Option<String>,
    /// Whether the account has real-time data.
    pub(super) entitled: Option<bool>,
    /// The client's id.
    pub(super) client_id: Option<i32>,
    /// Contracts by symbol.
    pub(super) contract: Vec<Traded>,
    /// Positions held at the start.
    pub(super) position: Vec<Held>,
}

/// A contract and its market.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Traded {
    /// Ticker.
    pub(super) symbol: String,
    /// IB's contract id.
    pub(super) con_id: i32,
    /// Listing exchange.
    pub(super) primary_exchange: String,
    /// Best bid, USD.
    pub(super) bid: f64,
    /// Best offer, USD.
    pub(super) ask: f64,
    /// The previous close, USD.
    pub(super) close: f64,
    /// Shares that can be borrowed.
    pub(super) shortable: Option<i64>,
    /// Whether there is a quote at the start; its prices count all the same.
    pub(super) quoted: bool,
}

impl Default for Traded {
    fn default() -> Self {
        Self {
            symbol: String::new(),
            con_id: 0,
            primary_exchange: String::new(),
            bid: 0.0,
            ask: 0.0,
            close: 0.0,
            shortable: None,
            quoted: true,
        }
    }
}

/// A position.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Held {
    /// Ticker.
    pub(super) symbol: String,
    /// Signed shares.
    pub(super) shares: i64,
    /// Cost of one with commissions, USD.
    pub(super) average_cost: f64,
}

/// A fill that the recording has: the market that is played makes it happen.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fill {
    pub(super) order_id: i32,
    pub(super) con_id: i32,
    pub(super) buys: bool,
    pub(super) shares: i64,
    pub(super) price: f64,
}

/// All that a conversation needs.
#[derive(Clone, Debug)]
pub(super) struct Fixture {
    pub(super) account: String,
    pub(super) cash: f64,
    pub(super) base_currency: String,
    /// Units of it that a dollar costs.
    pub(super) base_per_usd: f64,
    pub(super) start: SessionTime,
    pub(super) entitled: bool,
    /// By connection of the conversation.
    pub(super) client_ids: Vec<i32>,
    pub(super) contracts: Vec<Traded>,
    pub(super) positions: Vec<Held>,
    pub(super) farms: Vec<(i32, String)>,
    pub(super) executions_end_when_empty: bool,
    /// Orders that stand from before the conversation: client, contract, order.
    pub(super) standing: Vec<(i32, Contract, Order)>,
    pub(super) fills: Vec<Fill>,
    /// Orders that are told of in full: sent in the conversation, or standing.
    pub(super) own_orders: BTreeSet<i64>,
    /// Ids of contracts that are no US stocks.
    pub(super) foreign: BTreeSet<i64>,
    /// Streams about them, and of requests that are not served.
    pub(super) beyond: BTreeSet<String>,
    /// Whether the client asks for what is not served.
    pub(super) unserved: bool,
}

impl Fixture {
    /// What `recording` needs, with the file of its name in `folder` laid over it.
    ///
    /// # Errors
    /// The file can't be read or holds an unknown key.
    pub(super) fn of(recording: &Recording, folder: Option<&Path>) -> anyhow::Result<Self> {
        let mut fixture = derive::derive(recording);
        let Some(path) = folder.map(|f| f.join(format!("{}.toml", recording.name))) else { return Ok(fixture) };
        if path.is_file() {
            let text = std::fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
            let file: FixtureFile =
                toml::from_str(&text).with_context(|| format!("{} is no fixture", path.display()))?;
            fixture.lay_over(file).with_context(|| format!("{} is no fixture", path.display()))?;
        }
        Ok(fixture)
    }

    fn lay_over(&mut self, file: FixtureFile) -> anyhow::Result<()> {
        if let Some(text) = file.start {
            let start = zones::parse(&text);
            self.start = start.with_context(|| format!("start = {text:?}: write it as \"20260824 22:51:45 CET\""))?;
        }
        let set = |to: &mut String, from: Option<String>| *to = from.unwrap_or_else(|| std::mem::take(to));
        set(&mut self.account, file.account);
        set(&mut self.base_currency, file.base_currency);
        self.base_per_usd = file.base_per_usd.unwrap_or(self.base_per_usd);
        self.cash = file.cash.unwrap_or(self.cash);
        self.entitled = file.entitled.unwrap_or(self.entitled);
        if let Some(id) = file.client_id {
            self.client_ids.fill(id);
        }
        for traded in file.contract {
            self.contracts.retain(|c| c.symbol != traded.symbol);
            self.contracts.push(traded);
        }
        for held in file.position {
            self.positions.retain(|p| p.symbol != held.symbol);
            self.positions.push(held);
        }
        Ok(())
    }
}
