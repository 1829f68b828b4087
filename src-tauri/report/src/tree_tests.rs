use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn known() -> Known {
    Known::of(&["E1", "E2", "C1"])
}

/// The tree as one line: blocks and inlines with their marks.
fn show(markdown: &str) -> String {
    tree(markdown, &known()).iter().map(block).collect::<Vec<_>>().join(" ")
}

fn block(b: &Block) -> String {
    match b {
        Block::P { c } => format!("p({})", line(c)),
        Block::H { level, c } => format!("h{level}({})", line(c)),
        Block::Quote { c } => format!("q({})", c.iter().map(block).collect::<String>()),
        Block::Code { lang, v } => format!("code[{lang}]({v})"),
        Block::List { start, items } => {
            let items: Vec<String> = items.iter().map(|i| i.iter().map(block).collect()).collect();
            format!("list{}({})", start.map(|s| s.to_string()).unwrap_or_default(), items.join("|"))
        }
        Block::Table { head, rows } => {
            let row = |r: &Vec<Vec<Inline>>| r.iter().map(|c| line(c)).collect::<Vec<_>>().join(",");
            format!("table({}/{})", row(head), rows.iter().map(row).collect::<Vec<_>>().join("/"))
        }
        Block::Rule => "hr".into(),
    }
}

fn line(c: &[Inline]) -> String {
    c.iter()
        .map(|i| match i {
            Inline::S { v } => v.clone(),
            Inline::C { v } => format!("`{v}`"),
            Inline::Em { c } => format!("em({})", line(c)),
            Inline::Strong { c } => format!("strong({})", line(c)),
            Inline::Del { c } => format!("del({})", line(c)),
            Inline::Soft => "~".into(),
            Inline::Br => "/".into(),
            Inline::Link { url, c } => format!("link<{url}>({})", line(c)),
            Inline::Cite { ids } => {
                format!("cite({})", ids.iter().map(|c| c.id.clone()).collect::<Vec<_>>().join(","))
            }
            Inline::Timeline => "timeline".into(),
            Inline::Unknown { c } => format!("unknown({})", line(c)),
            Inline::Label { v, .. } => format!("label({v})"),
        })
        .collect()
}

#[test]
fn markdown_becomes_what_it_says() {
    for (markdown, expected) in [
        ("a *b* **c** ~~d~~ `e`", "p(a em(b) strong(c) del(d) `e`)"),
        ("# T\n\ntext\nmore  \nlast", "h1(T) p(text~more/last)"),
        ("- a\n- b\n  - c", "list(p(a)|p(b)list(p(c)))"),
        ("3. a\n\n   b", "list3(p(a)p(b))"),
        ("> a\n>\n> - b", "q(p(a)list(p(b)))"),
        ("```Rust x\nlet\n```\n\n    indented", "code[rust](let) code[](indented)"),
        ("|a|b|\n|-|-|\n|1|*2*|", "table(a,b/1,em(2))"),
        ("---", "hr"),
    ] {
        assert_eq!(show(markdown), expected, "{markdown}");
    }
}

#[test]
fn only_known_ids_become_citations() {
    for (markdown, expected) in [
        ("Killed [E1, C1].", "p(Killed cite(E1,C1).)"),
        ("[E1][E2]", "p(cite(E1)cite(E2))"),
        ("It did [timeline].", "p(It did timeline.)"),
        ("Gone [E99].", "p(Gone [E99].)"),
        ("Half [E1, E99].", "p(Half [E1, E99].)"),
        (r"Inert \[E1\].", "p(Inert [E1].)"),
        ("[see *[E1]*](https://a.b)", "p(link<https://a.b>(see em([E1])))"),
        ("`[E1]`", "p(`[E1]`)"),
        ("spec.containers[app] [E1", "p(spec.containers[app] [E1)"),
        ("*Not established:* why [E1].\nMore.", "p(unknown(em(Not established:) why cite(E1).)~More.)"),
        ("It is *not established*.", "p(It is unknown(em(not established)).)"),
    ] {
        assert_eq!(show(markdown), expected, "{markdown}");
    }
}

#[test]
fn nothing_active_is_left() {
    for (markdown, expected) in [
        ("<b onclick=x>b</b>", "p(<b onclick=x>b</b>)"),
        ("<script>\nalert(1)\n</script>", "p(<script>\nalert(1)\n</script>)"),
        ("![a *cat*](https://x.y/?leak)", "p(a cat)"),
        ("[x](javascript:alert(1))", "p(x (javascript:alert(1)))"),
        ("[x](file:///etc/passwd)", "p(x (file:///etc/passwd))"),
        ("[x](https://a.b)", "p(link<https://a.b>(x))"),
        ("<a@b.c> [x](mailto:a@b.c)", "p(a@b.c link<mailto:a@b.c>(x))"),
        ("a\u{202e}b\u{0}c\u{1b}[31m\u{200b}d", "p(abc[31md)"),
        ("👩\u{200d}🚒 و\u{200c}ی", "p(👩\u{200d}🚒 و\u{200c}ی)"),
    ] {
        assert_eq!(show(markdown), expected, "{markdown}");
    }
}

#[test]
fn what_is_nested_too_deep_is_flat_and_nothing_is_lost() {
    let quotes: String = (0..40).map(|n| format!("{}w{n}\n", "> ".repeat(n + 1))).collect();
    let lists: String = (0..40).map(|n| format!("{}- w{n}\n", "  ".repeat(n))).collect();
    let inline = format!("{}w0{}", "*_".repeat(30), "_*".repeat(30));
    for (markdown, words) in [(quotes, 40), (lists, 40), (inline, 1)] {
        let tree = tree(&markdown, &known());
        assert!(depth(&tree) <= DEPTH, "{}", depth(&tree));
        let shown = tree.iter().map(block).collect::<String>();
        let found: HashSet<&str> = shown.split(|c: char| !c.is_alphanumeric()).collect();
        for n in 0..words {
            assert!(found.contains(&format!("w{n}")[..]), "w{n} in {shown}");
        }
    }
}

/// Levels of what contains something.
fn depth(blocks: &[Block]) -> usize {
    blocks
        .iter()
        .map(|b| match b {
            Block::P { c } | Block::H { c, .. } => 1 + inline_depth(c),
            Block::Quote { c } => 1 + depth(c),
            Block::List { items, .. } => 1 + items.iter().map(|i| depth(i)).max().unwrap_or(0),
            Block::Table { head, rows } => {
                1 + rows.iter().flatten().chain(head).map(|c| inline_depth(c)).max().unwrap_or(0)
            }
            Block::Code { .. } | Block::Rule => 1,
        })
        .max()
        .unwrap_or(0)
}

fn inline_depth(c: &[Inline]) -> usize {
    c.iter()
        .map(|i| match i {
            Inline::Em { c } | Inline::Strong { c } | Inline::Del { c } | Inline::Link { c, .. } => 1 + inline_depth(c),
            // A mark around what was there, not a level of the text.
            Inline::Unknown { c } => inline_depth(c),
            _ => 0,
        })
        .max()
        .unwrap_or(0)
}

/// Letters and digits of the text, in order.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_markdown_gives_a_shallow_tree(text in "[a-z \\n|`*_<>&#~\\[\\]()!:/\\\\.\"'={}0-9-]{0,120}|(?s).{0,80}|(> ?|- |  - |1\\. |\\* ){0,60}a") {
        let tree = tree(&text, &known());
        prop_assert!(depth(&tree) <= DEPTH);
        let json = serde_json::to_string(&tree).unwrap();
        let hidden = json.contains(['\u{202e}', '\u{0}']);
        prop_assert!(!hidden);
    }

    #[test]
    fn words_come_through_in_order(words in prop::collection::vec("[a-z]{1,6}", 1..12), marks in prop::collection::vec(0..8_usize, 12)) {
        let mut markdown = String::new();
        for (word, mark) in words.iter().zip(&marks) {
            markdown += &match mark {
                0 => format!("**{word}** "),
                1 => format!("*{word}* "),
                2 => format!("`{word}` "),
                3 => format!("\n\n> {word}\n\n"),
                4 => format!("\n\n- {word}\n"),
                5 => format!("\n\n## {word}\n\n"),
                6 => format!("\n\n```\n{word}\n```\n\n"),
                _ => format!("{word} "),
            };
        }
        let mut shown = String::new();
        for block in tree(&markdown, &known()) {
            only_words(&block, &mut shown);
        }
        prop_assert_eq!(letters(&shown), words.concat());
    }
}

fn only_words(b: &Block, out: &mut String) {
    match b {
        Block::P { c } | Block::H { c, .. } => out.push_str(&plain(c)),
        Block::Quote { c } => c.iter().for_each(|b| only_words(b, out)),
        Block::List { items, .. } => items.iter().flatten().for_each(|b| only_words(b, out)),
        Block::Code { v, .. } => out.push_str(v),
        Block::Table { head, rows } => rows.iter().flatten().chain(head).for_each(|c| out.push_str(&plain(c))),
        Block::Rule => {}
    }
}
