//! The folder of model files.

use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use afterwatch_assistant::library::Library;
use tempfile::TempDir;

use crate::stub::{sha256, tiny};

fn library() -> (TempDir, Library) {
    let dir = tempfile::tempdir().unwrap();
    let library = Library::new(dir.path().join("models"));
    (dir, library)
}

fn names(library: &Library) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(library.folder())
        .map(|d| d.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect())
        .unwrap_or_default();
    names.sort();
    names
}

#[tokio::test]
async fn a_file_is_taken_in_with_its_hash_and_what_its_header_says_and_listed_without_reading_it_again() {
    let (_dir, library) = library();
    let bytes = Arc::new(AtomicU64::new(0));
    let told = bytes.clone();
    let taken = library.take(tiny(), move |done, all| {
        assert!(done <= all);
        told.store(done, Ordering::Relaxed);
    });
    let taken = taken.await.unwrap();
    let content = fs::read(tiny()).unwrap();
    assert_eq!(taken.sha256, Some(sha256(&content)));
    assert_eq!(bytes.load(Ordering::Relaxed), content.len() as u64);
    let facts = taken.facts.clone().unwrap();
    assert_eq!(facts.architecture, "qwen2");
    assert!(facts.parameters > 10_000 && facts.memory_bytes > taken.size_bytes && facts.context > 0, "{facts:?}");
    assert_eq!(library.list().unwrap(), std::slice::from_ref(&taken));
    assert_eq!(names(&library), ["tiny.gguf", "tiny.gguf.json"]);
    assert_eq!(fs::read(&taken.path).unwrap(), content);
}

#[tokio::test]
async fn the_same_file_under_another_name_is_not_kept_twice_and_another_of_the_same_name_is_kept_beside_it() {
    let (dir, library) = library();
    let first = library.take(tiny(), |_, _| {}).await.unwrap();
    let copy = dir.path().join("copy.gguf");
    fs::copy(tiny(), &copy).unwrap();
    assert_eq!(library.take(copy, |_, _| {}).await.unwrap().id, first.id);
    let other = dir.path().join("tiny.gguf");
    let mut bytes = fs::read(tiny()).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&other, bytes).unwrap();
    assert_eq!(library.take(other, |_, _| {}).await.unwrap().id, "tiny-2");
    assert_eq!(library.list().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_no_model_is_refused_in_a_sentence_and_leaves_nothing_behind() {
    let (dir, library) = library();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let whole = fs::read(tiny()).unwrap();
    for (path, words) in [
        (file("a.txt", b"hello"), "Not a .gguf file: a.txt."),
        (file("b.gguf", b"<!DOCTYPE html><p>sign in</p>"), "This is a web page"),
        (file("c.gguf", &whole[..whole.len() / 2]), "damaged"),
        (dir.path().join("none.gguf"), "there is no"),
        (dir.path().to_owned(), "is not a file"),
    ] {
        let told = library.take(path.clone(), |_, _| {}).await.unwrap_err().message;
        assert!(told.contains(words), "{}: {told}", path.display());
    }
    assert!(names(&library).is_empty(), "{:?}", names(&library));
    assert!(library.list().unwrap().is_empty());
}

#[tokio::test]
async fn an_import_that_is_cancelled_leaves_nothing_behind() {
    let (dir, library) = library();
    // Many chunks, so that it can be ended between two.
    let large = dir.path().join("large.gguf");
    let mut bytes = fs::read(tiny()).unwrap();
    bytes.resize(bytes.len() + (64 << 20), 0);
    fs::write(&large, bytes).unwrap();
    let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let import = tokio::spawn({
        let library = library.clone();
        async move {
            let told = move |_, _| {
                let _ = begun.send(());
                let _ = wait.lock().unwrap().recv();
            };
            library.take(large, told).await
        }
    });
    has_begun.recv().await.unwrap();
    assert!(!names(&library).is_empty());
    import.abort();
    assert!(import.await.unwrap_err().is_cancelled());
    drop(go_on);
    for _ in 0..100 {
        if names(&library).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{:?}", names(&library));
}

#[tokio::test]
async fn a_file_that_was_changed_or_put_there_by_hand_is_listed_and_hashed_anew() {
    let (_dir, library) = library();
    fs::create_dir_all(library.folder()).unwrap();
    let by_hand = library.folder().join("mine.gguf");
    fs::copy(tiny(), &by_hand).unwrap();
    let listed = library.get("mine").unwrap();
    assert!(listed.sha256.is_none() && listed.facts.is_ok());
    let hashed = library.hash("mine".to_owned(), |_, _| {}).await.unwrap();
    assert_eq!(library.get("mine").unwrap(), hashed);
    let mut bytes = fs::read(&by_hand).unwrap();
    bytes.push(0);
    fs::write(&by_hand, &bytes).unwrap();
    assert_eq!(library.get("mine").unwrap().sha256, None);
    assert_eq!(library.hash("mine".to_owned(), |_, _| {}).await.unwrap().sha256, Some(sha256(&bytes)));
    // What lies here already is not copied again.
    assert_eq!(library.take(by_hand, |_, _| {}).await.unwrap().id, "mine");
    assert_eq!(library.list().unwrap().len(), 1);
}

#[tokio::test]
async fn a_damaged_file_in_the_folder_is_listed_with_the_reason_and_can_be_removed() {
    let (_dir, library) = library();
    fs::create_dir_all(library.folder()).unwrap();
    fs::write(library.folder().join("broken.gguf"), b"GGUF and no more than that, alas").unwrap();
    fs::write(library.folder().join(".half.gguf"), b"x").unwrap();
    fs::write(library.folder().join("notes.txt"), b"x").unwrap();
    let listed = library.list().unwrap();
    assert_eq!(listed.len(), 1);
    assert!(listed[0].facts.is_err());
    library.remove("broken").unwrap();
    assert!(library.list().unwrap().is_empty());
    assert!(library.remove("broken").unwrap_err().message.contains("There is no model broken"));
    assert!(library.remove("../notes").is_err());
}
