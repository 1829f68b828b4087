//! Coverage, silences, settings, leases.

use afterwatch_core::{
    coverage::{Coverage, EndedBy},
    port::{Store, store::Lease},
    silence::{Silence, SilenceMatcher},
};
use afterwatch_store::SqliteStore;
use serde_json::json;
use uuid::Uuid;

use crate::sample::{at, span};

fn cover(store: &SqliteStore, spans: &[Coverage]) {
    store.save(&[], &[], spans).unwrap();
}

#[test]
fn a_heartbeat_carries_its_span_on_and_a_late_one_does_not_reopen_it() {
    let store = SqliteStore::open_in_memory().unwrap();
    let read = || store.coverage("prod-eu", at(0), at(1000)).unwrap();
    cover(&store, &[span("pods", 0, 0, None)]);
    cover(&store, &[span("pods", 0, 30, None)]);
    assert_eq!(read(), [span("pods", 0, 30, None)]);
    cover(&store, &[span("pods", 0, 40, Some(EndedBy::Sleep))]);
    cover(&store, &[span("pods", 0, 35, None), span("pods", 0, 40, None)]);
    assert_eq!(read(), [span("pods", 0, 40, Some(EndedBy::Sleep))]);
    assert_eq!(store.revision().unwrap(), 0, "a heartbeat is no news");
}

#[test]
fn spans_are_told_apart_by_kind_namespace_and_start_and_read_by_window() {
    let store = SqliteStore::open_in_memory().unwrap();
    let in_shop = Coverage { namespace: Some("shop".into()), ..span("pods", 0, 50, None) };
    let elsewhere = Coverage { cluster: "staging".into(), ..span("pods", 0, 50, None) };
    let later = span("pods", 100, 150, Some(EndedBy::Forbidden));
    cover(&store, &[span("pods", 0, 50, None), in_shop.clone(), span("nodes", 0, 50, None), elsewhere, later.clone()]);
    assert_eq!(
        store.coverage("prod-eu", at(0), at(99)).unwrap(),
        [span("nodes", 0, 50, None), span("pods", 0, 50, None), in_shop.clone()]
    );
    let before = [span("nodes", 0, 50, None), span("pods", 0, 50, None), in_shop];
    let found = store.coverage("prod-eu", at(51), at(200)).unwrap();
    assert_eq!(found, [&before[..], std::slice::from_ref(&later)].concat(), "and the last of each place before it");
    cover(&store, &[span("pods", 300, 350, None)]);
    let pods: Vec<_> = store.coverage("prod-eu", at(280), at(400)).unwrap();
    assert!(pods.contains(&later) && !pods.contains(&before[1]), "of several only the last: {pods:?}");
}

#[test]
fn open_spans_of_a_killed_process_end_at_their_last_heartbeat() {
    let store = SqliteStore::open_in_memory().unwrap();
    let elsewhere = Coverage { cluster: "staging".into(), ..span("pods", 0, 50, None) };
    cover(&store, &[span("pods", 0, 42, None), span("nodes", 0, 30, Some(EndedBy::Quit)), elsewhere.clone()]);
    store.close_stale_coverage("prod-eu").unwrap();
    assert_eq!(
        store.coverage("prod-eu", at(0), at(99)).unwrap(),
        [span("nodes", 0, 30, Some(EndedBy::Quit)), span("pods", 0, 42, Some(EndedBy::Crash))]
    );
    assert_eq!(store.coverage("staging", at(0), at(99)).unwrap(), [elsewhere]);
}

#[test]
fn silences_end_by_time_or_by_hand() {
    let store = SqliteStore::open_in_memory().unwrap();
    let silence = |until| Silence {
        id: Uuid::now_v7(),
        matcher: SilenceMatcher { rule_id: Some("oom-killed".into()), ..SilenceMatcher::default() },
        until: at(until),
        reason: "known".into(),
        created_at: at(0),
    };
    let (short, long) = (silence(60), silence(600));
    store.save_silence(&long).unwrap();
    store.save_silence(&short).unwrap();
    assert_eq!(store.silences(at(59)).unwrap(), [short.clone(), long.clone()]);
    assert_eq!(store.silences(at(60)).unwrap(), std::slice::from_ref(&long));
    let longer = Silence { until: at(900), ..short };
    store.save_silence(&longer).unwrap();
    store.delete_silence(long.id).unwrap();
    store.delete_silence(long.id).unwrap();
    assert_eq!(store.silences(at(60)).unwrap(), [longer]);
}

#[test]
fn settings_are_replaced_by_name() {
    let store = SqliteStore::open_in_memory().unwrap();
    assert_eq!(store.setting("theme").unwrap(), None);
    store.set_setting("theme", &json!({"name": "dark"})).unwrap();
    store.set_setting("theme", &json!("light")).unwrap();
    store.set_setting("none", &json!(null)).unwrap();
    assert_eq!(store.setting("theme").unwrap(), Some(json!("light")));
    assert_eq!(store.setting("none").unwrap(), Some(json!(null)));
}

#[test]
fn a_lease_belongs_to_one_until_it_ends_or_is_given_back() {
    let store = SqliteStore::open_in_memory().unwrap();
    let lease = |holder: &Uuid, until| Lease { holder: *holder, holder_name: "the app".into(), expires_at: at(until) };
    let (app, cli) = (Uuid::now_v7(), Uuid::now_v7());
    assert_eq!(store.take_lease("prod-eu", &lease(&app, 30), at(0)).unwrap(), Ok(()));
    assert_eq!(store.take_lease("prod-eu", &lease(&cli, 40), at(10)).unwrap(), Err(lease(&app, 30)));
    assert_eq!(store.take_lease("staging", &lease(&cli, 40), at(10)).unwrap(), Ok(()));
    assert_eq!(store.take_lease("prod-eu", &lease(&app, 60), at(20)).unwrap(), Ok(()), "renewed");
    assert_eq!(store.take_lease("prod-eu", &lease(&cli, 90), at(59)).unwrap(), Err(lease(&app, 60)));
    assert_eq!(store.take_lease("prod-eu", &lease(&cli, 90), at(60)).unwrap(), Ok(()), "ran out");
    store.release_lease("prod-eu", app).unwrap();
    assert_eq!(store.take_lease("prod-eu", &lease(&app, 99), at(61)).unwrap(), Err(lease(&cli, 90)));
    store.release_lease("prod-eu", cli).unwrap();
    assert_eq!(store.take_lease("prod-eu", &lease(&app, 99), at(61)).unwrap(), Ok(()));
}
