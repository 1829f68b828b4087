//! Services and Ingresses that lead nowhere.

mod ingress;
mod ports;
mod selector;
mod special;

pub(super) use selector::resembles;

use jiff::Timestamp;

use super::{
    Context, Hold, Rule,
    context::{finding, object_evidence},
    crash::endpoints_ready,
    memory::unit,
};
use crate::{
    change::{Change, ChangeVerb},
    evidence::EvidenceKind,
    finding::Finding,
    index::Index,
    object::{Container, Kind, Object, ObjectRef, Pod, Service},
    remediation::ActionKind,
    severity::Severity,
    words,
};

/// The rules of this family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "service-without-endpoints",
        means: "A Service has a selector and no ready endpoint.",
        source: "kubernetes.io/docs/tasks/debug/debug-application/debug-service",
        reads: &[Kind::Service, Kind::EndpointSlice, Kind::Pod],
        holds: &[
            Hold::JoinsOnly("when the selector finds pods and none is ready: the pods have findings of their own"),
            Hold::Exactly(selector::HOLD, "when the selector finds no pod, and that is news"),
        ],
        severities: &[(Severity::High, "always")],
        limits: &[
            "A Service without selector, of type ExternalName, or (for pods that are not ready) with `publishNotReadyAddresses`.",
            "When the selector fits the template of a workload: one scaled to zero, or whose pods are on their way.",
            "A selector that finds no pod opens an incident only where it is news: it looks misspelt, its pods were seen to go, or people wrote it within the last hour.",
        ],
        threshold: None,
        advises: &[ActionKind::SetServiceSelector, ActionKind::RolloutUndo],
    },
    Rule {
        id: "service-port-wrong",
        means: "A Service sends traffic to a port its pods do not offer.",
        source: "kubernetes.io/docs/concepts/services-networking/service#field-spec-ports",
        reads: &[Kind::Service, Kind::Pod],
        holds: &[
            Hold::Exactly(PORT, ""),
            Hold::JoinsOnly("for a port number, when Service and workload have been as they are for more than an hour"),
        ],
        severities: &[(Severity::High, "always")],
        limits: &[
            "A port number that no container declares, unless every container declares its ports and the Service's other ports fit none of them or its ports were changed; or no container declares any, and its arguments or environment name another.",
            "A port number that a container's arguments, environment or probes name, and the numbers of a headless Service.",
            "A Service whose selector finds no pod: that is `service-without-endpoints`.",
        ],
        threshold: None,
        advises: &[ActionKind::SetServicePort, ActionKind::RolloutUndo],
    },
    Rule {
        id: "service-mixes-workloads",
        means: "The selector of a Service finds pods of another workload too, which do not offer its port.",
        source: "kubernetes.io/docs/concepts/services-networking/service",
        reads: &[Kind::Service, Kind::Pod],
        holds: &[Hold::Exactly(selector::HOLD, "")],
        severities: &[(Severity::High, "always")],
        limits: &[
            "Headless Services, and target ports by name: a name finds only pods that have the port.",
            "Workloads that all offer a port of the Service (a canary beside the rest), or of which a container does not say its ports.",
        ],
        threshold: None,
        advises: &[ActionKind::SetServiceSelector],
    },
    Rule {
        id: "external-name-wrong",
        means: "An ExternalName Service stands for a name that cannot be resolved.",
        source: "kubernetes.io/docs/concepts/services-networking/service#externalname",
        reads: &[Kind::Service],
        holds: &[Hold::Exactly(selector::HOLD, "")],
        severities: &[(Severity::Medium, "always")],
        limits: &["A name outside the cluster: whether it resolves is not asked."],
        threshold: None,
        advises: &[ActionKind::Patch],
    },
    Rule {
        id: "load-balancer-failed",
        means: "The controller of load balancers says that it cannot make one for a Service.",
        source: "service controller: event SyncLoadBalancerFailed; MetalLB: AllocationFailed; AWS Load Balancer Controller: FailedBuildModel, FailedDeployModel",
        reads: &[Kind::Service, Kind::KubeEvent],
        holds: &[Hold::Exactly(BALANCER, "")],
        severities: &[(Severity::Medium, "always")],
        limits: &[
            "A Service that only waits for its address: a cluster may have nobody who makes load balancers.",
            "Twenty minutes after the last failure, or once there is an address.",
        ],
        threshold: None,
        advises: &[ActionKind::ManualCheck],
    },
    Rule {
        id: "statefulset-service-missing",
        means: "A StatefulSet names a Service that does not exist, so its pods have no names in DNS.",
        source: "kubernetes.io/docs/concepts/workloads/controllers/statefulset#stable-network-id",
        reads: &[Kind::StatefulSet, Kind::Service],
        holds: &[Hold::Exactly(NAMES, ""), Hold::JoinsOnly("when it has been so for more than an hour")],
        severities: &[(Severity::Low, "while all its pods are ready"), (Severity::Medium, "otherwise")],
        limits: &["A StatefulSet that another controller owns, or that names no Service."],
        threshold: None,
        advises: &[ActionKind::Patch, ActionKind::ManualCheck],
    },
    Rule {
        id: "ingress-backend-wrong",
        means: "An Ingress names a Service, a port, a class or a certificate that does not exist, or a Secret without a certificate.",
        source: "kubernetes.io/docs/concepts/services-networking/ingress",
        reads: &[Kind::Ingress, Kind::Service, Kind::IngressClass],
        holds: &[
            Hold::Exactly(INGRESS, ""),
            Hold::Exactly(ISSUING, "for a certificate, where cert-manager runs: it may be on its way"),
            Hold::JoinsOnly("at one look, before that time is up"),
            Hold::JoinsOnly("for a certificate, when it has been missing for more than an hour"),
        ],
        severities: &[(Severity::High, "always"), (Severity::Medium, "for a certificate")],
        limits: &[
            "The backend `use-annotation` of load balancer controllers.",
            "Services, classes or Secrets that may not be listed: what is not known is not missing.",
        ],
        threshold: None,
        advises: &[ActionKind::SetIngressBackend, ActionKind::Patch, ActionKind::CreateSecret],
    },
    Rule {
        id: "ingress-unclaimed",
        means: "An Ingress names no class and no class is the default, so no controller serves it.",
        source: "kubernetes.io/docs/concepts/services-networking/ingress#default-ingress-class",
        reads: &[Kind::Ingress, Kind::IngressClass],
        holds: &[Hold::Exactly(CLAIM, ""), Hold::JoinsOnly("at one look, before that time is up")],
        severities: &[(Severity::Medium, "always")],
        limits: &[
            "While no other Ingress has an address, or one without a class has: then it is not known whom the controllers serve.",
        ],
        threshold: None,
        advises: &[ActionKind::Patch],
    },
    Rule {
        id: "ingress-conflict",
        means: "Two Ingresses of one class send the same path of the same host to different Services.",
        source: "kubernetes.github.io/ingress-nginx/how-it-works: the oldest rule wins",
        reads: &[Kind::Ingress],
        holds: &[Hold::Exactly(INGRESS, ""), Hold::JoinsOnly("when it has been so for more than an hour")],
        severities: &[(Severity::Medium, "always")],
        limits: &[
            "Canaries and mergeable Ingresses, by their annotations, and controllers that make a load balancer for each Ingress.",
        ],
        threshold: None,
        advises: &[ActionKind::SetIngressBackend],
    },
];

/// Hold times in seconds.
const PORT: i64 = 10;
const INGRESS: i64 = 15;
/// A certificate that is being issued may take minutes.
const ISSUING: i64 = 300;
/// A controller gives an Ingress its address within a minute.
const CLAIM: i64 = 60;
const BALANCER: i64 = 30;
const NAMES: i64 = 20;

/// Looks at every Service and Ingress.
pub fn all(cx: &mut Context<'_>) {
    let index = cx.index;
    for o in index.all(Kind::Service) {
        if let Object::Service(s) = &**o
            && !s.metadata.deleting()
        {
            cx.unit(unit("service", &s.metadata), |cx| {
                index.get(Kind::Service, s.metadata.namespace.as_deref(), &s.metadata.name);
                service(cx, s);
            });
        }
    }
    for o in index.all(Kind::Ingress) {
        if let Object::Ingress(i) = &**o
            && !i.metadata.deleting()
        {
            ingress::ingress(cx, i);
        }
    }
    ingress::together(cx);
    for o in index.all(Kind::StatefulSet) {
        if let Object::StatefulSet(s) = &**o
            && !s.metadata.deleting()
        {
            special::governing(cx, s);
        }
    }
}

fn service(cx: &mut Context<'_>, s: &Service) {
    let ns = s.metadata.namespace.as_deref().unwrap_or("");
    match s.spec.kind.as_deref() {
        Some("ExternalName") => {
            special::external(cx, s, &s.reference());
            return;
        }
        Some("LoadBalancer") => special::balancer(cx, s, &s.reference()),
        _ => {}
    }
    if s.spec.selector.is_empty() || !cx.index.knows(Kind::Pod, Some(ns)) {
        return;
    }
    let me = s.reference();
    let here = |p: &&Pod| !p.finished() && !p.metadata.deleting();
    let matching: Vec<&Pod> = cx.index.pods_matching(ns, &s.spec.selector).into_iter().filter(here).collect();
    if matching.is_empty() {
        let pods = cx.index.in_namespace(Kind::Pod, ns).filter_map(|o| match &**o {
            Object::Pod(p) => Some(p),
            _ => None,
        });
        let pods: Vec<&Pod> = pods.filter(here).collect();
        selector::selects_nothing(cx, s, &me, &pods);
        return;
    }
    ports::wrong_port(cx, s, &me, &Index::one_per_template(&matching));
    ports::mixed(cx, s, &me, &matching);
    if endpoints_ready(cx, &me) == Some(false)
        && matching.iter().all(|p| !p.ready())
        && !s.spec.publish_not_ready_addresses
    {
        // The pods have findings of their own; this one tells that traffic is lost and joins them.
        let since = matching
            .iter()
            .filter_map(|p| crate::object::Condition::find(&p.status.conditions, "Ready")?.last_transition_time)
            .max()
            .or(s.metadata.creation_timestamp)
            .unwrap_or_else(|| cx.now.get());
        let mut f =
            finding("service-without-endpoints", me.clone(), &cx.owner(matching[0]).subject, Severity::High, since);
        f.headline = format!("leaves Service {} without endpoints", me.name);
        f.started_basis = "without a ready pod since".into();
        f.message = format!(
            "Service {} has no ready endpoint: none of its {} is ready",
            me.name,
            words::count(matching.len(), "pod")
        );
        let lines = [("selector", selector_text(s)), ("ready endpoints", "0".to_owned())];
        f.evidence.push(object_evidence(
            EvidenceKind::Object,
            me.clone(),
            "endpoints",
            format!("Service {} has no ready endpoint", me.name),
            &lines,
            since,
        ));
        // Never opens by itself: within a roll-out's budget unready pods are ordinary.
        f.hold = Finding::JOINS_ONLY;
        cx.report(f);
    }
}

fn selector_text(s: &Service) -> String {
    s.spec.selector.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",")
}

fn changes_of<'c>(cx: &'c Context<'_>, object: &'c ObjectRef) -> impl Iterator<Item = &'c Change> {
    cx.index.changes_of(object)
}

fn changed_at(cx: &Context<'_>, object: &ObjectRef) -> Option<Timestamp> {
    changes_of(cx, object).map(|c| c.at).max()
}

/// The object is new, or the change concerns this part of it.
fn touches(change: &Change, path: &str) -> bool {
    change.verb == ChangeVerb::Created || change.fields.iter().any(|f| f.path.contains(path))
}

/// The containers that run as long as the pod: its own, and init containers that stay (native sidecars).
fn serving(pod: &Pod) -> impl Iterator<Item = &Container> {
    let sidecars = pod.spec.init_containers.iter().filter(|c| c.restart_policy.as_deref() == Some("Always"));
    pod.spec.containers.iter().chain(sidecars)
}
