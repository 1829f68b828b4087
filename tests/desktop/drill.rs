//! A newcomer without a cluster: from the first screen into a recorded incident, and back with nothing kept.

use std::time::Instant;

use crate::support::{
    alone,
    desktop::{Desktop, Offers},
    eventually,
    window::Window,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_kubeconfig_a_recorded_incident_is_played_and_nothing_of_it_is_kept() {
    let _alone = alone().await;
    let desktop = Desktop::start(Offers::default()).await;
    let notifications = desktop.notifications.as_ref().unwrap();
    let temporary = desktop.home.join("tmp");
    std::fs::create_dir_all(&temporary).unwrap();
    let window = Window::open_with(&desktop, &[("TMPDIR", &temporary.display().to_string())]).await;
    window.reads("No context to watch").await;
    window.picture("drill-1-first-run").await;

    window.click("Try it on a recorded incident").await;
    window.reads("A real cluster was recorded").await;
    assert_eq!(window.violations().await, Vec::<String>::new());
    window.picture("drill-2-stories").await;
    let pressed = Instant::now();
    window.click("Play: Checkout runs out of memory after a release").await;

    // The page is loaded anew, says on every screen what it shows, and the incident comes by itself.
    window.reads("Nothing of it is kept.").await;
    let shown = notifications.wait("the notification", |s| s.title.starts_with("Drill: ")).await;
    assert!(shown.title.contains("checkout") && shown.title.chars().count() <= 45, "{shown:?}");
    println!("the notification came {:.1} s after Play", pressed.elapsed().as_secs_f64());
    window.picture("drill-3-inbox").await;
    notifications.press(shown.id, "default").await;
    window.find("#incident-title").await;
    window.reads("Nothing of it is kept.").await;
    window.reads("memory limit").await;
    assert_eq!(window.violations().await, Vec::<String>::new());
    window.picture("drill-4-incident").await;
    window.reads("The story is over.").await;
    window.click("Timeline").await;
    window.picture("drill-5-timeline").await;
    window.click("Post-mortem").await;
    window.picture("drill-6-post-mortem").await;
    window.click("Clusters").await;
    window.reads("prod-eu").await;
    window.picture("drill-7-clusters").await;

    // Back at the record, which knows nothing of it.
    window.click("Leave the drill").await;
    window.reads("No context to watch").await;
    let text = window.text().await;
    assert!(!text.contains("Nothing of it is kept") && !text.contains("prod-eu"), "{text}");
    eventually("the drill's files to go", async || {
        let mut left = std::fs::read_dir(&temporary).ok()?.flatten();
        left.all(|e| !e.file_name().to_string_lossy().starts_with("afterwatch-drill-")).then_some(())
    })
    .await;
    window.close().await;
}
