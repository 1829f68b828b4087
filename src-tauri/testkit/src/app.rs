//! A workload with what it owns.

use afterwatch_core::object::{Kind, Object};
use serde_json::{Value, json};

use crate::{at, merge, object};

/// A workload: its pod specification, its revision, its replicas. The pods have one container, `app`, and run on
/// `node-a`.
#[derive(Clone, Debug)]
pub struct App {
    kind: Kind,
    pub namespace: String,
    pub name: String,
    replicas: i32,
    spec: Value,
    revision: u32,
    revised: i64,
}

impl App {
    /// A Deployment: `App::deployment("shop/checkout")`.
    pub fn deployment(path: &str) -> App {
        App::of(Kind::Deployment, path)
    }

    /// A workload of any kind that has pods; `Kind::Pod` for pods without an owner.
    pub fn of(kind: Kind, path: &str) -> App {
        let (namespace, name) = path.split_once('/').unwrap_or_else(|| panic!("{path}: write `namespace/name`"));
        App {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            replicas: 1,
            spec: json!({"nodeName": "node-a", "containers": [{"name": "app", "image": format!("registry.test/{name}:1")}]}),
            revision: 1,
            revised: -3600,
        }
    }

    /// As many pods as this.
    pub fn replicas(mut self, n: i32) -> App {
        self.replicas = n;
        self
    }

    /// Fields of the pod specification.
    pub fn spec(mut self, fields: Value) -> App {
        merge(&mut self.spec, &fields);
        self
    }

    /// Fields of the container `app`.
    pub fn container(mut self, fields: Value) -> App {
        merge(&mut self.spec["containers"][0], &fields);
        self
    }

    /// The next revision, made then: pods and ReplicaSets made from now on belong to it.
    pub fn revise(mut self, when: i64, container: Value) -> App {
        self.revision += 1;
        self.revised = when;
        self.container(container)
    }

    /// The workload itself, with more fields laid over it.
    pub fn top(&self, fields: Value) -> Object {
        let labels = json!({"app": self.name});
        let mut template_spec = self.spec.clone();
        merge(&mut template_spec, &json!({"nodeName": null}));
        let template = json!({"metadata": {"labels": labels}, "spec": template_spec});
        let spec = match self.kind {
            Kind::CronJob => json!({"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": template}}}),
            Kind::Job => json!({"template": template}),
            _ => json!({"replicas": self.replicas, "selector": {"matchLabels": labels}, "template": template}),
        };
        let mut value = json!({"metadata": {"labels": labels}, "spec": spec});
        merge(&mut value, &fields);
        object(&format!("{} {}/{}", self.kind, self.namespace, self.name), value)
    }

    /// What stands between workload and pods: the ReplicaSet of the present revision, or a CronJob's Job.
    pub fn between(&self, fields: Value) -> Option<Object> {
        let kind = match self.kind {
            Kind::Deployment => "ReplicaSet",
            Kind::CronJob => "Job",
            _ => return None,
        };
        let top = self.top(json!({})).reference();
        let mut template_spec = self.spec.clone();
        merge(&mut template_spec, &json!({"nodeName": null}));
        let mut value = json!({
            "metadata": {
                "labels": {"app": self.name},
                "creationTimestamp": at(self.revised),
                "annotations": {"deployment.kubernetes.io/revision": self.revision.to_string()},
                "ownerReferences": [{"apiVersion": top.api_version, "kind": top.kind, "name": top.name, "uid": top.uid, "controller": true}],
            },
            "spec": {
                "replicas": self.replicas,
                "template": {"metadata": {"labels": {"app": self.name, "pod-template-hash": self.revision.to_string()}}, "spec": template_spec},
            },
            "status": {"replicas": self.replicas},
        });
        if kind == "Job" {
            merge(&mut value, &json!({"spec": {"replicas": null}, "status": null}));
        }
        merge(&mut value, &fields);
        Some(object(&format!("{kind} {}/{}-r{}", self.namespace, self.name, self.revision), value))
    }

    /// The workload and what stands between it and its pods.
    pub fn objects(&self) -> Vec<Object> {
        if self.kind == Kind::Pod {
            return Vec::new();
        }
        [self.top(json!({}))].into_iter().chain(self.between(json!({}))).collect()
    }

    /// A pod of the present revision: `checkout-r1-a` for the suffix `a`.
    pub fn pod(&self, suffix: &str, status: Value) -> Object {
        self.pod_with(suffix, status, json!({}))
    }

    /// The same with more fields laid over it.
    pub fn pod_with(&self, suffix: &str, status: Value, fields: Value) -> Object {
        let owner = match self.kind {
            Kind::Pod => None,
            _ => Some(self.between(json!({})).unwrap_or_else(|| self.top(json!({}))).reference()),
        };
        let name = match (&owner, self.kind) {
            (None, _) => self.name.clone(),
            (Some(o), Kind::StatefulSet | Kind::DaemonSet | Kind::Job) => format!("{}-{suffix}", o.name),
            (Some(o), _) => format!("{}-{suffix}", o.name),
        };
        let mut value = json!({
            "metadata": {"labels": {"app": self.name, "pod-template-hash": self.revision.to_string()}, "creationTimestamp": at(self.revised)},
            "spec": self.spec,
            "status": status,
        });
        if let Some(o) = owner {
            value["metadata"]["ownerReferences"] = json!([{"apiVersion": o.api_version, "kind": o.kind, "name": o.name, "uid": o.uid, "controller": true}]);
        }
        // A pod that waits for a node has none.
        if value["status"]["conditions"][0]["reason"] == "Unschedulable" {
            merge(&mut value["spec"], &json!({"nodeName": null}));
        }
        merge(&mut value, &fields);
        object(&format!("Pod {}/{name}", self.namespace), value)
    }

    /// A Service in front of it: port 80 leads to port 8080 of the pods.
    pub fn service(&self, fields: Value) -> Object {
        let mut value = json!({"spec": {
            "clusterIP": "10.0.0.7",
            "selector": {"app": self.name},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
        }});
        merge(&mut value, &fields);
        object(&format!("Service {}/{}", self.namespace, self.name), value)
    }

    /// The Service's endpoints: an address with its readiness each.
    pub fn endpoints(&self, ready: &[bool]) -> Object {
        let endpoints: Vec<Value> = ready
            .iter()
            .enumerate()
            .map(|(i, ready)| json!({"addresses": [format!("10.1.0.{}", i + 1)], "conditions": {"ready": ready}}))
            .collect();
        let value = json!({
            "metadata": {"labels": {"kubernetes.io/service-name": self.name}},
            "endpoints": endpoints,
            "ports": [{"name": "http", "port": 8080}],
        });
        object(&format!("EndpointSlice {}/{}-1", self.namespace, self.name), value)
    }
}
