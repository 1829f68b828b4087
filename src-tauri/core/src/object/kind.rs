//! The kinds that are watched, and how the API names them.

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident, $name:literal, $api:literal, $plural:literal, $namespaced:literal;)+) => {
        /// A kind of object the product reads.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Kind { $($(#[$doc])* $kind),+ }

        impl Kind {
            /// Every kind, in the order in which they are best listed: what owns before what is owned.
            pub const ALL: &'static [Kind] = &[$(Kind::$kind),+];

            /// The kind as the API writes it, for example `EndpointSlice` (`Event` for [`Kind::KubeEvent`]).
            pub fn as_str(self) -> &'static str { match self { $(Kind::$kind => $name),+ } }
            /// Group and version, for example `apps/v1`, or `v1` for the core group.
            pub fn api_version(self) -> &'static str { match self { $(Kind::$kind => $api),+ } }
            /// The resource in the URL and in RBAC rules, for example `endpointslices`.
            pub fn plural(self) -> &'static str { match self { $(Kind::$kind => $plural),+ } }
            /// False for kinds that live outside namespaces.
            pub fn namespaced(self) -> bool { match self { $(Kind::$kind => $namespaced),+ } }
            /// The kind of this name, as the API writes it.
            pub fn parse(name: &str) -> Option<Kind> { match name { $($name => Some(Kind::$kind),)+ _ => None } }
        }
    };
}

kinds! {
    Namespace, "Namespace", "v1", "namespaces", false;
    Node, "Node", "v1", "nodes", false;
    Deployment, "Deployment", "apps/v1", "deployments", true;
    ReplicaSet, "ReplicaSet", "apps/v1", "replicasets", true;
    StatefulSet, "StatefulSet", "apps/v1", "statefulsets", true;
    DaemonSet, "DaemonSet", "apps/v1", "daemonsets", true;
    CronJob, "CronJob", "batch/v1", "cronjobs", true;
    Job, "Job", "batch/v1", "jobs", true;
    Pod, "Pod", "v1", "pods", true;
    /// `v1.Event`; the bare word event is not used for our own things.
    KubeEvent, "Event", "v1", "events", true;
    Service, "Service", "v1", "services", true;
    EndpointSlice, "EndpointSlice", "discovery.k8s.io/v1", "endpointslices", true;
    Ingress, "Ingress", "networking.k8s.io/v1", "ingresses", true;
    ConfigMap, "ConfigMap", "v1", "configmaps", true;
    Secret, "Secret", "v1", "secrets", true;
    PersistentVolumeClaim, "PersistentVolumeClaim", "v1", "persistentvolumeclaims", true;
    HorizontalPodAutoscaler, "HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers", true;
    ResourceQuota, "ResourceQuota", "v1", "resourcequotas", true;
    ServiceAccount, "ServiceAccount", "v1", "serviceaccounts", true;
    PodDisruptionBudget, "PodDisruptionBudget", "policy/v1", "poddisruptionbudgets", true;
    LimitRange, "LimitRange", "v1", "limitranges", true;
    NetworkPolicy, "NetworkPolicy", "networking.k8s.io/v1", "networkpolicies", true;
    PersistentVolume, "PersistentVolume", "v1", "persistentvolumes", false;
    StorageClass, "StorageClass", "storage.k8s.io/v1", "storageclasses", false;
    IngressClass, "IngressClass", "networking.k8s.io/v1", "ingressclasses", false;
    PriorityClass, "PriorityClass", "scheduling.k8s.io/v1", "priorityclasses", false;
    ValidatingWebhookConfiguration, "ValidatingWebhookConfiguration", "admissionregistration.k8s.io/v1", "validatingwebhookconfigurations", false;
    MutatingWebhookConfiguration, "MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations", false;
    APIService, "APIService", "apiregistration.k8s.io/v1", "apiservices", false;
    Role, "Role", "rbac.authorization.k8s.io/v1", "roles", true;
    RoleBinding, "RoleBinding", "rbac.authorization.k8s.io/v1", "rolebindings", true;
    ClusterRole, "ClusterRole", "rbac.authorization.k8s.io/v1", "clusterroles", false;
    ClusterRoleBinding, "ClusterRoleBinding", "rbac.authorization.k8s.io/v1", "clusterrolebindings", false;
    /// The Gateway API is an extension; where it is not served these three are neither read nor missed.
    GatewayClass, "GatewayClass", "gateway.networking.k8s.io/v1", "gatewayclasses", false;
    Gateway, "Gateway", "gateway.networking.k8s.io/v1", "gateways", true;
    HTTPRoute, "HTTPRoute", "gateway.networking.k8s.io/v1", "httproutes", true;
    /// Every kind that an extension brought, together. The objects carry their own kind; which there are is learned
    /// from the server, and those a user may not read are not missed.
    CustomResource, "CustomResource", "", "customresources", true;
}

/// How a kind is kept up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A watch of its own: one connection per kind, since the client speaks HTTP/1.1.
    Watch,
    /// Listed again every minute or two; these kinds change rarely.
    Poll,
}

/// Kubernetes' own groups that are written like those of extensions.
const OWN_GROUPS: &[&str] = &[
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

/// The group of a group and version where an extension brought it, else none.
pub fn extension(api_version: &str) -> Option<&str> {
    let (group, _) = api_version.split_once('/')?;
    (group.contains('.') && !OWN_GROUPS.contains(&group)).then_some(group)
}

impl Kind {
    /// The kind an object is read as: one of those known by name, where it is of their group, or an extension's.
    pub fn of(api_version: &str, name: &str) -> Option<Kind> {
        let group = extension(api_version);
        match Kind::parse(name) {
            Some(kind) if group.is_none_or(|g| g == kind.group()) => Some(kind),
            _ => group.map(|_| Kind::CustomResource),
        }
    }

    /// The API group, empty for the core group.
    pub fn group(self) -> &'static str {
        self.api_version().split_once('/').map_or("", |(group, _)| group)
    }

    /// How the kind is kept up to date. Most of them change rarely, but whether one exists or what it allows decides at
    /// once what is broken: a list that is a minute old would accuse an object falsely, or miss who is to blame.
    pub fn mode(self) -> Mode {
        match self {
            Kind::CustomResource => Mode::Poll,
            _ => Mode::Watch,
        }
    }

    /// True for kinds of which only the metadata may be asked for.
    pub fn metadata_only(self) -> bool {
        self == Kind::Secret
    }

    /// True for kinds whose managedFields say who changed them last and are worth keeping.
    pub fn keeps_managers(self) -> bool {
        !matches!(self, Kind::Pod | Kind::KubeEvent | Kind::ReplicaSet | Kind::EndpointSlice)
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
