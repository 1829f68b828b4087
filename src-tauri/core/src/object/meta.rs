//! Object metadata and references between objects.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::kind::{Kind, extension};

/// An extension whose kinds are read by name: nobody else has kinds of these names.
const GATEWAY: &str = "gateway.networking.k8s.io";

/// What names an object, for people, for the API and across its lifetimes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectRef {
    pub api_version: String,
    pub kind: String,
    pub namespace: Option<String>,
    pub name: String,
    /// `None` for something that should exist and does not, and for what lies outside the cluster.
    pub uid: Option<String>,
}

impl ObjectRef {
    /// An object that is there, by its metadata.
    pub fn of(kind: Kind, meta: &Meta) -> ObjectRef {
        ObjectRef {
            api_version: kind.api_version().to_owned(),
            kind: kind.as_str().to_owned(),
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
            uid: Some(meta.uid.clone()).filter(|u| !u.is_empty()),
        }
    }

    /// Something that should exist in the cluster and does not.
    pub fn missing(kind: Kind, namespace: Option<&str>, name: &str) -> ObjectRef {
        ObjectRef {
            api_version: kind.api_version().to_owned(),
            kind: kind.as_str().to_owned(),
            namespace: namespace.filter(|_| kind.namespaced()).map(str::to_owned),
            name: name.to_owned(),
            uid: None,
        }
    }

    /// An object of a kind that is not read, and of which only its name is known: whether it is there is not.
    pub fn unread(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectRef {
        ObjectRef {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
            uid: None,
        }
    }

    /// Something outside the cluster, for example `db.example.com:5432`.
    pub fn external(name: &str) -> ObjectRef {
        ObjectRef { kind: "External".into(), name: name.to_owned(), ..ObjectRef::default() }
    }

    /// The kind it is read as; what an extension calls like a kind of Kubernetes' own is [`Kind::CustomResource`].
    pub fn read_as(&self) -> Option<Kind> {
        Kind::of(&self.api_version, &self.kind)
    }

    /// True for an object of this kind.
    pub fn is(&self, kind: Kind) -> bool {
        self.read_as() == Some(kind)
    }

    /// True when both name the same object, whatever its lifetime (uid). Groups of extensions tell kinds of the same
    /// name apart.
    pub fn same_name(&self, other: &ObjectRef) -> bool {
        self.name == other.name
            && self.kind == other.kind
            && self.namespace == other.namespace
            && (self.api_version == other.api_version
                || self.api_version.is_empty()
                || other.api_version.is_empty()
                || extension(&self.api_version) == extension(&other.api_version))
    }

    /// `Kind/namespace/name`, the identity across lifetimes; with its group where an extension brought the kind.
    pub fn key(&self) -> String {
        // Asked for many times in every look: written without the machinery of formatting.
        let namespace = self.namespace.as_deref().unwrap_or("");
        let group = extension(&self.api_version).filter(|group| *group != GATEWAY);
        let (dot, group) = group.map_or(("", ""), |group| (".", group));
        [self.kind.as_str(), dot, group, "/", namespace, "/", &self.name].concat()
    }

    /// `kind/name` in kubectl's spelling, for example `deployment/checkout`.
    pub fn kubectl(&self) -> String {
        let kind = self.kind.to_lowercase();
        match extension(&self.api_version).filter(|group| *group != GATEWAY) {
            Some(group) => format!("{kind}.{group}/{}", self.name),
            None => format!("{kind}/{}", self.name),
        }
    }
}

impl std::fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// An owner of the object, as `metadata.ownerReferences` has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnerReference {
    pub api_version: String,
    pub kind: String,
    pub name: String,
    pub uid: String,
    pub controller: bool,
}

impl OwnerReference {
    /// The owner as the object in this namespace names it.
    pub fn in_namespace(&self, namespace: Option<&str>) -> ObjectRef {
        ObjectRef {
            uid: Some(self.uid.clone()),
            ..ObjectRef::unread(&self.api_version, &self.kind, namespace, &self.name)
        }
    }
}

/// Who wrote which part of the object, reduced to name and time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ManagedField {
    /// The field manager, for example `helm`. Who ran it is not in the cluster.
    pub manager: String,
    /// `Apply` or `Update`.
    pub operation: String,
    pub time: Option<Timestamp>,
    /// `status`, `scale`, or none for the object itself.
    pub subresource: Option<String>,
}

/// Object metadata, reduced. Of annotations only those on the adapter's short list are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    pub name: String,
    pub namespace: Option<String>,
    pub uid: String,
    pub resource_version: String,
    pub generation: Option<i64>,
    pub creation_timestamp: Option<Timestamp>,
    pub deletion_timestamp: Option<Timestamp>,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub owner_references: Vec<OwnerReference>,
    pub finalizers: Vec<String>,
    pub managed_fields: Vec<ManagedField>,
}

impl Meta {
    /// The owner that controls the object.
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.owner_references.iter().find(|o| o.controller)
    }

    /// True once deletion was asked for.
    pub fn deleting(&self) -> bool {
        self.deletion_timestamp.is_some()
    }

    /// The manager that wrote the object itself last (status writes aside), and when.
    pub fn last_writer(&self) -> Option<(&str, Option<Timestamp>)> {
        self.managed_fields
            .iter()
            .filter(|f| f.subresource.as_deref() != Some("status"))
            .max_by_key(|f| f.time)
            .map(|f| (f.manager.as_str(), f.time))
    }
}

/// Every one of the wanted labels is there; nothing wanted is always there.
pub fn has_all(labels: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(k, v)| labels.get(k) == Some(v))
}
