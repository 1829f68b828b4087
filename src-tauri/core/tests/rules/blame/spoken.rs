//! What real programs write around the words that count.

use super::*;

#[test]
fn a_file_that_its_words_name_leads_to_the_secret_it_is_mounted_from() {
    let secret = || object("Secret shop/keys", json!({"keys": ["signing.pem", "shop.lic"]}));
    let app = mounted(json!({"secret": {"secretName": "keys"}}), json!({"mountPath": "/keys"}));
    let of = Expect { entity: "Secret/shop/keys", ..DEAD };
    one(
        &app,
        r#"{"lvl":"ERROR","msg":"cannot load signing key","file":"/keys/signing.pem","exc":"ValueError: Could not deserialize key data: MalformedFraming"}"#,
        [secret()],
        Expect {
            cause: "container-exits",
            field: "data[signing.pem]",
            says: &["cannot load signing key", "MalformedFraming", "key signing.pem of Secret keys"],
            ..of
        },
    );
    one(
        &app,
        "ERROR: license file /keys/shop.lic expired on 2026-10-31, contact sales",
        [secret()],
        Expect { cause: "log-license", field: "data[shop.lic]", says: &["expired on 2026-10-31", "Secret keys"], ..of },
    );
}

#[test]
fn the_option_of_a_client_is_no_timeout() {
    let log = "AxiosError: Request failed with status code 402\n    at settle (/app/node_modules/axios/lib/core/settle.js:19:12)\n  code: 'ERR_BAD_REQUEST',\n  config: { method: 'get', url: 'https://api.rates.example/v2/latest', timeout: 5000 },\n  response: { status: 402, statusText: 'Payment Required' }\n}";
    let cause = dead(&checkout(), log, []).diagnose().faults[0].causes[0].clone();
    assert_ne!(cause.rule_id, "log-timeout", "{}", cause.statement);
    assert!(cause.statement.contains("402"), "{}", cause.statement);
    // One that ran out.
    let cause = dead(&checkout(), "Error: timeout of 5000ms exceeded, GET http://rates/latest timed out", []);
    assert_eq!(cause.diagnose().faults[0].causes[0].rule_id, "log-timeout");
}

#[test]
fn telemetry_that_cannot_be_handed_on_is_not_why_it_ends() {
    let log = "***************************\nAPPLICATION FAILED TO START\n***************************\n\nDescription:\n\nFailed to bind properties under 'app.retry.max-attempts' to int:\n\n    Property: app.retry.max-attempts\n    Value: \"five\"\n    Origin: file:/config/application.yml:7:19\n\nAction:\n\nUpdate your application's configuration\n\n2026-11-30T18:59:58.001Z  INFO 1 --- [main] o.a.c.c.StandardService : Stopping service [Tomcat]\n2026-11-30T18:59:59.001Z ERROR 1 --- [main] h.f.a.lifecycle.Reaper : Failed to flush 0 spans to http://localhost:4317, connection refused";
    let cause = dead(&checkout(), log, []).diagnose().faults[0].causes[0].clone();
    assert_eq!(cause.rule_id, "log-bad-config", "{}", cause.statement);
    assert!(
        cause.statement.contains("app.retry.max-attempts") && !cause.statement.contains("4317"),
        "{}",
        cause.statement
    );
    // Where nothing else is said it is still told.
    let only = "ERROR Failed to flush 12 spans to http://localhost:4317, connection refused";
    assert_eq!(dead(&checkout(), only, []).diagnose().faults[0].causes[0].rule_id, "log-connection-refused");
}

#[test]
fn the_line_that_names_what_is_missing_is_told_and_not_the_last_one() {
    let first = |log: &str| dead(&checkout(), log, []).diagnose().faults[0].causes[0].clone();
    let bit = "[error] [config] could not get output plugin 'es_bulk'\n[error] [config] section 'output' tried to instance a plugin name that doesn't exist\n[error] configuration file contains errors, aborting.";
    assert!(first(bit).statement.contains("es_bulk"), "{}", first(bit).statement);
    let ocr = "Error opening data file /usr/share/tessdata/lat_legal.traineddata\nPlease make sure the TESSDATA_PREFIX environment variable is set to your \"tessdata\" directory.\nFailed loading language 'lat_legal'\nTesseract couldn't load any languages!\nCould not initialize tesseract.";
    assert_eq!(first(ocr).rule_id, "log-missing-file");
    assert!(first(ocr).statement.contains("/usr/share/tessdata/lat_legal.traineddata"), "{}", first(ocr).statement);
}

#[test]
fn a_panic_is_quoted_with_the_error_that_led_to_it() {
    let log = |why: &str| {
        format!(
            "time=2026-11-30T18:56:40Z level=INFO msg=starting\ntime=2026-11-30T18:56:41Z level=ERROR msg=\"acquirer session\" err={why:?}\npanic: no session with acquirer\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:58 +0x1d"
        )
    };
    let first = |log: &str, others: Vec<Object>| {
        dead(
            &env(json!([{"name": "PAY_TOKEN", "valueFrom": {"secretKeyRef": {"name": "pay", "key": "token"}}}])),
            log,
            others,
        )
        .diagnose()
        .faults[0]
            .causes[0]
            .clone()
    };
    let seen = first(&log("acquirer answered: merchant 7731 is closed"), vec![]);
    assert_eq!(seen.rule_id, "log-panic");
    assert!(seen.statement.contains("merchant 7731 is closed … panic: no session"), "{}", seen.statement);
    // A token that no header may hold is a credential's fault.
    let header = first(
        &log("Post \"https://acq.example/login\": net/http: invalid header field value for \"Authorization\""),
        vec![],
    );
    assert_eq!(header.rule_id, "log-authentication");
    assert!(header.statement.contains("line break") && header.statement.contains("Secret pay"), "{}", header.statement);
}

#[test]
fn a_run_that_has_said_nothing_yet_does_not_hide_what_the_one_before_said() {
    let probe = json!({"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 5});
    let app = checkout().container(json!({"ports": [{"containerPort": 8080}], "readinessProbe": probe}));
    let pod = app.pod("a", status::restarted(0, "Completed", 3, -40, -39));
    let mut pod = pod;
    if let Object::Pod(p) = &mut pod {
        p.status.container_statuses[0].ready = false;
        for c in &mut p.status.conditions {
            if c.kind != "PodScheduled" && c.kind != "Initialized" {
                c.status = "False".into();
            }
        }
    }
    let mut world = world(&app, [pod.clone()]);
    let told = "Readiness probe failed: Get \"http://10.0.0.9:8080/health\": dial tcp 10.0.0.9:8080: connect: connection refused";
    world.upsert(event(&pod, "Warning", "Unhealthy", told, -300, -1, 40));
    world.log(&pod, "app", 2, "Nest application successfully started, listening on port 8081");
    world.log(&pod, "app", 3, "");
    let faults = world.diagnose().faults;
    let all = format!("{:?}", faults[0].causes);
    assert!(all.contains("8081"), "{all}");
}

#[test]
fn a_time_of_day_is_no_host() {
    let log = "E, [2026-11-30T18:48:32.217504 #1] ERROR -- : Redis::CannotConnectError: Connection refused - connect(2) for sessions:6379 (redis://sessions:6379)";
    let cause = dead(&checkout(), log, []).diagnose().faults[0].causes[0].clone();
    assert_eq!(cause.rule_id, "log-connection-refused");
    assert!(cause.statement.contains("connection to sessions:6379"), "{}", cause.statement);
}

#[test]
fn the_only_bounded_scratch_volume_is_what_is_full() {
    let app = mounted(json!({"emptyDir": {"medium": "Memory", "sizeLimit": "4Mi"}}), json!({"mountPath": "/scratch"}));
    let field = "spec.template.spec.volumes[v].emptyDir.sizeLimit";
    let log = "write failed: [Errno 28] No space left on device";
    one(&app, log, [], Expect { cause: "log-disk-full", field, says: &["sizeLimit of 4Mi"], ..DEAD });
}

#[test]
fn what_service_links_put_into_the_environment_is_told_as_theirs() {
    let session = App::deployment("shop/session");
    let log = "ValueError: invalid literal for int() with base 10: 'tcp://10.0.0.7:80'";
    let says = &["SESSION_PORT", "Service session", "service links"];
    let field = "spec.template.spec.enableServiceLinks";
    let there = || {
        let serves = [session.pod("a", status::ready(-600)), session.service(json!({})), session.endpoints(&[true])];
        session.objects().into_iter().chain(serves)
    };
    one(&checkout(), log, there(), Expect { cause: "log-bad-config", field, says, ..DEAD });
    // It sets it itself.
    let own = env(json!([{"name": "SESSION_PORT", "value": "tcp://10.0.0.7:80"}]));
    let cause = dead(&own, log, there()).diagnose().faults[0].causes[0].clone();
    assert!(!cause.statement.contains("service links"), "{}", cause.statement);
}

#[test]
fn an_everyday_value_or_the_head_of_a_line_speaks_of_no_variable() {
    let told = |variables: Value, log: &str| dead(&env(variables), log, []).diagnose().faults[0].causes[0].clone();
    for (value, log) in [
        ("production", "[2026-11-30 22:24:10] production.ERROR: the ledger has two heads {\"exception\":\"x\"}"),
        ("production", "ERROR cannot go on, the production ledger has two heads"),
        ("development", "ERROR widget 7 is unknown in development"),
        ("warning", "ERROR widget 7 raised a warning that is unknown"),
        ("en_US.UTF-8", "ERROR cannot sort by en_US.UTF-8"),
        ("Etc/UTC", "ERROR the ledger of Etc/UTC is unknown"),
        ("payments", "[payments] ERROR cannot go on"),
    ] {
        let cause = told(json!([{"name": "APP_ENV", "value": value}]), log);
        assert!(!cause.statement.contains("APP_ENV"), "{}", cause.statement);
        assert!(cause.field.is_none_or(|f| !f.contains("APP_ENV")), "{log}");
    }
    // A value of its own is spoken of.
    let cause = told(
        json!([{"name": "LEDGER", "value": "northern-ledger"}]),
        "ERROR northern-ledger has two heads, cannot go on",
    );
    assert!(cause.statement.contains("it speaks of the value of LEDGER"), "{}", cause.statement);
}

#[test]
fn the_key_of_laravel_is_called_by_its_name() {
    let missing = "[2026-11-30 22:24:10] production.ERROR: No application encryption key has been specified. {\"exception\":\"[object] (Illuminate\\\\Encryption\\\\MissingAppKeyException(code: 0): No application encryption key has been specified. at /var/www/html/vendor/laravel/framework/src/Illuminate/Encryption/EncryptionServiceProvider.php:79)\"}";
    let wrong = "[2026-11-30 22:24:10] production.ERROR: Unsupported cipher or incorrect key length. Supported ciphers are: aes-128-cbc, aes-256-cbc.";
    let variables = json!([
        {"name": "APP_ENV", "value": "production"},
        {"name": "APP_KEY", "valueFrom": {"secretKeyRef": {"name": "listings", "key": "APP_KEY"}}},
    ]);
    let of = Expect {
        entity: "Secret/shop/listings",
        field: "data[APP_KEY]",
        says: &["APP_KEY", "Secret listings"],
        ..DEAD
    };
    let secret = || object("Secret shop/listings", json!({"keys": ["APP_KEY"]}));
    one(&env(variables.clone()), missing, [secret()], Expect { cause: "log-missing-setting", ..of });
    one(&env(variables), wrong, [secret()], Expect { cause: "log-bad-config", ..of });
}
