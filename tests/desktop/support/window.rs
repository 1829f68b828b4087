//! The app's window, driven by WebDriver.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use fantoccini::{Client, ClientBuilder, Locator, elements::Element, key::Key, wd::Capabilities};
use serde_json::{Value, json};
use tokio::process::Child;

use super::{
    desktop::{Desktop, tied},
    eventually,
    x11::Screen,
};

/// The app that is tested: `make test-desktop` names it.
pub fn app() -> PathBuf {
    let named = std::env::var_os("AFTERWATCH_APP").map(PathBuf::from);
    let path = named.unwrap_or_else(|| repository().join("target/debug/afterwatch"));
    assert!(path.is_file(), "{} is not there: run `make test-desktop`, or set AFTERWATCH_APP", path.display());
    path
}

/// The checkout.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the checkout").to_owned()
}

/// The running app with its window.
pub struct Window {
    pub client: Client,
    driver: Child,
    display: String,
}

impl Window {
    /// Starts the app and waits until its page is there.
    pub async fn open(desktop: &Desktop) -> Window {
        Window::open_with(desktop, &[]).await
    }

    /// The same with more environment.
    pub async fn open_with(desktop: &Desktop, environment: &[(&str, &str)]) -> Window {
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let mut driver = tied("WebKitWebDriver");
        driver.args([format!("--port={port}"), "--host=127.0.0.1".to_owned()]);
        driver.env_clear().envs(desktop.environment()).envs(environment.iter().copied());
        // Tells the app's web view to let itself be driven.
        driver.env("TAURI_WEBVIEW_AUTOMATION", "true");
        let log = std::fs::File::create(desktop.home.join("app.log")).expect("a log file");
        driver.stdout(Stdio::null()).stderr(log);
        let driver = driver.spawn().expect("setpriv, from util-linux");

        let options = json!({"webkitgtk:browserOptions": {"binary": app(), "args": []}});
        let Value::Object(capabilities) = options else { unreachable!() };
        let capabilities: Capabilities = capabilities;
        let url = format!("http://127.0.0.1:{port}");
        eventually("WebKitWebDriver", async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()).await;
        let client = tokio::time::timeout(
            Duration::from_secs(60),
            ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
                .capabilities(capabilities)
                .connect(&url),
        )
        .await
        .expect("the window did not open")
        .expect("the app did not start");
        let window = Window { client, driver, display: desktop.display.clone() };
        window.find("main").await;
        window
    }

    /// The process of the app.
    pub fn pid(&self) -> u32 {
        let driver = self.driver.id().expect("the driver runs");
        let app = app().canonicalize().expect("the app");
        let is_ours = |pid: &u32| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let parent =
                status.lines().find_map(|l| l.strip_prefix("PPid:")).and_then(|p| p.trim().parse::<u32>().ok());
            parent == Some(driver) && std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == app)
        };
        let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
        let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.find(is_ours).expect("the app runs")
    }

    /// Ends the app as a power cut would.
    pub async fn kill(self) {
        signal(self.pid(), "KILL").await;
        drop(self);
    }

    /// Waits for the first element that fits the selector.
    pub async fn find(&self, css: &str) -> Element {
        eventually(css, async || self.client.find(Locator::Css(css)).await.ok()).await
    }

    /// Waits for the button, link, tab or row with this text or name.
    pub async fn control(&self, name: &str) -> Element {
        let xpath = format!(
            "//*[self::button or self::a or self::summary or @role='button' or @role='tab' or @role='option' or @role='link' or @role='switch']\
             [normalize-space(.)={name:?} or @aria-label={name:?} or starts-with(normalize-space(.), {name:?})]"
        );
        eventually(&format!("the control `{name}`"), async || self.client.find(Locator::XPath(&xpath)).await.ok()).await
    }

    /// Clicks it as soon as it lets itself be clicked: a page that is being drawn moves under the pointer.
    pub async fn click(&self, name: &str) {
        eventually(&format!("a click on `{name}`"), async || self.control(name).await.click().await.ok()).await;
    }

    /// Ticks the box with this label.
    pub async fn tick(&self, label: &str) {
        let xpath = format!("//input[@type='checkbox' and @id=//label[contains(normalize-space(.), {label:?})]/@for]");
        eventually(&format!("the box `{label}`"), async || {
            self.client.find(Locator::XPath(&xpath)).await.ok()?.click().await.ok()
        })
        .await;
    }

    /// Chooses the context and waits until it is watched.
    pub async fn watch(&self, context: &str) {
        self.tick(context).await;
        self.reads("watching,").await;
    }

    /// Opens the incident of this workload from the list.
    pub async fn click_incident(&self, name: &str) {
        self.click("Incidents").await;
        let xpath = format!("//*[@role='option' or @role='row'][contains(normalize-space(.), {name:?})]");
        eventually(&format!("the incident of {name}"), async || {
            self.client.find(Locator::XPath(&xpath)).await.ok()?.click().await.ok()
        })
        .await;
        self.click("Open incident").await;
    }

    /// Waits until this text is visible.
    pub async fn reads(&self, text: &str) {
        eventually(&format!("`{text}` on the page"), async || self.text().await.contains(text).then_some(())).await;
    }

    /// What is visible.
    pub async fn text(&self) -> String {
        let text = self.client.execute("return document.body.innerText", vec![]).await.unwrap_or_default();
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the app knows that there is a tray: it looks every few seconds.
    pub async fn until_tray(&self) {
        let ask = "const done = arguments[0]; window.__TAURI_INTERNALS__.invoke('app_info').then((i) => done(i.can_tray), () => done(false))";
        eventually("a tray", async || {
            self.client.execute_async(ask, vec![]).await.ok()?.as_bool().filter(|can| *can).map(|_| ())
        })
        .await;
    }

    /// Calls one of the app's commands, its arguments written in JavaScript.
    pub async fn invoke(&self, command: &str, arguments: &str) -> Value {
        let call = format!(
            "const done = arguments[0]; window.__TAURI_INTERNALS__.invoke({command:?}, {arguments}).then(done, (e) => done({{refused: e}}))"
        );
        let answer = self.client.execute_async(&call, vec![]).await.expect("the page answers");
        assert!(answer.get("refused").is_none(), "{command}: {answer}");
        answer
    }

    /// The page's width and height, in its own pixels.
    pub async fn size(&self) -> (u64, u64) {
        let size = self.client.execute("return [innerWidth, innerHeight]", vec![]).await.expect("the page answers");
        serde_json::from_value(size).expect("two numbers")
    }

    /// Sends keys to whatever has the focus.
    pub async fn keys(&self, keys: &str) {
        self.client.active_element().await.expect("a focused element").send_keys(keys).await.expect("keys");
    }

    /// Presses Escape.
    pub async fn escape(&self) {
        self.keys(&char::from(Key::Escape).to_string()).await;
    }

    /// What axe-core finds wrong with the page, one line each.
    pub async fn violations(&self) -> Vec<String> {
        let axe = std::fs::read_to_string(repository().join("node_modules/axe-core/axe.min.js")).expect("npm ci");
        self.settle().await;
        self.client.execute(&axe, vec![]).await.expect("axe-core");
        let run = "const done = arguments[arguments.length - 1];
            axe.run(document, {resultTypes: ['violations']}).then(
              (r) => done(r.violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html.slice(0, 160)} (${n.failureSummary})`))),
              (e) => done([`axe-core failed: ${e}`]))";
        let found = self.client.execute_async(run, vec![]).await.expect("axe-core");
        serde_json::from_value(found).expect("a list of texts")
    }

    /// Keeps a picture in `tests/output`, for people to look at.
    pub async fn picture(&self, name: &str) {
        self.settle().await;
        let file = repository().join("tests/output").join(format!("{name}.png"));
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("tests/output");
        let screen = Screen::of(&self.display);
        let png =
            eventually("the window", async || screen.visible("Afterwatch").map(|page| screen.picture(page))).await;
        std::fs::write(file, png).expect("tests/output");
    }

    /// Waits for two frames: a picture may be one frame old.
    async fn settle(&self) {
        let frames = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done(1)))";
        self.client.execute_async(frames, vec![]).await.expect("two frames");
    }

    /// Ends the session and the app. The driver only takes the window away, and the app then watches on in the tray.
    pub async fn close(self) {
        let pid = self.pid();
        self.client.clone().close().await.expect("the session ends");
        if lives(pid) {
            signal(pid, "TERM").await;
        }
        eventually("the app to end", async || (!lives(pid)).then_some(())).await;
    }
}

/// Sends a signal. A process that has ended meanwhile needs none.
pub async fn signal(pid: u32, name: &str) {
    let killed = tokio::process::Command::new("kill").args([format!("-{name}"), pid.to_string()]).status().await;
    assert!(killed.is_ok_and(|status| status.success()) || !lives(pid), "kill -{name} {pid}");
}

/// The process that draws the app's page.
pub fn page_process(app: u32) -> Option<u32> {
    let mut pids = std::fs::read_dir("/proc").ok()?.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
    pids.find(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        stat.contains("(WebKitWebProces") && lives(*pid) && parent == Some(app)
    })
}

/// Whether the process is there and no zombie.
pub fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
