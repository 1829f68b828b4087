//! Puts the app together and runs it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use afterwatch_assistant::models::Models;
use tauri::{AppHandle, Manager, RunEvent};

use crate::{
    args::{Args, Asked},
    commands, notify,
    shell::Shell,
    tray, window,
};

/// A panel that starts with the session may take this long until it shows tray icons.
const TRAY_COMES: Duration = Duration::from_secs(10);

/// Runs until the app quits.
///
/// # Errors
/// When the system gives it no window.
pub fn run(args: Args, folder: PathBuf) -> tauri::Result<()> {
    // One runtime for everything that waits. The kubeconfig's plugins and the disk get threads of their own.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    tauri::async_runtime::set(runtime.handle().clone());

    let builder = tauri::Builder::default()
        // First, so that a second start ends here before it has touched anything.
        .plugin(tauri_plugin_single_instance::init(|app, argv, _| second_start(app, &argv)))
        .plugin(tauri_plugin_notification::init())
        .plugin(tauri_plugin_dialog::init())
        .plugin(window::remembered());
    #[cfg(not(target_os = "linux"))]
    let builder = builder.plugin(tauri_plugin_autostart::Builder::new().arg("--hidden").build());
    // Elsewhere the window says so itself (`window::create`).
    #[cfg(target_os = "macos")]
    let builder = builder.on_web_content_process_terminate(|page| window::page_crashed(page.app_handle()));
    let app = builder
        .invoke_handler(commands::handler())
        .setup(move |app| {
            start(app.handle(), &args, folder);
            Ok(())
        })
        .build(tauri::generate_context!())?;
    app.run(|app, event| match event {
        // The last window was closed, or the system asks the app to end (Cmd+Q, logging out).
        RunEvent::ExitRequested { code: None, api, .. } => {
            let shell = Shell::of(app);
            if !shell.is_quitting() {
                api.prevent_exit();
                if cfg!(target_os = "macos") && app.get_webview_window(window::LABEL).is_some() {
                    shell.quit();
                }
            }
        }
        #[cfg(target_os = "macos")]
        RunEvent::Reopen { .. } => window::show(app, None),
        // There a link does not come as an argument.
        #[cfg(target_os = "macos")]
        RunEvent::Opened { urls } => {
            for url in urls {
                show(&Shell::of(app), Asked::link(url.as_str()));
            }
        }
        _ => {}
    });
    Ok(())
}

fn start(app: &AppHandle, args: &Args, folder: PathBuf) {
    let notifier = notify::native(app);
    let shell = Shell::new(app.clone(), folder.join("afterwatch.db"), Models::new(folder.join("models")), notifier);
    app.manage(Arc::clone(&shell));
    let follows = Arc::clone(&shell);
    tauri::async_runtime::spawn(async move { follows.follow_models() });
    // What takes longest begins first: the history opens while the page loads.
    tauri::async_runtime::spawn(Arc::clone(&shell).keep_opening());
    if !args.hidden {
        window::show_here(app, None);
    }
    tray::start(app);
    if args.hidden {
        let app = app.clone();
        tauri::async_runtime::spawn(async move {
            tokio::time::sleep(TRAY_COMES).await;
            // Neither a window nor an icon: there would be no way to see it or to end it.
            if !tray::is_visible() {
                window::minimised(&app);
            }
            #[cfg(target_os = "linux")]
            crate::resident::settle(&app);
        });
    }
    if let Some(asked) = args.asked() {
        show(&shell, asked);
    }
    tauri::async_runtime::spawn(quit_on_signal(shell));
}

fn second_start(app: &AppHandle, argv: &[String]) {
    let args = Args::handed_over(argv);
    // The name on the bus is taken a moment before the rest is there.
    let Some(shell) = app.try_state::<Arc<Shell>>().map(|shell| Arc::clone(&shell)) else { return };
    match args.asked() {
        Some(asked) => show(&shell, asked),
        None if args.hidden => {}
        None => shell.show_page(None, None),
    }
}

/// Shows what a start asked for.
fn show(shell: &Arc<Shell>, asked: Asked) {
    match asked {
        Asked::Incident(name) => {
            let shell = Arc::clone(shell);
            tauri::async_runtime::spawn(async move { shell.show_incident(&name).await });
        }
        Asked::Nowhere(words) => {
            shell.show_page(None, None);
            shell.say(words);
        }
    }
}

/// Ends the app properly when the session or a terminal ends it.
async fn quit_on_signal(shell: Arc<Shell>) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
        for kind in kinds {
            let Ok(mut arrived) = signal(kind) else { continue };
            let shell = Arc::clone(&shell);
            tokio::spawn(async move {
                if arrived.recv().await.is_some() {
                    shell.end();
                }
            });
        }
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_ok() {
        shell.end();
    }
}

/// Says what to do where no window can be opened, before GTK says something worse.
///
/// # Errors
/// When there is no display, with the words for a person.
pub fn display() -> Result<(), &'static str> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if cfg!(target_os = "linux") && !set("DISPLAY") && !set("WAYLAND_DISPLAY") {
        return Err(
            "Afterwatch opens a window, and there is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set).\n\
                    In a terminal use the command line: kubectl-afterwatch scan, or kubectl-afterwatch watch.",
        );
    }
    Ok(())
}
