//! Images that cannot be pulled, told apart by the runtime's own words.

use super::{
    Context, Hold, Rule,
    context::{Owner, action, cause, edit, event_evidence, evidence, finding, hold, ns_flag, set, undo},
    placement,
    rule::BY_WORKLOAD,
};
use crate::{
    evidence::EvidenceKind,
    finding::{CauseDraft, Finding},
    object::{Kind, KubeEvent, Object, ObjectRef, Pod},
    remediation::ActionKind,
    severity::Confidence,
    words,
};

/// The rules of this family.
pub const RULES: &[Rule] = &[Rule {
    id: "image-pull-failing",
    means: "The image of a container cannot be pulled.",
    source: "kubelet: ErrImagePull, ImagePullBackOff, InvalidImageName, ErrImageNeverPull; the text is containerd's",
    reads: &[Kind::Pod],
    holds: &[Hold::Exactly(HOLD, "")],
    severities: BY_WORKLOAD,
    limits: &["An image that is being pulled, however long it takes: only a refusal or an error counts."],
    threshold: None,
    advises: &[
        ActionKind::SetImage,
        ActionKind::Patch,
        ActionKind::RolloutUndo,
        ActionKind::CreateSecret,
        ActionKind::ManualCheck,
    ],
}];

/// Seconds.
const HOLD: i64 = 3;

const REASONS: &[&str] = &[
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "RegistryUnavailable",
    "ImageInspectError",
    "SignatureValidationFailed",
];

/// Looks at every container of a pod that waits for its image.
pub fn pod(cx: &mut Context<'_>, pod: &Pod) {
    for (spec, status, init) in pod.containers() {
        let Some(waiting) = status.and_then(|s| s.state.waiting.as_ref()) else { continue };
        let reason = waiting.reason.as_deref().unwrap_or("");
        if !REASONS.contains(&reason) {
            continue;
        }
        let me = pod.reference();
        let owner = cx.owner(pod);
        let events = cx.index.events_of(&me);
        // A container waits for the images of its volumes as well.
        let said = waiting.message.as_deref().unwrap_or("");
        let mut volumes = pod.spec.volumes.iter().filter_map(|v| Some((&v.name, &v.image.as_ref()?.reference)));
        let volume = volumes.find(|(_, reference)| said.contains(*reference) && !said.contains(&spec.image));
        let image = volume.map_or_else(|| spec.image.clone(), |(_, reference)| reference.clone());
        let failed: Vec<_> = events
            .iter()
            .filter(|e| {
                matches!(e.reason(), "Failed" | "InspectFailed" | "ErrImageNeverPull") && e.message().contains(&image)
            })
            .collect();
        // The event keeps the whole reason; the status may only say "Back-off pulling image".
        let told = failed
            .iter()
            .filter(|e| e.message().contains("Failed to pull") || e.message().contains("failed to"))
            .map(|e| e.message())
            .next_back()
            .or(waiting.message.as_deref())
            .unwrap_or(reason)
            .to_owned();
        let started = failed
            .iter()
            .filter_map(|e| e.first_seen())
            .min()
            .or(pod.status.start_time)
            .or(pod.metadata.creation_timestamp)
            .unwrap_or_else(|| cx.now.get());
        let (why, words_of) = classify(reason, &told, &image);
        let mut f =
            finding("image-pull-failing", me.clone(), &owner.subject, cx.workload_severity(&owner.subject), started);
        f.part.clone_from(&spec.name);
        f.headline = "cannot pull its image".into();
        f.started_basis = "first failed pull".into();
        f.message = format!("Container {} of {} cannot pull image {image}: {words_of}", spec.name, me.name);
        f.hold = hold(HOLD);
        let item = evidence(
            EvidenceKind::ContainerStatus,
            format!("image|{}|{}|{}|{why}", me.uid.as_deref().unwrap_or(&me.name), spec.name, image),
            started,
            me.clone(),
            format!("Container {} waits: {reason} for {image}", spec.name),
            format!(
                "pod: {}\ncontainer: {}\nimage: {}\nreason: {reason}\nmessage: {}",
                me.name, spec.name, image, said
            ),
        );
        f.evidence.push(item);
        f.evidence.extend(failed.iter().rev().take(2).map(|e| event_evidence(e, cx.now)));
        let place = match volume {
            Some((name, _)) => Place {
                words: format!("volume {name} in container {}", spec.name),
                field: owner.pod_field(&format!("volumes[{name}].image.reference")),
            },
            None => Place { words: format!("container {}", spec.name), field: owner.field(init, &spec.name, "image") },
        };
        let mut c = why_of(cx, &mut f, pod, &owner, place, why, &image, &words_of, &events);
        c.evidence = f.evidence.iter().map(|e| e.key.clone()).collect();
        if volume.is_some() {
            f.headline = "cannot pull the image of its volume".into();
            f.actions.push(edit(ActionKind::Patch, &owner.subject, "the volume must name an image that may be pulled"));
        } else {
            steps(&mut f, &owner.subject, why, &spec.name);
        }
        f.causes.push(c);
        cx.report(f);
    }
}

/// Where an image is named: in words, and the field.
struct Place {
    words: String,
    field: String,
}

/// Another image is a way out only where the image is what is wrong.
fn steps(f: &mut Finding, subject: &ObjectRef, why: &str, container: &str) {
    match why {
        "rate-limited" => f.actions.push(edit(
            ActionKind::ManualCheck,
            subject,
            "a login (pull secret) or a mirror of its own raises the registry's limit; the kubelet tries again by itself",
        )),
        "node-disk-full" => f.actions.push(edit(
            ActionKind::ManualCheck,
            subject,
            "the node needs room for images: unused ones can go, or its disk is too small",
        )),
        _ => {
            f.actions.push(set(
                ActionKind::SetImage,
                subject,
                "an image that exists and may be pulled",
                "replaces its pods",
                ("image", format!("{container}=IMAGE:TAG")),
            ));
            f.actions.extend(undo(subject, "the revision before may have had an image that exists"));
        }
    }
}

/// The cause: the image's name, unless what is missing is the right to pull it, or the registry itself.
#[allow(clippy::too_many_arguments, reason = "one container's whole situation")]
fn why_of(
    cx: &Context<'_>,
    f: &mut Finding,
    pod: &Pod,
    owner: &Owner,
    place: Place,
    why: &str,
    image: &str,
    words_of: &str,
    events: &[&KubeEvent],
) -> CauseDraft {
    let ns = pod.metadata.namespace.as_deref();
    let mut entity = owner.subject.clone();
    let mut referrer = None;
    let mut extra = String::new();
    let mut hidden = false;
    let Place { words: at, mut field } = place;
    // Where the registry wants to know who asks, a login that is missing is why. Some say "not found" instead.
    let refused = matches!(why, "unauthorised" | "not-found");
    let secrets = &pod.spec.image_pull_secrets;
    let known = cx.index.knows(Kind::Secret, ns);
    let gone = secrets.iter().find(|s| known && cx.index.get(Kind::Secret, ns, &s.name).is_none());
    // One that is no login for a registry is never shown to it.
    let no_login = secrets.iter().find_map(|s| match cx.index.get(Kind::Secret, ns, &s.name).map(|o| &**o) {
        Some(Object::Secret(s)) if s.lacks(".dockerconfigjson") && s.lacks(".dockercfg") => Some(s),
        _ => None,
    });
    let unread = events.iter().rev().find(|e| {
        e.reason() == "FailedToRetrieveImagePullSecret" && secrets.iter().any(|s| e.message().contains(&s.name))
    });
    let unread_name = unread.and_then(|e| secrets.iter().find(|s| e.message().contains(&s.name)));
    if let Some(secret) = gone.or(unread_name).filter(|_| refused) {
        let all = cx.index.in_namespace(Kind::Secret, ns.unwrap_or("")).map(|o| o.meta().name.as_str());
        let near = placement::nearest(&secret.name, all).map(|n| format!(" There is {n}.")).unwrap_or_default();
        extra = format!(
            " Its pull secret {} does not exist (not found) in namespace {}.{near}",
            secret.name,
            ns.unwrap_or("")
        );
        // To a stranger a private registry may have nothing at all, as long as none of its images runs here.
        hidden = why == "not-found" && !cx.index.running_images().any(|i| registry(i) == registry(image));
        if why == "unauthorised" || hidden {
            entity = ObjectRef::missing(Kind::Secret, ns, &secret.name);
            referrer = Some(owner.subject.clone());
            field = owner.pod_field("imagePullSecrets");
        }
        if let Some(e) = unread {
            f.evidence.push(event_evidence(e, cx.now));
        }
        f.actions.push(action(
            ActionKind::CreateSecret,
            &ObjectRef::missing(Kind::Secret, ns, &secret.name),
            "the registry wants to know who asks",
            "none for what runs already",
            "create secrets",
            format!(
                "kubectl create secret docker-registry {}{} --docker-server=REGISTRY --docker-username=NAME",
                secret.name,
                ns_flag(&owner.subject)
            ),
        ));
    } else if let Some(secret) = no_login.filter(|_| why == "unauthorised" && secrets.len() == 1) {
        let name = &secret.metadata.name;
        extra = format!(
            " Its pull secret {name} is no login for a registry: it has no key .dockerconfigjson, so it is not of type kubernetes.io/dockerconfigjson and is not used.{}",
            secret.has()
        );
        entity = Object::Secret(secret.clone()).reference();
        referrer = Some(owner.subject.clone());
        field = "type".into();
        f.actions.push(action(
            ActionKind::CreateSecret,
            &entity,
            "the registry wants to know who asks",
            "the type of a Secret cannot be changed: it is made anew",
            "delete secrets; create secrets",
            format!(
                "kubectl create secret docker-registry {name}{} --docker-server=REGISTRY --docker-username=NAME",
                ns_flag(&owner.subject)
            ),
        ));
    } else if why == "unauthorised" {
        extra = match secrets.as_slice() {
            [] => " The pod has no pull secret (imagePullSecrets).".into(),
            some => {
                let names: Vec<String> = some.iter().map(|s| s.name.clone()).collect();
                format!(
                    " Its pull secret {} exists, so it does not hold a login for this registry, or not one that may pull.",
                    words::list(&names, 3)
                )
            }
        };
    } else if matches!(why, "rate-limited" | "registry-unreachable" | "registry-unresolved") {
        // Several workloads that the same registry fails have that in common.
        referrer = Some(ObjectRef::external(registry(image)));
    } else if why == "node-disk-full" {
        let node = pod.spec.node_name.as_deref().and_then(|n| cx.index.get(Kind::Node, None, n));
        if let Some(node) = node {
            referrer = Some(entity);
            entity = node.reference();
            field = "status.conditions[DiskPressure]".into();
        }
    } else if why == "wrong-platform" {
        let node = pod.spec.node_name.as_deref().unwrap_or("");
        if let Some(Object::Node(n)) = cx.index.get(Kind::Node, None, node).map(|o| &**o)
            && !n.status.node_info.architecture.is_empty()
        {
            extra =
                format!(" Node {node} is {}/{}.", n.status.node_info.operating_system, n.status.node_info.architecture);
        }
    } else if why == "not-found"
        && let Some(near) = similar(cx, image)
    {
        extra = format!(" Other containers run {near}.");
    }
    let statement = format!("Image {image} of {at} cannot be pulled: {words_of}.{extra}");
    let mut c = cause(&format!("image-{why}"), Confidence::Established, entity, statement);
    if hidden {
        c.confidence = Confidence::Likely;
        c.signs.pro = 2;
        c.needs.push("a login: whether the registry has the image under this name is seen with one".into());
    }
    c.referrer = referrer;
    c.field = Some(field);
    c
}

/// An image that runs elsewhere and differs little: what was meant, most likely.
fn similar(cx: &Context<'_>, image: &str) -> Option<String> {
    let repository = |i: &str| {
        i.split('@')
            .next()
            .unwrap_or(i)
            .rsplit_once(':')
            .filter(|(_, t)| !t.contains('/'))
            .map_or(i, |(r, _)| r)
            .to_owned()
    };
    let mine = repository(image);
    let running: Vec<&str> = cx.index.running_images().filter(|i| *i != image).collect();
    let same = running.iter().find(|i| repository(i) == mine);
    let names: Vec<String> = running.iter().map(|i| repository(i)).collect();
    let near = placement::nearest(&mine, names.iter().map(String::as_str))
        .and_then(|n| running.iter().find(|i| repository(i) == n));
    same.or(near).map(|i| (*i).to_owned())
}

/// What kind of failure it is, and the runtime's words shortened.
fn classify(reason: &str, message: &str, image: &str) -> (&'static str, String) {
    let m = without_reference(&message.to_lowercase(), &image.to_lowercase());
    let code = |codes: &[&str]| m.split(|c: char| !c.is_ascii_alphanumeric()).any(|w| codes.contains(&w));
    let tail = words::clip(message.rsplit_once(&format!("{image}\":")).map_or(message, |(_, t)| t).trim(), 220);
    let has = |words: &[&str]| words.iter().any(|w| m.contains(w));
    if reason == "InvalidImageName"
        || has(&["invalid reference format", "couldn't parse image", "failed to apply default image tag"])
    {
        ("bad-name", format!("the name is not a valid image reference ({tail})"))
    } else if reason == "ErrImageNeverPull" {
        ("never-pull", "its pull policy is Never and the image is not on the node".into())
    } else if code(&["429"]) || has(&["toomanyrequests", "rate limit", "too many requests"]) {
        ("rate-limited", format!("the registry refuses for too many requests (rate limit): {tail}"))
    } else if has(&[
        "no match for platform",
        "no matching manifest",
        "exec format",
        "does not match the specified platform",
    ]) {
        ("wrong-platform", format!("the image has no variant for the node's platform (architecture): {tail}"))
    } else if has(&["no such host", "server misbehaving"]) {
        (
            "registry-unresolved",
            format!("the registry {} cannot be reached, its name does not resolve: {tail}", registry(image)),
        )
    } else if has(&["x509", "tls:", "http response to https client"]) {
        ("registry-untrusted", format!("the registry {} is not trusted (TLS certificate): {tail}", registry(image)))
    } else if has(&[
        "i/o timeout",
        "connection refused",
        "no route to host",
        "dial tcp",
        "timeout",
        "deadline exceeded",
        "network is unreachable",
    ]) {
        ("registry-unreachable", format!("the registry {} cannot be reached: {tail}", registry(image)))
    } else if has(&["no space left on device"]) {
        ("node-disk-full", format!("the node has no space left for it: {tail}"))
    } else if reason == "SignatureValidationFailed" || has(&["signature validation"]) {
        ("not-signed", format!("its signature is not accepted: {tail}"))
    } else if reason == "ImageInspectError" {
        ("broken-on-node", format!("the copy on the node cannot be read: {tail}"))
    } else if code(&["401", "403"])
        || has(&[
            "unauthorized",
            "authorization failed",
            "authentication required",
            "access denied",
            "denied",
            "insufficient_scope",
            "no basic auth",
        ])
    {
        ("unauthorised", format!("the registry denies access, or the repository does not exist: {tail}"))
    } else if code(&["404"]) || has(&["not found", "manifest unknown", "does not exist"]) {
        ("not-found", format!("the image or tag does not exist (not found): {tail}"))
    } else {
        ("pull-failed", tail)
    }
}

/// The registry an image comes from.
fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => "docker.io",
    }
}

/// The message without what names the image: the words and digits of a name, a tag or a digest are no answer of the
/// registry.
fn without_reference(message: &str, image: &str) -> String {
    let name = image.split('@').next().unwrap_or(image);
    let name = name.rsplit('/').next().unwrap_or(name);
    let repository = name.split(':').next().unwrap_or(name);
    let names_it = |word: &str| {
        word.contains(name)
            || word.contains("://")
            || word.contains("sha256:")
            || word.contains(&format!("/{repository}:"))
            || word.contains(&format!("/{repository}@"))
    };
    let words = message.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ','));
    words.filter(|w| name.is_empty() || !names_it(w)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::classify;

    #[test]
    fn the_runtimes_words_are_told_apart() {
        let kind = |reason: &str, message: &str| classify(reason, message, "web:1").0;
        assert_eq!(
            kind(
                "ErrImagePull",
                "failed to resolve reference \"docker.io/library/web:1\": docker.io/library/web:1: not found"
            ),
            "not-found"
        );
        assert_eq!(
            kind(
                "ErrImagePull",
                "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed"
            ),
            "unauthorised"
        );
        assert_eq!(kind("ErrImagePull", "dial tcp: lookup registry.invalid: no such host"), "registry-unresolved");
        assert_eq!(
            kind("ErrImagePull", "unexpected status from HEAD request to https://r/v2/: 429 Too Many Requests"),
            "rate-limited"
        );
        assert_eq!(
            kind("InvalidImageName", "Failed to apply default image tag \"Web:1\": couldn't parse image name"),
            "bad-name"
        );
        assert_eq!(
            kind("ErrImageNeverPull", "Container image \"web:1\" is not present with pull policy of Never"),
            "never-pull"
        );
    }

    #[test]
    fn digits_and_words_of_the_image_are_no_answer_of_the_registry() {
        let image = "registry.test/denied/web:main-20260403-401-429";
        let kind = |message: &str| classify("ErrImagePull", &message.replace("IMAGE", image), image).0;
        let failed = "Failed to pull image \"IMAGE\": rpc error: code = NotFound desc = failed to pull and unpack image \"IMAGE\": failed to resolve reference \"IMAGE\": IMAGE: not found";
        assert_eq!(kind(failed), "not-found");
        let forbidden = "failed to resolve reference \"IMAGE\": unexpected status from HEAD request to https://registry.test/v2/denied/web/manifests/main-20260403-401-429: 403 Forbidden";
        assert_eq!(kind(forbidden), "unauthorised");
        let limited = "failed to copy: httpReadSeeker: failed open: unexpected status code https://registry.test/v2/denied/web/blobs/sha256:4294014030: 429 Too Many Requests";
        assert_eq!(kind(limited), "rate-limited");
        let digest = format!("registry.test/web@sha256:401429{}", "0".repeat(58));
        let gone = format!("failed to resolve reference \"{digest}\": {digest}: not found");
        assert_eq!(classify("ErrImagePull", &gone, &digest).0, "not-found");
    }
}
