//! What rules work with: the index, the time, and what was found so far.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    rc::Rc,
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use super::{Detection, Memory, Threshold, memory::Unit, placement::Room, scheduling};
use crate::{
    correlate::Options,
    finding::Finding,
    index::{Index, Now, Once, Reads},
    object::{Condition, Kind, Object, ObjectRef, Pod},
    observation::LogWant,
    severity::Severity,
};

mod draft;

pub use draft::{
    action, cause, edit, event_evidence, evidence, finding, hold, ns_flag, object_evidence, read_log, scale, set, undo,
};

/// No log is read again sooner.
const YOUNG: SignedDuration = SignedDuration::from_secs(10);

/// One run of the rules.
pub struct Context<'a> {
    pub index: &'a Index,
    pub now: Now<'a>,
    pub options: Options,
    out: Detection,
    /// What `out` holds, for looking it up.
    reported: HashSet<(String, String, String)>,
    wanted: HashSet<LogWant>,
    memory: Option<Memory>,
    serving: Once<String, Serving>,
    /// The highest owner, by the uid of a pod's controller.
    owners: RefCell<HashMap<String, (ObjectRef, Reads)>>,
    room: Once<String, Rc<Room>>,
    /// How long the pods of a workload take to start, in seconds, by its uid and the container's name.
    starts: Once<(String, String), i64>,
    /// Why no node takes a pod, by its ReplicaSet's uid, the scheduler's words and the moment of the refusal.
    pub(super) unplaced: Once<(String, String, Timestamp), Rc<scheduling::Why>>,
}

/// The pods of a workload that are ready and not about to go.
#[derive(Clone, Copy, Debug, Default)]
pub struct Serving {
    pub ready: usize,
    /// Of these, those of which no container died a moment ago.
    pub steady: usize,
}

impl<'a> Context<'a> {
    /// A run over an index at a time.
    pub fn new(index: &'a Index, now: Timestamp, options: Options) -> Context<'a> {
        Context {
            index,
            now: Now::new(index, now),
            options,
            out: Detection::default(),
            reported: HashSet::new(),
            wanted: HashSet::new(),
            memory: None,
            serving: Once::default(),
            owners: RefCell::default(),
            room: Once::default(),
            starts: Once::default(),
            unplaced: Once::default(),
        }
    }

    /// The same with what was found before.
    pub fn remembering(self, memory: Memory) -> Context<'a> {
        Context { memory: Some(memory), ..self }
    }

    /// Ends the run; what is to be remembered of it comes with what was found.
    pub fn finish(self) -> (Detection, Memory) {
        (self.out, self.memory.unwrap_or_default())
    }

    /// Looks at one object, without regard to what was found of others. What was found in an earlier run is taken again
    /// where nothing of what it was made from has changed.
    pub(super) fn unit(&mut self, unit: Unit, look: impl FnOnce(&mut Context<'a>)) {
        let index = self.index;
        let known = self.memory.as_mut().and_then(|memory| memory.recall(&unit, self.now));
        let found = match known {
            Some((found, reads)) => {
                index.noted(reads);
                found.clone()
            }
            None => {
                let others = std::mem::take(&mut self.out);
                let told = (std::mem::take(&mut self.reported), std::mem::take(&mut self.wanted));
                let ((), reads) = index.noting(|| look(self));
                let found = std::mem::replace(&mut self.out, others);
                (self.reported, self.wanted) = told;
                if let Some(memory) = &mut self.memory {
                    memory.keep(unit, found.clone(), reads);
                }
                found
            }
        };
        for finding in found.findings {
            self.take(finding);
        }
        for want in found.wants {
            self.ask(want);
        }
        self.look_again(found.next);
    }

    fn ask(&mut self, want: LogWant) {
        if self.wanted.insert(want.clone()) {
            self.out.wants.push(want);
        }
    }

    /// Another look is due then at the latest.
    pub(super) fn look_again(&mut self, at: Option<Timestamp>) {
        self.out.next = self.out.next.into_iter().chain(at).min();
    }

    fn take(&mut self, finding: Arc<Finding>) {
        self.reported.insert((finding.rule_id.clone(), finding.object.key(), finding.part.clone()));
        self.out.findings.push(finding);
    }

    /// Takes a finding in.
    pub fn report(&mut self, mut finding: Finding) {
        // A pod cannot have failed before it was made, whatever a folded event's first time says.
        if finding.object.kind == "Pod"
            && let Some(made) = self.index.resolve(&finding.object).and_then(|o| o.meta().creation_timestamp)
            && finding.rule_id != "pod-on-lost-node"
        {
            finding.started_at = finding.started_at.max(made);
        }
        // What is being deleted with its namespace falls apart on purpose.
        let leaving = finding
            .object
            .namespace
            .as_deref()
            .is_some_and(|ns| self.index.get(Kind::Namespace, None, ns).is_some_and(|n| n.meta().deleting()));
        if !leaving {
            self.take(Arc::new(finding));
        }
    }

    /// What the rules have found so far in this run.
    pub fn found(&self) -> &[Arc<Finding>] {
        &self.out.findings
    }

    /// The same, for what is only known when everything is.
    pub fn findings_mut(&mut self) -> &mut [Arc<Finding>] {
        &mut self.out.findings
    }

    /// What was found of this pod blames a template that is no longer there: it stays as a symptom.
    pub fn outdated(&mut self, pod: &ObjectRef) {
        for finding in self.out.findings.iter_mut().filter(|f| f.object.same_name(pod)) {
            let finding = Arc::make_mut(finding);
            finding.causes.clear();
            finding.actions.clear();
        }
    }

    /// The number that holds for a rule: the user's as far as the rule allows it, else its own.
    pub fn threshold(&self, rule_id: &str, own: &Threshold) -> u32 {
        self.options.rules.thresholds.get(rule_id).map_or(own.usual, |set| (*set).clamp(own.least, own.most))
    }

    /// Asks for a log; true while the answer is not there.
    pub fn want(&mut self, want: LogWant) -> bool {
        if self.index.has_log(&want) {
            return false;
        }
        self.ask(want);
        true
    }

    /// Asks for the log of a container that has ended; again, where it was read while it still ran. True while the answer
    /// is not there.
    pub fn want_whole(&mut self, want: LogWant) -> bool {
        if self.index.log_may_have_grown(&want) {
            self.ask(want);
            return true;
        }
        self.want(want)
    }

    /// Asks for the log of a container that runs and has been in trouble since then; again, when that has lasted for
    /// twice as long as when it was read last: a log grows.
    pub fn want_again(&mut self, want: LogWant, since: Timestamp) {
        let Some(read) = self.index.log_tried_at(&want).filter(|_| !self.options.waive_holds) else {
            self.want(want);
            return;
        };
        let age = read.duration_since(since).max(YOUNG);
        if self.now.within(read, age) {
            self.look_again(read.checked_add(age).ok());
        } else {
            self.ask(want);
        }
    }

    /// True when this pod has this finding already in this run.
    pub fn has(&self, rule_id: &str, object: &ObjectRef, part: &str) -> bool {
        self.reported.contains(&(rule_id.to_owned(), object.key(), part.to_owned()))
    }

    /// One look (`scan`) does not waive a hold during which the state is ordinary: before its time the finding only
    /// joins others.
    pub fn ordinary_until_due(&self, finding: &mut Finding) {
        if self.options.waive_holds && !self.is_due(finding) {
            finding.hold = Finding::JOINS_ONLY;
        }
    }

    /// The hold time of a finding has passed.
    pub fn is_due(&self, finding: &Finding) -> bool {
        !self.now.within(finding.started_at, finding.hold)
    }

    /// A finding of this run says what is wrong with this workload.
    pub fn tells_of(&self, subject: &ObjectRef) -> bool {
        self.out.findings.iter().any(|f| f.subject.same_name(subject) && !f.causes.is_empty())
    }

    /// The workload a pod belongs to, and the object that holds its template.
    pub fn owner(&self, pod: &Pod) -> Owner {
        let controller = pod.metadata.controller().map_or("", |c| c.uid.as_str());
        let known = self.owners.borrow().get(controller).map(|(known, reads)| {
            self.index.noted(reads);
            known.clone()
        });
        let subject = known.unwrap_or_else(|| {
            let (found, reads) = self.index.noting(|| self.index.top_owner_of(pod.reference(), &pod.metadata));
            // Static pods belong to no workload, though they have a controller.
            if !controller.is_empty() && found.kind != "Pod" {
                self.owners.borrow_mut().insert(controller.to_owned(), (found.clone(), reads));
            }
            found
        });
        Owner { prefix: prefix(&subject), subject }
    }

    /// The same for any object.
    pub fn owner_of(&self, object: &Object) -> Owner {
        let subject = self.index.top_owner(object);
        Owner { prefix: prefix(&subject), subject }
    }

    /// How bad it is that pods of this workload fail: critical when nothing of a serving workload is ready any more,
    /// medium when as many serve as are wanted (a roll-out whose new pods cannot come).
    pub fn workload_severity(&self, subject: &ObjectRef) -> Severity {
        self.severity_with(subject, subject.uid.as_deref().map(|uid| self.serving(uid).ready))
    }

    /// As many pods of this workload are ready as are wanted.
    pub fn serves_as_wanted(&self, subject: &ObjectRef) -> bool {
        let wanted = self.wanted(subject);
        wanted.is_some_and(|n| subject.uid.as_deref().is_some_and(|uid| self.serving(uid).ready >= n))
    }

    /// How many pods this workload is to have.
    fn wanted(&self, subject: &ObjectRef) -> Option<usize> {
        match &**self.index.resolve(subject)? {
            Object::Deployment(d) => Some(d.spec.replicas.unwrap_or(1).max(0) as usize),
            Object::StatefulSet(s) => Some(s.spec.replicas.unwrap_or(1).max(0) as usize),
            Object::ReplicaSet(r) => Some(r.spec.replicas.unwrap_or(1).max(0) as usize),
            Object::DaemonSet(d) => Some(d.status.desired_number_scheduled.max(1) as usize),
            _ => None,
        }
    }

    /// How many pods whatever an operator has made of this object is to have.
    fn wanted_below(&self, uid: &str) -> usize {
        let (mut wanted, mut queue) = (0, vec![uid]);
        // Owners may name each other in a circle.
        let mut seen = HashSet::new();
        while let Some(uid) = queue.pop() {
            if !seen.insert(uid) {
                continue;
            }
            for made in self.index.owned_by(uid).filter(|o| o.kind() != Kind::Pod) {
                // What a workload owns in turn is counted with it.
                match self.wanted(&made.reference()) {
                    Some(n) => wanted += n,
                    None => queue.push(&made.meta().uid),
                }
            }
        }
        wanted
    }

    /// What the pods of a workload do now; counted once per run.
    pub fn serving(&self, uid: &str) -> Serving {
        self.serving.get(self.index, uid.to_owned(), |uid| {
            let mut counted = Serving::default();
            for pod in self.index.pods_of(uid).into_iter().filter(|p| p.ready() && !p.metadata.deleting()) {
                counted.ready += 1;
                counted.steady += usize::from(super::crash::steady(self.now, pod));
            }
            counted
        })
    }

    /// Seconds that the slowest of a workload's pods that are ready took from the start of this container until they
    /// were; counted once per run. What took longer than two minutes was unready in between.
    pub fn usual_start(&self, uid: &str, container: &str) -> i64 {
        let took = |pod: &&Pod| {
            let status = pod.status.container_statuses.iter().find(|s| s.name == container && s.restart_count == 0)?;
            let ready = Condition::find(&pod.status.conditions, "Ready").filter(|c| c.is_true())?;
            let began = status.state.running.as_ref()?.started_at?;
            Some(ready.last_transition_time?.duration_since(began).as_secs()).filter(|s| *s <= 120)
        };
        self.starts.get(self.index, (uid.to_owned(), container.to_owned()), |_| {
            self.index.pods_of(uid).iter().filter_map(took).max().unwrap_or(0).max(0)
        })
    }

    /// The pods on a node, in order.
    pub fn pods_on(&self, node: &str) -> Vec<&'a Pod> {
        self.index.pods_on(node)
    }

    /// Who takes a resource; counted once per run.
    pub(super) fn room(&self, resource: &str) -> Rc<Room> {
        self.room.get(self.index, resource.to_owned(), |resource| Rc::new(Room::count(self, resource)))
    }

    /// The same, with the number of pods that count as ready.
    pub fn severity_with(&self, subject: &ObjectRef, ready: Option<usize>) -> Severity {
        let kind = subject.read_as().filter(|k| *k != Kind::CustomResource);
        let wanted = match (self.wanted(subject), kind, subject.uid.as_deref()) {
            (Some(n), _, _) => Some(n),
            // The workload of an operator: what it has made tells.
            (None, None, Some(uid)) => Some(self.wanted_below(uid)).filter(|n| *n > 0),
            _ => None,
        };
        match (kind, wanted, ready) {
            (Some(Kind::Job | Kind::CronJob), _, _) => Severity::Medium,
            (_, Some(_), Some(0)) => Severity::Critical,
            (_, Some(wanted), Some(n)) if n >= wanted => Severity::Medium,
            (Some(Kind::Deployment | Kind::StatefulSet | Kind::ReplicaSet | Kind::DaemonSet), None, Some(0)) => {
                Severity::Critical
            }
            _ => Severity::High,
        }
    }
}

fn prefix(subject: &ObjectRef) -> &'static str {
    match subject.kind.as_str() {
        "CronJob" => "spec.jobTemplate.spec.template.spec",
        "Pod" => "spec",
        _ => "spec.template.spec",
    }
}

/// A workload and where its pod specification lies.
#[derive(Clone, Debug)]
pub struct Owner {
    pub subject: ObjectRef,
    /// `spec.template.spec` and the like.
    pub prefix: &'static str,
}

impl Owner {
    /// The path of a container's field.
    pub fn field(&self, init: bool, container: &str, field: &str) -> String {
        let list = if init { "initContainers" } else { "containers" };
        format!("{}.{list}[{container}].{field}", self.prefix)
    }

    /// The path of a field of the pod's template, beside its specification.
    pub fn template_field(&self, field: &str) -> String {
        format!("{}{field}", self.prefix.strip_suffix("spec").unwrap_or_default())
    }

    /// The path of a pod field.
    pub fn pod_field(&self, field: &str) -> String {
        format!("{}.{field}", self.prefix)
    }
}
