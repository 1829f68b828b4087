//! The environment a desktop launch lacks.
//!
//! Started from a dock or a menu, a program sees neither the PATH nor the variables that the login shell sets, and
//! then credential plugins are "not found". The login shell is asked once, in the background, with a limit; only the
//! few variables that matter here are taken, and none of them is ever logged. They are kept in this module instead of
//! being written into the process's environment, which no other thread could be told about safely.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io::{IsTerminal, Read},
    path::PathBuf,
    process::{Command, Stdio},
    sync::{PoisonError, RwLock, mpsc},
    time::{Duration, Instant},
};

/// Long enough for a slow start-up file, short enough to wait for.
const LIMIT: Duration = Duration::from_secs(5);
const MARK: &str = "_afterwatch_environment_";

/// Variables from the login shell. Values are never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, OsString>,
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

static ADOPTED: RwLock<Option<Environment>> = RwLock::new(None);

/// True when the process was not started from a terminal, so that the login shell has to be asked.
pub fn lacking() -> bool {
    std::env::var_os("TERM").is_none() && !std::io::stdin().is_terminal()
}

/// Asks the login shell when that is needed, and adopts what it says, or the usual folders when it does not answer.
/// Blocks for up to five seconds: call it on a thread of its own, before the first kubeconfig is loaded.
///
/// # Errors
/// The reason why the shell gave nothing; the usual folders were adopted then.
pub fn prepare() -> Result<(), String> {
    if !lacking() {
        return Ok(());
    }
    let (found, result) = match read(LIMIT) {
        Ok(found) => (found, Ok(())),
        Err(why) => (Environment::default(), Err(why)),
    };
    adopt(found);
    result
}

/// Makes these variables count for kubeconfig, proxies and credential plugins from now on.
pub fn adopt(environment: Environment) {
    let own = |name: &str| std::env::var_os(name);
    let merged = environment.merged(own, &usual_folders());
    *ADOPTED.write().unwrap_or_else(PoisonError::into_inner) = Some(merged);
}

/// The adopted variable, else the process's own.
pub fn var(name: &str) -> Option<OsString> {
    let adopted = ADOPTED.read().unwrap_or_else(PoisonError::into_inner);
    adopted.as_ref().and_then(|e| e.variables.get(name).cloned()).or_else(|| std::env::var_os(name))
}

/// Everything that was adopted, for a child process.
pub(crate) fn adopted() -> Vec<(String, OsString)> {
    let adopted = ADOPTED.read().unwrap_or_else(PoisonError::into_inner);
    adopted.iter().flat_map(|e| e.variables.clone()).collect()
}

/// Where a program would be found.
pub fn which(program: &str) -> Option<PathBuf> {
    if program.contains(std::path::MAIN_SEPARATOR) {
        return Some(PathBuf::from(program)).filter(|p| p.is_file());
    }
    let path = var("PATH")?;
    let suffixes: &[&str] = if cfg!(windows) { &[".exe", ".cmd", ".bat", ""] } else { &[""] };
    std::env::split_paths(&path)
        .flat_map(|folder| suffixes.iter().map(move |s| folder.join(format!("{program}{s}"))))
        .find(|file| file.is_file())
}

/// Asks the login shell for its variables.
///
/// # Errors
/// When there is no shell, or it does not answer within the limit, in words.
pub fn read(limit: Duration) -> Result<Environment, String> {
    if cfg!(windows) {
        return Err("on Windows every program has the user's environment".into());
    }
    let shell = std::env::var_os("SHELL").filter(|s| !s.is_empty());
    let shell = shell.unwrap_or_else(|| if cfg!(target_os = "macos") { "/bin/zsh".into() } else { "/bin/sh".into() });
    let until = Instant::now() + limit;
    let mut why = String::new();
    // Some shells (tcsh) do not take `-l` beside other flags.
    for flags in [&["-l", "-i", "-c"][..], &["-i", "-c"][..], &["-c"][..]] {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        match ask(&shell, flags, left) {
            Ok(found) => return Ok(found),
            Err(words) => why = words,
        }
    }
    Err(why)
}

fn ask(shell: &OsStr, flags: &[&str], limit: Duration) -> Result<Environment, String> {
    let name = shell.to_string_lossy().into_owned();
    let mut command = Command::new(shell);
    command
        .args(flags)
        .arg(format!("printf %s {MARK}; env -0; printf %s {MARK}"))
        .env("TERM", "dumb")
        .env("DISABLE_AUTO_UPDATE", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    // A group of its own, without the terminal: what the start-up files begin can be ended with the shell.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().map_err(|e| format!("the login shell {name} could not be started: {e}"))?;
    let (tell, told) = mpsc::channel();
    if let Some(mut out) = child.stdout.take() {
        // Read until the second mark, not to the end: a daemon that a start-up file left behind keeps the pipe open.
        std::thread::spawn(move || {
            let (mut all, mut piece) = (Vec::new(), [0u8; 8192]);
            while let Ok(n) = out.read(&mut piece) {
                all.extend_from_slice(&piece[..n]);
                let found = between(&all).map(parse);
                if found.is_some() || n == 0 {
                    let _ = tell.send(found);
                    return;
                }
            }
        });
    }
    let answer = told.recv_timeout(limit);
    #[cfg(unix)]
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
    match answer {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err(format!("the login shell {name} ended without printing its environment")),
        Err(_) => Err(format!("the login shell {name} did not answer within {} s", limit.as_secs())),
    }
}

/// What stands between the two marks, once both are there.
fn between(output: &[u8]) -> Option<&[u8]> {
    let mark = MARK.as_bytes();
    let find = |from: usize| output[from..].windows(mark.len()).position(|w| w == mark).map(|at| from + at);
    let first = find(0)? + mark.len();
    Some(&output[first..find(first)?])
}

fn parse(block: &[u8]) -> Environment {
    let variables = block.split(|b| *b == 0).filter_map(|entry| {
        let at = entry.iter().position(|b| *b == b'=')?;
        let name = std::str::from_utf8(&entry[..at]).ok().filter(|n| wanted(n))?;
        Some((name.to_owned(), os(&entry[at + 1..])))
    });
    Environment { variables: variables.filter(|(_, value)| !value.is_empty()).collect() }
}

#[cfg(unix)]
fn os(bytes: &[u8]) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes.to_vec())
}

#[cfg(not(unix))]
fn os(bytes: &[u8]) -> OsString {
    String::from_utf8_lossy(bytes).into_owned().into()
}

fn wanted(name: &str) -> bool {
    let proxies = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"];
    matches!(name, "PATH" | "KUBECONFIG")
        || proxies.iter().any(|p| p.eq_ignore_ascii_case(name))
        || ["AWS_", "CLOUDSDK_", "AZURE_"].iter().any(|p| name.starts_with(p))
}

impl Environment {
    /// Together with the process's own variables: those win, but for the PATH, which is the shell's, then what the
    /// process had beside, then the usual folders.
    fn merged(mut self, own: impl Fn(&str) -> Option<OsString>, folders: &[PathBuf]) -> Environment {
        let mut path: Vec<PathBuf> = Vec::new();
        let shells = self.variables.remove("PATH");
        let known =
            [shells, own("PATH")].into_iter().flatten().flat_map(|p| std::env::split_paths(&p).collect::<Vec<_>>());
        for folder in known.chain(folders.iter().cloned()) {
            if !folder.as_os_str().is_empty() && !path.contains(&folder) {
                path.push(folder);
            }
        }
        self.variables.retain(|name, _| own(name).is_none());
        if let Ok(path) = std::env::join_paths(path) {
            self.variables.insert("PATH".into(), path);
        }
        self
    }
}

/// Where package managers put credential plugins, as far as the folders exist.
fn usual_folders() -> Vec<PathBuf> {
    let system = [
        "/opt/homebrew/bin",
        "/usr/local/bin",
        "/home/linuxbrew/.linuxbrew/bin",
        "/opt/local/bin",
        "/snap/bin",
        "/usr/lib/google-cloud-sdk/bin",
        "/opt/google-cloud-sdk/bin",
        "/usr/local/google-cloud-sdk/bin",
        "/run/current-system/sw/bin",
        "/nix/var/nix/profiles/default/bin",
        "/usr/bin",
        "/bin",
        "/usr/sbin",
        "/sbin",
    ];
    let home = [
        ".krew/bin",
        ".local/bin",
        "bin",
        "google-cloud-sdk/bin",
        ".asdf/shims",
        ".local/share/mise/shims",
        ".nix-profile/bin",
        ".rd/bin",
        ".docker/bin",
        "go/bin",
        ".azure/bin",
    ];
    let at_home = std::env::home_dir().into_iter().flat_map(|h| home.map(|f| h.join(f)));
    system.iter().map(PathBuf::from).chain(at_home).filter(|f| f.is_dir()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_matters_is_taken_and_only_between_the_marks() {
        let out = format!(
            "motd\nPATH=/fake\0{MARK}PATH=/a:/b\0SECRET=x\0KUBECONFIG=/k\nwith newline\0https_proxy=p\0AWS_PROFILE=dev\0{MARK}bye"
        );
        let found = parse(between(out.as_bytes()).unwrap());
        let names: Vec<&str> = found.variables.keys().map(String::as_str).collect();
        assert_eq!(names, ["AWS_PROFILE", "KUBECONFIG", "PATH", "https_proxy"]);
        assert_eq!(found.variables["KUBECONFIG"], "/k\nwith newline");
        assert_eq!(between(format!("{MARK}PATH=/a").as_bytes()), None);
        assert!(!format!("{found:?}").contains("dev"));
    }

    #[test]
    fn the_path_is_the_shells_then_the_process_then_the_usual_folders_each_once() {
        let found = parse(b"PATH=/shell:/usr/bin\0KUBECONFIG=/shell/config\0AWS_PROFILE=dev\0");
        let own = |name: &str| match name {
            "PATH" => Some("/usr/bin:/own".into()),
            "KUBECONFIG" => Some("/own/config".into()),
            _ => None,
        };
        let merged = found.merged(own, &["/usr/bin".into(), "/usual".into()]).variables;
        assert_eq!(merged["PATH"], "/shell:/usr/bin:/own:/usual");
        assert!(!merged.contains_key("KUBECONFIG"), "what the process was given wins");
        assert_eq!(merged["AWS_PROFILE"], "dev");
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_that_answers_is_read_and_one_that_hangs_is_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let script = |name: &str, text: &str| {
            let file = folder.path().join(name);
            std::fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
            std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
            file.into_os_string()
        };
        // The last argument is the command; a daemon keeps the pipe open, as start-up files do.
        let good =
            script("good", "echo noise; sleep 30 & export PATH=/from/shell:$PATH; for c; do :; done; eval \"$c\"");
        let found = ask(&good, &["-l", "-i", "-c"], Duration::from_secs(20)).unwrap();
        assert!(found.variables["PATH"].to_string_lossy().starts_with("/from/shell:"));
        let began = Instant::now();
        let hangs = script("hangs", "sleep 30");
        assert!(ask(&hangs, &["-c"], Duration::from_millis(300)).unwrap_err().contains("did not answer"));
        assert!(began.elapsed() < Duration::from_secs(10));
        let quits = script("quits", "exit 3");
        assert!(ask(&quits, &["-c"], Duration::from_secs(20)).unwrap_err().contains("without printing"));
    }
}
