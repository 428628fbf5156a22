//! `record` and `history` against the gateway process: what is recorded is what the market was, the gateway plays the
//! recording, and a recording of that is the recording; bars fetched are the source's bars.

#![allow(clippy::unwrap_used, reason = "tests: a broken expectation must stop them")]

#[allow(dead_code, reason = "a part of what tests of the command line share")]
mod cli_support;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use cli_support::{Gateway, Scratch, json, until};
use flate2::read::MultiGzDecoder;
use ibkr_trader::clock::MINUTE;
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::sim::market::{self, MarketOptions, SampledFeed, Sampler, bars, ticks};

const SEED: u64 = 7;
const SYMBOLS: [&str; 3] = ["TSLA", "MU", "AAPL"];

fn text(path: &Path) -> String {
    let mut text = String::new();
    MultiGzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// (kind, the values) of a symbol's rows, without their times; empty quotes too.
fn rows(folder: &Path, symbol: &str) -> Vec<String> {
    let all = text(&folder.join(format!("20260415_{symbol}.csv.gz")));
    let mut lines = all.lines();
    assert_eq!(lines.next(), Some(ticks::HEADER));
    let rows: Vec<(i64, String)> = lines
        .map(|l| {
            let (time, rest) = l.split_once(',').unwrap();
            (time.parse().unwrap(), rest.strip_prefix(symbol).unwrap().to_string())
        })
        .collect();
    assert!(rows.windows(2).all(|w| w[0].0 <= w[1].0), "{symbol}: time runs backwards");
    rows.into_iter().map(|(_, r)| r).collect()
}

fn kind<'a>(rows: &'a [String], kind: &str) -> Vec<&'a str> {
    let start = format!(",{kind},");
    rows.iter().filter(|r| r.starts_with(&start)).map(String::as_str).collect()
}

/// What the market of `options` was, sampled as the gateway samples it: quotes and prints of each symbol as rows.
fn truth(until_minute: i64) -> BTreeMap<String, (Vec<String>, Vec<String>)> {
    let options = MarketOptions { start: Some((11, 0)), symbols: 6, seed: SEED, ..MarketOptions::default() };
    let source = market::open(None, &options).unwrap();
    let names: Vec<String> = source.references().iter().map(|r| r.symbol.clone()).collect();
    let start = source.start();
    let before = |r: &market::Reference| {
        source.history(r.id).iter().filter(|b| b.start >= source.hours().open).map(|b| b.volume.0).sum::<i64>()
    };
    let mut volumes: Vec<i64> = source.references().iter().map(before).collect();
    let mut feed = SampledFeed::new(source, Sampler::new(names.len(), SEED));
    let mut now: Vec<[String; 4]> = vec![Default::default(); names.len()];
    let mut all: BTreeMap<String, (Vec<String>, Vec<String>)> = BTreeMap::new();
    while let Some(u) = feed.next_until(start + until_minute * MINUTE) {
        let i = u.symbol.index();
        let (quotes, trades) = all.entry(names[i].clone()).or_default();
        let fields = [
            u.bid.map(|p| p.to_string()),
            u.bid_size.map(|q| q.to_string()),
            u.ask.map(|p| p.to_string()),
            u.ask_size.map(|q| q.to_string()),
        ];
        let mut moved = false;
        for (slot, new) in now[i].iter_mut().zip(fields) {
            if let Some(new) = new {
                moved |= *slot != new;
                *slot = new;
            }
        }
        if moved {
            quotes.push(format!(",quote,{},,,,", now[i].join(",")));
        }
        if let (Some(last), Some(volume)) = (u.last, u.volume) {
            trades.push(format!(",trade,,,,,{last},{},,", volume.0 - volumes[i]));
            volumes[i] = volume.0;
        }
    }
    all
}

/// Where `part` begins in `whole`, in one piece; it must lie there, else says where the best fit breaks.
fn place(what: &str, part: &[&str], whole: &[impl AsRef<str>]) -> usize {
    let fit = |i: usize| part.iter().zip(&whole[i..]).take_while(|(a, b)| **a == b.as_ref()).count();
    let best = (0..whole.len()).max_by_key(|i| fit(*i)).unwrap();
    let fits = fit(best);
    let near = |at: usize| whole[at..].iter().take(3).map(AsRef::as_ref).collect::<Vec<&str>>();
    let got: Vec<_> = part[fits..].iter().take(3).collect();
    assert_eq!(fits, part.len(), "{what} row {fits}: {got:?}, expected {:?}", near(best + fits));
    best
}

fn record(scratch: &Scratch, gateway: &Gateway, out: &str, extra: &[&str]) -> Command {
    let mut command = scratch.program(&["record", "--symbols", &SYMBOLS.join(",")]);
    command.args(["--port", &gateway.address.port().to_string()]).arg("--out").arg(scratch.path(out));
    command.arg("--clock-file").arg(&gateway.clock_file).args(extra);
    command
}

#[test]
fn what_is_recorded_is_the_market_and_plays_again() {
    let scratch = Scratch::new();
    let seed = format!("--seed={SEED}");
    let gateway = Gateway::start(&scratch, &[&seed, "--speed=10"]);
    let ended = scratch.start(&mut record(&scratch, &gateway, "a", &["--seconds=40"])).end();
    assert!(ended.status.success(), "{}", ended.said());
    gateway.end();
    let (a, truth) = (scratch.path("a"), truth(3));
    let session = json(&a.join("session.json"));
    assert_eq!((&session["complete"], &session["kind"]), (&true.into(), &"sampled".into()), "{session:#}");
    assert_eq!(session["gaps"], serde_json::json!([]));
    for symbol in SYMBOLS {
        let all = rows(&a, symbol);
        let (quotes, trades) = &truth[symbol];
        let (got_quotes, got_trades) = (kind(&all, "quote"), kind(&all, "trade"));
        assert!(
            got_quotes.len() >= 20 && got_trades.len() >= 20,
            "{symbol}: {} {}",
            got_quotes.len(),
            got_trades.len()
        );
        place(&format!("{symbol} quotes"), &got_quotes, quotes);
        // A part of the first print may have been in the snapshot.
        place(&format!("{symbol} trades"), &got_trades[1..], trades);
        let note = session["symbols"].as_array().unwrap().iter().find(|s| s["symbol"] == symbol).unwrap();
        assert_eq!(note["quotes"], got_quotes.len());
        assert_eq!((&note["data_type"], note["prior_close"].is_f64()), (&"real-time".into(), true), "{note:#}");
    }

    // Played without sampling, a recording of the recording is the recording, but for what came before the lines.
    let data = format!("--data={}", a.display());
    let again = Scratch::new();
    let gateway = Gateway::start(&again, &[&data, "--speed=10", "--sampling-ms=0"]);
    let ended = again.start(&mut record(&again, &gateway, "b", &["--seconds=50"])).end();
    assert!(ended.status.success(), "{}", ended.said());
    gateway.end();
    for symbol in SYMBOLS {
        let (first, second) = (rows(&a, symbol), rows(&again.path("b"), symbol));
        for what in ["quote", "trade"] {
            let (first, second) = (kind(&first, what), kind(&second, what));
            let second = &second[1..];
            assert!(second.len() >= 10, "{symbol}: {} {what} rows", second.len());
            let at = place(&format!("{symbol} {what}s again"), second, &first);
            assert_eq!(at + second.len(), first.len(), "{symbol} {what}: to the end");
        }
    }
    let (one, two) = (session, json(&again.path("b").join("session.json")));
    for (a, b) in one["symbols"].as_array().unwrap().iter().zip(two["symbols"].as_array().unwrap()) {
        for key in ["symbol", "con_id", "primary_exchange", "prior_close", "min_ticks", "shortable_shares"] {
            assert_eq!(a[key], b[key], "{key}");
        }
    }
}

#[test]
fn a_lost_gateway_is_a_gap_and_a_signal_ends_a_recording_whole() {
    let scratch = Scratch::new();
    // At this speed the recorder writes what it has every wall second.
    let gateway = Gateway::start(&scratch, &["--speed=60"]);
    let port = gateway.address.port();
    let running = scratch.start(&mut record(&scratch, &gateway, "a", &[]));
    let folder = scratch.path("a");
    let session = || {
        let text = std::fs::read_to_string(folder.join("session.json")).ok()?;
        serde_json::from_str::<serde_json::Value>(&text).ok()
    };
    let quotes = |s: &serde_json::Value| s["symbols"].as_array().unwrap().iter().map(|s| s["quotes"].as_u64()).min();
    let more_than = |n: u64| session().filter(|s| quotes(s).flatten() > Some(n));
    until("quotes", || more_than(5), || running.so_far());
    drop(gateway);
    let gap = until("the gap", || session().filter(|s| s["gaps"][0]["from"].is_i64()), || running.so_far());
    assert!(gap["gaps"][0]["why"].as_str().unwrap().contains("lost"), "{gap:#}");
    let before = quotes(&gap).flatten().unwrap();
    let listen = format!("--listen=127.0.0.1:{port}");
    let mut again = scratch.program(&["gateway", &listen, "--symbols=6", "--start=11:30", "--speed=60"]);
    let again = scratch.start(&mut again);
    until("the gap's end", || session().filter(|s| s["gaps"][0]["to"].is_i64()), || running.so_far());
    until("quotes again", || more_than(before + 5), || running.so_far());
    running.signal(libc::SIGINT);
    let ended = running.end();
    drop(again);
    assert!(ended.status.success(), "{}", ended.said());
    assert!(ended.printed.contains("1 gaps"), "{}", ended.printed);
    assert_eq!(session().unwrap()["complete"], true);
    for symbol in SYMBOLS {
        let all = rows(&folder, symbol);
        let quotes = kind(&all, "quote");
        let empty = quotes.iter().position(|q| *q == ",quote,,,,,,,,").unwrap();
        assert!(empty > 0 && empty + 1 < quotes.len(), "{symbol}: data before and after the gap: {quotes:#?}");
    }
    // A recording with a gap plays.
    let options = MarketOptions::default();
    let mut source = market::open(Some(&folder), &options).unwrap();
    let mut events = 0;
    while source.next_until(source.hours().close).is_some() {
        events += 1;
    }
    assert!(events > 30 && source.failure().is_none(), "{events} {:?}", source.failure());
}

#[test]
fn bars_that_are_fetched_are_the_source_s() {
    let scratch = Scratch::new();
    let seed = format!("--seed={SEED}");
    let gateway = Gateway::start(&scratch, &[&seed, "--speed=10"]);
    let history = |from: &str| {
        let mut command = scratch.program(&["history", "--symbols", &SYMBOLS.join(","), "--from", from]);
        command.args(["--to", "2026-04-15", "--port", &gateway.address.port().to_string()]);
        command.arg("--clock-file").arg(&gateway.clock_file).arg("--out").arg(scratch.path("bars"));
        scratch.start(&mut command).end()
    };
    let ended = history("2026-04-13");
    assert!(ended.status.success(), "{}", ended.said());
    for said in ["2026-04-13: the gateway has no bars", "1170 bars of 3 symbols", "2026-04-15: not over yet"] {
        assert!(ended.printed.contains(said), "{}", ended.printed);
    }
    let got = text(&scratch.path("bars").join("2026-04-14.csv.gz"));
    let options = MarketOptions { start: Some((11, 0)), symbols: 6, seed: SEED, ..MarketOptions::default() };
    let source = market::open(None, &options).unwrap();
    let mut expected = Vec::new();
    for (i, r) in source.references().iter().enumerate().filter(|(_, r)| SYMBOLS.contains(&r.symbol.as_str())) {
        let day = source.history(r.id).iter().filter(|b| Date::new_york(b.start) == Date(20_260_414));
        let time = |b: &market::Bar| b.start.to_string().replace(".000Z", "Z");
        expected.extend(day.map(|b| {
            let row = format!("{},{},{},{},{},{},{}", time(b), r.symbol, b.open, b.high, b.low, b.close, b.volume);
            (b.start, i, row)
        }));
    }
    expected.sort();
    let expected: Vec<String> = expected.into_iter().map(|(_, _, row)| row).collect();
    let mut lines = got.lines();
    assert_eq!(lines.next(), Some(bars::HEADER));
    assert_eq!(lines.collect::<Vec<_>>(), expected);
    // What is there is not asked for again.
    let again = history("2026-04-14");
    assert!(again.printed.contains("2026-04-14.csv.gz: there already"), "{}", again.said());
    assert_eq!(gateway.end()["received"]["req_historical_data"], 6);
    // The file is a market.
    let played = market::open(Some(&scratch.path("bars").join("2026-04-14.csv.gz")), &MarketOptions::default());
    assert_eq!(played.unwrap().references().len(), 3);
}

#[test]
fn what_can_t_be_recorded_is_refused_in_one_sentence() {
    let scratch = Scratch::new();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let gateway = Gateway::start(&scratch, &[]);
    let port = gateway.address.port().to_string();
    let out = scratch.path("out");
    let out = out.to_str().unwrap();
    std::fs::create_dir(scratch.path("full")).unwrap();
    scratch.file("full/session.json", "{}");
    let full = scratch.path("full");
    let full = full.to_str().unwrap();
    let file = scratch.file("plain", "");
    let inside = file.join("x");
    let none = scratch.file("none.txt", "# nothing\n\n");
    let other = Scratch::new();
    let cases: [(&[&str], &[&str]); 9] = [
        (
            &["record", "--symbols=AAPL", "--port", &nobody, "--out", out],
            &["nothing answers", "start TWS or IB Gateway"],
        ),
        (&["history", "--symbols=AAPL", "--port", &nobody, "--out", out, "--from=2026-04-14"], &["nothing answers"]),
        (&["record", "--symbols=AAPL,NOSUCH", "--port", &port, "--out", out], &["NOSUCH", "could not be qualified"]),
        (
            &["history", "--symbols=NOSUCH", "--port", &port, "--out", out, "--from=2026-04-14"],
            &["NOSUCH", "could not be qualified"],
        ),
        (&["record", "--port", &port, "--out", out], &["no tickers", "--symbols AAPL,MSFT"]),
        (&["record", "--symbols-file", none.to_str().unwrap(), "--port", &port, "--out", out], &["no tickers"]),
        (
            &["record", "--symbols=AAPL", "--port", &port, "--out", full],
            &["holds a recording already", "another --out"],
        ),
        (&["record", "--symbols=AAPL", "--port", &port, "--out", inside.to_str().unwrap()], &["can't make the folder"]),
        (
            &["history", "--symbols=AAPL", "--port", &port, "--out", out, "--from=2026-04-18"],
            &["no trading day", "2026-04-18"],
        ),
    ];
    for (arguments, words) in cases {
        let sentence = other.refusal(&mut other.program(arguments));
        assert!(words.iter().all(|w| sentence.contains(w)), "{arguments:?}: {sentence}");
    }
    let sentence = other.refusal(&mut other.program(&["gateway", "--listen=127.0.0.1:0", "--data", full]));
    assert!(sentence.contains("describes no recording"), "{sentence}");
}

#[test]
fn data_that_is_not_subscribed_is_refused_unless_delayed_data_will_do() {
    let scratch = Scratch::new();
    let gateway = Gateway::start(&scratch, &["--speed=20", "--entitlement=C=delayed"]);
    let done = record(&scratch, &gateway, "refused", &["--seconds=30"]).output().unwrap();
    let sentence = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{sentence}");
    for word in ["no symbol has data", "10089", "--delayed"] {
        assert!(sentence.contains(word), "{word}: {sentence}");
    }
    let done = record(&scratch, &gateway, "late", &["--seconds=60", "--delayed"]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let session = std::fs::read_to_string(scratch.path("late/session.json")).unwrap();
    assert!(session.contains("\"data_type\": \"delayed\""), "{session}");
    assert!(!kind(&rows(&scratch.path("late"), "AAPL"), "trade").is_empty());
}

#[test]
fn raw_ticks_are_more_than_samples() {
    let scratch = Scratch::new();
    // One line in twenty may be tick by tick, and each symbol takes two.
    let gateway = Gateway::start(&scratch, &["--speed=20", "--lines=200"]);
    let counts = |out: &str, how: &[&str]| {
        let done = record(&scratch, &gateway, out, &[&["--seconds=60"], how].concat()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let rows: Vec<_> = SYMBOLS.iter().map(|s| rows(&scratch.path(out), s)).collect();
        ["quote", "trade"].map(|what| rows.iter().map(|r| kind(r, what).len()).sum::<usize>())
    };
    let (raw, sampled) = (counts("raw", &["--tick-by-tick"]), counts("sampled", &[]));
    assert!(raw[0] > sampled[0] && raw[1] > sampled[1] && sampled[1] > 0, "{raw:?} {sampled:?}");
}
