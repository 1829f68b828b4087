//! A notification service that writes down what it is asked to show and presses buttons.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use zbus::{
    Connection, connection,
    object_server::SignalEmitter,
    zvariant::{OwnedValue, Value},
};

use super::eventually;

const PATH: &str = "/org/freedesktop/Notifications";

/// One call of Notify.
#[derive(Clone, Debug)]
pub struct Shown {
    pub id: u32,
    pub title: String,
    pub body: String,
    /// Name and words, one after the other.
    pub actions: Vec<String>,
    pub urgency: Option<u8>,
    /// The desktop entry it says it comes from.
    pub entry: Option<String>,
    /// When it was asked for.
    pub at: std::time::Instant,
}

/// The service on one session bus.
pub struct Notifications {
    connection: Connection,
    shown: Arc<Mutex<Vec<Shown>>>,
}

impl Notifications {
    pub async fn listen(bus: &str) -> Notifications {
        let shown: Arc<Mutex<Vec<Shown>>> = Arc::default();
        let service = Service { shown: Arc::clone(&shown) };
        let connection = connection::Builder::address(bus)
            .and_then(|b| b.name("org.freedesktop.Notifications"))
            .and_then(|b| b.serve_at(PATH, service))
            .expect("the service's name and path")
            .build()
            .await
            .expect("the session bus");
        Notifications { connection, shown }
    }

    /// Everything that was shown so far.
    pub fn all(&self) -> Vec<Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The next one that fits, waited for.
    pub async fn wait(&self, what: &str, fits: impl Fn(&Shown) -> bool) -> Shown {
        eventually(what, async || self.all().into_iter().find(|shown| fits(shown))).await
    }

    /// Presses a button, as a person would.
    pub async fn press(&self, id: u32, action: &str) {
        let emitter = SignalEmitter::new(&self.connection, PATH).expect("the service's path");
        Service::action_invoked(&emitter, id, action).await.expect("the session bus");
    }

    /// The same with the desktop's permission to come to the front, which comes just before.
    pub async fn press_with_token(&self, id: u32, action: &str, token: &str) {
        let emitter = SignalEmitter::new(&self.connection, PATH).expect("the service's path");
        Service::activation_token(&emitter, id, token).await.expect("the session bus");
        self.press(id, action).await;
    }
}

struct Service {
    shown: Arc<Mutex<Vec<Shown>>>,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Service {
    #[allow(clippy::too_many_arguments)]
    fn notify(
        &self,
        _app_name: String,
        replaces: u32,
        _icon: String,
        title: String,
        body: String,
        actions: Vec<String>,
        hints: HashMap<String, OwnedValue>,
        _timeout: i32,
    ) -> u32 {
        let urgency = hints.get("urgency").and_then(|value| match &**value {
            Value::U8(urgency) => Some(*urgency),
            _ => None,
        });
        let entry = hints.get("desktop-entry").and_then(|value| String::try_from(value.try_clone().ok()?).ok());
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let id = if replaces > 0 { replaces } else { shown.iter().map(|s| s.id).max().unwrap_or(0) + 1 };
        shown.push(Shown { id, title, body, actions, urgency, entry, at: std::time::Instant::now() });
        id
    }

    fn close_notification(&self, _id: u32) {}

    fn get_capabilities(&self) -> Vec<String> {
        ["actions", "body", "body-markup"].map(str::to_owned).to_vec()
    }

    fn get_server_information(&self) -> (String, String, String, String) {
        ("a test".into(), "afterwatch".into(), "1".into(), "1.2".into())
    }

    #[zbus(signal)]
    async fn activation_token(emitter: &SignalEmitter<'_>, id: u32, token: &str) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn action_invoked(emitter: &SignalEmitter<'_>, id: u32, action_key: &str) -> zbus::Result<()>;
}
