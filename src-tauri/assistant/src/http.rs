//! How the network is spoken to: only where a person asked for it, encrypted, over the system's proxy.

use std::{net::IpAddr, sync::Once, time::Duration};

use reqwest::{
    Client, Url,
    redirect::{Attempt, Policy},
};

use crate::problem::{Problem, quoted};

/// A connection that does not come about in this time does not come about.
const CONNECT: Duration = Duration::from_secs(15);
const REDIRECTS: usize = 5;

/// Whether redirects are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Redirects {
    /// What is sent is for this address and for no other.
    Refused,
    /// To encrypted addresses; on this computer also to plain ones.
    Followed,
}

/// A client for an address.
pub(crate) fn client(to: &Url, redirects: Redirects) -> Result<Client, Problem> {
    static RING: Once = Once::new();
    // Fails when another part of the program was first, with the same provider.
    RING.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    let local = is_local(to);
    let policy = match redirects {
        Redirects::Refused => Policy::none(),
        Redirects::Followed => Policy::custom(move |attempt| follow(attempt, local)),
    };
    let mut builder = Client::builder()
        .user_agent(concat!("afterwatch/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .redirect(policy);
    if local {
        // A proxy cannot reach this computer's own addresses.
        builder = builder.no_proxy();
    }
    builder.build().map_err(|e| Problem::new(format!("The network cannot be used: {}.", why(&e))))
}

fn follow(attempt: Attempt<'_>, local: bool) -> reqwest::redirect::Action {
    if attempt.previous().len() > REDIRECTS {
        return attempt.error("it redirects in a circle");
    }
    let to = attempt.url();
    if to.scheme() == "https" || (local && is_local(to)) {
        attempt.follow()
    } else {
        attempt.error("it redirects to an address that is not encrypted")
    }
}

/// True for an address of this computer.
pub(crate) fn is_local(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(ip) => ip.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// Host and port, as people write them.
pub(crate) fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The innermost reason of an error, without the address: it may hold a token.
pub(crate) fn why(error: &reqwest::Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    if std::ptr::eq(deepest, error as &dyn std::error::Error) {
        let kind = if error.is_timeout() { "it took too long" } else { "the answer could not be read" };
        return kind.to_owned();
    }
    quoted(&deepest.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_computers_own_addresses_are_local() {
        let local = |text: &str| is_local(&Url::parse(text).unwrap());
        for yes in [
            "http://localhost:8080/v1",
            "http://127.0.0.1",
            "http://127.9.9.9/",
            "http://[::1]:1/",
            "http://a.localhost",
        ] {
            assert!(local(yes), "{yes}");
        }
        for no in [
            "http://192.168.0.2",
            "https://localhost.example.com",
            "http://10.0.0.1",
            "http://[fd00::1]/",
            "http://0.0.0.0",
        ] {
            assert!(!local(no), "{no}");
        }
    }
}
