//! What a person asks about, as it is typed, and which object of the cluster that is.

use crate::{
    index::Index,
    object::{Kind, Object, ObjectRef},
};

/// A kind and a name, without the cluster and the namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub kind: Kind,
    pub name: String,
}

/// No object is called so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFound {
    pub target: Target,
    /// Where it was looked for; empty for kinds outside namespaces.
    pub namespaces: Vec<String>,
    /// The kind could not be read there: whether it exists is not known.
    pub unread: bool,
    /// Of the same name in other namespaces, else spelled nearly so.
    pub near: Vec<ObjectRef>,
}

/// kubectl's short names of the kinds that are read.
const SHORT: &[(&str, Kind)] = &[
    ("deploy", Kind::Deployment),
    ("rs", Kind::ReplicaSet),
    ("sts", Kind::StatefulSet),
    ("ds", Kind::DaemonSet),
    ("cj", Kind::CronJob),
    ("po", Kind::Pod),
    ("svc", Kind::Service),
    ("ing", Kind::Ingress),
    ("no", Kind::Node),
    ("ns", Kind::Namespace),
    ("cm", Kind::ConfigMap),
    ("pvc", Kind::PersistentVolumeClaim),
    ("pv", Kind::PersistentVolume),
    ("sc", Kind::StorageClass),
    ("sa", Kind::ServiceAccount),
    ("hpa", Kind::HorizontalPodAutoscaler),
    ("pdb", Kind::PodDisruptionBudget),
    ("netpol", Kind::NetworkPolicy),
    ("quota", Kind::ResourceQuota),
    ("limits", Kind::LimitRange),
    ("pc", Kind::PriorityClass),
    ("gc", Kind::GatewayClass),
    ("gtw", Kind::Gateway),
];

/// So many suggestions help; more are a list to read.
const SUGGESTIONS: usize = 4;

impl Target {
    /// `deploy/checkout`, or `deployment checkout`, as kubectl reads it.
    ///
    /// # Errors
    /// When it names no kind that is read, or no name.
    pub fn parse(words: &[impl AsRef<str>]) -> Result<Target, String> {
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        let (kind, name) = match words.as_slice() {
            [one] => one.split_once('/').ok_or_else(|| format!("`{one}` names no object: write KIND/NAME"))?,
            [kind, name] if !kind.contains('/') && !name.contains('/') => (*kind, *name),
            _ => return Err("one object is looked into: write KIND/NAME".to_owned()),
        };
        if name.is_empty() || name.contains('/') {
            return Err(format!("`{}` names no object: write KIND/NAME", words.join(" ")));
        }
        let found = kind_of(kind).ok_or_else(|| {
            let known = "deploy, sts, ds, job, cj, po, svc, ing, no";
            format!("`{kind}` is no kind that Afterwatch looks into; write one of {known}, or a kind by its full name")
        })?;
        Ok(Target { kind: found, name: name.to_owned() })
    }
}

/// The kind as kubectl names it: short, singular, plural, in any case, with or without its group.
fn kind_of(word: &str) -> Option<Kind> {
    let word = word.split('.').next().unwrap_or(word).to_lowercase();
    let short = SHORT.iter().find(|(short, _)| *short == word).map(|(_, kind)| *kind);
    let all = Kind::ALL.iter().copied().filter(|k| !matches!(k, Kind::KubeEvent | Kind::CustomResource));
    let mut long = all.filter(|k| k.plural() == word || k.as_str().to_lowercase() == word);
    short.or_else(|| long.next())
}

/// The object that is meant, in the first of these namespaces that has it.
///
/// # Errors
/// When there is none, with what is spelled nearly so.
pub fn find(index: &Index, target: &Target, namespaces: &[String]) -> Result<ObjectRef, NotFound> {
    if !target.kind.namespaced() {
        let found = index.get(target.kind, None, &target.name).map(|o| o.reference());
        return found.ok_or_else(|| not_found(index, target, &[]));
    }
    let found = namespaces.iter().find_map(|ns| index.get(target.kind, Some(ns), &target.name));
    found.map(|o| o.reference()).ok_or_else(|| not_found(index, target, namespaces))
}

fn not_found(index: &Index, target: &Target, namespaces: &[String]) -> NotFound {
    let unread = match namespaces {
        [] => !index.knows(target.kind, None),
        all => all.iter().any(|ns| !index.knows(target.kind, Some(ns))),
    };
    let here = |o: &ObjectRef| o.namespace.as_ref().is_none_or(|ns| namespaces.contains(ns));
    let same = |o: &ObjectRef| o.name == target.name;
    let others: Vec<ObjectRef> = index.all(target.kind).map(|o| o.reference()).collect();
    let mut near: Vec<ObjectRef> = others.iter().filter(|o| same(o)).cloned().collect();
    // A person may have the wrong kind in mind: a StatefulSet for a Deployment.
    let kinds =
        [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::CronJob, Kind::Job, Kind::Pod, Kind::Service];
    for kind in kinds.into_iter().filter(|k| *k != target.kind) {
        near.extend(index.all(kind).map(|o| o.reference()).filter(|o| here(o) && same(o)));
    }
    let mut spelled: Vec<(usize, ObjectRef)> = others
        .into_iter()
        .filter(|o| here(o) && !same(o))
        .filter_map(|o| Some((likeness(&target.name, &o.name)?, o)))
        .collect();
    spelled.sort();
    near.extend(spelled.into_iter().map(|(_, o)| o));
    near.truncate(SUGGESTIONS);
    NotFound { target: target.clone(), namespaces: namespaces.to_vec(), unread, near }
}

/// How far a name is from the one that was typed; none where nobody would take one for the other.
fn likeness(typed: &str, name: &str) -> Option<usize> {
    let part = typed.len() >= 3 && (name.contains(typed) || (name.len() >= 3 && typed.contains(name)));
    let distance = crate::words::edits(typed, name);
    let near = distance <= 1 + typed.chars().count() / 4;
    (near || part).then_some(if near { distance } else { distance.max(50) })
}

impl NotFound {
    /// What happened and what to do, as two sentences.
    pub fn words(&self) -> (String, String) {
        let Target { kind, name } = &self.target;
        let place = match self.namespaces.as_slice() {
            [] => String::new(),
            names => format!(" in {}", crate::words::list(names, 3)),
        };
        let said = |o: &ObjectRef| match &o.namespace {
            Some(ns) => format!("{} -n {ns}", o.kubectl()),
            None => o.kubectl(),
        };
        let near: Vec<String> = self.near.iter().map(said).collect();
        let hint = match near.is_empty() {
            true => String::new(),
            false => format!("There is {}", crate::words::list(&near, SUGGESTIONS)),
        };
        match self.unread {
            true => (format!("{}{place} could not be read: whether {name} exists is not known", kind.plural()), hint),
            false => (format!("There is no {kind} {name}{place}"), hint),
        }
    }
}

/// A workload that can be asked about, for a list to choose from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub object: ObjectRef,
    /// `3 of 3 ready`; empty where nothing is counted.
    pub state: String,
}

/// What can be asked about whose kind, namespace and name hold all of these words: workloads first, then what leads
/// to them. At most so many, and whether there are more.
pub fn choices(index: &Index, text: &str, most: usize) -> (Vec<Choice>, bool) {
    const OFFERED: &[Kind] = &[
        Kind::Deployment,
        Kind::StatefulSet,
        Kind::DaemonSet,
        Kind::CronJob,
        Kind::Job,
        Kind::Pod,
        Kind::Service,
        Kind::Ingress,
        Kind::Node,
    ];
    let words: Vec<String> = text.split([' ', '/']).filter(|w| !w.is_empty()).map(str::to_lowercase).collect();
    let fits = |object: &ObjectRef| {
        let line = format!("{} {} {}", object.kind, object.namespace.as_deref().unwrap_or(""), object.name);
        let line = line.to_lowercase();
        words.iter().all(|w| line.contains(w.as_str()) || kind_of(w).is_some_and(|k| k.as_str() == object.kind))
    };
    let mut found = OFFERED
        .iter()
        .flat_map(|kind| index.all(*kind))
        // What has an owner is asked about by its owner's name.
        .filter(|o| !matches!(o.kind(), Kind::Pod | Kind::Job) || o.meta().controller().is_none())
        .filter(|o| fits(&o.reference()));
    let some: Vec<Choice> =
        found.by_ref().take(most).map(|o| Choice { object: o.reference(), state: state(o) }).collect();
    (some, found.next().is_some())
}

/// How a workload does, in a few words.
pub(super) fn state(object: &Object) -> String {
    let of = |ready: i32, wanted: i32| format!("{ready} of {wanted} ready");
    match object {
        Object::Deployment(d) => of(d.status.ready_replicas, d.spec.replicas.unwrap_or(1)),
        Object::StatefulSet(s) => of(s.status.ready_replicas, s.spec.replicas.unwrap_or(1)),
        Object::DaemonSet(d) => of(d.status.number_ready, d.status.desired_number_scheduled),
        Object::Pod(p) if p.ready() => "ready".to_owned(),
        Object::Pod(p) => p.status.phase.clone().unwrap_or_default().to_lowercase(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_named_as_kubectl_names_it() {
        let parsed = |words: &[&str]| Target::parse(words).map(|t| (t.kind, t.name));
        for words in [
            &["deploy/checkout"][..],
            &["deployment", "checkout"],
            &["Deployments/checkout"],
            &["deployments.apps/checkout"],
            &["deployment.v1.apps/checkout"],
        ] {
            assert_eq!(parsed(words), Ok((Kind::Deployment, "checkout".to_owned())), "{words:?}");
        }
        for (short, kind) in
            [("sts", Kind::StatefulSet), ("no", Kind::Node), ("cj", Kind::CronJob), ("ing", Kind::Ingress)]
        {
            assert_eq!(parsed(&[short, "x"]), Ok((kind, "x".to_owned())));
        }
        for bad in [&["checkout"][..], &["deploy/"], &["deploy/a/b"], &["deploy", "a", "b"], &["event/x"], &["thing/x"]]
        {
            assert!(parsed(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_that_are_taken_for_each_other_are_near() {
        assert_eq!(crate::words::edits("checkuot", "checkout"), 2);
        assert!(likeness("chekout", "checkout").is_some());
        assert!(likeness("checkout", "checkout-api").is_some());
        assert!(likeness("checkout", "postgres").is_none());
        assert!(likeness("db", "checkout-db-admin").is_none());
    }
}
