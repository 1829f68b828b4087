//! The stories that come with the program: recordings of a real cluster on which things were broken on purpose.

use std::io::Read;

use afterwatch_core::recording::{Header, Recording};
use flate2::read::GzDecoder;
use jiff::Timestamp;

/// A story.
#[derive(Clone, Copy, Debug)]
pub struct Story {
    /// What it is called on the command line.
    pub name: &'static str,
    /// The recording, packed.
    packed: &'static [u8],
}

/// Every story: what lies in `stories/`, in the order of the names.
pub fn stories() -> &'static [Story] {
    STORIES
}

const STORIES: &[Story] = include!(concat!(env!("OUT_DIR"), "/stories.rs"));

impl Story {
    /// The recording as a file has it.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // What was packed while building unpacks.
        let _ = GzDecoder::new(self.packed).read_to_end(&mut out);
        out
    }

    /// The recording. A test reads each, so that none can be broken.
    pub fn read(&self) -> Recording {
        Recording::read(&self.bytes()).unwrap_or_else(|_| Recording {
            header: Header::new(self.name, Timestamp::UNIX_EPOCH),
            lines: Vec::new(),
            problems: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_story_is_whole_small_and_told() {
        for story in stories() {
            let recording = Recording::read(&story.bytes()).unwrap_or_else(|e| panic!("{}: {e}", story.name));
            let header = &recording.header;
            assert_eq!(recording.problems, [], "{}", story.name);
            assert!(!header.title.is_empty() && !header.summary.is_empty(), "{} has no words", story.name);
            let bytes = (story.bytes().len(), story.packed.len());
            assert!(bytes.0 < 2_000_000 && bytes.1 < 200_000, "{} has {bytes:?} bytes", story.name);
            assert!(recording.duration().as_secs() >= 60, "{}", story.name);
        }
    }
}
