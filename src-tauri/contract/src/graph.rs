//! The objects around a fault, as the window draws and tells them.

use afterwatch_core::graph::{Graph, GraphEdge, GraphNode};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::document::{ObjectRefDto, word};

/// The few objects around a fault, as they stood at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct GraphDto {
    pub at: String,
    /// The cause first, then what it breaks, then what stands beside.
    pub nodes: Vec<GraphNodeDto>,
    pub edges: Vec<GraphEdgeDto>,
    /// Objects next to these that are not shown.
    pub left_out: u32,
}

/// An object, or the pods of one workload as one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct GraphNodeDto {
    /// Of several pods, the first that is not well.
    pub object: ObjectRefDto,
    /// The workload of the pods it stands for.
    pub owner: Option<ObjectRefDto>,
    /// `cause`, `subject`, `symptom`, `missing` or `beside`.
    pub role: String,
    /// `Service web`, `3 pods of web`.
    pub label: String,
    /// How it stood, in a few words; may be empty.
    pub state: String,
    /// How many pods it stands for; 1 for everything else.
    pub count: u32,
    /// Something is wrong with it by its own state.
    pub ill: bool,
    /// It is known not to be there.
    pub missing: bool,
}

/// A reference between two nodes, by their place in the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct GraphEdgeDto {
    pub from: u32,
    pub to: u32,
    /// `owns`, `selects`, `sends_to`, ….
    pub relation: String,
    /// Beside the line.
    pub word: String,
    /// As a sentence without its full stop: `Ingress front sends / to Service web`.
    pub sentence: String,
    /// The fault lies in this reference.
    pub broken: bool,
}

impl From<&Graph> for GraphDto {
    fn from(graph: &Graph) -> GraphDto {
        let edge = |e: &GraphEdge| GraphEdgeDto {
            from: e.from,
            to: e.to,
            relation: word(&e.relation),
            word: e.relation.word().to_owned(),
            sentence: graph.sentence(e),
            broken: e.broken,
        };
        GraphDto {
            at: graph.at.to_string(),
            nodes: graph.nodes.iter().map(Into::into).collect(),
            edges: graph.edges.iter().map(edge).collect(),
            left_out: graph.left_out,
        }
    }
}

impl From<&GraphNode> for GraphNodeDto {
    fn from(n: &GraphNode) -> GraphNodeDto {
        GraphNodeDto {
            object: (&n.object).into(),
            owner: n.owner.as_ref().map(Into::into),
            role: word(&n.role),
            label: n.label(),
            state: n.state.clone(),
            count: n.count,
            ill: n.ill,
            missing: n.missing,
        }
    }
}

#[cfg(test)]
mod tests {
    use afterwatch_core::{
        Timestamp,
        graph::{Relation, Role},
        object::{Kind, ObjectRef},
    };

    use super::*;

    fn node(kind: Kind, name: &str, role: Role) -> GraphNode {
        let object = ObjectRef::missing(kind, Some("shop"), name);
        GraphNode { object, owner: None, role, state: String::new(), count: 1, ill: false, missing: false }
    }

    #[test]
    fn the_window_is_told_names_words_and_sentences() {
        let owner = ObjectRef::missing(Kind::Deployment, Some("shop"), "web");
        let pods = GraphNode {
            owner: Some(owner),
            count: 3,
            state: "2 not ready".into(),
            ill: true,
            ..node(Kind::Pod, "web-a", Role::Symptom)
        };
        let missing = GraphNode { missing: true, ..node(Kind::ConfigMap, "settings", Role::Cause) };
        let graph = Graph {
            at: Timestamp::UNIX_EPOCH,
            nodes: vec![missing, pods],
            edges: vec![GraphEdge {
                from: 1,
                to: 0,
                relation: Relation::Reads,
                detail: Some("LEVEL".into()),
                broken: true,
            }],
            left_out: 4,
        };
        let told = serde_json::to_value(GraphDto::from(&graph)).expect("JSON");
        assert_eq!(told["at"], "1970-01-01T00:00:00Z");
        assert_eq!(told["left_out"], 4);
        assert_eq!((&told["nodes"][0]["role"], &told["nodes"][0]["missing"]), (&"cause".into(), &true.into()));
        assert_eq!((&told["nodes"][1]["label"], &told["nodes"][1]["count"]), (&"3 pods of web".into(), &3.into()));
        assert_eq!(
            told["edges"][0],
            serde_json::json!({
                "from": 1, "to": 0, "relation": "reads", "word": "reads", "broken": true,
                "sentence": "3 pods of web read LEVEL from ConfigMap settings",
            })
        );
    }
}
