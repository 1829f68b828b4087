//! The object graph: what refers to what, derived from the index. Names and keys only, never a value.
//!
//! [`neighbours`] answers for one object, in both directions. [`around`] cuts out the few objects around a fault that
//! a person should see together: what causes it, what it breaks, the way between them, and what stands next to it.

mod around;
mod edge;
mod fold;
mod reach;
mod state;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::object::ObjectRef;

pub use around::{Seeds, around};
pub use edge::neighbours;

/// More than this nobody takes in at a glance.
pub const MOST_NODES: usize = 12;

macro_rules! relations {
    ($($(#[$doc:meta])* $name:ident, $word:literal, $says:literal;)+) => {
        /// How one object refers to another. The order is that of their weight for what is shown first.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Relation { $($(#[$doc])* $name),+ }

        impl Relation {
            /// Beside the line of a drawing: `selects`.
            pub fn word(self) -> &'static str { match self { $(Relation::$name => $word),+ } }
            /// In a sentence; `#` stands for the detail, `@` for the other object: `sends # to @`.
            fn says(self) -> &'static str { match self { $(Relation::$name => $says),+ } }
        }
    };
}

relations! {
    /// Owner → what it made.
    Owns, "owns", "owns @";
    /// Ingress or HTTPRoute → Service; the detail is host, path and port.
    SendsTo, "sends to", "sends # to @";
    /// Service → the pods its selector finds, and the workloads that make such pods.
    Selects, "selects", "selects @";
    /// Service → the workload that was meant, where the selector finds none of its pods.
    SelectsNone, "selects none of", "selects no pod of @";
    /// Pod → the node it cannot be placed on.
    WaitsFor, "waits for", "waits for @";
    /// Workload, pod or custom resource → what it cannot do without, where nothing says how it refers to it.
    Needs, "needs", "needs @";
    /// Argo CD Application, Flux Kustomization or HelmRelease, or the Secret of a Helm release → what it put there.
    Deploys, "deploys", "deploys @";
    /// Certificate, ExternalSecret or SealedSecret → the Secret it is made into.
    Makes, "makes", "makes @";
    /// Workload or pod → ConfigMap, Secret or claim as files; the detail is the keys.
    Mounts, "mounts", "mounts # from @";
    /// Workload or pod → ConfigMap or Secret as environment; the detail is the keys.
    Reads, "reads", "reads # from @";
    /// Workload or pod → the Service whose name stands in its environment or arguments; the detail is the host.
    NamesHost, "names host", "names the host # of @";
    /// Pod → node.
    RunsOn, "runs on", "runs on @";
    /// Claim → volume.
    BoundTo, "bound to", "is bound to @";
    /// HTTPRoute → Gateway.
    AttachesTo, "attaches to", "attaches to @";
    /// Service → the slice that holds its addresses.
    ListsIn, "endpoints in", "has its endpoints in @";
    /// Slice → the pod behind an address; the detail says whether it is ready.
    Lists, "lists", "lists @ #";
    /// Service of type ExternalName → the name it stands for.
    StandsFor, "stands for", "stands for @";
    /// Webhook or aggregated API → the Service that the API server calls.
    Calls, "calls", "calls @";
    /// Autoscaler → what it scales.
    Scales, "scales", "scales @";
    /// NetworkPolicy → the pods it restricts; the detail is the direction.
    Restricts, "restricts", "restricts # of @";
    /// NetworkPolicy → the pods whose traffic it lets in.
    LetsIn, "lets in", "lets in traffic from @";
    /// NetworkPolicy → the pods it lets traffic out to.
    LetsOut, "lets out to", "lets out traffic to @";
    /// Disruption budget → the pods it protects.
    Protects, "protects", "protects @";
    /// Quota or limit range → the workloads of its namespace.
    Limits, "limits", "limits @";
    /// StatefulSet → the Service that names its pods.
    NamedBy, "named by", "has its pods named by @";
    /// Workload, pod or service account → the Secret images are pulled with.
    PullsWith, "pulls with", "pulls its images with @";
    /// Ingress or Gateway → the Secret with its certificate; the detail is the host names.
    Certificate, "certificate", "has its certificate # in @";
    /// Workload or pod → its service account.
    RunsAs, "runs as", "runs as @";
    /// Binding → who gets the rights.
    GrantsTo, "grants to", "grants rights to @";
    /// Binding → the role.
    Grants, "grants", "grants @";
    /// Claim or volume → storage class; Ingress → its class; Gateway → its class.
    OfClass, "of class", "is of @";
    /// Volume → the node it lies on.
    LiesOn, "lies on", "can only be used on @";
    /// Volume → the claim it is kept for.
    KeptFor, "kept for", "is kept for @";
    /// Workload or pod → priority class.
    Priority, "priority", "has the priority of @";
}

/// One reference between two objects. The uid of an end is that of its present lifetime, none where it is not there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    pub relation: Relation,
    pub from: ObjectRef,
    pub to: ObjectRef,
    /// Which key, path, host or direction: a few words.
    pub detail: Option<String>,
}

impl Edge {
    /// The end that is not this object.
    pub fn other(&self, object: &ObjectRef) -> &ObjectRef {
        if self.from.same_name(object) { &self.to } else { &self.from }
    }
}

/// Why an object is in the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Somebody must change it.
    Cause,
    /// The workload hit.
    Subject,
    /// It shows the trouble.
    Symptom,
    /// It should be there and is not, and is not the cause itself.
    Missing,
    /// It stands between or next to the others.
    Beside,
}

/// An object in the picture, or the pods of one workload as one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphNode {
    /// Of several pods, the first that is not well.
    pub object: ObjectRef,
    pub role: Role,
    /// How it stands, in a few words: `0 of 3 ready`; empty where there is nothing to say.
    pub state: String,
    /// How many pods it stands for; 1 for everything else.
    pub count: u32,
    /// The workload of the pods it stands for.
    pub owner: Option<ObjectRef>,
    /// Something is wrong with it by its own state.
    pub ill: bool,
    /// It is known not to be there.
    pub missing: bool,
}

impl GraphNode {
    /// `Service web`, `3 pods of web`.
    pub fn label(&self) -> String {
        match &self.owner {
            Some(owner) if self.is_several() => {
                format!("{} of {}", crate::words::count(self.count as usize, "pod"), owner.name)
            }
            _ if self.object.kind == "External" => self.object.name.clone(),
            _ => self.object.to_string(),
        }
    }

    /// It stands for the pods of a workload, of which there is not exactly one.
    fn is_several(&self) -> bool {
        self.owner.is_some() && self.count != 1
    }
}

/// A reference between two nodes of the picture, by their place in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphEdge {
    pub from: u32,
    pub to: u32,
    pub relation: Relation,
    pub detail: Option<String>,
    /// The fault lies in this reference: it leads nowhere, or to the wrong place.
    pub broken: bool,
}

/// The few objects around a fault, as they stood at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    pub at: Timestamp,
    /// The cause first, then what it breaks, then what stands beside.
    pub nodes: Vec<GraphNode>,
    pub edges: Vec<GraphEdge>,
    /// Objects that stand next to these and are not shown.
    pub left_out: u32,
}

impl Graph {
    /// One edge as a sentence without its full stop: `Ingress front sends / to Service web`.
    pub fn sentence(&self, edge: &GraphEdge) -> String {
        let node = |i: u32| self.nodes.get(i as usize);
        let name = |i: u32| node(i).map(GraphNode::label).unwrap_or_default();
        let says = edge.relation.says();
        let says = match edge.detail.as_deref().filter(|d| !d.is_empty()) {
            Some(detail) => says.replace('#', detail),
            None => says.replace("# from ", "").replace("# of ", "").replace("# ", "").replace(" #", ""),
        };
        let (verb, rest) = says.split_once(' ').unwrap_or((&says, ""));
        let verb = match (node(edge.from).is_some_and(GraphNode::is_several), verb) {
            (false, verb) => verb,
            (true, "has") => "have",
            (true, "is") => "are",
            (true, verb) => verb.strip_suffix('s').unwrap_or(verb),
        };
        format!("{} {verb} {}", name(edge.from), rest.replace('@', &name(edge.to)))
    }
}
