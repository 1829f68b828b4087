//! Making text from a cluster inert.

/// The text as one line of Markdown that says exactly this and does nothing: no emphasis, code, link, image, HTML,
/// entity, table cell, list, heading or automatic link. Terminal sequences and what turns the writing direction are
/// dropped.
pub(crate) fn inert(text: &str) -> String {
    let line = one_line(text);
    let chars: Vec<char> = line.chars().collect();
    let mut out = String::with_capacity(line.len() + 8);
    let digits = chars.iter().take_while(|c| c.is_ascii_digit()).count();
    for (i, &c) in chars.iter().enumerate() {
        let before = i.checked_sub(1).map(|b| chars[b]);
        let after = chars.get(i + 1).copied();
        let escape = match c {
            '\\' | '`' | '*' | '[' | ']' | '<' | '|' | '~' | '$' => true,
            // Inside a word it means nothing, and names are full of them.
            '_' => !(before.is_some_and(char::is_alphanumeric) && after.is_some_and(char::is_alphanumeric)),
            '&' => after.is_some_and(|a| a.is_ascii_alphanumeric() || a == '#'),
            // Many renderers make links of bare addresses.
            ':' => chars[i + 1..].starts_with(&['/', '/']),
            '.' if i >= 3 && chars[i - 3..i].iter().all(|w| matches!(w, 'w' | 'W')) => true,
            // A list's number is followed by a space; a version is not.
            '.' | ')' => digits > 0 && i == digits && after.is_none_or(|a| a == ' '),
            '#' | '+' | '-' | '=' | '>' => i == 0,
            _ => false,
        };
        if escape {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The excerpt in a fence that nothing inside can close. `info` is one word such as `text` or `diff`.
pub(crate) fn fenced(info: &str, excerpt: &str) -> String {
    let excerpt = visible(excerpt);
    let longest = excerpt.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{info}\n{}\n{fence}\n", excerpt.trim_end_matches('\n'))
}

/// Without terminal sequences, on one line, with single spaces.
pub(crate) fn one_line(text: &str) -> String {
    visible(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Without terminal sequences; other characters that cannot be seen, or that turn the writing direction, become
/// visible ones. Line ends become `\n`.
pub(crate) fn visible(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                Some('[') => skip_control_sequence(&mut chars),
                Some(']') => skip_command(&mut chars),
                // A lone escape character eats the one that follows, as a terminal would, but never a line end.
                Some('\n') => out.push('\n'),
                _ => {}
            },
            '\u{9b}' => skip_control_sequence(&mut chars),
            '\r' => out.push('\n'),
            '\n' | '\t' => out.push(c),
            c if (c as u32) < 0x20 => out.push(char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}')),
            '\u{7f}' => out.push('\u{2421}'),
            '\u{80}'..='\u{9f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' => out.push('\u{fffd}'),
            '\u{2028}' | '\u{2029}' => out.push('\n'),
            c => out.push(c),
        }
    }
    out
}

/// Up to and with its final character; a line end cuts a broken one off.
fn skip_control_sequence(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while let Some(c) = chars.next_if(|c| *c != '\n') {
        if ('\u{40}'..='\u{7e}').contains(&c) {
            return;
        }
    }
}

/// Up to the bell or the terminator; a line end cuts a broken one off.
fn skip_command(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while let Some(c) = chars.next_if(|c| *c != '\n') {
        if c == '\u{7}' {
            return;
        }
        if c == '\u{1b}' {
            chars.next_if_eq(&'\\');
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::html;

    /// The text between two tags of the preview.
    fn shown(markdown: &str, before: &str, after: &str) -> String {
        let html = html(markdown);
        let inside = html.trim_end().strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        let inside = inside.unwrap_or_else(|| panic!("{html}"));
        inside.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
    }

    proptest! {
        #[test]
        fn inert_text_is_shown_letter_for_letter(text in "[a-c0-9 |`*_<>&#~\\[\\]()!:/\\\\.$=+@;-]{1,30}|\\PC{1,30}|.{1,30}") {
            let expected = one_line(&text);
            prop_assume!(!expected.is_empty());
            let inert = inert(&text);
            prop_assert_eq!(shown(&inert, "<p>", "</p>"), &expected[..]);
            prop_assert_eq!(shown(&format!("- {inert}"), "<ul>\n<li>", "</li>\n</ul>"), &expected[..]);
            let table = "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody>\n<tr><td>";
            let row = format!("| a | b |\n| - | - |\n| {inert} | end |");
            prop_assert_eq!(shown(&row, table, "</td><td>end</td></tr>\n</tbody></table>"), &expected[..]);
        }
    }

    #[test]
    fn names_and_numbers_stay_readable() {
        for text in [
            "limits.memory 512Mi → 64Mi",
            "MAX_HEAP_SIZE=3 (was 2)",
            "registry:5000/a-b@sha256",
            "a > b & c - d",
            "0.1.0",
            "3.5s",
        ] {
            assert_eq!(inert(text), text);
        }
    }

    #[test]
    fn what_would_mean_something_is_escaped() {
        let cases = [
            ("**bold** _em_ `code` ~~no~~", r"\*\*bold\*\* \_em\_ \`code\` \~\~no\~\~"),
            ("![x](http://a) <b>", r"!\[x\](http\://a) \<b>"),
            ("a|b\\|c\nd", r"a\|b\\\|c d"),
            ("&lt; &#60; $x$ www.a.b", r"\&lt; \&#60; \$x\$ www\.a.b"),
            ("# head", r"\# head"),
            ("12. list", r"12\. list"),
            ("3) list", r"3\) list"),
            ("4.", r"4\."),
            (" - list", r"\- list"),
            ("> quote", r"\> quote"),
        ];
        for (text, expected) in cases {
            assert_eq!(inert(text), expected);
        }
    }

    #[test]
    fn terminal_sequences_are_gone_and_hidden_characters_are_seen() {
        assert_eq!(one_line("\u{1b}[31mred\u{1b}[0m \u{1b}]8;;http://x\u{7}link\u{1b}]8;;\u{1b}\\."), "red link.");
        assert_eq!(one_line("a\u{0}b\u{202e}c\u{200b}d"), "a\u{2400}b\u{fffd}c\u{fffd}d");
        assert_eq!(one_line("\u{1b}[31\nnext \u{1b}"), "next");
    }

    #[test]
    fn a_fence_is_longer_than_any_inside() {
        assert_eq!(fenced("text", "a\n````\nb\r\n"), "`````text\na\n````\nb\n`````\n");
        assert_eq!(fenced("text", ""), "```text\n\n```\n");
    }
}
