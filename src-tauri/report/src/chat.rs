//! The post-mortem in a few lines, for a chat.

use afterwatch_core::{words, writing::Section};

use crate::{
    ReportInput, cite::is_id, edit::section_of, paper::PageOptions, section::Page, shape::section_heading, text::inert,
};

/// Characters of one part: a chat is no place for a page.
const LONGEST: usize = 600;

/// What happened, why, and how far people are with it, as short Markdown: the first paragraphs of what the text says
/// under summary and root cause, without citations, since nobody can follow them there.
pub fn chat(input: &ReportInput<'_>, markdown: &str, options: &PageOptions) -> String {
    let incident = input.incident;
    let page = Page::new(input);
    let label = if incident.number == 0 { "Incident".to_owned() } else { incident.label() };
    let severity = incident.severity.word();
    let state = incident.state.word().to_lowercase();
    let begin = incident.started_at.unwrap_or(incident.detected_at);
    let when = match incident.resolved_at {
        Some(end) => page.clock.range(begin, end),
        None => format!("since {}", page.clock.full(begin)),
    };
    let place = match &incident.subject.namespace {
        Some(namespace) => format!("{} / {namespace}", incident.cluster),
        None => incident.cluster.clone(),
    };
    let mut lines = vec![
        format!("**{label}: {}** ({severity}, {state})", inert(&incident.title)),
        format!("{}, {when} {}", inert(&place), page.clock.zone_name(begin)),
    ];
    for (name, section) in [("", Section::Summary), ("**Root cause:** ", Section::RootCause)] {
        let heading = section_heading(markdown, section);
        let body = heading.and_then(|heading| section_of(markdown, &heading)).map(first_paragraph).unwrap_or_default();
        if !body.is_empty() {
            lines.push(format!("{name}{body}"));
        }
    }
    lines.push(format!("*Post-mortem: {}.*", options.review.words()));
    lines.join("\n\n") + "\n"
}

/// The first paragraph of ordinary words, on one line, without citations and without prompts to the author.
fn first_paragraph(body: &str) -> String {
    let ordinary = |block: &&str| {
        let first = block.trim_start();
        !first.is_empty()
            && !first.starts_with(['#', '|', '>', '-', '+'])
            && !first.starts_with("```")
            && !first.starts_with("* ")
            && !first.starts_with("*For the author:")
    };
    let Some(block) = body.split("\n\n").find(ordinary) else { return String::new() };
    let line = block.split_whitespace().collect::<Vec<_>>().join(" ");
    words::clip(&uncited(&line), LONGEST).to_string()
}

/// Without citations, and without the space before them.
fn uncited(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        let cited = after.split_once(']').filter(|(ids, _)| {
            !before.ends_with('\\')
                && ids.split([',', ';']).all(|id| is_id(id.trim()) || id.trim().eq_ignore_ascii_case("timeline"))
        });
        match cited {
            Some((_, end)) => {
                out.push_str(before.trim_end());
                rest = end;
            }
            None => {
                out.push_str(before);
                out.push('[');
                rest = after;
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn citations_go_and_other_brackets_stay() {
        assert_eq!(uncited("Killed [E5, E7]. By \\[E1] and [a list] [timeline]."), "Killed. By \\[E1] and [a list].");
    }

    #[test]
    fn only_ordinary_words_are_taken() {
        let body = "*For the author: say it.*\n\n| a | b |\n\n- item\n\nWhat\nhappened [E1].\n\nMore.";
        assert_eq!(first_paragraph(body), "What happened.");
        assert_eq!(first_paragraph("- only\n- a list"), "");
    }
}
