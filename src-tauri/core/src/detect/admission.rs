//! What the API server must call and cannot: admission webhooks and aggregated APIs without anybody behind them.

use jiff::Timestamp;

use super::{
    Context, Hold, Rule,
    backing::{self, Blame, blame, standing},
    context::{action, cause, finding, hold, object_evidence},
};
use crate::{
    evidence::EvidenceKind,
    finding::Finding,
    object::{
        APIService, Condition, Kind, Meta, Object, ObjectRef,
        admission::{ServiceTarget, Webhook},
    },
    remediation::{ActionDraft, ActionKind},
    severity::{Confidence, Severity},
    words,
};

/// The rules of this family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "webhook-backend-down",
        means: "An admission webhook that must answer has nobody behind it: every request it is asked about is refused.",
        source: "kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers#failure-policy",
        reads: &[Kind::ValidatingWebhookConfiguration, Kind::MutatingWebhookConfiguration, Kind::Service],
        holds: &[
            Hold::Exactly(MISSING, "when the Service or its port does not exist"),
            Hold::Exactly(UNREADY, "when the Service has no ready endpoint"),
            Hold::JoinsOnly(
                "when the webhook covers no namespace or no object that is known, or at one look before a server's time is up",
            ),
        ],
        severities: &[
            (Severity::High, "it is asked about pods or workloads"),
            (Severity::Medium, "it is asked about other kinds of Kubernetes' own"),
            (Severity::Low, "it is asked about extensions only"),
        ],
        limits: &[
            "A webhook whose failure policy is `Ignore`, or that is called by URL: that is not seen.",
            "A Service that has a ready endpoint, whatever answers there.",
        ],
        threshold: None,
        advises: &[ActionKind::FixWebhook, ActionKind::Scale, ActionKind::SetServiceSelector, ActionKind::ManualCheck],
    },
    Rule {
        id: "aggregated-api-down",
        means: "A part of the API that a server in the cluster serves is not available.",
        source: "kubernetes.io/docs/concepts/extend-kubernetes/api-extension/apiserver-aggregation",
        reads: &[Kind::APIService],
        holds: &[
            Hold::Exactly(MISSING, "when its Service or the port does not exist"),
            Hold::Exactly(API, "else: the server behind it may be starting"),
            Hold::JoinsOnly("at one look, before a server's time is up"),
        ],
        severities: &[
            (Severity::High, "namespaces cannot be deleted because of it, or autoscalers are blind"),
            (Severity::Medium, "else"),
        ],
        limits: &["An API that the API server serves itself, or whose condition `Available` is not `False`."],
        threshold: None,
        advises: &[ActionKind::Patch, ActionKind::Scale, ActionKind::SetServiceSelector, ActionKind::ManualCheck],
    },
];

/// Seconds: manifests are applied one after another.
const MISSING: i64 = 15;
const UNREADY: i64 = 30;
/// Seconds a server behind an API may take to start.
const API: i64 = 45;

/// Looks at every webhook and every aggregated API.
pub fn all(cx: &mut Context<'_>) {
    let index = cx.index;
    for o in index.all(Kind::ValidatingWebhookConfiguration).chain(index.all(Kind::MutatingWebhookConfiguration)) {
        let (meta, webhooks) = match &**o {
            Object::ValidatingWebhookConfiguration(c) => (&c.metadata, &c.webhooks),
            Object::MutatingWebhookConfiguration(c) => (&c.metadata, &c.webhooks),
            _ => continue,
        };
        if !meta.deleting() {
            configuration(cx, &o.reference(), meta, webhooks);
        }
    }
    for o in index.all(Kind::APIService) {
        if let Object::APIService(a) = &**o
            && !a.metadata.deleting()
        {
            api(cx, a);
        }
    }
}

fn configuration(cx: &mut Context<'_>, me: &ObjectRef, meta: &Meta, webhooks: &[Webhook]) {
    let mut done: Vec<&ServiceTarget> = Vec::new();
    for hook in webhooks.iter().filter(|w| w.fails_closed()) {
        let Some(target) = hook.client_config.service.as_ref() else { continue };
        if done.contains(&target) {
            continue;
        }
        done.push(target);
        let port = target.port.unwrap_or(443);
        let state = standing(cx, target, 443);
        let waits = matches!(state, backing::Standing::NotReady(..) | backing::Standing::ScaledToZero(..));
        let field = format!("webhooks[{}].clientConfig.service.port", hook.name);
        let Some(blame) = blame(cx, state, me, port, field) else { continue };
        // All that call the same Service are one problem; the worst of them says how bad it is.
        let same: Vec<&Webhook> =
            webhooks.iter().filter(|w| w.fails_closed() && w.client_config.service.as_ref() == Some(target)).collect();
        let severity = same.iter().filter_map(|w| reach(w)).max();
        let Some(severity) = severity else { continue };
        let covers = same.iter().any(|w| covers(cx, w));
        let since = since(cx, me, meta.creation_timestamp, &blame);
        let mut f = finding("webhook-backend-down", me.clone(), me, severity, since);
        f.part = format!("{}/{}", target.namespace, target.name);
        f.headline = "refuses what it is asked about: its webhook cannot be called".into();
        f.started_basis = "webhook without anybody behind it since".into();
        f.hold = match (covers, waits) {
            (false, _) => Finding::JOINS_ONLY,
            (_, true) => hold(UNREADY),
            _ => hold(MISSING),
        };
        if waits {
            cx.ordinary_until_due(&mut f);
        }
        let asked = asked(&same);
        f.message = format!(
            "Webhook {} of {me} is asked about {asked} and cannot be called: {}; its failure policy is Fail",
            hook.name, blame.why
        );
        let item = object_evidence(
            EvidenceKind::Object,
            me.clone(),
            "webhooks",
            format!("{me} calls Service {}/{} on port {port}, failurePolicy Fail", target.namespace, target.name),
            &[
                ("webhooks", words::list(&same.iter().map(|w| w.name.clone()).collect::<Vec<_>>(), 4)),
                ("asked about", asked.clone()),
                ("service", format!("{}/{}:{port}", target.namespace, target.name)),
                ("found", blame.why.clone()),
            ],
            since,
        );
        let key = item.key.clone();
        f.evidence.push(item);
        let statement = format!(
            "{}. {me} calls it for {asked} (webhook {}, failurePolicy Fail), so these requests are refused: failed calling webhook.",
            blame.why, hook.name
        );
        backing::told(cx, &mut f, blame, "webhook-backend-down", statement, key);
        f.actions.push(edit_cluster(
            ActionKind::FixWebhook,
            me,
            "until the webhook answers, failurePolicy Ignore or deleting the configuration lets requests through",
            "what the webhook checks goes unchecked",
        ));
        cx.report(f);
    }
}

fn edit_cluster(kind: ActionKind, object: &ObjectRef, because: &str, risk: &str) -> ActionDraft {
    let plural = Kind::parse(&object.kind).map_or("objects", Kind::plural);
    action(kind, object, because, risk, &format!("patch {plural}"), format!("kubectl edit {}", object.kubectl()))
}

/// Since when: what was changed last, of the object itself and of what it needs.
fn since(cx: &Context<'_>, me: &ObjectRef, made: Option<Timestamp>, blame: &Blame) -> Timestamp {
    let own = backing::changes(cx, me).map(|c| c.at).max();
    blame.since.max(own).or(made).unwrap_or_else(|| cx.now.get())
}

/// How bad it is that the webhook refuses; `None` where it refuses nothing that is made or changed.
fn reach(hook: &Webhook) -> Option<Severity> {
    let writes = |r: &&crate::object::admission::WebhookRule| {
        r.operations.is_empty() || r.operations.iter().any(|o| matches!(o.as_str(), "CREATE" | "UPDATE" | "*"))
    };
    hook.rules
        .iter()
        .filter(writes)
        .map(|r| {
            let group = |names: &[&str]| r.api_groups.iter().any(|g| g == "*" || names.contains(&g.as_str()));
            let workload = r.resources.iter().map(|n| n.split('/').next().unwrap_or(n)).any(|n| {
                matches!(
                    n,
                    "*" | "pods" | "deployments" | "replicasets" | "statefulsets" | "daemonsets" | "jobs" | "cronjobs"
                )
            });
            if workload && group(&["", "apps", "batch"]) {
                Severity::High
            } else if group(&["", "apps", "batch", "networking.k8s.io", "rbac.authorization.k8s.io", "policy"]) {
                Severity::Medium
            } else {
                Severity::Low
            }
        })
        .max()
}

/// Some namespace, and some pod, template or object of another kind, is covered by the selectors.
fn covers(cx: &Context<'_>, hook: &Webhook) -> bool {
    let all = |s: &crate::object::LabelSelector| s.match_labels.is_empty() && s.match_expressions.is_empty();
    let namespace = |name: &str| match cx.index.get(Kind::Namespace, None, name) {
        Some(o) => {
            let mut labels = o.meta().labels.clone();
            labels.entry("kubernetes.io/metadata.name".into()).or_insert_with(|| name.to_owned());
            hook.namespace_selector.matches(&labels)
        }
        None => true,
    };
    let known = cx.index.knows(Kind::Namespace, None) && cx.index.all(Kind::Namespace).next().is_some();
    let somewhere =
        all(&hook.namespace_selector) || !known || cx.index.all(Kind::Namespace).any(|o| namespace(&o.meta().name));
    let somebody = all(&hook.object_selector)
        || cx.index.pods().any(|p| {
            hook.object_selector.matches(&p.metadata.labels) && namespace(p.metadata.namespace.as_deref().unwrap_or(""))
        })
        || backing::SERVING.iter().flat_map(|k| cx.index.all(*k)).any(|o| {
            hook.object_selector.matches(&o.meta().labels)
                || o.pod_template().is_some_and(|t| hook.object_selector.matches(&t.metadata.labels))
        });
    somewhere && somebody
}

/// `CREATE and UPDATE of pods`.
fn asked(hooks: &[&Webhook]) -> String {
    let (mut operations, mut resources) = (Vec::new(), Vec::new());
    for rule in hooks.iter().flat_map(|h| &h.rules) {
        operations.extend(rule.operations.iter().map(|o| if o == "*" { "every write".to_owned() } else { o.clone() }));
        resources.extend(rule.resources.iter().map(|r| if r == "*" { "everything".to_owned() } else { r.clone() }));
    }
    for list in [&mut operations, &mut resources] {
        list.sort();
        list.dedup();
    }
    format!("{} of {}", words::list(&operations, 4), words::list(&resources, 5))
}

fn api(cx: &mut Context<'_>, a: &APIService) {
    let Some(target) = &a.spec.service else { return };
    let Some(condition) = Condition::find(&a.status.conditions, "Available").filter(|c| c.is_false()) else { return };
    let me = a.reference();
    let (reason, message) = (condition.reason.as_deref().unwrap_or(""), condition.message.as_deref().unwrap_or(""));
    let api = format!("{}/{}", a.spec.group, a.spec.version);
    let port = target.port.unwrap_or(443);
    let state = standing(cx, target, 443);
    let missing = matches!(state, backing::Standing::Missing(_) | backing::Standing::NoPort(..));
    let blame = blame(cx, state, &me, port, "spec.service.port".into());
    let since = condition.last_transition_time.or(a.metadata.creation_timestamp).unwrap_or_else(|| cx.now.get());
    let (blind, stuck) = (blind(cx, &a.spec.group), stuck(cx));
    let severity = if blind.is_empty() && stuck.is_empty() { Severity::Medium } else { Severity::High };
    let mut f = finding("aggregated-api-down", me.clone(), &me, severity, since);
    f.headline = format!("is not available: the API {api} does not answer");
    f.started_basis = "condition Available=False".into();
    f.hold = hold(if missing { MISSING } else { API });
    if !missing {
        cx.ordinary_until_due(&mut f);
    }
    f.message = format!("The API {api} is not available ({reason}): {}", words::clip(message, 200));
    let item = object_evidence(
        EvidenceKind::Object,
        me.clone(),
        "available",
        format!("{me}: Available=False, {reason}"),
        &[
            ("service", format!("{}/{}:{port}", target.namespace, target.name)),
            ("reason", reason.to_owned()),
            ("message", words::clip(message, 400)),
        ],
        since,
    );
    let key = item.key.clone();
    f.evidence.push(item);
    let mut effect = String::new();
    if !blind.is_empty() {
        effect.push_str(&format!(" Autoscalers without metrics: {}.", words::list(&blind, 3)));
    }
    if !stuck.is_empty() {
        effect.push_str(&format!(" Namespaces that cannot be deleted: {}.", words::list(&stuck, 3)));
    }
    match blame {
        Some(blame) => {
            let statement =
                format!("{}. The API {api} ({me}) is served by it and is not available ({reason}).{effect}", blame.why);
            backing::told(cx, &mut f, blame, "aggregated-api-down", statement, key);
        }
        None => {
            // The Service has endpoints and the answer is no good: its certificate, the network, the server itself.
            let mut c = cause(
                "aggregated-api-down",
                Confidence::Likely,
                me.clone(),
                format!(
                    "The API {api} ({me}) is not available: Service {} in namespace {} has endpoints, but the API server gets no good answer ({reason}): {}.{effect}",
                    target.name,
                    target.namespace,
                    words::clip(message, 200)
                ),
            );
            c.field = Some("spec.service".into());
            // It exists: what is missing has no uid.
            c.referrer = Some(cx.index.resolve(&target.reference()).map_or_else(|| me.clone(), |o| o.reference()));
            c.evidence = vec![key];
            c.signs.pro = 2;
            f.causes.push(c);
        }
    }
    f.actions.push(edit_cluster(
        ActionKind::Patch,
        &me,
        "an API that nobody serves any more must not stay registered",
        "its kinds are gone from the API",
    ));
    cx.report(f);
}

/// The autoscalers that read this API and say that they get nothing.
fn blind(cx: &Context<'_>, group: &str) -> Vec<String> {
    let mut out: Vec<String> = super::autoscale::all_autoscalers(cx)
        .filter(|h| super::autoscale::api_of(h) == Some(group))
        .map(|h| h.metadata.name.clone())
        .collect();
    out.sort();
    out
}

/// The namespaces whose deletion waits for the discovery of an API.
fn stuck(cx: &Context<'_>) -> Vec<String> {
    cx.index
        .all(Kind::Namespace)
        .filter_map(|o| match &**o {
            Object::Namespace(n) if n.metadata.deleting() => {
                Condition::find(&n.status.conditions, "NamespaceDeletionDiscoveryFailure")
                    .filter(|c| c.is_true())
                    .map(|_| n.metadata.name.clone())
            }
            _ => None,
        })
        .collect()
}

/// Who must be changed so that an aggregated API answers: what its own finding names.
pub(super) fn answers_for(cx: &Context<'_>, a: &APIService) -> ObjectRef {
    let me = a.reference();
    let found = a.spec.service.as_ref().and_then(|target| {
        blame(cx, standing(cx, target, 443), &me, target.port.unwrap_or(443), String::new()).map(|b| b.entity)
    });
    found.unwrap_or(me)
}
