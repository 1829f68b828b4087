//! Which proxy to go through.
//!
//! Decided here because kube 5 tests `NO_PROXY` against the proxy's address instead of the API server's, fails on an
//! empty item in it, and refuses `socks5h`.

use std::net::IpAddr;

use http::Uri;

/// The proxy for this server: the kubeconfig's own `proxy-url` always counts; the environment's only when `NO_PROXY`
/// does not name the server and the server is not this machine. `env` reads a variable.
pub(crate) fn choose(
    server: &Uri,
    explicit: Option<&str>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Uri>, String> {
    let any = |names: [&str; 2]| names.iter().find_map(|n| env(n).filter(|v| !v.trim().is_empty()));
    if let Some(url) = explicit.map(str::trim).filter(|u| !u.is_empty()) {
        return parse(url).map(Some);
    }
    let names =
        if server.scheme_str() == Some("http") { ["HTTP_PROXY", "http_proxy"] } else { ["HTTPS_PROXY", "https_proxy"] };
    let Some(url) = any(names) else { return Ok(None) };
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
    if host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) {
        return Ok(None);
    }
    let excluded = any(["NO_PROXY", "no_proxy"]).is_some_and(|list| excludes(&list, host, port(server)));
    if excluded { Ok(None) } else { parse(url.trim()).map(Some) }
}

fn port(server: &Uri) -> u16 {
    server.port_u16().unwrap_or(if server.scheme_str() == Some("http") { 80 } else { 443 })
}

fn parse(url: &str) -> Result<Uri, String> {
    // Resolving names at the proxy is what the client does with socks5 anyway; `socks5h` only says so aloud.
    let rewritten = match url.split_once("://") {
        Some(("socks5h", rest)) => format!("socks5://{rest}"),
        Some(_) => url.to_owned(),
        None => format!("http://{url}"),
    };
    let uri: Uri = rewritten.parse().map_err(|e| format!("the proxy URL cannot be read: {e}"))?;
    match uri.scheme_str() {
        Some("http" | "https" | "socks5") => Ok(uri),
        other => Err(format!("the proxy URL's scheme `{}` is not supported", other.unwrap_or("none"))),
    }
}

/// Go's rules: `*`, an address, a CIDR range, a domain (itself and below; with a leading dot only below), each
/// optionally with a port. Empty items are skipped.
fn excludes(list: &str, host: &str, port: u16) -> bool {
    let address: Option<IpAddr> = host.parse().ok();
    list.split(',').map(str::trim).filter(|item| !item.is_empty()).any(|item| {
        if item == "*" {
            return true;
        }
        if let Some((network, bits)) = item.split_once('/') {
            return match (network.parse::<IpAddr>(), bits.parse::<u32>(), address) {
                (Ok(network), Ok(bits), Some(address)) => in_network(address, network, bits),
                _ => false,
            };
        }
        let (name, wanted) = match item.rsplit_once(':') {
            Some((name, p)) if !name.contains(':') || name.ends_with(']') => (name, p.parse::<u16>().ok()),
            _ => (item, None),
        };
        if wanted.is_some_and(|p| p != port) {
            return false;
        }
        let name = name.trim_matches(['[', ']']);
        if let Ok(ip) = name.parse::<IpAddr>() {
            return address == Some(ip);
        }
        let (host, name) = (host.to_ascii_lowercase(), name.trim_start_matches('*').to_ascii_lowercase());
        match name.strip_prefix('.') {
            Some(domain) => host.ends_with(&format!(".{domain}")),
            None => host == name || host.ends_with(&format!(".{name}")),
        }
    })
}

fn in_network(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            a.to_bits() & mask == n.to_bits() & mask
        }
        (IpAddr::V6(a), IpAddr::V6(n)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            a.to_bits() & mask == n.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::choose;

    fn check(server: &str, explicit: Option<&str>, env: &[(&str, &str)], expect: Result<Option<&str>, &str>) {
        let read = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        let found = choose(&server.parse().unwrap(), explicit, &read);
        match (found, expect) {
            (Ok(found), Ok(expect)) => assert_eq!(found.map(|u| u.to_string()), expect.map(str::to_owned)),
            (Err(found), Err(expect)) => assert!(found.contains(expect), "{found}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn no_proxy_is_tested_against_the_server_and_not_against_the_proxy() {
        let proxy = ("HTTPS_PROXY", "http://10.0.0.1:3128");
        check("https://10.1.2.3:6443", None, &[proxy, ("NO_PROXY", "10.0.0.0/8")], Ok(None));
        check(
            "https://k8s.example.com",
            None,
            &[proxy, ("NO_PROXY", "10.0.0.0/8,")],
            Ok(Some("http://10.0.0.1:3128/")),
        );
        check("https://k8s.example.com", None, &[proxy, ("no_proxy", "a, .example.com")], Ok(None));
        check("https://k8s.example.com", None, &[proxy, ("NO_PROXY", "example.com:443")], Ok(None));
        check(
            "https://k8s.example.com",
            None,
            &[proxy, ("NO_PROXY", "example.com:8443")],
            Ok(Some("http://10.0.0.1:3128/")),
        );
        check("https://notexample.com", None, &[proxy, ("NO_PROXY", "example.com")], Ok(Some("http://10.0.0.1:3128/")));
        check("https://[fd00::1]:6443", None, &[proxy, ("NO_PROXY", "fd00::/8")], Ok(None));
        check("https://127.0.0.1:6443", None, &[proxy], Ok(None));
        check("https://k8s.example.com", None, &[proxy, ("NO_PROXY", "*")], Ok(None));
    }

    #[test]
    fn the_kubeconfigs_own_proxy_counts_always_and_socks5h_is_understood() {
        let env = [("NO_PROXY", "*")];
        check("https://k8s.example.com", Some("socks5h://p:1080"), &env, Ok(Some("socks5://p:1080/")));
        check("https://k8s.example.com", Some("p:3128"), &env, Ok(Some("http://p:3128/")));
        check("https://k8s.example.com", Some("ftp://p"), &env, Err("`ftp` is not supported"));
    }
}
