//! The subcommands: the only place that knows every part. Errors leave here as one sentence and exit code 1.

pub mod cli;
pub mod train_export;
