//! Shared by the inference tests: the fixture zoo, a copy of it to damage, and the runtime or a clear skip.

#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "test support: a failure here is a failed test")]

use std::path::{Path, PathBuf};

use ibkr_trader::inference::{InferenceConfig, InferenceStage, Registry, RegistryError, Runtime, SchemaRef};
use sha2::{Digest, Sha256};

pub(crate) const SCHEMA: SchemaRef<'static> =
    SchemaRef { version: 1, hash: "0123abcd", columns: &["ret_1", "ret_5", "vol_30", "spread_bps"] };

pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models")
}

/// The runtime. Without one the test ends and the process says so once, unless IBKR_TRADER_REQUIRE_RUNTIME says
/// that it must be there.
pub(crate) fn runtime() -> Option<Runtime> {
    match Runtime::load() {
        Ok(runtime) => Some(runtime),
        Err(e) if std::env::var_os("IBKR_TRADER_REQUIRE_RUNTIME").is_some() => panic!("{e}"),
        Err(e) => {
            static SAID: std::sync::Once = std::sync::Once::new();
            SAID.call_once(|| eprintln!("skipped: {e}"));
            None
        }
    }
}

/// A copy of the good zoo that a test may damage.
pub(crate) struct Zoo {
    dir: tempfile::TempDir,
    pub(crate) manifest: serde_json::Value,
}

impl Zoo {
    pub(crate) fn copy() -> Self {
        Self::of("good")
    }

    /// The zoo with everything that a manifest can say.
    pub(crate) fn rich() -> Self {
        Self::of("rich")
    }

    fn of(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(fixtures().join(name)).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
        }
        let manifest = serde_json::from_slice(&std::fs::read(dir.path().join("manifest.json")).unwrap()).unwrap();
        Self { dir, manifest }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The manifest's entry of the model at `index` (0 linear, 1 tree).
    pub(crate) fn model(&mut self, index: usize) -> &mut serde_json::Value {
        &mut self.manifest["models"][index]
    }

    /// Puts another file in the place of the linear model, with its true hash.
    pub(crate) fn swap_linear(&mut self, odd: &str) {
        let bytes = std::fs::read(fixtures().join("odd").join(odd)).unwrap();
        self.put("linear.onnx", 0, &bytes);
    }

    /// Overwrites a model file and states its true hash.
    pub(crate) fn put(&mut self, file: &str, index: usize, bytes: &[u8]) {
        std::fs::write(self.file(file), bytes).unwrap();
        let hash: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
        self.model(index)["sha256"] = hash.into();
    }

    pub(crate) fn load(&self, runtime: &Runtime) -> Result<Registry, RegistryError> {
        std::fs::write(self.file("manifest.json"), serde_json::to_string(&self.manifest).unwrap()).unwrap();
        Registry::load(self.path(), &SCHEMA, runtime)
    }

    /// What is wrong with the zoo, or with the one model that is quarantined.
    pub(crate) fn error(&self, runtime: &Runtime) -> String {
        match self.load(runtime) {
            Err(e) => e.to_string(),
            Ok(registry) => {
                let sentences: Vec<String> = registry.quarantined().iter().map(ToString::to_string).collect();
                assert!(sentences.len() < 2, "{sentences:?}");
                sentences.into_iter().next().unwrap_or_default()
            }
        }
    }

    pub(crate) fn stage<C: ibkr_trader::inference::DeadlineClock>(
        &self,
        runtime: &Runtime,
        max_rows: usize,
        clock: C,
    ) -> InferenceStage<C> {
        let registry = self.load(runtime).unwrap();
        InferenceStage::new(registry, runtime, InferenceConfig::new(max_rows), clock).unwrap()
    }
}
