//! Variables, settings, values, options and programs.

use super::*;

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
            UnknownFlag,
            "inodb_buffer_pool_size",
            "",
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
