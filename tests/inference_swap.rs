//! A zoo changes under a running session, or has not what its quorum asks for: the shipped zoo, copied and damaged.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod inference_support;

use std::path::Path;

use ibkr_trader::app::backtest::{Played, Successor, play_and_swap};
use ibkr_trader::app::cli::SettingsArgs;
use ibkr_trader::app::load;
use ibkr_trader::app::zoo::Zoo;
use ibkr_trader::app::zoo_watch::ZooWatch;
use ibkr_trader::clock::{SessionTime, VirtualClock};
use ibkr_trader::domain::{Family, Horizon, SymbolId};
use ibkr_trader::features::schema;
use ibkr_trader::inference::InferenceStage;
use ibkr_trader::message::Cycle;
use ibkr_trader::pipeline::group::Group;
use ibkr_trader::pipeline::{Outbox, Stage};
use ibkr_trader::sim::market::{self, MarketOptions};
use inference_support::runtime;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The shipped zoo in a folder of its own.
fn copy() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(root().join("models")).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if name.ends_with(".onnx") || name == "manifest.json" {
            std::fs::copy(entry.path(), dir.path().join(name)).unwrap();
        }
    }
    dir
}

/// Name and file of the zoo's first model.
fn first_model(dir: &Path) -> (String, std::path::PathBuf) {
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.join("manifest.json")).unwrap()).unwrap();
    let text = |key: &str| manifest["models"][0][key].as_str().unwrap().to_owned();
    (text("name"), dir.join(text("file")))
}

/// Changes the copied manifest.
fn edit(dir: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let path = dir.join("manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    std::fs::write(&path, serde_json::to_vec(&manifest).unwrap()).unwrap();
}

fn pass(stage: &mut InferenceStage<VirtualClock>) -> Box<Cycle> {
    let mut cycle = Box::new(Cycle::with_capacity(2, schema::COLUMNS));
    cycle.rows = 2;
    cycle.symbols[1] = SymbolId(1);
    cycle.features.fill(0.25);
    let mut out = Outbox::with_capacity(1);
    stage.on_event(SessionTime(0), cycle, &mut out);
    let cycle = out.drain().next();
    cycle.unwrap()
}

/// Looks, with a cycle now and then, until something is said.
#[allow(clippy::disallowed_methods, reason = "waits for the loader's thread")]
fn news(watch: &mut ZooWatch, stage: &mut InferenceStage<VirtualClock>) -> String {
    for _ in 0..30_000 {
        let news = watch.look();
        if !news.is_empty() {
            return news.join("; ");
        }
        pass(stage);
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    panic!("nothing was said in half a minute")
}

#[test]
fn a_changed_folder_is_taken_over_when_it_is_whole_and_refused_when_it_is_not() {
    if runtime().is_none() {
        return;
    }
    let dir = copy();
    let zoo = Zoo::load(dir.path()).unwrap();
    let (mut stage, mut watch) = zoo.into_stage(2, 100, VirtualClock::at(SessionTime(0))).unwrap();
    let before = pass(&mut stage);
    assert!(watch.quorum_holds() && before.prediction(0, Family::Mlp, Horizon::M5).is_finite());

    let (name, file) = first_model(dir.path());
    let good = std::fs::read(&file).unwrap();
    std::fs::write(&file, b"half a copy").unwrap();
    let said = news(&mut watch, &mut stage);
    assert!(said.contains("is refused, the old one goes on") && said.contains(&format!("model {name}")), "{said}");
    assert_eq!(stage.stats().swaps, 0);

    std::fs::write(&file, good).unwrap();
    edit(dir.path(), |m| {
        m["zoo"] = "the next one".into();
        m["calibration"]["5"]["slope"] = 0.5.into();
    });
    let (mut told, mut cycles) = (0, stage.stats().cycles);
    let said = loop {
        let cycle = pass(&mut stage);
        cycles += 1;
        if let Some(calibration) = cycle.recalibration {
            told += 1;
            assert!((calibration.slope[0] - 0.5).abs() < 1e-6);
        }
        if let Some(said) = watch.look().pop() {
            break said;
        }
        std::thread::yield_now();
    };
    assert!(said.contains("was replaced"), "{said}");
    assert_eq!((stage.stats().swaps, told, stage.engine().zoo()), (1, 1, "the next one"));
    assert_eq!(stage.stats().cycles, cycles, "no cycle was lost");
    let after = pass(&mut stage);
    let bits = |c: &Cycle| c.predictions.iter().map(|p| p.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&before), bits(&after), "the same models give the same scores");
}

/// A lockstep session with the zoo of a folder, whose successor comes under way.
fn session_with(dir: &Path, minutes: i64, successor: Option<Successor>) -> Played {
    let args = SettingsArgs { config: root().join("config/default.toml"), profile: vec![], set: vec![] };
    let mut settings = load::settings(&args, &[&root().join("config/demo.toml")]).unwrap();
    settings.demo.minutes = minutes;
    settings.session.flat_before_end_min = 3;
    let options = MarketOptions { symbols: 20, ..MarketOptions::default() };
    let zoo = Zoo::load(dir).unwrap();
    play_and_swap(&settings, zoo, market::open(None, &options).unwrap(), Group::poll, successor).unwrap()
}

/// Orders that such a session sends, and its journal.
fn orders_with(dir: &Path) -> (u64, String) {
    let played = session_with(dir, 12, None);
    (played.totals.orders_sent, played.journal)
}

#[test]
fn a_good_zoo_that_takes_over_ends_the_observing_of_one_without_its_quorum() {
    if runtime().is_none() {
        return;
    }
    let (bad, good) = (copy(), copy());
    std::fs::write(first_model(bad.path()).1, b"damaged").unwrap();
    edit(bad.path(), |m| m["quorum"]["5"] = 16.into());
    let successor = || Some(Successor { zoo: Zoo::load(good.path()).unwrap(), after_min: 8 });
    let played = session_with(bad.path(), 24, successor());
    let said = played.notes.join("; ");
    assert!(
        said.contains("observing only") && said.contains("was replaced") && said.contains("quorum of families again")
    );
    let place = |what: &str| played.journal.lines().position(|l| l.contains(what)).expect(what);
    let places = [" mode 2", ": NotArmed", " mode 0", " intent "].map(place);
    assert!(places.is_sorted(), "observes, refuses, lives, trades: lines {places:?}");
    assert!(played.totals.orders_sent > 0);
    assert!(session_with(bad.path(), 24, successor()).journal == played.journal, "the same again, byte for byte");
}

#[test]
fn without_its_quorum_the_session_observes_and_with_it_a_bad_model_is_left_away() {
    if runtime().is_none() {
        return;
    }
    let dir = copy();
    std::fs::write(first_model(dir.path()).1, b"damaged").unwrap();
    edit(dir.path(), |m| m["quorum"] = serde_json::json!({"5": 2, "10": 2, "15": 2, "30": 2, "60": 2}));
    let (orders, journal) = orders_with(dir.path());
    assert!(orders > 0 && !journal.contains("mode"), "two families are enough: {orders} orders");
    // All sixteen are more than there are with one model damaged.
    edit(dir.path(), |m| m["quorum"]["5"] = 16.into());
    let (orders, journal) = orders_with(dir.path());
    assert_eq!(orders, 0, "observing sends nothing");
    assert!(journal.lines().any(|l| l.contains("mode 2")), "the journal says so");
}
