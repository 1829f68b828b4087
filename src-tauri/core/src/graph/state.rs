//! How an object stands, in a few words.

use super::fold::{Place, pods};
use crate::{
    index::Index,
    object::{Condition, Kind, Object, ObjectRef, Pod, Service, has_all},
    words,
};

/// What is said of a node.
pub(super) struct State {
    pub(super) text: String,
    pub(super) ill: bool,
    pub(super) missing: bool,
}

impl State {
    fn well(text: impl Into<String>) -> State {
        State { text: text.into(), ill: false, missing: false }
    }

    fn ill(text: impl Into<String>) -> State {
        State { text: text.into(), ill: true, missing: false }
    }

    fn when(ill: bool, text: impl Into<String>) -> State {
        State { text: text.into(), ill, missing: false }
    }
}

/// How a node stands. What may not be read is not missing.
pub(super) fn state(index: &Index, place: &Place) -> State {
    match place {
        Place::Pods(owner) => of_pods(&pods(index, owner)),
        Place::Object(object) => match index.resolve(object) {
            Some(known) => of_object(index, known),
            None => absent(index, object),
        },
    }
}

fn absent(index: &Index, object: &ObjectRef) -> State {
    if object.kind == "External" {
        return State::well("outside the cluster");
    }
    match Kind::of(&object.api_version, &object.kind) {
        // Whether its kind may be read is not known where none of it was.
        Some(Kind::CustomResource) => State::well(""),
        Some(kind) if index.knows(kind, object.namespace.as_deref()) => {
            State { text: "does not exist".to_owned(), ill: true, missing: true }
        }
        Some(_) => State::well("not readable"),
        None => State::well(""),
    }
}

fn of_pods(pods: &[&Pod]) -> State {
    match pods {
        [] => State::ill("none there"),
        [pod] => of_pod(pod),
        many => {
            let unready: Vec<&&Pod> = many.iter().filter(|p| !p.ready() && !p.finished()).collect();
            let failed = many.iter().filter(|p| p.status.phase.as_deref() == Some("Failed")).count();
            if unready.is_empty() && failed > 0 {
                return State::ill(format!("{failed} failed"));
            }
            let Some(first) = unready.first() else { return State::well("ready") };
            let why = why(first).filter(|w| unready.iter().all(|p| self::why(p).as_ref() == Some(w)));
            let why = why.map(|w| format!(": {w}")).unwrap_or_default();
            State::ill(format!("{} not ready{why}", unready.len()))
        }
    }
}

fn of_pod(pod: &Pod) -> State {
    match (pod.status.phase.as_deref(), pod.ready()) {
        (_, true) => State::well("ready"),
        (Some("Succeeded"), _) => State::well("done"),
        _ => State::ill(why(pod).unwrap_or_else(|| "not ready".to_owned())),
    }
}

/// The reason a pod gives for not being ready, in its own word.
fn why(pod: &Pod) -> Option<String> {
    if pod.metadata.deleting() {
        return Some("terminating".to_owned());
    }
    let waiting = pod.containers().find_map(|(_, s, _)| s?.state.waiting.as_ref()?.reason.clone());
    let waiting = waiting.filter(|r| r != "PodInitializing" && r != "ContainerCreating");
    let ended = || {
        pod.containers().find_map(|(_, s, _)| {
            let end = s?.state.terminated.as_ref().filter(|t| t.exit_code != 0)?;
            end.reason.clone()
        })
    };
    let placed = || {
        Condition::find(&pod.status.conditions, "PodScheduled").filter(|c| c.is_false()).and_then(|c| c.reason.clone())
    };
    waiting.or_else(ended).or_else(|| pod.status.reason.clone()).or_else(placed)
}

fn of_object(index: &Index, object: &Object) -> State {
    let meta = object.meta();
    if meta.deleting() && !matches!(object, Object::Pod(_)) {
        return State::ill("being deleted");
    }
    match object {
        Object::Pod(pod) => of_pod(pod),
        Object::Deployment(d) if d.spec.paused => {
            State::when(true, format!("paused, {}", workload(index, object).text))
        }
        Object::Deployment(_) | Object::ReplicaSet(_) | Object::StatefulSet(_) | Object::DaemonSet(_) => {
            workload(index, object)
        }
        Object::Job(job) => {
            let failed = Condition::find(&job.status.conditions, "Failed").is_some_and(Condition::is_true);
            match failed {
                true => State::ill("failed"),
                false if job.spec.suspend => State::well("suspended"),
                false if job.status.completion_time.is_some() => State::well("done"),
                false => {
                    State::when(job.status.failed > 0, words::count(job.status.failed.max(0) as usize, "failed pod"))
                }
            }
        }
        Object::CronJob(cron) if cron.spec.suspend => State::well("suspended"),
        Object::CronJob(cron) => State::well(cron.spec.schedule.clone()),
        Object::Service(service) => of_service(index, service),
        Object::Node(node) => {
            let conditions = &node.status.conditions;
            let pressed = conditions.iter().find(|c| c.kind.ends_with("Pressure") && c.is_true());
            match Condition::find(conditions, "Ready") {
                Some(ready) if !ready.is_true() => State::ill("NotReady"),
                _ if pressed.is_some() => State::ill(pressed.map(|c| c.kind.clone()).unwrap_or_default()),
                _ if node.spec.unschedulable => State::ill("cordoned"),
                _ => State::well("ready"),
            }
        }
        Object::PersistentVolumeClaim(claim) => {
            let phase = claim.status.phase.as_deref().unwrap_or("Pending");
            State::when(phase != "Bound", phase)
        }
        Object::PersistentVolume(volume) => {
            let phase = volume.status.phase.as_deref().unwrap_or("");
            State::when(matches!(phase, "Released" | "Failed"), phase)
        }
        Object::StorageClass(class) => State::well(class.provisioner.clone()),
        Object::ConfigMap(map) => State::well(words::count(map.digests.len(), "key")),
        Object::HorizontalPodAutoscaler(scaler) => {
            let blind = Condition::find(&scaler.status.conditions, "ScalingActive").filter(|c| c.is_false());
            match blind {
                Some(c) => State::ill(c.reason.clone().unwrap_or_else(|| "not scaling".to_owned())),
                None => State::well(format!(
                    "{} to {} pods",
                    scaler.spec.min_replicas.unwrap_or(1),
                    scaler.spec.max_replicas
                )),
            }
        }
        Object::PodDisruptionBudget(budget) => {
            let allowed = budget.status.disruptions_allowed;
            State::when(allowed == 0, format!("lets {allowed} go"))
        }
        Object::ResourceQuota(quota) => {
            let used = |name: &str| quota.status.used.get(name);
            let full = quota.status.hard.iter().find(|(name, hard)| {
                used(name).and_then(|u| u.milli().zip(hard.milli())).is_some_and(|(used, hard)| used >= hard)
            });
            match full {
                Some((name, hard)) => {
                    let used = used(name).map(ToString::to_string).unwrap_or_default();
                    State::ill(format!("{name} {used} of {hard}"))
                }
                None => State::well("has room"),
            }
        }
        Object::Gateway(gateway) => {
            let off = ["Accepted", "Programmed"]
                .iter()
                .find(|k| Condition::find(&gateway.status.conditions, k).is_some_and(Condition::is_false));
            off.map_or_else(|| State::well(""), |k| State::ill(format!("not {}", k.to_lowercase())))
        }
        Object::HTTPRoute(route) => {
            let refused = route.status.parents.iter().flat_map(|p| &p.conditions).find(|c| c.is_false());
            refused.map_or_else(
                || State::well(words::list(&route.spec.hostnames, 1)),
                |c| State::ill(c.reason.clone().unwrap_or_else(|| format!("not {}", c.kind))),
            )
        }
        Object::Ingress(ingress) => {
            let hosts: Vec<String> = ingress.spec.rules.iter().filter_map(|r| r.host.clone()).collect();
            State::well(words::list(&hosts, 1))
        }
        Object::APIService(api) => {
            let off = Condition::find(&api.status.conditions, "Available").is_some_and(Condition::is_false);
            State::when(off, if off { "not available" } else { "" })
        }
        Object::Namespace(ns) => State::well(ns.status.phase.clone().unwrap_or_default().to_lowercase()),
        // When a condition says nothing bad, nothing is said of the others.
        Object::CustomResource(custom) => {
            let said = crate::detect::custom::said::wrong(custom);
            said.map_or_else(|| State::well(""), State::ill)
        }
        Object::PriorityClass(class) => State::well(format!("value {}", class.value)),
        _ => State::well(""),
    }
}

/// `1 of 3 ready`: by the pods where they may be read, else by what the workload says of itself.
fn workload(index: &Index, object: &Object) -> State {
    let (wanted, reported) = match object {
        Object::Deployment(d) => (d.spec.replicas.unwrap_or(1), d.status.ready_replicas),
        Object::ReplicaSet(r) => (r.spec.replicas.unwrap_or(1), r.status.ready_replicas),
        Object::StatefulSet(s) => (s.spec.replicas.unwrap_or(1), s.status.ready_replicas),
        Object::DaemonSet(d) => (d.status.desired_number_scheduled, d.status.number_ready),
        _ => return State::well(""),
    };
    let meta = object.meta();
    let ready = match index.knows(Kind::Pod, meta.namespace.as_deref()) {
        true => index.pods_of(&meta.uid).iter().filter(|p| p.ready() && !p.metadata.deleting()).count(),
        false => reported.max(0) as usize,
    };
    let wanted = match object {
        // Until the controller has counted, what is there is what is wanted.
        Object::DaemonSet(_) => (wanted.max(0) as usize).max(index.pods_of(&meta.uid).len()),
        _ => wanted.max(0) as usize,
    };
    match wanted {
        0 => State::well("scaled to zero"),
        _ => State::when(ready < wanted, format!("{ready} of {wanted} ready")),
    }
}

fn of_service(index: &Index, service: &Service) -> State {
    let ns = service.metadata.namespace.as_deref();
    if let Some(name) =
        service.spec.external_name.as_deref().filter(|_| service.spec.kind.as_deref() == Some("ExternalName"))
    {
        return State::well(format!("stands for {name}"));
    }
    let slices = index.in_namespace(Kind::EndpointSlice, ns.unwrap_or("")).filter_map(|o| match &**o {
        Object::EndpointSlice(s) if s.service() == Some(service.metadata.name.as_str()) => Some(s),
        _ => None,
    });
    let all: Vec<bool> = slices.flat_map(|s| &s.endpoints).map(|e| e.conditions.ready.unwrap_or(true)).collect();
    let ready = all.iter().filter(|r| **r).count();
    if all.is_empty() && !index.knows(Kind::EndpointSlice, ns) {
        return State::well("");
    }
    match (ready, all.len()) {
        (0, 0) if selects_nothing(index, service) => State::ill("selects no pod"),
        (0, 0) => State::ill("no endpoints"),
        (r, n) if r == n => State::well(words::count(n, "endpoint")),
        (r, n) => State::ill(format!("{r} of {n} ready")),
    }
}

fn selects_nothing(index: &Index, service: &Service) -> bool {
    let (ns, selector) = (service.metadata.namespace.as_deref(), &service.spec.selector);
    !selector.is_empty()
        && index.knows(Kind::Pod, ns)
        && !index.in_namespace(Kind::Pod, ns.unwrap_or("")).any(|p| has_all(&p.meta().labels, selector))
}
