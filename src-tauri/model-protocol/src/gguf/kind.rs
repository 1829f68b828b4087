//! Which kinds of network are taken, and how weights are stored.

/// The kinds of network that are taken, in llama.cpp's words: chat models that only read and write text. Fewer kinds
/// mean less of llama.cpp that a crafted file can reach.
pub const ARCHITECTURES: &[&str] = &[
    "apertus",
    "cohere2",
    "ernie4_5",
    "exaone4",
    "gemma",
    "gemma2",
    "gemma3",
    "gemma4",
    "glm4",
    "gpt-oss",
    "granite",
    "granitehybrid",
    "granitemoe",
    "hunyuan-dense",
    "lfm2",
    "llama",
    "mistral3",
    "nemotron",
    "olmo2",
    "phi3",
    "phimoe",
    "qwen2",
    "qwen2moe",
    "qwen3",
    "qwen35",
    "qwen35moe",
    "qwen3moe",
    "seed_oss",
    "smollm3",
];

/// Kinds whose positions turn the whole of a head; llama.cpp ends its process over a file that says otherwise.
pub(super) const WHOLE_HEADS_TURN: &[&str] = &[
    "apertus", "ernie4_5", "exaone4", "granite", "llama", "mistral3", "olmo2", "qwen2", "qwen2moe", "qwen3",
    "qwen3moe", "seed_oss", "smollm3",
];

/// How a type stores weights: its name, and so many weights in so many bytes. `None`: no type, or one that is only
/// used while computing.
pub(super) fn stored(kind: u32) -> Option<(&'static str, u64, u64)> {
    Some(match kind {
        0 => ("F32", 1, 4),
        1 => ("F16", 1, 2),
        2 => ("Q4_0", 32, 18),
        3 => ("Q4_1", 32, 20),
        6 => ("Q5_0", 32, 22),
        7 => ("Q5_1", 32, 24),
        8 => ("Q8_0", 32, 34),
        10 => ("Q2_K", 256, 84),
        11 => ("Q3_K", 256, 110),
        12 => ("Q4_K", 256, 144),
        13 => ("Q5_K", 256, 176),
        14 => ("Q6_K", 256, 210),
        16 => ("IQ2_XXS", 256, 66),
        17 => ("IQ2_XS", 256, 74),
        18 => ("IQ3_XXS", 256, 98),
        19 => ("IQ1_S", 256, 50),
        20 => ("IQ4_NL", 32, 18),
        21 => ("IQ3_S", 256, 110),
        22 => ("IQ2_S", 256, 82),
        23 => ("IQ4_XS", 256, 136),
        29 => ("IQ1_M", 256, 56),
        30 => ("BF16", 1, 2),
        34 => ("TQ1_0", 256, 54),
        35 => ("TQ2_0", 256, 66),
        39 => ("MXFP4", 32, 17),
        40 => ("NVFP4", 64, 36),
        41 => ("Q1_0", 128, 18),
        42 => ("Q2_0", 64, 18),
        _ => return None,
    })
}

/// A word of the file's, cut to what may be shown: one short line without control characters.
pub(super) fn shown(text: &str) -> &str {
    let text = text.trim();
    let end = text
        .char_indices()
        .take(120)
        .find(|(_, c)| {
            c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
        })
        .map(|(at, _)| at)
        .or_else(|| text.char_indices().nth(120).map(|(at, _)| at))
        .unwrap_or(text.len());
    text[..end].trim_end()
}
