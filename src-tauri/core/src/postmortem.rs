//! The post-mortem as a document of people: its versions and how far its review is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How far the review of a post-mortem is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    #[default]
    Draft,
    InReview,
    Reviewed,
}

impl Status {
    /// As it is printed: `In review`.
    pub fn word(self) -> &'static str {
        match self {
            Status::Draft => "Draft",
            Status::InReview => "In review",
            Status::Reviewed => "Reviewed",
        }
    }
}

/// A status, since when and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusChange {
    pub status: Status,
    pub at: Timestamp,
    pub by: String,
}

/// Why there is a version of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Typed by a person. What is typed within a minute is one version.
    #[default]
    Typed,
    /// An earlier version was put back.
    Restored,
    /// The whole text, or a section, was filled from the record again; without text the record keeps it current.
    Filled,
    /// It was put into another shape.
    Shaped,
    /// A section was worded anew and taken.
    Worded,
    /// The text the record had filled was kept as it stood when its review began.
    Kept,
}

/// What is saved as the newest version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit<'a> {
    /// `None`: the record fills it again and keeps it current.
    pub markdown: Option<&'a str>,
    pub origin: Origin,
    pub by: &'a str,
}

/// A version of the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Counts from 1.
    pub version: u64,
    /// When it was last changed.
    pub at: Timestamp,
    /// Unknown for versions of before names were kept.
    pub by: Option<String>,
    pub origin: Origin,
    /// `None`: from then on the record filled it.
    pub markdown: Option<String>,
}
