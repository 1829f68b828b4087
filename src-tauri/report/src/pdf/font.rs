//! The faces a page is set in: those embedded in the program, and others for what they do not cover.

use std::{collections::BTreeSet, sync::LazyLock};

use ttf_parser::Face;
use typst::{
    foundations::Bytes,
    text::{Font, FontBook},
    utils::LazyHash,
};

use super::system::FontFile;

/// In the order in which a letter is looked for.
const EMBEDDED: [&[u8]; 6] = [
    include_bytes!("../../fonts/NotoSerif-Regular.ttf"),
    include_bytes!("../../fonts/NotoSerif-Bold.ttf"),
    include_bytes!("../../fonts/NotoSerif-Italic.ttf"),
    include_bytes!("../../fonts/NotoSans-Regular.ttf"),
    include_bytes!("../../fonts/NotoSans-Bold.ttf"),
    include_bytes!("../../fonts/DejaVuSansMono.ttf"),
];

static OWN: LazyLock<Vec<Font>> =
    LazyLock::new(|| EMBEDDED.iter().flat_map(|data| Font::iter(Bytes::new(*data))).collect());

/// The same, to ask them for single letters.
static READ: LazyLock<Vec<Face<'static>>> =
    LazyLock::new(|| EMBEDDED.iter().filter_map(|data| Face::parse(data, 0).ok()).collect());

/// The faces of one page.
pub(super) struct Faces {
    pub book: LazyHash<FontBook>,
    fonts: Vec<Font>,
    /// What those that are not embedded are there for.
    more: BTreeSet<char>,
}

impl Faces {
    /// The embedded ones, then these.
    pub fn with(files: Vec<FontFile>) -> Faces {
        let mut fonts = OWN.clone();
        let mut more = BTreeSet::new();
        for file in files {
            if let Some(font) = Font::new(Bytes::new(file.data), file.index) {
                fonts.push(font);
                more.extend(file.has);
            }
        }
        Faces { book: LazyHash::new(FontBook::from_fonts(&fonts)), fonts, more }
    }

    pub fn get(&self, index: usize) -> Option<Font> {
        self.fonts.get(index).cloned()
    }

    /// Whether some face has a glyph for it, or it needs none.
    pub fn covers(&self, c: char) -> bool {
        self.more.contains(&c) || own_covers(c)
    }
}

/// Whether the embedded faces have it. A face may list a letter and have no glyph for it all the same, so it is the
/// glyph that counts.
pub(super) fn own_covers(c: char) -> bool {
    needs_no_glyph(c) || READ.iter().any(|face| face.glyph_index(c).is_some_and(|glyph| glyph.0 != 0))
}

/// Line ends, joiners and selectors: they shape their neighbours and are not drawn.
fn needs_no_glyph(c: char) -> bool {
    matches!(c, '\n' | '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}
