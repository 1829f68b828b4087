//! Workloads: what makes pods.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Condition, Meta, PodSpec, has_all};

macro_rules! object {
    ($(#[$doc:meta])* $name:ident, $spec:ident, $status:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name {
            pub metadata: Meta,
            pub spec: $spec,
            pub status: $status,
        }
    };
}

/// A label selector. Only equality and the four set operators exist.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabelSelector {
    pub match_labels: BTreeMap<String, String>,
    pub match_expressions: Vec<Requirement>,
}

/// One set-based requirement of a selector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Requirement {
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    pub operator: String,
    pub values: Vec<String>,
}

impl LabelSelector {
    /// True when the labels satisfy every requirement; an empty selector matches everything.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        has_all(labels, &self.match_labels)
            && self.match_expressions.iter().all(|r| {
                let value = labels.get(&r.key);
                match r.operator.as_str() {
                    "In" => value.is_some_and(|v| r.values.contains(v)),
                    "NotIn" => value.is_none_or(|v| !r.values.contains(v)),
                    "Exists" => value.is_some(),
                    "DoesNotExist" => value.is_none(),
                    _ => false,
                }
            })
    }
}

/// The pods a workload makes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodTemplate {
    pub metadata: TemplateMeta,
    pub spec: PodSpec,
}

/// Labels and annotations of the template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateMeta {
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
}

object!(
    /// A Deployment.
    Deployment, DeploymentSpec, DeploymentStatus
);

/// Wanted state of a Deployment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeploymentSpec {
    pub replicas: Option<i32>,
    pub selector: LabelSelector,
    pub template: PodTemplate,
    pub paused: bool,
    pub progress_deadline_seconds: Option<i64>,
    pub min_ready_seconds: i64,
    pub strategy: Option<serde_json::Value>,
}

/// Observed state of a Deployment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeploymentStatus {
    pub observed_generation: Option<i64>,
    pub replicas: i32,
    pub updated_replicas: i32,
    pub ready_replicas: i32,
    pub available_replicas: i32,
    pub unavailable_replicas: i32,
    pub conditions: Vec<Condition>,
}

object!(
    /// A ReplicaSet: one revision of a Deployment, or on its own.
    ReplicaSet, ReplicaSetSpec, ReplicaSetStatus
);

/// Wanted state of a ReplicaSet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicaSetSpec {
    pub replicas: Option<i32>,
    pub selector: LabelSelector,
    pub template: PodTemplate,
}

/// Observed state of a ReplicaSet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicaSetStatus {
    pub replicas: i32,
    pub ready_replicas: i32,
    pub conditions: Vec<Condition>,
}

object!(
    /// A StatefulSet.
    StatefulSet, StatefulSetSpec, StatefulSetStatus
);

/// Wanted state of a StatefulSet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatefulSetSpec {
    pub replicas: Option<i32>,
    pub service_name: String,
    pub selector: LabelSelector,
    pub template: PodTemplate,
    pub volume_claim_templates: Vec<super::PersistentVolumeClaim>,
    pub pod_management_policy: Option<String>,
    pub update_strategy: Option<serde_json::Value>,
}

/// Observed state of a StatefulSet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatefulSetStatus {
    pub replicas: i32,
    pub ready_replicas: i32,
    pub updated_replicas: i32,
    pub current_revision: Option<String>,
    pub update_revision: Option<String>,
}

object!(
    /// A DaemonSet.
    DaemonSet, DaemonSetSpec, DaemonSetStatus
);

/// Wanted state of a DaemonSet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DaemonSetSpec {
    pub selector: LabelSelector,
    pub template: PodTemplate,
    pub update_strategy: Option<serde_json::Value>,
}

/// Observed state of a DaemonSet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DaemonSetStatus {
    /// The generation that the rest speaks of.
    pub observed_generation: Option<i64>,
    pub desired_number_scheduled: i32,
    pub number_ready: i32,
    pub number_unavailable: i32,
    pub updated_number_scheduled: i32,
    pub number_misscheduled: i32,
}

object!(
    /// A Job.
    Job, JobSpec, JobStatus
);

/// Wanted state of a Job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobSpec {
    pub backoff_limit: Option<i32>,
    pub active_deadline_seconds: Option<i64>,
    pub completions: Option<i32>,
    pub parallelism: Option<i32>,
    pub suspend: bool,
    /// `Indexed` gives every pod a number of its own.
    pub completion_mode: Option<String>,
    pub backoff_limit_per_index: Option<i32>,
    pub pod_failure_policy: Option<serde_json::Value>,
    pub template: PodTemplate,
}

/// Observed state of a Job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobStatus {
    pub active: i32,
    pub succeeded: i32,
    pub failed: i32,
    /// `1,3-5`: the indexes that have given up.
    pub failed_indexes: Option<String>,
    pub start_time: Option<Timestamp>,
    pub completion_time: Option<Timestamp>,
    pub conditions: Vec<Condition>,
}

object!(
    /// A CronJob.
    CronJob, CronJobSpec, CronJobStatus
);

/// Wanted state of a CronJob.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CronJobSpec {
    pub schedule: String,
    pub suspend: bool,
    pub concurrency_policy: Option<String>,
    pub starting_deadline_seconds: Option<i64>,
    pub time_zone: Option<String>,
    pub job_template: JobTemplate,
}

/// The Jobs a CronJob makes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobTemplate {
    pub spec: JobSpec,
}

/// Observed state of a CronJob.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CronJobStatus {
    pub last_schedule_time: Option<Timestamp>,
    pub last_successful_time: Option<Timestamp>,
    /// Jobs of it that run now.
    pub active: Vec<super::network::TargetRef>,
}
