//! What is missing or broken around the app: it starts, says so, and loses nothing.

use crate::support::{
    alone,
    desktop::{Desktop, Offers},
    eventually, story,
    stub::Stub,
    watched,
    window::Window,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_notification_service_the_timeline_says_that_nobody_was_told() {
    let _alone = alone().await;
    let (stub, _desktop, window) = watched(Offers { notifications: false, ..Offers::default() }).await;
    story::crash(&stub);
    window.click_incident(story::NAME).await;
    window.click("Timeline").await;
    window.reads("No notification service runs on this desktop").await;
    window.picture("trouble-no-notifications").await;
    window.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_history_is_said_and_left_as_it_is() {
    let _alone = alone().await;
    let desktop = Desktop::start(Offers::default()).await;
    std::fs::create_dir_all(desktop.data()).unwrap();
    let database = desktop.data().join("afterwatch.db");
    std::fs::write(&database, "no database at all, and longer than a header of one hundred bytes ".repeat(4)).unwrap();
    let before = std::fs::read(&database).unwrap();
    let window = Window::open(&desktop).await;
    window.reads("is damaged").await;
    desktop.tray.as_ref().unwrap().shows("blind").await;
    window.picture("trouble-damaged").await;
    assert_eq!(std::fs::read(&database).unwrap(), before);

    // Moved away, as it says, and asked again: all is well.
    std::fs::remove_file(&database).unwrap();
    window.click("Try again").await;
    desktop.tray.as_ref().unwrap().shows("calm").await;
    window.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_that_may_not_be_written_is_said_and_opens_by_itself_once_it_may() {
    let _alone = alone().await;
    let desktop = Desktop::start(Offers::default()).await;
    // A folder in the file's place: also root may not write it.
    let database = desktop.data().join("afterwatch.db");
    std::fs::create_dir_all(&database).unwrap();
    let window = Window::open(&desktop).await;
    window.reads("cannot be written").await;
    std::fs::remove_dir(&database).unwrap();
    desktop.tray.as_ref().unwrap().shows("calm").await;
    eventually("the message to go", async || (!window.text().await.contains("cannot be written")).then_some(())).await;
    window.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_kubeconfig_is_said_and_picked_up_when_it_is_mended() {
    let _alone = alone().await;
    let stub = Stub::start().await;
    story::calm(&stub);
    let desktop = Desktop::start(Offers::default()).await;
    desktop.kubeconfig("contexts: [{name: half\n");
    let window = Window::open(&desktop).await;
    window.reads("is not valid YAML").await;
    window.picture("trouble-kubeconfig").await;
    desktop.kubeconfig(&stub.kubeconfig("kind-dev"));
    window.click("Look again").await;
    window.watch("kind-dev").await;

    // The file goes: what was chosen is not dropped silently.
    desktop.kubeconfig("{}");
    window.reads("no longer in the kubeconfig").await;
    window.close().await;
}
