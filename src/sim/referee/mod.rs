//! referee.
