//! All that the typesetter can see: the template, the data, the figure and the faces. Whatever else it asks for is
//! denied, so that no text can make it read a file, load a package or tell the time.

use std::sync::LazyLock;

use typst::{
    Library, LibraryExt, World,
    diag::{FileError, FileResult},
    foundations::{Bytes, Datetime, Duration},
    syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot},
    text::{Font, FontBook},
    utils::LazyHash,
};

use super::font::Faces;

const TEMPLATE: &str = include_str!("page.typ");

static LIBRARY: LazyLock<LazyHash<Library>> = LazyLock::new(|| LazyHash::new(Library::default()));

/// The same three names for every page: the typesetter never forgets a name.
static IDS: LazyLock<[FileId; 3]> = LazyLock::new(|| ["/page.typ", "/data.json", "/figure.svg"].map(id));

fn id(path: &str) -> FileId {
    let path = VirtualPath::new(path).unwrap_or_else(|_| unreachable!("{path} is a plain name"));
    RootedPath::new(VirtualRoot::Project, path).intern()
}

pub(super) struct Room<'a> {
    faces: &'a Faces,
    main: Source,
    data: Bytes,
    figure: Bytes,
}

impl<'a> Room<'a> {
    pub fn new(faces: &'a Faces, data: Vec<u8>, figure: String) -> Room<'a> {
        let main = Source::new(IDS[0], TEMPLATE.to_owned());
        Room { faces, main, data: Bytes::new(data), figure: Bytes::from_string(figure) }
    }
}

impl World for Room<'_> {
    fn library(&self) -> &LazyHash<Library> {
        &LIBRARY
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &self.faces.book
    }

    fn main(&self) -> FileId {
        IDS[0]
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        if id == IDS[0] { Ok(self.main.clone()) } else { Err(FileError::AccessDenied) }
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        match IDS.iter().position(|known| *known == id) {
            Some(1) => Ok(self.data.clone()),
            Some(2) => Ok(self.figure.clone()),
            _ => Err(FileError::AccessDenied),
        }
    }

    fn font(&self, index: usize) -> Option<Font> {
        self.faces.get(index)
    }

    fn today(&self, _offset: Option<Duration>) -> Option<Datetime> {
        None
    }
}
