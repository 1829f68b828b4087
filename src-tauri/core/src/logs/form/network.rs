//! Forms about other hosts: names, connections, credentials, certificates.

use super::Family;
use crate::logs::Class::{
    Authentication, Authorization, Certificate, ClusterAccess, ConnectionRefused, ConnectionReset, Dns, Timeout, TlsMismatch,
    Unreachable,
};

pub(super) const FAMILIES: &[Family] = &[
    Family {
        keys: &[
            "lookup", "enotfound", "eai_again", "unknownhost", "translate host", "resolve", "resolution", "host not found", "bad address",
            "unknown host", "server host", "getaddrinfo", "name or service", "nodename", "no address", "nxdomain", "errno -", "error -",
            "no such host", "no servers could be reached", "resolvable", "zero addresses", "non-existing domain", "can't find",
        ],
        forms: &[
            (Dns, 90, r#"host not found in (?:upstream|resolver) "(?P<s>[\w.-]+)(?::(?P<p>\d+))?"#),
            (Dns, 90, r#"HTTPS?ConnectionPool\(host='(?P<s>[\w.-]+)', port=(?P<p>\d+)\).*?(?:Name or service not known|Failed to resolve|NameResolutionError|getaddrinfo|Temporary failure|No address associated)"#),
            (Dns, 90, r"Cannot connect to host (?P<s>[\w.-]+):(?P<p>\d+) ssl:.*?\[(?:Name or service|Temporary failure|No address|Name does not|nodename|Domain name|Errno -)"),
            (Dns, 90, r"Error -\d+ connecting to (?P<s>[\w.-]+):(?P<p>\d+)"),
            (Dns, 90, r"querySrv \w+ _\w+\._tcp\.(?P<s>[\w.-]+)"),
            (Dns, 88, r"(?P<s>[\w.-]+):(?P<p>\d+): \[Errno -\d+\]"),
            (Dns, 88, r"(?i:Name or service not known) \((?P<s>[\w.-]+):(?P<p>\d+)\)"),
            (Dns, 88, r"(?i:could not connect to redis at) (?P<s>[\w.-]+):(?P<p>\d+): (?i:name|temporary|no address)"),
            (Dns, 88, r"(?i:couldn't resolve server) (?P<s>[\w.-]+):(?P<p>\d+)"),
            (Dns, 88, r"tcp connect \((?P<s>[\w.-]+):(?P<p>\d+)\): non-existing domain"),
            (Dns, 88, r"(?i:(?:server|\*\* server) can't find) (?P<s>[\w.-]+): ?(?:NXDOMAIN|SERVFAIL)"),
            (
                Dns,
                88,
                r#"(?i)\blookup (?P<s>[\w.-]+)(?: on [\d.:\[\]a-f]+)?: (?:no such host|server misbehaving|.*i/o timeout|.*timed out|temporary failure|.*connection refused|no answer)"#,
            ),
            (Dns, 88, r"(?:ENOTFOUND|EAI_AGAIN) (?P<s>[\w.-]+)(?::(?P<p>\d+))?"),
            (Dns, 88, r"UnknownHost(?:Exception)?:? (?P<s>[\w.-]+)"),
            (
                Dns,
                86,
                r#"(?i)(?:could not translate host name|could not resolve host(?: ?name)?|couldn't resolve host|failed to resolve(?: host(?:name)?| address)?|cannot resolve(?: host(?:name)?)?|can't resolve|could not resolve|unable to resolve(?: host(?: address)?)?|(?:name|DNS) resolution failed for(?: service)?|bad address|unknown host|unknown (?:mysql )?server host|getaddrinfo (?:failed )?for|getaddrinfo:|no such host is known\.? \()[: ]*['"`(]?(?P<s>[\w-]+(?:\.[\w-]+)*)"#,
            ),
            (Dns, 84, r"php_network_getaddresses: getaddrinfo (?:for (?P<s>\S+) )?failed"),
            (Dns, 84, r"no servers could be reached|No resolvable bootstrap urls|produced zero addresses"),
            (
                Dns,
                72,
                r"(?i)(?:name or service not known|temporary failure in name resolution|nodename nor servname|no address associated with hostname|name does not resolve|NXDOMAIN|\[Errno -[235]\]|no such host|name resolution failure|getaddrinfo failed)",
            ),
        ],
    },
    Family {
        keys: &[
            "refused", "111", "connectexception", "can't reach", "cannot connect", "can't connect", "could not connect", "failed to connect",
            "unable to connect", "not be established", "communications link", "upstream connect error", "no route", "ehostunreach",
            "unreachable", "connect to", "dial error", "enetunreach", "couldn't connect", "connecting to", "connection to",
        ],
        forms: &[
            (ConnectionRefused, 91, r#"(?i)HTTPS?ConnectionPool\(host='(?P<s>[\w.-]+)', port=(?P<p>\d+)\)[^\n]*refused"#),
            (ConnectionRefused, 91, r#"(?:Get|Post|Put|Delete|Head|Patch|POST|GET) "?https?://(?P<s>[\w.-]+(?::\d+)?)[^\s]*: dial tcp [^\n]*connection refused"#),
            (ConnectionRefused, 90, r#"(?i)connection to (?:server at )?['"]?(?P<s>[\w.-]+)['"]?(?: \([\d.:a-f]+\))?,? port (?P<p>\d+) failed: connection refused"#),
            (ConnectionRefused, 88, r"(?i)connection to (?P<s>[\w.-]+):(?P<p>\d+) (?:was )?refused"),
            (ConnectionRefused, 88, r"(?i)error 111 connecting to (?P<s>[\w.-]+):(?P<p>\d+)"),
            (ConnectionRefused, 88, r"(?P<s>[\w.-]+):(?P<p>\d+): \[Errno 111\]"),
            (ConnectionRefused, 88, r"(?i)failed to connect to (?P<s>[\w.-]+) port (?P<p>\d+)(?: after \d+ ms)?: (?:connection refused|couldn't connect)"),
            (ConnectionRefused, 88, r#"(?i)connection refused - connect\(2\) for "?(?P<s>[\w.-]+)"? port (?P<p>\d+)"#),
            (ConnectionRefused, 88, r"tcp connect \((?P<s>[\w.-]+):(?P<p>\d+)\): connection refused"),
            (ConnectionRefused, 87, r"(?i)can't connect to (?:local )?(?:mysql |mariadb )?server on '(?P<s>[\w.-]+)(?::(?P<p>\d+))?'[^\n]*\((?:111|2003)"),
            (ConnectionRefused, 86, r"(?:ECONNREFUSED) (?P<s>[\w.:\[\]-]+)"),
            (ConnectionRefused, 86, r"(?i)dial tcp (?P<s>[\w.\[\]:-]+):? (?:connect: )?connection refused"),
            (ConnectionRefused, 86, r"(?i)connection refused \((?P<s>[\w.-]+):(?P<p>\d+)\)"),
            (ConnectionRefused, 86, r"(?i)can't connect to remote host \((?P<s>[\d.a-f:]+)\): connection refused"),
            (ConnectionRefused, 86, r#"(?i)connection refused\) while connecting to upstream[^\n]*upstream: "\w+://(?P<s>[\w.:\[\]-]+)"#),
            (ConnectionRefused, 86, r"(?i)nc: (?:connect to )?(?P<s>[\w.-]+) (?:\([\d.]+\) )?(?:port )?(?P<p>\d+)[^\n]*refused"),
            (ConnectionRefused, 84, r#"(?i)(?P<s>[a-z\d][\w.-]*:\d{2,5})\b[^\n]*?connection refused"#),
            (ConnectionRefused, 83, r#"(?i)connection refused[^\n]*?[ (/@=](?P<s>[a-z\d][\w.-]*:\d{2,5})\b"#),
            (
                ConnectionRefused,
                83,
                r#"(?i)(?:connect(?:ion)? (?:to|with)|connecting to|can't connect to|cannot connect to|could not connect to|failed to connect to|unable to connect to|reach)(?: server| host| database| redis| broker| MySQL server on)?(?: at)? ['"`(]?(?:[a-z+]+://)?(?:[^@\s/]*@)?(?P<s>[\w.-]+(?::\d+)?)[^\n]*(?:refused|\(111)"#,
            ),
            (ConnectionRefused, 68, r"(?i)connection refused|\[Errno 111\]|ConnectException|ECONNREFUSED|econnrefused"),
            (Unreachable, 88, r"(?i)can't reach database server at [`'](?P<s>[\w.-]+)[`']?:[`']?(?P<p>\d+)"),
            (Unreachable, 86, r"(?i)connection to node -?\d+ \((?P<s>[\w.-]+)/[\d.]+:(?P<p>\d+)\) could not be established"),
            (Unreachable, 84, r"(?i)failed to connect to `?(?:host=)?(?P<s>[\w.-]+)(?: user=\S+)?(?: database=\S+)?`?: (?:dial error|failed)"),
            (Unreachable, 84, r"(?i)cannot connect to host (?P<s>[\w.-]+):(?P<p>\d+)"),
            (
                Unreachable,
                80,
                r#"(?i)(?:can't connect to|cannot connect to|could not connect to|failed to connect to|unable to connect to|can't reach|cannot reach|could not reach|unable to reach|error connecting to)(?: the)?(?: server| host| database| redis| broker| mongodb| postgres\w*| mysql server on| mysql| rabbitmq| kafka| upstream| backend)?(?: at| on)? ['"`(]?(?:[a-z+]+://)?(?:[^@\s/]*@)?(?P<s>[a-z\d][\w-]*(?:\.[\w-]+)*:\d+)"#,
            ),
            (Unreachable, 70, r"(?i)communications link failure|upstream connect error|network is unreachable|ENETUNREACH|failed to connect to any|all brokers are down"),
        ],
    },
    Family {
        keys: &["reset", "broken pipe", "hang up", "closed the connection", "terminating connection", "unexpected eof"],
        forms: &[
            (ConnectionReset, 82, r"ECONNRESET (?P<s>[\w.:\[\]-]+)"),
            (ConnectionReset, 80, r"(?i)(?P<s>[a-z\d][\w.-]*:\d{2,5})\b[^\n]*?connection reset by peer"),
            (ConnectionReset, 66, r"(?i)ECONNRESET|connection reset by peer|socket hang up|server closed the connection unexpectedly|connection reset"),
        ],
    },
    Family {
        keys: &["timed out", "timed-out", "timedout", "timeout", "time out", "deadline exceeded", "no route", "ehostunreach", "(110)", "gave up", "giving up"],
        forms: &[
            (Timeout, 91, r#"(?i)HTTPS?ConnectionPool\(host='(?P<s>[\w.-]+)', port=(?P<p>\d+)\)[^\n]*(?:timed? ?out|no route)"#),
            (Timeout, 90, r#"(?i)connection to (?:server at )?['"]?(?P<s>[\w.-]+)['"]?(?: \([\d.:a-f]+\))?,? port (?P<p>\d+) failed: (?:timeout expired|connection timed out|no route|operation timed out)"#),
            (Timeout, 90, r"(?i)failed to connect to (?P<s>[\w.-]+) port (?P<p>\d+)(?: after \d+ ms)?: (?:connection timed out|operation timed out|timeout|no route)"),
            (Timeout, 88, r"(?i)can't connect to (?:mysql |mariadb )?server on '(?P<s>[\w.-]+)(?::(?P<p>\d+))?'[^\n]*(?:\(110|\(113|timed out)"),
            (Timeout, 88, r"(?i)Connect to (?P<s>[\w.-]+):(?P<p>\d+)[^\n]*(?:timed out|timeout)"),
            (Timeout, 88, r"(?i)timeout occurred after waiting \d+ seconds for (?P<s>[\w.-]+):(?P<p>\d+)"),
            (Timeout, 86, r"(?i)ServerSelectionTimeoutError: (?P<s>[\w.-]+):(?P<p>\d+)"),
            (Timeout, 86, r"(?i)(?:waiting for|wait for) (?P<s>[a-z\d][\w.-]*):(?P<p>\d+)[^\n]*(?:timed? ?out|gave up|giving up)"),
            (
                Timeout,
                84,
                r"(?i)dial (?:tcp|udp) (?P<s>[\w.\[\]:-]+):? (?:connect: )?(?:i/o timeout|connection timed out|no route to host|operation timed out)",
            ),
            (Timeout, 84, r"(?:ETIMEDOUT|EHOSTUNREACH|ESOCKETTIMEDOUT) (?P<s>[\w.:-]+)"),
            (
                Timeout,
                82,
                r#"(?i)(?:timed? ?out|deadline exceeded|ETIMEDOUT|i/o timeout)[^\n]*?(?:[a-z+]+://)(?P<s>[\w.-]+(?::\d+)?)"#,
            ),
            (Timeout, 82, r#"(?i)(?:[a-z+]+://)(?:[^@\s/]*@)?(?P<s>[\w.-]+(?::\d+)?)[^\n]*?(?:timed? ?out|deadline exceeded|i/o timeout|no route to host)"#),
            (Timeout, 80, r"(?i)(?P<s>[a-z\d][\w.-]*:\d{2,5})\b[^\n]*?(?:timed? ?out|i/o timeout|no route to host|host is unreachable)"),
            (Timeout, 78, r"(?i)(?:timed? ?out|no route to host)[^\n]*?[ (/@=](?P<s>[a-z\d][\w.-]*:\d{2,5})\b"),
            (Timeout, 78, r"(?i)can't connect to remote host \((?P<s>[\d.a-f:]+)\): (?:connection|operation) timed out"),
            (
                Timeout,
                62,
                r"(?i)(?:connection|connect|request|operation|read|dial|download|handshake)\w* timed? ?-?out|i/o timeout|context deadline exceeded|no route to host|EHOSTUNREACH|ETIMEDOUT|TimeoutException|TimeoutError|DeadlineExceeded|ConnectTimeout",
            ),
        ],
    },
    Family {
        keys: &[
            "authenticat", "access denied", "login", "role ", "credential", "password", "api key", "token", "wrongpass", "noauth", "401",
            "unauthorized", "invalid_grant", "sasl", "access_refused", "publickey", "signature", "accesskey", "security token", "scram",
        ],
        forms: &[
            (Authentication, 92, r#"ACCESS_REFUSED[^\n]*?(?:user '(?P<s>[^']+)')?"#),
            (
                Authentication,
                90,
                r#"(?i)(?:password authentication failed for user|authentication failed for user|access denied for user|login failed for user|unable to authenticate user|failed to authenticate user)[: ]*['"`\[]?(?P<s>[\w.-]+)"#,
            ),
            (Authentication, 88, r#"(?i)\brole ['"`](?P<s>[\w.-]+)['"`] (?:does not exist|is not permitted to log in)"#),
            (Authentication, 88, r"(?i)Permission denied \((?:publickey|password)"),
            (
                Authentication,
                84,
                r"(?i)(?:authentication failed|authentication failure|authentication required|auth(?:entication)? error|auth failed|invalid (?:username|password|user name|credentials|api key|access token|auth token)|wrong password|bad credentials|WRONGPASS|NOAUTH|401 unauthorized|status(?: code)?:? 401|HTTP 401|login incorrect|login failed|invalid_grant|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|NoCredentialProviders|unable to locate credentials|AuthenticationException|no credentials|could not load credentials|credentials? (?:are |is )?(?:invalid|expired|rejected))",
            ),
        ],
    },
    Family {
        keys: &["forbidden", "403", "accessdenied", "permission denied for", "not authorized", "insufficient", "noperm", "command denied", "pg_hba", "to database", "must be owner", "permission_denied", "authorization", "cannot "],
        forms: &[
            (ClusterAccess, 97, r#"User \\?"(?P<s>[^"\\]+)\\?" cannot (?P<v>\w+) (?:resource|path)"#),
            (Authorization, 91, r"(?i)access denied for user '(?P<s>[^']+)'@'[^']*' to database"),
            (TlsMismatch, 92, r#"no pg_hba\.conf entry for host "(?P<s>[^"]+)"[^\n]*(?:no encryption|SSL off)"#),
            (Authorization, 90, r#"no pg_hba\.conf entry for (?:host "[^"]+"|\[local\]), user "(?P<s>[^"]+)""#),
            (Authorization, 88, r"(?i)permission denied for (?:table|relation|schema|database|sequence|function|view|language) (?P<s>[\w.]+)"),
            (Authorization, 88, r"(?i)not authorized to access (?:topics|group):? \[?(?P<s>[\w.-]+)"),
            (Authorization, 84, r"(?i)is not authorized to perform:? (?P<s>[\w:*]+)"),
            (Authorization, 84, r"(?i)must be owner of \w+ (?P<s>[\w.]+)|command denied to user '(?P<s2>[^']+)'"),
            (
                Authorization,
                78,
                r"(?i)\b(?:403 forbidden|status(?: code)?:? 403|HTTP 403|AccessDenied|NOPERM|insufficient privileges?|insufficient (?:scope|permission)s?|PERMISSION_DENIED|AuthorizationException|not authorized)\b",
            ),
        ],
    },
    Family {
        keys: &[
            "x509", "certificate", "cert_", "sslhandshake", "pkix", "self-signed", "self signed", "issuer", "tls:", "altnames", "private key",
            "key values", "pem", "no start line", "subject alternative", "sslerror",
        ],
        forms: &[
            (Certificate, 93, r"x509: certificate is (?:valid|not valid) for [^\n]*?, not (?P<s>[\w.-]+)"),
            (Certificate, 92, r"(?i)does not match certificate's altnames: Host: (?P<s>[\w.-]+)"),
            (Certificate, 92, r"(?i)certificate is not valid for '(?P<s>[^']+)'"),
            (Certificate, 92, r"(?i)no subject alternative (?:DNS )?names? (?:matching|present)(?: IP address| DNS name)? ?(?P<s>[\w.-]+)?"),
            (Certificate, 92, r#"HTTPS?ConnectionPool\(host='(?P<s>[\w.-]+)', port=(?P<p>\d+)\)[^\n]*(?:SSLError|CERTIFICATE)"#),
            (Certificate, 92, r#"(?:Get|Post|Put|Delete|Head|Patch) "?https://(?P<s>[\w.-]+(?::\d+)?)[^\n]*(?:x509|tls:|certificate)"#),
            (
                Certificate,
                88,
                r#"(?i)(?:x509: |certificate (?:has expired|is not yet valid|verify failed|signed by unknown|expired|is valid for|validation failed|unknown|is not trusted|required)|CERTIFICATE_VERIFY_FAILED|SSLHandshakeException|PKIX path (?:building|validation) failed|self[- ]signed certificate|unable to get local issuer|bad certificate|tls: failed to verify|certificate is not trusted|CERT_HAS_EXPIRED|UNABLE_TO_VERIFY_LEAF_SIGNATURE|DEPTH_ZERO_SELF_SIGNED|RemoteCertificate)"#,
            ),
            (Certificate, 86, r#"(?i)private key does not match|key values mismatch|PEM_read_bio|failed to find any PEM data|no start line|no certificate found in|cannot load certificate"#),
        ],
    },
    Family {
        keys: &["ssl", "tls", "https"],
        forms: &[(
            TlsMismatch,
            85,
            r"(?i)\bSSL off\b|SSL (?:connection )?(?:is )?required|(?:requires?|require_secure_transport|must use) (?:an? )?(?:SSL|TLS|secure transport)|does not support SSL|sent an HTTP request to an HTTPS server|wrong version number|first record does not look like a TLS handshake|HTTP request was sent to HTTPS port|gave HTTP response to HTTPS client|unsupported or unrecognized SSL message|requires encrypted|insecure transport are prohibited",
        )],
    },
];
