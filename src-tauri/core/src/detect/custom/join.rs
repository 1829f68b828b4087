//! One fault, one incident: what an object's workloads show already, and what misses the Secret it was to make.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{lead::Lead, said::is_over as is_over_by};
use crate::{
    detect::Context,
    evidence::EvidenceDraft,
    finding::{CauseDraft, Finding},
    index::{Index, deployer},
    object::{CustomResource, Kind, Meta, Object, ObjectRef},
    severity::Severity,
};

/// What other rules found of workloads, to be looked up by whoever may be above them.
pub(super) struct Told<'a> {
    faults: Vec<Fault<'a>>,
    /// The faults by the names of the owners and deployers of their objects.
    by_name: HashMap<String, Vec<usize>>,
}

struct Fault<'a> {
    subject: ObjectRef,
    severity: Severity,
    started_at: jiff::Timestamp,
    /// Its subject and its object, and their owners.
    chain: Vec<(ObjectRef, Option<&'a Meta>)>,
}

impl<'a> Told<'a> {
    /// Of all that was found so far.
    pub fn new(cx: &Context<'a>) -> Told<'a> {
        let mut out = Told { faults: Vec::new(), by_name: HashMap::new() };
        let opens = |f: &&Finding| f.hold != Finding::JOINS_ONLY && f.severity >= Severity::Medium && runs(&f.object);
        for f in cx.found().iter().map(|f| &**f).filter(opens) {
            let mut chain = chain(cx.index, &f.subject);
            if !f.object.same_name(&f.subject) {
                chain.extend(self::chain(cx.index, &f.object));
            }
            let mut names: HashSet<&str> = chain.iter().map(|(o, _)| o.name.as_str()).collect();
            names.extend(chain.iter().filter_map(|(_, meta)| *meta).flat_map(deployer::names));
            for name in names {
                out.by_name.entry(name.to_owned()).or_default().push(out.faults.len());
            }
            out.faults.push(Fault {
                subject: f.subject.clone(),
                severity: f.severity,
                started_at: f.started_at,
                chain,
            });
        }
        out
    }

    /// The subject of a fault that explains why what this object owns or deploys is not well: the worst, of these the
    /// first.
    pub fn by(&self, cx: &Context<'_>, o: &CustomResource, lead: &Lead<'_>) -> Option<ObjectRef> {
        // What fails before anything is deployed is no symptom of what runs.
        const BEFORE: &[&str] =
            &["Build", "Artifact", "Git", "Source", "Valid", "Auth", "Prune", "Storage", "Dependency"];
        let own = lead.missing.is_none() && lead.says.metadata.uid == o.metadata.uid;
        let early =
            BEFORE.iter().any(|word| lead.said.reason.contains(word)) || lead.said.condition.starts_with("sync ");
        if !own || early {
            return None;
        }
        let me = o.reference();
        let below = |f: &&Fault<'_>| {
            f.chain.iter().any(|(at, meta)| at.same_name(&me) || meta.is_some_and(|m| cx.index.deploys(&me, m)))
        };
        self.by_name
            .get(&me.name)?
            .iter()
            .map(|i| &self.faults[*i])
            .filter(below)
            .max_by(|a, b| {
                a.severity
                    .cmp(&b.severity)
                    .then(b.started_at.cmp(&a.started_at))
                    .then_with(|| b.subject.cmp(&a.subject))
            })
            .map(|f| f.subject.clone())
    }
}

/// The kinds whose trouble is a reason why what deploys them is not well.
fn runs(object: &ObjectRef) -> bool {
    matches!(
        object.read_as(),
        Some(
            Kind::Pod
                | Kind::Deployment
                | Kind::StatefulSet
                | Kind::DaemonSet
                | Kind::ReplicaSet
                | Kind::Job
                | Kind::PersistentVolumeClaim
                | Kind::Service
                | Kind::Ingress
        )
    )
}

/// The object and its owners, as far as they are known.
fn chain<'a>(index: &'a Index, object: &ObjectRef) -> Vec<(ObjectRef, Option<&'a Meta>)> {
    let mut out = Vec::new();
    let mut at = object.clone();
    for _ in 0..6 {
        let Some(known) = index.resolve(&at) else {
            out.push((at, None));
            break;
        };
        let meta = known.meta();
        out.push((at, Some(meta)));
        let owners = &meta.owner_references;
        let Some(owner) = owners.iter().find(|o| o.controller).or_else(|| owners.first()) else { break };
        if owner.kind == "Node" {
            break;
        }
        at = owner.in_namespace(meta.namespace.as_deref());
    }
    out
}

/// What misses the Secret that an object is to be made into fails because it is not.
#[derive(Default)]
pub(super) struct Missed<'a> {
    /// By the Secret's key.
    of: HashMap<String, Unmade<'a>>,
}

struct Unmade<'a> {
    by: &'a CustomResource,
    secret: ObjectRef,
    cause: CauseDraft,
    evidence: Vec<EvidenceDraft>,
}

impl<'a> Missed<'a> {
    /// This object makes a Secret that is not there. Of several that make the same one the surest explains it.
    pub fn note(&mut self, cx: &Context<'_>, o: &'a CustomResource, because: &CauseDraft, evidence: &[EvidenceDraft]) {
        let Some(name) = o.makes_secret() else { return };
        let ns = o.makes_in();
        let secret = ObjectRef::missing(Kind::Secret, ns, name);
        if !cx.index.knows(Kind::Secret, ns) || cx.index.get(Kind::Secret, ns, name).is_some() {
            return;
        }
        let order = |c: &CauseDraft| (std::cmp::Reverse(c.confidence), c.entity.key());
        if self.of.get(&secret.key()).is_some_and(|known| order(&known.cause) <= order(because)) {
            return;
        }
        let (cause, evidence) = (because.clone(), evidence.to_vec());
        self.of.insert(secret.key(), Unmade { by: o, secret, cause, evidence });
    }

    /// Puts it before what says that the Secret is not there.
    pub fn explain(&self, cx: &mut Context<'_>) {
        if self.of.is_empty() {
            return;
        }
        for f in cx.findings_mut() {
            // What is to make the one may itself miss another.
            let mut done: Vec<&ObjectRef> = Vec::new();
            while let Some(unmade) = f.causes.first().and_then(|c| self.missed_by(c)) {
                // What makes the Secret does not fail for want of it.
                let own = f.object.same_name(&unmade.by.reference()) || unmade.cause.entity.same_name(&unmade.secret);
                if own || done.contains(&&unmade.secret) {
                    break;
                }
                done.push(&unmade.secret);
                let f = Arc::make_mut(f);
                f.causes.insert(0, CauseDraft { referrer: Some(unmade.secret.clone()), ..unmade.cause.clone() });
                for item in &unmade.evidence {
                    if !f.evidence.iter().any(|e| e.key == item.key) {
                        f.evidence.push(item.clone());
                    }
                }
            }
        }
    }

    /// The Secret of which this cause says that it is not there.
    fn missed_by(&self, cause: &CauseDraft) -> Option<&Unmade<'a>> {
        let referrer = cause.referrer.as_ref().filter(|r| r.uid.is_none());
        let named = [Some(&cause.entity), referrer].into_iter().flatten();
        named.filter(|o| o.is(Kind::Secret)).find_map(|o| self.of.get(&o.key()))
    }
}

/// The highest object of an extension's kind that owns this one: a request belongs to its Certificate.
pub(super) fn top(index: &Index, o: &CustomResource) -> ObjectRef {
    owners(index, o).last().map_or_else(|| o.reference(), |top| top.reference())
}

/// An attempt at something that has come about since.
pub(super) fn is_over(index: &Index, o: &CustomResource) -> bool {
    owners(index, o).last().is_some_and(|top| is_over_by(top))
}

/// Its owners of extensions' kinds, the nearest first.
fn owners<'a>(index: &'a Index, o: &'a CustomResource) -> Vec<&'a CustomResource> {
    let mut out: Vec<&CustomResource> = Vec::new();
    let mut at = o;
    for _ in 0..6 {
        let Some(owner) = at.metadata.controller().and_then(|c| index.by_uid(&c.uid)) else { break };
        let Object::CustomResource(above) = &**owner else { break };
        out.push(above);
        at = above;
    }
    out
}
