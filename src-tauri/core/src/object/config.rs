//! ConfigMaps without values, Secrets without anything but metadata, service accounts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Meta, pod::LocalRef};

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

/// A Secret, of which only metadata was asked for: neither keys nor values are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Secret {
    pub metadata: Meta,
}

/// A ServiceAccount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceAccount {
    pub metadata: Meta,
    pub image_pull_secrets: Vec<LocalRef>,
}
