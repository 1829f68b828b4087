//! How completely the kinds that extensions brought are read: what nobody looked at is neither gone nor missing.

use std::collections::HashMap;

use super::{Index, reads::Place};
use crate::{
    object::{Kind, Object, ObjectRef, kind::extension},
    observation::{Part, Partly},
};

/// The kinds that are read only in part.
#[derive(Clone, Debug, Default)]
pub(super) struct Extensions {
    /// By group and kind in small letters; an empty kind is all others of the group.
    partly: HashMap<(String, String), Part>,
    /// What holds from the next list on.
    announced: Option<Vec<Partly>>,
}

impl Extensions {
    pub(super) fn announce(&mut self, partly: Vec<Partly>) {
        self.announced = Some(partly);
    }

    /// A list comes; true when something else holds from now on.
    pub(super) fn begin(&mut self) -> bool {
        let Some(partly) = self.announced.take() else { return false };
        self.partly = partly.into_iter().map(|p| ((p.group, p.kind.to_lowercase()), p.read)).collect();
        true
    }

    fn part(&self, group: &str, kind: &str) -> Option<&Part> {
        let of = |kind: String| self.partly.get(&(group.to_owned(), kind));
        // Nearly always everything is read.
        (!self.partly.is_empty()).then(|| of(kind.to_lowercase()).or_else(|| of(String::new())))?
    }

    /// That a list does not have it says nothing of it.
    pub(super) fn hides(&self, object: &Object) -> bool {
        match object {
            Object::CustomResource(o) => {
                self.part(o.group(), &o.kind).is_some_and(|part| part.hides(o.metadata.namespace.as_deref()))
            }
            _ => false,
        }
    }
}

impl Index {
    /// True when an object of an extension's kind that is not known is not there: its kind is read where it would be,
    /// and there are others of it, or where the kind does not matter of its group. Where none is, the kind may be one
    /// that is not served.
    pub fn knows_extension(&self, wanted: &ObjectRef, kind: bool) -> bool {
        self.note(Place::Reading(Kind::CustomResource));
        self.note(Place::Kind(Kind::CustomResource));
        let Some(group) = extension(&wanted.api_version) else { return false };
        let namespace = wanted.namespace.as_deref();
        let whole = match self.extensions.part(group, &wanted.kind) {
            Some(part) => *part != Part::First && !part.hides(namespace),
            None => true,
        };
        whole
            && self.knows(Kind::CustomResource, namespace)
            && self.lookup.has_extension(group, kind.then_some(wanted.kind.as_str()))
    }

    /// True when it was looked at whether there is such an object, and how it is.
    pub fn sees_extension(&self, object: &ObjectRef) -> bool {
        self.note(Place::Reading(Kind::CustomResource));
        let group = extension(&object.api_version).unwrap_or_default();
        match self.extensions.part(group, &object.kind) {
            None => true,
            Some(Part::First) => self.resolve(object).is_some(),
            Some(part) => !part.hides(object.namespace.as_deref()),
        }
    }
}
