//! What is being written for the window: each by the name the window gave it, so that it can be cancelled.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::oneshot;

use crate::shell::lock;

/// What is under way. A page that goes cancels its own.
#[derive(Default)]
pub struct Writings {
    running: Mutex<HashMap<String, Running>>,
    count: AtomicU64,
}

struct Running {
    /// Tells one from another that took its name.
    number: u64,
    cancel: oneshot::Sender<()>,
}

impl Writings {
    /// Does the work unless it is cancelled first; nothing then. The work is dropped, and the model with it.
    pub async fn run<T>(&self, name: &str, work: impl Future<Output = T>) -> Option<T> {
        let (cancel, cancelled) = oneshot::channel();
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        // Of the same name it is the newest that counts: the one before is cancelled, since nobody could any more.
        lock(&self.running).insert(name.to_owned(), Running { number, cancel });
        let _gone = Gone { writings: self, name, number };
        tokio::select! {
            // Also when the sender was dropped: another one has the name.
            _ = cancelled => None,
            done = work => Some(done),
        }
    }

    /// Cancels one; one that is over already is no error.
    pub fn cancel(&self, name: &str) {
        if let Some(running) = lock(&self.running).remove(name) {
            // Nobody listens any more where it ended at this moment.
            let _ = running.cancel.send(());
        }
    }

    /// Cancels all: whoever asked is gone.
    pub fn cancel_all(&self) {
        lock(&self.running).clear();
    }
}

/// Takes the name away at the end, however it came.
struct Gone<'a> {
    writings: &'a Writings,
    name: &'a str,
    number: u64,
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        let mut running = lock(&self.writings.running);
        if running.get(self.name).is_some_and(|r| r.number == self.number) {
            running.remove(self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, sync::Arc, time::Duration};

    use super::*;

    async fn started(writings: &Arc<Writings>, name: &'static str) -> tokio::task::JoinHandle<Option<u8>> {
        let held = Arc::clone(writings);
        let task = tokio::spawn(async move { held.run(name, pending::<u8>()).await });
        tokio::time::sleep(Duration::from_millis(20)).await;
        task
    }

    #[tokio::test]
    async fn what_is_cancelled_gives_nothing_and_the_rest_goes_on() {
        let writings = Arc::new(Writings::default());
        let (one, other) = (started(&writings, "one").await, started(&writings, "other").await);
        writings.cancel("one");
        writings.cancel("one");
        writings.cancel("never begun");
        assert_eq!(one.await.unwrap(), None);
        assert!(!other.is_finished());
        writings.cancel_all();
        assert_eq!(other.await.unwrap(), None);
        assert!(lock(&writings.running).is_empty());
    }

    #[tokio::test]
    async fn what_is_done_gives_its_result_and_frees_its_name() {
        let writings = Writings::default();
        assert_eq!(writings.run("one", async { 7 }).await, Some(7));
        assert!(lock(&writings.running).is_empty());
    }

    #[tokio::test]
    async fn the_same_name_again_cancels_the_one_before_and_keeps_the_new_one() {
        let writings = Arc::new(Writings::default());
        let first = started(&writings, "one").await;
        let second = started(&writings, "one").await;
        assert_eq!(first.await.unwrap(), None);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!second.is_finished());
        assert_eq!(lock(&writings.running).len(), 1, "the first did not take the name of the second away");
        writings.cancel("one");
        assert_eq!(second.await.unwrap(), None);
    }
}
