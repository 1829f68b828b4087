//! What a telling line speaks of, and how that is said.

use serde::{Deserialize, Serialize};

use super::Signal;

/// What a line speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    MissingEnv,
    MissingSetting,
    MissingFile,
    MissingModule,
    NotAFile,
    BadConfig,
    UnknownFlag,
    Script,
    ExecFormat,
    PermissionDenied,
    PortDenied,
    ReadOnly,
    DiskFull,
    PortInUse,
    SharedMemory,
    StoreFull,
    DiskError,
    OutOfMemory,
    GpuMemory,
    Device,
    RuntimeVersion,
    DataDirectory,
    DataVersion,
    KernelSetting,
    Dns,
    ConnectionRefused,
    ConnectionReset,
    Unreachable,
    Timeout,
    NotReady,
    ServerError,
    Authentication,
    Authorization,
    ClusterAccess,
    Certificate,
    HostKey,
    MissingKind,
    TlsMismatch,
    RateLimit,
    PoolExhausted,
    Locked,
    Database,
    Migration,
    License,
    LeaderLost,
    Assertion,
    Panic,
    Unhandled,
}

impl Class {
    /// The id of the cause it stands for: `log-missing-env`.
    pub fn rule(self) -> String {
        let name = serde_json::to_value(self).ok().and_then(|v| v.as_str().map(|s| s.replace('_', "-")));
        format!("log-{}", name.unwrap_or_default())
    }

    /// It speaks of a way to another host, which may come back by itself.
    pub fn is_connection(self) -> bool {
        matches!(
            self,
            Class::Dns
                | Class::ConnectionRefused
                | Class::ConnectionReset
                | Class::Unreachable
                | Class::Timeout
                | Class::NotReady
                | Class::ServerError
        )
    }

    /// It says that the program broke, and not over what.
    pub fn is_crash(self) -> bool {
        matches!(self, Class::Panic | Class::Unhandled | Class::Assertion)
    }

    /// What happened, as the middle of a sentence about the container.
    pub(super) fn phrase(self, signal: &Signal) -> String {
        let s = signal.subject.as_deref().unwrap_or("");
        let v = signal.value.as_deref().unwrap_or("");
        let with = |known: String, unknown: &str| if s.is_empty() { unknown.to_owned() } else { known };
        let why = signal.detail.map(|d| format!(": {d}")).unwrap_or_default();
        let file = signal.file.as_deref().filter(|f| !s.starts_with(f)).map(|f| format!(" in {f}")).unwrap_or_default();
        let at = signal.file.as_deref().map(|f| format!(" (at {f})")).unwrap_or_default();
        match self {
            Class::MissingEnv => with(
                format!("the environment variable {s} is missing (not set)"),
                "an environment variable is missing (not set)",
            ),
            Class::MissingSetting => {
                with(format!("the setting {s} is missing (not set){file}"), "a setting is missing (not set)")
            }
            Class::MissingFile => {
                with(format!("the file {s} does not exist (no such file)"), "a file does not exist (no such file)")
            }
            Class::MissingModule => {
                with(format!("the module {s} is missing from the image"), "a module is missing from the image")
            }
            Class::NotAFile => {
                with(format!("{s} is a directory, not a file"), "a directory stands where a file should")
            }
            Class::BadConfig => match (s.is_empty(), v.is_empty()) {
                (false, false) => format!("the value “{v}” of {s} is invalid{file}"),
                (false, true) => format!("the configuration value {s} is invalid{file}"),
                (true, false) => format!("the configuration value “{v}” is invalid{file}"),
                (true, true) => format!("its configuration is invalid{file}"),
            },
            Class::UnknownFlag => {
                with(format!("the program does not know the option {s} (unknown flag)"), "an option is unknown")
            }
            Class::Script => with(format!("its script is wrong at {s}"), "its script has a syntax error"),
            Class::ExecFormat => with(
                format!("{s} is built for another processor architecture (exec format error)"),
                "the program is built for another processor architecture (exec format error)",
            ),
            Class::PermissionDenied => with(format!("permission denied on {s}"), "permission is denied"),
            Class::PortDenied => with(
                format!("it may not listen on port {s} (bind: permission denied)"),
                "it may not listen on its port (bind: permission denied)",
            ),
            Class::ReadOnly => with(format!("{s} lies on a read-only file system"), "the file system is read-only"),
            Class::DiskFull => with(
                format!("no space is left on the disk (disk full) that holds {s}"),
                "no space is left on the disk (disk full)",
            ),
            Class::PortInUse => with(format!("port {s} is already in use"), "its port is already in use"),
            Class::SharedMemory => "its shared memory is too small (/dev/shm)".to_owned(),
            Class::StoreFull => "a store has reached its own limit of size (space exceeded)".to_owned(),
            Class::DiskError => with(
                format!("the disk that holds {s} cannot be read or written (I/O error)"),
                "a disk cannot be read or written (I/O error)",
            ),
            Class::OutOfMemory => "the runtime ran out of memory".to_owned(),
            Class::GpuMemory => "the memory of its GPU is used up (CUDA out of memory)".to_owned(),
            Class::Device => with(
                format!("the device {s} is not given to the container (no such device)"),
                "a device is not given to the container (no GPU found)",
            ),
            Class::RuntimeVersion => with(
                format!("the runtime in the image is too old, or too new, for {s}"),
                "the runtime in the image is too old, or too new, for the program",
            ),
            Class::DataDirectory => with(
                format!("the data directory {s} cannot be used{why}"),
                &format!("its data directory cannot be used{why}"),
            ),
            Class::DataVersion => match (s.is_empty(), v.is_empty()) {
                (false, false) => {
                    format!("its data was written by version {s} and is incompatible with version {v}")
                }
                _ => "its data was written by an incompatible version".to_owned(),
            },
            Class::KernelSetting => match (s.is_empty(), v.is_empty()) {
                (false, false) => match wanted(&signal.text) {
                    Some(least) => format!("the node's limit {s} is too low: it is {v} and must be at least {least}"),
                    None => format!("the node's limit {s} is too low ({v})"),
                },
                (false, true) => format!("the limit of {s} is reached or too low"),
                _ => "a limit of the node's kernel is reached or too low".to_owned(),
            },
            Class::Dns => with(
                format!("the host name {s} cannot be resolved (DNS{why})"),
                &format!("a host name cannot be resolved (DNS{why})"),
            ),
            Class::ConnectionRefused => with(format!("the connection to {s} is refused"), "a connection is refused"),
            Class::ConnectionReset => {
                with(format!("the connection to {s} is cut off (reset)"), "a connection is cut off (reset)")
            }
            Class::Unreachable => with(format!("{s} cannot be reached"), "a server cannot be reached"),
            Class::Timeout => with(
                format!("{s} does not answer in time (timeout)"),
                signal.detail.unwrap_or("a connection timed out"),
            ),
            Class::NotReady => with(
                format!("{s} is not ready to serve (starting, sealed or without a leader)"),
                "a server is not ready to serve (starting, sealed or without a leader)",
            ),
            Class::ServerError => with(
                format!("{s} answers with an error of its own (HTTP {v})"),
                "a server answers with an error of its own",
            ),
            Class::Authentication if signal.detail == Some(super::NO_USER) => with(
                format!("authentication failed: there is no user {s}"),
                "authentication failed: there is no such user",
            ),
            Class::Authentication => with(
                format!("authentication failed for {s} (wrong password or credentials)"),
                &format!("authentication failed ({})", signal.detail.unwrap_or("wrong credentials")),
            ),
            Class::Authorization => {
                with(format!("{s} is forbidden (missing permission)"), "access is forbidden (missing permission)")
            }
            Class::ClusterAccess => with(
                format!("the Kubernetes API forbids it: {s} lacks the permission (RBAC)"),
                "the Kubernetes API forbids it (RBAC)",
            ),
            Class::Certificate => with(
                format!("the TLS certificate of {s} is not accepted{why}"),
                &format!("a TLS certificate is not accepted{file}{why}"),
            ),
            Class::MissingKind => with(
                format!(
                    "the API server has no kind {s} (no matches for kind): its CustomResourceDefinition is not installed"
                ),
                "the API server lacks a kind (no matches for kind): its CustomResourceDefinition is not installed",
            ),
            Class::HostKey => with(
                format!("the SSH host key of {s} is not the one that is known (host key verification failed)"),
                "the SSH host key of a server is not the one that is known (host key verification failed)",
            ),
            Class::TlsMismatch => with(
                format!("one side speaks TLS (SSL) and the other does not, at {s}"),
                "one side speaks TLS (SSL) and the other does not",
            ),
            Class::RateLimit => with(
                format!("{s} refuses for too many requests (rate limit)"),
                "a server refuses for too many requests (rate limit)",
            ),
            Class::PoolExhausted => match signal.detail {
                Some(of_server) => format!("{of_server} (too many connections)"),
                None => "the connection pool is exhausted (too many connections)".to_owned(),
            },
            Class::Locked if signal.detail.is_some() => signal.detail.unwrap_or_default().to_owned(),
            Class::Locked => with(format!("the lock {s} is held by another"), "a lock is held by another"),
            Class::Database => {
                with(format!("the database lacks {s}, or refuses the statement"), "the database refuses the statement")
            }
            Class::Migration => {
                with(format!("the database migration {s} failed{why}"), &format!("a database migration failed{why}"))
            }
            Class::License => "its license is missing, invalid or expired".to_owned(),
            Class::LeaderLost => with(format!("it lost the leader election ({s})"), "it lost the leader election"),
            Class::Assertion => format!("an assertion of the program failed{at}"),
            Class::Panic => format!("the program panicked{at}"),
            Class::Unhandled => format!("the program ends with an error that it does not handle{at}"),
        }
    }
}

/// The least that is asked for: `increase to at least [262144]`.
fn wanted(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("at least ")?;
    let number = after.trim_start_matches('[').split(|c: char| !c.is_ascii_digit()).next()?;
    Some(number).filter(|n| !n.is_empty())
}
