//! Nodes and namespaces.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Condition, Meta, Quantity};

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Node {
    pub metadata: Meta,
    pub spec: NodeSpec,
    pub status: NodeStatus,
}

/// Cordon and taints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeSpec {
    pub unschedulable: bool,
    pub taints: Vec<Taint>,
}

impl Node {
    /// An autoscaler or its cloud says that the machine goes: cluster-autoscaler, Karpenter and the cloud controller
    /// manager mark it with taints of their own.
    pub fn to_be_removed(&self) -> bool {
        self.spec.taints.iter().any(|t| {
            matches!(
                t.key.as_str(),
                "ToBeDeletedByClusterAutoscaler"
                    | "karpenter.sh/disrupted"
                    | "karpenter.sh/disruption"
                    | "node.cloudprovider.kubernetes.io/shutdown"
            )
        })
    }
}

/// A taint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Taint {
    pub key: String,
    pub value: Option<String>,
    pub effect: String,
}

/// Conditions and room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeStatus {
    pub conditions: Vec<Condition>,
    pub allocatable: BTreeMap<String, Quantity>,
    pub capacity: BTreeMap<String, Quantity>,
    pub node_info: NodeInfo,
    pub addresses: Vec<NodeAddress>,
}

/// An address or a name of the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeAddress {
    /// `InternalIP`, `ExternalIP`, `Hostname`, ….
    #[serde(rename = "type")]
    pub kind: String,
    pub address: String,
}

/// What the kubelet says of its machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeInfo {
    /// `amd64`, `arm64`, ….
    pub architecture: String,
    pub operating_system: String,
    pub kubelet_version: String,
}

/// A namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Namespace {
    pub metadata: Meta,
    pub status: NamespaceStatus,
}

/// Active or terminating.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NamespaceStatus {
    pub phase: Option<String>,
    pub conditions: Vec<Condition>,
}
