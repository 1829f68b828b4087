//! What ends without being asked to: the page, the display. What was written stays, and the app comes back.

use crate::support::{
    alone,
    desktop::Offers,
    eventually, story, watched,
    window::{Window, lives, page_process, signal},
    x11::Screen,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_page_is_loaded_again_once_and_then_a_person_decides() {
    let _alone = alone().await;
    let (stub, desktop, window) = watched(Offers::default()).await;
    story::crash(&stub);
    window.click_incident(story::NAME).await;
    let note = "Typed before the page was killed.";
    window.find("textarea[data-notes]").await.send_keys(note).await.unwrap();
    eventually("the note to be saved", async || {
        let text = window.text().await;
        (text.contains("Saved ") && !text.contains("Saving")).then_some(())
    })
    .await;
    let (app, page) = (window.pid(), page_process(window.pid()).expect("a process draws the page"));

    signal(page, "KILL").await;
    let again = eventually("a new page", async || page_process(app).filter(|pid| *pid != page)).await;
    // The session of the driver ended with the page. A page that asked the app what there is to say is alive.
    let log = || std::fs::read_to_string(desktop.data().join("afterwatch.log")).unwrap_or_default();
    eventually("the new page to say so", async || {
        log().contains("told in the window: The window crashed and was loaded again.").then_some(())
    })
    .await;
    assert_eq!(desktop.cli(&["notes", "1"]).await.trim(), note);

    // Again at once: it is not loaded for ever and ever.
    signal(again, "KILL").await;
    let screen = Screen::of(&desktop.display);
    eventually("the question", async || screen.visible("The window crashed again")).await;
    assert!(lives(app), "the recording goes on");
    desktop.tray.as_ref().unwrap().click("Quit: recording stops").await;
    eventually("the app to end", async || (!lives(app)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_display_goes_away_the_record_is_whole_and_the_next_start_finds_it() {
    let _alone = alone().await;
    let (stub, mut desktop, window) = watched(Offers::default()).await;
    story::crash(&stub);
    desktop.notifications.as_ref().unwrap().wait("the notification", |s| s.title.contains(story::NAME)).await;
    let app = window.pid();
    drop(window);
    desktop.restart_display().await;
    // GTK ends a program that loses its X server.
    eventually("the app to end", async || (!lives(app)).then_some(())).await;

    let window = Window::open(&desktop).await;
    window.click_incident(story::NAME).await;
    let page = window.text().await;
    assert!(page.contains("INC-1"), "the same incident, not a second one: {page}");
    assert!(!page.contains("damaged") && !page.contains("INC-2"), "{page}");
    let again: Vec<_> =
        desktop.notifications.as_ref().unwrap().all().into_iter().filter(|s| s.title.contains(story::NAME)).collect();
    assert_eq!(again.len(), 1, "it is not announced twice: {again:?}");
    let log = std::fs::read_to_string(desktop.data().join("afterwatch.log")).unwrap();
    assert!(!log.contains("panicked"), "{log}");
    window.close().await;
}
