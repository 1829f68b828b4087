//! About and diagnostics.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What `doctor` says, for the window.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Diagnostics {
    pub version: String,
    /// Operating system and processor.
    pub platform: String,
    pub checks: Vec<CheckDto>,
    /// Everything above as plain text to copy, redacted.
    pub report: String,
}

/// One check.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct CheckDto {
    pub name: String,
    /// `ok`, `warn` or `fail`.
    pub level: String,
    pub message: String,
    /// What to do; empty when there is nothing to do.
    pub hint: String,
}
