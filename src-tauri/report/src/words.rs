//! A section of the post-mortem that was worded anew.

use afterwatch_core::{
    incident::Incident,
    writing::{Section, Standing, Statement, Writing},
};

use crate::{cite::Citations, text::inert};

/// The section's body as Markdown, to stand under its heading. What is not established says so; what was struck is
/// left out.
pub fn worded(incident: &Incident, section: Section, writing: &Writing) -> String {
    let cite = Citations::new(incident);
    let shown = writing.statements.iter().filter(|s| !matches!(s.standing, Standing::Struck(_)));
    let lines: Vec<(&Statement, String)> = shown.map(|s| (s, sentence(&cite, s))).collect();
    if lines.is_empty() {
        return "*Not established:* nothing that was recorded says it.\n".to_owned();
    }
    let lines = lines.into_iter();
    match section {
        Section::Summary | Section::Trigger | Section::RootCause => {
            lines.map(|(_, line)| format!("{line}\n")).collect()
        }
        Section::ActionItems => table(lines),
        Section::Impact | Section::ContributingFactors | Section::Detection | Section::Response | Section::NotKnown => {
            lines.map(|(_, line)| format!("- {line}\n")).collect()
        }
    }
}

fn sentence(cite: &Citations<'_>, statement: &Statement) -> String {
    let text = inert(statement.text.trim().trim_end_matches('.'));
    let mark = if statement.standing == Standing::Tied { "" } else { "*Not established:* " };
    match &cite.known(&statement.cites)[..] {
        // What is tied and cites nothing stands on the timeline itself.
        [] if statement.standing == Standing::Tied => format!("{text} [timeline]."),
        [] => format!("{mark}{text}."),
        ids => format!("{mark}{text} [{}].", ids.join(", ")),
    }
}

fn table<'a>(lines: impl Iterator<Item = (&'a Statement, String)>) -> String {
    let mut out = "| Kind | Action | Owner | Until | Status |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for (statement, line) in lines {
        let repairs = statement.cites.iter().any(|id| id.starts_with('A'));
        let kind = if repairs { "Repair" } else { "Follow up" };
        let line = line.trim_end_matches('.');
        out.push_str(&format!("| {kind} | {line} | no owner yet | no date | proposed |\n"));
    }
    out
}
