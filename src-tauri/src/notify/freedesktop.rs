//! org.freedesktop.Notifications over one connection: services tie what was pressed to the connection that asked.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use afterwatch_core::{
    incident::IncidentId,
    port::{BoxFuture, Notice, NoticeError, notifier::NoticeKind},
    severity::Severity,
};
use tauri::async_runtime::JoinHandle;
use zbus::{Connection, export::ordered_stream::OrderedStreamExt, zvariant::Value};

use super::{Click, Pressed, buttons, gather::Screen};

/// A service that is started by the bus for the first notification needs a moment; one that never answers must not
/// keep the next from being shown.
const PATIENCE: Duration = Duration::from_secs(5);

#[zbus::proxy(
    interface = "org.freedesktop.Notifications",
    default_service = "org.freedesktop.Notifications",
    default_path = "/org/freedesktop/Notifications"
)]
trait Notifications {
    #[allow(clippy::too_many_arguments)]
    fn notify(
        &self,
        app_name: &str,
        replaces_id: u32,
        app_icon: &str,
        summary: &str,
        body: &str,
        actions: &[&str],
        hints: &HashMap<&str, Value<'_>>,
        expire_timeout: i32,
    ) -> zbus::Result<u32>;

    fn close_notification(&self, id: u32) -> zbus::Result<()>;

    fn get_capabilities(&self) -> zbus::Result<Vec<String>>;

    #[zbus(signal)]
    fn action_invoked(&self, id: u32, action_key: String) -> zbus::Result<()>;

    #[zbus(signal)]
    fn notification_closed(&self, id: u32, reason: u32) -> zbus::Result<()>;

    #[zbus(signal)]
    fn activation_token(&self, id: u32, token: String) -> zbus::Result<()>;
}

/// The notifier of Linux desktops.
pub struct Freedesktop {
    pressed: Pressed,
    service: tokio::sync::Mutex<Option<Service>>,
    shown: Arc<Mutex<Shown>>,
}

/// A connection with somebody at the other end.
struct Service {
    proxy: NotificationsProxy<'static>,
    /// The service reads markup in bodies.
    markup: bool,
    listener: JoinHandle<()>,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// What is on the screen.
#[derive(Default)]
struct Shown {
    by_incident: HashMap<IncidentId, u32>,
    by_id: HashMap<u32, Option<IncidentId>>,
    tokens: HashMap<u32, String>,
    /// Notes that stand for several incidents: news of one of them does not take their place.
    many: HashSet<u32>,
}

impl Shown {
    fn add(&mut self, id: u32, incident: Option<IncidentId>, many: bool) {
        if many {
            self.many.insert(id);
        }
        self.by_id.insert(id, incident);
        if let Some(incident) = incident {
            self.by_incident.insert(incident, id);
        }
    }

    /// The notes whose place news of this incident takes, and a note that stands for all of `replaces`.
    fn earlier(&self, incident: Option<IncidentId>, replaces: &[IncidentId]) -> Vec<u32> {
        let note = |incident: &IncidentId| self.by_incident.get(incident).copied();
        let own = incident.as_ref().and_then(note).filter(|note| !self.many.contains(note));
        let mut notes: Vec<u32> = own.into_iter().chain(replaces.iter().filter_map(note)).collect();
        notes.sort_unstable();
        notes.dedup();
        notes
    }

    /// Forgets a notification; `None` when it is none of ours.
    fn remove(&mut self, id: u32) -> Option<Option<IncidentId>> {
        self.tokens.remove(&id);
        self.many.remove(&id);
        let incident = self.by_id.remove(&id)?;
        self.by_incident.retain(|_, shown| *shown != id);
        Some(incident)
    }
}

impl Freedesktop {
    pub(super) fn new(pressed: Pressed) -> Freedesktop {
        Freedesktop { pressed, service: tokio::sync::Mutex::new(None), shown: Arc::default() }
    }

    async fn show_now(&self, notice: &Notice, replaces: &[IncidentId]) -> zbus::Result<()> {
        let mut service = self.service.lock().await;
        let first = service.is_none();
        let outcome = self.send(&mut service, notice, replaces).await;
        // The connection may have died since, with the session's bus or after sleep: once more on a new one.
        match outcome {
            Err(error) if !first && is_broken(&error) => {
                *service = None;
                self.send(&mut service, notice, replaces).await
            }
            other => other,
        }
    }

    async fn send(&self, service: &mut Option<Service>, notice: &Notice, replaces: &[IncidentId]) -> zbus::Result<()> {
        let service = match service {
            Some(service) => service,
            None => service.insert(self.connect().await?),
        };
        let mut earlier = lock(&self.shown).earlier(notice.incident, replaces);
        let replaces = if earlier.is_empty() { 0 } else { earlier.remove(0) };
        let mut actions = vec!["default", "Open"];
        actions.extend(buttons(notice).iter().flat_map(|(name, words)| [*name, *words]));
        let hints = HashMap::from([
            ("urgency", Value::U8(urgency(notice.severity))),
            ("category", Value::from("x-afterwatch.incident")),
            ("desktop-entry", Value::from("Afterwatch")),
        ]);
        let body = if service.markup { escape(&notice.body) } else { notice.body.clone() };
        let id = service
            .proxy
            .notify("Afterwatch", replaces, "afterwatch", &notice.title, &body, &actions, &hints, -1)
            .await?;
        {
            let mut shown = lock(&self.shown);
            shown.remove(replaces);
            shown.add(id, notice.incident, notice.kind == NoticeKind::Summary);
        }
        for note in earlier {
            // The new one is on the screen, whatever becomes of those.
            if let Err(error) = service.proxy.close_notification(note).await {
                tracing::debug!(%error, "an earlier note stays on the screen");
            }
        }
        Ok(())
    }

    async fn connect(&self) -> zbus::Result<Service> {
        let connection = Connection::session().await?;
        let proxy = NotificationsProxy::new(&connection).await?;
        let capabilities = proxy.get_capabilities().await?;
        let markup = capabilities.iter().any(|c| c == "body-markup");
        let mut invoked = proxy.receive_action_invoked().await?;
        let mut closed = proxy.receive_notification_closed().await?;
        let mut token = proxy.receive_activation_token().await?;
        let (listening, shown, pressed) = (proxy.clone(), Arc::clone(&self.shown), self.pressed.clone());
        let listener = tauri::async_runtime::spawn(async move {
            loop {
                tokio::select! {
                    // A token arrives just before the click it belongs to.
                    biased;
                    Some(signal) = token.next() => if let Ok(args) = signal.args() {
                        let mut shown = lock(&shown);
                        if shown.by_id.contains_key(&args.id) {
                            shown.tokens.insert(args.id, args.token);
                        }
                    },
                    Some(signal) = invoked.next() => if let Ok(args) = signal.args() {
                        let (token, ours) = {
                            let mut shown = lock(&shown);
                            (shown.tokens.remove(&args.id), shown.remove(args.id))
                        };
                        let (Some(incident), Some(click)) = (ours, Click::parse(&args.action_key)) else { continue };
                        pressed.tell(click, incident, token);
                        // Not every service takes a note away that was clicked.
                        if let Err(error) = listening.close_notification(args.id).await {
                            tracing::debug!(%error, "the note stays on the screen");
                        }
                    },
                    Some(signal) = closed.next() => if let Ok(args) = signal.args() {
                        lock(&shown).remove(args.id);
                    },
                    else => return,
                }
            }
        });
        Ok(Service { proxy, markup, listener })
    }
}

impl Screen for Freedesktop {
    fn put(&self, notice: Notice, replaces: Vec<IncidentId>) -> BoxFuture<'_, Result<(), NoticeError>> {
        Box::pin(async move {
            let problem = match tokio::time::timeout(PATIENCE, self.show_now(&notice, &replaces)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => explain(&error),
                Err(_) => format!("The desktop's notification service did not answer within {} s.", PATIENCE.as_secs()),
            };
            Err(NoticeError { message: problem })
        })
    }
}

fn urgency(severity: Severity) -> u8 {
    match severity {
        Severity::Low => 0,
        Severity::Medium | Severity::High => 1,
        // Stays on the screen until somebody sees it.
        Severity::Critical => 2,
    }
}

/// What a cluster says is text, also where the service reads markup.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn is_broken(error: &zbus::Error) -> bool {
    matches!(error, zbus::Error::InputOutput(_))
}

fn explain(error: &zbus::Error) -> String {
    match error {
        zbus::Error::Address(_) | zbus::Error::InputOutput(_) => {
            "There is no desktop session to show notifications (no D-Bus session bus).".to_owned()
        }
        zbus::Error::FDO(error) => explain_fdo(error),
        zbus::Error::MethodError(name, _, _)
            if name.ends_with(".ServiceUnknown") || name.ends_with(".NameHasNoOwner") =>
        {
            nobody()
        }
        other => format!("The desktop's notification service failed: {other}."),
    }
}

fn explain_fdo(error: &zbus::fdo::Error) -> String {
    match error {
        zbus::fdo::Error::ServiceUnknown(_) | zbus::fdo::Error::NameHasNoOwner(_) => nobody(),
        other => format!("The desktop's notification service failed: {other}."),
    }
}

fn nobody() -> String {
    "No notification service runs on this desktop (nobody owns org.freedesktop.Notifications).".to_owned()
}

fn lock(shown: &Mutex<Shown>) -> MutexGuard<'_, Shown> {
    shown.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_replaced_notification_belongs_to_its_incident_alone() {
        let incident = IncidentId(Uuid::from_u128(1));
        let mut shown = Shown::default();
        shown.add(7, Some(incident), false);
        shown.remove(7);
        shown.add(8, Some(incident), false);
        assert_eq!(shown.by_incident.get(&incident), Some(&8));
        assert_eq!(shown.remove(8), Some(Some(incident)));
        assert!(shown.by_incident.is_empty());
        assert_eq!(shown.remove(99), None, "another program's notification");
    }

    #[test]
    fn a_note_for_many_takes_the_place_of_theirs_and_news_of_one_takes_not_its_place() {
        let [a, b] = [1, 2].map(|n| IncidentId(Uuid::from_u128(n)));
        let mut shown = Shown::default();
        shown.add(1, Some(a), false);
        shown.add(2, Some(b), false);
        assert_eq!(shown.earlier(Some(a), &[]), [1]);
        assert_eq!(shown.earlier(Some(a), &[a, b]), [1, 2]);
        shown.remove(1);
        shown.remove(2);
        shown.add(3, Some(a), true);
        assert_eq!(shown.earlier(Some(a), &[]), [0; 0]);
        assert_eq!(shown.earlier(Some(b), &[a, b]), [3]);
    }

    #[test]
    fn text_from_a_cluster_is_no_markup() {
        assert_eq!(escape("<a href=\"x\">1 & 2</a>"), "&lt;a href=\"x\"&gt;1 &amp; 2&lt;/a&gt;");
    }
}
