//! A scripted API server on loopback, a kubeconfig for it, and a sink that remembers.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use afterwatch_cluster::{ClusterOptions, KubeCluster, Limits, load};
use afterwatch_core::{
    observation::{Connection, Fact, Observation},
    port::{BoxFuture, ObservationSink},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A request as the server saw it.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub method: String,
    /// With the query.
    pub path: String,
    pub head: String,
    pub body: String,
}

impl Request {
    pub fn is_watch(&self) -> bool {
        self.path.contains("watch=true")
    }

    /// A list or a watch of this resource.
    pub fn of(&self, plural: &str) -> bool {
        let path = self.path.split('?').next().unwrap_or_default();
        self.method == "GET" && path.ends_with(&format!("/{plural}"))
    }

    pub fn review(&self) -> Option<Value> {
        let body: Value = serde_json::from_str(&self.body).ok()?;
        body.pointer("/spec/resourceAttributes").cloned()
    }
}

/// What it answers.
pub enum Reply {
    Json(Value),
    Status(u16, &'static str),
    Text(u16, String),
    /// Lines of a watch; then the stream stays open, silent.
    Lines(Vec<Value>),
    /// Lines of a watch; then it ends as it should.
    LinesEnd(Vec<Value>),
    /// Takes the request and never answers.
    Hang,
}

type Script = dyn Fn(&Request) -> Option<Reply> + Send + Sync;

pub struct Stub {
    pub address: String,
    pub seen: Arc<Mutex<Vec<Request>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stub {
    /// A healthy, empty cluster, except for what the script answers itself.
    pub async fn start(script: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Stub {
        Stub::start_at(0, script).await
    }

    /// The same at this port.
    pub async fn start_at(port: u16, script: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Stub {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Script> = Arc::new(script);
        let log = seen.clone();
        let task = tokio::spawn(async move {
            // Ends with the listener: connections die with the server.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, script.clone(), log.clone()));
            }
        });
        Stub { address, seen, task }
    }

    /// Ends the server and every connection; returns when they are gone.
    pub async fn die(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    pub fn count(&self, wanted: impl Fn(&Request) -> bool) -> usize {
        self.seen.lock().unwrap().iter().filter(|r| wanted(r)).count()
    }
}

async fn serve(mut stream: TcpStream, script: Arc<Script>, log: Arc<Mutex<Vec<Request>>>) {
    let mut buffer = Vec::new();
    while let Some(request) = receive(&mut stream, &mut buffer).await {
        log.lock().unwrap().push(request.clone());
        let reply = script(&request).unwrap_or_else(|| healthy(&request));
        if !answer(&mut stream, reply).await {
            return;
        }
    }
}

async fn receive(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    let mut piece = [0u8; 4096];
    loop {
        if let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..at]).into_owned();
            let length =
                head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            let end = at + 4 + length.unwrap_or(0usize);
            if buffer.len() >= end {
                let body = String::from_utf8_lossy(&buffer[at + 4..end]).into_owned();
                buffer.drain(..end);
                let mut words = head.split(' ');
                let method = words.next().unwrap_or_default().to_owned();
                let path = words.next().unwrap_or_default().to_owned();
                return Some(Request { method, path, head, body });
            }
        }
        let n = stream.read(&mut piece).await.ok().filter(|n| *n > 0)?;
        buffer.extend_from_slice(&piece[..n]);
    }
}

/// False when the connection is done with.
async fn answer(stream: &mut TcpStream, reply: Reply) -> bool {
    let whole = |code: u16, kind: &str, text: String| {
        let length = text.len();
        format!(
            "HTTP/1.1 {code} X\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nDate: Sun, 22 Nov 2026 10:00:00 GMT\r\n\r\n{text}"
        )
    };
    let (lines, stays) = match reply {
        Reply::Json(value) => {
            return stream.write_all(whole(200, "application/json", value.to_string()).as_bytes()).await.is_ok();
        }
        Reply::Text(code, text) => return stream.write_all(whole(code, "text/plain", text).as_bytes()).await.is_ok(),
        Reply::Status(code, message) => {
            let status =
                json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code});
            return stream.write_all(whole(code, "application/json", status.to_string()).as_bytes()).await.is_ok();
        }
        Reply::Hang => {
            std::future::pending::<()>().await;
            return false;
        }
        Reply::Lines(lines) => (lines, true),
        Reply::LinesEnd(lines) => (lines, false),
    };
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    if stream.write_all(head.as_bytes()).await.is_err() {
        return false;
    }
    for line in lines {
        let line = format!("{line}\n");
        let chunk = format!("{:x}\r\n{line}\r\n", line.len());
        if stream.write_all(chunk.as_bytes()).await.is_err() {
            return false;
        }
    }
    if !stays {
        return stream.write_all(b"0\r\n\r\n").await.is_ok();
    }
    // Until the other side hangs up.
    let mut rest = [0u8; 64];
    while stream.read(&mut rest).await.is_ok_and(|n| n > 0) {}
    false
}

pub fn healthy(request: &Request) -> Reply {
    let path = request.path.as_str();
    if path == "/version" {
        Reply::Json(json!({"major": "1", "minor": "36", "gitVersion": "v1.36.0"}))
    } else if path.starts_with("/api/v1/namespaces/kube-system") && !path.contains('?') {
        Reply::Json(json!({"metadata": {"name": "kube-system", "uid": "uid-of-kube-system"}}))
    } else if request.method == "POST" {
        Reply::Json(json!({"status": {"allowed": true}}))
    } else if request.is_watch() {
        Reply::Lines(vec![])
    } else {
        list(vec![])
    }
}

pub fn list(items: Vec<Value>) -> Reply {
    Reply::Json(json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "100"}, "items": items}))
}

pub fn pod(name: &str, version: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "shop", "uid": format!("uid-{name}"), "resourceVersion": version}})
}

/// Remembers everything that was told.
#[derive(Clone, Default)]
pub struct Memory {
    pub told: Arc<Mutex<Vec<Observation>>>,
    news: Arc<tokio::sync::Notify>,
}

impl ObservationSink for Memory {
    fn send(&self, observation: Observation) -> BoxFuture<'_, bool> {
        self.told.lock().unwrap().push(observation);
        self.news.notify_waiters();
        Box::pin(std::future::ready(true))
    }
}

impl Memory {
    pub fn sink(&self) -> Box<dyn ObservationSink> {
        Box::new(self.clone())
    }

    pub fn facts(&self) -> Vec<Fact> {
        self.told.lock().unwrap().iter().map(|o| o.fact.clone()).collect()
    }

    /// Waits until a fact is told that fits.
    pub async fn until<T>(&self, fits: impl Fn(&Fact) -> Option<T>) -> T {
        let wait = async {
            loop {
                let news = self.news.notified();
                if let Some(found) = self.facts().iter().find_map(&fits) {
                    return found;
                }
                // Told between the look and the wait: look again soon.
                let _ = tokio::time::timeout(Duration::from_millis(50), news).await;
            }
        };
        let limit = Duration::from_secs(30);
        tokio::time::timeout(limit, wait).await.unwrap_or_else(|_| panic!("never told; told was {:#?}", self.facts()))
    }

    pub async fn connected(&self) -> String {
        self.until(|f| match f {
            Fact::Connection(Connection::Connected { cluster_uid, .. }) => Some(cluster_uid.clone()),
            _ => None,
        })
        .await
    }

    /// Everything that was ever put into words, to search it for what must not be there.
    pub fn words(&self) -> String {
        format!("{:?}", self.told.lock().unwrap())
    }
}

/// Little patience.
pub fn limits() -> Limits {
    Limits {
        answer: Duration::from_secs(1),
        idle: Duration::from_secs(1),
        poll: Duration::from_millis(500),
        missed: Duration::from_millis(100),
        look: Duration::from_secs(10),
        plugin: Duration::from_millis(1500),
        refused: Duration::from_millis(2500),
        forbidden: Duration::from_secs(5),
    }
}

/// A kubeconfig with one context, `dev`, and this user.
pub struct Config {
    pub folder: tempfile::TempDir,
    pub file: PathBuf,
}

impl Config {
    pub fn new(server: &str, user: Value) -> Config {
        Config::with_cluster(json!({"server": server}), user)
    }

    pub fn with_cluster(cluster: Value, user: Value) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "dev",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "dev", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        });
        std::fs::write(&file, config.to_string()).unwrap();
        Config { folder, file }
    }

    pub fn cluster(&self) -> KubeCluster {
        self.cluster_with(&ClusterOptions::default())
    }

    pub fn cluster_with(&self, options: &ClusterOptions) -> KubeCluster {
        load(Some(&self.file)).cluster("dev", options).unwrap().with_limits(limits())
    }

    /// A program beside the kubeconfig.
    #[cfg(unix)]
    pub fn script(&self, name: &str, text: &str) -> String {
        let file = self.folder.path().join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        file.to_string_lossy().into_owned()
    }
}
