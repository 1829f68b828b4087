//! What a server's refusals mean, in sentences.

use reqwest::StatusCode;
use serde_json::Value;

use crate::problem::{Problem, quoted};

/// A refusal by status and what stands in it.
pub(super) fn problem(status: StatusCode, text: &str, model: &str, at: &str) -> Problem {
    let said = said(text);
    let words = if said.is_empty() { String::new() } else { format!(" It says: “{said}”.") };
    let model = quoted(model);
    Problem::new(match status {
        _ if too_long(text) => {
            format!(
                "The incident's evidence does not fit in {model} on {at}.{words} Start the server with a larger context, or choose another model."
            )
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            format!("{at} refuses the key, or wants one.{words} Write the server's key in Settings, Models.")
        }
        StatusCode::NOT_FOUND if about_model(text) => {
            format!("{at} has no model {model}.{words} Choose one that it has.")
        }
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            format!("{at} knows no chat completions at this address.{words} The address mostly ends in /v1.")
        }
        StatusCode::TOO_MANY_REQUESTS => {
            format!("{at} has too much to do or a limit is reached.{words} Try again later.")
        }
        s if s.is_redirection() => {
            format!(
                "{at} redirects to another address, and nothing is sent there by itself. Write the new address in Settings, Models."
            )
        }
        s if about_model(text) => {
            format!("{at} cannot use {model} ({}).{words} Choose a model that it has.", s.as_u16())
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            format!("{at} is not ready yet; it may be loading its model.{words} Try again in a moment.")
        }
        s => format!("{at} refuses the request with {}.{words} Look at the server's own log.", s.as_u16()),
    })
}

/// It answered, and not in JSON.
pub(super) fn not_json(at: &str, what: &str) -> Problem {
    Problem::new(format!(
        "{at} answers, but does not give {what} as an OpenAI-compatible server does. Check the address; it mostly ends in /v1."
    ))
}

/// True when it is the length that is refused, which no other form of request mends.
pub(super) fn too_long(text: &str) -> bool {
    let text = text.get(..text.floor_char_boundary(4096)).unwrap_or_default().to_lowercase();
    const SIGNS: [&str; 7] = [
        "context_length_exceeded",
        "exceed_context_size",
        "maximum context length",
        "exceeds the available context",
        "context window",
        "prompt is too long",
        "too many tokens",
    ];
    SIGNS.iter().any(|sign| text.contains(sign))
}

fn about_model(text: &str) -> bool {
    let text = said(text).to_lowercase();
    text.contains("model")
        && ["not found", "does not exist", "unknown", "no such", "not available"].iter().any(|s| text.contains(s))
}

/// What the server says about it: in OpenAI's form, in Ollama's, in FastAPI's, or as it stands.
pub(super) fn said(text: &str) -> String {
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        // A page for browsers says nothing in a sentence.
        return if text.trim_start().starts_with('<') { String::new() } else { quoted(text) };
    };
    let places = ["/error/message", "/error", "/message", "/detail", "/detail/0/msg"];
    let found = places.iter().find_map(|p| value.pointer(p).and_then(Value::as_str));
    quoted(found.unwrap_or_default().trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, text: &str) -> String {
        problem(StatusCode::from_u16(status).unwrap(), text, "qwen", "gpu:8000").message
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        for (status, text, words) in [
            (
                401,
                r#"{"error":{"message":"Invalid API key."}}"#,
                "refuses the key, or wants one. It says: “Invalid API key”.",
            ),
            (404, r#"{"error":{"message":"model 'qwen' not found, try pulling it first"}}"#, "has no model qwen."),
            (404, "404 page not found", "knows no chat completions"),
            (
                400,
                r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}"#,
                "does not fit",
            ),
            (503, r#"{"error":{"message":"Loading model"}}"#, "not ready yet"),
            (307, "", "redirects to another address"),
            (500, "<html>\u{1b}[31m</html>", "refuses the request with 500."),
        ] {
            let told = told(status, text);
            assert!(told.contains(words) && told.ends_with('.') && !told.contains('\u{1b}'), "{status}: {told}");
        }
    }
}
