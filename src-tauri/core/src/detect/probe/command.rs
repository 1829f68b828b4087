//! What a container's own command tells of its start.

use std::sync::LazyLock;

use regex::Regex;

use crate::object::Container;

/// Seconds that the container's own command sleeps first, and whether it does anything after that.
pub(super) fn sleeps(spec: &Container) -> Option<(i64, bool)> {
    static FORM: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?:^|[;&|\s])sleep[ (]+(\d{1,5})\b|\btime\.sleep\((\d{1,5})\)").ok());
    let line = spec.command.iter().chain(&spec.args).cloned().collect::<Vec<_>>().join(" ");
    let m = FORM.as_ref()?.captures(&line)?;
    let rest = line[m.get(0)?.end()..].split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
    let goes_on = rest.into_iter().any(|w| !matches!(w, "done" | "fi"));
    Some((m.get(1).or(m.get(2))?.as_str().parse().ok()?, goes_on))
}
