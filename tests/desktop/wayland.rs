//! What is another way on Wayland than on X11, under a compositor without a screen (sway).

use std::{
    os::unix::fs::{MetadataExt, chown},
    path::PathBuf,
    process::Stdio,
};

use tokio::process::Child;

use crate::support::{
    alone, calm,
    desktop::{Desktop, Offers, tied},
    eventually, story,
    window::Window,
};

/// Nobody: sway starts for no root.
const NOBODY: u32 = 65_534;

/// A compositor, and where it listens.
async fn compositor(desktop: &Desktop) -> (Child, PathBuf) {
    let folder = desktop.home.join("wayland");
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut sway = tied("setpriv");
    if std::fs::metadata(&folder).expect("the folder").uid() == 0 {
        chown(&folder, Some(NOBODY), Some(NOBODY)).expect("its owner");
        sway.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()]);
    }
    sway.args(["--pdeathsig", "KILL", "sway", "--config", "/dev/null"]);
    sway.env_clear().envs(desktop.environment()).env_remove("DISPLAY").env("XDG_RUNTIME_DIR", &folder);
    sway.envs([("WLR_BACKENDS", "headless"), ("WLR_RENDERER", "pixman"), ("WLR_LIBINPUT_NO_DEVICES", "1")]);
    let log = std::fs::File::create(desktop.home.join("sway.log")).expect("a log file");
    let sway = sway.stdout(Stdio::null()).stderr(log).spawn().expect("setpriv, from util-linux");
    let socket = folder.join("wayland-1");
    eventually("the compositor", async || socket.exists().then_some(())).await;
    (sway, socket)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_wayland_a_click_spends_the_desktops_token_on_the_window() {
    let _alone = alone().await;
    let (stub, desktop) = calm(Offers::default()).await;
    let (_compositor, socket) = compositor(&desktop).await;

    let wayland = [
        ("WAYLAND_DISPLAY", socket.to_str().expect("a path")),
        ("GDK_BACKEND", "wayland"),
        ("WAYLAND_DEBUG", "client"),
    ];
    let window = Window::open_with(&desktop, &wayland).await;
    window.watch("kind-dev").await;
    story::crash(&stub);
    let notifications = desktop.notifications.as_ref().expect("a service");
    let shown = notifications.wait("the notification", |s| s.title.contains(story::NAME)).await;
    notifications.press_with_token(shown.id, "default", "of-the-click").await;
    let told = || std::fs::read_to_string(desktop.home.join("app.log")).unwrap_or_default();
    let spent =
        |line: &str| line.contains("xdg_activation_v1@") && line.contains(".activate(\"of-the-click\", wl_surface@");
    eventually("the token at the compositor", async || told().lines().any(spent).then_some(())).await;
    window.close().await;
}
