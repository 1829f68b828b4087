//! What the assistant and the model worker say to each other: one JSON object a line, requests on the worker's
//! standard input, replies on its standard output.
//!
//! Types, and what both sides judge by before llama.cpp sees anything: the bounded reader of a model file's header
//! ([`gguf`]) and what the [`processor`] must be able to do. This crate knows nothing of incidents, processes or
//! llama.cpp.

pub mod gguf;
pub mod processor;

use serde::{Deserialize, Serialize};

/// Counted by who asks; replies carry the number of what they answer.
pub type RequestId = u64;

/// A line to the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    pub id: RequestId,
    #[serde(flatten)]
    pub ask: Ask,
}

/// What is asked of the worker. Requests are carried out one after the other; [`Ask::Cancel`] is heard at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// Reads a model into memory in place of the one that is there.
    Load(Load),
    /// How many tokens each text has, read as plain text.
    Tokenise { texts: Vec<String> },
    /// Writes.
    Generate(Box<Generate>),
    /// Ends the request of that number.
    Cancel { request: RequestId },
    /// Gives the model's memory back.
    Unload,
    /// What the worker is and what it holds.
    Info,
}

/// Which model, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Load {
    pub path: String,
    /// Tokens of context, at most; the model's own limit holds too.
    pub context: u32,
    pub threads: u32,
    /// Layers to put on a graphics card; 0 for none. Without effect in a build without one.
    pub gpu_layers: u32,
    /// A folder for what has been read of fixed beginnings of prompts; `None`: nothing is kept.
    pub prefix_cache: Option<String>,
    /// The file's SHA-256 where it is known: what is kept of one model is never used for another.
    pub sha256: Option<String>,
}

/// Who speaks in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    System,
    User,
    Assistant,
}

/// A message. Control tokens in its text are ordinary characters: text from a cluster can end no turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub role: Role,
    pub text: String,
}

/// What to write, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generate {
    pub messages: Vec<Message>,
    /// How many of the messages, from the first, are the same in every request: what was read of them is kept.
    pub fixed: u32,
    /// GBNF with the root rule `root`.
    pub grammar: Option<String>,
    pub max_tokens: u32,
    /// 0 takes the likeliest token each time.
    pub temperature: f32,
    pub seed: u32,
}

/// A line from the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The request it belongs to; 0 for what belongs to none.
    pub id: RequestId,
    #[serde(flatten)]
    pub say: Say,
}

/// What the worker says. Every request ends with exactly one of `Loaded`, `Tokens`, `Generated`, `Unloaded`, `Info`,
/// `Cancelled` or `Failed`; the others come before it. A cancel itself is not answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub enum Say {
    /// From 0 to 1.
    Loading {
        done: f32,
    },
    Loaded(ModelInfo),
    Tokens {
        counts: Vec<u32>,
    },
    /// The prompt is being read: tokens done, of all.
    Reading {
        done: u32,
        all: u32,
    },
    /// Text as it comes, and how many tokens were generated until then.
    Piece {
        text: String,
        tokens: u32,
    },
    Generated(Generated),
    Unloaded,
    Info(WorkerInfo),
    Cancelled,
    Failed {
        kind: FailureKind,
        message: String,
    },
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generated {
    pub text: String,
    pub prompt_tokens: u32,
    /// Of these, how many did not have to be read again.
    pub cached_tokens: u32,
    pub generated_tokens: u32,
    pub first_token_ms: u32,
    pub total_ms: u32,
    /// False when `max_tokens` cut it off.
    pub complete: bool,
}

/// Why a request failed, for who has to branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The file is no model, damaged, or of a kind that is not taken.
    Unfit,
    /// There is not enough memory for it.
    Memory,
    /// The prompt does not fit in the context.
    TooLong,
    /// The grammar cannot be used.
    Grammar,
    /// No model is loaded.
    NotLoaded,
    /// The request could not be understood.
    Protocol,
    /// The processor lacks instructions: the worker ends after saying so.
    Processor,
    Other,
}

/// What is known of a loaded model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    pub name: Option<String>,
    pub architecture: String,
    pub licence: Option<String>,
    pub parameters: u64,
    /// Tokens that fit now: prompt and answer together.
    pub context: u32,
    /// Tokens the model was trained for.
    pub trained_context: u32,
    pub size_bytes: u64,
}

/// What the worker is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerInfo {
    pub version: String,
    /// What llama.cpp says of the processor's instructions it uses.
    pub system: String,
    pub model: Option<ModelInfo>,
    /// Resident memory, in bytes; 0 where it is not known.
    pub rss_bytes: u64,
}
