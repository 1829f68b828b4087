//! The user's own inference server: anything that speaks OpenAI's chat completions, such as llama-server, vLLM or
//! Ollama.
//!
//! Nothing is contacted unless the user named it. The same prompt goes out and the same JSON comes back as from the
//! worker; where a server knows no JSON schema it is asked in words, and the caller's checks hold in any case.

mod address;
mod answer;
mod ask;
mod refusal;
mod sse;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use afterwatch_core::port::{BoxFuture, ModelError};
use futures::StreamExt;
use reqwest::{Client, StatusCode, Url, header::CONTENT_TYPE};
use serde::Deserialize;
use tokio::sync::OnceCell;

pub use address::{address, is_local, warning};
use answer::Answer;
use ask::Form;
use sse::Events;

use crate::{
    chosen::ServerPlace,
    generator::{Generated, Generator, Heard, Prompt},
    http::{self, Redirects, place, why},
    key::Keys,
    problem::Problem,
};

/// Tokens that fit where a server does not tell. Ollama's own figure, and it cuts what is longer without a word.
const UNTOLD_CONTEXT: u32 = 4096;
/// Bytes of an answer that is not streamed, and of a list of models.
const MOST: usize = 8 << 20;

/// How long is waited for a server.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Without a token or a word on how far the prompt is read.
    pub silence: Duration,
    /// For the list of models.
    pub list: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { silence: Duration::from_secs(60), list: Duration::from_secs(20) }
    }
}

/// A server and the model on it.
pub struct Server {
    url: Url,
    model: String,
    key: Key,
    client: Client,
    patience: Patience,
    /// Known from the user or the server.
    context: OnceCell<u32>,
    /// The form of request this server took last.
    form: AtomicU8,
}

/// What the server wants to hear before it answers.
enum Key {
    /// This one, or none.
    Given(Option<Arc<str>>),
    /// The one that is kept, fetched when it is first needed: a keychain may ask its user for a password, and nobody
    /// wants to be asked before they asked for something themselves.
    Kept(Keys, OnceCell<Arc<str>>),
}

/// A model that a server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    pub id: String,
    /// Tokens that fit, where the server tells.
    pub context: Option<u32>,
}

impl Server {
    /// A server as the user named it. Nothing is contacted yet.
    ///
    /// # Errors
    /// When the address is none, or the network cannot be used at all.
    pub fn new(chosen: &ServerPlace, key: Option<String>, patience: Patience) -> Result<Server, Problem> {
        let key = key.filter(|k| !k.is_empty()).map(fit).transpose()?;
        Server::with(chosen, Key::Given(key), patience)
    }

    /// The same with the key that is kept for its address. No keychain is asked yet.
    ///
    /// # Errors
    /// As [`Server::new`].
    pub fn with_kept_key(chosen: &ServerPlace, keys: Keys, patience: Patience) -> Result<Server, Problem> {
        Server::with(chosen, Key::Kept(keys, OnceCell::new()), patience)
    }

    fn with(chosen: &ServerPlace, key: Key, patience: Patience) -> Result<Server, Problem> {
        let url = address::parse(&chosen.url)?;
        Ok(Server {
            // What is sent to this server is meant for this server.
            client: http::client(&url, Redirects::Refused)?,
            url,
            model: chosen.model.clone(),
            key,
            patience,
            context: chosen.context.map_or_else(OnceCell::new, |c| OnceCell::new_with(Some(c))),
            form: AtomicU8::new(0),
        })
    }

    /// The models the server has.
    ///
    /// # Errors
    /// When it does not answer, or not with a list of models.
    pub async fn models(&self) -> Result<Vec<Offered>, Problem> {
        self.list().await?.ok_or_else(|| refusal::not_json(&place(&self.url), "its models"))
    }

    /// The models; none where the server keeps no list of them, as some gateways do.
    async fn list(&self) -> Result<Option<Vec<Offered>>, Problem> {
        #[derive(Deserialize)]
        struct List {
            data: Vec<Item>,
        }
        #[derive(Deserialize)]
        struct Item {
            id: String,
            max_model_len: Option<u32>,
            context_length: Option<u32>,
            meta: Option<Meta>,
        }
        #[derive(Deserialize)]
        struct Meta {
            n_ctx: Option<u32>,
        }
        let request = self.authorised(self.client.get(self.at("models"))).await?;
        let asked = async {
            let answer = request.send().await.map_err(|e| self.unreachable(&e))?;
            let status = answer.status();
            let text = self.read(answer).await?;
            match status {
                s if s.is_success() => Ok(text),
                StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                    Ok(String::new())
                }
                s => Err(refusal::problem(s, &text, &self.model, &place(&self.url))),
            }
        };
        let text = tokio::time::timeout(self.patience.list, asked).await.map_err(|_| {
            let seconds = self.patience.list.as_secs().max(1);
            Problem::new(format!("{} did not answer within {seconds} s. Check that it runs.", place(&self.url)))
        })??;
        let Ok(list) = serde_json::from_str::<List>(&text) else { return Ok(None) };
        let known = |i: &Item| i.max_model_len.or(i.context_length).or(i.meta.as_ref().and_then(|m| m.n_ctx));
        let models = list.data.into_iter();
        Ok(Some(models.map(|i| Offered { context: known(&i).filter(|c| *c > 0), id: i.id }).collect()))
    }

    /// Asks whether the server answers and has the model; gives a sentence that says so.
    ///
    /// # Errors
    /// When it does not answer, or has no such model.
    pub async fn check(&self) -> Result<String, Problem> {
        let models = self.models().await?;
        if models.iter().any(|m| m.id == self.model) {
            return Ok(format!("{} answers and has {}.", place(&self.url), self.model));
        }
        let names: Vec<&str> = models.iter().map(|m| m.id.as_str()).take(8).collect();
        let have = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Err(Problem::new(format!(
            "{} has no model {}. It has: {}. Choose one of them.",
            place(&self.url),
            crate::problem::quoted(&self.model),
            crate::problem::quoted(&have)
        )))
    }

    fn at(&self, what: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/{what}", self.url.path().trim_end_matches('/')));
        url
    }

    /// The request with the key, where there is one.
    async fn authorised(&self, request: reqwest::RequestBuilder) -> Result<reqwest::RequestBuilder, Problem> {
        let key = match &self.key {
            Key::Given(None) => return Ok(request),
            Key::Given(Some(key)) => key,
            Key::Kept(keys, key) => key.get_or_try_init(|| self.fetch(keys)).await?,
        };
        Ok(request.bearer_auth(key))
    }

    async fn fetch(&self, keys: &Keys) -> Result<Arc<str>, Problem> {
        let key = keys.get(self.url.as_str()).await.ok_or_else(|| {
            Problem::new(format!(
                "The keychain did not give the key for {}. Unlock it and try again, or write the key anew in Settings, Models.",
                place(&self.url)
            ))
        })?;
        fit(key)
    }

    /// Reads a whole answer, up to a bound.
    async fn read(&self, answer: reqwest::Response) -> Result<String, Problem> {
        let mut body = answer.bytes_stream();
        let mut bytes = Vec::new();
        while let Some(chunk) = body.next().await {
            bytes.extend_from_slice(&chunk.map_err(|e| self.unreachable(&e))?);
            if bytes.len() > MOST {
                return Err(Problem::new(format!("{} answers without end. Check what runs there.", place(&self.url))));
            }
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn unreachable(&self, error: &reqwest::Error) -> Problem {
        let (at, reason) = (place(&self.url), why(error));
        Problem::new(if error.is_connect() {
            format!("{at} cannot be reached: {reason}. Start the inference server, or correct its address in Settings.")
        } else {
            format!("The connection to {at} broke: {reason}. Try again.")
        })
    }

    /// Asks in the fullest form the server takes, and remembers it.
    async fn begin(&self, prompt: &Prompt) -> Result<reqwest::Response, ModelError> {
        let mut form = Form::of(self.form.load(Ordering::Relaxed));
        loop {
            let body = ask::body(prompt, &self.model, form);
            let request = self.authorised(self.client.post(self.at("chat/completions"))).await?.json(&body);
            let sent = tokio::time::timeout(self.patience.silence, request.send()).await;
            let answer = sent.map_err(|_| self.hang(""))?.map_err(|e| self.unreachable(&e))?;
            let status = answer.status();
            if status.is_success() {
                self.form.store(form.number(), Ordering::Relaxed);
                return Ok(answer);
            }
            let text = tokio::time::timeout(self.patience.silence, self.read(answer)).await;
            let text = text.map_err(|_| self.hang(""))??;
            let of_form = matches!(
                status,
                StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::NOT_IMPLEMENTED
            );
            match form.simpler() {
                Some(simpler) if of_form && !refusal::too_long(&text) => form = simpler,
                _ => return Err(refusal::problem(status, &text, &self.model, &place(&self.url)).into()),
            }
        }
    }

    fn hang(&self, so_far: &str) -> ModelError {
        let seconds = self.patience.silence.as_secs().max(1);
        ModelError {
            message: format!(
                "{} gave no word for {seconds} s and was given up. Look at the inference server, or try again.",
                place(&self.url)
            ),
            so_far: so_far.to_owned(),
        }
    }

    async fn write(&self, prompt: Prompt, hear: &(dyn Fn(Heard) + Send + Sync)) -> Result<Generated, ModelError> {
        let began = Instant::now();
        let at = place(&self.url);
        let answer = self.begin(&prompt).await?;
        let kind = answer.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let mut written = Answer::new(began, &prompt);
        if !kind.starts_with("text/event-stream") {
            // A server that does not stream answers with one document.
            let text = tokio::time::timeout(self.patience.silence, self.read(answer)).await;
            let text = text.map_err(|_| self.hang(""))??;
            written.whole(&text, hear).map_err(|_| refusal::not_json(&at, "the answer"))?;
            return Ok(written.finish());
        }
        let mut body = answer.bytes_stream();
        let mut events = Events::default();
        let mut heard_at = Instant::now();
        loop {
            let left = self.patience.silence.saturating_sub(heard_at.elapsed());
            let Ok(next) = tokio::time::timeout(left, body.next()).await else {
                return Err(self.hang(written.text()));
            };
            let Some(chunk) = next else { break };
            let broke = |message: String| ModelError { message, so_far: written.text().to_owned() };
            let chunk = chunk.map_err(|e| broke(self.unreachable(&e).message))?;
            let found = events.push(&chunk).map_err(|()| {
                broke(format!("{at} sends a line without end. Check that an inference server runs there."))
            })?;
            for event in found {
                match written.event(&event, hear) {
                    Ok(answer::Sign::Life) => heard_at = Instant::now(),
                    Ok(answer::Sign::None) => {}
                    Ok(answer::Sign::End) => return Ok(written.finish()),
                    Err(trouble) => {
                        let message = trouble.told(&at, &self.model);
                        return Err(ModelError { message, so_far: written.text().to_owned() });
                    }
                }
            }
        }
        if written.ended() {
            return Ok(written.finish());
        }
        Err(ModelError {
            message: format!("{at} ended the answer in its middle. Try again, or look at the server's own log."),
            so_far: written.text().to_owned(),
        })
    }
}

impl Generator for Server {
    fn context<'a>(&'a self) -> BoxFuture<'a, Result<u32, ModelError>> {
        Box::pin(async move {
            let asked = self.context.get_or_try_init(|| async {
                let models = self.list().await?.unwrap_or_default();
                let own = models.iter().find(|m| m.id == self.model).and_then(|m| m.context);
                Ok::<u32, Problem>(own.unwrap_or(UNTOLD_CONTEXT))
            });
            Ok(*asked.await?)
        })
    }

    fn count<'a>(&'a self, texts: Vec<String>) -> BoxFuture<'a, Result<Vec<u32>, ModelError>> {
        Box::pin(async move { Ok(texts.iter().map(|text| estimate(text)).collect()) })
    }

    fn generate<'a>(
        &'a self,
        prompt: Prompt,
        hear: &'a (dyn Fn(Heard) + Send + Sync),
    ) -> BoxFuture<'a, Result<Generated, ModelError>> {
        Box::pin(self.write(prompt, hear))
    }
}

/// A key as it may be sent.
fn fit(key: String) -> Result<Arc<str>, Problem> {
    match key.chars().any(|c| c.is_control() || !c.is_ascii()) {
        true => Err(Problem::new("The key holds characters that no key has. Copy it again, without line breaks.")),
        false => Ok(Arc::from(key)),
    }
}

/// Tokens of a text, rather too many than too few: the server's own tokeniser is not known. English has more than
/// four letters a token; digits and marks often stand alone, as do characters of other scripts.
fn estimate(text: &str) -> u32 {
    let thirds: u64 = text
        .chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | ' ' => 1,
            c if c.is_ascii() => 3,
            c => c.len_utf8() as u64 * 2,
        })
        .sum();
    u32::try_from(thirds.div_ceil(3)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_estimated_from_above() {
        assert_eq!(estimate(""), 0);
        // Seven tokens in the common vocabularies.
        assert!(estimate("The pod was killed by the kernel") >= 7);
        // A digit is a token in Qwen's.
        assert!(estimate("0123456789") >= 10);
        assert!(estimate("内存不足") >= 4);
    }

    #[test]
    fn a_key_with_a_line_break_is_refused_without_being_told() {
        let place = ServerPlace {
            url: "http://localhost:1/v1".to_owned(),
            model: "m".to_owned(),
            context: None,
            has_key: false,
        };
        let told = Server::new(&place, Some("sk-secret\n".to_owned()), Patience::default()).err().unwrap().message;
        assert!(!told.contains("sk-secret"), "{told}");
    }
}
