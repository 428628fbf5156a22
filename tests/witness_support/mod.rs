//! Public TWS clients as witnesses: their Python, installed on first use, their scripts, and the gateway process that
//! they talk to.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a support file shared by test programs, each using a part of it"
)]

use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/witness");

/// Interactive Brokers' own Python client.
pub const OFFICIAL: Clients = Clients { home: "witness-venv", requirements: "requirements.txt" };
/// `ib_async`, and the copy of IB's client that Nautilus publishes.
pub const PUBLIC: Clients = Clients { home: "witness-ib-async", requirements: "requirements-text.txt" };

/// A virtual environment under the build folder.
#[derive(Clone, Copy, Debug)]
pub struct Clients {
    home: &'static str,
    requirements: &'static str,
}

impl Clients {
    /// Its Python; `None`, with a line that says why, where it can't be installed.
    pub fn python(self) -> Option<PathBuf> {
        static INSTALLING: Mutex<()> = Mutex::new(());
        // Tests are threads of one process, or processes: the first kind wait for each other here.
        let _one_at_a_time = INSTALLING.lock();
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let home = target.join(self.home);
        let python = home.join("bin/python");
        if python.exists() {
            return Some(python);
        }
        // Made aside and renamed, so that tests in other processes never see half of it.
        let aside = target.join(format!("{}.{}", self.home, std::process::id()));
        let requirements = format!("{FOLDER}/{}", self.requirements);
        let made = run(Command::new("python3").args(["-m", "venv"]).arg(&aside)).and_then(|()| {
            let pip =
                ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", &requirements];
            run(Command::new(aside.join("bin/python")).args(pip))
        });
        if let Err(why) = made {
            println!("skipped: the clients of {} could not be installed: {why}", self.requirements);
            let _ = std::fs::remove_dir_all(&aside);
            return None;
        }
        if std::fs::rename(&aside, &home).is_err() {
            // Another process was faster.
            let _ = std::fs::remove_dir_all(&aside);
        }
        Some(python)
    }
}

pub fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(text.lines().last().unwrap_or("no reason given").to_owned()) }
}

/// Starts a script of `tests/witness`, or one with a whole path.
pub fn start_script(python: &Path, name: &str, args: &[&str]) -> Child {
    Command::new(python)
        .arg(Path::new(FOLDER).join(name))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The lines that a script printed; it must have ended well.
pub fn lines_of(child: Child) -> Vec<String> {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    text.lines().map(str::to_owned).collect()
}

/// Runs a script to its end with `input`; the lines that it printed.
pub fn script(python: &Path, name: &str, args: &[&str], input: String) -> Vec<String> {
    let mut child = start_script(python, name, args);
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let lines = lines_of(child);
    writer.join().unwrap().unwrap();
    lines
}

/// The product's gateway as a process, ended when dropped.
pub struct Gateway {
    child: Child,
    pub address: String,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Gateway {
    /// Started with `args` in `folder`; returns once it listens.
    pub fn start(args: &[&str], folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ibkr-trader"))
            .args(["gateway", "--listen", "127.0.0.1:0", "--symbols", "5", "--seed", "1"])
            .args(args)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("listening on ").map(str::to_owned))
            .expect("the gateway says where it listens");
        // What it prints later must not fill the pipe; the thread ends with the process.
        std::thread::spawn(move || lines.map_while(Result::ok).count());
        Self { child, address }
    }

    /// An orderly end, which writes the audit.
    pub fn end(mut self) {
        run(Command::new("kill").args(["-TERM", &self.child.id().to_string()])).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}
