//! Embeds the window's files, the capabilities and the icons.

use std::{fs, path::Path};

fn main() {
    // tauri-build does not watch paths that are not where it expects them.
    println!("cargo:rerun-if-changed=src-tauri/capabilities");
    println!("cargo:rerun-if-changed=src-tauri/permissions");
    println!("cargo:rerun-if-changed=ui/dist");
    println!("cargo:rerun-if-changed=icons");

    // `generate_context!` fails without the window's files. A checkout in which `npm run build` never ran still has
    // to compile, for lints and editors; the page says what is missing.
    let page = Path::new("ui/dist/index.html");
    if !page.exists() {
        let text = "<!doctype html><title>Afterwatch</title><p>Run npm run build, then build again.</p>";
        if let Err(error) = fs::create_dir_all("ui/dist").and_then(|()| fs::write(page, text)) {
            println!("cargo:warning=ui/dist cannot be written: {error}");
        }
        println!("cargo:warning=the window was not built: run `npm run build`");
    }

    let attributes = tauri_build::Attributes::new()
        .capabilities_path_pattern("./src-tauri/capabilities/**/*.json")
        .app_manifest(tauri_build::AppManifest::new().permissions_path_pattern("./src-tauri/permissions/**/*.toml"));
    if let Err(error) = tauri_build::try_build(attributes) {
        println!("cargo:warning={error:#}");
        std::process::exit(1);
    }
}
