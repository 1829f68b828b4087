//! The cluster's DNS.

use super::{
    Context, Hold, Rule,
    backing::{Standing, behind, blame, deleted_at, told},
    context::{finding, hold, object_evidence},
    crash::endpoints_ready,
};
use crate::{
    change::Change,
    evidence::EvidenceKind,
    host::{self, DNS_NAMES as NAMES, DNS_NAMESPACE as PLACE},
    object::{Kind, ObjectRef, Service, has_all},
    remediation::ActionKind,
    severity::Severity,
};

/// The rules of this family.
pub const RULES: &[Rule] = &[Rule {
    id: "cluster-dns-down",
    means: "Nothing answers the cluster's DNS, so no program finds another by name.",
    source: "kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution",
    reads: &[Kind::Service, Kind::EndpointSlice, Kind::Pod],
    holds: &[
        Hold::Exactly(DOWN, ""),
        Hold::JoinsOnly(
            "where no workload was ever seen behind the Service: DNS may be elsewhere; at one look, before that time is up",
        ),
    ],
    severities: &[(Severity::Critical, "always")],
    limits: &[
        "A cluster whose DNS is not a Service of the usual name or label in `kube-system`, or has no selector.",
        "While one of several such Services has a ready endpoint.",
    ],
    threshold: None,
    advises: &[ActionKind::Scale, ActionKind::SetServiceSelector, ActionKind::ManualCheck],
}];

/// Seconds without a server.
const DOWN: i64 = 10;

/// Looks at the Service behind which the cluster's DNS answers.
pub fn all(cx: &mut Context<'_>) {
    let index = cx.index;
    if !index.knows(Kind::Service, Some(PLACE)) || !index.knows(Kind::Pod, Some(PLACE)) {
        return;
    }
    let services: Vec<&Service> = host::dns_services(index)
        .filter(|s| !s.metadata.deleting() && !s.spec.selector.is_empty())
        .filter(|s| s.spec.ports.iter().any(|p| p.port == 53))
        .collect();
    let state = match services.as_slice() {
        [] => {
            let gone = NAMES.iter().map(|n| ObjectRef::missing(Kind::Service, Some(PLACE), n));
            match gone.filter(|s| deleted_at(cx, s).is_some()).max_by_key(|s| deleted_at(cx, s)) {
                Some(service) => Standing::Missing(service),
                None => return,
            }
        }
        [first, ..] => {
            let me = |s: &Service| s.reference();
            if services.iter().any(|s| endpoints_ready(cx, &me(s)) != Some(false)) {
                return;
            }
            behind(cx, first, me(first))
        }
    };
    down(cx, state, services.first().copied());
}

fn down(cx: &mut Context<'_>, state: Standing, service: Option<&Service>) {
    let me = match (&state, service) {
        (_, Some(s)) => s.reference(),
        (Standing::Missing(s), None) => s.clone(),
        _ => return,
    };
    // A cluster may be given its names by something else, with what it came with left asleep.
    let unseen = match &state {
        Standing::SelectsNothing(s, _) => !news(cx, s, service),
        Standing::ScaledToZero(_, workload) => {
            let scaled = |c: &Change| c.fields.iter().any(|f| f.path == "spec.replicas");
            let asleep = super::backing::changes(cx, workload).any(scaled);
            !cx.options.waive_holds && !asleep && !news(cx, &me, service)
        }
        _ => false,
    };
    let Some(blame) = blame(cx, state, &me, 53, "spec.ports".into()) else { return };
    let made = service.and_then(|s| s.metadata.creation_timestamp);
    let since = blame.since.or(made).unwrap_or_else(|| cx.now.get());
    let subject = blame.workload.clone().unwrap_or_else(|| me.clone());
    let mut f = finding("cluster-dns-down", me.clone(), &subject, Severity::Critical, since);
    f.headline = "answers no DNS query: no program in the cluster finds another by name".into();
    f.started_basis = "last DNS server lost".into();
    f.hold = if unseen { crate::finding::Finding::JOINS_ONLY } else { hold(DOWN) };
    cx.ordinary_until_due(&mut f);
    f.message = format!("The cluster's DNS is down: {}", blame.why);
    let item = object_evidence(
        EvidenceKind::Object,
        me.clone(),
        "dns",
        format!("Service {} of the cluster's DNS has no ready endpoint", me.name),
        &[("ready endpoints", "0".into()), ("found", blame.why.clone())],
        since,
    );
    let key = item.key.clone();
    f.evidence.push(item);
    let statement = format!("{}: the cluster's DNS answers nothing, and names are not resolved anywhere.", blame.why);
    told(cx, &mut f, blame, "cluster-dns-down", statement, key);
    cx.report(f);
}

/// Something was behind it: pods were seen to go, or the selector or a workload of the namespace was changed.
fn news(cx: &Context<'_>, me: &ObjectRef, service: Option<&Service>) -> bool {
    let Some(s) = service else { return true };
    let finds = |labels: &std::collections::BTreeMap<String, String>| has_all(labels, &s.spec.selector);
    cx.index.graves().any(|(_, o)| o.meta().namespace.as_deref() == Some(PLACE) && finds(&o.meta().labels))
        || super::backing::changes(cx, me).any(|c| c.fields.iter().any(|f| f.path.contains("selector")))
        || NAMES.iter().any(|n| deleted_at(cx, &ObjectRef::missing(Kind::Deployment, Some(PLACE), n)).is_some())
}
