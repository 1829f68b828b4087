//! The list of tensors: how they are shaped, how they are stored, and that they lie within the file.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Seek},
};

use super::{Judged, Unfit, bound::Bounded, damaged, kind};

/// llama.cpp's own limit, the ending zero included.
const MAX_NAME: u64 = 63;

/// What the tensors come to.
pub(super) struct Sum {
    pub(super) parameters: u64,
    pub(super) bytes: u64,
    /// The type that takes most of the bytes.
    pub(super) mostly: String,
    /// Rows of the table of tokens.
    pub(super) vocabulary: Option<u64>,
}

pub(super) fn read(source: &mut Bounded<impl Read + Seek>, count: u64, alignment: u64, size: u64) -> Judged<Sum> {
    // A name's length, a number of dimensions, one dimension, a type and an offset at least.
    source.holds(count, 8 + 4 + 8 + 4 + 8)?;
    let mut sum = Sum { parameters: 0, bytes: 0, mostly: String::new(), vocabulary: None };
    let mut names = BTreeSet::new();
    let mut by_kind = BTreeMap::<&str, u64>::new();
    let (mut next, mut end) = (0_u64, 0);
    for _ in 0..count {
        let name = source.text(MAX_NAME, "the name of a tensor")?;
        let shown = kind::shown(&name).to_owned();
        let dimensions = source.u32()?;
        if !(1..=4).contains(&dimensions) {
            return damaged(format!("the tensor {shown} has {dimensions} dimensions"));
        }
        let mut elements = 1_u64;
        let mut row = 0;
        for dimension in 0..dimensions {
            let length = source.u64()?;
            elements = match elements.checked_mul(length) {
                Some(n) if length > 0 && n <= i64::MAX as u64 => n,
                _ => return damaged(format!("the tensor {shown} has an impossible shape")),
            };
            match dimension {
                0 => row = length,
                1 if name == "token_embd.weight" => sum.vocabulary = Some(length),
                _ => {}
            }
        }
        let Some((stored, block, bytes)) = kind::stored(source.u32()?) else {
            return Err(Unfit::NotTaken(format!(
                "The weights of {shown} are stored in a way that cannot be read. Get another file of this model, for \
                 example one that ends in Q4_K_M."
            )));
        };
        if !row.is_multiple_of(block) {
            return damaged(format!("the rows of the tensor {shown} do not fit how they are stored"));
        }
        let Some(bytes) = (elements / block).checked_mul(bytes) else {
            return damaged(format!("the tensor {shown} has an impossible shape"));
        };
        // Tensors follow each other without a gap, each from a multiple of the alignment.
        if source.u64()? != next {
            return damaged(format!("the tensor {shown} is not where it should be"));
        }
        end = match next.checked_add(bytes) {
            Some(end) if end <= size => end,
            _ => return damaged(shorter(size)),
        };
        next = end.next_multiple_of(alignment);
        if !names.insert(name) {
            return damaged(format!("the tensor {shown} is there twice"));
        }
        sum.parameters = sum.parameters.saturating_add(elements);
        sum.bytes += bytes;
        *by_kind.entry(stored).or_default() += bytes;
    }
    let weights = source.at().next_multiple_of(alignment);
    if weights.checked_add(end).is_none_or(|end| end > size) {
        return damaged(shorter(size));
    }
    sum.mostly =
        by_kind.iter().max_by_key(|(_, bytes)| **bytes).map(|(kind, _)| (*kind).to_owned()).unwrap_or_default();
    Ok(sum)
}

fn shorter(size: u64) -> String {
    format!("it has only {size} bytes, less than its weights need; the download was probably cut off")
}
