//! Controllers that cannot make what they are to make.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::super::{
    Context,
    context::{event_evidence, evidence, finding, hold, object_evidence},
    placement,
};
use super::{CREATE_MEMORY, GOING, HOLD, refusal};
use crate::{
    evidence::EvidenceKind,
    index::Now,
    object::{Condition, Kind, KubeEvent, Object, Quantity, ResourceQuota},
    severity::Severity,
    words,
};

/// The clock of the controllers may lag behind that of the API server by this much.
const CLOCKS: SignedDuration = SignedDuration::from_secs(2);

/// Looks at every controller.
pub(super) fn all(cx: &mut Context<'_>) {
    let index = cx.index;
    for kind in [Kind::ReplicaSet, Kind::StatefulSet, Kind::DaemonSet, Kind::Job, Kind::Deployment, Kind::CronJob] {
        for o in index.all(kind) {
            if !o.meta().deleting() {
                refused(cx, o);
            }
        }
    }
}

/// Whether less is there than is wanted, and the condition that says that it was refused.
fn short<'o>(cx: &Context<'_>, o: &'o Object) -> (bool, Option<&'o Condition>) {
    match o {
        Object::ReplicaSet(r) => (
            r.spec.replicas.unwrap_or(1) > r.status.replicas,
            Condition::find(&r.status.conditions, "ReplicaFailure").filter(|c| c.is_true()),
        ),
        Object::StatefulSet(s) => (s.spec.replicas.unwrap_or(1) > s.status.replicas, None),
        Object::DaemonSet(d) => {
            (cx.index.owned_by(&d.metadata.uid).count() < d.status.desired_number_scheduled as usize, None)
        }
        Object::Job(j) => {
            let finished =
                j.status.conditions.iter().any(|c| matches!(c.kind.as_str(), "Complete" | "Failed") && c.is_true());
            let short = !finished
                && !j.spec.suspend
                && j.status.active == 0
                && j.status.succeeded < j.spec.completions.unwrap_or(1);
            (short, None)
        }
        // The Deployment's own refusals are about its ReplicaSets.
        Object::Deployment(d) => {
            let condition = Condition::find(&d.status.conditions, "Progressing")
                .filter(|c| c.is_false() && c.reason.as_deref() == Some("ReplicaSetCreateError"));
            (condition.is_some(), condition)
        }
        // A run that was refused is made good by the next one that is not.
        Object::CronJob(c) => {
            let refused = cx.index.events_of(&o.reference());
            let last = refused.iter().filter(|e| e.reason() == "FailedCreate").filter_map(|e| e.last_seen()).max();
            (!c.spec.suspend && last > c.status.last_schedule_time, None)
        }
        _ => (false, None),
    }
}

fn refused(cx: &mut Context<'_>, o: &Object) {
    let me = o.reference();
    let events = cx.index.events_of(&me);
    let failing: Vec<&KubeEvent> = events
        .iter()
        .copied()
        .filter(|e| e.is_warning() && matches!(e.reason(), "FailedCreate" | "ReplicaSetCreateError"))
        .collect();
    let (short, condition) = short(cx, o);
    let last = failing.last();
    // Events are forgotten after an hour; the condition stays.
    let seen = last.and_then(|e| e.last_seen()).or(condition.and_then(|c| c.last_transition_time));
    let Some(seen) = seen else { return };
    let lately = SignedDuration::from_mins(i64::from(cx.threshold("pods-not-created", &CREATE_MEMORY)));
    // A controller that makes pods between refusals stands still only since it made the last one.
    let made = cx.index.owned_by(&o.meta().uid).filter_map(|child| child.meta().creation_timestamp).max();
    if condition.is_none() && made.is_some_and(|t| t.duration_since(seen) > CLOCKS) {
        return;
    }
    // The condition outlives the refusal until the controller has looked again.
    if !short || (condition.is_none() && !(last.is_some() && cx.now.duration_since(seen) <= lately)) {
        return;
    }
    // What is wrong now is told by the newest words, be they those of the condition.
    let newer = condition.filter(|c| last.is_none() || c.last_transition_time > last.and_then(|e| e.last_seen()));
    let message = newer.and_then(|c| c.message.clone()).or_else(|| last.map(|e| e.message().to_owned()));
    let message = message.unwrap_or_default();
    let owner = cx.owner_of(o);
    let first = failing.iter().filter_map(|e| e.first_seen()).min().unwrap_or(seen);
    let started = made.map_or(first, |t| first.max(t.min(seen)));
    let serving = owner.subject.uid.as_deref().is_some_and(|uid| cx.serving(uid).ready > 0);
    let severity = match owner.subject.kind.as_str() {
        "Job" | "CronJob" => Severity::Medium,
        _ if serving => Severity::Medium,
        _ => Severity::Critical,
    };
    let mut f = finding("pods-not-created", me.clone(), &owner.subject, severity, started);
    f.headline = if matches!(o.kind(), Kind::CronJob) {
        "cannot create its Job".into()
    } else {
        "cannot create its pods".into()
    };
    f.started_basis = "first refused pod since the last one that was made".into();
    f.count = failing.iter().map(|e| e.times()).sum::<u32>().max(1);
    f.hold = hold(HOLD);
    f.message = format!("{me} cannot create pods: {}", words::clip(&message, 260));
    let item = match (newer, last) {
        (None, Some(event)) => event_evidence(event, cx.now),
        _ => evidence(
            EvidenceKind::Object,
            format!("refused|{}|{message}", me.key()),
            seen,
            me.clone(),
            format!("{me} says: {}", words::clip(&message, 160)),
            format!("object: {}\nmessage: {message}", me.key()),
        ),
    };
    let mut told = refusal::explain(cx, &owner, &message);
    told.cause.evidence.insert(0, item.key.clone());
    f.evidence.push(item);
    let quota = told.quota.as_ref().and_then(|q| cx.index.resolve(q));
    let quota = quota.and_then(|o| if let Object::ResourceQuota(q) = &**o { Some(q) } else { None });
    // Pods that are going still count, those that just went may, and where there is room again the controller only has
    // to try once more.
    let going = |o: &std::sync::Arc<Object>| matches!(&**o, Object::Pod(p) if p.metadata.deleting() && !p.finished());
    let namespace = me.namespace.as_deref().unwrap_or("");
    let frees = |q: &ResourceQuota| has_room(q, &message) || counts_gone(cx, q, &message);
    if told.quota.is_some() && (cx.index.in_namespace(Kind::Pod, namespace).any(going) || quota.is_some_and(frees)) {
        f.hold = hold(GOING);
        cx.ordinary_until_due(&mut f);
    }
    // The quota's own numbers, live.
    if let Some(q) = quota {
        let used = |k: &String| q.status.used.get(k).map_or("0".to_owned(), ToString::to_string);
        let lines: Vec<(&str, String)> =
            q.status.hard.iter().map(|(k, v)| (k.as_str(), format!("{} used of {v}", used(k)))).collect();
        let quota = q.reference();
        let summary = format!("ResourceQuota {}", quota.name);
        let item = object_evidence(EvidenceKind::Object, quota, "quota", summary, &lines, Now::STAMP);
        told.cause.evidence.push(item.key.clone());
        f.evidence.push(item);
    }
    for item in told.evidence {
        told.cause.evidence.push(item.key.clone());
        f.evidence.push(item);
    }
    f.causes.push(told.cause);
    f.actions.extend(told.steps);
    cx.report(f);
}

/// What was refused, by resource, in thousandths.
fn requested(message: &str) -> Option<Vec<(&str, i128)>> {
    let (_, rest) = message.split_once("requested: ")?;
    let (asked, _) = rest.split_once(", used: ")?;
    let one = |pair| {
        let (name, amount): (&str, &str) = str::split_once(pair, '=')?;
        Some((name.trim(), Quantity::new(amount.trim()).milli()?))
    };
    asked.split(',').map(one).collect()
}

fn milli(of: &BTreeMap<String, Quantity>, name: &str) -> Option<i128> {
    of.get(name).and_then(Quantity::milli)
}

/// What was refused would fit now.
fn has_room(quota: &ResourceQuota, message: &str) -> bool {
    let fits = |(name, more): &(&str, i128)| {
        let (hard, used) = (milli(&quota.status.hard, name), milli(&quota.status.used, name));
        hard.zip(used).is_some_and(|(hard, used)| used + more <= hard)
    };
    requested(message).is_some_and(|asked| asked.iter().all(fits))
}

/// The quota counts more than the pods that are there: its controller has not noticed yet that some went.
fn counts_gone(cx: &Context<'_>, quota: &ResourceQuota, message: &str) -> bool {
    let namespace = quota.metadata.namespace.as_deref().unwrap_or("");
    if !cx.index.knows(Kind::Pod, Some(namespace)) {
        return false;
    }
    let there = |name: &str| {
        let plain = name.trim_start_matches("count/").trim_start_matches("requests.");
        let pods = cx.index.in_namespace(Kind::Pod, namespace);
        pods.filter_map(|o| if let Object::Pod(p) = &**o { Some(p) } else { None })
            .filter(|p| !p.finished())
            .map(|p| placement::share(p, plain))
            .sum::<i128>()
    };
    requested(message).into_iter().flatten().any(|(name, _)| {
        matches!(name, "pods" | "count/pods" | "cpu" | "memory" | "requests.cpu" | "requests.memory")
            && milli(&quota.status.used, name).is_some_and(|used| used > there(name))
    })
}
