//! The program under test, with a home of its own.

use std::{
    ffi::{OsStr, OsString},
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// Nothing here may take longer; what does is hanging.
const PATIENCE: Duration = Duration::from_secs(90);

/// An empty home folder and what is run in it.
pub struct Home {
    pub folder: Arc<TempDir>,
    env: Vec<(String, OsString)>,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Home {
    pub fn new() -> Home {
        Home { folder: Arc::new(tempfile::tempdir().expect("a temporary folder")), env: Vec::new() }
    }

    /// A home whose kubeconfig is this text.
    pub fn with_kubeconfig(text: &str) -> Home {
        let home = Home::new();
        home.write(".kube/config", text);
        home
    }

    /// The same home with one more variable in the environment.
    pub fn env(&self, name: &str, value: impl AsRef<OsStr>) -> Home {
        let mut env = self.env.clone();
        env.push((name.to_owned(), value.as_ref().to_owned()));
        Home { folder: self.folder.clone(), env }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// A program that a kubeconfig can name.
    pub fn script(&self, name: &str, lines: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.write(name, &format!("#!/bin/sh\n{lines}\n"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("an executable file");
        path
    }

    pub fn command(&self, words: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(program());
        command.args(words).current_dir(self.folder.path());
        for name in [
            "KUBECONFIG",
            "AFTERWATCH_DATA_DIR",
            "XDG_DATA_HOME",
            "DBUS_SESSION_BUS_ADDRESS",
            "NO_COLOR",
            "VISUAL",
            "EDITOR",
        ] {
            command.env_remove(name);
        }
        for name in
            ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"]
        {
            command.env_remove(name);
        }
        command.env("HOME", self.folder.path()).env("TMPDIR", self.folder.path()).env("TZ", "UTC").env("USER", "mara");
        command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
        command.envs(self.env.iter().map(|(n, v)| (n, v)));
        command
    }

    /// Runs to the end.
    pub fn run(&self, words: &[impl AsRef<OsStr>]) -> Ended {
        self.run_with(words, "")
    }

    /// Runs with something on stdin.
    pub fn run_with(&self, words: &[impl AsRef<OsStr>], stdin: &str) -> Ended {
        let mut running = self.start(words);
        if let Some(mut pipe) = running.child.stdin.take() {
            // A program that did not want it may have ended already.
            let _ = pipe.write_all(stdin.as_bytes());
        }
        running.end()
    }

    pub fn start(&self, words: &[impl AsRef<OsStr>]) -> Running {
        let mut command = self.command(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("kubectl-afterwatch starts");
        let (stdout, stderr) = (reader(child.stdout.take()), reader(child.stderr.take()));
        Running { child, stdout, stderr, started: Instant::now(), _home: self.folder.clone() }
    }
}

/// What came through a pipe so far, and the thread that reads it.
struct Pipe {
    text: Arc<Mutex<Vec<u8>>>,
    thread: std::thread::JoinHandle<()>,
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> Pipe {
    let text = Arc::new(Mutex::new(Vec::new()));
    let filling = text.clone();
    let thread = std::thread::spawn(move || {
        let Some(mut pipe) = pipe else { return };
        let mut piece = [0; 8192];
        while let Ok(n @ 1..) = pipe.read(&mut piece) {
            filling.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..n]);
        }
    });
    Pipe { text, thread }
}

impl Pipe {
    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    fn whole(self) -> String {
        let Pipe { text, thread } = self;
        let _ = thread.join();
        String::from_utf8_lossy(&text.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

/// A run that goes on.
pub struct Running {
    pub child: Child,
    stdout: Pipe,
    stderr: Pipe,
    started: Instant,
    /// Stays as long as the program runs in it.
    _home: Arc<TempDir>,
}

impl Running {
    /// Waits until it has said this on stderr.
    #[track_caller]
    pub fn says(&self, words: &str) {
        let started = Instant::now();
        while !self.stderr.so_far().contains(words) {
            assert!(started.elapsed() < PATIENCE, "`{words}` was not said: {}", self.stderr.so_far());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal by its name.
    pub fn signal(&mut self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().expect("kill");
        assert!(sent.success(), "the signal could not be sent");
        self.started = Instant::now();
    }

    /// Waits for the end; the time counts from the last signal, else from the start.
    pub fn end(mut self) -> Ended {
        let code = loop {
            match self.child.try_wait().expect("its state") {
                Some(status) => break status.code(),
                None if self.started.elapsed() > PATIENCE => {
                    let _ = self.child.kill();
                    let _ = self.child.wait();
                    panic!("still running after {PATIENCE:?}: {}", self.stderr.so_far());
                }
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        let took = self.started.elapsed();
        let ended = Ended { code, stdout: self.stdout.whole(), stderr: self.stderr.whole(), took };
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
        ended
    }
}

impl Ended {
    /// Ended with this code, and said all of this on stderr. Gives what was said.
    #[track_caller]
    pub fn told(&self, code: i32, parts: &[&str]) -> &str {
        assert_eq!(self.code, Some(code), "{self:#?}");
        let said = self.stderr.lines().find(|l| l.starts_with("afterwatch: "));
        assert!(said.is_some(), "nothing was said: {self:#?}");
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` was not said: {}", self.stderr);
        }
        for never in ["Error {", "Os {", "os error -", "panicked", "unwrap", "RUST_BACKTRACE"] {
            assert!(!self.stderr.contains(never), "that is no message for people: {}", self.stderr);
        }
        said.unwrap_or_default()
    }

    /// Failed: code 1, a message, and nothing that could be taken for a result.
    #[track_caller]
    pub fn failed(&self, parts: &[&str]) {
        self.told(1, parts);
        assert_eq!(self.stdout, "", "a failure printed a result");
    }

    /// The one JSON document on stdout.
    #[track_caller]
    pub fn document(&self) -> Value {
        match serde_json::from_str(&self.stdout) {
            Ok(document) => document,
            Err(error) => panic!("not one JSON document: {error}: {self:#?}"),
        }
    }
}

/// `(kind, reason)` of everything the document says could not be read.
pub fn unreadable(document: &Value) -> Vec<(String, String)> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let list = document["unreadable"].as_array().cloned().unwrap_or_default();
    list.iter().map(|u| (text(&u["kind"]), text(&u["reason"]))).collect()
}

pub fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("AFTERWATCH_CLI") {
        return named.into();
    }
    // target/debug/deps/badinput-… lies one folder below the programs.
    let own = std::env::current_exe().expect("this test's own path");
    let beside = own.ancestors().nth(2).map(|folder| folder.join("kubectl-afterwatch")).expect("the target folder");
    assert!(
        Path::new(&beside).exists(),
        "build it first: cargo build -p kubectl-afterwatch, or name it in AFTERWATCH_CLI"
    );
    beside
}
