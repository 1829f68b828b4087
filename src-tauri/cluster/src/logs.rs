//! The tail of a container's log: bounded, plain, redacted.

use std::time::Duration;

use afterwatch_core::{
    observation::{LogRead, LogWant},
    redact,
};

use crate::{
    cluster::Inner,
    scope::encoded,
    server::{Failure, Server},
    wire::Outline,
};

/// Logs read at once.
pub(crate) const AT_ONCE: usize = 8;
const LINES: usize = 300;
const BYTES: usize = 256 << 10;
const LINE_BYTES: usize = 4 << 10;
const LIMIT: Duration = Duration::from_secs(10);

/// Reads the log that is wanted, or says why it cannot be.
pub(crate) async fn read(inner: &Inner, want: LogWant) -> LogRead {
    let result = match inner.log_turns.acquire().await {
        Ok(_turn) => tokio::time::timeout(LIMIT, fetch(inner, &want))
            .await
            .unwrap_or_else(|_| Err(format!("the log did not arrive within {} s", LIMIT.as_secs()))),
        Err(_) => Err("no more logs are read".to_owned()),
    };
    match result {
        Ok((lines, truncated)) => LogRead { want, lines: Ok(lines), truncated },
        Err(reason) => LogRead { want, lines: Err(redact::text(&reason).into_owned()), truncated: false },
    }
}

async fn fetch(inner: &Inner, want: &LogWant) -> Result<(Vec<String>, bool), String> {
    let link = inner.connector.link().await.map_err(|p| p.message)?;
    match attempt(&link.query, want).await {
        Err(Failure::Refused(r)) if r.code == 401 => {
            let link = inner.connector.renew(link.generation, Some(&r.message)).await.map_err(|p| p.message)?;
            attempt(&link.query, want).await
        }
        other => other,
    }
    .map_err(|failure| failure.to_string())
}

async fn attempt(server: &Server, want: &LogWant) -> Result<(Vec<String>, bool), Failure> {
    let namespace = encoded(want.pod.namespace.as_deref().unwrap_or("default"));
    let pod = format!("/api/v1/namespaces/{namespace}/pods/{}", encoded(&want.pod.name));
    let path = format!(
        "{pod}/log?container={}&tailLines={LINES}&limitBytes={BYTES}&previous={}",
        encoded(&want.container),
        want.previous
    );
    // A StatefulSet's pod comes back under the same name: the log must be that of the pod that was meant.
    let (log, uid) = tokio::join!(server.read(&path, "*/*"), uid(server, &pod, want.pod.uid.is_some()));
    let log = log?;
    if let (Some(wanted), Some(found)) = (want.pod.uid.as_deref(), uid)
        && wanted != found
    {
        return Err(Failure::Nonsense("the pod was replaced by a new one of the same name; its log is gone".into()));
    }
    let text = String::from_utf8_lossy(&log);
    // Since 1.35 this answer comes with status 200: one dead container is kept per container, and it is not this one.
    if text.starts_with("unable to retrieve container logs for ") {
        return Err(Failure::Nonsense(plain(text.trim_end())));
    }
    Ok(tidy(&text, log.len()))
}

async fn uid(server: &Server, pod: &str, wanted: bool) -> Option<String> {
    if !wanted {
        return None;
    }
    let body = server.read(pod, "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1").await.ok()?;
    let outline: Outline = serde_json::from_slice(&body).ok()?;
    Some(outline.metadata.uid).filter(|u| !u.is_empty())
}

/// Lines as they may be kept, and whether there was more.
fn tidy(text: &str, bytes: usize) -> (Vec<String>, bool) {
    let mut truncated = bytes >= BYTES;
    let mut lines = Vec::new();
    let mut in_key = false;
    for raw in text.lines() {
        let mut line = plain(raw);
        if line.len() > LINE_BYTES {
            let cut = (0..=LINE_BYTES).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
            line.truncate(cut);
            line.push('…');
            truncated = true;
        }
        // A private key is a secret over many lines, none of which looks like one.
        if line.contains("PRIVATE KEY-----") {
            let begins = line.contains("-----BEGIN");
            let ends = line.rfind("-----END").is_some_and(|at| at > line.find("-----BEGIN").unwrap_or(0));
            if begins && !ends {
                in_key = true;
                lines.push("‹removed: private key›".to_owned());
                continue;
            }
            if in_key {
                in_key = false;
                continue;
            }
        }
        if in_key {
            continue;
        }
        lines.push(redact::text(&line).into_owned());
    }
    truncated |= lines.len() >= LINES;
    (lines, truncated)
}

/// Without escape sequences and control characters; tabs stay.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => match rest.next() {
                // CSI: parameters, then one letter.
                Some('[') => while rest.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
                // OSC and the like: until BEL or ESC \.
                Some(']' | 'P' | '_' | '^') => {
                    while let Some(c) = rest.next() {
                        if c == '\u{7}' {
                            break;
                        }
                        if c == '\u{1b}' {
                            rest.next_if_eq(&'\\');
                            break;
                        }
                    }
                }
                _ => {}
            },
            '\t' | '\n' => out.push(c),
            // Invisible characters that reorder or hide what a person reads.
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{LINE_BYTES, plain, tidy};

    #[test]
    fn escape_sequences_and_control_characters_are_removed() {
        assert_eq!(plain("\u{1b}[31;1mred\u{1b}[0m\tplain\r\u{0}"), "red\tplain");
        assert_eq!(plain("\u{1b}]0;title\u{7}after\u{1b}]8;;http://x\u{1b}\\link"), "afterlink");
        assert_eq!(plain("a\u{202e}b\u{200b}c"), "abc");
        assert_eq!(plain("\u{1b}[31"), "");
    }

    #[test]
    fn long_lines_are_cut_at_a_character_and_said_to_be() {
        let (lines, truncated) = tidy(&"ä".repeat(LINE_BYTES), 10);
        assert!(truncated);
        assert!(lines[0].len() <= LINE_BYTES + 4 && lines[0].ends_with("ä…"));
    }

    #[test]
    fn a_private_key_over_many_lines_is_removed_whole() {
        let text = "before\n-----BEGIN RSA PRIVATE KEY-----\nMIIabc\nMIIdef\n-----END RSA PRIVATE KEY-----\nafter\n";
        let (lines, _) = tidy(text, text.len());
        assert_eq!(lines, ["before", "‹removed: private key›", "after"]);
    }
}
