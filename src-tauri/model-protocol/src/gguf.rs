//! Reads the header of a GGUF file within bounds, and judges whether the file can be used.
//!
//! llama.cpp trusts what it loads: a crafted header can make it abort, or worse. So the file is read here first. Every
//! count and length is compared with what the file still holds before anything is set aside for it, and whatever is
//! not understood is refused in words for the person who chose the file.

mod bound;
mod kind;
mod tensor;
mod value;

use std::{
    fs::File,
    io::{self, Read, Seek},
    path::Path,
};

pub use kind::ARCHITECTURES;
use {bound::Bounded, value::Values};

/// Metadata entries; real files have some dozens.
const MAX_ENTRIES: u64 = 4096;
/// Tensors; the largest models have some thousands.
const MAX_TENSORS: u64 = 32_768;
/// Bytes of everything in front of the weights; a vocabulary of 262,144 tokens takes some 15 MB.
const MAX_HEADER: u64 = 256 << 20;
/// llama.cpp itself takes no more.
const MAX_LAYERS: u64 = 512;
/// Tokens; far above what any model was trained for.
const MAX_CONTEXT: u64 = 16 << 20;
const MAX_VOCABULARY: u64 = 2 << 20;
/// Tokens of the prompt that are computed at once, at most; the worker's own figure.
pub const CHUNK: u32 = 512;

/// What a model file says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header {
    /// The model's name in its own words.
    pub name: Option<String>,
    /// llama.cpp's word for the kind of network, for example `qwen2`.
    pub architecture: String,
    /// The licence as the file names it, mostly an SPDX identifier.
    pub licence: Option<String>,
    /// Tokens the model was trained for.
    pub trained_context: u32,
    /// The Jinja template by which a conversation becomes text.
    pub chat_template: Option<String>,
    /// Weights, counted one by one.
    pub parameters: u64,
    /// Bytes the weights take.
    pub weight_bytes: u64,
    /// Bytes of the file.
    pub size_bytes: u64,
    /// The type most weights are stored in, for example `Q4_K`.
    pub weights: String,
    /// Tokens of the vocabulary.
    pub vocabulary: u32,
    /// Bytes that one token of context takes.
    pub context_token_bytes: u64,
    /// Values per token inside the network.
    width: u64,
}

impl Header {
    /// Bytes of memory the model needs with so many tokens of context: an estimate, rather too high than too low.
    pub fn memory_bytes(&self, context: u32) -> u64 {
        let chunk = u64::from(CHUNK);
        let kept = u64::from(context.max(256)).saturating_mul(self.context_token_bytes);
        // What is in flight while a chunk is computed: the likelihoods of all tokens, and some dozens of layers' values.
        let computing = chunk * (u64::from(self.vocabulary) * 4 + self.width.saturating_mul(4 * 24)) + (16 << 20);
        // The vocabulary itself, and what a grammar takes to look at every token of it.
        let words = u64::from(self.vocabulary) * 1200;
        self.weight_bytes.saturating_add(kept).saturating_add(computing + words + (48 << 20))
    }
}

/// Why a file is not taken, in words for the person who chose it.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// The file could not be read.
    #[error("The file could not be read ({0}). Check that it is still there and that you may read it.")]
    Unreadable(#[from] io::Error),
    /// It is something else than a model.
    #[error("{0} Choose a file that ends in .gguf and holds a language model.")]
    NotAModel(String),
    /// It is a model, but not one that can be used here.
    #[error("{0}")]
    NotTaken(String),
    /// It contradicts itself or ends too early.
    #[error("The file is damaged: {0}. Get it again, and compare its SHA-256 with the one its maker publishes.")]
    Damaged(String),
}

type Judged<T> = Result<T, Unfit>;

fn damaged<T>(what: impl Into<String>) -> Judged<T> {
    Err(Unfit::Damaged(what.into()))
}

/// Reads and judges the file's header.
///
/// # Errors
/// When the file cannot be read, or cannot be used as a model.
pub fn read(path: &Path) -> Result<Header, Unfit> {
    let file = File::open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(Unfit::NotAModel("This is not a file.".into()));
    }
    judge(file, about.len())
}

/// Reads and judges a header from the beginning of `source`, which holds `size` bytes.
///
/// # Errors
/// As [`read`].
pub fn judge(source: impl Read + Seek, size: u64) -> Result<Header, Unfit> {
    let mut source = Bounded::new(source, size, MAX_HEADER);
    opening(&mut source)?;
    let tensors = source.u64()?;
    let entries = source.u64()?;
    if entries > MAX_ENTRIES {
        return damaged(format!("it claims to have {entries} entries of metadata"));
    }
    if tensors > MAX_TENSORS {
        return damaged(format!("it claims to have {tensors} tensors"));
    }
    let values = Values::read(&mut source, entries)?;
    let mut header = describe(&values)?;
    if tensors == 0 {
        return Err(Unfit::NotTaken(
            "The file holds a vocabulary only, no weights: nothing can be written with it. Choose the model itself."
                .into(),
        ));
    }
    let alignment = match values.uint("general.alignment")? {
        None => 32,
        Some(a) if a.is_power_of_two() && (8..=1 << 20).contains(&a) => a,
        Some(a) => return damaged(format!("its alignment of {a} bytes is none")),
    };
    let sum = tensor::read(&mut source, tensors, alignment, size)?;
    if sum.vocabulary.is_some_and(|rows| rows < u64::from(header.vocabulary)) {
        return damaged("its vocabulary has more tokens than its weights know");
    }
    header.parameters = sum.parameters;
    header.weight_bytes = sum.bytes;
    header.weights = sum.mostly;
    header.size_bytes = size;
    Ok(header)
}

/// The first eight bytes: what it is, and in which version of the format.
fn opening(source: &mut Bounded<impl Read + Seek>) -> Judged<()> {
    let size = source.size();
    if size == 0 {
        return Err(Unfit::NotAModel("The file is empty.".into()));
    }
    if size < 24 {
        return Err(Unfit::NotAModel("The file is much too small for a model.".into()));
    }
    let magic = source.bytes::<4>()?;
    if &magic != b"GGUF" {
        let what = match &magic {
            b"vers" => "This is only a pointer to a model (Git LFS), not the model.",
            b"<!DO" | b"<!do" | b"<htm" | b"<HTM" => "This is a web page; the download did not give the file itself.",
            [b'P', b'K', ..] => "This is an archive (ZIP).",
            [0x1f, 0x8b, ..] => "This is a compressed file (gzip).",
            b"ggml" | b"ggjt" | b"ggla" | b"lmgg" | b"tjgg" => "This is a model in a format that was given up.",
            _ => "This is not a model in the format GGUF.",
        };
        return Err(Unfit::NotAModel(what.into()));
    }
    match source.u32()? {
        2 | 3 => Ok(()),
        1 => Err(Unfit::NotTaken("The file is in version 1 of GGUF, which was given up. Get a newer file.".into())),
        v if v & 0xffff == 0 && v != 0 => Err(Unfit::NotTaken(
            "The file was written for big-endian computers. Get the usual (little-endian) file of this model.".into(),
        )),
        v => Err(Unfit::NotTaken(format!(
            "The file is in version {v} of GGUF; versions 2 and 3 can be read. A newer Afterwatch may know it."
        ))),
    }
}

/// What the metadata says, as far as it is needed.
fn describe(values: &Values) -> Judged<Header> {
    match values.text("general.type")? {
        None | Some("model") => {}
        Some("adapter") => {
            return Err(Unfit::NotTaken(
                "The file is an adapter (LoRA), which only changes another model. Choose the model itself.".into(),
            ));
        }
        Some("mmproj") => {
            return Err(Unfit::NotTaken(
                "The file is the part of a model that sees pictures. Choose the language model beside it.".into(),
            ));
        }
        Some(_) => return Err(Unfit::NotTaken("The file holds no language model. Choose another one.".into())),
    }
    if values.uint("split.count")?.is_some_and(|n| n > 1) {
        return Err(Unfit::NotTaken(
            "The file is one part of several. Join them with `llama-gguf-split --merge`, or get the model as one file."
                .into(),
        ));
    }
    let Some(architecture) = values.text("general.architecture")? else {
        return damaged("it does not say what kind of model it is");
    };
    if !ARCHITECTURES.contains(&architecture) {
        return Err(Unfit::NotTaken(format!(
            "Models of the kind “{}” are not taken. Choose a chat model of a usual kind: Qwen, Llama, Mistral, Gemma, \
             Phi, Granite.",
            kind::shown(architecture)
        )));
    }
    let of = |key: &str| values.uint(&format!("{architecture}.{key}"));
    let need = |key: &str, most: u64| match of(key)? {
        Some(v) if (1..=most).contains(&v) => Ok(v),
        Some(v) => damaged(format!("its {key} of {v} cannot be")),
        None => damaged(format!("it does not say its {key}")),
    };
    let trained = need("context_length", MAX_CONTEXT)?;
    let layers = need("block_count", MAX_LAYERS)?;
    let width = need("embedding_length", 1 << 20)?;
    let heads = values.per_layer(&format!("{architecture}.attention.head_count"), layers)?;
    let heads = match heads {
        Some(heads) if heads.iter().all(|&h| h <= 4096) && heads.iter().any(|&h| h > 0) => heads,
        Some(_) => return damaged("its number of attention heads cannot be"),
        None => return damaged("it does not say its number of attention heads"),
    };
    let most_heads = heads.iter().copied().max().unwrap_or(1).max(1);
    let kept = values.per_layer(&format!("{architecture}.attention.head_count_kv"), layers)?.unwrap_or(heads);
    if kept.iter().any(|&h| h > most_heads) {
        return damaged("its number of attention heads cannot be");
    }
    let length = |key: &str| match of(key)? {
        None => Ok(width / most_heads),
        Some(v) if v <= 16_384 => Ok(v),
        Some(v) => damaged(format!("its {key} of {v} cannot be")),
    };
    let (key, value) = (length("attention.key_length")?, length("attention.value_length")?);
    // Gemma 4 has layers of several kinds, and says so in keys of its own.
    if key == 0 || (key != value && architecture != "gemma4") {
        return damaged("its attention heads are of no length that can be");
    }
    match of("rope.dimension_count")? {
        Some(n) if n > key || n % 2 == 1 || (n != key && kind::WHOLE_HEADS_TURN.contains(&architecture)) => {
            return damaged(format!("its rope.dimension_count of {n} cannot be"));
        }
        _ => {}
    }
    // What is only shown need not be there, nor be right.
    let words = |key: &str| values.text(key).ok().flatten();
    Ok(Header {
        name: words("general.name").map(|n| kind::shown(n).to_owned()).filter(|n| !n.is_empty()),
        architecture: architecture.to_owned(),
        licence: words("general.license").map(|n| kind::shown(n).to_owned()).filter(|n| !n.is_empty()),
        trained_context: trained as u32,
        chat_template: values.text("tokenizer.chat_template")?.map(str::to_owned),
        vocabulary: vocabulary(values)?,
        // Two bytes each, for the key and the value.
        context_token_bytes: kept.iter().sum::<u64>() * (key + value) * 2,
        width,
        ..Header::default()
    })
}

/// How many tokens the vocabulary has, where its parts agree with each other.
fn vocabulary(values: &Values) -> Judged<u32> {
    match values.text("tokenizer.ggml.model")? {
        Some("gpt2" | "llama" | "gemma4") => {}
        Some(other) => {
            return Err(Unfit::NotTaken(format!(
                "The model splits text in a way (“{}”) that is not taken. Choose a chat model of a usual kind.",
                kind::shown(other)
            )));
        }
        None => return damaged("it does not say how it splits text"),
    }
    let count = match values.list("tokenizer.ggml.tokens")? {
        Some((value::TEXT, n)) if (1..=MAX_VOCABULARY).contains(&n) => n,
        Some(_) => return damaged("its vocabulary is none"),
        None => return damaged("it has no vocabulary"),
    };
    let fits = |key: &str, kinds: &[u32]| match values.list(key)? {
        Some((kind, n)) if n != count || !kinds.contains(&kind) => {
            damaged(format!("{key} does not fit its vocabulary"))
        }
        _ => Ok(()),
    };
    fits("tokenizer.ggml.scores", &[value::F32])?;
    fits("tokenizer.ggml.token_type", &[value::I32, value::U32])?;
    if values.list("tokenizer.ggml.merges")?.is_some_and(|(kind, n)| kind != value::TEXT || n > 2 * MAX_VOCABULARY) {
        return damaged("its merges are none");
    }
    for (key, id) in values.token_ids() {
        if id >= count {
            return damaged(format!("{} is no token of its vocabulary", kind::shown(key)));
        }
    }
    Ok(count as u32)
}

#[cfg(test)]
mod tests;
