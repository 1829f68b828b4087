//! Every file in `stories/` is a story of the program, named as the file is, and packed: recordings repeat themselves.

use std::{env, error::Error, fmt::Write as _, fs, io::Write as _, path::Path};

use flate2::{Compression, write::GzEncoder};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=stories");
    let (here, out) = (env::var("CARGO_MANIFEST_DIR")?, env::var("OUT_DIR")?);
    let listed = fs::read_dir(Path::new(&here).join("stories"))?;
    let mut files: Vec<_> = listed.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    files.retain(|f| f.extension().is_some_and(|e| e == "jsonl"));
    files.sort();
    let mut code = String::from("&[");
    for file in files {
        println!("cargo::rerun-if-changed={}", file.display());
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let packed = Path::new(&out).join(format!("{name}.gz"));
        let mut packer = GzEncoder::new(fs::File::create(&packed)?, Compression::best());
        packer.write_all(&fs::read(&file)?)?;
        packer.finish()?;
        write!(code, "Story {{ name: {name:?}, packed: include_bytes!({:?}) }},", packed.display().to_string())?;
    }
    code.push(']');
    fs::write(Path::new(&out).join("stories.rs"), code)?;
    Ok(())
}
