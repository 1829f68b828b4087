//! Jobs whose work is done, and that are kept from completing by a container that runs on.

use jiff::Timestamp;

use super::super::{
    Context,
    context::{cause, edit, evidence, finding, hold},
};
use super::KEPT;
use crate::{
    evidence::EvidenceKind,
    finding::Finding,
    object::{Condition, Container, Job, Object, Pod},
    remediation::ActionKind,
    severity::{Confidence, Severity},
    words,
};

/// A container that did its work, those that run on, and since when.
struct Kept<'a> {
    pod: &'a Pod,
    done: Vec<&'a str>,
    left: Vec<&'a str>,
    since: Timestamp,
}

pub(super) fn job(cx: &mut Context<'_>, job: &Job) {
    let over = ["Complete", "Failed", "SuccessCriteriaMet", "FailureTarget", "Suspended"];
    let over = over.iter().any(|c| Condition::find(&job.status.conditions, c).is_some_and(Condition::is_true));
    if over || job.metadata.deleting() {
        return;
    }
    let pods = cx.index.pods_of(&job.metadata.uid);
    let Some(kept) = pods.into_iter().filter_map(kept).min_by_key(|k| (k.since, &k.pod.metadata.name)) else { return };
    let (me, pod) = (job.reference(), kept.pod.reference());
    let owner = cx.owner_of(&Object::Job(job.clone()));
    let (done, left) = (names(&kept.done), names(&kept.left));
    let one = kept.left.len() == 1;
    let (runs, ends) = if one { ("runs", "ends") } else { ("run", "end") };
    let helps = help(kept.pod, &kept.left);
    let mut f = finding("job-kept-running", me.clone(), &owner.subject, Severity::Medium, kept.since);
    f.headline = "does not complete: a container of its pod runs on".into();
    f.started_basis = "its work done".into();
    f.hold = hold(KEPT);
    cx.ordinary_until_due(&mut f);
    // What is left may simply have more to do.
    if helps.is_none() {
        f.hold = Finding::JOINS_ONLY;
    }
    f.message = format!("{done} of {} ended well, and {left} {runs} on", pod.name);
    let item = evidence(
        EvidenceKind::PodStatus,
        format!("kept|{}|{left}", pod.uid.as_deref().unwrap_or(&pod.name)),
        kept.since,
        pod.clone(),
        format!("{done} of {} ended with exit code 0; {left} still {runs}", pod.name),
        format!("pod: {}\nended with exit code 0 at {}: {done}\nrunning: {left}", pod.name, kept.since),
    );
    let mut c = cause(
        "job-kept-by-sidecar",
        Confidence::Likely,
        owner.subject.clone(),
        format!(
            "Job {} cannot complete until {left} {ends}: {done} of the same pod ended well at {}, and a Job is done only when every container has ended.{}",
            me.name,
            kept.since.strftime("%H:%M:%S UTC"),
            helps.as_deref().unwrap_or("")
        ),
    );
    if helps.is_none() {
        c.confidence = Confidence::Possible;
    }
    c.field = kept.left.first().map(|name| format!("{}.containers[{name}]", owner.prefix));
    c.evidence = vec![item.key.clone()];
    c.signs.pro = 2;
    c.needs.push(format!("whether {left} still has work to do"));
    f.evidence.push(item);
    f.causes.push(c);
    if helps.is_some() {
        f.actions.push(edit(ActionKind::Patch, &owner.subject, "its helper must end when the work is done"));
    }
    cx.report(f);
}

fn kept(pod: &Pod) -> Option<Kept<'_>> {
    if pod.metadata.deleting() || pod.status.phase.as_deref() != Some("Running") {
        return None;
    }
    let (mut done, mut left, mut since) = (Vec::new(), Vec::new(), None);
    for status in &pod.status.container_statuses {
        if let Some(ended) = status.state.terminated.as_ref().filter(|t| t.exit_code == 0) {
            done.push(status.name.as_str());
            since = since.max(ended.finished_at);
        } else if status.state.running.is_some() && status.restart_count == 0 {
            left.push(status.name.as_str());
        } else {
            return None;
        }
    }
    (!done.is_empty() && !left.is_empty()).then_some(Kept { pod, done, left, since: since? })
}

/// Why what is left only helps the others, and what is to be done about it; nothing where one of them may be at work.
fn help(pod: &Pod, left: &[&str]) -> Option<String> {
    let mut whys = Vec::new();
    for name in left {
        let why = helper(pod.spec.containers.iter().find(|c| c.name == *name)?)?;
        whys.push(format!("{name} {why}"));
    }
    Some(format!(
        " It looks like a helper ({}): one belongs among the initContainers with restartPolicy Always (a sidecar), or must end with the others.",
        words::list(&whys, 3)
    ))
}

/// What shows that a container serves those beside it.
fn helper(container: &Container) -> Option<&'static str> {
    const KNOWN: &[&str] = &[
        "istio-proxy",
        "proxyv2",
        "linkerd-proxy",
        "linkerd2-proxy",
        "envoy",
        "cloud-sql-proxy",
        "cloudsql",
        "gce-proxy",
        "vault-agent",
        "fluent-bit",
        "fluentbit",
        "fluentd",
        "filebeat",
        "promtail",
        "otel",
        "otelcol",
        "opentelemetry",
        "datadog",
        "dapr",
        "daprd",
        "pgbouncer",
    ];
    // Whole words: `hotel-import` has no otel.
    let known = |text: &str| {
        let words: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let text = format!("-{}-", words.to_lowercase());
        KNOWN.iter().any(|k| text.contains(&format!("-{k}-")))
            || text.ends_with("-proxy-")
            || text.ends_with("-sidecar-")
    };
    let image = container.image.rsplit('/').next().unwrap_or_default();
    let image = image.split([':', '@']).next().unwrap_or_default();
    if known(&container.name) {
        Some("is called like one")
    } else if known(image) {
        Some("has the image of one")
    } else if container.readiness_probe.is_some() || container.liveness_probe.is_some() {
        Some("has a probe")
    } else if !container.ports.is_empty() {
        Some("declares a port")
    } else {
        None
    }
}

fn names(containers: &[&str]) -> String {
    let names: Vec<String> = containers.iter().map(|c| (*c).to_owned()).collect();
    format!("container{} {}", if names.len() == 1 { "" } else { "s" }, words::list(&names, 3))
}
