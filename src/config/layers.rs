//! Layers of TOML and the checks that need the text: every key of a layer must exist in the shipped
//! `config/default.toml`, and the base layer must have every key. Errors carry file, line and nearest name.

use std::path::Path;

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

/// Environment variables that override settings: `IBKR_TRADER__SECTION__KEY=value`.
pub const ENV_PREFIX: &str = "IBKR_TRADER__";

/// The shipped base file: what keys exist, and of what type, is written nowhere else.
const SCHEMA: &str = include_str!("../../config/default.toml");

/// Why settings were refused. Each is one sentence with the fix in it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error(
        "settings file {file} can't be read ({source}); correct --config or --profile, or run in the project's folder"
    )]
    Unreadable {
        /// Which file.
        file: String,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// Not TOML.
    #[error("{place}: not valid TOML: {why}")]
    Syntax {
        /// File and line, or the variable.
        place: String,
        /// The parser's word.
        why: String,
    },
    /// A key that does not exist.
    #[error("{place}: unknown key `{key}`{hint}")]
    Unknown {
        /// File and line, or the variable.
        place: String,
        /// The key's full path.
        key: String,
        /// The nearest known name.
        hint: String,
    },
    /// The base file lacks a key.
    #[error("{file}: key `{key}` is missing; the shipped config/default.toml has `{key} = {default}`")]
    Missing {
        /// Which file.
        file: String,
        /// The key's full path.
        key: String,
        /// The shipped value.
        default: String,
    },
    /// A value of another type.
    #[error("{place}: `{key}` must be {wanted}, not {found}")]
    Type {
        /// File and line, or the variable.
        place: String,
        /// The key's full path.
        key: String,
        /// Type of the shipped value.
        wanted: &'static str,
        /// Type found.
        found: &'static str,
    },
    /// A value out of range, or an unknown word.
    #[error("settings: {0}")]
    Invalid(String),
}

/// Settings in the making: later layers override earlier ones.
#[derive(Debug)]
pub struct Layers {
    schema: Table,
    merged: Table,
}

impl Layers {
    /// Starts from the base file at `path`, which must have every key.
    ///
    /// # Errors
    /// Unreadable, not TOML, an unknown, missing or mistyped key.
    pub fn base(path: &Path) -> Result<Self, ConfigError> {
        Self::base_text(&path.display().to_string(), &read(path)?)
    }

    /// Starts from a base text.
    ///
    /// # Errors
    /// As [`Layers::base`].
    pub fn base_text(file: &str, text: &str) -> Result<Self, ConfigError> {
        let schema: Table = SCHEMA.parse().map_err(|e: toml::de::Error| ConfigError::Invalid(e.to_string()))?;
        let mut layers = Self { merged: Table::new(), schema };
        layers.overlay_text(file, text)?;
        if let Some((key, default)) = first_missing(&layers.schema, &layers.merged, "") {
            return Err(ConfigError::Missing { file: file.into(), key, default });
        }
        Ok(layers)
    }

    /// Lays a partial file over what is there.
    ///
    /// # Errors
    /// Unreadable, not TOML, an unknown or mistyped key.
    pub fn overlay(&mut self, path: &Path) -> Result<(), ConfigError> {
        self.overlay_text(&path.display().to_string(), &read(path)?)
    }

    /// Lays a partial text over what is there.
    ///
    /// # Errors
    /// As [`Layers::overlay`].
    pub fn overlay_text(&mut self, file: &str, text: &str) -> Result<(), ConfigError> {
        self.lay(text, &|offset| format!("{file}:{}", line_of(text, offset)))
    }

    /// Lays a text over what is there; `place` names a byte of it to a person.
    fn lay(&mut self, text: &str, place: &dyn Fn(usize) -> String) -> Result<(), ConfigError> {
        let syntax = |e: toml::de::Error| ConfigError::Syntax {
            place: place(e.span().map_or(0, |s| s.start)),
            why: e.message().to_string(),
        };
        let spanned = DeTable::parse(text).map_err(syntax)?;
        check(spanned.get_ref(), &self.schema, &self.schema, "", place)?;
        merge(&mut self.merged, text.parse().map_err(syntax)?);
        Ok(())
    }

    /// Lays environment overrides over what is there: `IBKR_TRADER__DECISION__NAMES_MAX=5`.
    ///
    /// # Errors
    /// An unknown key or a mistyped value.
    pub fn environment(&mut self, vars: impl Iterator<Item = (String, String)>) -> Result<(), ConfigError> {
        let mut vars: Vec<_> = vars.filter(|(k, _)| k.starts_with(ENV_PREFIX)).collect();
        vars.sort();
        for (name, value) in vars {
            let path: Vec<String> = name[ENV_PREFIX.len()..].split("__").map(str::to_lowercase).collect();
            self.set(&name, &path, &value)?;
        }
        Ok(())
    }

    /// Sets one key from text, as an environment variable or a flag `origin` gives it.
    ///
    /// # Errors
    /// An unknown key or a mistyped value.
    pub fn set(&mut self, origin: &str, path: &[String], value: &str) -> Result<(), ConfigError> {
        let is_name = |key: &String| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if path.is_empty() || !path.iter().all(is_name) {
            return Err(ConfigError::Invalid(format!(
                "{origin} names no key: write --set section.key=value or {ENV_PREFIX}SECTION__KEY=value, e.g. \
                 --set decision.names_max=5"
            )));
        }
        let quoted = Value::String(value.into()).to_string();
        let as_toml = |v: &str| {
            let mut text = String::new();
            for table in &path[..path.len() - 1] {
                text = if text.is_empty() { table.clone() } else { format!("{text}.{table}") };
            }
            let header = if text.is_empty() { String::new() } else { format!("[{text}]\n") };
            format!("{header}{} = {v}\n", path[path.len() - 1])
        };
        // Where text is wanted, `11:00` is text and no time of day.
        let wants_text = path
            .iter()
            .try_fold(None, |found: Option<&Value>, key| {
                Some(Some(found.map_or_else(|| self.schema.get(key), |v| v.get(key))?))
            })
            .flatten()
            .is_some_and(Value::is_str);
        let bare = as_toml(value);
        let is_toml = bare.parse::<Table>().is_ok() && (!wants_text || value.starts_with(['"', '\'']));
        let text = if is_toml { bare } else { as_toml(&quoted) };
        // The lines of this text are none that a person wrote.
        self.lay(&text, &|_| origin.to_string())
    }

    /// The merged table.
    pub fn finish(self) -> Table {
        self.merged
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { file: path.display().to_string(), source })
}

/// Line of a byte offset, from 1.
fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|b| **b == b'\n').count() + 1
}

fn check(
    layer: &DeTable<'_>,
    schema: &Table,
    whole: &Table,
    prefix: &str,
    place: &dyn Fn(usize) -> String,
) -> Result<(), ConfigError> {
    for (key, value) in layer {
        let name = key.get_ref().as_ref();
        let path = join(prefix, name);
        let at = || place(key.span().start);
        let Some(known) = schema.get(name) else {
            return Err(ConfigError::Unknown { place: at(), key: path, hint: nearest(name, prefix, schema, whole) });
        };
        match (value.get_ref(), known) {
            (DeValue::Table(inner), Value::Table(inner_schema)) => check(inner, inner_schema, whole, &path, place)?,
            (DeValue::Integer(_), Value::Float(_)) => {}
            (found, wanted) if found.type_str() == wanted.type_str() => {}
            (found, wanted) => {
                return Err(ConfigError::Type {
                    place: at(),
                    key: path,
                    wanted: wanted.type_str(),
                    found: found.type_str(),
                });
            }
        }
    }
    Ok(())
}

/// Likeness from which a name counts as a misspelt one.
const ALIKE: f64 = 0.8;

/// The nearest name in the same section; if none is near, the nearest key anywhere, by its full path.
fn nearest(name: &str, prefix: &str, schema: &Table, whole: &Table) -> String {
    let mut known: Vec<(f64, String)> = schema.keys().map(|k| (strsim::jaro_winkler(name, k), k.clone())).collect();
    if known.iter().all(|(likeness, _)| *likeness < ALIKE) {
        let mut all = Vec::new();
        every_key(whole, "", &mut all);
        known = all.into_iter().map(|(key, path)| (strsim::jaro_winkler(name, &key), path)).collect();
    }
    let best = known.into_iter().max_by(|(a, _), (b, _)| a.total_cmp(b));
    match best {
        Some((likeness, found)) if likeness >= ALIKE => format!("; did you mean `{found}`?"),
        _ => format!(
            "; config/default.toml lists every key{}",
            if prefix.is_empty() { String::new() } else { format!(" of [{prefix}]") }
        ),
    }
}

/// Every key below `table`, with its full path.
fn every_key(table: &Table, prefix: &str, found: &mut Vec<(String, String)>) {
    for (key, value) in table {
        let path = join(prefix, key);
        if let Value::Table(inner) = value {
            every_key(inner, &path, found);
        }
        found.push((key.clone(), path));
    }
}

fn first_missing(schema: &Table, merged: &Table, prefix: &str) -> Option<(String, String)> {
    schema.iter().find_map(|(key, value)| {
        let path = join(prefix, key);
        match (value, merged.get(key)) {
            (Value::Table(s), Some(Value::Table(m))) => first_missing(s, m, &path),
            (Value::Table(_), None) => Some((path, "{ … }".into())),
            (v, None) => Some((path, v.to_string())),
            _ => None,
        }
    })
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_string() } else { format!("{prefix}.{key}") }
}

fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(result: Result<impl std::fmt::Debug, ConfigError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn unknown_mistyped_missing_and_broken_keys_are_named_with_their_line() {
        let mut base = Layers::base_text("default.toml", SCHEMA).unwrap();
        let wrong = message(base.overlay_text("my.toml", "[decision]\n\nnames_mx = 3\n"));
        assert_eq!(wrong, "my.toml:3: unknown key `decision.names_mx`; did you mean `names_max`?");
        let wrong = message(base.overlay_text("my.toml", "[decision]\nnames_max = \"3\"\n"));
        assert_eq!(wrong, "my.toml:2: `decision.names_max` must be integer, not string");
        assert!(message(base.overlay_text("my.toml", "[decision\n")).starts_with("my.toml:1: not valid TOML"));
        let elsewhere = message(base.overlay_text("my.toml", "[broker]\nnames_max = 3\n"));
        assert_eq!(elsewhere, "my.toml:2: unknown key `broker.names_max`; did you mean `decision.names_max`?");
        let alone = message(base.overlay_text("my.toml", "[broker]\nzzzz = 3\n"));
        assert!(alone.ends_with("`broker.zzzz`; config/default.toml lists every key of [broker]"), "{alone}");
        let short = SCHEMA.replace("names_max = ", "# names_max = ");
        assert!(
            message(Layers::base_text("d.toml", &short)).starts_with("d.toml: key `decision.names_max` is missing")
        );
    }

    #[test]
    fn later_layers_win_and_the_environment_is_last() {
        let mut layers = Layers::base_text("default.toml", SCHEMA).unwrap();
        layers.overlay_text("p.toml", "[decision]\nnames_max = 3\n[decision.cost]\nexecution_s = 7\n").unwrap();
        let vars = [("IBKR_TRADER__DECISION__NAMES_MAX".to_string(), "4".to_string()), ("HOME".into(), "x".into())];
        layers.environment(vars.into_iter()).unwrap();
        let bad = [("IBKR_TRADER__DECISION__NAMES".to_string(), "4".to_string())];
        assert!(message(layers.environment(bad.into_iter())).contains("did you mean `names_max`"));
        let table = layers.finish();
        assert_eq!(table["decision"]["names_max"].as_integer(), Some(4));
        assert_eq!(table["decision"]["cost"]["execution_s"].as_integer(), Some(7));
    }

    #[test]
    fn a_key_that_is_none_is_refused_without_a_line_number() {
        let mut layers = Layers::base_text("default.toml", SCHEMA).unwrap();
        for path in [vec![], vec![String::new()], vec!["decision".into(), String::new()], vec!["a b".into()]] {
            let told = message(layers.set("--set x", &path, "3"));
            assert!(told.starts_with("settings: --set x names no key: write --set section.key=value"), "{told}");
        }
        let unknown = message(layers.set("--set decision.names_mx=3", &["decision".into(), "names_mx".into()], "3"));
        assert_eq!(unknown, "--set decision.names_mx=3: unknown key `decision.names_mx`; did you mean `names_max`?");
    }

    #[test]
    fn text_needs_no_quotes_on_the_command_line() {
        let mut layers = Layers::base_text("default.toml", SCHEMA).unwrap();
        let path = ["demo".to_string(), "start".to_string()];
        for given in ["11:00", "\"11:00\""] {
            layers.set("--set", &path, given).unwrap();
        }
        assert_eq!(layers.finish()["demo"]["start"].as_str(), Some("11:00"));
    }
}
