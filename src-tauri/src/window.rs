//! The one window: it can be closed and made again while the app keeps watching in the tray.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tauri::{
    AppHandle, Manager, WebviewUrl, WebviewWindow, WebviewWindowBuilder, WindowEvent, Wry, plugin::TauriPlugin,
    webview::PageLoadEvent,
};
use tauri_plugin_dialog::{DialogExt, MessageDialogButtons, MessageDialogKind};
use tauri_plugin_notification::NotificationExt;
use tauri_plugin_window_state::{AppHandleExt, StateFlags};

use crate::{shell::Shell, tray};

/// The window's label in tauri.conf.json and in its capability.
pub const LABEL: &str = "main";

/// A hidden window's page is kept this long, so that it can send what was typed last and comes back at once when it
/// is wanted again. After that it is destroyed: it holds more memory than all the rest of the app.
const KEEP_HIDDEN: Duration = Duration::from_secs(20);

/// A page that crashes again within this time after it was loaded anew would go on crashing.
const CRASHES_AGAIN: Duration = Duration::from_secs(60);

/// What is remembered of the window. Not whether it was visible: that is decided at every start.
const REMEMBERED: StateFlags = StateFlags::SIZE.union(StateFlags::POSITION).union(StateFlags::MAXIMIZED);

/// Remembers that it was said that closing the window keeps watching.
const SAID: &str = "said_closing_keeps_watching";

/// Whether the page of a closed window may go.
#[derive(Debug, Default)]
pub struct Closing {
    /// Closes are numbered: the timer of an earlier one means nothing once the window was shown and closed again.
    newest: AtomicU64,
    /// Something typed is in the page alone.
    unsaved: AtomicBool,
}

/// What to do with a page whose window was closed a while ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It is seen again, or a later close has its own timer.
    Leave,
    /// It holds what is not saved yet.
    Wait,
    Destroy,
}

impl Closing {
    /// The window was closed; the number stands for this close.
    fn begin(&self) -> u64 {
        self.newest.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn verdict(&self, close: u64, visible: bool) -> Verdict {
        match self.newest.load(Ordering::SeqCst) == close && !visible {
            false => Verdict::Leave,
            true if self.unsaved() => Verdict::Wait,
            true => Verdict::Destroy,
        }
    }

    /// Whether the page holds what is not saved.
    pub fn unsaved(&self) -> bool {
        self.unsaved.load(Ordering::SeqCst)
    }

    /// The page says so whenever that changes.
    pub fn set_unsaved(&self, unsaved: bool) {
        self.unsaved.store(unsaved, Ordering::SeqCst);
    }
}

/// Puts the window back where it was, at the size it had, whenever it is made.
pub fn remembered() -> TauriPlugin<Wry> {
    tauri_plugin_window_state::Builder::new().with_state_flags(REMEMBERED).build()
}

/// Makes the window minimised, unless there is one already.
pub fn minimised(app: &AppHandle) {
    let handle = app.clone();
    let made = app.run_on_main_thread(move || {
        if handle.get_webview_window(LABEL).is_some() {
            return;
        }
        // Minimised before it is shown where the system can do that, so that it does not flash up.
        let shown = create(&handle).and_then(|window| {
            window.minimize()?;
            window.show()?;
            window.minimize()
        });
        if let Err(error) = shown {
            tracing::error!(%error, "the window cannot be made");
        }
    });
    if let Err(error) = made {
        tracing::error!(%error, "the window's thread is gone");
    }
}

/// Brings the window to the front, making it where there is none.
pub fn show(app: &AppHandle, token: Option<String>) {
    let handle = app.clone();
    if let Err(error) = app.run_on_main_thread(move || show_here(&handle, token)) {
        tracing::error!(%error, "the window's thread is gone");
    }
}

/// The same on the main thread. `token` is the desktop's permission to come to the front.
pub fn show_here(app: &AppHandle, token: Option<String>) {
    let window = match app.get_webview_window(LABEL) {
        Some(window) => Ok(window),
        None => create(app),
    };
    let shown = window.and_then(|window| {
        #[cfg(target_os = "linux")]
        if let Some(token) = token {
            crate::raise::allow(&window, &token)?;
        }
        #[cfg(not(target_os = "linux"))]
        drop(token);
        window.show()?;
        window.unminimize()?;
        window.set_focus()
    });
    if let Err(error) = shown {
        tracing::error!(%error, "the window cannot be shown");
    }
}

/// Takes the window from the screen at once. Says whether there was one.
pub fn hide(app: &AppHandle) -> bool {
    let Some(window) = app.get_webview_window(LABEL) else { return false };
    if let Err(error) = window.hide() {
        tracing::warn!(%error, "the window cannot be hidden");
    }
    true
}

/// Loads the page anew on its first screen, if there is one: what was open belongs to another record.
pub fn begin_anew(app: &AppHandle) {
    let first = "history.replaceState(null, '', '#/incidents'); location.reload()";
    if let Some(window) = app.get_webview_window(LABEL)
        && let Err(error) = window.eval(first)
    {
        tracing::warn!(%error, "the page does not begin anew");
    }
}

/// Loads the page anew, if there is one.
pub fn reload(app: &AppHandle) {
    if let Some(window) = app.get_webview_window(LABEL)
        && let Err(error) = window.reload()
    {
        tracing::warn!(%error, "the page is not loaded anew");
    }
}

fn create(app: &AppHandle) -> tauri::Result<WebviewWindow> {
    let config = app.config().app.windows.iter().find(|w| w.label == LABEL).cloned();
    let builder = match &config {
        Some(config) => WebviewWindowBuilder::from_config(app, config)?,
        None => WebviewWindowBuilder::new(app, LABEL, WebviewUrl::default()),
    };
    let loading = app.clone();
    let window = builder
        // The page comes from the program itself; whatever asks for another page is text from a cluster gone wrong.
        .on_navigation(|url| is_ours(url.scheme(), url.host_str()))
        .on_page_load(move |_, load| {
            if load.event() == PageLoadEvent::Started {
                Shell::of(&loading).page_gone();
            }
        })
        .build()?;
    #[cfg(target_os = "linux")]
    {
        let app = app.clone();
        window.with_webview(move |page| {
            use webkit2gtk::WebViewExt;
            page.inner().connect_web_process_terminated(move |_, why| {
                tracing::error!(?why, "the window's page is gone");
                page_crashed(&app);
            });
        })?;
    }
    let closing = window.clone();
    window.on_window_event(move |event| match event {
        WindowEvent::CloseRequested { api, .. } => {
            let shell = Shell::of(closing.app_handle());
            if !shell.is_quitting() {
                api.prevent_close();
                close(&closing);
            }
        }
        WindowEvent::Destroyed => {
            let app = closing.app_handle();
            Shell::of(app).page_gone();
            #[cfg(target_os = "linux")]
            crate::resident::settle(app);
        }
        _ => {}
    });
    Ok(window)
}

/// The process that draws the page ended. The page is loaded anew once, and says so; one that crashes again at once
/// would go on for ever, so then a person decides. The recording does not happen in that process, and goes on.
pub fn page_crashed(app: &AppHandle) {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    let shell = Shell::of(app);
    shell.page_gone();
    let Some(window) = app.get_webview_window(LABEL) else { return };
    if !window.is_visible().unwrap_or(true) {
        // Nobody looks at it, and the next one who does gets a new one.
        if let Err(error) = window.destroy() {
            tracing::warn!(%error, "the hidden window stays in memory");
        }
        return;
    }
    let before = LAST.lock().unwrap_or_else(PoisonError::into_inner).replace(Instant::now());
    if before.is_some_and(|at| at.elapsed() < CRASHES_AGAIN) {
        return ask_crashed(&window);
    }
    reload(app);
    shell.say("The window crashed and was loaded again. Recording went on. What was typed last may be missing.".into());
}

fn ask_crashed(window: &WebviewWindow) {
    let app = window.app_handle().clone();
    window
        .dialog()
        .message(
            "The window crashed twice within a minute. Recording goes on. The log beside the database says more; in a \
             terminal, kubectl-afterwatch incidents shows the same record.",
        )
        .title("The window crashed again")
        .kind(MessageDialogKind::Error)
        .parent(window)
        .buttons(MessageDialogButtons::OkCancelCustom("Load it again".into(), "Leave it".into()))
        .show(move |again| {
            if again {
                reload(&app);
            }
        });
}

fn is_ours(scheme: &str, host: Option<&str>) -> bool {
    match scheme {
        "tauri" | "about" => true,
        // Windows serves the page from http(s)://tauri.localhost, `tauri dev` from Vite.
        "http" | "https" => host == Some("tauri.localhost") || (cfg!(dev) && host == Some("localhost")),
        _ => false,
    }
}

/// The window's close button.
fn close(window: &WebviewWindow) {
    if !tray::is_visible() {
        return ask(window);
    }
    let app = window.app_handle().clone();
    // The plugin itself writes it down only when the app quits in order.
    if let Err(error) = app.save_window_state(REMEMBERED) {
        tracing::warn!(%error, "the window's place is not remembered");
    }
    let close = Shell::of(&app).closing.begin();
    hide(&app);
    tauri::async_runtime::spawn(async move {
        say_once(&app).await;
        loop {
            tokio::time::sleep(KEEP_HIDDEN).await;
            let Some(window) = app.get_webview_window(LABEL) else { return };
            match Shell::of(&app).closing.verdict(close, window.is_visible().unwrap_or(true)) {
                Verdict::Wait => tracing::info!("the hidden page is kept: something typed in it is not saved"),
                Verdict::Leave => return,
                Verdict::Destroy => {
                    if let Err(error) = window.destroy() {
                        tracing::warn!(%error, "the hidden window stays in memory");
                    }
                    return;
                }
            }
        }
    });
}

/// Without a tray a closed window could not be found again, so nothing happens without a word.
fn ask(window: &WebviewWindow) {
    let shell = Shell::of(window.app_handle());
    let window = window.clone();
    window
        .clone()
        .dialog()
        .message("This desktop shows no tray icon. Afterwatch can keep watching in a minimised window. When it quits, recording stops.")
        .title("Keep watching?")
        .kind(MessageDialogKind::Info)
        .parent(&window)
        // Esc and the dialog's own close button answer no: quitting is what must be said.
        .buttons(MessageDialogButtons::OkCancelCustom("Quit".into(), "Keep watching".into()))
        .show(move |quit| {
            if quit {
                shell.quit();
            } else if let Err(error) = window.minimize() {
                tracing::warn!(%error, "the window cannot be minimised");
            }
        });
}

/// Shows the window again and asks: what was typed in it would be gone.
pub fn ask_unsaved(app: &AppHandle) {
    show(app, None);
    let shell = Shell::of(app);
    let mut dialog = app
        .dialog()
        .message("Something typed in the window is not saved yet. It is lost when Afterwatch quits now.")
        .title("Quit without saving?")
        .kind(MessageDialogKind::Warning)
        .buttons(MessageDialogButtons::OkCancelCustom("Quit without saving".into(), "Stay".into()));
    if let Some(window) = app.get_webview_window(LABEL) {
        dialog = dialog.parent(&window);
    }
    dialog.show(move |quit| {
        if quit {
            shell.end();
        }
    });
}

/// Says, the first time only, that closing the window does not stop the watch.
async fn say_once(app: &AppHandle) {
    let shell = Shell::of(app);
    let Some(desk) = shell.desk_now() else { return };
    if !matches!(desk.engine.setting(SAID).await, Ok(None)) {
        return;
    }
    // Nothing depends on this note, it has no button and replaces nothing: the plugin does it on every system.
    let shown = app
        .notification()
        .builder()
        .title("Afterwatch keeps watching")
        .body("It is in the tray. To stop recording, choose Quit there.")
        .show();
    match shown {
        Ok(()) => {
            if let Err(error) = desk.engine.set_setting(SAID, serde_json::json!(true)).await {
                tracing::warn!(%error, "it will be said again that closing keeps watching");
            }
        }
        Err(error) => tracing::warn!(%error, "it could not be said that closing keeps watching"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_page_goes_unless_it_is_seen_closed_again_or_holds_what_is_not_saved() {
        let closing = Closing::default();
        let first = closing.begin();
        assert_eq!(closing.verdict(first, true), Verdict::Leave);
        assert_eq!(closing.verdict(first, false), Verdict::Destroy);
        closing.set_unsaved(true);
        assert_eq!(closing.verdict(first, false), Verdict::Wait);
        closing.set_unsaved(false);
        let second = closing.begin();
        assert_eq!(closing.verdict(first, false), Verdict::Leave);
        assert_eq!(closing.verdict(second, false), Verdict::Destroy);
    }

    #[test]
    fn the_window_goes_nowhere_but_to_its_own_pages() {
        assert!(is_ours("tauri", Some("localhost")));
        assert!(is_ours("http", Some("tauri.localhost")));
        assert!(!is_ours("https", Some("example.com")));
        assert!(!is_ours("file", None));
        assert!(!is_ours("data", None));
    }
}
