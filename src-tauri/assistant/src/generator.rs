//! What generates text: the worker on this computer, or a server of the user's.

use afterwatch_core::port::{BoxFuture, ModelError};
use afterwatch_model_protocol::Message;

/// What is to be generated. A worker is held to the grammar, a server to the schema; both describe the same JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    pub messages: Vec<Message>,
    /// How many messages, from the first, are the same in every request.
    pub fixed: u32,
    /// GBNF with the root rule `root`.
    pub grammar: String,
    /// JSON Schema of the same shape.
    pub schema: serde_json::Value,
    pub max_tokens: u32,
    pub temperature: f32,
    pub seed: u32,
}

/// What is heard while it generates.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    Loading(f32),
    Waiting,
    /// Tokens of the prompt that were read, of all.
    Reading {
        done: u32,
        all: u32,
    },
    /// Raw text as it comes: JSON, unchecked.
    Piece {
        text: String,
        tokens_per_second: f32,
    },
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Generated {
    pub text: String,
    pub prompt_tokens: u32,
    pub cached_tokens: u32,
    pub generated_tokens: u32,
    pub first_token_ms: u32,
    pub total_ms: u32,
    /// False when it was cut off.
    pub complete: bool,
}

/// Generates text. Dropping the future cancels.
pub trait Generator: Send + Sync {
    /// Tokens that fit: prompt and answer together.
    ///
    /// # Errors
    /// When it cannot be used; the message says what to do.
    fn context<'a>(&'a self) -> BoxFuture<'a, Result<u32, ModelError>>;

    /// How many tokens each text has. An estimate from above where the generator cannot tell.
    ///
    /// # Errors
    /// When it cannot be used.
    fn count<'a>(&'a self, texts: Vec<String>) -> BoxFuture<'a, Result<Vec<u32>, ModelError>>;

    /// Gets ready to generate: what takes long before the first word is done, and heard of. What needs no preparation
    /// is always ready.
    ///
    /// # Errors
    /// When it cannot be used.
    fn ready<'a>(&'a self, hear: &'a (dyn Fn(Heard) + Send + Sync)) -> BoxFuture<'a, Result<(), ModelError>> {
        let _ = hear;
        Box::pin(async { Ok(()) })
    }

    /// Generates.
    ///
    /// # Errors
    /// When it cannot begin, or could not end.
    fn generate<'a>(
        &'a self,
        prompt: Prompt,
        hear: &'a (dyn Fn(Heard) + Send + Sync),
    ) -> BoxFuture<'a, Result<Generated, ModelError>>;
}
