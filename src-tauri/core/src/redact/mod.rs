//! Redaction: what looks like a secret is replaced before anything is written, shown, prompted or exported.
//!
//! Two layers. The structural one ([`object`]) drops what is never kept (annotations outside a short list, literal
//! environment values whose name or form looks secret, arguments after `--password` and the like, headers that probes
//! send). The textual one
//! ([`text`]) finds the common forms of tokens in free text: log lines, event messages, notes.

mod pattern;

use std::borrow::Cow;

use serde_json::Value;

use crate::object::{Container, Object, PodSpec};

/// What stands in the place of a removed value.
pub fn mark(what: &str) -> String {
    format!("‹removed: {what}›")
}

/// Replaces secrets in a text by `‹removed: kind›`. Idempotent.
pub fn text(input: &str) -> Cow<'_, str> {
    pattern::text(input)
}

/// Annotations the rules read; every other one is dropped as it arrives, `last-applied-configuration` first of all.
const ANNOTATIONS: &[&str] = &[
    "deployment.kubernetes.io/revision",
    "kubernetes.io/change-cause",
    "kubectl.kubernetes.io/restartedAt",
    "storageclass.kubernetes.io/is-default-class",
    "meta.helm.sh/release-name",
    "meta.helm.sh/release-namespace",
    "argocd.argoproj.io/tracking-id",
    "batch.kubernetes.io/job-completion-index",
    "volume.kubernetes.io/selected-node",
    "pv.kubernetes.io/bind-completed",
    "kubernetes.io/ingress.class",
    "ingressclass.kubernetes.io/is-default-class",
    "nginx.ingress.kubernetes.io/canary",
    "nginx.org/mergeable-ingress-type",
    "volume.beta.kubernetes.io/storage-class",
];
/// Annotations of a ServiceAccount that say whom its pods are to a cloud.
const IDENTITIES: &[&str] =
    &["eks.amazonaws.com/role-arn", "iam.gke.io/gcp-service-account", "azure.workload.identity/client-id"];

/// The annotation says whom pods are to a cloud.
pub(crate) fn is_identity(annotation: &str) -> bool {
    IDENTITIES.contains(&annotation)
}

/// Removes secrets from an object as it arrives.
pub fn object(object: &mut Object) {
    object.meta_mut().annotations.retain(|k, _| ANNOTATIONS.contains(&k.as_str()) || is_identity(k));
    match object {
        Object::Pod(o) => {
            spec(&mut o.spec);
            let statuses = o.status.init_container_statuses.iter_mut().chain(&mut o.status.container_statuses);
            for s in statuses {
                for state in [&mut s.state, &mut s.last_state] {
                    if let Some(w) = &mut state.waiting {
                        clean(&mut w.message);
                    }
                    if let Some(t) = &mut state.terminated {
                        clean(&mut t.message);
                    }
                }
            }
            clean(&mut o.status.message);
        }
        Object::Deployment(o) => template(&mut o.spec.template),
        Object::ReplicaSet(o) => template(&mut o.spec.template),
        Object::StatefulSet(o) => template(&mut o.spec.template),
        Object::DaemonSet(o) => template(&mut o.spec.template),
        Object::Job(o) => template(&mut o.spec.template),
        Object::CronJob(o) => template(&mut o.spec.job_template.spec.template),
        Object::KubeEvent(o) => clean(&mut o.message),
        Object::CustomResource(o) => custom(o),
        Object::ValidatingWebhookConfiguration(o) => {
            o.webhooks.iter_mut().for_each(|w| clean(&mut w.client_config.url));
        }
        Object::MutatingWebhookConfiguration(o) => {
            o.webhooks.iter_mut().for_each(|w| clean(&mut w.client_config.url));
        }
        _ => {}
    }
}

/// What a controller says may quote anything it was given.
fn custom(o: &mut crate::object::CustomResource) {
    const MOST: usize = 2_000;
    o.trim();
    let status = &mut o.status;
    let messages = status.conditions.iter_mut().map(|c| &mut c.message);
    let others = [&mut status.reason, &mut status.health.message, &mut status.operation_state.message];
    for message in messages.chain(others) {
        clean(message);
        if let Some(text) = message.as_mut().filter(|t| t.len() > MOST) {
            *text = crate::words::clip(text, MOST);
        }
    }
}

fn template(template: &mut crate::object::PodTemplate) {
    template.metadata.annotations.retain(|k, _| ANNOTATIONS.contains(&k.as_str()));
    spec(&mut template.spec);
}

fn spec(spec: &mut PodSpec) {
    for c in spec.init_containers.iter_mut().chain(&mut spec.containers) {
        container(c);
    }
}

fn container(c: &mut Container) {
    for e in &mut c.env {
        if let Some(value) = &mut e.value {
            if secret_name(&e.name) && !value.is_empty() && !is_reference(value) {
                *value = mark(&format!("{} characters", value.chars().count()));
            } else {
                replace(value);
            }
        }
    }
    arguments(&mut c.command, None);
    let program = c.command.first().cloned();
    arguments(&mut c.args, program.as_deref());
    for probe in [&mut c.liveness_probe, &mut c.readiness_probe, &mut c.startup_probe].into_iter().flatten() {
        for handler in [&mut probe.http_get, &mut probe.exec].into_iter().flatten() {
            self::handler(handler);
        }
    }
    if let Some(lifecycle) = &mut c.lifecycle {
        handler(lifecycle);
    }
}

/// What a probe or a lifecycle hook runs or sends, as written: its command is cleaned like the container's own, and of
/// its headers the names stay.
fn handler(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match (name.as_str(), field) {
                    ("command", Value::Array(list)) => {
                        let mut words: Vec<String> =
                            list.iter().map(|w| w.as_str().unwrap_or_default().to_owned()).collect();
                        arguments(&mut words, None);
                        *list = words.into_iter().map(Value::String).collect();
                    }
                    ("httpHeaders", Value::Array(list)) => {
                        for header in list.iter_mut().filter_map(Value::as_object_mut) {
                            header.insert("value".to_owned(), Value::String(mark("header")));
                        }
                    }
                    (_, field) => handler(field),
                }
            }
        }
        Value::String(text) => replace(text),
        _ => {}
    }
}

/// Programs whose short option is followed by a secret.
const SHORT: &[(&str, &str)] =
    &[("mysql", "-p"), ("mariadb", "-p"), ("mongo", "-p"), ("sshpass", "-p"), ("redis-cli", "-a"), ("curl", "-u")];

/// Cleans a command's words: values of arguments whose name looks secret (`--password x`, `--token=x`), and what looks
/// like a secret by its form. `program` runs them where the first word does not.
pub fn arguments(list: &mut [String], program: Option<&str>) {
    let program = program.or(list.first().map(String::as_str)).unwrap_or("");
    let program = program.rsplit('/').next().unwrap_or(program).to_owned();
    let short = SHORT.iter().find(|(name, _)| program.starts_with(name)).map(|(_, option)| *option);
    let mut next = false;
    for arg in list.iter_mut() {
        if next {
            *arg = mark("argument");
            next = false;
            continue;
        }
        if let Some(option) = short.filter(|o| arg.starts_with(o)) {
            match arg.len() - option.len() {
                0 => next = true,
                _ => *arg = format!("{option}{}", mark("argument")),
            }
            continue;
        }
        match arg.strip_prefix('-').map(|a| a.trim_start_matches('-').to_owned()) {
            Some(flag) => match flag.split_once('=') {
                Some((name, value)) if secret_name(name) && !value.is_empty() => {
                    *arg = format!("{}={}", &arg[..arg.find('=').unwrap_or(arg.len())], mark("argument"));
                }
                None if secret_name(&flag) => next = true,
                _ => replace(arg),
            },
            None => replace(arg),
        }
    }
}

/// `$(OTHER)` names another variable and holds no value.
fn is_reference(value: &str) -> bool {
    value.starts_with("$(") && value.ends_with(')')
}

fn clean(text: &mut Option<String>) {
    if let Some(t) = text {
        replace(t);
    }
}

fn replace(text: &mut String) {
    if let Cow::Owned(new) = pattern::text(text) {
        *text = new;
    }
}

/// A name that usually names a secret. `PASSWORD_FILE` and `SECRET_NAME` name a place, not a value.
pub fn secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['-', '.'], "_");
    const PLACES: &[&str] =
        &["_file", "_path", "_name", "_dir", "_ref", "_url", "_uri", "_length", "_ttl", "_expiry", "_count"];
    if PLACES.iter().any(|p| name.ends_with(p)) {
        return false;
    }
    const WORDS: &[&str] = &[
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "apikey",
        "api_key",
        "access_key",
        "private_key",
        "credential",
        "auth_key",
        "encryption_key",
        "signing_key",
        "client_key",
        "connection_string",
        "dsn",
    ];
    WORDS.iter().any(|w| name.contains(w)) || name.split('_').any(|part| matches!(part, "pwd" | "pass" | "pw" | "jwt"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_by_name_and_form_are_removed_and_plain_values_stay() {
        let mut pod = Object::from_json(
            crate::object::Kind::Pod,
            r#"{"metadata":{"name":"a","annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{}","deployment.kubernetes.io/revision":"3"}},
                "spec":{"containers":[{"name":"app","image":"x","args":["--password","hunter2","--token=abc","--level=info"],
                "env":[{"name":"DB_PASSWORD","value":"hunter2"},{"name":"LOG_LEVEL","value":"info"},{"name":"PASSWORD_FILE","value":"/run/pw"},
                       {"name":"URL","value":"postgres://app:hunter2@db:5432/app"},{"name":"API_TOKEN","value":"$(OTHER)"}]}]}}"#,
        )
        .unwrap();
        object(&mut pod);
        let json = serde_json::to_string(&pod).unwrap();
        assert!(!json.contains("hunter2"), "{json}");
        assert!(!json.contains("last-applied"));
        for kept in ["info", "/run/pw", "postgres://app:", "@db:5432/app", "$(OTHER)", "--level=info", "revision"] {
            assert!(json.contains(kept), "{kept} is gone from {json}");
        }
    }

    #[test]
    fn what_probes_and_hooks_run_and_send_is_cleaned_too() {
        let mut pod = Object::from_json(
            crate::object::Kind::Pod,
            r#"{"metadata":{"name":"a"},"spec":{"containers":[{"name":"app","image":"x",
                "command":["sh","-c","export DB_PASS=hunter2; app --password hunter2 --level info"],
                "readinessProbe":{"exec":{"command":["mysqladmin","ping","-h","db","-phunter2"]}},
                "livenessProbe":{"httpGet":{"path":"/healthz?token=hunter2","port":8080,"httpHeaders":[{"name":"X-Api-Key","value":"hunter2"}]}},
                "startupProbe":{"exec":{"command":["sh","-c","redis-cli -p 6379 -a hunter2 ping"]}},
                "lifecycle":{"preStop":{"exec":{"command":["curl","-u","app:hunter2","http://x"]}},
                             "postStart":{"httpGet":{"path":"/up","httpHeaders":[{"name":"Authorization","value":"hunter2"}]}}}}]}}"#,
        )
        .unwrap();
        object(&mut pod);
        let json = serde_json::to_string(&pod).unwrap();
        assert!(!json.contains("hunter2"), "{json}");
        for kept in
            ["mysqladmin", "ping", "/healthz", "X-Api-Key", "--level info", "-p 6379", "http://x", "/up", "8080"]
        {
            assert!(json.contains(kept), "{kept} is gone from {json}");
        }
    }

    #[test]
    fn secrets_are_removed_however_they_are_written_and_prose_stays() {
        for secret in [
            r#"{"msg":"sent {\"password\":\"hunter2\",\"user\":\"app\"}"}"#,
            r#"{\\\"client_secret\\\":\\\"hunter2\\\"}"#,
            r#"{"password": "it's hunter2"}"#,
            r#"{"api_token":"a\"hunter2"}"#,
            "DB_PASS=hunter2",
            "MYSQL_PWD=hunter2 mysqldump shop",
            "Server=db;UID=sa;PWD=hunter2;",
            "running: app --password hunter2",
            "mysqladmin -h db -phunter2 ping",
            "password: hunter2",
            "config: {host: db, db_password: hunter, port: 5432}",
            "  password: hunter",
            "X-Api-Key: hunter2",
            "postgres://app:p@hunter2@db:5432/app",
            "SECRET_KEY=hunter2",
            "{:password=>\"hunter2\"}",
        ] {
            let out = text(secret);
            assert!(!out.contains("hunter"), "{secret} stayed: {out}");
            assert_eq!(text(&out), out, "not idempotent: {out}");
            if secret.starts_with("{\"") {
                assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok(), "no JSON any more: {out}");
            }
        }
        for plain in [
            "PWD=/app",
            "OLDPWD=/",
            "tests: pass=12 fail=0",
            "secret: shop/db-credentials not found",
            "secret: not found",
            "invalid password: authentication failed",
            "invalid token: expired",
            "the flag --token is required",
            "password: null",
            "bypass=always",
            "references non-existent secret key: password",
            "registry:5000/team/web@sha256:9f86d081884c7d65",
            "curl -sS http://x/healthz",
            "mysql -h db -P 3306",
        ] {
            assert_eq!(text(plain), plain);
        }
    }

    #[test]
    fn common_token_forms_are_removed_from_text_and_look_alikes_stay() {
        for secret in [
            "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
            "key AKIAIOSFODNN7EXAMPLE used",
            "token=ghp_aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789",
            "password=\"correct horse\"",
            "redis://:s3cr3tpassw0rd@cache:6379",
            "xoxb-123456789012-abcdefghijkl",
            "-----BEGIN RSA PRIVATE KEY-----",
            "\"client_secret\": \"0123456789abcdef\"",
            "Basic dXNlcjpwYXNzd29yZA==",
        ] {
            let out = text(secret);
            assert!(out.contains("‹removed"), "{secret} stayed: {out}");
            assert_eq!(text(&out), out, "not idempotent: {out}");
        }
        for plain in [
            "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "checkout-7d9c5b8f6-x2x9k started",
            "uid 3f2b8c1e-9d4a-4b6e-8f7a-1c2d3e4f5a6b",
            "password authentication failed for user \"app\"",
            "secret \"studio-ca\" not found",
            "token expired",
            "http://cache:6379/path",
        ] {
            assert_eq!(text(plain), plain);
        }
    }
}
