//! Settings that were taken away shortly before, and that a log names in words of its own.

use super::{Blame, Case, origin::normal, setting::set_key};
use crate::{
    change::Change,
    logs::Signal,
    object::{Kind, Object},
    words,
};

/// A program names the parameter of its code and not the setting: `(Parameter 'connectionString')`.
pub(super) fn of_code(signal: &Signal) -> bool {
    ["(Parameter '", "ConnectionString property"].iter().any(|form| signal.text.contains(form))
}

/// The words of a name, in capitals and in the singular.
fn parts(name: &str) -> Vec<String> {
    normal(name).split('_').map(|w| w.trim_end_matches('S').to_owned()).filter(|w| !w.is_empty()).collect()
}

/// The only setting of such a name that the container had within the hour before and has not any more: a key of a
/// ConfigMap that is its environment, or a variable of its own. `connectionString` is in `ConnectionStrings__Freight`.
pub(super) fn removed(case: &Case<'_, '_>, name: &str, own: &Blame) -> Option<Blame> {
    const LONG: usize = 8;
    let wanted = parts(name);
    if wanted.iter().map(String::len).sum::<usize>() < LONG {
        return None;
    }
    let fits = |key: &str| {
        let has = parts(key);
        wanted.iter().all(|w| has.contains(w))
    };
    let taken = |changes: &[&Change], prefix: &str| -> Vec<String> {
        let fields = changes.iter().flat_map(|c| &c.fields).filter(|f| f.to.is_none());
        let keys = fields.filter_map(|f| f.path.strip_prefix(prefix)).map(|k| k.split(']').next().unwrap_or(k));
        keys.filter(|k| fits(k)).map(str::to_owned).collect()
    };
    let back = |map: &str, key: &str| match case.cx.index.resolve(&case.reference(Kind::ConfigMap, map)).map(|o| &**o) {
        Some(Object::ConfigMap(map)) => map.digests.contains_key(key),
        _ => false,
    };
    let mut found: Vec<(Option<&str>, String)> = Vec::new();
    for map in case.spec.env_from.iter().filter_map(|f| f.config_map_ref.as_ref()) {
        let changes = case.changes(&case.reference(Kind::ConfigMap, &map.name));
        let keys = taken(&changes, "data.").into_iter().filter(|key| !back(&map.name, key));
        found.extend(keys.map(|key| (Some(map.name.as_str()), key)));
    }
    let mine = case.changes(&case.owner.subject);
    let keys = taken(&mine, &case.path("env[")).into_iter();
    found.extend(keys.filter(|key| !case.spec.env.iter().any(|e| e.name == *key)).map(|key| (None, key)));
    found.dedup();
    let [(map, key)] = found.as_slice() else { return None };
    Some(match map {
        Some(map) => {
            let reference = case.reference(Kind::ConfigMap, map);
            let added: Vec<String> = case
                .changes(&reference)
                .iter()
                .flat_map(|c| &c.fields)
                .filter(|f| f.from.is_none())
                .filter_map(|f| f.path.strip_prefix("data.").map(str::to_owned))
                .collect();
            let instead = match added.is_empty() {
                true => String::new(),
                false => format!(", and {} was added", words::list(&added, 3)),
            };
            own.clone()
                .says(format!(
                    "; key {key} was removed from ConfigMap {map}, whose keys are its environment (envFrom), shortly before{instead}"
                ))
                .on(reference, Some(format!("data[{key}]")), case)
                .step(set_key(case, map, Some(key)))
        }
        None => own
            .clone()
            .says(format!("; {key} was removed from the env of container {} shortly before", case.spec.name))
            .field(case.path(&format!("env[{key}]"))),
    })
}
