//! Lines of one failure that read like those of another, and lines in which nothing failed.

use super::*;

/// Logs in which nothing is found, or nothing but an exception that nobody handles.
#[track_caller]
fn silent(logs: &[&str]) {
    let wrong: Vec<String> = logs
        .iter()
        .filter_map(|log| {
            let found = said(log).signals;
            let told = found.iter().find(|s| !matches!(s.class, Unhandled | Panic))?;
            Some(format!("{:?} {:?} in {log:?}", told.class, told.subject))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn much_is_resolved_that_is_no_host() {
    silent(&[
        "Nest can't resolve dependencies of the UserService (?). Please make sure that the argument Repository at index [0] is available",
        "System.InvalidOperationException: Unable to resolve service for type 'Acme.IBar' while attempting to activate 'Acme.Foo'.",
        "org.springframework.beans.factory.BeanCreationException: Cannot resolve reference to bean 'dataSource' while setting constructor argument",
        "npm ERR! Could not resolve dependency:",
        "error: cannot resolve symbol 'Widget'",
    ]);
    table(&[
        ("Module not found: Error: Can't resolve 'fs' in '/app/src'", MissingModule, "fs", ""),
        ("[vite]: Rollup failed to resolve import \"vue\" from \"/app/src/main.js\".", MissingModule, "vue", ""),
        (
            "operation error S3: GetObject, failed to resolve service endpoint, an AWS region is required, but was not found",
            MissingSetting,
            "region",
            "",
        ),
        (
            "[ALERT] (1) : config : [/usr/local/etc/haproxy/haproxy.cfg:12] : 'server be/s1' : could not resolve address 'web'.",
            Dns,
            "web",
            "",
        ),
        ("could not resolve host: stock", Dns, "stock", ""),
        ("nc: bad address 'server'", Dns, "server", ""),
        ("mount.nfs: Failed to resolve server files.corp.test: Name or service not known", Dns, "files.corp.test", ""),
        ("Error: Cannot resolve module 'react'", MissingModule, "react", ""),
        ("Error: getaddrinfo ENOTFOUND http://stock", Dns, "stock", ""),
        ("error: failed to resolve 'stock'", Dns, "stock", ""),
        ("unable to resolve db.prod.svc", Dns, "db.prod.svc", ""),
        ("cannot resolve db:5432", Dns, "db:5432", ""),
        ("Error: getaddrinfo ENOTFOUND undefined", Dns, "undefined", ""),
        ("Error: getaddrinfo ENOTFOUND null", Dns, "null", ""),
        ("socket.gaierror: failed to resolve host None", Dns, "None", ""),
        ("Error: getaddrinfo EAI_AGAIN undefined:3306", Dns, "undefined:3306", ""),
        ("Error: connect ECONNREFUSED undefined:5432", ConnectionRefused, "undefined:5432", ""),
        ("Error: getaddrinfo ENOTFOUND undefined-db.shop", Dns, "undefined-db.shop", ""),
    ]);
}

#[test]
fn a_variable_that_is_set_is_not_missing() {
    silent(&[
        "NODE_ENV set to production",
        "DATABASE_URL provided, running migrations",
        "APP_ENV configured as prod",
        "SECRET_KEY specified via file",
        "LOG_LEVEL present in the environment",
        "SENTRY_DSN is not set. Skipping.",
        "HTTP_PROXY not set",
        "CACHE_TTL missing, using default 60",
        "WARN METRICS_TOKEN is not set, metrics disabled",
        "The \"FOO_BAR\" variable is not set. Defaulting to a blank string.",
        "NEW_RELIC_KEY not provided; falling back to the agent's file",
        "INFO access token expired, refreshing",
        "WARN request failed after 429 ms: https://api.shop.test",
    ]);
    table(&[
        ("JWT_SECRET must be defined", MissingEnv, "JWT_SECRET", ""),
        (
            "panic: DATABASE_URL must be defined\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:9 +0x1d",
            MissingEnv,
            "DATABASE_URL",
            "",
        ),
        (
            "unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined",
            MissingEnv,
            "KUBERNETES_SERVICE_HOST",
            "",
        ),
        ("Error: STRIPE_KEY not provided", MissingEnv, "STRIPE_KEY", ""),
        ("SMTP_HOST has not been set", MissingEnv, "SMTP_HOST", ""),
        ("Error: AWS_DEFAULT_REGION is not set", MissingEnv, "AWS_DEFAULT_REGION", ""),
        ("Error: using postgres, but DATABASE_URL is not set", MissingEnv, "DATABASE_URL", ""),
        ("SMTP_HOST needs to be configured", MissingEnv, "SMTP_HOST", ""),
        ("QUEUE_URL cannot be blank", MissingEnv, "QUEUE_URL", ""),
        ("QUEUE_URL is not set and there is no default", MissingEnv, "QUEUE_URL", ""),
    ]);
}

#[test]
fn what_is_null_or_no_key_may_be_a_fault_of_the_program() {
    silent(&[
        "Unhandled exception. System.ArgumentNullException: Value cannot be null. (Parameter 'source')",
        "Unhandled exception. System.ArgumentNullException: Value cannot be null. (Parameter 'cancellationToken')",
        "Traceback (most recent call last):\n  File \"/app/rates.py\", line 4, in convert\n    rate = rates[code]\nKeyError: 'USD'",
        "Traceback (most recent call last):\n  File \"/usr/lib/python3/pandas/core/indexes/base.py\", line 3805, in get_loc\n    return self._engine.get_loc(casted_key)\nKeyError: 'TRADE_DATE'",
        "KeyError: 'DATE'",
    ]);
    table(&[
        (
            "System.ArgumentNullException: Value cannot be null. (Parameter 'connectionString')",
            MissingSetting,
            "connectionString",
            "",
        ),
        (
            "System.ArgumentNullException: Value cannot be null. (Parameter 'uriString')",
            MissingSetting,
            "uriString",
            "",
        ),
        (
            "Traceback (most recent call last):\n  File \"/app/a.py\", line 4, in <module>\n    main()\n  File \"<frozen os>\", line 685, in __getitem__\nKeyError: 'TOKEN'",
            MissingEnv,
            "TOKEN",
            "",
        ),
        (
            r#"{"level":"error","msg":"start failed","exc_info":"Traceback (most recent call last):\n  File \"/a.py\", line 1, in <module>\n    dsn = os.environ['MAIL']\nKeyError: 'MAIL'"}"#,
            MissingEnv,
            "MAIL",
            "",
        ),
        (
            "Traceback (most recent call last):\n  File \"/app/rates.py\", line 4, in convert\n    rate = rates[code]\nKeyError: 'USD'",
            Unhandled,
            "",
            "",
        ),
    ]);
}

#[test]
fn memory_of_a_gpu_and_a_slow_worker_are_not_the_containers_memory() {
    table(&[
        (
            "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 15.78 GiB total capacity)",
            GpuMemory,
            "",
            "",
        ),
        ("RuntimeError: CUDA error: out of memory", GpuMemory, "", ""),
        ("cuMemAlloc failed: CUDA_ERROR_OUT_OF_MEMORY", GpuMemory, "", ""),
        ("failed to open /dev/nvidia0: no such device", Device, "/dev/nvidia0", ""),
        ("open /dev/kvm: no such file or directory", Device, "/dev/kvm", ""),
        ("RuntimeError: No CUDA-capable device is detected", Device, "", ""),
        (
            "[2025-01-01 00:00:00 +0000] [1] [CRITICAL] WORKER TIMEOUT (pid:9)\n[2025-01-01 00:00:01 +0000] [1] [ERROR] Worker (pid:9) was sent SIGKILL! Perhaps out of memory?",
            Timeout,
            "",
            "",
        ),
        (
            "[2025-01-01 00:00:01 +0000] [1] [ERROR] Worker (pid:9) was sent SIGKILL! Perhaps out of memory?",
            OutOfMemory,
            "",
            "",
        ),
        (
            "ERROR:  could not resize shared memory segment \"/PostgreSQL.1234\" to 16777216 bytes: No space left on device",
            SharedMemory,
            "",
            "",
        ),
        (
            "RuntimeError: DataLoader worker (pid 12) is killed by signal: Bus error. It is possible that dataloader's workers are out of shared memory.",
            SharedMemory,
            "",
            "",
        ),
    ]);
}

#[test]
fn what_a_server_says_of_its_clients_does_not_explain_its_own_end() {
    table(&[
        (
            "2025-01-01 00:00:00.000 UTC [29] PANIC:  could not locate a valid checkpoint record\n2025-01-01 00:00:01.000 UTC [40] FATAL:  password authentication failed for user \"app\"\n2025-01-01 00:00:01.500 UTC [41] FATAL:  sorry, too many clients already\n2025-01-01 00:00:02.000 UTC [1] LOG:  startup process (PID 29) was terminated by signal 6: Aborted\n2025-01-01 00:00:02.100 UTC [1] LOG:  aborting startup due to startup process failure",
            DataDirectory,
            "",
            "",
        ),
        (
            "2025-01-01T00:00:00.000000Z 12 [Warning] [MY-010055] [Server] Access denied for user 'app'@'10.1.1.1' (using password: YES)\n2025-01-01T00:00:01.000000Z 0 [ERROR] [MY-012592] [InnoDB] Operating system error number 28 in a file operation.\n2025-01-01T00:00:02.000000Z 0 [ERROR] [MY-010119] [Server] Aborting",
            DiskFull,
            "",
            "",
        ),
        (
            "2025-01-01 00:00:00.000 UTC [31] FATAL:  the database system is starting up\n2025-01-01 00:00:01.000 UTC [1] FATAL:  could not write lock file \"/data/postmaster.pid\": No space left on device",
            DiskFull,
            "/data/postmaster.pid",
            "",
        ),
        // Without an end of its own they are what there is to tell.
        (
            "2025-01-01 00:00:01.000 UTC [40] FATAL:  password authentication failed for user \"app\"",
            Authentication,
            "app",
            "",
        ),
    ]);
    silent(&[
        "2025-01-01 00:00:01.000 UTC [40] app@shop FATAL:  role \"app\" does not exist\n2025-01-01 00:00:02.000 UTC [1] LOG:  received fast shutdown request\n2025-01-01 00:00:02.100 UTC [1] LOG:  database system is shut down",
    ]);
}

#[test]
fn lines_in_json_are_read_however_their_keys_are_spelt() {
    table(&[
        (
            r#"{"t":{"$date":"2025-01-01T00:00:00.000+00:00"},"s":"E","c":"CONTROL","id":20557,"ctx":"initandlisten","msg":"DBException in initAndListen, terminating","attr":{"error":"IllegalOperation: Attempted to create a lock file on a read-only directory: /data/db"}}"#,
            ReadOnly,
            "/data/db",
            "",
        ),
        (
            r#"{"s":"E","c":"CONTROL","msg":"DBException in initAndListen, terminating","attr":{"error":{"code":100,"codeName":"NonExistentPath","errmsg":"Data directory /data/db not found."}}}"#,
            MissingFile,
            "/data/db",
            "",
        ),
        (
            r#"{"EventId":6,"LogLevel":"Critical","Category":"Acme.App","Message":"cannot start","Exception":"System.IO.FileNotFoundException: Could not find file '/app/keys.json'.\n   at System.IO.File.Open(String path)"}"#,
            MissingFile,
            "/app/keys.json",
            "",
        ),
        (
            r#"{"@t":"2025-01-01T00:00:00Z","@mt":"Cannot start {Reason}","@m":"Cannot start now","@l":"Fatal","@x":"Npgsql.NpgsqlException: Failed to connect to 10.0.0.9:5432"}"#,
            Unreachable,
            "10.0.0.9:5432",
            "",
        ),
        (
            r#"{"Timestamp":"2025-01-01","Level":"Error","MessageTemplate":"x {Y}","RenderedMessage":"lookup db: no such host"}"#,
            Dns,
            "db",
            "",
        ),
        // Monolog: 250 is a notice, 500 is critical, and the name counts before the number.
        (
            "{\"message\":\"open /a/b.json: no such file or directory\",\"level\":250,\"level_name\":\"NOTICE\"}\n{\"message\":\"SMTP_HOST is not set\",\"level\":500,\"level_name\":\"CRITICAL\"}",
            MissingEnv,
            "SMTP_HOST",
            "",
        ),
        // GELF counts as syslog does: 6 is chatter, 3 is an error.
        (
            "{\"short_message\":\"x\",\"message\":\"SMTP_HOST is not set\",\"level\":3}\n{\"message\":\"open /a/b.json: no such file or directory\",\"level\":6}",
            MissingEnv,
            "SMTP_HOST",
            "",
        ),
    ]);
}

#[test]
fn hosts_that_stand_in_many_places() {
    table(&[
        ("SQLSTATE[HY000] [2002] Connection refused (Connection: mysql, SQL: select 1)", ConnectionRefused, "", ""),
        (
            "SQLSTATE[HY000] [2002] Connection refused (Connection: mysql, Host: mysql, Port: 3306, Database: shop, SQL: select 1)",
            ConnectionRefused,
            "mysql:3306",
            "",
        ),
        ("PDOException: SQLSTATE[HY000] [2002] Connection timed out", Timeout, "", ""),
        (
            "SQLSTATE[HY000] [2002] php_network_getaddresses: getaddrinfo failed: Name or service not known (Connection: mysql, Host: maria)",
            Dns,
            "maria",
            "",
        ),
        (
            "SQLSTATE[HY000] [2002] php_network_getaddresses: getaddrinfo for maria failed: Name or service not known",
            Dns,
            "maria",
            "",
        ),
        (
            "Redis::CannotConnectError: Error connecting to Redis on redis:6379 (Errno::ECONNREFUSED)",
            ConnectionRefused,
            "redis:6379",
            "",
        ),
        (
            "ConnectionRefusedError: [Errno 111] Connect call failed ('10.96.5.5', 5432)",
            ConnectionRefused,
            "10.96.5.5:5432",
            "",
        ),
        ("TimeoutError: [Errno 110] Connect call failed ('10.96.5.5', 5432)", Timeout, "10.96.5.5:5432", ""),
        ("[error] Unable to connect to Elasticsearch at http://es:9200.", Unreachable, "es:9200", ""),
        (
            "StackExchange.Redis.RedisConnectionException: It was not possible to connect to the redis server(s). UnableToConnect on redis:6379/Interactive, Initializing/NotStarted",
            Unreachable,
            "redis:6379",
            "",
        ),
        (
            "io.lettuce.core.RedisConnectionException: Unable to connect to redis/<unresolved>:6379",
            Unreachable,
            "redis:6379",
            "",
        ),
        (
            "psycopg2.OperationalError: could not connect to server: Connection refused\n\tIs the server running on host \"db\" (10.96.1.2) and accepting\n\tTCP/IP connections on port 5432?",
            ConnectionRefused,
            "db:5432",
            "",
        ),
        ("ERROR 2002 (HY000): Can't connect to MySQL server on 'mysql' (115)", Unreachable, "mysql", ""),
        (
            "pymysql.err.OperationalError: (2003, \"Can't connect to MySQL server on 'mysql' ([Errno 111] Connection refused)\")",
            ConnectionRefused,
            "mysql",
            "",
        ),
        ("unable to connect to the database: mysql:3306", Unreachable, "mysql:3306", ""),
        ("kafka.errors.NoBrokersAvailable: NoBrokersAvailable", Unreachable, "", ""),
        (
            "psql: error: connection to server at \"pg\" (10.96.3.4), port 5432 failed: FATAL:  the database system is starting up",
            NotReady,
            "pg:5432",
            "",
        ),
        ("FATAL:  the database system is starting up", NotReady, "", ""),
        (
            "Error making API request. URL: GET https://vault:8200/v1/sys. Code: 503. Errors: * Vault is sealed",
            NotReady,
            "vault:8200",
            "",
        ),
        ("Unexpected response code: 500 (No cluster leader)", NotReady, "", ""),
    ]);
}

#[test]
fn files_that_are_there_and_ports_that_are_not_free() {
    table(&[
        ("failed to open log: open /var/log/app.log: permission denied", PermissionDenied, "/var/log/app.log", ""),
        ("cannot open '/data/db': Permission denied", PermissionDenied, "/data/db", ""),
        ("java.io.FileNotFoundException: /data/app.log (Permission denied)", PermissionDenied, "/data/app.log", ""),
        ("java.io.FileNotFoundException: /data/app.yml (No such file or directory)", MissingFile, "/data/app.yml", ""),
        ("cp: cannot stat '/secrets/a': Permission denied", PermissionDenied, "/secrets/a", ""),
        ("can't open /dev/fuse: Operation not permitted", PermissionDenied, "/dev/fuse", ""),
        ("unable to open database file /data/app.db: disk I/O error", DiskError, "/data/app.db", ""),
        (
            "org.elasticsearch.ElasticsearchException: AccessDeniedException[/usr/share/elasticsearch/data/nodes]",
            PermissionDenied,
            "/usr/share/elasticsearch/data/nodes",
            "",
        ),
        (
            "FATAL:  private key file \"/var/lib/postgresql/server.key\" has group or world access",
            PermissionDenied,
            "/var/lib/postgresql/server.key",
            "",
        ),
        ("panic: open config.yaml: no such file or directory", MissingFile, "config.yaml", ""),
        ("error: open .env: no such file or directory", MissingFile, ".env", ""),
        ("python: can't open file '/app/main.py': [Errno 13] Permission denied", PermissionDenied, "/app/main.py", ""),
        ("open data/x.db: permission denied", PermissionDenied, "", ""),
        ("System.Net.Sockets.SocketException (13): Permission denied", PortDenied, "", ""),
        (
            "ERROR: [Errno 13] error while attempting to bind on address ('0.0.0.0', 80): permission denied",
            PortDenied,
            "80",
            "",
        ),
        ("bind(): Permission denied", PortDenied, "", ""),
        ("Address already in use - bind(2) for \"0.0.0.0\" port 3000 (Errno::EADDRINUSE)", PortInUse, "3000", ""),
        ("[2025-01-01 00:00:00 +0000] [1] [ERROR] Connection in use: ('0.0.0.0', 8000)", PortInUse, "8000", ""),
        ("{listen_error,{acceptor,{0,0,0,0,0,0,0,0},5672,eaddrinuse}}", PortInUse, "5672", ""),
        ("java.net.BindException: Cannot assign requested address", BadConfig, "", ""),
        ("listen tcp 10.0.0.9:80: bind: cannot assign requested address", BadConfig, "", "10.0.0.9"),
        ("could not bind IPv4 address \"10.0.0.9\": Cannot assign requested address", BadConfig, "", "10.0.0.9"),
        ("A server is already running. Check /app/tmp/pids/server.pid", Locked, "/app/tmp/pids/server.pid", ""),
        ("opening storage failed: lock DB directory: resource temporarily unavailable", Locked, "", ""),
        ("rpc error: code = ResourceExhausted desc = etcdserver: mvcc: database space exceeded", StoreFull, "", ""),
    ]);
}

#[test]
fn programs_versions_and_commands() {
    table(&[
        ("standard_init_linux.go:228: exec user process caused: exec format error", ExecFormat, "", ""),
        ("exec /app/run: exec format error", ExecFormat, "/app/run", ""),
        ("/entry.sh: line 3: /app/run: cannot execute binary file: Exec format error", ExecFormat, "/app/run", ""),
        ("Error: unknown shorthand flag: 'x' in -x", UnknownFlag, "-x", ""),
        ("Your Ruby version is 3.0.0, but your Gemfile specified 3.2.0", RuntimeVersion, "Gemfile", "3.0.0"),
        ("sh: ./run: Exec format error", ExecFormat, "./run", ""),
        ("fatal error: all goroutines are asleep - deadlock!", Panic, "", ""),
        ("fatal error: concurrent map writes", Panic, "", ""),
        ("runtime: failed to create new OS thread (have 12 already; errno=11)", KernelSetting, "thread", ""),
        ("command traefik error: field not found, node: foo", BadConfig, "foo", ""),
        ("Could not find rack-2.2.3 in any of the sources (Bundler::GemNotFound)", MissingModule, "rack-2.2.3", ""),
        ("Error: unknown command \"serv\" for \"app\"", UnknownFlag, "serv", ""),
        ("Exception in thread \"main\" java.lang.StackOverflowError", Unhandled, "", ""),
        (
            "java.lang.NoSuchMethodError: 'void com.acme.Util.run(java.lang.String)'",
            MissingModule,
            "com.acme.Util.run",
            "",
        ),
        ("no main manifest attribute, in /app/app.jar", MissingModule, "main manifest attribute", ""),
        ("Invalid maximum heap size: -Xmx4gb", BadConfig, "-Xmx", "4gb"),
        (
            "java.lang.UnsupportedClassVersionError: com/acme/Main has been compiled by a more recent version of the Java Runtime (class file version 65.0)",
            RuntimeVersion,
            "com/acme/Main",
            "65.0",
        ),
        (
            "[ERROR] [MY-014061] [InnoDB] Cannot boot server version 80036 on data directory built by version 90000. Downgrade is not supported",
            DataVersion,
            "90000",
            "80036",
        ),
        ("FATAL:  database files are incompatible with server", DataVersion, "", ""),
        (
            "kafka.common.InconsistentClusterIdException: The Cluster ID abc doesn't match stored clusterId Some(def) in meta.properties.",
            DataDirectory,
            "",
            "",
        ),
    ]);
}

#[test]
fn credentials_of_clouds_and_clusters() {
    table(&[
        ("rpc error: code = Unauthenticated desc = invalid token", Authentication, "", ""),
        (
            "E0101 00:00:00.000000       1 reflector.go:147] Failed to watch *v1.Pod: failed to list *v1.Pod: Unauthorized",
            Authentication,
            "",
            "",
        ),
        ("error: You must be logged in to the server (Unauthorized)", Authentication, "", ""),
        (
            "googleapi: Error 403: Permission 'pubsub.topics.publish' denied on resource (or it may not exist).",
            Authorization,
            "pubsub.topics.publish",
            "",
        ),
        (
            "google.auth.exceptions.DefaultCredentialsError: Could not automatically determine credentials.",
            Authentication,
            "",
            "",
        ),
        ("azure.core.exceptions: DefaultAzureCredential failed to retrieve a token", Authentication, "", ""),
        (
            "SdkClientException: Unable to load credentials from any of the providers in the chain",
            Authentication,
            "",
            "",
        ),
        ("NoCredentialProviders: no valid providers in chain", Authentication, "", ""),
        (
            "FATAL:  no pg_hba.conf entry for host \"10.1.1.1\", user \"app\", database \"x\", no encryption",
            Authorization,
            "app",
            "",
        ),
    ]);
    let said = said("botocore.exceptions.NoCredentialsError: Unable to locate credentials");
    let signal = said.signal().expect("a signal");
    assert_eq!(signal.phrase(), "authentication failed (no credentials are found)");
}

#[test]
fn a_client_that_asks_for_what_is_not_there_is_no_failure_of_the_server() {
    silent(&[
        "2025/01/01 00:00:00 [error] 29#29: *1 open() \"/usr/share/nginx/html/favicon.ico\" failed (2: No such file or directory), client: 10.1.1.1, server: localhost, request: \"GET /favicon.ico HTTP/1.1\", host: \"shop\"",
        "2025/01/01 00:00:00 [error] 29#29: *1 access forbidden by rule, client: 10.1.1.1, server: _, request: \"GET /.git HTTP/1.1\"",
    ]);
    table(&[(
        "2025/01/01 00:00:00 [error] 29#29: *1 connect() failed (111: Connection refused) while connecting to upstream, client: 10.1.1.1, server: _, request: \"GET / HTTP/1.1\", upstream: \"http://10.244.1.7:8080/\"",
        ConnectionRefused,
        "10.244.1.7:8080",
        "",
    )]);
}
