//! The address of a server as a person writes it, and what it means that something is sent there.

use reqwest::Url;

use crate::{http, problem::Problem};

/// The address as it is kept: `localhost:8080` becomes `http://localhost:8080/v1`.
///
/// # Errors
/// When it is no address of a server; the message says how one looks.
pub fn address(typed: &str) -> Result<String, Problem> {
    let typed = typed.trim();
    let whole = if typed.contains("://") { typed.to_owned() } else { format!("http://{typed}") };
    let mut url = parse(&whole)?;
    let path = url.path().trim_end_matches('/').trim_end_matches("/chat/completions").trim_end_matches("/models");
    let path = if path.is_empty() { "/v1".to_owned() } else { path.to_owned() };
    url.set_path(&path);
    Ok(url.to_string())
}

/// Reads an address that was kept.
pub(super) fn parse(text: &str) -> Result<Url, Problem> {
    let no = |why: &str| {
        Problem::new(format!("{why} An address looks like http://localhost:8080/v1 or https://models.example.com/v1."))
    };
    // What was typed may hold a password and is not repeated.
    let url = Url::parse(text).map_err(|_| no("This is no address."))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(no("This is no address of a server."));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(no("The address holds a name or a password. Write the key into its own field."));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(no("The address holds more than a server and a path."));
    }
    Ok(url)
}

/// True when the address is this computer.
pub fn is_local(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| http::is_local(&url))
}

/// What leaves this computer when the server writes, for the person who is about to choose it.
pub fn warning(url: &str) -> String {
    let Ok(url) = Url::parse(url) else { return String::new() };
    let host = http::place(&url);
    if http::is_local(&url) {
        return format!(
            "{host} is this computer. What is asked goes to the server that listens there; where that sends it is the server's own matter."
        );
    }
    let mut text = format!(
        "What you ask, and the recorded evidence chosen for it, leave this computer for {host}: names of objects and namespaces, log lines, Kubernetes events, changes, your notes. Values that look like secrets are removed first. Nothing is sent before you ask for a text."
    );
    if url.scheme() == "http" {
        text.push_str(" The connection is not encrypted: everybody on the way can read it, the key included.");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_becomes_one_form() {
        for (typed, kept) in [
            ("localhost:8080", "http://localhost:8080/v1"),
            (" http://localhost:8080/ ", "http://localhost:8080/v1"),
            ("http://127.0.0.1:11434/v1/", "http://127.0.0.1:11434/v1"),
            ("https://api.example.com/v1/chat/completions", "https://api.example.com/v1"),
            ("https://gw.example.com/llm/v1/models", "https://gw.example.com/llm/v1"),
        ] {
            assert_eq!(address(typed).unwrap(), kept, "{typed}");
            assert_eq!(address(kept).unwrap(), kept);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_and_no_password_is_repeated() {
        for typed in
            ["", "ftp://x/", "http://", "https://u:hunter2@x/v1", "https://x/v1?key=hunter2", "file:///etc/passwd"]
        {
            let told = address(typed).unwrap_err().message;
            assert!(told.contains("http://localhost:8080/v1") && !told.contains("hunter2"), "{typed}: {told}");
        }
    }

    #[test]
    fn the_warning_names_the_host_what_leaves_and_whether_others_can_read_it() {
        let away = warning("http://gpu.example.com:8000/v1");
        for word in ["gpu.example.com:8000", "log lines", "not encrypted"] {
            assert!(away.contains(word), "{word}: {away}");
        }
        assert!(!warning("https://gpu.example.com/v1").contains("not encrypted"));
        assert!(warning("http://localhost:8080/v1").contains("is this computer"));
        assert!(is_local("http://localhost:8080/v1") && !is_local("https://gpu.example.com/v1"));
    }
}
