//! A day in a busy cluster in which nothing is wrong: roll-outs, scaling, jobs, drains, new nodes, slow images, probes
//! that fail while a container starts, claims that wait for their first pod. A small model of the controllers and the
//! kubelet plays it from a fixed seed; the product looks on all the while and must say nothing.

mod deeds;

use std::collections::BTreeMap;

use super::support::*;
use afterwatch_core::object::{Kind, Object};
use afterwatch_testkit::World;

const DAY: i64 = 24 * 3600;
/// Seconds between two looks; besides, it looks whenever something happened.
const STEP: i64 = 10;

type Deed = Box<dyn FnOnce(&mut Day)>;

/// A workload as its controller sees it.
struct Fleet {
    app: App,
    /// Its pods: the revision they were made from, their node, and whether they are ready.
    pods: BTreeMap<String, (App, String, bool)>,
    made: u32,
    /// A roll-out or a drain is going on: no other begins.
    busy: bool,
}

struct Day {
    world: World,
    now: i64,
    agenda: BTreeMap<(i64, u64), Deed>,
    deeds: u64,
    seed: u64,
    fleets: Vec<Fleet>,
    nodes: Vec<String>,
    runs: u32,
    looks: u32,
    /// How often the container of a pod was restarted.
    restarts: BTreeMap<(usize, String), u32>,
}

impl Day {
    fn new() -> Day {
        Day {
            world: World::new(),
            now: 0,
            agenda: BTreeMap::new(),
            deeds: 0,
            seed: 0x5eed,
            fleets: Vec::new(),
            nodes: Vec::new(),
            runs: 0,
            looks: 0,
            restarts: BTreeMap::new(),
        }
    }

    /// A number from `low` to `high`, from a fixed sequence.
    fn roll(&mut self, low: i64, high: i64) -> i64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        low + ((self.seed >> 33) as i64).rem_euclid(high - low + 1)
    }

    fn after(&mut self, seconds: i64, deed: impl FnOnce(&mut Day) + 'static) {
        self.deeds += 1;
        self.agenda.insert((self.now + seconds, self.deeds), Box::new(deed));
    }

    fn run(&mut self) {
        let mut next_look = STEP;
        while self.now < DAY {
            let deed = self.agenda.first_key_value().map(|(k, _)| *k).filter(|k| k.0 <= next_look);
            match deed {
                Some(key) => {
                    self.now = key.0;
                    self.world.set_time(self.now);
                    let deed = self.agenda.remove(&key).expect("it is there");
                    deed(self);
                    // What happens in one second is seen together, and now and then at once.
                    let more = self.agenda.first_key_value().is_some_and(|(k, _)| k.0 == self.now);
                    if !more && self.roll(0, 2) == 0 {
                        self.look();
                    }
                }
                None => {
                    self.now = next_look;
                    next_look += STEP;
                    self.look();
                }
            }
        }
    }

    #[track_caller]
    fn look(&mut self) {
        self.looks += 1;
        self.world.look_at(self.now);
        let told: Vec<String> = self
            .world
            .incidents()
            .iter()
            .map(|i| format!("{}: {:?}", i.title, i.causes.first().map(|c| c.statement.clone())))
            .collect();
        let clock = format!("{:02}:{:02}:{:02}", self.now / 3600, self.now / 60 % 60, self.now % 60);
        assert!(told.is_empty(), "at {clock} of an ordinary day: {told:#?}");
    }

    fn put(&mut self, object: Object) {
        self.world.upsert(object);
    }

    /// An event, which the cluster forgets after an hour.
    fn say(&mut self, about: &Object, severity: &str, reason: &str, message: &str) {
        let told = event(about, severity, reason, message, self.now, self.now, 1);
        self.put(told.clone());
        self.after(3600, move |day| {
            day.world.delete(told);
        });
    }

    fn pick_node(&mut self) -> String {
        let at = self.roll(0, self.nodes.len() as i64 - 1) as usize;
        self.nodes[at].clone()
    }

    // Workloads.

    fn fleet(&mut self, app: App, replicas: i32) -> usize {
        let app = app.replicas(replicas);
        let at = self.fleets.len();
        self.world.upsert_all(app.objects());
        self.put(app.service(json!({"spec": {"clusterIP": format!("10.0.1.{at}")}})));
        self.fleets.push(Fleet { app, pods: BTreeMap::new(), made: 0, busy: false });
        for _ in 0..replicas {
            let (pod, node) = (self.name(at), self.pick_node());
            let app = self.fleets[at].app.clone();
            self.put(self.pod(&app, &pod, &node, status::ready(-3600), json!({})));
            self.fleets[at].pods.insert(pod, (app, node, true));
        }
        self.endpoints(at);
        at
    }

    fn name(&mut self, at: usize) -> String {
        let fleet = &mut self.fleets[at];
        fleet.made += 1;
        format!("p{}", fleet.made)
    }

    fn pod(&self, app: &App, suffix: &str, node: &str, status: Value, fields: Value) -> Object {
        let mut all = json!({"spec": {"nodeName": if node.is_empty() { Value::Null } else { json!(node) }}});
        merge(&mut all, &fields);
        app.pod_with(suffix, status, all)
    }

    fn endpoints(&mut self, at: usize) {
        let ready: Vec<bool> = self.fleets[at].pods.values().map(|(_, _, ready)| *ready).collect();
        let slice = self.fleets[at].app.endpoints(&ready);
        self.put(slice);
    }

    /// A pod comes: it is placed, its image is pulled, its probe fails for a while, it is ready. Then this.
    fn come(&mut self, at: usize, app: App, then: impl FnOnce(&mut Day) + 'static) {
        let (name, node) = (self.name(at), self.pick_node());
        let born = self.now;
        let made = json!({"metadata": {"creationTimestamp": self::at(born)}});
        let pull = if self.roll(0, 3) == 0 { self.roll(40, 75) } else { self.roll(1, 6) };
        let start = self.roll(2, 14);
        let waiting = self.pod(&app, &name, "", json!({"phase": "Pending"}), made.clone());
        self.put(waiting);
        self.fleets[at].pods.insert(name.clone(), (app.clone(), node.clone(), false));
        self.after(1, move |day| {
            let creating =
                day.pod(&app, &name, &node, status::waiting("ContainerCreating", "", born + 1), made.clone());
            day.put(creating.clone());
            day.say(&creating, "Normal", "Scheduled", "Successfully assigned");
            day.say(&creating, "Normal", "Pulling", "Pulling image");
            day.endpoints(at);
            day.after(pull, move |day| {
                let began = day.now;
                let running = day.pod(&app, &name, &node, status::unready(began), made.clone());
                day.put(running.clone());
                day.say(&running, "Normal", "Pulled", "Successfully pulled image");
                day.say(&running, "Normal", "Started", "Started container app");
                let failing = running.clone();
                day.after((start - 1).max(1), move |day| {
                    if start > 5 {
                        day.say(
                            &failing,
                            "Warning",
                            "Unhealthy",
                            "Readiness probe failed: dial tcp 10.1.0.1:8080: connect: connection refused",
                        );
                    }
                });
                day.after(start, move |day| {
                    let ready = day.pod(&app, &name, &node, status::ready(day.now), made);
                    day.put(ready);
                    if let Some(pod) = day.fleets[at].pods.get_mut(&name) {
                        pod.2 = true;
                    }
                    day.endpoints(at);
                    then(day);
                });
            });
        });
    }

    /// A pod goes: it is asked to end, ends, and is removed.
    fn leave(&mut self, at: usize, name: &str, evicted: bool) {
        let Some((app, node, _)) = self.fleets[at].pods.remove(name) else { return };
        let (asked, takes, exit) = (self.now, self.roll(1, 29), [0, 0, 143, 137][self.roll(0, 3) as usize]);
        let mut fields = json!({"metadata": {"deletionTimestamp": self::at(asked + 30)}});
        let mut state = status::ready(asked - 600);
        if evicted {
            let reason = json!({"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"});
            state["conditions"].as_array_mut().expect("conditions").push(reason);
            merge(&mut fields, &json!({"metadata": {"annotations": {}}}));
        }
        let going = self.pod(&app, name, &node, state, fields.clone());
        self.put(going.clone());
        self.say(&going, "Normal", "Killing", "Stopping container app");
        self.endpoints(at);
        let name = name.to_owned();
        self.after(takes, move |day| {
            let reason = if exit == 0 { "Completed" } else { "Error" };
            let ended = day.pod(&app, &name, &node, status::crashed(exit, reason, 0, day.now), fields);
            day.put(ended.clone());
            day.after(1, move |day| {
                day.world.delete(ended);
            });
        });
    }

    /// Pods of the new revision come one by one, those of the old one go.
    fn roll_out(&mut self, at: usize) {
        if self.fleets[at].busy || self.fleets[at].pods.values().any(|(_, _, ready)| !ready) {
            return;
        }
        self.fleets[at].busy = true;
        let old = self.fleets[at].app.clone();
        let revision = self.roll(100, 999);
        let name = old.name.clone();
        let new = old.clone().revise(self.now, json!({"image": format!("registry.test/{name}:{revision}")}));
        let moving = json!({"status": {"conditions": [{"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}]}});
        self.put(new.top(moving));
        let between: Vec<Object> = new.between(json!({})).into_iter().collect();
        self.world.upsert_all(between);
        self.fleets[at].app = new;
        let left: Vec<String> = self.fleets[at].pods.keys().cloned().collect();
        self.replace(at, left, Some(old));
    }

    fn replace(&mut self, at: usize, mut left: Vec<String>, old: Option<App>) {
        let Some(name) = left.pop() else {
            if let Some(set) = old.and_then(|o| o.replicas(0).between(json!({}))) {
                self.put(set);
            }
            self.fleets[at].busy = false;
            return;
        };
        let app = self.fleets[at].app.clone();
        self.come(at, app, move |day| {
            day.leave(at, &name, false);
            day.after(1, move |day| day.replace(at, left, old));
        });
    }

    fn scale(&mut self, at: usize, by: i32) {
        if self.fleets[at].busy {
            return;
        }
        let wanted = (self.fleets[at].pods.len() as i32 + by).clamp(2, 6);
        let now = self.fleets[at].pods.len() as i32;
        let app = self.fleets[at].app.clone().replicas(wanted);
        self.fleets[at].app = app.clone();
        self.world.upsert_all([app.top(json!({}))]);
        let between: Vec<Object> = app.between(json!({})).into_iter().collect();
        self.world.upsert_all(between);
        for _ in now..wanted {
            self.come(at, app.clone(), |_| {});
        }
        let extra: Vec<String> = self.fleets[at].pods.keys().take((now - wanted).max(0) as usize).cloned().collect();
        for name in extra {
            self.leave(at, &name, false);
        }
    }

    /// A container ends once and is started again within seconds.
    fn hiccup(&mut self, at: usize) {
        let Some((name, (app, node, _))) =
            self.fleets[at].pods.iter().find(|(_, p)| p.2).map(|(n, p)| (n.clone(), p.clone()))
        else {
            return;
        };
        if self.fleets[at].busy {
            return;
        }
        self.fleets[at].busy = true;
        let (now, took) = (self.now, self.roll(3, 6));
        let count = self.restarts.entry((at, name.clone())).or_default();
        *count += 1;
        let count = *count;
        let ended =
            self.pod(&app, &name, &node, long_life(status::crashed(1, "Error", count - 1, now), now), json!({}));
        self.put(ended);
        self.after(1, move |day| {
            let mut again = long_life(status::restarted(1, "Error", count, now, now + 1), now);
            again["containerStatuses"][0]["ready"] = json!(false);
            again["conditions"][1]["status"] = json!("False");
            let unready = day.pod(&app, &name, &node, again, json!({}));
            day.put(unready.clone());
            day.say(&unready, "Normal", "Started", "Started container app");
            day.after(took, move |day| {
                let ready = long_life(status::restarted(1, "Error", count, now, now + 1), now);
                let well = day.pod(&app, &name, &node, ready, json!({}));
                day.put(well);
                day.fleets[at].busy = false;
            });
        });
    }

    // Nodes.
}

/// The container had run for hours when it ended.
fn long_life(mut state: Value, ended: i64) -> Value {
    let container = &mut state["containerStatuses"][0];
    for place in ["state", "lastState"] {
        if container[place]["terminated"].is_object() {
            container[place]["terminated"]["startedAt"] = json!(at(ended - 9000));
        }
    }
    state
}

fn probed(app: App) -> App {
    app.container(json!({
        "ports": [{"containerPort": 8080}],
        "resources": {"requests": {"cpu": "100m"}},
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "initialDelaySeconds": 2, "periodSeconds": 5},
    }))
}

/// Every so often, from then on.
fn every(day: &mut Day, seconds: i64, first: i64, deed: fn(&mut Day)) {
    day.after(first, move |day| {
        deed(day);
        let next = day.roll(seconds * 3 / 4, seconds * 5 / 4);
        every(day, seconds, next, deed);
    });
}

#[test]
fn nothing_is_told_of_an_ordinary_day() {
    let mut day = Day::new();
    for n in 0..3 {
        let name = format!("node-{n}");
        day.put(World::node(&name, "True"));
        day.nodes.push(name);
    }
    day.put(object(
        "StorageClass standard",
        json!({"provisioner": "csi.test", "volumeBindingMode": "WaitForFirstConsumer"}),
    ));
    for name in ["web", "api", "cart", "search", "mail"] {
        let host = json!({"env": [{"name": "API_URL", "value": "http://api"}], "envFrom": [{"configMapRef": {"name": "flags"}}]});
        day.fleet(probed(App::deployment(&format!("shop/{name}"))).container(host), 3);
    }
    day.edit_config();
    every(&mut day, 2400, 600, |day| {
        let at = day.roll(0, 4) as usize;
        day.roll_out(at);
    });
    every(&mut day, 900, 300, |day| {
        let (at, by) = (day.roll(0, 4) as usize, day.roll(-2, 2) as i32);
        day.scale(at, by);
    });
    every(&mut day, 300, 60, |day| day.cron("report"));
    every(&mut day, 420, 90, |day| day.cron("import"));
    every(&mut day, 3600, 1800, |day| {
        let at = day.roll(0, 4) as usize;
        day.hiccup(at);
    });
    every(&mut day, 7200, 4000, Day::replace_node);
    every(&mut day, 1800, 700, Day::claim);
    every(&mut day, 5400, 1000, |day| {
        let at = day.roll(0, 4) as usize;
        day.autoscaler(at);
    });
    every(&mut day, 600, 100, Day::edit_config);
    every(&mut day, 3000, 500, Day::preview);
    day.run();
    assert!(day.deeds > 5000 && day.looks > 8000, "it was a busy day: {} deeds, {} looks", day.deeds, day.looks);
}
