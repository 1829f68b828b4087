//! Observations: normalised facts read from a cluster at a time.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    coverage::{EndedBy, UnreadableReason},
    object::{Kind, Object, ObjectRef, kind::Mode},
};

/// One fact, as an adapter hands it over. `at` is when it was received.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    pub at: Timestamp,
    pub fact: Fact,
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// A complete list of one kind (in one namespace, or everywhere): what is not in it does not exist. `how` it is
    /// kept up to date from here on.
    Listed { kind: Kind, namespace: Option<String>, how: Mode, objects: Vec<Object> },
    /// An object was added or changed.
    Upserted(Object),
    /// An object is gone; its last known state.
    Deleted(Object),
    /// The kind is being watched (or was polled) and the stream is provably alive.
    Alive { kind: Kind, namespace: Option<String> },
    /// A kind stopped being watched, or never could be.
    Lost { kind: Kind, namespace: Option<String>, ended_by: EndedBy, reason: UnreadableReason, message: String },
    /// What the next list of custom resources does not have, in place of what was said before: the kinds that are read
    /// only in part, and how much of it should have been read, in words.
    Partly { kinds: Vec<Partly>, count: u32, message: String },
    /// The server does not serve this kind: neither watched nor unreadable.
    NotServed { kind: Kind },
    /// Objects that could not be decoded were skipped.
    Skipped { kind: Kind, namespace: Option<String>, count: u32, message: String },
    /// A container's log was read, or could not be.
    Log(LogRead),
    /// The connection as a whole.
    Connection(Connection),
}

/// A kind of an extension that is not read completely.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partly {
    pub group: String,
    /// Empty: every kind of the group that is not named beside it.
    pub kind: String,
    pub read: Part,
}

/// How much of it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// All of it in these namespaces.
    Within(Vec<String>),
    /// The first of very many.
    First,
    /// Nothing now; what was known before may be old.
    Nothing,
}

impl Part {
    /// True when nobody looked there: that a list does not have an object means nothing.
    pub fn hides(&self, namespace: Option<&str>) -> bool {
        match self {
            Part::Within(names) => !namespace.is_some_and(|namespace| names.iter().any(|n| n == namespace)),
            Part::First => false,
            Part::Nothing => true,
        }
    }
}

/// Which log of a container to read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LogWant {
    /// The pod, with its uid.
    pub pod: ObjectRef,
    pub container: String,
    /// The previous instance's log instead of the current one's. Since Kubernetes 1.35 a crashed container stays
    /// `terminated` for its whole back-off, and then the *current* log is the dead one's.
    pub previous: bool,
    /// Restart count when the wish arose: one log per death.
    pub restart: u32,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogRead {
    pub want: LogWant,
    /// Redacted lines, oldest first, or the reason why there are none.
    pub lines: Result<Vec<String>, String>,
    /// The source had more than was read.
    pub truncated: bool,
    /// The lines are those of a later run of the container, which has ended too: its restart count. Nodes keep the log
    /// of one dead container only, and one that ends at once is soon followed by the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub later: Option<u32>,
}

/// How the connection to a cluster stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Connection {
    Connecting,
    /// Kinds that have delivered their first complete list, of how many.
    Syncing {
        done: u32,
        of: u32,
        objects: u64,
    },
    Connected {
        cluster_uid: String,
        server_version: String,
    },
    Unreachable {
        message: String,
        hint: String,
    },
    LoginNeeded {
        message: String,
        hint: String,
    },
    Misconfigured {
        message: String,
        hint: String,
    },
    Paused,
}
