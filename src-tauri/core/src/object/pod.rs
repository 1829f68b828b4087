//! Pods: the specification that workload templates share, and what the kubelet reports.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Condition, Meta,
    volume::{KeyToPath, Volume},
};

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pod {
    pub metadata: Meta,
    pub spec: PodSpec,
    pub status: PodStatus,
}

/// The pod specification, in pods and in templates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    pub node_name: Option<String>,
    pub service_account_name: Option<String>,
    pub restart_policy: Option<String>,
    pub priority_class_name: Option<String>,
    pub scheduler_name: Option<String>,
    pub runtime_class_name: Option<String>,
    /// False where containers are not told of the Services of their namespace.
    pub enable_service_links: Option<bool>,
    pub host_network: bool,
    pub init_containers: Vec<Container>,
    pub containers: Vec<Container>,
    pub volumes: Vec<Volume>,
    pub node_selector: BTreeMap<String, String>,
    pub tolerations: Vec<Toleration>,
    /// Node and pod (anti-)affinity as written; the rules quote it, the scheduler judges it.
    pub affinity: Option<Value>,
    pub topology_spread_constraints: Vec<Value>,
    pub image_pull_secrets: Vec<LocalRef>,
    pub security_context: Option<Value>,
    pub dns_policy: Option<String>,
    pub termination_grace_period_seconds: Option<i64>,
    pub active_deadline_seconds: Option<i64>,
    pub readiness_gates: Vec<ReadinessGate>,
    pub scheduling_gates: Vec<LocalRef>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource_claims: Vec<DeviceClaim>,
    /// What [`PodSpec::priority_class_name`] came to.
    pub priority: Option<i32>,
    pub hostname: Option<String>,
    pub subdomain: Option<String>,
    pub dns_config: Option<Value>,
    /// Names that the containers resolve without asking anybody, as written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub host_aliases: Vec<Value>,
    /// Unset, the service account's own setting holds.
    pub automount_service_account_token: Option<bool>,
    /// What the containers may take together.
    pub resources: Resources,
}

/// A condition that somebody outside the kubelet must set before the pod counts as ready.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReadinessGate {
    pub condition_type: String,
}

/// A reference to an object of the same namespace by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LocalRef {
    pub name: String,
    pub optional: bool,
}

/// A reference to one key of a ConfigMap or Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KeyRef {
    pub name: String,
    pub key: String,
    pub optional: bool,
}

/// A container of a pod specification.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    pub name: String,
    pub image: String,
    pub image_pull_policy: Option<String>,
    pub command: Vec<String>,
    pub args: Vec<String>,
    pub working_dir: Option<String>,
    pub env: Vec<EnvVar>,
    pub env_from: Vec<EnvFrom>,
    pub ports: Vec<ContainerPort>,
    pub resources: Resources,
    pub volume_mounts: Vec<VolumeMount>,
    pub liveness_probe: Option<Probe>,
    pub readiness_probe: Option<Probe>,
    pub startup_probe: Option<Probe>,
    pub lifecycle: Option<Value>,
    pub security_context: Option<Value>,
    pub restart_policy: Option<String>,
}

/// An environment variable. A literal value that looks like a secret was replaced before it came here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvVar {
    pub name: String,
    pub value: Option<String>,
    pub value_from: Option<EnvVarSource>,
}

/// Where a variable's value comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvVarSource {
    pub config_map_key_ref: Option<KeyRef>,
    pub secret_key_ref: Option<KeyRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_field_ref: Option<ResourceFieldRef>,
}

/// Devices that a pod claims (dynamic resource allocation).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeviceClaim {
    pub name: String,
    /// A ResourceClaim that is there already; else one is made from a template.
    pub resource_claim_name: Option<String>,
}

/// A container's own request or limit as a variable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceFieldRef {
    /// The container itself where none is named.
    pub container_name: Option<String>,
    /// `limits.memory` and the like.
    pub resource: String,
}

/// A whole ConfigMap or Secret as environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvFrom {
    /// Written before each key.
    pub prefix: Option<String>,
    pub config_map_ref: Option<LocalRef>,
    pub secret_ref: Option<LocalRef>,
}

/// A declared port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerPort {
    pub name: Option<String>,
    pub container_port: u16,
    pub host_port: Option<u16>,
    pub protocol: Option<String>,
}

/// Requests and limits; quantities as the object writes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Resources {
    pub requests: BTreeMap<String, super::Quantity>,
    pub limits: BTreeMap<String, super::Quantity>,
}

/// Where a volume appears inside the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeMount {
    pub name: String,
    pub mount_path: String,
    pub sub_path: Option<String>,
    pub read_only: bool,
}

/// A probe. Times in seconds; unset numbers take the API's defaults through the accessors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Probe {
    pub http_get: Option<Value>,
    pub tcp_socket: Option<Value>,
    pub exec: Option<Value>,
    pub grpc: Option<Value>,
    pub initial_delay_seconds: Option<i64>,
    pub period_seconds: Option<i64>,
    pub timeout_seconds: Option<i64>,
    pub success_threshold: Option<i64>,
    pub failure_threshold: Option<i64>,
}

impl Probe {
    /// Seconds from the container's start until the probe may be said to have failed:
    /// initial delay + period × failure threshold (API defaults 0, 10, 3).
    pub fn budget_seconds(&self) -> i64 {
        self.initial_delay_seconds.unwrap_or(0)
            + self.period_seconds.unwrap_or(10).max(1) * self.failure_threshold.unwrap_or(3).max(1)
    }

    /// What the probe asks, in a few words: `GET /healthz on port 8080`.
    pub fn describe(&self) -> String {
        let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        if let Some(http) = &self.http_get {
            let path = http.get("path").map_or_else(|| "/".to_owned(), text);
            format!("GET {path} on port {}", http.get("port").map(text).unwrap_or_default())
        } else if let Some(tcp) = &self.tcp_socket {
            format!("a TCP connection to port {}", tcp.get("port").map(text).unwrap_or_default())
        } else if let Some(exec) = &self.exec {
            let words: Vec<String> =
                exec.get("command").and_then(Value::as_array).into_iter().flatten().map(text).collect();
            format!("the command `{}`", words.join(" "))
        } else if let Some(grpc) = &self.grpc {
            format!("gRPC health on port {}", grpc.get("port").map(text).unwrap_or_default())
        } else {
            "the probe".to_owned()
        }
    }

    /// The port the probe asks, by number or name.
    pub fn port(&self) -> Option<String> {
        let action = self.http_get.as_ref().or(self.tcp_socket.as_ref()).or(self.grpc.as_ref())?;
        action.get("port").map(|p| p.as_str().map_or_else(|| p.to_string(), str::to_owned))
    }
}

/// A taint the pod accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Toleration {
    pub key: Option<String>,
    pub operator: Option<String>,
    pub value: Option<String>,
    pub effect: Option<String>,
    pub toleration_seconds: Option<i64>,
}

/// An address of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PodIp {
    pub ip: String,
}

/// What the kubelet and the scheduler report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    pub phase: Option<String>,
    pub reason: Option<String>,
    pub message: Option<String>,
    #[serde(rename = "podIP")]
    pub pod_ip: Option<String>,
    /// One of each family; the first is `pod_ip` again.
    #[serde(rename = "podIPs", skip_serializing_if = "Vec::is_empty")]
    pub pod_ips: Vec<PodIp>,
    pub start_time: Option<Timestamp>,
    /// The node a preempting pod waits for.
    pub nominated_node_name: Option<String>,
    pub conditions: Vec<Condition>,
    pub init_container_statuses: Vec<ContainerStatus>,
    pub container_statuses: Vec<ContainerStatus>,
}

/// The state of one container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus {
    pub name: String,
    pub image: String,
    pub image_id: String,
    pub ready: bool,
    pub started: Option<bool>,
    pub restart_count: u32,
    pub state: ContainerState,
    pub last_state: ContainerState,
}

/// Exactly one of the three is set, or none while the kubelet has not said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerState {
    pub waiting: Option<Waiting>,
    pub running: Option<Running>,
    pub terminated: Option<Terminated>,
}

/// Why a container does not run yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Waiting {
    pub reason: Option<String>,
    pub message: Option<String>,
}

/// Since when it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Running {
    pub started_at: Option<Timestamp>,
}

/// How it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Terminated {
    pub exit_code: i32,
    pub signal: Option<i32>,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    #[serde(rename = "containerID")]
    pub container_id: Option<String>,
}

impl Pod {
    /// The `Ready` condition is `True`.
    pub fn ready(&self) -> bool {
        Condition::find(&self.status.conditions, "Ready").is_some_and(Condition::is_true)
    }

    /// Succeeded or failed: nothing runs any more.
    pub fn finished(&self) -> bool {
        matches!(self.status.phase.as_deref(), Some("Succeeded" | "Failed"))
    }

    /// Every container that is there for the work has ended; sidecars are ended after that.
    pub fn work_ended(&self) -> bool {
        let all = &self.status.container_statuses;
        !all.is_empty() && all.iter().all(|s| s.state.terminated.is_some())
    }

    /// Every container status with its specification; the flag says whether it is an init container.
    pub fn containers(&self) -> impl Iterator<Item = (&Container, Option<&ContainerStatus>, bool)> {
        let find = |name: &str, list: &'_ [ContainerStatus]| list.iter().position(|s| s.name == name);
        let init = self.spec.init_containers.iter().map(move |c| {
            let at = find(&c.name, &self.status.init_container_statuses);
            (c, at.map(|i| &self.status.init_container_statuses[i]), true)
        });
        let main = self.spec.containers.iter().map(move |c| {
            let at = find(&c.name, &self.status.container_statuses);
            (c, at.map(|i| &self.status.container_statuses[i]), false)
        });
        init.chain(main)
    }
}

impl PodSpec {
    /// Every ConfigMap the pod cannot start without: name, key if one is named, and who asks (`env`, `volume`).
    pub fn config_map_refs(&self) -> Vec<SourceRef> {
        self.sources(false)
    }

    /// Every Secret the pod cannot start without.
    pub fn secret_refs(&self) -> Vec<SourceRef> {
        self.sources(true)
    }

    fn sources(&self, secrets: bool) -> Vec<SourceRef> {
        let mut out = Vec::new();
        let mut push = |name: &str, key: Option<&str>, via: String, optional: bool| {
            if !name.is_empty() {
                out.push(SourceRef { name: name.to_owned(), key: key.map(str::to_owned), via, optional });
            }
        };
        for c in self.init_containers.iter().chain(&self.containers) {
            for e in &c.env {
                let from = e.value_from.as_ref();
                let key = if secrets {
                    from.and_then(|f| f.secret_key_ref.as_ref())
                } else {
                    from.and_then(|f| f.config_map_key_ref.as_ref())
                };
                if let Some(k) = key {
                    push(&k.name, Some(&k.key), format!("env {} of container {}", e.name, c.name), k.optional);
                }
            }
            for e in &c.env_from {
                let whole = if secrets { e.secret_ref.as_ref() } else { e.config_map_ref.as_ref() };
                if let Some(r) = whole {
                    push(&r.name, None, format!("envFrom of container {}", c.name), r.optional);
                }
            }
        }
        for v in &self.volumes {
            let via = format!("volume {}", v.name);
            let mut source = |name: &str, items: &[KeyToPath], optional: bool| {
                if items.is_empty() {
                    push(name, None, via.clone(), optional);
                }
                for item in items {
                    push(name, Some(&item.key), via.clone(), optional);
                }
            };
            if secrets {
                if let Some(s) = &v.secret {
                    source(&s.secret_name, &s.items, s.optional);
                }
            } else if let Some(c) = &v.config_map {
                source(&c.name, &c.items, c.optional);
            }
            for p in v.projected.iter().flat_map(|p| &p.sources) {
                if let Some(s) = if secrets { p.secret.as_ref() } else { p.config_map.as_ref() } {
                    source(&s.name, &s.items, s.optional);
                }
            }
        }
        out
    }

    /// The persistent volume claims the pod mounts, with the volume's name.
    pub fn claims(&self) -> impl Iterator<Item = (&str, &str)> {
        self.volumes
            .iter()
            .filter_map(|v| v.persistent_volume_claim.as_ref().map(|c| (c.claim_name.as_str(), v.name.as_str())))
    }
}

/// A ConfigMap or Secret a pod refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRef {
    pub name: String,
    /// The key, where one is named.
    pub key: Option<String>,
    /// Where the reference stands, in words.
    pub via: String,
    pub optional: bool,
}
