//! Lines that complain of a variable with the value that the container has it at.

use super::*;

#[test]
fn a_line_that_repeats_a_variable_and_its_value_says_more_than_loud_neighbours() {
    let app = env(json!([
        {"name": "PICK_WINDOW", "value": "30mins"},
        {"name": "COLLECTOR", "value": "otel-collector:4317"},
    ]));
    let noise = "level=ERROR msg=\"traces export: dial tcp 10.9.9.9:4317: connect: connection refused\"\n";
    let own = "level=INFO msg=\"refusing to start: PICK_WINDOW=30mins: time: unknown unit\"\n";
    let expect = Expect {
        cause: "log-bad-config",
        field: "spec.template.spec.containers[app].env[PICK_WINDOW]",
        verdict: Established,
        says: &["PICK_WINDOW", "30mins", "Its last words: “refusing to start"],
        ..DEAD
    };
    check(&dead(&app, &format!("{}{own}{noise}", noise.repeat(6)), []), expect);
    // The program lives on with another value, or the value is another one, or it stands far from the end.
    let first = |log: &str| dead(&app, log, []).diagnose().faults[0].causes[0].rule_id.clone();
    for line in
        ["level=WARN msg=\"invalid PICK_WINDOW=30mins, using 10m\"\n", "level=INFO msg=\"PICK_WINDOW=30mins\"\n"]
    {
        assert_ne!(first(&format!("{line}{noise}")), "log-bad-config", "{line}");
    }
    assert_ne!(first(&format!("{own}{}", noise.repeat(50))), "log-bad-config");
    // What is said of a connection is one.
    let refused = "cannot reach COLLECTOR=otel-collector:4317: connection refused";
    assert_ne!(first(refused), "log-bad-config");
}
