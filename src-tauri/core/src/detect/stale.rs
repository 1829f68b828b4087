//! Programs that still use what a Secret gave them when they started: environment is read once.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{
    Context, Hold, Rule,
    asked::said::{What, said, stamp},
    context::{action, cause, finding, hold, ns_flag, object_evidence},
    crash::log_evidence,
    rule::BY_WORKLOAD,
};
use crate::{
    change::ChangeVerb,
    evidence::EvidenceKind,
    explain::reach::is_controller,
    logs::{self, Class},
    object::{Container, Kind, Object, ObjectRef, Pod},
    observation::LogWant,
    remediation::ActionKind,
    severity::Confidence,
    words,
};

/// The rules of this family.
pub const RULES: &[Rule] = &[Rule {
    id: "environment-outdated",
    means: "A Secret was changed that a running container has in its environment, and since then the container writes that its credentials are refused.",
    source: "kubernetes.io/docs/concepts/configuration/secret: environment variables are not updated while a container runs",
    reads: &[Kind::Secret, Kind::Pod],
    holds: &[Hold::Exactly(0, "")],
    severities: BY_WORKLOAD,
    limits: &[
        "For so many seconds after the change as its users may take to restart (20), and after half an hour.",
        "A pod that is ready: its log is not read unless somebody asks.",
        "A container that was started after the change, or whose log says nothing of credentials again and again.",
        "A container whose log was read before the change, because it was not ready then, until it is started again.",
        "Secrets that are mounted: their files are updated.",
    ],
    threshold: None,
    advises: &[ActionKind::RolloutRestart],
}];

/// Whoever changes a Secret may restart what uses it right after.
const SETTLE: SignedDuration = SignedDuration::from_secs(20);
/// Who makes a Secret may write it twice.
const SLACK: SignedDuration = SignedDuration::from_secs(3);
/// After this long nobody looks for who still has the old value.
const WITHIN: SignedDuration = SignedDuration::from_mins(30);

/// A Secret that was written after it was made.
struct Written<'a> {
    secret: ObjectRef,
    who: &'a str,
    at: Timestamp,
}

/// Looks at the pods that have a changed Secret in their environment and are not ready: the logs of what is well are
/// nobody's business. One of each workload is read.
pub fn all(cx: &mut Context<'_>) {
    let index = cx.index;
    for written in written(cx) {
        let Some(ns) = written.secret.namespace.as_deref() else { continue };
        let pods = index.in_namespace(Kind::Pod, ns).filter_map(|o| match &**o {
            Object::Pod(pod) if !pod.finished() && !pod.metadata.deleting() && !pod.ready() => Some(pod),
            _ => None,
        });
        let mut workloads: BTreeSet<(String, &String)> = BTreeSet::new();
        for pod in pods {
            for spec in pod.spec.containers.iter().filter(|c| takes(c, &written.secret.name)) {
                let old = started(pod, spec).is_some_and(|t| t < written.at);
                if old && workloads.insert((cx.owner(pod).subject.key(), &spec.name)) {
                    look(cx, pod, spec, &written);
                }
            }
        }
    }
}

/// The Secrets that somebody wrote lately: of those seen to change, or at one look of all.
fn written<'a>(cx: &Context<'a>) -> Vec<Written<'a>> {
    let index = cx.index;
    let lately = |t: Timestamp| (SETTLE..=WITHIN).contains(&cx.now.duration_since(t));
    let changed: BTreeSet<&ObjectRef> = index
        .changes()
        .filter(|c| c.object.is(Kind::Secret) && c.verb == ChangeVerb::Modified && lately(c.at))
        .map(|c| &c.object)
        .collect();
    let objects: Vec<&Object> = match cx.options.waive_holds {
        true => index.all(Kind::Secret).map(|o| &**o).collect(),
        false => changed.into_iter().filter_map(|o| index.resolve(o)).map(|o| &**o).collect(),
    };
    let of = |object: &'a Object| {
        let (who, at) = object.meta().last_writer()?;
        let (at, made) = (at?, object.meta().creation_timestamp?);
        let after = at.duration_since(made) > SLACK;
        (after && lately(at) && !is_controller(who)).then(|| Written { secret: object.reference(), who, at })
    };
    objects.into_iter().filter_map(of).collect()
}

/// The container has the Secret in its environment.
fn takes(spec: &Container, secret: &str) -> bool {
    let key = spec.env.iter().filter_map(|e| e.value_from.as_ref()?.secret_key_ref.as_ref());
    let whole = spec.env_from.iter().filter_map(|f| f.secret_ref.as_ref());
    key.map(|k| &k.name).chain(whole.map(|r| &r.name)).any(|name| name == secret)
}

fn started(pod: &Pod, spec: &Container) -> Option<Timestamp> {
    let status = pod.status.container_statuses.iter().find(|s| s.name == spec.name)?;
    status.state.running.as_ref()?.started_at
}

fn look(cx: &mut Context<'_>, pod: &Pod, spec: &Container, written: &Written<'_>) {
    let me = pod.reference();
    let restart = pod.status.container_statuses.iter().find(|s| s.name == spec.name).map_or(0, |s| s.restart_count);
    let want = LogWant { pod: me.clone(), container: spec.name.clone(), previous: false, restart };
    if cx.want(want.clone()) {
        return;
    }
    let index = cx.index;
    let Some(read) = index.log(&pod.metadata.uid, &spec.name, restart).filter(|l| l.want == want) else { return };
    // A log of before the change tells nothing of after it.
    if index.log_read_at(&want).is_none_or(|t| t < written.at) {
        return;
    }
    let Ok(lines) = &read.lines else { return };
    let Some(found) = said(lines, cx.now) else { return };
    let What::Signal(signal) = &found.what else { return };
    let first = stamp(&lines[found.first]);
    let before = first.is_some_and(|t| t < written.at.saturating_sub(SETTLE).unwrap_or(t));
    if signal.class != Class::Authentication || before {
        return;
    }
    let owner = cx.owner(pod);
    let at = first.filter(|t| *t >= written.at && cx.now.reached(*t)).unwrap_or(written.at);
    let secret = &written.secret.name;
    let quote = words::clip(&logs::message(&signal.text), 160);
    let mut f = finding("environment-outdated", me.clone(), &owner.subject, cx.workload_severity(&owner.subject), at);
    f.part.clone_from(&spec.name);
    f.count = u32::try_from(found.count).unwrap_or(u32::MAX);
    f.hold = hold(0);
    f.started_basis = "first refusal after the change, or the change".into();
    f.headline = "still uses the credentials of before a change".into();
    f.message = format!(
        "Container {} of {} was started before Secret {secret} was changed, and its credentials are refused: “{quote}”",
        spec.name, me.name
    );
    let log = log_evidence(cx, &me, spec, read, at);
    let when = written.at.strftime("%H:%M:%S UTC");
    let item = object_evidence(
        EvidenceKind::Object,
        written.secret.clone(),
        "written",
        format!("Secret {secret} was written by {} at {when}, after the container was started", written.who),
        &[("written by", written.who.to_owned()), ("at", written.at.to_string())],
        written.at,
    );
    let who = written.who;
    let mut c = cause(
        "environment-outdated",
        Confidence::Likely,
        owner.subject.clone(),
        format!(
            "{who} changed Secret {secret} at {}, and container {} of {} has run since before with what the Secret gave its environment then; since the change {}: “{quote}”. It must be restarted to take in the new value.",
            when,
            spec.name,
            owner.subject,
            signal.phrase(),
        ),
    );
    c.referrer = Some(written.secret.clone());
    c.evidence = vec![log.key.clone(), item.key.clone()];
    c.signs.pro = 2;
    f.evidence.extend([log, item]);
    f.causes.push(c);
    let subject = &owner.subject;
    f.actions.push(action(
        ActionKind::RolloutRestart,
        subject,
        format!("its pods take in Secret {secret} when they start"),
        "replaces its pods",
        &format!("patch {}s", subject.kind.to_lowercase()),
        format!("kubectl rollout restart {}{}", subject.kubectl(), ns_flag(subject)),
    ));
    cx.report(f);
}
