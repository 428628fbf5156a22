//! Finds and loads ONNX Runtime's shared library, once in the process. Only this file and `session.rs` name `ort`.
//!
//! `ort` panics when any of its calls finds no library, so everything goes through [`Runtime::load`], which says
//! what is missing instead. Order of places: `ORT_DYLIB_PATH` (then nothing else: a setting that fails must be
//! seen), beside the executable, `.runtime/` in the working folder and in the folders above the executable.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ort::environment::Environment;
use ort::logging::LogLevel;
use parking_lot::Mutex;

/// Names of the library, best first: what `models/fetch_runtime.py` unpacks, then what distributions install.
const LIBRARY_NAMES: [&str; 2] = ["libonnxruntime.so.1.31.1", "libonnxruntime.so"];

/// Folder that `models/fetch_runtime.py` fills.
const RUNTIME_DIR: &str = ".runtime";

/// Folders above the executable that are searched for [`RUNTIME_DIR`] (`target/release/deps` needs four).
const MAX_ANCESTORS: usize = 5;

/// ONNX Runtime allows one environment per process and `ort` refuses a second: it lives here until the end.
static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

/// Why there is no ONNX Runtime.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// No library in any place.
    #[error(
        "ONNX Runtime was not found (looked for {name} in {searched}): run `python3 models/fetch_runtime.py`, or set \
         ORT_DYLIB_PATH to the library",
        name = LIBRARY_NAMES[0]
    )]
    NotFound {
        /// The folders, comma-separated.
        searched: String,
    },
    /// The library is there and can't be used.
    #[error("ONNX Runtime at {path} can't be used ({why}): run `python3 models/fetch_runtime.py`{hint}")]
    Unusable {
        /// Which file.
        path: String,
        /// The loader's word.
        why: String,
        /// What else to do.
        hint: &'static str,
    },
}

/// Where to look, as data, so that a test can look elsewhere.
#[derive(Clone, Debug, Default)]
pub struct RuntimeSearch {
    /// `ORT_DYLIB_PATH`.
    pub explicit: Option<OsString>,
    /// The running executable.
    pub executable: Option<PathBuf>,
    /// The working folder.
    pub working_dir: Option<PathBuf>,
}

impl RuntimeSearch {
    /// This process's own places.
    pub fn of_process() -> Self {
        Self {
            explicit: std::env::var_os("ORT_DYLIB_PATH"),
            executable: std::env::current_exe().ok(),
            working_dir: std::env::current_dir().ok(),
        }
    }

    /// The library's path.
    ///
    /// # Errors
    /// `ORT_DYLIB_PATH` names no file, or no place has the library.
    pub fn locate(&self) -> Result<PathBuf, RuntimeError> {
        if let Some(explicit) = self.explicit.as_ref().filter(|e| !e.is_empty()) {
            let path = PathBuf::from(explicit);
            // `ort` takes a relative path as relative to the executable; a person means the working folder.
            return std::path::absolute(&path).ok().filter(|p| p.is_file()).ok_or_else(|| RuntimeError::Unusable {
                path: path.display().to_string(),
                why: "no such file".into(),
                hint: " and unset ORT_DYLIB_PATH, or let it name the library",
            });
        }
        let folders = self.folders();
        folders
            .iter()
            .flat_map(|folder| LIBRARY_NAMES.iter().map(move |name| folder.join(name)))
            .find(|path| path.is_file())
            .ok_or_else(|| RuntimeError::NotFound {
                searched: folders.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(", "),
            })
    }

    fn folders(&self) -> Vec<PathBuf> {
        let beside = self.executable.as_deref().and_then(Path::parent);
        let mut folders: Vec<PathBuf> = beside.map(Path::to_path_buf).into_iter().collect();
        folders.extend(self.working_dir.as_ref().map(|d| d.join(RUNTIME_DIR)));
        let above = beside.into_iter().flat_map(Path::ancestors).take(MAX_ANCESTORS);
        folders.extend(above.map(|d| d.join(RUNTIME_DIR)));
        folders.dedup();
        folders
    }
}

/// A loaded ONNX Runtime. Cheap to clone; never unloaded.
#[derive(Clone, Debug)]
pub struct Runtime {
    environment: Environment,
    path: Arc<Path>,
    version: Arc<str>,
}

impl Runtime {
    /// Loads the library that this process finds, or returns the one already loaded.
    ///
    /// # Errors
    /// No library, or one that can't be used; the sentence names the fix.
    pub fn load() -> Result<Self, RuntimeError> {
        Self::load_from(&RuntimeSearch::of_process())
    }

    /// As [`Runtime::load`], looking where `search` says. Once a library is loaded every call returns that one.
    ///
    /// # Errors
    /// As [`Runtime::load`].
    pub fn load_from(search: &RuntimeSearch) -> Result<Self, RuntimeError> {
        let mut loaded = LOADED.lock();
        if let Some(runtime) = loaded.as_ref() {
            return Ok(runtime.clone());
        }
        let path = search.locate()?;
        let unusable = |why: String| RuntimeError::Unusable {
            path: path.display().to_string(),
            why,
            hint: ", or set ORT_DYLIB_PATH to a library of version 1.22 or newer",
        };
        let environment = ort::init_from(&path)
            .map_err(|e| unusable(e.to_string()))?
            .with_name("ibkr-trader")
            .with_telemetry(false)
            .with_logger(Arc::new(forward_log))
            .build()
            .map_err(|e| unusable(e.to_string()))?;
        environment.set_log_level(LogLevel::Error);
        let runtime = Self { environment, version: version_of(&path).into(), path: path.into() };
        tracing::info!(library = %runtime.path.display(), version = %runtime.version, "ONNX Runtime loaded");
        *loaded = Some(runtime.clone());
        Ok(runtime)
    }

    /// The library in use.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Version as the library's file name states it, else its minor version.
    pub fn version(&self) -> &str {
        &self.version
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }
}

fn version_of(path: &Path) -> String {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let name = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match name.split_once(".so.") {
        Some((_, version)) if version.starts_with("1.") => version.to_owned(),
        _ => ort::util::probe(path).map_or_else(|| "unknown".to_owned(), |minor| format!("1.{minor}")),
    }
}

/// ONNX Runtime's own messages (errors only, see `set_log_level`) go where ours go.
fn forward_log(_: LogLevel, category: &str, _: &str, _: &str, message: &str) {
    tracing::warn!(category, "ONNX Runtime: {message}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(names: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"").unwrap();
        }
        dir
    }

    #[test]
    fn explicit_path_beats_every_folder_and_never_falls_back() {
        let dir = folder_with(&[".runtime/libonnxruntime.so.1.31.1", "mine.so"]);
        let mut search = RuntimeSearch {
            explicit: Some(dir.path().join("mine.so").into()),
            executable: None,
            working_dir: Some(dir.path().into()),
        };
        assert_eq!(search.locate().unwrap(), dir.path().join("mine.so"));
        search.explicit = Some(dir.path().join("absent.so").into());
        let message = search.locate().unwrap_err().to_string();
        assert!(message.contains("absent.so") && message.contains("no such file"), "{message}");
        search.explicit = Some("".into());
        assert_eq!(search.locate().unwrap(), dir.path().join(".runtime/libonnxruntime.so.1.31.1"));
    }

    #[test]
    fn beside_the_executable_comes_before_the_runtime_folder() {
        let dir = folder_with(&["bin/libonnxruntime.so", ".runtime/libonnxruntime.so.1.31.1"]);
        let mut search =
            RuntimeSearch { explicit: None, executable: Some(dir.path().join("bin/x")), working_dir: None };
        assert_eq!(search.locate().unwrap(), dir.path().join("bin/libonnxruntime.so"));
        search.executable = Some(dir.path().join("target/debug/deps/x"));
        assert_eq!(search.locate().unwrap(), dir.path().join(".runtime/libonnxruntime.so.1.31.1"));
    }

    #[test]
    fn a_missing_library_is_one_sentence_with_the_fix() {
        let dir = folder_with(&[]);
        let search = RuntimeSearch { explicit: None, executable: None, working_dir: Some(dir.path().into()) };
        let message = search.locate().unwrap_err().to_string();
        assert!(message.starts_with("ONNX Runtime was not found") && message.contains("fetch_runtime.py"), "{message}");
    }
}
