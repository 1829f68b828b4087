//! Forms about the machine and the data: rights, disks, ports, memory, kernel limits, databases, crashes.

use super::Family;
use crate::logs::Class::{
    Assertion, DataDirectory, DataVersion, Database, DiskFull, KernelSetting, LeaderLost, Locked, Migration,
    OutOfMemory, Panic, PermissionDenied, PoolExhausted, PortDenied, PortInUse, RateLimit, ReadOnly, Unhandled,
};

pub(super) const FAMILIES: &[Family] = &[
    Family {
        keys: &[
            "permission",
            "eacces",
            "eperm",
            "not permitted",
            "accessdenied",
            "writable",
            "ownership",
            "group or world",
            "write to",
        ],
        forms: &[
            (PortDenied, 92, r"(?i)bind\(\) to [^\s]*?:?(\d{1,5}) failed \(13"),
            (PortDenied, 92, r"(?i)listen (?:tcp|udp)\d? [^\s]*?:(\d{1,5}): bind: permission denied"),
            (PortDenied, 92, r"(?i)could not bind to address [^\s]*?:(\d{1,5})"),
            (PortDenied, 92, r"(?i)(?:listen|bind) EACCES:? permission denied (?:[^\s]*:)?(\d{1,5})\b"),
            (PortDenied, 90, r"(?i)(?:bind|listen)\w*[^\n]*?(?::|port )(\d{1,4})\b[^\n]*(?:permission denied|EACCES)"),
            (PortDenied, 86, r"(?i)(?:permission denied|EACCES)[^\n]*(?:bind|listen)[^\n]*?(?::|port )(\d{1,4})\b"),
            (PortDenied, 80, r"(?i)bind: permission denied|SocketException: permission denied"),
            (
                PermissionDenied,
                90,
                r#"data directory "([^"]+)" has (?:invalid permissions|wrong ownership|group or world access)"#,
            ),
            (PermissionDenied, 88, r"GF_PATHS_DATA='([^']+)' is not writable"),
            (
                PermissionDenied,
                86,
                r#"(?i)(?:changing ownership of|could not change (?:permissions|ownership) of (?:directory )?)\s*['"]([^'"]+)['"]"#,
            ),
            (PermissionDenied, 86, r"(?i)EACCES: permission denied, \w+ '([^']+)'"),
            (PermissionDenied, 84, r"AccessDeniedException: (/\S+)"),
            (PermissionDenied, 84, r#"(/[^\s'"]+)['"]? (?:is )?not writable"#),
            (PermissionDenied, 83, r#"(?i)permission denied:? ?['"(]?(/[^\s'"):,]+)"#),
            (
                PermissionDenied,
                82,
                r#"(?i)['"]?(/[^\s'":,]+)['"]?:? ?(?:failed )?\(?(?:\w+: )?(?:OS errno )?(?:\d+(?::| -)? )?['"]?(?:permission denied|operation not permitted|EACCES)"#,
            ),
            (
                PermissionDenied,
                74,
                r"(?i)\b(setuid|setgid|setgroups|chroot|capset|mount|iptables|chown|unshare|mknod)\b[^\n]*(?:not permitted|permission denied|EPERM)",
            ),
            (
                PermissionDenied,
                62,
                r"(?i)EACCES|operation not permitted|PermissionError|permission denied(?: \(13\)| \(os error 13\))?",
            ),
        ],
    },
    Family {
        keys: &["read-only", "erofs", "read only file"],
        forms: &[
            (ReadOnly, 88, r"(?i)EROFS: read-only file system, \w+ '([^']+)'"),
            (ReadOnly, 88, r#"(?i)read-only file ?system:? ?['"(]?(/[^\s'"):,]+)"#),
            (ReadOnly, 86, r#"(?i)(/[^\s'":,]+)[^/]*read-only (?:file ?system|directory)"#),
            (ReadOnly, 86, r"(?i)read-only directory: (/\S+)"),
            (ReadOnly, 82, r"(?i)read-only file ?system|EROFS|ReadOnlyFileSystemException"),
        ],
    },
    Family {
        keys: &[
            "no space",
            "enospc",
            "disk",
            "could not extend",
            "could not write",
            "errno 28",
            "error number 28",
            "quota exceeded",
        ],
        forms: &[
            (DiskFull, 88, r#"(?i)no space left on device:? ?['"(]?(/[^\s'"):,]+)"#),
            (DiskFull, 88, r#"(?i)could not (?:write|extend|fsync)(?: to)? file "([^"]+)""#),
            (DiskFull, 86, r#"(?i)(/[^\s'":,]+)[^/]*no space left on device"#),
            (
                DiskFull,
                84,
                r"(?i)no space left on device|ENOSPC|Errno 28|disk quota exceeded|disk is full|disk full|flood[- ]stage disk watermark|disk resource limit alarm|(?:error number|errno:?) 28",
            ),
        ],
    },
    Family {
        keys: &["already in use", "eaddrinuse", "allocated", "address in use", "bind"],
        forms: &[
            (PortInUse, 92, r"(?i)address already in use[^\n]*\('[^']*', (\d{2,5})\)"),
            (PortInUse, 90, r"EADDRINUSE[^\d]*(?:[\d.:]*:)?(\d{2,5})"),
            (
                PortInUse,
                90,
                r"(?i):(\d{2,5})\)?[^\d]*(?:failed )?\(?(?:\d+: )?(?:bind: )?address (?:is )?already in use",
            ),
            (
                PortInUse,
                88,
                r"(?i)(?:[\d.\[\]:]*?[: ])(\d{2,5})\)?[^\d]*(?:failed )?\(?(?:\d+: )?(?:bind: )?address (?:is )?already in use",
            ),
            (PortInUse, 88, r"(?i)port:? (\d{2,5}) (?:is |was )?(?:already )?(?:in use|allocated|taken)"),
            (PortInUse, 86, r#"(?i)address already in use[^\d]*?(?::|port )(\d{2,5})\b"#),
            (PortInUse, 70, r"(?i)address (?:is )?already in use|EADDRINUSE|port is already allocated"),
        ],
    },
    Family {
        keys: &[
            "outofmemory",
            "out of memory",
            "heap",
            "memoryerror",
            "cannot allocate",
            "bad_alloc",
            "allocation",
            "enomem",
            "memory size",
            "insufficient memory",
            "gc overhead",
            "killed",
            "oom",
        ],
        forms: &[
            (
                OutOfMemory,
                90,
                r"OutOfMemoryError|OutOfMemoryException|JavaScript heap out of memory|(?i:runtime: out of memory)|MemoryError\b|(?i:cannot allocate memory)|std::bad_alloc|(?i:allocation failed - )|(?i:\bout of memory\b)|(?i:memory allocation of \d+ bytes failed)|ENOMEM|(?i:GC overhead limit exceeded)|(?i:insufficient memory for the java)|(?i:allowed memory size of \d+ bytes exhausted)|(?i:Reached heap limit)",
            ),
            (
                OutOfMemory,
                70,
                r"^(?:\S*sh: )?(?:line \d+: +)?(?:\d+ )?Killed\b|(?i:OOM command not allowed)|(?i:was terminated by signal 9|sent SIGKILL! Perhaps out of memory)",
            ),
        ],
    },
    Family {
        keys: &[
            "max_map_count",
            "descriptors",
            "too many open",
            "emfile",
            "inotify",
            "file watchers",
            "native thread",
            "pthread",
            "thread",
            "fork",
        ],
        forms: &[
            (KernelSetting, 95, r"(vm\.max_map_count) \[(?P<v>\d+)\]"),
            (KernelSetting, 92, r"(?i:max file descriptors) \[(?P<v>\d+)\]"),
            (
                KernelSetting,
                93,
                r"(?i)(inotify)[^\n]*(?:no space|too many|limit|reached)|(?:no space|too many|limit)[^\n]*(inotify)|system limit for number of (file watchers)",
            ),
            (KernelSetting, 86, r"(?i)(too many open files)|EMFILE"),
            (
                KernelSetting,
                91,
                r"(?i)unable to create (?:new )?(native thread)|(pthread_create) failed|(fork): (?:retry: )?resource temporarily unavailable|can't start new (thread)|newosproc",
            ),
        ],
    },
    Family {
        keys: &[
            "not empty",
            "data directory",
            "data dir",
            "files in it",
            "unusable",
            "initialized by",
            "incompatible",
            "version",
            "downgrade",
            "upgrade",
            "featurecompat",
            "pg_version",
            "database cluster",
            "rdb format",
        ],
        forms: &[
            (
                DataVersion,
                96,
                r"(?i)initialized by PostgreSQL version (?P<s>[\d.]+), which is not compatible with this version (?P<v>[\d.]+)",
            ),
            (DataVersion, 92, r"(?i)database files are incompatible with server"),
            (
                DataVersion,
                92,
                r"(?i)cannot (?:upgrade|downgrade|boot server version)[^\n]*?(?:from|data dictionary version|version) '?\[?(?P<s>[\d.]+)'?\]?[^\n]*?(?:to|version) '?\[?(?:version )?\[?(?P<v>[\d.]+)",
            ),
            (
                DataVersion,
                90,
                r"(?i)invalid mysql server (?:up|down)grade|wrong mongod version|featureCompatibilityVersion|can't handle RDB format version (?P<s>\d+)|unsupported (?:data|storage|on-disk|database) (?:format|version)",
            ),
            (DataDirectory, 92, r#"(?i)directory "?(/[^\s"]+)"? exists but is not empty"#),
            (DataDirectory, 90, r"(?i)data directory has files in it"),
            (DataDirectory, 88, r"(?i)data directory (/\S+) is unusable"),
            (
                DataDirectory,
                88,
                r#"(?i)"?(/[^\s"]+)"? (?:is not a database cluster directory|is not a valid data directory|does not (?:appear to be|contain) a[^\n]* data directory|already exists and is not empty)"#,
            ),
            (DataDirectory, 84, r#"(?i)missing or unreadable[^\n]*PG_VERSION|could not open file "(/\S+PG_VERSION)""#),
        ],
    },
    Family {
        keys: &["too many requests", "rate", "429", "throttl", "quota", "usage limit"],
        forms: &[
            (
                RateLimit,
                76,
                r"(?i)(?:too many requests|rate ?-?limit|\b429\b)[^\n]*?https?://(?:[^@\s/]*@)?(?P<s>[\w.-]+(?::\d+)?)",
            ),
            (
                RateLimit,
                76,
                r"(?i)https?://(?:[^@\s/]*@)?(?P<s>[\w.-]+(?::\d+)?)[^\n]*?(?:too many requests|rate ?-?limit|\b429\b)",
            ),
            (
                RateLimit,
                74,
                r"(?i)too many requests|rate ?-?limit(?:ed| exceeded|ing)|status(?: code)?:? 429|HTTP 429|\bthrottl(?:ed|ing)|(?:request|usage|api)? ?quota exceeded|exceeded your (?:current )?quota|usage limit",
            ),
        ],
    },
    Family {
        keys: &[
            "pool",
            "too many c",
            "connection slots",
            "no connection",
            "connection limit",
            "max_user_connections",
            "request timed out after",
        ],
        forms: &[(
            PoolExhausted,
            86,
            r"(?i)(?:connection )?pool (?:is |was )?(?:exhausted|timeout|timed out|depleted)|too many (?:connections|clients)|remaining connection slots|QueuePool limit|Timeout waiting for connection from pool|no connections? available|Connection is not available, request timed out|max_user_connections|connection limit exceeded|timeout acquiring a connection|unable to acquire a connection from the pool",
        )],
    },
    Family {
        keys: &["lock", "another instance", "another process", "already running", "postmaster.pid"],
        forms: &[
            (Locked, 84, r#"(?i)lock file "([^"]+)" already exists"#),
            (
                Locked,
                84,
                r"(?i)(?:failed to obtain node locks|could not (?:obtain|acquire)[^\n]*lock|unable to (?:obtain|acquire|lock)[^\n]*lock)[^\n/]*\[+(/[^\s\],']+)",
            ),
            (
                Locked,
                82,
                r"(?i)failed to obtain node locks|could not (?:obtain|acquire) (?:the |a |change ?log )*lock|lock (?:is )?(?:already )?held|waiting for changelog lock|LockException|LockObtainFailed|database is locked|another (?:instance|process|server) (?:is )?(?:already )?(?:running|using|has)|unable to lock|already locked|failed to (?:obtain|acquire) (?:the )?lock|resource temporarily unavailable[^\n]*lock",
            ),
        ],
    },
    Family {
        keys: &[
            "does not exist",
            "doesn't exist",
            "not found",
            "no such",
            "unknown database",
            "unknown column",
            "unknown table",
            "psql",
            "sqlstate",
            "syntax error at",
            "duplicate",
            "deadlock",
            "violates",
            "serialize",
            "already exists",
            "undefinedtable",
            "undefinedcolumn",
            "ora-",
            "collection",
            "sql syntax",
        ],
        forms: &[
            (
                Database,
                84,
                r#"(?i)\b(?:relation|table|column|database|schema|collection|index|keyspace|topic|bucket|exchange|queue) ['"`]([\w.-]+)['"`] (?:of relation "\w+" )?(?:does not exist|doesn't exist|not found|is not defined)"#,
            ),
            (
                Database,
                80,
                r#"(?i)\b(?:relation|table|column|database|schema|collection|keyspace) ([\w.]+) (?:does not exist|doesn't exist)"#,
            ),
            (
                Database,
                82,
                r#"(?i)(?:no such table|no such column|unknown database|unknown column|unknown table):? ?['"`]?([\w.]+)"#,
            ),
            (Database, 80, r#"(?i)(?:relation|table|column|database|type|index) ['"`]?([\w.]+)['"`]? already exists"#),
            (Database, 82, r"(?i)table '([\w.]+)' doesn't exist"),
            (
                Database,
                70,
                r"(?i)(?:SQLSTATE|syntax error at or near|error in your SQL syntax|duplicate (?:key value|entry|column)|deadlock detected|violates [\w-]+ constraint|could not serialize|UndefinedTable|UndefinedColumn|ORA-\d{5})",
            ),
        ],
    },
    Family {
        keys: &["migrat", "flyway", "liquibase", "dirty", "alembic", "revision", "schema version", "changeset"],
        forms: &[
            (Migration, 90, r"(?i)dirty database version (\d+)"),
            (Migration, 88, r"(?i)migration checksum mismatch for migration version (\S+)"),
            (
                Migration,
                88,
                r#"(?i)(?:migration|migrating|applying)[ :]*['"`]?(V?\d[\w./-]*(?:\.sql)?)['"`]?[^\n]*(?:failed|error|dirty|checksum|mismatch)"#,
            ),
            (Migration, 88, r"(?i)can't locate revision identified by '([^']+)'"),
            (
                Migration,
                84,
                r"(?i)the [`'](\S+)[`'] migration[^\n]*failed|no migration found for version (\d+)|changeset (\S+)[^\n]*(?:failed|error)",
            ),
            (
                Migration,
                82,
                r"(?i)migrations? (?:have |has )?failed|migrations? (?:are|is) pending|PendingMigration|InconsistentMigrationHistory|migrate found failed|flyway[^\n]*(?:failed|exception)|liquibase[^\n]*exception|MigrationFailed|error running migrations?|failed to (?:run|apply) migrations?|database is dirty|alembic[^\n]*error",
            ),
        ],
    },
    Family {
        keys: &["leader", "lease"],
        forms: &[(
            LeaderLost,
            84,
            r"(?i)leader ?election lost|failed to renew lease (\S+)|lost (?:the )?(?:lease|leadership|leader|master)|leaderelection lost|leader election[^\n]*(?:failed|lost)",
        )],
    },
    Family {
        keys: &[
            "panic",
            "segmentation",
            "sigsegv",
            "core dumped",
            "stack overflow",
            "sigabrt",
            "illegal instruction",
            "nil pointer",
            "sigill",
            "fatal signal",
            "sigbus",
        ],
        forms: &[
            (Panic, 92, r"(?i)^panic: runtime error:|nil pointer dereference"),
            (
                Panic,
                68,
                r"(?i)^(?:thread '.*' )?panic(?:ked)?(?:\(| at|:)|panicked at|kernel panic|fatal error: (?:all goroutines|concurrent map|stack overflow)",
            ),
            (
                Panic,
                66,
                r"(?i)segmentation fault|SIGSEGV|stack overflow|SIGABRT|illegal instruction|SIGILL|SIGBUS|core dumped",
            ),
        ],
    },
    Family {
        keys: &["assert"],
        forms: &[(
            Assertion,
            68,
            r"(?i)assertion [^\n]*failed|assertion (?:failed|error)|AssertionError|assert failed",
        )],
    },
    Family {
        keys: &["unhandled", "uncaught", "exception in thread", "unhandledrejection"],
        forms: &[(
            Unhandled,
            58,
            r"(?i)unhandled(?: promise)? ?(?:exception|rejection|error)|uncaught (?:exception|error|\w*Error)|Exception in thread",
        )],
    },
];
