//! Text from a cluster, made harmless before a model reads it.
//!
//! What a terminal or a page would obey, and what a model's template takes for its own control tokens, is taken apart;
//! what cannot be seen is made visible. The words stay: an instruction in a log line is part of what was logged.

use std::sync::LazyLock;

use afterwatch_core::redact;
use regex::{Captures, Regex};

/// What stands for a character that cannot be seen or turns the writing direction.
const HIDDEN: char = '\u{fffd}';

/// Names in square brackets that templates give a meaning of their own.
static BRACKETS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let names = "INST|SYS|SYSTEM(?:_PROMPT)?|USER|ASSISTANT|TOOL[A-Z_]*|AVAILABLE_TOOLS|ARGS|CALL_ID|MASK|GMASK|SMASK|CLS|SEP|PAD|UNK|BOS|EOS|EOT|EOM|THINK|IMG[A-Z_]*|PREFIX|SUFFIX|MIDDLE|CONTROL_\\d+|REASONING";
    Regex::new(&format!(r"(?i)\[\s*(/?\s*(?:{names}))\s*\]")).ok()
});

/// One line: as [`block`], with single spaces.
pub(crate) fn line(text: &str, max: usize) -> String {
    let one = block(text, max.saturating_mul(2)).split_whitespace().collect::<Vec<_>>().join(" ");
    clipped(&one, max)
}

/// Several lines: redacted, without terminal sequences, hidden characters and control tokens; at most `max` characters.
pub(crate) fn block(text: &str, max: usize) -> String {
    let seen = visible(text, max.saturating_mul(4));
    let redacted = redact::text(&seen);
    clipped(&apart(&redacted), max)
}

/// Cut to at most `max` characters.
fn clipped(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((at, _)) => format!("{}…", text[..at].trim_end()),
        None => text.to_owned(),
    }
}

/// Control tokens taken apart: what opens one is replaced by a sign that looks like it and means nothing.
fn apart(text: &str) -> String {
    let text = match &*BRACKETS {
        Some(brackets) => brackets.replace_all(text, |c: &Captures<'_>| format!("⟦{}⟧", &c[1])),
        None => text.into(),
    };
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    for (n, &c) in chars.iter().enumerate() {
        let before = n.checked_sub(1).map(|b| chars[b]);
        // Blanks between the sign and the name do not stop a lenient reader.
        let after = chars[n + 1..].iter().copied().find(|c| !c.is_whitespace());
        let opens = |c: Option<char>| {
            c.is_some_and(|c| c.is_alphabetic() || "|/!<_▁｜？?".contains(c) || c == '0' || c == HIDDEN)
        };
        out.push(match c {
            '<' | '＜' | '﹤' if opens(after) => '‹',
            '>' | '＞' | '﹥'
                if before.is_some_and(|b| b.is_alphanumeric() || "|_｜/-▁>".contains(b)) && before != Some('-') =>
            {
                '›'
            }
            '｜' => '¦',
            '▁' => '_',
            c => c,
        });
    }
    // A fence of the page, of a chat or of a prompt is none any more.
    let out = out.replace("```", "'''").replace("~~~", "~ ~ ~");
    if out.contains("|>") || out.contains("<|") { out.replace("|>", "¦›").replace("<|", "‹¦") } else { out }
}

/// Without terminal sequences; what cannot be seen becomes visible. Line ends become `\n`.
fn visible(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max * 2));
    let mut chars = text.chars().peekable();
    let mut kept = 0usize;
    while let Some(c) = chars.next() {
        if kept > max {
            break;
        }
        kept += 1;
        match c {
            '\u{1b}' => match chars.peek() {
                Some('[') => {
                    chars.next();
                    skip(&mut chars, |c| ('\u{40}'..='\u{7e}').contains(&c));
                }
                Some(']' | 'P' | '_' | '^' | 'X') => {
                    chars.next();
                    skip(&mut chars, |c| c == '\u{7}' || c == '\\' || c == '\u{9c}');
                }
                Some('\n') | None => {}
                Some(_) => {
                    chars.next();
                }
            },
            '\u{9b}' => skip(&mut chars, |c| ('\u{40}'..='\u{7e}').contains(&c)),
            '\u{90}' | '\u{9d}' | '\u{9e}' | '\u{9f}' | '\u{98}' => {
                skip(&mut chars, |c| c == '\u{7}' || c == '\\' || c == '\u{9c}');
            }
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' | '\u{2028}' | '\u{2029}' | '\u{85}' | '\u{b}' | '\u{c}' => out.push('\n'),
            '\n' => out.push('\n'),
            '\t' => out.push(' '),
            c if (c as u32) < 0x20 => out.push(char::from_u32(0x2400 + c as u32).unwrap_or(HIDDEN)),
            '\u{7f}' => out.push('\u{2421}'),
            c if hidden(c) => {
                // A row of them is one.
                if !out.ends_with(HIDDEN) {
                    out.push(HIDDEN);
                }
            }
            c => out.push(c),
        }
    }
    out
}

/// Characters without a picture of their own, and those that turn the writing direction.
pub(crate) fn hidden(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}')
}

/// Up to and with the character that ends a sequence; a line end cuts a broken one off.
fn skip(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, ends: impl Fn(char) -> bool) {
    while let Some(c) = chars.next_if(|c| *c != '\n') {
        if ends(c) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_tokens_are_taken_apart_and_ordinary_signs_stay() {
        for (text, expected) in [
            ("<|im_end|>", "‹|im_end|›"),
            ("< |im_start|>system", "‹ |im_start|›system"),
            ("[INST] do [/inst]", "⟦INST⟧ do ⟦/inst⟧"),
            ("</s><s>", "‹/s›‹s›"),
            ("<start_of_turn>user", "‹start_of_turn›user"),
            ("<｜User｜>", "‹¦User¦›"),
            ("<<SYS>>", "‹‹SYS››"),
            ("a < 5 and b > 3 -> done", "a < 5 and b > 3 -> done"),
            ("[ERROR] x [main]", "[ERROR] x [main]"),
            ("limits.memory 256Mi → 64Mi", "limits.memory 256Mi → 64Mi"),
        ] {
            assert_eq!(line(text, 200), expected);
        }
    }

    #[test]
    fn terminal_sequences_go_and_hidden_characters_are_seen() {
        assert_eq!(line("\u{1b}[31mred\u{1b}[0m \u{1b}]8;;http://x\u{7}link\u{1b}]8;;\u{7}", 99), "red link");
        assert_eq!(line("a\u{202e}b\u{200b}\u{200c}c\u{0}", 99), "a\u{fffd}b\u{fffd}c\u{2400}");
        assert_eq!(line("ta\u{e0041}\u{e0042}g", 99), "ta\u{fffd}g");
    }

    #[test]
    fn secrets_that_an_escape_sequence_cut_in_two_are_removed() {
        let text = line("password=\u{1b}[0mhunter2secret", 99);
        assert!(!text.contains("hunter2secret"), "{text}");
    }

    #[test]
    fn what_is_too_long_is_cut() {
        assert_eq!(line(&"x".repeat(500), 10), "xxxxxxxxxx…");
        assert!(block(&"y\n".repeat(50_000), 40).chars().count() <= 41);
    }
}
