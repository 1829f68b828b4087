//! Places in source code, `app/models/product.rb:31`: a file and its line, which look like a host and its port.

use std::{borrow::Cow, sync::LazyLock};

use regex::{Captures, Regex};

/// What files of source code end in.
const ENDINGS: &[&str] = &[
    "go", "py", "js", "mjs", "cjs", "jsx", "ts", "tsx", "java", "kt", "kts", "scala", "groovy", "clj", "rb", "erb",
    "rake", "rs", "cs", "fs", "vb", "cshtml", "php", "phtml", "c", "cc", "cpp", "cxx", "h", "hpp", "ex", "exs", "erl",
    "hs", "lua", "pl", "pm", "swift", "dart", "sh", "bash", "vue", "svelte",
];
/// Those that are the domain of a country, too.
const COUNTRIES: &[&str] = &["py", "rs", "cc", "pl", "pm", "sh"];

/// Scripts that are mounted and edited, and that a message may be about.
const SCRIPTS: &[&str] = &["sh", "bash", "lua", "pl"];

/// Loggers name the file of the program that the call stands in, and its line.
pub(super) fn is_source(path: &str) -> bool {
    let (file, line) = path.rsplit_once(':').unwrap_or((path, ""));
    !line.is_empty() && line.chars().all(|c| c.is_ascii_digit())
        || file.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending) && !SCRIPTS.contains(&ending))
}

/// The text is a place in source code and nothing else.
pub(super) fn is_place(text: &str) -> bool {
    text.contains(':') && without_places(text).trim().is_empty()
}

/// Without the places in source code, where hosts are looked for.
pub(crate) fn without_places(text: &str) -> Cow<'_, str> {
    static PLACE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        // Without Unicode: it is looked for in every line.
        let form = r"(?-u)[\w.@~+/\\:$<>-]*\w\.(?P<ending>ENDINGS):(?P<line>\d+)(?::\d+)*\b";
        Regex::new(&form.replace("ENDINGS", &ENDINGS.join("|"))).ok()
    });
    match PLACE.as_ref() {
        Some(form) if text.contains(':') => form.replace_all(text, |found: &Captures<'_>| match is_file(found) {
            true => " ".to_owned(),
            false => found[0].to_owned(),
        }),
        _ => Cow::Borrowed(text),
    }
}

/// A file, and no host below the domain of a country, nor the rest of an address.
fn is_file(found: &Captures<'_>) -> bool {
    const SCHEMES: [&str; 4] = ["file", "webpack", "webpack-internal", "app"];
    const WEB: [&str; 4] = ["80", "443", "8080", "8443"];
    let whole = &found[0];
    if let Some((scheme, _)) = whole.split_once("://") {
        return SCHEMES.iter().any(|s| scheme.ends_with(s));
    }
    let ending = found.name("ending").map_or(whole.len(), |e| e.end() - found.get(0).map_or(0, |w| w.start()));
    let bare = whole[..ending].rsplit(':').next().unwrap_or(whole);
    let named = |text: &str| text.matches('.').count() > 1 || WEB.contains(&&found["line"]);
    !COUNTRIES.contains(&&found["ending"]) || bare.contains(['/', '\\']) || !named(bare)
}

#[cfg(test)]
mod tests {
    use super::without_places;

    #[test]
    fn a_file_with_its_line_is_left_out_and_a_host_with_its_port_stays() {
        for place in [
            "app/models/product.rb:31",
            "main.go:40",
            "/srv/app/views.py:12",
            "main.rs:31:5",
            "Order.java:88",
            "lib/shop/order.ex:9",
            "Worker.kt:7",
            "src/Program.cs:34",
            "index.php:3",
            "dist/main.js:22:5",
            "webpack:///src/app.ts:31",
            "C:\\src\\shop\\Order.cs:14",
        ] {
            let text = format!("timed out in {place}: no answer");
            assert_eq!(without_places(&text), "timed out in  : no answer", "{place}");
        }
        for host in [
            "db:5432",
            "orders.shop.svc:8080",
            "https://api.firma.rs:443/v1",
            "api.firma.rs:9443",
            "firma.py:443",
            "10.0.0.7:80",
            "[::1]:80",
            "http://pages.go:8080/",
            "node-1.js-workers:9000",
            "err:api.firma.rs:9443",
        ] {
            let text = format!("timed out asking {host}");
            assert_eq!(without_places(&text), text);
        }
    }
}
