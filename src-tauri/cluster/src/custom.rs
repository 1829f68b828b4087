//! Kinds that extensions brought. Which there are is asked of the server each time, and each is listed every minute or
//! two: they are many, they change rarely, and a watch is a connection. They are listed at once when an event tells of a
//! Secret or a ConfigMap that is missing: one of them may be what is to make it.
//!
//! A kind that the user may not read is left out without a word, as one that is not served: nobody can be expected to
//! have rights on kinds that came with somebody else's operator. One that fails for another reason, or that could be
//! read before, is told, and what was known of it stays.

mod discovery;
mod read;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

use afterwatch_core::{
    object::{Kind, Object, kind::Mode},
    observation::{Fact, Part, Partly},
};
use futures::StreamExt;
use tokio::{sync::Mutex, time::timeout_at};

use self::{discovery::Found, read::Listing};
use crate::{
    emit::{Closed, Scope},
    scan,
    scope::{self, Ending, encoded, jittered},
    server::Failure,
    session::{Pending, REVIEW_AGAIN, Session},
};

/// More kinds than this are not read.
const MOST_KINDS: usize = 200;
/// Lists under way at once.
const AT_ONCE: usize = 4;
/// From so many failed looks in a row on it is said that what is known is old.
const OLD: u32 = 3;
/// So many things that are not read are put into words, the others counted …
const MOST_WORDS: usize = 8;
/// … and each in no more letters than this.
const LONGEST: usize = 300;

/// A resource that is listed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Resource {
    api_version: String,
    kind: String,
    plural: String,
    namespaced: bool,
}

impl Resource {
    fn group(&self) -> &str {
        self.api_version.split('/').next().unwrap_or_default()
    }

    fn path(&self, namespace: Option<&str>) -> String {
        let within = namespace.map(|n| format!("/namespaces/{}", encoded(n))).unwrap_or_default();
        format!("/apis/{}{within}/{}", self.api_version, self.plural)
    }

    fn only(&self, read: Part) -> Partly {
        Partly { group: self.group().to_owned(), kind: self.kind.clone(), read }
    }
}

impl std::fmt::Display for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.plural, self.group())
    }
}

/// Lists them until the session ends. What is known outlives it.
pub(crate) async fn follow(session: Arc<Session>, known: Arc<Mutex<Known>>) {
    let mut known = known.lock().await;
    let mut pending = Some(Pending::new(session.clone(), Kind::CustomResource, session.turn().await));
    let mut failures = 0;
    loop {
        match sweep(&session, &mut known, false).await {
            Ok(Ok(())) => failures = 0,
            Ok(Err(failure)) => {
                failures += 1;
                match scope::settle(&session, &everywhere(), &failure, failures).await {
                    // An API server that was restarted forbids everything until it has read its rules.
                    Ok(()) | Err(Ending::Forbidden | Ending::NotServed) => {}
                    // The session is about to be torn down by whoever was told.
                    Err(Ending::Trouble) => std::future::pending().await,
                    Err(Ending::Closed) => return,
                }
                pending.take();
                scope::pause(failures, &failure).await;
                continue;
            }
            Err(Closed) => return,
        }
        pending.take();
        let next = tokio::time::sleep(jittered(session.clock().real(session.limits().poll)));
        tokio::select! {
            () = next => {}
            () = async {
                session.out.misses().await;
                tokio::time::sleep(session.clock().real(session.limits().missed)).await;
            } => {}
        }
    }
}

/// Lists them once, and what fails once more.
pub(crate) async fn once(session: &Session) -> Result<Result<(), Failure>, Closed> {
    sweep(session, &mut Known::default(), true).await
}

fn everywhere() -> Scope {
    Scope::everywhere(Kind::CustomResource)
}

/// What is known from the looks before.
#[derive(Default)]
pub(crate) struct Known {
    /// What there is; none before the first good look.
    kinds: Option<Vec<Resource>>,
    /// Where each could be read.
    places: HashMap<Resource, HashSet<Option<Arc<str>>>>,
    /// What may not be read everywhere and never could be, and since when that is known.
    refused: HashMap<Resource, Instant>,
    /// How often in a row it failed.
    failures: HashMap<Resource, u32>,
}

impl Known {
    fn was_read(&self, resource: &Resource, place: Option<&str>) -> bool {
        self.places.get(resource).is_some_and(|places| places.iter().any(|p| p.as_deref() == place))
    }

    /// Takes in what there is now.
    fn learn(&mut self, found: &Found) {
        let failed = found.failed.iter().map(|(resource, _)| resource);
        let kinds: Vec<Resource> = found.kinds.iter().chain(failed).cloned().collect();
        let there: HashSet<&Resource> = kinds.iter().collect();
        self.places.retain(|resource, _| there.contains(resource));
        self.failures.retain(|resource, _| there.contains(resource));
        self.refused.retain(|resource, since| there.contains(resource) && since.elapsed() < REVIEW_AGAIN);
        self.kinds = Some(kinds);
    }
}

/// What one look brought.
#[derive(Default)]
struct Look {
    objects: Vec<Object>,
    partly: Vec<Partly>,
    /// What should be read and is not.
    words: BTreeSet<String>,
}

impl Look {
    fn say(&mut self, words: &str) {
        self.words.insert(words.chars().take(LONGEST).collect());
    }

    fn listed(&mut self, known: &mut Known, resource: Resource, listing: Listing) {
        known.failures.remove(&resource);
        if listing.cut {
            self.say(&format!("only the first {} {resource} are read", read::MOST_OBJECTS));
        }
        if let Some(words) = &listing.lost {
            self.say(&format!("{resource}: {words}"));
        }
        if listing.refused {
            known.refused.entry(resource.clone()).or_insert_with(Instant::now);
        }
        self.partly.extend(listing.part().map(|part| resource.only(part)));
        self.objects.extend(listing.objects);
        known.places.entry(resource).or_default().extend(listing.places);
    }

    fn failed(&mut self, known: &mut Known, resource: Resource, words: &str) {
        self.partly.push(resource.only(Part::Nothing));
        let failures = known.failures.entry(resource.clone()).or_default();
        *failures = failures.saturating_add(1);
        if *failures < OLD {
            self.say(&format!("{resource}: {words}"));
        } else {
            self.say(&format!("what is known of {resource} is old: {words}"));
        }
    }

    /// Everything that is not read, in a few words.
    fn message(&self) -> String {
        let words: Vec<&str> = self.words.iter().take(MOST_WORDS).map(String::as_str).collect();
        match self.words.len() - words.len() {
            0 => words.join("; "),
            more => format!("{}; and {more} more", words.join("; ")),
        }
    }

    async fn tell(self, session: &Session) -> Result<(), Closed> {
        let (count, message) = (u32::try_from(self.words.len()).unwrap_or(u32::MAX), self.message());
        session.out.send(Fact::Partly { kinds: self.partly, count, message }).await?;
        session.out.listed(&everywhere(), Mode::Poll, self.objects).await
    }
}

/// One look at everything: an error where not even the kinds could be learned, or nothing answers.
async fn sweep(session: &Session, known: &mut Known, again: bool) -> Result<Result<(), Failure>, Closed> {
    let limit = session.limits().look;
    let until = tokio::time::Instant::now() + limit;
    let late = || Failure::Nonsense(format!("not read within {} s", limit.as_secs()));
    let discover = || discovery::discover(session, known.kinds.as_deref());
    let found = timeout_at(until, async { if again { scan::twice(discover).await } else { discover().await } }).await;
    let mut found = match found.unwrap_or_else(|_| Err(late())) {
        Ok(found) => found,
        Err(failure) => return Ok(Err(failure)),
    };
    known.learn(&found);
    let mut look = Look::default();
    let beyond = found.kinds.split_off(found.kinds.len().min(MOST_KINDS));
    if !beyond.is_empty() {
        let names: Vec<String> = beyond.iter().map(ToString::to_string).collect();
        let names = afterwatch_core::words::list(&names, 8);
        look.say(&format!("{} custom kinds beyond {MOST_KINDS} are not read: {names}", beyond.len()));
        look.partly.extend(beyond.iter().map(|resource| resource.only(Part::Nothing)));
    }
    look.partly.extend(found.left_out.into_iter().map(|resource| resource.only(Part::Nothing)));
    let group = |group: String| Partly { group, kind: String::new(), read: Part::Nothing };
    look.partly.extend(found.silent.into_iter().map(group));

    let outcomes = match lists(session, known, found.kinds, until, again).await {
        Ok(outcomes) => outcomes,
        Err(failure) => return Ok(Err(failure)),
    };
    let (mut any, mut last) = (false, None);
    for (resource, outcome) in outcomes {
        match outcome.unwrap_or_else(|| Err(late())) {
            Ok(listing) => {
                any = true;
                look.listed(known, resource, listing);
            }
            Err(failure) => {
                look.failed(known, resource, &failure.to_string());
                last = Some(failure);
            }
        }
    }
    // Where nothing answers it is not the kinds.
    if let Some(failure) = last.filter(|f| f.code() == 0 && !any) {
        return Ok(Err(failure));
    }
    for (resource, words) in found.failed {
        look.failed(known, resource, &words);
    }
    look.tell(session).await.map(Ok)
}

type Outcome = (Resource, Option<Result<Listing, Failure>>);

/// Lists each, as far as there is time; an error where the credentials are not taken any more.
async fn lists(
    session: &Session,
    known: &Known,
    kinds: Vec<Resource>,
    until: tokio::time::Instant,
    again: bool,
) -> Result<Vec<Outcome>, Failure> {
    let mut waiting: BTreeSet<Resource> = kinds.iter().cloned().collect();
    let mut outcomes: Vec<Outcome> = Vec::new();
    let mut lists = futures::stream::iter(kinds)
        .map(|resource| async move {
            let ask = || read::read(session, &resource, known);
            let outcome = if again { scan::twice(ask).await } else { ask().await };
            (resource, outcome)
        })
        .buffer_unordered(AT_ONCE);
    while let Ok(Some((resource, outcome))) = timeout_at(until, lists.next()).await {
        if let Err(failure) = &outcome
            && failure.code() == 401
        {
            return Err(failure.clone());
        }
        waiting.remove(&resource);
        outcomes.push((resource, Some(outcome)));
    }
    outcomes.extend(waiting.into_iter().map(|resource| (resource, None)));
    Ok(outcomes)
}
