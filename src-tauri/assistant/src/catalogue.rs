//! The models that are offered, from `models/catalogue.toml`.

use std::{collections::BTreeMap, sync::OnceLock};

use serde::Deserialize;

/// A model that can be had. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Stands for it on the command line; stays the same over versions.
    pub id: String,
    pub name: String,
    pub maker: String,
    pub licence: String,
    pub licence_url: String,
    /// llama.cpp's word for the kind of network.
    pub architecture: String,
    /// As people write it: `4.0 B`.
    pub parameters: String,
    pub file: String,
    pub size_bytes: u64,
    /// In small hexadecimal letters. `None`: not confirmed, and not offered for download.
    pub sha256: Option<String>,
    /// Why the hash could not be confirmed.
    pub unverified: Option<String>,
    pub url: String,
    /// The page where it can be had.
    pub page: String,
    /// Tokens it was trained for.
    pub context: u32,
    pub layers: u32,
    pub kv_heads: u32,
    pub head_dim: u32,
    /// Layers that look back `window` tokens only.
    #[serde(default)]
    pub windowed_layers: u32,
    #[serde(default)]
    pub window: u32,
    /// What is set when its chat template is rendered.
    #[serde(default)]
    pub template: BTreeMap<String, bool>,
    /// For whom it is, in a sentence.
    pub about: String,
}

impl Entry {
    /// It may be downloaded from here: its bytes can be checked.
    pub fn downloadable(&self) -> bool {
        self.sha256.is_some()
    }

    /// What a conversation of so many tokens takes beside the weights, in bytes.
    pub fn kv_bytes(&self, context: u32) -> u64 {
        let per_layer = 4 * u64::from(self.kv_heads) * u64::from(self.head_dim);
        let whole = u64::from(self.layers.saturating_sub(self.windowed_layers)) * u64::from(context);
        let windowed = u64::from(self.windowed_layers) * u64::from(self.window.min(context));
        per_layer * (whole + windowed)
    }
}

/// The catalogue that comes with the program.
pub fn catalogue() -> &'static [Entry] {
    static PARSED: OnceLock<Vec<Entry>> = OnceLock::new();
    // A broken catalogue offers nothing; a test reads it, so that none is shipped.
    PARSED.get_or_init(|| parse(include_str!("../../../models/catalogue.toml")).unwrap_or_default())
}

/// Reads a catalogue.
///
/// # Errors
/// When it is not TOML, or an entry is not of this form.
pub fn parse(text: &str) -> Result<Vec<Entry>, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Catalogue {
        model: Vec<Entry>,
    }
    toml::from_str::<Catalogue>(text).map(|c| c.model).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use afterwatch_model_protocol::gguf;

    use super::*;

    fn shipped() -> Vec<Entry> {
        parse(include_str!("../../../models/catalogue.toml")).unwrap()
    }

    #[test]
    fn the_shipped_catalogue_is_read_and_every_id_file_and_hash_occurs_once() {
        let all = shipped();
        assert!(all.len() >= 10, "{}", all.len());
        let mut seen = HashSet::new();
        for e in &all {
            assert!(seen.insert(e.id.clone()), "{} twice", e.id);
            assert!(seen.insert(e.file.clone()), "{} twice", e.file);
            if let Some(hash) = &e.sha256 {
                assert!(seen.insert(hash.clone()), "the hash of {} twice", e.id);
            }
            assert!(e.id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c)), "{}", e.id);
        }
        assert_eq!(catalogue().len(), all.len());
    }

    #[test]
    fn every_entry_has_a_known_licence_and_only_encrypted_addresses() {
        const KNOWN: [&str; 4] = ["Apache-2.0", "MIT", "Llama 3.2 Community License", "Gemma Terms of Use"];
        for e in shipped() {
            assert!(KNOWN.contains(&e.licence.as_str()), "{}: {}", e.id, e.licence);
            for address in [&e.url, &e.page, &e.licence_url] {
                assert!(address.starts_with("https://"), "{}: {address}", e.id);
            }
            assert!(e.url.ends_with(&format!("/{}", e.file)), "{}: the address is of another file", e.id);
            assert!(e.url.starts_with(&e.page), "{}: the page is of another repository", e.id);
        }
    }

    #[test]
    fn every_model_that_is_offered_is_of_a_kind_that_is_taken() {
        for e in shipped() {
            assert!(gguf::ARCHITECTURES.contains(&e.architecture.as_str()), "{}: {}", e.id, e.architecture);
        }
    }

    /// A moved branch would make a download fail at its end, after gigabytes.
    #[test]
    fn every_address_names_a_revision_and_not_a_branch() {
        for e in shipped() {
            let revision = e.url.split("/resolve/").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
            assert!(revision.len() == 40 && revision.chars().all(|c| c.is_ascii_hexdigit()), "{}: {revision}", e.id);
        }
    }

    #[test]
    fn every_entry_has_a_hash_or_says_why_not_and_its_figures_go_together() {
        for e in shipped() {
            match (&e.sha256, &e.unverified) {
                (Some(hash), None) => {
                    assert!(hash.len() == 64 && hash.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')), "{}", e.id);
                }
                (None, Some(why)) => assert!(why.len() > 10, "{}", e.id),
                both => panic!("{}: {both:?}", e.id),
            }
            let billions: f64 = e.parameters.trim_end_matches(" B").parse().unwrap();
            assert!((1.0..=15.0).contains(&billions), "{}", e.id);
            let bits = e.size_bytes as f64 * 8.0 / (billions * 1e9);
            assert!((4.0..9.5).contains(&bits), "{}: {bits} bits for each parameter", e.id);
            assert!((8_192..=1 << 20).contains(&e.context), "{}", e.id);
            // Keys and values of known models of this size take from 16 kB to 512 kB for each token.
            let token = e.kv_bytes(2) - e.kv_bytes(1);
            assert!((16_384..=524_288).contains(&token), "{}: {token}", e.id);
            assert!(e.windowed_layers < e.layers && (e.windowed_layers == 0) == (e.window == 0), "{}", e.id);
            assert!(e.about.ends_with('.') && e.about.len() < 120, "{}: {}", e.id, e.about);
        }
    }

    #[test]
    fn what_has_no_hash_is_not_offered_for_download() {
        let text = include_str!("../../../models/catalogue.toml");
        let mut one = parse(text).unwrap().swap_remove(0);
        assert!(one.downloadable());
        one.sha256 = None;
        assert!(!one.downloadable());
    }

    #[test]
    fn layers_that_look_back_a_window_cost_no_more_than_the_window() {
        let all = shipped();
        let entry = |id: &str| all.iter().find(|e| e.id == id).unwrap();
        assert_eq!(entry("qwen3-4b-instruct").kv_bytes(1), 147_456);
        let gemma = entry("gemma-3-12b");
        assert_eq!(gemma.kv_bytes(8192) - gemma.kv_bytes(8191), 8 * 4 * 8 * 256);
    }
}
