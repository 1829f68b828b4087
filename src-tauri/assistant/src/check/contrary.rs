//! The opposite of what is cited, and what is said by words where a number is expected: a denial of what the record
//! says, another severity, a share of things that nobody counted, a deed of Afterwatch that is not recorded.

use std::sync::LazyLock;

use afterwatch_core::writing::Case;
use regex::Regex;

use super::{
    cause::{self, Tone},
    claim::Wrong,
    number,
    scope::Scope,
};

fn regex(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

static DENIED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"\b(?:(?:was|were|is|are|been|be|got) (?:not|never)|wasn['’]t|weren['’]t|(?:did|does|do|has|have|had) (?:not|never)(?: been)?|didn['’]t|doesn['’]t|hasn['’]t(?: been)?|never) (killed?|oom-?killed|crash(?:ed)?|panic(?:ked)?|exceed(?:ed)?|lower(?:ed)?|raised?|changed?|reduced?|cut|switch(?:ed)?|restart(?:ed)?)\b",
    )
});
static NOT_READY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(r"\b(is|was|are|were|be|became|becomes?) not ready\b|\bunready\b|\bnot[- ]ready\b|\bnotready\b")
});
static READY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"\b(is|was|are|were|stays?|stayed|remains?|remained) (still |all |always )?ready\b|\bha(s|ve|d) (a |an |one |some |several |enough |\d+ )?(ready|healthy) (endpoints?|pods?)\b",
    )
});
static SAYS_READY: LazyLock<Option<Regex>> = LazyLock::new(|| regex(r"\b(is|are) ready\b|\bready: true\b"));
static SAYS_NOT_READY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"\bnot ready\b|\bnotready\b|\bnodenotready\b|\bunready\b|\bready[:=] ?(false|unknown)\b|\bno ready\b|\bready endpoints: 0\b|\bnone of\b|\bdoes not become ready\b",
    )
});
static SHARE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"\b(half|most|a third|two thirds|a quarter|three quarters|the majority|a handful|dozens|hundreds|thousands|both|all) (of )?(the |its |all )?(other |old |new |remaining )?(pods|replicas|nodes|requests|containers|services|deployments|workloads|namespaces|times)\b|\b(dozens|hundreds|thousands|scores) of\b|\bcountless\b",
    )
});
static SEVERITY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"\b(critical|high|medium|low)[- ]severity\b|\bseverity (?:is|was|of|stayed|remained|at)? ?(critical|high|medium|low)\b",
    )
});
static OWN_DEED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"\bafterwatch (?:has |had |then |itself |automatically )?(?:rolled|restored|reverted|fixed|repaired|applied|restarted|scaled|deleted|removed|changed|lowered|raised|undid|patched|set|switched|drained|evicted|went back)\b|\b(?:rolled back|restored|reverted|fixed|repaired|applied|restarted|scaled|deleted|removed|changed|lowered|raised|patched) (?:\w+ )?by afterwatch\b",
    )
});
static REQUEST: LazyLock<Option<Regex>> = LazyLock::new(|| regex(r"\b(memory|cpu|storage|resource) requests?\b"));
static WROTE: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r"\b(wrote|logged|printed)\b|\blogs? (says?|said|shows?|showed|has|had|holds?|names?)\b"));
static CHANGED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"\b(was|were|been|got) (just |then |later )?(lowered|raised|increased|decreased|reduced|changed|edited|modified|switched|replaced|upgraded|downgraded)\b",
    )
});
static PULLED: LazyLock<Option<Regex>> = LazyLock::new(|| regex(r"\b(pulled|downloaded|fetched)\b"));
static NOT_PULLED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"\b(be|been|being|was|is|not|never|cannot|can['’]t) (pulled|downloaded|fetched)\b|\b(cannot|could not|couldn['’]t)\b",
    )
});
static WELL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(
        r"\bserv(es|ed|ing) (requests|traffic|users|customers)\b|\banswer(s|ed) (in time|at once|normally|quickly|correctly)\b|\b(ran|runs?|running|works?|worked|working) (fine|well|normally|stably|correctly|as expected|smoothly)\b|\b(stay(s|ed)|remain(s|ed)|kept) (up|running|alive|online)\b|\bwithout (a |any )?(break|trouble|problems?|fault|pause|gaps?|incident)\b|\bfinish(ed|ing) (its|the) (work|job|task)\b|\b(container|program|process|app) (ended|exited|stopped) by itself\b|\bsucceed(ed|s)?\b|\bsuccessful(ly)?\b|\b(large|big|strong|high) enough\b|\bmade (it|things|matters) (worse|better)\b|\bworsened\b|\bas (it|they) (was|were)\b|\buntouched\b|\bunchanged\b|\b(leaves?|left|leaving) [^.;]*in place\b|\bfrom outside\b|\b(would|will|does|do) not help\b|\b(whole|entire|full) (time|period|incident|night|history) (was|is|has been) (recorded|watched|observed)\b",
    )
});
static LIMIT: LazyLock<Option<Regex>> = LazyLock::new(|| regex(r"\b(memory|cpu) limits?\b"));

/// How the record says that nothing was restarted.
const NEVER_RESTARTED: [&str; 2] = ["restarts 0", "restartcount: 0"];

/// What is wrong with it.
pub(super) fn wrong(case: &Case, text: &str, scope: &Scope) -> Option<Wrong> {
    let lower = text.to_lowercase();
    denied(&lower, scope)
        .or_else(|| ready(case, &lower, scope))
        .or_else(|| severity(case, &lower))
        .or_else(|| uncounted(&lower, scope))
        .or_else(|| deed(&lower, scope))
        .or_else(|| request(&lower, scope))
        .or_else(|| factor(&lower, scope))
        .or_else(|| pressure(&lower, scope))
        .or_else(|| silent(&lower, scope))
        .or_else(|| pulled(&lower, scope))
        .or_else(|| well(&lower, scope))
        .or_else(|| change(&lower, scope))
}

/// It says that something did not happen which the record says did.
fn denied(lower: &str, scope: &Scope) -> Option<Wrong> {
    for found in DENIED.as_ref()?.captures_iter(lower) {
        let verb = found.get(1)?.as_str();
        let changed = !scope.moves.is_empty() || scope.affirmed.contains("changed");
        let stem = match verb {
            v if v.contains("kill") => "killed",
            v if v.starts_with("crash") => "crash",
            v if v.starts_with("panic") => "panic",
            v if v.starts_with("exceed") => "exceed",
            v if v.starts_with("restart") && NEVER_RESTARTED.iter().any(|w| scope.text.contains(w)) => continue,
            v if v.starts_with("restart") => "restart",
            _ if changed => return Some(Wrong::Untied("what is cited is a change".to_owned())),
            _ => continue,
        };
        let denies = ["not", "never", "no"].iter().any(|no| scope.text.contains(&format!("{no} {stem}")));
        if scope.affirmed.contains(stem) && !denies {
            return Some(Wrong::Against(format!("what is cited says “{stem}”")));
        }
    }
    None
}

/// It calls ready what is not, or the other way round.
fn ready(case: &Case, lower: &str, scope: &Scope) -> Option<Wrong> {
    let (yes, no) = (SAYS_READY.as_ref()?, SAYS_NOT_READY.as_ref()?);
    let says_not = no.is_match(&scope.text);
    let says = scope.text.lines().any(|line| yes.is_match(line) && !no.is_match(line));
    let not_ready = NOT_READY.as_ref()?.is_match(lower);
    if not_ready && says && !says_not {
        return Some(Wrong::Against("what is cited says that it is ready".to_owned()));
    }
    // What was not ready may have become so since.
    let over = case.incident.mitigated_at.is_some();
    if !over && READY.as_ref()?.is_match(lower) && !not_ready && !denies(lower) && says_not && !says {
        return Some(Wrong::Against("what is cited says that it is not ready".to_owned()));
    }
    None
}

/// Whether something in it is said not to be so, or not yet.
fn denies(lower: &str) -> bool {
    let padded = format!(" {lower}");
    [
        " no ", " not ", "n't ", "n’t ", " none ", "never ", "nothing", "nobody", "without", "until ", "once ",
        "when ", "empty",
    ]
    .iter()
    .any(|w| padded.contains(w))
}

fn severity(case: &Case, lower: &str) -> Option<Wrong> {
    let is = case.incident.severity.word().to_lowercase();
    let said = SEVERITY.as_ref()?.captures(lower)?;
    let said = said.get(1).or(said.get(2))?.as_str();
    (said != is).then(|| Wrong::Against(format!("the severity is {is}")))
}

/// A share or a crowd of things that the record does not speak of.
fn uncounted(lower: &str, scope: &Scope) -> Option<Wrong> {
    let found = SHARE.as_ref()?.find(lower)?.as_str();
    let all = found.starts_with("all ");
    let counted =
        scope.text.contains(found) || all && ["every ", "none of", "all "].iter().any(|w| scope.text.contains(w));
    (!counted).then(|| Wrong::Untied(format!("how many “{found}” are was not recorded")))
}

/// Afterwatch records; what it did stands in the record.
fn deed(lower: &str, scope: &Scope) -> Option<Wrong> {
    let found = OWN_DEED.as_ref()?.find(lower)?.as_str();
    (!scope.text.contains(found)).then(|| Wrong::Untied("that Afterwatch did it is not recorded".to_owned()))
}

/// A request is no limit.
fn request(lower: &str, scope: &Scope) -> Option<Wrong> {
    let (request, limit) = (REQUEST.as_ref()?.is_match(lower), LIMIT.as_ref()?.is_match(lower));
    let (has_request, has_limit) = (scope.text.contains("request"), scope.text.contains("limit"));
    match () {
        () if request && !has_request && has_limit => Some(Wrong::Untied("what is cited is a limit".to_owned())),
        () if limit && !has_limit && has_request => Some(Wrong::Untied("what is cited is a request".to_owned())),
        () => None,
    }
}

/// Halved is not quartered.
fn factor(lower: &str, scope: &Scope) -> Option<Wrong> {
    const WORDS: [(&str, f64); 5] =
        [("halved", 0.5), ("quartered", 0.25), ("doubled", 2.0), ("tripled", 3.0), ("quadrupled", 4.0)];
    let (word, said) = WORDS.iter().find(|(word, _)| lower.contains(word))?;
    let factors: Vec<f64> = scope
        .moves
        .iter()
        .filter_map(|(from, to)| Some(number::amount(to)? / number::amount(from)?))
        .filter(|f| f.is_finite())
        .collect();
    let fits = factors.iter().any(|factor| (factor - said).abs() < 0.05 * said);
    (!factors.is_empty() && !fits).then(|| Wrong::Against(format!("it was not {word}")))
}

/// Pressure that was looked for and not found.
fn pressure(lower: &str, scope: &Scope) -> Option<Wrong> {
    let looked = scope.denied.contains("pressure") && !scope.affirmed.contains("pressure: true");
    let says = cause::clauses(lower).iter().any(|clause| {
        clause.find("pressure").is_some_and(|at| matches!(cause::tone(clause, at), Tone::Says) && !denies(clause))
    });
    (looked && says).then(|| Wrong::Against("pressure was looked for and not found".to_owned()))
}

/// What wrote no log said nothing.
fn silent(lower: &str, scope: &Scope) -> Option<Wrong> {
    let wrote = WROTE.as_ref()?.is_match(lower) && !denies(lower);
    let early = scope.text.contains("had written no log") && !scope.text.contains("log of container");
    (wrote && (early || scope.text.contains("wrote no log"))).then(|| Wrong::Against("it wrote no log".to_owned()))
}

/// It is said to have been pulled where the record says that it could not be.
fn pulled(lower: &str, scope: &Scope) -> Option<Wrong> {
    let says = PULLED.as_ref()?.is_match(lower) && !NOT_PULLED.as_ref()?.is_match(lower) && !denies(lower);
    let failed =
        ["cannot pull", "cannot be pulled", "errimagepull", "failed to pull"].iter().any(|w| scope.text.contains(w));
    (says && failed).then(|| Wrong::Against("it could not be pulled".to_owned()))
}

/// It says that something went well, or became worse, in words that the record does not have.
fn well(lower: &str, scope: &Scope) -> Option<Wrong> {
    let found = WELL.as_ref()?.find(lower)?;
    let denied = denies(&lower[..found.start()]) || found.as_str().ends_with(" enough") && denies(lower);
    (!denied && !scope.text.contains(found.as_str()))
        .then(|| Wrong::Untied(format!("what is cited does not say “{}”", found.as_str())))
}

/// Something was changed, and what is cited is no change.
fn change(lower: &str, scope: &Scope) -> Option<Wrong> {
    let says = CHANGED.as_ref()?.is_match(lower) && !denies(lower);
    let changed = ["chang", "→", "lowered", "modified", "added", "removed"].iter().any(|w| scope.affirmed.contains(w));
    (says && scope.moves.is_empty() && !changed).then(|| Wrong::Untied("what is cited is no change".to_owned()))
}
