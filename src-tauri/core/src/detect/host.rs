//! Host names in a pod's own configuration: environment values, command and arguments.

use std::sync::LazyLock;

use regex::Regex;

use crate::{logs, object::PodSpec};

/// The host names a pod is configured with, without ports, in order of appearance.
pub(crate) fn hosts(spec: &PodSpec) -> Vec<String> {
    static FORMS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        [
            // scheme://user:password@host:port
            r"[a-z][a-z0-9+.-]*://(?:[^\s/@‹]*(?:‹[^›]*›)?@)?([A-Za-z0-9][A-Za-z0-9.-]*)",
            // host:port, and ('host', port) as programs write it
            r"(?:^|[\s=@,;\x22'(])([a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*):\d{2,5}\b",
            // Programs that ask whether a host is there.
            r"\b(?:nslookup|dig|getent (?:hosts|ahosts)|ping|nc|ncat)(?: -[a-zA-Z]+(?:=\S+| ?\d+)?)*\s+([a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*)\b",
            r"\b(?:pg_isready|psql|mysql|mysqladmin|mariadb|redis-cli|mongosh?)\b[^;|&]*?(?:-h|--host)[ =]?([a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*)\b",
            r"\(\s*['\x22]([a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*)['\x22]\s*,\s*\d{2,5}",
        ]
        .iter()
        .filter_map(|p| Regex::new(p).ok())
        .collect()
    });
    static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*$").ok());
    let mut out: Vec<String> = Vec::new();
    let mut push = |host: &str| {
        let host = host.trim_end_matches('.').to_owned();
        if !host.is_empty() && host != "localhost" && !out.contains(&host) {
            out.push(host);
        }
    };
    for c in spec.containers.iter().chain(&spec.init_containers) {
        for e in &c.env {
            let Some(value) = &e.value else { continue };
            let name = e.name.to_ascii_uppercase();
            let names_host = ["HOST", "HOSTNAME", "SERVER", "ADDR", "ADDRESS", "ENDPOINT", "PGHOST"]
                .iter()
                .any(|w| name == *w || name.ends_with(&format!("_{w}")));
            if names_host && NAME.as_ref().is_some_and(|r| r.is_match(value)) {
                push(value);
            }
            let value = logs::without_places(value);
            for form in FORMS.iter() {
                form.captures_iter(&value).for_each(|m| push(&m[1]));
            }
        }
        for word in c.command.iter().chain(&c.args) {
            let word = logs::without_places(word);
            for form in FORMS.iter() {
                form.captures_iter(&word).for_each(|m| push(&m[1]));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::hosts;
    use crate::object::PodSpec;

    #[test]
    fn hosts_are_found_in_urls_variables_and_code() {
        let spec: PodSpec = serde_json::from_str(
            r#"{"containers":[{"name":"a","command":["python3","-c","socket.create_connection(('orders-db', 5432))"],"args":["--broker=kafka-0.kafka:9092"],
                "env":[{"name":"DATABASE_URL","value":"postgres://u:‹removed: password›@db.prod:5432/x"},{"name":"REDIS_HOST","value":"cache"},{"name":"LEVEL","value":"info"}]}]}"#,
        )
        .unwrap();
        assert_eq!(hosts(&spec), ["db.prod", "cache", "orders-db", "kafka-0.kafka"]);
        let place = r#"{"containers":[{"name":"a","args":["--break-at=order.rb:310","--db=pg.shop:5432"]}]}"#;
        assert_eq!(hosts(&serde_json::from_str(place).unwrap()), ["pg.shop"]);
    }
}
