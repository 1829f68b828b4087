//! The app's own log: a small file beside the database, for bug reports.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use afterwatch_cluster::may_be_logged;
use tracing_subscriber::{EnvFilter, filter::filter_fn, layer::SubscriberExt, util::SubscriberInitExt};

/// Above this size the file is put aside at the next start; one older file is kept.
const ROTATE_AT: u64 = 2 * 1024 * 1024;

/// Starts writing `afterwatch.log` in the folder. Without a file (a full disk, a read-only home) it writes to stderr.
///
/// `AFTERWATCH_LOG` adds directives, for example `afterwatch_engine=debug`. What kube itself logs stays out whatever
/// it says: it would write whole response bodies.
pub fn start(folder: &Path) {
    let wanted = std::env::var("AFTERWATCH_LOG").unwrap_or_default();
    let separator = if wanted.is_empty() { "" } else { "," };
    let directives = format!("info,{wanted}{separator}{}", afterwatch_cluster::LOG_FILTER);
    let filter = EnvFilter::builder().parse_lossy(directives);
    let file = open(folder).ok().map(|file| Arc::new(Mutex::new(file)));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    let outcome = match file {
        Some(file) => {
            builder.with_writer(move || Shared(Arc::clone(&file))).finish().with(filter_fn(may_be_logged)).try_init()
        }
        None => builder.with_writer(io::stderr).finish().with(filter_fn(may_be_logged)).try_init(),
    };
    if let Err(error) = outcome {
        eprintln!("nothing is logged: {error}");
    }
    // A panic in a task would otherwise only be seen by who started the app from a terminal.
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tracing::error!("{panic}");
        before(panic);
    }));
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "started");
}

fn open(folder: &Path) -> io::Result<File> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    let path = folder.join("afterwatch.log");
    if fs::metadata(&path).is_ok_and(|m| m.len() > ROTATE_AT) {
        fs::rename(&path, folder.join("afterwatch.log.1"))?;
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// One file for all threads.
struct Shared(Arc<Mutex<File>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_log_is_put_aside_at_the_start() {
        let folder = std::env::temp_dir().join(format!("afterwatch-journal-{}", std::process::id()));
        drop(open(&folder).unwrap());
        File::create(folder.join("afterwatch.log")).unwrap().set_len(ROTATE_AT + 1).unwrap();
        drop(open(&folder).unwrap());
        assert_eq!(fs::metadata(folder.join("afterwatch.log")).unwrap().len(), 0);
        assert_eq!(fs::metadata(folder.join("afterwatch.log.1")).unwrap().len(), ROTATE_AT + 1);
        fs::remove_dir_all(folder).unwrap();
    }
}
