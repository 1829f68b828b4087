//! The objects of one kind: everywhere, else in the namespace of the context and those that a person named.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use afterwatch_core::{object::Object, observation::Part};

use super::{Known, Resource};
use crate::{
    scope::{self, encoded},
    server::Failure,
    session::Session,
    wire,
};

/// Of one kind not more objects than this are read.
pub(super) const MOST_OBJECTS: usize = 2_000;
const PAGE: usize = 500;

#[derive(Default)]
pub(super) struct Listing {
    pub objects: Vec<Object>,
    /// Where they were read.
    pub places: Vec<Option<Arc<str>>>,
    /// There are more.
    pub cut: bool,
    /// It may not be read everywhere, and never could be.
    pub refused: bool,
    /// Why it is not read any more where it could be read before.
    pub lost: Option<String>,
}

impl Listing {
    /// What of it was read; none where that is all.
    pub fn part(&self) -> Option<Part> {
        let names = || self.places.iter().flatten().map(|name| name.to_string()).collect();
        match () {
            () if self.places.is_empty() => Some(Part::Nothing),
            () if self.cut => Some(Part::First),
            () if self.places.contains(&None) => None,
            () => Some(Part::Within(names())),
        }
    }
}

pub(super) async fn read(session: &Session, resource: &Resource, known: &Known) -> Result<Listing, Failure> {
    let mut listing = Listing::default();
    if !known.refused.contains_key(resource) {
        match pages(session, resource, None, &mut listing).await {
            Err(failure) if failure.code() == 403 => {
                if known.was_read(resource, None) {
                    listing.lost = Some(failure.to_string());
                } else {
                    listing.refused = true;
                }
            }
            // It went between being learned and being asked for; what was known of it waits for the next look.
            Err(failure) if matches!(failure.code(), 404 | 405) && !known.was_read(resource, None) => {
                return Ok(listing);
            }
            other => return other.map(|()| listing),
        }
    }
    let access = session.access(None);
    for namespace in access.named().iter().filter(|_| resource.namespaced) {
        match pages(session, resource, Some(namespace), &mut listing).await {
            Err(failure) if matches!(failure.code(), 403..=405) => {
                if known.was_read(resource, Some(namespace)) {
                    listing.lost = Some(failure.to_string());
                }
            }
            other => other?,
        }
    }
    Ok(listing)
}

async fn pages(
    session: &Session,
    resource: &Resource,
    namespace: Option<&Arc<str>>,
    listing: &mut Listing,
) -> Result<(), Failure> {
    let room = MOST_OBJECTS - listing.objects.len();
    let mut objects = Vec::new();
    let mut next: Option<String> = None;
    let mut restarts = 0;
    loop {
        let mut path = format!("{}?limit={PAGE}", resource.path(namespace.map(|n| &**n)));
        if let Some(token) = &next {
            path.push_str("&continue=");
            path.push_str(&encoded(token));
        }
        let body = match scope::read(session, &path, "application/json").await {
            Err(Failure::Refused(r)) if r.code == 410 && next.is_some() && restarts < 3 => {
                restarts += 1;
                next = None;
                objects.clear();
                continue;
            }
            other => other?,
        };
        let page = wire::page(&body).map_err(Failure::Nonsense)?;
        let items = page.items.unwrap_or_default();
        session.objects.fetch_add(items.len() as u64, Relaxed);
        for (i, raw) in items.into_iter().enumerate() {
            // What is not even an object with a name says nothing.
            objects.extend(wire::custom(&resource.api_version, &resource.kind, &resource.plural, raw));
            if i % 64 == 63 {
                tokio::task::yield_now().await;
            }
        }
        next = page.metadata.next.filter(|t| !t.is_empty());
        let cut = objects.len() > room || (objects.len() == room && next.is_some());
        if cut || next.is_none() {
            objects.truncate(room);
            listing.cut |= cut;
            listing.objects.append(&mut objects);
            listing.places.push(namespace.cloned());
            return Ok(());
        }
    }
}
