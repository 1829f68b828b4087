//! A desktop of one's own: an X server, a session bus, a home folder. Nothing of the machine's is seen or touched, so
//! tests may run beside each other and beside a person.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU32, Ordering},
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::{notifications::Notifications, tray::TrayHost};

/// What this desktop offers.
#[derive(Clone, Copy, Debug)]
pub struct Offers {
    pub notifications: bool,
    pub tray: bool,
}

impl Default for Offers {
    fn default() -> Offers {
        Offers { notifications: true, tray: true }
    }
}

/// The desktop; everything it started ends with it.
pub struct Desktop {
    pub home: PathBuf,
    pub display: String,
    pub bus: String,
    pub notifications: Option<Notifications>,
    pub tray: Option<TrayHost>,
    xvfb: Child,
    _bus: Child,
}

impl Drop for Desktop {
    fn drop(&mut self) {
        // Kept where a test failed, or by wish: the log and the database are in it.
        if !std::thread::panicking() && std::env::var_os("AFTERWATCH_KEEP").is_none() {
            std::fs::remove_dir_all(&self.home).ok();
        }
    }
}

impl Desktop {
    pub async fn start(offers: Offers) -> Desktop {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let home = std::env::temp_dir().join(format!("afterwatch-desktop-{}-{number}", std::process::id()));
        std::fs::create_dir_all(home.join("run")).expect("a home folder");

        let (xvfb, display) = screen(&home).await;

        // The bus knows no installed services, or it would start the machine's own notification daemon.
        let config = home.join("bus.conf");
        std::fs::write(&config, BUS).expect("the bus's configuration");
        let mut bus = tied("dbus-daemon");
        bus.arg(format!("--config-file={}", config.display())).args(["--nofork", "--print-address=1"]);
        bus.env("XDG_RUNTIME_DIR", home.join("run"));
        let (bus, address) = start(bus, &home.join("bus.log")).await;

        let notifications = match offers.notifications {
            true => Some(Notifications::listen(&address).await),
            false => None,
        };
        let tray = match offers.tray {
            true => Some(TrayHost::start(&address).await),
            false => None,
        };
        Desktop { display, bus: address, notifications, tray, home, xvfb, _bus: bus }
    }

    /// Takes the screen away from everything on it, and brings another.
    pub async fn restart_display(&mut self) {
        self.xvfb.kill().await.expect("the X server ends");
        (self.xvfb, self.display) = screen(&self.home).await;
    }

    /// The environment of a program on this desktop, and nothing else.
    pub fn environment(&self) -> Vec<(String, String)> {
        let home = |folder: &str| self.home.join(folder).display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        [
            ("PATH", path),
            ("HOME", home("")),
            ("USER", "mara".into()),
            ("LANG", "C.UTF-8".into()),
            ("TZ", "UTC".into()),
            // A shell that answers at once, when the app asks for the login shell's environment.
            ("SHELL", "/bin/sh".into()),
            ("DISPLAY", self.display.clone()),
            ("DBUS_SESSION_BUS_ADDRESS", self.bus.clone()),
            ("XDG_RUNTIME_DIR", home("run")),
            ("XDG_DATA_HOME", home("data")),
            ("XDG_CACHE_HOME", home("cache")),
            ("XDG_CONFIG_HOME", home("config")),
            ("AFTERWATCH_SAVE_DIR", home("saved")),
            ("NO_AT_BRIDGE", "1".into()),
            ("GTK_THEME", "Adwaita".into()),
            ("LIBGL_ALWAYS_SOFTWARE", "1".into()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    /// What the command line prints, on this desktop's history.
    pub async fn cli(&self, args: &[&str]) -> String {
        let program = std::env::var_os("AFTERWATCH_CLI")
            .expect("AFTERWATCH_CLI names kubectl-afterwatch: run `make test-desktop`");
        let output = Command::new(program).args(args).env_clear().envs(self.environment()).output().await;
        let output = output.expect("kubectl-afterwatch starts");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Where the app keeps its database and log.
    pub fn data(&self) -> PathBuf {
        self.home.join("data").join("afterwatch")
    }

    /// Where an export writes.
    pub fn saved(&self) -> PathBuf {
        let folder = self.home.join("saved");
        std::fs::create_dir_all(&folder).expect("a folder to save to");
        folder
    }

    /// Writes the kubeconfig.
    pub fn kubeconfig(&self, text: &str) {
        let folder = self.home.join(".kube");
        std::fs::create_dir_all(&folder).expect("~/.kube");
        std::fs::write(folder.join("config"), text).expect("~/.kube/config");
    }
}

/// A program that ends when the test does, however the test ends.
pub fn tied(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program.as_ref()).kill_on_drop(true).stdin(Stdio::null());
    command
}

/// An X server and the name of its display.
async fn screen(home: &Path) -> (Child, String) {
    // -displayfd lets the server choose a free number and say it; a 1 on stdout is the descriptor.
    let mut xvfb = tied("Xvfb");
    xvfb.args(["-displayfd", "1", "-screen", "0", "1400x900x24", "-nolisten", "tcp", "-noreset"]);
    let (xvfb, number) = start(xvfb, &home.join("xvfb.log")).await;
    (xvfb, format!(":{number}"))
}

/// Starts a program that prints one line when it is ready.
async fn start(mut command: Command, log: &Path) -> (Child, String) {
    let log = std::fs::File::create(log).expect("a log file");
    let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().expect("setpriv, from util-linux");
    let out = child.stdout.take().expect("its output");
    let line = BufReader::new(out).lines().next_line().await.ok().flatten();
    let line = line.unwrap_or_else(|| panic!("{command:?} did not start; is it installed?"));
    (child, line.trim().to_owned())
}

const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:tmpdir=/tmp</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;
