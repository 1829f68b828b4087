//! Room on the disk.

use std::path::Path;

use crate::problem::{Problem, size};

/// What stays free: a full disk stops the recorder, which matters more than a model.
const KEPT_FREE: u64 = 256 * 1024 * 1024;

/// Refuses what the disk has no room for, before a byte is written.
pub(crate) fn room_for(bytes: u64, folder: &Path) -> Result<(), Problem> {
    match free(folder) {
        // Where it cannot be told, writing itself says when the disk is full.
        None => Ok(()),
        Some(free) if bytes.saturating_add(KEPT_FREE) <= free => Ok(()),
        Some(free) => Err(Problem::new(format!(
            "Needs {}, {} are free in {}. Free some space there, or choose a smaller model.",
            size(bytes.saturating_add(KEPT_FREE)),
            size(free),
            folder.display()
        ))),
    }
}

#[cfg(unix)]
fn free(folder: &Path) -> Option<u64> {
    let told = rustix::fs::statvfs(folder).ok()?;
    told.f_bavail.checked_mul(told.f_frsize)
}

#[cfg(windows)]
fn free(folder: &Path) -> Option<u64> {
    let disks = sysinfo::Disks::new_with_refreshed_list();
    let folder = std::path::absolute(folder).ok()?;
    let mut over: Vec<_> = disks.iter().filter(|d| folder.starts_with(d.mount_point())).collect();
    over.sort_by_key(|d| d.mount_point().as_os_str().len());
    over.last().map(|d| d.available_space())
}

#[cfg(not(any(unix, windows)))]
fn free(_: &Path) -> Option<u64> {
    None
}

/// What an error of the disk means, in a sentence that begins with what was being done.
pub(crate) fn trouble(doing: &str, path: &Path, error: &std::io::Error) -> Problem {
    use std::io::ErrorKind as K;
    let place = path.display();
    Problem::new(match error.kind() {
        K::NotFound => format!("{doing}: there is no {place}. Correct the path."),
        K::PermissionDenied => format!("{doing}: {place} may not be read or written. Change its permissions."),
        K::StorageFull | K::QuotaExceeded => format!("{doing}: the disk of {place} is full. Free some space."),
        _ => format!("{doing}: {place}: {error}."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_disk_can_hold_is_refused_with_both_numbers() {
        let folder = tempfile::tempdir().unwrap();
        room_for(1, folder.path()).unwrap();
        let told = room_for(u64::MAX / 2, folder.path()).unwrap_err().message;
        assert!(told.starts_with("Needs 9223372037.1 GB, ") && told.contains(" are free in "), "{told}");
    }
}
