//! Turns transport errors into what happened, why, and what to do next.

use std::error::Error;

use crate::problem::ConnectProblem;

/// The whole chain of an error as one line, each cause once.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut out = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !out.contains(&words) {
            out.push_str(": ");
            out.push_str(&words);
        }
        next = cause.source();
    }
    out
}

/// What a failed request to this server means. `via` is the proxy that was used.
pub(crate) fn transport(error: &(dyn Error + 'static), server: &str, via: Option<&str>) -> ConnectProblem {
    let words = chain(error);
    let says = |needle: &str| words.to_ascii_lowercase().contains(needle);
    if via.is_some() && says("proxy authorization required") {
        return ConnectProblem::unreachable(
            format!("The proxy {} wants a login.", via.unwrap_or("in between")),
            "Put the proxy's user and password into its URL (`proxy-url` or $HTTPS_PROXY).",
        );
    }
    if let Some(kube::Error::Auth(_)) = error.downcast_ref::<kube::Error>() {
        return ConnectProblem::login(
            format!("The credentials could not be renewed: {words}"),
            "Log in again the way you do for kubectl, then retry.",
        );
    }
    if let Some(problem) = certificate(&words, server) {
        return problem;
    }
    if let Some(via) = via
        && (says("proxy") || says("tunnel") || says("socks"))
    {
        return ConnectProblem::unreachable(
            format!("The proxy {via} did not let the connection to {server} through: {}", innermost(&words)),
            "Check `proxy-url` in the kubeconfig, $HTTPS_PROXY and $NO_PROXY.",
        );
    }
    let (what, hint) = if says("lookup")
        || says("name or service not known")
        || says("nodename nor servname")
        || says("no such host")
    {
        ("its name cannot be resolved", "Check the server's name in the kubeconfig, your network and the VPN.")
    } else if says("connection refused") {
        ("the connection was refused", "Is the cluster running, and is the port right?")
    } else if says("no route to host") || says("network is unreachable") || says("host is unreachable") {
        ("there is no route to it", "Check your network and the VPN.")
    } else if says("timed out") || says("timeout") || says("deadline") {
        ("it did not answer in time", "Check your network, the VPN and a firewall in between.")
    } else if says("connection reset")
        || says("broken pipe")
        || says("connection closed")
        || says("incomplete")
        || says("eof")
    {
        ("the connection was cut", "Check the network in between; it is tried again by itself.")
    } else if says("corrupt message")
        || says("invalidcontenttype")
        || says("invalid http")
        || says("parse error")
        || says("invalid token")
    {
        ("it does not speak the protocol expected", "Is the address that of the API server, and http or https right?")
    } else {
        ("the request failed", "It is tried again by itself.")
    };
    let through = via.map(|v| format!(" through the proxy {v}")).unwrap_or_default();
    ConnectProblem::unreachable(format!("{server} cannot be reached{through}: {what} ({}).", innermost(&words)), hint)
}

/// TLS: whose certificate was refused by whom.
fn certificate(words: &str, server: &str) -> Option<ConnectProblem> {
    let lower = words.to_ascii_lowercase();
    let says = |needle: &str| lower.contains(needle);
    // A cluster made anew has an authority of the same name and another key: its signatures are bad, not unknown.
    if says("unknownissuer") || says("badsignature") {
        return Some(ConnectProblem::misconfigured(
            format!("The certificate of {server} is signed by an authority that is not trusted."),
            "Check `certificate-authority` in the kubeconfig; a cluster made anew has a new one. A proxy that opens TLS has its own.",
        ));
    }
    if says("not valid for name") || says("notvalidforname") {
        return Some(ConnectProblem::misconfigured(
            format!("The certificate of {server} is for another name: {}.", after(words, "invalid peer certificate: ")),
            "Set `tls-server-name` in the kubeconfig's cluster entry to a name the certificate has, or correct the address.",
        ));
    }
    if says("certificate not valid yet") || says("notvalidyet") {
        return Some(ConnectProblem::unreachable(
            format!("The certificate of {server} is not valid yet by this machine's clock."),
            "Check this machine's date and time.",
        ));
    }
    if says("peer certificate") && says("expired") {
        return Some(ConnectProblem::unreachable(
            format!("The certificate of {server} has expired."),
            "Whoever runs the cluster has to renew it. If this machine's clock is wrong, correct that first.",
        ));
    }
    if says("fatal alert") && says("certificate") {
        return Some(ConnectProblem::login(
            format!("{server} refused the client certificate: {}.", innermost(words)),
            "Renew the client certificate in the kubeconfig.",
        ));
    }
    if says("invalid peer certificate") {
        return Some(ConnectProblem::misconfigured(
            format!("The certificate of {server} was refused: {}.", after(words, "invalid peer certificate: ")),
            "Check `certificate-authority` and `tls-server-name` in the kubeconfig.",
        ));
    }
    None
}

fn innermost(words: &str) -> &str {
    words.rsplit(": ").next().unwrap_or(words)
}

fn after<'a>(words: &'a str, mark: &str) -> &'a str {
    words.split_once(mark).map_or(words, |(_, rest)| rest)
}
