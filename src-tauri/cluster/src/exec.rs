//! Credential plugins (`users[].user.exec`).
//!
//! Run here and not by kube, which runs them without a limit on the thread that builds the client, and prints their
//! standard output, token included, into its error. A plugin never gets a terminal, is never run twice at once for
//! one user, and is killed with everything it started when its time is up.

use std::{
    collections::HashMap,
    process::Stdio,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use kube::config::{Cluster, ExecAuthCluster, ExecConfig, ExecInteractiveMode};
use secrecy::SecretString;
use serde::Deserialize;
use tokio::{io::AsyncReadExt, process::Command};

use crate::problem::ConnectProblem;

/// Set by an AppImage for what is in it, and poison for the interpreters most plugins are. Elsewhere they are the
/// user's own and reach the plugin, as with kubectl.
const POISON: [&str; 4] = ["LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH", "APPDIR"];

/// What a plugin handed out.
pub(crate) struct Credential {
    pub token: Option<SecretString>,
    /// PEM.
    pub certificate: Option<String>,
    /// PEM.
    pub key: Option<SecretString>,
    pub expires: Option<Timestamp>,
}

/// Why there is no credential.
pub(crate) enum Failed {
    /// The plugin, or the lack of one, says what is wrong.
    Told(ConnectProblem),
    /// It was stopped without a word: it waited for a person, or for a network that is not there.
    Hung(ConnectProblem),
}

impl From<ConnectProblem> for Failed {
    fn from(problem: ConnectProblem) -> Failed {
        Failed::Told(problem)
    }
}

/// Runs the plugin and reads what it prints.
pub(crate) async fn run(
    exec: &ExecConfig,
    cluster: &Cluster,
    user: &str,
    limit: Duration,
) -> Result<Credential, Failed> {
    let command = exec.command.as_deref().filter(|c| !c.is_empty()).ok_or_else(|| {
        ConnectProblem::misconfigured(
            format!("The credential plugin of user `{user}` has no command."),
            "Correct `exec` of that user in the kubeconfig.",
        )
    })?;
    if exec.interactive_mode == Some(ExecInteractiveMode::Always) {
        return Err(ConnectProblem::login(
            format!(
                "The credential plugin `{command}` asks for a terminal, which a program in the background has not."
            ),
            format!(
                "Run `{}` in a terminal once, or set `interactiveMode: IfAvailable`, then retry.",
                line(exec, command)
            ),
        )
        .into());
    }
    let turn = turn(&format!("{} {user}", cluster.server.as_deref().unwrap_or_default()));
    let _turn = turn.lock().await;
    let mut child = start(exec, cluster, command)?;
    let group = Group(child.id());
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let ended = {
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let pipes = async { tokio::join!(drain(out, &mut stdout), drain(err, &mut stderr)) };
        tokio::time::timeout(limit, end(&mut child, pipes)).await
    };
    let Ok(status) = ended else {
        drop(group);
        let message =
            format!("The credential plugin `{command}` did not finish within {} s and was stopped.", limit.as_secs());
        let said = said(&stderr);
        if passes(&said) {
            return Err(waiting(format!("{message} It said: {said}")).into());
        }
        return Err(Failed::Hung(ConnectProblem::login(
            message,
            format!("Run `{}` in a terminal: it may be waiting for a login. Then retry.", line(exec, command)),
        )));
    };
    // It ended by itself; what it left running on purpose (an agent, a cache) may stay.
    std::mem::forget(group);
    let status = status
        .map_err(|e| ConnectProblem::login(format!("The credential plugin `{command}` was lost: {e}"), "Retry."))?;
    if !status.success() {
        return Err(failed(exec, command, &status.to_string(), &said(&stderr)).into());
    }
    let credential = parse(&stdout).ok_or_else(|| {
        // What it printed is not quoted: a token may be in it.
        let noise = said(&stderr);
        let also = if noise.is_empty() { String::new() } else { format!(" It said: {noise}") };
        ConnectProblem::login(
            format!("The credential plugin `{command}` ended well but did not print a credential.{also}"),
            format!("Run `{}` in a terminal and look at what it prints.", line(exec, command)),
        )
    })?;
    Ok(credential)
}

/// Waits for the plugin, and for its pipes only as long as it lives and a moment more: a child it left behind, an
/// agent or a cache, keeps them open.
async fn end(child: &mut tokio::process::Child, pipes: impl Future) -> std::io::Result<std::process::ExitStatus> {
    tokio::pin!(pipes);
    let status = tokio::select! {
        status = child.wait() => status,
        _ = &mut pipes => return child.wait().await,
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), pipes).await;
    status
}

fn start(exec: &ExecConfig, cluster: &Cluster, command: &str) -> Result<tokio::process::Child, ConnectProblem> {
    let mut spec = serde_json::json!({ "interactive": false });
    if exec.provide_cluster_info {
        let cluster = ExecAuthCluster::try_from(cluster).map_err(|e| {
            ConnectProblem::misconfigured(
                format!("The cluster's certificate authority cannot be read: {e}"),
                "Correct the cluster in the kubeconfig.",
            )
        })?;
        spec["cluster"] = serde_json::to_value(cluster).unwrap_or_default();
    }
    let info = serde_json::json!({
        "apiVersion": exec.api_version.as_deref().unwrap_or("client.authentication.k8s.io/v1"),
        "kind": "ExecCredential",
        "spec": spec,
    });
    let mut process = Command::new(command);
    process
        .args(exec.args.iter().flatten())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    process.envs(crate::environment::adopted());
    if std::env::var_os("APPDIR").is_some() {
        POISON.iter().for_each(|name| {
            process.env_remove(name);
        });
    }
    for pair in exec.env.iter().flatten() {
        if let (Some(name), Some(value)) = (pair.get("name"), pair.get("value")) {
            process.env(name, value);
        }
    }
    process.env("KUBERNETES_EXEC_INFO", info.to_string());
    #[cfg(unix)]
    process.process_group(0);
    #[cfg(windows)]
    process.creation_flags(0x0800_0000); // CREATE_NO_WINDOW: no console flashes up.
    process.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            let hint = exec.install_hint.as_deref().map(str::trim).filter(|h| !h.is_empty());
            let hint = hint.map_or_else(
                || format!("Install `{command}`, or start the app from a terminal where it is on the PATH."),
                str::to_owned,
            );
            ConnectProblem::login(
                format!("The credential plugin `{command}` is not installed, or not on the PATH."),
                hint,
            )
        }
        _ => ConnectProblem::login(
            format!("The credential plugin `{command}` could not be started: {error}."),
            "Check that it is a program you may run.",
        ),
    })
}

/// A failure that names the network passes by itself; anything else wants a person.
fn failed(exec: &ExecConfig, command: &str, status: &str, said: &str) -> ConnectProblem {
    let message = if said.is_empty() {
        format!("The credential plugin `{command}` failed ({status}) and did not say why.")
    } else {
        format!("The credential plugin `{command}` failed ({status}): {said}")
    };
    if passes(said) {
        return waiting(message);
    }
    ConnectProblem::login(
        message,
        format!("Run `{}` in a terminal, log in as it asks, then retry.", line(exec, command)),
    )
}

fn waiting(message: String) -> ConnectProblem {
    ConnectProblem::unreachable(message, "The plugin cannot reach its own service; it is tried again by itself.")
}

/// True when a plugin speaks of the network, in the words of Go, Python, curl or the C library.
fn passes(said: &str) -> bool {
    const NETWORK: [&str; 24] = [
        "dial tcp",
        "no such host",
        "name resolution",
        "could not resolve",
        "failed to resolve",
        "name or service not known",
        "nodename nor servname",
        "no address associated with hostname",
        "getaddrinfo",
        "network is unreachable",
        "network is down",
        "no route to host",
        "host is down",
        "connection refused",
        "connection reset",
        "connection aborted",
        "connection timed out",
        "could not connect to the endpoint",
        "timeout on endpoint",
        "unable to find the server",
        "max retries exceeded",
        "i/o timeout",
        "tls handshake timeout",
        "client.timeout exceeded",
    ];
    let lower = said.to_ascii_lowercase();
    // This deadline may also be that of a person who did not log in.
    let deadline = lower.contains("deadline exceeded") && !["browser", "device"].iter().any(|w| lower.contains(w));
    deadline || NETWORK.iter().any(|n| lower.contains(n))
}

/// The command as a person would type it.
fn line(exec: &ExecConfig, command: &str) -> String {
    let mut words = vec![command.to_owned()];
    words.extend(exec.args.iter().flatten().cloned());
    afterwatch_core::redact::arguments(&mut words, None);
    words.join(" ")
}

/// Keeps the beginning; whatever a plugin prints beyond is neither a credential nor an explanation.
async fn drain(pipe: Option<impl AsyncReadExt + Unpin>, into: &mut Vec<u8>) {
    let Some(mut pipe) = pipe else { return };
    let mut piece = [0u8; 4096];
    while let Ok(n @ 1..) = pipe.read(&mut piece).await {
        if into.len() < 1 << 20 {
            into.extend_from_slice(&piece[..n]);
        }
    }
}

/// The end of what it wrote to standard error, fit to be shown.
fn said(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let text = crate::logs::plain(&text).trim().to_owned();
    let skip = text.chars().count().saturating_sub(1500);
    afterwatch_core::redact::text(&text.chars().skip(skip).collect::<String>()).into_owned()
}

fn parse(stdout: &[u8]) -> Option<Credential> {
    #[derive(Deserialize)]
    struct Answer {
        status: Status,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Status {
        expiration_timestamp: Option<String>,
        token: Option<String>,
        client_certificate_data: Option<String>,
        client_key_data: Option<String>,
    }
    let text = std::str::from_utf8(stdout).ok()?;
    let answer: Answer = serde_json::from_str(text).ok().or_else(|| serde_saphyr::from_str(text).ok())?;
    let status = answer.status;
    let set = |value: Option<String>| value.filter(|v| !v.is_empty());
    let credential = Credential {
        token: set(status.token).map(SecretString::from),
        certificate: set(status.client_certificate_data),
        key: set(status.client_key_data).map(SecretString::from),
        expires: status.expiration_timestamp.and_then(|t| t.parse().ok()),
    };
    (credential.token.is_some() || (credential.certificate.is_some() && credential.key.is_some())).then_some(credential)
}

/// One at a time per cluster and user, whoever asks.
fn turn(key: &str) -> Arc<tokio::sync::Mutex<()>> {
    static TURNS: LazyLock<Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>> = LazyLock::new(Mutex::default);
    TURNS.lock().unwrap_or_else(PoisonError::into_inner).entry(key.to_owned()).or_default().clone()
}

/// The plugin and everything it started; killed when nobody waits for it any more.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(pid) = self.0.and_then(|p| i32::try_from(p).ok()).and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}
