//! `backtest`: the same five stages, journal and sender in one thread on a virtual clock, over the venue in-process.
//! Same source, seed and settings → the same bytes: the journal, rendered, is what is written and compared.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::bridge::{self, Bridge};
use super::cli::BacktestArgs;
use super::day_book::{DayBook, day_book};
use super::report::Ending;
use super::session::REASONS;
use super::sinks::{BrokerView, FINAL_LISTS, FeedSink};
use super::stages::{self, Plan};
use super::zoo::Zoo;
use super::zoo_watch::ZooWatch;
use super::{load, market_of};
use crate::broker::port::MarketSink;
use crate::clock::{MINUTE, Nanos, SECOND, SessionTime, VirtualClock};
use crate::config::Settings;
use crate::domain::calendar::Date;
use crate::domain::{ClientId, ConnEpoch, Instrument, OrderId};
use crate::journal::{
    JournalMachine, Journaled, OrderWriter, SendGate, SenderMachine, SessionInfo, SimDisk, Totals, WriteError,
    position_record, pump, render, scan, totals,
};
use crate::message::{BrokerEvent, MarketEvent, OrderTerms};
use crate::pipeline::group::Group;
use crate::pipeline::ring::{Rx, Tx};
use crate::pipeline::wiring::{Outside, wire};
use crate::pipeline::{GRID, GroupSpec, StageName, Topology, Wait};
use crate::routing::{Command, Control, DisarmReason, Fact, ReconcileQuery};
use crate::sim::market::MarketSource;
use crate::sim::referee::Audit;
use crate::sim::venue::VenueConfig;
use crate::telemetry::{Counter, Counters, LatencyRecorder, Summary};

/// Account of the simulated venue.
const ACCOUNT: &str = "DU9000001";
/// Longest wait for working orders to end after the session's end, session time.
const ENDING_MAX: Nanos = 5 * MINUTE;
/// Turns of one instant before it counts as an endless loop.
const TURNS_MAX: usize = 10_000;

/// Plays a session in lockstep, prints its report and writes its journal as text.
///
/// # Errors
/// Something is missing or wrong, or the session was not clean.
#[allow(clippy::print_stdout, reason = "the report is this command's output")]
pub fn run(args: &BacktestArgs) -> Result<()> {
    let mut settings = load::settings(&args.settings, &[Path::new("config/demo.toml")])?;
    settings.demo.seed = args.seed.unwrap_or(settings.demo.seed);
    settings.demo.minutes = args.minutes.unwrap_or(settings.demo.minutes);
    let source = market_of(args.data.as_deref(), &settings, settings.demo.seed)?;
    let zoo = Zoo::load(Path::new(&settings.session.models_folder))?;
    let played = play(&settings, zoo, source, Group::poll)?;
    if let Some(parent) = args.out.parent() {
        fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
    }
    fs::write(&args.out, &played.journal).with_context(|| format!("writing {}", args.out.display()))?;
    let name = args.data.as_ref().map_or_else(|| "synthetic martingale".into(), |p| p.display().to_string());
    println!("{}", played.summary(&settings, name).table());
    println!("journal as text: {}", args.out.display());
    Ok(())
}

/// What a lockstep session leaves.
pub struct Played {
    /// The whole journal as text, one record a line.
    pub journal: String,
    /// Counters.
    pub counters: Arc<Counters>,
    /// What the venue said.
    pub view: BrokerView,
    /// What the journal adds up to.
    pub totals: Totals,
    /// What the journal says of the day.
    pub book: DayBook,
    /// The referee's audit.
    pub audit: Audit,
    /// Sentences for the reader.
    pub notes: Vec<String>,
    instruments: Vec<Instrument>,
    decisions: u64,
    latency: LatencyRecorder,
}

impl Played {
    /// The report of the session.
    pub fn summary(&self, settings: &Settings, source: String) -> Summary {
        let audit = serde_json::to_value(&self.audit).unwrap_or_default();
        let ending = Ending {
            settings,
            source,
            speed: 0.0,
            instruments: &self.instruments,
            counters: &self.counters,
            decisions: self.decisions,
            latency: &self.latency,
            view: &self.view,
            book: Some(&self.book),
            audit: Some(&audit),
            notes: self.notes.clone(),
        };
        ending.summary()
    }
}

/// One sweep of the stages: [`Group::poll`], or a test's own that looks at what a sweep costs.
pub type Poll = fn(&mut Group<VirtualClock>) -> usize;

/// Plays `settings.demo.minutes` of `source`.
///
/// # Errors
/// A stage can't be built, the journal fails, or an instant does not come to rest.
pub fn play(settings: &Settings, zoo: Zoo, source: Box<dyn MarketSource>, poll: Poll) -> Result<Played> {
    play_and_swap(settings, zoo, source, poll, None)
}

/// A zoo that takes over under way.
pub struct Successor {
    /// The zoo.
    pub zoo: Zoo,
    /// Minutes of the session after which it is offered.
    pub after_min: i64,
}

/// As [`play`]; another zoo takes over under way, at an instant of the session, so that the bytes stay the same.
///
/// # Errors
/// As [`play`], or the successor fails a check.
pub fn play_and_swap(
    settings: &Settings,
    zoo: Zoo,
    source: Box<dyn MarketSource>,
    poll: Poll,
    successor: Option<Successor>,
) -> Result<Played> {
    let mut settings = settings.clone();
    settings.broker.account = ACCOUNT.into();
    let config = VenueConfig { account: ACCOUNT.into(), ..VenueConfig::default() };
    let history = bridge::history(&*source, settings.broker.history_bars);
    let seed = settings.demo.seed;
    let bridge = Bridge::open(config, source, seed, settings.broker.volume_unit_shares);
    let mut lockstep = Lockstep::new(&settings, zoo, bridge, poll)?;
    lockstep.successor = successor;
    let end = lockstep.plan.end;
    lockstep.start(history)?;
    lockstep.run_until(end)?;
    lockstep.finish()
}

/// Ring ends that lockstep serves itself.
struct Ends {
    broker: Tx<BrokerEvent>,
    journal: Tx<BrokerEvent>,
    control: Tx<Control>,
    commands: Rx<Command>,
    facts: Rx<Fact>,
    queries: Rx<ReconcileQuery>,
}

struct Lockstep {
    clock: VirtualClock,
    plan: Plan,
    group: Group<VirtualClock>,
    poll: Poll,
    market: FeedSink,
    ends: Ends,
    journal: JournalMachine<SimDisk>,
    epoch: u64,
    sender: SenderMachine<BridgeWriter>,
    bridge: Bridge,
    next_timer: SessionTime,
    view: BrokerView,
    counters: Arc<Counters>,
    open_orders: BTreeSet<OrderId>,
    /// Its folder is read at the start only: one that changes under way must not change the bytes.
    zoo: ZooWatch,
    successor: Option<Successor>,
    /// What routing knows of the zoo's quorum.
    quorum_told: bool,
    notes: Vec<String>,
}

impl Lockstep {
    fn new(settings: &Settings, zoo: Zoo, bridge: Bridge, poll: Poll) -> Result<Self> {
        let start = bridge.start();
        let instruments = bridge.instruments().to_vec();
        let clock = VirtualClock::at(start);
        let plan = Plan::new(settings, start, Some(settings.demo.minutes))?;
        let info = SessionInfo {
            at: start,
            client: ClientId(settings.broker.client_id),
            date: Date::new_york(start),
            profile: &settings.session.profile,
            account: &settings.broker.account,
            config_hash: settings.hash,
            instruments: &instruments,
        };
        let (journal, recovered, epoch) = JournalMachine::open(SimDisk::new(), settings.journal.clone(), &info)?;
        let (stages, zoo) = stages::build(settings, zoo, &instruments, &plan, epoch, &recovered, &clock)?;
        // Lockstep is the group that holds all five stages.
        let all = GroupSpec { stages: StageName::ALL.to_vec(), core: -1, wait: Wait::Spin };
        let topology = Topology { groups: vec![all] };
        let counters = Arc::new(Counters::new(&REASONS));
        let latency = LatencyRecorder::new()?;
        let (mut groups, outside) = wire(stages, &topology, instruments.len(), &counters, &latency, || clock.clone());
        let group = groups.pop().ok_or_else(|| anyhow!("the topology has no group"))?;
        let Outside { market, broker, journal: events, control, commands, facts, queries } = outside;
        Ok(Self {
            clock,
            plan,
            group,
            poll,
            market: FeedSink(market),
            ends: Ends { broker, journal: events, control, commands, facts, queries },
            journal,
            epoch: u64::from(epoch.0),
            sender: SenderMachine::new(BridgeWriter::default(), SendGate::new(), settings.sender.clone()),
            bridge,
            next_timer: start,
            view: BrokerView::default(),
            counters,
            open_orders: BTreeSet::new(),
            zoo,
            successor: None,
            quorum_told: true,
            notes: vec!["lockstep: the clock is virtual, so no latency is measured".into()],
        })
    }

    /// Warms up, connects, arms.
    fn start(&mut self, history: Vec<MarketEvent>) -> Result<()> {
        for event in history {
            self.market.push(event);
            self.group.poll();
        }
        let now = self.plan_start();
        self.bridge.subscribe(now);
        for kind in FINAL_LISTS {
            self.bridge.ask(now, kind);
        }
        self.watch_zoo(now)?;
        self.control(Control::Arm)?;
        self.next_timer = now.floor_to(GRID) + GRID;
        Ok(())
    }

    /// What the supervisor does for a zoo, once a step of the grid.
    fn watch_zoo(&mut self, now: SessionTime) -> Result<()> {
        let start = self.plan_start();
        if let Some(next) = self.successor.take_if(|s| now >= start + s.after_min * MINUTE) {
            self.zoo.offer(next.zoo, &self.clock)?;
        }
        self.notes.extend(self.zoo.look_inside());
        let holds = self.zoo.quorum_holds();
        if holds != self.quorum_told {
            self.control(Control::Quorum { holds })?;
            self.quorum_told = holds;
        }
        Ok(())
    }

    const fn plan_start(&self) -> SessionTime {
        self.bridge.start()
    }

    fn control(&mut self, control: Control) -> Result<()> {
        self.ends.control.push(control).map_err(|_| anyhow!("the ring of controls is full"))
    }

    fn run_until(&mut self, end: SessionTime) -> Result<()> {
        loop {
            let due = self.bridge.next_due().unwrap_or(SessionTime(i64::MAX));
            // A timer of the grid leaves once time is past it, as ingest does it.
            let now = due.min(self.next_timer + 1);
            if now >= end {
                self.clock.advance_to(end);
                return Ok(());
            }
            if now > self.next_timer {
                self.next_timer = self.next_timer + GRID;
                self.watch_zoo(now)?;
            }
            self.clock.advance_to(now);
            self.instant(now)?;
        }
    }

    /// Everything that follows from one instant, until nothing moves any more.
    fn instant(&mut self, now: SessionTime) -> Result<()> {
        for _ in 0..TURNS_MAX {
            let (ring, view) = (&mut self.ends.broker, &mut self.view);
            let mut lost = false;
            self.bridge.advance(now, &mut self.market, &mut |event| {
                view.see(&event);
                lost |= ring.push(event).is_err();
            });
            ensure!(!lost, "the ring of broker facts is full at {now}");
            let mut busy = (self.poll)(&mut self.group) > 0;
            if let Some(halted) = self.group.halted() {
                bail!("{} is full at {now}", halted.0);
            }
            busy |= self.order_path(now);
            while let Some(query) = self.ends.queries.pop() {
                self.bridge.ask(now, query.kind);
                busy = true;
            }
            if !busy {
                return Ok(());
            }
        }
        bail!("the instant {now} did not come to rest after {TURNS_MAX} turns")
    }

    fn order_path(&mut self, now: SessionTime) -> bool {
        let mut busy = false;
        while let Some(command) = self.ends.commands.pop() {
            if matches!(command, Command::New(_) | Command::Reduce(_)) {
                self.open_orders.insert(command.order_id());
            }
            self.journal.accept(command, now);
            busy = true;
        }
        while let Some(fact) = self.ends.facts.pop() {
            match &fact {
                Fact::Fill(_) => self.counters.bump(Counter::Fills),
                Fact::Reject(r) => self.counters.reject(r.reason as usize - 1),
                Fact::Order(change) if !change.to.is_live() => {
                    self.open_orders.remove(&change.order_id);
                }
                _ => {}
            }
            self.journal.note(&fact, now);
            busy = true;
        }
        let (ring, counters) = (&mut self.ends.journal, &self.counters);
        busy |= pump(&mut self.journal, &mut self.sender, now, |event| {
            if matches!(event, BrokerEvent::Sent(_)) {
                counters.bump(Counter::Orders);
            }
            // Its capacity is larger than all orders that can be under way.
            let _ = ring.push(event);
        });
        for write in self.sender.writer_mut().0.drain(..) {
            match write {
                Write::Place(terms) => {
                    if let Err(why) = self.bridge.place(now, &terms) {
                        tracing::error!("order {} can't be expressed: {why}", terms.order_id);
                    }
                }
                Write::Cancel(id) => self.bridge.cancel(now, id),
            }
            busy = true;
        }
        busy
    }

    /// Disarms, cancels, lets orders end, reads the venue's last lists, adds up.
    fn finish(mut self) -> Result<Played> {
        self.control(Control::Disarm { reason: DisarmReason::SessionEnd })?;
        self.control(Control::CancelAll)?;
        let end = self.plan.end;
        let mut until = end;
        while until < end + ENDING_MAX && (until == end || !self.open_orders.is_empty()) {
            until = until + SECOND;
            self.run_until(until)?;
        }
        self.view.expect_fresh();
        for kind in FINAL_LISTS {
            self.bridge.ask(until, kind);
        }
        self.run_until(until + 30 * SECOND)?;
        let now = until + 30 * SECOND;
        let stages = self.group.stages();
        let positions: Vec<_> = stages
            .routing
            .iter()
            .flat_map(|r| self.bridge.instruments().iter().map(|i| position_record(i.id, r.book().position(i.id), now)))
            .collect();
        let decisions = stages.decision.as_ref().map_or(0, |d| d.counters().forecast_rows);
        self.journal.close(&positions, now)?;
        let mut journal = String::new();
        scan(self.journal.disk_mut(), |_, record| {
            journal.push_str(&render(record));
            journal.push('\n');
        })?;
        let totals = totals(self.journal.disk_mut(), Some(self.epoch))?;
        let book = day_book(self.journal.disk_mut(), Date::new_york(now), self.epoch)?;
        let instruments = self.bridge.instruments().to_vec();
        // Durations by a virtual clock are none: an empty recorder says that nothing was measured.
        let latency = LatencyRecorder::new()?;
        let audit = self.bridge.finish(now);
        Ok(Played {
            journal,
            counters: self.counters,
            view: self.view,
            totals,
            book,
            audit,
            notes: self.notes,
            instruments,
            decisions,
            latency,
        })
    }
}

/// What the sender wrote, for the bridge to take.
enum Write {
    Place(OrderTerms),
    Cancel(OrderId),
}

#[derive(Default)]
struct BridgeWriter(Vec<Write>);

impl OrderWriter for BridgeWriter {
    fn epoch(&self) -> Option<ConnEpoch> {
        Some(bridge::EPOCH)
    }

    fn submit(&mut self, order: &Journaled) -> Result<(), WriteError> {
        self.0.push(Write::Place(*order.terms()));
        Ok(())
    }

    fn modify(&mut self, order: &Journaled) -> Result<(), WriteError> {
        self.submit(order)
    }

    fn cancel(&mut self, order: &Journaled) -> Result<(), WriteError> {
        self.0.push(Write::Cancel(order.order_id()));
        Ok(())
    }
}
