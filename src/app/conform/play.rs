//! Plays the client's side of a conversation against the venue. The client spoke after it had heard so much: so the player
//! waits until the venue has said as much in every stream, or has nothing more to say, and then sends the next request.
//! Where the recording has times, the session clock is at least there.

use std::collections::BTreeMap;

use super::derive::time_of;
use super::fields::{self, Message};
use super::fixture::Fixture;
use super::recording::{Recording, Step};
use super::stand::{self, Market};
use super::streams::{self, Guide, gist};
use crate::clock::{MILLISECOND, MINUTE, Nanos, SECOND, SessionTime};
use crate::sim::api::{ConnId, Order, Outgoing, Request, Response};
use crate::sim::venue::Venue;
use crate::sim::wire::codec::Codec;
use crate::sim::wire::handshake::ServerVersion;

/// How long before the conversation the venue opens: delayed data is 15 minutes late.
const BEFORE: Nanos = 20 * MINUTE;
/// How long before it standing orders are sent: they come to rest.
const STANDING_BEFORE: Nanos = 2 * MINUTE;
/// How long the player waits for what does not come.
const PATIENCE: Nanos = 2 * SECOND;
/// As `PATIENCE`, for rows that come at the account's cadence.
const PATIENCE_FOR_ROWS: Nanos = 200 * SECOND;
/// Furthest that a recorded time moves the clock at once.
const JUMP_MAX: Nanos = 10 * MINUTE;
/// How long a client takes to speak.
const THOUGHT: Nanos = MILLISECOND;
/// Account rows: value, portfolio, time, summary.
const CADENCED: &[i32] = &[6, 7, 8, 63];

/// One answer, as heard on one connection.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    /// How many requests the client had sent.
    pub(super) asked: usize,
    pub(super) message: Message,
}

/// What one connection heard.
#[derive(Debug, Default)]
pub(super) struct Leg {
    pub(super) recorded: Vec<Heard>,
    pub(super) ours: Vec<Heard>,
    /// How many requests the client sent in all.
    pub(super) asked: usize,
}

/// A conversation as recorded and as played.
#[derive(Debug, Default)]
pub(super) struct Played {
    pub(super) legs: Vec<Leg>,
    /// What of the client's side could not be played, and why.
    pub(super) unplayable: Vec<String>,
}

/// The player's state.
struct Player<'a> {
    fixture: &'a Fixture,
    guide: &'a Guide,
    /// The recording is a selection of messages.
    selection: bool,
    venue: Venue,
    market: Market,
    now: SessionTime,
    conn: ConnId,
    version: Option<(ServerVersion, Codec)>,
    played: Played,
    out: Vec<Outgoing>,
    /// Fills that the venue has reported, by order.
    fills_told: BTreeMap<i64, usize>,
    /// What the player has given up waiting for, by stream of this connection.
    forgone: BTreeMap<String, usize>,
    /// The quote that each order's next fill needs was set, so often.
    fills_quoted: BTreeMap<i32, usize>,
}

/// Plays `recording` in the world of `fixture`.
///
/// # Errors
/// The venue can't be built from the fixture, or its answers can't be read back.
pub(super) fn play(recording: &Recording, fixture: &Fixture, guide: &Guide) -> anyhow::Result<Played> {
    let opens = SessionTime(fixture.start.0 - BEFORE);
    let (venue, market) = stand::venue(fixture, opens)?;
    let mut p = Player {
        fixture,
        guide,
        selection: recording.decoded,
        venue,
        market,
        now: opens,
        conn: ConnId(1_000),
        version: None,
        played: Played::default(),
        out: Vec::new(),
        fills_told: BTreeMap::new(),
        forgone: BTreeMap::new(),
        fills_quoted: BTreeMap::new(),
    };
    p.stand_orders();
    let mut first = None;
    for (at, step) in recording.steps.iter().enumerate() {
        match step {
            Step::Connect { version, time } => {
                // Both ends of the difference come from handshakes: it hangs on no zone.
                let since = time.zip(*first.get_or_insert(*time)).map_or(0, |(t, from)| t - from);
                p.reach(SessionTime(fixture.start.0 + since));
                p.connect(*version, &recording.steps[at + 1..])?;
            }
            Step::Client(request) => p.ask(request)?,
            Step::Unplayable(why) => p.played.unplayable.push(why.clone()),
            Step::Server(message) => p.expect(message)?,
            Step::Sleep(ns) => p.advance(SessionTime(p.now.0 + ns))?,
            Step::Disconnect => p.disconnect()?,
        }
    }
    p.disconnect()?;
    Ok(p.played)
}

impl Player<'_> {
    /// Lets time pass and notes what the client hears.
    fn advance(&mut self, to: SessionTime) -> anyhow::Result<()> {
        self.now = self.now.max(to);
        self.venue.advance(self.now, &mut self.out);
        self.listen()
    }

    fn reach(&mut self, t: SessionTime) {
        let most = SessionTime(self.now.0 + JUMP_MAX.max(BEFORE));
        self.now = self.now.max(t.min(most));
        let mut nobody = Vec::new();
        self.venue.advance(self.now, &mut nobody);
        self.out.extend(nobody);
    }

    fn listen(&mut self) -> anyhow::Result<()> {
        let out = std::mem::take(&mut self.out);
        for o in out {
            let (true, Some((version, codec))) = (o.conn == self.conn, &mut self.version) else { continue };
            if matches!(o.response, Response::Disconnect) {
                continue;
            }
            let messages = fields::said(codec, *version, o.response).map_err(anyhow::Error::msg)?;
            let Some(leg) = self.played.legs.last_mut() else { continue };
            for message in messages {
                if message.id == 11
                    && let Some(id) = message.int("3.1")
                {
                    *self.fills_told.entry(id).or_default() += 1;
                }
                tracing::debug!(now = %self.now, "ours {}", gist(&message));
                leg.ours.push(Heard { asked: leg.asked, message });
            }
        }
        Ok(())
    }

    fn handle(&mut self, request: Request) -> anyhow::Result<()> {
        self.venue.handle(self.now, self.conn, request, &mut self.out);
        self.listen()
    }

    /// Orders that stand from before are sent by their clients and come to rest.
    fn stand_orders(&mut self) {
        let mut nobody = Vec::new();
        self.now = SessionTime(self.fixture.start.0 - STANDING_BEFORE);
        for (i, (client, contract, order)) in (0..).zip(&self.fixture.standing) {
            let conn = ConnId(1 + i);
            self.venue.handle(self.now, conn, Request::StartApi { client_id: *client }, &mut nobody);
            let request = Request::PlaceOrder { contract: contract.clone(), order: order.clone() };
            self.venue.handle(self.now, conn, request, &mut nobody);
            self.now = SessionTime(self.now.0 + 20 * MILLISECOND);
            self.venue.handle(self.now, conn, Request::Disconnected, &mut nobody);
        }
    }

    /// A connection begins; `ahead` is what follows on it.
    fn connect(&mut self, version: ServerVersion, ahead: &[Step]) -> anyhow::Result<()> {
        self.disconnect()?;
        let leg = self.played.legs.len();
        let client_id = self.fixture.client_ids.get(leg).copied().unwrap_or(1);
        let next_id = ahead.iter().take_while(|s| !matches!(s, Step::Disconnect)).find_map(|s| match s {
            Step::Server(m) if m.id == 9 => m.number("1"),
            _ => None,
        });
        self.raise_ids(client_id, next_id)?;
        self.version = Some((version, Codec::new(version)));
        self.played.legs.push(Leg::default());
        self.forgone.clear();
        let says_so = ahead.iter().take_while(|s| !matches!(s, Step::Disconnect | Step::Connect { .. }));
        let says_so =
            says_so.into_iter().any(|s| matches!(s, Step::Client(r) if matches!(**r, Request::StartApi { .. })));
        if !says_so {
            self.handle(Request::StartApi { client_id })?;
        }
        Ok(())
    }

    /// Makes the next valid id what the recording has: an order of the id below it is sent and refused.
    fn raise_ids(&mut self, client_id: i32, next: Option<f64>) -> anyhow::Result<()> {
        #[allow(clippy::cast_possible_truncation, reason = "an order id")]
        let Some(next) = next.map(|n| n as i32).filter(|n| *n > 1) else { return Ok(()) };
        let before = self.conn;
        self.conn = ConnId(before.0 + 1);
        self.version = None;
        self.handle(Request::StartApi { client_id })?;
        let order = Order { order_id: next - 1, order_type: "NONE".into(), ..Order::default() };
        self.handle(Request::PlaceOrder { contract: crate::sim::api::Contract::default(), order })?;
        self.handle(Request::Disconnected)?;
        self.conn = ConnId(before.0 + 2);
        Ok(())
    }

    fn disconnect(&mut self) -> anyhow::Result<()> {
        if self.version.is_none() {
            return Ok(());
        }
        self.wait()?;
        self.handle(Request::Disconnected)?;
        self.version = None;
        self.conn = ConnId(self.conn.0 + 1);
        Ok(())
    }

    /// The client speaks.
    fn ask(&mut self, request: &Request) -> anyhow::Result<()> {
        self.wait()?;
        self.advance(SessionTime(self.now.0 + THOUGHT))?;
        let mut request = request.clone();
        if let Request::PlaceOrder { contract, order } = &mut request {
            if contract.con_id == 0 && contract.symbol.is_empty() {
                // A transcript may leave the contract out: it is the conversation's first.
                let first = self.fixture.contracts.first();
                contract.con_id = first.map_or(0, |c| c.con_id);
                contract.exchange = "SMART".into();
            }
            let (order, con_id) = (order.clone(), contract.con_id);
            self.offer(&order, con_id)?;
        }
        if let Some(leg) = self.played.legs.last_mut() {
            leg.asked += 1;
        }
        tracing::debug!(now = %self.now, "client {request:?}");
        self.handle(request)
    }

    /// An order that the recording filled at once finds the quote that fills it.
    fn offer(&mut self, order: &Order, con_id: i32) -> anyhow::Result<()> {
        let at_once = order.order_type == "MKT" || order.tif == "IOC" || order.tif == "FOK";
        if at_once { self.quote_for(order.order_id, con_id) } else { Ok(()) }
    }

    /// Sets the quote, and prints, for the next recorded fill of an order.
    fn quote_for(&mut self, order_id: i32, con_id: i32) -> anyhow::Result<()> {
        let told = self.fills_told.get(&i64::from(order_id)).copied().unwrap_or(0);
        let quoted = self.fills_quoted.entry(order_id).or_default();
        if *quoted > told {
            return Ok(());
        }
        let Some(fill) = self.fixture.fills.iter().filter(|f| f.order_id == order_id).nth(told) else { return Ok(()) };
        *quoted = told + 1;
        let con_id = if con_id == 0 { fill.con_id } else { con_id };
        let (bid, ask) = if fill.buys { (fill.price - 0.01, fill.price) } else { (fill.price, fill.price + 0.01) };
        self.market.quote(self.now, con_id, bid, ask, fill.shares);
        self.market.trade(self.now, con_id, fill.price);
        self.advance(self.now)
    }

    /// The recording has the gateway say something.
    fn expect(&mut self, message: &Message) -> anyhow::Result<()> {
        if message.id == 11 && message.number("1").is_none_or(|id| id < 0.0) {
            self.wait()?;
            let int = |path| message.number(path).unwrap_or(0.0);
            #[allow(clippy::cast_possible_truncation, reason = "an order id and a contract id")]
            let (order_id, con_id) = (int("3.1") as i32, int("2.1") as i32);
            self.quote_for(order_id, con_id)?;
        }
        tracing::debug!(now = %self.now, "recorded {}", gist(message));
        if let Some(leg) = self.played.legs.last_mut() {
            leg.recorded.push(Heard { asked: leg.asked, message: message.clone() });
        }
        if let Some(t) = time_of(message) {
            self.wait()?;
            let most = SessionTime(self.now.0 + JUMP_MAX);
            self.advance(t.min(most))?;
        }
        Ok(())
    }

    /// Waits until the venue has said as much as the recording has by now.
    fn wait(&mut self) -> anyhow::Result<()> {
        let mut since = self.now;
        let mut last = usize::MAX;
        loop {
            let Some(leg) = self.played.legs.last() else { return Ok(()) };
            let missing = self.missing(leg);
            let count: usize = missing.iter().map(|(_, n, _)| n).sum();
            if count == 0 {
                return Ok(());
            }
            if count < last {
                (last, since) = (count, self.now);
            }
            let rows = missing.iter().any(|(_, _, rows)| *rows);
            let patience = if rows { PATIENCE_FOR_ROWS } else { PATIENCE };
            let until = SessionTime(since.0 + patience);
            if self.now >= until {
                for (stream, n, _) in missing {
                    *self.forgone.entry(stream).or_default() += n;
                }
                return Ok(());
            }
            let next = self.venue.next_due().unwrap_or(until).max(SessionTime(self.now.0 + MILLISECOND));
            self.advance(next.min(until))?;
        }
    }

    /// How many answers are missing by stream, and whether the last is an account row.
    fn missing(&self, leg: &Leg) -> Vec<(String, usize, bool)> {
        let mut missing = Vec::new();
        for (stream, count, last) in streams::missing(self.guide, &leg.recorded, &leg.ours, self.selection) {
            let count = count.saturating_sub(self.forgone.get(&stream).copied().unwrap_or(0));
            if count > 0 {
                missing.push((stream, count, CADENCED.contains(&last)));
            }
        }
        missing
    }
}
