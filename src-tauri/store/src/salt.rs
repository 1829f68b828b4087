//! The salt of the digests that stand for ConfigMap values.

use afterwatch_core::port::{Store, StoreError};
use uuid::Uuid;

use crate::SqliteStore;

const SETTING: &str = "salt";

impl SqliteStore {
    /// The salt of this history, made when it is asked for the first time. It must stay the same: digests made with
    /// another one look as if every value had changed. The app and the command line both take it from here.
    ///
    /// # Errors
    /// When the database cannot be read, or the new salt could not be written.
    pub fn salt(&self) -> Result<[u8; 16], StoreError> {
        if let Some(salt) = self.stored_salt()? {
            return Ok(salt);
        }
        // Two halves of random bits; the times that UUIDs begin with are left out.
        let (a, b) = (Uuid::now_v7().into_bytes(), Uuid::now_v7().into_bytes());
        let mut salt = [0; 16];
        salt[..8].copy_from_slice(&a[8..]);
        salt[8..].copy_from_slice(&b[8..]);
        let text: String = salt.iter().map(|byte| format!("{byte:02x}")).collect();
        self.set_setting(SETTING, &serde_json::json!(text))?;
        // Another process may have written one in the same moment: what is stored now is what holds.
        Ok(self.stored_salt()?.unwrap_or(salt))
    }

    fn stored_salt(&self) -> Result<Option<[u8; 16]>, StoreError> {
        let stored = self.setting(SETTING)?;
        let Some(text) = stored.as_ref().and_then(|value| value.as_str()) else { return Ok(None) };
        Ok(u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32).map(u128::to_be_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_salt_is_made_once_and_stays() {
        let store = SqliteStore::open_in_memory().unwrap();
        let salt = store.salt().unwrap();
        assert_eq!(store.salt().unwrap(), salt);
        assert_ne!(SqliteStore::open_in_memory().unwrap().salt().unwrap(), salt);
    }
}
