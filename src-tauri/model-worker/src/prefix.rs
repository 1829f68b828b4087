//! What was read of the fixed beginnings of prompts, kept in files, so that it need not be read again.
//!
//! llama.cpp takes such a file as it is: one that was cut short ends the process, and one of another model would be
//! believed. So a file's name says what it belongs to (the model, the context, the version of this program, the tokens
//! themselves) and carries the checksum of its content.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use llama_cpp_2::{context::LlamaContext, token::LlamaToken};
use sha2::{Digest, Sha256};

/// Files that are kept in the folder; the oldest go first.
const KEPT: usize = 12;
/// Shorter beginnings are read faster than they are found.
const SHORTEST: usize = 32;
const ENDING: &str = "prefix";

/// The folder, for one model as it is loaded now.
pub struct PrefixCache {
    folder: PathBuf,
    /// The model and how it is loaded.
    of: String,
}

impl PrefixCache {
    /// For the model of that SHA-256 with that many tokens of context.
    pub fn new(folder: PathBuf, sha256: &str, context: u32) -> Self {
        Self { folder, of: format!("{sha256} {context} f16 {} llama-cpp-2 0.1.160", env!("CARGO_PKG_VERSION")) }
    }

    /// Whether something is kept of exactly these tokens.
    pub fn holds(&self, tokens: &[LlamaToken]) -> bool {
        self.find(tokens).is_some()
    }

    /// Puts what is kept of these tokens into the context's empty first sequence. False when nothing usable is kept.
    pub fn restore(&self, context: &mut LlamaContext<'_>, tokens: &[LlamaToken]) -> bool {
        let Some((path, checksum)) = self.find(tokens) else { return false };
        let sound = checksum_of(&path).is_some_and(|is| is == checksum);
        if !sound {
            tracing::warn!("a kept beginning of a prompt is damaged and is thrown away");
            let _ = fs::remove_file(&path);
            return false;
        }
        match context.state_seq_load_file(&path, 0, tokens.len()) {
            Ok((of, _)) if of == tokens => true,
            other => {
                tracing::warn!("a kept beginning of a prompt does not fit: {:?}", other.err());
                context.clear_kv_cache();
                let _ = fs::remove_file(&path);
                false
            }
        }
    }

    /// Keeps what the context's first sequence holds, which are these tokens and nothing else.
    pub fn keep(&self, context: &LlamaContext<'_>, tokens: &[LlamaToken]) {
        if tokens.len() < SHORTEST || self.find(tokens).is_some() {
            return;
        }
        if let Err(error) = self.write(context, tokens) {
            // It is read again next time; nobody has to do anything.
            tracing::warn!("the beginning of a prompt could not be kept: {error}");
        }
        self.tidy();
    }

    fn write(&self, context: &LlamaContext<'_>, tokens: &[LlamaToken]) -> Result<(), Box<dyn std::error::Error>> {
        fs::create_dir_all(&self.folder)?;
        let key = self.key(tokens);
        let draft = self.folder.join(format!("{key}.{}.draft", std::process::id()));
        let written = context
            .state_seq_save_file(&draft, 0, tokens)
            .map_err(Box::from)
            .and_then(|_| checksum_of(&draft).ok_or_else(|| "it could not be read again".into()))
            .and_then(|checksum| Ok(fs::rename(&draft, self.folder.join(format!("{key}-{checksum}.{ENDING}")))?));
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
        written
    }

    /// The file kept of these tokens, and the checksum it is named by.
    fn find(&self, tokens: &[LlamaToken]) -> Option<(PathBuf, String)> {
        let key = self.key(tokens);
        fs::read_dir(&self.folder).ok()?.flatten().find_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let checksum = name.strip_prefix(&key)?.strip_prefix('-')?.strip_suffix(ENDING)?.strip_suffix('.')?;
            Some((entry.path(), checksum.to_owned()))
        })
    }

    fn key(&self, tokens: &[LlamaToken]) -> String {
        let mut hash = Sha256::new();
        hash.update(self.of.as_bytes());
        tokens.iter().for_each(|token| hash.update(token.0.to_le_bytes()));
        hex(&hash.finalize()[..16])
    }

    /// Lets go of the oldest files, and of drafts that were never finished.
    fn tidy(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut kept = Vec::new();
        for entry in entries.flatten() {
            let path = entry.path();
            let Ok(at) = entry.metadata().and_then(|about| about.modified()) else { continue };
            match path.extension().and_then(|e| e.to_str()) {
                Some(ENDING) => kept.push((at, path)),
                Some("draft") if at.elapsed().is_ok_and(|age| age.as_secs() > 3600) => drop(fs::remove_file(path)),
                _ => {}
            }
        }
        kept.sort();
        for (_, path) in kept.iter().rev().skip(KEPT) {
            let _ = fs::remove_file(path);
        }
    }
}

fn checksum_of(path: &Path) -> Option<String> {
    let mut file = fs::File::open(path).ok()?;
    let mut hash = Sha256::new();
    let mut part = vec![0; 1 << 16];
    loop {
        match file.read(&mut part).ok()? {
            0 => return Some(hex(&hash.finalize()[..16])),
            n => hash.update(&part[..n]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
