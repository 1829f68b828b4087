//! Typed actions. Here they are written steps; carrying them out comes with remediation.

use serde::{Deserialize, Serialize};

use crate::object::ObjectRef;

/// The closed list of what may be done to a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    RolloutUndo,
    RolloutRestart,
    RolloutResume,
    Scale,
    SetImage,
    SetResources,
    SetEnv,
    SetProbe,
    SetServiceSelector,
    SetServicePort,
    SetIngressBackend,
    SetConfigmapKey,
    CreateConfigmap,
    CreateSecret,
    PatchLabels,
    SetNodeSelector,
    SetTolerations,
    SetAffinity,
    CreateClaim,
    ExpandClaim,
    SetStorageClass,
    RecreatePod,
    RerunJob,
    ResumeCronjob,
    Uncordon,
    Drain,
    RemoveTaint,
    RaiseQuota,
    SetLimitRange,
    SetNetworkPolicy,
    GrantRole,
    SetHpa,
    SetPdb,
    FixWebhook,
    RemoveFinalizer,
    Patch,
    ManualCheck,
}

/// A recommended step as a rule states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionDraft {
    pub kind: ActionKind,
    pub target: ObjectRef,
    /// Why it would help.
    pub because: String,
    /// What it does at worst.
    pub risk: String,
    /// Rights it needs, for example `patch deployments.apps`.
    pub requires: Vec<String>,
    /// The kubectl line to copy.
    pub command: String,
}

impl ActionDraft {
    /// Identity within an incident: kind and target.
    pub fn key(&self) -> String {
        format!("{:?}|{}", self.kind, self.target.key())
    }
}

/// A recommended step of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// `A1`, `A2`, … counted per incident and never renumbered.
    pub id: String,
    /// False where the product only tells how.
    pub applicable: bool,
    #[serde(flatten)]
    pub draft: ActionDraft,
}
