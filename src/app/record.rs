//! `record`: listens to market data at any TWS gateway and writes a folder that `gateway --data FOLDER` plays. Rows are
//! appended as they come; memory holds at most one buffer a symbol. A lost connection is a gap in the recording, and the
//! recording goes on; Ctrl-C, SIGTERM and `--seconds` end it with every row written.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::broker::ib::{BrokerError, Heard, Listing, RecordOptions, Recorder, Top};
use crate::clock::{Clock, ClockFile, MINUTE, Nanos, SECOND, ScaledClock, SessionTime};
use crate::domain::calendar::Date;
use crate::domain::{Instrument, SymbolId};
use crate::message::StatusKind;
use crate::sim::market::Quote;
use crate::sim::market::recording::{Gap, LAYOUT, SESSION_FILE, Session, SymbolNote, TickFile};

/// Pause after a sweep that found nothing, wall time: how finely rows are stamped.
const IDLE: Duration = Duration::from_micros(500);
/// Session time between writes of what waits.
const FLUSH_PERIOD: Nanos = MINUTE;
/// Longest wait for a simulated gateway's clock file, wall time.
const CLOCK_FILE_MAX: Duration = Duration::from_secs(10);

/// Which gateway and which symbols: what `record` and `history` share.
#[derive(Clone, Debug, Args)]
pub struct ListenArgs {
    /// Host of TWS or IB Gateway.
    #[arg(long, default_value = "127.0.0.1")]
    pub host: String,
    /// Its API port: IB Gateway 4001 live, 4002 paper; TWS 7496 live, 7497 paper.
    #[arg(long, default_value_t = 4002)]
    pub port: u16,
    /// Client id of this connection; no other program may use it.
    #[arg(long, default_value_t = 17)]
    pub client_id: i32,
    /// Tickers, separated by commas.
    #[arg(long, value_delimiter = ',')]
    pub symbols: Vec<String>,
    /// A file of tickers, one a line; `#` starts a comment.
    #[arg(long)]
    pub symbols_file: Option<PathBuf>,
    /// Clock file of a simulated gateway; without it times are UTC.
    #[arg(long)]
    pub clock_file: Option<PathBuf>,
}

/// `record`.
#[derive(Clone, Debug, Args)]
pub struct RecordArgs {
    /// Gateway and symbols.
    #[command(flatten)]
    pub listen: ListenArgs,
    /// The folder to make and write; it must hold no recording yet.
    #[arg(long)]
    pub out: PathBuf,
    /// Seconds of session time to record; without it until Ctrl-C.
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=86_400))]
    pub seconds: Option<i64>,
    /// Raw quotes and prints instead of 250 ms samples; IB allows few such lines.
    #[arg(long)]
    pub tick_by_tick: bool,
    /// Take delayed data where real-time data is not subscribed.
    #[arg(long)]
    pub delayed: bool,
    /// Shares in one unit of day volume.
    #[arg(long, default_value_t = 100)]
    pub volume_unit_shares: u32,
}

impl ListenArgs {
    /// The tickers of both sources, in their order, each once.
    ///
    /// # Errors
    /// The file can't be read, no ticker is left, or one is unusable as a file name.
    pub fn universe(&self) -> Result<Vec<Listing>> {
        let mut names = self.symbols.clone();
        if let Some(path) = &self.symbols_file {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("can't read the tickers in {}; name a text file", path.display()))?;
            names.extend(text.lines().map(|l| l.split('#').next().unwrap_or("").to_string()));
        }
        let mut universe: Vec<Listing> = Vec::new();
        for name in names.iter().map(|n| n.trim()).filter(|n| !n.is_empty()) {
            ensure!(!name.contains(['/', ',', '\\']), "`{name}` is no ticker; write it as IB does, such as BRK B");
            if !universe.iter().any(|l| l.symbol == name) {
                universe.push(Listing::of(name));
            }
        }
        ensure!(!universe.is_empty(), "no tickers: give --symbols AAPL,MSFT or --symbols-file FILE");
        Ok(universe)
    }

    /// How to reach the gateway.
    pub fn options(&self) -> RecordOptions {
        RecordOptions {
            host: self.host.clone(),
            port: self.port,
            client_id: self.client_id,
            delayed: false,
            tick_by_tick: false,
            volume_unit_shares: 100,
        }
    }

    /// What makes the session's clock once the gateway answered.
    pub fn clock(&self) -> impl Fn() -> Result<ScaledClock, BrokerError> + use<> {
        let file = self.clock_file.clone();
        move || clock_of(file.as_deref())
    }
}

fn clock_of(file: Option<&Path>) -> Result<ScaledClock, BrokerError> {
    let wall = ScaledClock::real_time();
    let Some(path) = file else { return Ok(wall) };
    let began = wall.mono_ns();
    while !path.exists() && u128::from(wall.mono_ns().saturating_sub(began)) < CLOCK_FILE_MAX.as_nanos() {
        super::pause(IDLE);
    }
    ClockFile::read(path).map(|f| ScaledClock::from_file(&f)).map_err(|e| BrokerError::Clock(e.to_string()))
}

/// Records until `--seconds` are over or a signal comes.
///
/// # Errors
/// No gateway, an unknown symbol, no symbol with data, or the folder can't be written.
pub fn run(args: &RecordArgs) -> Result<()> {
    let universe = args.listen.universe()?;
    ensure!(
        !args.out.join(SESSION_FILE).exists(),
        "{} holds a recording already; name another --out",
        args.out.display()
    );
    std::fs::create_dir_all(&args.out).with_context(|| format!("can't make the folder {}", args.out.display()))?;
    let options = RecordOptions {
        delayed: args.delayed,
        tick_by_tick: args.tick_by_tick,
        volume_unit_shares: args.volume_unit_shares.max(1),
        ..args.listen.options()
    };
    let interrupted = super::interrupt_flag()?;
    let mut recorder = Recorder::connect(options, &universe, args.listen.clock())?;
    let began = recorder.clock().now();
    let mut recording = Recording::begin(args, &recorder, began)?;
    recorder.subscribe();
    let mut next_flush = began + FLUSH_PERIOD;
    loop {
        let found = recorder.sweep(&mut |heard| recording.take(heard));
        let now = recorder.clock().now();
        let over = args.seconds.is_some_and(|s| now - began >= s * SECOND);
        if over || interrupted.load(Ordering::Relaxed) {
            break;
        }
        if now >= next_flush {
            next_flush = now + FLUSH_PERIOD;
            recording.flush(now)?;
        }
        recording.check()?;
        if found == 0 {
            super::pause(IDLE);
        }
    }
    let end = recorder.clock().now();
    recorder.close(&mut |heard| recording.take(heard));
    recording.end(end)
}

/// The files of one recording.
struct Recording {
    folder: PathBuf,
    session: Session,
    files: Vec<TickFile>,
    /// What broke while rows came; told at the next check.
    failure: Option<std::io::Error>,
    changed: bool,
}

impl Recording {
    fn begin(args: &RecordArgs, recorder: &Recorder<ScaledClock>, began: SessionTime) -> Result<Self> {
        let date = Date::new_york(began);
        let session = Session {
            layout: LAYOUT,
            date,
            source: recorder.source(),
            kind: if args.tick_by_tick { "tick_by_tick" } else { "sampled" }.into(),
            from: began,
            to: began,
            complete: false,
            symbols: recorder.instruments().iter().map(note).collect(),
            gaps: Vec::new(),
        };
        let files = recorder.instruments().iter().map(|i| TickFile::new(&args.out, date, &i.symbol)).collect();
        let mut recording = Self { folder: args.out.clone(), session, files, failure: None, changed: false };
        recording.flush(began)?;
        Ok(recording)
    }

    /// Writes down what was heard.
    fn take(&mut self, heard: Heard) {
        let written = match heard {
            Heard::Quote { symbol, at, top } => self.row(symbol, |note, file| {
                note.quotes += 1;
                note.refused = None;
                file.quote(at, &quote(&top))
            }),
            Heard::Trade { symbol, at, price, size, exchange, conditions } => self.row(symbol, |note, file| {
                note.trades += 1;
                file.trade(at, price, size, &exchange, &conditions)
            }),
            Heard::Fact(symbol, kind) => self.row(symbol, |note, _| {
                fact(note, kind);
                Ok(())
            }),
            Heard::Refused(symbol, why) => self.row(symbol, |note, _| {
                tracing::warn!("{}: {why}", note.symbol);
                note.refused = Some(why);
                Ok(())
            }),
            Heard::GapBegan(from, why) => {
                tracing::warn!("gap: {why}");
                self.session.gaps.push(Gap { from, to: None, why });
                self.changed = true;
                Ok(())
            }
            Heard::GapEnded(at) => {
                if let Some(gap) = self.session.gaps.last_mut() {
                    gap.to = Some(at);
                }
                self.changed = true;
                Ok(())
            }
        };
        if let Err(e) = written {
            self.failure.get_or_insert(e);
        }
    }

    fn row(
        &mut self,
        symbol: SymbolId,
        write: impl FnOnce(&mut SymbolNote, &mut TickFile) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        match (self.session.symbols.get_mut(symbol.index()), self.files.get_mut(symbol.index())) {
            (Some(note), Some(file)) => write(note, file),
            _ => Ok(()),
        }
    }

    /// Whether it makes sense to go on.
    fn check(&mut self) -> Result<()> {
        if let Some(e) = self.failure.take() {
            return Err(e).with_context(|| format!("can't write to {}", self.folder.display()));
        }
        if std::mem::take(&mut self.changed) {
            self.write_session()?;
        }
        if let Some(first) = self.session.symbols.first()
            && let Some(why) = &first.refused
            && self.session.symbols.iter().all(|s| s.refused.is_some())
        {
            bail!(
                "no symbol has data; {}: {why}; subscribe to real-time data for its exchange, or pass --delayed",
                first.symbol
            );
        }
        Ok(())
    }

    fn flush(&mut self, now: SessionTime) -> Result<()> {
        for file in &mut self.files {
            file.flush().with_context(|| format!("can't write to {}", self.folder.display()))?;
        }
        self.session.to = now;
        self.write_session()
    }

    fn write_session(&self) -> Result<()> {
        let written = self.session.write(&self.folder);
        written.with_context(|| format!("can't write {}", self.folder.join(SESSION_FILE).display()))
    }

    /// Writes everything and says what there is.
    #[allow(clippy::print_stdout, reason = "what was recorded is this command's output")]
    fn end(mut self, now: SessionTime) -> Result<()> {
        self.check()?;
        self.session.complete = true;
        self.flush(now)?;
        let sum = |count: fn(&SymbolNote) -> u64| self.session.symbols.iter().map(count).sum::<u64>();
        println!(
            "recorded {} symbols from {} to {}: {} quotes, {} trades, {} gaps in {}",
            self.session.symbols.len(),
            self.session.from,
            self.session.to,
            sum(|s| s.quotes),
            sum(|s| s.trades),
            self.session.gaps.len(),
            self.folder.display()
        );
        println!("play it: ibkr-trader gateway --data {}", self.folder.display());
        Ok(())
    }
}

fn note(i: &Instrument) -> SymbolNote {
    SymbolNote {
        symbol: i.symbol.clone(),
        con_id: i.con_id.0,
        primary_exchange: i.primary_exchange.clone(),
        min_ticks: i.tick_rules.iter().map(|r| (r.low_edge.to_f64(), r.increment.to_f64())).collect(),
        data_type: "unknown".into(),
        ..SymbolNote::default()
    }
}

fn fact(note: &mut SymbolNote, kind: StatusKind) {
    match kind {
        StatusKind::PriorClose(price) => note.prior_close = Some(price.to_f64()),
        StatusKind::ShortableShares(shares) => note.shortable_shares = Some(shares),
        StatusKind::MarketDataType(kind) => {
            let words = ["unknown", "real-time", "frozen", "delayed", "delayed-frozen"];
            note.data_type = words.get(usize::from(kind)).copied().unwrap_or("unknown").into();
        }
        StatusKind::Halted(_) | StatusKind::Shortable(_) | StatusKind::NoLine(_) => {}
    }
}

fn quote(top: &Top) -> Quote {
    Quote { bid: top.bid, bid_size: top.bid_size, ask: top.ask, ask_size: top.ask_size }
}
