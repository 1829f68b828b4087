//! The few objects around a fault that a person should see together.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;

use super::{
    Graph, GraphEdge, GraphNode, MOST_NODES, Relation, Role,
    fold::{Place, Tie, Ties, pods},
    state::state,
};
use crate::{
    correlate::Fault,
    incident::Incident,
    index::Index,
    object::{Kind, ObjectRef},
};

/// Symptoms that are looked at; of the same workload they are one.
const SYMPTOMS: usize = 200;
/// Nodes that belong to the fault itself: room is left for what connects them and stands beside.
const SEEDS: usize = 8;
/// Nodes that only stand beside.
const BESIDE: usize = 6;
/// Objects of one kind of reference beside one node.
const ALIKE: usize = 2;
/// Nodes asked on the search for a way between cause and symptom.
const ASKED: usize = 40;

/// What a fault is about: where the picture starts.
#[derive(Clone, Debug, Default)]
pub struct Seeds<'a> {
    /// The first cause's object, and the one that refers to it.
    pub cause: Option<(&'a ObjectRef, Option<&'a ObjectRef>)>,
    pub subject: Option<&'a ObjectRef>,
    /// What shows the trouble, with the workload hit; worst first.
    pub symptoms: Vec<(&'a ObjectRef, &'a ObjectRef)>,
}

impl<'a> From<&'a Fault> for Seeds<'a> {
    fn from(fault: &'a Fault) -> Seeds<'a> {
        Seeds {
            cause: fault.causes.first().map(|c| (&c.entity, c.referrer.as_ref())),
            subject: Some(&fault.subject),
            symptoms: fault.findings.iter().map(|f| (&f.object, &f.subject)).collect(),
        }
    }
}

impl<'a> From<&'a Incident> for Seeds<'a> {
    fn from(incident: &'a Incident) -> Seeds<'a> {
        let active = incident.findings.iter().filter(|f| f.active);
        Seeds {
            cause: incident.causes.first().map(|c| (&c.entity, c.referrer.as_ref())),
            subject: Some(&incident.subject),
            symptoms: active.map(|f| (&f.object, f.subject.as_ref().unwrap_or(&f.object))).collect(),
        }
    }
}

/// At most [`MOST_NODES`] objects: the cause, the workload hit, what shows it and the way between them first, then what
/// stands next to it. The same index and fault always give the same picture.
pub fn around<'a>(index: &Index, now: Timestamp, fault: impl Into<Seeds<'a>>) -> Graph {
    let seeds = fault.into();
    let mut picture = Picture {
        index,
        ties: Ties::new(index),
        nodes: Vec::new(),
        left_out: BTreeSet::new(),
        states: BTreeMap::new(),
    };
    let at = |object: &ObjectRef| Place::of(index, object);
    let cause = seeds.cause.map(|(entity, referrer)| (at(entity), referrer.map(at)));
    let subject = seeds.subject.map(at);
    if let Some((entity, referrer)) = &cause {
        picture.add(entity, Role::Cause);
        referrer.iter().for_each(|r| picture.add(r, Role::Beside));
    }
    subject.iter().for_each(|s| picture.add(s, Role::Subject));
    for (object, workload) in seeds.symptoms.iter().take(SYMPTOMS) {
        // A pod that is gone is one of its workload's.
        let gone = object.kind == "Pod" && index.resolve(object).is_none() && workload.kind != "Pod";
        let place = if gone { Place::Pods(at(workload).object().clone()) } else { at(object) };
        match picture.nodes.len() < SEEDS || picture.has(&place) {
            true => picture.add(&place, Role::Symptom),
            false => picture.leave_out(&place),
        }
    }
    let essential = picture.places();
    if let Some((entity, _)) = &cause {
        picture.connect(entity, &essential);
    }
    picture.beside();
    let edges = picture.edges(&cause, subject.as_ref());
    let nodes: Vec<GraphNode> = picture.nodes.iter().map(|(place, role)| node(index, place, *role)).collect();
    Graph { at: now, nodes, edges, left_out: picture.left_out.len() as u32 }
}

fn node(index: &Index, place: &Place, role: Role) -> GraphNode {
    let state = state(index, place);
    let (object, owner, count) = match place {
        Place::Object(object) => (index.resolve(object).map_or_else(|| object.clone(), |o| o.reference()), None, 1),
        Place::Pods(owner) => {
            let pods = pods(index, owner);
            let first = pods.first().map(|p| p.reference());
            let named = index.resolve(owner).map_or_else(|| owner.clone(), |o| o.reference());
            let none =
                ObjectRef { name: String::new(), ..ObjectRef::missing(Kind::Pod, owner.namespace.as_deref(), "") };
            (first.unwrap_or(none), Some(named), pods.len() as u32)
        }
    };
    let role = if state.missing && role > Role::Symptom { Role::Missing } else { role };
    GraphNode { object, role, state: state.text, count, owner, ill: state.ill, missing: state.missing }
}

struct Picture<'a> {
    index: &'a Index,
    ties: Ties<'a>,
    nodes: Vec<(Place, Role)>,
    left_out: BTreeSet<Place>,
    /// Whether something is wrong with a node, and whether it is missing; asked once.
    states: BTreeMap<Place, (bool, bool)>,
}

impl Picture<'_> {
    fn has(&self, place: &Place) -> bool {
        self.nodes.iter().any(|(p, _)| p == place)
    }

    fn state(&mut self, place: &Place) -> (bool, bool) {
        let index = self.index;
        *self.states.entry(place.clone()).or_insert_with(|| {
            let state = state(index, place);
            (state.ill, state.missing)
        })
    }

    fn places(&self) -> Vec<Place> {
        self.nodes.iter().map(|(p, _)| p.clone()).collect()
    }

    /// Takes a node in; of two roles the one that says more stays.
    fn add(&mut self, place: &Place, role: Role) {
        match self.nodes.iter().position(|(p, _)| p == place) {
            Some(at) => self.nodes[at].1 = self.nodes[at].1.min(role),
            None if self.nodes.len() < MOST_NODES => self.nodes.push((place.clone(), role)),
            None => self.leave_out(place),
        }
    }

    fn leave_out(&mut self, place: &Place) {
        self.left_out.insert(place.clone());
    }

    /// Adds what lies between the cause and each of these, by the shortest way.
    fn connect(&mut self, from: &Place, targets: &[Place]) {
        let mut came: BTreeMap<Place, Place> = BTreeMap::new();
        let mut queue: VecDeque<Place> = VecDeque::from([from.clone()]);
        let mut seen: BTreeSet<Place> = BTreeSet::from([from.clone()]);
        let mut asked = 0;
        while let Some(place) = queue.pop_front() {
            // What everything hangs on connects nothing.
            if asked == ASKED || (place != *from && is_hub(&place)) {
                continue;
            }
            asked += 1;
            let next: Vec<Place> = self.ties.of(&place).iter().map(|tie| other(tie, &place).clone()).collect();
            for neighbour in next {
                if seen.insert(neighbour.clone()) {
                    came.insert(neighbour.clone(), place.clone());
                    queue.push_back(neighbour);
                }
            }
            if targets.iter().all(|t| seen.contains(t)) {
                break;
            }
        }
        for target in targets {
            let mut way = Vec::new();
            let mut at = came.get(target);
            while let Some(place) = at.filter(|p| *p != from) {
                way.push(place.clone());
                at = came.get(place);
            }
            // A long way explains nothing.
            if way.len() <= 3 {
                way.iter().rev().for_each(|p| self.add(p, Role::Beside));
            }
        }
    }

    /// Adds what stands next to the fault, the more telling first, and then what leads there.
    fn beside(&mut self) {
        for round in 0..2 {
            let sources = self.places();
            let mut found: Vec<(u8, Relation, usize, Place)> = Vec::new();
            for (order, source) in sources.iter().enumerate() {
                let mut alike: BTreeMap<(Relation, bool), usize> = BTreeMap::new();
                let mut candidates: Vec<(u8, Relation, bool, Place)> = Vec::new();
                for tie in &self.ties.of(source).to_vec() {
                    let place = other(tie, source);
                    let (ill, missing) = self.state(place);
                    if let Some(weight) = weight(tie, source, ill, missing)
                        && (round == 0
                            || matches!(tie.relation, Relation::SendsTo | Relation::AttachesTo | Relation::BoundTo))
                    {
                        candidates.push((weight, tie.relation, tie.from == *source, place.clone()));
                    }
                }
                candidates.sort();
                for (weight, relation, out, place) in candidates {
                    if self.has(&place) {
                        continue;
                    }
                    let many = alike.entry((relation, out)).or_default();
                    *many += 1;
                    match *many <= ALIKE {
                        true => found.push((weight, relation, order, place)),
                        false => self.leave_out(&place),
                    }
                }
            }
            found.sort();
            for (_, _, _, place) in found {
                let beside = self.nodes.iter().filter(|(_, role)| *role == Role::Beside).count();
                if self.has(&place) {
                    continue;
                }
                if beside < BESIDE { self.add(&place, Role::Beside) } else { self.leave_out(&place) }
            }
        }
        let shown = self.places();
        self.left_out.retain(|p| !shown.contains(p));
    }

    /// The references between the nodes, each told once.
    fn edges(&mut self, cause: &Option<(Place, Option<Place>)>, subject: Option<&Place>) -> Vec<GraphEdge> {
        let places = self.places();
        let mut ties: BTreeSet<Tie> = BTreeSet::new();
        for place in &places {
            ties.extend(
                self.ties.of(place).iter().filter(|t| places.contains(&t.from) && places.contains(&t.to)).cloned(),
            );
        }
        let all = ties.clone();
        ties.retain(|tie| !told_by_workload(tie, &all));
        ties.extend(self.lacking(cause, subject, &ties));
        let at = |place: &Place| places.iter().position(|p| p == place).unwrap_or_default() as u32;
        let between = |tie: &Tie, (entity, referrer): &(Place, Option<Place>)| {
            referrer
                .as_ref()
                .is_some_and(|r| (tie.from == *entity && tie.to == *r) || (tie.from == *r && tie.to == *entity))
        };
        let mut edges: Vec<GraphEdge> = ties
            .into_iter()
            .map(|tie| GraphEdge {
                from: at(&tie.from),
                to: at(&tie.to),
                broken: tie.relation == Relation::SelectsNone
                    || cause.as_ref().is_some_and(|c| between(&tie, c))
                    || self.state(&tie.to).1,
                relation: tie.relation,
                detail: tie.detail,
            })
            .collect();
        edges.sort_by_key(|e| (e.from, e.to, e.relation));
        edges
    }

    /// The reference that is at fault where no object makes it: a selector that finds nothing, a need nobody wrote down.
    fn lacking(
        &self,
        cause: &Option<(Place, Option<Place>)>,
        subject: Option<&Place>,
        ties: &BTreeSet<Tie>,
    ) -> Option<Tie> {
        let (entity, referrer) = cause.as_ref()?;
        let tied =
            |a: &Place, b: &Place| ties.iter().any(|t| (t.from == *a && t.to == *b) || (t.from == *b && t.to == *a));
        let lone = || !ties.iter().any(|t| t.from == *entity || t.to == *entity);
        let other = match referrer {
            Some(referrer) if referrer != entity => (!tied(entity, referrer)).then_some(referrer)?,
            _ => subject.filter(|s| *s != entity && lone())?,
        };
        if !self.has(other) {
            return None;
        }
        let there = self.index.resolve(entity.object()).is_some();
        let makes_pods = matches!(other, Place::Pods(_))
            || self.index.resolve(other.object()).is_some_and(|o| o.pod_template().is_some());
        let (relation, from, to) = match entity.object().kind.as_str() {
            "Service" if there && makes_pods => (Relation::SelectsNone, entity, other),
            "Service" | "External" if makes_pods => (Relation::NamesHost, other, entity),
            "Node" => (Relation::WaitsFor, other, entity),
            _ => (Relation::Needs, other, entity),
        };
        Some(Tie { relation, from: from.clone(), to: to.clone(), detail: None })
    }
}

fn other<'t>(tie: &'t Tie, place: &Place) -> &'t Place {
    if tie.from == *place { &tie.to } else { &tie.from }
}

/// What so many refer to that it connects nothing.
fn is_hub(place: &Place) -> bool {
    let Place::Object(object) = place else { return false };
    match object.kind.as_str() {
        "ServiceAccount" => object.name == "default",
        "Namespace" | "Node" | "StorageClass" | "PriorityClass" | "IngressClass" | "GatewayClass" | "ResourceQuota"
        | "LimitRange" | "ClusterRole" | "External" => true,
        _ => false,
    }
}

/// What a workload and its pods both say is told once, by the workload: that is what a person changes.
fn told_by_workload(tie: &Tie, all: &BTreeSet<Tie>) -> bool {
    let same =
        |from: &Place, to: &Place| all.iter().any(|t| t.relation == tie.relation && t.from == *from && t.to == *to);
    match (&tie.from, &tie.to) {
        (Place::Pods(owner), to) => same(&Place::Object(owner.clone()), to),
        (from, Place::Pods(owner)) => same(from, &Place::Object(owner.clone())),
        _ => false,
    }
}

/// How telling it is that this stands next to the fault, the lower the more; `None`: not at all.
fn weight(tie: &Tie, source: &Place, ill: bool, missing: bool) -> Option<u8> {
    let place = other(tie, source);
    let name = place.object().name.as_str();
    if missing && !(place.object().kind == "ServiceAccount" && name == "default") {
        return Some(1);
    }
    let outgoing = tie.from == *source;
    Some(match tie.relation {
        Relation::Owns | Relation::SelectsNone | Relation::Needs | Relation::WaitsFor => 0,
        Relation::Selects | Relation::SendsTo => 1,
        Relation::AttachesTo | Relation::Makes => 2,
        // What else came with it is told only where something is wrong with that, too.
        Relation::Deploys if outgoing => ill.then_some(3)?,
        Relation::Deploys => {
            if ill {
                2
            } else {
                6
            }
        }
        // Every pod of a node, and every node of a pod, only where something is wrong there.
        Relation::RunsOn if !outgoing => ill.then_some(5)?,
        Relation::RunsOn => {
            if ill {
                1
            } else {
                6
            }
        }
        Relation::Mounts | Relation::Reads if name == "kube-root-ca.crt" => return None,
        Relation::Mounts | Relation::Reads | Relation::BoundTo | Relation::StandsFor => 3,
        Relation::NamesHost => {
            if ill {
                2
            } else {
                4
            }
        }
        Relation::Calls | Relation::Restricts | Relation::KeptFor => 4,
        Relation::Scales => {
            if ill {
                2
            } else {
                5
            }
        }
        Relation::Protects | Relation::LiesOn | Relation::Certificate | Relation::NamedBy => 5,
        Relation::Limits => ill.then_some(3)?,
        Relation::PullsWith => 6,
        Relation::GrantsTo | Relation::Grants => (source.object().kind == "ServiceAccount").then_some(4)?,
        Relation::OfClass => (source.object().kind == "PersistentVolumeClaim" && outgoing).then_some(4)?,
        Relation::RunsAs if outgoing => (name != "default").then_some(7)?,
        Relation::RunsAs
        | Relation::LetsIn
        | Relation::LetsOut
        | Relation::Priority
        | Relation::Lists
        | Relation::ListsIn => {
            return None;
        }
    })
}
