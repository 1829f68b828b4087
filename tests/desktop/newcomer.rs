//! The first minute of somebody without a cluster, by keyboard: from the first screen to a recorded incident that is
//! read. The same walk takes the pictures of the README.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use fantoccini::key::Key;

use crate::support::{
    alone,
    desktop::{Desktop, Offers},
    eventually,
    window::{Window, repository},
    within,
};

/// What a newcomer gives a program before closing it.
const FIRST_MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_without_a_cluster_reads_an_incident_within_a_minute() {
    let _alone = alone().await;
    let desktop = Desktop::start(Offers::default()).await;
    let window = Window::open(&desktop).await;
    let opened = Instant::now();
    first_incident(&window, None).await;
    let took = opened.elapsed();
    println!("from the open window to the cause, read: {:.1} s", took.as_secs_f64());
    assert!(took < FIRST_MINUTE, "{took:?}");
    window.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes the README's pictures: `make pictures`"]
async fn pictures_of_the_first_minute() {
    let _alone = alone().await;
    let desktop = Desktop::start(Offers::default()).await;
    let window = Window::open(&desktop).await;
    window.resize(1280, 800).await;
    let album = Album { window: &window, folder: repository().join("docs/images") };
    first_incident(&window, Some(&album)).await;
    within(Duration::from_secs(90), "the end of the story", async || {
        window.text().await.contains("The story is over.").then_some(())
    })
    .await;
    album.keep("incident").await;
    let drawing =
        "document.querySelector('[aria-label^=\"Objects around the fault\"]').scrollIntoView({ block: 'end' })";
    window.client.execute(drawing, vec![]).await.expect("the drawing of the objects around the fault");
    album.keep("around").await;
    window.keys("2").await;
    window.reads("Times").await;
    album.keep("timeline").await;
    window.keys("3").await;
    window.find("pre, [role=log], table").await;
    album.keep("evidence").await;
    window.keys("4").await;
    window.reads("Export").await;
    album.keep("post-mortem").await;
    window.keys("gh").await;
    window.find("input[type=search]").await;
    window.reads("checkout").await;
    album.keep("history").await;
    window.close().await;
}

/// Opens a recorded incident and reads its cause; every step by keys.
async fn first_incident(window: &Window, album: Option<&Album<'_>>) {
    window.heading("No context to watch").await;
    assert!(!window.text().await.contains("there is no such file"), "it is said once that there is no kubeconfig");
    if let Some(album) = album {
        album.keep("first-run").await;
    }
    window.tab_to("Try it on a recorded incident").await;
    window.press(Key::Enter).await;
    window.reads("A real cluster was recorded").await;
    window.find("dialog[open] button[aria-label^='Play: Checkout']").await;
    window.tab_to("Play: Checkout runs out of memory after a release").await;
    window.press(Key::Enter).await;

    // The page is loaded anew, and the incident comes by itself.
    within(FIRST_MINUTE, "the first incident", async || {
        let row = "return document.querySelector('[role=option][aria-selected=true]')?.innerText ?? null";
        let row = window.client.execute(row, vec![]).await.ok()?;
        row.as_str()?.contains("checkout").then_some(())
    })
    .await;
    if let Some(album) = album {
        window.reads("Cause").await;
        album.keep("inbox").await;
    }
    eventually("the incident to open", async || {
        window.press(Key::Enter).await;
        (!window.client.find_all(fantoccini::Locator::Css("h1#incident-title")).await.ok()?.is_empty()).then_some(())
    })
    .await;
    window.reads("Cause").await;
    window.reads("memory limit").await;
}

/// Where the pictures are kept.
struct Album<'a> {
    window: &'a Window,
    folder: PathBuf,
}

impl Album<'_> {
    async fn keep(&self, name: &str) {
        std::fs::create_dir_all(&self.folder).expect("docs/images");
        self.window.picture(&format!("first-minute/{name}")).await;
        let taken = repository().join(format!("tests/output/first-minute/{name}.png"));
        std::fs::copy(taken, self.folder.join(format!("{name}.png"))).expect("docs/images");
    }
}
