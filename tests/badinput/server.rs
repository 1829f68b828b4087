//! A small API server on loopback that a test can make say anything: each test gives the answers it is about, the rest
//! is a cluster with next to nothing in it.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

/// A request, as far as it matters here.
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: String,
    pub authorization: Option<String>,
    pub body: String,
}

impl Request {
    pub fn watches(&self) -> bool {
        self.query.split('&').any(|q| q == "watch=true" || q == "watch=1")
    }
}

/// An answer: status line, content type, body.
pub struct Reply(pub u16, pub &'static str, pub String);

impl Reply {
    pub fn json(value: &Value) -> Reply {
        Reply(200, "application/json", value.to_string())
    }

    /// A Kubernetes `Status`.
    pub fn failure(code: u16, reason: &str, message: &str) -> Reply {
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "code": code, "reason": reason, "message": message,
        });
        Reply(code, "application/json", status.to_string())
    }
}

/// What a test answers itself; `None` leaves it to the plain cluster.
pub type Answers = dyn Fn(&Request) -> Option<Reply> + Send + Sync;

/// The running server; it ends with this.
pub struct Server {
    pub address: SocketAddr,
    secure: bool,
    ended: Arc<AtomicBool>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

impl Server {
    pub fn plain(answers: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Server {
        Server::start(None, Arc::new(answers))
    }

    /// With nothing unusual about it.
    pub fn usual() -> Server {
        Server::plain(|_| None)
    }

    pub fn tls(config: ServerConfig, answers: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Server {
        Server::start(Some(Arc::new(config)), Arc::new(answers))
    }

    /// Sends these bytes to everyone who connects, whatever they say.
    pub fn raw(bytes: &'static [u8]) -> Server {
        Server::accept(false, move |mut stream, _| {
            let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(bytes);
        })
    }

    pub fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// A kubeconfig whose current context `stub` is this server.
    pub fn kubeconfig(&self) -> String {
        kubeconfig(json!({ "server": self.url() }), json!({ "token": "stub-token" }))
    }

    fn start(tls: Option<Arc<ServerConfig>>, answers: Arc<Answers>) -> Server {
        Server::accept(tls.is_some(), move |stream, ended| {
            // What goes wrong with one connection is what the tests are about; it is no concern of the others.
            let _ = match &tls {
                None => stream.try_clone().and_then(|read| serve(read, stream, &*answers, ended)),
                Some(config) => {
                    ServerConnection::new(config.clone()).map_err(io::Error::other).and_then(|connection| {
                        let shared = Shared(Arc::new(std::sync::Mutex::new(StreamOwned::new(connection, stream))));
                        serve(shared.clone(), shared, &*answers, ended)
                    })
                }
            };
        })
    }

    fn accept(secure: bool, handle: impl Fn(TcpStream, &AtomicBool) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let address = listener.local_addr().expect("its address");
        let ended = Arc::new(AtomicBool::new(false));
        let (handle, over) = (Arc::new(handle), ended.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let (handle, over) = (handle.clone(), over.clone());
                std::thread::spawn(move || handle(stream, &over));
            }
        });
        Server { address, secure, ended }
    }
}

/// A kubeconfig with one context, `stub`.
pub fn kubeconfig(cluster: Value, user: Value) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "stub",
        "clusters": [{"name": "stub", "cluster": cluster}],
        "users": [{"name": "mara", "user": user}],
        "contexts": [{"name": "stub", "context": {"cluster": "stub", "user": "mara"}}],
    })
    .to_string()
}

/// A port on loopback where nobody listens.
pub fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    listener.local_addr().expect("its address").port()
}

/// One TLS stream, read and written in turns by one thread.
#[derive(Clone)]
struct Shared(Arc<std::sync::Mutex<StreamOwned<ServerConnection, TcpStream>>>);

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.lock().map_err(|_| io::Error::other("poisoned"))?.read(buffer)
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().map_err(|_| io::Error::other("poisoned"))?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().map_err(|_| io::Error::other("poisoned"))?.flush()
    }
}

fn serve(read: impl Read, mut write: impl Write, answers: &Answers, ended: &AtomicBool) -> io::Result<()> {
    let mut read = BufReader::new(read);
    while let Some(request) = next(&mut read)? {
        let Reply(status, kind, body) = match answers(&request) {
            Some(reply) => reply,
            None if request.watches() => return hold(&mut write, ended),
            None => plain_cluster(&request),
        };
        let length = body.len();
        write!(write, "HTTP/1.1 {status} Said\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}")?;
        write.flush()?;
    }
    Ok(())
}

/// A watch in which nothing happens.
fn hold(write: &mut impl Write, ended: &AtomicBool) -> io::Result<()> {
    write!(write, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    write.flush()?;
    while !ended.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn next(read: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if read.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (mut length, mut authorization) = (0, None);
    loop {
        line.clear();
        if read.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "authorization" => authorization = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    read.read_exact(&mut body)?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    Ok(Some(Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        authorization,
        body: String::from_utf8_lossy(&body).into_owned(),
    }))
}

/// Everything is allowed, every kind is served, and there is nothing of it.
fn plain_cluster(request: &Request) -> Reply {
    let path = request.path.as_str();
    if path == "/version" {
        return Reply::json(&json!({"major": "1", "minor": "36", "gitVersion": "v1.36.0"}));
    }
    if request.method == "POST" && path.ends_with("accessreviews") {
        let mut review: Value = serde_json::from_str(&request.body).unwrap_or_default();
        review["status"] = json!({"allowed": true});
        return Reply(201, "application/json", review.to_string());
    }
    if path == "/api/v1/namespaces/kube-system" {
        return Reply::json(&namespace("kube-system"));
    }
    let list = path.rsplit('/').next().is_some_and(|last| last.ends_with('s'));
    if !list {
        return Reply::failure(404, "NotFound", &format!("{path} not found"));
    }
    let items =
        if path == "/api/v1/namespaces" { vec![namespace("kube-system"), namespace("shop")] } else { Vec::new() };
    items_of(&items)
}

fn namespace(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace", "status": {"phase": "Active"},
        "metadata": {"name": name, "uid": format!("{name}-uid"), "resourceVersion": "1", "creationTimestamp": "2026-11-12T02:00:00Z"},
    })
}

/// A list of these objects.
pub fn items_of(items: &[Value]) -> Reply {
    Reply::json(&json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "10"}, "items": items}))
}

/// A pod whose image does not exist: enough for an incident.
pub fn broken_pod(name: &str, message: &str) -> Value {
    let created = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(5);
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "shop", "uid": format!("{name}-uid"), "resourceVersion": "7",
            "creationTimestamp": format!("{created:.0}"),
        },
        "spec": {"nodeName": "a", "containers": [{"name": "app", "image": "registry.invalid/shop:1.2.3"}]},
        "status": {
            "phase": "Pending",
            "startTime": format!("{created:.0}"),
            "conditions": [
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": format!("{created:.0}")},
                {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": format!("{created:.0}")},
            ],
            "containerStatuses": [{
                "name": "app", "image": "registry.invalid/shop:1.2.3", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"waiting": {"reason": "ImagePullBackOff", "message": message}},
            }],
        },
    })
}
