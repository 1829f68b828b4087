//! From the choice of a cluster to the saved post-mortem, with a power cut in between.

use crate::support::{
    self, alone, calm,
    desktop::Offers,
    eventually, story,
    window::{Window, lives, signal},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_is_notified_opened_noted_survives_a_kill_and_is_written_up() {
    let _alone = alone().await;
    let (stub, desktop) = calm(Offers::default()).await;
    let (notifications, tray) = (desktop.notifications.as_ref().unwrap(), desktop.tray.as_ref().unwrap());

    // Nothing is watched until somebody chose.
    let window = Window::open(&desktop).await;
    window.reads("Choose what to watch").await;
    window.watch("kind-dev").await;
    tray.shows("calm").await;
    window.picture("loop-1-watched").await;

    // A fault: one notification that says what, where and since when.
    story::crash(&stub);
    let shown = notifications.wait("the notification", |s| s.title.contains(story::NAME)).await;
    assert!(shown.title.chars().count() <= 45, "{shown:?}");
    assert!(shown.body.starts_with("kind-dev / shop, since "), "{shown:?}");
    assert_eq!(shown.actions, ["default", "Open", "acknowledge", "Acknowledge", "silence", "Silence 1 h"]);
    tray.shows(match shown.urgency {
        Some(2) => "critical",
        _ => "high",
    })
    .await;
    let menu = tray.menu().await;
    assert!(menu.iter().any(|row| row.label.contains(story::NAME) && row.enabled), "{menu:?}");

    // Its click opens the incident, with the last words of what failed.
    notifications.press(shown.id, "default").await;
    window.find("#incident-title").await;
    window.reads("Cause").await;
    let page = window.text().await;
    assert!(page.contains("kind-dev") && page.contains(story::NAME), "{page}");
    window.picture("loop-2-incident").await;

    // Somebody takes it on: nothing waits any more, and the tray is calm again.
    window.click("Acknowledge").await;
    tray.shows("calm").await;

    // What is typed survives a power cut.
    let note = "Rolled back at the load balancer; database team is paged.";
    window.find("textarea[data-notes]").await.send_keys(note).await.unwrap();
    eventually("the note to be saved", async || {
        let text = window.text().await;
        (text.contains("Saved ") && !text.contains("Saving")).then_some(())
    })
    .await;
    window.kill().await;
    let window = Window::open(&desktop).await;
    window.click_incident(story::NAME).await;
    let area = window.find("textarea[data-notes]").await;
    let kept = area.prop("value").await.unwrap().unwrap_or_default();
    assert_eq!(kept, note);

    // The post-mortem is there, with the note in it, and is saved as Markdown.
    window.click("Post-mortem").await;
    window.click("Export").await;
    window.click("Copy Markdown").await;
    window.reads("Markdown copied.").await;
    window.click("Export").await;
    window.click("Markdown…").await;
    let saved = desktop.saved();
    let file = eventually("the saved post-mortem", async || {
        std::fs::read_dir(&saved).ok()?.flatten().map(|e| e.path()).find(|p| p.extension().is_some_and(|e| e == "md"))
    })
    .await;
    let markdown = std::fs::read_to_string(&file).unwrap();
    assert!(markdown.contains(story::NAME) && markdown.contains("kind-dev"), "{markdown}");
    assert!(markdown.contains(note), "{markdown}");
    window.picture("loop-3-post-mortem").await;

    // Mended: the incident recovers by itself.
    story::mend(&stub);
    tray.shows("recovering").await;

    // A session that ends takes the app along, in time and in order.
    let pid = window.pid();
    let asked = std::time::Instant::now();
    signal(pid, "TERM").await;
    eventually("the app to end", async || (!lives(pid)).then_some(())).await;
    assert!(asked.elapsed().as_secs() < 4, "quitting took {:?}", asked.elapsed());
    let log = std::fs::read_to_string(desktop.data().join("afterwatch.log")).unwrap();
    assert!(!log.contains("panicked"), "{log}");
    support::no_secret(&log);
}
