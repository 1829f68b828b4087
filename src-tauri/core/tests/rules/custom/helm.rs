//! Helm: releases by the labels of their Secrets.

use super::*;

const THIRD: &str = "Secret/shop/sh.helm.release.v1.web.v3";
const RELEASE: Expect = Expect { rule: "helm-release-failed", object: THIRD, subject: THIRD, entity: THIRD, ..CUSTOM };

fn release(revision: u32, status: &str, since: i64) -> Object {
    object(
        &format!("Secret shop/sh.helm.release.v1.web.v{revision}"),
        json!({"metadata": {"labels": {"owner": "helm", "name": "web", "status": status, "version": revision.to_string(), "modifiedAt": t(since).as_second().to_string()}}}),
    )
}

#[test]
pub fn a_release_that_hangs_is_found() {
    let expect = Expect { cause: "helm-release-pending", ..RELEASE };
    for status in ["pending-install", "pending-upgrade", "pending-rollback"] {
        let world = of([release(2, "deployed", -9000), release(3, status, -3900)]);
        let says = &["web", "revision 3", "pending-", "has not finished, or was interrupted"];
        let fault = check(&world, Expect { says, ..expect });
        assert!(fault.actions[0].because.contains("if nobody is at it"), "{:?}", fault.actions);
    }
    // `--timeout 30m` takes its time.
    ordinary(&mut of([release(1, "pending-install", -30)]), -30, 3600);
}

#[test]
fn a_release_that_failed_is_low_and_one_of_long_ago_is_silent() {
    let expect = Expect { cause: "helm-release-failed", severity: Low, ..RELEASE };
    check(&of([release(2, "deployed", -9000), release(3, "failed", -900)]), expect);
    silent(&of([release(3, "failed", -90_000)]));
    silent(&of([release(3, "failed", -900), release(4, "deployed", -100)]));
    silent(&of([release(9, "superseded", -900), release(10, "deployed", -100)]));
    silent(&of([object(
        "Secret shop/sh.helm.release.v1.web.v1",
        json!({"metadata": {"labels": {"status": "failed"}}}),
    )]));
}

#[test]
fn a_failed_release_is_told_with_the_workload_that_fails_and_among_its_changes() {
    let app = checkout();
    let mut world = world(&app, [app.pod("a", status::ready(-600))]);
    world.upsert(app.top(json!({"metadata": {"annotations": {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop"}}})));
    world.set_time(60);
    let mut seven = release(7, "failed", 58);
    seven.meta_mut().creation_timestamp = Some(t(55));
    world.upsert(seven);
    world.upsert(app.pod("a", status::crashed(1, "Error", 3, 60)));
    world.set_time(130);
    world.upsert(app.pod("a", status::crashed(1, "Error", 5, 120)));
    world.refuse_logs();
    let faults = world.diagnose().faults;
    assert_eq!(faults.iter().map(|f| f.subject.key()).collect::<Vec<_>>(), ["Deployment/shop/checkout"]);
    let fault = &faults[0];
    assert!(fault.evidence.iter().any(|e| e.summary == "Helm release web revision 7 failed"));
    assert!(
        fault.changes.iter().any(|(c, _)| c.summary == "Helm release web revision 7 failed"),
        "{:?}",
        fault.changes
    );
    sound(&world, fault);
}
