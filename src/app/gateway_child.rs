//! The simulated gateway as a child process of the demo: started on a free port, ended by SIGTERM, its audit read.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// How the demo starts its gateway.
#[derive(Debug)]
pub struct ChildSpec<'a> {
    /// Real data, if any.
    pub data: Option<&'a Path>,
    /// Symbols.
    pub symbols: usize,
    /// Seed.
    pub seed: u64,
    /// Session seconds per wall second.
    pub speed: f64,
    /// First minute, `HH:MM` New York.
    pub start: &'a str,
    /// Account that it serves.
    pub account: &'a str,
    /// Folder of its files.
    pub folder: &'a Path,
}

/// A running gateway.
#[derive(Debug)]
pub struct GatewayChild {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// The clock file that it writes at the first startApi.
    pub clock_file: PathBuf,
    audit: PathBuf,
}

impl GatewayChild {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// It ended before it listened; its own sentence is passed on.
    pub fn start(spec: &ChildSpec<'_>) -> Result<Self> {
        let clock_file = spec.folder.join("clock.json");
        let audit = spec.folder.join("audit.json");
        for stale in [&clock_file, &audit] {
            if stale.exists() {
                std::fs::remove_file(stale).with_context(|| format!("removing the old {}", stale.display()))?;
            }
        }
        let log = spec.folder.join("gateway.log");
        let mut command = Command::new(std::env::current_exe().context("finding this program's own file")?);
        command.args(["gateway", "--listen", "127.0.0.1:0"]);
        command.args(["--symbols", &spec.symbols.to_string(), "--seed", &spec.seed.to_string()]);
        command.args(["--speed", &spec.speed.to_string(), "--start", spec.start, "--account", spec.account]);
        command.arg("--audit").arg(&audit).arg("--clock-file").arg(&clock_file);
        command.args(["--referee", "config/referee.toml"]);
        if let Some(data) = spec.data {
            command.arg("--data").arg(data);
        }
        outlive_ctrl_c_not_the_parent(&mut command);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).with_context(|| format!("creating {}", log.display()))?)
            .spawn()
            .context("starting the simulated gateway")?;
        let stdout = child.stdout.take().context("the gateway has no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).context("reading the gateway's first line")?;
        let Some(address) = line.trim().strip_prefix("listening on ").and_then(|a| a.parse().ok()) else {
            let _ = child.wait();
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            bail!("{}", said.trim().trim_start_matches("error: "));
        };
        Ok(Self { child, address, clock_file, audit })
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it and reads its audit.
    ///
    /// # Errors
    /// It does not end within ten seconds, or left no audit.
    pub fn finish(mut self) -> Result<serde_json::Value> {
        let pid = i32::try_from(self.child.id()).context("process id")?;
        // SAFETY: plain kill(2) on our own child, which has not been waited for yet, so the id is still its own.
        unsafe { libc::kill(pid, libc::SIGTERM) };
        for _ in 0..200 {
            if self.child.try_wait()?.is_some() {
                let text = std::fs::read_to_string(&self.audit)
                    .with_context(|| format!("the gateway left no audit at {}", self.audit.display()))?;
                return serde_json::from_str(&text).context("the gateway's audit is not JSON");
            }
            super::pause(Duration::from_millis(50));
        }
        bail!("the simulated gateway did not end within 10 s of SIGTERM; see gateway.log beside the audit")
    }
}

/// Ctrl-C at a terminal goes to a whole process group: the gateway must go on serving while the trader cancels its
/// orders, so it gets a group of its own. A trader that is killed must leave no gateway behind: the system then
/// ends it as SIGTERM does.
fn outlive_ctrl_c_not_the_parent(command: &mut Command) {
    command.process_group(0);
    let parent = std::process::id();
    let ask = move || {
        // SAFETY: prctl(PR_SET_PDEATHSIG) takes plain numbers, touches no memory and is async-signal-safe.
        let rc = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) };
        // A parent that was gone before the request is not noticed by it.
        let orphaned = std::os::unix::process::parent_id() != parent;
        if rc == 0 && !orphaned { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    };
    // SAFETY: the closure allocates nothing, takes no lock and makes async-signal-safe calls only.
    unsafe { command.pre_exec(ask) };
}

impl Drop for GatewayChild {
    fn drop(&mut self) {
        if self.is_running() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
