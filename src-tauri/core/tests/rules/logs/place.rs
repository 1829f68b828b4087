//! Files, rights, disks, ports and memory.

use super::*;

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
