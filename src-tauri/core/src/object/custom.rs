//! Objects of kinds that an extension brought: what its controller says of them, and what they refer to.
//!
//! Such an object may hold anything, secrets included, in any shape. What is read is a short list of fields that are
//! conventions among controllers; a field of another shape counts as not there and costs the object nothing.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Kind, Meta, ObjectRef};

/// An object of a kind that is not Kubernetes' own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomResource {
    pub api_version: String,
    /// The kind as the API has it; `kind` is taken where an object is written with the kind it is read as.
    #[serde(rename = "objectKind", alias = "kind")]
    pub kind: String,
    /// The resource in the URL, which no rule turns a kind into.
    pub resource: String,
    pub metadata: Meta,
    #[serde(deserialize_with = "lenient")]
    pub spec: CustomSpec,
    #[serde(deserialize_with = "lenient")]
    pub status: CustomStatus,
}

impl CustomResource {
    /// A reference to this very object, its uid included.
    pub fn reference(&self) -> ObjectRef {
        let named = ObjectRef::of(Kind::CustomResource, &self.metadata);
        ObjectRef { api_version: self.api_version.clone(), kind: self.kind.clone(), ..named }
    }

    /// The API group.
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// True for this kind of this group.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.kind == kind && self.group() == group
    }

    /// A person told the controller to leave it alone.
    pub fn is_suspended(&self) -> bool {
        self.spec.suspend || self.spec.paused
    }

    /// What it deploys lies in another cluster: the names in its messages say nothing of this one.
    pub fn is_remote(&self) -> bool {
        self.spec.destination.remote || self.spec.kube_config
    }

    /// Argo CD: what is missing here was asked for. A person may have merged what nobody has synced yet.
    pub fn is_synced_by_itself(&self) -> bool {
        self.spec.sync_policy.automated.as_ref().is_some_and(|a| a.enabled != Some(false))
    }

    /// The condition of this type.
    pub fn condition(&self, kind: &str) -> Option<&CustomCondition> {
        self.status.conditions.iter().find(|c| c.kind == kind)
    }

    /// What the controller last looked at is older than what is asked for now.
    pub fn is_behind(&self) -> bool {
        self.metadata.generation.zip(self.status.observed_generation).is_some_and(|(now, seen)| seen < now)
    }

    /// The name of the Secret that its controller makes of it.
    pub fn makes_secret(&self) -> Option<&str> {
        let own = self.metadata.name.as_str();
        match (self.group(), self.kind.as_str()) {
            ("cert-manager.io", "Certificate") => self.spec.secret_name.as_deref(),
            ("external-secrets.io", "ExternalSecret") => {
                Some(self.spec.target.as_ref().map(|t| t.name.as_str()).filter(|n| !n.is_empty()).unwrap_or(own))
            }
            ("bitnami.com", "SealedSecret") => Some(own),
            _ => self.connection_secret(),
        }
    }

    /// Where it is told to write what others connect with: Crossplane's convention, and what other operators call it.
    /// `connectionSecretRef` is none of them: some read what it names.
    fn connection_secret(&self) -> Option<&str> {
        let named = self.spec.write_connection_secret_to_ref.as_ref().map(|n| n.name.as_str());
        named.or(self.spec.connection_secret_name.as_deref()).filter(|name| !name.is_empty())
    }

    /// The namespace of the Secret that it makes: its own, or, of Crossplane's that have none, the one it writes to.
    pub fn makes_in(&self) -> Option<&str> {
        let named = self.spec.write_connection_secret_to_ref.as_ref().and_then(|n| n.namespace.as_deref());
        self.metadata.namespace.as_deref().or(named)
    }

    /// Of what only some kinds need, the rest keeps nothing: elsewhere the same name may hold anything.
    pub fn trim(&mut self) {
        if self.group() != "acme.cert-manager.io" {
            self.status.state = None;
            self.status.reason = None;
        }
        if !matches!(self.group(), "cert-manager.io" | "external-secrets.io") {
            self.spec.secret_name = None;
            self.spec.target = None;
        }
        let to = &mut self.spec.destination;
        let server = to.server.take().is_some_and(|s| !s.is_empty() && s != "https://kubernetes.default.svc");
        let name = to.name.take().is_some_and(|n| !n.is_empty() && n != "in-cluster");
        to.remote |= server || name;
        if self.group() != "argoproj.io" {
            self.spec.destination = Destination::default();
            self.spec.sync_policy = SyncPolicy::default();
            self.status.sync = Sync::default();
            self.status.health = Health::default();
            self.status.operation_state = Operation::default();
        }
    }
}

/// Whether it is to be left alone, and the names of what it stands on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomSpec {
    #[serde(deserialize_with = "lenient")]
    pub suspend: bool,
    #[serde(deserialize_with = "lenient")]
    pub paused: bool,
    /// Flux: where a Kustomization's manifests come from.
    #[serde(deserialize_with = "lenient")]
    pub source_ref: Option<Named>,
    /// Flux: where a HelmRelease's chart comes from.
    #[serde(deserialize_with = "lenient")]
    pub chart_ref: Option<Named>,
    #[serde(deserialize_with = "lenient")]
    pub chart: Chart,
    /// Flux: what must be ready before.
    #[serde(deserialize_with = "each")]
    pub depends_on: Vec<Named>,
    /// Flux: the Helm release, where it is not called like the object.
    #[serde(deserialize_with = "lenient")]
    pub release_name: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub target_namespace: Option<String>,
    /// Flux: it deploys to another cluster. How is not kept.
    #[serde(deserialize_with = "is_there")]
    pub kube_config: bool,
    /// cert-manager: who signs.
    #[serde(deserialize_with = "lenient")]
    pub issuer_ref: Option<Named>,
    /// External Secrets: where values come from.
    #[serde(deserialize_with = "lenient")]
    pub secret_store_ref: Option<Named>,
    /// cert-manager: the Secret that holds the certificate.
    #[serde(deserialize_with = "lenient")]
    pub secret_name: Option<String>,
    /// External Secrets: the Secret that is made, where it is not called like the object.
    #[serde(deserialize_with = "lenient")]
    pub target: Option<Named>,
    /// Crossplane: the Secret that is made of what it provides.
    #[serde(deserialize_with = "lenient")]
    pub write_connection_secret_to_ref: Option<Named>,
    /// Other operators: the same.
    #[serde(deserialize_with = "lenient")]
    pub connection_secret_name: Option<String>,
    /// Argo CD: where an Application is deployed to.
    #[serde(deserialize_with = "lenient")]
    pub destination: Destination,
    /// Argo CD: whether it is synced without being asked.
    #[serde(deserialize_with = "lenient")]
    pub sync_policy: SyncPolicy,
}

/// A reference to an object by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Named {
    pub api_version: Option<String>,
    pub group: Option<String>,
    pub kind: Option<String>,
    pub namespace: Option<String>,
    pub name: String,
}

/// The template of a chart, of which only its source is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Chart {
    #[serde(deserialize_with = "lenient")]
    pub spec: ChartSpec,
}

/// Where a chart is fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ChartSpec {
    #[serde(deserialize_with = "lenient")]
    pub source_ref: Option<Named>,
}

/// Where an Application is deployed to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Destination {
    pub namespace: Option<String>,
    /// The cluster by address or by name, until it is known whether it is this one.
    pub server: Option<String>,
    pub name: Option<String>,
    /// It is another cluster.
    pub remote: bool,
}

/// When an Application is synced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SyncPolicy {
    #[serde(deserialize_with = "lenient")]
    pub automated: Option<Automated>,
}

/// By itself, unless that was switched off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Automated {
    #[serde(deserialize_with = "lenient")]
    pub enabled: Option<bool>,
}

/// What its controller says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomStatus {
    #[serde(deserialize_with = "lenient")]
    pub observed_generation: Option<i64>,
    #[serde(deserialize_with = "conditions")]
    pub conditions: Vec<CustomCondition>,
    /// cert-manager's Orders and Challenges have no conditions.
    #[serde(deserialize_with = "lenient")]
    pub state: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub reason: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub sync: Sync,
    #[serde(deserialize_with = "lenient")]
    pub health: Health,
    #[serde(deserialize_with = "lenient")]
    pub operation_state: Operation,
}

/// A condition, with the generation it speaks of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomCondition {
    #[serde(rename = "type")]
    pub kind: String,
    pub status: String,
    #[serde(deserialize_with = "lenient")]
    pub reason: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub message: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub last_transition_time: Option<Timestamp>,
    #[serde(deserialize_with = "lenient")]
    pub observed_generation: Option<i64>,
}

/// Argo CD: whether what is there is what the repository says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sync {
    pub status: String,
}

/// Argo CD: whether what is there works.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Health {
    pub status: String,
    #[serde(deserialize_with = "lenient")]
    pub message: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub last_transition_time: Option<Timestamp>,
}

/// Argo CD: the last attempt to bring it about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Operation {
    pub phase: String,
    #[serde(deserialize_with = "lenient")]
    pub message: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub finished_at: Option<Timestamp>,
}

impl Named {
    /// The object that is meant, as far as the reference says; what it leaves out is this kind of this group and
    /// version, in this namespace.
    pub fn reference(&self, api_version: &str, kind: &str, namespace: Option<&str>) -> ObjectRef {
        let kind = self.kind.as_deref().filter(|k| !k.is_empty()).unwrap_or(kind);
        let said = self.api_version.clone().filter(|v| !v.is_empty());
        // Any version means the same object: only the group tells one kind from another.
        let of_group = self.group.as_deref().filter(|g| !g.is_empty()).map(|group| format!("{group}/v1"));
        // `ClusterIssuer`, `ClusterSecretStore`: by their names outside namespaces.
        let wide = kind.strip_prefix("Cluster").is_some_and(|rest| !rest.is_empty());
        ObjectRef {
            api_version: said.or(of_group).unwrap_or_else(|| api_version.to_owned()),
            kind: kind.to_owned(),
            namespace: self.namespace.as_deref().or(namespace).filter(|_| !wide).map(str::to_owned),
            name: self.name.clone(),
            uid: None,
        }
    }
}

/// A value of the expected shape, else its default.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(from: D) -> Result<T, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(from)?).unwrap_or_default())
}

/// Whether there is a value, whatever it is.
fn is_there<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Ok(!matches!(Value::deserialize(from)?, Value::Null | Value::Bool(false)))
}

/// The items of a list that have the expected shape.
fn each<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Vec<T>, D::Error> {
    let items = match Value::deserialize(from)? {
        Value::Array(items) => items,
        _ => Vec::new(),
    };
    Ok(items.into_iter().filter_map(|item| serde_json::from_value(item).ok()).collect())
}

/// Conditions are a list; beyond so many nobody reads them.
fn conditions<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<CustomCondition>, D::Error> {
    const MOST: usize = 32;
    let mut all: Vec<CustomCondition> = each(from)?;
    all.truncate(MOST);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::object::{Kind, Object};

    fn read(value: Value) -> CustomResource {
        match Object::from_value(Kind::CustomResource, value).unwrap() {
            Object::CustomResource(custom) => custom,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_odd_field_costs_itself_and_not_the_object() {
        let odd = read(json!({
            "apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"},
            "spec": {"suspend": "yes", "paused": true, "sourceRef": ["x"], "chart": "nginx", "dependsOn": {"a": 1}},
            "status": {"observedGeneration": "7", "conditions": [7, {"type": "Ready", "status": "False", "lastTransitionTime": ""}]},
        }));
        assert_eq!((odd.kind.as_str(), odd.group()), ("Thing", "example.com"));
        assert!(odd.spec.paused && !odd.spec.suspend && odd.is_suspended());
        assert_eq!(odd.status.conditions.len(), 1);
        assert_eq!(odd.condition("Ready").unwrap().status, "False");
        for shape in
            [json!({"spec": null, "status": "on"}), json!({"spec": [], "status": {"conditions": {"Ready": 1}}})]
        {
            let mut value = json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}});
            value.as_object_mut().unwrap().extend(shape.as_object().unwrap().clone());
            assert_eq!(read(value).status, CustomStatus::default());
        }
    }

    #[test]
    fn nothing_but_the_short_list_is_kept() {
        let object = read(json!({
            "apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"},
            "spec": {"password": "hunter2", "sourceRef": {"name": "x", "token": "hunter2"}},
            "status": {"token": "hunter2", "conditions": [{"type": "Ready", "status": "True", "secret": "hunter2"}]},
        }));
        assert!(!serde_json::to_string(&object).unwrap().contains("hunter2"));
    }

    #[test]
    fn an_object_in_a_fact_keeps_both_kinds() {
        let object = Object::from_value(
            Kind::CustomResource,
            json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}}),
        );
        let object = object.unwrap();
        let text = serde_json::to_string(&object).unwrap();
        assert_eq!(serde_json::from_str::<Object>(&text).unwrap(), object);
        assert_eq!(object.reference().key(), "Thing.example.com//a");
    }
}
