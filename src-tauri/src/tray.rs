//! The tray icon and its menu.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tauri::{
    AppHandle,
    image::Image,
    include_image,
    menu::{Menu, MenuBuilder, MenuEvent, MenuItemBuilder},
    tray::TrayIconBuilder,
};

use crate::{
    face::{Face, Outlook},
    shell::Shell,
};

const ID: &str = "afterwatch";
const OPEN: &str = "open";
const PAUSE: &str = "pause";
const RESUME: &str = "resume";
const LEAVE: &str = "leave-drill";
const QUIT: &str = "quit";
const INCIDENT: &str = "incident:";

/// Whether the desktop shows the icon. Looked up and kept here, since a closing window cannot wait for the answer.
static VISIBLE: AtomicBool = AtomicBool::new(!cfg!(target_os = "linux"));

/// What is shown now, so that only changes are drawn, or what is to be shown as soon as there is an icon. Whoever holds
/// it may wait for the main thread, and the main thread takes it only while there is no icon that could be waited for.
static SHOWN: Mutex<Option<Outlook>> = Mutex::new(None);

/// Whether the user can see the tray icon, and so find a closed window again.
pub fn is_visible() -> bool {
    VISIBLE.load(Ordering::SeqCst)
}

/// Makes the icon where the system can have one. Goes on without where it cannot.
pub fn start(app: &AppHandle) {
    if !has_library() {
        tracing::warn!("no tray icon: libayatana-appindicator3.so.1 is not installed");
        return;
    }
    let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let outlook = shown.take().unwrap_or_else(Outlook::starting);
    let built = menu(app, &outlook).and_then(|menu| {
        TrayIconBuilder::with_id(ID)
            .icon(icon(outlook.face))
            .icon_as_template(cfg!(target_os = "macos"))
            .tooltip(&outlook.sentence)
            .menu(&menu)
            .on_menu_event(chosen)
            .build(app)
    });
    match built {
        Ok(_) => {
            *shown = Some(outlook);
            #[cfg(target_os = "linux")]
            tauri::async_runtime::spawn(host::follow());
        }
        Err(error) => tracing::warn!(%error, "no tray icon"),
    }
}

/// Shows another outlook. Does nothing when it is shown already.
pub fn show(app: &AppHandle, outlook: Outlook) {
    let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let (Some(tray), Some(before)) = (app.tray_by_id(ID), shown.as_ref()) else {
        *shown = Some(outlook);
        return;
    };
    if *before == outlook {
        return;
    }
    let drawn = menu(app, &outlook).and_then(|menu| {
        tray.set_menu(Some(menu))?;
        tray.set_tooltip(Some(&outlook.sentence))?;
        if before.face == outlook.face {
            return Ok(());
        }
        tray.set_icon(Some(icon(outlook.face)))?;
        tray.set_icon_as_template(cfg!(target_os = "macos"))
    });
    match drawn {
        Ok(()) => *shown = Some(outlook),
        Err(error) => tracing::warn!(%error, "the tray icon could not be changed"),
    }
}

fn menu(app: &AppHandle, outlook: &Outlook) -> tauri::Result<Menu<tauri::Wry>> {
    let label = |text: &str| MenuItemBuilder::new(plain(text)).enabled(false).build(app);
    let item = |id: &str, text: &str| MenuItemBuilder::with_id(id, plain(text)).build(app);
    let mut menu = MenuBuilder::new(app).item(&label(&outlook.sentence)?).separator();
    for row in &outlook.incidents {
        menu = menu.item(&item(&format!("{INCIDENT}{}", row.id), &row.text)?);
    }
    if outlook.more > 0 {
        menu = menu.item(&item(OPEN, &format!("{} more…", outlook.more))?);
    }
    if !outlook.incidents.is_empty() {
        menu = menu.separator();
    }
    if let Some(title) = &outlook.drill {
        let title = afterwatch_core::words::clip(title, 50);
        menu = menu.item(&item(LEAVE, &format!("Leave the drill “{title}”"))?).separator();
    }
    let pause = if outlook.paused { item(RESUME, "Resume watching")? } else { item(PAUSE, "Pause watching")? };
    menu.item(&item(OPEN, "Open Afterwatch")?)
        .item(&pause)
        .separator()
        .item(&item(QUIT, "Quit: recording stops")?)
        .build()
}

/// An ampersand in a name is not the mark of a shortcut.
fn plain(text: &str) -> String {
    text.replace('&', "&&")
}

fn chosen(app: &AppHandle, event: MenuEvent) {
    let shell = Shell::of(app);
    match event.id().as_ref() {
        OPEN => shell.show_page(None, None),
        PAUSE => pause(shell, true),
        RESUME => pause(shell, false),
        LEAVE => {
            tauri::async_runtime::spawn(async move { shell.leave_drill().await });
        }
        QUIT => shell.quit(),
        other => {
            if let Some(id) = other.strip_prefix(INCIDENT) {
                let id = id.to_owned();
                tauri::async_runtime::spawn(async move { shell.go_to(Some(id), None).await });
            }
        }
    }
}

fn pause(shell: std::sync::Arc<Shell>, paused: bool) {
    tauri::async_runtime::spawn(async move {
        if let Ok(desk) = shell.open().await {
            crate::relay::set_paused(&shell, &desk, paused).await;
        }
    });
}

/// The drawing in colour, and the one in black that macOS paints itself.
macro_rules! drawing {
    ($colour:literal, $template:literal) => {{
        #[cfg(target_os = "macos")]
        const IMAGE: Image<'_> = include_image!($template);
        #[cfg(not(target_os = "macos"))]
        const IMAGE: Image<'_> = include_image!($colour);
        IMAGE
    }};
}

fn icon(face: Face) -> Image<'static> {
    match face {
        Face::Calm => drawing!("icons/tray-calm.png", "icons/tray-calm-template.png"),
        Face::Recovering => drawing!("icons/tray-recovering.png", "icons/tray-recovering-template.png"),
        Face::Critical => drawing!("icons/tray-critical.png", "icons/tray-critical-template.png"),
        Face::High => drawing!("icons/tray-high.png", "icons/tray-high-template.png"),
        Face::Medium => drawing!("icons/tray-medium.png", "icons/tray-medium-template.png"),
        Face::Blind => drawing!("icons/tray-blind.png", "icons/tray-blind-template.png"),
        Face::Paused => drawing!("icons/tray-paused.png", "icons/tray-paused-template.png"),
        Face::Starting => drawing!("icons/tray-starting.png", "icons/tray-starting-template.png"),
    }
}

/// The library that draws the icon on Linux is loaded at run time, and the crate that does it panics where it is
/// missing. So this looks first.
#[cfg(target_os = "linux")]
fn has_library() -> bool {
    ["libayatana-appindicator3.so.1", "libappindicator3.so.1"].iter().any(|name| {
        // SAFETY: these libraries have no initialisers with conditions; the very same load follows when the icon is
        // made.
        #[allow(unsafe_code)]
        let library = unsafe { libloading::Library::new(name) };
        library.is_ok()
    })
}

#[cfg(not(target_os = "linux"))]
fn has_library() -> bool {
    true
}

/// Whether anybody shows tray icons on this desktop. GNOME without an extension does not, and making one works there
/// all the same.
#[cfg(target_os = "linux")]
mod host {
    use std::{sync::atomic::Ordering, time::Duration};

    use zbus::{Connection, fdo, names::BusName};

    const WATCHER: &str = "org.kde.StatusNotifierWatcher";

    /// Keeps an eye on it as long as the app runs. Asked every few seconds rather than followed by signal: a panel
    /// that crashes and comes back takes a moment to say that it shows icons again.
    pub async fn follow() {
        let Ok(connection) = Connection::session().await else { return };
        loop {
            super::VISIBLE.store(shows(&connection).await.unwrap_or(false), Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    }

    async fn shows(connection: &Connection) -> zbus::Result<bool> {
        let bus = fdo::DBusProxy::new(connection).await?;
        if !bus.name_has_owner(BusName::try_from(WATCHER)?).await? {
            return Ok(false);
        }
        let watcher = zbus::Proxy::new(connection, WATCHER, "/StatusNotifierWatcher", WATCHER).await?;
        // A watcher without a host is a list nobody looks at. One that does not answer the question is taken at its
        // word that it is there.
        Ok(watcher.get_property("IsStatusNotifierHostRegistered").await.unwrap_or(true))
    }
}
