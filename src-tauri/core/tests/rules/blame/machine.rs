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
