//! Claims about how it went: that it is over, that nothing happened, in which direction something was changed, who did it.

use std::sync::LazyLock;

use afterwatch_core::writing::Case;
use regex::Regex;

use super::{
    lexicon::{DESCRIBING, FUNCTION, NOT_PEOPLE, PROSE},
    number,
    scope::Scope,
    word,
};
use crate::record::Record;

/// What is wrong with a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The record speaks against it.
    Against(String),
    /// What it cites does not carry it.
    Untied(String),
}

fn regex(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

static OVER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"\b(has |have |had |is |was |were |been |are |got |fully |since |now |then |later |soon |it |service |workload |pods? )(recovered|resolved|mitigated|remediated|healed)\b|\b(incident|outage|case) (is|was) closed\b|\b(is|was) (over|back to normal|back up|healthy again|fine again|all well|working again|stable again)\b|\b(has|have|had) (been )?(fixed|come back|returned to normal)\b|\bback to normal\b|\bimpact (is over|ended)\b|\bcame back (up|online|to life)\b|\bno longer (failing|crashing|broken|affected|a problem)\b|\bare healthy again\b|\bended the (incident|impact|outage)\b|\b(incident|outage|impact|trouble|crashes|crashing) (has |have |is )?(ended|stopped)\b|\brecovered\b",
    )
});
static GOES_ON: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"\b(is|are|remains?|was) still (failing|broken|crashing|down|open|ongoing|going on|unresolved|in progress|out)\b|\b(is|are|remains?) (ongoing|unresolved|not over|not resolved|not mitigated|not recovered)\b|\bhas not (recovered|ended|been (resolved|fixed|mitigated))\b|\bstill (keeps|continues)\b|\bcontinues to (fail|crash)\b|\bhas yet to\b|\bnever recovered\b|\bto this (day|moment)\b",
    )
});
static ACKNOWLEDGED: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r"\backnowledged\b|\backnowledgement (came|was|is)\b|\bpicked (it )?up\b"));
static NOTIFIED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(r"\b(was|were|been|got|is) (notified|alerted|paged)\b|\bnotification (was|went|has)\b|\bpager\b")
});
static NOTHING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"\bnothing (else )?(happened|was wrong|failed|broke|changed|of note|unusual)\b|\bno (other |further |more )?(errors?|failures?|restarts?|crashes|incidents?|downtime|interruptions?|impact|outages?|problems?|trouble|data loss|alerts?|issues?) (was|were|is|are|occurred|happened|followed|appeared|in|between|during|at all)\b|\bno (users?|customers?|requests?|data) (was|were|had|saw|noticed|got|failed)\b|\bwithout (any )?(errors?|interruption|downtime|impact|loss|incident|failures?)\b|\bhealthy throughout\b|\b(ran|stayed|remained|was|were) (fine|healthy|stable|well|up|calm|quiet|unaffected) (throughout|all the time|the whole time|until|between|during|in between|before)\b|\buninterrupted(ly)?\b|\bno one (was|noticed)\b|\bnobody (was|noticed)\b|\bnever (failed|went down|restarted)\b|\bunaffected\b|\ball (was )?quiet\b|\bno (other|further) (workload|service|pod|node|namespace|change)s?\b|\bno changes? (was|were|is|are)( \w+)? (made|recorded|seen|applied)\b|\bnothing was changed\b|\bwas watched (throughout|the whole time|all the time)\b|\bcontinuously (watched|recorded|observed)\b|\bfully recorded\b|\bcomplete record\b",
    )
});
static UNSURE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"\b(will|would|should|could|can|may|might|to|until|unless|once|if|when|whether|must|before|lets?|not|n't|never|no|nor|cannot|be) (\w+ )?$|n't $",
    )
});
static FROM_TO: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r"(?i)\bfrom (\S+) (?:\w+ )?(?:down |up |back |over )?to (\S+)|(\S+) (?:→|->) (\S+)"));
static UP: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(r"\b(raised|went up|goes up|rose|increased|bumped|lifted|grew|doubled|higher|increase[sd]?|raises?)\b")
});
static DOWN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"\b(lowered|went down|goes down|fell|reduced|decreased|cut|shrunk|shrank|dropped|halved|lowers?|reduces?|quartered|smaller)\b",
    )
});
static PERSON: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"\bby ([A-Za-z][\w.@-]*)|(?:^|[.;:] )([A-Za-z][\w-]+) (?:had |has |then |later |manually |accidentally )?(?:changed|deployed|rolled|pushed|fixed|noticed|acknowledged|applied|merged|edited|restarted|scaled|reverted|released|ran|removed|deleted|set|lowered|raised|triggered|reported|decided|wrote|said|opened|broke|upgraded|forgot|misconfigured|updated|introduced|reduced|increased|shipped|committed|installed|started|stopped|forced|touched|switched|moved|launched|called)\b",
    )
});

/// What is done to a cluster, and leaves a change behind.
static DEED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"(?i)\b(changed|deployed|rolled|pushed|applied|merged|edited|scaled|reverted|released|deleted|removed|lowered|raised|upgraded|updated|misconfigured|reduced|increased|shipped|committed|installed|switched)\b",
    )
});

/// Claims that do not hang on a name or number.
pub(super) fn wrong(case: &Case, text: &str, scope: &Scope, world: &Scope) -> Option<Wrong> {
    let lower = text.to_lowercase();
    over(case, &lower)
        .or_else(|| nothing(case, &lower, scope))
        .or_else(|| direction(text, scope, world))
        .or_else(|| person(text, scope, world))
}

/// Whether it says how the incident stands: that can be checked against its state.
pub(super) fn is_about_state(text: &str) -> bool {
    static STATE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        regex(
            r"\b(not|is|was|been|still) (yet )?(over|open|resolved|mitigated|acknowledged|ongoing)\b|\b(not|never) (yet )?(recovered|ended)\b|\bno (acknowledgement|notification)\b|\bnot recorded\b",
        )
    });
    STATE.as_ref().is_some_and(|state| state.is_match(&text.to_lowercase()))
}

/// A quotation of several words that is not there.
pub(super) fn misquoted(text: &str, scope: &str) -> Option<String> {
    static QUOTED: LazyLock<Option<Regex>> = LazyLock::new(|| regex("[“\"„]([^“”\"„]{3,}?)[”\"]"));
    let one = |s: &str| s.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let scope = one(scope);
    QUOTED.as_ref()?.captures_iter(text).map(|c| c[1].to_owned()).find(|quoted| {
        let said = one(quoted.trim().trim_end_matches(['.', '…', ',']));
        said.contains(' ') && !scope.contains(&said)
    })
}

/// A match that is not told as wished for, feared or denied.
fn firm(form: &Option<Regex>, text: &str) -> bool {
    let Some(form) = form else { return false };
    form.find_iter(text).any(|found| {
        let before = &text[..found.start()];
        // A name or an image that could not be resolved is no incident that was.
        let lookup = found.as_str().contains("resolved")
            && ["host", "name", "image", "reference", "dns", "address"].iter().any(|w| before.contains(w));
        !lookup && !UNSURE.as_ref().is_some_and(|unsure| unsure.is_match(before)) && !before.trim_end().ends_with("not")
    })
}

fn over(case: &Case, lower: &str) -> Option<Wrong> {
    let i = &case.incident;
    let goes_on = GOES_ON.as_ref().is_some_and(|form| form.is_match(lower));
    if goes_on && i.mitigated_at.is_some() {
        return Some(Wrong::Against("the impact is over".to_owned()));
    }
    if !goes_on && i.mitigated_at.is_none() && firm(&OVER, lower) {
        return Some(Wrong::Against("the impact is not over".to_owned()));
    }
    if lower.contains("resolved") && i.resolved_at.is_none() && !goes_on && i.mitigated_at.is_some() {
        let is_resolved = lower.contains("is resolved") || lower.contains("was resolved");
        if is_resolved {
            return Some(Wrong::Against("it is not resolved".to_owned()));
        }
    }
    let denied = lower.contains("not acknowledged")
        || lower.contains("no acknowledgement")
        || lower.contains("nobody")
        || lower.contains("no one")
        || lower.contains("never acknowledged")
        || lower.contains("unacknowledged");
    if i.acknowledged_at.is_none() && !denied && firm(&ACKNOWLEDGED, lower) {
        return Some(Wrong::Against("no acknowledgement is recorded".to_owned()));
    }
    let told =
        i.notifications > 0 || i.timeline.iter().any(|e| e.kind == afterwatch_core::timeline::EntryKind::Notification);
    if !told && !lower.contains("no notification") && !lower.contains("nobody") && firm(&NOTIFIED, lower) {
        return Some(Wrong::Against("no notification is recorded".to_owned()));
    }
    None
}

fn nothing(case: &Case, lower: &str, scope: &Scope) -> Option<Wrong> {
    let found = NOTHING.as_ref()?.find(lower)?;
    // What was looked at and found well may be called so.
    if lower[found.end()..].starts_with(" with") && scope.denied.contains("trouble") {
        return None;
    }
    if !case.gaps.is_empty() {
        let r = Record::new(case);
        let first = r.gaps().first().map(|gap| r.range(gap.from, gap.to)).unwrap_or_default();
        return Some(Wrong::Against(format!("it was not recorded {first}")));
    }
    if found.as_str().contains("chang") {
        return match case.incident.changes.is_empty() {
            true if lower.contains("record") => None,
            true => Some(Wrong::Untied("that nothing changed was not recorded".to_owned())),
            false => Some(Wrong::Against("changes are recorded".to_owned())),
        };
    }
    // What the record itself says of absence may be repeated.
    let says = scope.text.contains(found.as_str());
    (!says).then(|| Wrong::Untied("that nothing happened is not something that was recorded".to_owned()))
}

/// What a change went from and to.
fn direction(text: &str, scope: &Scope, world: &Scope) -> Option<Wrong> {
    let clean = |s: &str| s.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let known = |from: &str, to: &str, scope: &Scope| scope.moves.iter().any(|(a, b)| same(a, from) && same(b, to));
    for found in FROM_TO.as_ref()?.captures_iter(text) {
        let (Some(from), Some(to)) = (found.get(1).or(found.get(3)), found.get(2).or(found.get(4))) else { continue };
        let (from, to) = (clean(from.as_str()), clean(to.as_str()));
        if known(&to, &from, world) && !known(&from, &to, scope) {
            return Some(match known(&from, &to, world) {
                true => Wrong::Untied(format!("what is cited does not say that it went from {from} to {to}")),
                false => Wrong::Against(format!("it went from {to} to {from}")),
            });
        }
    }
    // One end is right and the other is not.
    for found in FROM_TO.as_ref()?.captures_iter(text) {
        let (Some(from), Some(to)) = (found.get(1).or(found.get(3)), found.get(2).or(found.get(4))) else { continue };
        let (from, to) = (clean(from.as_str()), clean(to.as_str()));
        let half = scope.moves.iter().find(|(a, b)| same(a, &from) != same(b, &to));
        if let (Some((a, b)), false) = (half, known(&from, &to, scope)) {
            return Some(Wrong::Against(format!("it went from {a} to {b}")));
        }
    }
    let lower = text.to_lowercase();
    let sizes: Vec<f64> =
        scope.moves.iter().filter_map(|(a, b)| Some(number::amount(b)? - number::amount(a)?)).collect();
    // That something was set higher or lower is told by a change, or by what says so itself. Advice tells of no deed.
    if scope.moves.is_empty()
        && let Some(deed) = UP.as_ref()?.find(&lower).or(DOWN.as_ref()?.find(&lower))
        && deed.as_str().ends_with("ed")
        && !word::occurs(&scope.text, deed.as_str())
    {
        return Some(Wrong::Untied(format!("what is cited does not say that anything was {}", deed.as_str())));
    }
    // A direction is only told of something that was set.
    if !sizes.is_empty() && (lower.contains("to ") || lower.contains("limit")) {
        let (up, down) = (UP.as_ref()?.is_match(&lower), DOWN.as_ref()?.is_match(&lower));
        if up && !down && sizes.iter().all(|d| *d < 0.0) {
            return Some(Wrong::Against("it was lowered".to_owned()));
        }
        if down && !up && sizes.iter().all(|d| *d > 0.0) {
            return Some(Wrong::Against("it was raised".to_owned()));
        }
    }
    None
}

fn same(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    match (&number::numbers(a)[..], &number::numbers(b)[..]) {
        ([a], [b]) => a.unit == b.unit && (a.value - b.value).abs() < 1e-6 * a.value.abs().max(1.0),
        _ => false,
    }
}

/// Several things began to do something: `Crashes started`.
fn starts_plural(first: Option<regex::Match<'_>>, small: &str) -> bool {
    first.is_some() && small.ends_with('s')
}

/// People: none is named that the record does not name.
fn person(text: &str, scope: &Scope, world: &Scope) -> Option<Wrong> {
    for found in PERSON.as_ref()?.captures_iter(text) {
        let Some(name) = found.get(1).or(found.get(2)) else { continue };
        let small = name.as_str().trim_end_matches(['.', ',']).to_lowercase();
        let starts_sentence = found.get(2).is_some();
        let plain = NOT_PEOPLE.has(&small)
            || FUNCTION.has(&small)
            || DESCRIBING.has(&small)
            || PROSE.has(&small)
            || starts_plural(found.get(2), &small)
            || small.ends_with("ing")
            || small.len() < 2;
        if plain {
            continue;
        }
        if DEED.as_ref().is_some_and(|deed| deed.is_match(text)) && !word::occurs(&world.unlogged, &small) {
            return Some(Wrong::Untied(format!("no change by {} is recorded", name.as_str())));
        }
        if word::occurs(&scope.text, &small) {
            continue;
        }
        if starts_sentence && word::occurs(&world.text, &small) && !world.writers.contains(&small) {
            continue;
        }
        let why = match word::occurs(&world.text, &small) {
            true => format!("what is cited does not name {}", name.as_str()),
            false => format!("the record does not name {}", name.as_str()),
        };
        return Some(Wrong::Untied(why));
    }
    // A capital inside a sentence that nobody in the record wears.
    for word in word::words(text) {
        let capital = word.text.chars().next().is_some_and(char::is_uppercase)
            && word.text.chars().skip(1).all(char::is_lowercase)
            && word.text.chars().count() > 2;
        let small = word.text.to_lowercase();
        if capital && !word.first && !NOT_PEOPLE.has(&small) && !word::occurs(&world.text, &small) {
            return Some(Wrong::Untied(format!("the record does not name {}", word.text)));
        }
    }
    None
}
