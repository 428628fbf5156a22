//! Tickers of the synthetic market in order of liquidity, listing exchanges and the contract ids that are publicly
//! known. The first 78 are also the names of the one-minute bar files, so that one configured universe serves both.

use super::rng::name_hash;
use crate::domain::ConId;

/// Tickers, most liquid first.
pub(super) const TICKERS: [&str; 100] = [
    "TSLA", "MU", "AAPL", "AVGO", "AMZN", "META", "ORCL", "GOOGL", "INTC", "TSM", "GOOG", "NFLX", "MRVL", "LRCX",
    "NOW", "WDC", "COIN", "CRM", "AMAT", "KLAC", "STX", "MA", "V", "CRWD", "SNOW", "INTU", "QCOM", "SHOP", "ADBE",
    "SPOT", "PANW", "NET", "IBM", "ANET", "ACN", "SMCI", "TEAM", "ADI", "CDNS", "DDOG", "ARM", "MPWR", "PDD", "ZM",
    "SAP", "HUBS", "AFRM", "VEEV", "RBLX", "ABNB", "MCHP", "FTNT", "FISV", "SE", "ON", "U", "OKTA", "TWLO", "PATH",
    "CTSH", "NXPI", "IOT", "ROKU", "INFY", "FIS", "HPE", "GPN", "NTAP", "SWKS", "SONY", "NTES", "BILI", "AI", "ESTC",
    "GLOB", "QRVO", "WIT", "APPS", "BAC", "JPM", "XOM", "UNH", "HD", "PG", "COST", "WMT", "DIS", "KO", "PEP", "MRK",
    "PFE", "CAT", "BA", "GE", "UBER", "LLY", "CVX", "ABT", "MCD", "NKE",
];

/// Names listed on NYSE; the others are Nasdaq's.
const NYSE: &[&str] = &[
    "ORCL", "TSM", "NOW", "CRM", "MA", "V", "SNOW", "SPOT", "NET", "IBM", "ANET", "ACN", "SAP", "HUBS", "VEEV", "RBLX",
    "SE", "U", "TWLO", "PATH", "IOT", "INFY", "FIS", "HPE", "GPN", "SONY", "AI", "ESTC", "GLOB", "WIT", "BAC", "JPM",
    "XOM", "UNH", "HD", "PG", "WMT", "DIS", "KO", "MRK", "PFE", "CAT", "BA", "GE", "UBER", "LLY", "CVX", "ABT", "MCD",
    "NKE", "AIG",
];

/// Contract ids as IB's gateways gave them out in public recordings.
const KNOWN: &[(&str, i32)] = &[
    ("AAPL", 265_598),
    ("MU", 9_939),
    ("CRM", 29_624_264),
    ("NOW", 109_911_821),
    ("ADBE", 265_768),
    ("INTC", 270_639),
    ("GOOG", 208_813_720),
    ("VEEV", 136_254_493),
    ("HUBS", 169_544_810),
    ("UBER", 365_207_014),
    ("CAT", 5_437),
];

/// Most symbols of the synthetic market.
pub(super) const SYMBOLS_MAX: usize = 4_000;

/// The ticker at `rank`, most liquid first; after the known ones made-up names of four letters, the first an X.
pub(super) fn ticker(rank: usize) -> String {
    let Some(beyond) = rank.checked_sub(TICKERS.len()) else { return TICKERS[rank].to_string() };
    let letter = |place: usize| char::from(b'A' + u8::try_from(beyond / place % 26).unwrap_or(0));
    ['X', letter(676), letter(26), letter(1)].into_iter().collect()
}

/// Where `symbol` is listed.
pub(super) fn primary_exchange(symbol: &str) -> &'static str {
    match symbol {
        "SPY" => "ARCA",
        s if NYSE.contains(&s) => "NYSE",
        _ => "NASDAQ",
    }
}

/// The contract id of `symbol`: the known one, else 800,000,000 and up by name.
pub(super) fn con_id(symbol: &str) -> ConId {
    let made_up = || 800_000_000 + i32::try_from(name_hash(symbol) % 100_000_000).unwrap_or(0);
    ConId(KNOWN.iter().find(|(s, _)| *s == symbol).map_or_else(made_up, |(_, id)| *id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contract_ids_are_unique() {
        let mut ids: Vec<_> = (0..1_000).map(|i| con_id(&ticker(i))).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 1_000);
    }

    #[test]
    fn tickers_are_unique_and_the_known_ones_come_first() {
        let mut names: Vec<_> = (0..SYMBOLS_MAX).map(ticker).collect();
        assert_eq!([names[99].as_str(), &names[100], &names[127]], ["NKE", "XAAA", "XABB"]);
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), SYMBOLS_MAX);
    }
}
