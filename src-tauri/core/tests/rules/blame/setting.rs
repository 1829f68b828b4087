//! Variables, values, and the words of no known form.

use super::*;

#[test]
fn a_variable_that_is_not_set_is_the_workloads() {
    let missing = Expect { cause: "log-missing-env", ..DEAD };
    let log = "required environment variable QUEUE_URL is not set";
    one(
        &checkout(),
        log,
        [],
        Expect {
            verdict: Established,
            field: "spec.template.spec.containers[app].env[QUEUE_URL]",
            says: &["QUEUE_URL", "not set", "does not set it"],
            ..missing
        },
    );
    // Nearly the same name is set.
    one(
        &env(json!([{"name": "QUEUE_ULR", "value": "amqp://q"}])),
        log,
        [],
        Expect { verdict: Established, says: &["QUEUE_ULR instead"], ..missing },
    );
    one(
        &env(json!([{"name": "QUEUE_URL", "value": ""}])),
        log,
        [],
        Expect { verdict: Established, says: &["empty value"], ..missing },
    );
}

#[test]
fn a_variable_from_a_config_map_is_the_config_maps() {
    let missing =
        Expect { cause: "log-missing-env", entity: "ConfigMap/shop/settings", field: "data[QUEUE_URL]", ..DEAD };
    let log = "required environment variable QUEUE_URL is not set";
    let whole = checkout().container(json!({"envFrom": [{"configMapRef": {"name": "settings"}}]}));
    one(&whole, log, [map("settings", &["LEVEL"])], Expect { says: &["no key QUEUE_URL", "settings"], ..missing });
    one(
        &whole,
        log,
        [map("settings", &["QUEUE_ULR"])],
        Expect { field: "data[QUEUE_ULR]", says: &["QUEUE_ULR instead of QUEUE_URL"], ..missing },
    );
    // Optional, so that the pod starts without it.
    let optional = env(
        json!([{"name": "QUEUE_URL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "queue", "optional": true}}}]),
    );
    one(
        &optional,
        log,
        [map("settings", &["LEVEL"])],
        Expect { verdict: Established, field: "data[queue]", says: &["no key queue (not found)"], ..missing },
    );
    one(
        &optional,
        log,
        [],
        Expect {
            verdict: Established,
            entity: "ConfigMap/shop/settings?",
            field: "",
            says: &["does not exist (not found)"],
            ..missing
        },
    );
}

#[test]
fn a_variable_that_only_resembles_is_another() {
    let told = |app: &App, log: &str| {
        let fault = dead(app, log, []).diagnose().faults.remove(0);
        (fault.causes[0].confidence, fault.causes[0].statement.clone())
    };
    for (set, wanted) in
        [("DB_PORT", "DB_HOST"), ("REDIS_PORT", "REDIS_HOST"), ("APP_KEY", "API_KEY"), ("API_URL", "API_URI")]
    {
        let log = format!("required environment variable {wanted} is not set");
        let (verdict, statement) = told(&env(json!([{"name": set, "value": "5432"}])), &log);
        assert_eq!(verdict, Established, "{statement}");
        assert!(statement.contains("does not set it") && !statement.contains("instead"), "{statement}");
    }
    // What the container uses is what it is.
    let used = checkout().container(
        json!({"env": [{"name": "QUEUE_ULR", "value": "amqp://q"}], "args": ["serve", "--log-to=$(QUEUE_ULR)"]}),
    );
    let (_, statement) = told(&used, "required environment variable QUEUE_URL is not set");
    assert!(!statement.contains("instead"), "{statement}");
    one(
        &checkout().container(json!({"envFrom": [{"configMapRef": {"name": "settings"}}]})),
        "required environment variable DB_HOST is not set",
        [map("settings", &["DB_PORT"])],
        Expect {
            cause: "log-missing-env",
            entity: "ConfigMap/shop/settings",
            field: "data[DB_HOST]",
            says: &["no key DB_HOST"],
            ..DEAD
        },
    );
}

#[test]
fn a_name_that_the_image_or_a_file_may_give_is_not_proven_missing() {
    let missing =
        Expect { cause: "log-missing-env", field: "spec.template.spec.containers[app].env[QUEUE_URL]", ..DEAD };
    one(&checkout(), "KeyError: 'QUEUE_URL'", [], Expect { says: &["does not set it"], ..missing });
    // A Secret's keys are not known.
    one(
        &checkout().container(json!({"envFrom": [{"secretRef": {"name": "keys"}}]})),
        "required environment variable QUEUE_URL is not set",
        [object("Secret shop/keys", json!({}))],
        Expect { says: &["QUEUE_URL"], ..missing },
    );
}

#[test]
fn a_variable_that_was_removed_just_before_is_proven() {
    let app = checkout();
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    let mut world = World::new();
    world.set_time(-60);
    world.upsert_all(env(json!([{"name": "QUEUE_URL", "value": "amqp://q"}])).objects());
    world.set_time(-20);
    world.run(&app, [pod.clone()]);
    world.set_time(0);
    world.log(&pod, "app", 3, "KeyError: 'QUEUE_URL'");
    check(
        &world,
        Expect {
            cause: "log-missing-env",
            verdict: Established,
            field: "spec.template.spec.containers[app].env[QUEUE_URL]",
            says: &["QUEUE_URL", "was removed from the env"],
            ..DEAD
        },
    );
}

#[test]
fn a_key_that_was_removed_from_a_config_map_is_proven() {
    let app = checkout()
        .container(json!({"env": [{"name": "A", "value": "1"}], "envFrom": [{"configMapRef": {"name": "settings"}}]}));
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    let mut world = world(&app, [pod.clone()]);
    world.set_time(-60);
    world.upsert(map("settings", &["LEVEL", "QUEUE_URL"]));
    world.set_time(-20);
    world.upsert(map("settings", &["LEVEL"]));
    world.set_time(0);
    world.log(&pod, "app", 3, "required environment variable QUEUE_URL is not set");
    check(
        &world,
        Expect {
            cause: "configuration-changed",
            verdict: Established,
            entity: "ConfigMap/shop/settings",
            field: "data[QUEUE_URL]",
            says: &["QUEUE_URL", "settings"],
            ..DEAD
        },
    );
}

#[test]
fn a_refused_value_leads_to_who_wrote_it() {
    let bad = Expect { cause: "log-bad-config", ..DEAD };
    let log = "config: invalid LOG_LEVEL 'verbos'";
    one(
        &env(json!([{"name": "LOG_LEVEL", "value": "verbos"}])),
        log,
        [],
        Expect {
            verdict: Established,
            field: "spec.template.spec.containers[app].env[LOG_LEVEL]",
            says: &["LOG_LEVEL", "verbos", "invalid"],
            ..bad
        },
    );
    // The log names the value alone.
    one(
        &env(json!([{"name": "LOG_LEVEL", "value": "verbos"}])),
        "unknown log level: verbos",
        [],
        Expect {
            verdict: Established,
            field: "spec.template.spec.containers[app].env[LOG_LEVEL]",
            says: &["LOG_LEVEL", "verbos"],
            ..bad
        },
    );
    // The setting is called otherwise than its variable.
    one(
        &env(json!([{"name": "SERVER_PORT", "value": "http"}])),
        "    Property: server.port\n    Value: \"http\"\n    Reason: failed to convert",
        [],
        Expect {
            verdict: Established,
            field: "spec.template.spec.containers[app].env[SERVER_PORT]",
            says: &["server.port", "http"],
            ..bad
        },
    );
    one(
        &env(from_map("LOG_LEVEL", "settings", "level")),
        log,
        [map("settings", &["level"])],
        Expect {
            entity: "ConfigMap/shop/settings",
            field: "data[level]",
            says: &["LOG_LEVEL", "verbos", "key level of ConfigMap settings"],
            ..bad
        },
    );
    let whole = checkout().container(json!({"envFrom": [{"prefix": "LOG_", "configMapRef": {"name": "settings"}}]}));
    one(
        &whole,
        log,
        [map("settings", &["LEVEL"])],
        Expect { entity: "ConfigMap/shop/settings", field: "data[LEVEL]", says: &["verbos"], ..bad },
    );
    one(
        &checkout().container(json!({"args": ["serve", "--log-level=verbos"]})),
        "unknown log level: verbos",
        [],
        Expect { field: "spec.template.spec.containers[app].args", says: &["verbos"], ..bad },
    );
    one(
        &checkout().container(json!({"args": ["--listen-adr=:80"]})),
        "unknown flag: --listen-adr",
        [],
        Expect {
            cause: "log-unknown-flag",
            verdict: Established,
            field: "spec.template.spec.containers[app].args",
            says: &["--listen-adr", "args"],
            ..bad
        },
    );
}

#[test]
fn a_bad_file_is_the_config_map_it_comes_from() {
    let app = mounted(json!({"configMap": {"name": "site"}}), json!({"mountPath": "/etc/nginx/conf.d"}));
    let site = || [map("site", &["default.conf"])];
    let expect = Expect {
        cause: "log-bad-config",
        entity: "ConfigMap/shop/site",
        field: "data[default.conf]",
        says: &["proxy_passs", "default.conf:7", "site"],
        ..DEAD
    };
    one(&app, "nginx: [emerg] unknown directive \"proxy_passs\" in /etc/nginx/conf.d/default.conf:7", site(), expect);
    // The log names no file, the command line does.
    let redis = mounted(json!({"configMap": {"name": "site"}}), json!({"mountPath": "/etc/redis"}))
        .container(json!({"command": ["redis-server", "/etc/redis/redis.conf"]}));
    one(
        &redis,
        "*** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***\nReading the configuration file, at line 3\n>>> 'maxmemry 100mb'\nBad directive or wrong number of arguments",
        [map("site", &["redis.conf"])],
        Expect { field: "data[redis.conf]", says: &["maxmemry"], ..expect },
    );
    // Neither does: it mounts one ConfigMap only.
    one(
        &mounted(json!({"configMap": {"name": "site"}}), json!({"mountPath": "/etc/app"})),
        "yaml: line 3: did not find expected key",
        [map("site", &["app.yaml"])],
        Expect { field: "data[app.yaml]", says: &["configuration", "site"], ..expect },
    );
    // Not mounted at all.
    one(
        &checkout(),
        "nginx: [emerg] unknown directive \"proxy_passs\" in /etc/nginx/conf.d/default.conf:7",
        site(),
        Expect { entity: "Deployment/shop/checkout", field: "", ..Expect { says: &["proxy_passs"], ..expect } },
    );
}

#[test]
fn wrong_credentials_are_the_workloads_unless_the_secret_is_new() {
    let app = env(json!([{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]));
    let log = "FATAL:  password authentication failed for user \"app\"";
    let secret = |version: &str| object("Secret shop/db", json!({"metadata": {"resourceVersion": version}}));
    let wrong = Expect { cause: "log-authentication", ..DEAD };
    one(
        &app,
        log,
        [secret("1")],
        Expect { field: "spec.template.spec.containers[app].env[DB_PASSWORD]", says: &["app", "Secret db"], ..wrong },
    );
    let pod = app.pod("a", status::crashed(1, "Error", 3, -5));
    let mut world = world(&app, [pod.clone()]);
    world.set_time(-60);
    world.upsert(secret("1"));
    world.set_time(-20);
    world.upsert(object("Secret shop/db", json!({"metadata": {"labels": {"rotated": "yes"}}})));
    world.set_time(0);
    world.log(&pod, "app", 3, log);
    let new = Expect { cause: "configuration-changed", entity: "Secret/shop/db", verdict: Likely, ..wrong };
    check(&world, Expect { field: "data[password]", says: &["Secret db", "password authentication"], ..new });
}

#[test]
fn an_expired_token_is_the_secrets_that_holds_it() {
    let log = "jwt.exceptions.ExpiredSignatureError: Signature has expired";
    let expired = Expect {
        cause: "log-authentication",
        entity: "Secret/shop/partner?",
        says: &["has expired", "partner"],
        ..DEAD
    };
    let volume = |name: &str| json!({"secret": {"secretName": name}});
    one(&mounted(volume("partner"), json!({"mountPath": "/run/partner"})), log, [], expired);
    one(
        &env(json!([{"name": "API_TOKEN", "valueFrom": {"secretKeyRef": {"name": "partner", "key": "t"}}}])),
        log,
        [],
        expired,
    );
    // What is not found is not expired, and the plainest name of a credential counts.
    let names = json!([
        {"name": "PUBLIC_URL", "valueFrom": {"secretKeyRef": {"name": "urls", "key": "public"}}},
        {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}},
    ]);
    let nothing = "botocore.exceptions.NoCredentialsError: Unable to locate credentials";
    let world = dead(&env(names), nothing, []);
    let cause = &world.diagnose().faults[0].causes[0];
    assert_eq!(cause.entity.key(), "Deployment/shop/checkout", "{}", cause.statement);
    assert!(cause.statement.contains("DB_PASSWORD"), "{}", cause.statement);
    // A password that is refused may be wrong on the other side.
    let log = "FATAL: password authentication failed for user \"app\"";
    let refused = Expect { cause: "log-authentication", says: &["mounts Secret partner"], ..DEAD };
    one(&mounted(volume("partner"), json!({"mountPath": "/run/partner"})), log, [], refused);
}

#[test]
fn an_exhausted_pool_leads_to_the_setting_that_bounds_it() {
    let log = "java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available, request timed out after 30000ms.";
    let full = Expect { cause: "log-pool-exhausted", ..DEAD };
    one(
        &env(json!([{"name": "DB_POOL_SIZE", "value": "2"}, {"name": "LEVEL", "value": "info"}])),
        log,
        [],
        Expect {
            field: "spec.template.spec.containers[app].env[DB_POOL_SIZE]",
            says: &["DB_POOL_SIZE is “2”"],
            ..full
        },
    );
    let whole = checkout().container(json!({"envFrom": [{"configMapRef": {"name": "settings"}}]}));
    one(&whole, log, [map("settings", &["DB_POOL_SIZE"])], Expect { says: &["comes from key DB_POOL_SIZE"], ..full });
    // Two that sound like it: neither is named.
    one(&env(json!([{"name": "DB_POOL_SIZE", "value": "2"}, {"name": "HTTP_POOL_SIZE", "value": "9"}])), log, [], full);
}

#[test]
fn words_of_no_known_form_lead_to_the_variable_they_name() {
    let app = env(from_map("PRICING_MODE", "settings", "mode"));
    one(
        &app,
        "ERROR: I do not like PRICING_MODE today",
        [map("settings", &["mode"])],
        Expect {
            cause: "container-exits",
            entity: "ConfigMap/shop/settings",
            field: "data[mode]",
            says: &["PRICING_MODE", "key mode of ConfigMap settings", "do not like"],
            ..DEAD
        },
    );
    // In words instead of its name.
    one(
        &env(from_map("LOG_LEVEL", "settings", "level")),
        "unknown log level: verbos",
        [map("settings", &["level"])],
        Expect {
            cause: "log-bad-config",
            entity: "ConfigMap/shop/settings",
            field: "data[level]",
            says: &["verbos", "LOG_LEVEL"],
            ..DEAD
        },
    );
    // A mounted file.
    one(
        &mounted(json!({"configMap": {"name": "rules"}}), json!({"mountPath": "/etc/rules"})),
        "ERROR while looking at /etc/rules/tax.lst: line 3 makes no sense",
        [map("rules", &["tax.lst"])],
        Expect {
            cause: "container-exits",
            entity: "ConfigMap/shop/rules",
            field: "data[tax.lst]",
            says: &["tax.lst", "rules"],
            ..DEAD
        },
    );
    // Nothing of it is known: its own words are all there is.
    one(
        &checkout(),
        "ERROR: the moon is full",
        [],
        Expect { cause: "container-exits", says: &["its own log says why", "moon"], ..DEAD },
    );
}

#[test]
fn a_name_that_nobody_may_log_in_with_is_its_own_setting() {
    let app = env(json!([
        {"name": "PGUSER", "valueFrom": {"configMapKeyRef": {"name": "report-db", "key": "user"}}},
        {"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": {"name": "report-pw", "key": "password"}}},
    ]));
    let log = "connection failed: connection to server at \"10.9.9.7\", port 5432 failed: FATAL:  role \"reportng\" does not exist";
    let says = &["there is no user reportng", "PGUSER comes from key user of ConfigMap report-db"];
    let unknown =
        Expect { cause: "log-authentication", entity: "ConfigMap/shop/report-db", field: "data[user]", ..DEAD };
    one(&app, log, [map("report-db", &["user"])], Expect { says, ..unknown });
    let key = |name: &str, key: &str| json!({"name": name, "valueFrom": {"secretKeyRef": {"name": "s3", "key": key}}});
    let app = env(json!([key("AWS_SECRET_ACCESS_KEY", "secret-key"), key("AWS_ACCESS_KEY_ID", "access-key")]));
    let log = "upload failed: An error occurred (InvalidAccessKeyId) when calling the PutObject operation: The AWS Access Key Id you provided does not exist in our records.";
    let says = &["the id of the access key is not known", "AWS_ACCESS_KEY_ID comes from key access-key of Secret s3"];
    let unknown = Expect { cause: "log-authentication", entity: "Secret/shop/s3?", field: "data[access-key]", ..DEAD };
    one(&app, log, [], Expect { says, ..unknown });
}

#[test]
fn words_that_quote_a_value_lead_to_its_variable() {
    let field = "spec.template.spec.containers[app].env[BROKER_URL]";
    let app = env(json!([
        {"name": "BROKER_URL", "value": "amqp://worker@rabbit:5672/ordrs"},
        {"name": "QUEUE", "value": "orders"},
    ]));
    let log = "amqp.exceptions.NotAllowed: Connection.open: (530) NOT_ALLOWED - vhost ordrs not found";
    one(&app, log, [], Expect { cause: "container-exits", field, says: &["the value of BROKER_URL"], ..DEAD });
    let app = env(json!([{"name": "BROKER_URL", "value": "PLAINTEXT//:9092"}]));
    let log = "java.lang.IllegalArgumentException: Error creating broker listeners from 'PLAINTEXT//:9092': Unable to parse PLAINTEXT//:9092 to a broker endpoint";
    let says = &["“PLAINTEXT//:9092” is invalid", "the value of BROKER_URL"];
    one(&app, log, [], Expect { cause: "log-bad-config", verdict: Established, field, says, ..DEAD });
    // Or to the key that the text speaks of, where the value is not known.
    let app = checkout().container(json!({"envFrom": [{"configMapRef": {"name": "kafka"}}]}));
    let keys = map("kafka", &["KAFKA_LISTENERS", "KAFKA_NODE_ID"]);
    let entity = "ConfigMap/shop/kafka";
    one(&app, log, [keys], Expect { cause: "log-bad-config", entity, field: "data[KAFKA_LISTENERS]", ..DEAD });
}

#[test]
fn a_script_that_prints_the_log_does_not_hold_the_setting() {
    let mut app = mounted(json!({"configMap": {"name": "search"}}), json!({"mountPath": "/etc/search"}));
    app = app.container(json!({"args": ["echo 'fatal: unknown setting [cluster.initial_node] in the file'; exit 1"]}));
    let bad = Expect { cause: "log-bad-config", entity: "ConfigMap/shop/search", field: "data[search.yml]", ..DEAD };
    one(&app, "fatal: unknown setting [cluster.initial_node] in the file", [map("search", &["search.yml"])], bad);
    // A command line that has it as an option does.
    let app = app.container(json!({"args": ["--set=cluster.initial_node"]}));
    let own = Expect { entity: CHECKOUT.entity, field: "spec.template.spec.containers[app].args", ..bad };
    one(&app, "fatal: unknown setting [cluster.initial_node] in the file", [map("search", &["search.yml"])], own);
}

#[test]
fn a_key_of_a_secret_that_is_nearly_the_variable_is_named() {
    let app = checkout().container(json!({"envFrom": [{"secretRef": {"name": "stripe"}}]}));
    let secret = object("Secret shop/stripe", json!({"keys": ["STRIPE_SECRT_KEY"]}));
    let log = "KeyError: 'STRIPE_SECRET_KEY'";
    let says = &["Secret stripe (envFrom) has STRIPE_SECRT_KEY instead of STRIPE_SECRET_KEY"];
    let near =
        Expect { cause: "log-missing-env", entity: "Secret/shop/stripe", field: "data[STRIPE_SECRT_KEY]", ..DEAD };
    one(&app, log, [secret], Expect { says, ..near });
}

#[test]
fn a_statement_that_fails_is_that_of_the_mounted_script() {
    let app = mounted(json!({"configMap": {"name": "orders-sql"}}), json!({"mountPath": "/flyway/sql"}));
    let log = "ERROR: Script V7__index.sql failed\nSQL State  : 42703\nMessage    : ERROR: column \"order_dat\" does not exist\nLocation   : /flyway/sql/V7__index.sql\nLine       : 1";
    let says = &["order_dat", "V7__index.sql"];
    let bad =
        Expect { cause: "log-database", entity: "ConfigMap/shop/orders-sql", field: "data[V7__index.sql]", ..DEAD };
    one(&app, log, [map("orders-sql", &["V7__index.sql"])], Expect { says, ..bad });
}
