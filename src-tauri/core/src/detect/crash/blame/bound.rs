//! Bounds that a program is given: of a pool, of the heap, of the time that it waits.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    Blame, Case,
    origin::{Origin, normal, origin, variables},
    setting::{set_env, set_key},
};
use crate::{
    logs::{Class, Signal},
    object::Kind,
};

/// No network answers in so short a time (in milliseconds).
const HASTY: u32 = 50;

/// A time that ran out because it is set too short for any network: `timeout of 3ms exceeded`.
pub(super) fn hasty(case: &Case<'_, '_>, signal: &Signal) -> Option<Blame> {
    static FORM: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:timeout|deadline) ?(?:of |= ?|: )(\d{1,3}) ?ms\b|\btimed out after (\d{1,3}) ?ms\b").ok()
    });
    if signal.class != Class::Timeout {
        return None;
    }
    let found = FORM.as_ref()?.captures(&signal.text)?;
    let ms: u32 = found.get(1).or_else(|| found.get(2))?.as_str().parse().ok()?;
    let short = format!("its own timeout of {ms} ms ran out, which is too short for a network");
    // Only where it is known who sets it: else the host that did not answer is asked about.
    let found =
        (1..=HASTY).contains(&ms).then(|| bound(case, case.own(signal).happened(&short), &["TIMEOUT", "DEADLINE"]))?;
    found.field.is_some().then_some(found)
}

/// A bound that is reached: the only variable or key that sounds like it.
pub(super) fn bound(case: &Case<'_, '_>, own: Blame, words: &[&str]) -> Blame {
    let mut fits = variables(case).into_iter().filter(|n| words.iter().any(|w| normal(n).contains(w)));
    let (Some(name), None) = (fits.next(), fits.next()) else { return own };
    match origin(case, &name) {
        Origin::Literal { name, value } => own
            .says(format!("; {name} is “{value}”"))
            .field(case.path(&format!("env[{name}]")))
            .step(set_env(case, &name)),
        Origin::Map { name, map: from, key } => {
            let reference = case.reference(Kind::ConfigMap, &from);
            let lately = case.wrote(&from, &key);
            let own = own.says(format!("; {name} comes from key {key} of ConfigMap {from}"));
            let own = own.step(set_key(case, &from, Some(&key)));
            match lately {
                true => own.says(", which was written anew shortly before").on(
                    reference,
                    Some(format!("data[{key}]")),
                    case,
                ),
                false => own,
            }
        }
        Origin::Secret { .. } | Origin::Absent => own,
    }
}
