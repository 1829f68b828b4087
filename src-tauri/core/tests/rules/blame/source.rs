//! Where a value stands that is refused, though no value of a ConfigMap is ever kept, and the words of a log do not say.

use super::*;

/// A ConfigMap whose values are as long as these.
fn valued(name: &str, values: &[(&str, &str)]) -> Object {
    let digests: serde_json::Map<String, Value> =
        values.iter().map(|(k, v)| ((*k).to_owned(), json!({"hash": format!("h{k}{v}"), "bytes": v.len()}))).collect();
    object(&format!("ConfigMap shop/{name}"), json!({"digests": digests}))
}

/// `checkout`, a script that prints the log it has in itself, with its settings from a ConfigMap.
fn prints(log: &str) -> App {
    let script = format!("cat <<'EOF'\n{log}\nEOF\nexit 1");
    checkout().container(json!({"command": ["sh", "-c", script], "envFrom": [{"configMapRef": {"name": "settings"}}]}))
}

#[test]
fn a_script_that_prints_its_log_has_the_words_from_elsewhere() {
    let settings = |values: &[(&str, &str)]| [valued("settings", values)];
    let of = |key: &'static str| match key {
        "DB_HOST" => "data[DB_HOST]",
        "SPRING_DATASOURCE_URL" => "data[SPRING_DATASOURCE_URL]",
        "KAFKA_BOOTSTRAP_SERVERS" => "data[KAFKA_BOOTSTRAP_SERVERS]",
        _ => "data[S3_BUCKET]",
    };
    let expect = |cause: &'static str, key: &'static str| Expect {
        cause,
        entity: "ConfigMap/shop/settings",
        field: of(key),
        ..DEAD
    };
    let log = "2026-11-12 02:59:00 INFO starting\nSQLSTATE[HY000] [2002] php_network_getaddresses: getaddrinfo for mysql failed: Name or service not known";
    one(
        &prints(log),
        log,
        settings(&[("DB_HOST", "mysql"), ("DB_PORT", "3306")]),
        Expect { says: &["mysql", "settings"], ..expect("host-name-unknown", "DB_HOST") },
    );
    let log = "FATAL: database \"biling\" does not exist";
    one(
        &prints(log),
        log,
        settings(&[("SPRING_DATASOURCE_URL", "jdbc:postgresql://pg:5432/biling"), ("LEVEL", "info")]),
        Expect { says: &["biling"], ..expect("log-database", "SPRING_DATASOURCE_URL") },
    );
    let log = "WARN Couldn't resolve server kafka-bootstrp:9092 from bootstrap.servers as DNS resolution failed for kafka-bootstrp";
    let app = prints(log);
    let broker = App::deployment("shop/kafka-bootstrap");
    let mut objects = broker.objects();
    objects.extend([broker.pod("k", status::ready(-600)), broker.service(json!({})), broker.endpoints(&[true])]);
    objects.extend(settings(&[("KAFKA_BOOTSTRAP_SERVERS", "kafka-bootstrp:9092"), ("LEVEL", "info")]));
    let expected = expect("host-name-unknown", "KAFKA_BOOTSTRAP_SERVERS");
    one(&app, log, objects, Expect { says: &["kafka-bootstrap", "key KAFKA_BOOTSTRAP_SERVERS"], ..expected });
    let log = "level=ERROR msg=exiting err=\"bucket \\\"invoice-archive-prd\\\": NoSuchBucket: The specified bucket does not exist\"";
    one(
        &prints(log),
        log,
        settings(&[("S3_BUCKET", "invoice-archive-prd"), ("S3_REGION", "eu-west-1")]),
        Expect { says: &["invoice-archive-prd"], ..expect("container-exits", "S3_BUCKET") },
    );
}

#[test]
fn a_script_that_uses_what_it_prints_is_to_be_changed() {
    let script = "until nc -z orders-bd 5432; do echo waiting for orders-bd:5432; sleep 1; done";
    let app = checkout().container(json!({"command": ["sh", "-c", script]}));
    let log = "waiting for orders-bd:5432\nnc: bad address 'orders-bd'";
    one(
        &app,
        log,
        [],
        Expect {
            cause: "host-name-unknown",
            field: "spec.template.spec.containers[app].command",
            says: &["orders-bd"],
            ..DEAD
        },
    );
}

#[test]
fn a_refused_value_is_that_of_the_only_key_that_is_as_long() {
    let app = checkout().container(json!({"envFrom": [{"configMapRef": {"name": "flags"}}]}));
    let log = "panic: strconv.Atoi: parsing \"three\": invalid syntax\n\ngoroutine 1 [running]:\nmain.main()";
    let flags = |retry: &str| [valued("flags", &[("NEW_CHECKOUT", "true"), ("RETRY", retry)])];
    let expect = Expect {
        cause: "log-bad-config",
        entity: "ConfigMap/shop/flags",
        field: "data[RETRY]",
        says: &["three", "RETRY"],
        ..DEAD
    };
    one(&app, log, flags("three"), expect);
    // Two that are as long may both be meant.
    let both = [valued("flags", &[("NEW_CHECKOUT", "false"), ("RETRY", "three")])];
    one(&app, log, both, Expect { entity: "Deployment/shop/checkout", field: "", says: &["three"], ..expect });
}

#[test]
fn a_variable_that_the_line_of_code_reads_gave_the_value() {
    let code = json!({"volumes": [{"name": "v", "configMap": {"name": "app-code"}}]});
    let app = checkout().spec(code).container(json!({
        "command": ["python3", "-u", "/app/app.py"],
        "volumeMounts": [{"name": "v", "mountPath": "/app"}],
        "env": from_map("WORKERS", "pool-config", "workers"),
    }));
    let log = "Traceback (most recent call last):\n  File \"/app/app.py\", line 3, in <module>\n    workers = int(os.environ[\"WORKERS\"])\nValueError: invalid literal for int() with base 10: 'four'";
    one(
        &app,
        log,
        [map("app-code", &["app.py"]), map("pool-config", &["workers"])],
        Expect {
            cause: "log-bad-config",
            entity: "ConfigMap/shop/pool-config",
            field: "data[workers]",
            says: &["four", "WORKERS"],
            ..DEAD
        },
    );
}

#[test]
fn a_program_that_is_mounted_is_no_configuration() {
    let app = checkout()
        .spec(json!({"volumes": [
            {"name": "code", "configMap": {"name": "app-code"}},
            {"name": "menu", "configMap": {"name": "menu-config"}},
        ]}))
        .container(json!({
            "command": ["python3", "/app/app.py"],
            "volumeMounts": [{"name": "code", "mountPath": "/app"}, {"name": "menu", "mountPath": "/etc/menu"}],
            "env": [{"name": "MENU_FILE", "value": "/etc/menu/menu.json"}],
        }));
    let log = "Traceback (most recent call last):\n  File \"/app/app.py\", line 4, in <module>\n    menu = json.load(f)\njson.decoder.JSONDecodeError: Expecting value: line 1 column 43 (char 42)";
    one(
        &app,
        log,
        [map("app-code", &["app.py"]), map("menu-config", &["menu.json"])],
        Expect {
            cause: "log-bad-config",
            entity: "ConfigMap/shop/menu-config",
            field: "data[menu.json]",
            says: &["menu.json"],
            ..DEAD
        },
    );
}

#[test]
fn a_complaint_about_configuration_is_that_of_the_file_it_is_started_with() {
    let app =
        checkout().spec(json!({"volumes": [{"name": "v", "configMap": {"name": "vault-config"}}]})).container(json!({
            "args": ["server", "-config=/vault/config/vault.hcl"],
            "volumeMounts": [{"name": "v", "mountPath": "/vault/config"}],
        }));
    let told =
        Expect { cause: "container-exits", entity: "ConfigMap/shop/vault-config", field: "data[vault.hcl]", ..DEAD };
    let log = "==> Vault server started!\nWARNING! mlock is not supported on this system! An `mlockall(2)`-like syscall is needed.\nA storage backend must be specified";
    let objects = || [map("vault-config", &["vault.hcl"])];
    one(&app, log, objects(), Expect { says: &["A storage backend must be specified"], ..told });
    let log = "[2026/11/30 03:01:11] [error] [config] section 'lokii' tried to instance a plugin name that doesn't exist\n[2026/11/30 03:01:11] [error] configuration file contains errors, aborting.";
    one(&app, log, objects(), Expect { says: &["lokii"], ..told });
    let log = "==> 'bootstrap_expect > 0' and 'bootstrap = true' are mutually exclusive";
    one(&app, log, objects(), Expect { says: &["mutually exclusive"], ..told });
}

#[test]
fn a_connection_string_that_is_refused_is_that_of_the_only_variable_of_one() {
    let app = env(
        json!([{"name": "ConnectionStrings__Default", "valueFrom": {"secretKeyRef": {"name": "conn", "key": "default"}}}]),
    );
    let log = "Unhandled exception. System.ArgumentException: Keyword not supported: 'hots'. (Parameter 'keyword')";
    one(
        &app,
        log,
        [object("Secret shop/conn", json!({}))],
        Expect { cause: "log-bad-config", entity: "Secret/shop/conn", field: "data[default]", says: &["hots"], ..DEAD },
    );
}

#[test]
fn an_address_that_nobody_has_now_is_that_of_the_host_it_is_configured_with() {
    let app = env(json!([{"name": "REDIS_URL", "value": "redis://redis:6380/0"}]));
    let redis = App::deployment("shop/redis");
    let service = redis.service(json!({"spec": {"ports": [{"port": 6379, "targetPort": 6379}]}}));
    let objects = || {
        let mut all = redis.objects();
        all.extend([redis.pod("r", status::ready(-600)), service.clone(), redis.endpoints(&[true])]);
        all
    };
    for log in [
        "Connection refused - connect(2) for 10.96.22.9:6380 (redis://redis:6380/0) (Redis::CannotConnectError)",
        "Error: connect ECONNREFUSED 10.96.22.9:6380",
    ] {
        one(
            &app,
            log,
            objects(),
            Expect {
                cause: "service-port-unknown",
                verdict: Established,
                field: "spec.template.spec.containers[app].env[REDIS_URL]",
                says: &["6380", "6379", "10.96.22.9"],
                ..DEAD
            },
        );
    }
    // Another port than any it is configured with, and a public address, are somebody else's.
    for (log, entity) in [
        ("Error: connect ECONNREFUSED 10.96.22.9:9999", "External//10.96.22.9:9999?"),
        ("Error: connect ECONNREFUSED 52.1.2.3:6380", "External//52.1.2.3:6380?"),
    ] {
        let fault = dead(&app, log, objects()).diagnose().faults.remove(0);
        assert_eq!(fault.causes[0].entity.kind, "External", "{entity}: {}", fault.causes[0].statement);
    }
}

#[test]
fn the_token_that_nobody_mounts_is_told_by_who_says_so() {
    let log = "unable to load in-cluster configuration: open /var/run/secrets/kubernetes.io/serviceaccount/token: no such file or directory";
    let app = checkout().spec(json!({"serviceAccountName": "watcher"}));
    let account = object("ServiceAccount shop/watcher", json!({"automountServiceAccountToken": false}));
    let told = Expect {
        cause: "log-missing-file",
        verdict: Established,
        says: &["automountServiceAccountToken: false", "watcher"],
        ..DEAD
    };
    one(
        &app,
        log,
        [account.clone()],
        Expect { entity: "ServiceAccount/shop/watcher", field: "automountServiceAccountToken", ..told },
    );
    let own = app.clone().spec(json!({"automountServiceAccountToken": false}));
    one(&own, log, [account.clone()], Expect { field: "spec.template.spec.automountServiceAccountToken", ..told });
    // Who took the token away is told, and the account is what is to be edited.
    let mut world = world(&app, []);
    world.upsert(object("ServiceAccount shop/watcher", json!({})));
    world.set_time(-20);
    let by = json!({"metadata": {"managedFields": [{"manager": "secops", "operation": "Update", "time": at(-20)}]}});
    let mut taken = json!({"automountServiceAccountToken": false});
    merge(&mut taken, &by);
    world.upsert(object("ServiceAccount shop/watcher", taken));
    world.set_time(1);
    let pod = app.pod("a", status::crashed(1, "Error", 2, 0));
    world.upsert(pod.clone());
    world.log(&pod, "app", 2, log);
    let fault = world.diagnose().faults.remove(0);
    let change = fault.changes.iter().find(|(c, _)| c.object.kind == "ServiceAccount").expect("the change");
    assert!(change.1 && change.0.who.as_deref() == Some("secops"), "{change:?}");
    assert!(fault.actions.iter().any(|a| a.target.kind == "ServiceAccount"), "{:?}", fault.actions);
}

#[test]
fn a_script_that_is_there_lacks_its_interpreter() {
    let app = checkout().spec(json!({"volumes": [{"name": "v", "configMap": {"name": "boot"}}]})).container(json!({
        "command": ["/scripts/boot.sh"],
        "volumeMounts": [{"name": "v", "mountPath": "/scripts"}],
    }));
    one(
        &app,
        "exec /scripts/boot.sh: no such file or directory",
        [map("boot", &["boot.sh"])],
        Expect {
            cause: "log-missing-file",
            entity: "ConfigMap/shop/boot",
            field: "data[boot.sh]",
            says: &["the script is there", "interpreter", "#!"],
            ..DEAD
        },
    );
}

/// An editor of Windows wrote it anew: it was there before and is there now.
#[test]
fn a_script_that_was_written_anew_lacks_its_interpreter_and_one_that_was_added_was_missing() {
    let app = checkout().spec(json!({"volumes": [{"name": "v", "configMap": {"name": "boot"}}]})).container(json!({
        "command": ["/scripts/boot.sh"],
        "volumeMounts": [{"name": "v", "mountPath": "/scripts"}],
    }));
    let script =
        |key: &str, hash: &str| object("ConfigMap shop/boot", json!({"digests": {key: {"hash": hash, "bytes": 9}}}));
    let told = |before: Object| {
        let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
        let mut world = World::new();
        world.set_time(-60);
        world.upsert(before);
        world.set_time(-20);
        world.upsert(script("boot.sh", "h2"));
        world.run(&app, [pod.clone()]);
        world.set_time(0);
        world.log(&pod, "app", 3, "exec /scripts/boot.sh: no such file or directory");
        world.diagnose().faults[0].causes[0].statement.clone()
    };
    let anew = told(script("boot.sh", "h1"));
    let says = ["cannot be run", "interpreter", "carriage return", "written anew"];
    assert!(says.iter().all(|w| anew.contains(w)) && !anew.contains("does not exist (no such file)"), "{anew}");
    let added = told(script("start.sh", "h1"));
    assert!(added.contains("/scripts/boot.sh does not exist") && !added.contains("interpreter"), "{added}");
}

#[test]
fn a_script_of_the_image_may_lack_its_interpreter() {
    let told = Expect { cause: "log-missing-file", ..DEAD };
    let interpreter: &[&str] = &["/app/start.sh does not exist", "lacks it or the interpreter"];
    one(&checkout(), "exec /app/start.sh: no such file or directory", [], Expect { says: interpreter, ..told });
    let file: &[&str] = &["neither mounted nor in image"];
    one(&checkout(), "open /app/start.toml: no such file or directory", [], Expect { says: file, ..told });
}

#[test]
fn a_host_key_that_is_not_known_leads_to_the_known_hosts_that_are_mounted() {
    let log = "No ED25519 host key is known for git.corp.example and you have requested strict checking.\nHost key verification failed.";
    let told = Expect { cause: "log-host-key", says: &["host key", "git.corp.example"], ..DEAD };
    let of_map = Expect { entity: "ConfigMap/shop/hosts", field: "data[known_hosts]", ..told };
    let volume = json!({"configMap": {"name": "hosts"}});
    let app = mounted(volume.clone(), json!({"mountPath": "/etc/git-secret"}));
    one(&app, log, [map("hosts", &["known_hosts"])], of_map);
    let one_file = json!({"mountPath": "/home/git/.ssh/known_hosts", "subPath": "known_hosts"});
    one(&mounted(volume, one_file), log, [map("hosts", &["known_hosts", "config"])], of_map);
    let secret = mounted(json!({"secret": {"secretName": "git-known-hosts"}}), json!({"mountPath": "/etc/git-secret"}));
    one(&secret, log, [], Expect { entity: "Secret/shop/git-known-hosts?", ..told });
    // Nothing of the kind is mounted.
    one(
        &mounted(json!({"configMap": {"name": "app"}}), json!({"mountPath": "/etc/app"})),
        log,
        [map("app", &["app.toml"])],
        told,
    );
}

#[test]
fn a_license_is_told_by_the_file_it_is_mounted_from() {
    let app = mounted(json!({"secret": {"secretName": "rules-license"}}), json!({"mountPath": "/opt/rules/license"}));
    one(
        &app,
        "INFO Reading license from /opt/rules/license/license.key\nERROR License expired on 2026-11-01 (customer: ACME)",
        [object("Secret shop/rules-license", json!({}))],
        Expect {
            cause: "log-license",
            entity: "Secret/shop/rules-license",
            says: &["license", "rules-license"],
            ..DEAD
        },
    );
}

#[test]
fn the_limit_of_php_is_not_the_containers() {
    let app = mounted(json!({"configMap": {"name": "php-ini"}}), json!({"mountPath": "/usr/local/etc/php/conf.d"}))
        .container(json!({"resources": {"limits": {"memory": "512Mi"}}}));
    one(
        &app,
        "PHP Fatal error:  Allowed memory size of 33554432 bytes exhausted (tried to allocate 20480 bytes) in /app/x.php on line 3",
        [map("php-ini", &["zz.ini"])],
        Expect {
            cause: "log-out-of-memory",
            entity: "ConfigMap/shop/php-ini",
            field: "data[zz.ini]",
            says: &["memory_limit"],
            ..DEAD
        },
    );
}

#[test]
fn the_name_of_a_pod_without_its_service_is_no_host_outside() {
    let app = App::of(Kind::StatefulSet, "shop/zk");
    let pod = app.pod("0", status::crashed(1, "Error", 3, -5));
    let mut world = world(&app, [pod.clone()]);
    world.upsert(app.top(json!({"metadata": {"resourceVersion": "900001"}, "spec": {"serviceName": "zk"}})));
    let name = pod.meta().name.clone();
    world.log(&pod, "app", 3, &format!("java.net.UnknownHostException: {name}.zk"));
    let set = world.index.get(Kind::StatefulSet, Some("shop"), "zk").cloned();
    let Some(Object::StatefulSet(s)) = set.as_deref() else { panic!("a StatefulSet") };
    assert_eq!((s.spec.service_name.as_str(), name.as_str()), ("zk", "zk-0"));
    let cause = world.diagnose().faults[0].causes[0].clone();
    assert_eq!(cause.entity.key(), "Service/shop/zk", "{}", cause.statement);
}

#[test]
fn the_main_class_that_the_arguments_name_is_theirs() {
    let app = checkout().container(json!({"args": ["java", "-cp", "/app/rates.jar", "com.acme.RatesMian"]}));
    one(
        &app,
        "Error: Could not find or load main class com.acme.RatesMian",
        [],
        Expect {
            cause: "log-missing-module",
            field: "spec.template.spec.containers[app].args",
            says: &["com.acme.RatesMian"],
            ..DEAD
        },
    );
}

#[test]
fn a_table_that_is_missing_is_not_the_database_that_is_configured() {
    let app = checkout().container(json!({"envFrom": [{"configMapRef": {"name": "settings"}}]}));
    let settings = [valued("settings", &[("DATABASE_URL", "postgres://pg:5432/shop"), ("DB_NAME", "shopdb")])];
    let fault =
        dead(&app, "ERROR: relation \"orders\" does not exist at character 15", settings).diagnose().faults.remove(0);
    assert_ne!(fault.causes[0].entity.kind, "ConfigMap", "{}", fault.causes[0].statement);
}

#[test]
fn a_module_that_the_image_lacks_is_not_the_host_of_its_name() {
    one(
        &env(json!([{"name": "REDIS_URL", "value": "redis://redis:6379/0"}])),
        "ModuleNotFoundError: No module named 'redis'",
        [],
        Expect {
            cause: "log-missing-module",
            field: "spec.template.spec.containers[app].image",
            says: &["redis"],
            ..DEAD
        },
    );
}

#[test]
fn a_list_in_brackets_at_the_end_of_a_line_is_read() {
    let log = "INFO starting\nFATAL Missing required settings: [DB_HOST, DB_PORT].\n[error] ===========";
    let statement = dead(&checkout(), log, []).diagnose().faults[0].causes[0].statement.clone();
    assert!(statement.contains("[DB_HOST, DB_PORT]"), "{statement}");
}

#[test]
fn a_port_that_no_service_has_comes_from_the_only_setting_that_can_hold_it() {
    let app = checkout().container(json!({"envFrom": [{"configMapRef": {"name": "settings"}}]}));
    let db = App::deployment("shop/catalog-db");
    let service = db.service(json!({"spec": {"ports": [{"port": 5432, "targetPort": 5432}]}}));
    let with = |values: &[(&str, &str)]| {
        let mut all = db.objects();
        all.extend([db.pod("r", status::ready(-600)), service.clone(), db.endpoints(&[true])]);
        all.push(valued("settings", values));
        all
    };
    let log = "psycopg.OperationalError: connection to server at \"catalog-db\", port 5433 failed: Connection refused";
    let host = ("DB_HOST", "catalog-db");
    for (values, key) in [
        (&[host, ("DB_PORT", "5433"), ("PORT", "8080")][..], "data[DB_PORT]"),
        (&[host, ("PGPORT", "5433")], "data[PGPORT]"),
        (&[("DATABASE_URL", "postgres://catalog-db:5433/shop")], "data[DATABASE_URL]"),
    ] {
        let expect = Expect { cause: "service-port-unknown", entity: "ConfigMap/shop/settings", field: key, ..DEAD };
        one(&app, log, with(values), Expect { verdict: Likely, says: &["no port 5433", "comes from key"], ..expect });
    }
    // Two that may be it are none.
    let two = with(&[host, ("READ_PORT", "5433"), ("WRITE_PORT", "5432")]);
    one(&app, log, two, Expect { cause: "service-port-unknown", verdict: Likely, ..DEAD });
}

#[test]
fn of_settings_as_long_the_one_of_which_the_line_speaks_is_refused() {
    let app = checkout().container(json!({"envFrom": [{"configMapRef": {"name": "settings"}}]}));
    let values = [("APP_ENV", "production"), ("LOG_CHANNEL", "stderr"), ("QUEUE_CONNECTION", "rediss")];
    let log = "production.ERROR: No connector for [rediss]. {\"exception\":\"[object] (InvalidArgumentException(code: 0): \
               No connector for [rediss]. at /app/vendor/laravel/framework/src/Illuminate/Queue/QueueManager.php:185)\"}";
    let expect = Expect {
        cause: "log-bad-config",
        entity: "ConfigMap/shop/settings",
        field: "data[QUEUE_CONNECTION]",
        verdict: Likely,
        says: &["rediss", "QUEUE_CONNECTION"],
        ..DEAD
    };
    one(&app, log, [valued("settings", &values)], expect);
}
