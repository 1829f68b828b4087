//! What the user chose to write with, kept as a setting.

use serde::{Deserialize, Serialize};

/// The name it is kept under among the settings.
pub const SETTING: &str = "model";

/// Who writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "use", rename_all = "snake_case")]
pub enum ModelChoice {
    /// Rules and templates.
    #[default]
    None,
    /// A file in the library.
    File { id: String },
    /// A server of the user's.
    Server { url: String, model: String },
}

/// An inference server the user named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerPlace {
    /// As [`crate::server::address`] gives it back.
    pub url: String,
    /// The model's name there.
    pub model: String,
    /// Tokens that fit, where the user knows better than the server tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<u32>,
    /// A key is kept in the keychain. Remembered here, since a locked keychain asks its user when it is only looked at.
    #[serde(default)]
    pub has_key: bool,
}

/// The whole setting. A server stays known while a file or nothing is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    #[serde(flatten)]
    pub choice: ModelChoice,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerPlace>,
}

impl Chosen {
    /// From the setting. What is missing or cannot be read chooses nothing: then the rules write, as without a model.
    pub fn from_setting(value: Option<serde_json::Value>) -> Chosen {
        value.and_then(|v| serde_json::from_value(v).ok()).unwrap_or_default()
    }

    /// As it is kept. A key is never part of it.
    pub fn to_setting(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Names a server, and chooses it.
    pub fn use_server(&mut self, place: ServerPlace) {
        self.choice = ModelChoice::Server { url: place.url.clone(), model: place.model.clone() };
        self.server = Some(place);
    }

    /// Forgets the server; when it was chosen, the rules write again.
    pub fn forget_server(&mut self) {
        self.server = None;
        if matches!(self.choice, ModelChoice::Server { .. }) {
            self.choice = ModelChoice::None;
        }
    }

    /// A model was removed; when it was chosen, the rules write again.
    pub fn forget_file(&mut self, gone: &str) {
        if matches!(&self.choice, ModelChoice::File { id } if id == gone) {
            self.choice = ModelChoice::None;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn place() -> ServerPlace {
        ServerPlace { url: "http://localhost:8080/v1".to_owned(), model: "m".to_owned(), context: None, has_key: false }
    }

    #[test]
    fn a_choice_comes_back_as_it_was_kept() {
        let mut chosen = Chosen::default();
        assert_eq!(chosen.to_setting(), json!({"use": "none"}));
        chosen.use_server(place());
        assert_eq!(Chosen::from_setting(Some(chosen.to_setting())), chosen);
        chosen.choice = ModelChoice::File { id: "qwen".to_owned() };
        let kept = chosen.to_setting();
        assert_eq!(kept["use"], "file");
        assert_eq!(Chosen::from_setting(Some(kept)), chosen);
    }

    #[test]
    fn what_cannot_be_read_chooses_nothing() {
        for broken in [json!(null), json!({"use": "magic"}), json!([1]), json!("none")] {
            assert_eq!(Chosen::from_setting(Some(broken)), Chosen::default());
        }
        assert_eq!(Chosen::from_setting(None), Chosen::default());
    }

    #[test]
    fn what_was_removed_is_no_longer_chosen_and_what_was_not_stays() {
        let mut chosen = Chosen { choice: ModelChoice::File { id: "a".to_owned() }, server: Some(place()) };
        chosen.forget_file("b");
        chosen.forget_server();
        assert_eq!(chosen.choice, ModelChoice::File { id: "a".to_owned() });
        chosen.forget_file("a");
        assert_eq!(chosen, Chosen::default());
    }
}
