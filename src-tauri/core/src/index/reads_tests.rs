use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::*;
use crate::{
    object::{Object, ObjectRef},
    observation::{Fact, LogWant, Observation},
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).expect("a time")
}

fn pod(version: &str) -> Object {
    let meta = json!({
        "name": "web-1", "namespace": "shop", "uid": "pod", "resourceVersion": version,
        "labels": {"app": "web", "helm.toolkit.fluxcd.io/name": "web", "helm.toolkit.fluxcd.io/namespace": "shop"},
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "set", "controller": true}],
    });
    Object::from_value(Kind::Pod, json!({"metadata": meta, "spec": {"nodeName": "node-a"}})).expect("a pod")
}

fn with(objects: impl IntoIterator<Item = Object>) -> Index {
    let mut index = Index::new();
    for object in objects {
        index.apply(Observation { at: at(0), fact: Fact::Upserted(object) });
    }
    index
}

#[test]
fn whoever_reads_says_what() {
    let (index, web) = (with([pod("1")]), pod("1"));
    let (me, meta) = (web.reference(), web.meta());
    let app = ObjectRef { api_version: "argoproj.io/v1alpha1".into(), kind: "Application".into(), ..me.clone() };
    let want = LogWant { pod: me.clone(), container: "app".into(), previous: false, restart: 0 };
    let selector = BTreeMap::from([("app".to_owned(), "web".to_owned())]);
    let mut told: BTreeSet<&str> = BTreeSet::new();
    macro_rules! reads {
        ($($name:ident($($with:expr),*))*) => {$(
            let (_, reads) = index.noting(|| _ = index.$name($($with),*));
            assert!(!reads.is_empty(), "{} does not say what it reads", stringify!($name));
            told.insert(stringify!($name));
        )*};
    }
    reads! {
        all(Kind::Pod) in_namespace(Kind::Pod, "shop") get(Kind::Pod, Some("shop"), "web-1") by_uid("pod") resolve(&me)
        owned_by("set") top_owner(&web) top_owner_of(me.clone(), meta) pods_of("set") pods() events_of(&me)
        log("pod", "app", 0) newest_log("pod", "app") log_read_at(&want) log_tried_at(&want) said(&want) has_log(&want)
        log_may_have_grown(&want) answered("pod", "app") changes() changes_of(&me) graves() knows(Kind::Pod, None) watched_since(Kind::Pod)
        has_reading(Kind::Pod) readings() skipped() connection() len() is_empty() observations() snapshot()
        pods_matching("shop", &selector) at_address([10, 0, 0, 7].into()) slices_of("shop", "web")
        has_endpoint("shop", "web") told_of(Kind::Pod) unsettled_pods() unsettled_nodes() deleting(Kind::Pod)
        placed_pods() running_images() pods_apart() pods_on("node-a") entries()
        deployers_of(meta) helm_release("shop", "web") deploys(&app, meta)
        knows_extension(&app, true) sees_extension(&app)
    }
    let sources = [
        include_str!("query.rs"),
        include_str!("lookup.rs"),
        include_str!("deployer.rs"),
        include_str!("extension.rs"),
    ];
    let methods = sources.iter().flat_map(|s| s.lines()).filter(|l| l.contains("&self") || l.contains("&'a self"));
    for method in methods.filter_map(|l| l.strip_prefix("    pub fn ")) {
        let name = method.split(['(', '<']).next().unwrap_or_default();
        assert!(told.contains(name), "{name} is not tried above: does it say what it reads?");
    }
}

#[test]
fn what_was_read_holds_until_it_is_touched_or_its_time_comes() {
    let mut index = with([pod("1")]);
    let mark = index.mark();
    let (_, other) = index.noting(|| index.get(Kind::Pod, Some("shop"), "web-2"));
    let (_, outer) = index.noting(|| index.noting(|| index.pods_on("node-a")).0.len());
    let (_, timed) = index.noting(|| Now::new(&index, at(0)).within(at(0), jiff::SignedDuration::from_secs(5)));
    let (_, moment) = index.noting(|| Now::new(&index, at(0)).get());
    let holds = |index: &Index, reads: &Reads, seconds: i64| {
        let changed = index.changed_since(&mark).expect("it was just now");
        reads.hold(&changed, Now::new(index, at(seconds)))
    };
    assert!(holds(&index, &timed, 4) && !holds(&index, &timed, 5));
    assert!(holds(&index, &moment, 0) && !holds(&index, &moment, 1));
    assert!(holds(&index, &outer, 9), "nothing has changed");
    index.apply(Observation { at: at(1), fact: Fact::Upserted(pod("2")) });
    assert!(!holds(&index, &outer, 9), "what a part of the work read, the whole has read");
    assert!(holds(&index, &other, 9), "another pod changed");
    index.forget_readings();
    assert!(index.changed_since(&mark).is_none(), "everything may be different");
    assert!(index.clone().changed_since(&index.mark()).is_none(), "a copy has a life of its own");
}

#[test]
fn what_comes_or_goes_touches_all_who_read_of_its_kind() {
    let apart = json!({"spec": {"nodeName": "node-a", "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}}}});
    let made = |kind: Kind, name: &str, mut fields: serde_json::Value| {
        fields["metadata"]["name"] = json!(name);
        fields["metadata"]["namespace"] = json!("shop");
        Object::from_value(kind, fields).expect("an object")
    };
    let map = made(Kind::ConfigMap, "flags", json!({}));
    let reference = map.reference();
    let told = json!({"type": "Warning", "reason": "BackOff", "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web-1"}});
    type Read<'a> = Box<dyn Fn(&Index) + 'a>;
    let cases: Vec<(Read<'_>, Fact)> = vec![
        (Box::new(|i| _ = i.pods_apart()), Fact::Upserted(made(Kind::Pod, "lone", apart))),
        (
            Box::new(|i| _ = i.deleting(Kind::Pod)),
            Fact::Upserted(made(Kind::Pod, "old", json!({"metadata": {"deletionTimestamp": at(0).to_string()}}))),
        ),
        (Box::new(|i| _ = i.graves()), Fact::Deleted(pod("1"))),
        (Box::new(|i| _ = i.placed_pods()), Fact::Deleted(pod("1"))),
        (Box::new(|i| _ = i.pods_on("node-a")), Fact::Deleted(pod("1"))),
        (Box::new(|i| _ = i.changes_of(&reference)), Fact::Upserted(map.clone())),
        (Box::new(|i| _ = i.events_of(&pod("1").reference())), Fact::Upserted(made(Kind::KubeEvent, "e", told))),
        (Box::new(|i| _ = i.knows(Kind::Pod, None)), Fact::NotServed { kind: Kind::Pod }),
    ];
    for (n, (read, fact)) in cases.into_iter().enumerate() {
        let mut index = with([pod("1")]);
        let mark = index.mark();
        let ((), reads) = index.noting(|| read(&index));
        index.apply(Observation { at: at(1), fact });
        let changed = index.changed_since(&mark).expect("it was just now");
        assert!(!reads.hold(&changed, Now::new(&index, at(1))), "case {n} is not touched");
    }
}

#[test]
fn what_is_made_once_stays_as_long_as_it_holds_and_is_asked_for() {
    let mut index = with([pod("1")]);
    let mut once: Once<&str, String> = Once::default();
    let read = |once: &Once<&'static str, String>, index: &Index, name: &'static str| {
        let mut made = false;
        let version = once.get(index, name, |name| {
            made = true;
            index.get(Kind::Pod, Some("shop"), name).map(|o| o.meta().resource_version.clone()).unwrap_or_default()
        });
        (version, made)
    };
    let mut mark = index.mark();
    let mut look = |once: &mut Once<&'static str, String>, index: &Index| {
        let changed = index.changed_since(&mark).expect("changes");
        once.look_again(&changed, Now::new(index, at(1)));
        mark = index.mark();
    };
    assert_eq!(read(&once, &index, "web-1"), ("1".into(), true));
    assert_eq!(read(&once, &index, "web-2"), (String::new(), true));
    assert_eq!(read(&once, &index, "web-1"), ("1".into(), false));
    look(&mut once, &index);
    assert_eq!(read(&once, &index, "web-1"), ("1".into(), false));
    // Whoever takes what was made has read what it was made from.
    let (_, reads) = index.noting(|| read(&once, &index, "web-1"));
    index.apply(Observation { at: at(1), fact: Fact::Upserted(pod("2")) });
    look(&mut once, &index);
    assert!(!reads.is_empty());
    assert_eq!(read(&once, &index, "web-1"), ("2".into(), true));
    // Nobody asked for the other in the look before.
    assert_eq!(read(&once, &index, "web-2"), (String::new(), true));
}
