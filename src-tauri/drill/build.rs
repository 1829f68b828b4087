//! Every file in `stories/` is a story of the program, named as the file is.

use std::{env, error::Error, fmt::Write, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=stories");
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("stories");
    let mut files: Vec<_> = fs::read_dir(&folder)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    files.retain(|f| f.extension().is_some_and(|e| e == "jsonl"));
    files.sort();
    let mut code = String::from("&[");
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        write!(code, "Story {{ name: {name:?}, bytes: include_bytes!({:?}) }},", file.display().to_string())?;
    }
    code.push(']');
    fs::write(Path::new(&env::var("OUT_DIR")?).join("stories.rs"), code)?;
    Ok(())
}
