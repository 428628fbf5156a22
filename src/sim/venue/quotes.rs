//! Market-data lines of pairs and indices: a look at their model every second while anyone watches; at indices until the
//! close.

use super::agenda::Task;
use super::contracts::Instrument;
use super::core::Core;
use super::data::{Tick, kind};
use super::sessions::Feed;
use crate::clock::{HOUR, SECOND, SessionTime};
use crate::domain::{Price, Qty};
use crate::sim::api::{ConnId, Outgoing};
use crate::sim::market::quoted::{Kind, QUOTED};
use crate::sim::market::{Quote, RawBody};

impl Core {
    /// Everything known of a pair or an index. Its prior close is its level a day ago (assumed).
    pub(super) fn quoted_snapshot(&self, conn: ConnId, req_id: i32, i: usize, out: &mut Vec<Outgoing>) {
        let mut list = self.quoted_ticks_since(i, None);
        list.push(Tick::price(kind::CLOSE, QUOTED[i].level(self.seed, self.now - 24 * HOUR), None));
        out.extend(list.iter().map(|t| Outgoing { conn, response: t.response(req_id) }));
    }

    /// Starts the looks, if someone watches and there are none.
    pub(super) fn start_quoted(&mut self) {
        if !self.quoted_beat && self.quoted_in_use().next().is_some() {
            self.quoted_beat = true;
            self.agenda.add(self.now.floor_to(SECOND) + SECOND, Task::QuotedBeat);
        }
    }

    fn quoted_in_use(&self) -> impl Iterator<Item = usize> {
        let streamed = |i| self.sessions.streams.instruments().any(|x| x == Instrument::Quoted(i));
        (0..QUOTED.len()).filter(move |i| !self.sessions.watching(Feed::Quoted(*i)).is_empty() || streamed(*i))
    }

    pub(super) fn look_at_quoted(&mut self, out: &mut Vec<Outgoing>) {
        self.quoted_beat = false;
        let used: Vec<usize> = self.quoted_in_use().collect();
        let closed = self.now >= self.source.hours().close;
        for i in used {
            if closed && QUOTED[i].kind == Kind::Index {
                continue;
            }
            let list = self.quoted_ticks_since(i, Some(self.now - SECOND));
            for (conn, req_id) in self.sessions.watching(Feed::Quoted(i)) {
                out.extend(list.iter().map(|t| Outgoing { conn: *conn, response: t.response(*req_id) }));
            }
            let body = match QUOTED[i].kind {
                Kind::Cash => RawBody::Quote(QUOTED[i].quote(self.seed, self.now)),
                Kind::Index => RawBody::Trade { price: QUOTED[i].level(self.seed, self.now), size: Qty(0) },
            };
            let exchange = QUOTED[i].exchange;
            self.sessions.streams.event(Instrument::Quoted(i), self.now, &body, exchange, out);
        }
        self.start_quoted();
    }

    /// The ticks of what changed since an instant; of everything without one.
    fn quoted_ticks_since(&self, i: usize, since: Option<SessionTime>) -> Vec<Tick> {
        let quoted = &QUOTED[i];
        if quoted.kind == Kind::Index {
            let level = quoted.level(self.seed, self.now);
            let same = since.is_some_and(|t| quoted.level(self.seed, t) == level);
            return if same { Vec::new() } else { vec![Tick::price(kind::LAST, level, None)] };
        }
        let new = quoted.quote(self.seed, self.now);
        let old = since.map_or_else(Quote::default, |t| quoted.quote(self.seed, t));
        let mut list = Vec::new();
        let mut side = |kinds: (i32, i32), (p, s): (Price, Qty), before: (Price, Qty)| {
            if p != before.0 {
                list.push(Tick::price(kinds.0, p, Some(s)));
            } else if s != before.1 {
                list.push(Tick::Size { kind: kinds.1, size: s.0 as f64 });
            }
        };
        side((kind::BID, kind::BID_SIZE), (new.bid, new.bid_size), (old.bid, old.bid_size));
        side((kind::ASK, kind::ASK_SIZE), (new.ask, new.ask_size), (old.ask, old.ask_size));
        list
    }
}
