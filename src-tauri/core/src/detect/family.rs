//! Which kind of server a workload is, and whether a text speaks as the clients of such a server do.

use crate::object::{Object, PodSpec};

/// What a program calls, by the words that its clients use: what a word of the server's name or image begins with (with
/// `$`: what the whole word is), and what a log has that speaks of it.
const FAMILIES: &[(&[&str], &[&str])] = &[
    (&["redis", "valkey", "keydb", "dragonfly"], &["redis", "lettuce", "jedis", "misconf", "readonly you can't"]),
    (
        &["mysql", "mariadb", "percona", "postgres", "pgbouncer", "cockroach", "timescale"],
        &[
            "sqlexception",
            "sqlstate",
            "jdbc",
            "psycopg",
            "pg::",
            "pq:",
            "pgx",
            "postgres",
            "mysql",
            "mariadb",
            "sqlalchemy",
            "activerecord",
            "sequelize",
            "npgsql",
            "hikari",
            "database",
        ],
    ),
    (&["mongo"], &["mongo"]),
    (&["kafka", "redpanda"], &["kafka", "broker"]),
    (&["rabbit", "amqp"], &["rabbit", "amqp", "broker"]),
    (&["elastic", "opensearch"], &["elastic", "opensearch"]),
    (&["vault"], &["vault"]),
    (&["keycloak", "dex$", "identity$", "auth$"], &["oidc", "oauth", "issuer", "jwks", "jwt"]),
    (&["minio"], &["s3exception", "minio", "nosuchbucket"]),
    (&["nats"], &["nats"]),
];

/// The text speaks as clients of such a server do.
pub(super) fn fits(server: &Object, text: &str) -> bool {
    server.pod_template().is_some_and(|t| is_of(&server.meta().name, &t.spec, text))
}

/// The text speaks as clients of what runs here under this name do.
pub(super) fn is_of(name: &str, spec: &PodSpec, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let mut names = vec![name];
    for container in &spec.containers {
        // Of an image the name counts, and not whose registry it lies in.
        names.extend([&container.name, container.image.rsplit('/').next().unwrap_or("")]);
    }
    let words: Vec<String> =
        names.iter().flat_map(|n| n.split(|c: char| !c.is_ascii_alphanumeric())).map(str::to_ascii_lowercase).collect();
    // `postgresql`, `mongodb`, `rabbitmq`: the rest of the word is of the same thing.
    let is = |word: &String, form: &&str| match form.strip_suffix('$') {
        Some(whole) => word == whole,
        None => word.starts_with(form),
    };
    FAMILIES.iter().any(|(servers, clients)| {
        words.iter().any(|w| servers.iter().any(|s| is(w, s))) && clients.iter().any(|c| text.contains(c))
    })
}
