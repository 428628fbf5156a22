//! Which market data the account may have, by the network that carries the listing's tape.
//!
//! Documented by IB: quotes of a listing come from its network (A: NYSE, B: ARCA, AMEX and the regional exchanges, C:
//! Nasdaq), subscribed one by one; without a subscription most are offered 15 minutes late. Recorded: 10167, 10089,
//! 10189, 10092, 420 and 2188 where there is none.

use std::collections::BTreeMap;

/// What one network gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Entitlement {
    /// Everything, in real time.
    #[default]
    Live,
    /// Real-time quotes of some exchanges only: type 1, but not the consolidated best bid and offer.
    Partial,
    /// Quotes 15 minutes late, for those who ask for delayed data.
    Delayed,
    /// Nothing.
    None,
}

/// Entitlements by network, `A`, `B` and `C`; a network that is not named is live.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entitlements(BTreeMap<char, Entitlement>);

impl Entitlements {
    /// Reads `NETWORK=WHAT`, such as `C=delayed`, on top of what is there.
    ///
    /// # Errors
    /// Neither a network nor one of `live`, `partial`, `delayed`, `none`; the text says which.
    pub fn set(&mut self, text: &str) -> Result<(), String> {
        let unknown = || {
            format!(
                "`{text}` is no entitlement; write NETWORK=WHAT, such as C=delayed (networks A, B, C; live, partial, delayed, none)"
            )
        };
        let (network, what) = text.split_once('=').ok_or_else(unknown)?;
        let network = match network {
            "A" => 'A',
            "B" => 'B',
            "C" => 'C',
            _ => return Err(unknown()),
        };
        let what = match what {
            "live" => Entitlement::Live,
            "partial" => Entitlement::Partial,
            "delayed" => Entitlement::Delayed,
            "none" => Entitlement::None,
            _ => return Err(unknown()),
        };
        self.0.insert(network, what);
        Ok(())
    }

    /// What a listing exchange's quotes come as.
    pub(super) fn of(&self, primary_exchange: &str) -> Entitlement {
        if self.0.is_empty() {
            return Entitlement::Live;
        }
        let network = match primary_exchange {
            "NYSE" => 'A',
            "NASDAQ" => 'C',
            _ => 'B',
        };
        self.0.get(&network).copied().unwrap_or_default()
    }

    /// Whether any network is delayed.
    pub(super) fn any_delayed(&self) -> bool {
        self.0.values().any(|e| *e == Entitlement::Delayed)
    }
}

impl Entitlement {
    /// Whether quotes come in real time.
    pub(super) const fn is_real_time(self) -> bool {
        matches!(self, Self::Live | Self::Partial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_set_one_by_one() {
        let mut e = Entitlements::default();
        assert_eq!((e.of("NYSE"), e.any_delayed()), (Entitlement::Live, false));
        e.set("C=delayed").unwrap_or_default();
        e.set("B=none").unwrap_or_default();
        assert_eq!(
            ["NYSE", "ARCA", "NASDAQ"].map(|x| e.of(x)),
            [Entitlement::Live, Entitlement::None, Entitlement::Delayed]
        );
        assert!(e.any_delayed());
        for bad in ["C", "D=live", "C=some"] {
            assert!(e.set(bad).is_err(), "{bad}");
        }
    }
}
