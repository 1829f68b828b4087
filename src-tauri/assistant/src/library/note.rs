//! What is remembered of a model file, in a small file beside it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use afterwatch_model_protocol::gguf::Header;
use serde::{Deserialize, Serialize};

use crate::machine;

/// What a model's header says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// In its own words; `None`: it names itself nothing.
    pub name: Option<String>,
    pub architecture: String,
    /// In the file's own words.
    pub licence: Option<String>,
    pub parameters: u64,
    /// How most of its weights are stored, for example `Q4_K`.
    pub weights: String,
    /// Tokens it was trained for.
    pub context: u32,
    /// Memory it needs with [`machine::CONTEXT`] tokens, in bytes, estimated.
    pub memory_bytes: u64,
}

impl From<Header> for Facts {
    fn from(header: Header) -> Facts {
        Facts {
            memory_bytes: header.memory_bytes(machine::CONTEXT.min(header.trained_context)),
            name: header.name,
            architecture: header.architecture,
            licence: header.licence,
            parameters: header.parameters,
            weights: header.weights,
            context: header.trained_context,
        }
    }
}

/// The form of the notes; another number is another form and is not read.
const FORM: u32 = 1;

#[derive(Serialize, Deserialize)]
pub(super) struct Note {
    form: u32,
    size_bytes: u64,
    /// Nanoseconds since 1970, as the disk has it.
    modified_ns: u64,
    pub sha256: Option<String>,
    /// `None`: the header was not that of a model that can be used.
    pub facts: Option<Facts>,
}

impl Note {
    pub(super) fn of(about: &fs::Metadata, sha256: Option<String>, facts: Option<Facts>) -> Note {
        Note { form: FORM, size_bytes: about.len(), modified_ns: modified(about), sha256, facts }
    }

    pub(super) fn read(model: &Path) -> Option<Note> {
        let place = place(model);
        // Ours are some hundred bytes; whatever is larger is none of ours.
        if fs::metadata(&place).ok()?.len() > 64 * 1024 {
            return None;
        }
        serde_json::from_slice::<Note>(&fs::read(place).ok()?).ok().filter(|note| note.form == FORM)
    }

    /// True while the file is the one it was made for.
    pub(super) fn holds(&self, about: &fs::Metadata) -> bool {
        self.size_bytes == about.len() && self.modified_ns == modified(about)
    }

    pub(super) fn write(&self, model: &Path) -> io::Result<()> {
        let (place, text) = (place(model), serde_json::to_vec(self).map_err(io::Error::other)?);
        let fresh = place.with_extension(format!("json.{}", std::process::id()));
        fs::write(&fresh, text)?;
        fs::rename(&fresh, &place).inspect_err(|_| drop(fs::remove_file(&fresh)))
    }
}

/// Where the note of a model lies.
pub(super) fn place(model: &Path) -> PathBuf {
    let mut name = model.file_name().unwrap_or_default().to_owned();
    name.push(".json");
    model.with_file_name(name)
}

fn modified(about: &fs::Metadata) -> u64 {
    let since = about.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
