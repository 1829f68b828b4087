//! Forms about data, databases and crashes.

use super::Family;
use crate::logs::Class::{
    Assertion, DataDirectory, DataVersion, Database, LeaderLost, Locked, Migration, Panic, PoolExhausted, RateLimit,
    Unhandled,
};

pub(super) const FAMILIES: &[Family] = &[
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
            "pg_control",
            "already exists",
            "checkpoint record",
            "clusterid",
            "database directory",
            "a database cluster",
            "unsupported",
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
            (
                DataVersion,
                97,
                r"(?i)boot server version (?P<v>[\d.]+) on data directory built by version (?P<s>[\d.]+)",
            ),
            (
                DataDirectory,
                92,
                r"(?i)could not locate a valid checkpoint record|invalid (?:primary )?checkpoint record",
            ),
            (DataDirectory, 90, r"InconsistentClusterIdException"),
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
                r"(?i)(?:too many requests|rate ?-?limit|(?:http|status|code|error|response)\W{0,3}(?:code\W{0,3})?429\b)[^\n]*?https?://(?:[^@\s/]*@)?(?P<s>[\w.-]+(?::\d+)?)",
            ),
            (
                RateLimit,
                76,
                r"(?i)https?://(?:[^@\s/]*@)?(?P<s>[\w.-]+(?::\d+)?)[^\n]*?(?:too many requests|rate ?-?limit|(?:http|status|code|error|response)\W{0,3}(?:code\W{0,3})?429\b)",
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
            "connection is not available",
            "acquiring a connection",
        ],
        forms: &[(
            PoolExhausted,
            86,
            r"(?i)(?:connection )?pool (?:is |was )?(?:exhausted|timeout|timed out|depleted)|too many (?:connections|clients)|remaining connection slots|QueuePool limit|Timeout waiting for connection from pool|no connections? available|Connection is not available, request timed out|max_user_connections|connection limit exceeded|timeout acquiring a connection|unable to acquire a connection from the pool",
        )],
    },
    Family {
        keys: &[
            "lock",
            "ora-00054",
            "ora-00060",
            "ora-30006",
            "another instance",
            "another process",
            "another server",
            "already running",
            "postmaster.pid",
        ],
        forms: &[
            // What a database says of its tables and rows; that somebody waited for it is no matter of the network.
            (
                Locked,
                92,
                r"(?i)due to lock timeout|lock ?wait ?timeout|lock (?:request )?time[- ]?out (?:period )?exceeded|\bLockNotAvailable|LockTimeoutException|LockAcquisitionException|CannotAcquireLockException|could not obtain lock on (?:row|relation|tuple|table)|\b1205\b[^\n]{0,20}lock|\bORA-00054|\bORA-30006|was deadlocked on lock",
            ),
            (
                Locked,
                92,
                r"(?i)deadlock detected|deadlock found when trying to get lock|\bORA-00060|DeadlockLoser|::Deadlocked\b|DeadlockDetected|ER_LOCK_DEADLOCK|was deadlocked on\b",
            ),
            (Locked, 84, r"(?i)\balready running[^\n]*?(/[\w./-]+\.(?:pid|lock))\b"),
            (Locked, 84, r#"(?i)lock file "([^"]+)" already exists"#),
            (
                Locked,
                84,
                r"(?i)(?:failed to obtain node locks|could not (?:obtain|acquire)[^\n]*lock|unable to (?:obtain|acquire|lock)[^\n]*lock)[^\n/]*\[+(/[^\s\],']+)",
            ),
            (
                Locked,
                82,
                r"(?i)failed to obtain node locks|could not (?:obtain|acquire) (?:the |a |change ?log )*lock|lock (?:is )?(?:already )?held|waiting for changelog lock|LockException|LockObtainFailed|database is locked|another (?:instance|process|server) (?:is )?(?:already )?(?:running|using|has)|unable to lock|already locked|failed to (?:obtain|acquire) (?:the )?lock|resource temporarily unavailable[^\n]*lock|lock DB directory|a server is already running",
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
            "violates",
            "serialize",
            "already exists",
            "undefinedtable",
            "undefinedcolumn",
            "ora-",
            "collection",
            "sql syntax",
            "is not defined",
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
                r"(?i)(?:SQLSTATE|syntax error at or near|error in your SQL syntax|duplicate (?:key value|entry|column)|violates [\w-]+ constraint|could not serialize|UndefinedTable|UndefinedColumn|ORA-\d{5})",
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
        keys: &["leader", "lease", "master"],
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
            "all goroutines",
            "concurrent map",
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
        keys: &["unhandled", "uncaught", "exception in thread", "stackoverflowerror"],
        forms: &[(
            Unhandled,
            58,
            r"(?i)StackOverflowError|unhandled(?: promise)? ?(?:exception|rejection|error)|uncaught (?:exception|error|\w*Error)|Exception in thread",
        )],
    },
];
