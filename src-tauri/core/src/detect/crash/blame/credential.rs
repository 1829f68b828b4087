//! Credentials that are refused, and where they come from.

use super::{
    Blame, Case, file,
    setting::{self, set_env},
};
use crate::{
    change::{ChangeVerb, FieldChange},
    logs::{self, Class, Signal},
    object::{Kind, Object},
    severity::Confidence,
};

/// Credentials that are refused: the Secret they come from, where it was written lately, else the workload.
pub(super) fn refused(case: &Case<'_, '_>, signal: &Signal) -> Blame {
    let own = case.own(signal);
    if let Some(blame) = identity(case, signal, &own) {
        return blame;
    }
    // Not the password is wrong, but for whom it is.
    let only = |word: &str| {
        let mut found = case.spec.env.iter().filter(|e| e.name.to_ascii_uppercase().contains(word));
        found.next().filter(|_| found.next().is_none())
    };
    let by_name = match signal.detail {
        Some(logs::NO_USER) => only("USER"),
        Some(logs::NO_KEY_ID) => only("KEY_ID"),
        _ => None,
    };
    if let Some(e) = by_name {
        let named = Signal { class: Class::BadConfig, subject: Some(e.name.clone()), file: None, ..signal.clone() };
        let blame = setting::bad(case, &named).rule(&own.rule).happened(&own.phrase);
        let confidence = blame.confidence.min(Confidence::Likely);
        return blame.sure(confidence);
    }
    let expired = signal.detail == Some(logs::EXPIRED);
    // What says most plainly that it is a credential comes first; where a token is refused, a token.
    let words = ["PASS", "PWD", "SECRET", "TOKEN", "KEY", "CRED", "AUTH", "DSN", "URL", "URI"];
    let lower = signal.text.to_ascii_lowercase();
    let first: &[&str] = match () {
        () if ["expiredtoken", "security token"].iter().any(|w| lower.contains(w)) => &["SESSION_TOKEN", "TOKEN"],
        () if lower.contains("token") && !lower.contains("password") => &["TOKEN"],
        () => &[],
    };
    let words: Vec<&str> = first.iter().chain(&words).copied().collect();
    let of_secrets = case.spec.env.iter().filter_map(|e| {
        let name = e.name.to_ascii_uppercase();
        let at = words.iter().position(|w| name.contains(w))?;
        let key = e.value_from.as_ref()?.secret_key_ref.as_ref()?;
        Some((at, e, key))
    });
    let from = of_secrets.min_by_key(|(at, _, _)| *at);
    if let Some((_, e, key)) = from {
        let secret = case.reference(Kind::Secret, &key.name);
        let said = format!("; {} comes from key {} of Secret {}", e.name, key.key, key.name);
        if expired {
            return own.says(said).on(secret, Some(format!("data[{}]", key.key)), case);
        }
        if case.changes(&secret).is_empty() {
            return own.says(said).field(case.path(&format!("env[{}]", e.name)));
        }
        return own.says(format!("{said}, which was written anew shortly before")).on(
            secret,
            Some(format!("data[{}]", key.key)),
            case,
        );
    }
    let whole = case.spec.env_from.iter().filter_map(|f| f.secret_ref.as_ref()).find(|r| {
        let secret = case.reference(Kind::Secret, &r.name);
        !case.changes(&secret).is_empty()
    });
    if let Some(r) = whole {
        let secret = case.reference(Kind::Secret, &r.name);
        let anew = case.changes(&secret).iter().any(|c| c.verb != ChangeVerb::Created);
        let keys = match case.get(Kind::Secret, &r.name) {
            Some(Object::Secret(s)) => s.keys.clone().unwrap_or_default(),
            _ => Default::default(),
        };
        // The key that says most plainly that it is a credential.
        let place = |key: &String| words.iter().position(|w| key.to_ascii_uppercase().contains(w));
        let key = keys.iter().filter(|k| place(k).is_some()).min_by_key(|k| place(k));
        let named = key.map(|k| format!(", {k} among them,")).unwrap_or_default();
        return own
            .says(format!("; the keys of Secret {}{named} are its environment (envFrom)", r.name))
            .says(if anew { ", and it was written anew shortly before" } else { "" })
            .on(secret, key.map(|k| format!("data[{k}]")), case);
    }
    // Or from a file: the only Secret it mounts.
    let mut shown = file::secrets(case);
    if let (Some((name, at)), None) = (shown.next(), shown.next()) {
        let secret = case.reference(Kind::Secret, name);
        let lately = !case.changes(&secret).is_empty();
        let own = own.says(format!("; it mounts Secret {name} at {at}"));
        return match expired || lately {
            true => {
                own.says(if lately { ", which was written anew shortly before" } else { "" }).on(secret, None, case)
            }
            false => own,
        };
    }
    let literal = case.spec.env.iter().find(|e| {
        let name = e.name.to_ascii_uppercase();
        e.value.is_some() && ["PASS", "PWD", "TOKEN", "CRED"].iter().any(|w| name.contains(w))
    });
    let user = signal.subject.as_deref().and_then(|s| case.written(s));
    match (literal, user) {
        (Some(e), _) => own.field(case.path(&format!("env[{}]", e.name))).step(set_env(case, &e.name)),
        (None, Some(field)) => own.field(field),
        (None, None) => own,
    }
}

/// Whom the pod is to a cloud was changed shortly before: an annotation of its ServiceAccount, such as
/// `eks.amazonaws.com/role-arn`.
fn identity(case: &Case<'_, '_>, signal: &Signal, own: &Blame) -> Option<Blame> {
    const CLOUD: [&str; 9] = [
        "locate credentials",
        "nocredential",
        "could not load credentials",
        "default credentials",
        "webidentity",
        "web identity",
        "assumerole",
        "workload identity",
        "azureidentity",
    ];
    let lower = signal.text.to_ascii_lowercase();
    if !CLOUD.iter().any(|w| lower.contains(w)) {
        return None;
    }
    let name = case.pod.spec.service_account_name.as_deref().unwrap_or("default");
    let account = case.reference(Kind::ServiceAccount, name);
    let changes = case.changes(&account);
    // The only annotations that are compared; one that was added took nothing away.
    let lost = |f: &&FieldChange| f.path.starts_with("metadata.annotations") && f.from.is_some();
    let (change, field) = changes.iter().rev().find_map(|c| Some((c, c.fields.iter().find(lost)?)))?;
    let annotation = field.path.trim_start_matches("metadata.annotations").trim_matches(['.', '[', ']']);
    let was = if field.to.is_none() { "removed from" } else { "changed in" };
    let who = change.who.as_deref().unwrap_or("somebody");
    let said = format!(
        "; {annotation} was {was} the annotations of ServiceAccount {name} by {who} at {}",
        change.at.strftime("%H:%M:%S UTC")
    );
    Some(own.clone().says(said).on(account, Some(field.path.clone()), case).sure(Confidence::Likely))
}
