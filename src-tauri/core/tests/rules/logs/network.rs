//! Names and connections.

use super::*;

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
fn a_stack_frame_is_no_host() {
    table(&[
        (
            "E, [2026-11-30T22:33:40.1 #1] ERROR -- : Net::ReadTimeout (request timed out): app/models/product.rb:31:in `featured'",
            Timeout,
            "",
            "",
        ),
        ("connection refused\tclient/dial.go:212 while asking db:5432", ConnectionRefused, "db:5432", ""),
        ("lib/shop/order.ex:91 connection reset by peer", ConnectionReset, "", ""),
        ("main.py:120 connect ETIMEDOUT 10.0.12.7:5432", Timeout, "10.0.12.7:5432", ""),
        // Below the domain of a country.
        ("Get \"https://api.firma.rs:8443/v1\": context deadline exceeded", Timeout, "api.firma.rs:8443", ""),
        ("shop.firma.rs:9443: connection timed out", Timeout, "shop.firma.rs:9443", ""),
    ]);
}

#[test]
fn a_lock_of_a_database_is_no_silence_of_its_server() {
    let lock = "a lock in the database is held by another transaction for too long (lock timeout)";
    let deadlock = "transactions in the database wait for each other's locks (deadlock)";
    for (log, phrase) in [
        (
            "ERROR -- : ActiveRecord::LockWaitTimeout (PG::LockNotAvailable: ERROR: canceling statement due to lock timeout): app/models/product.rb:31:in `featured'",
            lock,
        ),
        ("ERROR:  canceling statement due to lock timeout", lock),
        ("psycopg2.errors.LockNotAvailable: could not obtain lock on row in relation \"jobs\"", lock),
        ("ERROR 1205 (HY000): Lock wait timeout exceeded; try restarting transaction", lock),
        ("SQLSTATE[HY000]: General error: 1205 Lock wait timeout exceeded at mysql://shop-db:3306/shop", lock),
        ("ORA-00054: resource busy and acquire with NOWAIT specified or timeout expired", lock),
        ("Msg 1222: Lock request time out period exceeded.", lock),
        ("ERROR: deadlock detected", deadlock),
        ("ERROR 1213 (40001): Deadlock found when trying to get lock; try restarting transaction", deadlock),
    ] {
        let reading = said(log);
        let first = reading.signal().unwrap_or_else(|| panic!("nothing in {log}"));
        assert_eq!((first.class, first.phrase().as_str()), (Locked, phrase), "{log}");
    }
    // A lock of a file is no transaction's.
    let log = "StoreLockException: Unable to obtain lock on store lock file: /data/databases/store_lock";
    let reading = said(log);
    assert!(reading.signal().is_none_or(|s| s.phrase() != lock), "{log}");
    // Locks of files and of leaders are what they were, and a server that does not answer is silent.
    table(&[
        ("failed to obtain node locks, tried [/data] with lock id [0]", Locked, "/data", ""),
        (
            "psycopg2.OperationalError: connection to server at \"pg\", port 5432 failed: timeout expired",
            Timeout,
            "pg:5432",
            "",
        ),
    ]);
}

#[test]
fn a_replica_set_of_another_name_is_no_silence() {
    let dump = |theirs: &str, error: &str| {
        format!(
            "/app/node_modules/mongodb/lib/sdam/topology.js:278\n            const timeoutError = new error_1.MongoServerSelectionError(`Server selection timed out after ${{timeoutMS}} ms`, this.description);\n                                 ^\n\n{error}\n    at Topology.selectServer (/app/node_modules/mongodb/lib/sdam/topology.js:278:38) {{\n  reason: TopologyDescription {{\n    type: 'ReplicaSetNoPrimary',\n    servers: Map(1) {{ 'mongo-0.mongo:27017' => [ServerDescription] {{ setName: '{theirs}', error: null }} }},\n    setName: 'clinic-rs',\n    maxElectionId: null\n  }},\n  code: undefined\n}}"
        )
    };
    let error = "MongoServerSelectionError: Server selection timed out after 2000 ms";
    let other = said(&dump("rs0", error));
    let first = other.signal().expect("the name");
    assert_eq!((first.class, first.value.as_deref()), (BadConfig, Some("clinic-rs")));
    assert!(!other.signals.iter().any(|s| s.class == Timeout), "{:?}", other.signals);
    let quote = other.words.expect("a quote").1;
    assert!(quote.starts_with("MongoServerSelectionError") && quote.contains("clinic-rs"), "{quote}");
    // Of the right name it has no primary, or nobody answers.
    assert!(said(&dump("clinic-rs", error)).signals.iter().all(|s| s.class != BadConfig));
    let refused = said(&dump("clinic-rs", "MongoServerSelectionError: connect ECONNREFUSED 10.0.0.9:27017"));
    assert_eq!(refused.signal().map(|s| s.class), Some(ConnectionRefused));
}
