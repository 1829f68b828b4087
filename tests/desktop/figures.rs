//! Figures of the window, for the README: no checks. Run by name, with a release build in `AFTERWATCH_APP`:
//! `cargo test -p afterwatch-tests --test desktop figures -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use crate::{
    scale::changed,
    support::{alone, calm, desktop::Offers, eventually, story, window::Window, x11::Screen},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "figures, not a check"]
async fn figures_of_the_window() {
    let _alone = alone().await;
    let (stub, desktop) = calm(Offers::default()).await;

    let mut paints = Vec::new();
    for _ in 0..6 {
        let window = Window::open(&desktop).await;
        let paint =
            "return performance.timeOrigin + performance.getEntriesByName('first-contentful-paint')[0].startTime";
        let painted =
            eventually("the first paint", async || window.client.execute(paint, vec![]).await.ok()?.as_f64()).await;
        paints.push(painted - started(window.pid()));
        window.close().await;
    }
    println!("FIGURE window: start to first paint, first run: {:.0} ms", paints[0]);
    paints.remove(0);
    paints.sort_by(f64::total_cmp);
    println!(
        "FIGURE window: start to first paint, then (median of {}): {:.0} ms",
        paints.len(),
        paints[paints.len() / 2]
    );

    let window = Window::open(&desktop).await;
    window.click("Clusters").await;
    window.watch("kind-dev").await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let pid = window.pid();
    println!("FIGURE memory: window open, idle: {} MB", memory(pid));
    let notifications = desktop.notifications.as_ref().expect("a notification service");
    let mut took = Vec::new();
    for n in 0..20 {
        let name = format!("stray-{n:02}");
        let accepted = Instant::now();
        story::stray(&stub, &name);
        let shown = notifications.wait("the notification", |s| s.title.contains(&name)).await;
        took.push(shown.at.duration_since(accepted).as_millis());
        tokio::time::sleep(Duration::from_millis(3200)).await;
    }
    took.sort_unstable();
    println!(
        "FIGURE notification: API object changed to notification asked for: p50 {} ms, p95 {} ms",
        took[9], took[18]
    );

    changed(&desktop, &window, "20 incidents").await;

    window.until_tray().await;
    let screen = Screen::of(&desktop.display);
    screen.close(screen.visible("Afterwatch").expect("the window is visible"));
    // Longer than a hidden window is kept.
    tokio::time::sleep(Duration::from_secs(30)).await;
    println!("FIGURE memory: in the tray: {} MB", memory(pid));
    desktop.tray.as_ref().expect("a tray").click("Open Afterwatch").await;
    eventually("the window to come back", async || screen.visible("Afterwatch")).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    println!("FIGURE memory: window open again: {} MB", memory(pid));
}

/// When the process started, in milliseconds since 1970.
pub fn started(pid: u32) -> f64 {
    let read = |path: String| std::fs::read_to_string(path).expect("/proc");
    let boot: f64 = read("/proc/stat".into())
        .lines()
        .find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())
        .expect("the time of boot");
    let stat = read(format!("/proc/{pid}/stat"));
    let ticks: f64 =
        stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(19)?.parse().ok()).expect("its start");
    // btime is in whole seconds; what is missing is the same for `uptime` and is taken from there.
    let uptime: f64 = read("/proc/uptime".into()).split(' ').next().and_then(|t| t.parse().ok()).expect("the uptime");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs_f64();
    let exact = now - uptime;
    assert!((exact - boot).abs() < 2.0, "the clock was set since boot");
    (exact + ticks / 100.0) * 1000.0
}

/// Proportional memory of the process and all below it, in MB.
pub fn memory(pid: u32) -> u64 {
    let kilobytes = |pid: &u32| -> Option<u64> {
        let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        rollup.lines().find_map(|l| l.strip_prefix("Pss:"))?.split_whitespace().next()?.parse().ok()
    };
    family(pid).iter().filter_map(kilobytes).sum::<u64>() / 1024
}

/// Processor time of the process and all below it until now.
pub fn worked(pid: u32) -> Duration {
    let ticks = |pid: &u32| -> Option<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
    };
    Duration::from_millis(family(pid).iter().filter_map(ticks).sum::<u64>() * 10)
}

/// The process and all below it.
fn family(pid: u32) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").expect("/proc").flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
    let parents: Vec<(u32, u32)> = all.filter_map(|pid: u32| Some((pid, parent(pid)?))).collect();
    let mut family = vec![pid];
    let mut next = 0;
    while next < family.len() {
        let parent = family[next];
        family.extend(parents.iter().filter(|(_, p)| *p == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    family
}

fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}
