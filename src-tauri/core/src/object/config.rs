//! ConfigMaps without values, Secrets of which only metadata is known, service accounts.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Meta, Object, pod::LocalRef};

/// A salted hash of one ConfigMap value and its length in bytes: enough to see that it changed, not what it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueDigest {
    /// Lower-case hexadecimal, 16 digits, salted per installation.
    pub hash: String,
    pub bytes: u64,
}

/// A ConfigMap: names of keys and digests of values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConfigMap {
    pub metadata: Meta,
    /// By key. The adapter digests `data` and `binaryData` while decoding; a value never gets this far.
    pub digests: BTreeMap<String, ValueDigest>,
    pub immutable: bool,
}

/// A Secret, of which only metadata was asked for: no value is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Secret {
    pub metadata: Meta,
    /// The names of its keys, where the metadata tells who wrote them (managedFields).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<BTreeSet<String>>,
}

impl Secret {
    /// True where its keys are known and this one is not among them.
    pub fn lacks(&self, key: &str) -> bool {
        self.keys.as_ref().is_some_and(|keys| !keys.contains(key))
    }

    /// The keys of a certificate that it lacks, as far as its keys are known: `tls.crt and tls.key`.
    pub fn lacks_of_certificate(&self) -> Option<String> {
        let lacks: Vec<&str> = ["tls.crt", "tls.key"].into_iter().filter(|k| self.lacks(k)).collect();
        (!lacks.is_empty()).then(|| lacks.join(" and "))
    }

    /// ` It has the keys a and b.`, where they are known.
    pub fn has(&self) -> String {
        match &self.keys {
            None => String::new(),
            Some(keys) if keys.is_empty() => " It has no keys.".to_owned(),
            Some(keys) => {
                format!(" It has the keys {}.", crate::words::list(&keys.iter().cloned().collect::<Vec<_>>(), 6))
            }
        }
    }
}

/// What the labels of a Secret say in which Helm keeps one revision of a release. The release itself is its value,
/// which is never asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelmRelease<'a> {
    pub name: &'a str,
    pub revision: u32,
    /// `deployed`, `failed`, `pending-upgrade`, `superseded`, ….
    pub status: &'a str,
    /// When it got this status.
    pub since: Option<jiff::Timestamp>,
}

impl<'a> HelmRelease<'a> {
    /// `Helm release shop revision 7 failed`.
    pub fn words(&self) -> String {
        format!("Helm release {} revision {} {}", self.name, self.revision, self.status)
    }

    /// The release of this Secret, if it is one of Helm's.
    pub fn of(object: &'a Object) -> Option<HelmRelease<'a>> {
        let Object::Secret(secret) = object else { return None };
        let meta = &secret.metadata;
        let (name, revision) = meta.name.strip_prefix("sh.helm.release.v1.")?.rsplit_once(".v")?;
        let label = |label: &str| meta.labels.get(label).map(String::as_str);
        let status = label("status").filter(|_| label("owner") == Some("helm"))?;
        let modified = label("modifiedAt").and_then(|at| jiff::Timestamp::from_second(at.parse().ok()?).ok());
        Some(HelmRelease {
            name,
            revision: revision.parse().ok()?,
            status,
            since: modified.or(meta.creation_timestamp),
        })
    }
}

/// A ServiceAccount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceAccount {
    pub metadata: Meta,
    pub image_pull_secrets: Vec<LocalRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automount_service_account_token: Option<bool>,
}
