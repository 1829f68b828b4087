//! Notification services: one that works, one that refuses, one that never answers. Each has a session bus of its own.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value;
use zbus::{Connection, connection, fdo, zvariant::OwnedValue};

use crate::{
    afterwatch::{Ended, Home},
    server::{Server, broken_pod, items_of},
};

/// A session bus; it goes with this.
struct Bus {
    daemon: Child,
    address: String,
}

impl Bus {
    fn start() -> Option<Bus> {
        let mut command = Command::new("dbus-daemon");
        command.args(["--session", "--nofork", "--print-address"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let Ok(mut daemon) = command.spawn() else {
            eprintln!("skipped: there is no dbus-daemon here");
            return None;
        };
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Some(Bus { daemon, address: address.trim().to_owned() })
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// What was asked of it: replaces, title, body.
type Shown = Arc<Mutex<Vec<(u32, String, String)>>>;

/// How the service behaves.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Shows,
    Refuses,
    NeverAnswers,
}

struct Service {
    manner: Manner,
    shown: Shown,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Service {
    #[allow(clippy::too_many_arguments, reason = "the specification's own")]
    async fn notify(
        &self,
        _app: String,
        replaces: u32,
        _icon: String,
        title: String,
        body: String,
        _actions: Vec<String>,
        _hints: HashMap<String, OwnedValue>,
        _timeout: i32,
    ) -> fdo::Result<u32> {
        match self.manner {
            Manner::Shows => {}
            Manner::Refuses => return Err(fdo::Error::Failed("do not disturb".to_owned())),
            Manner::NeverAnswers => std::future::pending::<()>().await,
        }
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).push((replaces, title, body));
        Ok(7)
    }

    fn get_capabilities(&self) -> Vec<String> {
        vec!["body".to_owned(), "body-markup".to_owned()]
    }

    fn get_server_information(&self) -> (String, String, String, String) {
        ("a test".to_owned(), "afterwatch".to_owned(), "1".to_owned(), "1.2".to_owned())
    }
}

fn serve(bus: &Bus, manner: Manner) -> (Connection, Shown) {
    let shown = Shown::default();
    let service = Service { manner, shown: shown.clone() };
    let connection = zbus::block_on(async {
        let builder = connection::Builder::address(bus.address.as_str())?;
        builder
            .name("org.freedesktop.Notifications")?
            .serve_at("/org/freedesktop/Notifications", service)?
            .build()
            .await
    });
    (connection.unwrap(), shown)
}

/// Watches a broken pod for a few seconds, with notifications.
fn watch(bus: &Bus) -> Ended {
    let server = Server::plain(|request| {
        let list = request.path == "/api/v1/pods" && !request.watches();
        list.then(|| items_of(&[broken_pod("checkout", "Back-off pulling <b>image</b>")]))
    });
    let home = Home::with_kubeconfig(&server.kubeconfig()).env("DBUS_SESSION_BUS_ADDRESS", &bus.address);
    home.run(&["watch", "--for", "6s", "--notify", "-o", "json", "--db", ":memory:"])
}

fn notes_on_timeline(document: &Value) -> String {
    let entries = document["incidents"][0]["timeline"].as_array().cloned().unwrap_or_default();
    let texts = entries.iter().filter(|e| e["kind"] == "notification").filter_map(|e| e["text"].as_str());
    texts.collect::<Vec<_>>().join("; ")
}

#[test]
fn one_incident_is_one_notification_and_its_words_carry_no_markup() {
    let Some(bus) = Bus::start() else { return };
    let (_service, shown) = serve(&bus, Manner::Shows);
    let ended = watch(&bus);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let shown = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert_eq!(shown.len(), 1, "{shown:#?}");
    let (replaces, title, body) = &shown[0];
    assert_eq!(*replaces, 0);
    assert!(title.contains("checkout"), "{title}");
    assert!(!body.contains('<'), "{body}");
    let document = ended.document();
    assert_eq!(
        (document["incidents"][0]["notifications"].as_u64(), document["notifications_sent"].as_u64()),
        (Some(1), Some(1))
    );
}

#[test]
fn a_service_that_refuses_or_never_answers_costs_the_notification_only() {
    for manner in [Manner::Refuses, Manner::NeverAnswers] {
        let Some(bus) = Bus::start() else { return };
        let (_service, shown) = serve(&bus, manner);
        let ended = watch(&bus);
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert!(ended.took < Duration::from_secs(10), "{ended:#?}");
        assert!(shown.lock().unwrap_or_else(PoisonError::into_inner).is_empty());
        let document = ended.document();
        assert_eq!(document["incidents"].as_array().map(Vec::len), Some(1), "{document:#}");
        assert_eq!(document["notifications_sent"], 0, "{document:#}");
        if manner == Manner::Refuses {
            assert!(notes_on_timeline(&document).contains("do not disturb"), "{document:#}");
        }
    }
}

#[test]
fn the_doctor_names_the_service() {
    let Some(bus) = Bus::start() else { return };
    let (_service, _) = serve(&bus, Manner::Shows);
    let ended = Home::new().env("DBUS_SESSION_BUS_ADDRESS", &bus.address).run(&["doctor"]);
    let line = ended.stdout.lines().find(|l| l.contains("notifications")).unwrap_or_default();
    assert!(line.starts_with('✓') && line.contains("a test 1"), "{ended:#?}");
}

#[test]
fn a_bus_without_a_service_is_told() {
    let Some(bus) = Bus::start() else { return };
    let ended = Home::new().env("DBUS_SESSION_BUS_ADDRESS", &bus.address).run(&["doctor"]);
    assert!(ended.stdout.contains("No notification service runs"), "{ended:#?}");
}
