//! Qualification of the universe with the broker: one contract per ticker, its price increments from the market
//! rule that is aligned with SMART (not `minTick`, which is only the finest of them). Owns no state.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Mutex;

use ibapi::Error;
use ibapi::client::blocking::Client;
use ibapi::contracts::{Contract, ContractDetails, Exchange, MarketRule, SecurityType};

use super::config::Config;
use super::connect::BrokerError;
use super::pacing::Pacer;
use super::shared::pause;
use crate::broker::port::Lane;
use crate::clock::Clock;
use crate::domain::{ConId, Instrument, Price, SymbolId, TickRule};

/// Most symbols that a session can hold.
const MAX_SYMBOLS: usize = 4_096;
/// Pause between tries for a message token.
const TOKEN_POLL: std::time::Duration = std::time::Duration::from_millis(1);

/// A ticker of the universe as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Ticker, as IB spells it (`BRK B`).
    pub symbol: String,
    /// Listing exchange, when the ticker alone is ambiguous; empty otherwise.
    pub primary_exchange: String,
}

impl Listing {
    /// A ticker that needs no exchange.
    pub fn of(symbol: &str) -> Self {
        Self { symbol: symbol.into(), primary_exchange: String::new() }
    }
}

/// The universe's tickers as instruments, ids in the given order.
///
/// # Errors
/// The first ticker that can't be traded.
pub(super) fn qualify(
    client: &Client,
    universe: &[Listing],
    config: &Config,
    pacer: &Pacer,
    clock: &(impl Clock + Sync),
) -> Result<Vec<Instrument>, BrokerError> {
    if universe.is_empty() || universe.len() > MAX_SYMBOLS {
        return Err(BrokerError::Universe(format!("{} symbols; between 1 and {MAX_SYMBOLS}", universe.len())));
    }
    let token = || {
        while pacer.try_take(Lane::Worker, clock.now()).is_err() {
            pause(TOKEN_POLL);
        }
    };
    let rules: Mutex<BTreeMap<i32, Vec<TickRule>>> = Mutex::default();
    let answers = in_parallel(config.history_parallel, universe.len(), |i| {
        let listing = &universe[i];
        let fail = |why: String| BrokerError::Qualify { symbol: listing.symbol.clone(), why };
        token();
        let rows = details(client, listing, config).map_err(|e| fail(e.to_string()))?;
        let details = choose(&rows, listing).map_err(fail)?;
        let rule_id = smart_rule(details).ok_or_else(|| fail("its details name no market rule for SMART".into()))?;
        // The lock is held over the request: of many symbols with one rule, the first asks.
        let mut rules = rules.lock().map_err(|_| fail("another request panicked".into()))?;
        let tick_rules = match rules.entry(rule_id) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(unknown) => {
                token();
                let rule = client.market_rule(rule_id).map_err(|e| fail(format!("market rule {rule_id}: {e}")))?;
                unknown.insert(tick_rules(&rule)).clone()
            }
        };
        if tick_rules.is_empty() {
            return Err(fail(format!("market rule {rule_id} has no price increments")));
        }
        Ok(instrument(i, details, tick_rules))
    });
    let instruments = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut con_ids: Vec<_> = instruments.iter().map(|i| (i.con_id, &i.symbol)).collect();
    con_ids.sort_unstable();
    if let Some(twice) = con_ids.windows(2).find(|w| w[0].0 == w[1].0) {
        return Err(BrokerError::Universe(format!("{} and {} are one contract; remove one", twice[0].1, twice[1].1)));
    }
    Ok(instruments)
}

fn details(client: &Client, listing: &Listing, config: &Config) -> Result<Vec<ContractDetails>, Error> {
    let mut contract = Contract::stock(listing.symbol.as_str()).build();
    contract.primary_exchange = Exchange::from(listing.primary_exchange.as_str());
    client.contract_details_stream(&contract).subscribe()?.collect_to_end_within(config.query_timeout())
}

/// The one US stock among the answers.
fn choose<'a>(rows: &'a [ContractDetails], listing: &Listing) -> Result<&'a ContractDetails, String> {
    let fits = |d: &&ContractDetails| {
        let c = &d.contract;
        c.security_type == SecurityType::Stock
            && c.currency.as_str() == "USD"
            && c.contract_id > 0
            && (listing.primary_exchange.is_empty() || c.primary_exchange.as_str() == listing.primary_exchange)
    };
    let mut fitting = rows.iter().filter(fits);
    let first = fitting.next().ok_or("the gateway knows no such USD stock")?;
    match fitting.find(|d| d.contract.contract_id != first.contract.contract_id) {
        None => Ok(first),
        Some(other) => Err(format!(
            "it is listed on {} and {}; name its primary exchange",
            first.contract.primary_exchange.as_str(),
            other.contract.primary_exchange.as_str()
        )),
    }
}

/// The market rule at SMART's place in the list of exchanges.
fn smart_rule(d: &ContractDetails) -> Option<i32> {
    let place = d.valid_exchanges.iter().position(|e| e == "SMART")?;
    d.market_rule_ids.get(place)?.trim().parse().ok()
}

fn tick_rules(rule: &MarketRule) -> Vec<TickRule> {
    let step =
        |low: f64, increment: f64| TickRule { low_edge: Price::from_f64(low), increment: Price::from_f64(increment) };
    let mut rules: Vec<_> = rule.price_increments.iter().map(|p| step(p.low_edge, p.increment)).collect();
    rules.retain(|r| r.increment.is_some());
    rules.sort_unstable_by_key(|r| r.low_edge);
    rules
}

fn instrument(index: usize, d: &ContractDetails, tick_rules: Vec<TickRule>) -> Instrument {
    Instrument {
        id: SymbolId(u16::try_from(index).unwrap_or(u16::MAX)),
        symbol: d.contract.symbol.as_str().into(),
        con_id: ConId(d.contract.contract_id),
        primary_exchange: d.contract.primary_exchange.as_str().into(),
        currency: d.contract.currency.as_str().into(),
        tick_rules,
    }
}

/// Runs `job(0..count)` on up to `workers` threads; results in order.
pub(super) fn in_parallel<R: Send>(workers: usize, count: usize, job: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(count));
    std::thread::scope(|scope| {
        for _ in 0..workers.clamp(1, count.max(1)) {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if i >= count {
                        break;
                    }
                    let result = job(i);
                    done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((i, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_unstable_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, r)| r).collect()
}

#[cfg(test)]
mod tests {
    use ibapi::contracts::PriceIncrement;

    use super::*;

    fn listed(con_id: i32, exchange: &str) -> ContractDetails {
        let mut contract = Contract::stock("AAPL").build();
        contract.contract_id = con_id;
        contract.primary_exchange = Exchange::from(exchange);
        ContractDetails {
            contract,
            valid_exchanges: vec!["NYSE".into(), "SMART".into(), "IEX".into()],
            market_rule_ids: vec!["557".into(), " 26".into(), "32".into()],
            ..ContractDetails::default()
        }
    }

    #[test]
    fn one_contract_or_a_clear_refusal() {
        let rows = [listed(1, "NASDAQ"), listed(1, "NASDAQ"), listed(2, "MEXI")];
        let ask = |exchange: &str| Listing { primary_exchange: exchange.into(), ..Listing::of("AAPL") };
        assert_eq!(choose(&rows, &ask("NASDAQ")).map(|d| d.contract.contract_id), Ok(1));
        assert_eq!(choose(&rows, &ask("MEXI")).map(|d| d.contract.contract_id), Ok(2));
        let ambiguous = choose(&rows, &ask("")).unwrap_err();
        assert!(ambiguous.contains("NASDAQ and MEXI") && ambiguous.contains("primary exchange"), "{ambiguous}");
        assert!(choose(&[], &ask("")).unwrap_err().contains("no such USD stock"));
        let mut euro = listed(3, "IBIS");
        euro.contract.currency = "EUR".into();
        assert!(choose(&[euro], &ask("")).is_err());
    }

    #[test]
    fn increments_come_from_the_rule_aligned_with_smart() {
        assert_eq!(smart_rule(&listed(1, "NASDAQ")), Some(26));
        let short = ContractDetails { market_rule_ids: vec!["557".into()], ..listed(1, "NASDAQ") };
        assert_eq!(smart_rule(&short), None);
        let none = ContractDetails { valid_exchanges: vec!["NYSE".into()], ..listed(1, "NASDAQ") };
        assert_eq!(smart_rule(&none), None);
        let rule = MarketRule {
            market_rule_id: 26,
            price_increments: vec![
                PriceIncrement { low_edge: 1.0, increment: 0.01 },
                PriceIncrement { low_edge: 0.0, increment: 0.0001 },
                PriceIncrement { low_edge: 9.0, increment: 0.0 },
            ],
        };
        let expected = [
            TickRule { low_edge: Price(0), increment: Price(100) },
            TickRule { low_edge: Price(1_000_000), increment: Price(10_000) },
        ];
        assert_eq!(tick_rules(&rule), expected);
    }

    #[test]
    fn parallel_results_keep_their_order() {
        assert_eq!(in_parallel(3, 10, |i| i * i), (0..10).map(|i| i * i).collect::<Vec<_>>());
        assert!(in_parallel(3, 0, |i| i).is_empty());
    }
}
