//! The API server on loopback: who may ask, how a request is read, and how a watch is kept up.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use afterwatch_core::port::Clock;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited, combinators::BoxBody};
use hyper::body::{Body, Frame, Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinSet,
};

use crate::{
    answer::{Answer, Ask, Watch, answer, outline, refused},
    clock::DrillClock,
    world::World,
};

/// Bodies of reviews are small.
const BODY_LIMIT: usize = 64 << 10;
/// Signs of life come this often in the story's time, but neither so often that they are all there is nor so seldom
/// that a watch counts as broken.
const BOOKMARK: Duration = Duration::from_secs(30);
const BOOKMARK_RANGE: (Duration, Duration) = (Duration::from_millis(400), Duration::from_secs(30));
/// Lines that wait for a slow reader.
const WAITING: usize = 64;

/// What all requests share.
pub(crate) struct Stage {
    pub world: Mutex<World>,
    pub clock: Arc<DrillClock>,
    /// The world's version; told when it grows.
    pub version: watch::Sender<u64>,
    /// The password of this drill: other programs on this machine do not know it.
    pub token: String,
    pub address: SocketAddr,
}

impl Stage {
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The path that is asked for, for those who know the token and came by the address itself, not by a web page that
    /// leads here. kubectl sends no token where there is no TLS: for it the token may stand first in the path.
    fn admits(&self, request: &Request<Incoming>) -> Option<String> {
        let text = |name| request.headers().get(name).and_then(|v: &http::HeaderValue| v.to_str().ok()).unwrap_or("");
        let token = text(header::AUTHORIZATION).strip_prefix("Bearer ").unwrap_or("").trim();
        let (port, host) = (self.address.port(), text(header::HOST));
        let path = request.uri().path();
        let begins = path.get(1..).and_then(|rest| rest.split_once('/')).filter(|(first, _)| same(first, &self.token));
        let known = begins.is_some() || same(token, &self.token);
        let path = begins.map_or_else(|| path.to_owned(), |(_, rest)| format!("/{rest}"));
        let here = host == format!("127.0.0.1:{port}") || host == format!("localhost:{port}");
        (known && here && !request.headers().contains_key(header::ORIGIN)).then_some(path)
    }
}

/// Compares without telling by its time where the difference is.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |odd, (a, b)| odd | (a ^ b)) == 0
}

/// Takes connections until it is dropped.
pub(crate) async fn serve(listener: TcpListener, stage: Arc<Stage>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let stage = stage.clone();
                    let service = hyper::service::service_fn(move |request| handle(stage.clone(), request));
                    connections.spawn(async move {
                        let connection = hyper::server::conn::http1::Builder::new()
                            .timer(TokioTimer::new())
                            .serve_connection(TokioIo::new(stream), service);
                        // A client that goes away in the middle is no matter.
                        let _ = connection.await;
                    });
                }
                // No handles left, for a moment.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

type Reply = Response<BoxBody<Bytes, Infallible>>;

async fn handle(stage: Arc<Stage>, request: Request<Incoming>) -> Result<Reply, Infallible> {
    let Some(path) = stage.admits(&request) else {
        return Ok(reply(refused(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized")));
    };
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        return Ok(reply(refused(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", "the request is too large")));
    };
    let accept = head.headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let ask = Ask {
        method: head.method,
        path: decoded(&path, false),
        query: query(head.uri.query().unwrap_or_default()),
        accept,
        body: body.to_bytes().to_vec(),
    };
    let answered = answer(&stage.world(), &ask, stage.clock.now());
    Ok(match answered {
        Answer::Watch(watch) => {
            let (lines, receiver) = mpsc::channel(WAITING);
            tokio::spawn(tell(stage, watch, lines));
            response(StatusCode::OK, "application/json", BoxBody::new(Pushed(receiver)))
        }
        other => reply(other),
    })
}

fn reply(answer: Answer) -> Reply {
    let (status, kind, text) = match answer {
        Answer::Json(status, value) => (status, "application/json", value.to_string()),
        Answer::Text(text) => (StatusCode::OK, "text/plain", text),
        Answer::Watch(_) => (StatusCode::INTERNAL_SERVER_ERROR, "text/plain", String::new()),
    };
    response(status, kind, BoxBody::new(Full::new(Bytes::from(text))))
}

fn response(status: StatusCode, kind: &'static str, body: BoxBody<Bytes, Infallible>) -> Reply {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}

/// Tells a watch what changes, until its time is up or nobody listens.
async fn tell(stage: Arc<Stage>, watch: Watch, lines: mpsc::Sender<Bytes>) {
    let Watch { scope, version, from_scratch, bookmarks, outline: bare, seconds } = watch;
    let shape = |object: &Value| if bare { outline(object) } else { object.clone() };
    let mut told = version;
    let mut news = stage.version.subscribe();
    let mut first = Vec::new();
    if from_scratch {
        let world = stage.world();
        first.extend(world.list(&scope, None).map(|(_, object)| line("ADDED", &shape(object))));
        told = world.now();
    }
    let limit = Duration::from_secs(seconds.unwrap_or(1800).min(3600));
    let up = tokio::time::sleep(limit);
    tokio::pin!(up);
    loop {
        let mut batch = std::mem::take(&mut first);
        {
            let world = stage.world();
            for change in world.since(told).iter().filter(|c| scope.holds(&c.key, &c.object)) {
                batch.push(line(change.verb, &shape(&change.object)));
            }
            told = world.now().max(told);
        }
        for line in batch {
            if lines.send(line).await.is_err() {
                return;
            }
        }
        let (least, most) = BOOKMARK_RANGE;
        let bookmark = tokio::time::sleep(stage.clock.real(BOOKMARK).clamp(least, most));
        tokio::pin!(bookmark);
        tokio::select! {
            () = lines.closed() => return,
            () = &mut up => return,
            changed = news.changed() => if changed.is_err() { return },
            () = &mut bookmark, if bookmarks => {
                let (kind, api) = (scope.kind.as_str(), scope.kind.api_version());
                let (kind, api) = if bare { ("PartialObjectMetadata", "meta.k8s.io/v1") } else { (kind, api) };
                let object = json!({"kind": kind, "apiVersion": api, "metadata": {"resourceVersion": told.to_string()}});
                if lines.send(line("BOOKMARK", &object)).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn line(verb: &str, object: &Value) -> Bytes {
    let mut text = json!({"type": verb, "object": object}).to_string();
    text.push('\n');
    Bytes::from(text)
}

/// A body that others write.
struct Pushed(mpsc::Receiver<Bytes>);

impl Body for Pushed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|next| next.map(|bytes| Ok(Frame::data(bytes))))
    }
}

fn query(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(k, v)| (decoded(k, true), decoded(v, true)))
        .collect()
}

/// Percent-decoding; what is not encoded properly stays as it is.
fn decoded(text: &str, plus: bool) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|h| u8::from_str_radix(std::str::from_utf8(h).ok()?, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', _) if plus => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let query = query("watch=true&labelSelector=app%3Da%2Cb+c&odd=%zz&empty");
        assert_eq!(query["labelSelector"], "app=a,b c");
        assert_eq!((query["odd"].as_str(), query["empty"].as_str()), ("%zz", ""));
    }
}
