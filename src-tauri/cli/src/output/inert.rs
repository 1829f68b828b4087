//! Makes text from a cluster harmless: a log line, a name or an event must not move the cursor, colour the screen,
//! set the window's title or reorder what is read.

use std::{borrow::Cow, fmt::Write};

use serde_json::Value;

/// What a removed character leaves behind, so that its place stays visible.
const MARK: char = '\u{fffd}';

/// One line: line ends and tabs become spaces.
pub fn line(text: &str) -> Cow<'_, str> {
    clean(text, false)
}

/// Many lines: line ends and tabs stay.
pub fn lines(text: &str) -> Cow<'_, str> {
    clean(text, true)
}

/// JSON that is safe to print: what would act on the terminal is written as `\uXXXX`. The value stays the same,
/// because in serialised JSON such characters stand inside strings only.
pub fn json(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| c != '\n' && acts(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 32);
    for c in text.chars() {
        if c == '\n' || !acts(c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    Cow::Owned(out)
}

/// True when nothing in a text of many lines acts on the terminal.
pub fn is(text: &str) -> bool {
    !text.contains(|c| c != '\n' && acts(c))
}

/// What stands around a hidden character: a control character, which makes YAML quote and escape the whole string.
const HIDDEN: char = '\u{1}';

/// Spells what acts on the terminal but is written as it is in YAML (which escapes control characters by itself).
/// [`reveal`] makes it an escape of the written text, so that the value stays the same.
pub fn hide(value: &mut Value) {
    match value {
        Value::String(text) if text.contains(|c: char| acts(c) && !c.is_control()) => {
            let mut out = String::with_capacity(text.len() + 16);
            for c in text.chars() {
                if acts(c) && !c.is_control() {
                    let _ = write!(out, "{HIDDEN}{:08X}{HIDDEN}", u32::from(c));
                } else {
                    out.push(c);
                }
            }
            *text = out;
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::Object(fields) => fields.values_mut().for_each(hide),
        _ => {}
    }
}

/// The other half of [`hide`], on the YAML.
pub fn reveal(yaml: &str) -> String {
    let mut out = String::with_capacity(yaml.len());
    let mut rest = yaml;
    while let Some((before, after)) = rest.split_once("\\x01") {
        out.push_str(before);
        match after.split_once("\\x01") {
            Some((digits, behind)) if digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_hexdigit()) => {
                out.push_str("\\U");
                out.push_str(digits);
                rest = behind;
            }
            _ => {
                out.push_str("\\x01");
                rest = after;
            }
        }
    }
    out + rest
}

/// True for characters that do something to a terminal or to the order of what is read, instead of being read.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn clean(text: &str, keep_lines: bool) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c == '\u{1b}'
            && let Some(length) = sequence(rest)
        {
            rest = &rest[length..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '\n' | '\t' if keep_lines => out.push(c),
            // A line end of Windows is one line end.
            '\r' if rest.starts_with('\n') => {}
            '\n' | '\r' | '\t' => out.push(if keep_lines { '\n' } else { ' ' }),
            c if acts(c) => out.push(MARK),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The length of the escape sequence that the text begins with: colours and cursor movements (CSI), titles and links
/// (OSC). Programs colour their logs, so these go without a trace. One without an end is not a sequence.
fn sequence(text: &str) -> Option<usize> {
    let body = text.strip_prefix('\u{1b}')?;
    match body.chars().next()? {
        '[' => {
            let end = body[1..].find(|c: char| !matches!(c, '\u{20}'..='\u{3f}'))?;
            matches!(body.as_bytes()[1 + end], 0x40..=0x7e).then_some(1 + 1 + end + 1)
        }
        ']' => {
            let end = body.find(['\u{7}', '\u{1b}', '\n', '\r'])?;
            match body.as_bytes()[end] {
                0x07 => Some(1 + end + 1),
                0x1b if body[end + 1..].starts_with('\\') => Some(1 + end + 2),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_titles_vanish_and_other_tricks_leave_a_mark() {
        for (given, want) in [
            ("plain ünï 日本", "plain ünï 日本"),
            ("\u{1b}[31;1mred\u{1b}[0m", "red"),
            ("\u{1b}]0;owned\u{7}title", "title"),
            ("\u{1b}]8;;http://x\u{1b}\\link", "link"),
            ("\u{1b}]0;never ends", "\u{fffd}]0;never ends"),
            ("a\u{1b}[2Jb\u{1b}Mc", "ab\u{fffd}Mc"),
            ("\u{1b}[é", "\u{fffd}[é"),
            ("bell\u{7}", "bell\u{fffd}"),
            ("c1 \u{9b}31m", "c1 \u{fffd}31m"),
            ("rtl \u{202e}gpj.exe", "rtl \u{fffd}gpj.exe"),
            ("two\nlines\tand\r\nmore", "two lines and more"),
            ("\u{1b}", "\u{fffd}"),
            ("\u{1b}[", "\u{fffd}["),
        ] {
            assert_eq!(line(given), want, "{given:?}");
        }
        assert_eq!(lines("a\tb\r\nc\rd\u{1b}[1mx"), "a\tb\nc\ndx");
    }

    #[test]
    fn json_keeps_its_value_and_loses_its_teeth() {
        let text = serde_json::to_string_pretty(&serde_json::json!({"a": "x\u{9b}\u{202e}\u{7f}\u{e0041}\n", "b": 1}))
            .unwrap();
        let safe = json(&text);
        assert!(!safe.contains(|c| c != '\n' && acts(c)), "{safe}");
        let (before, after): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(&text).unwrap(), serde_json::from_str(&safe).unwrap());
        assert_eq!(before, after);
    }

    #[test]
    fn yaml_keeps_its_value_and_loses_its_teeth() {
        let before =
            serde_json::json!({"a": ["rtl \u{202e}x\u{e0041} 'q' \\ end", "\u{1}kept\u{1}"], "b": "x\u{9b}\u{200b}\n"});
        let mut hidden = before.clone();
        hide(&mut hidden);
        let yaml = reveal(&serde_saphyr::to_string(&hidden).unwrap());
        assert!(is(&yaml), "{yaml:?}");
        for escape in ["\\U0000202E", "\\U000E0041", "\\U0000200B", "\\x01kept\\x01"] {
            assert!(yaml.contains(escape), "{escape} is not in {yaml}");
        }
    }
}
