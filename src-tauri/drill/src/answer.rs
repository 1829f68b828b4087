//! What the API server of the story answers. Pure: the same world gives the same answer.

use std::collections::BTreeMap;

use afterwatch_core::object::Kind;
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    discovery,
    select::Selector,
    world::{Extension, Scope, World, extension_name},
};

/// One request, as far as it matters.
#[derive(Debug)]
pub(crate) struct Ask {
    pub method: Method,
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub accept: String,
    pub body: Vec<u8>,
}

impl Ask {
    pub fn asked(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    fn flag(&self, name: &str) -> bool {
        matches!(self.asked(name), "true" | "1")
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.asked(name).parse().ok()
    }

    /// Only the metadata of objects is wanted.
    fn outline(&self) -> bool {
        self.accept.split(',').next().is_some_and(|first| first.contains("as=PartialObjectMetadata"))
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) enum Answer {
    Json(StatusCode, Value),
    Text(String),
    Watch(Watch),
}

/// A watch that was asked for.
#[derive(Debug)]
pub(crate) struct Watch {
    pub scope: Scope,
    /// The newest version that whoever watches has seen.
    pub version: u64,
    /// Tell what is there before.
    pub from_scratch: bool,
    pub bookmarks: bool,
    pub outline: bool,
    pub seconds: Option<u64>,
}

/// Answers a request at this moment of the story.
pub(crate) fn answer(world: &World, ask: &Ask, now: Timestamp) -> Answer {
    let parts: Vec<&str> = ask.path.split('/').filter(|p| !p.is_empty()).collect();
    if ask.method == Method::POST {
        return match parts.as_slice() {
            ["apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews"] => review(world, &ask.body),
            _ => refused(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "a drill is only looked at"),
        };
    }
    if ask.method != Method::GET {
        return refused(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "a drill is only looked at");
    }
    match parts.as_slice() {
        ["version"] => ok(discovery::version(world.server())),
        ["readyz" | "livez" | "healthz", ..] => Answer::Text("ok".to_owned()),
        ["api"] => ok(discovery::versions()),
        ["apis"] => ok(discovery::groups(world)),
        ["apis", group] => discovery::group(group, world).map_or_else(|| missing(&ask.path), ok),
        ["api", "v1"] => discovery::resources("v1", world).map_or_else(|| missing(&ask.path), ok),
        ["apis", group, version] => {
            discovery::resources(&format!("{group}/{version}"), world).map_or_else(|| missing(&ask.path), ok)
        }
        ["api", "v1", rest @ ..] => objects(world, ask, "v1", rest, now),
        ["apis", group, version, rest @ ..] => objects(world, ask, &format!("{group}/{version}"), rest, now),
        _ => missing(&ask.path),
    }
}

fn objects(world: &World, ask: &Ask, api: &str, rest: &[&str], now: Timestamp) -> Answer {
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some(*namespace), rest),
        rest => (None, rest),
    };
    let plural = rest.first().copied().unwrap_or_default();
    let extension = world.extensions().into_iter().find(|e| e.api_version == api && e.resource == plural);
    let kind = match extension {
        Some(_) => Some(Kind::CustomResource).filter(|k| world.serves(*k)),
        None => {
            let mut all = Kind::ALL.iter().copied().filter(|k| !k.api_version().is_empty());
            all.find(|k| k.api_version() == api && k.plural() == plural && world.serves(*k))
        }
    };
    let Some(kind) = kind else { return missing(&ask.path) };
    if let Some(words) = world.refusal(kind, namespace) {
        let (verb, place) =
            ("list", namespace.map_or("at the cluster scope".to_owned(), |n| format!("in the namespace \"{n}\"")));
        let words =
            if words.is_empty() { format!("{} is forbidden: cannot {verb} it {place}", kind.plural()) } else { words };
        return refused(StatusCode::FORBIDDEN, "Forbidden", &words);
    }
    match rest {
        [_] if ask.flag("watch") => watch(world, ask, scope(ask, kind, extension, namespace)),
        [_] => list(world, ask, &scope(ask, kind, extension, namespace)),
        [_, name] => match world.object(kind, namespace.unwrap_or_default(), &stands_at(extension.as_ref(), name)) {
            Some(object) if ask.outline() => ok(outline(object)),
            Some(object) => ok((**object).clone()),
            None => no_object(kind, name),
        },
        ["pods", name, "log"] => log(world, ask, namespace.unwrap_or_default(), name, now),
        _ => missing(&ask.path),
    }
}

/// Under which name an object lies.
fn stands_at(extension: Option<&Extension>, name: &str) -> String {
    extension.map_or_else(|| name.to_owned(), |e| extension_name(&e.api_version, &e.resource, name))
}

fn scope(ask: &Ask, kind: Kind, extension: Option<Extension>, namespace: Option<&str>) -> Scope {
    let selector = Selector::parse(ask.asked("labelSelector"), ask.asked("fieldSelector"));
    Scope { kind, extension, namespace: namespace.map(str::to_owned), selector }
}

fn list(world: &World, ask: &Ask, scope: &Scope) -> Answer {
    let (api, kind) = match &scope.extension {
        Some(e) => (e.api_version.as_str(), e.kind.as_str()),
        None => (scope.kind.api_version(), scope.kind.as_str()),
    };
    // The version of the first page holds for all: what changed between two pages is told to whoever watches from it.
    let (version, behind) = match ask.asked("continue").splitn(3, '/').collect::<Vec<_>>().as_slice() {
        [version, namespace, name] => match version.parse::<u64>() {
            Ok(version) if version <= world.now() => (version, Some(((*namespace).to_owned(), (*name).to_owned()))),
            _ => return expired(),
        },
        _ => (world.now(), None),
    };
    let limit = ask.number("limit").filter(|l| *l > 0).unwrap_or(usize::MAX);
    let mut found = world.list(scope, behind);
    let (mut items, mut last) = (Vec::new(), None);
    for (key, object) in found.by_ref().take(limit) {
        items.push(if ask.outline() { outline(object) } else { (**object).clone() });
        last = Some(key);
    }
    let next = match (found.next(), last) {
        (Some(_), Some((_, namespace, name))) => format!("{version}/{namespace}/{name}"),
        _ => String::new(),
    };
    let (api, name) = match ask.outline() {
        true => ("meta.k8s.io/v1", "PartialObjectMetadataList".to_owned()),
        false => (api, format!("{kind}List")),
    };
    ok(json!({
        "apiVersion": api, "kind": name,
        "metadata": {"resourceVersion": version.to_string(), "continue": next}, "items": items,
    }))
}

fn watch(world: &World, ask: &Ask, scope: Scope) -> Answer {
    let from_scratch = matches!(ask.asked("resourceVersion"), "" | "0");
    let version = match ask.asked("resourceVersion").parse::<u64>() {
        Ok(version) if version <= world.now() => version,
        // A version that this world never had: of a drill before this one.
        Ok(_) => return expired(),
        Err(_) if from_scratch => world.now(),
        Err(_) => return refused(StatusCode::BAD_REQUEST, "BadRequest", "invalid resource version"),
    };
    Answer::Watch(Watch {
        scope,
        version: if from_scratch { world.now() } else { version },
        from_scratch,
        bookmarks: ask.flag("allowWatchBookmarks"),
        outline: ask.outline(),
        seconds: ask.asked("timeoutSeconds").parse().ok(),
    })
}

fn log(world: &World, ask: &Ask, namespace: &str, pod: &str, now: Timestamp) -> Answer {
    let container = match ask.asked("container") {
        "" => world.first_container(namespace, pod).unwrap_or_default(),
        named => named,
    };
    let previous = ask.flag("previous");
    let Some(log) = world.log(namespace, pod, container, previous, now) else {
        if previous {
            let words = format!("previous terminated container \"{container}\" in pod \"{pod}\" not found");
            return refused(StatusCode::BAD_REQUEST, "BadRequest", &words);
        }
        let words = format!("the recording holds no log of container {container} in pod {pod}");
        return refused(StatusCode::NOT_FOUND, "NotFound", &words);
    };
    if let Some(error) = &log.error {
        return refused(StatusCode::NOT_FOUND, "NotFound", error);
    }
    // Where lines were left out when it was recorded, the first that is asked for is not the first there was: as many
    // as are asked for tell so.
    let from = log.lines.len().saturating_sub(ask.number("tailLines").unwrap_or(usize::MAX));
    let mut text: String = log.lines[from..].iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    if let Some(limit) = ask.number("limitBytes").filter(|limit| *limit < text.len()) {
        let cut = (0..=limit).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(cut);
    }
    Answer::Text(text)
}

fn review(world: &World, body: &[u8]) -> Answer {
    let mut review: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let asked = &review["spec"]["resourceAttributes"];
    let text = |field: &str| asked[field].as_str().unwrap_or_default();
    let namespace = Some(text("namespace")).filter(|n| !n.is_empty());
    let read = matches!(text("verb"), "get" | "list" | "watch");
    let kind = Kind::ALL.iter().find(|k| k.group() == text("group") && k.plural() == text("resource"));
    let (allowed, reason) = match kind {
        _ if !read => (false, "a drill is only looked at".to_owned()),
        Some(kind) => match world.refusal(*kind, namespace) {
            // The words that were recorded say where and what themselves; the reason is what follows.
            Some(words) => (false, words.split_once(": ").map(|(_, why)| why.to_owned()).unwrap_or_default()),
            None => (true, String::new()),
        },
        None => (text("resource") == "*" && world.is_open(), String::new()),
    };
    if !review.is_object() {
        return refused(StatusCode::BAD_REQUEST, "BadRequest", "the review cannot be read");
    }
    review["status"] = json!({"allowed": allowed, "reason": reason});
    Answer::Json(StatusCode::CREATED, review)
}

/// Nothing but the metadata. Of a Secret that says who wrote which key.
pub(crate) fn outline(object: &Value) -> Value {
    let mut metadata = object["metadata"].clone();
    if let Some(keys) = object["keys"].as_array() {
        let data: Map<String, Value> =
            keys.iter().filter_map(Value::as_str).map(|k| (format!("f:{k}"), json!({}))).collect();
        let fields = json!({"f:data": data});
        match metadata["managedFields"].get_mut(0) {
            Some(first) => first["fieldsV1"] = fields,
            None => metadata["managedFields"] = json!([{"manager": "", "operation": "Update", "fieldsV1": fields}]),
        }
    }
    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata})
}

fn ok(value: Value) -> Answer {
    Answer::Json(StatusCode::OK, value)
}

fn missing(path: &str) -> Answer {
    refused(StatusCode::NOT_FOUND, "NotFound", &format!("the server could not find the requested resource ({path})"))
}

fn no_object(kind: Kind, name: &str) -> Answer {
    refused(StatusCode::NOT_FOUND, "NotFound", &format!("{} \"{name}\" not found", kind.plural()))
}

fn expired() -> Answer {
    refused(StatusCode::GONE, "Expired", "the provided resource version is not of this drill")
}

/// A refusal as the API server words it.
pub(crate) fn refused(status: StatusCode, reason: &str, message: &str) -> Answer {
    let code = status.as_u16();
    let value = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    Answer::Json(status, value)
}

#[cfg(test)]
mod tests {
    use afterwatch_core::recording::What;
    use jiff::SignedDuration;

    use super::*;

    fn world() -> World {
        let mut world = World::new(SignedDuration::ZERO, &[]);
        for name in ["a", "b", "c"] {
            let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop", "labels": {"app": name}}, "spec": {"containers": [{"name": "app"}]}});
            world.apply(&What::Put { object });
        }
        world.apply(&What::Refused {
            kind: Kind::Node,
            namespace: None,
            message: "not permitted to list nodes in the whole cluster: no role".into(),
        });
        world.apply(&What::Absent { kind: Kind::Ingress });
        world
    }

    fn get(target: &str) -> Ask {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query = query.split('&').filter_map(|p| p.split_once('=')).map(|(k, v)| (k.into(), v.into())).collect();
        Ask { method: Method::GET, path: path.into(), query, accept: "application/json".into(), body: Vec::new() }
    }

    fn json_of(target: &str) -> (u16, Value) {
        match answer(&world(), &get(target), Timestamp::MIN) {
            Answer::Json(status, value) => (status.as_u16(), value),
            other => panic!("{target}: {other:?}"),
        }
    }

    #[test]
    fn lists_come_in_pages_of_one_version() {
        let (_, first) = json_of("/api/v1/pods?limit=2");
        assert_eq!(first["items"].as_array().map(Vec::len), Some(2));
        let next = first["metadata"]["continue"].as_str().unwrap();
        let (_, second) = json_of(&format!("/api/v1/pods?limit=2&continue={next}"));
        assert_eq!(second["items"][0]["metadata"]["name"], "c");
        assert_eq!(
            (&second["metadata"]["continue"], &second["metadata"]["resourceVersion"]),
            (&json!(""), &first["metadata"]["resourceVersion"])
        );
        assert_eq!(json_of("/api/v1/namespaces/pay/pods").1["items"], json!([]));
        assert_eq!(json_of("/api/v1/pods?labelSelector=app=b").1["items"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn what_cannot_be_is_refused_as_a_server_would() {
        assert_eq!(json_of("/api/v1/nodes").0, 403);
        assert_eq!(json_of("/apis/networking.k8s.io/v1/ingresses").0, 404);
        assert_eq!(json_of("/api/v1/namespaces/shop/pods/none").0, 404);
        assert_eq!(json_of("/api/v1/pods?watch=true&resourceVersion=77777").0, 410);
        assert_eq!(json_of("/api/v1/namespaces/shop/pods/a/log").0, 404);
        let delete = Ask { method: Method::DELETE, ..get("/api/v1/namespaces/shop/pods/a") };
        assert!(matches!(answer(&world(), &delete, Timestamp::MIN), Answer::Json(StatusCode::METHOD_NOT_ALLOWED, _)));
    }

    #[test]
    fn kinds_of_extensions_are_discovered_and_listed_each_by_itself() {
        let mut world = world();
        for (api, name) in
            [("db.example.com/v1", "orders"), ("db.example.com/v1", "users"), ("example.org/v1", "other")]
        {
            let object = json!({"apiVersion": api, "kind": "Database", "resource": "databases", "metadata": {"name": name, "namespace": "shop"}});
            world.apply(&What::Put { object });
        }
        let of = |target: &str| match answer(&world, &get(target), Timestamp::MIN) {
            Answer::Json(status, value) => (status.as_u16(), value),
            other => panic!("{target}: {other:?}"),
        };
        let groups = of("/apis").1["groups"].to_string();
        assert!(groups.contains("db.example.com/v1") && groups.contains("example.org/v1"), "{groups}");
        let resources = of("/apis/db.example.com/v1").1["resources"].to_string();
        assert!(resources.contains("databases/status") && resources.contains("\"namespaced\":true"), "{resources}");
        let list = of("/apis/db.example.com/v1/databases?limit=1").1;
        assert_eq!(
            (list["kind"].as_str(), list["items"][0]["metadata"]["name"].as_str()),
            (Some("DatabaseList"), Some("orders"))
        );
        let next = list["metadata"]["continue"].as_str().unwrap();
        let rest = of(&format!("/apis/db.example.com/v1/namespaces/shop/databases?continue={next}")).1;
        assert_eq!(rest["items"].as_array().map(Vec::len), Some(1));
        assert_eq!(of("/apis/db.example.com/v1/namespaces/shop/databases/users").0, 200);
        assert_eq!(of("/apis/db.example.com/v1/queues").0, 404);
        assert_eq!(json_of("/apis/db.example.com/v1").0, 404, "where there are none the group is not known");
    }

    #[test]
    fn every_version_of_a_group_is_told_and_has_every_object() {
        let mut world = world();
        for (api, kind, resource) in [
            ("db.example.com/v1", "Database", "databases"),
            ("db.example.com/v1alpha1", "Backup", "backups"),
            ("db.example.com/v1alpha1", "Database", "databases"),
        ] {
            let name = format!("{kind}-{}", api.len());
            let object = json!({"apiVersion": api, "kind": kind, "resource": resource, "metadata": {"name": name.to_lowercase(), "namespace": "shop"}});
            world.apply(&What::Put { object });
        }
        let of = |target: &str| match answer(&world, &get(target), Timestamp::MIN) {
            Answer::Json(_, value) => value,
            other => panic!("{target}: {other:?}"),
        };
        let group = of("/apis/db.example.com");
        let versions: Vec<&str> =
            group["versions"].as_array().unwrap().iter().filter_map(|v| v["groupVersion"].as_str()).collect();
        assert_eq!(versions, ["db.example.com/v1", "db.example.com/v1alpha1"]);
        assert_eq!(group["preferredVersion"]["version"], "v1");
        let items = |target: &str| of(target)["items"].as_array().map(Vec::len);
        assert_eq!(items("/apis/db.example.com/v1alpha1/backups"), Some(1));
        assert_eq!(items("/apis/db.example.com/v1/databases"), Some(2));
    }

    #[test]
    fn rights_are_asked_about_as_they_were_recorded() {
        let asked = |verb: &str, group: &str, resource: &str| {
            let body = json!({"spec": {"resourceAttributes": {"verb": verb, "group": group, "resource": resource}}});
            let ask = Ask {
                method: Method::POST,
                body: body.to_string().into_bytes(),
                ..get("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
            };
            match answer(&world(), &ask, Timestamp::MIN) {
                Answer::Json(_, value) => (value["status"]["allowed"] == true, value["status"]["reason"].clone()),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(asked("list", "", "nodes"), (false, json!("no role")));
        assert_eq!(asked("watch", "", "pods"), (true, json!("")));
        assert!(!asked("list", "*", "*").0, "not everything may be read");
        assert!(!asked("delete", "", "pods").0);
    }
}
