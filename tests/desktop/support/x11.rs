//! Windows as the X server sees them: which are there, and the close button of the frame that a window manager would
//! draw.

use x11rb::{
    connection::Connection,
    protocol::xproto::{AtomEnum, ClientMessageEvent, ConnectionExt, EventMask, ImageFormat, MapState, Window},
    rust_connection::RustConnection,
};

/// A view of one display.
pub struct Screen {
    connection: RustConnection,
    root: Window,
}

impl Screen {
    pub fn of(display: &str) -> Screen {
        let (connection, screen) = x11rb::connect(Some(display)).expect("the X server");
        let root = connection.setup().roots[screen].root;
        Screen { connection, root }
    }

    /// The visible window with this title.
    pub fn visible(&self, title: &str) -> Option<Window> {
        let tree = self.connection.query_tree(self.root).ok()?.reply().ok()?;
        tree.children
            .into_iter()
            .find(|window| self.is_visible(*window) && self.title(*window).as_deref() == Some(title))
    }

    /// Presses the close button.
    pub fn close(&self, window: Window) {
        let data = [self.atom("WM_DELETE_WINDOW"), x11rb::CURRENT_TIME, 0, 0, 0];
        let message = ClientMessageEvent::new(32, window, self.atom("WM_PROTOCOLS"), data);
        self.connection.send_event(false, window, EventMask::NO_EVENT, message).expect("the X server");
        self.connection.flush().expect("the X server");
    }

    /// What the screen shows of a window, from its own left upper corner on: x, y, width and height in pixels.
    pub fn pixels(&self, window: Window, [x, y, width, height]: [i16; 4]) -> Vec<u8> {
        let size = |side: i16| u16::try_from(side).expect("a size");
        let at = self.connection.translate_coordinates(window, self.root, x, y).expect("the X server").reply();
        let at = at.expect("the window is there");
        let image = ImageFormat::Z_PIXMAP;
        let image = self.connection.get_image(image, self.root, at.dst_x, at.dst_y, size(width), size(height), !0);
        image.expect("the X server").reply().expect("a part of the screen").data
    }

    /// What the screen shows of a window, as PNG. WebKit's own picture of a page hangs where it has no layers.
    pub fn picture(&self, window: Window) -> Vec<u8> {
        let size = self.connection.get_geometry(window).expect("the X server").reply().expect("the window is there");
        let side = |side: u16| i16::try_from(side).expect("a size");
        let shown = self.pixels(window, [0, 0, side(size.width), side(size.height)]);
        // The server has blue first, and a byte more for each.
        let colours: Vec<u8> = shown.chunks_exact(4).flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]).collect();
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, size.width.into(), size.height.into());
        encoder.set_color(png::ColorType::Rgb);
        let mut writer = encoder.write_header().expect("a picture");
        writer.write_image_data(&colours).expect("a picture");
        writer.finish().expect("a picture");
        file
    }

    fn is_visible(&self, window: Window) -> bool {
        let attributes = self.connection.get_window_attributes(window).ok().and_then(|cookie| cookie.reply().ok());
        attributes.is_some_and(|a| a.map_state == MapState::VIEWABLE)
    }

    fn title(&self, window: Window) -> Option<String> {
        self.property(window, AtomEnum::WM_NAME.into())
    }

    /// A property of the window that is text.
    pub fn text(&self, window: Window, name: &str) -> Option<String> {
        self.property(window, self.atom(name))
    }

    fn property(&self, window: Window, name: u32) -> Option<String> {
        let property = self.connection.get_property(false, window, name, AtomEnum::ANY, 0, 256);
        let value = property.ok()?.reply().ok()?.value;
        (!value.is_empty()).then(|| String::from_utf8_lossy(&value).into_owned())
    }

    fn atom(&self, name: &str) -> u32 {
        self.connection.intern_atom(false, name.as_bytes()).expect("the X server").reply().expect("an atom").atom
    }
}
