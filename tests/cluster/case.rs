//! The format of a case (`cases/*.yaml`), explained for authors in `README.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The file's name without its ending.
    #[serde(skip)]
    pub name: String,
    #[serde(skip)]
    text: String,
    /// What the table at the end says of it.
    pub summary: String,
    /// The family of rules it is about; `calm` for what must stay silent.
    pub rule: String,
    /// A namespace of its own. It says nothing about the fault, so that a statement which merely names the
    /// namespace says nothing either.
    pub namespace: String,
    pub needs: Needs,
    #[serde(default)]
    pub setup: Vec<Step>,
    pub fault: Vec<Step>,
    pub visible: Signs,
    /// How long the product is left alone before a quiet case is judged.
    #[serde(default = "default_watch_for")]
    pub watch_for: u64,
    #[serde(default)]
    pub fix: Vec<Step>,
    pub fixed: Option<Signs>,
    /// It touches what every namespace shares: it is played when no other case is breaking anything.
    #[serde(default)]
    pub alone: bool,
    /// Play the fault once more after it was resolved: the same incident must reopen.
    #[serde(default)]
    pub again: bool,
    #[serde(default)]
    pub cleanup: Vec<Step>,
    pub expect: Expect,
}

fn default_watch_for() -> u64 {
    12
}

/// The least cluster that shows the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    /// The API server, the controllers, the scheduler and fake nodes.
    Scheduler,
    /// A node whose containers really run.
    Node,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub apply: Option<String>,
    pub kubectl: Option<Vec<String>>,
    pub sleep: Option<u64>,
    /// The server has to refuse it, or it has to run into its own time limit.
    #[serde(default)]
    pub fails: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signs {
    pub within: u64,
    pub all: Vec<Sign>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    /// A label selector: the status of each such pod, as JSON, a line per pod.
    pub pods: Option<String>,
    /// A pattern on the namespace's events, a line each: `REASON KIND/NAME MESSAGE`.
    pub events: Option<String>,
    /// What this prints.
    pub kubectl: Option<Vec<String>>,
    pub matches: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// Nothing at all may be reported.
    pub quiet: bool,
    /// One answer key for each of several faults that have nothing to do with each other.
    pub faults: Vec<Expect>,
    /// The first cause's entity is one of these.
    pub entity: Vec<Entity>,
    /// The first cause's field holds one of these.
    pub field: Vec<String>,
    /// The first cause's statement holds at least one of each group, in any case of letters.
    pub says: Vec<Vec<String>>,
    /// … and none of these.
    pub never: Vec<String>,
    pub verdict: Vec<String>,
    /// What one look may name instead, because it cannot know what was changed.
    pub glance: Glance,
    pub subject: Option<Entity>,
    pub severity: Vec<String>,
    /// Kinds of evidence that the first cause must cite.
    pub evidence: Vec<String>,
    /// Words that the excerpts of the incident's evidence must hold.
    pub quotes: Vec<String>,
    /// Words that the changes marked as suspect must name.
    pub change: Vec<String>,
    /// The field manager that one of these changes must be put down to.
    pub who: Option<String>,
}

impl Expect {
    /// The answer keys, one for each incident that there should be.
    pub fn each(&self) -> Vec<&Self> {
        if self.quiet {
            Vec::new()
        } else if self.faults.is_empty() {
            vec![self]
        } else {
            self.faults.iter().collect()
        }
    }
}

/// Entities and fields that are right for `scan` and wrong for who watched.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Glance {
    pub entity: Vec<Entity>,
    pub field: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entity {
    pub kind: String,
    pub name: String,
    /// It should exist and does not: `uid` is null.
    #[serde(default)]
    pub missing: bool,
}

/// All cases, by name; a file that does not hold together stops everything.
pub fn load(folder: &Path) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("no cases in {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_none_or(|ending| ending != "yaml") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        cases.push(parse(name, std::fs::read_to_string(&path)?)?);
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    let mut owner = BTreeMap::new();
    for case in &cases {
        if let Some(other) = owner.insert(&case.namespace, &case.name) {
            bail!("{} and {} share the namespace {}", case.name, other, case.namespace);
        }
    }
    Ok(cases)
}

fn parse(name: String, text: String) -> Result<Case> {
    let mut case: Case = serde_saphyr::from_str(&text).with_context(|| format!("{name} is no case"))?;
    (case.name, case.text) = (name, text);
    check(&case).with_context(|| format!("{} does not hold together", case.name))?;
    Ok(case)
}

impl Case {
    /// The same in a namespace where nothing was played yet, and with its own names for what all namespaces share.
    /// Images stay as they are.
    pub fn elsewhere(&self) -> Result<Case> {
        let own = regex::Regex::new(&format!(r"\b{}\b", regex::escape(&self.namespace)))?;
        let other = format!("{}-again", self.namespace);
        let renamed = |line: &str| match line.contains("image:") {
            true => line.to_owned(),
            false => own.replace_all(line, other.as_str()).into_owned(),
        };
        parse(self.name.clone(), self.text.lines().map(renamed).collect::<Vec<_>>().join("\n"))
    }
}

fn check(case: &Case) -> Result<()> {
    let steps = [&case.setup, &case.fault, &case.fix, &case.cleanup];
    for step in steps.into_iter().flatten() {
        let said = [step.apply.is_some(), step.kubectl.is_some(), step.sleep.is_some()];
        ensure!(said.iter().filter(|is| **is).count() == 1, "a step is one of apply, kubectl and sleep");
        ensure!(!step.fails || step.sleep.is_none(), "sleeping cannot fail");
    }
    for signs in std::iter::once(&case.visible).chain(&case.fixed) {
        ensure!(!signs.all.is_empty(), "no signs to look for");
        for sign in &signs.all {
            match (&sign.pods, &sign.events, &sign.kubectl, &sign.matches) {
                (Some(_), None, None, Some(pattern)) | (None, None, Some(_), Some(pattern)) => {
                    regex::Regex::new(pattern)?
                }
                (None, Some(pattern), None, None) => regex::Regex::new(pattern)?,
                _ => bail!("a sign is pods with matches, kubectl with matches, or events"),
            };
        }
    }
    let expect = &case.expect;
    if expect.quiet {
        ensure!(case.rule == "calm" && case.name.starts_with("calm-"), "a quiet case is named calm-…");
        ensure!(expect.entity.is_empty() && expect.says.is_empty() && case.fix.is_empty(), "quiet, and yet more");
        return Ok(());
    }
    ensure!(!case.fix.is_empty(), "a fault has a fix");
    if !expect.faults.is_empty() {
        ensure!(expect.faults.len() > 1 && expect.entity.is_empty(), "several faults have an answer key each");
        ensure!(!case.again, "only one fault can be played again");
    }
    expect.each().into_iter().try_for_each(key)
}

fn key(expect: &Expect) -> Result<()> {
    let known = BTreeSet::from(["established", "likely", "possible", "not_established"]);
    ensure!(!expect.quiet && expect.faults.is_empty(), "an answer key is for one fault");
    ensure!(!expect.entity.is_empty() && !expect.says.is_empty(), "a fault has an entity and words to say");
    ensure!(!expect.verdict.is_empty(), "a fault has its allowed verdicts");
    for verdict in &expect.verdict {
        ensure!(known.contains(verdict.as_str()), "{verdict} is no verdict");
    }
    ensure!(expect.who.is_none() || !expect.change.is_empty(), "who made which change?");
    Ok(())
}
