//! Limits and autoscaling.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Condition, LabelSelector, Meta, Quantity, network::TargetRef};

/// A HorizontalPodAutoscaler.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HorizontalPodAutoscaler {
    pub metadata: Meta,
    pub spec: AutoscalerSpec,
    pub status: AutoscalerStatus,
}

/// What is scaled, by what; metrics as written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AutoscalerSpec {
    pub scale_target_ref: TargetRef,
    pub min_replicas: Option<i32>,
    pub max_replicas: i32,
    pub metrics: Vec<Value>,
}

/// Where it stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AutoscalerStatus {
    pub current_replicas: Option<i32>,
    pub desired_replicas: i32,
    pub conditions: Vec<Condition>,
    /// As reported.
    pub current_metrics: Option<Vec<Value>>,
}

/// A PodDisruptionBudget.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodDisruptionBudget {
    pub metadata: Meta,
    pub spec: BudgetSpec,
    pub status: BudgetStatus,
}

/// How many pods must stay.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BudgetSpec {
    pub min_available: Option<Value>,
    pub max_unavailable: Option<Value>,
    pub selector: Option<LabelSelector>,
}

/// How many may go now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BudgetStatus {
    pub disruptions_allowed: i32,
    pub current_healthy: i32,
    pub desired_healthy: i32,
    pub expected_pods: i32,
    pub conditions: Vec<Condition>,
}

/// A ResourceQuota.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceQuota {
    pub metadata: Meta,
    pub spec: QuotaSpec,
    pub status: QuotaStatus,
}

/// The limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QuotaSpec {
    pub hard: BTreeMap<String, Quantity>,
    /// `Terminating`, `BestEffort` and the like: the quota counts only such pods.
    pub scopes: Vec<String>,
    /// The same with values, such as the names of priority classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope_selector: Option<ScopeSelector>,
}

/// Which pods a quota counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ScopeSelector {
    pub match_expressions: Vec<ScopeRequirement>,
}

/// One condition on the pods a quota counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ScopeRequirement {
    pub scope_name: String,
    pub operator: String,
    pub values: Vec<String>,
}

impl QuotaSpec {
    /// What the pods have in common that it counts, in words: `scope BestEffort (no requests and limits)`.
    pub fn counts_only(&self) -> Option<String> {
        let meaning = |scope: &str| match scope {
            "BestEffort" => " (no requests and limits)",
            "NotBestEffort" => " (requests or limits)",
            "Terminating" => " (activeDeadlineSeconds)",
            "NotTerminating" => " (no activeDeadlineSeconds)",
            _ => "",
        };
        let plain = self.scopes.iter().map(|s| format!("scope {s}{}", meaning(s)));
        let chosen = self.scope_selector.iter().flat_map(|s| &s.match_expressions).map(|e| {
            let values =
                if e.values.is_empty() { String::new() } else { format!(" {} {}", e.operator, e.values.join(", ")) };
            format!("scope {}{values}{}", e.scope_name, meaning(&e.scope_name))
        });
        let all: Vec<String> = plain.chain(chosen).collect();
        (!all.is_empty()).then(|| all.join(" and "))
    }
}

/// Limits and use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QuotaStatus {
    pub hard: BTreeMap<String, Quantity>,
    pub used: BTreeMap<String, Quantity>,
}

/// A LimitRange.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LimitRange {
    pub metadata: Meta,
    pub spec: LimitRangeSpec,
}

/// Its limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LimitRangeSpec {
    pub limits: Vec<LimitRangeItem>,
}

/// Bounds for containers, pods or claims.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LimitRangeItem {
    #[serde(rename = "type")]
    pub kind: String,
    pub max: BTreeMap<String, Quantity>,
    pub min: BTreeMap<String, Quantity>,
    pub default: BTreeMap<String, Quantity>,
    pub default_request: BTreeMap<String, Quantity>,
    /// The most that a limit may be of its request.
    pub max_limit_request_ratio: BTreeMap<String, Quantity>,
}

/// How much a pod matters when room is short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PriorityClass {
    pub metadata: Meta,
    pub value: i32,
    pub global_default: bool,
    /// `PreemptLowerPriority` (the API's default) or `Never`.
    pub preemption_policy: Option<String>,
}
