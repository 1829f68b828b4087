//! From a kubeconfig entry to clients, and from refused credentials to fresh ones or to "login needed".

use std::{
    path::Path,
    sync::{Arc, PoisonError, atomic::AtomicU64, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
use kube::{Client, Config};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use crate::{
    certificate, classify,
    cluster::Limits,
    environment, exec,
    kubeconfig::Entry,
    problem::ConnectProblem,
    proxy,
    server::{Counters, Server},
};

/// The clients of one cluster, as good as their credentials.
pub(crate) struct Link {
    /// For lists and watches: the loop that uses it has its own pauses, so nothing is retried below it.
    pub watch: Server,
    /// For single questions: reviews, logs, the version. Retried on 429, 503 and 504.
    pub query: Server,
    pub generation: u64,
    /// When to fetch fresh credentials: a minute before these end, or halfway there where that is sooner.
    pub renew_at: Option<Timestamp>,
    /// Made because the server had refused the credentials before these.
    after_refusal: bool,
    made: Instant,
}

/// Makes links, one at a time, and remembers when only a person can help.
pub(crate) struct Connector {
    pub entry: Entry,
    pub limits: Limits,
    pub counters: Arc<Counters>,
    generation: AtomicU64,
    held: Mutex<Held>,
    /// The uid of kube-system as it was read last.
    uid: std::sync::Mutex<Option<String>>,
    /// Set while the plugin waits for the network.
    hung: std::sync::Mutex<Option<ConnectProblem>>,
}

#[derive(Default)]
struct Held {
    link: Option<Arc<Link>>,
    /// Set once a person is needed: nothing is run again until [`Connector::forget`].
    blocked: Option<ConnectProblem>,
}

impl Connector {
    pub fn new(entry: Entry) -> Connector {
        Connector {
            entry,
            limits: Limits::default(),
            counters: Arc::default(),
            generation: AtomicU64::new(1),
            held: Mutex::default(),
            uid: std::sync::Mutex::default(),
            hung: std::sync::Mutex::default(),
        }
    }

    /// Takes in a uid that was read, and returns the one read last.
    pub fn known_uid(&self, read: Option<String>) -> Option<String> {
        let mut known = self.uid.lock().unwrap_or_else(PoisonError::into_inner);
        if read.is_some() {
            *known = read;
        }
        known.clone()
    }

    /// The API server's address, for messages.
    pub fn address(&self) -> &str {
        self.entry.cluster.server.as_deref().unwrap_or_default().trim_end_matches('/')
    }

    /// The clients there are, or new ones.
    pub async fn link(&self) -> Result<Arc<Link>, ConnectProblem> {
        let mut held = self.held.lock().await;
        if let Some(link) = &held.link {
            return Ok(link.clone());
        }
        self.make(&mut held, false).await
    }

    /// New clients in place of those of this generation, whose credentials the server refused with these words
    /// (`None`: they are about to end). Refused twice in a row means that a person has to log in.
    pub async fn renew(&self, seen: u64, refused: Option<&str>) -> Result<Arc<Link>, ConnectProblem> {
        let mut held = self.held.lock().await;
        if let Some(problem) = &held.blocked {
            return Err(problem.clone());
        }
        if let Some(link) = &held.link {
            if link.generation != seen {
                return Ok(link.clone());
            }
            if let Some(words) = refused
                && link.after_refusal
                && link.made.elapsed() < Duration::from_secs(60)
            {
                let problem = self.refused_twice(words);
                // A plugin may open a browser each time it is run; what stands in the file costs nobody anything.
                if self.runs_plugin() {
                    held.blocked = Some(problem.clone());
                }
                return Err(problem);
            }
        }
        self.make(&mut held, refused.is_some()).await
    }

    /// True when trying again makes no sense before a person did something: a plugin wants a login, or the file is
    /// wrong.
    pub async fn blocked(&self) -> bool {
        self.held.lock().await.blocked.is_some()
    }

    /// A token in the file counts before a plugin, as in kubectl.
    fn runs_plugin(&self) -> bool {
        let user = &self.entry.user;
        user.exec.is_some() && user.token.is_none() && user.token_file.is_none() && user.auth_provider.is_none()
    }

    /// Drops the clients and their connections. A person asked (`true`): what was blocked may be tried again.
    pub async fn forget(&self, person: bool) {
        let mut held = self.held.lock().await;
        held.link = None;
        if person {
            held.blocked = None;
            *self.hung.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    async fn make(&self, held: &mut Held, after_refusal: bool) -> Result<Arc<Link>, ConnectProblem> {
        if let Some(problem) = &held.blocked {
            return Err(problem.clone());
        }
        match self.build(after_refusal).await {
            Ok(link) => Ok(held.link.insert(Arc::new(link)).clone()),
            Err(problem) => {
                if problem.trouble != crate::problem::Trouble::Unreachable {
                    held.blocked = Some(problem.clone());
                }
                Err(problem)
            }
        }
    }

    async fn build(&self, after_refusal: bool) -> Result<Link, ConnectProblem> {
        let (mut config, expires) = self.config().await?;
        let proxy: Option<Arc<str>> = config.proxy_url.as_ref().map(|u| shown(u).into());
        let server = |client| Server {
            client,
            counters: self.counters.clone(),
            address: self.address().into(),
            limit: self.limits.answer,
            proxy: proxy.clone(),
        };
        config.default_retry = false;
        // The reading loop has tighter limits; these are for a body that it stopped looking at.
        config.read_timeout = Some(Duration::from_secs(90));
        config.reset_reader_on_write = true;
        let watch = server(self.client(config.clone()).await?);
        config.default_retry = true;
        config.read_timeout = Some(Duration::from_secs(30));
        let query = server(self.client(config).await?);
        let generation = self.generation.fetch_add(1, Relaxed);
        let renew_at = expires.map(|end| renewal(Timestamp::now(), end));
        Ok(Link { watch, query, generation, renew_at, after_refusal, made: Instant::now() })
    }

    /// Everything kube needs, credentials included.
    async fn config(&self) -> Result<(Config, Option<Timestamp>), ConnectProblem> {
        let Entry { context, cluster, user, .. } = &self.entry;
        let server = cluster.server.as_deref().unwrap_or_default().trim();
        let uri: http::Uri = server.parse().map_err(|e| {
            ConnectProblem::misconfigured(
                format!("The server address `{server}` cannot be read: {e}."),
                "Correct `server` of the cluster in the kubeconfig.",
            )
        })?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
            return Err(ConnectProblem::misconfigured(
                format!("The server address `{server}` is not a URL that begins with https:// or http://."),
                "Correct `server` of the cluster in the kubeconfig.",
            ));
        }
        let proxy =
            proxy::choose(&uri, cluster.proxy_url.as_deref(), &|name| environment::var(name)?.into_string().ok())
                .map_err(|words| {
                    ConnectProblem::misconfigured(
                        format!("{words}."),
                        "Correct `proxy-url` in the kubeconfig or $HTTPS_PROXY.",
                    )
                })?;
        let mut config = Config::new(uri.clone());
        config.connect_timeout = Some(Duration::from_secs(15));
        config.root_cert = self.authority()?;
        config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or(false);
        config.disable_compression = cluster.disable_compression.unwrap_or(false);
        config.tls_server_name = cluster.tls_server_name.clone().filter(|n| !n.is_empty());
        config.proxy_url = proxy;
        config.auth_info = user.clone();
        self.check_static(user)?;
        let mut expires = None;
        if let Some(plugin) = config.auth_info.exec.take()
            && self.runs_plugin()
        {
            let name = context.user.as_deref().unwrap_or_default();
            self.hung_before(&uri).await?;
            let credential = match exec::run(&plugin, cluster, name, self.limits.plugin).await {
                Ok(credential) => credential,
                Err(exec::Failed::Told(problem)) => return Err(problem),
                Err(exec::Failed::Hung(problem)) => return Err(self.hung_now(&config, problem).await),
            };
            expires = credential.expires;
            config.auth_info.token = credential.token;
            if let (Some(certificate), Some(key)) = (credential.certificate, credential.key) {
                config.auth_info.client_certificate_data = Some(STANDARD.encode(certificate));
                config.auth_info.client_key_data = Some(SecretString::from(STANDARD.encode(key.expose_secret())));
            }
        }
        Ok((config, expires))
    }

    /// A plugin that hung while the server could not be reached either is not run again before it can: it may open
    /// a browser, and without a network nobody can log in.
    async fn hung_now(&self, config: &Config, problem: ConnectProblem) -> ConnectProblem {
        if config.proxy_url.is_some() || answers(&config.cluster_url).await {
            return problem;
        }
        let words = format!("{} {} cannot be reached either.", problem.message, self.address());
        let hint = "Check your network and the VPN; the plugin is run again as soon as the server can be reached.";
        let problem = ConnectProblem::unreachable(words, hint);
        *self.hung.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem.clone());
        problem
    }

    async fn hung_before(&self, uri: &http::Uri) -> Result<(), ConnectProblem> {
        let hung = self.hung.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match hung {
            Some(problem) if !answers(uri).await => return Err(problem),
            Some(_) => *self.hung.lock().unwrap_or_else(PoisonError::into_inner) = None,
            None => {}
        }
        Ok(())
    }

    async fn client(&self, config: Config) -> Result<Client, ConnectProblem> {
        let result = if config.auth_info.auth_provider.is_some() {
            // The gcp provider runs a command, synchronously.
            let work = tokio::task::spawn_blocking(move || Client::try_from(config));
            match tokio::time::timeout(self.limits.plugin, work).await {
                Ok(Ok(result)) => result,
                _ => {
                    return Err(ConnectProblem::login(
                        format!("The auth-provider did not finish within {} s.", self.limits.plugin.as_secs()),
                        "Log in again the way you do for kubectl, then retry.",
                    ));
                }
            }
        } else {
            Client::try_from(config)
        };
        result.map_err(|error| {
            let user = self.entry.context.user.as_deref().unwrap_or_default();
            let words = classify::chain(&error);
            match error {
                kube::Error::Auth(_) if self.entry.user.auth_provider.is_some() => ConnectProblem::login(
                    format!("The auth-provider of user `{user}` gave no credentials: {words}"),
                    "auth-provider is a relic of old clients; ask your provider for its credential plugin (`exec`).",
                ),
                _ => ConnectProblem::misconfigured(
                    format!("The credentials or certificates of user `{user}` cannot be used: {words}"),
                    "Correct that user in the kubeconfig.",
                ),
            }
        })
    }

    fn authority(&self) -> Result<Option<Vec<Vec<u8>>>, ConnectProblem> {
        let cluster = &self.entry.cluster;
        let wrong = |words: String| {
            ConnectProblem::misconfigured(
                format!("The cluster's certificate authority cannot be read: {words}."),
                "Correct `certificate-authority` of the cluster in the kubeconfig.",
            )
        };
        let data = cluster.certificate_authority_data.as_deref().filter(|d| !d.is_empty());
        let file = cluster.certificate_authority.as_deref().filter(|f| !f.is_empty());
        let Some(pem) = pem(data, file).map_err(wrong)? else { return Ok(None) };
        let found: Vec<Vec<u8>> =
            CertificateDer::pem_slice_iter(&pem).filter_map(|c| c.ok().map(|c| c.to_vec())).collect();
        if found.is_empty() {
            return Err(wrong("there is no certificate in it".into()));
        }
        Ok(Some(found))
    }

    /// What can be told without asking the server.
    fn check_static(&self, user: &kube::config::AuthInfo) -> Result<(), ConnectProblem> {
        let name = self.entry.context.user.as_deref().unwrap_or_default();
        if let Some(provider) = user.auth_provider.as_ref().filter(|p| p.name == "azure") {
            return Err(ConnectProblem::misconfigured(
                format!(
                    "User `{name}` has the auth-provider `{}`, which Kubernetes clients no longer support.",
                    provider.name
                ),
                "Install kubelogin and run `kubelogin convert-kubeconfig`.",
            ));
        }
        if user.exec.is_none()
            && user.token.is_none()
            && user.token_file.is_none()
            && user.auth_provider.is_none()
            && let Some(until) = self.client_certificate_end()
            && until < Timestamp::now()
        {
            return Err(expired(name, until));
        }
        Ok(())
    }

    fn client_certificate_end(&self) -> Option<Timestamp> {
        let user = &self.entry.user;
        let pem = pem(user.client_certificate_data.as_deref(), user.client_certificate.as_deref()).ok()??;
        certificate::validity(&pem).map(|(_, until)| until)
    }

    fn refused_twice(&self, words: &str) -> ConnectProblem {
        let user = self.entry.context.user.as_deref().unwrap_or_default();
        if let Some(until) = self.client_certificate_end().filter(|until| *until < Timestamp::now()) {
            return expired(user, until);
        }
        let entry = &self.entry.user;
        let (what, hint) = if let Some(plugin) = entry.exec.as_ref().and_then(|e| e.command.as_deref()) {
            (format!("the credentials `{plugin}` handed out"), "Log in again the way you do for kubectl, then retry.")
        } else if entry.token.is_some() || entry.token_file.is_some() {
            (
                format!("the token of user `{user}`; it may have expired"),
                "Put a fresh token into the kubeconfig, then retry.",
            )
        } else if entry.client_certificate.is_some() || entry.client_certificate_data.is_some() {
            (
                format!("the client certificate of user `{user}`"),
                "Fetch the cluster's kubeconfig again; a cluster made anew has new certificates.",
            )
        } else {
            (format!("user `{user}`, who has no credentials"), "Add credentials to that user in the kubeconfig.")
        };
        ConnectProblem::login(format!("{} did not accept {what} ({words}).", self.address()), hint)
    }
}

/// True when something takes connections there.
async fn answers(server: &http::Uri) -> bool {
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = server.port_u16().unwrap_or(if server.scheme_str() == Some("http") { 80 } else { 443 });
    let connect = tokio::net::TcpStream::connect((host, port));
    tokio::time::timeout(Duration::from_secs(3), connect).await.is_ok_and(|c| c.is_ok())
}

/// Never at once: a plugin that hands out what has ended already must not be run without a pause.
fn renewal(now: Timestamp, end: Timestamp) -> Timestamp {
    let left = end.duration_since(now);
    let ahead = (left / 2).min(SignedDuration::from_secs(60));
    end.checked_sub(ahead).unwrap_or(end).max(now + Duration::from_secs(5))
}

fn expired(user: &str, until: Timestamp) -> ConnectProblem {
    ConnectProblem::login(
        format!("The client certificate of user `{user}` expired on {}.", until.strftime("%Y-%m-%d %H:%M UTC")),
        "Fetch the cluster's kubeconfig again, or renew the certificate, then retry.",
    )
}

/// The base64 data, else the file, as kubectl takes them.
fn pem(data: Option<&str>, file: Option<&str>) -> Result<Option<Vec<u8>>, String> {
    match (data.filter(|d| !d.is_empty()), file.filter(|f| !f.is_empty())) {
        (Some(data), _) => STANDARD.decode(data.trim()).map(Some).map_err(|e| format!("its base64 is broken ({e})")),
        (None, Some(file)) => std::fs::read(Path::new(file)).map(Some).map_err(|e| format!("{file}: {e}")),
        (None, None) => Ok(None),
    }
}

/// A proxy URL without the user and password in it.
fn shown(uri: &http::Uri) -> String {
    let port = uri.port().map(|p| format!(":{p}")).unwrap_or_default();
    format!("{}://{}{port}", uri.scheme_str().unwrap_or("http"), uri.host().unwrap_or_default())
}
