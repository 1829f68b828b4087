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

/// The line with its cluster named: `kubectl --context prod-eu rollout undo …`. Several clusters are watched at once,
/// and what kubectl takes for current is another one in every terminal. Every `kubectl` of the line gets it.
pub fn in_context(command: &str, context: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@".contains(c);
    let name = match !context.is_empty() && context.chars().all(plain) {
        true => context.to_owned(),
        false => format!("'{}'", context.replace('\'', r"'\''")),
    };
    let words: Vec<String> = command
        .split(' ')
        .map(|word| if word == "kubectl" { format!("kubectl --context {name}") } else { word.to_owned() })
        .collect();
    words.join(" ")
}

/// A recommended step of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// `A1`, `A2`, … counted per incident and never renumbered.
    pub id: String,
    /// False where the product only tells how.
    pub applicable: bool,
    /// The diagnosis that advised it has changed, and the new one does not: it keeps its id, and is offered no more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withdrawn: bool,
    #[serde(flatten)]
    pub draft: ActionDraft,
}

#[cfg(test)]
mod tests {
    use super::in_context;

    #[test]
    fn every_kubectl_of_a_line_names_its_cluster() {
        let line = "kubectl get job a -n b -o yaml > job.yaml && kubectl delete job a -n b";
        let said = "kubectl --context prod-eu get job a -n b -o yaml > job.yaml && kubectl --context prod-eu delete job a -n b";
        assert_eq!(in_context(line, "prod-eu"), said);
        assert_eq!(in_context("kubectl get nodes", "it's prod"), r"kubectl --context 'it'\''s prod' get nodes");
        let arn = "arn:aws:eks:eu-west-1:1:cluster/prod";
        assert_eq!(in_context("kubectl get nodes", arn), format!("kubectl --context {arn} get nodes"));
        assert_eq!(in_context("", "prod"), "");
    }
}
