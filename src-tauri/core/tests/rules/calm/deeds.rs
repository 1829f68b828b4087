//! What happens on an ordinary day, beside roll-outs and restarts.

use super::*;

impl Day {
    /// A node joins: it is not ready until its network is there, and its DaemonSet's pod comes.
    pub(super) fn join(&mut self, name: String) {
        let born = self.now;
        let node = move |ready: &str, since: i64| {
            let mut node = World::node_since(&name, ready, since);
            node.meta_mut().creation_timestamp = Some(t(born));
            node
        };
        self.put(node("False", born));
        let takes = self.roll(20, 90);
        self.after(takes, move |day| {
            let ready = node("True", day.now);
            let name = ready.meta().name.clone();
            day.put(ready);
            day.nodes.push(name);
        });
    }

    /// A node is drained and replaced: it is cordoned, its pods are evicted and come elsewhere, it goes.
    pub(super) fn replace_node(&mut self) {
        if self.nodes.len() < 3 || self.fleets.iter().any(|f| f.busy) {
            return;
        }
        let node = self.nodes.remove(0);
        let mut cordoned = World::node(&node, "True");
        if let Object::Node(n) = &mut cordoned {
            n.spec.unschedulable = true;
        }
        self.put(cordoned.clone());
        let number = self.runs;
        self.runs += 1;
        self.join(format!("node-new-{number}"));
        for at in 0..self.fleets.len() {
            let here: Vec<String> =
                self.fleets[at].pods.iter().filter(|(_, p)| p.1 == node).map(|(name, _)| name.clone()).collect();
            let mut wait = 2;
            for name in here {
                wait += 100;
                self.after(wait, move |day| {
                    let app = day.fleets[at].app.clone();
                    day.leave(at, &name, true);
                    day.come(at, app, |_| {});
                });
            }
        }
        self.after(900, move |day| {
            day.world.delete(cordoned);
        });
    }

    // Jobs.

    pub(super) fn cron(&mut self, name: &'static str) {
        self.runs += 1;
        let run = self.runs;
        let retried = self.roll(0, 11) == 0;
        let takes = self.roll(3, 100);
        let mut cron = App::of(Kind::CronJob, &format!("shop/{name}")).spec(json!({"restartPolicy": "Never"}));
        for _ in 0..run {
            cron = cron.revise(self.now, json!({}));
        }
        self.put(cron.top(json!({"status": {"lastScheduleTime": at(self.now)}})));
        let job = cron.between(json!({"status": {"active": 1}})).expect("a Job");
        self.put(job);
        self.attempt(cron, retried, takes, 'a');
    }

    pub(super) fn attempt(&mut self, cron: App, fails: bool, takes: i64, suffix: char) {
        let (began, node) = (self.now, self.pick_node());
        let made = json!({"metadata": {"creationTimestamp": at(began)}});
        let name = suffix.to_string();
        let creating = self.pod(&cron, &name, &node, status::waiting("ContainerCreating", "", began), made.clone());
        self.put(creating.clone());
        self.after(2, move |day| {
            let running = day.pod(&cron, &name, &node, status::ready(day.now), made.clone());
            day.put(running);
            day.after(takes, move |day| {
                let ended = day.pod(&cron, &name, &node, status::finished(i32::from(fails), day.now), made);
                day.put(ended.clone());
                let forgotten = ended;
                day.after(1800, move |day| {
                    day.world.delete(forgotten);
                });
                if fails {
                    let failed = cron.between(json!({"status": {"active": 0, "failed": 1}})).expect("a Job");
                    day.put(failed);
                    day.after(10, move |day| day.attempt(cron, false, takes, 'b'));
                    return;
                }
                let done = json!({"status": {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": at(day.now)}]}});
                let done = cron.between(done).expect("a Job");
                day.put(done.clone());
                day.after(900, move |day| {
                    day.world.delete(done);
                });
            });
        });
    }

    // Storage, autoscaling, configuration, Services that come and go.

    /// A claim waits for its first pod; then a volume is made within seconds.
    pub(super) fn claim(&mut self) {
        self.runs += 1;
        let (name, born) = (format!("scratch-{}", self.runs), self.now);
        let claim = move |phase: &str| json!({"metadata": {"creationTimestamp": at(born)}, "spec": {"storageClassName": "standard", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}, "status": {"phase": phase}});
        let what = format!("PersistentVolumeClaim shop/{name}");
        let pending = object(&what, claim("Pending"));
        self.put(pending.clone());
        self.say(&pending, "Normal", "WaitForFirstConsumer", "waiting for first consumer to be created before binding");
        let takes = self.roll(4, 20);
        let job = App::of(Kind::Pod, &format!("shop/{name}-user"))
            .spec(json!({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": name}}]}));
        self.after(3, move |day| {
            let made = json!({"metadata": {"creationTimestamp": at(day.now)}});
            let waiting = day.pod(&job, "", "", json!({"phase": "Pending"}), made.clone());
            day.put(waiting);
            day.say(
                &pending,
                "Normal",
                "ExternalProvisioning",
                "waiting for a volume to be created by the external provisioner",
            );
            day.after(takes, move |day| {
                let node = day.pick_node();
                let bound = object(&what, claim("Bound"));
                day.put(bound.clone());
                let running = day.pod(&job, "", &node, status::ready(day.now), made);
                day.put(running.clone());
                day.after(300, move |day| {
                    day.world.delete(running);
                    day.world.delete(bound);
                });
            });
        });
    }

    /// A new autoscaler has no metrics for a minute.
    pub(super) fn autoscaler(&mut self, at: usize) {
        self.runs += 1;
        let (target, number, born) = (self.fleets[at].app.name.clone(), self.runs, self.now);
        let hpa = move |active: &str, reason: &str| {
            object(
                &format!("HorizontalPodAutoscaler shop/{target}-{number}"),
                json!({
                    "metadata": {"creationTimestamp": self::at(born)},
                    "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}, "minReplicas": 2, "maxReplicas": 6,
                        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]},
                    "status": {"conditions": [
                        {"type": "AbleToScale", "status": "True", "reason": "SucceededGetScale", "lastTransitionTime": self::at(born)},
                        {"type": "ScalingActive", "status": active, "reason": reason, "lastTransitionTime": self::at(born), "message": "the HPA was unable to compute the replica count: failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API"},
                    ]},
                }),
            )
        };
        let blind = hpa("False", "FailedGetResourceMetric");
        self.put(blind.clone());
        self.say(&blind, "Warning", "FailedGetResourceMetric", "failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API");
        self.after(45, move |day| {
            let sees = hpa("True", "ValidMetricFound");
            day.put(sees.clone());
            day.after(1200, move |day| {
                day.world.delete(sees);
            });
        });
    }

    pub(super) fn edit_config(&mut self) {
        self.runs += 1;
        let hash = format!("{:016x}", self.runs);
        self.put(object("ConfigMap shop/flags", json!({"digests": {"flags.yaml": {"hash": hash, "bytes": 100}}})));
        // Leaders that are elected through a ConfigMap renew it all the time.
        self.put(object("ConfigMap shop/leader", json!({"metadata": {"annotations": {}}, "digests": {}})));
    }

    /// A preview environment: it is made, and taken away again.
    pub(super) fn preview(&mut self) {
        self.runs += 1;
        let (number, born) = (self.runs, self.now);
        let app = probed(App::deployment(&format!("preview/pr-{number}"))).revise(born, json!({}));
        let fresh = json!({"metadata": {"creationTimestamp": at(born)}});
        self.put(app.service(fresh.clone()));
        self.put(app.endpoints(&[]));
        let node = self.pick_node();
        self.after(2, move |day| {
            day.put(app.top(fresh.clone()));
            let between: Vec<Object> = app.between(fresh.clone()).into_iter().collect();
            day.world.upsert_all(between);
            let creating = day.pod(&app, "x", &node, status::waiting("ContainerCreating", "", born + 2), fresh.clone());
            day.put(creating);
            day.after(8, move |day| {
                let ready = day.pod(&app, "x", &node, status::ready(day.now), fresh.clone());
                day.put(ready.clone());
                day.put(app.endpoints(&[true]));
                day.after(1500, move |day| {
                    // Applied in one order, removed in another.
                    day.world.delete(app.top(fresh.clone()));
                    if let Some(set) = app.between(fresh) {
                        day.world.delete(set);
                    }
                    let mut going = ready;
                    going.meta_mut().deletion_timestamp = Some(t(day.now + 30));
                    day.put(going.clone());
                    day.put(app.endpoints(&[]));
                    day.after(4, move |day| {
                        day.world.delete(going);
                        day.world.delete(app.service(json!({})));
                        day.world.delete(app.endpoints(&[]));
                    });
                });
            });
        });
    }
}
