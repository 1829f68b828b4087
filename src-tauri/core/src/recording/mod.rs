//! Recordings: what a cluster showed over time, as JSON lines that can be played again.
//!
//! The first line is the [`Header`], every other one a [`Line`]: a moment, and what was there from then on. Objects are
//! written as the API names them, reduced to the fields that are read and redacted as everywhere; Secrets have nothing
//! but metadata, and ConfigMaps digests in place of values. [`Tape`] turns observations into lines, [`Recording`] reads
//! them back, and [`shift`] moves their times. Lines of a type that is not known are skipped, so that older programs
//! can read newer files.

mod read;
pub mod shift;
mod tape;

use jiff::Timestamp;
pub use read::{MOST_BYTES, Problem, Recording, RecordingError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
pub use tape::Tape;

use crate::object::Kind;

/// What the first line of a recording calls the format.
pub const SCHEMA: &str = "afterwatch.recording/v1";

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`SCHEMA`].
    pub schema: String,
    /// The story in a few words.
    #[serde(default)]
    pub title: String,
    /// The story in one paragraph.
    #[serde(default)]
    pub summary: String,
    /// The context it was recorded under, and is played under.
    pub context: String,
    /// When recording began.
    pub recorded_at: Timestamp,
    /// How long the story lasts. A file that is still being written does not know; then its last line says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<u64>,
    /// Seconds into the recording at which something begins to happen; nothing need be shown of the time before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins_s: Option<u64>,
}

impl Header {
    /// A header of this format.
    pub fn new(context: &str, recorded_at: Timestamp) -> Header {
        Header {
            schema: SCHEMA.to_owned(),
            title: String::new(),
            summary: String::new(),
            context: context.to_owned(),
            recorded_at,
            duration_s: None,
            begins_s: None,
        }
    }
}

/// What was there from a moment on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub at: Timestamp,
    #[serde(flatten)]
    pub what: What,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum What {
    /// Who the cluster is.
    Server { uid: String, version: String },
    /// The kind can be read, in one namespace or everywhere.
    Served {
        #[serde(with = "name")]
        kind: Kind,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        namespace: Option<String>,
    },
    /// The kind may not be read, in the server's own words.
    Refused {
        #[serde(with = "name")]
        kind: Kind,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        namespace: Option<String>,
        message: String,
    },
    /// The server does not know the kind.
    Absent {
        #[serde(with = "name")]
        kind: Kind,
    },
    /// An object as it is from now on, as the API writes it.
    Put { object: Value },
    /// An object is gone; its last state.
    Delete { object: Value },
    /// What was in a container's log when it was read.
    Log(Log),
    /// The recording went on until here.
    End,
}

/// The tail of a container's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    pub namespace: String,
    pub pod: String,
    /// The pod's uid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    pub container: String,
    /// It was read as that of the instance before the present one, and not as that of the present one, dead or alive.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub previous: bool,
    /// The number of the instance whose log it is: the container's restart count while it was the present one, with
    /// `previous` or without.
    #[serde(default)]
    pub restart: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// Why there are no lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// There were more lines than are written here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// A kind by the name the API gives it.
mod name {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::object::Kind;

    pub fn serialize<S: Serializer>(kind: &Kind, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(kind.as_str())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Kind, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(from)?;
        Kind::parse(&name).ok_or_else(|| D::Error::custom(format!("the kind `{name}` is not known")))
    }
}

/// The kind of an object as a line has it, when it is one that is read. One of an extension's says by which resource
/// it is asked for; any other is of a kind that a newer version reads.
pub fn kind_of(object: &Value) -> Option<Kind> {
    let text = |field: &str| object.get(field).and_then(Value::as_str);
    let kind = Kind::of(text("apiVersion").unwrap_or_default(), text("kind")?)?;
    (kind != Kind::CustomResource || text("resource").is_some_and(|r| !r.is_empty())).then_some(kind)
}
