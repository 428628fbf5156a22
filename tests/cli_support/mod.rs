//! Shared by the tests of the command line: a scratch folder per test, the binary's processes with bounded waits, and
//! what they leave behind (audit, summary, journal). Every process ends with the test, passed or failed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test support: a failure here is a failed test")]
#![allow(clippy::disallowed_methods, reason = "tests wait for processes in wall time")]

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use ibkr_trader::domain::OrderId;
use ibkr_trader::journal::{FileDisk, Record, scan};
use ibkr_trader::routing::orders::State;
use serde_json::Value;

/// Generous: only a process that hangs meets it.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// The account of the simulated gateway.
pub(crate) const ACCOUNT: &str = "DU9000001";
/// Tickers of the synthetic market's first six symbols.
pub(crate) const SYMBOLS: &str = r#"universe.symbols=["TSLA", "MU", "AAPL", "AVGO", "AMZN", "META"]"#;

/// The project's folder: where a person runs the program.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether ONNX Runtime is there. Without it a test that needs it says that it skips, unless
/// IBKR_TRADER_REQUIRE_RUNTIME says that it must be there.
pub(crate) fn runtime_is_here() -> bool {
    let here = std::env::var_os("ORT_DYLIB_PATH").is_some() || root().join(".runtime").is_dir();
    let required = std::env::var_os("IBKR_TRADER_REQUIRE_RUNTIME").is_some_and(|v| v == "1");
    assert!(here || !required, "ONNX Runtime is not in .runtime; run `make setup`");
    if !here {
        eprintln!("skipped: no ONNX Runtime in .runtime; run `make setup`");
    }
    here
}

/// Waits for a condition; fails with what was seen when it does not come.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>, seen: impl Fn() -> String) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what} did not come within {PATIENCE:?}; seen:\n{}", seen());
        std::thread::sleep(LOOK);
    }
}

/// A scratch folder, and processes that work in it.
pub(crate) struct Scratch(tempfile::TempDir);

impl Scratch {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file and gives its path.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// The binary in the project's folder, without settings of the surroundings.
    pub(crate) fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ibkr-trader"));
        command.current_dir(root()).args(arguments).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("IBKR_TRADER__") || name == "RUST_LOG" {
                command.env_remove(name);
            }
        }
        // Found again in the list of processes, whatever their arguments.
        command.env("IBKR_TRADER_TEST_FOLDER", self.0.path());
        command
    }

    /// `run`, `demo` or `doctor`, with journal and report in this folder.
    pub(crate) fn session(&self, subcommand: &str) -> Command {
        let mut command = self.program(&[subcommand]);
        command.arg("--set").arg(format!("session.folder={}", self.path("run").display()));
        command.arg("--set").arg(format!("session.perf_folder={}", self.path("perf").display()));
        command
    }

    /// What these sessions need beside the demo's profile: facts reach the journal soon, budgets are wide since other
    /// tests share the cores, and the end is flattened late.
    pub(crate) fn tuned(command: &mut Command) -> &mut Command {
        for set in ["journal.fact_sync_ms=250", "inference.budget_ms=5000", "session.flat_before_end_min=3"] {
            command.args(["--set", set]);
        }
        command
    }

    /// `run` against a gateway at `address`, with the plumbing profile.
    pub(crate) fn trader(&self, address: SocketAddr) -> Command {
        let mut command = self.session("run");
        command.args(["--quiet", "--profile", "config/demo.toml", "--set", SYMBOLS]);
        Self::tuned(&mut command);
        command.args(["--set", &format!("broker.port={}", address.port())]);
        command.args(["--set", &format!("broker.account={ACCOUNT}"), "--set", "broker.connect_wait_s=1"]);
        command
    }

    /// Runs to the end, which must be a refusal: a non-zero exit code and one sentence, which it gives back. Nothing
    /// may be left half-started.
    pub(crate) fn refusal(&self, command: &mut Command) -> String {
        let ended = self.start(command).end();
        let called = format!("{command:?}");
        assert!(ended.status.code().is_some_and(|c| c != 0), "{called}: {:?}\n{}", ended.status, ended.said());
        let lines: Vec<&str> = ended.errors.lines().filter(|l| !l.trim().is_empty()).collect();
        let sentence = match (lines.as_slice(), ended.status.code()) {
            ([one], Some(1)) => one,
            // The command line's own parser adds usage and a hint.
            ([first, ..], Some(2)) => first,
            _ => panic!("{called}: not one sentence, or an odd exit code: {}", ended.said()),
        };
        let sentence = sentence.strip_prefix("error: ").unwrap_or_else(|| panic!("{called}: {}", ended.said()));
        self.nothing_runs();
        self.journal_is_free();
        sentence.to_string()
    }

    /// No process of this folder is left.
    pub(crate) fn nothing_runs(&self) {
        let left = self.processes();
        assert!(left.is_empty(), "left running: {left:?}");
    }

    /// Processes that were started for this folder, and their children: id and command line.
    pub(crate) fn processes(&self) -> Vec<(i32, String)> {
        let mark = format!("IBKR_TRADER_TEST_FOLDER={}", self.0.path().display());
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else { continue };
            let text = |name: &str| {
                let bytes = std::fs::read(entry.path().join(name)).unwrap_or_default();
                String::from_utf8_lossy(&bytes).replace('\0', " ")
            };
            // A process that has ended and was not waited for has no environment any more.
            if text("environ").split(' ').any(|v| v == mark) {
                found.push((id, text("cmdline")));
            }
        }
        found
    }

    /// No process holds the journal.
    pub(crate) fn journal_is_free(&self) {
        for folder in ["run/journal", "run/demo/journal"].map(|f| self.path(f)) {
            if folder.exists() {
                drop(FileDisk::open(&folder).unwrap());
            }
        }
    }

    /// Starts a command with its output in files.
    pub(crate) fn start(&self, command: &mut Command) -> Running {
        let tag = tempfile::Builder::new().prefix("process-").tempdir_in(self.0.path()).unwrap().keep();
        let (out, err) = (tag.join("stdout"), tag.join("stderr"));
        command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
        Running { child: command.spawn().unwrap(), out, err }
    }

    /// What the journal says so far: fills, and orders that work at the broker by its last word. A torn end of a
    /// journal that is being written counts as its end.
    fn look_at(&self, folder: &str) -> (usize, BTreeSet<OrderId>) {
        let (mut fills, mut working) = (0, BTreeSet::new());
        let Ok(mut disk) = FileDisk::open_read_only(&self.path(folder)) else { return (fills, working) };
        let _ = scan(&mut disk, |_, record| match record {
            Record::Execution(_) => fills += 1,
            Record::OrderState(r) => {
                match State::from_u8(r.to) {
                    Some(State::Acked | State::Partial) => working.insert(r.order_id),
                    _ => working.remove(&r.order_id),
                };
            }
            _ => {}
        });
        (fills, working)
    }

    /// Orders that work at the broker by the journal's last word.
    pub(crate) fn working(&self, folder: &str) -> BTreeSet<OrderId> {
        self.look_at(folder).1
    }

    /// Waits until the session has a fill and an order that works at the broker.
    pub(crate) fn wait_until_it_trades(&self, folder: &str, process: &Running) {
        let trades = || {
            let (fills, working) = self.look_at(folder);
            (fills > 0 && !working.is_empty()).then_some(())
        };
        until("a fill and a working order", trades, || format!("{}\n{:?}", process.so_far(), self.look_at(folder)));
    }

    /// The report's summary.
    pub(crate) fn summary(&self) -> Value {
        json(&self.path("perf/summary.json"))
    }
}

/// Reads a JSON file.
pub(crate) fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// A started process.
pub(crate) struct Running {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Running {
    /// What it said until now.
    pub(crate) fn so_far(&self) -> String {
        let text = |p: &Path| std::fs::read_to_string(p).unwrap_or_default();
        format!("{}\n{}", text(&self.out), text(&self.err))
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: i32) {
        send(i32::try_from(self.child.id()).unwrap(), signal);
    }

    /// Sends a signal to its whole process group, as a terminal does. It must lead one.
    pub(crate) fn signal_group(&self, signal: i32) {
        send(-i32::try_from(self.child.id()).unwrap(), signal);
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < PATIENCE, "no end within {PATIENCE:?}; said:\n{}", self.so_far());
            std::thread::sleep(LOOK);
        };
        let text = |p: &Path| std::fs::read_to_string(p).unwrap();
        Ended { status, printed: text(&self.out), errors: text(&self.err) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn send(target: i32, signal: i32) {
    // SAFETY: kill(2) with a child's own id, which has not been waited for, touches no memory.
    let rc = unsafe { libc::kill(target, signal) };
    assert_eq!(rc, 0, "kill({target}, {signal}): {}", std::io::Error::last_os_error());
}

/// What a process left.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) printed: String,
    pub(crate) errors: String,
}

impl Ended {
    /// Both outputs.
    pub(crate) fn said(&self) -> String {
        format!("{}\n{}", self.printed, self.errors)
    }

    /// A clean session. A missed budget of time also ends with exit code 1: here it says only that the cores were
    /// busy, so that alone is forgiven.
    pub(crate) fn clean(&self) {
        let problems = self.errors.lines().find_map(|l| l.strip_prefix("error: the session was not clean: "));
        let slow = |p: &str| p.starts_with("the budget of ") && p.ends_with(" was missed");
        let forgiven = self.status.code() == Some(1) && problems.is_some_and(|p| p.split("; ").all(slow));
        assert!(self.status.success() || forgiven, "{:?}: {}", self.status, self.said());
    }

    /// Ended by a signal that nobody handles.
    pub(crate) fn killed_by(&self, signal: i32) {
        assert_eq!(self.status.signal(), Some(signal), "{}", self.said());
    }
}

/// A simulated gateway.
pub(crate) struct Gateway {
    process: Option<Child>,
    pub(crate) address: SocketAddr,
    audit: PathBuf,
    pub(crate) clock_file: PathBuf,
}

impl Gateway {
    /// Starts one on a free port, an hour and a half into the day, so that features know their past.
    pub(crate) fn start(scratch: &Scratch, arguments: &[&str]) -> Self {
        let (audit, clock_file) = (scratch.path("audit.json"), scratch.path("clock.json"));
        let mut child = scratch
            .program(&["gateway", "--listen", "127.0.0.1:0", "--symbols=6", "--start=11:00"])
            .arg("--audit")
            .arg(&audit)
            .arg("--clock-file")
            .arg(&clock_file)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(File::create(scratch.path("gateway.log")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").and_then(|a| a.parse().ok());
        let address = address.unwrap_or_else(|| {
            panic!("{line}: {}", std::fs::read_to_string(scratch.path("gateway.log")).unwrap_or_default())
        });
        Self { process: Some(child), address, audit, clock_file }
    }

    /// Ends it by SIGTERM and reads its audit.
    pub(crate) fn end(mut self) -> Value {
        let mut child = self.process.take().unwrap();
        send(i32::try_from(child.id()).unwrap(), libc::SIGTERM);
        let status = child.wait().unwrap();
        assert!(status.success(), "the gateway ended with {status:?}");
        json(&self.audit)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(child) = &mut self.process {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Puts a command into a process group of its own, as a shell does.
pub(crate) fn leads_a_group(command: &mut Command) -> &mut Command {
    command.process_group(0)
}
