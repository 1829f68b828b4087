//! Writes the rule reference, docs/rules.md, to stdout: `make docs`.

use afterwatch_core::{
    detect::{Hold, Rule, Threshold, rules},
    remediation::ActionKind,
};

const HEAD: &str = "\
<!-- Written by `make docs` from what the rules say of themselves (src-tauri/core/src/detect). Do not edit. -->

# The rules

Afterwatch finds trouble by rules: fixed conditions on what the cluster says, the same for everybody. A rule that fires
gives a *finding*; findings that belong to one fault become one incident. No rule asks a model or the internet.

What holds for all of them:

- A finding opens an incident only after its **hold time**, counted from the cluster's own timestamps. `scan`, which
  looks once, does not wait.
- An incident is as severe as its worst finding. Unless the settings say otherwise,
  *critical*, *high* and *medium* are notified at once and *low* is only listed.
- A kind that may not be read, or has not been read yet, is never taken for empty: the rules that need it stay silent.
- Objects that are being deleted, and everything in a namespace that is being deleted, are silent.
- A **threshold** is a number that can be set in Settings, Rules. Below a count of its own a finding opens nothing; it
  joins an incident that is open.
- **Limits** say when a rule is silent or takes back what it said, and what it does not claim.
- Steps are text with a kubectl line to check and run. Afterwatch changes nothing in a cluster.
";

fn main() {
    println!("{HEAD}");
    println!("| rule | what it means |\n|---|---|");
    for rule in rules() {
        println!("| [`{0}`](#{0}) | {1} |", rule.id, rule.means);
    }
    for rule in rules() {
        println!("\n{}", section(rule));
    }
}

fn section(rule: &Rule) -> String {
    let holds: Vec<String> = rule.holds.iter().map(|h| hold(*h)).collect();
    let severities: Vec<String> = rule
        .severities
        .iter()
        .map(|(severity, when)| {
            let name = format!("{severity:?}").to_lowercase();
            if *when == "always" { name } else { format!("{name}: {when}") }
        })
        .collect();
    let reads: Vec<&str> = rule.reads.iter().map(|k| k.as_str()).collect();
    let steps: Vec<String> = rule.advises.iter().map(|k| step(*k)).collect();
    let advises = if steps.is_empty() { "nothing of its own".to_owned() } else { steps.join(", ") };
    let limits: String = rule.limits.iter().map(|s| format!("\n- {s}")).collect();
    format!(
        "## {}\n\n{}\n\n| | |\n|---|---|\n| Hold time | {} |\n{}| Severity | {} |\n| Reads | {} |\n| Advises | {advises} |\n| Source | {} |\n\nLimits:\n{limits}",
        rule.id,
        rule.means,
        holds.join("<br>"),
        rule.threshold.map(threshold).unwrap_or_default(),
        severities.join("<br>"),
        reads.join(", "),
        rule.source.replace('|', "\\|"),
    )
}

fn threshold(t: Threshold) -> String {
    let unit = if t.usual == 1 { t.unit.trim_end_matches('s') } else { t.unit };
    format!("| Threshold | {} {} {unit} ({} to {} can be set) |\n", t.means, t.usual, t.least, t.most)
}

fn hold(hold: Hold) -> String {
    match hold {
        Hold::Exactly(0, "") => "none".to_owned(),
        Hold::Exactly(0, when) => format!("none {when}"),
        Hold::Exactly(seconds, "") => format!("{seconds} s"),
        Hold::Exactly(seconds, when) => format!("{seconds} s {when}"),
        Hold::AtMost(seconds, when) => format!("at most {seconds} s {when}"),
        Hold::JoinsOnly(when) => format!("never opens an incident, and joins one, {when}"),
    }
}

/// The kind of a step as the documents name it: `set_resources`.
fn step(kind: ActionKind) -> String {
    let mut name = String::from("`");
    for c in format!("{kind:?}").chars() {
        if c.is_ascii_uppercase() && name.len() > 1 {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name + "`"
}
