//! Which places of the index an observation touches.

use super::{
    key_of,
    lookup::{about, addresses, keeps_apart},
    reads::{Place, Tracker},
};
use crate::{
    change::Change,
    object::{Object, Pod},
};

impl Tracker {
    /// An object comes, goes, or is another than before.
    pub(super) fn touch_object(&mut self, object: &Object) {
        let (kind, (namespace, name), meta) = (object.kind(), key_of(object), object.meta());
        self.touch(Place::Kind(kind));
        self.touch(Place::Within(kind, &namespace));
        self.touch(Place::Object(kind, &namespace, &name));
        self.touch(Place::Uid(&meta.uid));
        if meta.deleting() {
            self.touch(Place::Deleting(kind));
        }
        meta.owner_references.iter().for_each(|owner| self.touch(Place::Children(&owner.uid)));
        addresses(object).into_iter().for_each(|address| self.touch(Place::Address(address)));
        match object {
            Object::Pod(pod) => {
                for (label, value) in &pod.metadata.labels {
                    self.touch(Place::Labelled(&namespace, label, value));
                }
                if let Some(node) = &pod.spec.node_name {
                    self.touch(Place::On(node));
                }
                if keeps_apart(pod) {
                    self.touch(Place::Apart);
                }
            }
            Object::EndpointSlice(slice) => {
                slice.service().into_iter().for_each(|service| self.touch(Place::Slices(&namespace, service)));
            }
            Object::KubeEvent(event) => {
                self.touch(Place::Events(&event.object().key()));
                about(event).into_iter().for_each(|(kind, _)| self.touch(Place::Told(kind)));
            }
            _ => {}
        }
    }

    /// A change is remembered, or no longer.
    pub(super) fn touch_change(&mut self, change: &Change) {
        self.touch(Place::Changes);
        let object = &change.object;
        self.touch(Place::ChangesOf(&object.kind, object.namespace.as_deref(), &object.name));
    }
}

/// The two states of a pod differ in more than in what the status says; whether it has finished counts as well.
pub(super) fn stands_elsewhere(old: &Object, new: &Object) -> bool {
    let (Object::Pod(old), Object::Pod(new)) = (old, new) else { return false };
    let is = |pod: &Pod| {
        let meta = &pod.metadata;
        (pod.finished(), meta.creation_timestamp, meta.deletion_timestamp)
    };
    let (was, meta) = (&old.metadata, &new.metadata);
    is(old) != is(new)
        || old.spec != new.spec
        || was.uid != meta.uid
        || was.labels != meta.labels
        || was.annotations != meta.annotations
        || was.owner_references != meta.owner_references
}
