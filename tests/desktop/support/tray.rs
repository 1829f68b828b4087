//! A tray: it takes icons in, looks at them, opens their menu and clicks in it.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use zbus::{
    Connection, connection,
    message::Header,
    zvariant::{OwnedObjectPath, OwnedValue, Structure, Value},
};

use super::{eventually, within};

const WATCHER: &str = "org.kde.StatusNotifierWatcher";
const ITEM: &str = "org.kde.StatusNotifierItem";
const MENU: &str = "com.canonical.dbusmenu";

/// The program that put an icon into the tray: its name on the bus, and where the icon is.
type Item = (String, String);

/// A part of the menu: its id, what it looks like, what is in it.
type Layout = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

/// The tray of one session bus.
pub struct TrayHost {
    connection: Connection,
    items: Arc<Mutex<Vec<Item>>>,
}

/// A row of the menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    id: i32,
    pub label: String,
    pub enabled: bool,
}

impl TrayHost {
    pub async fn start(bus: &str) -> TrayHost {
        let items: Arc<Mutex<Vec<Item>>> = Arc::default();
        let watcher = Watcher { items: Arc::clone(&items) };
        let connection = connection::Builder::address(bus)
            .and_then(|b| b.name(WATCHER))
            .and_then(|b| b.serve_at("/StatusNotifierWatcher", watcher))
            .expect("the watcher's name and path")
            .build()
            .await
            .expect("the session bus");
        TrayHost { connection, items }
    }

    /// Waits until the icon is the one from `icons/`.
    pub async fn shows(&self, name: &str) {
        // Long: an incident has to be well for a while before it counts as recovering.
        const PATIENCE: Duration = Duration::from_secs(90);
        let wanted = pixels(&repository().join("icons").join(format!("tray-{name}.png")));
        assert!(wanted.is_some(), "icons/tray-{name}.png");
        within(PATIENCE, &format!("the tray to show {name}"), async || (self.icon().await == wanted).then_some(()))
            .await;
    }

    /// The rows of the menu, separators left out.
    pub async fn menu(&self) -> Vec<Row> {
        eventually("the tray's menu", async || self.layout().await).await
    }

    /// Clicks the row with these words.
    pub async fn click(&self, label: &str) {
        let row = eventually(&format!("`{label}` in the tray's menu"), async || {
            self.menu().await.into_iter().find(|row| row.label == label)
        })
        .await;
        let (name, path) = self.menu_place().await.expect("the menu");
        let event = (row.id, "clicked", Value::from(0i32), 0u32);
        self.connection.call_method(Some(name), path, Some(MENU), "Event", &event).await.expect("a click in the menu");
    }

    async fn icon(&self) -> Option<(u32, u32, Vec<u8>)> {
        let (name, path) = self.item()?;
        let item = zbus::Proxy::new(&self.connection, name, path, ITEM).await.ok()?;
        // Asked anew every time: the program says that it changed by a signal of its own kind.
        let icon: OwnedValue = item
            .connection()
            .call_method(
                Some(item.destination()),
                item.path(),
                Some("org.freedesktop.DBus.Properties"),
                "Get",
                &(ITEM, "IconName"),
            )
            .await
            .ok()?
            .body()
            .deserialize()
            .ok()?;
        let icon: String = icon.try_into().ok()?;
        let path = PathBuf::from(icon);
        pixels(&if path.extension().is_some() { path } else { path.with_extension("png") })
    }

    async fn layout(&self) -> Option<Vec<Row>> {
        let (name, path) = self.menu_place().await?;
        let none: Vec<&str> = Vec::new();
        let answer =
            self.connection.call_method(Some(name), path, Some(MENU), "GetLayout", &(0i32, -1i32, none)).await.ok()?;
        let body = answer.body();
        let (_, (_, _, children)): (u32, Layout) = body.deserialize().ok()?;
        let rows: Vec<Row> = children.into_iter().filter_map(row).collect();
        (!rows.is_empty()).then_some(rows)
    }

    async fn menu_place(&self) -> Option<(String, OwnedObjectPath)> {
        let (name, path) = self.item()?;
        let item = zbus::Proxy::new(&self.connection, name.clone(), path, ITEM).await.ok()?;
        let menu: OwnedObjectPath = item.get_property("Menu").await.ok()?;
        Some((name, menu))
    }

    fn item(&self) -> Option<Item> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner).last().cloned()
    }
}

fn row(child: OwnedValue) -> Option<Row> {
    let structure: Structure<'_> = (&*child).try_into().ok()?;
    let fields = structure.fields();
    let id = i32::try_from(fields.first()?).ok()?;
    let properties: HashMap<String, OwnedValue> = fields.get(1)?.try_clone().ok()?.try_into().ok()?;
    let label = String::try_from(properties.get("label")?.try_clone().ok()?).ok()?;
    let enabled = properties.get("enabled").is_none_or(|value| !matches!(**value, Value::Bool(false)));
    // An underscore marks a shortcut; two are one.
    Some(Row { id, label: label.replace("__", "\u{0}").replace('_', "").replace('\u{0}', "_"), enabled })
}

/// The picture, however it was compressed.
fn pixels(path: &Path) -> Option<(u32, u32, Vec<u8>)> {
    let mut decoder = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(path).ok()?));
    decoder.set_transformations(png::Transformations::ALPHA | png::Transformations::STRIP_16);
    let mut reader = decoder.read_info().ok()?;
    let mut bytes = vec![0; reader.output_buffer_size()?];
    let info = reader.next_frame(&mut bytes).ok()?;
    bytes.truncate(info.buffer_size());
    Some((info.width, info.height, bytes))
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

struct Watcher {
    items: Arc<Mutex<Vec<Item>>>,
}

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    fn register_status_notifier_item(&self, service: String, #[zbus(header)] header: Header<'_>) {
        let sender = header.sender().map(ToString::to_string).unwrap_or_default();
        // Either the path of the icon, or the name of a program with the icon in the usual place.
        let item =
            if service.starts_with('/') { (sender, service) } else { (service, "/StatusNotifierItem".to_owned()) };
        self.items.lock().unwrap_or_else(PoisonError::into_inner).push(item);
    }

    fn register_status_notifier_host(&self, _service: String) {}

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }

    #[zbus(property)]
    fn registered_status_notifier_items(&self) -> Vec<String> {
        let items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        items.iter().map(|(name, path)| format!("{name}{path}")).collect()
    }
}
