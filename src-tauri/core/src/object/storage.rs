//! Claims, volumes and classes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Condition, LabelSelector, Meta, Quantity};

/// A PersistentVolumeClaim.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PersistentVolumeClaim {
    pub metadata: Meta,
    pub spec: ClaimSpec,
    pub status: ClaimStatus,
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClaimSpec {
    /// `None`: the default class; empty: no class, only an existing volume will do.
    pub storage_class_name: Option<String>,
    pub volume_name: Option<String>,
    pub access_modes: Vec<String>,
    pub volume_mode: Option<String>,
    pub resources: ClaimResources,
    pub selector: Option<LabelSelector>,
}

/// The size asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClaimResources {
    pub requests: BTreeMap<String, Quantity>,
}

/// Pending, Bound or Lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClaimStatus {
    pub phase: Option<String>,
    pub capacity: BTreeMap<String, Quantity>,
    pub conditions: Vec<Condition>,
    /// How far a change of size is: `ControllerResizeInProgress`, `NodeResizeInfeasible` and the like.
    pub allocated_resource_statuses: BTreeMap<String, String>,
}

/// A PersistentVolume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PersistentVolume {
    pub metadata: Meta,
    pub spec: VolumeSpec,
    pub status: VolumeStatus,
}

/// What the volume offers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeSpec {
    pub storage_class_name: Option<String>,
    pub capacity: BTreeMap<String, Quantity>,
    pub access_modes: Vec<String>,
    pub volume_mode: Option<String>,
    pub claim_ref: Option<ClaimRef>,
    pub node_affinity: Option<serde_json::Value>,
    pub persistent_volume_reclaim_policy: Option<String>,
    /// A folder or disk of one node, as written.
    pub local: Option<serde_json::Value>,
    pub host_path: Option<serde_json::Value>,
    pub csi: Option<VolumeDriver>,
    /// A folder of a file server, as written.
    pub nfs: Option<serde_json::Value>,
}

/// The driver behind a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeDriver {
    pub driver: String,
}

/// The claim a volume is bound to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClaimRef {
    pub namespace: Option<String>,
    pub name: String,
    /// None when somebody reserved the volume by name before it was bound.
    pub uid: Option<String>,
}

/// Available, Bound, Released or Failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeStatus {
    pub phase: Option<String>,
    pub reason: Option<String>,
    pub message: Option<String>,
}

/// A StorageClass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StorageClass {
    pub metadata: Meta,
    pub provisioner: String,
    pub volume_binding_mode: Option<String>,
    pub allow_volume_expansion: bool,
}

impl StorageClass {
    /// Claims without a class get this one.
    pub fn is_default(&self) -> bool {
        self.metadata.annotations.get("storageclass.kubernetes.io/is-default-class").is_some_and(|v| v == "true")
    }
}
