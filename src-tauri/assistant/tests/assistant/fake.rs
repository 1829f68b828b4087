//! A generator that says what it is told to, and remembers what it was asked.

use std::sync::{Mutex, PoisonError};

use afterwatch_assistant::generator::{Generated, Generator, Heard, Prompt};
use afterwatch_core::port::{BoxFuture, ModelError};

/// Says one output after the other; the last one again and again.
pub struct Scripted {
    pub outputs: Mutex<Vec<String>>,
    pub asked: Mutex<Vec<Prompt>>,
    pub context: u32,
    /// It breaks off with this message after half of the output.
    pub breaks: Option<String>,
    /// It cannot be used at all.
    pub unusable: Option<String>,
}

impl Scripted {
    pub fn new(outputs: &[&str]) -> Scripted {
        Scripted {
            outputs: Mutex::new(outputs.iter().rev().map(|o| (*o).to_owned()).collect()),
            asked: Mutex::default(),
            context: 4096,
            breaks: None,
            unusable: None,
        }
    }

    pub fn prompts(&self) -> Vec<Prompt> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Generator for Scripted {
    fn context<'a>(&'a self) -> BoxFuture<'a, Result<u32, ModelError>> {
        Box::pin(async move {
            match &self.unusable {
                Some(message) => Err(ModelError { message: message.clone(), so_far: String::new() }),
                None => Ok(self.context),
            }
        })
    }

    fn count<'a>(&'a self, texts: Vec<String>) -> BoxFuture<'a, Result<Vec<u32>, ModelError>> {
        Box::pin(
            async move { Ok(texts.iter().map(|t| u32::try_from(t.chars().count() / 3 + 1).unwrap_or(1)).collect()) },
        )
    }

    fn generate<'a>(
        &'a self,
        prompt: Prompt,
        hear: &'a (dyn Fn(Heard) + Send + Sync),
    ) -> BoxFuture<'a, Result<Generated, ModelError>> {
        Box::pin(async move {
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(prompt);
            let output = {
                let mut outputs = self.outputs.lock().unwrap_or_else(PoisonError::into_inner);
                let next = if outputs.len() > 1 { outputs.pop() } else { outputs.last().cloned() };
                next.unwrap_or_default()
            };
            hear(Heard::Loading(0.5));
            hear(Heard::Reading { done: 64, all: 128 });
            let chars: Vec<char> = output.chars().collect();
            let end = if self.breaks.is_some() { chars.len() / 2 } else { chars.len() };
            for piece in chars[..end].chunks(5) {
                hear(Heard::Piece { text: piece.iter().collect(), tokens_per_second: 12.5 });
            }
            match &self.breaks {
                Some(message) => Err(ModelError { message: message.clone(), so_far: String::new() }),
                None => Ok(Generated {
                    text: output,
                    prompt_tokens: 900,
                    cached_tokens: 200,
                    generated_tokens: 50,
                    first_token_ms: 300,
                    total_ms: 2300,
                    complete: true,
                }),
            }
        })
    }
}
