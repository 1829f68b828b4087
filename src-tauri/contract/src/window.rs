//! The window's messages. The window is list + watch: every change carries a growing revision; the window subscribes,
//! lists, drops what is older, and lists again when a revision is missing.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    assistant::{ModelJobDto, ModelStateDto},
    document::{CoverageSpan, IncidentDto, UnreadableKind},
    drill::DrillDto,
    graph::GraphDto,
};

/// The name under which [`AppEvent`]s are emitted to the window.
pub const APP_EVENT: &str = "afterwatch://event";

/// A change the window should know of.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
#[ts(export)]
pub enum AppEvent {
    /// An incident was opened or changed. `previous` is the revision before it: a gap means: list again.
    Incident {
        #[ts(type = "number")]
        revision: u64,
        #[ts(type = "number")]
        previous: u64,
        incident: Box<IncidentSummary>,
    },
    /// Changes were missed: list the incidents again.
    Incidents,
    /// A cluster's connection or coverage changed.
    Cluster { cluster: Box<ClusterDto> },
    /// The contexts changed, or what is watched, or recording was paused or goes on: read the clusters page again.
    Clusters,
    /// Show this incident (a notification or a menu entry was clicked).
    OpenIncident { id: String },
    /// What was asked for outside the window (a notification's button, the command line) was refused.
    Notice { text: String },
    /// The drill that is open began, or went on: its times.
    Drill { drill: DrillDto },
    /// A notice for the foot of the window, for example that recording stopped because the disk is full.
    Trouble { text: Option<String> },
    /// The chosen model is another one, or stands otherwise.
    Model { state: ModelStateDto },
    /// How far a download, an import or an exam is; without a job: read the page of the models again.
    Models { job: Option<ModelJobDto> },
}

/// A row of the inbox.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct IncidentSummary {
    pub id: String,
    #[ts(type = "number")]
    pub number: u64,
    pub title: String,
    pub state: String,
    pub severity: String,
    pub cluster: String,
    pub namespace: Option<String>,
    pub subject_kind: String,
    pub subject_name: String,
    pub started_at: Option<String>,
    pub detected_at: String,
    pub resolved_at: Option<String>,
    /// The incident this one turned out to be a part of.
    pub merged_into: Option<String>,
    /// The first cause's statement, where there is one.
    pub cause: Option<String>,
    pub verdict: String,
    /// Its notifications are muted until then.
    pub silenced_until: Option<String>,
    #[ts(type = "number")]
    pub revision: u64,
}

impl From<&afterwatch_core::incident::Head> for IncidentSummary {
    fn from(i: &afterwatch_core::incident::Head) -> IncidentSummary {
        use crate::document::word;
        IncidentSummary {
            id: i.id.to_string(),
            number: i.number,
            title: i.title.clone(),
            state: word(&i.state),
            severity: word(&i.severity),
            cluster: i.cluster.clone(),
            namespace: i.subject.namespace.clone(),
            subject_kind: i.subject.kind.clone(),
            subject_name: i.subject.name.clone(),
            started_at: i.started_at.map(|t| t.to_string()),
            detected_at: i.detected_at.to_string(),
            resolved_at: i.resolved_at.map(|t| t.to_string()),
            merged_into: i.merged_into.map(|id| id.to_string()),
            cause: i.causes.first().map(|c| c.statement.clone()),
            verdict: word(&i.verdict),
            silenced_until: None,
            revision: i.revision,
        }
    }
}

impl IncidentSummary {
    /// The same, with until when its notifications are muted.
    pub fn silenced(self, until: Option<afterwatch_core::Timestamp>) -> IncidentSummary {
        IncidentSummary { silenced_until: until.map(|at| at.to_string()), ..self }
    }
}

/// The inbox, or a part of it: every open incident and the newest resolved ones.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Inbox {
    /// Everything up to this revision is in it.
    #[ts(type = "number")]
    pub revision: u64,
    pub incidents: Vec<IncidentSummary>,
    /// There are others after these: ask again, from as many on as came.
    pub more: bool,
}

/// One incident with what the incident page shows beside it.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct IncidentPage {
    pub incident: IncidentDto,
    pub notes: NotesDto,
    /// Spans of coverage of the kinds that matter around the incident.
    pub coverage: Vec<CoverageSpan>,
    pub gaps: Vec<GapDto>,
    /// The objects around the fault; absent where an earlier version recorded it.
    pub graph: Option<GraphDto>,
}

/// A span in which nothing was recorded.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct GapDto {
    pub from: String,
    pub to: String,
    /// The cause in words.
    pub cause: String,
}

/// The notes document.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct NotesDto {
    pub text: String,
    pub updated_at: Option<String>,
    #[ts(type = "number")]
    pub version: u64,
}

/// A context of the kubeconfig and how its connection stands.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ClusterDto {
    /// The context's name.
    pub name: String,
    /// The file it comes from.
    pub file: String,
    pub server: String,
    pub user: String,
    pub namespace: Option<String>,
    /// It is the kubeconfig's current context.
    pub current: bool,
    /// The user chose to watch it.
    pub watched: bool,
    /// `idle`, `connecting`, `syncing`, `connected`, `following` (somebody else records it), `unreachable`,
    /// `login_needed`, `misconfigured` or `paused`.
    pub state: String,
    /// What is wrong, in words, and what to do.
    pub message: Option<String>,
    pub hint: Option<String>,
    /// The entry is broken (a file that cannot be read, a missing cluster or user).
    pub problem: Option<String>,
    pub server_version: Option<String>,
    /// While syncing.
    pub progress: Option<SyncProgress>,
    #[ts(type = "number")]
    pub objects: u64,
    /// In this run or an earlier one.
    pub last_heard: Option<String>,
    pub unreadable: Vec<UnreadableKind>,
    /// Spans of at least the last 24 hours, earlier runs included, and the last one before them.
    pub coverage: Vec<CoverageSpan>,
    /// What the user marked it as: `production` or `read_only`.
    pub mark: Option<String>,
    /// `insecure-skip-tls-verify` is set.
    pub insecure: bool,
    /// Who else records it into the same database.
    pub followed: Option<String>,
}

/// How far the first lists are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SyncProgress {
    pub done: u32,
    pub of: u32,
    #[ts(type = "number")]
    pub objects: u64,
}

/// The clusters page.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ClustersPage {
    pub clusters: Vec<ClusterDto>,
    /// Files that were looked for and could not be used, with the reason.
    pub problems: Vec<String>,
    /// The files that were read.
    pub files: Vec<String>,
    pub paused: bool,
}

/// A silence.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SilenceDto {
    pub id: String,
    pub until: String,
    pub reason: String,
    /// What it mutes, in words.
    pub matches: String,
}

/// Why a command failed, with what to do next.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct WindowError {
    /// Present where the window branches: `conflict`, `no_incident`, `disk_full`, `newer`, `corrupt`.
    pub code: Option<String>,
    pub message: String,
}

/// What the window asks first.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct AppInfo {
    pub version: String,
    /// Where the history lies.
    pub database: String,
    /// Nobody has chosen yet which clusters to watch.
    pub first_run: bool,
    /// Closing the window keeps watching in the tray.
    pub can_tray: bool,
    /// What is wrong with the recording itself, as it was told last.
    pub trouble: Option<String>,
    /// Why the history cannot be opened, and what to do. Every other command fails while it is there; asking again
    /// tries again.
    pub problem: Option<WindowError>,
    /// A drill is open: everything else is of it.
    pub drill: Option<DrillDto>,
}
