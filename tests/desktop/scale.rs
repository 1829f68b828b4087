//! Figures of a long record and a large cluster: no checks. Run with those of `figures`.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use afterwatch_core::{
    incident::{Incident, IncidentId, State},
    port::store::{IncidentKey, Store},
};
use afterwatch_store::SqliteStore;
use fantoccini::{Locator, wd::TimeoutConfiguration};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    figures::{memory, started, worked},
    support::{
        alone,
        desktop::{Desktop, Offers},
        eventually, story,
        stub::Stub,
        watched,
        window::Window,
        x11::Screen,
    },
};

/// All of them open, and so in the inbox: the worst there can be.
const INCIDENTS: u128 = 10_000;
const ENTRIES: u64 = 5_000;
const LINES: usize = 100_000;
const PODS: usize = 1_000;

/// Scrolls what holds the element, a step a frame; answers with how long the frames took, in milliseconds, sorted.
const SCROLL: &str = "const done = arguments[1];
    let box = document.querySelector(arguments[0]);
    while (box && !(box.scrollHeight > box.clientHeight + 10 && /auto|scroll/.test(getComputedStyle(box).overflowY)))
      box = box.parentElement;
    if (!box) { done(null); return; }
    const took = [];
    const by = box.scrollTop > 1000 ? -240 : 240;
    let last = performance.now();
    const step = (now) => {
      took.push(now - last);
      last = now;
      box.scrollTop += by;
      if (took.length < 80) requestAnimationFrame(step);
      else done(took.slice(2).sort((a, b) => a - b));
    };
    requestAnimationFrame(step);";

/// Writes a ticket into the open incident; answers with the milliseconds from asking until it is stored, and until the
/// frame that shows it.
const WRITE: &str = "const [id, url, done] = arguments;
    const began = performance.now();
    let stored = null;
    const shows = () => document.body.textContent.includes(url.replace('https://', ''));
    const look = () => stored !== null && shows()
      ? requestAnimationFrame(() => requestAnimationFrame(() => done([stored, performance.now() - began])))
      : requestAnimationFrame(look);
    requestAnimationFrame(look);
    window.__TAURI_INTERNALS__.invoke('set_ticket', {id, url}).then(() => { stored = performance.now() - began; });";

/// The same without a look at the page meanwhile: answers with when it was stored, in milliseconds since 1970.
const STORE: &str = "const [id, url, done] = arguments;
    window.__TAURI_INTERNALS__.invoke('set_ticket', {id, url})
      .then(() => done(performance.timeOrigin + performance.now()));";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "figures, not a check"]
async fn figures_of_a_long_record() {
    let _alone = alone().await;
    let (stub, desktop, window) = watched(Offers::default()).await;
    story::crash(&stub);
    desktop.notifications.as_ref().unwrap().wait("the notification", |s| s.title.contains(story::NAME)).await;
    window.close().await;
    let long = fill(&desktop);

    let mut listed = Vec::new();
    let mut painted = Vec::new();
    for _ in 0..3 {
        let window = Window::open(&desktop).await;
        window.find("[role=option]").await;
        listed.push(epoch() - started(window.pid()));
        let paint =
            "return performance.timeOrigin + performance.getEntriesByName('first-contentful-paint')[0].startTime";
        painted.push(window.client.execute(paint, vec![]).await.unwrap().as_f64().unwrap() - started(window.pid()));
        window.close().await;
    }
    // The first start after filling reads a cold file.
    println!("FIGURE {INCIDENTS} incidents: start to first paint (of 2): {:.0} ms", median(&mut painted[1..]));
    println!("FIGURE {INCIDENTS} incidents: start to the list (of 2): {:.0} ms", median(&mut listed[1..]));

    let window = Window::open(&desktop).await;
    window.find("[role=option]").await;
    let asked = Instant::now();
    let whole = format!("aria-setsize=\"{}\"", INCIDENTS + 1);
    eventually("the whole list", async || window.client.source().await.ok()?.contains(&whole).then_some(())).await;
    println!("FIGURE {INCIDENTS} incidents: the list to its last row: {} ms", asked.elapsed().as_millis());
    scrolled(&window, &format!("inbox of {INCIDENTS}"), "[role=option]").await;
    go(&window, &format!("#/incident/{long}/timeline")).await;
    window.find(".list .pick").await;
    scrolled(&window, &format!("timeline of {ENTRIES}"), ".list .pick").await;
    go(&window, &format!("#/incident/{long}/evidence/E900")).await;
    // Its end is what is read first.
    let line = format!("line {} of the log", LINES - 12);
    window.reads(&line).await;
    let inside = "return ((line) => { const w = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (w.nextNode()) if (w.currentNode.data.includes(line)) {
          w.currentNode.parentElement.id = 'a-line'; return true; } return false; })(arguments[0])";
    window.client.execute(inside, vec![json!(line)]).await.unwrap();
    scrolled(&window, &format!("log of {LINES} lines"), "#a-line").await;

    changed(&desktop, &window, &format!("{INCIDENTS} incidents")).await;
    println!("FIGURE memory: {INCIDENTS} incidents, window open: {} MB", memory(window.pid()));
    window.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "figures, not a check"]
async fn figures_of_a_thousand_pods_in_the_tray() {
    let _alone = alone().await;
    let stub = Stub::start().await;
    story::calm(&stub);
    story::crowd(&stub, PODS);
    let desktop = Desktop::start(Offers::default()).await;
    desktop.kubeconfig(&stub.kubeconfig("kind-dev"));
    let window = Window::open(&desktop).await;
    window.watch("kind-dev").await;
    window.until_tray().await;
    let pid = window.pid();
    let screen = Screen::of(&desktop.display);
    screen.close(screen.visible("Afterwatch").expect("the window is visible"));
    // Longer than a hidden window is kept.
    tokio::time::sleep(Duration::from_secs(30)).await;
    let (before, began) = (worked(pid), Instant::now());
    tokio::time::sleep(Duration::from_secs(30)).await;
    let busy = (worked(pid) - before).as_secs_f64() / began.elapsed().as_secs_f64();
    println!("FIGURE {PODS} pods, in the tray: {} MB, {:.2} % of a core", memory(pid), busy * 100.0);
}

/// Ten thousand incidents made of the one that is there, and a long one; answers with its id.
fn fill(desktop: &Desktop) -> IncidentId {
    let store = SqliteStore::open(&desktop.data().join("afterwatch.db")).expect("the record");
    let model = store.incident(&IncidentKey::Number(1)).expect("the incident");
    let copy = |n: u128| Incident {
        id: IncidentId(Uuid::from_u128(model.id.0.as_u128() + n)),
        number: 0,
        revision: 0,
        cluster: "elsewhere".to_owned(),
        cluster_uid: "elsewhere".to_owned(),
        fingerprint: format!("{}-{n}", model.fingerprint),
        title: format!("workload-{n:05} in shop keeps crashing"),
        state: State::Open,
        resolved_at: None,
        started_at: None,
        ..model.clone()
    };
    let mut all: Vec<Incident> = (1..=INCIDENTS).map(copy).collect();
    // The last in the list: what is shown at the start is an incident like any other.
    let long = all.first_mut().expect("there are some");
    let entry = long.timeline.last().expect("an entry").clone();
    let seq = long.timeline.iter().map(|e| e.seq).max().unwrap_or(0);
    long.timeline.extend((1..=ENTRIES).map(|n| {
        let mut entry = entry.clone();
        (entry.seq, entry.text, entry.label) = (seq + n, format!("Entry {n} of a long night"), None);
        entry
    }));
    let mut log = long.evidence.iter().find(|e| e.draft.excerpt.contains(story::LAST_WORDS)).expect("a log").clone();
    let lines: Vec<String> = (1..=LINES).map(|n| format!("level=info worker={} line {n} of the log", n % 7)).collect();
    (log.id, log.draft.key, log.draft.excerpt) = ("E900".to_owned(), "long".to_owned(), lines.join("\n"));
    long.evidence.push(log);
    let id = long.id;
    for part in all.chunks(500) {
        store.save_together(part).expect("a part of the record");
    }
    id
}

/// Goes to an address of the page.
async fn go(window: &Window, address: &str) {
    window.client.execute("location.hash = arguments[0]", vec![json!(address)]).await.expect("the page answers");
}

/// How long a change of the first incident takes until it is stored, and from then on until it is painted.
pub async fn changed(desktop: &Desktop, window: &Window, what: &str) {
    let page = window.invoke("incident_page", r#"{"id": "1"}"#).await;
    let id = page["incident"]["id"].as_str().expect("the first incident").to_owned();
    go(window, &format!("#/incident/{id}/overview")).await;
    window.find("#incident-title").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (mut stored, mut painted) = (Vec::new(), Vec::new());
    for n in 0..40 {
        let ticket = json!(format!("https://tickets.example/{n}"));
        let took = window.client.execute_async(WRITE, vec![json!(id), ticket]).await.expect("the page answers");
        let [stored_after, painted_after] = [0, 1].map(|i| took[i].as_f64().expect("milliseconds"));
        stored.push(stored_after);
        painted.push(painted_after - stored_after);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let mut pixels = shown(desktop, window, &id).await;
    let steps = [
        ("asked for to stored", &mut stored),
        ("stored to two frames after it is in the page", &mut painted),
        ("stored to pixels on the screen", &mut pixels),
    ];
    for (step, took) in steps {
        took.sort_by(f64::total_cmp);
        println!("FIGURE a change, {what}: {step}: p50 {:.0} ms, p95 {:.0} ms", took[19], took[37]);
    }
}

/// How long after it was stored the screen itself shows it: what the X server holds is looked at every millisecond or two.
async fn shown(desktop: &Desktop, window: &Window, id: &str) -> Vec<f64> {
    let ticket = "const r = document.querySelector('header .ticket').getBoundingClientRect(); return [r.x, r.y, r.width, r.height]";
    let place = window.client.execute(ticket, vec![]).await.expect("the page answers");
    let place: [f64; 4] = serde_json::from_value(place).expect("a place on the page");
    let place = place.map(|side| side as i16);
    let mut took = Vec::new();
    for n in 100..140 {
        let display = desktop.display.clone();
        let (ready, began) = tokio::sync::oneshot::channel();
        let seen = tokio::task::spawn_blocking(move || {
            let screen = Screen::of(&display);
            let page = screen.visible("Afterwatch").expect("the window is visible");
            let before = screen.pixels(page, place);
            ready.send(()).expect("somebody waits");
            let patience = Instant::now();
            while screen.pixels(page, place) == before {
                assert!(patience.elapsed() < Duration::from_secs(20), "the screen does not change");
                std::thread::sleep(Duration::from_millis(1));
            }
            epoch()
        });
        began.await.expect("a first look");
        let ticket = json!(format!("https://tickets.example/{n}"));
        let stored = window.client.execute_async(STORE, vec![json!(id), ticket]).await.expect("the page answers");
        took.push(seen.await.expect("the screen changes") - stored.as_f64().expect("milliseconds"));
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    took
}

async fn scrolled(window: &Window, what: &str, css: &str) {
    eventually(what, async || window.client.find(Locator::Css(css)).await.ok()).await;
    // A frame may take long on a busy machine that draws in software.
    let patient = TimeoutConfiguration::new(Some(Duration::from_secs(120)), None, None);
    window.client.update_timeouts(patient).await.expect("a longer patience");
    let took = window.client.execute_async(SCROLL, vec![json!(css)]).await.expect("the page answers");
    let Value::Array(frames) = took else { panic!("{what}: nothing scrolls") };
    let frames: Vec<f64> = frames.iter().filter_map(Value::as_f64).collect();
    let at = |share: f64| frames[((frames.len() - 1) as f64 * share) as usize];
    println!(
        "FIGURE {what}: a frame of scrolling: p50 {:.0} ms, p95 {:.0} ms, worst {:.0} ms",
        at(0.5),
        at(0.95),
        at(1.0)
    );
}

fn epoch() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64() * 1000.0
}

fn median(all: &mut [f64]) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}
