//! Kubernetes objects, reduced to the fields the product reads.
//!
//! The types decode straight from the API server's JSON: unknown fields are skipped while parsing, missing ones take
//! their default, so one odd object cannot make a whole kind unreadable. Secret and ConfigMap *values* have no field
//! here at all: the cluster adapter turns ConfigMap values into [`config::ValueDigest`]s as they arrive and never
//! asks for Secret values.

pub mod access;
pub mod admission;
pub mod config;
pub mod custom;
pub mod event;
pub mod gateway;
pub mod kind;
pub mod meta;
pub mod network;
pub mod node;
pub mod pod;
pub mod policy;
pub mod quantity;
pub mod storage;
pub mod volume;
pub mod workload;

pub use access::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
pub use admission::{APIService, MutatingWebhookConfiguration, ValidatingWebhookConfiguration};
pub use config::{ConfigMap, Secret, ServiceAccount, ValueDigest};
pub use custom::CustomResource;
pub use event::KubeEvent;
pub use gateway::{Gateway, GatewayClass, HTTPRoute};
pub use kind::Kind;
pub use meta::{ManagedField, Meta, ObjectRef, OwnerReference, has_all};
pub use network::{EndpointSlice, Ingress, IngressClass, NetworkPolicy, Service};
pub use node::{Namespace, Node};
pub use pod::{Container, ContainerStatus, Pod, PodSpec};
pub use policy::{HorizontalPodAutoscaler, LimitRange, PodDisruptionBudget, PriorityClass, ResourceQuota};
pub use quantity::Quantity;
use serde::{Deserialize, Serialize};
pub use storage::{PersistentVolume, PersistentVolumeClaim, StorageClass};
pub use workload::{CronJob, DaemonSet, Deployment, Job, LabelSelector, PodTemplate, ReplicaSet, StatefulSet};

/// A condition as `status.conditions` of most kinds carries it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// `Ready`, `Progressing`, ….
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub last_transition_time: Option<jiff::Timestamp>,
    /// Deployments only: when the condition was last looked at.
    pub last_update_time: Option<jiff::Timestamp>,
}

impl Condition {
    /// The condition of this type, if the object has it.
    pub fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
        conditions.iter().find(|c| c.kind == kind)
    }

    /// True when the status is exactly `True`.
    pub fn is_true(&self) -> bool {
        self.status == "True"
    }

    /// True when the status is exactly `False`.
    pub fn is_false(&self) -> bool {
        self.status == "False"
    }
}

macro_rules! objects {
    ($($named:ident),+ ; $($own:ident),+) => {
        objects!(@all $($named,)+ $($own),+);

        $(impl $named {
            /// A reference to this very object, its uid included.
            pub fn reference(&self) -> ObjectRef { ObjectRef::of(Kind::$named, &self.metadata) }
        })+
    };
    (@all $($kind:ident),+) => {
        /// An object of one of the watched kinds.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        #[allow(clippy::large_enum_variant, reason = "pods are the largest and by far the most numerous")]
        pub enum Object { $($kind($kind)),+ }

        impl Object {
            /// The kind of the object.
            pub fn kind(&self) -> Kind { match self { $(Object::$kind(_) => Kind::$kind),+ } }
            /// Name, namespace, uid and the like.
            pub fn meta(&self) -> &Meta { match self { $(Object::$kind(o) => &o.metadata),+ } }
            /// The same, for the adapter that trims what is not kept.
            pub fn meta_mut(&mut self) -> &mut Meta { match self { $(Object::$kind(o) => &mut o.metadata),+ } }

            /// Reads one object from the API server's JSON.
            ///
            /// # Errors
            /// When the text is not JSON or a field that is read has an unexpected type.
            pub fn from_json(kind: Kind, json: &str) -> Result<Object, serde_json::Error> {
                Ok(match kind { $(Kind::$kind => Object::$kind(serde_json::from_str(json)?)),+ })
            }

            /// Reads one object from a JSON value (recordings, tests).
            ///
            /// # Errors
            /// When a field that is read has an unexpected type.
            pub fn from_value(kind: Kind, json: serde_json::Value) -> Result<Object, serde_json::Error> {
                Ok(match kind { $(Kind::$kind => Object::$kind(serde_json::from_value(json)?)),+ })
            }
        }

        $(impl From<$kind> for Object { fn from(o: $kind) -> Object { Object::$kind(o) } })+
    };
}

// A custom resource is called by the kind it carries, all others by their own.
objects!(
    Pod,
    KubeEvent,
    Node,
    Namespace,
    Deployment,
    ReplicaSet,
    StatefulSet,
    DaemonSet,
    Job,
    CronJob,
    Service,
    EndpointSlice,
    PersistentVolumeClaim,
    PersistentVolume,
    StorageClass,
    Ingress,
    IngressClass,
    NetworkPolicy,
    HorizontalPodAutoscaler,
    PodDisruptionBudget,
    ResourceQuota,
    LimitRange,
    ServiceAccount,
    ConfigMap,
    Secret,
    PriorityClass,
    ValidatingWebhookConfiguration,
    MutatingWebhookConfiguration,
    APIService,
    Role,
    RoleBinding,
    ClusterRole,
    ClusterRoleBinding,
    GatewayClass,
    Gateway,
    HTTPRoute;
    CustomResource
);

impl Object {
    /// A reference to this very object, its uid included.
    pub fn reference(&self) -> ObjectRef {
        match self {
            Object::CustomResource(o) => o.reference(),
            _ => ObjectRef::of(self.kind(), self.meta()),
        }
    }

    /// How many pods a workload with replicas is to have; one where it does not say.
    pub fn replicas(&self) -> Option<i32> {
        match self {
            Object::Deployment(o) => Some(o.spec.replicas.unwrap_or(1)),
            Object::StatefulSet(o) => Some(o.spec.replicas.unwrap_or(1)),
            Object::ReplicaSet(o) => Some(o.spec.replicas.unwrap_or(1)),
            _ => None,
        }
    }

    /// The pod template of a workload.
    pub fn pod_template(&self) -> Option<&PodTemplate> {
        match self {
            Object::Deployment(o) => Some(&o.spec.template),
            Object::ReplicaSet(o) => Some(&o.spec.template),
            Object::StatefulSet(o) => Some(&o.spec.template),
            Object::DaemonSet(o) => Some(&o.spec.template),
            Object::Job(o) => Some(&o.spec.template),
            Object::CronJob(o) => Some(&o.spec.job_template.spec.template),
            _ => None,
        }
    }
}
