//! Reading a recording, leniently: a line that cannot be read costs only itself.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{Header, Line, SCHEMA, What, kind_of};
use crate::object::Object;

/// Files above this size, in bytes, are not read.
pub const MOST_BYTES: usize = 128 << 20;
/// The server refuses objects above 1.5 MB; a longer line is none.
const LINE_BYTES: usize = 4 << 20;
/// So many problems are told one by one.
const MOST_PROBLEMS: usize = 20;

/// A recording as it was read: its lines in the order of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    pub header: Header,
    pub lines: Vec<Line>,
    /// Lines that were skipped, with why.
    pub problems: Vec<Problem>,
}

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// From 1.
    pub line: usize,
    pub message: String,
}

/// Why a file is no recording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    #[error("The file is empty.")]
    Empty,
    #[error("The file is larger than {} MB.", MOST_BYTES >> 20)]
    TooLarge,
    #[error("Line 1 is not the beginning of a recording: {0}.")]
    NoHeader(String),
    #[error("The recording is of the format `{0}`, which this version of Afterwatch does not know.")]
    OtherFormat(String),
    #[error("Nothing in the recording can be played; line {line}: {message}.")]
    Nothing { line: usize, message: String },
}

/// What every line has.
#[derive(Deserialize)]
struct Outline<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
}

impl Recording {
    /// Reads a file's content.
    ///
    /// # Errors
    /// When it is no recording, or none that can be played.
    pub fn read(bytes: &[u8]) -> Result<Recording, RecordingError> {
        if bytes.len() > MOST_BYTES {
            return Err(RecordingError::TooLarge);
        }
        let mut rows = bytes.split(|b| *b == b'\n').enumerate().filter(|(_, row)| !row.trim_ascii().is_empty());
        let (_, first) = rows.next().ok_or(RecordingError::Empty)?;
        let header = header(first)?;
        let whole = bytes.ends_with(b"\n");
        let (mut lines, mut problems) = (Vec::new(), Vec::new());
        let mut rows = rows.peekable();
        while let Some((row, text)) = rows.next() {
            match line(text) {
                Ok(Some(line)) => lines.push(line),
                Ok(None) => {}
                // A recorder that was killed left half a line.
                Err(_) if !whole && rows.peek().is_none() => {}
                Err(message) if problems.len() < MOST_PROBLEMS => problems.push(Problem { line: row + 1, message }),
                Err(_) => {}
            }
        }
        if !lines.iter().any(|l| matches!(l.what, What::Put { .. })) {
            let none = Problem { line: 2, message: "no object is in it".to_owned() };
            let Problem { line, message } = problems.into_iter().next().unwrap_or(none);
            return Err(RecordingError::Nothing { line, message });
        }
        lines.sort_by_key(|l| l.at);
        Ok(Recording { header, lines, problems })
    }

    /// When everything had been read for the first time: what is written up to then was there before.
    pub fn opens_at(&self) -> Timestamp {
        let read = self.lines.iter().find(|l| matches!(l.what, What::Server { .. }));
        read.map_or(self.header.recorded_at, |l| l.at)
    }

    /// When the story ends.
    pub fn ends_at(&self) -> Timestamp {
        let last = self.lines.last().map_or(self.header.recorded_at, |l| l.at);
        let told = self.header.duration_s.and_then(|s| {
            let span = SignedDuration::from_secs(i64::try_from(s).ok()?);
            self.header.recorded_at.checked_add(span).ok()
        });
        // What is written after the end that was told belongs to it as well.
        told.map_or(last, |told| told.max(last))
    }

    /// How long the story lasts.
    pub fn duration(&self) -> SignedDuration {
        self.ends_at().duration_since(self.opens_at()).max(SignedDuration::ZERO)
    }
}

fn header(text: &[u8]) -> Result<Header, RecordingError> {
    #[derive(Deserialize)]
    struct Schema {
        schema: String,
    }
    let refused = |error: serde_json::Error| RecordingError::NoHeader(words(&error));
    let schema: Schema = serde_json::from_slice(text).map_err(refused)?;
    if schema.schema != SCHEMA {
        return Err(RecordingError::OtherFormat(schema.schema.chars().take(80).collect()));
    }
    serde_json::from_slice(text).map_err(refused)
}

/// The line, or none where its type is not known.
fn line(text: &[u8]) -> Result<Option<Line>, String> {
    if text.len() > LINE_BYTES {
        return Err("the line is too long".to_owned());
    }
    let outline: Outline<'_> = serde_json::from_slice(text).map_err(|e| words(&e))?;
    const KNOWN: &[&str] = &["server", "served", "refused", "absent", "put", "delete", "log", "end"];
    if !KNOWN.contains(&&*outline.kind) {
        return Ok(None);
    }
    let line: Line = serde_json::from_slice(text).map_err(|e| words(&e))?;
    if let What::Put { object } | What::Delete { object } = &line.what {
        let Some(kind) = kind_of(object) else {
            // A kind that a newer version reads.
            return Ok(None);
        };
        let read = Object::from_value(kind, object.clone()).map_err(|e| words(&e))?;
        if read.meta().name.is_empty() {
            return Err("the object has no name".to_owned());
        }
    }
    Ok(Some(line))
}

/// The parser's words without what it quotes, which may be anything.
fn words(error: &serde_json::Error) -> String {
    error.to_string().split('"').step_by(2).collect::<Vec<_>>().join("…")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        r#"{"schema":"afterwatch.recording/v1","title":"t","context":"dev","recorded_at":"2026-11-22T10:00:00Z"}"#;
    const PUT: &str = r#"{"at":"2026-11-22T10:00:01Z","type":"put","object":{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}}"#;

    fn read(rows: &[&str]) -> Result<Recording, RecordingError> {
        Recording::read(rows.join("\n").as_bytes())
    }

    #[test]
    fn a_line_that_cannot_be_read_costs_itself_and_is_told_with_its_number() {
        let nonsense = r#"{"at":"2026-11-22T10:00:02Z","type":"put","object":{"kind":"Pod","metadata":{"name":7}}}"#;
        let later = r#"{"at":"2026-11-22T10:00:03Z","type":"hologram","of":"shop"}"#;
        let recording = read(&[HEADER, PUT, "no json", nonsense, later, ""]).unwrap();
        assert_eq!(recording.lines.len(), 1);
        assert_eq!(recording.problems.iter().map(|p| p.line).collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn half_a_line_at_the_end_is_what_a_killed_recorder_leaves() {
        let recording = read(&[HEADER, PUT, &PUT[..40]]).unwrap();
        assert_eq!((recording.lines.len(), recording.problems.len()), (1, 0));
    }

    #[test]
    fn what_is_no_recording_is_refused_in_words() {
        assert_eq!(Recording::read(b""), Err(RecordingError::Empty));
        assert!(matches!(read(&["apiVersion: v1"]), Err(RecordingError::NoHeader(_))));
        let newer = HEADER.replace("/v1", "/v9");
        assert_eq!(read(&[&newer, PUT]), Err(RecordingError::OtherFormat("afterwatch.recording/v9".into())));
        assert!(matches!(read(&[HEADER, "{}"]), Err(RecordingError::Nothing { line: 2, .. })));
    }

    #[test]
    fn the_story_lasts_as_long_as_its_header_or_its_last_line_says() {
        assert_eq!(read(&[HEADER, PUT]).unwrap().duration(), SignedDuration::from_secs(1));
        let server = r#"{"at":"2026-11-22T10:00:01Z","type":"server","uid":"u","version":"v1"}"#;
        assert_eq!(read(&[HEADER, PUT, server]).unwrap().duration(), SignedDuration::ZERO);
        let told = HEADER.replace("\"title\"", "\"duration_s\":90,\"title\"");
        assert_eq!(read(&[&told, PUT]).unwrap().duration(), SignedDuration::from_secs(90));
    }
}
