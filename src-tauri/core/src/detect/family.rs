//! Which kind of server a workload is, and whether a text speaks as the clients of such a server do.

use crate::object::{Object, PodSpec};

/// What a program calls, by the words that its clients use: what a name or an image of the server has, and what a log
/// has that speaks of it.
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
    (&["keycloak", "dex", "identity", "auth"], &["oidc", "oauth", "issuer", "jwks", "jwt", "token"]),
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
    let mut names = vec![name.to_ascii_lowercase()];
    for container in &spec.containers {
        names.push(container.name.to_ascii_lowercase());
        names.push(container.image.to_ascii_lowercase());
    }
    FAMILIES.iter().any(|(servers, clients)| {
        names.iter().any(|n| servers.iter().any(|s| n.contains(s))) && clients.iter().any(|c| text.contains(c))
    })
}
