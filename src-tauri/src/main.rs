//! The desktop shell.

fn main() {
    let app = tauri::Builder::default().build(tauri::generate_context!());
    if let Ok(app) = app {
        app.run(|_, _| {});
    }
}
