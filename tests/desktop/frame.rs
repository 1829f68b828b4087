//! The frame around the page: closing, the tray, a second start.

use std::process::Stdio;

use tokio::process::Command;

use crate::support::{
    alone,
    desktop::{Desktop, Offers},
    eventually, story, watched,
    window::{Window, app, lives, page_process},
    x11::Screen,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_window_watches_on_in_the_tray_comes_back_and_quits_from_there() {
    let _alone = alone().await;
    let desktop = Desktop::start(Offers::default()).await;
    let (notifications, tray) = (desktop.notifications.as_ref().unwrap(), desktop.tray.as_ref().unwrap());
    let window = Window::open(&desktop).await;
    let pid = window.pid();
    let screen = Screen::of(&desktop.display);
    // The shell looks for a tray every few seconds.
    window.until_tray().await;

    let frame = screen.visible("Afterwatch").expect("the window is visible");
    screen.close(frame);
    eventually("the window to go", async || screen.visible("Afterwatch").is_none().then_some(())).await;
    let said = notifications.wait("the word that it goes on", |s| s.title.contains("keeps watching")).await;
    assert!(said.body.contains("tray"), "{said:?}");
    assert!(lives(pid));

    tray.click("Open Afterwatch").await;
    eventually("the window to come back", async || screen.visible("Afterwatch")).await;
    window.find("main").await;

    tray.click("Pause watching").await;
    tray.shows("paused").await;
    tray.click("Resume watching").await;
    tray.shows("calm").await;

    tray.click("Quit: recording stops").await;
    eventually("the app to end", async || (!lives(pid)).then_some(())).await;
    assert_eq!(notifications.all().len(), 1, "it is said once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_tray_closing_asks_and_the_window_stays() {
    let _alone = alone().await;
    let desktop = Desktop::start(Offers { tray: false, ..Offers::default() }).await;
    let window = Window::open(&desktop).await;
    let pid = window.pid();
    let screen = Screen::of(&desktop.display);
    screen.close(screen.visible("Afterwatch").expect("the window is visible"));
    let question = eventually("the question", async || screen.visible("Keep watching?")).await;
    assert!(screen.visible("Afterwatch").is_some() && lives(pid));
    window.find("main").await;
    // Dismissed without an answer: that is no wish to quit.
    screen.close(question);
    eventually("the question to go", async || screen.visible("Keep watching?").is_none().then_some(())).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert!(lives(pid));
    window.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn started_hidden_without_a_tray_it_can_still_be_found() {
    let _alone = alone().await;
    let desktop = Desktop::start(Offers { tray: false, ..Offers::default() }).await;
    let mut hidden = Command::new(app());
    hidden.arg("--hidden").env_clear().envs(desktop.environment()).stdin(Stdio::null()).kill_on_drop(true);
    let _running = hidden.spawn().unwrap();
    let screen = Screen::of(&desktop.display);
    // No window manager keeps it minimised here, so it is seen.
    eventually("the window", async || screen.visible("Afterwatch")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_start_hands_its_incident_to_the_first_and_a_button_acknowledges_it() {
    let _alone = alone().await;
    let (stub, desktop, window) = watched(Offers::default()).await;
    story::crash(&stub);
    let notifications = desktop.notifications.as_ref().unwrap();
    let shown = notifications.wait("the notification", |s| s.title.contains(story::NAME)).await;

    let second = start(&desktop, &["--open", "INC-1"]).await;
    assert!(second.success(), "{second}");
    let title = window.find("#incident-title").await;
    assert!(title.text().await.unwrap().contains(story::NAME));

    // One that does not exist is said, and changes nothing.
    assert!(start(&desktop, &["--open", "INC-99"]).await.success());
    window.reads("There is no incident INC-99").await;

    // The notification is still on the screen: its button takes the incident on without the window.
    notifications.press(shown.id, "acknowledge").await;
    desktop.tray.as_ref().unwrap().shows("calm").await;
    window.reads("Acknowledged").await;
    window.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_graphics_card_the_page_has_no_layers_and_a_user_may_say_otherwise() {
    let _alone = alone().await;
    // The tests' desktop has OpenGL by the processor, whatever the machine has.
    let desktop = Desktop::start(Offers::default()).await;
    for (said, is) in [(None, "1"), (Some("0"), "0")] {
        let more: Vec<_> = said.map(|value| ("WEBKIT_DISABLE_COMPOSITING_MODE", value)).into_iter().collect();
        let window = Window::open_with(&desktop, &more).await;
        let page = page_process(window.pid()).expect("the process of the page");
        let environment = std::fs::read(format!("/proc/{page}/environ")).expect("its environment");
        let wanted = format!("WEBKIT_DISABLE_COMPOSITING_MODE={is}");
        let told = environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes());
        assert!(told, "{}", String::from_utf8_lossy(&environment));
        window.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_display_it_says_what_to_use_instead() {
    let output = Command::new(app())
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap_or_default())
        .env("HOME", std::env::temp_dir())
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("no display") && words.contains("kubectl-afterwatch"), "{words}");
    assert!(!words.contains("panicked"), "{words}");
}

/// Starts the app once more and waits for its end.
pub async fn start(desktop: &Desktop, args: &[&str]) -> std::process::ExitStatus {
    let mut second = Command::new(app());
    second.args(args).env_clear().envs(desktop.environment()).stdin(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(20), second.status()).await;
    ended.expect("the second start ends").unwrap()
}
