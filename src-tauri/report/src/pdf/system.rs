//! Fonts of the computer, for scripts that the embedded faces do not have. The only place of this crate that reads
//! files: it looks into the folders the caller names, and only when a page has a letter that needs it.
//!
//! Of each file the table is read that says which letters it has; a file is read whole only when it is chosen. The
//! same folders with the same files always give the same choice.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use ttf_parser::cmap;

/// Files that are looked into.
const FILES: usize = 4000;
/// Folders inside folders.
const DEEP: usize = 6;
/// Bytes of a table of letters, and of a whole font.
const TABLE: usize = 4 << 20;
const WHOLE: u64 = 80 << 20;

/// A face to be used.
pub(super) struct FontFile {
    pub data: Vec<u8>,
    pub index: u32,
    /// Which of the wanted letters it has.
    pub has: BTreeSet<char>,
}

/// Where the systems keep fonts: those of every user, and those in this home folder.
pub fn usual_font_folders(home: Option<&Path>) -> Vec<PathBuf> {
    let everywhere: &[&str] = if cfg!(target_os = "macos") {
        &["/System/Library/Fonts", "/Library/Fonts"]
    } else if cfg!(windows) {
        &["C:\\Windows\\Fonts"]
    } else {
        &["/usr/share/fonts", "/usr/local/share/fonts"]
    };
    let own: &[&str] = if cfg!(target_os = "macos") {
        &["Library/Fonts"]
    } else if cfg!(windows) {
        &["AppData/Local/Microsoft/Windows/Fonts"]
    } else {
        &[".local/share/fonts", ".fonts"]
    };
    let home = home.into_iter().flat_map(|home| own.iter().map(|folder| home.join(folder)));
    everywhere.iter().map(PathBuf::from).chain(home).collect()
}

/// The fewest faces that have as many of these letters as can be had. What cannot be read is passed over.
pub(super) fn faces_for(mut wanted: BTreeSet<char>, folders: &[PathBuf]) -> Vec<FontFile> {
    let mut candidates: Vec<(PathBuf, u32, BTreeSet<char>)> = Vec::new();
    for path in font_files(folders) {
        for (index, has) in letters(&path, &wanted).unwrap_or_default() {
            if !has.is_empty() {
                candidates.push((path.clone(), index, has));
            }
        }
    }
    let mut out = Vec::new();
    while !wanted.is_empty() {
        let best = candidates
            .iter()
            .map(|(path, index, has)| (has.intersection(&wanted).count(), path, index, has))
            .filter(|(count, ..)| *count > 0)
            .max_by_key(|(count, path, index, _)| {
                (*count, plainness(path), std::cmp::Reverse(*index), std::cmp::Reverse((*path).clone()))
            });
        let Some((_, path, index, has)) = best else { break };
        let (path, index, has) = (path.clone(), *index, has.clone());
        candidates.retain(|(p, i, _)| *p != path || *i != index);
        if let Some(data) = whole(&path) {
            wanted.retain(|c| !has.contains(c));
            out.push(FontFile { data, index, has });
        }
    }
    out
}

/// An upright face of ordinary weight and form is preferred, as far as a file's name tells.
fn plainness(path: &Path) -> u8 {
    let name = path.file_stem().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    let odd = ["bold", "italic", "oblique", "light", "thin", "black", "condensed", "serif", "mono", "medium", "looped"];
    let plain = !odd.iter().any(|word| name.contains(word));
    u8::from(plain) * (1 + u8::from(name.contains("sans")) + u8::from(name.contains("regular")))
}

fn font_files(folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut open: Vec<(PathBuf, usize)> = folders.iter().map(|f| (f.clone(), 0)).collect();
    while let Some((folder, depth)) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            // A link to a folder is not followed: it could lead round in a circle.
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && depth < DEEP => open.push((path, depth + 1)),
                Ok(kind) if kind.is_dir() => {}
                _ => {
                    let end = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
                    if matches!(end.as_str(), "ttf" | "otf" | "ttc" | "otc") {
                        out.push(path);
                    }
                }
            }
        }
    }
    out.sort();
    out.dedup();
    out.truncate(FILES);
    out
}

/// Which of the wanted letters the faces of a file have.
fn letters(path: &Path, wanted: &BTreeSet<char>) -> std::io::Result<Vec<(u32, BTreeSet<char>)>> {
    let mut file = File::open(path)?;
    let mut out = Vec::new();
    for (index, at) in (0..).zip(faces(&mut file)?) {
        let Some(table) = table(&mut file, at)? else { continue };
        let Some(table) = cmap::Table::parse(&table) else { continue };
        let has = |c: &char| {
            let unicode = table.subtables.into_iter().filter(cmap::Subtable::is_unicode);
            unicode.into_iter().any(|sub| sub.glyph_index(u32::from(*c)).is_some_and(|g| g.0 != 0))
        };
        out.push((index, wanted.iter().filter(|c| has(c)).copied().collect()));
    }
    Ok(out)
}

/// Where the faces of a file begin; a collection has several.
fn faces(file: &mut File) -> std::io::Result<Vec<u64>> {
    let mut head = [0; 12];
    file.read_exact(&mut head)?;
    if &head[..4] != b"ttcf" {
        return Ok(vec![0]);
    }
    let count = number(&head[8..12]).min(16);
    let mut offsets = vec![0; count * 4];
    file.read_exact(&mut offsets)?;
    Ok(offsets.chunks(4).map(|o| number(o) as u64).collect())
}

/// The table `cmap` of the face that begins there.
fn table(file: &mut File, at: u64) -> std::io::Result<Option<Vec<u8>>> {
    file.seek(SeekFrom::Start(at))?;
    let mut head = [0; 12];
    file.read_exact(&mut head)?;
    let mut records = vec![0; number(&head[4..6]).min(200) * 16];
    file.read_exact(&mut records)?;
    let Some(record) = records.chunks(16).find(|r| &r[..4] == b"cmap") else { return Ok(None) };
    let (start, long) = (number(&record[8..12]), number(&record[12..16]));
    if long > TABLE {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(start as u64))?;
    let mut table = vec![0; long];
    file.read_exact(&mut table)?;
    Ok(Some(table))
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |n, b| n << 8 | usize::from(*b))
}

fn whole(path: &Path) -> Option<Vec<u8>> {
    let file = File::open(path).ok()?;
    if file.metadata().ok()?.len() > WHOLE {
        return None;
    }
    let mut data = Vec::new();
    file.take(WHOLE).read_to_end(&mut data).ok()?;
    Some(data)
}
