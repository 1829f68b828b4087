//! What logs say: the last words of many languages and servers, and chatter that only sounds like trouble.

use afterwatch_core::logs::{Class, Class::*, Reading, read};

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

fn said(log: &str) -> Reading {
    read(&lines(log))
}

/// The log, the class that must come first, what it speaks of, and the value it refuses.
type Row = (&'static str, Class, &'static str, &'static str);

#[track_caller]
fn table(rows: &[Row]) {
    let mut wrong = Vec::new();
    for (log, class, subject, value) in rows {
        let reading = said(log);
        match reading.signal() {
            None => wrong.push(format!("nothing is found in {log:?}")),
            Some(s) => {
                let found = (s.class, s.subject.as_deref().unwrap_or(""), s.value.as_deref().unwrap_or(""));
                let same = found.0 == *class && found.1 == *subject && (value.is_empty() || found.2 == *value);
                if !same {
                    wrong.push(format!("{found:?} instead of {:?} in {log:?}", (class, subject, value)));
                }
            }
        }
        if reading.words.is_none() {
            wrong.push(format!("nothing is quoted of {log:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn missing_variables_and_settings() {
    table(&[
        ("sh: DB_HOST: parameter not set", MissingEnv, "DB_HOST", ""),
        ("/entry.sh: line 12: BUCKET_NAME: unbound variable", MissingEnv, "BUCKET_NAME", ""),
        ("sh: 1: API_URL: must point at the gateway", MissingEnv, "API_URL", ""),
        (
            "  File \"/srv/app.py\", line 4, in <module>\n    dsn = os.environ[\"MAIL_DSN\"]\n          ~~~~~~~~~~^^^^^^^^^^\nKeyError: 'MAIL_DSN'",
            MissingEnv,
            "MAIL_DSN",
            "",
        ),
        (
            "django.core.exceptions.ImproperlyConfigured: Set the CACHE_URL environment variable",
            MissingEnv,
            "CACHE_URL",
            "",
        ),
        (
            "django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty.",
            MissingEnv,
            "SECRET_KEY",
            "",
        ),
        (
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings\nqueue_url\n  Field required [type=missing, input_value={}, input_type=dict]\n    For further information visit https://errors.pydantic.dev/2.5/v/missing",
            MissingSetting,
            "queue_url",
            "",
        ),
        (
            "PrismaClientInitializationError: \nerror: Environment variable not found: LEDGER_URL.\n  -->  schema.prisma:8",
            MissingEnv,
            "LEDGER_URL",
            "",
        ),
        (
            "Error: Missing required environment variable: SMTP_HOST\n    at Object.<anonymous> (/app/config.js:11:9)\n    at Module._compile (node:internal/modules/cjs/loader:1105:14)",
            MissingEnv,
            "SMTP_HOST",
            "",
        ),
        (
            "================================\n Missing environment variables:\n    SESSION_STORE: undefined\n================================\nExiting with error code 1",
            MissingEnv,
            "SESSION_STORE",
            "",
        ),
        (
            "Caused by: java.lang.IllegalArgumentException: Could not resolve placeholder 'billing.api.url' in value \"${billing.api.url}\"",
            MissingSetting,
            "billing.api.url",
            "",
        ),
        ("2025/11/02 10:00:00 required key GEO_TOKEN_FILE missing value", MissingEnv, "GEO_TOKEN_FILE", ""),
        ("env: required environment variable \"TENANT_ID\" is not set", MissingEnv, "TENANT_ID", ""),
        (
            "{\"level\":\"fatal\",\"ts\":1730000000.1,\"msg\":\"cannot start\",\"error\":\"REGION_NAME must be set\"}",
            MissingEnv,
            "REGION_NAME",
            "",
        ),
        (
            "thread 'main' panicked at src/main.rs:14:46:\nORDERS_URL must be set: NotPresent\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace",
            MissingEnv,
            "ORDERS_URL",
            "",
        ),
        (
            "/app/config/boot.rb:3:in `fetch': key not found: \"REDIS_URL\" (KeyError)\n\tfrom /app/config/boot.rb:3:in `<main>'",
            MissingEnv,
            "REDIS_URL",
            "",
        ),
        ("PHP Warning:  Undefined array key \"APP_DSN\" in /srv/index.php on line 9", MissingEnv, "APP_DSN", ""),
        (
            "Error: Database is uninitialized and superuser password is not specified.\n       You must specify POSTGRES_PASSWORD to a non-empty value for the\n       superuser.",
            MissingEnv,
            "POSTGRES_PASSWORD",
            "",
        ),
        (
            "Unhandled exception. System.InvalidOperationException: Connection string 'Warehouse' not found.\n   at Program.<Main>$(String[] args) in /src/Program.cs:line 9",
            MissingSetting,
            "Warehouse",
            "",
        ),
        ("Error: required flag(s) \"bucket\" not set\nUsage:\n  mover run [flags]", MissingSetting, "bucket", ""),
        (
            "usage: worker.py [-h] --queue QUEUE\nworker.py: error: the following arguments are required: --queue",
            MissingSetting,
            "--queue",
            "",
        ),
        ("ERROR [main] config: storage.bucket is required", MissingSetting, "storage.bucket", ""),
        ("missing required config key 'listen.address'", MissingSetting, "listen.address", ""),
        ("time=\"2025-01-01T00:00:00Z\" level=fatal msg=\"env var ISSUER_URL is empty\"", MissingEnv, "ISSUER_URL", ""),
    ]);
}

#[test]
fn values_that_are_refused() {
    table(&[
        ("config: invalid LOG_LEVEL 'verbos'", BadConfig, "LOG_LEVEL", "verbos"),
        ("invalid value for LOG_FORMAT: jsn", BadConfig, "LOG_FORMAT", "jsn"),
        ("FATAL: WORKERS must be a positive integer, got 'many'", BadConfig, "WORKERS", "many"),
        ("FATAL: MAX_WORKERS must be a positive integer, got 'many'", BadConfig, "MAX_WORKERS", "many"),
        ("Error: PORT must be a number, got \"eighty\"", BadConfig, "PORT", "eighty"),
        ("ValueError: invalid literal for int() with base 10: '8o80'", BadConfig, "", "8o80"),
        (
            "panic: strconv.Atoi: parsing \"ten\": invalid syntax\n\ngoroutine 1 [running]:\nmain.main()",
            BadConfig,
            "",
            "ten",
        ),
        (
            "envconfig.Process: assigning TIMEOUT to Timeout: converting '5' to type time.Duration. details: time: missing unit in duration \"5\"",
            BadConfig,
            "TIMEOUT",
            "5",
        ),
        ("level=fatal msg=\"not a valid logrus Level: \\\"loud\\\"\"", BadConfig, "", "loud"),
        (
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings\nmode\n  Input should be 'fast' or 'safe' [type=literal_error, input_value='quick', input_type=str]",
            BadConfig,
            "mode",
            "quick",
        ),
        (
            "***************************\nAPPLICATION FAILED TO START\n***************************\n\nDescription:\n\nFailed to bind properties under 'server.port' to java.lang.Integer:\n\n    Property: server.port\n    Value: \"http\"\n    Origin: System Environment Property \"SERVER_PORT\"\n    Reason: failed to convert java.lang.String to java.lang.Integer\n\nAction:\n\nUpdate your application's configuration",
            BadConfig,
            "server.port",
            "http",
        ),
        ("java.lang.IllegalArgumentException: No enum constant com.acme.Mode.TURBO", BadConfig, "", "TURBO"),
        (
            "2025/03/01 12:00:00 [emerg] 1#1: unknown directive \"proxy_passs\" in /etc/nginx/conf.d/site.conf:7",
            BadConfig,
            "proxy_passs",
            "",
        ),
        (
            "nginx: [emerg] invalid number of arguments in \"listen\" directive in /etc/nginx/nginx.conf:12",
            BadConfig,
            "listen",
            "",
        ),
        ("nginx: [emerg] unexpected end of file, expecting \"}\" in /etc/nginx/conf.d/a.conf:20", BadConfig, "", ""),
        (
            "*** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***\nReading the configuration file, at line 3\n>>> 'maxmemry 100mb'\nBad directive or wrong number of arguments",
            BadConfig,
            "maxmemry",
            "100mb",
        ),
        (
            "2025-01-01 00:00:00.000 GMT [1] LOG:  unrecognized configuration parameter \"shared_bufers\" in file \"/etc/postgresql/postgresql.conf\" line 4\n2025-01-01 00:00:00.000 GMT [1] FATAL:  configuration file \"/etc/postgresql/postgresql.conf\" contains errors",
            BadConfig,
            "shared_bufers",
            "",
        ),
        (
            "[ERROR] [MY-000067] [Server] unknown variable 'inodb_buffer_pool_size=1G'.",
            BadConfig,
            "inodb_buffer_pool_size",
            "1G",
        ),
        (
            "org.apache.kafka.common.config.ConfigException: Invalid value all-of-them for configuration acks: String must be one of: all, -1, 0, 1",
            BadConfig,
            "acks",
            "all-of-them",
        ),
        (
            "error loading config from \"/etc/prometheus/prometheus.yml\": parsing YAML file: yaml: unmarshal errors:\n  line 4: field scrape_intervall not found in type config.plain",
            BadConfig,
            "scrape_intervall",
            "",
        ),
        (
            "yaml.scanner.ScannerError: mapping values are not allowed here\n  in \"/etc/app/settings.yaml\", line 3, column 9",
            BadConfig,
            "",
            "",
        ),
        ("json.decoder.JSONDecodeError: Expecting ',' delimiter: line 4 column 3 (char 61)", BadConfig, "", ""),
        ("Error: unknown variant `postgress`, expected one of `postgres`, `sqlite`", BadConfig, "", "postgress"),
        (
            "AH00526: Syntax error on line 3 of /usr/local/apache2/conf/extra/site.conf:\nInvalid command 'RewriteRul', perhaps misspelled or defined by a module not included in the server configuration",
            BadConfig,
            "RewriteRul",
            "",
        ),
        (
            "[ALERT]    (1) : config : parsing [/usr/local/etc/haproxy/haproxy.cfg:9] : unknown keyword 'balanse' in 'backend' section",
            BadConfig,
            "balanse",
            "",
        ),
        ("error: invalid value 'sideways' for '--direction <DIRECTION>'", BadConfig, "--direction", "sideways"),
        ("argument --level: invalid choice: 'loud' (choose from 'debug', 'info')", BadConfig, "--level", "loud"),
        ("Unknown time zone Europe/Pariss", BadConfig, "", "Europe/Pariss"),
        ("unknown log level: chatty", BadConfig, "", "chatty"),
        (
            "Error: invalid argument \"abc\" for \"--replicas\" flag: strconv.ParseInt: parsing \"abc\": invalid syntax",
            BadConfig,
            "--replicas",
            "abc",
        ),
        (
            "{\"severity\":\"CRITICAL\",\"message\":\"CACHE_TTL=forever is not a valid duration\"}",
            BadConfig,
            "CACHE_TTL",
            "forever",
        ),
    ]);
}

#[test]
fn options_scripts_modules_and_programs() {
    table(&[
        ("flag provided but not defined: -listen-adr\nUsage of /server:", UnknownFlag, "-listen-adr", ""),
        ("Error: unknown flag: --verbos", UnknownFlag, "--verbos", ""),
        ("main.py: error: unrecognized arguments: --prot 80", UnknownFlag, "--prot", ""),
        ("/usr/local/bin/node: bad option: --max-heap", UnknownFlag, "--max-heap", ""),
        (
            "Unrecognized VM option 'UseG2GC'\nError: Could not create the Java Virtual Machine.",
            UnknownFlag,
            "UseG2GC",
            "",
        ),
        ("error: unexpected argument '--colour' found", UnknownFlag, "--colour", ""),
        ("sh: syntax error: unexpected \"(\"", Script, "", ""),
        ("exec /usr/local/bin/app: exec format error", ExecFormat, "/usr/local/bin/app", ""),
        ("ModuleNotFoundError: No module named 'yaml'", MissingModule, "yaml", ""),
        (
            "node:internal/modules/cjs/loader:1137\n  throw err;\n  ^\n\nError: Cannot find module 'express'\nRequire stack:\n- /app/server.js\n    at Module._resolveFilename (node:internal/modules/cjs/loader:1134:15) {\n  code: 'MODULE_NOT_FOUND',\n}\n\nNode.js v20.10.0",
            MissingModule,
            "express",
            "",
        ),
        (
            "Error: Could not find or load main class com.acme.Main\nCaused by: java.lang.ClassNotFoundException: com.acme.Main",
            MissingModule,
            "com.acme.Main",
            "",
        ),
        (
            "/app/bin: error while loading shared libraries: libssl.so.1.1: cannot open shared object file: No such file or directory",
            MissingModule,
            "libssl.so.1.1",
            "",
        ),
        ("PHP Fatal error:  Uncaught PDOException: could not find driver in /srv/db.php:7", MissingModule, "", ""),
        (
            "bundler: failed to load command: puma\n/app/boot.rb:1:in `require': cannot load such file -- sinatra (LoadError)",
            MissingModule,
            "sinatra",
            "",
        ),
        (
            "Unhandled exception. System.IO.FileNotFoundException: Could not load file or assembly 'Acme.Core, Version=1.0.0.0'",
            MissingModule,
            "Acme.Core",
            "",
        ),
    ]);
}

#[test]
fn files_rights_and_disks() {
    table(&[
        ("fatal: open /etc/router/routes.toml: no such file or directory", MissingFile, "/etc/router/routes.toml", ""),
        (
            "Error: ENOENT: no such file or directory, open '/app/keys/jwt.json'\n    at Object.openSync (node:fs:603:3) {\n  errno: -2,\n  code: 'ENOENT'\n}",
            MissingFile,
            "/app/keys/jwt.json",
            "",
        ),
        (
            "java.io.FileNotFoundException: /etc/app/app.properties (No such file or directory)\n\tat java.io.FileInputStream.open0(Native Method)",
            MissingFile,
            "/etc/app/app.properties",
            "",
        ),
        (
            "Unhandled exception. System.IO.FileNotFoundException: The configuration file 'appsettings.Prod.json' was not found and is not optional. The expected physical path was '/app/appsettings.Prod.json'.",
            MissingFile,
            "/app/appsettings.Prod.json",
            "",
        ),
        ("python: can't open file '/srv/run.py': [Errno 2] No such file or directory", MissingFile, "/srv/run.py", ""),
        ("Error: Unable to access jarfile /opt/app.jar", MissingFile, "/opt/app.jar", ""),
        ("cat: can't open '/config/feature.json': No such file or directory", MissingFile, "/config/feature.json", ""),
        (
            "nginx: [emerg] cannot load certificate \"/etc/tls/tls.crt\": BIO_new_file() failed (SSL: error:80000002:system library::No such file or directory)",
            MissingFile,
            "/etc/tls/tls.crt",
            "",
        ),
        (
            "nginx: [emerg] open() \"/etc/nginx/upstreams.conf\" failed (2: No such file or directory) in /etc/nginx/nginx.conf:31",
            MissingFile,
            "/etc/nginx/upstreams.conf",
            "",
        ),
        ("/start.sh: line 8: envsubst: not found", MissingFile, "envsubst", ""),
        ("exec: \"gunicorn\": executable file not found in $PATH", MissingFile, "gunicorn", ""),
        (
            "Error: could not read config file /etc/vector/vector.toml: No such file or directory (os error 2)",
            MissingFile,
            "/etc/vector/vector.toml",
            "",
        ),
        ("read /etc/app/config.yaml: is a directory", NotAFile, "/etc/app/config.yaml", ""),
        ("Error: EISDIR: illegal operation on a directory, read", NotAFile, "", ""),
        ("PermissionError: [Errno 13] Permission denied: '/data/index'", PermissionDenied, "/data/index", ""),
        ("mkdir: cannot create directory '/var/lib/app': Permission denied", PermissionDenied, "/var/lib/app", ""),
        (
            "nginx: [emerg] mkdir() \"/var/cache/nginx/client_temp\" failed (13: Permission denied)",
            PermissionDenied,
            "/var/cache/nginx/client_temp",
            "",
        ),
        (
            "2025-01-01 00:00:00 UTC [1] FATAL:  data directory \"/var/lib/postgresql/data\" has invalid permissions\n2025-01-01 00:00:00 UTC [1] DETAIL:  Permissions should be u=rwx (0700).",
            PermissionDenied,
            "/var/lib/postgresql/data",
            "",
        ),
        ("chown: changing ownership of '/data': Operation not permitted", PermissionDenied, "/data", ""),
        ("GF_PATHS_DATA='/var/lib/grafana' is not writable.", PermissionDenied, "/var/lib/grafana", ""),
        (
            "java.nio.file.AccessDeniedException: /usr/share/elasticsearch/data/nodes",
            PermissionDenied,
            "/usr/share/elasticsearch/data/nodes",
            "",
        ),
        ("nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)", PortDenied, "80", ""),
        ("listen tcp :443: bind: permission denied", PortDenied, "443", ""),
        ("Error: listen EACCES: permission denied 0.0.0.0:80", PortDenied, "80", ""),
        ("touch: /app/tmp/pid: Read-only file system", ReadOnly, "/app/tmp/pid", ""),
        ("Error: EROFS: read-only file system, mkdir '/app/cache'", ReadOnly, "/app/cache", ""),
        ("OSError: [Errno 30] Read-only file system: '/opt/state.db'", ReadOnly, "/opt/state.db", ""),
        ("OSError: [Errno 28] No space left on device: '/data/part-0'", DiskFull, "/data/part-0", ""),
        (
            "PANIC:  could not write to file \"pg_wal/xlogtemp.31\": No space left on device",
            DiskFull,
            "pg_wal/xlogtemp.31",
            "",
        ),
        ("dd: error writing '/data/fill': No space left on device", DiskFull, "/data/fill", ""),
        (
            "initdb: error: directory \"/var/lib/postgresql/data\" exists but is not empty",
            DataDirectory,
            "/var/lib/postgresql/data",
            "",
        ),
        (
            "FATAL:  database files are incompatible with server\nDETAIL:  The data directory was initialized by PostgreSQL version 13, which is not compatible with this version 16.2.",
            DataVersion,
            "13",
            "16.2",
        ),
        (
            "bootstrap check failure [1] of [1]: max virtual memory areas vm.max_map_count [65530] is too low, increase to at least [262144]",
            KernelSetting,
            "vm.max_map_count",
            "65530",
        ),
        ("accept4: too many open files", KernelSetting, "too many open files", ""),
        (
            "failed to create fsnotify watcher: inotify instances limit reached: too many open files",
            KernelSetting,
            "inotify",
            "",
        ),
    ]);
}

#[test]
fn ports_and_memory() {
    table(&[
        (
            "Error: listen EADDRINUSE: address already in use :::3000\n    at Server.setupListenHandle [as _listen2] (node:net:1740:16)",
            PortInUse,
            "3000",
            "",
        ),
        ("OSError: [Errno 98] Address already in use: ('0.0.0.0', 8000)", PortInUse, "8000", ""),
        (
            "[2025-01-01 00:00:00 +0000] [1] [ERROR] Connection in use: ('0.0.0.0', 8000)\nlisten tcp 0.0.0.0:8000: bind: address already in use",
            PortInUse,
            "8000",
            "",
        ),
        ("Web server failed to start. Port 8080 was already in use.", PortInUse, "8080", ""),
        ("java.lang.OutOfMemoryError: Metaspace", OutOfMemory, "", ""),
        (
            "<--- Last few GCs --->\n\n[1:0x5]    4200 ms: Mark-sweep 250.0 (258.0) -> 249.9 (259.0) MB\n\nFATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
            OutOfMemory,
            "",
            "",
        ),
        (
            "Traceback (most recent call last):\n  File \"/app/x.py\", line 1, in <module>\n    b = bytearray(10**12)\nMemoryError",
            OutOfMemory,
            "",
            "",
        ),
        ("fatal error: runtime: out of memory\n\nruntime stack:\nruntime.throw({0x1})", OutOfMemory, "", ""),
        ("memory allocation of 1073741824 bytes failed", OutOfMemory, "", ""),
        (
            "PHP Fatal error:  Allowed memory size of 134217728 bytes exhausted (tried to allocate 20480 bytes)",
            OutOfMemory,
            "",
            "",
        ),
        (
            "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\nAborted (core dumped)",
            OutOfMemory,
            "",
            "",
        ),
    ]);
}

#[test]
fn names_and_connections() {
    table(&[
        (
            "nginx: [emerg] host not found in upstream \"api.shop\" in /etc/nginx/conf.d/default.conf:5",
            Dns,
            "api.shop",
            "",
        ),
        (
            "requests.exceptions.ConnectionError: HTTPConnectionPool(host='prices', port=8080): Max retries exceeded with url: / (Caused by NameResolutionError(\"<x>: Failed to resolve 'prices' ([Errno -2] Name or service not known)\"))",
            Dns,
            "prices:8080",
            "",
        ),
        (
            "redis.exceptions.ConnectionError: Error -2 connecting to cache:6379. Name or service not known.",
            Dns,
            "cache:6379",
            "",
        ),
        ("Error: getaddrinfo EAI_AGAIN mongo", Dns, "mongo", ""),
        (
            "Error: getaddrinfo ENOTFOUND queue.infra.svc.cluster.local\n    at GetAddrInfoReqWrap.onlookup [as oncomplete] (node:dns:107:26) {\n  errno: -3008,\n  code: 'ENOTFOUND',\n  hostname: 'queue.infra.svc.cluster.local'\n}",
            Dns,
            "queue.infra.svc.cluster.local",
            "",
        ),
        (
            "dial tcp: lookup ledger on 10.96.0.10:53: read udp 10.1.0.4:4444->10.96.0.10:53: i/o timeout",
            Dns,
            "ledger",
            "",
        ),
        ("Caused by: java.net.UnknownHostException: ledger-db", Dns, "ledger-db", ""),
        (
            "org.apache.kafka.common.KafkaException: Failed to construct kafka consumer\n\tat org.apache.kafka.clients.consumer.KafkaConsumer.<init>(KafkaConsumer.java:830)\nCaused by: org.apache.kafka.common.config.ConfigException: No resolvable bootstrap urls given in bootstrap.servers",
            Dns,
            "",
            "",
        ),
        ("wget: bad address 'stock:8080'", Dns, "stock", ""),
        ("curl: (6) Could not resolve host: stock", Dns, "stock", ""),
        ("nc: getaddrinfo: Name or service not known", Dns, "", ""),
        ("** server can't find orders.shop.svc.cluster.local: NXDOMAIN", Dns, "orders.shop.svc.cluster.local", ""),
        (
            "PHP Warning:  mysqli_connect(): php_network_getaddresses: getaddrinfo for maria failed: Name or service not known",
            Dns,
            "maria",
            "",
        ),
        ("psql: error: could not translate host name \"pgx\" to address: Name or service not known", Dns, "pgx", ""),
        (
            "psql: error: connection to server at \"pg\" (10.96.3.4), port 5432 failed: Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?",
            ConnectionRefused,
            "pg:5432",
            "",
        ),
        (
            "Error: connect ECONNREFUSED 10.96.0.44:27017\n    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1494:16) {\n  errno: -111,\n  code: 'ECONNREFUSED',\n  syscall: 'connect',\n  address: '10.96.0.44',\n  port: 27017\n}",
            ConnectionRefused,
            "10.96.0.44:27017",
            "",
        ),
        (
            "Get \"http://users:8080/v1\": dial tcp 10.96.7.7:8080: connect: connection refused",
            ConnectionRefused,
            "users:8080",
            "",
        ),
        (
            "org.postgresql.util.PSQLException: Connection to pg:5432 refused. Check that the hostname and port are correct",
            ConnectionRefused,
            "pg:5432",
            "",
        ),
        (
            "redis.exceptions.ConnectionError: Error 111 connecting to cache:6379. Connection refused.",
            ConnectionRefused,
            "cache:6379",
            "",
        ),
        (
            "pymongo.errors.ServerSelectionTimeoutError: mongo:27017: [Errno 111] Connection refused",
            ConnectionRefused,
            "mongo:27017",
            "",
        ),
        (
            "curl: (7) Failed to connect to stock port 80 after 2 ms: Connection refused",
            ConnectionRefused,
            "stock:80",
            "",
        ),
        (
            "ERROR 2003 (HY000): Can't connect to MySQL server on 'maria:3306' (111)",
            ConnectionRefused,
            "maria:3306",
            "",
        ),
        ("wget: can't connect to remote host (10.96.5.5): Connection refused", ConnectionRefused, "10.96.5.5", ""),
        (
            "** (DBConnection.ConnectionError) tcp connect (pg:5432): connection refused - :econnrefused",
            ConnectionRefused,
            "pg:5432",
            "",
        ),
        (
            "Npgsql.NpgsqlException: Failed to connect to 10.0.0.9:5432\n ---> System.Net.Sockets.SocketException (111): Connection refused",
            Unreachable,
            "10.0.0.9:5432",
            "",
        ),
        (
            "Error: P1001: Can't reach database server at `pg`:`5432`\n\nPlease make sure your database server is running at `pg`:`5432`.",
            Unreachable,
            "pg:5432",
            "",
        ),
        (
            "{\"level\":\"error\",\"msg\":\"publish failed\",\"addr\":\"nats:4222\",\"error\":\"dial tcp: connect: connection refused\"}",
            ConnectionRefused,
            "nats:4222",
            "",
        ),
        (
            "psql: error: connection to server at \"pg\" (10.96.3.4), port 5432 failed: timeout expired",
            Timeout,
            "pg:5432",
            "",
        ),
        ("dial tcp 10.2.3.4:9092: i/o timeout", Timeout, "10.2.3.4:9092", ""),
        (
            "requests.exceptions.ConnectTimeout: HTTPConnectionPool(host='rates', port=80): Max retries exceeded with url: / (Caused by ConnectTimeoutError(<x>, 'Connection to rates timed out. (connect timeout=3)'))",
            Timeout,
            "rates:80",
            "",
        ),
        ("wait-for-it.sh: timeout occurred after waiting 15 seconds for pg:5432", Timeout, "pg:5432", ""),
        ("java.net.NoRouteToHostException: No route to host", Timeout, "", ""),
        (
            "read tcp 10.1.0.4:50100->10.96.3.3:5672: read: connection reset by peer",
            ConnectionReset,
            "10.96.3.3:5672",
            "",
        ),
    ]);
}

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
            TlsMismatch,
            "10.1.0.9",
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

#[test]
fn the_root_of_a_long_trace_is_quoted() {
    let mut log = String::from(
        "2025-11-01T10:00:00.000Z  INFO 1 --- [main] c.a.App : Starting App\n2025-11-01T10:00:05.000Z ERROR 1 --- [main] o.s.b.SpringApplication : Application run failed\n\norg.springframework.beans.factory.BeanCreationException: Error creating bean with name 'dataSource'\n",
    );
    for i in 0..40 {
        log.push_str(&format!(
            "\tat org.springframework.beans.Factory.create(Factory.java:{i}) ~[spring-beans.jar!/:6.1]\n"
        ));
    }
    log.push_str("Caused by: org.springframework.beans.BeanInstantiationException: Failed to instantiate [javax.sql.DataSource]\n\t... 20 common frames omitted\nCaused by: java.net.UnknownHostException: stock-db\n\tat java.base/java.net.InetAddress.getAllByName(InetAddress.java:1)\n\t... 33 more\n");
    let reading = said(&log);
    let first = reading.signal().expect("the host");
    assert_eq!((first.class, first.subject.as_deref()), (Dns, Some("stock-db")));
    assert!(reading.words.expect("a quote").1.starts_with("Caused by: java.net.UnknownHostException"));
}

#[test]
fn what_wraps_a_message_is_taken_off() {
    for (raw, plain) in [
        ("\u{1b}[31mERROR\u{1b}[0m no such table: jobs", "ERROR no such table: jobs"),
        ("[31mERROR[0m no such table: jobs", "ERROR no such table: jobs"),
        ("rate(errors[30m]) is high", "rate(errors[30m]) is high"),
        ("2025-11-01 10:00:00.123 UTC [17] FATAL:  role \"a\" does not exist", "FATAL:  role \"a\" does not exist"),
        ("F1101 10:00:00.000000       1 main.go:90] leader election lost", "leader election lost"),
        (
            r#"{"level":50,"time":1,"msg":"boom","err":{"type":"Error","message":"no route","stack":"x"}}"#,
            "boom: Error: no route",
        ),
        (
            r#"level=error ts=1 msg="cannot listen" err="listen tcp :80: bind: permission denied""#,
            "cannot listen: listen tcp :80: bind: permission denied",
        ),
    ] {
        assert_eq!(afterwatch_core::logs::message(raw), plain);
    }
}

#[test]
fn chatter_is_no_failure() {
    for log in [
        "INFO 0 errors, 12 ok\nINFO done",
        "INFO registered error handler for connection refused",
        "DEBUG lookup cache: no such host, asking again",
        "processed 100 items, errors=0 failed=0\nbye",
        "{\"level\":\"info\",\"msg\":\"request done\",\"error\":null,\"status\":200}",
        "INFO health check passed; timeout is 5s",
        "listening on :8080\nready to accept connections",
        "INFO loaded 3 certificates, none expired",
        "no configuration file found",
        "environment is not defined",
        "granted role admin to app",
    ] {
        let reading = said(log);
        assert!(reading.signals.is_empty(), "{:?} in {log:?}", reading.signals);
    }
}

#[test]
fn a_retry_that_succeeded_is_not_the_cause() {
    let reading = said(
        "WARN connection to db:5432 refused, retrying\nINFO connected to db:5432\nERROR could not parse config: unknown log level: chatty",
    );
    assert_eq!(reading.signal().map(|s| s.class), Some(BadConfig));
    let reading = said("connect ECONNREFUSED 10.0.0.1:5432\nconnection established\nworker stopped");
    assert!(reading.signals.is_empty(), "{:?}", reading.signals);
    assert_eq!(reading.words.map(|(_, w)| w).as_deref(), Some("worker stopped"));
    // One that never did is.
    let reading = said(
        "WARN connection to db:5432 refused, retrying in 1s\nWARN connection to db:5432 refused, retrying in 2s\nFATAL giving up",
    );
    assert_eq!(reading.signal().and_then(|s| s.subject.clone()).as_deref(), Some("db:5432"));
}

#[test]
fn a_warning_of_long_ago_is_not_why_it_ended() {
    let reading = said("WARN unknown option: colour, ignoring it\nINFO serving\nFATAL the moon is full");
    assert!(reading.signals.is_empty(), "{:?}", reading.signals);
    assert_eq!(reading.words.map(|(_, w)| w).as_deref(), Some("FATAL the moon is full"));
}

#[test]
fn a_quote_is_short_and_has_no_frames() {
    let reading = said(&format!("RuntimeError: {}\n  File \"/a.py\", line 3, in x\n    y()", "long ".repeat(200)));
    let (_, quote) = reading.words.expect("a quote");
    assert!(quote.chars().count() <= 220 && quote.starts_with("RuntimeError"), "{quote}");
}

#[test]
fn a_log_of_three_hundred_lines_is_read_quickly() {
    let mut text = String::new();
    for i in 0..60 {
        text.push_str(&format!("2025-11-01T10:00:{i:02}Z INFO request {i} to /api/v1/items done in {i} ms\n"));
        text.push_str(&format!("2025-11-01T10:00:{i:02}Z WARN connection to db-{i}:5432 refused, retrying\n"));
        text.push_str(&format!("{{\"level\":\"info\",\"msg\":\"tick {i}\",\"path\":\"/a/b\"}}\n"));
        text.push_str(&format!("level=error ts={i} msg=\"write failed\" err=\"open /data/{i}: permission denied\"\n"));
        text.push_str(&format!("\tat com.acme.Thing.run(Thing.java:{i})\n"));
    }
    let lines = lines(&text);
    assert_eq!(lines.len(), 300);
    // The patterns are made at the first reading.
    let _ = read(&lines);
    #[allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a test may measure")]
    let begun = std::time::Instant::now();
    let reading = read(&lines);
    let took = begun.elapsed();
    assert!(!reading.signals.is_empty());
    assert!(took.as_millis() < 400, "{took:?} in a build without optimisation");
}
