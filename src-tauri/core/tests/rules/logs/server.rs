//! Credentials, certificates, databases, limits, and what servers and their clients say.

use super::*;

#[test]
fn credentials_rights_and_certificates() {
    table(&[
        (
            "psql: error: connection to server at \"pg\" (10.0.0.4), port 5432 failed: FATAL:  password authentication failed for user \"orders\"",
            Authentication,
            "orders",
            "",
        ),
        (
            "ERROR 1045 (28000): Access denied for user 'shop'@'10.1.0.4' (using password: YES)",
            Authentication,
            "shop",
            "",
        ),
        (
            "redis.exceptions.AuthenticationError: WRONGPASS invalid username-password pair or user is disabled.",
            Authentication,
            "",
            "",
        ),
        ("ReplyError: NOAUTH Authentication required.", Authentication, "", ""),
        ("MongoServerError: Authentication failed.", Authentication, "", ""),
        ("FATAL:  role \"reports\" does not exist", Authentication, "reports", ""),
        ("botocore.exceptions.NoCredentialsError: Unable to locate credentials", Authentication, "", ""),
        ("fatal: could not read from remote: git@example.org: Permission denied (publickey).", Authentication, "", ""),
        ("ERROR:  permission denied for table invoices", Authorization, "invoices", ""),
        ("ERROR 1044 (42000): Access denied for user 'shop'@'%' to database 'stock'", Authorization, "shop", ""),
        (
            "org.apache.kafka.common.errors.TopicAuthorizationException: Not authorized to access topics: [payments]",
            Authorization,
            "payments",
            "",
        ),
        (
            "E1101 10:00:00.000000       1 reflector.go:147] failed to list *v1.Pod: pods is forbidden: User \"system:serviceaccount:ops:scaler\" cannot list resource \"pods\" in API group \"\" in the namespace \"ops\"",
            ClusterAccess,
            "system:serviceaccount:ops:scaler",
            "list",
        ),
        (
            "FATAL:  no pg_hba.conf entry for host \"10.1.0.9\", user \"app\", database \"app\", no encryption",
            Authorization,
            "app",
            "",
        ),
        ("tls: first record does not look like a TLS handshake", TlsMismatch, "", ""),
        (
            "Get \"https://vault:8200/v1\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
            Certificate,
            "vault:8200",
            "",
        ),
        (
            "tls: failed to verify certificate: x509: certificate is valid for old.example.org, not new.example.org",
            Certificate,
            "new.example.org",
            "",
        ),
        (
            "javax.net.ssl.SSLHandshakeException: PKIX path building failed: unable to find valid certification path to requested target",
            Certificate,
            "",
            "",
        ),
        (
            "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1006)",
            Certificate,
            "",
            "",
        ),
        (
            "Error [ERR_TLS_CERT_ALTNAME_INVALID]: Hostname/IP does not match certificate's altnames: Host: api.internal. is not in the cert's altnames: DNS:web",
            Certificate,
            "api.internal",
            "",
        ),
    ]);
}

#[test]
fn databases_limits_and_crashes() {
    table(&[
        ("FATAL:  database \"stock\" does not exist", Database, "stock", ""),
        (
            "sqlalchemy.exc.ProgrammingError: (psycopg2.errors.UndefinedTable) relation \"baskets\" does not exist",
            Database,
            "baskets",
            "",
        ),
        ("sqlite3.OperationalError: no such table: jobs", Database, "jobs", ""),
        ("ERROR 1049 (42000): Unknown database 'stock'", Database, "stock", ""),
        ("error: Dirty database version 12. Fix and force version.", Migration, "12", ""),
        (
            "org.flywaydb.core.api.exception.FlywayValidateException: Validate failed: Migrations have failed validation\nMigration checksum mismatch for migration version 7",
            Migration,
            "7",
            "",
        ),
        ("alembic.util.exc.CommandError: Can't locate revision identified by 'ab12cd34'", Migration, "ab12cd34", ""),
        ("FATAL:  sorry, too many clients already", PoolExhausted, "", ""),
        (
            "java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available, request timed out after 30000ms.",
            PoolExhausted,
            "",
            "",
        ),
        ("Could not acquire change log lock.  Currently locked by old-pod since 1/1/25", Locked, "", ""),
        ("FATAL:  lock file \"postmaster.pid\" already exists", Locked, "postmaster.pid", ""),
        ("upstream answered 429 Too Many Requests", RateLimit, "", ""),
        ("ERROR https://api.partner.test/v1 answered with status 429", RateLimit, "api.partner.test", ""),
        (
            "HTTPError: 429 Client Error: Too Many Requests for url: https://api.a.example/v2",
            RateLimit,
            "api.a.example",
            "",
        ),
        ("jwt.exceptions.ExpiredSignatureError: Signature has expired", Authentication, "", ""),
        (
            "SecurityTokenExpiredException: IDX10223: Lifetime validation failed. The token is expired.",
            Authentication,
            "",
            "",
        ),
        (
            "E0101 00:00:00.000000       1 leaderelection.go:327] error retrieving resource lock\nF0101 00:00:01.000000       1 main.go:90] leader election lost",
            LeaderLost,
            "",
            "",
        ),
        ("Error: license has expired on 2025-01-01", License, "", ""),
        (
            "panic: runtime error: invalid memory address or nil pointer dereference\n[signal SIGSEGV: segmentation violation]\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:9 +0x1d\nexit status 2",
            Panic,
            "",
            "",
        ),
        (
            "thread 'main' panicked at src/lib.rs:3:5:\nindex out of bounds: the len is 2 but the index is 9",
            Panic,
            "",
            "",
        ),
        ("Segmentation fault (core dumped)", Panic, "", ""),
        ("AssertionError: queue depth must not be negative", Assertion, "", ""),
        (
            "Unhandled exception. System.Exception: boom\n   at Program.Main() in /src/Program.cs:line 3",
            Unhandled,
            "",
            "",
        ),
    ]);
}

#[test]
fn more_servers_and_clients() {
    table(&[
        (
            "2025-01-01T00:00:00.000Z\tERROR\tsetup\tunable to start manager\t{\"error\": \"open /tmp/k8s-webhook-server/serving-certs/tls.crt: no such file or directory\"}",
            MissingFile,
            "/tmp/k8s-webhook-server/serving-certs/tls.crt",
            "",
        ),
        (
            "time=2025-01-01T00:00:00.000Z level=ERROR msg=\"cannot connect\" err=\"dial tcp: lookup pg.data on 10.96.0.10:53: no such host\"",
            Dns,
            "pg.data",
            "",
        ),
        (
            "[2025-01-01 00:00:00 +0000] [7] [ERROR] Exception in worker process\nTraceback (most recent call last):\n  File \"/usr/lib/python3/gunicorn/arbiter.py\", line 589, in spawn_worker\n    worker.init_process()\n  File \"/app/app.py\", line 2, in <module>\n    import flask_login\nModuleNotFoundError: No module named 'flask_login'\n[2025-01-01 00:00:00 +0000] [7] [INFO] Worker exiting (pid: 7)\n[2025-01-01 00:00:00 +0000] [1] [ERROR] Shutting down: Master\n[2025-01-01 00:00:00 +0000] [1] [ERROR] Reason: Worker failed to boot.",
            MissingModule,
            "flask_login",
            "",
        ),
        (
            "[2025-01-01 00:00:00,000: ERROR/MainProcess] consumer: Cannot connect to amqp://guest:**@rabbit:5672//: [Errno 111] Connection refused.",
            ConnectionRefused,
            "rabbit:5672",
            "",
        ),
        (
            "Traceback (most recent call last):\n  File \"/a.py\", line 1, in <module>\nsocket.gaierror: [Errno -2] Name or service not known\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"/a.py\", line 9, in <module>\nurllib3.exceptions.NameResolutionError: <urllib3.connection.HTTPConnection object at 0x7f>: Failed to resolve 'tax-api' ([Errno -2] Name or service not known)",
            Dns,
            "tax-api",
            "",
        ),
        (
            "npm ERR! code ENOENT\nnpm ERR! syscall open\nnpm ERR! path /app/package.json\nnpm ERR! errno -2\nnpm ERR! enoent ENOENT: no such file or directory, open '/app/package.json'\nnpm ERR! A complete log of this run can be found in: /home/app/.npm/_logs/x.log",
            MissingFile,
            "/app/package.json",
            "",
        ),
        (
            "Error: Redis connection to cache:6379 failed - connect ECONNREFUSED 10.96.1.1:6379",
            ConnectionRefused,
            "10.96.1.1:6379",
            "",
        ),
        ("MongoServerSelectionError: getaddrinfo ENOTFOUND mongo-0.mongo", Dns, "mongo-0.mongo", ""),
        (
            "com.mongodb.MongoTimeoutException: Timed out after 30000 ms while waiting to connect. Client view of cluster state is {type=UNKNOWN, servers=[{address=mongo:27017, type=UNKNOWN, state=CONNECTING, exception={com.mongodb.MongoSocketException: mongo}, caused by {java.net.UnknownHostException: mongo}}]",
            Dns,
            "mongo",
            "",
        ),
        (
            "Caused by: org.postgresql.util.PSQLException: FATAL: password authentication failed for user \"billing\"\n\tat org.postgresql.core.v3.ConnectionFactoryImpl.doAuthentication(ConnectionFactoryImpl.java:646)",
            Authentication,
            "billing",
            "",
        ),
        (
            "Caused by: com.mysql.cj.jdbc.exceptions.CommunicationsException: Communications link failure\n\nThe last packet sent successfully to the server was 0 milliseconds ago.\nCaused by: java.net.ConnectException: Connection refused (Connection refused)",
            ConnectionRefused,
            "",
            "",
        ),
        (
            "[2025-01-01 00:00:00,000] WARN [AdminClient clientId=adminclient-1] Connection to node -1 (kafka/10.96.8.8:9092) could not be established. Node may not be available. (org.apache.kafka.clients.NetworkClient)",
            Unreachable,
            "kafka:9092",
            "",
        ),
        (
            "%3|1700000000.000|FAIL|rdkafka#producer-1| [thrd:kafka:9092/bootstrap]: kafka:9092/bootstrap: Connect to ipv4#10.96.8.8:9092 failed: Connection refused (after 1ms in state CONNECT)",
            ConnectionRefused,
            "kafka:9092",
            "",
        ),
        ("ERROR 1698 (28000): Access denied for user 'root'@'localhost'", Authentication, "root", ""),
        (
            "2025-01-01T00:00:00.000000Z 0 [ERROR] [MY-010457] [Server] --initialize specified but the data directory has files in it. Aborting.",
            DataDirectory,
            "",
            "",
        ),
        (
            "2025-01-01 00:00:00+00:00 [ERROR] [Entrypoint]: Database is uninitialized and password option is not specified\n    You need to specify one of the following as an environment variable:\n    - MYSQL_ROOT_PASSWORD\n    - MYSQL_ALLOW_EMPTY_PASSWORD",
            MissingEnv,
            "MYSQL_ROOT_PASSWORD",
            "",
        ),
        (
            "java.lang.IllegalStateException: failed to obtain node locks, tried [/usr/share/elasticsearch/data]; maybe these locations are not writable",
            Locked,
            "/usr/share/elasticsearch/data",
            "",
        ),
        (
            "{\"t\":{\"$date\":\"2025-01-01\"},\"s\":\"F\",\"c\":\"CONTROL\",\"msg\":\"Wrong mongod version\",\"attr\":{\"error\":\"UPGRADE PROBLEM: Found an invalid featureCompatibilityVersion document\"}}",
            DataVersion,
            "",
            "",
        ),
        (
            "level=ERROR source=main.go:1 msg=\"Error loading config (--config.file=/etc/prometheus/prometheus.yml)\" err=\"open /etc/prometheus/prometheus.yml: no such file or directory\"",
            MissingFile,
            "/etc/prometheus/prometheus.yml",
            "",
        ),
        (
            "Error: Failed to open /etc/envoy/envoy.yaml: unable to read file: /etc/envoy/envoy.yaml",
            MissingFile,
            "/etc/envoy/envoy.yaml",
            "",
        ),
        (
            "Fatal error, can't open config file '/usr/local/etc/redis/redis.conf': No such file or directory",
            MissingFile,
            "/usr/local/etc/redis/redis.conf",
            "",
        ),
        (
            "[error] Failed to load definitions from '/etc/rabbitmq/definitions.json': {error,enoent}",
            MissingFile,
            "/etc/rabbitmq/definitions.json",
            "",
        ),
        ("AMQPLAIN login refused: user 'shop' - invalid credentials", Authentication, "", ""),
        (
            "pika.exceptions.ProbableAuthenticationError: (403, 'ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN.')",
            Authentication,
            "",
            "",
        ),
        (
            "E0101 00:00:00.000000       1 reflector.go:138] Failed to watch *v1.ConfigMap: failed to list *v1.ConfigMap: configmaps is forbidden: User \"system:serviceaccount:ops:default\" cannot list resource \"configmaps\" in API group \"\" at the cluster scope",
            ClusterAccess,
            "system:serviceaccount:ops:default",
            "list",
        ),
        (
            "kubernetes.client.exceptions.ApiException: (403)\nReason: Forbidden\nHTTP response body: {\"kind\":\"Status\",\"message\":\"secrets is forbidden: User \\\"system:serviceaccount:ops:sync\\\" cannot get resource \\\"secrets\\\" in API group \\\"\\\" in the namespace \\\"ops\\\"\"}",
            ClusterAccess,
            "system:serviceaccount:ops:sync",
            "get",
        ),
        (
            "Error from server (Forbidden): pods \"web-1\" is forbidden: User \"system:serviceaccount:ops:janitor\" cannot delete resource \"pods\" in API group \"\" in the namespace \"ops\"",
            ClusterAccess,
            "system:serviceaccount:ops:janitor",
            "delete",
        ),
        (
            "[mysqld] Can't create/write to file '/var/run/mysqld/mysqld.pid' (Errcode: 13 \"Permission denied\")",
            PermissionDenied,
            "/var/run/mysqld/mysqld.pid",
            "",
        ),
        ("sh: can't create /data/out.txt: Permission denied", PermissionDenied, "/data/out.txt", ""),
        ("sh: can't create /etc/app/out.txt: Read-only file system", ReadOnly, "/etc/app/out.txt", ""),
        (
            "thread 'main' panicked at src/main.rs:9:10:\ncalled `Result::unwrap()` on an `Err` value: Os { code: 2, kind: NotFound, message: \"No such file or directory\" }",
            MissingFile,
            "",
            "",
        ),
        ("Error: invalid port number: \"eighty\"", BadConfig, "", "eighty"),
        ("config error: unsupported cache backend \"memcachd\"", BadConfig, "", "memcachd"),
        ("ERROR: MODE must be one of [fast safe], got turbo", BadConfig, "MODE", "turbo"),
        ("fatal: bad configuration: workers: \"-3\" is not a positive number", BadConfig, "", ""),
        (
            r#"{"level":"fatal","logger":"feed","msg":"handshake failed","endpoint":"feed.partner.example:443","error":"tls: failed to verify certificate: x509: certificate has expired or is not yet valid"}"#,
            Certificate,
            "feed.partner.example:443",
            "",
        ),
        ("FATAL: could not load /etc/app/tls.key: tls: private key does not match public key", Certificate, "", ""),
        ("wget: server returned error: HTTP/1.1 401 Unauthorized", Authentication, "", ""),
        ("curl: (28) Failed to connect to stock port 80 after 5001 ms: Timeout was reached", Timeout, "stock:80", ""),
        ("nc: bad address 'stock'", Dns, "stock", ""),
        ("Could not connect to Redis at cache:6379: Connection refused", ConnectionRefused, "cache:6379", ""),
        ("Killed", OutOfMemory, "", ""),
        ("ENOSPC: System limit for number of file watchers reached, watch '/app'", KernelSetting, "file watchers", ""),
    ]);
}
