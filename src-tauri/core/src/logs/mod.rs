//! Reading logs: what a dead container's last words say.
//!
//! [`read`] finds the lines that explain a failure, names what they speak of (a file, a variable, a host), and picks the
//! line to quote. [`template`] groups lines that differ only in numbers and ids.

mod around;
mod class;
mod form;
mod level;
mod line;
mod signal;
mod source;
mod template;

pub use class::Class;
pub use signal::{EXPIRED, NO_KEY_ID, NO_USER, Reading, Signal, read};
pub(crate) use source::without_places;
pub use template::{Template, template, templates};

/// Longest quotation of a log line in a sentence.
pub const QUOTE: usize = 220;

/// Telling lines, the one that explains most first.
pub fn signals(lines: &[String]) -> Vec<Signal> {
    read(lines).signals
}

/// The line that best tells why a container ended, with its place: the strongest signal, else the last line that
/// looks like an error, else the last line that says anything.
pub fn last_words(lines: &[String]) -> Option<(usize, String)> {
    read(lines).words
}

/// The message of a line, without time, level and JSON around it.
pub fn message(line: &str) -> String {
    line::message(line).text
}

/// A message without what its logger puts before it: the channel, the level, the name of the logger.
pub(crate) fn without_head(text: &str) -> &str {
    line::without_head(text)
}

/// A server says in this line only that a client asked for what it has not.
pub(crate) fn is_of_client(line: &str) -> bool {
    line::is_of_client(&message(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    /// The log, the class that must come first, and what it must speak of.
    fn check(log: &str, class: Class, subject: &str) {
        let lines = lines(log);
        let found = signals(&lines);
        let first = found.first().unwrap_or_else(|| panic!("nothing found in {log}"));
        assert_eq!(first.class, class, "in {log}");
        assert_eq!(first.subject.as_deref().unwrap_or(""), subject, "in {log}");
    }

    #[test]
    fn a_head_ends_where_the_message_begins() {
        for (text, message) in [
            ("ERROR c.acme.App - boom", "boom"),
            ("ERROR [c.acme.App] boom", "boom"),
            ("FATAL - boom", "boom"),
            ("ERROR application.yml: line 12: boom", "application.yml: line 12: boom"),
            ("FATAL redis.conf: boom", "redis.conf: boom"),
            ("ERROR spring.datasource.url must be set", "spring.datasource.url must be set"),
        ] {
            assert_eq!(super::without_head(text), message);
        }
    }

    #[test]
    fn words_that_only_look_telling_name_nothing() {
        check(
            "starting with role worker\npanic: runtime error: index out of range [3] with length 3",
            Class::Panic,
            "",
        );
        for log in [
            "environment is not defined",
            "Missing required configuration \"bootstrap.servers\"",
            "no configuration file found",
            "starting with role worker",
            "granted role admin to app",
        ] {
            let found = signals(&lines(log));
            assert!(!found.iter().any(|s| matches!(s.class, Class::MissingEnv | Class::Authentication)), "{found:?}");
        }
        check("FATAL:  role \"app\" does not exist", Class::Authentication, "app");
        check("Access denied for user 'app'@'10.0.0.1' (using password: YES)", Class::Authentication, "app");
        check("env DATABASE_URL is required", Class::MissingEnv, "DATABASE_URL");
        check("missing environment variable 'database_url'", Class::MissingEnv, "database_url");
        check("Missing required setting KAFKA_BROKERS", Class::MissingEnv, "KAFKA_BROKERS");
        check("Environment variable API_KEY not set", Class::MissingEnv, "API_KEY");
    }

    #[test]
    fn what_stands_deeper_or_earlier_is_read_where_it_names_more() {
        check(
            r#"{"level":"fatal","msg":"cannot start","error":{"kind":"ConfigError","cause":"open /etc/gate/rules.yaml: no such file or directory"}}"#,
            Class::MissingFile,
            "/etc/gate/rules.yaml",
        );
        check(
            "WARN o.a.k.c.ClientUtils - Couldn't resolve server broker-1.kafka:9092 from bootstrap.servers as DNS resolution failed for broker-1.kafka\nERROR Application failed\norg.apache.kafka.common.config.ConfigException: No resolvable bootstrap urls given in bootstrap.servers",
            Class::Dns,
            "broker-1.kafka:9092",
        );
        let redis = "*** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***\nReading the configuration file, at line 3\n>>> 'dir /data/rdb'\n";
        check(&format!("{redis}No such file or directory"), Class::MissingFile, "/data/rdb");
        check(&format!("{redis}Permission denied"), Class::PermissionDenied, "/data/rdb");
        check(&format!("{redis}Bad directive or wrong number of arguments"), Class::BadConfig, "dir");
        check(
            "Unhandled exception. System.InvalidOperationException: Section 'Smtp:Host' not found in configuration.",
            Class::MissingSetting,
            "Smtp:Host",
        );
        check("fail: Startup[0] Section 'Smtp' not found in configuration.", Class::MissingSetting, "Smtp");
        let first = |log: &str| signals(&lines(log)).first().map(|s| s.class);
        assert_ne!(first("ERROR Key 'Session:42' not found in cache"), Some(Class::MissingSetting));
        // What was only warned of is not why it ended, though it says that it ends.
        let warned = "WARN could not connect to redis:6379: connection refused, continuing without cache\nERROR tenant 42 has two primary regions\nINFO shutting down";
        assert_ne!(first(warned), Some(Class::ConnectionRefused));
    }

    #[test]
    fn what_a_schema_lists_over_many_lines_is_read_as_one() {
        let issue = |fields: &str| {
            format!("ZodError: [\n  {{\n    {fields}\n  }}\n]\n    at get error [as error] (/app/x.js:1:2)")
        };
        let path = |name: &str| format!("\"path\": [\n      \"{name}\"\n    ],\n    ");
        let undefined =
            "\"code\": \"invalid_type\",\n    \"expected\": \"string\",\n    \"received\": \"undefined\",\n    ";
        check(
            &issue(&format!("{undefined}{}\"message\": \"Required\"", path("SESSION_SECRET"))),
            Class::MissingEnv,
            "SESSION_SECRET",
        );
        check(&issue(&format!("{undefined}{}\"message\": \"Required\"", path("port"))), Class::MissingSetting, "port");
        let newer = "\"expected\": \"string\",\n    \"code\": \"invalid_type\",\n    ";
        let words = "\"message\": \"Invalid input: expected string, received undefined\"";
        check(&issue(&format!("{newer}{}{words}", path("API_URL"))), Class::MissingEnv, "API_URL");
        let wrong = "\"received\": \"verbos\",\n    \"code\": \"invalid_enum_value\",\n    \"options\": [\n      \"info\",\n      \"debug\"\n    ],\n    ";
        let words = "\"message\": \"Invalid enum value. Expected 'info' | 'debug', received 'verbos'\"";
        check(&issue(&format!("{wrong}{}{words}", path("LOG_LEVEL"))), Class::BadConfig, "LOG_LEVEL");
        check(
            "ERROR: /opt/idp/import/realm.json (No such file or directory)",
            Class::MissingFile,
            "/opt/idp/import/realm.json",
        );
        check("  | * invalid role name \"payment\"", Class::BadConfig, "");
        check(
            "java.lang.IllegalArgumentException: requirement failed: advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.",
            Class::BadConfig,
            "advertised.listeners",
        );
    }

    #[test]
    fn what_only_ends_or_only_notes_is_not_the_reason() {
        check(
            "[01-Dec-2026 16:00:00] ERROR: [pool www] cannot get uid for user 'www'\n[01-Dec-2026 16:00:00] ERROR: FPM initialization failed",
            Class::BadConfig,
            "uid",
        );
        let haproxy = lines(
            "[ALERT]    (1) : config : Proxy 'api', server 's1' [/usr/local/etc/haproxy/haproxy.cfg:8] verify is enabled by default but no CA file specified.\n[ALERT]    (1) : config : Fatal errors found in configuration.",
        );
        let first = &signals(&haproxy)[0];
        assert_eq!((first.class, first.line), (Class::BadConfig, 0));
        assert_eq!(first.file.as_deref(), Some("/usr/local/etc/haproxy/haproxy.cfg:8"));
        check(
            "[emerg] 1#1: cannot load certificate \"/etc/nginx/tls/tls.crt\": BIO_new_file() failed (SSL: error:8000000D:system library::Permission denied:calling fopen(/etc/nginx/tls/tls.crt, r))",
            Class::PermissionDenied,
            "/etc/nginx/tls/tls.crt",
        );
        let key = &signals(&lines(
            "stderr: \"Load key \\\"/etc/git-secret/ssh\\\": error in libcrypto\\r\\ngit@git.example.com: Permission denied (publickey).\"",
        ))[0];
        assert_eq!((key.class, key.file.as_deref()), (Class::BadConfig, Some("/etc/git-secret/ssh")));
        let psql = lines(
            "psql:/migrations/041_orders_and_more.sql:1: NOTICE:  relation \"orders\" already exists, skipping\npsql:/migrations/042_add_tax_columns.sql:3: ERROR:  syntax error at or near \"TABEL\"",
        );
        assert_eq!(signals(&psql)[0].line, 1);
        assert_eq!(signals(&psql).len(), 1);
    }

    #[test]
    fn a_message_that_was_escaped_is_redacted_again() {
        let line = r#"{"level":"error","msg":"refused {\"pass\u0077ord\":\"hunter2\"}"}"#;
        assert!(!message(line).contains("hunter2"), "{}", message(line));
        assert!(message(line).contains("refused"));
    }

    #[test]
    fn last_words_of_many_languages_are_understood() {
        check(
            "starting\nopen /etc/router/routes.toml: no such file or directory",
            Class::MissingFile,
            "/etc/router/routes.toml",
        );
        check(
            "Traceback (most recent call last):\n  File \"/app/main.py\", line 3, in <module>\n    x = os.environ[\"DATABASE_URL\"]\nKeyError: 'DATABASE_URL'",
            Class::MissingEnv,
            "DATABASE_URL",
        );
        check(
            "FileNotFoundError: [Errno 2] No such file or directory: '/etc/app/config.yaml'",
            Class::MissingFile,
            "/etc/app/config.yaml",
        );
        check("Error: connect ECONNREFUSED 10.96.0.12:5432", Class::ConnectionRefused, "10.96.0.12:5432");
        check("dial tcp 10.1.2.3:6379: connect: connection refused", Class::ConnectionRefused, "10.1.2.3:6379");
        check(
            "stock lookup failed: <urlopen error [Errno 111] Connection refused> url=http://stock:8080/",
            Class::ConnectionRefused,
            "stock:8080",
        );
        check(
            "dial tcp: lookup orders-db on 10.96.0.10:53: read udp 10.1.1.2:5->10.96.0.10:53: i/o timeout",
            Class::Dns,
            "orders-db",
        );
        check(
            "exiting: POST https://api.paywall.example/v1/ping: 503 Service Unavailable",
            Class::ServerError,
            "api.paywall.example",
        );
        check(
            "requests.exceptions.HTTPError: 502 Server Error: Bad Gateway for url: http://pricing:8080/v1",
            Class::ServerError,
            "pricing:8080",
        );
        check("503 Service Unavailable from GET http://pricing/v1", Class::ServerError, "pricing");
        check("dial tcp: lookup orders-db on 10.96.0.10:53: no such host", Class::Dns, "orders-db");
        check("Error: getaddrinfo ENOTFOUND cache.shop.svc.cluster.local", Class::Dns, "cache.shop.svc.cluster.local");
        check(
            "could not translate host name \"pg-primary\" to address: Name or service not known",
            Class::Dns,
            "pg-primary",
        );
        check(
            "java.net.UnknownHostException: kafka-0.kafka: Name or service not known\n\tat java.base/java.net.InetAddress.getAllByName(InetAddress.java:1)",
            Class::Dns,
            "kafka-0.kafka",
        );
        check("FATAL:  password authentication failed for user \"app\"", Class::Authentication, "app");
        check("listen tcp :8080: bind: address already in use", Class::PortInUse, "8080");
        check("nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)", Class::PortInUse, "80");
        check("write /data/wal: no space left on device", Class::DiskFull, "/data/wal");
        check("java.lang.OutOfMemoryError: Java heap space", Class::OutOfMemory, "");
        check(
            "x509: certificate has expired or is not yet valid: current time 2026-11-12T03:14:51Z is after 2026-11-01T00:00:00Z",
            Class::Certificate,
            "",
        );
        check(
            "panic: runtime error: index out of range [3] with length 3\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:12 +0x1d",
            Class::Panic,
            "",
        );
        check("ModuleNotFoundError: No module named 'psycopg2'", Class::MissingModule, "psycopg2");
        check("required environment variable STRIPE_KEY is not set", Class::MissingEnv, "STRIPE_KEY");
        check("mkdir /data/cache: permission denied", Class::PermissionDenied, "/data/cache");
        check("exec /app/server: exec format error", Class::ExecFormat, "/app/server");
        check(
            "{\"level\":\"fatal\",\"msg\":\"invalid value \\\"verbos\\\" for LOG_LEVEL\"}",
            Class::BadConfig,
            "LOG_LEVEL",
        );
        check("relation \"orders\" does not exist at character 15", Class::Database, "orders");
        check("sh: 1: /usr/local/bin/serve: not found", Class::MissingFile, "/usr/local/bin/serve");
        check("touch: /var/cache/x: Read-only file system", Class::ReadOnly, "/var/cache/x");
        check(
            "context deadline exceeded (Client.Timeout) calling http://pricing:8080/v1",
            Class::Timeout,
            "pricing:8080",
        );
    }

    #[test]
    fn javas_certificate_that_is_over_is_not_called_unknown() {
        let trace = "ERROR c.p.Portal - GET https://identity/jwks failed\njavax.net.ssl.SSLHandshakeException: PKIX path validation failed: java.security.cert.CertPathValidatorException: validity check failed\n\tat java.base/sun.security.ssl.Alert.createSSLException(Alert.java:131)\nCaused by: sun.security.validator.ValidatorException: PKIX path validation failed: java.security.cert.CertPathValidatorException: validity check failed\nCaused by: java.security.cert.CertPathValidatorException: validity check failed\nCaused by: java.security.cert.CertificateExpiredException: NotAfter: Sat Nov 14 00:00:00 UTC 2026\n\t... 21 more";
        let found = read(&lines(trace));
        let first = found.signal().unwrap();
        assert_eq!((first.class, first.detail), (Class::Certificate, Some(EXPIRED)), "{first:?}");
        assert!(found.words.as_ref().unwrap().1.contains("NotAfter: Sat Nov 14"), "{:?}", found.words);
        // One that says no more than that, and one that is really unknown.
        let detail = |line: &str| signals(&lines(line))[0].detail.unwrap_or("");
        assert!(
            detail("PKIX path validation failed: java.security.cert.CertPathValidatorException: validity check failed")
                .contains("not valid at this time")
        );
        assert!(detail("SSLHandshakeException: PKIX path building failed: unable to find valid certification path to requested target").contains("unknown authority"));
    }

    #[test]
    fn what_a_library_adds_below_an_error_is_not_its_last_word() {
        let log = "Traceback (most recent call last):\n  File \"/app/migrate.py\", line 9, in <module>\n    run()\nsqlalchemy.exc.OperationalError: (psycopg2.errors.LockNotAvailable) canceling statement due to lock timeout\n\n[SQL: ALTER TABLE orders ADD COLUMN discount_code VARCHAR(32)]\n(Background on this error at: https://sqlalche.me/e/20/e3q8)";
        let said = last_words(&lines(log)).unwrap().1;
        assert!(said.contains("lock timeout"), "{said}");
    }

    #[test]
    fn the_error_beside_a_message_is_read_under_every_usual_name() {
        for field in ["exc", "ex", "error_message", "exception.message", "stack", "exc_text"] {
            let log = format!(
                r#"{{"level":"error","message":"schema check failed","{field}":"psycopg2.errors.UndefinedColumn: column orders.discount_code does not exist"}}"#
            );
            let found = read(&lines(&log));
            assert!(found.words.unwrap().1.contains("orders.discount_code"), "{field}");
            assert_eq!(found.signals.first().map(|s| s.class), Some(Class::Database), "{field}");
        }
    }

    #[test]
    fn who_writes_is_not_who_was_asked() {
        let pino = r#"{"level":50,"time":1790000000000,"pid":1,"hostname":"feed-956cd4f8f-hnqlq","msg":"upstream request failed","err":{"type":"FetchError","message":"request to http://node-cache/healthz failed, reason: connect ECONNREFUSED"}}"#;
        check(pino, Class::ConnectionRefused, "node-cache");
        check(
            r#"{"level":"error","msg":"connection refused","hostname":"db","port":5432}"#,
            Class::ConnectionRefused,
            "db",
        );
        let own =
            read(&lines(r#"{"level":"error","msg":"connection refused","host":"web-7d4-x2k"}"#)).of("web-7d4-x2k");
        assert_eq!(own.signal().unwrap().subject, None);
        check(
            "GET https://api.corp.example:8443/v1 failed: connection refused, see https://docs.example/errors",
            Class::ConnectionRefused,
            "api.corp.example:8443",
        );
    }

    #[test]
    fn what_ran_out_of_time_is_no_setting_and_a_caller_no_file() {
        check("ERROR connect timeout: 10.0.12.7:5432", Class::Timeout, "10.0.12.7:5432");
        let first = |line: &str| signals(&lines(line))[0].clone();
        assert_eq!(
            first("FATAL failed to create OTLP exporter: dial tcp 10.0.0.9:4317: connect: connection refused").class,
            Class::ConnectionRefused
        );
        let yaml = "error loading config file \"/kube/config\": yaml: line 3: did not find expected key";
        assert_eq!(first(yaml).class, Class::BadConfig, "{:?}", first(yaml));
        let logrus = r#"{"level":"fatal","msg":"exiting due to previous errors","file":"/app/main.go:40"}"#;
        assert!(!last_words(&lines(logrus)).unwrap().1.contains("main.go"));
        check("connection refused, refer to https://docs.vendor.example/errors", Class::ConnectionRefused, "");
    }

    #[test]
    fn a_package_is_no_file() {
        let panic = "panic: invalid duration \"30secs\" in REQUEST_TIMEOUT\n\ngoroutine 1 [running]:\ngithub.com/kestrelpost/gateway/internal/config.MustLoad(...)\n\t/src/internal/config/load.go:41";
        assert!(
            signals(&lines(panic)).iter().all(|s| !s.file.as_deref().is_some_and(|f| f.starts_with("/kestrelpost")))
        );
        let file = |line: &str| signals(&lines(line))[0].file.clone();
        let package = "error: invalid value in github.com/kestrelpost/gateway/internal/config: bad duration";
        assert_eq!(file(package), None, "{package}");
        assert_eq!(
            file("error initializing '/etc/envoy.yaml': invalid name listeners[0].adress: Cannot find field.")
                .as_deref(),
            Some("/etc/envoy.yaml")
        );
        assert_eq!(file("invalid configuration in /etc/app/config line 7").as_deref(), Some("/etc/app/config:7"));
    }

    #[test]
    fn brackets_are_no_colours_and_a_long_wait_is_no_refusal() {
        let envoy = "[2026-11-29 22:50:01.130][1][critical][main] error initializing '/etc/envoy.yaml': INVALID_ARGUMENT: invalid name listeners[0].adress: Cannot find field.";
        assert!(message(envoy).contains("[main]"), "{}", message(envoy));
        check(envoy, Class::BadConfig, "listeners[0].adress");
        assert_eq!(message("[31mError[m: no"), "Error: no");
        let git = "fatal: unable to access 'https://git.corp.example/x.git/': Failed to connect to git.corp.example port 443 after";
        check(&format!("{git} 130021 ms: Couldn't connect to server"), Class::Timeout, "git.corp.example:443");
        check(&format!("{git} 3 ms: Couldn't connect to server"), Class::ConnectionRefused, "git.corp.example:443");
    }

    #[test]
    fn a_word_of_the_message_is_no_value() {
        let log = lines(
            "main.go:31: cannot parse DATABASE_URL: parse \"postgres://app@db:port/app\": invalid port \":port\" after host",
        );
        let found = signals(&log);
        assert_eq!(found[0].subject.as_deref(), Some("DATABASE_URL"));
        assert_eq!(found[0].value, None);
    }

    #[test]
    fn what_a_line_announces_on_the_next_belongs_to_it() {
        let said = |log: &str| last_words(&lines(log)).unwrap().1;
        let prometheus = r#"ts=2026-11-12T03:00:00Z level=error msg="Error loading config (--config.file=/etc/p.yml)" err="parsing YAML file /etc/p.yml: yaml: unmarshal errors:\n  line 5: field scrape_intervall not found in type config.ScrapeConfig""#;
        assert!(said(prometheus).contains("line 5: field scrape_intervall not found"), "{}", said(prometheus));
        let snake = "org.yaml.snakeyaml.scanner.ScannerException: mapping values are not allowed here\n in 'reader', line 4, column 11:\n    rate: 3: x";
        assert!(said(snake).contains("line 4"), "{}", said(snake));
        let node = "node:internal/url:797\nTypeError: Invalid URL\n    at new URL (node:internal/url:797:36)\n    at Object.<anonymous> (/app/server.js:3:15) {\n  code: 'ERR_INVALID_URL',\n  input: 'orders:8080:/'\n}\n\nNode.js v22.4.0";
        let found = read(&lines(node));
        assert_eq!(found.signal().and_then(|s| s.value.as_deref()), Some("orders:8080:/"));
        assert!(found.words.unwrap().1.contains("orders:8080:/"));
    }

    #[test]
    fn the_fatal_line_is_quoted_before_routine_chatter_after_it() {
        let log = lines(
            "INFO listening on :8080\nERROR could not open /etc/app/routes.toml: no such file or directory\nINFO shutting down\nINFO bye",
        );
        assert_eq!(last_words(&log).unwrap().0, 1);
    }

    #[test]
    fn without_any_error_the_last_line_is_quoted() {
        assert_eq!(last_words(&lines("one\ntwo\n\n")).unwrap().1, "two");
        assert_eq!(last_words(&[]), None);
    }
}
