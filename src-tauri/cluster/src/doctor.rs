//! What `doctor` asks.

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Ok,
    Warn,
    Fail,
}

/// One line of `doctor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub name: String,
    pub level: Level,
    pub message: String,
    /// What to do, empty when there is nothing to do.
    pub hint: String,
}
