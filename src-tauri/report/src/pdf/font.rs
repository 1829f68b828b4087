//! The faces a page is set in: those embedded in the program, and others for what they do not cover.

use std::sync::LazyLock;

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

/// The faces of one page.
pub(super) struct Faces {
    pub book: LazyHash<FontBook>,
    fonts: Vec<Font>,
}

impl Faces {
    /// The embedded ones, then these.
    pub fn with(files: Vec<FontFile>) -> Faces {
        let mut fonts = OWN.clone();
        for file in files {
            fonts.extend(Font::new(Bytes::new(file.data), file.index));
        }
        Faces { book: LazyHash::new(FontBook::from_fonts(&fonts)), fonts }
    }

    pub fn get(&self, index: usize) -> Option<Font> {
        self.fonts.get(index).cloned()
    }

    /// Whether some face has a glyph for it, or it needs none.
    pub fn covers(&self, c: char) -> bool {
        needs_no_glyph(c) || self.fonts.iter().any(|f| f.info().coverage.contains(u32::from(c)))
    }
}

/// Whether the embedded faces have it.
pub(super) fn own_covers(c: char) -> bool {
    needs_no_glyph(c) || OWN.iter().any(|f| f.info().coverage.contains(u32::from(c)))
}

/// Line ends, joiners and selectors: they shape their neighbours and are not drawn.
fn needs_no_glyph(c: char) -> bool {
    matches!(c, '\n' | '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}
