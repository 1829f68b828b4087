//! Takes a file in: looked at first, read once, put there whole or not at all.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use sha2::{Digest, Sha256};

use super::{Facts, Installed, Library, Told, id_of, judge, note::Note};
use crate::{
    disk, hex,
    problem::{Problem, quoted},
};

/// What the name of a model's file ends in.
const ENDING: &str = ".gguf";
/// Read and written at once.
const CHUNK: usize = 1 << 20;

impl Library {
    pub(super) fn take_in(&self, file: &Path, ended: &AtomicBool, told: Told<'_>) -> Result<Installed, Problem> {
        let cannot = |e: std::io::Error| disk::trouble("The file could not be imported", file, &e);
        let source = file.canonicalize().map_err(cannot)?;
        let about = fs::metadata(&source).map_err(cannot)?;
        let name = name_of(file, about.is_file())?;
        let facts = judge(&source)?;
        fs::create_dir_all(&self.folder)
            .map_err(|e| disk::trouble("The folder of models could not be made", &self.folder, &e))?;
        // Who imports a file that lies here already wants it to be known, not to have it twice.
        let home = self.folder.canonicalize().map_err(cannot)?;
        if source.parent() == Some(home.as_path())
            && let Some(id) = id_of(&source)
        {
            return self.hash_in(&id, ended, told);
        }
        let fresh = Fresh(self.folder.join(format!(".{name}.{}.new", std::process::id())));
        let _ = fs::remove_file(&fresh.0);
        let hash = if fs::hard_link(&source, &fresh.0).is_ok() {
            read_whole(&fresh.0, about.len(), None, ended, told)?
        } else {
            disk::room_for(about.len(), &self.folder)?;
            let mut copy = File::create_new(&fresh.0)
                .map_err(|e| disk::trouble("The file could not be imported", &fresh.0, &e))?;
            let hash = read_whole(&source, about.len(), Some(&mut copy), ended, told)?;
            copy.sync_all().map_err(|e| disk::trouble("The file could not be imported", &fresh.0, &e))?;
            hash
        };
        // What was put here is what will be loaded: it is judged itself, and not only the file it was read from.
        if judge(&fresh.0)? != facts {
            return Err(changed(file));
        }
        if let Some(here) = self.list()?.into_iter().find(|m| m.sha256.as_deref() == Some(&hash)) {
            return Ok(here);
        }
        let target = self.free_name(&name);
        fs::rename(&fresh.0, &target).map_err(|e| disk::trouble("The file could not be imported", &target, &e))?;
        self.remember(&target, hash, facts)
    }

    pub(super) fn adopt_in(&self, whole: &Path, name: &str, sha256: &str) -> Result<Installed, Problem> {
        let facts = judge(whole).inspect_err(|_| drop(fs::remove_file(whole)))?;
        // One of the same name may be another file, or an older state of this one.
        let target = match self.list()?.into_iter().find(|m| m.sha256.as_deref() == Some(sha256)) {
            Some(here) => here.path,
            None => self.free_name(name),
        };
        fs::rename(whole, &target).map_err(|e| disk::trouble("The download could not be kept", &target, &e))?;
        self.remember(&target, sha256.to_owned(), facts)
    }

    pub(super) fn hash_in(&self, id: &str, ended: &AtomicBool, told: Told<'_>) -> Result<Installed, Problem> {
        let model = self.get(id)?;
        let facts = model.facts.map_err(Problem::new)?;
        let hash = match model.sha256 {
            Some(hash) => hash,
            None => read_whole(&model.path, model.size_bytes, None, ended, told)?,
        };
        self.remember(&model.path, hash, facts)
    }

    /// Keeps what is known of a file.
    fn remember(&self, path: &Path, hash: String, facts: Facts) -> Result<Installed, Problem> {
        let about = fs::metadata(path).map_err(|e| disk::trouble("The model could not be read", path, &e))?;
        let id = id_of(path).ok_or_else(|| Problem::new("A model's file ends in .gguf."))?;
        // That the note cannot be kept costs time later, and nothing else.
        let _ = Note::of(&about, Some(hash.clone()), Some(facts.clone())).write(path);
        Ok(Installed { id, path: path.to_owned(), size_bytes: about.len(), sha256: Some(hash), facts: Ok(facts) })
    }

    /// A place in the folder that nothing stands at: `qwen.gguf`, else `qwen-2.gguf`.
    fn free_name(&self, name: &str) -> PathBuf {
        let stem = name.strip_suffix(".gguf").unwrap_or(name);
        let numbered = (2..).map(|n| self.folder.join(format!("{stem}-{n}.gguf")));
        std::iter::once(self.folder.join(format!("{stem}.gguf")))
            .chain(numbered)
            .find(|p| !p.exists())
            .unwrap_or_default()
    }
}

/// The name a file gets here: its own, without what some disk or shell could misunderstand.
fn name_of(file: &Path, is_file: bool) -> Result<String, Problem> {
    let whole = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let shown = quoted(&whole);
    if !is_file {
        return Err(Problem::new(format!("{shown} is not a file. Choose the .gguf file itself.")));
    }
    // Small letters may take another number of bytes, so the ending is found in the name itself.
    let ending = whole.len().checked_sub(ENDING.len()).and_then(|at| whole.split_at_checked(at));
    let Some((stem, _)) = ending.filter(|(_, end)| end.eq_ignore_ascii_case(ENDING)) else {
        return Err(Problem::new(format!(
            "Not a .gguf file: {shown}. The model runs in llama.cpp, whose files end in .gguf; most models can be had in that form."
        )));
    };
    let safe: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).take(120).collect();
    let safe = safe.trim_matches(|c| matches!(c, '.' | '-'));
    Ok(format!("{}.gguf", if safe.is_empty() { "model" } else { safe }))
}

/// Hashes a file, and copies it where a copy is wanted.
fn read_whole(
    path: &Path,
    expected: u64,
    mut copy: Option<&mut File>,
    ended: &AtomicBool,
    told: Told<'_>,
) -> Result<String, Problem> {
    let failed = |e: std::io::Error| disk::trouble("The file could not be read", path, &e);
    let mut file = File::open(path).map_err(failed)?;
    let (mut hash, mut chunk, mut done) = (Sha256::new(), vec![0; CHUNK], 0);
    loop {
        if ended.load(Ordering::Relaxed) {
            return Err(Problem::new("Cancelled."));
        }
        let n = match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(failed(e)),
        };
        if let Some(copy) = copy.as_deref_mut() {
            copy.write_all(&chunk[..n]).map_err(|e| disk::trouble("The file could not be copied", path, &e))?;
        }
        hash.update(&chunk[..n]);
        done += n as u64;
        told(done, expected.max(done));
    }
    if done != expected {
        return Err(changed(path));
    }
    Ok(hex(&hash.finalize()))
}

fn changed(file: &Path) -> Problem {
    Problem::new(format!("{} changed while it was read. Import it again when it is finished.", file.display()))
}

/// A file that is not whole yet; it goes with whoever made it, unless it was renamed.
struct Fresh(PathBuf);

impl Drop for Fresh {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_is_kept_as_far_as_every_disk_takes_it() {
        let name = |text: &str| name_of(Path::new(text), true).unwrap();
        assert_eq!(name("/x/Qwen3-4B.Q4_K_M.gguf"), "Qwen3-4B.Q4_K_M.gguf");
        assert_eq!(name("my model (1).GGUF"), "my-model--1.gguf");
        assert_eq!(name("...gguf"), "model.gguf");
        assert_eq!(name("モデル.gguf"), "model.gguf");
        // The small form of the first letter is a byte shorter than the letter.
        assert_eq!(name("ẞ日本.gguf"), "model.gguf");
        assert_eq!(name(&format!("{}.gguf", "x".repeat(250))), format!("{}.gguf", "x".repeat(120)));
    }

    #[test]
    fn what_is_no_gguf_file_is_named_in_the_refusal() {
        let told = name_of(Path::new("/x/model.safetensors"), true).unwrap_err().message;
        assert!(told.starts_with("Not a .gguf file: model.safetensors."), "{told}");
        assert!(name_of(Path::new("/x"), false).unwrap_err().message.contains("is not a file"));
    }
}
