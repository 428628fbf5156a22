//! A trading session over the real protocol, from connect to report: what `run` and `demo` share. This file is the
//! supervisor: it starts the threads, arms routing, watches, and ends everything in order.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use parking_lot::Mutex;

use super::day_book::{DayBook, day_book};
use super::learned::{self, LearnedKey};
use super::order_path::{OrderPath, OrderPathParts};
use super::progress::Progress;
use super::sinks::{BrokerView, FINAL_LISTS, FeedSink, RoutingSink};
use super::stages::{self, Plan};
use super::zoo::Zoo;
use super::zoo_watch::ZooWatch;
use crate::broker::ib::{BrokerError, IbBroker, Listing, QueryPort};
use crate::broker::port::{Queries, Query};
use crate::clock::{Clock, ClockFile, ScaledClock, SessionTime};
use crate::config::Settings;
use crate::domain::calendar::Date;
use crate::domain::{ClientId, Instrument, ProcessEpoch};
use crate::inference::{FamilyCost, InferenceStage, InferenceStats};
use crate::journal::{FileDisk, JournalMachine, SendGate, SessionInfo, position_record};
use crate::message::SnapshotKind;
use crate::pipeline::affinity;
use crate::pipeline::group::Group;
use crate::pipeline::ring::{Rx, Tx};
use crate::pipeline::shell::Shell;
use crate::pipeline::wiring::{Outside, wire};
use crate::routing::{Control, DisarmReason, ReconcileQuery, Reject};
use crate::telemetry::{Counters, LatencyRecorder};

/// How often the supervisor looks, wall time.
const LOOK: Duration = Duration::from_millis(100);
/// Longest wait for working orders to end and for the last lists, wall time.
const ENDING_MAX: Duration = Duration::from_secs(20);
/// Wait between the last order's end and the last lists, for late commissions, wall time.
const SETTLE: Duration = Duration::from_millis(1_000);
/// Longest wait for the clock file after the first handshake, wall time.
const CLOCK_FILE_MAX: Duration = Duration::from_secs(5);

/// Names of the guards' reasons, at the index of each reason.
pub static REASONS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| Reject::ALL.iter().map(|r| &*format!("{r:?}").leak()).collect());

/// What the command line says of a session.
pub struct SessionOptions {
    /// The universe.
    pub symbols: Vec<String>,
    /// Clock file of a simulated gateway.
    pub clock_file: Option<PathBuf>,
    /// Ends after so many minutes of session time.
    pub minutes: Option<i64>,
    /// Folder of journal and log.
    pub folder: PathBuf,
    /// No progress display.
    pub quiet: bool,
    /// Set by SIGINT and SIGTERM.
    pub interrupted: Arc<AtomicBool>,
}

/// What a session leaves for the report.
pub struct SessionEnd {
    /// Qualified universe.
    pub instruments: Vec<Instrument>,
    /// Counters.
    pub counters: Arc<Counters>,
    /// Rows with a forecast, in all cycles.
    pub decisions: u64,
    /// Histograms of every thread.
    pub latency: LatencyRecorder,
    /// What the broker said.
    pub view: BrokerView,
    /// What the journal says of the day.
    pub book: Option<DayBook>,
    /// Session seconds per wall second.
    pub speed: f64,
    /// Sentences for the reader.
    pub notes: Vec<String>,
    /// What each family of models cost.
    pub families: Vec<FamilyCost>,
    /// Why it ended before its time, if it did.
    pub failure: Option<String>,
}

/// Runs a session to its end.
///
/// # Errors
/// Something is missing or wrong before trading starts; nothing was sent then.
pub fn run(settings: &Settings, options: &SessionOptions) -> Result<SessionEnd> {
    let zoo = Zoo::load(Path::new(&settings.session.models_folder))?;
    let (zoo, learns) = learning(settings, options, zoo)?;
    let topology = settings.topology(&affinity::cores())?;
    let universe: Vec<Listing> = options.symbols.iter().map(|s| Listing::of(s)).collect();
    if universe.is_empty() {
        bail!("universe.symbols is empty; name the tickers to trade in a profile, e.g. symbols = [\"AAPL\"]");
    }
    let mut speed = 1.0;
    let seed = u64::from(std::process::id());
    let mut broker = IbBroker::connect(settings.broker.clone(), &universe, seed, || {
        let clock = session_clock(options.clock_file.as_deref(), &settings.broker.account)
            .map_err(|e| BrokerError::Other { address: settings.broker.address(), why: format!("{e:#}") })?;
        speed = clock.speed();
        Ok(clock)
    })?;
    let clock = broker.clock().clone();
    let instruments = broker.instruments().to_vec();
    let now = clock.now();
    let plan = Plan::new(settings, now, options.minutes)?;
    let (journal, recovered, process_epoch) = open_journal(settings, options, &instruments, now)?;
    let (stages, zoo_watch) = stages::build(settings, zoo, &instruments, &plan, process_epoch, &recovered, &clock)?;
    let counters = Arc::new(Counters::new(&REASONS));
    let latency = LatencyRecorder::new()?;
    let (groups, outside) = wire(stages, &topology, instruments.len(), &counters, &latency, || clock.clone());
    let Outside { market, broker: broker_ring, journal: events, control, commands, facts, queries } = outside;
    let order_path = OrderPath::start(OrderPathParts {
        journal,
        link: broker.link(),
        gate: SendGate::new(),
        sender: settings.sender.clone(),
        commands,
        facts,
        events,
        clock: clock.clone(),
        latency: latency.clone(),
        counters: Arc::clone(&counters),
    })?;
    let shell = Shell::start(groups, &topology)?;
    let view = Arc::new(Mutex::new(BrokerView::default()));
    broker.start(FeedSink(market), RoutingSink { ring: broker_ring, view: Arc::clone(&view) })?;
    let mut supervisor = Supervisor {
        options,
        process_epoch,
        plan,
        clock,
        shell,
        order_path,
        control,
        queries,
        ask: broker.queries(),
        counters,
        view,
        notes: Vec::new(),
        told_poison: false,
        zoo: zoo_watch,
        quorum_told: true,
        learns,
    };
    let failure = supervisor.trade(&broker);
    supervisor.wind_down(failure, broker, instruments, latency, speed)
}

/// Everything that runs.
struct Supervisor<'a> {
    options: &'a SessionOptions,
    process_epoch: ProcessEpoch,
    plan: Plan,
    clock: ScaledClock,
    shell: Shell<ScaledClock>,
    order_path: OrderPath,
    control: Tx<Control>,
    queries: Rx<ReconcileQuery>,
    ask: QueryPort,
    counters: Arc<Counters>,
    view: Arc<Mutex<BrokerView>>,
    notes: Vec<String>,
    told_poison: bool,
    zoo: ZooWatch,
    /// What routing knows of the zoo's quorum.
    quorum_told: bool,
    learns: Option<LearnedKey>,
}

impl Supervisor<'_> {
    /// Arms and watches until the end, an interrupt, or a failure.
    fn trade(&mut self, broker: &IbBroker<ScaledClock>) -> Option<String> {
        self.notes.extend(self.zoo.failed_at_load().iter().map(|why| format!("quarantined: {why}")));
        self.watch_zoo();
        let _ = self.control.push(Control::Arm);
        let mut progress = Progress::new(self.clock.now(), &self.plan, self.options.quiet);
        let failure = loop {
            self.pass_queries();
            self.watch_journal();
            self.watch_zoo();
            let now = self.clock.now();
            progress.look(now, &self.counters, self.order_path.open_orders());
            if now >= self.plan.end {
                break None;
            }
            if self.options.interrupted.load(Ordering::Acquire) {
                self.notes.push(format!("ended by a signal at {now}"));
                break None;
            }
            if let Some(halt) = broker.halted() {
                break Some(format!("the gateway adapter stopped: {halt}"));
            }
            if self.shell.failed() || self.order_path.failed() {
                break Some("a thread of the pipeline stopped; its reason is in the log".into());
            }
            super::pause(LOOK);
        };
        progress.finish();
        failure
    }

    /// A journal that failed can make nothing durable: no new exposure, positions may still be closed.
    fn watch_journal(&mut self) {
        if self.order_path.poisoned() && !self.told_poison {
            self.told_poison = true;
            let _ = self.control.push(Control::Disarm { reason: DisarmReason::JournalPoisoned });
            self.notes.push("the journal failed on its disk: disarmed; check the disk before the next start".into());
        }
    }

    /// Says what is new of the zoo. Without its quorum the session observes: routing sends cancels and reductions only,
    /// until a zoo with its quorum has taken over.
    fn watch_zoo(&mut self) {
        for news in self.zoo.look() {
            tracing::warn!("{news}");
            self.notes.push(news);
        }
        let holds = self.zoo.quorum_holds();
        if holds != self.quorum_told && self.control.push(Control::Quorum { holds }).is_ok() {
            self.quorum_told = holds;
        }
    }

    /// Routing's questions to the worker.
    fn pass_queries(&mut self) {
        while let Some(query) = self.queries.pop() {
            if !self.ask.ask(question(query.kind)) {
                tracing::warn!("the worker's queue is full; {:?} was not asked", query.kind);
            }
        }
    }

    /// Disarms, cancels, waits for the ends, asks the broker one last time, stops every thread and adds up.
    fn wind_down(
        mut self,
        failure: Option<String>,
        broker: IbBroker<ScaledClock>,
        instruments: Vec<Instrument>,
        mut latency: LatencyRecorder,
        speed: f64,
    ) -> Result<SessionEnd> {
        let reason = if failure.is_some() { DisarmReason::StageFailure } else { DisarmReason::SessionEnd };
        let _ = self.control.push(Control::Disarm { reason });
        let _ = self.control.push(Control::CancelAll);
        // At least one look, so that routing has seen the controls before its open orders are believed.
        super::pause(LOOK);
        if !self.wait(|s| s.order_path.open_orders() == 0) {
            self.notes
                .push(format!("{} orders had no known end when the session closed", self.order_path.open_orders()));
        }
        super::pause(SETTLE);
        self.final_lists();
        broker.shutdown();
        let (groups, lost) = self.shell.stop();
        for name in lost {
            self.notes.push(format!("stage thread {name} panicked"));
        }
        let decisions =
            groups.iter().filter_map(|g| g.stages().decision.as_ref()).map(|d| d.counters().forecast_rows).sum();
        let gaps: u64 = groups.iter().map(Group::gaps).sum();
        if gaps > 0 {
            self.notes.push(format!("{gaps} records found no room on their way to the journal"));
        }
        self.notes.extend(missed_cycles(&groups));
        let inference = groups.iter().find_map(|g| g.stages().inference.as_ref());
        let families = inference.map(InferenceStage::costs).unwrap_or_default();
        self.notes.extend(inference.and_then(|i| left_out(i.stats())));
        self.notes.extend(inference.and_then(|i| keep_learned(&self.options.folder, self.learns.take(), i)));
        groups.iter().for_each(|g| latency.merge(g.latency()));
        let added_up =
            close_journal(self.order_path, self.process_epoch, &instruments, &groups, self.clock.now(), &mut latency);
        let view = self.view.lock().clone();
        Ok(SessionEnd {
            instruments,
            counters: self.counters,
            decisions,
            latency,
            view,
            book: added_up.map_err(|e| self.notes.push(format!("the journal could not be closed: {e:#}"))).ok(),
            speed,
            notes: self.notes,
            families,
            failure,
        })
    }

    fn final_lists(&mut self) {
        self.view.lock().expect_fresh();
        for kind in FINAL_LISTS {
            self.ask.ask(question(kind));
        }
        if !self.wait(|s| s.view.lock().is_whole()) && !self.view.lock().is_whole_without_trades() {
            self.notes.push("the broker's last lists did not all come; the books are not reconciled".into());
        }
    }

    /// Waits for a condition; `false` = it did not come in time.
    fn wait(&mut self, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let began = self.clock.mono_ns();
        while !done(self) {
            if u128::from(self.clock.mono_ns().saturating_sub(began)) > ENDING_MAX.as_nanos() {
                return false;
            }
            self.pass_queries();
            super::pause(Duration::from_millis(20));
        }
        true
    }
}

/// Cycles that nothing was decided on, in words; `None` = every cycle counted.
fn missed_cycles(groups: &[Group<ScaledClock>]) -> Option<String> {
    let late: u64 = groups.iter().filter_map(|g| g.stages().decision.as_ref()).map(|d| d.counters().late_cycles).sum();
    let dropped: u64 =
        groups.iter().filter_map(|g| g.stages().features.as_ref()).map(|f| f.counters().dropped_cycles).sum();
    (late + dropped > 0)
        .then(|| format!("{late} cycles were late and {dropped} found no free batch: nothing was decided on them"))
}

/// Lets the online learner go on where settings ask for it and the market is a real one.
fn learning(settings: &Settings, options: &SessionOptions, zoo: Zoo) -> Result<(Zoo, Option<LearnedKey>)> {
    if !settings.inference.learn || options.clock_file.is_some() {
        return Ok((zoo, None));
    }
    let key = LearnedKey { zoo: zoo.manifest_sha256().into(), account: settings.broker.account.clone() };
    let checkpoint = learned::load(&options.folder, &key)?;
    Ok((zoo.learning(checkpoint), Some(key)))
}

/// Writes what was learned; gives a sentence for the reader.
fn keep_learned(folder: &Path, key: Option<LearnedKey>, stage: &InferenceStage<ScaledClock>) -> Option<String> {
    let (key, (state, updates)) = key.zip(stage.engine().learned())?;
    if key.zoo != stage.engine().manifest_sha256() {
        return Some("what was learned is of a zoo that took over on the way: it is not kept".into());
    }
    Some(match learned::save(folder, key, state, updates) {
        Ok(()) => format!("the online learner learned from {updates} realised returns; kept for the next session"),
        Err(why) => format!("what the online learner learned is lost: {why:#}"),
    })
}

/// Families that missed a pass, in words; `None` = every family took part in every pass.
fn left_out(stats: InferenceStats) -> Option<String> {
    let InferenceStats { families_left_out: out, families_shed: shed, families_readmitted: back, .. } = stats;
    (out + shed > 0).then(|| {
        format!("families were left out of a pass for want of time {out} times; {shed} were shed, {back} taken back")
    })
}

const fn question(kind: SnapshotKind) -> Query {
    match kind {
        SnapshotKind::OpenOrders => Query::OpenOrders,
        SnapshotKind::CompletedOrders => Query::CompletedOrders,
        SnapshotKind::Executions => Query::Executions,
        SnapshotKind::Positions => Query::Positions,
        SnapshotKind::Account => Query::Account,
    }
}

/// The scaled clock of a simulated gateway, or real time. Accelerated time is refused on accounts that are not
/// paper: a real account's broker lives in real time.
fn session_clock(file: Option<&Path>, account: &str) -> Result<ScaledClock> {
    let Some(path) = file else { return Ok(ScaledClock::real_time()) };
    let wall = ScaledClock::real_time();
    let began = wall.mono_ns();
    while !path.exists() && u128::from(wall.mono_ns().saturating_sub(began)) < CLOCK_FILE_MAX.as_nanos() {
        super::pause(Duration::from_millis(5));
    }
    let file = ClockFile::read(path)?;
    if !account.starts_with('D') {
        bail!("account {account} is not a paper account: a clock file is for simulated gateways only");
    }
    Ok(ScaledClock::from_file(&file))
}

type OpenJournal = (JournalMachine<FileDisk>, crate::routing::Recovered, ProcessEpoch);

fn open_journal(
    settings: &Settings,
    options: &SessionOptions,
    instruments: &[Instrument],
    now: SessionTime,
) -> Result<OpenJournal> {
    let folder = options.folder.join("journal");
    let disk = FileDisk::open(&folder).with_context(|| format!("journal folder {}", folder.display()))?;
    let info = SessionInfo {
        at: now,
        client: ClientId(settings.broker.client_id),
        date: Date::new_york(now),
        profile: &settings.session.profile,
        account: &settings.broker.account,
        config_hash: settings.hash,
        instruments,
    };
    Ok(JournalMachine::open(disk, settings.journal.clone(), &info)?)
}

/// Stops the order path, writes the last records and adds up the day's.
fn close_journal(
    order_path: OrderPath,
    process_epoch: ProcessEpoch,
    instruments: &[Instrument],
    groups: &[Group<ScaledClock>],
    now: SessionTime,
    latency: &mut LatencyRecorder,
) -> Result<DayBook> {
    let (mut journal, recorded) =
        order_path.stop().ok_or_else(|| anyhow!("a thread of the order path had panicked; see the log"))?;
    latency.merge(&recorded);
    let routing = groups.iter().find_map(|g| g.stages().routing.as_ref());
    let symbols = instruments.iter().map(|i| i.id);
    let positions: Vec<_> = routing
        .map(|r| symbols.map(|id| position_record(id, r.book().position(id), now)).collect())
        .unwrap_or_default();
    journal.close(&positions, now)?;
    Ok(day_book(journal.disk_mut(), Date::new_york(now), u64::from(process_epoch.0))?)
}
