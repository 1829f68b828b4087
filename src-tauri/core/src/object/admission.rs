//! What the API server asks before it accepts an object, and the parts of the API that others serve.

use serde::{Deserialize, Serialize};

use super::{Condition, LabelSelector, Meta, ObjectRef};

macro_rules! configuration {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name {
            pub metadata: Meta,
            pub webhooks: Vec<Webhook>,
        }
    };
}

configuration!(
    /// Webhooks that may refuse an object.
    ValidatingWebhookConfiguration
);
configuration!(
    /// Webhooks that may change an object before it is stored.
    MutatingWebhookConfiguration
);

/// One webhook: whom the API server calls, and for what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Webhook {
    pub name: String,
    pub client_config: WebhookClient,
    /// `Fail` (the API's default) or `Ignore`: what happens to requests when it does not answer.
    pub failure_policy: Option<String>,
    pub rules: Vec<WebhookRule>,
    pub namespace_selector: LabelSelector,
    pub object_selector: LabelSelector,
    /// Seconds; the API's default is 10.
    pub timeout_seconds: Option<i64>,
}

impl Webhook {
    /// When it does not answer, requests are refused.
    pub fn fails_closed(&self) -> bool {
        self.failure_policy.as_deref().unwrap_or("Fail") == "Fail"
    }
}

/// Where the webhook is: a Service of the cluster, or a URL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WebhookClient {
    pub service: Option<ServiceTarget>,
    pub url: Option<String>,
}

/// A Service the API server calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceTarget {
    pub namespace: String,
    pub name: String,
    /// The API's default is 443.
    pub port: Option<u16>,
}

impl ServiceTarget {
    /// The reference, uid unknown.
    pub fn reference(&self) -> ObjectRef {
        ObjectRef::missing(super::Kind::Service, Some(&self.namespace), &self.name)
    }
}

/// Which requests the webhook is asked about; `*` stands for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WebhookRule {
    pub api_groups: Vec<String>,
    pub resources: Vec<String>,
    /// `CREATE`, `UPDATE`, `DELETE`, `CONNECT` or `*`.
    pub operations: Vec<String>,
    /// `Cluster`, `Namespaced` or `*`.
    pub scope: Option<String>,
}

/// A group and version of the API; with a Service, one that an extension server of the cluster serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct APIService {
    pub metadata: Meta,
    pub spec: APIServiceSpec,
    pub status: APIServiceStatus,
}

/// What is served, and by whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct APIServiceSpec {
    pub group: String,
    pub version: String,
    pub service: Option<ServiceTarget>,
}

/// Whether it answers: condition `Available`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct APIServiceStatus {
    pub conditions: Vec<Condition>,
}
