//! A person asks about one workload: while it is watched, and with one look.

use afterwatch_core::{
    incident::{OpenedBy, State},
    inspect::Target,
    object::Kind,
};
use afterwatch_engine::{InspectError, Inspection};
use afterwatch_testkit::{App, status};
use serde_json::json;

use crate::desk::{Desk, all, app, killed, well};

const REFUSED: &str = "ERROR dial tcp ledger:8080: connect: connection refused\n";

fn target(what: &str) -> Target {
    Target::parse(&[what]).unwrap()
}

async fn ask(desk: &Desk, what: &str) -> Result<Inspection, InspectError> {
    desk.engine.inspect("kind-dev", target(what), vec!["shop".to_owned()]).await
}

#[tokio::test]
async fn a_question_reads_the_logs_that_nobody_else_reads() {
    let (desk, app) = (Desk::new(), app("checkout"));
    desk.cluster.upsert(all(&app, well(&app, -600)));
    desk.cluster.write_log("checkout-r1-a", "app", &REFUSED.repeat(8));
    desk.watch().await;
    assert_eq!(desk.cluster.logs_asked().len(), 0, "it looks healthy");
    let found = ask(&desk, "deploy/checkout").await.unwrap();
    let read: Vec<String> = desk.cluster.logs_asked().into_iter().map(|w| w.pod.name).collect();
    assert_eq!(read, ["checkout-r1-a"]);
    let [incident] = found.incidents.as_slice() else { panic!("{found:?}") };
    assert_eq!((incident.opened_by, incident.state, incident.number), (OpenedBy::User, State::Open, 1));
    assert!(incident.causes[0].statement.contains("connection to ledger"), "{}", incident.causes[0].statement);
    assert_eq!(desk.incidents(), std::slice::from_ref(incident), "it is in the history as it was answered");
    desk.later(30);
    desk.moment().await;
    assert_eq!(desk.notifier.shown().len(), 0, "who asked knows it already");
    let again = ask(&desk, "deploy/checkout").await.unwrap();
    assert_eq!(again.incidents[0].id, incident.id, "asked again it is the same incident");
    assert_eq!(desk.incidents().len(), 1);
    assert_eq!(desk.incidents()[0].state, State::Open, "no rule closes it");
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn an_answer_may_be_an_incident_that_is_open_already() {
    let (desk, app) = (Desk::new(), app("checkout"));
    desk.cluster.upsert(all(&app, killed(&app, 3, -5)));
    desk.watch().await;
    let known = desk.incident("opened", |_| true).await;
    let found = ask(&desk, "pod/checkout-r1-a").await.unwrap();
    assert_eq!(found.incidents.len(), 1);
    assert_eq!((found.incidents[0].id, found.incidents[0].opened_by), (known.id, OpenedBy::Rule));
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn where_nothing_is_found_nothing_is_kept() {
    let (desk, app) = (Desk::new(), app("checkout"));
    desk.cluster.upsert(all(&app, well(&app, -600)));
    desk.cluster.write_log("checkout-r1-a", "app", "INFO served\nINFO served\n");
    desk.watch().await;
    let found = ask(&desk, "deploy/checkout").await.unwrap();
    let nothing = found.nothing.expect("what was looked at");
    assert!(found.incidents.is_empty() && found.unread.is_empty());
    assert!(nothing.ruled_out.iter().any(|r| r.statement.contains("2 lines of 1 log")), "{:?}", nothing.ruled_out);
    assert!(desk.incidents().is_empty());
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn a_log_that_cannot_be_read_is_told() {
    let (desk, app) = (Desk::new(), app("checkout"));
    desk.cluster.upsert(all(&app, well(&app, -600)));
    desk.watch().await;
    let found = ask(&desk, "deploy/checkout").await.unwrap();
    assert_eq!(found.unread.len(), 1);
    assert_eq!((found.unread[0].container.as_str(), found.unread[0].pod.name.as_str()), ("app", "checkout-r1-a"));
    assert!(found.nothing.expect("nothing was found").ruled_out.iter().any(|r| r.result == "open"));
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn what_is_not_there_or_not_watched_is_said() {
    let (desk, app) = (Desk::new(), app("checkout"));
    assert!(matches!(ask(&desk, "deploy/checkout").await, Err(InspectError::NotWatched(_))));
    desk.cluster.upsert(all(&app, well(&app, -600)));
    desk.watch().await;
    let error = ask(&desk, "deploy/chekout").await.unwrap_err();
    assert_eq!(error.to_string(), "There is no Deployment chekout in shop.");
    let InspectError::NotFound(none) = error else { panic!("{error}") };
    assert_eq!(none.near[0].name, "checkout");
    desk.engine.set_paused(true).await;
    desk.moment().await;
    assert!(matches!(ask(&desk, "deploy/checkout").await, Err(InspectError::Paused)));
    desk.engine.shutdown().await;
}

#[tokio::test]
async fn one_look_answers_for_a_cluster_that_nobody_watches() {
    let (desk, app) = (Desk::new(), app("checkout"));
    desk.cluster.upsert(all(&app, well(&app, -600)));
    let loud = App::deployment("shop/loud");
    desk.cluster.upsert(all(&loud, loud.pod("a", status::crashed(1, "Error", 4, -5))));
    desk.cluster.write_log("checkout-r1-a", "app", &REFUSED.repeat(8));
    let look = |what: &str| desk.engine.inspect_once(desk.cluster.clone(), target(what), vec!["shop".to_owned()]);
    let found = look("deploy/checkout").await.unwrap();
    assert_eq!(found.incidents.len(), 1, "the loud neighbour is another matter: {:?}", found.incidents);
    assert_eq!(found.incidents[0].subject.name, "checkout");
    assert_eq!(desk.incidents().len(), 1);
    assert_eq!(desk.cluster.started(), 0, "a look starts no watch");
    assert_eq!(desk.engine.notifications_sent(), 0);
    let view = desk.engine.clusters().remove(0);
    assert!(view.unreadable.is_empty());
}

#[tokio::test]
async fn without_pods_the_answer_says_that_they_were_not_read() {
    let (desk, app) = (Desk::new(), app("checkout"));
    desk.cluster.upsert(all(&app, well(&app, -600)));
    desk.cluster.forbid(Kind::Pod);
    let found = desk
        .engine
        .inspect_once(desk.cluster.clone(), target("deploy/checkout"), vec!["shop".to_owned()])
        .await
        .unwrap();
    let nothing = found.nothing.expect("nothing can be said");
    assert!(nothing.ruled_out.iter().any(|r| r.result == "open" && r.statement.contains("pods cannot be read")));
}

#[tokio::test]
async fn what_can_be_asked_about_is_listed_by_its_words() {
    let (desk, app) = (Desk::new(), app("checkout"));
    desk.cluster.upsert(all(&app, well(&app, -600)));
    desk.cluster.upsert([app.service(json!({}))]);
    desk.watch().await;
    let found = desk.engine.choices("check", 1).await;
    assert_eq!((found[0].cluster.as_str(), found[0].choices.len(), found[0].more), ("kind-dev", 1, true));
    assert_eq!(found[0].choices[0].object.key(), "Deployment/shop/checkout");
    desk.engine.shutdown().await;
}
