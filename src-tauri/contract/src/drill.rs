//! A recorded incident, played in the window as if it happened now.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A story that comes with the program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct StoryDto {
    /// What it is asked for by.
    pub name: String,
    pub title: String,
    pub summary: String,
    /// How long it took when it was recorded.
    #[ts(type = "number")]
    pub duration_s: i64,
}

/// The drill that is open: every command works on it, and nothing of it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct DrillDto {
    pub title: String,
    pub summary: String,
    /// The story's first and last moment, moved so that it ends in the present.
    pub starts_at: String,
    pub ends_at: String,
    /// Seconds of the story that pass in a real one, until it is over; then it goes on in step with the real time.
    pub speed: f64,
    /// When it began, by the real clock; until then it waits at its first moment.
    pub begun_at: Option<String>,
}
