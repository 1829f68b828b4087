//! The post-mortem: its text, its review, its versions, what its sentences rest on, and the files it leaves as.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The post-mortem as it is open in the editor.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct PostmortemDto {
    pub markdown: String,
    /// Sanitised HTML of the Markdown: no scripts, no raw HTML, no images, no styles.
    pub html: String,
    /// A file name to offer, for example `INC-47-checkout.md`.
    pub file_name: String,
    /// A person edited it; until then the record keeps it current.
    pub edited: bool,
    /// When it was last edited by a person.
    pub updated_at: Option<String>,
    pub status: PostmortemStatusDto,
    /// The id of the shape it is filled in.
    pub shape: String,
    pub shapes: Vec<ShapeDto>,
    pub citations: CitationsDto,
    pub sections: Vec<SectionHeadingDto>,
}

/// Under which heading of the text a section of the record stands.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SectionHeadingDto {
    /// `summary`, `impact`, `trigger`, `contributing_factors`, `root_cause`, `detection`, `response`, `not_known` or
    /// `action_items`.
    pub section: String,
    /// Without its marks.
    pub heading: String,
}

/// How far the review is, since when and by whom.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct PostmortemStatusDto {
    /// `draft`, `in_review` or `reviewed`.
    pub status: String,
    /// `None` while it is a draft that nobody moved.
    pub at: Option<String>,
    pub by: Option<String>,
}

/// A shape a post-mortem can have.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ShapeDto {
    /// `house`, `google-sre`, `pagerduty`, `atlassian`, or `own:` and the name of a file of the user's.
    pub id: String,
    pub name: String,
    /// What is wrong with a file of the user's; such a shape cannot be chosen.
    pub problem: Option<String>,
}

/// The preview of a text that is being typed.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct PreviewDto {
    /// Sanitised HTML, as in [`PostmortemDto`].
    pub html: String,
    pub citations: CitationsDto,
    pub sections: Vec<SectionHeadingDto>,
}

/// What the sentences of a post-mortem rest on.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct CitationsDto {
    /// Every sentence that states something, in the order of the text.
    pub sentences: Vec<SentenceDto>,
    /// Values that are replaced before the text leaves the history: they look like secrets.
    pub replaced: u32,
}

/// A sentence and what it rests on.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SentenceDto {
    /// `cites`, `not_established`, `nothing` or `unknown` (it cites an id that is not in the record).
    pub standing: String,
    /// The line it begins in, from 1.
    pub line: u32,
    /// Where it begins and ends in the text, in UTF-16 units as the window counts them.
    pub from: u32,
    pub to: u32,
    /// Its words, without marks.
    pub text: String,
    /// The ids it cites that the record does not have.
    pub unknown: Vec<String>,
}

/// A version of the text.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct PostmortemVersionDto {
    #[ts(type = "number")]
    pub version: u64,
    pub at: String,
    pub by: Option<String>,
    /// `typed`, `restored`, `filled`, `shaped`, `worded` or `kept`.
    pub origin: String,
    /// `None`: from then on the record filled it.
    pub markdown: Option<String>,
}

/// Where a post-mortem was written to.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ExportedDto {
    pub path: String,
    /// The file's name alone.
    pub name: String,
    /// Files written beside it, by name: the figure of a Markdown file.
    pub beside: Vec<String>,
    #[ts(type = "number")]
    pub bytes: u64,
    pub milliseconds: u32,
}
