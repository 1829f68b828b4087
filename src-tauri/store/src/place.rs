//! Where the history lies, for the app and the command line alike.

use std::path::PathBuf;

/// The folder that holds the database, its backups and the app's log: `$AFTERWATCH_DATA_DIR`, else `afterwatch` in the
/// folder this system keeps programs' data in.
pub fn data_folder() -> PathBuf {
    // A relative path would mean another folder for every place the program is started from; the XDG specification
    // says to ignore such values, and so does this.
    let named = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    named("AFTERWATCH_DATA_DIR").unwrap_or_else(|| {
        let home = || std::env::home_dir().unwrap_or_else(|| PathBuf::from("."));
        let base = if cfg!(target_os = "macos") {
            home().join("Library").join("Application Support")
        } else if cfg!(windows) {
            named("LOCALAPPDATA").unwrap_or_else(|| home().join("AppData").join("Local"))
        } else {
            named("XDG_DATA_HOME").unwrap_or_else(|| home().join(".local").join("share"))
        };
        base.join("afterwatch")
    })
}

/// The database of the app, and the command line's unless `--db` names another.
pub fn default_path() -> PathBuf {
    data_folder().join("afterwatch.db")
}
