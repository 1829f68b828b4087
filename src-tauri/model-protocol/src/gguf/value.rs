//! The metadata: keys with values.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
    io::{Read, Seek},
};

use super::{Judged, Unfit, bound::Bounded, damaged};

pub(super) const U32: u32 = 4;
pub(super) const I32: u32 = 5;
pub(super) const F32: u32 = 6;
pub(super) const TEXT: u32 = 8;
const LIST: u32 = 9;

const MAX_KEY: u64 = 256;
/// A chat template of a model that calls tools is some 20 kB long.
const MAX_TEXT: u64 = 1 << 20;
/// One token of a vocabulary, or one merge.
const MAX_TOKEN: u64 = 8192;
/// Elements of a list; the merges of a large vocabulary are half a million.
const MAX_LIST: u64 = 8 << 20;
/// Numbers that are kept of a list: as many as there may be layers.
const KEPT: u64 = super::MAX_LAYERS;

enum Value {
    Number(u64),
    /// A number below zero, a fraction, or a truth value.
    Other,
    /// Kept where it is wanted, else empty.
    Text(String),
    List {
        kind: u32,
        count: u64,
        /// Of whole numbers, when they are few.
        numbers: Option<Vec<u64>>,
    },
}

/// The metadata, as far as it is needed.
pub(super) struct Values(BTreeMap<String, Value>);

impl Values {
    pub(super) fn read(source: &mut Bounded<impl Read + Seek>, entries: u64) -> Judged<Self> {
        let mut all = BTreeMap::new();
        for _ in 0..entries {
            let key = source.text(MAX_KEY, "the name of an entry")?;
            if key.is_empty() {
                return damaged("an entry of its metadata has no name");
            }
            let kind = source.u32()?;
            let value = match kind {
                TEXT if wanted(&key) => Value::Text(source.text(MAX_TEXT, super::kind::shown(&key))?),
                TEXT => {
                    source.pass_text(16 * MAX_TEXT, super::kind::shown(&key))?;
                    Value::Text(String::new())
                }
                LIST => list(source, key == "tokenizer.ggml.tokens")?,
                _ => number(source, kind)?.map_or(Value::Other, Value::Number),
            };
            if let Some(key) = all.contains_key(&key).then(|| super::kind::shown(&key)) {
                return damaged(format!("{key} is said twice"));
            }
            all.insert(key, value);
        }
        Ok(Self(all))
    }

    pub(super) fn text(&self, key: &str) -> Judged<Option<&str>> {
        match self.0.get(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => damaged(format!("{key} is not a text")),
        }
    }

    pub(super) fn uint(&self, key: &str) -> Judged<Option<u64>> {
        match self.0.get(key) {
            None => Ok(None),
            Some(&Value::Number(n)) => Ok(Some(n)),
            Some(_) => damaged(format!("{key} is not a whole number")),
        }
    }

    /// What a list is made of, and how many there are.
    pub(super) fn list(&self, key: &str) -> Judged<Option<(u32, u64)>> {
        match self.0.get(key) {
            None => Ok(None),
            Some(&Value::List { kind, count, .. }) => Ok(Some((kind, count))),
            Some(_) => damaged(format!("{key} is not a list")),
        }
    }

    /// A number for each layer, or one that is the same for all.
    pub(super) fn per_layer(&self, key: &str, layers: u64) -> Judged<Option<Vec<u64>>> {
        match self.0.get(key) {
            None => Ok(None),
            Some(&Value::Number(n)) => Ok(Some(vec![n; layers as usize])),
            Some(Value::List { count, numbers: Some(numbers), .. }) if *count >= layers => {
                Ok(Some(numbers[..layers as usize].to_vec()))
            }
            Some(_) => damaged(format!("{key} does not fit its layers")),
        }
    }

    /// The entries that name a token of the vocabulary.
    pub(super) fn token_ids(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().filter_map(|(key, value)| match value {
            &Value::Number(n) if key.starts_with("tokenizer.ggml.") && key.ends_with("_token_id") => {
                // What is not there is written as the largest number.
                (n != u64::from(u32::MAX)).then_some((key.as_str(), n))
            }
            _ => None,
        })
    }
}

fn wanted(key: &str) -> bool {
    matches!(
        key,
        "general.architecture"
            | "general.type"
            | "general.name"
            | "general.license"
            | "tokenizer.ggml.model"
            | "tokenizer.chat_template"
    )
}

/// A single value; `None` for one that is no whole number from zero.
fn number(source: &mut Bounded<impl Read + Seek>, kind: u32) -> Judged<Option<u64>> {
    Ok(match kind {
        0 => Some(u64::from(source.bytes::<1>()?[0])),
        1 => u64::try_from(i8::from_le_bytes(source.bytes()?)).ok(),
        2 => Some(u64::from(u16::from_le_bytes(source.bytes()?))),
        3 => u64::try_from(i16::from_le_bytes(source.bytes()?)).ok(),
        U32 => Some(u64::from(source.u32()?)),
        I32 => u64::try_from(i32::from_le_bytes(source.bytes()?)).ok(),
        10 => Some(source.u64()?),
        11 => u64::try_from(i64::from_le_bytes(source.bytes()?)).ok(),
        // A truth value, and fractions.
        7 | F32 | 12 => {
            source.pass(width(kind)?)?;
            None
        }
        _ => return damaged("an entry of its metadata is of no known type"),
    })
}

/// With `distinct` no text may come twice: llama.cpp ends its process over a vocabulary with two equal tokens.
fn list(source: &mut Bounded<impl Read + Seek>, distinct: bool) -> Judged<Value> {
    let kind = source.u32()?;
    let count = source.u64()?;
    if count > MAX_LIST {
        return damaged(format!("a list in it claims to have {count} elements"));
    }
    if kind == TEXT {
        // Each has its length in front of it.
        source.holds(count, 8)?;
        let what = "a token of its vocabulary";
        if distinct {
            let mut seen = BTreeSet::new();
            for _ in 0..count {
                let token = source.raw_text(MAX_TOKEN, what)?;
                // llama.cpp reads up to a zero, and gives those that are empty names of their own.
                let token = token.split(|byte| *byte == 0).next().unwrap_or_default();
                if !token.is_empty() && !seen.insert(digest(token)) {
                    return damaged(format!("{what} is there twice"));
                }
            }
        } else {
            for _ in 0..count {
                source.pass_text(MAX_TOKEN, what)?;
            }
        }
        return Ok(Value::List { kind, count, numbers: None });
    }
    let each = width(kind)?;
    source.holds(count, each)?;
    if count > KEPT {
        source.pass(count * each)?;
        return Ok(Value::List { kind, count, numbers: None });
    }
    let numbers = (0..count).map(|_| number(source, kind)).collect::<Judged<Option<Vec<_>>>>()?;
    Ok(Value::List { kind, count, numbers })
}

/// So many bits of a text that two of a vocabulary are not equal by chance.
fn digest(text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Bytes of a single value.
fn width(kind: u32) -> Judged<u64> {
    match kind {
        0 | 1 | 7 => Ok(1),
        2 | 3 => Ok(2),
        U32 | I32 | F32 => Ok(4),
        10..=12 => Ok(8),
        LIST => Err(Unfit::Damaged("a list in it holds lists".into())),
        _ => damaged("a list in it is of no known type"),
    }
}
