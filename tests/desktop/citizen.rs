//! Manners on the desktop: links, starting at login, the window's place, notifications that do not pile up.

use crate::{
    frame::start,
    support::{
        alone,
        desktop::{Desktop, Offers},
        eventually, story, watched,
        window::{Window, lives, signal},
        x11::Screen,
    },
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_shows_its_incident_a_bad_one_says_so_and_a_click_brings_the_desktops_token() {
    let _alone = alone().await;
    let (stub, desktop, window) = watched(Offers::default()).await;
    story::crash(&stub);
    let notifications = desktop.notifications.as_ref().unwrap();
    let shown = notifications.wait("the notification", |s| s.title.contains(story::NAME)).await;
    assert_eq!(shown.entry.as_deref(), Some("Afterwatch"), "the desktop finds our entry by it");

    assert!(start(&desktop, &["afterwatch://incident/1"]).await.success());
    let title = window.find("#incident-title").await;
    assert!(title.text().await.unwrap().contains(story::NAME));
    assert!(start(&desktop, &["afterwatch://quit/now"]).await.success());
    window.reads("The link afterwatch://quit/now leads nowhere.").await;

    // Without the token that the desktop gives with the click, nobody may come to the front.
    notifications.press_with_token(shown.id, "default", "test_TIME4242").await;
    let screen = Screen::of(&desktop.display);
    let frame = screen.visible("Afterwatch").expect("the window is visible");
    eventually("the token on the window", async || {
        (screen.text(frame, "_NET_STARTUP_ID").as_deref() == Some("test_TIME4242")).then_some(())
    })
    .await;
    window.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starting_at_login_is_off_until_asked_for_and_then_hidden() {
    let _alone = alone().await;
    let desktop = Desktop::start(Offers::default()).await;
    let window = Window::open(&desktop).await;
    let entry = desktop.home.join("config/autostart/afterwatch.desktop");
    assert_eq!(window.invoke("autostart", "{}").await, false);
    assert!(!entry.exists());

    window.invoke("set_autostart", "{on: true}").await;
    assert_eq!(window.invoke("autostart", "{}").await, true);
    let text = std::fs::read_to_string(&entry).unwrap();
    let exec = text.lines().find_map(|line| line.strip_prefix("Exec=")).expect("an Exec line");
    assert_eq!(exec, format!("\"{}\" --hidden", crate::support::window::app().canonicalize().unwrap().display()));

    window.invoke("set_autostart", "{on: false}").await;
    assert_eq!(window.invoke("autostart", "{}").await, false);
    assert!(!entry.exists());
    window.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_window_comes_back_at_the_size_it_had() {
    let _alone = alone().await;
    let desktop = Desktop::start(Offers::default()).await;
    let window = Window::open(&desktop).await;
    window.client.set_window_size(1010, 707).await.unwrap();
    eventually("the new size", async || (window.size().await == (1010, 707)).then_some(())).await;
    // Not by the driver, which takes the window away as no person can.
    let pid = window.pid();
    signal(pid, "TERM").await;
    eventually("the app to end", async || (!lives(pid)).then_some(())).await;
    drop(window);

    let window = Window::open(&desktop).await;
    eventually("the size it had", async || (window.size().await == (1010, 707)).then_some(())).await;
    window.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_incidents_at_once_are_one_notification_and_the_tray_lists_five() {
    let _alone = alone().await;
    let (stub, desktop, window) = watched(Offers::default()).await;
    // What is broken while watching begins is told as one summary: that moment has to be over.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    for n in 0..7 {
        story::stray(&stub, &format!("stray-{n}"));
    }
    let notifications = desktop.notifications.as_ref().unwrap();
    let all = notifications.wait("one for all", |s| s.title == "7 incidents opened").await;
    assert!(all.body.starts_with("Worst: ") && all.body.contains("kind-dev / shop"), "{all:?}");
    assert_eq!(all.actions, ["default", "Open"], "there is no one incident to acknowledge");
    let ids: std::collections::BTreeSet<u32> = notifications.all().iter().map(|s| s.id).collect();
    assert_eq!(ids.len(), 1, "it took the place of the first: {:?}", notifications.all());

    let rows = desktop.tray.as_ref().unwrap().menu().await;
    assert_eq!(rows.iter().filter(|row| row.label.contains("stray-") && row.enabled).count(), 5, "{rows:?}");
    assert!(rows.iter().any(|row| row.label == "2 more…"), "{rows:?}");
    window.close().await;
}
