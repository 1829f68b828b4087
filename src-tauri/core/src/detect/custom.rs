//! Objects of kinds that an extension brought, by what their controllers say of them: conditions, Argo CD's health, and
//! Helm's releases. They are followed to the object that somebody must put right; what their workloads show already
//! stays the fault of those.

mod helm;
mod join;
pub(crate) mod lead;
pub(crate) mod said;

use super::{
    Context, Hold, Rule,
    context::{action, cause, finding, hold, ns_flag, object_evidence},
};
use crate::{
    evidence::{EvidenceDraft, EvidenceKind},
    finding::{CauseDraft, Finding},
    object::{CustomResource, Kind, Object, ObjectRef},
    remediation::{ActionDraft, ActionKind},
    severity::{Confidence, Severity},
    words,
};
use lead::{Failing, Lead};
use said::{FAILS, ISSUES, Said, VAGUE, said};

const GENERIC: &str = "custom-resource-not-ready";
const APPLICATION: &str = "application-degraded";

const HOLDS: &[Hold] = &[
    Hold::Exactly(FAILS, "where reason or message speak of a failure"),
    Hold::Exactly(VAGUE, "where they do not: it may be a start that takes its time"),
    Hold::Exactly(ISSUES, "for certificates that are being issued"),
    Hold::JoinsOnly("where it only waits for another object, or its workloads have a fault of their own"),
];

/// The rules of this family.
pub const RULES: &[Rule] = &[
    Rule {
        id: GENERIC,
        means: "The controller of a custom resource says of what is asked for now that it failed.",
        source: "kubernetes.io/docs/reference/using-api/api-concepts and the API conventions on conditions; fluxcd.io/flux/components: conditions; cert-manager.io/docs/troubleshooting",
        reads: &[Kind::CustomResource],
        holds: HOLDS,
        severities: &[
            (Severity::Medium, "it is not ready, available, healthy or in sync, or is degraded or stalled"),
            (Severity::Low, "it is a run that ended and failed"),
        ],
        limits: &[
            "Read are Ready, Available, Healthy, Synced, Reconciled and Succeeded where they are False, and Degraded, Stalled and Failed where they are True; what a controller says in other words is not.",
            "A run that failed is told of for an hour, and an attempt of cert-manager's until a later one succeeds.",
            "A reason of progress is silent, and so are objects that are suspended, paused, stopped, without traffic or being deleted, runs that somebody cancelled, and what a controller says of an earlier generation.",
            "Of what the object wants nothing is read but the names of what it refers to, waits for and makes.",
            "That an object is missing is established only where the message or the object says in which namespace; what a store of External Secrets lacks is not looked for.",
        ],
        threshold: None,
        advises: &[ActionKind::ManualCheck, ActionKind::CreateSecret, ActionKind::CreateConfigmap],
    },
    Rule {
        id: APPLICATION,
        means: "An Argo CD Application is degraded, misses resources, or could not be synced.",
        source: "argo-cd.readthedocs.io/en/stable/operator-manual/health and user-guide/sync-options",
        reads: &[Kind::CustomResource],
        holds: &[Hold::Exactly(FAILS, ""), Hold::JoinsOnly("where something that it deployed has a fault of its own")],
        severities: &[(Severity::Medium, "always")],
        limits: &[
            "An Application that is out of sync and was not asked to sync is silent, whatever it misses.",
            "While it progresses or is suspended it is silent.",
        ],
        threshold: None,
        advises: &[ActionKind::ManualCheck, ActionKind::CreateSecret, ActionKind::CreateConfigmap],
    },
    helm::RULE,
];

/// Looks at every custom resource and at every Helm release.
pub fn all(cx: &mut Context<'_>) {
    let (index, now) = (cx.index, cx.now.get());
    let own = || {
        index.all(Kind::CustomResource).filter_map(|o| match &**o {
            Object::CustomResource(o) => Some(o),
            _ => None,
        })
    };
    let all: Vec<&CustomResource> = own().filter(|o| said(o, now).is_some_and(|_| !join::is_over(index, o))).collect();
    if !all.is_empty() {
        let failing = Failing::new(own(), &all);
        let (told, mut missed) = (join::Told::new(cx), join::Missed::default());
        for o in all {
            if let Some(lead) = lead::lead(cx, o, &failing) {
                not_ready(cx, o, &lead, &told, &mut missed);
            }
        }
        missed.explain(cx);
    }
    helm::all(cx);
}

fn not_ready<'a>(
    cx: &mut Context<'a>,
    o: &'a CustomResource,
    lead: &Lead<'_>,
    told: &join::Told<'a>,
    missed: &mut join::Missed<'a>,
) {
    let Some(own) = said(o, cx.now.get()) else { return };
    let me = o.reference();
    let by_itself = lead.says.metadata.uid == o.metadata.uid;
    // Whom it waits for is well or on its way.
    if own.waits && by_itself && lead.missing.is_none() {
        return;
    }
    let rule = if o.is("argoproj.io", "Application") { APPLICATION } else { GENERIC };
    let told = told.by(cx, o, lead);
    let subject = told.clone().unwrap_or_else(|| join::top(cx.index, o));
    let mut f = finding(rule, me.clone(), &subject, own.severity, own.since);
    f.headline = own.headline.to_owned();
    f.started_basis.clone_from(&own.basis);
    // What is missing does not come by waiting; what a deeper object says plainly need not be waited for as long.
    let patience = match lead.missing {
        Some(_) => FAILS,
        None if by_itself => own.patience,
        None => own.patience.min(lead.said.patience),
    };
    f.hold = hold(patience);
    cx.ordinary_until_due(&mut f);
    if (own.waits && !by_itself) || told.is_some() {
        f.hold = Finding::JOINS_ONLY;
    }
    f.message = format!("{me}{} {}: {}.", within(&me), own.headline, own.words().trim_end_matches('.'));
    let item = shown(o, &me, &own);
    let mut items = vec![item];
    if told.is_none() {
        let c = because(lead, &mut items);
        f.actions.push(step(&c, &lead.says.reference()));
        if cx.is_due(&f) {
            missed.note(cx, o, &c, &items);
        }
        f.causes.push(c);
    }
    f.evidence = items;
    cx.report(f);
}

/// The cause, in the words of the deepest object; all that hang on it state the same.
fn because(lead: &Lead<'_>, items: &mut Vec<EvidenceDraft>) -> CauseDraft {
    let says = lead.says.reference();
    let item = shown(lead.says, &says, &lead.said);
    let own = format!("{says}{} is not well ({})", within(&says), lead.said.words().trim_end_matches('.'));
    let (rule, confidence, text) = match &lead.missing {
        Some((missing, sure)) => (
            "custom-resource-needs-missing",
            *sure,
            format!("{missing}{} does not exist (not found), and {own}.", within(missing)),
        ),
        None => ("custom-resource-failed", Confidence::Likely, format!("{own}, by the word of its controller.")),
    };
    let mut c = cause(rule, confidence, lead.entity(), text);
    c.referrer = lead.missing.as_ref().map(|_| says);
    c.evidence = vec![item.key.clone()];
    // Its word, that it lasts for what is asked for now, and what hangs on it.
    c.signs.pro = 1 + lead.way.len().min(4) as u32;
    if confidence < Confidence::Established {
        c.needs.push("the log of its controller".to_owned());
        if let Some((missing, _)) = &lead.missing {
            c.needs.push(format!("where its controller looks for {missing}"));
        }
    }
    if !items.iter().any(|i| i.key == item.key) {
        items.push(item);
    }
    c
}

fn within(object: &ObjectRef) -> String {
    object.namespace.as_ref().map(|ns| format!(" in namespace {ns}")).unwrap_or_default()
}

/// What the object says of itself, every condition of it.
fn shown(o: &CustomResource, me: &ObjectRef, said: &Said) -> EvidenceDraft {
    let mut lines: Vec<(&str, String)> = o
        .status
        .conditions
        .iter()
        .map(|c| {
            let reason = c.reason.as_deref().map(|r| format!(" ({r})")).unwrap_or_default();
            let message = c.message.as_deref().map(|m| format!(": {}", words::clip(m, 600))).unwrap_or_default();
            (c.kind.as_str(), format!("{}{reason}{message}", c.status))
        })
        .collect();
    let (health, operation) = (&o.status.health, &o.status.operation_state);
    let mut say = |name, text: &str| {
        if !text.is_empty() {
            lines.push((name, words::clip(text, 600)));
        }
    };
    say("sync", &o.status.sync.status);
    say("health", &health.status);
    say("health message", health.message.as_deref().unwrap_or(""));
    say("last sync", &operation.phase);
    say("last sync message", operation.message.as_deref().unwrap_or(""));
    say("state", o.status.state.as_deref().unwrap_or(""));
    say("reason", o.status.reason.as_deref().unwrap_or(""));
    let summary = format!("{me}: {}", words::clip(&said.words(), 140));
    object_evidence(EvidenceKind::Object, me.clone(), "status", summary, &lines, said.since)
}

fn step(c: &CauseDraft, says: &ObjectRef) -> ActionDraft {
    let entity = &c.entity;
    let place = ns_flag(entity);
    let because = match c.confidence {
        Confidence::Established => format!("{says} needs it"),
        _ => format!("{says} needs it, if this is where it is looked for"),
    };
    match (entity.uid.is_none(), entity.kind.as_str()) {
        (true, "Secret") => action(
            ActionKind::CreateSecret,
            entity,
            because,
            "none",
            "create secrets",
            format!("kubectl create secret generic {}{place} --from-file=KEY=FILE", entity.name),
        ),
        (true, "ConfigMap") => action(
            ActionKind::CreateConfigmap,
            entity,
            because,
            "none",
            "create configmaps",
            format!("kubectl create configmap {}{place} --from-file=KEY=FILE", entity.name),
        ),
        _ => action(
            ActionKind::ManualCheck,
            says,
            "its conditions and events say what its controller could not do",
            "none",
            "get the custom resource",
            format!("kubectl describe {}{}", says.kubectl(), ns_flag(says)),
        ),
    }
}
