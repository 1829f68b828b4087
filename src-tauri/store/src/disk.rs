//! How much room the history has.

use std::path::{Path, PathBuf};

use afterwatch_core::check::{Check, Level};

/// Below this the recorder is short of space.
const LITTLE: u64 = 1 << 30;
/// Below this it stops.
const NONE_LEFT: u64 = 200 << 20;

/// Whether the disk of a database, which need not be there yet, has room.
pub fn check(database: &Path) -> Check {
    let folder = existing_folder(database);
    let Some(free) = free(&folder) else {
        return Check::ok("disk", "free space is not known on this system");
    };
    let (level, hint) = match free {
        0..NONE_LEFT => (Level::Fail, "Free some space: recording stops when the disk is full."),
        NONE_LEFT..LITTLE => (Level::Warn, "Free some space: recording stops when the disk is full."),
        LITTLE.. => (Level::Ok, ""),
    };
    Check::new("disk", level, format!("{} free in {}", bytes(free), folder.display()), hint)
}

/// The nearest folder above a file that exists.
pub fn existing_folder(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let found = absolute.ancestors().skip(1).find(|p| p.is_dir());
    found.unwrap_or(Path::new(".")).to_owned()
}

/// A size in words.
pub fn bytes(n: u64) -> String {
    match n {
        0..1024 => format!("{n} B"),
        1024..0x10_0000 => format!("{} KiB", n >> 10),
        0x10_0000..0x4000_0000 => format!("{} MiB", n >> 20),
        _ => format!("{:.1} GiB", n as f64 / f64::from(1u32 << 30)),
    }
}

#[cfg(unix)]
fn free(folder: &Path) -> Option<u64> {
    let told = rustix::fs::statvfs(folder).ok()?;
    told.f_bavail.checked_mul(told.f_frsize)
}

#[cfg(not(unix))]
fn free(_: &Path) -> Option<u64> {
    None
}
