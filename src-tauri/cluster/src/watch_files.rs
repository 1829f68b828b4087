//! Notices that a kubeconfig changed.
//!
//! Polled: two `stat` calls per file and two seconds are nothing, and unlike a file-system watch this sees a symbolic
//! link swapped, a file appear where there was no folder, and network file systems.

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    time::{Duration, SystemTime},
};

/// Keeps watching until it is dropped.
#[derive(Debug)]
pub struct FileWatch {
    _stop: Sender<()>,
}

/// Calls `changed` from a thread of its own whenever one of the files appears, disappears or changes.
pub fn watch_files(files: Vec<PathBuf>, changed: impl FnMut() + Send + 'static) -> FileWatch {
    watch_files_every(Duration::from_secs(2), files, changed)
}

fn watch_files_every(pause: Duration, files: Vec<PathBuf>, mut changed: impl FnMut() + Send + 'static) -> FileWatch {
    let (stop, stopped) = channel::<()>();
    let look = move || files.iter().map(|f| state(f)).collect::<Vec<_>>();
    let mut before = look();
    let started = std::thread::Builder::new().name("kubeconfig-watch".into()).spawn(move || {
        while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(pause) {
            let now = look();
            if now != before {
                before = now;
                changed();
            }
        }
    });
    if let Err(error) = started {
        tracing::warn!(%error, "kubeconfig changes will not be noticed");
    }
    FileWatch { _stop: stop }
}

fn state(file: &Path) -> Option<(Option<SystemTime>, u64, PathBuf)> {
    let target = std::fs::canonicalize(file).ok()?;
    let data = std::fs::metadata(&target).ok()?;
    Some((data.modified().ok(), data.len(), target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_a_new_and_a_removed_file_are_each_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        let (told, hears) = channel();
        let _watch = watch_files_every(Duration::from_millis(10), vec![file.clone()], move || {
            let _ = told.send(());
        });
        let long = Duration::from_secs(5);
        std::fs::write(&file, "a").unwrap();
        hears.recv_timeout(long).unwrap();
        std::fs::write(&file, "longer").unwrap();
        hears.recv_timeout(long).unwrap();
        std::fs::remove_file(&file).unwrap();
        hears.recv_timeout(long).unwrap();
    }
}
