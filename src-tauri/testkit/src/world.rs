//! One cluster as the product sees it, with a clock that moves only when told.

use std::{cell::RefCell, sync::Arc};

use afterwatch_core::{
    Timestamp,
    change::Change,
    correlate::{self, Diagnosis, Options},
    coverage::{EndedBy, UnreadableReason},
    detect::Memory,
    incident::{Incident, IncidentId, State},
    index::Index,
    ledger::{Ledger, Policy, Step},
    object::{Kind, Object},
    observation::{Fact, LogRead, LogWant, Observation},
    settings::Settings,
};
use jiff::SignedDuration;
use serde_json::json;
use uuid::Uuid;

use crate::{App, object, t};

/// Index, ledger and time.
#[derive(Clone, Debug)]
pub struct World {
    pub index: Index,
    pub ledger: Ledger,
    pub now: Timestamp,
    pub policy: Policy,
    /// What the user set of the rules.
    pub settings: Settings,
    /// What was found so far, as a watch remembers it.
    memory: RefCell<Memory>,
    versions: u64,
    minted: u128,
}

impl Default for World {
    fn default() -> World {
        World::new()
    }
}

impl World {
    /// A cluster of which nothing was read yet.
    pub fn unread() -> World {
        World {
            index: Index::new(),
            ledger: Ledger::new("kind-dev", "cluster-1", Vec::new()),
            now: t(0),
            policy: Policy { stability: SignedDuration::from_mins(10) },
            settings: Settings::default(),
            memory: RefCell::default(),
            versions: 1000,
            minted: 0,
        }
    }

    /// A cluster whose every kind is read; it has one ready node, `node-a`, and nothing else. It is watched for an
    /// hour already.
    pub fn new() -> World {
        let mut world = World::unread().at(-3600);
        for kind in Kind::ALL {
            world.list(*kind, Vec::new());
        }
        world.upsert(World::node("node-a", "True"));
        world.at(0)
    }

    /// A node that says of itself that it is ready, since an hour before the beginning.
    pub fn node(name: &str, ready: &str) -> Object {
        World::node_since(name, ready, -3600)
    }

    /// A node whose `Ready` condition has this status since then.
    pub fn node_since(name: &str, ready: &str, since: i64) -> Object {
        let (reason, message) = match ready {
            "True" => ("KubeletReady", "kubelet is posting ready status"),
            "Unknown" => ("NodeStatusUnknown", "Kubelet stopped posting node status."),
            _ => ("KubeletNotReady", "container runtime network not ready"),
        };
        let fields = json!({
            "metadata": {"creationTimestamp": crate::at(-86_400), "labels": {"kubernetes.io/hostname": name}},
            "status": {
                "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
                "conditions": [
                    {"type": "MemoryPressure", "status": "False", "reason": "KubeletHasSufficientMemory"},
                    {"type": "Ready", "status": ready, "reason": reason, "message": message, "lastTransitionTime": crate::at(since)},
                ],
            },
        });
        object(&format!("Node {name}"), fields)
    }

    /// The same world at this many seconds after the beginning.
    pub fn at(mut self, seconds: i64) -> World {
        self.now = t(seconds);
        self
    }

    /// Moves the clock to this many seconds after the beginning.
    pub fn set_time(&mut self, seconds: i64) {
        self.now = t(seconds);
    }

    /// Applies a fact now.
    pub fn apply(&mut self, fact: Fact) -> Vec<Change> {
        self.index.apply(Observation { at: self.now, fact })
    }

    /// A complete list of a kind.
    pub fn list(&mut self, kind: Kind, mut objects: Vec<Object>) -> Vec<Change> {
        for object in &mut objects {
            self.stamp(object);
        }
        self.apply(Fact::Listed { kind, namespace: None, how: kind.mode(), objects })
    }

    /// An object was added or changed; returns the change it shows.
    pub fn upsert(&mut self, mut object: Object) -> Option<Change> {
        self.stamp(&mut object);
        self.apply(Fact::Upserted(object)).pop()
    }

    /// Several objects were added or changed.
    pub fn upsert_all(&mut self, objects: impl IntoIterator<Item = Object>) {
        for object in objects {
            self.upsert(object);
        }
    }

    /// A workload with its ReplicaSet or Job, and pods.
    pub fn run(&mut self, app: &App, pods: impl IntoIterator<Item = Object>) {
        self.upsert_all(app.objects());
        self.upsert_all(pods);
    }

    /// An object is gone.
    pub fn delete(&mut self, object: Object) -> Option<Change> {
        self.apply(Fact::Deleted(object)).pop()
    }

    /// A kind cannot be read any more.
    pub fn lose(&mut self, kind: Kind, reason: UnreadableReason) {
        let ended_by = if reason == UnreadableReason::Forbidden { EndedBy::Forbidden } else { EndedBy::Disconnect };
        self.apply(Fact::Lost { kind, namespace: None, ended_by, reason, message: "test".into() });
    }

    /// A container's log was read: that of the death at this restart count, or of the present run.
    pub fn log(&mut self, pod: &Object, container: &str, restart: u32, text: &str) {
        let reference = pod.reference();
        let wanted = self
            .diagnose()
            .wants
            .into_iter()
            .find(|w| w.pod.same_name(&reference) && w.container == container && w.restart == restart);
        let want =
            wanted.unwrap_or(LogWant { pod: reference, container: container.to_owned(), previous: false, restart });
        let lines = Ok(text.lines().map(str::to_owned).collect());
        self.apply(Fact::Log(LogRead { want, lines, truncated: false, later: None }));
    }

    /// Every log that is wanted now cannot be read.
    pub fn refuse_logs(&mut self) {
        for want in self.diagnose().wants {
            self.apply(Fact::Log(LogRead {
                want,
                lines: Err("the container is gone".to_owned()),
                truncated: false,
                later: None,
            }));
        }
    }

    /// What is wrong now, the same as when nothing was found before; the ledger stays as it is.
    pub fn diagnose(&self) -> Diagnosis {
        let diagnosis = self.diagnose_again();
        let anew = self.diagnose_anew();
        if diagnosis != anew {
            // Line by line, so that what differs can be seen.
            let (lines, others) = (format!("{diagnosis:#?}"), format!("{anew:#?}"));
            let mut differ = lines.lines().zip(others.lines()).enumerate().filter(|(_, (a, b))| a != b);
            let (line, (remembered, anew)) = differ.next().unwrap_or_default();
            panic!("line {line}: remembered is {remembered}, anew {anew}\n{lines}\n{others}");
        }
        diagnosis
    }

    /// What is wrong now, made of what was found before as far as that still holds.
    pub fn diagnose_again(&self) -> Diagnosis {
        correlate::diagnose_again(&mut self.memory.borrow_mut(), &self.index, self.now, self.options(false))
    }

    /// What is wrong now, made of nothing that was found before.
    pub fn diagnose_anew(&self) -> Diagnosis {
        correlate::diagnose(&self.index, self.now, self.options(false))
    }

    /// How much is remembered of what was found.
    pub fn remembered(&self) -> usize {
        self.memory.borrow().entries()
    }

    /// The same with hold times waived, as one look does.
    pub fn glance(&self) -> Diagnosis {
        correlate::diagnose(&self.index, self.now, self.options(true))
    }

    fn options(&self, waive_holds: bool) -> Options {
        Options { waive_holds, rules: Arc::new(self.settings.filter(&self.ledger.cluster)) }
    }

    /// What is wrong now goes into the ledger; returns what happened to incidents.
    pub fn look(&mut self) -> Vec<(IncidentId, Step)> {
        let diagnosis = self.diagnose();
        let minted = &mut self.minted;
        let mut mint = || {
            *minted += 1;
            IncidentId(Uuid::from_u128(*minted))
        };
        self.ledger.step(self.now, &diagnosis, &self.index, self.policy, &mut mint)
    }

    /// Moves the clock and looks; returns the steps without ids.
    pub fn look_at(&mut self, seconds: i64) -> Vec<Step> {
        self.set_time(seconds);
        self.look().into_iter().map(|(_, step)| step).collect()
    }

    /// Every incident the ledger holds.
    pub fn incidents(&self) -> &[Incident] {
        self.ledger.incidents()
    }

    /// The only incident that is open.
    pub fn only(&self) -> &Incident {
        let open: Vec<&Incident> = self.incidents().iter().filter(|i| i.state != State::Resolved).collect();
        let titles: Vec<&str> = open.iter().map(|i| i.title.as_str()).collect();
        assert_eq!(open.len(), 1, "one open incident is expected, there are {titles:?}");
        open[0]
    }

    fn stamp(&mut self, object: &mut Object) {
        self.versions += 1;
        if object.meta().resource_version.is_empty() {
            object.meta_mut().resource_version = self.versions.to_string();
        }
    }
}
