//! What nobody would call a fault until somebody needs it: a workload that is scaled to zero, or a DaemonSet that no node
//! is to run, and that is called.

use std::{cell::LazyCell, collections::BTreeSet, sync::Arc};

use super::{
    cascade::{ABOUT, BEFORE, How, Suspect, Symptom, suspects_again, symptom},
    route::Routes,
};
use crate::{
    change::{Change, FieldChange},
    detect::{
        backing::{ON_NO_NODE, nowhere},
        context::{cause, edit, object_evidence, scale},
    },
    evidence::{EvidenceDraft, EvidenceKind},
    finding::{CauseDraft, Finding},
    index::Index,
    object::{Object, ObjectRef},
    remediation::{ActionDraft, ActionKind},
    severity::Confidence,
};

/// The cause of who calls what is scaled to zero.
pub(super) const SCALED_TO_ZERO: &str = "dependency-scaled-to-zero";

/// Why a workload has no pod and is to have none.
struct Sleep<'a> {
    rule: &'static str,
    field: Option<String>,
    /// The middle of a sentence that begins with the workload.
    state: String,
    /// What is quoted of it.
    shown: (&'static str, String),
    /// The change that brought it about, if it was seen.
    since: Option<&'a Change>,
    history: String,
}

/// What the change scaled to zero, and from how many.
fn to_zero(change: &Change) -> Option<&FieldChange> {
    change.fields.iter().find(|f| f.path == "spec.replicas" && f.to.as_deref() == Some("0"))
}

fn sleep<'a>(index: &'a Index, workload: &ObjectRef) -> Option<Sleep<'a>> {
    let object = index.resolve(workload)?;
    let who = |c: &Change| c.who.clone().unwrap_or_else(|| "Somebody".to_owned());
    if object.replicas() == Some(0) {
        let since = index.changes_of(workload).filter(|c| to_zero(c).is_some()).max_by_key(|c| c.at);
        let history = match since.and_then(|c| Some((c, to_zero(c)?.from.as_ref()?))) {
            Some((c, from)) => format!(" {} scaled it from {from} to 0 ({}).", who(c), c.at.strftime("%H:%M:%S UTC")),
            None => String::new(),
        };
        return Some(Sleep {
            rule: SCALED_TO_ZERO,
            field: Some("spec.replicas".into()),
            state: "is scaled to zero (spec.replicas: 0)".into(),
            shown: ("spec.replicas", "0".into()),
            since,
            history,
        });
    }
    let Object::DaemonSet(set) = &**object else { return None };
    let nowhere = nowhere(index, set)?;
    let placed = |c: &Change| {
        let places = |path: &str| {
            ["nodeSelector", "affinity", "tolerations"]
                .iter()
                .any(|f| path.starts_with(&format!("spec.template.spec.{f}")))
        };
        c.fields.iter().find(|f| places(&f.path)).map(|f| f.path.clone())
    };
    let since = index.changes_of(workload).filter(|c| placed(c).is_some()).max_by_key(|c| c.at);
    let history = match since.and_then(|c| Some((c, placed(c)?))) {
        Some((c, path)) => format!(" {} changed {path} ({}).", who(c), c.at.strftime("%H:%M:%S UTC")),
        None => String::new(),
    };
    Some(Sleep {
        rule: ON_NO_NODE,
        field: nowhere.field,
        state: format!("runs on no node ({})", nowhere.why),
        shown: ("status.desiredNumberScheduled", "0".into()),
        since,
        history,
    })
}

/// Adds the cause to the findings of who calls it.
pub(super) fn asleep(routes: &Routes<'_>, findings: &mut [Arc<Finding>]) {
    let failing = LazyCell::new(|| findings.iter().map(|f| f.subject.key()).collect());
    let missed: Vec<_> = findings
        .iter()
        .enumerate()
        // Whose pods are refused calls nothing yet: that the webhook does not answer is the API server's word.
        .filter(|(_, finding)| finding.rule_id != "pods-not-created")
        .filter_map(|(i, finding)| Some((i, missed(routes, finding, &failing)?)))
        .collect();
    for (i, (cause, item)) in missed {
        let finding = Arc::make_mut(&mut findings[i]);
        finding.evidence.push(item);
        finding.causes.insert(0, cause);
    }
}

/// What is asleep and missed by the finding's workload, and that it is. What fails besides is not asleep.
fn missed<F: FnOnce() -> BTreeSet<String>>(
    routes: &Routes<'_>,
    finding: &Arc<Finding>,
    failing: &LazyCell<BTreeSet<String>, F>,
) -> Option<(CauseDraft, EvidenceDraft)> {
    let symptom = symptom(finding);
    let weak = symptom == Symptom::Weak;
    suspects_again(routes, finding, symptom, false).into_iter().find_map(|Suspect { service, how }| {
        let namespace = service.metadata.namespace.as_deref().unwrap_or("");
        let behind = routes.behind(service);
        let [workload] = &*behind else { return None };
        let empty = routes.index.has_endpoint(namespace, &service.metadata.name) == Some(false);
        if !empty || failing.contains(&workload.key()) || finding.subject.same_name(workload) {
            return None;
        }
        let sleep = sleep(routes.index, workload)?;
        // Where nothing says that it is missed, it must have been there until just before.
        let lately = sleep.since.is_some_and(|c| {
            let lead = finding.started_at.duration_since(c.at);
            lead >= -ABOUT && lead <= BEFORE
        });
        if (weak || how == How::Configured) && !lately {
            return None;
        }
        let item = object_evidence(
            EvidenceKind::Object,
            workload.clone(),
            "replicas",
            format!("{workload} {}", sleep.state),
            &[(sleep.shown.0, sleep.shown.1.clone()), ("ready endpoints of its Service", "0".to_owned())],
            finding.started_at,
        );
        let proven = how == How::Named && !weak && sleep.field.is_some();
        let mut c = cause(
            sleep.rule,
            if proven { Confidence::Established } else { Confidence::Likely },
            workload.clone(),
            format!(
                "{workload} in {namespace} {}, so Service {} has no endpoints, and {} calls it.{}",
                sleep.state, service.metadata.name, finding.subject, sleep.history
            ),
        );
        c.field = sleep.field;
        c.referrer = Some(finding.subject.clone());
        c.signs.pro = 2;
        c.evidence = vec![item.key.clone()];
        c.evidence.extend(finding.causes.first().and_then(|c| c.evidence.first()).cloned());
        Some((c, item))
    })
}

/// The step that wakes what is asleep.
pub(super) fn wake(index: &Index, cause: &CauseDraft) -> Option<ActionDraft> {
    let entity = &cause.entity;
    match cause.rule_id.as_str() {
        SCALED_TO_ZERO => {
            let before = index.changes_of(entity).filter_map(|c| to_zero(c)?.from.as_deref()).last().unwrap_or("1");
            Some(scale(entity, "what calls it needs at least one pod", before))
        }
        ON_NO_NODE if cause.field.is_some() => {
            Some(edit(ActionKind::SetNodeSelector, entity, "no node carries the labels it asks for"))
        }
        _ => None,
    }
}
