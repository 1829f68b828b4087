//! Reads kubeconfig files as kubectl does, but never fails as a whole: what is missing or broken is reported with its
//! file, line and words, and the rest is used.

use std::path::{Path, PathBuf};

use kube::config::{AuthInfo, Cluster, Context, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    cluster::{ClusterOptions, KubeCluster},
    problem::ConnectProblem,
};

/// Everything the kubeconfig files say.
#[derive(Clone, Default)]
pub struct Kubeconfigs {
    /// Every context, in the order of the files. Where two files name the same one, the first wins.
    pub contexts: Vec<ContextInfo>,
    /// What could not be read, and was skipped.
    pub problems: Vec<FileProblem>,
    /// The files that were looked for, whether they exist or not: what to watch for changes.
    pub files: Vec<PathBuf>,
    /// `current-context`, whether such a context exists or not.
    pub current: Option<String>,
    merged: Kubeconfig,
}

/// Written by hand: the merged configuration holds tokens and keys.
impl std::fmt::Debug for Kubeconfigs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kubeconfigs")
            .field("contexts", &self.contexts)
            .field("problems", &self.problems)
            .field("files", &self.files)
            .field("current", &self.current)
            .finish_non_exhaustive()
    }
}

/// One context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextInfo {
    pub name: String,
    /// The file that defines it.
    pub file: PathBuf,
    /// The cluster entry it names.
    pub cluster: String,
    /// The API server's address.
    pub server: Option<String>,
    /// The user entry it names.
    pub user: Option<String>,
    pub namespace: Option<String>,
    /// The server's certificate is not verified.
    pub insecure: bool,
    /// Whom the requests act as (impersonation).
    pub acting_as: Option<String>,
    /// The credential plugin that will be run, with its arguments left out.
    pub plugin: Option<String>,
    /// This is the `current-context`.
    pub current: bool,
    /// Why it cannot be used.
    pub problem: Option<String>,
}

/// A file, or an entry in it, that was skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileProblem {
    pub file: PathBuf,
    /// From 1, where it is known.
    pub line: Option<u64>,
    pub column: Option<u64>,
    pub message: String,
    /// What to do next.
    pub hint: String,
}

impl std::fmt::Display for FileProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Reads the kubeconfig: the given file, else the `$KUBECONFIG` list, else `~/.kube/config`.
pub fn load(explicit: Option<&Path>) -> Kubeconfigs {
    let listed = crate::environment::var("KUBECONFIG").filter(|v| !v.is_empty());
    let files: Vec<PathBuf> = match (explicit, listed) {
        (Some(file), _) => vec![file.to_owned()],
        (None, Some(list)) => std::env::split_paths(&list).filter(|p| !p.as_os_str().is_empty()).collect(),
        (None, None) => std::env::home_dir().map(|h| h.join(".kube").join("config")).into_iter().collect(),
    };
    load_files(files)
}

/// Reads these files; the first to define something wins.
fn load_files(files: Vec<PathBuf>) -> Kubeconfigs {
    let mut out = Kubeconfigs::default();
    let mut origins: Vec<(String, PathBuf)> = Vec::new();
    for file in &files {
        let Some(config) = read(file, &mut out.problems) else { continue };
        for context in &config.contexts {
            if !origins.iter().any(|(name, _)| *name == context.name) {
                origins.push((context.name.clone(), file.clone()));
            }
        }
        // Cannot fail: `kind` and `apiVersion`, which it compares, are left out while reading.
        if let Ok(merged) = std::mem::take(&mut out.merged).merge(config) {
            out.merged = merged;
        }
    }
    out.current = out.merged.current_context.clone().filter(|c| !c.is_empty());
    out.contexts = origins.into_iter().map(|(name, file)| out.describe(name, file)).collect();
    out.files = files;
    out
}

impl Kubeconfigs {
    /// Reads exactly these files, as if `$KUBECONFIG` listed them.
    pub fn from_files(files: Vec<PathBuf>) -> Kubeconfigs {
        load_files(files)
    }

    /// The cluster of a context. Nothing is contacted yet.
    ///
    /// # Errors
    /// When the context does not exist or names a cluster or user that does not.
    pub fn cluster(&self, context: &str, options: &ClusterOptions) -> Result<KubeCluster, ConnectProblem> {
        let entry = self.entry(context).map_err(|message| {
            let names: Vec<&str> = self.contexts.iter().map(|c| c.name.as_str()).collect();
            let hint = if names.is_empty() {
                match self.problems.first() {
                    Some(problem) => format!("{problem}. {}", problem.hint),
                    None => "No kubeconfig with a context was found.".to_owned(),
                }
            } else if names.contains(&context) {
                "Correct the entry in the kubeconfig file.".to_owned()
            } else {
                format!("Contexts that exist: {}.", names.join(", "))
            };
            ConnectProblem::misconfigured(message, hint)
        })?;
        Ok(KubeCluster::new(entry, options.clone()))
    }

    fn entry(&self, name: &str) -> Result<Entry, String> {
        let context = self
            .merged
            .contexts
            .iter()
            .find(|c| c.name == name)
            .ok_or_else(|| format!("The context `{name}` does not exist."))?;
        let context = context.context.clone().ok_or_else(|| format!("The context `{name}` is empty."))?;
        let cluster = self
            .merged
            .clusters
            .iter()
            .find(|c| c.name == context.cluster)
            .and_then(|c| c.cluster.clone())
            .ok_or_else(|| {
            format!("The context `{name}` names the cluster `{}`, which is not defined.", context.cluster)
        })?;
        if cluster.server.as_deref().unwrap_or_default().trim().is_empty() {
            return Err(format!("The cluster `{}` has no server address.", context.cluster));
        }
        let user = match context.user.as_deref().filter(|u| !u.is_empty()) {
            Some(user) => self
                .merged
                .auth_infos
                .iter()
                .find(|a| a.name == user)
                .map(|a| a.auth_info.clone().unwrap_or_default())
                .ok_or_else(|| format!("The context `{name}` names the user `{user}`, which is not defined."))?,
            None => AuthInfo::default(),
        };
        Ok(Entry { name: name.to_owned(), context, cluster, user })
    }

    fn describe(&self, name: String, file: PathBuf) -> ContextInfo {
        let found = self.merged.contexts.iter().find(|c| c.name == name);
        let context = found.and_then(|c| c.context.clone()).unwrap_or_default();
        let cluster = self.merged.clusters.iter().find(|c| c.name == context.cluster).and_then(|c| c.cluster.as_ref());
        let user = self.merged.auth_infos.iter().find(|a| Some(&a.name) == context.user.as_ref());
        let user = user.and_then(|u| u.auth_info.as_ref());
        ContextInfo {
            current: self.current.as_deref() == Some(&name),
            problem: self.entry(&name).err(),
            file,
            server: cluster.and_then(|c| c.server.clone()),
            insecure: cluster.and_then(|c| c.insecure_skip_tls_verify).unwrap_or(false),
            acting_as: user.and_then(|u| u.impersonate.clone()),
            plugin: user.and_then(|u| u.exec.as_ref()).and_then(|e| e.command.clone()),
            cluster: context.cluster,
            user: context.user,
            namespace: context.namespace,
            name,
        }
    }
}

/// What a context resolves to.
#[derive(Clone)]
pub(crate) struct Entry {
    pub name: String,
    pub context: Context,
    pub cluster: Cluster,
    pub user: AuthInfo,
}

fn read(file: &Path, problems: &mut Vec<FileProblem>) -> Option<Kubeconfig> {
    let mut report = |line, column, message: String, hint: &str| {
        problems.push(FileProblem { file: file.to_owned(), line, column, message, hint: hint.to_owned() });
    };
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            report(None, None, "there is no such file".into(), "Create it, or correct $KUBECONFIG or --kubeconfig.");
            return None;
        }
        Err(error) => {
            report(None, None, format!("cannot be read: {error}"), "Check that it is a file you may read.");
            return None;
        }
    };
    let Some(text) = decode(&bytes) else {
        report(None, None, "is not text".into(), "A kubeconfig is a YAML file.");
        return None;
    };
    let documents: Vec<Value> = match serde_saphyr::from_multiple(&text) {
        Ok(documents) => documents,
        Err(error) => {
            // Without its snippet: the lines around may hold a token.
            let error = error.without_snippet();
            let at = error.location();
            let (line, column) = (at.map(|l| l.line()), at.map(|l| l.column()));
            report(
                line,
                column,
                format!("is not valid YAML: {}", unquoted(&error.to_string())),
                "Correct the line, or take the file out of $KUBECONFIG.",
            );
            return None;
        }
    };
    let mut config = Kubeconfig::default();
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut any = false;
    for document in documents {
        let fields = match document {
            Value::Null => continue,
            Value::Object(fields) => fields,
            _ => {
                report(
                    None,
                    None,
                    "is not a kubeconfig: a mapping is expected".into(),
                    "A kubeconfig has `clusters`, `users` and `contexts`.",
                );
                continue;
            }
        };
        any = true;
        let list = |key: &str| fields.get(key).cloned().unwrap_or_default();
        let mut clusters: Vec<NamedCluster> = entries("clusters", list("clusters"), &mut report);
        let mut users: Vec<NamedAuthInfo> = entries("users", list("users"), &mut report);
        let contexts: Vec<NamedContext> = entries("contexts", list("contexts"), &mut report);
        for cluster in clusters.iter_mut().filter_map(|c| c.cluster.as_mut()) {
            absolute(folder, &mut cluster.certificate_authority);
            unwrapped(&mut cluster.certificate_authority_data);
        }
        for user in users.iter_mut().filter_map(|u| u.auth_info.as_mut()) {
            unwrapped(&mut user.client_certificate_data);
            if let Some(key) = &mut user.client_key_data {
                *key = key.expose_secret().replace(['\r', '\n'], "").into();
            }
            absolute(folder, &mut user.client_certificate);
            absolute(folder, &mut user.client_key);
            absolute(folder, &mut user.token_file);
            if let Some(exec) = &mut user.exec
                && exec.command.as_deref().is_some_and(|c| c.contains(std::path::MAIN_SEPARATOR))
            {
                absolute(folder, &mut exec.command);
            }
        }
        let current_context =
            fields.get("current-context").and_then(Value::as_str).filter(|c| !c.is_empty()).map(str::to_owned);
        let next = Kubeconfig { clusters, auth_infos: users, contexts, current_context, ..Kubeconfig::default() };
        if let Ok(merged) = std::mem::take(&mut config).merge(next) {
            config = merged;
        }
    }
    if !any {
        report(None, None, "is empty".into(), "A kubeconfig has `clusters`, `users` and `contexts`.");
    }
    Some(config)
}

/// Decodes each entry by itself, so that a broken one costs only itself.
fn entries<T: DeserializeOwned>(
    key: &str,
    list: Value,
    report: &mut impl FnMut(Option<u64>, Option<u64>, String, &str),
) -> Vec<T> {
    let items = match list {
        Value::Null => return Vec::new(),
        Value::Array(items) => items,
        _ => {
            report(None, None, format!("`{key}` is not a list and is ignored"), "Correct the file.");
            return Vec::new();
        }
    };
    let mut out = Vec::with_capacity(items.len());
    for (i, item) in items.into_iter().enumerate() {
        let name = item.get("name").and_then(Value::as_str).map(|n| format!(" (`{n}`)")).unwrap_or_default();
        match serde_json::from_value(item) {
            Ok(entry) => out.push(entry),
            Err(error) => {
                // Nearly every value of a user is a credential.
                let words = if key == "users" { String::new() } else { format!(": {}", unquoted(&error.to_string())) };
                report(
                    None,
                    None,
                    format!("entry {} of `{key}`{name} is broken and is skipped{words}", i + 1),
                    "Correct the entry.",
                );
            }
        }
    }
    out
}

/// The parser quotes the offending value, which may be a token or a key; numbers stand between back-ticks, as do the
/// names of fields.
fn unquoted(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((before, mark, after)) =
        rest.find(['"', '`']).map(|at| (&rest[..at], &rest[at..=at], &rest[at + 1..]))
    {
        let (inside, beyond) = after.split_once(mark).unwrap_or((after, ""));
        let shown = if before.ends_with("missing field ") { inside } else { "…" };
        out.extend([before, mark, shown, mark]);
        rest = beyond;
    }
    out + rest
}

/// Base64 may be wrapped; Go takes no notice of line ends in it.
fn unwrapped(data: &mut Option<String>) {
    if let Some(data) = data {
        data.retain(|c| !matches!(c, '\r' | '\n'));
    }
}

fn absolute(folder: &Path, path: &mut Option<String>) {
    if let Some(relative) = path.as_deref().filter(|p| !p.is_empty() && Path::new(p).is_relative()) {
        let joined = folder.join(relative).to_string_lossy().into_owned();
        *path = Some(joined);
    }
}

/// UTF-8 with or without a mark, or UTF-16 as Windows PowerShell writes it.
fn decode(bytes: &[u8]) -> Option<String> {
    let wide = |from_bytes: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|c| from_bytes([c[0], c[1]])).collect();
        String::from_utf16(&units).ok()
    };
    match bytes {
        [0xFF, 0xFE, ..] => wide(u16::from_le_bytes),
        [0xFE, 0xFF, ..] => wide(u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        _ => String::from_utf8(bytes.to_vec()).ok(),
    }
}
