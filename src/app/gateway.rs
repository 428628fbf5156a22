//! `gateway`: the simulated TWS gateway as a process. One loop between the wire's server and the pure venue; the only
//! place where the venue meets a clock. The session stands still at its start until the first startApi, which anchors
//! the clock and writes the clock file. SIGINT and SIGTERM end it and write the audit.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Args;
use crossbeam::channel::RecvTimeoutError;

use super::state_file::StateFile;
use super::venue_options::VenueOptions;
use crate::clock::{Clock, ClockFile, MILLISECOND, ScaledClock, SessionTime};
use crate::domain::Money;
use crate::domain::calendar::Date;
use crate::sim::api::{ConnId, Outgoing, Request};
use crate::sim::faults::Scenario;
use crate::sim::market::{self, MarketOptions};
use crate::sim::referee::Limits;
use crate::sim::venue::{Entitlements, Venue, VenueConfig};
use crate::sim::wire::handshake::{VERSION_MAX, VERSION_MIN};
use crate::sim::wire::{Server, ServerOptions};

/// Shortest wait for requests: the granularity of the venue's time in wall time.
const WAIT_MIN: Duration = Duration::from_millis(1);
/// Longest wait: how late a signal is seen.
const WAIT_MAX: Duration = Duration::from_millis(20);
/// Requests taken before time moves on.
const REQUESTS_PER_TURN_MAX: usize = 256;

/// `gateway`.
#[derive(Clone, Debug, Args)]
pub struct GatewayArgs {
    /// Where to listen; port 0 takes a free one and says which.
    #[arg(long, default_value = "127.0.0.1:4002")]
    pub listen: String,
    /// Real data instead of the synthetic market: a day of 1-minute bars (`….csv.gz`), a prefix of tick files or a folder
    /// that `record` wrote.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// At most this many symbols, most liquid first; 0 = all.
    #[arg(long, default_value_t = 0)]
    pub symbols: usize,
    /// Seed of market, delays and sampling.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Session seconds per wall second.
    #[arg(long, default_value_t = 1.0)]
    pub speed: f64,
    /// Where the referee's audit goes at the end (JSON).
    #[arg(long)]
    pub audit: Option<PathBuf>,
    /// The referee's limits instead of the shipped ones.
    #[arg(long)]
    pub referee: Option<PathBuf>,
    /// Where the venue's state (orders, positions, cash, ids, executions) is kept, and taken up again at the next start.
    #[arg(long)]
    pub state: Option<PathBuf>,
    /// What goes wrong: a fault scenario (TOML, see `faults/`); may be given several times, all are in force together.
    #[arg(long)]
    pub scenario: Vec<PathBuf>,
    /// Where to write the clock that a trader shares, once the session starts.
    #[arg(long)]
    pub clock_file: Option<PathBuf>,
    /// Start within the day, New York `HH:MM`; default: the opening bell.
    #[arg(long, value_parser = hour_and_minute)]
    pub start: Option<(u32, u32)>,
    /// Day of the synthetic market, `YYYY-MM-DD`.
    #[arg(long, value_parser = date, default_value = "2026-04-15")]
    pub date: Date,
    /// The account's code.
    #[arg(long, default_value = "DU9000001")]
    pub account: String,
    /// Cash at the start, USD.
    #[arg(long, default_value_t = 1_000_000.0)]
    pub cash: f64,
    /// Market-data lines that all clients together may hold; IB gives 100 to a new account.
    #[arg(long, default_value_t = 100)]
    pub lines: usize,
    /// Milliseconds of session time between samples of one symbol's market data; 0 sends every event.
    #[arg(long, default_value_t = 250, value_parser = clap::value_parser!(i64).range(0..=60_000))]
    pub sampling_ms: i64,
    /// Market data of a network: A (NYSE), B (ARCA and others) or C (Nasdaq) = live, partial (not consolidated), delayed
    /// or none, such as C=delayed; may be given once a network. Default: all live.
    #[arg(long, value_name = "NETWORK=WHAT")]
    pub entitlement: Vec<String>,
    /// The client id that also hears of every other client's orders and executions.
    #[arg(long)]
    pub master_client: Option<i32>,
    /// Highest TWS server version to offer; default: the highest known.
    #[arg(long, value_parser = clap::value_parser!(i32).range(i64::from(VERSION_MIN)..=i64::from(VERSION_MAX)))]
    pub max_version: Option<i32>,
    /// What the venue holds orders to.
    #[command(flatten)]
    pub venue: Box<VenueOptions>,
}

/// Reads `HH:MM`.
pub(super) fn hour_and_minute(text: &str) -> Result<(u32, u32), String> {
    let parse = || {
        let (h, m) = text.split_once(':')?;
        let (h, m): (u32, u32) = (h.parse().ok()?, m.parse().ok()?);
        (h < 24 && m < 60).then_some((h, m))
    };
    parse().ok_or_else(|| format!("`{text}` is no time of day; write HH:MM, New York, such as 10:00"))
}

/// Reads `YYYY-MM-DD`.
pub(super) fn date(text: &str) -> Result<Date, String> {
    let parse = || {
        let mut parts = text.split('-').map(|p| p.parse::<u32>().ok());
        let (y, m, d) = (parts.next()??, parts.next()??, parts.next()??);
        let plausible = (1_990..2_100).contains(&y) && (1..=12).contains(&m) && (1..=31).contains(&d);
        let date = Date::of(i32::try_from(y).ok()?, m, d);
        // 31 February is none: it does not survive the way to a day number and back.
        let exists = date == Date::new_york(date.at(12, 0));
        (plausible && exists && parts.next().is_none()).then_some(date)
    };
    parse().ok_or_else(|| format!("`{text}` is no date; write YYYY-MM-DD, such as 2026-04-15"))
}

/// Serves until a signal ends it.
///
/// # Errors
/// An argument, the data, the address or a file is unusable.
pub fn run(args: GatewayArgs) -> anyhow::Result<()> {
    let mut gateway = Gateway::open(args)?;
    let ended = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&ended)).context("can't watch for signals")?;
    }
    announce(gateway.server.local_addr());
    while !ended.load(Ordering::Relaxed) {
        gateway.turn()?;
    }
    gateway.close()
}

/// Tells a parent process that the gateway is ready, and where.
#[allow(clippy::print_stdout, reason = "the line that a parent process waits for")]
fn announce(address: std::net::SocketAddr) {
    use std::io::Write;
    println!("listening on {address}");
    let _ = std::io::stdout().flush();
}

/// The running gateway.
struct Gateway {
    args: GatewayArgs,
    start: SessionTime,
    clock: Arc<OnceLock<ScaledClock>>,
    venue: Venue,
    server: Server,
    out: Vec<Outgoing>,
    state: Option<StateFile>,
}

impl Gateway {
    fn open(args: GatewayArgs) -> anyhow::Result<Self> {
        if !(args.speed.is_finite() && args.speed > 0.0) {
            bail!("--speed {} must be above 0, such as 1 or 20", args.speed);
        }
        let cash = Money::from_f64(args.cash).filter(|c| c.0 >= 0);
        let cash = cash.with_context(|| format!("--cash {} must be an amount of USD, 0 or more", args.cash))?;
        ensure!(!args.account.is_empty(), "--account must not be empty, such as DU9000001");
        for path in [&args.audit, &args.clock_file].into_iter().flatten() {
            can_be_written(path)?;
        }
        let limits = args.referee.as_deref().map_or_else(|| Ok(Limits::default()), Limits::read)?;
        let scenarios = args.scenario.iter().map(|p| Scenario::read(p)).collect::<Result<Vec<_>, _>>()?;
        let options = MarketOptions { date: args.date, start: args.start, symbols: args.symbols, seed: args.seed };
        let source = market::open(args.data.as_deref(), &options)?;
        let state = args.state.as_deref().map(StateFile::read).transpose()?.flatten();
        args.state.as_deref().map_or(Ok(()), can_be_written)?;
        let resumed = state.as_ref().filter(|s| s.date() == Date::new_york(source.hours().open));
        let start = resumed.map_or(source.start(), |s| s.now().max(source.start()));
        let mut entitlements = Entitlements::default();
        for text in &args.entitlement {
            entitlements.set(text).map_err(|e| anyhow::anyhow!("--entitlement: {e}"))?;
        }
        let mut config = VenueConfig {
            account: args.account.clone(),
            cash,
            limits,
            scenarios,
            lines_max: args.lines,
            sample_period: args.sampling_ms * MILLISECOND,
            entitlements,
            master_client: args.master_client,
            ..VenueConfig::default()
        };
        args.venue.apply(&mut config, Date::new_york(source.hours().open), source.references())?;
        let clock: Arc<OnceLock<ScaledClock>> = Arc::default();
        if resumed.is_some()
            && let Some(file) = args.clock_file.as_deref().and_then(|p| ClockFile::read(p).ok())
        {
            // The session went on while the gateway was down.
            let _ = clock.set(ScaledClock::from_file(&file));
        }
        let shared = Arc::clone(&clock);
        let mut wire = ServerOptions::new(move || shared.get().map_or(start, Clock::now));
        if let Some(version) = args.max_version {
            wire.max_version = version;
        }
        let server = Server::bind(&args.listen, wire)?;
        let mut venue = match state {
            Some(state) => Venue::resume(config, source, args.seed, state)?,
            None => Venue::new(config, source, args.seed),
        };
        let state = args.state.as_deref().map(StateFile::new);
        if state.is_some() {
            venue.track_changes();
        }
        let mut gateway = Self { args, start, clock, venue, server, out: Vec::new(), state };
        // What a scenario has in store for the very start, the door's state included.
        gateway.venue.advance(start, &mut gateway.out);
        gateway.send();
        Ok(gateway)
    }

    /// Session time; the session's start until the first startApi.
    fn now(&self) -> SessionTime {
        self.clock.get().map_or(self.start, Clock::now)
    }

    /// Waits for a request or for time to pass, then does what is due.
    fn turn(&mut self) -> anyhow::Result<()> {
        let wait = self.wait();
        match self.server.incoming().recv_timeout(wait) {
            Ok((conn, request)) => {
                self.take(conn, request)?;
                for _ in 1..REQUESTS_PER_TURN_MAX {
                    let Ok((conn, request)) = self.server.incoming().try_recv() else { break };
                    self.take(conn, request)?;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => bail!("the server's acceptor is gone; restart the gateway"),
        }
        if self.clock.get().is_some() {
            let now = self.now();
            self.venue.advance(now, &mut self.out);
        }
        self.look_for_panic();
        // Before the answers leave: what a client was told must outlive the process.
        self.save()?;
        self.send();
        Ok(())
    }

    /// Tells the referee whether the panic file lies.
    fn look_for_panic(&mut self) {
        let Some(lies) = self.venue.panic_file().map(Path::exists) else { return };
        let now = self.now();
        self.venue.panic(now, lies);
    }

    /// Writes the state if it changed.
    fn save(&mut self) -> anyhow::Result<()> {
        self.state.as_mut().map_or(Ok(()), |file| file.save(&mut self.venue))
    }

    /// How long nothing is due.
    fn wait(&mut self) -> Duration {
        let Some(clock) = self.clock.get() else { return WAIT_MAX };
        let due = self.venue.next_due().map_or(u64::MAX, |t| clock.wall_ns(t - clock.now()));
        Duration::from_nanos(due).clamp(WAIT_MIN, WAIT_MAX)
    }

    fn take(&mut self, conn: ConnId, request: Request) -> anyhow::Result<()> {
        if matches!(request, Request::StartApi { .. }) && self.clock.get().is_none() {
            self.anchor()?;
        }
        let now = self.now();
        self.venue.handle(now, conn, request, &mut self.out);
        Ok(())
    }

    /// The session starts: the clock runs from here, and its file says so.
    fn anchor(&mut self) -> anyhow::Result<()> {
        let file = ClockFile::starting_now(self.start, self.args.speed);
        let _ = self.clock.set(ScaledClock::from_file(&file));
        if let Some(path) = &self.args.clock_file {
            file.write(path)?;
        }
        tracing::info!(start = %self.start, speed = self.args.speed, "session started");
        Ok(())
    }

    fn send(&mut self) {
        if self.out.is_empty() {
            return;
        }
        for outgoing in self.out.drain(..) {
            self.server.send(outgoing);
        }
        self.server.flush();
    }

    /// Takes what already arrived, delivers what is under way, writes the audit.
    fn close(mut self) -> anyhow::Result<()> {
        while let Ok((conn, request)) = self.server.incoming().try_recv() {
            self.take(conn, request)?;
        }
        let now = self.now();
        self.venue.advance(now, &mut self.out);
        self.venue.finish(&mut self.out);
        self.save()?;
        self.send();
        self.server.shutdown();
        if let Some(error) = self.venue.market_failure() {
            tracing::warn!(%error, "a symbol's market ended early");
        }
        let audit = self.venue.audit();
        tracing::info!(
            violations = audit.violations_total,
            executions = audit.executions,
            order_efficiency = audit.order_efficiency,
            "session ended"
        );
        let Some(path) = &self.args.audit else { return Ok(()) };
        let text = serde_json::to_string_pretty(&audit).context("the audit can't be written as JSON")?;
        write_whole(path, &text).with_context(|| format!("can't write the audit to {}", path.display()))
    }
}

/// A file that is written late must not fail late: its folder is made and tried now.
fn can_be_written(path: &Path) -> anyhow::Result<()> {
    let temp = path.with_extension("tmp");
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("can't make the folder of {}", path.display()))?;
    }
    ensure!(!path.is_dir(), "{} is a folder; name a file", path.display());
    std::fs::write(&temp, "")
        .and_then(|()| std::fs::remove_file(&temp))
        .with_context(|| format!("can't write {}; name a file in a folder that can be written to", path.display()))
}

/// Writes a file by rename, so that a reader sees all of it or none.
pub(super) fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let temp = path.with_extension("tmp");
    std::fs::write(&temp, text)?;
    std::fs::rename(&temp, path)
}
