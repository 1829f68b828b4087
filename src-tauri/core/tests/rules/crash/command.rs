//! Commands that cannot be started, and why.

use crate::support::*;

#[test]
fn a_variable_that_was_not_put_into_the_command_is_named() {
    let failed = |app: &App| {
        let why = "exec: \"$(APP_BIN)\": executable file not found in $PATH";
        let mut state = status::crashed(128, "StartError", 2, -5);
        merge(&mut state["containerStatuses"][0], &json!({"state": {"terminated": {"message": why}}}));
        crate::support::world(app, [app.pod("a", state)])
    };
    let expect = Expect {
        rule: "container-cannot-start",
        cause: "command-cannot-start",
        field: "spec.template.spec.containers[app].command",
        says: &["$(APP_BIN) stands for a variable that the container does not have"],
        ..CHECKOUT
    };
    let app =
        checkout().container(json!({"command": ["$(APP_BIN)", "--serve"], "env": [{"name": "APPBIN", "value": "/x"}]}));
    check(&failed(&app), expect);
    let app = checkout().container(json!({"command": ["$(APP_BIN)"], "env": [{"name": "APP_BIN", "value": "/x"}]}));
    let statement = failed(&app).diagnose().faults[0].causes[0].statement.clone();
    assert!(!statement.contains("stands for"), "{statement}");
}

#[test]
fn programs_that_a_volume_hides_are_the_mounts() {
    let mount = json!({"name": "tools", "mountPath": "/usr/bin"});
    let app = checkout().container(json!({"command": ["sh", "-c", "serve"], "volumeMounts": [mount]}));
    let why = "exec: \"sh\": executable file not found in $PATH";
    let mut state = status::crashed(128, "StartError", 2, -5);
    merge(&mut state["containerStatuses"][0], &json!({"state": {"terminated": {"message": why}}}));
    let expect = Expect {
        rule: "container-cannot-start",
        cause: "command-cannot-start",
        field: "spec.template.spec.containers[app].volumeMounts[tools].mountPath",
        says: &["Volume tools is mounted at /usr/bin, and hides"],
        ..CHECKOUT
    };
    check(&crate::support::world(&app, [app.pod("a", state)]), expect);
}

#[test]
fn a_working_directory_that_is_none_is_its_own_field() {
    let app = checkout().container(json!({"command": ["sleep", "9000"], "workingDir": "/etc/passwd"}));
    let why = "failed to create containerd task: OCI runtime create failed: error during container init: mkdir /etc/passwd: not a directory";
    let mut state = status::crashed(128, "StartError", 2, -5);
    merge(&mut state["containerStatuses"][0], &json!({"state": {"terminated": {"message": why}}}));
    let expect = Expect {
        rule: "container-cannot-start",
        cause: "command-cannot-start",
        field: "spec.template.spec.containers[app].workingDir",
        says: &["workingDir", "/etc/passwd"],
        ..CHECKOUT
    };
    check(&crate::support::world(&app, [app.pod("a", state)]), expect);
}

#[test]
fn a_program_that_lies_in_the_working_directory_is_not_its_fault() {
    let app = checkout().container(json!({"workingDir": "/app"}));
    let why = "exec: \"/app/server\": permission denied: unknown";
    let mut state = status::crashed(126, "StartError", 2, -5);
    merge(&mut state["containerStatuses"][0], &json!({"state": {"terminated": {"message": why}}}));
    let fault = crate::support::world(&app, [app.pod("a", state)]).diagnose().faults.remove(0);
    assert!(!fault.causes[0].statement.contains("workingDir"), "{}", fault.causes[0].statement);
}

#[test]
fn what_is_written_to_a_volume_in_memory_counts_against_the_limit() {
    let app = checkout().container(json!({
        "resources": {"limits": {"memory": "56Mi"}},
        "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
    }));
    let told = |volume: Value| {
        let app = app.clone().spec(json!({"volumes": [{"name": "scratch", "emptyDir": volume}]}));
        let world = world(&app, [app.pod("a", status::crashed(137, "OOMKilled", 5, -5))]);
        world.diagnose().faults[0].causes[0].statement.clone()
    };
    let said = told(json!({"medium": "Memory"}));
    assert!(said.contains("volume scratch, which lies in memory (emptyDir, medium Memory)"), "{said}");
    assert!(!told(json!({})).contains("emptyDir"), "one on the disk");
}
