//! Which of several errors says most, and where in the code it broke.

use super::*;

#[test]
fn forms_of_programs_that_do_not_find_what_they_are_told_to_use() {
    table(&[
        ("/usr/local/bin/python: No module named uvicorn", MissingModule, "uvicorn", ""),
        (
            "[2026/11/30 13:00:00] [error] [config] unknown output plugin 'elastic'\n[2026/11/30 13:00:00] [ help] try: 'fluent-bit -o help'\n[2026/11/30 13:00:00] [error] [lib] backend failed",
            BadConfig,
            "",
            "elastic",
        ),
        (
            "[30-Nov-2026 13:00:00] ALERT: [pool www] pm.start_servers(8) must not be less than pm.min_spare_servers(1) and not greater than pm.max_spare_servers(3)\n[30-Nov-2026 13:00:00] ERROR: failed to post process the configuration\n[30-Nov-2026 13:00:00] ERROR: FPM initialization failed",
            BadConfig,
            "pm.start_servers",
            "8",
        ),
        (
            "statsd: write udp 10.244.0.9:51122->10.96.3.4:8125: write: connection refused",
            ConnectionRefused,
            "10.96.3.4:8125",
            "",
        ),
    ]);
}

#[test]
fn an_error_that_names_something_says_more_than_that_something_failed() {
    let quoted = |log: &str| said(log).words.unwrap().1;
    let log = "[error] [exporter] sink \"kiln\" has no driver\n[ info] closing\n[error] [lib] backend failed";
    assert!(quoted(log).contains("kiln"), "{}", quoted(log));
    // It stands too far away to belong to it.
    let far =
        format!("[error] sink \"kiln\" has no driver\n{}[error] [lib] backend failed", "[info] tick\n".repeat(20));
    assert!(quoted(&far).contains("backend failed"), "{}", quoted(&far));
}

#[test]
fn the_place_in_the_programs_own_code_is_told() {
    let go = "panic: runtime error: invalid memory address or nil pointer dereference\n[signal SIGSEGV: segmentation violation]\n\ngoroutine 1 [running]:\nruntime.panicmem(...)\n\t/usr/local/go/src/runtime/panic.go:262\nexample.com/shop/discount.(*Engine).Apply(0x0)\n\t/src/internal/discount/engine.go:117 +0x1d\nmain.main()\n\t/src/main.go:20 +0x2b\nexit status 2";
    let signal = said(go).signals[0].clone();
    assert_eq!(signal.file.as_deref(), Some("/src/internal/discount/engine.go:117"));
    assert!(signal.phrase().contains("panicked (at /src/internal/discount/engine.go:117)"), "{}", signal.phrase());
    let python = "Traceback (most recent call last):\n  File \"/app/worker.py\", line 31, in <module>\n    run()\n  File \"/usr/lib/python3/site-packages/lib.py\", line 4, in run\n    return a / b\nAssertionError: the total is negative";
    let signal = said(python).signals[0].clone();
    assert_eq!((signal.class, signal.file.as_deref()), (Assertion, Some("/app/worker.py:31")));
}

#[test]
fn a_server_that_takes_no_more_connections_is_no_pool_of_the_client() {
    let phrase = |log: &str| said(log).signals[0].phrase();
    let server = phrase("psycopg2.OperationalError: FATAL:  sorry, too many clients already");
    assert!(server.contains("max_connections") && server.contains("too many connections"), "{server}");
    let pool = phrase("QueuePool limit of size 5 overflow 10 reached, connection timed out");
    assert!(pool.contains("pool is exhausted"), "{pool}");
}

#[test]
fn an_error_that_stands_in_a_field_of_its_own_is_an_error_without_a_level() {
    let info = r#"{"logger":"","ts":"2026-11-30 22:01:14","caller":{"file":"main.go","line":540},"level":0,"msg":"starting up","pid":11}"#;
    let host_key = r#"{"logger":"","ts":"2026-11-30 22:01:15","caller":{"file":"main.go","line":1981},"msg":"error syncing repo, will retry","error":"Run(git fetch ssh://git@git.hollis.example/docs.git HEAD --depth 1): exit status 128: { stderr: \"No ED25519 host key is known for git.hollis.example and you have requested strict checking.\\r\\nHost key verification failed.\\r\\nfatal: Could not read from remote repository.\" }","failCount":1}"#;
    let end = r#"{"logger":"","ts":"2026-11-30 22:01:15","caller":{"file":"main.go","line":611},"msg":"too many failures, aborting","failCount":1}"#;
    let reading = said(&[info, host_key, end].join("\n"));
    let first = reading.signal().expect("the host key");
    assert_eq!((first.class, first.subject.as_deref()), (HostKey, Some("git.hollis.example")));
    assert!(reading.words.expect("a quote").1.contains("Host key verification failed"));
    // Of no known form: the line with the error, whatever came before and after.
    let error = r#"{"logger":"","ts":"2026-11-30 22:01:15","caller":{"file":"main.go","line":1981},"msg":"reconcile stopped","error":"widget 7 has two owners"}"#;
    let klog =
        r#"{"ts":1580306777.04,"caller":"app/main.go:63","msg":"reconcile stopped","err":"widget 7 has two owners"}"#;
    let verbose = r#"{"ts":1580306777.05,"caller":"app/main.go:70","msg":"leaving","v":0}"#;
    for lines in [[info, error, info], [info, klog, verbose]] {
        let reading = said(&lines.join("\n"));
        assert!(reading.telling, "{lines:?}");
        assert!(reading.words.expect("a quote").1.contains("widget 7 has two owners"), "{lines:?}");
    }
    // An empty error is none, and what calls itself chatter stays that.
    for chatter in [
        r#"{"caller":"app/main.go:70","msg":"request served","error":""}"#,
        r#"{"caller":"app/main.go:70","msg":"request served","err":"<nil>"}"#,
        r#"{"level":"info","msg":"request served","error":"client went away"}"#,
        r#"{"caller":"app/main.go:70","v":0,"msg":"request served","err":"client went away"}"#,
        info,
    ] {
        assert!(!said(chatter).telling, "{chatter}");
    }
    // Where the number is that of syslog, zero is the gravest.
    let gelf = r#"{"version":"1.1","host":"a","short_message":"lost the quorum","level":0}"#;
    assert!(said(gelf).telling);
}

#[test]
fn the_host_key_of_a_server_that_is_not_known_is_told() {
    table(&[
        ("Host key verification failed.\nfatal: Could not read from remote repository.", HostKey, "", ""),
        (
            "No RSA host key is known for [git.corp.example]:2222 and you have requested strict checking.",
            HostKey,
            "git.corp.example:2222",
            "",
        ),
        ("Host key for github.com has changed and you have requested strict checking.", HostKey, "github.com", ""),
        (
            "paramiko.ssh_exception.SSHException: Server 'sftp.corp.example' not found in known_hosts",
            HostKey,
            "sftp.corp.example",
            "",
        ),
        (
            "com.jcraft.jsch.JSchException: UnknownHostKey: sftp.corp.example. RSA key fingerprint is ab:cd",
            HostKey,
            "sftp.corp.example",
            "",
        ),
        ("ssh: handshake failed: knownhosts: key is unknown", HostKey, "", ""),
        ("git@git.corp.example: Permission denied (publickey).", Authentication, "", ""),
    ]);
}

#[test]
fn what_cannot_be_opened_for_another_reason_is_not_missing() {
    for log in [
        "FATAL store: cannot open /data/tariffs: on-disk format \"v3\" is not one of [v1 v2]",
        "could not open /var/lib/shop/index.db: checksum mismatch in page 12",
        "failed to open /data/queue: database is from a newer release",
        "unable to load /etc/app/model.onnx: opset 21 is beyond 19",
        "cannot open '/data/tariffs' (wrong magic number)",
        "failed to open /data/queue: No space left on device (os error 28)",
        "could not open /mnt/ledger: No such device",
    ] {
        let reading = said(log);
        assert!(!reading.signals.iter().any(|s| s.class == MissingFile), "{log}: {:?}", reading.signals);
        assert!(reading.telling && reading.words.is_some(), "{log}");
    }
    table(&[
        ("cannot open /data/tariffs", MissingFile, "/data/tariffs", ""),
        ("FATAL: cannot open /data/routes.db", MissingFile, "/data/routes.db", ""),
        ("cannot open /data/tariffs: No such file or directory", MissingFile, "/data/tariffs", ""),
        ("could not open /etc/app.yaml: file does not exist", MissingFile, "/etc/app.yaml", ""),
        ("failed to open /etc/app.yaml: ENOENT", MissingFile, "/etc/app.yaml", ""),
        ("could not load /etc/app.yaml: entity not found (os error 2)", MissingFile, "/etc/app.yaml", ""),
    ]);
}

#[test]
fn what_was_only_warned_of_after_the_error_is_not_its_last_word() {
    let quoted = |log: &str| said(log).words.unwrap().1;
    let spring = "2026-11-30 22:55:01.001 ERROR 1 --- [main] o.s.o.jpa.LocalContainerEntityManagerFactoryBean : Failed to initialize JPA EntityManagerFactory: Schema-validation: missing column [vat_id] in table [customer]\n\
                  2026-11-30 22:55:01.010 INFO 1 --- [main] o.apache.catalina.core.StandardService : Stopping service [Tomcat]\n\
                  2026-11-30 22:55:01.020 WARN 1 --- [main] c.example.Pool : could not stop thread housekeeper, this is very likely an error";
    assert!(quoted(spring).contains("missing column [vat_id]"), "{}", quoted(spring));
    let aiohttp = "Traceback (most recent call last):\n  File \"/app/main.py\", line 3, in <module>\naiohttp.client_exceptions.NonHttpUrlClientError: htp://rates/latest\nERROR:asyncio:Unclosed client session";
    assert!(quoted(aiohttp).contains("htp://rates/latest"), "{}", quoted(aiohttp));
    // Where nothing is called an error a warning is all there is.
    let warned = "2026-11-30T22:55:01Z INFO starting\n2026-11-30T22:55:02Z WARN cannot open the ledger";
    assert!(quoted(warned).contains("cannot open the ledger"), "{}", quoted(warned));
}

#[test]
fn a_kind_that_the_api_server_lacks_comes_before_the_wait_for_it() {
    let log = "2026-11-30T22:50:00Z\tERROR\tcontroller-runtime.source.EventHandler\tif kind is a CRD, it should be installed before calling Start\t{\"kind\": \"SnapshotPlan.ops.thrush.example\", \"error\": \"no matches for kind \\\"SnapshotPlan\\\" in version \\\"ops.thrush.example/v1beta1\\\"\"}\n2026-11-30T22:52:00Z\tERROR\tsetup\tproblem running manager\t{\"error\": \"failed to wait for snapshotplan caches to sync: timed out waiting for cache to be synced for Kind *v1beta1.SnapshotPlan\"}";
    table(&[(log, MissingKind, "SnapshotPlan", "")]);
}
