//! How the page is drawn on Linux: by the graphics card where there is one, else by the processor alone.
//!
//! WebKit composes the page in layers with OpenGL. Without a card OpenGL itself is done by the processor, the whole
//! window anew for every frame, which takes several times as long as painting only what changed.

use std::{ffi::OsStr, path::Path};

/// Mesa's own switch: OpenGL by the processor, whatever is built in.
const SOFTWARE: &str = "LIBGL_ALWAYS_SOFTWARE";

/// WebKit's: no layers. It is read when the first page is made; a page that lives already does not survive the change.
const NO_LAYERS: &str = "WEBKIT_DISABLE_COMPOSITING_MODE";

/// Has pages painted without layers where no graphics card could compose them, unless the user said how. To be called
/// before anything else.
pub fn suit() {
    if std::env::var_os(NO_LAYERS).is_some() || has_card(Path::new("/dev"), std::env::var_os(SOFTWARE).as_deref()) {
        return;
    }
    // SAFETY: the process has one thread so far, so that nobody reads the environment meanwhile.
    #[allow(unsafe_code)]
    unsafe {
        std::env::set_var(NO_LAYERS, "1");
    }
}

/// Whether OpenGL is done by a graphics card: there is a device to render with, and nobody asked for software.
fn has_card(devices: &Path, software: Option<&OsStr>) -> bool {
    if software.is_some_and(|value| matches!(value.to_str(), Some("1" | "true" | "yes" | "y"))) {
        return false;
    }
    // NVIDIA's own driver may come without the kernel's common interface.
    let renders = |name: &str| name.starts_with("renderD");
    let names = std::fs::read_dir(devices.join("dri")).into_iter().flatten().flatten();
    devices.join("nvidia0").exists() || names.filter_map(|e| e.file_name().into_string().ok()).any(|n| renders(&n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_one_that_renders_and_may_be_used() {
        let devices = std::env::temp_dir().join(format!("afterwatch-devices-{}", std::process::id()));
        std::fs::create_dir_all(devices.join("dri")).unwrap();
        assert!(!has_card(&devices.join("nowhere"), None));
        // A virtual screen without a renderer.
        std::fs::write(devices.join("dri/card0"), "").unwrap();
        assert!(!has_card(&devices, None));
        std::fs::write(devices.join("dri/renderD128"), "").unwrap();
        assert!(has_card(&devices, None));
        assert!(has_card(&devices, Some(OsStr::new("0"))));
        assert!(!has_card(&devices, Some(OsStr::new("1"))));
        std::fs::remove_dir_all(devices.join("dri")).unwrap();
        std::fs::write(devices.join("nvidia0"), "").unwrap();
        assert!(has_card(&devices, None));
        std::fs::remove_dir_all(&devices).unwrap();
    }
}
