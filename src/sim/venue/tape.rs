//! What the venue keeps of one symbol's raw market: the latest prints and quotes, and minute bars of bid, offer and
//! midpoint since the window opened. Bounded: history beyond it is one-minute trade bars (`history`).

use std::collections::VecDeque;

use crate::clock::{MINUTE, SessionTime};
use crate::domain::{Price, Qty};
use crate::sim::market::{Bar, Quote};

/// Prints and quotes kept: as many as one request for historical ticks may ask.
pub(super) const KEPT: usize = 1_000;

/// One symbol's tape.
#[derive(Debug, Default)]
pub(super) struct Tape {
    pub(super) prints: VecDeque<(SessionTime, Price, Qty)>,
    pub(super) quotes: VecDeque<(SessionTime, Quote)>,
    pub(super) bids: Vec<Bar>,
    pub(super) asks: Vec<Bar>,
    pub(super) mids: Vec<Bar>,
}

impl Tape {
    pub(super) fn print(&mut self, time: SessionTime, price: Price, size: Qty) {
        if size.0 > 0 {
            push(&mut self.prints, (time, price, size));
        }
    }

    pub(super) fn quote(&mut self, time: SessionTime, q: Quote) {
        push(&mut self.quotes, (time, q));
        let minute = time.floor_to(MINUTE);
        if q.bid.is_some() {
            add(&mut self.bids, minute, q.bid);
        }
        if q.ask.is_some() {
            add(&mut self.asks, minute, q.ask);
        }
        if let Some(mid) = mid(q) {
            add(&mut self.mids, minute, mid);
        }
    }
}

/// The midpoint of a two-sided quote.
pub(super) fn mid(q: Quote) -> Option<Price> {
    (q.bid.is_some() && q.ask.is_some()).then(|| Price((q.bid.0 + q.ask.0) / 2))
}

fn push<T>(list: &mut VecDeque<T>, item: T) {
    if list.len() == KEPT {
        list.pop_front();
    }
    list.push_back(item);
}

fn add(bars: &mut Vec<Bar>, minute: SessionTime, price: Price) {
    match bars.last_mut() {
        Some(b) if b.start == minute => b.add(price, Qty::ZERO),
        _ => bars.push(Bar::of(minute, price, Qty::ZERO)),
    }
}
