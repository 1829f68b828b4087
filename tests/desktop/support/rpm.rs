//! Enough of the rpm format to see what a package holds where no rpm is installed: the tags of its header
//! (<https://rpm-software-management.github.io/rpm/manual/format_v4.html>).

use std::collections::BTreeSet;

/// What a package says of itself.
#[derive(Debug)]
pub struct Rpm {
    pub name: String,
    pub version: String,
    pub licence: String,
    pub files: BTreeSet<String>,
    pub requires: Vec<String>,
}

/// Tags of the format.
const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const LICENCE: u32 = 1014;
const REQUIRES: u32 = 1049;
const FOLDER_OF: u32 = 1116;
const FILES: u32 = 1117;
const FOLDERS: u32 = 1118;

/// The fixed part in front, whose contents mean nothing any more.
const LEAD: usize = 96;

pub fn read(path: &str) -> Rpm {
    let bytes = std::fs::read(path).expect("the rpm");
    assert_eq!(bytes[..4], [0xed, 0xab, 0xee, 0xdb], "{path} is no rpm");
    let signature = Header::at(&bytes, LEAD);
    let header = Header::at(&bytes, signature.end.next_multiple_of(8));
    let folders = header.texts(FOLDERS);
    let files = header.texts(FILES).into_iter().zip(header.numbers(FOLDER_OF));
    let first = |tag| header.texts(tag).into_iter().next().unwrap_or_default();
    Rpm {
        name: first(NAME),
        version: first(VERSION),
        licence: first(LICENCE),
        files: files.map(|(name, folder)| format!("{}{name}", folders[folder as usize])).collect(),
        requires: header.texts(REQUIRES),
    }
}

/// An index of tags and the store their values lie in.
struct Header<'a> {
    index: &'a [u8],
    store: &'a [u8],
    end: usize,
}

impl<'a> Header<'a> {
    fn at(bytes: &'a [u8], start: usize) -> Header<'a> {
        assert_eq!(bytes[start..start + 3], [0x8e, 0xad, 0xe8], "no header where one belongs");
        let entries = start + 16;
        let store = entries + number(bytes, start + 8) as usize * 16;
        let end = store + number(bytes, start + 12) as usize;
        Header { index: &bytes[entries..store], store: &bytes[store..end], end }
    }

    /// Where the tag's values begin, and how many there are.
    fn find(&self, tag: u32) -> (usize, usize) {
        let entry = self.index.chunks_exact(16).find(|entry| number(entry, 0) == tag);
        entry.map_or((0, 0), |entry| (number(entry, 8) as usize, number(entry, 12) as usize))
    }

    fn texts(&self, tag: u32) -> Vec<String> {
        let (offset, count) = self.find(tag);
        self.store[offset..].split(|b| *b == 0).take(count).map(|t| String::from_utf8_lossy(t).into_owned()).collect()
    }

    fn numbers(&self, tag: u32) -> Vec<u32> {
        let (offset, count) = self.find(tag);
        (0..count).map(|n| number(self.store, offset + n * 4)).collect()
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}
