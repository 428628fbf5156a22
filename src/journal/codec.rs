//! Fixed layouts: each field little-endian, in order, no gaps. An `Option` is a byte and the value (zero bytes when
//! absent), a `Text<N>` is its length and N bytes, so that each record type has one length.

use crate::clock::SessionTime;
use crate::domain::calendar::Date;
use crate::domain::{
    ClientId, ConId, ConnEpoch, DecisionId, Money, OrderId, PermId, Price, ProcessEpoch, Qty, Side, SymbolId, Text,
};

/// Bytes being written.
#[derive(Debug)]
pub(crate) struct Out<'a> {
    bytes: &'a mut [u8],
    len: usize,
    overflow: bool,
}

impl<'a> Out<'a> {
    /// Writes into `bytes`.
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, len: 0, overflow: false }
    }

    fn put(&mut self, data: &[u8]) {
        match self.bytes.get_mut(self.len..self.len + data.len()) {
            Some(place) => place.copy_from_slice(data),
            None => self.overflow = true,
        }
        self.len += data.len();
    }

    /// Bytes written; `None` when they did not fit.
    pub(crate) fn finish(self) -> Option<usize> {
        (!self.overflow).then_some(self.len)
    }
}

/// Bytes being read.
#[derive(Debug)]
pub(crate) struct In<'a> {
    bytes: &'a [u8],
}

impl<'a> In<'a> {
    /// Reads from `bytes`.
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.bytes.split_first_chunk::<N>()?;
        self.bytes = tail;
        Some(*head)
    }

    /// Whether everything was read.
    pub(crate) const fn is_done(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// A value with a fixed layout.
pub(crate) trait Wire: Sized {
    /// Appends it.
    fn put(&self, out: &mut Out<'_>);
    /// Reads it; `None` when bytes are missing or mean nothing.
    fn get(from: &mut In<'_>) -> Option<Self>;
}

macro_rules! number {
    ($($t:ty),*) => {$(
        impl Wire for $t {
            fn put(&self, out: &mut Out<'_>) {
                out.put(&self.to_le_bytes());
            }
            fn get(from: &mut In<'_>) -> Option<Self> {
                from.take().map(<$t>::from_le_bytes)
            }
        }
    )*};
}
number!(u8, u16, u32, u64, i32, i64, f32);

macro_rules! newtype {
    ($($t:ident),*) => {$(
        impl Wire for $t {
            fn put(&self, out: &mut Out<'_>) {
                self.0.put(out);
            }
            fn get(from: &mut In<'_>) -> Option<Self> {
                Wire::get(from).map($t)
            }
        }
    )*};
}
newtype!(
    SessionTime,
    Date,
    ClientId,
    ConId,
    ConnEpoch,
    DecisionId,
    Money,
    OrderId,
    PermId,
    Price,
    ProcessEpoch,
    Qty,
    SymbolId
);

impl Wire for bool {
    fn put(&self, out: &mut Out<'_>) {
        u8::from(*self).put(out);
    }
    fn get(from: &mut In<'_>) -> Option<Self> {
        match u8::get(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Wire for Side {
    fn put(&self, out: &mut Out<'_>) {
        u8::from(*self == Self::Sell).put(out);
    }
    fn get(from: &mut In<'_>) -> Option<Self> {
        bool::get(from).map(|sell| if sell { Self::Sell } else { Self::Buy })
    }
}

impl<T: Wire + Default> Wire for Option<T> {
    fn put(&self, out: &mut Out<'_>) {
        self.is_some().put(out);
        match self {
            Some(v) => v.put(out),
            None => T::default().put(out),
        }
    }
    fn get(from: &mut In<'_>) -> Option<Self> {
        let some = bool::get(from)?;
        let value = T::get(from)?;
        Some(some.then_some(value))
    }
}

impl<const N: usize> Wire for Text<N> {
    fn put(&self, out: &mut Out<'_>) {
        let text = self.as_str().as_bytes();
        u8::try_from(text.len()).unwrap_or(u8::MAX).put(out);
        let mut bytes = [0; N];
        bytes[..text.len()].copy_from_slice(text);
        out.put(&bytes);
    }
    fn get(from: &mut In<'_>) -> Option<Self> {
        let len = usize::from(u8::get(from)?);
        let bytes = from.take::<N>()?;
        let text = std::str::from_utf8(bytes.get(..len)?).ok()?;
        Self::new(text)
    }
}

/// A limit, or market, and a time in force, as two numbers each.
pub(crate) mod terms {
    use super::*;
    use crate::domain::{OrderKind, Tif};

    /// The limit; zero = market.
    pub(crate) fn limit(kind: OrderKind) -> Price {
        kind.limit().unwrap_or(Price::NONE)
    }

    /// The kind that `limit` stands for.
    pub(crate) fn kind(limit: Price) -> OrderKind {
        if limit.is_some() { OrderKind::Limit(limit) } else { OrderKind::Market }
    }

    /// Code and instant (0 unless GTD).
    pub(crate) fn tif(tif: Tif) -> (u8, SessionTime) {
        match tif {
            Tif::Day => (0, SessionTime(0)),
            Tif::Gtd(until) => (1, until),
            Tif::Ioc => (2, SessionTime(0)),
            Tif::Gtc => (3, SessionTime(0)),
        }
    }

    /// The time in force of a code; `None` = no such code.
    pub(crate) fn tif_of(code: u8, until: SessionTime) -> Option<Tif> {
        match code {
            0 => Some(Tif::Day),
            1 => Some(Tif::Gtd(until)),
            2 => Some(Tif::Ioc),
            3 => Some(Tif::Gtc),
            _ => None,
        }
    }
}
