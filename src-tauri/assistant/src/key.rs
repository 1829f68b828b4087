//! The key of an inference server, in the system's keychain: the macOS keychain, Windows' credential manager, or on
//! Linux whatever answers as the Secret Service (GNOME Keyring, KWallet, KeePassXC).
//!
//! A key is never written into the history, a log or a message. Where no keychain answers it is kept in memory, until
//! the program ends, and the user is told so.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use keyring_core::{Error, api::CredentialStore};

use crate::problem::{Problem, quoted};

/// What a keychain lists the keys under.
const SERVICE: &str = "Afterwatch inference server";
/// A keychain may ask its user for a password first.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where a key was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    Keychain,
    /// In memory only; the sentence says why, for the person who typed it.
    UntilEnd(String),
}

type Store = Arc<CredentialStore>;

/// The keys, by the address they are for.
#[derive(Clone)]
pub struct Keys {
    open: Arc<dyn Fn() -> keyring_core::Result<Store> + Send + Sync>,
    memory: Arc<Mutex<HashMap<String, String>>>,
}

/// Never with a key in it.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    /// The keys in this system's keychain. Nothing is asked of it yet.
    pub fn system() -> Keys {
        Keys::over(system_store)
    }

    /// The keys in another store.
    pub fn over(open: impl Fn() -> keyring_core::Result<Store> + Send + Sync + 'static) -> Keys {
        Keys { open: Arc::new(open), memory: Arc::default() }
    }

    /// Keeps a key for an address. An empty one removes it.
    ///
    /// # Errors
    /// When a keychain answers and refuses.
    pub async fn set(&self, url: &str, key: String) -> Result<Kept, Problem> {
        let key = key.trim().to_owned();
        if key.is_empty() {
            self.remove(url).await?;
            return Ok(Kept::Keychain);
        }
        let given = key.clone();
        let done = self.ask(url, move |entry| entry.set_password(&given)).await;
        let mut memory = self.memory();
        match done {
            Ok(()) => {
                memory.remove(url);
                Ok(Kept::Keychain)
            }
            // Whatever the reason, somebody typed a key and wants to go on.
            Err(error) => {
                memory.insert(url.to_owned(), key);
                Ok(Kept::UntilEnd(format!(
                    "No keychain answers on this desktop: {}. The key is kept only until Afterwatch ends.",
                    reason(&error)
                )))
            }
        }
    }

    /// The key for an address; none when none was kept, or no keychain answers.
    pub async fn get(&self, url: &str) -> Option<String> {
        if let Some(key) = self.memory().get(url) {
            return Some(key.clone());
        }
        self.ask(url, |entry| entry.get_password()).await.ok()
    }

    /// True when a key is kept in memory, because no keychain answered.
    pub fn remembers(&self, url: &str) -> bool {
        self.memory().contains_key(url)
    }

    /// Forgets the key of an address.
    ///
    /// # Errors
    /// When a keychain holds it and does not let it go.
    pub async fn remove(&self, url: &str) -> Result<(), Problem> {
        self.memory().remove(url);
        match self.ask(url, |entry| entry.delete_credential()).await {
            Ok(()) | Err(Error::NoEntry | Error::NoDefaultStore) => Ok(()),
            Err(Error::NoStorageAccess(why)) => Err(Problem::new(format!(
                "The keychain is locked: {}. Unlock it and remove the key again.",
                quoted(&why.to_string())
            ))),
            // Where no keychain answers, there is nothing in it.
            Err(_) => Ok(()),
        }
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the keychain on a thread of its own: it may wait for a person, and speaks to its bus by itself.
    async fn ask<T: Send + 'static>(
        &self,
        url: &str,
        what: impl FnOnce(&keyring_core::Entry) -> keyring_core::Result<T> + Send + 'static,
    ) -> keyring_core::Result<T> {
        let (open, url) = (self.open.clone(), url.to_owned());
        let (tell, told) = tokio::sync::oneshot::channel();
        let asked = move || {
            let entry = open()?.build(SERVICE, &url, None)?;
            what(&entry)
        };
        // Not one of the runtime's: a keychain that never answers must not keep the program from ending.
        let spawned = std::thread::Builder::new().name("keychain".to_owned()).spawn(move || drop(tell.send(asked())));
        spawned.map_err(|e| Error::PlatformFailure(e.into()))?;
        match tokio::time::timeout(PATIENCE, told).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(Error::PlatformFailure("it ended without an answer".into())),
            Err(_) => Err(Error::PlatformFailure("it did not answer in time".into())),
        }
    }
}

/// Why, in one clause. Some errors carry what was stored; those say only their kind.
fn reason(error: &Error) -> String {
    match error {
        Error::PlatformFailure(why) | Error::NoStorageAccess(why) => quoted(why.to_string().trim_end_matches('.')),
        Error::NoDefaultStore => "this system has none that is known".to_owned(),
        Error::TooLong(..) => "the key is too long for it".to_owned(),
        _ => "it refused the key".to_owned(),
    }
}

#[cfg(all(unix, not(target_os = "macos")))]
fn system_store() -> keyring_core::Result<Store> {
    Ok(zbus_secret_service_keyring_store::Store::new()?)
}

#[cfg(target_os = "macos")]
fn system_store() -> keyring_core::Result<Store> {
    Ok(apple_native_keyring_store::keychain::Store::new()?)
}

#[cfg(windows)]
fn system_store() -> keyring_core::Result<Store> {
    Ok(windows_native_keyring_store::Store::new()?)
}

#[cfg(not(any(unix, windows)))]
fn system_store() -> keyring_core::Result<Store> {
    Err(Error::NoDefaultStore)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://gpu.example.com/v1";

    /// A keychain in memory, shared by all who open it.
    fn chain() -> Store {
        keyring_core::mock::Store::new().unwrap()
    }

    #[tokio::test]
    async fn a_key_is_kept_in_the_keychain_found_by_its_address_and_removed() {
        let chain = chain();
        let again = chain.clone();
        let keys = Keys::over(move || Ok(chain.clone()));
        assert_eq!(keys.set(URL, " sk-1 \n".to_owned()).await.unwrap(), Kept::Keychain);
        // Another program's view of the same keychain.
        let other = Keys::over(move || Ok(again.clone()));
        assert_eq!(other.get(URL).await.as_deref(), Some("sk-1"));
        assert_eq!(other.get("https://other.example.com/v1").await, None);
        other.remove(URL).await.unwrap();
        assert_eq!(keys.get(URL).await, None);
        keys.remove(URL).await.unwrap();
    }

    #[tokio::test]
    async fn without_a_keychain_the_key_is_kept_in_memory_and_the_user_is_told() {
        let keys = Keys::over(|| Err(Error::PlatformFailure("org.freedesktop.secrets was not provided".into())));
        let Kept::UntilEnd(told) = keys.set(URL, "sk-2".to_owned()).await.unwrap() else { panic!("kept nowhere") };
        assert!(told.starts_with("No keychain answers on this desktop: org.freedesktop.secrets"), "{told}");
        assert!(!told.contains("sk-2") && !format!("{keys:?}").contains("sk-2"));
        assert_eq!(keys.get(URL).await.as_deref(), Some("sk-2"));
        keys.set(URL, String::new()).await.unwrap();
        assert_eq!(keys.get(URL).await, None);
    }

    #[test]
    fn what_a_keychain_says_of_a_stored_key_is_not_repeated() {
        let told = reason(&Error::BadEncoding(b"sk-3".to_vec()));
        assert!(!told.contains("sk-3") && !told.contains("115"), "{told}");
    }

    /// Here too, whatever desktop this runs on: an answer or a sentence, never a hang or a crash.
    #[tokio::test]
    async fn this_systems_own_keychain_answers_or_is_said_to_be_missing() {
        let opened = tokio::task::spawn_blocking(system_store).await.unwrap();
        if let Err(error) = opened {
            assert!(!reason(&error).is_empty());
        }
    }
}
