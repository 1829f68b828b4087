//! Every screen of every bundled drill, walked by keyboard alone: in light and dark, large and small, looked over by
//! axe-core, and kept as pictures in `tests/output/screens` for people to look at.

use std::time::Duration;

use fantoccini::key::Key;

use crate::support::{
    alone,
    desktop::{Desktop, Offers},
    eventually,
    window::Window,
    within,
};

const LARGE: (u32, u32) = (1280, 800);
const SMALL: (u32, u32) = (900, 600);

const SECTIONS: [&str; 7] = ["Notifications", "Rules", "Watching", "Recording", "Privacy", "Appearance", "About"];

/// As the window plays them.
const SPEED: u32 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_screen_of_the_memory_limit_drill_is_walked_by_keys_in_every_look() {
    walk("memory-limit", &[("light", &[LARGE, SMALL]), ("dark", &[LARGE, SMALL])]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_screen_of_the_missing_key_drill_is_walked_by_keys() {
    walk("missing-key", &[("light", &[SMALL])]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_screen_of_the_lost_node_drill_is_walked_by_keys() {
    walk("node-lost", &[("dark", &[LARGE])]).await;
}

/// Opens the drill, waits for its end, and walks all screens in each look.
async fn walk(drill: &str, looks: &[(&str, &[(u32, u32)])]) {
    let _alone = alone().await;
    let desktop = Desktop::start(Offers::default()).await;
    let window = Window::open(&desktop).await;
    window.reads("No context to watch").await;
    window.start_drill(drill, SPEED).await;
    // On a busy machine the story waits.
    within(Duration::from_secs(240), "the end of the story", async || {
        window.text().await.contains("The story is over.").then_some(())
    })
    .await;
    let mut walk = Walk { window: &window, drill, look: "", sizes: &[], wrong: Vec::new() };
    for (look, sizes) in looks {
        (walk.look, walk.sizes) = (look, sizes);
        walk.all().await;
    }
    assert!(walk.wrong.is_empty(), "{} violations:\n{}", walk.wrong.len(), walk.wrong.join("\n"));
    window.close().await;
}

struct Walk<'a> {
    window: &'a Window,
    drill: &'a str,
    look: &'a str,
    sizes: &'a [(u32, u32)],
    wrong: Vec<String>,
}

impl Walk<'_> {
    /// All screens in one look, from one to the next as a person with a keyboard goes.
    async fn all(&mut self) {
        let window = self.window;

        self.choose_look().await;
        window.keys("gs").await;
        for section in SECTIONS {
            window.heading(section).await;
            if matches!(section, "Notifications" | "Rules" | "Recording") {
                window.find(".column ul, .column table").await;
            }
            self.page(&format!("settings-{}", section.to_lowercase())).await;
            if section != "About" {
                window.leave_control().await;
                window.keys("j").await;
            }
        }

        window.keys("gh").await;
        window.reads("Search").await;
        self.page("history").await;
        window.keys("gc").await;
        window.reads("prod-eu").await;
        self.page("clusters").await;

        window.keys("gi").await;
        window.find("[role=option][aria-selected=true]").await;
        self.page("inbox").await;
        self.lists().await;

        // The palette and the sheet of keys, over the list.
        window.chord(Key::Control, 'k').await;
        window.find("dialog[open] [role=combobox]").await;
        self.page("palette").await;
        window.keys("checkout").await;
        window.escape().await;
        window.gone("dialog[open]").await;
        window.keys("?").await;
        window.find("dialog[open]").await;
        self.page("keys").await;
        window.escape().await;
        window.gone("dialog[open]").await;

        let title = window.text_of("[role=option][aria-selected=true] .title").await;
        window.keys("j").await;
        window.keys("k").await;
        window.press(Key::Enter).await;
        let headline = window.text_of("#incident-title").await;
        assert_eq!(headline, title, "the list and the page say the same of the incident");
        assert_eq!(window.focused().await, headline, "opening it moves the focus to its headline");
        window.reads("Cause").await;
        self.page("overview").await;
        window.keys("2").await;
        window.reads("Times").await;
        let gap = "a story is recorded without a gap; one on its timeline was made by playing it";
        assert!(!window.text().await.contains("Not recorded "), "{gap}");
        self.page("timeline").await;
        window.keys("3").await;
        window.reads("E1").await;
        self.page("evidence").await;
        window.keys("4").await;
        window.find(".cm-content").await;
        self.page("post-mortem").await;
        window.keys("1").await;
        window.reads("Cause").await;
        // Back to the list, and to the row one came from.
        window.escape().await;
        let row = window.text_of("[role=option][aria-selected=true] .title").await;
        assert_eq!(row, title);
        eventually("the focus on the row", async || window.focused().await.contains(&title).then_some(())).await;
    }

    /// `/` filters the list, Escape gives it back whole.
    async fn lists(&self) {
        let window = self.window;
        window.keys("/").await;
        window.keys("nothing-is-called-so").await;
        window.reads("No incident here mentions").await;
        window.escape().await;
        window.find("[role=option]").await;
        window.leave_control().await;
    }

    /// Presses the theme's button in the settings.
    async fn choose_look(&self) {
        self.window.keys("gs").await;
        for section in SECTIONS {
            self.window.heading(section).await;
            if section == "Appearance" {
                break;
            }
            self.window.keys("j").await;
        }
        let name = match self.look {
            "dark" => "Dark",
            _ => "Light",
        };
        self.window.tab_to(name).await;
        self.window.press(Key::Enter).await;
        self.window.find(&format!("html[data-theme={}]", self.look)).await;
        self.window.leave_control().await;
    }

    /// Keeps the picture of what is shown in every size, with what axe-core says of it.
    async fn page(&mut self, name: &str) {
        for &(width, height) in self.sizes {
            let window = self.window;
            window.resize(width, height).await;
            let at = format!("{}/{}-{width}/{name}", self.drill, self.look);
            window.picture(&format!("screens/{at}")).await;
            self.wrong.extend(window.violations().await.into_iter().map(|v| format!("{at}: {v}")));
            let over = window.overflow().await;
            self.wrong.extend(over.into_iter().map(|v| format!("{at}: {v} is wider than the window")));
        }
    }
}
