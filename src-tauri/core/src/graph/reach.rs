//! Who may refer to an object of a kind, and where such objects are: what has to be asked and what need not.

use crate::object::Kind;

/// Where somebody who refers to an object may be.
#[derive(Clone, Copy)]
pub(super) enum Where {
    Same,
    Anywhere,
}

pub(super) const PODS: [(Kind, Where); 7] = pods(Where::Same);

const fn pods(place: Where) -> [(Kind, Where); 7] {
    [
        (Kind::Deployment, place),
        (Kind::ReplicaSet, place),
        (Kind::StatefulSet, place),
        (Kind::DaemonSet, place),
        (Kind::Job, place),
        (Kind::CronJob, place),
        (Kind::Pod, place),
    ]
}

/// The kinds that may refer to a kind.
pub(super) fn referrers(kind: Kind) -> &'static [(Kind, Where)] {
    use Where::{Anywhere, Same};
    match kind {
        Kind::Pod => &[
            (Kind::Service, Same),
            (Kind::EndpointSlice, Same),
            (Kind::PodDisruptionBudget, Same),
            (Kind::NetworkPolicy, Anywhere),
            (Kind::ResourceQuota, Same),
            (Kind::LimitRange, Same),
        ],
        Kind::Deployment | Kind::ReplicaSet | Kind::StatefulSet | Kind::DaemonSet | Kind::Job | Kind::CronJob => &[
            (Kind::Service, Same),
            (Kind::HorizontalPodAutoscaler, Same),
            (Kind::PodDisruptionBudget, Same),
            (Kind::NetworkPolicy, Anywhere),
            (Kind::ResourceQuota, Same),
            (Kind::LimitRange, Same),
        ],
        Kind::Service => &[
            (Kind::Ingress, Same),
            (Kind::HTTPRoute, Anywhere),
            (Kind::ValidatingWebhookConfiguration, Anywhere),
            (Kind::MutatingWebhookConfiguration, Anywhere),
            (Kind::APIService, Anywhere),
            (Kind::Deployment, Anywhere),
            (Kind::StatefulSet, Anywhere),
            (Kind::DaemonSet, Anywhere),
            (Kind::CronJob, Anywhere),
            (Kind::Job, Anywhere),
            (Kind::Pod, Anywhere),
        ],
        Kind::EndpointSlice => &[(Kind::Service, Same)],
        Kind::ConfigMap => &PODS,
        Kind::Secret => &[
            PODS[0],
            PODS[1],
            PODS[2],
            PODS[3],
            PODS[4],
            PODS[5],
            PODS[6],
            (Kind::ServiceAccount, Same),
            (Kind::Ingress, Same),
            (Kind::Gateway, Anywhere),
            (Kind::CustomResource, Same),
        ],
        Kind::PersistentVolumeClaim => {
            &[PODS[0], PODS[1], PODS[2], PODS[3], PODS[4], PODS[5], PODS[6], (Kind::PersistentVolume, Anywhere)]
        }
        Kind::ServiceAccount => &[
            PODS[0],
            PODS[1],
            PODS[2],
            PODS[3],
            PODS[4],
            PODS[5],
            PODS[6],
            (Kind::RoleBinding, Anywhere),
            (Kind::ClusterRoleBinding, Anywhere),
        ],
        Kind::PriorityClass => &const { pods(Anywhere) },
        Kind::PersistentVolume => &[(Kind::PersistentVolumeClaim, Anywhere)],
        Kind::StorageClass => &[(Kind::PersistentVolumeClaim, Anywhere), (Kind::PersistentVolume, Anywhere)],
        Kind::Node => &[(Kind::Pod, Anywhere), (Kind::PersistentVolume, Anywhere)],
        Kind::Role => &[(Kind::RoleBinding, Same)],
        Kind::ClusterRole => &[(Kind::RoleBinding, Anywhere), (Kind::ClusterRoleBinding, Anywhere)],
        Kind::Gateway => &[(Kind::HTTPRoute, Anywhere)],
        Kind::CustomResource => &[(Kind::CustomResource, Anywhere)],
        Kind::GatewayClass => &[(Kind::Gateway, Anywhere)],
        Kind::IngressClass => &[(Kind::Ingress, Anywhere)],
        _ => &[],
    }
}
