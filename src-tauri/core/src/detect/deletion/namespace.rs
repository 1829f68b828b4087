//! A namespace that does not go away, and who keeps it.

use std::sync::LazyLock;

use jiff::SignedDuration;
use regex::Regex;

use super::super::{
    Context,
    context::{action, cause, edit, finding, hold, object_evidence},
};
use super::{FRESH, OUTSIDE, STUCK, due, finalizer_cause, held_evidence, in_grace, is_slow, own, remove};
use crate::{
    evidence::EvidenceKind,
    object::{Condition, Kind, Namespace, Object, ObjectRef},
    remediation::ActionKind,
    severity::{Confidence, Severity},
    words,
};

/// What nobody is seen to hold may take this long to go: a busy control plane empties many namespaces one by one.
const CONTENT: SignedDuration = SignedDuration::from_mins(3);
/// Finalizers that the cluster's own controllers take off as soon as nothing uses the object.
const BUILT_IN: &[&str] = &["kubernetes.io/", "batch.kubernetes.io/", "foregroundDeletion", "orphan"];

pub(super) fn stuck(cx: &mut Context<'_>, ns: &Namespace) {
    let Some(since) = due(&ns.metadata, cx.now) else { return };
    let age = cx.now.duration_since(since);
    if age < FRESH {
        return;
    }
    let name = ns.metadata.name.as_str();
    let on = |kind: &str| Condition::find(&ns.status.conditions, kind).filter(|c| c.is_true());
    let failure = on("NamespaceDeletionDiscoveryFailure")
        .or_else(|| on("NamespaceDeletionGroupVersionParsingFailure"))
        // So the controller calls pods that are within their grace period, too.
        .or_else(|| on("NamespaceDeletionContentFailure").filter(|c| !remains(c)));
    let finalizers = on("NamespaceFinalizersRemaining");
    let content = on("NamespaceContentRemaining");
    let own_finalizers = own(&ns.metadata.finalizers);
    // Its pods end first; that takes as long as they were promised.
    let ending = cx.index.in_namespace(Kind::Pod, name).any(|o| matches!(&**o, Object::Pod(p) if in_grace(cx, p)));
    // Load balancers and disks are taken down outside the cluster.
    let remaining = finalizers.map(|c| named(c.message.as_deref().unwrap_or(""))).unwrap_or_default();
    if failure.is_none() && is_slow(&remaining) && age < SignedDuration::from_secs(OUTSIDE) {
        return;
    }
    let ended =
        cx.index.graves().any(|(at, o)| cx.now.within(*at, FRESH) && o.meta().namespace.as_deref() == Some(name));
    if ending || ended {
        return;
    }
    // The namespace is looked at again only after a while: what it names may be gone.
    let keeper = holder(cx, name, finalizers);
    let built_in = |finalizer: &String| BUILT_IN.iter().any(|b| finalizer.starts_with(b));
    let kept = finalizers.is_some() && (keeper.is_some() || remaining.is_empty() || !remaining.iter().all(built_in));
    let slow = failure.is_none() && !kept && own_finalizers.is_empty();
    if slow && (content.or(finalizers).is_none() || age < CONTENT) {
        return;
    }
    let me = ns.reference();
    let mut f = finding("namespace-stuck-terminating", me.clone(), &me, Severity::Medium, since);
    f.headline = "is stuck in deletion".into();
    f.started_basis = "deletion asked for".into();
    f.hold = hold(STUCK);
    let lines: Vec<(&str, String)> = ns
        .status
        .conditions
        .iter()
        .filter(|c| c.is_true())
        .map(|c| (c.kind.as_str(), c.message.clone().unwrap_or_default()))
        .chain([("deletionTimestamp", since.to_string())])
        .collect();
    let item = object_evidence(
        EvidenceKind::Object,
        me.clone(),
        "deletion",
        format!("Namespace {name} is Terminating since {since}"),
        &lines,
        since,
    );
    let mut keys = vec![item.key.clone()];
    f.evidence.push(item);
    let said = |c: &Condition| words::clip(c.message.as_deref().unwrap_or("").trim_end_matches('.'), 240);
    let mut c = if let Some(failure) = failure {
        let service = api_service(cx, failure.message.as_deref().unwrap_or(""));
        let statement = match &service {
            Some((api, state)) => format!(
                "Namespace {name} stays Terminating because APIService {} {state}: without it nobody knows what the namespace still holds ({}).",
                api.name,
                said(failure)
            ),
            None => format!("Namespace {name} stays Terminating: {}.", said(failure)),
        };
        let entity = service.map_or_else(|| me.clone(), |(api, _)| api);
        f.actions.push(edit(
            ActionKind::ManualCheck,
            &entity,
            "what serves this part of the API must run, or the APIService must go",
        ));
        let confidence = if entity == me { Confidence::Likely } else { Confidence::Established };
        let mut c = cause("api-service-down", confidence, entity, statement);
        c.signs.pro = 2;
        c.referrer = Some(me.clone());
        c.needs.push("why this part of the API does not answer".into());
        c
    } else if !own_finalizers.is_empty() {
        f.actions.push(remove(&me, &own_finalizers));
        finalizer_cause(&me, &own_finalizers, None)
    } else if let Some((holder, meta_item, held)) = keeper {
        f.actions.push(remove(&holder, &held));
        let mut c = finalizer_cause(&holder, &held, None);
        c.statement = format!(
            "Namespace {name} stays Terminating because {holder} in it does: {}",
            c.statement.split_once(": ").map_or("", |(_, t)| t)
        );
        c.referrer = Some(me.clone());
        keys.push(meta_item.key.clone());
        f.evidence.push(meta_item);
        c
    } else {
        let what = [finalizers, content].into_iter().flatten().map(said).collect::<Vec<_>>().join("; ");
        f.actions.push(action(
            ActionKind::ManualCheck,
            &me,
            "each of what remains has a finalizer, or a controller that must clean up",
            "reads only",
            "list all resources",
            format!("kubectl api-resources --verbs=list --namespaced -o name | xargs -n1 kubectl get -n {name} --ignore-not-found --show-kind"),
        ));
        let confidence = if kept { Confidence::Established } else { Confidence::Likely };
        let mut c = cause(
            "namespace-content-remains",
            confidence,
            me.clone(),
            format!("Namespace {name} stays Terminating: {what}."),
        );
        c.signs.pro = 2;
        c.needs.push("the objects that remain and the controllers of their finalizers".into());
        c
    };
    c.evidence = keys;
    f.message = c.statement.clone();
    f.causes.push(c);
    cx.report(f);
}

/// The condition only says that something is still there.
fn remains(condition: &Condition) -> bool {
    condition.message.as_deref().is_some_and(|m| m.contains("unexpected items still remain"))
}

/// The finalizers that a condition names: `…: a/b in 1 resource instances, c/d in 2 resource instances`.
fn named(message: &str) -> Vec<String> {
    let list = message.rsplit_once(": ").map_or("", |(_, l)| l);
    list.split(", ").filter_map(|p| Some(p.split_once(" in ")?.0.to_owned())).collect()
}

/// The object that a finalizer keeps in this namespace; of several one whose finalizer the namespace names.
fn holder(
    cx: &Context<'_>,
    ns: &str,
    condition: Option<&Condition>,
) -> Option<(ObjectRef, crate::evidence::EvidenceDraft, Vec<String>)> {
    let message = condition?.message.as_deref().unwrap_or("");
    Kind::ALL
        .iter()
        .filter(|k| k.namespaced())
        .flat_map(|k| cx.index.in_namespace(*k, ns))
        .filter(|o| o.meta().deleting())
        .find_map(|o| {
            let held: Vec<String> =
                own(&o.meta().finalizers).into_iter().filter(|f| message.contains(f.as_str())).collect();
            let since = o.meta().deletion_timestamp?;
            (!held.is_empty()).then(|| (o.reference(), held_evidence(&o.reference(), o.meta(), since), held))
        })
}

/// The APIService of the group that cannot be discovered, and what is wrong with it.
fn api_service(cx: &Context<'_>, message: &str) -> Option<(ObjectRef, String)> {
    static FORM: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"([a-z0-9.-]+\.[a-z0-9-]+)/(v\d\w*)\b").ok());
    FORM.as_ref()?.captures_iter(message).find_map(|m| {
        let name = format!("{}.{}", &m[2], &m[1]);
        let object = cx.index.get(Kind::APIService, None, &name)?;
        let Object::APIService(api) = &**object else { return None };
        let down = Condition::find(&api.status.conditions, "Available").filter(|c| !c.is_true());
        let service = api.spec.service.as_ref()?;
        let why = down.map_or("does not answer".to_owned(), |c| {
            format!("is not available ({})", c.reason.as_deref().unwrap_or(&c.status))
        });
        Some((object.reference(), format!("(Service {}/{}) {why}", service.namespace, service.name)))
    })
}
