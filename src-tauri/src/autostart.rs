//! Starting at login: off until somebody asks for it, and then hidden in the tray.
//!
//! On Linux it is a desktop entry of our own. The plugin that serves the other systems neither quotes the program's
//! path nor knows `$XDG_CONFIG_HOME`, and takes an entry that the desktop's own settings switched off for one that is
//! on.

use tauri::AppHandle;

/// Whether Afterwatch starts at login.
///
/// # Errors
/// When the system does not say, in words for a person.
pub fn is_on(app: &AppHandle) -> Result<bool, String> {
    system::is_on(app).map_err(|error| format!("Whether Afterwatch starts at login cannot be read: {error}."))
}

/// Switches it on or off.
///
/// # Errors
/// When the system refuses, in words for a person.
pub fn set(app: &AppHandle, on: bool) -> Result<(), String> {
    system::set(app, on).map_err(|error| format!("Starting at login was not changed: {error}."))
}

#[cfg(target_os = "linux")]
mod system {
    use std::{
        env, fs, io,
        path::{Path, PathBuf},
    };

    use tauri::AppHandle;

    pub fn is_on(_: &AppHandle) -> io::Result<bool> {
        match fs::read_to_string(file()?) {
            Ok(entry) => Ok(counts(&entry)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub fn set(_: &AppHandle, on: bool) -> io::Result<()> {
        let file = file()?;
        if on {
            let folder = file.parent().unwrap_or(Path::new("/"));
            fs::create_dir_all(folder)?;
            return fs::write(file, entry(&env::current_exe()?));
        }
        match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// `~/.config/autostart/afterwatch.desktop`.
    fn file() -> io::Result<PathBuf> {
        let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let folder = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
        let folder = folder.ok_or_else(|| io::Error::other("neither XDG_CONFIG_HOME nor HOME is set"))?;
        Ok(folder.join("autostart/afterwatch.desktop"))
    }

    /// What the desktop's own settings write into an entry to switch it off.
    fn counts(entry: &str) -> bool {
        let says = |line: &str, key: &str, value: &str| {
            line.split_once('=').is_some_and(|(k, v)| k.trim() == key && v.trim().eq_ignore_ascii_case(value))
        };
        !entry.lines().any(|l| says(l, "Hidden", "true") || says(l, "X-GNOME-Autostart-enabled", "false"))
    }

    fn entry(program: &Path) -> String {
        format!(
            "[Desktop Entry]\nType=Application\nName=Afterwatch\nComment=Watches your clusters from the tray\n\
             TryExec={}\nExec={} --hidden\nIcon=afterwatch\nTerminal=false\nX-GNOME-Autostart-enabled=true\n",
            // Once the program is gone, the desktop passes the entry over.
            program.display().to_string().replace('\\', r"\\"),
            quoted(&program.display().to_string())
        )
    }

    /// A word of an Exec line: quoted as a shell would have it, its backslashes once more as the file's form wants, and
    /// no percent sign of it taken for a field.
    fn quoted(word: &str) -> String {
        let mut quoted = String::from("\"");
        for c in word.chars() {
            match c {
                '"' | '`' | '$' => quoted.extend(["\\\\", c.encode_utf8(&mut [0; 4])]),
                '\\' => quoted.push_str("\\\\\\\\"),
                '%' => quoted.push_str("%%"),
                _ => quoted.push(c),
            }
        }
        quoted.push('"');
        quoted
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_entry_starts_hidden_whatever_the_path_holds() {
            assert!(entry(Path::new("/usr/bin/afterwatch")).contains("\nExec=\"/usr/bin/afterwatch\" --hidden\n"));
            assert!(entry(Path::new(r"/my apps/a\b")).contains("\nTryExec=/my apps/a\\\\b\n"));
            assert_eq!(quoted("/my apps/100%/$x"), "\"/my apps/100%%/\\\\$x\"");
            assert_eq!(quoted(r"a\b"), r#""a\\\\b""#);
        }

        #[test]
        fn an_entry_that_the_desktop_switched_off_does_not_count() {
            let on = entry(Path::new("/usr/bin/afterwatch"));
            assert!(counts(&on));
            assert!(!counts(&on.replace("enabled=true", "enabled=false")));
            assert!(!counts(&format!("{on}Hidden = true\n")));
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use tauri::AppHandle;
    use tauri_plugin_autostart::{Error, ManagerExt};

    pub fn is_on(app: &AppHandle) -> Result<bool, Error> {
        app.autolaunch().is_enabled()
    }

    pub fn set(app: &AppHandle, on: bool) -> Result<(), Error> {
        if on { app.autolaunch().enable() } else { app.autolaunch().disable() }
    }
}
