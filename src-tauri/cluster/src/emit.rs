//! Hands observations to the sink and keeps, per kind and namespace, the last proof that it was being watched.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use afterwatch_core::{
    coverage::{EndedBy, UnreadableReason},
    object::{Kind, Object, kind::Mode},
    observation::{Connection, Fact, Observation},
    port::{Clock, ObservationSink},
};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use crate::problem::ConnectProblem;

/// A kind in one namespace, or everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Scope {
    pub kind: Kind,
    pub namespace: Option<Arc<str>>,
}

impl Scope {
    pub fn everywhere(kind: Kind) -> Scope {
        Scope { kind, namespace: None }
    }

    fn namespace(&self) -> Option<String> {
        self.namespace.as_deref().map(str::to_owned)
    }
}

/// How often a lively watch says that it lives.
const ALIVE_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// So many that are missing are told apart; beyond that extensions' kinds are listed at their own pace.
const MISSING: usize = 1_000;

#[derive(Debug, PartialEq, Eq)]
enum Cover {
    Open { proof: Timestamp, told: Timestamp },
    Lost { ended_by: EndedBy, reason: UnreadableReason, message: String },
}

/// Nobody listens any more.
#[derive(Debug)]
pub(crate) struct Closed;

pub(crate) struct Emitter {
    sink: Box<dyn ObservationSink>,
    clock: Arc<dyn Clock>,
    covers: Mutex<HashMap<Scope, Cover>>,
    /// What was listed at least once.
    seen: Mutex<HashSet<Scope>>,
    last: Mutex<Option<Connection>>,
    closed: AtomicBool,
    closing: Notify,
    /// Which Secrets and ConfigMaps are missing, as events say; and that one more is.
    missing: Mutex<HashSet<String>>,
    misses: Notify,
}

type Sent = Result<(), Closed>;

impl Emitter {
    pub fn new(sink: Box<dyn ObservationSink>, clock: Arc<dyn Clock>) -> Emitter {
        Emitter {
            sink,
            clock,
            covers: Mutex::default(),
            seen: Mutex::default(),
            last: Mutex::default(),
            closed: AtomicBool::new(false),
            closing: Notify::new(),
            missing: Mutex::default(),
            misses: Notify::new(),
        }
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    /// Ends when nobody listens any more.
    pub async fn closed(&self) {
        while !self.is_closed() {
            let waits = self.closing.notified();
            if self.is_closed() {
                return;
            }
            waits.await;
        }
    }

    /// Ends when an event says of one more Secret or ConfigMap that it is missing: an extension may be what makes it.
    pub async fn misses(&self) {
        self.misses.notified().await;
    }

    fn note_missing(&self, fact: &Fact) {
        let Fact::Upserted(Object::KubeEvent(event)) = fact else { return };
        let lower = event.message().to_ascii_lowercase();
        if !event.is_warning() || !lower.contains("not found") {
            return;
        }
        // Each pod says so in words of its own; what is missing has the same name for all of them.
        let Some(at) = ["secret", "configmap"].iter().filter_map(|w| lower.rfind(&format!("{w} \""))).max() else {
            return;
        };
        let name: String = lower[at..].split('"').take(2).collect::<Vec<_>>().join("/");
        let namespace = event.involved_object.namespace.as_deref().unwrap_or("");
        let mut known = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MISSING && known.insert(format!("{namespace}/{name}")) {
            self.misses.notify_one();
        }
    }

    /// One fact, received now.
    pub async fn send(&self, fact: Fact) -> Sent {
        self.send_at(self.clock.now(), fact).await
    }

    async fn send_at(&self, at: Timestamp, fact: Fact) -> Sent {
        if self.is_closed() {
            return Err(Closed);
        }
        self.note_missing(&fact);
        if self.sink.send(Observation { at, fact }).await {
            return Ok(());
        }
        self.closed.store(true, Relaxed);
        self.closing.notify_waiters();
        Err(Closed)
    }

    /// How the connection stands, said once per change.
    pub async fn connection(&self, state: Connection) -> Sent {
        {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.as_ref() == Some(&state) {
                return Ok(());
            }
            *last = Some(state.clone());
        }
        self.send(Fact::Connection(state)).await
    }

    /// A complete list: from here on the scope is covered.
    pub async fn listed(&self, scope: &Scope, how: Mode, objects: Vec<Object>) -> Sent {
        let now = self.clock.now();
        self.send_at(now, Fact::Listed { kind: scope.kind, namespace: scope.namespace(), how, objects }).await?;
        self.covers().insert(scope.clone(), Cover::Open { proof: now, told: now });
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(scope.clone());
        Ok(())
    }

    /// True when such a scope was listed at least once, however it stands now.
    pub fn ever_listed(&self, such: impl Fn(&Scope) -> bool) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).iter().any(such)
    }

    /// The stream brought something. `say`: tell so even if it was told a moment ago.
    pub async fn proof(&self, scope: &Scope, say: bool) -> Sent {
        let now = self.clock.now();
        let tell = match self.covers().get_mut(scope) {
            Some(Cover::Open { proof, told }) => {
                *proof = now;
                let tell = say || now.duration_since(*told) >= ALIVE_EVERY;
                if tell {
                    *told = now;
                }
                tell
            }
            _ => false,
        };
        if tell {
            self.send_at(now, Fact::Alive { kind: scope.kind, namespace: scope.namespace() }).await?;
        }
        Ok(())
    }

    /// True between a complete list and the next loss.
    pub fn covered(&self, scope: &Scope) -> bool {
        matches!(self.covers().get(scope), Some(Cover::Open { .. }))
    }

    /// The kind is read in some places and no longer forbidden everywhere.
    pub async fn partly(&self, kind: Kind) -> Sent {
        let all = Scope::everywhere(kind);
        if !matches!(self.covers().get(&all), Some(Cover::Lost { ended_by: EndedBy::Forbidden, .. })) {
            return Ok(());
        }
        // Whoever listens forgets this with the next word from one of the places.
        let words = "it is read namespace by namespace".to_owned();
        self.lost(&all, EndedBy::Disconnect, UnreadableReason::Unreachable, words).await?;
        self.covers().remove(&all);
        Ok(())
    }

    /// The scope is not being watched. What broke off ends at its last proof of life; what the server refused ends now.
    pub async fn lost(&self, scope: &Scope, ended_by: EndedBy, reason: UnreadableReason, message: String) -> Sent {
        let now = self.clock.now();
        let before = self.covers().insert(scope.clone(), Cover::Lost { ended_by, reason, message: message.clone() });
        let at = match before {
            // What is forbidden may become more or less; other words differ each time and mean the same.
            Some(Cover::Lost { ended_by: e, reason: r, message: m })
                if (e, r) == (ended_by, reason) && (m == message || e != EndedBy::Forbidden) =>
            {
                return Ok(());
            }
            Some(Cover::Open { proof, .. }) if ended_by != EndedBy::Forbidden => proof,
            _ => now,
        };
        let (kind, namespace) = (scope.kind, scope.namespace());
        self.send_at(at, Fact::Lost { kind, namespace, ended_by, reason, message }).await
    }

    /// The server does not serve the kind: neither covered nor unreadable.
    pub async fn not_served(&self, kind: Kind) -> Sent {
        self.covers().remove(&Scope::everywhere(kind));
        self.send(Fact::NotServed { kind }).await
    }

    /// Everything that is covered, and every kind of which nothing is, is lost for this reason. What the server
    /// forbids stays forbidden.
    pub async fn lost_all(&self, ended_by: EndedBy, reason: UnreadableReason, message: &str) -> Sent {
        let mut scopes: Vec<Scope> = self.covers().keys().cloned().collect();
        for kind in Kind::ALL {
            if !scopes.iter().any(|s| s.kind == *kind) {
                scopes.push(Scope::everywhere(*kind));
            }
        }
        scopes.sort_by(|a, b| (a.kind, &a.namespace).cmp(&(b.kind, &b.namespace)));
        for scope in scopes {
            let forbidden = matches!(self.covers().get(&scope), Some(Cover::Lost { ended_by: EndedBy::Forbidden, .. }));
            if !forbidden {
                self.lost(&scope, ended_by, reason, message.to_owned()).await?;
            }
        }
        Ok(())
    }

    /// The whole connection is in trouble.
    pub async fn trouble(&self, problem: &ConnectProblem) -> Sent {
        self.lost_all(problem.ended_by(), problem.reason(), &problem.message).await?;
        self.connection(problem.connection()).await
    }

    fn covers(&self) -> std::sync::MutexGuard<'_, HashMap<Scope, Cover>> {
        self.covers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
