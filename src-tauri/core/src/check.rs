//! One line of `doctor`: whether something Afterwatch needs is there, and what to do where it is not.

use serde::{Deserialize, Serialize};

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Ok,
    /// It works, but not all of it.
    Warn,
    Fail,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub name: String,
    pub level: Level,
    pub message: String,
    /// What to do, empty when there is nothing to do.
    pub hint: String,
}

impl Check {
    /// A line with what to do.
    pub fn new(name: impl Into<String>, level: Level, message: impl Into<String>, hint: impl Into<String>) -> Check {
        Check { name: name.into(), level, message: message.into(), hint: hint.into() }
    }

    /// All is well with it.
    pub fn ok(name: impl Into<String>, message: impl Into<String>) -> Check {
        Check::new(name, Level::Ok, message, "")
    }
}
