//! Admission policies that refuse pods, or cannot do what they are to.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::{
    detect::context::{Owner, action, cause, edit},
    finding::CauseDraft,
    object::ObjectRef,
    remediation::{ActionDraft, ActionKind},
    severity::Confidence,
    words,
};

/// Policies and their bindings; they are not read.
const ADMISSION: &str = "admissionregistration.k8s.io/v1";

/// A policy that looks at pods: what it forbids is theirs, what it lacks itself is its binding's.
pub(super) fn validation(owner: &Owner, m: &Captures<'_>) -> (CauseDraft, Vec<ActionDraft>) {
    // What is wrong is the policy's own, whatever the pods are like.
    if let Some(binding) = m.get(2).filter(|_| m[3].contains("failed to configure")) {
        let wants_parameters = m[3].contains("no params found");
        let entity = ObjectRef::unread(ADMISSION, "ValidatingAdmissionPolicyBinding", None, binding.as_str());
        let why = if wants_parameters { ": the parameters that it names (paramRef) do not exist" } else { "" };
        let mut c = cause(
            "admission-policy-broken",
            Confidence::Established,
            entity.clone(),
            format!(
                "ValidatingAdmissionPolicyBinding {} of policy {} denies every pod of {}{why}. The API server says: {}",
                binding.as_str(),
                &m[1],
                owner.subject,
                words::clip(&m[3], 220)
            ),
        );
        c.field = wants_parameters.then(|| "spec.paramRef".to_owned());
        c.referrer = Some(owner.subject.clone());
        let look = action(
            ActionKind::ManualCheck,
            &entity,
            "the binding must name parameters that exist, or they must be made",
            "reads only",
            "get validatingadmissionpolicybindings",
            format!("kubectl get validatingadmissionpolicybinding {} -o yaml", binding.as_str()),
        );
        return (c, vec![look]);
    }
    let binding = m.get(2).map(|b| format!(" (binding {})", b.as_str())).unwrap_or_default();
    let mut c = cause(
        "admission-denied",
        Confidence::Established,
        owner.subject.clone(),
        format!(
            "ValidatingAdmissionPolicy {}{binding} denies the pods of {}: {}",
            &m[1],
            owner.subject,
            words::clip(&m[3], 220)
        ),
    );
    // The policy is not read; its own words say whether it is about what is written on a pod or in it.
    let lower = m[3].to_ascii_lowercase();
    c.field = Some(match lower {
        l if l.contains("metadata.labels") || demands_label(&l) => owner.template_field("metadata.labels"),
        l if l.contains("metadata.annotations") => owner.template_field("metadata.annotations"),
        _ => owner.pod_field("containers"),
    });
    (c, vec![edit(ActionKind::Patch, &owner.subject, "the refusal names the rule")])
}

/// A policy that changes pods and cannot: no pod of whatever shape gets past it.
pub(super) fn mutation(owner: &Owner, m: &Captures<'_>) -> (CauseDraft, Vec<ActionDraft>) {
    let entity = ObjectRef::unread(ADMISSION, "MutatingAdmissionPolicy", None, &m[1]);
    let mut c = cause(
        "admission-policy-broken",
        Confidence::Established,
        entity.clone(),
        format!(
            "MutatingAdmissionPolicy {} (binding {}) cannot change the pods of {} as it is to, so that they are refused: {}",
            &m[1],
            &m[2],
            owner.subject,
            words::clip(&m[3], 220)
        ),
    );
    c.field = Some("spec.mutations".into());
    c.referrer = Some(owner.subject.clone());
    let look = action(
        ActionKind::ManualCheck,
        &entity,
        "its mutations must fit what they change",
        "reads only",
        "get mutatingadmissionpolicies",
        format!("kubectl get mutatingadmissionpolicy {} -o yaml", &m[1]),
    );
    (c, vec![look])
}

/// What is refused lacks a label of its own.
fn demands_label(lower: &str) -> bool {
    static FORM: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"\b(?:needs?|must|have|has|lacks?|missing|requires?|required|without|set)\b[^.;]{0,30}\blabels?\b|\blabels? [^.;]{0,30}\b(?:is|are|be) (?:required|missing|mandatory|not set)").ok()
    });
    !lower.contains("namespace") && FORM.as_ref().is_some_and(|r| r.is_match(lower))
}
