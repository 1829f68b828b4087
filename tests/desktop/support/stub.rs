//! A Kubernetes API server on loopback, small enough to read: lists, watches, access reviews that allow everything,
//! logs. Objects are given as JSON and may change while they are watched.
//!
//! It checks nothing and stores what it is given; a test that depends on what a real API server does belongs to
//! `tests/cluster`.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream, tcp::OwnedWriteHalf},
    sync::watch,
};

/// Where an object lives: its collection (`/apis/apps/v1/deployments`), namespace and name.
type Key = (String, String, String);

/// The running server; it ends with this.
pub struct Stub {
    pub url: String,
    world: Arc<World>,
    accepting: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct World {
    state: Mutex<State>,
    /// The newest version, for those who watch.
    version: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    version: u64,
    objects: BTreeMap<Key, Value>,
    /// Everything that happened, for watches that begin at an older version.
    history: Vec<(u64, Key, &'static str, Value)>,
    logs: HashMap<(String, String, String, bool), String>,
}

impl World {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Stub {
    /// A server with nothing in it but the namespaces every cluster has.
    pub async fn start() -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let world = Arc::new(World::default());
        let serving = Arc::clone(&world);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let world = Arc::clone(&serving);
                // A client that went away is no concern of the others.
                tokio::spawn(async move { serve(stream, &world).await.ok() });
            }
        });
        let stub = Stub { url, world, accepting };
        for name in ["kube-system", "default"] {
            stub.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
        }
        stub
    }

    /// A kubeconfig whose current context `name` is this server.
    pub fn kubeconfig(&self, name: &str) -> String {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": name,
            "clusters": [{"name": name, "cluster": {"server": self.url}}],
            "users": [{"name": "mara", "user": {"token": "stub-token"}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": "mara"}}],
        })
        .to_string()
    }

    /// Adds or replaces an object; who watches it is told. Version, uid and creation time are filled in.
    pub fn put(&self, mut object: Value) {
        let key = key(&object);
        let mut state = self.world.state();
        state.version += 1;
        let version = state.version;
        let before = state.objects.get(&key);
        let meta = object["metadata"].as_object_mut().expect("an object has metadata");
        meta.insert("resourceVersion".into(), json!(version.to_string()));
        for (field, fresh) in [("uid", json!(uid(&key))), ("creationTimestamp", json!("2026-11-12T02:00:00Z"))] {
            let kept = before.map_or(fresh, |b| b["metadata"][field].clone());
            meta.entry(field).or_insert(kept);
        }
        let what = if before.is_some() { "MODIFIED" } else { "ADDED" };
        state.history.push((version, key.clone(), what, object.clone()));
        state.objects.insert(key, object);
        drop(state);
        self.world.version.send_replace(version);
    }

    /// The uid that an object has here, whether it is there yet or not.
    pub fn uid(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> String {
        uid(&(collection(api_version, kind), namespace.to_owned(), name.to_owned()))
    }

    /// What a container wrote; `previous` is its last life.
    pub fn log(&self, namespace: &str, pod: &str, container: &str, previous: bool, text: &str) {
        let key = (namespace.to_owned(), pod.to_owned(), container.to_owned(), previous);
        self.world.state().logs.insert(key, text.to_owned());
    }
}

fn key(object: &Value) -> Key {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let meta = &object["metadata"];
    let collection = collection(&text(&object["apiVersion"]), &text(&object["kind"]));
    (collection, text(&meta["namespace"]), text(&meta["name"]))
}

fn collection(api_version: &str, kind: &str) -> String {
    let kind = kind.to_lowercase();
    let plural = match kind.as_bytes().last() {
        Some(b's') => format!("{kind}es"),
        Some(b'y') => format!("{}ies", &kind[..kind.len() - 1]),
        _ => format!("{kind}s"),
    };
    if api_version.contains('/') {
        format!("/apis/{api_version}/{plural}")
    } else {
        format!("/api/{api_version}/{plural}")
    }
}

/// The same for the same object, so that a test may name it.
fn uid(key: &Key) -> String {
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for byte in format!("{key:?}").bytes() {
        hash = (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    let hex = format!("{hash:032x}");
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

/// A request, as far as it matters here.
struct Request {
    method: String,
    path: String,
    query: HashMap<String, String>,
    metadata_only: bool,
    body: Value,
}

async fn serve(stream: TcpStream, world: &World) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    while let Some(request) = next(&mut read).await? {
        if request.query.get("watch").is_some_and(|v| v == "true" || v == "1") {
            return follow(&mut write, world, &request).await;
        }
        let (status, kind, body) = answer(world, &request);
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
        write.write_all(head.as_bytes()).await?;
        write.write_all(body.as_bytes()).await?;
    }
    Ok(())
}

async fn next(read: &mut (impl AsyncBufReadExt + Unpin)) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if read.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (mut length, mut metadata_only) = (0, false);
    loop {
        line.clear();
        if read.read_line(&mut line).await? == 0 || line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "accept" => metadata_only = value.contains("as=PartialObjectMetadata"),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    read.read_exact(&mut body).await?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let query = query.split('&').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned()));
    Ok(Some(Request {
        method,
        path: path.to_owned(),
        query: query.collect(),
        metadata_only,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    }))
}

fn answer(world: &World, request: &Request) -> (&'static str, &'static str, String) {
    const JSON: &str = "application/json";
    let path = request.path.as_str();
    if path == "/version" {
        return ("200 OK", JSON, json!({"major": "1", "minor": "33", "gitVersion": "v1.33.2"}).to_string());
    }
    if request.method == "POST" && path.ends_with("/selfsubjectaccessreviews") {
        let mut review = request.body.clone();
        review["status"] = json!({"allowed": true});
        return ("201 Created", JSON, review.to_string());
    }
    let state = world.state();
    let Some(place) = Place::parse(path) else { return missing(path) };
    if place.subresource.as_deref() == Some("log") {
        let name = place.name.unwrap_or_default();
        let container = request.query.get("container").cloned().unwrap_or_default();
        let previous = request.query.get("previous").is_some_and(|v| v == "true");
        return match state.logs.get(&(place.namespace.clone(), name.clone(), container.clone(), previous)) {
            Some(log) => ("200 OK", "text/plain", log.clone()),
            None => {
                let message = format!("previous terminated container \"{container}\" in pod \"{name}\" not found");
                ("400 Bad Request", JSON, failure(400, "BadRequest", &message))
            }
        };
    }
    match &place.name {
        Some(name) => match state.objects.get(&(place.collection, place.namespace, name.clone())) {
            Some(object) => ("200 OK", JSON, reduced(object, request.metadata_only).to_string()),
            None => missing(path),
        },
        None => {
            let here =
                |key: &Key| key.0 == place.collection && (place.namespace.is_empty() || key.1 == place.namespace);
            let items: Vec<Value> = state
                .objects
                .iter()
                .filter(|(k, _)| here(k))
                .map(|(_, o)| bare(reduced(o, request.metadata_only)))
                .collect();
            let list = json!({
                "kind": "List", "apiVersion": "v1",
                "metadata": {"resourceVersion": state.version.to_string()}, "items": items,
            });
            ("200 OK", JSON, list.to_string())
        }
    }
}

fn missing(path: &str) -> (&'static str, &'static str, String) {
    ("404 Not Found", "application/json", failure(404, "NotFound", &format!("{path} not found")))
}

fn failure(code: u16, reason: &str, message: &str) -> String {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message})
        .to_string()
}

/// What the metadata-only form of an answer holds.
fn reduced(object: &Value, metadata_only: bool) -> Value {
    if !metadata_only {
        return object.clone();
    }
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

/// Items of a list do not say what they are.
fn bare(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    object
}

/// What a path names.
struct Place {
    collection: String,
    namespace: String,
    name: Option<String>,
    subresource: Option<String>,
}

impl Place {
    fn parse(path: &str) -> Option<Place> {
        let words: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (base, rest) = match *words.first()? {
            "api" => words.split_at_checked(2)?,
            "apis" => words.split_at_checked(3)?,
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let mut rest = rest.iter().map(|word| (*word).to_owned());
        Some(Place {
            collection: format!("/{}/{}", base.join("/"), rest.next()?),
            namespace: namespace.to_owned(),
            name: rest.next(),
            subresource: rest.next(),
        })
    }
}

/// A watch: what happened since the version that was named, then what happens.
async fn follow(write: &mut OwnedWriteHalf, world: &World, request: &Request) -> std::io::Result<()> {
    let Some(place) = Place::parse(&request.path) else { return Ok(()) };
    let mut seen: u64 = request.query.get("resourceVersion").and_then(|v| v.parse().ok()).unwrap_or(0);
    let mut newest = world.version.subscribe();
    write.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
    loop {
        let (lines, version) = {
            let state = world.state();
            let here =
                |key: &Key| key.0 == place.collection && (place.namespace.is_empty() || key.1 == place.namespace);
            let from = state.history.partition_point(|(version, ..)| *version <= seen);
            let lines: Vec<String> = state.history[from..]
                .iter()
                .filter(|(_, key, ..)| here(key))
                .map(|(_, _, what, object)| {
                    json!({"type": what, "object": reduced(object, request.metadata_only)}).to_string()
                })
                .collect();
            (lines, state.version)
        };
        seen = version;
        for line in lines {
            chunk(write, &line).await?;
        }
        // Bookmarks say that the stream lives, as the real server's do.
        if tokio::time::timeout(Duration::from_secs(20), newest.wait_for(|v| *v > seen)).await.is_err() {
            let bookmark = json!({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": seen.to_string()}}});
            chunk(write, &bookmark.to_string()).await?;
        }
    }
}

async fn chunk(write: &mut OwnedWriteHalf, line: &str) -> std::io::Result<()> {
    write.write_all(format!("{:x}\r\n{line}\n\r\n", line.len() + 1).as_bytes()).await
}
