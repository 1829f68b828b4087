//! Files that are no models, or crafted ones.

use std::path::{Path, PathBuf};

use afterwatch_model_protocol::{FailureKind, Say};

use crate::talk::{Worker, load, tiny};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, content: &[u8]) -> PathBuf {
        let path = self.0.path().join("model.gguf");
        std::fs::write(&path, content).unwrap();
        path
    }
}

fn refused(worker: &mut Worker, path: &Path) -> String {
    match worker.load(load(path.to_owned(), 512)).map_err(|say| *say) {
        Err(Say::Failed { kind: FailureKind::Unfit, message }) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_was_cut_off_is_refused_wherever_it_was_cut() {
    let whole = std::fs::read(tiny()).unwrap();
    let folder = Folder::new();
    let mut worker = Worker::start();
    let cuts = (0..40).map(|n| whole.len() * n / 40).chain([1, 4, 8, 23, 24, 25, whole.len() - 1]);
    for cut in cuts {
        let message = refused(&mut worker, &folder.file(&whole[..cut]));
        assert!(message.ends_with('.'), "{message}");
    }
    worker.load(load(tiny(), 512)).expect("the worker goes on");
}

#[test]
fn other_files_are_refused_in_words() {
    let folder = Folder::new();
    let mut worker = Worker::start();
    let says = refused(&mut worker, &folder.file(b"<!DOCTYPE html><html><body>Sign in to go on</body></html>"));
    assert!(says.contains("web page"), "{says}");
    let says = refused(&mut worker, folder.0.path());
    assert!(says.contains("not a file"), "{says}");
}

/// A small generator of its own: the files are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

#[test]
fn crafted_headers_end_in_a_sentence_and_not_in_a_crash() {
    let whole = std::fs::read(tiny()).unwrap();
    // Where the weights begin, by their length.
    let header = whole.len() - afterwatch_model_protocol::gguf::read(&tiny()).unwrap().weight_bytes as usize;
    let folder = Folder::new();
    let mut dice = Dice(11);
    let mut worker = Worker::start();
    let (mut refused, mut taken, mut crashed) = (0, 0, 0);
    // More of them, others after these: AFTERWATCH_CRAFTED_FILES=5000.
    let files = std::env::var("AFTERWATCH_CRAFTED_FILES").ok().and_then(|n| n.parse().ok()).unwrap_or(160);
    for _ in 0..files {
        let mut file = whole.clone();
        for _ in 0..=dice.roll(4) {
            // Half of them where the numbers are, half anywhere.
            let at = if dice.roll(2) == 0 { dice.roll(1400) } else { dice.roll(header) };
            file[at] = match dice.roll(4) {
                0 => 0,
                1 => 0xff,
                2 => file[at] ^ (1 << dice.roll(8)),
                _ => dice.roll(256) as u8,
            };
        }
        let id = worker.ask(afterwatch_model_protocol::Ask::Load(load(folder.file(&file), 512)));
        match worker.answer(id).0 {
            Some(Say::Failed { kind: FailureKind::Unfit | FailureKind::Memory, message }) => {
                assert!(message.ends_with('.'), "{message}");
                refused += 1;
            }
            Some(Say::Loaded(_)) => taken += 1,
            Some(other) => panic!("{other:?}"),
            None => {
                crashed += 1;
                worker = Worker::start();
            }
        }
    }
    assert_eq!(crashed, 0, "{refused} refused, {taken} taken");
    assert!(refused > 80 && taken > 0, "{refused} refused, {taken} taken");
}
