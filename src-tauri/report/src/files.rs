//! The post-mortem as Markdown with its figure in a file beside it.

use afterwatch_core::redact;
use jiff::Timestamp;

use crate::{
    ReportInput, edit,
    figure::figure,
    file_name,
    paper::PageOptions,
    section::{Page, plain_object},
    text::{inert, one_line},
};

/// A file to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportFile {
    /// Without a folder; made of letters, digits, dots and dashes.
    pub name: String,
    pub bytes: Vec<u8>,
}

/// The Markdown, then the figure it shows. `front_matter` puts the facts before it (`title`, `id`, `severity`, `state`,
/// the times in UTC, `cluster`, `subject`, `status`), for wikis and static sites.
pub fn markdown_files(
    input: &ReportInput<'_>,
    markdown: &str,
    options: &PageOptions,
    front_matter: bool,
) -> Vec<ReportFile> {
    let name = file_name(input.incident);
    let picture = format!("{}-figure.svg", name.strip_suffix(".md").unwrap_or(&name));
    let figure = figure(&Page::new(input));
    let shown = format!("![{}]({picture})\n\n*{}*\n", inert(&figure.alt), inert(&figure.caption));
    let mut text = if front_matter { self::front_matter(input, options) } else { String::new() };
    let at = place(markdown);
    let (before, after) = markdown.split_at(at);
    text.push_str(before.trim_end());
    text.push_str("\n\n");
    text.push_str(&shown);
    if !after.is_empty() {
        text.push('\n');
        text.push_str(after);
    }
    vec![ReportFile { name, bytes: text.into_bytes() }, ReportFile { name: picture, bytes: figure.svg.into_bytes() }]
}

/// Where the figure goes: at the end of the impact, else of the summary, else of the text.
fn place(markdown: &str) -> usize {
    let all = edit::headings(markdown);
    let end_of = |name: &str| {
        let at = all.iter().position(|h| h.words.to_lowercase().contains(name))?;
        Some(all[at + 1..].iter().find(|h| h.level <= all[at].level).map_or(markdown.len(), |h| h.range.start))
    };
    end_of("impact").or_else(|| end_of("summary")).unwrap_or(markdown.len())
}

/// The facts as YAML between two lines of dashes, to stand before the Markdown.
pub fn front_matter(input: &ReportInput<'_>, options: &PageOptions) -> String {
    let i = input.incident;
    // A string of JSON is one of YAML.
    let text = |value: &str| serde_json::to_string(&one_line(&redact::text(value))).unwrap_or_default();
    let time = |at: Option<Timestamp>| at.map_or("null".to_owned(), |at| at.to_string());
    let id = if i.number == 0 { "null".to_owned() } else { text(&i.label()) };
    let rows = [
        ("title", text(&i.title)),
        ("id", id),
        ("severity", text(&i.severity.word().to_lowercase())),
        ("state", text(&i.state.word().to_lowercase())),
        ("started", time(i.started_at)),
        ("detected", time(Some(i.detected_at))),
        ("acknowledged", time(i.acknowledged_at)),
        ("mitigated", time(i.mitigated_at)),
        ("resolved", time(i.resolved_at)),
        ("cluster", text(&i.cluster)),
        ("subject", text(&plain_object(&i.subject))),
        ("status", text(options.review.words())),
    ];
    let lines: String = rows.into_iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    format!("---\n{lines}---\n\n")
}
