//! The shapes a post-mortem can have: those that come with the program, and the user's own files beside the history.

use std::path::PathBuf;

use afterwatch_contract::postmortem::ShapeDto;
use afterwatch_report::{ReportInput, Shape, markdown_shaped};

use crate::{
    commands::{Answer, error},
    shell::Shell,
};

/// The shape it has until another is chosen.
pub const HOUSE: &str = "house";

/// What the id of a file of the user's begins with.
const OWN: &str = "own:";

/// Files of the user's that are offered.
const MOST: usize = 40;

/// Bytes of a file that are read at most: no shape is as long, and a larger file is refused by its size alone.
const LARGEST: u64 = 1024 * 1024;

/// Every shape; of a file that cannot be used also why.
pub fn all(shell: &Shell) -> Vec<ShapeDto> {
    let bundled =
        Shape::bundled().into_iter().map(|shape| ShapeDto { id: shape.name, name: shape.title, problem: None });
    let own = files(shell).into_iter().map(|(name, path)| ShapeDto {
        id: format!("{OWN}{name}"),
        problem: read(&name, &path).err(),
        name: format!("{name}.md"),
    });
    bundled.chain(own).collect()
}

/// Refuses a shape that is not there or cannot be filled in.
pub fn check(shell: &Shell, id: &str) -> Answer<()> {
    find(shell, id).map(drop).map_err(error)
}

/// The post-mortem in that shape. One that is not there any more, or was broken since, gives way to the house's own.
pub fn fill(shell: &Shell, input: &ReportInput<'_>, id: &str) -> String {
    find(shell, id)
        .and_then(|shape| markdown_shaped(input, &shape).map_err(|problem| problem.to_string()))
        .unwrap_or_else(|_| afterwatch_report::markdown(input))
}

fn find(shell: &Shell, id: &str) -> Result<Shape, String> {
    let Some(name) = id.strip_prefix(OWN) else {
        return Shape::named(id).ok_or_else(|| format!("There is no shape named {id}."));
    };
    // By the list and not by the name, so that no other file is read.
    let file = files(shell).into_iter().find(|(known, _)| known == name);
    let (name, path) = file.ok_or_else(|| {
        format!("There is no {name}.md in {}. Put it there, or choose another shape.", folder(shell).display())
    })?;
    read(&name, &path)
}

fn read(name: &str, path: &PathBuf) -> Result<Shape, String> {
    let unreadable = |problem: std::io::Error| format!("{} cannot be read: {problem}.", path.display());
    if std::fs::metadata(path).map_err(unreadable)?.len() > LARGEST {
        return Err(format!("{} is larger than any shape.", path.display()));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    Shape::own(name, text).map_err(|problem| problem.to_string())
}

/// The user's files by name, without their ending.
fn files(shell: &Shell) -> Vec<(String, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(folder(shell)) else { return Vec::new() };
    let mut files: Vec<(String, PathBuf)> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("md")) && path.is_file())
        .filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path)))
        .collect();
    files.sort();
    files.truncate(MOST);
    files
}

/// Where the user's own shapes lie.
fn folder(shell: &Shell) -> PathBuf {
    shell.database.with_file_name("templates")
}
