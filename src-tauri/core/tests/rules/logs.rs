//! What logs say: the last words of many languages and servers, and chatter that only sounds like trouble.

mod more;
mod network;
mod place;
mod server;
mod setting;
mod telling;

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
