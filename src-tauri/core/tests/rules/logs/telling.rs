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
