//! The folder of model files: what lies in it, taking a file in, taking one out.
//!
//! Beside each file lies a small note (`….gguf.json`) with its hash and what its header says, so that a list does not
//! read gigabytes; it holds as long as size and time of the file are those it was made for. A file that somebody put
//! into the folder by hand is listed at once, and hashed when there is time.

mod note;
mod take;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use afterwatch_model_protocol::gguf;

pub use note::Facts;
use note::Note;

use crate::{
    disk,
    problem::{Problem, quoted},
};

/// The folder of model files.
#[derive(Clone, Debug)]
pub struct Library {
    folder: PathBuf,
}

/// A model file in the folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Installed {
    /// The file's name without `.gguf`.
    pub id: String,
    pub path: PathBuf,
    pub size_bytes: u64,
    /// In small hexadecimal letters; `None` until it was read whole.
    pub sha256: Option<String>,
    /// What its header says, or why it cannot be used.
    pub facts: Result<Facts, String>,
}

/// Bytes done, of all.
pub type Told<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

impl Library {
    /// The library in a folder, which is made when something is put into it.
    pub fn new(folder: impl Into<PathBuf>) -> Library {
        Library { folder: folder.into() }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a worker keeps what it has read of the fixed beginnings of prompts.
    pub fn read_folder(&self) -> PathBuf {
        self.folder.join("read")
    }

    /// What is there, by name. Reads headers it has not seen, and hashes nothing.
    ///
    /// # Errors
    /// When the folder cannot be read; one that does not exist is empty.
    pub fn list(&self) -> Result<Vec<Installed>, Problem> {
        let failed = |e: std::io::Error| disk::trouble("The models could not be listed", &self.folder, &e);
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(failed(e)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            if let Some(id) = id_of(&path) {
                found.extend(self.look(&id, &path));
            }
        }
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(found)
    }

    /// One of them.
    ///
    /// # Errors
    /// When there is none of that id, or the folder cannot be read.
    pub fn get(&self, id: &str) -> Result<Installed, Problem> {
        let mut all = self.list()?;
        match all.iter().position(|m| m.id == id) {
            Some(at) => Ok(all.swap_remove(at)),
            None => Err(Problem::new(format!(
                "There is no model {} in {}. `kubectl afterwatch models list` names those that are there.",
                quoted(id),
                self.folder.display()
            ))),
        }
    }

    /// A file as it is now; none when it vanished or is no file.
    fn look(&self, id: &str, path: &Path) -> Option<Installed> {
        let about = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        let kept = Note::read(path).filter(|note| note.holds(&about));
        let facts = match kept.as_ref().and_then(|note| note.facts.clone()) {
            Some(facts) => Ok(facts),
            None => judge(path).map_err(|p| p.message),
        };
        let sha256 = kept.as_ref().and_then(|note| note.sha256.clone());
        if kept.is_none() {
            // That the note cannot be kept costs time and nothing else.
            let _ = Note::of(&about, None, facts.clone().ok()).write(path);
        }
        Some(Installed { id: id.to_owned(), path: path.to_owned(), size_bytes: about.len(), sha256, facts })
    }

    /// Takes a file in: judged, hashed, and copied, or linked where it lies on the same disk. Dropping the future ends
    /// it and leaves nothing behind. A file that is here already is only named.
    ///
    /// # Errors
    /// When it is no model file that can be used, or there is no room.
    pub async fn take(
        &self,
        file: PathBuf,
        told: impl Fn(u64, u64) + Send + Sync + 'static,
    ) -> Result<Installed, Problem> {
        let library = self.clone();
        off_thread(move |ended| library.take_in(&file, ended, &told)).await
    }

    /// Puts a file in that lies in this folder under another name and whose hash was checked just now. It goes there
    /// or, when it is no model, away.
    ///
    /// # Errors
    /// When its header is not that of a model, or it could not be renamed.
    pub async fn adopt(&self, whole: PathBuf, name: String, sha256: String) -> Result<Installed, Problem> {
        let library = self.clone();
        off_thread(move |_| library.adopt_in(&whole, &name, &sha256)).await
    }

    /// Hashes a file that was put here by hand, or changed since.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn hash(
        &self,
        id: String,
        told: impl Fn(u64, u64) + Send + Sync + 'static,
    ) -> Result<Installed, Problem> {
        let library = self.clone();
        off_thread(move |ended| library.hash_in(&id, ended, &told)).await
    }

    /// Takes a model out, with everything that was kept about it.
    ///
    /// # Errors
    /// When there is none of that id, or it could not be deleted.
    pub fn remove(&self, id: &str) -> Result<Installed, Problem> {
        let gone = self.get(id)?;
        fs::remove_file(&gone.path).map_err(|e| disk::trouble("The model could not be removed", &gone.path, &e))?;
        let _ = fs::remove_file(note::place(&gone.path));
        // Whose beginnings of prompts lie there is not told by their names; those of other models are read anew.
        let _ = fs::remove_dir_all(self.read_folder());
        Ok(gone)
    }
}

/// Reads the header and judges it.
pub(crate) fn judge(path: &Path) -> Result<Facts, Problem> {
    gguf::read(path).map(Facts::from).map_err(|unfit| Problem::new(unfit.to_string()))
}

/// `qwen` of `…/qwen.gguf`; none for files that are still being made and all others.
fn id_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let stem = name.strip_suffix(".gguf").or_else(|| name.strip_suffix(".GGUF"))?;
    (!stem.is_empty() && !name.starts_with('.')).then(|| stem.to_owned())
}

/// Runs what reads gigabytes where it keeps nobody waiting, and ends it when nobody waits for it any more.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce(&AtomicBool) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    struct Ends(Arc<AtomicBool>);
    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let ends = Ends(Arc::default());
    let ended = ends.0.clone();
    let done = tokio::task::spawn_blocking(move || work(&ended)).await;
    done.unwrap_or_else(|e| Err(Problem::new(format!("Afterwatch made a mistake: {e}. Please report it."))))
}
