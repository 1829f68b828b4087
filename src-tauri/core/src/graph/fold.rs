//! What a person sees as one: the pods of a workload, a workload with its revisions, a Service with its addresses.

use std::collections::BTreeMap;

use super::{Edge, Relation, neighbours};
use crate::{
    index::Index,
    object::{Kind, Object, ObjectRef, Pod},
};

/// Pods of one workload that are asked for what they refer to: they are alike.
const ASKED: usize = 20;

/// One node of a picture to be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Object(ObjectRef),
    /// The pods of this workload.
    Pods(ObjectRef),
}

impl Place {
    /// Where an object is shown.
    pub(super) fn of(index: &Index, object: &ObjectRef) -> Place {
        let Some(known) = index.resolve(object) else { return Place::Object(nameless(object)) };
        let place = match &**known {
            Object::Pod(_) => match index.top_owner(known) {
                owner if owner.kind == "Pod" => Place::Object(owner),
                owner => return Place::Pods(nameless(&owner)),
            },
            Object::ReplicaSet(_) | Object::Job(_) => Place::Object(index.top_owner(known)),
            Object::EndpointSlice(slice) => match slice.service() {
                Some(name) => Place::Object(ObjectRef::missing(Kind::Service, object.namespace.as_deref(), name)),
                None => Place::Object(known.reference()),
            },
            _ => Place::Object(known.reference()),
        };
        match place {
            Place::Object(o) => Place::Object(nameless(&o)),
            pods => pods,
        }
    }

    /// The object, or the workload of the pods.
    pub(super) fn object(&self) -> &ObjectRef {
        match self {
            Place::Object(o) | Place::Pods(o) => o,
        }
    }

    /// What is shown as this node.
    fn members(&self, index: &Index) -> Vec<ObjectRef> {
        match self {
            Place::Pods(owner) => pods(index, owner).into_iter().take(ASKED).map(Pod::reference).collect(),
            Place::Object(object) => {
                let Some(known) = index.resolve(object) else { return vec![object.clone()] };
                let made = index
                    .owned_by(&known.meta().uid)
                    .filter(|o| matches!(***o, Object::ReplicaSet(_) | Object::Job(_)));
                std::iter::once(known.reference()).chain(made.map(|o| o.reference())).collect()
            }
        }
    }
}

/// Neither uid nor version are part of who it is: the picture is of kinds and names.
fn nameless(object: &ObjectRef) -> ObjectRef {
    let api_version = match Kind::of(&object.api_version, &object.kind) {
        Some(Kind::CustomResource) | None => object.api_version.clone(),
        Some(kind) => kind.api_version().to_owned(),
    };
    ObjectRef { uid: None, api_version, ..object.clone() }
}

/// The pods of a workload that are not finished, those that are not ready first.
pub(super) fn pods<'a>(index: &'a Index, owner: &ObjectRef) -> Vec<&'a Pod> {
    let uid = match index.resolve(owner) {
        Some(known) => known.meta().uid.clone(),
        // An owner of a kind that is not read: its pods say its uid.
        None => index
            .in_namespace(Kind::Pod, owner.namespace.as_deref().unwrap_or(""))
            .filter_map(|p| p.meta().controller())
            .find(|c| c.kind == owner.kind && c.name == owner.name)
            .map(|c| c.uid.clone())
            .unwrap_or_default(),
    };
    let mut pods = index.pods_of(&uid);
    // Where some still run, what has ended is the past.
    if pods.iter().any(|p| !p.finished()) {
        pods.retain(|p| !p.finished());
    }
    pods.sort_by_key(|p| (p.ready(), p.metadata.name.clone()));
    pods
}

/// A reference between two nodes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tie {
    pub(super) relation: Relation,
    pub(super) from: Place,
    pub(super) to: Place,
    pub(super) detail: Option<String>,
}

/// The references of each node, asked for once.
pub(super) struct Ties<'a> {
    index: &'a Index,
    known: BTreeMap<Place, Vec<Tie>>,
}

impl<'a> Ties<'a> {
    pub(super) fn new(index: &'a Index) -> Ties<'a> {
        Ties { index, known: BTreeMap::new() }
    }

    /// What this node refers to, and what refers to it.
    pub(super) fn of(&mut self, place: &Place) -> &[Tie] {
        let index = self.index;
        self.known.entry(place.clone()).or_insert_with(|| {
            let mut found: BTreeMap<(Relation, Place, Place), Option<String>> = BTreeMap::new();
            for Edge { relation, from, to, detail } in place.members(index).iter().flat_map(|o| neighbours(index, o)) {
                let (from, to) = (Place::of(index, &from), Place::of(index, &to));
                if from != to && (from == *place || to == *place) {
                    let known = found.entry((relation, from, to)).or_default();
                    *known = known.take().or(detail);
                }
            }
            found.into_iter().map(|((relation, from, to), detail)| Tie { relation, from, to, detail }).collect()
        })
    }
}
