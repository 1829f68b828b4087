//! What the machine or the image does not give: a GPU, shared memory, a runtime of the right version.

use super::*;

#[test]
fn what_a_container_is_given_too_little_of_is_the_workloads_to_ask_for() {
    for (log, cause, field, says) in [
        (
            "torch.cuda.OutOfMemoryError: CUDA out of memory.",
            "log-gpu-memory",
            "spec.template.spec.containers[app].resources.limits",
            &["GPU"],
        ),
        (
            "failed to open /dev/nvidia0: no such device",
            "log-device",
            "spec.template.spec.containers[app].resources.limits",
            &["/dev/nvidia0"],
        ),
        (
            "ERROR:  could not resize shared memory segment \"/PostgreSQL.1\" to 16777216 bytes: No space left on device",
            "log-shared-memory",
            "spec.template.spec.containers[app].volumeMounts",
            &["/dev/shm"],
        ),
        (
            "java.lang.UnsupportedClassVersionError: com/acme/Main has been compiled by a more recent version of the Java Runtime (class file version 65.0)",
            "log-runtime-version",
            "spec.template.spec.containers[app].image",
            &["com/acme/Main"],
        ),
    ] {
        one(&checkout(), log, [], Expect { cause, field, says, ..DEAD });
    }
}

#[test]
fn the_limit_of_a_node_is_told_with_what_is_wanted() {
    let says: &[&str] = &["vm.max_map_count", "65530", "at least 262144"];
    let log = "node validation exception\n[1] bootstrap checks failed. You must address the points described in the following [1] lines before starting Elasticsearch.\nbootstrap check failure [1] of [1]: max virtual memory areas vm.max_map_count [65530] is too low, increase to at least [262144]; for more information see [https://www.elastic.co/guide/en/elasticsearch/reference/8.15/_maximum_map_count_check.html]";
    one(&checkout(), log, [], Expect { cause: "log-kernel-setting", says, ..DEAD });
    let files: &[&str] = &["max file descriptors", "4096", "at least 65535"];
    let log = "max file descriptors [4096] for elasticsearch process is too low, increase to at least [65535]";
    one(&checkout(), log, [], Expect { cause: "log-kernel-setting", says: files, ..DEAD });
    // What is wanted is not always said.
    let bare: &[&str] = &["vm.max_map_count is too low (65530)"];
    one(
        &checkout(),
        "vm.max_map_count [65530] is too low",
        [],
        Expect { cause: "log-kernel-setting", says: bare, ..DEAD },
    );
}

#[test]
fn the_memory_that_php_may_take_is_the_variable_that_sets_it() {
    let log = "PHP Fatal error:  Allowed memory size of 16777216 bytes exhausted (tried to allocate 8388608 bytes) in /app/src/Invoices.php on line 212";
    let of = Expect { cause: "log-out-of-memory", ..DEAD };
    one(
        &env(json!([{"name": "PHP_MEMORY_LIMIT", "value": "16M"}, {"name": "LEVEL", "value": "info"}])),
        log,
        [],
        Expect {
            field: "spec.template.spec.containers[app].env[PHP_MEMORY_LIMIT]",
            says: &["memory_limit", "PHP_MEMORY_LIMIT", "16M"],
            ..of
        },
    );
    let from = from_map("PHP_MEMORY_LIMIT", "settings", "memory");
    one(
        &env(from),
        log,
        [map("settings", &["memory"])],
        Expect { says: &["PHP_MEMORY_LIMIT comes from key memory of ConfigMap settings"], ..of },
    );
    one(
        &env(json!([{"name": "PHP_MAX_EXECUTION_TIME", "value": "30"}])),
        log,
        [],
        Expect { field: "spec.template.spec.containers[app].image", ..of },
    );
}
