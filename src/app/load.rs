//! Loads settings from the layers that the command line names.

use std::path::Path;

use super::cli::SettingsArgs;
use crate::config::{ConfigError, Layers, Settings};

/// Base file, then `first` profiles, then those of the command line, then the environment, then `--set`.
///
/// # Errors
/// The first thing wrong, with file, line and nearest name.
pub fn settings(args: &SettingsArgs, first: &[&Path]) -> Result<Settings, ConfigError> {
    let mut layers = Layers::base(&args.config)?;
    for profile in first.iter().copied().chain(args.profile.iter().map(AsRef::as_ref)) {
        layers.overlay(profile)?;
    }
    layers.environment(std::env::vars())?;
    for text in &args.set {
        let (key, value) = text.split_once('=').ok_or_else(|| {
            ConfigError::Invalid(format!("--set {text}: write it as section.key=value, e.g. decision.names_max=5"))
        })?;
        let path: Vec<String> = key.trim().split('.').map(str::to_string).collect();
        layers.set(&format!("--set {text}"), &path, value.trim())?;
    }
    Settings::from_table(layers.finish())
}
