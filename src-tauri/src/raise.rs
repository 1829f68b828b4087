//! The desktop's permission to come to the front, on Linux. Desktops let no program do so by itself; the token that
//! comes with a clicked notification ties it to what the user just did.

use gtk::{
    gdk::{Display, prelude::DisplayExtManual},
    glib::object::ObjectType,
    prelude::{GtkWindowExt, WidgetExt},
};
use tauri::WebviewWindow;

/// Hands the token to the toolkit, which spends it when the window is presented next.
///
/// # Errors
/// When the window is gone.
pub fn allow(window: &WebviewWindow, token: &str) -> tauri::Result<()> {
    let window = window.gtk_window()?;
    // On X11 it belongs to the window. On Wayland GTK 3 does nothing with that one, and takes the display's.
    window.set_startup_id(token);
    let display: Display = window.display();
    if display.backend().is_wayland()
        && let Ok(token) = std::ffi::CString::new(token)
    {
        // SAFETY: the display is alive and, as its backend says, one of Wayland; the text is copied.
        #[allow(unsafe_code)]
        unsafe {
            gdk_wayland_sys::gdk_wayland_display_set_startup_notification_id(display.as_ptr().cast(), token.as_ptr());
        }
    }
    Ok(())
}
