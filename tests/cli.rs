//! The binary as a person meets it: bad input gets one sentence with the fix in it, a non-zero exit code, and leaves
//! nothing half-started; sessions end clean, by themselves, by a signal, and after a crash.
//!
//! Sessions run accelerated against a simulated gateway. Nothing here asserts a duration: waits have generous bounds
//! and fail with what was seen.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]
#![allow(clippy::print_stderr, reason = "a test that skips says so")]

mod cli_support;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

use cli_support::{Gateway, Scratch, json, leads_a_group, root, runtime_is_here, until};
use ibkr_trader::domain::Money;
use ibkr_trader::telemetry::{LatencyRecorder, Summary, write_report};
use serde_json::Value;

/// Session seconds per wall second: fast, but slow enough that a busy host is not taken for a silent broker.
const SPEED: &str = "--speed=30";

fn contains(sentence: &str, words: &[&str]) {
    for word in words {
        assert!(sentence.contains(word), "no `{word}` in: {sentence}");
    }
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten().filter(|e| e.path().is_file()) {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

// ---- Bad input -------------------------------------------------------------------------------------------------

#[test]
fn wrong_settings_are_named_with_file_line_and_nearest_name() {
    let scratch = Scratch::new();
    let shipped = std::fs::read_to_string(root().join("config/default.toml")).unwrap();
    let base = |name: &str, text: &str| scratch.file(name, text).display().to_string();
    let line_of = |text: &str| shipped.lines().position(|l| l.starts_with(text)).unwrap() + 1;

    let unknown = base("unknown.toml", &shipped.replace("\nnames_max = ", "\nnames_mx = "));
    let missing = base("missing.toml", &shipped.replace("\nnames_max = ", "\n# names_max = "));
    let typed = base("typed.toml", &shipped.replace("\nnames_max = 20 ", "\nnames_max = \"20\" "));
    let broken = base("broken.toml", &shipped.replace("\n[decision]", "\n[decision"));
    let names_max = line_of("names_max = ");
    for (file, words) in [
        (&unknown, vec![format!("{unknown}:{names_max}: unknown key `decision.names_mx`; did you mean `names_max`?")]),
        (&missing, vec![format!("{missing}: key `decision.names_max` is missing"), "`decision.names_max = 20`".into()]),
        (&typed, vec![format!("{typed}:{names_max}: `decision.names_max` must be integer, not string")]),
        (&broken, vec![format!("{broken}:{}: not valid TOML", line_of("[decision]"))]),
        (&"/nowhere/base.toml".to_string(), vec!["/nowhere/base.toml can't be read".into(), "--config".into()]),
    ] {
        let sentence = scratch.refusal(scratch.session("run").args(["--config", file]));
        contains(&sentence, &words.iter().map(String::as_str).collect::<Vec<_>>());
    }

    for (name, text, words) in [
        (
            "p1.toml",
            "[decision]\n\nnames_mx = 3\n",
            "p1.toml:3: unknown key `decision.names_mx`; did you mean `names_max`?",
        ),
        (
            "p2.toml",
            "[broker]\nnames_max = 3\n",
            "p2.toml:2: unknown key `broker.names_max`; did you mean `decision.names_max`?",
        ),
        ("p3.toml", "[decision]\nnames_max = 3.5\n", "p3.toml:2: `decision.names_max` must be integer, not float"),
        ("p4.toml", "[decision]\nnames_max = \n", "p4.toml:2: not valid TOML"),
        ("p5.toml", "[decission]\nnames_max = 3\n", "p5.toml:1: unknown key `decission`; did you mean `decision`?"),
    ] {
        let profile = scratch.file(name, text);
        contains(&scratch.refusal(scratch.session("run").arg("--profile").arg(profile)), &[words]);
    }
    let absent = scratch.path("absent.toml");
    contains(&scratch.refusal(scratch.session("run").arg("--profile").arg(absent)), &["can't be read", "--profile"]);

    for (name, value, words) in [
        (
            "IBKR_TRADER__DECISION__NAMES_MX",
            "3",
            "IBKR_TRADER__DECISION__NAMES_MX: unknown key `decision.names_mx`; did you mean `names_max`?",
        ),
        (
            "IBKR_TRADER__DECISION__NAMES_MAX",
            "many",
            "IBKR_TRADER__DECISION__NAMES_MAX: `decision.names_max` must be integer, not string",
        ),
        ("IBKR_TRADER__NAMES_MAX", "3", "unknown key `names_max`; did you mean `decision.names_max`?"),
        ("IBKR_TRADER__", "3", "IBKR_TRADER__ names no key"),
    ] {
        contains(&scratch.refusal(scratch.session("run").env(name, value)), &[words]);
    }

    for (given, words) in [
        ("decision.names_max", "write it as section.key=value"),
        ("=3", "--set =3 names no key: write --set section.key=value"),
        ("decision..names_max=3", "names no key"),
        ("decision.names_mx=3", "unknown key `decision.names_mx`; did you mean `names_max`?"),
        ("decision.names_max=", "`decision.names_max` must be integer, not string"),
        ("decision=3", "`decision` must be table, not integer"),
        ("decision.names_max=-1", "`decision.names_max`"),
        ("demo.speed=nan", "demo.speed = NaN must be a positive number"),
        ("demo.minutes=0", "demo.minutes = 0 must be 1 to 390 minutes"),
        ("inference.budget_ms=0", "inference.budget_ms = 0 must be 1 to 10000"),
        ("broker.port=70000", "`broker.port`"),
        (
            "pipeline.groups=[{stages=[\"fed\"], core=1, wait=\"spin\"}]",
            "unknown variant `fed`, expected one of `feed`",
        ),
    ] {
        contains(&scratch.refusal(scratch.session("run").args(["--set", given])), &[words]);
    }
    for minutes in ["--minutes=0", "--minutes=391", "--minutes=soon"] {
        contains(&scratch.refusal(scratch.session("run").arg(minutes)), &["--minutes"]);
        contains(&scratch.refusal(scratch.session("demo").arg(minutes)), &["--minutes"]);
    }
    assert!(!scratch.path("run").exists() && !scratch.path("perf").exists(), "a refused command wrote something");
}

#[test]
fn a_gateway_that_can_t_serve_says_why() {
    let scratch = Scratch::new();
    let not_gzip = scratch.file("text.csv.gz", "ts,symbol,open,high,low,close,volume\n");
    let whole = gzipped("ts,symbol,open,high,low,close,volume\n2026-04-15T13:30:00Z,AAPL,1,1,1,1,1\n");
    let torn = scratch.file("torn.csv.gz", &whole[..whole.len() - 12]);
    let odd = scratch.file("odd.csv.gz", gzipped("ts,symbol,open,high,low,close,volume\nnoon,AAPL,1,1,1,1,1\n"));
    let file = |p: &Path| format!("--data={}", p.display());
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = format!("--listen={}", held.local_addr().unwrap());
    let below_a_file = format!("--audit={}/audit.json", not_gzip.display());
    for (argument, words) in [
        (busy.as_str(), ["the port is in use", "port 0"]),
        ("--listen=here", ["cannot listen on here", "127.0.0.1:4002"]),
        ("--data=/nowhere/day.csv.gz", ["no market data at /nowhere/day.csv.gz", "*.csv.gz"]),
        (&file(&scratch.path("")), ["session.json describes no recording", "PREFIX of tick files"]),
        (&file(&not_gzip), ["text.csv.gz can't be read", "complete gzip file"]),
        (&file(&torn), ["torn.csv.gz can't be read", "complete gzip file"]),
        (&file(&odd), ["odd.csv.gz, line 2", "fix or remove the line"]),
        ("--start=25:00", ["--start", "HH:MM"]),
        ("--start=17:00", ["outside regular hours", "give a New York time"]),
        ("--date=2026-02-31", ["--date", "YYYY-MM-DD"]),
        ("--date=2026-04-18", ["20260418 is no trading day", "weekday"]),
        ("--speed=0", ["--speed 0 must be above 0", "such as 1 or 20"]),
        ("--speed=NaN", ["--speed NaN must be above 0", "such as 1 or 20"]),
        ("--cash=NaN", ["--cash NaN", "USD"]),
        ("--max-version=156", ["--max-version", "157..=226"]),
        (&below_a_file, ["audit.json", "folder"]),
        ("--referee=/nowhere/limits.toml", ["/nowhere/limits.toml", "config/referee.toml"]),
        ("--delays=slow", ["--delays", "real, fast, none"]),
        ("--base-currency=EUR", ["needs --usd-rate", "0.86"]),
        ("--short-stock=/nowhere/usa.txt", ["/nowhere/usa.txt", "short-stock file"]),
        ("--halts=/nowhere/halts.csv", ["/nowhere/halts.csv", "halt_time_et"]),
        ("--breakers=NOSUCH", ["NOSUCH", "universe"]),
        ("--price-cap-percent=-1", ["--price-cap-percent", "above 0"]),
    ] {
        let mut command = scratch.program(&["gateway"]);
        if !argument.starts_with("--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        contains(&scratch.refusal(command.arg(argument)), &words);
    }
}

#[test]
fn real_money_needs_three_things_that_agree() {
    let scratch = Scratch::new();
    let run = |settings: &[&str], flags: &[&str]| {
        let mut command = scratch.session("run");
        settings.iter().for_each(|s| {
            command.args(["--set", s]);
        });
        scratch.refusal(command.args(flags))
    };
    contains(&run(&[], &[]), &["account is empty", "\"DU1234567\""]);
    contains(&run(&["broker.account=U7654321"], &[]), &["U7654321 is a live (real money) account", "live = true"]);
    contains(&run(&["broker.account=DU1111111", "broker.live=true"], &["--live"]), &["DU1111111 is a paper account"]);
    contains(&run(&["broker.account=U7654321", "broker.live=true"], &[]), &["real money", "pass --live"]);
    contains(&run(&["broker.account=DU1111111"], &["--live"]), &["--live is given", "broker.live is false"]);
    let plumbing = ["--live", "--profile", "config/demo.toml"];
    let refused = run(&["broker.account=U7654321", "broker.live=true"], &plumbing);
    contains(&refused, &["profile plumbing loosens gates", "never trades real money"]);
    assert!(!scratch.path("run").exists(), "a refused command wrote something");
}

#[test]
fn models_and_runtime_are_checked_before_anything_connects() {
    let scratch = Scratch::new();
    // A gateway would be asked at this port: the runtime is looked for first.
    let run = |folder: &Path| {
        let mut command = scratch.trader(SocketAddr::from(([127, 0, 0, 1], 9)));
        command.arg("--set").arg(format!("session.models_folder={}", folder.display()));
        command
    };
    let verify = |folder: &Path| scratch.program(&["models", "verify", &folder.display().to_string()]);
    let shipped = root().join("models");
    for command in [&mut run(&shipped), &mut verify(&shipped)] {
        let refused = scratch.refusal(command.env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so"));
        contains(
            &refused,
            &["ONNX Runtime at /nowhere/libonnxruntime.so", "models/fetch_runtime.py", "ORT_DYLIB_PATH"],
        );
    }
    if !runtime_is_here() {
        return;
    }
    let good = scratch.start(&mut verify(&shipped)).end();
    assert!(good.status.success(), "{}", good.said());
    contains(&good.printed, &["ok   mlp", "ONNX Runtime"]);

    let nowhere = scratch.path("no-models");
    contains(&scratch.refusal(&mut run(&nowhere)), &["no-models/manifest.json", "No such file", "train one"]);
    contains(&scratch.refusal(&mut verify(&nowhere)), &["no-models/manifest.json", "No such file", "train one"]);

    let without = scratch.path("without");
    copy_folder(&shipped, &without);
    std::fs::remove_file(without.join("mlp.onnx")).unwrap();

    let flipped = scratch.path("flipped");
    copy_folder(&shipped, &flipped);
    let mut bytes = std::fs::read(flipped.join("mlp.onnx")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(flipped.join("mlp.onnx"), bytes).unwrap();
    for (folder, word) in [(&without, "can't be read"), (&flipped, "SHA-256")] {
        let mut command = verify(folder);
        contains(&scratch.refusal(&mut command), &["some models failed", "version control"]);
        let told = scratch.start(&mut command).end().printed;
        let bad: Vec<&str> = told.lines().filter(|l| l.starts_with("QUARANTINED")).collect();
        assert!(matches!(bad.as_slice(), [one] if one.contains("mlp") && one.contains(word)), "{told}");
    }
    // One bad model is quarantined and a session goes on; a zoo that contradicts itself is refused.
    let lies = scratch.path("lies");
    copy_folder(&shipped, &lies);
    let manifest = std::fs::read_to_string(lies.join("manifest.json")).unwrap();
    std::fs::write(lies.join("manifest.json"), manifest.replacen("\"format\": 2", "\"format\": 1", 1)).unwrap();
    for command in [&mut run(&lies), &mut verify(&lies)] {
        contains(&scratch.refusal(command), &["format 1 is unknown", "train the zoo"]);
    }
    assert!(!scratch.path("run").exists(), "a refused session made a journal");
}

/// Answers the handshake as a gateway of server version 187, then waits for the client to go.
fn old_gateway() -> (SocketAddr, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut head = [0; 8];
        client.read_exact(&mut head).unwrap();
        assert_eq!(&head[..4], b"API\0");
        let length = u32::from_be_bytes(head[4..].try_into().unwrap());
        client.read_exact(&mut vec![0; usize::try_from(length).unwrap()]).unwrap();
        let answer = b"187\x0020240415 11:00:00 US/Eastern\0";
        client.write_all(&u32::try_from(answer.len()).unwrap().to_be_bytes()).unwrap();
        client.write_all(answer).unwrap();
        let _ = client.read_to_end(&mut Vec::new());
    };
    (address, std::thread::spawn(serve))
}

#[test]
fn a_gateway_that_does_not_fit_is_refused() {
    let scratch = Scratch::new();
    if !runtime_is_here() {
        return;
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = scratch.refusal(&mut scratch.trader(nobody));
    contains(&refused, &[&format!("nothing answers at {nobody}"), "start TWS or IB Gateway", "check host and port"]);
    assert_eq!(refused.matches("refused").count(), 1, "the cause is said once: {refused}");

    let (address, served) = old_gateway();
    contains(&scratch.refusal(&mut scratch.trader(address)), &["server version 187", "213 or later", "update TWS"]);
    served.join().unwrap();

    let gateway = Gateway::start(&scratch, &[SPEED]);
    let run = |settings: &[&str]| {
        let mut command = scratch.trader(gateway.address);
        settings.iter().for_each(|s| {
            command.args(["--set", s]);
        });
        command
    };
    // The gateway itself runs on: only what a refused trader leaves is looked for.
    let refusal = |command: &mut Command| {
        let ended = scratch.start(command).end();
        assert_eq!(ended.status.code(), Some(1), "{}", ended.said());
        assert_eq!(ended.errors.lines().count(), 1, "not one sentence: {}", ended.said());
        assert_eq!(scratch.processes().len(), 1, "{:?}", scratch.processes());
        assert!(!scratch.path("run").exists(), "a refused session made a journal");
        ended.errors
    };
    let wrong = refusal(&mut run(&["broker.account=DU1111111"]));
    contains(&wrong, &["manages DU9000001, not DU1111111", "[broker] account"]);
    contains(&refusal(&mut run(&["universe.symbols=[]"])), &["universe.symbols is empty", "[\"AAPL\"]"]);
    let unknown = refusal(&mut run(&["universe.symbols=[\"TSLA\", \"QQXX\"]"]));
    contains(&unknown, &["QQXX could not be qualified", "remove it from the universe"]);

    let clock = |text: &str| scratch.file("other-clock.json", text);
    for (text, words) in [
        ("ten past nine", ["other-clock.json is not a clock file", "restart the gateway"]),
        (r#"{"session_start": 1, "anchor_mono_ns": 1}"#, ["missing field `speed`", "restart the gateway"]),
        (
            r#"{"session_start": 1, "anchor_mono_ns": 1, "speed": -20.0}"#,
            ["speed is not a positive", "restart the gateway"],
        ),
    ] {
        contains(&refusal(run(&[]).arg("--clock-file").arg(clock(text))), &words);
    }
    contains(&refusal(run(&[]).args(["--clock-file", "/nowhere/clock.json"])), &["clock file /nowhere/clock.json"]);
    let audit = gateway.end();
    assert_eq!(audit["order_requests"], Value::Array(vec![]), "a refused session sent orders");
}

#[test]
fn a_saved_report_is_printed_and_a_missing_one_is_named() {
    let scratch = Scratch::new();
    let perf = |folder: &Path| scratch.program(&["perf", &folder.display().to_string()]);
    let folder = scratch.path("perf");
    contains(&scratch.refusal(&mut perf(&folder)), &["no report in", "run `ibkr-trader demo`"]);
    let summary = Summary { source: "a saved session".into(), orders: 1234, ..Summary::default() };
    write_report(&folder, &summary, &LatencyRecorder::new().unwrap()).unwrap();
    let printed = scratch.start(&mut perf(&folder)).end();
    assert!(printed.status.success(), "{}", printed.said());
    contains(&printed.printed, &["a saved session", "1,234"]);
    std::fs::write(folder.join("summary.json"), "{}").unwrap();
    contains(&scratch.refusal(&mut perf(&folder)), &["summary.json is not a summary", "run the session again"]);
}

// ---- Sessions --------------------------------------------------------------------------------------------------

/// Orders that the audit saw, by reference: each under one id.
fn placed(audit: &Value) -> BTreeSet<(String, i64)> {
    let requests = audit["order_requests"].as_array().unwrap().iter();
    requests
        .filter(|r| r["request"] == "place_order")
        .map(|r| (r["order_ref"].as_str().unwrap().to_string(), r["order_id"].as_i64().unwrap()))
        .collect()
}

/// What must hold of every session, however it ended: nothing violated, nothing left working, no order twice.
fn in_order(audit: &Value) {
    assert_eq!(audit["violations_total"], 0, "{:#}", audit["violations"]);
    assert_eq!(audit["open_orders"], Value::Array(vec![]), "orders left working");
    assert_eq!(audit["books_agree"], true);
    let placed = placed(audit);
    let refs: BTreeSet<&String> = placed.iter().map(|(r, _)| r).collect();
    let ids: BTreeSet<i64> = placed.iter().map(|(_, id)| *id).collect();
    assert_eq!(
        (refs.len(), ids.len()),
        (placed.len(), placed.len()),
        "a reference or an id was used twice: {placed:?}"
    );
}

/// The two books agree, and the broker's is the gateway's own.
fn reconciled(summary: &Value, audit: &Value) {
    let r = &summary["reconciliation"];
    assert_eq!(r["differences"], 0, "{r:#}");
    assert_eq!(r["positions"]["broker"], audit["positions"], "{r:#}");
    assert_eq!((&r["executions"]["broker"], &r["executions"]["journal"]), (&audit["executions"], &audit["executions"]));
    let cents = |v: &Value| Money::from_f64(v.as_f64().unwrap()).unwrap().cents();
    for (key, own) in [("cash", "cash_usd"), ("commissions", "commissions_usd")] {
        assert_eq!(cents(&r[key]["journal"]), cents(&audit[own]), "{key}: {r:#}");
    }
}

fn start_run(scratch: &Scratch, gateway: &Gateway, minutes: &str) -> cli_support::Running {
    scratch.start(scratch.trader(gateway.address).arg(minutes).arg("--clock-file").arg(&gateway.clock_file))
}

fn notes(summary: &Value) -> String {
    summary["notes"].to_string()
}

#[test]
fn a_session_trades_goes_flat_and_reconciles() {
    let scratch = Scratch::new();
    if !runtime_is_here() {
        return;
    }
    let gateway = Gateway::start(&scratch, &[SPEED, "--seed=2"]);
    let ended = start_run(&scratch, &gateway, "--minutes=12").end();
    ended.clean();
    scratch.journal_is_free();
    let (summary, audit) = (scratch.summary(), gateway.end());
    in_order(&audit);
    reconciled(&summary, &audit);
    assert!(summary["orders"].as_u64().unwrap() > 0 && summary["fills"].as_u64().unwrap() > 0, "{}", ended.said());
    assert_eq!(audit["positions"], serde_json::json!({}), "not flat at the end:\n{}", ended.said());
    assert_eq!(summary["violations"], Value::Null, "a trader does not audit itself");
    contains(&ended.printed, &["PLUMBING PROFILE, loosened: cost gate off", "Reconciliation", "P&L is no evidence"]);
    scratch.nothing_runs();
}

#[test]
fn ctrl_c_ends_a_session_in_order_and_its_journal_goes_on() {
    let scratch = Scratch::new();
    if !runtime_is_here() {
        return;
    }
    let gateway = Gateway::start(&scratch, &[SPEED, "--seed=3"]);
    let first = start_run(&scratch, &gateway, "--minutes=60");
    let journal = scratch.path("run/journal/00000001.wal");
    until("the journal's first segment", || journal.exists().then_some(()), || first.so_far());

    // Meanwhile a second one is refused: by the client id, and with ids of its own by the journal.
    let mut second = scratch.trader(gateway.address);
    let refused = scratch.start(second.arg("--clock-file").arg(&gateway.clock_file)).end();
    assert_eq!(refused.status.code(), Some(1), "{}", refused.said());
    contains(&refused.errors, &["client id 10 is in use", "[broker] client_id"]);
    second.args(["--set", "broker.client_id=20", "--set", "broker.worker_client_id=21"]);
    let refused = scratch.start(&mut second).end();
    assert_eq!(refused.status.code(), Some(1), "{}", refused.said());
    contains(&refused.errors, &["in use by another process", "another folder"]);

    scratch.wait_until_it_trades("run/journal", &first);
    first.signal(libc::SIGINT);
    let ended = first.end();
    ended.clean();
    let summary = scratch.summary();
    contains(&notes(&summary), &["ended by a signal at 2026-04-15T"]);
    assert_eq!(summary["reconciliation"]["differences"], 0, "{summary:#}");
    let held = summary["reconciliation"]["positions"]["broker"].clone();
    assert_ne!(held, serde_json::json!({}), "nothing is held: the rest proves less\n{}", ended.said());
    assert!(scratch.working("run/journal").is_empty(), "the journal leaves orders working");
    scratch.journal_is_free();

    // What Ctrl-C left held is listed, not closed; the next run finds it in the journal and closes it at its end.
    let again = start_run(&scratch, &gateway, "--minutes=3").end();
    again.clean();
    let (summary, audit) = (scratch.summary(), gateway.end());
    in_order(&audit);
    reconciled(&summary, &audit);
    contains(&notes(&summary), &["executions are of earlier runs"]);
    assert_eq!(audit["positions"], serde_json::json!({}), "{held} was held:\n{}", again.said());
    scratch.nothing_runs();
}

#[test]
fn a_killed_session_recovers_without_duplicate_or_orphan() {
    let scratch = Scratch::new();
    if !runtime_is_here() {
        return;
    }
    let gateway = Gateway::start(&scratch, &[SPEED, "--seed=4"]);
    let first = start_run(&scratch, &gateway, "--minutes=60");
    scratch.wait_until_it_trades("run/journal", &first);
    first.signal(libc::SIGKILL);
    first.end().killed_by(libc::SIGKILL);
    assert!(!scratch.path("perf/summary.json").exists(), "a killed session can't have reported");
    let ended = start_run(&scratch, &gateway, "--minutes=12").end();
    ended.clean();
    let (summary, audit) = (scratch.summary(), gateway.end());
    in_order(&audit);
    reconciled(&summary, &audit);
    assert!(scratch.working("run/journal").is_empty(), "the journal leaves orders working");
    // Both processes traded, and the second went on above the first's ids.
    // References read `deployment|process|number|check`.
    let processes: BTreeSet<String> =
        placed(&audit).iter().filter_map(|(r, _)| r.split('|').nth(1).map(str::to_owned)).collect();
    assert_eq!(processes.len(), 2, "two processes traded: {processes:?}\n{}", ended.said());
    contains(&notes(&summary), &["executions are of earlier runs"]);
    assert_eq!(audit["positions"], serde_json::json!({}), "not flat at the end:\n{}", ended.said());
    scratch.journal_is_free();
    scratch.nothing_runs();
}

// ---- Demo ------------------------------------------------------------------------------------------------------

fn demo(scratch: &Scratch) -> Command {
    let mut command = scratch.session("demo");
    Scratch::tuned(&mut command).args(["--quiet", SPEED, "--set", "demo.symbols=6"]);
    command
}

#[test]
fn the_demo_leaves_every_figure_that_it_promises() {
    let scratch = Scratch::new();
    if !runtime_is_here() {
        return;
    }
    let ended = scratch.start(demo(&scratch).arg("--minutes=12")).end();
    ended.clean();
    let summary = scratch.summary();
    assert_eq!(summary["symbols"], 6);
    contains(summary["source"].as_str().unwrap(), &["synthetic martingale", "no planted edge"]);
    for key in ["events", "decisions", "intents", "orders", "fills"] {
        assert!(summary[key].as_u64().is_some_and(|n| n > 0), "{key}: {}\n{}", summary[key], ended.said());
    }
    assert!(summary["pnl"].is_f64(), "{}", summary["pnl"]);
    for key in ["guard", "orphan_orders", "margin", "ssr", "pacing", "duplicate_orders"] {
        assert_eq!(summary["violations"][key], 0, "{key}\n{}", ended.said());
        let opportunities = summary["exercised"].as_object().unwrap().keys().filter(|k| k.starts_with(key)).count();
        assert!(opportunities > 0, "{key} has no opportunity in {}", summary["exercised"]);
    }
    let r = &summary["reconciliation"];
    for key in ["executions", "positions", "cash", "commissions"] {
        assert!(!r[key]["broker"].is_null() && !r[key]["journal"].is_null(), "{key}: {r:#}");
    }
    assert_eq!(r["differences"], 0, "{r:#}");
    let hops = ["feed", "features", "inference", "decision", "routing", "tick_to_intent"];
    for hop in hops.into_iter().chain(["event_to_decision", "intent_to_send", "order_routing", "send_to_ack"]) {
        let line = &summary["latency_us"][hop];
        assert!(line["count"].as_u64().is_some_and(|n| n > 0), "{hop}: {line}");
        let figures = ["p50", "p95", "p99", "p999", "max"].map(|key| line[key].as_f64().unwrap_or(f64::NAN));
        assert!(figures.is_sorted() && figures[0] > 0.0, "{hop}: {line}");
        let file = std::fs::read_to_string(scratch.path("perf").join(format!("{hop}.hgrm"))).unwrap();
        contains(&file, &["Percentile", "#[Max"]);
    }
    for key in ["inference_p95_ms", "decision_p99_ms", "routing_p99_ms"] {
        assert!(summary["budgets"][key].as_f64().is_some_and(|ms| ms > 0.0), "{key}: {}", summary["budgets"]);
    }
    assert!(summary["budgets"]["missed"].is_u64());
    assert!(summary["loosened"].as_array().is_some_and(|l| !l.is_empty()));
    let audit = json(&scratch.path("run/demo/audit.json"));
    in_order(&audit);
    reconciled(&summary, &audit);
    scratch.nothing_runs();
    scratch.journal_is_free();

    let printed = scratch.start(&mut scratch.program(&["perf", &scratch.path("perf").display().to_string()])).end();
    assert!(printed.status.success() && ended.printed.contains(printed.printed.trim()), "{}", printed.said());
}

#[test]
fn the_demo_refuses_before_it_starts_a_gateway_and_leaves_none_behind() {
    let scratch = Scratch::new();
    for (argument, word) in [
        ("--speed=0", "demo.speed = 0 must be a positive number"),
        ("--speed=NaN", "demo.speed = NaN must be a positive number"),
        ("--data=/nowhere/day.csv.gz", "no market data at /nowhere/day.csv.gz"),
        ("--set=demo.start=17:00", "outside regular hours"),
        ("--set=demo.start=noon", "HH:MM"),
    ] {
        contains(&scratch.refusal(scratch.session("demo").arg(argument)), &[word]);
    }
    // These are found once the gateway runs: it must go with the demo.
    let missing = scratch.refusal(demo(&scratch).env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so"));
    contains(&missing, &["ONNX Runtime at /nowhere/libonnxruntime.so"]);
    if !runtime_is_here() {
        return;
    }
    let unknown = scratch.refusal(demo(&scratch).args(["--set", "session.models_folder=/nowhere"]));
    contains(&unknown, &["/nowhere/manifest.json"]);

    // Ctrl-C at a terminal reaches the whole group: the gateway must outlast the cancels.
    let running = scratch.start(leads_a_group(demo(&scratch).arg("--minutes=60")));
    scratch.wait_until_it_trades("run/demo/journal", &running);
    let second = scratch.start(&mut demo(&scratch)).end();
    assert_eq!(second.status.code(), Some(1), "{}", second.said());
    contains(&second.errors, &["in use by another process"]);
    running.signal_group(libc::SIGINT);
    let ended = running.end();
    ended.clean();
    let summary = scratch.summary();
    contains(&notes(&summary), &["ended by a signal"]);
    let audit = json(&scratch.path("run/demo/audit.json"));
    in_order(&audit);
    reconciled(&summary, &audit);
    scratch.nothing_runs();
    scratch.journal_is_free();

    // A demo that is killed can't end its gateway: the system does.
    let running = scratch.start(demo(&scratch).arg("--minutes=60"));
    let both = || scratch.processes().iter().any(|(_, line)| line.contains(" gateway ")).then_some(());
    until("the demo's gateway", both, || format!("{:?}\n{}", scratch.processes(), running.so_far()));
    running.signal(libc::SIGKILL);
    running.end().killed_by(libc::SIGKILL);
    let gone = || scratch.processes().is_empty().then_some(());
    until("the end of the killed demo's gateway", gone, || format!("{:?}", scratch.processes()));
}
