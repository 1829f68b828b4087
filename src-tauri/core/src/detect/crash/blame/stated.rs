//! A line that complains of a variable and repeats the value that the container has it at.

use std::sync::LazyLock;

use regex::Regex;

use super::{Case, contains_word};
use crate::{
    logs::{self, Class, Signal},
    object::pod::EnvVar,
};

/// So near the end such a line says why a program ends.
const NEAR: usize = 40;

/// The last line that does, as what the log says of a refused value. Nothing proves more than both sides of it, whatever
/// the level that the line gives itself.
pub(in crate::detect::crash) fn stated(case: &Case<'_, '_>, lines: &[String]) -> Option<Signal> {
    static COMPLAINS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:refus\w*|invalid|illegal|malformed|unknown|unsupported|unrecogni[sz]ed|unexpected|cannot|can't|could not|couldn't|unable|must|should be|expected|not (?:an? )?(?:valid|allowed|supported|recogni[sz]ed|known|number|integer)|out of range|too (?:large|small|long|short|high|low)|bad|failed to parse|parse error)\b").ok()
    });
    // It goes on all the same.
    static LIVES_ON: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:using|fall(?:s|ing)? ?back|default\w*|ignor\w+|deprecated|retry\w*|set to|assum\w+|instead|continu\w+|warn(?:ing)?)\b").ok()
    });
    let literal = |e: &&EnvVar| e.value.as_deref().is_some_and(|v| v.len() >= 2 && !v.contains('‹'));
    let from = lines.len().saturating_sub(NEAR);
    let near = lines.iter().enumerate().skip(from).rev();
    near.filter(|(_, line)| case.spec.env.iter().filter(literal).any(|e| line.contains(&e.name))).find_map(
        |(at, line)| {
            let text = logs::message(line);
            let complains = COMPLAINS.as_ref()?.is_match(&text) && !LIVES_ON.as_ref()?.is_match(line);
            let of_connection =
                logs::signals(std::slice::from_ref(line)).first().is_some_and(|s| s.class.is_connection());
            if !complains || of_connection {
                return None;
            }
            let said = |e: &&EnvVar| {
                let value = e.value.as_deref().unwrap_or_default();
                contains_word(&text, &e.name) && contains_word(&text.replacen(&e.name, " ", 1), value)
            };
            let variable = case.spec.env.iter().filter(literal).find(said)?;
            Some(Signal {
                class: Class::BadConfig,
                line: at,
                subject: Some(variable.name.clone()),
                value: variable.value.clone(),
                file: None,
                detail: None,
                text,
                weight: 100,
            })
        },
    )
}
