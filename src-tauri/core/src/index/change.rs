//! Changes, told from two states of one object.

use jiff::{SignedDuration, Timestamp};

use super::tells_changes;
use crate::{
    change::{Change, ChangeVerb, diff, summarise},
    evidence::Observed,
    explain::reach::is_controller,
    object::{Kind, Meta, Object},
};

/// Entries have whole seconds, and two writes in one second share them.
const JUST_NOW: SignedDuration = SignedDuration::from_secs(2);

pub(super) fn changed(old: &Object, new: &Object, at: Timestamp) -> Option<Change> {
    if !tells_changes(new) {
        return None;
    }
    let fields = diff(old, new);
    let deleting = new.meta().deleting() && !old.meta().deleting();
    if fields.is_empty() {
        return (deleting && new.kind() != Kind::Node).then(|| Change {
            object: new.reference(),
            at: new.meta().deletion_timestamp.unwrap_or(at).min(at),
            who: None,
            verb: ChangeVerb::Deleted,
            summary: "deletion asked for".into(),
            fields: Vec::new(),
            observed: Observed::Live,
        });
    }
    let (who, when) = writer(old.meta(), new.meta(), at);
    Some(Change {
        object: new.reference(),
        // The manager's time has seconds only and can lag behind our clock; ours is never earlier than the write.
        at: when.filter(|t| *t <= at).unwrap_or(at),
        who,
        verb: ChangeVerb::Modified,
        summary: helm_release(new).unwrap_or_else(|| summarise(&fields, None)),
        fields,
        observed: Observed::Live,
    })
}

/// The manager whose entry is new or newer than before, a person's or a tool's before a controller's; else the last
/// writer of the object itself, if it wrote just now. Who only takes something away leaves no entry.
fn writer(old: &Meta, new: &Meta, at: Timestamp) -> (Option<String>, Option<Timestamp>) {
    let fresh = new
        .managed_fields
        .iter()
        .filter(|f| f.subresource.as_deref() != Some("status"))
        .filter(|f| {
            !old.managed_fields.iter().any(|o| {
                o.manager == f.manager
                    && o.operation == f.operation
                    && o.time == f.time
                    && o.subresource == f.subresource
            })
        })
        .max_by_key(|f| (!is_controller(&f.manager), f.time));
    match fresh {
        Some(f) => (Some(f.manager.clone()), f.time),
        None => match new.last_writer() {
            Some((m, t)) if t.is_none_or(|t| at.duration_since(t).abs() <= JUST_NOW) => (Some(m.to_owned()), t),
            _ => (None, None),
        },
    }
}

/// Who made an object: whose entry is the oldest.
fn maker(meta: &Meta) -> Option<String> {
    let own = meta.managed_fields.iter().filter(|f| f.subresource.is_none());
    own.min_by_key(|f| (f.time.is_none(), f.time)).map(|f| f.manager.clone())
}

pub(super) fn created(object: &Object, at: Timestamp) -> Option<Change> {
    if !tells_changes(object) || object.kind() == Kind::Namespace {
        return None;
    }
    let when = object.meta().creation_timestamp;
    // An object that is new to us but old in the cluster was not created now (a permission that came back).
    if when.is_some_and(|t| at.duration_since(t) > SignedDuration::from_secs(60)) {
        return None;
    }
    Some(Change {
        object: object.reference(),
        at: when.filter(|t| *t <= at).unwrap_or(at),
        who: maker(object.meta()),
        verb: ChangeVerb::Created,
        summary: helm_release(object).unwrap_or_else(|| "created".into()),
        fields: Vec::new(),
        observed: Observed::Live,
    })
}

/// Helm keeps each revision of a release in a Secret whose labels say how it went.
fn helm_release(object: &Object) -> Option<String> {
    crate::object::config::HelmRelease::of(object).map(|release| release.words())
}

pub(super) fn deleted(object: &Object, at: Timestamp) -> Option<Change> {
    tells_changes(object).then(|| Change {
        object: object.reference(),
        at,
        // The cluster does not record who deleted an object.
        who: None,
        verb: ChangeVerb::Deleted,
        summary: "deleted".into(),
        fields: Vec::new(),
        observed: Observed::Live,
    })
}
