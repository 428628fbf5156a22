//! Identities as newtypes: a bare number never crosses a module boundary.

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($int:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $int);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

id! {
    /// Index of a symbol in the session's universe, dense from 0.
    SymbolId(u16)
}
id! {
    /// IB contract id.
    ConId(i32)
}
id! {
    /// Order id of one API client, monotonic per client.
    OrderId(i32)
}
id! {
    /// IB's account-wide permanent order id.
    PermId(i64)
}
id! {
    /// API client id.
    ClientId(i32)
}
id! {
    /// One decision for one symbol in one cycle.
    DecisionId(u64)
}
id! {
    /// One connection to the gateway: a new socket is a new epoch.
    ConnEpoch(u32)
}
id! {
    /// One run of the trader process over one journal.
    ProcessEpoch(u32)
}

impl SymbolId {
    /// As a table index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}
