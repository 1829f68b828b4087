//! Requests to one API server: every one is limited in time, counted, and its failure told apart.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::{Request, Response, header};
use http_body_util::BodyExt;
use kube::{Client, client::Body};
use serde::Deserialize;

use crate::{classify, problem::ConnectProblem};

/// Answers are held in memory whole while they are decoded; no page of 500 objects comes near this.
const BODY_LIMIT: usize = 512 << 20;
/// etcd refuses objects above 1.5 MB; a longer line is not an object.
const LINE_LIMIT: usize = 16 << 20;

/// Figures shared by all requests to one cluster.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub watches: AtomicU64,
    pub requests: AtomicU64,
    /// As decoded: what a compressed answer saved on the wire is not known here.
    pub bytes: AtomicU64,
}

/// One client for one cluster.
#[derive(Clone)]
pub(crate) struct Server {
    pub client: Client,
    pub counters: Arc<Counters>,
    /// For messages.
    pub address: Arc<str>,
    pub proxy: Option<Arc<str>>,
    /// How long the server may take to begin its answer, and between two pieces of one.
    pub limit: Duration,
}

/// Why a request has no usable answer.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The server said no.
    Refused(Refusal),
    /// No answer, or not all of it.
    Transport(ConnectProblem),
    /// An answer that Kubernetes would not give.
    Nonsense(String),
}

/// The server's own words.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub code: u16,
    pub message: String,
    pub retry_after: Option<Duration>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Refused(refusal) => write!(f, "{}", refusal.message),
            Failure::Transport(problem) => write!(f, "{problem}"),
            Failure::Nonsense(message) => f.write_str(message),
        }
    }
}

impl Failure {
    /// The status the server answered with, 0 when it did not answer.
    pub fn code(&self) -> u16 {
        match self {
            Failure::Refused(refusal) => refusal.code,
            Failure::Transport(_) | Failure::Nonsense(_) => 0,
        }
    }

    /// The same as a problem of the whole connection.
    pub fn problem(&self, server: &Server) -> ConnectProblem {
        match self {
            Failure::Transport(problem) => problem.clone(),
            Failure::Refused(r) if r.code == 401 => ConnectProblem::login(
                format!("{} did not accept the credentials: {}", server.address, r.message),
                "Log in again the way you do for kubectl, then retry.",
            ),
            Failure::Refused(r) => ConnectProblem::unreachable(
                format!("{} answered with an error: {} ({})", server.address, r.message, r.code),
                "It is tried again by itself.",
            ),
            Failure::Nonsense(message) => ConnectProblem::unreachable(
                format!("{} does not answer like a Kubernetes API server: {message}", server.address),
                "Check the server's address in the kubeconfig; a proxy or a login page of the network may stand in between.",
            ),
        }
    }
}

/// What is asked for.
pub(crate) struct Ask<'a> {
    pub path: &'a str,
    pub accept: &'a str,
    /// Watches: a compressed stream would come one gzip member per event, of which only the first is decoded.
    pub uncompressed: bool,
}

impl Server {
    /// Sends the request and waits for a good status; the body is still to be read.
    pub async fn open(&self, request: Request<Body>) -> Result<Response<Body>, Failure> {
        self.counters.requests.fetch_add(1, Relaxed);
        let response = match tokio::time::timeout(self.limit, self.client.send(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                return Err(Failure::Transport(classify::transport(&error, &self.address, self.proxy.as_deref())));
            }
            Err(_) => return Err(self.silent(self.limit)),
        };
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response).await) }
    }

    /// A GET request.
    pub async fn get(&self, ask: &Ask<'_>) -> Result<Response<Body>, Failure> {
        let mut request = Request::get(ask.path).header(header::ACCEPT, ask.accept);
        if ask.uncompressed {
            request = request.header(header::ACCEPT_ENCODING, "identity");
        }
        self.open(request.body(Body::empty()).map_err(|e| Failure::Nonsense(e.to_string()))?).await
    }

    /// GET, whole.
    pub async fn read(&self, path: &str, accept: &str) -> Result<Bytes, Failure> {
        let response = self.get(&Ask { path, accept, uncompressed: false }).await?;
        self.whole(response).await
    }

    /// POST of JSON, answered by JSON. Only for reviews: they change nothing.
    pub async fn review(&self, path: &str, body: &serde_json::Value) -> Result<serde_json::Value, Failure> {
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .body(Body::from(body.to_string().into_bytes()))
            .map_err(|e| Failure::Nonsense(e.to_string()))?;
        let response = self.open(request).await?;
        let body = self.whole(response).await?;
        serde_json::from_slice(&body).map_err(|_| Failure::Nonsense("the answer is not JSON".into()))
    }

    /// The rest of a body, each piece within the limit.
    pub async fn whole(&self, response: Response<Body>) -> Result<Bytes, Failure> {
        let mut stream = response.into_body().into_data_stream();
        let mut out = BytesMut::new();
        loop {
            match tokio::time::timeout(self.limit, stream.next()).await {
                Ok(None) => return Ok(out.freeze()),
                Ok(Some(Ok(piece))) => {
                    self.counters.bytes.fetch_add(piece.len() as u64, Relaxed);
                    if out.len() + piece.len() > BODY_LIMIT {
                        return Err(Failure::Nonsense("the answer does not end".into()));
                    }
                    out.extend_from_slice(&piece);
                }
                Ok(Some(Err(error))) => {
                    return Err(Failure::Transport(classify::transport(&error, &self.address, self.proxy.as_deref())));
                }
                Err(_) => return Err(self.silent(self.limit)),
            }
        }
    }

    pub fn silent(&self, limit: Duration) -> Failure {
        Failure::Transport(ConnectProblem::unreachable(
            format!("{} did not answer for {} s.", self.address, limit.as_secs()),
            "Check your network, the VPN and a firewall in between; it is tried again by itself.",
        ))
    }

    async fn refusal(&self, response: Response<Body>) -> Failure {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Status {
            kind: String,
            message: String,
            reason: String,
        }
        let code = response.status().as_u16();
        let reason = response.status().canonical_reason().unwrap_or("").to_owned();
        let header = response.headers().get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
        let body = match tokio::time::timeout(Duration::from_secs(5), self.whole(response)).await {
            Ok(Ok(body)) => body,
            _ => Bytes::new(),
        };
        let status: Status = serde_json::from_slice(&body).unwrap_or_default();
        let message = if status.kind == "Status" && !(status.message.is_empty() && status.reason.is_empty()) {
            if status.message.is_empty() { status.reason } else { status.message }
        } else {
            // Not Kubernetes speaking: a proxy's page may say anything, so only the status is quoted.
            format!("HTTP {code} {reason}").trim_end().to_owned()
        };
        let message: String = afterwatch_core::redact::text(&message).chars().take(2000).collect();
        Failure::Refused(Refusal { code, message, retry_after: header.map(Duration::from_secs) })
    }
}

/// The lines of a watch.
pub(crate) struct Lines {
    stream: futures::stream::BoxStream<'static, Result<Bytes, kube::Error>>,
    buffer: BytesMut,
    /// Everything before this index was searched for a line's end already.
    searched: usize,
    counters: Arc<Counters>,
}

/// The next thing a watch brings.
pub(crate) enum Line {
    Text(Bytes),
    /// The server ended the stream, as it does when its time is up.
    End,
    /// The connection broke.
    Broken,
    /// Nothing came for this long.
    Silent,
}

impl Lines {
    pub fn new(response: Response<Body>, counters: Arc<Counters>) -> Lines {
        counters.watches.fetch_add(1, Relaxed);
        Lines {
            stream: response.into_body().into_data_stream().boxed(),
            buffer: BytesMut::new(),
            searched: 0,
            counters,
        }
    }

    pub async fn next(&mut self, idle: Duration) -> Line {
        loop {
            if let Some(at) = self.buffer[self.searched..].iter().position(|b| *b == b'\n') {
                let line = self.buffer.split_to(self.searched + at + 1).freeze();
                self.searched = 0;
                if line.len() > 1 {
                    return Line::Text(line);
                }
                continue;
            }
            self.searched = self.buffer.len();
            if self.buffer.len() > LINE_LIMIT {
                return Line::Broken;
            }
            match tokio::time::timeout(idle, self.stream.next()).await {
                Ok(Some(Ok(piece))) => {
                    self.counters.bytes.fetch_add(piece.len() as u64, Relaxed);
                    self.buffer.extend_from_slice(&piece);
                }
                Ok(Some(Err(_))) => return Line::Broken,
                Ok(None) => return Line::End,
                Err(_) => return Line::Silent,
            }
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.counters.watches.fetch_sub(1, Relaxed);
    }
}
