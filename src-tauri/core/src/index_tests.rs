//! The index against a model: a server with a history, and every way a watch may tell it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::object::{ObjectRef, kind::Mode};

const KINDS: [Kind; 3] = [Kind::Pod, Kind::KubeEvent, Kind::ConfigMap];
const NAMESPACES: [&str; 2] = ["shop", "stock"];

fn moment(seconds: usize) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds as i64).unwrap()
}

/// One thing that happened on the server.
#[derive(Clone, Debug)]
enum Told {
    Upserted(Object),
    Deleted(Object),
}

/// What one kind was on the server after each write: `states[n]` is the state after the first `n` of `log`.
#[derive(Clone, Debug, Default)]
struct History {
    log: Vec<Told>,
    states: Vec<BTreeMap<Key, Object>>,
}

/// A write of the server: kind, namespace, name, delete or not, and a number that varies the content.
type Write = (usize, usize, usize, bool, u8);

fn histories(writes: &[Write]) -> BTreeMap<Kind, History> {
    let mut out: BTreeMap<Kind, History> =
        KINDS.iter().map(|k| (*k, History { log: Vec::new(), states: vec![BTreeMap::new()] })).collect();
    for (version, (kind, namespace, name, delete, vary)) in writes.iter().enumerate() {
        let (kind, namespace, name) = (KINDS[*kind], NAMESPACES[*namespace], format!("n{name}"));
        let key = (namespace.to_owned(), name.clone());
        let history = out.get_mut(&kind).unwrap();
        let mut state = history.states.last().unwrap().clone();
        let told = match (state.get(&key), delete) {
            (None, true) => continue,
            (Some(known), true) => {
                let mut last = known.clone();
                last.meta_mut().resource_version = (100 + version).to_string();
                state.remove(&key);
                Told::Deleted(last)
            }
            (known, false) => {
                let uid =
                    known.map_or_else(|| format!("{kind}-{namespace}-{name}-{version}"), |k| k.meta().uid.clone());
                let object = make(kind, namespace, &name, &uid, 100 + version, *vary);
                state.insert(key, object.clone());
                Told::Upserted(object)
            }
        };
        history.log.push(told);
        history.states.push(state);
    }
    out
}

fn make(kind: Kind, namespace: &str, name: &str, uid: &str, version: usize, vary: u8) -> Object {
    let mut value =
        json!({"metadata": {"name": name, "namespace": namespace, "uid": uid, "resourceVersion": version.to_string()}});
    match kind {
        Kind::Pod => {
            value["metadata"]["ownerReferences"] =
                json!([{"kind": "ReplicaSet", "name": "r", "uid": format!("owner-{}", vary % 3), "controller": true}]);
        }
        Kind::KubeEvent => {
            // Some events name the pod's uid, some another lifetime's, some none.
            let uid = [None, Some("Pod-shop-n0-0"), Some("gone")][vary as usize % 3];
            value["involvedObject"] =
                json!({"kind": "Pod", "namespace": namespace, "name": format!("n{}", vary % 4), "uid": uid});
        }
        _ => value["digests"] = json!({"key": {"hash": vary.to_string(), "bytes": 1}}),
    }
    Object::from_value(kind, value).unwrap()
}

/// A way in which the server's history reaches us.
#[derive(Clone, Debug)]
enum Way {
    /// The next few events of a kind.
    Watch(usize, usize),
    /// The watch starts again some events earlier, and tells them once more.
    Again(usize, usize),
    /// A complete list, of the present or of a stale cache, everywhere or namespace by namespace.
    List(usize, usize, bool),
    /// The watch breaks.
    Lost(usize),
}

fn ways() -> impl Strategy<Value = Vec<Way>> {
    let kind = 0..KINDS.len();
    prop::collection::vec(
        prop_oneof![
            4 => (kind.clone(), 1..6usize).prop_map(|(k, n)| Way::Watch(k, n)),
            2 => (kind.clone(), 1..8usize).prop_map(|(k, n)| Way::Again(k, n)),
            2 => (kind.clone(), 0..40usize, any::<bool>()).prop_map(|(k, n, e)| Way::List(k, n, e)),
            1 => kind.prop_map(Way::Lost),
        ],
        0..40,
    )
}

fn writes() -> impl Strategy<Value = Vec<Write>> {
    prop::collection::vec((0..KINDS.len(), 0..2usize, 0..4usize, prop::bool::weighted(0.3), any::<u8>()), 0..60)
}

struct Teller<'a> {
    index: Index,
    histories: &'a BTreeMap<Kind, History>,
    at: BTreeMap<Kind, usize>,
    clock: usize,
}

impl Teller<'_> {
    fn apply(&mut self, fact: Fact) -> Vec<Change> {
        self.clock += 1;
        self.index.apply(Observation { at: moment(self.clock), fact })
    }

    fn tell(&mut self, kind: Kind, n: usize) {
        let history = &self.histories[&kind];
        let from = self.at[&kind];
        for told in history.log.iter().skip(from).take(n) {
            let fact = match told {
                Told::Upserted(o) => Fact::Upserted(o.clone()),
                Told::Deleted(o) => Fact::Deleted(o.clone()),
            };
            self.apply(fact);
        }
        self.at.insert(kind, (from + n).min(history.log.len()));
    }

    fn list(&mut self, kind: Kind, version: usize, everywhere: bool) {
        let state = &self.histories[&kind].states[version];
        if everywhere {
            self.apply(Fact::Listed {
                kind,
                namespace: None,
                how: kind.mode(),
                objects: state.values().cloned().collect(),
            });
        } else {
            for ns in NAMESPACES {
                let objects = state.iter().filter(|(k, _)| k.0 == ns).map(|(_, o)| o.clone()).collect();
                self.apply(Fact::Listed { kind, namespace: Some(ns.to_owned()), how: kind.mode(), objects });
            }
        }
        self.at.insert(kind, version);
    }

    fn go(&mut self, way: &Way) {
        match *way {
            Way::Watch(kind, n) => self.tell(KINDS[kind], n),
            Way::Again(kind, n) => {
                let kind = KINDS[kind];
                let at = self.at[&kind];
                self.at.insert(kind, at.saturating_sub(n));
                self.tell(kind, n);
            }
            Way::List(kind, version, everywhere) => {
                let kind = KINDS[kind];
                self.list(kind, version.min(self.histories[&kind].log.len()), everywhere);
            }
            Way::Lost(kind) => {
                let fact = Fact::Lost {
                    kind: KINDS[kind],
                    namespace: None,
                    ended_by: EndedBy::Disconnect,
                    reason: UnreadableReason::Unreachable,
                    message: String::new(),
                };
                self.apply(fact);
            }
        }
    }
}

/// Everything the index answers by a shortcut, against a search of all objects.
fn consistent(index: &Index) {
    let all = index.snapshot();
    for (kind, key, object) in &all {
        let meta = object.meta();
        assert_eq!(index.get(*kind, Some(&key.0), &key.1).map(|o| o.meta().uid.as_str()), Some(meta.uid.as_str()));
        assert_eq!(index.by_uid(&meta.uid).map(|o| o.reference()), Some(object.reference()), "by uid");
    }
    for n in 0..3 {
        let uid = format!("owner-{n}");
        let shortcut: Vec<ObjectRef> = index.owned_by(&uid).map(|o| o.reference()).collect();
        let searched: Vec<ObjectRef> = all
            .iter()
            .filter(|(_, _, o)| o.meta().owner_references.iter().any(|r| r.uid == uid))
            .map(|(_, _, o)| o.reference())
            .collect();
        assert_eq!(shortcut, searched, "owned by {uid}");
    }
    for (ns, name, uid) in
        NAMESPACES.iter().flat_map(|ns| (0..4).flat_map(move |n| [(*ns, n, None), (*ns, n, Some("Pod-shop-n0-0"))]))
    {
        let pod =
            ObjectRef { uid: uid.map(str::to_owned), ..ObjectRef::missing(Kind::Pod, Some(ns), &format!("n{name}")) };
        let mut shortcut: Vec<String> = index.events_of(&pod).iter().map(|e| e.metadata.uid.clone()).collect();
        let mut searched: Vec<String> = all
            .iter()
            .filter_map(|(_, _, o)| match &**o {
                Object::KubeEvent(e) => Some(e),
                _ => None,
            })
            .filter(|e| e.object().same_name(&pod))
            .filter(|e| e.involved_object.uid.is_none() || pod.uid.is_none() || e.involved_object.uid == pod.uid)
            .map(|e| e.metadata.uid.clone())
            .collect();
        shortcut.sort();
        searched.sort();
        assert_eq!(shortcut, searched, "events of {}", pod.key());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_and_repetition_of_lists_and_watches_ends_in_the_servers_state(writes in writes(), ways in ways()) {
        let histories = histories(&writes);
        let at = KINDS.iter().map(|k| (*k, 0)).collect();
        let mut teller = Teller { index: Index::new(), histories: &histories, at, clock: 0 };
        for way in &ways {
            teller.go(way);
            consistent(&teller.index);
        }
        for kind in KINDS {
            teller.tell(kind, usize::MAX / 2);
        }
        consistent(&teller.index);
        let have: Vec<(Kind, Key, Object)> = teller.index.snapshot().into_iter().map(|(k, n, o)| (k, n, (*o).clone())).collect();
        let mut want: Vec<(Kind, Key, Object)> = KINDS
            .iter()
            .flat_map(|k| histories[k].states.last().unwrap().iter().map(|(n, o)| (*k, n.clone(), o.clone())))
            .collect();
        want.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        prop_assert_eq!(have, want);
    }

    #[test]
    fn a_list_told_twice_changes_nothing(writes in writes()) {
        let histories = histories(&writes);
        let at = KINDS.iter().map(|k| (*k, 0)).collect();
        let mut teller = Teller { index: Index::new(), histories: &histories, at, clock: 0 };
        for kind in KINDS {
            let objects: Vec<Object> = histories[&kind].states.last().unwrap().values().cloned().collect();
            teller.apply(Fact::Listed { kind, namespace: None, how: kind.mode(), objects: objects.clone() });
            let before = teller.index.snapshot();
            let again = teller.apply(Fact::Listed { kind, namespace: None, how: kind.mode(), objects: objects.clone() });
            prop_assert!(again.is_empty());
            for object in objects {
                prop_assert!(teller.apply(Fact::Upserted(object)).is_empty());
            }
            prop_assert_eq!(before, teller.index.snapshot());
        }
    }

    #[test]
    fn of_one_object_the_newest_version_wins_in_any_order(versions in Just((1..9usize).collect::<Vec<_>>()).prop_shuffle()) {
        let mut index = Index::new();
        for (i, version) in versions.iter().enumerate() {
            let object = make(Kind::ConfigMap, "shop", "settings", "u1", *version, *version as u8);
            index.apply(Observation { at: moment(i), fact: Fact::Upserted(object) });
        }
        prop_assert_eq!(&index.get(Kind::ConfigMap, Some("shop"), "settings").unwrap().meta().resource_version, "8");
    }

    #[test]
    fn a_kind_is_known_only_between_a_complete_list_and_its_loss(facts in prop::collection::vec((0..5u8, any::<bool>()), 0..30)) {
        let mut index = Index::new();
        // By place (everywhere, one namespace): whether it was ever listed, and whether it is read now.
        let mut listed = [false; 2];
        let mut known = [false; 2];
        for (i, (fact, narrow)) in facts.into_iter().enumerate() {
            let (place, namespace) = (usize::from(narrow), narrow.then(|| "shop".to_owned()));
            let kind = Kind::Secret;
            let fact = match fact {
                0 => {
                    listed[place] = true;
                    known[place] = true;
                    Fact::Listed { kind, namespace, how: kind.mode(), objects: Vec::new() }
                }
                1 => {
                    known[place] = listed[place];
                    Fact::Alive { kind, namespace }
                }
                2 => {
                    known[place] = false;
                    Fact::Lost { kind, namespace, ended_by: EndedBy::Forbidden, reason: UnreadableReason::Forbidden, message: String::new() }
                }
                3 => {
                    known[0] = false;
                    Fact::NotServed { kind }
                }
                _ => Fact::Upserted(make(Kind::Secret, "shop", "s", "u", i, 0)),
            };
            index.apply(Observation { at: moment(i), fact });
            prop_assert_eq!(index.knows(kind, None), known[0]);
            prop_assert_eq!(index.knows(kind, Some("shop")), known[0] || known[1]);
            prop_assert_eq!(index.knows(kind, Some("stock")), known[0]);
        }
    }
}

#[test]
fn a_late_delete_of_an_earlier_lifetime_leaves_the_new_object() {
    let mut index = Index::new();
    let old = make(Kind::Pod, "shop", "web-0", "first", 1, 0);
    let new = make(Kind::Pod, "shop", "web-0", "second", 3, 0);
    for (i, fact) in [Fact::Upserted(old.clone()), Fact::Upserted(new), Fact::Deleted(old)].into_iter().enumerate() {
        index.apply(Observation { at: moment(i), fact });
    }
    assert_eq!(index.get(Kind::Pod, Some("shop"), "web-0").unwrap().meta().uid, "second");
    consistent(&index);
}

#[test]
fn a_list_of_one_namespace_leaves_the_others_alone() {
    let mut index = Index::new();
    let pod = |ns, uid| make(Kind::Pod, ns, "web", uid, 1, 0);
    index.apply(Observation { at: moment(0), fact: Fact::Upserted(pod("shop", "a")) });
    index.apply(Observation { at: moment(1), fact: Fact::Upserted(pod("stock", "b")) });
    index.apply(Observation {
        at: moment(2),
        fact: Fact::Listed { kind: Kind::Pod, namespace: Some("shop".into()), how: Mode::Watch, objects: Vec::new() },
    });
    assert!(index.get(Kind::Pod, Some("shop"), "web").is_none());
    assert!(index.get(Kind::Pod, Some("stock"), "web").is_some());
}

#[test]
fn what_is_lost_keeps_its_last_state_and_is_not_taken_for_empty() {
    let mut index = Index::new();
    let objects = vec![make(Kind::ConfigMap, "shop", "settings", "u1", 1, 0)];
    index.apply(Observation {
        at: moment(0),
        fact: Fact::Listed { kind: Kind::ConfigMap, namespace: None, how: Mode::Watch, objects },
    });
    let lost = Fact::Lost {
        kind: Kind::ConfigMap,
        namespace: None,
        ended_by: EndedBy::Forbidden,
        reason: UnreadableReason::Forbidden,
        message: "configmaps is forbidden".into(),
    };
    index.apply(Observation { at: moment(5), fact: lost });
    assert!(!index.knows(Kind::ConfigMap, Some("shop")));
    assert!(index.get(Kind::ConfigMap, Some("shop"), "settings").is_some());
    assert_eq!(index.watched_since(Kind::ConfigMap), None);
    let (_, reading) = index.readings().next().unwrap();
    assert!(
        matches!(reading, Reading::Stale { reason: UnreadableReason::Forbidden, message, .. } if message == "configmaps is forbidden")
    );
}

#[test]
fn owners_that_name_each_other_in_a_circle_end() {
    let mut index = Index::new();
    for (name, owner) in [("a", "b"), ("b", "a")] {
        let json = format!(
            r#"{{"metadata":{{"name":"{name}","namespace":"shop","uid":"{name}","ownerReferences":[{{"kind":"ReplicaSet","name":"{owner}","uid":"{owner}","controller":true}}]}}}}"#
        );
        let object = Object::from_json(Kind::ReplicaSet, &json).unwrap();
        index.apply(Observation { at: Timestamp::UNIX_EPOCH, fact: Fact::Upserted(object) });
    }
    assert!(index.pods_of("a").is_empty());
}
