//! Verified copies of the whole database.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use crate::{
    ballast::beside,
    connection::{self, create_folders, create_new_private},
    error::{Fail, Place},
};

/// How many copies of one database are kept.
const KEEP: usize = 5;

/// Writes a compact copy into the folder and looks it through before it counts; then drops all but the newest
/// copies. The source is only read.
pub(crate) fn write(database: &Path, folder: &Path, place: &Place) -> Result<PathBuf, Fail> {
    create_folders(folder)?;
    let name = database.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let (target, unfinished) = begin(folder, &name)?;
    let attempt = (|| {
        let source = connection::open_existing(database, place.busy_timeout)?;
        source.execute("VACUUM INTO ?1", [unfinished.to_string_lossy()])?;
        drop(source);
        let copy = connection::open_existing(&unfinished, place.busy_timeout)?;
        connection::quick_check(&copy, place)?;
        drop(copy);
        fs::File::open(&unfinished)?.sync_all()?;
        fs::rename(&unfinished, &target)?;
        Ok(target)
    })();
    if attempt.is_err() {
        let _ = fs::remove_file(&unfinished);
    } else {
        drop_old(folder, &name);
    }
    attempt
}

/// Takes a name that nobody has or is writing to: `history-20261122T181800Z.db`, with `-2` and so on when several fall
/// into one second. The unfinished copy beside it is there already, since VACUUM INTO takes an empty file, and so it is
/// private from its first byte.
fn begin(folder: &Path, name: &str) -> io::Result<(PathBuf, PathBuf)> {
    let stamp = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut number = 1;
    loop {
        let more = if number == 1 { String::new() } else { format!("-{number}") };
        let target = folder.join(format!("{name}-{stamp}{more}.db"));
        let unfinished = beside(&target, ".tmp");
        if !target.exists() {
            match create_new_private(&unfinished) {
                // Another may have finished under this name since it was looked for.
                Ok(()) if target.exists() => fs::remove_file(&unfinished)?,
                Ok(()) => return Ok((target, unfinished)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        number += 1;
    }
}

/// Names carry the time, so that the order of names is the order of age. Only files of our own form are touched.
fn drop_old(folder: &Path, name: &str) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let ours = |path: &PathBuf| {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        file.strip_prefix(&format!("{name}-"))
            .and_then(|rest| rest.strip_suffix(".db"))
            .is_some_and(|stamp| stamp.len() >= 16 && stamp.as_bytes()[8] == b'T' && stamp.as_bytes()[15] == b'Z')
    };
    let mut copies: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(ours).collect();
    // Without the ending, since `…Z.db` would sort after `…Z-2.db`.
    copies.sort_by_key(|path| path.with_extension(""));
    for old in copies.iter().rev().skip(KEEP) {
        if let Err(error) = fs::remove_file(old) {
            tracing::warn!(path = %old.display(), %error, "an old backup cannot be removed");
        }
    }
}
