//! Reading a recording's file.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use afterwatch_core::recording::MOST_BYTES;

/// What is in a recording's file, and no more of one that is too large than shows that it is.
///
/// # Errors
/// When it cannot be read, or is no regular file: a pipe or a device may never end.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    // Before it is opened: opening a pipe waits for somebody who writes.
    if !path.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use afterwatch_core::recording::{Recording, RecordingError};

    use super::*;

    #[test]
    fn no_more_is_read_than_shows_that_a_file_is_too_large() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("huge.jsonl");
        // A file of holes, that takes no room on the disk.
        File::create(&path).unwrap().set_len(MOST_BYTES as u64 * 2).unwrap();
        let bytes = read_file(&path).unwrap();
        assert_eq!(bytes.len(), MOST_BYTES + 1);
        assert_eq!(Recording::read(&bytes), Err(RecordingError::TooLarge));
    }

    #[test]
    fn what_is_no_regular_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_file(folder.path()).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        #[cfg(unix)]
        assert_eq!(read_file(Path::new("/dev/zero")).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        let nothing = read_file(&folder.path().join("nothing"));
        assert_eq!(nothing.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
