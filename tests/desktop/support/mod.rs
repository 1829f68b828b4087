//! What the window tests stand on.

pub mod desktop;
pub mod keyboard;
pub mod notifications;
pub mod rpm;
pub mod story;
pub mod stub;
pub mod tray;
pub mod window;
pub mod x11;

use std::time::{Duration, Instant};

use tokio::sync::{Mutex, MutexGuard};

use self::{
    desktop::{Desktop, Offers},
    stub::Stub,
    window::Window,
};

/// Longer than anything takes on a loaded machine of two cores; what is missing after this does not come.
const PATIENCE: Duration = Duration::from_secs(45);

/// Asks until there is an answer.
pub async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    within(PATIENCE, what, ask).await
}

/// The same for what takes its time by design.
pub async fn within<T>(patience: Duration, what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            println!("{:>6.1} s for {what}", started.elapsed().as_secs_f64());
            return answer;
        }
        assert!(started.elapsed() < patience, "waited {} s for {what}", patience.as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Tests of windows take turns: two of them on two cores would measure each other's patience.
pub async fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

/// A cluster in which all is well, as `kind-dev` in the kubeconfig of a desktop that offers this.
pub async fn calm(offers: Offers) -> (Stub, Desktop) {
    let stub = Stub::start().await;
    story::calm(&stub);
    let desktop = Desktop::start(offers).await;
    desktop.kubeconfig(&stub.kubeconfig("kind-dev"));
    (stub, desktop)
}

/// The same with a window that watches it.
pub async fn watched(offers: Offers) -> (Stub, Desktop, Window) {
    let (stub, desktop) = calm(offers).await;
    let window = Window::open(&desktop).await;
    window.watch("kind-dev").await;
    (stub, desktop, window)
}

/// The kubeconfig's token is nowhere in a text.
pub fn no_secret(text: &str) {
    assert!(!text.contains("stub-token"), "a credential was written down: {text}");
}
