//! Watches the zoo while a session runs, off the hot path: puts into words what the engine flags, says when the
//! quorum is lost, and loads a zoo whose folder changed, so that the inference stage can take it between two cycles.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Result, anyhow, ensure};

use super::zoo::{self, Zoo};
use crate::clock::ScaledClock;
use crate::inference::{DeadlineClock, Engine, Health, InferenceConfig, SwapPort};

/// Looks between two looks at the folder.
const FOLDER_EVERY: u32 = 20;

/// See the module's documentation.
pub struct ZooWatch {
    folder: PathBuf,
    config: InferenceConfig,
    port: SwapPort,
    health: Arc<Health>,
    /// Health of the zoo that was offered, until it runs.
    next_health: Option<Arc<Health>>,
    /// State of the folder that runs or was refused, and the one seen at the last look.
    settled: String,
    seen: String,
    loading: Option<JoinHandle<Result<Engine>>>,
    looks: u32,
    quarantined: usize,
    shed: Vec<&'static str>,
    quorum_held: bool,
}

impl ZooWatch {
    pub(super) fn new(folder: PathBuf, config: InferenceConfig, port: SwapPort, health: Arc<Health>) -> Self {
        let settled = fingerprint(&folder);
        Self {
            seen: settled.clone(),
            settled,
            folder,
            config,
            port,
            health,
            next_health: None,
            loading: None,
            looks: 0,
            quarantined: 0,
            shed: Vec::new(),
            quorum_held: true,
        }
    }

    /// Whether every horizon has its quorum of families.
    pub fn quorum_holds(&self) -> bool {
        self.health.quorum_holds()
    }

    /// Models that failed at load, as sentences.
    pub fn failed_at_load(&self) -> &[String] {
        self.health.failed_at_load()
    }

    /// What is new, each as a sentence. Never waits: a changed folder is loaded on a thread of its own.
    pub fn look(&mut self) -> Vec<String> {
        let news = self.look_inside();
        self.looks += 1;
        if self.looks.is_multiple_of(FOLDER_EVERY) && self.loading.is_none() && self.next_health.is_none() {
            self.look_at_folder();
        }
        news
    }

    /// As [`ZooWatch::look`], but never at the folder: what it says depends on the session alone.
    pub fn look_inside(&mut self) -> Vec<String> {
        let mut news = Vec::new();
        self.look_at_swap(&mut news);
        self.look_at_engine(&mut news);
        news
    }

    /// Offers a zoo, which takes over at the next cycle.
    ///
    /// # Errors
    /// A model of it fails a check, its quorum does not hold, or an earlier one still waits.
    pub fn offer(&mut self, zoo: Zoo, clock: &impl DeadlineClock) -> Result<()> {
        let engine = whole(zoo, self.config, clock)?;
        self.hand_over(engine)
    }

    fn hand_over(&mut self, engine: Engine) -> Result<()> {
        let health = engine.health();
        self.port.offer(Box::new(engine)).map_err(|_| anyhow!("a new zoo found the exchange full and was dropped"))?;
        self.next_health = Some(health);
        Ok(())
    }

    fn look_at_engine(&mut self, news: &mut Vec<String>) {
        let quarantined = self.health.quarantined();
        news.extend(quarantined.iter().skip(self.quarantined).map(|name| {
            format!("model {name} is quarantined: it failed or gave no numbers several passes in a row; verify the zoo")
        }));
        self.quarantined = quarantined.len();
        let shed = self.health.shed();
        let late = |f: &&&str| !self.shed.contains(f);
        news.extend(
            shed.iter().filter(late).map(|f| format!("{f} is shed: inference was late several passes in a row")),
        );
        let back = self.shed.iter().filter(|f| !shed.contains(f));
        news.extend(back.map(|f| format!("{f} is taken back after a quiet time")));
        self.shed = shed;
        let holds = self.health.quorum_holds();
        if holds != self.quorum_held {
            news.push(if holds {
                "every horizon has its quorum of families again: observing for want of it ends".into()
            } else {
                "a horizon has fewer families than the zoo's quorum: observing only, until a zoo with its quorum takes \
                 over"
                    .into()
            });
        }
        self.quorum_held = holds;
    }

    fn look_at_swap(&mut self, news: &mut Vec<String>) {
        if let Some(old) = self.port.take_retired()
            && let Some(health) = self.next_health.take()
        {
            news.push(format!("the zoo {} was replaced by the one now in {}", old.zoo(), self.folder.display()));
            self.health = health;
            (self.quarantined, self.shed) = (0, Vec::new());
        }
        if self.loading.as_ref().is_none_or(|l| !l.is_finished()) {
            return;
        }
        let Some(loading) = self.loading.take() else { return };
        match loading.join().unwrap_or_else(|_| Err(anyhow!("its loading panicked"))) {
            Ok(engine) => {
                if let Err(why) = self.hand_over(engine) {
                    news.push(why.to_string());
                }
            }
            Err(why) => {
                let folder = self.folder.display();
                news.push(format!("the zoo now in {folder} is refused, the old one goes on: {why:#}"));
            }
        }
    }

    /// A folder that changed and has been still for one look is loaded.
    fn look_at_folder(&mut self) {
        let now = fingerprint(&self.folder);
        if now != self.seen {
            self.seen = now;
            return;
        }
        if now == self.settled {
            return;
        }
        self.settled = now;
        let (folder, config) = (self.folder.clone(), self.config);
        let work = move || whole(Zoo::load(&folder)?, config, &ScaledClock::real_time());
        match std::thread::Builder::new().name("zoo-loader".into()).spawn(work) {
            Ok(handle) => self.loading = Some(handle),
            Err(why) => tracing::warn!("no thread to load the new zoo on: {why}"),
        }
    }
}

/// A zoo that may take over: every model passes every check.
fn whole(zoo: Zoo, config: InferenceConfig, clock: &impl DeadlineClock) -> Result<Engine> {
    let engine = zoo.into_engine(config, clock)?;
    let health = engine.health();
    ensure!(health.failed_at_load().is_empty(), "{}", health.failed_at_load().join("; "));
    ensure!(health.quorum_holds(), "{}", zoo::NO_QUORUM);
    Ok(engine)
}

/// Names, sizes and times of a folder's files: changes whenever the zoo may have.
fn fingerprint(folder: &Path) -> String {
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let about = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
            Some(format!("{:?} {} {:?}", entry.file_name(), about.len(), about.modified().ok()))
        })
        .collect();
    files.sort();
    files.iter().fold(String::new(), |mut all, file| {
        let _ = writeln!(all, "{file}");
        all
    })
}
