//! Every page in light and dark, large and small: looked over by axe-core, and kept as pictures for people.

use crate::support::{alone, calm, desktop::Offers, story, window::Window};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axe_core_finds_nothing_on_any_page_in_light_or_dark() {
    let _alone = alone().await;
    let (stub, desktop) = calm(Offers::default()).await;
    let mut wrong = Vec::new();
    for (look, theme) in [("light", "Adwaita"), ("dark", "Adwaita:dark")] {
        let window = Window::open_with(&desktop, &[("GTK_THEME", theme)]).await;
        let mut page = async |name: &str| {
            for (size, (width, height)) in [("", (1280, 800)), ("-small", (900, 600))] {
                window.client.set_window_size(width, height).await.unwrap();
                window.picture(&format!("{look}-{name}{size}")).await;
                wrong.extend(window.violations().await.into_iter().map(|v| format!("{look} {name}{size}: {v}")));
            }
            window.client.set_window_size(1280, 800).await.unwrap();
        };
        if look == "light" {
            window.reads("Choose what to watch").await;
            page("first-run").await;
            window.watch("kind-dev").await;
            page("clusters").await;
            window.click("Incidents").await;
            window.reads("Nothing is open").await;
            page("empty").await;
            story::crash(&stub);
            desktop.notifications.as_ref().unwrap().wait("the notification", |s| s.title.contains(story::NAME)).await;
        } else {
            window.click("Clusters").await;
            window.reads("kind-dev").await;
            page("clusters").await;
        }
        window.click_incident(story::NAME).await;
        window.find("textarea[data-notes]").await;
        page("overview").await;
        for (tab, sign) in [("Timeline", "Times"), ("Evidence", "E1"), ("Post-mortem", "Export")] {
            window.click(tab).await;
            window.reads(sign).await;
            page(&tab.to_lowercase()).await;
        }
        window.click("Incidents").await;
        window.reads("Open incident").await;
        page("incidents").await;
        window.keys("?").await;
        window.find("dialog[open]").await;
        page("keys").await;
        window.escape().await;
        window.close().await;
    }
    assert!(wrong.is_empty(), "{} violations:\n{}", wrong.len(), wrong.join("\n"));
}
