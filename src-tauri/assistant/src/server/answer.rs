//! What comes back: pieces of text, figures, and how it ended.

use std::time::Instant;

use serde::Deserialize;
use serde_json::Value;

use super::refusal;
use crate::generator::{Generated, Heard, Prompt};

/// Bytes a token has at most, for the bound on an answer that does not heed `max_tokens`.
const TOKEN: usize = 64;

/// What an event was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// Nothing that shows that it goes on.
    None,
    /// A token, a thought, or how far the prompt is read.
    Life,
    End,
}

/// Why an answer broke off.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// In the server's words, from which it can be told what is wrong.
    Said(String),
    /// More than could be meant.
    Endless,
    NotJson,
}

impl Trouble {
    pub(super) fn told(&self, at: &str, model: &str) -> String {
        match self {
            Trouble::Said(text) if refusal::too_long(text) => {
                refusal::problem(reqwest::StatusCode::BAD_REQUEST, text, model, at).message
            }
            Trouble::Said(text) => {
                format!("{at} broke off: “{}”. Try again, or look at the server's own log.", refusal::said(text))
            }
            Trouble::Endless => format!("{at} writes without end and was stopped. Choose another model on it."),
            Trouble::NotJson => refusal::not_json(at, "the answer").message,
        }
    }
}

/// An answer as it grows.
pub(super) struct Answer {
    began: Instant,
    first: Option<Instant>,
    /// What the server wrote, without what it thought.
    text: String,
    shown: Shown,
    most: usize,
    tokens: u32,
    usage: Usage,
    finish: Option<String>,
}

#[derive(Default, Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
    error: Option<Value>,
    prompt_progress: Option<Reading>,
}

#[derive(Default, Deserialize)]
struct Choice {
    #[serde(alias = "message")]
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Delta {
    content: Option<String>,
    #[serde(alias = "reasoning")]
    reasoning_content: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Usage {
    prompt_tokens: u32,
    completion_tokens: u32,
    prompt_tokens_details: Option<Details>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Details {
    cached_tokens: Option<u32>,
}

#[derive(Deserialize)]
struct Reading {
    total: u32,
    processed: u32,
}

impl Answer {
    pub(super) fn new(began: Instant, prompt: &Prompt) -> Answer {
        Answer {
            began,
            first: None,
            text: String::new(),
            shown: Shown::default(),
            most: prompt.max_tokens as usize * TOKEN + 4096,
            tokens: 0,
            usage: Usage::default(),
            finish: None,
        }
    }

    /// What has come, as it may be shown.
    pub(super) fn text(&self) -> &str {
        self.shown.of(&self.text)
    }

    /// True when the server said that it is done.
    pub(super) fn ended(&self) -> bool {
        self.finish.is_some()
    }

    /// Takes an event in.
    pub(super) fn event(&mut self, data: &str, hear: &(dyn Fn(Heard) + Send + Sync)) -> Result<Sign, Trouble> {
        if data.trim() == "[DONE]" {
            return Ok(Sign::End);
        }
        let chunk: Chunk = serde_json::from_str(data).map_err(|_| Trouble::NotJson)?;
        if let Some(error) = chunk.error.filter(|e| !e.is_null()) {
            return Err(Trouble::Said(serde_json::json!({"error": error}).to_string()));
        }
        let mut sign = Sign::None;
        if let Some(reading) = chunk.prompt_progress {
            hear(Heard::Reading { done: reading.processed.min(reading.total), all: reading.total });
            sign = Sign::Life;
        }
        if let Some(usage) = chunk.usage {
            self.usage = usage;
        }
        // One answer was asked for; a second one is not read.
        if let Some(choice) = chunk.choices.into_iter().next() {
            let delta = choice.delta.unwrap_or_default();
            if delta.reasoning_content.is_some_and(|t| !t.is_empty()) {
                sign = Sign::Life;
            }
            if let Some(more) = delta.content.filter(|t| !t.is_empty()) {
                self.grow(&more, hear)?;
                sign = Sign::Life;
            }
            self.finish = choice.finish_reason.or(self.finish.take());
        }
        Ok(sign)
    }

    /// Takes an answer in that came in one piece.
    pub(super) fn whole(&mut self, text: &str, hear: &(dyn Fn(Heard) + Send + Sync)) -> Result<(), Trouble> {
        let value: Value = serde_json::from_str(text).map_err(|_| Trouble::NotJson)?;
        if value.get("choices").and_then(Value::as_array).is_none_or(Vec::is_empty) {
            return Err(Trouble::NotJson);
        }
        self.event(text, hear)?;
        Ok(())
    }

    fn grow(&mut self, more: &str, hear: &(dyn Fn(Heard) + Send + Sync)) -> Result<(), Trouble> {
        if self.text.len() + more.len() > self.most {
            return Err(Trouble::Endless);
        }
        let first = *self.first.get_or_insert_with(Instant::now);
        self.tokens += 1;
        let before = self.shown.of(&self.text).len();
        self.text.push_str(more);
        self.shown.look(&self.text);
        let piece = &self.shown.of(&self.text)[before..];
        if !piece.is_empty() {
            let seconds = first.elapsed().as_secs_f32();
            let pace = if seconds > 0.05 { self.tokens as f32 / seconds } else { 0.0 };
            hear(Heard::Piece { text: piece.to_owned(), tokens_per_second: pace });
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Generated {
        let shown = self.shown.of(&self.text);
        // A code fence or a remark may follow the object.
        let end = shown.rfind('}').map_or(shown.len(), |at| at + 1);
        let ms = |since: Instant| u32::try_from(since.duration_since(self.began).as_millis()).unwrap_or(u32::MAX);
        let now = Instant::now();
        Generated {
            text: shown[..end].to_owned(),
            prompt_tokens: self.usage.prompt_tokens,
            cached_tokens: self.usage.prompt_tokens_details.and_then(|d| d.cached_tokens).unwrap_or_default(),
            generated_tokens: if self.usage.completion_tokens > 0 { self.usage.completion_tokens } else { self.tokens },
            first_token_ms: ms(self.first.unwrap_or(now)),
            total_ms: ms(now),
            complete: self.finish.as_deref() != Some("length"),
        }
    }
}

/// Where in the text the JSON object begins. What stands before it is a thought, a fence or a greeting, and nobody
/// asked for it.
#[derive(Clone, Copy, Default)]
struct Shown {
    from: Option<usize>,
}

impl Shown {
    fn look(&mut self, text: &str) {
        if self.from.is_some() {
            return;
        }
        let start = match text.trim_start().starts_with("<think>") {
            true => match text.find("</think>") {
                Some(at) => at + "</think>".len(),
                None => return,
            },
            // It may still become the mark of a thought.
            false if "<think>".starts_with(text.trim_start()) => return,
            false => 0,
        };
        self.from = text[start..].find('{').map(|at| start + at);
    }

    fn of(self, text: &str) -> &str {
        self.from.map_or("", |from| &text[from..])
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn prompt() -> Prompt {
        Prompt {
            messages: Vec::new(),
            fixed: 0,
            grammar: String::new(),
            schema: Value::Null,
            max_tokens: 16,
            temperature: 0.0,
            seed: 1,
        }
    }

    /// What is heard and what comes of pieces of content.
    fn run(pieces: &[&str]) -> (String, Generated) {
        let heard = Mutex::new(String::new());
        let hear = |h: Heard| {
            if let Heard::Piece { text, .. } = h {
                heard.lock().unwrap().push_str(&text);
            }
        };
        let mut answer = Answer::new(Instant::now(), &prompt());
        for piece in pieces {
            let event = serde_json::json!({"choices": [{"delta": {"content": piece}}]}).to_string();
            answer.event(&event, &hear).unwrap();
        }
        (heard.lock().unwrap().clone(), answer.finish())
    }

    #[test]
    fn thoughts_fences_and_greetings_are_neither_heard_nor_kept() {
        for pieces in [
            &["{\"a\":", "1}"] as &[&str],
            &["<th", "ink>hm {not this}", "</think>\n{\"a\":", "1}"],
            &["Sure!\n```json\n{", "\"a\":1}", "\n```"],
        ] {
            let (heard, done) = run(pieces);
            assert_eq!(done.text, "{\"a\":1}", "{pieces:?}");
            assert!(heard.starts_with("{\"a\":1}"), "{heard}");
        }
    }

    #[test]
    fn an_answer_that_heeds_no_limit_is_stopped() {
        let mut answer = Answer::new(Instant::now(), &prompt());
        let event = serde_json::json!({"choices": [{"delta": {"content": "x".repeat(6_000)}}]}).to_string();
        assert_eq!(answer.event(&event, &|_| {}), Err(Trouble::Endless));
    }

    #[test]
    fn figures_are_the_servers_own_where_it_gives_them() {
        let mut answer = Answer::new(Instant::now(), &prompt());
        let data = r#"{"choices":[{"delta":{"content":"{}"},"finish_reason":"length"}],"usage":{"prompt_tokens":7,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":5}}}"#;
        assert_eq!(answer.event(data, &|_| {}), Ok(Sign::Life));
        assert_eq!(answer.event("[DONE]", &|_| {}), Ok(Sign::End));
        let done = answer.finish();
        assert_eq!((done.prompt_tokens, done.cached_tokens, done.generated_tokens), (7, 5, 3));
        assert!(!done.complete);
    }
}
