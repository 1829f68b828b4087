use std::io::Cursor;

use proptest::prelude::*;

use super::*;

/// The tiny model that the worker's tests load.
const FIXTURE: &[u8] = include_bytes!("../../../../models/fixture/tiny.gguf");

fn judged(file: &[u8]) -> Result<Header, Unfit> {
    judge(Cursor::new(file), file.len() as u64)
}

fn refused(file: &[u8]) -> String {
    judged(file).expect_err("it should have been refused").to_string()
}

/// A GGUF file, written piece by piece.
#[derive(Clone)]
struct Draft {
    version: u32,
    entries: Vec<(String, u32, Vec<u8>)>,
    tensors: Vec<Vec<u8>>,
    weights: usize,
    claims: (Option<u64>, Option<u64>),
}

fn text(value: &str) -> Vec<u8> {
    [&(value.len() as u64).to_le_bytes(), value.as_bytes()].concat()
}

fn texts(values: &[&str]) -> Vec<u8> {
    let mut out = [&value::TEXT.to_le_bytes()[..], &(values.len() as u64).to_le_bytes()].concat();
    values.iter().for_each(|v| out.extend(text(v)));
    out
}

fn tensor(name: &str, shape: &[u64], kind: u32, at: u64) -> Vec<u8> {
    let mut out = text(name);
    out.extend((shape.len() as u32).to_le_bytes());
    shape.iter().for_each(|n| out.extend(n.to_le_bytes()));
    out.extend(kind.to_le_bytes());
    out.extend(at.to_le_bytes());
    out
}

impl Draft {
    fn new() -> Self {
        let mut draft = Draft { version: 3, entries: vec![], tensors: vec![], weights: 0, claims: (None, None) };
        draft
            .text("general.architecture", "llama")
            .text("general.name", "Small one")
            .number("llama.context_length", 4096)
            .number("llama.block_count", 2)
            .number("llama.embedding_length", 64)
            .number("llama.attention.head_count", 4)
            .number("llama.attention.head_count_kv", 2)
            .text("tokenizer.ggml.model", "gpt2")
            .entry("tokenizer.ggml.tokens", 9, texts(&["a", "b", "c"]))
            .number("tokenizer.ggml.eos_token_id", 2)
            .tensors(vec![tensor("token_embd.weight", &[64, 3], 1, 0)], 384);
        draft
    }

    fn entry(&mut self, key: &str, kind: u32, value: Vec<u8>) -> &mut Self {
        self.entries.retain(|(k, ..)| k != key);
        self.entries.push((key.into(), kind, value));
        self
    }

    fn text(&mut self, key: &str, value: &str) -> &mut Self {
        self.entry(key, value::TEXT, text(value))
    }

    fn number(&mut self, key: &str, value: u32) -> &mut Self {
        self.entry(key, value::U32, value.to_le_bytes().to_vec())
    }

    fn without(&mut self, key: &str) -> &mut Self {
        self.entries.retain(|(k, ..)| k != key);
        self
    }

    fn tensors(&mut self, tensors: Vec<Vec<u8>>, weights: usize) -> &mut Self {
        self.tensors = tensors;
        self.weights = weights;
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend(self.claims.0.unwrap_or(self.tensors.len() as u64).to_le_bytes());
        out.extend(self.claims.1.unwrap_or(self.entries.len() as u64).to_le_bytes());
        for (key, kind, value) in &self.entries {
            out.extend(text(key));
            out.extend(kind.to_le_bytes());
            out.extend(value);
        }
        self.tensors.iter().for_each(|t| out.extend(t));
        out.resize(out.len().next_multiple_of(32) + self.weights, 0);
        out
    }
}

#[test]
fn the_fixture_says_what_it_is() {
    let header = judged(FIXTURE).unwrap();
    assert_eq!(header.architecture, "qwen2");
    assert_eq!(header.name.as_deref(), Some("Afterwatch fixture"));
    assert_eq!(header.licence.as_deref(), Some("apache-2.0"));
    assert_eq!(header.trained_context, 32_768);
    assert_eq!(header.vocabulary, 1024);
    assert_eq!(header.weights, "F16");
    assert_eq!(header.size_bytes, FIXTURE.len() as u64);
    // Two layers of two heads of sixteen, a key and a value, two bytes each.
    assert_eq!(header.context_token_bytes, 2 * 2 * (16 + 16) * 2);
    // The table of tokens, and per layer queries, keys, values, output, three of the feed-forward part, two norms and
    // three biases.
    let layer = 2 * 64 * 64 + 2 * 32 * 64 + 3 * 64 * 128 + 2 * 64 + 64 + 2 * 32;
    assert_eq!(header.parameters, 1024 * 64 + 64 + 2 * layer);
    assert!(header.chat_template.unwrap().contains("<|im_start|>"));
}

#[test]
fn memory_grows_with_the_context() {
    let header = judged(FIXTURE).unwrap();
    let more = header.memory_bytes(9192) - header.memory_bytes(1000);
    assert_eq!(more, 8192 * header.context_token_bytes);
    assert!(header.memory_bytes(1000) > header.weight_bytes);
}

#[test]
fn a_sound_draft_is_taken() {
    let header = judged(&Draft::new().bytes()).unwrap();
    assert_eq!(header.name.as_deref(), Some("Small one"));
    assert_eq!(header.parameters, 192);
    assert_eq!(header.weight_bytes, 384);
}

#[test]
fn what_is_no_model_is_called_by_its_name() {
    let long = |start: &str| format!("{start:<64}").into_bytes();
    for (file, says) in [
        (vec![], "empty"),
        (b"GGUF".to_vec(), "much too small"),
        (long("<!DOCTYPE html><title>Sign in</title>"), "web page"),
        (long("version https://git-lfs.github.com/spec/v1"), "Git LFS"),
        (long("PK\u{3}\u{4}"), "archive"),
        (long("GGML"), "not a model in the format GGUF"),
        (long("ggjt"), "given up"),
    ] {
        let said = refused(&file);
        assert!(said.contains(says), "{said}");
        assert!(said.contains("Choose"), "it says what to do: {said}");
    }
}

#[test]
fn other_versions_of_the_format_are_refused() {
    let mut draft = Draft::new();
    for (version, says) in [(1, "version 1"), (4, "version 4"), (3_u32.swap_bytes(), "big-endian"), (0, "version 0")] {
        draft.version = version;
        let said = refused(&draft.bytes());
        assert!(said.contains(says), "{said}");
    }
    draft.version = 2;
    assert!(judged(&draft.bytes()).is_ok());
}

#[test]
fn what_cannot_be_used_is_refused_in_words() {
    type Change = fn(&mut Draft) -> &mut Draft;
    let cases: &[(Change, &str)] = &[
        (|d| d.text("general.architecture", "bert"), "“bert” are not taken"),
        (|d| d.without("general.architecture"), "does not say what kind"),
        (|d| d.number("general.architecture", 7), "general.architecture is not a text"),
        (|d| d.text("general.type", "adapter"), "LoRA"),
        (|d| d.text("general.type", "mmproj"), "pictures"),
        (|d| d.number("split.count", 3), "one part of several"),
        (|d| d.without("llama.context_length"), "context_length"),
        (|d| d.number("llama.context_length", 0), "context_length of 0"),
        (|d| d.number("llama.block_count", 100_000), "block_count of 100000"),
        (|d| d.number("llama.attention.head_count", 0), "attention heads"),
        (|d| d.number("llama.attention.head_count_kv", 5), "attention heads"),
        (|d| d.number("llama.attention.key_length", u32::MAX), "key_length"),
        (|d| d.text("tokenizer.ggml.model", "plamo2"), "“plamo2”"),
        (|d| d.without("tokenizer.ggml.tokens"), "no vocabulary"),
        (|d| d.entry("tokenizer.ggml.tokens", 9, texts(&[])), "vocabulary is none"),
        (|d| d.entry("tokenizer.ggml.tokens", 9, texts(&["a", "b", "a"])), "there twice"),
        (|d| d.entry("tokenizer.ggml.tokens", 9, texts(&["a", "b", "a\0x"])), "there twice"),
        (|d| d.number("llama.rope.dimension_count", 8), "rope.dimension_count of 8"),
        (|d| d.number("llama.attention.value_length", 8), "no length that can be"),
        (|d| d.number("tokenizer.ggml.eos_token_id", 3), "no token of its vocabulary"),
        (|d| d.entry("tokenizer.ggml.scores", 9, texts(&["a", "b", "c"])), "scores does not fit"),
        (|d| d.number("general.alignment", 48), "alignment of 48"),
        (|d| d.number("general.alignment", 0), "alignment of 0"),
        (|d| d.tensors(vec![], 0), "vocabulary only"),
        (|d| d.tensors(vec![tensor("token_embd.weight", &[64, 2], 1, 0)], 384), "more tokens than its weights"),
        (|d| d.tensors(vec![tensor("t", &[64, 3], 4, 0)], 384), "stored in a way"),
        (|d| d.tensors(vec![tensor("t", &[60, 3], 8, 0)], 384), "rows of the tensor t"),
        (|d| d.tensors(vec![tensor("t", &[64, 3], 1, 32)], 416), "not where it should be"),
        (|d| d.tensors(vec![tensor("t", &[64, 0], 1, 0)], 384), "impossible shape"),
        (|d| d.tensors(vec![tensor("t", &[1 << 40, 1 << 40], 1, 0)], 384), "impossible shape"),
        (|d| d.tensors(vec![tensor("t", &[64, 1 << 40], 1, 0)], 384), "cut off"),
        (|d| d.tensors(vec![tensor("t", &[1, 1, 1, 1, 1], 1, 0)], 384), "5 dimensions"),
        (|d| d.tensors(vec![tensor("t", &[64], 0, 0), tensor("t", &[64], 0, 256)], 512), "there twice"),
        (|d| d.tensors(vec![tensor(&"t".repeat(64), &[64], 0, 0)], 256), "64 bytes long"),
    ];
    for (change, says) in cases {
        let mut draft = Draft::new();
        change(&mut draft);
        let said = refused(&draft.bytes());
        assert!(said.contains(says), "should say {says:?}: {said}");
        assert!(said.ends_with('.'), "{said}");
    }
}

#[test]
fn hostile_counts_are_refused_before_anything_is_set_aside_for_them() {
    let mut draft = Draft::new();
    draft.claims = (Some(u64::MAX), None);
    assert!(refused(&draft.bytes()).contains("tensors"));
    draft.claims = (None, Some(u64::MAX));
    assert!(refused(&draft.bytes()).contains("entries"));

    let list = |kind: u32, count: u64| [&kind.to_le_bytes()[..], &count.to_le_bytes()].concat();
    for (kind, count, says) in [
        (value::TEXT, u64::MAX, "elements"),
        (value::TEXT, 8 << 20, "ends before"),
        (10, 1 << 22, "ends before"),
        (9, 4, "holds lists"),
        (77, 4, "no known type"),
    ] {
        let said = refused(&Draft::new().entry("x", 9, list(kind, count)).bytes());
        assert!(said.contains(says), "{said}");
    }
    let said = refused(&Draft::new().entry("x", value::TEXT, u64::MAX.to_le_bytes().to_vec()).bytes());
    assert!(said.contains("bytes long") || said.contains("ends before"), "{said}");
    let said = refused(&Draft::new().entry("x", 13, vec![0; 8]).bytes());
    assert!(said.contains("no known type"), "{said}");
    let mut twice = Draft::new();
    twice.entries.push(("general.name".into(), value::TEXT, text("again")));
    assert!(refused(&twice.bytes()).contains("said twice"));
}

#[test]
fn a_header_larger_than_any_models_is_not_read_to_its_end() {
    // The file claims to be huge, and each of its texts too; nothing of it is there to be read.
    struct Zeros(u64);
    impl std::io::Read for Zeros {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            into.fill(0);
            self.0 += into.len() as u64;
            assert!(self.0 < 2 * MAX_HEADER);
            Ok(into.len())
        }
    }
    impl std::io::Seek for Zeros {
        fn seek(&mut self, _: std::io::SeekFrom) -> std::io::Result<u64> {
            Ok(0)
        }
    }
    let mut draft = Draft::new();
    draft.claims = (None, Some(MAX_ENTRIES));
    let mut start = draft.bytes();
    start.truncate(start.len() - 384);
    start.extend(text("big"));
    start.extend(value::TEXT.to_le_bytes());
    start.extend((MAX_HEADER - 1000).to_le_bytes());
    let source = ReadThen(Cursor::new(start), Zeros(0));
    let said = judge(source, 1 << 45).unwrap_err().to_string();
    assert!(said.contains("damaged"), "{said}");

    struct ReadThen(Cursor<Vec<u8>>, Zeros);
    impl std::io::Read for ReadThen {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            match self.0.read(into)? {
                0 => self.1.read(into),
                n => Ok(n),
            }
        }
    }
    impl std::io::Seek for ReadThen {
        fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
            self.0.seek(to)
        }
    }
}

#[test]
fn names_from_a_file_are_shown_as_one_short_line() {
    let long = format!("Model\n\u{1b}[31m{}", "x".repeat(500));
    let header = judged(&Draft::new().text("general.name", &long).bytes()).unwrap();
    assert_eq!(header.name.as_deref(), Some("Model"));
    let header = judged(&Draft::new().text("general.name", &"é".repeat(500)).bytes()).unwrap();
    assert_eq!(header.name.unwrap().chars().count(), 120);
}

#[test]
fn every_cut_of_a_file_is_refused_as_damaged_or_too_small() {
    let whole = Draft::new().bytes();
    for end in 0..whole.len() {
        let said = refused(&whole[..end]);
        assert!(said.contains("damaged") || said.contains("too small") || said.contains("empty"), "{end}: {said}");
    }
    for end in [FIXTURE.len() - 1, FIXTURE.len() / 2, 20_000, 5_000, 100] {
        assert!(refused(&FIXTURE[..end]).contains("damaged"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn flipped_bytes_never_panic(flips in prop::collection::vec((0_usize..40_000, any::<u8>()), 1..12)) {
        let mut file = FIXTURE.to_vec();
        for (at, to) in flips {
            file[at] = to;
        }
        if let Ok(header) = judged(&file) {
            prop_assert!(header.weight_bytes <= file.len() as u64);
            prop_assert!(header.vocabulary <= MAX_VOCABULARY as u32);
        }
    }

    #[test]
    fn flips_in_the_dense_part_never_panic(flips in prop::collection::vec((0_usize..600, any::<u8>()), 1..6)) {
        let mut file = Draft::new().bytes();
        for (at, to) in flips {
            let at = at % file.len();
            file[at] = to;
        }
        let _ = judged(&file);
    }

    #[test]
    fn anything_after_the_magic_never_panics(rest in prop::collection::vec(any::<u8>(), 0..2000)) {
        let file = [b"GGUF\x03\0\0\0", &rest[..]].concat();
        let _ = judged(&file);
    }

    #[test]
    fn hostile_numbers_anywhere_never_panic(
        at in 0_usize..600,
        number in prop_oneof![Just(u64::MAX), Just(1 << 63), Just((1 << 63) - 1), Just(1 << 32), Just(u64::MAX - 7), any::<u64>()],
    ) {
        let mut file = Draft::new().bytes();
        let at = at % (file.len() - 8);
        file[at..at + 8].copy_from_slice(&number.to_le_bytes());
        let _ = judged(&file);
    }
}
